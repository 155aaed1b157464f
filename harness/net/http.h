/*
 * HTTP for package indexes and registries, over libcurl: small answers into a buffer, files to disk.
 *
 * Life cycle: 1. kc_http_open  2. kc_http_get, kc_http_download, repeatable (connections are kept)
 * 3. kc_http_close (idempotent, fit for a zeroed object).
 *
 * What holds for every request:
 * - https only, unless the request says that plain http is allowed; at most KC_HTTP_MAX_REDIRECTS redirects,
 *   and never one to plain http from a request that does not allow it. User and password come from the URL
 *   or the request, a bearer token from the request; they go to no other scheme, host or port (libcurl drops
 *   them on a redirect).
 * - The certificate is verified against, in this order: options.ca_file, PIP_CERT, REQUESTS_CA_BUNDLE,
 *   CURL_CA_BUNDLE, SSL_CERT_FILE (a file or a directory each), else libcurl's own bundle.
 * - Proxies: options.proxy, else the variables that libcurl reads (https_proxy, ALL_PROXY, NO_PROXY, ...).
 * - 429, 5xx and broken connections are tried again with growing pauses, at most options.attempts times; an
 *   attempt that brought a file forward by a megabyte does not count. Everything together ends at
 *   options.total_timeout_ms.
 *
 * Errors are one line, name the URL without its credentials, and have a hint. A caller may branch on:
 * -ENOENT 404 or 410; -EACCES 401, 403 or 407; -EAGAIN 429 or 5xx to the end; -EPROTO another status;
 * -EHOSTUNREACH no such host; -ENETUNREACH no network; -ECONNREFUSED no connection; -EKEYREJECTED certificate
 * not trusted; -ECONNRESET truncated; -EBADMSG wrong digest or size; -E2BIG over the limit; -ETIMEDOUT;
 * -EINTR interrupted; -EPROTONOSUPPORT protocol refused; what writing the file gives (-ENOSPC, ...).
 *
 * An object belongs to one thread.
 */
#ifndef KC_NET_HTTP_H
#define KC_NET_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/error.h"
#include "net/url.h"

#define KC_HTTP_MAX_REDIRECTS 5
#define KC_HTTP_ACCEPT_SIZE 512 /* of an Accept header's value, with the NUL; more is cut off */

/* Zero (or NULL) stands for the default. Strings and `context` are borrowed until kc_http_close. */
struct kc_http_options {
	const char *ca_file; /* a PEM bundle, or a directory of them */
	const char *proxy;
	/* Asked at least once a second while anything is under way; true ends it with -EINTR. */
	bool (*is_interrupted)(void *context);
	/* Called at most some times a second, and at least once a second. Bytes there so far, of `total`; -1
	 * where the total is not known. Only for downloads. */
	void (*progress)(void *context, int64_t done, int64_t total);
	void *context;
	unsigned int attempts;	    /* 4 */
	int64_t retry_delay_ms;	    /* 500, doubled each time, up to 30 s */
	int64_t connect_timeout_ms; /* 20 s */
	long low_speed_bytes;	    /* per second; 1024 ... */
	long low_speed_s;	    /* ... for so long ends an attempt; 30 */
	int64_t total_timeout_ms;   /* per call, all attempts; 30 min */
};

struct kc_http {
	void *easy; /* CURL; NULL when closed */
	struct kc_http_options options;
	long status; /* of the last answer to the last request, 0 if none came; also after a failure */
};

struct kc_http_request {
	const char *url;
	const char *accept;	    /* value of the Accept header; NULL for any */
	bool is_plain_http_allowed; /* set it only where the user's own configuration names an http: URL */
	bool are_redirects_refused; /* one is then a status like any other: -EPROTO */
	/* At most one of the two logins; NULL for none. A token goes before a user. */
	const char *bearer;
	const char *user, *password;
};

struct kc_http_answer {
	long status;
	char content_type[128]; /* lower case, without parameters; "" if there is none */
	char url[KC_URL_SIZE];	/* after redirects: what relative references in the body start from */
};

struct kc_http_file {
	const char *path;
	const char *sha256; /* 64 digits; what the bytes must have */
	int64_t size;	    /* what their number must be, or -1 where nobody said */
	int64_t limit;	    /* most bytes to take from anybody */
};

void kc_cleanup_http(struct kc_http *http);
#define KC_CLEANUP_HTTP KC_CLEANUP(kc_cleanup_http)

/* Fails if the CA bundle is not readable (naming the variable that named it). */
int kc_http_open(struct kc_http *http, const struct kc_http_options *options, struct kc_error *err)
	__attribute__((warn_unused_result));
void kc_http_close(struct kc_http *http);

/* The body of a 2xx answer, after content decoding, replaces the content of `body`, whose limit bounds it.
 * On failure `body` is empty or holds a part; ret_answer->status is set as far as an answer came (0 if none).
 */
int kc_http_get(struct kc_http *http, const struct kc_http_request *request, struct kc_buffer *body,
		struct kc_http_answer *ret_answer, struct kc_error *err) __attribute__((warn_unused_result));

/* Of the answer that `status` is of, after redirects: header number `index` of those called `name` (case does not
 * matter), false if there is none such; and whose answer it is. Borrowed until the next request. */
bool kc_http_header(const struct kc_http *http, const char *name, size_t index, const char **ret_value);
const char *kc_http_effective_url(const struct kc_http *http);

/* Downloads to `PATH.part`, verifies, flushes, and renames to `path`, mode 0600. What an earlier call left in
 * `PATH.part` is continued with a Range request; if the whole then has the wrong digest, or the server
 * answers 416, it starts again from nothing, once. So no entity tag is kept: the digest is the stronger
 * check.
 *
 * On failure `path` is as it was; `PATH.part` stays where it may be continued (interrupted, truncated, time
 * over) and is removed where it may not (wrong digest, over the limit). The caller sees to it that only one
 * process at a time downloads to `path`. */
int kc_http_download(struct kc_http *http, const struct kc_http_request *request,
		     const struct kc_http_file *file, struct kc_error *err)
	__attribute__((warn_unused_result));

#endif
