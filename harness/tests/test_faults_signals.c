/*
 * A run that is ended from outside, at known moments and at any: nothing stays, the report is red, the next run works.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixtures/http_peer.h"
#include "fixtures/leftovers.h"
#include "fixtures/seed.h"
#include "fixtures/stage.h"
#include "options.h"
#include "sys/file.h"
#include "tests/kc_test.h"

#define PATIENCE_MS 20000

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

static void forget_in_store(const char *pattern)
{
	KC_CHECK_INT(kc_seed_forget(&stage, pattern), 0);
}

/* --- The index that never gets to the end of a wheel --- */

#define WHEEL "backend_ai_krunner_static_gnu-9.9.9-py3-none-any.whl"

static char body[65536];
static const struct kc_peer_reply stalling[] = {
	{ .path = "/simple/backend-ai-krunner-static-gnu/",
	  .headers = "Content-Type: application/vnd.pypi.simple.v1+json\r\n",
	  .body = "{\"meta\": {\"api-version\": \"1.1\"}, \"name\": \"backend-ai-krunner-static-gnu\", "
		  "\"files\": "
		  "[{\"filename\": \"" WHEEL "\", \"url\": \"/files/" WHEEL "\", \"hashes\": {\"sha256\": "
		  "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}}]}" },
	{ .path = "/files/" WHEEL,
	  .body = body,
	  .body_length = sizeof(body),
	  .send_bytes = sizeof(body) / 2,
	  .flags = KC_PEER_STALL },
};

/* --- Moments --- */

static const char *const all_cases[] = { "-k", "centos7.*", NULL };
static const char *const keepalive[] = { "-k", "*keepalive*", NULL };
static const char *const layout[] = { "-k", "*.layout", NULL };

struct moment {
	const char *name;
	const char *forget;	   /* taken out of the store first, as fnmatch(3) below it; NULL: nothing */
	const char *const *select; /* cases */
	size_t where;		   /* offset of a path in struct kc_stage */
	const char *path;	   /* ... below which this appears; NULL: at once */
	const char *printed;	   /* or this is printed */
	bool downloads;		   /* from the index that stalls */
	bool stops_apt;		   /* an apt-get that never ends */
	bool is_costly; /* what the next run has to make again takes seconds: not after every signal */
};

#define IN(field, pattern) .where = offsetof(struct kc_stage, field), .path = (pattern)

static const struct moment moments[] = {
	{ .name = "report begun", .select = layout, IN(reports, "out.xml") },
	{ .name = "apt-get running",
	  .forget = "images/*.json",
	  .select = layout,
	  IN(base, "apt-get-runs"),
	  .stops_apt = true,
	  .is_costly = true },
	{ .name = "image being built",
	  .forget = "trees/image-*",
	  .select = layout,
	  IN(store, "tmp/image-*/tree/usr"),
	  .is_costly = true },
	{ .name = "wheel being downloaded",
	  .forget = "downloads/a*",
	  .select = layout,
	  IN(store, "downloads/a*/*.part"),
	  .downloads = true },
	{ .name = "volume being unpacked",
	  .forget = "trees/volume-*",
	  .select = layout,
	  IN(store, "tmp/volume-*/tree/lib/python*"),
	  .is_costly = true },
	{ .name = "temporary directory made", .select = all_cases, IN(temporary, "krunner-compat-*") },
	{ .name = "programs running", .select = all_cases, IN(temporary, "krunner-compat-*/*imports*") },
	{ .name = "first verdict", .select = all_cases, .printed = "PASS" },
	{ .name = "keepalive begun", .select = keepalive, IN(temporary, "krunner-compat-*/*keepalive") },
	{ .name = "keepalive measuring", .select = keepalive, .printed = "centos7: 1 case" },
};

struct blow {
	const char *name;
	int number;
	int exit_status;
};

static const struct blow blows[] = {
	{ "INT", SIGINT, KC_EXIT_INTERRUPTED },
	{ "HUP", SIGHUP, KC_EXIT_INTERRUPTED },
	{ "TERM", SIGTERM, KC_EXIT_INTERRUPTED },
	{ "KILL", SIGKILL, 128 + SIGKILL },
};

/* --- One run, and the next --- */

static char path_variable[2 * PATH_MAX], index_variable[256];

static int start_run(const struct moment *moment, struct kc_staged *staged)
{
	const char *words[] = { "run",
				"centos7",
				moment->select[0],
				moment->select[1],
				"--junit",
				stage.junit,
				moment->downloads ? NULL : "--volume",
				volume,
				NULL };
	const char *environment[3] = { NULL };
	const struct kc_stage_start start = { .words = words, .environment = environment };
	size_t count = 0;

	if (moment->downloads)
		environment[count++] = index_variable;
	if (moment->stops_apt)
		environment[count++] = path_variable;
	return kc_stage_start(&stage, &start, staged);
}

