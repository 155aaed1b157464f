#include "archive/decoder.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define GZIP_ONLY (15 + 16) /* zlib.h, inflateInit2: the largest window, a gzip header and nothing else */

static const struct {
	enum kc_decoder_format format;
	unsigned char length;
	unsigned char bytes[KC_SOURCE_PEEK_BYTES];
} magics[] = {
	{ KC_FORMAT_XZ, 6, { 0xfd, '7', 'z', 'X', 'Z', 0 } },
	{ KC_FORMAT_GZIP, 2, { 0x1f, 0x8b } },
	{ KC_FORMAT_ZSTD, 4, { 0x28, 0xb5, 0x2f, 0xfd } },
};

static int recognise(struct kc_decoder *decoder, struct kc_error *err)
{
	unsigned char begin[KC_SOURCE_PEEK_BYTES] = { 0 };
	ssize_t got = kc_source_peek(decoder->source, begin, err);

	if (got < 0)
		return (int)got;
	if (got == 0)
		return kc_error_set(err, EBADMSG, "decode `%s`: the archive is empty (0 bytes)",
				    decoder->source->name);
	for (size_t i = 0; i < KC_ARRAY_LENGTH(magics); i++)
		if (memcmp(begin, magics[i].bytes, magics[i].length) == 0)
			decoder->format = magics[i].format;
	return 0;
}

static int start(struct kc_decoder *decoder, struct kc_error *err)
{
	uint64_t window = 1;
	int log = 0;
	bool started = true;

	if (decoder->format == KC_FORMAT_XZ)
		return kc_xz_open(&decoder->xz, decoder->source, &decoder->limits, err);
	if (decoder->format == KC_FORMAT_PLAIN)
		return 0;
	decoder->input = malloc(KC_SOURCE_CHUNK_BYTES);
	if (decoder->format == KC_FORMAT_GZIP) {
		started = inflateInit2(&decoder->gzip, GZIP_ONLY) == Z_OK;
	} else {
		for (; window * 2 <= decoder->limits.memory_bytes; window *= 2)
			log++;
		decoder->zstd = ZSTD_createDStream();
		started = decoder->zstd &&
			  !ZSTD_isError(ZSTD_DCtx_setParameter(decoder->zstd, ZSTD_d_windowLogMax, log));
	}
	return decoder->input && started ? 0 : kc_error_errno(err, ENOMEM, "start the decoder");
}

int kc_decoder_open(struct kc_decoder *decoder, struct kc_source *source, const struct kc_xz_limits *limits,
		    bool xz_only, struct kc_error *err)
{
	int status = 0;

	*decoder = (struct kc_decoder){ .format = KC_FORMAT_XZ, .source = source, .limits = *limits };
	if (!xz_only) {
		decoder->format = KC_FORMAT_PLAIN;
		status = recognise(decoder, err);
	}
	if (status == 0)
		status = start(decoder, err);
	if (status < 0)
		kc_decoder_close(decoder);
	return status;
}

void kc_decoder_close(struct kc_decoder *decoder)
{
	if (decoder->format == KC_FORMAT_XZ)
		kc_xz_close(&decoder->xz);
	if (decoder->format == KC_FORMAT_GZIP)
		(void)inflateEnd(&decoder->gzip); /* a stream that never started is told apart by zlib */
	(void)ZSTD_freeDStream(decoder->zstd);	  /* accepts NULL and cannot fail otherwise */
	free(decoder->input);
	*decoder = (struct kc_decoder){ 0 };
}

static int corrupt(const struct kc_decoder *decoder, const char *why, struct kc_error *err)
{
	return kc_error_set(err, EBADMSG, "decode `%s`: %s, near byte %" PRIu64, decoder->source->name, why,
			    decoder->source->bytes - (decoder->input_length - decoder->input_used));
}

static int inflate_some(struct kc_decoder *decoder, unsigned char *buffer, size_t size, size_t *ret_written,
			struct kc_error *err)
{
	z_stream *gzip = &decoder->gzip;
	int result;

	if (decoder->between_streams && decoder->output_bytes && inflateReset(gzip) != Z_OK)
		return corrupt(decoder, "the next gzip stream cannot be begun", err);
	gzip->next_in = decoder->input + decoder->input_used;
	gzip->avail_in = (unsigned int)(decoder->input_length - decoder->input_used);
	gzip->next_out = buffer;
	gzip->avail_out = (unsigned int)size;
	result = inflate(gzip, Z_NO_FLUSH);
	decoder->input_used = decoder->input_length - gzip->avail_in;
	decoder->between_streams = result == Z_STREAM_END;
	*ret_written = size - gzip->avail_out;
	if (result == Z_MEM_ERROR)
		return kc_error_errno(err, ENOMEM, "decode `%s`", decoder->source->name);
	/* Z_BUF_ERROR: no progress was possible, which more input or output mends. */
	if (result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR)
		return 0;
	return corrupt(decoder, gzip->msg ? gzip->msg : "corrupt gzip data", err);
}

