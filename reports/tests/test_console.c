/* What a person reads, golden, from a pipe; and that no program under test can write there on its own. */
#include "reports/console.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "reports/tests/random_bytes.h"
#include "sys/fd.h"
#include "tests/kc_test.h"

static int64_t clock_ms;

static int64_t scripted_now(void)
{
	return clock_ms;
}

#define CASE(case_name)                                                                                      \
	{                                                                                                    \
		.classname = "centos7.imports", .name = (case_name), .what = "the module can be imported",   \
		.file = "cases/imports.c", .line = 12, .timeout_ms = 60000                                   \
	}

static const struct kc_report_case cases[] = { CASE("ssl"), CASE("zmq"), CASE("uvloop"), CASE("janus"),
					       CASE("it's") };
static char archive_name[] = "volume.archive", archive[] = "a.tar.xz", sha256[] = "volume.sha256",
	    digest[] = "c2d78d", fidelity[] = "image.fidelity", emulated[] = "emulated",
	    base[] = "image.base", debian[] = "Debian";
static const struct kc_property facts[] = {
	{ archive_name, archive }, { sha256, digest }, { fidelity, emulated }, { base, debian }
};
static const struct kc_report_suite suites[] = { { .name = "centos7",
						   .facts = facts,
						   .fact_count = KC_ARRAY_LENGTH(facts),
						   .reproduce = "krunner-compat run centos7" } };
static const struct kc_report_run centos7 = {
	.suites = suites, .suite_count = 1, .cases = cases, .case_count = KC_ARRAY_LENGTH(cases)
};

/* A report that writes into a pipe; what it wrote is read when it is closed. Pipes hold 64 KiB, more than
 * any test here writes. */
struct stage {
	struct kc_report *report;
	int reader, writer;
	struct kc_buffer text;
};

static bool open_stage(struct stage *stage, struct kc_console_options options)
{
	struct kc_error err = { 0 };
	int ends[2];

	*stage = (struct stage){ .text = KC_BUFFER_INIT(1 << 20) };
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return false;
	stage->reader = ends[0];
	stage->writer = ends[1];
	clock_ms = 0;
	options.fd = stage->writer;
	options.now_ms = scripted_now;
	return kc_console_open(&options, &stage->report, &err) == 0;
}

static const char *close_stage(struct stage *stage)
{
	struct kc_error err = { 0 };

	kc_report_close(&stage->report);
	kc_fd_close(&stage->writer);
	KC_CHECK_OK(kc_fd_read_all(stage->reader, &stage->text, "pipe", &err), err);
	kc_fd_close(&stage->reader);
	return kc_buffer_string(&stage->text);
}

static void pass(struct stage *stage, size_t index)
{
	struct kc_result result;

	kc_result_init(&result);
	kc_result_pass(&result);
	result.duration_ms = 1234;
	kc_report_case_started(stage->report, &cases[index]);
	kc_report_case_done(stage->report, &cases[index], &result);
	kc_result_release(&result);
}

static void fail(struct stage *stage, size_t index, const char *message)
{
	static const char output[] = "\x1b[31mTraceback\x1b[0m\n::error::owned\nImportError\n\n";
	struct kc_result result;

	kc_result_init(&result);
	kc_result_fail(&result, "exit status 0", "exit status 1\nand a line", "%s", message);
	kc_result_hint(&result, "build it in a manylinux2014 image");
	kc_result_output(&result, output, strlen(output));
	result.duration_ms = 50;
	kc_report_case_started(stage->report, &cases[index]);
	kc_report_case_done(stage->report, &cases[index], &result);
	kc_result_release(&result);
}

static void finish(struct stage *stage, bool complete)
{
	struct kc_error err = { 0 };

	clock_ms = 42100;
	KC_CHECK_OK(kc_report_end(stage->report, complete, &err), err);
}

