/*
 * DSSE envelopes: a statement and who signed it. https://github.com/secure-systems-lab/dsse, protocol and envelope.
 *
 * Life cycle: 1. kc_envelope_init  2. fill `payload` and sign, once for each key, then write; or read, and verify
 * 3. kc_envelope_release (idempotent, fit for a zeroed object). release/key.h says what the signatures and ids of each kind of
 * key are.
 *
 * An envelope that was read is whatever somebody wrote: its payload means nothing before kc_envelope_verify said 0.
 */
#ifndef KC_RELEASE_ENVELOPE_H
#define KC_RELEASE_ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"
#include "release/key.h"
#include "release/statement.h"

#define KC_ENVELOPE_PAYLOAD_TYPE "application/vnd.in-toto+json"
#define KC_ENVELOPE_LIMIT (2 * KC_STATEMENT_LIMIT) /* bytes of its JSON */
#define KC_ENVELOPE_SIGNATURES_MAX 16

struct kc_envelope {
	struct kc_buffer payload;
	struct kc_signature signatures[KC_ENVELOPE_SIGNATURES_MAX];
	size_t signature_count;
};

#define KC_CLEANUP_ENVELOPE KC_CLEANUP(kc_envelope_release)

void kc_envelope_init(struct kc_envelope *envelope);
void kc_envelope_release(struct kc_envelope *envelope);

/* Adds the signature of a key that was loaded to sign. -EEXIST if the envelope has one of this key, -E2BIG if it has as many as it
 * holds, or what kc_key_sign says. */
int kc_envelope_sign(struct kc_envelope *envelope, const struct kc_key *key, struct kc_error *err)
	__attribute__((warn_unused_result));

/* Appends one line of JSON, the same for the same payload and signatures. -EINVAL if there are no signatures. */
int kc_envelope_write(const struct kc_envelope *envelope, struct kc_buffer *text, struct kc_error *err)
	__attribute__((warn_unused_result));

/* True for a JSON document that has what only an envelope has, be it a good one or not: who strips the signatures from a file has to
 * be told from a statement that never had any. */
bool kc_envelope_is_one(const char *text, size_t length);

/* Fills an empty envelope from JSON; `name` is what errors call it. -EBADMSG for what is none: a key twice, another payloadType, what is no
 * base64, no signatures or more than KC_ENVELOPE_SIGNATURES_MAX, two with one id; -E2BIG past a limit. */
int kc_envelope_read(const char *text, size_t length, const char *name, struct kc_envelope *envelope,
		     struct kc_error *err) __attribute__((warn_unused_result));

/* 0: the key, loaded to verify, made one of the signatures, of exactly this payload. -EKEYREJECTED: it made none, and `err` tells whose ids
 * they bear. Any other error: this could not be found out, which is no less a reason not to trust it. */
int kc_envelope_verify(const struct kc_envelope *envelope, const struct kc_key *key, struct kc_error *err)
	__attribute__((warn_unused_result));

/* Appends what is signed in the place of the payload: its pre-authentication encoding. 0, -E2BIG or -ENOMEM. */
int kc_envelope_encode(const struct kc_buffer *payload, struct kc_buffer *encoded)
	__attribute__((warn_unused_result));

#endif
