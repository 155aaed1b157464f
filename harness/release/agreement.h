/*
 * Do all who tell a version tell the same, and is the release newer than the one before it? Checks as findings, for the gate.
 */
#ifndef KC_RELEASE_AGREEMENT_H
#define KC_RELEASE_AGREEMENT_H

#include "archive/wheel.h"
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

/* What does not agree is a finding. */
void kc_agreement_check(const struct kc_agreement *agreement, struct kc_findings *findings);

#endif
