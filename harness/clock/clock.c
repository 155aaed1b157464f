#include "clock/clock.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clock/internal.h"
#include "sys/fd.h"
#include "sys/time.h"

#define MOST_POLLED 256 /* descriptors of one poll */
/* Nothing announces that a thread has gone to sleep: we look again after a pause, which grows. */
#define FIRST_PAUSE_NS 20000
#define LAST_PAUSE_NS 1000000
#define DEATH_PATIENCE_MS 5000

#define OPTIONS                                                                                              \
	(PTRACE_O_EXITKILL | PTRACE_O_TRACESECCOMP | PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC |            \
	 PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACEVFORKDONE | PTRACE_O_TRACECLONE)

static int64_t read_clock(clockid_t id)
{
	struct timespec now;

	(void)clock_gettime(id, &now); /* cannot fail for the clocks asked for, clock_gettime(2) */
	return (int64_t)now.tv_sec * KC_CLOCK_SECOND + now.tv_nsec;
}

int64_t kc_clock_real_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

bool kc_clock_has_id(int64_t id)
{
	return id >= 0 && id < KC_CLOCK_IDS && id != CLOCK_PROCESS_CPUTIME_ID &&
	       id != CLOCK_THREAD_CPUTIME_ID && id != 10 /* CLOCK_SGI_CYCLE, removed */;
}

/* Coarse and alarm forms begin with the fine clock, so that all agree. */
static void begin_clocks(struct kc_clock *clock)
{
	static const clockid_t read_for[KC_CLOCK_IDS] = {
		[CLOCK_REALTIME] = CLOCK_REALTIME,
		[CLOCK_MONOTONIC] = CLOCK_MONOTONIC,
		[CLOCK_MONOTONIC_RAW] = CLOCK_MONOTONIC_RAW,
		[CLOCK_REALTIME_COARSE] = CLOCK_REALTIME,
		[CLOCK_MONOTONIC_COARSE] = CLOCK_MONOTONIC,
		[CLOCK_BOOTTIME] = CLOCK_BOOTTIME,
		[CLOCK_REALTIME_ALARM] = CLOCK_REALTIME,
		[CLOCK_BOOTTIME_ALARM] = CLOCK_BOOTTIME,
		[CLOCK_TAI] = CLOCK_TAI,
	};
	int64_t fine_ns[KC_CLOCK_IDS] = { 0 };

	for (int id = 0; id < KC_CLOCK_IDS; id++)
		if (kc_clock_has_id(id) && !fine_ns[read_for[id]])
			fine_ns[read_for[id]] = read_clock(read_for[id]);
	for (int id = 0; id < KC_CLOCK_IDS; id++)
		clock->base_ns[id] = kc_clock_has_id(id) ? fine_ns[read_for[id]] : 0;
}

int64_t kc_clock_elapsed_ns(const struct kc_clock *clock)
{
	if (clock->rate == 0)
		return clock->elapsed_ns;
	return clock->elapsed_ns + (kc_clock_real_ns() - clock->since_ns) * clock->rate;
}

int64_t kc_clock_now_ms(const struct kc_clock *clock)
{
	return (clock->base_ns[CLOCK_MONOTONIC] + kc_clock_elapsed_ns(clock)) / 1000000;
}

void kc_clock_set_rate(struct kc_clock *clock, unsigned int rate)
{
	clock->elapsed_ns = kc_clock_elapsed_ns(clock);
	clock->since_ns = kc_clock_real_ns();
	clock->rate = rate;
}

bool kc_clock_has_ended(const struct kc_clock *clock)
{
	return clock->has_ended;
}

const char *kc_clock_leak(const struct kc_clock *clock)
{
	return clock->leak;
}

