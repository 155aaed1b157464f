/*
 * A program of a case in virtual time: the sandbox and the clock, joined.
 *
 * Life cycle: 1. kc_program_prepare (run/program.h)  2. kc_virtual_open  3. kc_program_start  4. what kc_virtual_clock
 * returns, without whose polling the program makes no progress  5. kc_virtual_release, before kc_program_finish and
 * kc_program_release: it ends the program.
 */
#ifndef KC_RUN_VIRTUAL_H
#define KC_RUN_VIRTUAL_H

#include "base/cleanup.h"
#include "clock/clock.h"
#include "net/keepalive_run.h"
#include "run/program.h"
#include "sandbox/seccomp.h"

struct kc_virtual {
	struct kc_clock *clock;
	struct kc_seccomp_filter calls;
	int diagnosis;
};

#define KC_VIRTUAL_INIT                                                                                      \
	{                                                                                                    \
		.diagnosis = -1                                                                              \
	}
#define KC_CLEANUP_VIRTUAL KC_CLEANUP(kc_virtual_release)

/* `virtual` is as KC_VIRTUAL_INIT left it, stays where it is, and is released by the caller, whatever comes back. */
int kc_virtual_open(struct kc_virtual *virtual, const struct kc_case_context *context,
		    struct kc_program *program, struct kc_error *err) __attribute__((warn_unused_result));

/* After the start: `fds` of the program's clients are watched. Borrowed until release. */
int kc_virtual_watch(struct kc_virtual *virtual, struct kc_program *program, const int *fds, size_t count,
		     struct kc_error *err) __attribute__((warn_unused_result));

/* For kc_keepalive_run. Borrows `virtual`. */
struct kc_keepalive_clock kc_virtual_clock(struct kc_virtual *virtual);

void kc_virtual_release(struct kc_virtual *virtual);

#endif
