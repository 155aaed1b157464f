#include "run/scheduler.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixtures/temporary.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/signals.h"
#include "tests/kc_test.h"

/* Fake cases: each behaves in one way. Data comes in `expect`. */

#define FAKE(function)                                                                                       \
	static void function(const struct kc_case *row, struct kc_case_context *context,                     \
			     struct kc_result *result)

static void wait_for_ever(void)
{
	for (;;)
		(void)pause();
}

FAKE(passes)
{
	(void)row;
	(void)context;
	kc_result_property(result, "measured", "%d", 42);
	kc_result_pass(result);
}

FAKE(fails)
{
	(void)row;
	(void)context;
	kc_result_fail(result, "3.13", "3.12", "the version differs");
}

FAKE(skips)
{
	(void)row;
	(void)context;
	kc_result_skip(result, "no such thing here");
}

FAKE(reports_nothing)
{
	(void)row;
	(void)context;
	(void)result;
}

FAKE(crashes)
{
	(void)row;
	(void)context;
	kc_result_pass(result);
	(void)dprintf(2, "last words"); /* then it goes */
	(void)kill(getpid(), SIGKILL);
}

FAKE(exits)
{
	(void)row;
	(void)context;
	kc_result_pass(result);
	_exit(7);
}

FAKE(exits_quietly)
{
	(void)row;
	(void)context;
	kc_result_pass(result);
	_exit(0);
}

FAKE(hangs)
{
	(void)row;
	(void)context;
	kc_result_pass(result);
	wait_for_ever();
}

FAKE(stops_itself)
{
	(void)row;
	(void)context;
	kc_result_pass(result);
	(void)raise(SIGSTOP);
}

FAKE(prints_garbage)
{
	(void)row;
	(void)context;
	(void)printf("{\"verdict\":\"fail\"}\n");
	(void)fprintf(stderr, "\x1b]0;\xff garbage\n");
	(void)fflush(NULL);
	kc_result_pass(result);
}

/* Whatever pipe of this program it can find but its own output gets `length` bytes. All of ours are close-on-exec; one that
 * is not was inherited from whoever runs the tests. */
static void spoil_pipes(const char *bytes, size_t length)
{
	for (int fd = 3; fd < 256; fd++) {
		struct stat status;
		int flags = fcntl(fd, F_GETFL);

		if (flags < 0 || fcntl(fd, F_GETFD) != FD_CLOEXEC || (flags & O_ACCMODE) != O_WRONLY ||
		    fstat(fd, &status) < 0 || !S_ISFIFO(status.st_mode))
			continue;
		if (kc_fd_write_all(fd, bytes, length) < 0)
			_exit(9);
	}
}

FAKE(spoils_its_report)
{
	(void)row;
	(void)context;
	spoil_pipes("}{", 2);
	kc_result_pass(result);
}

FAKE(reports_too_much)
{
	static char block[2u << 20];

	(void)row;
	(void)context;
	memset(block, ' ', sizeof(block));
	spoil_pipes(block, sizeof(block));
	kc_result_pass(result);
}

FAKE(shows_much)
{
	static char block[4u << 20];

	(void)row;
	(void)context;
	memset(block, 'x', sizeof(block));
	kc_result_output(result, block, sizeof(block));
	kc_result_pass(result);
}

static void leave_child(bool in_own_session)
{
	if (fork() == 0) {
		if (in_own_session)
			(void)setsid();
		(void)signal(SIGTERM, SIG_IGN);
		wait_for_ever();
	}
}

FAKE(leaves_children)
{
	(void)row;
	(void)context;
	leave_child(false);
	leave_child(true);
	kc_result_pass(result);
}

FAKE(interrupts_the_run)
{
	(void)row;
	(void)context;
	(void)result;
	leave_child(true);
	(void)kill(getppid(), SIGTERM);
	wait_for_ever();
}

