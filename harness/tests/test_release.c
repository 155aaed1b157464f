/* A real report of a real volume opens the gate, and with any single case of it broken it does not. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/embedded.h"
#include "cases/cases.h"
#include "cases/tests/checked.h"
#include "fixtures/temporary.h"
#include "options.h"
#include "reports/ledger.h"
#include "required.h"
#include "sys/process.h"
#include "tests/kc_test.h"

#define VOLUME "pypi:backend.ai-krunner-static-gnu==4.4.0"
#define VERSION "4.4.0"
#define ROOTFS "alpine-minirootfs-3.17.10-x86_64.tar.gz"
#define TIMEOUT_MS 600000

static struct kc_temporary directory;
static struct kc_policy *policy;
static struct kc_gate_policy gate_policy;
static struct kc_required required;
static struct kc_gate_image images[2]; /* of those that policy requires, what needs no registry */
static struct kc_gate_report report;
static struct kc_waivers waivers;
static char kit[KC_SHA256_HEX_SIZE];
static struct kc_error offline;

static void choose_images(void)
{
	size_t count = 0;

	for (size_t i = 0; i < required.count && count < KC_ARRAY_LENGTH(images); i++)
		if (strcmp(required.images[i].name, "centos7") == 0 ||
		    strcmp(required.images[i].name, "debian12") == 0)
			images[count++] = required.images[i];
}

static int load_policies(struct kc_error *err)
{
	const char *text, *gate;
	size_t length, gate_length;
	int status;

	if (!kc_embedded_find("compat/policy.json", &text, &length) ||
	    !kc_embedded_find("compat/gate.json", &gate, &gate_length))
		return -ENOENT;
	status = kc_policy_load(text, length, "policy.json", &policy, err);
	if (status == 0)
		status = kc_gate_policy_load(gate, gate_length, "gate.json", &gate_policy, err);
	if (status == 0)
		status = kc_required_make(policy, "static-gnu", "x86_64", VERSION, &required, err);
	if (status == 0)
		choose_images();
	return status < 0 ? status : kc_cases_digest(kit, err);
}

static int make_report(struct kc_error *err)
{
	char path[PATH_MAX + 16];
	const char *const argv[] = { KC_TEST_PROGRAM, "run",	"centos7", "debian12", "--volume",
				     VOLUME,	      "--long", "--json",  path,       NULL };
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(4u << 20);
	const struct kc_process process = {
		.argv = argv, .timeout_ms = TIMEOUT_MS, .output = &text, .errors = &text
	};
	int exit_status = -1, status = kc_temporary_make(&directory, err);

	if (status < 0)
		return status;
	(void)snprintf(path, sizeof(path), "%s/report.json", directory.path);
	status = kc_process_run(&process, &exit_status, err);
	if (status == 0 && exit_status != 0)
		status = kc_error_set(err, EINVAL, "exit status %d: %.900s", exit_status,
				      kc_buffer_string(&text));
	report.name = "report.json";
	return status < 0 ? status : kc_read_report_load(path, &report.report, err);
}

static int set_up(void)
{
	char wheel[PATH_MAX];
	struct kc_error err = { 0 };
	int status = kc_released_wheel(VERSION, wheel, &err);

	if (status < 0 && kc_is_offline(&err)) {
		offline = err;
		return 0;
	}
	if (status == 0)
		status = load_policies(&err);
	if (status == 0)
		status = make_report(&err);
	if (status < 0)
		printf("  %s\n", err.text);
	return status;
}

static int tear_down(void)
{
	kc_read_report_release(&report.report);
	kc_required_release(&required);
	kc_gate_policy_release(&gate_policy);
	kc_policy_release(&policy);
	kc_temporary_remove(&directory);
	return 0;
}

/* Returns how many findings there are, and the first one's object. */
static size_t judge(char ret_object[256])
{
	const struct kc_gate_request request = {
		.volume_sha256 = kc_report_fact(&report.report.plan.run.suites[0], "volume.sha256"),
		.arch = kc_report_fact(&report.report.plan.run.suites[0], "volume.arch"),
		.reports = &report,
		.report_count = 1,
		.images = images,
		.image_count = KC_ARRAY_LENGTH(images),
		.policy = &gate_policy,
		.waivers = &waivers,
		.version = KC_VERSION,
		.kit = kit,
		.now_s = report.report.plan.run.started_ms / 1000 + 3600
	};
	KC_CLEANUP_FINDINGS struct kc_findings findings = { 0 };
	KC_CLEANUP_GATE_OUTCOME struct kc_gate_outcome outcome = { 0 };
	struct kc_error err = { 0 };

	ret_object[0] = '\0';
	KC_CHECK_OK(kc_gate_judge(&request, &findings, &outcome, &err), err);
	if (findings.count)
		(void)snprintf(ret_object, 256, "%s", findings.items[0].member);
	return findings.count + findings.dropped;
}

static bool is_offline(void)
{
	if (offline.code)
		kc_test_skip(__FILE__, __LINE__, offline.text);
	return offline.code != 0;
}

static void what_passed_is_let_through(void)
{
	char object[256];

	if (is_offline())
		return;
	KC_CHECK_INT(judge(object), 0);
	KC_CHECK_STRING(object, "");
	KC_CHECK(images[0].count > 40 && images[1].count > 40);
}

