/*
 * The documents of a container image, read and checked: which layers it has, in which order, and what they must be.
 *
 * Image specification of OCI 1.1 (image-index.md, manifest.md, config.md); distribution's manifest v2 schema 2 and manifest list,
 * which differ in media types only; and the manifest.json of `docker save` (moby, image/spec/spec.md). All of it comes from
 * outside: digests are digits before anything else is done with them, sizes and counts are bounded, a document that could be
 * read as two kinds is refused (CVE-2021-41190).
 *
 * Pure: texts in, facts out; nothing is owned. Errors are -EBADMSG where nothing else is said, and name `name`.
 */
#ifndef KC_IMAGE_OCI_H
#define KC_IMAGE_OCI_H

#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/error.h"
#include "image/layers.h"

#define KC_OCI_DOCUMENT_LIMIT (4u << 20) /* what registries take, distribution spec, "Pushing manifests" */
#define KC_OCI_LAYER_LIMIT (INT64_C(8) << 30) /* compressed */
#define KC_OCI_FILE_SIZE 256		      /* a file's name in an archive of `docker save`, with the NUL */

struct kc_oci_blob {
	char sha256[KC_SHA256_HEX_SIZE];
	int64_t size;
};

enum kc_oci_kind { KC_OCI_INDEX, KC_OCI_MANIFEST };

struct kc_oci_manifest {
	struct kc_oci_blob config;
	struct kc_oci_blob layers[KC_LAYERS_MOST]; /* the lowest first, as compressed */
	size_t layer_count;
};

struct kc_oci_config {
	char architecture[32];				   /* as uname(2) says it */
	char diff_ids[KC_LAYERS_MOST][KC_SHA256_HEX_SIZE]; /* of the layers' tars, the lowest first */
	size_t layer_count;
};

/* An archive of `docker save`: files in it. */
struct kc_oci_saved {
	char config[KC_OCI_FILE_SIZE];
	char layers[KC_LAYERS_MOST][KC_OCI_FILE_SIZE]; /* the lowest first */
	size_t layer_count;
};

/* "sha256:" and 64 digits. -EINVAL: another algorithm, or no digest. */
int kc_oci_digest(const char *text, char ret_sha256[KC_SHA256_HEX_SIZE], struct kc_error *err)
	__attribute__((warn_unused_result));

/* By what it holds, whatever its media type says. */
int kc_oci_kind(const char *text, size_t length, const char *name, enum kc_oci_kind *ret_kind,
		struct kc_error *err) __attribute__((warn_unused_result));

/* The manifest for Linux on `architecture`, as uname(2) says it. `wanted` is the name that one
 * has in an OCI layout (annotation org.opencontainers.image.ref.name), "" any. -ENOTSUP: none, and the text says which there are; -EINVAL: several. */
int kc_oci_choose(const char *text, size_t length, const char *name, const char *architecture,
		  const char *wanted, struct kc_oci_blob *ret_manifest, struct kc_error *err)
	__attribute__((warn_unused_result));

int kc_oci_read_manifest(const char *text, size_t length, const char *name,
			 struct kc_oci_manifest *ret_manifest, struct kc_error *err)
	__attribute__((warn_unused_result));
int kc_oci_read_config(const char *text, size_t length, const char *name, struct kc_oci_config *ret_config,
		       struct kc_error *err) __attribute__((warn_unused_result));

/* `wanted` is an image's name and tag ("alpine:3.21"); "": the archive must hold one only. */
int kc_oci_read_saved(const char *text, size_t length, const char *name, const char *wanted,
		      struct kc_oci_saved *ret_saved, struct kc_error *err)
	__attribute__((warn_unused_result));

#endif
