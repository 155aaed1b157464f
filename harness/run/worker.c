#include "run/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/json.h"
#include "sys/fd.h"
#include "sys/signals.h"
#include "sys/time.h"

/* The worker's own side. */

static void close_others(const struct kc_worker *others, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int fds[] = { others[i].pidfd, others[i].result_fd, others[i].output_fd };

		for (size_t f = 0; others[i].pid && f < KC_ARRAY_LENGTH(fds); f++)
			if (fds[f] >= 0)
				(void)close(fds[f]); /* read ends: nothing to learn */
	}
}

static int send_result(const struct kc_result *result, int fd, struct kc_error *err)
{
	KC_CLEANUP_JSON cJSON *json = NULL;
	KC_CLEANUP_FREE char *text = NULL;
	int status = kc_result_to_json(result, &json, err);

	if (status < 0)
		return status;
	text = cJSON_PrintUnformatted(json);
	if (!text)
		return kc_error_errno(err, ENOMEM, "report the result");
	status = kc_fd_write_all(fd, text, strlen(text));
	return status < 0 ? kc_error_errno(err, status, "report the result") : 0;
}

static int redirect(int output)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (null < 0 || dup2(null, 0) < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0)
		return -errno;
	return null > 2 ? close(null) : 0;
}

static void worker_main(const struct kc_case *row, const struct kc_case_context *template, int result_fd,
			int output_fd)
{
	struct kc_case_context context = *template;
	int64_t started_ms = kc_now_ms();
	struct kc_result result;
	struct kc_error err = { 0 };

	if (redirect(output_fd) < 0)
		_exit(1);
	context.deadline_ms = started_ms + context.timeout_ms;
	kc_result_init(&result);
	row->run(row, &context, &result);
	result.duration_ms = kc_now_ms() - started_ms;
	if (send_result(&result, result_fd, &err) < 0) {
		(void)dprintf(2, "%s\n", err.text); /* the last way out there is */
		_exit(1);
	}
	/* Not exit: what the scheduler had buffered in its streams is its own to write. */
	_exit(0);
}

/* The scheduler's side. */

struct pipes {
	int result[2];
	int output[2];
};

#define PIPES_INIT                                                                                           \
	{                                                                                                    \
		{ -1, -1 },                                                                                  \
		{                                                                                            \
			-1, -1                                                                               \
		}                                                                                            \
	}

static void close_pipes(struct pipes *pipes)
{
	for (int i = 0; i < 2; i++) {
		kc_fd_close(&pipes->result[i]);
		kc_fd_close(&pipes->output[i]);
	}
}

static int open_pipes(struct pipes *pipes, struct kc_error *err)
{
	int status;

	if (pipe2(pipes->result, O_CLOEXEC) < 0 || pipe2(pipes->output, O_CLOEXEC) < 0)
		return kc_error_errno(err, errno, "start a worker: pipe");
	/* Only our ends: the worker's writes have to wait for us. */
	status = kc_fd_set_nonblocking(pipes->result[0], err);
	return status < 0 ? status : kc_fd_set_nonblocking(pipes->output[0], err);
}

/* Forks with every signal blocked, so that none runs the parent's handler in the child. */
static pid_t fork_quietly(sigset_t *ret_mask)
{
	sigset_t all;
	pid_t pid;
	int saved;

	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, ret_mask);
	pid = fork();
	saved = errno;
	if (pid != 0)
		(void)sigprocmask(SIG_SETMASK, ret_mask, NULL);
	errno = saved;
	return pid;
}

static void enter_worker(pid_t parent)
{
	(void)setpgid(0, 0); /* cannot fail for a new child */
	kc_signals_reset();
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(1);
}

int kc_worker_start(struct kc_worker *worker, const struct kc_case *row,
		    const struct kc_case_context *context, int64_t grace_ms, const struct kc_worker *others,
		    size_t other_count, struct kc_error *err)
{
	KC_CLEANUP(close_pipes) struct pipes pipes = PIPES_INIT;
	pid_t parent = getpid(), pid;
	int status = open_pipes(&pipes, err);
	sigset_t mask;
	int pidfd;

	if (status < 0)
		return status;
	pid = fork_quietly(&mask);
	if (pid < 0)
		return kc_error_errno(err, errno, "start a worker: fork");
	if (pid == 0) {
		enter_worker(parent);
		close_others(others, other_count);
		kc_fd_close(&pipes.result[0]);
		kc_fd_close(&pipes.output[0]);
		worker_main(row, context, pipes.result[1], pipes.output[1]);
	}
	(void)setpgid(pid, pid); /* both sides do: whoever kills the group first must find it */
	pidfd = pidfd_open(pid, 0);
	if (pidfd < 0) {
		status = kc_error_errno(err, errno, "start a worker: pidfd_open");
		(void)kill(-pid, SIGKILL);
		(void)waitpid(pid, NULL, 0);
		return status;
	}
	*worker = (struct kc_worker){ .pid = pid,
				      .pidfd = pidfd,
				      .result_fd = KC_STEAL_FD(pipes.result[0]),
				      .output_fd = KC_STEAL_FD(pipes.output[0]),
				      .result = KC_BUFFER_INIT(KC_WORKER_RESULT_LIMIT),
				      .timeout_ms = context->timeout_ms,
				      .started_ms = kc_now_ms() };
	worker->guard_ms = worker->started_ms + context->timeout_ms + grace_ms;
	return 0;
}