FAKE(tells_its_item)
{
	(void)row;
	kc_result_property(result, "item", "%s", context->item);
	kc_result_property(result, "limit", "%lld", (long long)context->timeout_ms);
	kc_result_pass(result);
}

FAKE(writes_into_its_directory)
{
	struct kc_error err = { 0 };
	int fd = kc_dir_open(AT_FDCWD, context->scratch, &err);

	(void)row;
	if (fd < 0 || kc_file_write_atomic(fd, "file", "x", 1, 0600, &err) < 0)
		kc_result_broken_by(result, &err);
	else
		kc_result_pass(result);
}

FAKE(has_clean_hands)
{
	struct sigaction action;
	sigset_t mask;

	(void)row;
	(void)context;
	if (sigaction(SIGPIPE, NULL, &action) < 0 || action.sa_handler != SIG_DFL ||
	    sigaction(SIGTERM, NULL, &action) < 0 || action.sa_handler != SIG_DFL)
		kc_result_fail(result, "default", "other", "a signal is handled");
	else if (sigprocmask(SIG_SETMASK, NULL, &mask) < 0 || sigismember(&mask, SIGTERM))
		kc_result_fail(result, "open", "blocked", "a signal is blocked");
	else if (getpgrp() != getpid() || read(0, &mask, 1) != 0)
		kc_result_fail(result, "own group, no input", "other", "it is not on its own");
	else
		kc_result_pass(result);
}

/* A report that remembers. */
struct recorder {
	struct kc_report report;
	const struct kc_report_run *run;
	size_t started, done;
	int begun, ended;
	bool complete;
	bool refuse;
	size_t others_when_last_started; /* cases done when "last" was started */
	enum kc_verdict verdict;
	char message[512];
	char output[512];
	char property[512];
	size_t output_length;
	size_t attempts; /* earlier ones */
};

static int recorder_begin(struct kc_report *report, const struct kc_report_run *run, struct kc_error *err)
{
	struct recorder *recorder = (struct recorder *)report;

	recorder->run = run;
	recorder->begun++;
	return recorder->refuse ? kc_error_set(err, ENOSPC, "write report: no space") : 0;
}

static void recorder_started(struct kc_report *report, const struct kc_report_case *testcase)
{
	struct recorder *recorder = (struct recorder *)report;

	recorder->started++;
	if (strcmp(testcase->name, "last") == 0)
		recorder->others_when_last_started = recorder->done;
}

static void recorder_done(struct kc_report *report, const struct kc_report_case *testcase,
			  const struct kc_result *result)
{
	struct recorder *recorder = (struct recorder *)report;

	(void)testcase;
	recorder->done++;
	recorder->verdict = result->verdict;
	recorder->attempts = result->attempt_count;
	(void)snprintf(recorder->message, sizeof(recorder->message), "%s", kc_result_message(result));
	(void)snprintf(recorder->output, sizeof(recorder->output), "%s",
		       result->output ? result->output : "");
	recorder->output_length = result->output ? strlen(result->output) : 0;
	if (result->property_count)
		(void)snprintf(recorder->property, sizeof(recorder->property), "%s",
			       result->properties[0].value);
}

static int recorder_end(struct kc_report *report, bool complete, struct kc_error *err)
{
	struct recorder *recorder = (struct recorder *)report;

	(void)err;
	recorder->ended++;
	recorder->complete = complete;
	return 0;
}

static void recorder_close(struct kc_report *report)
{
	(void)report;
}

static const struct kc_report_ops recorder_ops = { .begin = recorder_begin,
						   .case_started = recorder_started,
						   .case_done = recorder_done,
						   .end = recorder_end,
						   .close = recorder_close };

