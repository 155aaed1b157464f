/*
 * A directory for one run's temporary files, gone afterwards whatever ends the run: the janitor knows it
 * before it is there. Should the janitor be killed as well, the next run finds it: a live one is locked
 * (flock(2), held by the run and its workers), so one that can be locked was left behind, and is removed.
 *
 * Life cycle: 1. KC_SCRATCH_INIT  2. kc_scratch_make  3. kc_scratch_release (idempotent).
 */
#ifndef KC_RUN_SCRATCH_H
#define KC_RUN_SCRATCH_H

#include <limits.h>
#include <stdbool.h>

#include "base/error.h"

struct kc_scratch {
	char path[PATH_MAX]; /* absolute, without links; "" when there is none */
	int lock_fd;	     /* -1: none is held */
	bool keep;
};

#define KC_SCRATCH_INIT                                                                                      \
	{                                                                                                    \
		.lock_fd = -1                                                                                \
	}

/* Below $TMPDIR, or /tmp; mode 0700. With `keep` it is left to the user, under a name that no later run
 * removes. */
int kc_scratch_make(struct kc_scratch *scratch, bool keep, struct kc_error *err)
	__attribute__((warn_unused_result));

/* Removes it with all that is in it, unless it is to be kept. On failure the janitor still has it. */
int kc_scratch_release(struct kc_scratch *scratch, struct kc_error *err) __attribute__((warn_unused_result));

#endif
