/* Fetching packages, with an apt-get of our own in PATH: no network, and no word about the host's. */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "image/deb.h"
#include "image/debian.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "tests/kc_test.h"

#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" /* of "abc" */

static char scratch[PATH_MAX - 64];
static char *kept_path;

static int setup(void)
{
	const char *directory = getenv("TMPDIR"), *path = getenv("PATH");

	kept_path = strdup(path ? path : "/usr/bin:/bin");
	(void)snprintf(scratch, sizeof(scratch), "%.4000s/kc-debian-XXXXXX", directory ? directory : "/tmp");
	return kept_path && mkdtemp(scratch) ? 0 : -1;
}

static int teardown(void)
{
	(void)setenv("PATH", kept_path, 1);
	free(kept_path);
	return kc_tree_remove(AT_FDCWD, scratch, NULL);
}

/* Puts a script in front of the host's programs; each test has a directory of its own. */
static void use_apt_get(const char *script, char ret_directory[PATH_MAX])
{
	static unsigned int serial;
	char path[2 * PATH_MAX];

	(void)snprintf(ret_directory, PATH_MAX, "%s/%u", scratch, serial++);
	KC_CHECK_INT(mkdir(ret_directory, 0700), 0);
	(void)snprintf(path, sizeof(path), "%s/apt-get", ret_directory);
	KC_CHECK_INT(kc_file_write_atomic(AT_FDCWD, path, script, strlen(script), 0700, NULL), 0);
	(void)snprintf(path, sizeof(path), "%s:%s", ret_directory, kept_path);
	KC_CHECK_INT(setenv("PATH", path, 1), 0);
}

