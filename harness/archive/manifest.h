/*
 * What a tree on disk must be: one line per entry, sorted by name, with type, permission bits, size and
 * SHA-256 (link target for links). Owner and times are left out: they are ours. The last line seals the ones
 * before with their digest, so that a manifest cut short by a crash is no manifest.
 */
#ifndef KC_ARCHIVE_MANIFEST_H
#define KC_ARCHIVE_MANIFEST_H

#include <stdint.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "base/digest.h"
#include "base/error.h"

/* 100,000 entries, the limit of an archive, with names of 500 bytes. */
#define KC_MANIFEST_LIMIT_BYTES (64u << 20)

/* One line. Names and targets are escaped as archive/names.h says:
 *	NAME d MODE
 *	NAME f MODE SIZE SHA256
 *	NAME l TARGET
 *	NAME w		a whiteout of overlayfs: the name of lower layers is hidden
 *	NAME q		beside the line of a directory: nothing of it is seen from lower layers
 * A device, FIFO or socket that is found on disk reads NAME o MODE. */
int kc_manifest_add_directory(struct kc_buffer *lines, const char *name, mode_t mode, struct kc_error *err)
	__attribute__((warn_unused_result));
int kc_manifest_add_file(struct kc_buffer *lines, const char *name, mode_t mode, uint64_t size,
			 const char *digest, struct kc_error *err) __attribute__((warn_unused_result));
int kc_manifest_add_link(struct kc_buffer *lines, const char *name, const char *target, struct kc_error *err)
	__attribute__((warn_unused_result));

int kc_manifest_add_whiteout(struct kc_buffer *lines, const char *name, struct kc_error *err)
	__attribute__((warn_unused_result));
int kc_manifest_add_opaque(struct kc_buffer *lines, const char *name, struct kc_error *err)
	__attribute__((warn_unused_result));

/* Walks the tree below `dirfd` (never following links) and appends its sealed manifest. */
int kc_manifest_of_tree(int dirfd, struct kc_buffer *manifest, struct kc_error *err)
	__attribute__((warn_unused_result));

/* Sorts and seals lines that an extraction collected. */
int kc_manifest_seal(struct kc_buffer *lines, struct kc_error *err) __attribute__((warn_unused_result));

/* 0 if the tree is what `manifest` says, byte for byte. -EBADMSG if the manifest is not sealed; -EUCLEAN if
 * the tree differs, the text naming the first entries that do and how. */
int kc_manifest_verify(int dirfd, const char *manifest, size_t length, struct kc_error *err)
	__attribute__((warn_unused_result));

#endif
