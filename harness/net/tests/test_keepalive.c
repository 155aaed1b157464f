#include <errno.h>
#include <string.h>

#include "net/keepalive.h"
#include "tests/kc_test.h"

static const struct kc_keepalive_windows windows = { .ping_interval_ms = 20000,
						     .ping_tolerance_ms = 1000,
						     .hangup_ms = 30000,
						     .hangup_tolerance_ms = 1000,
						     .observe_ms = 41000,
						     .half_open_ms = 15000 };

#define OPENING 7000 /* of the caller's clock: nothing may depend on it being 0 */
#define TICK 100
#define ANSWERING KC_KEEPALIVE_ANSWERING
#define SILENT KC_KEEPALIVE_SILENT
#define STOPPING KC_KEEPALIVE_STOPPING /* at STOP */
#define HALF_OPEN KC_KEEPALIVE_HALF_OPEN
#define STOP 25000

enum what { END = 0, PING, PING_UNANSWERED, DATA, FIN, RESET, CLOSE, BROKEN_RULE, SHELL, NO_SHELL, STALL };

/* One thing that happens, in milliseconds since the opening. STALL: we sleep until then, and see only then
 * what the next steps say happened. */
struct step {
	int64_t at_ms;
	enum what what;
};

static void feed(struct kc_keepalive *keepalive, struct kc_keepalive_event event, int64_t at_ms,
		 int64_t late_ms)
{
	event.now_ms = OPENING + at_ms;
	event.late_ms = late_ms;
	kc_keepalive_feed(keepalive, &event);
}

static void play_step(struct kc_keepalive *keepalive, enum what what, int64_t at_ms, int64_t late_ms)
{
	static const struct kc_keepalive_event events[] = {
		[PING] = { .type = KC_KEEPALIVE_PING },
		[PING_UNANSWERED] = { .type = KC_KEEPALIVE_PING },
		[DATA] = { .type = KC_KEEPALIVE_DATA },
		[FIN] = { .type = KC_KEEPALIVE_CLOSED, .how = KC_KEEPALIVE_FIN },
		[RESET] = { .type = KC_KEEPALIVE_CLOSED, .how = KC_KEEPALIVE_RESET },
		[CLOSE] = { .type = KC_KEEPALIVE_CLOSED, .how = KC_KEEPALIVE_CLOSE_FRAME, .code = 1000 },
		[BROKEN_RULE] = { .type = KC_KEEPALIVE_CLOSED,
				  .how = KC_KEEPALIVE_PROTOCOL,
				  .text = "a rule" },
		[SHELL] = { .type = KC_KEEPALIVE_COMMAND_DONE, .ok = true },
		[NO_SHELL] = { .type = KC_KEEPALIVE_COMMAND_DONE, .text = "nothing" },
	};

	feed(keepalive, events[what], at_ms, late_ms);
	if (what == PING && kc_keepalive_answers(keepalive, OPENING + at_ms))
		feed(keepalive, (struct kc_keepalive_event){ .type = KC_KEEPALIVE_PONG_SENT }, at_ms,
		     late_ms);
}

/* Plays the steps, with ticks between them that come as they should, until the last step or the end. */
static void play(struct kc_keepalive *keepalive, enum kc_keepalive_policy policy, const struct step *steps)
{
	int64_t now_ms = 0, late_ms = 0;

	kc_keepalive_init(keepalive, policy, &windows);
	keepalive->stop_ms = policy == STOPPING ? STOP : 0;
	feed(keepalive, (struct kc_keepalive_event){ .type = KC_KEEPALIVE_CONNECTED }, 0, 0);
	for (; steps->what != END; steps++) {
		if (steps->what == STALL) {
			late_ms = steps->at_ms - now_ms - TICK;
			now_ms = steps->at_ms;
			continue;
		}
		for (; now_ms + TICK <= steps->at_ms; now_ms += TICK) {
			feed(keepalive, (struct kc_keepalive_event){ .type = KC_KEEPALIVE_TICK }, now_ms,
			     late_ms);
			late_ms = 0;
		}
		play_step(keepalive, steps->what, steps->at_ms, late_ms);
		now_ms = steps->at_ms;
	}
	for (; !keepalive->done && now_ms < 60000; now_ms += TICK) {
		feed(keepalive, (struct kc_keepalive_event){ .type = KC_KEEPALIVE_TICK }, now_ms, late_ms);
		late_ms = 0;
	}
}

