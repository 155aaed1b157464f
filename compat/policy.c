#include "compat/policy.h"

#include <ctype.h>
#include <errno.h>
#include <regex.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

enum {
	LONGEST_LINE = 4096, /* of an output; what is behind is not searched */
	MOST_GROUPS = 10     /* {0} to {9} */
};

struct explanation {
	const char *name, *cause, *hint;
	int signal;
	bool has_pattern;
	regex_t pattern;
};

struct kc_policy {
	cJSON *document; /* every string is borrowed from it */
	const cJSON *distros, *base_modules, *not_imported, *cpu_levels, *library_packages;
	struct kc_policy_keepalive keepalive;
	struct explanation *explanations;
	size_t explanation_count;
};

static bool is_module(const char *name)
{
	bool starts = true;

	for (; *name; name++) {
		if (starts ? !isalpha((unsigned char)*name) && *name != '_'
			   : !isalnum((unsigned char)*name) && !strchr("_.", *name))
			return false;
		starts = *name == '.';
	}
	return !starts;
}

static bool is_version(const char *text)
{
	bool starts = true;

	for (; *text; text++) {
		if (!isdigit((unsigned char)*text) && (starts || *text != '.'))
			return false;
		starts = *text == '.';
	}
	return !starts;
}

static int check_text(const cJSON *item, const char *where, struct kc_error *err)
{
	if (!cJSON_IsString(item) || !*item->valuestring)
		return kc_error_set(err, EBADMSG, "%s: must be a text that is not empty", where);
	return 0;
}

static int check_module(const char *name, const char *where, struct kc_error *err)
{
	return is_module(name) ? 0
			       : kc_error_set(err, EBADMSG, "%s: \"%s\" is not a module name", where, name);
}

/* The text of `item`, or of its `key` where the entries are objects. */
static const char *entry_name(const cJSON *item, const char *key)
{
	const cJSON *name = key ? cJSON_GetObjectItemCaseSensitive(item, key) : item;

	return cJSON_IsString(name) ? name->valuestring : "";
}

static int check_unique(const cJSON *list, const char *key, const char *where, struct kc_error *err)
{
	const cJSON *item;

	cJSON_ArrayForEach(
		item,
		list) for (const cJSON *before = list->child; before != item;
			   before =
				   before->next) if (strcmp(entry_name(item, key), entry_name(before, key)) ==
						     0) return kc_error_set(err, EBADMSG,
									    "%s: \"%s\" stands twice", where,
									    entry_name(item, key));
	return 0;
}

static int check_import(const cJSON *item, const char *where, struct kc_error *err)
{
	static const char *const known[] = { "module", "since", NULL };
	const char *module = NULL, *since = NULL;
	int status = kc_json_refuse_unknown(item, known, where, err);

	if (status == 0)
		status = kc_json_get_string(item, "module", where, &module, err);
	if (status == 0)
		status = check_module(module, where, err);
	if (status == 0 && cJSON_GetObjectItemCaseSensitive(item, "since"))
		status = kc_json_get_string(item, "since", where, &since, err);
	if (status == 0 && since && !is_version(since))
		return kc_error_set(err, EBADMSG, "%s: \"%s\" is not a version", where, since);
	return status;
}

static int check_imports(const cJSON *imports, const char *where, struct kc_error *err)
{
	const cJSON *item;

	if (cJSON_GetArraySize(imports) == 0)
		return kc_error_set(err, EBADMSG, "%s: no import is promised", where);
	cJSON_ArrayForEach(item, imports)
	{
		int status = check_import(item, where, err);

		if (status < 0)
			return status;
	}
	return check_unique(imports, "module", where, err);
}

static int check_names(const cJSON *distro, const char *key, const char *where, struct kc_error *err)
{
	const cJSON *names = NULL, *item;
	int status = kc_json_get_array(distro, key, where, &names, err);

	if (status < 0)
		return status;
	if (cJSON_GetArraySize(names) == 0)
		return kc_error_set(err, EBADMSG, "%s: \"%s\" names none", where, key);
	cJSON_ArrayForEach(item, names)
	{
		status = check_text(item, where, err);
		if (status < 0)
			return status;
	}
	return check_unique(names, NULL, where, err);
}

