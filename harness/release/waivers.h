/*
 * Cases that a release may do without, for a reason and until a day, written by a person in a file:
 *
 *	{ "version": 1, "waivers": [ { "case": "ubuntu22.04.run.opening", "reason": "...", "expires": "2026-12-31" } ] }
 *
 * Only what was skipped can be waived: what failed or could not be judged cannot. Described in waivers.schema.json.
 *
 * Life cycle: 1. zeroed  2. kc_waivers_load  3. questions  4. kc_waivers_release (idempotent, fit for a zeroed object, which has none).
 */
#ifndef KC_RELEASE_WAIVERS_H
#define KC_RELEASE_WAIVERS_H

#include <cjson/cJSON.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"

#define KC_WAIVERS_MAX 1000
#define KC_WAIVERS_LIMIT (1u << 20) /* bytes */

struct kc_waiver {
	const char *identity; /* of the case */
	const char *reason;
	const char *expires; /* "2026-12-31": good until the end of that day, UTC */
	int64_t expires_s;   /* the first second at which it is good no more */
};

struct kc_waivers {
	cJSON *document;
	struct kc_waiver *items;
	size_t count;
};
#define KC_CLEANUP_WAIVERS KC_CLEANUP(kc_waivers_release)

/* -EBADMSG for what is no such file: an unknown key, a case that stands twice, no reason, no day of the calendar. */
int kc_waivers_load(const char *path, struct kc_waivers *waivers, struct kc_error *err)
	__attribute__((warn_unused_result));
void kc_waivers_release(struct kc_waivers *waivers);

/* NULL if there is none. It may have expired. */
const struct kc_waiver *kc_waivers_find(const struct kc_waivers *waivers, const char *identity);

#endif
