/* What can be told of a volume without running it, and that running it changed nothing. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/volume.h"
#include "cases/cases.h"
#include "elf/clamp.h"
#include "elf/floor.h"
#include "image/image.h"
#include "run/program.h"
#include "sys/fd.h"

enum entry_kind { ENTRY_DIRECTORY, ENTRY_EMPTY_DIRECTORY, ENTRY_PROGRAM };

/* What every volume has. %s stands for the Python version. */
static const struct entry {
	const char *path;
	enum entry_kind kind;
} layout[] = {
	{ "bin/python", ENTRY_PROGRAM },
	{ "bin/python%s", ENTRY_PROGRAM },
	{ "bin/ttyd", ENTRY_PROGRAM },
	{ "lib/python%s", ENTRY_DIRECTORY },
	{ "lib/python%s/site-packages", ENTRY_DIRECTORY },
};

/* Where the agent mounts its own packages (PyPI package backend.ai-agent): empty directories. */
static const struct entry mount_points[] = {
	{ "lib/python%s/site-packages/ai/backend/kernel", ENTRY_EMPTY_DIRECTORY },
	{ "lib/python%s/site-packages/ai/backend/helpers", ENTRY_EMPTY_DIRECTORY },
};

static const char *const entry_names[] = {
	[ENTRY_DIRECTORY] = "a directory",
	[ENTRY_EMPTY_DIRECTORY] = "an empty directory",
	[ENTRY_PROGRAM] = "an executable file",
};

static const struct {
	const char *architecture;
	unsigned int machine;
} machines[] = {
	{ "x86_64", EM_X86_64 },
	{ "aarch64", EM_AARCH64 },
};

static bool is_empty(int fd)
{
	KC_CLEANUP_DIR DIR *dir = fdopendir(dup(fd));
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			return false;
	return dir != NULL;
}

/* NULL if the entry is what it must be, else what was found instead. */
static const char *examine(const struct kc_volume *volume, const char *path, enum entry_kind kind)
{
	KC_CLEANUP_FD int fd = kc_volume_open_file(volume, path, O_RDONLY, NULL);
	struct stat status;

	if (fd == -EXDEV)
		return "a link out of the volume";
	if (fd < 0 || fstat(fd, &status) < 0)
		return fd == -ENOENT ? "nothing there" : strerror(fd < 0 ? -fd : errno);
	if (kind == ENTRY_PROGRAM) {
		if (!S_ISREG(status.st_mode))
			return "not a regular file";
		return status.st_mode & 0111 ? NULL : "a file without execute permission";
	}
	if (!S_ISDIR(status.st_mode))
		return "not a directory";
	return kind == ENTRY_DIRECTORY || is_empty(fd) ? NULL : "a directory that is not empty";
}

static void check_entries(const struct entry *entries, size_t count, const struct kc_volume *volume,
			  struct kc_result *result)
{
	char version[16];

	kc_volume_python_version(volume, version);
	if (!*version)
		(void)snprintf(version, sizeof(version), "%.15s", volume->wheel.python_version);
	for (size_t i = 0; i < count; i++) {
		const char *percent = strstr(entries[i].path, "%s"), *found;
		size_t before = percent ? (size_t)(percent - entries[i].path) : strlen(entries[i].path);
		char path[PATH_MAX];

		(void)snprintf(path, sizeof(path), "%.*s%s%s", (int)before, entries[i].path,
			       percent ? version : "", percent ? percent + 2 : "");
		found = examine(volume, path, entries[i].kind);
		if (!found && percent && !*version)
			found = "no version in the name that bin/python leads to";
		if (found) {
			kc_result_fail(result, entry_names[entries[i].kind], found,
				       "%s in the volume: expected %s, found %s", path,
				       entry_names[entries[i].kind], found);
			return;
		}
	}
	kc_result_pass(result);
}

static void check_layout(const struct kc_case *row, struct kc_case_context *context, struct kc_result *result)
{
	check_entries(layout, KC_ARRAY_LENGTH(layout), context->volume, result);
}

static void check_mount_points(const struct kc_case *row, struct kc_case_context *context,
			       struct kc_result *result)
{
	check_entries(mount_points, KC_ARRAY_LENGTH(mount_points), context->volume, result);
}

/* One fact that is told twice must be told the same. */
static bool agree(const char *what, const char *expected, const char *got, struct kc_result *result)
{
	kc_result_property(result, what, "%s", got);
	if (strcmp(expected, got) == 0)
		return true;
	kc_result_fail(result, expected, got, "%s: the wheel says \"%s\", the volume \"%s\"", what, got,
		       expected);
	return false;
}

