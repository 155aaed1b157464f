#include "net/http.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/http_internal.h"
#include "sys/time.h"

enum {
	LONGEST_PAUSE_MS = 30000,
	PAUSE_STEP_MS = 50,
	PROGRESS_EVERY_MS = 100,
	/* An attempt that brought so much is not held against the connection. */
	GOOD_PROGRESS_BYTES = 1 << 20,
	/* What a redirect or a refusal may have to say, however small the file is. */
	PAGE_BYTES = 1 << 16,
};

static const struct kc_http_options defaults = {
	.attempts = 4,
	.retry_delay_ms = 500,
	.connect_timeout_ms = 20000,
	.low_speed_bytes = 1024,
	.low_speed_s = 30,
	.total_timeout_ms = INT64_C(30) * 60 * 1000,
};

#define CA_HINT                                                                                              \
	"if a proxy or a private index signs with a CA of its own, name its PEM bundle in PIP_CERT or "      \
	"SSL_CERT_FILE; on a bare system install ca-certificates"
#define NETWORK_HINT                                                                                         \
	"check the network connection, the name server, and https_proxy where a proxy is needed; a volume "  \
	"that is on disk already can be given with --volume FILE"
#define LATER_HINT "try again later; what has arrived is kept and continued"

/* What libcurl's codes mean for us, https://curl.se/libcurl/c/libcurl-errors.html. */
static const struct {
	CURLcode code;
	int errno_value;
	bool may_retry;
	const char *text;
	const char *hint;
} faults[] = {
	{ CURLE_COULDNT_RESOLVE_HOST, EHOSTUNREACH, false, "host name not found", NETWORK_HINT },
	{ CURLE_COULDNT_RESOLVE_PROXY, EHOSTUNREACH, false, "host name of the proxy not found",
	  "check https_proxy, HTTPS_PROXY, ALL_PROXY and pip's `proxy` setting" },
	{ CURLE_COULDNT_CONNECT, ECONNREFUSED, true, "no connection", NETWORK_HINT },
	{ CURLE_OPERATION_TIMEDOUT, ETIMEDOUT, true, "too slow", LATER_HINT },
	{ CURLE_PEER_FAILED_VERIFICATION, EKEYREJECTED, false, "certificate not trusted", CA_HINT },
	{ CURLE_SSL_CACERT_BADFILE, EKEYREJECTED, false, "CA bundle not usable", CA_HINT },
	{ CURLE_SSL_CONNECT_ERROR, EPROTO, true, "TLS handshake failed", CA_HINT },
	{ CURLE_TOO_MANY_REDIRECTS, ELOOP, false, "too many redirects", "check the index URL" },
	{ CURLE_UNSUPPORTED_PROTOCOL, EPROTONOSUPPORT, false, "protocol refused",
	  "only https is used, and http only where the configured URL itself is http" },
	{ CURLE_URL_MALFORMAT, EINVAL, false, "not a URL",
	  "check the index URL (PIP_INDEX_URL, pip config)" },
	{ CURLE_PARTIAL_FILE, ECONNRESET, true, "truncated", LATER_HINT },
	{ CURLE_GOT_NOTHING, ECONNRESET, true, "connection closed without an answer", LATER_HINT },
	{ CURLE_RECV_ERROR, ECONNRESET, true, "connection lost", LATER_HINT },
	{ CURLE_SEND_ERROR, ECONNRESET, true, "connection lost", LATER_HINT },
	{ CURLE_HTTP2, ECONNRESET, true, "connection lost", LATER_HINT },
	{ CURLE_HTTP2_STREAM, ECONNRESET, true, "connection lost", LATER_HINT },
	{ CURLE_BAD_CONTENT_ENCODING, EPROTO, false, "damaged content encoding", LATER_HINT },
	{ CURLE_WEIRD_SERVER_REPLY, EPROTO, false, "not an HTTP answer",
	  "check the index URL and the proxy" },
	{ CURLE_FILESIZE_EXCEEDED, E2BIG, false, "larger than the limit", "" },
	{ CURLE_ABORTED_BY_CALLBACK, EINTR, false, "interrupted", "" },
	{ CURLE_OUT_OF_MEMORY, ENOMEM, false, "out of memory", "" },
};

