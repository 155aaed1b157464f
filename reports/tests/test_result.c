/* The result record: what the setters promise, and that any bytes survive the way through JSON. */
#include "reports/result.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "reports/tests/random_bytes.h"
#include "tests/kc_test.h"

static void a_fresh_record_is_broken_and_says_so(void)
{
	struct kc_result result;

	kc_result_init(&result);
	KC_CHECK_INT(result.verdict, KC_BROKEN);
	KC_CHECK_STRING(kc_result_message(&result), "the case reported nothing");
	kc_result_pass(&result);
	KC_CHECK_INT(result.verdict, KC_PASS);
	KC_CHECK_STRING(kc_result_message(&result), "");
	kc_result_release(&result);
	kc_result_release(&result);
}

/* f: fail, b: broken, p: pass, s: skip */
static void the_last_verdict_wins_unless_it_would_hide_a_bad_one(void)
{
	static const struct {
		const char *calls;
		enum kc_verdict expected;
	} rows[] = { { "p", KC_PASS },	  { "s", KC_SKIP },    { "ps", KC_SKIP }, { "sp", KC_PASS },
		     { "f", KC_FAIL },	  { "fp", KC_FAIL },   { "fs", KC_FAIL }, { "b", KC_BROKEN },
		     { "bp", KC_BROKEN }, { "bs", KC_BROKEN }, { "fb", KC_FAIL }, { "bf", KC_FAIL },
		     { "pf", KC_FAIL },	  { "pb", KC_BROKEN } };

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		struct kc_result result;

		kc_result_init(&result);
		for (const char *call = rows[i].calls; *call; call++) {
			if (*call == 'p')
				kc_result_pass(&result);
			else if (*call == 'f')
				kc_result_fail(&result, "a", "b", "cause");
			else if (*call == 'b')
				kc_result_broken(&result, "cause");
			else
				kc_result_skip(&result, "reason");
		}
		KC_CHECK_MESSAGE(result.verdict == rows[i].expected, "%s: got %s, want %s", rows[i].calls,
				 kc_verdict_name(result.verdict), kc_verdict_name(rows[i].expected));
		kc_result_release(&result);
	}
}

static void setters_copy_and_cut_at_the_limits(void)
{
	char long_text[100000];
	struct kc_error err = { 0 };
	struct kc_result result;

	memset(long_text, 'x', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	kc_result_init(&result);
	kc_result_fail(&result, long_text, NULL, "%s", long_text);
	kc_result_output(&result, "a\0b", 3);
	KC_CHECK_INT(strlen(result.message), 4095);
	KC_CHECK_INT(strlen(result.expected), 16384);
	KC_CHECK(!result.got);
	KC_CHECK_STRING(result.output, "a\\0b");
	kc_result_output(&result, long_text, sizeof(long_text));
	KC_CHECK_INT(strlen(result.output), 65536);
	kc_result_release(&result);
	kc_error_set(&err, 5, "open `/x`: gone");
	kc_error_hint(&err, "bring it back");
	kc_result_broken_by(&result, &err);
	KC_CHECK_STRING(result.message, "open `/x`: gone");
	KC_CHECK_STRING(result.hint, "bring it back");
	kc_result_release(&result);
}

static void properties_keep_their_order_and_the_last_value(void)
{
	struct kc_result result;

	kc_result_init(&result);
	kc_result_pass(&result);
	kc_result_property(&result, "b", "%d", 1);
	kc_result_property(&result, "a", "%d", 2);
	kc_result_property(&result, "b", "%d", 3);
	KC_REQUIRE(result.property_count == 2);
	KC_CHECK_STRING(result.properties[0].name, "b");
	KC_CHECK_STRING(result.properties[0].value, "3");
	KC_CHECK_STRING(result.properties[1].value, "2");
	for (int i = 0; i < 300; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "p%d", i);
		kc_result_property(&result, name, "x");
	}
	KC_CHECK_INT(result.verdict, KC_BROKEN);
	KC_CHECK_STRING(kc_result_message(&result), "more than 256 properties were recorded");
	kc_result_release(&result);
}

