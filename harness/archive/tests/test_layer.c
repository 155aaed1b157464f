/* Marks of a layer: entries of its tar that hide what lower layers have, as the kernel's overlayfs shall find them. */
#include "archive/layer.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "archive/extract.h"
#include "archive/manifest.h"
#include "archive/tests/extract_test.h"
#include "fixtures/sentinel.h"
#include "sys/fd.h"
#include "tests/kc_test.h"

enum { MIB = 1 << 20, MOST_ITEMS = 5 };

#define DIRECTORY(path)                                                                                      \
	{                                                                                                    \
		.name = (path), .type = '5'                                                                  \
	}
#define FILE_OF(path)                                                                                        \
	{                                                                                                    \
		.name = (path), .data = "x"                                                                  \
	}
#define MARK(path)                                                                                           \
	{                                                                                                    \
		.name = (path)                                                                               \
	}
#define X_LINE " f 0644 1 2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881\n"

/* Everything that is there afterwards, as archive/manifest.h writes it. */
static const struct {
	const char *name;
	struct kc_tar_item items[MOST_ITEMS];
	const char *expected; /* NULL: refused with `error` */
	const char *error;
} rows[] = {
	{ "nothing hidden", { DIRECTORY("d/"), FILE_OF("d/x") }, "d d 0755\nd/x" X_LINE, NULL },
	{ "a whiteout", { DIRECTORY("d/"), MARK("d/.wh.gone") }, "d d 0755\nd/gone w\n", NULL },
	{ "a whiteout at the top", { MARK(".wh.gone") }, "gone w\n", NULL },
	{ "a whiteout in a directory that is not listed",
	  { MARK("d/e/.wh.gone") },
	  "d d 0755\nd/e d 0755\nd/e/gone w\n",
	  NULL },
	{ "an opaque directory",
	  { DIRECTORY("d/"), MARK("d/.wh..wh..opq"), FILE_OF("d/x") },
	  "d d 0755\nd q\nd/x" X_LINE,
	  NULL },
	{ "the mark before its directory",
	  { MARK("d/.wh..wh..opq"), DIRECTORY("d/") },
	  "d d 0755\nd q\n",
	  NULL },
	{ "an opaque root", { MARK(".wh..wh..opq"), FILE_OF("x") }, ". q\nx" X_LINE, NULL },
	{ "marks said twice",
	  { DIRECTORY("d/"), MARK("d/.wh.a"), MARK("d/.wh.a"), MARK("d/.wh..wh..opq"),
	    MARK("d/.wh..wh..opq") },
	  "d d 0755\nd q\nd/a w\n",
	  NULL },
	{ "a file hidden and brought", { MARK(".wh.x"), FILE_OF("x") }, "x" X_LINE, NULL },
	{ "a file brought and hidden", { FILE_OF("x"), MARK(".wh.x") }, "x" X_LINE, NULL },
	{ "a directory hidden and brought",
	  { MARK(".wh.d"), DIRECTORY("d/"), FILE_OF("d/x") },
	  "d d 0755\nd q\nd/x" X_LINE,
	  NULL },
	{ "marks of aufs mean nothing",
	  { MARK(".wh..wh.plnk"), MARK(".wh..wh.aufs"), FILE_OF("x") },
	  "x" X_LINE,
	  NULL },
	{ "hides nothing", { MARK("d/.wh.") }, NULL, "hides a name that cannot be" },
	{ "hides the directory itself", { MARK("d/.wh..") }, NULL, "hides a name that cannot be" },
	{ "hides the one above", { MARK("d/.wh...") }, NULL, "hides a name that cannot be" },
	{ "below a link",
	  { { .name = "d", .type = '2', .link = "/" }, MARK("d/.wh.etc") },
	  NULL,
	  "used as a directory" },
	{ "opaque below a link",
	  { { .name = "d", .type = '2', .link = "/" }, MARK("d/.wh..wh..opq") },
	  NULL,
	  "used as a directory" },
	{ "a hard link to a file of a lower layer",
	  { { .name = "a", .type = '1', .link = "b" } },
	  NULL,
	  "the hard link has no target" },
};

