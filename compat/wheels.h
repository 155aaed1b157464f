/*
 * The wheels there are: which one serves a host and a container, what it is called and what its tags are. The facts are data,
 * compat/wheels.json (upstream's table of twelve rows), described in wheels.schema.json; this is the code that evaluates them.
 *
 * Life cycle: 1. kc_wheels_load  2. questions, any number  3. kc_wheels_release (NULL-safe). Read-only after loading; strings and
 * structures that a question returns are borrowed from it.
 *
 * Names are made as installers expect them: PEP 427 for the file name, PEP 425 for compressed tag sets, whose parts are sorted.
 * Upstream's own table and published wheels do not sort them, which KC_WHEEL_AS_LISTED writes down.
 */
#ifndef KC_COMPAT_WHEELS_H
#define KC_COMPAT_WHEELS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/error.h"

#define KC_WHEEL_TAGS_MAX 8

struct kc_wheels;

/* Of one package. */
struct kc_wheel_distribution {
	const char *name;    /* "static-gnu" */
	const char *package; /* "backend.ai-krunner-static-gnu" */
	const char *volume;  /* what file names inside say: "static-gnu", but "musllinux_1_2" of alpine */
	const char *summary;
	const char *licence; /* of the package, as SPDX has it */
};

enum kc_wheel_tag_order { KC_WHEEL_SORTED, KC_WHEEL_AS_LISTED };

/* The platform tags of one architecture, in an order that was asked for. */
struct kc_wheel_tags {
	const char *items[KC_WHEEL_TAGS_MAX];
	size_t count;
};

struct kc_wheel_choice {
	struct kc_wheel_distribution distribution;
	const char *architecture; /* of its volume */
};

/* Reads the text of wheels.json; `name` is what errors call it. -EBADMSG for an unknown key, a row that stands twice or names what
 * the other tables have not. */
int kc_wheels_load(const char *json, size_t length, const char *name, struct kc_wheels **ret_wheels,
		   struct kc_error *err) __attribute__((warn_unused_result));

/* The table that is part of the program. */
int kc_wheels_load_embedded(struct kc_wheels **ret_wheels, struct kc_error *err)
	__attribute__((warn_unused_result));
void kc_wheels_release(struct kc_wheels **wheels);
#define KC_CLEANUP_WHEELS KC_CLEANUP(kc_wheels_release)

/* "manylinux/x86_64", "musllinux/x86_64". False if the table has no such row. */
bool kc_wheels_select(const struct kc_wheels *wheels, const char *host, const char *container,
		      struct kc_wheel_choice *ret_choice);

/* One row of the table, by its place; false from the end on. */
bool kc_wheels_row(const struct kc_wheels *wheels, size_t index, const char **ret_host,
		   const char **ret_container);

/* By the name, the package in any spelling that PEP 503 takes for the same, or what its volume is called. */
bool kc_wheels_find_distribution(const struct kc_wheels *wheels, const char *name,
				 struct kc_wheel_distribution *ret_distribution);

bool kc_wheels_find_tags(const struct kc_wheels *wheels, const char *architecture,
			 enum kc_wheel_tag_order order, struct kc_wheel_tags *ret_tags);

/* "py3-none-": what stands before each platform tag. */
int kc_wheels_append_tag_start(const struct kc_wheels *wheels, struct kc_buffer *text)
	__attribute__((warn_unused_result));

/* Appends "backend_ai_krunner_static_gnu-4.4.0-py3-none-A.B.C.whl". 0, -ENOENT for an unknown architecture, -E2BIG or -ENOMEM. */
int kc_wheels_append_file_name(const struct kc_wheels *wheels, const struct kc_wheel_choice *choice,
			       const char *version, enum kc_wheel_tag_order order, struct kc_buffer *text)
	__attribute__((warn_unused_result));

/* What stands for the words in braces of a template; nothing where it is NULL. */
struct kc_wheel_values {
	const struct kc_wheel_choice *choice;
	const char *version;	    /* of the package */
	const char *volume_version; /* "14" */
	const char *python;	    /* "3.13" */
};

/* Names and contents of members, as templates of the table. */
enum kc_wheel_part {
	KC_WHEEL_DIRECTORY, /* one: with the slash at its end */
	KC_WHEEL_ARCHIVE,   /* one: its name in the directory */
	KC_WHEEL_TTYD,	    /* likewise */
	KC_WHEEL_TEXTS,	    /* several, with content */
	KC_WHEEL_DIST_INFO, /* likewise, beside METADATA */
	KC_WHEEL_METADATA,  /* its fields, in order */
	KC_WHEEL_METADATA_ALSO /* fields that published wheels have, too, each with a reason in the table: not written, and let through */
};

/* Appends the `index`-th of `part` to `name` and `text` (which may be NULL, each). 1, or 0 from the end on; -E2BIG or -ENOMEM. */
int kc_wheels_append_part(const struct kc_wheels *wheels, enum kc_wheel_part part, size_t index,
			  const struct kc_wheel_values *values, struct kc_buffer *name,
			  struct kc_buffer *text) __attribute__((warn_unused_result));

const char *kc_wheels_entry_point_group(const struct kc_wheels *wheels);

/* PEP 427 and PEP 503: lower case, each run of "-_." as one "_". */
int kc_wheel_append_escaped(const char *name, struct kc_buffer *text) __attribute__((warn_unused_result));

#endif
