/* The compressed stream and the framing of the tar: HOSTILE section 2a, whose row each test case names. */
#include <errno.h>
#include <string.h>

#include "archive/tar_frame.h"
#include "sys/file.h"
#include "archive/tests/extract_test.h"
#include "tests/kc_test.h"

enum { MIB = 1 << 20, NOISE_BYTES = 300000 };

static const struct kc_tar_item PLAIN[] = {
	{ .name = "bin/", .type = '5' },
	{ .name = "bin/a", .data = "one" },
	{ .name = "bin/b", .data = "two" },
};

static void add_plain(struct kc_buffer *tar)
{
	kc_tar_make(tar, PLAIN, KC_ARRAY_LENGTH(PLAIN));
}

static void pack_plain(struct kc_buffer *xz)
{
	KC_CLEANUP_BUFFER struct kc_buffer tar = KC_BUFFER_INIT(MIB);

	add_plain(&tar);
	kc_xz_pack(xz, tar.data, tar.length);
}

/* --- Damage to the stream --- */

static void make_sound(struct kc_buffer *xz)
{
	pack_plain(xz);
}

static void make_noise(struct kc_buffer *xz)
{
	KC_CLEANUP_BUFFER struct kc_buffer tar = KC_BUFFER_INIT(MIB);
	KC_CLEANUP_FREE char *noise = malloc(NOISE_BYTES);
	struct kc_tar_item item = { .name = "noise", .data = noise, .data_bytes = NOISE_BYTES };

	kc_fill_noise(noise, NOISE_BYTES);
	kc_tar_make(&tar, &item, 1);
	kc_xz_pack(xz, tar.data, tar.length);
}

static void make_cut_in_the_middle(struct kc_buffer *xz)
{
	make_noise(xz);
	xz->length /= 2;
}

static void make_cut_at_the_end(struct kc_buffer *xz)
{
	make_noise(xz);
	xz->length -= 20;
}

/* The tar is over long before the damage. */
static void make_damaged_after_the_tar(struct kc_buffer *xz)
{
	KC_CLEANUP_BUFFER struct kc_buffer tar = KC_BUFFER_INIT(MIB);

	add_plain(&tar);
	kc_tar_zeros(&tar, KC_TAR_TAIL_LIMIT_BYTES - 2048);
	kc_xz_pack(xz, tar.data, tar.length);
	xz->data[xz->length - 30] ^= 1;
}

static void make_trailing_byte(struct kc_buffer *xz)
{
	pack_plain(xz);
	(void)!kc_buffer_append(xz, "x", 1);
}

static void make_padding(struct kc_buffer *xz)
{
	pack_plain(xz);
	(void)!kc_buffer_append(xz, "\0\0\0\0", 4);
}

static void make_second_stream(struct kc_buffer *xz)
{
	pack_plain(xz);
	pack_plain(xz);
}

static void make_nothing(struct kc_buffer *xz)
{
	(void)xz;
}

static void make_empty_stream(struct kc_buffer *xz)
{
	kc_xz_pack(xz, "", 0);
}

static void make_unchecked(struct kc_buffer *xz)
{
	KC_CLEANUP_BUFFER struct kc_buffer tar = KC_BUFFER_INIT(MIB);

	add_plain(&tar);
	kc_xz_pack_unchecked(xz, tar.data, tar.length);
}

static void make_huge_dictionary(struct kc_buffer *xz)
{
	pack_plain(xz);
	kc_xz_claim_dictionary(xz);
}

static void make_gzip(struct kc_buffer *xz)
{
	(void)!kc_buffer_append(xz, "\x1f\x8b\x08\0\0\0\0\0\0\3\0\0", 12);
}

static void make_bomb(struct kc_buffer *xz)
{
	KC_CLEANUP_BUFFER struct kc_buffer tar = KC_BUFFER_INIT(64 * MIB);
	KC_CLEANUP_FREE char *zeros = calloc(1, 32 * MIB);
	struct kc_tar_item item = { .name = "bomb", .data = zeros, .data_bytes = 32 * MIB };

	kc_tar_make(&tar, &item, 1);
	kc_xz_pack(xz, tar.data, tar.length);
}

