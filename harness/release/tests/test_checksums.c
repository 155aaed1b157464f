/* SHA256SUMS: the lines, what is refused, and what sha256sum says of them. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixtures/temporary.h"
#include "release/checksums.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/process.h"
#include "tests/kc_test.h"

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static void writes_in_the_order_of_names(void)
{
	static const char *const names[] = { "b.whl", "a.tar.xz", "report-10.json", "report-1.json",
					     "B.whl" };
	KC_CLEANUP_CHECKSUMS struct kc_checksums sums = { 0 }, again = { 0 };
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(KC_CHECKSUMS_LIMIT);
	struct kc_error err = { 0 };

	KC_CHECK_INT(kc_checksums_write(&sums, &text, &err), -EINVAL);
	for (size_t i = 0; i < KC_ARRAY_LENGTH(names); i++)
		KC_REQUIRE_OK(kc_checksums_add(&sums, names[i], i % 2 ? A : B, &err), err);
	KC_REQUIRE_OK(kc_checksums_write(&sums, &text, &err), err);
	KC_CHECK_STRING(kc_buffer_string(&text), B "  B.whl\n" A "  a.tar.xz\n" B "  b.whl\n" A
						   "  report-1.json\n" B "  report-10.json\n");
	KC_REQUIRE_OK(kc_checksums_read(text.data, text.length, "S", &again, &err), err);
	KC_CHECK_INT(again.count, 5);
	KC_REQUIRE(kc_checksums_find(&again, "a.tar.xz"));
	KC_CHECK_STRING(kc_checksums_find(&again, "a.tar.xz")->sha256, A);
	KC_CHECK(!kc_checksums_find(&again, "a.tar"));
}

static void refuses_names(void)
{
	static const struct {
		const char *name, *sha256;
		int expected;
		const char *text;
	} rows[] = {
		{ "", A, -EINVAL, "it is empty" },
		{ "a/b", A, -EINVAL, "it is a path" },
		{ "..", A, -EINVAL, "begins with" },
		{ ".hidden", A, -EINVAL, "begins with" },
		{ "-c", A, -EINVAL, "begins with" },
		{ "a b", A, -EINVAL, "other characters" },
		{ "a\n", A, -EINVAL, "other characters" },
		{ "a\\b", A, -EINVAL, "other characters" },
		{ "caf\xc3\xa9", A, -EINVAL, "other characters" },
		{ "SHA256SUMS", A, -EINVAL, "does not list itself" },
		{ "b", "abc", -EINVAL, "is no SHA-256" },
		{ "b", A "a", -EINVAL, "is no SHA-256" },
		{ "a", B, -EEXIST, "a stands twice" },
		{ "b+1~2!3_4", A, 0, "" },
	};
	KC_CLEANUP_CHECKSUMS struct kc_checksums sums = { 0 };
	char longest[300] = "";
	struct kc_error err = { 0 };

	KC_REQUIRE_OK(kc_checksums_add(&sums, "a", A, &err), err);
	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CHECK_MESSAGE(kc_checksums_add(&sums, rows[i].name, rows[i].sha256, &err) ==
					 rows[i].expected,
				 "%s: %s", rows[i].name, err.text);
		KC_CHECK_CONTAINS(err.text, rows[i].text);
	}
	KC_CHECK_INT(sums.count, 2);
	memset(longest, 'x', 255);
	KC_CHECK_OK(kc_checksums_add(&sums, longest, A, &err), err);
	longest[255] = 'x';
	KC_CHECK_INT(kc_checksums_add(&sums, longest, A, &err), -EINVAL);
}

static void reads_strictly(void)
{
	static const struct {
		const char *text, *expected;
	} rows[] = {
		{ "", "0 bytes, expected 1" },
		{ "\n", "line 1: expected 64" },
		{ A "  a", "line 1: the line does not end" },
		{ A "  a\n" B "  b\nx", "line 3: the line does not end" },
		{ A "  a\n\n", "line 2: expected 64" },
		{ A "  a\n# comment\n", "line 2: expected 64" },
		{ A "  a\r\n", "line 1: SHA256SUMS: the name" },
		{ A " *a\n", "expected two spaces" },
		{ A "   a\n", "other characters" },
		{ A "\ta\n", "expected 64" },
		{ A "  \n", "expected 64" },
		{ A "  a/b\n", "it is a path" },
		{ A "  ../b\n", "begins with" },
		{ A "  /etc/passwd\n", "it is a path" },
		{ "\\" A "  a\n", "expected 64 lower-case" },
		{ "A" A "  a\n", "expected 64 lower-case" },
		{ A "a  a\n", "expected two spaces" },
		{ A "  a\n" B "  a\n", "line 2: SHA256SUMS: a stands twice" },
		{ A "  b\n" B "  a\n", "line 2: SHA256SUMS: a is out of order" },
		{ A "  SHA256SUMS\n", "does not list itself" },
		{ A "  a b\n", "other characters" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_CHECKSUMS struct kc_checksums sums = { 0 };
		struct kc_error err = { 0 };

		KC_CHECK_INT(kc_checksums_read(rows[i].text, strlen(rows[i].text), "d/S", &sums, &err),
			     -EBADMSG);
		KC_CHECK_INT(err.code, -EBADMSG);
		KC_CHECK_CONTAINS(err.text, "read `d/S`: ");
		KC_CHECK_CONTAINS(err.text, rows[i].expected);
	}
}

static void reads_no_nul_and_no_flood(void)
{
	static const char nul[] = A "  a\0b\n";
	KC_CLEANUP_CHECKSUMS struct kc_checksums sums = { 0 };
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(KC_CHECKSUMS_LIMIT);
	struct kc_error err = { 0 };

	KC_CHECK_INT(kc_checksums_read(nul, sizeof(nul) - 1, "S", &sums, &err), -EBADMSG);
	KC_CHECK_CONTAINS(err.text, "a NUL byte");
	for (int i = 0; i <= KC_CHECKSUMS_MAX; i++)
		KC_REQUIRE(kc_buffer_printf(&text, A "  f%05d\n", i) == 0);
	KC_CHECK_INT(kc_checksums_read(text.data, text.length, "S", &sums, &err), -EBADMSG);
	KC_CHECK_CONTAINS(err.text, "line 4097: ");
	KC_CHECK_INT(kc_checksums_read("", KC_CHECKSUMS_LIMIT + 1, "S", &sums, &err), -EBADMSG);
}

static void hashes_regular_files_only(void)
{
	KC_CLEANUP_TEMPORARY struct kc_temporary temporary = { 0 };
	struct kc_error err = { 0 };
	char sha256[KC_SHA256_HEX_SIZE];

	KC_REQUIRE_OK(kc_temporary_make(&temporary, &err), err);
	KC_CLEANUP_FD int directory = kc_dir_open(AT_FDCWD, temporary.path, &err);
	KC_REQUIRE_OK(directory, err);
	KC_REQUIRE_OK(kc_file_write_atomic(directory, "a", "abc", 3, 0644, &err), err);
	KC_REQUIRE_OK(kc_checksums_of_file(directory, "a", sha256, &err), err);
	KC_CHECK_STRING(sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	KC_REQUIRE(symlinkat("a", directory, "link") == 0 && mkfifoat(directory, "fifo", 0600) == 0 &&
		   mkdirat(directory, "directory", 0700) == 0);
	KC_CHECK_INT(kc_checksums_of_file(directory, "link", sha256, &err), -ELOOP);
	KC_CHECK_CONTAINS(err.text, "link: a symbolic link");
	KC_CHECK_INT(kc_checksums_of_file(directory, "fifo", sha256, &err), -EINVAL);
	KC_CHECK_INT(kc_checksums_of_file(directory, "directory", sha256, &err), -EINVAL);
	KC_CHECK_INT(kc_checksums_of_file(directory, "missing", sha256, &err), -ENOENT);
}

/* What `sha256sum --check --strict` ends with, in a directory. */
static int judge(const char *directory)
{
	static const char *const argv[] = { "sha256sum", "--check",	    "--strict",
					    "--status",	 KC_CHECKSUMS_NAME, NULL };
	const struct kc_process process = { .argv = argv, .directory = directory, .timeout_ms = 60000 };
	struct kc_error err = { 0 };
	int exit_status = -1;

	return kc_process_run(&process, &exit_status, &err) < 0 ? -1 : exit_status;
}

