#include "net/url.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"

static void cleanup_url(CURLU **url)
{
	curl_url_cleanup(*url);
}

static void cleanup_part(char **part)
{
	curl_free(*part);
}
#define CLEANUP_URL KC_CLEANUP(cleanup_url)
#define CLEANUP_PART KC_CLEANUP(cleanup_part)

/* The part as libcurl spells it, or NULL; curl_free it. */
static char *part_of(CURLU *url, CURLUPart part, unsigned int flags)
{
	char *text = NULL;

	return curl_url_get(url, part, &text, flags) == CURLUE_OK ? text : NULL;
}

void kc_url_redact(const char *url, char *ret_text, size_t size)
{
	CLEANUP_URL CURLU *parsed = curl_url();
	CLEANUP_PART char *user = NULL;
	CLEANUP_PART char *query = NULL;
	CLEANUP_PART char *text = NULL;

	(void)snprintf(ret_text, size, "(not a URL)");
	if (!parsed || curl_url_set(parsed, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK)
		return;
	user = part_of(parsed, CURLUPART_USER, 0);
	query = part_of(parsed, CURLUPART_QUERY, 0);
	if (curl_url_set(parsed, CURLUPART_USER, user ? "***" : NULL, 0) != CURLUE_OK ||
	    curl_url_set(parsed, CURLUPART_PASSWORD, NULL, 0) != CURLUE_OK ||
	    curl_url_set(parsed, CURLUPART_OPTIONS, NULL, 0) != CURLUE_OK ||
	    curl_url_set(parsed, CURLUPART_QUERY, query ? "***" : NULL, 0) != CURLUE_OK ||
	    curl_url_set(parsed, CURLUPART_FRAGMENT, NULL, 0) != CURLUE_OK)
		return;
	text = part_of(parsed, CURLUPART_URL, 0);
	if (!text)
		return;
	(void)snprintf(ret_text, size, "%s", text);
	for (char *next = ret_text; *next; next++)
		if ((unsigned char)*next < ' ' || *next == 127)
			*next = '?';
}

bool kc_url_is_plain_http(const char *url)
{
	return strncasecmp(url, "http:", 5) == 0;
}

static bool is_same(CURLU *a, CURLU *b, CURLUPart part)
{
	CLEANUP_PART char *of_a = part_of(a, part, CURLU_DEFAULT_PORT);
	CLEANUP_PART char *of_b = part_of(b, part, CURLU_DEFAULT_PORT);

	return of_a && of_b && strcasecmp(of_a, of_b) == 0;
}

static bool is_origin_same(CURLU *a, CURLU *b)
{
	return is_same(a, b, CURLUPART_SCHEME) && is_same(a, b, CURLUPART_HOST) &&
	       is_same(a, b, CURLUPART_PORT);
}

bool kc_url_is_same_origin(const char *a, const char *b)
{
	CLEANUP_URL CURLU *first = curl_url();
	CLEANUP_URL CURLU *second = curl_url();

	return first && second && curl_url_set(first, CURLUPART_URL, a, 0) == CURLUE_OK &&
	       curl_url_set(second, CURLUPART_URL, b, 0) == CURLUE_OK && is_origin_same(first, second);
}

/* http or https, and nobody's login in it. */
static bool is_plain_web(CURLU *url)
{
	CLEANUP_PART char *scheme = part_of(url, CURLUPART_SCHEME, 0);
	CLEANUP_PART char *user = part_of(url, CURLUPART_USER, 0);

	return scheme && !user && (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);
}

int kc_url_authority(const char *url, char ret_authority[KC_URL_SIZE], char ret_host[KC_URL_SIZE])
{
	CLEANUP_URL CURLU *parsed = curl_url();
	CLEANUP_PART char *host = NULL;
	CLEANUP_PART char *port = NULL;

	/* The length bounds what is written below. */
	if (!parsed || strlen(url) >= KC_URL_SIZE || curl_url_set(parsed, CURLUPART_URL, url, 0) != CURLUE_OK)
		return -EINVAL;
	host = part_of(parsed, CURLUPART_HOST, 0);
	port = part_of(parsed, CURLUPART_PORT, CURLU_NO_DEFAULT_PORT);
	if (!host || !is_plain_web(parsed))
		return -EINVAL;
	if (ret_authority)
		(void)snprintf(ret_authority, KC_URL_SIZE, "%s%s%s", host, port ? ":" : "", port ? port : "");
	if (ret_host)
		(void)snprintf(ret_host, KC_URL_SIZE, "%s", host);
	return 0;
}

int kc_url_add_query(char url[KC_URL_SIZE], const char *name, const char *value)
{
	CLEANUP_URL CURLU *parsed = curl_url();
	CLEANUP_PART char *text = NULL;
	char pair[KC_URL_SIZE];

	if (snprintf(pair, sizeof(pair), "%s=%s", name, value) >= (int)sizeof(pair) || !parsed ||
	    curl_url_set(parsed, CURLUPART_URL, url, 0) != CURLUE_OK ||
	    curl_url_set(parsed, CURLUPART_QUERY, pair, CURLU_APPENDQUERY | CURLU_URLENCODE) != CURLUE_OK)
		return -EINVAL;
	text = part_of(parsed, CURLUPART_URL, 0);
	if (!text || strlen(text) >= KC_URL_SIZE)
		return -EINVAL;
	(void)snprintf(url, KC_URL_SIZE, "%s", text);
	return 0;
}

/* libcurl keeps the user of the base for a relative reference only; an index may also write its own address
 * out. */
static CURLUcode lend_credentials(CURLU *base, CURLU *url)
{
	static const CURLUPart parts[] = { CURLUPART_USER, CURLUPART_PASSWORD };
	CLEANUP_PART char *own = part_of(url, CURLUPART_USER, 0);

	if (own || !is_origin_same(base, url))
		return CURLUE_OK;
	for (size_t i = 0; i < KC_ARRAY_LENGTH(parts); i++) {
		CLEANUP_PART char *lent = part_of(base, parts[i], 0);
		CURLUcode code = lent ? curl_url_set(url, parts[i], lent, 0) : CURLUE_OK;

		if (code != CURLUE_OK)
			return code;
	}
	return CURLUE_OK;
}

int kc_url_resolve(const char *base, const char *reference, char ret_url[KC_URL_SIZE], struct kc_error *err)
{
	CLEANUP_URL CURLU *from = curl_url();
	CLEANUP_URL CURLU *to = NULL;
	CLEANUP_PART char *text = NULL;
	char shown[512];
	CURLUcode code;

	kc_url_redact(base, shown, sizeof(shown));
	if (!from)
		return kc_error_errno(err, ENOMEM, "read URL");
	code = curl_url_set(from, CURLUPART_URL, base, 0);
	if (code == CURLUE_OK) {
		to = curl_url_dup(from);
		code = to ? curl_url_set(to, CURLUPART_URL, reference, 0) : CURLUE_OUT_OF_MEMORY;
	}
	if (code == CURLUE_OK)
		code = lend_credentials(from, to);
	if (code == CURLUE_OK)
		code = curl_url_get(to, CURLUPART_URL, &text, 0);
	if (code != CURLUE_OK)
		return kc_error_set(err, EINVAL, "read an address named by `%s`: %s", shown,
				    curl_url_strerror(code));
	if (strlen(text) >= KC_URL_SIZE)
		return kc_error_set(err, EINVAL, "read an address named by `%s`: longer than %d bytes", shown,
				    KC_URL_SIZE - 1);
	(void)snprintf(ret_url, KC_URL_SIZE, "%s", text);
	return 0;
}
