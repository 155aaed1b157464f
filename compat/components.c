#include "compat/components.h"

#include <errno.h>
#include <fnmatch.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "compat/policy.h"

#define PYTHON "{python}"

enum { MOST_MARKS = 8, SHORTEST_STRING = 4 };

struct mark {
	const char *files, *begins, *beside; /* `beside` may be NULL */
	regex_t pattern;
	bool is_compiled;
};

struct component {
	const char *name, *type, *cpe; /* `cpe` may be NULL */
	const cJSON *licenses;	       /* likewise */
	struct mark marks[MOST_MARKS];
	size_t mark_count;
};

struct kc_components {
	cJSON *document; /* every string is borrowed from it */
	const cJSON *spdx, *license_names;
	struct component items[KC_COMPONENTS_MAX];
	size_t count;
};

/* --- Reading the data --- */

static const char *find_spdx(const struct kc_components *components, const char *text)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, components->spdx)
	{
		if (cJSON_IsString(item) && strcasecmp(item->valuestring, text) == 0)
			return item->valuestring;
	}
	return NULL;
}

static int get_license(const struct kc_components *components, const cJSON *item, const char *where,
		       struct kc_error *err)
{
	const char *license = NULL;
	int status = kc_json_get_string(item, "license", where, &license, err);

	if (status == 0 && !find_spdx(components, license))
		return kc_error_set(err, EBADMSG, "%s: the licence \"%s\" is not among \"spdx\"", where,
				    license);
	return status;
}

static int read_mark(const cJSON *item, const char *where, struct mark *mark, struct kc_error *err)
{
	static const char *const known[] = { "files", "begins", "pattern", "beside", NULL };
	const char *pattern = NULL;
	int status = kc_json_refuse_unknown(item, known, where, err);

	if (status == 0)
		status = kc_json_get_string(item, "files", where, &mark->files, err);
	if (status == 0)
		status = kc_json_get_string(item, "begins", where, &mark->begins, err);
	if (status == 0)
		status = kc_json_get_string(item, "pattern", where, &pattern, err);
	if (status == 0 && cJSON_GetObjectItemCaseSensitive(item, "beside"))
		status = kc_json_get_string(item, "beside", where, &mark->beside, err);
	if (status < 0)
		return status;
	mark->is_compiled = regcomp(&mark->pattern, pattern, REG_EXTENDED) == 0;
	if (!mark->is_compiled || mark->pattern.re_nsub == 0)
		return kc_error_set(err, EBADMSG, "%s: the pattern \"%s\" %s", where, pattern,
				    mark->is_compiled ? "has no group for the version" : "does not compile");
	return 0;
}

static int read_marks(const cJSON *marks, const char *where, struct component *component,
		      struct kc_error *err)
{
	const cJSON *item;

	if (cJSON_GetArraySize(marks) < 1 || cJSON_GetArraySize(marks) > MOST_MARKS)
		return kc_error_set(err, EBADMSG, "%s: one to %d marks are wanted, there are %d", where,
				    MOST_MARKS, cJSON_GetArraySize(marks));
	cJSON_ArrayForEach(item, marks)
	{
		int status = read_mark(item, where, &component->marks[component->mark_count++], err);

		if (status < 0)
			return status;
	}
	return 0;
}

static int read_component(const struct kc_components *components, const cJSON *item, const char *name,
			  struct component *component, struct kc_error *err)
{
	static const char *const known[] = { "name", "type", "cpe", "licenses", "marks", NULL };
	const cJSON *marks = NULL, *license;
	char where[256];
	int status = kc_json_get_string(item, "name", name, &component->name, err);

	if (status < 0)
		return status;
	(void)snprintf(where, sizeof(where), "%s: component %s", name, component->name);
	status = kc_json_refuse_unknown(item, known, where, err);
	if (status == 0)
		status = kc_json_get_array(item, "marks", where, &marks, err);
	if (status == 0)
		status = read_marks(marks, where, component, err);
	component->type = "library";
	if (status == 0 && cJSON_GetObjectItemCaseSensitive(item, "type"))
		status = kc_json_get_string(item, "type", where, &component->type, err);
	if (status == 0 && cJSON_GetObjectItemCaseSensitive(item, "cpe"))
		status = kc_json_get_string(item, "cpe", where, &component->cpe, err);
	component->licenses = cJSON_GetObjectItemCaseSensitive(item, "licenses");
	cJSON_ArrayForEach(license, component->licenses)
	{
		if (status == 0)
			status = get_license(components, license, where, err);
	}
	return status;
}

