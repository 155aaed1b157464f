/*
 * Many runs of one case as one result: whether they agree, and how far apart what they measured lies.
 *
 * One verdict for all is the verdict, with the record of the first run. Different verdicts are a flake, and red: FAIL if any run
 * failed, else BROKEN, whose message counts them and quotes the first of the worst. A measurement has
 * the median of the runs and their extremes; a property that differs says so. The duration is the sum.
 *
 * Life cycle: 1. zeroed  2. kc_repeat_add each run's record, in their order  3. kc_repeat_merge  4. kc_repeat_release
 * (idempotent). Holds at most one record of each verdict, and a number a run of each measurement.
 */
#ifndef KC_RUN_REPEAT_H
#define KC_RUN_REPEAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "reports/result.h"

#define KC_REPEAT_LISTED 10 /* runs that differ from the others and are named */

struct kc_repeat_property {
	char *name;
	char *text; /* of the first run that has it */
	bool differs;
};

struct kc_repeat_measurement {
	struct kc_measurement first;
	double *values; /* of every run that has it */
	size_t count;
};

struct kc_repeat {
	unsigned int count;
	unsigned int counts[KC_SKIP + 1];      /* by verdict */
	struct kc_result firsts[KC_SKIP + 1];  /* of each verdict there was */
	unsigned int listed[KC_REPEAT_LISTED]; /* the first runs that did not pass, from 1 */
	struct kc_repeat_property *properties;
	size_t property_count;
	struct kc_repeat_measurement *measurements;
	size_t measurement_count;
	int64_t duration_ms;
	bool is_incomplete; /* out of memory: merged, it is BROKEN */
};

#define KC_CLEANUP_REPEAT KC_CLEANUP(kc_repeat_release)

void kc_repeat_add(struct kc_repeat *repeat, const struct kc_result *result);

/* Into a fresh record. One run is itself. */
void kc_repeat_merge(const struct kc_repeat *repeat, struct kc_result *result);

void kc_repeat_release(struct kc_repeat *repeat);

#endif
