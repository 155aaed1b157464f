#include "cases/terminal.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive/volume.h"
#include "compat/policy.h"
#include "image/image.h"
#include "net/keepalive_run.h"
#include "run/program.h"
#include "run/virtual.h"
#include "sys/fd.h"

#define PORT 7681 /* the agent's */

/* One measurement of a scenario. */
struct watch {
	const struct kc_terminal_scenario *scenario;
	struct kc_case_context *context;
	struct kc_result *result;
	bool is_virtual;
	const char *prefix; /* of its properties' names */
	struct kc_program program;
	struct kc_virtual virtual;
	struct kc_keepalive_client clients[KC_KEEPALIVE_CLIENTS_MAX];
	const struct kc_terminal_group *groups[KC_KEEPALIVE_CLIENTS_MAX]; /* of each client */
	int fds[KC_KEEPALIVE_CLIENTS_MAX];
	size_t count;
	struct kc_keepalive_report report;
	bool is_measured;
};

/* Properties */

static void property(struct watch *watch, const char *client, const char *what, const char *value)
{
	char name[128];

	(void)snprintf(name, sizeof(name), "%s%s-%s", watch->prefix, client, what);
	kc_result_property(watch->result, name, "%s", value);
}

/* Limits of the policy, in milliseconds either side; NAN for what is measured and not promised. */
struct limits {
	double least, most;
};
static const struct limits unlimited = { NAN, NAN };

static struct limits around(int64_t expected_ms, int64_t tolerance_ms)
{
	return (struct limits){ (double)(expected_ms - tolerance_ms) / 1000,
				(double)(expected_ms + tolerance_ms) / 1000 };
}

static void seconds(struct watch *watch, const char *client, const char *what, int64_t ms,
		    struct limits limits)
{
	char name[128];

	(void)snprintf(name, sizeof(name), "%s%s-%s", watch->prefix, client, what);
	kc_result_measure(watch->result, name, "s", (double)ms / 1000, limits.least, limits.most);
}

static void count(struct watch *watch, const char *client, const char *what, unsigned long long number)
{
	char name[128];

	(void)snprintf(name, sizeof(name), "%s%s-%s", watch->prefix, client, what);
	kc_result_measure(watch->result, name, "", (double)number, NAN, NAN);
}

/* Of a single client with few pings: each of them. */
static void report_client(struct watch *watch, const struct kc_keepalive_client_report *client)
{
	const struct kc_policy_keepalive *policy = kc_policy_keepalive(watch->context->policy);
	const struct limits ping = around(policy->ping_interval_ms, policy->ping_tolerance_ms);
	/* Only whoever says nothing has to be hung up. */
	const struct limits hangup = client->keepalive.policy == KC_KEEPALIVE_SILENT
					     ? around(policy->hangup_ms, policy->hangup_tolerance_ms)
					     : unlimited;
	const struct kc_keepalive *keepalive = &client->keepalive;

	for (size_t i = 0; i < keepalive->ping_count; i++) {
		char what[64];

		(void)snprintf(what, sizeof(what), "ping-%zu-at", i + 1);
		seconds(watch, client->name, what, keepalive->pings_ms[i], unlimited);
		(void)snprintf(what, sizeof(what), "ping-%zu-after", i + 1);
		seconds(watch, client->name, what, kc_keepalive_interval_ms(keepalive, i), ping);
		(void)snprintf(what, sizeof(what), "ping-%zu-late", i + 1);
		seconds(watch, client->name, what, keepalive->pings_late_ms[i], unlimited);
	}
	if (keepalive->stop_ms)
		seconds(watch, client->name, "stopped-after", keepalive->stop_ms, unlimited);
	if (keepalive->how != KC_KEEPALIVE_OPEN) {
		seconds(watch, client->name, "hangup-at", keepalive->closed_ms, unlimited);
		seconds(watch, client->name, "hangup-after", keepalive->idle_ms, hangup);
		seconds(watch, client->name, "hangup-late", keepalive->closed_late_ms, unlimited);
		property(watch, client->name, "end", kc_keepalive_close_name(keepalive->how));
	}
	if (client->command_ok)
		seconds(watch, client->name, "command", client->command_ms, unlimited);
	seconds(watch, client->name, "measurement-late", keepalive->late_ms, unlimited);
}

