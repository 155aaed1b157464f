/*
 * A report in JSON (json.h), read back by programs that decide something by it.
 *
 * Life cycle: 1. zeroed  2. kc_read_report_load  3. use `run` and `results`  4. kc_read_report_release (idempotent, fit for a
 * zeroed object). The file is of any origin: it is parsed within limits, and what can be computed again is: a report is refused whose
 * counts are not those of its results, or whose seal is not that of its bytes. So is one in which a suite, or the identity of a case,
 * stands twice: what is looked up by name is one thing.
 *
 * The seal shows that a report was damaged or edited by hand. It is no signature: who forges a report computes it anew. What
 * protects against that is who may write where reports are kept.
 */
#ifndef KC_REPORTS_JSON_READ_H
#define KC_REPORTS_JSON_READ_H

#include "base/digest.h"
#include "reports/run_json.h"

#define KC_READ_REPORT_LIMIT (64u << 20) /* bytes */

struct kc_read_report {
	struct kc_read_run plan;
	struct kc_result *results; /* of each case of plan.run */
	bool is_complete;
	char sha256[KC_SHA256_HEX_SIZE]; /* of the file */
};
#define KC_CLEANUP_READ_REPORT KC_CLEANUP(kc_read_report_release)

/* `name` is what errors call it. -EBADMSG for what is no report, or no sound one. On failure *report is released. */
int kc_read_report_parse(const char *text, size_t length, const char *name, struct kc_read_report *report,
			 struct kc_error *err) __attribute__((warn_unused_result));

int kc_read_report_load(const char *path, struct kc_read_report *report, struct kc_error *err)
	__attribute__((warn_unused_result));

void kc_read_report_release(struct kc_read_report *report);

#endif
