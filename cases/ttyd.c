/* The web terminal: ttyd starts, and keeps idle connections as the policy says. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cases/cases.h"
#include "image/image.h"
#include "compat/policy.h"
#include "net/keepalive_run.h"
#include "run/program.h"
#include "sys/fd.h"
#include "sys/time.h"

#define TTYD KC_VOLUME_MOUNT_POINT "/bin/ttyd"
#define PORT 7681 /* the agent's */

static void ttyd_version(const struct kc_case *row, struct kc_case_context *context, struct kc_result *result)
{
	static const char *const argv[] = { TTYD, "--version", NULL };
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

/* In this order for a reason: ttyd up to 1.7.1 at least dies when another than its oldest client disconnects while others
 * stay (see net/keepalive_run.h), and it is the silent one that is hung up. */
static const struct {
	const char *name;
	enum kc_keepalive_policy policy;
} clients[] = {
	{ "silent", KC_KEEPALIVE_SILENT },
	{ "answering", KC_KEEPALIVE_ANSWERING },
};

static void take_windows(const struct kc_policy *policy, struct kc_keepalive_windows *ret_windows)
{
	const struct kc_policy_keepalive *keepalive = kc_policy_keepalive(policy);

	*ret_windows = (struct kc_keepalive_windows){
		.ping_interval_ms = keepalive->ping_interval_ms,
		.ping_tolerance_ms = keepalive->ping_tolerance_ms,
		.hangup_ms = keepalive->hangup_ms,
		.hangup_tolerance_ms = keepalive->hangup_tolerance_ms,
		.observe_ms = keepalive->observe_ms,
	};
}

static void measurement(struct kc_result *result, const char *client, const char *what, int64_t ms)
{
	char name[128];

	(void)snprintf(name, sizeof(name), "%s-%s-seconds", client, what);
	kc_result_property(result, name, "%.3f", (double)ms / 1000);
}

static void report_client(const struct kc_keepalive_client_report *client, struct kc_result *result)
{
	const struct kc_keepalive *keepalive = &client->keepalive;
	char name[64];

	for (size_t i = 0; i < keepalive->ping_count && i < KC_KEEPALIVE_PINGS_MAX; i++) {
		(void)snprintf(name, sizeof(name), "ping-%zu-after", i + 1);
		measurement(result, client->name, name, kc_keepalive_interval_ms(keepalive, i));
	}
	if (keepalive->how != KC_KEEPALIVE_OPEN) {
		measurement(result, client->name, "hangup-after", keepalive->idle_ms);
		(void)snprintf(name, sizeof(name), "%s-end", client->name);
		kc_result_property(result, name, "%s", kc_keepalive_close_name(keepalive->how));
	}
	if (client->command_ok)
		measurement(result, client->name, "command", client->command_ms);
	measurement(result, client->name, "measurement-late", keepalive->late_ms);
}

/* Adds "CLIENT: TEXT" to a list. What does not fit is cut: the properties have all of it. */
static void add_part(char *list, size_t size, const char *client, const char *text)
{
	size_t used = strlen(list);

	if (used)
		used += (size_t)snprintf(list + used, size - used, "; ");
	if (used < size)
		(void)snprintf(list + used, size - used, "%s: %s", client, text);
}

/* Every client that failed is named, and a client that could not be judged takes nothing away from one that failed. */
static void judge_clients(const struct kc_keepalive_report *report, struct kc_result *result)
{
	char message[2048] = "", expected[1024] = "", got[1024] = "", unclear[1024] = "";

	for (size_t i = 0; i < report->count; i++) {
		const struct kc_keepalive_client_report *client = &report->clients[i];
		const struct kc_keepalive *keepalive = &client->keepalive;
		char part[sizeof(keepalive->expected) + sizeof(keepalive->got) +
			  sizeof(client->protocol_error) + 32];

		if (keepalive->verdict == KC_KEEPALIVE_PASS)
			continue;
		if (keepalive->verdict != KC_KEEPALIVE_FAIL) {
			add_part(unclear, sizeof(unclear), client->name, keepalive->got);
			continue;
		}
		(void)snprintf(part, sizeof(part), "expected %s, got %s%s%s", keepalive->expected,
			       keepalive->got, client->protocol_error[0] ? "; " : "", client->protocol_error);
		add_part(message, sizeof(message), client->name, part);
		add_part(expected, sizeof(expected), client->name, keepalive->expected);
		add_part(got, sizeof(got), client->name, keepalive->got);
	}
	if (*message)
		kc_result_fail(result, expected, got, "ttyd's clients: %s", message);
	else if (*unclear)
		kc_result_broken(result, "this machine was too busy to tell: %s", unclear);
	else
		kc_result_pass(result);
}

/* Between the turns of the measurement. */
static int is_alive(void *context, struct kc_error *err)
{
	struct kc_program *program = context;

	kc_program_drain(program);
	return kc_sandbox_is_running(program->sandbox) ? 0 : kc_error_set(err, ECHILD, "ttyd has ended");
}

/* Its log, which is all that it says about a connection. */
static void show_log(struct kc_program *program, struct kc_case_context *context, struct kc_result *result)
{
	struct kc_error err = { 0 };

	if (kc_program_gather(context, program, &err) < 0)
		kc_result_broken_by(result, &err);
	else
		kc_program_show(program, result);
}

/* Why the measurement could not go on: a ttyd that died or never listened is the volume's failure, anything else is ours. */
static void judge_end(struct kc_program *program, struct kc_case_context *context,
		      const struct kc_error *cause, struct kc_result *result)
{
	struct kc_error err = { 0 };

	if (kc_sandbox_is_running(program->sandbox)) {
		if (cause->code == -ECONNREFUSED)
			kc_result_fail(result, "ttyd accepts connections", "connection refused",
				       "ttyd runs and does not listen on port %d", PORT);
		else
			kc_result_broken_by(result, cause);
		show_log(program, context, result);
		return;
	}
	if (kc_program_finish(context, program, &err) < 0)
		kc_result_broken_by(result, &err);
	else if (kc_program_succeeded(program, context, "ttyd", result))
		kc_result_fail(result, "ttyd runs until it is ended", "it ended by itself",
			       "ttyd: ended by itself");
}

static void measure(struct kc_program *program, struct kc_case_context *context, struct kc_result *result)
{
	struct kc_keepalive_client table[KC_ARRAY_LENGTH(clients)];
	struct kc_keepalive_options options = { .clients = table,
						.count = KC_ARRAY_LENGTH(clients),
						.deadline_ms = context->deadline_ms,
						.check = is_alive,
						.check_context = program };
	struct kc_keepalive_report report;
	struct kc_error err = { 0 };
	int status;

	for (size_t i = 0; i < KC_ARRAY_LENGTH(clients); i++)
		table[i] = (struct kc_keepalive_client){ .name = clients[i].name,
							 .policy = clients[i].policy,
							 .fd = kc_sandbox_take_socket(program->sandbox),
							 .port = PORT };
	take_windows(context->policy, &options.windows);
	status = kc_keepalive_run(&options, &report, &err);
	for (size_t i = 0; i < KC_ARRAY_LENGTH(clients); i++)
		kc_fd_close(&table[i].fd);
	if (status < 0) {
		judge_end(program, context, &err, result);
		return;
	}
	for (size_t i = 0; i < report.count; i++)
		report_client(&report.clients[i], result);
	judge_clients(&report, result);
	show_log(program, context, result);
}

/* The shell that the agent chooses. */
static const char *choose_shell(const struct kc_image *image)
{
	static const char *const shells[] = { "/bin/zsh", "/bin/bash", "/bin/ash" };

	for (size_t i = 0; i < KC_ARRAY_LENGTH(shells); i++)
		if (kc_layers_have_file(&image->layers, shells[i]))
			return shells[i];
	return "/bin/sh";
}

/* ttyd as the agent starts it (PyPI package backend.ai-kernel, intrinsic.py): a build that wants another option to let the
 * user type has to fail here. */
static void keepalive(const struct kc_case *row, struct kc_case_context *context, struct kc_result *result)
{
	const char *const argv[] = { TTYD, "-p", "7681", choose_shell(context->image), NULL };
	KC_CLEANUP_PROGRAM struct kc_program program = { 0 };
	struct kc_error err = { 0 };

	if (kc_program_prepare(context, argv, kc_environment_plain, &program, &err) < 0) {
		kc_result_broken_by(result, &err);
		return;
	}
	kc_sandbox_set_sockets(program.sandbox, KC_ARRAY_LENGTH(clients));
	if (kc_program_start(&program, &err) < 0)
		kc_result_broken_by(result, &err);
	else
		measure(&program, context, result);
}

static const struct kc_case cases[] = {
	{ KC_CASE("version"), .what = "ttyd starts and says its version", .run = ttyd_version,
	  .timeout_ms = 20000 },
	{ KC_CASE("keepalive"),
	  .what = "ttyd pings an answering client in time and keeps it, and hangs up a silent one in time",
	  .run = keepalive, .waits = true, .timeout_ms = 60000 },
};

const struct kc_case_table kc_cases_ttyd = {
	.group = "ttyd", .file = __FILE__, .rows = cases, .count = KC_ARRAY_LENGTH(cases)
};
