#include "image/definition.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/embedded.h"
#include "base/json.h"

static const char prefix[] = "images/", suffix[] = ".json";

/* Where we are in the document, for messages and allocation. */
struct parser {
	char where[128];
	struct kc_error *err;
};

static int bad(struct parser *parser, const char *key, const char *what)
{
	return kc_error_set(parser->err, EBADMSG, "%s: \"%s\" %s", parser->where, key, what);
}

/* Relative, without "." and "..", empty components and trailing slash. */
static bool is_inner_path(const char *path)
{
	size_t length;

	for (;; path += length + 1) {
		length = strcspn(path, "/");
		if (length == 0 || (length == 1 && path[0] == '.') ||
		    (length == 2 && memcmp(path, "..", 2) == 0))
			return false;
		if (path[length] == '\0')
			return true;
	}
}

static int allocate(struct parser *parser, const cJSON *list, size_t size, void *ret_rows)
{
	void *rows = calloc((size_t)cJSON_GetArraySize(list) + 1, size);

	if (!rows)
		return kc_error_errno(parser->err, ENOMEM, "%s", parser->where);
	*(void **)ret_rows = rows;
	return 0;
}

static int get_strings(struct parser *parser, const cJSON *object, const char *key, const char ***ret_strings,
		       size_t *ret_count)
{
	const cJSON *array = NULL, *item;
	int status = kc_json_get_array(object, key, parser->where, &array, parser->err);

	if (status == 0)
		status = allocate(parser, array, sizeof(**ret_strings), ret_strings);
	if (status < 0)
		return status;
	cJSON_ArrayForEach(item, array)
	{
		if (!cJSON_IsString(item) || !*item->valuestring)
			return bad(parser, key, "must hold strings");
		(*ret_strings)[(*ret_count)++] = item->valuestring;
	}
	return 0;
}

/* An object of strings; the keys are paths in the image. */
static int get_pairs(struct parser *parser, const cJSON *object, const char *key,
		     struct kc_definition_pair **ret_pairs, size_t *ret_count)
{
	const cJSON *pairs = NULL, *item;
	int status = kc_json_get_object(object, key, parser->where, &pairs, parser->err);

	if (status == 0)
		status = allocate(parser, pairs, sizeof(**ret_pairs), ret_pairs);
	if (status < 0)
		return status;
	cJSON_ArrayForEach(item, pairs)
	{
		if (!cJSON_IsString(item) || !*item->valuestring)
			return bad(parser, item->string, "must be a string");
		if (!is_inner_path(item->string))
			return bad(parser, item->string, "must be a path below the root of the image");
		(*ret_pairs)[(*ret_count)++] = (struct kc_definition_pair){ item->string, item->valuestring };
	}
	return 0;
}

static int get_move(struct parser *parser, const cJSON *object, struct kc_image_source *source)
{
	int status = get_pairs(parser, object, "move", &source->move, &source->move_count);

	for (size_t i = 0; status == 0 && i < source->move_count; i++)
		if (!is_inner_path(source->move[i].value))
			status = bad(parser, source->move[i].path, "must go below the root of the image");
	return status;
}

static int get_ceilings(struct parser *parser, const cJSON *object, struct kc_image_source *source)
{
	const cJSON *ceilings = NULL, *item;
	int status = kc_json_get_object(object, "ceilings", parser->where, &ceilings, parser->err);

	if (status == 0)
		status = allocate(parser, ceilings, sizeof(*source->ceilings), &source->ceilings);
	if (status < 0)
		return status;
	cJSON_ArrayForEach(item, ceilings)
	{
		if (!cJSON_IsString(item) || !*item->valuestring ||
		    item->valuestring[strspn(item->valuestring, "0123456789.")] != '\0')
			return bad(parser, item->string, "must be a version of numbers and dots");
		source->ceilings[source->ceiling_count++] =
			(struct kc_elf_ceiling){ item->string, item->valuestring };
	}
	return 0;
}

