#include "archive/volume.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "archive/extract.h"
#include "archive/manifest.h"
#include "archive/names.h"
#include "sys/fd.h"
#include "sys/file.h"

#define MOST_LINKS 40 /* as the kernel, path_resolution(7) */

#define INPUTS "a krunner-env.*.tar.xz, a wheel that holds one, or an unpacked directory"

/* --- Which kind --- */

/* XZ Utils, "The .xz File Format" 2.1.1.1; APPNOTE.TXT 4.3.7 */
static const unsigned char XZ_MAGIC[] = { 0xfd, '7', 'z', 'X', 'Z', 0 };
static const unsigned char ZIP_MAGIC[] = { 'P', 'K', 3, 4 };

static int refuse_content(const char *path, const char *what, struct kc_error *err)
{
	(void)kc_error_set(err, EBADMSG, "volume `%s`: %s", path, what);
	kc_error_hint(err, "give " INPUTS);
	return -EBADMSG;
}

/* Readers know what is wrong, and seldom in which file: an error says so, once, and what would do instead. */
static int explain(const char *path, int status, struct kc_error *err)
{
	if (status != -EBADMSG || !err)
		return status;
	if (!strstr(err->text, path))
		(void)kc_error_prefix(err, "volume `%s`", path);
	if (!err->hint[0])
		kc_error_hint(err, "get the file again, or give " INPUTS);
	return status;
}

static int find_kind(int fd, const char *path, enum kc_volume_kind *ret_kind, struct kc_error *err)
{
	unsigned char magic[sizeof(XZ_MAGIC)] = { 0 };
	struct stat status;
	ssize_t got;

	if (fstat(fd, &status) < 0)
		return kc_error_errno(err, errno, "stat `%s`", path);
	if (S_ISDIR(status.st_mode)) {
		*ret_kind = KC_VOLUME_DIRECTORY;
		return 0;
	}
	if (!S_ISREG(status.st_mode))
		return refuse_content(path, "neither a file nor a directory", err);
	got = pread(fd, magic, sizeof(magic), 0);
	if (got < 0)
		return kc_error_errno(err, errno, "read `%s`", path);
	if (got == 0)
		return refuse_content(path, "the archive is empty (0 bytes)", err);
	if (memcmp(magic, XZ_MAGIC, sizeof(XZ_MAGIC)) == 0)
		*ret_kind = KC_VOLUME_ARCHIVE;
	else if (memcmp(magic, ZIP_MAGIC, sizeof(ZIP_MAGIC)) == 0)
		*ret_kind = KC_VOLUME_WHEEL;
	else
		return refuse_content(path, "not an archive (neither xz nor ZIP)", err);
	return 0;
}

static int open_path(const char *path, struct kc_error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd >= 0)
		return fd;
	(void)kc_error_errno(err, errno, "open volume `%s`", path);
	if (err && err->code == -ENOENT)
		kc_error_hint(err, "give " INPUTS);
	else if (err && err->code == -EACCES)
		kc_error_hint(err, "make it readable for user %u", (unsigned int)geteuid());
	return err ? err->code : -EIO;
}

/* --- What the tree says --- */

/* A path on its way through the links of the tree, as the container would see it. */
struct walk {
	char done[PATH_MAX]; /* absolute, without links; "" for the root */
	char rest[2 * PATH_MAX];
	unsigned int links;
};

/* The directory above, where ".." leads; that of the root is the root. */
static void go_up(struct walk *walk)
{
	char *slash = strrchr(walk->done, '/');

	if (slash)
		*slash = '\0';
}

/* Takes the next component of `rest` into ret_name. False at the end. */
static bool next_component(struct walk *walk, char ret_name[NAME_MAX + 1], int *ret_error)
{
	const char *name = walk->rest + strspn(walk->rest, "/");
	size_t length = strcspn(name, "/");

	*ret_error = length > NAME_MAX ? -ENAMETOOLONG : 0;
	if (!length || *ret_error)
		return false;
	memcpy(ret_name, name, length);
	ret_name[length] = '\0';
	memmove(walk->rest, name + length, strlen(name + length) + 1);
	return true;
}

