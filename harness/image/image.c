#include "image/image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "archive/manifest.h"
#include "base/buffer.h"
#include "base/json.h"
#include "image/assemble.h"
#include "image/debian.h"
#include "image/definition.h"
#include "image/reference.h"
#include "image/rootfs.h"
#include "sys/file.h"

enum { LOCK_LIMIT = 1 << 20, INFO_LIMIT = 1 << 20 };

/* What the steps of opening share. */
struct opening {
	struct kc_store *store;
	struct kc_definition definition;
	const struct kc_image_source *source;
	const struct kc_definition_pair *architecture; /* of the source: our name for it, and dpkg's */
	struct kc_debian_packages packages;
	char packages_directory[PATH_MAX];
	char lock_directory[PATH_MAX];
	char lock_file[PATH_MAX];
	char key[256]; /* in the store */
	struct kc_image *image;
	struct kc_error *err;
};

static void cleanup_opening(struct opening *opening)
{
	kc_definition_release(&opening->definition);
	kc_debian_release(&opening->packages);
}

/* The first source that has the architecture. */
static int choose_source(struct opening *opening, const char *architecture)
{
	for (size_t i = 0; i < opening->definition.source_count && !opening->source; i++) {
		const struct kc_image_source *source = &opening->definition.sources[i];

		for (size_t j = 0; j < source->architecture_count; j++) {
			if (strcmp(source->architectures[j].path, architecture) != 0)
				continue;
			opening->source = source;
			opening->architecture = &source->architectures[j];
		}
	}
	return opening->source ? 0
			       : kc_error_set(opening->err, ENOTSUP, "no source for the architecture %s",
					      architecture);
}

static int name_paths(struct opening *opening)
{
	const struct {
		char *place;
		const char *below;
	} paths[] = { { opening->packages_directory, "packages" }, { opening->lock_directory, "images" } };
	int written = 0;

	for (size_t i = 0; i < KC_ARRAY_LENGTH(paths); i++) {
		written = snprintf(paths[i].place, PATH_MAX, "%s/%s", opening->store->path, paths[i].below);
		if (written < 0 || written >= PATH_MAX)
			return kc_error_errno(opening->err, ENAMETOOLONG, "store `%s`", opening->store->path);
	}
	written = snprintf(opening->lock_file, PATH_MAX, "%s/%s-%s-%.16s.json", opening->lock_directory,
			   opening->definition.name, opening->architecture->path, opening->definition.digest);
	if (written < 0 || written >= PATH_MAX)
		return kc_error_errno(opening->err, ENAMETOOLONG, "store `%s`", opening->store->path);
	return 0;
}

/* The digest covers all that the tree depends on. */
static int name_key(struct opening *opening)
{
	KC_CLEANUP_SHA256 struct kc_sha256 sha = { 0 };
	struct kc_image *image = opening->image;
	char line[512];
	int status = kc_sha256_start(&sha, opening->err), written;

	if (status < 0)
		return status;
	written = snprintf(line, sizeof(line), "%d %s %s\n", KC_IMAGE_BUILDER_VERSION,
			   opening->architecture->path, opening->definition.digest);
	kc_sha256_update(&sha, line, (size_t)written);
	for (size_t i = 0; i < opening->packages.count; i++) {
		written = snprintf(line, sizeof(line), "%s %s\n", opening->packages.rows[i].sha256,
				   opening->packages.rows[i].file); /* a file name is short */
		kc_sha256_update(&sha, line, (size_t)written);
	}
	status = kc_sha256_finish(&sha, image->digest, opening->err);
	if (status == 0)
		(void)snprintf(opening->key, sizeof(opening->key), "image-%s-%s", opening->definition.name,
			       image->digest);
	return status;
}

static int read_lock(struct opening *opening)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(LOCK_LIMIT);
	KC_CLEANUP_JSON cJSON *array = NULL;
	int status = kc_file_read(AT_FDCWD, opening->lock_file, &text, opening->err);

	if (status == 0)
		status = kc_json_parse(kc_buffer_string(&text), text.length, opening->lock_file, &array,
				       opening->err);
	if (status == 0 && cJSON_GetArraySize(array) != (int)opening->source->package_count)
		status = kc_error_set(opening->err, EBADMSG, "`%s` does not list every package",
				      opening->lock_file);
	return status < 0 ? status : kc_debian_read_json(array, &opening->packages, opening->err);
}

