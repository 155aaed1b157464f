#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "archive/names.h"
#include "base/cleanup.h"
#include "release/envelope.h"
#include "release/verify_internal.h"
#include "sys/fd.h"
#include "sys/file.h"

void kc_verification_add(struct kc_verification *verification, int *status, enum kc_verified_verdict verdict,
			 const char *object, const char *format, ...)
{
	struct kc_verified *grown, *finding;
	va_list arguments;

	if (*status < 0)
		return;
	if (verification->count == KC_VERIFY_FINDINGS_MAX) {
		*status = -E2BIG;
		return;
	}
	grown = reallocarray(verification->items, verification->count + 1, sizeof(*grown));
	if (!grown) {
		*status = -ENOMEM;
		return;
	}
	verification->items = grown;
	finding = &grown[verification->count++];
	finding->verdict = verdict;
	(void)snprintf(finding->object, sizeof(finding->object), "%s", object); /* a file's name fits */
	va_start(arguments, format);
	(void)vsnprintf(finding->text, sizeof(finding->text), format,
			arguments); /* what is cut is the end of a sentence */
	va_end(arguments);
}

void kc_verification_release(struct kc_verification *verification)
{
	free(verification->items);
	*verification = (struct kc_verification){ 0 };
}

enum kc_verified_verdict kc_verification_verdict(const struct kc_verification *verification)
{
	enum kc_verified_verdict worst = verification->count ? KC_VERIFIED_OK : KC_VERIFIED_UNKNOWN;

	for (size_t i = 0; i < verification->count; i++)
		if (verification->items[i].verdict > worst)
			worst = verification->items[i].verdict;
	return worst;
}

static bool is_read(const char *name)
{
	return strcmp(name, KC_CHECKSUMS_NAME) == 0 || kc_name_ends(name, ".intoto.json") ||
	       kc_name_ends(name, ".dsse.json");
}

/* What is read is hashed where it was read to: the file may be another one by then. */
static int take_content(int directory, struct kc_release_file *file, size_t *content_bytes,
			struct kc_error *err)
{
	KC_CLEANUP_FD int fd =
		openat(directory, file->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	size_t limit = KC_VERIFY_CONTENT_LIMIT - *content_bytes;
	struct stat kind;
	int status;

	if (fd < 0)
		return kc_error_errno(err, errno, "%s: open", file->name);
	if (fstat(fd, &kind) < 0)
		return kc_error_errno(err, errno, "%s: stat", file->name);
	if (!S_ISREG(kind.st_mode))
		return kc_error_set(err, EINVAL, "%s: not a regular file", file->name);
	kc_buffer_init(&file->content, limit < KC_ENVELOPE_LIMIT ? limit : KC_ENVELOPE_LIMIT);
	status = kc_fd_read_all(fd, &file->content, file->name, err);
	*content_bytes += file->content.length;
	if (status < 0)
		return status;
	return kc_sha256_of(kc_buffer_string(&file->content), file->content.length, file->sha256, err);
}

/* NULL for an entry that a release may have, else what it is. */
static const char *refuse_entry(int directory, const char *name)
{
	const char *rule = strcmp(name, KC_CHECKSUMS_NAME) == 0 ? NULL : kc_checksums_check_name(name);
	struct stat kind;

	if (rule)
		return rule;
	if (fstatat(directory, name, &kind, AT_SYMLINK_NOFOLLOW) < 0 || S_ISREG(kind.st_mode))
		return NULL; /* opening it tells the rest */
	if (S_ISLNK(kind.st_mode))
		return "it is a symbolic link";
	return S_ISDIR(kind.st_mode) ? "it is a directory" : "it is no regular file";
}

static int take_file(int directory, struct kc_release_file *file, size_t *content_bytes,
		     struct kc_verification *verification, struct kc_error *err)
{
	struct kc_error found = { 0 };
	int status = is_read(file->name) ? take_content(directory, file, content_bytes, &found)
					 : kc_checksums_of_file(directory, file->name, file->sha256, &found);

