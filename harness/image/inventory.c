#include "image/inventory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/digest.h"
#include "base/json.h"
#include "image/definition.h"
#include "image/image.h"
#include "image/oci.h"
#include "sys/fd.h"
#include "sys/file.h"

static const char *const architectures[] = { "x86_64", "aarch64" };

void kc_inventory_release(struct kc_inventory *inventory)
{
	for (size_t i = 0; i < inventory->count; i++)
		free(inventory->items[i]);
	free(inventory->items);
	*inventory = (struct kc_inventory){ .items = NULL };
}

static bool has(const struct kc_inventory *inventory, const char *item)
{
	for (size_t i = 0; i < inventory->count; i++)
		if (strcmp(inventory->items[i], item) == 0)
			return true;
	return false;
}

static void add(void *context, const char *item)
{
	struct kc_inventory *inventory = context;
	char **grown;

	if (has(inventory, item))
		return;
	grown = reallocarray(inventory->items, inventory->count + 1, sizeof(*grown));
	if (grown) {
		inventory->items = grown;
		grown[inventory->count] = strdup(item);
		if (grown[inventory->count]) {
			inventory->count++;
			return;
		}
	}
	inventory->is_out_of_memory = true;
}

int kc_inventory_of(struct kc_store *store, const char *image, const char *architecture,
		    struct kc_inventory *ret_inventory, struct kc_error *err)
{
	const struct kc_image_request request = { .image = image,
						  .architecture = architecture,
						  .is_offline = true };
	KC_CLEANUP_IMAGE struct kc_image opened = { .digest = "" };
	KC_CLEANUP_INVENTORY struct kc_inventory own = { .items = NULL };
	struct kc_inventory *inventory = ret_inventory ? ret_inventory : &own;
	int status;

	store->user = add;
	store->user_context = inventory;
	store->is_look_only = true;
	status = kc_image_open(store, &request, &opened, err);
	store->user = NULL;
	store->is_look_only = false;
	return inventory->is_out_of_memory ? kc_error_errno(err, ENOMEM, "list the store") : status;
}

/* --- Every image that there is --- */

/* Called for an image and architecture that may be in the store. */
typedef int visitor(void *context, const char *image, const char *architecture, struct kc_error *err);

static int visit_record(int images_fd, const char *file, visitor *visit, void *context, struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(4 * KC_OCI_DOCUMENT_LIMIT);
	KC_CLEANUP_JSON cJSON *record = NULL;
	const char *reference = NULL, *architecture = NULL;
	char image[1024];

	/* A damaged record is of no image: prune removes it. */
	if (kc_file_read(images_fd, file, &text, NULL) < 0 ||
	    kc_json_parse(kc_buffer_string(&text), text.length, file, &record, NULL) < 0 ||
	    kc_json_get_string(record, "reference", file, &reference, NULL) < 0 ||
	    kc_json_get_string(record, "architecture", file, &architecture, NULL) < 0)
		return 0;
	(void)snprintf(image, sizeof(image), "oci:%s", reference);
	return visit(context, image, architecture, err);
}

