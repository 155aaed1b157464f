#include "net/keepalive_run.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "net/ttyd.h"
#include "net/websocket_socket.h"
#include "sys/fd.h"
#include "sys/time.h"

#define TICK_MS 50	    /* between two looks at the clock, well below any tolerance */
#define CONNECT_PAUSE_MS 10 /* nothing announces that somebody listens */
#define DEFAULT_TIMEOUT_MS 10000
#define SETTLE_TICKS 6 /* for the caller to learn that the server died, after a connection ended */
#define MESSAGE_LIMIT (1 << 20)
#define READS_PER_TURN 16 /* so that a server that floods one client does not keep us from the others */

enum phase { PHASE_WAITING, PHASE_HANDSHAKE, PHASE_OPEN, PHASE_DONE };

struct client {
	const struct kc_keepalive_client *row;
	struct kc_keepalive_client_report *report;
	enum phase phase;
	struct kc_websocket *websocket;
	struct kc_ttyd ttyd;
	bool owes_pong;	  /* queued, not yet written */
	int64_t heard_ms; /* when the server last sent anything */
	int64_t connected_ms;
	int64_t command_sent_ms;
	bool command_sent;
};

struct run {
	const struct kc_keepalive_options *options;
	struct kc_keepalive_clock clock;
	struct client clients[KC_KEEPALIVE_CLIENTS_MAX];
	int64_t now_ms;	 /* of this turn: everything found in it is dated so */
	int64_t late_ms; /* how much this turn came late */
};

static int64_t real_now(void *context)
{
	(void)context;
	return kc_now_ms();
}

static int real_poll(void *context, struct pollfd *fds, size_t count, int64_t timeout_ms,
		     struct kc_error *err)
{
	int ready = poll(fds, count, (int)timeout_ms);

	(void)context;
	return ready < 0 && errno != EINTR ? kc_error_errno(err, errno, "poll") : ready < 0 ? 0 : ready;
}

static int64_t or_default(int64_t timeout_ms)
{
	return timeout_ms ? timeout_ms : DEFAULT_TIMEOUT_MS;
}

static void feed(struct run *run, struct client *client, struct kc_keepalive_event event)
{
	event.now_ms = run->now_ms;
	event.late_ms = run->late_ms;
	kc_keepalive_feed(&client->report->keepalive, &event);
}

static void end_connection(struct run *run, struct client *client, enum kc_keepalive_close how, uint16_t code,
			   const char *text)
{
	client->phase = PHASE_DONE;
	if (how == KC_KEEPALIVE_PROTOCOL)
		(void)snprintf(client->report->protocol_error, sizeof(client->report->protocol_error), "%s",
			       text);
	feed(run, client,
	     (struct kc_keepalive_event){
		     .type = KC_KEEPALIVE_CLOSED, .how = how, .code = code, .text = text });
}

static int on_open(struct run *run, struct client *client, struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer hello = KC_BUFFER_INIT(256);
	int status = kc_ttyd_hello(&hello, err);

	if (status < 0)
		return status;
	client->phase = PHASE_OPEN;
	client->heard_ms = run->now_ms;
	feed(run, client, (struct kc_keepalive_event){ .type = KC_KEEPALIVE_CONNECTED });
	return kc_websocket_send(client->websocket, KC_WEBSOCKET_TEXT, hello.data, hello.length, err);
}

static int on_ping(struct run *run, struct client *client, const struct kc_websocket_event *event,
		   struct kc_error *err)
{
	int status;

	feed(run, client, (struct kc_keepalive_event){ .type = KC_KEEPALIVE_PING });
	if (!kc_keepalive_answers(&client->report->keepalive, run->now_ms))
		return 0;
	status = kc_websocket_send(client->websocket, KC_WEBSOCKET_PONG, event->data, event->length, err);
	if (status == -E2BIG) {
		kc_error_clear(err);
		end_connection(run, client, KC_KEEPALIVE_PROTOCOL, 0,
			       "pings without end, and no pong is read");
		return 0;
	}
	client->owes_pong = true;
	return status;
}

