#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "elf/clamp.h"
#include "elf/elf.h"
#include "elf/floor.h"
#include "sys/file.h"
#include "tests/kc_test.h"

static const struct kc_elf_ceiling rows[] = {
	{ "GLIBC", "2.17" }, { "GLIBCXX", "3.4.19" }, { "CXXABI", "1.3.7" }, { "GCC", "4.8.0" }
};
static const struct kc_elf_ceilings centos7 = { rows, KC_ARRAY_LENGTH(rows) };

/* The C library of the process itself, whatever its directory is called on this architecture. */
static int find_libc(struct dl_phdr_info *info, size_t size, void *context)
{
	(void)size;
	if (!strstr(info->dlpi_name, "/libc.so.6"))
		return 0;
	*(const char **)context = info->dlpi_name;
	return 1;
}

/* A library beside the C library of this process; length 0 if there is none. */
static struct kc_buffer read_host_library(const char *name)
{
	struct kc_buffer bytes = KC_BUFFER_INIT(64u << 20), path = KC_BUFFER_INIT(4096);
	const char *libc = "";

	(void)dl_iterate_phdr(find_libc, &libc);
	KC_CHECK_INT(kc_buffer_append(&path, libc, strlen(libc) - strlen(strrchr(libc, '/')) + 1), 0);
	KC_CHECK_INT(kc_buffer_append_string(&path, name), 0);
	if (kc_file_read(AT_FDCWD, kc_buffer_string(&path), &bytes, NULL) < 0)
		kc_buffer_release(&bytes);
	kc_buffer_release(&path);
	return bytes;
}

static void compares_versions_as_numbers(void)
{
	static const struct {
		const char *left, *right;
		int expected;
	} pairs[] = {
		{ "2.17", "2.17", 0 },	   { "2.2.5", "2.17", -1 },  { "2.18", "2.17", 1 },
		{ "2.17.1", "2.17", 1 },   { "2.9", "2.17", -1 },    { "3.4", "3.4.19", -1 },
		{ "3.4.30", "3.4.19", 1 }, { "12.0.0", "4.8.0", 1 }, { "4.8.0", "4.8.0", 0 },
		{ "1.3", "1.3.7", -1 },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(pairs); i++)
		KC_CHECK_MESSAGE(kc_elf_compare_versions(pairs[i].left, pairs[i].right) == pairs[i].expected,
				 "%s against %s", pairs[i].left, pairs[i].right);
}

static void hash_is_that_of_the_abi(void)
{
	/* From the version tables of a released libc.so.6. */
	KC_CHECK_INT(kc_elf_hash("GLIBC_2.2.5"), 0x09691a75);
	KC_CHECK_INT(kc_elf_hash("GLIBC_2.17"), 0x06969197);
	KC_CHECK_INT(kc_elf_hash(""), 0);
}

static void replaces_a_release_only_where_it_stands_alone(void)
{
	static const struct {
		const char *text, *expected;
	} texts[] = {
		{ "2.36", "2.17" },
		{ "glibc 2.36", "glibc 2.17" },
		{ "(Debian GLIBC 2.36-9+deb12u14) stable release version 2.36.\n",
		  "(Debian GLIBC 2.17-9+deb12u14) stable release version 2.17.\n" },
		{ "GLIBC_2.36", "GLIBC_2.36" },
		{ "1.2.36 12.36 2.366 2.36.1 2.36a", "1.2.36 12.36 2.366 2.36.1 2.36a" },
		{ "2.3", "2.3" },
		{ "", "" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(texts); i++) {
		KC_CLEANUP_FREE char *text = strdup(texts[i].text);

		KC_REQUIRE(text);
		(void)kc_elf_replace_release(text, strlen(text), "2.36", "2.17");
		KC_CHECK_STRING(text, texts[i].expected);
	}
}

static bool is_clamped(const char *name)
{
	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		size_t length = strlen(rows[i].prefix);

		if (strncmp(name, rows[i].prefix, length) == 0 && name[length] == '_' &&
		    strchr("0123456789", name[length + 1]) &&
		    kc_elf_compare_versions(name + length + 1, rows[i].version) > 0)
			return false;
	}
	return true;
}

