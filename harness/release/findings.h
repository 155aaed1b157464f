/*
 * What is wrong with an artifact: a list that grows until everything has been looked at, so that all of it is told at once.
 *
 * Life cycle: 1. KC_FINDINGS_INIT  2. kc_finding_add, any number  3. read the items  4. kc_findings_release (idempotent, fit for a
 * zeroed object). Texts come from the artifact and may be anything: what is kept of them is one line, safe to print
 * (reports/text.h). A list that is full or out of memory says so in `dropped`, and is as bad as one with items.
 */
#ifndef KC_RELEASE_FINDINGS_H
#define KC_RELEASE_FINDINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"

/* More are counted only: a hostile archive can be wrong in as many ways as it has bytes. */
#define KC_FINDINGS_MAX 200

struct kc_finding {
	const char *check; /* that found it: the name of a row, borrowed */
	char *member;	   /* "" for the artifact as a whole */
	char *expected;
	char *found;
};

struct kc_findings {
	const char *check; /* what kc_finding_add notes down; set by whoever runs the checks */
	struct kc_finding *items;
	size_t count;
	size_t dropped;
};

#define KC_CLEANUP_FINDINGS KC_CLEANUP(kc_findings_release)

void kc_findings_release(struct kc_findings *findings);

/* All strings are copied. */
void kc_finding_add(struct kc_findings *findings, const char *member, const char *expected,
		    const char *found);
/* The same with a number for what was found. */
void kc_finding_add_number(struct kc_findings *findings, const char *member, const char *expected,
			   unsigned long long found);

static inline bool kc_findings_are_none(const struct kc_findings *findings)
{
	return findings->count == 0 && findings->dropped == 0;
}

#endif
