/* `run --trace` on a real volume and image, and whatever ends it. */
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fixtures/leftovers.h"
#include "fixtures/no_ptrace.h"
#include "fixtures/seed.h"
#include "fixtures/stage.h"
#include "options.h"
#include "run/trace.h"
#include "sys/file.h"
#include "tests/kc_test.h"

#define PATIENCE_MS 60000
#define KEPT "krunner-compat-kept-*"

static struct kc_stage stage;
static char volume[PATH_MAX];

static int setup(void)
{
	return kc_stage_make(&stage) == 0 && kc_seed_store(&stage, volume) == 0 ? 0 : -1;
}

static int teardown(void)
{
	kc_stage_remove(&stage);
	return 0;
}

/* What a run keeps is the user's; here nobody wants it. */
static void forget_kept(void)
{
	char path[PATH_MAX];
	glob_t found = { 0 };
	struct kc_error err = { 0 };

	(void)snprintf(path, sizeof(path), "%s/" KEPT, stage.temporary);
	if (glob(path, GLOB_NOSORT, NULL, &found) == 0)
		for (size_t i = 0; i < found.gl_pathc; i++)
			KC_CHECK_OK(kc_tree_remove(AT_FDCWD, found.gl_pathv[i], &err), err);
	globfree(&found);
}

/* The one file of a pattern below the kept directory. */
static void read_kept(const char *pattern, struct kc_buffer *text)
{
	char path[PATH_MAX];
	glob_t found = { 0 };
	struct kc_error err = { 0 };

	(void)snprintf(path, sizeof(path), "%s/" KEPT "/%s", stage.temporary, pattern);
	if (KC_CHECK_MESSAGE(glob(path, 0, NULL, &found) == 0 && found.gl_pathc == 1, "%s", path))
		KC_CHECK_OK(kc_file_read(AT_FDCWD, found.gl_pathv[0], text, &err), err);
	globfree(&found);
}

static void the_calls_of_a_case_are_recorded(void)
{
	const char *words[] = { "run",	   "centos7",	"-k",	    "imports.zmq", "--trace", "-v",
				"--junit", stage.junit, "--volume", volume,	   NULL };
	const struct kc_stage_start start = { .words = words };
	static const char *const recorded[] = {
		"execve(\"/opt/backend.ai/bin/python\", [\"/opt/backend.ai/bin/python\", \"-c\"",
		"/zmq/",
		"+++ exited with 0 +++",
	};
	KC_CLEANUP_BUFFER struct kc_buffer trace = KC_BUFFER_INIT(16u << 20);
	KC_CLEANUP_BUFFER struct kc_buffer argv = KC_BUFFER_INIT(1u << 20);
	KC_CLEANUP_BUFFER struct kc_buffer report = KC_BUFFER_INIT(1u << 20);
	struct kc_buffer output, errors;
	struct kc_error err = { 0 };

	KC_CHECK_INT(kc_stage_run(&stage, &start), KC_EXIT_PASSED);
	kc_stage_read(&stage, &output, &errors);
	KC_CHECK_CONTAINS(kc_buffer_string(&errors),
			  "time: real (virtual time is not to be had: with --trace");
	KC_CHECK_CONTAINS(kc_buffer_string(&errors), "/centos7.imports.zmq/program-1/trace\n");
	KC_CHECK_CONTAINS(kc_buffer_string(&errors), "\ntraced: ");
	read_kept("centos7.imports.zmq/program-1/" KC_TRACE_FILE, &trace);
	for (size_t i = 0; i < KC_ARRAY_LENGTH(recorded); i++)
		KC_CHECK_MESSAGE(strstr(kc_buffer_string(&trace), recorded[i]), "not recorded: %s",
				 recorded[i]);
	read_kept("centos7.imports.zmq/program-1/argv", &argv);
	KC_CHECK_CONTAINS(kc_buffer_string(&argv), "import zmq");
	KC_CHECK_OK(kc_file_read(AT_FDCWD, stage.junit, &report, &err), err);
	KC_CHECK_CONTAINS(kc_buffer_string(&report), "<property name=\"trace\" value=\"/");
	kc_buffer_release(&output);
	kc_buffer_release(&errors);
	forget_kept();
}

