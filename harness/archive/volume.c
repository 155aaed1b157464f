#include "archive/volume.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/extract.h"
#include "archive/manifest.h"
#include "archive/names.h"
#include "sys/fd.h"
#include "sys/file.h"

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

/* Follows the links of bin/python within bin/ by hand: the tree is hostile, and absolute links in it are
 * meant for the container. */
static int open_interpreter(int bin_fd)
{
	char name[NAME_MAX + 1] = "python";

	for (int hops = 0; hops < 8; hops++) {
		char target[PATH_MAX];
		ssize_t length = readlinkat(bin_fd, name, target, sizeof(target) - 1);
		const char *next = target;

		if (length < 0)
			return openat(bin_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		target[length] = '\0';
		if (target[0] == '/')
			next = kc_link_below(target, KC_VOLUME_MOUNT_POINT "/bin");
		if (!next || !*next || strchr(next, '/') || strlen(next) >= sizeof(name))
			return -1;
		memcpy(name, next, strlen(next) + 1);
	}
	return -1;
}

/* Leaves *ret_arch alone if there is nothing to learn: that the interpreter is there and right is for the
 * checks to say. */
static void find_arch(int tree_fd, char ret_arch[KC_WHEEL_WORD_SIZE])
{
	static const struct {
		unsigned int machine;
		const char *arch;
	} machines[] = { { EM_X86_64, "x86_64" }, { EM_AARCH64, "aarch64" } };
	KC_CLEANUP_FD int bin = openat(tree_fd, "bin", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	KC_CLEANUP_FD int fd = bin < 0 ? -1 : open_interpreter(bin);
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
		return kc_wheel_open_volume(unpacking->fd, volume->path, &volume->wheel, ret_source, err);
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
	KC_CLEANUP_FD int tree = -1;
	int status;

	if (fd < 0)
		return fd;
	status = find_kind(fd, volume->path, &volume->kind, err);
	if (status == 0)
		status = volume->kind == KC_VOLUME_DIRECTORY ? open_directory(fd, volume, err)
							     : open_archive(store, fd, volume, err);
	if (status < 0 || volume->arch[0])
		return status;
	tree = open_tree(volume, err);
	if (tree >= 0)
		find_arch(tree, volume->arch);
	return tree < 0 ? tree : 0;
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

void kc_volume_release(struct kc_volume *volume)
{
	kc_buffer_release(&volume->manifest);
	*volume = (struct kc_volume){ 0 };
}
