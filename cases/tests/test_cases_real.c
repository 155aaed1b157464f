/*
 * Released volumes, end to end: the one that works passes, those that were shipped broken fail for their reason. What waits in
 * real time waits at once: five runs are started together and then looked at one by one.
 */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cases/tests/checked.h"
#include "fixtures/no_ptrace.h"
#include "fixtures/volume_copy.h"
#include "options.h"
#include "tests/kc_test.h"

#define RELEASE "pypi:backend.ai-krunner-static-gnu=="
#define KEEPALIVE "centos7.ttyd.keepalive"
/* What compat/policy.json promises; the reports' numbers are held against it here once more. */
#define TOLERANCE_S 1.5

static const char *const only_keepalive[] = { "-k", KEEPALIVE, "--time", "both", NULL };
static const char *const in_both_times[] = { "--time", "both", "--must-run", NULL };
static const char *const only_imports[] = { "-k", "imports", NULL };
static const char *const imports_and_floors[] = { "-k", "imports", "-k", "volume.architecture", NULL };

/* Runs in real time, started together by the suite's set-up. */
enum waiting { GOOD, STOCK_TTYD, NEVER_ANSWERS, NEVER_LISTENS, TWO_FACED, WAITING_COUNT };

static struct kc_volume_copy copies[WAITING_COUNT];
static struct kc_checked runs[WAITING_COUNT];
static struct kc_error offline; /* code 0: the index was reached */

static const struct {
	const char *volume;	  /* NULL: a copy of 4.4.0, with `change` */
	const char *const *words; /* NULL: all cases */
	struct kc_volume_change changes[3];
} waiting[WAITING_COUNT] = {
	[GOOD] = { .volume = RELEASE "4.4.0", .words = in_both_times },
	[STOCK_TTYD] = { .volume = RELEASE "1.0.0", .words = only_keepalive },
	[NEVER_ANSWERS] = { .words = only_keepalive,
			    .changes = { { .kind = KC_VOLUME_WRITE,
					   .path = "bin/ttyd",
					   .mode = 0755,
					   .bytes = "#!/opt/backend.ai/bin/python\n"
						    "import signal, socket\n"
						    "server = socket.create_server(('127.0.0.1', 7681))\n"
						    "print('listens and does no more', flush=True)\n"
						    "signal.pause()\n" } } },
	[NEVER_LISTENS] = { .words = only_keepalive,
			    .changes = { { .kind = KC_VOLUME_WRITE,
					   .path = "bin/ttyd",
					   .mode = 0755,
					   .bytes = "#!/opt/backend.ai/bin/python\n"
						    "import signal\n"
						    "signal.pause()\n" } } },
	/* What virtual time shows of it is not how it is: it notices the second filter of a traced program. */
	[TWO_FACED] = { .words = only_keepalive,
			.changes = { { .kind = KC_VOLUME_DUPLICATE,
				       .path = "bin/ttyd.real",
				       .bytes = "bin/ttyd",
				       .mode = 0755 },
				     { .kind = KC_VOLUME_WRITE,
				       .path = "bin/ttyd",
				       .mode = 0755,
				       .bytes = "#!/bin/sh\n"
						"if grep -q '^Seccomp_filters:.2$' /proc/$$/status\n"
						"then set -- -P 19 \"$@\"\nfi\n"
						"exec /opt/backend.ai/bin/ttyd.real \"$@\"\n" } } },
};

static int start(enum waiting which, const char *tree, struct kc_error *err)
{
	const char *volume = waiting[which].volume;
	int status = 0;

	if (!volume) {
		status = kc_volume_copy_make(tree, &copies[which], err);
		for (size_t i = 0; status == 0 && waiting[which].changes[i].kind; i++)
			status = kc_volume_change(&copies[which], &waiting[which].changes[i], err);
		volume = copies[which].path;
	}
	return status < 0 ? status : kc_checked_start(volume, waiting[which].words, &runs[which], err);
}

