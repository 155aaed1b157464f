/*
 * What the page (html.c) and its pictures (html_charts.c) share.
 */
#ifndef KC_REPORTS_HTML_INTERNAL_H
#define KC_REPORTS_HTML_INTERNAL_H

#include "reports/ledger.h"
#include "reports/recording.h"
#include "reports/sink.h"

/* Text of any origin, for between tags and in attributes. */
void kc_html_text(struct kc_sink *out, const char *text);
void kc_html_identity(struct kc_sink *out, const struct kc_report_case *testcase);

/* What is another than in the earlier run. */
void kc_html_changes(struct kc_sink *out, const struct kc_ledger *ledger,
		     const struct kc_recording *baseline);

/* Sections; nothing where no case measured what they show. */
void kc_html_floors(struct kc_sink *out, const struct kc_ledger *ledger);
void kc_html_keepalive(struct kc_sink *out, const struct kc_ledger *ledger);
void kc_html_times(struct kc_sink *out, const struct kc_ledger *ledger);

#endif
