/* The handshake's half of the websocket client, pure text. RFC 6455, section 4. */
#ifndef KC_NET_WEBSOCKET_INTERNAL_H
#define KC_NET_WEBSOCKET_INTERNAL_H

#include <stddef.h>

#include "net/websocket.h"

#define KC_WEBSOCKET_NONCE_SIZE 16
#define KC_WEBSOCKET_KEY_SIZE 25    /* base64 of the nonce, with the NUL */
#define KC_WEBSOCKET_ACCEPT_SIZE 29 /* base64 of a SHA-1, with the NUL */

struct kc_websocket_handshake {
	char accept[KC_WEBSOCKET_ACCEPT_SIZE]; /* what the server must answer */
	char subprotocol[64];
};

/* Appends the request to `output` and keeps what the answer will be compared with. */
int kc_websocket_request(const struct kc_websocket_options *options, struct kc_buffer *output,
			 struct kc_websocket_handshake *ret_handshake, struct kc_error *err)
	__attribute__((warn_unused_result));

/* `header` is the answer with the empty line that ends it. NULL when all of it is right, or the rule that it
 * breaks. */
const char *kc_websocket_check_answer(const struct kc_websocket_handshake *handshake, const char *header,
				      size_t length);

#endif