static const struct {
	const char *name;
	void (*make)(struct kc_buffer *xz);
	const char *expected; /* part of the message; NULL: it is accepted */
} streams[] = {
	{ "sound, the control of all below", make_sound, NULL },
	{ "incompressible, the control of A1 and A2", make_noise, NULL },
	{ "A1 cut in the middle", make_cut_in_the_middle, "truncated after" },
	{ "A2 last 20 bytes missing", make_cut_at_the_end, "truncated after" },
	{ "A3 damaged after the end of the tar", make_damaged_after_the_tar, "corrupt xz data" },
	{ "A4 a byte after the stream", make_trailing_byte, "data after the end of the xz stream" },
	{ "A4 stream padding", make_padding, "data after the end of the xz stream" },
	{ "A5 a second stream", make_second_stream, "data after the end of the xz stream" },
	{ "A7 no bytes at all", make_nothing, "is empty (0 bytes)" },
	{ "A7 xz of nothing", make_empty_stream, "the archive is empty" },
	{ "no integrity check", make_unchecked, "no integrity check" },
	{ "A10 dictionary of 1.5 GiB", make_huge_dictionary, "MiB of memory, more than the limit" },
	{ "gzip", make_gzip, "not an xz archive" },
	{ "A11 bomb", make_bomb, "more than 50 times its size" },
};

static void refuses_damaged_streams(void)
{
	for (size_t i = 0; i < KC_ARRAY_LENGTH(streams); i++) {
		KC_CLEANUP_BUFFER struct kc_buffer xz = KC_BUFFER_INIT(64 * MIB);
		KC_CLEANUP_SENTINEL struct kc_sentinel scratch;
		struct kc_extract_options options = KC_EXTRACT_OPTIONS_INIT;
		struct kc_error err = { 0 };
		int status;

		KC_REQUIRE(kc_sentinel_make(&scratch));
		streams[i].make(&xz);
		status = kc_test_extract(&scratch, xz.data, xz.length, &options, &err);
		KC_CHECK_MESSAGE(status == (streams[i].expected ? -EBADMSG : 0), "%s: %d %s", streams[i].name,
				 status, err.text);
		if (streams[i].expected)
			KC_CHECK_CONTAINS(err.text, streams[i].expected);
		KC_CHECK(kc_sentinel_is_intact(&scratch));
	}
}

/* Nothing may depend on where the damage is: every cut, and a flipped bit in every byte. */
static void refuses_every_cut_and_every_flip(void)
{
	KC_CLEANUP_BUFFER struct kc_buffer xz = KC_BUFFER_INIT(MIB);
	KC_CLEANUP_SENTINEL struct kc_sentinel scratch;
	struct kc_extract_options options = KC_EXTRACT_OPTIONS_INIT;

	pack_plain(&xz);
	KC_REQUIRE(kc_sentinel_make(&scratch) && xz.length > 100);
	options.merge = true; /* what an earlier round left is no reason to refuse */
	for (size_t at = 0; at < xz.length; at++) {
		struct kc_error err = { 0 };

		KC_CHECK_MESSAGE(kc_test_extract(&scratch, xz.data, at, &options, &err) == -EBADMSG,
				 "cut to %zu bytes: %s", at, err.text);
		xz.data[at] ^= 0x10;
		KC_CHECK_MESSAGE(kc_test_extract(&scratch, xz.data, xz.length, &options, &err) == -EBADMSG,
				 "bit flipped in byte %zu: %s", at, err.text);
		xz.data[at] ^= 0x10;
		KC_CHECK_INT(kc_tree_remove(scratch.dest_fd, "bin", NULL), 0);
	}
	KC_CHECK_INT(kc_test_extract(&scratch, xz.data, xz.length, &options, NULL), 0);
}

/* --- Limits --- */

