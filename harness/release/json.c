#include "release/json.h"

void kc_json_add_string(struct kc_json_writer *writer, cJSON *object, const char *key, const char *text)
{
	if (*text && !cJSON_AddStringToObject(object, key, text))
		writer->is_short = true;
}

void kc_json_add_number(struct kc_json_writer *writer, cJSON *object, const char *key, double number)
{
	if (!cJSON_AddNumberToObject(object, key, number))
		writer->is_short = true;
}

void kc_json_add_bool(struct kc_json_writer *writer, cJSON *object, const char *key, bool value)
{
	if (!cJSON_AddBoolToObject(object, key, value))
		writer->is_short = true;
}

cJSON *kc_json_add_object(struct kc_json_writer *writer, cJSON *object, const char *key)
{
	cJSON *added = cJSON_AddObjectToObject(object, key);

	writer->is_short |= !added;
	return added;
}

cJSON *kc_json_add_list(struct kc_json_writer *writer, cJSON *object, const char *key)
{
	cJSON *added = cJSON_AddArrayToObject(object, key);

	writer->is_short |= !added;
	return added;
}

static bool append(struct kc_json_writer *writer, cJSON *list, cJSON *item)
{
	if (item && cJSON_AddItemToArray(list, item))
		return true;
	cJSON_Delete(item);
	writer->is_short = true;
	return false;
}

cJSON *kc_json_add_item(struct kc_json_writer *writer, cJSON *list)
{
	cJSON *item = cJSON_CreateObject();

	return append(writer, list, item) ? item : NULL;
}

void kc_json_add_text(struct kc_json_writer *writer, cJSON *list, const char *text)
{
	(void)append(writer, list, cJSON_CreateString(text)); /* the writer knows */
}
