#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixtures/websocket_peer.h"
#include "net/keepalive_run.h"
#include "net/websocket_socket.h"
#include "sys/fd.h"
#include "sys/time.h"
#include "tests/kc_test.h"

#define BYTES(literal) .raw = (literal), .raw_length = sizeof(literal) - 1
#define STEP_MS 10 /* of the clock below */

static const struct kc_keepalive_windows windows = { .ping_interval_ms = 20000,
						     .ping_tolerance_ms = 1000,
						     .hangup_ms = 30000,
						     .hangup_tolerance_ms = 1000,
						     .observe_ms = 41000 };

/* A clock on which forty seconds take some milliseconds: waiting lets the peers act and time pass, in turns.
 */
struct scene {
	struct kc_peer *peers[KC_KEEPALIVE_CLIENTS_MAX];
	int fds[KC_KEEPALIVE_CLIENTS_MAX];
	size_t count;
	int64_t now_ms;
	int64_t stall_at_ms; /* once, the peers go on while we do not; 0: never */
	int64_t stall_ms;
	bool is_held;
	int holds;		   /* how often that changed */
	int64_t server_dies_at_ms; /* the check says so from then on; 0: never */
};

static int64_t scene_now(void *context)
{
	const struct scene *scene = context;

	return scene->now_ms;
}

static void step_peers(struct scene *scene)
{
	for (size_t i = 0; i < scene->count; i++)
		kc_peer_step(scene->peers[i], scene->now_ms);
}

static void pass_time(struct scene *scene)
{
	scene->now_ms += STEP_MS;
	step_peers(scene);
	if (!scene->stall_at_ms || scene->now_ms < scene->stall_at_ms)
		return;
	scene->stall_at_ms = 0;
	for (int64_t end_ms = scene->now_ms + scene->stall_ms; scene->now_ms < end_ms; step_peers(scene))
		scene->now_ms += STEP_MS;
}

static int scene_poll(void *context, struct pollfd *fds, size_t count, int64_t timeout_ms,
		      struct kc_error *err)
{
	struct scene *scene = context;
	int64_t end_ms = scene->now_ms + timeout_ms;

	for (;;) {
		int ready = poll(fds, count, 0);

		if (ready != 0 || scene->now_ms >= end_ms)
			return ready;
		pass_time(scene);
	}
}

static int scene_check(void *context, struct kc_error *err)
{
	const struct scene *scene = context;

	if (scene->server_dies_at_ms && scene->now_ms >= scene->server_dies_at_ms)
		return kc_error_set(err, ESRCH, "ttyd has ended");
	return 0;
}

static void close_scene(struct scene *scene)
{
	for (size_t i = 0; i < scene->count; i++) {
		kc_peer_release(&scene->peers[i]);
		kc_fd_close(&scene->fds[i]);
	}
}

static bool open_scene(struct scene *scene, const struct kc_peer_script *scripts, size_t count)
{
	scene->now_ms = 1000;
	for (; scene->count < count; scene->count++) {
		int ends[2];

		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
			return false;
		scene->fds[scene->count] = ends[0];
		scene->peers[scene->count] = kc_peer_new(&scripts[scene->count], ends[1]);
		if (!scene->peers[scene->count])
			return false;
	}
	return true;
}

/* Silent first, then answering, each with a peer that follows its own script. */
static int run_scene(struct scene *scene, const struct kc_peer_script scripts[2],
		     struct kc_keepalive_report *report, struct kc_error *err)
{
	const struct kc_keepalive_clock clock = { .now_ms = scene_now,
						  .poll_ms = scene_poll,
						  .context = scene };
	struct kc_keepalive_client clients[2] = { { .name = "silent", .policy = KC_KEEPALIVE_SILENT },
						  { .name = "answering", .policy = KC_KEEPALIVE_ANSWERING } };
	const struct kc_keepalive_options options = { .clients = clients,
						      .count = 2,
						      .windows = windows,
						      .clock = &clock,
						      .check = scene_check,
						      .check_context = scene };
	int status = -EIO;

	if (KC_CHECK(open_scene(scene, scripts, 2))) {
		clients[0].fd = scene->fds[0];
		clients[1].fd = scene->fds[1];
		status = kc_keepalive_run(&options, report, err);
	}
	close_scene(scene);
	return status;
}

#define GOOD                                                                                                 \
	{                                                                                                    \
		.ping_ms = 20000, .hangup_ms = 30000                                                         \
	}