static void marks_become_those_of_overlayfs(void)
{
	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_SENTINEL struct kc_sentinel scratch = { 0 };
		KC_CLEANUP_BUFFER struct kc_buffer tar = KC_BUFFER_INIT(MIB), manifest = KC_BUFFER_INIT(MIB);
		struct kc_extract_options options = KC_EXTRACT_OPTIONS_INIT;
		struct kc_error err = { 0 };
		int status;

		KC_REQUIRE(kc_sentinel_make(&scratch));
		options.is_layer = true;
		options.foreign_links = true;
		options.manifest = &manifest;
		kc_tar_make(&tar, rows[i].items, MOST_ITEMS);
		status = kc_test_extract_tar(&scratch, &tar, &options, &err);
		KC_CHECK_MESSAGE(status == (rows[i].expected ? 0 : -EBADMSG), "%s: %d %s", rows[i].name,
				 status, err.text);
		KC_CHECK(kc_sentinel_is_intact(&scratch));
		if (!rows[i].expected) {
			KC_CHECK_CONTAINS(err.text, rows[i].error);
			continue;
		}
		KC_CHECK_OK(kc_manifest_seal(&manifest, &err), err);
		KC_CHECK_MESSAGE(strncmp(kc_buffer_string(&manifest), rows[i].expected,
					 strlen(rows[i].expected)) == 0 &&
					 strncmp(kc_buffer_string(&manifest) + strlen(rows[i].expected),
						 "sealed ", 7) == 0,
				 "%s: %s", rows[i].name, kc_buffer_string(&manifest));
		/* And what is on disk is what was said to be. */
		KC_CHECK_OK(kc_manifest_verify(scratch.dest_fd, manifest.data, manifest.length, &err), err);
	}
}

/* Where no layer is expected, a name is a name. */
static void other_archives_have_no_marks(void)
{
	const struct kc_tar_item item = FILE_OF(".wh.x");
	KC_CLEANUP_SENTINEL struct kc_sentinel scratch = { 0 };
	KC_CLEANUP_BUFFER struct kc_buffer tar = KC_BUFFER_INIT(MIB);
	const struct kc_extract_options options = KC_EXTRACT_OPTIONS_INIT;
	struct kc_error err = { 0 };
	char text[8];

	KC_REQUIRE(kc_sentinel_make(&scratch));
	kc_tar_make(&tar, &item, 1);
	KC_CHECK_OK(kc_test_extract_tar(&scratch, &tar, &options, &err), err);
	KC_CHECK_STRING(kc_read_small(scratch.dest_fd, ".wh.x", text, sizeof(text)), "x");
}

/* A store's tree in which somebody hid something is damaged. */
static void a_mark_that_was_not_made_is_a_difference(void)
{
	const struct kc_tar_item items[] = { DIRECTORY("d/"), FILE_OF("x") };
	KC_CLEANUP_SENTINEL struct kc_sentinel scratch = { 0 };
	KC_CLEANUP_BUFFER struct kc_buffer tar = KC_BUFFER_INIT(MIB), manifest = KC_BUFFER_INIT(MIB);
	struct kc_extract_options options = KC_EXTRACT_OPTIONS_INIT;
	struct kc_error err = { 0 };
	KC_CLEANUP_FD int directory = -1;

	KC_REQUIRE(kc_sentinel_make(&scratch));
	options.manifest = &manifest;
	kc_tar_make(&tar, items, KC_ARRAY_LENGTH(items));
	KC_REQUIRE_OK(kc_test_extract_tar(&scratch, &tar, &options, &err), err);
	KC_REQUIRE_OK(kc_manifest_seal(&manifest, &err), err);
	directory = openat(scratch.dest_fd, "d", O_RDONLY | O_DIRECTORY);
	KC_CHECK_INT(kc_layer_make_opaque(directory), 0);
	KC_CHECK_INT(kc_layer_make_whiteout(scratch.dest_fd, "y"), 0);
	KC_CHECK_INT(kc_manifest_verify(scratch.dest_fd, manifest.data, manifest.length, &err), -EUCLEAN);
	KC_CHECK_CONTAINS(err.text, "`d` is new, `y` is new");
}

KC_TEST_SUITE(layer, KC_LABEL_FAST, KC_TEST(marks_become_those_of_overlayfs),
	      KC_TEST(other_archives_have_no_marks), KC_TEST(a_mark_that_was_not_made_is_a_difference));
