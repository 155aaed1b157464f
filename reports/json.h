/*
 * A report as one JSON document (report.schema.json), for programs: the release gate, scripts.
 *
 * As with JUnit the file is red until the run has ended: begin replaces what an earlier run left by a report that says
 * "complete": false and counts every planned case as broken.
 */
#ifndef KC_REPORTS_JSON_H
#define KC_REPORTS_JSON_H

#include "reports/report.h"

#define KC_JSON_REPORT_VERSION 1

struct kc_json_options {
	const char *path; /* replaced; refused if it is there and not a regular file */
};

/* Borrows what `options` points to until kc_report_close. */
int kc_json_open(const struct kc_json_options *options, struct kc_report **ret_report, struct kc_error *err)
	__attribute__((warn_unused_result));

#endif