#define PASS KC_KEEPALIVE_PASS
#define FAIL KC_KEEPALIVE_FAIL
#define UNCLEAR KC_KEEPALIVE_UNCLEAR

static const struct {
	const char *name;
	struct kc_peer_script silent, answering; /* the servers' side */
	int64_t stall_at_ms, stall_ms;
	enum kc_keepalive_verdict silent_verdict, answering_verdict;
	const char *silent_got, *answering_got;
} rows[] = {
	{ "keeps every promise", GOOD, GOOD, 0, 0, PASS, PASS, "hung up 30.0", "pings at 20.0" },
	{ "one byte at a time",
	  { .ping_ms = 20000, .hangup_ms = 30000, .piece = 1 },
	  { .ping_ms = 20000, .hangup_ms = 30000, .piece = 1 },
	  0,
	  0,
	  PASS,
	  PASS,
	  "",
	  "" },
	{ "hangs up with a close frame",
	  { .hangup_ms = 30000, .farewell = KC_PEER_CLOSE_FRAME },
	  GOOD,
	  0,
	  0,
	  PASS,
	  PASS,
	  "(close frame)",
	  "" },
	{ "hangs up with a reset",
	  { .hangup_ms = 30000, .farewell = KC_PEER_RESET },
	  GOOD,
	  0,
	  0,
	  PASS,
	  PASS,
	  "(reset)",
	  "" },
	{ "a ping between fragments",
	  GOOD,
	  { .ping_ms = 20000,
	    .hangup_ms = 30000,
	    BYTES("\x01\x01"
		  "a\x8a\x01p\x80\x01"
		  "b"),
	    .raw_ms = 5000 },
	  0,
	  0,
	  PASS,
	  PASS,
	  "",
	  "" },

	{ "stock ttyd",
	  { .ping_ms = 5000, .hangup_ms = 25000 },
	  { .ping_ms = 5000, .hangup_ms = 25000 },
	  0,
	  0,
	  FAIL,
	  FAIL,
	  "hung up 25.0",
	  "ping 1 came 5.0" },
	{ "pings too early",
	  GOOD,
	  { .ping_ms = 18000, .hangup_ms = 30000 },
	  0,
	  0,
	  PASS,
	  FAIL,
	  "",
	  "ping 1 came 18.0" },
	{ "pings too late",
	  GOOD,
	  { .ping_ms = 22000, .hangup_ms = 30000 },
	  0,
	  0,
	  PASS,
	  FAIL,
	  "",
	  "no ping in the 21.0" },
	{ "never pings", GOOD, { .ping_ms = 0 }, 0, 0, PASS, FAIL, "", "no ping in the 21.0" },
	{ "never hangs up", { .ping_ms = 20000 }, GOOD, 0, 0, FAIL, PASS, "no hangup in the 31.0", "" },
	{ "hangs up too early",
	  { .ping_ms = 20000, .hangup_ms = 28000 },
	  GOOD,
	  0,
	  0,
	  FAIL,
	  PASS,
	  "hung up 28.0",
	  "" },
	{ "hangs up too late",
	  { .ping_ms = 20000, .hangup_ms = 35000 },
	  GOOD,
	  0,
	  0,
	  FAIL,
	  PASS,
	  "no hangup in the",
	  "" },
	{ "hangs up on those who answer",
	  GOOD,
	  { .ping_ms = 20000, .hangup_ms = 30000, .ignores_pongs = true },
	  0,
	  0,
	  PASS,
	  FAIL,
	  "",
	  "hung up 30.0" },
	{ "a shell that says nothing",
	  GOOD,
	  { .ping_ms = 20000, .hangup_ms = 30000, .shell = KC_PEER_MUTE },
	  0,
	  0,
	  PASS,
	  FAIL,
	  "",
	  "the shell does not answer after 41.00 s: 0 bytes of output" },
	{ "a terminal that only echoes",
	  GOOD,
	  { .ping_ms = 20000, .hangup_ms = 30000, .shell = KC_PEER_ECHOES },
	  0,
	  0,
	  PASS,
	  FAIL,
	  "",
	  "without the result of the command" },

	{ "masks its frames (G1)",
	  GOOD,
	  { .ping_ms = 20000, .hangup_ms = 30000, BYTES("\x89\x80\x01\x02\x03\x04"), .raw_ms = 3000 },
	  0,
	  0,
	  PASS,
	  FAIL,
	  "",
	  "protocol error: a masked frame from the server" },
	{ "sends a message that is too big (G2)",
	  GOOD,
	  { .ping_ms = 20000, .hangup_ms = 30000, BYTES("\x82\x7f\0\0\0\x01\0\0\0\0x"), .raw_ms = 3000 },
	  0,
	  0,
	  PASS,
	  FAIL,
	  "",
	  "protocol error: a message over our limit" },
	{ "breaks a rule towards the silent (G6)",
	  { .ping_ms = 20000, .hangup_ms = 30000, BYTES("\x88\x02\x03\xed"), .raw_ms = 29500 },
	  GOOD,
	  0,
	  0,
	  FAIL,
	  PASS,
	  "protocol error: a close code that must not be sent",
	  "" },
	{ "pings without end, and reads nothing",
	  GOOD,
	  { .floods = true },
	  0,
	  0,
	  PASS,
	  FAIL,
	  "",
	  "ping 1 came 0.0" },
	{ "accepts and says nothing (G7)",
	  { .answer = "" },
	  GOOD,
	  0,
	  0,
	  FAIL,
	  PASS,
	  "no whole handshake within its time limit",
	  "" },
	{ "half an answer (G7)",
	  { .answer = "HTTP/1.1 101 Switching Protocols\r\nUpgr" },
	  GOOD,
	  0,
	  0,
	  FAIL,
	  PASS,
	  "no whole handshake within its time limit",
	  "" },
	{ "hangs up on the handshake",
	  { .drops_handshake = true },
	  GOOD,
	  0,
	  0,
	  FAIL,
	  PASS,
	  "hung up during the handshake (FIN)",
	  "" },
	{ "wrong accept (G8)",
	  { .answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		      "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: "
		      "tty\r\n\r\n" },
	  GOOD,
	  0,
	  0,
	  FAIL,
	  PASS,
	  "protocol error: Sec-WebSocket-Accept does not answer our key",
	  "" },
	{ "200 (G8)",
	  GOOD,
	  { .answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" },
	  0,
	  0,
	  PASS,
	  FAIL,
	  "",
	  "protocol error: the answer is not HTTP/1.1 101" },

	{ "we are busy when it pings and hangs up", GOOD, GOOD, 29000, 3000, UNCLEAR, PASS,
	  "too busy to tell", "" },
	{ "we are busy and it is hung up", GOOD, GOOD, 19000, 13000, UNCLEAR, UNCLEAR, "too busy to tell",
	  "too busy to tell" },
	{ "we are a little busy", GOOD, GOOD, 29900, 300, PASS, PASS, "hung up 30.", "pings at 20.0" },
};

static void judges_servers_of_every_kind(void)
{
	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		const struct kc_peer_script scripts[2] = { rows[i].silent, rows[i].answering };
		struct scene scene = { .stall_at_ms = rows[i].stall_at_ms, .stall_ms = rows[i].stall_ms };
		KC_CLEANUP_FREE struct kc_keepalive_report *report = calloc(1, sizeof(*report));
		const struct kc_keepalive *silent, *answering;
		struct kc_error err = { 0 };

		KC_REQUIRE(report);
		KC_REQUIRE_OK(run_scene(&scene, scripts, report, &err), err);
		silent = &report->clients[0].keepalive;
		answering = &report->clients[1].keepalive;
		KC_CHECK_MESSAGE(silent->verdict == rows[i].silent_verdict &&
					 strstr(silent->got, rows[i].silent_got),
				 "%s: silent: verdict %d, got \"%s\"", rows[i].name, (int)silent->verdict,
				 silent->got);
		KC_CHECK_MESSAGE(answering->verdict == rows[i].answering_verdict &&
					 strstr(answering->got, rows[i].answering_got),
				 "%s: answering: verdict %d, got \"%s\"", rows[i].name,
				 (int)answering->verdict, answering->got);
		KC_CHECK_INT(report->verdict,
			     silent->verdict > answering->verdict ? silent->verdict : answering->verdict);
	}
}

