/* The table of wheels that ships, row by row; names and tags; and what a wrong table is refused for. */
#include "compat/wheels.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/kc_test.h"

#define GNU "static_gnu-X.X.X-py3-none-"
#define MUSL "alpine-X.X.X-py3-none-"
#define X86_64 "macosx_11_0_x86_64.manylinux2014_x86_64.musllinux_1_1_x86_64.whl"
#define AARCH64 "macosx_11_0_arm64.manylinux2014_aarch64.musllinux_1_1_aarch64.whl"

static const struct {
	const char *host, *container, *end;
} table[] = {
	{ "manylinux/x86_64", "manylinux/x86_64", GNU X86_64 },
	{ "manylinux/x86_64", "musllinux/x86_64", MUSL X86_64 },
	{ "manylinux/aarch64", "manylinux/aarch64", GNU AARCH64 },
	{ "manylinux/aarch64", "musllinux/aarch64", MUSL AARCH64 },
	{ "musllinux/x86_64", "manylinux/x86_64", GNU X86_64 },
	{ "musllinux/x86_64", "musllinux/x86_64", MUSL X86_64 },
	{ "musllinux/aarch64", "manylinux/aarch64", GNU AARCH64 },
	{ "musllinux/aarch64", "musllinux/aarch64", MUSL AARCH64 },
	{ "macos/x86_64", "manylinux/x86_64", GNU X86_64 },
	{ "macos/x86_64", "musllinux/x86_64", MUSL X86_64 },
	{ "macos/aarch64", "manylinux/aarch64", GNU AARCH64 },
	{ "macos/aarch64", "musllinux/aarch64", MUSL AARCH64 },
};

static void each_of_the_twelve_rows_names_its_wheel(void)
{
	KC_CLEANUP_WHEELS struct kc_wheels *wheels = NULL;
	const char *host, *container;
	struct kc_error err = { 0 };

	KC_REQUIRE_OK(kc_wheels_load_embedded(&wheels, &err), err);
	for (size_t i = 0; i < KC_ARRAY_LENGTH(table); i++) {
		KC_CLEANUP_BUFFER struct kc_buffer name = KC_BUFFER_INIT(512);
		struct kc_wheel_choice choice = { .architecture = "" };
		char wanted[256];

		(void)snprintf(wanted, sizeof(wanted), "backend_ai_krunner_%s", table[i].end);
		KC_CHECK(kc_wheels_select(wheels, table[i].host, table[i].container, &choice));
		KC_CHECK_INT(kc_wheels_append_file_name(wheels, &choice, "X.X.X", KC_WHEEL_SORTED, &name), 0);
		KC_CHECK_STRING(kc_buffer_string(&name), wanted);
	}
	KC_CHECK(!kc_wheels_row(wheels, KC_ARRAY_LENGTH(table), &host, &container));
}

static void what_the_table_has_not_is_not_selected(void)
{
	static const char *const rows[][2] = {
		{ "musllinux/aarch64", "manylinux/x86_64" },
		{ "manylinux/x86_64", "macos/x86_64" },
		{ "manylinux", "manylinux" },
		{ "", "" },
	};
	KC_CLEANUP_WHEELS struct kc_wheels *wheels = NULL;
	struct kc_wheel_choice choice;
	struct kc_error err = { 0 };

	KC_REQUIRE_OK(kc_wheels_load_embedded(&wheels, &err), err);
	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++)
		KC_CHECK(!kc_wheels_select(wheels, rows[i][0], rows[i][1], &choice));
}

static void a_distribution_is_known_by_each_of_its_names(void)
{
	static const struct {
		const char *name, *volume;
	} rows[] = {
		{ "static-gnu", "static-gnu" },
		{ "backend.ai-krunner-static-gnu", "static-gnu" },
		{ "Backend_AI--krunner.static_gnu", "static-gnu" },
		{ "alpine", "musllinux_1_2" },
		{ "musllinux_1_2", "musllinux_1_2" },
		{ "musllinux_1_1", NULL },
		{ "static", NULL },
		{ "", NULL },
	};
	KC_CLEANUP_WHEELS struct kc_wheels *wheels = NULL;
	struct kc_error err = { 0 };

	KC_REQUIRE_OK(kc_wheels_load_embedded(&wheels, &err), err);
	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		struct kc_wheel_distribution distribution = { .volume = NULL };

		KC_CHECK_INT(kc_wheels_find_distribution(wheels, rows[i].name, &distribution),
			     rows[i].volume != NULL);
		if (rows[i].volume)
			KC_CHECK_STRING(distribution.volume, rows[i].volume);
	}
}

