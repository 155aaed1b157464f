/*
 * SHA256SUMS: "<64 hexadecimal digits>  <name>" a line, in the order of the names, as `sha256sum --check --strict` takes it.
 *
 * Life cycle: 1. a zeroed object  2. kc_checksums_add and write, or kc_checksums_read  3. kc_checksums_release (idempotent).
 *
 * Names are those of files in the same directory: letters, digits and the characters ._+~!- in it, neither "." nor "-" at their
 * beginning, so that none is a path, an option or in need of sha256sum's escapes. SHA256SUMS itself is not among them.
 */
#ifndef KC_RELEASE_CHECKSUMS_H
#define KC_RELEASE_CHECKSUMS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/digest.h"
#include "base/error.h"

#define KC_CHECKSUMS_NAME "SHA256SUMS"
#define KC_CHECKSUMS_LIMIT (2u << 20) /* bytes */
#define KC_CHECKSUMS_MAX 4096	      /* files */
#define KC_CHECKSUMS_NAME_SIZE 256    /* with the NUL */

struct kc_checksum {
	char name[KC_CHECKSUMS_NAME_SIZE];
	char sha256[KC_SHA256_HEX_SIZE];
};

struct kc_checksums {
	struct kc_checksum *items; /* in the order of their names */
	size_t count;
};

#define KC_CLEANUP_CHECKSUMS KC_CLEANUP(kc_checksums_release)

/* NULL for a name that may stand in it, else the rule that it breaks. */
const char *kc_checksums_check_name(const char *name) __attribute__((warn_unused_result));

/* Copies both. -EINVAL for a bad name or digest, -EEXIST for a name that is there, -E2BIG, -ENOMEM. */
int kc_checksums_add(struct kc_checksums *checksums, const char *name, const char *sha256,
		     struct kc_error *err) __attribute__((warn_unused_result));

/* Appends the lines. -EINVAL if there are none: sha256sum takes an empty file for an error, too. */
int kc_checksums_write(const struct kc_checksums *checksums, struct kc_buffer *text, struct kc_error *err)
	__attribute__((warn_unused_result));

/* Fills an empty object. -EBADMSG with the number of the line for whatever kc_checksums_write does not write; `file` is what errors
 * call it. */
int kc_checksums_read(const char *text, size_t length, const char *file, struct kc_checksums *checksums,
		      struct kc_error *err) __attribute__((warn_unused_result));

/* NULL if `name` is not there. */
const struct kc_checksum *kc_checksums_find(const struct kc_checksums *checksums, const char *name);

void kc_checksums_release(struct kc_checksums *checksums);

/* The digest of the regular file `name` in a directory. A link is not followed: -ELOOP. -EINVAL if it is something else. */
int kc_checksums_of_file(int dirfd, const char *name, char ret_sha256[KC_SHA256_HEX_SIZE],
			 struct kc_error *err) __attribute__((warn_unused_result));

#endif
