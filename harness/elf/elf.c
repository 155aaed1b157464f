#include "elf/elf.h"

#include <errno.h>
#include <gelf.h>
#include <libelf.h>
#include <stdlib.h>
#include <string.h>

/* What is needed while reading, and not after. */
struct reader {
	struct kc_elf *facts;
	Elf *elf;
	size_t header_count;
	size_t strings_offset; /* of the dynamic string table in the image */
	size_t strings_length;
	uint64_t tables[2]; /* addresses of DT_VERNEED and DT_VERDEF */
	uint64_t table_counts[2];
	struct kc_error *err;
};

enum { TABLE_REQUIRED, TABLE_DEFINED };

static void cleanup_elf(Elf **elf)
{
	(void)elf_end(*elf); /* returns a reference count */
}

static int bad(struct reader *reader, const char *what)
{
	return kc_error_set(reader->err, EBADMSG, "read ELF file: %s", what);
}

static bool is_inside(const struct kc_elf *facts, uint64_t offset, uint64_t length)
{
	return offset <= facts->length && length <= facts->length - offset;
}

static uint16_t half(const struct kc_elf *facts, size_t offset)
{
	const unsigned char *at = facts->image + offset;

	return (uint16_t)(facts->is_big_endian ? at[0] << 8 | at[1] : at[1] << 8 | at[0]);
}

uint32_t kc_elf_word(const struct kc_elf *facts, size_t offset)
{
	uint32_t first = half(facts, offset), second = half(facts, offset + 2);

	return facts->is_big_endian ? first << 16 | second : second << 16 | first;
}

/* The place in the file of what the program headers put at `address`. */
static int find_address(struct reader *reader, uint64_t address, size_t *ret_offset)
{
	GElf_Phdr header;

	for (size_t i = 0; i < reader->header_count; i++) {
		if (!gelf_getphdr(reader->elf, (int)i, &header))
			return bad(reader, "a program header is outside of the file");
		if (header.p_type != PT_LOAD || address < header.p_vaddr ||
		    address - header.p_vaddr >= header.p_filesz)
			continue;
		if (!is_inside(reader->facts, header.p_offset, header.p_filesz))
			return bad(reader, "a segment is outside of the file");
		*ret_offset = (size_t)(header.p_offset + (address - header.p_vaddr));
		return 0;
	}
	return bad(reader, "a dynamic entry points outside of the segments");
}

static int get_string(struct reader *reader, uint64_t index, const char **ret_string)
{
	const char *string;

	if (index >= reader->strings_length)
		return bad(reader, "a name is outside of the string table");
	string = (const char *)reader->facts->image + reader->strings_offset + index;
	if (!memchr(string, '\0', reader->strings_length - index))
		return bad(reader, "a name does not end within the string table");
	*ret_string = string;
	return 0;
}

static int add_version(struct reader *reader, const struct kc_elf_version *version,
		       struct kc_elf_version **versions, size_t *count)
{
	/* Grown in powers of two: `count` alone tells when. */
	if ((*count & (*count - 1)) == 0) {
		size_t capacity = *count ? *count * 2 : 1;
		struct kc_elf_version *grown = reallocarray(*versions, capacity, sizeof(**versions));

		if (!grown)
			return kc_error_errno(reader->err, ENOMEM, "read ELF file");
		*versions = grown;
	}
	if (*count >= KC_ELF_MAX_VERSIONS)
		return bad(reader, "too many symbol versions");
	(*versions)[*count] = *version;
	(*versions)[(*count)++].hash = kc_elf_word(reader->facts, version->hash_offset);
	return 0;
}

/* Elf32 and Elf64 share these layouts: Verneed is {half version, count; word file, aux, next}, Vernaux {word
 * hash; half flags, other; word name, next}. */
static int read_required_from(struct reader *reader, size_t need)
{
	struct kc_elf *facts = reader->facts;
	size_t at = need + kc_elf_word(facts, need + 8);
	const char *file;
	int status = get_string(reader, kc_elf_word(facts, need + 4), &file);

	for (unsigned int left = half(facts, need + 2); status == 0 && left > 0; left--) {
		struct kc_elf_version version = { .file = file, .hash_offset = at };
		uint32_t name, next;

		if (!is_inside(facts, at, sizeof(Elf64_Vernaux)))
			return bad(reader, "a required version is outside of the file");
		name = kc_elf_word(facts, at + 8);
		next = kc_elf_word(facts, at + 12);
		version.is_weak = half(facts, at + 4) & VER_FLG_WEAK;
		status = get_string(reader, name, &version.name);
		version.name_offset = reader->strings_offset + name;
		if (status == 0)
			status = add_version(reader, &version, &facts->required, &facts->required_count);
		if (next == 0)
			break;
		at += next;
	}
	return status;
}