	if (status == -EINTR || status == -ENOMEM) {
		if (err)
			*err = found;
		return status;
	}
	if (status == 0)
		return 0;
	file->sha256[0] = '\0';
	status = 0;
	kc_verification_add(verification, &status, KC_VERIFIED_UNKNOWN, file->name, "it cannot be read: %s",
			    found.text);
	return status < 0 ? kc_error_errno(err, status, "check a release") : 0;
}

static int compare_files(const void *left, const void *right)
{
	const struct kc_release_file *a = left, *b = right;

	return strcmp(a->name, b->name);
}

/* Every entry of a directory, in the order of names. */
static int list(DIR *stream, struct kc_release_files *files, struct kc_error *err)
{
	const struct dirent *entry;

	for (errno = 0; (entry = readdir(stream)); errno = 0) {
		struct kc_release_file *grown;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (files->count > KC_CHECKSUMS_MAX)
			return kc_error_set(err, E2BIG, "more than %d entries", KC_CHECKSUMS_MAX + 1);
		grown = reallocarray(files->items, files->count + 1, sizeof(*grown));
		if (!grown)
			return kc_error_errno(err, ENOMEM, "list");
		files->items = grown;
		memset(&grown[files->count], 0, sizeof(*grown));
		(void)snprintf(grown[files->count++].name, sizeof(grown->name), "%s",
			       entry->d_name); /* it fits */
	}
	if (errno)
		return kc_error_errno(err, errno, "list");
	qsort(files->items, files->count, sizeof(*files->items), compare_files);
	return 0;
}

/* Drops what no release has, and reads the others. */
static int sift(int directory, struct kc_release_files *files, struct kc_verification *verification,
		struct kc_error *err)
{
	size_t count = files->count;
	int status = 0;

	files->count = 0;
	for (size_t i = 0; status == 0 && i < count; i++) {
		const char *rule = refuse_entry(directory, files->items[i].name);

		if (rule) {
			kc_verification_add(verification, &status, KC_VERIFIED_FAILED, files->items[i].name,
					    "no release has such an entry: %s", rule);
			continue;
		}
		files->items[files->count] = files->items[i];
		status = take_file(directory, &files->items[files->count++], &files->content_bytes,
				   verification, err);
	}
	return status == -ENOMEM ? kc_error_errno(err, status, "read") : status;
}

int kc_release_files_read(const char *directory, struct kc_release_files *files,
			  struct kc_verification *verification, struct kc_error *err)
{
	KC_CLEANUP_FD int opened = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	KC_CLEANUP_FD int own = opened < 0 ? -1 : fcntl(opened, F_DUPFD_CLOEXEC, 0);
	KC_CLEANUP_DIR DIR *stream = NULL;
	int status;

	if (own < 0)
		return kc_error_errno(err, errno, "release `%s`: open", directory);
	stream = fdopendir(own);
	if (!stream)
		return kc_error_errno(err, errno, "release `%s`: open", directory);
	own = -1; /* it is the stream's */
	status = list(stream, files, err);
	if (status == 0)
		status = sift(opened, files, verification, err);
	return status < 0 ? kc_error_prefix(err, "release `%s`", directory) : 0;
}

struct kc_release_file *kc_release_files_find(const struct kc_release_files *files, const char *name)
{
	struct kc_release_file wanted = { 0 };

	if (strlen(name) >= sizeof(wanted.name) || files->count == 0)
		return NULL;
	memcpy(wanted.name, name, strlen(name) + 1);
	return bsearch(&wanted, files->items, files->count, sizeof(*files->items), compare_files);
}

void kc_release_files_release(struct kc_release_files *files)
{
	for (size_t i = 0; i < files->count; i++) {
		kc_buffer_release(&files->items[i].content);
		kc_statement_release(&files->items[i].statement);
	}
	free(files->items);
	*files = (struct kc_release_files){ 0 };
}