/* Of every case of every image, whether policy knows it or not. */
static void any_single_broken_case_is_refused(void)
{
	static const enum kc_verdict verdicts[] = { KC_FAIL, KC_BROKEN };
	const struct kc_report_run *run = &report.report.plan.run;
	size_t tried = 0;

	if (is_offline())
		return;
	for (size_t i = 0; i < run->case_count; i++)
		for (size_t j = 0; j < KC_ARRAY_LENGTH(verdicts); j++) {
			struct kc_result *result = &report.report.results[i];
			enum kc_verdict was = result->verdict;
			char object[256], identity[256];

			(void)snprintf(identity, sizeof(identity), "%s.%s", run->cases[i].classname,
				       run->cases[i].name);
			result->verdict = verdicts[j];
			KC_CHECK_MESSAGE(judge(object) == 1 && strcmp(object, identity) == 0, "%s: %s",
					 identity, object);
			result->verdict = was;
			tried++;
		}
	KC_CHECK(tried > 180);
}

/* Of every case that policy requires: skipped, or not there at all. */
static void any_single_missing_case_is_refused(void)
{
	size_t refused = 0;

	if (is_offline())
		return;
	for (size_t i = 0; i < report.report.plan.run.case_count; i++) {
		struct kc_report_case *testcase = &report.report.plan.cases[i];
		struct kc_result *result = &report.report.results[i];
		const char *name = testcase->name;
		char object[256];
		size_t when_skipped, when_missing;

		result->verdict = KC_SKIP;
		when_skipped = judge(object);
		result->verdict = KC_PASS;
		testcase->name = "no-such-case";
		when_missing = judge(object);
		testcase->name = name;
		KC_CHECK_MESSAGE(when_skipped == when_missing, "%s.%s", testcase->classname, name);
		refused += when_missing == 1;
	}
	/* The others are about the wheel that the volume came in. */
	KC_CHECK_INT(refused, images[0].count + images[1].count);
}

/* Any root filesystem, of a file that is called as an image that policy requires. Returns false where there is none. */
static bool run_foreign(struct kc_read_report *foreign)
{
	const char *rootfs = getenv("KC_ROOTFS");
	char tar[PATH_MAX], image[PATH_MAX + 32], path[PATH_MAX + 32];
	const char *const argv[] = { KC_TEST_PROGRAM, "run",	image, "--volume", VOLUME, "--force", "-k",
				     "zmq",	      "--json", path,  NULL };
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(4u << 20);
	const struct kc_process process = {
		.argv = argv, .timeout_ms = TIMEOUT_MS, .output = &text, .errors = &text
	};
	struct kc_error err = { 0 };
	int exit_status = -1;

	(void)snprintf(tar, sizeof(tar), "%s/" ROOTFS,
		       rootfs ? rootfs : KC_TEST_SOURCE_DIR "/../shared/rootfs");
	(void)snprintf(image, sizeof(image), "tar:%s/centos7.tar.gz", directory.path);
	(void)snprintf(path, sizeof(path), "%s/foreign.json", directory.path);
	if (access(tar, R_OK) < 0)
		return false;
	KC_CHECK_INT(symlink(tar, image + strlen("tar:")), 0);
	KC_CHECK_OK(kc_process_run(&process, &exit_status, &err), err);
	KC_CHECK_MESSAGE(kc_read_report_load(path, foreign, &err) == 0, "%s\n%s", err.text,
			 kc_buffer_string(&text));
	return true;
}

/* It is told from the one that this program makes, whatever it says of itself. */
static void another_image_of_that_name_is_refused(void)
{
	KC_CLEANUP_READ_REPORT struct kc_read_report foreign = { 0 };
	const struct kc_report_suite *suite, *own = &report.report.plan.run.suites[0];
	char object[256], tar[] = "tar";
	size_t tried = 0;

	if (is_offline())
		return;
	KC_CHECK_STRING(kc_report_fact(own, "image.source"), "definition");
	KC_CHECK_STRING(kc_report_fact(own, "image.definition"), images[0].definition);
	if (!run_foreign(&foreign))
		KC_SKIP_UNPROVIDED("no " ROOTFS " in ../shared/rootfs or $KC_ROOTFS");
	KC_REQUIRE(foreign.plan.run.suite_count == 1);
	suite = &foreign.plan.run.suites[0];
	KC_CHECK_STRING(suite->name, "centos7");
	KC_CHECK_STRING(kc_report_fact(suite, "image.fidelity"), "real");
	KC_CHECK_STRING(kc_report_fact(suite, "image.source"), "tar");
	KC_CHECK_STRING(kc_report_fact(suite, "image.definition"), "");
	/* All cases passed, and that alone is not as it should be. */
	for (size_t i = 0; i < report.report.plan.fact_count; i++) {
		struct kc_property *fact = &report.report.plan.facts[i], was = *fact;

		if (strcmp(fact->name, "image.source") != 0)
			continue;
		fact->value = tar;
		KC_CHECK_INT(judge(object), 1);
		*fact = was;
		tried++;
	}
	KC_CHECK_INT(tried, 2);
}

KC_TEST_SUITE_WITH(release, KC_LABEL_SLOW, set_up, tear_down, KC_TEST(what_passed_is_let_through),
		   KC_TEST(any_single_broken_case_is_refused), KC_TEST(any_single_missing_case_is_refused),
		   KC_TEST(another_image_of_that_name_is_refused));
