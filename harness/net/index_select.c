#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/json.h"
#include "net/index.h"

enum { MOST_VERSIONS_NAMED = 10 };

/* A file of the page that is a wheel of this project. */
struct candidate {
	const cJSON *file;
	struct kc_version version;
	char text[KC_VERSION_TEXT_SIZE];
	const char *platforms; /* the last part of the name, with ".whl" */
	int fit;	       /* 2: made for the machine, 1: for any, 0: for another */
	bool is_yanked;
};

struct candidates {
	struct candidate *items;
	size_t count;
	const struct kc_index_spec *spec;
	const char *machine;
};

static int usage_error(struct kc_error *err, const char *text, const char *cause)
{
	int status = kc_error_set(err, EINVAL, "volume `%.200s`: %s", text, cause);

	if (err)
		err->kind = KC_ERROR_USAGE;
	kc_error_hint(err, "write pypi:NAME or pypi:NAME==VERSION, for instance "
			   "pypi:backend.ai-krunner-static-gnu==4.4.0");
	return status;
}

int kc_index_spec_parse(const char *text, struct kc_index_spec *ret_spec, struct kc_error *err)
{
	const char *name = strncmp(text, "pypi:", 5) == 0 ? text + 5 : text;
	size_t length = strcspn(name, "=<>!~ ;[@");
	const char *version = name + length;
	struct kc_index_spec spec = { 0 };
	struct kc_version parsed;

	if (kc_name_normalize(name, length, spec.name) < 0)
		return usage_error(err, text, length ? "not the name of a package" : "no name of a package");
	if (*version && strncmp(version, "==", 2) != 0)
		return usage_error(err, text, "only NAME and NAME==VERSION are understood");
	if (*version) {
		version += 2;
		if (strchr(version, '*') || *version == '=')
			return usage_error(err, text, "only one exact version can be asked for");
		if (kc_version_parse(version, &parsed) < 0)
			return usage_error(err, text, "not a version (PEP 440)");
		(void)snprintf(spec.version, sizeof(spec.version), "%s", version);
	}
	*ret_spec = spec;
	return 0;
}

