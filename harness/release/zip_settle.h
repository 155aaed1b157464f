/*
 * A ZIP as libarchive writes it, made into one that says everything once: for every reader and on every machine the same bytes.
 *
 * libarchive does not know a checksum before the data have gone through it, and so puts a data descriptor behind each member,
 * which PyPI refuses and streaming installers cannot follow when the member is stored. It writes times in the zone of whoever
 * runs it, twice, and owners. Here sizes and checksums move into the local headers, the one time is the one that was asked for,
 * and nothing else is left.
 */
#ifndef KC_RELEASE_ZIP_SETTLE_H
#define KC_RELEASE_ZIP_SETTLE_H

#include <stdint.h>

#include "base/error.h"

/* The first second that a ZIP can tell, 1980-01-01 00:00:00 UTC, and the last. */
#define KC_ZIP_TIME_FIRST_S INT64_C(315532800)
#define KC_ZIP_TIME_LAST_S INT64_C(4354819198)

/* Reads `from`, whose members are files with names in ASCII, and appends to `to`; both are borrowed. `time_s` is held to what a ZIP
 * can tell. -EBADMSG if `from` is not a ZIP. */
int kc_zip_settle(int from, int to, int64_t time_s, struct kc_error *err) __attribute__((warn_unused_result));

#endif