static int read_components(struct kc_components *components, const char *name, struct kc_error *err)
{
	const cJSON *list = NULL, *item;
	int status = kc_json_get_array(components->document, "components", name, &list, err);

	if (status == 0 && cJSON_GetArraySize(list) > KC_COMPONENTS_MAX)
		return kc_error_set(err, EBADMSG, "%s: more than %d components", name, KC_COMPONENTS_MAX);
	cJSON_ArrayForEach(item, list)
	{
		if (status == 0)
			status = read_component(components, item, name,
						&components->items[components->count++], err);
	}
	return status;
}

static int read_license_names(struct kc_components *components, const char *name, struct kc_error *err)
{
	const char *text = NULL;
	const cJSON *item;
	int status = kc_json_get_array(components->document, "license_names", name,
				       &components->license_names, err);

	cJSON_ArrayForEach(item, components->license_names)
	{
		if (status == 0)
			status = kc_json_get_string(item, "name", name, &text, err);
		if (status == 0)
			status = get_license(components, item, name, err);
	}
	return status;
}

int kc_components_load(const char *json, size_t length, const char *name,
		       struct kc_components **ret_components, struct kc_error *err)
{
	static const char *const known[] = {
		"$schema", "version", "components", "spdx", "license_names", NULL
	};
	KC_CLEANUP_COMPONENTS struct kc_components *components = calloc(1, sizeof(*components));
	int status;

	if (!components)
		return kc_error_errno(err, ENOMEM, "read %s", name);
	status = kc_json_parse(json, length, name, &components->document, err);
	if (status == 0)
		status = kc_json_refuse_unknown(components->document, known, name, err);
	if (status == 0)
		status = kc_json_get_array(components->document, "spdx", name, &components->spdx, err);
	if (status == 0)
		status = read_components(components, name, err);
	if (status == 0)
		status = read_license_names(components, name, err);
	if (status == 0)
		*ret_components = KC_STEAL(components);
	return status;
}

void kc_components_release(struct kc_components **components)
{
	if (!*components)
		return;
	for (size_t i = 0; i < (*components)->count; i++)
		for (size_t j = 0; j < (*components)->items[i].mark_count; j++)
			if ((*components)->items[i].marks[j].is_compiled)
				regfree(&(*components)->items[i].marks[j].pattern);
	cJSON_Delete((*components)->document);
	free(*components);
	*components = NULL;
}

/* --- Questions --- */

const char *kc_components_spdx(const struct kc_components *components, const char *text)
{
	const char *found = find_spdx(components, text);
	const cJSON *item;

	if (found)
		return found;
	cJSON_ArrayForEach(item, components->license_names)
	{
		const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(item, "name"));

		if (name && strcasecmp(name, text) == 0)
			return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(item, "license"));
	}
	return NULL;
}

/* A mark that this file is searched for. */
struct search {
	const struct component *component;
	const struct mark *mark;
	char begins[KC_COMPONENTS_STRING_MAX + 1];
	size_t begins_length;
	char version[KC_COMPONENTS_VERSION_SIZE]; /* "" while there is none */
	bool is_ambiguous, is_beside;
};

/* False for a string that cannot be: longer than any that is looked at, or about a Python that is not known. */
static bool expand(const char *begins, const char *python, struct search *search)
{
	size_t before = strcspn(begins, "{");
	bool is_python = strncmp(begins + before, PYTHON, strlen(PYTHON)) == 0;
	int length = snprintf(search->begins, sizeof(search->begins), "%.*s%s%s", (int)before, begins,
			      is_python ? python : "", begins + before + (is_python ? strlen(PYTHON) : 0));

	search->begins_length = (size_t)length;
	return length > 0 && length < (int)sizeof(search->begins) && (!is_python || *python);
}

