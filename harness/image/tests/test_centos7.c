/* The embedded CentOS 7, built from nothing and used: packages and wheels come from the network. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/store.h"
#include "archive/volume.h"
#include "elf/elf.h"
#include "image/definition.h"
#include "image/image.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/process.h"
#include "tests/kc_test.h"

static char scratch[PATH_MAX];
static char *kept_cache;
static struct kc_store store;
static struct kc_image image;
static const struct kc_image_request request = { .image = "centos7" };

static int setup(void)
{
	const char *directory = getenv("TMPDIR"), *cache = getenv("XDG_CACHE_HOME");
	struct kc_error err = { 0 };

	kept_cache = cache ? strdup(cache) : NULL;
	(void)snprintf(scratch, sizeof(scratch), "%s/kc-centos7-XXXXXX", directory ? directory : "/tmp");
	if (!mkdtemp(scratch) || setenv("XDG_CACHE_HOME", scratch, 1) < 0)
		return -1;
	if (kc_store_open(&store, &err) < 0 || kc_image_open(&store, &request, &image, &err) < 0) {
		printf("%s\n%s\n", err.text, err.hint);
		return -1;
	}
	return 0;
}

static int teardown(void)
{
	kc_image_release(&image);
	kc_store_close(&store);
	if (kept_cache)
		(void)setenv("XDG_CACHE_HOME", kept_cache, 1);
	else
		(void)unsetenv("XDG_CACHE_HOME");
	free(kept_cache);
	return kc_tree_remove(AT_FDCWD, scratch, NULL);
}

static void is_found_again_and_says_that_it_is_emulated(void)
{
	KC_CLEANUP_IMAGE struct kc_image again = { 0 };
	struct kc_error err = { 0 };

	KC_REQUIRE_OK(kc_image_open(&store, &request, &again, &err), err);
	KC_CHECK_STRING(again.layers.trees[0], image.layers.trees[0]);
	KC_CHECK_STRING(again.digest, image.digest);
	KC_CHECK_STRING(again.fidelity, "emulated");
	KC_CHECK_STRING(again.libc_family, "glibc");
	KC_CHECK_STRING(again.libc_version, "2.17");
	KC_CHECK(cJSON_GetArraySize(cJSON_GetObjectItem(again.info, "packages")) > 40);
}

/* From the kept packages, without any apt-get, and the same to the byte. */
static void is_rebuilt_from_what_the_store_keeps(void)
{
	KC_CLEANUP_IMAGE struct kc_image again = { 0 };
	struct kc_buffer before = KC_BUFFER_INIT(16u << 20), after = KC_BUFFER_INIT(16u << 20);
	KC_CLEANUP_FREE char *path = strdup(getenv("PATH"));
	struct kc_error err = { 0 };
	char entry[PATH_MAX], key[256];

	(void)snprintf(key, sizeof(key), "image-centos7-%s", image.digest);
	(void)snprintf(entry, sizeof(entry), "trees/%s", key);
	KC_CHECK_OK(kc_store_manifest(&store, key, &before, &err), err);
	KC_CHECK_OK(kc_tree_remove(store.fd, entry, &err), err);
	KC_CHECK_INT(setenv("PATH", "/nonexistent", 1), 0);
	KC_CHECK_OK(kc_image_open(&store, &request, &again, &err), err);
	KC_CHECK_INT(setenv("PATH", path, 1), 0);
	KC_CHECK_OK(kc_store_manifest(&store, key, &after, &err), err);
	KC_CHECK(before.length > 0);
	KC_CHECK_STRING(kc_buffer_string(&after), kc_buffer_string(&before));
	kc_buffer_release(&before);
	kc_buffer_release(&after);
}

/* One library of the tree: what it is called and what it defines. */
struct library {
	char file[NAME_MAX + 1];
	struct kc_buffer bytes;
	struct kc_elf elf;
};

static struct library *libraries;
static size_t library_count;

