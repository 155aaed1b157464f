#include "release/texts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "sys/fd.h"
#include "sys/file.h"

void kc_release_texts_release(struct kc_release_texts *texts)
{
	kc_wheel_members_release(&texts->members);
	*texts = (struct kc_release_texts){ 0 };
}

static int compare(const void *left, const void *right)
{
	return strcmp(((const struct kc_release_file *)left)->name,
		      ((const struct kc_release_file *)right)->name);
}

static const char *base_name(const char *name)
{
	const char *slash = strrchr(name, '/');

	return slash ? slash + 1 : name;
}

static int add_bundled(struct kc_release_texts *texts, const struct kc_wheel_member *member,
		       struct kc_error *err)
{
	if (texts->bundled_count == KC_RELEASE_TEXTS_MAX)
		return kc_error_set(err, E2BIG, "more than %d licences", KC_RELEASE_TEXTS_MAX);
	texts->bundled[texts->bundled_count++] =
		(struct kc_release_file){ base_name(member->name), kc_buffer_string(&member->text),
					  member->text.length };
	return 0;
}

static int finish(struct kc_release_texts *texts, const char *where, int code, struct kc_error *err)
{
	int status;

	qsort(texts->bundled, texts->bundled_count, sizeof(*texts->bundled), compare);
	if (texts->licence.length)
		return 0;
	status = kc_error_set(err, code, "%s: it has no LICENSE, which the package needs", where);
	kc_error_hint(err, "--texts DIR, with LICENSE, README.md and the licences of what is bundled");
	return status;
}

/* --- A directory --- */

static int add_file(struct kc_release_texts *texts, int dirfd, const char *name, struct kc_error *err)
{
	struct kc_wheel_member *items =
		realloc(texts->members.items, (texts->members.count + 1) * sizeof(*items));
	struct kc_wheel_member *member;
	struct stat found;

	if (!items)
		return kc_error_errno(err, ENOMEM, "read `%s`", name);
	texts->members.items = items;
	if (fstatat(dirfd, name, &found, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(found.st_mode))
		return kc_error_set(err, EINVAL, "`%s` is no regular file", name);
	member = &items[texts->members.count++];
	*member =
		(struct kc_wheel_member){ .name = strdup(name), .text = KC_BUFFER_INIT(KC_WHEEL_TEXT_BYTES) };
	return member->name ? kc_file_read(dirfd, name, &member->text, err)
			    : kc_error_errno(err, ENOMEM, "read `%s`", name);
}

static int read_directory(DIR *directory, struct kc_release_texts *texts, struct kc_error *err)
{
	const struct dirent *entry;
	int status = 0;

	while (status == 0 && (entry = readdir(directory)))
		if (entry->d_name[0] != '.')
			status = add_file(texts, dirfd(directory), entry->d_name, err);
	for (size_t i = 0; status == 0 && i < texts->members.count; i++) {
		const struct kc_wheel_member *member = &texts->members.items[i];

		if (strcmp(member->name, "LICENSE") == 0)
			texts->licence =
				(struct kc_release_file){ member->name, kc_buffer_string(&member->text),
							  member->text.length };
		else if (strcmp(member->name, "README.md") == 0)
			texts->description = kc_buffer_string(&member->text);
		else
			status = add_bundled(texts, member, err);
	}
	return status;
}

int kc_release_texts_read_directory(const char *path, struct kc_release_texts *texts, struct kc_error *err)
{
	KC_CLEANUP_DIR DIR *directory = opendir(path);
	int status;

	if (!directory)
		return kc_error_errno(err, errno, "read the texts in `%s`", path);
	status = read_directory(directory, texts, err);
	return status < 0 ? status : finish(texts, path, EINVAL, err);
}

/* --- A wheel --- */

static bool is_in_dist_info(const char *name, const char *rest)
{
	const char *found = strstr(name, ".dist-info/");

	return found && strcmp(found + strlen(".dist-info/"), rest) == 0;
}

/* Core metadata 2.1: the description is what follows the first empty line. */
static const char *description_of(const struct kc_wheel_member *metadata)
{
	const char *body = strstr(kc_buffer_string(&metadata->text), "\n\n");

	return body && body[2] ? body + 2 : NULL;
}

int kc_release_texts_read_wheel(int fd, const char *name, struct kc_release_texts *texts,
				struct kc_error *err)
{
	int status = kc_wheel_members_read(fd, name, &texts->members, err);

	for (size_t i = 0; status == 0 && i < texts->members.count; i++) {
		const struct kc_wheel_member *member = &texts->members.items[i];

		if (!member->is_file || !member->has_text)
			continue;
		if (is_in_dist_info(member->name, "licenses/LICENSE"))
			texts->licence = (struct kc_release_file){ "LICENSE", kc_buffer_string(&member->text),
								   member->text.length };
		else if (is_in_dist_info(member->name, "METADATA"))
			texts->description = description_of(member);
		else if (!strstr(member->name, ".dist-info/") && strstr(member->name, "/licenses/"))
			status = add_bundled(texts, member, err);
	}
	return status < 0 ? status : finish(texts, name, EBADMSG, err);
}