/* Goes into `name`, or, if that is a link, puts its target in front of what is left to walk. */
static int step_into(struct walk *walk, int tree_fd, const char *name)
{
	char target[PATH_MAX], rest[2 * PATH_MAX];
	size_t used = strlen(walk->done);
	const char *below;
	ssize_t length;

	if (used + strlen(name) + 2 > sizeof(walk->done))
		return -ENAMETOOLONG;
	(void)snprintf(walk->done + used, sizeof(walk->done) - used, "/%s", name);
	below = kc_link_below(walk->done, KC_VOLUME_MOUNT_POINT);
	if (!below || !*below)
		return 0; /* on the way to the volume, or elsewhere: the end will tell */
	length = readlinkat(tree_fd, below, target, sizeof(target) - 1);
	if (length < 0)
		return errno == EINVAL || (errno == ENOENT && !walk->rest[0]) ? 0 : -errno;
	if (walk->links++ == MOST_LINKS)
		return -ELOOP;
	target[length] = '\0';
	if ((size_t)snprintf(rest, sizeof(rest), "%s%s", target, walk->rest) >= sizeof(rest))
		return -ENAMETOOLONG;
	memcpy(walk->rest, rest, strlen(rest) + 1);
	if (target[0] == '/')
		walk->done[0] = '\0';
	else
		go_up(walk);
	return 0;
}

static int walk_links(struct walk *walk, int tree_fd)
{
	char name[NAME_MAX + 1];
	int status = 0;

	while (status == 0 && next_component(walk, name, &status)) {
		if (strcmp(name, "..") == 0)
			go_up(walk);
		else if (strcmp(name, ".") != 0)
			status = step_into(walk, tree_fd, name);
	}
	return status;
}

static int explain_walk(int status, const char *path, struct kc_error *err)
{
	if (status == -EXDEV)
		return kc_error_set(err, EXDEV, "open `%s` of the volume: it leads out of the volume", path);
	return kc_error_errno(err, status, "open `%s` of the volume", path);
}

int kc_volume_resolve(const struct kc_volume *volume, const char *path, char ret_path[PATH_MAX],
		      struct kc_error *err)
{
	KC_CLEANUP_FD int tree_fd = kc_dir_open(AT_FDCWD, volume->tree, err);
	struct walk walk = { .links = 0 };
	const char *below = NULL;
	int status = 0;

	if (tree_fd < 0)
		return tree_fd;
	if ((size_t)snprintf(walk.rest, sizeof(walk.rest), KC_VOLUME_MOUNT_POINT "/%s", path) >= PATH_MAX)
		status = -ENAMETOOLONG;
	if (status == 0)
		status = walk_links(&walk, tree_fd);
	if (status == 0)
		below = kc_link_below(walk.done, KC_VOLUME_MOUNT_POINT);
	if (status < 0 || !below)
		return explain_walk(status < 0 ? status : -EXDEV, path, err);
	memcpy(ret_path, below, strlen(below) + 1);
	return 0;
}

int kc_volume_open_file(const struct kc_volume *volume, const char *path, int flags, struct kc_error *err)
{
	/* The links have been followed; whoever puts a new one there meanwhile gets nothing. */
	struct open_how how = { .flags = (unsigned int)flags | O_CLOEXEC | O_NONBLOCK,
				.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS };
	KC_CLEANUP_FD int tree_fd = -1;
	char resolved[PATH_MAX];
	int status = kc_volume_resolve(volume, path, resolved, err);
	long fd;

	if (status < 0)
		return status;
	tree_fd = kc_dir_open(AT_FDCWD, volume->tree, err);
	if (tree_fd < 0)
		return tree_fd;
	fd = syscall(SYS_openat2, tree_fd, *resolved ? resolved : ".", &how, sizeof(how));
	return fd < 0 ? explain_walk(-errno, path, err) : (int)fd;
}