static bool same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_number(double a, double b)
{
	return (isnan(a) && isnan(b)) || (a >= b && a <= b);
}

static bool same_measurement(const struct kc_measurement *a, const struct kc_measurement *b)
{
	return same(a->name, b->name) && same(a->unit, b->unit) && same_number(a->value, b->value) &&
	       same_number(a->lowest, b->lowest) && same_number(a->highest, b->highest) &&
	       same_number(a->least, b->least) && same_number(a->most, b->most);
}

static bool same_attempts(const struct kc_result *a, const struct kc_result *b)
{
	if (a->attempt_count != b->attempt_count)
		return false;
	for (size_t i = 0; i < a->attempt_count; i++)
		if (a->attempts[i].verdict != b->attempts[i].verdict ||
		    a->attempts[i].duration_ms != b->attempts[i].duration_ms ||
		    !same(a->attempts[i].message, b->attempts[i].message))
			return false;
	return true;
}

static bool same_record(const struct kc_result *a, const struct kc_result *b)
{
	if (a->verdict != b->verdict || a->duration_ms != b->duration_ms ||
	    a->property_count != b->property_count || !same(a->message, b->message) ||
	    !same(a->expected, b->expected) || !same(a->got, b->got) || !same(a->hint, b->hint) ||
	    !same(a->output, b->output))
		return false;
	for (size_t i = 0; i < a->property_count; i++)
		if (!same(a->properties[i].name, b->properties[i].name) ||
		    !same(a->properties[i].value, b->properties[i].value))
			return false;
	if (a->measurement_count != b->measurement_count || !same_attempts(a, b))
		return false;
	for (size_t i = 0; i < a->measurement_count; i++)
		if (!same_measurement(&a->measurements[i], &b->measurements[i]))
			return false;
	return true;
}

/* Through the text form, as between processes. */
static int round_trip(const struct kc_result *result, struct kc_result *ret_back, struct kc_error *err)
{
	KC_CLEANUP_JSON cJSON *json = NULL;
	KC_CLEANUP_JSON cJSON *parsed = NULL;
	KC_CLEANUP_FREE char *text = NULL;
	int status = kc_result_to_json(result, &json, err);

	if (status < 0)
		return status;
	text = cJSON_PrintUnformatted(json);
	status = kc_json_parse(text, strlen(text), "record", &parsed, err);
	return status < 0 ? status : kc_result_from_json(parsed, ret_back, err);
}

static void add_measurements(struct kc_result *result, const char *name, uint32_t seed)
{
	const struct kc_measurement spread = {
		.value = 1.0 / (seed + 1), .lowest = -1e300, .highest = 7, .least = NAN, .most = 0.1 * seed
	};

	kc_result_measure(result, name, "s", 20.001 / (seed + 3), seed % 2 ? NAN : 0.5, seed % 3 ? NAN : 1e9);
	kc_result_add_measurement(result, "spread", "", &spread);
}

