/*
 * A websocket client without a socket: bytes in, events out; messages in, bytes out.
 *
 * It speaks RFC 6455 and trusts nothing: the handshake's answer is held to 16 KiB and checked header by
 * header, frames are decoded by wslay's frame interface and held to the rules that a client may expect of a
 * server. The first broken rule ends the connection with a KC_WEBSOCKET_ERROR event; nothing behind it is
 * looked at. No extension is offered. Nothing is answered on its own account except a close frame: whether a
 * ping gets its pong is what the caller tests.
 *
 * Life cycle: 1. kc_websocket_new (queues the request)  2. write what kc_websocket_output holds, tell
 * kc_websocket_sent  3. kc_websocket_feed what was read, in pieces of any size, then kc_websocket_next until
 * it returns 0  4. after KC_WEBSOCKET_OPEN also kc_websocket_send  5. kc_websocket_release (idempotent).
 * Pure: no descriptor, no clock. Memory is bounded by the limits below and `message_limit`.
 */
#ifndef KC_NET_WEBSOCKET_H
#define KC_NET_WEBSOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

#define KC_WEBSOCKET_HEADER_LIMIT 16384 /* bytes of the handshake's answer */
#define KC_WEBSOCKET_OUTPUT_LIMIT 65536 /* bytes waiting to be written */

/* Where unpredictable bytes come from: 0 or a negative errno. A NULL `fill` is getrandom(2). */
struct kc_entropy {
	int (*fill)(void *context, void *bytes, size_t length);
	void *context;
};

int kc_entropy_fill(const struct kc_entropy *entropy, void *bytes, size_t length, struct kc_error *err)
	__attribute__((warn_unused_result));

struct kc_websocket_options {
	const char *host;	 /* of the request: "localhost:7681" */
	const char *path;	 /* "/ws" */
	const char *subprotocol; /* offered, and required in the answer */
	size_t message_limit;	 /* bytes of a message, over all its fragments */
	struct kc_entropy entropy;
};

enum kc_websocket_event_type {
	KC_WEBSOCKET_OPEN = 1, /* the handshake is done */
	KC_WEBSOCKET_TEXT,     /* a whole message, valid UTF-8 */
	KC_WEBSOCKET_BINARY,   /* a whole message */
	KC_WEBSOCKET_PING,
	KC_WEBSOCKET_PONG,
	KC_WEBSOCKET_CLOSE, /* the last event: the server closes, with `code` (1005 when it gave none) */
	KC_WEBSOCKET_ERROR  /* the last event: the server broke the rule that `data` states, with the section
			       of  RFC 6455; `code` is the status it was told in our close frame */
};

struct kc_websocket_event {
	enum kc_websocket_event_type type;
	const char *data; /* borrowed until the next call; NUL-terminated, and may hold NULs */
	size_t length;
	uint16_t code;
};

struct kc_websocket;

/* The caller releases *ret_websocket. -EINVAL for strings that do not fit a request. */
int kc_websocket_new(const struct kc_websocket_options *options, struct kc_websocket **ret_websocket,
		     struct kc_error *err) __attribute__((warn_unused_result));
void kc_websocket_release(struct kc_websocket **websocket);

/* Borrows `bytes` until kc_websocket_next has returned 0. What comes after the last event is ignored. */
void kc_websocket_feed(struct kc_websocket *websocket, const void *bytes, size_t length);

/* 1 with *ret_event filled, 0 when the fed bytes are used up, or a negative errno (out of memory, no
 * entropy); no rule the server may break ends here. */
int kc_websocket_next(struct kc_websocket *websocket, struct kc_websocket_event *ret_event,
		      struct kc_error *err) __attribute__((warn_unused_result));

/* Queues one unfragmented frame: KC_WEBSOCKET_TEXT, _BINARY, _PING or _PONG. -ENOTCONN before the handshake
 * is done and after the last event; -E2BIG when the output's limit is reached, which leaves the connection
 * of no further use. */
int kc_websocket_send(struct kc_websocket *websocket, enum kc_websocket_event_type type, const void *bytes,
		      size_t length, struct kc_error *err) __attribute__((warn_unused_result));

/* What waits to be written; borrowed until the next call. */
const struct kc_buffer *kc_websocket_output(const struct kc_websocket *websocket);
/* The first `length` bytes of it have been written. */
void kc_websocket_sent(struct kc_websocket *websocket, size_t length);

bool kc_websocket_is_open(const struct kc_websocket *websocket);

#endif
