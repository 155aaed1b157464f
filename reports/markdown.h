/*
 * A report as Markdown (GitHub's), for the summary of a job: what failed and why comes first.
 *
 * What comes from a volume or its programs stands in code only, behind fences that it cannot close: it can link, mention, embed
 * and format nothing. The document stays under 900 KB (GitHub takes 1 MiB a step); what did not fit is counted.
 */
#ifndef KC_REPORTS_MARKDOWN_H
#define KC_REPORTS_MARKDOWN_H

#include "reports/report.h"

struct kc_markdown_options {
	const char *path;
	bool is_appended; /* to what is there, when the run has ended. Otherwise the file is replaced at once by one that says
			     that the run has not ended, and is refused if it is not a regular file */
};

/* Borrows what `options` points to until kc_report_close. */
int kc_markdown_open(const struct kc_markdown_options *options, struct kc_report **ret_report,
		     struct kc_error *err) __attribute__((warn_unused_result));

#endif
