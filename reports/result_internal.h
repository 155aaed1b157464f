/*
 * What the result record (result.c) shares with its JSON form (result_json.c), and with nobody else.
 */
#ifndef KC_REPORTS_RESULT_INTERNAL_H
#define KC_REPORTS_RESULT_INTERNAL_H

#include "reports/result.h"

enum {
	KC_RESULT_LINE_LIMIT = 4096,	/* message, hint, property */
	KC_RESULT_TEXT_LIMIT = 16384,	/* expected, got */
	KC_RESULT_OUTPUT_LIMIT = 65536, /* more than a kc_excerpt ever holds */
	KC_RESULT_UNIT_LIMIT = 16,
	KC_RESULT_PROPERTY_LIMIT = 256,
	KC_RESULT_ATTEMPT_LIMIT = 100
};

/* The message of a record that could not be made: it is never freed. */
extern char kc_result_out_of_memory[];

/* Replaces *text by a copy of at most `limit` bytes; NULs become a visible `\0`. */
void kc_result_set_text(struct kc_result *result, char **text, const char *bytes, size_t length,
			size_t limit);

/* Appends one attempt; the text is copied. */
void kc_result_append_attempt(struct kc_result *result, enum kc_verdict verdict, const char *message,
			      int64_t duration_ms);

#endif
