/*
 * One worker: the process that runs one case, seen from the scheduler. See scheduler.h for what it is.
 *
 * Life cycle: 1. a zeroed object  2. kc_worker_start  3. kc_worker_drain whenever result_fd or output_fd is
 * readable, kc_worker_stop if it took too long  4. kc_worker_finish once pidfd is readable, which leaves a
 * zeroed object. kc_worker_stop and kc_worker_finish without 2. do nothing.
 */
#ifndef KC_RUN_WORKER_H
#define KC_RUN_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "base/error.h"
#include "reports/result.h"
#include "run/context.h"

#define KC_WORKER_RESULT_LIMIT (1u << 20) /* bytes of JSON; a record's own limits keep it far below */

#define KC_WORKER_DEATH_MS 5000 /* how long a killed one may take to die */

struct kc_worker {
	pid_t pid; /* 0: this object is free */
	int pidfd; /* readable when it has ended */
	int result_fd;
	int output_fd;
	struct kc_buffer result;
	struct kc_excerpt output;
	bool result_overflowed;
	bool timed_out;
	int64_t timeout_ms;
	int64_t started_ms;
	int64_t guard_ms; /* when to give up on it, in kc_now_ms time */
};

/* Forks. `context` has its per-case fields filled in, except deadline_ms, which the worker computes when it
 * starts; `row` and `context` are used in the child alone. `others` are the scheduler's workers, whose
 * descriptors the child closes. On failure nothing runs. */
int kc_worker_start(struct kc_worker *worker, const struct kc_case *row,
		    const struct kc_case_context *context, int64_t grace_ms, const struct kc_worker *others,
		    size_t other_count, struct kc_error *err) __attribute__((warn_unused_result));

/* Takes what the pipes have, without blocking. A pipe at its end is closed, its descriptor -1. */
void kc_worker_drain(struct kc_worker *worker);

/* Kills it and its group; it still has to be finished. */
void kc_worker_stop(struct kc_worker *worker, bool timed_out);

/* Waits for the end, which must be due (at most KC_WORKER_DEATH_MS), kills the rest of the group, and writes
 * what the worker found, or why that is unknown, into the fresh record `result` (NULL: nobody wants to know).
 */
void kc_worker_finish(struct kc_worker *worker, struct kc_result *result);

#endif