static void refuse_ptrace(const void *context)
{
	if (kc_refuse_ptrace() < 0)
		_exit(125);
}

/* Where nothing is recorded nothing is green. */
static void a_case_that_cannot_be_traced_says_why(void)
{
	static const struct {
		const char *name;
		const char *environment[2];
		void (*prepare)(const void *context);
		const char *select, *option[3];
		int status;
		const char *errors[3]; /* parts */
	} rows[] = {
		{ "no strace",
		  { "PATH=/nonexistent" },
		  NULL,
		  "*.python.version",
		  { NULL },
		  KC_EXIT_FAILED,
		  { "0 passed, 0 failed, 1 broken", "strace is not installed", "apt-get install strace" } },
		{ "no ptrace",
		  { NULL },
		  refuse_ptrace,
		  "*.python.version",
		  { NULL },
		  KC_EXIT_FAILED,
		  { "0 passed, 0 failed, 1 broken", "strace may not attach", "capability SYS_PTRACE" } },
		{ "an emulated CPU",
		  { NULL },
		  refuse_ptrace,
		  "*.cpu.x86-64-v2",
		  { NULL },
		  KC_EXIT_FAILED,
		  { "0 passed, 0 failed, 1 broken", "strace may not attach", "" } },
		{ "needs virtual time",
		  { NULL },
		  NULL,
		  "*.ttyd.half-open",
		  { "--time", "virtual" },
		  KC_EXIT_NOT_RUN,
		  { "takes too long in real time: with --trace", "every case was skipped", "" } },
		{ "both times",
		  { NULL },
		  NULL,
		  "*.ttyd.keepalive",
		  { "--time", "both" },
		  KC_EXIT_USAGE,
		  { "--trace and --time both exclude each other", "a process has one tracer", "" } },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		const char *words[16] = { "run",	  "centos7",  "--trace", "-k",
					  rows[i].select, "--volume", volume };
		const struct kc_stage_start start = { .words = words,
						      .environment = rows[i].environment,
						      .prepare = rows[i].prepare };
		struct kc_buffer output, errors;
		int status;

		memcpy(words + 7, rows[i].option, sizeof(rows[i].option));
		status = kc_stage_run(&stage, &start);
		kc_stage_read(&stage, &output, &errors);
		KC_CHECK_MESSAGE(status == rows[i].status, "%s: exit status %d: %s", rows[i].name, status,
				 kc_buffer_string(&errors));
		for (size_t e = 0; e < KC_ARRAY_LENGTH(rows[i].errors); e++)
			KC_CHECK_CONTAINS(kc_buffer_string(&errors), rows[i].errors[e]);
		kc_buffer_release(&output);
		kc_buffer_release(&errors);
		forget_kept();
	}
}

/* --- Ends --- */

/* Children of `pid`: their numbers, and how many there are. */
static size_t children_of(pid_t pid, pid_t *pids, size_t size)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(1 << 16);
	const char *next;
	char path[64];
	size_t count = 0;

	(void)snprintf(path, sizeof(path), "/proc/%ld/task/%ld/children", (long)pid, (long)pid);
	if (kc_file_read(AT_FDCWD, path, &text, NULL) < 0)
		return 0;
	for (next = kc_buffer_string(&text); count < size;) {
		char *end;
		long number = strtol(next, &end, 10);

		if (end == next)
			break;
		pids[count++] = (pid_t)number;
		next = end;
	}
	return count;
}

static bool is_called(pid_t pid, const char *name)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(64);
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%ld/comm", (long)pid);
	return kc_file_read(AT_FDCWD, path, &text, NULL) == 0 &&
	       strncmp(kc_buffer_string(&text), name, strlen(name)) == 0;
}

/* The strace of a run that traces one program: the child of a worker. 0 if there is none; *ret_worker is whose child. */
static pid_t find_strace(pid_t run, pid_t *ret_worker)
{
	pid_t workers[16], children[16];
	size_t worker_count = children_of(run, workers, KC_ARRAY_LENGTH(workers));

	for (size_t w = 0; w < worker_count; w++) {
		size_t count = children_of(workers[w], children, KC_ARRAY_LENGTH(children));

		for (size_t i = 0; i < count; i++) {
			if (!is_called(children[i], "strace"))
				continue;
			*ret_worker = workers[w];
			return children[i];
		}
	}
	return 0;
}

