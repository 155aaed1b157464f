/* What rings by itself: timerfd_create(2) and setitimer(2). In the kernel they are disarmed, until we ring them. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "clock/internal.h"
#include "sys/fd.h"

#define RING_LOOKS                                                                                           \
	200	    /* at a timer of a nanosecond, whose interrupt comes within microseconds, on this CPU */
#define KCMP_FILE 0 /* linux/kcmp.h */

static struct timespec to_timespec(int64_t ns)
{
	return (struct timespec){ .tv_sec = (time_t)(ns / KC_CLOCK_SECOND),
				  .tv_nsec = (long)(ns % KC_CLOCK_SECOND) };
}

static int64_t rest_of(const struct kc_clock *clock, const struct kc_clock_timer *timer)
{
	int64_t rest_ns = timer->deadline_ns - kc_clock_elapsed_ns(clock);

	if (timer->deadline_ns == KC_CLOCK_NEVER)
		return 0;
	return rest_ns > 0 ? rest_ns : 1; /* armed, which 0 would deny */
}

static struct kc_clock_timer *add_timer(struct kc_clock *clock, pid_t process, int fd)
{
	struct kc_clock_timer *timer;

	if (clock->timer_count == KC_CLOCK_TIMERS)
		return NULL;
	timer = &clock->timers[clock->timer_count++];
	*timer = (struct kc_clock_timer){ .process = process, .fd = fd, .deadline_ns = KC_CLOCK_NEVER };
	return timer;
}

/* A value of 0 disarms. */
static void arm(const struct kc_clock *clock, struct kc_clock_timer *timer, int64_t value_ns,
		int64_t interval_ns)
{
	timer->interval_ns = interval_ns;
	timer->deadline_ns = value_ns ? kc_clock_elapsed_ns(clock) + value_ns : KC_CLOCK_NEVER;
}

static int finish(struct kc_clock_thread *thread, struct kc_registers *registers, int64_t result)
{
	int status = kc_registers_skip(thread->tid, registers, result);

	return status < 0 ? status : PTRACE_CONT;
}

/* timerfd */

/* Our duplicate of their descriptor; fds of one open timer are the same to kcmp(2). */
static struct kc_clock_timer *find_timerfd(struct kc_clock *clock, pid_t process, int fd)
{
	KC_CLEANUP_FD int pidfd = pidfd_open(process, 0);
	KC_CLEANUP_FD int duplicate = pidfd < 0 ? -1 : pidfd_getfd(pidfd, fd, 0);
	struct kc_clock_timer *timer;

	if (duplicate < 0)
		return NULL;
	for (size_t i = 0; i < clock->timer_count; i++)
		if (clock->timers[i].process == 0 &&
		    syscall(SYS_kcmp, getpid(), getpid(), KCMP_FILE, duplicate, clock->timers[i].fd) == 0)
			return &clock->timers[i];
	timer = add_timer(clock, 0, duplicate);
	if (timer)
		duplicate = -1;
	return timer;
}

/* The clock that a timerfd was made for, proc_pid_fdinfo(5). Negative if `fd` is none. */
static int64_t timerfd_clock(pid_t process, int fd)
{
	char path[64], line[128];
	int64_t id = -ENOENT;
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/%ld/fdinfo/%d", (long)process, fd);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (strncmp(line, "clockid:", strlen("clockid:")) == 0)
			id = strtol(line + strlen("clockid:"), NULL, 10);
	if (file)
		(void)fclose(file); /* was only read */
	return id;
}

static int tell_timerfd(const struct kc_clock *clock, const struct kc_clock_timer *timer, pid_t tid,
			uint64_t address)
{
	const struct itimerspec now = { .it_value = to_timespec(rest_of(clock, timer)),
					.it_interval = to_timespec(timer->interval_ns) };

	return kc_clock_write_memory(tid, address, &now, sizeof(now));
}

static bool is_valid(const struct timespec *time)
{
	return time->tv_sec >= 0 && time->tv_sec < KC_CLOCK_NEVER / KC_CLOCK_SECOND / 2 &&
	       time->tv_nsec >= 0 && time->tv_nsec < KC_CLOCK_SECOND;
}

