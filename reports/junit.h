/*
 * A report as JUnit XML, for CI systems.
 *
 * The file is red until the run has ended: kc_report_begin removes what an earlier run left under that name
 * and writes a first report in which every planned case is an error, kc_report_end replaces it. Both are
 * atomic, so a reader sees one or the other, also after SIGKILL.
 *
 * What consumers rely on, and what is therefore checked or computed here: the identity of a case is classname
 * and name, and unique (begin fails with -EEXIST); a case has exactly one of `failure` (the volume broke a
 * promise), `error` (it could not be judged) and `skipped`, or none; counters and times are sums over the
 * children; times have three decimals and a point in every locale; the cause is both the `message` and the
 * first line of the text, and the text ends in ` FILE:LINE: cause`; whatever a program prints, the document
 * is well-formed. Planned cases that were not done are errors, and an empty selection is one.
 *
 * A case that was tried again is one case: each earlier attempt is a `flakyFailure` in it if it passed in the end, and else a
 * `rerunFailure` beside the failure, error or skip.
 *
 * A run has one testsuite for each of its suites. begin and end may be called again for another run of the same file.
 */
#ifndef KC_REPORTS_JUNIT_H
#define KC_REPORTS_JUNIT_H

#include "reports/report.h"

struct kc_junit_options {
	bool is_strict; /* only what the schema of Jenkins' xUnit plugin (junit-10.xsd) allows: no file, line and properties of
			     a case, no count of what all suites skipped */
	const char *
		attachment; /* a file that shows more, linked from each failure where readers do so (GitLab); NULL: none. A
				     relative path, or it is left out: those who read it want one below their own directory */
	const char *path; /* refused if it is there and not a regular file */
};

/* Borrows what `options` points to until kc_report_close, which also frees the report. */
int kc_junit_open(const struct kc_junit_options *options, struct kc_report **ret_report, struct kc_error *err)
	__attribute__((warn_unused_result));

#endif