static void find_arch(const struct kc_volume *volume, char ret_arch[KC_WHEEL_WORD_SIZE])
{
	static const struct {
		unsigned int machine;
		const char *arch;
	} machines[] = { { EM_X86_64, "x86_64" }, { EM_AARCH64, "aarch64" } };
	KC_CLEANUP_FD int fd = kc_volume_open_file(volume, "bin/python", O_RDONLY, NULL);
	Elf64_Ehdr header;
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) ||
	    pread(fd, &header, sizeof(header), 0) != (ssize_t)sizeof(header) ||
	    memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
		return;
	for (size_t i = 0; i < KC_ARRAY_LENGTH(machines); i++)
		if (header.e_machine == machines[i].machine)
			(void)snprintf(ret_arch, KC_WHEEL_WORD_SIZE, "%s", machines[i].arch);
}

/* Whether it is a good volume is for the checks; this tells a volume from something else. */
static int check_is_volume(int tree_fd, const char *path, struct kc_error *err)
{
	struct stat status;

	if (fstatat(tree_fd, "bin", &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(status.st_mode))
		return 0;
	return refuse_content(path, "not a krunner volume (no bin/ directory inside)", err);
}

/* The last component of `path`. */
static void set_name(struct kc_volume *volume, const char *path)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;

	memcpy(volume->name, base, strnlen(base, sizeof(volume->name) - 1));
}

/* --- Directories --- */

/* A directory is named as the archive it was unpacked from, without the ending. */
static void take_name(struct kc_volume *volume, const char *path)
{
	char archive[NAME_MAX + sizeof(".tar.xz")];

	set_name(volume, path);
	(void)snprintf(archive, sizeof(archive), "%s.tar.xz", volume->name);
	(void)kc_volume_name_parse(archive, volume->distro, volume->arch); /* "" says that it did not */
}

static int open_directory(int fd, struct kc_volume *volume, struct kc_error *err)
{
	int status = check_is_volume(fd, volume->path, err);

	if (status < 0)
		return status;
	if (!realpath(volume->path, volume->tree))
		return kc_error_errno(err, errno, "resolve `%s`", volume->path);
	take_name(volume, volume->tree);
	status = kc_manifest_of_tree(fd, &volume->manifest, err);
	if (status < 0)
		return kc_error_prefix(err, "volume `%s`", volume->path), status;
	return kc_sha256_of(kc_buffer_string(&volume->manifest), volume->manifest.length, volume->sha256,
			    err);
}

/* --- Archives --- */

struct unpacking {
	const struct kc_store *store;
	struct kc_volume *volume;
	int fd;
};

static int open_source(const struct unpacking *unpacking, struct kc_source *ret_source, struct kc_error *err)
{
	const struct kc_volume *volume = unpacking->volume;

	if (volume->kind == KC_VOLUME_WHEEL)
		return kc_wheel_open_member(unpacking->fd, volume->path, volume->wheel.volume_member,
					    ret_source, err);
	if (lseek(unpacking->fd, 0, SEEK_SET) < 0)
		return kc_error_errno(err, errno, "read `%s`", volume->path);
	return kc_source_open_fd(ret_source, unpacking->fd, volume->path, err);
}

static int hash_archive(const struct unpacking *unpacking, char ret_hex[KC_SHA256_HEX_SIZE],
			struct kc_error *err)
{
	KC_CLEANUP_SOURCE struct kc_source source = { 0 };
	int status = open_source(unpacking, &source, err);

	return status < 0 ? status : kc_source_drain(&source, ret_hex, err);
}

/* The builder of a store entry. The archive is hashed again on the way: what is stored under a digest is what
 * has it, even if the file changes under us. */
static int unpack(void *context, int tree_fd, struct kc_buffer *manifest, struct kc_buffer *info,
		  struct kc_error *err)
{
	const struct unpacking *unpacking = context;
	const struct kc_volume *volume = unpacking->volume;
	struct kc_extract_options options = KC_EXTRACT_OPTIONS_INIT;
	KC_CLEANUP_SOURCE struct kc_source source = { 0 };
	char digest[KC_SHA256_HEX_SIZE];
	int status = open_source(unpacking, &source, err);

