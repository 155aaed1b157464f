/* What the commands print. All of it passes through reports/text.h: no byte from outside steers a terminal.
 */
#ifndef KC_OUTPUT_H
#define KC_OUTPUT_H

#include "base/buffer.h"
#include "base/error.h"

/* Writes to standard output, as it is: what was asked for, such as a list or a help text. A reader that went
 * away early is no error. */
int kc_output_write(const struct kc_buffer *text, struct kc_error *err) __attribute__((warn_unused_result));

/* Appends one line of a list: two columns, made safe. 0, -E2BIG or -ENOMEM. */
int kc_output_row(struct kc_buffer *text, const char *name, const char *what)
	__attribute__((warn_unused_result));

/* Tells standard error "TITLE: TEXT". */
void kc_output_note(const char *title, const char *text);

/* Tells standard error: "krunner-compat: TEXT", and "hint: HINT" on a line of its own if there is one. */
void kc_output_error(const struct kc_error *err);

#endif
