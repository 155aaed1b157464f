#include "image/debian.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/source.h"
#include "base/buffer.h"
#include "base/json.h"
#include "image/apt.h"
#include "image/deb.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/janitor.h"

/* Where apt-get puts downloads: PARTIAL and our process id, for the next run may be at work beside our janitor. */
#define PARTIAL "partial-"

enum { RESOLVE_TIMEOUT_MS = 60 * 1000, DOWNLOAD_TIMEOUT_MS = 10 * 60 * 1000 };

static void release_package(struct kc_debian_package *package)
{
	free(package->name);
	free(package->version);
	free(package->file);
}

void kc_debian_release(struct kc_debian_packages *packages)
{
	for (size_t i = 0; i < packages->count; i++)
		release_package(&packages->rows[i]);
	free(packages->rows);
	*packages = (struct kc_debian_packages){ 0 };
}

/* A file name of ours is made of it, and apt's percent signs stay. */
static bool is_file_name(const char *file)
{
	size_t length = strspn(file, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+~%-");

	return length > 4 && length < NAME_MAX && file[length] == '\0' && file[0] != '.' &&
	       strcmp(file + length - 4, ".deb") == 0;
}

static void decode_percent(char *text)
{
	char *to = text;

	for (const char *from = text; *from; to++) {
		unsigned int byte;

		if (from[0] == '%' && sscanf(from + 1, "%2x", &byte) == 1 && from[1] && from[2] &&
		    byte != 0) {
			*to = (char)byte;
			from += 3;
		} else {
			*to = *from++;
		}
	}
	*to = '\0';
}

/* NAME_VERSION_ARCHITECTURE.deb says who it is. */
static int add_package(struct kc_debian_packages *packages, const char *file, const char *sha256,
		       struct kc_error *err)
{
	struct kc_debian_package package = { 0 }, *grown;
	const char *version = strchr(file, '_'), *end = version ? strchr(version + 1, '_') : NULL;

	if (!is_file_name(file) || !end || version == file || end == version + 1 ||
	    !kc_sha256_is_valid(sha256))
		return kc_error_set(err, EBADMSG, "package `%.200s`: unexpected name or digest `%.80s`", file,
				    sha256);
	grown = reallocarray(packages->rows, packages->count + 1, sizeof(*grown));
	if (grown)
		packages->rows = grown;
	package.name = strndup(file, (size_t)(version - file));
	package.version = strndup(version + 1, (size_t)(end - version - 1));
	package.file = strdup(file);
	if (!grown || !package.name || !package.version || !package.file) {
		release_package(&package);
		return kc_error_errno(err, ENOMEM, "package `%s`", file);
	}
	decode_percent(package.version);
	memcpy(package.sha256, sha256, sizeof(package.sha256));
	packages->rows[packages->count++] = package;
	return 0;
}

static int compare_names(const void *left, const void *right)
{
	return strcmp(((const struct kc_debian_package *)left)->name,
		      ((const struct kc_debian_package *)right)->name);
}

static int sort_packages(struct kc_debian_packages *packages, struct kc_error *err)
{
	if (packages->count > 0)
		qsort(packages->rows, packages->count, sizeof(*packages->rows), compare_names);
	for (size_t i = 1; i < packages->count; i++)
		if (compare_names(&packages->rows[i - 1], &packages->rows[i]) == 0)
			return kc_error_set(err, EBADMSG, "package `%s` stands twice",
					    packages->rows[i].name);
	return 0;
}

/* 'URI' FILE SIZE HASH:DIGEST, one line each; apt-get(8), --print-uris. */
static int parse_line(struct kc_debian_packages *packages, const char *line, size_t length,
		      struct kc_error *err)
{
	char file[NAME_MAX + 1], digest[KC_SHA256_HEX_SIZE], text[4096];

	if (length >= sizeof(text))
		return kc_error_set(err, EBADMSG, "apt-get printed a line of %zu bytes", length);
	memcpy(text, line, length);
	text[length] = '\0';
	if (sscanf(text, "'%*[^']' %255s %*u SHA256:%64s", file, digest) != 2)
		return kc_error_set(err, EBADMSG,
				    "apt-get printed `%.300s` instead of a package and its SHA256", text);
	return add_package(packages, file, digest, err);
}

int kc_debian_parse_uris(const char *text, struct kc_debian_packages *ret_packages, struct kc_error *err)
{
	struct kc_debian_packages packages = { 0 };
	int status = 0;

	while (*text && status == 0) {
		size_t length = strcspn(text, "\n");

		if (length > 0)
			status = parse_line(&packages, text, length, err);
		text += length + (text[length] == '\n');
	}
	if (status == 0)
		status = sort_packages(&packages, err);
	if (status < 0)
		kc_debian_release(&packages);
	else
		*ret_packages = packages;
	return status;
}

cJSON *kc_debian_write_json(const struct kc_debian_packages *packages)
{
	KC_CLEANUP_JSON cJSON *array = cJSON_CreateArray();

	for (size_t i = 0; array && i < packages->count; i++) {
		const struct kc_debian_package *package = &packages->rows[i];
		cJSON *object = cJSON_CreateObject();

		if (!object || !cJSON_AddItemToArray(array, object)) {
			cJSON_Delete(object);
			return NULL;
		}
		if (!cJSON_AddStringToObject(object, "name", package->name) ||
		    !cJSON_AddStringToObject(object, "version", package->version) ||
		    !cJSON_AddStringToObject(object, "file", package->file) ||
		    !cJSON_AddStringToObject(object, "sha256", package->sha256))
			return NULL;
	}
	return KC_STEAL(array);
}

int kc_debian_read_json(const cJSON *array, struct kc_debian_packages *ret_packages, struct kc_error *err)
{
	struct kc_debian_packages packages = { 0 };
	const cJSON *item;
	int status = 0;

	cJSON_ArrayForEach(item, array)
	{
		const char *file = NULL, *sha256 = NULL;

		status = kc_json_get_string(item, "file", "package", &file, err);
		if (status == 0)
			status = kc_json_get_string(item, "sha256", "package", &sha256, err);
		if (status == 0)
			status = add_package(&packages, file, sha256, err);
		if (status < 0)
			break;
	}
	if (status == 0)
		status = sort_packages(&packages, err);
	if (status < 0)
		kc_debian_release(&packages);
	else
		*ret_packages = packages;
	return status;
}

static int print_uris(struct kc_apt *apt, bool own_lists, const char *const *names, size_t count,
		      struct kc_debian_packages *ret_packages, struct kc_error *err)
{
	static const char *const arguments[] = { "download", "--print-uris", NULL };
	struct kc_debian_packages packages = { 0 };
	int status = kc_apt_configure(apt, own_lists, err);

	if (status == 0)
		status = kc_apt_run(apt, arguments, names, count, NULL, RESOLVE_TIMEOUT_MS, err);
	if (status == 0)
		status = kc_debian_parse_uris(kc_buffer_string(&apt->output), &packages, err);
	if (status < 0)
		return status;
	if (packages.count != count) {
		kc_debian_release(&packages);
		return kc_error_set(err, EIO, "apt-get knows %zu of %zu packages", packages.count, count);
	}
	*ret_packages = packages;
	return 0;
}

static int lock_directory(const char *directory, int *ret_fd, struct kc_error *err)
{
	KC_CLEANUP_FD int fd = -1;
	int status = kc_apt_make_directories(directory, err);

	if (status < 0)
		return status;
	fd = kc_dir_open(AT_FDCWD, directory, err);
	if (fd < 0)
		return fd;
	status = kc_fd_lock(fd, directory, err);
	if (status < 0)
		return status;
	*ret_fd = KC_STEAL_FD(fd);
	return 0;
}

int kc_debian_resolve(const char *directory, const char *architecture, const char *const *names, size_t count,
		      struct kc_debian_packages *ret_packages, struct kc_error *err)
{
	KC_CLEANUP_APT struct kc_apt apt = KC_APT_INIT(directory, architecture);
	KC_CLEANUP_FD int lock = -1;
	struct kc_error first = { 0 };
	int status = lock_directory(directory, &lock, err);

	if (status < 0)
		return status;
	status = print_uris(&apt, false, names, count, ret_packages, &first);
	if (status == 0)
		return 0;
	if (status == -ENOENT || status == -EINTR) {
		*err = first;
		return status;
	}
	status = kc_apt_update(&apt, err);
	return status < 0 ? status : print_uris(&apt, true, names, count, ret_packages, err);
}

static int digest_of(int dirfd, const char *file, char ret_hex[KC_SHA256_HEX_SIZE], struct kc_error *err)
{
	KC_CLEANUP_FD int fd = openat(dirfd, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	KC_CLEANUP(kc_source_close) struct kc_source source = { 0 };
	int status;

	if (fd < 0)
		return kc_error_errno(err, errno, "open package `%s`", file);
	status = kc_source_open_fd(&source, fd, file, err);
	return status < 0 ? status : kc_source_drain(&source, ret_hex, err);
}

static int verify(int dirfd, const struct kc_debian_package *package, struct kc_error *err)
{
	char hex[KC_SHA256_HEX_SIZE];
	int status = digest_of(dirfd, package->file, hex, err);

	if (status < 0)
		return status;
	if (strcmp(hex, package->sha256) != 0)
		return kc_error_set(err, EBADMSG, "package `%s`: SHA-256 is %s, and should be %s",
				    package->file, hex, package->sha256);
	return 0;
}

/* From the partial directory into place. */
static int take_downloads(const char *name, int dirfd, const struct kc_debian_packages *packages,
			  const bool *missing, struct kc_error *err)
{
	KC_CLEANUP_FD int partial = kc_dir_open(dirfd, name, err);

	if (partial < 0)
		return partial;
	for (size_t i = 0; i < packages->count; i++) {
		const struct kc_debian_package *package = &packages->rows[i];
		int status = missing[i] ? verify(partial, package, err) : 0;

		if (status < 0)
			return status;
		if (missing[i] && renameat(partial, package->file, dirfd, package->file) < 0)
			return kc_error_errno(err, errno, "rename package `%s`", package->file);
	}
	return 0;
}

static int download(struct kc_apt *apt, const char *partial, int dirfd, char *const *wanted, size_t count,
		    struct kc_error *err)
{
	static const char *const arguments[] = { "download", NULL };
	KC_CLEANUP_BUFFER struct kc_buffer path = KC_BUFFER_INIT(PATH_MAX);
	int status = kc_tree_remove(dirfd, partial, err);

	if (status < 0)
		return status;
	if (kc_buffer_printf(&path, "%s/%s", apt->directory, partial) < 0)
		return kc_error_errno(err, ENAMETOOLONG, "`%s`", apt->directory);
	status = kc_janitor_watch(KC_JANITOR_TREE, kc_buffer_string(&path), err);
	if (status < 0)
		return status;
	if (mkdirat(dirfd, partial, 0700) < 0)
		return kc_error_errno(err, errno, "create directory `%s`", kc_buffer_string(&path));
	return kc_apt_run(apt, arguments, (const char *const *)wanted, count, kc_buffer_string(&path),
			  DOWNLOAD_TIMEOUT_MS, err);
}

/* What the host's lists knew may have left the mirrors since: the second try is with lists of our own. */
static int download_missing(struct kc_apt *apt, const char *partial, int dirfd,
			    const struct kc_debian_packages *packages, const bool *missing, char **wanted,
			    struct kc_error *err)
{
	struct kc_error first = { 0 };
	size_t count = 0;
	int status = 0;

	for (size_t i = 0; i < packages->count; i++) {
		const struct kc_debian_package *package = &packages->rows[i];

		if (!missing[i])
			continue;
		if (asprintf(&wanted[count], "%s=%s", package->name, package->version) < 0) {
			wanted[count] = NULL;
			return kc_error_errno(err, ENOMEM, "fetch packages");
		}
		count++;
	}
	status = kc_apt_configure(apt, false, err);
	if (status == 0)
		status = download(apt, partial, dirfd, wanted, count, &first);
	if (status < 0 && status != -ENOENT && status != -ENOSPC && status != -EINTR) {
		status = kc_apt_update(apt, err);
		if (status == 0)
			status = download(apt, partial, dirfd, wanted, count, err);
	} else if (status < 0) {
		*err = first;
	}
	return status < 0 ? status : take_downloads(partial, dirfd, packages, missing, err);
}

static void free_strings(char **strings, size_t count)
{
	for (size_t i = 0; strings && i < count; i++)
		free(strings[i]);
	free(strings);
}

/* Downloads of ours, and of those who were killed together with their janitor: we hold the lock. */
static void remove_partial(const char *directory, const char *partial, int lock)
{
	KC_CLEANUP_DIR DIR *dir = opendir(directory);
	char path[PATH_MAX];
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		/* What cannot be removed is in nobody's way. */
		if (strncmp(entry->d_name, PARTIAL, strlen(PARTIAL)) == 0 &&
		    kc_tree_remove(lock, entry->d_name, NULL) < 0)
			continue;
	if (snprintf(path, sizeof(path), "%s/%s", directory, partial) < (int)sizeof(path))
		kc_janitor_forget(path);
}

static int may_not_download(struct kc_error *err)
{
	return kc_error_set(err, ENOENT, "packages are missing, and nothing may be downloaded (--offline)");
}

int kc_debian_fetch(const char *directory, const char *architecture,
		    const struct kc_debian_packages *packages, bool is_offline, struct kc_error *err)
{
	KC_CLEANUP_APT struct kc_apt apt = KC_APT_INIT(directory, architecture);
	KC_CLEANUP_FREE bool *missing = calloc(packages->count + 1, sizeof(*missing));
	char **wanted = calloc(packages->count + 1, sizeof(*wanted));
	KC_CLEANUP_FD int lock = -1;
	char partial[64];
	bool any = false;
	int status = missing && wanted ? lock_directory(directory, &lock, err)
				       : kc_error_errno(err, ENOMEM, "fetch packages");

	(void)snprintf(partial, sizeof(partial), PARTIAL "%ld", (long)getpid());
	for (size_t i = 0; status == 0 && i < packages->count; i++) {
		missing[i] = verify(lock, &packages->rows[i], NULL) < 0;
		any |= missing[i];
	}
	if (status == 0 && any)
		status = is_offline ? may_not_download(err)
				    : download_missing(&apt, partial, lock, packages, missing, wanted, err);
	if (any)
		remove_partial(directory, partial, lock);
	free_strings(wanted, packages->count);
	return status;
}

int kc_debian_unpack(const char *directory, const struct kc_debian_package *package, int tree_fd,
		     const struct kc_extract_options *options, struct kc_error *err)
{
	KC_CLEANUP_FD int dirfd = kc_dir_open(AT_FDCWD, directory, err);
	KC_CLEANUP_FD int fd = -1;
	KC_CLEANUP(kc_source_close) struct kc_source source = { 0 };
	int status;

	if (dirfd < 0)
		return dirfd;
	fd = openat(dirfd, package->file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return kc_error_errno(err, errno, "open package `%s`", package->file);
	status = kc_deb_open_data(&source, fd, package->file, err);
	if (status == 0)
		status = kc_extract_tar_xz(&source, tree_fd, options, err);
	return status < 0 ? kc_error_prefix(err, "package %s", package->name) : 0;
}