static const struct {
	const char *name;
	enum kc_keepalive_policy policy;
	struct step steps[8];
	enum kc_keepalive_verdict verdict;
	const char *got; /* a part of it */
} rows[] = {
	{ "4.4.0 answering",
	  ANSWERING,
	  { { 20020, PING }, { 40040, PING }, { 41010, SHELL } },
	  KC_KEEPALIVE_PASS,
	  "pings at 20.02 s, 40.04 s, and the shell answers" },
	{ "4.4.0 silent",
	  SILENT,
	  { { 20020, PING }, { 30020, FIN } },
	  KC_KEEPALIVE_PASS,
	  "hung up 30.02 s after the last sign of life (FIN)" },
	{ "1.0.0 answering",
	  ANSWERING,
	  { { 5000, PING }, { 10000, PING }, { 41010, SHELL } },
	  KC_KEEPALIVE_FAIL,
	  "ping 1 came 5.00 s after the last sign of life" },
	{ "1.0.0 silent",
	  SILENT,
	  { { 5000, PING }, { 25010, FIN } },
	  KC_KEEPALIVE_FAIL,
	  "hung up 25.01 s after the last sign of life (FIN)" },

	{ "ping at the first moment",
	  ANSWERING,
	  { { 19000, PING }, { 39000, PING }, { 41000, SHELL } },
	  KC_KEEPALIVE_PASS,
	  "pings at 19.00 s" },
	{ "ping just too early",
	  ANSWERING,
	  { { 18999, PING }, { 41000, SHELL } },
	  KC_KEEPALIVE_FAIL,
	  "ping 1 came 18.99 s" },
	{ "ping at the last moment",
	  ANSWERING,
	  { { 21000, PING }, { 41000, SHELL } },
	  KC_KEEPALIVE_PASS,
	  "pings at 21.00 s" },
	{ "ping just too late",
	  ANSWERING,
	  { { 21001, PING }, { 41500, SHELL } },
	  KC_KEEPALIVE_FAIL,
	  "ping 1 came 21.00 s" },
	{ "second ping too early",
	  ANSWERING,
	  { { 20000, PING }, { 38000, PING }, { 41000, SHELL } },
	  KC_KEEPALIVE_FAIL,
	  "ping 2 came 18.00 s" },
	{ "no ping ever", ANSWERING, { { 41000, SHELL } }, KC_KEEPALIVE_FAIL, "no ping in the 21.10 s" },
	{ "data is no ping",
	  ANSWERING,
	  { { 20000, DATA }, { 41000, SHELL } },
	  KC_KEEPALIVE_FAIL,
	  "no ping in the" },
	{ "data moves no window",
	  ANSWERING,
	  { { 7000, DATA }, { 20000, PING }, { 40000, PING }, { 41000, SHELL } },
	  KC_KEEPALIVE_PASS,
	  "pings at 20.00 s, 40.00 s" },
	{ "hung up although it answers",
	  ANSWERING,
	  { { 20000, PING }, { 30000, FIN } },
	  KC_KEEPALIVE_FAIL,
	  "hung up 30.00 s after the opening, although it answers pings (FIN)" },
	{ "reset although it answers", ANSWERING, { { 100, RESET } }, KC_KEEPALIVE_FAIL, "(reset)" },
	{ "the shell does not answer",
	  ANSWERING,
	  { { 20000, PING }, { 40000, PING }, { 41000, NO_SHELL } },
	  KC_KEEPALIVE_FAIL,
	  "the shell does not answer after 41.00 s: nothing" },
	{ "a broken rule",
	  ANSWERING,
	  { { 20000, BROKEN_RULE } },
	  KC_KEEPALIVE_FAIL,
	  "protocol error: a rule" },
	{ "the first failure is told",
	  ANSWERING,
	  { { 5000, PING }, { 9000, FIN } },
	  KC_KEEPALIVE_FAIL,
	  "ping 1 came 5.00 s" },

	{ "hangup at the first moment", SILENT, { { 29000, RESET } }, KC_KEEPALIVE_PASS, "(reset)" },
	{ "hangup just too early", SILENT, { { 28999, FIN } }, KC_KEEPALIVE_FAIL, "hung up 28.99 s" },
	{ "hangup at the last moment", SILENT, { { 31000, CLOSE } }, KC_KEEPALIVE_PASS, "(close frame)" },
	{ "hangup just too late", SILENT, { { 31001, FIN } }, KC_KEEPALIVE_FAIL, "hung up 31.00 s" },
	{ "hangup late is still measured",
	  SILENT,
	  { { 38000, FIN } },
	  KC_KEEPALIVE_FAIL,
	  "no hangup in the 31.10 s" },
	{ "never hung up", SILENT, { { 0, DATA } }, KC_KEEPALIVE_FAIL, "no hangup in the 31.10 s" },
	{ "silent, and pinged without end",
	  SILENT,
	  { { 20000, PING }, { 25000, PING }, { 29000, PING } },
	  KC_KEEPALIVE_FAIL,
	  "no hangup in the" },
	{ "a broken rule is no hangup", SILENT, { { 30000, BROKEN_RULE } }, KC_KEEPALIVE_FAIL, "a rule" },

	{ "answers, then stops",
	  STOPPING,
	  { { 20000, PING }, { 40000, PING }, { 50010, FIN } },
	  KC_KEEPALIVE_PASS,
	  "hung up 30.01 s after the last sign of life (FIN)" },
	{ "hung up while it still answers",
	  STOPPING,
	  { { 20000, PING }, { 24000, FIN } },
	  KC_KEEPALIVE_FAIL,
	  "hung up 24.00 s after the opening, although it answers pings" },
	{ "hung up too early after it stopped",
	  STOPPING,
	  { { 20000, PING }, { 40000, PING }, { 45000, FIN } },
	  KC_KEEPALIVE_FAIL,
	  "hung up 25.00 s after the last sign of life" },
	{ "never hung up after it stopped",
	  STOPPING,
	  { { 20000, PING }, { 40000, PING } },
	  KC_KEEPALIVE_FAIL,
	  "no hangup in the 31." },
	{ "pinged late while it answers",
	  STOPPING,
	  { { 22000, PING }, { 52000, FIN } },
	  KC_KEEPALIVE_FAIL,
	  "no ping in the 21." },

	{ "half open, and hung up",
	  HALF_OPEN,
	  { { 10000, FIN } },
	  KC_KEEPALIVE_PASS,
	  "hung up 10.00 s after connecting (FIN)" },
	{ "half open, and hung up at the last moment",
	  HALF_OPEN,
	  { { 15000, RESET } },
	  KC_KEEPALIVE_PASS,
	  "hung up 15.00 s after connecting (reset)" },
	{ "half open, and kept", HALF_OPEN, { { 0, DATA } }, KC_KEEPALIVE_FAIL, "no hangup in the 15.1" },

	{ "we slept before a ping that is in time",
	  ANSWERING,
	  { { 19700, STALL }, { 19700, DATA }, { 20000, PING }, { 40000, PING }, { 41000, SHELL } },
	  KC_KEEPALIVE_PASS,
	  "pings at 20.00 s, 40.00 s" },
	{ "we slept before a ping that is not",
	  ANSWERING,
	  { { 3000, STALL }, { 3000, DATA }, { 18000, PING }, { 38000, PING }, { 41000, SHELL } },
	  KC_KEEPALIVE_UNCLEAR,
	  "ping 1 came 18.00 s after the last sign of life; this machine was up to 2.90 s late itself" },
	{ "we slept before a ping that is far from it",
	  ANSWERING,
	  { { 3000, STALL }, { 3000, DATA }, { 5000, PING }, { 41000, SHELL } },
	  KC_KEEPALIVE_FAIL,
	  "ping 1 came 5.00 s" },
	{ "we overslept the ping",
	  ANSWERING,
	  { { 19900, DATA }, { 22000, STALL }, { 22000, PING }, { 41000, SHELL } },
	  KC_KEEPALIVE_UNCLEAR,
	  "this machine was up to 2.00 s late itself, too busy to tell" },
	{ "we overslept, and the ping was late anyhow",
	  ANSWERING,
	  { { 20900, DATA }, { 23000, STALL }, { 30000, PING }, { 41000, SHELL } },
	  KC_KEEPALIVE_FAIL,
	  "no ping in the 21." },
	{ "we overslept a little",
	  ANSWERING,
	  { { 19900, DATA }, { 20200, STALL }, { 20200, PING }, { 40200, PING }, { 41000, SHELL } },
	  KC_KEEPALIVE_PASS,
	  "pings at 20.20 s, 40.20 s" },
	{ "the lateness of a sign of life counts for the span after it",
	  ANSWERING,
	  { { 19900, DATA }, { 20400, STALL }, { 20400, PING }, { 41200, PING }, { 41300, SHELL } },
	  KC_KEEPALIVE_UNCLEAR,
	  "ping 2 came 20.80 s" },
	{ "we overslept the hangup",
	  SILENT,
	  { { 29900, DATA }, { 32000, STALL }, { 32000, FIN } },
	  KC_KEEPALIVE_UNCLEAR,
	  "too busy to tell" },
	{ "we overslept our pong and were hung up",
	  ANSWERING,
	  { { 19900, DATA }, { 33000, STALL }, { 33000, FIN } },
	  KC_KEEPALIVE_UNCLEAR,
	  "too busy to tell" },
	{ "unclear first, failed then",
	  ANSWERING,
	  { { 19900, DATA }, { 22000, STALL }, { 22000, PING }, { 25000, PING }, { 41000, SHELL } },
	  KC_KEEPALIVE_FAIL,
	  "ping 2 came 3.00 s" },
};