static int check_distro(const cJSON *distro, struct kc_error *err)
{
	static const char *const known[] = { "name",	"aliases", "libc", "must_pass_on", "optional_modules",
					     "imports", NULL };
	static const char *const optional[] = { "aliases", "optional_modules" };
	const char *name = NULL, *libc = NULL;
	const cJSON *imports = NULL;
	char where[128];
	int status = kc_json_get_string(distro, "name", "distros", &name, err);

	if (status < 0)
		return status;
	(void)snprintf(where, sizeof(where), "distro \"%s\"", name);
	status = kc_json_refuse_unknown(distro, known, where, err);
	if (status == 0)
		status = kc_json_get_string(distro, "libc", where, &libc, err);
	if (status == 0 && strcmp(libc, "glibc") != 0 && strcmp(libc, "musl") != 0)
		return kc_error_set(err, EBADMSG, "%s: \"libc\" must be \"glibc\" or \"musl\"", where);
	if (status == 0)
		status = check_names(distro, "must_pass_on", where, err);
	for (size_t i = 0; status == 0 && i < KC_ARRAY_LENGTH(optional); i++)
		if (cJSON_GetObjectItemCaseSensitive(distro, optional[i]))
			status = check_names(distro, optional[i], where, err);
	if (status == 0)
		status = kc_json_get_array(distro, "imports", where, &imports, err);
	return status < 0 ? status : check_imports(imports, where, err);
}

static bool lists(const cJSON *distro, const char *key, const char *name)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(distro, key))
	{
		if (strcmp(entry_name(item, NULL), name) == 0)
			return true;
	}
	return false;
}

/* NULL if there is none that is called so or has the alias. */
static const cJSON *find_distro(const cJSON *distros, const char *name)
{
	const cJSON *distro;

	cJSON_ArrayForEach(distro, distros)
	{
		if (strcmp(entry_name(distro, "name"), name) == 0 || lists(distro, "aliases", name))
			return distro;
	}
	return NULL;
}

/* A name leads to one distro: an alias that is also a name, or an alias of two, would hide one of them. */
static int check_aliases(const cJSON *distros, struct kc_error *err)
{
	const cJSON *distro, *alias;

	cJSON_ArrayForEach(distro, distros)
	{
		cJSON_ArrayForEach(alias, cJSON_GetObjectItemCaseSensitive(distro, "aliases"))
		{
			if (find_distro(distros, alias->valuestring) != distro ||
			    strcmp(entry_name(distro, "name"), alias->valuestring) == 0)
				return kc_error_set(err, EBADMSG, "distros: \"%s\" stands twice",
						    alias->valuestring);
		}
	}
	return 0;
}

static int read_distros(struct kc_policy *policy, struct kc_error *err)
{
	const cJSON *distro;
	int status = kc_json_get_array(policy->document, "distros", "policy", &policy->distros, err);

	if (status < 0)
		return status;
	if (cJSON_GetArraySize(policy->distros) == 0)
		return kc_error_set(err, EBADMSG, "distros: there is none");
	cJSON_ArrayForEach(distro, policy->distros)
	{
		status = check_distro(distro, err);
		if (status < 0)
			return status;
	}
	status = check_unique(policy->distros, "name", "distros", err);
	return status < 0 ? status : check_aliases(policy->distros, err);
}

static int read_base_modules(struct kc_policy *policy, struct kc_error *err)
{
	const cJSON *item;
	int status =
		kc_json_get_array(policy->document, "base_modules", "policy", &policy->base_modules, err);

	if (status < 0)
		return status;
	if (cJSON_GetArraySize(policy->base_modules) == 0)
		return kc_error_set(err, EBADMSG, "base_modules: there is none");
	cJSON_ArrayForEach(item, policy->base_modules)
	{
		status = check_text(item, "base_modules", err);
		if (status == 0)
			status = check_module(item->valuestring, "base_modules", err);
		if (status < 0)
			return status;
	}
	return check_unique(policy->base_modules, NULL, "base_modules", err);
}

static int read_not_imported(struct kc_policy *policy, struct kc_error *err)
{
	static const char *const known[] = { "module", "reason", NULL };
	static const char where[] = "not_imported";
	const cJSON *item;
	int status = kc_json_get_array(policy->document, where, "policy", &policy->not_imported, err);

	if (status < 0)
		return status;
	cJSON_ArrayForEach(item, policy->not_imported)
	{
		const char *module = NULL, *reason = NULL;

		status = kc_json_refuse_unknown(item, known, where, err);
		if (status == 0)
			status = kc_json_get_string(item, "module", where, &module, err);
		if (status == 0)
			status = check_module(module, where, err);
		if (status == 0)
			status = kc_json_get_string(item, "reason", where, &reason, err);
		if (status < 0)
			return status;
	}
	return check_unique(policy->not_imported, "module", where, err);
}

