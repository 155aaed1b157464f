/* Sources and additions of kind "debian-packages". Which packages they are made of is written down by the first build, in
 * STORE/images/NAME-ARCHITECTURE-DEFINITION.json, and stays so until that file is removed. */
#include "image/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive/manifest.h"
#include "base/buffer.h"
#include "base/json.h"
#include "image/assemble.h"
#include "image/debian.h"
#include "sys/file.h"

enum { LOCK_LIMIT = 1 << 20, INFO_LIMIT = 1 << 20 };

/* What the steps share. */
struct opening {
	const struct kc_source_request *request;
	const struct kc_definition_pair *architecture; /* our name for it, and dpkg's */
	struct kc_debian_packages packages;
	char packages_directory[PATH_MAX];
	char lock_directory[PATH_MAX];
	char lock_file[PATH_MAX];
	char digest[KC_SHA256_HEX_SIZE];
	char key[256]; /* in the store */
	struct kc_source_result *result;
	struct kc_error *err;
};

static void cleanup_opening(struct opening *opening)
{
	kc_debian_release(&opening->packages);
}

static int name_paths(struct opening *opening)
{
	const struct {
		char *place;
		const char *below;
	} paths[] = { { opening->packages_directory, "packages" }, { opening->lock_directory, "images" } };
	int written = 0;

	for (size_t i = 0; i < KC_ARRAY_LENGTH(paths); i++) {
		written = snprintf(paths[i].place, PATH_MAX, "%s/%s", opening->request->store->path,
				   paths[i].below);
		if (written < 0 || written >= PATH_MAX)
			return kc_error_errno(opening->err, ENAMETOOLONG, "store `%s`",
					      opening->request->store->path);
	}
	written = snprintf(opening->lock_file, PATH_MAX, "%s/%s-%s-%.16s-%u.json", opening->lock_directory,
			   opening->request->definition->name, opening->architecture->path,
			   opening->request->definition->digest, opening->request->number);
	if (written < 0 || written >= PATH_MAX)
		return kc_error_errno(opening->err, ENAMETOOLONG, "store `%s`",
				      opening->request->store->path);
	return 0;
}

/* The digest covers all that the tree depends on. */
static int name_key(struct opening *opening)
{
	KC_CLEANUP_SHA256 struct kc_sha256 sha = { 0 };
	char line[512];
	int status = kc_sha256_start(&sha, opening->err), written;

	if (status < 0)
		return status;
	written = snprintf(line, sizeof(line), "%d %s %s %u\n", KC_IMAGE_BUILDER_VERSION,
			   opening->architecture->path, opening->request->definition->digest,
			   opening->request->number);
	kc_sha256_update(&sha, line, (size_t)written);
	for (size_t i = 0; i < opening->packages.count; i++) {
		written = snprintf(line, sizeof(line), "%s %s\n", opening->packages.rows[i].sha256,
				   opening->packages.rows[i].file); /* a file name is short */
		kc_sha256_update(&sha, line, (size_t)written);
	}
	status = kc_sha256_finish(&sha, opening->digest, opening->err);
	if (status == 0)
		(void)snprintf(opening->key, sizeof(opening->key), "image-%s-%s",
			       opening->request->definition->name, opening->digest);
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
	if (status == 0 && cJSON_GetArraySize(array) != (int)opening->request->source->package_count)
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

static int write_info(const struct opening *opening, const struct kc_elf_clamp_stats *stats,
		      struct kc_buffer *info, struct kc_error *err)
{
	KC_CLEANUP_JSON cJSON *object = cJSON_CreateObject();
	KC_CLEANUP_FREE char *text = NULL;
	cJSON *packages = kc_debian_write_json(&opening->packages), *clamped = NULL;
	bool complete = object && packages;

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
		.definition = opening->request->definition,
		.source = opening->request->source,
		.packages = &opening->packages,
		.directory = opening->packages_directory,
		.owner_id = kc_store_owner_id(),
	};
	struct kc_elf_clamp_stats stats = { 0 };
	int status;

	kc_store_tell(opening->request->store, "building image %s from %zu Debian packages",
		      opening->request->definition->name, opening->packages.count);
	status = kc_debian_fetch(opening->packages_directory, opening->architecture->value,
				 &opening->packages, opening->request->options->is_offline, err);

	if (status == 0)
		status = kc_assemble(&assembly, tree_fd, &stats, err);
	if (status == 0)
		status = kc_manifest_of_tree(tree_fd, manifest, err);
	return status < 0 ? status : write_info(opening, &stats, info, err);
}

/* The packages as the entry's info has them. */
static int take_info(struct opening *opening, const struct kc_buffer *info)
{
	KC_CLEANUP_JSON cJSON *object = NULL;
	int status = kc_json_parse(kc_buffer_string(info), info->length, opening->key, &object, opening->err);

	if (status < 0)
		return status;
	opening->result->packages = cJSON_DetachItemFromObjectCaseSensitive(object, "packages");
	return opening->result->packages
		       ? 0
		       : kc_error_set(opening->err, EBADMSG, "`%s` does not list its packages", opening->key);
}

static int get_tree(struct opening *opening)
{
	KC_CLEANUP_BUFFER struct kc_buffer info = KC_BUFFER_INIT(INFO_LIMIT);
	char tree[PATH_MAX];
	int status = name_key(opening);

	for (size_t i = 0; status == 0 && i < opening->packages.count; i++)
		kc_store_uses(opening->request->store, "packages/%s", opening->packages.rows[i].file);
	if (status == 0)
		status = kc_store_get(opening->request->store, opening->key, build, opening, tree, &info,
				      opening->err);
	if (status == 0)
		status = kc_layers_add(&opening->result->layers, tree, opening->err);
	if (status == 0)
		memcpy(opening->result->digest, opening->digest, sizeof(opening->digest));
	return status < 0 ? status : take_info(opening, &info);
}

/* Without a lock of packages, or one whose packages cannot be had any more. */
static int get_newest(struct opening *opening)
{
	const struct kc_source_request *request = opening->request;
	int status;

	kc_store_tell(request->store, "asking apt for the packages of image %s", request->definition->name);
	kc_debian_release(&opening->packages);
	kc_source_result_release(opening->result);
	status = kc_debian_resolve(opening->packages_directory, opening->architecture->value,
				   request->source->packages, request->source->package_count,
				   &opening->packages, opening->err);
	if (status == 0)
		status = get_tree(opening);
	return status < 0 ? status : write_lock(opening);
}

static int not_there(struct kc_error *err)
{
	int status = kc_error_set(err, ENOENT, "not in the store, and nothing may be downloaded (--offline)");

	kc_error_hint(err, "run it once without --offline");
	return status;
}

int kc_source_open_packages(const struct kc_source_request *request, struct kc_source_result *result,
			    struct kc_error *err)
{
	struct kc_error unlocked = { 0 };
	KC_CLEANUP(cleanup_opening)
	struct opening opening = { .request = request,
				   .architecture = &request->source->architectures[request->architecture],
				   .result = result,
				   .err = err };
	int status = name_paths(&opening);

	if (status < 0)
		return status;
	kc_store_uses(request->store, "%s", opening.lock_file + strlen(request->store->path) + 1);
	opening.err = &unlocked;
	status = request->options->renew ? -ENOENT : read_lock(&opening);
	if (status == 0)
		status = get_tree(&opening);
	opening.err = err;
	if (status == 0)
		return 0;
	if (!kc_source_failure_is_final(status) && !request->options->is_offline)
		return get_newest(&opening);
	if (request->options->is_offline && status == -ENOENT)
		return not_there(err);
	if (err)
		*err = unlocked;
	return status;
}
