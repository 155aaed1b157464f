/*
 * The keepalive check: several connections to one ttyd, side by side in one poll loop, each under its own
 * policy.
 *
 * Clients are connected in the order of the table, each after the one before it is open (or has failed). Put
 * silent ones first: the ttyd of static-gnu 1.0.0 and 4.4.0 (1.6.1 and 1.6.3) survives when its oldest client or one
 * between others is hung up, but dies of SIGSEGV when the newest is and older ones stay (measured, every time;
 * ttyd's issue 994 describes the like of 1.7.1). For the same reason expect ttyd to die when the sockets are
 * closed after the check. Clients may have ports of their own, to give each a ttyd.
 *
 * The caller's part ends where the product's begins: kc_keepalive_run fails (negative) when the check could
 * not be made: nobody listens, the caller's `check` says that the server is gone, a resource is missing. What
 * the server does wrong on the wire is a verdict in the report.
 */
#ifndef KC_NET_KEEPALIVE_RUN_H
#define KC_NET_KEEPALIVE_RUN_H

#include <poll.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "net/keepalive.h"
#include "net/websocket.h"

#define KC_KEEPALIVE_CLIENTS_MAX 64

struct kc_keepalive_client {
	const char *name; /* for reports: "answering" */
	enum kc_keepalive_policy policy;
	int fd; /* an unconnected IPv4 TCP socket, in the server's network namespace; stays the caller's */
	uint16_t port; /* on the loopback of that namespace; 0: `fd` is a connected stream socket of any kind
			*/
	int64_t stop_ms; /* since the opening, for KC_KEEPALIVE_STOPPING: it answers no ping after that */
	int64_t cut_idle_ms; /* a proxy stands between that cuts when the server sends nothing for so long; 0: none */
};

/* The clock of the check: kc_now_ms and poll(2), or a virtual one, harness/clock. */
struct kc_keepalive_clock {
	int64_t (*now_ms)(void *context);
	/* poll(2) with the timeout in units of now_ms; negative with `err` set on failure. Signals do not interrupt it. */
	int (*poll_ms)(void *context, struct pollfd *fds, size_t count, int64_t timeout_ms,
		       struct kc_error *err);
	/* True while an answer is awaited that may take real time: a clock that can jump passes at the pace of real time for so
	 * long. NULL: it always does. */
	void (*hold)(void *context, bool is_held);
	void *context;
};

struct kc_keepalive_options {
	const struct kc_keepalive_client *clients;
	size_t count; /* 1 to KC_KEEPALIVE_CLIENTS_MAX */
	struct kc_keepalive_windows windows;
	int64_t connect_timeout_ms;		/* real time, for the server to listen; 0: 10 s */
	int64_t handshake_timeout_ms;		/* of the clock, from connected to open; 0: 10 s */
	int64_t command_timeout_ms;		/* likewise; 0: 10 s */
	int64_t deadline_ms;			/* of the clock, for all of it: -ETIMEDOUT; 0: none */
	const struct kc_keepalive_clock *clock; /* NULL: real time */
	/* Asked at every turn; negative with `err` set ends the run with that. NULL: not asked. */
	int (*check)(void *context, struct kc_error *err);
	void *check_context;
	struct kc_entropy entropy; /* zeroed: getrandom(2) */
};

struct kc_keepalive_client_report {
	const char *name;	       /* borrowed from the options */
	struct kc_keepalive keepalive; /* verdict, expected, got, and the measurements; its windows are those
					  of the report */
	bool command_ok;
	int64_t command_ms;	  /* from the command to its result, when command_ok */
	char protocol_error[160]; /* "" when there was none */
};

struct kc_keepalive_report {
	struct kc_keepalive_windows windows;
	struct kc_keepalive_client_report clients[KC_KEEPALIVE_CLIENTS_MAX];
	size_t count;
	enum kc_keepalive_verdict verdict; /* the worst of the clients' */
};

/* Takes observe_ms and the command; less if every connection ends before. The sockets stay connected as they
 * are. Fills *ret_report in place: it must not be copied while in use. On failure its contents are those
 * measured so far. Any thread; the caller ignores nothing: no signal is raised for a dead peer. */
int kc_keepalive_run(const struct kc_keepalive_options *options, struct kc_keepalive_report *ret_report,
		     struct kc_error *err) __attribute__((warn_unused_result));

#endif
