/*
 * Descendants that lost their parent: while adopted, they become our children, so that they can be killed and
 * waited for. Without it, a run could end while a killed sandbox is still being taken down.
 *
 * Life cycle: 1. kc_orphans_adopt  2. work that forks, and reaps what it forked  3. kc_orphans_end.
 * PR_SET_CHILD_SUBREAPER, prctl(2); proc_tid_children(5).
 */
#ifndef KC_RUN_ORPHANS_H
#define KC_RUN_ORPHANS_H

#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"

#define KC_ORPHANS_MAX_BEFORE 64
#define KC_ORPHANS_PATIENCE_MS 5000

struct kc_orphans {
	int was_subreaper;
	pid_t before[KC_ORPHANS_MAX_BEFORE]; /* children that are none of ours to end: the janitor, mainly */
	size_t before_count;
};

int kc_orphans_adopt(struct kc_orphans *orphans, struct kc_error *err) __attribute__((warn_unused_result));

/* Kills every child that was not there at step 1, and theirs, and waits until they are gone, at most
 * KC_ORPHANS_PATIENCE_MS: one that the kernel cannot end must not keep us. */
void kc_orphans_end(struct kc_orphans *orphans);

#endif
