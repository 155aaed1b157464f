/*
 * Is the tree that a release is made from the one that somebody signed for? Asked of git(1).
 *
 * The tag is VERSION or vVERSION; it has to be annotated, signed by a key that the caller's git trusts (git-verify-tag(1)), and to be
 * what is checked out, without a change. Nothing in the repository's own configuration decides what is run for that.
 */
#ifndef KC_RELEASE_GIT_TAG_H
#define KC_RELEASE_GIT_TAG_H

#include "base/error.h"
#include "release/findings.h"

/* 0 whatever was found; a negative errno where git cannot be asked at all: -ENOENT, there is none. */
int kc_git_tag_check(const char *directory, const char *version, struct kc_findings *findings,
		     struct kc_error *err) __attribute__((warn_unused_result));

#endif
