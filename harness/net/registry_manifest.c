#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/digest.h"
#include "base/json.h"
#include "net/registry_internal.h"

/* What is asked for. An index goes before what it lists: the caller chooses the architecture. */
static const struct {
	const char *media_type;
	bool is_index;
} kinds[] = {
	{ KC_REGISTRY_OCI_INDEX, true },
	{ KC_REGISTRY_DOCKER_LIST, true },
	{ KC_REGISTRY_OCI_MANIFEST, false },
	{ KC_REGISTRY_DOCKER_MANIFEST, false },
};

static const char accept[] = KC_REGISTRY_OCI_INDEX ", " KC_REGISTRY_DOCKER_LIST ", " KC_REGISTRY_OCI_MANIFEST
						   ", " KC_REGISTRY_DOCKER_MANIFEST;
_Static_assert(sizeof(accept) <= KC_HTTP_ACCEPT_SIZE, "the header would be cut");

/* The predecessors: a history of v1 images and a signature in one. */
static const char schema1[] = "application/vnd.docker.distribution.manifest.v1+";

static int refuse_type(const struct kc_registry *registry, const char *type, struct kc_error *err)
{
	static const char known[] =
		"abcdefghijklmnopqrstuvwxyz0123456789!#$&^_.+-/"; /* RFC 6838 section 4.2 */
	int status;

	if (strncmp(type, schema1, strlen(schema1)) == 0) {
		status = kc_error_set(
			err, EPROTO,
			"pull `%s`: the image has a manifest of docker's schema 1, which docker itself "
			"no longer reads",
			registry->name);
		kc_error_hint(err, "choose a newer tag; whoever owns the image makes a present-day one by "
				   "pushing it anew");
		return status;
	}
	status = kc_error_set(
		err, EPROTO, "pull `%s`: registry %s answers in %s, not with a manifest", registry->name,
		registry->authority,
		*type == '\0' || strspn(type, known) != strlen(type) ? "something without a name" : type);
	kc_error_hint(err, "check the name of the registry; or something on the way, a portal or a proxy, "
			   "answers in its "
			   "place");
	return status;
}

static int damaged(const struct kc_registry *registry, const char *digest, const char *what,
		   struct kc_error *err)
{
	int status = kc_error_set(err, EBADMSG, "pull `%s`: manifest %s %s", registry->name, digest, what);

	kc_error_hint(err, "the image, or registry %s, is broken: tell its owner", registry->authority);
	return status;
}

/* One reading for everybody: type and content agree, and it cannot be taken for index and manifest both
 * (CVE-2021-41190). */
static int check_document(const struct kc_registry *registry, const struct kc_buffer *body,
			  const char *digest, const char *media_type, bool is_index, struct kc_error *err)
{
	static const char *const of_manifest[] = { "layers", "config", "fsLayers" };
	KC_CLEANUP_JSON cJSON *document = NULL;
	const cJSON *stated;
	struct kc_error failure = { 0 };

	if (kc_json_parse(kc_buffer_string(body), body->length, digest, &document, &failure) < 0)
		return damaged(registry, digest, failure.text, err);
	stated = cJSON_GetObjectItemCaseSensitive(document, "mediaType");
	if (stated && (!cJSON_IsString(stated) || strcmp(stated->valuestring, media_type) != 0))
		return damaged(registry, digest, "says that it is of another type than the registry says",
			       err);
	if (is_index != cJSON_IsArray(cJSON_GetObjectItemCaseSensitive(document, "manifests")))
		return damaged(registry, digest, is_index ? "is no index" : "is an index", err);
	for (size_t i = 0; is_index && i < KC_ARRAY_LENGTH(of_manifest); i++)
		if (cJSON_GetObjectItemCaseSensitive(document, of_manifest[i]))
			return damaged(registry, digest, "is an index and a manifest in one", err);
	return 0;
}

