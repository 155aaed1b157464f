#include "archive/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/manifest.h"
#include "base/digest.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/identity.h"
#include "sys/janitor.h"

#define KEY_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
#define KEY_BYTES 200
/* Parts a key from the random end of a temporary name; not among the characters of a key. */
#define KEY_END '~'
#define INFO_LIMIT_BYTES (1u << 20)

/* --- Opening --- */

static int find_cache_directory(char ret_path[PATH_MAX], struct kc_error *err)
{
	const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	int length;

	/* XDG Base Directory Specification: a relative path is invalid and to be ignored. */
	if (cache && cache[0] == '/')
		length = snprintf(ret_path, PATH_MAX, "%s/krunner-compat", cache);
	else if (home && home[0] == '/')
		length = snprintf(ret_path, PATH_MAX, "%s/.cache/krunner-compat", home);
	else {
		(void)kc_error_set(err, ENOENT, "find the cache directory: HOME is not set");
		kc_error_hint(err, "set HOME, or XDG_CACHE_HOME to an absolute path");
		return -ENOENT;
	}
	return length >= PATH_MAX ? kc_error_errno(err, ENAMETOOLONG, "find the cache directory") : 0;
}

/* As the janitor wants it: without links, "..", and double slashes. */
static int resolve(char path[PATH_MAX], struct kc_error *err)
{
	KC_CLEANUP_FREE char *resolved = realpath(path, NULL);

	if (!resolved)
		return kc_error_errno(err, errno, "open directory `%s`", path);
	(void)snprintf(path, PATH_MAX, "%s", resolved); /* a resolved path is never longer than PATH_MAX */
	return 0;
}

/* Somebody else's directory, or one that others may write to, is no place for what we trust. */
static int check_ownership(const struct kc_store *store, struct kc_error *err)
{
	struct stat status;

	if (fstat(store->fd, &status) < 0)
		return kc_error_errno(err, errno, "stat `%s`", store->path);
	if (status.st_uid == geteuid() && (status.st_mode & 022) == 0)
		return 0;
	(void)kc_error_set(err, EPERM, "use the store `%s`: others may write to it", store->path);
	kc_error_hint(err, "give it to user %u with mode 0700, or set XDG_CACHE_HOME to another directory",
		      (unsigned int)geteuid());
	return -EPERM;
}

/*
 * Has ext2, ext3 and ext4 place each directory in `tmp` into a block group of its own, for which this flag
 * is (ext2/3/4 "top of directory hierarchies", chattr(1) +T). Without it a tree lands where the one removed
 * a moment ago was, and ext4 searches for an inode that was not freed lately: measured with Linux 6.18, four
 * seconds instead of one.
 */
static void spread_directories(int tmp_fd)
{
	int flags = 0;

	if (ioctl(tmp_fd, FS_IOC_GETFLAGS, &flags) == 0 && !(flags & FS_TOPDIR_FL)) {
		flags |= FS_TOPDIR_FL;
		(void)ioctl(tmp_fd, FS_IOC_SETFLAGS,
			    &flags); /* a hint: other file systems have no use for it */
	}
}

static int make_directories(const struct kc_store *store, struct kc_error *err)
{
	static const char *const names[] = { "trees", "tmp", "locks" };
	KC_CLEANUP_FD int tmp_fd = -1;

	for (size_t i = 0; i < KC_ARRAY_LENGTH(names); i++)
		if (mkdirat(store->fd, names[i], 0700) < 0 && errno != EEXIST)
			return kc_error_errno(err, errno, "create directory `%s/%s`", store->path, names[i]);
	tmp_fd = kc_dir_open(store->fd, "tmp", err);
	if (tmp_fd < 0)
		return tmp_fd;
	spread_directories(tmp_fd);
	return 0;
}

static void clean_temporary(const struct kc_store *store);

