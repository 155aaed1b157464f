/* Looking into layers, and reading which C library a root filesystem has. The same trees are mounted in
 * sandbox/tests/test_sandbox.c. */
#include "image/layers.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/layer.h"
#include "fixtures/sentinel.h"
#include "fixtures/temporary.h"
#include "image/libc.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "tests/kc_test.h"

/* One thing in one layer. */
struct thing {
	unsigned int layer; /* 0: the uppermost */
	const char *path;
	char kind; /* 'f'ile, 'd'irectory, 'l'ink, 'w'hiteout, 'o'paque directory, 'p'ipe */
	const char *text;
};

static int make_thing(const char *base, const struct thing *thing)
{
	char path[PATH_MAX * 2];
	KC_CLEANUP_FD int fd = -1;

	(void)snprintf(path, sizeof(path), "%s/%u/%s", base, thing->layer, thing->path);
	switch (thing->kind) {
	case 'f':
		return kc_write_small(AT_FDCWD, path, thing->text) ? 0 : -EIO;
	case 'l':
		return symlink(thing->text, path);
	case 'p':
		return mkfifo(path, 0600);
	case 'w':
		return kc_layer_make_whiteout(AT_FDCWD, path);
	default:
		if (mkdir(path, 0755) < 0)
			return -errno;
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		return thing->kind == 'o' ? kc_layer_make_opaque(fd) : 0;
	}
}

static void make_layers(const char *base, unsigned int count, const struct thing *things, size_t thing_count,
			struct kc_layers *layers)
{
	char path[PATH_MAX];
	struct kc_error err = { 0 };

	for (unsigned int i = 0; i < count; i++) {
		(void)snprintf(path, sizeof(path), "%s/%u", base, i);
		KC_CHECK_INT(mkdir(path, 0755), 0);
		KC_CHECK_OK(kc_layers_add(layers, path, &err), err);
	}
	for (size_t i = 0; i < thing_count; i++)
		KC_CHECK_MESSAGE(make_thing(base, &things[i]) == 0, "%s", things[i].path);
}

static const struct thing things[] = {
	{ 2, "usr", 'd', NULL },
	{ 2, "usr/lib", 'd', NULL },
	{ 2, "usr/lib/libc", 'f', "old" },
	{ 2, "usr/lib/kept", 'f', "bottom" },
	{ 2, "usr/lib/gone", 'f', "bottom" },
	{ 2, "lib", 'l', "usr/lib" },
	{ 2, "var", 'd', NULL },
	{ 2, "var/a", 'f', "bottom" },
	{ 2, "etc", 'd', NULL },
	{ 2, "etc/a", 'f', "bottom" },
	{ 2, "was-file", 'f', "bottom" },
	{ 2, "was-link", 'l', "usr" },
	{ 2, "again", 'f', "bottom" },
	{ 1, "usr", 'd', NULL },
	{ 1, "usr/lib", 'd', NULL },
	{ 1, "usr/lib/libc", 'f', "middle" },
	{ 1, "usr/lib/gone", 'w', NULL },
	{ 1, "var", 'o', NULL },
	{ 1, "var/b", 'f', "middle" },
	{ 1, "etc", 'w', NULL },
	{ 1, "again", 'w', NULL },
	{ 1, "was-file", 'd', NULL },
	{ 1, "was-file/in", 'f', "middle" },
	{ 1, "was-link", 'd', NULL },
	{ 0, "usr", 'd', NULL },
	{ 0, "usr/lib", 'd', NULL },
	{ 0, "usr/lib/libc", 'f', "new" },
	{ 0, "again", 'f', "top" },
	{ 0, "empty", 'f', "" },
	{ 0, "pipe", 'p', NULL },
	{ 0, "up", 'l', "../../../usr/lib/kept" },
	{ 0, "absolute", 'l', "/lib/kept" },
	{ 0, "loop", 'l', "loop2" },
	{ 0, "loop2", 'l', "loop" },
	{ 0, "outside", 'l', "/etc/passwd" },
	{ 0, "dangling", 'l', "no/where" },
	{ 0, "slash", 'l', "usr/lib/libc/" },
};

