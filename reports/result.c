#include "reports/result.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "reports/result_internal.h"

#define NAME_MOST                                                                                            \
	(KC_RESULT_LINE_LIMIT - 1) /* what is read back is held in a buffer of the limit, its NUL included */

char kc_result_out_of_memory[] = "out of memory while the result was recorded";

static const char *const verdict_names[] = {
	[KC_BROKEN] = "broken", [KC_PASS] = "pass", [KC_FAIL] = "fail", [KC_SKIP] = "skip"
};

void kc_result_init(struct kc_result *result)
{
	memset(result, 0, sizeof(*result));
}

static void free_text(char **text)
{
	if (*text != kc_result_out_of_memory)
		free(*text);
	*text = NULL;
}

void kc_result_release(struct kc_result *result)
{
	char **texts[] = { &result->message, &result->expected, &result->got, &result->hint,
			   &result->output };

	for (size_t i = 0; i < KC_ARRAY_LENGTH(texts); i++)
		free_text(texts[i]);
	for (size_t i = 0; i < result->property_count; i++) {
		free(result->properties[i].name);
		free(result->properties[i].value);
	}
	free(result->properties);
	for (size_t i = 0; i < result->measurement_count; i++) {
		free(result->measurements[i].name);
		free(result->measurements[i].unit);
	}
	free(result->measurements);
	for (size_t i = 0; i < result->attempt_count; i++)
		free(result->attempts[i].message);
	free(result->attempts);
	kc_result_init(result);
}

static void set_out_of_memory(struct kc_result *result)
{
	if (result->verdict == KC_FAIL && result->message)
		return; /* what is known of the volume stays known */
	result->verdict = KC_BROKEN;
	free_text(&result->message);
	result->message = kc_result_out_of_memory;
}

void kc_result_set_text(struct kc_result *result, char **text, const char *bytes, size_t length, size_t limit)
{
	KC_CLEANUP_BUFFER struct kc_buffer copy = KC_BUFFER_INIT(limit);
	int status = 0;

	if (length > limit)
		length = limit;
	for (size_t i = 0; i < length && status == 0; i++)
		status = bytes[i] ? kc_buffer_append(&copy, bytes + i, 1) : kc_buffer_append(&copy, "\\0", 2);
	if (status == 0 || status == -E2BIG)
		status = kc_buffer_append(&copy, "", 0);
	free_text(text);
	*text = status < 0 ? NULL : kc_buffer_steal(&copy);
	if (!*text)
		set_out_of_memory(result);
}

static void set_string(struct kc_result *result, char **text, const char *string, size_t limit)
{
	if (string)
		kc_result_set_text(result, text, string, strlen(string), limit);
	else
		free_text(text);
}

__attribute__((format(printf, 3, 0))) static void set_line(struct kc_result *result, char **text,
							   const char *format, va_list arguments)
{
	char line[KC_RESULT_LINE_LIMIT];

	line[0] = '\0'; /* vsnprintf fails only for a format it cannot encode */
	(void)vsnprintf(line, sizeof(line), format, arguments);
	set_string(result, text, line, KC_RESULT_LINE_LIMIT);
}

static bool is_settled(const struct kc_result *result)
{
	return result->verdict == KC_FAIL || (result->verdict == KC_BROKEN && result->message);
}

void kc_result_pass(struct kc_result *result)
{
	if (is_settled(result))
		return;
	result->verdict = KC_PASS;
	free_text(&result->message);
}

void kc_result_fail(struct kc_result *result, const char *expected, const char *got, const char *format, ...)
{
	va_list arguments;

	result->verdict = KC_FAIL;
	va_start(arguments, format);
	set_line(result, &result->message, format, arguments);
	va_end(arguments);
	set_string(result, &result->expected, expected, KC_RESULT_TEXT_LIMIT);
	set_string(result, &result->got, got, KC_RESULT_TEXT_LIMIT);
}

void kc_result_broken(struct kc_result *result, const char *format, ...)
{
	va_list arguments;

	if (result->verdict == KC_FAIL)
		return;
	result->verdict = KC_BROKEN;
	va_start(arguments, format);
	set_line(result, &result->message, format, arguments);
	va_end(arguments);
}

void kc_result_broken_by(struct kc_result *result, const struct kc_error *err)
{
	kc_result_broken(result, "%s", err->text);
	if (err->hint[0] && result->verdict == KC_BROKEN)
		kc_result_hint(result, "%s", err->hint);
}