/* Wheels first: two runs that download at once would be late by it. */
static int prepare(char tree[PATH_MAX], struct kc_error *err)
{
	static const char *const releases[] = { "1.0.0", "4.1.0", "4.1.1", "4.4.0" };
	char path[PATH_MAX];
	int status = 0;

	for (size_t i = 0; status == 0 && i < KC_ARRAY_LENGTH(releases); i++)
		status = kc_released_wheel(releases[i], path, err);
	return status < 0 ? status : kc_released_tree(tree, err);
}

static int setup(void)
{
	char tree[PATH_MAX];
	struct kc_error err = { 0 };
	int status = prepare(tree, &err);

	for (int i = 0; status == 0 && i < WAITING_COUNT; i++)
		status = start((enum waiting)i, tree, &err);
	if (status < 0 && kc_is_offline(&err)) {
		offline = err;
		return 0;
	}
	if (status < 0)
		printf("%s\n", err.text);
	return status;
}

static int teardown(void)
{
	for (int i = 0; i < WAITING_COUNT; i++) {
		kc_checked_release(&runs[i]);
		kc_volume_copy_release(&copies[i]);
	}
	return 0;
}

/* False if the test has been skipped, or has failed. */
static bool finish(struct kc_checked *checked)
{
	struct kc_error err = { 0 };

	if (!offline.code)
		return KC_CHECK_OK(kc_checked_finish(checked, &err), err);
	kc_test_skip(__FILE__, __LINE__, offline.text);
	return false;
}

static bool run(const char *volume, const char *const words[], struct kc_checked *checked)
{
	struct kc_error err = { 0 };

	if (!offline.code && !KC_CHECK_OK(kc_checked_start(volume, words, checked, &err), err))
		return false;
	return finish(checked);
}

static void check_property(const struct kc_checked *checked, const char *name, const char *expected)
{
	char value[256];

	kc_checked_property(kc_checked_find(checked, "centos7.volume.architecture"), name, value,
			    sizeof(value));
	KC_CHECK_STRING(value, expected);
}

static void zmq_of_4_1_0_needs_a_newer_libstdcxx(void)
{
	KC_CLEANUP_CHECKED struct kc_checked checked = { 0 };
	char said[8192];
	xmlNode *zmq;

	if (!run(RELEASE "4.1.0", imports_and_floors, &checked))
		return;
	KC_CHECK_INT(checked.status, KC_EXIT_FAILED);
	zmq = kc_checked_find(&checked, "centos7.imports.zmq");
	KC_CHECK_INT(kc_checked_verdict(zmq), KC_FAIL);
	kc_checked_say(zmq, said, sizeof(said));
	KC_CHECK_CONTAINS(said, "CXXABI_1.3.9");
	KC_CHECK_CONTAINS(kc_buffer_string(&checked.errors), "CXXABI_1.3.9");
	/* zmq and jupyter_client, which imports it, in both environments; nothing else. */
	KC_CHECK_INT(kc_checked_count(&checked, KC_FAIL), 4);
	KC_CHECK_INT(kc_checked_count(&checked, KC_BROKEN), 0);
	KC_CHECK_INT(kc_checked_count(&checked, KC_PASS), 17);
	check_property(&checked, "floor-CXXABI", "1.3.9");
	check_property(&checked, "floor-CXXABI-image", "1.3.7");
}

static void zmq_of_4_1_1_is_the_repair(void)
{
	KC_CLEANUP_CHECKED struct kc_checked checked = { 0 };

	if (!run(RELEASE "4.1.1", only_imports, &checked))
		return;
	KC_CHECK_INT(checked.status, KC_EXIT_PASSED);
	KC_CHECK_INT(kc_checked_verdict(kc_checked_find(&checked, "centos7.imports.zmq")), KC_PASS);
	KC_CHECK_INT(kc_checked_count(&checked, KC_PASS), 20);
}

static void is_about(double seconds, double expected, const char *what)
{
	KC_CHECK_MESSAGE(seconds >= expected - TOLERANCE_S && seconds <= expected + TOLERANCE_S,
			 "%s: %.3f s, and %.3f s is expected", what, seconds, expected);
}

