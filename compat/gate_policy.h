/*
 * What the release gate asks of reports, beside that all cases passed: compat/gate.json, described in gate.schema.json. Which images
 * and cases there have to be is policy.h's.
 *
 * Life cycle: 1. zeroed  2. kc_gate_policy_load  3. questions  4. kc_gate_policy_release (idempotent). Read-only after loading.
 */
#ifndef KC_COMPAT_GATE_POLICY_H
#define KC_COMPAT_GATE_POLICY_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"

struct kc_gate_policy {
	cJSON *document;
	int64_t report_age_s; /* how old a report may be */
};
#define KC_CLEANUP_GATE_POLICY KC_CLEANUP(kc_gate_policy_release)

/* `name` is what errors call the text. -EBADMSG for an unknown key or what the schema does not allow. On failure *policy is
 * zeroed. */
int kc_gate_policy_load(const char *json, size_t length, const char *name, struct kc_gate_policy *policy,
			struct kc_error *err) __attribute__((warn_unused_result));
void kc_gate_policy_release(struct kc_gate_policy *policy);

/* Whether an emulated image of that name is taken. */
bool kc_gate_policy_may_be_emulated(const struct kc_gate_policy *policy, const char *image);

/* `time` is what reports say: one word, "virtual", and perhaps more in words behind a blank. */
bool kc_gate_policy_takes_time(const struct kc_gate_policy *policy, const char *time);

#endif
