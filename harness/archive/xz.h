/*
 * One xz stream, decoded to its verified end by liblzma.
 *
 * One thread, a memory limit, the integrity check of the stream; then the input must be used up: bytes after
 * the stream, a second stream or padding are refused, as is a stream without a check. Other tools stop
 * reading where the tar ends and never see that the rest is damaged (HOSTILE A2 to A5).
 *
 * Life cycle: 1. kc_xz_open  2. kc_xz_read until 0  3. kc_xz_close (idempotent, fit for a zeroed object).
 */
#ifndef KC_ARCHIVE_XZ_H
#define KC_ARCHIVE_XZ_H

#include <lzma.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "archive/source.h"
#include "base/error.h"

/* The ratio is not asked of what is small anyway: static-gnu 4.4.0 begins with a python whose 2 MB of mostly
 * padding come out of 20 KB. */
#define KC_XZ_RATIO_FREE_BYTES (16u << 20)

struct kc_xz_limits {
	uint64_t memory_bytes;
	uint64_t total_bytes; /* most that may come out */
	unsigned int ratio;   /* most that may come out for a byte that goes in */
};

struct kc_xz {
	lzma_stream stream;
	struct kc_source *source; /* borrowed until close */
	struct kc_xz_limits limits;
	unsigned char *input;
	bool ended;
};

int kc_xz_open(struct kc_xz *xz, struct kc_source *source, const struct kc_xz_limits *limits,
	       struct kc_error *err) __attribute__((warn_unused_result));

/* Fills `buffer`, or less at the end. The count, 0 at the verified end, or a negative errno: -EBADMSG for
 * refused content, else what the source or memory says. */
ssize_t kc_xz_read(struct kc_xz *xz, void *buffer, size_t size, struct kc_error *err)
	__attribute__((warn_unused_result));
void kc_xz_close(struct kc_xz *xz);

#endif
