/*
 * Is the tree that a release is made from the one that somebody signed for? Asked of git(1), see git.h.
 *
 * The tag is VERSION or vVERSION; it has to be annotated, signed, and to be what is checked out, without a change. By ssh a key signs that
 * `signers` lists, by OpenPGP one that the user's own keyring trusts fully. The repository is taken as hostile: nothing that it names is
 * run, and neither its settings nor its index nor its object database decide what is found:
 *
 *	signature -> bytes of the tag -> name of the commit -> name of its tree -> names of all files -> bytes of all files
 *
 * Every arrow is a hash that is computed here. Submodules are checked in the same way, by the commits that the tree names.
 */
#ifndef KC_RELEASE_GIT_TAG_H
#define KC_RELEASE_GIT_TAG_H

#include "base/error.h"
#include "release/findings.h"

struct kc_git_tag_request {
	const char *directory; /* the top of the repository */
	const char *version;
	const char *
		scratch; /* an empty directory of ours, absolute: what is left in it is the caller's to remove */
	const char *signers; /* ssh-keygen's file of allowed signers; NULL: no signature by ssh counts */
};

/* 0 whatever was found; a negative errno where git cannot be asked at all: -ENOENT, there is none. */
int kc_git_tag_check(const struct kc_git_tag_request *request, struct kc_findings *findings,
		     struct kc_error *err) __attribute__((warn_unused_result));

#endif