/* The first row whose range holds the status. */
static const struct {
	long first, last;
	int errno_value;
	bool may_retry;
	const char *hint;
} statuses[] = {
	{ 401, 401, EACCES, false,
	  "check the user and password in the index URL (PIP_INDEX_URL, pip config)" },
	{ 403, 403, EACCES, false,
	  "the server knows the request and forbids it: check the account, or the proxy" },
	{ 404, 404, ENOENT, false, "check the index URL (PIP_INDEX_URL, pip config)" },
	{ 407, 407, EACCES, false, "give the proxy's user and password in https_proxy" },
	{ 410, 410, ENOENT, false, "check the index URL (PIP_INDEX_URL, pip config)" },
	{ 408, 408, EAGAIN, true, "try again later" },
	{ 429, 429, EAGAIN, true, "the server asks for fewer requests: try again later" },
	{ 500, 599, EAGAIN, true, "the server has a fault: try again later, or use another index" },
	{ 0, 999, EPROTO, false, "check the index URL (PIP_INDEX_URL, pip config)" },
};

static const char *const ca_variables[] = { "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
					    "SSL_CERT_FILE" };

static int set_ca_path(CURL *easy, const char *path, const char *named_by, struct kc_error *err)
{
	struct stat status;
	CURLcode code;

	if (stat(path, &status) < 0 || access(path, R_OK) < 0) {
		(void)kc_error_errno(err, errno, "read CA bundle `%s` (named by %s)", path, named_by);
		kc_error_hint(err, "correct or unset %s", named_by);
		return -EKEYREJECTED;
	}
	code = curl_easy_setopt(easy, S_ISDIR(status.st_mode) ? CURLOPT_CAPATH : CURLOPT_CAINFO, path);
	return code == CURLE_OK ? 0 : kc_error_errno(err, ENOMEM, "set CA bundle `%s`", path);
}

static int set_ca(CURL *easy, const char *ca_file, struct kc_error *err)
{
	if (ca_file && *ca_file)
		return set_ca_path(easy, ca_file, "pip's `cert` setting", err);
	for (size_t i = 0; i < KC_ARRAY_LENGTH(ca_variables); i++) {
		const char *path = getenv(ca_variables[i]);

		if (path && *path)
			return set_ca_path(easy, path, ca_variables[i], err);
	}
	return 0;
}

static bool is_interrupted(const struct kc_http *http)
{
	return http->options.is_interrupted && http->options.is_interrupted(http->options.context);
}

static int on_progress(void *context, curl_off_t total, curl_off_t now, curl_off_t up_total,
		       curl_off_t up_now)
{
	struct kc_transfer *transfer = context;
	const struct kc_http_options *options = &transfer->http->options;
	int64_t time_ms = kc_now_ms();

	(void)total, (void)now, (void)up_total, (void)up_now; /* of one attempt; ours are of the whole */
	if (is_interrupted(transfer->http))
		return 1;
	if (options->progress && transfer->offset && time_ms - transfer->shown_ms >= PROGRESS_EVERY_MS) {
		options->progress(options->context, transfer->offset, transfer->size);
		transfer->shown_ms = time_ms;
	}
	return 0;
}

static int begin(struct kc_transfer *transfer)
{
	curl_off_t announced = -1;

	if (transfer->has_begun)
		return 0;
	transfer->has_begun = true;
	(void)curl_easy_getinfo(transfer->http->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T,
				&announced); /* stays -1 */
	if (announced > transfer->limit)
		return kc_error_set(transfer->err, E2BIG,
				    "get `%s`: its %lld bytes are over the limit of %lld",
				    transfer->shown_url, (long long)announced, (long long)transfer->limit);
	return transfer->sink->begin(transfer);
}

static size_t on_body(char *bytes, size_t unit, size_t count, void *context)
{
	struct kc_transfer *transfer = context;

	(void)unit; /* always 1, CURLOPT_WRITEFUNCTION(3) */
	if (curl_easy_getinfo(transfer->http->easy, CURLINFO_RESPONSE_CODE, &transfer->status) != CURLE_OK)
		transfer->status = 0;
	transfer->failed = begin(transfer);
	if (transfer->failed == 0)
		transfer->failed = transfer->sink->take(transfer, bytes, count);
	return transfer->failed ? CURL_WRITEFUNC_ERROR : count;
}

