/*
 * Container images that lie on disk: an archive of `docker save`, an OCI layout. Each layer is unpacked into the store once, by
 * the digest of its tar: images share the layers that they have in common, and a root filesystem is an overlay of them.
 *
 * Every document and layer is checked against the digest by which it is named. Docker's archives name theirs by file names only;
 * there the digests of the layers' tars, which the config lists, are what is checked.
 */
#ifndef KC_IMAGE_CONTAINER_H
#define KC_IMAGE_CONTAINER_H

#include "archive/store.h"
#include "base/digest.h"
#include "base/error.h"
#include "image/layers.h"
#include "image/oci.h"

struct kc_container {
	struct kc_layers layers;
	char digest[KC_SHA256_HEX_SIZE]; /* of the config: what container engines call the image's id */
	char architecture[32];		 /* as uname(2) says it; declared, not looked at */
};

/* Opens the layer number `index` of the config, the lowest is 0. The caller closes *ret_fd. */
typedef int kc_container_open_layer(void *context, size_t index, int *ret_fd, struct kc_error *err);

/* Gets all layers of `config` into the store, asking `open_layer` for those that are not there. `blobs` are what the bytes
 * must be, in the order of the config; NULL: only the tars inside are known. */
int kc_container_get_layers(struct kc_store *store, const struct kc_oci_config *config,
			    const struct kc_oci_blob *blobs, kc_container_open_layer *open_layer,
			    void *context, struct kc_layers *layers, struct kc_error *err)
	__attribute__((warn_unused_result));

/* An unpacked archive of `docker save`, `wanted` is the image "NAME:TAG" in it, "" the only one. `layers` is released by the caller. */
int kc_container_open_saved(struct kc_store *store, const char *directory, const char *wanted,
			    struct kc_container *ret_container, struct kc_error *err)
	__attribute__((warn_unused_result));

/* An OCI layout; `wanted` as kc_oci_choose has it. */
int kc_container_open_layout(struct kc_store *store, const char *directory, const char *architecture,
			     const char *wanted, struct kc_container *ret_container, struct kc_error *err)
	__attribute__((warn_unused_result));

#endif
