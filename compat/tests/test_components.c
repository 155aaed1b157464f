#include <errno.h>
#include <string.h>

#include "base/embedded.h"
#include "compat/components.h"
#include "tests/kc_test.h"

#define REST ",\"spdx\":[\"MIT\"],\"license_names\":[]}"
#define MARK(text) "{\"version\":1,\"components\":[{\"name\":\"x\",\"marks\":[" text "]}]" REST

static int load(const char *text, struct kc_components **ret_components, struct kc_error *err)
{
	size_t length = text ? strlen(text) : 0;

	if (!text && !kc_embedded_find("compat/components.json", &text, &length))
		return kc_error_set(err, ENOENT, "no compat/components.json");
	return kc_components_load(text, length, "components.json", ret_components, err);
}

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

/* Each row is a file: its strings are parted by "|", which stands for a NUL. */
static void strings_tell_versions(void)
{
	static const struct {
		const char *path, *strings, *name, *version, *license; /* name NULL: nothing is found */
	} rows[] = {
		{ "lib/libpython3.13.so.1.0", "x|OpenSSL 3.0.16 11 Feb 2025|y|", "openssl", "3.0.16",
		  "Apache-2.0" },
		{ "lib/libpython3.13.so.1.0", "OpenSSL 1.1.1s  1 Nov 2022|", "openssl", "1.1.1s", "OpenSSL" },
		{ "lib/libpython3.13.so.1.0", "OpenSSL 3.0.16 11 Feb 2025", NULL, NULL, NULL },
		{ "lib/libpython3.13.so.1.0", "see OpenSSL 3.0.16 11 Feb 2025|", NULL, NULL, NULL },
		{ "lib/libpython3.13.so.1.0", "OpenSSL 3.0.16 11 Feb 2025|OpenSSL 3.0.17 1 Jul 2025|",
		  "openssl", "", NULL },
		{ "lib/libpython3.13.so.1.0", "3.47.1|SQLite format 3|", "sqlite", "3.47.1", "blessing" },
		{ "lib/libpython3.13.so.1.0", "3.47.1|SQLite format 4|", NULL, NULL, NULL },
		{ "lib/libpython3.13.so.1.0", "3.13.2|", "python", "3.13.2", "Python-2.0.1" },
		{ "lib/libpython3.13.so.1.0", "3.13.2+|", "python", "3.13.2", "Python-2.0.1" },
		{ "lib/libpython3.13.so.1.0", "3.12.2|", NULL, NULL, NULL },
		{ "lib/other.so", "3.13.2|", NULL, NULL, NULL },
		{ "lib/other.so", " inflate 1.3.1 Copyright 1995-2024 Mark Adler |", "zlib", "1.3.1",
		  "Zlib" },
		{ "bin/ttyd", "1.2.11|1.6.3-80c6f66|", "ttyd", "1.6.3", "MIT" },
		{ "bin/ttyd", "4.2.1-unknown|", "libwebsockets", "4.2.1", "MIT" },
		{ "bin/ttyd", "3.2.3|3.2.3 unknown-build-hash|", "libwebsockets", "3.2.3", NULL },
		{ "bin/ttyd", "4.2.1-unknown|3.2.0-v3|", "libwebsockets", "", NULL },
	};

	KC_CLEANUP_COMPONENTS struct kc_components *components = NULL;
	struct kc_error err = { 0 };

	KC_REQUIRE_OK(load(NULL, &components, &err), err);
	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		struct kc_component found[KC_COMPONENTS_MAX] = { 0 };
		char bytes[256];
		size_t count = 0, length = strlen(rows[i].strings);

		memcpy(bytes, rows[i].strings, length);
		for (char *bar = bytes; (bar = memchr(bar, '|', length - (size_t)(bar - bytes)));)
			*bar = '\0';
		KC_REQUIRE_OK(kc_components_scan(components, rows[i].path, "3.13", bytes, length, found,
						 &count, &err),
			      err);
		KC_CHECK_MESSAGE(count == (rows[i].name ? 1 : 0), "row %zu: %zu found", i, count);
		if (count != 1 || !rows[i].name)
			continue;
		KC_CHECK_STRING(found[0].name, rows[i].name);
		KC_CHECK_STRING(found[0].version, rows[i].version);
		KC_CHECK_STRING(or_empty(found[0].license), or_empty(rows[i].license));
	}
}