/* Of many clients or many pings: the extremes. */
static void report_group(struct watch *watch, const struct kc_terminal_group *group)
{
	int64_t shortest_ms = INT64_MAX, longest_ms = 0, slowest_ms = 0, late_ms = 0;
	const struct kc_policy_keepalive *policy = kc_policy_keepalive(watch->context->policy);
	const struct limits ping = around(policy->ping_interval_ms, policy->ping_tolerance_ms);
	unsigned long long pings = 0, clients = 0;

	for (size_t i = 0; i < watch->count; i++) {
		const struct kc_keepalive_client_report *client = &watch->report.clients[i];
		const struct kc_keepalive *keepalive = &client->keepalive;

		if (watch->groups[i] != group)
			continue;
		clients++;
		pings += keepalive->ping_count;
		if (keepalive->ping_count && keepalive->shortest_ms < shortest_ms)
			shortest_ms = keepalive->shortest_ms;
		if (keepalive->longest_ms > longest_ms)
			longest_ms = keepalive->longest_ms;
		if (client->command_ms > slowest_ms)
			slowest_ms = client->command_ms;
		if (keepalive->late_ms > late_ms)
			late_ms = keepalive->late_ms;
	}
	count(watch, group->name, "clients", clients);
	count(watch, group->name, "pings", pings);
	if (pings) {
		seconds(watch, group->name, "shortest-ping-after", shortest_ms, ping);
		seconds(watch, group->name, "longest-ping-after", longest_ms, ping);
	}
	seconds(watch, group->name, "slowest-command", slowest_ms, unlimited);
	seconds(watch, group->name, "measurement-late", late_ms, unlimited);
}

static void report_groups(struct watch *watch)
{
	size_t first = 0;

	for (size_t i = 0; i < watch->scenario->count; i++) {
		const struct kc_terminal_group *group = &watch->scenario->groups[i];
		const struct kc_keepalive_client_report *client = &watch->report.clients[first];

		if (group->count <= 1 && client->keepalive.ping_count <= 8)
			report_client(watch, client);
		else
			report_group(watch, group);
		first += group->count ? group->count : 1;
	}
}

