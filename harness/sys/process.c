#include "sys/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/fd.h"
#include "sys/signals.h"
#include "sys/time.h"

struct running {
	pid_t pid;
	struct pollfd streams[3]; /* standard output, standard error, and whether we are interrupted */
	struct kc_buffer *sinks[2];
};

/* The whole input is there before the program starts, so that neither waits for the other. */
static int open_input(const struct kc_buffer *input)
{
	int fd;

	if (!input)
		return open("/dev/null", O_RDWR | O_CLOEXEC);
	fd = kc_fd_of_bytes("input", kc_buffer_string(input), input->length);
	if (fd < 0)
		errno = -fd;
	return fd;
}

static void child(const struct kc_process *process, int output, int errors, int report, pid_t parent)
{
	sigset_t none;
	int input = open_input(process->input);
	int saved;

	(void)setpgid(0, 0); /* cannot fail for a new child that has not called exec */
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(127);
	if (input < 0 || dup2(input, 0) < 0 || dup2(output, 1) < 0 || dup2(errors, 2) < 0)
		goto failed;
	if (process->directory && chdir(process->directory) < 0)
		goto failed;
	for (size_t i = 0; process->environment && process->environment[i]; i++)
		if (putenv((char *)(uintptr_t)process->environment[i]) != 0)
			goto failed;
	(void)execvp(process->argv[0], (char *const *)(uintptr_t)process->argv);
failed:
	saved = errno;
	/* With the pipe gone there is nobody else to tell. */
	_exit(kc_fd_write_all(report, &saved, sizeof(saved)) < 0 ? 126 : 127);
}

/* Moves what a stream has to its sink. 1 while it is open. */
static int drain(struct pollfd *stream, struct kc_buffer *sink)
{
	char chunk[16384];
	ssize_t got = read(stream->fd, chunk, sizeof(chunk));

	if (got > 0)
		return sink ? (kc_buffer_append(sink, chunk, (size_t)got) < 0 ? -E2BIG : 1) : 1;
	if (got < 0 && (errno == EINTR || errno == EAGAIN))
		return 1;
	kc_fd_close(&stream->fd);
	return 0;
}

static int collect(struct running *running, int64_t deadline_ms)
{
	while (running->streams[0].fd >= 0 || running->streams[1].fd >= 0) {
		int64_t left = deadline_ms - kc_now_ms();
		int ready;

		if (left <= 0)
			return -ETIMEDOUT;
		if (kc_signals_caught())
			return -EINTR;
		ready = poll(running->streams, KC_ARRAY_LENGTH(running->streams),
			     (int)(left > 60000 ? 60000 : left));
		if (ready < 0 && errno != EINTR)
			return -errno;
		for (int i = 0; ready > 0 && i < 2; i++) {
			if (running->streams[i].fd < 0 || !running->streams[i].revents)
				continue;
			if (drain(&running->streams[i], running->sinks[i]) < 0)
				return -E2BIG;
		}
	}
	return 0;
}

static int finish(struct running *running, int failed, int *ret_status)
{
	siginfo_t ended;
	int status = 0;

	if (failed)
		(void)kill(-running->pid, SIGKILL); /* gone already is as good */
	/* The zombie keeps the group's number from being given away until what the program left in it is
	 * killed. */
	while (waitid(P_PID, (id_t)running->pid, &ended, WEXITED | WNOWAIT) < 0 && errno == EINTR)
		;
	(void)kill(-running->pid, SIGKILL);
	while (waitpid(running->pid, &status, 0) < 0 && errno == EINTR)
		;
	*ret_status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	return failed;
}

int kc_process_run(const struct kc_process *process, int *ret_status, struct kc_error *err)
{
	int output[2] = { -1, -1 }, errors[2] = { -1, -1 }, report[2] = { -1, -1 };
	int64_t deadline_ms = kc_now_ms() + process->timeout_ms;
	struct running running = { .sinks = { process->output, process->errors } };
	pid_t parent = getpid();
	int failed, child_errno = 0, exit_status = 0;

	if (pipe2(output, O_CLOEXEC) < 0 || pipe2(errors, O_CLOEXEC) < 0 || pipe2(report, O_CLOEXEC) < 0) {
		failed = kc_error_errno(err, errno, "run `%s`: pipe", process->argv[0]);
		goto out;
	}
	running.pid = fork();
	if (running.pid < 0) {
		failed = kc_error_errno(err, errno, "run `%s`: fork", process->argv[0]);
		goto out;
	}
	if (running.pid == 0)
		child(process, output[1], errors[1], report[1], parent);
	(void)setpgid(running.pid, running.pid); /* both sides do: whoever kills the group must find it */
	kc_fd_close(&output[1]);
	kc_fd_close(&errors[1]);
	kc_fd_close(&report[1]);
	running.streams[0] = (struct pollfd){ .fd = KC_STEAL_FD(output[0]), .events = POLLIN };
	running.streams[1] = (struct pollfd){ .fd = KC_STEAL_FD(errors[0]), .events = POLLIN };
	running.streams[2] = (struct pollfd){ .fd = kc_signals_fd(), .events = POLLIN };
	failed = finish(&running, collect(&running, deadline_ms), &exit_status);
	kc_fd_close(&running.streams[0].fd);
	kc_fd_close(&running.streams[1].fd);
	if (read(report[0], &child_errno, sizeof(child_errno)) == (ssize_t)sizeof(child_errno))
		failed = kc_error_errno(err, child_errno, "run `%s`", process->argv[0]);
	else if (failed == -EINTR && kc_signals_check(err) < 0)
		(void)kc_error_prefix(err, "run `%s`", process->argv[0]);
	else if (failed == -ETIMEDOUT)
		failed = kc_error_set(err, ETIMEDOUT, "run `%s`: not done after %lld s", process->argv[0],
				      (long long)(process->timeout_ms / 1000));
	else if (failed < 0)
		failed = kc_error_errno(err, failed, "run `%s`: read its output", process->argv[0]);
	else
		*ret_status = exit_status;
out:
	for (int i = 0; i < 2; i++) {
		kc_fd_close(&output[i]);
		kc_fd_close(&errors[i]);
		kc_fd_close(&report[i]);
	}
	return failed;
}
