#include "reports/console.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reports/ledger.h"
#include "reports/matrix.h"
#include "reports/text.h"
#include "sys/fd.h"
#include "sys/time.h"

enum {
	HEARTBEAT_MS = 30000,
	REDRAW_MS = 100,
	BAR_WIDTH = 20,
	OUTPUT_LINES = 8, /* of a program's output, the last */
	OUTPUT_LINES_VERBOSE = 100,
	OUTPUT_BYTES = 4096, /* of each text that is shown */
	LISTED_CASES = 20,   /* of a group */
	OUT_LIMIT = 1 << 20
};

#define ERASE_LINE "\r\033[K"

enum state { WAITING, RUNNING, DONE };

struct slot {
	enum state state;
	int64_t started_ms;
	int64_t heartbeat_ms; /* when the next one is due */
	int64_t expected_ms;  /* how long it took in an earlier run; -1: it was not in it */
};

struct console {
	struct kc_report report;
	struct kc_console_options options;
	struct kc_buffer out;
	const struct kc_report_run *run;
	struct kc_ledger ledger;
	struct slot *slots; /* one per case of the run */
	size_t done;
	double at_once; /* how many cases ran at once in the earlier run; 0: nothing is known of one */
	int64_t started_ms;
	int64_t drawn_ms;
	bool drawn; /* the progress line is on the screen */
};

static int64_t now_ms(const struct console *console)
{
	return console->options.now_ms ? console->options.now_ms() : kc_now_ms();
}

/* Output is composed in `out` and written at the end of each call. */

/* For what finds no memory or no reader: see console.h. */
static void lost_silently(int status)
{
	(void)status;
}

__attribute__((format(printf, 2, 3))) static void say(struct console *console, const char *format, ...)
{
	char text[512];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	lost_silently(kc_buffer_append_string(&console->out, text));
}

static unsigned int text_flags(const struct console *console)
{
	return KC_TEXT_LOG | (console->options.utf8 ? 0 : KC_TEXT_ASCII);
}

/* Text of any origin, in one line. */
static void say_line(struct console *console, const char *text)
{
	lost_silently(kc_text_append(&console->out, text, strlen(text), text_flags(console) | KC_TEXT_LINE));
}

static void say_identity(struct console *console, const struct kc_report_case *testcase)
{
	say_line(console, testcase->classname);
	say(console, ".");
	say_line(console, testcase->name);
}

static void say_verdict(struct console *console, enum kc_verdict verdict)
{
	if (console->options.colour)
		say(console, "\033[%sm%s\033[0m", kc_verdict_styles[verdict].colour,
		    kc_verdict_styles[verdict].label);
	else
		say(console, "%s", kc_verdict_styles[verdict].label);
}

static void flush(struct console *console)
{
	lost_silently(
		kc_fd_write_all(console->options.fd, kc_buffer_string(&console->out), console->out.length));
	kc_buffer_clear(&console->out);
}

static void erase_progress(struct console *console)
{
	if (console->drawn)
		say(console, ERASE_LINE);
	console->drawn = false;
}

/* How long cases that ran before take together, from the earlier run. */
static int64_t expected_ms(const struct console *console, int64_t now)
{
	int64_t sum = 0, known_ms = 0, longest = 0;
	size_t known = 0, unknown = 0;

	for (size_t i = 0; i < console->run->case_count; i++) {
		const struct slot *slot = &console->slots[i];
		int64_t left = slot->expected_ms - (slot->state == RUNNING ? now - slot->started_ms : 0);

		known += slot->expected_ms >= 0;
		known_ms += slot->expected_ms >= 0 ? slot->expected_ms : 0;
		if (slot->state == DONE)
			continue;
		unknown += slot->expected_ms < 0;
		sum += left > 0 ? left : 0;
		longest = left > longest ? left : longest;
	}
	if (!known)
		return -1;
	sum += (int64_t)unknown * known_ms / (int64_t)known; /* as long as the mean of the others */
	sum = (int64_t)((double)sum / console->at_once);
	return sum > longest ? sum : longest; /* no number of CPUs makes the longest one shorter */
}

