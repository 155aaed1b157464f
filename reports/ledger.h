/*
 * All results of a run, for reports that are made when it has ended.
 *
 * Life cycle: 1. zeroed  2. kc_ledger_begin (again for the next run)  3. kc_ledger_take each result  4. kc_ledger_settle
 * 5. read  6. kc_ledger_release (idempotent). Borrows the run.
 */
#ifndef KC_REPORTS_LEDGER_H
#define KC_REPORTS_LEDGER_H

#include "base/buffer.h"
#include "reports/report.h"

struct kc_ledger {
	const struct kc_report_run *run;
	size_t case_count;	   /* so that it can be released when the run is gone */
	struct kc_result *results; /* of each case */
	bool *is_done;
	size_t *causes; /* after kc_ledger_settle: of each case the first one that ended the same way for the same cause, on whatever image */
	size_t counts[KC_SKIP + 1];
	size_t flaky; /* of those that passed */
};
#define KC_CLEANUP_LEDGER KC_CLEANUP(kc_ledger_release)

/* Every case is BROKEN until it has reported. 0 or -ENOMEM. */
int kc_ledger_begin(struct kc_ledger *ledger, const struct kc_report_run *run)
	__attribute__((warn_unused_result));
void kc_ledger_take(struct kc_ledger *ledger, const struct kc_report_case *testcase,
		    const struct kc_result *result);
/* Counts, and finds what has the same cause. May be called again. */
void kc_ledger_settle(struct kc_ledger *ledger);
/* The first case taken so far that did not pass for the very same cause; the number of cases if there is none. */
size_t kc_ledger_find(const struct kc_ledger *ledger, const struct kc_report_case *testcase,
		      const struct kc_result *result) __attribute__((warn_unused_result));
void kc_ledger_release(struct kc_ledger *ledger);

/* How many cases of that verdict share the cause of case `first`; 0 if `first` is not the first of its cause. */
size_t kc_ledger_members(const struct kc_ledger *ledger, size_t first, enum kc_verdict verdict);

/* What a suite says of itself under that name; "" if it says nothing. */
const char *kc_report_fact(const struct kc_report_suite *suite, const char *name);

#define KC_REPORT_IDENTITY_SIZE 512

/* How the identity ends of the case that says why an image has no others: cases/opening.c. */
#define KC_REPORT_OPENING ".run.opening"

/* "centos7.imports.zmq", cut where it is longer. */
void kc_report_identity(const struct kc_report_case *testcase, char ret_identity[KC_REPORT_IDENTITY_SIZE]);

/* Appends the command that runs this case alone; nothing where there is none. 0, -E2BIG or -ENOMEM. */
int kc_report_reproduce(const struct kc_report_run *run, const struct kc_report_case *testcase,
			struct kc_buffer *text) __attribute__((warn_unused_result));

#endif
