/*
 * The definition of an image: `images/NAME.json`, embedded into the program.
 *
 * An image has a libc and a list of sources in order of preference; a source says where the root filesystem
 * comes from and how true it is. What the sources lack is added above them, a layer for each addition. The kinds of both:
 *
 *	debian-packages		packages unpacked into one tree, moved, clamped (elf/clamp.h), and completed with files of our own
 *	wheel-archive		an archive of `docker save` inside a wheel of the package index; a source only
 *	wheel-files		files of a wheel; an addition only
 *	registry		a container image of a registry; a source only
 *
 * Every key must be known: a misspelt one is an error. Paths are relative to the root of the image and stay below it.
 *
 * Life cycle: 1. kc_definition_load  2. read the fields  3. kc_definition_release (idempotent, fit for a
 * zeroed object). Every string belongs to the definition.
 */
#ifndef KC_IMAGE_DEFINITION_H
#define KC_IMAGE_DEFINITION_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/error.h"
#include "elf/clamp.h"
#include "image/reference.h"

/* "path": "value" of the definition: a link and its target, what is moved and where to; or other names. */
struct kc_definition_pair {
	const char *path;
	const char *value;
};

struct kc_definition_directory {
	const char *path;
	mode_t mode;
};

struct kc_definition_file {
	const char *path;
	const cJSON *lines; /* array of strings, without their line ends */
};

/* The wheel for one architecture, and what is taken from it. */
struct kc_definition_wheel {
	const char *sha256;
	const char *archive;		  /* its member; NULL for wheel-files */
	struct kc_definition_pair *files; /* the path in the image, and the wheel's member */
	size_t file_count;
};

enum kc_image_source_kind {
	KC_SOURCE_DEBIAN_PACKAGES,
	KC_SOURCE_WHEEL_ARCHIVE,
	KC_SOURCE_WHEEL_FILES,
	KC_SOURCE_REGISTRY
};

/* Of other kinds a field is zero. */
struct kc_image_source {
	enum kc_image_source_kind kind;
	const char *kind_name;
	const char *fidelity; /* "real" or "emulated"; NULL for an addition */
	/* As uname(2) says it, "x86_64", and: as dpkg does, "amd64"; else the same again. */
	struct kc_definition_pair *architectures;
	size_t architecture_count;
	const char *image;		    /* of a registry: "docker.io/library/alpine:3.17" */
	const char *package;		    /* of the wheels: "NAME==VERSION" */
	struct kc_definition_wheel *wheels; /* one for each of `architectures` */
	const char **packages;
	size_t package_count;
	const char **drop; /* fnmatch(3) patterns of packaged paths that are left out; `*` matches slashes */
	size_t drop_count;
	struct kc_definition_pair
		*move; /* directory and where it goes, with all below; the first match counts */
	size_t move_count;
	const char *
		certificates; /* directory with the authorities' certificates, joined into the CA bundle; may be NULL */
	struct kc_elf_ceiling *ceilings;
	size_t ceiling_count;
	struct kc_definition_directory *directories;
	size_t directory_count;
	struct kc_definition_pair *links;
	size_t link_count;
	struct kc_definition_file *files;
	size_t file_count;
};

struct kc_definition {
	cJSON *document;
	const char *name;
	const char *what;
	const char *libc_family;  /* "glibc" or "musl" */
	const char *libc_version; /* "2.17" */
	const char *ca_bundle;	  /* absolute, in the image */
	const char **aliases;	  /* what people may call it as well */
	size_t alias_count;
	struct kc_image_source *sources;
	size_t source_count;
	struct kc_image_source *additions; /* the lowest first */
	size_t addition_count;
	char digest[KC_SHA256_HEX_SIZE]; /* of the definition's text */
};

#define KC_CLEANUP_DEFINITION KC_CLEANUP(kc_definition_release)

/* By name or alias. -ENOENT: no image of that name, the text lists those that there are. */
int kc_definition_load(const char *name, struct kc_definition *ret_definition, struct kc_error *err)
	__attribute__((warn_unused_result));

/* The same from a text that errors call `name`. -EBADMSG for what is wrong in it. */
int kc_definition_parse(const char *text, size_t length, const char *name,
			struct kc_definition *ret_definition, struct kc_error *err)
	__attribute__((warn_unused_result));

void kc_definition_release(struct kc_definition *definition);

/* The number of `architecture` among those that the source has; false if it has not. */
bool kc_source_has_architecture(const struct kc_image_source *source, const char *architecture,
				size_t *ret_index);

/* The name of image number `index`, in sorted order; false past the last. */
bool kc_definition_name(size_t index, char ret_name[KC_IMAGE_NAME_SIZE]);

#endif
