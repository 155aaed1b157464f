/*
 * What the parts of the clock share. Internal to harness/clock.
 *
 * clock.c	life cycle, the loop, and what a stop of a thread means
 * calls.c	the system calls: what happens at their entry and their exit
 * timers.c	timerfd_create(2) and setitimer(2), which ring by themselves
 * still.c	whether anything runs
 * tracee.c	threads: the table, memory, auxiliary vector
 */
#ifndef KC_CLOCK_INTERNAL_H
#define KC_CLOCK_INTERNAL_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "clock/clock.h"
#include "clock/registers.h"

#define KC_CLOCK_NEVER INT64_MAX
#define KC_CLOCK_SECOND 1000000000ll /* in nanoseconds, as all times here */
#define KC_CLOCK_IDS 12		     /* CLOCK_REALTIME to CLOCK_TAI, linux/time.h */
#define KC_CLOCK_TIMERS 64

struct kc_clock_row;

struct kc_clock_thread {
	pid_t tid;
	pid_t process;
	int status_fd;			  /* its status file in /proc; -1: not opened yet */
	int syscall_fd;			  /* its syscall file, likewise */
	bool is_real;			  /* lives in real time: nothing is translated */
	bool is_vforking;		  /* waits, uninterruptibly, for its child to execute or end */
	bool is_stopped;		  /* by a stop signal; it runs again when `switches` changes */
	bool is_moment;			  /* it waits for a moment, not for a span: nothing is left of it */
	bool is_due;			  /* woken because its wait is over */
	const struct kc_clock_row *waits; /* the call that it is in; NULL: none of ours */
	struct kc_registers entry;	  /* as they were at the call's entry */
	int64_t deadline_ns;		  /* of that wait, since the clock's beginning */
	unsigned long long switches;	  /* how often it had gone to sleep, at the last look */
};

/* What rings at a time. */
struct kc_clock_timer {
	pid_t process; /* whose ITIMER_REAL this is; 0 for a timerfd */
	int fd;	       /* our duplicate of the timerfd; -1 for an ITIMER_REAL */
	int64_t deadline_ns;
	int64_t interval_ns; /* 0: rings once */
};

/* A watched connection: for each direction, by how much what its sender has counted is more than what its receiver has, when
 * nothing is under way. Not 0: the ends count the opening differently. */
struct kc_clock_connection {
	int fd;
	struct {
		bool is_known;
		uint64_t bytes;
	} offset[2];
};

struct kc_clock {
	struct kc_clock_options options;
	struct kc_clock_thread *threads;
	size_t thread_count;
	size_t thread_capacity;
	struct kc_clock_timer timers[KC_CLOCK_TIMERS];
	size_t timer_count;
	pid_t program;
	bool has_ended;
	const char *leak;

	unsigned int rate;
	int64_t elapsed_ns;	       /* virtual, since the beginning, at... */
	int64_t since_ns;	       /* ...this moment of the real CLOCK_MONOTONIC */
	int64_t base_ns[KC_CLOCK_IDS]; /* what each clock said at the beginning */

	int signal_fd; /* SIGCHLD: something stopped or ended */
	sigset_t mask; /* from before */

	int diagnosis;
	struct kc_clock_connection *watched;
	size_t watched_count;
	uint64_t under_way;	    /* what was under way at the last look... */
	int64_t under_way_since_ns; /* ...and since when nothing of it has moved, real */
};

/* calls.c. Both return the request that resumes the thread, or a negative errno. */
int kc_clock_enter(struct kc_clock *clock, struct kc_clock_thread *thread);
int kc_clock_leave(struct kc_clock *clock, struct kc_clock_thread *thread);

/* clock.c */
int64_t kc_clock_real_ns(void);
int64_t kc_clock_elapsed_ns(const struct kc_clock *clock);
/* False for one that does not tell the time of day or since boot. */
bool kc_clock_has_id(int64_t id);

/* timers.c. `registers` are those at the entry; all make the call themselves, as kc_clock_enter. */
int kc_clock_timerfd_settime(struct kc_clock *clock, struct kc_clock_thread *thread,
			     struct kc_registers *registers);
int kc_clock_timerfd_gettime(struct kc_clock *clock, struct kc_clock_thread *thread,
			     struct kc_registers *registers);
int kc_clock_setitimer(struct kc_clock *clock, struct kc_clock_thread *thread,
		       struct kc_registers *registers);
int kc_clock_getitimer(struct kc_clock *clock, struct kc_clock_thread *thread,
		       struct kc_registers *registers);
int kc_clock_alarm(struct kc_clock *clock, struct kc_clock_thread *thread, struct kc_registers *registers);
int64_t kc_clock_next_timer(const struct kc_clock *clock);
void kc_clock_ring_timers(struct kc_clock *clock);
void kc_clock_drop_timers(struct kc_clock *clock, pid_t process); /* 0: all of them */

/* still.c */
bool kc_clock_is_still(struct kc_clock *clock);
/* The thread is stopped by a signal, and stays so until somebody continues it. */
void kc_clock_note_stop(struct kc_clock_thread *thread);
/* Whether /proc tells of a traced thread what kc_clock_is_still asks. */
int kc_clock_probe_thread(pid_t tid);
/* Whether the kernel tells about the other ends of connections. */
int kc_clock_probe_diagnosis(struct kc_error *err);

/* tracee.c */
struct kc_clock_thread *kc_clock_find_thread(struct kc_clock *clock, pid_t tid);
int kc_clock_add_thread(struct kc_clock *clock, pid_t tid, const struct kc_clock_thread *parent);
void kc_clock_drop_thread(struct kc_clock *clock, struct kc_clock_thread *thread);
int kc_clock_read_memory(pid_t tid, uint64_t address, void *bytes, size_t size);
int kc_clock_write_memory(pid_t tid, uint64_t address, const void *bytes, size_t size);
/* Right after execve(2): without a vDSO the C library makes system calls. vdso(7), getauxval(3). */
int kc_clock_hide_vdso(pid_t tid);

#endif
