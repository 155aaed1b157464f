#include "reports/junit.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libxml/hash.h>
#include <libxml/tree.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "reports/ledger.h"
#include "reports/text.h"
#include "sys/file.h"

enum {
	STREAM_CAP = 65536, /* readers choke on large text nodes: libxml2 at 10 MB, GitLab at 30 MB a file */
	TEXT_LIMIT = 8 * STREAM_CAP
};

/* A case of the current run: its element, unlinked until the suite is written in the order of the plan. */
struct slot {
	const struct kc_report_case *testcase;
	xmlNode *element;
	enum kc_verdict verdict;
	int64_t duration_ms;
	bool done;
};

struct counters {
	unsigned int tests, failures, errors, skipped;
	int64_t duration_ms;
};

struct junit {
	struct kc_report report;
	struct kc_junit_options options;
	xmlDoc *document;
	xmlHashTable *identities; /* (classname, name), over all suites of the file */
	struct counters total;	  /* of the runs that have ended */
	bool begun;

	const struct kc_report_run *run;
	struct slot *slots;
	struct kc_error failure; /* the first of the current run: case_done cannot return one */
};

/* libxml2's own BAD_CAST drops the const. */
static const xmlChar *xml(const char *text)
{
	return (const xmlChar *)text;
}

static void note_failure(struct junit *junit, int errno_value, const char *what)
{
	if (!junit->failure.code)
		(void)kc_error_errno(&junit->failure, errno_value, "write `%s`: %s", junit->options.path,
				     what);
}

/* Building the tree: every function takes NULL for "out of memory earlier", and the failure is noted once. */

static xmlNode *add_element(struct junit *junit, xmlNode *parent, const char *name)
{
	xmlNode *element = xmlNewNode(NULL, xml(name));

	if (element && parent)
		(void)xmlAddChild(parent, element); /* cannot fail for a fresh element */
	if (!element)
		note_failure(junit, ENOMEM, "build the report");
	return element;
}

/* `value` is anything: made safe, one line. */
static void set_attribute(struct junit *junit, xmlNode *element, const char *name, const char *value)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(TEXT_LIMIT);
	int status = kc_text_append_capped(&text, value, strlen(value), KC_TEXT_LINE, STREAM_CAP);

	if (!element)
		return;
	if (status < 0 || !xmlSetProp(element, xml(name), xml(kc_buffer_string(&text))))
		note_failure(junit, ENOMEM, "build the report");
}

static void set_count(struct junit *junit, xmlNode *element, const char *name, unsigned int count)
{
	char text[16];

	(void)snprintf(text, sizeof(text), "%u", count);
	set_attribute(junit, element, name, text);
}

/* Integers all the way: no locale has a say in the decimal point. */
static void set_seconds(struct junit *junit, xmlNode *element, int64_t duration_ms)
{
	char text[32];

	if (duration_ms < 0)
		duration_ms = 0;
	(void)snprintf(text, sizeof(text), "%" PRId64 ".%03" PRId64, duration_ms / 1000, duration_ms % 1000);
	set_attribute(junit, element, "time", text);
}

static void set_content(struct junit *junit, xmlNode *element, const struct kc_buffer *safe_text)
{
	xmlNode *text = xmlNewText(xml(kc_buffer_string(safe_text)));

	if (element && text) {
		(void)xmlAddChild(element, text);
		return;
	}
	xmlFreeNode(text);
	note_failure(junit, ENOMEM, "build the report");
}

static void add_property(struct junit *junit, xmlNode *list, const char *name, const char *value)
{
	xmlNode *property = add_element(junit, list, "property");

	set_attribute(junit, property, "name", name);
	set_attribute(junit, property, "value", value);
}

static void add_facts(struct junit *junit, xmlNode *parent, const struct kc_property *facts, size_t count)
{
	xmlNode *list = count ? add_element(junit, parent, "properties") : NULL;

	for (size_t i = 0; i < count; i++)
		add_property(junit, list, facts[i].name, facts[i].value);
}

