#include "net/websocket_internal.h"

#include <errno.h>
#include <openssl/evp.h>
#include <string.h>
#include <strings.h>

/* RFC 6455 section 1.3. */
static const char accept_guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

static int compute_accept(const char *key, char ret_accept[KC_WEBSOCKET_ACCEPT_SIZE], struct kc_error *err)
{
	char text[KC_WEBSOCKET_KEY_SIZE + sizeof(accept_guid)];
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned char encoded[4 * (EVP_MAX_MD_SIZE / 3 + 1) + 1];
	unsigned int size = 0;
	size_t length = strlen(key);

	memcpy(text, key, length);
	memcpy(text + length, accept_guid, sizeof(accept_guid));
	if (!EVP_Digest(text, strlen(text), digest, &size, EVP_sha1(), NULL) || size != 20)
		return kc_error_set(err, EIO, "compute SHA-1: libcrypto refuses");
	(void)EVP_EncodeBlock(encoded, digest, (int)size);
	memcpy(ret_accept, encoded, KC_WEBSOCKET_ACCEPT_SIZE);
	return 0;
}

/* What we put into the request must not end a line or a field of it. */
static bool is_plain(const char *text, size_t limit)
{
	size_t length = strlen(text);

	if (length == 0 || length >= limit)
		return false;
	for (size_t i = 0; i < length; i++)
		if (text[i] <= ' ' || text[i] == 0x7f)
			return false;
	return true;
}

int kc_websocket_request(const struct kc_websocket_options *options, struct kc_buffer *output,
			 struct kc_websocket_handshake *ret_handshake, struct kc_error *err)
{
	unsigned char nonce[KC_WEBSOCKET_NONCE_SIZE];
	unsigned char key[KC_WEBSOCKET_KEY_SIZE];
	int status;

	if (!is_plain(options->host, 256) || !is_plain(options->path, 1024) ||
	    !is_plain(options->subprotocol, sizeof(ret_handshake->subprotocol)))
		return kc_error_set(err, EINVAL,
				    "websocket request: host, path or subprotocol is not plain text");
	status = kc_entropy_fill(&options->entropy, nonce, sizeof(nonce), err);
	if (status < 0)
		return status;
	(void)EVP_EncodeBlock(key, nonce, sizeof(nonce));
	status = compute_accept((const char *)key, ret_handshake->accept, err);
	if (status < 0)
		return status;
	memcpy(ret_handshake->subprotocol, options->subprotocol, strlen(options->subprotocol) + 1);
	status = kc_buffer_printf(output,
				  "GET %s HTTP/1.1\r\n"
				  "Host: %s\r\n"
				  "Upgrade: websocket\r\n"
				  "Connection: Upgrade\r\n"
				  "Sec-WebSocket-Key: %s\r\n"
				  "Sec-WebSocket-Version: 13\r\n"
				  "Sec-WebSocket-Protocol: %s\r\n"
				  "\r\n",
				  options->path, options->host, (const char *)key, options->subprotocol);
	return status < 0 ? kc_error_errno(err, status, "websocket request") : 0;
}

struct field {
	const char *name;
	const char *value;
	size_t name_length;
	size_t value_length;
};

static bool equals(const char *text, size_t length, const char *wanted)
{
	return length == strlen(wanted) && memcmp(text, wanted, length) == 0;
}

static bool equals_ignoring_case(const char *text, size_t length, const char *wanted)
{
	return length == strlen(wanted) && strncasecmp(text, wanted, length) == 0;
}

static void trim(const char **text, size_t *length)
{
	while (*length && (**text == ' ' || **text == '\t'))
		++*text, --*length;
	while (*length && ((*text)[*length - 1] == ' ' || (*text)[*length - 1] == '\t'))
		--*length;
}

static bool is_upgrade_right(const struct kc_websocket_handshake *handshake, const struct field *field)
{
	(void)handshake;
	return equals_ignoring_case(field->value, field->value_length, "websocket");
}

/* A list of tokens, one of which must be "Upgrade". */
static bool is_connection_right(const struct kc_websocket_handshake *handshake, const struct field *field)
{
	const char *next = field->value;
	size_t left = field->value_length;

	(void)handshake;
	for (;;) {
		const char *comma = memchr(next, ',', left);
		const char *token = next;
		size_t length = comma ? (size_t)(comma - next) : left;

		trim(&token, &length);
		if (equals_ignoring_case(token, length, "upgrade"))
			return true;
		if (!comma)
			return false;
		left -= (size_t)(comma - next) + 1;
		next = comma + 1;
	}
}

static bool is_accept_right(const struct kc_websocket_handshake *handshake, const struct field *field)
{
	return equals(field->value, field->value_length, handshake->accept);
}

