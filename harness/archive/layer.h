/*
 * How a layer of an image says that something of the layers below is gone: as entries of its tar, and on disk.
 *
 * In the tar, the image specification of OCI (layer.md, "Whiteouts"): an empty file `.wh.NAME` hides NAME, `.wh..wh..opq` hides
 * all that lower layers have in its directory. On disk, the kernel's documentation of overlayfs ("whiteouts and opaque
 * directories"): a character device 0:0, which everybody may make since Linux 5.8, and the extended attribute
 * user.overlay.opaque, which is the one that a mount with `userxattr` reads (since 5.11).
 *
 * A layer hides only what is below it: what it brings itself under the same name is seen, wherever in the tar either stands.
 */
#ifndef KC_ARCHIVE_LAYER_H
#define KC_ARCHIVE_LAYER_H

#include <stdbool.h>
#include <sys/stat.h>

enum kc_layer_mark {
	KC_LAYER_NOT_MARK = 0,
	KC_LAYER_WHITEOUT, /* of the name behind the prefix */
	KC_LAYER_OPAQUE,   /* of the directory that it lies in */
	KC_LAYER_RESERVED, /* means nothing to us: left out */
	KC_LAYER_BAD	   /* hides a name that cannot be */
};

/* What the last component of an entry's name says; *ret_hidden is the name that a whiteout hides, in `leaf`. */
enum kc_layer_mark kc_layer_mark_of(const char *leaf, const char **ret_hidden);

bool kc_layer_is_whiteout(const struct stat *status);
bool kc_layer_is_opaque(int directory_fd);

/* 0 or a negative errno. */
int kc_layer_make_whiteout(int parent_fd, const char *leaf) __attribute__((warn_unused_result));
int kc_layer_make_opaque(int directory_fd) __attribute__((warn_unused_result));

#endif
