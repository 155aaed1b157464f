#include "release/envelope.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "release/base64.h"

#define ENCODED_LIMIT (KC_STATEMENT_LIMIT + 4096u)

void kc_envelope_init(struct kc_envelope *envelope)
{
	memset(envelope, 0, sizeof(*envelope));
	kc_buffer_init(&envelope->payload, KC_STATEMENT_LIMIT);
	for (size_t i = 0; i < KC_ENVELOPE_SIGNATURES_MAX; i++)
		kc_buffer_init(&envelope->signatures[i].bytes, KC_KEY_SIGNATURE_LIMIT);
}

void kc_envelope_release(struct kc_envelope *envelope)
{
	kc_buffer_release(&envelope->payload);
	for (size_t i = 0; i < KC_ENVELOPE_SIGNATURES_MAX; i++)
		kc_buffer_release(&envelope->signatures[i].bytes);
	envelope->signature_count = 0;
}

int kc_envelope_encode(const struct kc_buffer *payload, struct kc_buffer *encoded)
{
	int status = kc_buffer_printf(encoded, "DSSEv1 %zu %s %zu ", strlen(KC_ENVELOPE_PAYLOAD_TYPE),
				      KC_ENVELOPE_PAYLOAD_TYPE, payload->length);

	if (status == 0)
		status = kc_buffer_append(encoded, kc_buffer_string(payload), payload->length);
	return status;
}

static bool has_id(const struct kc_envelope *envelope, const char *id)
{
	for (size_t i = 0; i < envelope->signature_count; i++)
		if (strcmp(envelope->signatures[i].key_id, id) == 0)
			return true;
	return false;
}

int kc_envelope_sign(struct kc_envelope *envelope, const struct kc_key *key, struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer encoded = KC_BUFFER_INIT(ENCODED_LIMIT);
	struct kc_signature *signature = envelope->signatures + envelope->signature_count;
	int status = kc_envelope_encode(&envelope->payload, &encoded);

	if (status < 0)
		return kc_error_errno(err, status, "sign with `%s`", key->path);
	if (envelope->signature_count == KC_ENVELOPE_SIGNATURES_MAX)
		return kc_error_set(err, E2BIG, "sign with `%s`: there are %d signatures already", key->path,
				    KC_ENVELOPE_SIGNATURES_MAX);
	kc_buffer_clear(&signature->bytes);
	status = kc_key_sign(key, &encoded, signature, err);
	if (status < 0)
		return status;
	if (has_id(envelope, signature->key_id))
		return kc_error_set(err, EEXIST, "sign with `%s`: the key %s has signed already", key->path,
				    signature->key_id);
	envelope->signature_count++;
	return 0;
}

/* Adds the base64 of bytes to an object. */
static int add_base64(cJSON *object, const char *key, const struct kc_buffer *bytes)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(KC_ENVELOPE_LIMIT);
	int status = kc_base64_encode(kc_buffer_string(bytes), bytes->length, &text);

	if (status < 0)
		return status;
	return cJSON_AddStringToObject(object, key, kc_buffer_string(&text)) ? 0 : -ENOMEM;
}

static int add_signature(cJSON *array, const struct kc_signature *signature)
{
	cJSON *object = cJSON_CreateObject();

	if (!cJSON_AddItemToArray(array, object)) {
		cJSON_Delete(object);
		return -ENOMEM;
	}
	if (!cJSON_AddStringToObject(object, "keyid", signature->key_id))
		return -ENOMEM;
	return add_base64(object, "sig", &signature->bytes);
}

int kc_envelope_write(const struct kc_envelope *envelope, struct kc_buffer *text, struct kc_error *err)
{
	KC_CLEANUP_JSON cJSON *document = cJSON_CreateObject();
	KC_CLEANUP_FREE char *line = NULL;
	cJSON *signatures;
	int status = document ? add_base64(document, "payload", &envelope->payload) : -ENOMEM;

	if (envelope->signature_count == 0)
		return kc_error_set(err, EINVAL, "write an envelope: nobody has signed it");
	if (!cJSON_AddStringToObject(document, "payloadType", KC_ENVELOPE_PAYLOAD_TYPE))
		status = -ENOMEM;
	signatures = cJSON_AddArrayToObject(document, "signatures");
	for (size_t i = 0; status == 0 && i < envelope->signature_count; i++)
		status = add_signature(signatures, &envelope->signatures[i]);
	if (status == 0)
		line = cJSON_PrintUnformatted(document);
	if (status == 0)
		status = line ? kc_buffer_printf(text, "%s\n", line) : -ENOMEM;
	return status < 0 ? kc_error_errno(err, status, "write an envelope") : 0;
}

bool kc_envelope_is_one(const char *text, size_t length)
{
	return memmem(text, length, "\"payloadType\"", 13) || memmem(text, length, "\"signatures\"", 12);
}

static int decode(const cJSON *object, const char *key, const char *where, struct kc_buffer *bytes,
		  struct kc_error *err)
{
	const char *text = NULL;
	int status = kc_json_get_string(object, key, where, &text, err);