static void tags_come_as_listed_or_sorted(void)
{
	KC_CLEANUP_WHEELS struct kc_wheels *wheels = NULL;
	struct kc_wheel_tags tags = { .count = 0 };
	struct kc_error err = { 0 };

	KC_REQUIRE_OK(kc_wheels_load_embedded(&wheels, &err), err);
	KC_REQUIRE(kc_wheels_find_tags(wheels, "aarch64", KC_WHEEL_AS_LISTED, &tags));
	KC_CHECK_INT(tags.count, 3);
	KC_CHECK_STRING(tags.items[0], "manylinux2014_aarch64");
	KC_CHECK_STRING(tags.items[2], "macosx_11_0_arm64");
	KC_REQUIRE(kc_wheels_find_tags(wheels, "aarch64", KC_WHEEL_SORTED, &tags));
	KC_CHECK_STRING(tags.items[0], "macosx_11_0_arm64");
	KC_CHECK_STRING(tags.items[2], "musllinux_1_1_aarch64");
	KC_CHECK(!kc_wheels_find_tags(wheels, "riscv64", KC_WHEEL_SORTED, &tags));
}

static void members_are_made_from_templates(void)
{
	static const struct {
		enum kc_wheel_part part;
		size_t index;
		const char *name, *text; /* NULL: there is none */
	} rows[] = {
		{ KC_WHEEL_DIRECTORY, 0, "ai/backend/krunner/static_gnu/", "" },
		{ KC_WHEEL_DIRECTORY, 1, NULL, NULL },
		{ KC_WHEEL_ARCHIVE, 0, "krunner-env.static-gnu.x86_64.tar.xz", "" },
		{ KC_WHEEL_TTYD, 0, "ttyd_linux.x86_64.bin", "" },
		{ KC_WHEEL_TEXTS, 0, "__init__.py", "__version__ = \"4.4.0\"\n" },
		{ KC_WHEEL_TEXTS, 1, "krunner-python.static-gnu.txt", "3.13\n" },
		{ KC_WHEEL_TEXTS, 2, "krunner-version.static-gnu.txt", "14" },
		{ KC_WHEEL_TEXTS, 4, "versions.txt", "static-gnu\n" },
		{ KC_WHEEL_TEXTS, 5, NULL, NULL },
		{ KC_WHEEL_DIST_INFO, 0, "entry_points.txt",
		  "[backendai_krunner_v10]\nstatic_gnu = ai.backend.krunner.static_gnu.plugin\n" },
		{ KC_WHEEL_METADATA, 1, "Name", "backend.ai-krunner-static-gnu" },
	};
	struct kc_wheel_choice choice;
	const struct kc_wheel_values values = { &choice, "4.4.0", "14", "3.13" };
	KC_CLEANUP_WHEELS struct kc_wheels *wheels = NULL;
	struct kc_error err = { 0 };

	KC_REQUIRE_OK(kc_wheels_load_embedded(&wheels, &err), err);
	KC_REQUIRE(kc_wheels_select(wheels, "macos/x86_64", "manylinux/x86_64", &choice));
	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_BUFFER struct kc_buffer name = KC_BUFFER_INIT(512), text = KC_BUFFER_INIT(512);

		KC_CHECK_INT(
			kc_wheels_append_part(wheels, rows[i].part, rows[i].index, &values, &name, &text),
			rows[i].name != NULL);
		KC_CHECK_STRING(kc_buffer_string(&name), rows[i].name ? rows[i].name : "");
		KC_CHECK_STRING(kc_buffer_string(&text), rows[i].text ? rows[i].text : "");
	}
}

#define START "{\"version\":1,\"python_tag\":\"py3\",\"abi_tag\":\"none\","
#define PLATFORMS "\"platforms\":[{\"architecture\":\"x\",\"tags\":[\"t\"]}],"
#define DISTRIBUTIONS                                                                                        \
	"\"distributions\":[{\"name\":\"d\",\"package\":\"p\",\"volume\":\"v\",\"summary\":\"s\","           \
	"\"licence\":\"MIT\"}],"