static void on_message(struct run *run, struct client *client, const struct kc_websocket_event *event)
{
	bool found_before = client->ttyd.found;

	feed(run, client, (struct kc_keepalive_event){ .type = KC_KEEPALIVE_DATA });
	if (!kc_ttyd_receive(&client->ttyd, event->data, event->length) || found_before)
		return;
	client->report->command_ok = true;
	client->report->command_ms = run->now_ms - client->command_sent_ms;
	feed(run, client, (struct kc_keepalive_event){ .type = KC_KEEPALIVE_COMMAND_DONE, .ok = true });
	client->phase = PHASE_DONE;
}

static int on_event(struct run *run, struct client *client, const struct kc_websocket_event *event,
		    struct kc_error *err)
{
	switch (event->type) {
	case KC_WEBSOCKET_OPEN:
		return on_open(run, client, err);
	case KC_WEBSOCKET_PING:
		return on_ping(run, client, event, err);
	case KC_WEBSOCKET_PONG: /* unsolicited ones are allowed and mean nothing, RFC 6455 section 5.5.3 */
		break;
	case KC_WEBSOCKET_TEXT:
	case KC_WEBSOCKET_BINARY:
		on_message(run, client, event);
		break;
	case KC_WEBSOCKET_CLOSE:
		end_connection(run, client, KC_KEEPALIVE_CLOSE_FRAME, event->code, NULL);
		break;
	case KC_WEBSOCKET_ERROR:
		end_connection(run, client, KC_KEEPALIVE_PROTOCOL, event->code, event->data);
		break;
	}
	return 0;
}

static int take_bytes(struct run *run, struct client *client, const char *bytes, size_t length,
		      struct kc_error *err)
{
	int status;

	if (client->row->policy == KC_KEEPALIVE_HALF_OPEN)
		return 0; /* whatever a server says to that, it has to hang up */
	kc_websocket_feed(client->websocket, bytes, length);
	do {
		struct kc_websocket_event event;

		status = kc_websocket_next(client->websocket, &event, err);
		if (status > 0) {
			int handled = on_event(run, client, &event, err);

			status = handled < 0 ? handled : status;
		}
	} while (status > 0 && client->phase != PHASE_DONE);
	return status < 0 ? status : 0;
}

static int read_client(struct run *run, struct client *client, struct kc_error *err)
{
	char bytes[4096];

	for (int reads = 0; reads < READS_PER_TURN && client->phase != PHASE_DONE; reads++) {
		ssize_t got = recv(client->row->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
		int status;

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == EAGAIN)
			return 0;
		if (got < 0 && errno != ECONNRESET)
			return kc_error_errno(err, errno, "read from ttyd");
		if (got <= 0) {
			end_connection(run, client, got == 0 ? KC_KEEPALIVE_FIN : KC_KEEPALIVE_RESET, 0,
				       NULL);
			return 0;
		}
		client->heard_ms = run->now_ms;
		status = take_bytes(run, client, bytes, (size_t)got, err);
		if (status < 0)
			return status;
	}
	return 0;
}

/* A peer that is gone is not our finding here: reading tells how it went. */
static void write_client(struct run *run, struct client *client)
{
	const struct kc_buffer *output = kc_websocket_output(client->websocket);

	while (output->length) {
		ssize_t sent =
			send(client->row->fd, output->data, output->length, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0 && errno == EAGAIN)
			return;
		kc_websocket_sent(client->websocket, sent < 0 ? output->length : (size_t)sent);
	}
	if (client->owes_pong)
		feed(run, client, (struct kc_keepalive_event){ .type = KC_KEEPALIVE_PONG_SENT });
	client->owes_pong = false;
}

static int send_command(struct run *run, struct client *client, struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer command = KC_BUFFER_INIT(256);
	int status = kc_ttyd_command(&client->ttyd, &run->options->entropy, &command, err);

	if (status < 0)
		return status;
	client->command_sent = true;
	client->command_sent_ms = run->now_ms;
	return kc_websocket_send(client->websocket, KC_WEBSOCKET_BINARY, command.data, command.length, err);
}

