/* The JUnit file, parsed back with libxml2: what its readers rely on. */
#include "reports/junit.h"

#include <errno.h>
#include <fcntl.h>
#include <libxml/parser.h>
#include <libxml/xpath.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reports/tests/random_bytes.h"
#include "sys/file.h"
#include "tests/kc_test.h"

static char directory[] = "/tmp/kc-junit-XXXXXX";
static char path[64];

static int make_directory(void)
{
	if (!mkdtemp(directory))
		return -1;
	(void)snprintf(path, sizeof(path), "%s/out.xml", directory);
	return 0;
}

static int remove_directory(void)
{
	xmlCleanupParser();
	return kc_tree_remove(AT_FDCWD, directory, NULL);
}

#define CASE(case_name)                                                                                      \
	{                                                                                                    \
		.classname = "centos7.imports", .name = (case_name), .what = "the module can be imported",   \
		.file = "cases/imports.c", .line = 12, .timeout_ms = 5000                                    \
	}

static const struct kc_report_case cases[] = { CASE("ssl"), CASE("zmq"), CASE("uvloop"), CASE("janus"),
					       CASE("never") };

static char fact_name[] = "fidelity", fact_value[] = "emulated";
static const struct kc_property facts[] = { { fact_name, fact_value } };
static const struct kc_report_suite suites[] = {
	{ .name = "centos7", .facts = facts, .fact_count = 1, .reproduce = "krunner-compat run centos7" }
};
static const struct kc_report_run centos7 = { .hostname = "host",
					      .started_ms = 1784808000000,
					      .suites = suites,
					      .suite_count = 1,
					      .cases = cases,
					      .case_count = KC_ARRAY_LENGTH(cases) };

static const char *attachment;

static struct kc_report *open_profile(bool is_strict, struct kc_error *err)
{
	const struct kc_junit_options options = { .path = path,
						  .is_strict = is_strict,
						  .attachment = attachment };
	struct kc_report *report = NULL;

	return kc_junit_open(&options, &report, err) < 0 ? NULL : report;
}

static struct kc_report *open_report(struct kc_error *err)
{
	return open_profile(false, err);
}

/* One case of each verdict; `never` stays undone. */
static void report_four(struct kc_report *report)
{
	static const char output[] = "Traceback:\n\x1b[31mImportError\x1b[0m \xff ]]> <&\n";
	struct kc_result results[4];

	for (size_t i = 0; i < KC_ARRAY_LENGTH(results); i++) {
		kc_result_init(&results[i]);
		results[i].duration_ms = 1234;
	}
	kc_result_pass(&results[0]);
	kc_result_property(&results[0], "import-ms", "41");
	kc_result_fail(&results[1], "import zmq", "exit status 1", "CXXABI_1.3.9 not found");
	kc_result_hint(&results[1], "build it in a manylinux2014 image");
	kc_result_output(&results[1], output, strlen(output));
	kc_result_broken(&results[2], "mount overlay: Operation not permitted");
	kc_result_skip(&results[3], "the volume is older than 4.1");
	for (size_t i = 0; i < KC_ARRAY_LENGTH(results); i++) {
		kc_report_case_started(report, &cases[i]);
		kc_report_case_done(report, &cases[i], &results[i]);
		kc_result_release(&results[i]);
	}
}

