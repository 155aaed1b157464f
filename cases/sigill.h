/*
 * Which file an illegal instruction is in: the emulated program is run once more, this time with the emulator telling every
 * system call, and what it mapped where is followed until the signal.
 */
#ifndef KC_CASES_SIGILL_H
#define KC_CASES_SIGILL_H

#include <limits.h>
#include <stdbool.h>

#include "base/buffer.h"
#include "base/error.h"
#include "run/context.h"

/* True if the emulator ended a program for an illegal instruction: `errors` is what was printed. */
bool kc_sigill_is_reported(const struct kc_buffer *errors);

/* Runs argv in a sandbox of the case, whose emulator must be set. *ret_path is the file as the program named it, inside the
 * image; "" if the signal did not come again. -ETIMEDOUT at the case's deadline. */
int kc_sigill_locate(const struct kc_case_context *context, const char *const argv[],
		     const char *const environment[], char ret_path[PATH_MAX], struct kc_error *err)
	__attribute__((warn_unused_result));

/* The same from the emulator's lines alone, of which `program` is the first program. The text is hostile. */
void kc_sigill_find(const char *text, const char *program, char ret_path[PATH_MAX]);

#endif
