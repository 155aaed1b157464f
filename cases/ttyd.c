/* The web terminal: ttyd starts, and keeps idle connections as the policy says. */
#include <stdio.h>
#include <string.h>

#include "cases/cases.h"
#include "cases/terminal.h"
#include "compat/policy.h"
#include "run/program.h"

#define HOUR_MS (60 * 60 * 1000)

static void ttyd_version(const struct kc_case *row, struct kc_case_context *context, struct kc_result *result)
{
	static const char *const argv[] = { KC_TERMINAL, "--version", NULL };
	KC_CLEANUP_PROGRAM struct kc_program program = { 0 };
	struct kc_error err = { 0 };
	const char *output;

	if (kc_program_run(context, argv, kc_environment_plain, &program, &err) < 0) {
		kc_result_broken_by(result, &err);
		return;
	}
	if (!kc_program_succeeded(&program, context, "ttyd --version", result))
		return;
	output = kc_buffer_string(&program.output);
	kc_result_property(result, "ttyd-version", "%.*s", (int)strcspn(output, "\n"), output);
	if (strncmp(output, "ttyd version ", strlen("ttyd version ")) == 0)
		kc_result_pass(result);
	else
		kc_result_fail(result, "ttyd version ...", output, "ttyd --version says something else");
}

/* In this order for a reason: published ttyds die when their newest client is hung up while others stay (newest-hung-up). */
static const struct kc_terminal_group silent_and_answering[] = {
	{ .name = "silent", .policy = KC_KEEPALIVE_SILENT },
	{ .name = "answering", .policy = KC_KEEPALIVE_ANSWERING },
};

static const struct kc_terminal_group one[] = {
	{ .name = "answering", .policy = KC_KEEPALIVE_ANSWERING },
};

static const struct kc_terminal_group stopping[] = {
	{ .name = "stopping", .policy = KC_KEEPALIVE_STOPPING, .stops_somewhen = true },
	{ .name = "answering", .policy = KC_KEEPALIVE_ANSWERING },
};

static const struct kc_terminal_group fifty[] = {
	{ .name = "answering", .policy = KC_KEEPALIVE_ANSWERING, .count = 50 },
};

static const struct kc_terminal_group behind_proxy[] = {
	{ .name = "proxied", .policy = KC_KEEPALIVE_ANSWERING, .behind_proxy = true },
};

static const struct kc_terminal_group half_open[] = {
	{ .name = "half-open", .policy = KC_KEEPALIVE_HALF_OPEN },
	{ .name = "answering", .policy = KC_KEEPALIVE_ANSWERING },
};

static const struct kc_terminal_group between_others[] = {
	{ .name = "older", .policy = KC_KEEPALIVE_ANSWERING },
	{ .name = "silent", .policy = KC_KEEPALIVE_SILENT },
	{ .name = "newer", .policy = KC_KEEPALIVE_ANSWERING },
};

static const struct kc_terminal_group newest_silent[] = {
	{ .name = "older", .policy = KC_KEEPALIVE_ANSWERING },
	{ .name = "silent", .policy = KC_KEEPALIVE_SILENT },
};

#define GROUPS(table) .groups = (table), .count = KC_ARRAY_LENGTH(table)

static const struct kc_terminal_scenario keepalive = { GROUPS(silent_and_answering) };
static const struct kc_terminal_scenario day_idle = { GROUPS(one), .observe_ms = 24 * HOUR_MS };
static const struct kc_terminal_scenario stops_answering = { GROUPS(stopping), .observe_ms = 120000 };
static const struct kc_terminal_scenario fifty_clients = { GROUPS(fifty) };
static const struct kc_terminal_scenario proxy = { GROUPS(behind_proxy), .observe_ms = HOUR_MS / 6 };
static const struct kc_terminal_scenario half_open_connection = { GROUPS(half_open) };
static const struct kc_terminal_scenario others_stay = { GROUPS(between_others) };
static const struct kc_terminal_scenario newest_hung_up = { GROUPS(newest_silent) };

