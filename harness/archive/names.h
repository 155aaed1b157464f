/*
 * Names from an archive: which are allowed, and how they are shown.
 *
 * A name is bytes, not text. Shown or stored it is escaped: every byte outside printable ASCII, the space and
 * the backslash become \xHH, so that no name can break a line, steer a terminal or hide its direction.
 */
#ifndef KC_ARCHIVE_NAMES_H
#define KC_ARCHIVE_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"

#define KC_NAME_SHOWN_SIZE 256

/* For messages: escaped, and cut with "..." where it is too long. Returns `shown`. */
const char *kc_name_show(const char *name, char shown[KC_NAME_SHOWN_SIZE]);

/* For manifests: escaped in full. 0 or a negative errno of the buffer. */
int kc_name_append_escaped(struct kc_buffer *buffer, const char *name) __attribute__((warn_unused_result));

/*
 * Takes one leading "./" and, of a directory, one trailing "/" off, and checks what is left: relative, every
 * component a real name (not empty, "." or ".."), not longer than `bytes`, not deeper than `depth`, no
 * component over NAME_MAX. NULL if it is fine, else the rule that it breaks, for an error message. The root
 * itself ("." or "./") becomes "".
 */
const char *kc_name_check(const char *name, bool is_directory, unsigned int depth, size_t bytes,
			  char *ret_name, size_t ret_name_size) __attribute__((warn_unused_result));

/* True if the link at `name` points, component by component, to a place below the root, or is absolute and
 * goes below `mount_point`, where the tree will be seen (NULL: unknown). Whether a component is a link itself
 * is not asked: no code of ours ever follows a link of a tree. */
bool kc_link_stays_inside(const char *name, const char *target, const char *mount_point);

/* What is left of `target` when the tree is at `mount_point`: "" for the root itself, NULL if it is
 * elsewhere. Borrowed. */
const char *kc_link_below(const char *target, const char *mount_point);

/* Whether `name` ends so, with something before that. */
bool kc_name_ends(const char *name, const char *end);

#endif