static void add_properties(struct junit *junit, xmlNode *parent, const struct kc_result *result)
{
	size_t count = result->property_count + result->measurement_count;
	xmlNode *list = count ? add_element(junit, parent, "properties") : NULL;

	for (size_t i = 0; i < result->property_count; i++)
		add_property(junit, list, result->properties[i].name, result->properties[i].value);
	for (size_t i = 0; i < result->measurement_count; i++) {
		char text[KC_MEASUREMENT_TEXT_MAX];

		kc_measurement_text(&result->measurements[i], text, sizeof(text));
		add_property(junit, list, result->measurements[i].name, text);
	}
}

static int append_section(struct kc_buffer *text, const char *title, const char *content)
{
	int status;

	if (!content || !*content)
		return 0;
	status = kc_buffer_printf(text, strchr(content, '\n') ? "%s:\n" : "%s: ", title);
	if (status == 0)
		status = kc_text_append_capped(text, content, strlen(content), 0, STREAM_CAP);
	return status < 0 ? status : kc_buffer_append_string(text, "\n");
}

/* action-junit-report looks for the line number in ` FILE:LINE`, with the leading space. */
static int append_place(struct kc_buffer *text, const struct kc_report_case *testcase, const char *message)
{
	int status = kc_buffer_append_string(text, " ");

	if (status == 0)
		status = kc_text_append(text, testcase->file, strlen(testcase->file), KC_TEXT_LINE);
	if (status == 0)
		status = kc_buffer_printf(text, ":%u: ", testcase->line);
	if (status == 0)
		status = kc_text_append(text, message, strlen(message), KC_TEXT_LINE);
	return status < 0 ? status : kc_buffer_append_string(text, "\n");
}

/* The text of a failure or error. GitLab shows the text and drops the message. */
/* Nothing runs a case again that was none: what the report itself has to say. */
static int append_command(struct kc_buffer *text, const struct kc_report_run *run,
			  const struct kc_report_case *testcase)
{
	for (size_t i = 0; i < run->case_count; i++)
		if (testcase == &run->cases[i])
			return kc_report_reproduce(run, testcase, text);
	return 0;
}

static int append_evidence(struct kc_buffer *text, const struct kc_report_run *run,
			   const struct kc_report_case *testcase, const struct kc_result *result)
{
	KC_CLEANUP_BUFFER struct kc_buffer command = KC_BUFFER_INIT(TEXT_LIMIT);
	const char *message = kc_result_message(result);
	int status = append_command(&command, run, testcase);
	const struct {
		const char *title, *content;
	} sections[] = { { "checked", testcase->what },
			 { "expected", result->expected },
			 { "got", result->got },
			 { "hint", result->hint },
			 { "reproduce", kc_buffer_string(&command) },
			 { "output of the program", result->output } };

	if (status == 0)
		status = kc_text_append(text, message, strlen(message), KC_TEXT_LINE);
	if (status == 0)
		status = kc_buffer_append_string(text, "\n");
	for (size_t i = 0; i < KC_ARRAY_LENGTH(sections) && status == 0; i++)
		status = append_section(text, sections[i].title, sections[i].content);
	return status < 0 ? status : append_place(text, testcase, message);
}

static const char *type_of(enum kc_verdict verdict)
{
	static const char *const types[] = { [KC_BROKEN] = "not-judged",
					     [KC_PASS] = "",
					     [KC_FAIL] = "promise-broken",
					     [KC_SKIP] = "not-applicable" };

	return types[verdict];
}

/* As surefire tells them; Jenkins and others know no errors among them, so the type tells what it was. */
static void add_attempt(struct junit *junit, xmlNode *element, const struct kc_report_case *testcase,
			const struct kc_attempt *attempt, bool is_flaky)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(TEXT_LIMIT);
	xmlNode *child = add_element(junit, element, is_flaky ? "flakyFailure" : "rerunFailure");

	set_attribute(junit, child, "message", attempt->message);
	set_attribute(junit, child, "type", type_of(attempt->verdict));
	if (append_place(&text, testcase, attempt->message) < 0)
		note_failure(junit, ENOMEM, "build the report");
	set_content(junit, add_element(junit, child, "stackTrace"), &text);
}

