/*
 * A small volume made in code: a directory named as upstream names archives, with a Python and whatever a test adds.
 *
 * Life cycle: 1. kc_made_volume_make  2. kc_made_volume_add, repeatable  3. kc_made_volume_take  4. kc_made_volume_release (idempotent,
 * fit for a zeroed object).
 */
#ifndef KC_RELEASE_TESTS_MADE_VOLUME_H
#define KC_RELEASE_TESTS_MADE_VOLUME_H

#include <stdbool.h>

#include "fixtures/temporary.h"
#include "release/contents.h"

struct kc_made_file {
	const char *path, *bytes; /* `path` NULL ends a list; `bytes` NULL: the file is removed */
	size_t length;		  /* 0: strlen */
};

#define KC_MADE_SITE "lib/python3.13/site-packages/"
/* A string literal as a file with what follows it. */
#define KC_MADE_BYTES(text) .bytes = (text), .length = sizeof(text) - 1

struct kc_made_volume {
	struct kc_temporary directory;
	char path[PATH_MAX + 64];
};

#define KC_CLEANUP_MADE_VOLUME KC_CLEANUP(kc_made_volume_release)

bool kc_made_volume_make(struct kc_made_volume *made);
/* Creates or replaces files and what is above them. */
bool kc_made_volume_add(const struct kc_made_volume *made, const struct kc_made_file *files);
int kc_made_volume_take(const struct kc_made_volume *made, struct kc_contents *ret_contents,
			struct kc_error *err);
void kc_made_volume_release(struct kc_made_volume *made);

/* The contents of a published wheel: "static-gnu" or "alpine", "4.4.0". */
int kc_published_contents(const char *package, const char *version, struct kc_contents *ret_contents,
			  struct kc_error *err);

#endif
