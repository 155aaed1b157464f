#include "image/image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/buffer.h"
#include "base/json.h"
#include "image/definition.h"
#include "image/libc.h"
#include "image/reference.h"
#include "image/rootfs.h"
#include "image/source.h"
#include "sys/file.h"

void kc_source_result_release(struct kc_source_result *result)
{
	kc_layers_release(&result->layers);
	cJSON_Delete(result->packages);
	*result = (struct kc_source_result){ .digest = "" };
}

bool kc_source_failure_is_final(int status)
{
	static const int final[] = { -EINTR, -ENOSPC, -EDQUOT, -EROFS, -EACCES, -ENOMEM, -EMFILE, -ENFILE };

	for (size_t i = 0; i < KC_ARRAY_LENGTH(final); i++)
		if (status == final[i])
			return true;
	return false;
}

/* --- What reports say --- */

int kc_image_describe(struct kc_image *image, const struct kc_image_facts *facts, struct kc_error *err)
{
	struct kc_image_libc libc = { 0 };
	int status = kc_image_libc_read(&image->layers, &libc, err);
	const struct {
		const char *key;
		const char *value;
		const char **place; /* NULL: for reports only */
	} rows[] = {
		{ "name", facts->name, &image->name },
		{ "what", facts->what, NULL },
		{ "fidelity", facts->fidelity, &image->fidelity },
		{ "architecture", libc.architecture, &image->architecture },
		{ "libc_family", libc.family, &image->libc_family },
		{ "libc_version", libc.version, &image->libc_version },
		{ "ca_bundle", kc_image_find_ca_bundle(&image->layers), &image->ca_bundle },
		{ "source", facts->source, NULL },
		{ "digest", image->digest, NULL },
	};

	if (status < 0)
		return status;
	image->info = cJSON_CreateObject();
	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		const cJSON *item = cJSON_AddStringToObject(image->info, rows[i].key, rows[i].value);

		if (!item)
			return kc_error_errno(err, ENOMEM, "describe the image");
		if (rows[i].place)
			*rows[i].place = item->valuestring;
	}
	if (strcmp(image->architecture, facts->architecture) == 0)
		return 0;
	status = kc_error_set(err, EXDEV, "it is for %s, and what was asked for is %s", image->architecture,
			      facts->architecture);
	kc_error_hint(err, "add `--arch %s`", image->architecture);
	return status;
}

/* --- Images of images/ --- */

/* What the steps of opening one share. */
struct opening {
	struct kc_source_request request; /* of the source or addition at hand */
	struct kc_image_request options;
	struct kc_definition definition;
	const char *architecture;
	struct kc_image *image;
	struct kc_source_result source;
	const struct kc_image_source *chosen;
	struct kc_error *err;
};

static void cleanup_opening(struct opening *opening)
{
	kc_source_result_release(&opening->source);
	kc_definition_release(&opening->definition);
}

static int open_source(struct opening *opening, const struct kc_image_source *source, unsigned int number,
		       struct kc_source_result *result, struct kc_error *err)
{
	static kc_source_opener *const openers[] = {
		[KC_SOURCE_DEBIAN_PACKAGES] = kc_source_open_packages,
		[KC_SOURCE_WHEEL_ARCHIVE] = kc_source_open_wheel_archive,
		[KC_SOURCE_WHEEL_FILES] = kc_source_open_wheel_files,
		[KC_SOURCE_REGISTRY] = kc_source_open_registry,
	};

	opening->request.source = source;
	opening->request.number = number;
	if (!kc_source_has_architecture(source, opening->architecture, &opening->request.architecture))
		return kc_error_set(err, ENOTSUP, "no %s for the architecture %s",
				    number ? "addition" : "source", opening->architecture);
	return openers[source->kind](&opening->request, result, err);
}

/* Whether no other source is to be tried. A registry that refuses says nothing about the others. */
static bool is_decisive(const struct kc_image_source *source, int status)
{
	return status == 0 || (kc_source_failure_is_final(status) &&
			       !(source->kind == KC_SOURCE_REGISTRY && status == -EACCES));
}

/* A source may be tried: it has the architecture, and is as real as it must be. */
static bool may_try(struct opening *opening, const struct kc_image_source *source, int *status)
{
	size_t index;

	if (!kc_source_has_architecture(source, opening->architecture, &index))
		return false;
	if (!opening->options.require_real || strcmp(source->fidelity, "real") == 0)
		return true;
	if (!opening->chosen) {
		*status = kc_error_set(opening->err, ENOTSUP, "only an emulated one can be had");
		kc_error_hint(opening->err,
			      "without --require-real it is taken, and reports say that it is emulated");
	}
	return false;
}

