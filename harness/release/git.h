/*
 * git(1), asked about a repository that may be hostile.
 *
 * What a repository holds can name programs (filters, hooks, monitors, pagers, remote helpers), say that a changed file is to be taken
 * as unchanged, or have an object database whose objects are not what their names say. So nearly everything is asked of a repository of
 * our own: its settings are ours, objects get into it by being hashed there, and its index is made anew. Of the other one only two things
 * are asked in its own terms, where its references point and where its objects are, which git-rev-parse(1) says without reading
 * an object or starting anything.
 *
 * Nobody else's settings count either: no variable GIT_* of the environment, no file of the system or the user. Programs that check
 * signatures are git's default ones, with the user's own keyring.
 *
 * Life cycle: 1. zeroed, kc_git_open  2. kc_git_repository_open, any number  3. kc_git_ask  4. kc_git_close (idempotent).
 */
#ifndef KC_RELEASE_GIT_H
#define KC_RELEASE_GIT_H

#include <limits.h>

#include "base/buffer.h"
#include "base/error.h"

#define KC_GIT_OUTPUT_LIMIT (32u << 20) /* bytes: a list of all files */
#define KC_GIT_NAME_SIZE 65		/* an object's, with its NUL */

struct kc_git {
	const char
		*scratch; /* an empty directory of ours, absolute; borrowed, and emptied by whoever made it */
	char **environment; /* for kc_process, with room for one more */
	size_t environment_count;
	char signers[PATH_MAX]; /* ssh-keygen's file of allowed signers; "": none */
	unsigned int repository_count;
	struct kc_buffer output; /* of the last question, without the line feed at its end */
	struct kc_buffer errors;
	int status; /* git's own */
};

#define KC_CLEANUP_GIT KC_CLEANUP(kc_git_close)

struct kc_git_repository {
	char tree[PATH_MAX];	/* its top directory, resolved */
	char objects[PATH_MAX]; /* where its objects are */
	char own[PATH_MAX];	/* the directory of our repository for it */
	char head[KC_GIT_NAME_SIZE];
};

enum kc_git_side {
	KC_GIT_REFERENCES, /* theirs: for rev-parse alone */
	KC_GIT_OBJECTS,	   /* our repository, their objects: nothing that it says is proven */
	KC_GIT_OURS,	   /* our repository, and what has been hashed there */
	KC_GIT_TREE	   /* our repository and index, their files; attributes may need their objects */
};

struct kc_git_question {
	enum kc_git_side side;
	const char *const *words; /* NULL-terminated */
	const struct kc_buffer *input;
};

/* `signers` NULL: nobody's signature by ssh counts. -ENOENT and others if that file cannot be read. */
int kc_git_open(const char *scratch, const char *signers, struct kc_git *git, struct kc_error *err)
	__attribute__((warn_unused_result));
void kc_git_close(struct kc_git *git);

/* 0 with git->status 0; or with another, and what git says is kc_git_said(): it is no repository. */
int kc_git_repository_open(struct kc_git *git, const char *directory, struct kc_git_repository *repository,
			   struct kc_error *err) __attribute__((warn_unused_result));

/* 0 whatever git's status is; a negative errno if it cannot be asked. */
int kc_git_ask(struct kc_git *git, const struct kc_git_repository *repository,
	       const struct kc_git_question *question, struct kc_error *err)
	__attribute__((warn_unused_result));

/* The output, or the complaint where git's status is not 0. Until the next question. */
const char *kc_git_said(const struct kc_git *git);

#endif
