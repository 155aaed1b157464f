/* A ZIP that means different things to different readers: each way has a ZIP, made from a sound one by changing some bytes. */
#include "release/zip_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "release/tests/release_test.h"
#include "sys/fd.h"
#include "tests/kc_test.h"

/* Where things are in the sound ZIP of two members, "a" with "hello" and "b" with "world!". */
enum {
	LOCAL_A = 0,
	DATA_A = LOCAL_A + 31,
	LOCAL_B = DATA_A + 5,
	DATA_B = LOCAL_B + 31,
	ENTRY_A = DATA_B + 6,
	ENTRY_B = ENTRY_A + 47,
	END = ENTRY_B + 47,
	ALL = END + 22,
	/* Fields of a local header, an entry and the end record. */
	L_FLAGS = 6,
	L_METHOD = 8,
	L_TIME = 10,
	L_CRC = 14,
	L_PACKED = 18,
	L_SIZE = 22,
	L_NAMES = 26,
	L_EXTRA = 28,
	L_NAME = 30,
	E_MADE_BY = 4,
	E_FLAGS = 8,
	E_METHOD = 10,
	E_PACKED = 20,
	E_SIZE = 24,
	E_NAMES = 28,
	E_EXTRA = 30,
	E_COMMENT = 32,
	E_DISK = 34,
	E_ATTRIBUTES = 36,
	E_PLACE = 42,
	E_NAME = 46,
	D_DISK = 4,
	D_HERE = 8,
	D_COUNT = 10,
	D_SIZE = 12,
	D_PLACE = 16,
	D_COMMENT = 20
};

/* One change: a number of 1, 2 or 4 bytes is put at a place, or bytes are inserted there. */
struct edit {
	unsigned int at, size;
	uint32_t value;
	const char *bytes; /* `size` of them, inserted; NULL: a number */
};

#define PUT8(place, number)                                                                                  \
	{                                                                                                    \
		(place), 1, (number), NULL                                                                   \
	}
#define PUT16(place, number)                                                                                 \
	{                                                                                                    \
		(place), 2, (number), NULL                                                                   \
	}
#define PUT32(place, number)                                                                                 \
	{                                                                                                    \
		(place), 4, (number), NULL                                                                   \
	}
#define INSERT(place, text)                                                                                  \
	{                                                                                                    \
		(place), sizeof(text) - 1, 0, (text)                                                         \
	}

static void insert(struct kc_buffer *zip, const struct edit *edit)
{
	KC_CLEANUP_BUFFER struct kc_buffer made = KC_BUFFER_INIT(4096);

	KC_CHECK_INT(kc_buffer_append(&made, zip->data, edit->at), 0);
	KC_CHECK_INT(kc_buffer_append(&made, edit->bytes, edit->size), 0);
	KC_CHECK_INT(kc_buffer_append(&made, zip->data + edit->at, zip->length - edit->at), 0);
	kc_buffer_clear(zip);
	KC_CHECK_INT(kc_buffer_append(zip, made.data, made.length), 0);
}

static void make_zip(struct kc_buffer *zip, const struct edit *edits, size_t count)
{
	static const struct kc_test_member members[] = { { "a", "hello", 5, 0 }, { "b", "world!", 6, 0 } };

	KC_CHECK_INT(kc_test_zip(members, KC_ARRAY_LENGTH(members), zip), 0);
	KC_CHECK_INT(zip->length, ALL);
	for (size_t i = 0; i < count && edits[i].size; i++) {
		if (edits[i].bytes)
			insert(zip, &edits[i]);
		for (unsigned int byte = 0; !edits[i].bytes && byte < edits[i].size; byte++)
			zip->data[edits[i].at + byte] = (char)(edits[i].value >> 8 * byte);
	}
}

static void read_zip(const struct kc_buffer *zip, struct kc_findings *findings,
		     struct kc_zip_directory *directory)
{
	KC_CLEANUP_FD int fd = kc_test_file(zip->data, zip->length);
	struct kc_error err = { 0 };