	if (status < 0)
		return status;
	status = kc_base64_decode(text, bytes);
	if (status == -EBADMSG)
		return kc_error_set(err, EBADMSG, "%s: \"%s\" is no base64", where, key);
	return status < 0 ? kc_error_errno(err, status, "%s: \"%s\"", where, key) : 0;
}

static int read_signature(const cJSON *object, const char *where, struct kc_envelope *envelope,
			  struct kc_error *err)
{
	struct kc_signature *signature = &envelope->signatures[envelope->signature_count];
	const char *id = "";
	int status = cJSON_IsObject(object)
			     ? 0
			     : kc_error_set(err, EBADMSG, "%s: a signature is not an object", where);

	if (status == 0 && cJSON_HasObjectItem(object, "keyid"))
		status = kc_json_get_string(object, "keyid", where, &id, err);
	if (status < 0)
		return status;
	if (strlen(id) >= sizeof(signature->key_id))
		return kc_error_set(err, E2BIG, "%s: a \"keyid\" of %zu bytes, at most %zu", where,
				    strlen(id), sizeof(signature->key_id) - 1);
	if (*id && has_id(envelope, id))
		return kc_error_set(err, EBADMSG, "%s: two signatures with the \"keyid\" %s", where, id);
	memcpy(signature->key_id, id, strlen(id) + 1);
	status = decode(object, "sig", where, &signature->bytes, err);
	if (status == 0)
		envelope->signature_count++;
	return status;
}

static int read_signatures(const cJSON *document, const char *where, struct kc_envelope *envelope,
			   struct kc_error *err)
{
	const cJSON *array = NULL, *object;
	int status = kc_json_get_array(document, "signatures", where, &array, err);
	int count = status == 0 ? cJSON_GetArraySize(array) : 0;

	if (status == 0 && (count < 1 || count > KC_ENVELOPE_SIGNATURES_MAX))
		return kc_error_set(err, EBADMSG, "%s: %d signatures, expected 1 to %d", where, count,
				    KC_ENVELOPE_SIGNATURES_MAX);
	if (status < 0)
		return status;
	cJSON_ArrayForEach(object, array)
	{
		status = read_signature(object, where, envelope, err);
		if (status < 0)
			return status;
	}
	return 0;
}

int kc_envelope_read(const char *text, size_t length, const char *name, struct kc_envelope *envelope,
		     struct kc_error *err)
{
	KC_CLEANUP_JSON cJSON *document = NULL;
	const char *type = NULL;
	int status;

	if (length > KC_ENVELOPE_LIMIT)
		return kc_error_set(err, E2BIG, "read `%s`: %zu bytes, an envelope has at most %u", name,
				    length, KC_ENVELOPE_LIMIT);
	/* cJSON ends a string at it, other readers do not: they would not read the same. */
	if (memmem(text, length, "\\u0000", 6))
		return kc_error_set(err, EBADMSG, "read `%s`: a NUL in a string", name);
	status = kc_json_parse(text, length, name, &document, err);
	if (status == 0)
		status = kc_json_get_string(document, "payloadType", name, &type, err);
	if (status == 0 && strcmp(type, KC_ENVELOPE_PAYLOAD_TYPE) != 0)
		status = kc_error_set(err, EBADMSG, "%s: \"payloadType\" is `%.100s`, expected `%s`", name,
				      type, KC_ENVELOPE_PAYLOAD_TYPE);
	if (status == 0)
		status = decode(document, "payload", name, &envelope->payload, err);
	return status == 0 ? read_signatures(document, name, envelope, err) : status;
}

/* "N signatures, of KEY, KEY": ids are what the envelope claims. */
static int reject(const struct kc_envelope *envelope, const struct kc_key *key, struct kc_error *err)
{
	char ids[512] = "";
	size_t used = 0;

	for (size_t i = 0; i < envelope->signature_count && used < sizeof(ids); i++)
		used += (size_t)snprintf(ids + used, sizeof(ids) - used, "%s%s", i ? ", " : "",
					 envelope->signatures[i].key_id[0] ? envelope->signatures[i].key_id
									   : "no id");
	return kc_error_set(err, EKEYREJECTED,
			    "no signature of this payload by `%s`; it has %zu, said to be of: %s", key->path,
			    envelope->signature_count, *ids ? ids : "nobody");
}

int kc_envelope_verify(const struct kc_envelope *envelope, const struct kc_key *key, struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer encoded = KC_BUFFER_INIT(ENCODED_LIMIT);
	int status = kc_envelope_encode(&envelope->payload, &encoded);

	if (status < 0)
		return kc_error_errno(err, status, "check an envelope with `%s`", key->path);
	for (size_t i = 0; i < envelope->signature_count; i++) {
		struct kc_error refused = { 0 };

		status = kc_key_verify(key, &encoded, &envelope->signatures[i], &refused);
		if (status == 0)
			return 0;
		if (status != -EKEYREJECTED) {
			if (err)
				*err = refused;
			return status;
		}
	}
	return reject(envelope, key, err);
}