void kc_result_skip(struct kc_result *result, const char *format, ...)
{
	va_list arguments;

	if (is_settled(result))
		return;
	result->verdict = KC_SKIP;
	va_start(arguments, format);
	set_line(result, &result->message, format, arguments);
	va_end(arguments);
}

void kc_result_hint(struct kc_result *result, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	set_line(result, &result->hint, format, arguments);
	va_end(arguments);
}

void kc_result_output(struct kc_result *result, const char *bytes, size_t length)
{
	kc_result_set_text(result, &result->output, bytes, length, KC_RESULT_OUTPUT_LIMIT);
}

/* The property of that name, a new one if there is none yet, NULL when there is no room. */
static struct kc_property *find_property(struct kc_result *result, const char *name)
{
	struct kc_property *properties;

	for (size_t i = 0; i < result->property_count; i++)
		if (strncmp(result->properties[i].name, name, NAME_MOST) == 0)
			return &result->properties[i];
	if (result->property_count == KC_RESULT_PROPERTY_LIMIT)
		return NULL;
	properties = realloc(result->properties, (result->property_count + 1) * sizeof(*result->properties));
	if (!properties)
		return NULL;
	result->properties = properties;
	properties += result->property_count;
	*properties = (struct kc_property){ .name = strndup(name, NAME_MOST) };
	if (!properties->name)
		return NULL;
	result->property_count++;
	return properties;
}

static void set_property(struct kc_result *result, const char *name, const char *value)
{
	char *copy = strndup(value, NAME_MOST);
	struct kc_property *property = copy ? find_property(result, name) : NULL;

	if (property) {
		free(property->value);
		property->value = copy;
		return;
	}
	free(copy);
	if (result->property_count == KC_RESULT_PROPERTY_LIMIT)
		kc_result_broken(result, "more than %d properties were recorded", KC_RESULT_PROPERTY_LIMIT);
	else
		set_out_of_memory(result);
}

void kc_result_property(struct kc_result *result, const char *name, const char *format, ...)
{
	char value[KC_RESULT_LINE_LIMIT];
	va_list arguments;

	value[0] = '\0';
	va_start(arguments, format);
	(void)vsnprintf(value, sizeof(value), format, arguments); /* cut at the limit */
	va_end(arguments);
	set_property(result, name, value);
}

/* The measurement of that name, a new one if there is none yet, NULL when there is no room. */
static struct kc_measurement *find_measurement(struct kc_result *result, const char *name)
{
	struct kc_measurement *table;

	for (size_t i = 0; i < result->measurement_count; i++)
		if (strncmp(result->measurements[i].name, name, NAME_MOST) == 0)
			return &result->measurements[i];
	if (result->measurement_count == KC_RESULT_PROPERTY_LIMIT)
		return NULL;
	table = realloc(result->measurements, (result->measurement_count + 1) * sizeof(*table));
	if (!table)
		return NULL;
	result->measurements = table;
	table += result->measurement_count;
	*table = (struct kc_measurement){ .name = strndup(name, NAME_MOST) };
	if (!table->name)
		return NULL;
	result->measurement_count++;
	return table;
}

void kc_result_add_measurement(struct kc_result *result, const char *name, const char *unit,
			       const struct kc_measurement *numbers)
{
	struct kc_measurement *to;
	char *copy;

	if (!isfinite(numbers->value) || !isfinite(numbers->lowest) || !isfinite(numbers->highest) ||
	    isinf(numbers->least) || isinf(numbers->most)) {
		kc_result_broken(result, "%s was measured, and is no number", name);
		return;
	}
	copy = strndup(unit, KC_RESULT_UNIT_LIMIT - 1);
	to = copy ? find_measurement(result, name) : NULL;
	if (!to) {
		free(copy);
		if (result->measurement_count == KC_RESULT_PROPERTY_LIMIT)
			kc_result_broken(result, "more than %d measurements were recorded",
					 KC_RESULT_PROPERTY_LIMIT);
		else
			set_out_of_memory(result);
		return;
	}
	free(to->unit);
	*to = (struct kc_measurement){ .name = to->name,
				       .unit = copy,
				       .value = numbers->value,
				       .lowest = numbers->lowest,
				       .highest = numbers->highest,
				       .least = numbers->least,
				       .most = numbers->most };
}

void kc_result_measure(struct kc_result *result, const char *name, const char *unit, double value,
		       double least, double most)
{
	const struct kc_measurement numbers = {
		.value = value, .lowest = value, .highest = value, .least = least, .most = most
	};

	kc_result_add_measurement(result, name, unit, &numbers);
}