/* Verdef is {half version, flags, index, count; word hash, aux, next}, Verdaux {word name, next}; the first
 * Verdaux is the name, the others are its parents. */
static int read_definition(struct reader *reader, size_t definition)
{
	struct kc_elf *facts = reader->facts;
	size_t aux = definition + kc_elf_word(facts, definition + 12);
	struct kc_elf_version version = { .hash_offset = definition + 8 };
	uint32_t name;
	int status;

	if (!is_inside(facts, aux, sizeof(Elf64_Verdaux)))
		return bad(reader, "the name of a version is outside of the file");
	name = kc_elf_word(facts, aux);
	status = get_string(reader, name, &version.name);
	if (status < 0)
		return status;
	version.name_offset = reader->strings_offset + name;
	version.is_weak = half(facts, definition + 2) & VER_FLG_WEAK;
	return add_version(reader, &version, &facts->defined, &facts->defined_count);
}

static int read_table(struct reader *reader, int table, size_t entry_size, size_t next_offset,
		      int (*read_entry)(struct reader *, size_t))
{
	size_t at = 0;
	int status = 0;

	if (reader->tables[table] == 0)
		return 0;
	status = find_address(reader, reader->tables[table], &at);
	for (uint64_t left = reader->table_counts[table]; status == 0 && left > 0; left--) {
		uint32_t next;

		if (!is_inside(reader->facts, at, entry_size))
			return bad(reader, "a table of symbol versions is outside of the file");
		status = read_entry(reader, at);
		next = kc_elf_word(reader->facts, at + next_offset);
		if (next == 0)
			break;
		at += next;
	}
	return status;
}

static Elf_Data *find_dynamic(struct reader *reader)
{
	GElf_Phdr header;

	for (size_t i = 0; i < reader->header_count; i++) {
		if (!gelf_getphdr(reader->elf, (int)i, &header) || header.p_type != PT_DYNAMIC ||
		    !is_inside(reader->facts, header.p_offset, header.p_filesz))
			continue;
		return elf_getdata_rawchunk(reader->elf, (int64_t)header.p_offset, header.p_filesz,
					    ELF_T_DYN);
	}
	return NULL;
}

/* The string table first: the other entries need it. */
static int find_strings(struct reader *reader, Elf_Data *dynamic)
{
	uint64_t address = 0;
	GElf_Dyn entry;
	int status;

	for (int i = 0; gelf_getdyn(dynamic, i, &entry) && entry.d_tag != DT_NULL; i++) {
		if (entry.d_tag == DT_STRTAB)
			address = entry.d_un.d_ptr;
		else if (entry.d_tag == DT_STRSZ)
			reader->strings_length = entry.d_un.d_val;
		else if (entry.d_tag == DT_VERNEED)
			reader->tables[TABLE_REQUIRED] = entry.d_un.d_ptr;
		else if (entry.d_tag == DT_VERNEEDNUM)
			reader->table_counts[TABLE_REQUIRED] = entry.d_un.d_val;
		else if (entry.d_tag == DT_VERDEF)
			reader->tables[TABLE_DEFINED] = entry.d_un.d_ptr;
		else if (entry.d_tag == DT_VERDEFNUM)
			reader->table_counts[TABLE_DEFINED] = entry.d_un.d_val;
	}
	if (address == 0)
		reader->strings_length = 0;
	if (reader->strings_length == 0)
		return 0;
	status = find_address(reader, address, &reader->strings_offset);
	if (status < 0)
		return status;
	if (!is_inside(reader->facts, reader->strings_offset, reader->strings_length))
		return bad(reader, "the string table is outside of the file");
	return 0;
}

