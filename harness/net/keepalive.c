#include "net/keepalive.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"

/* "20.02 s". Times are never negative here. */
#define SECONDS "%" PRId64 ".%02" PRId64 " s"
#define SECONDS_OF(ms) (ms) / 1000, (ms) % 1000 / 10

int kc_keepalive_check_windows(const struct kc_keepalive_windows *windows, struct kc_error *err)
{
	const struct kc_keepalive_windows *w = windows;
	const struct {
		bool is_right;
		const char *text;
	} rules[] = {
		{ w->ping_tolerance_ms > 0 && w->hangup_tolerance_ms > 0, "a tolerance is not above 0" },
		{ w->ping_interval_ms > w->ping_tolerance_ms,
		  "ping_interval_ms is within ping_tolerance_ms of 0" },
		{ w->hangup_ms > w->hangup_tolerance_ms, "hangup_ms is within hangup_tolerance_ms of 0" },
		{ w->observe_ms > w->ping_interval_ms + w->ping_tolerance_ms,
		  "observe_ms ends before the first ping is due" },
		{ w->observe_ms > w->hangup_ms + w->hangup_tolerance_ms,
		  "observe_ms ends before the hangup is due" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rules); i++)
		if (!rules[i].is_right)
			return kc_error_set(err, EINVAL, "keepalive windows: %s", rules[i].text);
	return 0;
}

void kc_keepalive_init(struct kc_keepalive *keepalive, enum kc_keepalive_policy policy,
		       const struct kc_keepalive_windows *windows)
{
	const struct kc_keepalive_windows *w = windows;

	*keepalive = (struct kc_keepalive){ .windows = windows, .policy = policy };
	if (policy == KC_KEEPALIVE_HALF_OPEN)
		(void)snprintf(keepalive->expected, sizeof(keepalive->expected),
			       "hung up " SECONDS " after connecting at the latest",
			       SECONDS_OF(w->half_open_ms));
	else if (policy != KC_KEEPALIVE_ANSWERING)
		(void)snprintf(keepalive->expected, sizeof(keepalive->expected),
			       "hung up " SECONDS " after its last sign of life, give or take " SECONDS,
			       SECONDS_OF(w->hangup_ms), SECONDS_OF(w->hangup_tolerance_ms));
	else
		(void)snprintf(keepalive->expected, sizeof(keepalive->expected),
			       "a ping " SECONDS " after each sign of life, give or take " SECONDS
			       ", no hangup in " SECONDS ", and a shell that answers then",
			       SECONDS_OF(w->ping_interval_ms), SECONDS_OF(w->ping_tolerance_ms),
			       SECONDS_OF(w->observe_ms));
}

const char *kc_keepalive_close_name(enum kc_keepalive_close how)
{
	static const char *const names[] = { [KC_KEEPALIVE_OPEN] = "open",
					     [KC_KEEPALIVE_CLOSE_FRAME] = "close frame",
					     [KC_KEEPALIVE_FIN] = "FIN",
					     [KC_KEEPALIVE_RESET] = "reset",
					     [KC_KEEPALIVE_PROTOCOL] = "protocol error" };

	return names[how];
}

int64_t kc_keepalive_interval_ms(const struct kc_keepalive *keepalive, size_t index)
{
	return keepalive->pings_ms[index] - (index ? keepalive->pings_ms[index - 1] : 0);
}

bool kc_keepalive_answers(const struct kc_keepalive *keepalive, int64_t now_ms)
{
	return keepalive->policy == KC_KEEPALIVE_ANSWERING ||
	       (keepalive->policy == KC_KEEPALIVE_STOPPING &&
		now_ms - keepalive->connected_ms < keepalive->stop_ms);
}

/* The worst verdict stands, and of equals the first: later ones tend to follow from it. */
__attribute__((format(printf, 3, 4))) static void
decide(struct kc_keepalive *keepalive, enum kc_keepalive_verdict verdict, const char *format, ...)
{
	va_list arguments;

	if (verdict <= keepalive->verdict)
		return;
	keepalive->verdict = verdict;
	va_start(arguments, format);
	(void)vsnprintf(keepalive->got, sizeof(keepalive->got), format, arguments);
	va_end(arguments);
	if (verdict == KC_KEEPALIVE_UNCLEAR) {
		size_t used = strlen(keepalive->got);

		(void)snprintf(keepalive->got + used, sizeof(keepalive->got) - used,
			       "; this machine was up to " SECONDS " late itself, too busy to tell",
			       SECONDS_OF(keepalive->late_since_valid_ms));
	}
}

/*
 * The verdict on the span from the last validity to `event`. Both its ends may lie as much earlier as we were
 * late to see them. For a span that is right that is all. To call one wrong, our lateness in between counts,
 * too: a machine that kept us waiting may have kept the server waiting.
 */