static int check_cpu_level(const cJSON *entry, struct kc_error *err)
{
	static const char *const texts[] = { "level", "architecture", "cpu" };
	static const char *const known[] = { "level", "architecture", "cpu", "promised", NULL };
	int status = kc_json_refuse_unknown(entry, known, "cpu_levels", err);

	for (size_t i = 0; i < KC_ARRAY_LENGTH(texts) && status == 0; i++)
		status = check_text(cJSON_GetObjectItemCaseSensitive(entry, texts[i]), "cpu_levels", err);
	if (status == 0 && !cJSON_IsBool(cJSON_GetObjectItemCaseSensitive(entry, "promised")))
		return kc_error_set(err, EBADMSG, "cpu_levels: \"promised\" must be true or false");
	return status;
}

static int read_cpu_levels(struct kc_policy *policy, struct kc_error *err)
{
	const cJSON *entry;
	int status = kc_json_get_array(policy->document, "cpu_levels", "policy", &policy->cpu_levels, err);

	if (status < 0)
		return status;
	cJSON_ArrayForEach(entry, policy->cpu_levels)
	{
		status = check_cpu_level(entry, err);
		if (status < 0)
			return status;
	}
	return check_unique(policy->cpu_levels, "level", "cpu_levels", err);
}

/* Of a number that fits: the caller has checked the range. */
static bool is_whole(double number)
{
	return (double)(int64_t)number == number;
}

static int read_keepalive(struct kc_policy *policy, struct kc_error *err)
{
	static const char *const known[] = { "ping_interval_ms",
					     "ping_tolerance_ms",
					     "hangup_ms",
					     "hangup_tolerance_ms",
					     "observe_ms",
					     "half_open_ms",
					     "proxy_idle_ms",
					     "clock_tolerance_ms",
					     "survives_newest_hangup",
					     NULL };
	struct kc_policy_keepalive *keepalive = &policy->keepalive;
	int64_t *const fields[] = { &keepalive->ping_interval_ms, &keepalive->ping_tolerance_ms,
				    &keepalive->hangup_ms,	  &keepalive->hangup_tolerance_ms,
				    &keepalive->observe_ms,	  &keepalive->half_open_ms,
				    &keepalive->proxy_idle_ms,	  &keepalive->clock_tolerance_ms };
	const cJSON *object = NULL, *survives;
	int status = kc_json_get_object(policy->document, "keepalive", "policy", &object, err);

	if (status == 0)
		status = kc_json_refuse_unknown(object, known, "keepalive", err);
	for (size_t i = 0; i < KC_ARRAY_LENGTH(fields) && status == 0; i++) {
		double number = 0;

		status = kc_json_get_number(object, known[i], "keepalive", &number, err);
		if (status == 0 && (number < 1 || number > 3600000 || !is_whole(number)))
			return kc_error_set(err, EBADMSG,
					    "keepalive: \"%s\" must be a whole number from 1 to 3600000",
					    known[i]);
		*fields[i] = (int64_t)number;
	}
	if (status < 0)
		return status;
	survives = cJSON_GetObjectItemCaseSensitive(object, "survives_newest_hangup");
	if (!cJSON_IsBool(survives))
		return kc_error_set(err, EBADMSG,
				    "keepalive: \"survives_newest_hangup\" must be true or false");
	keepalive->survives_newest_hangup = cJSON_IsTrue(survives);
	return 0;
}

/* What may stand in a template beside groups of the pattern: compat/policy.schema.json says what it becomes. */
enum placeholder {
	PLACE_NONE,
	PLACE_GROUP,
	PLACE_GROUP_OF_ALL,
	PLACE_IMAGE,
	PLACE_LIBC,
	PLACE_HAS,
	PLACE_PACKAGE
};

static const struct {
	const char *text;
	enum placeholder placeholder;
	bool needs_group; /* it is about the pattern's first group */
} placeholders[] = {
	{ "{image}", PLACE_IMAGE, false },
	{ "{libc}", PLACE_LIBC, false },
	{ "{has}", PLACE_HAS, true },
	{ "{package}", PLACE_PACKAGE, true },
};

