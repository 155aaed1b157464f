/*
 * The members of a wheel as libarchive, and so most installers, see them: in the order of the file, each hashed, short ones kept.
 *
 * Life cycle: 1. kc_wheel_members_read  2. read the items  3. kc_wheel_members_release (idempotent, fit for a zeroed object).
 */
#ifndef KC_RELEASE_WHEEL_MEMBERS_H
#define KC_RELEASE_WHEEL_MEMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/digest.h"
#include "base/error.h"

/* What is kept of members: each of them, and all together. */
#define KC_WHEEL_TEXT_BYTES (1u << 20)
#define KC_WHEEL_TEXTS_BYTES (16u << 20)
/* Of all members, unpacked. */
#define KC_WHEEL_BYTES_MAX (UINT64_C(1) << 30)

struct kc_wheel_member {
	char *name;
	char sha256[KC_SHA256_HEX_SIZE];
	uint64_t bytes;
	bool is_file;	       /* a regular one */
	bool has_text;	       /* it is short enough for `text` */
	struct kc_buffer text; /* any bytes */
};

struct kc_wheel_members {
	struct kc_wheel_member *items;
	size_t count;
};

#define KC_CLEANUP_WHEEL_MEMBERS KC_CLEANUP(kc_wheel_members_release)

/* `fd` is a regular file, borrowed; its position changes. -EBADMSG if libarchive refuses the file, with its reason. */
int kc_wheel_members_read(int fd, const char *name, struct kc_wheel_members *ret_members,
			  struct kc_error *err) __attribute__((warn_unused_result));
void kc_wheel_members_release(struct kc_wheel_members *members);

/* The first of that name; NULL if there is none. */
const struct kc_wheel_member *kc_wheel_members_find(const struct kc_wheel_members *members, const char *name);

#endif
