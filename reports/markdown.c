#include "reports/markdown.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reports/ledger.h"
#include "reports/markdown_code.h"
#include "reports/sink.h"
#include "reports/text.h"
#include "sys/fd.h"
#include "sys/file.h"

#define DOCUMENT_LIMIT 900000
#define HEAD_LIMIT 256000
#define CAUSE_LIMIT 64000 /* of one cause with its evidence */
#define LISTED_CASES 20

struct markdown {
	struct kc_report report;
	struct kc_markdown_options options;
	struct kc_ledger ledger;
	off_t start, end; /* of what this report has appended; equal before it has */
};

/* Code */

static void add_code(struct kc_sink *out, const char *text)
{
	kc_markdown_span(out, text, false);
}

static void add_field(struct kc_sink *out, const char *label, const char *text)
{
	if (!text || !*text)
		return;
	kc_sink_printf(out, "%s:", label);
	if (strchr(text, '\n')) {
		kc_sink_string(out, "\n\n");
		kc_markdown_block(out, text);
		return;
	}
	kc_sink_string(out, " ");
	add_code(out, text);
	kc_sink_string(out, "\n\n");
}

/* Causes */

static void add_identity(struct kc_sink *out, const struct kc_report_case *testcase)
{
	KC_CLEANUP_SINK struct kc_sink identity = KC_SINK_INIT(CAUSE_LIMIT);

	kc_sink_printf(&identity, "%s.%s", testcase->classname, testcase->name);
	add_code(out, kc_buffer_string(&identity.text));
	kc_sink_check(out, identity.status);
}

static void add_members(struct kc_sink *out, const struct kc_ledger *ledger, size_t first, size_t members)
{
	size_t listed = 0;

	kc_sink_printf(out, "%zu %s: ", members, members == 1 ? "case" : "cases");
	for (size_t i = first; i < ledger->run->case_count && listed < LISTED_CASES; i++) {
		if (ledger->causes[i] != first)
			continue;
		kc_sink_string(out, listed++ ? ", " : "");
		add_identity(out, &ledger->run->cases[i]);
	}
	if (members > listed)
		kc_sink_printf(out, " and %zu more", members - listed);
	kc_sink_string(out, "\n\n");
}

static void add_reproduce(struct kc_sink *out, const struct kc_report_run *run,
			  const struct kc_report_case *testcase)
{
	KC_CLEANUP_SINK struct kc_sink command = KC_SINK_INIT(CAUSE_LIMIT);

	kc_sink_check(&command, kc_report_reproduce(run, testcase, &command.text));
	add_field(out, "Reproduce", kc_buffer_string(&command.text));
	kc_sink_check(out, command.status);
}

static void add_output(struct kc_sink *out, const char *output)
{
	if (!output || !*output)
		return;
	kc_sink_string(out, "<details><summary>Output of the program</summary>\n\n");
	kc_markdown_block(out, output);
	kc_sink_string(out, "</details>\n\n");
}

static void add_cause(struct kc_sink *out, const struct kc_ledger *ledger, size_t first, size_t members)
{
	const struct kc_result *result = &ledger->results[first];

	kc_sink_printf(out, "### %s: ", result->verdict == KC_FAIL ? "Failed" : "Broken");
	add_code(out, kc_result_message(result));
	kc_sink_string(out, "\n\n");
	add_members(out, ledger, first, members);
	add_field(out, "Next step", result->hint);
	add_reproduce(out, ledger->run, &ledger->run->cases[first]);
	add_field(out, "What was checked", ledger->run->cases[first].what);
	add_field(out, "Expected", result->expected);
	add_field(out, "Got", result->got);
	add_output(out, result->output);
}

/* Each whole or not at all: then it is counted. */
static size_t add_causes(struct kc_sink *out, const struct kc_ledger *ledger, enum kc_verdict verdict)
{
	size_t left_out = 0;

	for (size_t i = 0; i < ledger->run->case_count; i++) {
		KC_CLEANUP_SINK struct kc_sink cause = KC_SINK_INIT(8 * CAUSE_LIMIT);
		size_t members = kc_ledger_members(ledger, i, verdict);

		if (!members)
			continue;
		add_cause(&cause, ledger, i, members);
		if (cause.status == 0)
			cause.status = kc_buffer_append(&out->text, cause.text.data, cause.text.length);
		left_out += cause.status == -E2BIG;
		kc_sink_check(out, cause.status == -E2BIG ? 0 : cause.status);
	}
	return left_out;
}

