#include "sandbox/emulator.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/fd.h"
#include "sys/process.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U /* linux/memfd.h, Linux 6.3; Debian 12's headers are older */
#endif

#define VERSION_TIMEOUT_MS 20000
#define MOST_SEGMENTS 64

/* The last byte of an ELF file's identification is padding that nobody reads; its highest bit marks our copy. */
#define MARK_OFFSET (EI_NIDENT - 1)
#define MARK 0x80

/* e_machine of a little-endian, 64-bit ELF file, elf(5). */
static const struct {
	const char *machine;
	unsigned char number;
} machines[] = {
	{ "x86_64", EM_X86_64 },
	{ "aarch64", EM_AARCH64 },
};

/* Debian 12 calls the static one qemu-aarch64-static, later releases have only that, as qemu-aarch64. */
static const char *const suffixes[] = { "-static", "" };

static const char default_path[] = "/usr/local/bin:/usr/bin:/bin";

/* A program that needs no loader: nothing of the host is there when it runs. */
static bool is_static(int fd)
{
	Elf64_Phdr segments[MOST_SEGMENTS];
	Elf64_Ehdr header;
	ssize_t size;

	if (pread(fd, &header, sizeof(header), 0) != (ssize_t)sizeof(header) ||
	    memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64 ||
	    header.e_phentsize != sizeof(*segments) || header.e_phnum > MOST_SEGMENTS)
		return false;
	size = (ssize_t)(header.e_phnum * sizeof(*segments));
	if (pread(fd, segments, (size_t)size, (off_t)header.e_phoff) != size)
		return false;
	for (unsigned int i = 0; i < header.e_phnum; i++)
		if (segments[i].p_type == PT_INTERP)
			return false;
	return true;
}

