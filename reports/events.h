/*
 * The run as a stream of records, one JSON object a line, each written once and whole: plan, case_started, measurement,
 * case_done, end (events.schema.json). What a killed run leaves is what it knew: every other report can be made of it again
 * (recording.h), and without its "end" it is incomplete.
 *
 * A plan takes the place of whatever stands before it. Cases are named by their place in the plan, times are milliseconds since
 * the run started.
 */
#ifndef KC_REPORTS_EVENTS_H
#define KC_REPORTS_EVENTS_H

#include "reports/report.h"

#define KC_EVENTS_VERSION 1

struct kc_events_options {
	const char *path;	 /* replaced; refused if it is there and not a regular file */
	int64_t (*now_ms)(void); /* the clock; NULL for kc_now_ms */
	bool is_optional;	 /* for convenience: what cannot be written is no error of the run */
};

/* Borrows what `options` points to until kc_report_close. What cannot be written is told by kc_report_end, and nothing is
 * written after it. */
int kc_events_open(const struct kc_events_options *options, struct kc_report **ret_report,
		   struct kc_error *err) __attribute__((warn_unused_result));

#endif
