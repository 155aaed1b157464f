/*
 * Facts of an ELF file in memory, as the dynamic loader would see them: headers and dynamic entries are
 * parsed with libelf, and everything is reached through the program headers. Section headers play no part:
 * the loader does not read them, and a stripped file need not have any.
 *
 * Life cycle: 1. kc_elf_read  2. read the fields  3. kc_elf_release (idempotent, fit for a zeroed object).
 * The image is borrowed until then: every string points into it and ends within it.
 *
 * The input is hostile: every offset and count is checked against the image. elf(5), and for symbol versions
 * the Linux Standard Base, Core, "Symbol Versioning".
 */
#ifndef KC_ELF_ELF_H
#define KC_ELF_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"

/* Most version entries a file may have; libc.so.6 has about 50. */
#define KC_ELF_MAX_VERSIONS 65536

struct kc_elf_version {
	const char *file;   /* soname of the library it is required from; NULL for a definition */
	const char *name;   /* "GLIBC_2.17" */
	size_t name_offset; /* of the name, from the start of the image */
	size_t hash_offset; /* of the 32-bit ELF hash of the name */
	uint32_t hash;	    /* as the file has it */
	bool is_weak;	    /* VER_FLG_WEAK: its lack is only a warning of the loader */
};

struct kc_elf {
	const unsigned char *image;
	size_t length;
	uint16_t machine;  /* EM_X86_64, ... */
	uint16_t type;	   /* ET_EXEC, ET_DYN, ET_REL, ET_CORE */
	unsigned int bits; /* 32 or 64 */
	bool is_big_endian;
	bool is_dynamic;	 /* has a dynamic segment; a static-pie has one, too */
	const char *interpreter; /* NULL: a shared object, or a static program */
	const char *soname;	 /* NULL for none, like all below */
	const char *rpath;
	const char *runpath;
	const char **needed;
	size_t needed_count;
	struct kc_elf_version *required;
	size_t required_count;
	struct kc_elf_version *defined;
	size_t defined_count;
};

#define KC_CLEANUP_ELF KC_CLEANUP(kc_elf_release)

/* -ENOEXEC: not an ELF file. -EBADMSG: one whose headers are wrong. `ret_elf` is zeroed on failure. */
int kc_elf_read(const void *image, size_t length, struct kc_elf *ret_elf, struct kc_error *err)
	__attribute__((warn_unused_result));
void kc_elf_release(struct kc_elf *elf);

/* True for a program that the kernel starts without a loader (static-pie included). */
bool kc_elf_is_static_program(const struct kc_elf *elf);

/* A 32-bit word of the file in our byte order; `offset` must be inside. */
uint32_t kc_elf_word(const struct kc_elf *facts, size_t offset);

#endif
