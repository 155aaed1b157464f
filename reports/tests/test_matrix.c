/* The table of cases and images, line by line. */
#include "reports/matrix.h"

#include <stdio.h>
#include <string.h>

#include "reports/text.h"
#include "tests/kc_test.h"

#define LONG "an-image-with-a-long-name"

static const struct kc_report_suite suites[] = { { .name = "centos7" },
						 { .name = "debian12" },
						 { .name = LONG } };

#define CASE(number, image, group, case_name)                                                                \
	{                                                                                                    \
		.suite = (number), .classname = image "." group, .name = (case_name), .what = "",            \
		.file = "x.c"                                                                                \
	}

static const struct kc_report_case cases[] = {
	CASE(0, "centos7", "imports", "zmq"),  CASE(0, "centos7", "imports", "ssl"),
	CASE(0, "centos7", "ttyd", "version"), CASE(1, "debian12", "imports", "zmq"),
	CASE(1, "debian12", "imports", "ssl"), CASE(2, LONG, "run", "opening"),
};

static const struct kc_report_run run = {
	.suites = suites, .suite_count = 3, .cases = cases, .case_count = KC_ARRAY_LENGTH(cases)
};

static void rows_are_cases_and_columns_are_images(void)
{
	static const struct {
		const char *name;
		enum kc_verdict verdicts[KC_ARRAY_LENGTH(cases)];
		struct kc_matrix_options options;
		const char *expected;
	} rows[] = {
		{ "what fails somewhere, once",
		  { KC_PASS, KC_PASS, KC_PASS, KC_FAIL, KC_PASS, KC_BROKEN },
		  { .width = 80 },
		  "\n"
		  "              centos7  debian12  " LONG "\n"
		  "imports.zmq   PASS     FAIL      -\n"
		  "run.opening   -        -         BROKEN\n"
		  "2 cases pass wherever planned\n" },
		{ "verbose, everything",
		  { KC_PASS, KC_PASS, KC_PASS, KC_FAIL, KC_PASS, KC_SKIP },
		  { .width = 80, .verbose = true },
		  "\n"
		  "              centos7  debian12  " LONG "\n"
		  "imports.zmq   PASS     FAIL      -\n"
		  "imports.ssl   PASS     PASS      -\n"
		  "ttyd.version  PASS     -         -\n"
		  "run.opening   -        -         SKIP\n"
		  "2 cases pass wherever planned\n" },
		{ "in pieces where it is narrow",
		  { KC_PASS, KC_PASS, KC_PASS, KC_FAIL, KC_PASS, KC_BROKEN },
		  { .width = 40 },
		  "\n"
		  "              centos7  debian12\n"
		  "imports.zmq   PASS     FAIL\n"
		  "run.opening   -        -\n"
		  "\n"
		  "              " LONG "\n"
		  "imports.zmq   -\n"
		  "run.opening   BROKEN\n"
		  "2 cases pass wherever planned\n" },
		{ "one column fits always",
		  { KC_FAIL, KC_PASS, KC_PASS, KC_PASS, KC_PASS, KC_PASS },
		  { .width = 1 },
		  "\n"
		  "              centos7\n"
		  "imports.zmq   FAIL\n"
		  "\n"
		  "              debian12\n"
		  "imports.zmq   PASS\n"
		  "\n"
		  "              " LONG "\n"
		  "imports.zmq   -\n"
		  "3 cases pass wherever planned\n" },
		{ "all pass",
		  { KC_PASS, KC_PASS, KC_PASS, KC_PASS, KC_PASS, KC_PASS },
		  { .width = 80 },
		  "\n4 cases pass wherever planned\n" },
		{ "in colour",
		  { KC_FAIL, KC_FAIL, KC_PASS, KC_PASS, KC_PASS, KC_PASS },
		  { .width = 26, .colour = true },
		  "\n"
		  "              centos7\n"
		  "imports.zmq   \033[31mFAIL\033[0m\n"
		  "imports.ssl   \033[31mFAIL\033[0m\n"
		  "\n"
		  "              debian12\n"
		  "imports.zmq   \033[32mPASS\033[0m\n"
		  "imports.ssl   \033[32mPASS\033[0m\n"
		  "\n"
		  "              " LONG "\n"
		  "imports.zmq   -\n"
		  "imports.ssl   -\n"
		  "2 cases pass wherever planned\n" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(1 << 16);

		KC_CHECK_INT(kc_matrix_append(&text, &run, rows[i].verdicts, &rows[i].options), 0);
		KC_CHECK_MESSAGE(strcmp(kc_buffer_string(&text), rows[i].expected) == 0, "%s:\n%s",
				 rows[i].name, kc_buffer_string(&text));
	}
}

/* A name of any origin cannot steer the terminal; the same name in two groups is two rows. */
static void names_are_made_safe(void)
{
	static const struct kc_report_suite odd[] = { { .name = "a\033[2J" }, { .name = "b" } };
	static const struct kc_report_case both[] = {
		{ .suite = 0, .classname = "a\033[2J.x", .name = "n\nm" },
		{ .suite = 1, .classname = "b.y", .name = "n\nm" }
	};
	static const enum kc_verdict verdicts[] = { KC_FAIL, KC_FAIL };
	const struct kc_report_run odd_run = {
		.suites = odd, .suite_count = 2, .cases = both, .case_count = 2
	};
	const struct kc_matrix_options options = { .width = 80, .text_flags = KC_TEXT_LOG | KC_TEXT_ASCII };
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(1 << 16);
	size_t lines = 0;

	KC_CHECK_INT(kc_matrix_append(&text, &odd_run, verdicts, &options), 0);
	for (const char *byte = kc_buffer_string(&text); *byte; byte++)
		lines += *byte == '\n';
	KC_CHECK_INT(lines, 4);
	KC_CHECK(!strchr(kc_buffer_string(&text), '\033'));
}

KC_TEST_SUITE(matrix, KC_LABEL_FAST, KC_TEST(rows_are_cases_and_columns_are_images),
	      KC_TEST(names_are_made_safe));
