/* What release/key.c has done by the two kinds of keys; see release/key.h. */
#ifndef KC_RELEASE_KEY_INTERNAL_H
#define KC_RELEASE_KEY_INTERNAL_H

#include "release/key.h"

/* `content` and `kind` are there: these complain about what they hold, and make of it what signs and checks. */
int kc_key_pem_load(struct kc_key *key, struct kc_error *err) __attribute__((warn_unused_result));
int kc_key_pem_sign(const struct kc_key *key, const struct kc_buffer *message, struct kc_signature *signature,
		    struct kc_error *err) __attribute__((warn_unused_result));
int kc_key_pem_verify(const struct kc_key *key, const struct kc_buffer *message,
		      const struct kc_signature *signature, struct kc_error *err)
	__attribute__((warn_unused_result));
void kc_key_pem_release(struct kc_key *key);

int kc_key_ssh_load(struct kc_key *key, struct kc_error *err) __attribute__((warn_unused_result));
int kc_key_ssh_sign(const struct kc_key *key, const struct kc_buffer *message, struct kc_signature *signature,
		    struct kc_error *err) __attribute__((warn_unused_result));
int kc_key_ssh_verify(const struct kc_key *key, const struct kc_buffer *message,
		      const struct kc_signature *signature, struct kc_error *err)
	__attribute__((warn_unused_result));

/* -ENOKEY, with the way out as its hint. */
int kc_key_refuse_encrypted(const struct kc_key *key, const char *command, struct kc_error *err);

#endif
