/* Markdown for a job's summary, and annotations of its log. */
#include "reports/markdown.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fixtures/temporary.h"
#include "reports/github.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "tests/kc_test.h"

#define TEXT_LIMIT (2u << 20)
#define MOST_CASES 400
#define PLACE_MAX (PATH_MAX + 16)

static const struct kc_report_suite suites[] = { { .name = "a|b",
						   .reproduce = "krunner-compat run centos7" } };
static struct kc_report_case cases[MOST_CASES];
static struct kc_report_run run = { .suites = suites,
				    .suite_count = 1,
				    .cases = cases }; /* outlives its reports */
static struct kc_temporary directory;

static int set_up(void)
{
	struct kc_error err = { 0 };

	for (size_t i = 0; i < MOST_CASES; i++)
		cases[i] = (struct kc_report_case){ .classname = "centos7.imports",
						    .name = "zmq",
						    .what = "imports",
						    .file = "cases/imports.c",
						    .line = 32 };
	return kc_temporary_make(&directory, &err);
}

static int tear_down(void)
{
	kc_temporary_remove(&directory);
	return 0;
}

/* Every case fails; the messages are "NUMBER TEXT", or TEXT alone. */
static int tell(struct kc_report *report, size_t count, const char *text, bool is_numbered,
		struct kc_error *err)
{
	int status;

	run.case_count = count;
	status = kc_report_begin(report, &run, err);

	for (size_t i = 0; status == 0 && i < count; i++) {
		KC_CLEANUP(kc_result_release) struct kc_result result;

		kc_result_init(&result);
		if (is_numbered)
			kc_result_fail(&result, text, text, "%zu %s", i, text);
		else
			kc_result_fail(&result, text, text, "%s", text);
		kc_result_output(&result, text, strlen(text));
		kc_result_hint(&result, "%s", text);
		kc_report_case_done(report, &cases[i], &result);
	}
	return status < 0 ? status : kc_report_end(report, true, err);
}

static int write_markdown(const char *text, size_t count, bool is_appended, struct kc_buffer *written,
			  struct kc_error *err)
{
	char path[PLACE_MAX];
	const struct kc_markdown_options options = { .path = path, .is_appended = is_appended };
	KC_CLEANUP_REPORT struct kc_report *report = NULL;
	int status;

	(void)snprintf(path, sizeof(path), "%s/summary", directory.path);
	status = kc_markdown_open(&options, &report, err);
	if (status == 0)
		status = tell(report, count, text, true, err);
	kc_buffer_clear(written);
	return status < 0 ? status : kc_file_read(AT_FDCWD, path, written, err);
}

/* Takes code out of a document of ours: lines between fences, and spans. What is left is our own words. */
static void drop_code(const char *text, struct kc_buffer *ret_rest)
{
	while (*text) {
		size_t fence = strspn(text, "`"), length = 0;
		const char *end = NULL;

		if (!fence) {
			(void)!kc_buffer_append(ret_rest, text++, 1);
			continue;
		}
		for (const char *at = text + fence; *at && !end; at += length ? length : 1) {
			length = strspn(at, "`");
			if (length == fence)
				end = at;
		}
		KC_REQUIRE(end != NULL);
		text = end + fence;
	}
}

static void nothing_foreign_is_outside_code(void)
{
	static const char *const hostile[] = {
		"FOREIGN",
		"FOREIGN `code` ``` FOREIGN ```` x",
		"```\nFOREIGN\n```\n",
		"`FOREIGN",
		"FOREIGN```\n",
		"@FOREIGN/team #1 https://FOREIGN.example",
		"<script>FOREIGN</script><!-- ",
		"\x1b[31mFOREIGN\xff",
		"</details>FOREIGN",
		"FOREIGN\n\n# FOREIGN\n\n| FOREIGN |\n|---|\n",
		"~~~\nFOREIGN\n~~~\n",
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(hostile); i++) {
		KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(TEXT_LIMIT);
		KC_CLEANUP_BUFFER struct kc_buffer rest = KC_BUFFER_INIT(TEXT_LIMIT);
		struct kc_error err = { 0 };

		KC_REQUIRE_OK(write_markdown(hostile[i], 2, false, &text, &err), err);
		KC_CHECK_CONTAINS(kc_buffer_string(&text), "FOREIGN");
		drop_code(kc_buffer_string(&text), &rest);
		KC_CHECK_MESSAGE(!strstr(kc_buffer_string(&rest), "FOREIGN"), "%s: %s", hostile[i],
				 kc_buffer_string(&rest));
		KC_CHECK_CONTAINS(kc_buffer_string(&rest), "0 passed, 2 failed, 0 broken, 0 skipped");
	}
}

