/*
 * Reading JSON with cJSON, within limits, and with messages that say where.
 *
 * kc_json_parse refuses what cJSON lets through: trailing bytes, NULs, duplicate keys, more nesting than
 * KC_JSON_MAX_DEPTH, objects of more than KC_JSON_MAX_KEYS keys. Errors name `name` and the line and column.
 * The getters take the value of `key` in `object`, or fail naming `where` and the key. A string that is
 * returned is borrowed from the document.
 */
#ifndef KC_BASE_JSON_H
#define KC_BASE_JSON_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/error.h"

#define KC_JSON_MAX_DEPTH 64
#define KC_JSON_MAX_KEYS 4096

static inline void kc_cleanup_json(cJSON **json)
{
	cJSON_Delete(*json);
}
#define KC_CLEANUP_JSON KC_CLEANUP(kc_cleanup_json)

/* `name` is what errors call the text: a file name or URL. The caller deletes *ret_json. */
int kc_json_parse(const char *text, size_t length, const char *name, cJSON **ret_json, struct kc_error *err)
	__attribute__((warn_unused_result));

int kc_json_get_string(const cJSON *object, const char *key, const char *where, const char **ret_string,
		       struct kc_error *err) __attribute__((warn_unused_result));
int kc_json_get_number(const cJSON *object, const char *key, const char *where, double *ret_number,
		       struct kc_error *err) __attribute__((warn_unused_result));
int kc_json_get_array(const cJSON *object, const char *key, const char *where, const cJSON **ret_array,
		      struct kc_error *err) __attribute__((warn_unused_result));
int kc_json_get_object(const cJSON *object, const char *key, const char *where, const cJSON **ret_object,
		       struct kc_error *err) __attribute__((warn_unused_result));

/* The first key of `object` that is not among `known` (NULL-terminated), borrowed; NULL if there is none. */
const char *kc_json_find_unknown(const cJSON *object, const char *const known[]);

/* Where in `text`, which has been parsed, a key stands for the first time `depth` objects and lists deep: 1 is the outermost. False if
 * it is not there as it is, without escapes. Columns are bytes. */
bool kc_json_locate_key(const char *text, const char *key, unsigned int depth, size_t *ret_line,
			size_t *ret_column);

/* Fails on a key of `object` that is not among `known` (NULL-terminated), naming it: a misspelt key must not
 * be silent. */
int kc_json_refuse_unknown(const cJSON *object, const char *const known[], const char *where,
			   struct kc_error *err) __attribute__((warn_unused_result));

#endif