static void enforces_limits(void)
{
	static const struct kc_extract_limits full = KC_EXTRACT_LIMITS_VOLUME;
	static const struct {
		const char *name;
		size_t field;
		uint64_t value;
		const char *expected;
	} rows[] = {
		{ "A12 entries", offsetof(struct kc_extract_limits, entries), 2, "too many entries" },
		{ "A11 total", offsetof(struct kc_extract_limits, total_bytes), 2048,
		  "more than the limit of 2048 bytes" },
		{ "A11 one file", offsetof(struct kc_extract_limits, file_bytes), 2,
		  "larger than the limit for one file" },
		{ "decoder memory", offsetof(struct kc_extract_limits, decoder_memory_bytes), 1024,
		  "MiB of memory, more than the limit" },
		{ "control", offsetof(struct kc_extract_limits, entries), 3, NULL },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_BUFFER struct kc_buffer tar = KC_BUFFER_INIT(MIB);
		KC_CLEANUP_SENTINEL struct kc_sentinel scratch;
		struct kc_extract_options options = KC_EXTRACT_OPTIONS_INIT;
		struct kc_error err = { 0 };

		options.limits = full;
		memcpy((char *)&options.limits + rows[i].field, &rows[i].value, sizeof(rows[i].value));
		KC_REQUIRE(kc_sentinel_make(&scratch));
		add_plain(&tar);
		KC_CHECK_INT(kc_test_extract_tar(&scratch, &tar, &options, &err),
			     rows[i].expected ? -EBADMSG : 0);
		if (rows[i].expected)
			KC_CHECK_CONTAINS(err.text, rows[i].expected);
	}
}

/* --- The tar --- */

static void tar_end_blocks_only(struct kc_buffer *tar)
{
	kc_tar_end(tar);
}

static void tar_second_after_the_end(struct kc_buffer *tar)
{
	add_plain(tar);
	add_plain(tar);
}

static void tar_garbage_after_the_end(struct kc_buffer *tar)
{
	add_plain(tar);
	kc_tar_zeros(tar, 4096);
	tar->data[tar->length - 1] = 1;
}

static void tar_long_tail(struct kc_buffer *tar)
{
	add_plain(tar);
	kc_tar_zeros(tar, 2 * KC_TAR_TAIL_LIMIT_BYTES);
}

static void tar_usual_tail(struct kc_buffer *tar)
{
	add_plain(tar);
	kc_tar_zeros(tar, 10240 - tar->length % 10240);
}

static void tar_without_end(struct kc_buffer *tar)
{
	add_plain(tar);
	tar->length -= 1024;
}

static void tar_with_one_end_block(struct kc_buffer *tar)
{
	add_plain(tar);
	tar->length -= 512;
}

static void tar_cut_in_an_entry(struct kc_buffer *tar)
{
	add_plain(tar);
	tar->length -= 1024 + 300;
}

static void tar_shell_script(struct kc_buffer *tar)
{
	(void)!kc_buffer_append_string(tar, "#!/bin/sh\necho this is no tar\n");
	kc_tar_zeros(tar, 4096 - tar->length);
}

static void tar_cpio(struct kc_buffer *tar)
{
	(void)!kc_buffer_append_string(tar, "070701000000000000000000000000");
	kc_tar_zeros(tar, 4096 - tar->length);
}

static void tar_pax_then_gnu(struct kc_buffer *tar)
{
	static const struct kc_tar_item item = { .name = "f", .pax = "path=a", .gnu = "b", .data = "x" };

	kc_tar_make(tar, &item, 1);
}

static void tar_truncated_pax_record(struct kc_buffer *tar)
{
	kc_tar_add_raw(tar, 'x', "99 path=a\n", 10);
	add_plain(tar);
}

static void tar_nul_in_pax_path(struct kc_buffer *tar)
{
	kc_tar_add_raw(tar, 'x', "13 path=a\0b\n", 13);
	add_plain(tar);
}

/* What a distribution's image has for newuidmap and the like. */
static void tar_file_capability(struct kc_buffer *tar)
{
	kc_tar_add_raw(tar, 'x', "41 SCHILY.xattr.security.capability=\1\0\0\2\n", 41);
	add_plain(tar);
}

