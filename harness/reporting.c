#include "reporting.h"

#include <errno.h>
#include <langinfo.h>
#include <libgen.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "output.h"
#include "reports/console.h"
#include "reports/events.h"
#include "reports/github.h"
#include "reports/html.h"
#include "reports/json.h"
#include "reports/junit.h"
#include "reports/markdown.h"
#include "state.h"

static bool is_set(const char *variable)
{
	const char *value = getenv(variable);

	return value && *value;
}

bool kc_reporting_is_terminal(int fd)
{
	const char *terminal = getenv("TERM");

	return isatty(fd) && terminal && strcmp(terminal, "dumb") != 0 && !is_set("CI");
}

/* no-color.org: set and not empty; force-color.org and bixense.com/clicolors for what is no terminal. */
static bool wants_colour(const struct kc_options *options, bool is_tty)
{
	if (options->color != KC_WHEN_AUTO || is_set("NO_COLOR"))
		return options->color == KC_WHEN_ALWAYS;
	return is_tty || is_set("FORCE_COLOR") || is_set("CLICOLOR_FORCE");
}

/* Only a guess at the time left depends on it: without it there is none. */
static const struct kc_recording *read_earlier(struct kc_reporting *reporting)
{
	struct kc_error ignored = { 0 };
	char path[PATH_MAX];

	if (kc_state_path(path, &ignored) < 0 || kc_recording_read(path, &reporting->earlier, &ignored) < 0)
		return NULL;
	return &reporting->earlier;
}

static int open_console(struct kc_reporting *reporting, const struct kc_options *options,
			int64_t (*now_ms)(void), struct kc_error *err)
{
	/* What `report` prints is what it was called for; what `run` prints is progress. */
	int fd = options->command == KC_COMMAND_RUN ? STDERR_FILENO : STDOUT_FILENO;
	bool is_tty = kc_reporting_is_terminal(fd);
	struct kc_console_options console = { .fd = fd,
					      .is_tty = is_tty,
					      .quiet = options->quiet,
					      .verbose = options->verbose,
					      .now_ms = now_ms,
					      .earlier = is_tty && options->command == KC_COMMAND_RUN
								 ? read_earlier(reporting)
								 : NULL };
	struct winsize size;

	console.colour = wants_colour(options, is_tty);
	/* Character encoding only: numbers keep their point in every locale. */
	if (setlocale(LC_CTYPE, ""))
		console.utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	if (is_tty && ioctl(fd, TIOCGWINSZ, &size) == 0)
		console.width = size.ws_col;
	return kc_console_open(&console, &reporting->reports[0], err);
}

static int open_events(const struct kc_options *options, int64_t (*now_ms)(void),
		       struct kc_report **ret_report, struct kc_error *err)
{
	const struct kc_events_options events = { .path = options->events, .now_ms = now_ms };

	return options->events ? kc_events_open(&events, ret_report, err) : 0;
}

static int open_junit(const struct kc_options *options, int64_t (*now_ms)(void),
		      struct kc_report **ret_report, struct kc_error *err)
{
	const struct kc_junit_options junit = { .path = options->junit,
						.is_strict = options->junit_profile,
						.attachment = options->html };

	(void)now_ms;
	return options->junit ? kc_junit_open(&junit, ret_report, err) : 0;
}

static int open_json(const struct kc_options *options, int64_t (*now_ms)(void), struct kc_report **ret_report,
		     struct kc_error *err)
{
	const struct kc_json_options json = { .path = options->json };

	(void)now_ms;
	return options->json ? kc_json_open(&json, ret_report, err) : 0;
}

static int open_markdown(const struct kc_options *options, int64_t (*now_ms)(void),
			 struct kc_report **ret_report, struct kc_error *err)
{
	const struct kc_markdown_options markdown = { .path = options->markdown };

	(void)now_ms;
	return options->markdown ? kc_markdown_open(&markdown, ret_report, err) : 0;
}

static bool is_for_github(const struct kc_options *options)
{
	const char *actions = getenv("GITHUB_ACTIONS");

	return options->github == KC_WHEN_ALWAYS ||
	       (options->github == KC_WHEN_AUTO && actions && strcmp(actions, "true") == 0);
}