int kc_http_open(struct kc_http *http, const struct kc_http_options *options, struct kc_error *err)
{
	struct kc_http_options *own = &http->options;
	int status;

	*http = (struct kc_http){ .options = options ? *options : defaults };
	own->attempts = own->attempts ? own->attempts : defaults.attempts;
	own->retry_delay_ms = own->retry_delay_ms ? own->retry_delay_ms : defaults.retry_delay_ms;
	own->connect_timeout_ms =
		own->connect_timeout_ms ? own->connect_timeout_ms : defaults.connect_timeout_ms;
	own->low_speed_bytes = own->low_speed_bytes ? own->low_speed_bytes : defaults.low_speed_bytes;
	own->low_speed_s = own->low_speed_s ? own->low_speed_s : defaults.low_speed_s;
	own->total_timeout_ms = own->total_timeout_ms ? own->total_timeout_ms : defaults.total_timeout_ms;
	http->easy = curl_easy_init(); /* libcurl initialises itself, thread-safely since 7.84 */
	if (!http->easy)
		return kc_error_errno(err, ENOMEM, "start libcurl");
	status = set_ca(http->easy, own->ca_file, err);
	if (status < 0)
		kc_http_close(http);
	return status;
}

void kc_http_close(struct kc_http *http)
{
	curl_easy_cleanup(http->easy); /* NULL-safe */
	http->easy = NULL;
}

void kc_cleanup_http(struct kc_http *http)
{
	kc_http_close(http);
}

void kc_transfer_init(struct kc_transfer *transfer, struct kc_http *http,
		      const struct kc_http_request *request, struct kc_error *err)
{
	*transfer = (struct kc_transfer){ .http = http, .request = request, .err = err, .size = -1 };
	transfer->deadline_ms = kc_now_ms() + http->options.total_timeout_ms;
	http->status = 0;
	kc_url_redact(request->url, transfer->shown_url, sizeof(transfer->shown_url));
}

/* The reason behind a failed connection is often that there is nothing to connect with. */
static bool has_network(void)
{
	struct ifaddrs *addresses = NULL;
	bool found = false;

	if (getifaddrs(&addresses) < 0)
		return true; /* not known: let the other message stand */
	for (const struct ifaddrs *next = addresses; next && !found; next = next->ifa_next)
		found = next->ifa_addr && (next->ifa_flags & IFF_UP) && !(next->ifa_flags & IFF_LOOPBACK) &&
			(next->ifa_addr->sa_family == AF_INET || next->ifa_addr->sa_family == AF_INET6);
	freeifaddrs(addresses);
	return found;
}

/* libcurl's own words may quote a server's. */
static void make_printable(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 127)
			*text = '?';
}

static int status_error(struct kc_transfer *transfer)
{
	size_t i = 0;
	int status;

	while (transfer->status < statuses[i].first || transfer->status > statuses[i].last)
		i++;
	transfer->may_retry = statuses[i].may_retry;
	status = kc_error_set(transfer->err, statuses[i].errno_value, "get `%s`: HTTP status %ld",
			      transfer->shown_url, transfer->status);
	kc_error_hint(transfer->err, "%s", statuses[i].hint);
	return status;
}

static int fault_error(struct kc_transfer *transfer, CURLcode code)
{
	const char *detail = transfer->detail[0] ? transfer->detail : curl_easy_strerror(code);
	size_t i = 0;
	int status;

	while (i < KC_ARRAY_LENGTH(faults) && faults[i].code != code)
		i++;
	make_printable(transfer->detail);
	if (i == KC_ARRAY_LENGTH(faults))
		return kc_error_set(transfer->err, EIO, "get `%s`: %s", transfer->shown_url, detail);
	transfer->may_retry = faults[i].may_retry;
	if ((code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST) && !has_network()) {
		transfer->may_retry = false;
		status = kc_error_set(transfer->err, ENETUNREACH, "get `%s`: no network (%s)",
				      transfer->shown_url, detail);
	} else {
		status = kc_error_set(transfer->err, faults[i].errno_value, "get `%s`: %s (%s)",
				      transfer->shown_url, faults[i].text, detail);
	}
	kc_error_hint(transfer->err, "%s", faults[i].hint);
	return status;
}

static int deadline_error(struct kc_transfer *transfer)
{
	int status =
		kc_error_set(transfer->err, ETIMEDOUT, "get `%s`: not done after %lld s", transfer->shown_url,
			     (long long)(transfer->http->options.total_timeout_ms / 1000));

	transfer->may_retry = false;
	kc_error_hint(transfer->err, LATER_HINT);
	return status;
}

