#include "image/oci.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/json.h"

/* What Go calls an architecture, and so all of these documents, and what uname(2) does. */
static const struct {
	const char *go, *machine;
} architectures[] = {
	{ "amd64", "x86_64" },
	{ "arm64", "aarch64" },
};

static const char *machine_of(const char *go)
{
	for (size_t i = 0; i < KC_ARRAY_LENGTH(architectures); i++)
		if (strcmp(architectures[i].go, go) == 0)
			return architectures[i].machine;
	return go;
}

int kc_oci_digest(const char *text, char ret_sha256[KC_SHA256_HEX_SIZE], struct kc_error *err)
{
	static const char algorithm[] = "sha256:";
	const char *digits = text + sizeof(algorithm) - 1;

	if (strncmp(text, algorithm, sizeof(algorithm) - 1) != 0 || !kc_sha256_is_valid(digits))
		return kc_error_set(err, EINVAL, "`%.100s` is no digest of the form sha256:HEX", text);
	memcpy(ret_sha256, digits, KC_SHA256_HEX_SIZE);
	return 0;
}

static int parse(const char *text, size_t length, const char *name, cJSON **ret_document,
		 struct kc_error *err)
{
	int status = kc_json_parse(text, length, name, ret_document, err);

	if (status == 0 && !cJSON_IsObject(*ret_document) && !cJSON_IsArray(*ret_document))
		status = kc_error_set(err, EBADMSG, "`%s`: neither an object nor an array", name);
	return status;
}

static bool is_size(double size, int64_t limit)
{
	return size >= 0 && size <= (double)limit && size == (double)(int64_t)size;
}

/* A descriptor, of at most `limit` bytes. Where layers would have to be fetched from elsewhere, nobody promises that they will be
 * there: such "foreign" layers of Windows images are refused by their urls. */
static int read_blob(const cJSON *descriptor, const char *where, int64_t limit, struct kc_oci_blob *ret_blob,
		     struct kc_error *err)
{
	const char *digest = NULL;
	double size = 0;
	int status = cJSON_IsObject(descriptor)
			     ? kc_json_get_string(descriptor, "digest", where, &digest, err)
			     : kc_error_set(err, EBADMSG, "%s: a descriptor must be an object", where);

	if (status == 0 && kc_oci_digest(digest, ret_blob->sha256, err) < 0)
		status = kc_error_set(err, EBADMSG, "%s: `%.100s` is no digest of the form sha256:HEX", where,
				      digest);
	if (status == 0)
		status = kc_json_get_number(descriptor, "size", where, &size, err);
	if (status == 0 && !is_size(size, limit))
		status = kc_error_set(err, EBADMSG, "%s: a size of %g bytes", where, size);
	if (status == 0 && cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(descriptor, "urls")) > 0)
		status = kc_error_set(err, EBADMSG, "%s: what lies elsewhere (\"urls\") is refused", where);
	ret_blob->size = (int64_t)size;
	return status;
}

/* The list that makes the document what it is: a manifest has layers, an index has manifests. */
static int kind_of(const cJSON *document, const char *name, enum kc_oci_kind *ret_kind, struct kc_error *err)
{
	bool has_manifests = cJSON_GetObjectItemCaseSensitive(document, "manifests") != NULL;
	bool has_layers = cJSON_GetObjectItemCaseSensitive(document, "layers") != NULL ||
			  cJSON_GetObjectItemCaseSensitive(document, "config") != NULL;
	const cJSON *version = cJSON_GetObjectItemCaseSensitive(document, "schemaVersion");

	if (!cJSON_IsNumber(version) || version->valuedouble != 2)
		return kc_error_set(
			err, EBADMSG, "`%s`: \"schemaVersion\" must be 2%s", name,
			cJSON_IsNumber(version) && version->valuedouble == 1
				? "; this is a manifest of Docker before 2017, which nobody signs any more"
				: "");
	if (has_manifests == has_layers)
		return kc_error_set(err, EBADMSG, "`%s`: %s", name,
				    has_layers ? "it claims to be an index and a manifest at once"
					       : "neither an index nor a manifest");
	*ret_kind = has_layers ? KC_OCI_MANIFEST : KC_OCI_INDEX;
	return 0;
}

int kc_oci_kind(const char *text, size_t length, const char *name, enum kc_oci_kind *ret_kind,
		struct kc_error *err)
{
	KC_CLEANUP_JSON cJSON *document = NULL;
	int status = parse(text, length, name, &document, err);

	return status < 0 ? status : kind_of(document, name, ret_kind, err);
}

static int parse_as(enum kc_oci_kind kind, const char *text, size_t length, const char *name,
		    cJSON **ret_document, struct kc_error *err)
{
	enum kc_oci_kind found;
	int status = parse(text, length, name, ret_document, err);

	if (status == 0)
		status = kind_of(*ret_document, name, &found, err);
	if (status == 0 && found != kind)
		status = kc_error_set(err, EBADMSG, "`%s`: expected %s", name,
				      kind == KC_OCI_INDEX ? "an index" : "a manifest");
	return status;
}

