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
	OUTPUT_LINES = 20, /* of a program's output, the last */
	LISTED_CASES = 20, /* of a group */
	OUT_LIMIT = 1 << 20
};

#define ERASE_LINE "\r\033[K"

enum state { WAITING, RUNNING, DONE };

struct slot {
	enum state state;
	int64_t started_ms;
	int64_t heartbeat_ms; /* when the next one is due */
	struct kc_result result;
	bool shown; /* at the end, in the group of an earlier case */
};

struct console {
	struct kc_report report;
	struct kc_console_options options;
	struct kc_buffer out;
	const struct kc_report_run *run;
	struct slot *slots; /* one per case of the run */
	size_t done;
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

/* Progress on a terminal. ASCII, so that bytes are columns. */
static void draw_progress(struct console *console)
{
	KC_CLEANUP_BUFFER struct kc_buffer line = KC_BUFFER_INIT(4096);
	size_t all = console->run->case_count, bar = all ? console->done * BAR_WIDTH / all : 0;
	size_t width = console->options.width ? console->options.width : 80;
	int64_t elapsed = now_ms(console) - console->started_ms;
	const char *separator = "";
	int status;

	status = kc_buffer_printf(&line, "[%.*s%.*s] %zu/%zu  %" PRId64 ".%" PRId64 " s  ", (int)bar,
				  "####################", (int)(BAR_WIDTH - bar), "--------------------",
				  console->done, all, elapsed / 1000, elapsed % 1000 / 100);
	for (size_t i = 0; i < all && status == 0 && line.length < width; i++) {
		const char *name = console->run->cases[i].name;

		if (console->slots[i].state != RUNNING)
			continue;
		status = kc_buffer_append_string(&line, separator);
		if (status == 0)
			status = kc_text_append(&line, name, strlen(name), KC_TEXT_LINE | KC_TEXT_ASCII);
		separator = ", ";
	}
	/* The last column stays free: writing there wraps on some terminals. */
	say(console, ERASE_LINE "%.*s", (int)(line.length < width ? line.length : width - 1),
	    kc_buffer_string(&line));
	console->drawn = true;
	console->drawn_ms = now_ms(console);
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

static void say_suite(struct console *console, size_t number)
{
	const struct kc_report_suite *suite = &console->run->suites[number];
	size_t cases = 0;

	for (size_t i = 0; i < console->run->case_count; i++)
		cases += console->run->cases[i].suite == number;
	say_line(console, suite->name);
	say(console, ": %zu case%s\n", cases, cases == 1 ? "" : "s");
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

static void say_facts(struct console *console)
{
	for (size_t i = 0; i < console->run->suite_count; i++)
		say_suite(console, i);
}

static void free_slots(struct console *console)
{
	for (size_t i = 0; console->slots && i < console->run->case_count; i++)
		kc_result_release(&console->slots[i].result);
	free(console->slots);
	console->slots = NULL;
}

static int console_begin(struct kc_report *report, const struct kc_report_run *run, struct kc_error *err)
{
	struct console *console = (struct console *)report;
	struct slot *slots = calloc(run->case_count + 1, sizeof(*slots)); /* calloc(0) may return NULL */

	if (!slots)
		return kc_error_errno(err, ENOMEM, "start the console report");
	free_slots(console);
	console->run = run;
	console->slots = slots;
	console->done = 0;
	console->started_ms = now_ms(console);
	if (!console->options.quiet)
		say_facts(console);
	flush(console);
	return 0;
}

static struct slot *find_slot(struct console *console, const struct kc_report_case *testcase)
{
	for (size_t i = 0; i < console->run->case_count; i++)
		if (&console->run->cases[i] == testcase)
			return &console->slots[i];
	return NULL; /* not planned: the JUnit writer reports that */
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
			 const struct kc_result *result)
{
	int64_t duration_ms = result->duration_ms < 0 ? 0 : result->duration_ms;
	const char *message = kc_result_message(result);

	say_verdict(console, result->verdict);
	say(console, " ");
	say_identity(console, testcase);
	say(console, " (%" PRId64 ".%02" PRId64 " s)", duration_ms / 1000, duration_ms % 1000 / 10);
	if (*message) {
		say(console, ": ");
		say_line(console, message);
	}
	if (result->attempt_count) {
		say(console, ": %s in attempt %zu, before that: ",
		    result->verdict == KC_PASS ? "flaky, passed" : "so it ended", result->attempt_count + 1);
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

	if (!slot || slot->state == DONE)
		return;
	slot->state = DONE;
	kc_result_copy(&slot->result, result);
	console->done++;
	if (deserves_a_line(console, &slot->result)) {
		erase_progress(console);
		say_finished(console, testcase, &slot->result);
		if (console->options.verbose)
			say_all_found(console, &slot->result);
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

	lost_silently(kc_text_append(&safe, text, strlen(text), text_flags(console)));
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
static const char *last_lines(const char *text)
{
	const char *start = text + strlen(text);
	unsigned int lines = 0;

	while (start > text && start[-1] == '\n')
		start--;
	while (start > text && (start[-1] != '\n' || ++lines < OUTPUT_LINES))
		start--;
	return start;
}

static void say_output(struct console *console, const char *output)
{
	const char *last = output ? last_lines(output) : "";

	if (!*last)
		return;
	say(console, last == output ? "  output\n" : "  output, last lines\n");
	say_quoted(console, last);
}

static void say_reproduce(struct console *console, const struct kc_report_case *testcase)
{
	KC_CLEANUP_BUFFER struct kc_buffer command = KC_BUFFER_INIT(65536);

	if (kc_report_reproduce(console->run, testcase, &command) == 0)
		say_field(console, "reproduce", kc_buffer_string(&command));
}

static bool same_cause(const struct kc_result *a, const struct kc_result *b)
{
	return a->verdict == b->verdict && strcmp(kc_result_message(a), kc_result_message(b)) == 0;
}

/* Names the cases from `first` on that share its cause, and marks them as shown. */
static void say_group(struct console *console, size_t first)
{
	const struct kc_result *cause = &console->slots[first].result;
	size_t members = 0;

	for (size_t i = first; i < console->run->case_count; i++) {
		struct slot *slot = &console->slots[i];

		if (slot->shown || !same_cause(&slot->result, cause))
			continue;
		slot->shown = true;
		if (members && members < LISTED_CASES)
			say(console, ", ");
		if (members++ < LISTED_CASES)
			say_identity(console, &console->run->cases[i]);
	}
	if (members > LISTED_CASES)
		say(console, " and %zu more", members - LISTED_CASES);
	if (members > 1)
		say(console, "\n  %zu cases with this one cause; the first of them:", members);
	say(console, "\n");
}

static void say_cause(struct console *console, size_t index)
{
	const struct kc_report_case *testcase = &console->run->cases[index];
	const struct kc_result *result = &console->slots[index].result;

	say(console, "\n");
	say_verdict(console, result->verdict);
	say(console, " ");
	say_group(console, index);
	say_field(console, "cause", kc_result_message(result));
	say_field(console, "what", testcase->what);
	say(console, "  %-10s", "where");
	say_line(console, testcase->file);
	say(console, ":%u\n", testcase->line);
	say_field(console, "expected", result->expected);
	say_field(console, "got", result->got);
	say_output(console, result->output);
	say_field(console, "hint", result->hint);
	say_reproduce(console, testcase);
	flush(console);
}

static void say_causes(struct console *console, enum kc_verdict verdict)
{
	for (size_t i = 0; i < console->run->case_count; i++)
		if (console->slots[i].result.verdict == verdict && !console->slots[i].shown)
			say_cause(console, i);
}

static void settle_missing(struct console *console)
{
	for (size_t i = 0; i < console->run->case_count; i++)
		if (console->slots[i].state != DONE)
			kc_result_broken(&console->slots[i].result,
					 "not run: the run ended before this case reported a result");
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
		ends[i] = console->slots[i].result.verdict;
	if (ends)
		lost_silently(kc_matrix_append(&console->out, console->run, ends, &options));
	free(ends);
	flush(console);
}

static void say_summary(struct console *console, bool complete)
{
	size_t counts[KC_SKIP + 1] = { 0 }, flaky = 0;
	int64_t elapsed = now_ms(console) - console->started_ms;

	for (size_t i = 0; i < console->run->case_count; i++)
		counts[console->slots[i].result.verdict]++;
	for (size_t i = 0; i < console->run->case_count; i++)
		flaky += console->slots[i].result.verdict == KC_PASS &&
			 console->slots[i].result.attempt_count > 0;
	say(console, "\n");
	if (console->run->case_count == 0)
		say(console, "no case was selected\n");
	else if (!complete)
		say(console, "the run was cut short\n");
	say(console, "%zu passed", counts[KC_PASS]);
	if (flaky)
		say(console, " (%zu flaky)", flaky);
	say(console, ", %zu failed, %zu broken, %zu skipped in %" PRId64 ".%" PRId64 " s\n", counts[KC_FAIL],
	    counts[KC_BROKEN], counts[KC_SKIP], elapsed / 1000, elapsed % 1000 / 100);
}

static int console_end(struct kc_report *report, bool complete, struct kc_error *err)
{
	struct console *console = (struct console *)report;

	(void)err; /* nothing here decides the outcome, see console.h */
	erase_progress(console);
	settle_missing(console);
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
	free_slots(console);
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