int kc_clock_watch(struct kc_clock *clock, int diagnosis, const int *fds, size_t count, struct kc_error *err)
{
	free(clock->watched);
	clock->watched_count = 0;
	clock->watched = calloc(count + 1, sizeof(*clock->watched));
	if (!clock->watched)
		return kc_error_errno(err, ENOMEM, "watch connections");
	for (size_t i = 0; i < count; i++)
		clock->watched[i].fd = fds[i];
	clock->watched_count = count;
	clock->diagnosis = diagnosis;
	return 0;
}

int kc_clock_new(const struct kc_clock_options *options, struct kc_clock **ret_clock, struct kc_error *err)
{
	struct kc_clock *clock = calloc(1, sizeof(*clock));
	sigset_t child;

	if (!clock)
		return kc_error_errno(err, ENOMEM, "start a virtual clock");
	clock->options = *options;
	clock->diagnosis = -1;
	(void)sigemptyset(&child);
	(void)sigaddset(&child, SIGCHLD);
	clock->signal_fd = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
	if (clock->signal_fd < 0) {
		free(clock);
		return kc_error_errno(err, errno, "start a virtual clock: signalfd");
	}
	(void)sigprocmask(SIG_BLOCK, &child, &clock->mask);
	begin_clocks(clock);
	*ret_clock = clock;
	return 0;
}

static int attach_error(int errno_value, struct kc_error *err)
{
	(void)kc_error_errno(err, errno_value, "trace a program of our own (ptrace)");
	kc_error_hint(err,
		      "containers need the capability SYS_PTRACE or a seccomp profile that allows ptrace; "
		      "/proc/sys/kernel/yama/ptrace_scope must be 0 or 1");
	return -errno_value;
}

int kc_clock_attach(struct kc_clock *clock, pid_t pid, struct kc_error *err)
{
	int status;

	assert(!clock->program);
	if (ptrace(PTRACE_SEIZE, pid, NULL, OPTIONS) < 0)
		return attach_error(errno, err);
	status = kc_clock_add_thread(clock, pid, NULL);
	if (status < 0)
		return kc_error_errno(err, status, "trace a program");
	clock->program = pid;
	return 0;
}

static int probe_tracing(struct kc_error *err)
{
	struct kc_registers registers;
	int stop, status = 0;
	pid_t pid = fork();

	if (pid < 0)
		return kc_error_errno(err, errno, "trace a program of our own: fork");
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* cannot fail for a signal that there is */
		for (;;)
			(void)pause();
	}
	if (ptrace(PTRACE_SEIZE, pid, NULL, OPTIONS) < 0 || ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) < 0 ||
	    waitpid(pid, &stop, __WALL) < 0)
		status = -errno;
	else
		status = kc_registers_read(pid, &registers);
	if (status == 0)
		status = kc_clock_probe_thread(pid);
	(void)kill(pid, SIGKILL); /* ours, and not reaped yet */
	(void)waitpid(pid, NULL, __WALL);
	return status < 0 ? attach_error(-status, err) : 0;
}

int kc_clock_probe(struct kc_error *err)
{
	int status = probe_tracing(err);

	return status < 0 ? status : kc_clock_probe_diagnosis(err);
}

/* Stops */

static int resume(pid_t tid, int request, int signal)
{
	return ptrace((enum __ptrace_request)request, tid, NULL, (void *)(uintptr_t)signal) < 0 ? -errno : 0;
}

/* A thread that is not the first one executes under the first one's number, ptrace(2). */
static int on_exec(struct kc_clock *clock, struct kc_clock_thread *thread)
{
	unsigned long former = 0;

	if (ptrace(PTRACE_GETEVENTMSG, thread->tid, NULL, &former) == 0 && (pid_t)former != thread->tid) {
		struct kc_clock_thread *gone = kc_clock_find_thread(clock, (pid_t)former);
		pid_t tid = thread->tid;

		if (gone)
			kc_clock_drop_thread(clock, gone);
		thread = kc_clock_find_thread(clock, tid);
	}
	kc_fd_close(&thread->status_fd); /* of what it was before, whose permissions they have */
	kc_fd_close(&thread->syscall_fd);
	thread->waits = NULL;
	return thread->is_real ? 0 : kc_clock_hide_vdso(thread->tid);
}

