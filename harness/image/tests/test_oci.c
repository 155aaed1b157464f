/* The documents of container images, sound and hostile: HOSTILE section 2c. */
#include "image/oci.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "tests/kc_test.h"

#define A64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B64 "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C64 "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
#define BLOB(hex, bytes) "{\"mediaType\": \"x\", \"digest\": \"sha256:" hex "\", \"size\": " bytes "}"
#define MANIFEST(config, layers) "{\"schemaVersion\": 2, \"config\": " config ", \"layers\": [" layers "]}"
#define FOR(hex, os, arch, name)                                                                             \
	"{\"digest\": \"sha256:" hex "\", \"size\": 7, \"platform\": {\"os\": \"" os                         \
	"\", \"architecture\": \"" arch                                                                      \
	"\"}, \"annotations\": {\"org.opencontainers.image.ref.name\": \"" name "\"}}"
#define INDEX(entries) "{\"schemaVersion\": 2, \"manifests\": [" entries "]}"

static void digests_are_digits_before_anything_else(void)
{
	static const struct {
		const char *text;
		int status;
	} rows[] = {
		{ "sha256:" A64, 0 },
		{ "sha256:" A64 "a", -EINVAL },
		{ "sha256:../../../../etc/passwd", -EINVAL },
		{ "sha256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", -EINVAL },
		{ "sha512:" A64 A64, -EINVAL },
		{ "SHA256:" A64, -EINVAL },
		{ A64, -EINVAL },
		{ "", -EINVAL },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		char digest[KC_SHA256_HEX_SIZE] = "";
		struct kc_error err = { 0 };

		KC_CHECK_MESSAGE(kc_oci_digest(rows[i].text, digest, &err) == rows[i].status, "%s: %s",
				 rows[i].text, err.text);
		KC_CHECK_STRING(digest, rows[i].status == 0 ? A64 : "");
	}
}

