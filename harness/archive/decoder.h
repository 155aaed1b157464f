/*
 * The bytes of a tar, whatever it is compressed with: xz, gzip, zstd, or nothing, told apart by how it begins.
 *
 * liblzma, zlib and libzstd decode, each to the end of the input: a stream that is cut short, a wrong check sum, and
 * anything after the last stream are refused. gzip and zstd may come as several streams in a row, as parallel compressors
 * write them; xz may not, see archive/xz.h.
 *
 * Life cycle: 1. kc_decoder_open  2. kc_decoder_read until 0  3. kc_decoder_close (idempotent, fit for a zeroed object).
 *
 * Formats: RFC 1952 section 2.2 (gzip), RFC 8878 section 3.1 (zstd).
 */
#ifndef KC_ARCHIVE_DECODER_H
#define KC_ARCHIVE_DECODER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <zlib.h>
#include <zstd.h>

#include "archive/source.h"
#include "archive/xz.h"
#include "base/error.h"

enum kc_decoder_format { KC_FORMAT_PLAIN, KC_FORMAT_XZ, KC_FORMAT_GZIP, KC_FORMAT_ZSTD };

struct kc_decoder {
	enum kc_decoder_format format;
	struct kc_source *source; /* borrowed until close */
	struct kc_xz_limits limits;
	struct kc_xz xz;
	z_stream gzip;
	ZSTD_DStream *zstd;
	unsigned char *input;
	size_t input_length, input_used;
	uint64_t output_bytes;
	bool between_streams; /* where the input may end */
	bool ended;
};

/* `xz_only`: anything else is decoded as xz and so refused. */
int kc_decoder_open(struct kc_decoder *decoder, struct kc_source *source, const struct kc_xz_limits *limits,
		    bool xz_only, struct kc_error *err) __attribute__((warn_unused_result));

/* Fills `buffer`, or less at the end. The count, 0 at the verified end, or a negative errno: -EBADMSG for refused content,
 * else what the source or memory says. */
ssize_t kc_decoder_read(struct kc_decoder *decoder, void *buffer, size_t size, struct kc_error *err)
	__attribute__((warn_unused_result));
void kc_decoder_close(struct kc_decoder *decoder);

#endif