static void a_log_has_a_line_per_case_and_the_causes_at_the_end(void)
{
	static const char expected[] =
		"centos7: 5 cases\n"
		"  volume  a.tar.xz\n  sha256  c2d78d\n  image   emulated\n"
		"PASS centos7.imports.ssl (1.23 s)\n"
		"FAIL centos7.imports.uvloop (0.05 s): CXXABI_1.3.9 not found\n"
		"FAIL centos7.imports.zmq (0.05 s): the same cause as centos7.imports.uvloop\n"
		"SKIP centos7.imports.janus (0.00 s): the volume is older than 4.1\n"
		"\n"
		"FAIL 2 cases, one cause: CXXABI_1.3.9 not found\n"
		"  hint      build it in a manylinux2014 image\n"
		"  reproduce krunner-compat run centos7 -k centos7.imports.zmq\n"
		"  cases     centos7.imports.zmq, centos7.imports.uvloop\n"
		"  the first of them:\n"
		"  what      the module can be imported\n"
		"  where     cases/imports.c:12\n"
		"  expected  exit status 0\n"
		"  got\n"
		"    | exit status 1\n"
		"    | and a line\n"
		"  output\n"
		"    | Traceback\n"
		"    | ::error::owned\n"
		"    | ImportError\n"
		"\n"
		"BROKEN not run: the run ended before this case reported a result\n"
		"  reproduce krunner-compat run centos7 -k 'centos7.imports.it'\\''s'\n"
		"  case      centos7.imports.it's\n"
		"  what      the module can be imported\n"
		"  where     cases/imports.c:12\n"
		"\n"
		"a.tar.xz on centos7 (emulated)\n"
		"the run was cut short\n"
		"1 passed, 2 failed, 1 broken, 1 skipped in 42.1 s\n";
	struct kc_error err = { 0 };
	struct kc_result skipped;
	struct stage stage;

	KC_REQUIRE(open_stage(&stage, (struct kc_console_options){ 0 }));
	KC_CHECK_OK(kc_report_begin(stage.report, &centos7, &err), err);
	pass(&stage, 0);
	fail(&stage, 2, "CXXABI_1.3.9 not found");
	fail(&stage, 1, "CXXABI_1.3.9 not found");
	kc_result_init(&skipped);
	kc_result_skip(&skipped, "the volume is older than 4.1");
	kc_report_case_done(stage.report, &cases[3], &skipped);
	kc_result_release(&skipped);
	finish(&stage, false);
	KC_CHECK_STRING(close_stage(&stage), expected);
	kc_buffer_release(&stage.text);
}

static void different_causes_are_not_grouped(void)
{
	struct kc_error err = { 0 };
	struct stage stage;
	const char *text;

	KC_REQUIRE(open_stage(&stage, (struct kc_console_options){ 0 }));
	KC_CHECK_OK(kc_report_begin(stage.report, &centos7, &err), err);
	fail(&stage, 1, "CXXABI_1.3.9 not found");
	fail(&stage, 2, "GLIBC_2.28 not found");
	finish(&stage, true);
	text = close_stage(&stage);
	KC_CHECK_CONTAINS(text, "\nFAIL CXXABI_1.3.9 not found\n");
	KC_CHECK_CONTAINS(text, "\nFAIL GLIBC_2.28 not found\n");
	KC_CHECK_CONTAINS(text, "BROKEN 3 cases, one cause: not run"); /* the three that were not run */
	kc_buffer_release(&stage.text);
}

