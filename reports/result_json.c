/* The result record as JSON and back. */
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/json.h"
#include "reports/bytes.h"
#include "reports/result_internal.h"

/* The texts of a record, under their names in JSON. */
#define TEXT(field, limit)                                                                                   \
	{                                                                                                    \
#field, offsetof(struct kc_result, field), (limit)                                           \
	}
static const struct {
	const char *key;
	size_t offset;
	size_t limit;
} texts[] = { TEXT(message, KC_RESULT_LINE_LIMIT), TEXT(expected, KC_RESULT_TEXT_LIMIT),
	      TEXT(got, KC_RESULT_TEXT_LIMIT), TEXT(hint, KC_RESULT_LINE_LIMIT),
	      TEXT(output, KC_RESULT_OUTPUT_LIMIT) };

/* Properties as [[name, value], ...]: their order counts, and a name may be any bytes. */
static int add_properties(cJSON *json, const struct kc_result *result)
{
	cJSON *list = cJSON_AddArrayToObject(json, "properties");

	for (size_t i = 0; i < result->property_count; i++) {
		cJSON *pair = cJSON_CreateArray();

		if (!pair || !cJSON_AddItemToArray(list, pair)) {
			cJSON_Delete(pair);
			return -ENOMEM;
		}
		if (kc_bytes_add(pair, NULL, result->properties[i].name) < 0 ||
		    kc_bytes_add(pair, NULL, result->properties[i].value) < 0)
			return -ENOMEM;
	}
	return list ? 0 : -ENOMEM;
}

static const struct {
	const char *key;
	size_t offset;
} numbers[] = {
	{ "value", offsetof(struct kc_measurement, value) },
	{ "lowest", offsetof(struct kc_measurement, lowest) },
	{ "highest", offsetof(struct kc_measurement, highest) },
	{ "least", offsetof(struct kc_measurement, least) },
	{ "most", offsetof(struct kc_measurement, most) },
};

/* A limit that is none, and an extreme that is the value itself, are left out. */
static bool is_told(const struct kc_measurement *measurement, size_t number, double value)
{
	return !isnan(value) && (strcmp(numbers[number].key, "lowest") != 0 || value < measurement->value) &&
	       (strcmp(numbers[number].key, "highest") != 0 || value > measurement->value);
}

static int measurement_to_json(const struct kc_measurement *measurement, cJSON *json)
{
	int status = kc_bytes_add(json, "name", measurement->name);

	if (status == 0)
		status = kc_bytes_add(json, "unit", measurement->unit);
	for (size_t i = 0; status == 0 && i < KC_ARRAY_LENGTH(numbers); i++) {
		double value = *(const double *)((const char *)measurement + numbers[i].offset);
		char exact[32];

		/* cJSON (1.7.15) would print 15 digits where that comes close. */
		(void)snprintf(exact, sizeof(exact), "%.17g", value);
		if (is_told(measurement, i, value) && !cJSON_AddRawToObject(json, numbers[i].key, exact))
			status = -ENOMEM;
	}
	return status;
}

static int add_measurements(cJSON *json, const struct kc_result *result)
{
	cJSON *list = cJSON_AddArrayToObject(json, "measurements");

	for (size_t i = 0; i < result->measurement_count; i++) {
		cJSON *item = cJSON_CreateObject();

		if (!item || !cJSON_AddItemToArray(list, item)) {
			cJSON_Delete(item);
			return -ENOMEM;
		}
		if (measurement_to_json(&result->measurements[i], item) < 0)
			return -ENOMEM;
	}
	return list ? 0 : -ENOMEM;
}

static int attempt_to_json(const struct kc_attempt *attempt, cJSON *json)
{
	if (!cJSON_AddStringToObject(json, "verdict", kc_verdict_name(attempt->verdict)) ||
	    !cJSON_AddNumberToObject(json, "duration_ms", (double)attempt->duration_ms))
		return -ENOMEM;
	return kc_bytes_add(json, "message", attempt->message);
}

/* Most cases were tried once: they do not say so. */
static int add_attempts(cJSON *json, const struct kc_result *result)
{
	cJSON *list = result->attempt_count ? cJSON_AddArrayToObject(json, "attempts") : NULL;

	for (size_t i = 0; i < result->attempt_count; i++) {
		cJSON *item = cJSON_CreateObject();

		if (!item || !cJSON_AddItemToArray(list, item)) {
			cJSON_Delete(item);
			return -ENOMEM;
		}
		if (attempt_to_json(&result->attempts[i], item) < 0)
			return -ENOMEM;
	}
	return 0;
}

