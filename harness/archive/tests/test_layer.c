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
	{ "nothing hidden",
	  { DIRECTORY("d/"), FILE_OF("d/x") },
	  "d d 0755\n"
	  "d/x" X_LINE,
	  NULL },
	{ "a whiteout",
	  { DIRECTORY("d/"), MARK("d/.wh.gone") },
	  "d d 0755\n"
	  "d/gone w\n",
	  NULL },
	{ "a whiteout at the top", { MARK(".wh.gone") }, "gone w\n", NULL },
	{ "a whiteout in a directory that is not listed",
	  { MARK("d/e/.wh.gone") },
	  "d d 0755\n"
	  "d/e d 0755\n"
	  "d/e/gone w\n",
	  NULL },
	{ "an opaque directory",
	  { DIRECTORY("d/"), MARK("d/.wh..wh..opq"), FILE_OF("d/x") },
	  "d d 0755\n"
	  "d q\n"
	  "d/x" X_LINE,
	  NULL },
	{ "the mark before its directory",
	  { MARK("d/.wh..wh..opq"), DIRECTORY("d/") },
	  "d d 0755\n"
	  "d q\n",
	  NULL },
	{ "an opaque root", { MARK(".wh..wh..opq"), FILE_OF("x") }, ". q\nx" X_LINE, NULL },
	{ "marks said twice",
	  { DIRECTORY("d/"), MARK("d/.wh.a"), MARK("d/.wh.a"), MARK("d/.wh..wh..opq"),
	    MARK("d/.wh..wh..opq") },
	  "d d 0755\n"
	  "d q\n"
	  "d/a w\n",
	  NULL },
	{ "a file hidden and brought", { MARK(".wh.x"), FILE_OF("x") }, "x" X_LINE, NULL },
	{ "a file brought and hidden", { FILE_OF("x"), MARK(".wh.x") }, "x" X_LINE, NULL },
	{ "a directory hidden and brought",
	  { MARK(".wh.d"), DIRECTORY("d/"), FILE_OF("d/x") },
	  "d d 0755\n"
	  "d q\n"
	  "d/x" X_LINE,
	  NULL },
	{ "marks of aufs mean nothing",
	  { MARK(".wh..wh.plnk"), MARK(".wh..wh.aufs"), FILE_OF("x") },
	  "x" X_LINE,
	  NULL },
	{ "hides nothing", { MARK("d/.wh.") }, NULL, "hides a name that cannot be" },
	{ "hides the directory itself", { MARK("d/.wh..") }, NULL, "hides a name that cannot be" },
	{ "hides the one above", { MARK("d/.wh...") }, NULL, "hides a name that cannot be" },
	{ "below a link, which is not followed",
	  { { .name = "d", .type = '2', .link = "/" }, MARK("d/.wh.etc") },
	  "d l /\n",
	  NULL },
	{ "opaque below a link",
	  { { .name = "d", .type = '2', .link = "/" }, MARK("d/.wh..wh..opq") },
	  "d l /\n",
	  NULL },
	{ "below a file of the layer",
	  { FILE_OF("x"), MARK("x/.wh.a"), MARK("x/y/.wh.a") },
	  "x" X_LINE,
	  NULL },
	{ "a directory and what was in it",
	  { MARK(".wh.d"), MARK("d/.wh.a"), MARK("d/e/.wh.b") },
	  "d w\n",
	  NULL },
	{ "what was in a directory, and it",
	  { MARK("d/e/.wh.b"), MARK("d/.wh.a"), MARK(".wh.d") },
	  "d w\n",
	  NULL },
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

/* A layer is whole if its digest says so, and only then: as umoci 0.4 leaves it, and as no tool does. */
static void the_end_of_a_layer_may_be_missing_but_nothing_else(void)
{
	static const struct kc_tar_item items[] = { DIRECTORY("d/"), FILE_OF("d/x") };
	static const struct {
		const char *name;
		size_t length; /* of 512 for d, 512 and 512 for x, 1024 for the end */
		bool is_layer;
		int status;
	} ends[] = {
		{ "all of it", 2560, true, 0 },
		{ "one end block", 2048, true, 0 },
		{ "no end block", 1536, true, 0 },
		{ "no padding", 1025, true, 0 },
		{ "half of the padding", 1200, true, 0 },
		{ "no data", 1024, true, -EBADMSG },
		{ "half a header", 700, true, -EBADMSG },
		{ "directory alone", 512, true, 0 },
		{ "all of it, no layer", 2560, false, 0 },
		{ "one end block, no layer", 2048, false, -EBADMSG },
		{ "no end block, no layer", 1536, false, -EBADMSG },
		{ "no padding, no layer", 1025, false, -EBADMSG },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(ends); i++) {
		KC_CLEANUP_SENTINEL struct kc_sentinel scratch = { 0 };
		KC_CLEANUP_BUFFER struct kc_buffer tar = KC_BUFFER_INIT(MIB);
		struct kc_extract_options options = KC_EXTRACT_OPTIONS_INIT;
		struct kc_error err = { 0 };
		int status;

		KC_REQUIRE(kc_sentinel_make(&scratch));
		options.is_layer = ends[i].is_layer;
		kc_tar_make(&tar, items, KC_ARRAY_LENGTH(items));
		tar.length = ends[i].length;
		status = kc_test_extract_tar(&scratch, &tar, &options, &err);
		KC_CHECK_MESSAGE(status == ends[i].status, "%s: %d %s", ends[i].name, status, err.text);
	}
}

/* What old builders wrote for a step that changed no file. */
static void a_layer_may_be_empty(void)
{
	for (int is_layer = 0; is_layer < 2; is_layer++) {
		KC_CLEANUP_SENTINEL struct kc_sentinel scratch = { 0 };
		KC_CLEANUP_BUFFER struct kc_buffer tar = KC_BUFFER_INIT(MIB);
		struct kc_extract_options options = KC_EXTRACT_OPTIONS_INIT;
		struct kc_error err = { 0 };

		KC_REQUIRE(kc_sentinel_make(&scratch));
		options.is_layer = is_layer;
		kc_tar_end(&tar);
		KC_CHECK_INT(kc_test_extract_tar(&scratch, &tar, &options, &err), is_layer ? 0 : -EBADMSG);
	}
}

KC_TEST_SUITE(layer, KC_LABEL_FAST, KC_TEST(marks_become_those_of_overlayfs),
	      KC_TEST(other_archives_have_no_marks), KC_TEST(a_mark_that_was_not_made_is_a_difference),
	      KC_TEST(the_end_of_a_layer_may_be_missing_but_nothing_else), KC_TEST(a_layer_may_be_empty));
