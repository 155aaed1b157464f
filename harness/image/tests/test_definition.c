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
	KC_REQUIRE(centos7.source_count == 1);
	KC_CHECK_STRING(centos7.sources[0].fidelity, "emulated");
	KC_CHECK(centos7.sources[0].package_count > 40 && centos7.sources[0].ceiling_count >= 4);
	KC_CHECK(kc_sha256_is_valid(centos7.digest));
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
	      KC_TEST(every_embedded_definition_is_valid_and_bears_its_name),
	      KC_TEST(unknown_names_list_the_known), KC_TEST(refuses_what_it_does_not_understand));