static xmlDoc *read_report(void)
{
	return xmlReadFile(path, NULL, XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
}

/* The value of an XPath expression as a string; the caller frees it. */
static char *ask(xmlDoc *document, const char *expression)
{
	xmlXPathContext *context = xmlXPathNewContext(document);
	xmlXPathObject *object =
		context ? xmlXPathEvalExpression((const xmlChar *)expression, context) : NULL;
	char *text = object ? (char *)xmlXPathCastToString(object) : NULL;

	xmlXPathFreeObject(object);
	xmlXPathFreeContext(context);
	return text;
}

static void check_answer(xmlDoc *document, const char *expression, const char *expected)
{
	char *answer = ask(document, expression);

	KC_CHECK_MESSAGE(answer && strcmp(answer, expected) == 0, "%s: got \"%s\", want \"%s\"", expression,
			 answer ? answer : "(null)", expected);
	xmlFree(answer);
}

static void check_rows(const char *const rows[][2], size_t count)
{
	xmlDoc *document = read_report();

	KC_CHECK(document != NULL);
	for (size_t i = 0; document && i < count; i++)
		check_answer(document, rows[i][0], rows[i][1]);
	xmlFreeDoc(document);
}

static void says_what_its_readers_look_for(void)
{
	static const char *const rows[][2] = {
		{ "name(/*)", "testsuites" },
		{ "/testsuites/@name", "krunner-compat" },
		{ "/testsuites/@tests", "5" },
		{ "/testsuites/@failures", "1" },
		{ "/testsuites/@errors", "2" },
		{ "/testsuites/@skipped", "1" },
		{ "/testsuites/@time", "4.936" },
		{ "count(//testsuite)", "1" },
		{ "//testsuite/@name", "centos7" },
		{ "//testsuite/@tests", "5" },
		{ "//testsuite/@errors", "2" },
		{ "//testsuite/@time", "4.936" },
		{ "//testsuite/@timestamp", "2026-07-23T12:00:00" },
		{ "//testsuite/@hostname", "host" },
		{ "name(//testsuite/*[1])", "properties" },
		{ "//testsuite/properties/property[@name='fidelity']/@value", "emulated" },
		{ "//testcase[1]/@classname", "centos7.imports" },
		{ "//testcase[1]/@name", "ssl" },
		{ "//testcase[1]/@time", "1.234" },
		{ "//testcase[1]/@file", "cases/imports.c" },
		{ "//testcase[1]/@line", "12" },
		{ "//testcase[1]/properties/property[@name='import-ms']/@value", "41" },
		{ "count(//testcase[1]/*)", "1" },
		{ "//testcase[2]/failure/@message", "CXXABI_1.3.9 not found" },
		{ "//testcase[2]/failure/@type", "promise-broken" },
		{ "string(//testcase[2]/failure)",
		  "CXXABI_1.3.9 not found\n"
		  "checked: the module can be imported\n"
		  "expected: import zmq\n"
		  "got: exit status 1\n"
		  "hint: build it in a manylinux2014 image\n"
		  "reproduce: krunner-compat run centos7 -k centos7.imports.zmq\n"
		  "output of the program:\n"
		  "Traceback:\nImportError \\xff ]]> <&\n\n"
		  " cases/imports.c:12: CXXABI_1.3.9 not found\n" },
		{ "//testcase[3]/error/@message", "mount overlay: Operation not permitted" },
		{ "//testcase[3]/error/@type", "not-judged" },
		{ "//testcase[4]/skipped/@message", "the volume is older than 4.1" },
		{ "string(//testcase[4]/skipped)", "the volume is older than 4.1" },
		{ "//testcase[5]/error/@message",
		  "not run: the run ended before this case reported a result" },
		{ "count(//testcase[count(failure|error|skipped) > 1])", "0" },
	};
	struct kc_error err = { 0 };
	KC_CLEANUP_REPORT struct kc_report *report = open_report(&err);

	KC_REQUIRE(report != NULL);
	KC_REQUIRE_OK(kc_report_begin(report, &centos7, &err), err);
	report_four(report);
	KC_REQUIRE_OK(kc_report_end(report, false, &err), err);
	check_rows(rows, KC_ARRAY_LENGTH(rows));
}

static void strict_has_nothing_that_the_schema_forbids(void)
{
	static const char *const rows[][2] = {
		{ "count(//testcase)", "5" },
		{ "count(//testcase/@file | //testcase/@line | //testcase/properties)", "0" },
		{ "count(/testsuites/@skipped)", "0" },
		{ "//testsuite/@skipped", "1" },
		{ "//testsuite/properties/property/@value", "emulated" },
		{ "//testcase[2]/failure/@message", "CXXABI_1.3.9 not found" },
	};
	struct kc_error err = { 0 };
	KC_CLEANUP_REPORT struct kc_report *report = open_profile(true, &err);

	KC_REQUIRE(report != NULL);
	KC_REQUIRE_OK(kc_report_begin(report, &centos7, &err), err);
	report_four(report);
	KC_REQUIRE_OK(kc_report_end(report, false, &err), err);
	check_rows(rows, KC_ARRAY_LENGTH(rows));
}

static void a_failure_has_a_link_to_what_shows_more(void)
{
	static const struct {
		const char *attachment;
		bool is_strict;
		const char *expected;
	} rows[] = {
		{ "out/page.html", false, "[[ATTACHMENT|out/page.html]]\n" },
		{ "out/page.html", true, "" }, /* nobody who reads that profile knows it */
		{ "/out/page.html", false, "" },
		{ "out]]/page.html", false, "" },
		{ NULL, false, "" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		const char *const expected[][2] = { { "string(//testcase[2]/system-out)", rows[i].expected },
						    { "count(//testcase[1]/system-out)", "0" } };
		struct kc_error err = { 0 };
		KC_CLEANUP_REPORT struct kc_report *report = NULL;

		attachment = rows[i].attachment;
		report = open_profile(rows[i].is_strict, &err);
		attachment = NULL;
		KC_REQUIRE(report != NULL);
		KC_REQUIRE_OK(kc_report_begin(report, &centos7, &err), err);
		report_four(report);
		KC_REQUIRE_OK(kc_report_end(report, true, &err), err);
		check_rows(expected, KC_ARRAY_LENGTH(expected));
	}
}

static void report_retried(struct kc_report *report, size_t number, bool passes)
{
	struct kc_result first, last;

	kc_result_init(&first);
	kc_result_init(&last);
	kc_result_broken(&first, "no ping \x01");
	if (passes)
		kc_result_pass(&last);
	else
		kc_result_fail(&last, "a ping", "none", "no pong");
	kc_result_add_attempt(&last, &first);
	kc_report_case_done(report, &cases[number], &last);
	kc_result_release(&first);
	kc_result_release(&last);
}

/* In either profile: flaky is no failure, and what fails again fails once. */
static void what_was_tried_again_is_one_case(void)
{
	static const char *const rows[][2] = {
		{ "count(//testcase[1]/*)", "1" },
		{ "//testcase[1]/flakyFailure/@message", "no ping \\x01" },
		{ "//testcase[1]/flakyFailure/@type", "not-judged" },
		{ "string(//testcase[1]/flakyFailure/stackTrace)", " cases/imports.c:12: no ping \\x01\n" },
		{ "count(//testcase[2]/*)", "2" },
		{ "//testcase[2]/failure/@message", "no pong" },
		{ "//testcase[2]/rerunFailure/@message", "no ping \\x01" },
		{ "count(//testcase)", "5" },
		{ "/testsuites/@failures", "1" },
		{ "/testsuites/@errors", "3" }, /* those that never reported */
	};

	for (int is_strict = 0; is_strict < 2; is_strict++) {
		struct kc_error err = { 0 };
		KC_CLEANUP_REPORT struct kc_report *report = open_profile(is_strict, &err);

		KC_REQUIRE(report != NULL);
		KC_REQUIRE_OK(kc_report_begin(report, &centos7, &err), err);
		report_retried(report, 0, true);
		report_retried(report, 1, false);
		KC_REQUIRE_OK(kc_report_end(report, false, &err), err);
		check_rows(rows, KC_ARRAY_LENGTH(rows));
	}
}

static void is_red_from_the_first_moment(void)
{
	static const char *const rows[][2] = { { "/testsuites/@tests", "5" },
					       { "/testsuites/@errors", "5" },
					       { "count(//testcase/error)", "5" } };
	struct kc_error err = { 0 };
	KC_CLEANUP_REPORT struct kc_report *report = open_report(&err);

	KC_REQUIRE(report != NULL);
	KC_CHECK_OK(kc_file_write_atomic(AT_FDCWD, path, "<testsuites/>", 13, 0644, &err), err);
	KC_REQUIRE_OK(kc_report_begin(report, &centos7, &err), err);
	report_four(report);
	check_rows(rows, KC_ARRAY_LENGTH(rows)); /* killed here */
}

static void an_earlier_report_goes_even_if_ours_cannot_begin(void)
{
	static const struct kc_report_case twice[] = { CASE("ssl"), CASE("zmq"), CASE("ssl") };
	const struct kc_report_run run = { .hostname = "host",
					   .started_ms = 1784808000000,
					   .suites = suites,
					   .suite_count = 1,
					   .cases = twice,
					   .case_count = 3 };
	struct kc_error err = { 0 };
	KC_CLEANUP_REPORT struct kc_report *report = open_report(&err);

	KC_REQUIRE(report != NULL);
	KC_CHECK_OK(kc_file_write_atomic(AT_FDCWD, path, "<testsuites/>", 13, 0644, &err), err);
	KC_CHECK_INT(kc_report_begin(report, &run, &err), -EEXIST);
	KC_CHECK_CONTAINS(err.text, "two cases are called `centos7.imports` `ssl`");
	KC_CHECK_INT(access(path, F_OK), -1);
}

static void an_empty_selection_is_red(void)
{
	static const char *const rows[][2] = { { "/testsuites/@tests", "1" },
					       { "/testsuites/@errors", "1" },
					       { "//testcase/error/@message", "no case was selected" } };
	const struct kc_report_run run = {
		.hostname = "host", .started_ms = 1784808000000, .suites = suites, .suite_count = 1
	};
	struct kc_error err = { 0 };
	KC_CLEANUP_REPORT struct kc_report *report = open_report(&err);

	KC_REQUIRE(report != NULL);
	KC_REQUIRE_OK(kc_report_begin(report, &run, &err), err);
	KC_REQUIRE_OK(kc_report_end(report, true, &err), err);
	check_rows(rows, KC_ARRAY_LENGTH(rows));
}

/* It is one of several, so that it is neither red nor passed; one that was cut short is red as ever. */
static void an_empty_part_of_a_run_is_skipped(void)
{
	static const char *const empty[][2] = { { "/testsuites/@tests", "1" },
						{ "/testsuites/@errors", "0" },
						{ "/testsuites/@skipped", "1" },
						{ "//testcase/skipped/@message",
						  "shard 7/9 has no case: nothing was checked here" } };
	static const char *const cut_short[][2] = { { "/testsuites/@errors", "1" } };
	static char name[] = "shard", value[] = "7/9";
	static const struct kc_property fact = { .name = name, .value = value };
	static const struct kc_report_suite suite = {
		.name = "centos7", .reproduce = "", .facts = &fact, .fact_count = 1
	};
	const struct kc_report_run run = { .hostname = "host", .suites = &suite, .suite_count = 1 };

	for (int complete = 0; complete < 2; complete++) {
		struct kc_error err = { 0 };
		KC_CLEANUP_REPORT struct kc_report *report = open_report(&err);

		KC_REQUIRE(report != NULL);
		KC_REQUIRE_OK(kc_report_begin(report, &run, &err), err);
		KC_REQUIRE_OK(kc_report_end(report, complete, &err), err);
		check_rows(complete ? empty : cut_short, complete ? KC_ARRAY_LENGTH(empty) : 1);
	}
}

static void a_run_cut_short_is_red_even_if_every_case_passed(void)
{
	static const struct {
		bool complete;
		const char *rows[1][2];
	} table[] = { { true, { { "/testsuites/@errors", "0" } } },
		      { false, { { "//testcase/error/@message", "the run was cut short" } } } };
	const struct kc_report_run run = { .hostname = "host",
					   .started_ms = 1784808000000,
					   .suites = suites,
					   .suite_count = 1,
					   .cases = cases,
					   .case_count = 1 };

	for (size_t i = 0; i < KC_ARRAY_LENGTH(table); i++) {
		struct kc_error err = { 0 };
		KC_CLEANUP_REPORT struct kc_report *report = open_report(&err);
		struct kc_result result;

		KC_REQUIRE(report != NULL);
		KC_REQUIRE_OK(kc_report_begin(report, &run, &err), err);
		kc_result_init(&result);
		kc_result_pass(&result);
		kc_report_case_done(report, &cases[0], &result);
		KC_REQUIRE_OK(kc_report_end(report, table[i].complete, &err), err);
		check_rows(table[i].rows, 1);
	}
}

static void several_suites_share_a_file(void)
{
	static const struct kc_report_case other[] = {
		{ .classname = "alpine3.21.imports", .name = "ssl", .what = "", .file = "x.c", .line = 1 }
	};
	static const char *const rows[][2] = { { "count(//testsuite)", "2" },
					       { "/testsuites/@tests", "6" },
					       { "/testsuites/@tests = count(//testcase)", "true" },
					       { "/testsuites/@errors = count(//error)", "true" },
					       { "//testsuite[2]/@tests", "1" } };
	static const struct kc_report_suite suite = { .name = "alpine3.21" };
	const struct kc_report_run alpine = {
		.hostname = "host", .suites = &suite, .suite_count = 1, .cases = other, .case_count = 1
	};
	struct kc_error err = { 0 };
	KC_CLEANUP_REPORT struct kc_report *report = open_report(&err);

	KC_REQUIRE(report != NULL);
	KC_REQUIRE_OK(kc_report_begin(report, &centos7, &err), err);
	report_four(report);
	KC_REQUIRE_OK(kc_report_end(report, true, &err), err);
	KC_REQUIRE_OK(kc_report_begin(report, &alpine, &err), err);
	KC_REQUIRE_OK(kc_report_end(report, false, &err), err);
	check_rows(rows, KC_ARRAY_LENGTH(rows));
	KC_CHECK_INT(kc_report_begin(report, &alpine, &err), -EEXIST);
}

static void a_case_that_reports_twice_is_an_error(void)
{
	struct kc_error err = { 0 };
	KC_CLEANUP_REPORT struct kc_report *report = open_report(&err);

	KC_REQUIRE(report != NULL);
	KC_REQUIRE_OK(kc_report_begin(report, &centos7, &err), err);
	report_four(report);
	report_four(report);
	KC_CHECK_INT(kc_report_end(report, true, &err), -EPROTO);
	KC_CHECK_CONTAINS(err.text, "a case reported twice");
}

static void only_regular_files_are_replaced(void)
{
	struct kc_error err = { 0 };
	char target[80];

	(void)unlink(path); /* of the test before */
	KC_CHECK_INT(mkdir(path, 0700), 0);
	for (int i = 0; i < 2; i++) {
		KC_CLEANUP_REPORT struct kc_report *report = open_report(&err);

		KC_REQUIRE(report != NULL);
		KC_CHECK_INT(kc_report_begin(report, &centos7, &err), -EINVAL);
		KC_CHECK_CONTAINS(err.text, "not a regular file");
		KC_CHECK_INT(remove(path), 0);
		(void)snprintf(target, sizeof(target), "%s/target", directory);
		KC_CHECK_INT(i == 0 ? symlink(target, path) : 0, 0);
	}
}

static void a_directory_that_is_not_there_is_named(void)
{
	const struct kc_junit_options options = { .path = "/nonexistent/out.xml" };
	struct kc_error err = { 0 };
	KC_CLEANUP_REPORT struct kc_report *report = NULL;

	KC_REQUIRE_OK(kc_junit_open(&options, &report, &err), err);
	KC_CHECK_INT(kc_report_begin(report, &centos7, &err), -ENOENT);
	KC_CHECK_CONTAINS(err.text, "/nonexistent/out.xml");
}

static void any_bytes_stay_well_formed_and_counted(void)
{
	static const char *const rows[][2] = {
		{ "/testsuites/@tests = count(//testcase)", "true" },
		{ "/testsuites/@failures = count(//failure)", "true" },
		{ "/testsuites/@errors = count(//error)", "true" },
		{ "/testsuites/@skipped = count(//skipped)", "true" },
		{ "/testsuites/@time = sum(//testsuite/@time)", "true" },
		{ "count(//testcase[count(failure|error|skipped) > 1])", "0" },
	};

	for (uint32_t seed = 0; seed < 200; seed++) {
		char bytes[3][400];
		struct kc_report_case any = { .classname = bytes[0], .name = bytes[1], .what = bytes[2] };
		struct kc_property fact = { .name = bytes[0], .value = bytes[1] };
		const struct kc_report_suite suite = { .name = bytes[2], .facts = &fact, .fact_count = 1 };
		const struct kc_report_run run = {
			.hostname = "host", .suites = &suite, .suite_count = 1, .cases = &any, .case_count = 1
		};
		struct kc_error err = { 0 };
		KC_CLEANUP_REPORT struct kc_report *report = open_report(&err);
		struct kc_result result;

		for (uint32_t i = 0; i < 3; i++)
			random_string(seed * 3 + i, bytes[i], sizeof(bytes[i]));
		any.file = bytes[0];
		kc_result_init(&result);
		if (seed % 3 == 0)
			kc_result_fail(&result, bytes[0], bytes[1], "%s", bytes[2]);
		else if (seed % 3 == 1)
			kc_result_skip(&result, "%s", bytes[2]);
		kc_result_output(&result, bytes[0], strlen(bytes[0]));
		kc_result_property(&result, bytes[1], "%s", bytes[0]);
		result.duration_ms = seed;
		KC_REQUIRE(report != NULL);
		KC_CHECK_OK(kc_report_begin(report, &run, &err), err);
		kc_report_case_done(report, &any, &result);
		KC_CHECK_OK(kc_report_end(report, true, &err), err);
		kc_result_release(&result);
		check_rows(rows, KC_ARRAY_LENGTH(rows));
	}
}

static void gigantic_output_is_cut(void)
{
	struct kc_error err = { 0 };
	KC_CLEANUP_REPORT struct kc_report *report = open_report(&err);
	KC_CLEANUP_FREE char *output = malloc(1 << 20);
	struct kc_result result;
	struct stat status;

	KC_REQUIRE(report && output);
	memset(output, 0xff, 1 << 20);
	kc_result_init(&result);
	kc_result_fail(&result, NULL, NULL, "x");
	kc_result_output(&result, output, 1 << 20);
	KC_REQUIRE_OK(kc_report_begin(report, &centos7, &err), err);
	kc_report_case_done(report, &cases[0], &result);
	KC_REQUIRE_OK(kc_report_end(report, true, &err), err);
	kc_result_release(&result);
	KC_CHECK_INT(stat(path, &status), 0);
	KC_CHECK_MESSAGE(status.st_size < 70000, "%lld bytes", (long long)status.st_size);
}

/* A machine without such a locale proves nothing here, so the decimal point is never taken from printf: the
 * numbers are made of integers. Where one is installed this shows it. */
static void times_have_a_point_in_every_locale(void)
{
	static const char *const locales[] = { "de_DE.UTF-8", "fr_FR.UTF-8", "de_DE", "C" };
	static const char *const rows[][2] = { { "//testcase[1]/@time", "1.234" } };
	size_t i = 0;
	struct kc_error err = { 0 };
	KC_CLEANUP_REPORT struct kc_report *report = open_report(&err);

	KC_REQUIRE(report != NULL);
	while (!setlocale(LC_ALL, locales[i]))
		i++;
	KC_CHECK_OK(kc_report_begin(report, &centos7, &err), err);
	report_four(report);
	KC_CHECK_OK(kc_report_end(report, true, &err), err);
	(void)setlocale(LC_ALL, "C");
	check_rows(rows, 1);
}

KC_TEST_SUITE_WITH(junit, KC_LABEL_FAST, make_directory, remove_directory,
		   KC_TEST(says_what_its_readers_look_for),
		   KC_TEST(strict_has_nothing_that_the_schema_forbids),
		   KC_TEST(what_was_tried_again_is_one_case),
		   KC_TEST(a_failure_has_a_link_to_what_shows_more), KC_TEST(is_red_from_the_first_moment),
		   KC_TEST(an_earlier_report_goes_even_if_ours_cannot_begin),
		   KC_TEST(an_empty_selection_is_red), KC_TEST(an_empty_part_of_a_run_is_skipped),
		   KC_TEST(a_run_cut_short_is_red_even_if_every_case_passed),
		   KC_TEST(several_suites_share_a_file), KC_TEST(a_case_that_reports_twice_is_an_error),
		   KC_TEST(only_regular_files_are_replaced), KC_TEST(a_directory_that_is_not_there_is_named),
		   KC_TEST(any_bytes_stay_well_formed_and_counted), KC_TEST(gigantic_output_is_cut),
		   KC_TEST(times_have_a_point_in_every_locale));
