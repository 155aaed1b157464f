/*
 * A release directory, checked by what is in it and by a key: no network, and nothing in it is executed.
 *
 * What has to hold:
 *	- every entry is a regular file with a plain name; SHA256SUMS lists every file but itself, with its digest, and no other;
 *	- *.intoto.json and *.dsse.json are statements, or envelopes of statements that the key has signed, and their subjects are files here
 *	  with these digests; *.test-result.intoto.json and *.provenance.intoto.json say what their names say;
 *	- there is a volume, krunner-env.DISTRO.ARCH.tar.xz, and each has a test result krunner-env.DISTRO.ARCH.test-result.intoto.json that says
 *	  PASSED and names its digest, and a provenance likewise;
 *	- every file but SHA256SUMS and the provenance statements themselves is a subject of a provenance statement: this is how a signature
 *	  covers everything.
 *	- a wheel has no deviation (wheel_check.h), and the archive in it is the one of its name here; every volume is in a wheel;
 *	- each volume has a bill of materials krunner-env.DISTRO.ARCH.cdx.json that has its digest and the versions that the wheel says;
 *	- report-*.json are sound reports about volumes here in which nothing failed; in them passed what a test result says passed, and
 *	  what it warns of was skipped or tried again.
 *
 * Life cycle: 1. a zeroed struct kc_verification  2. kc_release_verify  3. read it  4. kc_verification_release (idempotent).
 */
#ifndef KC_RELEASE_VERIFY_H
#define KC_RELEASE_VERIFY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "release/key.h"

enum kc_verified_verdict {
	KC_VERIFIED_OK,
	KC_VERIFIED_UNKNOWN, /* it could not be checked, which is no pass */
	KC_VERIFIED_FAILED
};

struct kc_verified {
	enum kc_verified_verdict verdict;
	char object[300]; /* mostly a file's name, as it is: not made safe */
	char text[1024];  /* neither */
};

struct kc_verification {
	struct kc_verified *items; /* all that was checked, in the order of the checks and of names */
	size_t count;
};

#define KC_CLEANUP_VERIFICATION KC_CLEANUP(kc_verification_release)

/*
 * `key` was loaded to verify; without one (NULL) signatures are KC_VERIFIED_UNKNOWN, unless `is_unsigned` and there are none. With a key,
 * what is not signed fails. 0 whatever was found; an error if the directory could not be looked into at all, or -EINTR.
 */
int kc_release_verify(const char *directory, const struct kc_key *key, bool is_unsigned,
		      struct kc_verification *verification, struct kc_error *err)
	__attribute__((warn_unused_result));

/* The worst of all; KC_VERIFIED_UNKNOWN if nothing was checked. */
enum kc_verified_verdict kc_verification_verdict(const struct kc_verification *verification);

void kc_verification_release(struct kc_verification *verification);

#endif
