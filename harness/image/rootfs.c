#include "image/rootfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/manifest.h"
#include "image/container.h"
#include "image/pull.h"
#include "image/unpack.h"
#include "sys/fd.h"
#include "sys/file.h"

static int open_tar(struct kc_store *store, const struct kc_image_reference *reference,
		    const struct kc_image_request *request, const char *architecture, struct kc_image *image,
		    struct kc_error *err)
{
	char tree[PATH_MAX];
	int status = kc_unpack_file(store, reference->place, "rootfs", true, tree, image->digest, err);

	if (status == -EINVAL)
		kc_error_hint(err, "for an unpacked root filesystem say dir:%s", reference->place);
	return status < 0 ? status : kc_layers_add(&image->layers, tree, err);
}

static int open_directory(struct kc_store *store, const struct kc_image_reference *reference,
			  const struct kc_image_request *request, const char *architecture,
			  struct kc_image *image, struct kc_error *err)
{
	const char *path = reference->place;
	KC_CLEANUP_BUFFER struct kc_buffer manifest = KC_BUFFER_INIT(KC_MANIFEST_LIMIT_BYTES);
	KC_CLEANUP_FD int fd = -1;
	char tree[PATH_MAX];
	int status;

	if (!realpath(path, tree))
		return kc_error_errno(err, errno, "open `%s`", path);
	fd = kc_dir_open(AT_FDCWD, tree, err);
	if (fd < 0) {
		if (fd == -ENOTDIR)
			kc_error_hint(err, "for a tar of a root filesystem say tar:%s", path);
		return fd;
	}
	status = kc_layers_add(&image->layers, tree, err);
	if (status == 0)
		status = kc_manifest_of_tree(fd, &manifest, err);
	return status < 0 ? status
			  : kc_sha256_of(kc_buffer_string(&manifest), manifest.length, image->digest, err);
}

static int take_container(struct kc_container *container, int status, struct kc_image *image)
{
	image->layers = container->layers; /* theirs to release, whatever the status */
	memcpy(image->digest, container->digest, sizeof(image->digest));
	return status;
}

static int open_docker_archive(struct kc_store *store, const struct kc_image_reference *reference,
			       const struct kc_image_request *request, const char *architecture,
			       struct kc_image *image, struct kc_error *err)
{
	struct kc_container container = { .digest = "" };
	char tree[PATH_MAX], digest[KC_SHA256_HEX_SIZE];
	int status = kc_unpack_file(store, reference->place, "archive", false, tree, digest, err);

	if (status == 0)
		status = kc_container_open_saved(store, tree, reference->wanted, &container, err);
	return take_container(&container, status, image);
}

/* A tar of a layout is unpacked first. */
static int open_oci_layout(struct kc_store *store, const struct kc_image_reference *reference,
			   const struct kc_image_request *request, const char *architecture,
			   struct kc_image *image, struct kc_error *err)
{
	struct kc_container container = { .digest = "" };
	char tree[PATH_MAX], digest[KC_SHA256_HEX_SIZE];
	struct stat status_of;
	bool is_file = stat(reference->place, &status_of) == 0 && S_ISREG(status_of.st_mode);
	int status =
		is_file ? kc_unpack_file(store, reference->place, "archive", false, tree, digest, err) : 0;

	if (status == 0)
		status = kc_container_open_layout(store, is_file ? tree : reference->place, architecture,
						  reference->wanted, &container, err);
	return take_container(&container, status, image);
}

static int open_registry(struct kc_store *store, const struct kc_image_reference *reference,
			 const struct kc_image_request *request, const char *architecture,
			 struct kc_image *image, struct kc_error *err)
{
	struct kc_container container;
	int status = kc_pull(store, request, reference->place, architecture, &container, err);

	return take_container(&container, status, image);
}

typedef int opener(struct kc_store *store, const struct kc_image_reference *reference,
		   const struct kc_image_request *request, const char *architecture, struct kc_image *image,
		   struct kc_error *err);

static opener *const openers[] = {
	[KC_IMAGE_TAR] = open_tar,
	[KC_IMAGE_DIRECTORY] = open_directory,
	[KC_IMAGE_DOCKER_ARCHIVE] = open_docker_archive,
	[KC_IMAGE_OCI_LAYOUT] = open_oci_layout,
	[KC_IMAGE_REGISTRY] = open_registry,
};

int kc_rootfs_open(struct kc_store *store, const struct kc_image_reference *reference,
		   const struct kc_image_request *request, const char *architecture, struct kc_image *image,
		   struct kc_error *err)
{
	const struct kc_image_facts facts = { .name = reference->name,
					      .what = reference->place,
					      .fidelity = "real",
					      .source = reference->scheme,
					      .architecture = architecture };
	int status = openers[reference->kind](store, reference, request, architecture, image, err);

	return status < 0 ? status : kc_image_describe(image, &facts, err);
}
