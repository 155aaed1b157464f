/*
 * The scheduler: runs the cases of a plan, each in a worker process forked for it, several at once, and
 * tells every report what happened.
 *
 * A worker is the leader of a process group of its own, dies with the scheduler (PR_SET_PDEATHSIG), and has
 * /dev/null as standard input; what it or anything of its group prints is captured and shown only with a
 * BROKEN result. It sends its result as JSON through a pipe. Whatever else it does is BROKEN, too: it
 * crashes, reports nothing, reports too much or something malformed, or does not report within its time limit
 * and a grace. When it ends, the rest of its group is killed. A case that passes its deadline to its sandbox
 * says itself what hung; the guard here is for cases that do not come back.
 *
 * A case that is to run more than once does so in one place, run after run, and reports see it once, as run/repeat.h merges it.
 *
 * Main thread of a single-threaded process only: prctl(2) binds the parent-death signal to the forking
 * thread.
 */
#ifndef KC_RUN_SCHEDULER_H
#define KC_RUN_SCHEDULER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "reports/report.h"
#include "run/context.h"
#include "run/plan.h"

#define KC_SCHEDULER_GRACE_MS 5000

/* Workers at once of cases that wait, row->waits, beside those that work: enough for their waiting to overlap, few enough for
 * their beginnings not to disturb what the others measure. */
#define KC_SCHEDULER_WAITING 8

struct kc_scheduler {
	unsigned int jobs;   /* workers at once of cases that work; 0: as many as the CPUs that we may use */
	int64_t grace_ms;    /* 0: KC_SCHEDULER_GRACE_MS */
	const char *scratch; /* existing directory, absolute, for the cases' own; NULL: they get none */
	const struct kc_case_context
		*context; /* the templates, by the number of the cases' suite; their per-case fields are
						* ignored, and `keep`, `trace` and `must_run` are the first one's */
	unsigned int
		retries; /* how often a case that fails or is broken is tried again; not for cases that repeat */
	bool fail_fast; /* after the first FAIL or BROKEN start no more: what did not run is BROKEN, and says why */
	struct kc_report *const *reports;
	size_t report_count;
};

/* How many cases ended with each verdict. */
struct kc_tally {
	size_t counts[KC_SKIP + 1]; /* by enum kc_verdict */
};

/*
 * Tells the reports `begin`, runs every case of `plan`, tells them `end`. `run` is what reports are told; its
 * cases are the plan's. 0 if every case reached its end, whatever the verdicts; *ret_tally counts them, and
 * their sum is plan->count. -EINTR after SIGINT, SIGTERM or SIGHUP (kc_signals_start): the workers are dead,
 * cases that had not reported are not counted, and the reports were told that the run is not complete. Other
 * errors: a report failed to begin (then nothing ran) or to end, or no worker could be started. In every case
 * no worker is left, nor any descendant of one.
 */
int kc_scheduler_run(const struct kc_scheduler *scheduler, const struct kc_plan *plan,
		     const struct kc_report_run *run, struct kc_tally *ret_tally, struct kc_error *err)
	__attribute__((warn_unused_result));

#endif
