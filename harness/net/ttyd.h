/*
 * What ttyd and its web page say to each other inside websocket messages.
 *
 * The client's first message is a JSON object; after it, the first byte of a message tells what the rest is:
 * '0' terminal input or output, '1' the window's title, '2' preferences (ttyd's src/server.h and
 * src/protocol.c; seen on the wire of 1.6.1 and 1.6.3). Shells answer where ttyd is writable: those two are,
 * unless started with -R; where `ttyd --help` lists --writable (1.7.4 and later), only with -W.
 *
 * Life cycle: 1. send kc_ttyd_hello  2. kc_ttyd_command, send it  3. kc_ttyd_receive each message, until
 * `found`. Pure; nothing to release.
 */
#ifndef KC_NET_TTYD_H
#define KC_NET_TTYD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"
#include "net/websocket.h"

#define KC_TTYD_SUBPROTOCOL "tty"
#define KC_TTYD_PATH "/ws"

struct kc_ttyd {
	char marker[48]; /* what only a shell can have printed; "" before kc_ttyd_command */
	char window[48]; /* the newest bytes of the output, as many as the marker is long */
	size_t window_length;
	unsigned long long output_bytes; /* of the terminal, since the command was made */
	bool found;
};

/* Appends the first message. */
int kc_ttyd_hello(struct kc_buffer *message, struct kc_error *err) __attribute__((warn_unused_result));

/*
 * Appends a message that types a command whose output the terminal's echo of the typed line cannot contain: a
 * random product that the shell has to compute (arithmetic expansion, in every POSIX shell). Starts anew when
 * called again.
 */
int kc_ttyd_command(struct kc_ttyd *ttyd, const struct kc_entropy *entropy, struct kc_buffer *message,
		    struct kc_error *err) __attribute__((warn_unused_result));

/* Takes a whole message of the server, of any content. Returns `found`. */
bool kc_ttyd_receive(struct kc_ttyd *ttyd, const void *message, size_t length);

#endif