/* -EBADMSG unless the bytes are what was asked for and what the registry says that they are. */
static int check_digest(const struct kc_registry *registry, const struct kc_buffer *body, const char *name,
			char ret_digest[KC_REGISTRY_DIGEST_SIZE], struct kc_error *err)
{
	const char *stated = NULL, *wanted = NULL;
	char digest[KC_REGISTRY_DIGEST_SIZE] = "sha256:";
	int status = kc_sha256_of(kc_buffer_string(body), body->length, digest + strlen(digest), err);

	if (status < 0)
		return status;
	if (kc_registry_digest_is_valid(name) && strcmp(name, digest) != 0)
		wanted = name;
	else if (kc_http_header(&registry->http, "Docker-Content-Digest", 0, &stated) &&
		 strcmp(stated, digest) != 0)
		wanted = kc_registry_digest_is_valid(stated) ? stated : "something else";
	if (wanted) {
		status = kc_error_set(err, EBADMSG, "pull `%s`: wrong digest: the manifest is %s, must be %s",
				      registry->name, digest, wanted);
		kc_error_hint(
			err,
			"registry %s, or something on the way, gave other bytes than it promised: do not use "
			"them; try again, or another network",
			registry->authority);
		return status;
	}
	memcpy(ret_digest, digest, sizeof(digest));
	return 0;
}

static int check_manifest(const struct kc_registry *registry, const struct kc_buffer *body, const char *name,
			  const char *media_type, char ret_digest[KC_REGISTRY_DIGEST_SIZE],
			  struct kc_error *err)
{
	char digest[KC_REGISTRY_DIGEST_SIZE];
	size_t i = 0;
	int status;

	while (i < KC_ARRAY_LENGTH(kinds) && strcmp(kinds[i].media_type, media_type) != 0)
		i++;
	if (i == KC_ARRAY_LENGTH(kinds))
		return refuse_type(registry, media_type, err);
	status = check_digest(registry, body, name, digest, err);
	if (status == 0)
		status = check_document(registry, body, digest, media_type, kinds[i].is_index, err);
	if (status == 0)
		memcpy(ret_digest, digest, sizeof(digest));
	return status;
}

int kc_registry_get_manifest(struct kc_registry *registry, const char *name, struct kc_buffer *body,
			     char ret_media_type[KC_REGISTRY_MEDIA_TYPE_SIZE],
			     char ret_digest[KC_REGISTRY_DIGEST_SIZE], struct kc_error *err)
{
	const struct kc_registry_reference *reference = &registry->reference;
	struct kc_http_answer answer = { 0 };
	char url[KC_URL_SIZE];
	const size_t limit = body->limit;
	struct kc_registry_call call = { .url = url, .accept = accept, .body = body, .answer = &answer };
	int status;

	if (!name)
		name = reference->digest[0] ? reference->digest : reference->tag;
	call.missing = kc_registry_digest_is_valid(name) ? "image or digest" : "image or tag";
	if (!kc_registry_digest_is_valid(name) && !kc_registry_tag_is_valid(name))
		return kc_error_set(err, EINVAL, "pull `%s`: neither a tag nor a digest is given",
				    registry->name);
	if ((size_t)snprintf(url, sizeof(url), "%s/v2/%s/manifests/%s", registry->base_url,
			     registry->repository, name) >= sizeof(url))
		return kc_error_set(err, EINVAL, "pull `%s`: the address of the registry is too long",
				    registry->name);
	if (limit > KC_REGISTRY_MANIFEST_LIMIT)
		body->limit = KC_REGISTRY_MANIFEST_LIMIT;
	status = kc_registry_make_call(registry, &call, err);
	body->limit = limit;
	if (status == 0)
		status = check_manifest(registry, body, name, answer.content_type, ret_digest, err);
	if (status == 0)
		(void)snprintf(ret_media_type, KC_REGISTRY_MEDIA_TYPE_SIZE, "%s", answer.content_type);
	return status;
}