static int on_child(struct kc_clock *clock, const struct kc_clock_thread *parent)
{
	unsigned long tid = 0;
	int status;

	if (ptrace(PTRACE_GETEVENTMSG, parent->tid, NULL, &tid) < 0)
		return -errno;
	status = kc_clock_add_thread(clock, (pid_t)tid, parent);
	return status == -ESRCH ? 0 : status; /* the child was killed, not its parent */
}

/* Returns the request that resumes the thread and the signal that it is given, or a negative errno. */
static int on_event(struct kc_clock *clock, struct kc_clock_thread *thread, int event, int *signal)
{
	int status = 0;

	switch (event) {
	case PTRACE_EVENT_SECCOMP:
		*signal = 0;
		return kc_clock_enter(clock, thread);
	case PTRACE_EVENT_EXEC:
		status = on_exec(clock, thread);
		break;
	case PTRACE_EVENT_FORK:
	case PTRACE_EVENT_VFORK:
	case PTRACE_EVENT_CLONE:
		thread->is_vforking = event == PTRACE_EVENT_VFORK; /* until its next stop */
		status = on_child(clock, thread);
		break;
	case PTRACE_EVENT_STOP:
		/* A stop signal stops the process as long as it should; else this is our interruption. */
		if (*signal != SIGTRAP) {
			kc_clock_note_stop(thread);
			*signal = 0;
			return PTRACE_LISTEN;
		}
		break;
	default:
		break;
	}
	*signal = 0;
	return status < 0 ? status : PTRACE_CONT;
}

static int on_stop(struct kc_clock *clock, struct kc_clock_thread *thread, int stop)
{
	int signal = WSTOPSIG(stop), event = stop >> 16, request = PTRACE_CONT;
	pid_t tid = thread->tid;

	thread->is_stopped = thread->is_vforking = false;
	if (event) {
		request = on_event(clock, thread, event, &signal);
	} else if (signal == (SIGTRAP | 0x80)) {
		request = kc_clock_leave(clock, thread);
		signal = 0;
	}
	return request < 0 ? request : resume(tid, request, signal);
}

static void on_end(struct kc_clock *clock, struct kc_clock_thread *thread)
{
	if (thread->tid == thread->process)
		kc_clock_drop_timers(clock, thread->process);
	if (thread->tid == clock->program)
		clock->has_ended = true;
	kc_clock_drop_thread(clock, thread);
}

/* Takes what the thread has to say. 1 if it had something, 0, or a negative errno. The table may have changed. */
static int serve_thread(struct kc_clock *clock, size_t index, struct kc_error *err)
{
	pid_t tid = clock->threads[index].tid;
	int stop = 0, status;
	pid_t got = waitpid(tid, &stop, __WALL | WNOHANG);

	if (got == 0 || (got < 0 && errno == EINTR))
		return 0;
	if (got < 0 || WIFEXITED(stop) || WIFSIGNALED(stop)) {
		/* ECHILD: another thread of its process has executed a program. */
		on_end(clock, &clock->threads[index]);
		return 1;
	}
	status = on_stop(clock, &clock->threads[index], stop);
	/* ESRCH: killed while it was stopped; its end is reported next. */
	return status < 0 && status != -ESRCH ? kc_error_errno(err, status, "trace a program") : 1;
}

/* Takes all that there is. Whether there was anything, or a negative errno. */
static int serve(struct kc_clock *clock, struct kc_error *err)
{
	struct signalfd_siginfo discarded;
	bool any = false, more;

	while (read(clock->signal_fd, &discarded, sizeof(discarded)) > 0)
		; /* before looking: what comes after is told anew */
	do {
		more = false;
		for (size_t i = 0; i < clock->thread_count; i++) {
			int status = serve_thread(clock, i, err);

			if (status < 0)
				return status;
			more |= status > 0;
		}
		any |= more;
	} while (more);
	return any;
}

