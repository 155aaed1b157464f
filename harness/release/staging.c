#include "release/staging.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/fd.h"
#include "sys/file.h"
#include "sys/janitor.h"

/* The parent, resolved, so that neither the working directory nor a link decides later where the release ends up. */
static int find_out(const char *out, struct kc_staging *staging, struct kc_error *err)
{
	KC_CLEANUP_FREE char *for_parent = strdup(out), *for_name = strdup(out), *parent = NULL;
	struct stat found;
	int length, status;

	if (!for_parent || !for_name)
		return kc_error_errno(err, ENOMEM, "make `%s`", out);
	if (lstat(out, &found) == 0) {
		status = kc_error_set(
			err, EEXIST, "`%s` is there already: a release is never mixed with another one", out);
		kc_error_hint(err, "remove it, or name another --out");
		return status;
	}
	parent = realpath(dirname(for_parent), NULL);
	if (!parent)
		return kc_error_errno(err, errno, "make `%s`", out);
	length = snprintf(staging->out, sizeof(staging->out), "%s/%s", strcmp(parent, "/") == 0 ? "" : parent,
			  basename(for_name));
	return length < (int)sizeof(staging->out) ? 0 : kc_error_errno(err, ENAMETOOLONG, "make `%s`", out);
}

int kc_staging_open(const char *out, struct kc_staging *staging, struct kc_error *err)
{
	uint64_t random;
	int length, status = find_out(out, staging, err);

	if (status < 0)
		return status;
	if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return kc_error_errno(err, errno, "make `%s`: getrandom", out);
	length = snprintf(staging->path, sizeof(staging->path), "%s.%016" PRIx64, staging->out, random);
	if (length >= (int)sizeof(staging->path)) {
		staging->path[0] = '\0';
		return kc_error_errno(err, ENAMETOOLONG, "make `%s`", out);
	}
	status = kc_janitor_watch(KC_JANITOR_TREE, staging->path, err); /* before it is there, janitor.h */
	if (status == 0 && mkdir(staging->path, 0700) < 0)
		status = kc_error_errno(err, errno, "make `%s`", staging->path);
	if (status < 0) {
		kc_janitor_forget(staging->path);
		staging->path[0] = '\0';
		return status;
	}
	staging->fd = kc_dir_open(AT_FDCWD, staging->path, err);
	return staging->fd < 0 ? staging->fd : 0;
}

int kc_staging_create(struct kc_staging *staging, const char *name, struct kc_error *err)
{
	const char *wrong = kc_checksums_check_name(name);
	int fd;

	if (wrong)
		return kc_error_set(err, EINVAL, "`%s` is no name for a file of a release: %s", name, wrong);
	fd = openat(staging->fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
	return fd < 0 ? kc_error_errno(err, errno, "make `%s`", name) : fd;
}

int kc_staging_add(struct kc_staging *staging, const char *name, int fd, struct kc_error *err)
{
	char sha256[KC_SHA256_HEX_SIZE];
	int status =
		fchmod(fd, 0644) < 0 || fsync(fd) < 0 ? kc_error_errno(err, errno, "write `%s`", name) : 0;

	if (status == 0)
		status = kc_checksums_of_file(staging->fd, name, sha256, err);
	return status < 0 ? status : kc_checksums_add(&staging->checksums, name, sha256, err);
}

/* Not listed. */
static int write_file(struct kc_staging *staging, const char *name, const void *bytes, size_t length,
		      int *ret_fd, struct kc_error *err)
{
	int status;

	*ret_fd = kc_staging_create(staging, name, err);
	if (*ret_fd < 0)
		return *ret_fd;
	status = kc_fd_write_all(*ret_fd, bytes, length);
	return status < 0 ? kc_error_errno(err, status, "write `%s`", name) : 0;
}

int kc_staging_write(struct kc_staging *staging, const char *name, const void *bytes, size_t length,
		     struct kc_error *err)
{
	KC_CLEANUP_FD int fd = -1;
	int status = write_file(staging, name, bytes, length, &fd, err);

	return status < 0 ? status : kc_staging_add(staging, name, fd, err);
}

static int write_checksums(struct kc_staging *staging, struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(KC_CHECKSUMS_LIMIT);
	KC_CLEANUP_FD int fd = -1;
	int status = kc_checksums_write(&staging->checksums, &text, err);

	if (status < 0)
		return status;
	fd = openat(staging->fd, KC_CHECKSUMS_NAME, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0 || fchmod(fd, 0644) < 0)
		return kc_error_errno(err, errno, "write `%s`", KC_CHECKSUMS_NAME);
	status = kc_fd_write_all(fd, text.data, text.length);
	if (status < 0 || fsync(fd) < 0)
		return kc_error_errno(err, status < 0 ? status : errno, "write `%s`", KC_CHECKSUMS_NAME);
	return 0;
}

int kc_staging_commit(struct kc_staging *staging, struct kc_error *err)
{
	int status = write_checksums(staging, err);

	if (status < 0)
		return status;
	if (fchmod(staging->fd, 0755) < 0 || fsync(staging->fd) < 0)
		return kc_error_errno(err, errno, "make `%s`", staging->out);
	if (renameat2(AT_FDCWD, staging->path, AT_FDCWD, staging->out, RENAME_NOREPLACE) < 0)
		return kc_error_errno(err, errno, "make `%s`", staging->out);
	kc_janitor_forget(staging->path);
	staging->path[0] = '\0';
	return 0;
}

int kc_staging_flush(const struct kc_staging *staging, struct kc_error *err)
{
	/* By the directory that was renamed: its parent may have another name by now. */
	KC_CLEANUP_FD int parent = openat(staging->fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (parent < 0 || (fsync(parent) < 0 && errno != EINVAL && errno != EROFS))
		return kc_error_errno(err, errno, "flush the directory of `%s`", staging->out);
	return 0;
}

void kc_staging_abandon(struct kc_staging *staging)
{
	kc_fd_close(&staging->fd);
	if (staging->path[0] && kc_tree_remove(AT_FDCWD, staging->path, NULL) == 0)
		kc_janitor_forget(staging->path); /* else it tries again */
	staging->path[0] = '\0';
	kc_checksums_release(&staging->checksums);
}
