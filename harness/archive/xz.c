#include "archive/xz.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* CVE-2024-3094: these two releases carry a backdoor. */
static bool is_backdoored(const char *version)
{
	return strcmp(version, "5.6.0") == 0 || strcmp(version, "5.6.1") == 0;
}

int kc_xz_open(struct kc_xz *xz, struct kc_source *source, const struct kc_xz_limits *limits,
	       struct kc_error *err)
{
	lzma_ret result;

	*xz = (struct kc_xz){ .stream = LZMA_STREAM_INIT, .source = source, .limits = *limits };
	if (is_backdoored(lzma_version_string()))
		return kc_error_set(err, EPERM, "liblzma %s is a backdoored release (CVE-2024-3094)",
				    lzma_version_string());
	xz->input = malloc(KC_SOURCE_CHUNK_BYTES);
	result = lzma_stream_decoder(&xz->stream, limits->memory_bytes,
				     LZMA_TELL_NO_CHECK | LZMA_TELL_UNSUPPORTED_CHECK);
	if (xz->input && result == LZMA_OK)
		return 0;
	kc_xz_close(xz);
	return kc_error_errno(err, ENOMEM, "start the decoder");
}

void kc_xz_close(struct kc_xz *xz)
{
	lzma_end(&xz->stream);
	free(xz->input);
	xz->input = NULL;
}

static int fail(struct kc_xz *xz, lzma_ret result, struct kc_error *err)
{
	const char *name = xz->source->name;

	switch (result) {
	case LZMA_MEM_ERROR:
		return kc_error_errno(err, ENOMEM, "decode `%s`", name);
	case LZMA_MEMLIMIT_ERROR:
		return kc_error_set(err, EBADMSG,
				    "decode `%s`: needs %" PRIu64
				    " MiB of memory, more than the limit of %" PRIu64 " MiB",
				    name, lzma_memusage(&xz->stream) >> 20, xz->limits.memory_bytes >> 20);
	case LZMA_FORMAT_ERROR:
		return kc_error_set(err, EBADMSG, "decode `%s`: not an xz archive", name);
	case LZMA_BUF_ERROR:
		return kc_error_set(err, EBADMSG, "decode `%s`: truncated after %" PRIu64 " bytes", name,
				    xz->source->bytes);
	case LZMA_NO_CHECK:
	case LZMA_UNSUPPORTED_CHECK:
		return kc_error_set(err, EBADMSG, "decode `%s`: no integrity check that could be verified",
				    name);
	case LZMA_OPTIONS_ERROR:
		return kc_error_set(err, EBADMSG, "decode `%s`: unsupported xz options", name);
	default:
		return kc_error_set(err, EBADMSG, "decode `%s`: corrupt xz data near byte %" PRIu64, name,
				    xz->stream.total_in);
	}
}

/* After the stream nothing may come, not even the padding that the format allows. */
static int check_end_of_input(struct kc_xz *xz, struct kc_error *err)
{
	ssize_t got = (ssize_t)xz->stream.avail_in;

	if (got == 0)
		got = kc_source_read(xz->source, xz->input, KC_SOURCE_CHUNK_BYTES, err);
	if (got > 0)
		return kc_error_set(err, EBADMSG,
				    "decode `%s`: data after the end of the xz stream, at byte %" PRIu64,
				    xz->source->name, xz->stream.total_in);
	return (int)got;
}

static int check_limits(struct kc_xz *xz, struct kc_error *err)
{
	uint64_t out = xz->stream.total_out, in = xz->stream.total_in;

	if (out > xz->limits.total_bytes)
		return kc_error_set(err, EBADMSG,
				    "decode `%s`: unpacks to more than the limit of %" PRIu64 " bytes",
				    xz->source->name, xz->limits.total_bytes);
	if (out > KC_XZ_RATIO_FREE_BYTES && out / xz->limits.ratio > in)
		return kc_error_set(err, EBADMSG, "decode `%s`: unpacks to more than %u times its size",
				    xz->source->name, xz->limits.ratio);
	return 0;
}

static int refill(struct kc_xz *xz, struct kc_error *err)
{
	ssize_t got = kc_source_read(xz->source, xz->input, KC_SOURCE_CHUNK_BYTES, err);

	if (got < 0)
		return (int)got;
	if (got == 0 && xz->source->bytes == 0)
		return kc_error_set(err, EBADMSG, "decode `%s`: the archive is empty (0 bytes)",
				    xz->source->name);
	if (got == 0)
		return fail(xz, LZMA_BUF_ERROR, err);
	xz->stream.next_in = xz->input;
	xz->stream.avail_in = (size_t)got;
	return 0;
}

ssize_t kc_xz_read(struct kc_xz *xz, void *buffer, size_t size, struct kc_error *err)
{
	int status;

	xz->stream.next_out = buffer;
	xz->stream.avail_out = size;
	while (xz->stream.avail_out && !xz->ended) {
		lzma_ret result;

		status = xz->stream.avail_in ? 0 : refill(xz, err);
		if (status < 0)
			return status;
		result = lzma_code(&xz->stream, LZMA_RUN);
		if (result != LZMA_OK && result != LZMA_STREAM_END)
			return fail(xz, result, err);
		status = check_limits(xz, err);
		xz->ended = result == LZMA_STREAM_END;
		if (status == 0 && xz->ended)
			status = check_end_of_input(xz, err);
		if (status < 0)
			return status;
	}
	return (ssize_t)(size - xz->stream.avail_out);
}
