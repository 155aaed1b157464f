#include "image/pull.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/json.h"
#include "image/oci.h"
#include "net/registry.h"
#include "sys/fd.h"
#include "sys/file.h"

#define MIRRORS "KRUNNER_COMPAT_MIRRORS"

/* What the steps share. */
struct pull {
	struct kc_store *store;
	const struct kc_image_request *request;
	struct kc_registry_reference reference;
	char text[KC_REGISTRY_REFERENCE_TEXT_SIZE]; /* the reference in full */
	const char *architecture;
	struct kc_registry *registry; /* NULL until it is needed */
	char mirror[KC_URL_SIZE];
	char record[PATH_MAX]; /* the file in STORE/images */
	char blobs[PATH_MAX];  /* the directory of downloads */
	struct kc_buffer manifest_text, config_text;
	struct kc_oci_manifest manifest;
	struct kc_oci_config config;
	bool is_fetched[KC_LAYERS_MOST]; /* the blob is among the downloads, and ours to remove */
};

static void cleanup_pull(struct pull *pull)
{
	kc_registry_close(&pull->registry);
	kc_buffer_release(&pull->manifest_text);
	kc_buffer_release(&pull->config_text);
}

/* --- Names --- */

static int name_record(struct pull *pull, struct kc_error *err)
{
	KC_CLEANUP_SHA256 struct kc_sha256 sha = { 0 };
	char key[KC_SHA256_HEX_SIZE];
	int status = kc_sha256_start(&sha, err), written;

	if (status < 0)
		return status;
	kc_sha256_update(&sha, pull->text, strlen(pull->text) + 1);
	kc_sha256_update(&sha, pull->architecture, strlen(pull->architecture));
	status = kc_sha256_finish(&sha, key, err);
	if (status < 0)
		return status;
	written = snprintf(pull->record, sizeof(pull->record), "%s/images/registry-%s.json",
			   pull->store->path, key);
	if (written < (int)sizeof(pull->record))
		written = snprintf(pull->blobs, sizeof(pull->blobs), "%s/downloads/blobs", pull->store->path);
	return written < (int)sizeof(pull->blobs)
		       ? 0
		       : kc_error_errno(err, ENAMETOOLONG, "store `%s`", pull->store->path);
}

static int name_blob(const struct pull *pull, const char *sha256, char ret_path[PATH_MAX],
		     struct kc_error *err)
{
	return snprintf(ret_path, PATH_MAX, "%s/%s", pull->blobs, sha256) < PATH_MAX
		       ? 0
		       : kc_error_errno(err, ENAMETOOLONG, "store `%s`", pull->store->path);
}

/* --- The registry --- */

/* What is asked instead of the reference's host; "": nothing. */
static int find_mirror(struct pull *pull, struct kc_error *err)
{
	const char *list = getenv(MIRRORS);
	size_t host = strlen(pull->reference.host);

	for (const char *entry = list ? list : ""; *entry;) {
		size_t length = strcspn(entry, " ");

		if (length > host && entry[host] == '=' && memcmp(entry, pull->reference.host, host) == 0) {
			if (length - host > sizeof(pull->mirror))
				return kc_error_set(err, EINVAL, MIRRORS ": a URL is too long");
			(void)snprintf(pull->mirror, sizeof(pull->mirror), "%.*s", (int)(length - host - 1),
				       entry + host + 1);
			return 0;
		}
		if (!memchr(entry, '=', length) && length)
			return kc_error_set(err, EINVAL, MIRRORS ": `%.*s` is not of the form HOST=URL",
					    (int)(length < 100 ? length : 100), entry);
		entry += length + strspn(entry + length, " ");
	}
	return 0;
}

static int open_registry(struct pull *pull, struct kc_error *err)
{
	struct kc_registry_options options = { .http = pull->request->http };
	int status;

	if (pull->registry)
		return 0;
	if (pull->request->is_offline) {
		status = kc_error_set(
			err, ENOENT,
			"image `%s`: not in the store, and nothing may be downloaded (--offline)",
			pull->text);
		kc_error_hint(err, "run it once without --offline");
		return status;
	}
	status = find_mirror(pull, err);
	options.mirror_url = *pull->mirror ? pull->mirror : NULL;
	return status < 0 ? status : kc_registry_open(&pull->reference, &options, &pull->registry, err);
}