static int visit_records(const struct kc_store *store, visitor *visit, void *context, struct kc_error *err)
{
	int fd = openat(store->fd, "images", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	KC_CLEANUP_DIR DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	int status = 0;

	if (!directory)
		return 0; /* nothing was ever made */
	while (status == 0 && (entry = readdir(directory)))
		if (strncmp(entry->d_name, "registry-", strlen("registry-")) == 0)
			status = visit_record(fd, entry->d_name, visit, context, err);
	return status;
}

static int visit_all(const struct kc_store *store, visitor *visit, void *context, struct kc_error *err)
{
	char name[KC_IMAGE_NAME_SIZE];
	int status = 0;

	for (size_t i = 0; status == 0 && kc_definition_name(i, name); i++)
		for (size_t j = 0; status == 0 && j < KC_ARRAY_LENGTH(architectures); j++)
			status = visit(context, name, architectures[j], err);
	return status < 0 ? status : visit_records(store, visit, context, err);
}

/* --- Removing --- */

struct keeping {
	struct kc_store *store;
	const char *except; /* the image that goes; NULL: none */
	struct kc_inventory needed;
};

static int keep(void *context, const char *image, const char *architecture, struct kc_error *err)
{
	struct keeping *keeping = context;
	KC_CLEANUP_INVENTORY struct kc_inventory items = { .items = NULL };
	int status;

	if (keeping->except && strcmp(image, keeping->except) == 0)
		return 0;
	status = kc_inventory_of(keeping->store, image, architecture, &items, err);
	if (status == -ENOMEM)
		return status;
	for (size_t i = 0; status == 0 && i < items.count; i++)
		add(&keeping->needed, items.items[i]);
	return 0; /* of one that is not there, or not whole, nothing is needed */
}

static int remove_items(struct kc_store *store, const struct kc_inventory *items,
			const struct kc_inventory *needed, size_t *ret_count, struct kc_error *err)
{
	for (size_t i = 0; i < items->count; i++) {
		const char *item = items->items[i];
		int status;

		/* What was looked for and is not there is an item, too. */
		if (has(needed, item) || faccessat(store->fd, item, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		status = kc_store_remove(store, item, err);
		if (status < 0)
			return status;
		(*ret_count)++;
	}
	return 0;
}

int kc_inventory_remove(struct kc_store *store, const char *image, size_t *ret_count, struct kc_error *err)
{
	KC_CLEANUP_INVENTORY struct kc_inventory items = { .items = NULL };
	struct kc_image_reference reference;
	struct keeping keeping = { .store = store };
	bool is_there = false;
	int status = kc_image_reference_parse(image, &reference, err);

	*ret_count = 0;
	if (status < 0)
		return status;
	keeping.except = reference.kind == KC_IMAGE_DEFINED ? reference.place : image;
	for (size_t i = 0; i < KC_ARRAY_LENGTH(architectures); i++)
		is_there |= kc_inventory_of(store, image, architectures[i], &items, err) == 0;
	if (is_there)
		status = visit_all(store, keep, &keeping, err);
	else
		status = kc_error_set(err, ENOENT, "image %s is not in the store", reference.name);
	if (status == 0)
		status = remove_items(store, &items, &keeping.needed, ret_count, err);
	kc_inventory_release(&keeping.needed);
	return status;
}

/* What images leave in the store, by folder and beginning of the name. */
static const struct {
	const char *folder, *start;
} places[] = {
	{ "trees", "image-" },	{ "trees", "layer-" }, { "trees", "archive-" }, { "trees", "files-" },
	{ "trees", "rootfs-" }, { "images", "" },      { "packages", "" },	{ "downloads/blobs", "" },
};

/* Locks, and apt's own lists. */
static bool is_housekeeping(const char *name)
{
	return name[0] == '.' || strcmp(name, "lock") == 0 || strcmp(name, "apt") == 0;
}

static int list_place(const struct kc_store *store, const char *folder, const char *start,
		      struct kc_inventory *items, struct kc_error *err)
{
	int fd = openat(store->fd, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	KC_CLEANUP_DIR DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	char item[NAME_MAX + 32];

	while (directory && (entry = readdir(directory))) {
		if (is_housekeeping(entry->d_name) || strncmp(entry->d_name, start, strlen(start)) != 0)
			continue;
		(void)snprintf(item, sizeof(item), "%s/%s", folder, entry->d_name);
		add(items, item);
	}
	return items->is_out_of_memory ? kc_error_errno(err, ENOMEM, "list the store") : 0;
}

int kc_inventory_prune(struct kc_store *store, size_t *ret_count, struct kc_error *err)
{
	KC_CLEANUP_INVENTORY struct kc_inventory items = { .items = NULL };
	struct keeping keeping = { .store = store };
	int status = visit_all(store, keep, &keeping, err);

	*ret_count = 0;
	for (size_t i = 0; status == 0 && i < KC_ARRAY_LENGTH(places); i++)
		status = list_place(store, places[i].folder, places[i].start, &items, err);
	if (status == 0)
		status = remove_items(store, &items, &keeping.needed, ret_count, err);
	kc_inventory_release(&keeping.needed);
	return status;
}