static void a_look_into_layers_sees_what_a_mount_would_show(void)
{
	static const struct {
		const char *path, *text;
		int status;
	} rows[] = {
		{ "/usr/lib/libc", "new", 0 },
		{ "/lib/libc", "new", 0 },		/* a link of the bottom, a file of the top */
		{ "/lib/../../lib/kept", "bottom", 0 }, /* lib leads to usr/lib, whose .. is usr */
		{ "//usr/./lib/kept", "bottom", 0 },
		{ "/up", "bottom", 0 },
		{ "/absolute", "bottom", 0 },
		{ "/var/b", "middle", 0 },
		{ "/again", "top", 0 },
		{ "/was-file/in", "middle", 0 },
		{ "/usr/lib/gone", NULL, -ENOENT },
		{ "/var/a", NULL, -ENOENT },
		{ "/etc/a", NULL, -ENOENT },
		{ "/was-link/lib/kept", NULL, -ENOENT },
		{ "/outside", NULL, -ENOENT }, /* of the image, not of this machine */
		{ "/dangling", NULL, -ENOENT },
		{ "/slash", NULL, -ENOENT },
		{ "/usr/lib/libc/x", NULL, -ENOENT },
		{ "/loop", NULL, -ELOOP },
		{ "/pipe", NULL, -EINVAL },
		{ "/usr", NULL, -EINVAL },
		{ "/", NULL, -EINVAL },
		{ "", NULL, -EINVAL },
	};
	KC_CLEANUP_TEMPORARY struct kc_temporary base = { 0 };
	KC_CLEANUP_LAYERS struct kc_layers layers = { 0 };
	struct kc_error err = { 0 };

	KC_REQUIRE_OK(kc_temporary_make(&base, &err), err);
	make_layers(base.path, 3, things, KC_ARRAY_LENGTH(things), &layers);
	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		struct stat status;
		KC_CLEANUP_FD int fd = kc_layers_open(&layers, rows[i].path, &status);
		char text[16] = "";

		KC_CHECK_MESSAGE(fd < 0 ? fd == rows[i].status : rows[i].text != NULL, "%s: %d", rows[i].path,
				 fd);
		if (fd < 0 || !rows[i].text)
			continue;
		KC_CHECK(read(fd, text, sizeof(text) - 1) >= 0);
		KC_CHECK_MESSAGE(strcmp(text, rows[i].text) == 0, "%s: %s", rows[i].path, text);
	}
	KC_CHECK(kc_layers_have_file(&layers, "/absolute"));
	KC_CHECK(!kc_layers_have_file(&layers, "/empty"));
}

static void more_layers_than_can_be_mounted_are_refused(void)
{
	KC_CLEANUP_LAYERS struct kc_layers layers = { 0 };
	struct kc_error err = { 0 };

	for (int i = 0; i < KC_LAYERS_MOST; i++)
		KC_CHECK_OK(kc_layers_add(&layers, "/x", &err), err);
	KC_CHECK_INT(kc_layers_add(&layers, "/x", &err), -E2BIG);
	KC_CHECK_CONTAINS(err.text, "more than 64 layers");
}

/* --- The C library --- */

/* As much of an ELF file as says its machine, with a text behind. */
static void write_elf(const char *base, const char *path, uint16_t machine, const char *text, size_t length)
{
	char full[PATH_MAX * 2], bytes[512] = { 0 };
	Elf64_Ehdr *header = (Elf64_Ehdr *)bytes;
	struct kc_error err = { 0 };

	memcpy(header->e_ident, ELFMAG, SELFMAG);
	header->e_ident[EI_CLASS] = ELFCLASS64;
	header->e_ident[EI_DATA] = ELFDATA2LSB;
	header->e_ident[EI_VERSION] = EV_CURRENT;
	header->e_type = ET_DYN;
	header->e_machine = machine;
	header->e_version = EV_CURRENT;
	header->e_ehsize = sizeof(*header);
	memcpy(bytes + sizeof(*header), text, length);
	(void)snprintf(full, sizeof(full), "%s/0/%s", base, path);
	KC_CHECK_OK(kc_file_write_atomic(AT_FDCWD, full, bytes, sizeof(bytes), 0644, &err), err);
}

#define TEXT(string) (string), sizeof(string)
#define MUSL "lib/ld-musl-x86_64.so.1"
#define GLIBC "lib64/ld-linux-x86-64.so.2"
#define BANNER "GNU C Library (Debian GLIBC 2.36-9) stable release version 2.36.\n"