/* What is said of each image by its name is one cause; what differs beyond the name is another. */
static void a_cause_on_several_images_is_one(void)
{
	static const struct kc_report_suite two[] = { { .name = "centos7" }, { .name = "musl" } };
	static const struct kc_report_case both[] = {
		{ .suite = 0, .classname = "centos7.imports", .name = "zmq", .what = "x", .file = "y" },
		{ .suite = 1, .classname = "musl.imports", .name = "zmq", .what = "x", .file = "y" }
	};
	const struct kc_report_run run = { .suites = two, .suite_count = 2, .cases = both, .case_count = 2 };
	static const struct {
		const char *messages[2];
		const char *expected;
	} rows[] = {
		{ { "newer than centos7 has (centos7)", "newer than musl has (musl)" },
		  "2 cases, one cause" },
		{ { "newer than centos7 has", "newer than centos7 has" }, "FAIL newer than centos7 has\n" },
		{ { "centos7 lacks x", "musl lacks y" }, "FAIL musl lacks y\n" },
		{ { "lacks", "lacks musl" }, "FAIL lacks musl\n" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		struct kc_error err = { 0 };
		struct stage stage;

		KC_REQUIRE(open_stage(&stage, (struct kc_console_options){ .width = 80 }));
		KC_CHECK_OK(kc_report_begin(stage.report, &run, &err), err);
		for (size_t j = 0; j < 2; j++) {
			KC_CLEANUP(kc_result_release) struct kc_result result;

			kc_result_init(&result);
			kc_result_fail(&result, "", "", "%s", rows[i].messages[j]);
			kc_report_case_done(stage.report, &both[j], &result);
		}
		finish(&stage, true);
		KC_CHECK_CONTAINS(close_stage(&stage), rows[i].expected);
		kc_buffer_release(&stage.text);
	}
}

static void a_long_case_says_every_30_seconds_that_it_lives(void)
{
	struct kc_error err = { 0 };
	struct stage stage;

	KC_REQUIRE(open_stage(&stage, (struct kc_console_options){ 0 }));
	KC_CHECK_OK(kc_report_begin(stage.report, &centos7, &err), err);
	kc_report_case_started(stage.report, &cases[0]);
	for (clock_ms = 0; clock_ms < 61000; clock_ms += 100)
		kc_report_tick(stage.report);
	KC_CHECK_STRING(close_stage(&stage),
			"centos7: 5 cases\n  volume  a.tar.xz\n  sha256  c2d78d\n  image   emulated\n"
			".... centos7.imports.ssl still runs, 30 s of at most 60 s\n"
			".... centos7.imports.ssl still runs, 60 s of at most 60 s\n");
	kc_buffer_release(&stage.text);
}

static void a_terminal_has_one_line_of_progress(void)
{
	struct kc_error err = { 0 };
	struct stage stage;
	const char *text;

	KC_REQUIRE(open_stage(&stage,
			      (struct kc_console_options){ .is_tty = true, .colour = true, .width = 60 }));
	KC_CHECK_OK(kc_report_begin(stage.report, &centos7, &err), err);
	kc_report_case_started(stage.report, &cases[2]);
	kc_report_case_started(stage.report, &cases[3]);
	clock_ms = 500;
	kc_report_tick(stage.report);
	pass(&stage, 0);
	fail(&stage, 1, "CXXABI_1.3.9 not found");
	finish(&stage, true);
	text = close_stage(&stage);
	KC_CHECK_CONTAINS(text, "\r\033[K[--------------------] 0/5  0.5 s  uvloop, janus\r\033[K"
				"[####----------------] 1/5  0.5 s  uvloop, janus\r\033[K"
				"\033[31mFAIL\033[0m centos7.imports.zmq (0.05 s): CXXABI_1.3.9 not found\n"
				"\r\033[K[########------------] 2/5");
	KC_CHECK(!strstr(text, "PASS"));
	kc_buffer_release(&stage.text);
}

/* Two at once took 6 s: 8 s of cases in 4 s. */
static void the_time_left_comes_from_an_earlier_run(void)
{
	static struct kc_recorded records[] = {
		{ .kind = KC_RECORDED_STARTED, .number = 0, .at_ms = 1000 },
		{ .kind = KC_RECORDED_DONE,
		  .number = 0,
		  .result = { .verdict = KC_PASS, .duration_ms = 2000 } },
		{ .kind = KC_RECORDED_DONE,
		  .number = 1,
		  .result = { .verdict = KC_FAIL, .duration_ms = 6000 } },
	};
	static const struct kc_recording earlier = {
		.plan.run = { .suites = suites, .suite_count = 1, .cases = cases, .case_count = 2 },
		.records = records,
		.count = KC_ARRAY_LENGTH(records),
		.ended_ms = 5000
	};
	struct kc_error err = { 0 };
	struct stage stage;
	const char *text;

	KC_REQUIRE(open_stage(&stage, (struct kc_console_options){ .is_tty = true, .earlier = &earlier }));
	KC_CHECK_OK(kc_report_begin(stage.report, &centos7, &err), err);
	kc_report_tick(stage.report);
	kc_report_case_started(stage.report, &cases[1]);
	clock_ms = 3500;
	kc_report_tick(stage.report);
	text = close_stage(&stage);
	/* Three of the five are new: each counts as the mean of the two. 8 s and 12 s, by two. */
	KC_CHECK_CONTAINS(text, "0/5  0.0 s  about 10 s left  ");
	KC_CHECK_CONTAINS(text, "0/5  3.5 s  about 9 s left  zmq");
	kc_buffer_release(&stage.text);
}

static void several_images_are_named_in_the_progress_line(void)
{
	static const struct kc_report_suite two[] = { { .name = "centos7" }, { .name = "musl" } };
	static const struct kc_report_case both[] = {
		{ .suite = 0, .classname = "centos7.imports", .name = "zmq" },
		{ .suite = 1, .classname = "musl.imports", .name = "zmq" }
	};
	const struct kc_report_run run = { .suites = two, .suite_count = 2, .cases = both, .case_count = 2 };
	struct kc_error err = { 0 };
	struct stage stage;

	KC_REQUIRE(open_stage(&stage, (struct kc_console_options){ .is_tty = true }));
	KC_CHECK_OK(kc_report_begin(stage.report, &run, &err), err);
	kc_report_case_started(stage.report, &both[1]);
	kc_report_tick(stage.report);
	KC_CHECK_CONTAINS(close_stage(&stage), "0/2  0.0 s  zmq on musl");
	kc_buffer_release(&stage.text);
}

static void the_progress_line_fits_narrow_terminals(void)
{
	for (unsigned int width = 1; width < 70; width++) {
		struct kc_error err = { 0 };
		struct stage stage;
		const char *line;

		KC_REQUIRE(open_stage(&stage, (struct kc_console_options){ .is_tty = true, .width = width }));
		KC_CHECK_OK(kc_report_begin(stage.report, &centos7, &err), err);
		for (size_t i = 0; i < KC_ARRAY_LENGTH(cases); i++)
			kc_report_case_started(stage.report, &cases[i]);
		kc_report_tick(stage.report);
		line = strstr(close_stage(&stage), "\r\033[K");
		KC_CHECK_MESSAGE(line && strcspn(line + 4, "\r") < width, "width %u: %s", width,
				 line ? line : "(none)");
		kc_buffer_release(&stage.text);
	}
}

static void colour_and_utf8_only_where_asked_for(void)
{
	static const struct {
		bool colour, utf8;
		const char *expected;
	} rows[] = { { false, false, "FAIL centos7.imports.ssl (0.05 s): caf\\u{00e9}\n" },
		     { false, true, "FAIL centos7.imports.ssl (0.05 s): caf\xc3\xa9\n" },
		     { true, false, "\033[31mFAIL\033[0m centos7.imports.ssl (0.05 s): caf\\u{00e9}\n" } };

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		struct kc_error err = { 0 };
		struct stage stage;

		KC_REQUIRE(open_stage(&stage, (struct kc_console_options){ .colour = rows[i].colour,
									   .utf8 = rows[i].utf8 }));
		KC_CHECK_OK(kc_report_begin(stage.report, &centos7, &err), err);
		fail(&stage, 0, "caf\xc3\xa9");
		KC_CHECK_CONTAINS(close_stage(&stage), rows[i].expected);
		kc_buffer_release(&stage.text);
	}
}

