#include "image/container.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buffer.h"
#include "image/unpack.h"
#include "sys/fd.h"
#include "sys/file.h"

/* --- Layers --- */

struct layer {
	kc_container_open_layer *open;
	void *context;
	size_t index;
	char name[32];
	int fd;
};

static int open_source(void *context, struct kc_source *ret_source, struct kc_error *err)
{
	struct layer *layer = context;
	int status;

	kc_fd_close(&layer->fd);
	status = layer->open(layer->context, layer->index, &layer->fd, err);
	return status < 0 ? status : kc_source_open_fd(ret_source, layer->fd, layer->name, err);
}

static int get_layer(struct kc_store *store, const struct kc_oci_config *config,
		     const struct kc_oci_blob *blobs, struct layer *layer, char ret_tree[PATH_MAX],
		     struct kc_error *err)
{
	char key[128];
	const struct kc_unpacking unpacking = { .key = key,
						.what = layer->name,
						.is_layer = true,
						.sha256 = blobs ? blobs[layer->index].sha256 : NULL,
						.decoded_sha256 = config->diff_ids[layer->index],
						.open = open_source,
						.context = layer };
	int status;

	(void)snprintf(layer->name, sizeof(layer->name), "layer %zu of %zu", layer->index + 1,
		       config->layer_count);
	(void)snprintf(key, sizeof(key), "layer-%s", config->diff_ids[layer->index]);
	status = kc_unpack(store, &unpacking, ret_tree, err);
	kc_fd_close(&layer->fd);
	return status;
}

/* Is there above, too: all that it has is seen from there, and overlayfs takes no directory twice. */
static bool is_repeated(const struct kc_oci_config *config, size_t index)
{
	for (size_t i = index + 1; i < config->layer_count; i++)
		if (strcmp(config->diff_ids[i], config->diff_ids[index]) == 0)
			return true;
	return false;
}

int kc_container_get_layers(struct kc_store *store, const struct kc_oci_config *config,
			    const struct kc_oci_blob *blobs, kc_container_open_layer *open_layer,
			    void *context, struct kc_layers *layers, struct kc_error *err)
{
	for (size_t i = config->layer_count; i-- > 0;) {
		struct layer layer = { .open = open_layer, .context = context, .index = i, .fd = -1 };
		char tree[PATH_MAX];
		int status;

		if (is_repeated(config, i))
			continue;
		status = get_layer(store, config, blobs, &layer, tree, err);
		if (status == 0)
			status = kc_layers_add(layers, tree, err);
		if (status < 0)
			return status;
	}
	return 0;
}

/* --- Files of a directory that is not trusted --- */

static int open_beneath(int dirfd, const char *path, struct kc_error *err)
{
	struct open_how how = { .flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
				.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS };
	KC_CLEANUP_FD int fd = (int)syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0)
		return kc_error_errno(err, errno, "open its `%s`", path);
	return S_ISREG(status.st_mode) ? KC_STEAL_FD(fd)
				       : kc_error_set(err, EBADMSG, "its `%s` is not a file", path);
}

static int read_document(int dirfd, const char *path, struct kc_buffer *text, struct kc_error *err)
{
	KC_CLEANUP_FD int fd = open_beneath(dirfd, path, err);
	int status = fd < 0 ? fd : kc_fd_read_all(fd, text, path, err);

	if (status == -ENOENT)
		kc_error_hint(err, "is it an archive of `docker save`, or an OCI layout?");
	return status;
}

/* --- docker save --- */

struct saved {
	int directory;
	struct kc_oci_saved files;
};

static int open_saved_layer(void *context, size_t index, int *ret_fd, struct kc_error *err)
{
	const struct saved *saved = context;

	*ret_fd = open_beneath(saved->directory, saved->files.layers[index], err);
	return *ret_fd < 0 ? *ret_fd : 0;
}

static int read_config(const struct kc_buffer *text, const char *name, size_t layer_count,
		       struct kc_container *container, struct kc_oci_config *config, struct kc_error *err)
{
	int status = kc_oci_read_config(kc_buffer_string(text), text->length, name, config, err);

	if (status == 0 && config->layer_count != layer_count)
		status = kc_error_set(err, EBADMSG, "`%s`: %zu layers, and the manifest has %zu", name,
				      config->layer_count, layer_count);
	if (status == 0)
		(void)snprintf(container->architecture, sizeof(container->architecture), "%s",
			       config->architecture);
	return status == 0 ? kc_sha256_of(kc_buffer_string(text), text->length, container->digest, err)
			   : status;
}

