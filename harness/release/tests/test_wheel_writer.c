/* Wheels that are written: what is in them, the same bytes each time, and what no wheel is made of. */
#include "release/wheel_writer.h"

#include <archive.h>
#include <archive_entry.h>
#include <elf.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "release/record.h"
#include "release/tests/release_test.h"
#include "release/zip_directory.h"
#include "sys/fd.h"
#include "tests/kc_test.h"

#define ARCHIVE KC_TEST_DIRECTORY "krunner-env.static-gnu.x86_64.tar.xz"
#define TTYD KC_TEST_DIRECTORY "ttyd_linux.x86_64.bin"
#define RECORD KC_TEST_DIST_INFO "RECORD"
#define METADATA                                                                                             \
	"Metadata-Version: 2.4\nName: backend.ai-krunner-static-gnu\nVersion: 9.8.7\n"                       \
	"Summary: Backend.AI Kernel Runner based on GNU libc\n"                                              \
	"Author-email: Lablup <devops@lablup.com>\n"                                                         \
	"Project-URL: Homepage, https://github.com/lablup/backend.ai-krunner-static-gnu\n"                   \
	"Project-URL: Issues, https://github.com/lablup/backend.ai/issues\n"                                 \
	"Classifier: Programming Language :: Python :: 3\n"                                                  \
	"Classifier: Operating System :: OS Independent\nRequires-Python: >=3.9\n"                           \
	"Description-Content-Type: text/markdown\n"                                                          \
	"License-Expression: MIT\nLicense-File: LICENSE\n\n"                                                 \
	"Backend.AI Kernel Runner based on GNU libc\n"

/* In order; NULL: not compared here. */
static const struct {
	const char *name, *content;
	unsigned int mode;
} members[] = {
	{ KC_TEST_DIRECTORY "__init__.py", "__version__ = \"9.8.7\"\n", 0644 },
	{ ARCHIVE, NULL, 0644 },
	{ KC_TEST_DIRECTORY "krunner-python.static-gnu.txt", "3.13\n", 0644 },
	{ KC_TEST_DIRECTORY "krunner-version.static-gnu.txt", "14", 0644 },
	{ KC_TEST_DIRECTORY "licenses/LICENSE.attrs.txt", "The MIT License (MIT)\n", 0644 },
	{ KC_TEST_DIRECTORY "licenses/LICENSE.zmq.txt", "Mozilla Public License\n", 0644 },
	{ KC_TEST_DIRECTORY "plugin.py",
	  "from typing import Any, Mapping\n\n\nasync def init(config: Mapping[str, Any]) -> None:\n    "
	  "pass\n",
	  0644 },
	{ TTYD, NULL, 0755 },
	{ KC_TEST_DIRECTORY "versions.txt", "static-gnu\n", 0644 },
	{ KC_TEST_DIST_INFO "METADATA", METADATA, 0644 },
	{ KC_TEST_DIST_INFO "WHEEL",
	  "Wheel-Version: 1.0\nGenerator: krunner-compat " KC_VERSION "\nRoot-Is-Purelib: false\n"
	  "Tag: py3-none-macosx_11_0_x86_64\nTag: py3-none-manylinux2014_x86_64\n"
	  "Tag: py3-none-musllinux_1_1_x86_64\n",
	  0644 },
	{ KC_TEST_DIST_INFO "entry_points.txt",
	  "[backendai_krunner_v10]\nstatic_gnu = ai.backend.krunner.static_gnu.plugin\n", 0644 },
	{ KC_TEST_DIST_INFO "licenses/LICENSE", "MIT License\n", 0644 },
	{ KC_TEST_DIST_INFO "top_level.txt", "ai\n", 0644 },
	{ RECORD, NULL, 0644 },
};

static void read_member(struct archive *reader, struct kc_buffer *content)
{
	char chunk[4096];
	la_ssize_t got;

	while ((got = archive_read_data(reader, chunk, sizeof(chunk))) > 0)
		KC_CHECK_INT(kc_buffer_append(content, chunk, (size_t)got), 0);
	KC_CHECK_INT(got, 0);
}

