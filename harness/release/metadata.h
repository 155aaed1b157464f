/*
 * The core metadata of a Python package that lies in a volume: the few fields of METADATA that say what it is.
 *
 * The file is hostile. Only its head is looked at (KC_METADATA_HEAD_BYTES), what is kept of each field has a limit, and what is kept
 * is text: valid UTF-8 in one line without controls. https://packaging.python.org/en/latest/specifications/core-metadata/
 */
#ifndef KC_RELEASE_METADATA_H
#define KC_RELEASE_METADATA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

#define KC_METADATA_HEAD_BYTES (256u << 10)
#define KC_METADATA_TEXT_SIZE 512
#define KC_METADATA_NAME_SIZE 128
#define KC_METADATA_VERSION_SIZE 64

struct kc_metadata {
	char name[KC_METADATA_NAME_SIZE];	/* letters, digits and "-_." */
	char version[KC_METADATA_VERSION_SIZE]; /* letters, digits and "-_.+!" */
	char expression[KC_METADATA_TEXT_SIZE]; /* License-Expression; "" for none, as below */
	char license[KC_METADATA_TEXT_SIZE];	/* License: its first line that is not empty */
	bool is_license_text;			/* and more follow: that line need not name it */
	char classifier
		[KC_METADATA_TEXT_SIZE]; /* the last parts of its "License ::" classifiers, "; " between them */
};

/* Reads the head of a METADATA, `length` bytes of it; `is_whole` if nothing follows. `path` is what errors call it. -EBADMSG: Name or
 * Version is missing, stands twice or is none; a NUL; a head that does not end within the limit. What does not fit of the other
 * fields is cut with "...". */
int kc_metadata_parse(const char *bytes, size_t length, bool is_whole, const char *path,
		      struct kc_metadata *ret_metadata, struct kc_error *err)
	__attribute__((warn_unused_result));

/* True for what SPDX calls an expression: identifiers with AND, OR, WITH and parentheses. The identifiers may be any. */
bool kc_metadata_is_expression(const char *text);

#endif
