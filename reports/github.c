#include "reports/github.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "reports/ledger.h"
#include "reports/sink.h"
#include "reports/text.h"
#include "sys/fd.h"

#define LINE_LIMIT 16384
#define OUT_LIMIT (KC_GITHUB_ANNOTATIONS * LINE_LIMIT)

struct github {
	struct kc_report report;
	int fd;
	struct kc_ledger ledger;
};

/* Of a property, `special` has more characters than of the message. */
static void add_escaped(struct kc_sink *out, const char *text, const char *special)
{
	KC_CLEANUP_SINK struct kc_sink safe = KC_SINK_INIT(LINE_LIMIT);

	kc_sink_check(&safe, kc_text_append_capped(&safe.text, text, strlen(text), KC_TEXT_LOG, 4096));
	for (const char *at = kc_buffer_string(&safe.text); *at; at++)
		kc_sink_printf(out, strchr(special, *at) ? "%%%02X" : "%c", *at);
	kc_sink_check(out, safe.status);
}

static void add_title(struct kc_sink *out, const struct kc_report_case *testcase, size_t members)
{
	add_escaped(out, testcase->classname, "%\r\n:,");
	kc_sink_string(out, ".");
	add_escaped(out, testcase->name, "%\r\n:,");
	if (members > 1)
		kc_sink_printf(out, " and %zu more", members - 1);
}

static void add_annotation(struct kc_sink *out, const struct kc_ledger *ledger, size_t first, size_t members)
{
	const struct kc_report_case *testcase = &ledger->run->cases[first];
	const struct kc_result *result = &ledger->results[first];

	kc_sink_string(out, "::error file=");
	add_escaped(out, testcase->file, "%\r\n:,");
	kc_sink_printf(out, ",line=%u,title=", testcase->line);
	add_title(out, testcase, members);
	kc_sink_string(out, "::");
	add_escaped(out, kc_result_message(result), "%\r\n");
	kc_sink_string(out, result->hint ? "%0A" : "");
	add_escaped(out, result->hint ? result->hint : "", "%\r\n");
	kc_sink_string(out, "\n");
}

static void annotate(struct kc_sink *out, const struct kc_ledger *ledger, enum kc_verdict verdict,
		     unsigned int *count)
{
	for (size_t i = 0; i < ledger->run->case_count && *count < KC_GITHUB_ANNOTATIONS; i++) {
		size_t members = kc_ledger_members(ledger, i, verdict);

		if (!members)
			continue;
		add_annotation(out, ledger, i, members);
		(*count)++;
	}
}

static int github_begin(struct kc_report *report, const struct kc_report_run *run, struct kc_error *err)
{
	struct github *github = (struct github *)report;

	return kc_ledger_begin(&github->ledger, run) < 0 ? kc_error_errno(err, ENOMEM, "annotate the log")
							 : 0;
}

static void github_case_started(struct kc_report *report, const struct kc_report_case *testcase)
{
	(void)report;
	(void)testcase;
}

static void github_case_done(struct kc_report *report, const struct kc_report_case *testcase,
			     const struct kc_result *result)
{
	kc_ledger_take(&((struct github *)report)->ledger, testcase, result);
}

static int github_end(struct kc_report *report, bool complete, struct kc_error *err)
{
	struct github *github = (struct github *)report;
	KC_CLEANUP_SINK struct kc_sink out = KC_SINK_INIT(OUT_LIMIT);
	unsigned int count = 0;

	(void)complete; /* what was not run is broken, and annotated as that */
	kc_ledger_settle(&github->ledger);
	annotate(&out, &github->ledger, KC_FAIL, &count);
	annotate(&out, &github->ledger, KC_BROKEN, &count);
	if (out.status == 0 && out.text.length)
		out.status = kc_fd_write_all(github->fd, out.text.data, out.text.length);
	return out.status < 0 ? kc_error_errno(err, out.status, "annotate the log") : 0;
}

static void github_close(struct kc_report *report)
{
	struct github *github = (struct github *)report;

	kc_ledger_release(&github->ledger);
	free(github);
}

int kc_github_open(int fd, struct kc_report **ret_report, struct kc_error *err)
{
	static const struct kc_report_ops operations = { .begin = github_begin,
							 .case_started = github_case_started,
							 .case_done = github_case_done,
							 .end = github_end,
							 .close = github_close };
	struct github *github = calloc(1, sizeof(*github));

	if (!github)
		return kc_error_errno(err, ENOMEM, "annotate the log");
	github->report.ops = &operations;
	github->fd = fd;
	*ret_report = &github->report;
	return 0;
}