static void give_up_command(struct run *run, struct client *client)
{
	char text[128];

	(void)snprintf(text, sizeof(text), "%llu bytes of output, without the result of the command",
		       client->ttyd.output_bytes);
	feed(run, client, (struct kc_keepalive_event){ .type = KC_KEEPALIVE_COMMAND_DONE, .text = text });
	client->phase = PHASE_DONE;
}

/* What nginx does at its proxy_read_timeout: between two reads from the server there may be so long and no longer. */
static bool is_cut(struct run *run, struct client *client)
{
	int64_t limit_ms = client->row->cut_idle_ms;
	char text[128];

	if (!limit_ms || run->now_ms - client->heard_ms < limit_ms + run->late_ms)
		return false;
	(void)snprintf(text, sizeof(text), "the proxy cut: nothing came from the server for %lld s",
		       (long long)(limit_ms / 1000));
	end_connection(run, client, KC_KEEPALIVE_PROTOCOL, 0, text);
	return true;
}

static int watch_time(struct run *run, struct client *client, struct kc_error *err)
{
	const struct kc_keepalive_options *options = run->options;
	const struct kc_keepalive *keepalive = &client->report->keepalive;

	if (client->phase == PHASE_HANDSHAKE &&
	    run->now_ms - client->connected_ms > or_default(options->handshake_timeout_ms) + run->late_ms)
		end_connection(run, client, KC_KEEPALIVE_PROTOCOL, 0,
			       "no whole handshake within its time limit");
	if (client->phase != PHASE_OPEN)
		return 0;
	if (is_cut(run, client))
		return 0;
	feed(run, client, (struct kc_keepalive_event){ .type = KC_KEEPALIVE_TICK });
	if (keepalive->done)
		client->phase = PHASE_DONE;
	else if (keepalive->wants_command && !client->command_sent)
		return send_command(run, client, err);
	else if (client->command_sent && run->now_ms - client->command_sent_ms >
						 or_default(options->command_timeout_ms) + run->late_ms)
		give_up_command(run, client);
	return 0;
}

static int check_server(const struct run *run, struct kc_error *err)
{
	const struct kc_keepalive_options *options = run->options;

	return options->check ? options->check(options->check_context, err) : 0;
}

/* Until somebody listens, letting the server run and asking whether that can still be. */
static int connect_socket(struct run *run, const struct kc_keepalive_client *row, struct kc_error *err)
{
	int64_t deadline_ms = kc_now_ms() + or_default(run->options->connect_timeout_ms);
	int status;

	if (row->port == 0)
		return kc_fd_set_nonblocking(row->fd, err);
	for (;;) {
		status = check_server(run, err);
		if (status < 0)
			return status;
		status = kc_socket_connect_loopback(row->fd, row->port, kc_now_ms(), err);
		if (status != -ECONNREFUSED || kc_now_ms() >= deadline_ms)
			return status;
		kc_error_clear(err);
		status = run->clock.poll_ms(run->clock.context, NULL, 0, CONNECT_PAUSE_MS, err);
		if (status < 0)
			return status;
	}
}

/* Half of the request is sent, and nothing ever after. */
static void open_half(struct run *run, struct client *client)
{
	const struct kc_buffer *request = kc_websocket_output(client->websocket);

	/* A server that has hung up by now is seen when it is read from. */
	(void)send(client->row->fd, request->data, request->length / 2, MSG_DONTWAIT | MSG_NOSIGNAL);
	kc_websocket_sent(client->websocket, request->length);
	client->phase = PHASE_OPEN;
	feed(run, client, (struct kc_keepalive_event){ .type = KC_KEEPALIVE_CONNECTED });
}

