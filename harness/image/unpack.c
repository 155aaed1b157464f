#include "image/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/extract.h"
#include "archive/manifest.h"
#include "sys/fd.h"

struct building {
	struct kc_store *store;
	const struct kc_unpacking *unpacking;
};

static int check_digest(const char *wanted, const char *got, const char *what, const char *of,
			struct kc_error *err)
{
	if (!wanted || strcmp(wanted, got) == 0)
		return 0;
	return kc_error_set(err, EBADMSG, "`%s`: %s has SHA-256 %s, and %s was expected", what, of, got,
			    wanted);
}

static int extract(const struct kc_unpacking *unpacking, int tree_fd, struct kc_buffer *manifest,
		   struct kc_error *err)
{
	char digest[KC_SHA256_HEX_SIZE], decoded[KC_SHA256_HEX_SIZE];
	struct kc_extract_options options = { .limits = KC_EXTRACT_LIMITS_ROOTFS,
					      .is_layer = unpacking->is_layer,
					      .merge = unpacking->is_layer,
					      .foreign_links = unpacking->is_rootfs || unpacking->is_layer,
					      .skip_devices = unpacking->is_rootfs || unpacking->is_layer,
					      .decoded_sha256 = unpacking->decoded_sha256 ? decoded : NULL,
					      .manifest = manifest };
	KC_CLEANUP_SOURCE struct kc_source source = { 0 };
	int status = unpacking->open(unpacking->context, &source, err);

	options.owner_uid = options.owner_gid = kc_store_owner_id();
	if (status == 0)
		status = kc_extract_tar(&source, tree_fd, &options, err);
	if (status == 0)
		status = kc_source_digest(&source, digest, err);
	if (status == 0)
		status = check_digest(unpacking->sha256, digest, unpacking->what, "it", err);
	if (status == 0 && unpacking->decoded_sha256)
		status = check_digest(unpacking->decoded_sha256, decoded, unpacking->what, "the tar inside",
				      err);
	return status;
}

static int build(void *context, int tree_fd, struct kc_buffer *manifest, struct kc_buffer *info,
		 struct kc_error *err)
{
	const struct building *building = context;
	int status;

	kc_store_tell(building->store, "unpacking %s", building->unpacking->what);
	status = extract(building->unpacking, tree_fd, manifest, err);
	if (status == 0)
		status = kc_manifest_seal(manifest, err);
	if (status == 0 && kc_buffer_append_string(info, "{}") < 0)
		status = kc_error_errno(err, ENOMEM, "describe `%s`", building->unpacking->what);
	return status;
}

int kc_unpack(struct kc_store *store, const struct kc_unpacking *unpacking, char ret_tree[PATH_MAX],
	      struct kc_error *err)
{
	struct building building = { .store = store, .unpacking = unpacking };

	return kc_store_get(store, unpacking->key, build, &building, ret_tree, NULL, err);
}

/* --- A file --- */

struct file {
	const char *path;
	int fd;
};

static int open_again(void *context, struct kc_source *ret_source, struct kc_error *err)
{
	const struct file *file = context;

	if (lseek(file->fd, 0, SEEK_SET) < 0)
		return kc_error_errno(err, errno, "read `%s`", file->path);
	return kc_source_open_fd(ret_source, file->fd, file->path, err);
}

static int open_file(const char *path, int *ret_fd, struct kc_error *err)
{
	KC_CLEANUP_FD int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0)
		return kc_error_errno(err, errno, "open `%s`", path);
	if (!S_ISREG(status.st_mode))
		return kc_error_set(err, EINVAL, "`%s` is not a file", path);
	*ret_fd = KC_STEAL_FD(fd);
	return 0;
}

int kc_unpack_file(struct kc_store *store, const char *path, const char *prefix, bool is_rootfs,
		   char ret_tree[PATH_MAX], char ret_sha256[KC_SHA256_HEX_SIZE], struct kc_error *err)
{
	KC_CLEANUP_FD int fd = -1;
	KC_CLEANUP_SOURCE struct kc_source source = { 0 };
	char key[128];
	int status = open_file(path, &fd, err);
	struct file file = { .path = path, .fd = fd };
	const struct kc_unpacking unpacking = { .key = key,
						.what = path,
						.is_rootfs = is_rootfs,
						.sha256 = ret_sha256,
						.open = open_again,
						.context = &file };

	if (status == 0)
		status = open_again(&file, &source, err);
	if (status == 0)
		status = kc_source_drain(&source, ret_sha256, err);
	if (status < 0)
		return status;
	(void)snprintf(key, sizeof(key), "%s-%s", prefix, ret_sha256);
	return kc_unpack(store, &unpacking, ret_tree, err);
}
