/*
 * A report as one JSON document (report.schema.json), for programs: the release gate, scripts.
 *
 * As with JUnit the file is red until the run has ended: begin replaces what an earlier run left by a report that says
 * "complete": false and counts every planned case as broken.
 */
#ifndef KC_REPORTS_JSON_H
#define KC_REPORTS_JSON_H

#include "base/digest.h"
#include "reports/report.h"

#define KC_JSON_REPORT_VERSION 1

/* The last member is the digest of all bytes before the comma that stands before it, and the line feed is the last byte: what was
 * damaged or edited by hand shows (json_read.h). */
#define KC_JSON_SEAL_FORMAT ",\"sha256\":\"%s\"}\n"
#define KC_JSON_SEAL_SIZE (sizeof(KC_JSON_SEAL_FORMAT) - 2 + KC_SHA256_HEX_SIZE - 1) /* with the NUL */

struct kc_json_options {
	const char *path; /* replaced; refused if it is there and not a regular file */
};

/* Borrows what `options` points to until kc_report_close. */
int kc_json_open(const struct kc_json_options *options, struct kc_report **ret_report, struct kc_error *err)
	__attribute__((warn_unused_result));

#endif
