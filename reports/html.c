#include "reports/html.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libxml/hash.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/embedded.h"
#include "reports/html_internal.h"
#include "reports/text.h"
#include "sys/file.h"

#define PAGE_LIMIT (256u << 20)
#define TEXT_LIMIT (1u << 20)
#define SHOWN_CAP 65536
#define MOST_LISTED 200

struct html {
	struct kc_report report;
	struct kc_html_options options;
	struct kc_ledger ledger;
};

/* Text */

void kc_html_text(struct kc_sink *out, const char *text)
{
	static const struct {
		char character;
		const char *escape;
	} escapes[] = {
		{ '&', "&amp;" }, { '<', "&lt;" }, { '>', "&gt;" }, { '"', "&quot;" }, { '\'', "&#39;" }
	};
	KC_CLEANUP_SINK struct kc_sink safe = KC_SINK_INIT(TEXT_LIMIT);
	const char *at;

	kc_sink_check(&safe, kc_text_append_capped(&safe.text, text, strlen(text), 0, SHOWN_CAP));
	for (at = kc_buffer_string(&safe.text); *at;) {
		size_t plain = strcspn(at, "&<>\"'");

		kc_sink_add(out, at, plain);
		at += plain;
		for (size_t i = 0; *at && i < KC_ARRAY_LENGTH(escapes); i++)
			if (escapes[i].character == *at)
				kc_sink_string(out, escapes[i].escape);
		at += *at != '\0';
	}
	kc_sink_check(out, safe.status);
}

void kc_html_identity(struct kc_sink *out, const struct kc_report_case *testcase)
{
	kc_html_text(out, testcase->classname);
	kc_sink_string(out, ".");
	kc_html_text(out, testcase->name);
}

static void add_term(struct kc_sink *out, const char *term, const char *text)
{
	bool is_block;

	if (!text || !*text)
		return;
	is_block = strchr(text, '\n') != NULL;
	kc_sink_printf(out, "<dt>%s</dt><dd>%s", term, is_block ? "<pre tabindex=\"0\">" : "");
	kc_html_text(out, text);
	kc_sink_string(out, is_block ? "</pre></dd>\n" : "</dd>\n");
}

/* The head of the page */

static void add_file(struct kc_sink *out, const char *name)
{
	const char *bytes;
	size_t length;

	if (kc_embedded_find(name, &bytes, &length))
		kc_sink_add(out, bytes, length);
	else
		kc_sink_check(out, -ENOENT);
}

static void add_counts(struct kc_sink *out, const struct kc_ledger *ledger)
{
	const size_t *counts = ledger->counts;

	kc_sink_printf(out, "<p class=\"counts\"><span class=\"pass\">%zu passed</span>", counts[KC_PASS]);
	if (ledger->flaky)
		kc_sink_printf(out, " (%zu flaky)", ledger->flaky);
	kc_sink_printf(out,
		       ", <span class=\"%s\">%zu failed</span>, <span class=\"%s\">%zu broken</span>, <span "
		       "class=\"skip\">%zu skipped</span></p>\n",
		       counts[KC_FAIL] ? "fail" : "none", counts[KC_FAIL],
		       counts[KC_BROKEN] ? "broken" : "none", counts[KC_BROKEN], counts[KC_SKIP]);
}

static void add_started(struct kc_sink *out, const struct kc_report_run *run)
{
	time_t started_s = (time_t)(run->started_ms / 1000);
	char text[64] = "";
	struct tm utc;

	if (gmtime_r(&started_s, &utc))
		(void)strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &utc);
	kc_sink_string(out, "<p class=\"note\">");
	kc_html_text(out, text);
	kc_sink_string(out, ", krunner-compat ");
	kc_html_text(out, run->version ? run->version : "");
	kc_sink_string(out, " on ");
	kc_html_text(out, run->hostname ? run->hostname : "");
	kc_sink_string(out, "</p>\n");
}