static void add_failure(struct junit *junit, xmlNode *element, const struct kc_report_case *testcase,
			const struct kc_result *result)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(TEXT_LIMIT);
	bool failed = result->verdict == KC_FAIL;
	xmlNode *child = add_element(junit, element, failed ? "failure" : "error");

	set_attribute(junit, child, "message", kc_result_message(result));
	set_attribute(junit, child, "type", type_of(result->verdict));
	if (append_evidence(&text, junit->run, testcase, result) < 0)
		note_failure(junit, ENOMEM, "build the report");
	set_content(junit, child, &text);
}

static void add_output(struct junit *junit, xmlNode *element, const char *output)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(TEXT_LIMIT);

	if (!output || !*output)
		return;
	if (kc_text_append_capped(&text, output, strlen(output), 0, STREAM_CAP) < 0)
		note_failure(junit, ENOMEM, "build the report");
	set_content(junit, add_element(junit, element, "system-out"), &text);
}

/* As GitLab and others know it, junit_attachments of its CI reference: in a line of its own. */
static void add_attachment(struct junit *junit, xmlNode *element, const char *path)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(TEXT_LIMIT);

	if (*path == '/' || strpbrk(path, "[]|\n\r"))
		return;
	if (kc_buffer_append_string(&text, "[[ATTACHMENT|") < 0 ||
	    kc_text_append(&text, path, strlen(path), KC_TEXT_LINE) < 0 ||
	    kc_buffer_append_string(&text, "]]\n") < 0)
		note_failure(junit, ENOMEM, "build the report");
	set_content(junit, add_element(junit, element, "system-out"), &text);
}

/* Never empty: Codecov's parser (test-results-parser 0.6.1) takes an empty element for none, and the case for passed. */
static void add_skipped(struct junit *junit, xmlNode *element, const char *reason)
{
	xmlNode *skipped = add_element(junit, element, "skipped");
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(TEXT_LIMIT);

	set_attribute(junit, skipped, "message", reason);
	if (kc_text_append(&text, reason, strlen(reason), 0) < 0 ||
	    (!text.length && kc_buffer_append_string(&text, "no reason was given") < 0))
		note_failure(junit, ENOMEM, "build the report");
	set_content(junit, skipped, &text);
}

static void fill_testcase(struct junit *junit, xmlNode *element, const struct kc_report_case *testcase,
			  const struct kc_result *result)
{
	bool is_red = result->verdict == KC_FAIL || result->verdict == KC_BROKEN;

	set_attribute(junit, element, "classname", testcase->classname);
	set_attribute(junit, element, "name", testcase->name);
	set_seconds(junit, element, result->duration_ms);
	if (!junit->options.is_strict) {
		set_attribute(junit, element, "file", testcase->file);
		set_count(junit, element, "line", testcase->line);
		add_properties(junit, element, result);
	}
	if (is_red)
		add_failure(junit, element, testcase, result);
	if (result->verdict == KC_SKIP)
		add_skipped(junit, element, kc_result_message(result));
	for (size_t i = 0; i < result->attempt_count; i++)
		add_attempt(junit, element, testcase, &result->attempts[i], result->verdict == KC_PASS);
	if (!is_red)
		add_output(junit, element, result->output);
	else if (junit->options.attachment && !junit->options.is_strict)
		add_attachment(junit, element, junit->options.attachment);
}

/* Makes the element of a slot, in place of the one it had. */
static void fill_slot(struct junit *junit, struct slot *slot, const struct kc_result *result)
{
	if (slot->element) {
		xmlUnlinkNode(slot->element);
		xmlFreeNode(slot->element);
	}
	slot->element = add_element(junit, NULL, "testcase");
	slot->verdict = result->verdict;
	slot->duration_ms = result->duration_ms < 0 ? 0 : result->duration_ms;
	if (slot->element)
		fill_testcase(junit, slot->element, slot->testcase, result);
}

static void count(struct counters *counters, enum kc_verdict verdict, int64_t duration_ms)
{
	counters->tests++;
	counters->failures += verdict == KC_FAIL;
	counters->errors += verdict == KC_BROKEN;
	counters->skipped += verdict == KC_SKIP;
	counters->duration_ms += duration_ms;
}

