/*
 * What a manifest (archive/manifest.h) lists, as a table.
 *
 * Life cycle: 1. kc_entries_read  2. read  3. kc_entries_release (idempotent, fit for a zeroed object). Names and targets stay
 * escaped, so that they can be shown anywhere; kc_entry_path gives the bytes that open(2) wants.
 */
#ifndef KC_ARCHIVE_ENTRIES_H
#define KC_ARCHIVE_ENTRIES_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/error.h"

struct kc_entry {
	const char *name;
	char type;   /* 'd', 'f', 'l', 'w', 'q' or 'o', as the manifest has it */
	mode_t mode; /* of 'd', 'f' and 'o' */
	uint64_t bytes;
	const char *sha256; /* of 'f'; else NULL */
	const char *target; /* of 'l'; else NULL */
};

struct kc_entries {
	struct kc_entry *items; /* sorted by name, strcmp(3) */
	size_t count;
	struct kc_buffer text; /* that everything points into */
};

#define KC_CLEANUP_ENTRIES KC_CLEANUP(kc_entries_release)

/* The manifest is copied. -EBADMSG for a line that is none. On failure *ret_entries is zeroed. */
int kc_entries_read(const struct kc_buffer *manifest, struct kc_entries *ret_entries, struct kc_error *err)
	__attribute__((warn_unused_result));
void kc_entries_release(struct kc_entries *entries);

/* The entry of this (escaped) name, or NULL. */
const struct kc_entry *kc_entries_find(const struct kc_entries *entries, const char *name);

/* Takes the escapes out of a name. -ENAMETOOLONG alone: what is no escape stays. */
int kc_entry_path(const char *name, char ret_path[PATH_MAX], struct kc_error *err)
	__attribute__((warn_unused_result));

#endif