static void a_document_is_an_index_or_a_manifest_and_not_both(void)
{
	static const struct {
		const char *text;
		int status; /* or the kind */
		const char *error;
	} rows[] = {
		{ INDEX(""), KC_OCI_INDEX, NULL },
		{ MANIFEST(BLOB(A64, "1"), BLOB(B64, "2")), KC_OCI_MANIFEST, NULL },
		{ "{\"schemaVersion\": 2, \"manifests\": [], \"layers\": []}", -EBADMSG, "at once" },
		{ "{\"schemaVersion\": 2, \"manifests\": [], \"config\": {}}", -EBADMSG, "at once" },
		{ "{\"schemaVersion\": 2}", -EBADMSG, "neither" },
		{ "{\"schemaVersion\": 1, \"fsLayers\": []}", -EBADMSG, "Docker before 2017" },
		{ "{\"manifests\": []}", -EBADMSG, "\"schemaVersion\" must be 2" },
		{ "{\"schemaVersion\": 2, \"layers\": [], \"layers\": []}", -EBADMSG, "layers" },
		{ "[]", -EBADMSG, "schemaVersion" },
		{ "<html>", -EBADMSG, "doc" },
		{ "", -EBADMSG, "doc" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		enum kc_oci_kind kind = KC_OCI_INDEX;
		struct kc_error err = { 0 };
		int status = kc_oci_kind(rows[i].text, strlen(rows[i].text), "doc", &kind, &err);

		KC_CHECK_MESSAGE((rows[i].error ? status : (int)kind) == rows[i].status, "%s: %d %s",
				 rows[i].text, status, err.text);
		if (rows[i].error)
			KC_CHECK_CONTAINS(err.text, rows[i].error);
	}
}

static void the_manifest_for_the_platform_is_chosen(void)
{
	static const char two[] = INDEX(FOR(A64, "linux", "amd64", "") "," FOR(
		B64, "linux", "arm64", "") "," FOR(C64, "unknown", "unknown", ""));
	static const char named[] =
		INDEX(FOR(A64, "linux", "amd64", "old") "," FOR(B64, "linux", "amd64", "new"));
	static const char windows[] = INDEX(FOR(A64, "windows", "amd64", ""));
	static const char variants[] =
		INDEX(FOR(A64, "linux", "arm64", "") "," FOR(B64, "linux", "arm64", ""));
	static const struct {
		const char *text, *architecture, *wanted;
		int status;
		const char *digest, *error, *hint;
	} rows[] = {
		{ two, "x86_64", "", 0, A64, NULL, NULL },
		{ two, "aarch64", "", 0, B64, NULL, NULL },
		{ variants, "aarch64", "", 0, A64, NULL, NULL },
		{ named, "x86_64", "new", 0, B64, NULL, NULL },
		{ INDEX(BLOB(C64, "3")), "x86_64", "", 0, C64, NULL, NULL },
		{ two, "riscv64", "", -ENOTSUP, NULL, "for linux/riscv64",
		  "linux/x86_64, linux/aarch64, unknown/unknown" },
		{ windows, "x86_64", "", -ENOTSUP, NULL, "for linux/x86_64", "windows/x86_64" },
		{ named, "x86_64", "", -EINVAL, NULL, "it holds `old` and `new`: say which", "" },
		{ named, "x86_64", "none", -ENOTSUP, NULL, "no image none for linux/x86_64",
		  "old linux/x86_64" },
		{ INDEX(""), "x86_64", "", -ENOTSUP, NULL, "no image", "it has: none" },
		{ INDEX("7"), "x86_64", "", -EBADMSG, NULL, "must be an object", "" },
		{ INDEX(BLOB("x", "3")), "x86_64", "", -EBADMSG, NULL, "is no digest", "" },
		{ INDEX(BLOB(A64, "99999999")), "x86_64", "", -EBADMSG, NULL, "a size of", "" },
		{ MANIFEST(BLOB(A64, "1"), BLOB(B64, "2")), "x86_64", "", -EBADMSG, NULL, "expected an index",
		  "" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		struct kc_oci_blob chosen = { .sha256 = "" };
		struct kc_error err = { 0 };
		int status = kc_oci_choose(rows[i].text, strlen(rows[i].text), "doc", rows[i].architecture,
					   rows[i].wanted, &chosen, &err);

		KC_CHECK_MESSAGE(status == rows[i].status, "row %zu: %d %s", i, status, err.text);
		if (rows[i].digest) {
			KC_CHECK_STRING(chosen.sha256, rows[i].digest);
			continue;
		}
		KC_CHECK_CONTAINS(err.text, rows[i].error);
		KC_CHECK_CONTAINS(err.hint, rows[i].hint);
	}
}

static void a_manifest_tells_the_layers_from_the_lowest_on(void)
{
	static const char text[] = MANIFEST(BLOB(A64, "10"), BLOB(B64, "20") "," BLOB(C64, "30"));
	struct kc_oci_manifest manifest;
	struct kc_error err = { 0 };

	KC_REQUIRE_OK(kc_oci_read_manifest(text, strlen(text), "doc", &manifest, &err), err);
	KC_CHECK_STRING(manifest.config.sha256, A64);
	KC_CHECK_INT(manifest.layer_count, 2);
	KC_CHECK_STRING(manifest.layers[0].sha256, B64);
	KC_CHECK_STRING(manifest.layers[1].sha256, C64);
	KC_CHECK_INT(manifest.layers[1].size, 30);
}

static void bad_manifests_are_refused(void)
{
	static const struct {
		const char *text, *error;
	} rows[] = {
		{ MANIFEST("{}", BLOB(B64, "20")), "digest" },
		{ MANIFEST("1", BLOB(B64, "20")), "must be an object" },
		{ MANIFEST(BLOB(A64, "10"), ""), "no layers" },
		{ MANIFEST(BLOB(A64, "10"), BLOB(B64, "-1")), "a size of -1" },
		{ MANIFEST(BLOB(A64, "10"), BLOB(B64, "0.5")), "a size of 0.5" },
		{ MANIFEST(BLOB(A64, "10"), BLOB(B64, "1e300")), "a size of 1e+300" },
		{ MANIFEST(BLOB(A64, "10"), BLOB(B64, "\"20\"")), "size" },
		{ MANIFEST(BLOB(A64, "10"),
			   "{\"digest\": \"sha256:" B64 "\", \"size\": 1, \"urls\": [\"http://x\"]}"),
		  "what lies elsewhere" },
		{ MANIFEST(BLOB("../x", "10"), BLOB(B64, "20")), "is no digest" },
		{ "{\"schemaVersion\": 2, \"layers\": {}, \"config\": " BLOB(A64, "10") "}", "layers" },
		{ INDEX(""), "expected a manifest" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		struct kc_oci_manifest manifest;
		struct kc_error err = { 0 };

		KC_CHECK_MESSAGE(kc_oci_read_manifest(rows[i].text, strlen(rows[i].text), "doc", &manifest,
						      &err) == -EBADMSG,
				 "%s: %s", rows[i].text, err.text);
		KC_CHECK_CONTAINS(err.text, rows[i].error);
	}
}

/* `count` times `item`, between `head` and `tail`. */
static void repeat(struct kc_buffer *text, const char *head, const char *item, int count, const char *tail)
{
	KC_CHECK_INT(kc_buffer_append_string(text, head), 0);
	for (int i = 0; i < count; i++)
		KC_CHECK_INT(kc_buffer_printf(text, "%s%s", i ? "," : "", item), 0);
	KC_CHECK_INT(kc_buffer_append_string(text, tail), 0);
}

static void layers_are_counted(void)
{
	for (int count = KC_LAYERS_MOST; count <= KC_LAYERS_MOST + 1; count++) {
		KC_CLEANUP_BUFFER struct kc_buffer manifest_text = KC_BUFFER_INIT(1 << 20);
		KC_CLEANUP_BUFFER struct kc_buffer config_text = KC_BUFFER_INIT(1 << 20);
		KC_CLEANUP_BUFFER struct kc_buffer saved_text = KC_BUFFER_INIT(1 << 20);
		int expected = count > KC_LAYERS_MOST ? -EBADMSG : 0;
		struct kc_oci_manifest manifest;
		struct kc_oci_config config;
		struct kc_oci_saved saved;

		repeat(&manifest_text, "{\"schemaVersion\": 2, \"config\": " BLOB(A64, "1") ", \"layers\": [",
		       BLOB(B64, "2"), count, "]}");
		repeat(&config_text,
		       "{\"os\": \"linux\", \"architecture\": \"amd64\", \"rootfs\": {\"diff_ids\": [",
		       "\"sha256:" B64 "\"", count, "]}}");
		repeat(&saved_text, "[{\"Config\": \"c.json\", \"Layers\": [", "\"l.tar\"", count, "]}]");
		KC_CHECK_INT(kc_oci_read_manifest(manifest_text.data, manifest_text.length, "doc", &manifest,
						  NULL),
			     expected);
		KC_CHECK_INT(kc_oci_read_config(config_text.data, config_text.length, "doc", &config, NULL),
			     expected);
		KC_CHECK_INT(kc_oci_read_saved(saved_text.data, saved_text.length, "doc", "", &saved, NULL),
			     expected);
	}
}

#define CONFIG(os, arch, ids)                                                                                \
	"{\"os\": \"" os "\", \"architecture\": \"" arch                                                     \
	"\", \"rootfs\": {\"type\": \"layers\", \"diff_ids\": [" ids "]}}"

static void a_config_tells_the_digests_of_the_tars(void)
{
	static const struct {
		const char *text, *architecture, *error;
	} rows[] = {
		{ CONFIG("linux", "amd64", "\"sha256:" A64 "\",\"sha256:" B64 "\""), "x86_64", NULL },
		{ CONFIG("linux", "arm64", "\"sha256:" A64 "\",\"sha256:" B64 "\""), "aarch64", NULL },
		{ CONFIG("linux", "s390x", "\"sha256:" A64 "\",\"sha256:" B64 "\""), "s390x", NULL },
		{ CONFIG("windows", "amd64", "\"sha256:" A64 "\""), NULL, "an image for windows" },
		{ CONFIG("linux", "amd64", ""), NULL, "no layers" },
		{ CONFIG("linux", "amd64", "\"" A64 "\""), NULL, "must be of the form" },
		{ CONFIG("linux", "amd64", "7"), NULL, "must be of the form" },
		{ "{\"os\": \"linux\", \"architecture\": \"amd64\"}", NULL, "rootfs" },
		{ "[]", NULL, "os" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		struct kc_oci_config config;
		struct kc_error err = { 0 };
		int status = kc_oci_read_config(rows[i].text, strlen(rows[i].text), "doc", &config, &err);

		KC_CHECK_MESSAGE(status == (rows[i].error ? -EBADMSG : 0), "%s: %d %s", rows[i].text, status,
				 err.text);
		if (rows[i].error) {
			KC_CHECK_CONTAINS(err.text, rows[i].error);
			continue;
		}
		KC_CHECK_STRING(config.architecture, rows[i].architecture);
		KC_CHECK_STRING(config.diff_ids[0], A64);
		KC_CHECK_STRING(config.diff_ids[1], B64);
	}
}

#define SAVED(tag, config, layers)                                                                           \
	"{\"Config\": " config ", \"RepoTags\": [\"" tag "\"], \"Layers\": [" layers "]}"

static void what_docker_saved_is_found_by_its_tag(void)
{
	static const char one[] = "[" SAVED("a:1", "\"c.json\"", "\"x/layer.tar\", \"y/layer.tar\"") "]";
	static const char two[] =
		"[" SAVED("a:1", "\"c.json\"", "\"x\"") "," SAVED("b:2", "\"d.json\"", "\"y\"") "]";
	static const struct {
		const char *text, *wanted, *config, *error;
		int status;
	} rows[] = {
		{ one, "", "c.json", NULL, 0 },
		{ one, "a:1", "c.json", NULL, 0 },
		{ two, "b:2", "d.json", NULL, 0 },
		{ two, "", NULL, "several images: say which", -EINVAL },
		{ two, "c:3", NULL, "no image c:3", -ENOTSUP },
		{ "[]", "", NULL, "no image inside", -ENOTSUP },
		{ "{}", "", NULL, "must be an array", -EBADMSG },
		{ "[" SAVED("a:1", "7", "\"x\"") "]", "", NULL, "must be a text", -EBADMSG },
		{ "[" SAVED("a:1", "\"c.json\"", "") "]", "", NULL, "no layers", -EBADMSG },
		{ "[" SAVED("a:1", "\"c.json\"", "\"\"") "]", "", NULL, "must be a text", -EBADMSG },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		struct kc_oci_saved saved;
		struct kc_error err = { 0 };
		int status = kc_oci_read_saved(rows[i].text, strlen(rows[i].text), "doc", rows[i].wanted,
					       &saved, &err);

		KC_CHECK_MESSAGE(status == rows[i].status, "row %zu: %d %s", i, status, err.text);
		if (rows[i].error)
			KC_CHECK_CONTAINS(err.text, rows[i].error);
		else
			KC_CHECK_STRING(saved.config, rows[i].config);
	}
}

KC_TEST_SUITE(oci, KC_LABEL_FAST, KC_TEST(digests_are_digits_before_anything_else),
	      KC_TEST(a_document_is_an_index_or_a_manifest_and_not_both),
	      KC_TEST(the_manifest_for_the_platform_is_chosen),
	      KC_TEST(a_manifest_tells_the_layers_from_the_lowest_on), KC_TEST(bad_manifests_are_refused),
	      KC_TEST(layers_are_counted), KC_TEST(a_config_tells_the_digests_of_the_tars),
	      KC_TEST(what_docker_saved_is_found_by_its_tag));
