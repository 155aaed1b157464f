/*
 * What policy requires of a volume before it may be released: images, and the cases on each. Every case that there is counts, the long
 * ones, too, but none about a wheel, which the release makes.
 *
 * Life cycle: 1. zeroed  2. kc_required_make  3. read `images`  4. kc_required_release (idempotent, fit for a zeroed object).
 */
#ifndef KC_REQUIRED_H
#define KC_REQUIRED_H

#include "base/cleanup.h"
#include "compat/policy.h"
#include "release/gate.h"

struct kc_required {
	struct kc_gate_image *images;
	size_t count;
	struct kc_policy_names names; /* of the images, borrowed from the policy */
};
#define KC_CLEANUP_REQUIRED KC_CLEANUP(kc_required_release)

/* `version` is that of the package: it decides which imports are promised. -ENOENT for a distro that policy does not know. */
int kc_required_make(const struct kc_policy *policy, const char *distro, const char *architecture,
		     const char *version, struct kc_required *required, struct kc_error *err)
	__attribute__((warn_unused_result));
void kc_required_release(struct kc_required *required);

#endif
