#include "image/reference.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"

static const struct {
	const char *scheme;
	enum kc_image_kind kind;
} schemes[] = {
	{ "tar", KC_IMAGE_TAR },
	{ "dir", KC_IMAGE_DIRECTORY },
};

/* Longest first: ".tar.gz" is no ".gz". */
static const char *const endings[] = { ".tar.zst", ".tar.gz", ".tar.xz", ".tgz", ".tar" };

static int unknown_scheme(const char *text, struct kc_error *err)
{
	int status = kc_error_set(err, EINVAL, "image `%s`: no such kind of image", text);

	kc_error_hint(err, "give a name that `krunner-compat list images` shows, tar:FILE or dir:DIRECTORY");
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

/* The last component of the path, without the ending of an archive, in the characters that a case's identity may have. */
static void name_after(const char *path, char ret_name[KC_IMAGE_NAME_SIZE])
{
	size_t end = strlen(path), start;

	while (end > 1 && path[end - 1] == '/')
		end--;
	start = end;
	while (start && path[start - 1] != '/')
		start--;
	for (size_t i = 0; i < KC_ARRAY_LENGTH(endings); i++) {
		size_t length = strlen(endings[i]);

		if (end - start <= length || memcmp(path + end - length, endings[i], length) != 0)
			continue;
		end -= length;
		break;
	}
	(void)snprintf(ret_name, KC_IMAGE_NAME_SIZE, "%.*s", (int)(end - start), path + start);
	for (char *letter = ret_name; *letter; letter++)
		if (!isalnum((unsigned char)*letter) && !strchr("_-.", *letter))
			*letter = '-';
	if (!strcmp(ret_name, "") || !strcmp(ret_name, ".") || !strcmp(ret_name, ".."))
		(void)snprintf(ret_name, KC_IMAGE_NAME_SIZE, "rootfs");
}

int kc_image_reference_parse(const char *text, struct kc_image_reference *ret_reference, struct kc_error *err)
{
	size_t length = strcspn(text, ":");

	*ret_reference = (struct kc_image_reference){ .scheme = "", .place = text };
	if (!text[length]) {
		(void)snprintf(ret_reference->name, sizeof(ret_reference->name), "%s", text);
		return 0;
	}
	for (size_t i = 0; i < KC_ARRAY_LENGTH(schemes); i++) {
		if (strlen(schemes[i].scheme) != length || memcmp(schemes[i].scheme, text, length) != 0)
			continue;
		if (!text[length + 1])
			return no_place(text, err);
		ret_reference->kind = schemes[i].kind;
		ret_reference->scheme = schemes[i].scheme;
		ret_reference->place = text + length + 1;
		name_after(ret_reference->place, ret_reference->name);
		return 0;
	}
	return unknown_scheme(text, err);
}
