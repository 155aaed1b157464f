/* Statements: the bytes, and what is refused to be said. */
#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "release/statement.h"
#include "tests/kc_test.h"

#define DIGEST_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define DIGEST_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static const struct kc_resource two_subjects[] = { { .name = "b.whl", .sha256 = DIGEST_B },
						   { .name = "a.tar.xz", .sha256 = DIGEST_A } };
static const struct kc_resource turned_subjects[] = { { .name = "a.tar.xz", .sha256 = DIGEST_A },
						      { .name = "b.whl", .sha256 = DIGEST_B } };
static const struct kc_resource image = { .name = "centos7", .uri = "oci:example.org/c", .sha256 = DIGEST_B };
static const char *const two_tests[] = { "centos7.imports.zmq", "alpine.imports.ssl" };
static const char *const turned_tests[] = { "alpine.imports.ssl", "centos7.imports.zmq" };
static const char *const one_test[] = { "centos7.imports.zmq" };

static struct kc_test_result good_result(void)
{
	return (struct kc_test_result){ .subjects = { two_subjects, 2 },
					.configuration = { &image, 1 },
					.is_passed = true,
					.passed = { two_tests, 2 } };
}

static struct kc_provenance good_provenance(void)
{
	static const struct kc_parameter parameters[] = { { "version", "1 \"q\" \\" }, { "arch", "x86_64" } };

	return (struct kc_provenance){ .subjects = { two_subjects, 2 },
				       .build_type = "https://example.org/type",
				       .parameters = parameters,
				       .parameter_count = 2,
				       .dependencies = { &image, 1 },
				       .builder_id = "https://example.org/builder",
				       .invocation_id = "run-1",
				       .started_on_s = 951782399 };
}

static void writes_a_test_result(void)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(KC_STATEMENT_LIMIT);
	struct kc_test_result result = good_result();
	struct kc_error err = { 0 };

	KC_REQUIRE_OK(kc_statement_test_result(&result, &text, &err), err);
	KC_CHECK_STRING(
		kc_buffer_string(&text),
		"{\"_type\":\"https://in-toto.io/Statement/v1\",\"subject\":["
		"{\"name\":\"a.tar.xz\",\"digest\":{\"sha256\":\"" DIGEST_A "\"}},"
		"{\"name\":\"b.whl\",\"digest\":{\"sha256\":\"" DIGEST_B "\"}}],"
		"\"predicateType\":\"https://in-toto.io/attestation/test-result/v0.1\",\"predicate\":{"
		"\"result\":\"PASSED\",\"configuration\":[{\"name\":\"centos7\",\"uri\":\"oci:example.org/"
		"c\","
		"\"digest\":{\"sha256\":\"" DIGEST_B "\"}}],"
		"\"passedTests\":[\"alpine.imports.ssl\",\"centos7.imports.zmq\"],"
		"\"warnedTests\":[],\"failedTests\":[]}}\n");
}

static void writes_a_provenance(void)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(KC_STATEMENT_LIMIT);
	struct kc_provenance provenance = good_provenance();
	struct kc_error err = { 0 };

	KC_REQUIRE_OK(kc_statement_provenance(&provenance, &text, &err), err);
	KC_CHECK_CONTAINS(kc_buffer_string(&text),
			  "\"predicateType\":\"https://slsa.dev/provenance/v1\",\"predicate\":{"
			  "\"buildDefinition\":{\"buildType\":\"https://example.org/type\","
			  "\"externalParameters\":{\"arch\":\"x86_64\",\"version\":\"1 \\\"q\\\" \\\\\"},"
			  "\"resolvedDependencies\":[{\"name\":\"centos7\"");
	KC_CHECK_CONTAINS(
		kc_buffer_string(&text),
		"\"runDetails\":{\"builder\":{\"id\":\"https://example.org/builder\"},\"metadata\":{"
		"\"invocationId\":\"run-1\",\"startedOn\":\"2000-02-28T23:59:59Z\"}}}}\n");
}

static void order_does_not_matter(void)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(KC_STATEMENT_LIMIT);
	KC_CLEANUP_BUFFER struct kc_buffer turned = KC_BUFFER_INIT(KC_STATEMENT_LIMIT);
	struct kc_test_result result = good_result();
	struct kc_error err = { 0 };

	KC_REQUIRE_OK(kc_statement_test_result(&result, &text, &err), err);
	result.subjects.items = turned_subjects;
	result.passed.items = turned_tests;
	KC_REQUIRE_OK(kc_statement_test_result(&result, &turned, &err), err);
	KC_CHECK_STRING(kc_buffer_string(&turned), kc_buffer_string(&text));
	result.passed.count = 1; /* the control: another story has other bytes */
	kc_buffer_clear(&turned);
	KC_REQUIRE_OK(kc_statement_test_result(&result, &turned, &err), err);
	KC_CHECK(strcmp(kc_buffer_string(&turned), kc_buffer_string(&text)) != 0);
}

static const struct kc_resource bad_resources[] = {
	{ .name = "short", .sha256 = "abc" },
	{ .name = "none" },
	{ .name = "upper", .sha256 = "AAAAAAAA" },
	{ .name = "a\nb", .sha256 = DIGEST_A },
	{ .name = "\xc3\xa9", .sha256 = DIGEST_A },
	{ .sha256 = DIGEST_A },
	{ .media_type = "text/plain" },
	{ .uri = "not a uri" },
	{ .name = "", .sha256 = DIGEST_A },
};
static const struct kc_resource same_name[] = { { .name = "a", .sha256 = DIGEST_A },
						{ .name = "a", .sha256 = DIGEST_B } };
static const struct kc_resource same_twice[] = { { .name = "a" }, { .name = "a" } };

