/*
 * Images from a registry: a client of the OCI distribution protocol, which is also docker's (registry v2).
 * Facts: https://github.com/opencontainers/distribution-spec and, for tokens,
 * https://distribution.github.io/distribution/spec/auth/token/.
 *
 * Life cycle: 1. kc_registry_reference_parse  2. kc_registry_open  3. kc_registry_get_manifest,
 * kc_registry_get_blob, kc_registry_get_blobs, repeatable (connections and the token are kept)
 * 4. kc_registry_close (idempotent).
 *
 * What holds for every request:
 * - https, except to 127.0.0.1, [::1] and localhost, and to a mirror whose configured URL begins with http:.
 *   A redirect from https to http is refused. TLS, proxies and retries are those of net/http.h.
 * - Nothing that a server says is believed before its bytes have the digest that was asked for. A tag is
 *   looked up once by the caller, who then goes on by the digest that came out.
 * - A login goes to the registry it was written for and nowhere else, whatever is redirected: to the registry
 *   itself when it asks for Basic, or to its token server. A token server is the registry's own host, or a
 *   host of the same parent domain (registry-1.docker.io: auth.docker.io); any other is refused and named.
 *   Token servers are not followed elsewhere, and are asked for the right to pull this repository only.
 * - Passwords and tokens stand in no message.
 *
 * Errors are one line, name the image and the registry, and have a hint. A caller may branch on what net/http.h
 * lists; here -ENOENT is no such image, tag or blob; -EACCES a login is needed, or was refused, or was wanted by
 * a host that must not have it; -EBADMSG bytes that are not what was asked for, or a file of logins that cannot
 * be read; -EPROTO an answer that is none of a registry.
 *
 * An object belongs to one thread at a time.
 */
#ifndef KC_NET_REGISTRY_H
#define KC_NET_REGISTRY_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "net/http.h"

#define KC_REGISTRY_DIGEST_SIZE 72 /* "sha256:", 64 digits, and the NUL */
#define KC_REGISTRY_TAG_SIZE 129
#define KC_REGISTRY_NAME_SIZE 256 /* of a host, and of a repository */
#define KC_REGISTRY_MEDIA_TYPE_SIZE 128
#define KC_REGISTRY_MANIFEST_LIMIT (4 << 20) /* bytes; what registries accept themselves */
#define KC_REGISTRY_BLOBS_MAX 1024

/* What an image is called. Either `tag` or `digest` is set, or both: then the digest decides. */
struct kc_registry_reference {
	char host[KC_REGISTRY_NAME_SIZE];	/* "docker.io", "127.0.0.1:5000" */
	char repository[KC_REGISTRY_NAME_SIZE]; /* "library/alpine" */
	char tag[KC_REGISTRY_TAG_SIZE];
	char digest[KC_REGISTRY_DIGEST_SIZE];
};

/*
 * Reads "[HOST[:PORT]/]REPOSITORY[:TAG][@sha256:HEX]". What stands before the first '/' is a host if it holds a
 * '.' or ':' or is "localhost"; without one the host is docker.io, where a repository of one component is below
 * "library/". Without tag and digest the tag is "latest". -EINVAL, saying what is wrong. Pure.
 */
int kc_registry_reference_parse(const char *text, struct kc_registry_reference *ret_reference,
				struct kc_error *err) __attribute__((warn_unused_result));

/* The whole of it, "docker.io/library/alpine:latest": what messages and reports call the image. */
#define KC_REGISTRY_REFERENCE_TEXT_SIZE                                                                      \
	(2 * KC_REGISTRY_NAME_SIZE + KC_REGISTRY_TAG_SIZE + KC_REGISTRY_DIGEST_SIZE)
void kc_registry_reference_print(const struct kc_registry_reference *reference,
				 char ret_text[KC_REGISTRY_REFERENCE_TEXT_SIZE]);

/* True for "sha256:" and 64 lower-case digits: to be asked before a digest becomes part of any path. */
bool kc_registry_digest_is_valid(const char *digest);

/* Zero (or NULL) stands for the default. Strings and `http.context` are borrowed until kc_registry_close. */
struct kc_registry_options {
	/* `progress` is called for blobs only. */
	struct kc_http_options http;
	/* Where logins are, in the format of containers-auth.json(5), which docker's config.json shares. NULL:
	 * the first that has one for this repository or its host, of $REGISTRY_AUTH_FILE,
	 * $XDG_RUNTIME_DIR/containers/auth.json (/run/containers/UID/auth.json), $XDG_CONFIG_HOME (~/.config)
	 * /containers/auth.json, $DOCKER_CONFIG (~/.docker) /config.json. */
	const char *auth_file;
	/* Asked instead of the reference's host, and with its own logins only: "https://mirror.example". A path is
	 * put before the repository, as proxies of registries want it ("https://harbor.example/docker-hub"). */
	const char *mirror_url;
};

struct kc_registry;

void kc_registry_close(struct kc_registry **registry);
#define KC_CLEANUP_REGISTRY KC_CLEANUP(kc_registry_close)

/* Sends nothing yet. Copies `reference`; `options` may be NULL. The caller closes *ret_registry. Fails for a file
 * of logins that is damaged, naming it; a missing one is no error unless `auth_file` names it. */
int kc_registry_open(const struct kc_registry_reference *reference, const struct kc_registry_options *options,
		     struct kc_registry **ret_registry, struct kc_error *err)
	__attribute__((warn_unused_result));

/*
 * Gets a manifest or an index: `name` is a tag or a digest, or NULL for that of the reference. The bytes replace
 * the content of `body`, which is also held to KC_REGISTRY_MANIFEST_LIMIT. `ret_media_type` is one of the four
 * below; a "mediaType" within the document agrees with it, and it is not manifest and index in one.
 * `ret_digest` is that of the bytes, and equals the one asked for and the one that the registry stated. On failure
 * only `body` has changed, and holds nothing of use.
 */
#define KC_REGISTRY_OCI_INDEX "application/vnd.oci.image.index.v1+json"
#define KC_REGISTRY_OCI_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define KC_REGISTRY_DOCKER_LIST "application/vnd.docker.distribution.manifest.list.v2+json"
#define KC_REGISTRY_DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
int kc_registry_get_manifest(struct kc_registry *registry, const char *name, struct kc_buffer *body,
			     char ret_media_type[KC_REGISTRY_MEDIA_TYPE_SIZE],
			     char ret_digest[KC_REGISTRY_DIGEST_SIZE], struct kc_error *err)
	__attribute__((warn_unused_result));

struct kc_registry_blob {
	const char *digest;
	int64_t size; /* what the manifest says; more is not taken from anybody */
	const char *path;
};

/* Downloads a layer or a configuration to `path`, by the rules of kc_http_download: `PATH.part` is continued,
 * digest and size are verified, and only then is there a `path`. */
int kc_registry_get_blob(struct kc_registry *registry, const char *digest, int64_t size, const char *path,
			 struct kc_error *err) __attribute__((warn_unused_result));

/*
 * The same for `count` blobs, up to three at once, in threads that are gone when it returns. The first failure
 * stops the others, and is the one that is told; what is complete by then stays, what is not is continued by the
 * next call. A blob that is named twice with one path is downloaded once. `progress` gets the sums over all
 * blobs. It and `is_interrupted` are called in the caller's thread.
 */
int kc_registry_get_blobs(struct kc_registry *registry, const struct kc_registry_blob *blobs, size_t count,
			  struct kc_error *err) __attribute__((warn_unused_result));

#endif
