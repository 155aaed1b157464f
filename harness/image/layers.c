#include "image/layers.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "archive/layer.h"
#include "sys/fd.h"

enum { MOST_LINKS = 40 }; /* path_resolution(7) */

int kc_layers_add(struct kc_layers *layers, const char *tree, struct kc_error *err)
{
	if (layers->count == KC_LAYERS_MOST)
		return kc_error_set(err, E2BIG, "it has more than %d layers", KC_LAYERS_MOST);
	layers->trees[layers->count] = strdup(tree);
	if (!layers->trees[layers->count])
		return kc_error_errno(err, ENOMEM, "note a layer");
	layers->count++;
	return 0;
}

void kc_layers_release(struct kc_layers *layers)
{
	for (size_t i = 0; i < layers->count; i++)
		free(layers->trees[i]);
	*layers = (struct kc_layers){ 0 };
}

/* What one layer has at a place, a link itself and not what it leads to, openat2(2). */
static int open_in(int tree_fd, const char *place)
{
	struct open_how how = { .flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
				.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS };
	int fd = (int)syscall(SYS_openat2, tree_fd, place, &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

static bool is_opaque(int tree_fd, const char *place)
{
	KC_CLEANUP_FD int fd = openat(tree_fd, place, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd >= 0 && kc_layer_is_opaque(fd);
}

/* Whether the directories on the way to `place` in this layer hide what lower ones have there. */
static bool hides_below(int tree_fd, const char *place)
{
	char prefix[PATH_MAX];

	if (is_opaque(tree_fd, "."))
		return true;
	for (const char *slash = strchr(place, '/'); slash; slash = strchr(slash + 1, '/')) {
		struct stat status;

		(void)snprintf(prefix, sizeof(prefix), "%.*s", (int)(slash - place), place);
		if (fstatat(tree_fd, prefix, &status, AT_SYMLINK_NOFOLLOW) < 0)
			return false; /* no such directory in this layer: it says nothing about what is below */
		if (!S_ISDIR(status.st_mode) || is_opaque(tree_fd, prefix))
			return true;
	}
	return false;
}

/* What the layers together have at `place`, a relative path whose directories are none of them links in that view. */
static int look_up(const struct kc_layers *layers, const char *place, struct stat *ret_status)
{
	for (size_t i = 0; i < layers->count; i++) {
		KC_CLEANUP_FD int tree = open(layers->trees[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
		KC_CLEANUP_FD int fd = tree < 0 ? -errno : open_in(tree, place);

		if (fd >= 0) {
			if (fstat(fd, ret_status) < 0)
				return -errno;
			return kc_layer_is_whiteout(ret_status) ? -ENOENT : KC_STEAL_FD(fd);
		}
		/* A link or file on the way, where an upper layer has a directory: it hides this one's. */
		if (fd != -ENOENT && fd != -ENOTDIR && fd != -ELOOP)
			return fd;
		if (hides_below(tree, place))
			return -ENOENT;
	}
	return -ENOENT;
}

/* A walk through the merged view: `place` has been walked and holds no link, `rest` is still to be. */
struct walk {
	char place[PATH_MAX], rest[PATH_MAX];
	unsigned int links;
};

static void go_up(struct walk *walk)
{
	char *slash = strrchr(walk->place, '/');

	*(slash ? slash : walk->place) = '\0';
}

/* Replaces the link that was found as the last component of `place` by what it says. */
static int follow(struct walk *walk, int link_fd)
{
	char target[PATH_MAX], rest[PATH_MAX];
	ssize_t length = readlinkat(link_fd, "", target, sizeof(target) - 1);
	int written;

	if (length < 0)
		return -errno;
	if (++walk->links > MOST_LINKS)
		return -ELOOP;
	target[length] = '\0';
	go_up(walk);
	if (target[0] == '/')
		walk->place[0] = '\0';
	written = snprintf(rest, sizeof(rest), "%s%s", target, walk->rest); /* "", or from a slash on */
	if (written >= (int)sizeof(rest))
		return -ENAMETOOLONG;
	memcpy(walk->rest, rest, (size_t)written + 1);
	return 0;
}

/* Takes the first component off `rest` and onto `place`; *ret_moved is false if it led up or nowhere. */
static int step(struct walk *walk, bool *ret_moved)
{
	size_t slashes = strspn(walk->rest, "/"), length = strcspn(walk->rest + slashes, "/");
	const char *component = walk->rest + slashes;
	size_t used = strlen(walk->place);
	bool is_dot = length == 1 && component[0] == '.';
	bool is_up = length == 2 && component[0] == '.' && component[1] == '.';

	*ret_moved = length > 0 && !is_dot && !is_up;
	if (is_up)
		go_up(walk);
	if (*ret_moved) {
		if (used + length + 2 > sizeof(walk->place))
			return -ENAMETOOLONG;
		if (used)
			walk->place[used++] = '/';
		memcpy(walk->place + used, component, length);
		walk->place[used + length] = '\0';
	}
	memmove(walk->rest, component + length, strlen(component + length) + 1);
	return 0;
}

/* Goes on from what was found; only a directory may have a slash behind it. */
static int pass(struct walk *walk, int found, mode_t mode)
{
	if (S_ISLNK(mode))
		return follow(walk, found);
	return S_ISDIR(mode) || !*walk->rest ? 0 : -ENOENT;
}

/* Goes to the end of `rest`. The O_PATH descriptor of what is there; a path that names nothing leads to -EINVAL. */
static int walk_on(const struct kc_layers *layers, struct walk *walk, struct stat *ret_status)
{
	KC_CLEANUP_FD int found = -EINVAL;

	while (walk->rest[strspn(walk->rest, "/")]) {
		bool moved;
		int status = step(walk, &moved);

		if (status < 0)
			return status;
		if (!moved)
			continue;
		kc_fd_close(&found);
		found = look_up(layers, walk->place, ret_status);
		if (found < 0)
			return found;
		status = pass(walk, found, ret_status->st_mode);
		if (status < 0)
			return status;
	}
	return found < 0 ? -EINVAL : KC_STEAL_FD(found);
}

int kc_layers_open(const struct kc_layers *layers, const char *path, struct stat *ret_status)
{
	struct walk walk = { .place = "" };
	KC_CLEANUP_FD int found = -1;
	char name[64];
	int fd;

	if (snprintf(walk.rest, sizeof(walk.rest), "%s", path) >= (int)sizeof(walk.rest))
		return -ENAMETOOLONG;
	found = walk_on(layers, &walk, ret_status);
	if (found < 0)
		return found;
	if (!S_ISREG(ret_status->st_mode))
		return -EINVAL;
	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", found);
	fd = open(name, O_RDONLY | O_NOCTTY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

bool kc_layers_have_file(const struct kc_layers *layers, const char *path)
{
	struct stat status;
	KC_CLEANUP_FD int fd = kc_layers_open(layers, path, &status);

	return fd >= 0 && status.st_size > 0;
}
