#include "net/registry.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "net/registry_internal.h"

/* Where docker.io has its registry. */
#define DOCKER_HUB_REGISTRY "registry-1.docker.io"

static int refuse_mirror(const char *url, const char *what, struct kc_error *err)
{
	char shown[512];
	int status;

	kc_url_redact(url, shown, sizeof(shown));
	status = kc_error_set(err, EINVAL, "use mirror `%s`: %s", shown, what);
	kc_error_hint(err, "https://HOST[:PORT][/PATH], for instance https://mirror.example; a login for it "
			   "belongs into "
			   "the file that `skopeo login` writes");
	return status;
}

/* "https://HOST/PREFIX/" becomes the base "https://HOST", and PREFIX/ a part of the repository's name. */
static int set_mirror(struct kc_registry *registry, const char *url, struct kc_error *err)
{
	const char *host = strstr(url, "://");
	const char *path;
	int length;

	if (kc_url_authority(url, registry->authority, NULL) < 0 || !host || strpbrk(url, "?#"))
		return refuse_mirror(url, "not the address of a registry", err);
	path = host + 3 + strcspn(host + 3, "/");
	(void)snprintf(registry->base_url, sizeof(registry->base_url), "%.*s", (int)(path - url), url);
	path += strspn(path, "/");
	for (length = (int)strlen(path); length && path[length - 1] == '/';)
		length--;
	if ((size_t)snprintf(registry->repository, sizeof(registry->repository), "%.*s%s%s", length, path,
			     length ? "/" : "",
			     registry->reference.repository) >= sizeof(registry->repository))
		return refuse_mirror(url, "its path is too long", err);
	if (!kc_registry_repository_is_valid(registry->repository))
		return refuse_mirror(url, "its path cannot begin the name of a repository", err);
	registry->is_plain_http = kc_url_is_plain_http(url);
	return 0;
}

static int set_registry(struct kc_registry *registry, struct kc_error *err)
{
	const struct kc_registry_reference *reference = &registry->reference;
	const char *name = strcmp(reference->host, "docker.io") == 0 ? DOCKER_HUB_REGISTRY : reference->host;
	char host[KC_URL_SIZE];

	(void)snprintf(registry->base_url, sizeof(registry->base_url), "https://%s", name);
	if (kc_url_authority(registry->base_url, registry->authority, host) < 0)
		return kc_error_set(err, EINVAL, "pull `%s`: the host is none", registry->name);
	registry->is_plain_http = kc_registry_is_loopback(host);
	if (registry->is_plain_http)
		(void)snprintf(registry->base_url, sizeof(registry->base_url), "http://%s", name);
	(void)snprintf(registry->repository, sizeof(registry->repository), "%s", reference->repository);
	return 0;
}

int kc_registry_open(const struct kc_registry_reference *reference, const struct kc_registry_options *options,
		     struct kc_registry **ret_registry, struct kc_error *err)
{
	KC_CLEANUP_REGISTRY struct kc_registry *registry = calloc(1, sizeof(*registry));
	const char *mirror = options ? options->mirror_url : NULL;
	int status;

	if (!registry)
		return kc_error_errno(err, ENOMEM, "pull `%s`", reference->repository);
	registry->reference = *reference;
	if (options)
		registry->options = *options;
	kc_registry_reference_print(reference, registry->name);
	status = mirror ? set_mirror(registry, mirror, err) : set_registry(registry, err);
	if (status == 0)
		status = kc_registry_login_find(mirror ? registry->authority : reference->host,
						registry->repository, registry->options.auth_file,
						&registry->login, err);
	if (status == 0)
		status = kc_http_open(&registry->http, &registry->options.http, err);
	if (status == 0)
		*ret_registry = KC_STEAL(registry);
	return status;
}

void kc_registry_close(struct kc_registry **registry)
{
	if (!*registry)
		return;
	kc_http_close(&(*registry)->http);
	kc_registry_forget_token(*registry);
	kc_registry_login_clear(&(*registry)->login);
	free(KC_STEAL(*registry));
}

#define ANSWERED_BY_ANOTHER                                                                                  \
	"check the name of the registry; or something on the way, a portal or a proxy, answers in its place"

/* What net/http.h advises is for package indexes. */
static const struct {
	int errno_value;
	const char *hint;
} hints[] = {
	{ EHOSTUNREACH,
	  "check the name of the registry, the network connection, the name server, and https_proxy "
	  "where a proxy is needed; or use a mirror" },
	{ ENETUNREACH,
	  "check the network connection, and https_proxy where a proxy is needed; or use a mirror" },
	{ ECONNREFUSED,
	  "check the name and port of the registry, and https_proxy where a proxy is needed; or use a "
	  "mirror" },
	{ EPROTONOSUPPORT, "only https is used, and http only to this machine itself, or to a mirror that is "
			   "configured so" },
	{ EBADMSG,
	  "the registry, or something on the way, gave other bytes than the digest names: do not use them; "
	  "try again, or another network" },
	{ EPROTO, ANSWERED_BY_ANOTHER },
	{ ELOOP, ANSWERED_BY_ANOTHER },
	{ EAGAIN, "the registry has a fault: try again later" },
};

/* Where the login has to go, and why the one that is there was of no use. */
static void hint_at_login(const struct kc_registry *registry, struct kc_error *err)
{
	const char *host = registry->options.mirror_url ? registry->authority : registry->reference.host;
	const char *file = registry->options.auth_file
				   ? registry->options.auth_file
				   : "~/.config/containers/auth.json or ~/.docker/config.json";

	if (registry->login.user[0])
		kc_error_hint(err, "check the login for %s in %.200s; `skopeo login %s` writes it anew", host,
			      file, host);
	else
		kc_error_hint(err,
			      "put a login for %s into %.160s, as `skopeo login` or `docker login` do%s%s",
			      host, file, registry->login.note[0] ? "; " : "", registry->login.note);
}

