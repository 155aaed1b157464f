/* The gate opens for what policy asks for, and for nothing else: every way to miss it is a row. */
#include "release/gate.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fixtures/temporary.h"
#include "reports/result.h"
#include "sys/file.h"
#include "tests/kc_test.h"

#define ARCHIVE "c2d78d8180bd7af8e8b163e2466aee8190755560e8099e84e0cdd04e679e2743"
#define OTHER "e030a7f6111ed882efe752fe9310324d802ec4d94b6e79e9c588f3c1749d35c8"
#define NOW_S 1796000000
#define DAY_S 86400
#define IMAGES 2
#define CASES 6 /* of both images */

static char sha256_name[] = "volume.sha256", fidelity_name[] = "image.fidelity", time_name[] = "time",
	    kit_name[] = "kit.sha256", source_name[] = "image.source", definition_name[] = "image.definition",
	    architecture_name[] = "image.architecture";
static char archive[] = ARCHIVE, other[] = OTHER, real[] = "real", emulated[] = "emulated",
	    virtual[] = "virtual", slow[] = "real (virtual time is not to be had)", odd[] = "odd",
	    kit[] = "kit 1", old_kit[] = "kit 0", nothing[] = "", defined[] = "definition", folder[] = "dir",
	    definition[] = "text 1", old_definition[] = "text 0", x86_64[] = "x86_64", aarch64[] = "aarch64";

#define FOR_SKIPPED " (it has a waiver, which is for what was skipped only)"

enum { SHA256, FIDELITY, TIME, KIT, SOURCE, DEFINITION, ARCHITECTURE, FACTS };

static const char *const identities[][3] = {
	{ "centos7.imports.zmq", "centos7.imports.ssl", "centos7.ttyd.keepalive" },
	{ "debian12.imports.zmq", "debian12.imports.ssl", "debian12.ttyd.keepalive" }
};
static const struct kc_gate_image images[IMAGES] = { { "centos7", identities[0], 3, "text 1" },
						     { "debian12", identities[1], 3, "text 1" } };

/* A report that passes the gate, to be spoilt. */
struct scene {
	struct kc_property facts[IMAGES][FACTS];
	struct kc_report_suite suites[IMAGES];
	struct kc_report_case cases[CASES];
	struct kc_result results[CASES];
	struct kc_gate_report report;
	struct kc_waivers waivers;
	struct kc_gate_request request;
	struct kc_gate_report both[2]; /* see give() */
};

static struct kc_gate_policy policy;

static int set_up(void)
{
	static const char text[] = "{\"version\":1,\"report_age_days\":14,\"may_be_emulated\":[\"centos7\"],"
				   "\"times\":[\"virtual\",\"both\",\"real\"]}";
	struct kc_error err = { 0 };

	return kc_gate_policy_load(text, strlen(text), "gate.json", &policy, &err);
}

static int tear_down(void)
{
	kc_gate_policy_release(&policy);
	return 0;
}

static void build(struct scene *scene)
{
	static const char *const classes[] = { "centos7.imports",  "centos7.imports",  "centos7.ttyd",
					       "debian12.imports", "debian12.imports", "debian12.ttyd" };
	static const char *const names[] = { "zmq", "ssl", "keepalive" };

	*scene = (struct scene){ 0 };
	for (size_t i = 0; i < IMAGES; i++) {
		scene->facts[i][SHA256] = (struct kc_property){ sha256_name, archive };
		scene->facts[i][FIDELITY] = (struct kc_property){ fidelity_name, i ? real : emulated };
		scene->facts[i][TIME] = (struct kc_property){ time_name, virtual };
		scene->facts[i][KIT] = (struct kc_property){ kit_name, kit };
		scene->facts[i][SOURCE] = (struct kc_property){ source_name, defined };
		scene->facts[i][DEFINITION] = (struct kc_property){ definition_name, definition };
		scene->facts[i][ARCHITECTURE] = (struct kc_property){ architecture_name, x86_64 };
		scene->suites[i] = (struct kc_report_suite){ .name = images[i].name,
							     .facts = scene->facts[i],
							     .fact_count = FACTS };
	}
	for (size_t i = 0; i < CASES; i++) {
		scene->cases[i] = (struct kc_report_case){ .suite = i / 3,
							   .classname = classes[i],
							   .name = names[i % 3] };
		kc_result_init(&scene->results[i]);
		scene->results[i].verdict = KC_PASS;
	}
	scene->report = (struct kc_gate_report){
		.name = "report-1.json",
		.report = { .plan = { .run = { .version = "1.0",
					       .started_ms = (int64_t)(NOW_S - DAY_S) * 1000,
					       .suites = scene->suites,
					       .suite_count = IMAGES,
					       .cases = scene->cases,
					       .case_count = CASES } },
			    .results = scene->results,
			    .is_complete = true }
	};
	scene->request = (struct kc_gate_request){ .volume_sha256 = ARCHIVE,
						   .arch = "x86_64",
						   .reports = &scene->report,
						   .report_count = 1,
						   .images = images,
						   .image_count = IMAGES,
						   .policy = &policy,
						   .waivers = &scene->waivers,
						   .version = "1.0",
						   .kit = "kit 1",
						   .now_s = NOW_S };
}

