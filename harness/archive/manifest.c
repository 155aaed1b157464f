#include "archive/manifest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/layer.h"
#include "archive/names.h"
#include "archive/source.h"
#include "sys/fd.h"

static int finish_line(int status, const char *name, struct kc_error *err)
{
	char shown[KC_NAME_SHOWN_SIZE];

	return status < 0 ? kc_error_errno(err, status, "list `%s`", kc_name_show(name, shown)) : 0;
}

int kc_manifest_add_directory(struct kc_buffer *lines, const char *name, mode_t mode, struct kc_error *err)
{
	int status = kc_name_append_escaped(lines, name);

	if (status == 0)
		status = kc_buffer_printf(lines, " d %04o\n", (unsigned int)mode);
	return finish_line(status, name, err);
}

int kc_manifest_add_file(struct kc_buffer *lines, const char *name, mode_t mode, uint64_t size,
			 const char *digest, struct kc_error *err)
{
	int status = kc_name_append_escaped(lines, name);

	if (status == 0)
		status =
			kc_buffer_printf(lines, " f %04o %" PRIu64 " %s\n", (unsigned int)mode, size, digest);
	return finish_line(status, name, err);
}

int kc_manifest_add_link(struct kc_buffer *lines, const char *name, const char *target, struct kc_error *err)
{
	int status = kc_name_append_escaped(lines, name);

	if (status == 0)
		status = kc_buffer_append_string(lines, " l ");
	if (status == 0)
		status = kc_name_append_escaped(lines, target);
	if (status == 0)
		status = kc_buffer_append_string(lines, "\n");
	return finish_line(status, name, err);
}

static int add_mark(struct kc_buffer *lines, const char *name, const char *mark, struct kc_error *err)
{
	int status = kc_name_append_escaped(lines, name);

	if (status == 0)
		status = kc_buffer_append_string(lines, mark);
	return finish_line(status, name, err);
}

int kc_manifest_add_whiteout(struct kc_buffer *lines, const char *name, struct kc_error *err)
{
	return add_mark(lines, name, " w\n", err);
}

int kc_manifest_add_opaque(struct kc_buffer *lines, const char *name, struct kc_error *err)
{
	return add_mark(lines, name, " q\n", err);
}

/* --- Walking a tree --- */

struct walk {
	struct kc_buffer *lines;
	char name[PATH_MAX]; /* of the entry at hand, relative to the root */
	size_t length;
};

static int fail(const char *verb, const char *name, int errno_value, struct kc_error *err)
{
	char shown[KC_NAME_SHOWN_SIZE];

	return kc_error_errno(err, errno_value, "%s `%s`", verb, kc_name_show(*name ? name : ".", shown));
}