static int load_library(int dirfd, const char *name)
{
	struct library *grown = reallocarray(libraries, library_count + 1, sizeof(*libraries));
	struct library library = { .bytes = KC_BUFFER_INIT(64u << 20) };
	int status;

	if (!grown)
		return -ENOMEM;
	libraries = grown;
	(void)snprintf(library.file, sizeof(library.file), "%s", name);
	status = kc_file_read(dirfd, name, &library.bytes, NULL);
	if (status == 0)
		status = kc_elf_read(library.bytes.data, library.bytes.length, &library.elf, NULL);
	if (status == 0)
		libraries[library_count++] = library;
	else
		kc_buffer_release(&library.bytes);
	return status == -ENOEXEC ? 0 : status;
}

static int load_directory(const char *below)
{
	char path[PATH_MAX + 64];
	KC_CLEANUP_DIR DIR *dir = NULL;
	struct dirent *entry;
	int status = 0;

	(void)snprintf(path, sizeof(path), "%s/%s", image.layers.trees[0], below);
	dir = opendir(path);
	if (!dir)
		return -errno;
	while (status == 0 && (entry = readdir(dir))) {
		struct stat about;

		status = fstatat(dirfd(dir), entry->d_name, &about, 0) < 0 ? -errno : 0;
		if (status == 0 && S_ISREG(about.st_mode))
			status = load_library(dirfd(dir), entry->d_name);
		else if (status == -ENOENT)
			status = 0; /* a link that is absolute within the image */
	}
	return status;
}

static void release_libraries(void)
{
	for (size_t i = 0; i < library_count; i++) {
		kc_elf_release(&libraries[i].elf);
		kc_buffer_release(&libraries[i].bytes);
	}
	free(libraries);
	libraries = NULL;
	library_count = 0;
}

static const struct library *find_library(const char *soname)
{
	for (size_t i = 0; i < library_count; i++)
		if (strcmp(libraries[i].file, soname) == 0)
			return &libraries[i];
	return NULL;
}

static bool defines(const struct library *library, const char *version)
{
	for (size_t i = 0; i < library->elf.defined_count; i++)
		if (strcmp(library->elf.defined[i].name, version) == 0)
			return true;
	return false;
}

static void check_needs_of(const struct library *user)
{
	for (size_t i = 0; i < user->elf.needed_count; i++)
		KC_CHECK_MESSAGE(find_library(user->elf.needed[i]) != NULL, "%s needs %s, which is not there",
				 user->file, user->elf.needed[i]);
	for (size_t i = 0; i < user->elf.required_count; i++) {
		const struct kc_elf_version *version = &user->elf.required[i];
		const struct library *from = find_library(version->file);

		KC_CHECK_MESSAGE(from && (version->is_weak || defines(from, version->name)),
				 "%s wants %s of %s", user->file, version->name, version->file);
		KC_CHECK_INT(version->hash, kc_elf_hash(version->name));
	}
}

static void every_library_and_version_that_is_needed_is_there(void)
{
	static const char *const directories[] = { "usr/lib64", "usr/lib64/security", "usr/bin", "usr/sbin" };

	for (size_t i = 0; i < KC_ARRAY_LENGTH(directories); i++)
		KC_CHECK_INT(load_directory(directories[i]), 0);
	KC_CHECK(library_count > 200);
	for (size_t i = 0; i < library_count; i++)
		check_needs_of(&libraries[i]);
	release_libraries();
}

static void no_version_is_newer_than_centos7_has(void)
{
	static const struct {
		const char *library, *newest, *too_new;
	} rows[] = {
		{ "libc.so.6", "GLIBC_2.17", "GLIBC_2.18" },
		{ "libstdc++.so.6", "GLIBCXX_3.4.19", "GLIBCXX_3.4.20" },
		{ "libstdc++.so.6", "CXXABI_1.3.7", "CXXABI_1.3.8" },
		{ "libgcc_s.so.1", "GCC_4.8.0", "GCC_7.0.0" },
	};

	KC_CHECK_INT(load_directory("usr/lib64"), 0);
	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		const struct library *library = find_library(rows[i].library);

		if (!KC_CHECK(library != NULL))
			continue;
		KC_CHECK_MESSAGE(defines(library, rows[i].newest), "%s lacks %s", rows[i].library,
				 rows[i].newest);
		KC_CHECK_MESSAGE(!defines(library, rows[i].too_new), "%s has %s", rows[i].library,
				 rows[i].too_new);
	}
	KC_CHECK(find_library("libGL.so.1") == NULL && find_library("libX11.so.6") == NULL);
	release_libraries();
}