	KC_CHECK_OK(kc_zip_directory_read(fd, "zip", findings, directory, &err), err);
}

static void a_sound_zip_is_read_without_a_finding(void)
{
	KC_CLEANUP_BUFFER struct kc_buffer zip = KC_BUFFER_INIT(4096);
	KC_CLEANUP_FINDINGS struct kc_findings findings = { .check = "zip" };
	KC_CLEANUP_ZIP_DIRECTORY struct kc_zip_directory directory = { 0 };

	make_zip(&zip, NULL, 0);
	read_zip(&zip, &findings, &directory);
	KC_CHECK(kc_findings_are_none(&findings));
	KC_REQUIRE(directory.count == 2);
	KC_CHECK_STRING(directory.entries[1].name, "b");
	KC_CHECK_INT(directory.entries[1].data_at, DATA_B);
	KC_CHECK_INT(directory.entries[1].bytes, 6);
	/* crc32(b"world!") of Python's zlib */
	KC_CHECK_INT(directory.entries[1].crc, 0x718498e8);
}

static const struct {
	const char *expected, *found; /* parts of the finding */
	struct edit edits[6];
} hostile[] = {
	{ "nothing behind the end record", "more bytes at byte 189", { INSERT(ALL, "x") } },
	{ "no comment", "3", { INSERT(ALL, "abc"), PUT16(END + D_COMMENT, 3) } },
	{ "one end record",
	  "another at byte 167",
	  { INSERT(ALL, "PK\5\6\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0") } },
	{ "directory right before the end record", "a directory at byte 73", { INSERT(0, "#!/bin/sh\n") } },
	{ "no bytes before its header",
	  "bytes at byte 0",
	  { INSERT(0, "MZ"), PUT32(ENTRY_A + 2 + E_PLACE, 2), PUT32(ENTRY_B + 2 + E_PLACE, LOCAL_B + 2),
	    PUT32(END + 2 + D_PLACE, ENTRY_A + 2) } },
	{ "no bytes before its header",
	  "bytes at byte 36",
	  { INSERT(LOCAL_B, "hid"), PUT32(ENTRY_B + 3 + E_PLACE, LOCAL_B + 3),
	    PUT32(END + 3 + D_PLACE, ENTRY_A + 3) } },
	{ "right behind the last member",
	  "other bytes at byte 73",
	  { INSERT(ENTRY_A, "hid"), PUT32(END + 3 + D_PLACE, ENTRY_A + 3) } },
	{ "as many entries as the end record says",
	  "more bytes at byte 120",
	  { PUT16(END + D_COUNT, 1), PUT16(END + D_HERE, 1) } },
	{ "as many entries as the end record says", "something else", { PUT32(ENTRY_B, 0) } },
	{ "the size that the end record says",
	  "does not fit",
	  { PUT16(END + D_COUNT, 3), PUT16(END + D_HERE, 3) } },
	{ "the size that the end record says", "does not fit", { PUT32(END + D_SIZE, 0x00ffffff) } },
	{ "an archive in one part", "several", { PUT16(END + D_DISK, 1) } },
	{ "an archive in one part", "several", { PUT16(END + D_HERE, 1) } },
	{ "an archive in one part", "another disk", { PUT16(ENTRY_A + E_DISK, 1) } },
	{ "no ZIP64", "refers to ZIP64", { PUT16(END + D_COUNT, 0xffff) } },
	{ "no ZIP64", "refers to ZIP64", { PUT32(END + D_PLACE, 0xffffffff) } },
	{ "no ZIP64", "its locator at byte 167", { INSERT(END, "PK\6\7\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0") } },
	{ "no ZIP64",
	  "an extra field of ZIP64",
	  { INSERT(ENTRY_B, "\1\0\0\0"), PUT16(ENTRY_A + E_EXTRA, 4), PUT32(END + 4 + D_SIZE, 98) } },
	{ "one name",
	  "another name",
	  { INSERT(DATA_A, "\x75\x70\6\0\1\0\0\0\0z"), PUT16(L_EXTRA, 10),
	    PUT32(ENTRY_B + 10 + E_PLACE, LOCAL_B + 10), PUT32(END + 10 + D_PLACE, ENTRY_A + 10) } },
	{ "whole extra fields",
	  "cut short",
	  { INSERT(ENTRY_B, "\1\2\xff\0"), PUT16(ENTRY_A + E_EXTRA, 4), PUT32(END + 4 + D_SIZE, 98) } },
	{ "no comment",
	  "4",
	  { INSERT(ENTRY_B, "text"), PUT16(ENTRY_A + E_COMMENT, 4), PUT32(END + 4 + D_SIZE, 98) } },
	{ "entries within the directory", "leaves it", { PUT16(ENTRY_B + E_NAMES, 2) } },
	{ "without NUL", "1", { PUT8(ENTRY_A + E_NAME, 0) } },
	{ "the same name in the local header", "z", { PUT8(L_NAME, 'z') } },
	{ "flags 0 in the local header", "2048", { PUT16(L_FLAGS, 2048) } },
	{ "method 0 in the local header", "8", { PUT16(L_METHOD, 8) } },
	{ "time ", "0", { PUT32(L_TIME, 0) } },
	{ "checksum ", "7", { PUT32(L_CRC, 7) } },
	{ "packed size 5 in the local header", "4", { PUT32(L_PACKED, 4) } },
	{ "size 5 in the local header", "6", { PUT32(L_SIZE, 6) } },
	{ "one size of a stored member",
	  "two that differ",
	  { PUT32(ENTRY_A + E_SIZE, 6), PUT32(L_SIZE, 6) } },
	{ "method 0 (stored) or 8", "12", { PUT16(ENTRY_A + E_METHOD, 12), PUT16(L_METHOD, 12) } },
	{ "no encryption", "encrypted", { PUT16(ENTRY_A + E_FLAGS, 1), PUT16(L_FLAGS, 1) } },
	{ "sizes in the local header",
	  "data descriptor",
	  { PUT16(ENTRY_A + E_FLAGS, 8), PUT16(L_FLAGS, 8) } },
	{ "a local header", "something else at byte 1", { PUT32(ENTRY_A + E_PLACE, 1) } },
	{ "bytes of its own", "the member before it", { PUT32(ENTRY_B + E_PLACE, LOCAL_A) } },
	{ "its local header before the directory", "it is at byte 160", { PUT32(ENTRY_B + E_PLACE, 160) } },
	{ "its data before the directory",
	  "it starts at byte 67",
	  { PUT32(ENTRY_B + E_PACKED, 7), PUT32(LOCAL_B + L_PACKED, 7) } },
	{ "its data before the directory", "it starts", { PUT16(LOCAL_B + L_NAMES, 0xffff) } },
};

