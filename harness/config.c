#include "config.h"

#include <cjson/cJSON.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "nearest.h"
#include "sys/file.h"

#define FILE_NAME "krunner-compat.json"
#define FILE_LIMIT (1u << 20)
#define PREFIX "KRUNNER_COMPAT_"

/* Where something stands: "FILE:LINE:COLUMN" or "NAME in the environment". */
struct place {
	char text[PATH_MAX + 64];
};

static int refuse(const struct place *place, const struct kc_error *cause, struct kc_error *err)
{
	(void)kc_error_set(err, EINVAL, "%s: %s", place->text, cause->text);
	if (cause->hint[0])
		kc_error_hint(err, "%s", cause->hint);
	err->kind = KC_ERROR_USAGE;
	return -EINVAL;
}

static const struct kc_option_row *find_option(const char *name)
{
	for (size_t i = 0; i < kc_option_row_count; i++)
		if (kc_option_rows[i].name && !kc_option_rows[i].is_line_only &&
		    strcmp(kc_option_rows[i].name, name) == 0)
			return &kc_option_rows[i];
	return NULL;
}

static int unknown(const struct place *place, const char *name, struct kc_error *err)
{
	struct kc_nearest nearest = KC_NEAREST_INIT(name);
	struct kc_error cause = { 0 };

	for (size_t i = 0; i < kc_option_row_count; i++)
		if (kc_option_rows[i].name && !kc_option_rows[i].is_line_only)
			kc_nearest_try(&nearest, kc_option_rows[i].name);
	(void)kc_error_set(&cause, EINVAL, "there is no option `%s`", name);
	if (nearest.word)
		kc_error_hint(&cause, "did you mean `%s`?", nearest.word);
	return refuse(place, &cause, err);
}

static bool applies(const struct kc_options *options, const struct kc_option_row *row)
{
	return row->commands & (1u << options->command);
}

/* The environment */

/* "KRUNNER_COMPAT_MUST_RUN=1" is "must-run". False if it is none of ours. */
static bool option_of_variable(const char *entry, char ret_name[64], const char **ret_value)
{
	const char *name = entry + strlen(PREFIX), *equals = strchr(entry, '=');

	if (strncmp(entry, PREFIX, strlen(PREFIX)) != 0 || !equals || equals - name >= 64 ||
	    strncmp(name, "MIRRORS=", strlen("MIRRORS=")) == 0) /* of net/registry.h, and no option */
		return false;
	(void)snprintf(ret_name, 64, "%.*s", (int)(equals - name), name);
	for (char *at = ret_name; *at; at++)
		*at = *at == '_' ? '-' : (char)tolower((unsigned char)*at);
	*ret_value = equals + 1;
	return true;
}

static int store_flag(struct kc_options *options, const struct kc_option_row *row, const char *value,
		      kc_config_store *store, struct kc_error *err)
{
	if (strcmp(value, "1") == 0 || strcmp(value, "true") == 0)
		return store(options, row, NULL, err);
	if (!*value || strcmp(value, "0") == 0 || strcmp(value, "false") == 0)
		return 0;
	return kc_error_set(err, EINVAL, "`%s` is none of 1, 0, true, false", value);
}

static int apply_variable(struct kc_options *options, const char *entry, kc_config_store *store,
			  struct kc_error *err)
{
	const struct kc_option_row *row;
	struct kc_error cause = { 0 };
	struct place place;
	const char *value;
	char name[64];
	int status;

	if (!option_of_variable(entry, name, &value))
		return 0;
	(void)snprintf(place.text, sizeof(place.text), "%.*s in the environment", (int)strcspn(entry, "="),
		       entry);
	row = find_option(name);
	if (!row)
		return unknown(&place, name, err);
	if (!applies(options, row))
		return 0;
	status = row->type == KC_OPTION_FLAG ? store_flag(options, row, value, store, &cause)
					     : store(options, row, value, &cause);
	return status < 0 ? refuse(&place, &cause, err) : 0;
}

/* The file */

/* Where the key stands; the text has been parsed. */
static void find_key(const char *file, const char *text, const char *key, struct place *place)
{
	size_t line, column;

	if (kc_json_locate_key(text, key, 1, &line, &column))
		(void)snprintf(place->text, sizeof(place->text), "%s:%zu:%zu", file, line, column);
	else
		(void)snprintf(place->text, sizeof(place->text), "%s", file);
}