static enum kc_keepalive_verdict judge(const struct kc_keepalive *keepalive,
				       const struct kc_keepalive_event *event, int64_t wanted_ms,
				       int64_t tolerance_ms)
{
	int64_t span_ms = event->now_ms - keepalive->valid_ms;
	int64_t off_ms = span_ms < wanted_ms ? wanted_ms - span_ms : span_ms - wanted_ms;
	int64_t late_ms = keepalive->late_valid_ms + event->late_ms;

	if (off_ms + late_ms <= tolerance_ms)
		return KC_KEEPALIVE_PASS;
	if (late_ms < keepalive->late_since_valid_ms)
		late_ms = keepalive->late_since_valid_ms;
	return off_ms - late_ms > tolerance_ms ? KC_KEEPALIVE_FAIL : KC_KEEPALIVE_UNCLEAR;
}

static void set_valid(struct kc_keepalive *keepalive, const struct kc_keepalive_event *event)
{
	keepalive->valid_ms = event->now_ms;
	keepalive->late_valid_ms = event->late_ms;
	keepalive->late_since_valid_ms = event->late_ms;
	keepalive->is_overdue = false;
}

static void on_ping(struct kc_keepalive *keepalive, const struct kc_keepalive_event *event)
{
	const struct kc_keepalive_windows *w = keepalive->windows;
	int64_t idle_ms = event->now_ms - keepalive->valid_ms;
	enum kc_keepalive_verdict verdict;

	if (keepalive->ping_count < KC_KEEPALIVE_PINGS_MAX) {
		keepalive->pings_ms[keepalive->ping_count] = event->now_ms - keepalive->connected_ms;
		keepalive->pings_late_ms[keepalive->ping_count] = event->late_ms;
	}
	keepalive->ping_count++;
	if (keepalive->ping_count == 1 || idle_ms < keepalive->shortest_ms)
		keepalive->shortest_ms = idle_ms;
	if (idle_ms > keepalive->longest_ms)
		keepalive->longest_ms = idle_ms;
	if (!kc_keepalive_answers(keepalive, event->now_ms))
		return;
	verdict = judge(keepalive, event, w->ping_interval_ms, w->ping_tolerance_ms);
	if (verdict != KC_KEEPALIVE_PASS)
		decide(keepalive, verdict, "ping %zu came " SECONDS " after the last sign of life",
		       keepalive->ping_count, SECONDS_OF(idle_ms));
}

static void judge_hangup(struct kc_keepalive *keepalive, const struct kc_keepalive_event *event)
{
	const struct kc_keepalive_windows *w = keepalive->windows;
	const char *how = kc_keepalive_close_name(keepalive->how);

	if (keepalive->policy == KC_KEEPALIVE_HALF_OPEN) {
		/* Too late would have been overdue. */
		decide(keepalive, KC_KEEPALIVE_PASS, "hung up " SECONDS " after connecting (%s)",
		       SECONDS_OF(keepalive->idle_ms), how);
		return;
	}
	if (!kc_keepalive_answers(keepalive, event->now_ms)) {
		enum kc_keepalive_verdict verdict =
			judge(keepalive, event, w->hangup_ms, w->hangup_tolerance_ms);

		decide(keepalive, verdict, "hung up " SECONDS " after the last sign of life (%s)",
		       SECONDS_OF(keepalive->idle_ms), how);
		return;
	}
	/* Had we been so late that our pong missed its time, the server would have been right to hang up. */
	decide(keepalive,
	       keepalive->late_since_valid_ms > w->ping_tolerance_ms ? KC_KEEPALIVE_UNCLEAR
								     : KC_KEEPALIVE_FAIL,
	       "hung up " SECONDS " after the opening, although it answers pings (%s)",
	       SECONDS_OF(keepalive->closed_ms), how);
}

static void on_closed(struct kc_keepalive *keepalive, const struct kc_keepalive_event *event)
{
	keepalive->how = event->how;
	keepalive->code = event->code;
	keepalive->closed_late_ms = event->late_ms;
	keepalive->done = true;
	keepalive->wants_command = false;
	if (keepalive->is_connected) {
		keepalive->closed_ms = event->now_ms - keepalive->connected_ms;
		keepalive->idle_ms = event->now_ms - keepalive->valid_ms;
	}
	if (event->how == KC_KEEPALIVE_PROTOCOL)
		decide(keepalive, KC_KEEPALIVE_FAIL, "protocol error: %s", event->text ? event->text : "?");
	else if (!keepalive->is_connected)
		decide(keepalive, KC_KEEPALIVE_FAIL, "hung up during the handshake (%s)",
		       kc_keepalive_close_name(event->how));
	else
		judge_hangup(keepalive, event);
}

