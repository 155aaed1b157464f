/*
 * Versions of Python packages: PEP 440 parsing and ordering, and the names of packages, PEP 503. Facts:
 * https://packaging.python.org/en/latest/specifications/version-specifiers/ and .../name-normalization/.
 */
#ifndef KC_NET_PEP440_H
#define KC_NET_PEP440_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KC_VERSION_MAX_RELEASE 16
#define KC_VERSION_TEXT_SIZE 64 /* longer versions are refused; with the NUL */
#define KC_NAME_SIZE 128	/* longer package names are refused; with the NUL */

enum kc_version_pre {
	KC_VERSION_ALPHA,
	KC_VERSION_BETA,
	KC_VERSION_CANDIDATE,
	KC_VERSION_FINAL /* no pre-release segment */
};

struct kc_version {
	uint64_t epoch;
	uint64_t release[KC_VERSION_MAX_RELEASE]; /* what was not written is 0, so that 4.4 equals 4.4.0 */
	enum kc_version_pre pre;
	uint64_t pre_number;
	bool has_post, has_dev;
	uint64_t post, dev;
	char local[KC_VERSION_TEXT_SIZE]; /* lower case, parted by '.', "" if there is none */
};

/* 0, or -EINVAL for what PEP 440 does not allow (or for more than 16 release numbers, or one over 2^63). */
int kc_version_parse(const char *text, struct kc_version *ret_version) __attribute__((warn_unused_result));

/* Below, equal or above 0, as PEP 440 orders. */
int kc_version_compare(const struct kc_version *a, const struct kc_version *b);

/* The one spelling that PEP 440 has for it, which is also the one that indexes and file names have: "4.4.0" for "v04.4.0.0", "4.4.0rc1"
 * for "4.4.0-RC1". A fourth number and those behind it are left out where they are 0. -EINVAL as above, or if it does not fit. */
int kc_version_canonical(const char *text, char ret_text[KC_VERSION_TEXT_SIZE])
	__attribute__((warn_unused_result));

/* Alphas, betas, candidates and development releases. */
bool kc_version_is_prerelease(const struct kc_version *version);

/* True if `==WANTED` takes `candidate`: a local part counts only where `wanted` has one. */
bool kc_version_matches(const struct kc_version *candidate, const struct kc_version *wanted);

/* The PEP 503 form: lower case, runs of "-_." as one "-". -EINVAL for what is no name: only letters, digits
 * and "-_.", a letter or digit at both ends. */
int kc_name_normalize(const char *name, size_t length, char ret_name[KC_NAME_SIZE])
	__attribute__((warn_unused_result));

#endif
