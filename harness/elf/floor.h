/*
 * The oldest system that a file can start on: the newest version of a family of symbols ("GLIBC_2.17") that it cannot do without.
 * A requirement that is weak does not count, nor does a version that is no number ("GLIBC_PRIVATE").
 */
#ifndef KC_ELF_FLOOR_H
#define KC_ELF_FLOOR_H

#include <stdbool.h>
#include <stddef.h>

#include "elf/elf.h"

#define KC_ELF_FLOOR_VERSION_SIZE 32

/* The families of which a system's age is told: of the C library and of the C++ library. */
#define KC_ELF_FAMILIES 3
extern const char *const kc_elf_families[KC_ELF_FAMILIES];

/* Raises `version`, which is "" or what other files need, to what this one needs of `family`. Whether it had to. */
bool kc_elf_raise_floor(const struct kc_elf *elf, const char *family,
			char version[KC_ELF_FLOOR_VERSION_SIZE]);

#endif