/* $1 is the root, $2 a volume or "". Not the sandbox: the least that a chroot needs. */
static const char enter[] =
	"mount -t proc proc \"$1/proc\" && mount --rbind /dev \"$1/dev\" || exit 125\n"
	"mount -t tmpfs tmpfs \"$1/opt\" && mkdir \"$1/opt/backend.ai\" || exit 125\n"
	"[ -z \"$2\" ] || mount --bind \"$2\" \"$1/opt/backend.ai\" || exit 125\n"
	"exec chroot \"$1\" /usr/bin/env -i PATH=/usr/sbin:/usr/bin HOME=/root LANG=en_US.UTF-8 "
	"/bin/sh -c \"$3\" 2>&1\n";

static int run_inside(const char *volume, const char *command, struct kc_buffer *output)
{
	const char *const argv[] = {
		"unshare", "--user", "--map-root-user",	    "--mount", "--pid", "--fork", "sh", "-c",
		enter,	   "sh",     image.layers.trees[0], volume,    command, NULL
	};
	const struct kc_process process = {
		.argv = argv, .timeout_ms = 60000, .output = output, .errors = output
	};
	struct kc_error err = { 0 };
	int exit_status = -1;

	KC_CHECK_OK(kc_process_run(&process, &exit_status, &err), err);
	return exit_status;
}

static bool can_enter(void)
{
	KC_CLEANUP_BUFFER struct kc_buffer output = KC_BUFFER_INIT(1 << 16);

	return run_inside("", "true", &output) != 125;
}

static void tools_run(void)
{
	static const struct {
		const char *command;
		int exit_status;
		const char *output;
	} rows[] = {
		{ "echo $BASH_VERSION; cat /etc/centos-release", 0, "CentOS Linux release 7.9.2009 (Core)" },
		{ ". /etc/os-release; echo $ID-$VERSION_ID", 0, "centos-7" },
		{ "useradd --help", 0, "Usage: useradd" },
		{ "groupadd --help", 0, "Usage: groupadd" },
		{ "usermod --help", 0, "Usage: usermod" },
		{ "getent passwd root", 0, "root:x:0:0:root:/root:/bin/bash" },
		{ "getconf GNU_LIBC_VERSION", 0, "glibc 2.17" },
		{ "ldd --version", 0, " 2.17\n" },
		{ "ldd /bin/bash", 0, "libc.so.6 => /lib" },
		{ "TZ=Asia/Seoul date +%Z", 0, "KST" },
		{ "su --version", 0, "su from util-linux" },
		{ "which sh awk tar gzip hostname find mount", 0, "/usr/bin/hostname" },
		{ "echo abc | grep -o b | sed s/b/x/ | awk '{print $1 \"y\"}'", 0, "xy" },
		{ "tar -C /etc -cz passwd | tar -tz", 0, "passwd" },
		{ "grep -c 'BEGIN CERT' /etc/ssl/certs/ca-bundle.crt /etc/pki/tls/cert.pem", 0,
		  "cert.pem:1" },
		{ "locale -a", 0, "en_US.utf8" },
		{ "find /etc /usr /var -xdev -xtype l 2>/dev/null", 0, "" },
		{ "no-such-tool", 127, "not found" },
	};

	if (!can_enter())
		KC_SKIP("namespaces, or mounts within them, are refused on this machine");
	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_BUFFER struct kc_buffer output = KC_BUFFER_INIT(1 << 20);
		int exit_status = run_inside("", rows[i].command, &output);

		KC_CHECK_MESSAGE(exit_status == rows[i].exit_status, "`%s`: status %d: %s", rows[i].command,
				 exit_status, kc_buffer_string(&output));
		KC_CHECK_CONTAINS(kc_buffer_string(&output), rows[i].output);
		if (!*rows[i].output)
			KC_CHECK_STRING(kc_buffer_string(&output), "");
	}
}

