/*
 * The files of an archive, in the store: unpacked at the first use, found and verified at later ones.
 *
 * Where the archive is a file, the key is made of its SHA-256, and what is unpacked is hashed again on the way: what is stored under
 * a digest has it, even if the file changes meanwhile.
 */
#ifndef KC_IMAGE_UNPACK_H
#define KC_IMAGE_UNPACK_H

#include <limits.h>
#include <stdbool.h>

#include "archive/source.h"
#include "archive/store.h"
#include "base/digest.h"
#include "base/error.h"

struct kc_unpacking {
	const char *key;	    /* in the store */
	const char *what;	    /* for people: what is unpacked */
	bool is_layer;		    /* see archive/layer.h */
	bool is_rootfs;		    /* links may lead anywhere, devices are left out; a layer is one, too */
	const char *sha256;	    /* what the bytes must have; NULL: nobody said */
	const char *decoded_sha256; /* likewise of the tar inside */
	/* Opens the archive; called when it is needed, perhaps not at all. What it opened besides is closed by the caller of
	 * kc_unpack. */
	int (*open)(void *context, struct kc_source *ret_source, struct kc_error *err);
	void *context;
};

/* ret_tree is absolute. -EBADMSG: refused, or not what the digests say. */
int kc_unpack(struct kc_store *store, const struct kc_unpacking *unpacking, char ret_tree[PATH_MAX],
	      struct kc_error *err) __attribute__((warn_unused_result));

/* The same for a file, with a key of `prefix` and the digest of its bytes, which ret_sha256 gets. -EINVAL: not a file. */
int kc_unpack_file(struct kc_store *store, const char *path, const char *prefix, bool is_rootfs,
		   char ret_tree[PATH_MAX], char ret_sha256[KC_SHA256_HEX_SIZE], struct kc_error *err)
	__attribute__((warn_unused_result));

#endif