static void reports_what_it_measured(void)
{
	static const struct kc_peer_script scripts[2] = { GOOD, GOOD };
	struct scene scene = { 0 };
	KC_CLEANUP_FREE struct kc_keepalive_report *report = calloc(1, sizeof(*report));
	const struct kc_keepalive *silent, *answering;
	struct kc_error err = { 0 };

	KC_REQUIRE(report);
	KC_REQUIRE_OK(run_scene(&scene, scripts, report, &err), err);
	silent = &report->clients[0].keepalive;
	answering = &report->clients[1].keepalive;
	KC_CHECK_INT(report->count, 2);
	KC_CHECK_STRING(report->clients[1].name, "answering");
	KC_CHECK_INT(answering->ping_count, 2);
	KC_CHECK_INT(answering->pings_ms[0] / 100, 200);
	KC_CHECK_INT(kc_keepalive_interval_ms(answering, 1) / 100, 200);
	KC_CHECK_INT(answering->how, KC_KEEPALIVE_OPEN);
	KC_CHECK(report->clients[1].command_ok && report->clients[1].command_ms < 1000);
	KC_CHECK_INT(silent->ping_count, 1);
	KC_CHECK_INT(silent->how, KC_KEEPALIVE_FIN);
	KC_CHECK_INT(silent->closed_ms / 100, 300);
	KC_CHECK_INT(silent->late_ms, 0);
	KC_CHECK(scene.now_ms < 43000);
}

