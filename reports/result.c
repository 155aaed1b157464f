#include "reports/result.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/json.h"
#include "reports/text.h"

enum {
	LINE_LIMIT = 4096,    /* message, hint, property */
	TEXT_LIMIT = 16384,   /* expected, got */
	OUTPUT_LIMIT = 65536, /* more than a kc_excerpt ever holds */
	PROPERTY_LIMIT = 256
};

static char out_of_memory[] = "out of memory while the result was recorded";

static const char *const verdict_names[] = {
	[KC_BROKEN] = "broken", [KC_PASS] = "pass", [KC_FAIL] = "fail", [KC_SKIP] = "skip"
};

void kc_result_init(struct kc_result *result)
{
	memset(result, 0, sizeof(*result));
}

static void free_text(char **text)
{
	if (*text != out_of_memory)
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
	kc_result_init(result);
}

static void set_out_of_memory(struct kc_result *result)
{
	if (result->verdict == KC_FAIL && result->message)
		return; /* what is known of the volume stays known */
	result->verdict = KC_BROKEN;
	free_text(&result->message);
	result->message = out_of_memory;
}

/* Replaces *text by a copy of at most `limit` bytes; NULs become a visible `\0`. */
static void set_text(struct kc_result *result, char **text, const char *bytes, size_t length, size_t limit)
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
		set_text(result, text, string, strlen(string), limit);
	else
		free_text(text);
}

__attribute__((format(printf, 3, 0))) static void set_line(struct kc_result *result, char **text,
							   const char *format, va_list arguments)
{
	char line[LINE_LIMIT];

	line[0] = '\0'; /* vsnprintf fails only for a format it cannot encode */
	(void)vsnprintf(line, sizeof(line), format, arguments);
	set_string(result, text, line, LINE_LIMIT);
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
	set_string(result, &result->expected, expected, TEXT_LIMIT);
	set_string(result, &result->got, got, TEXT_LIMIT);
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
	set_text(result, &result->output, bytes, length, OUTPUT_LIMIT);
}

/* The property of that name, a new one if there is none yet, NULL when there is no room. */
static struct kc_property *find_property(struct kc_result *result, const char *name)
{
	struct kc_property *properties;

	for (size_t i = 0; i < result->property_count; i++)
		if (strcmp(result->properties[i].name, name) == 0)
			return &result->properties[i];
	if (result->property_count == PROPERTY_LIMIT)
		return NULL;
	properties = realloc(result->properties, (result->property_count + 1) * sizeof(*result->properties));
	if (!properties)
		return NULL;
	result->properties = properties;
	properties += result->property_count;
	*properties = (struct kc_property){ .name = strdup(name) };
	if (!properties->name)
		return NULL;
	result->property_count++;
	return properties;
}

static void set_property(struct kc_result *result, const char *name, const char *value)
{
	char *copy = strndup(value, LINE_LIMIT);
	struct kc_property *property = copy ? find_property(result, name) : NULL;

	if (property) {
		free(property->value);
		property->value = copy;
		return;
	}
	free(copy);
	if (result->property_count == PROPERTY_LIMIT)
		kc_result_broken(result, "more than %d properties were recorded", PROPERTY_LIMIT);
	else
		set_out_of_memory(result);
}

void kc_result_property(struct kc_result *result, const char *name, const char *format, ...)
{
	char value[LINE_LIMIT];
	va_list arguments;

	value[0] = '\0';
	va_start(arguments, format);
	(void)vsnprintf(value, sizeof(value), format, arguments); /* cut at the limit */
	va_end(arguments);
	set_property(result, name, value);
}

