/* What the files of the registry client share: logins, challenges, tokens, and one request with its login. */
#ifndef KC_NET_REGISTRY_INTERNAL_H
#define KC_NET_REGISTRY_INTERNAL_H

#include <limits.h>
#include <stdbool.h>

#include "net/http.h"
#include "net/registry.h"

#define KC_REGISTRY_USER_SIZE 256
#define KC_REGISTRY_PASSWORD_SIZE 4096 /* cloud registries give signed documents of some 2 KiB as passwords */

/* What a file of logins has for a repository. */
struct kc_registry_login {
	char user[KC_REGISTRY_USER_SIZE]; /* "" if there is none */
	char password[KC_REGISTRY_PASSWORD_SIZE];
	/* Why a login that somebody may expect is not used: a sentence for the hint, or "". */
	char note[320];
};

/* Looks `host` ("docker.io", "127.0.0.1:5000") and `repository` up, in `auth_file` or, if that is NULL, in the
 * usual places. -EBADMSG names the file that is damaged. Without a login `user` is "". */
int kc_registry_login_find(const char *host, const char *repository, const char *auth_file,
			   struct kc_registry_login *ret_login, struct kc_error *err)
	__attribute__((warn_unused_result));

/* Overwrites the secrets. */
void kc_registry_login_clear(struct kc_registry_login *login);

/* What a 401 asks for, RFC 9110 section 11.6.1. */
struct kc_registry_challenge {
	bool has_basic, has_bearer;
	char realm[KC_URL_SIZE]; /* of the first Bearer; "" if it gave none */
	char service[256];
};

#define KC_REGISTRY_CHALLENGE_LIMIT 8192

/* Reads the values of all WWW-Authenticate headers, joined by ", ". Schemes and parameters that are not known
 * are skipped. -EPROTO for what is no list of challenges, or has parameters that are too long. Pure. */
int kc_registry_challenge_parse(const char *text, struct kc_registry_challenge *ret_challenge)
	__attribute__((warn_unused_result));

/* This machine by one of its three names; `host` is without a port. */
bool kc_registry_is_loopback(const char *host);

/* True if the token server at `realm` may be asked on behalf of the registry at `base_url`. Pure. */
bool kc_registry_realm_is_allowed(const char *base_url, const char *realm);

struct kc_registry {
	struct kc_http http;
	struct kc_registry_options options;
	struct kc_registry_reference reference;
	char name[KC_REGISTRY_REFERENCE_TEXT_SIZE]; /* the reference, for messages */
	char base_url[KC_URL_SIZE];		    /* without a '/' at its end */
	char authority[KC_URL_SIZE];		    /* its host and port */
	char repository[2 * KC_REGISTRY_NAME_SIZE]; /* with the mirror's prefix */
	struct kc_registry_login login;
	bool is_plain_http;
	bool is_basic; /* the login itself is sent with every request */
	char *token;   /* owned; sent with every request if there is one */
};

/* After a request that ended with 401: what the registry wants for the next one is then in `is_basic` or `token`.
 * -EACCES if it cannot be had. */
int kc_registry_log_in(struct kc_registry *registry, struct kc_error *err)
	__attribute__((warn_unused_result));
void kc_registry_forget_token(struct kc_registry *registry);

/* What one request to a registry is about: a body, or a file. */
struct kc_registry_call {
	const char *url;
	const char *missing; /* what a 404 says that there is none of: "image or tag" */
	const char *accept;
	struct kc_buffer *body;
	struct kc_http_answer *answer;
	const struct kc_http_file *file; /* NULL: `body` and `answer` */
};

/* Makes the request, and once more with what the registry asks for in order to answer it. Errors are complete:
 * they name the image and have a hint. */
int kc_registry_make_call(struct kc_registry *registry, const struct kc_registry_call *call,
			  struct kc_error *err) __attribute__((warn_unused_result));

bool kc_registry_tag_is_valid(const char *tag);
bool kc_registry_repository_is_valid(const char *repository);

#endif