static void tar_nul_in_pax_key(struct kc_buffer *tar)
{
	kc_tar_add_raw(tar, 'x', "41 SCHILY.xattr.security\0capability=\1\0\0\2\n", 41);
	add_plain(tar);
}

static void tar_lonely_pax(struct kc_buffer *tar)
{
	add_plain(tar);
	tar->length -= 1024;
	kc_tar_add_raw(tar, 'x', "10 path=a\n", 10);
	kc_tar_end(tar);
}

static void tar_two_pax(struct kc_buffer *tar)
{
	kc_tar_add_raw(tar, 'x', "10 path=a\n", 10);
	kc_tar_add_raw(tar, 'x', "10 path=b\n", 10);
	add_plain(tar);
}

static void tar_huge_pax(struct kc_buffer *tar)
{
	KC_CLEANUP_FREE char *noise = calloc(1, 2 * KC_TAR_EXTENSION_LIMIT_BYTES);

	kc_tar_add_raw(tar, 'x', noise, 2 * KC_TAR_EXTENSION_LIMIT_BYTES);
	add_plain(tar);
}

static void tar_global_path(struct kc_buffer *tar)
{
	kc_tar_add_raw(tar, 'g', "10 path=a\n", 10);
	add_plain(tar);
}

/* What `git archive` begins with. */
static void tar_global_comment(struct kc_buffer *tar)
{
	kc_tar_add_raw(tar, 'g', "13 comment=a\n", 13);
	add_plain(tar);
}

static const struct {
	const char *name;
	void (*make)(struct kc_buffer *tar);
	const char *expected;
} tars[] = {
	{ "control", add_plain, NULL },
	{ "A7 end blocks only", tar_end_blocks_only, "the archive is empty" },
	{ "A6 a second tar", tar_second_after_the_end, "data after the end of the archive" },
	{ "A6 garbage in the tail", tar_garbage_after_the_end, "data after the end of the archive" },
	{ "A6 a long tail", tar_long_tail, "too many zeros" },
	{ "the usual tail", tar_usual_tail, NULL },
	{ "A8 no end blocks", tar_without_end, "no end-of-archive blocks" },
	{ "A8 one end block", tar_with_one_end_block, "no end-of-archive blocks" },
	{ "cut within an entry", tar_cut_in_an_entry, "" },
	{ "A13 a shell script", tar_shell_script, "not a tar archive" },
	{ "A13 cpio", tar_cpio, "not a tar archive" },
	{ "A17 pax, then GNU", tar_pax_then_gnu, "pax and GNU extended headers are mixed" },
	{ "pax record longer than its header", tar_truncated_pax_record, "pax header is malformed" },
	{ "B18 NUL in a pax path", tar_nul_in_pax_path, "pax header is malformed" },
	{ "NUL in an extended attribute, which is not kept", tar_file_capability, NULL },
	{ "NUL in a pax key", tar_nul_in_pax_key, "pax header is malformed" },
	{ "pax header without an entry", tar_lonely_pax, "an extended header has no entry" },
	{ "two pax headers", tar_two_pax, "an extended header is repeated" },
	{ "pax header without bounds", tar_huge_pax, "empty or too large" },
	{ "global pax path", tar_global_path, "a global header sets a name" },
	{ "global pax comment", tar_global_comment, NULL },
};

static void refuses_broken_framing(void)
{
	for (size_t i = 0; i < KC_ARRAY_LENGTH(tars); i++) {
		KC_CLEANUP_BUFFER struct kc_buffer tar = KC_BUFFER_INIT(MIB);
		KC_CLEANUP_SENTINEL struct kc_sentinel scratch;
		struct kc_extract_options options = KC_EXTRACT_OPTIONS_INIT;
		struct kc_error err = { 0 };
		int status;

		KC_REQUIRE(kc_sentinel_make(&scratch));
		tars[i].make(&tar);
		status = kc_test_extract_tar(&scratch, &tar, &options, &err);
		KC_CHECK_MESSAGE(status == (tars[i].expected ? -EBADMSG : 0), "%s: %d %s", tars[i].name,
				 status, err.text);
		if (tars[i].expected)
			KC_CHECK_CONTAINS(err.text, tars[i].expected);
		KC_CHECK(kc_sentinel_is_intact(&scratch));
	}
}

