/*
 * Annotations for GitHub Actions: the worst ten causes as `::error` commands in the log.
 *
 * Each is one line, escaped as the runner demands (actions/toolkit, command.ts): `%`, CR and LF in the message, `:` and `,` in
 * the properties as well. More than ten of a kind a step are not shown; the rest is in the job's summary (markdown.h).
 */
#ifndef KC_REPORTS_GITHUB_H
#define KC_REPORTS_GITHUB_H

#include "reports/report.h"

#define KC_GITHUB_ANNOTATIONS 10

/* `fd` is borrowed. */
int kc_github_open(int fd, struct kc_report **ret_report, struct kc_error *err)
	__attribute__((warn_unused_result));

#endif