static int list_file(struct walk *walk, int dirfd, const char *leaf, struct kc_error *err)
{
	KC_CLEANUP_FD int fd = openat(dirfd, leaf, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	KC_CLEANUP_SOURCE struct kc_source source = { 0 };
	char digest[KC_SHA256_HEX_SIZE];
	struct stat status;
	int result;

	if (fd < 0)
		return fail("open", walk->name, errno, err);
	if (fstat(fd, &status) < 0)
		return fail("stat", walk->name, errno, err);
	result = kc_source_open_fd(&source, fd, walk->name, err);
	if (result == 0)
		result = kc_source_drain(&source, digest, err);
	if (result < 0)
		return result;
	return kc_manifest_add_file(walk->lines, walk->name, status.st_mode & 07777, source.bytes, digest,
				    err);
}

static int list_link(struct walk *walk, int dirfd, const char *leaf, struct kc_error *err)
{
	char target[PATH_MAX];
	ssize_t length = readlinkat(dirfd, leaf, target, sizeof(target) - 1);

	if (length < 0)
		return fail("read link", walk->name, errno, err);
	target[length] = '\0';
	return kc_manifest_add_link(walk->lines, walk->name, target, err);
}

/* A device, FIFO or socket: never opened. */
static int list_other(struct walk *walk, const struct stat *entry, struct kc_error *err)
{
	int status;

	if (kc_layer_is_whiteout(entry))
		return kc_manifest_add_whiteout(walk->lines, walk->name, err);
	status = kc_name_append_escaped(walk->lines, walk->name);
	if (status == 0)
		status = kc_buffer_printf(walk->lines, " o %06o\n", (unsigned int)entry->st_mode);
	return finish_line(status, walk->name, err);
}

static int list_directory(struct walk *walk, int dirfd, const char *leaf, mode_t mode, struct kc_error *err);

static int list_entry(struct walk *walk, int dirfd, const char *leaf, struct kc_error *err)
{
	size_t before = walk->length, length = strlen(leaf);
	struct stat status;
	int result;

	if (before + length + 2 > sizeof(walk->name))
		return fail("list", walk->name, ENAMETOOLONG, err);
	if (before)
		walk->name[walk->length++] = '/';
	memcpy(walk->name + walk->length, leaf, length + 1);
	walk->length += length;
	if (fstatat(dirfd, leaf, &status, AT_SYMLINK_NOFOLLOW) < 0)
		result = fail("stat", walk->name, errno, err);
	else if (S_ISREG(status.st_mode))
		result = list_file(walk, dirfd, leaf, err);
	else if (S_ISLNK(status.st_mode))
		result = list_link(walk, dirfd, leaf, err);
	else if (!S_ISDIR(status.st_mode))
		result = list_other(walk, &status, err);
	else
		result = list_directory(walk, dirfd, leaf, status.st_mode & 07777, err);
	walk->length = before;
	walk->name[before] = '\0';
	return result;
}

/* The lines of the directory itself; the root, whose name is "", has none but the mark. */
static int describe_directory(struct walk *walk, int fd, mode_t mode, struct kc_error *err)
{
	const char *name = walk->length ? walk->name : ".";
	int status = walk->length ? kc_manifest_add_directory(walk->lines, name, mode, err) : 0;

	if (status == 0 && kc_layer_is_opaque(fd))
		status = kc_manifest_add_opaque(walk->lines, name, err);
	return status;
}

static int list_directory(struct walk *walk, int dirfd, const char *leaf, mode_t mode, struct kc_error *err)
{
	KC_CLEANUP_DIR DIR *dir = NULL;
	int fd = openat(dirfd, leaf, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), described;

	if (fd < 0)
		return fail("open", walk->name, errno, err);
	described = describe_directory(walk, fd, mode, err);
	if (described < 0) {
		kc_fd_close(&fd);
		return described;
	}
	dir = fdopendir(fd);
	if (!dir) {
		kc_fd_close(&fd);
		return fail("open", walk->name, ENOMEM, err);
	}
	for (;;) {
		struct dirent *entry;
		int status;

		errno = 0;
		entry = readdir(dir);
		if (!entry)
			return errno ? fail("list", walk->name, errno, err) : 0;
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		status = list_entry(walk, fd, entry->d_name, err);
		if (status < 0)
			return status;
	}
}

int kc_manifest_of_tree(int dirfd, struct kc_buffer *manifest, struct kc_error *err)
{
	struct walk walk = { .lines = manifest };
	int status = list_directory(&walk, dirfd, ".", 0, err);

	return status < 0 ? status : kc_manifest_seal(manifest, err);
}

/* --- The seal --- */

static const char SEAL[] = "sealed ";
enum { SEAL_LENGTH = sizeof(SEAL) - 1, SEAL_LINE_LENGTH = SEAL_LENGTH + KC_SHA256_HEX_SIZE };

/* Lines end in a newline, which sorts before every byte that they may hold: this orders by name. */
static int compare_lines(const void *a, const void *b)
{
	const char *left = *(const char *const *)a, *right = *(const char *const *)b;

	while (*left == *right && *left != '\n') {
		left++;
		right++;
	}
	return (unsigned char)*left - (unsigned char)*right;
}

static const char **index_lines(const char *text, size_t length, size_t *ret_count)
{
	size_t count = 0, used = 0;
	const char **lines;

	for (size_t i = 0; i < length; i++)
		count += text[i] == '\n';
	lines = malloc((count + 1) * sizeof(*lines));
	if (!lines)
		return NULL;
	for (const char *line = text; used < count; line = strchr(line, '\n') + 1)
		lines[used++] = line;
	*ret_count = count;
	return lines;
}

static int sort_lines(struct kc_buffer *lines)
{
	struct kc_buffer sorted = KC_BUFFER_INIT(lines->limit);
	KC_CLEANUP_FREE const char **index = NULL;
	size_t count;
	int status = 0;

	index = index_lines(kc_buffer_string(lines), lines->length, &count);
	if (!index)
		return -ENOMEM;
	qsort(index, count, sizeof(*index), compare_lines);
	for (size_t i = 0; status == 0 && i < count; i++)
		status = kc_buffer_append(&sorted, index[i], (size_t)(strchr(index[i], '\n') - index[i]) + 1);
	if (status == 0) {
		kc_buffer_release(lines);
		*lines = sorted;
	} else {
		kc_buffer_release(&sorted);
	}
	return status;
}

int kc_manifest_seal(struct kc_buffer *lines, struct kc_error *err)
{
	char digest[KC_SHA256_HEX_SIZE];
	int status = sort_lines(lines);

	if (status < 0)
		return kc_error_errno(err, status, "sort a manifest");
	status = kc_sha256_of(kc_buffer_string(lines), lines->length, digest, err);
	if (status < 0)
		return status;
	status = kc_buffer_printf(lines, "%s%s\n", SEAL, digest);
	return status < 0 ? kc_error_errno(err, status, "seal a manifest") : 0;
}

static int check_seal(const char *manifest, size_t length, struct kc_error *err)
{
	char digest[KC_SHA256_HEX_SIZE];
	const char *seal;
	int status;

	if (length < SEAL_LINE_LENGTH || memchr(manifest, '\0', length))
		return kc_error_set(err, EBADMSG, "the manifest is cut short");
	seal = manifest + length - SEAL_LINE_LENGTH;
	status = kc_sha256_of(manifest, length - SEAL_LINE_LENGTH, digest, err);
	if (status < 0)
		return status;
	if (memcmp(seal, SEAL, SEAL_LENGTH) != 0 || seal[SEAL_LINE_LENGTH - 1] != '\n' ||
	    memcmp(seal + SEAL_LENGTH, digest, KC_SHA256_HEX_SIZE - 1) != 0)
		return kc_error_set(err, EBADMSG, "the manifest is not what its seal says");
	return 0;
}

/* --- Comparing --- */

enum { SHOWN_DIFFERENCES = 3 };

/* Compares the names that two lines begin with. */
static int compare_names(const char *a, const char *b)
{
	size_t a_length = strcspn(a, " "), b_length = strcspn(b, " ");
	int order = memcmp(a, b, a_length < b_length ? a_length : b_length);

	return order ? order : (a_length > b_length) - (a_length < b_length);
}

static bool same_line(const char *a, const char *b)
{
	size_t length = strcspn(a, "\n");

	return length == strcspn(b, "\n") && memcmp(a, b, length) == 0;
}

static void note_difference(struct kc_buffer *text, unsigned int *count, const char *what, const char *line)
{
	size_t length = strcspn(line, " ");

	if ((*count)++ < SHOWN_DIFFERENCES &&
	    kc_buffer_printf(text, "%s`%.*s` %s", text->length ? ", " : "",
			     (int)(length < 200 ? length : 200), line, what) < 0)
		return; /* what does not fit any more is not needed to see that they differ */
}

/* Both lists are sorted and end in their seal. */
static unsigned int list_differences(const char *wanted, const char *got, struct kc_buffer *text)
{
	unsigned int count = 0;

	while (*wanted || *got) {
		int order = !*wanted ? 1 : !*got ? -1 : compare_names(wanted, got);

		if (order < 0)
			note_difference(text, &count, "is missing", wanted);
		else if (order > 0)
			note_difference(text, &count, "is new", got);
		else if (!same_line(wanted, got))
			note_difference(text, &count, "has changed", wanted);
		if (order <= 0)
			wanted += strcspn(wanted, "\n") + 1;
		if (order >= 0)
			got += strcspn(got, "\n") + 1;
	}
	return count;
}

int kc_manifest_verify(int dirfd, const char *manifest, size_t length, struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer found = KC_BUFFER_INIT(KC_MANIFEST_LIMIT_BYTES);
	KC_CLEANUP_BUFFER struct kc_buffer wanted = KC_BUFFER_INIT(KC_MANIFEST_LIMIT_BYTES);
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(900);
	unsigned int count;
	int status = check_seal(manifest, length, err);

	if (status == 0)
		status = kc_manifest_of_tree(dirfd, &found, err);
	if (status < 0)
		return status;
	if (found.length == length && memcmp(found.data, manifest, length) == 0)
		return 0;
	/* Without the seals: they differ whenever anything does. */
	found.data[found.length - SEAL_LINE_LENGTH] = '\0';
	status = kc_buffer_append(&wanted, manifest, length - SEAL_LINE_LENGTH);
	if (status < 0)
		return kc_error_errno(err, status, "compare manifests");
	count = list_differences(kc_buffer_string(&wanted), found.data, &text);
	return kc_error_set(err, EUCLEAN, "%u differences: %s%s", count, kc_buffer_string(&text),
			    count > SHOWN_DIFFERENCES ? ", ..." : "");
}
