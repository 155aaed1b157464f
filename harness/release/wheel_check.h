/*
 * Is a wheel what it should be? Somebody else's as well as our own: nothing in it is believed, and nothing is run.
 *
 * The checks are a table; every one says all that it finds, so that a wheel can be mended at once. What has to be in a wheel is in
 * compat/wheels.json.
 */
#ifndef KC_RELEASE_WHEEL_CHECK_H
#define KC_RELEASE_WHEEL_CHECK_H

#include <stddef.h>

#include "base/digest.h"
#include "base/error.h"
#include "compat/wheels.h"
#include "release/findings.h"
#include "release/volume_facts.h"

/* Opaque here; see wheel_check_internal.h. */
struct kc_wheel_case;

struct kc_wheel_check_row {
	const char *name; /* stable: what findings are filed under */
	const char *what; /* what holds if there is none, a sentence without its full stop */
	int needs; /* enum kc_wheel_needs: without it the check is left out, and another has said why */
	int (*run)(struct kc_wheel_case *wheel, struct kc_error *err);
};

extern const struct kc_wheel_check_row kc_wheel_checks[];
extern const size_t kc_wheel_check_count;

/* What the wheel is, as far as it could be told; "" where it could not. */
struct kc_wheel_identity {
	char sha256[KC_SHA256_HEX_SIZE]; /* of the wheel itself */
	char distribution[64];		 /* "static-gnu" */
	char architecture[128];
	char version[64];	 /* of the package */
	char volume_version[64]; /* "14" */
	struct kc_volume_facts volume;
};

/* Runs all checks on `fd`, a regular file, borrowed; its position changes. `file_name` is its name without a directory, which is part
 * of what is checked. What is wrong goes to `findings`; a negative errno is for what is no fault of the wheel: it cannot be read,
 * no memory. */
int kc_wheel_check(const struct kc_wheels *wheels, int fd, const char *file_name,
		   struct kc_findings *findings, struct kc_wheel_identity *ret_identity, struct kc_error *err)
	__attribute__((warn_unused_result));

#endif