/* --- The index --- */

static const char *text_in(const cJSON *object, const char *key)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);

	return cJSON_IsString(item) ? item->valuestring : "";
}

/* An entry without a platform is of no certain one: its config will tell. */
static bool is_for(const cJSON *entry, const char *architecture)
{
	const cJSON *platform = cJSON_GetObjectItemCaseSensitive(entry, "platform");

	if (!platform)
		return true;
	return strcmp(text_in(platform, "os"), "linux") == 0 &&
	       strcmp(machine_of(text_in(platform, "architecture")), architecture) == 0;
}

static const char *ref_name(const cJSON *entry)
{
	return text_in(cJSON_GetObjectItemCaseSensitive(entry, "annotations"),
		       "org.opencontainers.image.ref.name");
}

static int none_fits(const cJSON *manifests, const char *name, const char *architecture, const char *wanted,
		     struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer there = KC_BUFFER_INIT(1024);
	const cJSON *entry;
	int status;

	cJSON_ArrayForEach(entry, manifests)
	{
		const cJSON *platform = cJSON_GetObjectItemCaseSensitive(entry, "platform");

		if (kc_buffer_printf(&there, "%s%.60s%s%.30s/%.30s", there.length ? ", " : "",
				     ref_name(entry), *ref_name(entry) ? " " : "", text_in(platform, "os"),
				     machine_of(text_in(platform, "architecture"))) < 0)
			break; /* a hint may be incomplete */
	}
	status = kc_error_set(err, ENOTSUP, "`%s`: no image%s%.60s for linux/%s", name, *wanted ? " " : "",
			      wanted, architecture);
	kc_error_hint(err, "it has: %s", there.length ? kc_buffer_string(&there) : "none");
	return status;
}

/* Attestations are manifests for the platform unknown/unknown, and so never chosen. Several fit where variants differ
 * (arm64/v8 and others): the first, as other tools take it; but names that differ are different images. */
int kc_oci_choose(const char *text, size_t length, const char *name, const char *architecture,
		  const char *wanted, struct kc_oci_blob *ret_manifest, struct kc_error *err)
{
	KC_CLEANUP_JSON cJSON *document = NULL;
	const cJSON *manifests = NULL, *entry, *chosen = NULL;
	int status = parse_as(KC_OCI_INDEX, text, length, name, &document, err);

	if (status == 0)
		status = kc_json_get_array(document, "manifests", name, &manifests, err);
	if (status < 0)
		return status;
	cJSON_ArrayForEach(entry, manifests)
	{
		if (!is_for(entry, architecture) || (*wanted && strcmp(ref_name(entry), wanted) != 0))
			continue;
		if (!chosen)
			chosen = entry;
		else if (strcmp(ref_name(chosen), ref_name(entry)) != 0)
			return kc_error_set(err, EINVAL, "`%s`: it holds `%.60s` and `%.60s`: say which",
					    name, ref_name(chosen), ref_name(entry));
	}
	if (!chosen)
		return none_fits(manifests, name, architecture, wanted, err);
	return read_blob(chosen, name, KC_OCI_DOCUMENT_LIMIT, ret_manifest, err);
}

/* --- Manifest and config --- */

int kc_oci_read_manifest(const char *text, size_t length, const char *name,
			 struct kc_oci_manifest *ret_manifest, struct kc_error *err)
{
	KC_CLEANUP_JSON cJSON *document = NULL;
	const cJSON *layers = NULL, *layer;
	int status = parse_as(KC_OCI_MANIFEST, text, length, name, &document, err);

	*ret_manifest = (struct kc_oci_manifest){ .layer_count = 0 };
	if (status == 0)
		status = read_blob(cJSON_GetObjectItemCaseSensitive(document, "config"), name,
				   KC_OCI_DOCUMENT_LIMIT, &ret_manifest->config, err);
	if (status == 0)
		status = kc_json_get_array(document, "layers", name, &layers, err);
	if (status < 0)
		return status;
	cJSON_ArrayForEach(layer, layers)
	{
		if (ret_manifest->layer_count == KC_LAYERS_MOST)
			return kc_error_set(err, EBADMSG, "`%s`: more than %d layers", name, KC_LAYERS_MOST);
		status = read_blob(layer, name, KC_OCI_LAYER_LIMIT,
				   &ret_manifest->layers[ret_manifest->layer_count++], err);
		if (status < 0)
			return status;
	}
	return ret_manifest->layer_count ? 0 : kc_error_set(err, EBADMSG, "`%s`: no layers", name);
}

static int read_diff_ids(const cJSON *ids, const char *name, struct kc_oci_config *config,
			 struct kc_error *err)
{
	const cJSON *id;

