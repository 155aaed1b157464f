#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixtures/http_peer.h"
#include "net/http.h"
#include "sys/file.h"
#include "tests/kc_test.h"

enum { BODY_LENGTH = 100000 };

static struct {
	char directory[256];
	char path[300], part[320]; /* of the file that is downloaded */
	char body[BODY_LENGTH], other[BODY_LENGTH];
	char sha256[KC_SHA256_HEX_SIZE];
} world;

static const struct kc_http_options quick = {
	.attempts = 3, .retry_delay_ms = 1, .low_speed_s = 1, .connect_timeout_ms = 5000
};

static int setup(void)
{
	const char *tmp = getenv("TMPDIR");
	struct kc_error err;

	(void)snprintf(world.directory, sizeof(world.directory), "%s/kc-http-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(world.directory))
		return -1;
	(void)snprintf(world.path, sizeof(world.path), "%s/file", world.directory);
	(void)snprintf(world.part, sizeof(world.part), "%s.part", world.path);
	for (size_t i = 0; i < BODY_LENGTH; i++) {
		world.body[i] = (char)(i * 7 + i / 256);
		world.other[i] = (char)~world.body[i];
	}
	return kc_sha256_of(world.body, BODY_LENGTH, world.sha256, &err);
}

static int teardown(void)
{
	return kc_tree_remove(AT_FDCWD, world.directory, NULL);
}

/* One GET of /page from a peer with these rows, and how many requests that took. */
static int get(const struct kc_peer_reply *replies, size_t count, const struct kc_http_options *options,
	       struct kc_buffer *body, struct kc_http_answer *answer, unsigned int *ret_requests,
	       struct kc_error *err)
{
	struct kc_http_peer peer;
	KC_CLEANUP_HTTP struct kc_http http = { 0 };
	char url[128];
	const struct kc_http_request request = { .url = url,
						 .accept = "text/x-kc",
						 .is_plain_http_allowed = true };
	int status;

	if (kc_http_peer_listen(&peer, NULL) < 0 || kc_http_peer_serve(&peer, replies, count) < 0)
		return kc_error_set(err, EIO, "no peer");
	(void)snprintf(url, sizeof(url), "%s/page", peer.url);
	status = kc_http_open(&http, options, err);
	if (status == 0)
		status = kc_http_get(&http, &request, body, answer, err);
	*ret_requests = kc_http_peer_requests(&peer);
	kc_http_peer_stop(&peer);
	return status;
}

static void gets_a_page(void)
{
	static const struct kc_peer_reply replies[] = {
		{ .path = "/page",
		  .status = 302,
		  .headers = "Location: /there/page\r\n",
		  .body = "not this" },
		{ .path = "/there/page",
		  .headers = "Content-Type: Text/X-Kc; charset=utf-8\r\n",
		  .body = "this" },
	};
	KC_CLEANUP_BUFFER struct kc_buffer body = KC_BUFFER_INIT(100);
	struct kc_http_answer answer = { 0 };
	struct kc_error err = { 0 };
	unsigned int requests;

	KC_REQUIRE_OK(get(replies, 2, &quick, &body, &answer, &requests, &err), err);
	KC_CHECK_STRING(kc_buffer_string(&body), "this");
	KC_CHECK_STRING(answer.content_type, "text/x-kc");
	KC_CHECK_CONTAINS(answer.url, "/there/page");
	KC_CHECK_INT(answer.status, 200);
	KC_CHECK_INT(requests, 2);
}

/* Every way a GET fails or recovers: what is answered, what comes out of it, and after how many requests. */
static void get_ends_as_it_should(void)
{
	static const struct {
		const char *name;
		struct kc_peer_reply replies[2];
		int expected;
		unsigned int requests;
		const char *text;
	} rows[] = {
		{ "503 then good", { { .times = 1, .status = 503 }, { .body = "ok" } }, 0, 2, NULL },
		{ "429 with Retry-After then good",
		  { { .times = 1, .status = 429, .headers = "Retry-After: 0\r\n" }, { .body = "ok" } },
		  0,
		  2,
		  NULL },
		{ "dropped then good",
		  { { .times = 1, .flags = KC_PEER_DROP }, { .body = "ok" } },
		  0,
		  2,
		  NULL },
		{ "truncated then good",
		  { { .times = 1, .body = "okay", .send_bytes = 2 }, { .body = "ok" } },
		  0,
		  2,
		  NULL },
		{ "redirected with a page beyond the limit",
		  { { .times = 1,
		      .status = 302,
		      .headers = "Location: /page\r\n",
		      .body = world.body,
		      .body_length = 5000 },
		    { .body = "ok" } },
		  0,
		  2,
		  NULL },
		{ "404 with a page beyond the limit",
		  { { .status = 404, .body = world.body, .body_length = 5000 } },
		  -ENOENT,
		  1,
		  "HTTP status 404" },
		{ "empty", { { .body = "" } }, 0, 1, NULL },
		{ "503 always", { { .status = 503 } }, -EAGAIN, 3, "HTTP status 503" },
		{ "429 always", { { .status = 429 } }, -EAGAIN, 3, "HTTP status 429" },
		{ "404", { { .status = 404, .body = "no" } }, -ENOENT, 1, "HTTP status 404" },
		{ "401", { { .status = 401 } }, -EACCES, 1, "HTTP status 401" },
		{ "403", { { .status = 403 } }, -EACCES, 1, "HTTP status 403" },
		{ "418", { { .status = 418 } }, -EPROTO, 1, "HTTP status 418" },
		{ "304", { { .status = 304 } }, -EPROTO, 1, "HTTP status 304" },
		{ "no answer", { { .flags = KC_PEER_DROP } }, -ECONNRESET, 3, "without an answer" },
		{ "truncated", { { .body = "okay", .send_bytes = 2 } }, -ECONNRESET, 3, "truncated" },
		{ "promises more than there is",
		  { { .body = "ok", .declared_length = 50 } },
		  -ECONNRESET,
		  3,
		  "truncated" },
		{ "announces too much", { { .body = "ok", .declared_length = 5000 } }, -E2BIG, 1, "limit" },
		{ "sends too much unannounced",
		  { { .body = world.body, .body_length = 5000, .flags = KC_PEER_NO_LENGTH } },
		  -E2BIG,
		  1,
		  "limit of 100 bytes" },
		{ "redirects for ever",
		  { { .status = 302, .headers = "Location: /page\r\n" } },
		  -ELOOP,
		  KC_HTTP_MAX_REDIRECTS + 1,
		  "too many redirects" },
		{ "redirects to a file",
		  { { .status = 302, .headers = "Location: file:///etc/passwd\r\n" } },
		  -EPROTONOSUPPORT,
		  1,
		  "protocol refused" },
		{ "redirects to nowhere", { { .status = 302 } }, -EPROTO, 1, "HTTP status 302" },
		{ "damaged encoding",
		  { { .body = "not gzip", .headers = "Content-Encoding: gzip\r\n" } },
		  -EPROTO,
		  1,
		  "damaged content encoding" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_BUFFER struct kc_buffer body = KC_BUFFER_INIT(100);
		struct kc_http_answer answer = { 0 };
		struct kc_error err = { 0 };
		unsigned int requests = 0;
		size_t count = rows[i].replies[0].times ? 2 : 1;
		int status = get(rows[i].replies, count, &quick, &body, &answer, &requests, &err);

		KC_CHECK_MESSAGE(status == rows[i].expected, "%s: got %d (%s)", rows[i].name, status,
				 err.text);
		KC_CHECK_MESSAGE(requests == rows[i].requests, "%s: %u requests", rows[i].name, requests);
		KC_CHECK_MESSAGE((status < 0) == (err.code != 0), "%s: error and status differ",
				 rows[i].name);
		KC_CHECK_MESSAGE(!strchr(err.text, '\n'), "%s: more than a line", rows[i].name);
		if (rows[i].text)
			KC_CHECK_CONTAINS(err.text, rows[i].text);
		else if (rows[i].replies[0].times)
			KC_CHECK_STRING(kc_buffer_string(&body), "ok");
	}
}

static void gives_up_on_a_server_that_stalls_or_drips(void)
{
	static const struct kc_peer_reply rows[] = {
		{ .body = "okay", .send_bytes = 1, .flags = KC_PEER_STALL },
		{ .body = world.body, .body_length = 90, .flags = KC_PEER_DRIP },
	};
	struct kc_http_options once = quick;

	once.attempts = 1;
	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_BUFFER struct kc_buffer body = KC_BUFFER_INIT(100);
		struct kc_http_answer answer = { 0 };
		struct kc_error err = { 0 };
		unsigned int requests;

		KC_CHECK_INT(get(&rows[i], 1, &once, &body, &answer, &requests, &err), -ETIMEDOUT);
		KC_CHECK_CONTAINS(err.text, "too slow");
	}
}

static void everything_ends_at_the_total_deadline(void)
{
	static const struct kc_peer_reply stalls = { .body = "okay", .flags = KC_PEER_STALL };
	struct kc_http_options options = quick;
	KC_CLEANUP_BUFFER struct kc_buffer body = KC_BUFFER_INIT(100);
	struct kc_http_answer answer = { 0 };
	struct kc_error err = { 0 };
	unsigned int requests;

	options.low_speed_s = 60;
	options.total_timeout_ms = 100;
	KC_CHECK_INT(get(&stalls, 1, &options, &body, &answer, &requests, &err), -ETIMEDOUT);
	KC_CHECK_CONTAINS(err.text, "not done after");
	KC_CHECK_INT(requests, 1);
}

static bool always(void *context)
{
	(void)context;
	return true;
}

static void can_be_interrupted(void)
{
	static const struct kc_peer_reply rows[] = {
		{ .body = "okay", .flags = KC_PEER_STALL },
		{ .status = 503 },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		struct kc_http_options options = quick;
		KC_CLEANUP_BUFFER struct kc_buffer body = KC_BUFFER_INIT(100);
		struct kc_http_answer answer = { 0 };
		struct kc_error err = { 0 };
		unsigned int requests;

		options.is_interrupted = always;
		KC_CHECK_INT(get(&rows[i], 1, &options, &body, &answer, &requests, &err), -EINTR);
		KC_CHECK_CONTAINS(err.text, "interrupted");
	}
}

static void says_what_the_network_lacks(void)
{
	static const struct {
		const char *url;
		bool is_plain_http_allowed;
		int expected;
		const char *text, *hint;
	} rows[] = {
		{ "http://127.0.0.1:1/", true, -ECONNREFUSED, "no connection", "network" },
		{ "https://kc-test.invalid/", false, -EHOSTUNREACH, "host name not found", "name server" },
		{ "http://127.0.0.1:1/", false, -EPROTONOSUPPORT, "protocol refused", "https" },
		{ "ftp://127.0.0.1:1/", true, -EPROTONOSUPPORT, "protocol refused", "https" },
		{ "file:///etc/passwd", true, -EPROTONOSUPPORT, "protocol refused", "https" },
		{ "http://[", true, -EINVAL, "not a URL", "PIP_INDEX_URL" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_HTTP struct kc_http http = { 0 };
		KC_CLEANUP_BUFFER struct kc_buffer body = KC_BUFFER_INIT(100);
		const struct kc_http_request request = { .url = rows[i].url,
							 .is_plain_http_allowed =
								 rows[i].is_plain_http_allowed };
		struct kc_http_answer answer = { 0 };
		struct kc_error err = { 0 };
		int status;

		KC_REQUIRE_OK(kc_http_open(&http, &quick, &err), err);
		status = kc_http_get(&http, &request, &body, &answer, &err);
		if (status == -ENETUNREACH) /* in a namespace that has loopback only */
			KC_CHECK_CONTAINS(err.text, "no network");
		else if (KC_CHECK_MESSAGE(status == rows[i].expected, "%s: got %d (%s)", rows[i].url, status,
					  err.text))
			KC_CHECK_CONTAINS(err.text, rows[i].text);
		KC_CHECK_CONTAINS(err.hint, rows[i].hint);
	}
}

static void credentials_stay_with_their_host(void)
{
	struct kc_http_peer own = { .fd = -1 }, other = { .fd = -1 };
	KC_CLEANUP_HTTP struct kc_http http = { 0 };
	KC_CLEANUP_BUFFER struct kc_buffer body = KC_BUFFER_INIT(100);
	char location[128], url[128];
	const struct kc_peer_reply redirect[] = { { .path = "/page", .status = 302, .headers = location } };
	const struct kc_peer_reply refuse[] = { { .status = 403 } };
	const struct kc_http_request request = { .url = url, .is_plain_http_allowed = true };
	struct kc_http_answer answer = { 0 };
	struct kc_error err = { 0 };

	KC_REQUIRE(kc_http_peer_listen(&own, NULL) == 0 && kc_http_peer_listen(&other, NULL) == 0);
	/* The same machine under another port is another host. */
	(void)snprintf(location, sizeof(location), "Location: http://127.0.0.1:%u/x?token=s3cret\r\n",
		       other.port);
	(void)snprintf(url, sizeof(url), "http://bob:s3cret@127.0.0.1:%u/page", own.port);
	KC_CHECK(kc_http_peer_serve(&own, redirect, 1) == 0 && kc_http_peer_serve(&other, refuse, 1) == 0);
	KC_CHECK_OK(kc_http_open(&http, &quick, &err), err);
	KC_CHECK_INT(kc_http_get(&http, &request, &body, &answer, &err), -EACCES);
	KC_CHECK_CONTAINS(kc_http_peer_log(&own), "Authorization: Basic Ym9iOnMzY3JldA==");
	KC_CHECK_CONTAINS(kc_http_peer_log(&other), "GET /x?token=s3cret ");
	KC_CHECK(!strstr(kc_http_peer_log(&other), "Authorization"));
	KC_CHECK(!strstr(err.text, "s3cret") && !strstr(err.hint, "s3cret"));
	KC_CHECK_CONTAINS(err.text, "***@127.0.0.1");
	kc_http_peer_stop(&own);
	kc_http_peer_stop(&other);
}

/* The logins of a request, where the server sends the client on to: another port, or back to itself. */
static void logins_stay_with_their_origin(void)
{
	static const struct {
		struct kc_http_request login;
		const char *header;
	} rows[] = {
		{ { .bearer = "s3cret" }, "Authorization: Bearer s3cret" },
		{ { .user = "bob", .password = "s3cret" }, "Authorization: Basic Ym9iOnMzY3JldA==" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		struct kc_http_peer own = { .fd = -1 }, other = { .fd = -1 };
		KC_CLEANUP_HTTP struct kc_http http = { 0 };
		KC_CLEANUP_BUFFER struct kc_buffer body = KC_BUFFER_INIT(100);
		char away[128], url[128];
		const struct kc_peer_reply replies[] = {
			{ .path = "/page", .status = 307, .headers = "Location: /here\r\n" },
			{ .path = "/here", .status = 307, .headers = away },
		};
		const struct kc_peer_reply there[] = { { .body = "ok" } };
		struct kc_http_request request = rows[i].login;
		struct kc_http_answer answer = { 0 };
		struct kc_error err = { 0 };

		KC_REQUIRE(kc_http_peer_listen(&own, NULL) == 0 && kc_http_peer_listen(&other, NULL) == 0);
		(void)snprintf(away, sizeof(away), "Location: %s/there\r\n", other.url);
		(void)snprintf(url, sizeof(url), "%s/page", own.url);
		request.url = url;
		request.is_plain_http_allowed = true;
		KC_CHECK(kc_http_peer_serve(&own, replies, 2) == 0 &&
			 kc_http_peer_serve(&other, there, 1) == 0);
		KC_CHECK_OK(kc_http_open(&http, &quick, &err), err);
		KC_CHECK_OK(kc_http_get(&http, &request, &body, &answer, &err), err);
		KC_CHECK_CONTAINS(kc_http_peer_log(&own), rows[i].header);
		KC_CHECK_CONTAINS(strstr(kc_http_peer_log(&own), "GET /here"), rows[i].header);
		KC_CHECK_CONTAINS(kc_http_peer_log(&other), "GET /there");
		KC_CHECK(!strcasestr(kc_http_peer_log(&other), "authorization"));
		/* The next request on the same handle has no login left over. */
		request = (struct kc_http_request){ .url = url, .is_plain_http_allowed = true };
		request.are_redirects_refused = true;
		KC_CHECK_INT(kc_http_get(&http, &request, &body, &answer, &err), -EPROTO);
		KC_CHECK_INT(http.status, 307);
		KC_CHECK(!strcasestr(strrchr(kc_http_peer_log(&own), 'G'), "authorization"));
		KC_CHECK_INT(kc_http_peer_requests(&own), 3);
		kc_http_peer_stop(&own);
		kc_http_peer_stop(&other);
	}
}

static void tls_is_verified_and_not_left(void)
{
	struct kc_http_peer secure = { .fd = -1 }, plain = { .fd = -1 };
	char ca[300], location[128], url[128], down[128];
	const struct kc_peer_reply replies[] = { { .path = "/page", .body = "ok" },
						 { .path = "/down", .status = 302, .headers = location } };
	const struct kc_peer_reply caught[] = { { .body = "in clear" } };
	const struct {
		const char *ca, *url;
		int expected;
		const char *hint;
	} rows[] = {
		{ NULL, url, -EKEYREJECTED, "PIP_CERT" },
		{ ca, url, 0, NULL },
		{ ca, down, -EPROTONOSUPPORT, "https" },
	};

	(void)snprintf(ca, sizeof(ca), "%s/ca.pem", world.directory);
	KC_REQUIRE(kc_http_peer_listen(&secure, ca) == 0 && kc_http_peer_listen(&plain, NULL) == 0);
	(void)snprintf(url, sizeof(url), "%s/page", secure.url);
	(void)snprintf(down, sizeof(down), "%s/down", secure.url);
	(void)snprintf(location, sizeof(location), "Location: %s/\r\n", plain.url);
	KC_CHECK(kc_http_peer_serve(&secure, replies, 2) == 0 && kc_http_peer_serve(&plain, caught, 1) == 0);
	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_HTTP struct kc_http http = { 0 };
		KC_CLEANUP_BUFFER struct kc_buffer body = KC_BUFFER_INIT(100);
		const struct kc_http_request request = { .url = rows[i].url };
		struct kc_http_options options = quick;
		struct kc_http_answer answer = { 0 };
		struct kc_error err = { 0 };
		int status;

		options.ca_file = rows[i].ca;
		KC_CHECK_OK(kc_http_open(&http, &options, &err), err);
		status = kc_http_get(&http, &request, &body, &answer, &err);
		KC_CHECK_MESSAGE(status == rows[i].expected, "row %zu: got %d (%s)", i, status, err.text);
		if (rows[i].hint)
			KC_CHECK_CONTAINS(err.hint, rows[i].hint);
	}
	KC_CHECK_INT(kc_http_peer_requests(&plain), 0);
	kc_http_peer_stop(&secure);
	kc_http_peer_stop(&plain);
}

static void a_missing_ca_bundle_is_named(void)
{
	const char *old = getenv("PIP_CERT");
	KC_CLEANUP_FREE char *saved = old ? strdup(old) : NULL;
	struct kc_http http = { 0 };
	struct kc_error err = { 0 };

	(void)setenv("PIP_CERT", "/nonexistent/ca.pem", 1);
	KC_CHECK_INT(kc_http_open(&http, &quick, &err), -EKEYREJECTED);
	KC_CHECK_CONTAINS(err.text, "PIP_CERT");
	KC_CHECK(http.easy == NULL);
	if (saved)
		(void)setenv("PIP_CERT", saved, 1);
	else
		(void)unsetenv("PIP_CERT");
}

static void a_proxy_is_used(void)
{
	static const struct kc_peer_reply replies[] = { { .path = "http://kc-test.invalid/page",
							  .body = "ok" } };
	struct kc_http_peer proxy = { .fd = -1 };
	KC_CLEANUP_HTTP struct kc_http http = { 0 };
	KC_CLEANUP_BUFFER struct kc_buffer body = KC_BUFFER_INIT(100);
	const struct kc_http_request request = { .url = "http://kc-test.invalid/page",
						 .is_plain_http_allowed = true };
	struct kc_http_options options = quick;
	struct kc_http_answer answer = { 0 };
	struct kc_error err = { 0 };

	KC_REQUIRE(kc_http_peer_listen(&proxy, NULL) == 0 && kc_http_peer_serve(&proxy, replies, 1) == 0);
	options.proxy = proxy.url;
	KC_CHECK_OK(kc_http_open(&http, &options, &err), err);
	KC_CHECK_OK(kc_http_get(&http, &request, &body, &answer, &err), err);
	KC_CHECK_STRING(kc_buffer_string(&body), "ok");
	kc_http_peer_stop(&proxy);
}

struct downloaded {
	int status;
	unsigned int requests;
	char log[4096];
	struct kc_error err;
};

/* One download of /file, the world's body unless the rows say otherwise. */
static struct downloaded download(const struct kc_peer_reply *replies, size_t count, int64_t size,
				  int64_t limit, const struct kc_http_options *options)
{
	struct kc_http_peer peer = { .fd = -1 };
	KC_CLEANUP_HTTP struct kc_http http = { 0 };
	struct downloaded result = { .status = -EIO };
	char url[128];
	const struct kc_http_request request = { .url = url, .is_plain_http_allowed = true };
	const struct kc_http_file file = {
		.path = world.path, .sha256 = world.sha256, .size = size, .limit = limit
	};

	if (kc_http_peer_listen(&peer, NULL) < 0 || kc_http_peer_serve(&peer, replies, count) < 0)
		return result;
	(void)snprintf(url, sizeof(url), "%s/file", peer.url);
	result.status = kc_http_open(&http, options, &result.err);
	if (result.status == 0)
		result.status = kc_http_download(&http, &request, &file, &result.err);
	result.requests = kc_http_peer_requests(&peer);
	(void)snprintf(result.log, sizeof(result.log), "%s", kc_http_peer_log(&peer));
	kc_http_peer_stop(&peer);
	return result;
}

static bool has_whole_file(void)
{
	KC_CLEANUP_BUFFER struct kc_buffer bytes = KC_BUFFER_INIT(2 * BODY_LENGTH);

	return kc_file_read(AT_FDCWD, world.path, &bytes, NULL) == 0 && bytes.length == BODY_LENGTH &&
	       memcmp(bytes.data, world.body, BODY_LENGTH) == 0;
}

#define WHOLE .path = "/file", .body = world.body, .body_length = BODY_LENGTH

/* What lies in FILE.part before, what the server does, what there is afterwards. */
static void download_ends_as_it_should(void)
{
	static const struct {
		const char *name;
		const char *part; /* what an earlier call left */
		size_t part_length;
		struct kc_peer_reply replies[2];
		int64_t size;
		int expected;
		unsigned int requests;
		bool leaves_part;
		const char *text; /* of the error; of the requests where it succeeds */
	} rows[] = {
		{ "from nothing", NULL, 0, { { WHOLE } }, -1, 0, 1, false, "GET /file" },
		{ "no length",
		  NULL,
		  0,
		  { { WHOLE, .flags = KC_PEER_NO_LENGTH } },
		  BODY_LENGTH,
		  0,
		  1,
		  false,
		  "" },
		{ "continued",
		  world.body,
		  60000,
		  { { WHOLE, .flags = KC_PEER_RANGES } },
		  -1,
		  0,
		  1,
		  false,
		  "Range: bytes=60000-" },
		{ "continued after a cut",
		  NULL,
		  0,
		  { { WHOLE, .times = 1, .send_bytes = 50000 }, { WHOLE, .flags = KC_PEER_RANGES } },
		  -1,
		  0,
		  2,
		  false,
		  "Range: bytes=50000-" },
		{ "ranges ignored",
		  world.body,
		  60000,
		  { { WHOLE } },
		  -1,
		  0,
		  1,
		  false,
		  "Range: bytes=60000-" },
		{ "another file's part",
		  world.other,
		  60000,
		  { { WHOLE, .flags = KC_PEER_RANGES } },
		  -1,
		  0,
		  2,
		  false,
		  "Range: bytes=60000-" },
		{ "416, all there",
		  world.body,
		  BODY_LENGTH,
		  { { WHOLE, .flags = KC_PEER_RANGES } },
		  -1,
		  0,
		  1,
		  false,
		  "Range: bytes=100000-" },
		{ "416, but damaged",
		  world.other,
		  BODY_LENGTH,
		  { { WHOLE, .flags = KC_PEER_RANGES } },
		  -1,
		  0,
		  2,
		  false,
		  "Range: bytes=100000-" },
		{ "known to be all there",
		  world.body,
		  BODY_LENGTH,
		  { { WHOLE } },
		  BODY_LENGTH,
		  0,
		  0,
		  false,
		  "" },
		{ "all there but damaged",
		  world.other,
		  BODY_LENGTH,
		  { { WHOLE } },
		  BODY_LENGTH,
		  0,
		  1,
		  false,
		  "GET /file" },
		{ "wrong range, then right",
		  world.body,
		  60000,
		  { { WHOLE, .times = 1, .flags = KC_PEER_WRONG_RANGE }, { WHOLE } },
		  -1,
		  0,
		  2,
		  false,
		  "Range: bytes=60000-" },
		{ "wrong digest",
		  NULL,
		  0,
		  { { .path = "/file", .body = world.other, .body_length = BODY_LENGTH } },
		  -1,
		  -EBADMSG,
		  1,
		  false,
		  "wrong digest" },
		{ "changed to wrong bytes",
		  world.body,
		  60000,
		  { { .path = "/file",
		      .body = world.other,
		      .body_length = BODY_LENGTH,
		      .flags = KC_PEER_RANGES } },
		  -1,
		  -EBADMSG,
		  2,
		  false,
		  "wrong digest" },
		{ "length that lies low",
		  NULL,
		  0,
		  { { WHOLE, .declared_length = 500 } },
		  -1,
		  -EBADMSG,
		  1,
		  false,
		  "wrong digest" },
		{ "shorter than announced by the index",
		  NULL,
		  0,
		  { { .path = "/file", .body = world.body, .body_length = 500 } },
		  BODY_LENGTH,
		  -EBADMSG,
		  1,
		  false,
		  "wrong size" },
		{ "longer than announced by the index",
		  NULL,
		  0,
		  { { WHOLE, .flags = KC_PEER_NO_LENGTH } },
		  500,
		  -E2BIG,
		  1,
		  false,
		  "announced size of 500" },
		{ "truncated each time",
		  NULL,
		  0,
		  { { WHOLE, .send_bytes = 50000 } },
		  -1,
		  -ECONNRESET,
		  3,
		  true,
		  "truncated" },
		{ "not there", NULL, 0, { { .path = "/else" } }, -1, -ENOENT, 1, true, "HTTP status 404" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		struct downloaded result;

		(void)unlink(world.path);
		(void)unlink(world.part);
		if (rows[i].part)
			KC_CHECK_INT(kc_file_write_atomic(AT_FDCWD, world.part, rows[i].part,
							  rows[i].part_length, 0600, NULL),
				     0);
		result = download(rows[i].replies, rows[i].replies[0].times ? 2 : 1, rows[i].size,
				  10 * BODY_LENGTH, &quick);
		KC_CHECK_MESSAGE(result.status == rows[i].expected, "%s: got %d (%s)", rows[i].name,
				 result.status, result.err.text);
		KC_CHECK_MESSAGE(result.requests == rows[i].requests, "%s: %u requests", rows[i].name,
				 result.requests);
		KC_CHECK_MESSAGE(has_whole_file() == (rows[i].expected == 0), "%s: the file", rows[i].name);
		KC_CHECK_MESSAGE((access(world.part, F_OK) == 0) == rows[i].leaves_part, "%s: the part",
				 rows[i].name);
		KC_CHECK_CONTAINS(rows[i].expected ? result.err.text : result.log, rows[i].text);
		KC_CHECK_MESSAGE((result.status < 0) == (result.err.code != 0), "%s: error and status differ",
				 rows[i].name);
	}
}

static void the_limit_is_hard(void)
{
	static const struct kc_peer_reply announced[] = { { WHOLE } };
	static const struct kc_peer_reply unannounced[] = { { WHOLE, .flags = KC_PEER_NO_LENGTH } };
	struct downloaded result;

	(void)unlink(world.path);
	KC_CHECK_INT(download(announced, 1, -1, BODY_LENGTH - 1, &quick).status, -E2BIG);
	result = download(unannounced, 1, -1, BODY_LENGTH - 1, &quick);
	KC_CHECK_INT(result.status, -E2BIG);
	KC_CHECK_INT(download(announced, 1, BODY_LENGTH, BODY_LENGTH - 1, &quick).requests, 0);
	KC_CHECK(access(world.path, F_OK) < 0 && access(world.part, F_OK) < 0);
	KC_CHECK_INT(download(unannounced, 1, -1, BODY_LENGTH, &quick).status, 0);
}

static void a_part_that_is_a_link_is_not_followed(void)
{
	static const struct kc_peer_reply replies[] = { { WHOLE } };
	char victim[300];

	(void)unlink(world.path);
	(void)snprintf(victim, sizeof(victim), "%s/victim", world.directory);
	KC_REQUIRE(symlink(victim, world.part) == 0);
	KC_CHECK_INT(download(replies, 1, -1, BODY_LENGTH, &quick).status, -ELOOP);
	KC_CHECK(access(victim, F_OK) < 0);
	(void)unlink(world.part);
}

static void a_full_disk_is_said_and_mended_by_space(void)
{
	static const struct kc_peer_reply replies[] = { { WHOLE, .flags = KC_PEER_RANGES } };
	int status = 0;
	pid_t child;

	(void)unlink(world.path);
	child = fork();
	if (child == 0) { /* a limit on file sizes fails like a full disk, without needing one */
		const struct rlimit small = { 40000, 40000 };
		struct downloaded result;

		(void)signal(SIGXFSZ, SIG_IGN);
		(void)setrlimit(RLIMIT_FSIZE, &small);
		result = download(replies, 1, -1, BODY_LENGTH, &quick);
		_exit(result.status == -EFBIG && strstr(result.err.text, "write `") &&
				      strstr(result.err.hint, "free some space")
			      ? 0
			      : 1);
	}
	KC_REQUIRE(child > 0 && waitpid(child, &status, 0) == child);
	KC_CHECK_INT(status, 0);
	KC_CHECK(access(world.path, F_OK) < 0);
	KC_CHECK_INT(download(replies, 1, -1, BODY_LENGTH, &quick).status, 0);
	KC_CHECK(has_whole_file());
}

static void note_progress(void *context, int64_t done, int64_t total)
{
	int64_t *last = context;

	last[0] = done;
	last[1] = total;
}

static void tells_its_progress(void)
{
	static const struct kc_peer_reply replies[] = { { WHOLE } };
	struct kc_http_options options = quick;
	int64_t last[2] = { -2, -2 };

	(void)unlink(world.path);
	options.progress = note_progress;
	options.context = last;
	KC_CHECK_INT(download(replies, 1, BODY_LENGTH, BODY_LENGTH, &options).status, 0);
	KC_CHECK_INT(last[0], BODY_LENGTH);
	KC_CHECK_INT(last[1], BODY_LENGTH);
}

static void urls_are_shown_without_secrets(void)
{
	static const struct {
		const char *url, *expected;
	} rows[] = {
		{ "https://i.example/simple", "https://i.example/simple" },
		{ "https://bob:s3cret@i.example/simple", "https://***@i.example/simple" },
		{ "https://t0ken@i.example:8443/s", "https://***@i.example:8443/s" },
		{ "https://i.example/x?X-Signature=s3cret#frag", "https://i.example/x?***" },
		{ "not a url", "(not a URL)" },
		{ "https://i.example/\x1b[31m", "(not a URL)" },
		{ "", "(not a URL)" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		char text[256];

		kc_url_redact(rows[i].url, text, sizeof(text));
		KC_CHECK_STRING(text, rows[i].expected);
	}
}

static void references_are_resolved_and_credentials_lent(void)
{
	static const struct {
		const char *base, *reference, *expected; /* NULL: refused */
	} rows[] = {
		{ "https://i.example/simple/p/", "../../files/f.whl", "https://i.example/files/f.whl" },
		{ "https://i.example/simple/p/", "https://f.example/f.whl", "https://f.example/f.whl" },
		{ "https://b:pw@i.example/simple/p/", "/f.whl", "https://b:pw@i.example/f.whl" },
		{ "https://b:pw@i.example/simple/p/", "https://i.example/f.whl",
		  "https://b:pw@i.example/f.whl" },
		{ "https://b:pw@i.example/s/", "https://i.example:443/f", "https://b:pw@i.example:443/f" },
		{ "https://b:pw@i.example/s/", "https://f.example/f", "https://f.example/f" },
		{ "https://b:pw@i.example/s/", "https://i.example:8443/f", "https://i.example:8443/f" },
		{ "https://b:pw@i.example/s/", "http://i.example/f", "http://i.example/f" },
		{ "https://b:pw@i.example/s/", "//f.example/f", "https://f.example/f" },
		{ "https://i.example/s/", "https://", NULL },
		{ "https://i.example/s/", "gopher://x y/", NULL },
		{ "not a url", "f", NULL },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		char url[KC_URL_SIZE] = "";
		struct kc_error err = { 0 };
		int status = kc_url_resolve(rows[i].base, rows[i].reference, url, &err);

		if (rows[i].expected)
			KC_CHECK_STRING(url, rows[i].expected);
		else
			KC_CHECK_MESSAGE(status == -EINVAL, "%s was taken as %s", rows[i].reference, url);
	}
}

static void origins_and_queries_of_urls(void)
{
	static const struct {
		const char *a, *b, *authority; /* of `a`; NULL: refused */
		bool is_same;
	} rows[] = {
		{ "https://r.example/v2/", "https://R.example:443/x?y", "r.example", true },
		{ "http://127.0.0.1:5000/", "http://127.0.0.1:5001/", "127.0.0.1:5000", false },
		{ "http://r.example/", "https://r.example/", "r.example", false },
		{ "https://r.example/", "https://r.example.evil/", "r.example", false },
		{ "https://[::1]:5000/", "https://[::1]:5000", "[::1]:5000", true },
		{ "https://r.example@evil/", "https://r.example/", NULL, false },
		{ "ftp://r.example/", "https://r.example/", NULL, false },
		{ "no url", "no url", NULL, false },
	};
	char url[KC_URL_SIZE] = "https://r.example/token?a=b";

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		char authority[KC_URL_SIZE] = "";
		int status = kc_url_authority(rows[i].a, authority, NULL);

		KC_CHECK_INT(status, rows[i].authority ? 0 : -EINVAL);
		if (rows[i].authority)
			KC_CHECK_STRING(authority, rows[i].authority);
		KC_CHECK_MESSAGE(kc_url_is_same_origin(rows[i].a, rows[i].b) == rows[i].is_same, "%s, %s",
				 rows[i].a, rows[i].b);
	}
	KC_CHECK_INT(kc_url_add_query(url, "scope", "repository:a/b:pull&c=d"), 0);
	KC_CHECK_STRING(url, "https://r.example/token?a=b&scope=repository%3aa%2fb%3apull%26c%3dd");
}

KC_TEST_SUITE_WITH(http, KC_LABEL_FAST, setup, teardown, KC_TEST(gets_a_page), KC_TEST(get_ends_as_it_should),
		   KC_TEST(gives_up_on_a_server_that_stalls_or_drips),
		   KC_TEST(everything_ends_at_the_total_deadline), KC_TEST(can_be_interrupted),
		   KC_TEST(says_what_the_network_lacks), KC_TEST(credentials_stay_with_their_host),
		   KC_TEST(logins_stay_with_their_origin), KC_TEST(origins_and_queries_of_urls),
		   KC_TEST(tls_is_verified_and_not_left), KC_TEST(a_missing_ca_bundle_is_named),
		   KC_TEST(a_proxy_is_used), KC_TEST(download_ends_as_it_should), KC_TEST(the_limit_is_hard),
		   KC_TEST(a_part_that_is_a_link_is_not_followed),
		   KC_TEST(a_full_disk_is_said_and_mended_by_space), KC_TEST(tells_its_progress),
		   KC_TEST(urls_are_shown_without_secrets),
		   KC_TEST(references_are_resolved_and_credentials_lent));