void kc_result_copy(struct kc_result *result, const struct kc_result *from)
{
	result->verdict = from->verdict;
	result->duration_ms = from->duration_ms;
	set_string(result, &result->message, from->message, LINE_LIMIT);
	set_string(result, &result->expected, from->expected, TEXT_LIMIT);
	set_string(result, &result->got, from->got, TEXT_LIMIT);
	set_string(result, &result->hint, from->hint, LINE_LIMIT);
	set_string(result, &result->output, from->output, OUTPUT_LIMIT);
	for (size_t i = 0; i < from->property_count; i++)
		set_property(result, from->properties[i].name, from->properties[i].value);
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

/*
 * JSON strings are UTF-8, a program's output need not be. A byte 0xNN that is not part of a UTF-8 sequence
 * travels as the private-use character U+F7NN; so that the way back is unambiguous, text that itself holds
 * one of U+F780 to U+F7FF travels byte by byte in the same way.
 */
enum { CARRIER_FIRST = 0xf780, CARRIER_LAST = 0xf7ff };

static bool is_carrier(uint32_t code_point)
{
	return code_point >= CARRIER_FIRST && code_point <= CARRIER_LAST;
}

static int encode(struct kc_buffer *buffer, const char *text)
{
	size_t length = strlen(text), taken;
	int status = kc_buffer_append(buffer, "", 0);

	for (size_t i = 0; i < length && status == 0; i += taken) {
		uint8_t byte = (uint8_t)text[i];
		const char carrier[] = { (char)0xef, (char)(0x9c | byte >> 6), (char)(0x80 | (byte & 0x3f)) };
		uint32_t code_point = 0;

		taken = kc_text_decode_utf8(text + i, length - i, &code_point);
		if (taken && !is_carrier(code_point)) {
			status = kc_buffer_append(buffer, text + i, taken);
			continue;
		}
		/* A byte of a carrier in the text: its lead byte alone, the rest follows as invalid UTF-8. */
		taken = 1;
		status = kc_buffer_append(buffer, carrier, sizeof(carrier));
	}
	return status;
}

static int decode(struct kc_buffer *buffer, const char *json)
{
	size_t length = strlen(json), taken;
	int status = 0;

	for (size_t i = 0; i < length && status == 0; i += taken) {
		uint32_t code_point = 0;
		char byte;

		taken = kc_text_decode_utf8(json + i, length - i, &code_point);
		if (!taken)
			return -EILSEQ; /* cJSON hands over what stood in the document */
		byte = (char)(code_point & 0xff);
		status = is_carrier(code_point) ? kc_buffer_append(buffer, &byte, 1)
						: kc_buffer_append(buffer, json + i, taken);
	}
	return status;
}

/* The texts of a record, under their names in JSON. */
#define TEXT(field, limit)                                                                                   \
	{                                                                                                    \
#field, offsetof(struct kc_result, field), (limit)                                           \
	}
static const struct {
	const char *key;
	size_t offset;
	size_t limit;
} texts[] = { TEXT(message, LINE_LIMIT), TEXT(expected, TEXT_LIMIT), TEXT(got, TEXT_LIMIT),
	      TEXT(hint, LINE_LIMIT), TEXT(output, OUTPUT_LIMIT) };

/* Adds `text` under `key`, or at the end of an array when `key` is NULL. */
static int add_text(cJSON *parent, const char *key, const char *text)
{
	KC_CLEANUP_BUFFER struct kc_buffer encoded = KC_BUFFER_INIT(4 * OUTPUT_LIMIT);
	cJSON *item;

	if (encode(&encoded, text) < 0)
		return -ENOMEM;
	item = cJSON_CreateString(encoded.data);
	if (item && (key ? cJSON_AddItemToObject(parent, key, item) : cJSON_AddItemToArray(parent, item)))
		return 0;
	cJSON_Delete(item);
	return -ENOMEM;
}

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
		if (add_text(pair, NULL, result->properties[i].name) < 0 ||
		    add_text(pair, NULL, result->properties[i].value) < 0)
			return -ENOMEM;
	}
	return list ? 0 : -ENOMEM;
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
			status = add_text(json, texts[i].key, text);
	}
	if (status == 0)
		status = add_properties(json, result);
	if (status < 0)
		return kc_error_errno(err, status, "write a result as JSON");
	*ret_json = KC_STEAL(json);
	return 0;
}