enum victim { NOBODY, RUN, WORKER, STRACE };

static const struct {
	const char *name, *select;
	enum victim victim;
	int signal;
	const char *timeout; /* NULL: the case's own */
	int status;
	const char *said; /* "" for nothing in particular */
} ends[] = {
	{ "the time limit", "ttyd.keepalive", NOBODY, 0, "1", KC_EXIT_FAILED, "not done at the time limit" },
	{ "the run is interrupted", "ttyd.keepalive", RUN, SIGINT, "600", KC_EXIT_INTERRUPTED, "kept: " },
	{ "the run is killed", "ttyd.keepalive", RUN, SIGKILL, "600", 128 + SIGKILL, "" },
	{ "the worker is killed", "ttyd.keepalive", WORKER, SIGKILL, "600", KC_EXIT_FAILED,
	  "its worker was killed by SIGKILL" },
	/* The program comes to its end: what is not whole is the trace. */
	{ "strace is killed", "python.standard-library", STRACE, SIGKILL, NULL, KC_EXIT_FAILED,
	  "strace was killed by SIGKILL" },
};

static void strike(const struct kc_staged *staged, enum victim victim, int number)
{
	pid_t worker = 0, found = find_strace(staged->pid, &worker);

	if (!KC_CHECK_MESSAGE(found > 1 && worker > 1, "strace does not run"))
		return;
	if (victim != NOBODY)
		(void)kill(victim == RUN ? staged->pid : victim == WORKER ? worker : found, number);
}

static void end_one(size_t row, struct kc_buffer *left)
{
	char pattern[256], identity[128];
	const char *words[12] = { "run", "centos7", "--trace", "-k", identity, "--volume", volume };
	const struct kc_stage_start start = { .words = words };
	struct kc_leftovers leftovers;
	struct kc_buffer output, errors;
	struct kc_staged staged;
	int status;

	(void)snprintf(identity, sizeof(identity), "centos7.%s", ends[row].select);
	(void)snprintf(pattern, sizeof(pattern), KEPT "/%s/program-1/" KC_TRACE_FILE, identity);
	words[7] = ends[row].timeout ? "--timeout" : NULL;
	words[8] = ends[row].timeout;
	/* What is kept stays in the temporary directory, on purpose. */
	KC_REQUIRE(kc_leftovers_before(&leftovers, NULL, stage.store) == 0);
	KC_REQUIRE(kc_stage_start(&stage, &start, &staged) == 0);
	KC_CHECK_MESSAGE(kc_stage_await(&staged, stage.temporary, pattern), "%s: nothing is traced",
			 ends[row].name);
	strike(&staged, ends[row].victim, ends[row].signal);
	status = kc_stage_finish(&staged, PATIENCE_MS);
	kc_stage_read(&stage, &output, &errors);
	KC_CHECK_MESSAGE(status == ends[row].status, "%s: exit status %d: %s", ends[row].name, status,
			 kc_buffer_string(&errors));
	KC_CHECK_CONTAINS(kc_buffer_string(&errors), ends[row].said);
	KC_CHECK_MESSAGE(kc_leftovers_after(&leftovers, left) == 0, "%s: left: %s", ends[row].name,
			 kc_buffer_string(left));
	kc_buffer_release(&output);
	kc_buffer_release(&errors);
}

static void no_strace_outlives_a_run(void)
{
	for (size_t i = 0; i < KC_ARRAY_LENGTH(ends); i++) {
		KC_CLEANUP_BUFFER struct kc_buffer left = KC_BUFFER_INIT(1 << 20);

		end_one(i, &left);
		forget_kept();
	}
}

KC_TEST_SUITE_WITH(traced_runs, KC_LABEL_SLOW, setup, teardown, KC_TEST(the_calls_of_a_case_are_recorded),
		   KC_TEST(a_case_that_cannot_be_traced_says_why), KC_TEST(no_strace_outlives_a_run));
