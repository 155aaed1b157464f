#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "net/registry_internal.h"

enum { TOKEN_ANSWER_LIMIT = 64 << 10 };

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"
#define TOKEN_CHARACTERS LETTERS DIGITS "!#$%&'*+-.^_`|~" /* RFC 9110 section 5.6.2 */

/* Hosters below whose names everybody can have one: being neighbours there means nothing. */
static const char *const shared_parents[] = {
	"amazonaws.com", "appspot.com", "azurecr.io",	 "azurewebsites.net", "cloudfront.net", "fly.dev",
	"github.io",	 "gitlab.io",	"herokuapp.com", "netlify.app",	      "pages.dev",	"pkg.dev",
	"run.app",	 "vercel.app",	"windows.net",	 "workers.dev",	      "onrender.com",
};

static const char *skip_blanks(const char *text)
{
	return text + strspn(text, " \t");
}

static bool is_text(char byte)
{
	return (unsigned char)byte >= ' ' && byte != 127;
}

/* The inside of a quoted string; returns what follows the quote at its end. */
static const char *take_quoted(const char *text, char *value, size_t size)
{
	size_t used = 0;

	for (; *text != '"'; text++) {
		text += *text == '\\';
		if (!is_text(*text) || used + 1 >= size) /* a NUL is no text */
			return NULL;
		value[used++] = *text;
	}
	value[used] = '\0';
	return text + 1;
}

/* A token or a quoted string into `value`. Returns what follows, NULL for one that is damaged or too long. */
static const char *take_value(const char *text, char *value, size_t size)
{
	size_t length = strspn(text, TOKEN_CHARACTERS);

	if (*text == '"')
		return take_quoted(text + 1, value, size);
	if (length >= size)
		return NULL;
	memcpy(value, text, length);
	value[length] = '\0';
	return text + length;
}

static bool is_word(const char *text, size_t length, const char *word)
{
	return strlen(word) == length && strncasecmp(text, word, length) == 0;
}

/* "NAME=VALUE"; `text` stands at the name, `equals` at the sign. */
static const char *take_parameter(const char *text, size_t length, const char *equals, bool is_of_bearer,
				  struct kc_registry_challenge *challenge)
{
	const char *value = skip_blanks(equals + 1);
	char ignored[KC_REGISTRY_CHALLENGE_LIMIT + 1];

	if (is_of_bearer && is_word(text, length, "realm"))
		return take_value(value, challenge->realm, sizeof(challenge->realm));
	if (is_of_bearer && is_word(text, length, "service"))
		return take_value(value, challenge->service, sizeof(challenge->service));
	return take_value(value, ignored, sizeof(ignored));
}

/* The name of a scheme; what may follow it at once is a token68, which no scheme of ours has. */
static const char *take_scheme(const char *text, size_t length, bool *ret_is_bearer,
			       struct kc_registry_challenge *challenge)
{
	const char *next = skip_blanks(text + length);
	size_t token68 = strspn(next, LETTERS DIGITS "-._~+/");
	size_t padding = strspn(next + token68, "=");
	const char *after = skip_blanks(next + token68 + padding);

	/* The first Bearer counts. */
	*ret_is_bearer = is_word(text, length, "Bearer") && !challenge->has_bearer;
	challenge->has_bearer |= *ret_is_bearer;
	challenge->has_basic |= is_word(text, length, "Basic");
	return token68 && (*after == ',' || *after == '\0') ? after : next;
}

int kc_registry_challenge_parse(const char *text, struct kc_registry_challenge *ret_challenge)
{
	struct kc_registry_challenge challenge = { 0 };
	bool is_bearer = false;

	if (strlen(text) > KC_REGISTRY_CHALLENGE_LIMIT)
		return -EPROTO;
	for (;;) {
		size_t length;
		const char *after;

		text += strspn(text, " \t,");
		if (*text == '\0')
			break;
		length = strspn(text, TOKEN_CHARACTERS);
		after = skip_blanks(text + length);
		if (length == 0)
			return -EPROTO;
		text = *after == '=' ? take_parameter(text, length, after, is_bearer, &challenge)
				     : take_scheme(text, length, &is_bearer, &challenge);
		if (!text)
			return -EPROTO;
	}
	*ret_challenge = challenge;
	return 0;
}

bool kc_registry_is_loopback(const char *host)
{
	return strcmp(host, "127.0.0.1") == 0 || strcmp(host, "[::1]") == 0 ||
	       strcasecmp(host, "localhost") == 0;
}