static void check_labels(const struct kc_case *row, struct kc_case_context *context, struct kc_result *result)
{
	const struct kc_volume *volume = context->volume;
	const struct kc_wheel *wheel = &volume->wheel;
	char version[16];
	size_t digits = strspn(wheel->volume_version, "0123456789");

	if (!wheel->package[0]) {
		kc_result_skip(result, "the volume came without a wheel, which is what carries its labels");
		return;
	}
	kc_result_property(result, "package-version", "%s", wheel->version);
	kc_result_property(result, "volume-version", "%s", wheel->volume_version);
	if (!digits || wheel->volume_version[digits]) {
		kc_result_fail(result, "a whole number", wheel->volume_version,
			       "krunner-version.%s.txt: \"%s\" is not a volume version", volume->distro,
			       wheel->volume_version);
		return;
	}
	kc_volume_python_version(volume, version);
	if (!*version)
		kc_result_fail(result, "python and a version", "another name",
			       "bin/python does not lead to a name that says which Python it is");
	else if (agree("krunner-python", version, wheel->python_version, result) &&
		 agree("versions.txt", volume->distro, wheel->versions_text, result))
		kc_result_pass(result);
}

static unsigned int machine_of(const char *architecture)
{
	for (size_t i = 0; i < KC_ARRAY_LENGTH(machines); i++)
		if (strcmp(machines[i].architecture, architecture) == 0)
			return machines[i].machine;
	return EM_NONE;
}

static const char *architecture_of(unsigned int machine)
{
	for (size_t i = 0; i < KC_ARRAY_LENGTH(machines); i++)
		if (machines[i].machine == machine)
			return machines[i].architecture;
	return "another architecture";
}

/* A file mapped into memory; length 0 for an empty one. */
struct mapping {
	void *bytes;
	size_t length;
};

static void unmap(struct mapping *mapping)
{
	if (mapping->length)
		(void)munmap(mapping->bytes, mapping->length); /* fails only for a mapping that is none */
}

/* Maps a file; one that is no ELF file has the length 0 then, and is not mapped. */
static int map_elf(int fd, const char *path, struct mapping *ret_mapping, struct kc_error *err)
{
	char magic[SELFMAG];
	struct stat status;
	ssize_t got;
	void *bytes;

	if (fstat(fd, &status) < 0)
		return kc_error_errno(err, errno, "look at `%s`", path);
	if (!S_ISREG(status.st_mode))
		return kc_error_set(err, EINVAL, "`%s` is not a regular file", path);
	/* Read before it is mapped: of five thousand files a dozen are ELF, and a mapping costs much more. */
	got = pread(fd, magic, sizeof(magic), 0);
	if (got < 0)
		return kc_error_errno(err, errno, "read `%s`", path);
	if (got < SELFMAG || memcmp(magic, ELFMAG, SELFMAG) != 0)
		return 0;
	bytes = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (bytes == MAP_FAILED)
		return kc_error_errno(err, errno, "map `%s`", path);
	*ret_mapping = (struct mapping){ .bytes = bytes, .length = (size_t)status.st_size };
	return 0;
}

/* What nftw(3) hands to its callback only through here. Cases run in processes of their own, so one is enough. */
static struct {
	const struct kc_volume *volume;
	struct kc_result *result;
	unsigned int files;
	struct {
		char version[KC_ELF_FLOOR_VERSION_SIZE];
		char path[PATH_MAX];
	} floors[KC_ELF_FAMILIES];
} walk;

static void raise_floors(const struct kc_elf *elf, const char *path)
{
	for (size_t i = 0; i < KC_ELF_FAMILIES; i++)
		if (kc_elf_raise_floor(elf, kc_elf_families[i], walk.floors[i].version))
			(void)snprintf(walk.floors[i].path, sizeof(walk.floors[i].path), "%s", path);
}

/* The newest version of `family` that the image has; NULL if that is not known. */
static const char *ceiling_of(const struct kc_image *image, const char *family)
{
	for (size_t i = 0; i < image->ceiling_count; i++)
		if (strcmp(image->ceilings[i].prefix, family) == 0)
			return image->ceilings[i].version;
	return strcmp(family, "GLIBC") == 0 && strcmp(image->libc_family, "glibc") == 0 ? image->libc_version
											: NULL;
}

/* No promise by itself, for not every file is ever loaded: to be seen beside what fails for it. */
static void tell_floors(const struct kc_image *image, struct kc_result *result)
{
	for (size_t i = 0; i < KC_ELF_FAMILIES; i++) {
		const char *family = kc_elf_families[i], *ceiling = ceiling_of(image, family);
		char name[64];

		if (!*walk.floors[i].version)
			continue;
		(void)snprintf(name, sizeof(name), "floor-%s", family);
		kc_result_property(result, name, "%s", walk.floors[i].version);
		(void)snprintf(name, sizeof(name), "floor-%s-file", family);
		kc_result_property(result, name, "%s", walk.floors[i].path);
		(void)snprintf(name, sizeof(name), "floor-%s-image", family);
		if (ceiling && *ceiling)
			kc_result_property(result, name, "%s", ceiling);
	}
}