static size_t choose(const struct kc_components *components, const char *path, const char *python,
		     struct search *searches)
{
	size_t count = 0;

	for (size_t i = 0; i < components->count; i++) {
		const struct component *component = &components->items[i];

		for (size_t j = 0; j < component->mark_count; j++) {
			const struct mark *mark = &component->marks[j];

			searches[count] = (struct search){ .component = component,
							   .mark = mark,
							   .is_beside = !mark->beside };
			if (fnmatch(mark->files, path, 0) == 0 &&
			    expand(mark->begins, python, &searches[count]))
				count++;
		}
	}
	return count;
}

static void note_version(const char *version, size_t length, struct search *search)
{
	if (!length || length >= sizeof(search->version))
		return;
	if (*search->version &&
	    (strlen(search->version) != length || memcmp(search->version, version, length) != 0))
		search->is_ambiguous = true;
	memcpy(search->version, version, length);
	search->version[length] = '\0';
}

static void look(const char *string, size_t length, struct search *search)
{
	regmatch_t groups[2];

	if (!search->is_beside && strcmp(string, search->mark->beside) == 0)
		search->is_beside = true;
	if (length < search->begins_length || memcmp(string, search->begins, search->begins_length) != 0 ||
	    regexec(&search->mark->pattern, string, KC_ARRAY_LENGTH(groups), groups, 0) != 0)
		return;
	if (groups[1].rm_so >= 0)
		note_version(string + groups[1].rm_so, (size_t)(groups[1].rm_eo - groups[1].rm_so), search);
}

static bool is_printable(unsigned char byte)
{
	return byte >= 0x20 && byte < 0x7f;
}

static void look_everywhere(const unsigned char *bytes, size_t length, struct search *searches, size_t count)
{
	size_t start = 0;

	for (size_t i = 0; i < length; i++) {
		size_t string_length = i - start;

		if (is_printable(bytes[i]))
			continue;
		start = i + 1;
		/* What does not end in a NUL is no string of C. */
		if (bytes[i] || string_length < SHORTEST_STRING || string_length > KC_COMPONENTS_STRING_MAX)
			continue;
		for (size_t j = 0; j < count; j++)
			look((const char *)bytes + i - string_length, string_length, &searches[j]);
	}
}

static const char *license_of(const struct component *component, const char *version)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, component->licenses)
	{
		const char *since = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(item, "since"));

		if (!since || (*version && kc_policy_compare_versions(version, since) >= 0))
			return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(item, "license"));
		if (!*version)
			return NULL;
	}
	return NULL;
}

/* One component may have several marks: they have to agree. */
static size_t conclude(const struct search *searches, size_t count, struct kc_component *found)
{
	const struct component *last = NULL;
	size_t found_count = 0;

	for (size_t i = 0; i < count; i++) {
		const struct search *search = &searches[i];
		struct kc_component *one;

		if (!*search->version || !search->is_beside)
			continue;
		found_count += search->component != last;
		one = &found[found_count - 1];
		if (search->component != last) {
			*one = (struct kc_component){ .name = search->component->name,
						      .type = search->component->type,
						      .cpe = search->component->cpe };
			memcpy(one->version, search->version, sizeof(one->version));
		}
		if (search->is_ambiguous || strcmp(one->version, search->version) != 0)
			one->version[0] = '\0';
		last = search->component;
		one->license = license_of(last, one->version);
	}
	return found_count;
}

int kc_components_scan(const struct kc_components *components, const char *path, const char *python,
		       const void *bytes, size_t length, struct kc_component ret_found[KC_COMPONENTS_MAX],
		       size_t *ret_count, struct kc_error *err)
{
	KC_CLEANUP_FREE struct search *searches =
		calloc((size_t)KC_COMPONENTS_MAX * MOST_MARKS + 1, sizeof(*searches));
	size_t count;

	if (!searches)
		return kc_error_errno(err, ENOMEM, "look for components in `%s`", path);
	count = choose(components, path, python, searches);
	look_everywhere(bytes, length, searches, count);
	*ret_count = conclude(searches, count, ret_found);
	return 0;
}
