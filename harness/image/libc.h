/*
 * What a root filesystem is, read from its files and not from its name: the C library, its version and architecture, and
 * where the CA certificates are.
 *
 * The loader decides: it is what a program of the volume asks for by an absolute path. glibc says its version in the banner of
 * libc.so.6 ("GNU C Library (...) stable release version 2.17."), musl in a string of its loader ("1.2.5").
 *
 * The files are hostile: links are followed as if the root of the image were /, only regular files are read, and no more than
 * KC_IMAGE_LIBC_LIMIT_BYTES of them.
 */
#ifndef KC_IMAGE_LIBC_H
#define KC_IMAGE_LIBC_H

#include "base/error.h"
#include "image/layers.h"

#define KC_IMAGE_LIBC_LIMIT_BYTES (16u << 20) /* libc.so.6 has 2 MB */

struct kc_image_libc {
	const char *family;	  /* "glibc", "musl" */
	const char *architecture; /* as uname(2) says it */
	const char *loader;	  /* absolute, in the image */
	char version[32];	  /* "2.17", "1.2.5" */
};

/* -ENOENT: no loader that is known here; -EBADMSG: one that is not what its name says, or does not tell its version. */
int kc_image_libc_read(const struct kc_layers *layers, struct kc_image_libc *ret_libc, struct kc_error *err)
	__attribute__((warn_unused_result));

/* The first that is a file and not empty of where distributions keep their bundle of CA certificates; "" if there is none. */
const char *kc_image_find_ca_bundle(const struct kc_layers *layers);

#endif
