/* One tar in every compression; and what each is refused for. HOSTILE section 2a, for formats other than xz. */
#include "archive/decoder.h"

#include <errno.h>
#include <string.h>

#include "archive/extract.h"
#include "archive/manifest.h"
#include "archive/tests/extract_test.h"
#include "fixtures/sentinel.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "tests/kc_test.h"

enum { MIB = 1 << 20, NOISE_BYTES = 200000 };

static void make_tar(struct kc_buffer *tar)
{
	KC_CLEANUP_FREE char *noise = malloc(NOISE_BYTES);
	const struct kc_tar_item items[] = {
		{ .name = "bin/", .type = '5' },
		{ .name = "bin/noise", .data = noise, .data_bytes = NOISE_BYTES },
		{ .name = "bin/link", .type = '2', .link = "noise" },
	};

	kc_fill_noise(noise, NOISE_BYTES);
	kc_tar_make(tar, items, KC_ARRAY_LENGTH(items));
}

static void pack_plain(struct kc_buffer *packed, const void *bytes, size_t length)
{
	KC_CHECK_INT(kc_buffer_append(packed, bytes, length), 0);
}

static void pack_gzip(struct kc_buffer *packed, const void *bytes, size_t length)
{
	enum { GZIP_WINDOW = 15 + 16 }; /* zlib.h, deflateInit2: 16 more asks for a gzip header */
	z_stream stream = { 0 };
	size_t room;
	KC_CLEANUP_FREE unsigned char *out = NULL;

	KC_CHECK_INT(deflateInit2(&stream, 6, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY), Z_OK);
	room = deflateBound(&stream, length);
	out = malloc(room);
	KC_REQUIRE(out != NULL);
	stream.next_in = (unsigned char *)(uintptr_t)bytes;
	stream.avail_in = (unsigned int)length;
	stream.next_out = out;
	stream.avail_out = (unsigned int)room;
	KC_CHECK_INT(deflate(&stream, Z_FINISH), Z_STREAM_END);
	KC_CHECK_INT(kc_buffer_append(packed, out, room - stream.avail_out), 0);
	(void)deflateEnd(&stream);
}

static void pack_zstd(struct kc_buffer *packed, const void *bytes, size_t length)
{
	size_t room = ZSTD_compressBound(length), written;
	KC_CLEANUP_FREE char *out = malloc(room);
	ZSTD_CCtx *context = ZSTD_createCCtx();

	KC_REQUIRE(out && context);
	(void)ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
	written = ZSTD_compress2(context, out, room, bytes, length);
	KC_CHECK(!ZSTD_isError(written));
	KC_CHECK_INT(kc_buffer_append(packed, out, written), 0);
	(void)ZSTD_freeCCtx(context);
}

typedef void packer(struct kc_buffer *packed, const void *bytes, size_t length);

static const struct {
	const char *name;
	packer *pack;
	bool may_be_several;
} formats[] = { { "plain", pack_plain, false },
		{ "xz", kc_xz_pack, false },
		{ "gzip", pack_gzip, true },
		{ "zstd", pack_zstd, true } };

/* Into a fresh directory; ret_manifest may be NULL. */
static int extract(const struct kc_buffer *packed, uint64_t total_bytes, struct kc_buffer *manifest,
		   char decoded_sha256[KC_SHA256_HEX_SIZE], struct kc_error *err)
{
	KC_CLEANUP_FD int fd = kc_memory_file(kc_buffer_string(packed), packed->length);
	KC_CLEANUP_SENTINEL struct kc_sentinel scratch = { 0 };
	KC_CLEANUP_SOURCE struct kc_source source = { 0 };
	struct kc_extract_options options = KC_EXTRACT_OPTIONS_INIT;
	int status;

	if (!kc_sentinel_make(&scratch))
		return -EIO;
	options.limits.total_bytes = total_bytes;
	options.manifest = manifest;
	options.decoded_sha256 = decoded_sha256;
	status = kc_source_open_fd(&source, fd, "test.tar", err);
	return status < 0 ? status : kc_extract_tar(&source, scratch.dest_fd, &options, err);
}

static void a_tar_is_the_same_in_every_compression(void)
{
	KC_CLEANUP_BUFFER struct kc_buffer tar = KC_BUFFER_INIT(MIB), first = KC_BUFFER_INIT(MIB);
	char wanted[KC_SHA256_HEX_SIZE];
	struct kc_error err = { 0 };

	make_tar(&tar);
	KC_CHECK_OK(kc_sha256_of(tar.data, tar.length, wanted, &err), err);
	for (size_t i = 0; i < KC_ARRAY_LENGTH(formats); i++) {
		KC_CLEANUP_BUFFER struct kc_buffer packed = KC_BUFFER_INIT(MIB),
						   manifest = KC_BUFFER_INIT(MIB);
		char decoded[KC_SHA256_HEX_SIZE] = "";

		formats[i].pack(&packed, tar.data, tar.length);
		KC_CHECK_MESSAGE(extract(&packed, MIB, &manifest, decoded, &err) == 0, "%s: %s",
				 formats[i].name, err.text);
		KC_CHECK_STRING(decoded, wanted);
		if (i == 0)
			KC_CHECK_INT(kc_buffer_append(&first, manifest.data, manifest.length), 0);
		KC_CHECK_STRING(kc_buffer_string(&manifest), kc_buffer_string(&first));
	}
	KC_CHECK_CONTAINS(kc_buffer_string(&first), "bin/link l noise");
}