/* What the first finding is about; "" where there is none. Returns how many there are. */
static size_t judge(const struct scene *scene, char ret_found[600], size_t *ret_passed, size_t *ret_warned)
{
	KC_CLEANUP_FINDINGS struct kc_findings findings = { 0 };
	KC_CLEANUP_GATE_OUTCOME struct kc_gate_outcome outcome = { 0 };
	struct kc_error err = { 0 };

	KC_CHECK_OK(kc_gate_judge(&scene->request, &findings, &outcome, &err), err);
	*ret_passed = outcome.passed_count;
	*ret_warned = outcome.warned_count;
	ret_found[0] = '\0';
	if (!kc_findings_are_none(&findings))
		(void)snprintf(ret_found, 600, "%s: %s: %s", findings.items[0].check,
			       findings.items[0].member, findings.items[0].found);
	return findings.count + findings.dropped;
}

static void opens_for_what_policy_asks_for(void)
{
	struct scene scene;
	char found[600];
	size_t passed, warned;

	build(&scene);
	judge(&scene, found, &passed, &warned);
	KC_CHECK_STRING(found, "");
	KC_CHECK_INT(passed, CASES);
	KC_CHECK_INT(warned, 0);
}

/* Each verdict but PASS, and none at all, of each case alone. */
static void any_single_case_closes_it(void)
{
	static const enum kc_verdict verdicts[] = { KC_FAIL, KC_BROKEN, KC_SKIP };

	for (size_t i = 0; i < CASES; i++)
		for (size_t j = 0; j <= KC_ARRAY_LENGTH(verdicts); j++) {
			struct scene scene;
			char found[600];
			size_t passed, warned;

			build(&scene);
			if (j < KC_ARRAY_LENGTH(verdicts))
				scene.results[i].verdict = verdicts[j];
			else
				scene.cases[i].name = "another";
			judge(&scene, found, &passed, &warned);
			KC_CHECK_CONTAINS(found, identities[i / 3][i % 3]);
			KC_CHECK_INT(passed, CASES - 1);
		}
}

static void spoil_incomplete(struct scene *scene)
{
	scene->report.report.is_complete = false;
}

static void spoil_version(struct scene *scene)
{
	scene->report.report.plan.run.version = "0.9";
}

static void spoil_age(struct scene *scene)
{
	scene->report.report.plan.run.started_ms = (int64_t)(NOW_S - 15 * DAY_S) * 1000;
}

static void spoil_future(struct scene *scene)
{
	scene->report.report.plan.run.started_ms = (int64_t)(NOW_S + DAY_S) * 1000;
}

static void spoil_archive(struct scene *scene)
{
	scene->facts[1][SHA256].value = other;
}

static void spoil_unopened(struct scene *scene)
{
	scene->facts[0][SHA256].value = nothing;
}

static void spoil_fidelity(struct scene *scene)
{
	scene->facts[1][FIDELITY].value = emulated;
}

static void spoil_real(struct scene *scene)
{
	scene->request.require_real = true;
}

static void spoil_odd_fidelity(struct scene *scene)
{
	scene->facts[0][FIDELITY].value = odd;
}

static void spoil_time(struct scene *scene)
{
	scene->facts[0][TIME].value = odd;
}

/* `run --force`: qemu stands in where it can. */
static void spoil_architecture(struct scene *scene)
{
	scene->facts[0][ARCHITECTURE].value = aarch64;
}

static void spoil_kit(struct scene *scene)
{
	scene->facts[1][KIT].value = old_kit;
}

