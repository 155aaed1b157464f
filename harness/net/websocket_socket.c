#include "net/websocket_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "sys/fd.h"
#include "sys/time.h"

#define RETRY_PAUSE_MS 10
#define HANDSHAKE_MS 1000 /* of TCP: the kernel's affair, which a busy one may put off */

static int time_left(int64_t deadline_ms)
{
	int64_t left = deadline_ms - kc_now_ms();

	return left < 0 ? 0 : left > 60000 ? 60000 : (int)left;
}

/* While nobody listens on a port, TCP may pick it as our own and connect the socket to itself. */
static bool is_own_peer(int fd)
{
	struct sockaddr_in own = { 0 }, peer = { 0 };
	socklen_t own_size = sizeof(own), peer_size = sizeof(peer);

	return getsockname(fd, (struct sockaddr *)&own, &own_size) == 0 &&
	       getpeername(fd, (struct sockaddr *)&peer, &peer_size) == 0 && own.sin_port == peer.sin_port &&
	       own.sin_addr.s_addr == peer.sin_addr.s_addr;
}

static int try_connect(int fd, const struct sockaddr_in *address, int64_t deadline_ms)
{
	struct pollfd poller = { .fd = fd, .events = POLLOUT };
	int left_ms = time_left(deadline_ms), cause = 0;
	socklen_t size = sizeof(cause);

	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0) {
		if (errno != EINPROGRESS)
			return -errno;
		if (poll(&poller, 1, left_ms < HANDSHAKE_MS ? HANDSHAKE_MS : left_ms) < 0)
			return -errno;
		if (!poller.revents)
			return -ETIMEDOUT;
		if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &cause, &size) < 0)
			return -errno;
		if (cause)
			return -cause;
	}
	return is_own_peer(fd) ? -ECONNREFUSED : 0;
}

int kc_socket_connect_loopback(int fd, uint16_t port, int64_t deadline_ms, struct kc_error *err)
{
	const struct sockaddr_in address = { .sin_family = AF_INET,
					     .sin_port = htons(port),
					     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const struct sockaddr nowhere = { .sa_family = AF_UNSPEC };
	int no_delay = 1;
	int status = kc_fd_set_nonblocking(fd, err);

	if (status < 0)
		return status;
	/* Pongs are small and must not wait for company. A socket that refuses this fails to connect, too. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &no_delay, sizeof(no_delay));
	for (;;) {
		status = try_connect(fd, &address, deadline_ms);
		if (status == 0)
			return 0;
		(void)connect(fd, &nowhere,
			      sizeof(nowhere)); /* the next connect tells if this did not help */
		if ((status != -ECONNREFUSED && status != -ECONNABORTED && status != -EINTR) ||
		    time_left(deadline_ms) == 0)
			return kc_error_errno(err, status, "connect to 127.0.0.1:%u", (unsigned int)port);
		(void)poll(NULL, 0, RETRY_PAUSE_MS); /* nothing announces that somebody listens */
	}
}
