/* The system calls: what happens at their entry and at their exit. To add one: a row. */
#include <errno.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

#include "base/cleanup.h"
#include "clock/internal.h"

/* Of asking for the time, or whether something has come, in virtual time. */
#define CALL_COST_NS 1000

/* Descriptors of a select. The kernel looks at no more than the program can have open, whatever number it gives. */
#define MOST_SELECTED 65536

/* What the kernel returns from a call that it would make again after a signal without a handler, include/linux/errno.h. */
#define ERESTARTSYS 512
#define ERESTARTNOINTR 513
#define ERESTARTNOHAND 514
#define ERESTART_RESTARTBLOCK 516

enum form {
	FORM_MILLISECONDS, /* in the register */
	FORM_TIMESPEC,	   /* what the argument points to; NULL: no limit */
	FORM_TIMEVAL
};

enum rest {
	REST_UNTOLD = 0,
	REST_TOLD,		/* select(2) */
	REST_TOLD_IF_BROKEN_OFF /* nanosleep(2) */
};

struct kc_clock_row {
	const char *name;
	long number;
	int (*enter)(struct kc_clock *clock, struct kc_clock_thread *thread, struct kc_registers *registers);
	enum form form;
	unsigned char argument; /* the one that says how long */
	short expired;		/* what it returns when the time has passed */
	enum rest rest;
	unsigned char rest_argument; /* where what is left of the time is written */
	bool is_select;
};

static int64_t from_timespec(const struct timespec *time)
{
	/* As long as the kernel's clocks go, which no program waits out. */
	if (time->tv_sec >= KC_CLOCK_NEVER / KC_CLOCK_SECOND)
		return KC_CLOCK_NEVER;
	return (int64_t)time->tv_sec * KC_CLOCK_SECOND + time->tv_nsec;
}

static struct timespec to_timespec(int64_t ns)
{
	return (struct timespec){ .tv_sec = (time_t)(ns / KC_CLOCK_SECOND),
				  .tv_nsec = (long)(ns % KC_CLOCK_SECOND) };
}

static int64_t add(int64_t a_ns, int64_t b_ns)
{
	return b_ns > KC_CLOCK_NEVER - a_ns ? KC_CLOCK_NEVER : a_ns + b_ns;
}

static void cost(struct kc_clock *clock)
{
	if (clock->rate == 0)
		clock->elapsed_ns += CALL_COST_NS;
}

/* Clocks. */

/* Answers without the kernel. An address that is not theirs is their error. */
static int answer(struct kc_clock_thread *thread, struct kc_registers *registers, uint64_t address,
		  const void *bytes, size_t size, int64_t result)
{
	int status = address ? kc_clock_write_memory(thread->tid, address, bytes, size) : 0;

	if (status == -ESRCH)
		return status;
	status = kc_registers_skip(thread->tid, registers, status < 0 ? -EFAULT : result);
	return status < 0 ? status : PTRACE_CONT;
}

static int enter_clock_gettime(struct kc_clock *clock, struct kc_clock_thread *thread,
			       struct kc_registers *registers)
{
	int64_t id = (int32_t)*kc_registers_argument(registers, 0);
	struct timespec now;

	if (!kc_clock_has_id(id))
		return PTRACE_CONT;
	cost(clock);
	now = to_timespec(clock->base_ns[id] + kc_clock_elapsed_ns(clock));
	if (!*kc_registers_argument(registers, 1))
		return PTRACE_CONT; /* the kernel's EFAULT */
	return answer(thread, registers, *kc_registers_argument(registers, 1), &now, sizeof(now), 0);
}

static int enter_gettimeofday(struct kc_clock *clock, struct kc_clock_thread *thread,
			      struct kc_registers *registers)
{
	int64_t now_ns;
	struct timeval now;

	cost(clock);
	now_ns = clock->base_ns[CLOCK_REALTIME] + kc_clock_elapsed_ns(clock);
	now = (struct timeval){ .tv_sec = (time_t)(now_ns / KC_CLOCK_SECOND),
				.tv_usec = (suseconds_t)(now_ns % KC_CLOCK_SECOND / 1000) };
	return answer(thread, registers, *kc_registers_argument(registers, 0), &now, sizeof(now), 0);
}

#ifdef SYS_time
static int enter_time(struct kc_clock *clock, struct kc_clock_thread *thread, struct kc_registers *registers)
{
	time_t now;

	cost(clock);
	now = (time_t)((clock->base_ns[CLOCK_REALTIME] + kc_clock_elapsed_ns(clock)) / KC_CLOCK_SECOND);
	return answer(thread, registers, *kc_registers_argument(registers, 0), &now, sizeof(now), now);
}
#endif

/* Waits. */

