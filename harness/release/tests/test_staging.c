/* A release directory is whole or not there. */
#include "release/staging.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixtures/temporary.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "tests/kc_test.h"

static struct kc_temporary directory;
static char out[PATH_MAX + 8];

static int set_up(void)
{
	struct kc_error err = { 0 };
	int status = kc_temporary_make(&directory, &err);

	(void)snprintf(out, sizeof(out), "%s/dist", directory.path);
	return status;
}

static int tear_down(void)
{
	kc_temporary_remove(&directory);
	return 0;
}

static size_t count_entries(const char *path)
{
	KC_CLEANUP_DIR DIR *opened = opendir(path);
	const struct dirent *entry;
	size_t count = 0;

	while (opened && (entry = readdir(opened)))
		count += entry->d_name[0] != '.';
	return count;
}

static void is_in_its_place_when_it_is_whole(void)
{
	KC_CLEANUP_STAGING struct kc_staging staging = KC_STAGING_INIT;
	KC_CLEANUP_BUFFER struct kc_buffer sums = KC_BUFFER_INIT(4096);
	KC_CLEANUP_FD int fd = -1;
	char path[PATH_MAX + 32];
	struct kc_error err = { 0 };
	struct stat found;
	mode_t mask = umask(077);

	KC_REQUIRE_OK(kc_staging_open(out, &staging, &err), err);
	KC_CHECK_OK(kc_staging_write(&staging, "b.txt", "b\n", 2, &err), err);
	fd = kc_staging_create(&staging, "a.txt", &err);
	KC_CHECK_OK(fd, err);
	KC_CHECK_INT(kc_fd_write_all(fd, "a\n", 2), 0);
	KC_CHECK_OK(kc_staging_add(&staging, "a.txt", fd, &err), err);
	KC_CHECK_INT(access(out, F_OK), -1);
	KC_CHECK_OK(kc_staging_commit(&staging, &err), err);
	KC_CHECK_OK(kc_staging_flush(&staging, &err), err);
	(void)umask(mask);
	KC_CHECK_INT(count_entries(directory.path), 1);
	KC_CHECK_INT(count_entries(out), 3);
	(void)snprintf(path, sizeof(path), "%s/SHA256SUMS", out);
	KC_CHECK_OK(kc_file_read(AT_FDCWD, path, &sums, &err), err);
	KC_CHECK_STRING(kc_buffer_string(&sums),
			"87428fc522803d31065e7bce3cf03fe475096631e5e07bbd7a0fde60c4cf25c7  a.txt\n"
			"0263829989b6fd954f72baaf2fc64bc2e2f01d692d4de72986ea808f6e99813f  b.txt\n");
	/* Whoever reads releases is somebody else. */
	KC_CHECK(stat(out, &found) == 0 && (found.st_mode & 0777) == 0755);
	KC_CHECK(stat(path, &found) == 0 && (found.st_mode & 0777) == 0644);
}

static void nothing_is_left_of_one_that_is_given_up(void)
{
	char other[PATH_MAX + 16];
	struct kc_staging staging = KC_STAGING_INIT;
	struct kc_error err = { 0 };

	(void)snprintf(other, sizeof(other), "%s/other", directory.path);
	KC_REQUIRE_OK(kc_staging_open(other, &staging, &err), err);
	KC_CHECK_OK(kc_staging_write(&staging, "a", "", 0, &err), err);
	KC_CHECK_INT(count_entries(directory.path), 2);
	kc_staging_abandon(&staging);
	kc_staging_abandon(&staging);
	KC_CHECK_INT(kc_staging_flush(&staging, &err), -EBADF);
	KC_CHECK_INT(count_entries(directory.path), 1); /* the release of the test before */
}

static void another_release_is_never_touched(void)
{
	char place[PATH_MAX + 16], nowhere[PATH_MAX + 32];
	KC_CLEANUP_STAGING struct kc_staging first = KC_STAGING_INIT, second = KC_STAGING_INIT;
	struct kc_error err = { 0 };

	(void)snprintf(place, sizeof(place), "%s/third", directory.path);
	(void)snprintf(nowhere, sizeof(nowhere), "%s/no/dist", directory.path);
	KC_CHECK_INT(kc_staging_open(out, &first, &err), -EEXIST);
	KC_CHECK_CONTAINS(err.hint, "--out");
	KC_CHECK_INT(kc_staging_open(nowhere, &first, &err), -ENOENT);
	KC_REQUIRE_OK(kc_staging_open(place, &first, &err), err);
	KC_REQUIRE_OK(kc_staging_open(place, &second, &err), err);
	KC_CHECK_OK(kc_staging_write(&first, "a", "1", 1, &err), err);
	KC_CHECK_OK(kc_staging_write(&second, "a", "2", 1, &err), err);
	KC_CHECK_OK(kc_staging_commit(&first, &err), err);
	KC_CHECK_INT(kc_staging_commit(&second, &err), -EEXIST);
}

static void names_are_those_of_checksums(void)
{
	static const char *const names[] = { "../x", "a/b", "", ".hidden", "-n", "SHA256SUMS", "a b" };
	char place[PATH_MAX + 16];
	KC_CLEANUP_STAGING struct kc_staging staging = KC_STAGING_INIT;
	struct kc_error err = { 0 };

	(void)snprintf(place, sizeof(place), "%s/names", directory.path);
	KC_REQUIRE_OK(kc_staging_open(place, &staging, &err), err);
	for (size_t i = 0; i < KC_ARRAY_LENGTH(names); i++)
		KC_CHECK_INT(kc_staging_write(&staging, names[i], "", 0, &err), -EINVAL);
	KC_CHECK_OK(kc_staging_write(&staging, "twice", "", 0, &err), err);
	KC_CHECK_INT(kc_staging_write(&staging, "twice", "", 0, &err), -EEXIST);
}

KC_TEST_SUITE_WITH(staging, KC_LABEL_FAST, set_up, tear_down, KC_TEST(is_in_its_place_when_it_is_whole),
		   KC_TEST(nothing_is_left_of_one_that_is_given_up),
		   KC_TEST(another_release_is_never_touched), KC_TEST(names_are_those_of_checksums));