int kc_result_to_json(const struct kc_result *result, cJSON **ret_json, struct kc_error *err)
{
	KC_CLEANUP_JSON cJSON *json = cJSON_CreateObject();
	int status = 0;

	if (!cJSON_AddStringToObject(json, "verdict", kc_verdict_name(result->verdict)) ||
	    !cJSON_AddNumberToObject(json, "duration_ms", (double)result->duration_ms))
		status = -ENOMEM;
	for (size_t i = 0; i < KC_ARRAY_LENGTH(texts) && status == 0; i++) {
		const char *text = *(char *const *)((const char *)result + texts[i].offset);

		if (text)
			status = kc_bytes_add(json, texts[i].key, text);
	}
	if (status == 0)
		status = add_properties(json, result);
	if (status == 0)
		status = add_measurements(json, result);
	if (status == 0)
		status = add_attempts(json, result);
	if (status < 0)
		return kc_error_errno(err, status, "write a result as JSON");
	*ret_json = KC_STEAL(json);
	return 0;
}

static int read_texts(const cJSON *json, struct kc_result *result, struct kc_error *err)
{
	for (size_t i = 0; i < KC_ARRAY_LENGTH(texts); i++) {
		const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, texts[i].key);
		KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(texts[i].limit);
		int status = item ? kc_bytes_read(item, &text, err) : 0;

		if (status < 0)
			return status;
		if (item)
			kc_result_set_text(result, (char **)((char *)result + texts[i].offset), text.data,
					   text.length, texts[i].limit);
	}
	return 0;
}

static int read_properties(const cJSON *list, struct kc_result *result, struct kc_error *err)
{
	const cJSON *pair;

	cJSON_ArrayForEach(pair, list)
	{
		KC_CLEANUP_BUFFER struct kc_buffer name = KC_BUFFER_INIT(KC_RESULT_LINE_LIMIT);
		KC_CLEANUP_BUFFER struct kc_buffer value = KC_BUFFER_INIT(KC_RESULT_LINE_LIMIT);
		int status;

		if (cJSON_GetArraySize(pair) != 2 || result->property_count == KC_RESULT_PROPERTY_LIMIT)
			return kc_error_set(err, EBADMSG, "result: a property is not a name and a value");
		status = kc_bytes_read(cJSON_GetArrayItem(pair, 0), &name, err);
		if (status == 0)
			status = kc_bytes_read(cJSON_GetArrayItem(pair, 1), &value, err);
		if (status < 0)
			return status;
		kc_result_property(result, kc_buffer_string(&name), "%s", kc_buffer_string(&value));
	}
	return 0;
}

/* A number that may be missing: then *ret_number stays. Limits are NAN until they are read. */
static int read_number(const cJSON *json, const char *key, double *ret_number, struct kc_error *err)
{
	if (!cJSON_GetObjectItemCaseSensitive(json, key))
		return 0;
	return kc_json_get_number(json, key, "measurement", ret_number, err);
}

static int read_numbers(const cJSON *json, struct kc_measurement *measurement, struct kc_error *err)
{
	int status = kc_json_get_number(json, "value", "measurement", &measurement->value, err);

	measurement->lowest = measurement->highest = measurement->value;
	measurement->least = measurement->most = NAN;
	for (size_t i = 0; status == 0 && i < KC_ARRAY_LENGTH(numbers); i++)
		status = read_number(json, numbers[i].key,
				     (double *)((char *)measurement + numbers[i].offset), err);
	return status;
}

static int read_measurement(const cJSON *json, struct kc_result *result, struct kc_error *err)
{
	static const char *const known[] = { "name",	"unit",	 "value", "lowest",
					     "highest", "least", "most",  NULL };
	KC_CLEANUP_BUFFER struct kc_buffer name = KC_BUFFER_INIT(KC_RESULT_LINE_LIMIT);
	KC_CLEANUP_BUFFER struct kc_buffer unit = KC_BUFFER_INIT(KC_RESULT_UNIT_LIMIT);
	struct kc_measurement measurement = { 0 };
	int status = kc_json_refuse_unknown(json, known, "measurement", err);

	if (status == 0)
		status = kc_bytes_read(cJSON_GetObjectItemCaseSensitive(json, "name"), &name, err);
	if (status == 0)
		status = kc_bytes_read(cJSON_GetObjectItemCaseSensitive(json, "unit"), &unit, err);
	if (status == 0)
		status = read_numbers(json, &measurement, err);
	if (status < 0)
		return status;
	kc_result_add_measurement(result, kc_buffer_string(&name), kc_buffer_string(&unit), &measurement);
	return 0;
}

