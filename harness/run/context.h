/*
 * What a case is given to work with. The scheduler makes one for each worker from the run's template and sets
 * the last four fields; to everything else it is blind.
 *
 * All of it is borrowed and outlives the case. A case changes nothing here: it runs in a process of its own,
 * and what it finds goes into its result. Workers have one thread, so that a sandbox may be started from them
 * (its parent-death signal is bound to the starting thread, prctl(2)): cases start no threads.
 */
#ifndef KC_RUN_CONTEXT_H
#define KC_RUN_CONTEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "run/case.h"

struct kc_emulator;
struct kc_error;
struct kc_image;
struct kc_policy;
struct kc_seccomp_filter;
struct kc_volume;

/* The time that programs are watched in whose promises are about time. */
enum kc_time {
	KC_TIME_VIRTUAL = 0,
	KC_TIME_REAL,
	KC_TIME_BOTH /* one after the other, which have to agree */
};

static inline const char *kc_time_name(enum kc_time time)
{
	return time == KC_TIME_VIRTUAL ? "virtual" : time == KC_TIME_REAL ? "real" : "both";
}

struct kc_case_context {
	/* Of the whole run. */
	const struct kc_volume *volume; /* unpacked and verified */
	const struct kc_image *image;	/* its root filesystem and what is declared about it */
	const struct kc_error
		*opening;    /* why there is no image: only cases/opening.c has cases then; else NULL */
	bool is_unreachable; /* and that is the network's affair */
	const struct kc_policy *policy;		/* of compat/, chosen for this volume and image */
	const struct kc_seccomp_filter *filter; /* of every sandbox */
	const struct kc_emulator *emulator;	/* of every sandbox; NULL: programs run on the CPU itself */
	enum kc_time time;
	const struct kc_error
		*untimed; /* why there is no virtual time here, so that `time` is real; NULL: there is */
	bool keep;	  /* --keep: leave what may help to look into a failure */
	bool trace;    /* --trace: with the system calls of every program; `keep` is set then, `time` real */
	bool must_run; /* --must-run: the scheduler turns a skip into BROKEN by itself */

	/* Of this case. */
	const char
		*item; /* the entry that this case stands for; NULL when its row's `each` is KC_EACH_NONE */
	const char *scratch; /* a directory of its own, empty, mode 0700, absolute; removed afterwards, unless
			      * `keep`; NULL if the run has none */
	int64_t timeout_ms;  /* the limit: the row's, or that of --timeout */
	int64_t deadline_ms; /* when it ends, in kc_now_ms time: for the case to pass to its sandbox. The
			      * scheduler kills the worker only a grace later, so that the case can say what
			      * hung */
};

#endif
