/*
 * Where compressed bytes come from: a file, or one member of a ZIP (a wheel). Read once, front to back,
 * hashed on the way.
 *
 * Life cycle: 1. one of the open functions  2. kc_source_read until 0  3. kc_source_digest  4.
 * kc_source_close (idempotent, fit for a zeroed object).
 */
#ifndef KC_ARCHIVE_SOURCE_H
#define KC_ARCHIVE_SOURCE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/digest.h"
#include "base/error.h"

/* As many as the longest magic number has. */
#define KC_SOURCE_PEEK_BYTES 6u
/* What a reader asks for at once. */
#define KC_SOURCE_CHUNK_BYTES 131072u

struct kc_source {
	/* Fills up to `size` bytes. The count, 0 at the verified end, or a negative errno with `err` set. */
	ssize_t (*read)(struct kc_source *source, void *buffer, size_t size, struct kc_error *err);
	void (*close)(struct kc_source *source);
	void *state;
	char name[512];				  /* what errors call it */
	uint64_t bytes;				  /* read so far */
	unsigned char held[KC_SOURCE_PEEK_BYTES]; /* peeked at, not read yet */
	size_t held_count;
	struct kc_sha256 sha;
};

#define KC_CLEANUP_SOURCE KC_CLEANUP(kc_source_close)

/* Borrows `fd`, which is read from its current position on. */
int kc_source_open_fd(struct kc_source *source, int fd, const char *name, struct kc_error *err)
	__attribute__((warn_unused_result));

/* See archive/wheel.h for a member of a wheel. */

ssize_t kc_source_read(struct kc_source *source, void *buffer, size_t size, struct kc_error *err)
	__attribute__((warn_unused_result));
/* How it begins, without reading it: before the first read, once. The count, less than asked for only if there is no more. */
ssize_t kc_source_peek(struct kc_source *source, unsigned char ret_bytes[KC_SOURCE_PEEK_BYTES],
		       struct kc_error *err) __attribute__((warn_unused_result));
/* SHA-256 of all that was read. Once, after the end. */
int kc_source_digest(struct kc_source *source, char ret_hex[KC_SHA256_HEX_SIZE], struct kc_error *err)
	__attribute__((warn_unused_result));
/* Reads the rest and throws it away, for the digest alone. */
int kc_source_drain(struct kc_source *source, char ret_hex[KC_SHA256_HEX_SIZE], struct kc_error *err)
	__attribute__((warn_unused_result));
void kc_source_close(struct kc_source *source);

#endif