/* Runs `rows` and tells `recorder`. */
static int run_rows_often(const struct kc_case *rows, size_t count, struct kc_scheduler scheduler,
			  unsigned int repeat, struct recorder *recorder, struct kc_tally *ret_tally,
			  struct kc_error *err)
{
	static const char *const items[] = { "zmq" };
	static const struct kc_plan_list list = { KC_EACH_PROMISED_IMPORT, items, 1 };
	static const struct kc_case_context plain;
	struct kc_case_table table = { "fakes", "fakes.c", rows, count };
	const struct kc_case_table *const tables[] = { &table, NULL };
	struct kc_plan_request request = {
		.image = "none", .tables = tables, .lists = &list, .list_count = 1, .repeat = repeat
	};
	struct kc_report *reports[] = { &recorder->report };
	KC_CLEANUP_PLAN struct kc_plan plan = { 0 };
	static const struct kc_report_suite suite = { .name = "none" };
	struct kc_report_run run = { .suites = &suite, .suite_count = 1 };
	int status = kc_plan_make(&plan, &request, err);

	if (status < 0)
		return status;
	recorder->report.ops = &recorder_ops;
	run.cases = plan.cases;
	run.case_count = plan.count;
	scheduler.reports = reports;
	scheduler.report_count = 1;
	if (!scheduler.context)
		scheduler.context = &plain;
	return kc_scheduler_run(&scheduler, &plan, &run, ret_tally, err);
}

static int run_rows(const struct kc_case *rows, size_t count, struct kc_scheduler scheduler,
		    struct recorder *recorder, struct kc_tally *ret_tally, struct kc_error *err)
{
	return run_rows_often(rows, count, scheduler, 0, recorder, ret_tally, err);
}

