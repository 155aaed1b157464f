/*
 * Files and directories: whole-file reads, atomic writes, trees.
 *
 * Directories are named by descriptor before path wherever something untrusted has had a hand in the tree:
 * `dirfd` may be AT_FDCWD.
 */
#ifndef KC_SYS_FILE_H
#define KC_SYS_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "base/error.h"

/* Appends the regular file `path` to `buffer`; -E2BIG past the buffer's limit. */
int kc_file_read(int dirfd, const char *path, struct kc_buffer *buffer, struct kc_error *err)
	__attribute__((warn_unused_result));

/* Creates or replaces `path`: temporary file beside it, flushed, checked, renamed. On failure `path` is as it
 * was and nothing is left beside it. */
int kc_file_write_atomic(int dirfd, const char *path, const void *bytes, size_t length, mode_t mode,
			 struct kc_error *err) __attribute__((warn_unused_result));

/* Refuses a `path` that is there and not a regular file: only those are ours to replace (`--junit /dev/stdout` as root would
 * remove the device). */
int kc_file_check_replaceable(const char *path, struct kc_error *err) __attribute__((warn_unused_result));

/* mkdir -p with mode 0700 for what is missing: these are our own directories in the user's cache. */
int kc_dir_make(const char *path, struct kc_error *err) __attribute__((warn_unused_result));

/* Opens a directory, close-on-exec, without following a link in its last component. Returns the descriptor.
 */
int kc_dir_open(int dirfd, const char *path, struct kc_error *err) __attribute__((warn_unused_result));

/* Removes a file or a whole tree, never following links, whatever the modes of its directories. A missing one
 * is no error. */
int kc_tree_remove(int dirfd, const char *path, struct kc_error *err) __attribute__((warn_unused_result));

#endif
