/*
 * Release notes in Markdown: what was released and checked, what was waived and why, and what is different from the release before.
 * Whatever comes from volumes, reports and people is code, which nothing in it can end (reports/markdown_code.h).
 */
#ifndef KC_RELEASE_NOTES_H
#define KC_RELEASE_NOTES_H

#include "release/artifacts.h"

/* 0, or -ENOMEM or -E2BIG. */
int kc_notes_append(const struct kc_artifacts *artifacts, struct kc_buffer *text, struct kc_error *err)
	__attribute__((warn_unused_result));

#endif
