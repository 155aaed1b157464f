/*
 * Reports of parts of a run (`run --shard`), or of several images or machines, put together into one run, which every writer
 * of reports can be told.
 *
 * Life cycle: 1. zeroed  2. kc_merge  3. use `run`, kc_merged_tell any number of times  4. kc_merged_release (idempotent, fit for a zeroed
 * object). The reports are borrowed until then. What they say is of any origin, and is taken within the limits of json_read.h.
 *
 * What is put together is of one archive, one version of this program and one set of cases; anything else is refused, with the names of the
 * reports that disagree. Suites of one name are one, and what they say of themselves has to be the same, but for what tells machines apart
 * (kernel, user, limits, paths): of that every value is kept, "a; b". A case that is in several reports is one if its verdict is the
 * same, else refused: a rerun does not hide what it was run for. Of several passes one that is flaky is kept.
 *
 * The run started when the first of them did, and is complete if all of them are and, of each image, no part is missing. A report that
 * says of an image only that it could not be opened is neither the whole nor, where another part could open it, a part.
 */
#ifndef KC_REPORTS_MERGE_H
#define KC_REPORTS_MERGE_H

#include "base/buffer.h"
#include "reports/json_read.h"

#define KC_MERGE_REPORTS_MAX 10000u

struct kc_merge_input {
	const char *name; /* what errors call it */
	const struct kc_read_report *report;
};

struct kc_merged {
	struct kc_report_run run; /* borrows from the rest and from the reports */
	struct kc_report_suite *suites;
	struct kc_property **facts; /* of each suite, owned */
	struct kc_report_case *cases;
	const struct kc_result **results; /* of each case, borrowed */
	char *hostname;
	bool is_complete;
	struct kc_buffer missing; /* "centos7: parts 2, 4 of 5", one image a line; empty if none is */
};
#define KC_CLEANUP_MERGED KC_CLEANUP(kc_merged_release)

/* -EINVAL for what does not belong together. On failure *merged is released. */
int kc_merge(const struct kc_merge_input *inputs, size_t count, struct kc_merged *merged,
	     struct kc_error *err) __attribute__((warn_unused_result));

/* Tells `report` the whole run: begin, cases, end. */
int kc_merged_tell(const struct kc_merged *merged, struct kc_report *report, struct kc_error *err)
	__attribute__((warn_unused_result));

/* The clock of what is being told: what the cases took, one after the other. Machines have no clock in common. */
int64_t kc_merged_now_ms(void);

void kc_merged_release(struct kc_merged *merged);

#endif