static void add_counters(struct counters *total, const struct counters *counters)
{
	total->tests += counters->tests;
	total->failures += counters->failures;
	total->errors += counters->errors;
	total->skipped += counters->skipped;
	total->duration_ms += counters->duration_ms;
}

static void set_counters(struct junit *junit, xmlNode *element, const struct counters *counters)
{
	set_count(junit, element, "tests", counters->tests);
	set_count(junit, element, "failures", counters->failures);
	set_count(junit, element, "errors", counters->errors);
	if (!junit->options.is_strict || element != xmlDocGetRootElement(junit->document))
		set_count(junit, element, "skipped", counters->skipped);
	set_seconds(junit, element, counters->duration_ms);
}

/* The part of a run that has no case is no error: others have them. All else that selects nothing is one. */
static void add_selection(struct junit *junit, xmlNode *element, const struct kc_report_suite *suite,
			  bool complete, struct counters *counters)
{
	const struct kc_report_case testcase = { .classname = suite->name,
						 .name = "selection",
						 .what = "every selected case reports a result",
						 .file = __FILE__,
						 .line = __LINE__ };
	const char *shard = kc_report_fact(suite, "shard");
	struct kc_result result;

	kc_result_init(&result);
	if (complete && *shard)
		kc_result_skip(&result, "shard %s has no case: nothing was checked here", shard);
	else
		kc_result_broken(&result, "no case was selected");
	fill_testcase(junit, add_element(junit, element, "testcase"), &testcase, &result);
	count(counters, result.verdict, 0);
	kc_result_release(&result);
}

/* An error that belongs to no case: a report without it would be green. */
static void add_cut_short(struct junit *junit, xmlNode *element, const struct kc_report_suite *suite,
			  struct counters *counters)
{
	const struct kc_report_case testcase = { .classname = suite->name,
						 .name = "completeness",
						 .what = "every selected case reports a result",
						 .file = __FILE__,
						 .line = __LINE__ };
	struct kc_result result;

	kc_result_init(&result);
	kc_result_broken(&result, "the run was cut short");
	fill_testcase(junit, add_element(junit, element, "testcase"), &testcase, &result);
	kc_result_release(&result);
	count(counters, KC_BROKEN, 0);
}