static void a_bar_does_not_end_a_cell(void)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(TEXT_LIMIT);
	struct kc_error err = { 0 };

	KC_REQUIRE_OK(write_markdown("x|y", 1, false, &text, &err), err);
	KC_CHECK_CONTAINS(kc_buffer_string(&text), "| ` a\\|b ` | 0 | 1 |");
	KC_CHECK_CONTAINS(kc_buffer_string(&text), "Got: ` x|y `");
}

static void what_does_not_fit_is_counted(void)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(TEXT_LIMIT);
	static char huge[16000];
	struct kc_error err = { 0 };

	memset(huge, 'x', sizeof(huge) - 1);
	KC_REQUIRE_OK(write_markdown(huge, MOST_CASES, false, &text, &err), err);
	KC_CHECK(text.length > 500000 && text.length <= 900000);
	KC_CHECK_CONTAINS(kc_buffer_string(&text), "400 failed");
	KC_CHECK_CONTAINS(kc_buffer_string(&text), " more causes do not fit");
}

static void a_summary_is_added_to_what_is_there(void)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(TEXT_LIMIT);
	char path[PLACE_MAX];
	struct kc_error err = { 0 };

	(void)snprintf(path, sizeof(path), "%s/summary", directory.path);
	KC_REQUIRE_OK(kc_file_write_atomic(AT_FDCWD, path, "earlier\n", 8, 0600, &err), err);
	KC_REQUIRE_OK(write_markdown("x", 1, true, &text, &err), err);
	KC_CHECK(strncmp(kc_buffer_string(&text), "earlier\n## krunner-compat: not passed\n", 38) == 0);
}

/* Killed, it has told the summary that it is incomplete; ended, that is gone, and what others wrote is not. */
static void a_summary_is_red_until_the_run_has_ended(void)
{
	char path[PLACE_MAX];
	const struct kc_markdown_options options = { .path = path, .is_appended = true };
	KC_CLEANUP_REPORT struct kc_report *report = NULL;
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(TEXT_LIMIT);
	struct kc_error err = { 0 };

	(void)snprintf(path, sizeof(path), "%s/red", directory.path);
	run.case_count = 1;
	KC_REQUIRE_OK(kc_file_write_atomic(AT_FDCWD, path, "earlier\n", 8, 0600, &err), err);
	KC_REQUIRE_OK(kc_markdown_open(&options, &report, &err), err);
	KC_REQUIRE_OK(kc_report_begin(report, &run, &err), err);
	KC_REQUIRE_OK(kc_report_begin(report, &run, &err), err);
	KC_REQUIRE_OK(kc_file_read(AT_FDCWD, path, &text, &err), err);
	KC_CHECK(strncmp(kc_buffer_string(&text), "earlier\n## krunner-compat: not passed\n", 38) == 0);
	KC_CHECK_CONTAINS(kc_buffer_string(&text), "The run is incomplete");
	KC_CHECK_OK(tell(report, 1, "x", false, &err), err);
	kc_buffer_clear(&text);
	KC_REQUIRE_OK(kc_file_read(AT_FDCWD, path, &text, &err), err);
	KC_CHECK(strncmp(kc_buffer_string(&text), "earlier\n## krunner-compat: not passed\n", 38) == 0);
	KC_CHECK(!strstr(kc_buffer_string(&text), "incomplete"));
}

/* Beyond 1 MiB GitHub shows nothing of a summary: the causes that are too much are counted. */
static void a_full_summary_stays_below_the_cap(void)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(2 * TEXT_LIMIT);
	char line[1000];
	struct kc_error err = { 0 };

	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	for (int i = 0; i < 5; i++)
		KC_REQUIRE_OK(write_markdown(line, MOST_CASES, true, &text, &err), err);
	KC_CHECK(text.length < 1000000);
	KC_CHECK_CONTAINS(kc_buffer_string(&text), " more causes do not fit");
}

