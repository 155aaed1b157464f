/*
 * What is different between two volumes: what release notes are made of.
 *
 * Life cycle: 1. kc_difference_make  2. kc_difference_to_..., any number  3. kc_difference_release (idempotent, fit for a zeroed
 * object). Both contents are borrowed until then. Everything comes from volumes and may be hostile; what the three writers make is fit
 * for a terminal, a page in Markdown and JSON. The same input gives the same bytes.
 *
 * The names and digests of the archives are told and are no difference: an archive that was packed anew holds the same.
 */
#ifndef KC_RELEASE_DIFFERENCE_H
#define KC_RELEASE_DIFFERENCE_H

#include <stdbool.h>

#include "release/contents.h"

#define KC_DIFFERENCE_VERSION 1	    /* of the JSON; raised when a key goes or changes its meaning */
#define KC_DIFFERENCE_TEXT_SIZE 256 /* of versions and licences; what is longer is cut with "..." */
#define KC_DIFFERENCE_LISTED 60 /* rows of files that text and Markdown have; more are told by directory */
#define KC_DIFFERENCE_LIMIT (4u << 20) /* of text and Markdown */

enum kc_change { KC_CHANGE_ADDED, KC_CHANGE_REMOVED, KC_CHANGE_CHANGED, KC_CHANGE_COUNT };

/* "added", ... */
const char *kc_change_name(enum kc_change change);

/* One fact about a whole volume that differs; "" where it is not known. */
struct kc_difference_fact {
	const char *name; /* "Python" */
	const char *before, *after;
};

/* A package or component. Where a volume has several of one name, all versions are named, and all licences: "1.2.11, 1.3.1". */
struct kc_difference_part {
	enum kc_change change;
	bool is_version_same; /* then it is the licence that changed */
	char name[KC_METADATA_NAME_SIZE];
	char before[KC_DIFFERENCE_TEXT_SIZE], after[KC_DIFFERENCE_TEXT_SIZE];
	char license_before[KC_DIFFERENCE_TEXT_SIZE], license_after[KC_DIFFERENCE_TEXT_SIZE];
};

struct kc_difference_parts {
	struct kc_difference_part *items; /* by name */
	size_t count;
};

/* A file, a link, or a directory that is empty or has other permissions. */
struct kc_difference_file {
	enum kc_change change;
	const struct kc_entry *before, *after; /* NULL for what is not there */
};

struct kc_difference {
	const struct kc_contents *before, *after;
	struct kc_difference_fact facts[12];
	size_t fact_count;
	struct kc_difference_parts packages, components;
	struct kc_difference_file *files; /* by name */
	size_t file_count;
	size_t changes[KC_CHANGE_COUNT]; /* of the files */
};

#define KC_CLEANUP_DIFFERENCE KC_CLEANUP(kc_difference_release)

/* -ENOMEM alone. On failure *ret_difference is zeroed. */
int kc_difference_make(const struct kc_contents *before, const struct kc_contents *after,
		       struct kc_difference *ret_difference, struct kc_error *err)
	__attribute__((warn_unused_result));
void kc_difference_release(struct kc_difference *difference);

/* True if anything is different. */
bool kc_difference_is_any(const struct kc_difference *difference);

/* The changes of one file, or of all below a directory. */
struct kc_difference_row {
	const char *
		path; /* `path_length` bytes of it, a directory's with the slash at its end; "" for the whole volume */
	size_t path_length;
	size_t first, last; /* the files from `first` to before `last` */
	size_t parts;	    /* how many rows it would be, one level deeper; 1: no more than it is */
	size_t changes[KC_CHANGE_COUNT];
	int64_t bytes; /* more than before, or less */
};

/* All changes of files in `most` rows at most: where there are more, those of directories, the fullest taken apart first. The caller
 * frees *ret_rows. */
int kc_difference_rows(const struct kc_difference *difference, size_t most,
		       struct kc_difference_row **ret_rows, size_t *ret_count, struct kc_error *err)
	__attribute__((warn_unused_result));

/* The name by which texts call a volume: its package and version, or its own. */
void kc_difference_title(const struct kc_contents *contents, char *ret_title, size_t size);

/* 0, or -ENOMEM or -E2BIG. */
int kc_difference_to_text(const struct kc_difference *difference, struct kc_buffer *text,
			  struct kc_error *err) __attribute__((warn_unused_result));
int kc_difference_to_markdown(const struct kc_difference *difference, struct kc_buffer *text,
			      struct kc_error *err) __attribute__((warn_unused_result));

/* As difference.schema.json describes it, every file among it. The caller deletes *ret_json. */
int kc_difference_to_json(const struct kc_difference *difference, cJSON **ret_json, struct kc_error *err)
	__attribute__((warn_unused_result));

#endif