static int write_lock(const struct opening *opening)
{
	KC_CLEANUP_JSON cJSON *array = kc_debian_write_json(&opening->packages);
	KC_CLEANUP_FREE char *text = array ? cJSON_Print(array) : NULL;
	int status;

	if (!text)
		return kc_error_errno(opening->err, ENOMEM, "write `%s`", opening->lock_file);
	status = kc_dir_make(opening->lock_directory, opening->err);
	if (status < 0)
		return status;
	return kc_file_write_atomic(AT_FDCWD, opening->lock_file, text, strlen(text), 0600, opening->err);
}

static bool add_facts(cJSON *info, const struct opening *opening)
{
	const struct kc_definition *definition = &opening->definition;
	const struct {
		const char *key, *value;
	} facts[] = {
		{ "name", definition->name },
		{ "what", definition->what },
		{ "fidelity", opening->source->fidelity },
		{ "architecture", opening->architecture->path },
		{ "libc_family", definition->libc_family },
		{ "libc_version", definition->libc_version },
		{ "ca_bundle", definition->ca_bundle },
		{ "source", opening->source->kind },
		{ "digest", opening->image->digest },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(facts); i++)
		if (!cJSON_AddStringToObject(info, facts[i].key, facts[i].value))
			return false;
	return true;
}

static int write_info(const struct opening *opening, const struct kc_elf_clamp_stats *stats,
		      struct kc_buffer *info, struct kc_error *err)
{
	KC_CLEANUP_JSON cJSON *object = cJSON_CreateObject();
	KC_CLEANUP_FREE char *text = NULL;
	cJSON *packages = kc_debian_write_json(&opening->packages), *clamped = NULL;
	bool complete = object && packages && add_facts(object, opening);

	if (!complete || !cJSON_AddItemToObject(object, "packages", packages)) {
		cJSON_Delete(packages);
		return kc_error_errno(err, ENOMEM, "describe the image");
	}
	clamped = cJSON_AddObjectToObject(object, "clamped");
	if (clamped && cJSON_AddNumberToObject(clamped, "definitions", (double)stats->definitions) &&
	    cJSON_AddNumberToObject(clamped, "requirements", (double)stats->requirements) &&
	    cJSON_AddStringToObject(clamped, "libc_release", stats->release))
		text = cJSON_Print(object);
	if (!text || kc_buffer_append_string(info, text) < 0)
		return kc_error_errno(err, ENOMEM, "describe the image");
	return 0;
}

static int build(void *context, int tree_fd, struct kc_buffer *manifest, struct kc_buffer *info,
		 struct kc_error *err)
{
	struct opening *opening = context;
	struct kc_assembly assembly = {
		.definition = &opening->definition,
		.source = opening->source,
		.packages = &opening->packages,
		.directory = opening->packages_directory,
		.owner_id = kc_store_owner_id(),
	};
	struct kc_elf_clamp_stats stats = { 0 };
	int status;

	kc_store_tell(opening->store, "building image %s from %zu Debian packages", opening->definition.name,
		      opening->packages.count);
	status = kc_debian_fetch(opening->packages_directory, opening->architecture->value,
				 &opening->packages, err);

	if (status == 0)
		status = kc_assemble(&assembly, tree_fd, &stats, err);
	if (status == 0)
		status = kc_manifest_of_tree(tree_fd, manifest, err);
	return status < 0 ? status : write_info(opening, &stats, info, err);
}

int kc_image_read_info(struct kc_image *image, struct kc_error *err)
{
	const struct {
		const char *key;
		const char **place;
	} facts[] = {
		{ "name", &image->name },
		{ "architecture", &image->architecture },
		{ "fidelity", &image->fidelity },
		{ "libc_family", &image->libc_family },
		{ "libc_version", &image->libc_version },
		{ "ca_bundle", &image->ca_bundle },
	};
	int status = 0;

	for (size_t i = 0; status == 0 && i < KC_ARRAY_LENGTH(facts); i++)
		status = kc_json_get_string(image->info, facts[i].key, "image", facts[i].place, err);
	return status;
}