static size_t count_unclamped(const struct kc_elf *elf)
{
	size_t count = 0;

	for (size_t i = 0; i < elf->defined_count; i++)
		count += !is_clamped(elf->defined[i].name);
	for (size_t i = 0; i < elf->required_count; i++)
		count += !is_clamped(elf->required[i].name);
	return count;
}

static void check_hashes(const struct kc_elf *elf)
{
	for (size_t i = 0; i < elf->defined_count; i++)
		KC_CHECK_INT(elf->defined[i].hash, kc_elf_hash(elf->defined[i].name));
	for (size_t i = 0; i < elf->required_count; i++)
		KC_CHECK_INT(elf->required[i].hash, kc_elf_hash(elf->required[i].name));
}

static void allow(char *allowed, const struct kc_elf_version *versions, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (is_clamped(versions[i].name))
			continue;
		memset(allowed + versions[i].name_offset, 1, strlen(versions[i].name));
		memset(allowed + versions[i].hash_offset, 1, 4);
	}
}

/* Changed bytes that are neither in a renamed version nor in its hash. */
static size_t count_other_changes(const struct kc_buffer *before, const struct kc_buffer *after)
{
	KC_CLEANUP_FREE char *allowed = calloc(1, before->length);
	KC_CLEANUP_ELF struct kc_elf elf = { 0 };
	size_t count = 0;

	if (!KC_CHECK(allowed) || !KC_CHECK_INT(kc_elf_read(before->data, before->length, &elf, NULL), 0))
		return before->length;
	allow(allowed, elf.defined, elf.defined_count);
	allow(allowed, elf.required, elf.required_count);
	for (size_t i = 0; i < before->length; i++)
		count += before->data[i] != after->data[i] && !allowed[i];
	return count;
}

static void check_clamping_of(const char *name, struct kc_elf_clamp_stats *stats, size_t *ret_others)
{
	struct kc_buffer before = read_host_library(name), after = KC_BUFFER_INIT(64u << 20);
	struct kc_elf elf = { 0 };
	struct kc_error err = { 0 };

	if (before.length == 0)
		KC_SKIP("the library is not installed on this machine");
	KC_CHECK_INT(kc_buffer_append(&after, before.data, before.length), 0);
	KC_CHECK_OK(kc_elf_read(before.data, before.length, &elf, &err), err);
	KC_CHECK_MESSAGE(count_unclamped(&elf) > 0, "%s is too old to show anything", name);
	kc_elf_release(&elf);
	KC_CHECK_OK(kc_elf_clamp(after.data, after.length, &centos7, stats, &err), err);
	KC_CHECK_OK(kc_elf_read(after.data, after.length, &elf, &err), err);
	KC_CHECK_INT(count_unclamped(&elf), 0);
	check_hashes(&elf);
	kc_elf_release(&elf);
	*ret_others = count_other_changes(&before, &after);
	kc_buffer_release(&before);
	kc_buffer_release(&after);
}

static void clamps_the_c_library_of_the_host(void)
{
	struct kc_elf_clamp_stats stats = { 0 };
	size_t others = 0;

	check_clamping_of("libc.so.6", &stats, &others);
	KC_CHECK(stats.definitions > 0);
	/* gnu_get_libc_version and confstr share "glibc X"; NPTL's, and two places of the banner. Of each
	 * release two or three digits change. */
	KC_CHECK(stats.texts >= 3);
	KC_CHECK_MESSAGE(others > 0 && others <= 4 * stats.texts, "%zu other bytes changed", others);
}

static void clamps_libraries_of_the_host_and_nothing_else_in_them(void)
{
	static const char *const names[] = { "libstdc++.so.6", "libm.so.6", "libgcc_s.so.1" };

	for (size_t i = 0; i < KC_ARRAY_LENGTH(names); i++) {
		struct kc_elf_clamp_stats stats = { 0 };
		size_t others = 0;

		check_clamping_of(names[i], &stats, &others);
		KC_CHECK_INT(others, 0);
		KC_CHECK_INT(stats.texts, 0);
	}
}

