#include "run/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buffer.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/time.h"

#define ATTACH_PATIENCE_MS 10000
/* Of a program that is gone there is nothing left to do. */
#define END_PATIENCE_MS 5000
#define YAMA "/proc/sys/kernel/yama/ptrace_scope"
#define PROBE_TRACE "/dev/null"

struct kc_trace {
	pid_t pid; /* of strace; 0: none is to be reaped */
	int pidfd;
	int messages; /* what strace prints */
	struct kc_buffer printed;
	char path[];
};

struct kc_trace *kc_trace_new(const char *path)
{
	size_t size = strlen(path) + 1;
	struct kc_trace *trace = calloc(1, sizeof(*trace) + size);

	if (!trace)
		return NULL;
	trace->pidfd = trace->messages = -1;
	kc_buffer_init(&trace->printed, 4096);
	memcpy(trace->path, path, size);
	return trace;
}

/* --- strace's own side --- */

static int limit_file(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_FSIZE, &limit) < 0)
		return -1;
	/* Never above what we have: raising needs a privilege. */
	if (limit.rlim_max == RLIM_INFINITY || limit.rlim_max > KC_TRACE_BYTES)
		limit.rlim_max = KC_TRACE_BYTES;
	limit.rlim_cur = limit.rlim_max;
	return setrlimit(RLIMIT_FSIZE, &limit);
}

/* At the limit a write fails, and strace goes on without: it must not end before the program does. */
static int prepare(int messages)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(messages, 2) < 0)
		return -1;
	if (limit_file() < 0 || signal(SIGXFSZ, SIG_IGN) == SIG_ERR)
		return -1;
	if (setenv("LC_ALL", "C", 1) < 0) /* its words are read below */
		return -1;
	return (int)syscall(SYS_close_range, 3u, ~0u, CLOSE_RANGE_CLOEXEC);
}

static _Noreturn void become_strace(const struct kc_trace *trace, pid_t traced, int messages, int report,
				    pid_t parent)
{
	char pid[16];
	/* -f: what it starts as well; -tt: when; -y: which file a descriptor is. */
	const char *const argv[] = { "strace", "-f",	    "-tt", "-y", "-s", "256",
				     "-o",     trace->path, "-p",  pid,	 NULL };
	int saved;

	(void)snprintf(pid, sizeof(pid), "%ld", (long)traced);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(127);
	if (prepare(messages) == 0)
		(void)execvp(argv[0], (char *const *)(uintptr_t)argv);
	saved = errno;
	_exit(kc_fd_write_all(report, &saved, sizeof(saved)) < 0 ? 126 : 127);
}

/* --- Ours --- */

static bool wait_for_end(const struct kc_trace *trace, int64_t patience_ms)
{
	struct pollfd ended = { .fd = trace->pidfd, .events = POLLIN };
	int64_t deadline_ms = kc_now_ms() + patience_ms;
	int ready;

	do {
		int64_t left_ms = deadline_ms - kc_now_ms();

		ready = poll(&ended, 1, left_ms > 0 ? (int)left_ms : 0);
	} while (ready < 0 && errno == EINTR);
	return ready == 1;
}

/* Killed if it does not end within the patience; what it traced is let go then, ptrace(2). Returns as waitpid(2) says it. */
static int reap(struct kc_trace *trace, int64_t patience_ms)
{
	int status = 0;

	if (!wait_for_end(trace, patience_ms))
		(void)kill(trace->pid, SIGKILL); /* gone already is as good: it is not reaped */
	while (waitpid(trace->pid, &status, 0) < 0 && errno == EINTR)
		;
	trace->pid = 0;
	kc_fd_close(&trace->pidfd);
	return status;
}

static int no_strace(struct kc_error *err)
{
	int status = kc_error_set(err, ENOENT, "trace the program: strace is not installed");

	kc_error_hint(err, "install the package strace (`apt-get install strace`), or leave out --trace");
	return status;
}

