/*
 * Keys that sign and check: ed25519 in PEM (libcrypto) and OpenSSH's (the host's program ssh-keygen, which also knows what is in
 * an allowed_signers file: namespaces, times, certificates).
 *
 * Which kind a file is its content tells, never its name:
 *	-----BEGIN PRIVATE KEY-----		signs; ed25519
 *	-----BEGIN OPENSSH PRIVATE KEY-----	signs
 *	-----BEGIN PUBLIC KEY-----		checks; ed25519
 *	TYPE AAAA... [COMMENT]			checks: what ssh-keygen writes into KEY.pub
 *	lines of an allowed_signers file	checks: any of its keys that may sign in the namespace in-toto
 *
 * Life cycle: 1. KC_KEY_INIT  2. kc_key_load  3. kc_key_sign or kc_key_verify, repeatable  4. kc_key_release (idempotent), which
 * wipes what was read.
 *
 * What a signature is. Ed25519 in PEM: its 64 bytes over the message; the id is the SHA-256, in hexadecimal digits, of the public key in DER
 * (SubjectPublicKeyInfo). OpenSSH: the whole armored text that `ssh-keygen -Y sign -n in-toto` writes, from "-----BEGIN SSH
 * SIGNATURE-----" on, so that `ssh-keygen -Y verify` takes it as it is; the id is the fingerprint that ssh-keygen -l shows, "SHA256:...".
 */
#ifndef KC_RELEASE_KEY_H
#define KC_RELEASE_KEY_H

#include <limits.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"

#define KC_KEY_FILE_LIMIT (1u << 20)
#define KC_KEY_ID_SIZE 128 /* with the NUL */
#define KC_KEY_SIGNATURE_LIMIT (16u << 10)
#define KC_KEY_SSH_NAMESPACE "in-toto"

enum kc_key_use { KC_KEY_TO_SIGN, KC_KEY_TO_VERIFY };

enum kc_key_kind {
	KC_KEY_NONE,
	KC_KEY_PEM_PRIVATE,
	KC_KEY_PEM_PUBLIC,
	KC_KEY_SSH_PRIVATE,
	KC_KEY_SSH_PUBLIC
};

struct kc_key {
	enum kc_key_kind kind;
	char path[PATH_MAX];
	struct kc_buffer content; /* of the file; of KC_KEY_SSH_PUBLIC as lines of an allowed_signers file */
	void *pem;		  /* EVP_PKEY; NULL for an OpenSSH key */
};

#define KC_KEY_INIT                                                                                          \
	{                                                                                                    \
		.content = KC_BUFFER_INIT(KC_KEY_FILE_LIMIT)                                                 \
	}
#define KC_CLEANUP_KEY KC_CLEANUP(kc_key_release)

struct kc_signature {
	char key_id[KC_KEY_ID_SIZE];
	struct kc_buffer bytes;
};

/*
 * -EINVAL for a file that is no such key, a private key where a public one is needed or the other way round, and any PEM key but ed25519;
 * -EACCES for a private key of ours that others may read, as ssh(1) refuses it; -ENOKEY for one that is
 * encrypted: nobody is here to type a passphrase, and none is asked for. Or what opening the file says.
 */
int kc_key_load(struct kc_key *key, const char *path, enum kc_key_use use, struct kc_error *err)
	__attribute__((warn_unused_result));

/* `signature->bytes` has to be empty. -ENOENT if it takes ssh-keygen and there is none. */
int kc_key_sign(const struct kc_key *key, const struct kc_buffer *message, struct kc_signature *signature,
		struct kc_error *err) __attribute__((warn_unused_result));

/* 0: this key, or one of these, made the signature of this message. -EKEYREJECTED: none did. Any other error: it could not be checked.
 * The signature's id plays no part: whoever wrote the envelope chose it. */
int kc_key_verify(const struct kc_key *key, const struct kc_buffer *message,
		  const struct kc_signature *signature, struct kc_error *err)
	__attribute__((warn_unused_result));

void kc_key_release(struct kc_key *key);

#endif