	kc_store_tell(unpacking->store, "unpacking %s", volume->name);
	options.owner_uid = options.owner_gid = kc_store_owner_id();
	options.mount_point = KC_VOLUME_MOUNT_POINT;
	options.manifest = manifest;
	if (status == 0)
		status = kc_extract_tar_xz(&source, tree_fd, &options, err);
	if (status == 0)
		status = check_is_volume(tree_fd, volume->path, err);
	if (status == 0)
		status = kc_source_digest(&source, digest, err);
	if (status == 0 && strcmp(digest, volume->sha256) != 0)
		status =
			kc_error_set(err, EBADMSG, "volume `%s`: it changed while it was read", volume->path);
	if (status == 0)
		status = kc_manifest_seal(manifest, err);
	if (status == 0 && kc_buffer_printf(info, "{\"sha256\": \"%s\"}\n", digest) < 0)
		status = kc_error_errno(err, ENOMEM, "describe `%s`", volume->path);
	return status;
}

static int open_archive(struct kc_store *store, int fd, struct kc_volume *volume, struct kc_error *err)
{
	struct unpacking unpacking = { .store = store, .volume = volume, .fd = fd };
	int status = 0;

	if (volume->kind == KC_VOLUME_WHEEL)
		status = kc_wheel_read(fd, volume->path, &volume->wheel, err);
	if (status == 0)
		status = hash_archive(&unpacking, volume->sha256, err);
	if (status < 0)
		return status;
	set_name(volume, volume->wheel.volume_name[0] ? volume->wheel.volume_name : volume->path);
	(void)kc_volume_name_parse(volume->name, volume->distro, volume->arch); /* "" says that it did not */
	(void)snprintf(volume->key, sizeof(volume->key), "volume-%s", volume->sha256);
	status = kc_store_get(store, volume->key, unpack, &unpacking, volume->tree, NULL, err);
	return status == 0 ? kc_store_manifest(store, volume->key, &volume->manifest, err) : status;
}

static int open_tree(const struct kc_volume *volume, struct kc_error *err)
{
	return kc_dir_open(AT_FDCWD, volume->tree, err);
}

static int fill(struct kc_store *store, struct kc_volume *volume, struct kc_error *err)
{
	KC_CLEANUP_FD int fd = open_path(volume->path, err);
	int status;

	if (fd < 0)
		return fd;
	status = find_kind(fd, volume->path, &volume->kind, err);
	if (status == 0)
		status = volume->kind == KC_VOLUME_DIRECTORY ? open_directory(fd, volume, err)
							     : open_archive(store, fd, volume, err);
	if (status == 0 && !volume->arch[0])
		find_arch(volume, volume->arch);
	return status;
}

int kc_volume_open(struct kc_store *store, const char *path, struct kc_volume *ret_volume,
		   struct kc_error *err)
{
	KC_CLEANUP_FREE struct kc_volume *volume = calloc(1, sizeof(*volume));
	int status;

	if (!volume)
		return kc_error_errno(err, ENOMEM, "open volume `%s`", path);
	if (strlen(path) >= sizeof(volume->path))
		return kc_error_errno(err, ENAMETOOLONG, "open volume `%s`", path);
	kc_buffer_init(&volume->manifest, KC_MANIFEST_LIMIT_BYTES);
	memcpy(volume->path, path, strlen(path) + 1);
	status = explain(path, fill(store, volume, err), err);
	if (status < 0) {
		kc_volume_release(volume);
		return status;
	}
	*ret_volume = *volume;
	return 0;
}

int kc_volume_verify(const struct kc_volume *volume, struct kc_error *err)
{
	KC_CLEANUP_FD int tree = open_tree(volume, err);

	if (tree < 0)
		return tree;
	return kc_manifest_verify(tree, kc_buffer_string(&volume->manifest), volume->manifest.length, err);
}

void kc_volume_python_version(const struct kc_volume *volume, char ret_version[16])
{
	char path[PATH_MAX];
	const char *name;

	ret_version[0] = '\0';
	if (kc_volume_resolve(volume, "bin/python", path, NULL) < 0)
		return;
	name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	if (strncmp(name, "python", strlen("python")) == 0 && strchr(name, '.') &&
	    strspn(name + 6, "0123456789.") == strlen(name + 6))
		(void)snprintf(ret_version, 16, "%.15s", name + 6);
}

void kc_volume_release(struct kc_volume *volume)
{
	kc_buffer_release(&volume->manifest);
	*volume = (struct kc_volume){ 0 };
}