/* Both connections end with the server, but that is not what the check is about. */
static void tells_a_dead_server_from_a_hangup(void)
{
	static const struct kc_peer_script scripts[2] = { GOOD, { .ping_ms = 20000, .hangup_ms = 500 } };
	static const int64_t deaths_ms[] = { 1, 10000, 31100 };

	for (size_t i = 0; i < KC_ARRAY_LENGTH(deaths_ms); i++) {
		struct scene scene = { .server_dies_at_ms = deaths_ms[i] };
		KC_CLEANUP_FREE struct kc_keepalive_report *report = calloc(1, sizeof(*report));
		struct kc_error err = { 0 };

		KC_REQUIRE(report);
		KC_CHECK_INT(run_scene(&scene, scripts, report, &err), -ESRCH);
		KC_CHECK_STRING(err.text, "ttyd has ended");
	}
}

static void refuses_options_that_make_no_sense(void)
{
	static const struct kc_keepalive_client client = { .name = "x", .fd = -1 };
	static const struct kc_keepalive_options options[] = {
		{ .clients = &client, .count = 0, .windows = { 20000, 1000, 30000, 1000, 41000 } },
		{ .clients = &client,
		  .count = KC_KEEPALIVE_CLIENTS_MAX + 1,
		  .windows = { 20000, 1000, 30000, 1000, 41000 } },
		{ .clients = &client, .count = 1 },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(options); i++) {
		KC_CLEANUP_FREE struct kc_keepalive_report *report = calloc(1, sizeof(*report));
		struct kc_error err = { 0 };

		KC_REQUIRE(report);
		KC_CHECK_INT(kc_keepalive_run(&options[i], report, &err), -EINVAL);
		KC_CHECK_INT(err.code, -EINVAL);
	}
}

/* Half a second of real time in one jump, unless somebody waits for an answer. */
static void scene_hold(void *context, bool is_held)
{
	struct scene *scene = context;

	scene->holds += is_held != scene->is_held;
	scene->is_held = is_held;
}

/* One client at a time, on a clock that is asked only when something is due. */
static void every_kind_of_client_has_its_verdict_on_a_clock_that_jumps(void)
{
	static const struct {
		const char *name;
		struct kc_keepalive_client client;
		struct kc_peer_script script;
		int64_t observe_ms;
		enum kc_keepalive_verdict verdict;
		const char *got;
	} kinds[] = {
		{ "answering", { .policy = KC_KEEPALIVE_ANSWERING }, GOOD, 41000, PASS, "pings at 20." },
		{ "silent", { .policy = KC_KEEPALIVE_SILENT }, GOOD, 41000, PASS, "hung up 30." },
		{ "stops",
		  { .policy = KC_KEEPALIVE_STOPPING, .stop_ms = 25000 },
		  GOOD,
		  90000,
		  PASS,
		  "hung up 30." },
		{ "stops, and is kept",
		  { .policy = KC_KEEPALIVE_STOPPING, .stop_ms = 25000 },
		  { .ping_ms = 20000 },
		  90000,
		  FAIL,
		  "no hangup in the 31." },
		{ "behind a proxy",
		  { .policy = KC_KEEPALIVE_ANSWERING, .cut_idle_ms = 60000 },
		  GOOD,
		  600000,
		  PASS,
		  "pings at 20." },
		{ "cut by the proxy",
		  { .policy = KC_KEEPALIVE_ANSWERING, .cut_idle_ms = 15000 },
		  GOOD,
		  600000,
		  FAIL,
		  "the proxy cut: nothing came from the server for 15 s" },
		{ "half open, and kept",
		  { .policy = KC_KEEPALIVE_HALF_OPEN },
		  GOOD,
		  41000,
		  FAIL,
		  "no hangup in the 60." },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(kinds); i++) {
		struct scene scene = { 0 };
		const struct kc_keepalive_clock clock = {
			.now_ms = scene_now, .poll_ms = scene_poll, .hold = scene_hold, .context = &scene
		};
		struct kc_keepalive_client client = kinds[i].client;
		struct kc_keepalive_options options = {
			.clients = &client, .count = 1, .windows = windows, .clock = &clock
		};
		KC_CLEANUP_FREE struct kc_keepalive_report *report = calloc(1, sizeof(*report));
		struct kc_error err = { 0 };

		KC_REQUIRE(report);
		client.name = kinds[i].name;
		options.windows.observe_ms = kinds[i].observe_ms;
		options.windows.half_open_ms = 60000;
		if (KC_CHECK(open_scene(&scene, &kinds[i].script, 1))) {
			client.fd = scene.fds[0];
			KC_CHECK_OK(kc_keepalive_run(&options, report, &err), err);
			KC_CHECK_MESSAGE(report->verdict == kinds[i].verdict, "%s: verdict %d: %s",
					 kinds[i].name, (int)report->verdict,
					 report->clients[0].keepalive.got);
			KC_CHECK_MESSAGE(strstr(report->clients[0].keepalive.got, kinds[i].got),
					 "%s: got \"%s\"", kinds[i].name, report->clients[0].keepalive.got);
			KC_CHECK(scene.holds >= 1);
		}
		close_scene(&scene);
	}
}