static int spawn(struct kc_trace *trace, pid_t traced, struct kc_error *err)
{
	int messages[2] = { -1, -1 }, report[2] = { -1, -1 }, child_errno = 0;
	pid_t parent = getpid();
	ssize_t got;

	/* Nobody reads all that strace says of a program that forks without end: then its words are lost, and it does not wait. */
	if (pipe2(messages, O_CLOEXEC | O_NONBLOCK) < 0)
		return kc_error_errno(err, errno, "start strace: pipe");
	trace->messages = messages[0];
	if (pipe2(report, O_CLOEXEC) == 0)
		trace->pid = fork();
	if (report[0] < 0 || trace->pid < 0) {
		trace->pid = 0;
		kc_fd_close(&messages[1]);
		return kc_error_errno(err, errno, "start strace");
	}
	if (trace->pid == 0)
		become_strace(trace, traced, messages[1], report[1], parent);
	kc_fd_close(&messages[1]);
	kc_fd_close(&report[1]);
	trace->pidfd = pidfd_open(trace->pid, 0);
	do
		got = read(report[0], &child_errno, sizeof(child_errno));
	while (got < 0 && errno == EINTR);
	kc_fd_close(&report[0]);
	if (got == (ssize_t)sizeof(child_errno))
		return child_errno == ENOENT ? no_strace(err)
					     : kc_error_errno(err, child_errno, "start strace");
	return 0;
}

/* Takes what strace has printed. False at the end, or if there is no more room. */
static bool take_messages(struct kc_trace *trace)
{
	char chunk[512];
	ssize_t got = read(trace->messages, chunk, sizeof(chunk));

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	return got > 0 && kc_buffer_append(&trace->printed, chunk, (size_t)got) == 0;
}

/* 1: it has hold of the program. 0: it has ended. */
static int await_hold(struct kc_trace *trace)
{
	int64_t deadline_ms = kc_now_ms() + ATTACH_PATIENCE_MS;

	for (;;) {
		struct pollfd said = { .fd = trace->messages, .events = POLLIN };
		int64_t left_ms = deadline_ms - kc_now_ms();
		int ready = left_ms > 0 ? poll(&said, 1, (int)left_ms) : 0;

		if (left_ms <= 0)
			return -ETIMEDOUT;
		if (ready < 0 && errno != EINTR)
			return -errno;
		if (ready > 0 && !take_messages(trace))
			return 0;
		/* Said when the program is stopped, or will be before it returns from its system call. */
		if (strstr(kc_buffer_string(&trace->printed), " attached"))
			return 1;
	}
}

/* The first line of what strace said, without its name. */
static void take_words(const struct kc_trace *trace, char *ret_words, size_t size)
{
	static const char name[] = "strace: ";
	const char *words = kc_buffer_string(&trace->printed);

	if (strncmp(words, name, sizeof(name) - 1) == 0)
		words += sizeof(name) - 1;
	(void)snprintf(ret_words, size, "%.*s", (int)strcspn(words, "\n"), words);
}

static void advise(struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(64);
	long scope = kc_file_read(AT_FDCWD, YAMA, &text, NULL) == 0
			     ? strtol(kc_buffer_string(&text), NULL, 10)
			     : 0;

	/* Less than 3 does not matter here: who starts a sandbox owns its user namespace. */
	if (scope > 2)
		kc_error_hint(err,
			      YAMA " is %ld: nobody may trace before the next boot, with "
				   "kernel.yama.ptrace_scope=1 in /etc/sysctl.d; or leave out --trace",
			      scope);
	else
		kc_error_hint(err,
			      "containers need the capability SYS_PTRACE (docker --cap-add SYS_PTRACE) or a "
			      "seccomp profile that allows ptrace; or leave out --trace");
}

static int not_held(const struct kc_trace *trace, int why, struct kc_error *err)
{
	char words[256];
	int status;

	take_words(trace, words, sizeof(words));
	if (why == -ETIMEDOUT)
		return kc_error_set(err, ETIMEDOUT,
				    "trace the program: strace does not attach within %d s: %s",
				    ATTACH_PATIENCE_MS / 1000, words);
	if (why < 0)
		return kc_error_errno(err, why, "trace the program: read what strace says");
	if (strstr(words, strerror(EPERM)) || strstr(words, strerror(EACCES))) {
		status = kc_error_set(err, EACCES, "trace the program: strace may not attach: %s", words);
		advise(err);
		return status;
	}
	return kc_error_set(err, EIO, "trace the program: strace ended before it attached: %s", words);
}