static void what_readers_could_differ_in_is_found(void)
{
	for (size_t i = 0; i < KC_ARRAY_LENGTH(hostile); i++) {
		KC_CLEANUP_BUFFER struct kc_buffer zip = KC_BUFFER_INIT(4096);
		KC_CLEANUP_FINDINGS struct kc_findings findings = { .check = "zip" };
		KC_CLEANUP_ZIP_DIRECTORY struct kc_zip_directory directory = { 0 };
		bool found = false;

		make_zip(&zip, hostile[i].edits, KC_ARRAY_LENGTH(hostile[i].edits));
		read_zip(&zip, &findings, &directory);
		for (size_t j = 0; j < findings.count; j++)
			found = found || (strstr(findings.items[j].expected, hostile[i].expected) &&
					  strstr(findings.items[j].found, hostile[i].found));
		KC_CHECK_MESSAGE(found,
				 "row %zu: no finding \"%s\", \"%s\" among %zu, the first \"%s\", \"%s\"", i,
				 hostile[i].expected, hostile[i].found, findings.count,
				 findings.count ? findings.items[0].expected : "",
				 findings.count ? findings.items[0].found : "");
	}
}

/* Data, modes and the writer's system are for other checks. */
static bool may_be_any(unsigned int at)
{
	static const struct {
		unsigned int start, end;
	} ranges[] = {
		{ DATA_A, LOCAL_B },
		{ DATA_B, ENTRY_A },
		{ ENTRY_A + E_MADE_BY, ENTRY_A + E_MADE_BY + 2 },
		{ ENTRY_B + E_MADE_BY, ENTRY_B + E_MADE_BY + 2 },
		{ ENTRY_A + E_ATTRIBUTES, ENTRY_A + E_PLACE },
		{ ENTRY_B + E_ATTRIBUTES, ENTRY_B + E_PLACE },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(ranges); i++)
		if (at >= ranges[i].start && at < ranges[i].end)
			return true;
	return false;
}

