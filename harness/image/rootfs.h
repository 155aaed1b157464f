/*
 * An image that a user brings: a root filesystem in a tar, an unpacked one, or a container image, on disk or of a registry.
 *
 * Archives are unpacked into the store, by the rules of archive/extract.h with the limits of a root filesystem: devices are left
 * out (a sandbox has its own), links may point anywhere (they are followed inside a sandbox only). A directory is used where
 * it is. What is known of any of them is read from its files, image/libc.h: nobody declared anything.
 */
#ifndef KC_IMAGE_ROOTFS_H
#define KC_IMAGE_ROOTFS_H

#include "archive/store.h"
#include "base/error.h"
#include "image/image.h"
#include "image/reference.h"

/* Fills `image`, which is zeroed; the caller releases it, after a failure as well. `architecture` as uname(2) says it: another
 * one is -EXDEV. -ENOENT, -ENOTDIR: no such file or directory; -EBADMSG: refused content. */
int kc_rootfs_open(struct kc_store *store, const struct kc_image_reference *reference,
		   const struct kc_image_request *request, const char *architecture, struct kc_image *image,
		   struct kc_error *err) __attribute__((warn_unused_result));

#endif