static int64_t ns_of(const struct timespec *time)
{
	return (int64_t)time->tv_sec * KC_CLOCK_SECOND + time->tv_nsec;
}

static bool read_timer(pid_t tid, uint64_t address, struct itimerspec *ret_wanted)
{
	return kc_clock_read_memory(tid, address, ret_wanted, sizeof(*ret_wanted)) == 0 &&
	       is_valid(&ret_wanted->it_value) && is_valid(&ret_wanted->it_interval);
}

int kc_clock_timerfd_settime(struct kc_clock *clock, struct kc_clock_thread *thread,
			     struct kc_registers *registers)
{
	static const struct itimerspec disarmed;
	int fd = (int32_t)*kc_registers_argument(registers, 0);
	uint64_t old = *kc_registers_argument(registers, 3);
	int64_t id = timerfd_clock(thread->process, fd);
	struct kc_clock_timer *timer;
	struct itimerspec wanted;

	/* What the kernel refuses it shall refuse itself. */
	if (!kc_clock_has_id(id) || !read_timer(thread->tid, *kc_registers_argument(registers, 2), &wanted))
		return PTRACE_CONT;
	timer = find_timerfd(clock, thread->process, fd);
	if (!timer) {
		clock->leak = "timerfd_settime";
		return PTRACE_CONT;
	}
	if (old && tell_timerfd(clock, timer, thread->tid, old) < 0)
		return finish(thread, registers, -EFAULT);
	if (timerfd_settime(timer->fd, 0, &disarmed, NULL) < 0)
		return -errno;
	arm(clock, timer, ns_of(&wanted.it_value), ns_of(&wanted.it_interval));
	if ((*kc_registers_argument(registers, 1) & TFD_TIMER_ABSTIME) &&
	    timer->deadline_ns != KC_CLOCK_NEVER)
		timer->deadline_ns = ns_of(&wanted.it_value) - clock->base_ns[id];
	return finish(thread, registers, 0);
}

int kc_clock_timerfd_gettime(struct kc_clock *clock, struct kc_clock_thread *thread,
			     struct kc_registers *registers)
{
	int fd = (int32_t)*kc_registers_argument(registers, 0);
	struct kc_clock_timer *timer;

	if (!kc_clock_has_id(timerfd_clock(thread->process, fd)))
		return PTRACE_CONT;
	timer = find_timerfd(clock, thread->process, fd);
	if (!timer) {
		clock->leak = "timerfd_gettime";
		return PTRACE_CONT;
	}
	if (tell_timerfd(clock, timer, thread->tid, *kc_registers_argument(registers, 1)) < 0)
		return finish(thread, registers, -EFAULT);
	return finish(thread, registers, 0);
}

/* It expires at once, by an interrupt. Looking at it gives that the time it needs; a reader may have been faster than we. */
static void ring_timerfd(const struct kc_clock_timer *timer)
{
	static const struct itimerspec at_once = { .it_value = { .tv_nsec = 1 } };
	struct pollfd ready = { .fd = timer->fd, .events = POLLIN };

	if (timerfd_settime(timer->fd, 0, &at_once, NULL) < 0)
		return; /* cannot fail for a timer that was set before */
	for (int i = 0; i < RING_LOOKS && poll(&ready, 1, 0) == 0; i++)
		;
}

/* ITIMER_REAL */

static struct kc_clock_timer *find_itimer(struct kc_clock *clock, pid_t process)
{
	for (size_t i = 0; i < clock->timer_count; i++)
		if (clock->timers[i].process == process)
			return &clock->timers[i];
	return add_timer(clock, process, -1);
}

static struct itimerval tell_itimer(const struct kc_clock *clock, const struct kc_clock_timer *timer)
{
	int64_t rest_us = (rest_of(clock, timer) + 999) / 1000, interval_us = timer->interval_ns / 1000;

	return (struct itimerval){ .it_value = { .tv_sec = rest_us / 1000000, .tv_usec = rest_us % 1000000 },
				   .it_interval = { .tv_sec = interval_us / 1000000,
						    .tv_usec = interval_us % 1000000 } };
}