/* What passed in a later attempt only: no cause to act on today, but a promise that does not always hold. */
static void add_flaky(struct kc_sink *out, const struct kc_ledger *ledger)
{
	size_t listed = 0;

	if (!ledger->flaky)
		return;
	kc_sink_string(out, "### Flaky\n\n");
	for (size_t i = 0; i < ledger->run->case_count && listed < LISTED_CASES; i++) {
		const struct kc_result *result = &ledger->results[i];

		if (!kc_result_is_flaky(result))
			continue;
		listed++;
		kc_sink_string(out, "- ");
		add_identity(out, &ledger->run->cases[i]);
		kc_sink_printf(out, " passed in attempt %zu; before that: ", result->attempt_count + 1);
		add_code(out, result->attempts[0].message);
		kc_sink_string(out, "\n");
	}
	if (ledger->flaky > listed)
		kc_sink_printf(out, "- and %zu more\n", ledger->flaky - listed);
	kc_sink_string(out, "\n");
}

/* The table of images */

static void add_suite(struct kc_sink *out, const struct kc_ledger *ledger, size_t number)
{
	const struct kc_report_suite *suite = &ledger->run->suites[number];
	size_t counts[KC_SKIP + 1] = { 0 };

	for (size_t i = 0; i < ledger->run->case_count; i++)
		if (ledger->run->cases[i].suite == number)
			counts[ledger->results[i].verdict]++;
	kc_sink_string(out, "| ");
	kc_markdown_span(out, suite->name, true);
	kc_sink_printf(out, " | %zu | %zu | %zu | %zu | ", counts[KC_PASS], counts[KC_FAIL],
		       counts[KC_BROKEN], counts[KC_SKIP]);
	kc_markdown_span(out, kc_report_fact(suite, "image.fidelity"), true);
	kc_sink_string(out, " |\n");
}

static void add_head(struct kc_sink *out, const struct kc_ledger *ledger, bool complete)
{
	const size_t *counts = ledger->counts;
	bool is_green = complete && counts[KC_PASS] && !counts[KC_FAIL] && !counts[KC_BROKEN];

	kc_sink_printf(out, "## krunner-compat: %s\n\n", is_green ? "passed" : "not passed");
	if (!complete)
		kc_sink_string(out, "**The run is incomplete**: it was cut short, or has not ended.\n\n");
	kc_sink_printf(out, "%zu passed", counts[KC_PASS]);
	if (ledger->flaky)
		kc_sink_printf(out, " (%zu flaky)", ledger->flaky);
	kc_sink_printf(out, ", %zu failed, %zu broken, %zu skipped\n\n", counts[KC_FAIL], counts[KC_BROKEN],
		       counts[KC_SKIP]);
	kc_sink_string(out, "| image | passed | failed | broken | skipped | fidelity |\n"
			    "|---|---:|---:|---:|---:|---|\n");
	for (size_t i = 0; i < ledger->run->suite_count; i++)
		add_suite(out, ledger, i);
	kc_sink_string(out, "\n");
	add_field(out, "Package", kc_report_fact(&ledger->run->suites[0], "volume.package"));
	add_field(out, "Version", kc_report_fact(&ledger->run->suites[0], "volume.package-version"));
	add_field(out, "Volume", kc_report_fact(&ledger->run->suites[0], "volume.archive"));
	add_field(out, "sha256", kc_report_fact(&ledger->run->suites[0], "volume.sha256"));
}

static void add_all(struct kc_sink *out, struct kc_ledger *ledger, bool complete)
{
	/* Room for the head and the last line is kept. */
	size_t limit = out->text.limit;
	KC_CLEANUP_SINK struct kc_sink causes = KC_SINK_INIT(limit > HEAD_LIMIT ? limit - HEAD_LIMIT : 1);
	size_t left_out;

	kc_ledger_settle(ledger);
	add_head(out, ledger, complete);
	left_out = add_causes(&causes, ledger, KC_FAIL);
	left_out += add_causes(&causes, ledger, KC_BROKEN);
	kc_sink_string(out, kc_buffer_string(&causes.text));
	if (left_out)
		kc_sink_printf(out, "%zu more causes do not fit: the other reports have them.\n\n", left_out);
	kc_sink_check(out, causes.status);
	add_flaky(out, ledger);
}

