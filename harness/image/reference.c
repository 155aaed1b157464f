#include "image/reference.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "image/definition.h"

static const struct {
	const char *scheme;
	enum kc_image_kind kind;
	bool may_choose; /* a second colon ends the path */
} schemes[] = {
	{ "tar", KC_IMAGE_TAR, false },
	{ "dir", KC_IMAGE_DIRECTORY, false },
	{ "docker-archive", KC_IMAGE_DOCKER_ARCHIVE, true },
	{ "oci-layout", KC_IMAGE_OCI_LAYOUT, true },
	{ "oci", KC_IMAGE_REGISTRY, false },
};

/* Longest first: ".tar.gz" is no ".gz". */
static const char *const endings[] = { ".tar.zst", ".tar.gz", ".tar.xz", ".tgz", ".tar" };

static int unknown_scheme(const char *text, struct kc_error *err)
{
	int status = kc_error_set(err, EINVAL, "image `%s`: no such kind of image", text);

	kc_error_hint(err, "give a name that `krunner-compat list images` shows, or tar:FILE, dir:DIRECTORY, "
			   "docker-archive:FILE, oci-layout:PATH, oci:HOST/REPOSITORY:TAG");
	if (err)
		err->kind = KC_ERROR_USAGE;
	return status;
}

static int no_place(const char *text, struct kc_error *err)
{
	int status = kc_error_set(err, EINVAL, "image `%s`: nothing after the colon", text);

	kc_error_hint(err, "say where the root filesystem is: %sPATH", text);
	if (err)
		err->kind = KC_ERROR_USAGE;
	return status;
}

/* How much of the `length` bytes is left without the ending of an archive. */
static size_t without_ending(const char *name, size_t length)
{
	for (size_t i = 0; i < KC_ARRAY_LENGTH(endings); i++) {
		size_t ending = strlen(endings[i]);

		if (length > ending && memcmp(name + length - ending, endings[i], ending) == 0)
			return length - ending;
	}
	return length;
}

/* The last component of the path, without the ending of an archive, in the characters that a case's identity may have. */
static void name_after(const char *path, char ret_name[KC_IMAGE_NAME_SIZE])
{
	size_t end = strlen(path), start;

	while (end > 1 && path[end - 1] == '/')
		end--;
	start = end;
	while (start && path[start - 1] != '/')
		start--;
	(void)snprintf(ret_name, KC_IMAGE_NAME_SIZE, "%.*s", (int)without_ending(path + start, end - start),
		       path + start);
	for (char *letter = ret_name; *letter; letter++)
		if (!isalnum((unsigned char)*letter) && !strchr("_-.", *letter))
			*letter = '-';
	if (!strcmp(ret_name, "") || !strcmp(ret_name, ".") || !strcmp(ret_name, ".."))
		(void)snprintf(ret_name, KC_IMAGE_NAME_SIZE, "rootfs");
}

static int too_long(const char *text, struct kc_error *err)
{
	int status = kc_error_set(err, EINVAL, "image `%.100s...`: it is too long", text);

	if (err)
		err->kind = KC_ERROR_USAGE;
	return status;
}

/* Whatever follows the scheme; `whole` is what the user wrote. */
static int take_place(const char *rest, bool may_choose, const char *whole,
		      struct kc_image_reference *reference, struct kc_error *err)
{
	size_t length = may_choose ? strcspn(rest, ":") : strlen(rest);
	const char *wanted = rest[length] ? rest + length + 1 : "";

	if (length == 0)
		return no_place(whole, err);
	if (length >= sizeof(reference->place) || strlen(wanted) >= sizeof(reference->wanted))
		return too_long(whole, err);
	memcpy(reference->place, rest, length);
	memcpy(reference->wanted, wanted, strlen(wanted));
	name_after(*wanted ? wanted : reference->place, reference->name);
	return 0;
}

/* Reports call it by its name, not by an alias. Whether there is one is asked where it is needed. */
static int take_definition(const char *text, struct kc_image_reference *reference, struct kc_error *err)
{
	KC_CLEANUP_DEFINITION struct kc_definition definition = { 0 };
	const char *name = kc_definition_load(text, &definition, NULL) == 0 ? definition.name : text;

	if (strlen(name) >= sizeof(reference->name))
		return too_long(text, err);
	(void)snprintf(reference->place, sizeof(reference->place), "%s", name);
	(void)snprintf(reference->name, sizeof(reference->name), "%s", name);
	return 0;
}

int kc_image_reference_parse(const char *text, struct kc_image_reference *ret_reference, struct kc_error *err)
{
	size_t length = strcspn(text, ":");

	*ret_reference = (struct kc_image_reference){ .scheme = "" };
	if (!text[length])
		return take_definition(text, ret_reference, err);
	for (size_t i = 0; i < KC_ARRAY_LENGTH(schemes); i++) {
		if (strlen(schemes[i].scheme) != length || memcmp(schemes[i].scheme, text, length) != 0)
			continue;
		ret_reference->kind = schemes[i].kind;
		ret_reference->scheme = schemes[i].scheme;
		return take_place(text + length + 1, schemes[i].may_choose, text, ret_reference, err);
	}
	return unknown_scheme(text, err);
}