static int choose_manifest(struct pull *pull, char ret_digest[KC_REGISTRY_DIGEST_SIZE], struct kc_error *err)
{
	struct kc_oci_blob chosen;
	int status = kc_oci_choose(kc_buffer_string(&pull->manifest_text), pull->manifest_text.length,
				   pull->text, pull->architecture, "", &chosen, err);

	if (status == 0)
		(void)snprintf(ret_digest, KC_REGISTRY_DIGEST_SIZE, "sha256:%s", chosen.sha256);
	return status;
}

/* From the tag or digest, through an index if there is one, to the manifest for the architecture. */
static int get_manifest(struct pull *pull, struct kc_error *err)
{
	char media_type[KC_REGISTRY_MEDIA_TYPE_SIZE], digest[KC_REGISTRY_DIGEST_SIZE],
		wanted[KC_REGISTRY_DIGEST_SIZE];
	enum kc_oci_kind kind = KC_OCI_INDEX;
	int status =
		kc_registry_get_manifest(pull->registry, NULL, &pull->manifest_text, media_type, digest, err);

	if (status == 0)
		status = kc_oci_kind(kc_buffer_string(&pull->manifest_text), pull->manifest_text.length,
				     pull->text, &kind, err);
	if (status == 0 && kind == KC_OCI_INDEX) {
		status = choose_manifest(pull, wanted, err);
		if (status == 0)
			status = kc_registry_get_manifest(pull->registry, wanted, &pull->manifest_text,
							  media_type, digest, err);
	}
	return status;
}

static int get_config(struct pull *pull, struct kc_error *err)
{
	char digest[KC_REGISTRY_DIGEST_SIZE], path[PATH_MAX];
	const struct kc_oci_blob *config = &pull->manifest.config;
	int status = name_blob(pull, config->sha256, path, err);

	(void)snprintf(digest, sizeof(digest), "sha256:%s", config->sha256);
	if (status == 0)
		status = kc_registry_get_blob(pull->registry, digest, config->size, path, err);
	if (status == 0)
		status = kc_file_read(AT_FDCWD, path, &pull->config_text, err);
	if (status == 0)
		(void)unlink(path); /* it is kept in the record */
	return status;
}

/* Both texts, read: the config is what the manifest names, and is for the architecture. */
static int read_documents(struct pull *pull, struct kc_error *err)
{
	int status = kc_oci_read_manifest(kc_buffer_string(&pull->manifest_text), pull->manifest_text.length,
					  pull->text, &pull->manifest, err);

	if (status == 0 && pull->config_text.length == 0)
		status = get_config(pull, err);
	if (status == 0)
		status = kc_oci_read_config(kc_buffer_string(&pull->config_text), pull->config_text.length,
					    pull->text, &pull->config, err);
	if (status == 0 && pull->config.layer_count != pull->manifest.layer_count)
		return kc_error_set(err, EBADMSG,
				    "image `%s`: %zu layers in its config, and %zu in its manifest",
				    pull->text, pull->config.layer_count, pull->manifest.layer_count);
	if (status == 0 && strcmp(pull->config.architecture, pull->architecture) != 0)
		return kc_error_set(err, ENOTSUP, "image `%s`: it is for linux/%s, not for linux/%s",
				    pull->text, pull->config.architecture, pull->architecture);
	return status;
}

/* --- The record --- */