/* `run dir:/tmp/debian12`, which says that it is real. */
static void spoil_source(struct scene *scene)
{
	scene->facts[1][SOURCE].value = folder;
	scene->facts[1][DEFINITION].value = nothing;
}

static void spoil_no_source(struct scene *scene)
{
	scene->facts[1][SOURCE].value = nothing;
}

static void spoil_definition(struct scene *scene)
{
	scene->facts[1][DEFINITION].value = old_definition;
}

static void spoil_image(struct scene *scene)
{
	scene->suites[1].name = "debian11";
}

static void spoil_none(struct scene *scene)
{
	scene->request.report_count = 0;
}

static void spoil_policy(struct scene *scene)
{
	scene->request.image_count = 0;
}

static void
spoil_extra(struct scene *scene) /* a case that policy does not know, in a suite that it asks for */
{
	static struct kc_report_case cases[CASES + 1];
	static struct kc_result results[CASES + 1];

	memcpy(cases, scene->cases, sizeof(scene->cases));
	memcpy(results, scene->results, sizeof(scene->results));
	cases[CASES] = (struct kc_report_case){ .suite = 1, .classname = "debian12.extra", .name = "x" };
	results[CASES] = (struct kc_result){ .verdict = KC_FAIL };
	scene->report.report.plan.run.cases = cases;
	scene->report.report.plan.run.case_count = CASES + 1;
	scene->report.report.results = results;
}

/* In this order. */
static void give(struct scene *scene, const struct kc_gate_report *first, const struct kc_gate_report *second)
{
	scene->both[0] = *first;
	scene->both[1] = *second;
	scene->request.reports = scene->both;
	scene->request.report_count = 2;
}

/* Debian 12 is in another report, and this one is of an image that policy does not ask for. */
static void spoil_other(struct scene *scene)
{
	static struct scene other_scene;

	build(&other_scene);
	other_scene.suites[1].name = "debian11";
	other_scene.cases[3].classname = "debian11.imports";
	other_scene.results[3].verdict = KC_FAIL;
	give(scene, &scene->report, &other_scene.report);
}