/* From here on the thread waits without an end in the kernel, and ours is `deadline_ns`. */
static int wait_until(struct kc_clock_thread *thread, int64_t deadline_ns)
{
	thread->deadline_ns = deadline_ns;
	thread->is_due = false;
	return PTRACE_SYSCALL;
}

/* Of both forms: a timeval, whose size is the same, has microseconds. */
static int64_t read_time(pid_t tid, uint64_t address, enum form form)
{
	const long unit = form == FORM_TIMEVAL ? 1000 : 1;
	struct timespec time;
	int status = kc_clock_read_memory(tid, address, &time, sizeof(time));

	if (status < 0)
		return status;
	if (time.tv_sec < 0 || time.tv_nsec < 0 || time.tv_nsec >= KC_CLOCK_SECOND / unit)
		return -EINVAL;
	time.tv_nsec *= unit;
	return from_timespec(&time);
}

/* How long: -1 for ever, -EINVAL and others: what the kernel will say, too. */
static int64_t read_span(const struct kc_clock_row *row, pid_t tid, struct kc_registers *registers)
{
	uint64_t argument = *kc_registers_argument(registers, row->argument);

	if (row->form != FORM_MILLISECONDS)
		return argument ? read_time(tid, argument, row->form) : -1;
	return (int32_t)argument < 0 ? -1 : (int64_t)(int32_t)argument * 1000000;
}

static int enter_wait(struct kc_clock *clock, struct kc_clock_thread *thread, struct kc_registers *registers)
{
	const struct kc_clock_row *row = thread->waits;
	int64_t span_ns = read_span(row, thread->tid, registers);
	int status;

	if (span_ns == 0)
		cost(clock);
	if (span_ns <= 0)
		return PTRACE_CONT;
	*kc_registers_argument(registers, row->argument) =
		row->form == FORM_MILLISECONDS ? (unsigned long long)-1 : 0;
	status = kc_registers_write(thread->tid, registers);
	return status < 0 ? status : wait_until(thread, add(kc_clock_elapsed_ns(clock), span_ns));
}

/* Moments of a clock of theirs, counted from our beginning. */
static int64_t moment(const struct kc_clock *clock, int64_t id, int64_t time_ns)
{
	return time_ns == KC_CLOCK_NEVER ? time_ns : time_ns - clock->base_ns[id];
}

/* Where the time is given as a moment: of which clock; else -1. futex(2). */
static int64_t futex_clock(uint64_t operation)
{
	bool is_realtime = operation & FUTEX_CLOCK_REALTIME;

	switch (operation & FUTEX_CMD_MASK) {
	case FUTEX_LOCK_PI:
		return CLOCK_REALTIME;
	case FUTEX_WAIT_BITSET:
	case FUTEX_WAIT_REQUEUE_PI:
#ifdef FUTEX_LOCK_PI2
	case FUTEX_LOCK_PI2:
#endif
		return is_realtime ? CLOCK_REALTIME : CLOCK_MONOTONIC;
	default:
		return -1;
	}
}

static int enter_futex(struct kc_clock *clock, struct kc_clock_thread *thread, struct kc_registers *registers)
{
	uint64_t operation = *kc_registers_argument(registers, 1);
	int64_t id = futex_clock(operation), time_ns, deadline_ns;
	int status;

	if (id < 0 && (operation & FUTEX_CMD_MASK) != FUTEX_WAIT)
		return PTRACE_CONT; /* the argument is something else */
	time_ns = read_span(thread->waits, thread->tid, registers);
	if (time_ns < 0)
		return PTRACE_CONT;
	if (id < 0)
		deadline_ns = add(kc_clock_elapsed_ns(clock), time_ns);
	else
		deadline_ns = moment(clock, id, time_ns);
	/* What is over already is for the kernel to refuse, once it has looked at the word. */
	if (deadline_ns <= kc_clock_elapsed_ns(clock)) {
		cost(clock);
		return PTRACE_CONT;
	}
	*kc_registers_argument(registers, 3) = 0;
	status = kc_registers_write(thread->tid, registers);
	return status < 0 ? status : wait_until(thread, deadline_ns);
}

/* A sleep becomes ppoll(2) of nothing, for ever. */
static int sleep_until(struct kc_clock *clock, struct kc_clock_thread *thread, struct kc_registers *registers,
		       int64_t deadline_ns)
{
	int status;

	if (deadline_ns <= kc_clock_elapsed_ns(clock)) {
		cost(clock);
		return answer(thread, registers, 0, NULL, 0, 0);
	}
	for (unsigned int i = 0; i < 4; i++)
		*kc_registers_argument(registers, i) = 0;
	status = kc_registers_replace(thread->tid, registers, SYS_ppoll);
	return status < 0 ? status : wait_until(thread, deadline_ns);
}

