/*
 * What a run is, apart from its results, as JSON and back: program, machine, moment, suites with their facts, planned cases.
 *
 * Life cycle of a read one: 1. zeroed  2. kc_read_run_parse  3. use `run`  4. kc_read_run_release (idempotent, fit for a zeroed
 * or half-read object). Everything is limited; what is over a limit, missing or unknown is refused with -EBADMSG.
 */
#ifndef KC_REPORTS_RUN_JSON_H
#define KC_REPORTS_RUN_JSON_H

#include <cjson/cJSON.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "reports/report.h"

/* Adds "program", "hostname", "started_ms", "suites" and "cases" to `json`. 0 or -ENOMEM. */
int kc_run_to_json(const struct kc_report_run *run, cJSON *json) __attribute__((warn_unused_result));

struct kc_read_run {
	struct kc_report_run run; /* borrows from the rest */
	struct kc_report_suite *suites;
	struct kc_property *facts; /* of all suites */
	size_t fact_count;
	struct kc_report_case *cases;
	char **texts; /* all that the others point to */
	size_t text_count;
};

/* Reads what kc_run_to_json added; other keys of `json` are not looked at. */
int kc_read_run_parse(const cJSON *json, struct kc_read_run *read, struct kc_error *err)
	__attribute__((warn_unused_result));
void kc_read_run_release(struct kc_read_run *read);
#define KC_CLEANUP_READ_RUN KC_CLEANUP(kc_read_run_release)

/* A whole number of `json` from 0 to `most`; -EBADMSG otherwise. */
int kc_read_count(const cJSON *json, const char *key, double most, int64_t *ret_number, struct kc_error *err)
	__attribute__((warn_unused_result));

#endif
