/* Which part a machine takes, by what its command line and its CI system say. */
#include "shard.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "tests/kc_test.h"

#define MOST_VARIABLES 6

struct variable {
	const char *name, *value;
};

/* What the environment of the row under test has. */
static const struct variable *variables;

static char *variable(const char *name)
{
	for (size_t i = 0; i < MOST_VARIABLES && variables[i].name; i++)
		if (strcmp(variables[i].name, name) == 0)
			return (char *)(uintptr_t)variables[i].value;
	return NULL;
}

static void reads_what_the_line_and_ci_systems_say(void)
{
	static const struct {
		const char *text;
		struct variable variables[MOST_VARIABLES];
		const char *shard;
	} rows[] = {
		{ "1/1", { { 0 } }, "1/1" },
		{ "3/3", { { "CI_NODE_INDEX", "1" }, { "CI_NODE_TOTAL", "9" } }, "3/3" },
		{ "10000/10000", { { 0 } }, "10000/10000" },
		{ "auto", { { "CI_NODE_INDEX", "1" }, { "CI_NODE_TOTAL", "4" } }, "1/4" },
		{ "auto", { { "CI_NODE_INDEX", "4" }, { "CI_NODE_TOTAL", "4" } }, "4/4" },
		{ "auto", { { "CI_NODE_TOTAL", "1" } }, "1/1" },
		{ "auto/4", { { "CI_NODE_INDEX", "4" }, { "CI_NODE_TOTAL", "4" } }, "4/4" },
		{ "auto",
		  { { "BUILDKITE_PARALLEL_JOB", "0" }, { "BUILDKITE_PARALLEL_JOB_COUNT", "5" } },
		  "1/5" },
		{ "auto",
		  { { "BUILDKITE_PARALLEL_JOB", "4" }, { "BUILDKITE_PARALLEL_JOB_COUNT", "5" } },
		  "5/5" },
		{ "auto", { { "CIRCLE_NODE_INDEX", "1" }, { "CIRCLE_NODE_TOTAL", "2" } }, "2/2" },
		{ "auto/3", { { "JOB_COMPLETION_INDEX", "0" } }, "1/3" },
		{ "auto/3", { { "JOB_COMPLETION_INDEX", "2" } }, "3/3" },
		{ "auto",
		  { { "SLURM_ARRAY_TASK_ID", "3" },
		    { "SLURM_ARRAY_TASK_MIN", "1" },
		    { "SLURM_ARRAY_TASK_MAX", "5" },
		    { "SLURM_ARRAY_TASK_COUNT", "5" } },
		  "3/5" },
		{ "auto",
		  { { "SLURM_ARRAY_TASK_ID", "50" },
		    { "SLURM_ARRAY_TASK_MIN", "10" },
		    { "SLURM_ARRAY_TASK_MAX", "50" },
		    { "SLURM_ARRAY_TASK_COUNT", "5" } },
		  "5/5" },
		{ "auto",
		  { { "SLURM_ARRAY_TASK_ID", "7" },
		    { "SLURM_ARRAY_TASK_MIN", "7" },
		    { "SLURM_ARRAY_TASK_MAX", "7" },
		    { "SLURM_ARRAY_TASK_COUNT", "1" } },
		  "1/1" },
		{ "auto",
		  { { "CI_NODE_INDEX", "2" },
		    { "CI_NODE_TOTAL", "4" },
		    { "CIRCLE_NODE_INDEX", "1" },
		    { "CIRCLE_NODE_TOTAL", "4" } },
		  "2/4" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		struct kc_shard shard = { 0 };
		struct kc_error err = { 0 };

		variables = rows[i].variables;
		KC_CHECK_OK(kc_shard_read(rows[i].text, variable, &shard, &err), err);
		KC_CHECK_STRING(shard.text, rows[i].shard);
		KC_CHECK(shard.number >= 1 && shard.number <= shard.count);
	}
}

static void refuses_what_would_leave_cases_out(void)
{
	static const struct {
		const char *text;
		struct variable variables[MOST_VARIABLES];
		const char *error;
	} rows[] = {
		{ "0/3", { { 0 } }, "`0/3` is none of K/N" },
		{ "4/3", { { 0 } }, "`4/3` is none of K/N" },
		{ "1/0", { { 0 } }, "none of K/N" },
		{ "1/10001", { { 0 } }, "none of K/N" },
		{ "-1/3", { { 0 } }, "none of K/N" },
		{ "+1/3", { { 0 } }, "none of K/N" },
		{ " 1/3", { { 0 } }, "none of K/N" },
		{ "1/3 ", { { 0 } }, "none of K/N" },
		{ "1", { { 0 } }, "none of K/N" },
		{ "1/", { { 0 } }, "none of K/N" },
		{ "/3", { { 0 } }, "none of K/N" },
		{ "0000000000000001/3", { { 0 } }, "none of K/N" },
		{ "1/18446744073709551617", { { 0 } }, "none of K/N" },
		{ "automatic", { { 0 } }, "none of K/N" },
		{ "auto/0", { { 0 } }, "none of K/N" },
		{ "auto/", { { 0 } }, "none of K/N" },
		{ "auto", { { 0 } }, "no variable says which part this is: none of CI_NODE_INDEX (GitLab)" },
		{ "auto", { { "JOB_COMPLETION_INDEX", "0" } }, "Kubernetes tells by JOB_COMPLETION_INDEX" },
		{ "auto/3", { { "JOB_COMPLETION_INDEX", "3" } }, "JOB_COMPLETION_INDEX=3 is none of 3" },
		{ "auto", { { "CI_NODE_INDEX", "0" }, { "CI_NODE_TOTAL", "4" } }, "numbered from 1" },
		{ "auto", { { "CI_NODE_INDEX", "5" }, { "CI_NODE_TOTAL", "4" } }, "CI_NODE_INDEX=5" },
		{ "auto", { { "CI_NODE_INDEX", "x" }, { "CI_NODE_TOTAL", "4" } }, "CI_NODE_INDEX=x" },
		{ "auto", { { "CI_NODE_INDEX", "" }, { "CI_NODE_TOTAL", "4" } }, "CI_NODE_INDEX= is not" },
		{ "auto", { { "CI_NODE_INDEX", "1" }, { "CI_NODE_TOTAL", "99999" } }, "the most is 10000" },
		{ "auto/3", { { "CI_NODE_INDEX", "1" }, { "CI_NODE_TOTAL", "4" } }, "CI_NODE_TOTAL=4" },
		{ "auto",
		  { { "CI_NODE_INDEX", "1" },
		    { "CI_NODE_TOTAL", "4" },
		    { "CIRCLE_NODE_INDEX", "1" },
		    { "CIRCLE_NODE_TOTAL", "4" } },
		  "GitLab says that this is part 1/4, and CircleCI says 2/4" },
		{ "auto",
		  { { "SLURM_ARRAY_TASK_ID", "2" },
		    { "SLURM_ARRAY_TASK_MIN", "1" },
		    { "SLURM_ARRAY_TASK_MAX", "5" },
		    { "SLURM_ARRAY_TASK_COUNT", "3" } },
		  "SLURM_ARRAY_TASK_ID=2 is none of 3 parts" },
		{ "auto",
		  { { "SLURM_ARRAY_TASK_ID", "0" },
		    { "SLURM_ARRAY_TASK_MIN", "1" },
		    { "SLURM_ARRAY_TASK_MAX", "5" },
		    { "SLURM_ARRAY_TASK_COUNT", "5" } },
		  "SLURM_ARRAY_TASK_ID=0" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		struct kc_shard shard = { 0 };
		struct kc_error err = { 0 };

		variables = rows[i].variables;
		KC_CHECK_INT(kc_shard_read(rows[i].text, variable, &shard, &err), -EINVAL);
		KC_CHECK_CONTAINS(err.text, rows[i].error);
		KC_CHECK_INT(err.kind, KC_ERROR_USAGE);
		KC_CHECK_MESSAGE(err.hint[0], "row %zu gives no hint", i);
		KC_CHECK_INT(shard.count, 0);
	}
}

KC_TEST_SUITE(shard, KC_LABEL_FAST, KC_TEST(reads_what_the_line_and_ci_systems_say),
	      KC_TEST(refuses_what_would_leave_cases_out));