/* Reads one pipe as far as it goes; what is printed without end must not keep us here. */
static void drain(struct kc_worker *worker, int *fd, bool is_result)
{
	char chunk[16384];

	for (int i = 0; *fd >= 0 && i < 16; i++) {
		ssize_t got = read(*fd, chunk, sizeof(chunk));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == EAGAIN)
			return;
		if (got <= 0)
			kc_fd_close(fd);
		else if (!is_result)
			kc_excerpt_add(&worker->output, chunk, (size_t)got);
		else if (kc_buffer_append(&worker->result, chunk, (size_t)got) < 0)
			worker->result_overflowed = true;
	}
}

void kc_worker_drain(struct kc_worker *worker)
{
	drain(worker, &worker->result_fd, true);
	drain(worker, &worker->output_fd, false);
	if (worker->result_overflowed)
		kc_worker_stop(worker, false);
}

void kc_worker_stop(struct kc_worker *worker, bool timed_out)
{
	if (!worker->pid)
		return;
	worker->timed_out |= timed_out;
	(void)kill(-worker->pid, SIGKILL); /* gone already is as good */
}

/* True once it has ended. Bounded: a process that hangs in the kernel does not die of SIGKILL either. */
static bool wait_for_end(const struct kc_worker *worker)
{
	struct pollfd ended = { .fd = worker->pidfd, .events = POLLIN };
	int64_t deadline_ms = kc_now_ms() + KC_WORKER_DEATH_MS;
	int64_t left_ms = KC_WORKER_DEATH_MS;
	int ready;

	do {
		ready = poll(&ended, 1, (int)left_ms);
		left_ms = deadline_ms - kc_now_ms();
	} while (ready < 0 && errno == EINTR && left_ms > 0);
	return ready == 1;
}

/* The zombie keeps the group's number from being given away until what is left in the group is killed. */
static bool reap(const struct kc_worker *worker, int *ret_status)
{
	if (!wait_for_end(worker))
		return false;
	(void)kill(-worker->pid, SIGKILL);
	while (waitpid(worker->pid, ret_status, 0) < 0 && errno == EINTR)
		;
	return true;
}

static int read_result(const struct kc_worker *worker, struct kc_result *result, struct kc_error *err)
{
	KC_CLEANUP_JSON cJSON *json = NULL;
	int status =
		kc_json_parse(kc_buffer_string(&worker->result), worker->result.length, "result", &json, err);

	return status < 0 ? status : kc_result_from_json(json, result, err);
}

static void interpret(const struct kc_worker *worker, bool ended, int status, struct kc_result *result)
{
	struct kc_error err = { 0 };

	if (!ended)
		kc_result_broken(result, "its worker, %ld, could not be killed", (long)worker->pid);
	else if (worker->timed_out)
		kc_result_broken(result, "did not report within %g s", (double)worker->timeout_ms / 1000);
	else if (worker->result_overflowed)
		kc_result_broken(result, "reported more than %u bytes", KC_WORKER_RESULT_LIMIT);
	else if (WIFSIGNALED(status))
		kc_result_broken(result, "its worker was killed by SIG%s", sigabbrev_np(WTERMSIG(status)));
	else if (WEXITSTATUS(status) != 0)
		kc_result_broken(result, "its worker ended with exit status %d", WEXITSTATUS(status));
	else if (worker->result.length == 0)
		kc_result_broken(result, "its worker reported nothing");
	else if (read_result(worker, result, &err) < 0)
		kc_result_broken(result, "its worker reported something malformed: %s", err.text);
	else
		return;
	result->duration_ms = kc_now_ms() - worker->started_ms;
}

static void attach_output(const struct kc_worker *worker, struct kc_result *result)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(sizeof(worker->output) + 256);

	if (result->verdict != KC_BROKEN || result->output || !worker->output.head_length)
		return;
	if (kc_excerpt_append_to(&worker->output, &text) < 0)
		return; /* out of memory: the verdict is what counts */
	kc_result_output(result, kc_buffer_string(&text), text.length);
}

void kc_worker_finish(struct kc_worker *worker, struct kc_result *result)
{
	int status = 0;
	bool ended;

	if (!worker->pid)
		return;
	ended = reap(worker, &status);
	/* All that it wrote is in the pipes by now; descendants outside its group may still hold them open.
	 */
	kc_worker_drain(worker);
	if (result) {
		interpret(worker, ended, status, result);
		attach_output(worker, result);
	}
	kc_fd_close(&worker->pidfd);
	kc_fd_close(&worker->result_fd);
	kc_fd_close(&worker->output_fd);
	kc_buffer_release(&worker->result);
	memset(worker, 0, sizeof(*worker));
}
