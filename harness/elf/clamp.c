#include "elf/clamp.h"

#include <ctype.h>
#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "elf/elf.h"

/* glibc's banner, csu/version.c and elf/rtld.c: "... stable release version 2.36." */
static const char banner[] = " release version ";

uint32_t kc_elf_hash(const char *name)
{
	uint32_t hash = 0;

	for (; *name; name++) {
		hash = (hash << 4) + (unsigned char)*name;
		hash ^= (hash & 0xf0000000u) >> 24;
		hash &= 0x0fffffffu;
	}
	return hash;
}

int kc_elf_compare_versions(const char *left, const char *right)
{
	while (*left || *right) {
		char *left_end, *right_end;
		unsigned long left_number = strtoul(left, &left_end, 10);
		unsigned long right_number = strtoul(right, &right_end, 10);

		if (left_number != right_number)
			return left_number < right_number ? -1 : 1;
		if (left_end == left && right_end == right)
			break;
		left = left_end + (*left_end == '.');
		right = right_end + (*right_end == '.');
	}
	return 0;
}

static bool is_release(const char *text)
{
	return isdigit((unsigned char)*text) && text[strspn(text, "0123456789.")] == '\0';
}

static const struct kc_elf_ceiling *find_ceiling(const struct kc_elf_ceilings *ceilings, const char *name)
{
	for (size_t i = 0; i < ceilings->count; i++) {
		size_t length = strlen(ceilings->rows[i].prefix);

		if (strncmp(name, ceilings->rows[i].prefix, length) == 0 && name[length] == '_' &&
		    is_release(name + length + 1))
			return &ceilings->rows[i];
	}
	return NULL;
}

static bool is_above(const struct kc_elf_ceilings *ceilings, const char *name)
{
	const struct kc_elf_ceiling *ceiling = find_ceiling(ceilings, name);

	return ceiling && kc_elf_compare_versions(name + strlen(ceiling->prefix) + 1, ceiling->version) > 0;
}

/* Moves what is above to the front. To be done for all before the first change: names share their bytes. */
static size_t select_above(const struct kc_elf_ceilings *ceilings, struct kc_elf_version *versions,
			   size_t count)
{
	size_t selected = 0;

	for (size_t i = 0; i < count; i++)
		if (is_above(ceilings, versions[i].name))
			versions[selected++] = versions[i];
	return selected;
}

static void rename_versions(unsigned char *image, const struct kc_elf_version *versions, size_t count)
{
	/* Again for a name that was renamed already changes nothing, and a NUL stays a NUL. */
	for (size_t i = 0; i < count; i++)
		for (unsigned char *c = image + versions[i].name_offset; *c; c++)
			*c = (unsigned char)tolower(*c);
}

/* All hashes are taken before the first is written: in a hostile file one may lie on the end of a name. */
static void write_hashes(unsigned char *image, const struct kc_elf *elf, struct kc_elf_version *versions,
			 size_t count)
{
	for (size_t i = 0; i < count; i++) {
		unsigned char *place = image + versions[i].hash_offset;

		for (size_t byte = 0; byte < 4; byte++)
			place[elf->is_big_endian ? 3 - byte : byte] =
				(unsigned char)(versions[i].hash >> 8 * byte);
	}
}

static void take_hashes(struct kc_elf_version *versions, size_t count)
{
	for (size_t i = 0; i < count; i++)
		versions[i].hash = kc_elf_hash(versions[i].name);
}

static bool continues_word(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

size_t kc_elf_replace_release(char *text, size_t length, const char *from, const char *to)
{
	size_t size = strlen(from), count = 0;
	char *end = text + length, *at = text;

	while (size > 0 && size <= (size_t)(end - at) && (at = memmem(at, (size_t)(end - at), from, size))) {
		char before = at > text ? at[-1] : ' ';
		char after = at + size < end ? at[size] : '\0';
		char behind = at + size + 1 < end ? at[size + 1] : '\0';

		if ((before == ' ' || before == '\0') && !continues_word(after) &&
		    !(after == '.' && isdigit((unsigned char)behind))) {
			memcpy(at, to, size);
			count++;
		}
		at += size;
	}
	return count;
}

/* The release that the C library's banner names, or an empty string. */
static void find_own_release(const struct kc_elf *elf, char *ret_release, size_t size)
{
	const char *image = (const char *)elf->image;
	const char *at = memmem(image, elf->length, banner, sizeof(banner) - 1);
	size_t length = 0;

	ret_release[0] = '\0';
	if (!at)
		return;
	at += sizeof(banner) - 1;
	while (at + length < image + elf->length && length + 1 < size &&
	       (isdigit((unsigned char)at[length]) || at[length] == '.'))
		length++;
	while (length > 0 && at[length - 1] == '.')
		length--; /* of the sentence */
	memcpy(ret_release, at, length);
	ret_release[length] = '\0';
}

static bool is_c_library(const struct kc_elf *elf)
{
	return elf->soname &&
	       (strcmp(elf->soname, "libc.so.6") == 0 || strncmp(elf->soname, "ld-linux", 8) == 0);
}

int kc_elf_clamp(void *image, size_t length, const struct kc_elf_ceilings *ceilings,
		 struct kc_elf_clamp_stats *ret_stats, struct kc_error *err)
{
	KC_CLEANUP_ELF struct kc_elf elf = { 0 };
	const struct kc_elf_ceiling *libc = find_ceiling(ceilings, "GLIBC_0");
	char release[16] = "";
	struct kc_elf_clamp_stats found = { 0 };
	int status = kc_elf_read(image, length, &elf, err);

	if (status < 0)
		return status;
	if (libc && is_c_library(&elf))
		find_own_release(&elf, release, sizeof(release));
	if (*release && kc_elf_compare_versions(release, libc->version) <= 0)
		*release = '\0';
	if (*release && strlen(release) != strlen(libc->version))
		return kc_error_set(err, ENOTSUP,
				    "clamp `%s`: release %s cannot become %s, which is not as long",
				    elf.soname, release, libc->version);
	found.definitions = select_above(ceilings, elf.defined, elf.defined_count);
	found.requirements = select_above(ceilings, elf.required, elf.required_count);
	rename_versions(image, elf.defined, found.definitions);
	rename_versions(image, elf.required, found.requirements);
	take_hashes(elf.defined, found.definitions);
	take_hashes(elf.required, found.requirements);
	write_hashes(image, &elf, elf.defined, found.definitions);
	write_hashes(image, &elf, elf.required, found.requirements);
	if (*release)
		found.texts = kc_elf_replace_release(image, length, release, libc->version);
	memcpy(found.release, release, sizeof(release));
	if (ret_stats)
		*ret_stats = found;
	return 0;
}