static void any_bytes_survive_json(void)
{
	/* Texts that hold the very characters the encoding uses come first. */
	static const char *const awkward[] = { "",
					       "\xef\x9e\x80",
					       "\xef\x9f\xbf\xff",
					       "\xef\x9e",
					       "\xc3",
					       "\xed\xa0\x80",
					       "\xf4\x90\x80\x80",
					       "caf\xc3\xa9 \xe2\x82\xac",
					       "\x1b[31m\x7f\x01\"\\" };

	for (uint32_t i = 0; i < 300; i++) {
		char bytes[200];
		struct kc_error err = { 0 };
		struct kc_result result, back, copy;

		if (i < KC_ARRAY_LENGTH(awkward))
			(void)snprintf(bytes, sizeof(bytes), "%s", awkward[i]);
		else
			random_string(i, bytes, sizeof(bytes));
		kc_result_init(&result);
		kc_result_fail(&result, bytes, i % 2 ? bytes : NULL, "%s", bytes);
		kc_result_hint(&result, "%s", bytes);
		kc_result_output(&result, bytes, strlen(bytes));
		kc_result_property(&result, bytes, "%s", bytes);
		result.duration_ms = i;
		add_measurements(&result, bytes, i);
		if (i % 3) {
			kc_result_init(&back);
			kc_result_fail(&back, NULL, NULL, "%s", bytes);
			back.duration_ms = i + 1;
			kc_result_add_attempt(&result, &back);
			kc_result_release(&back);
		}
		KC_CHECK_OK(round_trip(&result, &back, &err), err);
		KC_CHECK_MESSAGE(same_record(&result, &back), "text %u came back different", i);
		kc_result_init(&copy);
		kc_result_copy(&copy, &result);
		KC_CHECK(same_record(&result, &copy));
		kc_result_release(&result);
		kc_result_release(&back);
		kc_result_release(&copy);
	}
}

static void earlier_attempts_are_kept_in_order(void)
{
	struct kc_result first, second, third;

	kc_result_init(&first);
	kc_result_init(&second);
	kc_result_init(&third);
	kc_result_fail(&first, NULL, NULL, "once");
	first.duration_ms = 7;
	kc_result_add_attempt(&second, &first); /* and says nothing itself */
	kc_result_pass(&third);
	kc_result_add_attempt(&third, &second);
	KC_CHECK_INT(third.verdict, KC_PASS);
	KC_REQUIRE(third.attempt_count == 2);
	KC_CHECK_INT(third.attempts[0].verdict, KC_FAIL);
	KC_CHECK_INT(third.attempts[0].duration_ms, 7);
	KC_CHECK_STRING(third.attempts[0].message, "once");
	KC_CHECK_STRING(third.attempts[1].message, "the case reported nothing");
	for (int i = 0; i < 100; i++)
		kc_result_add_attempt(&second, &first);
	KC_CHECK_INT((int)second.attempt_count, 100);
	KC_CHECK_STRING(kc_result_message(&second), "more than 100 attempts were recorded");
	kc_result_release(&first);
	kc_result_release(&second);
	kc_result_release(&third);
}