/* Tries one after the other. */
static int try_sources(struct opening *opening)
{
	const struct kc_definition *definition = &opening->definition;
	int status = kc_error_set(opening->err, ENOTSUP, "no source for the architecture %s",
				  opening->architecture);

	opening->chosen = NULL;
	for (size_t i = 0; i < definition->source_count; i++) {
		const struct kc_image_source *source = &definition->sources[i];

		if (!may_try(opening, source, &status))
			continue;
		if (opening->chosen && !opening->options.is_offline)
			kc_store_tell(opening->request.store, "%s: taking another source",
				      opening->err ? opening->err->text : definition->name);
		kc_source_result_release(&opening->source);
		opening->chosen = source;
		status = open_source(opening, source, 0, &opening->source, opening->err);
		if (is_decisive(source, status))
			return status;
	}
	return status;
}

/* Whether a source is in the store, by what is written down and without verifying it; opening->chosen says which. */
static int find_stored(struct opening *opening)
{
	struct kc_store *store = opening->request.store;
	bool is_look_only = store->is_look_only, is_offline = opening->options.is_offline;
	int status;

	store->is_look_only = true;
	opening->options.is_offline = true;
	status = try_sources(opening);
	store->is_look_only = is_look_only;
	opening->options.is_offline = is_offline;
	return status;
}

/* One that is in the store already, whichever it is: a run does not test on another system than the run before, not even if that
 * one turns out to be damaged. Then the first that can be had. */
static int choose_source(struct opening *opening)
{
	bool is_stored = !opening->options.renew && find_stored(opening) == 0;

	if (!is_stored)
		return try_sources(opening);
	if (opening->request.store->is_look_only)
		return 0;
	kc_source_result_release(&opening->source);
	return open_source(opening, opening->chosen, 0, &opening->source, opening->err);
}

/* Packages of Debian are complete: what a distribution lacks is among them. */
static bool needs_additions(const struct opening *opening)
{
	return opening->chosen->kind != KC_SOURCE_DEBIAN_PACKAGES;
}

static int move_layers(struct kc_layers *from, struct kc_layers *to, struct kc_error *err)
{
	int status = 0;

	for (size_t i = 0; status == 0 && i < from->count; i++)
		status = kc_layers_add(to, from->trees[i], err);
	return status;
}

/* Of one part of the image: its layers below those that are there, its digest to the others, its packages to the list. */
static int add_part(struct opening *opening, struct kc_source_result *part, struct kc_sha256 *sha,
		    cJSON *packages)
{
	cJSON *package;

	kc_sha256_update(sha, part->digest, strlen(part->digest));
	while (part->packages && (package = cJSON_DetachItemFromArray(part->packages, 0)))
		if (!cJSON_AddItemToArray(packages, package))
			return kc_error_errno(opening->err, ENOMEM, "describe the image");
	return move_layers(&part->layers, &opening->image->layers, opening->err);
}

static int add_additions(struct opening *opening, struct kc_sha256 *sha, cJSON *packages)
{
	const struct kc_definition *definition = &opening->definition;
	int status = 0;

	if (!needs_additions(opening))
		return 0;
	for (size_t i = definition->addition_count; status == 0 && i-- > 0;) {
		KC_CLEANUP_SOURCE_RESULT struct kc_source_result part = { .digest = "" };

		status = open_source(opening, &definition->additions[i], (unsigned int)i + 1, &part,
				     opening->err);
		if (status == 0)
			status = add_part(opening, &part, sha, packages);
	}
	return status;
}

/* The uppermost layers first; with nothing added the digest is the source's own. */
static int put_together(struct opening *opening, cJSON *packages)
{
	KC_CLEANUP_SHA256 struct kc_sha256 sha = { 0 };
	struct kc_image *image = opening->image;
	bool is_alone = !needs_additions(opening) || opening->definition.addition_count == 0;
	int status = kc_sha256_start(&sha, opening->err);

	if (status == 0)
		status = add_additions(opening, &sha, packages);
	if (status == 0)
		status = add_part(opening, &opening->source, &sha, packages);
	if (status == 0 && !is_alone)
		return kc_sha256_finish(&sha, image->digest, opening->err);
	memcpy(image->digest, opening->source.digest, sizeof(image->digest));
	return status;
}

