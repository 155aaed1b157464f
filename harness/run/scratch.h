/*
 * A directory for one run's temporary files, which is gone afterwards whatever ends the run: the janitor
 * knows it before it is there.
 *
 * Life cycle: 1. kc_scratch_make  2. kc_scratch_remove, or kc_scratch_keep.
 */
#ifndef KC_RUN_SCRATCH_H
#define KC_RUN_SCRATCH_H

#include <limits.h>

#include "base/error.h"

struct kc_scratch {
	char path[PATH_MAX]; /* absolute, without links; "" when there is none */
};

/* Below $TMPDIR, or /tmp. Mode 0700. */
int kc_scratch_make(struct kc_scratch *scratch, struct kc_error *err) __attribute__((warn_unused_result));

/* With all that is in it. Idempotent, fit for a zeroed object. On failure the janitor still has it. */
int kc_scratch_remove(struct kc_scratch *scratch, struct kc_error *err) __attribute__((warn_unused_result));

/* Leaves it to the user: `path` stays readable, and nobody removes it any more. */
void kc_scratch_keep(struct kc_scratch *scratch);

#endif