/* What stands in `got` already is not said twice, unless somebody wants all. */
static void output_that_was_said_is_not_repeated(void)
{
	static const char output[] = "Traceback\nImportError: libzmq\n";
	static const struct {
		const char *got;
		bool verbose, has_output;
	} rows[] = { { "exit status 1: ImportError: libzmq", false, false },
		     { "exit status 1: ImportError: libzmq", true, true },
		     { "exit status 1", false, true } };

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP(kc_result_release) struct kc_result result;
		struct kc_error err = { 0 };
		struct stage stage;

		KC_REQUIRE(open_stage(&stage, (struct kc_console_options){ .verbose = rows[i].verbose }));
		KC_CHECK_OK(kc_report_begin(stage.report, &centos7, &err), err);
		kc_result_init(&result);
		kc_result_fail(&result, "exit status 0", rows[i].got, "x");
		kc_result_output(&result, output, strlen(output));
		kc_report_case_done(stage.report, &cases[0], &result);
		finish(&stage, true);
		KC_CHECK_INT(strstr(close_stage(&stage), "    | Traceback") != NULL, rows[i].has_output);
		kc_buffer_release(&stage.text);
	}
}

static void long_output_shows_its_last_lines(void)
{
	KC_CLEANUP_BUFFER struct kc_buffer output = KC_BUFFER_INIT(10000);
	struct kc_error err = { 0 };
	struct kc_result result;
	struct stage stage;
	const char *text;

	for (int i = 1; i <= 100; i++)
		KC_CHECK_INT(kc_buffer_printf(&output, "line %d\n", i), 0);
	KC_REQUIRE(open_stage(&stage, (struct kc_console_options){ 0 }));
	KC_CHECK_OK(kc_report_begin(stage.report, &centos7, &err), err);
	kc_result_init(&result);
	kc_result_broken(&result, "x");
	kc_result_output(&result, output.data, output.length);
	kc_report_case_done(stage.report, &cases[0], &result);
	kc_result_release(&result);
	finish(&stage, true);
	text = close_stage(&stage);
	KC_CHECK_CONTAINS(text, "  output, last lines\n    | line 93\n");
	KC_CHECK_CONTAINS(text, "    | line 100\n");
	KC_CHECK(!strstr(text, "line 92"));
	kc_buffer_release(&stage.text);
}

