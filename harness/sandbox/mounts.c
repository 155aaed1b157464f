/*
 * The mounts of a sandbox. Everything goes through descriptors and the mount API of Linux 5.2 (fsopen, move_mount) and 5.12
 * (mount_setattr); a place inside the image is only ever opened beneath its root and without following links, because the
 * image is not trusted: openat2(2), HOSTILE D1 to D4.
 */
#include "sandbox/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sys/fd.h"

struct parameter {
	const char *key;
	const char *value; /* NULL: a flag */
};

/* Devices a program may expect; char devices of the host's kernel, checked by number: null(4), random(4). */
static const struct {
	const char *name;
	unsigned int major_number, minor_number;
} devices[] = {
	{ "null", 1, 3 },   { "zero", 1, 5 },	 { "full", 1, 7 },
	{ "random", 1, 8 }, { "urandom", 1, 9 }, { "tty", 5, 0 },
};

static const struct {
	const char *name, *target;
} device_links[] = {
	{ "fd", "/proc/self/fd" },	 { "stdin", "/proc/self/fd/0" }, { "stdout", "/proc/self/fd/1" },
	{ "stderr", "/proc/self/fd/2" }, { "ptmx", "pts/ptmx" },
};

static int open_beneath(int root_fd, const char *path, uint64_t flags)
{
	struct open_how how = { .flags = flags | O_CLOEXEC,
				.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS };
	long fd = syscall(SYS_openat2, root_fd, path, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

/* Opens the directory `path` below `root_fd` and makes what is missing of it. A link on the way is refused (-ELOOP). */
static int open_mount_point(int root_fd, const char *path)
{
	KC_CLEANUP_FD int parent = dup(root_fd);
	char component[128];

	while (parent >= 0 && *path) {
		size_t length = strcspn(path, "/");
		int next;

		if (length >= sizeof(component))
			return -ENAMETOOLONG;
		memcpy(component, path, length);
		component[length] = '\0';
		path += length + (path[length] == '/');
		if (mkdirat(parent, component, 0755) < 0 && errno != EEXIST)
			return -errno;
		next = open_beneath(parent, component, O_PATH | O_DIRECTORY);
		if (next < 0)
			return next;
		kc_fd_close(&parent);
		parent = next;
	}
	return parent < 0 ? -errno : KC_STEAL_FD(parent);
}

/* A new mount of `type`, attached nowhere yet. */
static int new_mount(const char *type, const struct parameter *parameters, unsigned int attributes)
{
	KC_CLEANUP_FD int context = fsopen(type, FSOPEN_CLOEXEC);
	int mount_fd;

	if (context < 0)
		return -errno;
	for (; parameters && parameters->key; parameters++)
		if (fsconfig(context, parameters->value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG,
			     parameters->key, parameters->value, 0) < 0)
			return -errno;
	if (fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -errno;
	mount_fd = fsmount(context, FSMOUNT_CLOEXEC, attributes);
	return mount_fd < 0 ? -errno : mount_fd;
}

static int attach(int mount_fd, int place_fd)
{
	if (move_mount(mount_fd, "", place_fd, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return -errno;
	return 0;
}

static int mount_at(int root_fd, const char *path, const char *type, const struct parameter *parameters,
		    unsigned int attributes)
{
	KC_CLEANUP_FD int place = open_mount_point(root_fd, path);
	KC_CLEANUP_FD int mount_fd = -1;

	if (place < 0)
		return place;
	mount_fd = new_mount(type, parameters, attributes);
	return mount_fd < 0 ? mount_fd : attach(mount_fd, place);
}

static int bind_at(int source_fd, int place_fd, uint64_t attributes)
{
	struct mount_attr change = { .attr_set = attributes };
	KC_CLEANUP_FD int copy =
		open_tree(source_fd, "", AT_EMPTY_PATH | AT_RECURSIVE | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (copy < 0)
		return -errno;
	if (attributes && mount_setattr(copy, "", AT_EMPTY_PATH | AT_RECURSIVE, &change, sizeof(change)) < 0)
		return -errno;
	return attach(copy, place_fd);
}

/* A tmpfs over the host's /tmp, seen by nobody else, where the overlay is put together. */
static int stage(const struct kc_sandbox_setup *setup)
{
	KC_CLEANUP_FD int place = -1, mount_fd = -1;
	char size[32];
	const struct parameter parameters[] = { { "size", size }, { "mode", "0755" }, { NULL, NULL } };

	(void)snprintf(size, sizeof(size), "%llu", (unsigned long long)setup->upper_bytes);
	place = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (place < 0)
		return -errno;
	mount_fd = new_mount("tmpfs", parameters, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
	if (mount_fd < 0)
		return mount_fd;
	for (const char *name = "upper\0work\0root\0"; *name; name += strlen(name) + 1)
		if (mkdirat(mount_fd, name, 0755) < 0)
			return -errno;
	if (attach(mount_fd, place) < 0 || fchdir(mount_fd) < 0)
		return -errno;
	return 0;
}

/* Binds each layer below the stage, and writes what overlayfs calls them together: "0:1:2". The names are our own and relative:
 * nothing of the caller's paths has to be escaped (HOSTILE D17). */
static int bind_layers(const struct kc_sandbox_setup *setup, const int layer_fds[], char names[256])
{
	size_t used = 0;

	for (size_t i = 0; i < setup->layer_count || i == 0; i++) {
		KC_CLEANUP_FD int place = -1;
		char name[24];
		int status;

		(void)snprintf(name, sizeof(name), "%zu", i);
		used += (size_t)snprintf(names + used, 256 - used, "%s%s", i ? ":" : "", name);
		if (mkdir(name, 0755) < 0)
			return -errno;
		place = open(name, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (place < 0)
			return -errno;
		if (i == setup->layer_count)
			return 0; /* none: an empty one */
		status = bind_at(layer_fds[i], place,
				 MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
		if (status < 0)
			return status;
	}
	return 0;
}

static int overlay(const struct kc_sandbox_setup *setup, const int layer_fds[], int *ret_root_fd)
{
	char names[256];
	const struct parameter parameters[] = { { "lowerdir", names },
						{ "upperdir", "upper" },
						{ "workdir", "work" },
						{ "userxattr", NULL },
						{ NULL, NULL } };
	KC_CLEANUP_FD int place = open("root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	KC_CLEANUP_FD int mount_fd = -1;
	int status;

	if (place < 0)
		return -errno;
	status = bind_layers(setup, layer_fds, names);
	if (status < 0)
		return status;
	mount_fd = new_mount("overlay", parameters, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
	if (mount_fd < 0)
		return mount_fd;
	status = attach(mount_fd, place);
	if (status < 0)
		return status;
	*ret_root_fd = open("root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return *ret_root_fd < 0 ? -errno : 0;
}

/* Binds one device of the host after making sure that it is that device (HOSTILE D2). */
static int bind_device(int dev_fd, size_t index)
{
	KC_CLEANUP_FD int host_dev = open("/dev", O_PATH | O_DIRECTORY | O_CLOEXEC);
	KC_CLEANUP_FD int source = -1, place = -1;
	struct stat status;

	if (host_dev < 0)
		return -errno;
	source = openat(host_dev, devices[index].name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (source < 0 || fstat(source, &status) < 0)
		return -errno;
	if (!S_ISCHR(status.st_mode) ||
	    status.st_rdev != makedev(devices[index].major_number, devices[index].minor_number))
		return -ENODEV;
	place = openat(dev_fd, devices[index].name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC,
		       0666);
	return place < 0 ? -errno : bind_at(source, place, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
}

static int make_dev(int root_fd, char object[160])
{
	static const struct parameter dev[] = { { "size", "65536" }, { "mode", "0755" }, { NULL, NULL } };
	static const struct parameter shm[] = { { "size", "67108864" }, { "mode", "1777" }, { NULL, NULL } };
	KC_CLEANUP_FD int dev_fd = -1;
	int status = mount_at(root_fd, "dev", "tmpfs", dev, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);

	if (status < 0)
		return status;
	dev_fd = open_beneath(root_fd, "dev", O_RDONLY | O_DIRECTORY);
	if (dev_fd < 0)
		return dev_fd;
	for (size_t i = 0; i < KC_ARRAY_LENGTH(devices); i++) {
		status = bind_device(dev_fd, i);
		if (status < 0) {
			(void)snprintf(object, 160, "/dev/%s", devices[i].name);
			return status;
		}
	}
	for (size_t i = 0; i < KC_ARRAY_LENGTH(device_links); i++)
		if (symlinkat(device_links[i].target, dev_fd, device_links[i].name) < 0)
			return -errno;
	return mount_at(dev_fd, "shm", "tmpfs", shm,
			MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
}

static int pivot(int root_fd)
{
	/* pivot_root(".", "."): the old root ends up below the new one and is detached with all that it holds. */
	if (fchdir(root_fd) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 ||
	    chdir("/") < 0)
		return -errno;
	return 0;
}

static int mount_step(const struct kc_sandbox_setup *setup, enum kc_sandbox_step step, const int layer_fds[],
		      int volume_fd, int *root_fd, char object[160])
{
	static const struct parameter pts[] = {
		{ "newinstance", NULL }, { "ptmxmode", "0666" }, { "mode", "0620" }, { NULL, NULL }
	};
	char size[32];
	const struct parameter temporary[] = { { "size", size }, { "mode", "1777" }, { NULL, NULL } };
	const unsigned int inert = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
	KC_CLEANUP_FD int place = -1;

	/* Unlimited it would take half of the host's memory where there is no memory cgroup, tmpfs(5), and where there is
	 * one a full /tmp would look like a program that uses too much memory. */
	(void)snprintf(size, sizeof(size), "%llu", (unsigned long long)setup->upper_bytes);
	switch (step) {
	case KC_STEP_PROPAGATION:
		return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ? -errno : 0;
	case KC_STEP_STAGE:
		return stage(setup);
	case KC_STEP_OVERLAY:
		return overlay(setup, layer_fds, root_fd);
	case KC_STEP_PROC:
		return mount_at(*root_fd, "proc", "proc", NULL, inert);
	case KC_STEP_DEV:
		return make_dev(*root_fd, object);
	case KC_STEP_DEVPTS:
		return mount_at(*root_fd, "dev/pts", "devpts", pts, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
	case KC_STEP_TMP:
		return mount_at(*root_fd, "tmp", "tmpfs", temporary, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
	case KC_STEP_VOLUME:
		if (volume_fd < 0)
			return 0;
		place = open_mount_point(*root_fd, setup->volume_mount_point + 1);
		if (place < 0)
			return place;
		return bind_at(volume_fd, place, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
	default: /* KC_STEP_PIVOT_ROOT, the last of ours */
		return pivot(*root_fd);
	}
}

static const char *const step_objects[KC_STEP_COUNT] = {
	[KC_STEP_PROPAGATION] = "/",	  [KC_STEP_STAGE] = "tmpfs on /tmp",
	[KC_STEP_OVERLAY] = "overlay",	  [KC_STEP_PROC] = "/proc",
	[KC_STEP_DEV] = "/dev",		  [KC_STEP_DEVPTS] = "/dev/pts",
	[KC_STEP_TMP] = "/tmp",		  [KC_STEP_VOLUME] = "the volume",
	[KC_STEP_PIVOT_ROOT] = "overlay",
};

int kc_sandbox_mount_all(const struct kc_sandbox_setup *setup, const int layer_fds[], int volume_fd,
			 void (*done)(const struct kc_sandbox_setup *setup, enum kc_sandbox_step step),
			 enum kc_sandbox_step *ret_step, char object[160])
{
	KC_CLEANUP_FD int root_fd = -1;

	for (enum kc_sandbox_step step = KC_STEP_PROPAGATION; step <= KC_STEP_PIVOT_ROOT; step++) {
		int status;

		(void)snprintf(object, 160, "%s", step_objects[step]);
		status = mount_step(setup, step, layer_fds, volume_fd, &root_fd, object);
		if (status < 0) {
			*ret_step = step;
			return status;
		}
		done(setup, step);
	}
	return 0;
}
