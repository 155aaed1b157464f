/*
 * An image: a root filesystem in the store, and the facts that reports state about it.
 *
 * The first use of an image builds it, from the first source of its definition that can be had; later ones find its layers in the
 * store. What it was made of is written down in STORE/images/ and stays so until that is removed: a run neither asks apt again nor tests on
 * another system than the run before. An image that the user brings, image/rootfs.h, is identified by what it holds.
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
#include "net/http.h"

struct kc_image {
	struct kc_layers layers;	 /* verified, to be mounted read-only */
	char digest[KC_SHA256_HEX_SIZE]; /* what the image is identified by */
	/* For reports, all strings: "name", "what", "fidelity" ("real" or "emulated"), "architecture",
	 * "libc_family", "libc_version", "ca_bundle", "source", "digest"; of an image of images/ also "packages", an array of
	 * {"name", "version", "file", "sha256"}, and "ceilings", an object of the strings below. */
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

/* What is asked for. Zeroed but for `image`, it is the defaults. Strings are borrowed for the call. */
struct kc_image_request {
	const char *image;	     /* as image/reference.h says it */
	const char *architecture;    /* as uname(2) says it; NULL: this machine's */
	bool is_offline;	     /* what is not in the store, or on this machine, is not to be had */
	bool require_real;	     /* an emulated one will not do */
	bool renew;		     /* what tags lead to, and which packages are the newest, is asked anew */
	struct kc_http_options http; /* of what has to be downloaded */
};

/* -ENOENT: no such image; -ENOTSUP: none of its sources has the architecture, or is real where that is required; -EXDEV: what the user
 * brought is for another one. A hint says what to do. */
int kc_image_open(struct kc_store *store, const struct kc_image_request *request, struct kc_image *ret_image,
		  struct kc_error *err) __attribute__((warn_unused_result));
void kc_image_release(struct kc_image *image);

/* For the sources of images: makes `info`, and the fields that belong to it, of an image with layers and digest, from these and
 * from what the layers' files say. -EXDEV: they are for another architecture. */
struct kc_image_facts {
	const char *name, *what, *fidelity, *source;
	const char *architecture; /* that was asked for */
};
int kc_image_describe(struct kc_image *image, const struct kc_image_facts *facts, struct kc_error *err)
	__attribute__((warn_unused_result));

#endif
