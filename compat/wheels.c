#include "compat/wheels.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/embedded.h"
#include "base/json.h"

#define EMBEDDED "compat/wheels.json"

enum { NAME_LIMIT = 512 };

struct kc_wheels {
	cJSON *document; /* every string is borrowed from it */
	const char *python_tag, *abi_tag;
	const cJSON *platforms, *distributions, *selection;
};

static const struct {
	const char *key;
	bool is_list;
	bool has_reasons;
} parts[] = {
	[KC_WHEEL_DIRECTORY] = { "directory", false },
	[KC_WHEEL_ARCHIVE] = { "archive", false },
	[KC_WHEEL_TTYD] = { "ttyd", false },
	[KC_WHEEL_TEXTS] = { "texts", true },
	[KC_WHEEL_DIST_INFO] = { "dist_info", true },
	[KC_WHEEL_METADATA] = { "metadata", true },
	[KC_WHEEL_METADATA_ALSO] = { "metadata_also", true, true },
};

static const char *const words[] = { "{name}",	 "{package}",	   "{volume}",	"{summary}",
				     "{module}", "{architecture}", "{version}", "{volume_version}",
				     "{python}", "{group}" };

/* Valid after loading: the getters have been through. */
static const char *text_of(const cJSON *object, const char *key)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));

	return text ? text : "";
}

static const cJSON *find_row(const cJSON *list, const char *key, const char *text)
{
	const cJSON *row;

	cJSON_ArrayForEach(row, list)
	{
		if (strcmp(text_of(row, key), text) == 0)
			return row;
	}
	return NULL;
}

/* --- Loading --- */

/* A row has these texts and nothing else; NULL ends `keys`. `extra` is the one key that is no text; may be NULL. */
static int check_row(const cJSON *row, const char *const keys[], const char *extra, const char *where,
		     struct kc_error *err)
{
	const char *known[8] = { NULL }, *text;
	size_t count = 0;
	int status = 0;

	for (; status == 0 && keys[count]; count++) {
		known[count] = keys[count];
		status = kc_json_get_string(row, keys[count], where, &text, err);
		if (status == 0 && !*text)
			status = kc_error_set(err, EBADMSG, "%s: \"%s\" is empty", where, keys[count]);
	}
	known[count] = extra;
	return status < 0 ? status : kc_json_refuse_unknown(row, known, where, err);
}

static int check_unique(const cJSON *list, const cJSON *row, const char *key, const char *other_key,
			const char *where, struct kc_error *err)
{
	for (const cJSON *before = list->child; before != row; before = before->next)
		if (strcmp(text_of(before, key), text_of(row, key)) == 0 &&
		    (!other_key || strcmp(text_of(before, other_key), text_of(row, other_key)) == 0))
			return kc_error_set(err, EBADMSG, "%s: \"%s\" stands twice", where,
					    text_of(row, key));
	return 0;
}

static int check_platform(const struct kc_wheels *wheels, const cJSON *row, const char *where,
			  struct kc_error *err)
{
	static const char *const keys[] = { "architecture", NULL };
	const cJSON *tags = NULL, *tag;
	int status = check_row(row, keys, "tags", where, err);

	if (status == 0)
		status = check_unique(wheels->platforms, row, "architecture", NULL, where, err);
	if (status == 0)
		status = kc_json_get_array(row, "tags", where, &tags, err);
	if (status < 0)
		return status;
	if (cJSON_GetArraySize(tags) < 1 || cJSON_GetArraySize(tags) > KC_WHEEL_TAGS_MAX)
		return kc_error_set(err, EBADMSG, "%s: \"tags\" must be 1 to %d", where, KC_WHEEL_TAGS_MAX);
	cJSON_ArrayForEach(tag, tags)
	{
		if (!cJSON_IsString(tag) || !*tag->valuestring)
			return kc_error_set(err, EBADMSG, "%s: a tag must be a text that is not empty",
					    where);
	}
	return 0;
}

static int check_distribution(const struct kc_wheels *wheels, const cJSON *row, const char *where,
			      struct kc_error *err)
{
	static const char *const keys[] = { "name", "package", "volume", "summary", "licence", NULL };
	int status = check_row(row, keys, NULL, where, err);

	return status < 0 ? status : check_unique(wheels->distributions, row, "name", NULL, where, err);
}

static int check_selection(const struct kc_wheels *wheels, const cJSON *row, const char *where,
			   struct kc_error *err)
{
	static const char *const keys[] = { "host", "container", "distribution", "architecture", NULL };
	int status = check_row(row, keys, NULL, where, err);

