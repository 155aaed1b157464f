#include "run/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/janitor.h"

#define PREFIX "krunner-compat-"
#define DIGITS 16

static bool is_our_name(const char *name)
{
	const char *digits = name + strlen(PREFIX);

	return strncmp(name, PREFIX, strlen(PREFIX)) == 0 && strlen(digits) == DIGITS &&
	       strspn(digits, "0123456789abcdef") == DIGITS;
}

/* Removes `name` if it is ours and nobody holds it. What cannot be removed is not worth failing a run for. */
static void remove_if_stale(int parent, const char *name)
{
	KC_CLEANUP_FD int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0 || status.st_uid != geteuid() ||
	    flock(fd, LOCK_EX | LOCK_NB) < 0)
		return;
	if (kc_tree_remove(parent, name, NULL) < 0)
		return;
}

static void sweep(const char *parent)
{
	KC_CLEANUP_DIR DIR *dir = opendir(parent);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (is_our_name(entry->d_name))
			remove_if_stale(dirfd(dir), entry->d_name);
}

/* mkdtemp(3) would tell the name only when the directory is there: too late for the janitor. */
static int make_name(const char *parent, const char *kind, char ret_path[PATH_MAX], struct kc_error *err)
{
	uint64_t random;
	int length;

	if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return kc_error_errno(err, errno, "make a temporary directory: getrandom");
	length = snprintf(ret_path, PATH_MAX, "%s/" PREFIX "%s%016" PRIx64, parent, kind, random);
	if (length < 0 || length >= PATH_MAX)
		return kc_error_errno(err, ENAMETOOLONG, "make a temporary directory in `%s`", parent);
	return 0;
}

static int make_directory(const char *path, struct kc_error *err)
{
	int status;

	if (mkdir(path, 0700) == 0)
		return 0;
	status = kc_error_errno(err, errno, "create directory `%s`", path);
	kc_error_hint(err, "set TMPDIR to a directory that may be written to");
	return status;
}

/* -EAGAIN: another run's sweep came between the making and the locking, and took it for stale. */
static int make_and_lock(const char *path, int *ret_lock_fd, struct kc_error *err)
{
	KC_CLEANUP_FD int fd = -1;
	struct stat held, named;
	int status = make_directory(path, err);

	if (status < 0)
		return status;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0 || fstat(fd, &held) < 0 || stat(path, &named) < 0 ||
	    held.st_ino != named.st_ino)
		return kc_error_errno(err, EAGAIN, "lock directory `%s`", path);
	*ret_lock_fd = KC_STEAL_FD(fd);
	return 0;
}

static int make_watched(struct kc_scratch *scratch, const char *parent, struct kc_error *err)
{
	int status = -EAGAIN;

	for (int i = 0; i < 8 && status == -EAGAIN; i++) {
		status = make_name(parent, "", scratch->path, err);
		if (status < 0)
			break;
		status = kc_janitor_watch(KC_JANITOR_TREE, scratch->path, err);
		if (status < 0)
			break;
		status = make_and_lock(scratch->path, &scratch->lock_fd, err);
		/* An error where the directory exists leaves it to the janitor. */
		if (status < 0 && access(scratch->path, F_OK) < 0)
			kc_janitor_forget(scratch->path);
	}
	return status;
}

int kc_scratch_make(struct kc_scratch *scratch, bool keep, struct kc_error *err)
{
	const char *wanted = getenv("TMPDIR");
	const char *parent = wanted && *wanted ? wanted : "/tmp";
	KC_CLEANUP_FREE char *resolved = realpath(parent, NULL);
	int status;

	*scratch = (struct kc_scratch){ .lock_fd = -1, .keep = keep };
	if (!resolved) {
		status = kc_error_errno(err, errno, "make a temporary directory in `%s`", parent);
		kc_error_hint(err, "set TMPDIR to a directory that may be written to");
		return status;
	}
	sweep(resolved);
	if (keep) {
		status = make_name(resolved, "kept-", scratch->path, err);
		if (status == 0)
			status = make_directory(scratch->path, err);
	} else {
		status = make_watched(scratch, resolved, err);
	}
	if (status < 0)
		scratch->path[0] = '\0';
	return status;
}

int kc_scratch_release(struct kc_scratch *scratch, struct kc_error *err)
{
	if (scratch->path[0] && !scratch->keep) {
		int status = kc_tree_remove(AT_FDCWD, scratch->path, err);

		if (status < 0)
			return status;
		kc_janitor_forget(scratch->path);
	}
	kc_fd_close(&scratch->lock_fd);
	scratch->path[0] = '\0';
	return 0;
}