/* An emulated one is never passed off as the real one. */
static void add_images(struct kc_sink *out, const struct kc_report_run *run)
{
	kc_sink_printf(out, "<dt>%s</dt><dd>", run->suite_count == 1 ? "image" : "images");
	for (size_t i = 0; i < run->suite_count; i++) {
		const char *fidelity = kc_report_fact(&run->suites[i], "image.fidelity");

		kc_sink_string(out, i ? ", " : "");
		kc_html_text(out, run->suites[i].name);
		if (!*fidelity)
			continue;
		kc_sink_string(out, " (");
		kc_html_text(out, fidelity);
		kc_sink_string(out, ")");
	}
	kc_sink_string(out, "</dd>\n");
}

static void add_head(struct kc_sink *out, const struct kc_ledger *ledger, bool complete)
{
	const size_t *counts = ledger->counts;
	bool is_green = complete && counts[KC_PASS] && !counts[KC_FAIL] && !counts[KC_BROKEN];
	const char *verdict = is_green ? "passed" : "not passed";

	kc_sink_printf(out,
		       "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
		       "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
		       "'unsafe-inline'; script-src 'unsafe-inline'\"/>\n"
		       "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
		       "<title>krunner-compat: %s</title>\n<style>\n",
		       verdict);
	add_file(out, "reports/html/page.css");
	kc_sink_printf(out,
		       "</style>\n</head>\n<body>\n<header>\n<h1>krunner-compat: <span "
		       "class=\"%s\">%s</span></h1>\n",
		       is_green ? "pass" : "fail", verdict);
	if (!complete)
		kc_sink_string(
			out,
			"<p class=\"fail\">The run is incomplete: it was cut short, or has not ended.</p>\n");
	add_counts(out, ledger);
	kc_sink_string(out, "<dl>\n");
	add_term(out, "package", kc_report_fact(&ledger->run->suites[0], "volume.package"));
	add_term(out, "version", kc_report_fact(&ledger->run->suites[0], "volume.package-version"));
	add_term(out, "volume", kc_report_fact(&ledger->run->suites[0], "volume.archive"));
	add_term(out, "sha256", kc_report_fact(&ledger->run->suites[0], "volume.sha256"));
	add_images(out, ledger->run);
	kc_sink_string(out, "</dl>\n");
	add_started(out, ledger->run);
	kc_sink_string(out, "</header>\n<main>\n");
}

/* What did not pass */

static void add_members(struct kc_sink *out, const struct kc_ledger *ledger, size_t first, size_t members)
{
	size_t listed = 0;

	kc_sink_printf(out, "<dt>%s</dt><dd class=\"id\">", members == 1 ? "case" : "cases");
	for (size_t i = first; i < ledger->run->case_count && listed < MOST_LISTED; i++) {
		if (ledger->causes[i] != first)
			continue;
		kc_sink_string(out, listed++ ? ", " : "");
		kc_html_identity(out, &ledger->run->cases[i]);
	}
	if (members > listed)
		kc_sink_printf(out, " and %zu more", members - listed);
	kc_sink_string(out, "</dd>\n");
}

/* A name of any origin, where add_term has one of ours. */
static void add_pair(struct kc_sink *out, const char *name, const char *value)
{
	kc_sink_string(out, "<dt>");
	kc_html_text(out, name);
	kc_sink_string(out, "</dt><dd>");
	kc_html_text(out, value);
	kc_sink_string(out, "</dd>\n");
}

static void add_found(struct kc_sink *out, const struct kc_result *result)
{
	for (size_t i = 0; i < result->property_count; i++)
		add_pair(out, result->properties[i].name, result->properties[i].value);
	for (size_t i = 0; i < result->measurement_count; i++) {
		char text[KC_MEASUREMENT_TEXT_MAX];

		kc_measurement_text(&result->measurements[i], text, sizeof(text));
		add_pair(out, result->measurements[i].name, text);
	}
}