static void the_reader_refuses_what_no_writer_wrote(void)
{
	static const struct {
		const char *json, *message;
	} rows[] = {
		{ "[]", "not a JSON object" },
		{ "{\"duration_ms\":1,\"properties\":[]}", "\"verdict\" is missing" },
		{ "{\"verdict\":\"ok\",\"duration_ms\":1,\"properties\":[]}", "unknown verdict \"ok\"" },
		{ "{\"verdict\":\"pass\",\"duration_ms\":-1,\"properties\":[]}", "out of range" },
		{ "{\"verdict\":\"pass\",\"duration_ms\":1,\"properties\":[],\"measurements\":[],"
		  "\"attempts\":[{"
		  "\"verdict\":\"pass\",\"duration_ms\":1,\"message\":\"\"}]}",
		  "what passed is not tried again" },
		{ "{\"verdict\":\"pass\",\"duration_ms\":1,\"properties\":[],\"measurements\":[],"
		  "\"attempts\":[{"
		  "\"verdict\":\"fail\",\"duration_ms\":-1,\"message\":\"\"}]}",
		  "out of range" },
		{ "{\"verdict\":\"pass\",\"duration_ms\":1,\"properties\":[[\"a\"]],\"measurements\":[]}",
		  "a property is not" },
		{ "{\"verdict\":\"pass\",\"duration_ms\":1,\"properties\":[],\"got\":3}", "not a string" },
		{ "{\"verdict\":\"pass\",\"duration_ms\":1,\"properties\":[],\"verdit\":3}", "unknown key" },
		{ "{\"verdict\":\"pass\",\"duration_ms\":1,\"properties\":[]}",
		  "\"measurements\" is missing" },
		{ "{\"verdict\":\"pass\",\"duration_ms\":1,\"properties\":[],\"measurements\":[{\"name\":"
		  "\"a\","
		  "\"value\":1}]}",
		  "not a string" },
		{ "{\"verdict\":\"pass\",\"duration_ms\":1,\"properties\":[],\"measurements\":[{\"name\":"
		  "\"a\","
		  "\"unit\":\"s\",\"value\":\"1\"}]}",
		  "\"value\"" },
		{ "{\"verdict\":\"pass\",\"duration_ms\":1,\"properties\":[],\"measurements\":[{\"name\":"
		  "\"a\","
		  "\"unit\":\"s\",\"value\":1,\"hihgest\":2}]}",
		  "unknown key" },
		{ "{\"verdict\":\"pass\",\"duration_ms\":1,\"properties\":[],\"got\":\"\xff\"}",
		  "not UTF-8" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_JSON cJSON *json = cJSON_Parse(rows[i].json);
		struct kc_error err = { 0 };
		struct kc_result result;

		KC_CHECK(kc_result_from_json(json, &result, &err) < 0);
		KC_CHECK_CONTAINS(err.text, rows[i].message);
		KC_CHECK(!result.message && !result.properties);
	}
}

static void measurements_are_told_in_one_line(void)
{
	static char seconds[] = "s", none[] = "", mebibytes[] = "MiB";
	static const struct {
		struct kc_measurement measurement;
		const char *text;
	} rows[] = {
		{ { .unit = seconds,
		    .value = 20.0014,
		    .lowest = 20.0014,
		    .highest = 20.0014,
		    .least = 19.5,
		    .most = 20.5 },
		  "20.001 s (promised: 19.500 to 20.500)" },
		{ { .unit = seconds, .value = 2, .lowest = 1, .highest = 3, .least = NAN, .most = NAN },
		  "1.000 to 3.000 s, median 2.000" },
		{ { .unit = none,
		    .value = 4319,
		    .lowest = 4319,
		    .highest = 4319,
		    .least = 4000,
		    .most = NAN },
		  "4319 (promised: at least 4000)" },
		{ { .unit = mebibytes,
		    .value = 0.5,
		    .lowest = 0.5,
		    .highest = 0.5,
		    .least = NAN,
		    .most = 64 },
		  "0.5 MiB (promised: at most 64)" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		char text[KC_MEASUREMENT_TEXT_MAX];

		kc_measurement_text(&rows[i].measurement, text, sizeof(text));
		KC_CHECK_STRING(text, rows[i].text);
	}
}

static void what_is_no_number_is_broken(void)
{
	static const double bad[] = { NAN, INFINITY, -INFINITY };

	for (size_t i = 0; i < KC_ARRAY_LENGTH(bad); i++) {
		KC_CLEANUP(kc_result_release) struct kc_result result;

		kc_result_init(&result);
		kc_result_measure(&result, "ping", "s", bad[i], NAN, NAN);
		kc_result_pass(&result);
		KC_CHECK_INT(result.verdict, KC_BROKEN);
		KC_CHECK_CONTAINS(kc_result_message(&result), "ping was measured, and is no number");
	}
}

KC_TEST_SUITE(result, KC_LABEL_FAST, KC_TEST(a_fresh_record_is_broken_and_says_so),
	      KC_TEST(the_last_verdict_wins_unless_it_would_hide_a_bad_one),
	      KC_TEST(setters_copy_and_cut_at_the_limits),
	      KC_TEST(properties_keep_their_order_and_the_last_value),
	      KC_TEST(measurements_are_told_in_one_line), KC_TEST(what_is_no_number_is_broken),
	      KC_TEST(any_bytes_survive_json), KC_TEST(earlier_attempts_are_kept_in_order),
	      KC_TEST(the_reader_refuses_what_no_writer_wrote));