static int interrupted_error(struct kc_transfer *transfer)
{
	transfer->may_retry = false;
	return kc_error_set(transfer->err, EINTR, "get `%s`: interrupted", transfer->shown_url);
}

/* Sets options until one is refused: CURLE_OK or the first refusal is kept in `code`. */
#define SET(option, value)                                                                                   \
	do {                                                                                                 \
		if (code == CURLE_OK)                                                                        \
			code = curl_easy_setopt(easy, (option), (value));                                    \
	} while (0)

/* libcurl's own notion of a login and not a header of ours: what it knows to be one it sends to the scheme, host
 * and port of the URL only, CURLOPT_UNRESTRICTED_AUTH(3). The handle is used again, so each request says all. */
static CURLcode set_login(const struct kc_transfer *transfer)
{
	const struct kc_http_request *request = transfer->request;
	CURL *easy = transfer->http->easy;
	CURLcode code = CURLE_OK;

	SET(CURLOPT_UNRESTRICTED_AUTH, 0L);
	SET(CURLOPT_HTTPAUTH, request->bearer ? CURLAUTH_BEARER : CURLAUTH_BASIC);
	SET(CURLOPT_XOAUTH2_BEARER, request->bearer);
	SET(CURLOPT_USERNAME, request->bearer ? NULL : request->user);
	SET(CURLOPT_PASSWORD, request->bearer ? NULL : request->password);
	return code;
}

static CURLcode set_request(const struct kc_transfer *transfer, struct curl_slist *headers)
{
	const char *protocols = transfer->request->is_plain_http_allowed ? "http,https" : "https";
	CURL *easy = transfer->http->easy;
	char range[32] = "";
	CURLcode code = CURLE_OK;

	if (transfer->offset)
		(void)snprintf(range, sizeof(range), "%lld-", (long long)transfer->offset);
	SET(CURLOPT_URL, transfer->request->url);
	SET(CURLOPT_PROTOCOLS_STR, protocols);
	SET(CURLOPT_REDIR_PROTOCOLS_STR, protocols);
	SET(CURLOPT_FOLLOWLOCATION, transfer->request->are_redirects_refused ? 0L : 1L);
	SET(CURLOPT_MAXREDIRS, (long)KC_HTTP_MAX_REDIRECTS);
	SET(CURLOPT_FAILONERROR, 1L);
	SET(CURLOPT_HTTPHEADER, headers);
	/* Not CURLOPT_RESUME_FROM: it makes an error of a server that ignores ranges. */
	SET(CURLOPT_RANGE, range[0] ? range : NULL);
	SET(CURLOPT_ACCEPT_ENCODING, transfer->content_encoding);
	SET(CURLOPT_USERAGENT, "krunner-compat/" KC_VERSION);
	/* Of any answer, also of those that are not the file: `begin` holds that to the limit itself. */
	SET(CURLOPT_MAXFILESIZE_LARGE,
	    (curl_off_t)(transfer->limit < PAGE_BYTES ? PAGE_BYTES : transfer->limit));
	if (transfer->http->options.proxy)
		SET(CURLOPT_PROXY, transfer->http->options.proxy);
	return code;
}

static CURLcode set_control(struct kc_transfer *transfer, int64_t left_ms)
{
	const struct kc_http_options *options = &transfer->http->options;
	CURL *easy = transfer->http->easy;
	CURLcode code = CURLE_OK;

	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, transfer);
	SET(CURLOPT_XFERINFOFUNCTION, on_progress);
	SET(CURLOPT_XFERINFODATA, transfer);
	SET(CURLOPT_NOPROGRESS, 0L);
	SET(CURLOPT_NOSIGNAL, 1L); /* signals are the program's own affair */
	SET(CURLOPT_ERRORBUFFER, transfer->detail);
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long)options->connect_timeout_ms);
	SET(CURLOPT_TIMEOUT_MS, (long)left_ms);
	SET(CURLOPT_LOW_SPEED_LIMIT, options->low_speed_bytes);
	SET(CURLOPT_LOW_SPEED_TIME, options->low_speed_s);
	return code;
}

