/*
 * Whether a server keeps its promise about idle connections: one state machine for one connection, fed with
 * events and their time.
 *
 * The promise (libwebsockets' retry policy, lws_retry_bo_t): a connection is known to be valid when it opens
 * and whenever a pong arrives. An interval after that the server pings; if it hears nothing, it hangs up. On
 * the ttyd under test (libwebsockets 4.2.1) data counts in neither direction, measured: a client that typed
 * at 7 s and a program that printed at 8 s changed nothing, an unsolicited pong at 7.0 s moved the ping to
 * 27.0 s and the hangup to 37.0 s. Here validity is therefore KC_KEEPALIVE_CONNECTED and _PONG_SENT.
 *
 * Every time comes from the caller, in milliseconds of whatever clock it keeps, real or virtual. With it
 * comes how late the caller may be: it was to look at T, could only at T + late. A measured span is thus a
 * range, as much shorter or longer as its two ends are late. Within the window it is right; outside, even
 * allowing for all the lateness in between, it is wrong; else nobody can tell: KC_KEEPALIVE_UNCLEAR, which is
 * never a pass nor a failure of the server.
 *
 * Life cycle: 1. kc_keepalive_init  2. kc_keepalive_feed each event, in order of time, first
 * KC_KEEPALIVE_CONNECTED; KC_KEEPALIVE_TICK at least every quarter of the tolerances  3. when wants_command
 * is set, have a command run and feed KC_KEEPALIVE_COMMAND_DONE  4. when `done`, read. Pure, nothing to
 * release.
 */
#ifndef KC_NET_KEEPALIVE_H
#define KC_NET_KEEPALIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define KC_KEEPALIVE_PINGS_MAX 64

/* Policy data, all milliseconds, all above 0. */
struct kc_keepalive_windows {
	int64_t ping_interval_ms;    /* from the last validity to the ping */
	int64_t ping_tolerance_ms;   /* to either side */
	int64_t hangup_ms;	     /* from the last validity to the hangup of a silent client */
	int64_t hangup_tolerance_ms; /* to either side */
	int64_t observe_ms;	     /* from the opening: so long an answering client is watched */
	int64_t half_open_ms; /* from the connection: a handshake must be done by then; for that policy alone */
};

enum kc_keepalive_policy {
	KC_KEEPALIVE_ANSWERING, /* answers pings: must be pinged in time and stay connected, and runs a
				   command at the end */
	KC_KEEPALIVE_SILENT,	/* never answers: must be hung up in time */
	KC_KEEPALIVE_STOPPING, /* answers until `stop_ms`: must be hung up in time after its last answer, not before */
	KC_KEEPALIVE_HALF_OPEN /* connects and never finishes the handshake: must be hung up before half_open_ms */
};

enum kc_keepalive_event_type {
	KC_KEEPALIVE_CONNECTED,	   /* the handshake is done; of a half-open one, the connection is made */
	KC_KEEPALIVE_PING,	   /* received */
	KC_KEEPALIVE_PONG_SENT,	   /* written to the socket */
	KC_KEEPALIVE_DATA,	   /* received */
	KC_KEEPALIVE_CLOSED,	   /* `how` and `code` */
	KC_KEEPALIVE_COMMAND_DONE, /* `ok`, and `text` if not */
	KC_KEEPALIVE_TICK	   /* time has passed, and what had arrived by then has been fed */
};

enum kc_keepalive_close {
	KC_KEEPALIVE_OPEN = 0,
	KC_KEEPALIVE_CLOSE_FRAME,
	KC_KEEPALIVE_FIN,
	KC_KEEPALIVE_RESET,
	KC_KEEPALIVE_PROTOCOL /* by us: the server broke the rule in `text` */
};

struct kc_keepalive_event {
	enum kc_keepalive_event_type type;
	int64_t now_ms;
	int64_t late_ms; /* how long before `now_ms` it may have happened; 0 when we were in time */
	enum kc_keepalive_close how;
	uint16_t code; /* of the close frame */
	bool ok;
	const char *text; /* copied; NULL for none */
};

enum kc_keepalive_verdict {
	KC_KEEPALIVE_PENDING,
	KC_KEEPALIVE_PASS,
	KC_KEEPALIVE_UNCLEAR,
	KC_KEEPALIVE_FAIL
};

struct kc_keepalive {
	const struct kc_keepalive_windows *windows; /* borrowed */
	enum kc_keepalive_policy policy;
	enum kc_keepalive_verdict verdict; /* the worst so far; final when `done`. A failure does not end the
					      observation: what comes later is still measured */
	bool done;
	bool wants_command;
	int64_t stop_ms; /* since the opening, for KC_KEEPALIVE_STOPPING: set by the caller after init */
	char expected[224];
	char got[320]; /* what decided; for a pass, the measurements */

	int64_t connected_ms;			  /* of the caller's clock */
	int64_t valid_ms;			  /* the same, last validity */
	int64_t pings_ms[KC_KEEPALIVE_PINGS_MAX]; /* since the opening; only the first so many are kept */
	int64_t pings_late_ms[KC_KEEPALIVE_PINGS_MAX]; /* how late we may have been to see each */
	size_t ping_count;			       /* of all */
	int64_t shortest_ms;	     /* from a validity to the ping after it, of all; 0: no ping came */
	int64_t longest_ms;	     /* likewise */
	enum kc_keepalive_close how; /* how it ended, KC_KEEPALIVE_OPEN when it did not */
	uint16_t code;
	int64_t closed_ms;	/* since the opening */
	int64_t closed_late_ms; /* how late we may have been to see it */
	int64_t idle_ms;	/* from the last validity to the end of the connection */
	unsigned long long data_events;
	int64_t late_ms;	     /* the largest of all */
	int64_t late_valid_ms;	     /* of the last validity */
	int64_t late_since_valid_ms; /* the largest since then, itself included */
	bool is_connected;
	bool is_overdue; /* the missing ping or hangup has been judged */
};

/* -EINVAL, naming the field, for windows in which nothing could be told. */
int kc_keepalive_check_windows(const struct kc_keepalive_windows *windows, struct kc_error *err)
	__attribute__((warn_unused_result));

/* Borrows `windows`. */
void kc_keepalive_init(struct kc_keepalive *keepalive, enum kc_keepalive_policy policy,
		       const struct kc_keepalive_windows *windows);
void kc_keepalive_feed(struct kc_keepalive *keepalive, const struct kc_keepalive_event *event);

/* Whether a ping that comes now is to be answered. */
bool kc_keepalive_answers(const struct kc_keepalive *keepalive, int64_t now_ms);

/* When, in the caller's time, a tick can first change anything, if nothing is fed before; INT64_MAX: never. */
int64_t kc_keepalive_due_ms(const struct kc_keepalive *keepalive);

/* Milliseconds before ping `index`: since the ping before it, or the opening. */
int64_t kc_keepalive_interval_ms(const struct kc_keepalive *keepalive, size_t index);

/* "open", "close frame", "FIN", "reset", "protocol error". */
const char *kc_keepalive_close_name(enum kc_keepalive_close how);

#endif
