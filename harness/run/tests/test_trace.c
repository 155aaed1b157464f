/* strace on processes of our own, and those that are none. */
#include "run/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixtures/leftovers.h"
#include "fixtures/no_ptrace.h"
#include "fixtures/temporary.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "tests/kc_test.h"

/* A process that executes a shell with `script` when it is told to, or ends with us. */
struct waiting {
	pid_t pid;
	int go;
};

static int start_waiting(const char *script, struct waiting *waiting)
{
	int go[2];
	char byte;

	if (pipe2(go, O_CLOEXEC) < 0)
		return -1;
	/* As a program of a sandbox: whoever starts it may trace it, whatever ptrace_scope says. */
	waiting->pid = (pid_t)syscall(SYS_clone, SIGCHLD | CLONE_NEWUSER, NULL, NULL, NULL, 0);
	if (waiting->pid == 0) {
		(void)close(go[1]);
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && read(go[0], &byte, 1) == 1)
			(void)execl("/bin/sh", "sh", "-c", script, (char *)NULL);
		_exit(1);
	}
	(void)close(go[0]);
	waiting->go = go[1];
	return waiting->pid < 0 ? -1 : 0;
}

static int finish_waiting(struct waiting *waiting, bool goes)
{
	int status = -1;

	if (goes)
		KC_CHECK_INT(kc_fd_write_all(waiting->go, "x", 1), 0);
	kc_fd_close(&waiting->go);
	if (waitpid(waiting->pid, &status, 0) != waiting->pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

static void what_a_program_and_its_children_call_is_recorded(void)
{
	static const char *const calls[] = { "execve(\"/bin/sh\", [\"sh\", \"-c\"", "execve(\"/bin/true\"",
					     "chdir(\"/usr\")", "+++ exited with 5 +++" };
	KC_CLEANUP_TEMPORARY struct kc_temporary directory = { "" };
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(1u << 20);
	KC_CLEANUP_TRACE struct kc_trace *trace = NULL;
	struct kc_error err = { 0 };
	struct waiting waiting;
	char path[PATH_MAX + 16];

	KC_REQUIRE_OK(kc_temporary_make(&directory, &err), err);
	(void)snprintf(path, sizeof(path), "%s/a trace", directory.path);
	trace = kc_trace_new(path);
	KC_REQUIRE(trace && start_waiting("cd /usr; /bin/true; exit 5", &waiting) == 0);
	KC_CHECK_OK(kc_trace_attach(trace, waiting.pid, &err), err);
	KC_CHECK_OK(kc_trace_check(trace, &err), err);
	KC_CHECK_INT(finish_waiting(&waiting, true), 5);
	KC_CHECK_OK(kc_trace_finish(trace, &err), err);
	KC_CHECK_OK(kc_trace_finish(trace, &err), err); /* nothing is left to wait for */
	KC_REQUIRE_OK(kc_file_read(AT_FDCWD, path, &text, &err), err);
	for (size_t i = 0; i < KC_ARRAY_LENGTH(calls); i++)
		KC_CHECK_CONTAINS(kc_buffer_string(&text), calls[i]);
}

#define ATTACHED "echo 'strace: Process 1 attached' >&2\n"

/* What stands for strace on PATH, and what is said of it. */
static const struct impostor {
	const char *name, *script; /* NULL: there is none */
	int attach;
	const char *text, *hint; /* parts */
	int finish;
} impostors[] = {
	{ "none", NULL, -ENOENT, "strace is not installed", "apt-get install strace", 0 },
	{ "forbidden", "echo 'strace: attach: ptrace(PTRACE_SEIZE, 1): Operation not permitted' >&2; exit 1",
	  -EACCES, "strace may not attach: attach: ptrace(PTRACE_SEIZE, 1): Operation not permitted",
	  "ptrace", 0 },
	{ "unwilling", "echo 'strace: invalid option' >&2; exit 1", -EIO,
	  "strace ended before it attached: invalid option", "", 0 },
	{ "silent", "exit 0", -EIO, "strace ended before it attached", "", 0 },
	{ "talkative", "while echo y; do :; done >&2", -EIO, "strace ended before it attached: y", "", 0 },
	{ "killed", ATTACHED "kill -KILL $$", 0, "is not whole: strace was killed by SIGKILL", "", -EIO },
	{ "failing", ATTACHED "exit 3", 0, "is not whole: strace ended with exit status 3", "", -EIO },
	{ "endless", ATTACHED "exec /bin/sleep 600", 0, "is not whole: strace was killed by SIGKILL", "",
	  -EIO },
};

static int make_impostor(const char *directory, const char *script, struct kc_error *err)
{
	char path[PATH_MAX + 16], text[512];
	int length = snprintf(text, sizeof(text), "#!/bin/sh\n%s\n", script);

	(void)snprintf(path, sizeof(path), "%s/strace", directory);
	return kc_file_write_atomic(AT_FDCWD, path, text, (size_t)length, 0700, err);
}

static void check_impostor(const struct impostor *impostor)
{
	KC_CLEANUP_TRACE struct kc_trace *trace = kc_trace_new("/dev/null");
	struct kc_error err = { 0 };
	struct waiting waiting;

	KC_REQUIRE(trace && start_waiting("exit 0", &waiting) == 0);
	KC_CHECK_MESSAGE(kc_trace_attach(trace, waiting.pid, &err) == impostor->attach, "%s: %s",
			 impostor->name, err.text);
	(void)finish_waiting(&waiting, false);
	KC_CHECK_MESSAGE(kc_trace_finish(trace, &err) == impostor->finish, "%s: %s", impostor->name,
			 err.text);
	KC_CHECK_CONTAINS(err.text, impostor->text);
	KC_CHECK_CONTAINS(err.hint, impostor->hint);
}

static void what_is_no_trace_is_told(void)
{
	KC_CLEANUP_FREE char *path = strdup(getenv("PATH"));
	KC_CLEANUP_BUFFER struct kc_buffer left = KC_BUFFER_INIT(1u << 16);
	struct kc_leftovers leftovers;
	struct kc_error err = { 0 };

	KC_REQUIRE(path && kc_leftovers_before(&leftovers, NULL, NULL) == 0);
	for (size_t i = 0; i < KC_ARRAY_LENGTH(impostors); i++) {
		KC_CLEANUP_TEMPORARY struct kc_temporary directory = { "" };

		KC_REQUIRE_OK(kc_temporary_make(&directory, &err), err);
		if (impostors[i].script)
			KC_CHECK_OK(make_impostor(directory.path, impostors[i].script, &err), err);
		KC_CHECK_INT(setenv("PATH", directory.path, 1), 0);
		check_impostor(&impostors[i]);
		KC_CHECK_INT(setenv("PATH", path, 1), 0);
	}
	KC_CHECK_MESSAGE(kc_leftovers_after(&leftovers, &left) == 0, "left: %s", kc_buffer_string(&left));
}

/* A program that is not waited for still has its strace, or its trace is not whole. */
static void a_strace_that_is_gone_early_is_noticed(void)
{
	static const struct {
		const char *script;
		int status;
	} rows[] = {
		{ ATTACHED "exit 0", 0 }, /* the program ended by itself */
		{ ATTACHED "kill -KILL $$", -EIO },
	};
	KC_CLEANUP_FREE char *path = strdup(getenv("PATH"));

	KC_REQUIRE(path);
	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_TEMPORARY struct kc_temporary directory = { "" };
		KC_CLEANUP_TRACE struct kc_trace *trace = kc_trace_new("/dev/null");
		struct kc_error err = { 0 };
		struct waiting waiting;
		siginfo_t ended;

		KC_REQUIRE_OK(kc_temporary_make(&directory, &err), err);
		KC_CHECK_OK(make_impostor(directory.path, rows[i].script, &err), err);
		KC_REQUIRE(trace && start_waiting("exit 0", &waiting) == 0);
		KC_CHECK_INT(setenv("PATH", directory.path, 1), 0);
		KC_CHECK_OK(kc_trace_attach(trace, waiting.pid, &err), err);
		KC_CHECK_INT(setenv("PATH", path, 1), 0);
		/* The other child waits. */
		KC_CHECK_INT(waitid(P_ALL, 0, &ended, WEXITED | WNOWAIT), 0);
		KC_CHECK_MESSAGE(kc_trace_check(trace, &err) == rows[i].status, "row %zu: %s", i, err.text);
		(void)finish_waiting(&waiting, false);
	}
}

static int status_of(pid_t pid)
{
	int status = -1;

	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void the_probe_tells_why_not(void)
{
	struct kc_error err = { 0 };
	pid_t pid;

	KC_REQUIRE_OK(kc_trace_probe(&err), err);
	pid = fork();
	KC_REQUIRE(pid >= 0);
	if (pid == 0) {
		bool is_told = kc_refuse_ptrace() == 0 && kc_trace_probe(&err) == -EACCES &&
			       strstr(err.text, "strace may not attach") && strstr(err.hint, "SYS_PTRACE");

		_exit(is_told ? 0 : 1);
	}
	KC_CHECK_INT(status_of(pid), 0);
}

/* In a child, whose limit is lower than ours: what is beyond it is lost, the program and strace come to their ends. */
static int trace_noise(const char *path)
{
	const struct rlimit most = { 65536, 65536 };
	KC_CLEANUP_TRACE struct kc_trace *trace = kc_trace_new(path);
	struct kc_error err = { 0 };
	struct waiting waiting;

	if (!trace || setrlimit(RLIMIT_FSIZE, &most) < 0 ||
	    start_waiting("i=0; while [ $i -lt 3000 ]; do i=$((i + 1)); cd /usr; done; exit 7", &waiting) < 0)
		return 1;
	if (kc_trace_attach(trace, waiting.pid, &err) < 0 || finish_waiting(&waiting, true) != 7)
		return 2;
	return kc_trace_finish(trace, &err) < 0 ? 3 : 0;
}

static void a_trace_has_an_end(void)
{
	KC_CLEANUP_TEMPORARY struct kc_temporary directory = { "" };
	struct kc_error err = { 0 };
	char path[PATH_MAX + 16];
	struct stat status;
	pid_t pid;

	KC_REQUIRE_OK(kc_temporary_make(&directory, &err), err);
	(void)snprintf(path, sizeof(path), "%s/trace", directory.path);
	pid = fork();
	KC_REQUIRE(pid >= 0);
	if (pid == 0)
		_exit(trace_noise(path));
	KC_CHECK_INT(status_of(pid), 0);
	KC_REQUIRE(stat(path, &status) == 0);
	KC_CHECK_INT(status.st_size, 65536);
}

/* Though what it traces goes on: that belongs to somebody else here. */
static void strace_ends_with_whoever_started_it(void)
{
	KC_CLEANUP_BUFFER struct kc_buffer left = KC_BUFFER_INIT(1u << 16);
	KC_CLEANUP_TRACE struct kc_trace *trace = kc_trace_new("/dev/null");
	struct kc_leftovers leftovers;
	struct kc_error err = { 0 };
	struct waiting waiting;
	pid_t pid;

	KC_REQUIRE(trace && start_waiting("exit 4", &waiting) == 0);
	KC_REQUIRE(kc_leftovers_before(&leftovers, NULL, NULL) == 0);
	pid = fork();
	KC_REQUIRE(pid >= 0);
	if (pid == 0) {
		if (kc_trace_attach(trace, waiting.pid, &err) == 0)
			(void)raise(SIGKILL);
		_exit(1);
	}
	KC_CHECK_INT(status_of(pid), -1);
	KC_CHECK_MESSAGE(kc_leftovers_after(&leftovers, &left) == 0, "left: %s", kc_buffer_string(&left));
	KC_CHECK_INT(finish_waiting(&waiting, true), 4);
}

/* --- Telling --- */

static int make_trace(const char *scratch, unsigned int number, off_t size)
{
	KC_CLEANUP_FD int fd = -1;
	char path[PATH_MAX + 64];

	(void)snprintf(path, sizeof(path), "%s/program-%u", scratch, number);
	if (mkdir(path, 0700) < 0)
		return -1;
	(void)snprintf(path, sizeof(path), "%s/program-%u/" KC_TRACE_FILE, scratch, number);
	if (size < 0) /* strace did not come so far */
		return 0;
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	return fd < 0 ? -1 : ftruncate(fd, size);
}

static const char *find_property(const struct kc_result *result, const char *name)
{
	for (size_t i = 0; i < result->property_count; i++)
		if (strcmp(result->properties[i].name, name) == 0)
			return result->properties[i].value;
	return "";
}

static void reports_say_where_traces_are(void)
{
	static const struct {
		off_t sizes[4]; /* 0: no such program */
		const char *trace, *cut;
	} rows[] = {
		{ { 0 }, "", "" },
		{ { -1 }, "", "" },
		{ { 5 }, "/program-1/trace", "" },
		{ { -1, 5 }, "/program-2/trace", "" },
		{ { 5, 7 }, "/program-*/trace (2 programs)", "" },
		{ { 5, (off_t)KC_TRACE_BYTES }, "/program-*/trace (2 programs)", "after 256 MiB" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_TEMPORARY struct kc_temporary directory = { "" };
		KC_CLEANUP(kc_result_release) struct kc_result result;
		struct kc_error err = { 0 };

		kc_result_init(&result);
		KC_REQUIRE_OK(kc_temporary_make(&directory, &err), err);
		for (unsigned int n = 0; rows[i].sizes[n]; n++)
			KC_CHECK_INT(make_trace(directory.path, n + 1, rows[i].sizes[n]), 0);
		kc_trace_tell(directory.path, &result);
		KC_CHECK_CONTAINS(find_property(&result, "trace"), rows[i].trace);
		KC_CHECK_INT(!*find_property(&result, "trace"), !*rows[i].trace);
		KC_CHECK_STRING(find_property(&result, "trace-cut-off"), rows[i].cut);
	}
}

KC_TEST_SUITE(trace, KC_LABEL_SANDBOX, KC_TEST(what_a_program_and_its_children_call_is_recorded),
	      KC_TEST(what_is_no_trace_is_told), KC_TEST(a_strace_that_is_gone_early_is_noticed),
	      KC_TEST(the_probe_tells_why_not), KC_TEST(a_trace_has_an_end),
	      KC_TEST(strace_ends_with_whoever_started_it), KC_TEST(reports_say_where_traces_are));
