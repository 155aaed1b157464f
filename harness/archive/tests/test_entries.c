#include <errno.h>
#include <string.h>

#include "archive/entries.h"
#include "archive/manifest.h"
#include "tests/kc_test.h"

#define DIGEST "67a285871589968ce02278cfc5cbc8b74acb0c4ca7d429a9d633ce7860a96692"

static void what_a_manifest_lists_is_read_back(void)
{
	KC_CLEANUP_BUFFER struct kc_buffer manifest = KC_BUFFER_INIT(1 << 16);
	KC_CLEANUP_ENTRIES struct kc_entries entries = { 0 };
	struct kc_error err = { 0 };
	const struct kc_entry *entry;
	char path[PATH_MAX];

	KC_REQUIRE_OK(kc_manifest_add_file(&manifest, "b/a b\n", 0644, 12345678901, DIGEST, &err), err);
	KC_REQUIRE_OK(kc_manifest_add_directory(&manifest, "b", 0755, &err), err);
	KC_REQUIRE_OK(kc_manifest_add_link(&manifest, "a", "b/c", &err), err);
	KC_REQUIRE_OK(kc_manifest_add_whiteout(&manifest, "z", &err), err);
	KC_REQUIRE_OK(kc_manifest_seal(&manifest, &err), err);
	KC_REQUIRE_OK(kc_entries_read(&manifest, &entries, &err), err);
	KC_CHECK_INT(entries.count, 4);
	KC_REQUIRE((entry = kc_entries_find(&entries, "b/a\\x20b\\x0a")) != NULL);
	KC_CHECK_INT(entry->type, 'f');
	KC_CHECK_INT(entry->mode, 0644);
	KC_CHECK_INT(entry->bytes, 12345678901);
	KC_CHECK_STRING(entry->sha256, DIGEST);
	KC_REQUIRE_OK(kc_entry_path(entry->name, path, &err), err);
	KC_CHECK_STRING(path, "b/a b\n");
	KC_REQUIRE((entry = kc_entries_find(&entries, "a")) != NULL);
	KC_CHECK_STRING(entry->target, "b/c");
	KC_CHECK(!kc_entries_find(&entries, "c"));
}

static void lines_that_are_none_are_refused(void)
{
	static const struct {
		const char *line;
		int expected;
	} rows[] = {
		{ "a f 0644 1 " DIGEST, 0 },
		{ "a f 0644 -1 " DIGEST, -EBADMSG },
		{ "a f 0644 99999999999999999999 " DIGEST, -EBADMSG },
		{ "a f 0644 1 " DIGEST "0", -EBADMSG },
		{ "a f 0644 1", -EBADMSG },
		{ "a f 9 1 " DIGEST, -EBADMSG },
		{ "a d 0755 1", -EBADMSG },
		{ "a l", -EBADMSG },
		{ "a x 0644", -EBADMSG },
		{ "a", -EBADMSG },
		{ "", -EBADMSG },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_BUFFER struct kc_buffer manifest = KC_BUFFER_INIT(1 << 16);
		KC_CLEANUP_ENTRIES struct kc_entries entries = { 0 };
		struct kc_error err = { 0 };

		KC_REQUIRE(kc_buffer_printf(&manifest, "%s\nsealed x\n", rows[i].line) == 0);
		KC_CHECK_INT(kc_entries_read(&manifest, &entries, &err), rows[i].expected);
		KC_CHECK(rows[i].expected == 0 || strstr(err.text, "line 1"));
	}
}

KC_TEST_SUITE(entries, KC_LABEL_FAST, KC_TEST(what_a_manifest_lists_is_read_back),
	      KC_TEST(lines_that_are_none_are_refused));