static int append_left(const struct console *console, int64_t now, struct kc_buffer *line)
{
	int64_t left = console->at_once > 0 ? expected_ms(console, now) : -1;

	return left < 0 ? 0 : kc_buffer_printf(line, "about %" PRId64 " s left  ", (left + 999) / 1000);
}

static int append_name(struct kc_buffer *line, const char *name)
{
	return kc_text_append(line, name, strlen(name), KC_TEXT_LINE | KC_TEXT_ASCII);
}

/* With several images, the one that it runs on. */
static int append_running(const struct console *console, size_t number, struct kc_buffer *line)
{
	const struct kc_report_case *testcase = &console->run->cases[number];
	int status = append_name(line, testcase->name);

	if (status == 0 && console->run->suite_count > 1)
		status = kc_buffer_append_string(line, " on ");
	if (status == 0 && console->run->suite_count > 1)
		status = append_name(line, console->run->suites[testcase->suite].name);
	return status;
}

/* Progress on a terminal. ASCII, so that bytes are columns. */
static void draw_progress(struct console *console)
{
	KC_CLEANUP_BUFFER struct kc_buffer line = KC_BUFFER_INIT(4096);
	size_t all = console->run->case_count, bar = all ? console->done * BAR_WIDTH / all : 0;
	size_t width = console->options.width ? console->options.width : 80;
	int64_t now = now_ms(console), elapsed = now - console->started_ms;
	const char *separator = "";
	int status;

	status = kc_buffer_printf(&line, "[%.*s%.*s] %zu/%zu  %" PRId64 ".%" PRId64 " s  ", (int)bar,
				  "####################", (int)(BAR_WIDTH - bar), "--------------------",
				  console->done, all, elapsed / 1000, elapsed % 1000 / 100);
	if (status == 0)
		status = append_left(console, now, &line);
	for (size_t i = 0; i < all && status == 0 && line.length < width; i++) {
		if (console->slots[i].state != RUNNING)
			continue;
		status = kc_buffer_append_string(&line, separator);
		if (status == 0)
			status = append_running(console, i, &line);
		separator = ", ";
	}
	/* The last column stays free: writing there wraps on some terminals. */
	say(console, ERASE_LINE "%.*s", (int)(line.length < width ? line.length : width - 1),
	    kc_buffer_string(&line));
	console->drawn = true;
	console->drawn_ms = now;
}

/* What the first suite has said already. */
static bool is_said(const struct kc_report_run *run, const struct kc_property *fact)
{
	for (size_t i = 0; i < run->suites[0].fact_count; i++) {
		const struct kc_property *said = &run->suites[0].facts[i];

		if (strcmp(said->name, fact->name) == 0 && strcmp(said->value, fact->value) == 0)
			return true;
	}
	return false;
}

static void say_all_facts(struct console *console, size_t number)
{
	const struct kc_report_suite *suite = &console->run->suites[number];

	for (size_t i = 0; i < suite->fact_count; i++) {
		if (number && is_said(console->run, &suite->facts[i]))
			continue;
		say(console, "  ");
		say_line(console, suite->facts[i].name);
		say(console, ": ");
		say_line(console, suite->facts[i].value);
		say(console, "\n");
	}
}

/* A line of the facts that a suite has of `names`. */
static void say_facts(struct console *console, const struct kc_report_suite *suite, const char *label,
		      const char *const *names)
{
	const char *separator = "  ";

	for (; *names; names++) {
		const char *value = kc_report_fact(suite, *names);

		if (!*value)
			continue;
		if (*separator == ' ')
			say(console, "  %-8s", label);
		else
			say(console, "%s", separator);
		say_line(console, value);
		separator = ", ";
	}
	if (*separator == ',')
		say(console, "\n");
}