static void refuses_what_is_no_test_result(void)
{
	static const char *const twice[] = { "a.b.c", "a.b.c" };
	static const char *const empty[] = { "" };
	static const struct {
		const char *expected;
		struct kc_resources subjects, configuration;
		struct kc_test_names passed, failed;
		const char *url;
	} rows[] = {
		{ .expected = "it has no subject", .subjects = { two_subjects, 0 } },
		{ .expected = "subject `short` has the SHA-256 `abc`", .subjects = { &bad_resources[0], 1 } },
		{ .expected = "subject `none` has no SHA-256", .subjects = { &bad_resources[1], 1 } },
		{ .expected = "`AAAAAAAA`, which is not 64", .subjects = { &bad_resources[2], 1 } },
		{ .expected = "subject has other characters", .subjects = { &bad_resources[3], 1 } },
		{ .expected = "subject has other characters", .subjects = { &bad_resources[4], 1 } },
		{ .expected = "a subject is empty", .subjects = { &bad_resources[5], 1 } },
		{ .expected = "a subject is empty", .subjects = { &bad_resources[8], 1 } },
		{ .expected = "the subject `a` is named twice", .subjects = { same_name, 2 } },
		{ .expected = "no name, URI or digest", .configuration = { &bad_resources[6], 1 } },
		{ .expected = "`not a uri` is no URI", .configuration = { &bad_resources[7], 1 } },
		{ .expected = "the configuration `a` is named twice", .configuration = { same_twice, 2 } },
		{ .expected = "does not say what the tests ran on", .configuration = { &image, 0 } },
		{ .expected = "PASSED, and a test failed", .failed = { one_test, 1 } },
		{ .expected = "PASSED, and no test passed", .passed = { one_test, 0 } },
		{ .expected = "the test `a.b.c` is named twice", .passed = { twice, 2 } },
		{ .expected = "a test is empty", .passed = { empty, 1 } },
		{ .expected = "URL `ftp` is no URI", .url = "ftp" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(KC_STATEMENT_LIMIT);
		struct kc_test_result result = good_result();
		struct kc_error err = { 0 };

		result.subjects = rows[i].subjects.items ? rows[i].subjects : result.subjects;
		result.configuration =
			rows[i].configuration.items ? rows[i].configuration : result.configuration;
		result.passed = rows[i].passed.items ? rows[i].passed : result.passed;
		result.failed = rows[i].failed;
		result.url = rows[i].url;
		KC_CHECK_INT(kc_statement_test_result(&result, &text, &err), -EINVAL);
		KC_CHECK_CONTAINS(err.text, rows[i].expected);
		KC_CHECK_INT(text.length, 0);
	}
}

static void a_test_has_one_outcome(void)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(KC_STATEMENT_LIMIT);
	struct kc_test_result result = good_result();
	struct kc_error err = { 0 };

	result.is_passed = false;
	KC_CHECK_OK(kc_statement_test_result(&result, &text, &err), err);
	KC_CHECK_CONTAINS(kc_buffer_string(&text), "\"result\":\"FAILED\"");
	result.failed = (struct kc_test_names){ one_test, 1 };
	KC_CHECK_INT(kc_statement_test_result(&result, &text, &err), -EINVAL);
	KC_CHECK_CONTAINS(err.text, "the test `centos7.imports.zmq` is named twice");
}

static void refuses_what_is_no_provenance(void)
{
	static const struct kc_parameter twice[] = { { "a", "1" }, { "a", "2" } };
	static const struct kc_parameter empty[] = { { "a", NULL } };
	static const struct {
		const char *expected;
		const char *build_type, *builder_id;
		const struct kc_parameter *parameters;
		size_t parameter_count;
		int64_t started_on_s;
	} rows[] = {
		{ "build type `release` is no URI", .build_type = "release" },
		{ "builder `me` is no URI", .builder_id = "me" },
		{ "parameter `a` is named twice", .parameters = twice, .parameter_count = 2 },
		{ "a parameter is empty", .parameters = empty, .parameter_count = 1 },
		{ "the time -1 is not between", .started_on_s = -1 },
		{ "the time 253402300800 is not between", .started_on_s = 253402300800 },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(KC_STATEMENT_LIMIT);
		struct kc_provenance provenance = good_provenance();
		struct kc_error err = { 0 };

		provenance.build_type = rows[i].build_type ? rows[i].build_type : provenance.build_type;
		provenance.builder_id = rows[i].builder_id ? rows[i].builder_id : provenance.builder_id;
		if (rows[i].parameters) {
			provenance.parameters = rows[i].parameters;
			provenance.parameter_count = rows[i].parameter_count;
		}
		provenance.started_on_s = rows[i].started_on_s;
		KC_CHECK_INT(kc_statement_provenance(&provenance, &text, &err), -EINVAL);
		KC_CHECK_CONTAINS(err.text, rows[i].expected);
	}
}

static void says_when_it_does_not_fit(void)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(100);
	struct kc_test_result result = good_result();
	struct kc_error err = { 0 };

	KC_CHECK_INT(kc_statement_test_result(&result, &text, &err), -E2BIG);
	KC_CHECK_INT(text.length, 0);
	KC_CHECK_CONTAINS(err.text, "make a statement");
}

KC_TEST_SUITE(statement, KC_LABEL_FAST, KC_TEST(writes_a_test_result), KC_TEST(writes_a_provenance),
	      KC_TEST(order_does_not_matter), KC_TEST(refuses_what_is_no_test_result),
	      KC_TEST(a_test_has_one_outcome), KC_TEST(refuses_what_is_no_provenance),
	      KC_TEST(says_when_it_does_not_fit));
