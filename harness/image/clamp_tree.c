#include "image/clamp_tree.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "sys/fd.h"
#include "sys/signals.h"

enum { FILE_LIMIT = 512 << 20, DEPTH_LIMIT = 64 };

struct walk {
	const struct kc_elf_ceilings *ceilings;
	struct kc_elf_clamp_stats *stats;
	struct kc_buffer content;
	struct kc_error *err;
};

static bool has_magic(int fd)
{
	char magic[SELFMAG];

	return pread(fd, magic, sizeof(magic), 0) == SELFMAG && memcmp(magic, ELFMAG, SELFMAG) == 0;
}

/* `fd` is of the same file, opened for reading; its mode may not let us write. */
static int write_back(struct walk *walk, int dirfd, const char *name, int fd)
{
	KC_CLEANUP_FD int out = -1;
	struct stat status;
	int result;

	if (fstat(fd, &status) < 0 || fchmod(fd, status.st_mode | S_IWUSR) < 0)
		return kc_error_errno(walk->err, errno, "change the mode of `%s`", name);
	out = openat(dirfd, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (out < 0)
		return kc_error_errno(walk->err, errno, "open `%s` for writing", name);
	result = kc_fd_write_all(out, walk->content.data, walk->content.length);
	if (result == 0 && fchmod(out, status.st_mode & 07777) < 0)
		result = -errno;
	return result < 0 ? kc_error_errno(walk->err, result, "write `%s`", name) : 0;
}

static int clamp_file(struct walk *walk, int dirfd, const char *name)
{
	KC_CLEANUP_FD int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct kc_elf_clamp_stats stats = { 0 };
	int status;

	if (fd < 0)
		return kc_error_errno(walk->err, errno, "open `%s`", name);
	if (!has_magic(fd))
		return 0;
	kc_buffer_clear(&walk->content);
	status = kc_fd_read_all(fd, &walk->content, name, walk->err);
	if (status == 0)
		status = kc_elf_clamp(walk->content.data, walk->content.length, walk->ceilings, &stats,
				      walk->err);
	if (status < 0)
		return kc_error_prefix(walk->err, "clamp `%s`", name);
	walk->stats->definitions += stats.definitions;
	walk->stats->requirements += stats.requirements;
	walk->stats->texts += stats.texts;
	if (*stats.release)
		memcpy(walk->stats->release, stats.release, sizeof(stats.release));
	if (stats.definitions + stats.requirements + stats.texts == 0)
		return 0;
	return write_back(walk, dirfd, name, fd);
}

static int clamp_directory(struct walk *walk, int parent, const char *name, unsigned int depth);

static int clamp_entry(struct walk *walk, int dirfd, const char *name, unsigned int depth)
{
	struct stat status;

	if (fstatat(dirfd, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return kc_error_errno(walk->err, errno, "stat `%s`", name);
	if (S_ISDIR(status.st_mode))
		return clamp_directory(walk, dirfd, name, depth + 1);
	if (kc_signals_caught())
		return kc_signals_check(walk->err);
	return S_ISREG(status.st_mode) ? clamp_file(walk, dirfd, name) : 0;
}

static int clamp_directory(struct walk *walk, int parent, const char *name, unsigned int depth)
{
	KC_CLEANUP_FD int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	KC_CLEANUP_DIR DIR *dir = fd < 0 || depth > DEPTH_LIMIT ? NULL : fdopendir(fd);
	struct dirent *entry;
	int status = 0;

	if (!dir)
		return kc_error_errno(walk->err, depth > DEPTH_LIMIT ? ELOOP : errno, "open directory `%s`",
				      name);
	fd = -1; /* the stream has it now */
	while (status == 0 && (errno = 0, entry = readdir(dir)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			status = clamp_entry(walk, dirfd(dir), entry->d_name, depth);
	if (status == 0 && errno != 0)
		status = kc_error_errno(walk->err, errno, "read directory `%s`", name);
	return status;
}

/* `ldd --version` is how scripts ask for the release. It is a shell script that has it as text. */
static int clamp_ldd(struct walk *walk, int tree_fd)
{
	KC_CLEANUP_FD int dirfd = openat(tree_fd, "usr/bin", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	KC_CLEANUP_FD int fd = dirfd < 0 ? -1 : openat(dirfd, "ldd", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	const char *to = NULL;
	size_t changed;
	int status;

	for (size_t i = 0; i < walk->ceilings->count; i++)
		if (strcmp(walk->ceilings->rows[i].prefix, "GLIBC") == 0)
			to = walk->ceilings->rows[i].version;
	if (fd < 0 || !to || !*walk->stats->release)
		return 0;
	kc_buffer_clear(&walk->content);
	status = kc_fd_read_all(fd, &walk->content, "ldd", walk->err);
	if (status < 0)
		return status;
	changed = kc_elf_replace_release(walk->content.data, walk->content.length, walk->stats->release, to);
	walk->stats->texts += changed;
	return changed > 0 ? write_back(walk, dirfd, "ldd", fd) : 0;
}

int kc_clamp_tree(int tree_fd, const struct kc_elf_ceilings *ceilings, struct kc_elf_clamp_stats *stats,
		  struct kc_error *err)
{
	struct walk walk = {
		.ceilings = ceilings, .stats = stats, .content = KC_BUFFER_INIT(FILE_LIMIT), .err = err
	};
	int status = clamp_directory(&walk, tree_fd, ".", 0);

	if (status == 0)
		status = clamp_ldd(&walk, tree_fd);
	kc_buffer_release(&walk.content);
	return status;
}
