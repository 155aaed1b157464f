/* `plan` as CI sees it: one line of JSON that makes its jobs, or an error. */
#include <cjson/cJSON.h>
#include <string.h>

#include "base/json.h"
#include "options.h"
#include "sys/process.h"
#include "tests/kc_test.h"

enum { MOST_WORDS = 10 };

static void run_plan(const char *const words[MOST_WORDS], int expected, struct kc_buffer *output,
		     struct kc_buffer *errors)
{
	const char *argv[MOST_WORDS + 3] = { KC_TEST_PROGRAM, "plan" };
	const struct kc_process process = {
		.argv = argv, .timeout_ms = 60000, .output = output, .errors = errors
	};
	struct kc_error err = { 0 };
	int status = -1;

	memcpy(argv + 2, words, MOST_WORDS * sizeof(*words));
	KC_CHECK_OK(kc_process_run(&process, &status, &err), err);
	KC_CHECK_MESSAGE(status == expected, "%s: exit status %d\n%s", words[0] ? words[0] : "", status,
			 kc_buffer_string(errors));
}

#define GNU "--distro=static-gnu", "--arch=x86_64"

static void the_line_says_what_it_should(void)
{
	static const struct {
		const char *words[MOST_WORDS];
		int status;
		const char *output, *errors;
	} rows[] = {
		{ { "--distro=alpine", "--arch=aarch64", "--format=github-matrix" },
		  KC_EXIT_PASSED,
		  "{\"include\":[{\"name\":\"alpine3.21-aarch64\",\"image\":\"alpine3.21\",\"arch\":"
		  "\"aarch64\","
		  "\"shard\":\"1/1\",\"runner\":\"ubuntu-24.04\"}]}\n",
		  "" },
		{ { "--distro=musllinux_1_2", "--arch=x86_64", "--format=github-matrix", "--shards=2" },
		  KC_EXIT_PASSED,
		  "\"name\":\"alpine3.21-x86_64-2of2\",\"image\":\"alpine3.21\",\"arch\":\"x86_64\","
		  "\"shard\":\"2/2\"",
		  "" },
		{ { GNU }, KC_EXIT_PASSED, "centos7  ", "" },
		{ { NULL }, KC_EXIT_USAGE, "", "--volume or --distro is missing" },
		{ { GNU, "--volume=x" }, KC_EXIT_USAGE, "", "exclude each other" },
		{ { GNU, "--shards=0" }, KC_EXIT_USAGE, "", "--shards: `0` is not" },
		{ { GNU, "--shards=256" }, KC_EXIT_USAGE, "", "more than 256 jobs" },
		{ { "--distro=centos" }, KC_EXIT_NOT_RUN, "", "does not know volumes of kind `centos`" },
		{ { GNU, "--format=github" }, KC_EXIT_USAGE, "", "unknown FORMAT `github`" },
		{ { "--volume=/no/such/file" }, KC_EXIT_NOT_RUN, "", "/no/such/file" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_BUFFER struct kc_buffer output = KC_BUFFER_INIT(1u << 20);
		KC_CLEANUP_BUFFER struct kc_buffer errors = KC_BUFFER_INIT(1u << 20);

		run_plan(rows[i].words, rows[i].status, &output, &errors);
		KC_CHECK_CONTAINS(kc_buffer_string(&output), rows[i].output);
		KC_CHECK_CONTAINS(kc_buffer_string(&errors), rows[i].errors);
		KC_CHECK_INT(output.length == 0, !*rows[i].output);
	}
}

/* GitHub takes it for one value: it ends with its only line feed. Names are those of artifacts, each its own. */
static void a_matrix_is_one_line_of_rows_with_names_of_their_own(void)
{
	static const char *const words[MOST_WORDS] = { GNU, "--format=github-matrix", "--shards=3" };
	KC_CLEANUP_BUFFER struct kc_buffer output = KC_BUFFER_INIT(1u << 20),
					   errors = KC_BUFFER_INIT(1u << 20);
	KC_CLEANUP_JSON cJSON *matrix = NULL;
	const cJSON *include, *row, *other;
	struct kc_error err = { 0 };

	run_plan(words, KC_EXIT_PASSED, &output, &errors);
	KC_REQUIRE(output.length > 0);
	KC_CHECK(strchr(kc_buffer_string(&output), '\n') == kc_buffer_string(&output) + output.length - 1);
	KC_REQUIRE_OK(kc_json_parse(kc_buffer_string(&output), output.length, "matrix", &matrix, &err), err);
	include = cJSON_GetObjectItemCaseSensitive(matrix, "include");
	KC_CHECK_INT(cJSON_GetArraySize(include) % 3, 0);
	KC_CHECK(cJSON_GetArraySize(include) >= 6);
	cJSON_ArrayForEach(row, include)
	{
		const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(row, "name"));

		KC_REQUIRE(name != NULL);
		KC_CHECK(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-") == strlen(name));
		for (other = row->next; other; other = other->next)
			KC_CHECK(strcmp(cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(other, "name")),
					name) != 0);
	}
}

KC_TEST_SUITE(plan_command, KC_LABEL_FAST, KC_TEST(the_line_says_what_it_should),
	      KC_TEST(a_matrix_is_one_line_of_rows_with_names_of_their_own));
