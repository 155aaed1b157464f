/*
 * The texts that a wheel carries beside the volume: the package's own LICENSE, its README.md as a description, and the licences of
 * what is bundled.
 *
 * Life cycle: 1. zeroed  2. kc_release_texts_read_directory or kc_release_texts_read_wheel  3. read the fields
 * 4. kc_release_texts_release (idempotent, fit for a zeroed object).
 */
#ifndef KC_RELEASE_TEXTS_H
#define KC_RELEASE_TEXTS_H

#include "release/wheel_members.h"
#include "release/wheel_writer.h"

#define KC_RELEASE_TEXTS_MAX 256

struct kc_release_texts {
	struct kc_release_file licence;			      /* the package's own; no bytes: there is none */
	struct kc_release_file bundled[KC_RELEASE_TEXTS_MAX]; /* in the order of their names */
	size_t bundled_count;
	const char *description;	 /* NULL: there is none */
	struct kc_wheel_members members; /* what all of them are borrowed from */
};
#define KC_CLEANUP_RELEASE_TEXTS KC_CLEANUP(kc_release_texts_release)

/* LICENSE, README.md, and every other regular file as the licence of something bundled. -EINVAL without a LICENSE. */
int kc_release_texts_read_directory(const char *path, struct kc_release_texts *texts, struct kc_error *err)
	__attribute__((warn_unused_result));

/* Those of another release's wheel: `fd` is borrowed, its position changes. -EBADMSG without a LICENSE. */
int kc_release_texts_read_wheel(int fd, const char *name, struct kc_release_texts *texts,
				struct kc_error *err) __attribute__((warn_unused_result));

void kc_release_texts_release(struct kc_release_texts *texts);

#endif