static int get_directories(struct parser *parser, const cJSON *object, struct kc_image_source *source)
{
	struct kc_definition_pair *pairs = NULL;
	size_t count = 0;
	int status = get_pairs(parser, object, "directories", &pairs, &count);

	if (status == 0) {
		source->directories = calloc(count + 1, sizeof(*source->directories));
		status = source->directories ? 0 : kc_error_errno(parser->err, ENOMEM, "%s", parser->where);
	}
	for (size_t i = 0; status == 0 && i < count; i++) {
		const char *octal = pairs[i].value;

		if (octal[strspn(octal, "01234567")] != '\0' || strlen(octal) != 4)
			status = bad(parser, pairs[i].path, "must be a mode of four octal digits");
		else
			source->directories[source->directory_count++] =
				(struct kc_definition_directory){ pairs[i].path,
								  (mode_t)strtoul(octal, NULL, 8) };
	}
	free(pairs);
	return status;
}

static int get_files(struct parser *parser, const cJSON *object, struct kc_image_source *source)
{
	const cJSON *files = NULL, *item, *line;
	int status = kc_json_get_object(object, "files", parser->where, &files, parser->err);

	if (status == 0)
		status = allocate(parser, files, sizeof(*source->files), &source->files);
	if (status < 0)
		return status;
	cJSON_ArrayForEach(item, files)
	{
		if (!is_inner_path(item->string))
			return bad(parser, item->string, "must be a path below the root of the image");
		if (!cJSON_IsArray(item))
			return bad(parser, item->string, "must be an array of lines");
		cJSON_ArrayForEach(line, item)
		{
			if (!cJSON_IsString(line))
				return bad(parser, item->string, "must be an array of lines");
		}
		source->files[source->file_count++] = (struct kc_definition_file){ item->string, item };
	}
	return 0;
}

static int get_dpkg_architectures(struct parser *parser, const cJSON *object, struct kc_image_source *source)
{
	return get_pairs(parser, object, "architectures", &source->architectures,
			 &source->architecture_count);
}

static int get_packages(struct parser *parser, const cJSON *object, struct kc_image_source *source)
{
	int status = get_strings(parser, object, "packages", &source->packages, &source->package_count);

	return status < 0 ? status : get_strings(parser, object, "drop", &source->drop, &source->drop_count);
}

static int get_links(struct parser *parser, const cJSON *object, struct kc_image_source *source)
{
	return get_pairs(parser, object, "links", &source->links, &source->link_count);
}

static int get_certificates(struct parser *parser, const cJSON *object, struct kc_image_source *source)
{
	int status;

	if (!cJSON_GetObjectItemCaseSensitive(object, "certificates"))
		return 0;
	status =
		kc_json_get_string(object, "certificates", parser->where, &source->certificates, parser->err);
	if (status == 0 && !is_inner_path(source->certificates))
		status = bad(parser, "certificates", "must be a path below the root of the image");
	return status;
}

static int read_debian_packages(struct parser *parser, const cJSON *object, struct kc_image_source *source)
{
	static int (*const readers[])(struct parser *, const cJSON *, struct kc_image_source *) = {
		get_dpkg_architectures, get_packages,	 get_move,  get_ceilings,
		get_certificates,	get_directories, get_links, get_files
	};
	int status = 0;

	for (size_t i = 0; status == 0 && i < KC_ARRAY_LENGTH(readers); i++)
		status = readers[i](parser, object, source);
	return status;
}

static int read_wheel(struct parser *parser, const cJSON *item, bool is_archive,
		      struct kc_definition_wheel *wheel)
{
	static const char *const archive_keys[] = { "sha256", "archive", NULL };
	static const char *const files_keys[] = { "sha256", "files", NULL };
	int status = cJSON_IsObject(item)
			     ? kc_json_refuse_unknown(item, is_archive ? archive_keys : files_keys,
						      parser->where, parser->err)
			     : bad(parser, item->string, "must be an object");

	if (status == 0)
		status = kc_json_get_string(item, "sha256", parser->where, &wheel->sha256, parser->err);
	if (status == 0 && !kc_sha256_is_valid(wheel->sha256))
		status = bad(parser, "sha256", "must be 64 hexadecimal digits");
	if (status < 0)
		return status;
	return is_archive ? kc_json_get_string(item, "archive", parser->where, &wheel->archive, parser->err)
			  : get_pairs(parser, item, "files", &wheel->files, &wheel->file_count);
}