static int read_text(struct kc_buffer *text, const cJSON *item, struct kc_error *err)
{
	int status;

	if (!cJSON_IsString(item))
		return kc_error_set(err, EBADMSG, "result: a text is not a string");
	status = decode(text, item->valuestring);
	if (status == -ENOMEM)
		return kc_error_errno(err, ENOMEM, "read a result");
	if (status < 0)
		return kc_error_set(err, EBADMSG, "result: a text is too long or not UTF-8");
	return 0;
}

static int read_texts(const cJSON *json, struct kc_result *result, struct kc_error *err)
{
	for (size_t i = 0; i < KC_ARRAY_LENGTH(texts); i++) {
		const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, texts[i].key);
		KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(texts[i].limit);
		int status = item ? read_text(&text, item, err) : 0;

		if (status < 0)
			return status;
		if (item)
			set_text(result, (char **)((char *)result + texts[i].offset), text.data, text.length,
				 texts[i].limit);
	}
	return 0;
}

static int read_properties(const cJSON *list, struct kc_result *result, struct kc_error *err)
{
	const cJSON *pair;

	cJSON_ArrayForEach(pair, list)
	{
		KC_CLEANUP_BUFFER struct kc_buffer name = KC_BUFFER_INIT(LINE_LIMIT);
		KC_CLEANUP_BUFFER struct kc_buffer value = KC_BUFFER_INIT(LINE_LIMIT);
		int status;

		if (cJSON_GetArraySize(pair) != 2 || result->property_count == PROPERTY_LIMIT)
			return kc_error_set(err, EBADMSG, "result: a property is not a name and a value");
		status = read_text(&name, cJSON_GetArrayItem(pair, 0), err);
		if (status == 0)
			status = read_text(&value, cJSON_GetArrayItem(pair, 1), err);
		if (status < 0)
			return status;
		set_property(result, kc_buffer_string(&name), kc_buffer_string(&value));
	}
	return 0;
}

static int read_result(const cJSON *json, struct kc_result *result, struct kc_error *err)
{
	static const char *const known[] = { "verdict", "duration_ms", "message",    "expected", "got",
					     "hint",	"output",      "properties", NULL };
	const char *verdict = NULL;
	const cJSON *properties = NULL;
	double duration_ms = 0;
	size_t found = 0;
	int status = kc_json_refuse_unknown(json, known, "result", err);

	if (status == 0)
		status = kc_json_get_string(json, "verdict", "result", &verdict, err);
	if (status == 0)
		status = kc_json_get_number(json, "duration_ms", "result", &duration_ms, err);
	if (status == 0)
		status = kc_json_get_array(json, "properties", "result", &properties, err);
	if (status < 0)
		return status;
	while (found < KC_ARRAY_LENGTH(verdict_names) && strcmp(verdict_names[found], verdict) != 0)
		found++;
	if (found == KC_ARRAY_LENGTH(verdict_names))
		return kc_error_set(err, EBADMSG, "result: unknown verdict \"%s\"", verdict);
	if (duration_ms < 0 || duration_ms > 1e12)
		return kc_error_set(err, ERANGE, "result: \"duration_ms\" is out of range");
	result->verdict = (enum kc_verdict)found;
	result->duration_ms = (int64_t)duration_ms;
	status = read_texts(json, result, err);
	return status < 0 ? status : read_properties(properties, result, err);
}

int kc_result_from_json(const cJSON *json, struct kc_result *result, struct kc_error *err)
{
	int status;

	kc_result_init(result);
	if (!cJSON_IsObject(json))
		return kc_error_set(err, EBADMSG, "result: not a JSON object");
	status = read_result(json, result, err);
	if (status == 0 && result->message == out_of_memory)
		status = kc_error_errno(err, ENOMEM, "read a result");
	if (status < 0)
		kc_result_release(result);
	return status;
}
