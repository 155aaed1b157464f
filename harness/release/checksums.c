#include "release/checksums.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sys/fd.h"
#include "sys/signals.h"

#define CHUNK_SIZE (256u << 10)

static const char name_characters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+~!-";

const char *kc_checksums_check_name(const char *name)
{
	if (!*name)
		return "it is empty";
	if (strlen(name) >= KC_CHECKSUMS_NAME_SIZE)
		return "it is longer than 255 bytes";
	if (*name == '.' || *name == '-')
		return "it begins with `.` or `-`";
	if (strchr(name, '/'))
		return "it is a path";
	if (name[strspn(name, name_characters)])
		return "it has other characters than letters, digits and ._+~!-";
	if (strcmp(name, KC_CHECKSUMS_NAME) == 0)
		return "the list does not list itself";
	return NULL;
}

static int grow(struct kc_checksums *checksums)
{
	struct kc_checksum *grown;

	if (checksums->count == KC_CHECKSUMS_MAX)
		return -E2BIG;
	grown = reallocarray(checksums->items, checksums->count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	checksums->items = grown;
	return 0;
}

int kc_checksums_add(struct kc_checksums *checksums, const char *name, const char *sha256,
		     struct kc_error *err)
{
	const char *rule = kc_checksums_check_name(name);
	size_t at = checksums->count;
	int status;

	if (rule)
		return kc_error_set(err, EINVAL, KC_CHECKSUMS_NAME ": the name `%.300s`: %s", name, rule);
	if (!kc_sha256_is_valid(sha256))
		return kc_error_set(err, EINVAL,
				    KC_CHECKSUMS_NAME ": `%.80s` of %s is no SHA-256 in 64 lower-case digits",
				    sha256, name);
	while (at && strcmp(checksums->items[at - 1].name, name) > 0)
		at--;
	if (at && strcmp(checksums->items[at - 1].name, name) == 0)
		return kc_error_set(err, EEXIST, KC_CHECKSUMS_NAME ": %s stands twice", name);
	status = grow(checksums);
	if (status < 0)
		return kc_error_errno(err, status, KC_CHECKSUMS_NAME ": %s", name);
	memmove(checksums->items + at + 1, checksums->items + at,
		(checksums->count - at) * sizeof(*checksums->items));
	memcpy(checksums->items[at].name, name, strlen(name) + 1);
	memcpy(checksums->items[at].sha256, sha256, KC_SHA256_HEX_SIZE);
	checksums->count++;
	return 0;
}

int kc_checksums_write(const struct kc_checksums *checksums, struct kc_buffer *text, struct kc_error *err)
{
	int status = 0;

	if (checksums->count == 0)
		return kc_error_set(err, EINVAL, KC_CHECKSUMS_NAME ": there is nothing to list");
	for (size_t i = 0; status == 0 && i < checksums->count; i++)
		status = kc_buffer_printf(text, "%s  %s\n", checksums->items[i].sha256,
					  checksums->items[i].name);
	return status < 0 ? kc_error_errno(err, status, KC_CHECKSUMS_NAME) : 0;
}

/* NULL for a line, without its LF, whose parts are copied; else what is wrong with it. */
static const char *take_line(const char *line, size_t length, struct kc_checksum *ret_checksum)
{
	size_t name_length;

	if (length < KC_SHA256_HEX_SIZE + 2)
		return "expected 64 hexadecimal digits, two spaces and a name";
	name_length = length - (KC_SHA256_HEX_SIZE + 1);
	memcpy(ret_checksum->sha256, line, KC_SHA256_HEX_SIZE - 1);
	ret_checksum->sha256[KC_SHA256_HEX_SIZE - 1] = '\0';
	if (!kc_sha256_is_valid(ret_checksum->sha256))
		return "expected 64 lower-case hexadecimal digits";
	if (memcmp(line + KC_SHA256_HEX_SIZE - 1, "  ", 2) != 0)
		return "expected two spaces after the digits";
	if (name_length >= KC_CHECKSUMS_NAME_SIZE)
		return "a name of more than 255 bytes";
	memcpy(ret_checksum->name, line + KC_SHA256_HEX_SIZE + 1, name_length);
	ret_checksum->name[name_length] = '\0';
	if (strlen(ret_checksum->name) != name_length)
		return "a NUL byte";
	return NULL;
}

static int add_line(struct kc_checksums *checksums, const struct kc_checksum *line, struct kc_error *err)
{
	size_t before = checksums->count;
	int status = kc_checksums_add(checksums, line->name, line->sha256, err);

	if (status < 0)
		return status;
	if (strcmp(checksums->items[before].name, line->name) != 0)
		return kc_error_set(err, EBADMSG, KC_CHECKSUMS_NAME ": %s is out of order", line->name);
	return 0;
}

int kc_checksums_read(const char *text, size_t length, const char *file, struct kc_checksums *checksums,
		      struct kc_error *err)
{
	const char *end = text + length;
	size_t number = 1;

	if (length == 0 || length > KC_CHECKSUMS_LIMIT)
		return kc_error_set(err, EBADMSG, "read `%s`: %zu bytes, expected 1 to %u", file, length,
				    KC_CHECKSUMS_LIMIT);
	for (const char *line = text; line < end; number++) {
		const char *stop = memchr(line, '\n', (size_t)(end - line));
		struct kc_checksum checksum;
		const char *problem =
			stop ? take_line(line, (size_t)(stop - line), &checksum) : "the line does not end";

		if (problem)
			return kc_error_set(err, EBADMSG, "read `%s`: line %zu: %s", file, number, problem);
		if (add_line(checksums, &checksum, err) < 0) {
			(void)kc_error_prefix(err, "read `%s`: line %zu", file, number);
			if (err)
				err->code = -EBADMSG;
			return -EBADMSG;
		}
		line = stop + 1;
	}
	return 0;
}

static int compare_name(const void *name, const void *item)
{
	const struct kc_checksum *checksum = item;

	return strcmp(name, checksum->name);
}

const struct kc_checksum *kc_checksums_find(const struct kc_checksums *checksums, const char *name)
{
	if (checksums->count == 0)
		return NULL;
	return bsearch(name, checksums->items, checksums->count, sizeof(*checksums->items), compare_name);
}

void kc_checksums_release(struct kc_checksums *checksums)
{
	free(checksums->items);
	*checksums = (struct kc_checksums){ 0 };
}

static int hash(int fd, struct kc_sha256 *sha, struct kc_error *err)
{
	KC_CLEANUP_FREE char *chunk = malloc(CHUNK_SIZE);
	ssize_t got;

	if (!chunk)
		return kc_error_errno(err, ENOMEM, "read");
	for (;;) {
		if (kc_signals_check(err) < 0)
			return -EINTR;
		got = read(fd, chunk, CHUNK_SIZE);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return kc_error_errno(err, errno, "read");
		if (got == 0)
			return 0;
		kc_sha256_update(sha, chunk, (size_t)got);
	}
}

int kc_checksums_of_file(int dirfd, const char *name, char ret_sha256[KC_SHA256_HEX_SIZE],
			 struct kc_error *err)
{
	KC_CLEANUP_FD int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	KC_CLEANUP_SHA256 struct kc_sha256 sha = { 0 };
	struct stat file;
	int status;

	if (fd < 0 && errno == ELOOP)
		return kc_error_set(err, ELOOP, "%s: a symbolic link", name);
	if (fd < 0)
		return kc_error_errno(err, errno, "%s: open", name);
	if (fstat(fd, &file) < 0)
		return kc_error_errno(err, errno, "%s: stat", name);
	if (!S_ISREG(file.st_mode))
		return kc_error_set(err, EINVAL, "%s: not a regular file", name);
	status = kc_sha256_start(&sha, err);
	if (status == 0)
		status = hash(fd, &sha, err);
	if (status == 0)
		status = kc_sha256_finish(&sha, ret_sha256, err);
	return status < 0 ? kc_error_prefix(err, "%s", name) : 0;
}
