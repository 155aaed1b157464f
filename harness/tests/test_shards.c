/* A run in parts, end to end: the parts put together are the whole, and a part that has no case is neither red nor a pass. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fixtures/temporary.h"
#include "options.h"
#include "reports/json_read.h"
#include "reports/ledger.h"
#include "sys/process.h"
#include "tests/kc_test.h"

#define VOLUME "pypi:backend.ai-krunner-static-gnu==4.4.0"

enum { SHARDS = 3, MOST_WORDS = 16 };

static struct kc_temporary directory;

static int set_up(void)
{
	struct kc_error err = { 0 };

	return kc_temporary_make(&directory, &err);
}

static int tear_down(void)
{
	kc_temporary_remove(&directory);
	return 0;
}

static void place(char ret_path[PATH_MAX + 16], const char *name)
{
	(void)snprintf(ret_path, PATH_MAX + 16, "%s/%s", directory.path, name);
}

/* What it printed, on whichever stream. */
static void run_words(const char *const words[], int expected, struct kc_buffer *text)
{
	const char *argv[MOST_WORDS + 2] = { KC_TEST_PROGRAM };
	const struct kc_process process = {
		.argv = argv, .timeout_ms = 300000, .output = text, .errors = text
	};
	struct kc_error err = { 0 };
	int status = -1;

	for (size_t i = 0; words[i]; i++)
		argv[i + 1] = words[i];
	KC_REQUIRE_OK(kc_process_run(&process, &status, &err), err);
	KC_CHECK_MESSAGE(status == expected, "exit status %d\n%s", status, kc_buffer_string(text));
}

/* `shard` NULL: the whole. */
static void run_imports(const char *shard, const char *json)
{
	const char *const words[] = { "run",	 "centos7", "--volume", VOLUME, "-k",
				      "imports", "--json",  json,	"-q",	shard ? "--shard" : NULL,
				      shard,	 NULL };
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(1u << 20);

	run_words(words, KC_EXIT_PASSED, &text);
	if (shard)
		KC_CHECK_CONTAINS(kc_buffer_string(&text), "cases of other shards");
}

/* The verdict that `report` has for a case of `identity`; -1 if it has no such case. */
static int verdict_of(const struct kc_read_report *report, const struct kc_report_case *wanted)
{
	const struct kc_report_run *run = &report->plan.run;

	for (size_t i = 0; i < run->case_count; i++)
		if (strcmp(run->cases[i].classname, wanted->classname) == 0 &&
		    strcmp(run->cases[i].name, wanted->name) == 0)
			return (int)report->results[i].verdict;
	return -1;
}

static void check_same(const char *whole_path, const char *merged_path)
{
	KC_CLEANUP_READ_REPORT struct kc_read_report whole = { 0 }, merged = { 0 };
	struct kc_error err = { 0 };

	KC_REQUIRE_OK(kc_read_report_load(whole_path, &whole, &err), err);
	KC_REQUIRE_OK(kc_read_report_load(merged_path, &merged, &err), err);
	KC_CHECK(merged.is_complete);
	KC_CHECK_INT(merged.plan.run.suite_count, 1);
	KC_CHECK_INT(merged.plan.run.suites[0].fact_count, whole.plan.run.suites[0].fact_count);
	KC_CHECK_INT(merged.plan.run.case_count, whole.plan.run.case_count);
	for (size_t i = 0; i < whole.plan.run.case_count; i++)
		KC_CHECK_INT(verdict_of(&merged, &whole.plan.run.cases[i]), whole.results[i].verdict);
}

static void the_parts_put_together_are_the_whole(void)
{
	char whole[PATH_MAX + 16], merged[PATH_MAX + 16], parts[SHARDS][PATH_MAX + 16];
	const char *const all[] = { "merge", parts[2], parts[0], parts[1], "--json", merged, NULL };
	const char *const some[] = { "merge", parts[2], parts[0], "--json", merged, NULL };
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(1u << 20);

	place(whole, "whole.json");
	place(merged, "merged.json");
	run_imports(NULL, whole);
	for (int i = 0; i < SHARDS; i++) {
		char shard[16], name[16];

		(void)snprintf(shard, sizeof(shard), "%d/%d", i + 1, SHARDS);
		(void)snprintf(name, sizeof(name), "%d.json", i + 1);
		place(parts[i], name);
		run_imports(shard, parts[i]);
	}
	run_words(all, KC_EXIT_PASSED, &text);
	check_same(whole, merged);
	kc_buffer_clear(&text);
	run_words(some, KC_EXIT_FAILED, &text);
	KC_CHECK_CONTAINS(kc_buffer_string(&text), "missing: centos7: parts 2 of 3\n");
	KC_CHECK_CONTAINS(kc_buffer_string(&text), "the run was cut short\n");
}

/* Of a part that could not begin there is a report, and it is not one of the whole. */
static void a_part_that_opened_nothing_is_missing(void)
{
	char first[PATH_MAX + 16], lost[PATH_MAX + 16], nothing[PATH_MAX + 16];
	const char *const run[] = { "run", "centos7", "--volume", nothing, "--shard",
				    "2/2", "--json",  lost,	  NULL };
	const char *const merge[] = { "merge", lost, first, NULL };
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(1u << 20);
	KC_CLEANUP_READ_REPORT struct kc_read_report report = { 0 };
	struct kc_error err = { 0 };

	place(first, "first.json");
	place(lost, "lost.json");
	place(nothing, "nothing.tar.xz");
	run_imports("1/2", first);
	run_words(run, KC_EXIT_NOT_RUN, &text);
	KC_REQUIRE_OK(kc_read_report_load(lost, &report, &err), err);
	KC_CHECK_STRING(kc_report_fact(&report.plan.run.suites[0], "shard"), "2/2");
	kc_buffer_clear(&text);
	run_words(merge, KC_EXIT_FAILED, &text);
	KC_CHECK_CONTAINS(kc_buffer_string(&text), "missing: centos7: parts 2 of 2\n");
}

static void a_part_without_cases_says_so_and_counts_for_nothing(void)
{
	char json[PATH_MAX + 16];
	const char *const run[] = { "run",     "centos7", "--volume", VOLUME, "-k", "centos7.imports.zmq",
				    "--shard", "1/50",	  "--json",   json,   NULL };
	const char *const merge[] = { "merge", json, "--json", json, NULL };
	const char *const alone[] = { "merge", json, NULL };
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(1u << 20);

	place(json, "empty.json");
	run_words(run, KC_EXIT_PASSED, &text);
	KC_CHECK_CONTAINS(kc_buffer_string(&text), "shard: 1/50 has no case: nothing was checked here\n");
	run_words(alone, KC_EXIT_FAILED, &text);
	run_words(merge, KC_EXIT_USAGE, &text);
	KC_CHECK_CONTAINS(kc_buffer_string(&text), "--json is the same file as ");
}

static void what_selects_nothing_is_an_error_in_every_part(void)
{
	const char *const words[] = { "run",	      "centos7", "--volume", VOLUME, "-k",
				      "no-such-case", "--shard", "1/2",	     NULL };
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(1u << 20);

	run_words(words, KC_EXIT_NOTHING_SELECTED, &text);
}

KC_TEST_SUITE_WITH(shards, KC_LABEL_SLOW, set_up, tear_down, KC_TEST(the_parts_put_together_are_the_whole),
		   KC_TEST(a_part_that_opened_nothing_is_missing),
		   KC_TEST(a_part_without_cases_says_so_and_counts_for_nothing),
		   KC_TEST(what_selects_nothing_is_an_error_in_every_part));