static bool is_protocol_right(const struct kc_websocket_handshake *handshake, const struct field *field)
{
	return equals(field->value, field->value_length, handshake->subprotocol);
}

static bool is_never_right(const struct kc_websocket_handshake *handshake, const struct field *field)
{
	(void)handshake;
	(void)field;
	return false;
}

/* The fields that decide, RFC 6455 section 4.1. All others are none of our business. */
static const struct rule {
	const char *name;
	bool (*is_right)(const struct kc_websocket_handshake *handshake, const struct field *field);
	bool required;
	const char *wrong;
	const char *missing;
} rules[] = {
	{ "Upgrade", is_upgrade_right, true, "Upgrade is not websocket (RFC 6455, 4.1)",
	  "no Upgrade field (RFC 6455, 4.1)" },
	{ "Connection", is_connection_right, true, "Connection does not hold Upgrade (RFC 6455, 4.1)",
	  "no Connection field (RFC 6455, 4.1)" },
	{ "Sec-WebSocket-Accept", is_accept_right, true,
	  "Sec-WebSocket-Accept does not answer our key (RFC 6455, 4.1)",
	  "no Sec-WebSocket-Accept field (RFC 6455, 4.1)" },
	{ "Sec-WebSocket-Protocol", is_protocol_right, true,
	  "Sec-WebSocket-Protocol is not the one we offered (RFC 6455, 4.1)",
	  "the subprotocol we offered was not taken (RFC 6455, 4.1)" },
	{ "Sec-WebSocket-Extensions", is_never_right, false,
	  "an extension that we did not offer (RFC 6455, 4.1)", NULL },
};

static const char *check_field(const struct kc_websocket_handshake *handshake, const struct field *field,
			       bool seen[KC_ARRAY_LENGTH(rules)])
{
	for (size_t i = 0; i < KC_ARRAY_LENGTH(rules); i++) {
		if (!equals_ignoring_case(field->name, field->name_length, rules[i].name))
			continue;
		if (seen[i])
			return "a field of the handshake stands twice (RFC 6455, 11.3)";
		seen[i] = true;
		if (!rules[i].is_right(handshake, field))
			return rules[i].wrong;
	}
	return NULL;
}

/* "NAME: VALUE". A line without a name also covers a folded one, which RFC 7230 section 3.2.4 lets us refuse.
 */
static bool split_field(const char *line, size_t length, struct field *ret_field)
{
	const char *colon = memchr(line, ':', length);

	if (!colon || colon == line)
		return false;
	*ret_field = (struct field){ .name = line,
				     .name_length = (size_t)(colon - line),
				     .value = colon + 1,
				     .value_length = length - (size_t)(colon - line) - 1 };
	for (size_t i = 0; i < ret_field->name_length; i++)
		if (line[i] <= ' ' || line[i] == 0x7f)
			return false;
	trim(&ret_field->value, &ret_field->value_length);
	return true;
}

static const char *check_status_line(const char *line, size_t length)
{
	static const char wanted[] = "HTTP/1.1 101";

	if (length < 5 || memcmp(line, "HTTP/", 5) != 0)
		return "the answer is not HTTP (RFC 6455, 4.1)";
	if (length < strlen(wanted) || memcmp(line, wanted, strlen(wanted)) != 0 ||
	    (length > strlen(wanted) && line[strlen(wanted)] != ' '))
		return "the answer is not HTTP/1.1 101 (RFC 6455, 4.1)";
	return NULL;
}

const char *kc_websocket_check_answer(const struct kc_websocket_handshake *handshake, const char *header,
				      size_t length)
{
	bool seen[KC_ARRAY_LENGTH(rules)] = { false };
	const char *line = header;
	const char *wrong = NULL;

	if (memchr(header, '\0', length))
		return "a NUL in the handshake's header (RFC 7230, 3.2)";
	while (!wrong) {
		size_t left = length - (size_t)(line - header);
		const char *end = memmem(line, left, "\r\n", 2);
		struct field field;

		if (!end)
			return "the handshake's header has no end (RFC 7230, 3)";
		if (end == line)
			break;
		if (line == header)
			wrong = check_status_line(line, (size_t)(end - line));
		else if (!split_field(line, (size_t)(end - line), &field))
			wrong = "a malformed line in the handshake's header (RFC 7230, 3.2)";
		else
			wrong = check_field(handshake, &field, seen);
		line = end + 2;
	}
	for (size_t i = 0; !wrong && i < KC_ARRAY_LENGTH(rules); i++)
		if (rules[i].required && !seen[i])
			wrong = rules[i].missing;
	return wrong;
}