/* Of the run as a whole in the first suite. */
static void say_headline(struct console *console, const struct kc_report_suite *suite, bool is_first)
{
	static const struct {
		const char *label, *names[5];
		bool is_common;
	} rows[] = {
		{ "volume", { "volume.package", "volume.package-version", "volume.archive" }, true },
		{ "sha256", { "volume.sha256" }, true },
		{ "machine", { "kernel", "user", "sandbox.limits", "emulator" }, true },
		{ "time", { "time" }, true },
		{ "repairs", { "store.repairs" }, true },
		{ "image",
		  { "image.fidelity", "image.architecture", "image.libc", "image.libc-version" },
		  false },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++)
		if (is_first || !rows[i].is_common)
			say_facts(console, suite, rows[i].label, rows[i].names);
}

static void say_suite(struct console *console, size_t number)
{
	const struct kc_report_suite *suite = &console->run->suites[number];
	size_t cases = 0;

	for (size_t i = 0; i < console->run->case_count; i++)
		cases += console->run->cases[i].suite == number;
	say_line(console, suite->name);
	say(console, ": %zu case%s\n", cases, cases == 1 ? "" : "s");
	if (console->options.verbose)
		say_all_facts(console, number);
	else
		say_headline(console, suite, number == 0);
}

static bool find_like(const struct kc_report_run *run, const struct kc_report_case *testcase,
		      size_t *ret_number)
{
	for (size_t i = 0; i < run->case_count; i++) {
		*ret_number = i;
		if (strcmp(run->cases[i].classname, testcase->classname) == 0 &&
		    strcmp(run->cases[i].name, testcase->name) == 0)
			return true;
	}
	return false;
}

/* Returns how long the case took, or 0. */
static int64_t learn_from(struct console *console, const struct kc_recording *earlier,
			  const struct kc_recorded *record)
{
	size_t number;

	if (record->kind != KC_RECORDED_DONE || record->result.duration_ms < 0)
		return 0;
	if (find_like(console->run, &earlier->plan.run.cases[record->number], &number))
		console->slots[number].expected_ms = record->result.duration_ms;
	return record->result.duration_ms;
}

/* How long each case took in the earlier run, and how many ran at once. */
static void learn_from_earlier(struct console *console)
{
	const struct kc_recording *earlier = console->options.earlier;
	int64_t sum_ms = 0, span_ms;

	console->at_once = 0;
	for (size_t i = 0; i < console->run->case_count; i++)
		console->slots[i].expected_ms = -1;
	if (!earlier || !earlier->count)
		return;
	for (size_t i = 0; i < earlier->count; i++)
		sum_ms += learn_from(console, earlier, &earlier->records[i]);
	span_ms = earlier->ended_ms - earlier->records[0].at_ms;
	if (span_ms > 0)
		console->at_once = sum_ms > span_ms ? (double)sum_ms / (double)span_ms : 1;
}

static int console_begin(struct kc_report *report, const struct kc_report_run *run, struct kc_error *err)
{
	struct console *console = (struct console *)report;

	free(console->slots);
	console->slots = calloc(run->case_count + 1, sizeof(*console->slots)); /* calloc(0) may return NULL */
	if (!console->slots || kc_ledger_begin(&console->ledger, run) < 0)
		return kc_error_errno(err, ENOMEM, "start the console report");
	console->run = run;
	console->done = 0;
	console->started_ms = now_ms(console);
	learn_from_earlier(console);
	for (size_t i = 0; i < run->suite_count && !console->options.quiet; i++)
		say_suite(console, i);
	flush(console);
	return 0;
}

static struct slot *find_slot(struct console *console, const struct kc_report_case *testcase)
{
	uintptr_t first = (uintptr_t)console->run->cases, place = (uintptr_t)testcase;

	if (place < first || place >= first + console->run->case_count * sizeof(*testcase))
		return NULL; /* not planned: the JUnit writer reports that */
	return &console->slots[testcase - console->run->cases];
}

static void console_case_started(struct kc_report *report, const struct kc_report_case *testcase)
{
	struct console *console = (struct console *)report;
	struct slot *slot = find_slot(console, testcase);

	if (!slot)
		return;
	slot->state = RUNNING;
	slot->started_ms = now_ms(console);
	slot->heartbeat_ms = slot->started_ms + HEARTBEAT_MS;
}