/* A string as long as a file is no string, and takes no longer than any other bytes. */
static void what_is_scanned_is_bounded(void)
{
	enum { LENGTH = 8 << 20 };
	KC_CLEANUP_COMPONENTS struct kc_components *components = NULL;
	KC_CLEANUP_FREE char *bytes = malloc(LENGTH);
	struct kc_component found[KC_COMPONENTS_MAX];
	struct kc_error err = { 0 };
	size_t count = 1;

	KC_REQUIRE(bytes);
	KC_REQUIRE_OK(load(NULL, &components, &err), err);
	memset(bytes, '1', LENGTH);
	memcpy(bytes, "OpenSSL 3.0.", 12);
	memcpy(bytes + LENGTH - 13, " 11 Feb 2025", 13);
	KC_REQUIRE_OK(kc_components_scan(components, "lib/x.so", "", bytes, LENGTH, found, &count, &err),
		      err);
	KC_CHECK_INT(count, 0);
}

static void licences_have_names(void)
{
	static const struct {
		const char *text, *spdx;
	} rows[] = {
		{ "MIT", "MIT" },
		{ "mit", "MIT" },
		{ "BSD 3-Clause License", "BSD-3-Clause" },
		{ "Apache 2.0", "Apache-2.0" },
		{ "BSD License", NULL }, /* which one? */
		{ "Apache Software License", NULL },
		{ "Dual License", NULL },
		{ "", NULL },
	};

	KC_CLEANUP_COMPONENTS struct kc_components *components = NULL;
	struct kc_error err = { 0 };

	KC_REQUIRE_OK(load(NULL, &components, &err), err);
	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		const char *got = kc_components_spdx(components, rows[i].text);

		KC_CHECK_STRING(or_empty(got), or_empty(rows[i].spdx));
	}
}

static void bad_data_is_refused(void)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{ "{}", "spdx" },
		{ "{\"spdx\":[],\"components\":{},\"license_names\":[]}", "components" },
		{ "{\"spdx\":[],\"components\":[],\"license_names\":[{\"name\":\"x\",\"license\":\"y\"}]}",
		  "the licence \"y\" is not among \"spdx\"" },
		{ "{\"spdx\":[],\"components\":[],\"license_names\":[],\"more\":1}", "more" },
		{ "{\"spdx\":[],\"components\":[{\"name\":\"x\",\"marks\":[]}],\"license_names\":[]}",
		  "one to 8 marks" },
		{ MARK("{\"files\":\"*\",\"begins\":\"x\",\"pattern\":\"x(\"}"), "does not compile" },
		{ MARK("{\"files\":\"*\",\"begins\":\"x\",\"pattern\":\"x\"}"), "has no group" },
		{ MARK("{\"files\":\"*\",\"begin\":\"x\",\"pattern\":\"(x)\"}"), "begin" },
		{ MARK("{\"files\":\"*\",\"pattern\":\"(x)\"}"), "begins" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_COMPONENTS struct kc_components *components = NULL;
		struct kc_error err = { 0 };

		KC_CHECK_INT(load(rows[i].text, &components, &err), -EBADMSG);
		KC_CHECK_CONTAINS(err.text, rows[i].says);
		KC_CHECK(!components);
	}
}

KC_TEST_SUITE(components, KC_LABEL_FAST, KC_TEST(strings_tell_versions), KC_TEST(what_is_scanned_is_bounded),
	      KC_TEST(licences_have_names), KC_TEST(bad_data_is_refused));
