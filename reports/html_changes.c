/* Two runs compared: which cases end in another way, are new, or are gone. */
#include <string.h>

#include "reports/html_internal.h"

static bool is_same(const struct kc_report_case *a, const struct kc_report_case *b)
{
	return strcmp(a->name, b->name) == 0 && strcmp(a->classname, b->classname) == 0;
}

static const struct kc_report_case *find(const struct kc_report_run *run,
					 const struct kc_report_case *testcase)
{
	for (size_t i = 0; i < run->case_count; i++)
		if (is_same(&run->cases[i], testcase))
			return &run->cases[i];
	return NULL;
}

/* What never reported is broken, as in every report. */
static enum kc_verdict verdict_of(const struct kc_recording *recording, const struct kc_report_case *testcase)
{
	for (size_t i = 0; i < recording->count; i++)
		if (recording->records[i].kind == KC_RECORDED_DONE &&
		    &recording->plan.run.cases[recording->records[i].number] == testcase)
			return recording->records[i].result.verdict;
	return KC_BROKEN;
}

/* NULL: the case is not planned in that run. */
static void add_row(struct kc_sink *out, const struct kc_report_case *testcase, const char *before,
		    const char *now)
{
	const char *cells[] = { before, now };

	kc_sink_string(out, "<tr><th scope=\"row\" class=\"id\">");
	kc_html_identity(out, testcase);
	kc_sink_string(out, "</th>");
	for (size_t i = 0; i < KC_ARRAY_LENGTH(cells); i++)
		kc_sink_printf(out, "<td class=\"%s\">%s</td>", cells[i] ? cells[i] : "none",
			       cells[i] ? cells[i] : "not planned");
	kc_sink_string(out, "</tr>\n");
}

static size_t add_rows(struct kc_sink *out, const struct kc_ledger *ledger,
		       const struct kc_recording *baseline)
{
	const struct kc_report_run *earlier = &baseline->plan.run, *run = ledger->run;
	size_t count = 0;

	for (size_t i = 0; i < run->case_count; i++) {
		const struct kc_report_case *before = find(earlier, &run->cases[i]);
		const char *now = kc_verdict_name(ledger->results[i].verdict);
		const char *then = before ? kc_verdict_name(verdict_of(baseline, before)) : NULL;

		if (then && strcmp(then, now) == 0)
			continue;
		add_row(out, &run->cases[i], then, now);
		count++;
	}
	for (size_t i = 0; i < earlier->case_count; i++) {
		if (find(run, &earlier->cases[i]))
			continue;
		add_row(out, &earlier->cases[i], kc_verdict_name(verdict_of(baseline, &earlier->cases[i])),
			NULL);
		count++;
	}
	return count;
}

void kc_html_changes(struct kc_sink *out, const struct kc_ledger *ledger, const struct kc_recording *baseline)
{
	KC_CLEANUP_SINK struct kc_sink rows = KC_SINK_INIT(64u << 20);
	size_t count = add_rows(&rows, ledger, baseline);

	kc_sink_string(out, "<section id=\"changes\" aria-labelledby=\"since\">\n<h2 id=\"since\">Since the "
			    "earlier run</h2>\n");
	kc_sink_string(out, "<p class=\"note\">The earlier run tested ");
	kc_html_text(out, kc_report_fact(&baseline->plan.run.suites[0], "volume.archive"));
	kc_sink_string(out, " ");
	kc_html_text(out, kc_report_fact(&baseline->plan.run.suites[0], "volume.sha256"));
	kc_sink_printf(out, "%s.</p>\n", baseline->is_complete ? "" : " and was cut short");
	if (!count) {
		kc_sink_string(out, "<p>Every case ended as it did then.</p>\n</section>\n");
		return;
	}
	kc_sink_string(
		out,
		"<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Table of "
		"changes\">\n<table>\n"
		"<caption>Cases that end in another way</caption>\n<thead><tr><th scope=\"col\">case</th>"
		"<th scope=\"col\">then</th><th scope=\"col\">now</th></tr></thead>\n<tbody>\n");
	kc_sink_string(out, kc_buffer_string(&rows.text));
	kc_sink_check(out, rows.status);
	kc_sink_string(out, "</tbody>\n</table>\n</div>\n</section>\n");
}