	if (status == 0)
		status = check_unique(wheels->selection, row, "host", "container", where, err);
	if (status < 0)
		return status;
	if (!find_row(wheels->distributions, "name", text_of(row, "distribution")))
		return kc_error_set(err, EBADMSG, "%s: no distribution \"%s\"", where,
				    text_of(row, "distribution"));
	if (!find_row(wheels->platforms, "architecture", text_of(row, "architecture")))
		return kc_error_set(err, EBADMSG, "%s: no tags for architecture \"%s\"", where,
				    text_of(row, "architecture"));
	return 0;
}

/* A brace opens one of the words, and stands for nothing else. */
static int check_template(const char *text, const char *where, struct kc_error *err)
{
	for (const char *at = strchr(text, '{'); at; at = strchr(at + 1, '{')) {
		size_t known = 0;

		while (known < KC_ARRAY_LENGTH(words) && strncmp(at, words[known], strlen(words[known])) != 0)
			known++;
		if (known == KC_ARRAY_LENGTH(words))
			return kc_error_set(err, EBADMSG, "%s: unknown word in braces: \"%.40s\"", where, at);
	}
	return 0;
}

static int check_member(const struct kc_wheels *wheels, const cJSON *row, const char *where,
			struct kc_error *err)
{
	static const char *const keys[] = { "name", "text", NULL };
	int status = check_row(row, keys, NULL, where, err);

	if (status == 0)
		status = check_template(text_of(row, "name"), where, err);
	return status < 0 ? status : check_template(text_of(row, "text"), where, err);
}

/* An exception says what it is for. */
static int check_exception(const struct kc_wheels *wheels, const cJSON *row, const char *where,
			   struct kc_error *err)
{
	static const char *const keys[] = { "name", "text", "reason", NULL };
	int status = check_row(row, keys, NULL, where, err);

	(void)wheels;
	if (status == 0)
		status = check_template(text_of(row, "name"), where, err);
	return status < 0 ? status : check_template(text_of(row, "text"), where, err);
}

typedef int check_function(const struct kc_wheels *wheels, const cJSON *row, const char *where,
			   struct kc_error *err);

static int check_list(const struct kc_wheels *wheels, const cJSON *list, check_function *check,
		      const char *where, struct kc_error *err)
{
	const cJSON *row;

	if (cJSON_GetArraySize(list) == 0)
		return kc_error_set(err, EBADMSG, "%s: there is none", where);
	cJSON_ArrayForEach(row, list)
	{
		int status = check(wheels, row, where, err);

		if (status < 0)
			return status;
	}
	return 0;
}

static int check_parts(const struct kc_wheels *wheels, struct kc_error *err)
{
	const char *text;
	const cJSON *list;
	int status = kc_json_get_string(wheels->document, "entry_point_group", "the top", &text, err);

	for (size_t i = 0; status == 0 && i < KC_ARRAY_LENGTH(parts); i++) {
		if (parts[i].is_list) {
			status = kc_json_get_array(wheels->document, parts[i].key, "the top", &list, err);
			if (status == 0)
				status = check_list(wheels, list,
						    parts[i].has_reasons ? check_exception : check_member,
						    parts[i].key, err);
			continue;
		}
		status = kc_json_get_string(wheels->document, parts[i].key, "the top", &text, err);
		if (status == 0)
			status = check_template(text, parts[i].key, err);
	}
	return status;
}

static int read_top(struct kc_wheels *wheels, const char *name, struct kc_error *err)
{
	static const char *const known[] = {
		"$schema",   "version",		  "python_tag",	   "abi_tag", "platforms", "distributions",
		"selection", "entry_point_group", "directory",	   "archive", "ttyd",	   "texts",
		"dist_info", "metadata",	  "metadata_also", NULL
	};
	double version = 0;
	int status = kc_json_refuse_unknown(wheels->document, known, name, err);

	if (status == 0)
		status = kc_json_get_number(wheels->document, "version", name, &version, err);
	if (status == 0 && version != 1)
		status = kc_error_set(err, EBADMSG, "%s: version %g, and this program reads version 1", name,
				      version);
	if (status == 0)
		status = kc_json_get_string(wheels->document, "python_tag", name, &wheels->python_tag, err);
	if (status == 0)
		status = kc_json_get_string(wheels->document, "abi_tag", name, &wheels->abi_tag, err);
	if (status == 0)
		status = kc_json_get_array(wheels->document, "platforms", name, &wheels->platforms, err);
	if (status == 0)
		status = kc_json_get_array(wheels->document, "distributions", name, &wheels->distributions,
					   err);
	if (status == 0)
		status = kc_json_get_array(wheels->document, "selection", name, &wheels->selection, err);
	return status;
}