#define PART(name, text) "\"" name "\":[{\"name\":\"n\",\"text\":\"" text "\"}],"
#define PARTS_BUT_ONE(text)                                                                                  \
	"\"entry_point_group\":\"g\",\"directory\":\"d/\",\"archive\":\"a\",\"ttyd\":\"t\"," PART(           \
		"texts", text) PART("dist_info", "t") PART("metadata", "t")
#define PARTS(text)                                                                                          \
	PARTS_BUT_ONE(text) "\"metadata_also\":[{\"name\":\"n\",\"text\":\"t\",\"reason\":\"r\"}],"
#define ROW "{\"host\":\"a/x\",\"container\":\"b/x\",\"distribution\":\"d\",\"architecture\":\"x\"}"

static void a_wrong_table_is_refused(void)
{
	static const struct {
		const char *json, *text; /* NULL: it is right */
	} rows[] = {
		{ START PLATFORMS DISTRIBUTIONS PARTS("{python}") "\"selection\":[" ROW "]}", NULL },
		{ START PLATFORMS DISTRIBUTIONS PARTS("{snake}") "\"selection\":[" ROW "]}",
		  "w: texts: unknown word in braces: \"{snake}\"" },
		{ START PLATFORMS DISTRIBUTIONS PARTS_BUT_ONE("t")
			  PART("metadata_also", "t") "\"selection\":[" ROW "]}",
		  "metadata_also: key \"reason\" is missing" },
		{ START PLATFORMS DISTRIBUTIONS "\"selection\":[" ROW "]}", "entry_point_group" },
		{ START PLATFORMS DISTRIBUTIONS "\"selection\":[" ROW "," ROW "]}",
		  "w: selection: \"a/x\" stands twice" },
		{ START PLATFORMS DISTRIBUTIONS "\"selection\":[]}", "w: selection: there is none" },
		{ START PLATFORMS "\"distributions\":[{\"name\":\"d\",\"package\":\"\",\"volume\":\"v\","
				  "\"summary\":\"s\",\"licence\":\"MIT\"}],"
				  "\"selection\":[" ROW "]}",
		  "\"package\" is empty" },
		{ START PLATFORMS "\"distributions\":[{\"name\":\"e\",\"package\":\"p\",\"volume\":\"v\","
				  "\"summary\":\"s\",\"licence\":\"MIT\"}],"
				  "\"selection\":[" ROW "]}",
		  "no distribution \"d\"" },
		{ START "\"platforms\":[{\"architecture\":\"y\",\"tags\":[\"t\"]}]," DISTRIBUTIONS
			"\"selection\":[" ROW "]}",
		  "no tags for architecture \"x\"" },
		{ START "\"platforms\":[{\"architecture\":\"x\",\"tags\":[]}]," DISTRIBUTIONS
			"\"selection\":[" ROW "]}",
		  "\"tags\" must be 1 to 8" },
		{ START "\"platforms\":[{\"architecture\":\"x\",\"tags\":[1]}]," DISTRIBUTIONS
			"\"selection\":[" ROW "]}",
		  "a tag must be a text" },
		{ START "\"wheels\":1," PLATFORMS DISTRIBUTIONS "\"selection\":[" ROW "]}", "wheels" },
		{ "{\"version\":2}", "version 2" },
		{ "[]", "w" },
		{ "", "w" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_WHEELS struct kc_wheels *wheels = NULL;
		struct kc_error err = { 0 };
		int status = kc_wheels_load(rows[i].json, strlen(rows[i].json), "w", &wheels, &err);

		KC_CHECK_INT(status < 0, rows[i].text != NULL);
		KC_CHECK_CONTAINS(err.text, rows[i].text ? rows[i].text : "");
	}
}

KC_TEST_SUITE(compat_wheels, KC_LABEL_FAST, KC_TEST(each_of_the_twelve_rows_names_its_wheel),
	      KC_TEST(what_the_table_has_not_is_not_selected),
	      KC_TEST(a_distribution_is_known_by_each_of_its_names), KC_TEST(tags_come_as_listed_or_sorted),
	      KC_TEST(members_are_made_from_templates), KC_TEST(a_wrong_table_is_refused));