/* What `brace` starts; with a pattern of `groups`, the whole ({0}) among them. */
static enum placeholder find_placeholder(const char *brace, size_t groups)
{
	for (size_t i = 0; i < KC_ARRAY_LENGTH(placeholders); i++)
		if (strncmp(brace, placeholders[i].text, strlen(placeholders[i].text)) == 0)
			return placeholders[i].needs_group && groups < 2 ? PLACE_NONE
									 : placeholders[i].placeholder;
	if (!isdigit((unsigned char)brace[1]) || (size_t)(brace[1] - '0') >= groups)
		return PLACE_NONE;
	if (brace[2] == '}')
		return PLACE_GROUP;
	return brace[2] == '*' && brace[3] == '}' ? PLACE_GROUP_OF_ALL : PLACE_NONE;
}

static int check_template(const char *template, size_t groups, const char *where, struct kc_error *err)
{
	for (const char *brace = strchr(template, '{'); brace; brace = strchr(brace + 1, '{'))
		if (find_placeholder(brace, groups) == PLACE_NONE)
			return kc_error_set(err, EBADMSG, "%s: unknown placeholder at \"%.20s\"", where,
					    brace);
	return 0;
}

static int read_pattern(const cJSON *object, struct explanation *row, const char *where, struct kc_error *err)
{
	const char *pattern = NULL;
	char reason[128];
	int status = kc_json_get_string(object, "pattern", where, &pattern, err), code;

	if (status < 0)
		return status;
	code = regcomp(&row->pattern, pattern, REG_EXTENDED);
	if (code != 0) {
		(void)regerror(code, &row->pattern, reason, sizeof(reason));
		return kc_error_set(err, EBADMSG, "%s: \"pattern\": %s", where, reason);
	}
	row->has_pattern = true;
	return 0;
}

static int read_signal(const cJSON *object, struct explanation *row, const char *where, struct kc_error *err)
{
	double number = 0;
	int status = kc_json_get_number(object, "signal", where, &number, err);

	if (status == 0 && (number < 1 || number > 64 || !is_whole(number)))
		return kc_error_set(err, EBADMSG, "%s: \"signal\" must be from 1 to 64", where);
	row->signal = (int)number;
	return status;
}

static int read_explanation(const cJSON *object, struct explanation *row, struct kc_error *err)
{
	static const char *const known[] = { "name", "pattern", "signal", "cause", "hint", NULL };
	bool by_pattern = cJSON_GetObjectItemCaseSensitive(object, "pattern") != NULL;
	bool by_signal = cJSON_GetObjectItemCaseSensitive(object, "signal") != NULL;
	size_t groups;
	char where[128];
	int status = kc_json_get_string(object, "name", "explanations", &row->name, err);

	if (status < 0)
		return status;
	(void)snprintf(where, sizeof(where), "explanation \"%s\"", row->name);
	status = kc_json_refuse_unknown(object, known, where, err);
	if (status == 0 && by_pattern == by_signal)
		return kc_error_set(err, EBADMSG, "%s: either \"pattern\" or \"signal\" is needed", where);
	if (status == 0)
		status = by_pattern ? read_pattern(object, row, where, err)
				    : read_signal(object, row, where, err);
	if (status == 0)
		status = kc_json_get_string(object, "cause", where, &row->cause, err);
	if (status == 0)
		status = kc_json_get_string(object, "hint", where, &row->hint, err);
	if (status < 0)
		return status;
	groups = row->has_pattern ? row->pattern.re_nsub + 1 : 0;
	if (groups > MOST_GROUPS)
		return kc_error_set(err, EBADMSG, "%s: more than 9 groups", where);
	status = check_template(row->cause, groups, where, err);
	return status < 0 ? status : check_template(row->hint, groups, where, err);
}

static int read_explanations(struct kc_policy *policy, struct kc_error *err)
{
	const cJSON *list = NULL, *item;
	int status = kc_json_get_array(policy->document, "explanations", "policy", &list, err);

	if (status == 0)
		status = check_unique(list, "name", "explanations", err);
	if (status < 0)
		return status;
	policy->explanations = calloc((size_t)cJSON_GetArraySize(list) + 1, sizeof(*policy->explanations));
	if (!policy->explanations)
		return kc_error_errno(err, ENOMEM, "explanations");
	cJSON_ArrayForEach(item, list)
	{
		status = read_explanation(item, &policy->explanations[policy->explanation_count++], err);
		if (status < 0)
			return status;
	}
	return 0;
}