static int enter_nanosleep(struct kc_clock *clock, struct kc_clock_thread *thread,
			   struct kc_registers *registers)
{
	int64_t span_ns = read_span(thread->waits, thread->tid, registers);

	if (span_ns < 0)
		return PTRACE_CONT;
	return sleep_until(clock, thread, registers, add(kc_clock_elapsed_ns(clock), span_ns));
}

static int enter_clock_nanosleep(struct kc_clock *clock, struct kc_clock_thread *thread,
				 struct kc_registers *registers)
{
	int64_t id = (int32_t)*kc_registers_argument(registers, 0);
	int64_t time_ns = read_span(thread->waits, thread->tid, registers);

	if (time_ns < 0 || !kc_clock_has_id(id))
		return PTRACE_CONT;
	thread->is_moment = *kc_registers_argument(registers, 1) & TIMER_ABSTIME;
	if (thread->is_moment)
		return sleep_until(clock, thread, registers, moment(clock, id, time_ns));
	return sleep_until(clock, thread, registers, add(kc_clock_elapsed_ns(clock), time_ns));
}

/* A call whose time we do not translate. Those with a pointer in `argument` have none if it is NULL. */
static int enter_foreign(struct kc_clock *clock, struct kc_clock_thread *thread,
			 struct kc_registers *registers)
{
	if (*kc_registers_argument(registers, thread->waits->argument))
		clock->leak = thread->waits->name;
	return PTRACE_CONT;
}

#define CALL(call) .name = #call, .number = SYS_##call

static const struct kc_clock_row rows[] = {
	{ CALL(clock_gettime), .enter = enter_clock_gettime },
	{ CALL(gettimeofday), .enter = enter_gettimeofday },
	{ CALL(nanosleep), .enter = enter_nanosleep, .form = FORM_TIMESPEC, .argument = 0,
	  .rest = REST_TOLD_IF_BROKEN_OFF, .rest_argument = 1 },
	{ CALL(clock_nanosleep), .enter = enter_clock_nanosleep, .form = FORM_TIMESPEC, .argument = 2,
	  .rest = REST_TOLD_IF_BROKEN_OFF, .rest_argument = 3 },
	{ CALL(epoll_pwait), .enter = enter_wait, .form = FORM_MILLISECONDS, .argument = 3 },
#ifdef SYS_epoll_pwait2
	{ CALL(epoll_pwait2), .enter = enter_wait, .form = FORM_TIMESPEC, .argument = 3 },
#endif
	{ CALL(ppoll), .enter = enter_wait, .form = FORM_TIMESPEC, .argument = 2, .rest = REST_TOLD,
	  .rest_argument = 2 },
	{ CALL(pselect6), .enter = enter_wait, .form = FORM_TIMESPEC, .argument = 4, .rest = REST_TOLD,
	  .rest_argument = 4, .is_select = true },
	{ CALL(rt_sigtimedwait), .enter = enter_wait, .form = FORM_TIMESPEC, .argument = 2,
	  .expired = -EAGAIN },
	{ CALL(futex), .enter = enter_futex, .form = FORM_TIMESPEC, .argument = 3, .expired = -ETIMEDOUT },
	{ CALL(timerfd_settime), .enter = kc_clock_timerfd_settime },
	{ CALL(timerfd_gettime), .enter = kc_clock_timerfd_gettime },
	{ CALL(setitimer), .enter = kc_clock_setitimer },
	{ CALL(getitimer), .enter = kc_clock_getitimer },
#ifdef __x86_64__ /* newer architectures have the calls above only */
	{ CALL(time), .enter = enter_time },
	{ CALL(alarm), .enter = kc_clock_alarm },
	{ CALL(epoll_wait), .enter = enter_wait, .form = FORM_MILLISECONDS, .argument = 3 },
	{ CALL(poll), .enter = enter_wait, .form = FORM_MILLISECONDS, .argument = 2 },
	{ CALL(select), .enter = enter_wait, .form = FORM_TIMEVAL, .argument = 4, .rest = REST_TOLD,
	  .rest_argument = 4, .is_select = true },
#endif
	{ CALL(timer_settime), .enter = enter_foreign, .argument = 2 },
	{ CALL(semtimedop), .enter = enter_foreign, .argument = 3 },
	{ CALL(mq_timedsend), .enter = enter_foreign, .argument = 4 },
	{ CALL(mq_timedreceive), .enter = enter_foreign, .argument = 4 },
	{ CALL(recvmmsg), .enter = enter_foreign, .argument = 4 },
	{ CALL(io_getevents), .enter = enter_foreign, .argument = 4 },
	{ CALL(io_pgetevents), .enter = enter_foreign, .argument = 4 },
	{ CALL(io_uring_enter), .enter = enter_foreign, .argument = 2 },
#ifdef SYS_futex_waitv
	{ CALL(futex_waitv), .enter = enter_foreign, .argument = 3 },
#endif
};