static void judges_what_happens(void)
{
	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		struct kc_keepalive keepalive;

		play(&keepalive, rows[i].policy, rows[i].steps);
		KC_CHECK_MESSAGE(keepalive.done && keepalive.verdict == rows[i].verdict,
				 "%s: done %d, verdict %d", rows[i].name, keepalive.done,
				 (int)keepalive.verdict);
		KC_CHECK_MESSAGE(strstr(keepalive.got, rows[i].got), "%s: got \"%s\"", rows[i].name,
				 keepalive.got);
	}
}

static void measures_in_milliseconds_since_the_opening(void)
{
	static const struct step steps[] = {
		{ 5004, PING }, { 10007, PING }, { 15000, DATA }, { 25010, CLOSE }, { 0, END }
	};
	struct kc_keepalive keepalive;

	play(&keepalive, KC_KEEPALIVE_SILENT, steps);
	KC_CHECK_INT(keepalive.ping_count, 2);
	KC_CHECK_INT(keepalive.pings_ms[0], 5004);
	KC_CHECK_INT(keepalive.pings_ms[1], 10007);
	KC_CHECK_INT(kc_keepalive_interval_ms(&keepalive, 0), 5004);
	KC_CHECK_INT(kc_keepalive_interval_ms(&keepalive, 1), 5003);
	KC_CHECK_INT(keepalive.closed_ms, 25010);
	KC_CHECK_INT(keepalive.idle_ms, 25010);
	KC_CHECK_INT(keepalive.how, KC_KEEPALIVE_CLOSE_FRAME);
	KC_CHECK_INT(keepalive.code, 1000);
	KC_CHECK_INT(keepalive.data_events, 1);
	KC_CHECK_INT(keepalive.late_ms, 0);
	KC_CHECK_STRING(keepalive.expected,
			"hung up 30.00 s after its last sign of life, give or take 1.00 s");
}