int kc_store_open(struct kc_store *store, struct kc_error *err)
{
	int status;

	*store = (struct kc_store){ .fd = -1 };
	status = find_cache_directory(store->path, err);
	if (status < 0)
		return status;
	status = kc_dir_make(store->path, err);
	if (status < 0) {
		kc_error_hint(err, "set XDG_CACHE_HOME to a directory that may be written to");
		return status;
	}
	status = resolve(store->path, err);
	if (status < 0)
		return status;
	store->fd = kc_dir_open(AT_FDCWD, store->path, err);
	if (store->fd < 0)
		return store->fd;
	status = check_ownership(store, err);
	if (status == 0)
		status = make_directories(store, err);
	if (status < 0)
		kc_store_close(store);
	else
		clean_temporary(store);
	return status;
}

void kc_store_close(struct kc_store *store)
{
	/* A zeroed object has descriptor 0, which is never ours. */
	if (store->fd > 0)
		kc_fd_close(&store->fd);
	*store = (struct kc_store){ .fd = -1 };
}

unsigned int kc_store_owner_id(void)
{
	return kc_identity_commands(KC_STORE_SANDBOX_ID) ? KC_STORE_SANDBOX_ID : (unsigned int)-1;
}

/* --- Locks --- */

static int check_key(const char *key, struct kc_error *err)
{
	size_t length = strlen(key);

	if (length == 0 || length > KEY_BYTES || key[0] == '.' || strspn(key, KEY_CHARACTERS) != length)
		return kc_error_set(err, EINVAL, "`%s` is no key of the store", key);
	return 0;
}

/* The lock goes when every copy of the descriptor is closed or one of them is unlocked: release does the
 * latter, so that a child that inherited it cannot hold it. */
static void release_lock(int *lock)
{
	if (*lock >= 0)
		(void)flock(*lock, LOCK_UN); /* fails for a bad descriptor only */
	kc_fd_close(lock);
}
#define CLEANUP_LOCK KC_CLEANUP(release_lock)

static int open_lock(const struct kc_store *store, const char *key, struct kc_error *err)
{
	char path[PATH_MAX];
	int fd;

	(void)snprintf(path, sizeof(path), "locks/%s", key); /* a key is short */
	fd = openat(store->fd, path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	return fd < 0 ? kc_error_errno(err, errno, "lock `%s/%s`", store->path, path) : fd;
}

/* --- What killed runs left --- */

static bool belongs_to(const char *temporary, const char *key)
{
	size_t length = strlen(key);

	return strncmp(temporary, key, length) == 0 && temporary[length] == KEY_END;
}

/* The next name in tmp/ that belongs to `key` (NULL: to any). */
static bool next_temporary(DIR *dir, const char *key, char ret_name[NAME_MAX + 1])
{
	struct dirent *entry;

	while ((entry = readdir(dir))) {
		if (!strchr(entry->d_name, KEY_END) || (key && !belongs_to(entry->d_name, key)))
			continue;
		(void)snprintf(ret_name, NAME_MAX + 1, "%s", entry->d_name);
		return true;
	}
	return false;
}

static DIR *open_temporary(const struct kc_store *store)
{
	int fd = openat(store->fd, "tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir)
		kc_fd_close(&fd);
	return dir;
}

/* With the lock of `key` held nobody else works on these. */
static void clean_temporary_of(const struct kc_store *store, const char *key)
{
	KC_CLEANUP_DIR DIR *dir = open_temporary(store);
	char name[NAME_MAX + 1], path[NAME_MAX + 8];

	while (dir && next_temporary(dir, key, name)) {
		(void)snprintf(path, sizeof(path), "tmp/%s", name);
		if (kc_tree_remove(store->fd, path, NULL) < 0)
			return; /* it is in nobody's way; the next run tries again */
	}
}

static void clean_temporary(const struct kc_store *store)
{
	KC_CLEANUP_DIR DIR *dir = open_temporary(store);
	char name[NAME_MAX + 1];

	while (dir && next_temporary(dir, NULL, name)) {
		CLEANUP_LOCK int lock = -1;

		*strchr(name, KEY_END) = '\0';
		if (check_key(name, NULL) < 0)
			continue;
		lock = open_lock(store, name, NULL);
		if (lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) == 0)
			clean_temporary_of(store, name);
	}
}

/* --- Entries --- */

static int open_entry(const struct kc_store *store, const char *key, struct kc_error *err)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "trees/%s", key);
	return kc_dir_open(store->fd, path, err);
}