/* Members as libarchive sees them; the contents of all, with their names, go to `record` as RECORD should have them. */
static void check_members(const struct kc_test_order *test, struct archive *reader, struct kc_buffer *record)
{
	for (size_t i = 0; i < KC_ARRAY_LENGTH(members); i++) {
		KC_CLEANUP_BUFFER struct kc_buffer content = KC_BUFFER_INIT(1u << 20);
		struct archive_entry *entry;
		char hex[KC_SHA256_HEX_SIZE], digest[KC_RECORD_DIGEST_SIZE];

		KC_REQUIRE(archive_read_next_header(reader, &entry) == ARCHIVE_OK);
		KC_CHECK_STRING(archive_entry_pathname(entry), members[i].name);
		read_member(reader, &content);
		if (members[i].content)
			KC_CHECK_STRING(kc_buffer_string(&content), members[i].content);
		if (strcmp(members[i].name, ARCHIVE) == 0)
			KC_CHECK(content.length == test->volume.length &&
				 memcmp(content.data, test->volume.data, content.length) == 0);
		if (strcmp(members[i].name, RECORD) == 0) {
			KC_CHECK_INT(kc_buffer_append_string(record, RECORD ",,\n"), 0);
			KC_CHECK_STRING(kc_buffer_string(&content), kc_buffer_string(record));
			return;
		}
		KC_CHECK_INT(kc_sha256_of(kc_buffer_string(&content), content.length, hex, NULL), 0);
		kc_record_digest(hex, digest);
		KC_CHECK_INT(kc_buffer_printf(record, "%s,sha256=%s,%zu\n", members[i].name, digest,
					      content.length),
			     0);
	}
}

static void a_wheel_has_the_members_of_upstream(void)
{
	KC_CLEANUP(kc_test_order_release) struct kc_test_order test;
	KC_CLEANUP_BUFFER struct kc_buffer wheel = KC_BUFFER_INIT(KC_TEST_WHEEL_BYTES);
	KC_CLEANUP_BUFFER struct kc_buffer record = KC_BUFFER_INIT(1u << 20);
	struct archive *reader = archive_read_new();
	struct archive_entry *entry;
	struct kc_error err = { 0 };

	KC_CHECK_INT(kc_test_order_make(&test), 0);
	KC_CHECK_OK(kc_test_wheel(&test, &wheel, &err), err);
	KC_CHECK_INT(archive_read_support_format_zip_streamable(reader), ARCHIVE_OK);
	KC_CHECK_INT(archive_read_open_memory(reader, wheel.data, wheel.length), ARCHIVE_OK);
	check_members(&test, reader, &record);
	KC_CHECK_INT(archive_read_next_header(reader, &entry), ARCHIVE_EOF);
	archive_read_free(reader);
}

static void a_digest_of_record_is_base64_of_the_digest(void)
{
	char digest[KC_RECORD_DIGEST_SIZE];

	/* Of nothing, and of "hello": printf hello | openssl dgst -sha256 -binary | basenc --base64url */
	kc_record_digest("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", digest);
	KC_CHECK_STRING(digest, "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU");
	kc_record_digest("2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824", digest);
	KC_CHECK_STRING(digest, "LPJNul-wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ");
}

/* The directory that a reader goes by, without a finding, and its one time. */
static void check_zip(const struct kc_buffer *wheel, uint32_t time)
{
	KC_CLEANUP_FD int fd = kc_test_file(wheel->data, wheel->length);
	KC_CLEANUP_FINDINGS struct kc_findings findings = { .check = "zip" };
	KC_CLEANUP_ZIP_DIRECTORY struct kc_zip_directory zip = { 0 };
	struct kc_error err = { 0 };

	KC_CHECK_OK(kc_zip_directory_read(fd, "w", &findings, &zip, &err), err);
	KC_CHECK(kc_findings_are_none(&findings));
	KC_CHECK_INT(zip.count, KC_ARRAY_LENGTH(members));
	for (size_t i = 0; i < zip.count && i < KC_ARRAY_LENGTH(members); i++) {
		KC_CHECK_INT(zip.entries[i].dos_time, time);
		KC_CHECK_INT(zip.entries[i].flags, 0);
		KC_CHECK_INT(zip.entries[i].attributes >> 16, 0100000 | members[i].mode);
	}
}

