/* Wheels and volumes: what is told about good ones, and one clear line about each kind of bad one. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/volume.h"
#include "archive/wheel.h"
#include "fixtures/tar_maker.h"
#include "fixtures/temporary.h"
#include "archive/tests/store_test.h"
#include "sys/fd.h"
#include "tests/kc_test.h"

enum { MIB = 1 << 20, MOST_MEMBERS = 8 };

#define PLACE "ai/backend/krunner/static_gnu/"
#define INFO "backend_ai_krunner_static_gnu-9.8.7.dist-info/"
#define ARCHIVE_NAME "krunner-env.static-gnu.x86_64.tar.xz"
#define VERSION                                                                                              \
	{                                                                                                    \
		PLACE "__init__.py", "__version__ = '9.8.7'\n", 0                                            \
	}
#define METADATA                                                                                             \
	{                                                                                                    \
		INFO "METADATA", "Metadata-Version: 2.1\nName: backend.ai-krunner-static-gnu\n\nName: x\n",  \
			0                                                                                    \
	}
/* Stands for a volume in tables; the bytes are made when the test runs. */
#define VOLUME_AT(path)                                                                                      \
	{                                                                                                    \
		(path), NULL, 0                                                                              \
	}

static void make_volume(struct kc_buffer *xz, unsigned int machine)
{
	KC_CLEANUP_BUFFER struct kc_buffer tar = KC_BUFFER_INIT(MIB);
	Elf64_Ehdr header = { .e_ident = ELFMAG, .e_machine = (Elf64_Half)machine };
	const struct kc_tar_item items[] = {
		{ .name = "bin/", .type = '5' },
		{ .name = "bin/python", .type = '2', .link = "/opt/backend.ai/bin/python3" },
		{ .name = "bin/python3", .type = '2', .link = "python3.13" },
		{ .name = "bin/python3.13", .data = (const char *)&header, .data_bytes = sizeof(header) },
	};

	kc_tar_make(&tar, items, KC_ARRAY_LENGTH(items));
	kc_xz_pack(xz, tar.data, tar.length);
}

static void make_wheel(struct kc_buffer *zip, const struct kc_zip_member *members)
{
	KC_CLEANUP_BUFFER struct kc_buffer xz = KC_BUFFER_INIT(MIB);
	struct kc_zip_member made[MOST_MEMBERS];
	size_t count = 0;

	make_volume(&xz, EM_X86_64);
	for (; count < MOST_MEMBERS && members[count].name; count++) {
		made[count] = members[count];
		if (!made[count].data) {
			made[count].data = xz.data;
			made[count].length = xz.length;
		}
	}
	kc_zip_make(zip, made, count);
}

static const struct kc_zip_member GOOD_WHEEL[MOST_MEMBERS] = {
	VERSION,
	VOLUME_AT(PLACE ARCHIVE_NAME),
	{ PLACE "krunner-python.static-gnu.txt", "3.13\n", 0 },
	{ PLACE "krunner-version.static-gnu.txt", "14", 0 },
	{ PLACE "versions.txt", "static-gnu\n", 0 },
	{ PLACE "ttyd_linux.aarch64.bin", "abcd", 0 }, /* of another architecture: not this volume's */
	{ PLACE "ttyd_linux.x86_64.bin", "abc", 0 },
	METADATA,
};

/* --- Wheels --- */

