#include "image/assemble.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "archive/extract.h"
#include "archive/tree_writer.h"
#include "base/buffer.h"
#include "image/clamp_tree.h"
#include "sys/fd.h"
#include "sys/file.h"

enum { BUNDLE_LIMIT = 4 << 20, TEXT_LIMIT = 64 << 10 };

/* The rest of `name` below `directory` ("" for itself), or NULL. */
static const char *below(const char *name, const char *directory)
{
	size_t length = strlen(directory);

	if (strncmp(name, directory, length) != 0 || (name[length] != '/' && name[length] != '\0'))
		return NULL;
	return name + length;
}

static bool place_entry(void *context, const char *name, char *ret_name, size_t ret_name_size)
{
	const struct kc_image_source *source = context;

	for (size_t i = 0; i < source->drop_count; i++)
		if (fnmatch(source->drop[i], name, 0) == 0)
			return false;
	for (size_t i = 0; i < source->move_count; i++) {
		const char *rest = below(name, source->move[i].path);

		if (!rest)
			continue;
		/* A name that does not fit is cut, and the writer meets one that is there or is too long. */
		(void)snprintf(ret_name, ret_name_size, "%s%s", source->move[i].value, rest);
		break;
	}
	return true;
}

static int unpack_all(const struct kc_assembly *assembly, int tree_fd,
		      const struct kc_extract_options *options, struct kc_error *err)
{
	int status = 0;

	for (size_t i = 0; status == 0 && i < assembly->packages->count; i++)
		status = kc_debian_unpack(assembly->directory, &assembly->packages->rows[i], tree_fd, options,
					  err);
	return status;
}

static int put_file(struct kc_tree_writer *writer, const char *path, const struct kc_buffer *content,
		    struct kc_error *err)
{
	struct kc_tree_file file = { .fd = -1 };
	int status = kc_tree_file_create(writer, path, &file, err);

	if (status == 0 && content->length > 0)
		status = kc_tree_file_append(&file, content->data, content->length, err);
	if (status == 0)
		status = kc_tree_file_close(writer, &file, 0644, 0, err);
	kc_tree_file_release(&file);
	return status;
}

static int put_text(struct kc_tree_writer *writer, const struct kc_definition_file *file,
		    struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(TEXT_LIMIT);
	const cJSON *line;

	cJSON_ArrayForEach(line, file->lines)
	{
		int status = kc_buffer_printf(&text, "%s\n", line->valuestring);

		if (status < 0)
			return kc_error_errno(err, status, "write `%s`", file->path);
	}
	return put_file(writer, file->path, &text, err);
}

/* Not through a link, wherever it may point. */
static int open_inside(int tree_fd, const char *path, int flags)
{
	struct open_how how = { .flags = (unsigned int)flags | O_CLOEXEC,
				.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS };
	long fd = syscall(SYS_openat2, tree_fd, path, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

/* The writer knows the modes of archives only, which lack the sticky bit of /tmp. */
static int put_directory(struct kc_tree_writer *writer, const struct kc_definition_directory *directory,
			 struct kc_error *err)
{
	KC_CLEANUP_FD int fd = -1;
	int status = kc_tree_put_directory(writer, directory->path, directory->mode, err);

	if (status < 0)
		return status;
	fd = open_inside(writer->root_fd, directory->path, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return kc_error_errno(err, fd, "open `%s`", directory->path);
	if (fchmod(fd, directory->mode) < 0)
		return kc_error_errno(err, errno, "change the mode of `%s`", directory->path);
	return 0;
}

static int is_certificate(const struct dirent *entry)
{
	return fnmatch("*.crt", entry->d_name, FNM_PERIOD) == 0;
}

/* What ca-certificates' own script does when it is installed. */
static int join_certificates(int tree_fd, const char *path, struct kc_buffer *bundle, struct kc_error *err)
{
	KC_CLEANUP_FD int fd = open_inside(tree_fd, path, O_RDONLY | O_DIRECTORY);
	struct dirent **entries = NULL;
	int count = fd < 0 ? -1 : scandirat(fd, ".", &entries, is_certificate, alphasort);
	int status = 0;

	if (count <= 0)
		status = kc_error_set(err, ENOENT, "read `%s`: no certificates there", path);
	for (int i = 0; i < count; i++) {
		if (status == 0)
			status = kc_file_read(fd, entries[i]->d_name, bundle, err);
		if (status == 0 && bundle->length > 0 && bundle->data[bundle->length - 1] != '\n')
			status = kc_buffer_append(bundle, "\n", 1) < 0
					 ? kc_error_errno(err, E2BIG, "join certificates")
					 : 0;
		free(entries[i]);
	}
	free(entries);
	return status;
}

static int put_bundle(const struct kc_assembly *assembly, struct kc_tree_writer *writer, struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer bundle = KC_BUFFER_INIT(BUNDLE_LIMIT);
	int status = join_certificates(writer->root_fd, assembly->source->certificates, &bundle, err);

	/* The path is absolute in the image. */
	return status < 0 ? status : put_file(writer, assembly->definition->ca_bundle + 1, &bundle, err);
}

static int complete(const struct kc_assembly *assembly, struct kc_tree_writer *writer, struct kc_error *err)
{
	const struct kc_image_source *source = assembly->source;
	int status = source->certificates ? put_bundle(assembly, writer, err) : 0;

	for (size_t i = 0; status == 0 && i < source->directory_count; i++)
		status = put_directory(writer, &source->directories[i], err);
	for (size_t i = 0; status == 0 && i < source->file_count; i++)
		status = put_text(writer, &source->files[i], err);
	for (size_t i = 0; status == 0 && i < source->link_count; i++)
		status = kc_tree_put_symlink(writer, source->links[i].path, source->links[i].value, err);
	return status;
}

int kc_assemble(const struct kc_assembly *assembly, int tree_fd, struct kc_elf_clamp_stats *ret_stats,
		struct kc_error *err)
{
	struct kc_extract_options options = KC_EXTRACT_OPTIONS_INIT;
	struct kc_elf_ceilings ceilings = { assembly->source->ceilings, assembly->source->ceiling_count };
	struct kc_elf_clamp_stats stats = { 0 };
	struct kc_tree_writer writer;
	int status;

	options.owner_uid = assembly->owner_id;
	options.owner_gid = assembly->owner_id;
	options.merge = true;
	options.foreign_links = true;
	options.filter = place_entry;
	options.filter_context = (void *)(uintptr_t)assembly->source;
	kc_tree_writer_init(&writer, tree_fd, &options);
	status = unpack_all(assembly, tree_fd, &options, err);
	if (status == 0)
		status = complete(assembly, &writer, err);
	if (status == 0)
		status = kc_clamp_tree(tree_fd, &ceilings, &stats, err);
	kc_tree_writer_release(&writer);
	if (status == 0)
		*ret_stats = stats;
	return status;
}
