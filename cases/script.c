#include "cases/script.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/embedded.h"

/* Lines NAME=VALUE, each a property. True if one of them is done=NAME: an early exit with status 0 is no success. */
static bool take_facts(char *text, const char *name, struct kc_result *result)
{
	bool done = false;
	char *rest = text;

	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		char *value = strchr(line, '=');

		if (!value)
			continue;
		*value++ = '\0';
		if (strcmp(line, "done") == 0)
			done = strcmp(value, name) == 0;
		else
			kc_result_property(result, line, "%s", value);
	}
	return done;
}

bool kc_script_run(const struct kc_case *row, const struct kc_case_context *context, const char *argument,
		   struct kc_program *program, struct kc_result *result)
{
	KC_CLEANUP_FREE char *facts = NULL;
	const char *argv[] = { KC_PYTHON, "-c", NULL, row->name, argument, NULL };
	struct kc_error err = { 0 };
	size_t length;

	if (!kc_embedded_find("cases/runtime.py", &argv[2], &length)) {
		kc_result_broken(result, "cases/runtime.py is not part of this program");
		return false;
	}
	if (kc_program_run(context, argv, kc_environment_plain, program, &err) < 0) {
		kc_result_broken_by(result, &err);
		return false;
	}
	if (!kc_program_succeeded(program, context, row->name, result))
		return false;
	facts = strdup(kc_buffer_string(&program->output));
	if (!facts) {
		kc_result_broken(result, "keep what the program printed: %s", strerror(ENOMEM));
		return false;
	}
	if (!take_facts(facts, row->name, result)) {
		kc_result_fail(result, "the check comes to its end", "exit status 0 before that",
			       "%s: the interpreter ended early", row->name);
		return false;
	}
	return true;
}