/* Taken from the definition, which the image's digest covers: what is stored of an image need not have them. */
static int take_ceilings(const struct opening *opening)
{
	const struct kc_image_source *source = opening->source;
	struct kc_image *image = opening->image;
	cJSON *object = cJSON_AddObjectToObject(image->info, "ceilings");

	image->ceilings = calloc(source->ceiling_count + 1, sizeof(*image->ceilings));
	if (!object || !image->ceilings)
		return kc_error_errno(opening->err, ENOMEM, "describe the image");
	for (size_t i = 0; i < source->ceiling_count; i++) {
		const cJSON *item = cJSON_AddStringToObject(object, source->ceilings[i].prefix,
							    source->ceilings[i].version);

		if (!item)
			return kc_error_errno(opening->err, ENOMEM, "describe the image");
		image->ceilings[image->ceiling_count++] =
			(struct kc_elf_ceiling){ .prefix = item->string, .version = item->valuestring };
	}
	return 0;
}

static int get_tree(struct opening *opening)
{
	KC_CLEANUP_BUFFER struct kc_buffer info = KC_BUFFER_INIT(INFO_LIMIT);
	char tree[PATH_MAX];
	int status = name_key(opening);

	if (status == 0)
		status =
			kc_store_get(opening->store, opening->key, build, opening, tree, &info, opening->err);
	if (status == 0)
		status = kc_layers_add(&opening->image->layers, tree, opening->err);
	if (status == 0)
		status = kc_json_parse(kc_buffer_string(&info), info.length, opening->key,
				       &opening->image->info, opening->err);
	if (status == 0)
		status = kc_image_read_info(opening->image, opening->err);
	return status < 0 ? status : take_ceilings(opening);
}

/* Without a lock of packages, or one whose packages cannot be had any more. */
static int get_newest(struct opening *opening)
{
	int status;

	kc_store_tell(opening->store, "asking apt for the packages of image %s", opening->definition.name);
	kc_debian_release(&opening->packages);
	kc_image_release(opening->image);
	status = kc_debian_resolve(opening->packages_directory, opening->architecture->value,
				   opening->source->packages, opening->source->package_count,
				   &opening->packages, opening->err);
	if (status == 0)
		status = get_tree(opening);
	return status < 0 ? status : write_lock(opening);
}

/* Failures that newer packages would meet as well. */
static bool is_final(int status)
{
	static const int final[] = { -EINTR, -ENOSPC, -EDQUOT, -EROFS, -EACCES, -ENOMEM, -EMFILE, -ENFILE };

	for (size_t i = 0; i < KC_ARRAY_LENGTH(final); i++)
		if (status == final[i])
			return true;
	return false;
}

static int open_defined(struct opening *opening, const char *name, const char *architecture)
{
	struct kc_error *err = opening->err, unlocked = { 0 };
	int status = kc_definition_load(name, &opening->definition, err);

	if (status < 0)
		return status;
	status = choose_source(opening, architecture);
	if (status == 0)
		status = name_paths(opening);
	if (status < 0)
		return status;
	opening->err = &unlocked;
	status = read_lock(opening);
	if (status == 0)
		status = get_tree(opening);
	opening->err = err;
	if (!is_final(status))
		return status == 0 ? 0 : get_newest(opening);
	if (err)
		*err = unlocked;
	return status;
}

static int open_any(struct kc_store *store, const struct kc_image_reference *reference,
		    const char *architecture, struct kc_image *image, struct kc_error *err)
{
	KC_CLEANUP(cleanup_opening) struct opening opening = { .store = store, .image = image, .err = err };
	int status;

	if (reference->kind != KC_IMAGE_DEFINED) {
		status = kc_rootfs_open(store, reference, architecture, image, err);
		return status < 0 ? kc_error_prefix(err, "image %s", reference->name) : 0;
	}
	status = open_defined(&opening, reference->place, architecture);
	/* An unknown name says so itself. */
	return status < 0 && opening.definition.name
		       ? kc_error_prefix(err, "image %s", opening.definition.name)
		       : status;
}

int kc_image_open(struct kc_store *store, const char *image, const char *architecture,
		  struct kc_image *ret_image, struct kc_error *err)
{
	struct kc_image_reference reference;
	struct utsname machine;
	int status;

	*ret_image = (struct kc_image){ 0 };
	if (!architecture && uname(&machine) < 0)
		return kc_error_errno(err, errno, "ask for this machine's architecture");
	status = kc_image_reference_parse(image, &reference, err);
	if (status == 0)
		status = open_any(store, &reference, architecture ? architecture : machine.machine, ret_image,
				  err);
	if (status < 0)
		kc_image_release(ret_image);
	return status;
}

void kc_image_release(struct kc_image *image)
{
	kc_layers_release(&image->layers);
	cJSON_Delete(image->info);
	free(image->ceilings);
	*image = (struct kc_image){ 0 };
}