static int read_library_packages(struct kc_policy *policy, struct kc_error *err)
{
	static const char *const known[] = { "library", "package", NULL };
	const cJSON *item;
	int status = kc_json_get_array(policy->document, "library_packages", "policy",
				       &policy->library_packages, err);

	if (status < 0)
		return status;
	cJSON_ArrayForEach(item, policy->library_packages)
	{
		status = kc_json_refuse_unknown(item, known, "library_packages", err);
		for (size_t i = 0; status == 0 && known[i]; i++)
			status = check_text(cJSON_GetObjectItemCaseSensitive(item, known[i]),
					    "library_packages", err);
		if (status < 0)
			return status;
	}
	return check_unique(policy->library_packages, "library", "library_packages", err);
}

static int read_policy(struct kc_policy *policy, struct kc_error *err)
{
	static const char *const known[] = { "$schema",	     "version",	   "distros",	"base_modules",
					     "not_imported", "cpu_levels", "keepalive", "library_packages",
					     "explanations", NULL };
	static int (*const readers[])(struct kc_policy *, struct kc_error *) = {
		read_distros,	read_base_modules,     read_not_imported, read_cpu_levels,
		read_keepalive, read_library_packages, read_explanations
	};
	double version = 0;
	int status;

	if (!cJSON_IsObject(policy->document))
		return kc_error_set(err, EBADMSG, "not a JSON object");
	status = kc_json_refuse_unknown(policy->document, known, "policy", err);
	if (status == 0)
		status = kc_json_get_number(policy->document, "version", "policy", &version, err);
	if (status == 0 && version != 1)
		return kc_error_set(err, EBADMSG, "policy: version %g is not known, only 1 is", version);
	for (size_t i = 0; i < KC_ARRAY_LENGTH(readers) && status == 0; i++)
		status = readers[i](policy, err);
	return status;
}

int kc_policy_load(const char *json, size_t length, const char *name, struct kc_policy **ret_policy,
		   struct kc_error *err)
{
	KC_CLEANUP_POLICY struct kc_policy *policy = calloc(1, sizeof(*policy));
	int status;

	if (!policy)
		return kc_error_errno(err, ENOMEM, "read `%s`", name);
	status = kc_json_parse(json, length, name, &policy->document, err);
	if (status < 0)
		return status;
	status = read_policy(policy, err);
	if (status < 0) {
		(void)kc_error_prefix(err, "read `%s`", name);
		return status;
	}
	*ret_policy = KC_STEAL(policy);
	return 0;
}

void kc_policy_release(struct kc_policy **policy)
{
	if (!*policy)
		return;
	for (size_t i = 0; i < (*policy)->explanation_count; i++)
		if ((*policy)->explanations[i].has_pattern)
			regfree(&(*policy)->explanations[i].pattern);
	free((*policy)->explanations);
	cJSON_Delete((*policy)->document);
	free(*policy);
	*policy = NULL;
}

void kc_policy_names_release(struct kc_policy_names *names)
{
	free(names->items);
	*names = (struct kc_policy_names){ 0 };
}

/* Appends to a string in a buffer of `size`, cutting at its end. */
static void append(char *text, size_t size, const char *bytes, size_t length)
{
	size_t used = strlen(text);

	if (length > size - 1 - used)
		length = size - 1 - used;
	memcpy(text + used, bytes, length);
	text[used + length] = '\0';
}

static const cJSON *find_entry(const cJSON *list, const char *key, const char *name)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, list) if (strcmp(entry_name(item, key), name) == 0) return item;
	return NULL;
}

static const cJSON *get_distro(const struct kc_policy *policy, const char *name, struct kc_error *err)
{
	const cJSON *distro = find_distro(policy->distros, name), *item;
	char known[256] = "";

	if (distro)
		return distro;
	(void)kc_error_set(err, ENOENT, "the policy does not know volumes of kind `%s`", name);
	cJSON_ArrayForEach(item, policy->distros)
	{
		append(known, sizeof(known), " ", 1);
		append(known, sizeof(known), entry_name(item, "name"), strlen(entry_name(item, "name")));
	}
	kc_error_hint(err, "it knows:%s", known);
	return NULL;
}