int kc_wheels_load(const char *json, size_t length, const char *name, struct kc_wheels **ret_wheels,
		   struct kc_error *err)
{
	KC_CLEANUP_WHEELS struct kc_wheels *wheels = calloc(1, sizeof(*wheels));
	int status;

	if (!wheels)
		return kc_error_errno(err, ENOMEM, "read %s", name);
	status = kc_json_parse(json, length, name, &wheels->document, err);
	if (status < 0)
		return status;
	status = read_top(wheels, name, err);
	if (status < 0)
		return status;
	status = check_list(wheels, wheels->platforms, check_platform, "platforms", err);
	if (status == 0)
		status = check_list(wheels, wheels->distributions, check_distribution, "distributions", err);
	if (status == 0)
		status = check_list(wheels, wheels->selection, check_selection, "selection", err);
	if (status == 0)
		status = check_parts(wheels, err);
	if (status < 0)
		return kc_error_prefix(err, "%s", name);
	*ret_wheels = KC_STEAL(wheels);
	return 0;
}

int kc_wheels_load_embedded(struct kc_wheels **ret_wheels, struct kc_error *err)
{
	const char *json = NULL;
	size_t length = 0;

	if (!kc_embedded_find(EMBEDDED, &json, &length))
		return kc_error_set(err, ENOENT, "%s is not part of this program", EMBEDDED);
	return kc_wheels_load(json, length, EMBEDDED, ret_wheels, err);
}

void kc_wheels_release(struct kc_wheels **wheels)
{
	if (*wheels)
		cJSON_Delete((*wheels)->document);
	free(*wheels);
	*wheels = NULL;
}

/* --- Questions --- */

static void fill_distribution(const cJSON *row, struct kc_wheel_distribution *ret_distribution)
{
	*ret_distribution = (struct kc_wheel_distribution){ .name = text_of(row, "name"),
							    .package = text_of(row, "package"),
							    .volume = text_of(row, "volume"),
							    .summary = text_of(row, "summary"),
							    .licence = text_of(row, "licence") };
}

bool kc_wheels_select(const struct kc_wheels *wheels, const char *host, const char *container,
		      struct kc_wheel_choice *ret_choice)
{
	const cJSON *row;

	cJSON_ArrayForEach(row, wheels->selection)
	{
		if (strcmp(text_of(row, "host"), host) != 0 ||
		    strcmp(text_of(row, "container"), container) != 0)
			continue;
		fill_distribution(find_row(wheels->distributions, "name", text_of(row, "distribution")),
				  &ret_choice->distribution);
		ret_choice->architecture = text_of(row, "architecture");
		return true;
	}
	return false;
}

bool kc_wheels_row(const struct kc_wheels *wheels, size_t index, const char **ret_host,
		   const char **ret_container)
{
	const cJSON *row = wheels->selection->child;

	for (; row && index; index--)
		row = row->next;
	if (!row)
		return false;
	*ret_host = text_of(row, "host");
	*ret_container = text_of(row, "container");
	return true;
}

static bool is_same_package(const char *left, const char *right)
{
	KC_CLEANUP_BUFFER struct kc_buffer one = KC_BUFFER_INIT(NAME_LIMIT);
	KC_CLEANUP_BUFFER struct kc_buffer other = KC_BUFFER_INIT(NAME_LIMIT);

	return kc_wheel_append_escaped(left, &one) == 0 && kc_wheel_append_escaped(right, &other) == 0 &&
	       strcmp(kc_buffer_string(&one), kc_buffer_string(&other)) == 0;
}

bool kc_wheels_find_distribution(const struct kc_wheels *wheels, const char *name,
				 struct kc_wheel_distribution *ret_distribution)
{
	const cJSON *row;

	cJSON_ArrayForEach(row, wheels->distributions)
	{
		if (strcmp(text_of(row, "name"), name) != 0 && strcmp(text_of(row, "volume"), name) != 0 &&
		    !is_same_package(text_of(row, "package"), name))
			continue;
		fill_distribution(row, ret_distribution);
		return true;
	}
	return false;
}

static int by_text(const void *left, const void *right)
{
	return strcmp(*(const char *const *)left, *(const char *const *)right);
}

bool kc_wheels_find_tags(const struct kc_wheels *wheels, const char *architecture,
			 enum kc_wheel_tag_order order, struct kc_wheel_tags *ret_tags)
{
	const cJSON *row = find_row(wheels->platforms, "architecture", architecture), *tag;
	struct kc_wheel_tags tags = { .count = 0 };

	if (!row)
		return false;
	cJSON_ArrayForEach(tag, cJSON_GetObjectItemCaseSensitive(row, "tags"))
	{
		tags.items[tags.count++] = tag->valuestring;
	}
	if (order == KC_WHEEL_SORTED)
		qsort(tags.items, tags.count, sizeof(*tags.items), by_text);
	*ret_tags = tags;
	return true;
}

