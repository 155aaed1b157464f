#include "archive/tree_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "archive/layer.h"
#include "archive/manifest.h"
#include "archive/names.h"
#include "sys/fd.h"

#define KEPT_MODE 0755
#define IMPLIED_MODE 0755

void kc_tree_writer_init(struct kc_tree_writer *writer, int root_fd, const struct kc_extract_options *options)
{
	*writer = (struct kc_tree_writer){ .root_fd = root_fd, .options = options, .parent_fd = -1 };
}

void kc_tree_writer_release(struct kc_tree_writer *writer)
{
	tdestroy(writer->implied, free);
	for (size_t i = 0; i < writer->mark_count; i++)
		free(writer->marks[i].name);
	free(writer->marks);
	/* A zeroed object has descriptor 0, which is never ours. */
	if (writer->parent_fd > 0)
		kc_fd_close(&writer->parent_fd);
	*writer = (struct kc_tree_writer){ .root_fd = -1, .parent_fd = -1 };
}

static int refuse(const char *name, const char *rule, struct kc_error *err)
{
	char shown[KC_NAME_SHOWN_SIZE];

	return kc_error_set(err, EBADMSG, "entry `%s`: %s", kc_name_show(name, shown), rule);
}

static int fail(const char *verb, const char *name, int errno_value, struct kc_error *err)
{
	char shown[KC_NAME_SHOWN_SIZE];

	if (errno_value == EEXIST || errno_value == -EEXIST)
		return refuse(name, "the name is there already", err);
	return kc_error_errno(err, errno_value, "%s `%s`", verb, kc_name_show(name, shown));
}

static bool changes_owner(const struct kc_tree_writer *writer)
{
	return writer->options->owner_uid != (uid_t)-1 || writer->options->owner_gid != (gid_t)-1;
}

/* Owner first: a change of owner clears mode bits. */
static int set_metadata(const struct kc_tree_writer *writer, int fd, mode_t mode)
{
	if (changes_owner(writer) && fchown(fd, writer->options->owner_uid, writer->options->owner_gid) < 0)
		return -errno;
	return fchmod(fd, mode) < 0 ? -errno : 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(a, b);
}

static int remember_implied(struct kc_tree_writer *writer, const char *name)
{
	char *copy = strdup(name);

	if (copy && tsearch(copy, &writer->implied, compare_names))
		return 0;
	free(copy);
	return -ENOMEM;
}

static bool forget_implied(struct kc_tree_writer *writer, const char *name)
{
	char *const *node = tfind(name, &writer->implied, compare_names);
	char *copy = node ? *node : NULL;

	if (copy)
		(void)tdelete(name, &writer->implied, compare_names);
	free(copy);
	return copy != NULL;
}