/* A name that may become part of a path and a terminal's line. */
static bool is_plain(const char *filename)
{
	size_t length = strlen(filename);

	return length < sizeof(((struct kc_index_file *)0)->filename) && filename[0] != '.' &&
	       strspn(filename, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+!-") ==
		       length;
}

static int fit_of(const char *platforms, const char *machine)
{
	size_t machine_length = strlen(machine);
	int fit = 0;

	/* A compressed set of tags; upstream's are not sorted. */
	for (const char *tag = platforms; *tag;) {
		size_t length = strcspn(tag, ".");

		if (length == 3 && strncmp(tag, "any", 3) == 0 && fit == 0)
			fit = 1;
		if (length > machine_length + 1 && tag[length - machine_length - 1] == '_' &&
		    strncmp(tag + length - machine_length, machine, machine_length) == 0)
			fit = 2;
		tag += length + (tag[length] == '.');
	}
	return fit;
}

/* NAME-VERSION[-BUILD]-PYTHON-ABI-PLATFORMS.whl, PEP 427. False if it is not that, or another project's. */
static bool read_filename(const char *filename, const struct candidates *all, struct candidate *candidate)
{
	const char *parts[6] = { filename };
	size_t count = 1, length = strlen(filename);
	char name[KC_NAME_SIZE];

	if (!is_plain(filename) || length < 4 || strcmp(filename + length - 4, ".whl") != 0)
		return false;
	for (const char *next = filename; (next = strchr(next, '-')); count++) {
		if (count == KC_ARRAY_LENGTH(parts))
			return false;
		parts[count] = ++next;
	}
	if (count < 5 || (size_t)(parts[2] - parts[1]) > sizeof(candidate->text))
		return false;
	(void)snprintf(candidate->text, sizeof(candidate->text), "%.*s", (int)(parts[2] - parts[1] - 1),
		       parts[1]);
	candidate->platforms = parts[count - 1];
	candidate->fit = fit_of(candidate->platforms, all->machine);
	return kc_version_parse(candidate->text, &candidate->version) == 0 &&
	       kc_name_normalize(filename, (size_t)(parts[1] - filename - 1), name) == 0 &&
	       strcmp(name, all->spec->name) == 0;
}

/* PEP 592: false, or true, or a reason. */
static bool is_yanked(const cJSON *file)
{
	const cJSON *yanked = cJSON_GetObjectItemCaseSensitive(file, "yanked");

	return cJSON_IsTrue(yanked) || cJSON_IsString(yanked);
}

/* A digest that was asked for decides alone. */
static bool has_digest(const cJSON *file, const char *sha256)
{
	const cJSON *hashes = cJSON_GetObjectItemCaseSensitive(file, "hashes");
	const cJSON *digest = cJSON_GetObjectItemCaseSensitive(hashes, "sha256");

	return cJSON_IsString(digest) && strcmp(digest->valuestring, sha256) == 0;
}

static int collect(const cJSON *files, struct candidates *all, struct kc_error *err)
{
	size_t count = (size_t)cJSON_GetArraySize(files);
	const cJSON *file = NULL;

	all->items = calloc(count ? count : 1, sizeof(*all->items));
	if (!all->items)
		return kc_error_errno(err, ENOMEM, "read the index");
	cJSON_ArrayForEach(file, files)
	{
		struct candidate *candidate = &all->items[all->count];
		const cJSON *filename = cJSON_GetObjectItemCaseSensitive(file, "filename");

		if (!cJSON_IsString(filename) || !read_filename(filename->valuestring, all, candidate))
			continue; /* a source distribution, or something newer than we know */
		candidate->file = file;
		if (*all->spec->sha256)
			candidate->fit = has_digest(file, all->spec->sha256) ? 2 : 0;
		candidate->is_yanked = is_yanked(file);
		all->count++;
	}
	return 0;
}

/* Newest first; of one version the one made for the machine first. */
static int compare_candidates(const void *a, const void *b)
{
	const struct candidate *left = a, *right = b;
	int order = kc_version_compare(&right->version, &left->version);

	if (order == 0)
		order = (left->is_yanked) - (right->is_yanked);
	return order ? order : right->fit - left->fit;
}

/* Appends up to ten different versions, newest first. */
static int name_versions(const struct candidates *all, struct kc_buffer *text)
{
	const struct candidate *last = NULL;
	size_t named = 0;
	int status = 0;

	for (size_t i = 0; i < all->count && status == 0; i++) {
		const struct candidate *next = &all->items[i];

		if (!next->fit || next->is_yanked ||
		    (last && kc_version_compare(&last->version, &next->version) == 0))
			continue;
		if (named++ == MOST_VERSIONS_NAMED)
			return kc_buffer_append_string(text, ", ...");
		status = kc_buffer_printf(text, "%s%s", last ? ", " : "", next->text);
		last = next;
	}
	return status;
}

static int nothing_fits(const struct candidates *all, bool has_pinned, struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer versions = KC_BUFFER_INIT(1024);
	const struct kc_index_spec *spec = all->spec;
	int status;

	if (all->count == 0)
		return kc_error_set(err, ENOENT, "find %s: the index has no wheel of it", spec->name);
	if (name_versions(all, &versions) < 0) /* cannot: ten short texts */
		kc_buffer_clear(&versions);
	if (has_pinned)
		status = kc_error_set(err, ENOENT, "find %s==%s: no wheel of that version %s %s", spec->name,
				      spec->version, *spec->sha256 ? "with SHA-256" : "for",
				      *spec->sha256 ? spec->sha256 : all->machine);
	else if (spec->version[0])
		status = kc_error_set(err, ENOENT, "find %s==%s: unknown version", spec->name, spec->version);
	else if (versions.length)
		status = kc_error_set(err, ENOENT, "find %s: only pre-releases for %s", spec->name,
				      all->machine);
	else
		status = kc_error_set(err, ENOENT, "find %s: no wheel for %s", spec->name, all->machine);
	if (versions.length)
		kc_error_hint(err, "choose one with pypi:%s==VERSION: for %s there are %s", spec->name,
			      all->machine, kc_buffer_string(&versions));
	else
		kc_error_hint(err, "for %s there is none at all", all->machine);
	return status;
}

static int choose(struct candidates *all, const struct candidate **ret_chosen, struct kc_error *err)
{
	bool is_pinned = all->spec->version[0] != '\0', has_pinned = false;
	struct kc_version wanted = { 0 };

	if (is_pinned && kc_version_parse(all->spec->version, &wanted) < 0)
		return kc_error_set(err, EINVAL, "find %s==%s: not a version", all->spec->name,
				    all->spec->version);
	qsort(all->items, all->count, sizeof(*all->items), compare_candidates);
	for (size_t i = 0; i < all->count; i++) {
		const struct candidate *next = &all->items[i];
		bool is_wanted = is_pinned ? kc_version_matches(&next->version, &wanted)
					   : !next->is_yanked && !kc_version_is_prerelease(&next->version);

		has_pinned |= is_pinned && is_wanted;
		if (is_wanted && next->fit) {
			*ret_chosen = next;
			return 0;
		}
	}
	return nothing_fits(all, has_pinned, err);
}

/* What is known about the chosen file, checked. `where` is what errors call it. */
static int describe(const struct candidate *chosen, const char *page_url, struct kc_index_file *ret_file,
		    struct kc_error *err)
{
	struct kc_index_file file = { .size = -1 };
	const cJSON *size = cJSON_GetObjectItemCaseSensitive(chosen->file, "size");
	const char *filename = NULL, *url = NULL, *sha256 = NULL;
	const cJSON *hashes = NULL;
	int status = kc_json_get_string(chosen->file, "filename", "index", &filename, err);

	if (status == 0)
		status = kc_json_get_string(chosen->file, "url", filename, &url, err);
	if (status == 0)
		status = kc_json_get_object(chosen->file, "hashes", filename, &hashes, err);
	if (status == 0)
		status = kc_json_get_string(hashes, "sha256", filename, &sha256, err);
	if (status == 0 && !kc_sha256_is_valid(sha256))
		status = kc_error_set(err, EBADMSG, "%s: \"sha256\" must be 64 lower-case hexadecimal digits",
				      filename);
	if (status < 0) {
		(void)kc_error_prefix(err, "refuse what the index says");
		kc_error_hint(err, "a file is used only if the index gives its sha256: use another index, or "
				   "give the wheel itself with --volume FILE");
		return status;
	}
	status = kc_url_resolve(page_url, url, file.url, err);
	if (status < 0)
		return status;
	if (cJSON_IsNumber(size) && size->valuedouble >= 0 && size->valuedouble < 9e15)
		file.size = (int64_t)size->valuedouble;
	(void)snprintf(file.filename, sizeof(file.filename), "%s", filename);
	(void)snprintf(file.version, sizeof(file.version), "%s", chosen->text);
	(void)snprintf(file.sha256, sizeof(file.sha256), "%s", sha256);
	*ret_file = file;
	return 0;
}

/* PEP 629 and 691: the major version says whether we can read it. */
static int check_api_version(const cJSON *page, const char *shown, struct kc_error *err)
{
	const cJSON *meta = NULL;
	const char *version = NULL;
	int status = kc_json_get_object(page, "meta", shown, &meta, err);

	if (status == 0)
		status = kc_json_get_string(meta, "api-version", shown, &version, err);
	if (status == 0 && strncmp(version, "1.", 2) != 0)
		status = kc_error_set(err, EBADMSG,
				      "%s: the index speaks another major version of its API than 1", shown);
	return status;
}

int kc_index_select(const char *text, size_t length, const char *page_url, const struct kc_index_spec *spec,
		    const char *machine, struct kc_index_file *ret_file, struct kc_error *err)
{
	struct candidates all = { .spec = spec, .machine = machine };
	const struct candidate *chosen = NULL;
	KC_CLEANUP_JSON cJSON *page = NULL;
	const cJSON *files = NULL;
	char shown[512];
	int status;

	kc_url_redact(page_url, shown, sizeof(shown));
	status = kc_json_parse(text, length, shown, &page, err);
	if (status == 0)
		status = check_api_version(page, shown, err);
	if (status == 0)
		status = kc_json_get_array(page, "files", shown, &files, err);
	if (status < 0) {
		kc_error_hint(err,
			      "the index gives no usable answer: check its URL (PIP_INDEX_URL, pip config)");
		return status;
	}
	status = collect(files, &all, err);
	if (status == 0)
		status = choose(&all, &chosen, err);
	if (status == 0)
		status = describe(chosen, page_url, ret_file, err);
	free(all.items);
	return status;
}