static int read_wheels(struct parser *parser, const cJSON *object, struct kc_image_source *source)
{
	const cJSON *wheels = NULL, *item;
	int status = kc_json_get_string(object, "package", parser->where, &source->package, parser->err);

	if (status == 0)
		status = kc_json_get_object(object, "wheels", parser->where, &wheels, parser->err);
	if (status == 0)
		status = allocate(parser, wheels, sizeof(*source->wheels), &source->wheels);
	if (status == 0)
		status = allocate(parser, wheels, sizeof(*source->architectures), &source->architectures);
	if (status < 0)
		return status;
	cJSON_ArrayForEach(item, wheels)
	{
		size_t index = source->architecture_count++;

		source->architectures[index] = (struct kc_definition_pair){ item->string, item->string };
		status = read_wheel(parser, item, source->kind == KC_SOURCE_WHEEL_ARCHIVE,
				    &source->wheels[index]);
		if (status < 0)
			return status;
	}
	return 0;
}

static int read_registry(struct parser *parser, const cJSON *object, struct kc_image_source *source)
{
	const cJSON *list = NULL, *item;
	int status = kc_json_get_string(object, "image", parser->where, &source->image, parser->err);

	if (status == 0)
		status = kc_json_get_array(object, "architectures", parser->where, &list, parser->err);
	if (status == 0)
		status = allocate(parser, list, sizeof(*source->architectures), &source->architectures);
	if (status < 0)
		return status;
	cJSON_ArrayForEach(item, list)
	{
		if (!cJSON_IsString(item) || !*item->valuestring)
			return bad(parser, "architectures", "must hold strings");
		source->architectures[source->architecture_count++] =
			(struct kc_definition_pair){ item->valuestring, item->valuestring };
	}
	return 0;
}

static const struct kind {
	const char *name;
	enum kc_image_source_kind kind;
	bool is_source, is_addition; /* what it may be */
	int (*read)(struct parser *parser, const cJSON *object, struct kc_image_source *source);
	const char *keys[13];
} kinds[] = {
	{ "debian-packages",
	  KC_SOURCE_DEBIAN_PACKAGES,
	  true,
	  true,
	  read_debian_packages,
	  { "kind", "fidelity", "architectures", "packages", "ceilings", "drop", "move", "certificates",
	    "directories", "links", "files" } },
	{ "wheel-archive",
	  KC_SOURCE_WHEEL_ARCHIVE,
	  true,
	  false,
	  read_wheels,
	  { "kind", "fidelity", "package", "wheels" } },
	{ "wheel-files", KC_SOURCE_WHEEL_FILES, false, true, read_wheels, { "kind", "package", "wheels" } },
	{ "registry",
	  KC_SOURCE_REGISTRY,
	  true,
	  false,
	  read_registry,
	  { "kind", "fidelity", "architectures", "image" } },
};

static const struct kind *find_kind(const char *name, bool is_addition)
{
	for (size_t i = 0; i < KC_ARRAY_LENGTH(kinds); i++)
		if (strcmp(kinds[i].name, name) == 0)
			return (is_addition ? kinds[i].is_addition : kinds[i].is_source) ? &kinds[i] : NULL;
	return NULL;
}

static int read_fidelity(struct parser *parser, const cJSON *object, bool is_addition,
			 struct kc_image_source *source)
{
	int status;

	if (is_addition)
		return cJSON_GetObjectItemCaseSensitive(object, "fidelity")
			       ? bad(parser, "fidelity", "is a source's to say, not an addition's")
			       : 0;
	status = kc_json_get_string(object, "fidelity", parser->where, &source->fidelity, parser->err);

	if (status == 0 && strcmp(source->fidelity, "real") != 0 && strcmp(source->fidelity, "emulated") != 0)
		status = bad(parser, "fidelity", "must be \"real\" or \"emulated\"");
	return status;
}