/* Creates and opens a directory. The descriptor, or a negative errno. */
static int make_directory(const struct kc_tree_writer *writer, int parent, const char *leaf, mode_t mode)
{
	int status, fd;

	if (mkdirat(parent, leaf, 0700) < 0)
		return -errno;
	fd = openat(parent, leaf, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	status = set_metadata(writer, fd, mode);
	if (status < 0)
		kc_fd_close(&fd);
	return status < 0 ? status : fd;
}

/* Opens the component of `name` that starts at `leaf` (NUL-terminated) and makes it if it is missing. */
static int step_into(struct kc_tree_writer *writer, int parent, const char *name, const char *leaf,
		     struct kc_error *err)
{
	int fd = openat(parent, leaf, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int status;

	if (fd >= 0)
		return fd;
	if (errno == ELOOP || errno == ENOTDIR)
		return refuse(name, "it is used as a directory, but is a link or a file", err);
	if (errno != ENOENT)
		return fail("open", name, errno, err);
	fd = make_directory(writer, parent, leaf, IMPLIED_MODE);
	if (fd < 0)
		return fail("create", name, fd, err);
	status = remember_implied(writer, name);
	if (status < 0) {
		kc_fd_close(&fd);
		return fail("create", name, status, err);
	}
	return fd;
}

/* Walks to the directory that the first `length` bytes of `name` call; the caller closes it. */
static int walk(struct kc_tree_writer *writer, const char *name, size_t length, struct kc_error *err)
{
	char path[PATH_MAX];
	int fd = fcntl(writer->root_fd, F_DUPFD_CLOEXEC, 3);

	if (fd < 0)
		return fail("open", name, errno, err);
	if (length >= sizeof(path)) {
		kc_fd_close(&fd);
		return refuse(name, "the name is too long", err);
	}
	memcpy(path, name, length);
	path[length] = '\0';
	for (size_t start = 0; start < length;) {
		size_t end = start + strcspn(path + start, "/");
		int next;

		path[end] = '\0';
		next = step_into(writer, fd, path, path + start, err);
		kc_fd_close(&fd);
		if (next < 0)
			return next;
		fd = next;
		path[end] = '/';
		start = end + 1;
	}
	return fd;
}

static size_t parent_length(const char *name)
{
	const char *slash = strrchr(name, '/');

	return slash ? (size_t)(slash - name) : 0;
}

static const char *leaf_of(const char *name)
{
	const char *slash = strrchr(name, '/');

	return slash ? slash + 1 : name;
}

/* The directory that `name` lies in, borrowed until the next call. The last one is kept open: a descriptor is
 * the directory itself, whatever its name should come to mean, and names never do change here. */
static int open_parent(struct kc_tree_writer *writer, const char *name, struct kc_error *err)
{
	size_t length = parent_length(name);
	int fd;

	if (writer->parent_fd >= 0 && length == writer->parent_length &&
	    memcmp(name, writer->parent_name, length) == 0)
		return writer->parent_fd;
	fd = walk(writer, name, length, err);
	if (fd < 0)
		return fd;
	kc_fd_close(&writer->parent_fd);
	writer->parent_fd = fd;
	memcpy(writer->parent_name, name, length); /* walk has checked that it fits */
	writer->parent_length = length;
	return fd;
}

int kc_tree_put_directory(struct kc_tree_writer *writer, const char *name, mode_t mode, struct kc_error *err)
{
	const char *leaf = leaf_of(name);
	int parent = open_parent(writer, name, err);
	KC_CLEANUP_FD int fd = -1;
	struct stat status;
	int result;

	if (parent < 0)
		return parent;
	/* The owner needs its directories: unprivileged we could not fill or remove them. */
	mode = (mode & KEPT_MODE) | 0700;
	fd = make_directory(writer, parent, leaf, mode);
	if (fd == -EEXIST && forget_implied(writer, name)) {
		fd = openat(parent, leaf, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		result = fd < 0 ? -errno : set_metadata(writer, fd, mode);
		if (result < 0)
			return fail("create", name, result, err);
	} else if (fd == -EEXIST && writer->options->merge) {
		/* It keeps its metadata, whatever this archive says about a directory of another one. */
		if (fstatat(parent, leaf, &status, AT_SYMLINK_NOFOLLOW) < 0)
			return fail("stat", name, errno, err);
		return S_ISDIR(status.st_mode) ? 0 : fail("create", name, EEXIST, err);
	} else if (fd < 0) {
		return fail("create", name, fd, err);
	}
	return writer->options->manifest
		       ? kc_manifest_add_directory(writer->options->manifest, name, mode, err)
		       : 0;
}

int kc_tree_put_symlink(struct kc_tree_writer *writer, const char *name, const char *target,
			struct kc_error *err)
{
	const char *leaf = leaf_of(name);
	int parent;

	if (!*target)
		return refuse(name, "the link has no target", err);
	if (!writer->options->foreign_links &&
	    !kc_link_stays_inside(name, target, writer->options->mount_point))
		return refuse(name, "the link points outside", err);
	parent = open_parent(writer, name, err);
	if (parent < 0)
		return parent;
	if (symlinkat(target, parent, leaf) < 0)
		return fail("create", name, errno, err);
	if (changes_owner(writer) && fchownat(parent, leaf, writer->options->owner_uid,
					      writer->options->owner_gid, AT_SYMLINK_NOFOLLOW) < 0)
		return fail("change the owner of", name, errno, err);
	return writer->options->manifest ? kc_manifest_add_link(writer->options->manifest, name, target, err)
					 : 0;
}

/* The manifest describes a hard link as what it is afterwards: a file. */
static int add_linked_file(struct kc_tree_writer *writer, int parent, const char *leaf, const char *name,
			   const struct stat *status, struct kc_error *err)
{
	KC_CLEANUP_FD int fd = openat(parent, leaf, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	KC_CLEANUP_SOURCE struct kc_source source = { 0 };
	char digest[KC_SHA256_HEX_SIZE];
	int result;

	if (fd < 0)
		return fail("open", name, errno, err);
	result = kc_source_open_fd(&source, fd, name, err);
	if (result == 0)
		result = kc_source_drain(&source, digest, err);
	if (result < 0)
		return result;
	return kc_manifest_add_file(writer->options->manifest, name, status->st_mode & 07777,
				    (uint64_t)status->st_size, digest, err);
}

int kc_tree_put_hardlink(struct kc_tree_writer *writer, const char *name, const char *target,
			 struct kc_error *err)
{
	const char *leaf = leaf_of(name), *target_leaf = leaf_of(target);
	int parent = open_parent(writer, name, err);
	KC_CLEANUP_FD int target_parent = -1;
	struct stat status;

	if (parent < 0)
		return parent;
	target_parent = walk(writer, target, parent_length(target), err);
	if (target_parent < 0)
		return target_parent;
	if (fstatat(target_parent, target_leaf, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? refuse(name, "the hard link has no target", err)
				       : fail("stat", target, errno, err);
	if (!S_ISREG(status.st_mode))
		return refuse(name, "the hard link is to something other than a file", err);
	if (linkat(target_parent, target_leaf, parent, leaf, 0) < 0)
		return fail("create", name, errno, err);
	return writer->options->manifest ? add_linked_file(writer, parent, leaf, name, &status, err) : 0;
}

int kc_tree_file_create(struct kc_tree_writer *writer, const char *name, struct kc_tree_file *ret_file,
			struct kc_error *err)
{
	const char *leaf = leaf_of(name);
	int parent = open_parent(writer, name, err);
	struct kc_tree_file file = { .name = name };
	int status;

	if (parent < 0)
		return parent;
	status = kc_sha256_start(&file.sha, err);
	if (status < 0)
		return status;
	file.fd = openat(parent, leaf, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (file.fd < 0) {
		status = fail("create", name, errno, err);
		kc_sha256_release(&file.sha);
		return status;
	}
	*ret_file = file;
	return 0;
}

int kc_tree_file_append(struct kc_tree_file *file, const void *bytes, size_t length, struct kc_error *err)
{
	int status = kc_fd_write_all(file->fd, bytes, length);

	if (status < 0)
		return fail("write", file->name, status, err);
	kc_sha256_update(&file->sha, bytes, length);
	file->size += length;
	return 0;
}

static struct timespec clamp_time(int64_t seconds)
{
	int64_t last = UINT32_MAX;

	return (struct timespec){ .tv_sec = seconds < 0 ? 0 : seconds > last ? last : seconds };
}

int kc_tree_file_close(struct kc_tree_writer *writer, struct kc_tree_file *file, mode_t mode, int64_t mtime_s,
		       struct kc_error *err)
{
	struct timespec times[2] = { clamp_time(mtime_s), clamp_time(mtime_s) };
	char digest[KC_SHA256_HEX_SIZE];
	int status;

	mode = (mode & KEPT_MODE) | 0400; /* the owner must be able to verify it */
	status = set_metadata(writer, file->fd, mode);
	if (status == 0 && futimens(file->fd, times) < 0)
		status = -errno;
	/* Quota and network file systems report some errors only at close(2). */
	if (close(KC_STEAL_FD(file->fd)) < 0 && status == 0)
		status = -errno;
	if (status < 0)
		return fail("write", file->name, status, err);
	status = kc_sha256_finish(&file->sha, digest, err);
	if (status < 0 || !writer->options->manifest)
		return status;
	return kc_manifest_add_file(writer->options->manifest, file->name, mode, file->size, digest, err);
}

void kc_tree_file_release(struct kc_tree_file *file)
{
	kc_fd_close(&file->fd);
	kc_sha256_release(&file->sha);
}

static int add_mark(struct kc_tree_writer *writer, const char *name, bool is_opaque, struct kc_error *err)
{
	struct kc_tree_mark mark = { .is_opaque = is_opaque };

	if (writer->mark_count == writer->mark_capacity) {
		size_t capacity = writer->mark_capacity ? 2 * writer->mark_capacity : 16;
		struct kc_tree_mark *grown = reallocarray(writer->marks, capacity, sizeof(*grown));

		if (!grown)
			return fail("note", name, ENOMEM, err);
		writer->marks = grown;
		writer->mark_capacity = capacity;
	}
	mark.name = strdup(name);
	if (!mark.name)
		return fail("note", name, ENOMEM, err);
	writer->marks[writer->mark_count++] = mark;
	return 0;
}

int kc_tree_put_whiteout(struct kc_tree_writer *writer, const char *name, struct kc_error *err)
{
	return add_mark(writer, name, false, err);
}

int kc_tree_put_opaque(struct kc_tree_writer *writer, const char *name, struct kc_error *err)
{
	return add_mark(writer, name, true, err);
}

/* Something on the way to the first `length` bytes of `name` is a link or file of this layer, or hidden by it: nothing of lower
 * layers is seen there. Some builders list whatever was below a directory that is gone. */
static bool is_covered(const struct kc_tree_writer *writer, const char *name, size_t length)
{
	struct open_how how = { .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
				.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS };
	char path[PATH_MAX];
	KC_CLEANUP_FD int fd = -1;

	(void)snprintf(path, sizeof(path), "%.*s", (int)length, name); /* what does not fit, walk refuses */
	fd = length ? (int)syscall(SYS_openat2, writer->root_fd, path, &how, sizeof(how)) : -1;
	return length && fd < 0 && (errno == ENOTDIR || errno == ELOOP);
}

static int make_opaque(struct kc_tree_writer *writer, const char *name, struct kc_error *err)
{
	KC_CLEANUP_FD int place = -1, fd = -1;
	int status;

	if (is_covered(writer, name, strlen(name)))
		return 0;
	place = walk(writer, name, strlen(name), err);
	if (place < 0)
		return place;
	fd = openat(place, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return fail("open", name, errno, err);
	if (kc_layer_is_opaque(fd))
		return 0; /* said twice */
	status = kc_layer_make_opaque(fd);
	if (status < 0) {
		status = fail("mark as opaque", name, status, err);
		kc_error_hint(err,
			      "the store's file system must have extended attributes of users, xattr(7)");
		return status;
	}
	return writer->options->manifest
		       ? kc_manifest_add_opaque(writer->options->manifest, *name ? name : ".", err)
		       : 0;
}

/* What the layer brings itself under the name is not hidden: a file takes its place, a directory starts from nothing. */
static int make_whiteout(struct kc_tree_writer *writer, const char *name, struct kc_error *err)
{
	const char *leaf = leaf_of(name);
	KC_CLEANUP_FD int parent = -1;
	struct stat status;
	int result;

	if (is_covered(writer, name, parent_length(name)))
		return 0;
	parent = walk(writer, name, parent_length(name), err);
	if (parent < 0)
		return parent;
	if (fstatat(parent, leaf, &status, AT_SYMLINK_NOFOLLOW) == 0)
		return S_ISDIR(status.st_mode) ? make_opaque(writer, name, err) : 0;
	if (errno != ENOENT)
		return fail("stat", name, errno, err);
	result = kc_layer_make_whiteout(parent, leaf);
	if (result == 0 && changes_owner(writer) &&
	    fchownat(parent, leaf, writer->options->owner_uid, writer->options->owner_gid,
		     AT_SYMLINK_NOFOLLOW) < 0)
		result = -errno;
	if (result < 0)
		return fail("hide", name, result, err);
	return writer->options->manifest ? kc_manifest_add_whiteout(writer->options->manifest, name, err) : 0;
}

static int compare_marks(const void *a, const void *b)
{
	return strcmp(((const struct kc_tree_mark *)a)->name, ((const struct kc_tree_mark *)b)->name);
}

struct listing {
	struct kc_buffer *manifest;
	struct kc_error *err;
	int status;
};

/* Each node once: twalk_r(3) visits those with children three times. */
static void list_name(const void *node, VISIT visit, void *context)
{
	struct listing *listing = context;

	if (listing->status == 0 && (visit == postorder || visit == leaf))
		listing->status = kc_manifest_add_directory(listing->manifest, *(char *const *)node,
							    IMPLIED_MODE, listing->err);
}

static int list_implied(const struct kc_tree_writer *writer, struct kc_error *err)
{
	struct listing listing = { .manifest = writer->options->manifest, .err = err };

	twalk_r(writer->implied, list_name, &listing);
	return listing.status;
}

int kc_tree_writer_finish(struct kc_tree_writer *writer, struct kc_error *err)
{
	int status = 0;

	/* What hides a directory first, so that what hides things below makes none in its place. */
	if (writer->mark_count)
		qsort(writer->marks, writer->mark_count, sizeof(*writer->marks), compare_marks);

	/* Before the implied directories are listed: a mark may imply more of them. */
	for (size_t i = 0; status == 0 && i < writer->mark_count; i++)
		status = writer->marks[i].is_opaque ? make_opaque(writer, writer->marks[i].name, err)
						    : make_whiteout(writer, writer->marks[i].name, err);
	return status < 0 || !writer->options->manifest ? status : list_implied(writer, err);
}