static void sha256sum_agrees(void)
{
	static const char *const names[] = { "b.whl", "a.tar.xz", "c+1~2!3_4" };
	KC_CLEANUP_TEMPORARY struct kc_temporary temporary = { 0 };
	KC_CLEANUP_CHECKSUMS struct kc_checksums sums = { 0 };
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(KC_CHECKSUMS_LIMIT);
	struct kc_error err = { 0 };
	char sha256[KC_SHA256_HEX_SIZE];

	KC_REQUIRE_OK(kc_temporary_make(&temporary, &err), err);
	KC_CLEANUP_FD int directory = kc_dir_open(AT_FDCWD, temporary.path, &err);
	KC_REQUIRE_OK(directory, err);
	for (size_t i = 0; i < KC_ARRAY_LENGTH(names); i++) {
		KC_REQUIRE_OK(kc_file_write_atomic(directory, names[i], names[i], i, 0644, &err), err);
		KC_REQUIRE_OK(kc_checksums_of_file(directory, names[i], sha256, &err), err);
		KC_REQUIRE_OK(kc_checksums_add(&sums, names[i], sha256, &err), err);
	}
	KC_REQUIRE_OK(kc_checksums_write(&sums, &text, &err), err);
	KC_REQUIRE_OK(kc_file_write_atomic(directory, KC_CHECKSUMS_NAME, text.data, text.length, 0644, &err),
		      err);
	KC_CHECK_INT(judge(temporary.path), 0);
	KC_REQUIRE_OK(kc_file_write_atomic(directory, "b.whl", "x", 1, 0644, &err), err);
	KC_CHECK_INT(judge(temporary.path), 1);
}

KC_TEST_SUITE(checksums, KC_LABEL_FAST, KC_TEST(writes_in_the_order_of_names), KC_TEST(refuses_names),
	      KC_TEST(reads_strictly), KC_TEST(reads_no_nul_and_no_flood), KC_TEST(hashes_regular_files_only),
	      KC_TEST(sha256sum_agrees));
