/*
 * Putting JSON together piece by piece; a piece for which there is no memory is remembered, and asked for once, at the end.
 *
 * Every function takes NULL for a parent that could not be made, and makes nothing then.
 */
#ifndef KC_RELEASE_JSON_H
#define KC_RELEASE_JSON_H

#include <stdbool.h>

#include "base/json.h"

struct kc_json_writer {
	bool is_short; /* of memory, once at least */
};

/* An empty text is left out. */
void kc_json_add_string(struct kc_json_writer *writer, cJSON *object, const char *key, const char *text);
void kc_json_add_number(struct kc_json_writer *writer, cJSON *object, const char *key, double number);
void kc_json_add_bool(struct kc_json_writer *writer, cJSON *object, const char *key, bool value);
cJSON *kc_json_add_object(struct kc_json_writer *writer, cJSON *object, const char *key);
cJSON *kc_json_add_list(struct kc_json_writer *writer, cJSON *object, const char *key);

/* Of a list: a new object, or a text, at its end. */
cJSON *kc_json_add_item(struct kc_json_writer *writer, cJSON *list);
void kc_json_add_text(struct kc_json_writer *writer, cJSON *list, const char *text);

#endif