/* Taken from the definition, which the image's digest covers: what is stored of an image need not have them. */
static int take_ceilings(const struct opening *opening)
{
	const struct kc_image_source *source = opening->chosen;
	struct kc_image *image = opening->image;
	cJSON *object = cJSON_AddObjectToObject(image->info, "ceilings");

	image->ceilings = calloc(source->ceiling_count + 1, sizeof(*image->ceilings));
	if (!object || !image->ceilings)
		return kc_error_errno(opening->err, ENOMEM, "describe the image");
	for (size_t i = 0; i < source->ceiling_count; i++) {
		const cJSON *item = cJSON_AddStringToObject(object, source->ceilings[i].prefix,
							    source->ceilings[i].version);

		if (!item)
			return kc_error_errno(opening->err, ENOMEM, "describe the image");
		image->ceilings[image->ceiling_count++] =
			(struct kc_elf_ceiling){ .prefix = item->string, .version = item->valuestring };
	}
	return 0;
}

/* A tag that was moved, an apt of another release: whatever it is called, it is not what the definition promises. */
static int check_libc(const struct opening *opening)
{
	const struct kc_definition *definition = &opening->definition;
	const struct kc_image *image = opening->image;
	int status;

	if (strcmp(image->libc_family, definition->libc_family) == 0 &&
	    strcmp(image->libc_version, definition->libc_version) == 0)
		return 0;
	status = kc_error_set(opening->err, EBADMSG, "its C library is %s %s, and should be %s %s",
			      image->libc_family, image->libc_version, definition->libc_family,
			      definition->libc_version);
	if (opening->chosen->kind == KC_SOURCE_DEBIAN_PACKAGES)
		kc_error_hint(opening->err,
			      "this machine's apt offers another release of Debian or Ubuntu than the "
			      "image is made of: use a machine, or a container, of that one");
	return status;
}

static int describe(struct opening *opening, cJSON **packages)
{
	const struct kc_image_facts facts = { .name = opening->definition.name,
					      .what = opening->definition.what,
					      .fidelity = opening->chosen->fidelity,
					      .source = opening->chosen->kind_name,
					      .architecture = opening->architecture };
	int status = kc_image_describe(opening->image, &facts, opening->err);

	if (status < 0)
		return status;
	if (!cJSON_AddItemToObject(opening->image->info, "packages", *packages))
		return kc_error_errno(opening->err, ENOMEM, "describe the image");
	*packages = NULL;
	status = check_libc(opening);
	return status < 0 ? status : take_ceilings(opening);
}

static int open_defined(struct opening *opening, const char *name)
{
	KC_CLEANUP_JSON cJSON *packages = cJSON_CreateArray();
	int status = kc_definition_load(name, &opening->definition, opening->err);

	if (status < 0)
		return status; /* an unknown name says so itself */
	status = packages ? choose_source(opening) : kc_error_errno(opening->err, ENOMEM, "open an image");
	if (status == 0)
		status = put_together(opening, packages);
	if (status == 0)
		status = describe(opening, &packages);
	return status < 0 ? kc_error_prefix(opening->err, "image %s", opening->definition.name) : 0;
}

static int open_any(struct kc_store *store, const struct kc_image_reference *reference,
		    const struct kc_image_request *request, const char *architecture, struct kc_image *image,
		    struct kc_error *err)
{
	KC_CLEANUP(cleanup_opening)
	struct opening opening = { .architecture = architecture, .image = image, .err = err };
	int status;

	if (reference->kind != KC_IMAGE_DEFINED) {
		status = kc_rootfs_open(store, reference, request, architecture, image, err);
		return status < 0 ? kc_error_prefix(err, "image %s", reference->name) : 0;
	}
	opening.options = *request;
	opening.request = (struct kc_source_request){ .store = store,
						      .options = &opening.options,
						      .definition = &opening.definition };
	return open_defined(&opening, reference->place);
}

int kc_image_open(struct kc_store *store, const struct kc_image_request *request, struct kc_image *ret_image,
		  struct kc_error *err)
{
	struct kc_image_reference reference;
	struct utsname machine;
	int status;

	*ret_image = (struct kc_image){ .digest = "" };
	if (uname(&machine) < 0)
		return kc_error_errno(err, errno, "ask for this machine's architecture");
	status = kc_image_reference_parse(request->image, &reference, err);
	if (status == 0)
		status = open_any(store, &reference, request,
				  request->architecture ? request->architecture : machine.machine, ret_image,
				  err);
	if (status < 0)
		kc_image_release(ret_image);
	return status;
}

void kc_image_release(struct kc_image *image)
{
	kc_layers_release(&image->layers);
	cJSON_Delete(image->info);
	free(image->ceilings);
	*image = (struct kc_image){ .digest = "" };
}