static int write_record(const struct pull *pull, struct kc_error *err)
{
	KC_CLEANUP_JSON cJSON *record = cJSON_CreateObject();
	KC_CLEANUP_FREE char *text = NULL;
	char directory[PATH_MAX];
	int status;

	if (cJSON_AddStringToObject(record, "reference", pull->text) &&
	    cJSON_AddStringToObject(record, "architecture", pull->architecture) &&
	    cJSON_AddStringToObject(record, "manifest", pull->manifest_text.data) &&
	    cJSON_AddStringToObject(record, "config", pull->config_text.data))
		text = cJSON_Print(record);
	if (!text)
		return kc_error_errno(err, ENOMEM, "write `%s`", pull->record);
	(void)snprintf(directory, sizeof(directory), "%.*s", (int)(strrchr(pull->record, '/') - pull->record),
		       pull->record);
	status = kc_dir_make(directory, err);
	return status < 0 ? status
			  : kc_file_write_atomic(AT_FDCWD, pull->record, text, strlen(text), 0600, err);
}

static int take_text(const cJSON *record, const char *key, struct kc_buffer *text, struct kc_error *err)
{
	const char *value = NULL;
	int status = kc_json_get_string(record, key, "record", &value, err);

	if (status == 0 && kc_buffer_append_string(text, value) < 0)
		status = kc_error_errno(err, E2BIG, "read a record");
	return status;
}

/* Fails, without further ado, for a record that is not there or is damaged: then the registry is asked. */
static int read_record(struct pull *pull, struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(4 * KC_OCI_DOCUMENT_LIMIT);
	KC_CLEANUP_JSON cJSON *record = NULL;
	char digest[KC_SHA256_HEX_SIZE];
	int status = kc_file_read(AT_FDCWD, pull->record, &text, err);

	if (status == 0)
		status = kc_json_parse(kc_buffer_string(&text), text.length, pull->record, &record, err);
	if (status == 0)
		status = take_text(record, "manifest", &pull->manifest_text, err);
	if (status == 0)
		status = take_text(record, "config", &pull->config_text, err);
	if (status == 0)
		status = read_documents(pull, err);
	if (status == 0)
		status = kc_sha256_of(kc_buffer_string(&pull->config_text), pull->config_text.length, digest,
				      err);
	if (status == 0 && strcmp(digest, pull->manifest.config.sha256) != 0)
		status = kc_error_set(err, EBADMSG, "`%s`: the config is not the manifest's", pull->record);
	return status;
}

/* --- Layers --- */

static bool is_stored(const struct pull *pull, size_t index)
{
	char key[128];

	(void)snprintf(key, sizeof(key), "layer-%s", pull->config.diff_ids[index]);
	return kc_store_has(pull->store, key);
}

/* Those that the store has not got, side by side. */
static int fetch_missing(struct pull *pull, struct kc_error *err)
{
	struct kc_registry_blob blobs[KC_LAYERS_MOST];
	char(*digests)[KC_REGISTRY_DIGEST_SIZE] = calloc(KC_LAYERS_MOST, sizeof(*digests));
	char(*paths)[PATH_MAX] = calloc(KC_LAYERS_MOST, sizeof(*paths));
	size_t count = 0;
	int status = digests && paths ? 0 : kc_error_errno(err, ENOMEM, "download layers");

	for (size_t i = 0; status == 0 && i < pull->config.layer_count; i++) {
		const struct kc_oci_blob *layer = &pull->manifest.layers[i];

		if (is_stored(pull, i))
			continue;
		status = name_blob(pull, layer->sha256, paths[count], err);
		(void)snprintf(digests[count], sizeof(digests[count]), "sha256:%s", layer->sha256);
		blobs[count] = (struct kc_registry_blob){ .digest = digests[count],
							  .size = layer->size,
							  .path = paths[count] };
		pull->is_fetched[i] = true;
		count++;
	}
	if (status == 0 && count)
		status = open_registry(pull, err);
	if (status == 0 && count)
		status = kc_registry_get_blobs(pull->registry, blobs, count, err);
	free(digests);
	free(paths);
	return status;
}

