/*
 * A release directory that is there whole or not at all.
 *
 * It is built beside its place under another name, which the janitor removes whatever ends the program, and is renamed when it is
 * complete and on disk. Every file is listed in SHA256SUMS.
 *
 * Life cycle: 1. KC_STAGING_INIT  2. kc_staging_open  3. write and add  4. kc_staging_commit, kc_staging_flush  5. kc_staging_abandon
 * (idempotent, fit for an initialised object; after a commit it leaves everything where it is).
 */
#ifndef KC_RELEASE_STAGING_H
#define KC_RELEASE_STAGING_H

#include <limits.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "release/checksums.h"

struct kc_staging {
	char out[PATH_MAX];  /* where it will be; absolute */
	char path[PATH_MAX]; /* where it is; "" if it is not */
	int fd;		     /* the directory; -1: closed */
	struct kc_checksums checksums;
};

#define KC_STAGING_INIT                                                                                      \
	{                                                                                                    \
		.fd = -1                                                                                     \
	}
#define KC_CLEANUP_STAGING KC_CLEANUP(kc_staging_abandon)

/* -EEXIST if `out` is there: a release is never mixed with another one. Its parent has to be there. */
int kc_staging_open(const char *out, struct kc_staging *staging, struct kc_error *err)
	__attribute__((warn_unused_result));

/* A new file of that name, read and write, mode 0644. Returns the descriptor. */
int kc_staging_create(struct kc_staging *staging, const char *name, struct kc_error *err)
	__attribute__((warn_unused_result));

/* Flushes a file that kc_staging_create made and lists it. */
int kc_staging_add(struct kc_staging *staging, const char *name, int fd, struct kc_error *err)
	__attribute__((warn_unused_result));

/* Both, for bytes. */
int kc_staging_write(struct kc_staging *staging, const char *name, const void *bytes, size_t length,
		     struct kc_error *err) __attribute__((warn_unused_result));

/* Writes SHA256SUMS and puts the directory in its place. -EEXIST if somebody was faster. */
int kc_staging_commit(struct kc_staging *staging, struct kc_error *err) __attribute__((warn_unused_result));

/* After the commit: makes its place outlast a loss of power, too. On failure the release is there all the same. */
int kc_staging_flush(const struct kc_staging *staging, struct kc_error *err)
	__attribute__((warn_unused_result));

void kc_staging_abandon(struct kc_staging *staging);

#endif
