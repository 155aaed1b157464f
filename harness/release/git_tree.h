/* The second half of git_tag.h: are the files those of a commit? */
#ifndef KC_RELEASE_GIT_TREE_H
#define KC_RELEASE_GIT_TREE_H

#include "release/findings.h"
#include "release/git.h"

/* Has an object that is asked of their database hashed into our repository; it is in git->output then. What does not hash to `name` is a
 * finding, and so is one that is not there: *ret_is_proven false. */
int kc_git_prove_object(struct kc_git *git, const struct kc_git_repository *repository, const char *type,
			const char *name, struct kc_findings *findings, bool *ret_is_proven,
			struct kc_error *err) __attribute__((warn_unused_result));

/* Are the files below repository->tree those of that commit, and no others but what its own .gitignore name? 0 whatever is found. */
int kc_git_tree_check(struct kc_git *git, const struct kc_git_repository *repository, const char *commit,
		      struct kc_findings *findings, struct kc_error *err) __attribute__((warn_unused_result));

#endif
