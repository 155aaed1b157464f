/*
 * Writing entries below a directory, so that none can land outside.
 *
 * Every name is walked from the root, component by component, without following a link; what is remembered is
 * the last directory itself, never a path that a later entry could turn into a lie. Objects are only ever
 * created, never replaced, opened for writing or changed when they were there before; metadata goes through
 * the descriptor of what was just created. A directory that is implied by a name is made on the way.
 *
 * Life cycle: 1. kc_tree_writer_init  2. the put functions, names checked by kc_name_check  3.
 * kc_tree_writer_finish  4. kc_tree_writer_release (idempotent, fit for a zeroed object).
 * After a failure what is below the root is of no use.
 */
#ifndef KC_ARCHIVE_TREE_WRITER_H
#define KC_ARCHIVE_TREE_WRITER_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "archive/extract.h"
#include "base/digest.h"
#include "base/error.h"

struct kc_tree_writer {
	int root_fd;				  /* borrowed */
	const struct kc_extract_options *options; /* borrowed */
	void *implied; /* tsearch(3): names of directories made without an entry of their own, so far */
	struct kc_tree_mark
		*marks; /* what hides lower layers: made at the end, when it is known what is here */
	size_t mark_count, mark_capacity;
	int parent_fd; /* the directory that the last entry went to; -1 for none */
	size_t parent_length;
	char parent_name[PATH_MAX];
};

struct kc_tree_mark {
	char *name;
	bool is_opaque;
};

/* A file that is being written. */
struct kc_tree_file {
	int fd;
	const char *name; /* borrowed */
	uint64_t size;
	struct kc_sha256 sha;
};

void kc_tree_writer_init(struct kc_tree_writer *writer, int root_fd,
			 const struct kc_extract_options *options);
void kc_tree_writer_release(struct kc_tree_writer *writer);

int kc_tree_put_directory(struct kc_tree_writer *writer, const char *name, mode_t mode, struct kc_error *err)
	__attribute__((warn_unused_result));
int kc_tree_put_symlink(struct kc_tree_writer *writer, const char *name, const char *target,
			struct kc_error *err) __attribute__((warn_unused_result));
int kc_tree_put_hardlink(struct kc_tree_writer *writer, const char *name, const char *target,
			 struct kc_error *err) __attribute__((warn_unused_result));

/* Create, append, then close with the metadata; kc_tree_file_release gives up at any point. */
int kc_tree_file_create(struct kc_tree_writer *writer, const char *name, struct kc_tree_file *ret_file,
			struct kc_error *err) __attribute__((warn_unused_result));
int kc_tree_file_append(struct kc_tree_file *file, const void *bytes, size_t length, struct kc_error *err)
	__attribute__((warn_unused_result));
int kc_tree_file_close(struct kc_tree_writer *writer, struct kc_tree_file *file, mode_t mode, int64_t mtime_s,
		       struct kc_error *err) __attribute__((warn_unused_result));
void kc_tree_file_release(struct kc_tree_file *file);

/* Marks of archive/layer.h: of the entry, of the directory ("": the root). */
int kc_tree_put_whiteout(struct kc_tree_writer *writer, const char *name, struct kc_error *err)
	__attribute__((warn_unused_result));
int kc_tree_put_opaque(struct kc_tree_writer *writer, const char *name, struct kc_error *err)
	__attribute__((warn_unused_result));

/* Makes the marks and completes the manifest. */
int kc_tree_writer_finish(struct kc_tree_writer *writer, struct kc_error *err)
	__attribute__((warn_unused_result));

#endif