static int store_list(struct kc_options *options, const struct kc_option_row *row, const cJSON *list,
		      kc_config_store *store, struct kc_error *err)
{
	const cJSON *item;
	int status = 0;

	if (!cJSON_IsArray(list))
		return kc_error_set(err, EINVAL, "--%s: a list of texts is expected", row->name);
	cJSON_ArrayForEach(item, list)
	{
		if (!cJSON_IsString(item))
			return kc_error_set(err, EINVAL, "--%s: a list of texts is expected", row->name);
		if (status == 0)
			status = store(options, row, item->valuestring, err);
	}
	return status;
}

static int store_number(struct kc_options *options, const struct kc_option_row *row, const cJSON *value,
			kc_config_store *store, struct kc_error *err)
{
	char text[32];

	if (!cJSON_IsNumber(value))
		return kc_error_set(err, EINVAL, "--%s: a number is expected", row->name);
	(void)snprintf(text, sizeof(text), "%.15g", value->valuedouble);
	return store(options, row, text, err);
}

static int store_value(struct kc_options *options, const struct kc_option_row *row, const cJSON *value,
		       kc_config_store *store, struct kc_error *err)
{
	switch (row->type) {
	case KC_OPTION_FLAG:
		if (!cJSON_IsBool(value))
			return kc_error_set(err, EINVAL, "--%s: true or false is expected", row->name);
		return cJSON_IsTrue(value) ? store(options, row, NULL, err) : 0;
	case KC_OPTION_STRINGS:
		return store_list(options, row, value, store, err);
	case KC_OPTION_SECONDS:
	case KC_OPTION_NUMBER:
		return store_number(options, row, value, store, err);
	case KC_OPTION_STRING:
	case KC_OPTION_CHOICE:
		break;
	}
	if (!cJSON_IsString(value))
		return kc_error_set(err, EINVAL, "--%s: a text is expected", row->name);
	return store(options, row, value->valuestring, err);
}

static int apply_key(struct kc_options *options, const cJSON *value, const struct place *place,
		     kc_config_store *store, struct kc_error *err)
{
	const struct kc_option_row *row = find_option(value->string);
	struct kc_error cause = { 0 };

	if (strcmp(value->string, "$schema") == 0)
		return 0;
	if (strcmp(value->string, "version") == 0) {
		if (cJSON_IsNumber(value) && value->valuedouble >= 1 && value->valuedouble <= 1)
			return 0;
		(void)kc_error_set(&cause, EINVAL, "only version 1 is understood");
		return refuse(place, &cause, err);
	}
	if (!row)
		return unknown(place, value->string, err);
	if (!applies(options, row))
		return 0;
	return store_value(options, row, value, store, &cause) < 0 ? refuse(place, &cause, err) : 0;
}

static int apply_text(struct kc_options *options, const char *file, const struct kc_buffer *text,
		      kc_config_store *store, struct kc_error *err)
{
	const cJSON *value;
	int status = kc_json_parse(kc_buffer_string(text), text->length, file, &options->config, err);

	if (status == 0 && !cJSON_IsObject(options->config))
		status = kc_error_set(err, EBADMSG, "read `%s`: not a JSON object", file);
	if (status < 0) {
		err->kind = KC_ERROR_USAGE;
		return status;
	}
	cJSON_ArrayForEach(value, options->config)
	{
		struct place place;

		find_key(file, kc_buffer_string(text), value->string, &place);
		status = apply_key(options, value, &place, store, err);
		if (status < 0)
			return status;
	}
	return 0;
}

static bool find_file(char ret_path[PATH_MAX])
{
	static const struct {
		const char *variable, *below;
	} places[] = { { "XDG_CONFIG_HOME", "/krunner-compat/" FILE_NAME },
		       { "HOME", "/.config/krunner-compat/" FILE_NAME } };

	(void)snprintf(ret_path, PATH_MAX, "%s", FILE_NAME);
	if (access(ret_path, F_OK) == 0)
		return true;
	for (size_t i = 0; i < KC_ARRAY_LENGTH(places); i++) {
		const char *base = getenv(places[i].variable);
		int length;

		if (!base || base[0] != '/')
			continue; /* relative ones are to be ignored, says the specification */
		length = snprintf(ret_path, PATH_MAX, "%s%s", base, places[i].below);
		return length < PATH_MAX && access(ret_path, F_OK) == 0;
	}
	return false;
}

int kc_config_apply(struct kc_options *options, kc_config_store *store, struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(FILE_LIMIT);
	char path[PATH_MAX];
	int status = 0;

	if (find_file(path)) {
		status = kc_file_read(AT_FDCWD, path, &text, err);
		if (status == 0)
			status = apply_text(options, path, &text, store, err);
		(void)snprintf(options->settings, sizeof(options->settings), "%s", path);
	}
	for (char **entry = environ; status == 0 && *entry; entry++)
		status = apply_variable(options, *entry, store, err);
	return status;
}