static void each_way_to_miss_it_is_named(void)
{
	static const struct {
		void (*spoil)(struct scene *scene);
		const char *found;
	} rows[] = {
		{ spoil_incomplete, "complete: report-1.json: one that was cut short" },
		{ spoil_version, "program: report-1.json: 0.9" },
		{ spoil_age, "age: report-1.json: 15 days" },
		{ spoil_future, "age: report-1.json: -1 days" },
		{ spoil_archive, "archive: report-1.json: " OTHER },
		{ spoil_unopened, "archive: report-1.json: a run that ended before" },
		{ spoil_fidelity, "fidelity: debian12: emulated" },
		{ spoil_real, "fidelity: centos7: emulated" },
		{ spoil_odd_fidelity, "fidelity: centos7: odd" },
		{ spoil_time, "time: centos7: odd" },
		{ spoil_architecture, "architecture: centos7: aarch64" },
		{ spoil_kit, "cases: debian12: kit 0" },
		{ spoil_source, "source: debian12: dir: another image of that name, in report-1.json" },
		{ spoil_no_source, "source: debian12: one that says not where it is from, in report-1.json" },
		{ spoil_definition,
		  "source: debian12: one of another definition, sha256 text 0, in report-1.json" },
		{ spoil_image, "image: debian12: none" },
		{ spoil_none, "image: centos7: none" },
		{ spoil_policy, "image: : none" },
		{ spoil_extra, "fail: debian12.extra.x" },
		{ spoil_other, "fail: debian11.imports.zmq" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		struct scene scene;
		char found[600];
		size_t passed, warned;

		build(&scene);
		rows[i].spoil(&scene);
		judge(&scene, found, &passed, &warned);
		KC_CHECK_MESSAGE(strncmp(found, rows[i].found, strlen(rows[i].found)) == 0,
				 "%s instead of %s", found, rows[i].found);
	}
}

static void what_policy_takes_is_taken(void)
{
	struct scene scene;
	char found[600];
	size_t passed, warned;

	build(&scene);
	scene.facts[0][FIDELITY].value = real;
	scene.facts[0][TIME].value = slow;
	scene.request.require_real = true;
	judge(&scene, found, &passed, &warned);
	KC_CHECK_STRING(found, "");
}

/* A waiver is for what was skipped, while it is good, and for the image that could not be reached. */
static void waivers_are_for_what_was_skipped(void)
{
	static const struct {
		const char *name, *waived;
		enum kc_verdict verdict;
		int64_t expires_s;
		const char *found;
		size_t warned;
	} rows[] = {
		{ "skipped", "centos7.imports.zmq", KC_SKIP, NOW_S + 1, "", 1 },
		{ "expired", "centos7.imports.zmq", KC_SKIP, NOW_S,
		  "skipped: centos7.imports.zmq: skipped, and its", 0 },
		{ "failed", "centos7.imports.zmq", KC_FAIL, NOW_S + 1,
		  "fail: centos7.imports.zmq:  (it has a waiver, which is for", 0 },
		{ "broken", "centos7.imports.zmq", KC_BROKEN, NOW_S + 1, "broken: centos7.imports.zmq", 0 },
		{ "another", "centos7.imports.ssl", KC_SKIP, NOW_S + 1,
		  "skipped: centos7.imports.zmq: skipped without", 0 },
		{ "of another image", "debian12.imports.zmq", KC_SKIP, NOW_S + 1,
		  "skipped: centos7.imports.zmq", 0 },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		struct kc_waiver waiver = { rows[i].waived, "no network", "2026-12-01", rows[i].expires_s };
		struct scene scene;
		char found[600];
		size_t passed, warned;

		build(&scene);
		scene.waivers = (struct kc_waivers){ .items = &waiver, .count = 1 };
		scene.results[0].verdict = rows[i].verdict;
		judge(&scene, found, &passed, &warned);
		KC_CHECK_MESSAGE(*rows[i].found ? strncmp(found, rows[i].found, strlen(rows[i].found)) == 0
						: !*found,
				 "%s: %s", rows[i].name, found);
		KC_CHECK_INT(warned, rows[i].warned);
	}
}

/* Leaves a report of the second image alone, which was not opened. */
static void unopen(struct scene *scene, enum kc_verdict verdict, char *message)
{
	struct kc_report_run *run = &scene->report.report.plan.run;

	scene->cases[3] =
		(struct kc_report_case){ .suite = 0, .classname = "debian12.run", .name = "opening" };
	scene->results[3].verdict = verdict;
	scene->results[3].message = message;
	run->cases = &scene->cases[3];
	run->case_count = 1;
	run->suites = &scene->suites[1];
	run->suite_count = 1;
	scene->report.report.results = &scene->results[3];
}

static void an_image_out_of_reach_needs_a_waiver_of_its_own(void)
{
	struct kc_waiver waiver = { "debian12.run.opening", "no network", "2026-12-01", NOW_S + 1 };

	for (size_t is_waived = 0; is_waived < 2; is_waived++) {
		struct scene scene;
		char found[600];
		size_t passed, warned;

		build(&scene);
		scene.cases[3] =
			(struct kc_report_case){ .suite = 1, .classname = "debian12.run", .name = "opening" };
		scene.results[3].verdict = KC_SKIP;
		scene.report.report.plan.run.case_count = 4;
		scene.waivers = (struct kc_waivers){ .items = &waiver, .count = is_waived };
		judge(&scene, found, &passed, &warned);
		KC_CHECK_CONTAINS(found,
				  is_waived ? "" : "skipped: debian12.run.opening: skipped without a waiver");
		KC_CHECK_INT(warned, is_waived);
		KC_CHECK_INT(passed, 3);
	}
}

/* Not one for each case that it would have had, too. */
static void an_image_that_was_not_opened_is_one_finding(void)
{
	static char must_run[] = KC_RESULT_MUST_RUN "no network", damaged[] = "damaged";
	static const struct {
		enum kc_verdict verdict;
		char *message, *archive;
		bool is_cut_short;
		const char *found;
	} rows[] = {
		{ KC_SKIP, damaged, archive, false,
		  "skipped: debian12.run.opening: skipped without a waiver: damaged" },
		{ KC_FAIL, damaged, archive, false, "fail: debian12.run.opening: damaged" FOR_SKIPPED },
		{ KC_BROKEN, damaged, archive, false, "broken: debian12.run.opening: damaged" FOR_SKIPPED },
		{ KC_BROKEN, must_run, archive, false,
		  "broken: debian12.run.opening: skipped, although it must run: no network; run without "
		  "--must-run to let a waiver decide" },
		{ KC_BROKEN, damaged, nothing, true,
		  "archive: report-1.json: a run that ended before the archive was read: damaged" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		struct kc_waiver waiver = { "debian12.run.opening", "no network", "2026-12-01", NOW_S + 1 };
		struct scene scene, unopened;
		char found[600];
		size_t passed, warned;

		build(&scene);
		build(&unopened);
		scene.report.report.plan.run.suite_count = 1;
		scene.report.report.plan.run.case_count = 3;
		unopen(&unopened, rows[i].verdict, rows[i].message);
		unopened.facts[1][SHA256].value = rows[i].archive;
		unopened.report.report.is_complete = !rows[i].is_cut_short;
		give(&scene, &scene.report, &unopened.report);
		scene.waivers = (struct kc_waivers){ .items = &waiver, .count = rows[i].verdict != KC_SKIP };
		KC_CHECK_INT(judge(&scene, found, &passed, &warned), 1);
		KC_CHECK_STRING(found, rows[i].found);
		KC_CHECK_INT(passed, 3);
	}
}

/* One run could not reach it, another has checked it: there is nothing left to warn of. */
static void an_opening_is_no_news_of_an_image_that_was_checked(void)
{
	static char message[] = "no network";
	struct kc_waiver waiver = { "debian12.run.opening", "no network", "2026-12-01", NOW_S + 1 };
	struct scene scene, unopened;
	char found[600];
	size_t passed, warned;

	build(&scene);
	build(&unopened);
	unopen(&unopened, KC_SKIP, message);
	give(&scene, &unopened.report, &scene.report);
	scene.waivers = (struct kc_waivers){ .items = &waiver, .count = 1 };
	KC_CHECK_INT(judge(&scene, found, &passed, &warned), 0);
	KC_CHECK_INT(passed, 6);
	KC_CHECK_INT(warned, 0);
}

static void nothing_is_released_on_waivers_alone(void)
{
	static char message[] = "no network";
	struct kc_waiver waivers[] = { { "centos7.run.opening", "no network", "2026-12-01", NOW_S + 1 },
				       { "debian12.run.opening", "no network", "2026-12-01", NOW_S + 1 } };
	struct scene scene, unopened;
	char found[600];
	size_t passed, warned;

	build(&scene);
	build(&unopened);
	unopen(&unopened, KC_SKIP, message);
	scene.cases[0] = (struct kc_report_case){ .suite = 0, .classname = "centos7.run", .name = "opening" };
	scene.results[0].verdict = KC_SKIP;
	scene.report.report.plan.run.suite_count = 1;
	scene.report.report.plan.run.case_count = 1;
	give(&scene, &unopened.report, &scene.report);
	scene.waivers = (struct kc_waivers){ .items = waivers, .count = 2 };
	KC_CHECK_INT(judge(&scene, found, &passed, &warned), 1);
	KC_CHECK_STRING(found, "image: : none");
}

/* As `merge` puts together a report of an image that could not be reached and one of the same image that failed. */
static void a_waived_opening_hides_nothing_beside_it(void)
{
	static const struct {
		enum kc_verdict verdict; /* of the case beside it */
		const char *found;
	} rows[] = {
		{ KC_FAIL, "fail: debian12.imports.zmq" },
		{ KC_BROKEN, "broken: debian12.imports.zmq" },
		{ KC_SKIP, "skipped: debian12.imports.zmq" },
		{ KC_PASS, "missing: debian12.imports.ssl" },
	};
	struct kc_waiver waiver = { "debian12.run.opening", "no network", "2026-12-01", NOW_S + 1 };

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		struct scene scene;
		char found[600];
		size_t passed, warned;

		build(&scene);
		scene.cases[4] =
			(struct kc_report_case){ .suite = 1, .classname = "debian12.run", .name = "opening" };
		scene.results[3].verdict = rows[i].verdict;
		scene.results[4].verdict = KC_SKIP;
		scene.report.report.plan.run.case_count = 5;
		scene.waivers = (struct kc_waivers){ .items = &waiver, .count = 1 };
		judge(&scene, found, &passed, &warned);
		KC_CHECK_CONTAINS(found, rows[i].found);
	}
}

/* The same case in two reports is one; a flaky one is a warning. */
static void cases_are_counted_once(void)
{
	struct kc_attempt attempt = { 0 };
	struct scene scene, again;
	char found[600];
	size_t passed, warned;

	build(&scene);
	build(&again);
	again.results[0].attempts = &attempt;
	again.results[0].attempt_count = 1;
	give(&scene, &scene.report, &again.report);
	judge(&scene, found, &passed, &warned);
	KC_CHECK_STRING(found, "");
	KC_CHECK_INT(passed, CASES - 1);
	KC_CHECK_INT(warned, 1);
	again.results[1].verdict = KC_FAIL;
	judge(&scene, found, &passed, &warned);
	KC_CHECK_CONTAINS(found, "fail: centos7.imports.ssl");
}

static void waiver_files_are_checked(void)
{
#define WAIVER(day) "{\"case\":\"a.b.c\",\"reason\":\"r\",\"expires\":\"" day "\"}"
#define FILE_OF(list) "{\"version\":1,\"waivers\":[" list "]}"
	static const struct {
		const char *text, *message; /* NULL: it is good */
	} rows[] = {
		{ FILE_OF(WAIVER("2026-12-31")), NULL },
		{ FILE_OF(""), NULL },
		{ FILE_OF(WAIVER("2026-02-30")), "is no day" },
		{ FILE_OF(WAIVER("2026-12-31T00:00")), "is no day" },
		{ FILE_OF(WAIVER("tomorrow")), "is no day" },
		{ FILE_OF(WAIVER("2026-12-31") "," WAIVER("2026-12-31")), "stands twice" },
		{ FILE_OF("{\"case\":\"a\",\"reason\":\" \",\"expires\":\"2026-12-31\"}"),
		  "reason is empty" },
		{ FILE_OF("{\"case\":\"a\",\"expires\":\"2026-12-31\"}"), "reason" },
		{ FILE_OF("{\"case\":\"a\",\"reason\":\"r\",\"expires\":\"2026-12-31\",\"x\":1}"),
		  "waivers.json:1:73: waiver: unknown key \"x\"" },
		{ "{\"version\":1,\n \"waivers\":[{\"case\":\"\\\"}{\",\n  \"cause\":\"case\"}],\"case\":2}",
		  "waivers.json:3:20: waivers: unknown key \"case\"" },
		{ "{\"version\":1,\n \"waivers\":[{\"case\":\"\\\"cause\\\":\",\n  \"cause\":\"case\"}]}",
		  "waivers.json:3:3: waiver: unknown key \"cause\"" },
		{ "{\"version\":1,\"waivers\":[1]}", "is missing" },
		{ "{\"version\":2,\"waivers\":[]}", "\"version\" is not 1" },
		{ "{\"version\":1}", "waivers" },
		{ "hello", "not valid JSON" },
	};
	KC_CLEANUP_TEMPORARY struct kc_temporary directory = { 0 };
	char path[PATH_MAX + 16];
	struct kc_error err = { 0 };

	KC_REQUIRE_OK(kc_temporary_make(&directory, &err), err);
	(void)snprintf(path, sizeof(path), "%s/waivers.json", directory.path);
	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_WAIVERS struct kc_waivers waivers = { 0 };
		int status;

		kc_error_clear(&err);
		KC_REQUIRE_OK(
			kc_file_write_atomic(AT_FDCWD, path, rows[i].text, strlen(rows[i].text), 0600, &err),
			err);
		status = kc_waivers_load(path, &waivers, &err);
		KC_CHECK_MESSAGE((status == 0) == !rows[i].message, "%s: %d %s", rows[i].text, status,
				 err.text);
		if (rows[i].message)
			KC_CHECK_CONTAINS(err.text, rows[i].message);
		else if (waivers.count)
			KC_CHECK_INT(waivers.items[0].expires_s, 1798761600); /* date -ud '2027-01-01' +%s */
	}
}

KC_TEST_SUITE_WITH(gate, KC_LABEL_FAST, set_up, tear_down, KC_TEST(opens_for_what_policy_asks_for),
		   KC_TEST(any_single_case_closes_it), KC_TEST(each_way_to_miss_it_is_named),
		   KC_TEST(what_policy_takes_is_taken), KC_TEST(waivers_are_for_what_was_skipped),
		   KC_TEST(an_image_out_of_reach_needs_a_waiver_of_its_own),
		   KC_TEST(an_image_that_was_not_opened_is_one_finding),
		   KC_TEST(an_opening_is_no_news_of_an_image_that_was_checked),
		   KC_TEST(nothing_is_released_on_waivers_alone),
		   KC_TEST(a_waived_opening_hides_nothing_beside_it), KC_TEST(cases_are_counted_once),
		   KC_TEST(waiver_files_are_checked));
