/* What is said of a program's end, without one. */
#include "run/program.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/embedded.h"
#include "compat/policy.h"
#include "image/image.h"
#include "run/context.h"
#include "tests/kc_test.h"

static void load_policy(struct kc_policy **ret_policy)
{
	struct kc_error err = { 0 };
	const char *text = NULL;
	size_t length = 0;

	KC_REQUIRE(kc_embedded_find("compat/policy.json", &text, &length));
	KC_REQUIRE_OK(kc_policy_load(text, length, "policy", ret_policy, &err), err);
}

static void an_end_has_its_verdict_and_its_cause(void)
{
	static const struct {
		struct kc_sandbox_outcome outcome;
		const char *errors;
		enum kc_verdict verdict;
		const char *message;
	} rows[] = {
		{ { .end = KC_END_EXITED }, "a warning\n", KC_PASS, "" },
		{ { .end = KC_END_EXITED, .status = 3 },
		  "one\nlast words\n\n",
		  KC_FAIL,
		  "import x: exit status 3: last words" },
		{ { .end = KC_END_EXITED, .status = 1 },
		  "ImportError: version `CXXABI_1.3.9' not found (required by /a/libzmq.so.5)\n",
		  KC_FAIL,
		  "libzmq.so.5 needs CXXABI_1.3.9: it was built against a newer libstdc++ than centos7 has "
		  "(its "
		  "newest is CXXABI_1.3.7)" },
		{ { .end = KC_END_KILLED, .status = SIGSEGV }, "", KC_FAIL, "a program crashed (SIGSEGV)" },
		{ { .end = KC_END_OUT_OF_MEMORY },
		  "",
		  KC_FAIL,
		  "import x: killed for using too much memory" },
		/* The same for every case, and whatever was printed by others. */
		{ { .end = KC_END_NOT_STARTED, .status = ENOENT },
		  "",
		  KC_FAIL,
		  "bin/python cannot be started: No such file or directory" },
		{ { .end = KC_END_NOT_STARTED, .status = ENOEXEC },
		  "",
		  KC_FAIL,
		  "bin/python cannot be started: Exec format error" },
		{ { .end = KC_END_NOT_STARTED, .status = ELOOP },
		  "",
		  KC_FAIL,
		  "bin/python cannot be started: Too many levels of symbolic links" },
		/* It ran too long before it knew: that may be this machine's doing. */
		{ { .end = KC_END_TIMEOUT, .status = SIGKILL },
		  "ModuleNotFoundError: No module named 'x'\n",
		  KC_BROKEN,
		  "import x: not done within 2.5 s; this machine may be too busy" },
	};
	static const char *const argv[] = { KC_PYTHON, "-V", NULL };
	struct kc_elf_ceiling ceilings[] = { { "GLIBC", "2.17" }, { "CXXABI", "1.3.7" } };
	const struct kc_image image = { .name = "centos7",
					.ceilings = ceilings,
					.ceiling_count = KC_ARRAY_LENGTH(ceilings) };
	KC_CLEANUP_POLICY struct kc_policy *policy = NULL;
	struct kc_case_context context = { .image = &image, .timeout_ms = 2500 };

	load_policy(&policy);
	context.policy = policy;
	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_PROGRAM struct kc_program program = { .argv = argv,
								 .outcome = rows[i].outcome,
								 .errors = KC_BUFFER_INIT(4096) };
		KC_CLEANUP(kc_result_release) struct kc_result result;

		kc_result_init(&result);
		KC_CHECK_INT(kc_buffer_append_string(&program.errors, rows[i].errors), 0);
		if (kc_program_succeeded(&program, &context, "import x", &result))
			kc_result_pass(&result);
		KC_CHECK_INT(result.verdict, rows[i].verdict);
		KC_CHECK_STRING(kc_result_message(&result), rows[i].message);
		KC_CHECK_STRING(result.output ? result.output : "", rows[i].errors);
	}
}

KC_TEST_SUITE(run_program, KC_LABEL_FAST, KC_TEST(an_end_has_its_verdict_and_its_cause));