static void tells_what_a_wheel_says(void)
{
	KC_CLEANUP_BUFFER struct kc_buffer zip = KC_BUFFER_INIT(MIB);
	KC_CLEANUP_SOURCE struct kc_source source = { 0 };
	KC_CLEANUP_BUFFER struct kc_buffer xz = KC_BUFFER_INIT(MIB);
	KC_CLEANUP_FD int fd = -1;
	struct kc_wheel wheel;
	struct kc_error err = { 0 };
	char got[KC_SHA256_HEX_SIZE], wanted[KC_SHA256_HEX_SIZE];

	make_wheel(&zip, GOOD_WHEEL);
	make_volume(&xz, EM_X86_64);
	fd = kc_memory_file(zip.data, zip.length);
	KC_REQUIRE_OK(kc_wheel_read(fd, "w.whl", &wheel, &err), err);
	KC_CHECK_STRING(wheel.package, "backend.ai-krunner-static-gnu");
	KC_CHECK_STRING(wheel.version, "9.8.7");
	KC_CHECK_STRING(wheel.distro, "static-gnu");
	KC_CHECK_STRING(wheel.arch, "x86_64");
	KC_CHECK_STRING(wheel.python_version, "3.13");
	KC_CHECK_STRING(wheel.volume_version, "14");
	KC_CHECK_STRING(wheel.versions_text, "static-gnu");
	KC_CHECK_STRING(wheel.volume_name, ARCHIVE_NAME);
	KC_CHECK_INT(wheel.ttyd_bytes, 3);
	KC_CHECK_STRING(wheel.ttyd_sha256,
			"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	KC_REQUIRE_OK(kc_wheel_open_member(fd, "w.whl", wheel.volume_member, &source, &err), err);
	KC_CHECK_OK(kc_source_drain(&source, got, &err), err);
	KC_CHECK_OK(kc_sha256_of(xz.data, xz.length, wanted, &err), err);
	KC_CHECK_STRING(got, wanted);
}

static const struct {
	const char *name;
	struct kc_zip_member members[MOST_MEMBERS];
	const char *expected;
} wheels[] = {
	{ "control: the volume alone", { VOLUME_AT(PLACE ARCHIVE_NAME) }, NULL },
	{ "control: other members twice",
	  { VOLUME_AT(PLACE ARCHIVE_NAME), { "a", "x", 0 }, { "a", "y", 0 } },
	  NULL },
	{ "control: elsewhere",
	  { VOLUME_AT(PLACE ARCHIVE_NAME), VERSION, { "ai/__init__.py", "#", 0 } },
	  NULL },
	{ "no volume", { VERSION, METADATA }, "no volume inside" },
	{ "no members", { { NULL, NULL, 0 } }, "" },
	{ "two volumes",
	  { VOLUME_AT(PLACE ARCHIVE_NAME), VOLUME_AT(PLACE "krunner-env.static-gnu.aarch64.tar.xz") },
	  "there are two volumes" },
	{ "the same volume twice",
	  { VOLUME_AT(PLACE ARCHIVE_NAME), VOLUME_AT(PLACE ARCHIVE_NAME) },
	  "there are two volumes" },
	{ "two versions", { VOLUME_AT(PLACE ARCHIVE_NAME), VERSION, VERSION }, "two of its kind" },
	{ "two programs of one architecture",
	  { VOLUME_AT(PLACE ARCHIVE_NAME),
	    { PLACE "ttyd_linux.x86_64.bin", "abc", 0 },
	    { PLACE "ttyd_linux.x86_64.bin", "abc", 0 } },
	  "two of its kind" },
	{ "two names", { VOLUME_AT(PLACE ARCHIVE_NAME), METADATA, METADATA }, "two of its kind" },
	{ "version that is none",
	  { VOLUME_AT(PLACE ARCHIVE_NAME), { PLACE "__init__.py", "x = 1\n", 0 } },
	  "does not say what it should" },
	{ "control characters in the version",
	  { VOLUME_AT(PLACE ARCHIVE_NAME), { PLACE "__init__.py", "__version__ = '\033[31m'\n", 0 } },
	  "does not say what it should" },
	{ "path in the Python version",
	  { VOLUME_AT(PLACE ARCHIVE_NAME), { PLACE "krunner-python.static-gnu.txt", "../../x\n", 0 } },
	  "does not say what it should" },
};

static void refuses_bad_wheels(void)
{
	for (size_t i = 0; i < KC_ARRAY_LENGTH(wheels); i++) {
		KC_CLEANUP_BUFFER struct kc_buffer zip = KC_BUFFER_INIT(MIB);
		KC_CLEANUP_FD int fd = -1;
		struct kc_wheel wheel;
		struct kc_error err = { 0 };
		int status;

		make_wheel(&zip, wheels[i].members);
		fd = kc_memory_file(zip.data, zip.length);
		status = kc_wheel_read(fd, "w.whl", &wheel, &err);
		KC_CHECK_MESSAGE(status == (wheels[i].expected ? -EBADMSG : 0), "%s: %d %s", wheels[i].name,
				 status, err.text);
		if (wheels[i].expected)
			KC_CHECK_CONTAINS(err.text, wheels[i].expected);
	}
}

static int read_all_of_wheel(const struct kc_buffer *zip, size_t length, struct kc_error *err)
{
	KC_CLEANUP_FD int fd = kc_memory_file(zip->data, length);
	KC_CLEANUP_SOURCE struct kc_source source = { 0 };
	struct kc_wheel wheel;
	char hex[KC_SHA256_HEX_SIZE];
	int status = kc_wheel_read(fd, "w.whl", &wheel, err);

	if (status == 0)
		status = kc_wheel_open_member(fd, "w.whl", wheel.volume_member, &source, err);
	return status == 0 ? kc_source_drain(&source, hex, err) : status;
}

/* Cut anywhere, and damaged in the middle of the volume's data. */
static void refuses_damaged_wheels(void)
{
	KC_CLEANUP_BUFFER struct kc_buffer zip = KC_BUFFER_INIT(MIB), xz = KC_BUFFER_INIT(MIB);
	struct kc_error err = { 0 };
	char *volume;

	make_wheel(&zip, GOOD_WHEEL);
	make_volume(&xz, EM_X86_64);
	KC_CHECK_OK(read_all_of_wheel(&zip, zip.length, &err), err);
	for (size_t length = 1; length < zip.length; length += 7)
		KC_CHECK_MESSAGE(read_all_of_wheel(&zip, length, &err) == -EBADMSG, "cut to %zu", length);
	volume = memmem(zip.data, zip.length, ARCHIVE_NAME, strlen(ARCHIVE_NAME));
	KC_REQUIRE(volume != NULL);
	volume[strlen(ARCHIVE_NAME) + 60] ^= 1;
	KC_CHECK_INT(read_all_of_wheel(&zip, zip.length, &err), -EBADMSG);
}

static void takes_volume_names_apart(void)
{
	static const struct {
		const char *name, *distro, *arch;
	} rows[] = {
		{ "krunner-env.static-gnu.x86_64.tar.xz", "static-gnu", "x86_64" },
		{ "krunner-env.musllinux_1_2.aarch64.tar.xz", "musllinux_1_2", "aarch64" },
		{ "krunner-env.alpine3.8.x86_64.tar.xz", "alpine3.8", "x86_64" },
		{ "krunner-env.static-gnu.dockerfile", NULL, NULL },
		{ "krunner-env.x86_64.tar.xz", NULL, NULL },
		{ "krunner-env..x86_64.tar.xz", NULL, NULL },
		{ "krunner-env.static-gnu..tar.xz", NULL, NULL },
		{ "krunner-env.a/b.x86_64.tar.xz", NULL, NULL },
		{ "krunner-env.tar.xz", NULL, NULL },
		{ "volume.tar.xz", NULL, NULL },
		{ "", NULL, NULL },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		char distro[KC_WHEEL_WORD_SIZE] = "", arch[KC_WHEEL_WORD_SIZE] = "";

		KC_CHECK_MESSAGE(kc_volume_name_parse(rows[i].name, distro, arch) == !!rows[i].distro, "%s",
				 rows[i].name);
		KC_CHECK_STRING(distro, rows[i].distro ? rows[i].distro : "");
		KC_CHECK_STRING(arch, rows[i].arch ? rows[i].arch : "");
	}
}

/* --- Volumes --- */

/* Puts `content` at OUTSIDE/name and opens it as a volume. */
static int open_file(struct kc_test_store *test, const char *name, const struct kc_buffer *content,
		     struct kc_volume *ret_volume, struct kc_error *err)
{
	KC_CLEANUP_FD int fd =
		openat(test->scratch.outside_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/%s", test->scratch.path, name);
	if (fd < 0 || kc_fd_write_all(fd, kc_buffer_string(content), content->length) < 0)
		return -EIO;
	return kc_volume_open(&test->store, path, ret_volume, err);
}

/* The name says nothing about the kind; only the distro and the architecture are taken from it. */
static void opens_every_kind(void)
{
	static const struct {
		const char *name;
		bool wheel;
		unsigned int machine;
		const char *distro, *arch;
	} rows[] = {
		{ ARCHIVE_NAME, false, EM_AARCH64, "static-gnu", "x86_64" },
		{ "volume.whl", false, EM_AARCH64, "", "aarch64" },
		{ "volume", false, EM_X86_64, "", "x86_64" },
		{ "volume-of-no-machine", false, EM_NONE, "", "" },
		{ "wheel.tar.xz", true, EM_X86_64, "static-gnu", "x86_64" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_TEST_STORE struct kc_test_store test;
		KC_CLEANUP_BUFFER struct kc_buffer content = KC_BUFFER_INIT(MIB);
		KC_CLEANUP_FREE struct kc_volume *volume = calloc(1, sizeof(*volume));
		KC_CLEANUP_FREE struct kc_volume *directory = calloc(1, sizeof(*directory));
		struct kc_error err = { 0 };

		KC_REQUIRE(volume && directory && kc_test_store_make(&test));
		if (rows[i].wheel)
			make_wheel(&content, GOOD_WHEEL);
		else
			make_volume(&content, rows[i].machine);
		KC_REQUIRE_OK(open_file(&test, rows[i].name, &content, volume, &err), err);
		KC_CHECK_INT(volume->kind, rows[i].wheel ? KC_VOLUME_WHEEL : KC_VOLUME_ARCHIVE);
		KC_CHECK_STRING(volume->name, rows[i].wheel ? ARCHIVE_NAME : rows[i].name);
		KC_CHECK_STRING(volume->distro, rows[i].distro);
		KC_CHECK_STRING(volume->arch, rows[i].arch);
		KC_CHECK_STRING(volume->wheel.version, rows[i].wheel ? "9.8.7" : "");
		KC_CHECK(strncmp(volume->key, "volume-", 7) == 0 &&
			 strcmp(volume->key + 7, volume->sha256) == 0);
		KC_CHECK_OK(kc_volume_verify(volume, &err), err);
		/* The unpacked tree is a volume, too. */
		KC_REQUIRE_OK(kc_volume_open(&test.store, volume->tree, directory, &err), err);
		KC_CHECK_INT(directory->kind, KC_VOLUME_DIRECTORY);
		KC_CHECK_STRING(directory->tree, volume->tree);
		KC_CHECK_STRING(directory->key, "");
		KC_CHECK_STRING(kc_buffer_string(&directory->manifest), kc_buffer_string(&volume->manifest));
		kc_volume_release(volume);
		kc_volume_release(volume);
		kc_volume_release(directory);
	}
}

static void shares_the_tree_of_wheel_and_archive(void)
{
	KC_CLEANUP_TEST_STORE struct kc_test_store test;
	KC_CLEANUP_BUFFER struct kc_buffer xz = KC_BUFFER_INIT(MIB), zip = KC_BUFFER_INIT(MIB);
	KC_CLEANUP_FREE struct kc_volume *a = calloc(1, sizeof(*a)), *b = calloc(1, sizeof(*b));
	struct kc_error err = { 0 };

	KC_REQUIRE(a && b && kc_test_store_make(&test));
	make_volume(&xz, EM_X86_64);
	make_wheel(&zip, GOOD_WHEEL);
	KC_REQUIRE_OK(open_file(&test, "a", &xz, a, &err), err);
	KC_REQUIRE_OK(open_file(&test, "b", &zip, b, &err), err);
	KC_CHECK_STRING(b->tree, a->tree);
	KC_CHECK_INT(kc_test_store_count(&test, "trees"), 1);
	kc_volume_release(a);
	kc_volume_release(b);
}

static void notices_that_a_volume_was_changed(void)
{
	KC_CLEANUP_TEST_STORE struct kc_test_store test;
	KC_CLEANUP_BUFFER struct kc_buffer xz = KC_BUFFER_INIT(MIB);
	KC_CLEANUP_FREE struct kc_volume *volume = calloc(1, sizeof(*volume));
	struct kc_error err = { 0 };
	char path[PATH_MAX + 16];

	KC_REQUIRE(volume && kc_test_store_make(&test));
	make_volume(&xz, EM_X86_64);
	KC_REQUIRE_OK(open_file(&test, "a", &xz, volume, &err), err);
	(void)snprintf(path, sizeof(path), "%s/bin/new", volume->tree);
	KC_CHECK(kc_write_small(AT_FDCWD, path, ""));
	KC_CHECK_INT(kc_volume_verify(volume, &err), -EUCLEAN);
	KC_CHECK_STRING(err.text, "1 differences: `bin/new` is new");
	KC_CHECK_INT(unlink(path), 0);
	KC_CHECK_OK(kc_volume_verify(volume, &err), err);
	kc_volume_release(volume);
}

/* --- Bad input --- */

/* As the container sees them; this machine's own /etc and /opt have no part in it. */
static void links_lead_where_the_container_sees_them(void)
{
	static const struct {
		const char *path, *target;
	} links[] = {
		{ "bin/python", "/opt/backend.ai/bin/python3" },
		{ "bin/python3", "python3.13" },
		{ "bin/up", "../lib" },
		{ "bin/gone", "/opt/backend.ai/lib/gone" },
		{ "bin/loop", "loop" },
		{ "bin/host", "/etc/passwd" },
		{ "bin/above", "../../../etc/passwd" },
		{ "bin/beside", "/opt/backend.aiX/bin" },
		{ "bin/back", "/usr/../opt/./backend.ai//lib" },
		{ "bin/root", "/opt/backend.ai" },
	};
	static const struct {
		const char *path, *resolved; /* NULL: none */
		int open_error;
	} rows[] = {
		{ "bin/python", "bin/python3.13", 0 }, { "bin/up/..", "", 0 },
		{ "bin/root/bin/up", "lib", 0 },       { "bin/back", "lib", 0 },
		{ "bin/gone", "lib/gone", -ENOENT },   { "nowhere/x", NULL, -ENOENT },
		{ "bin/python/x", NULL, -ENOTDIR },    { "bin/loop", NULL, -ELOOP },
		{ "bin/host", NULL, -EXDEV },	       { "bin/above", NULL, -EXDEV },
		{ "bin/beside", NULL, -EXDEV },	       { "..", NULL, -EXDEV },
		{ "../../etc/passwd", NULL, -EXDEV },
	};
	KC_CLEANUP_TEMPORARY struct kc_temporary directory = { "" };
	struct kc_volume volume = { .kind = KC_VOLUME_DIRECTORY };
	KC_CLEANUP_FD int tree = -1;
	struct kc_error err = { 0 };

	KC_REQUIRE_OK(kc_temporary_make(&directory, &err), err);
	memcpy(volume.tree, directory.path, sizeof(volume.tree));
	tree = open(directory.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	KC_CHECK_INT(mkdirat(tree, "bin", 0755), 0);
	KC_CHECK_INT(mkdirat(tree, "lib", 0755), 0);
	KC_CHECK_INT(mknodat(tree, "bin/python3.13", S_IFREG | 0755, 0), 0);
	for (size_t i = 0; i < KC_ARRAY_LENGTH(links); i++)
		KC_CHECK_INT(symlinkat(links[i].target, tree, links[i].path), 0);
	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_FD int fd = kc_volume_open_file(&volume, rows[i].path, O_RDONLY, NULL);
		char resolved[PATH_MAX] = "(none)";
		int status = kc_volume_resolve(&volume, rows[i].path, resolved, NULL);

		KC_CHECK_MESSAGE((fd < 0 ? fd : 0) == rows[i].open_error, "%s: %d", rows[i].path, fd);
		KC_CHECK_INT(status, rows[i].resolved ? 0 : rows[i].open_error);
		KC_CHECK_STRING(resolved, rows[i].resolved ? rows[i].resolved : "(none)");
	}
}

static void bad_nothing(struct kc_buffer *content)
{
	(void)content;
}

static void bad_text(struct kc_buffer *content)
{
	(void)!kc_buffer_append_string(content, "this is no archive\n");
}

static void bad_truncated(struct kc_buffer *content)
{
	make_volume(content, EM_X86_64);
	content->length -= 20;
}

static void bad_no_volume(struct kc_buffer *content)
{
	static const struct kc_zip_member members[MOST_MEMBERS] = { VERSION, METADATA };

	make_wheel(content, members);
}

static void bad_other_tar(struct kc_buffer *content)
{
	KC_CLEANUP_BUFFER struct kc_buffer tar = KC_BUFFER_INIT(MIB);
	static const struct kc_tar_item item = { .name = "README", .data = "x" };

	kc_tar_make(&tar, &item, 1);
	kc_xz_pack(content, tar.data, tar.length);
}

static void bad_hostile_tar(struct kc_buffer *content)
{
	KC_CLEANUP_BUFFER struct kc_buffer tar = KC_BUFFER_INIT(MIB);
	static const struct kc_tar_item items[] = { { .name = "bin/", .type = '5' },
						    { .name = "../sentinel", .data = "x" } };

	kc_tar_make(&tar, items, 2);
	kc_xz_pack(content, tar.data, tar.length);
}

static const struct {
	const char *name;
	void (*make)(struct kc_buffer *content);
	const char *expected, *hint;
} bad[] = {
	{ "no bytes", bad_nothing, "the archive is empty (0 bytes)", "give a krunner-env" },
	{ "text", bad_text, "not an archive", "give a krunner-env" },
	{ "truncated", bad_truncated, "truncated after", "" },
	{ "wheel without a volume", bad_no_volume, "no volume inside", "" },
	{ "another tar", bad_other_tar, "not a krunner volume", "give a krunner-env" },
	{ "hostile", bad_hostile_tar, "a `..` component", "" },
};

static void explains_bad_volumes(void)
{
	for (size_t i = 0; i < KC_ARRAY_LENGTH(bad); i++) {
		KC_CLEANUP_TEST_STORE struct kc_test_store test;
		KC_CLEANUP_BUFFER struct kc_buffer content = KC_BUFFER_INIT(MIB);
		KC_CLEANUP_FREE struct kc_volume *volume = calloc(1, sizeof(*volume));
		struct kc_error err = { 0 };
		int status;

		KC_REQUIRE(volume && kc_test_store_make(&test));
		bad[i].make(&content);
		status = open_file(&test, "input", &content, volume, &err);
		KC_CHECK_MESSAGE(status == -EBADMSG, "%s: %d %s", bad[i].name, status, err.text);
		KC_CHECK_CONTAINS(err.text, bad[i].expected);
		KC_CHECK_CONTAINS(err.hint, bad[i].hint);
		KC_CHECK_CONTAINS(err.text, "input");
		KC_CHECK(!strchr(err.text, '\n'));
		KC_CHECK_INT(kc_test_store_count(&test, "tmp"), 0);
		KC_CHECK_INT(kc_test_store_count(&test, "trees"), 0);
	}
}

static void explains_bad_paths(void)
{
	static const struct {
		const char *path;
		int status;
		const char *expected;
	} rows[] = {
		{ "/nonexistent/volume", -ENOENT, "open volume `/nonexistent/volume`: No such file" },
		{ "/dev/null", -EBADMSG, "neither a file nor a directory" },
		{ "/proc/self/fd", -EBADMSG, "not a krunner volume (no bin/ directory inside)" },
	};
	KC_CLEANUP_TEST_STORE struct kc_test_store test;
	KC_CLEANUP_FREE struct kc_volume *volume = calloc(1, sizeof(*volume));

	KC_REQUIRE(volume && kc_test_store_make(&test));
	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		struct kc_error err = { 0 };

		KC_CHECK_INT(kc_volume_open(&test.store, rows[i].path, volume, &err), rows[i].status);
		KC_CHECK_CONTAINS(err.text, rows[i].expected);
		KC_CHECK_CONTAINS(err.hint, "give a krunner-env");
	}
}

KC_TEST_SUITE(volume, KC_LABEL_FAST, KC_TEST(tells_what_a_wheel_says), KC_TEST(refuses_bad_wheels),
	      KC_TEST(refuses_damaged_wheels), KC_TEST(takes_volume_names_apart), KC_TEST(opens_every_kind),
	      KC_TEST(shares_the_tree_of_wheel_and_archive), KC_TEST(notices_that_a_volume_was_changed),
	      KC_TEST(links_lead_where_the_container_sees_them), KC_TEST(explains_bad_volumes),
	      KC_TEST(explains_bad_paths));