static void ends_at_the_deadline(void)
{
	static const struct kc_peer_script script = GOOD;
	struct scene scene = { 0 };
	const struct kc_keepalive_clock clock = { .now_ms = scene_now,
						  .poll_ms = scene_poll,
						  .context = &scene };
	struct kc_keepalive_client client = { .name = "silent", .policy = KC_KEEPALIVE_SILENT };
	const struct kc_keepalive_options options = {
		.clients = &client, .count = 1, .windows = windows, .clock = &clock, .deadline_ms = 15000
	};
	KC_CLEANUP_FREE struct kc_keepalive_report *report = calloc(1, sizeof(*report));
	struct kc_error err = { 0 };

	KC_REQUIRE(report);
	if (KC_CHECK(open_scene(&scene, &script, 1))) {
		client.fd = scene.fds[0];
		KC_CHECK_INT(kc_keepalive_run(&options, report, &err), -ETIMEDOUT);
		KC_CHECK_CONTAINS(err.text, "not done at the time limit");
	}
	close_scene(&scene);
}

/* A loopback port of our own, not yet listened on when `backlog` is 0. */
static int open_listener(int backlog, uint16_t *ret_port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	KC_CLEANUP_FD int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &size) < 0 || (backlog && listen(fd, backlog) < 0))
		return -1;
	*ret_port = ntohs(address.sin_port);
	return KC_STEAL_FD(fd);
}

/* One socket stands any number of refusals. */
static void connects_again_after_refusals(void)
{
	uint16_t port = 0;
	KC_CLEANUP_FD int listener = open_listener(0, &port);
	KC_CLEANUP_FD int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	KC_CLEANUP_FD int accepted = -1;
	struct kc_error err = { 0 };

	KC_REQUIRE(listener >= 0 && fd >= 0);
	for (int i = 0; i < 3; i++) {
		KC_CHECK_INT(kc_socket_connect_loopback(fd, port, kc_now_ms() + 15, &err), -ECONNREFUSED);
		KC_CHECK_CONTAINS(err.text, "connect to 127.0.0.1:");
		kc_error_clear(&err);
	}
	KC_REQUIRE(listen(listener, 1) == 0);
	KC_CHECK_OK(kc_socket_connect_loopback(fd, port, kc_now_ms() + 10000, &err), err);
	accepted = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	KC_CHECK(accepted >= 0 && send(accepted, "x", 1, MSG_NOSIGNAL) == 1);
}

static void fails_at_once_where_waiting_is_no_use(void)
{
	KC_CLEANUP_FD int unix_socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct kc_error err = { 0 };

	KC_CHECK_INT(kc_socket_connect_loopback(-1, 1, kc_now_ms() + 60000, &err), -EBADF);
	KC_CHECK(kc_socket_connect_loopback(unix_socket, 1, kc_now_ms() + 60000, &err) < 0);
}

static void end_server(pid_t pid)
{
	if (pid <= 0)
		return;
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
}