static void reads_what_apt_get_prints(void)
{
	static const struct {
		const char *name, *text;
		int expected;
		const char *message;
	} rows[] = {
		{ "one", "'http://x/a_1_amd64.deb' a_1_amd64.deb 10 SHA256:" ABC "\n", 0, NULL },
		{ "none", "", 0, NULL },
		{ "blank lines", "\n\n", 0, NULL },
		{ "no digest", "'http://x/a_1_amd64.deb' a_1_amd64.deb 10 \n", -EBADMSG, "SHA256" },
		{ "another digest", "'http://x/a' a_1_amd64.deb 10 MD5Sum:" ABC "\n", -EBADMSG, "SHA256" },
		{ "digest cut", "'http://x/a' a_1_amd64.deb 10 SHA256:ba78\n", -EBADMSG, "digest" },
		{ "digest in capitals", "'http://x/a' a_1_amd64.deb 10 SHA256:BA7816bf\n", -EBADMSG,
		  "digest" },
		{ "path", "'http://x/a' ../a_1_amd64.deb 10 SHA256:" ABC "\n", -EBADMSG, "unexpected name" },
		{ "hidden", "'http://x/a' ._1_amd64.deb 10 SHA256:" ABC "\n", -EBADMSG, "unexpected name" },
		{ "not .deb", "'http://x/a' a_1_amd64.exe 10 SHA256:" ABC "\n", -EBADMSG, "unexpected name" },
		{ "no version", "'http://x/a' a.deb 10 SHA256:" ABC "\n", -EBADMSG, "unexpected name" },
		{ "twice", "'u' a_1_amd64.deb 1 SHA256:" ABC "\n'u' a_2_amd64.deb 1 SHA256:" ABC "\n",
		  -EBADMSG, "stands twice" },
		{ "chatter", "Reading package lists...\n", -EBADMSG, "instead of a package" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_DEBIAN struct kc_debian_packages packages = { 0 };
		struct kc_error err = { 0 };
		int status = kc_debian_parse_uris(rows[i].text, &packages, &err);

		KC_CHECK_MESSAGE(status == rows[i].expected, "%s: got %d (%s)", rows[i].name, status,
				 err.text);
		if (rows[i].message)
			KC_CHECK_CONTAINS(err.text, rows[i].message);
	}
}

static void sorts_decodes_and_keeps(void)
{
	KC_CLEANUP_DEBIAN struct kc_debian_packages packages = { 0 }, again = { 0 };
	struct kc_error err = { 0 };
	cJSON *array;

	KC_REQUIRE_OK(kc_debian_parse_uris("'u' b_1%3a2.5-4_amd64.deb 1 SHA256:" ABC "\n"
					   "'u' a_1.0~x+y_all.deb 1 SHA256:" ABC "\n",
					   &packages, &err),
		      err);
	KC_REQUIRE(packages.count == 2);
	KC_CHECK_STRING(packages.rows[0].name, "a");
	KC_CHECK_STRING(packages.rows[0].version, "1.0~x+y");
	KC_CHECK_STRING(packages.rows[1].version, "1:2.5-4");
	KC_CHECK_STRING(packages.rows[1].file, "b_1%3a2.5-4_amd64.deb");
	array = kc_debian_write_json(&packages);
	KC_CHECK_OK(kc_debian_read_json(array, &again, &err), err);
	cJSON_Delete(array);
	KC_REQUIRE(again.count == 2);
	KC_CHECK_STRING(again.rows[1].file, packages.rows[1].file);
	KC_CHECK_STRING(again.rows[1].sha256, ABC);
}

static const char *const wanted[] = { "a" };

static void a_host_without_apt_gets_a_hint(void)
{
	KC_CLEANUP_DEBIAN struct kc_debian_packages packages = { 0 };
	struct kc_error err = { 0 };
	char directory[PATH_MAX];

	use_apt_get("", directory);
	KC_CHECK_INT(setenv("PATH", "/nonexistent", 1), 0);
	KC_CHECK_INT(kc_debian_resolve(directory, "amd64", wanted, 1, &packages, &err), -ENOENT);
	KC_CHECK_CONTAINS(err.hint, "Debian or Ubuntu");
	(void)setenv("PATH", kept_path, 1);
}

static void a_failing_apt_is_quoted(void)
{
	KC_CLEANUP_DEBIAN struct kc_debian_packages packages = { 0 };
	struct kc_error err = { 0 };
	char directory[PATH_MAX];

	use_apt_get(
		"#!/bin/sh\necho 'W: warned' >&2\necho 'E: Temporary failure resolving x' >&2\nexit 100\n",
		directory);
	KC_CHECK_INT(kc_debian_resolve(directory, "amd64", wanted, 1, &packages, &err), -EIO);
	KC_CHECK_CONTAINS(err.text, "apt-get download: Temporary failure resolving x");
	KC_CHECK_CONTAINS(err.hint, "network");
}

/* $3 is the configuration: "own" has lists of our own, which know the package only after an update. */
static const char stale[] = "#!/bin/sh\n"
			    "case $3:$4:$5 in\n"
			    "*/own.conf:update:) : >\"${3%/*}/updated\" ;;\n"
			    "*/own.conf:download:--print-uris) [ -e \"${3%/*}/updated\" ] || exit 100\n"
			    "	echo \"'u' a_1_amd64.deb 3 SHA256:" ABC "\" ;;\n"
			    "*/own.conf:download:a=1) printf abc >a_1_amd64.deb ;;\n"
			    "*) echo 'E: Unable to locate package a' >&2; exit 100 ;;\n"
			    "esac\n";

static void stale_lists_of_the_host_are_replaced_by_our_own(void)
{
	KC_CLEANUP_DEBIAN struct kc_debian_packages packages = { 0 };
	KC_CLEANUP_BUFFER struct kc_buffer content = KC_BUFFER_INIT(64);
	struct kc_error err = { 0 };
	char directory[PATH_MAX], path[2 * PATH_MAX];

	use_apt_get(stale, directory);
	KC_REQUIRE_OK(kc_debian_resolve(directory, "amd64", wanted, 1, &packages, &err), err);
	KC_CHECK_INT(packages.count, 1);
	KC_CHECK_OK(kc_debian_fetch(directory, "amd64", &packages, false, &err), err);
	(void)snprintf(path, sizeof(path), "%s/a_1_amd64.deb", directory);
	KC_CHECK_INT(kc_file_read(AT_FDCWD, path, &content, NULL), 0);
	KC_CHECK_STRING(kc_buffer_string(&content), "abc");
	(void)snprintf(path, sizeof(path), "%s/partial", directory);
	KC_CHECK_INT(access(path, F_OK), -1);
}

static void a_kept_package_is_not_fetched_and_a_damaged_one_is(void)
{
	KC_CLEANUP_DEBIAN struct kc_debian_packages packages = { 0 };
	struct kc_error err = { 0 };
	char directory[PATH_MAX], path[2 * PATH_MAX];

	use_apt_get("#!/bin/sh\necho 'E: not to be asked' >&2\nexit 100\n", directory);
	(void)snprintf(path, sizeof(path), "%s/a_1_amd64.deb", directory);
	KC_REQUIRE_OK(kc_debian_parse_uris("'u' a_1_amd64.deb 3 SHA256:" ABC "\n", &packages, &err), err);
	KC_CHECK_INT(kc_file_write_atomic(AT_FDCWD, path, "abc", 3, 0600, NULL), 0);
	KC_CHECK_OK(kc_debian_fetch(directory, "amd64", &packages, false, &err), err);
	KC_CHECK_INT(kc_file_write_atomic(AT_FDCWD, path, "abd", 3, 0600, NULL), 0);
	KC_CHECK_INT(kc_debian_fetch(directory, "amd64", &packages, false, &err), -EIO);
	KC_CHECK_CONTAINS(err.text, "not to be asked");
}

static void a_wrong_digest_is_refused(void)
{
	KC_CLEANUP_DEBIAN struct kc_debian_packages packages = { 0 };
	struct kc_error err = { 0 };
	char directory[PATH_MAX], path[2 * PATH_MAX];

	use_apt_get("#!/bin/sh\nprintf abd >a_1_amd64.deb\n", directory);
	KC_REQUIRE_OK(kc_debian_parse_uris("'u' a_1_amd64.deb 3 SHA256:" ABC "\n", &packages, &err), err);
	KC_CHECK_INT(kc_debian_fetch(directory, "amd64", &packages, false, &err), -EBADMSG);
	KC_CHECK_CONTAINS(err.text, "SHA-256");
	(void)snprintf(path, sizeof(path), "%s/a_1_amd64.deb", directory);
	KC_CHECK_INT(access(path, F_OK), -1);
}

/* An ar archive with one member, as a file without a name. */
static int make_deb(const char *member)
{
	int fd = open(scratch, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	struct archive *writer = archive_write_new();
	struct archive_entry *entry = archive_entry_new();

	KC_CHECK(fd >= 0 && writer && entry);
	archive_entry_set_pathname(entry, member);
	archive_entry_set_size(entry, 3);
	archive_entry_set_filetype(entry, AE_IFREG);
	KC_CHECK_INT(archive_write_set_format_ar_svr4(writer), ARCHIVE_OK);
	KC_CHECK_INT(archive_write_open_fd(writer, fd), ARCHIVE_OK);
	KC_CHECK_INT(archive_write_header(writer, entry), ARCHIVE_OK);
	KC_CHECK_INT(archive_write_data(writer, "abc", 3), 3);
	KC_CHECK_INT(archive_write_free(writer), ARCHIVE_OK);
	archive_entry_free(entry);
	KC_CHECK_INT(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static void opens_the_data_of_a_package_only(void)
{
	static const struct {
		const char *member;
		int expected;
		const char *message;
	} rows[] = {
		{ "data.tar.xz", 0, NULL },
		{ "data.tar.zst", -ENOTSUP, "data.tar.zst" },
		{ "control.tar.xz", -EBADMSG, "not a Debian package" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_FD int fd = make_deb(rows[i].member);
		struct kc_source source = { 0 };
		struct kc_error err = { 0 };
		char bytes[8];
		int status = kc_deb_open_data(&source, fd, "x.deb", &err);

		KC_CHECK_MESSAGE(status == rows[i].expected, "%s: got %d (%s)", rows[i].member, status,
				 err.text);
		if (rows[i].message)
			KC_CHECK_CONTAINS(err.text, rows[i].message);
		else
			KC_CHECK_INT(kc_source_read(&source, bytes, sizeof(bytes), &err), 3);
		kc_source_close(&source);
	}
}

static void refuses_what_is_no_package(void)
{
	static const char *const files[] = { "", "!<arch>\n", "!<arch>\ndata.tar.xz", "PK\3\4" };

	for (size_t i = 0; i < KC_ARRAY_LENGTH(files); i++) {
		KC_CLEANUP_FD int fd = open(scratch, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
		struct kc_source source = { 0 };
		struct kc_error err = { 0 };

		KC_CHECK_INT(kc_fd_write_all(fd, files[i], strlen(files[i])), 0);
		KC_CHECK_INT(lseek(fd, 0, SEEK_SET), 0);
		KC_CHECK_MESSAGE(kc_deb_open_data(&source, fd, "x.deb", &err) == -EBADMSG, "%zu: %s", i,
				 err.text);
		kc_source_close(&source);
	}
}

KC_TEST_SUITE_WITH(image_debian, KC_LABEL_FAST, setup, teardown, KC_TEST(reads_what_apt_get_prints),
		   KC_TEST(sorts_decodes_and_keeps), KC_TEST(a_host_without_apt_gets_a_hint),
		   KC_TEST(a_failing_apt_is_quoted), KC_TEST(stale_lists_of_the_host_are_replaced_by_our_own),
		   KC_TEST(a_kept_package_is_not_fetched_and_a_damaged_one_is),
		   KC_TEST(a_wrong_digest_is_refused), KC_TEST(opens_the_data_of_a_package_only),
		   KC_TEST(refuses_what_is_no_package));