/* The names of a list, without the imports that are promised only later than `version`. */
static int collect(const cJSON *list, const char *key, const char *version, struct kc_policy_names *ret_names,
		   struct kc_error *err)
{
	const char **items = calloc((size_t)cJSON_GetArraySize(list) + 1, sizeof(*items));
	const cJSON *item;
	size_t count = 0;

	if (!items)
		return kc_error_errno(err, ENOMEM, "read the policy");
	cJSON_ArrayForEach(item, list)
	{
		const cJSON *since = key ? cJSON_GetObjectItemCaseSensitive(item, "since") : NULL;

		if (version && since && kc_policy_compare_versions(version, since->valuestring) < 0)
			continue;
		items[count++] = entry_name(item, key);
	}
	*ret_names = (struct kc_policy_names){ .items = items, .count = count };
	return 0;
}

int kc_policy_promised_imports(const struct kc_policy *policy, const char *distro,
			       const char *package_version, struct kc_policy_names *ret_names,
			       struct kc_error *err)
{
	const cJSON *found = get_distro(policy, distro, err);

	if (!found)
		return -ENOENT;
	return collect(cJSON_GetObjectItemCaseSensitive(found, "imports"), "module", package_version,
		       ret_names, err);
}

int kc_policy_images(const struct kc_policy *policy, const char *distro, struct kc_policy_names *ret_names,
		     struct kc_error *err)
{
	const cJSON *found = get_distro(policy, distro, err);

	if (!found)
		return -ENOENT;
	return collect(cJSON_GetObjectItemCaseSensitive(found, "must_pass_on"), NULL, NULL, ret_names, err);
}

int kc_policy_base_modules(const struct kc_policy *policy, const char *distro,
			   struct kc_policy_names *ret_names, struct kc_error *err)
{
	const cJSON *found = get_distro(policy, distro, err);
	size_t count = 0;
	int status = found ? collect(policy->base_modules, NULL, NULL, ret_names, err) : -ENOENT;

	for (size_t i = 0; status == 0 && i < ret_names->count; i++)
		if (!lists(found, "optional_modules", ret_names->items[i]))
			ret_names->items[count++] = ret_names->items[i];
	if (status == 0)
		ret_names->count = count;
	return status;
}

const char *kc_policy_why_not_imported(const struct kc_policy *policy, const char *module)
{
	const cJSON *entry = find_entry(policy->not_imported, "module", module);

	return entry ? entry_name(entry, "reason") : NULL;
}

int kc_policy_cpu_levels(const struct kc_policy *policy, const char *architecture,
			 struct kc_policy_names *ret_names, struct kc_error *err)
{
	size_t count = 0;
	int status = collect(policy->cpu_levels, "level", NULL, ret_names, err);

	for (size_t i = 0; status == 0 && i < ret_names->count; i++) {
		struct kc_policy_cpu_level level;

		if (kc_policy_cpu_level(policy, ret_names->items[i], &level) &&
		    strcmp(level.architecture, architecture) == 0)
			ret_names->items[count++] = ret_names->items[i];
	}
	if (status == 0)
		ret_names->count = count;
	return status;
}

bool kc_policy_cpu_level(const struct kc_policy *policy, const char *level,
			 struct kc_policy_cpu_level *ret_level)
{
	const cJSON *entry = find_entry(policy->cpu_levels, "level", level);

	if (!entry)
		return false;
	*ret_level = (struct kc_policy_cpu_level){
		.level = entry_name(entry, "level"),
		.architecture = entry_name(entry, "architecture"),
		.cpu = entry_name(entry, "cpu"),
		.is_promised = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(entry, "promised")),
	};
	return true;
}

const char *kc_policy_libc(const struct kc_policy *policy, const char *distro)
{
	const cJSON *found = find_distro(policy->distros, distro);

	return found ? entry_name(found, "libc") : NULL;
}

const struct kc_policy_keepalive *kc_policy_keepalive(const struct kc_policy *policy)
{
	return &policy->keepalive;
}

/* A line of the output, and what the pattern of a row found in it. */
struct match {
	char line[LONGEST_LINE];
	regmatch_t groups[MOST_GROUPS];
};

