/*
 * Which case ended how on which image, as a table for people: rows are cases, columns are images.
 *
 * A case is the same on two images if what follows the suite's name in its class name, and its name, are. "-": it is not planned
 * there. Rows that pass wherever they are planned are counted in one line. Where the images do not fit beside each other the table comes in
 * several pieces, one below the other.
 */
#ifndef KC_REPORTS_MATRIX_H
#define KC_REPORTS_MATRIX_H

#include <stdbool.h>

#include "base/buffer.h"
#include "reports/report.h"

/* How the console writes verdicts; by enum kc_verdict. */
struct kc_verdict_style {
	const char *label;
	const char *colour; /* SGR parameter, ECMA-48 */
};
extern const struct kc_verdict_style kc_verdict_styles[KC_SKIP + 1];

struct kc_matrix_options {
	unsigned int width; /* columns of the screen */
	bool colour;
	bool verbose;		 /* rows that pass wherever they are planned, too */
	unsigned int text_flags; /* of reports/text.h, for names */
};

/* `verdicts` has one for each case of the run. 0, -E2BIG or -ENOMEM: then a part may be appended. */
int kc_matrix_append(struct kc_buffer *text, const struct kc_report_run *run, const enum kc_verdict *verdicts,
		     const struct kc_matrix_options *options) __attribute__((warn_unused_result));

#endif