/* Base 256: the first byte says so, the rest is the number. */
static const unsigned char SIZE_NEGATIVE[12] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
						 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
static const unsigned char SIZE_2_TO_62[12] = { 0x80, 0, 0, 0, 0x40 };
static const unsigned char SIZE_WORDS[12] = "big";
static const unsigned char SIZE_8_GIB[12] = "77777777777";

static const struct {
	const char *name;
	struct kc_tar_item item;
	const char *expected;
} items[] = {
	{ "control", { .name = "f", .data = "x", .pax = "size=1" }, NULL },
	{ "A9 wrong checksum", { .name = "f", .data = "x", .bad_checksum = true }, "checksum of its header" },
	{ "A16 pax size", { .name = "f", .data = "x", .pax = "size=600" }, "differ in the size" },
	{ "A16 pax size of nothing", { .name = "f", .pax = "size=512" }, "differ in the size" },
	{ "A18 pax size negative", { .name = "f", .data = "x", .pax = "size=-1" }, "size is out of range" },
	{ "A18 pax size 2^64", { .name = "f", .pax = "size=18446744073709551616" }, "size is out of range" },
	{ "A18 size -1", { .name = "f", .size_field = SIZE_NEGATIVE }, "size is out of range" },
	{ "A18 size 2^62", { .name = "f", .size_field = SIZE_2_TO_62 }, "size is out of range" },
	{ "A18 size no number", { .name = "f", .size_field = SIZE_WORDS }, "size is out of range" },
	{ "A18 size 8 GiB", { .name = "f", .size_field = SIZE_8_GIB }, "larger than the limit" },
	{ "A19 GNU sparse", { .name = "f", .type = 'S', .data = "x" }, "sparse files are refused" },
	{ "A19 pax sparse", { .name = "f", .data = "x", .pax = "GNU.sparse.major=1" }, "sparse files" },
	{ "unknown type", { .name = "f", .type = 'Z' }, "its type is unknown" },
	{ "directory with data", { .name = "d/", .type = '5', .data = "x" }, "only a file may have data" },
	{ "B9 hard link with data",
	  { .name = "l", .type = '1', .link = "f", .data = "x" },
	  "only a file may have data" },
	{ "symbolic link with data",
	  { .name = "l", .type = '2', .link = "f", .data = "x" },
	  "only a file may have data" },
};

static void refuses_hostile_headers(void)
{
	for (size_t i = 0; i < KC_ARRAY_LENGTH(items); i++) {
		KC_CLEANUP_BUFFER struct kc_buffer tar = KC_BUFFER_INIT(MIB);
		KC_CLEANUP_SENTINEL struct kc_sentinel scratch;
		struct kc_extract_options options = KC_EXTRACT_OPTIONS_INIT;
		struct kc_error err = { 0 };
		int status;

		KC_REQUIRE(kc_sentinel_make(&scratch));
		kc_tar_add(&tar, &PLAIN[0]); /* not the first header: that would be "not a tar" */
		kc_tar_make(&tar, &items[i].item, 1);
		status = kc_test_extract_tar(&scratch, &tar, &options, &err);
		KC_CHECK_MESSAGE(status == (items[i].expected ? -EBADMSG : 0), "%s: %d %s", items[i].name,
				 status, err.text);
		if (items[i].expected)
			KC_CHECK_CONTAINS(err.text, items[i].expected);
		KC_CHECK(kc_sentinel_is_intact(&scratch));
	}
}

KC_TEST_SUITE(extract_framing, KC_LABEL_FAST, KC_TEST(refuses_damaged_streams),
	      KC_TEST(refuses_every_cut_and_every_flip), KC_TEST(enforces_limits),
	      KC_TEST(refuses_broken_framing), KC_TEST(refuses_hostile_headers));