static void say_finished(struct console *console, const struct kc_report_case *testcase,
			 const struct kc_result *result, size_t alike)
{
	int64_t duration_ms = result->duration_ms < 0 ? 0 : result->duration_ms;
	const char *message = kc_result_message(result);

	say_verdict(console, result->verdict);
	say(console, " ");
	say_identity(console, testcase);
	say(console, " (%" PRId64 ".%02" PRId64 " s)", duration_ms / 1000, duration_ms % 1000 / 10);
	say(console, alike < console->run->case_count ? ": the same cause as " : *message ? ": " : "");
	if (alike < console->run->case_count)
		say_identity(console, &console->run->cases[alike]);
	else
		say_line(console, message);
	if (result->attempt_count) {
		say(console, ": %s in attempt %zu, before that: ",
		    kc_result_is_flaky(result) ? "flaky, passed" : "so it ended", result->attempt_count + 1);
		say_line(console, result->attempts[0].message);
	}
	say(console, "\n");
}

static void say_found(struct console *console, const char *name, const char *value)
{
	say(console, "     ");
	say_line(console, name);
	say(console, ": ");
	say_line(console, value);
	say(console, "\n");
}

static void say_all_found(struct console *console, const struct kc_result *result)
{
	for (size_t i = 0; i < result->property_count; i++)
		say_found(console, result->properties[i].name, result->properties[i].value);
	for (size_t i = 0; i < result->measurement_count; i++) {
		char text[KC_MEASUREMENT_TEXT_MAX];

		kc_measurement_text(&result->measurements[i], text, sizeof(text));
		say_found(console, result->measurements[i].name, text);
	}
}

/* On a terminal the bar counts what passed; quiet, nobody does. What did not pass is always said. */
static bool deserves_a_line(const struct console *console, const struct kc_result *result)
{
	if (result->verdict != KC_PASS || result->attempt_count || console->options.verbose)
		return true;
	return !console->options.is_tty && !console->options.quiet;
}

static void console_case_done(struct kc_report *report, const struct kc_report_case *testcase,
			      const struct kc_result *result)
{
	struct console *console = (struct console *)report;
	struct slot *slot = find_slot(console, testcase);
	size_t alike;

	if (!slot || slot->state == DONE)
		return;
	slot->state = DONE;
	alike = kc_ledger_find(&console->ledger, testcase, result);
	kc_ledger_take(&console->ledger, testcase, result);
	console->done++;
	if (deserves_a_line(console, result)) {
		erase_progress(console);
		say_finished(console, testcase, result, alike);
		if (console->options.verbose)
			say_all_found(console, result);
	}
	if (console->options.is_tty)
		draw_progress(console);
	flush(console);
}

static void say_heartbeat(struct console *console, size_t index, int64_t now)
{
	const struct kc_report_case *testcase = &console->run->cases[index];
	struct slot *slot = &console->slots[index];

	if (slot->state != RUNNING || now < slot->heartbeat_ms)
		return;
	say(console, ".... ");
	say_identity(console, testcase);
	say(console, " still runs, %" PRId64 " s of at most %" PRId64 " s\n", (now - slot->started_ms) / 1000,
	    (testcase->timeout_ms + 999) / 1000 * (testcase->repeat ? testcase->repeat : 1));
	slot->heartbeat_ms += HEARTBEAT_MS;
}

static void console_tick(struct kc_report *report)
{
	struct console *console = (struct console *)report;
	int64_t now = now_ms(console);

	if (console->options.is_tty && (!console->drawn || now - console->drawn_ms >= REDRAW_MS))
		draw_progress(console);
	for (size_t i = 0; i < console->run->case_count && !console->options.is_tty; i++)
		say_heartbeat(console, i, now);
	if (console->out.length)
		flush(console);
}

