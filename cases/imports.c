/* The modules that upstream promises, each imported by an interpreter of its own, in both environments. */
#include <stdio.h>
#include <string.h>

#include "cases/cases.h"
#include "run/program.h"

static void import_module(const struct kc_case *row, struct kc_case_context *context,
			  struct kc_result *result)
{
	char statement[160], script[512], last_words[160];
	const char *const argv[] = { KC_PYTHON, "-c", script, NULL };
	KC_CLEANUP_PROGRAM struct kc_program program = { 0 };
	struct kc_error err = { 0 };

	(void)snprintf(statement, sizeof(statement), "import %s", context->item);
	(void)snprintf(last_words, sizeof(last_words), "imported %s", context->item);
	/* Exit status 0 alone could be the module's own. */
	(void)snprintf(script, sizeof(script), "%s; print('\\n%s')", statement, last_words);
	if (kc_program_run(context, argv, row->environment, &program, &err) < 0)
		kc_result_broken_by(result, &err);
	else if (!kc_program_succeeded(&program, context, statement, result))
		return;
	else if (strstr(kc_buffer_string(&program.output), last_words))
		kc_result_pass(result);
	else
		kc_result_fail(result, "the import comes to its end", "exit status 0 before that",
			       "%s: the interpreter ended early", statement);
}

static const struct kc_case plain[] = {
	{ KC_CASE("import"), .what = "`import {item}` works", .each = KC_EACH_PROMISED_IMPORT,
	  .run = import_module, .environment = kc_environment_plain, .timeout_ms = 20000 },
};

static const struct kc_case production[] = {
	{ KC_CASE("import"), .what = "`import {item}` works with the agent's LD_LIBRARY_PATH",
	  .each = KC_EACH_PROMISED_IMPORT, .run = import_module, .environment = kc_environment_production,
	  .timeout_ms = 20000 },
};

const struct kc_case_table kc_cases_imports = {
	.group = "imports", .file = __FILE__, .rows = plain, .count = KC_ARRAY_LENGTH(plain)
};

const struct kc_case_table kc_cases_imports_production = { .group = "imports-production",
							   .file = __FILE__,
							   .rows = production,
							   .count = KC_ARRAY_LENGTH(production) };