static void counts_more_pings_than_it_keeps(void)
{
	struct kc_keepalive keepalive;

	kc_keepalive_init(&keepalive, KC_KEEPALIVE_ANSWERING, &windows);
	feed(&keepalive, (struct kc_keepalive_event){ .type = KC_KEEPALIVE_CONNECTED }, 0, 0);
	for (int i = 1; i <= 1000; i++)
		play_step(&keepalive, PING, i, 0);
	play_step(&keepalive, SHELL, 41000, 0);
	KC_CHECK_INT(keepalive.ping_count, 1000);
	KC_CHECK_INT(keepalive.pings_ms[KC_KEEPALIVE_PINGS_MAX - 1], KC_KEEPALIVE_PINGS_MAX);
	KC_CHECK_INT(keepalive.verdict, KC_KEEPALIVE_FAIL);
}

static void asks_for_the_command_at_the_end_of_the_observation(void)
{
	struct kc_keepalive keepalive;

	kc_keepalive_init(&keepalive, KC_KEEPALIVE_ANSWERING, &windows);
	feed(&keepalive, (struct kc_keepalive_event){ .type = KC_KEEPALIVE_CONNECTED }, 0, 0);
	play_step(&keepalive, PING, 20000, 0);
	play_step(&keepalive, PING, 40000, 0);
	feed(&keepalive, (struct kc_keepalive_event){ .type = KC_KEEPALIVE_TICK }, 40999, 0);
	KC_CHECK(!keepalive.wants_command && !keepalive.done);
	feed(&keepalive, (struct kc_keepalive_event){ .type = KC_KEEPALIVE_TICK }, 41000, 0);
	KC_CHECK(keepalive.wants_command && !keepalive.done);
	KC_CHECK_INT(keepalive.verdict, KC_KEEPALIVE_PENDING);
	play_step(&keepalive, SHELL, 41001, 0);
	KC_CHECK(!keepalive.wants_command && keepalive.done);
	KC_CHECK_INT(keepalive.verdict, KC_KEEPALIVE_PASS);
	play_step(&keepalive, FIN, 41002, 0); /* what comes after the end changes nothing */
	KC_CHECK_INT(keepalive.verdict, KC_KEEPALIVE_PASS);
	KC_CHECK_INT(keepalive.how, KC_KEEPALIVE_OPEN);
}

