/*
 * An image: a root filesystem in the store, and the facts that reports state about it.
 *
 * The first use of an image builds it, later ones find it by a digest over its definition, the packages it is
 * made of and KC_IMAGE_BUILDER_VERSION. Which packages those are is written down in
 * STORE/images/NAME-ARCHITECTURE-DEFINITION.json by the first build and stays so until that file is removed:
 * a run neither asks apt again nor tests on another system than the run before. An image that the user brings,
 * image/rootfs.h, is identified by what it holds.
 *
 * Life cycle: 1. kc_image_open  2. read the fields  3. kc_image_release (idempotent, fit for a zeroed
 * object).
 */
#ifndef KC_IMAGE_IMAGE_H
#define KC_IMAGE_IMAGE_H

#include <cjson/cJSON.h>
#include <limits.h>

#include "archive/store.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/error.h"
#include "elf/clamp.h"
#include "image/layers.h"

struct kc_image {
	struct kc_layers layers;	 /* verified, to be mounted read-only */
	char digest[KC_SHA256_HEX_SIZE]; /* what the image is identified by */
	/* For reports, all strings: "name", "what", "fidelity" ("real" or "emulated"), "architecture",
	 * "libc_family", "libc_version", "ca_bundle", "source", "digest"; and "packages", an array of
	 * {"name", "version", "file", "sha256"}; "ceilings", an object of the strings below. */
	cJSON *info;
	const char *name;	  /* these belong to `info` */
	const char *architecture; /* as uname(2) says it */
	const char *fidelity;
	const char *libc_family;
	const char *libc_version;
	const char *ca_bundle; /* absolute, in the image; "" if it has none */
	struct kc_elf_ceiling
		*ceilings; /* the newest symbol versions that it has, as far as they were clamped */
	size_t ceiling_count;
};

#define KC_CLEANUP_IMAGE KC_CLEANUP(kc_image_release)

/* `image` as image/reference.h says it. For programs of `architecture`, as uname(2) says it; NULL: this machine's. -ENOENT: no such image; -ENOTSUP: none of its
 * sources has the architecture. A hint says what to do. */
int kc_image_open(struct kc_store *store, const char *image, const char *architecture,
		  struct kc_image *ret_image, struct kc_error *err) __attribute__((warn_unused_result));
void kc_image_release(struct kc_image *image);

/* For the sources of images: sets the fields that belong to `info`. -EBADMSG if one is missing. */
int kc_image_read_info(struct kc_image *image, struct kc_error *err) __attribute__((warn_unused_result));

#endif
