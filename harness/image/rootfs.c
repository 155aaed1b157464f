#include "image/rootfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/extract.h"
#include "archive/manifest.h"
#include "archive/source.h"
#include "base/json.h"
#include "image/libc.h"
#include "sys/fd.h"
#include "sys/file.h"

struct unpacking {
	struct kc_store *store;
	const char *path;
	int fd;
	const char *digest; /* what the bytes must have */
};

static int open_source(const struct unpacking *unpacking, struct kc_source *ret_source, struct kc_error *err)
{
	if (lseek(unpacking->fd, 0, SEEK_SET) < 0)
		return kc_error_errno(err, errno, "read `%s`", unpacking->path);
	return kc_source_open_fd(ret_source, unpacking->fd, unpacking->path, err);
}

/* The builder of a store entry. Hashed again on the way: what is stored under a digest has it, even if the file changes. */
static int unpack(void *context, int tree_fd, struct kc_buffer *manifest, struct kc_buffer *info,
		  struct kc_error *err)
{
	const struct unpacking *unpacking = context;
	struct kc_extract_options options = { .limits = KC_EXTRACT_LIMITS_ROOTFS,
					      .foreign_links = true,
					      .skip_devices = true,
					      .manifest = manifest };
	KC_CLEANUP_SOURCE struct kc_source source = { 0 };
	char digest[KC_SHA256_HEX_SIZE];
	int status = open_source(unpacking, &source, err);

	kc_store_tell(unpacking->store, "unpacking %s", unpacking->path);
	options.owner_uid = options.owner_gid = kc_store_owner_id();
	if (status == 0)
		status = kc_extract_tar(&source, tree_fd, &options, err);
	if (status == 0)
		status = kc_source_digest(&source, digest, err);
	if (status == 0 && strcmp(digest, unpacking->digest) != 0)
		status = kc_error_set(err, EBADMSG, "`%s` changed while it was read", unpacking->path);
	if (status == 0)
		status = kc_manifest_seal(manifest, err);
	if (status == 0 && kc_buffer_append_string(info, "{}") < 0)
		status = kc_error_errno(err, ENOMEM, "describe `%s`", unpacking->path);
	return status;
}

static int open_file(const char *path, int *ret_fd, struct kc_error *err)
{
	KC_CLEANUP_FD int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct stat status;
	int code;

	if (fd < 0 || fstat(fd, &status) < 0)
		return kc_error_errno(err, errno, "open `%s`", path);
	if (!S_ISREG(status.st_mode)) {
		code = kc_error_set(err, EINVAL, "`%s` is not a file", path);
		kc_error_hint(err, "for an unpacked root filesystem say dir:%s", path);
		return code;
	}
	*ret_fd = KC_STEAL_FD(fd);
	return 0;
}

static int open_tar(struct kc_store *store, const char *path, struct kc_image *image, struct kc_error *err)
{
	struct unpacking unpacking = { .store = store, .path = path, .digest = image->digest };
	KC_CLEANUP_FD int fd = -1;
	KC_CLEANUP_SOURCE struct kc_source source = { 0 };
	char key[128], tree[PATH_MAX];
	int status = open_file(path, &fd, err);

	unpacking.fd = fd;
	if (status == 0)
		status = open_source(&unpacking, &source, err);
	if (status == 0)
		status = kc_source_drain(&source, image->digest, err);
	if (status < 0)
		return status;
	(void)snprintf(key, sizeof(key), "rootfs-%s", image->digest);
	status = kc_store_get(store, key, unpack, &unpacking, tree, NULL, err);
	return status < 0 ? status : kc_layers_add(&image->layers, tree, err);
}

static int open_directory(const char *path, struct kc_image *image, struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer manifest = KC_BUFFER_INIT(KC_MANIFEST_LIMIT_BYTES);
	KC_CLEANUP_FD int fd = -1;
	char tree[PATH_MAX];
	int status;

	if (!realpath(path, tree))
		return kc_error_errno(err, errno, "open `%s`", path);
	fd = kc_dir_open(AT_FDCWD, tree, err);
	if (fd < 0) {
		if (fd == -ENOTDIR)
			kc_error_hint(err, "for a tar of a root filesystem say tar:%s", path);
		return fd;
	}
	status = kc_layers_add(&image->layers, tree, err);
	if (status == 0)
		status = kc_manifest_of_tree(fd, &manifest, err);
	return status < 0 ? status
			  : kc_sha256_of(kc_buffer_string(&manifest), manifest.length, image->digest, err);
}

static int add_strings(cJSON *info, const struct kc_image_reference *reference,
		       const struct kc_image_libc *libc, const char *ca_bundle, const char *digest)
{
	const struct {
		const char *key, *value;
	} facts[] = {
		{ "name", reference->name },
		{ "what", reference->place },
		{ "fidelity", "real" },
		{ "architecture", libc->architecture },
		{ "libc_family", libc->family },
		{ "libc_version", libc->version },
		{ "ca_bundle", ca_bundle },
		{ "source", reference->scheme },
		{ "digest", digest },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(facts); i++)
		if (!cJSON_AddStringToObject(info, facts[i].key, facts[i].value))
			return -ENOMEM;
	return cJSON_AddArrayToObject(info, "packages") && cJSON_AddObjectToObject(info, "ceilings")
		       ? 0
		       : -ENOMEM;
}

static int describe(const struct kc_image_reference *reference, struct kc_image *image,
		    struct kc_image_libc *ret_libc, struct kc_error *err)
{
	int status = kc_image_libc_read(&image->layers, ret_libc, err);

	if (status < 0)
		return status;
	image->info = cJSON_CreateObject();
	if (!image->info || add_strings(image->info, reference, ret_libc,
					kc_image_find_ca_bundle(&image->layers), image->digest) < 0)
		return kc_error_errno(err, ENOMEM, "describe the image");
	return kc_image_read_info(image, err);
}

int kc_rootfs_open(struct kc_store *store, const struct kc_image_reference *reference,
		   const char *architecture, struct kc_image *image, struct kc_error *err)
{
	struct kc_image_libc libc = { 0 };
	int status = reference->kind == KC_IMAGE_TAR ? open_tar(store, reference->place, image, err)
						     : open_directory(reference->place, image, err);

	if (status == 0)
		status = describe(reference, image, &libc, err);
	if (status == 0 && strcmp(libc.architecture, architecture) != 0) {
		status = kc_error_set(err, EXDEV, "it is for %s, and what was asked for is %s",
				      libc.architecture, architecture);
		kc_error_hint(err, "add `--arch %s`", libc.architecture);
	}
	return status;
}