static int connect_client(struct run *run, struct client *client, struct kc_error *err)
{
	char host[32];
	int status = connect_socket(run, client->row, err);

	if (status < 0)
		return status;
	(void)snprintf(host, sizeof(host), "localhost:%u", (unsigned int)client->row->port);
	client->phase = PHASE_HANDSHAKE;
	client->connected_ms = run->clock.now_ms(run->clock.context);
	status = kc_websocket_new(&(struct kc_websocket_options){ .host = host,
								  .path = KC_TTYD_PATH,
								  .subprotocol = KC_TTYD_SUBPROTOCOL,
								  .message_limit = MESSAGE_LIMIT,
								  .entropy = run->options->entropy },
				  &client->websocket, err);
	if (status == 0 && client->row->policy == KC_KEEPALIVE_HALF_OPEN) {
		run->now_ms = client->connected_ms;
		open_half(run, client);
	}
	return status;
}

/* Connects the next client, if its turn has come. */
static int connect_next(struct run *run, struct kc_error *err)
{
	for (size_t i = 0; i < run->options->count; i++) {
		struct client *client = &run->clients[i];

		if (client->phase == PHASE_HANDSHAKE)
			return 0;
		if (client->phase == PHASE_WAITING) {
			int status = connect_client(run, client, err);

			if (i == 0) /* waiting for the server to listen was not being late */
				run->now_ms = client->connected_ms;
			return status < 0 ? kc_error_prefix(err, "keepalive client %s", client->row->name)
					  : 0;
		}
	}
	return 0;
}

static bool all_done(const struct run *run)
{
	for (size_t i = 0; i < run->options->count; i++)
		if (run->clients[i].phase != PHASE_DONE)
			return false;
	return true;
}

/* Of the server, or of us: one that is still to connect is the next turn's. */
static bool awaits_answer(const struct client *client)
{
	return client->phase == PHASE_WAITING || client->phase == PHASE_HANDSHAKE ||
	       (client->phase == PHASE_OPEN && client->command_sent);
}

static int64_t due_of(const struct client *client)
{
	int64_t due_ms = kc_keepalive_due_ms(&client->report->keepalive);
	int64_t cut_ms = client->heard_ms + client->row->cut_idle_ms;

	return client->row->cut_idle_ms && cut_ms < due_ms ? cut_ms : due_ms;
}

/* A clock that jumps is never late, except while it is held: then, and for one that does not, the lateness of our own turns
 * is measured, and they have to be short. */
static int64_t choose_tick(struct run *run)
{
	int64_t due_ms = INT64_MAX;
	bool is_held = false;

	if (!run->clock.hold)
		return TICK_MS;
	for (size_t i = 0; i < run->options->count; i++) {
		const struct client *client = &run->clients[i];

		is_held |= awaits_answer(client);
		if (client->phase == PHASE_OPEN && due_of(client) < due_ms)
			due_ms = due_of(client);
	}
	run->clock.hold(run->clock.context, is_held);
	if (is_held || due_ms == INT64_MAX)
		return TICK_MS;
	return due_ms > run->now_ms ? due_ms - run->now_ms : 1;
}

/* Waits for something to happen, at most a tick, and dates it. */
static int wait_for_events(struct run *run, struct pollfd *fds, struct kc_error *err)
{
	int64_t before_ms = run->now_ms, tick_ms = choose_tick(run);
	int status;

	for (size_t i = 0; i < run->options->count; i++) {
		const struct client *client = &run->clients[i];
		bool is_live = client->phase == PHASE_HANDSHAKE || client->phase == PHASE_OPEN;

		fds[i] = (struct pollfd){ .fd = is_live ? client->row->fd : -1, .events = POLLIN };
		if (is_live && kc_websocket_output(client->websocket)->length)
			fds[i].events |= POLLOUT;
	}
	status = run->clock.poll_ms(run->clock.context, fds, run->options->count, tick_ms, err);
	if (status < 0)
		return status;
	run->now_ms = run->clock.now_ms(run->clock.context);
	run->late_ms = run->now_ms - before_ms - tick_ms;
	if (run->late_ms < 0)
		run->late_ms = 0;
	return 0;
}

static int serve_client(struct run *run, struct client *client, short revents, struct kc_error *err)
{
	int status = 0;

	if (client->phase != PHASE_HANDSHAKE && client->phase != PHASE_OPEN)
		return 0;
	if (revents & (POLLIN | POLLHUP | POLLERR))
		status = read_client(run, client, err);
	if (status == 0)
		status = watch_time(run, client, err);
	if (status == 0)
		write_client(run, client);
	return status < 0 ? kc_error_prefix(err, "keepalive client %s", client->row->name) : 0;
}