static int read_needed(struct reader *reader, Elf_Data *dynamic)
{
	struct kc_elf *facts = reader->facts;
	GElf_Dyn entry;
	int status = 0;

	/* No more entries than that fit. */
	facts->needed = calloc(dynamic->d_size / sizeof(Elf32_Dyn) + 1, sizeof(*facts->needed));
	if (!facts->needed)
		return kc_error_errno(reader->err, ENOMEM, "read ELF file");
	for (int i = 0; status == 0 && gelf_getdyn(dynamic, i, &entry) && entry.d_tag != DT_NULL; i++) {
		if (entry.d_tag == DT_NEEDED)
			status = get_string(reader, entry.d_un.d_val, &facts->needed[facts->needed_count++]);
		else if (entry.d_tag == DT_SONAME)
			status = get_string(reader, entry.d_un.d_val, &facts->soname);
		else if (entry.d_tag == DT_RPATH)
			status = get_string(reader, entry.d_un.d_val, &facts->rpath);
		else if (entry.d_tag == DT_RUNPATH)
			status = get_string(reader, entry.d_un.d_val, &facts->runpath);
	}
	return status;
}

static int read_interpreter(struct reader *reader)
{
	struct kc_elf *facts = reader->facts;
	GElf_Phdr header;

	for (size_t i = 0; i < reader->header_count; i++) {
		if (!gelf_getphdr(reader->elf, (int)i, &header))
			return bad(reader, "a program header is outside of the file");
		facts->is_dynamic |= header.p_type == PT_DYNAMIC;
		if (header.p_type != PT_INTERP)
			continue;
		if (!is_inside(facts, header.p_offset, header.p_filesz) ||
		    !memchr(facts->image + header.p_offset, '\0', header.p_filesz))
			return bad(reader, "the name of the interpreter does not end within the file");
		facts->interpreter = (const char *)facts->image + header.p_offset;
	}
	return 0;
}

static int read_dynamic(struct reader *reader)
{
	Elf_Data *dynamic;
	int status;

	if (!reader->facts->is_dynamic)
		return 0;
	dynamic = find_dynamic(reader);
	if (!dynamic)
		return bad(reader, "the dynamic segment is outside of the file");
	status = find_strings(reader, dynamic);
	if (status == 0)
		status = read_needed(reader, dynamic);
	if (status == 0)
		status = read_table(reader, TABLE_REQUIRED, sizeof(Elf64_Verneed),
				    offsetof(Elf64_Verneed, vn_next), read_required_from);
	if (status == 0)
		status = read_table(reader, TABLE_DEFINED, sizeof(Elf64_Verdef),
				    offsetof(Elf64_Verdef, vd_next), read_definition);
	return status;
}

static int read_all(struct reader *reader)
{
	struct kc_elf *facts = reader->facts;
	GElf_Ehdr header;
	int status;

	if (!gelf_getehdr(reader->elf, &header) || elf_getphdrnum(reader->elf, &reader->header_count) != 0)
		return bad(reader, "the header is cut short");
	facts->bits = header.e_ident[EI_CLASS] == ELFCLASS32 ? 32 : 64;
	facts->is_big_endian = header.e_ident[EI_DATA] == ELFDATA2MSB;
	facts->machine = header.e_machine;
	facts->type = header.e_type;
	status = read_interpreter(reader);
	return status < 0 ? status : read_dynamic(reader);
}

int kc_elf_read(const void *image, size_t length, struct kc_elf *ret_elf, struct kc_error *err)
{
	KC_CLEANUP(cleanup_elf) Elf *elf = NULL;
	struct reader reader = { .facts = ret_elf, .err = err };
	int status;

	*ret_elf = (struct kc_elf){ .image = image, .length = length };
	if (length < SELFMAG || memcmp(image, ELFMAG, SELFMAG) != 0) {
		*ret_elf = (struct kc_elf){ 0 };
		return kc_error_set(err, ENOEXEC, "read ELF file: not one");
	}
	(void)elf_version(EV_CURRENT); /* fails only if libelf is older than its header */
	/* libelf takes the image as writable, and does not write: elf_update is never called. */
	elf = elf_memory((char *)(uintptr_t)image, length);
	reader.elf = elf;
	status = elf && elf_kind(elf) == ELF_K_ELF ? read_all(&reader) : bad(&reader, elf_errmsg(-1));
	if (status < 0)
		kc_elf_release(ret_elf);
	return status;
}

void kc_elf_release(struct kc_elf *elf)
{
	free(elf->needed);
	free(elf->required);
	free(elf->defined);
	*elf = (struct kc_elf){ 0 };
}

bool kc_elf_is_static_program(const struct kc_elf *elf)
{
	return !elf->interpreter && elf->needed_count == 0 && !elf->soname &&
	       (elf->type == ET_EXEC || elf->type == ET_DYN);
}
