#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "release/sbom.h"
#include "release/source_date.h"
#include "release/tests/made_volume.h"
#include "tests/kc_test.h"

#define SIX "Name: six\nVersion: 1.17.0\n"

static const struct kc_made_file hostile[] = {
	{ KC_MADE_SITE "a.dist-info/METADATA",
	  "Name: My__Pkg.x\nVersion: 1!2+l\nLicense: any \"kind\" \x1b[1m\xff\n" },
	{ KC_MADE_SITE "b.dist-info/METADATA", SIX "License-Expression: MIT OR Apache-2.0\n" },
	{ KC_MADE_SITE "c.dist-info/METADATA", SIX },
	{ "volume",
	  KC_MADE_BYTES("\177ELF\0of this name, and damaged, with enough bytes for a header or so") },
	{ "component:openssl@3.0.16",
	  KC_MADE_BYTES("\177ELF\0OpenSSL 3.0.16 11 Feb 2025\0 and enough bytes for a header") },
	{ NULL },
};

static char *print_bill(const struct kc_made_volume *made, int64_t seconds)
{
	KC_CLEANUP_CONTENTS struct kc_contents contents = { 0 };
	KC_CLEANUP_JSON cJSON *json = NULL;
	struct kc_error err = { 0 };

	if (!KC_CHECK_OK(kc_made_volume_take(made, &contents, &err), err) ||
	    !KC_CHECK_OK(kc_sbom_make(&contents, seconds, &json, &err), err))
		return NULL;
	return cJSON_PrintUnformatted(json);
}

static const char *get(const cJSON *object, const char *key)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));

	return text ? text : "";
}

static void the_same_input_gives_the_same_bytes(void)
{
	KC_CLEANUP_MADE_VOLUME struct kc_made_volume made, other;
	KC_CLEANUP_FREE char *first = NULL, *second = NULL, *later = NULL, *changed = NULL;

	KC_REQUIRE(kc_made_volume_make(&made) && kc_made_volume_make(&other));
	KC_REQUIRE((first = print_bill(&made, 1700000000)) && (second = print_bill(&other, 1700000000)));
	KC_CHECK_STRING(first, second);
	KC_CHECK_CONTAINS(first, "\"timestamp\":\"2023-11-14T22:13:20Z\"");
	KC_REQUIRE((later = print_bill(&made, 1700000001)) != NULL);
	KC_CHECK(strcmp(first, later) != 0);
	KC_REQUIRE(kc_made_volume_add(&other, hostile) && (changed = print_bill(&other, 1700000000)));
	/* The serial number is another, too. */
	KC_CHECK(strncmp(strstr(first, "urn:uuid:"), strstr(changed, "urn:uuid:"), 45) != 0);
}

/* References of components, and those that the volume needs, are the same set without doubles. */
static void references_are_unique_whatever_files_are_called(void)
{
	KC_CLEANUP_MADE_VOLUME struct kc_made_volume made;
	KC_CLEANUP_FREE char *text = NULL;
	KC_CLEANUP_JSON cJSON *bill = NULL;
	const cJSON *components, *needs, *part, *other;
	size_t doubles = 0;

	KC_REQUIRE(kc_made_volume_make(&made) && kc_made_volume_add(&made, hostile));
	KC_REQUIRE((text = print_bill(&made, 0)) && (bill = cJSON_Parse(text)));
	components = cJSON_GetObjectItemCaseSensitive(bill, "components");
	needs = cJSON_GetObjectItemCaseSensitive(
		cJSON_GetObjectItemCaseSensitive(bill, "dependencies")->child, "dependsOn");
	KC_CHECK_INT(cJSON_GetArraySize(components), cJSON_GetArraySize(needs));
	cJSON_ArrayForEach(part, components)
	{
		KC_CHECK(strcmp(get(part, "bom-ref"), "volume") != 0);
		cJSON_ArrayForEach(other, components) doubles +=
			strcmp(get(part, "bom-ref"), get(other, "bom-ref")) == 0;
	}
	KC_CHECK_INT(doubles, cJSON_GetArraySize(components));
}

static void what_packages_say_is_written_as_text(void)
{
	static const char *const parts[] = {
		"\"name\":\"My__Pkg.x\",\"version\":\"1!2+l\",\"licenses\":[{\"license\":{\"name\":\"any "
		"\\\"kind\\\" \\\\xff\"}}],"
		"\"purl\":\"pkg:pypi/my-pkg-x@1%212%2Bl\"",
		"\"licenses\":[{\"expression\":\"MIT OR Apache-2.0\"}]",
		"\"licenses\":[{\"license\":{\"id\":\"MIT\"}}]",
		"\"cpe\":\"cpe:2.3:a:openssl:openssl:3.0.16:*:*:*:*:*:*:*\",\"purl\":\"pkg:generic/"
		"openssl@3.0.16\"",
		"\"ref\":\"file:lib/"
		"libpython3.13.so.1.0\",\"dependsOn\":[\"component:openssl@3.0.16\",\"component:python@3.13."
		"2\"]",
	};
	KC_CLEANUP_MADE_VOLUME struct kc_made_volume made;
	KC_CLEANUP_FREE char *text = NULL;

	KC_REQUIRE(kc_made_volume_make(&made) && kc_made_volume_add(&made, hostile));
	KC_REQUIRE((text = print_bill(&made, 0)) != NULL);
	for (size_t i = 0; i < KC_ARRAY_LENGTH(parts); i++)
		KC_CHECK_CONTAINS(text, parts[i]);
}

static void the_time_comes_from_outside(void)
{
	static const struct {
		const char *value;
		int status;
		const char *timestamp;
	} rows[] = {
		{ "0", 0, "1970-01-01T00:00:00Z" },
		{ "253402300799", 0, "9999-12-31T23:59:59Z" },
		{ "253402300800", -EINVAL, NULL },
		{ "99999999999999999999", -EINVAL, NULL },
		{ "-1", -EINVAL, NULL },
		{ " 1", -EINVAL, NULL },
		{ "1s", -EINVAL, NULL },
		{ "", -EINVAL, NULL },
	};
	const char *before = getenv("SOURCE_DATE_EPOCH");
	KC_CLEANUP_FREE char *kept = before ? strdup(before) : NULL;

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		char timestamp[KC_TIMESTAMP_SIZE];
		struct kc_error err = { 0 };
		int64_t seconds = -1;

		KC_REQUIRE(setenv("SOURCE_DATE_EPOCH", rows[i].value, 1) == 0);
		KC_CHECK_INT(kc_source_date(&seconds, &err), rows[i].status);
		if (rows[i].status < 0) {
			KC_CHECK_CONTAINS(err.text, "SOURCE_DATE_EPOCH");
			continue;
		}
		kc_timestamp(seconds, timestamp);
		KC_CHECK_STRING(timestamp, rows[i].timestamp);
	}
	KC_REQUIRE((kept ? setenv("SOURCE_DATE_EPOCH", kept, 1) : unsetenv("SOURCE_DATE_EPOCH")) == 0);
}

KC_TEST_SUITE(sbom, KC_LABEL_FAST, KC_TEST(the_same_input_gives_the_same_bytes),
	      KC_TEST(references_are_unique_whatever_files_are_called),
	      KC_TEST(what_packages_say_is_written_as_text), KC_TEST(the_time_comes_from_outside));