/* A clock that jumps asks for the moments that count, and jumps over all others. */
static void says_when_it_wants_to_be_asked_again(void)
{
	static const struct {
		const char *name;
		enum kc_keepalive_policy policy;
		struct step steps[3];
		int64_t due_ms; /* since the opening; INT64_MAX: never */
	} moments[] = {
		{ "the ping", ANSWERING, { { 0, END } }, 21001 },
		{ "the end of the observation", ANSWERING, { { 20000, PING } }, 41000 },
		{ "the hangup", SILENT, { { 0, END } }, 31001 },
		{ "the hangup, pinged", SILENT, { { 20000, PING } }, 31001 },
		{ "the ping before it stops", STOPPING, { { 0, END } }, 21001 },
		{ "the hangup after it stopped", STOPPING, { { 20000, PING } }, 51001 },
		{ "the hangup of half a handshake", HALF_OPEN, { { 0, END } }, 15001 },
		{ "nothing, at the end", SILENT, { { 30000, FIN } }, INT64_MAX },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(moments); i++) {
		struct kc_keepalive keepalive;
		int64_t due_ms = moments[i].due_ms;

		kc_keepalive_init(&keepalive, moments[i].policy, &windows);
		keepalive.stop_ms = STOP;
		feed(&keepalive, (struct kc_keepalive_event){ .type = KC_KEEPALIVE_CONNECTED }, 0, 0);
		for (const struct step *step = moments[i].steps; step->what != END; step++)
			play_step(&keepalive, step->what, step->at_ms, 0);
		KC_CHECK_MESSAGE(kc_keepalive_due_ms(&keepalive) ==
					 (due_ms == INT64_MAX ? due_ms : OPENING + due_ms),
				 "%s: %lld", moments[i].name, (long long)kc_keepalive_due_ms(&keepalive));
	}
}

static void fails_a_connection_that_never_opened(void)
{
	struct kc_keepalive keepalive;

	kc_keepalive_init(&keepalive, KC_KEEPALIVE_SILENT, &windows);
	feed(&keepalive, (struct kc_keepalive_event){ .type = KC_KEEPALIVE_TICK }, 90000, 0);
	KC_CHECK_INT(keepalive.verdict, KC_KEEPALIVE_PENDING);
	play_step(&keepalive, FIN, 30000, 0);
	KC_CHECK_INT(keepalive.verdict, KC_KEEPALIVE_FAIL);
	KC_CHECK_STRING(keepalive.got, "hung up during the handshake (FIN)");
}

static void refuses_windows_in_which_nothing_can_be_told(void)
{
	static const struct {
		struct kc_keepalive_windows windows;
		const char *text; /* NULL: they are right */
	} cases[] = {
		{ { 20000, 1000, 30000, 1000, 41000 }, NULL },
		{ { 20000, 0, 30000, 1000, 41000 }, "a tolerance is not above 0" },
		{ { 20000, 1000, 30000, -1, 41000 }, "a tolerance is not above 0" },
		{ { 1000, 1000, 30000, 1000, 41000 }, "ping_interval_ms is within" },
		{ { 20000, 1000, 900, 1000, 41000 }, "hangup_ms is within" },
		{ { 20000, 1000, 10000, 1000, 21000 }, "observe_ms ends before the first ping is due" },
		{ { 20000, 1000, 30000, 1000, 31000 }, "observe_ms ends before the hangup is due" },
		{ { 0 }, "a tolerance is not above 0" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(cases); i++) {
		struct kc_error err = { 0 };

		KC_CHECK_INT(kc_keepalive_check_windows(&cases[i].windows, &err),
			     cases[i].text ? -EINVAL : 0);
		KC_CHECK_CONTAINS(err.text, cases[i].text ? cases[i].text : "");
	}
}

KC_TEST_SUITE(keepalive, KC_LABEL_FAST, KC_TEST(judges_what_happens),
	      KC_TEST(measures_in_milliseconds_since_the_opening), KC_TEST(counts_more_pings_than_it_keeps),
	      KC_TEST(asks_for_the_command_at_the_end_of_the_observation),
	      KC_TEST(says_when_it_wants_to_be_asked_again), KC_TEST(fails_a_connection_that_never_opened),
	      KC_TEST(refuses_windows_in_which_nothing_can_be_told));