static int read_source(struct parser *parser, const cJSON *object, bool is_addition,
		       struct kc_image_source *source)
{
	const struct kind *kind = NULL;
	int status = kc_json_get_string(object, "kind", parser->where, &source->kind_name, parser->err);

	if (status < 0)
		return status;
	kind = find_kind(source->kind_name, is_addition);
	if (!kind)
		return bad(parser, "kind", "is none that is known here");
	source->kind = kind->kind;
	status = kc_json_refuse_unknown(object, kind->keys, parser->where, parser->err);
	if (status == 0)
		status = read_fidelity(parser, object, is_addition, source);
	if (status == 0)
		status = kind->read(parser, object, source);
	if (status == 0 && source->architecture_count == 0)
		status = bad(parser, "kind", "has no architecture");
	return status;
}

static int read_sources(struct parser *parser, const cJSON *sources, const char *name, bool is_addition,
			struct kc_image_source **ret_sources, size_t *ret_count)
{
	const cJSON *item;
	int status = allocate(parser, sources, sizeof(**ret_sources), ret_sources);

	if (status < 0)
		return status;
	cJSON_ArrayForEach(item, sources)
	{
		(void)snprintf(parser->where, sizeof(parser->where), "image %.64s: %s %zu", name,
			       is_addition ? "addition" : "source", *ret_count + 1);
		if (!cJSON_IsObject(item))
			return kc_error_set(parser->err, EBADMSG, "%s must be an object", parser->where);
		status = read_source(parser, item, is_addition, &(*ret_sources)[(*ret_count)++]);
		if (status < 0)
			return status;
	}
	return 0;
}

static int read_lists(struct parser *parser, struct kc_definition *definition)
{
	const cJSON *sources = NULL, *additions = NULL;
	bool has_additions = cJSON_GetObjectItemCaseSensitive(definition->document, "additions") != NULL;
	int status = kc_json_get_array(definition->document, "sources", parser->where, &sources, parser->err);

	if (status == 0 && has_additions)
		status = kc_json_get_array(definition->document, "additions", parser->where, &additions,
					   parser->err);
	if (status == 0 && cJSON_GetObjectItemCaseSensitive(definition->document, "aliases"))
		status = get_strings(parser, definition->document, "aliases", &definition->aliases,
				     &definition->alias_count);
	if (status == 0 && cJSON_GetArraySize(sources) == 0)
		status = bad(parser, "sources", "must not be empty");
	if (status == 0)
		status = read_sources(parser, sources, definition->name, false, &definition->sources,
				      &definition->source_count);
	if (status == 0 && has_additions)
		status = read_sources(parser, additions, definition->name, true, &definition->additions,
				      &definition->addition_count);
	return status;
}

static int read_image(struct parser *parser, struct kc_definition *definition)
{
	static const char *const keys[] = { "name",    "what",	  "libc",      "ca_bundle",
					    "aliases", "sources", "additions", NULL };
	static const char *const libc_keys[] = { "family", "version", NULL };
	const cJSON *image = definition->document, *libc = NULL;
	int status = cJSON_IsObject(image)
			     ? kc_json_refuse_unknown(image, keys, parser->where, parser->err)
			     : kc_error_set(parser->err, EBADMSG, "%s: must be an object", parser->where);

	if (status == 0)
		status = kc_json_get_string(image, "name", parser->where, &definition->name, parser->err);
	if (status == 0)
		status = kc_json_get_string(image, "what", parser->where, &definition->what, parser->err);
	if (status == 0)
		status = kc_json_get_string(image, "ca_bundle", parser->where, &definition->ca_bundle,
					    parser->err);
	if (status == 0)
		status = kc_json_get_object(image, "libc", parser->where, &libc, parser->err);
	if (status == 0)
		status = kc_json_refuse_unknown(libc, libc_keys, parser->where, parser->err);
	if (status == 0)
		status = kc_json_get_string(libc, "family", parser->where, &definition->libc_family,
					    parser->err);
	if (status == 0)
		status = kc_json_get_string(libc, "version", parser->where, &definition->libc_version,
					    parser->err);
	return status < 0 ? status : read_lists(parser, definition);
}

