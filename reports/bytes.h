/*
 * Text of any bytes as a JSON string and back.
 *
 * JSON strings are UTF-8, a program's output need not be. A byte 0xNN that is not part of a UTF-8 sequence
 * travels as the private-use character U+F7NN; so that the way back is unambiguous, text that itself holds
 * one of U+F780 to U+F7FF travels byte by byte in the same way.
 */
#ifndef KC_REPORTS_BYTES_H
#define KC_REPORTS_BYTES_H

#include <cjson/cJSON.h>

#include "base/buffer.h"
#include "base/error.h"

/* Adds `text` under `key`, or at the end of an array when `key` is NULL. 0 or -ENOMEM. */
int kc_bytes_add(cJSON *parent, const char *key, const char *text) __attribute__((warn_unused_result));

/* Appends what `item` carries; -EBADMSG if it is no such string (or NULL) or does not fit into the buffer. */
int kc_bytes_read(const cJSON *item, struct kc_buffer *text, struct kc_error *err)
	__attribute__((warn_unused_result));

#endif