static void clamping_twice_is_clamping_once(void)
{
	struct kc_buffer bytes = read_host_library("libm.so.6");
	struct kc_elf_clamp_stats stats = { 0 };
	struct kc_error err = { 0 };

	KC_CHECK_OK(kc_elf_clamp(bytes.data, bytes.length, &centos7, NULL, &err), err);
	KC_CHECK_OK(kc_elf_clamp(bytes.data, bytes.length, &centos7, &stats, &err), err);
	KC_CHECK_INT(stats.definitions + stats.requirements + stats.texts, 0);
	kc_buffer_release(&bytes);
}

static void leaves_what_has_no_number(void)
{
	struct kc_buffer bytes = read_host_library("libc.so.6");
	struct kc_elf elf = { 0 };
	struct kc_error err = { 0 };
	bool has_private = false;

	KC_CHECK_OK(kc_elf_clamp(bytes.data, bytes.length, &centos7, NULL, &err), err);
	KC_CHECK_OK(kc_elf_read(bytes.data, bytes.length, &elf, &err), err);
	for (size_t i = 0; i < elf.defined_count; i++)
		has_private |= strcmp(elf.defined[i].name, "GLIBC_PRIVATE") == 0;
	KC_CHECK(has_private);
	kc_elf_release(&elf);
	kc_buffer_release(&bytes);
}

static void reads_the_facts_of_the_c_library(void)
{
	struct kc_buffer bytes = read_host_library("libc.so.6");
	struct kc_elf elf = { 0 };
	struct kc_error err = { 0 };

	KC_CHECK_OK(kc_elf_read(bytes.data, bytes.length, &elf, &err), err);
	KC_CHECK_STRING(elf.soname, "libc.so.6");
	KC_CHECK(elf.is_dynamic && elf.interpreter && elf.needed_count == 1);
	KC_CHECK_CONTAINS(elf.needed_count ? elf.needed[0] : NULL, "ld-linux");
	KC_CHECK_INT(elf.bits, 8 * sizeof(void *));
	KC_CHECK(!kc_elf_is_static_program(&elf));
	KC_CHECK_STRING(elf.defined_count ? elf.defined[0].name : NULL, "libc.so.6"); /* VER_FLG_BASE */
	kc_elf_release(&elf);
	kc_elf_release(&elf);
	kc_buffer_release(&bytes);
}

static void refuses_what_is_not_elf(void)
{
	static const struct {
		const char *name, *bytes;
		size_t length;
		int expected;
	} files[] = {
		{ "empty", "", 0, -ENOEXEC },
		{ "script", "#!/bin/sh\n", 10, -ENOEXEC },
		{ "magic only", "\177ELF", 4, -EBADMSG },
		{ "no class", "\177ELF\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20, -EBADMSG },
		{ "cut in the header", "\177ELF\2\1\1\0\0\0\0\0\0\0\0\0\3\0\76\0", 20, -EBADMSG },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(files); i++) {
		KC_CLEANUP_FREE char *copy = malloc(files[i].length + 1); /* so that asan sees its end */
		struct kc_elf elf = { 0 };
		struct kc_error err = { 0 };
		int status;

		KC_REQUIRE(copy);
		memcpy(copy, files[i].bytes, files[i].length);
		status = kc_elf_read(copy, files[i].length, &elf, &err);
		KC_CHECK_MESSAGE(status == files[i].expected, "%s: got %d (%s)", files[i].name, status,
				 err.text);
		KC_CHECK(*err.text);
		kc_elf_release(&elf);
	}
}

/* A copy in memory of exactly this size, for asan; the result does not matter, only that there is one. */
static bool survives(const char *bytes, size_t length)
{
	static const struct kc_elf_ceiling oldest = { "GLIBC", "2.0" }; /* every version gets renamed */
	static const struct kc_elf_ceilings ceilings = { &oldest, 1 };
	KC_CLEANUP_FREE char *copy = malloc(length ? length : 1);
	struct kc_error err = { 0 };
	int status;

	if (!copy)
		return false;
	memcpy(copy, bytes, length);
	status = kc_elf_clamp(copy, length, &ceilings, NULL, &err);
	return (status < 0) == (*err.text != '\0');
}

static void survives_truncation(void)
{
	struct kc_buffer bytes = read_host_library("libdl.so.2");

	if (bytes.length == 0)
		KC_SKIP("libdl.so.2 is not installed on this machine");
	for (size_t length = 0; length < bytes.length; length += length < 2048 ? 1 : 61)
		KC_CHECK_MESSAGE(survives(bytes.data, length), "cut to %zu bytes", length);
	kc_buffer_release(&bytes);
}

/* A fixed sequence, so that a failure happens again: Knuth's MMIX generator. */
static size_t next_random(uint64_t *state, size_t below)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (size_t)((*state >> 33) % below);
}