static void the_same_order_gives_the_same_bytes(void)
{
	static const struct {
		int64_t time_s;
		uint32_t
			dos_time; /* 2023-11-14 22:13:20 is 43 << 25 | 11 << 21 | 14 << 16 | 22 << 11 | 13 << 5 | 10 */
	} rows[] = {
		{ 1700000000, 43u << 25 | 11 << 21 | 14 << 16 | 22 << 11 | 13 << 5 | 10 },
		{ 0, 1 << 21 | 1 << 16 },
		{ -1, 1 << 21 | 1 << 16 },
		{ INT64_MAX, 127u << 25 | 12 << 21 | 31 << 16 | 23 << 11 | 59 << 5 | 29 },
	};
	KC_CLEANUP(kc_test_order_release) struct kc_test_order test;
	KC_CLEANUP_FREE char *zone = getenv("TZ") ? strdup(getenv("TZ")) : NULL;
	struct kc_error err = { 0 };

	KC_CHECK_INT(kc_test_order_make(&test), 0);
	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_BUFFER struct kc_buffer here = KC_BUFFER_INIT(KC_TEST_WHEEL_BYTES);
		KC_CLEANUP_BUFFER struct kc_buffer there = KC_BUFFER_INIT(KC_TEST_WHEEL_BYTES);

		test.order.time_s = rows[i].time_s;
		KC_CHECK_OK(kc_test_wheel(&test, &here, &err), err);
		KC_CHECK(setenv("TZ", "Asia/Seoul", 1) == 0);
		tzset();
		KC_CHECK_OK(kc_test_wheel(&test, &there, &err), err);
		KC_CHECK((zone ? setenv("TZ", zone, 1) : unsetenv("TZ")) == 0);
		tzset();
		KC_CHECK(here.length == there.length && memcmp(here.data, there.data, here.length) == 0);
		check_zip(&here, rows[i].dos_time);
	}
}