	cJSON_ArrayForEach(id, ids)
	{
		if (config->layer_count == KC_LAYERS_MOST)
			return kc_error_set(err, EBADMSG, "`%s`: more than %d layers", name, KC_LAYERS_MOST);
		if (!cJSON_IsString(id) ||
		    kc_oci_digest(id->valuestring, config->diff_ids[config->layer_count], err) < 0)
			return kc_error_set(err, EBADMSG, "`%s`: \"diff_ids\" must be of the form sha256:HEX",
					    name);
		config->layer_count++;
	}
	return config->layer_count ? 0 : kc_error_set(err, EBADMSG, "`%s`: no layers", name);
}

int kc_oci_read_config(const char *text, size_t length, const char *name, struct kc_oci_config *ret_config,
		       struct kc_error *err)
{
	KC_CLEANUP_JSON cJSON *document = NULL;
	const cJSON *rootfs = NULL, *ids = NULL;
	const char *os = NULL, *architecture = NULL;
	int status = parse(text, length, name, &document, err);

	*ret_config = (struct kc_oci_config){ .layer_count = 0 };
	if (status == 0)
		status = kc_json_get_string(document, "os", name, &os, err);
	if (status == 0 && strcmp(os, "linux") != 0)
		status = kc_error_set(err, EBADMSG, "`%s`: an image for %.30s, not for linux", name, os);
	if (status == 0)
		status = kc_json_get_string(document, "architecture", name, &architecture, err);
	if (status == 0)
		status = kc_json_get_object(document, "rootfs", name, &rootfs, err);
	if (status == 0)
		status = kc_json_get_array(rootfs, "diff_ids", name, &ids, err);
	if (status < 0)
		return status;
	(void)snprintf(ret_config->architecture, sizeof(ret_config->architecture), "%s",
		       machine_of(architecture));
	return read_diff_ids(ids, name, ret_config, err);
}

/* --- docker save --- */

static bool has_tag(const cJSON *image, const char *wanted)
{
	const cJSON *tag;

	cJSON_ArrayForEach(tag, cJSON_GetObjectItemCaseSensitive(image, "RepoTags"))
	{
		if (cJSON_IsString(tag) && strcmp(tag->valuestring, wanted) == 0)
			return true;
	}
	return false;
}

static int copy_file(const cJSON *item, const char *name, char ret_file[KC_OCI_FILE_SIZE],
		     struct kc_error *err)
{
	if (!cJSON_IsString(item) || !*item->valuestring || strlen(item->valuestring) >= KC_OCI_FILE_SIZE)
		return kc_error_set(err, EBADMSG, "`%s`: a file's name must be a text of 1 to %d bytes", name,
				    KC_OCI_FILE_SIZE - 1);
	memcpy(ret_file, item->valuestring, strlen(item->valuestring) + 1);
	return 0;
}

static int read_saved_image(const cJSON *image, const char *name, struct kc_oci_saved *ret_saved,
			    struct kc_error *err)
{
	const cJSON *layers = NULL, *layer;
	int status =
		copy_file(cJSON_GetObjectItemCaseSensitive(image, "Config"), name, ret_saved->config, err);

	if (status == 0)
		status = kc_json_get_array(image, "Layers", name, &layers, err);
	if (status < 0)
		return status;
	cJSON_ArrayForEach(layer, layers)
	{
		if (ret_saved->layer_count == KC_LAYERS_MOST)
			return kc_error_set(err, EBADMSG, "`%s`: more than %d layers", name, KC_LAYERS_MOST);
		status = copy_file(layer, name, ret_saved->layers[ret_saved->layer_count++], err);
		if (status < 0)
			return status;
	}
	return ret_saved->layer_count ? 0 : kc_error_set(err, EBADMSG, "`%s`: no layers", name);
}

int kc_oci_read_saved(const char *text, size_t length, const char *name, const char *wanted,
		      struct kc_oci_saved *ret_saved, struct kc_error *err)
{
	KC_CLEANUP_JSON cJSON *document = NULL;
	const cJSON *image, *chosen = NULL;
	int status = parse(text, length, name, &document, err);

	*ret_saved = (struct kc_oci_saved){ .layer_count = 0 };
	if (status < 0)
		return status;
	if (!cJSON_IsArray(document))
		return kc_error_set(err, EBADMSG, "`%s`: must be an array", name);
	cJSON_ArrayForEach(image, document)
	{
		if (*wanted && !has_tag(image, wanted))
			continue;
		if (chosen)
			return kc_error_set(err, EINVAL, "`%s`: it holds several images: say which", name);
		chosen = image;
	}
	if (!chosen)
		return kc_error_set(err, ENOTSUP, "`%s`: no image %.100s", name, *wanted ? wanted : "inside");
	return read_saved_image(chosen, name, ret_saved, err);
}