static void survives_flipped_bits(void)
{
	static const unsigned char values[] = { 0x00, 0x01, 0x7f, 0x80, 0xff };
	struct kc_buffer bytes = read_host_library("libdl.so.2");
	uint64_t state = 1;

	if (bytes.length == 0)
		KC_SKIP("libdl.so.2 is not installed on this machine");
	for (unsigned int round = 0; round < 6000; round++) {
		KC_CLEANUP_FREE char *mutant = malloc(bytes.length);
		size_t changes = 1 + next_random(&state, 4);

		KC_REQUIRE(mutant);
		memcpy(mutant, bytes.data, bytes.length);
		/* Half of them hit the headers, names and versions, where most decisions are. */
		for (; changes > 0; changes--)
			mutant[next_random(&state, round % 2 ? bytes.length : 2048)] =
				(char)values[next_random(&state, sizeof(values))];
		KC_CHECK_MESSAGE(survives(mutant, bytes.length), "round %u", round);
	}
	kc_buffer_release(&bytes);
}

static void a_floor_is_the_newest_version_that_is_needed(void)
{
	static const struct {
		const char *name;
		struct kc_elf_version required[3];
		const char *before, *after;
	} floors[] = {
		{ "none", { { .name = "LIBZMQ_1" } }, "", "" },
		{ "numbers compare as numbers",
		  { { .name = "GLIBC_2.9" }, { .name = "GLIBC_2.17" }, { .name = "GLIBC_2.2.5" } },
		  "",
		  "2.17" },
		{ "what another file needs is newer", { { .name = "GLIBC_2.9" } }, "2.17", "2.17" },
		{ "weak", { { .name = "GLIBC_2.34", .is_weak = true }, { .name = "GLIBC_2.4" } }, "", "2.4" },
		{ "of another family",
		  { { .name = "GLIBCXX_3.4.21" }, { .name = "GLIBC_PRIVATE" }, { .name = "GLIBC_" } },
		  "",
		  "" },
		{ "no number", { { .name = "GLIBC_2.17x" }, { .name = "GLIBC" }, { .name = "" } }, "", "" },
		{ "longer than any", { { .name = "GLIBC_2.1234567890123456789012345678901" } }, "", "" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(floors); i++) {
		struct kc_elf_version required[3];
		struct kc_elf elf = { .required = required };
		char version[KC_ELF_FLOOR_VERSION_SIZE];

		memcpy(required, floors[i].required, sizeof(required));
		while (elf.required_count < 3 && required[elf.required_count].name)
			elf.required_count++;
		(void)snprintf(version, sizeof(version), "%s", floors[i].before);
		KC_CHECK_MESSAGE(kc_elf_raise_floor(&elf, "GLIBC", version) ==
					 (strcmp(floors[i].before, floors[i].after) != 0),
				 "%s", floors[i].name);
		KC_CHECK_STRING(version, floors[i].after);
	}
}

KC_TEST_SUITE(elf, KC_LABEL_FAST, KC_TEST(a_floor_is_the_newest_version_that_is_needed),
	      KC_TEST(compares_versions_as_numbers), KC_TEST(hash_is_that_of_the_abi),
	      KC_TEST(replaces_a_release_only_where_it_stands_alone),
	      KC_TEST(reads_the_facts_of_the_c_library), KC_TEST(clamps_the_c_library_of_the_host),
	      KC_TEST(clamps_libraries_of_the_host_and_nothing_else_in_them),
	      KC_TEST(clamping_twice_is_clamping_once), KC_TEST(leaves_what_has_no_number),
	      KC_TEST(refuses_what_is_not_elf), KC_TEST(survives_truncation), KC_TEST(survives_flipped_bits));
