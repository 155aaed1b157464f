#include <errno.h>
#include <string.h>

#include "base/buffer.h"
#include "release/metadata.h"
#include "tests/kc_test.h"

#define ONE "Metadata-Version: 2.1\nName: one\nVersion: 1.0\n"

static void fields_are_read(void)
{
	static const struct {
		const char *text;
		struct kc_metadata expected;
	} rows[] = {
		{ "Name: one\nVersion: 1!2.0.post1+x\n", { .name = "one", .version = "1!2.0.post1+x" } },
		{ "name:one\r\nVERSION:\t1.0 \r\n\r\nName: two\n", { .name = "one", .version = "1.0" } },
		{ ONE "License-Expression: MIT OR Apache-2.0\n",
		  { "one", "1.0", .expression = "MIT OR Apache-2.0" } },
		{ ONE "License: BSD\n", { "one", "1.0", .license = "BSD" } },
		{ ONE "License:\n        \n        The MIT License\n        Permission is\n",
		  { "one", "1.0", .license = "The MIT License" } },
		{ ONE "License: a \x1b[31mb\xff c\n", { "one", "1.0", .license = "a b\\xff c" } },
		{ ONE "Classifier: License :: OSI Approved :: MIT License\nClassifier: Topic :: x\n"
		      "Classifier: License :: Public Domain\nClassifier: License :: OSI Approved\n",
		  { "one", "1.0", .classifier = "MIT License; Public Domain" } },
		{ ONE "\nLicense: in the description\n", { "one", "1.0" } },
		{ ONE "no field\nLicense: behind it\n", { "one", "1.0" } },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		struct kc_metadata got = { 0 };
		struct kc_error err = { 0 };

		KC_REQUIRE_OK(
			kc_metadata_parse(rows[i].text, strlen(rows[i].text), true, "METADATA", &got, &err),
			err);
		KC_CHECK_STRING(got.name, rows[i].expected.name);
		KC_CHECK_STRING(got.version, rows[i].expected.version);
		KC_CHECK_STRING(got.expression, rows[i].expected.expression);
		KC_CHECK_STRING(got.license, rows[i].expected.license);
		KC_CHECK_STRING(got.classifier, rows[i].expected.classifier);
	}
}

static void hostile_files_are_refused(void)
{
	static const struct {
		const char *text, *says;
		size_t length; /* 0: strlen */
	} rows[] = {
		{ "", "no Name", 0 },
		{ "Version: 1\n", "no Name", 0 },
		{ "Name: one\n", "no Version", 0 },
		{ ONE "Name: two\n", "Name stands twice", 0 },
		{ "Name: one\nVersion: 1.0\nVersion: 1.0\n", "Version stands twice", 0 },
		{ "Name: ../one\nVersion: 1\n", "only letters, digits and \"-_.\"", 0 },
		{ "Name: one\n two\nVersion: 1\n", "one word", 0 },
		{ "Name: one\nVersion: 1 || true\n", "Version holds what it must not", 0 },
		{ "Name: one\0x\nVersion: 1\n", "NUL", sizeof("Name: one\0x\nVersion: 1\n") - 1 },
		{ "Name:\nVersion: 1\n", "one word", 0 },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		struct kc_metadata got = { 0 };
		struct kc_error err = { 0 };
		size_t length = rows[i].length ? rows[i].length : strlen(rows[i].text);

		KC_CHECK_INT(kc_metadata_parse(rows[i].text, length, true, "x/METADATA", &got, &err),
			     -EBADMSG);
		KC_CHECK_CONTAINS(err.text, "`x/METADATA`");
		KC_CHECK_CONTAINS(err.text, rows[i].says);
		KC_CHECK_STRING(got.name, "");
	}
}

static void what_is_long_is_cut(void)
{
	enum { LENGTH = 100000 };
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(2 * LENGTH);
	struct kc_metadata got = { 0 };
	struct kc_error err = { 0 };

	KC_REQUIRE(kc_buffer_append_string(&text, ONE "License: x") == 0);
	for (int i = 0; i < LENGTH / 2; i++)
		KC_REQUIRE(kc_buffer_append_string(&text, "\xc3\xa9") == 0);
	KC_REQUIRE_OK(kc_metadata_parse(text.data, text.length, true, "METADATA", &got, &err), err);
	KC_CHECK_INT(strlen(got.license), KC_METADATA_TEXT_SIZE - 2);
	KC_CHECK_CONTAINS(got.license, "\xc3\xa9...");
	KC_CHECK_INT(kc_metadata_parse(text.data, text.length, false, "METADATA", &got, &err), -EBADMSG);
	KC_CHECK_CONTAINS(err.text, "does not end");
}

static void expressions_are_told_from_names(void)
{
	static const struct {
		const char *text;
		bool expected;
	} rows[] = {
		{ "MIT", true },
		{ "MIT OR Apache-2.0", true },
		{ "(MIT AND (BSD-3-Clause)) OR GPL-2.0-only WITH Classpath-exception-2.0", true },
		{ "LicenseRef-x", true },
		{ "MIT License", false },
		{ "MIT OR", false },
		{ "OR MIT", false },
		{ "(MIT", false },
		{ "MIT)", false },
		{ "()", false },
		{ "MIT, BSD", false },
		{ "", false },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++)
		KC_CHECK_MESSAGE(kc_metadata_is_expression(rows[i].text) == rows[i].expected, "\"%s\"",
				 rows[i].text);
}

KC_TEST_SUITE(metadata, KC_LABEL_FAST, KC_TEST(fields_are_read), KC_TEST(hostile_files_are_refused),
	      KC_TEST(what_is_long_is_cut), KC_TEST(expressions_are_told_from_names));