static void on_command_done(struct kc_keepalive *keepalive, const struct kc_keepalive_event *event)
{
	char pings[128] = "";
	size_t used = 0;

	keepalive->done = true;
	keepalive->wants_command = false;
	if (!event->ok) {
		decide(keepalive, KC_KEEPALIVE_FAIL, "the shell does not answer after " SECONDS ": %s",
		       SECONDS_OF(keepalive->windows->observe_ms), event->text ? event->text : "?");
		return;
	}
	for (size_t i = 0; i < keepalive->ping_count && i < KC_KEEPALIVE_PINGS_MAX && used < sizeof(pings);
	     i++)
		used += (size_t)snprintf(pings + used, sizeof(pings) - used, "%s" SECONDS, i ? ", " : "",
					 SECONDS_OF(keepalive->pings_ms[i]));
	decide(keepalive, KC_KEEPALIVE_PASS, "pings at %s, and the shell answers", pings);
}

/* From the last validity to the moment by which what was due must have come. */
static int64_t limit_ms(const struct kc_keepalive *keepalive, int64_t now_ms)
{
	const struct kc_keepalive_windows *w = keepalive->windows;

	if (keepalive->policy == KC_KEEPALIVE_HALF_OPEN)
		return w->half_open_ms;
	return kc_keepalive_answers(keepalive, now_ms) ? w->ping_interval_ms + w->ping_tolerance_ms
						       : w->hangup_ms + w->hangup_tolerance_ms;
}

/* What has not come by then, even if we were late to look, does not come any more. */
static void look_for_overdue(struct kc_keepalive *keepalive, const struct kc_keepalive_event *event)
{
	int64_t idle_ms = event->now_ms - keepalive->valid_ms - keepalive->late_since_valid_ms;

	if (keepalive->is_overdue || idle_ms <= limit_ms(keepalive, event->now_ms))
		return;
	keepalive->is_overdue = true;
	decide(keepalive, KC_KEEPALIVE_FAIL, "no %s in the " SECONDS " after the last sign of life",
	       kc_keepalive_answers(keepalive, event->now_ms) ? "ping" : "hangup", SECONDS_OF(idle_ms));
}

int64_t kc_keepalive_due_ms(const struct kc_keepalive *keepalive)
{
	const struct kc_keepalive_windows *w = keepalive->windows;
	int64_t observed_ms = keepalive->connected_ms + w->observe_ms;
	/* Later than this no ping is waited for, and what is due depends on whether it would be answered. */
	int64_t last_ping_ms = keepalive->valid_ms + w->ping_interval_ms + w->ping_tolerance_ms + 1;
	bool waits_for_end = keepalive->policy == KC_KEEPALIVE_ANSWERING ? !keepalive->wants_command
									 : keepalive->is_overdue;
	int64_t due_ms = INT64_MAX;

	if (!keepalive->is_connected || keepalive->done)
		return due_ms;
	if (!keepalive->is_overdue)
		due_ms = keepalive->valid_ms + keepalive->late_since_valid_ms +
			 limit_ms(keepalive, last_ping_ms) + 1;
	return waits_for_end && observed_ms < due_ms ? observed_ms : due_ms;
}

static void on_tick(struct kc_keepalive *keepalive, const struct kc_keepalive_event *event)
{
	look_for_overdue(keepalive, event);
	if (event->now_ms - keepalive->connected_ms < keepalive->windows->observe_ms)
		return;
	if (keepalive->policy == KC_KEEPALIVE_ANSWERING)
		keepalive->wants_command = true;
	else if (keepalive->is_overdue)
		keepalive->done = true;
}

void kc_keepalive_feed(struct kc_keepalive *keepalive, const struct kc_keepalive_event *event)
{
	if (keepalive->done)
		return;
	if (event->late_ms > keepalive->late_ms)
		keepalive->late_ms = event->late_ms;
	if (event->late_ms > keepalive->late_since_valid_ms)
		keepalive->late_since_valid_ms = event->late_ms;
	switch (event->type) {
	case KC_KEEPALIVE_CONNECTED:
		keepalive->is_connected = true;
		keepalive->connected_ms = event->now_ms;
		set_valid(keepalive, event);
		break;
	case KC_KEEPALIVE_PING:
		on_ping(keepalive, event);
		break;
	case KC_KEEPALIVE_PONG_SENT:
		set_valid(keepalive, event);
		break;
	case KC_KEEPALIVE_DATA:
		keepalive->data_events++;
		break;
	case KC_KEEPALIVE_CLOSED:
		on_closed(keepalive, event);
		break;
	case KC_KEEPALIVE_COMMAND_DONE:
		on_command_done(keepalive, event);
		break;
	case KC_KEEPALIVE_TICK:
		if (keepalive->is_connected)
			on_tick(keepalive, event);
		break;
	}
}
