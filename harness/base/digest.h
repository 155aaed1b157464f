/*
 * SHA-256, through OpenSSL's libcrypto.
 *
 * Life cycle: 1. kc_sha256_start  2. kc_sha256_update, repeatable  3. kc_sha256_finish, which also releases;
 * or kc_sha256_release to give up. A digest is written as 64 lower-case hexadecimal digits.
 */
#ifndef KC_BASE_DIGEST_H
#define KC_BASE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/error.h"

#define KC_SHA256_HEX_SIZE 65 /* with the NUL */

struct kc_sha256 {
	void *context; /* EVP_MD_CTX; NULL when released */
};

#define KC_CLEANUP_SHA256 KC_CLEANUP(kc_sha256_release)

int kc_sha256_start(struct kc_sha256 *sha, struct kc_error *err) __attribute__((warn_unused_result));
/* A failure is kept and comes out of kc_sha256_finish. */
void kc_sha256_update(struct kc_sha256 *sha, const void *bytes, size_t length);
int kc_sha256_finish(struct kc_sha256 *sha, char ret_hex[KC_SHA256_HEX_SIZE], struct kc_error *err)
	__attribute__((warn_unused_result));
void kc_sha256_release(struct kc_sha256 *sha);

/* One buffer at once. */
int kc_sha256_of(const void *bytes, size_t length, char ret_hex[KC_SHA256_HEX_SIZE], struct kc_error *err)
	__attribute__((warn_unused_result));

/* True for exactly 64 lower-case hexadecimal digits: to be asked before a digest becomes part of any path or
 * URL. */
bool kc_sha256_is_valid(const char *hex);

#endif
