/*
 * Do all who tell a version tell the same, and is the release newer than the one before it? Checks as findings, for the gate.
 */
#ifndef KC_RELEASE_AGREEMENT_H
#define KC_RELEASE_AGREEMENT_H

#include <stdbool.h>

#include "archive/wheel.h"
#include "net/pep440.h"
#include "release/contents.h"
#include "release/findings.h"

struct kc_agreement {
	const char *version;	    /* that the package is to have */
	const char *volume_version; /* that the volume is to have */
	const struct kc_contents *contents;
	const struct kc_wheel
		*wheel; /* that the volume came in: its texts have to be true; all empty for none */
	const struct kc_contents
		*previous; /* the release before, out of its wheel; NULL: this is the first one */
};

/* What has to be said of a version that a package cannot have: NULL if it can. Only the canonical spelling of PEP 440 is one name for one
 * release, and no index takes a local part ("4.4.0+x"). `ret_text` may hold the answer. */
const char *kc_agreement_expected_version(const char *version, char ret_text[KC_VERSION_TEXT_SIZE]);

/* "14": 1 to 9 digits, the first of which is no 0. */
bool kc_agreement_is_volume_version(const char *text);

/* What does not agree is a finding. */
void kc_agreement_check(const struct kc_agreement *agreement, struct kc_findings *findings);

#endif
