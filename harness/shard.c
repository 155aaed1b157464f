#include "shard.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/cleanup.h"

/* Larger than any index or total that somebody means. */
#define MOST_INDEX 1000000u

const struct kc_shard_system kc_shard_systems[] = {
	{ .name = "GitLab", .index = "CI_NODE_INDEX", .total = "CI_NODE_TOTAL", .first = 1 },
	{ .name = "Buildkite", .index = "BUILDKITE_PARALLEL_JOB", .total = "BUILDKITE_PARALLEL_JOB_COUNT" },
	{ .name = "CircleCI", .index = "CIRCLE_NODE_INDEX", .total = "CIRCLE_NODE_TOTAL" },
	{ .name = "Kubernetes", .index = "JOB_COMPLETION_INDEX" },
	{ .name = "Slurm",
	  .index = "SLURM_ARRAY_TASK_ID",
	  .total = "SLURM_ARRAY_TASK_COUNT",
	  .minimum = "SLURM_ARRAY_TASK_MIN",
	  .maximum = "SLURM_ARRAY_TASK_MAX" },
};
const size_t kc_shard_system_count = KC_ARRAY_LENGTH(kc_shard_systems);

static int refuse(struct kc_error *err)
{
	kc_error_hint(err, "say which part this is: --shard 1/3 is the first of three");
	if (err)
		err->kind = KC_ERROR_USAGE;
	return -EINVAL;
}

/* Digits alone: strtoul takes signs and blanks, too. */
static bool read_number(const char *text, unsigned int most, unsigned int *ret_number)
{
	char *end;
	unsigned long number;

	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	number = strtoul(text, &end, 10);
	if (*end || errno || number > most)
		return false;
	*ret_number = (unsigned int)number;
	return true;
}

/* *number is unchanged where the variable is not set, or there is none of that kind. */
static int read_variable(const char *name, kc_shard_variable *variable, unsigned int *number,
			 struct kc_error *err)
{
	const char *text = name ? variable(name) : NULL;

	if (!text || read_number(text, MOST_INDEX, number))
		return 0;
	(void)kc_error_set(err, EINVAL, "--shard auto: %s=%s is not a whole number up to %u", name, text,
			   MOST_INDEX);
	return refuse(err);
}

/* What a system's variables say; 0 where one is not set that has no other default. */
struct told {
	unsigned int index, total, minimum, maximum;
};

static int read_told(const struct kc_shard_system *system, kc_shard_variable *variable, struct told *told,
		     struct kc_error *err)
{
	int status = read_variable(system->index, variable, &told->index, err);

	if (status == 0)
		status = read_variable(system->total, variable, &told->total, err);
	if (status == 0)
		status = read_variable(system->minimum, variable, &told->minimum, err);
	return status < 0 ? status : read_variable(system->maximum, variable, &told->maximum, err);
}

/* Of indexes that are evenly apart: "--array=10-50:10" has five of them. False for any other list. */
static bool find_number(const struct told *told, unsigned int total, unsigned int *ret_number)
{
	unsigned int steps = total - 1, range = told->maximum - told->minimum, step = 1;

	if (told->index < told->minimum)
		return false;
	if (told->maximum > told->minimum) {
		if (!steps || range % steps)
			return false;
		step = range / steps;
	}
	if ((told->index - told->minimum) % step)
		return false;
	*ret_number = (told->index - told->minimum) / step + 1;
	return *ret_number <= total;
}

static int find_total(const struct kc_shard_system *system, const struct told *told, unsigned int given,
		      unsigned int *ret_total, struct kc_error *err)
{
	*ret_total = told->total ? told->total : given;
	if (!*ret_total)
		(void)kc_error_set(err, EINVAL,
				   "--shard auto: %s tells by %s which part this is, and not of how many",
				   system->name, system->index);
	else if (given && given != *ret_total)
		(void)kc_error_set(err, EINVAL, "--shard auto/%u: %s says %s=%u", given, system->name,
				   system->total, told->total);
	else if (*ret_total > KC_SHARD_MOST)
		(void)kc_error_set(err, EINVAL, "--shard auto: %s=%u, the most is %u", system->total,
				   told->total, KC_SHARD_MOST);
	else
		return 0;
	(void)refuse(err);
	if (err && !*ret_total)
		kc_error_hint(err, "say so: --shard auto/N");
	return -EINVAL;
}