int kc_trace_attach(void *context, pid_t pid, struct kc_error *err)
{
	struct kc_trace *trace = context;
	int held, status = spawn(trace, pid, err);

	if (status == 0) {
		held = await_hold(trace);
		status = held == 1 ? 0 : not_held(trace, held, err);
	}
	if (status < 0 && trace->pid)
		(void)reap(trace, 0);
	return status;
}

int kc_trace_finish(struct kc_trace *trace, struct kc_error *err)
{
	int status;

	if (!trace->pid)
		return 0;
	status = reap(trace, END_PATIENCE_MS);
	if (WIFSIGNALED(status))
		return kc_error_set(err, EIO, "trace `%s` is not whole: strace was killed by SIG%s",
				    trace->path, sigabbrev_np(WTERMSIG(status)));
	if (WEXITSTATUS(status) != 0)
		return kc_error_set(err, EIO, "trace `%s` is not whole: strace ended with exit status %d",
				    trace->path, WEXITSTATUS(status));
	return 0;
}

int kc_trace_check(struct kc_trace *trace, struct kc_error *err)
{
	return trace->pid && wait_for_end(trace, 0) ? kc_trace_finish(trace, err) : 0;
}

void kc_trace_release(struct kc_trace **trace)
{
	if (!*trace)
		return;
	if ((*trace)->pid)
		(void)reap(*trace,
			   END_PATIENCE_MS); /* nobody waited for the program: how it ended is no matter */
	kc_fd_close(&(*trace)->messages);
	kc_buffer_release(&(*trace)->printed);
	free(*trace);
	*trace = NULL;
}

int kc_trace_probe(struct kc_error *err)
{
	KC_CLEANUP_TRACE struct kc_trace *trace = kc_trace_new(PROBE_TRACE);
	/* In a user namespace of its own, as the programs of a sandbox: that gives us a right over it, user_namespaces(7). */
	pid_t pid = trace ? (pid_t)syscall(SYS_clone, SIGCHLD | CLONE_NEWUSER, NULL, NULL, NULL, 0) : -1;
	int status;

	if (!trace || pid < 0)
		return kc_error_errno(err, trace ? errno : ENOMEM, "trace a program of our own");
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* cannot fail for a signal that there is */
		for (;;)
			(void)pause();
	}
	status = kc_trace_attach(trace, pid, err);
	(void)kill(pid, SIGKILL); /* ours, and not reaped yet */
	(void)waitpid(pid, NULL, 0);
	return status < 0 ? status : kc_trace_finish(trace, err);
}

/* --- Telling --- */

void kc_trace_tell(const char *scratch, struct kc_result *result)
{
	char path[PATH_MAX], first[PATH_MAX] = "";
	unsigned int count = 0;
	struct stat status;
	bool is_cut = false;

	for (unsigned int number = 1;; number++) {
		(void)snprintf(path, sizeof(path), "%s/program-%u", scratch, number);
		if (lstat(path, &status) < 0)
			break;
		(void)snprintf(path, sizeof(path), "%s/program-%u/" KC_TRACE_FILE, scratch, number);
		if (lstat(path, &status) < 0)
			continue; /* strace did not come so far */
		if (!count++)
			memcpy(first, path, sizeof(first));
		is_cut |= status.st_size >= (off_t)KC_TRACE_BYTES;
	}
	if (count == 1)
		kc_result_property(result, "trace", "%s", first);
	else if (count)
		kc_result_property(result, "trace", "%s/program-*/" KC_TRACE_FILE " (%u programs)", scratch,
				   count);
	if (is_cut)
		kc_result_property(result, "trace-cut-off", "after %u MiB", KC_TRACE_BYTES >> 20);
}