static bool ends_in(const char *host, const char *domain)
{
	size_t host_length = strlen(host), length = strlen(domain);

	return host_length >= length && strcasecmp(host + host_length - length, domain) == 0 &&
	       (host_length == length || host[host_length - length - 1] == '.');
}

static bool is_shared(const char *domain)
{
	for (size_t i = 0; i < KC_ARRAY_LENGTH(shared_parents); i++)
		if (ends_in(domain, shared_parents[i]))
			return true;
	return false;
}

/* What stands above `host`, if somebody in particular owns it: neither a top-level domain, nor one such as co.uk
 * (two letters below at most three), nor a hoster's. NULL otherwise. */
static const char *owned_parent(const char *host)
{
	const char *parent = strchr(host, '.');
	const char *last = strrchr(host, '.');

	if (parent == last || host[0] == '[' || strspn(host, DIGITS ".") == strlen(host))
		return NULL;
	parent++;
	if (strchr(parent, '.') == last && strlen(last + 1) == 2 && last - parent <= 3)
		return NULL;
	return is_shared(parent) ? NULL : parent;
}

static bool is_related(const char *own, const char *host)
{
	const char *parent = owned_parent(own);

	return strcasecmp(own, host) == 0 || (parent && ends_in(host, parent));
}

bool kc_registry_realm_is_allowed(const char *base_url, const char *realm)
{
	char own[KC_URL_SIZE], authority[KC_URL_SIZE], host[KC_URL_SIZE];
	bool is_clear = kc_url_is_plain_http(realm);

	if (kc_url_authority(base_url, NULL, own) < 0 || kc_url_authority(realm, authority, host) < 0)
		return false;
	if (kc_url_is_same_origin(base_url, realm))
		return true;
	if (kc_registry_is_loopback(own))
		return kc_registry_is_loopback(host) && (!is_clear || kc_url_is_plain_http(base_url));
	/* A port of its own would be another's server on the same machine. */
	return !is_clear && strcmp(authority, host) == 0 && is_related(own, host);
}

/* Values of all headers of that name, joined as one header may join them itself. */
static int read_challenge(const struct kc_http *http, struct kc_registry_challenge *ret_challenge)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(KC_REGISTRY_CHALLENGE_LIMIT);
	const char *value = NULL;

	for (size_t i = 0; kc_http_header(http, "WWW-Authenticate", i, &value); i++)
		if (kc_buffer_printf(&text, "%s%s", i ? ", " : "", value) < 0)
			return -EPROTO;
	return kc_registry_challenge_parse(kc_buffer_string(&text), ret_challenge);
}

/* A token goes into a header as it is: RFC 6750 section 2.1 and nothing that could end the header. */
static int take_token(struct kc_registry *registry, const struct kc_buffer *body, const char *shown,
		      struct kc_error *err)
{
	static const char *const keys[] = { "token", "access_token" };
	KC_CLEANUP_JSON cJSON *answer = NULL;
	const char *token = NULL;
	struct kc_error failure = { 0 };

	if (kc_json_parse(kc_buffer_string(body), body->length, shown, &answer, &failure) < 0)
		return kc_error_set(err, EPROTO, "%s", failure.text);
	for (size_t i = 0; i < KC_ARRAY_LENGTH(keys) && !token; i++)
		token = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(answer, keys[i]));
	if (!token || !*token || strspn(token, LETTERS DIGITS "-._~+/=") != strlen(token))
		return kc_error_set(err, EPROTO, "read `%s`: the answer has no token", shown);
	registry->token = strdup(token);
	return registry->token ? 0 : kc_error_errno(err, ENOMEM, "read `%s`", shown);
}

void kc_registry_forget_token(struct kc_registry *registry)
{
	if (registry->token)
		OPENSSL_cleanse(registry->token, strlen(registry->token));
	free(KC_STEAL(registry->token));
}

/* The right to pull is asked for, whatever the challenge suggests. */
static int make_token_url(const struct kc_registry *registry, const struct kc_registry_challenge *challenge,
			  char ret_url[KC_URL_SIZE])
{
	char scope[sizeof(registry->repository) + sizeof("repository::pull")];
	int status = 0;

	(void)snprintf(ret_url, KC_URL_SIZE, "%s", challenge->realm);
	(void)snprintf(scope, sizeof(scope), "repository:%s:pull", registry->repository);
	if (challenge->service[0])
		status = kc_url_add_query(ret_url, "service", challenge->service);
	return status < 0 ? status : kc_url_add_query(ret_url, "scope", scope);
}

