/* The time that goes into what is published, so that the same input gives the same bytes. */
#ifndef KC_RELEASE_SOURCE_DATE_H
#define KC_RELEASE_SOURCE_DATE_H

#include <stdint.h>

#include "base/error.h"

/* "2026-11-29T01:37:45Z", with the NUL. */
#define KC_TIMESTAMP_SIZE 21

/* SOURCE_DATE_EPOCH if that is set (https://reproducible-builds.org/specs/source-date-epoch/), else now: seconds since 1970. -EINVAL, of kind KC_ERROR_USAGE,
 * for a value that is no whole number up to the year 9999. */
int kc_source_date(int64_t *ret_seconds, struct kc_error *err) __attribute__((warn_unused_result));

/* In UTC. `seconds` is what kc_source_date gives. */
void kc_timestamp(int64_t seconds, char ret_text[KC_TIMESTAMP_SIZE]);

#endif