static void set_timestamp(struct junit *junit, xmlNode *suite)
{
	time_t started_s = (time_t)(junit->run->started_ms / 1000);
	char text[64] = "";
	struct tm utc;

	/* Without a zone suffix: consumers take it for UTC, and the strict schema allows none. */
	if (gmtime_r(&started_s, &utc))
		(void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
	set_attribute(junit, suite, "timestamp", text);
}

static void build_suite(struct junit *junit, size_t number, bool complete, struct counters *total)
{
	const struct kc_report_run *run = junit->run;
	const struct kc_report_suite *suite = &run->suites[number];
	struct counters counters = { 0 };
	xmlNode *element = add_element(junit, xmlDocGetRootElement(junit->document), "testsuite");

	set_attribute(junit, element, "name", suite->name);
	set_timestamp(junit, element);
	set_attribute(junit, element, "hostname", run->hostname);
	add_facts(junit, element, suite->facts, suite->fact_count);
	for (size_t i = 0; i < run->case_count; i++) {
		struct slot *slot = &junit->slots[i];

		if (run->cases[i].suite != number)
			continue;
		count(&counters, slot->verdict, slot->duration_ms);
		if (element && slot->element)
			(void)xmlAddChild(element, slot->element); /* cannot fail for an element */
	}
	if (run->case_count == 0)
		add_selection(junit, element, suite, complete, &counters);
	else if (!complete && counters.errors == 0)
		add_cut_short(junit, element, suite, &counters);
	set_counters(junit, element, &counters);
	add_counters(total, &counters);
}

/* A suite of which no case was selected, while others have some, is not written. */
static bool has_cases(const struct kc_report_run *run, size_t number)
{
	for (size_t i = 0; i < run->case_count; i++)
		if (run->cases[i].suite == number)
			return true;
	return run->case_count == 0;
}

static int write_document(struct junit *junit, const struct counters *current, struct kc_error *err)
{
	struct counters total = junit->total;
	xmlChar *text = NULL;
	int length = 0, status;

	add_counters(&total, current);
	set_counters(junit, xmlDocGetRootElement(junit->document), &total);
	xmlDocDumpFormatMemoryEnc(junit->document, &text, &length, "UTF-8", 1);
	if (!text)
		note_failure(junit, ENOMEM, "build the report");
	if (junit->failure.code) {
		xmlFree(text);
		*err = junit->failure;
		return err->code;
	}
	status = kc_file_write_atomic(AT_FDCWD, junit->options.path, text, (size_t)length, 0644, err);
	xmlFree(text);
	return status;
}

/* Takes the suites out of the document again; their testcases go back to their slots. */
static void take_back(struct junit *junit, xmlNode *before)
{
	xmlNode *root = xmlDocGetRootElement(junit->document);

	for (size_t i = 0; i < junit->run->case_count; i++)
		if (junit->slots[i].element)
			xmlUnlinkNode(junit->slots[i].element);
	while (root->last && root->last != before) {
		xmlNode *suite = root->last;

		xmlUnlinkNode(suite);
		xmlFreeNode(suite);
	}
}

/* Writes the document with the suites as they stand. They stay in the document only at the end of their run. */
static int write_suites(struct junit *junit, bool complete, bool keep, struct kc_error *err)
{
	xmlNode *before = xmlDocGetRootElement(junit->document)->last;
	struct counters counters = { 0 };
	int status;

	for (size_t i = 0; i < junit->run->suite_count; i++)
		if (has_cases(junit->run, i))
			build_suite(junit, i, complete, &counters);
	status = write_document(junit, &counters, err);
	if (!keep) {
		take_back(junit, before);
		return status;
	}
	for (size_t i = 0; i < junit->run->case_count; i++)
		junit->slots[i].element = NULL;
	add_counters(&junit->total, &counters);
	return status;
}

/* As the file will show it: two names may only differ in what no reader would see. */
static int show_identity(const struct kc_report_case *testcase, struct kc_buffer *classname,
			 struct kc_buffer *name)
{
	int status =
		kc_text_append(classname, testcase->classname, strlen(testcase->classname), KC_TEXT_LINE);

	return status < 0 ? status
			  : kc_text_append(name, testcase->name, strlen(testcase->name), KC_TEXT_LINE);
}

static int add_identity(struct junit *junit, struct slot *slot, struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer classname = KC_BUFFER_INIT(TEXT_LIMIT);
	KC_CLEANUP_BUFFER struct kc_buffer name = KC_BUFFER_INIT(TEXT_LIMIT);

	if (show_identity(slot->testcase, &classname, &name) < 0)
		return kc_error_errno(err, ENOMEM, "write `%s`", junit->options.path);
	if (xmlHashLookup2(junit->identities, xml(kc_buffer_string(&classname)),
			   xml(kc_buffer_string(&name))))
		return kc_error_set(err, EEXIST, "write `%s`: two cases are called `%s` `%s`",
				    junit->options.path, kc_buffer_string(&classname),
				    kc_buffer_string(&name));
	/* The value only has to be there. */
	if (xmlHashAddEntry2(junit->identities, xml(kc_buffer_string(&classname)),
			     xml(kc_buffer_string(&name)), junit) < 0)
		return kc_error_errno(err, ENOMEM, "write `%s`", junit->options.path);
	return 0;
}

/* Of a run whose place another one takes. */
static void drop_identities(struct junit *junit)
{
	for (size_t i = 0; junit->slots && i < junit->run->case_count; i++) {
		KC_CLEANUP_BUFFER struct kc_buffer classname = KC_BUFFER_INIT(TEXT_LIMIT);
		KC_CLEANUP_BUFFER struct kc_buffer name = KC_BUFFER_INIT(TEXT_LIMIT);

		if (show_identity(&junit->run->cases[i], &classname, &name) < 0 ||
		    xmlHashRemoveEntry2(junit->identities, xml(kc_buffer_string(&classname)),
					xml(kc_buffer_string(&name)), NULL) < 0)
			note_failure(junit, ENOMEM, "build the report");
	}
}

static void free_slots(struct junit *junit)
{
	for (size_t i = 0; junit->slots && i < junit->run->case_count; i++)
		xmlFreeNode(junit->slots[i].element);
	free(junit->slots);
	junit->slots = NULL;
}

/* Every case is an error until it has reported. */
static int make_slots(struct junit *junit, struct kc_error *err)
{
	struct kc_result result;

	/* One more than planned: calloc(0) may return NULL. */
	junit->slots = calloc(junit->run->case_count + 1, sizeof(*junit->slots));
	if (!junit->slots)
		return kc_error_errno(err, ENOMEM, "write `%s`", junit->options.path);
	kc_result_init(&result);
	kc_result_broken(&result, "not run: the run ended before this case reported a result");
	for (size_t i = 0; i < junit->run->case_count; i++) {
		int status;

		junit->slots[i].testcase = &junit->run->cases[i];
		status = add_identity(junit, &junit->slots[i], err);
		if (status < 0) {
			kc_result_release(&result);
			return status;
		}
		fill_slot(junit, &junit->slots[i], &result);
	}
	kc_result_release(&result);
	return 0;
}

static int junit_begin(struct kc_report *report, const struct kc_report_run *run, struct kc_error *err)
{
	struct junit *junit = (struct junit *)report;
	bool is_first = !junit->begun;
	int status = is_first ? kc_file_check_replaceable(junit->options.path, err) : 0;

	if (status < 0)
		return status;
	kc_error_clear(&junit->failure);
	if (junit->run) {
		drop_identities(junit);
		free_slots(junit);
	}
	junit->begun = true;
	junit->run = run;
	status = make_slots(junit, err);
	if (status == 0)
		status = write_suites(junit, false, false, err);
	if (status < 0)
		free_slots(junit);
	/* Replaced in one step there is a file at any moment; where that fails, none is better than an earlier run's. */
	if (status < 0 && is_first && unlink(junit->options.path) < 0)
		return status; /* most likely there was none; the first error is the one to report */
	return status;
}

static void junit_case_started(struct kc_report *report, const struct kc_report_case *testcase)
{
	(void)report;
	(void)testcase;
}

static void junit_case_done(struct kc_report *report, const struct kc_report_case *testcase,
			    const struct kc_result *result)
{
	struct junit *junit = (struct junit *)report;
	size_t index = 0;

	while (index < junit->run->case_count && &junit->run->cases[index] != testcase)
		index++;
	if (index == junit->run->case_count || junit->slots[index].done) {
		note_failure(junit, EPROTO, "a case reported twice, or was not planned");
		return;
	}
	junit->slots[index].done = true;
	fill_slot(junit, &junit->slots[index], result);
}

static int junit_end(struct kc_report *report, bool complete, struct kc_error *err)
{
	struct junit *junit = (struct junit *)report;
	int status = write_suites(junit, complete, true, err);

	free_slots(junit);
	return status;
}

static void junit_close(struct kc_report *report)
{
	struct junit *junit = (struct junit *)report;

	if (!junit)
		return;
	free_slots(junit);
	xmlFreeDoc(junit->document);
	xmlHashFree(junit->identities, NULL);
	free(junit);
}

static const struct kc_report_ops operations = {
	.begin = junit_begin,
	.case_started = junit_case_started,
	.case_done = junit_case_done,
	.end = junit_end,
	.close = junit_close,
};

int kc_junit_open(const struct kc_junit_options *options, struct kc_report **ret_report, struct kc_error *err)
{
	struct junit *junit = calloc(1, sizeof(*junit));
	xmlNode *root;

	if (!junit)
		return kc_error_errno(err, ENOMEM, "write `%s`", options->path);
	junit->report.ops = &operations;
	junit->options = *options;
	junit->document = xmlNewDoc(xml("1.0"));
	junit->identities = xmlHashCreate(64);
	root = junit->document ? xmlNewDocNode(junit->document, NULL, xml("testsuites"), NULL) : NULL;
	if (!root || !junit->identities) {
		junit_close(&junit->report);
		return kc_error_errno(err, ENOMEM, "write `%s`", options->path);
	}
	(void)xmlDocSetRootElement(junit->document, root); /* returns the root before, and there is none */
	set_attribute(junit, root, "name", "krunner-compat");
	*ret_report = &junit->report;
	return 0;
}
