/*
 * Errors: what failed, why, and what to do about it.
 *
 * Every function that can fail for a reason a user may have to act on returns 0 or a negative errno and takes
 * a `struct kc_error *err` as its last parameter. The caller owns it; it needs no release, and filling it
 * allocates nothing, so it works out of memory and in a child after clone(2).
 *
 * Invariant: a function that returns < 0 has set `err`, one that returns >= 0 has left it alone.
 *
 * A message reads "verb object: cause" ("open `/x`: Permission denied"). A caller adds one prefix per
 * boundary that knows more ("image centos7"), never the same thing twice. A hint is the next step for the
 * person who reads it. `err` may be NULL where the caller does not want to know.
 */
#ifndef KC_BASE_ERROR_H
#define KC_BASE_ERROR_H

#include <stdarg.h>

/* What the exit status is decided by, DESIGN section 5. */
enum kc_error_kind {
	KC_ERROR_RUN = 0,  /* the check could not be run: exit 3 */
	KC_ERROR_USAGE,	   /* the command line is wrong: exit 2 */
	KC_ERROR_SELECTION /* nothing was selected: exit 4 */
};

struct kc_error {
	int code; /* negative errno, 0 while nothing failed */
	enum kc_error_kind kind;
	char text[1024];
	char hint[512]; /* "" where there is nothing to advise */
};

/* Both return `-errno_value`, so that a caller can write `return kc_error_set(...)`. An errno_value of 0
 * counts as EIO: a failure never returns success. kc_error_set states the cause in the text; kc_error_errno
 * appends strerror. */
int kc_error_set(struct kc_error *err, int errno_value, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
int kc_error_errno(struct kc_error *err, int errno_value, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* "TEXT" becomes "PREFIX: TEXT". Returns err->code, for `return kc_error_prefix(...)`. */
int kc_error_prefix(struct kc_error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Replaces the hint. */
void kc_error_hint(struct kc_error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

void kc_error_clear(struct kc_error *err);

#endif