bool kc_store_has(const struct kc_store *store, const char *key)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "trees/%s/manifest", key);
	return check_key(key, NULL) == 0 && faccessat(store->fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int kc_store_manifest(struct kc_store *store, const char *key, struct kc_buffer *manifest,
		      struct kc_error *err)
{
	KC_CLEANUP_FD int entry = -1;
	int status = check_key(key, err);

	if (status < 0)
		return status;
	entry = open_entry(store, key, err);
	return entry < 0 ? entry : kc_file_read(entry, "manifest", manifest, err);
}

/* "info.json" has its digest beside it, as sha256sum(1) writes it. */
static int describe_info(const struct kc_buffer *info, char ret_line[KC_SHA256_HEX_SIZE + 16],
			 struct kc_error *err)
{
	char digest[KC_SHA256_HEX_SIZE];
	int status = kc_sha256_of(kc_buffer_string(info), info->length, digest, err);

	if (status == 0)
		(void)snprintf(ret_line, KC_SHA256_HEX_SIZE + 16, "%s  info.json\n", digest);
	return status;
}

static int read_info(int entry, struct kc_buffer *info, struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer stored = KC_BUFFER_INIT(KC_SHA256_HEX_SIZE + 16);
	char line[KC_SHA256_HEX_SIZE + 16];
	int status = kc_file_read(entry, "info.json", info, err);

	if (status == 0)
		status = kc_file_read(entry, "info.sha256", &stored, err);
	if (status == 0)
		status = describe_info(info, line, err);
	if (status == 0 && strcmp(kc_buffer_string(&stored), line) != 0)
		status = kc_error_set(err, EUCLEAN, "info.json has changed");
	return status;
}

static int verify_entry(const struct kc_store *store, const char *key, struct kc_buffer *info,
			struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer manifest = KC_BUFFER_INIT(KC_MANIFEST_LIMIT_BYTES);
	KC_CLEANUP_FD int entry = open_entry(store, key, err);
	KC_CLEANUP_FD int tree = -1;
	int status;

	if (entry < 0)
		return entry;
	tree = kc_dir_open(entry, "tree", err);
	if (tree < 0)
		return tree;
	status = kc_file_read(entry, "manifest", &manifest, err);
	if (status == 0)
		status = kc_manifest_verify(tree, kc_buffer_string(&manifest), manifest.length, err);
	return status == 0 ? read_info(entry, info, err) : status;
}

/* --- Building --- */

/* Not flushed to disk: an entry that a crash of the machine spoils does not verify. */
static int write_file(int dirfd, const char *name, const void *bytes, size_t length, struct kc_error *err)
{
	int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	int status;

	if (fd < 0)
		return kc_error_errno(err, errno, "create `%s`", name);
	status = kc_fd_write_all(fd, bytes, length);
	if (close(fd) < 0 && status == 0)
		status = -errno;
	return status < 0 ? kc_error_errno(err, status, "write `%s`", name) : 0;
}

static int write_entry_files(int entry, const struct kc_buffer *manifest, const struct kc_buffer *info,
			     struct kc_error *err)
{
	char line[KC_SHA256_HEX_SIZE + 16];
	int status = describe_info(info, line, err);

	if (status == 0)
		status = write_file(entry, "manifest", kc_buffer_string(manifest), manifest->length, err);
	if (status == 0)
		status = write_file(entry, "info.json", kc_buffer_string(info), info->length, err);
	if (status == 0)
		status = write_file(entry, "info.sha256", line, strlen(line), err);
	return status;
}

static int make_tree_root(int entry, struct kc_error *err)
{
	unsigned int id = kc_store_owner_id();
	int fd;

	if (mkdirat(entry, "tree", 0700) < 0)
		return kc_error_errno(err, errno, "create directory `tree`");
	fd = kc_dir_open(entry, "tree", err);
	if (fd < 0)
		return fd;
	if (fchown(fd, id, id) < 0 || fchmod(fd, 0755) < 0) {
		int status = kc_error_errno(err, errno, "set the owner of `tree`");

		kc_fd_close(&fd);
		return status;
	}
	return fd;
}

static int build_into(int entry, kc_store_builder *build, void *context, struct kc_buffer *info,
		      struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer manifest = KC_BUFFER_INIT(KC_MANIFEST_LIMIT_BYTES);
	KC_CLEANUP_FD int tree = make_tree_root(entry, err);
	int status;

	if (tree < 0)
		return tree;
	status = build(context, tree, &manifest, info, err);
	return status == 0 ? write_entry_files(entry, &manifest, info, err) : status;
}

/* A damaged entry goes out of the way first; it is removed when the new one is in place. */
static int put_in_place(const struct kc_store *store, const char *key, const char *temporary,
			struct kc_error *err)
{
	char target[PATH_MAX], damaged[PATH_MAX], watched[2 * PATH_MAX];
	int status;

	(void)snprintf(target, sizeof(target), "trees/%s", key);
	(void)snprintf(damaged, sizeof(damaged), "%s.damaged", temporary); /* PATH_MAX had room for more */
	(void)snprintf(watched, sizeof(watched), "%s/%s", store->path, damaged);
	status = kc_janitor_watch(KC_JANITOR_TREE, watched, err);
	if (status < 0)
		return status;
	if (renameat(store->fd, target, store->fd, damaged) < 0 && errno != ENOENT)
		return kc_error_errno(err, errno, "move the damaged `%s/%s` away", store->path, target);
	if (renameat(store->fd, temporary, store->fd, target) < 0)
		return kc_error_errno(err, errno, "put `%s/%s` in place", store->path, target);
	return 0;
}

void kc_store_tell(const struct kc_store *store, const char *format, ...)
{
	char text[PATH_MAX + 256];
	va_list arguments;

	if (!store->listener)
		return;
	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	store->listener(store->listener_context, text);
}

void kc_store_uses(const struct kc_store *store, const char *format, ...)
{
	char item[512];
	va_list arguments;

	if (!store->user)
		return;
	va_start(arguments, format);
	(void)vsnprintf(item, sizeof(item), format, arguments); /* keys, digests and file names are short */
	va_end(arguments);
	store->user(store->user_context, item);
}

/* The janitor is told the name before the directory is there: mkdtemp(3) tells it after. */
static int make_temporary(const struct kc_store *store, const char *key, char ret_path[PATH_MAX],
			  struct kc_error *err)
{
	uint64_t random;
	int status;

	if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return kc_error_errno(err, errno, "build `%s`: getrandom", key);
	if (snprintf(ret_path, PATH_MAX, "%s/tmp/%s%c%016" PRIx64, store->path, key, KEY_END, random) >=
	    PATH_MAX)
		return kc_error_errno(err, ENAMETOOLONG, "use the store `%s`", store->path);
	status = kc_janitor_watch(KC_JANITOR_TREE, ret_path, err);
	if (status < 0)
		return status;
	if (mkdirat(store->fd, ret_path + strlen(store->path) + 1, 0700) < 0) {
		kc_janitor_forget(ret_path);
		return kc_error_errno(err, errno, "create directory `%s`", ret_path);
	}
	return 0;
}

static int build_entry(const struct kc_store *store, const char *key, kc_store_builder *build, void *context,
		       struct kc_buffer *info, struct kc_error *err)
{
	char path[PATH_MAX];
	const char *temporary = path + strlen(store->path) + 1;
	KC_CLEANUP_FD int entry = -1;
	int status = make_temporary(store, key, path, err);

	if (status < 0)
		return status;
	entry = kc_dir_open(store->fd, temporary, err);
	status = entry < 0 ? entry : build_into(entry, build, context, info, err);
	if (status == 0)
		status = put_in_place(store, key, temporary, err);
	clean_temporary_of(store, key); /* a failed build, or the damaged entry */
	kc_janitor_forget(path);
	return status;
}

static int explain(const struct kc_store *store, int status, struct kc_error *err)
{
	if (status == -ENOSPC || status == -EDQUOT)
		kc_error_hint(err,
			      "free some space where `%s` is, or set XDG_CACHE_HOME to a directory with more",
			      store->path);
	return status;
}

/* Failures that say something about this process or machine, not about the entry. */
static bool is_passing(int status)
{
	return status == -ENOMEM || status == -EMFILE || status == -ENFILE || status == -EINTR;
}

static void note_damage(struct kc_store *store, const char *key, const struct kc_error *found)
{
	size_t used = strlen(store->repairs);

	(void)snprintf(store->repairs + used, sizeof(store->repairs) - used,
		       "%s%.40s... was damaged (%.200s) and is made anew", used ? "; " : "", key,
		       found->text);
}

static int verify_or_build(struct kc_store *store, const char *key, kc_store_builder *build, void *context,
			   struct kc_buffer *info, struct kc_error *err)
{
	struct kc_error found = { 0 };
	int status;

	clean_temporary_of(store, key);
	if (kc_store_has(store, key)) {
		status = verify_entry(store, key, info, &found);
		if (status == 0)
			return 0;
		if (is_passing(status)) {
			if (err)
				*err = found;
			return status;
		}
		kc_store_tell(store, "making %s again: %s", key, found.text);
		note_damage(store, key, &found);
	}
	kc_buffer_clear(info);
	status = build_entry(store, key, build, context, info, err);
	return explain(store, status, err);
}

static int look_up(const struct kc_store *store, const char *key, struct kc_buffer *info,
		   struct kc_error *err)
{
	KC_CLEANUP_FD int entry = -1;

	if (!kc_store_has(store, key))
		return kc_error_set(err, ENOENT, "`%s` is not in the store", key);
	entry = open_entry(store, key, err);
	return entry < 0 ? entry : read_info(entry, info, err);
}

int kc_store_remove(struct kc_store *store, const char *item, struct kc_error *err)
{
	static const char trees[] = "trees/";
	CLEANUP_LOCK int lock = -1;
	int status = 0;

	if (strncmp(item, trees, strlen(trees)) == 0) {
		status = check_key(item + strlen(trees), err);
		if (status == 0)
			lock = open_lock(store, item + strlen(trees), err);
		if (status == 0)
			status = lock < 0 ? lock : kc_fd_lock(lock, item, err);
	}
	if (status == 0)
		status = kc_tree_remove(store->fd, item, err);
	return status == -ENOENT ? 0 : status;
}

int kc_store_get(struct kc_store *store, const char *key, kc_store_builder *build, void *context,
		 char ret_tree[PATH_MAX], struct kc_buffer *info, struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer own_info = KC_BUFFER_INIT(INFO_LIMIT_BYTES);
	CLEANUP_LOCK int lock = -1;
	int status = check_key(key, err);

	if (status < 0)
		return status;
	lock = open_lock(store, key, err);
	if (lock < 0)
		return explain(store, lock, err);
	status = kc_fd_lock(lock, key, err);
	if (status < 0)
		return status;
	kc_store_uses(store, "trees/%s", key);
	status = store->is_look_only ? look_up(store, key, &own_info, err)
				     : verify_or_build(store, key, build, context, &own_info, err);
	if (status < 0)
		return status;
	if (snprintf(ret_tree, PATH_MAX, "%s/trees/%s/tree", store->path, key) >= PATH_MAX)
		return kc_error_errno(err, ENAMETOOLONG, "use the store `%s`", store->path);
	if (info && kc_buffer_append(info, kc_buffer_string(&own_info), own_info.length) < 0)
		return kc_error_errno(err, ENOMEM, "read the info of `%s`", key);
	return 0;
}