static int refuse_realm(const struct kc_registry *registry, const char *realm, struct kc_error *err)
{
	char shown[512];
	int status;

	kc_url_redact(realm, shown, sizeof(shown));
	status = kc_error_set(
		err, EACCES, "log in to registry %s: it wants the login to be sent to `%s`, which is refused",
		registry->authority, shown);
	kc_error_hint(err,
		      "only the registry's own host, or one of the same parent domain, is asked for tokens, "
		      "and over https: if that address is right, another name of the registry may be");
	return status;
}

/* What a token server's refusal means. Others' words stay. */
static int explain_token_failure(const struct kc_registry *registry, const char *shown, int status,
				 struct kc_error *err)
{
	long answer = registry->http.status;

	if (answer >= 300 && answer <= 399) {
		status = kc_error_set(
			err, EPROTO,
			"log in to registry %s: its token server `%s` answers with a redirect (HTTP "
			"status %ld), which is not followed",
			registry->authority, shown, answer);
		kc_error_hint(err,
			      "a token server answers itself: is something between here and there, such as a "
			      "portal that wants a login?");
	} else if (answer == 401 || answer == 403) {
		status = kc_error_set(err, EACCES, "log in to registry %s: %s (`%s`: HTTP status %ld)",
				      registry->authority,
				      registry->login.user[0] ? "user and password are refused"
							      : "it gives nothing without a login",
				      shown, answer);
	} else if (status == -ENOENT) { /* not the image */
		status = kc_error_set(
			err, EPROTO,
			"log in to registry %s: there is no token server at `%s` (HTTP status %ld)",
			registry->authority, shown, answer);
	} else {
		(void)kc_error_prefix(err, "log in to registry %s", registry->authority);
		kc_error_hint(
			err,
			"try again later; or check the network, and https_proxy where a proxy is needed");
	}
	return status;
}

static int get_token(struct kc_registry *registry, const struct kc_registry_challenge *challenge,
		     struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer body = KC_BUFFER_INIT(TOKEN_ANSWER_LIMIT);
	const struct kc_registry_login *login = &registry->login;
	char url[KC_URL_SIZE], shown[512];
	const struct kc_http_request request = { .url = url,
						 .accept = "application/json",
						 .is_plain_http_allowed = registry->is_plain_http,
						 .are_redirects_refused = true,
						 .user = login->user[0] ? login->user : NULL,
						 .password = login->user[0] ? login->password : NULL };
	struct kc_http_answer answer = { 0 };
	struct kc_error failure = { 0 };
	int status;

	if (!kc_registry_realm_is_allowed(registry->base_url, challenge->realm))
		return refuse_realm(registry, challenge->realm, err);
	if (make_token_url(registry, challenge, url) < 0)
		return kc_error_set(err, EPROTO,
				    "log in to registry %s: the address of its token server is too long",
				    registry->authority);
	kc_url_redact(url, shown, sizeof(shown));
	status = kc_http_get(&registry->http, &request, &body, &answer, &failure);
	if (status < 0)
		status = explain_token_failure(registry, shown, status, &failure);
	else
		status = take_token(registry, &body, shown, &failure);
	if (body.data)
		OPENSSL_cleanse(body.data, body.capacity);
	if (status < 0 && err)
		*err = failure;
	return status;
}

int kc_registry_log_in(struct kc_registry *registry, struct kc_error *err)
{
	struct kc_registry_challenge challenge = { 0 };
	bool was_basic = registry->is_basic;

	kc_registry_forget_token(registry);
	registry->is_basic = false;
	if (read_challenge(&registry->http, &challenge) < 0)
		return kc_error_set(err, EPROTO,
				    "log in to registry %s: it asks for a login in words that are none",
				    registry->authority);
	if (challenge.has_bearer)
		return get_token(registry, &challenge, err);
	if (!challenge.has_basic)
		return kc_error_set(
			err, EACCES,
			"log in to registry %s: it wants another kind of login than Basic and Bearer",
			registry->authority);
	if (!registry->login.user[0])
		return kc_error_set(err, EACCES, "log in to registry %s: it gives nothing without a login",
				    registry->authority);
	if (was_basic)
		return kc_error_set(err, EACCES, "log in to registry %s: user and password are refused",
				    registry->authority);
	registry->is_basic = true;
	return 0;
}
