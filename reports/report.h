/*
 * The writer interface: a run tells every report the same story, each once: begin, then started and done for
 * each case, end.
 *
 * Life cycle of a report: 1. its own constructor (console.h, junit.h)  2. kc_report_begin
 * 3. kc_report_case_started, kc_report_tick, kc_report_case_done in any interleaving of cases
 * 4. kc_report_end; 2 to 4 may be repeated for another run  5. kc_report_close (idempotent). A second begin
 * without an end takes the place of the first: what a run says of itself until its cases are known.
 * Strings are borrowed for the whole life of the report: the plan and the facts outlive it. A case is named
 * by its address in `run->cases`. A result is borrowed for the call.
 */
#ifndef KC_REPORTS_REPORT_H
#define KC_REPORTS_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "reports/result.h"

/* A case as reports know it. */
struct kc_report_case {
	size_t suite;	       /* its number in the run's list */
	const char *classname; /* "centos7.imports" */
	const char *name;      /* "zmq" */
	const char *what;      /* the sentence that says what is checked */
	const char *file;      /* of the case's row, relative to the source tree */
	unsigned int line;
	int64_t timeout_ms;  /* of one run */
	unsigned int repeat; /* how often it runs; 0: once */
};

/* What is tested together: one image. */
struct kc_report_suite {
	const char *name; /* "centos7"; its cases' class names begin with it */
	const struct kc_property
		*facts; /* volume and image digests, fidelity, kernel, time mode, versions, ... */
	size_t fact_count;
	const char
		*reproduce; /* "krunner-compat run centos7 --volume ...": a case's own command appends -k */
};

struct kc_report_run {
	const char *version;		      /* of this program */
	const char *hostname;		      /* of the machine it runs on */
	int64_t started_ms;		      /* since the epoch, UTC */
	const struct kc_report_suite *suites; /* at least one */
	size_t suite_count;
	const struct kc_report_case *cases; /* of all suites, planned */
	size_t case_count;
};

struct kc_report;

struct kc_report_ops {
	int (*begin)(struct kc_report *report, const struct kc_report_run *run, struct kc_error *err);
	void (*case_started)(struct kc_report *report, const struct kc_report_case *testcase);
	void (*case_done)(struct kc_report *report, const struct kc_report_case *testcase,
			  const struct kc_result *result);
	void (*tick)(struct kc_report *report); /* about ten times a second while cases run; may be NULL */
	/* `complete` is false when the run was cut short. Cases that were planned and never done must show as
	 * BROKEN. */
	int (*end)(struct kc_report *report, bool complete, struct kc_error *err);
	void (*close)(struct kc_report *report);
};

struct kc_report {
	const struct kc_report_ops *ops;
};

static inline int kc_report_begin(struct kc_report *report, const struct kc_report_run *run,
				  struct kc_error *err)
{
	return report->ops->begin(report, run, err);
}

static inline void kc_report_case_started(struct kc_report *report, const struct kc_report_case *testcase)
{
	report->ops->case_started(report, testcase);
}

static inline void kc_report_case_done(struct kc_report *report, const struct kc_report_case *testcase,
				       const struct kc_result *result)
{
	report->ops->case_done(report, testcase, result);
}

static inline void kc_report_tick(struct kc_report *report)
{
	if (report->ops->tick)
		report->ops->tick(report);
}

static inline int kc_report_end(struct kc_report *report, bool complete, struct kc_error *err)
{
	return report->ops->end(report, complete, err);
}

/* Also frees the report; *report is NULL afterwards. */
static inline void kc_report_close(struct kc_report **report)
{
	if (*report)
		(*report)->ops->close(*report);
	*report = NULL;
}
#define KC_CLEANUP_REPORT KC_CLEANUP(kc_report_close)

#endif
