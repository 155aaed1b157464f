/*
 * A report as one HTML file for people: what did not pass and why, all cases on all images, the keepalive as a picture, times.
 *
 * The file needs nothing else: style and script (reports/html/) are in it, its content security policy forbids every request, and
 * the script only filters the table: without it everything is there. The markup is well-formed XML as well. Text from volumes and
 * programs is escaped and made safe (text.h).
 *
 * As with JUnit the file is red until the run has ended.
 */
#ifndef KC_REPORTS_HTML_H
#define KC_REPORTS_HTML_H

#include "reports/recording.h"
#include "reports/report.h"

struct kc_html_options {
	const char *path;		     /* replaced; refused if it is there and not a regular file */
	const struct kc_recording *baseline; /* an earlier run, with which this one is compared; NULL: none */
};

/* Borrows what `options` points to until kc_report_close. */
int kc_html_open(const struct kc_html_options *options, struct kc_report **ret_report, struct kc_error *err)
	__attribute__((warn_unused_result));

#endif