static void add_output(struct kc_sink *out, const char *output)
{
	if (!output || !*output)
		return;
	kc_sink_string(out, "<details><summary>Output of the program</summary><pre tabindex=\"0\">");
	kc_html_text(out, output);
	kc_sink_string(out, "</pre></details>\n");
}

static void add_cause(struct kc_sink *out, const struct kc_ledger *ledger, size_t first, size_t members)
{
	KC_CLEANUP_SINK struct kc_sink command = KC_SINK_INIT(TEXT_LIMIT);
	const struct kc_report_case *testcase = &ledger->run->cases[first];
	const struct kc_result *result = &ledger->results[first];
	const char *class = result->verdict == KC_FAIL ? "fail" : "broken";

	kc_sink_printf(out,
		       "<article class=\"cause %s\" id=\"cause-%zu\">\n<h3><span class=\"%s\">%s</span> ",
		       class, first, class, result->verdict == KC_FAIL ? "FAIL" : "BROKEN");
	kc_html_text(out, kc_result_message(result));
	kc_sink_string(out, "</h3>\n<dl>\n");
	add_members(out, ledger, first, members);
	add_term(out, "next step", result->hint);
	kc_sink_check(&command, kc_report_reproduce(ledger->run, testcase, &command.text));
	add_term(out, "reproduce", kc_buffer_string(&command.text));
	kc_sink_check(out, command.status);
	add_term(out, "what", testcase->what);
	add_term(out, "expected", result->expected);
	add_term(out, "got", result->got);
	add_found(out, result);
	kc_sink_string(out, "</dl>\n");
	add_output(out, result->output);
	kc_sink_string(out, "</article>\n");
}

static void add_causes(struct kc_sink *out, const struct kc_ledger *ledger)
{
	static const enum kc_verdict verdicts[] = { KC_FAIL, KC_BROKEN };

	if (!ledger->counts[KC_FAIL] && !ledger->counts[KC_BROKEN])
		return;
	kc_sink_string(out,
		       "<section aria-labelledby=\"causes\">\n<h2 id=\"causes\">What did not pass</h2>\n");
	for (size_t v = 0; v < KC_ARRAY_LENGTH(verdicts); v++)
		for (size_t i = 0; i < ledger->run->case_count; i++) {
			size_t members = kc_ledger_members(ledger, i, verdicts[v]);

			if (members)
				add_cause(out, ledger, i, members);
		}
	kc_sink_string(out, "</section>\n");
}

/* All cases on all images */

/* "imports.zmq": what a case is called on every image. */
static void add_row_name(struct kc_sink *name, const struct kc_report_run *run,
			 const struct kc_report_case *testcase)
{
	const char *suite = run->suites[testcase->suite].name, *class = testcase->classname;
	size_t length = strlen(suite);

	if (strncmp(class, suite, length) == 0 && class[length] == '.')
		class += length + 1;
	kc_sink_printf(name, "%s.%s", class, testcase->name);
}

struct table {
	size_t *cells; /* of each row and suite: the case's number plus one; 0: not planned there */
	size_t row_count;
};

/* A hash of names, for a matrix of thousands is looked up for each of its cases. */
static int fill_table(const struct kc_report_run *run, struct table *table)
{
	xmlHashTable *rows = xmlHashCreate(1024);
	int status = 0;

	table->cells = calloc((run->case_count + 1) * run->suite_count, sizeof(*table->cells));
	if (!rows || !table->cells)
		status = -ENOMEM;
	for (size_t i = 0; status == 0 && i < run->case_count; i++) {
		KC_CLEANUP_SINK struct kc_sink name = KC_SINK_INIT(TEXT_LIMIT);
		const xmlChar *key;
		size_t *first;

		add_row_name(&name, run, &run->cases[i]);
		key = (const xmlChar *)kc_buffer_string(&name.text);
		first = xmlHashLookup(rows, key);
		if (!first) {
			first = &table->cells[table->row_count++ * run->suite_count];
			status = xmlHashAddEntry(rows, key, first) < 0 ? -ENOMEM : name.status;
		}
		first[run->cases[i].suite] = i + 1;
	}
	xmlHashFree(rows, NULL);
	return status;
}