static bool find_wheel(const char *directory, char ret_path[PATH_MAX])
{
	KC_CLEANUP_DIR DIR *dir = opendir(directory);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (fnmatch("*.whl", entry->d_name, 0) == 0)
			return snprintf(ret_path, PATH_MAX, "%s/%s", directory, entry->d_name) < PATH_MAX;
	return false;
}

/* A released volume, from the package index that pip is configured for. */
static bool fetch_volume(const char *version, struct kc_volume *ret_volume)
{
	KC_CLEANUP_BUFFER struct kc_buffer output = KC_BUFFER_INIT(1 << 20);
	char wanted[64], directory[PATH_MAX + 16], wheel[PATH_MAX];
	const char *const argv[] = { "python3",	  "-m", "pip",	   "download", "-q",
				     "--no-deps", "-d", directory, wanted,     NULL };
	const struct kc_process process = {
		.argv = argv, .timeout_ms = 600000, .output = &output, .errors = &output
	};
	struct kc_error err = { 0 };
	int exit_status = -1;

	(void)snprintf(wanted, sizeof(wanted), "backend.ai-krunner-static-gnu==%s", version);
	(void)snprintf(directory, sizeof(directory), "%s/%s", scratch, version);
	if (!KC_CHECK_OK(kc_process_run(&process, &exit_status, &err), err) ||
	    !KC_CHECK_MESSAGE(exit_status == 0, "pip download: %s", kc_buffer_string(&output)) ||
	    !KC_CHECK(find_wheel(directory, wheel)))
		return false;
	return KC_CHECK_OK(kc_volume_open(&store, wheel, ret_volume, &err), err);
}

#define PYTHON "/opt/backend.ai/bin/python "

static void released_volumes_behave_as_on_centos7(void)
{
	static const struct {
		const char *version, *command;
		int exit_status;
		const char *output;
	} rows[] = {
		{ "4.4.0", PYTHON "-c 'import platform; print(platform.libc_ver())'", 0,
		  "('glibc', '2.17')" },
		{ "4.4.0", PYTHON "-c 'import os; print(os.confstr(\"CS_GNU_LIBC_VERSION\"))'", 0,
		  "glibc 2.17" },
		{ "4.4.0", PYTHON "-m pip debug | grep -m1 manylinux", 0, "manylinux_2_17_" },
		{ "4.4.0", PYTHON "-c 'import zmq; print(\"imported\")'", 0, "imported" },
		{ "4.4.0",
		  PYTHON "-c 'import ssl; ssl.create_default_context(cafile=\"/etc/pki/tls/certs/"
			 "ca-bundle.crt\"); print(\"trusted\")'",
		  0, "trusted" },
		{ "4.1.0", PYTHON "-c 'import ssl, zlib, sqlite3; print(\"imported\")'", 0, "imported" },
		{ "4.1.0", PYTHON "-c 'import zmq'", 1, "version `CXXABI_1.3.9' not found" },
	};
	struct kc_volume volume = { 0 };
	const char *open_version = "";

	if (!can_enter())
		KC_SKIP("namespaces, or mounts within them, are refused on this machine");
	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_BUFFER struct kc_buffer output = KC_BUFFER_INIT(1 << 20);
		int exit_status;

		if (strcmp(open_version, rows[i].version) != 0) {
			kc_volume_release(&volume);
			if (!fetch_volume(rows[i].version, &volume))
				break;
			open_version = rows[i].version;
		}
		exit_status = run_inside(volume.tree, rows[i].command, &output);
		KC_CHECK_MESSAGE(exit_status == rows[i].exit_status, "%s: `%s`: status %d: %s",
				 rows[i].version, rows[i].command, exit_status, kc_buffer_string(&output));
		KC_CHECK_CONTAINS(kc_buffer_string(&output), rows[i].output);
	}
	kc_volume_release(&volume);
}

KC_TEST_SUITE_WITH(image_centos7, KC_LABEL_SLOW, setup, teardown,
		   KC_TEST(is_found_again_and_says_that_it_is_emulated),
		   KC_TEST(is_rebuilt_from_what_the_store_keeps),
		   KC_TEST(every_library_and_version_that_is_needed_is_there),
		   KC_TEST(no_version_is_newer_than_centos7_has), KC_TEST(tools_run),
		   KC_TEST(released_volumes_behave_as_on_centos7));