/* Takes the place of what this report appended before, unless somebody else has appended more. */
static int append_to_file(struct markdown *markdown, int fd, const struct kc_buffer *text)
{
	struct stat found;

	if (fstat(fd, &found) < 0)
		return -errno;
	if (found.st_size == markdown->end && ftruncate(fd, markdown->start) < 0)
		return -errno;
	if (found.st_size != markdown->end)
		markdown->start = found.st_size;
	markdown->end = markdown->start + (off_t)text->length;
	return kc_fd_write_all(fd, text->data, text->length);
}

/* What others have written there counts, too: of a file beyond its cap GitHub shows nothing. */
static size_t room_in(const struct markdown *markdown, int fd)
{
	struct stat found;
	off_t before = fstat(fd, &found) < 0 ? 0 : found.st_size;

	if (before == markdown->end)
		before = markdown->start;
	return before < DOCUMENT_LIMIT ? DOCUMENT_LIMIT - (size_t)before : 0;
}

static int write_appended(struct markdown *markdown, bool complete, struct kc_error *err)
{
	const char *path = markdown->options.path;
	KC_CLEANUP_FD int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
	KC_CLEANUP_SINK struct kc_sink out = KC_SINK_INIT(fd < 0 ? 0 : room_in(markdown, fd));
	int status = fd < 0 ? -errno : 0;

	if (status == 0) {
		add_all(&out, &markdown->ledger, complete);
		status = out.status;
	}
	if (status == -E2BIG) {
		status = kc_error_set(err, E2BIG, "write `%s`: it is nearly as large as GitHub takes", path);
		kc_error_hint(err, "--markdown FILE has all of it");
		return status;
	}
	if (status == 0)
		status = append_to_file(markdown, fd, &out.text);
	return status < 0 ? kc_error_errno(err, status, "write `%s`", path) : 0;
}

static int write_file(struct markdown *markdown, bool complete, struct kc_error *err)
{
	KC_CLEANUP_SINK struct kc_sink out = KC_SINK_INIT(DOCUMENT_LIMIT);

	if (markdown->options.is_appended)
		return write_appended(markdown, complete, err);
	add_all(&out, &markdown->ledger, complete);
	if (out.status < 0)
		return kc_error_errno(err, out.status, "write `%s`", markdown->options.path);
	return kc_file_write_atomic(AT_FDCWD, markdown->options.path, out.text.data, out.text.length, 0644,
				    err);
}

static int markdown_begin(struct kc_report *report, const struct kc_report_run *run, struct kc_error *err)
{
	struct markdown *markdown = (struct markdown *)report;

	if (kc_ledger_begin(&markdown->ledger, run) < 0)
		return kc_error_errno(err, ENOMEM, "write `%s`", markdown->options.path);
	if (!markdown->options.is_appended && kc_file_check_replaceable(markdown->options.path, err) < 0)
		return err->code;
	return write_file(markdown, false, err);
}

static void markdown_case_started(struct kc_report *report, const struct kc_report_case *testcase)
{
	(void)report;
	(void)testcase;
}

static void markdown_case_done(struct kc_report *report, const struct kc_report_case *testcase,
			       const struct kc_result *result)
{
	kc_ledger_take(&((struct markdown *)report)->ledger, testcase, result);
}

static int markdown_end(struct kc_report *report, bool complete, struct kc_error *err)
{
	return write_file((struct markdown *)report, complete, err);
}

static void markdown_close(struct kc_report *report)
{
	struct markdown *markdown = (struct markdown *)report;

	kc_ledger_release(&markdown->ledger);
	free(markdown);
}

int kc_markdown_open(const struct kc_markdown_options *options, struct kc_report **ret_report,
		     struct kc_error *err)
{
	static const struct kc_report_ops operations = { .begin = markdown_begin,
							 .case_started = markdown_case_started,
							 .case_done = markdown_case_done,
							 .end = markdown_end,
							 .close = markdown_close };
	struct markdown *markdown = calloc(1, sizeof(*markdown));

	if (!markdown)
		return kc_error_errno(err, ENOMEM, "write `%s`", options->path);
	markdown->report.ops = &operations;
	markdown->options = *options;
	*ret_report = &markdown->report;
	return 0;
}