static void next_run_works(const char *name)
{
	const char *words[] = { "run", "centos7", "-k", "centos7.volume*", "--volume", volume, NULL };
	const struct kc_stage_start start = { .words = words };
	int status = kc_stage_run(&stage, &start);
	struct kc_buffer output, errors;

	kc_stage_read(&stage, &output, &errors);
	KC_CHECK_MESSAGE(status == 0, "%s: the next run ends with %d: %s", name, status,
			 kc_buffer_string(&errors));
	/* Nothing of the killed run's had to be mended. */
	KC_CHECK_MESSAGE(!strstr(kc_buffer_string(&errors), "  repairs "), "%s: %s", name,
			 kc_buffer_string(&errors));
	kc_buffer_release(&output);
	kc_buffer_release(&errors);
}

static void report_is_red(const char *name)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(1 << 20);
	struct kc_error err = { 0 };

	if (!KC_CHECK_MESSAGE(kc_file_read(AT_FDCWD, stage.junit, &text, &err) == 0, "%s: %s", name,
			      err.text))
		return;
	KC_CHECK_MESSAGE(strstr(kc_buffer_string(&text), "<error "), "%s: %s", name, kc_buffer_string(&text));
	KC_CHECK_MESSAGE(strstr(kc_buffer_string(&text), "</testsuites>"), "%s: cut off", name);
}

static void nothing_is_left(const char *name, struct kc_leftovers *leftovers)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(1 << 20);
	int count = kc_leftovers_after(leftovers, &text);

	KC_CHECK_MESSAGE(count == 0, "%s: left: %s", name, kc_buffer_string(&text));
}

/* A green report of an earlier run must not outlive this one. */
static void make_green_report(void)
{
	struct kc_error err = { 0 };

	KC_CHECK_OK(kc_file_write_atomic(AT_FDCWD, stage.junit, "<testsuites/>", 13, 0600, &err), err);
}

static bool is_reached(const struct moment *moment, const struct kc_staged *staged)
{
	const char *directory = (const char *)&stage + moment->where;

	if (moment->printed)
		return kc_stage_await_text(staged, moment->printed);
	return kc_stage_await(staged, directory, moment->path);
}

static void strike(const struct moment *moment, const struct blow *blow)
{
	struct kc_leftovers leftovers;
	struct kc_staged staged;
	char name[128];

	(void)snprintf(name, sizeof(name), "%s, %s", moment->name, blow->name);
	(void)unlink(stage.junit);
	if (strcmp(moment->name, "report begun") != 0)
		make_green_report();
	KC_REQUIRE(kc_leftovers_before(&leftovers, stage.temporary, stage.store) == 0);
	KC_REQUIRE(start_run(moment, &staged) == 0);
	KC_CHECK_MESSAGE(is_reached(moment, &staged), "%s: the moment did not come", name);
	(void)kill(staged.pid, blow->number);
	{
		int status = kc_stage_finish(&staged, PATIENCE_MS);

		KC_CHECK_MESSAGE(status == blow->exit_status, "%s: exit status %d", name, status);
	}
	nothing_is_left(name, &leftovers);
	report_is_red(name);
}

static void nothing_stays_at_known_moments(void)
{
	KC_CLEANUP(kc_http_peer_stop) struct kc_http_peer peer = { 0 };
	char marker[KC_STAGE_PATH];

	KC_REQUIRE(kc_http_peer_listen(&peer, NULL) == 0 &&
		   kc_http_peer_serve(&peer, stalling, KC_ARRAY_LENGTH(stalling)) == 0);
	(void)snprintf(index_variable, sizeof(index_variable), "PIP_INDEX_URL=%s/simple", peer.url);
	KC_REQUIRE(kc_seed_stalling_apt(&stage, path_variable, sizeof(path_variable)) == 0);
	(void)snprintf(marker, sizeof(marker), "%s/apt-get-runs", stage.base);
	for (size_t m = 0; m < KC_ARRAY_LENGTH(moments); m++)
		for (size_t b = 0; b < KC_ARRAY_LENGTH(blows); b++) {
			(void)unlink(marker);
			if (moments[m].forget)
				forget_in_store(moments[m].forget);
			strike(&moments[m], &blows[b]);
			if (blows[b].number == SIGKILL ||
			    (blows[b].number == SIGTERM && !moments[m].is_costly))
				next_run_works(moments[m].name);
		}
}

/* The delay is the stimulus: wherever a run is by then. On a fast machine the last of them find it at its end. */
static void nothing_stays_at_any_moment(void)
{
	static const int delays_ms[] = { 0, 1, 2, 4, 8, 20, 50, 100, 250, 500, 1000, 2000 };
	static const struct moment anywhere = { .name = "anywhere", .select = layout };

	for (size_t i = 0; i < KC_ARRAY_LENGTH(delays_ms); i++) {
		const struct blow *blow = &blows[i % 2 ? KC_ARRAY_LENGTH(blows) - 1 : i / 2 % 3];
		struct kc_leftovers leftovers;
		struct kc_staged staged;
		char name[64];
		int status;

		(void)snprintf(name, sizeof(name), "%s after %d ms", blow->name, delays_ms[i]);
		forget_in_store("trees/*");
		KC_REQUIRE(kc_leftovers_before(&leftovers, stage.temporary, stage.store) == 0);
		KC_REQUIRE(start_run(&anywhere, &staged) == 0);
		(void)poll(NULL, 0, delays_ms[i]);
		(void)kill(staged.pid, blow->number);
		status = kc_stage_finish(&staged, PATIENCE_MS);
		/* Before it has its handlers a signal ends it as any program; after its end, not at all. */
		KC_CHECK_MESSAGE(status == blow->exit_status || status == 128 + blow->number || status == 0,
				 "%s: exit status %d", name, status);
		nothing_is_left(name, &leftovers);
	}
	next_run_works("anywhere");
}