/* With an end record whose numbers are any, too: nothing is read that is not there. */
static void no_byte_can_be_another_in_silence(void)
{
	static const unsigned char values[] = { 0, 1, 0x7f, 0x80, 0xff };

	for (unsigned int at = 0; at < ALL; at++) {
		for (size_t i = 0; i < KC_ARRAY_LENGTH(values); i++) {
			const struct edit edit = PUT8(at, values[i]);
			KC_CLEANUP_BUFFER struct kc_buffer sound = KC_BUFFER_INIT(4096);
			KC_CLEANUP_BUFFER struct kc_buffer zip = KC_BUFFER_INIT(4096);
			KC_CLEANUP_FINDINGS struct kc_findings findings = { .check = "zip" };
			KC_CLEANUP_ZIP_DIRECTORY struct kc_zip_directory directory = { 0 };

			make_zip(&sound, NULL, 0);
			make_zip(&zip, &edit, 1);
			read_zip(&zip, &findings, &directory);
			if (memcmp(sound.data, zip.data, ALL) != 0 && !may_be_any(at))
				KC_CHECK_MESSAGE(!kc_findings_are_none(&findings),
						 "byte %u is %u: no finding", at, values[i]);
		}
	}
}

static void findings_have_a_limit_and_are_one_line(void)
{
	KC_CLEANUP_FINDINGS struct kc_findings findings = { .check = "x" };
	char longer[2000];

	memset(longer, 'y', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	kc_finding_add(&findings, "\x1b[2J\nm", longer, "");
	KC_CHECK_STRING(findings.items[0].member, " m");
	KC_CHECK_INT(strlen(findings.items[0].expected), 403);
	KC_CHECK_STRING(findings.items[0].found, "");
	for (size_t i = 0; i < KC_FINDINGS_MAX; i++)
		kc_finding_add_number(&findings, "", "", i);
	KC_CHECK_INT(findings.count, KC_FINDINGS_MAX);
	KC_CHECK_INT(findings.dropped, 1);
	KC_CHECK(!kc_findings_are_none(&findings));
}

static void what_is_no_file_is_an_error(void)
{
	KC_CLEANUP_FD int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	KC_CLEANUP_FINDINGS struct kc_findings findings = { .check = "zip" };
	struct kc_zip_directory directory;
	struct kc_error err = { 0 };

	KC_CHECK_INT(kc_zip_directory_read(fd, "null", &findings, &directory, &err), -EBADMSG);
	KC_CHECK_CONTAINS(err.text, "read wheel `null`: not a file");
}

KC_TEST_SUITE(zip_directory, KC_LABEL_FAST, KC_TEST(a_sound_zip_is_read_without_a_finding),
	      KC_TEST(what_readers_could_differ_in_is_found), KC_TEST(no_byte_can_be_another_in_silence),
	      KC_TEST(findings_have_a_limit_and_are_one_line), KC_TEST(what_is_no_file_is_an_error));
