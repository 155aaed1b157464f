#include "archive/layer.h"

#include <errno.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#define PREFIX ".wh."
#define OPAQUE "user.overlay.opaque"

enum kc_layer_mark kc_layer_mark_of(const char *leaf, const char **ret_hidden)
{
	const char *hidden = leaf + strlen(PREFIX);

	if (strncmp(leaf, PREFIX, strlen(PREFIX)) != 0)
		return KC_LAYER_NOT_MARK;
	if (strcmp(hidden, PREFIX ".opq") == 0)
		return KC_LAYER_OPAQUE;
	if (strncmp(hidden, PREFIX, strlen(PREFIX)) == 0)
		return KC_LAYER_RESERVED;
	if (!*hidden || strcmp(hidden, ".") == 0 || strcmp(hidden, "..") == 0)
		return KC_LAYER_BAD;
	*ret_hidden = hidden;
	return KC_LAYER_WHITEOUT;
}

bool kc_layer_is_whiteout(const struct stat *status)
{
	return S_ISCHR(status->st_mode) && status->st_rdev == makedev(0, 0);
}

bool kc_layer_is_opaque(int directory_fd)
{
	char value[2];

	return fgetxattr(directory_fd, OPAQUE, value, sizeof(value)) == 1 && value[0] == 'y';
}

int kc_layer_make_whiteout(int parent_fd, const char *leaf)
{
	return mknodat(parent_fd, leaf, S_IFCHR, makedev(0, 0)) < 0 ? -errno : 0;
}

int kc_layer_make_opaque(int directory_fd)
{
	return fsetxattr(directory_fd, OPAQUE, "y", 1, 0) < 0 ? -errno : 0;
}