static int decompress_some(struct kc_decoder *decoder, void *buffer, size_t size, size_t *ret_written,
			   struct kc_error *err)
{
	ZSTD_inBuffer input = { .src = decoder->input,
				.size = decoder->input_length,
				.pos = decoder->input_used };
	ZSTD_outBuffer output = { .dst = buffer, .size = size };
	size_t result = ZSTD_decompressStream(decoder->zstd, &output, &input);

	decoder->input_used = input.pos;
	*ret_written = output.pos;
	if (ZSTD_isError(result))
		return corrupt(decoder, ZSTD_getErrorName(result), err);
	decoder->between_streams = result == 0;
	return 0;
}

static int check_limits(const struct kc_decoder *decoder, struct kc_error *err)
{
	const struct kc_xz_limits *limits = &decoder->limits;
	uint64_t output = decoder->output_bytes;

	if (output > limits->total_bytes)
		return kc_error_set(err, EBADMSG,
				    "decode `%s`: unpacks to more than the limit of %" PRIu64 " bytes",
				    decoder->source->name, limits->total_bytes);
	if (output > KC_XZ_RATIO_FREE_BYTES && output / limits->ratio > decoder->source->bytes)
		return kc_error_set(err, EBADMSG, "decode `%s`: unpacks to more than %u times its size",
				    decoder->source->name, limits->ratio);
	return 0;
}

static int refill(struct kc_decoder *decoder, struct kc_error *err)
{
	ssize_t got = kc_source_read(decoder->source, decoder->input, KC_SOURCE_CHUNK_BYTES, err);

	if (got < 0)
		return (int)got;
	decoder->input_used = 0;
	decoder->input_length = (size_t)got;
	if (got == 0 && !decoder->between_streams)
		return kc_error_set(err, EBADMSG, "decode `%s`: truncated after %" PRIu64 " bytes",
				    decoder->source->name, decoder->source->bytes);
	decoder->ended = got == 0;
	return 0;
}

/* One call of the library. It may hold output back that it had no room for: only without any is more input needed. */
static int decode_some(struct kc_decoder *decoder, unsigned char *buffer, size_t size, size_t *ret_written,
		       struct kc_error *err)
{
	int status;

	*ret_written = 0;
	if (decoder->input_used < decoder->input_length ||
	    (decoder->output_bytes && !decoder->between_streams)) {
		status = decoder->format == KC_FORMAT_GZIP
				 ? inflate_some(decoder, buffer, size, ret_written, err)
				 : decompress_some(decoder, buffer, size, ret_written, err);
		decoder->output_bytes += *ret_written;
		if (status < 0)
			return status;
	}
	if (*ret_written == 0 && decoder->input_used == decoder->input_length)
		return refill(decoder, err);
	return check_limits(decoder, err);
}

static ssize_t read_compressed(struct kc_decoder *decoder, unsigned char *buffer, size_t size,
			       struct kc_error *err)
{
	size_t filled = 0;

	while (filled < size && !decoder->ended) {
		size_t written;
		int status = decode_some(decoder, buffer + filled, size - filled, &written, err);

		if (status < 0)
			return status;
		filled += written;
	}
	return (ssize_t)filled;
}

static ssize_t read_plain(struct kc_decoder *decoder, void *buffer, size_t size, struct kc_error *err)
{
	ssize_t got = kc_source_read(decoder->source, buffer, size, err);

	if (got <= 0)
		return got;
	decoder->output_bytes += (uint64_t)got;
	if (decoder->output_bytes > decoder->limits.total_bytes)
		return check_limits(decoder, err);
	return got;
}

ssize_t kc_decoder_read(struct kc_decoder *decoder, void *buffer, size_t size, struct kc_error *err)
{
	switch (decoder->format) {
	case KC_FORMAT_XZ:
		return kc_xz_read(&decoder->xz, buffer, size, err);
	case KC_FORMAT_PLAIN:
		return read_plain(decoder, buffer, size, err);
	default:
		return read_compressed(decoder, buffer, size, err);
	}
}