static void a_volume_that_is_not_what_it_should_be_makes_no_wheel(void)
{
	static const struct {
		struct kc_test_volume_parts parts;
		const char *text;
	} rows[] = {
		{ { .machine = EM_X86_64, .ttyd_machine = EM_X86_64, .without_ttyd = true }, "no bin/ttyd" },
		{ { .machine = EM_X86_64, .ttyd_machine = EM_X86_64, .two_ttyds = true }, "two of its name" },
		{ { .machine = EM_AARCH64, .ttyd_machine = EM_AARCH64 }, "its python is for aarch64" },
		{ { .machine = EM_X86_64, .ttyd_machine = EM_AARCH64 }, "its ttyd for aarch64" },
		{ { .machine = EM_386, .ttyd_machine = EM_X86_64 }, "its python is for something else" },
		{ { "python3.99", EM_X86_64, EM_X86_64, false, false }, "which Python" },
		{ { "python3", EM_X86_64, EM_X86_64, false, false }, "which Python" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP(kc_test_order_release) struct kc_test_order test;
		KC_CLEANUP_BUFFER struct kc_buffer wheel = KC_BUFFER_INIT(KC_TEST_WHEEL_BYTES);
		KC_CLEANUP_BUFFER struct kc_buffer xz = KC_BUFFER_INIT(1u << 20);
		struct kc_error err = { 0 };

		KC_CHECK_INT(kc_test_order_make(&test), 0);
		kc_test_volume(&xz, &rows[i].parts);
		KC_CHECK_INT(kc_test_order_volume(&test, &xz), 0);
		KC_CHECK_INT(kc_test_wheel(&test, &wheel, &err), -EBADMSG);
		KC_CHECK_CONTAINS(err.text, rows[i].text);
		KC_CHECK_INT(wheel.length, 0);
	}
}

static void an_archive_that_was_not_tested_makes_no_wheel(void)
{
	KC_CLEANUP(kc_test_order_release) struct kc_test_order test;
	KC_CLEANUP_BUFFER struct kc_buffer wheel = KC_BUFFER_INIT(KC_TEST_WHEEL_BYTES);
	struct kc_error err = { 0 };

	KC_CHECK_INT(kc_test_order_make(&test), 0);
	test.sha256[0] = test.sha256[0] == '0' ? '1' : '0';
	KC_CHECK_INT(kc_test_wheel(&test, &wheel, &err), -EBADMSG);
	KC_CHECK_CONTAINS(err.text, "not what was tested: expected sha256");
	/* One byte more, behind the stream. */
	KC_CHECK_INT(kc_buffer_append(&test.volume, "", 1), 0);
	KC_CHECK_INT(kc_test_order_volume(&test, &test.volume), 0);
	KC_CHECK_INT(kc_test_wheel(&test, &wheel, &err), -EBADMSG);
}

/* Somebody who changes the archive all the time, back and forth. */
struct changer {
	int fd;
	off_t at;
	char byte;
	atomic_bool is_done;
};

static void *change(void *context)
{
	struct changer *changer = context;
	char other = (char)(changer->byte ^ 1);

	while (!atomic_load(&changer->is_done)) {
		if (pwrite(changer->fd, &other, 1, changer->at) != 1 ||
		    pwrite(changer->fd, &changer->byte, 1, changer->at) != 1)
			break;
	}
	return NULL;
}

/* Whenever the change comes, what is packed is what was asked for, or nothing is. */
static void a_volume_that_changes_meanwhile_is_never_packed(void)
{
	KC_CLEANUP(kc_test_order_release) struct kc_test_order test;
	pthread_t thread;
	struct changer changer;

	KC_CHECK_INT(kc_test_order_make(&test), 0);
	changer = (struct changer){ .fd = test.order.volume_fd,
				    .at = (off_t)test.volume.length / 2,
				    .byte = test.volume.data[test.volume.length / 2] };
	KC_REQUIRE(pthread_create(&thread, NULL, change, &changer) == 0);
	for (size_t i = 0; i < 200; i++) {
		KC_CLEANUP_BUFFER struct kc_buffer wheel = KC_BUFFER_INIT(KC_TEST_WHEEL_BYTES);
		struct kc_error err = { 0 };
		int status = kc_test_wheel(&test, &wheel, &err);

		KC_CHECK(status == 0 ? memmem(wheel.data, wheel.length, test.volume.data,
					      test.volume.length) != NULL
				     : status == -EBADMSG);
	}
	atomic_store(&changer.is_done, true);
	KC_CHECK_INT(pthread_join(thread, NULL), 0);
}

static void an_order_that_makes_no_wheel_is_refused(void)
{
	static const struct kc_release_file odd[] = { { "../LICENSE", "x", 1 } },
					    twice[] = { { "LICENSE.a", "x", 1 }, { "LICENSE.a", "y", 1 } };
	static const struct {
		struct kc_wheel_order order; /* what is not NULL or 0 replaces that of a sound one */
		const char *text;
	} rows[] = {
		{ { .version = "x" }, "`x` is not a normalised version" },
		{ { .version = "v1.0" }, "normalised" },
		{ { .version = "1.0-1" }, "normalised" },
		{ { .version = "1.0\nName: y" }, "normalised" },
		{ { .volume_version = "" }, "not a whole number" },
		{ { .volume_version = "14\n" }, "not a whole number" },
		{ { .licence_expression = "MIT\nName: y" }, "one line" },
		{ { .licence_expression = "" }, "one line" },
		{ { .licence = { "../x", "x", 1 } }, "licence is missing" },
		{ { .licences = odd, .licence_count = 1 }, "`../LICENSE` is not the name" },
		{ { .licences = twice, .licence_count = 2 }, "is there twice" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP(kc_test_order_release) struct kc_test_order test;
		KC_CLEANUP_BUFFER struct kc_buffer wheel = KC_BUFFER_INIT(KC_TEST_WHEEL_BYTES);
		const struct kc_wheel_order *row = &rows[i].order;
		struct kc_error err = { 0 };

		KC_CHECK_INT(kc_test_order_make(&test), 0);
		test.order.version = row->version ? row->version : test.order.version;
		if (row->volume_version)
			test.order.volume_version = row->volume_version;
		if (row->licence_expression)
			test.order.licence_expression = row->licence_expression;
		if (row->licence.name)
			test.order.licence = row->licence;
		if (row->licence_count) {
			test.order.licences = row->licences;
			test.order.licence_count = row->licence_count;
		}
		KC_CHECK_INT(kc_test_wheel(&test, &wheel, &err), -EINVAL);
		KC_CHECK_CONTAINS(err.text, rows[i].text);
	}
}

/* /dev/full takes nothing: what cannot be written is an error, whatever libarchive thought. */
static void a_full_disk_is_an_error(void)
{
	KC_CLEANUP(kc_test_order_release) struct kc_test_order test;
	KC_CLEANUP_FILE FILE *full = fopen("/dev/full", "we");
	struct kc_error err = { 0 };

	KC_CHECK_INT(kc_test_order_make(&test), 0);
	KC_REQUIRE(full != NULL);
	KC_CHECK_INT(kc_wheel_write(test.wheels, &test.order, fileno(full), &err), -ENOSPC);
}

KC_TEST_SUITE(wheel_writer, KC_LABEL_FAST, KC_TEST(a_wheel_has_the_members_of_upstream),
	      KC_TEST(a_digest_of_record_is_base64_of_the_digest),
	      KC_TEST(the_same_order_gives_the_same_bytes),
	      KC_TEST(a_volume_that_is_not_what_it_should_be_makes_no_wheel),
	      KC_TEST(an_archive_that_was_not_tested_makes_no_wheel),
	      KC_TEST(a_volume_that_changes_meanwhile_is_never_packed),
	      KC_TEST(an_order_that_makes_no_wheel_is_refused), KC_TEST(a_full_disk_is_an_error));