/* Seconds to the millisecond, which is what is measured; counts as they are. */
static void number_text(double value, const char *unit, char ret_text[32])
{
	(void)snprintf(ret_text, 32, strcmp(unit, "s") == 0 ? "%.3f" : "%.6g", value);
}

static void limits_text(const struct kc_measurement *measurement, char *ret_text, size_t size)
{
	bool has_least = !isnan(measurement->least), has_most = !isnan(measurement->most);
	char least[32], most[32];

	number_text(measurement->least, measurement->unit, least);
	number_text(measurement->most, measurement->unit, most);
	if (has_least && has_most)
		(void)snprintf(ret_text, size, " (promised: %s to %s)", least, most);
	else if (has_least || has_most)
		(void)snprintf(ret_text, size, " (promised: at %s %s)", has_least ? "least" : "most",
			       has_least ? least : most);
	else
		*ret_text = '\0';
}

void kc_measurement_text(const struct kc_measurement *measurement, char *ret_text, size_t size)
{
	const char *unit = measurement->unit, *space = *unit ? " " : "";
	char value[32], lowest[32], highest[32], limits[96];

	number_text(measurement->value, unit, value);
	number_text(measurement->lowest, unit, lowest);
	number_text(measurement->highest, unit, highest);
	limits_text(measurement, limits, sizeof(limits));
	if (measurement->lowest < measurement->highest)
		(void)snprintf(ret_text, size, "%s to %s%s%s, median %s%s", lowest, highest, space, unit,
			       value, limits);
	else
		(void)snprintf(ret_text, size, "%s%s%s%s", value, space, unit, limits);
}

void kc_result_append_attempt(struct kc_result *result, enum kc_verdict verdict, const char *message,
			      int64_t duration_ms)
{
	struct kc_attempt *table;
	char *copy;

	if (result->attempt_count == KC_RESULT_ATTEMPT_LIMIT) {
		kc_result_broken(result, "more than %d attempts were recorded", KC_RESULT_ATTEMPT_LIMIT);
		return;
	}
	copy = strndup(message, KC_RESULT_LINE_LIMIT);
	table = copy ? realloc(result->attempts, (result->attempt_count + 1) * sizeof(*table)) : NULL;
	if (!table) {
		free(copy);
		set_out_of_memory(result);
		return;
	}
	result->attempts = table;
	table[result->attempt_count++] =
		(struct kc_attempt){ .verdict = verdict, .message = copy, .duration_ms = duration_ms };
}

void kc_result_add_attempt(struct kc_result *result, const struct kc_result *earlier)
{
	for (size_t i = 0; i < earlier->attempt_count; i++)
		kc_result_append_attempt(result, earlier->attempts[i].verdict, earlier->attempts[i].message,
					 earlier->attempts[i].duration_ms);
	kc_result_append_attempt(result, earlier->verdict, kc_result_message(earlier), earlier->duration_ms);
}

void kc_result_copy(struct kc_result *result, const struct kc_result *from)
{
	result->verdict = from->verdict;
	result->duration_ms = from->duration_ms;
	set_string(result, &result->message, from->message, KC_RESULT_LINE_LIMIT);
	set_string(result, &result->expected, from->expected, KC_RESULT_TEXT_LIMIT);
	set_string(result, &result->got, from->got, KC_RESULT_TEXT_LIMIT);
	set_string(result, &result->hint, from->hint, KC_RESULT_LINE_LIMIT);
	set_string(result, &result->output, from->output, KC_RESULT_OUTPUT_LIMIT);
	for (size_t i = 0; i < from->property_count; i++)
		set_property(result, from->properties[i].name, from->properties[i].value);
	for (size_t i = 0; i < from->measurement_count; i++)
		kc_result_add_measurement(result, from->measurements[i].name, from->measurements[i].unit,
					  &from->measurements[i]);
	for (size_t i = 0; i < from->attempt_count; i++)
		kc_result_append_attempt(result, from->attempts[i].verdict, from->attempts[i].message,
					 from->attempts[i].duration_ms);
}

const char *kc_result_message(const struct kc_result *result)
{
	if (result->message)
		return result->message;
	return result->verdict == KC_BROKEN ? "the case reported nothing" : "";
}

const char *kc_verdict_name(enum kc_verdict verdict)
{
	return verdict_names[verdict];
}
