#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/embedded.h"
#include "sys/file.h"
#include "tests/kc_test.h"

static void every_file_is_what_the_source_tree_has(void)
{
	KC_CHECK(kc_embedded_count() > 0);
	for (size_t i = 0; i < kc_embedded_count(); i++) {
		struct kc_buffer file = KC_BUFFER_INIT(1 << 20);
		char path[4096];
		const char *bytes = NULL;
		size_t length = 0;

		(void)snprintf(path, sizeof(path), "%s/%s", KC_TEST_SOURCE_DIR, kc_embedded_name(i));
		KC_CHECK_INT(kc_file_read(AT_FDCWD, path, &file, NULL), 0);
		KC_CHECK(kc_embedded_find(kc_embedded_name(i), &bytes, &length));
		KC_CHECK(length == file.length && bytes && memcmp(bytes, file.data, length) == 0);
		KC_CHECK(bytes && bytes[length] == '\0');
		kc_buffer_release(&file);
	}
}

static void an_unknown_file_is_not_found(void)
{
	const char *bytes = "kept";
	size_t length = 4;

	KC_CHECK(!kc_embedded_find("images/none.json", &bytes, &length));
	KC_CHECK(!kc_embedded_find("", &bytes, &length));
	KC_CHECK_STRING(bytes, "kept");
	KC_CHECK(kc_embedded_name(kc_embedded_count()) == NULL);
}

KC_TEST_SUITE(embedded, KC_LABEL_FAST, KC_TEST(every_file_is_what_the_source_tree_has),
	      KC_TEST(an_unknown_file_is_not_found));
