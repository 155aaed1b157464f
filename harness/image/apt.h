/*
 * Running apt-get without touching the host: what debian.c needs of it.
 *
 * The host's sources, keyrings and proxies are used; caches live in `directory`/apt, and so do the package
 * lists, if asked for. The hooks of the host's configuration, which would change the host, are cleared.
 *
 * Life cycle: 1. KC_APT_INIT  2. kc_apt_make_directories  3. kc_apt_configure  4. kc_apt_run, repeatable
 * 5. kc_apt_release (idempotent). One user of a directory at a time.
 */
#ifndef KC_IMAGE_APT_H
#define KC_IMAGE_APT_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/error.h"

#define KC_APT_OUTPUT_LIMIT (1u << 20)

struct kc_apt {
	const char *directory;	  /* absolute; borrowed, like the next */
	const char *architecture; /* as dpkg says it */
	char configuration[PATH_MAX];
	struct kc_buffer output; /* of the last run */
	struct kc_buffer messages;
};

#define KC_APT_INIT(apt_directory, debian_architecture)                                                      \
	{                                                                                                    \
		.directory = (apt_directory), .architecture = (debian_architecture),                         \
		.output = KC_BUFFER_INIT(KC_APT_OUTPUT_LIMIT),                                               \
		.messages = KC_BUFFER_INIT(KC_APT_OUTPUT_LIMIT)                                              \
	}
#define KC_CLEANUP_APT KC_CLEANUP(kc_apt_release)

/* `directory` and what apt wants below it. */
int kc_apt_make_directories(const char *directory, struct kc_error *err) __attribute__((warn_unused_result));

/* From now on with the host's package lists, or with our own. */
int kc_apt_configure(struct kc_apt *apt, bool own_lists, struct kc_error *err)
	__attribute__((warn_unused_result));

/* apt-get FIRST... NAMES... in `directory` (NULL: where we are). -ENOENT: there is no apt-get, and a hint
 * says what that means; -EIO: it failed, and the text quotes it. */
int kc_apt_run(struct kc_apt *apt, const char *const first[], const char *const *names, size_t count,
	       const char *directory, int64_t timeout_ms, struct kc_error *err)
	__attribute__((warn_unused_result));

/* Configures for our own lists and refreshes them. A list that could not be had is no failure here: whether
 * the packages are known now is what counts. */
int kc_apt_update(struct kc_apt *apt, struct kc_error *err) __attribute__((warn_unused_result));

void kc_apt_release(struct kc_apt *apt);

#endif