static int open_summary(const struct kc_options *options, int64_t (*now_ms)(void),
			struct kc_report **ret_report, struct kc_error *err)
{
	const struct kc_markdown_options summary = { .path = getenv("GITHUB_STEP_SUMMARY"),
						     .is_appended = true };

	(void)now_ms;
	return is_for_github(options) && is_set("GITHUB_STEP_SUMMARY")
		       ? kc_markdown_open(&summary, ret_report, err)
		       : 0;
}

static int open_github(const struct kc_options *options, int64_t (*now_ms)(void),
		       struct kc_report **ret_report, struct kc_error *err)
{
	(void)now_ms;
	return is_for_github(options) ? kc_github_open(STDERR_FILENO, ret_report, err) : 0;
}

/* Each leaves *ret_report NULL where it is not asked for. */
static int (*const openers[])(const struct kc_options *options, int64_t (*now_ms)(void),
			      struct kc_report **ret_report,
			      struct kc_error *err) = { open_events,   open_junit,   open_json,
							open_markdown, open_summary, open_github };
_Static_assert(KC_ARRAY_LENGTH(openers) + 3 <= KC_REPORTING_MOST,
	       "more kinds of reports than there is room for");

/* What ran of a whole stays the last run: --last-failed and `report` are about that, however often parts of it are tried again. */
static bool is_to_be_remembered(const struct kc_options *options)
{
	return options->command == KC_COMMAND_RUN && !options->pattern_count && !options->excluded_count &&
	       !options->last_failed && !options->shard;
}

/* A run that cannot be remembered is run all the same. */
static int open_memory(struct kc_reporting *reporting, int64_t (*now_ms)(void), struct kc_error *err)
{
	const struct kc_events_options events = { .path = reporting->state_path,
						  .now_ms = now_ms,
						  .is_optional = true };
	struct kc_error cause = { 0 };

	if (kc_state_prepare(reporting->state_path, &cause) < 0) {
		kc_output_note("not remembered", cause.text);
		return 0;
	}
	return kc_events_open(&events, &reporting->reports[reporting->count++], err);
}

static int open_html(struct kc_reporting *reporting, const struct kc_options *options, struct kc_error *err)
{
	const struct kc_html_options html = { .path = options->html,
					      .baseline = options->baseline ? &reporting->baseline : NULL };
	int status = options->baseline ? kc_recording_read(options->baseline, &reporting->baseline, err) : 0;

	if (status < 0 || !options->html)
		return status;
	return kc_html_open(&html, &reporting->reports[reporting->count++], err);
}

/* A file that the command line names. */
struct named_file {
	const char *option, *path; /* path: NULL if it is not given */
	bool is_read;
};

/* Where a file is, or would be: of one that is not there yet the directory and the name in it. */
struct place {
	dev_t device;
	ino_t inode;
	char name[NAME_MAX + 1]; /* "" for a file that is there */
};

static bool find_place(const char *path, struct place *ret_place)
{
	KC_CLEANUP_FREE char *copy = strdup(path);
	const char *slash = strrchr(path, '/');
	struct stat found;
	bool is_there = stat(path, &found) == 0;

	*ret_place = (struct place){ 0 };
	if (!copy || (!is_there && stat(slash ? dirname(copy) : ".", &found) < 0))
		return false; /* whoever opens it says why */
	ret_place->device = found.st_dev;
	ret_place->inode = found.st_ino;
	if (!is_there)
		(void)snprintf(ret_place->name, sizeof(ret_place->name), "%s", slash ? slash + 1 : path);
	return true;
}

static bool is_same_file(const char *one, const char *other)
{
	struct place a, b;

	return find_place(one, &a) && find_place(other, &b) && a.device == b.device && a.inode == b.inode &&
	       strcmp(a.name, b.name) == 0;
}

static int refuse(struct kc_error *err, const char *option, const char *reason, const char *other)
{
	(void)kc_error_set(err, EINVAL, "%s %s%s", option, reason, other);
	kc_error_hint(err, "name another file");
	err->kind = KC_ERROR_USAGE;
	return -EINVAL;
}

static bool collide(const struct named_file *one, const struct named_file *other)
{
	return one->path && !(one->is_read && other->is_read) && is_same_file(one->path, other->path);
}