int kc_clock_setitimer(struct kc_clock *clock, struct kc_clock_thread *thread, struct kc_registers *registers)
{
	uint64_t given = *kc_registers_argument(registers, 1), old = *kc_registers_argument(registers, 2);
	struct kc_clock_timer *timer;
	struct itimerval wanted = { 0 }, before;
	struct timespec value, interval;

	if (*kc_registers_argument(registers, 0) != ITIMER_REAL ||
	    (given && kc_clock_read_memory(thread->tid, given, &wanted, sizeof(wanted)) < 0))
		return PTRACE_CONT;
	value = (struct timespec){ .tv_sec = wanted.it_value.tv_sec,
				   .tv_nsec = wanted.it_value.tv_usec * 1000 };
	interval = (struct timespec){ .tv_sec = wanted.it_interval.tv_sec,
				      .tv_nsec = wanted.it_interval.tv_usec * 1000 };
	if (!is_valid(&value) || !is_valid(&interval))
		return PTRACE_CONT;
	timer = find_itimer(clock, thread->process);
	if (!timer) {
		clock->leak = "setitimer";
		return PTRACE_CONT;
	}
	before = tell_itimer(clock, timer);
	if (old && kc_clock_write_memory(thread->tid, old, &before, sizeof(before)) < 0)
		return finish(thread, registers, -EFAULT);
	arm(clock, timer, ns_of(&value), ns_of(&interval));
	return finish(thread, registers, 0);
}

int kc_clock_getitimer(struct kc_clock *clock, struct kc_clock_thread *thread, struct kc_registers *registers)
{
	struct kc_clock_timer *timer;
	struct itimerval now;

	if (*kc_registers_argument(registers, 0) != ITIMER_REAL)
		return PTRACE_CONT;
	timer = find_itimer(clock, thread->process);
	if (!timer)
		return PTRACE_CONT; /* told by setitimer */
	now = tell_itimer(clock, timer);
	if (kc_clock_write_memory(thread->tid, *kc_registers_argument(registers, 1), &now, sizeof(now)) < 0)
		return finish(thread, registers, -EFAULT);
	return finish(thread, registers, 0);
}

int kc_clock_alarm(struct kc_clock *clock, struct kc_clock_thread *thread, struct kc_registers *registers)
{
	struct kc_clock_timer *timer = find_itimer(clock, thread->process);
	int64_t rest_ns;

	if (!timer) {
		clock->leak = "alarm";
		return PTRACE_CONT;
	}
	rest_ns = rest_of(clock, timer);
	arm(clock, timer, (int64_t)(uint32_t)*kc_registers_argument(registers, 0) * KC_CLOCK_SECOND, 0);
	return finish(thread, registers, (rest_ns + KC_CLOCK_SECOND - 1) / KC_CLOCK_SECOND);
}

/* Both */

int64_t kc_clock_next_timer(const struct kc_clock *clock)
{
	int64_t next_ns = KC_CLOCK_NEVER;

	for (size_t i = 0; i < clock->timer_count; i++)
		if (clock->timers[i].deadline_ns < next_ns)
			next_ns = clock->timers[i].deadline_ns;
	return next_ns;
}

void kc_clock_ring_timers(struct kc_clock *clock)
{
	int64_t now_ns = kc_clock_elapsed_ns(clock);

	for (size_t i = 0; i < clock->timer_count; i++) {
		struct kc_clock_timer *timer = &clock->timers[i];

		if (timer->deadline_ns > now_ns)
			continue;
		timer->deadline_ns =
			timer->interval_ns ? timer->deadline_ns + timer->interval_ns : KC_CLOCK_NEVER;
		if (timer->process)
			(void)kill(timer->process, SIGALRM); /* gone already is as good */
		else
			ring_timerfd(timer);
	}
}

void kc_clock_drop_timers(struct kc_clock *clock, pid_t process)
{
	for (size_t i = 0; i < clock->timer_count;)
		if (process == 0 || clock->timers[i].process == process) {
			kc_fd_close(&clock->timers[i].fd);
			clock->timers[i] = clock->timers[--clock->timer_count];
		} else {
			i++;
		}
}
