/*
 * A virtual clock: programs that see the time that we tell them.
 *
 * A program is traced (ptrace(2)). A seccomp filter stops it at the system calls that tell, set or wait for a time, and
 * nowhere else; the vDSO is hidden from it, so that reading a clock is such a call. We answer reads ourselves, and let waits
 * last until their virtual end: in the kernel they have none.
 *
 * Time passes in one of two ways, kc_clock_set_rate:
 *
 *	rate 0		It stands still while anything runs, and jumps to the next moment that anybody waits for when nothing
 *			does. How fast the machine is has no influence on any span. This is the default.
 *	rate K > 0	K times as fast as outside; 1 is real time.
 *
 * "Nothing runs" is what kc_clock_poll finds out: every traced thread sleeps in the kernel and has not run while we looked,
 * and no watched connection has anything under way. Not seen is what the kernel itself does later: what a kernel thread still
 * has to carry through a pseudo-terminal, retransmission and keepalive of TCP, SO_RCVTIMEO. Whoever waits for an answer that
 * may go that way sets rate 1 for so long. docs/virtual-time.md says more.
 *
 * CLOCK_REALTIME, _MONOTONIC, _MONOTONIC_RAW, _BOOTTIME, _TAI and their coarse and alarm forms advance together; clocks of CPU
 * time are left alone. Every call that is stopped at costs a microsecond of virtual time, so that who asks again and again
 * sees it pass. A wait that a stop signal breaks into starts anew.
 *
 * Life cycle: 1. kc_clock_new  2. a process loads a filter that hands the calls of kc_clock_call to its tracer (see
 * sandbox/seccomp.h) and waits; kc_clock_attach  3. it executes its program; kc_clock_poll as often as can be: between two
 * polls it makes no progress  4. kc_clock_release, which kills whatever is traced still. Children are followed.
 * One thread: ptrace(2) takes requests of the thread that attached alone. SIGCHLD is blocked from 1 to 4.
 * x86_64 and aarch64, Linux 5.6 (pidfd_getfd); programs of the machine's own architecture.
 */
#ifndef KC_CLOCK_CLOCK_H
#define KC_CLOCK_CLOCK_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

struct kc_clock;

struct kc_clock_options {
	bool children_are_real; /* processes that the program starts live in real time; its threads never do */
	int64_t deadline_ms;	/* of kc_now_ms, real: kc_clock_poll fails from then on; 0: none */
};

/* The name of a call that has to be handed to us; NULL after the last. */
const char *kc_clock_call(size_t index);

/* Whether this process may trace a child of its own, tried on one. -EPERM and others, with the likely reason. */
int kc_clock_probe(struct kc_error *err) __attribute__((warn_unused_result));

int kc_clock_new(const struct kc_clock_options *options, struct kc_clock **ret_clock, struct kc_error *err)
	__attribute__((warn_unused_result));

/* Traces `pid`, a process that has not executed its program yet, and ends the program when we do. Once for each clock. */
int kc_clock_attach(struct kc_clock *clock, pid_t pid, struct kc_error *err)
	__attribute__((warn_unused_result));

/*
 * Watches the TCP connections of ours to the program: what is under way on them, in either direction, is no standstill.
 * `diagnosis` is a socket of NETLINK_SOCK_DIAG in the namespace of the connections (sock_diag(7)). `fds` are sockets, connected
 * now or later; those of other kinds are passed over. Descriptors are borrowed until release or the next call; one that is
 * closed meanwhile is passed over, too. -ENOMEM: nothing is watched.
 */
int kc_clock_watch(struct kc_clock *clock, int diagnosis, const int *fds, size_t count, struct kc_error *err)
	__attribute__((warn_unused_result));

void kc_clock_set_rate(struct kc_clock *clock, unsigned int rate);

/* The program's CLOCK_MONOTONIC; at kc_clock_new it is ours. */
int64_t kc_clock_now_ms(const struct kc_clock *clock);

/*
 * poll(2) with a timeout in virtual time, during which the program runs. `fds` may be NULL. Returns how many are ready, 0 when
 * the time has passed, -ETIMEDOUT after the real deadline, -EIO if a traced thread cannot be handled. Not interrupted by signals.
 */
int kc_clock_poll(struct kc_clock *clock, struct pollfd *fds, size_t count, int64_t timeout_ms,
		  struct kc_error *err) __attribute__((warn_unused_result));

/* The program itself, not its children. */
bool kc_clock_has_ended(const struct kc_clock *clock);

/* The name of a call that a thread made and that kept its real time, because we cannot translate it; NULL: none did, and all
 * that the program saw is virtual. */
const char *kc_clock_leak(const struct kc_clock *clock);

void kc_clock_release(struct kc_clock **clock); /* NULL-safe, idempotent */

#endif
