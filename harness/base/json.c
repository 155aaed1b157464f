#include "base/json.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

static int error_at(const char *text, size_t offset, const char *name, const char *what, struct kc_error *err)
{
	size_t line = 1, column = 1;

	for (size_t i = 0; i < offset; i++) {
		column = text[i] == '\n' ? 1 : column + 1;
		line += text[i] == '\n';
	}
	return kc_error_set(err, EBADMSG, "read `%s`: line %zu, column %zu: %s", name, line, column, what);
}

/* cJSON recurses to its own, much larger limit: bound the nesting before it starts. */
static int check_depth(const char *text, size_t length, const char *name, struct kc_error *err)
{
	bool in_string = false;
	int depth = 0;

	for (size_t i = 0; i < length; i++) {
		if (in_string) {
			if (text[i] == '\\')
				i++;
			else if (text[i] == '"')
				in_string = false;
			continue;
		}
		if (text[i] == '\0')
			return error_at(text, i, name, "NUL byte", err);
		if (text[i] == '"')
			in_string = true;
		else if (text[i] == '{' || text[i] == '[')
			depth++;
		else if (text[i] == '}' || text[i] == ']')
			depth--;
		if (depth > KC_JSON_MAX_DEPTH)
			return error_at(text, i, name, "nested too deeply", err);
	}
	return 0;
}

/* Every key is compared with those before it; the limit on keys bounds that. */
static int check_keys(const cJSON *node, const char *name, struct kc_error *err)
{
	size_t keys = 0;

	for (const cJSON *child = node->child; child; child = child->next) {
		int status;

		if (cJSON_IsObject(node) && ++keys > KC_JSON_MAX_KEYS)
			return kc_error_set(err, EBADMSG, "read `%s`: an object of more than %d keys", name,
					    KC_JSON_MAX_KEYS);
		for (const cJSON *other = node->child; cJSON_IsObject(node) && other != child;
		     other = other->next)
			if (strcmp(other->string, child->string) == 0)
				return kc_error_set(err, EBADMSG, "read `%s`: key \"%s\" stands twice", name,
						    child->string);
		status = check_keys(child, name, err);
		if (status < 0)
			return status;
	}
	return 0;
}

int kc_json_parse(const char *text, size_t length, const char *name, cJSON **ret_json, struct kc_error *err)
{
	KC_CLEANUP_JSON cJSON *json = NULL;
	const char *end = NULL;
	int status = check_depth(text, length, name, err);

	if (status < 0)
		return status;
	json = cJSON_ParseWithLengthOpts(text, length, &end, false);
	if (!json)
		return error_at(text, end ? (size_t)(end - text) : 0, name, "not valid JSON", err);
	while (end < text + length && strchr(" \t\r\n", *end))
		end++;
	if (end < text + length)
		return error_at(text, (size_t)(end - text), name, "bytes after the JSON value", err);
	status = check_keys(json, name, err);
	if (status < 0)
		return status;
	*ret_json = KC_STEAL(json);
	return 0;
}

static int get(const cJSON *object, const char *key, const char *where, int type, const char *type_name,
	       const cJSON **ret_value, struct kc_error *err)
{
	const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, key);

	if (!value)
		return kc_error_set(err, EBADMSG, "%s: key \"%s\" is missing", where, key);
	if ((value->type & 0xff) != type)
		return kc_error_set(err, EBADMSG, "%s: \"%s\" must be %s", where, key, type_name);
	*ret_value = value;
	return 0;
}

int kc_json_get_string(const cJSON *object, const char *key, const char *where, const char **ret_string,
		       struct kc_error *err)
{
	const cJSON *value = NULL;
	int status = get(object, key, where, cJSON_String, "a string", &value, err);

	if (status == 0)
		*ret_string = value->valuestring;
	return status;
}

int kc_json_get_number(const cJSON *object, const char *key, const char *where, double *ret_number,
		       struct kc_error *err)
{
	const cJSON *value = NULL;
	int status = get(object, key, where, cJSON_Number, "a number", &value, err);

	if (status < 0)
		return status;
	if (!isfinite(value->valuedouble))
		return kc_error_set(err, ERANGE, "%s: \"%s\" must be a finite number", where, key);
	*ret_number = value->valuedouble;
	return 0;
}

int kc_json_get_array(const cJSON *object, const char *key, const char *where, const cJSON **ret_array,
		      struct kc_error *err)
{
	return get(object, key, where, cJSON_Array, "an array", ret_array, err);
}

int kc_json_get_object(const cJSON *object, const char *key, const char *where, const cJSON **ret_object,
		       struct kc_error *err)
{
	return get(object, key, where, cJSON_Object, "an object", ret_object, err);
}

const char *kc_json_find_unknown(const cJSON *object, const char *const known[])
{
	for (const cJSON *child = object->child; child; child = child->next) {
		size_t i = 0;

		while (known[i] && strcmp(known[i], child->string) != 0)
			i++;
		if (!known[i])
			return child->string;
	}
	return NULL;
}

/* The quote at the end of a string that begins at `start`. */
static const char *end_of_string(const char *start)
{
	const char *at = start + 1;

	while (*at && *at != '"')
		at += at[0] == '\\' && at[1] ? 2 : 1;
	return at;
}

static bool is_key(const char *start, const char *end, const char *key)
{
	return (size_t)(end - start) == strlen(key) + 1 && strncmp(start + 1, key, strlen(key)) == 0 &&
	       *end && end[1 + strspn(end + 1, " \t\r\n")] == ':';
}

bool kc_json_locate_key(const char *text, const char *key, unsigned int depth, size_t *ret_line,
			size_t *ret_column)
{
	const char *line = text;
	unsigned int deep = 0;

	*ret_line = 1;
	for (const char *at = text; *at; at++) {
		const char *start = at;

		if (*at == '\n') {
			line = at + 1;
			++*ret_line;
		}
		deep += *at == '{' || *at == '[';
		deep -= *at == '}' || *at == ']';
		if (*at != '"')
			continue;
		at = end_of_string(start);
		*ret_column = (size_t)(start - line) + 1;
		if (deep == depth && is_key(start, at, key))
			return true;
		if (!*at)
			break;
	}
	return false;
}

int kc_json_refuse_unknown(const cJSON *object, const char *const known[], const char *where,
			   struct kc_error *err)
{
	const char *unknown = kc_json_find_unknown(object, known);

	return unknown ? kc_error_set(err, EBADMSG, "%s: unknown key \"%s\"", where, unknown) : 0;
}