/* Time */

static int64_t next_deadline(const struct kc_clock *clock)
{
	int64_t next_ns = kc_clock_next_timer(clock);

	for (size_t i = 0; i < clock->thread_count; i++) {
		const struct kc_clock_thread *thread = &clock->threads[i];

		if (thread->waits && !thread->is_due && thread->deadline_ns < next_ns)
			next_ns = thread->deadline_ns;
	}
	return next_ns;
}

/* Whoever has waited until now is taken out of the kernel's wait; what its call returns is decided at its exit. */
static bool wake_due(struct kc_clock *clock)
{
	int64_t now_ns = kc_clock_elapsed_ns(clock);
	bool any = kc_clock_next_timer(clock) <= now_ns;

	kc_clock_ring_timers(clock);
	for (size_t i = 0; i < clock->thread_count; i++) {
		struct kc_clock_thread *thread = &clock->threads[i];

		if (!thread->waits || thread->is_due || thread->deadline_ns > now_ns)
			continue;
		thread->is_due = true;
		any = true;
		(void)ptrace(PTRACE_INTERRUPT, thread->tid, NULL, NULL); /* gone already is as good */
	}
	return any;
}

/* In real time, until somebody stops, a descriptor is ready, or the pause is over. Returns as poll(2), without our own. */
static int pause_for(const struct kc_clock *clock, struct pollfd *fds, size_t count, int64_t pause_ns)
{
	struct pollfd all[MOST_POLLED + 1];
	const struct timespec pause = { .tv_sec = (time_t)(pause_ns / KC_CLOCK_SECOND),
					.tv_nsec = (long)(pause_ns % KC_CLOCK_SECOND) };
	int ready;

	if (count)
		memcpy(all, fds, count * sizeof(*fds));
	all[count] = (struct pollfd){ .fd = clock->signal_fd, .events = POLLIN };
	ready = ppoll(all, count + 1, &pause, NULL);
	if (ready <= 0)
		return 0; /* a signal is not for us */
	for (size_t i = 0; i < count; i++)
		fds[i].revents = all[i].revents;
	return ready - (all[count].revents ? 1 : 0);
}

/* How long nobody needs us, in real time, if nothing happens. */
static int64_t longest_pause(const struct kc_clock *clock, int64_t end_ns, int64_t pause_ns)
{
	int64_t next_ns = next_deadline(clock), left_ns;

	if (clock->rate == 0)
		return pause_ns;
	left_ns = (next_ns < end_ns ? next_ns : end_ns) - kc_clock_elapsed_ns(clock);
	left_ns = left_ns > 0 ? left_ns / clock->rate + 1 : 0;
	/* The real deadline has to be seen. */
	return left_ns < KC_CLOCK_SECOND / 10 ? left_ns : KC_CLOCK_SECOND / 10;
}

static void jump(struct kc_clock *clock, int64_t end_ns)
{
	int64_t next_ns = next_deadline(clock);

	if (next_ns > end_ns)
		next_ns = end_ns;
	if (next_ns > clock->elapsed_ns)
		clock->elapsed_ns = next_ns;
}

/* Lets the program act, then looks at the descriptors: what it has sent by now belongs to this moment, before any jump. As
 * poll(2); *pause_ns begins anew when anything happened. */
static int act(struct kc_clock *clock, struct pollfd *fds, size_t count, int64_t *pause_ns,
	       struct kc_error *err)
{
	int served = serve(clock, err);

	if (served < 0)
		return served;
	if (served || wake_due(clock))
		*pause_ns = FIRST_PAUSE_NS;
	return pause_for(clock, fds, count, 0);
}