/* Lines of any origin, each behind a mark of ours. */
static void say_quoted(struct console *console, const char *text)
{
	KC_CLEANUP_BUFFER struct kc_buffer safe = KC_BUFFER_INIT(OUT_LIMIT);

	lost_silently(kc_text_append_capped(&safe, text, strlen(text), text_flags(console), OUTPUT_BYTES));
	while (safe.length && safe.data[safe.length - 1] == '\n')
		safe.data[--safe.length] = '\0'; /* empty lines at the end say nothing */
	for (const char *line = kc_buffer_string(&safe); *line;) {
		size_t length = strcspn(line, "\n");

		say(console, "    | ");
		lost_silently(kc_buffer_append(&console->out, line, length));
		say(console, "\n");
		line += length + (line[length] == '\n');
	}
}

static void say_field(struct console *console, const char *label, const char *value)
{
	if (!value || !*value)
		return;
	if (strchr(value, '\n')) {
		say(console, "  %s\n", label);
		say_quoted(console, value);
		return;
	}
	say(console, "  %-10s", label);
	say_line(console, value);
	say(console, "\n");
}

/* Where the last lines of `text` begin. */
static const char *last_lines(const char *text, unsigned int most)
{
	const char *start = text + strlen(text);
	unsigned int lines = 0;

	while (start > text && start[-1] == '\n')
		start--;
	while (start > text && (start[-1] != '\n' || ++lines < most))
		start--;
	return start;
}

/* Whether `got` ends with the last line of the output, or with as much of it as it takes. */
static bool has_last_line(const char *got, const char *output)
{
	const char *line = last_lines(output, 1);
	size_t length = strcspn(line, "\n");
	char start[128];

	(void)snprintf(start, sizeof(start), "%.*s",
		       (int)(length < sizeof(start) ? length : sizeof(start) - 1), line);
	return got && *start && strstr(got, start);
}

static void say_output(struct console *console, const char *got, const char *output)
{
	unsigned int most = console->options.verbose ? OUTPUT_LINES_VERBOSE : OUTPUT_LINES;
	const char *last = output ? last_lines(output, most) : "";

	if (!*last)
		return;
	if (!console->options.verbose && has_last_line(got, output)) {
		say_field(console, "output", "ends like that: -v shows it, and so do the reports in files");
		return;
	}
	say(console, last == output ? "  output\n" : "  output, last lines\n");
	say_quoted(console, last);
}

static void say_reproduce(struct console *console, const struct kc_report_case *testcase)
{
	KC_CLEANUP_BUFFER struct kc_buffer command = KC_BUFFER_INIT(65536);

	if (kc_report_reproduce(console->run, testcase, &command) == 0)
		say_field(console, "reproduce", kc_buffer_string(&command));
}

/* The cases that share the cause of case `first`. */
static void say_members(struct console *console, size_t first, size_t members)
{
	size_t listed = 0;

	say(console, "  %-10s", members > 1 ? "cases" : "case");
	for (size_t i = first; i < console->run->case_count && listed < LISTED_CASES; i++) {
		if (console->ledger.causes[i] != first)
			continue;
		if (listed++)
			say(console, ", ");
		say_identity(console, &console->run->cases[i]);
	}
	if (members > listed)
		say(console, " and %zu more", members - listed);
	say(console, "\n");
}

/* Why and what to do come first, for whoever reads no further; evidence after that. */
static void say_cause(struct console *console, size_t first, size_t members)
{
	const struct kc_report_case *testcase = &console->run->cases[first];
	const struct kc_result *result = &console->ledger.results[first];
	const char *message = kc_result_message(result);

	say(console, "\n");
	say_verdict(console, result->verdict);
	say(console, " ");
	if (members > 1)
		say(console, "%zu cases, one cause: ", members);
	say_line(console, *message ? message : "(no reason given)");
	say(console, "\n");
	say_field(console, "hint", result->hint);
	say_reproduce(console, testcase);
	say_members(console, first, members);
	if (members > 1)
		say(console, "  the first of them:\n");
	say_field(console, "what", testcase->what);
	say(console, "  %-10s", "where");
	say_line(console, testcase->file);
	say(console, ":%u\n", testcase->line);
	say_field(console, "expected", result->expected);
	say_field(console, "got", result->got);
	say_output(console, result->got, result->output);
	flush(console);
}