static void watch(const struct kc_case *row, struct kc_case_context *context, struct kc_result *result)
{
	struct kc_case_context in_virtual_time = *context;

	if (!row->needs_virtual_time) {
		kc_terminal_watch(row->data, context, result);
	} else if (context->time == KC_TIME_REAL && !context->untimed) {
		kc_result_skip(result, "takes too long in real time, which was asked for");
		kc_result_hint(result, "without --time real it runs");
	} else if (context->untimed) {
		kc_result_skip(result, "takes too long in real time: %s", context->untimed->text);
		kc_result_hint(result, "%s", context->untimed->hint);
	} else {
		in_virtual_time.time = KC_TIME_VIRTUAL; /* of both, the one that there is */
		kc_terminal_watch(row->data, &in_virtual_time, result);
	}
}

/* What is no promise yet is a fact: whether the others stayed, and if not, why. */
static void watch_fact(const struct kc_case *row, struct kc_case_context *context, struct kc_result *result)
{
	struct kc_result found;

	kc_result_init(&found);
	watch(row, context, &found);
	if (kc_policy_keepalive(context->policy)->survives_newest_hangup || found.verdict == KC_BROKEN ||
	    found.verdict == KC_SKIP) {
		kc_result_copy(result, &found);
	} else {
		kc_result_property(result, "time", "%s", kc_time_name(KC_TIME_VIRTUAL));
		kc_result_property(result, "others-stay", "%s", found.verdict == KC_PASS ? "yes" : "no");
		if (found.verdict == KC_FAIL)
			kc_result_property(result, "not-promised", "%s", kc_result_message(&found));
		kc_result_pass(result);
	}
	kc_result_release(&found);
}

static const struct kc_case cases[] = {
	{ KC_CASE("version"), .what = "ttyd starts and says its version", .run = ttyd_version,
	  .timeout_ms = 20000 },
	{ KC_CASE("keepalive"),
	  .what = "ttyd pings an answering client in time and keeps it, and hangs up a silent one in time",
	  .run = watch, .data = &keepalive, .waits = true, .timeout_ms = 60000 },
	{ KC_CASE("day-idle"),
	  .what = "a terminal that nobody uses for 24 hours keeps its client and its shell", .run = watch,
	  .data = &day_idle, .needs_virtual_time = true, .is_long = true, .timeout_ms = 120000 },
	{ KC_CASE("stops-answering"), .what = "a client that stops answering somewhen is hung up in time",
	  .run = watch, .data = &stops_answering, .needs_virtual_time = true, .timeout_ms = 60000 },
	{ KC_CASE("fifty-clients"), .what = "fifty clients at once are all pinged in time and kept",
	  .run = watch, .data = &fifty_clients, .needs_virtual_time = true, .is_long = true,
	  .timeout_ms = 120000 },
	{ KC_CASE("behind-proxy"),
	  .what = "pings keep a connection alive through a proxy that cuts what is quiet", .run = watch,
	  .data = &proxy, .needs_virtual_time = true, .timeout_ms = 60000 },
	{ KC_CASE("half-open"), .what = "a connection without a whole handshake is hung up, and others stay",
	  .run = watch, .data = &half_open_connection, .needs_virtual_time = true, .timeout_ms = 60000 },
	{ KC_CASE("others-stay"), .what = "when one client is hung up the others stay, older and newer",
	  .run = watch, .data = &others_stay, .needs_virtual_time = true, .timeout_ms = 60000 },
	{ KC_CASE("newest-hung-up"), .what = "whether the older clients stay when the newest is hung up",
	  .run = watch_fact, .data = &newest_hung_up, .needs_virtual_time = true, .timeout_ms = 60000 },
};

const struct kc_case_table kc_cases_ttyd = {
	.group = "ttyd", .file = __FILE__, .rows = cases, .count = KC_ARRAY_LENGTH(cases)
};
