/* Base64 (RFC 4648), with padding. */
#ifndef KC_RELEASE_BASE64_H
#define KC_RELEASE_BASE64_H

#include <stddef.h>

#include "base/buffer.h"

/* Appends what `bytes` are in the standard alphabet, on one line. 0, -E2BIG or -ENOMEM. */
int kc_base64_encode(const void *bytes, size_t length, struct kc_buffer *text)
	__attribute__((warn_unused_result));

/* Appends the bytes that `text` stands for: in the standard or in the URL-safe alphabet, since DSSE has readers take both. -EBADMSG
 * for what no encoder writes: other characters, line breaks, both alphabets at once, missing padding, bits that say nothing. -E2BIG or
 * -ENOMEM. */
int kc_base64_decode(const char *text, struct kc_buffer *bytes) __attribute__((warn_unused_result));

#endif