/* Also asked for one that was thought to be in the store and turned out to be damaged. */
static int open_layer(void *context, size_t index, int *ret_fd, struct kc_error *err)
{
	struct pull *pull = context;
	const struct kc_oci_blob *layer = &pull->manifest.layers[index];
	char digest[KC_REGISTRY_DIGEST_SIZE], path[PATH_MAX];
	int status = name_blob(pull, layer->sha256, path, err);

	(void)snprintf(digest, sizeof(digest), "sha256:%s", layer->sha256);
	if (status == 0 && !pull->is_fetched[index]) {
		status = open_registry(pull, err);
		if (status == 0)
			status = kc_registry_get_blob(pull->registry, digest, layer->size, path, err);
		pull->is_fetched[index] = true;
	}
	if (status < 0)
		return status;
	*ret_fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return *ret_fd < 0 ? kc_error_errno(err, errno, "open `%s`", path) : 0;
}

static void remove_fetched(const struct pull *pull)
{
	char path[PATH_MAX];

	for (size_t i = 0; i < pull->config.layer_count; i++)
		if (pull->is_fetched[i] && name_blob(pull, pull->manifest.layers[i].sha256, path, NULL) == 0)
			(void)unlink(path); /* or it is left to `images prune` */
}

static int get_layers(struct pull *pull, struct kc_container *container, struct kc_error *err)
{
	int status = fetch_missing(pull, err);

	if (status == 0)
		status = kc_container_get_layers(pull->store, &pull->config, pull->manifest.layers,
						 open_layer, pull, &container->layers, err);
	/* What was not downloaded to its end is continued by the next call. */
	remove_fetched(pull);
	if (status < 0)
		return status;
	(void)snprintf(container->architecture, sizeof(container->architecture), "%s", pull->architecture);
	memcpy(container->digest, pull->manifest.config.sha256, sizeof(container->digest));
	return 0;
}

/* --- All of it --- */

static int pull_anew(struct pull *pull, struct kc_container *container, struct kc_error *err)
{
	int status;

	kc_buffer_clear(&pull->manifest_text);
	kc_buffer_clear(&pull->config_text);
	status = open_registry(pull, err);
	if (status == 0)
		kc_store_tell(pull->store, "pulling %s", pull->text);
	if (status == 0)
		status = get_manifest(pull, err);
	if (status == 0)
		status = read_documents(pull, err);
	if (status == 0)
		status = get_layers(pull, container, err);
	return status < 0 ? status : write_record(pull, err);
}

/* Two that pull would write to one partial file: they wait for each other. */
static int lock_downloads(const struct pull *pull, int *ret_fd, struct kc_error *err)
{
	char path[PATH_MAX + 8];
	int status = kc_dir_make(pull->blobs, err);

	if (status < 0)
		return status;
	(void)snprintf(path, sizeof(path), "%s/lock", pull->blobs);
	*ret_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	return *ret_fd < 0 ? kc_error_errno(err, errno, "create `%s`", path) : kc_fd_lock(*ret_fd, path, err);
}

int kc_pull(struct kc_store *store, const struct kc_image_request *request, const char *text,
	    const char *architecture, struct kc_container *ret_container, struct kc_error *err)
{
	KC_CLEANUP(cleanup_pull)
	struct pull pull = { .store = store,
			     .request = request,
			     .architecture = architecture,
			     .manifest_text = KC_BUFFER_INIT(KC_OCI_DOCUMENT_LIMIT + 1),
			     .config_text = KC_BUFFER_INIT(KC_OCI_DOCUMENT_LIMIT + 1) };
	KC_CLEANUP_FD int lock = -1;
	struct kc_error unrecorded;
	int status = kc_registry_reference_parse(text, &pull.reference, err);

	*ret_container = (struct kc_container){ .digest = "" };
	if (status < 0)
		return status;
	kc_registry_reference_print(&pull.reference, pull.text);
	status = name_record(&pull, err);
	if (status == 0)
		status = lock_downloads(&pull, &lock, err);
	if (status < 0)
		return status;
	kc_store_uses(store, "%s", pull.record + strlen(store->path) + 1);
	if (!request->renew && read_record(&pull, &unrecorded) == 0)
		return get_layers(&pull, ret_container, err);
	return pull_anew(&pull, ret_container, err);
}