static void what_is_flaky_is_named(void)
{
	char path[PLACE_MAX];
	const struct kc_markdown_options options = { .path = path };
	KC_CLEANUP_REPORT struct kc_report *report = NULL;
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(TEXT_LIMIT);
	KC_CLEANUP(kc_result_release) struct kc_result first, last;
	struct kc_error err = { 0 };

	(void)snprintf(path, sizeof(path), "%s/summary", directory.path);
	run.case_count = 1;
	kc_result_init(&first);
	kc_result_fail(&first, "a ping", "none", "no `ping`");
	kc_result_init(&last);
	kc_result_pass(&last);
	kc_result_add_attempt(&last, &first);
	KC_REQUIRE_OK(kc_markdown_open(&options, &report, &err), err);
	KC_REQUIRE_OK(kc_report_begin(report, &run, &err), err);
	kc_report_case_done(report, &cases[0], &last);
	KC_REQUIRE_OK(kc_report_end(report, true, &err), err);
	KC_REQUIRE_OK(kc_file_read(AT_FDCWD, path, &text, &err), err);
	KC_CHECK_CONTAINS(kc_buffer_string(&text), "krunner-compat: passed");
	KC_CHECK_CONTAINS(kc_buffer_string(&text), "1 passed (1 flaky), 0 failed");
	KC_CHECK_CONTAINS(kc_buffer_string(&text), " passed in attempt 2; before that: `` no `ping` ``\n");
}

static void the_file_is_red_until_the_run_has_ended(void)
{
	char path[PLACE_MAX];
	const struct kc_markdown_options options = { .path = path };
	KC_CLEANUP_REPORT struct kc_report *report = NULL;
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(TEXT_LIMIT);
	struct kc_error err = { 0 };

	(void)snprintf(path, sizeof(path), "%s/summary", directory.path);
	run.case_count = 3;
	KC_REQUIRE_OK(kc_markdown_open(&options, &report, &err), err);
	KC_REQUIRE_OK(kc_report_begin(report, &run, &err), err);
	KC_REQUIRE_OK(kc_file_read(AT_FDCWD, path, &text, &err), err);
	KC_CHECK_CONTAINS(kc_buffer_string(&text), "not passed");
	KC_CHECK_CONTAINS(kc_buffer_string(&text), "The run is incomplete");
	KC_CHECK_CONTAINS(kc_buffer_string(&text), "0 passed, 0 failed, 3 broken");
}

/* What the annotations of so many causes are. */
static int annotate(const char *text, size_t count, bool is_numbered, struct kc_buffer *written,
		    struct kc_error *err)
{
	KC_CLEANUP_REPORT struct kc_report *report = NULL;
	char path[PLACE_MAX];
	KC_CLEANUP_FD int fd = -1;
	int status;

	(void)snprintf(path, sizeof(path), "%s/log", directory.path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	status = kc_github_open(fd, &report, err);
	if (status == 0)
		status = tell(report, count, text, is_numbered, err);
	return status < 0 ? status : kc_file_read(AT_FDCWD, path, written, err);
}

static void annotations_are_escaped_and_ten_at_most(void)
{
	static const struct {
		const char *name, *text;
		size_t count;
		bool is_numbered;
		unsigned int lines;
		const char *expected;
	} rows[] = {
		{ "one", "CXXABI_1.3.9", 1, false, 1,
		  "::error "
		  "file=cases/imports.c,line=32,title=centos7.imports.zmq::CXXABI_1.3.9%0ACXXABI_1.3.9\n" },
		{ "one cause of three", "x", 3, false, 1, ",title=centos7.imports.zmq and 2 more::x%0Ax\n" },
		{ "the worst ten", "x", 40, true, 10, "::9 x%0Ax\n" },
		{ "a command inside", "a\n::stop-commands::b\r100%", 1, false, 1,
		  "::a%0A::stop-commands::b%0A100%25%0Aa%0A::stop-commands::b%0A100%25\n" },
		{ "an old command", "##[error]x", 1, false, 1, "::" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(TEXT_LIMIT);
		struct kc_error err = { 0 };
		unsigned int lines = 0;

		KC_REQUIRE_OK(annotate(rows[i].text, rows[i].count, rows[i].is_numbered, &text, &err), err);
		for (const char *at = kc_buffer_string(&text); *at; at++)
			lines += *at == '\n';
		KC_CHECK_MESSAGE(lines == rows[i].lines, "%s: %u lines", rows[i].name, lines);
		KC_CHECK_CONTAINS(kc_buffer_string(&text), rows[i].expected);
		KC_CHECK(!strstr(kc_buffer_string(&text), "##["));
	}
}

KC_TEST_SUITE_WITH(markdown, KC_LABEL_FAST, set_up, tear_down, KC_TEST(nothing_foreign_is_outside_code),
		   KC_TEST(a_bar_does_not_end_a_cell), KC_TEST(what_does_not_fit_is_counted),
		   KC_TEST(a_summary_is_added_to_what_is_there),
		   KC_TEST(a_summary_is_red_until_the_run_has_ended),
		   KC_TEST(a_full_summary_stays_below_the_cap), KC_TEST(what_is_flaky_is_named),
		   KC_TEST(the_file_is_red_until_the_run_has_ended),
		   KC_TEST(annotations_are_escaped_and_ten_at_most));
