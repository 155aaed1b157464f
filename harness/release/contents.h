/*
 * What is in a krunner volume, found by reading it: nothing of it is executed.
 *
 * Life cycle: 1. kc_contents_take  2. read the fields  3. kc_contents_release (idempotent, fit for a zeroed object). Nothing is
 * borrowed from the volume afterwards. Every text that is kept is fit to be shown: names of files are escaped (archive/names.h),
 * licences are UTF-8 in one line without controls, all else is letters, digits and a few signs. What it costs is bounded by the
 * limits of archives and KC_CONTENTS_MAX of each kind. Lists are sorted, so that the same volume gives the same contents.
 */
#ifndef KC_RELEASE_CONTENTS_H
#define KC_RELEASE_CONTENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "archive/entries.h"
#include "archive/volume.h"
#include "base/json.h"
#include "compat/components.h"
#include "elf/floor.h"
#include "release/metadata.h"

#define KC_CONTENTS_MAX 4096
#define KC_CONTENTS_VERSION 1 /* of the JSON; raised when a key goes or changes its meaning */

enum kc_license_kind {
	KC_LICENSE_NONE,
	KC_LICENSE_ID,	       /* an identifier of SPDX that compat/components.json lists */
	KC_LICENSE_EXPRESSION, /* of SPDX */
	KC_LICENSE_NAME	       /* what the package calls it */
};

struct kc_contents_package {
	const char *path; /* of its METADATA */
	char name[KC_METADATA_NAME_SIZE];
	char version[KC_METADATA_VERSION_SIZE];
	enum kc_license_kind license_kind;
	char license[KC_METADATA_TEXT_SIZE];
};

/* A component in one file: linked into it, as its strings say. */
struct kc_contents_component {
	const char *path;
	struct kc_component component;
};

struct kc_contents_library {
	const struct kc_entry *file;
	char soname[NAME_MAX + 1]; /* escaped, perhaps cut; "" for an extension module, as a rule */
	bool is_damaged;	   /* an ELF file whose headers are wrong: no more is known of it */
};

/* The newest version of a family of symbols that any ELF file cannot do without. */
struct kc_contents_floor {
	const char *family;			 /* "GLIBC", "GLIBCXX" or "CXXABI" */
	char version[KC_ELF_FLOOR_VERSION_SIZE]; /* "2.17" */
	const char *path;			 /* of the first file that needs it */
};

/* One place that tells the version of Python, in full or its first two parts. */
struct kc_contents_told {
	char where[PATH_MAX];
	char version[KC_COMPONENTS_VERSION_SIZE];
};

#define KC_CONTENTS_TOLD_MAX 8

struct kc_contents {
	char name[NAME_MAX + 1];	 /* of the archive or directory; escaped */
	char sha256[KC_SHA256_HEX_SIZE]; /* of the archive; of a directory, of its manifest */
	bool is_archive;
	char distro[KC_WHEEL_WORD_SIZE];
	char arch[KC_WHEEL_WORD_SIZE];
	char package[KC_WHEEL_WORD_SIZE]; /* of the wheel around it; "" for none, as below */
	char package_version[KC_WHEEL_WORD_SIZE];
	char volume_version[KC_WHEEL_WORD_SIZE];

	char python[KC_COMPONENTS_VERSION_SIZE]; /* as full as it is told; "" for unknown */
	bool is_python_consistent;		 /* it is told, and all places tell the same */
	struct kc_contents_told told[KC_CONTENTS_TOLD_MAX];
	size_t told_count;

	struct kc_contents_package *packages; /* by name and version */
	size_t package_count;
	struct kc_contents_component *components; /* by name, version and path */
	size_t component_count;
	struct kc_contents_library *libraries; /* by path */
	size_t library_count;
	struct kc_contents_floor floors[KC_ELF_FAMILIES]; /* version "" where none is needed */

	struct kc_entries entries;
	size_t file_count, directory_count, link_count;
	uint64_t bytes; /* of all files */

	struct kc_components *rules; /* that the components' names are borrowed from */
};

#define KC_CLEANUP_CONTENTS KC_CLEANUP(kc_contents_release)

/* Errors name the file: -EBADMSG for METADATA that is none (release/metadata.h), -E2BIG for more than KC_CONTENTS_MAX of a kind,
 * -EUCLEAN for a file that is not what the manifest says. On failure *ret_contents is zeroed. */
int kc_contents_take(const struct kc_volume *volume, struct kc_contents *ret_contents, struct kc_error *err)
	__attribute__((warn_unused_result));
void kc_contents_release(struct kc_contents *contents);

/* All of it, as contents.schema.json describes it. The caller deletes *ret_json. */
int kc_contents_to_json(const struct kc_contents *contents, cJSON **ret_json, struct kc_error *err)
	__attribute__((warn_unused_result));

#endif
