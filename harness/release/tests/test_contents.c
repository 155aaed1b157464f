#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "cases/tests/checked.h"
#include "release/contents.h"
#include "release/tests/made_volume.h"
#include "tests/kc_test.h"

static const struct kc_contents_package *find_package(const struct kc_contents *contents, const char *name)
{
	for (size_t i = 0; i < contents->package_count; i++)
		if (strcmp(contents->packages[i].name, name) == 0)
			return &contents->packages[i];
	return NULL;
}

static const struct kc_contents_component *find_component(const struct kc_contents *contents,
							  const char *name)
{
	for (size_t i = 0; i < contents->component_count; i++)
		if (strcmp(contents->components[i].component.name, name) == 0)
			return &contents->components[i];
	return NULL;
}

static void a_small_volume_is_told(void)
{
	KC_CLEANUP_MADE_VOLUME struct kc_made_volume made;
	KC_CLEANUP_CONTENTS struct kc_contents contents = { 0 };
	KC_CLEANUP_JSON cJSON *json = NULL;
	struct kc_error err = { 0 };

	KC_REQUIRE(kc_made_volume_make(&made));
	KC_REQUIRE_OK(kc_made_volume_take(&made, &contents, &err), err);
	KC_CHECK_STRING(contents.distro, "static-gnu");
	KC_CHECK_STRING(contents.python, "3.13.2");
	KC_CHECK(contents.is_python_consistent);
	KC_CHECK_INT(contents.told_count, 3);
	KC_CHECK_INT(contents.package_count, 1);
	KC_CHECK_STRING(contents.packages[0].name, "six");
	KC_CHECK_STRING(contents.packages[0].license, "MIT");
	KC_CHECK_INT(contents.packages[0].license_kind, KC_LICENSE_ID);
	KC_CHECK_INT(contents.component_count, 2);
	KC_CHECK_STRING(contents.components[0].component.name, "openssl");
	KC_CHECK_INT(contents.library_count, 2);
	KC_CHECK(contents.libraries[1].is_damaged);
	KC_CHECK_INT(contents.file_count, 4);
	KC_CHECK_INT(contents.link_count, 1);
	KC_REQUIRE_OK(kc_contents_to_json(&contents, &json, &err), err);
	KC_CHECK_INT(cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(json, "files")), 5);
}

/* Each row changes one place that tells the version. */
static void pythons_that_disagree_are_told_so(void)
{
	static const struct {
		struct kc_made_file files[3];
		const char *python;
		bool is_consistent;
	} rows[] = {
		{ { { NULL } }, "3.13.2", true },
		{ { { "include/python3.13/patchlevel.h", "#define PY_VERSION \"3.13.3\"\n" } },
		  "3.13.3",
		  false },
		{ { { "include/python3.13/patchlevel.h", "#define PY_VERSION \"3.13.2+\"\n" } },
		  "3.13.2+",
		  true },
		{ { { "include/python3.13/patchlevel.h", "#define PY_VERSION \"3.13.20\"\n" } },
		  "3.13.20",
		  false },
		{ { { "include/python3.13/patchlevel.h", "#define PY_VERSION \"$(id)\"\n" } },
		  "3.13.2",
		  true },
		{ { { "include/python3.13/patchlevel.h", "#define PY_VERSION \"3.13.2" } }, "3.13.2", true },
		{ { { "include/python3.13/patchlevel.h", NULL } }, "3.13.2", true },
		{ { { "lib/libpython3.13.so.1.0", NULL } }, "3.13.2", true },
		{ { { "include/python3.13/patchlevel.h", NULL },
		    { "include/python3.13t/patchlevel.h", "#define PY_VERSION \"3.13.4\"\n" } },
		  "3.13.4",
		  false },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_MADE_VOLUME struct kc_made_volume made;
		KC_CLEANUP_CONTENTS struct kc_contents contents = { 0 };
		struct kc_error err = { 0 };

		KC_REQUIRE(kc_made_volume_make(&made) && kc_made_volume_add(&made, rows[i].files));
		KC_REQUIRE_OK(kc_made_volume_take(&made, &contents, &err), err);
		KC_CHECK_STRING(contents.python, rows[i].python);
		KC_CHECK_MESSAGE(contents.is_python_consistent == rows[i].is_consistent, "row %zu", i);
	}
}