static int attempt(struct kc_transfer *transfer, struct curl_slist *headers)
{
	int64_t left_ms = transfer->deadline_ms - kc_now_ms();
	CURL *easy = transfer->http->easy;
	CURLcode code;

	transfer->status = 0;
	transfer->failed = 0;
	transfer->has_begun = false;
	transfer->may_retry = false;
	transfer->detail[0] = '\0';
	if (left_ms <= 0)
		return deadline_error(transfer);
	code = set_request(transfer, headers);
	if (code == CURLE_OK)
		code = set_login(transfer);
	if (code == CURLE_OK)
		code = set_control(transfer, left_ms);
	if (code == CURLE_OK)
		code = curl_easy_perform(easy);
	/* The buffer belongs to the transfer, the handle outlives it. */
	(void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, NULL);
	if (transfer->failed)
		return transfer->failed;
	(void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &transfer->status);
	if (code == CURLE_HTTP_RETURNED_ERROR)
		return status_error(transfer);
	if (code == CURLE_ABORTED_BY_CALLBACK)
		return interrupted_error(transfer);
	if (code == CURLE_OPERATION_TIMEDOUT && kc_now_ms() >= transfer->deadline_ms)
		return deadline_error(transfer);
	if (code != CURLE_OK)
		return fault_error(transfer, code);
	if (transfer->status < 200 || transfer->status > 299)
		return status_error(transfer); /* a redirect without a place to go to */
	return begin(transfer);		       /* an empty body has no first byte */
}

/* Waits before attempt number `failures` + 1, in small steps: a user may interrupt it. */
static int pause_before_retry(struct kc_transfer *transfer, unsigned int failures)
{
	int64_t delay_ms = transfer->http->options.retry_delay_ms;
	int64_t until_ms = kc_now_ms();
	curl_off_t asked_s = 0;

	for (unsigned int i = 1; i < failures && delay_ms < LONGEST_PAUSE_MS; i++)
		delay_ms *= 2;
	(void)curl_easy_getinfo(transfer->http->easy, CURLINFO_RETRY_AFTER, &asked_s); /* stays 0 */
	if (asked_s > LONGEST_PAUSE_MS / 1000)
		asked_s = LONGEST_PAUSE_MS / 1000;
	if (delay_ms < asked_s * 1000)
		delay_ms = asked_s * 1000;
	if (delay_ms > LONGEST_PAUSE_MS)
		delay_ms = LONGEST_PAUSE_MS;
	until_ms += delay_ms;
	if (until_ms >= transfer->deadline_ms)
		return -ETIMEDOUT; /* the last failure says more than a deadline would */
	while (kc_now_ms() < until_ms) {
		const struct timespec step = { .tv_nsec = PAUSE_STEP_MS * 1000000L };

		if (is_interrupted(transfer->http))
			return -EINTR;
		(void)nanosleep(&step, NULL); /* cut short is as good */
	}
	return 0;
}

int kc_transfer_run(struct kc_transfer *transfer)
{
	struct kc_error *caller_err = transfer->err;
	struct kc_error err = { 0 };
	struct curl_slist *headers = NULL;
	char accept[KC_HTTP_ACCEPT_SIZE + sizeof("Accept: ")];
	int status = 0;

	(void)snprintf(accept, sizeof(accept), "Accept: %s",
		       transfer->request->accept ? transfer->request->accept : "*/*");
	headers = curl_slist_append(NULL, accept);
	if (!headers)
		return kc_error_errno(transfer->err, ENOMEM, "get `%s`", transfer->shown_url);
	transfer->err = &err; /* an attempt that another one makes good is no error of the caller */
	for (unsigned int failures = 0; failures < transfer->http->options.attempts;) {
		int64_t before = transfer->offset;
		int paused;

		status = attempt(transfer, headers);
		if (status == 0 || !transfer->may_retry)
			break;
		failures = transfer->offset - before >= GOOD_PROGRESS_BYTES ? 1 : failures + 1;
		if (failures >= transfer->http->options.attempts)
			break;
		paused = pause_before_retry(transfer, failures);
		if (paused == -EINTR)
			status = interrupted_error(transfer);
		if (paused < 0)
			break;
	}
	(void)curl_easy_setopt(transfer->http->easy, CURLOPT_HTTPHEADER, NULL);
	curl_slist_free_all(headers);
	transfer->err = caller_err;
	transfer->http->status = transfer->status;
	if (status < 0 && caller_err)
		*caller_err = err;
	return status;
}