/* As a CI system that is in a hurry: the second comes while the first is being obeyed. */
static void a_second_signal_during_the_clean_up_changes_nothing(void)
{
	const struct moment *moment = &moments[KC_ARRAY_LENGTH(moments) - 2];
	struct kc_leftovers leftovers;
	struct kc_staged staged;

	make_green_report();
	KC_REQUIRE(kc_leftovers_before(&leftovers, stage.temporary, stage.store) == 0);
	KC_REQUIRE(start_run(moment, &staged) == 0);
	KC_CHECK(is_reached(moment, &staged));
	(void)kill(staged.pid, SIGTERM);
	(void)kill(staged.pid, SIGINT);
	KC_CHECK_INT(kc_stage_finish(&staged, PATIENCE_MS), KC_EXIT_INTERRUPTED);
	nothing_is_left("two signals at once", &leftovers);
	report_is_red("two signals at once");
	next_run_works("two signals at once");
}

/* --- Others than the program itself --- */

/* The newest child of `pid`, 0 if there is none. */
static pid_t last_child_of(pid_t pid)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(1 << 16);
	char path[64];
	pid_t child = 0;
	const char *next;

	(void)snprintf(path, sizeof(path), "/proc/%ld/task/%ld/children", (long)pid, (long)pid);
	if (kc_file_read(AT_FDCWD, path, &text, NULL) < 0)
		return 0;
	for (next = kc_buffer_string(&text); *next;) {
		char *end;
		long number = strtol(next, &end, 10);

		if (end == next)
			break;
		child = (pid_t)number;
		next = end + strspn(end, " ");
	}
	return child;
}

/* The janitor is the first child, the worker the last; below the worker is pid 1 of its sandbox. */
static void who_else_is_killed_breaks_the_case_alone(void)
{
	static const struct {
		const char *name;
		unsigned int depth; /* below the program */
		const char *told;
	} rows[] = {
		{ "the worker", 1, "its worker was killed by SIGKILL" },
		{ "pid 1 of the sandbox", 2, "pid 1 " },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		const char *words[] = { "run",	    "centos7", "-k",	 "*keepalive*", "-k", "*.layout",
					"--volume", volume,    "--jobs", "1",		NULL };
		const struct kc_stage_start start = { .words = words };
		struct kc_buffer output, errors;
		struct kc_leftovers leftovers;
		struct kc_staged staged;
		pid_t pid = 0;
		int status;

		KC_REQUIRE(kc_leftovers_before(&leftovers, stage.temporary, stage.store) == 0);
		KC_REQUIRE(kc_stage_start(&stage, &start, &staged) == 0);
		KC_CHECK(kc_stage_await(&staged, stage.temporary, "krunner-compat-*/*keepalive"));
		/* The sandbox follows its worker within milliseconds, and stays for 42 s. */
		for (unsigned int tries = 0; tries < 5000; tries++) {
			pid = staged.pid;
			for (unsigned int depth = 0; pid && depth < rows[i].depth; depth++)
				pid = last_child_of(pid);
			if (pid)
				break;
			(void)poll(NULL, 0, 1);
		}
		if (KC_CHECK_MESSAGE(pid > 1, "%s: not found", rows[i].name))
			(void)kill(pid, SIGKILL);
		status = kc_stage_finish(&staged, 120000);
		kc_stage_read(&stage, &output, &errors);
		KC_CHECK_MESSAGE(status == KC_EXIT_FAILED, "%s: exit status %d: %s", rows[i].name, status,
				 kc_buffer_string(&errors));
		KC_CHECK_CONTAINS(kc_buffer_string(&errors), rows[i].told);
		KC_CHECK_CONTAINS(kc_buffer_string(&errors), "1 passed, 0 failed, 1 broken, 0 skipped");
		kc_buffer_release(&output);
		kc_buffer_release(&errors);
		nothing_is_left(rows[i].name, &leftovers);
	}
}

KC_TEST_SUITE_WITH(faults_signals, KC_LABEL_SLOW, setup, teardown, KC_TEST(nothing_stays_at_known_moments),
		   KC_TEST(a_second_signal_during_the_clean_up_changes_nothing),
		   KC_TEST(who_else_is_killed_breaks_the_case_alone), KC_TEST(nothing_stays_at_any_moment));