static void licences_are_chosen(void)
{
	static const struct {
		const char *said, *license;
		enum kc_license_kind kind;
	} rows[] = {
		{ "", "", KC_LICENSE_NONE },
		{ "License-Expression: MIT\n", "MIT", KC_LICENSE_ID },
		{ "License-Expression: MIT OR Apache-2.0\nLicense: BSD\n", "MIT OR Apache-2.0",
		  KC_LICENSE_EXPRESSION },
		{ "License-Expression: two words\n", "two words", KC_LICENSE_NAME },
		{ "License: BSD 3-Clause License\n", "BSD-3-Clause", KC_LICENSE_ID },
		{ "License: MIT OR Apache-2.0\n", "MIT OR Apache-2.0",
		  KC_LICENSE_NAME }, /* not promised to be one */
		{ "License: free\nClassifier: License :: OSI Approved :: MIT License\n", "MIT",
		  KC_LICENSE_ID },
		{ "License: Dual\nClassifier: License :: OSI Approved :: BSD License\n", "Dual",
		  KC_LICENSE_NAME },
		{ "License: # Terms\n  of some kind\nClassifier: License :: OSI Approved :: BSD License\n",
		  "BSD License", KC_LICENSE_NAME },
		{ "License: # Terms\n  of some kind\n", "# Terms", KC_LICENSE_NAME },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_MADE_VOLUME struct kc_made_volume made;
		KC_CLEANUP_CONTENTS struct kc_contents contents = { 0 };
		struct kc_error err = { 0 };
		char text[512];
		struct kc_made_file files[] = { { KC_MADE_SITE "one-1.dist-info/METADATA", text }, { NULL } };

		(void)snprintf(text, sizeof(text), "Name: one\nVersion: 1\n%s\n", rows[i].said);
		KC_REQUIRE(kc_made_volume_make(&made) && kc_made_volume_add(&made, files));
		KC_REQUIRE_OK(kc_made_volume_take(&made, &contents, &err), err);
		KC_CHECK_STRING(contents.packages[0].license, rows[i].license);
		KC_CHECK_INT(contents.packages[0].license_kind, rows[i].kind);
	}
}

static void hostile_metadata_is_named(void)
{
	static const struct kc_made_file rows[] = {
		{ KC_MADE_SITE "x.dist-info/METADATA", "Name: x\n" },
		{ KC_MADE_SITE "x\nname.dist-info/METADATA", "Name: \x1b[31mx\nVersion: 1\n" },
	};
	static const char *const says[] = { "x.dist-info/METADATA`: there is no Version",
					    "x\\x0aname.dist-info/METADATA`: Name holds what it must not" };

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_MADE_VOLUME struct kc_made_volume made;
		KC_CLEANUP_CONTENTS struct kc_contents contents = { 0 };
		struct kc_made_file files[] = { rows[i], { NULL } };
		struct kc_error err = { 0 };

		KC_REQUIRE(kc_made_volume_make(&made) && kc_made_volume_add(&made, files));
		KC_CHECK_INT(kc_made_volume_take(&made, &contents, &err), -EBADMSG);
		KC_CHECK_CONTAINS(err.text, says[i]);
		KC_CHECK(!contents.packages && !contents.rules);
	}
}

/* What is known of published volumes. */
static void published_volumes_are_told(void)
{
	static const struct {
		const char *package, *version, *python, *label, *pyzmq, *ttyd, *libwebsockets, *openssl,
			*glibc;
	} rows[] = {
		{ "static-gnu", "4.4.0", "3.13.2", "14", "26.4.0", "1.6.3", "4.2.1", "3.0.16", "2.17" },
		{ "static-gnu", "4.1.1", "3.11.1", "11", "25.1.2", "1.6.3", "4.2.1", "1.1.1s", "2.17" },
		{ "alpine", "5.4.0", "3.13.2", "12", "26.4.0", "1.6.3", "4.2.1", NULL, "" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_CONTENTS struct kc_contents contents = { 0 };
		const struct kc_contents_component *openssl;
		struct kc_error err = { 0 };
		int status = kc_published_contents(rows[i].package, rows[i].version, &contents, &err);

		if (status < 0 && kc_is_offline(&err))
			KC_SKIP(err.text);
		KC_REQUIRE_OK(status, err);
		openssl = find_component(&contents, "openssl");
		KC_CHECK_STRING(contents.python, rows[i].python);
		KC_CHECK(contents.is_python_consistent);
		KC_CHECK_STRING(contents.volume_version, rows[i].label);
		KC_REQUIRE(find_package(&contents, "pyzmq") && find_component(&contents, "ttyd"));
		KC_CHECK_STRING(find_package(&contents, "pyzmq")->version, rows[i].pyzmq);
		KC_CHECK_STRING(find_component(&contents, "ttyd")->component.version, rows[i].ttyd);
		KC_CHECK_STRING(find_component(&contents, "libwebsockets")->component.version,
				rows[i].libwebsockets);
		KC_CHECK_STRING(openssl ? openssl->component.version : "none",
				rows[i].openssl ? rows[i].openssl : "none");
		KC_CHECK_STRING(contents.floors[0].version, rows[i].glibc);
	}
}

KC_TEST_SUITE(contents, KC_LABEL_FAST, KC_TEST(a_small_volume_is_told),
	      KC_TEST(pythons_that_disagree_are_told_so), KC_TEST(licences_are_chosen),
	      KC_TEST(hostile_metadata_is_named));
KC_TEST_SUITE(contents_real, KC_LABEL_SLOW, KC_TEST(published_volumes_are_told));
