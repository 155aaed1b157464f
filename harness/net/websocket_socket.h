/* Connecting a socket that was made elsewhere, for instance in another network namespace, to which it
 * belongs for good. */
#ifndef KC_NET_WEBSOCKET_SOCKET_H
#define KC_NET_WEBSOCKET_SOCKET_H

#include <stdint.h>

#include "base/error.h"

/*
 * Connects the IPv4 TCP socket `fd` (borrowed) to 127.0.0.1:`port` and makes it non-blocking. Tries again
 * while nobody listens, until `deadline_ms` of kc_now_ms, and at least once; one socket is enough, because
 * each refused attempt is dissolved before the next, connect(2).
 * -ECONNREFUSED: nobody listened until the deadline; -ETIMEDOUT: the attempt hung, for a second at least; others at once. After a
 * failure the socket may be tried again.
 */
int kc_socket_connect_loopback(int fd, uint16_t port, int64_t deadline_ms, struct kc_error *err)
	__attribute__((warn_unused_result));

#endif
