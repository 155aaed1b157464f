/*
 * URLs, through libcurl's URL API: showing them, and following the ones that a server names.
 *
 * Every function takes any bytes; what cannot be read as a URL is refused, or shown as such.
 */
#ifndef KC_NET_URL_H
#define KC_NET_URL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

#define KC_URL_SIZE 2048 /* longer ones are refused; with the NUL */

/* Writes `url` as a message or record may show it: user and password as "***", the query (where signed URLs
 * carry their secret) as "?***", no control characters. "(not a URL)" where it is none. Always terminated. */
void kc_url_redact(const char *url, char *ret_text, size_t size);

/* True for http: URLs, the ones that travel in clear. */
bool kc_url_is_plain_http(const char *url);

/* True where scheme, host and port are the same; false also for what is no URL. */
bool kc_url_is_same_origin(const char *a, const char *b);

/* Host and port as a message names them, "registry.example:5000", the port only where it is not the scheme's;
 * with `ret_host` the host alone. Either may be NULL. -EINVAL for what is no http or https URL, holds a user, or
 * is too long. */
int kc_url_authority(const char *url, char ret_authority[KC_URL_SIZE], char ret_host[KC_URL_SIZE])
	__attribute__((warn_unused_result));

/* Appends "NAME=VALUE" to the query of `url`, the value escaped. -EINVAL for what is no URL or gets too long. */
int kc_url_add_query(char url[KC_URL_SIZE], const char *name, const char *value)
	__attribute__((warn_unused_result));

/* Makes `reference` absolute against `base`. Where the result has the scheme, host and port of `base` and no
 * user of its own, it gets that of `base`, as pip does; credentials go nowhere else. -EINVAL for what is no
 * URL or is too long. */
int kc_url_resolve(const char *base, const char *reference, char ret_url[KC_URL_SIZE], struct kc_error *err)
	__attribute__((warn_unused_result));

#endif
