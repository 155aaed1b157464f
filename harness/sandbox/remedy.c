/* What a refused step most likely means on this machine, and what to do about it. Facts: user_namespaces(7),
 * namespaces(7), the kernel's sysctl documentation, and the error reports gathered in HOSTILE section 3. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sandbox/internal.h"
#include "sys/file.h"

enum condition {
	ALWAYS,
	APPARMOR_RESTRICTS,
	NO_USER_NAMESPACES,
	CLONE_SWITCHED_OFF,
	IN_CHROOT,
	IN_CONTAINER,
	SECCOMP_CONFINED,
	NO_OVERLAY
};

/* The number in a small file of /proc, or -1 where there is none. */
static long read_number(const char *path)
{
	struct kc_buffer text = KC_BUFFER_INIT(64);
	long number = -1;

	if (kc_file_read(AT_FDCWD, path, &text, NULL) == 0)
		number = strtol(kc_buffer_string(&text), NULL, 10);
	kc_buffer_release(&text);
	return number;
}

static bool file_contains(const char *path, const char *part)
{
	struct kc_buffer text = KC_BUFFER_INIT(1 << 20);
	bool found = kc_file_read(AT_FDCWD, path, &text, NULL) == 0 &&
		     strstr(kc_buffer_string(&text), part) != NULL;

	kc_buffer_release(&text);
	return found;
}

/* Another root directory than the machine's first process. Only root may see that one's; for others this says no. */
static bool has_other_root(void)
{
	struct stat ours, first;

	return stat("/", &ours) == 0 && stat("/proc/1/root/", &first) == 0 &&
	       (ours.st_dev != first.st_dev || ours.st_ino != first.st_ino);
}

static bool holds(enum condition condition)
{
	switch (condition) {
	case APPARMOR_RESTRICTS:
		return geteuid() != 0 &&
		       read_number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == 1;
	case NO_USER_NAMESPACES:
		return read_number("/proc/sys/user/max_user_namespaces") == 0;
	case CLONE_SWITCHED_OFF:
		return geteuid() != 0 && read_number("/proc/sys/kernel/unprivileged_userns_clone") == 0;
	case IN_CHROOT:
		return has_other_root();
	case IN_CONTAINER:
		return access("/.dockerenv", F_OK) == 0 || access("/run/.containerenv", F_OK) == 0;
	case SECCOMP_CONFINED:
		return file_contains("/proc/self/status", "Seccomp:\t2");
	case NO_OVERLAY:
		return !file_contains("/proc/filesystems", "overlay");
	case ALWAYS:
		break;
	}
	return true;
}

/* The first row that matches is the answer: particular causes stand before general ones. A first and last step that are
 * both 0 mean any step; errno 0 means any. */
static const struct {
	enum kc_sandbox_step first, last;
	int errno_value;
	enum condition condition;
	const char *cause, *remedy;
} rows[] = {
	{ KC_STEP_NAMESPACES, KC_STEP_NAMESPACES, 0, NO_USER_NAMESPACES, "user namespaces are switched off",
	  "as root: sysctl user.max_user_namespaces=15000" },
	{ KC_STEP_NAMESPACES, KC_STEP_NAMESPACES, ENOSPC, ALWAYS, "a limit on namespaces is reached",
	  "as root: raise the sysctls user.max_*_namespaces" },
	{ KC_STEP_NAMESPACES, KC_STEP_NAMESPACES, EPERM, CLONE_SWITCHED_OFF,
	  "this distribution keeps user namespaces from users",
	  "as root: sysctl kernel.unprivileged_userns_clone=1, or run krunner-compat as root" },
	{ KC_STEP_NAMESPACES, KC_STEP_NAMESPACES, EPERM, IN_CHROOT,
	  "a process in a chroot may not create user namespaces",
	  "run outside the chroot, or start it with systemd-nspawn, which changes the root for good" },
	{ KC_STEP_NAMESPACES, KC_STEP_LOOPBACK, 0, APPARMOR_RESTRICTS,
	  "AppArmor takes every capability from user namespaces of users",
	  "load an AppArmor profile that gives this program `userns,`, or run it as root, or, for this boot: "
	  "sysctl kernel.apparmor_restrict_unprivileged_userns=0" },
	{ KC_STEP_PROC, KC_STEP_PROC, EPERM, ALWAYS,
	  "parts of this machine's /proc are masked, as containers do",
	  "run outside the container, or with docker --security-opt systempaths=unconfined, podman "
	  "--security-opt "
	  "unmask=ALL" },
	{ KC_STEP_NAMESPACES, KC_STEP_PIVOT_ROOT, EPERM, IN_CONTAINER,
	  "we are in a container that forbids namespaces and mounts",
	  "run it with docker --security-opt seccomp=unconfined --security-opt apparmor=unconfined --cap-add "
	  "SYS_ADMIN, "
	  "or outside the container" },
	{ KC_STEP_NAMESPACES, KC_STEP_PIVOT_ROOT, EPERM, SECCOMP_CONFINED,
	  "a seccomp filter around this process forbids it", "start it without that filter" },
	{ KC_STEP_OVERLAY, KC_STEP_OVERLAY, ENODEV, NO_OVERLAY, "the kernel has no overlay file system",
	  "as root: modprobe overlay" },
	{ KC_STEP_OVERLAY, KC_STEP_OVERLAY, EPERM, ALWAYS,
	  "the kernel is too old for overlays in user namespaces (Linux 5.11)", "use Linux 5.12 or newer" },
	{ KC_STEP_OVERLAY, KC_STEP_OVERLAY, EINVAL, ALWAYS,
	  "the image lies on an overlay itself, or something is mounted inside it",
	  "point XDG_CACHE_HOME at a directory of another file system (a volume, a tmpfs)" },
	{ KC_STEP_EMULATOR, KC_STEP_EMULATOR, EPERM, ALWAYS,
	  "the kernel has no binfmt_misc for user namespaces", "use Linux 6.7 or newer" },
	{ KC_STEP_EMULATOR, KC_STEP_EMULATOR, ENODEV, ALWAYS, "the kernel's binfmt_misc is not loaded",
	  "as root: modprobe binfmt_misc" },
	{ KC_STEP_PROPAGATION, KC_STEP_VOLUME, ENOSYS, ALWAYS, "the kernel lacks the mount API",
	  "use Linux 5.12 or newer" },
	{ KC_STEP_PROC, KC_STEP_VOLUME, ELOOP, ALWAYS,
	  "the image has a symbolic link where a directory must be", "the image is unsafe: rebuild it" },
	{ KC_STEP_PROC, KC_STEP_VOLUME, ENOTDIR, ALWAYS, "the image has a file where a directory must be",
	  "the image is unsafe: rebuild it" },
	{ KC_STEP_NAMESPACES, KC_STEP_COUNT, ENOMEM, ALWAYS, "the machine is out of memory",
	  "free some, or lower --jobs" },
};

void kc_sandbox_explain(enum kc_sandbox_step step, int errno_value, struct kc_error *err)
{
	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		if (step < rows[i].first || step > rows[i].last)
			continue;
		if ((rows[i].errno_value && rows[i].errno_value != errno_value) || !holds(rows[i].condition))
			continue;
		kc_error_hint(err, "%s; %s", rows[i].cause, rows[i].remedy);
		return;
	}
	kc_error_hint(err, "`krunner-compat doctor` walks the same steps");
}