static int read_measurements(const cJSON *list, struct kc_result *result, struct kc_error *err)
{
	const cJSON *item;
	int status = 0;

	cJSON_ArrayForEach(item, list)
	{
		if (result->measurement_count == KC_RESULT_PROPERTY_LIMIT)
			return kc_error_set(err, EBADMSG, "result: too many measurements");
		status = read_measurement(item, result, err);
		if (status < 0)
			return status;
	}
	return status;
}

static int read_verdict(const cJSON *json, enum kc_verdict *ret_verdict, struct kc_error *err)
{
	const char *verdict = NULL;
	int status = kc_json_get_string(json, "verdict", "result", &verdict, err);

	if (status < 0)
		return status;
	for (enum kc_verdict i = 0; i <= KC_SKIP; i++)
		if (strcmp(kc_verdict_name(i), verdict) == 0) {
			*ret_verdict = i;
			return 0;
		}
	return kc_error_set(err, EBADMSG, "result: unknown verdict \"%s\"", verdict);
}

static int read_duration(const cJSON *json, int64_t *ret_duration_ms, struct kc_error *err)
{
	double duration_ms = 0;
	int status = kc_json_get_number(json, "duration_ms", "result", &duration_ms, err);

	if (status < 0)
		return status;
	if (!(duration_ms >= 0 && duration_ms <= 1e12))
		return kc_error_set(err, ERANGE, "result: \"duration_ms\" is out of range");
	*ret_duration_ms = (int64_t)duration_ms;
	return 0;
}

static int read_attempt(const cJSON *json, struct kc_result *result, struct kc_error *err)
{
	static const char *const known[] = { "verdict", "duration_ms", "message", NULL };
	KC_CLEANUP_BUFFER struct kc_buffer message = KC_BUFFER_INIT(KC_RESULT_LINE_LIMIT);
	enum kc_verdict verdict = KC_BROKEN;
	int64_t duration_ms = 0;
	int status = kc_json_refuse_unknown(json, known, "attempt", err);

	if (status == 0)
		status = read_verdict(json, &verdict, err);
	if (status == 0)
		status = read_duration(json, &duration_ms, err);
	if (status == 0)
		status = kc_bytes_read(cJSON_GetObjectItemCaseSensitive(json, "message"), &message, err);
	if (status < 0)
		return status;
	if (verdict == KC_PASS)
		return kc_error_set(err, EBADMSG, "result: what passed is not tried again");
	kc_result_append_attempt(result, verdict, kc_buffer_string(&message), duration_ms);
	return 0;
}

/* The list is there only where a case was tried again. */
static int read_attempts(const cJSON *json, struct kc_result *result, struct kc_error *err)
{
	const cJSON *list = NULL, *item;
	int status = cJSON_GetObjectItemCaseSensitive(json, "attempts")
			     ? kc_json_get_array(json, "attempts", "result", &list, err)
			     : 0;

	if (status < 0)
		return status;
	cJSON_ArrayForEach(item, list)
	{
		if (result->attempt_count == KC_RESULT_ATTEMPT_LIMIT)
			return kc_error_set(err, EBADMSG, "result: too many attempts");
		status = read_attempt(item, result, err);
		if (status < 0)
			return status;
	}
	return 0;
}

static int read_lists(const cJSON *json, struct kc_result *result, struct kc_error *err)
{
	const cJSON *properties = NULL, *measurements = NULL;
	int status = kc_json_get_array(json, "properties", "result", &properties, err);

	if (status == 0)
		status = kc_json_get_array(json, "measurements", "result", &measurements, err);
	if (status == 0)
		status = read_properties(properties, result, err);
	if (status == 0)
		status = read_measurements(measurements, result, err);
	return status < 0 ? status : read_attempts(json, result, err);
}

static int read_result(const cJSON *json, struct kc_result *result, struct kc_error *err)
{
	static const char *const known[] = { "verdict",	     "duration_ms", "message", "expected",
					     "got",	     "hint",	    "output",  "properties",
					     "measurements", "attempts",    NULL };
	int status = kc_json_refuse_unknown(json, known, "result", err);

	if (status == 0)
		status = read_verdict(json, &result->verdict, err);
	if (status == 0)
		status = read_duration(json, &result->duration_ms, err);
	if (status == 0)
		status = read_texts(json, result, err);
	return status < 0 ? status : read_lists(json, result, err);
}

int kc_result_from_json(const cJSON *json, struct kc_result *result, struct kc_error *err)
{
	int status;

	kc_result_init(result);
	if (!cJSON_IsObject(json))
		return kc_error_set(err, EBADMSG, "result: not a JSON object");
	status = read_result(json, result, err);
	if (status == 0 && result->message == kc_result_out_of_memory)
		status = kc_error_errno(err, ENOMEM, "read a result");
	if (status < 0)
		kc_result_release(result);
	return status;
}