/* 1 if the system numbers this job, 0 if it does not. */
static int ask(const struct kc_shard_system *system, kc_shard_variable *variable, unsigned int given,
	       struct kc_shard *shard, struct kc_error *err)
{
	struct told told = { .minimum = system->first };
	const char *total = system->total ? variable(system->total) : NULL;
	int status;

	/* GitLab gives every job a total, and only parallel ones an index. */
	if (!variable(system->index) && !(total && strcmp(total, "1") == 0))
		return 0;
	told.index = system->first;
	status = read_told(system, variable, &told, err);
	if (status == 0)
		status = find_total(system, &told, given, &shard->count, err);
	if (status < 0)
		return status;
	if (find_number(&told, shard->count, &shard->number))
		return 1;
	(void)kc_error_set(err, EINVAL, "--shard auto: %s=%u is none of %u parts, numbered from %u",
			   system->index, told.index, shard->count, told.minimum);
	return refuse(err);
}

static int none_found(struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer names = KC_BUFFER_INIT(1024);
	int status = 0;

	for (size_t i = 0; status == 0 && i < kc_shard_system_count; i++)
		status = kc_buffer_printf(&names, "%s%s (%s)", i ? ", " : "", kc_shard_systems[i].index,
					  kc_shard_systems[i].name);
	if (status < 0)
		return kc_error_errno(err, status, "read --shard");
	(void)kc_error_set(err, EINVAL, "--shard auto: no variable says which part this is: none of %s",
			   kc_buffer_string(&names));
	return refuse(err);
}

static int ask_all(kc_shard_variable *variable, unsigned int given, struct kc_shard *shard,
		   struct kc_error *err)
{
	const char *teller = NULL;

	for (size_t i = 0; i < kc_shard_system_count; i++) {
		const struct kc_shard_system *system = &kc_shard_systems[i];
		struct kc_shard found = { 0 };
		int status = ask(system, variable, given, &found, err);

		if (status < 0)
			return status;
		if (status == 0)
			continue;
		if (teller && (found.number != shard->number || found.count != shard->count)) {
			(void)kc_error_set(err, EINVAL,
					   "--shard auto: %s says that this is part %u/%u, and %s says %u/%u",
					   teller, shard->number, shard->count, system->name, found.number,
					   found.count);
			return refuse(err);
		}
		teller = system->name;
		*shard = found;
	}
	return teller ? 0 : none_found(err);
}

static bool read_pair(const char *text, struct kc_shard *shard)
{
	char number[16];
	size_t length = strcspn(text, "/");

	(void)snprintf(number, sizeof(number), "%.*s", (int)(length < 15 ? length : 15), text);
	return text[length] == '/' && read_number(number, KC_SHARD_MOST, &shard->number) &&
	       read_number(text + length + 1, KC_SHARD_MOST, &shard->count) && shard->number >= 1 &&
	       shard->number <= shard->count;
}

int kc_shard_read(const char *text, kc_shard_variable *variable, struct kc_shard *ret_shard,
		  struct kc_error *err)
{
	static const char automatic[] = "auto";
	const char *behind = text + strlen(automatic);
	struct kc_shard shard = { 0 };
	unsigned int given = 0;
	int status = 0;

	if (strcmp(text, automatic) == 0 ||
	    (strncmp(text, "auto/", 5) == 0 && read_number(behind + 1, KC_SHARD_MOST, &given) && given)) {
		status = ask_all(variable, given, &shard, err);
	} else if (!read_pair(text, &shard)) {
		(void)kc_error_set(
			err, EINVAL,
			"--shard: `%s` is none of K/N (with K from 1 to N, N up to %u), auto and auto/N",
			text, KC_SHARD_MOST);
		status = refuse(err);
	}
	if (status < 0)
		return status;
	(void)snprintf(shard.text, sizeof(shard.text), "%u/%u", shard.number, shard.count);
	*ret_shard = shard;
	return 0;
}
