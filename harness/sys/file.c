#include "sys/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/fd.h"
#include "sys/janitor.h"

int kc_file_read(int dirfd, const char *path, struct kc_buffer *buffer, struct kc_error *err)
{
	KC_CLEANUP_FD int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat status;

	if (fd < 0)
		return kc_error_errno(err, errno, "open `%s`", path);
	if (fstat(fd, &status) < 0)
		return kc_error_errno(err, errno, "stat `%s`", path);
	if (S_ISDIR(status.st_mode))
		return kc_error_errno(err, EISDIR, "read `%s`", path);
	if (!S_ISREG(status.st_mode))
		return kc_error_set(err, EINVAL, "read `%s`: not a regular file", path);
	return kc_fd_read_all(fd, buffer, path, err);
}

static int write_and_rename(int dirfd, int fd, const char *temporary, const char *path, const void *bytes,
			    size_t length, struct kc_error *err)
{
	int status = kc_fd_write_all(fd, bytes, length);

	if (status == 0 && fsync(fd) < 0)
		status = -errno;
	/* Quota and network file systems report some errors only at close(2). */
	if (close(fd) < 0 && status == 0)
		status = -errno;
	if (status == 0 && renameat(dirfd, temporary, dirfd, path) < 0)
		status = -errno;
	if (status < 0)
		return kc_error_errno(err, status, "write `%s`", path);
	return 0;
}

/* Has the janitor remove the temporary file should we be killed: where its directory has a name, and a janitor
 * runs. */
static void watch_temporary(const char *temporary, char ret_watched[PATH_MAX])
{
	const char *slash = strrchr(temporary, '/');
	char directory[PATH_MAX];
	KC_CLEANUP_FREE char *resolved = NULL;

	(void)snprintf(directory, sizeof(directory), "%.*s", slash ? (int)(slash - temporary) + 1 : 1,
		       slash ? temporary : ".");
	resolved = realpath(directory, NULL);
	ret_watched[0] = '\0';
	if (!resolved ||
	    snprintf(ret_watched, PATH_MAX, "%s/%s", resolved, slash ? slash + 1 : temporary) >= PATH_MAX)
		return;
	/* The file would be in nobody's way: not worth failing for. */
	if (kc_janitor_watch(KC_JANITOR_TREE, ret_watched, NULL) < 0)
		ret_watched[0] = '\0';
}

int kc_file_write_atomic(int dirfd, const char *path, const void *bytes, size_t length, mode_t mode,
			 struct kc_error *err)
{
	static unsigned int serial;
	char temporary[PATH_MAX], watched[PATH_MAX] = "";
	int written = snprintf(temporary, sizeof(temporary), "%s.%ld-%u.tmp", path, (long)getpid(), serial++);
	int fd, status;

	if (written < 0 || (size_t)written >= sizeof(temporary))
		return kc_error_errno(err, ENAMETOOLONG, "write `%s`", path);
	if (dirfd == AT_FDCWD || path[0] == '/')
		watch_temporary(temporary, watched);
	fd = openat(dirfd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0) {
		kc_janitor_forget(watched);
		return kc_error_errno(err, errno, "write `%s`", path); /* the name that the user knows */
	}
	status = write_and_rename(dirfd, fd, temporary, path, bytes, length, err);
	if (status < 0)
		(void)unlinkat(dirfd, temporary, 0); /* the first error is the one to report */
	kc_janitor_forget(watched);
	return status;
}

int kc_file_check_replaceable(const char *path, struct kc_error *err)
{
	struct stat status;

	if (lstat(path, &status) < 0)
		return errno == ENOENT ? 0 : kc_error_errno(err, errno, "write `%s`", path);
	if (!S_ISREG(status.st_mode))
		return kc_error_set(err, EINVAL, "write `%s`: it is there and not a regular file", path);
	return 0;
}

int kc_dir_make(const char *path, struct kc_error *err)
{
	char partial[PATH_MAX];
	size_t length = strlen(path);

	if (length == 0 || length >= sizeof(partial))
		return kc_error_errno(err, ENAMETOOLONG, "create directory `%s`", path);
	memcpy(partial, path, length + 1);
	for (char *slash = partial + 1;; slash++) {
		char kept = *slash;

		if (kept != '/' && kept != '\0')
			continue;
		*slash = '\0';
		if (mkdir(partial, 0700) < 0 && errno != EEXIST)
			return kc_error_errno(err, errno, "create directory `%s`", partial);
		*slash = kept;
		if (kept == '\0')
			return 0;
	}
}

int kc_dir_open(int dirfd, const char *path, struct kc_error *err)
{
	int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 ? kc_error_errno(err, errno, "open directory `%s`", path) : fd;
}

static int remove_content(int fd, const char *path, struct kc_error *err)
{
	KC_CLEANUP_DIR DIR *dir = NULL;
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	if (copy < 0)
		return kc_error_errno(err, errno, "open directory `%s`", path);
	dir = fdopendir(copy);
	if (!dir) {
		kc_fd_close(&copy);
		return kc_error_errno(err, ENOMEM, "open directory `%s`", path);
	}
	for (;;) {
		struct dirent *entry;
		int status;

		errno = 0;
		entry = readdir(dir);
		if (!entry && errno)
			return kc_error_errno(err, errno, "list `%s`", path);
		if (!entry)
			return 0;
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		status = kc_tree_remove(fd, entry->d_name, err);
		if (status < 0)
			return status;
	}
}

int kc_tree_remove(int dirfd, const char *path, struct kc_error *err)
{
	KC_CLEANUP_FD int fd = -1;
	int status;

	if (unlinkat(dirfd, path, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return kc_error_errno(err, errno, "remove `%s`", path);
	fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno == EACCES && fchmodat(dirfd, path, 0700, 0) == 0)
		fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT)
		return 0; /* somebody else is removing it, too */
	if (fd < 0)
		return kc_error_errno(err, errno, "remove `%s`", path);
	(void)fchmod(fd,
		     0700); /* a tree may hold read-only directories; if this fails, the removal says so */
	status = remove_content(fd, path, err);
	if (status < 0)
		return status;
	if (unlinkat(dirfd, path, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return kc_error_errno(err, errno, "remove `%s`", path);
	return 0;
}