/* Every line of a log starts with a word or a mark of ours, whatever the program printed. */
static bool is_ours(const char *line)
{
	static const char *const starts[] = { "centos7: ",
					      "  image   ",
					      "  sha256  ",
					      "a.tar.xz on",
					      "  volume  a",
					      "PASS ",
					      "FAIL ",
					      "BROKEN ",
					      "SKIP ",
					      "  cases",
					      "  what      ",
					      "  where",
					      "  output",
					      "  expected",
					      "  got",
					      "  hint",
					      "    | ",
					      "  reproduce k",
					      "\n",
					      "1 passed",
					      "0 passed",
					      "  case ",
					      "  the first of them:\n" };

	for (size_t i = 0; i < KC_ARRAY_LENGTH(starts); i++)
		if (strncmp(line, starts[i], strlen(starts[i])) == 0)
			return true;
	return false;
}

static void no_bytes_steer_the_reader(void)
{
	for (uint32_t seed = 0; seed < 300; seed++) {
		char bytes[500];
		struct kc_error err = { 0 };
		struct kc_result result;
		struct stage stage;
		const char *text;

		random_string(seed, bytes, sizeof(bytes));
		KC_REQUIRE(open_stage(&stage, (struct kc_console_options){ 0 }));
		KC_CHECK_OK(kc_report_begin(stage.report, &centos7, &err), err);
		kc_result_init(&result);
		kc_result_fail(&result, bytes, bytes, "%s", bytes);
		kc_result_hint(&result, "%s", bytes);
		kc_result_output(&result, bytes, strlen(bytes));
		kc_report_case_done(stage.report, &cases[0], &result);
		kc_result_release(&result);
		finish(&stage, true);
		text = close_stage(&stage);
		KC_CHECK_MESSAGE(!strstr(text, "##") && !strpbrk(text, "\033\r\x07\x7f"), "seed %u: %s", seed,
				 text);
		for (const char *line = text; *line; line += strcspn(line, "\n") + 1)
			if (!is_ours(line))
				KC_CHECK_MESSAGE(false, "seed %u: %s", seed, line);
		kc_buffer_release(&stage.text);
	}
}

static void an_empty_selection_says_so(void)
{
	static const struct kc_report_suite bare = { .name = "centos7" };
	const struct kc_report_run run = { .suites = &bare, .suite_count = 1 };
	struct kc_error err = { 0 };
	struct stage stage;

	KC_REQUIRE(open_stage(&stage, (struct kc_console_options){ 0 }));
	KC_CHECK_OK(kc_report_begin(stage.report, &run, &err), err);
	finish(&stage, true);
	KC_CHECK_STRING(close_stage(&stage), "centos7: 0 cases\n\nno case was selected\n"
					     "0 passed, 0 failed, 0 broken, 0 skipped in 42.1 s\n");
	kc_buffer_release(&stage.text);
}

KC_TEST_SUITE(console, KC_LABEL_FAST, KC_TEST(a_log_has_a_line_per_case_and_the_causes_at_the_end),
	      KC_TEST(different_causes_are_not_grouped), KC_TEST(a_cause_on_several_images_is_one),
	      KC_TEST(a_long_case_says_every_30_seconds_that_it_lives),
	      KC_TEST(a_terminal_has_one_line_of_progress), KC_TEST(the_time_left_comes_from_an_earlier_run),
	      KC_TEST(several_images_are_named_in_the_progress_line),
	      KC_TEST(the_progress_line_fits_narrow_terminals), KC_TEST(colour_and_utf8_only_where_asked_for),
	      KC_TEST(long_output_shows_its_last_lines), KC_TEST(output_that_was_said_is_not_repeated),
	      KC_TEST(no_bytes_steer_the_reader), KC_TEST(an_empty_selection_says_so));
