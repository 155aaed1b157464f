/*
 * Making a root filesystem out of Debian packages: unpacked into one tree, moved and thinned out as the
 * definition says, every ELF file clamped, completed with our own files, links, empty mount points and the
 * bundle of certificates. No program of the packages is run, and none of their scripts.
 *
 * There is no ld.so.cache: the loader's built-in search path covers where the libraries are.
 */
#ifndef KC_IMAGE_ASSEMBLE_H
#define KC_IMAGE_ASSEMBLE_H

#include "elf/clamp.h"
#include "image/debian.h"
#include "image/definition.h"

/* To be raised when the same definition and packages make another tree: it is part of an image's digest. */
#define KC_IMAGE_BUILDER_VERSION 1

struct kc_assembly {
	const struct kc_definition *definition;
	const struct kc_image_source *source;
	const struct kc_debian_packages *packages; /* fetched into `directory` */
	const char *directory;
	unsigned int owner_id; /* gets every file; (unsigned int)-1: they stay ours */
};

/* Fills the empty directory `tree_fd`. *ret_stats says what was clamped. */
int kc_assemble(const struct kc_assembly *assembly, int tree_fd, struct kc_elf_clamp_stats *ret_stats,
		struct kc_error *err) __attribute__((warn_unused_result));

#endif