/* The next line from *at on that the row's pattern is found in; *at goes behind it. */
static bool find_line(const struct explanation *row, const struct kc_policy_evidence *evidence, size_t *at,
		      struct match *match)
{
	while (evidence->output && *at < evidence->length) {
		const char *line = evidence->output + *at;
		const char *end = memchr(line, '\n', evidence->length - *at);
		size_t length = end ? (size_t)(end - line) : evidence->length - *at;
		size_t taken = length < sizeof(match->line) ? length : sizeof(match->line) - 1;

		memcpy(match->line, line, taken);
		match->line[taken] = '\0'; /* an earlier NUL hides the rest of its line only */
		*at += length + 1;
		if (regexec(&row->pattern, match->line, MOST_GROUPS, match->groups, 0) == 0)
			return true;
	}
	return false;
}

static void append_group(char *text, size_t size, const struct match *match, size_t group)
{
	const regmatch_t *place = &match->groups[group];

	if (place->rm_so >= 0)
		append(text, size, match->line + place->rm_so, (size_t)(place->rm_eo - place->rm_so));
}

/* The same but for that group: what a loader says of each symbol of one library. */
static bool differs_in(const struct match *first, const struct match *other, size_t group)
{
	const regmatch_t *here = &first->groups[group], *there = &other->groups[group];

	return here->rm_so >= 0 && here->rm_so == there->rm_so &&
	       memcmp(first->line, other->line, (size_t)here->rm_so) == 0 &&
	       strcmp(first->line + here->rm_eo, other->line + there->rm_eo) == 0;
}

enum { MOST_LISTED = 8 };

/* Some texts, each once. */
struct texts {
	char list[MOST_LISTED][128];
	size_t count;
	bool has_more;
};

static void add_text(struct texts *texts, const char *text)
{
	for (size_t i = 0; i < texts->count; i++)
		if (strcmp(texts->list[i], text) == 0)
			return;
	if (texts->count == MOST_LISTED)
		texts->has_more = true;
	else
		append(texts->list[texts->count++], sizeof(texts->list[0]), text, strlen(text));
}

/* "a", "a and b", "a, b and c", in the order of the output; "a, b and more", where there are too many. */
static void append_group_of_all(char *text, size_t size, const struct match *first, size_t group,
				const struct explanation *row, const struct kc_policy_evidence *evidence)
{
	struct texts names = { .count = 0 };
	size_t at = 0;
	struct match match;

	while (find_line(row, evidence, &at, &match)) {
		char name[sizeof(names.list[0])] = "";

		append_group(name, sizeof(name), &match, group);
		if (differs_in(first, &match, group))
			add_text(&names, name);
	}
	for (size_t i = 0; i < names.count; i++) {
		bool is_last = i + 1 == names.count && !names.has_more;
		const char *between = i == 0 ? "" : is_last ? " and " : ", ";

		append(text, size, between, strlen(between));
		append(text, size, names.list[i], strlen(names.list[i]));
	}
	if (names.has_more)
		append(text, size, " and more", strlen(" and more"));
}

/* " (its newest is CXXABI_1.3.7)" for a first group of CXXABI_1.3.9, if the image's ceiling is known. */
static void append_ceiling(char *text, size_t size, const struct match *match,
			   const struct kc_policy_evidence *evidence)
{
	char wanted[64] = "", has[160];

	append_group(wanted, sizeof(wanted), match, 1);
	wanted[strcspn(wanted, "_")] = '\0';
	for (size_t i = 0; i < evidence->ceiling_count; i++) {
		const struct kc_policy_ceiling *ceiling = &evidence->ceilings[i];

		if (strcmp(ceiling->prefix, wanted) != 0)
			continue;
		(void)snprintf(has, sizeof(has), " (its newest is %s_%s)", ceiling->prefix, ceiling->version);
		append(text, size, has, strlen(has));
	}
}

/* "libffi" for a first group of libffi.so.8, if that is a library whose package is known. */
static void append_package(char *text, size_t size, const struct match *match, const struct kc_policy *policy)
{
	char library[128] = "";
	const char *package = "the package that brings it", *end;
	const cJSON *entry;

	append_group(library, sizeof(library), match, 1);
	end = strstr(library, ".so");
	if (end)
		library[end - library] = '\0';
	entry = find_entry(policy->library_packages, "library", library);
	if (entry)
		package = entry_name(entry, "package");
	append(text, size, package, strlen(package));
}