static int check_file(const struct named_file *files, size_t number, struct kc_error *err)
{
	const struct named_file *file = &files[number];

	if (!file->path)
		return 0;
	if (strcmp(file->path, "-") == 0)
		return refuse(err, file->option, "-: the name of a file is wanted", "");
	for (size_t i = 0; i < number; i++)
		if (collide(&files[i], file))
			return refuse(err, files[i].option, "is the same file as ", file->option);
	return 0;
}

/* A report that `merge` reads, against all that is written. */
static int check_report(const char *path, const struct named_file *files, size_t count, struct kc_error *err)
{
	const struct named_file report = { "REPORT", path, true };

	for (size_t i = 0; i < count; i++)
		if (collide(&files[i], &report))
			return refuse(err, files[i].option, "is the same file as ", path);
	return 0;
}

/* A report written over another one is lost, and one over the events that it is made from destroys them. */
static int check_files(const struct kc_options *options, const char *state_path, struct kc_error *err)
{
	const char *read = options->operand ? options->operand : state_path;
	const struct named_file files[] = {
		{ "EVENTS", options->command == KC_COMMAND_REPORT ? read : NULL, true },
		{ "--baseline", options->baseline, true },
		{ "--events", options->events, false },
		{ "--json", options->json, false },
		{ "--junit", options->junit, false },
		{ "--html", options->html, false },
		{ "--markdown", options->markdown, false },
	};

	size_t reports = options->command == KC_COMMAND_MERGE ? options->operand_count : 0;
	int status = 0;

	for (size_t i = 0; status == 0 && i < KC_ARRAY_LENGTH(files); i++)
		status = check_file(files, i, err);
	for (size_t i = 0; status == 0 && i < reports; i++)
		status = check_report(options->operands[i], files, KC_ARRAY_LENGTH(files), err);
	return status;
}

int kc_reporting_open(struct kc_reporting *reporting, const struct kc_options *options,
		      int64_t (*now_ms)(void), struct kc_error *err)
{
	struct kc_error ignored = { 0 };
	int status = kc_state_path(reporting->state_path, &ignored);

	status = check_files(options, status == 0 ? reporting->state_path : NULL, err);
	if (status == 0)
		status = open_console(reporting, options, now_ms, err);
	if (status < 0)
		return status;
	reporting->count = 1;
	if (is_to_be_remembered(options))
		status = open_memory(reporting, now_ms, err);
	if (status < 0)
		return status;
	reporting->first_file = reporting->count;
	status = open_html(reporting, options, err);
	if (status < 0)
		return status;
	for (size_t i = 0; i < KC_ARRAY_LENGTH(openers); i++) {
		struct kc_report *report = NULL;

		status = openers[i](options, now_ms, &report, err);

		if (status < 0)
			return status;
		if (report)
			reporting->reports[reporting->count++] = report;
	}
	return 0;
}

int kc_reporting_tell_opening(struct kc_reporting *reporting, const struct kc_report_run *opening,
			      struct kc_error *err)
{
	int status = 0;

	for (size_t i = reporting->first_file; status == 0 && i < reporting->count; i++)
		status = kc_report_begin(reporting->reports[i], opening, err);
	return status;
}

void kc_reporting_tell_failure(struct kc_reporting *reporting, const struct kc_report_run *opening,
			       const struct kc_error *cause)
{
	KC_CLEANUP(kc_result_release) struct kc_result result;

	kc_result_init(&result);
	kc_result_broken_by(&result, cause);
	for (size_t i = reporting->first_file; i < reporting->count; i++) {
		struct kc_error ignored; /* there is a failure to report already */

		for (size_t j = 0; j < opening->case_count; j++)
			kc_report_case_done(reporting->reports[i], &opening->cases[j], &result);
		if (kc_report_end(reporting->reports[i], false, &ignored) < 0)
			continue;
	}
}

void kc_reporting_close(struct kc_reporting *reporting)
{
	for (size_t i = 0; i < reporting->count; i++)
		kc_report_close(&reporting->reports[i]);
	reporting->count = 0;
	kc_recording_release(&reporting->baseline);
	kc_recording_release(&reporting->earlier);
}
