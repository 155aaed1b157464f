/*
 * The gate: may this archive be released, by what reports say of it?
 *
 * It reads reports, never the state of a program that ran, so that it can run in another job and on another machine. Whatever is wrong
 * is told at once. A release needs, of this very archive (by its SHA-256):
 *	- of every image that policy requires, as this program defines it and not what else somebody called by its name, a complete report, of this program and its cases (by the digest of the kit), not too old,
 *	  with an image and a time that policy takes;
 *	- that every case that policy requires there passed; what was skipped needs a waiver, and nothing else can have one;
 *	- that nothing else failed or was broken, in any report of this archive: also a case, or an image, that policy does not require.
 * A report of another archive among them is wrong, too: somebody mixed up two releases.
 */
#ifndef KC_RELEASE_GATE_H
#define KC_RELEASE_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/error.h"
#include "compat/gate_policy.h"
#include "release/findings.h"
#include "release/waivers.h"
#include "reports/json_read.h"

/* An image that policy requires, and the identities of the cases that it requires there. */
struct kc_gate_image {
	const char *name;
	const char *const *identities; /* "centos7.imports.zmq" */
	size_t count;
	char definition[KC_SHA256_HEX_SIZE]; /* of the text of this program's definition of it */
};

struct kc_gate_report {
	const char *name; /* what findings call it */
	struct kc_read_report report;
};

struct kc_gate_request {
	const char *volume_sha256;
	const char *arch; /* of the volume */
	const struct kc_gate_report *reports;
	size_t report_count;
	const struct kc_gate_image *images;
	size_t image_count;
	const struct kc_gate_policy *policy;
	const struct kc_waivers *waivers;
	bool require_real;   /* of every image, whatever the policy takes */
	const char *version; /* of this program */
	const char *kit;     /* digest of its cases */
	int64_t now_s;
};

/* What was found out, for statements about it. Borrowed from the request. */
struct kc_gate_outcome {
	const char **passed; /* identities */
	size_t passed_count;
	const char **warned; /* waived, or passed in a later attempt only */
	size_t warned_count;
};
#define KC_CLEANUP_GATE_OUTCOME KC_CLEANUP(kc_gate_outcome_release)

/* 0 whatever was found: the gate is open if there are no findings. -ENOMEM. On failure *ret_outcome is zeroed. */
int kc_gate_judge(const struct kc_gate_request *request, struct kc_findings *findings,
		  struct kc_gate_outcome *ret_outcome, struct kc_error *err)
	__attribute__((warn_unused_result));

void kc_gate_outcome_release(struct kc_gate_outcome *outcome);

#endif