static int turn(struct run *run, struct kc_error *err)
{
	struct pollfd fds[KC_KEEPALIVE_CLIENTS_MAX];
	int status = check_server(run, err);

	if (status == 0)
		status = connect_next(run, err);
	if (status == 0)
		status = wait_for_events(run, fds, err);
	for (size_t i = 0; status == 0 && i < run->options->count; i++)
		status = serve_client(run, &run->clients[i], fds[i].revents, err);
	if (status == 0 && run->options->deadline_ms && run->now_ms > run->options->deadline_ms &&
	    !all_done(run))
		status = kc_error_set(err, ETIMEDOUT, "keepalive: not done at the time limit");
	return status;
}

/* A server that dies takes its connections with it, and they are seen before its death may be. */
static int settle(struct run *run, const struct kc_keepalive_report *report, struct kc_error *err)
{
	bool has_ended = false;
	int status = check_server(run, err);

	for (size_t i = 0; i < report->count; i++)
		has_ended |= report->clients[i].keepalive.verdict != KC_KEEPALIVE_PASS &&
			     report->clients[i].keepalive.how != KC_KEEPALIVE_OPEN;
	for (int i = 0; i < SETTLE_TICKS && has_ended && run->options->check && status == 0; i++) {
		status = run->clock.poll_ms(run->clock.context, NULL, 0, TICK_MS, err);
		if (status >= 0)
			status = check_server(run, err);
	}
	return status;
}

static void prepare(struct run *run, const struct kc_keepalive_options *options,
		    struct kc_keepalive_report *report)
{
	static const struct kc_keepalive_clock real_clock = { .now_ms = real_now, .poll_ms = real_poll };

	*report = (struct kc_keepalive_report){ .windows = options->windows, .count = options->count };
	*run = (struct run){ .options = options, .clock = options->clock ? *options->clock : real_clock };
	if (run->clock.hold) /* until the first client is open */
		run->clock.hold(run->clock.context, true);
	run->now_ms = run->clock.now_ms(run->clock.context);
	for (size_t i = 0; i < options->count; i++) {
		report->clients[i].name = options->clients[i].name;
		kc_keepalive_init(&report->clients[i].keepalive, options->clients[i].policy,
				  &report->windows);
		report->clients[i].keepalive.stop_ms = options->clients[i].stop_ms;
		run->clients[i] =
			(struct client){ .row = &options->clients[i], .report = &report->clients[i] };
	}
}

static enum kc_keepalive_verdict worst_of(const struct kc_keepalive_report *report)
{
	enum kc_keepalive_verdict worst = KC_KEEPALIVE_PASS;

	for (size_t i = 0; i < report->count; i++) {
		enum kc_keepalive_verdict verdict = report->clients[i].keepalive.verdict;

		if (verdict == KC_KEEPALIVE_PENDING) /* nothing reported is not a pass */
			verdict = KC_KEEPALIVE_UNCLEAR;
		if (verdict > worst)
			worst = verdict;
	}
	return worst;
}

int kc_keepalive_run(const struct kc_keepalive_options *options, struct kc_keepalive_report *ret_report,
		     struct kc_error *err)
{
	struct run run;
	int status = kc_keepalive_check_windows(&options->windows, err);

	if (status < 0)
		return status;
	if (options->count == 0 || options->count > KC_KEEPALIVE_CLIENTS_MAX)
		return kc_error_set(err, EINVAL, "keepalive: %zu clients", options->count);
	prepare(&run, options, ret_report);
	while (status == 0 && !all_done(&run))
		status = turn(&run, err);
	if (status == 0)
		status = settle(&run, ret_report, err);
	for (size_t i = 0; i < options->count; i++)
		kc_websocket_release(&run.clients[i].websocket);
	if (status == 0)
		ret_report->verdict = worst_of(ret_report);
	return status;
}
