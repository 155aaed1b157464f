#include "elf/floor.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "elf/clamp.h"

const char *const kc_elf_families[KC_ELF_FAMILIES] = { "GLIBC", "GLIBCXX", "CXXABI" };

/* Where the version begins in "GLIBC_2.17", if it is one of `family` and a number that fits; else NULL. */
static const char *find_number(const char *name, const char *family)
{
	size_t length = strlen(family);
	const char *version = name + length + 1;

	if (strncmp(name, family, length) != 0 || name[length] != '_' || !isdigit((unsigned char)*version))
		return NULL;
	return version[strspn(version, "0123456789.")] || strlen(version) >= KC_ELF_FLOOR_VERSION_SIZE
		       ? NULL
		       : version;
}

bool kc_elf_raise_floor(const struct kc_elf *elf, const char *family, char version[KC_ELF_FLOOR_VERSION_SIZE])
{
	bool is_raised = false;

	for (size_t i = 0; i < elf->required_count; i++) {
		const char *needed =
			elf->required[i].is_weak ? NULL : find_number(elf->required[i].name, family);

		if (!needed || (*version && kc_elf_compare_versions(needed, version) <= 0))
			continue;
		(void)snprintf(version, KC_ELF_FLOOR_VERSION_SIZE, "%s", needed);
		is_raised = true;
	}
	return is_raised;
}