const char *kc_clock_call(size_t index)
{
	return index < KC_ARRAY_LENGTH(rows) ? rows[index].name : NULL;
}

int kc_clock_enter(struct kc_clock *clock, struct kc_clock_thread *thread)
{
	struct kc_registers registers;
	int status = kc_registers_read(thread->tid, &registers);

	if (status < 0)
		return status;
	if (thread->is_real)
		return PTRACE_CONT;
	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++)
		if (rows[i].number == kc_registers_number(&registers)) {
			thread->entry = registers;
			thread->is_moment = false;
			thread->waits = &rows[i];
			status = rows[i].enter(clock, thread, &registers);
			break;
		}
	if (status != PTRACE_SYSCALL)
		thread->waits = NULL;
	return status ? status : PTRACE_CONT;
}

/* The kernel writes no sets when it was interrupted; a select whose time is over has found nothing. */
static int clear_sets(struct kc_clock_thread *thread)
{
	const fd_set nothing = { 0 };
	int64_t wanted = (int32_t)*kc_registers_argument(&thread->entry, 0);
	int64_t bits = wanted < MOST_SELECTED ? wanted : MOST_SELECTED;
	size_t size = (size_t)((bits + 63) / 64) * 8;
	int status = 0;

	for (unsigned int i = 1; i <= 3 && status == 0; i++) {
		uint64_t address = *kc_registers_argument(&thread->entry, i);

		for (size_t done = 0; address && done < size && status == 0; done += sizeof(nothing)) {
			size_t part = size - done < sizeof(nothing) ? size - done : sizeof(nothing);

			status = kc_clock_write_memory(thread->tid, address + done, &nothing, part);
		}
	}
	return status;
}

static int tell_rest(const struct kc_clock *clock, struct kc_clock_thread *thread)
{
	const struct kc_clock_row *row = thread->waits;
	uint64_t address = *kc_registers_argument(&thread->entry, row->rest_argument);
	int64_t rest_ns = thread->is_due ? 0 : thread->deadline_ns - kc_clock_elapsed_ns(clock);
	struct timespec rest = to_timespec(rest_ns < 0 ? 0 : rest_ns);

	if (row->form == FORM_TIMEVAL)
		rest.tv_nsec /= 1000;
	return address ? kc_clock_write_memory(thread->tid, address, &rest, sizeof(rest)) : 0;
}

static bool is_broken_off(int64_t result)
{
	return result == -EINTR || result == -ERESTARTSYS || result == -ERESTARTNOINTR ||
	       result == -ERESTARTNOHAND || result == -ERESTART_RESTARTBLOCK;
}

static bool is_rest_told(const struct kc_clock_thread *thread, bool is_broken)
{
	if (thread->waits->rest == REST_TOLD_IF_BROKEN_OFF)
		return is_broken && !thread->is_due && !thread->is_moment;
	return thread->waits->rest == REST_TOLD;
}

/* What else the kernel would have left in the program's memory. Where that is not writable the call succeeds all the same. */
static int finish_memory(const struct kc_clock *clock, struct kc_clock_thread *thread, bool is_broken)
{
	const struct kc_clock_row *row = thread->waits;
	int status = 0;

	if (thread->is_due && is_broken && row->is_select)
		status = clear_sets(thread);
	if (status != -ESRCH && is_rest_told(thread, is_broken))
		status = tell_rest(clock, thread);
	return status == -ESRCH ? status : 0;
}

int kc_clock_leave(struct kc_clock *clock, struct kc_clock_thread *thread)
{
	const struct kc_clock_row *row = thread->waits;
	struct kc_registers registers;
	int64_t result;
	bool is_broken;
	int status = kc_registers_read(thread->tid, &registers);

	if (status < 0)
		return status;
	if (!row)
		return PTRACE_CONT;
	result = kc_registers_result(&registers);
	is_broken = is_broken_off(result);
	status = finish_memory(clock, thread, is_broken);
	if (status < 0)
		return status;
	/* All as it was, so that a call that the kernel makes again is the program's own, and comes by here again:
	 * restart_syscall(2) would go on with ours, past us. */
	for (unsigned int i = 0; i < KC_REGISTERS_ARGUMENTS; i++)
		*kc_registers_argument(&registers, i) = *kc_registers_argument(&thread->entry, i);
	kc_registers_set_number(&registers, kc_registers_number(&thread->entry));
	if (is_broken && thread->is_due)
		result = row->expired;
	else if (result == -ERESTART_RESTARTBLOCK)
		result = -ERESTARTNOHAND;
	kc_registers_set_result(&registers, result);
	thread->waits = NULL;
	thread->is_due = false;
	status = kc_registers_write(thread->tid, &registers);
	return status < 0 ? status : PTRACE_CONT;
}