/* -1 if DIRECTORY/qemu-MACHINE+SUFFIX is no static program that may be executed. */
static int try_program(const char *directory, size_t length, const char *machine, const char *suffix,
		       char ret_path[PATH_MAX])
{
	KC_CLEANUP_FD int fd = -1;
	int written = snprintf(ret_path, PATH_MAX, "%.*s/qemu-%s%s", (int)length, directory, machine, suffix);

	if (written < 0 || written >= PATH_MAX || ret_path[0] != '/' || access(ret_path, X_OK) < 0)
		return -1;
	fd = open(ret_path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && is_static(fd) ? KC_STEAL_FD(fd) : -1;
}

static int find_program(const char *machine, char ret_path[PATH_MAX], int *ret_fd, struct kc_error *err)
{
	const char *directories = getenv("PATH");

	for (size_t i = 0; i < KC_ARRAY_LENGTH(suffixes); i++) {
		const char *at = directories ? directories : default_path;

		while (*at) {
			size_t length = strcspn(at, ":");

			*ret_fd = try_program(at, length, machine, suffixes[i], ret_path);
			if (*ret_fd >= 0)
				return 0;
			at += length + (at[length] == ':');
		}
	}
	(void)kc_error_set(err, ENOENT, "no static qemu-%s is installed", machine);
	kc_error_hint(err, "install Debian's package " KC_EMULATOR_PACKAGE);
	return -ENOENT;
}

/* The copy is opened again for reading alone: a file that somebody may write to is not executed (ETXTBSY). */
static int copy_marked(int source, int *ret_fd)
{
	KC_CLEANUP_FD int copy = memfd_create("emulator", MFD_CLOEXEC | MFD_EXEC);
	struct stat status;
	unsigned char mark;
	char path[64];

	if (copy < 0 || fstat(source, &status) < 0)
		return -errno;
	for (off_t left = status.st_size; left > 0;) {
		ssize_t sent = sendfile(copy, source, NULL, (size_t)left);

		if (sent <= 0)
			return sent < 0 ? -errno : -EIO;
		left -= sent;
	}
	if (pread(copy, &mark, 1, MARK_OFFSET) != 1)
		return -EIO;
	mark |= MARK;
	if (pwrite(copy, &mark, 1, MARK_OFFSET) != 1 || fchmod(copy, 0555) < 0)
		return -errno;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", copy);
	*ret_fd = open(path, O_RDONLY | O_CLOEXEC);
	return *ret_fd < 0 ? -errno : 0;
}

/* ":name:M::MAGIC:MASK:INTERPRETER:FLAGS": the ELF files of a machine, programs and shared objects (a position-independent
 * program is one), unless they have our mark. P: argv[0] is kept; F: the interpreter is opened now, by this very path. */
static int write_registration(struct kc_emulator *emulator, unsigned char machine)
{
	static const char magic[] =
		"\\x7fELF\\x02\\x01\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x02\\x00";
	static const char mask[] =
		"\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x80"
		"\\xfe\\xff\\xff\\xff";
	int written = snprintf(emulator->registration, sizeof(emulator->registration),
			       ":krunner-compat:M::%s\\x%02x\\x00:%s:/proc/self/fd/%d:PF", magic, machine,
			       mask, emulator->fd);

	return written < 0 || (size_t)written >= sizeof(emulator->registration) ? -E2BIG : 0;
}

/* The first line of what --version prints. */
static int read_version(const char *path, char ret_version[160], struct kc_error *err)
{
	const char *const argv[] = { path, "--version", NULL };
	KC_CLEANUP_BUFFER struct kc_buffer output = KC_BUFFER_INIT(4096);
	const struct kc_process process = { .argv = argv,
					    .timeout_ms = VERSION_TIMEOUT_MS,
					    .output = &output };
	int exit_status = 0, status = kc_process_run(&process, &exit_status, err);
	const char *text = kc_buffer_string(&output);

	if (status < 0)
		return status;
	if (exit_status != 0)
		return kc_error_set(err, EIO, "`%s --version` ended with status %d", path, exit_status);
	(void)snprintf(ret_version, 160, "%.*s", (int)strcspn(text, "\n"), text);
	return 0;
}

static int open_emulator(const char *machine, unsigned char number, struct kc_emulator *emulator,
			 struct kc_error *err)
{
	KC_CLEANUP_FD int source = -1;
	char path[PATH_MAX];
	int status = find_program(machine, path, &source, err);

	if (status < 0)
		return status;
	status = copy_marked(source, &emulator->fd);
	if (status == -EINVAL) {
		(void)kc_error_errno(err, status, "copy `%s` into memory", path);
		kc_error_hint(err, "the kernel is too old: use Linux 6.7 or newer");
		return status;
	}
	if (status < 0)
		return kc_error_errno(err, status, "copy `%s` into memory", path);
	emulator->is_open = true;
	status = write_registration(emulator, number);
	if (status < 0)
		return kc_error_errno(err, status, "emulator `%s`", path);
	return read_version(path, emulator->version, err);
}

int kc_emulator_open(const char *machine, const char *cpu, struct kc_emulator *ret_emulator,
		     struct kc_error *err)
{
	unsigned char number = EM_NONE;
	int status;

	*ret_emulator = (struct kc_emulator){ .fd = -1 };
	for (size_t i = 0; i < KC_ARRAY_LENGTH(machines); i++)
		if (strcmp(machines[i].machine, machine) == 0)
			number = machines[i].number;
	if (number == EM_NONE)
		return kc_error_set(err, ENOTSUP, "programs for %s cannot be emulated here", machine);
	if (cpu && (size_t)snprintf(ret_emulator->cpu, sizeof(ret_emulator->cpu), "QEMU_CPU=%s", cpu) >=
			   sizeof(ret_emulator->cpu))
		return kc_error_set(err, EINVAL, "CPU model `%s`: the name is too long", cpu);
	status = open_emulator(machine, number, ret_emulator, err);
	if (status < 0)
		kc_emulator_release(ret_emulator);
	return status;
}

void kc_emulator_release(struct kc_emulator *emulator)
{
	if (emulator->is_open)
		kc_fd_close(&emulator->fd);
	*emulator = (struct kc_emulator){ .fd = -1 };
}