static void say_causes(struct console *console, enum kc_verdict verdict)
{
	for (size_t i = 0; i < console->run->case_count; i++) {
		size_t members = kc_ledger_members(&console->ledger, i, verdict);

		if (members)
			say_cause(console, i, members);
	}
}

/* Of several images: which case ended how on which. */
static void say_matrix(struct console *console)
{
	const struct kc_matrix_options options = { .width = console->options.width ? console->options.width
										   : 80,
						   .colour = console->options.colour,
						   .verbose = console->options.verbose,
						   .text_flags = text_flags(console) };
	enum kc_verdict *ends;

	if (console->run->suite_count < 2)
		return;
	ends = calloc(console->run->case_count + 1, sizeof(*ends));
	for (size_t i = 0; ends && i < console->run->case_count; i++)
		ends[i] = console->ledger.results[i].verdict;
	if (ends)
		lost_silently(kc_matrix_append(&console->out, console->run, ends, &options));
	free(ends);
	flush(console);
}

static void say_volume(struct console *console, const struct kc_report_suite *suite)
{
	const char *package = kc_report_fact(suite, "volume.package");
	const char *version = kc_report_fact(suite, "volume.package-version");

	say_line(console, *package ? package : kc_report_fact(suite, "volume.archive"));
	say(console, *package && *version ? " " : "");
	say_line(console, *package ? version : "");
	say(console, " on ");
}

/* What was judged, for whoever sees the last lines only. */
static void say_subject(struct console *console)
{
	const struct kc_report_run *run = console->run;

	if (!*kc_report_fact(&run->suites[0], "volume.sha256"))
		return; /* it ended before that was known */
	say_volume(console, &run->suites[0]);
	for (size_t i = 0; i < run->suite_count; i++) {
		const char *fidelity = kc_report_fact(&run->suites[i], "image.fidelity");

		say(console, i ? ", " : "");
		say_line(console, run->suites[i].name);
		if (strcmp(fidelity, "emulated") == 0)
			say(console, " (emulated)");
	}
	say(console, "\n");
}

static void say_summary(struct console *console, bool complete)
{
	const size_t *counts = console->ledger.counts;
	int64_t elapsed = now_ms(console) - console->started_ms;

	say(console, "\n");
	say_subject(console);
	if (console->run->case_count == 0)
		say(console, "no case was selected\n");
	else if (!complete)
		say(console, "the run was cut short\n");
	say(console, "%zu passed", counts[KC_PASS]);
	if (console->ledger.flaky)
		say(console, " (%zu flaky)", console->ledger.flaky);
	say(console, ", %zu failed, %zu broken, %zu skipped in %" PRId64 ".%" PRId64 " s\n", counts[KC_FAIL],
	    counts[KC_BROKEN], counts[KC_SKIP], elapsed / 1000, elapsed % 1000 / 100);
}

static int console_end(struct kc_report *report, bool complete, struct kc_error *err)
{
	struct console *console = (struct console *)report;

	(void)err; /* nothing here decides the outcome, see console.h */
	erase_progress(console);
	kc_ledger_settle(&console->ledger);
	say_causes(console, KC_FAIL);
	say_causes(console, KC_BROKEN);
	say_matrix(console);
	say_summary(console, complete);
	flush(console);
	return 0;
}

static void console_close(struct kc_report *report)
{
	struct console *console = (struct console *)report;

	erase_progress(console);
	flush(console);
	free(console->slots);
	kc_ledger_release(&console->ledger);
	kc_buffer_release(&console->out);
	free(console);
}

static const struct kc_report_ops operations = {
	.begin = console_begin,
	.case_started = console_case_started,
	.case_done = console_case_done,
	.tick = console_tick,
	.end = console_end,
	.close = console_close,
};

int kc_console_open(const struct kc_console_options *options, struct kc_report **ret_report,
		    struct kc_error *err)
{
	struct console *console = calloc(1, sizeof(*console));

	if (!console)
		return kc_error_errno(err, ENOMEM, "start the console report");
	console->report.ops = &operations;
	console->options = *options;
	kc_buffer_init(&console->out, OUT_LIMIT);
	*ret_report = &console->report;
	return 0;
}