static void every_way_to_end_has_its_verdict(void)
{
	static const struct {
		struct kc_case row;
		enum kc_verdict verdict;
		const char *message; /* part of it */
		const char *output;  /* part of it */
	} rows[] = {
		{ { KC_CASE("passes"), .run = passes }, KC_PASS, "", "" },
		{ { KC_CASE("fails"), .run = fails }, KC_FAIL, "the version differs", "" },
		{ { KC_CASE("skips"), .run = skips }, KC_SKIP, "no such thing here", "" },
		{ { KC_CASE("reports-nothing"), .run = reports_nothing }, KC_BROKEN, "reported nothing", "" },
		{ { KC_CASE("crashes"), .run = crashes }, KC_BROKEN, "killed by SIGKILL", "last words" },
		{ { KC_CASE("exits"), .run = exits }, KC_BROKEN, "exit status 7", "" },
		{ { KC_CASE("exits-quietly"), .run = exits_quietly }, KC_BROKEN, "reported nothing", "" },
		{ { KC_CASE("hangs"), .run = hangs, .timeout_ms = 20 },
		  KC_BROKEN,
		  "did not report within 0.02 s",
		  "" },
		{ { KC_CASE("stops-itself"), .run = stops_itself, .timeout_ms = 20 },
		  KC_BROKEN,
		  "did not report within",
		  "" },
		{ { KC_CASE("prints-garbage"), .run = prints_garbage }, KC_PASS, "", "" },
		{ { KC_CASE("spoils-its-report"), .run = spoils_its_report }, KC_BROKEN, "malformed", "" },
		{ { KC_CASE("reports-too-much"), .run = reports_too_much },
		  KC_BROKEN,
		  "more than 1048576 bytes",
		  "" },
		{ { KC_CASE("shows-much"), .run = shows_much }, KC_PASS, "", "xxx" },
		{ { KC_CASE("leaves-children"), .run = leaves_children }, KC_PASS, "", "" },
		{ { KC_CASE("has-clean-hands"), .run = has_clean_hands }, KC_PASS, "", "" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		struct kc_case row = rows[i].row;
		struct kc_scheduler scheduler = { .jobs = 1, .grace_ms = 20 };
		struct recorder recorder = { 0 };
		struct kc_tally tally;
		struct kc_error err = { 0 };

		row.what = "a fake";
		/* Long enough for a loaded machine: the limit is not what these rows are about. */
		scheduler.grace_ms = row.timeout_ms ? 20 : 60000;
		row.timeout_ms = row.timeout_ms ? row.timeout_ms : 60000;
		KC_CHECK_OK(run_rows(&row, 1, scheduler, &recorder, &tally, &err), err);
		KC_CHECK_MESSAGE(recorder.verdict == rows[i].verdict, "%s: %s, want %s", row.name,
				 kc_verdict_name(recorder.verdict), kc_verdict_name(rows[i].verdict));
		KC_CHECK_INT(tally.counts[rows[i].verdict], 1);
		KC_CHECK_CONTAINS(recorder.message, rows[i].message);
		KC_CHECK_CONTAINS(recorder.output, rows[i].output);
		KC_CHECK(recorder.complete);
	}
}

static const struct kc_case many[] = {
	{ KC_CASE("last"), .what = "x", .run = passes, .timeout_ms = 60000, .phase = KC_PHASE_LAST },
	{ KC_CASE("one"), .what = "x", .run = passes, .timeout_ms = 60000 },
	{ KC_CASE("two"), .what = "x", .run = fails, .timeout_ms = 60000 },
	{ KC_CASE("three"), .what = "x", .run = skips, .timeout_ms = 60000 },
	{ KC_CASE("four"), .what = "x", .run = crashes, .timeout_ms = 60000 },
	{ KC_CASE("five"), .what = "x", .run = passes, .timeout_ms = 60000 },
};

static void every_planned_case_is_reported_once(void)
{
	for (unsigned int jobs = 0; jobs < 4; jobs++) {
		struct recorder recorder = { 0 };
		struct kc_tally tally;
		struct kc_error err = { 0 };

		KC_CHECK_OK(run_rows(many, KC_ARRAY_LENGTH(many), (struct kc_scheduler){ .jobs = jobs },
				     &recorder, &tally, &err),
			    err);
		KC_CHECK_INT(recorder.started, 6);
		KC_CHECK_INT(recorder.done, 6);
		KC_CHECK_INT(recorder.others_when_last_started, 5);
		KC_CHECK_INT(recorder.begun, 1);
		KC_CHECK_INT(recorder.ended, 1);
		KC_CHECK_INT(tally.counts[KC_PASS], 3);
		KC_CHECK_INT(tally.counts[KC_FAIL], 1);
		KC_CHECK_INT(tally.counts[KC_SKIP], 1);
		KC_CHECK_INT(tally.counts[KC_BROKEN], 1);
	}
}

/* Counts its runs in a file whose path is `expect`, by its length, and fails the third. */
FAKE(fails_the_third_time)
{
	struct stat status;
	int fd = open(row->expect, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);

	(void)context;
	if (fd < 0 || write(fd, "x", 1) != 1 || fstat(fd, &status) < 0)
		kc_result_broken(result, "no file to count in");
	else if (status.st_size == 3)
		kc_result_fail(result, "as before", "otherwise", "the third time");
	else
		kc_result_pass(result);
}

static void a_case_that_is_repeated_is_reported_once(void)
{
	static const struct {
		unsigned int repeat;
		off_t runs;
		enum kc_verdict verdict;
		const char *message;
	} rows[] = {
		{ 0, 1, KC_PASS, "" },
		{ 1, 1, KC_PASS, "" },
		{ 2, 2, KC_PASS, "" },
		{ 5, 5, KC_FAIL, "flaky: 4 of 5 passed, 1 failed: the third time" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP(kc_temporary_remove) struct kc_temporary directory = { 0 };
		struct recorder recorder = { 0 };
		struct kc_error err = { 0 };
		char path[PATH_MAX + 16];
		struct kc_case row = { KC_CASE("a"), .what = "x", .run = fails_the_third_time,
				       .timeout_ms = 60000, .expect = path };
		struct kc_tally tally;
		struct stat status;

		KC_REQUIRE_OK(kc_temporary_make(&directory, &err), err);
		(void)snprintf(path, sizeof(path), "%s/count", directory.path);
		KC_CHECK_OK(run_rows_often(&row, 1, (struct kc_scheduler){ .jobs = 2 }, rows[i].repeat,
					   &recorder, &tally, &err),
			    err);
		KC_CHECK(stat(path, &status) == 0 && status.st_size == rows[i].runs);
		KC_CHECK_INT(recorder.started, 1);
		KC_CHECK_INT(recorder.done, 1);
		KC_CHECK_INT(tally.counts[rows[i].verdict], 1);
		KC_CHECK_CONTAINS(recorder.message, rows[i].message);
	}
}

static void a_skip_is_broken_where_it_must_run(void)
{
	static const struct kc_case row = { KC_CASE("a"), .what = "x", .run = skips, .timeout_ms = 60000 };
	struct kc_case_context strict = { .must_run = true };
	struct recorder recorder = { 0 };
	struct kc_tally tally;
	struct kc_error err = { 0 };

	KC_CHECK_OK(run_rows(&row, 1, (struct kc_scheduler){ .context = &strict }, &recorder, &tally, &err),
		    err);
	KC_CHECK_INT(tally.counts[KC_BROKEN], 1);
	KC_CHECK_CONTAINS(recorder.message, "no such thing here");
}

static void after_a_failure_nothing_more_is_started_if_asked_for(void)
{
	static const struct kc_case rows[] = {
		{ KC_CASE("a"), .what = "x", .run = passes, .timeout_ms = 60000 },
		{ KC_CASE("b"), .what = "x", .run = skips, .timeout_ms = 60000 },
		{ KC_CASE("c"), .what = "x", .run = fails, .timeout_ms = 60000 },
		{ KC_CASE("d"), .what = "x", .run = passes, .timeout_ms = 60000 },
		{ KC_CASE("e"), .what = "x", .run = passes, .timeout_ms = 60000, .waits = true },
	};
	static const struct {
		bool fail_fast;
		size_t counts[KC_SKIP + 1];
	} table[] = {
		/* The last one waits: its lane starts at once, beside the first. */
		{ true, { [KC_PASS] = 2, [KC_FAIL] = 1, [KC_SKIP] = 1, [KC_BROKEN] = 1 } },
		{ false, { [KC_PASS] = 3, [KC_FAIL] = 1, [KC_SKIP] = 1 } },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(table); i++) {
		const struct kc_scheduler scheduler = { .jobs = 1, .fail_fast = table[i].fail_fast };
		struct recorder recorder = { 0 };
		struct kc_tally tally;
		struct kc_error err = { 0 };

		KC_CHECK_OK(run_rows(rows, KC_ARRAY_LENGTH(rows), scheduler, &recorder, &tally, &err), err);
		KC_CHECK_INT(recorder.done, KC_ARRAY_LENGTH(rows));
		KC_CHECK_INT(recorder.started, KC_ARRAY_LENGTH(rows) - table[i].counts[KC_BROKEN]);
		KC_CHECK(memcmp(tally.counts, table[i].counts, sizeof(tally.counts)) == 0);
		if (table[i].fail_fast)
			KC_CHECK_CONTAINS(recorder.message, "--fail-fast");
	}
}

static char tried[PATH_MAX + 16]; /* what the first try leaves behind */

FAKE(fails_once)
{
	int fd = open(tried, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	(void)row;
	(void)context;
	if (fd < 0) {
		kc_result_pass(result);
		return;
	}
	(void)close(fd);
	kc_result_fail(result, "a", "b", "the first try");
}

static void what_is_red_is_tried_again_as_often_as_asked_for(void)
{
	static const struct {
		struct kc_case row;
		unsigned int retries;
		enum kc_verdict verdict;
		size_t attempts;
	} table[] = {
		{ { KC_CASE("passes-at-once"), .run = passes }, 3, KC_PASS, 0 },
		{ { KC_CASE("is-flaky"), .run = fails_once }, 3, KC_PASS, 1 },
		{ { KC_CASE("skips"), .run = skips }, 3, KC_SKIP, 0 },
		{ { KC_CASE("fails-always"), .run = fails }, 2, KC_FAIL, 2 },
		{ { KC_CASE("is-broken-always"), .run = crashes }, 1, KC_BROKEN, 1 },
		{ { KC_CASE("is-not-tried-again"), .run = fails }, 0, KC_FAIL, 0 },
	};
	KC_CLEANUP_TEMPORARY struct kc_temporary directory = { "" };
	struct kc_error failure = { 0 };

	KC_REQUIRE_OK(kc_temporary_make(&directory, &failure), failure);
	(void)snprintf(tried, sizeof(tried), "%s/tried", directory.path);
	for (size_t i = 0; i < KC_ARRAY_LENGTH(table); i++) {
		const struct kc_scheduler scheduler = { .retries = table[i].retries };
		struct kc_case row = table[i].row;
		struct recorder recorder = { 0 };
		struct kc_tally tally;
		struct kc_error err = { 0 };

		row.what = "x";
		row.timeout_ms = 60000;
		KC_CHECK_OK(run_rows(&row, 1, scheduler, &recorder, &tally, &err), err);
		KC_CHECK_INT(recorder.started, 1);
		KC_CHECK_INT(recorder.done, 1);
		KC_CHECK_INT(tally.counts[table[i].verdict], 1);
		KC_CHECK_MESSAGE(recorder.attempts == table[i].attempts, "%s: %zu attempts", row.name,
				 recorder.attempts);
	}
}

static void a_case_gets_its_item_and_limit(void)
{
	static const struct kc_case row = { KC_CASE("a"), .what = "x", .run = tells_its_item,
					    .timeout_ms = 60000, .each = KC_EACH_PROMISED_IMPORT };
	struct recorder recorder = { 0 };
	struct kc_tally tally;
	struct kc_error err = { 0 };

	KC_CHECK_OK(run_rows(&row, 1, (struct kc_scheduler){ 0 }, &recorder, &tally, &err), err);
	KC_CHECK_STRING(recorder.property, "zmq");
	KC_CHECK_INT(tally.counts[KC_PASS], 1);
}

static void a_case_has_a_directory_that_is_gone_afterwards_or_kept(void)
{
	static const struct kc_case row = { KC_CASE("a"), .what = "x", .run = writes_into_its_directory,
					    .timeout_ms = 60000 };

	for (int keep = 0; keep < 2; keep++) {
		char scratch[] = "/tmp/kc-test-XXXXXX";
		char path[256];
		struct kc_case_context context = { .keep = keep };
		struct recorder recorder = { 0 };
		struct kc_tally tally;
		struct kc_error err = { 0 };

		KC_REQUIRE(mkdtemp(scratch));
		KC_CHECK_OK(run_rows(&row, 1,
				     (struct kc_scheduler){ .context = &context, .scratch = scratch },
				     &recorder, &tally, &err),
			    err);
		KC_CHECK_STRING(recorder.message, "");
		KC_CHECK_INT(tally.counts[KC_PASS], 1);
		(void)snprintf(path, sizeof(path), "%s/none.fakes.a/file", scratch);
		KC_CHECK_INT(access(path, F_OK), keep ? 0 : -1);
		KC_CHECK_OK(kc_tree_remove(AT_FDCWD, scratch, &err), err);
	}
}

static void nothing_runs_if_a_report_cannot_begin(void)
{
	struct recorder recorder = { .refuse = true };
	struct kc_tally tally;
	struct kc_error err = { 0 };

	KC_CHECK_INT(run_rows(many, 6, (struct kc_scheduler){ 0 }, &recorder, &tally, &err), -ENOSPC);
	KC_CHECK_INT(recorder.started, 0);
	KC_CHECK_INT(recorder.ended, 0);
}

/* In a process of its own, as it changes the process's signals; that process's exit status is what it found.
 */
static int interrupted_run(void)
{
	static const struct kc_case rows[] = {
		{ KC_CASE("interrupts"), .what = "x", .run = interrupts_the_run, .timeout_ms = 60000 },
		{ KC_CASE("never-runs"), .what = "x", .run = passes, .timeout_ms = 50000 },
	};
	struct recorder recorder = { 0 };
	struct kc_tally tally;
	struct kc_error err = { 0 };

	if (kc_signals_start(&err) < 0)
		return 2;
	if (run_rows(rows, 2, (struct kc_scheduler){ .jobs = 1 }, &recorder, &tally, &err) != -EINTR)
		return 3;
	if (recorder.ended != 1 || recorder.complete || recorder.done != 0 || recorder.started != 1)
		return 4;
	if (!strstr(err.text, "SIGTERM"))
		return 5;
	/* The one that left its session was brought back and ended, too. */
	if (waitpid(-1, NULL, WNOHANG) != -1 || errno != ECHILD)
		return 6;
	return 0;
}

static void an_interruption_ends_the_run_and_leaves_no_process(void)
{
	int pipes[2];
	char byte;
	int status = 0;
	pid_t pid;

	KC_REQUIRE(pipe2(pipes, O_CLOEXEC) == 0);
	pid = fork();
	if (pid == 0)
		_exit(interrupted_run());
	KC_CHECK(pid > 0);
	kc_fd_close(&pipes[1]);
	KC_CHECK_INT(waitpid(pid, &status, 0), pid);
	KC_CHECK(WIFEXITED(status));
	KC_CHECK_INT(WEXITSTATUS(status), 0);
	/* Every descendant held the pipe: its end says that all are gone. */
	KC_CHECK_INT(fcntl(pipes[0], F_SETFL, O_NONBLOCK), 0);
	KC_CHECK_INT(read(pipes[0], &byte, 1), 0);
	kc_fd_close(&pipes[0]);
}

static void children_that_a_case_leaves_are_gone_when_the_run_is(void)
{
	static const struct kc_case row = { KC_CASE("a"), .what = "x", .run = leaves_children,
					    .timeout_ms = 60000 };
	struct recorder recorder = { 0 };
	struct kc_tally tally;
	struct kc_error err = { 0 };
	int pipes[2];
	char byte;

	KC_REQUIRE(pipe2(pipes, O_CLOEXEC | O_NONBLOCK) == 0);
	KC_CHECK_OK(run_rows(&row, 1, (struct kc_scheduler){ 0 }, &recorder, &tally, &err), err);
	KC_CHECK_INT(read(pipes[0], &byte, 1), -1); /* the control: we hold it */
	kc_fd_close(&pipes[1]);
	KC_CHECK_INT(read(pipes[0], &byte, 1), 0);
	kc_fd_close(&pipes[0]);
}

KC_TEST_SUITE(scheduler, KC_LABEL_FAST, KC_TEST(every_way_to_end_has_its_verdict),
	      KC_TEST(every_planned_case_is_reported_once), KC_TEST(a_case_that_is_repeated_is_reported_once),
	      KC_TEST(a_skip_is_broken_where_it_must_run),
	      KC_TEST(after_a_failure_nothing_more_is_started_if_asked_for),
	      KC_TEST(what_is_red_is_tried_again_as_often_as_asked_for),
	      KC_TEST(a_case_gets_its_item_and_limit),
	      KC_TEST(a_case_has_a_directory_that_is_gone_afterwards_or_kept),
	      KC_TEST(nothing_runs_if_a_report_cannot_begin),
	      KC_TEST(an_interruption_ends_the_run_and_leaves_no_process),
	      KC_TEST(children_that_a_case_leaves_are_gone_when_the_run_is));