static int check_child(void *context, struct kc_error *err)
{
	const pid_t *pid = context;
	siginfo_t info = { 0 };

	if (waitid(P_PID, (id_t)*pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid != 0)
		return kc_error_set(err, ESRCH, "the server has ended");
	return 0;
}

/* Wide windows: what is tested is the whole way over TCP, in real time, not the times. */
static int run_over_tcp(const struct kc_peer_script scripts[2], struct kc_keepalive_report *report,
			struct kc_error *err)
{
	uint16_t port = 0;
	KC_CLEANUP_FD int listener = open_listener(2, &port);
	KC_CLEANUP_FD int silent = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	KC_CLEANUP_FD int answering = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pid_t pid = kc_peer_serve(listener, scripts, 2);
	const struct kc_keepalive_client clients[] = {
		{ .name = "silent", .policy = KC_KEEPALIVE_SILENT, .fd = silent, .port = port },
		{ .name = "answering", .policy = KC_KEEPALIVE_ANSWERING, .fd = answering, .port = port }
	};
	const struct kc_keepalive_options options = { .clients = clients,
						      .count = 2,
						      .windows = { 500, 499, 500, 499, 1000 },
						      .check = check_child,
						      .check_context = &pid };
	int status = pid > 0 ? kc_keepalive_run(&options, report, err) : -EIO;

	end_server(pid);
	return status;
}

static void runs_over_tcp_in_real_time(void)
{
	static const struct kc_peer_script scripts[2] = { { .ping_ms = 100, .hangup_ms = 300 },
							  { .ping_ms = 100, .hangup_ms = 60000 } };
	KC_CLEANUP_FREE struct kc_keepalive_report *report = calloc(1, sizeof(*report));
	struct kc_error err = { 0 };

	KC_REQUIRE(report);
	KC_REQUIRE_OK(run_over_tcp(scripts, report, &err), err);
	KC_CHECK_INT(report->clients[0].keepalive.how, KC_KEEPALIVE_FIN);
	KC_CHECK(report->clients[0].keepalive.ping_count == 1);
	KC_CHECK(report->clients[1].keepalive.ping_count > 1);
	KC_CHECK(report->clients[1].command_ok);
}

static void notices_the_death_of_a_server_process(void)
{
	static const struct kc_peer_script scripts[2] = { GOOD, { .ping_ms = 100, .exit_ms = 50 } };
	KC_CLEANUP_FREE struct kc_keepalive_report *report = calloc(1, sizeof(*report));
	struct kc_error err = { 0 };

	KC_REQUIRE(report);
	KC_CHECK_INT(run_over_tcp(scripts, report, &err), -ESRCH);
	KC_CHECK_STRING(err.text, "the server has ended");
}

static void fails_when_nobody_ever_listens(void)
{
	uint16_t port = 0;
	KC_CLEANUP_FD int listener = open_listener(0, &port);
	KC_CLEANUP_FD int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const struct kc_keepalive_client client = {
		.name = "silent", .policy = KC_KEEPALIVE_SILENT, .fd = fd, .port = port
	};
	const struct kc_keepalive_options options = {
		.clients = &client, .count = 1, .windows = windows, .connect_timeout_ms = 30
	};
	KC_CLEANUP_FREE struct kc_keepalive_report *report = calloc(1, sizeof(*report));
	struct kc_error err = { 0 };

	KC_REQUIRE(report && listener >= 0);
	KC_CHECK_INT(kc_keepalive_run(&options, report, &err), -ECONNREFUSED);
	KC_CHECK_CONTAINS(err.text, "keepalive client silent: connect to 127.0.0.1:");
	KC_CHECK_INT(report->verdict, KC_KEEPALIVE_PENDING);
}

KC_TEST_SUITE(keepalive_run, KC_LABEL_FAST, KC_TEST(judges_servers_of_every_kind),
	      KC_TEST(reports_what_it_measured), KC_TEST(tells_a_dead_server_from_a_hangup),
	      KC_TEST(refuses_options_that_make_no_sense),
	      KC_TEST(every_kind_of_client_has_its_verdict_on_a_clock_that_jumps),
	      KC_TEST(ends_at_the_deadline), KC_TEST(connects_again_after_refusals),
	      KC_TEST(fails_at_once_where_waiting_is_no_use), KC_TEST(runs_over_tcp_in_real_time),
	      KC_TEST(notices_the_death_of_a_server_process), KC_TEST(fails_when_nobody_ever_listens));