static void add_cell(struct kc_sink *out, const struct kc_ledger *ledger, size_t cell)
{
	static const char *const labels[] = {
		[KC_BROKEN] = "BROKEN", [KC_PASS] = "PASS", [KC_FAIL] = "FAIL", [KC_SKIP] = "SKIP"
	};
	const struct kc_result *result;

	if (!cell) {
		kc_sink_string(out, "<td class=\"none\">not planned</td>");
		return;
	}
	result = &ledger->results[cell - 1];
	kc_sink_printf(out, "<td class=\"%s\">", kc_verdict_name(result->verdict));
	if (result->verdict == KC_FAIL || result->verdict == KC_BROKEN)
		kc_sink_printf(out, "<a class=\"%s\" href=\"#cause-%zu\">%s</a>",
			       kc_verdict_name(result->verdict), ledger->causes[cell - 1],
			       labels[result->verdict]);
	else
		kc_sink_string(out, labels[result->verdict]);
	kc_sink_printf(out, " %" PRId64 ".%02" PRId64 " s", result->duration_ms / 1000,
		       result->duration_ms % 1000 / 10);
	if (kc_result_is_flaky(result)) {
		kc_sink_printf(out, " <span class=\"note\">flaky, attempt %zu; before that: ",
			       result->attempt_count + 1);
		kc_html_text(out, result->attempts[0].message);
		kc_sink_string(out, "</span>");
	}
	kc_sink_string(out, "</td>");
}

static void add_row(struct kc_sink *out, const struct kc_ledger *ledger, const size_t *cells)
{
	KC_CLEANUP_SINK struct kc_sink name = KC_SINK_INIT(TEXT_LIMIT);
	const struct kc_report_run *run = ledger->run;

	kc_sink_string(out, "<tr data-verdicts=\"");
	for (size_t i = 0; i < run->suite_count; i++) {
		if (!cells[i])
			continue;
		if (!name.text.length)
			add_row_name(&name, run, &run->cases[cells[i] - 1]);
		kc_sink_printf(out, "%s ", kc_verdict_name(ledger->results[cells[i] - 1].verdict));
		if (kc_result_is_flaky(&ledger->results[cells[i] - 1]))
			kc_sink_string(out, "flaky ");
	}
	kc_sink_string(out, "\"><th scope=\"row\" class=\"id\">");
	kc_html_text(out, kc_buffer_string(&name.text));
	kc_sink_string(out, "</th>");
	for (size_t i = 0; i < run->suite_count; i++)
		add_cell(out, ledger, cells[i]);
	kc_sink_string(out, "</tr>\n");
	kc_sink_check(out, name.status);
}

static void add_table_head(struct kc_sink *out, const struct kc_report_run *run)
{
	kc_sink_string(
		out,
		"<section id=\"cases\" aria-labelledby=\"all\">\n<h2 id=\"all\">Cases</h2>\n<form "
		"id=\"filter\" "
		"hidden=\"hidden\">\n<label>Name contains <input name=\"text\" type=\"search\"/></label>\n"
		"<label>Verdict <select name=\"verdict\"><option value=\"\">any</option><option>fail</option>"
		"<option>broken</option><option>skip</option><option>flaky</option><option>pass</option></"
		"select></label>\n"
		"<span id=\"shown\" role=\"status\"></span>\n</form>\n<div class=\"scroll\" tabindex=\"0\" "
		"role=\"region\" "
		"aria-label=\"Table of cases\">\n<table>\n<caption>How each case ended on each "
		"image</caption>\n<thead><tr><th "
		"scope=\"col\">case</th>");
	for (size_t i = 0; i < run->suite_count; i++) {
		kc_sink_string(out, "<th scope=\"col\">");
		kc_html_text(out, run->suites[i].name);
		kc_sink_string(out, "</th>");
	}
	kc_sink_string(out, "</tr></thead>\n<tbody>\n");
}