/* What was measured in virtual time and in real time, within the tolerance that the policy has. */
static void is_measured_twice(xmlNode *testcase, const char *name, double expected)
{
	char real_name[128];
	double virtual = kc_checked_number(testcase, name), real;

	(void)snprintf(real_name, sizeof(real_name), "real-%s", name);
	real = kc_checked_number(testcase, real_name);
	is_about(virtual, expected, name);
	KC_CHECK_MESSAGE(real > virtual - 0.25 && real < virtual + 0.25, "%s: %.3f s virtual, %.3f s real",
			 name, virtual, real);
}

static void ttyd_that_does_not_serve_fails_within_its_limits(void)
{
	static const struct {
		enum waiting which;
		const char *text;
		const char *log;
	} rows[] = {
		{ NEVER_LISTENS, "ttyd runs and does not listen on port 7681", "" },
		{ NEVER_ANSWERS, "no whole handshake within its time limit", "listens and does no more" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		struct kc_checked *checked = &runs[rows[i].which];
		xmlNode *testcase;
		char said[8192];

		if (!finish(checked))
			return;
		testcase = kc_checked_find(checked, KEEPALIVE);
		kc_checked_say(testcase, said, sizeof(said));
		KC_CHECK_INT(checked->status, KC_EXIT_FAILED);
		KC_CHECK_INT(kc_checked_verdict(testcase), KC_FAIL);
		KC_CHECK_CONTAINS(said, rows[i].text);
		KC_CHECK_CONTAINS(said, rows[i].log);
	}
}

static void times_that_disagree_are_a_failure(void)
{
	char said[8192];
	xmlNode *testcase;

	if (!finish(&runs[TWO_FACED]))
		return;
	testcase = kc_checked_find(&runs[TWO_FACED], KEEPALIVE);
	kc_checked_say(testcase, said, sizeof(said));
	KC_CHECK_INT(runs[TWO_FACED].status, KC_EXIT_FAILED);
	KC_CHECK_INT(kc_checked_verdict(testcase), KC_FAIL);
	KC_CHECK_CONTAINS(said, "virtual and real time disagree: ");
	KC_CHECK_CONTAINS(said, "answering: ping 1 after ");
}

static void stock_ttyd_of_1_0_0_fails_the_keepalive(void)
{
	char said[8192];
	xmlNode *testcase;

	if (!finish(&runs[STOCK_TTYD]))
		return;
	testcase = kc_checked_find(&runs[STOCK_TTYD], KEEPALIVE);
	kc_checked_say(testcase, said, sizeof(said));
	KC_CHECK_INT(runs[STOCK_TTYD].status, KC_EXIT_FAILED);
	KC_CHECK_INT(kc_checked_verdict(testcase), KC_FAIL);
	/* Both clients are wronged, and one does not hide the other. */
	KC_CHECK_CONTAINS(said, "silent: expected ");
	KC_CHECK_CONTAINS(said, "got hung up 2");
	KC_CHECK_CONTAINS(said, "answering: expected ");
	KC_CHECK_CONTAINS(said, "got ping 1 came ");
	KC_CHECK_MESSAGE(!strstr(said, "disagree"), "%s", said);
	is_measured_twice(testcase, "answering-ping-1-after", 5);
	is_measured_twice(testcase, "silent-hangup-after", 25);
}

static void all_cases_pass_on_4_4_0(void)
{
	const struct kc_checked *checked = &runs[GOOD];
	xmlNode *keepalive;

	if (!finish(&runs[GOOD]))
		return;
	KC_CHECK_MESSAGE(checked->status == KC_EXIT_PASSED, "exit status %d: %s", checked->status,
			 kc_buffer_string(&checked->errors));
	KC_CHECK(kc_checked_count(checked, KC_PASS) >= 40);
	KC_CHECK_INT(kc_checked_count(checked, KC_FAIL), 0);
	KC_CHECK_INT(kc_checked_count(checked, KC_BROKEN), 0);
	KC_CHECK_INT(kc_checked_count(checked, KC_SKIP), 0);
	keepalive = kc_checked_find(checked, KEEPALIVE);
	KC_CHECK_INT(kc_checked_verdict(keepalive), KC_PASS);
	is_measured_twice(keepalive, "answering-ping-1-after", 20);
	is_measured_twice(keepalive, "answering-ping-2-after", 20);
	is_measured_twice(keepalive, "silent-hangup-after", 30);
	is_about(kc_checked_number(kc_checked_find(checked, "centos7.ttyd.day-idle"), "answering-pings"),
		 4319, "pings of a day");
	KC_CHECK(kc_checked_number(keepalive, "answering-command") >= 0);
}

/* What is seen where nobody may trace; 0, or the number of what is wrong. */
static int run_without_ptrace(void)
{
	static const char *const words[] = { "-k", "ttyd.day-idle", "-k", "ttyd.version", NULL };
	KC_CLEANUP_CHECKED struct kc_checked checked = { 0 };
	struct kc_error err = { 0 };
	char said[8192];
	xmlNode *idle;

	if (kc_refuse_ptrace() < 0 || kc_checked_start(RELEASE "4.4.0", words, &checked, &err) < 0 ||
	    kc_checked_finish(&checked, &err) < 0)
		return 1;
	idle = kc_checked_find(&checked, "centos7.ttyd.day-idle");
	kc_checked_say(idle, said, sizeof(said));
	if (checked.status != KC_EXIT_PASSED)
		return 2;
	if (kc_checked_verdict(idle) != KC_SKIP || !strstr(said, "takes too long in real time") ||
	    !strstr(said, "ptrace"))
		return 3;
	if (!strstr(kc_buffer_string(&checked.errors), "  time    real (virtual time is not to be had: "))
		return 4;
	return kc_checked_count(&checked, KC_PASS) == 1 ? 0 : 5;
}

static void without_ptrace_time_is_real_and_every_report_says_so(void)
{
	int status = -1;
	pid_t pid;

	if (offline.code) {
		kc_test_skip(__FILE__, __LINE__, offline.text);
		return;
	}
	pid = fork();
	KC_REQUIRE(pid >= 0);
	if (pid == 0)
		_exit(run_without_ptrace());
	KC_CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	KC_CHECK_INT(WEXITSTATUS(status), 0);
}

static void what_needs_virtual_time_is_never_green_without(void)
{
	static const char *const words[] = { "-k",     "ttyd.day-idle", "-k",	      "ttyd.version",
					     "--time", "real",		"--must-run", NULL };
	KC_CLEANUP_CHECKED struct kc_checked checked = { 0 };
	char said[8192];
	xmlNode *idle;

	if (!run(RELEASE "4.4.0", words, &checked))
		return;
	idle = kc_checked_find(&checked, "centos7.ttyd.day-idle");
	kc_checked_say(idle, said, sizeof(said));
	KC_CHECK_INT(checked.status, KC_EXIT_FAILED);
	KC_CHECK_INT(kc_checked_verdict(idle), KC_BROKEN);
	KC_CHECK_CONTAINS(said, "takes too long in real time, which was asked for");
}

KC_TEST_SUITE_WITH(cases_real, KC_LABEL_SLOW, setup, teardown, KC_TEST(zmq_of_4_1_0_needs_a_newer_libstdcxx),
		   KC_TEST(zmq_of_4_1_1_is_the_repair),
		   KC_TEST(ttyd_that_does_not_serve_fails_within_its_limits),
		   KC_TEST(times_that_disagree_are_a_failure),
		   KC_TEST(stock_ttyd_of_1_0_0_fails_the_keepalive), KC_TEST(all_cases_pass_on_4_4_0),
		   KC_TEST(what_needs_virtual_time_is_never_green_without),
		   KC_TEST(without_ptrace_time_is_real_and_every_report_says_so));
