/*
 * What people write for an image: a name of images/, or where a root filesystem of their own is.
 *
 *	centos7                 a definition of images/
 *	tar:FILE                a tar of a root filesystem: plain, or compressed with gzip, xz or zstd
 *	dir:DIRECTORY           one that is unpacked
 *
 * Pure: nothing is looked up. Strings are borrowed from the text.
 */
#ifndef KC_IMAGE_REFERENCE_H
#define KC_IMAGE_REFERENCE_H

#include "base/error.h"

#define KC_IMAGE_NAME_SIZE 64 /* with the NUL */

enum kc_image_kind { KC_IMAGE_DEFINED, KC_IMAGE_TAR, KC_IMAGE_DIRECTORY };

struct kc_image_reference {
	enum kc_image_kind kind;
	const char *scheme; /* "tar", "dir"; "" for a definition */
	const char *place;  /* what follows the colon; of a definition, its name */
	char name
		[KC_IMAGE_NAME_SIZE]; /* for reports: of a file what its own name makes of it, letters, digits, "_", "-", "." */
};

/* Errors are of kind KC_ERROR_USAGE: nothing after the colon, or a scheme that is not known. */
int kc_image_reference_parse(const char *text, struct kc_image_reference *ret_reference, struct kc_error *err)
	__attribute__((warn_unused_result));

#endif