static void add_cases(struct kc_sink *out, const struct kc_ledger *ledger)
{
	struct table table = { 0 };

	kc_sink_check(out, fill_table(ledger->run, &table));
	add_table_head(out, ledger->run);
	for (size_t i = 0; out->status == 0 && i < table.row_count; i++)
		add_row(out, ledger, &table.cells[i * ledger->run->suite_count]);
	kc_sink_string(out, "</tbody>\n</table>\n</div>\n</section>\n");
	free(table.cells);
}

/* What was tested, and the page */

static void add_facts(struct kc_sink *out, const struct kc_report_run *run)
{
	kc_sink_string(out, "<section aria-labelledby=\"facts\">\n<h2 id=\"facts\">What was tested</h2>\n");
	for (size_t i = 0; i < run->suite_count; i++) {
		kc_sink_string(out, "<details><summary>");
		kc_html_text(out, run->suites[i].name);
		kc_sink_string(out, "</summary>\n<dl>\n");
		for (size_t j = 0; j < run->suites[i].fact_count; j++)
			add_pair(out, run->suites[i].facts[j].name, run->suites[i].facts[j].value);
		kc_sink_string(out, "</dl></details>\n");
	}
	kc_sink_string(out, "</section>\n");
}

static int write_page(struct html *html, bool complete, struct kc_error *err)
{
	KC_CLEANUP_SINK struct kc_sink out = KC_SINK_INIT(PAGE_LIMIT);

	kc_ledger_settle(&html->ledger);
	add_head(&out, &html->ledger, complete);
	add_causes(&out, &html->ledger);
	if (html->options.baseline)
		kc_html_changes(&out, &html->ledger, html->options.baseline);
	add_cases(&out, &html->ledger);
	kc_html_floors(&out, &html->ledger);
	kc_html_keepalive(&out, &html->ledger);
	kc_html_times(&out, &html->ledger);
	add_facts(&out, html->ledger.run);
	kc_sink_string(&out, "</main>\n<script>\n");
	add_file(&out, "reports/html/page.js");
	kc_sink_string(&out, "</script>\n</body>\n</html>\n");
	if (out.status < 0)
		return kc_error_errno(err, out.status, "write `%s`", html->options.path);
	return kc_file_write_atomic(AT_FDCWD, html->options.path, out.text.data, out.text.length, 0644, err);
}

static int html_begin(struct kc_report *report, const struct kc_report_run *run, struct kc_error *err)
{
	struct html *html = (struct html *)report;
	int status = kc_file_check_replaceable(html->options.path, err);

	if (status < 0)
		return status;
	if (kc_ledger_begin(&html->ledger, run) < 0)
		return kc_error_errno(err, ENOMEM, "write `%s`", html->options.path);
	return write_page(html, false, err);
}

static void html_case_started(struct kc_report *report, const struct kc_report_case *testcase)
{
	(void)report;
	(void)testcase;
}

static void html_case_done(struct kc_report *report, const struct kc_report_case *testcase,
			   const struct kc_result *result)
{
	kc_ledger_take(&((struct html *)report)->ledger, testcase, result);
}

static int html_end(struct kc_report *report, bool complete, struct kc_error *err)
{
	return write_page((struct html *)report, complete, err);
}

static void html_close(struct kc_report *report)
{
	struct html *html = (struct html *)report;

	kc_ledger_release(&html->ledger);
	free(html);
}

int kc_html_open(const struct kc_html_options *options, struct kc_report **ret_report, struct kc_error *err)
{
	static const struct kc_report_ops operations = { .begin = html_begin,
							 .case_started = html_case_started,
							 .case_done = html_case_done,
							 .end = html_end,
							 .close = html_close };
	struct html *html = calloc(1, sizeof(*html));

	if (!html)
		return kc_error_errno(err, ENOMEM, "write `%s`", options->path);
	html->report.ops = &operations;
	html->options = *options;
	*ret_report = &html->report;
	return 0;
}
