/*
 * A user-mode emulator (qemu-user) for every program of a sandbox: one of another architecture, or this one's with an older
 * CPU.
 *
 * The sandbox registers it in a binfmt_misc instance of its own user namespace, which Linux has since 6.7, so that whatever
 * a program starts is emulated as well and the host's registrations are neither needed nor touched. The emulator must be a
 * static program: it runs in the image's root, where none of the host's libraries are. What is executed is a copy in memory
 * that differs from the installed one in a bit that loaders ignore, by which the registration leaves it alone: an emulator
 * of this machine's own programs would otherwise be emulated itself, without end.
 *
 * Life cycle: 1. kc_emulator_open  2. kc_sandbox_set_emulator, any number of times, also in children of this process
 * 3. kc_emulator_release (idempotent, fit for a zeroed object). Linux, Documentation/admin-guide/binfmt-misc.rst; qemu-user(1).
 */
#ifndef KC_SANDBOX_EMULATOR_H
#define KC_SANDBOX_EMULATOR_H

#include <stdbool.h>

#include "base/cleanup.h"
#include "base/error.h"

/* Debian's package with the emulators. */
#define KC_EMULATOR_PACKAGE "qemu-user-static"

struct kc_emulator {
	bool is_open;
	int fd;			/* of the copy, for reading and executing */
	char registration[256]; /* what binfmt_misc takes */
	char cpu[64]; /* "QEMU_CPU=MODEL", for the environment of what runs; "" for the emulator's own choice */
	char version[160]; /* "qemu-aarch64 version 7.2.22 (Debian ...)" */
};

#define KC_CLEANUP_EMULATOR KC_CLEANUP(kc_emulator_release)

/* Finds the emulator of programs for `machine` (as uname(2) says it) in PATH. `cpu` is a model that the emulator knows, or
 * NULL. -ENOENT: none is installed, the hint names the package; -ENOTSUP: `machine` is not known here. */
int kc_emulator_open(const char *machine, const char *cpu, struct kc_emulator *ret_emulator,
		     struct kc_error *err) __attribute__((warn_unused_result));
void kc_emulator_release(struct kc_emulator *emulator);

#endif