/* As pigz -i and pzstd write them; and where one stream is all there may be, a second one is refused. */
static void several_streams_in_a_row_are_one_where_the_format_says_so(void)
{
	KC_CLEANUP_BUFFER struct kc_buffer tar = KC_BUFFER_INIT(MIB);

	make_tar(&tar);
	for (size_t i = 1; i < KC_ARRAY_LENGTH(formats); i++) {
		KC_CLEANUP_BUFFER struct kc_buffer packed = KC_BUFFER_INIT(MIB);
		struct kc_error err = { 0 };
		int status;

		formats[i].pack(&packed, tar.data, 1000);
		formats[i].pack(&packed, tar.data + 1000, tar.length - 1000);
		status = extract(&packed, MIB, NULL, NULL, &err);
		KC_CHECK_MESSAGE(status == (formats[i].may_be_several ? 0 : -EBADMSG), "%s: %d %s",
				 formats[i].name, status, err.text);
	}
}

static void cut(struct kc_buffer *packed)
{
	packed->length -= 3;
}

static void cut_in_the_middle(struct kc_buffer *packed)
{
	packed->length /= 2;
}

static void flip(struct kc_buffer *packed)
{
	packed->data[packed->length / 2] ^= 1;
}

static void flip_check_sum(struct kc_buffer *packed)
{
	packed->data[packed->length - 2] ^= 1;
}

static void append_rubbish(struct kc_buffer *packed)
{
	KC_CHECK_INT(kc_buffer_append_string(packed, "rubbish after the end"), 0);
}

static void append_half_a_stream(struct kc_buffer *packed)
{
	KC_CHECK_INT(kc_buffer_append(packed, packed->data, 12), 0);
}

static void damage_is_refused_in_every_compression(void)
{
	static const struct {
		const char *name;
		void (*damage)(struct kc_buffer *packed);
	} rows[] = { { "cut by three bytes", cut },
		     { "cut in the middle", cut_in_the_middle },
		     { "a bit flipped", flip },
		     { "a bit of the end flipped", flip_check_sum },
		     { "rubbish behind", append_rubbish },
		     { "half a stream behind", append_half_a_stream } };
	KC_CLEANUP_BUFFER struct kc_buffer tar = KC_BUFFER_INIT(MIB);

	make_tar(&tar);
	/* A plain tar has no check sum of its contents: the digest of the whole is what tells. */
	for (size_t i = 1; i < KC_ARRAY_LENGTH(formats); i++)
		for (size_t j = 0; j < KC_ARRAY_LENGTH(rows); j++) {
			KC_CLEANUP_BUFFER struct kc_buffer packed = KC_BUFFER_INIT(MIB);
			struct kc_error err = { 0 };
			int status;

			formats[i].pack(&packed, tar.data, tar.length);
			rows[j].damage(&packed);
			status = extract(&packed, MIB, NULL, NULL, &err);
			KC_CHECK_MESSAGE(status == -EBADMSG, "%s, %s: %d %s", formats[i].name, rows[j].name,
					 status, err.text);
			KC_CHECK_CONTAINS(err.text, "test.tar");
		}
}

static void what_unpacks_to_too_much_is_refused(void)
{
	KC_CLEANUP_BUFFER struct kc_buffer tar = KC_BUFFER_INIT(64 * MIB);
	KC_CLEANUP_FREE char *zeros = calloc(1, 40 * MIB);
	const struct kc_tar_item item = { .name = "zeros", .data = zeros, .data_bytes = 40 * MIB };

	KC_REQUIRE(zeros != NULL);
	kc_tar_make(&tar, &item, 1);
	for (size_t i = 1; i < KC_ARRAY_LENGTH(formats); i++) {
		KC_CLEANUP_BUFFER struct kc_buffer packed = KC_BUFFER_INIT(MIB);
		struct kc_error err = { 0 };

		formats[i].pack(&packed, tar.data, tar.length);
		/* By the sum of all bytes, and by how much more comes out than goes in. */
		KC_CHECK_MESSAGE(extract(&packed, 20 * MIB, NULL, NULL, &err) == -EBADMSG, "%s: %s",
				 formats[i].name, err.text);
		KC_CHECK_MESSAGE(extract(&packed, 64 * MIB, NULL, NULL, &err) == -EBADMSG, "%s: %s",
				 formats[i].name, err.text);
	}
}

KC_TEST_SUITE(decoder, KC_LABEL_FAST, KC_TEST(a_tar_is_the_same_in_every_compression),
	      KC_TEST(several_streams_in_a_row_are_one_where_the_format_says_so),
	      KC_TEST(damage_is_refused_in_every_compression), KC_TEST(what_unpacks_to_too_much_is_refused));