int kc_definition_parse(const char *text, size_t length, const char *name,
			struct kc_definition *ret_definition, struct kc_error *err)
{
	struct parser parser = { .err = err };
	int status;

	*ret_definition = (struct kc_definition){ 0 };
	(void)snprintf(parser.where, sizeof(parser.where), "`%.100s`", name);
	status = kc_json_parse(text, length, name, &ret_definition->document, err);
	if (status == 0)
		status = read_image(&parser, ret_definition);
	if (status == 0)
		status = kc_sha256_of(text, length, ret_definition->digest, err);
	if (status < 0)
		kc_definition_release(ret_definition);
	return status;
}

static int unknown_image(const char *name, struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer names = KC_BUFFER_INIT(512);
	char known[KC_IMAGE_NAME_SIZE];
	int status = kc_error_set(err, ENOENT, "image `%s`: there is no such image", name);

	for (size_t i = 0; kc_definition_name(i, known); i++)
		if (kc_buffer_printf(&names, "%s%s", i ? ", " : "", known) < 0)
			break; /* a hint may be incomplete */
	kc_error_hint(err, "images: %s", kc_buffer_string(&names));
	return status;
}

static int load_file(const char *name, struct kc_definition *ret_definition, struct kc_error *err)
{
	char file[128];
	const char *bytes = NULL;
	size_t length = 0;
	int written = snprintf(file, sizeof(file), "%s%s%s", prefix, name, suffix);

	if (written < 0 || (size_t)written >= sizeof(file) || !kc_embedded_find(file, &bytes, &length))
		return -ENOENT;
	return kc_definition_parse(bytes, length, file, ret_definition, err);
}

static bool has_alias(const struct kc_definition *definition, const char *name)
{
	for (size_t i = 0; i < definition->alias_count; i++)
		if (strcmp(definition->aliases[i], name) == 0)
			return true;
	return false;
}

int kc_definition_load(const char *name, struct kc_definition *ret_definition, struct kc_error *err)
{
	char known[KC_IMAGE_NAME_SIZE];
	int status = load_file(name, ret_definition, err);

	for (size_t i = 0; status == -ENOENT && kc_definition_name(i, known); i++) {
		status = load_file(known, ret_definition, err);
		if (status == 0 && !has_alias(ret_definition, name)) {
			kc_definition_release(ret_definition);
			status = -ENOENT;
		}
	}
	return status == -ENOENT ? unknown_image(name, err) : status;
}

static void release_sources(struct kc_image_source *sources, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct kc_image_source *source = &sources[i];

		for (size_t j = 0; source->wheels && j < source->architecture_count; j++)
			free(source->wheels[j].files);
		free(source->wheels);
		free(source->architectures);
		free(source->packages);
		free(source->drop);
		free(source->move);
		free(source->ceilings);
		free(source->directories);
		free(source->links);
		free(source->files);
	}
	free(sources);
}

void kc_definition_release(struct kc_definition *definition)
{
	release_sources(definition->sources, definition->source_count);
	release_sources(definition->additions, definition->addition_count);
	free(definition->aliases);
	cJSON_Delete(definition->document);
	*definition = (struct kc_definition){ 0 };
}

bool kc_source_has_architecture(const struct kc_image_source *source, const char *architecture,
				size_t *ret_index)
{
	for (size_t i = 0; i < source->architecture_count; i++) {
		if (strcmp(source->architectures[i].path, architecture) != 0)
			continue;
		*ret_index = i;
		return true;
	}
	return false;
}

bool kc_definition_name(size_t index, char ret_name[KC_IMAGE_NAME_SIZE])
{
	for (size_t i = 0; i < kc_embedded_count(); i++) {
		const char *file = kc_embedded_name(i);
		size_t length = strlen(file), around = sizeof(prefix) - 1 + sizeof(suffix) - 1;

		if (strncmp(file, prefix, sizeof(prefix) - 1) != 0 || length <= around || index-- > 0)
			continue;
		(void)snprintf(ret_name, KC_IMAGE_NAME_SIZE, "%.*s", (int)(length - around),
			       file + sizeof(prefix) - 1);
		return true;
	}
	return false;
}