/* Verdicts */

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
static void judge_clients(struct watch *watch)
{
	char message[2048] = "", expected[1024] = "", got[1024] = "", unclear[1024] = "";

	for (size_t i = 0; i < watch->count; i++) {
		const struct kc_keepalive_client_report *client = &watch->report.clients[i];
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
		kc_result_fail(watch->result, expected, got, "ttyd's clients: %s", message);
	else if (*unclear)
		kc_result_broken(watch->result, "this machine was too busy to tell: %s", unclear);
	else
		kc_result_pass(watch->result);
}

/* Between the turns of the measurement. */
static int is_alive(void *context, struct kc_error *err)
{
	struct watch *watch = context;
	bool is_running = watch->is_virtual ? !kc_clock_has_ended(watch->virtual.clock)
					    : kc_sandbox_is_running(watch->program.sandbox);

	kc_program_drain(&watch->program);
	return is_running ? 0 : kc_error_set(err, ECHILD, "ttyd has ended");
}

/* Its log, which is all that it says about a connection. */
static void show_log(struct watch *watch)
{
	struct kc_error err = { 0 };

	if (kc_program_gather(watch->context, &watch->program, &err) < 0)
		kc_result_broken_by(watch->result, &err);
	else
		kc_program_show(&watch->program, watch->result);
}

/* Why the measurement could not go on: a ttyd that died or never listened is the volume's failure, anything else is ours. */
static void judge_end(struct watch *watch, const struct kc_error *cause)
{
	struct kc_error err = { 0 };

	if (cause->code != -ECHILD) {
		if (cause->code == -ECONNREFUSED)
			kc_result_fail(watch->result, "ttyd accepts connections", "connection refused",
				       "ttyd runs and does not listen on port %d", PORT);
		else
			kc_result_broken_by(watch->result, cause);
		show_log(watch);
		return;
	}
	kc_virtual_release(&watch->virtual); /* or what it left behind would not end */
	if (kc_program_finish(watch->context, &watch->program, &err) < 0)
		kc_result_broken_by(watch->result, &err);
	else if (kc_program_succeeded(&watch->program, watch->context, "ttyd", watch->result))
		kc_result_fail(watch->result, "ttyd runs until it is ended", "it ended by itself",
			       "ttyd: ended by itself");
}

/* One measurement */

static int choose_stop(const struct watch *watch, int64_t *ret_stop_ms, struct kc_error *err)
{
	const struct kc_policy_keepalive *keepalive = kc_policy_keepalive(watch->context->policy);
	const struct kc_entropy entropy = { 0 };
	uint32_t random;
	int status = kc_entropy_fill(&entropy, &random, sizeof(random), err);

	if (status < 0)
		return status;
	*ret_stop_ms = 1 + (int64_t)(random % (uint32_t)(3 * keepalive->ping_interval_ms));
	return 0;
}

static int make_clients(struct watch *watch, struct kc_error *err)
{
	const struct kc_policy_keepalive *keepalive = kc_policy_keepalive(watch->context->policy);
	int status = 0;

	for (size_t i = 0; status == 0 && i < watch->scenario->count; i++) {
		const struct kc_terminal_group *group = &watch->scenario->groups[i];

		for (unsigned int j = 0; status == 0 && j < (group->count ? group->count : 1); j++) {
			struct kc_keepalive_client *client = &watch->clients[watch->count];

			*client = (struct kc_keepalive_client){
				.name = group->name,
				.policy = group->policy,
				.fd = -1,
				.port = PORT,
				.cut_idle_ms = group->behind_proxy ? keepalive->proxy_idle_ms : 0
			};
			watch->groups[watch->count++] = group;
			if (group->stops_somewhen)
				status = choose_stop(watch, &client->stop_ms, err);
		}
	}
	return status;
}

static int take_sockets(struct watch *watch, struct kc_error *err)
{
	for (size_t i = 0; i < watch->count; i++)
		watch->fds[i] = watch->clients[i].fd = kc_sandbox_take_socket(watch->program.sandbox);
	return watch->is_virtual
		       ? kc_virtual_watch(&watch->virtual, &watch->program, watch->fds, watch->count, err)
		       : 0;
}

static int run(struct watch *watch, struct kc_error *err)
{
	const struct kc_policy_keepalive *keepalive = kc_policy_keepalive(watch->context->policy);
	const struct kc_keepalive_clock clock = kc_virtual_clock(&watch->virtual);
	const struct kc_keepalive_options options = {
		.clients = watch->clients,
		.count = watch->count,
		.windows = { .ping_interval_ms = keepalive->ping_interval_ms,
			     .ping_tolerance_ms = keepalive->ping_tolerance_ms,
			     .hangup_ms = keepalive->hangup_ms,
			     .hangup_tolerance_ms = keepalive->hangup_tolerance_ms,
			     .half_open_ms = keepalive->half_open_ms,
			     .observe_ms = watch->scenario->observe_ms ? watch->scenario->observe_ms
								       : keepalive->observe_ms },
		.clock = watch->is_virtual ? &clock : NULL,
		.deadline_ms = watch->is_virtual ? 0 : watch->context->deadline_ms, /* the clock has it */
		.check = is_alive,
		.check_context = watch
	};

	return kc_keepalive_run(&options, &watch->report, err);
}

static void measure(struct watch *watch)
{
	struct kc_error err = { 0 };
	const char *leak;
	int status;

	status = take_sockets(watch, &err);
	if (status == 0)
		status = run(watch, &err);
	for (size_t i = 0; i < watch->count; i++)
		kc_fd_close(&watch->clients[i].fd);
	leak = watch->is_virtual ? kc_clock_leak(watch->virtual.clock) : NULL;
	if (leak) {
		kc_result_broken(watch->result, "ttyd uses %s, whose time cannot be made virtual", leak);
		kc_result_hint(watch->result, "--time real");
	} else if (status < 0) {
		judge_end(watch, &err);
	} else {
		watch->is_measured = true;
		report_groups(watch);
		judge_clients(watch);
		show_log(watch);
	}
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
static void watch_once(struct watch *watch)
{
	const char *const argv[] = { KC_TERMINAL, "-p", "7681", choose_shell(watch->context->image), NULL };
	struct kc_error err = { 0 };
	int status = make_clients(watch, &err);

	if (status == 0)
		status =
			kc_program_prepare(watch->context, argv, kc_environment_plain, &watch->program, &err);
	if (status == 0) {
		kc_sandbox_set_sockets(watch->program.sandbox, (unsigned int)watch->count);
		if (watch->is_virtual)
			status = kc_virtual_open(&watch->virtual, watch->context, &watch->program, &err);
	}
	if (status == 0)
		status = kc_program_start(&watch->program, &err);
	if (status < 0)
		kc_result_broken_by(watch->result, &err);
	else
		measure(watch);
	kc_virtual_release(&watch->virtual);
	kc_program_release(&watch->program);
}

static struct watch *new_watch(const struct kc_terminal_scenario *scenario, struct kc_case_context *context,
			       bool is_virtual, const char *prefix, struct kc_result *result)
{
	struct watch *watch = calloc(1, sizeof(*watch));

	if (!watch) {
		kc_result_broken(result, "out of memory");
		return NULL;
	}
	watch->scenario = scenario;
	watch->context = context;
	watch->result = result;
	watch->is_virtual = is_virtual;
	watch->prefix = prefix;
	watch->virtual = (struct kc_virtual)KC_VIRTUAL_INIT;
	return watch;
}

/* Both times */

static void differ(char *list, size_t size, const char *client, const char *what, int64_t virtual_ms,
		   int64_t real_ms)
{
	char text[160];

	(void)snprintf(text, sizeof(text), "%s %.3f s in virtual time, %.3f s in real time", what,
		       (double)virtual_ms / 1000, (double)real_ms / 1000);
	add_part(list, size, client, text);
}

/* Whether two spans are the same, as far as the lateness of the real one lets tell. */
static bool agree(int64_t virtual_ms, int64_t real_ms, int64_t late_ms, int64_t tolerance_ms)
{
	return llabs(virtual_ms - real_ms) <= tolerance_ms + late_ms;
}

static void compare_client(const struct kc_keepalive_client_report *one,
			   const struct kc_keepalive_client_report *other, int64_t tolerance_ms, char *list,
			   size_t size)
{
	const struct kc_keepalive *virtual = &one->keepalive, *real = &other->keepalive;
	char what[32];

	for (size_t i = 0; i < virtual->ping_count && i < real->ping_count; i++) {
		(void)snprintf(what, sizeof(what), "ping %zu after", i + 1);
		if (!agree(kc_keepalive_interval_ms(virtual, i), kc_keepalive_interval_ms(real, i),
			   real->late_ms, tolerance_ms))
			differ(list, size, one->name, what, kc_keepalive_interval_ms(virtual, i),
			       kc_keepalive_interval_ms(real, i));
	}
	if (virtual->how != real->how)
		add_part(list, size, one->name, "its end is another");
	else if (virtual->how != KC_KEEPALIVE_OPEN &&
		 !agree(virtual->idle_ms, real->idle_ms, real->late_ms, tolerance_ms))
		differ(list, size, one->name, "hung up after", virtual->idle_ms, real->idle_ms);
	if (virtual->ping_count != real->ping_count)
		add_part(list, size, one->name, "the number of its pings is another");
}

static void compare(const struct watch *virtual, const struct watch *real, struct kc_result *result)
{
	int64_t tolerance_ms = kc_policy_keepalive(virtual->context->policy)->clock_tolerance_ms;
	char differences[1024] = "";

	if (real->report.verdict == KC_KEEPALIVE_UNCLEAR || virtual->report.verdict == KC_KEEPALIVE_UNCLEAR)
		return; /* reported already, and nothing to compare with */
	for (size_t i = 0; i < virtual->count; i++)
		compare_client(&virtual->report.clients[i], &real->report.clients[i], tolerance_ms,
			       differences, sizeof(differences));
	if (*differences)
		kc_result_fail(result, "the same in virtual and in real time", differences,
			       "virtual and real time disagree: %s", differences);
}

void kc_terminal_watch(const struct kc_terminal_scenario *scenario, struct kc_case_context *context,
		       struct kc_result *result)
{
	bool is_both = context->time == KC_TIME_BOTH;
	KC_CLEANUP_FREE struct watch *first =
		new_watch(scenario, context, context->time != KC_TIME_REAL, "", result);
	KC_CLEANUP_FREE struct watch *second =
		is_both ? new_watch(scenario, context, false, "real-", result) : NULL;

	if (!first || (is_both && !second))
		return;
	kc_result_property(result, "time", "%s", kc_time_name(context->time));
	watch_once(first);
	if (!second)
		return;
	watch_once(second);
	if (first->is_measured && second->is_measured)
		compare(first, second, result);
}
