/*
 * Text of any origin in Markdown, as code, which nothing in it can end: what volumes, programs and people wrote is never read as
 * Markdown or HTML. It is made safe (reports/text.h), and cut where it is long.
 */
#ifndef KC_REPORTS_MARKDOWN_CODE_H
#define KC_REPORTS_MARKDOWN_CODE_H

#include <stdbool.h>

#include "reports/sink.h"

/* In the line, behind more backticks than there are together in the text; "-" for an empty one. In a table (`is_cell`) a bar ends the
 * cell, code or not; elsewhere the backslash before it would be seen. */
void kc_markdown_span(struct kc_sink *out, const char *text, bool is_cell);

/* Lines of their own. */
void kc_markdown_block(struct kc_sink *out, const char *text);

#endif
