/*
 * What people write for an image: a name of images/, or where a root filesystem of their own is.
 *
 *	centos7                 a definition of images/, or an alias of one
 *	tar:FILE                a tar of a root filesystem: plain, or compressed with gzip, xz or zstd
 *	dir:DIRECTORY           one that is unpacked
 *	docker-archive:FILE[:NAME:TAG]
 *	                        what `docker save` and `podman save` write; compressed, too
 *	oci-layout:PATH[:NAME]  an OCI layout: a directory, or a tar of one
 *	oci:[HOST/]REPOSITORY[:TAG][@sha256:DIGEST]
 *	                        a container image of a registry, net/registry.h
 *
 * The archives and layouts as containers-transports(5) has them: their paths hold no colon. Pure: nothing is looked up.
 */
#ifndef KC_IMAGE_REFERENCE_H
#define KC_IMAGE_REFERENCE_H

#include <limits.h>

#include "base/error.h"

#define KC_IMAGE_NAME_SIZE 64 /* with the NUL */

/* What reports call the source of an image of images/; else it is the scheme, "dir". */
#define KC_IMAGE_SOURCE_DEFINED "definition"

enum kc_image_kind {
	KC_IMAGE_DEFINED,
	KC_IMAGE_TAR,
	KC_IMAGE_DIRECTORY,
	KC_IMAGE_DOCKER_ARCHIVE,
	KC_IMAGE_OCI_LAYOUT,
	KC_IMAGE_REGISTRY
};

struct kc_image_reference {
	enum kc_image_kind kind;
	const char *scheme; /* "tar", "oci-layout"; "" for a definition */
	char place
		[PATH_MAX]; /* the path, or what the registry has; of a definition, its name, whatever the alias was */
	char wanted[256]; /* which image of those that are there; "" for the only one */
	char name
		[KC_IMAGE_NAME_SIZE]; /* for reports: of a file what its own name makes of it, letters, digits, "_", "-", "." */
};

/* Errors are of kind KC_ERROR_USAGE: nothing after the colon, or a scheme that is not known. */
int kc_image_reference_parse(const char *text, struct kc_image_reference *ret_reference, struct kc_error *err)
	__attribute__((warn_unused_result));

#endif
