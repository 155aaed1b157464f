#include <errno.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

#include "base/digest.h"
#include "release/key_internal.h"

#define SIGNATURE_LENGTH 64

static void free_context(EVP_MD_CTX **context)
{
	EVP_MD_CTX_free(*context);
}

/* Without it libcrypto asks at the terminal. */
static int no_passphrase(char *buffer, int size, int is_writing, void *data)
{
	return -1;
}

int kc_key_pem_load(struct kc_key *key, struct kc_error *err)
{
	BIO *text;
	EVP_PKEY *pem;

	if (strstr(kc_buffer_string(&key->content), "-----BEGIN ENCRYPTED "))
		return kc_key_refuse_encrypted(key, "`openssl pkey -in KEY -out COPY`", err);
	text = BIO_new_mem_buf(kc_buffer_string(&key->content), (int)key->content.length);
	if (!text)
		return kc_error_errno(err, ENOMEM, "key `%s`", key->path);
	pem = key->kind == KC_KEY_PEM_PRIVATE ? PEM_read_bio_PrivateKey(text, NULL, no_passphrase, NULL)
					      : PEM_read_bio_PUBKEY(text, NULL, no_passphrase, NULL);
	BIO_free(text);
	if (!pem)
		return kc_error_set(err, EINVAL,
				    "key `%s`: it is cut off or damaged: libcrypto cannot read it",
				    key->path);
	if (EVP_PKEY_get_id(pem) != EVP_PKEY_ED25519) {
		const char *type = EVP_PKEY_get0_type_name(pem);

		(void)kc_error_set(err, EINVAL, "key `%s`: its type is %s, expected ed25519", key->path,
				   type ? type : "unknown");
		kc_error_hint(err, "make one with `openssl genpkey -algorithm ed25519`");
		EVP_PKEY_free(pem);
		return -EINVAL;
	}
	key->pem = pem;
	return 0;
}

static int set_id(const struct kc_key *key, struct kc_signature *signature, struct kc_error *err)
{
	unsigned char *der = NULL;
	int length = i2d_PUBKEY(key->pem, &der);
	int status;

	if (length <= 0)
		return kc_error_set(err, EIO, "key `%s`: libcrypto cannot write its public key", key->path);
	status = kc_sha256_of(der, (size_t)length, signature->key_id, err);
	OPENSSL_free(der);
	return status;
}

int kc_key_pem_sign(const struct kc_key *key, const struct kc_buffer *message, struct kc_signature *signature,
		    struct kc_error *err)
{
	KC_CLEANUP(free_context) EVP_MD_CTX *context = EVP_MD_CTX_new();
	unsigned char bytes[SIGNATURE_LENGTH];
	size_t length = sizeof(bytes);
	int status;

	if (!context)
		return kc_error_errno(err, ENOMEM, "sign with `%s`", key->path);
	/* Ed25519 hashes by itself, hence no digest, and all at once. */
	if (EVP_DigestSignInit(context, NULL, NULL, NULL, key->pem) != 1 ||
	    EVP_DigestSign(context, bytes, &length, (const unsigned char *)kc_buffer_string(message),
			   message->length) != 1 ||
	    length != sizeof(bytes))
		return kc_error_set(err, EIO, "sign with `%s`: libcrypto refused", key->path);
	status = set_id(key, signature, err);
	if (status < 0)
		return status;
	status = kc_buffer_append(&signature->bytes, bytes, length);
	return status < 0 ? kc_error_errno(err, status, "sign with `%s`", key->path) : 0;
}

int kc_key_pem_verify(const struct kc_key *key, const struct kc_buffer *message,
		      const struct kc_signature *signature, struct kc_error *err)
{
	KC_CLEANUP(free_context) EVP_MD_CTX *context = EVP_MD_CTX_new();

	if (!context)
		return kc_error_errno(err, ENOMEM, "check with `%s`", key->path);
	if (EVP_DigestVerifyInit(context, NULL, NULL, NULL, key->pem) != 1)
		return kc_error_set(err, EIO, "check with `%s`: libcrypto refused", key->path);
	/* 0: it is another's; below: it is none at all. */
	if (EVP_DigestVerify(context, (const unsigned char *)kc_buffer_string(&signature->bytes),
			     signature->bytes.length, (const unsigned char *)kc_buffer_string(message),
			     message->length) != 1)
		return kc_error_set(err, EKEYREJECTED, "`%s` did not make this signature", key->path);
	return 0;
}

void kc_key_pem_release(struct kc_key *key)
{
	EVP_PKEY_free(key->pem);
	key->pem = NULL;
}
