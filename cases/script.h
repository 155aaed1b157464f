/*
 * Running a check of runtime.py: shared by the case files of this folder.
 */
#ifndef KC_CASES_SCRIPT_H
#define KC_CASES_SCRIPT_H

#include <stdbool.h>

#include "run/case.h"
#include "run/context.h"
#include "run/program.h"

/* Runs the function that the row is named after, with `argument`. True if it exited with 0 and came to its last line; its
 * facts are properties of `result` then. Otherwise `result` says why not. */
bool kc_script_run(const struct kc_case *row, const struct kc_case_context *context, const char *argument,
		   struct kc_program *program, struct kc_result *result);

#endif
