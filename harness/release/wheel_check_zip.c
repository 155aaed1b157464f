/* Checks of a wheel as a ZIP. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "release/wheel_check_internal.h"

enum { MADE_BY_UNIX = 3 };

int kc_wheel_check_zip(struct kc_wheel_case *wheel, struct kc_error *err)
{
	return kc_zip_directory_read(wheel->fd, wheel->file_name, wheel->findings, &wheel->zip, err);
}

/* --- Names and kinds --- */

static bool has_odd_byte(const char *name)
{
	for (; *name; name++)
		if (*name <= ' ' || *name > '~' || *name == '\\')
			return true;
	return false;
}

/* Which rule a name breaks; NULL for none. Installers write below their own directory, on any system. */
static const char *broken_rule(const char *name)
{
	if (name[0] == '/' || (isalpha((unsigned char)name[0]) && name[1] == ':'))
		return "a relative name";
	if (has_odd_byte(name))
		return "a name of printable ASCII without spaces and backslashes";
	for (const char *part = name; part; part = strchr(part, '/')) {
		size_t length;

		part += part != name;
		length = strcspn(part, "/");
		if (length == 0)
			return "a name without empty parts";
		if (length <= 2 && strspn(part, ".") >= length)
			return "a name without . and ..";
	}
	return NULL;
}

static void check_kind(struct kc_wheel_case *wheel, const struct kc_zip_entry *entry)
{
	unsigned int mode = entry->attributes >> 16;
	char found[64];

	if (entry->made_by >> 8 != MADE_BY_UNIX) {
		kc_finding_add_number(wheel->findings, entry->name, "made on Unix (3), where modes come from",
				      entry->made_by >> 8);
		return;
	}
	(void)snprintf(found, sizeof(found), "mode %o", mode);
	if (!S_ISREG(mode))
		kc_finding_add(wheel->findings, entry->name, "a regular file", found);
	if (mode & (S_ISUID | S_ISGID | S_ISVTX | S_IWOTH))
		kc_finding_add(wheel->findings, entry->name,
			       "a mode that nobody gains by: no set-id bits, not writable for all", found);
}

static int by_folded_name(const void *left, const void *right)
{
	const char *one = *(const char *const *)left, *other = *(const char *const *)right;
	int order = strcasecmp(one, other);

	return order ? order : strcmp(one, other);
}

static void check_twins(struct kc_wheel_case *wheel, const char **names, size_t count)
{
	if (count)
		qsort(names, count, sizeof(*names), by_folded_name);
	for (size_t i = 1; i < count; i++)
		if (strcmp(names[i - 1], names[i]) == 0)
			kc_finding_add(wheel->findings, names[i], "one member of a name", "two");
		else if (strcasecmp(names[i - 1], names[i]) == 0)
			kc_finding_add(wheel->findings, names[i], "names that differ in more than case",
				       names[i - 1]);
}

int kc_wheel_check_member_names(struct kc_wheel_case *wheel, struct kc_error *err)
{
	size_t count = wheel->zip.count;
	KC_CLEANUP_FREE const char **names = calloc(count ? count : 1, sizeof(*names));

	if (!names)
		return kc_error_errno(err, ENOMEM, "check wheel `%s`", wheel->file_name);
	for (size_t i = 0; i < count; i++) {
		const char *rule = broken_rule(wheel->zip.entries[i].name);

		names[i] = wheel->zip.entries[i].name;
		if (rule)
			kc_finding_add(wheel->findings, names[i], rule, names[i]);
		check_kind(wheel, &wheel->zip.entries[i]);
	}
	check_twins(wheel, names, count);
	return 0;
}

/* --- The other view --- */

int kc_wheel_check_views(struct kc_wheel_case *wheel, struct kc_error *err)
{
	const struct kc_wheel_members *theirs = &wheel->members;

	if (!wheel->is_readable)
		return 0; /* has been said */
	if (theirs->count != wheel->zip.count) {
		char expected[64];

		(void)snprintf(expected, sizeof(expected), "%zu members, as in the directory",
			       wheel->zip.count);
		kc_finding_add_number(wheel->findings, "", expected, theirs->count);
		return 0;
	}
	for (size_t i = 0; i < theirs->count; i++) {
		const struct kc_zip_entry *entry = &wheel->zip.entries[i];

		if (strcmp(theirs->items[i].name, entry->name) != 0)
			kc_finding_add(wheel->findings, entry->name, "the same name for libarchive",
				       theirs->items[i].name);
		else if (theirs->items[i].bytes != entry->bytes)
			kc_finding_add_number(wheel->findings, entry->name,
					      "as many bytes as the directory says", theirs->items[i].bytes);
	}
	return 0;
}