static int examine_elf(const char *path, const struct stat *status, int type, struct FTW *place)
{
	KC_CLEANUP(unmap) struct mapping mapping = { 0 };
	KC_CLEANUP_ELF struct kc_elf elf = { 0 };
	KC_CLEANUP_FD int fd = -1;
	const char *name = path + strlen(walk.volume->tree) + 1;
	struct kc_error err = { 0 };

	if (type != FTW_F || !S_ISREG(status->st_mode))
		return 0;
	/* The walk has come here without following a link. */
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		(void)kc_error_errno(&err, errno, "open `%s`", name);
	if (fd < 0 || map_elf(fd, name, &mapping, &err) < 0) {
		kc_result_broken_by(walk.result, &err);
		return 1;
	}
	if (!mapping.length)
		return 0;
	walk.files++;
	if (kc_elf_read(mapping.bytes, mapping.length, &elf, &err) < 0) {
		kc_result_fail(walk.result, "a sound ELF file", err.text, "%s: %s", name, err.text);
		return 1;
	}
	raise_floors(&elf, name);
	if (elf.machine == machine_of(walk.volume->arch))
		return 0;
	kc_result_fail(walk.result, walk.volume->arch, architecture_of(elf.machine),
		       "%s is built for %s (ELF machine %u), the volume for %s", name,
		       architecture_of(elf.machine), (unsigned int)elf.machine, walk.volume->arch);
	return 1;
}

static void check_architecture(const struct kc_case *row, struct kc_case_context *context,
			       struct kc_result *result)
{
	int status;

	if (machine_of(context->volume->arch) == EM_NONE) {
		kc_result_broken(result, "architecture \"%s\" is not known here", context->volume->arch);
		return;
	}
	walk.volume = context->volume;
	walk.result = result;
	status = nftw(context->volume->tree, examine_elf, 32, FTW_PHYS);
	if (status < 0)
		kc_result_broken(result, "walk `%s`: %s", context->volume->tree, strerror(errno));
	else if (status == 0 && walk.files == 0)
		kc_result_fail(result, "at least the interpreter", "none", "the volume has no ELF file");
	else if (status == 0)
		kc_result_pass(result);
	kc_result_property(result, "elf-files", "%u", walk.files);
	tell_floors(context->image, result);
}

static void check_ttyd(const struct kc_case *row, struct kc_case_context *context, struct kc_result *result)
{
	KC_CLEANUP(unmap) struct mapping mapping = { 0 };
	KC_CLEANUP_ELF struct kc_elf elf = { 0 };
	KC_CLEANUP_FD int fd = -1;
	char digest[KC_SHA256_HEX_SIZE];
	const char *promised = context->volume->wheel.ttyd_sha256;
	struct kc_error err = { 0 };

	fd = kc_volume_open_file(context->volume, "bin/ttyd", O_RDONLY, &err);
	if (fd < 0 || map_elf(fd, "bin/ttyd", &mapping, &err) < 0 ||
	    kc_elf_read(mapping.bytes, mapping.length, &elf, &err) < 0) {
		kc_result_fail(result, "a static program", err.text, "bin/ttyd: %s", err.text);
		return;
	}
	if (!kc_elf_is_static_program(&elf)) {
		kc_result_fail(result, "no program interpreter",
			       elf.interpreter ? elf.interpreter : "a shared object",
			       "bin/ttyd is not static: it needs %s of the image",
			       elf.interpreter ? elf.interpreter : "a loader");
		return;
	}
	if (kc_sha256_of(mapping.bytes, mapping.length, digest, &err) < 0) {
		kc_result_broken_by(result, &err);
		return;
	}
	kc_result_property(result, "ttyd-sha256", "%s", digest);
	if (*promised && strcmp(promised, digest) != 0)
		kc_result_fail(result, promised, digest,
			       "bin/ttyd in the volume is not the ttyd beside it in the wheel");
	else
		kc_result_pass(result);
}

static void check_unchanged(const struct kc_case *row, struct kc_case_context *context,
			    struct kc_result *result)
{
	struct kc_error err = { 0 };
	int status = kc_volume_verify(context->volume, &err);

	if (status == 0)
		kc_result_pass(result);
	else if (status == -EUCLEAN)
		kc_result_fail(result, "every byte as it was unpacked", err.text,
			       "the volume was changed: %s", err.text);
	else
		kc_result_broken_by(result, &err);
}

static const struct kc_case cases[] = {
	{ KC_CASE("layout"),
	  .what = "interpreter, ttyd and library folders are where the agent looks for them",
	  .run = check_layout, .timeout_ms = 10000 },
	{ KC_CASE("labels"), .what = "the wheel's label files agree with the volume", .run = check_labels,
	  .of_wheel = true, .timeout_ms = 10000 },
	{ KC_CASE("architecture"), .what = "every ELF file is built for the volume's architecture",
	  .run = check_architecture, .timeout_ms = 30000 },
	{ KC_CASE("mount-points"), .what = "the agent's mount points are there and empty",
	  .run = check_mount_points, .timeout_ms = 10000 },
	{ KC_CASE("ttyd-static"), .what = "ttyd is a static program, the one beside it in the wheel",
	  .run = check_ttyd, .timeout_ms = 10000 },
	{ KC_CASE("unchanged"), .what = "after all other cases the volume is byte for byte what it was",
	  .run = check_unchanged, .phase = KC_PHASE_LAST, .timeout_ms = 30000 },
};

const struct kc_case_table kc_cases_volume = {
	.group = "volume", .file = __FILE__, .rows = cases, .count = KC_ARRAY_LENGTH(cases)
};