struct expansion {
	const struct kc_policy *policy;
	const struct explanation *row;
	const struct kc_policy_evidence *evidence;
	const struct match *match;
};

static void expand_one(const struct expansion *expansion, const char *brace, char *text, size_t size)
{
	const struct kc_policy_evidence *evidence = expansion->evidence;
	const char *image = evidence->image ? evidence->image : "the image";
	const char *libc = evidence->libc ? evidence->libc : "the C library";
	size_t group = (size_t)(brace[1] - '0');

	switch (find_placeholder(brace, MOST_GROUPS)) { /* check_template has seen that the group is there */
	case PLACE_GROUP:
		append_group(text, size, expansion->match, group);
		break;
	case PLACE_GROUP_OF_ALL:
		append_group_of_all(text, size, expansion->match, group, expansion->row, evidence);
		break;
	case PLACE_IMAGE:
		append(text, size, image, strlen(image));
		break;
	case PLACE_LIBC:
		append(text, size, libc, strlen(libc));
		break;
	case PLACE_HAS:
		append_ceiling(text, size, expansion->match, evidence);
		break;
	case PLACE_PACKAGE:
		append_package(text, size, expansion->match, expansion->policy);
		break;
	case PLACE_NONE:
		break;
	}
}

static void expand(const struct expansion *expansion, const char *template, char *text, size_t size)
{
	text[0] = '\0';
	while (*template) {
		size_t plain = strcspn(template, "{");

		append(text, size, template, plain);
		template += plain;
		if (!*template)
			break;
		expand_one(expansion, template, text, size);
		template = strchr(template, '}') + 1; /* check_template has seen it */
	}
}

int kc_policy_explain(const struct kc_policy *policy, const struct kc_policy_evidence *evidence,
		      struct kc_policy_explanation *ret_explanation)
{
	for (size_t i = 0; i < policy->explanation_count; i++) {
		const struct explanation *row = &policy->explanations[i];
		struct match match;
		const struct expansion expansion = {
			.policy = policy, .row = row, .evidence = evidence, .match = &match
		};
		size_t at = 0;

		if (row->has_pattern ? !find_line(row, evidence, &at, &match)
				     : row->signal != evidence->signal)
			continue;
		ret_explanation->name = row->name;
		expand(&expansion, row->cause, ret_explanation->cause, sizeof(ret_explanation->cause));
		expand(&expansion, row->hint, ret_explanation->hint, sizeof(ret_explanation->hint));
		return 1;
	}
	return 0;
}

/* Compares the numbers that both texts start with (none counts as 0) and moves behind them. */
static int compare_numbers(const char **left, const char **right)
{
	size_t left_length, right_length;
	int order;

	*left += strspn(*left, "0");
	*right += strspn(*right, "0");
	left_length = strspn(*left, "0123456789");
	right_length = strspn(*right, "0123456789");
	if (left_length != right_length)
		order = left_length < right_length ? -1 : 1;
	else
		order = memcmp(*left, *right, left_length);
	*left += left_length;
	*right += right_length;
	return order;
}

/* Where a version with this ending stands, relative to the release without one. */
static int ending_rank(const char **text)
{
	static const struct {
		const char *ending;
		int rank;
	} endings[] = { { "dev", -4 }, { "rc", -1 }, { "post", 1 }, { "a", -3 }, { "b", -2 } };

	*text += strspn(*text, ".-_");
	for (size_t i = 0; i < KC_ARRAY_LENGTH(endings); i++) {
		size_t length = strlen(endings[i].ending);

		if (strncmp(*text, endings[i].ending, length) == 0) {
			*text += length;
			return endings[i].rank;
		}
	}
	return 0;
}

int kc_policy_compare_versions(const char *left, const char *right)
{
	int order = compare_numbers(&left, &right);

	while (order == 0 && ((left[0] == '.' && isdigit((unsigned char)left[1])) ||
			      (right[0] == '.' && isdigit((unsigned char)right[1])))) {
		left += left[0] == '.' && isdigit((unsigned char)left[1]);
		right += right[0] == '.' && isdigit((unsigned char)right[1]);
		order = compare_numbers(&left, &right);
	}
	if (order == 0)
		order = ending_rank(&left) - ending_rank(&right);
	return order ? order : compare_numbers(&left, &right);
}