int kc_wheels_append_tag_start(const struct kc_wheels *wheels, struct kc_buffer *text)
{
	return kc_buffer_printf(text, "%s-%s-", wheels->python_tag, wheels->abi_tag);
}

int kc_wheel_append_escaped(const char *name, struct kc_buffer *text)
{
	int status = 0;

	for (const char *next = name; status == 0 && *next; next++) {
		char byte = strchr("-_.", *next) ? '_' : (char)tolower((unsigned char)*next);

		if (byte != '_' || next == name || !strchr("-_.", next[-1]))
			status = kc_buffer_append(text, &byte, 1);
	}
	return status;
}

int kc_wheels_append_file_name(const struct kc_wheels *wheels, const struct kc_wheel_choice *choice,
			       const char *version, enum kc_wheel_tag_order order, struct kc_buffer *text)
{
	struct kc_wheel_tags tags;
	int status;

	if (!kc_wheels_find_tags(wheels, choice->architecture, order, &tags))
		return -ENOENT;
	status = kc_wheel_append_escaped(choice->distribution.package, text);
	if (status == 0)
		status = kc_buffer_printf(text, "-%s-", version);
	if (status == 0)
		status = kc_wheels_append_tag_start(wheels, text);
	for (size_t i = 0; status == 0 && i < tags.count; i++)
		status = kc_buffer_printf(text, "%s%s", i ? "." : "", tags.items[i]);
	return status < 0 ? status : kc_buffer_append_string(text, ".whl");
}

/* --- Templates --- */

const char *kc_wheels_entry_point_group(const struct kc_wheels *wheels)
{
	return text_of(wheels->document, "entry_point_group");
}

/* The name as Python spells it: "static_gnu". */
static int append_module(const char *name, struct kc_buffer *text)
{
	int status = 0;

	for (; status == 0 && *name; name++)
		status = kc_buffer_append(text, *name == '-' ? "_" : name, 1);
	return status;
}

static int append_word(const struct kc_wheels *wheels, const struct kc_wheel_values *values, size_t word,
		       struct kc_buffer *text)
{
	const struct kc_wheel_distribution *distribution = &values->choice->distribution;
	/* In the order of `words`. */
	const char *const texts[] = { distribution->name,
				      distribution->package,
				      distribution->volume,
				      distribution->summary,
				      NULL,
				      values->choice->architecture,
				      values->version,
				      values->volume_version,
				      values->python,
				      kc_wheels_entry_point_group(wheels) };

	_Static_assert(KC_ARRAY_LENGTH(texts) == KC_ARRAY_LENGTH(words), "a text for each word");
	if (strcmp(words[word], "{module}") == 0)
		return distribution->name ? append_module(distribution->name, text) : 0;
	return texts[word] ? kc_buffer_append_string(text, texts[word]) : 0;
}

static int expand(const struct kc_wheels *wheels, const struct kc_wheel_values *values, const char *template,
		  struct kc_buffer *text)
{
	int status = 0;

	while (status == 0 && *template) {
		size_t length = strcspn(template, "{"), word = 0;

		status = kc_buffer_append(text, template, length);
		template += length;
		while (*template && word < KC_ARRAY_LENGTH(words) &&
		       strncmp(template, words[word], strlen(words[word])) != 0)
			word++;
		if (status < 0 || !*template || word == KC_ARRAY_LENGTH(words))
			return status;
		status = append_word(wheels, values, word, text);
		template += strlen(words[word]);
	}
	return status;
}

static int expand_both(const struct kc_wheels *wheels, const struct kc_wheel_values *values, const cJSON *row,
		       struct kc_buffer *name, struct kc_buffer *text)
{
	int status = name ? expand(wheels, values, text_of(row, "name"), name) : 0;

	return status < 0 || !text ? status : expand(wheels, values, text_of(row, "text"), text);
}

int kc_wheels_append_part(const struct kc_wheels *wheels, enum kc_wheel_part part, size_t index,
			  const struct kc_wheel_values *values, struct kc_buffer *name,
			  struct kc_buffer *text)
{
	const cJSON *found = cJSON_GetObjectItemCaseSensitive(wheels->document, parts[part].key);
	int status = 0;

	if (parts[part].is_list)
		found = cJSON_GetArrayItem(found, (int)index);
	else if (index > 0)
		return 0;
	if (!found)
		return 0;
	if (parts[part].is_list)
		status = expand_both(wheels, values, found, name, text);
	else if (name)
		status = expand(wheels, values, found->valuestring, name);
	return status < 0 ? status : 1;
}