int kc_container_open_saved(struct kc_store *store, const char *directory, const char *wanted,
			    struct kc_container *ret_container, struct kc_error *err)
{
	static const char manifest[] = "manifest.json";
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(KC_OCI_DOCUMENT_LIMIT);
	KC_CLEANUP_BUFFER struct kc_buffer config_text = KC_BUFFER_INIT(KC_OCI_DOCUMENT_LIMIT);
	KC_CLEANUP_FD int dirfd = kc_dir_open(AT_FDCWD, directory, err);
	struct saved saved = { .directory = dirfd };
	struct kc_oci_config config;
	int status = dirfd < 0 ? dirfd : read_document(dirfd, manifest, &text, err);

	*ret_container = (struct kc_container){ .digest = "" };
	if (status == 0)
		status = kc_oci_read_saved(kc_buffer_string(&text), text.length, manifest, wanted,
					   &saved.files, err);
	if (status == 0)
		status = read_document(dirfd, saved.files.config, &config_text, err);
	if (status == 0)
		status = read_config(&config_text, saved.files.config, saved.files.layer_count, ret_container,
				     &config, err);
	return status < 0 ? status
			  : kc_container_get_layers(store, &config, NULL, open_saved_layer, &saved,
						    &ret_container->layers, err);
}

/* --- OCI layout --- */

struct layout {
	int directory;
	struct kc_oci_manifest manifest;
};

static void blob_path(const struct kc_oci_blob *blob, char ret_path[128])
{
	(void)snprintf(ret_path, 128, "blobs/sha256/%s", blob->sha256);
}

static int open_layout_layer(void *context, size_t index, int *ret_fd, struct kc_error *err)
{
	const struct layout *layout = context;
	char path[128];

	blob_path(&layout->manifest.layers[index], path);
	*ret_fd = open_beneath(layout->directory, path, err);
	return *ret_fd < 0 ? *ret_fd : 0;
}

static int read_blob(int dirfd, const struct kc_oci_blob *blob, struct kc_buffer *text, char path[128],
		     struct kc_error *err)
{
	char digest[KC_SHA256_HEX_SIZE];
	int status;

	blob_path(blob, path);
	status = read_document(dirfd, path, text, err);
	if (status == 0 && (int64_t)text->length != blob->size)
		return kc_error_set(err, EBADMSG, "its `%s` has %zu bytes, not %lld", path, text->length,
				    (long long)blob->size);
	if (status == 0)
		status = kc_sha256_of(kc_buffer_string(text), text->length, digest, err);
	if (status == 0 && strcmp(digest, blob->sha256) != 0)
		status = kc_error_set(err, EBADMSG, "its `%s` has SHA-256 %s", path, digest);
	return status;
}

/* From the index of the layout, perhaps through an index inside, to a manifest. */
static int find_manifest(int dirfd, const char *architecture, const char *wanted,
			 struct kc_oci_manifest *ret_manifest, struct kc_error *err)
{
	enum { MOST_INDEXES = 3 };
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(KC_OCI_DOCUMENT_LIMIT);
	enum kc_oci_kind kind = KC_OCI_INDEX;
	char path[128] = "index.json";
	int status = read_document(dirfd, path, &text, err);

	for (int depth = 0; status == 0 && depth < MOST_INDEXES; depth++) {
		struct kc_oci_blob chosen;

		status = kc_oci_kind(kc_buffer_string(&text), text.length, path, &kind, err);
		if (status == 0 && kind == KC_OCI_MANIFEST)
			return kc_oci_read_manifest(kc_buffer_string(&text), text.length, path, ret_manifest,
						    err);
		if (status == 0)
			status = kc_oci_choose(kc_buffer_string(&text), text.length, path, architecture,
					       depth == 0 ? wanted : "", &chosen, err);
		kc_buffer_clear(&text);
		if (status == 0)
			status = read_blob(dirfd, &chosen, &text, path, err);
	}
	return status < 0 ? status : kc_error_set(err, EBADMSG, "`%s`: indexes within indexes", path);
}

int kc_container_open_layout(struct kc_store *store, const char *directory, const char *architecture,
			     const char *wanted, struct kc_container *ret_container, struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(KC_OCI_DOCUMENT_LIMIT);
	KC_CLEANUP_FD int dirfd = kc_dir_open(AT_FDCWD, directory, err);
	struct layout layout = { .directory = dirfd };
	struct kc_oci_config config;
	char path[128];
	int status;

	*ret_container = (struct kc_container){ .digest = "" };
	if (dirfd < 0)
		return dirfd;
	status = find_manifest(dirfd, architecture, wanted, &layout.manifest, err);
	if (status == 0)
		status = read_blob(dirfd, &layout.manifest.config, &text, path, err);
	if (status == 0)
		status = read_config(&text, path, layout.manifest.layer_count, ret_container, &config, err);
	return status < 0 ? status
			  : kc_container_get_layers(store, &config, layout.manifest.layers, open_layout_layer,
						    &layout, &ret_container->layers, err);
}