static int explain_refusal(const struct kc_registry *registry, struct kc_error *err)
{
	long answer = registry->http.status;
	const char *what = "allows no pull of it";

	if (answer == 407) { /* of something on the way, whose hint stands */
		(void)kc_error_prefix(err, "pull `%s`", registry->name);
		return -EACCES;
	}
	if (answer == 401)
		what = registry->login.user[0] ? "refuses the login, or has no such image"
					       : "needs a login for it, or has no such image";
	(void)kc_error_set(err, EACCES, "pull `%s`: registry %s %s (HTTP status %ld)", registry->name,
			   registry->authority, what, answer);
	hint_at_login(registry, err);
	return -EACCES;
}

static int explain_missing(const struct kc_registry *registry, const struct kc_registry_call *call,
			   struct kc_error *err)
{
	(void)kc_error_set(err, ENOENT, "pull `%s`: registry %s has no such %s (HTTP status %ld)",
			   registry->name, registry->authority, call->missing, registry->http.status);
	kc_error_hint(err, "check the name; some registries deny that there is what only a login may see");
	return -ENOENT;
}

static int explain_limit(const struct kc_registry *registry, struct kc_error *err)
{
	(void)kc_error_set(err, EAGAIN,
			   "pull `%s`: registry %s allows no more requests for now (HTTP status 429)",
			   registry->name, registry->authority);
	kc_error_hint(err, "try again later; with a login more is allowed: `skopeo login %s`",
		      registry->reference.host);
	return -EAGAIN;
}

/* Makes an error of net/http.h one of an image. The status alone may be that of an answer before a fault of the
 * disk. */
static int explain(const struct kc_registry *registry, const struct kc_registry_call *call, int status,
		   struct kc_error *err)
{
	long answer = registry->http.status;

	if (status == -EACCES && answer >= 400)
		return explain_refusal(registry, err);
	if (status == -ENOENT && answer >= 400)
		return explain_missing(registry, call, err);
	if (status == -EAGAIN && answer == 429)
		return explain_limit(registry, err);
	(void)kc_error_prefix(err, "pull `%s`", registry->name);
	for (size_t i = 0; i < KC_ARRAY_LENGTH(hints); i++)
		if (hints[i].errno_value == -status)
			kc_error_hint(err, "%s", hints[i].hint);
	return status;
}

static int call_once(struct kc_registry *registry, const struct kc_registry_call *call, struct kc_error *err)
{
	const struct kc_http_request request = {
		.url = call->url,
		.accept = call->accept,
		.is_plain_http_allowed = registry->is_plain_http,
		.bearer = registry->token,
		.user = registry->is_basic ? registry->login.user : NULL,
		.password = registry->is_basic ? registry->login.password : NULL,
	};

	if (call->file)
		return kc_http_download(&registry->http, &request, call->file, err);
	return kc_http_get(&registry->http, &request, call->body, call->answer, err);
}

/* A server that the registry sent us on to has no claim on the login. */
static bool is_asked_by_registry(const struct kc_registry *registry)
{
	return registry->http.status == 401 &&
	       kc_url_is_same_origin(kc_http_effective_url(&registry->http), registry->base_url);
}

static void explain_login(const struct kc_registry *registry, int status, struct kc_error *err)
{
	(void)kc_error_prefix(err, "pull `%s`", registry->name);
	if (err->hint[0])
		return;
	if (status == -EACCES)
		hint_at_login(registry, err);
	else
		kc_error_hint(err, ANSWERED_BY_ANOTHER);
}

int kc_registry_make_call(struct kc_registry *registry, const struct kc_registry_call *call,
			  struct kc_error *err)
{
	struct kc_error failure = { 0 };
	int status = call_once(registry, call, &failure);

	if (status == -EACCES && is_asked_by_registry(registry)) {
		status = kc_registry_log_in(registry, &failure);
		if (status < 0) {
			explain_login(registry, status, &failure);
			goto out;
		}
		status = call_once(registry, call, &failure);
	}
	if (status < 0)
		status = explain(registry, call, status, &failure);
out:
	if (status < 0 && err)
		*err = failure;
	return status;
}

int kc_registry_get_blob(struct kc_registry *registry, const char *digest, int64_t size, const char *path,
			 struct kc_error *err)
{
	const struct kc_http_file file = {
		.path = path, .sha256 = digest + strlen("sha256:"), .size = size, .limit = size
	};
	char url[KC_URL_SIZE], missing[KC_REGISTRY_DIGEST_SIZE + sizeof("blob ")];
	const struct kc_registry_call call = { .url = url, .missing = missing, .file = &file };

	if (!kc_registry_digest_is_valid(digest))
		return kc_error_set(err, EINVAL, "pull `%s`: a layer's digest is not sha256: and 64 digits",
				    registry->name);
	if (size < 0)
		return kc_error_set(err, EINVAL, "pull `%s`: blob %s has a negative size", registry->name,
				    digest);
	(void)snprintf(missing, sizeof(missing), "blob %s", digest);
	if ((size_t)snprintf(url, sizeof(url), "%s/v2/%s/blobs/%s", registry->base_url, registry->repository,
			     digest) >= sizeof(url))
		return kc_error_set(err, EINVAL, "pull `%s`: the address of the registry is too long",
				    registry->name);
	return kc_registry_make_call(registry, &call, err);
}
