/*
 * What a volume was built from, read off its bytes: which strings of an ELF file tell the version of which component, and which names
 * of licences mean which identifier of SPDX. The facts are data, compat/components.json, described in components.schema.json; this is
 * the code that reads and evaluates them.
 *
 * Life cycle: 1. kc_components_load  2. questions, any number  3. kc_components_release (NULL-safe). Strings that a question returns
 * are borrowed from it. What is scanned may be anything: the time it takes is bounded by its length, and nothing but strings of
 * KC_COMPONENTS_STRING_MAX bytes at most is looked at.
 */
#ifndef KC_COMPAT_COMPONENTS_H
#define KC_COMPAT_COMPONENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/error.h"

#define KC_COMPONENTS_MAX 32
#define KC_COMPONENTS_STRING_MAX 127
#define KC_COMPONENTS_VERSION_SIZE 64

struct kc_components;

/* `name` is what errors call the text. -EBADMSG: a key that is unknown or missing, a pattern that does not compile or has no group, a
 * licence that is not among those of SPDX it lists. */
int kc_components_load(const char *json, size_t length, const char *name,
		       struct kc_components **ret_components, struct kc_error *err)
	__attribute__((warn_unused_result));
void kc_components_release(struct kc_components **components);
#define KC_CLEANUP_COMPONENTS KC_CLEANUP(kc_components_release)

struct kc_component {
	const char *name;			  /* "openssl" */
	char version[KC_COMPONENTS_VERSION_SIZE]; /* "" if the file tells two */
	const char *type;			  /* as CycloneDX calls it: "library" */
	const char *cpe;			  /* "openssl:openssl", vendor and product; NULL for none */
	const char *license; /* of SPDX; NULL: it is not said, or depends on what is not known */
};

/* What the strings of one ELF file tell: each component once, in the order of the data. `path` is its place in the volume, `python` the
 * X.Y of the volume's Python ("" for unknown). -ENOMEM alone. */
int kc_components_scan(const struct kc_components *components, const char *path, const char *python,
		       const void *bytes, size_t length, struct kc_component ret_found[KC_COMPONENTS_MAX],
		       size_t *ret_count, struct kc_error *err) __attribute__((warn_unused_result));

/* The identifier of SPDX that `text` is, or is a known name of; NULL for a text that is neither. */
const char *kc_components_spdx(const struct kc_components *components, const char *text);

#endif
