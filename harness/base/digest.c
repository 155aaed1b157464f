#include "base/digest.h"

#include <errno.h>
#include <openssl/evp.h>
#include <string.h>

int kc_sha256_start(struct kc_sha256 *sha, struct kc_error *err)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();

	sha->context = NULL;
	if (!context)
		return kc_error_errno(err, ENOMEM, "start SHA-256");
	if (EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1) {
		EVP_MD_CTX_free(context);
		return kc_error_set(err, EIO, "start SHA-256: libcrypto refused");
	}
	sha->context = context;
	return 0;
}

void kc_sha256_update(struct kc_sha256 *sha, const void *bytes, size_t length)
{
	if (sha->context && EVP_DigestUpdate(sha->context, bytes, length) != 1)
		kc_sha256_release(sha);
}

int kc_sha256_finish(struct kc_sha256 *sha, char ret_hex[KC_SHA256_HEX_SIZE], struct kc_error *err)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char raw[EVP_MAX_MD_SIZE];
	unsigned int length = 0;
	int done = sha->context ? EVP_DigestFinal_ex(sha->context, raw, &length) : 0;

	kc_sha256_release(sha);
	if (done != 1 || length != 32)
		return kc_error_set(err, EIO, "finish SHA-256: libcrypto refused");
	for (unsigned int i = 0; i < length; i++) {
		ret_hex[2 * i] = digits[raw[i] >> 4];
		ret_hex[2 * i + 1] = digits[raw[i] & 15];
	}
	ret_hex[64] = '\0';
	return 0;
}

void kc_sha256_release(struct kc_sha256 *sha)
{
	EVP_MD_CTX_free(sha->context);
	sha->context = NULL;
}

int kc_sha256_of(const void *bytes, size_t length, char ret_hex[KC_SHA256_HEX_SIZE], struct kc_error *err)
{
	struct kc_sha256 sha;
	int status = kc_sha256_start(&sha, err);

	if (status < 0)
		return status;
	kc_sha256_update(&sha, bytes, length);
	return kc_sha256_finish(&sha, ret_hex, err);
}

bool kc_sha256_is_valid(const char *hex)
{
	return strspn(hex, "0123456789abcdef") == 64 && hex[64] == '\0';
}
