/*
 * The result record: what one case found out. Written once by the case that ran, only read after that; every
 * report is a view of these records. This header depends on base/ alone.
 *
 * Life cycle: 1. kc_result_init  2. the kc_result_* setters  3. readers  4. kc_result_release (NULL-safe,
 * idempotent). A record that nothing was reported into is BROKEN: "reported nothing" is not a pass. The
 * setters copy what they are given, cut it at the record's limits, and never fail: out of memory turns the
 * record into BROKEN and says so.
 */
#ifndef KC_REPORTS_RESULT_H
#define KC_REPORTS_RESULT_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum kc_verdict {
	KC_BROKEN = 0, /* the check could not be made; JUnit `error` */
	KC_PASS,
	KC_FAIL, /* the volume broke a promise; JUnit `failure` */
	KC_SKIP	 /* with its reason; JUnit `skipped` */
};

struct kc_property {
	char *name;
	char *value;
};

/* A number that a case found out. Of repeated runs `value` is the median, `lowest` and `highest` are the extremes; of one run
 * all three are the same. */
struct kc_measurement {
	char *name;
	char *unit; /* "s", "pings"; "" for a plain number */
	double value, lowest, highest;
	double least, most; /* what is promised; NAN: no limit on that side */
};

/* What came of a case before it was tried again. */
struct kc_attempt {
	enum kc_verdict verdict; /* not PASS */
	char *message;		 /* the cause in one line */
	int64_t duration_ms;
};

struct kc_result {
	enum kc_verdict verdict;
	char *message;	/* FAIL and BROKEN: the cause in one line; SKIP: the reason; PASS: NULL or a remark */
	char *expected; /* FAIL: what was promised; may be NULL */
	char *got;	/* FAIL: what was found; may be NULL */
	char *hint;	/* the next step; may be NULL */
	char *output;	/* the program's own output, head and tail, raw bytes without NULs; may be NULL */
	struct kc_property *properties;
	size_t property_count;
	struct kc_measurement *measurements;
	size_t measurement_count;
	struct kc_attempt *attempts; /* the earlier ones, first one first. A PASS that has some is flaky */
	size_t attempt_count;
	int64_t duration_ms; /* of the last attempt */
};

/* How the message begins of what is BROKEN only because --must-run takes no skip for an answer; then comes why it was skipped. */
#define KC_RESULT_MUST_RUN "skipped, although it must run: "

void kc_result_init(struct kc_result *result);
void kc_result_release(struct kc_result *result);

/* The verdict. The last one wins, but nothing except another FAIL replaces a FAIL, and nothing turns an explicit BROKEN into a
 * PASS or a SKIP. */
void kc_result_pass(struct kc_result *result);
void kc_result_fail(struct kc_result *result, const char *expected, const char *got, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
void kc_result_broken(struct kc_result *result, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* BROKEN with the text and hint of `err`. */
void kc_result_broken_by(struct kc_result *result, const struct kc_error *err);
void kc_result_skip(struct kc_result *result, const char *format, ...) __attribute__((format(printf, 2, 3)));

void kc_result_hint(struct kc_result *result, const char *format, ...) __attribute__((format(printf, 2, 3)));
void kc_result_output(struct kc_result *result, const char *bytes, size_t length);
/* A fact, in the order of the calls; a second one of the same name replaces the first. */
void kc_result_property(struct kc_result *result, const char *name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The same for a number, without limits or between those that are not NAN. What is not finite makes the record BROKEN. */
void kc_result_measure(struct kc_result *result, const char *name, const char *unit, double value,
		       double least, double most);
/* The measurement in one line, in the C locale's digits: "20.001 s (promised: 19.500 to 20.500)". Cut at `size`, of which
 * KC_MEASUREMENT_TEXT_MAX is always enough. */
#define KC_MEASUREMENT_TEXT_MAX 320
void kc_measurement_text(const struct kc_measurement *measurement, char *ret_text, size_t size);

/* Remembers what came of the case the time before, and of the times before that: to be called once, with a record that did not
 * pass. A flaky PASS stays a PASS. */
void kc_result_add_attempt(struct kc_result *result, const struct kc_result *earlier);

static inline bool kc_result_is_flaky(const struct kc_result *result)
{
	return result->verdict == KC_PASS && result->attempt_count > 0;
}

/* Copies the record `from`, of any origin, over the fresh record `result`. */
void kc_result_copy(struct kc_result *result, const struct kc_result *from);

/* The message for a reader: never NULL, and a record that nothing was reported into says so. Borrowed. */
const char *kc_result_message(const struct kc_result *result);

/* "pass", "fail", "broken", "skip". */
const char *kc_verdict_name(enum kc_verdict verdict);

/* The same with all the numbers of a measurement, as merging runs and reading files make them; its name and unit do not count. */
void kc_result_add_measurement(struct kc_result *result, const char *name, const char *unit,
			       const struct kc_measurement *numbers);

/* The record as JSON, to be printed, and back. Text that is not UTF-8 is carried byte for byte (as JSON escapes of a private
 * kind, see result.c). The caller deletes *ret_json; on failure of the reader `result` is as kc_result_init
 * left it. */
int kc_result_to_json(const struct kc_result *result, cJSON **ret_json, struct kc_error *err)
	__attribute__((warn_unused_result));
int kc_result_from_json(const cJSON *json, struct kc_result *result, struct kc_error *err)
	__attribute__((warn_unused_result));

#endif