static void the_c_library_is_read_from_the_files(void)
{
	static const struct {
		const char *name;
		struct {
			const char *path;
			uint16_t machine;
			const char *text;
			size_t length;
		} files[3];
		const char *family, *version, *error;
	} rows[] = {
		{ "musl", { { MUSL, EM_X86_64, TEXT("x\0001.2.3\0y") } }, "musl", "1.2.3", NULL },
		{ "musl behind an address",
		  { { MUSL, EM_X86_64, TEXT("127.0.0.1\0001.2\0001.1.19\0") } },
		  "musl",
		  "1.1.19",
		  NULL },
		{ "glibc beside its loader",
		  { { GLIBC, EM_X86_64, TEXT("") }, { "lib64/libc.so.6", EM_X86_64, TEXT(BANNER) } },
		  "glibc",
		  "2.36",
		  NULL },
		{ "glibc where Debian has it",
		  { { GLIBC, EM_X86_64, TEXT("") },
		    { "lib/x86_64-linux-gnu/libc.so.6", EM_X86_64, TEXT("release version 2.17, by") } },
		  "glibc",
		  NULL,
		  "does not say which version" },
		{ "both: musl, as with gcompat",
		  { { GLIBC, EM_X86_64, TEXT("") }, { MUSL, EM_X86_64, TEXT("\0001.2.5\0") } },
		  "musl",
		  "1.2.5",
		  NULL },
		{ "none", { { NULL, 0, NULL, 0 } }, NULL, NULL, "no loader of a C library" },
		{ "no version",
		  { { MUSL, EM_X86_64, TEXT("1.2.3x") } },
		  NULL,
		  NULL,
		  "does not say which version" },
		{ "version cut by the end of the file",
		  { { MUSL, EM_X86_64, TEXT("1.2") } },
		  NULL,
		  NULL,
		  "does not say which version" },
		{ "another machine",
		  { { MUSL, EM_AARCH64, TEXT("\0001.2.3\0") } },
		  NULL,
		  NULL,
		  "of ELF machine 183, not 62" },
		{ "glibc without libc.so.6", { { GLIBC, EM_X86_64, TEXT("") } }, NULL, NULL, "no libc.so.6" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		static const struct thing directories[] = { { 0, "lib", 'd', NULL },
							    { 0, "lib64", 'd', NULL },
							    { 0, "lib/x86_64-linux-gnu", 'd', NULL } };
		KC_CLEANUP_TEMPORARY struct kc_temporary base = { 0 };
		KC_CLEANUP_LAYERS struct kc_layers layers = { 0 };
		struct kc_image_libc libc = { 0 };
		struct kc_error err = { 0 };
		int status;

		KC_REQUIRE_OK(kc_temporary_make(&base, &err), err);
		make_layers(base.path, 1, directories, KC_ARRAY_LENGTH(directories), &layers);
		for (size_t j = 0; j < KC_ARRAY_LENGTH(rows[i].files) && rows[i].files[j].path; j++)
			write_elf(base.path, rows[i].files[j].path, rows[i].files[j].machine,
				  rows[i].files[j].text, rows[i].files[j].length);
		status = kc_image_libc_read(&layers, &libc, &err);
		KC_CHECK_MESSAGE((status == 0) == (rows[i].error == NULL), "%s: %d %s", rows[i].name, status,
				 err.text);
		if (rows[i].error) {
			KC_CHECK_CONTAINS(err.text, rows[i].error);
			continue;
		}
		KC_CHECK_STRING(libc.family, rows[i].family);
		KC_CHECK_STRING(libc.version, rows[i].version);
		KC_CHECK_STRING(libc.architecture, "x86_64");
	}
}

/* A loader that is a FIFO, a directory, a link to nowhere, a text: an error in words, and nobody waits. */
static void a_loader_that_is_none_is_refused(void)
{
	static const struct {
		struct thing thing;
		int status;
		const char *error;
	} rows[] = {
		{ { 0, MUSL, 'p', NULL }, -EBADMSG, "is not a file" },
		{ { 0, MUSL, 'd', NULL }, -EBADMSG, "is not a file" },
		{ { 0, MUSL, 'f', "#!/bin/sh\n" }, -ENOEXEC, MUSL },
		{ { 0, MUSL, 'f', "" }, -ENOEXEC, MUSL },
		{ { 0, MUSL, 'l', "ld-musl-x86_64.so.1" }, -ELOOP, MUSL },
		{ { 0, MUSL, 'l', "/lib64/x" }, -ENOENT, "no loader of a C library" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		const struct thing made[] = { { 0, "lib", 'd', NULL }, rows[i].thing };
		KC_CLEANUP_TEMPORARY struct kc_temporary base = { 0 };
		KC_CLEANUP_LAYERS struct kc_layers layers = { 0 };
		struct kc_image_libc libc = { 0 };
		struct kc_error err = { 0 };

		KC_REQUIRE_OK(kc_temporary_make(&base, &err), err);
		make_layers(base.path, 1, made, KC_ARRAY_LENGTH(made), &layers);
		KC_CHECK_INT(kc_image_libc_read(&layers, &libc, &err), rows[i].status);
		KC_CHECK_CONTAINS(err.text, rows[i].error);
	}
}

/* Of the lower layer's, only the size counts: it is not read. */
static void a_huge_loader_is_not_read_to_its_end(void)
{
	static const struct thing lib[] = { { 0, "lib", 'd', NULL }, { 0, MUSL, 'f', "\177ELF" } };
	KC_CLEANUP_TEMPORARY struct kc_temporary base = { 0 };
	KC_CLEANUP_LAYERS struct kc_layers layers = { 0 };
	struct kc_image_libc libc = { 0 };
	struct kc_error err = { 0 };
	char path[PATH_MAX * 2];

	KC_REQUIRE_OK(kc_temporary_make(&base, &err), err);
	make_layers(base.path, 1, lib, KC_ARRAY_LENGTH(lib), &layers);
	(void)snprintf(path, sizeof(path), "%s/0/" MUSL, base.path);
	KC_CHECK_INT(truncate(path, (off_t)1 << 40), 0);
	KC_CHECK(kc_image_libc_read(&layers, &libc, &err) < 0);
	KC_CHECK_CONTAINS(err.text, MUSL);
}

KC_TEST_SUITE(image_layers, KC_LABEL_FAST, KC_TEST(a_look_into_layers_sees_what_a_mount_would_show),
	      KC_TEST(more_layers_than_can_be_mounted_are_refused),
	      KC_TEST(the_c_library_is_read_from_the_files), KC_TEST(a_loader_that_is_none_is_refused),
	      KC_TEST(a_huge_loader_is_not_read_to_its_end));
