#include "run/repeat.h"

#include <stdio.h>
#include <string.h>

#include "tests/kc_test.h"

/* One letter for each run: pass, fail, broken, skip. */
static void add_run(struct kc_repeat *repeat, char verdict, double seconds)
{
	struct kc_result result;

	kc_result_init(&result);
	kc_result_measure(&result, "ping", "s", seconds, 19.5, 20.5);
	kc_result_property(&result, "version", "1.6.3");
	kc_result_property(&result, "end", verdict == 'p' ? "FIN" : "reset");
	result.duration_ms = 10;
	if (verdict == 'p')
		kc_result_pass(&result);
	else if (verdict == 'f')
		kc_result_fail(&result, "20 s", "5 s", "run %u was early", repeat->count + 1);
	else if (verdict == 'b')
		kc_result_broken(&result, "run %u could not tell", repeat->count + 1);
	else
		kc_result_skip(&result, "no such thing here");
	kc_repeat_add(repeat, &result);
	kc_result_release(&result);
}

static const char *property(const struct kc_result *result, const char *name)
{
	for (size_t i = 0; i < result->property_count; i++)
		if (strcmp(result->properties[i].name, name) == 0)
			return result->properties[i].value;
	return "";
}

static void one_verdict_that_differs_is_a_flake(void)
{
	static const struct {
		const char *name, *runs;
		enum kc_verdict verdict;
		const char *message, *listed;
	} rows[] = {
		{ "once", "p", KC_PASS, "", "" },
		{ "once, failed", "f", KC_FAIL, "run 1 was early", "" },
		{ "all pass", "ppppp", KC_PASS, "", "" },
		{ "all fail", "fff", KC_FAIL, "run 1 was early", "" },
		{ "all broken", "bb", KC_BROKEN, "run 1 could not tell", "" },
		{ "all skipped", "ss", KC_SKIP, "no such thing here", "" },
		{ "the last fails", "ppppf", KC_FAIL, "flaky: 4 of 5 passed, 1 failed: run 5 was early",
		  "5" },
		{ "the first fails", "fpppp", KC_FAIL, "flaky: 4 of 5 passed, 1 failed: run 1 was early",
		  "1" },
		{ "one is broken", "pbp", KC_BROKEN, "flaky: 2 of 3 passed, 1 could not be made: run 2 could",
		  "2" },
		{ "a failure stands before what is broken", "pbfb", KC_FAIL,
		  "flaky: 1 of 4 passed, 1 failed, 2 could not be made: run 3 was early", "2, 3, 4" },
		{ "passed or skipped", "psp", KC_BROKEN,
		  "flaky: 2 of 3 passed, 1 skipped: no such thing here", "2" },
		{ "failed or skipped", "sf", KC_FAIL, "flaky: 0 of 2 passed, 1 failed, 1 skipped: run 2",
		  "1, 2" },
		{ "many", "pffffffffffff", KC_FAIL, "flaky: 1 of 13 passed, 12 failed: run 2 was early",
		  "2, 3, 4, 5, 6, 7, 8, 9, 10, 11 ..." },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_REPEAT struct kc_repeat repeat = { 0 };
		KC_CLEANUP(kc_result_release) struct kc_result result;
		bool has_message = rows[i].message[0] != '\0';

		kc_result_init(&result);
		for (const char *run = rows[i].runs; *run; run++)
			add_run(&repeat, *run, 20);
		kc_repeat_merge(&repeat, &result);
		KC_CHECK_MESSAGE(result.verdict == rows[i].verdict, "%s: %s", rows[i].name,
				 kc_verdict_name(result.verdict));
		KC_CHECK_MESSAGE(!has_message || strstr(kc_result_message(&result), rows[i].message),
				 "%s: %s", rows[i].name, kc_result_message(&result));
		KC_CHECK_MESSAGE(strcmp(property(&result, "runs-not-passed"), rows[i].listed) == 0, "%s: %s",
				 rows[i].name, property(&result, "runs-not-passed"));
		KC_CHECK_INT(result.duration_ms, 10 * (int64_t)strlen(rows[i].runs));
	}
}

static void what_was_measured_is_shown_from_the_least_to_the_most(void)
{
	static const double seconds[] = { 20.004, 20.001, 20.002, 19.999, 20.003 };
	char text[KC_MEASUREMENT_TEXT_MAX];
	KC_CLEANUP_REPEAT struct kc_repeat repeat = { 0 };
	KC_CLEANUP(kc_result_release) struct kc_result result;

	kc_result_init(&result);
	for (size_t i = 0; i < KC_ARRAY_LENGTH(seconds); i++)
		add_run(&repeat, i == 3 ? 'f' : 'p', seconds[i]);
	kc_repeat_merge(&repeat, &result);
	KC_REQUIRE(result.measurement_count == 1);
	kc_measurement_text(&result.measurements[0], text, sizeof(text));
	KC_CHECK_STRING(text, "19.999 to 20.004 s, median 20.002 (promised: 19.500 to 20.500)");
	KC_CHECK_STRING(property(&result, "version"), "1.6.3");
	KC_CHECK_STRING(property(&result, "end"), "FIN, and other things in other runs");
	KC_CHECK_STRING(property(&result, "runs"), "5");
	KC_CHECK_STRING(result.expected, "20 s");
	KC_CHECK_STRING(result.got, "5 s");
}

static void nothing_merged_is_broken(void)
{
	static const struct kc_repeat repeat;
	KC_CLEANUP(kc_result_release) struct kc_result result;

	kc_result_init(&result);
	kc_repeat_merge(&repeat, &result);
	KC_CHECK_INT(result.verdict, KC_BROKEN);
}

KC_TEST_SUITE(repeat, KC_LABEL_FAST, KC_TEST(one_verdict_that_differs_is_a_flake),
	      KC_TEST(what_was_measured_is_shown_from_the_least_to_the_most),
	      KC_TEST(nothing_merged_is_broken));
