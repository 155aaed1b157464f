/*
 * Container images of registries, by net/registry: pulled once, from then on found in the store.
 *
 * What a tag led to is written down in STORE/images/registry-KEY.json, with the manifest and config themselves, and stays so until
 * the image is pulled anew: a run does not test on another system than the run before because somebody moved a tag. Layers are
 * downloaded three at a time into STORE/downloads/blobs, and unpacked into the store by container.h.
 *
 * $KRUNNER_COMPAT_MIRRORS, "HOST=URL HOST=URL ...", names registries to be asked instead of others.
 */
#ifndef KC_IMAGE_PULL_H
#define KC_IMAGE_PULL_H

#include "archive/store.h"
#include "base/error.h"
#include "image/container.h"
#include "image/image.h"

/* `text` as net/registry.h reads it. Errors are those of net/registry.h; -ENOTSUP: not for `architecture`; -ENOENT also: offline, and not
 * in the store. `layers` is released by the caller. */
int kc_pull(struct kc_store *store, const struct kc_image_request *request, const char *text,
	    const char *architecture, struct kc_container *ret_container, struct kc_error *err)
	__attribute__((warn_unused_result));

#endif