/* Until something can have changed: by a jump, or in real time. */
static void wait_for_change(struct kc_clock *clock, struct pollfd *fds, size_t count, int64_t end_ns,
			    int64_t *pause_ns)
{
	if (clock->rate == 0 && kc_clock_is_still(clock)) {
		if (pause_for(clock, fds, count, 0) == 0)
			jump(clock, end_ns);
		return;
	}
	(void)pause_for(clock, fds, count, longest_pause(clock, end_ns, *pause_ns));
	*pause_ns = *pause_ns < LAST_PAUSE_NS / 2 ? *pause_ns * 2 + FIRST_PAUSE_NS : LAST_PAUSE_NS;
}

int kc_clock_poll(struct kc_clock *clock, struct pollfd *fds, size_t count, int64_t timeout_ms,
		  struct kc_error *err)
{
	int64_t end_ns = kc_clock_elapsed_ns(clock) + timeout_ms * 1000000, pause_ns = 0;

	assert(count <= MOST_POLLED);
	for (;;) {
		int ready = act(clock, fds, count, &pause_ns, err);

		if (ready != 0 || kc_clock_elapsed_ns(clock) >= end_ns)
			return ready;
		if (clock->options.deadline_ms && kc_now_ms() >= clock->options.deadline_ms)
			return kc_error_set(err, ETIMEDOUT, "virtual time: not done at the time limit");
		wait_for_change(clock, fds, count, end_ns, &pause_ns);
	}
}

/* A child that was about to be born when its parent was killed is ours without our having heard of it: proc_pid_status(5). */
static bool is_traced_by_us(pid_t pid)
{
	char path[64], line[256];
	long tracer = 0;
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/%ld/status", (long)pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (strncmp(line, "TracerPid:", strlen("TracerPid:")) == 0)
			tracer = strtol(line + strlen("TracerPid:"), NULL, 10);
	if (file)
		(void)fclose(file); /* was only read */
	return tracer == getpid();
}

static void reap_strays(void)
{
	siginfo_t found = { 0 };

	while (waitid(P_ALL, 0, &found, WEXITED | WSTOPPED | WNOHANG | WNOWAIT | __WALL) == 0 &&
	       found.si_pid && is_traced_by_us(found.si_pid)) {
		int stop;

		(void)kill(found.si_pid, SIGKILL);
		while (waitpid(found.si_pid, &stop, __WALL) > 0 && WIFSTOPPED(stop))
			;
		found.si_pid = 0;
	}
}

/* In whatever order they go: a process' first thread is reported when all the others are. One that hangs in the kernel
 * (HOSTILE E8) is left to PTRACE_O_EXITKILL and whoever reaps us. */
static void reap_all(struct kc_clock *clock)
{
	int64_t patience_ms = kc_now_ms() + DEATH_PATIENCE_MS;

	while (clock->thread_count && kc_now_ms() < patience_ms) {
		size_t before = clock->thread_count;

		for (size_t i = clock->thread_count; i-- > 0;) {
			int stop;
			pid_t got = waitpid(clock->threads[i].tid, &stop, __WALL | WNOHANG);

			if ((got < 0 && errno != EINTR) || (got > 0 && !WIFSTOPPED(stop)))
				on_end(clock, &clock->threads[i]);
		}
		if (clock->thread_count == before)
			(void)pause_for(clock, NULL, 0, LAST_PAUSE_NS);
	}
	while (clock->thread_count)
		on_end(clock, &clock->threads[0]);
}

void kc_clock_release(struct kc_clock **clock)
{
	struct kc_clock *old = *clock;

	if (!old)
		return;
	for (size_t i = 0; i < old->thread_count; i++)
		(void)kill(old->threads[i].tid, SIGKILL); /* a tracer's zombies keep their numbers */
	reap_all(old);
	reap_strays();
	kc_clock_drop_timers(old, 0);
	kc_fd_close(&old->signal_fd);
	(void)sigprocmask(SIG_SETMASK, &old->mask, NULL);
	free(old->watched);
	free(old->threads);
	free(old);
	*clock = NULL;
}
