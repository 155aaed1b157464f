/*
 * Making a C library look as old as another: version clamping.
 *
 * In an ELF image every symbol version newer than a ceiling, defined or required, is renamed in place to its
 * lower-case spelling ("GLIBC_2.34" becomes "glibc_2.34") and the hash beside the name is corrected. Files
 * that were all clamped with the same ceilings still fit together; a foreign file that wants more than the
 * ceilings gets from the loader the very message that the older system prints. The length of the file and
 * the place of everything in it stay the same.
 *
 * What is left alone: names that are not PREFIX_NUMBERS (GLIBC_PRIVATE; GLIBC_ABI_DT_RELR, which the loader
 * checks its own libraries for), and every prefix without a ceiling.
 *
 * In the C library itself (soname libc.so.6, and the loader ld-linux*) the release in its texts, where
 * gnu_get_libc_version and confstr find it, becomes the ceiling of GLIBC. The dynamic string table is no
 * text.
 */
#ifndef KC_ELF_CLAMP_H
#define KC_ELF_CLAMP_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct kc_elf_ceiling {
	const char *prefix;  /* "GLIBC" */
	const char *version; /* the newest that remains, "2.17"; numbers and dots */
};

struct kc_elf_ceilings {
	const struct kc_elf_ceiling *rows;
	size_t count;
};

/* What was changed. */
struct kc_elf_clamp_stats {
	size_t definitions;
	size_t requirements;
	size_t texts;
	char release[16]; /* what the C library called itself; "" for any other file */
};

/* Negative, 0 or positive: `left` is older than, as, or newer than `right`. Numbers compare as numbers. */
int kc_elf_compare_versions(const char *left, const char *right);

/* The hash function of the System V ABI, chapter 5. */
uint32_t kc_elf_hash(const char *name);

/* Changes `image` in place. *ret_stats may be NULL. On failure (kc_elf_read's errors; -ENOTSUP if the release
 * is not as long as the ceiling) the image is as it was. */
int kc_elf_clamp(void *image, size_t length, const struct kc_elf_ceilings *ceilings,
		 struct kc_elf_clamp_stats *ret_stats, struct kc_error *err)
	__attribute__((warn_unused_result));

/* Replaces `from` by the equally long `to` wherever it stands alone in `text`: after a blank or a NUL, and
 * not the beginning of a longer number or word. Returns how often. */
size_t kc_elf_replace_release(char *text, size_t length, const char *from, const char *to);

#endif
