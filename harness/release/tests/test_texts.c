/* The texts of a wheel, from a directory and from another wheel. */
#include "release/texts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixtures/temporary.h"
#include "sys/file.h"
#include "tests/kc_test.h"

static bool put(const struct kc_temporary *directory, const char *name, const char *text)
{
	char path[PATH_MAX + 64];
	struct kc_error err = { 0 };

	(void)snprintf(path, sizeof(path), "%s/%s", directory->path, name);
	return kc_file_write_atomic(AT_FDCWD, path, text, strlen(text), 0600, &err) == 0;
}

static void a_directory_has_all_of_them(void)
{
	KC_CLEANUP_TEMPORARY struct kc_temporary directory = { 0 };
	KC_CLEANUP_RELEASE_TEXTS struct kc_release_texts texts = { 0 };
	struct kc_error err = { 0 };

	KC_REQUIRE_OK(kc_temporary_make(&directory, &err), err);
	KC_REQUIRE(put(&directory, "LICENSE", "MIT\n") && put(&directory, "README.md", "# x\n") &&
		   put(&directory, "LICENSE.zmq.txt", "MPL\n") &&
		   put(&directory, "LICENSE.attrs.txt", "MIT\n") && put(&directory, ".hidden", "x"));
	KC_REQUIRE_OK(kc_release_texts_read_directory(directory.path, &texts, &err), err);
	KC_CHECK_STRING(texts.description, "# x\n");
	KC_CHECK_STRING(texts.licence.name, "LICENSE");
	KC_CHECK_INT(texts.licence.length, 4);
	KC_REQUIRE(texts.bundled_count == 2);
	KC_CHECK_STRING(texts.bundled[0].name, "LICENSE.attrs.txt");
	KC_CHECK_STRING(texts.bundled[1].name, "LICENSE.zmq.txt");
}

static void what_is_no_such_directory_is_refused(void)
{
	KC_CLEANUP_TEMPORARY struct kc_temporary directory = { 0 };
	char path[PATH_MAX + 16];
	struct kc_error err = { 0 };

	KC_REQUIRE_OK(kc_temporary_make(&directory, &err), err);
	(void)snprintf(path, sizeof(path), "%s/LICENSE.d", directory.path);
	for (int i = 0; i < 4; i++) {
		KC_CLEANUP_RELEASE_TEXTS struct kc_release_texts texts = { 0 };

		kc_error_clear(&err);
		if (i == 1)
			KC_REQUIRE(put(&directory, "LICENSE", ""));
		if (i == 2)
			KC_REQUIRE(mkdir(path, 0700) == 0);
		if (i == 3)
			KC_REQUIRE(rmdir(path) == 0 && symlink("/etc/passwd", path) == 0);
		KC_CHECK_INT(kc_release_texts_read_directory(directory.path, &texts, &err), -EINVAL);
		KC_CHECK_CONTAINS(err.text, i < 2 ? "it has no LICENSE" : "`LICENSE.d` is no regular file");
	}
	{
		KC_CLEANUP_RELEASE_TEXTS struct kc_release_texts texts = { 0 };

		KC_CHECK_INT(kc_release_texts_read_directory("/nowhere", &texts, &err), -ENOENT);
	}
}

KC_TEST_SUITE(texts, KC_LABEL_FAST, KC_TEST(a_directory_has_all_of_them),
	      KC_TEST(what_is_no_such_directory_is_refused));
