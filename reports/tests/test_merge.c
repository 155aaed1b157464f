/* Reports of parts put together: the whole, or a refusal that names who disagrees. */
#include "reports/merge.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "reports/ledger.h"
#include "tests/kc_test.h"

enum { MOST_PARTS = 4, MOST_CASES = 8, MOST_FACTS = 5, TEXT_SIZE = 64 };

/* A report of one suite, in short: cases are "zmq+" (passed), "zmq-", "zmq!" (broken), "zmq?" (skipped), "zmq~" (flaky). What is
 * NULL is as in the others. */
struct part {
	const char *cases, *shard, *suite, *sha256, *digest, *version, *host;
	int64_t started_ms;
	bool is_cut_short;
};

/* The report that a part stands for, and what it borrows from. */
struct made {
	struct kc_read_report report;
	struct kc_report_suite suite;
	struct kc_property facts[MOST_FACTS];
	struct kc_report_case cases[MOST_CASES];
	struct kc_result results[MOST_CASES];
	char texts[MOST_CASES + 2 * MOST_FACTS + 2][TEXT_SIZE];
	size_t text_count;
};

static char *keep(struct made *made, const char *text)
{
	char *kept = made->texts[made->text_count++];

	(void)snprintf(kept, TEXT_SIZE, "%s", text);
	return kept;
}

static void add_fact(struct made *made, const char *name, const char *value, const char *otherwise)
{
	if (value ? !*value : !otherwise)
		return;
	made->facts[made->suite.fact_count++] =
		(struct kc_property){ .name = keep(made, name),
				      .value = keep(made, value ? value : otherwise) };
}

static void report_case(struct kc_result *result, char sign)
{
	KC_CLEANUP(kc_result_release) struct kc_result earlier;

	kc_result_init(&earlier);
	kc_result_init(result);
	kc_result_fail(&earlier, "a", "b", "no");
	if (sign == '+' || sign == '~')
		kc_result_pass(result);
	else if (sign == '-')
		kc_result_fail(result, "a", "b", "no");
	else if (sign == '?')
		kc_result_skip(result, "not here");
	else
		kc_result_broken(result, "no idea");
	if (sign == '~')
		kc_result_add_attempt(result, &earlier);
}

static void make(const struct part *part, struct made *made)
{
	char name[TEXT_SIZE];
	int length = 0;
	size_t count = 0;
	char sign;

	*made = (struct made){ .suite = { .name = part->suite ? part->suite : "centos7", .reproduce = "" } };
	add_fact(made, "volume.sha256", part->sha256, "aa");
	add_fact(made, "image.digest", part->digest, "dd");
	add_fact(made, "kernel", part->host, "k");
	add_fact(made, "shard", part->shard, NULL);
	made->suite.facts = made->facts;
	for (const char *at = part->cases; sscanf(at, " %40[a-z0-9.]%c%n", name, &sign, &length) == 2;
	     at += length, count++) {
		made->cases[count] = (struct kc_report_case){ .classname = made->suite.name,
							      .name = keep(made, name),
							      .what = "x",
							      .file = "f",
							      .line = (unsigned int)name[0] };
		report_case(&made->results[count], sign);
	}
	made->report =
		(struct kc_read_report){ .plan = { .run = { .version = part->version ? part->version : "1",
							    .hostname = part->host ? part->host : "h",
							    .started_ms = part->started_ms,
							    .suites = &made->suite,
							    .suite_count = 1,
							    .cases = made->cases,
							    .case_count = count } },
					 .results = made->results,
					 .is_complete = !part->is_cut_short };
}

static int describe_suite(const struct kc_merged *merged, size_t number, struct kc_buffer *text)
{
	const struct kc_report_suite *suite = &merged->run.suites[number];
	const char *shard = kc_report_fact(suite, "shard");
	int status = kc_buffer_printf(text, " %s[%s%s%s]", suite->name, kc_report_fact(suite, "kernel"),
				      *shard ? "|" : "", shard);

	for (size_t i = 0; i < merged->run.case_count; i++)
		if (merged->run.cases[i].suite == number)
			status |= kc_buffer_printf(text, " %s=%s%s", merged->run.cases[i].name,
						   kc_verdict_name(merged->results[i]->verdict),
						   kc_result_is_flaky(merged->results[i]) ? "(flaky)" : "");
	return status;
}

/* "host @started cut short centos7[kernel|shard] zmq=pass ssl=pass(flaky)" */
static void describe(const struct kc_merged *merged, struct kc_buffer *text)
{
	int status = kc_buffer_printf(text, "%s @%d%s", merged->run.hostname, (int)merged->run.started_ms,
				      merged->is_complete ? "" : " cut short");

	for (size_t i = 0; i < merged->run.suite_count; i++)
		status |= describe_suite(merged, i, text);
	KC_CHECK_INT(status, 0);
}

struct row {
	const char *name;
	struct part parts[MOST_PARTS];
	const char *expected; /* the whole, or what the refusal says */
	const char *missing;  /* NULL: nothing */
};

static void try_row(const struct row *row, int expected)
{
	static const char *const names[MOST_PARTS] = { "a.json", "b.json", "c.json", "d.json" };
	struct made made[MOST_PARTS];
	struct kc_merge_input inputs[MOST_PARTS];
	KC_CLEANUP_MERGED struct kc_merged merged = { 0 };
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(1u << 16);
	struct kc_error err = { 0 };
	size_t count = 0;
	int status;

	for (; count < MOST_PARTS && row->parts[count].cases; count++) {
		make(&row->parts[count], &made[count]);
		inputs[count] = (struct kc_merge_input){ names[count], &made[count].report };
	}
	status = kc_merge(inputs, count, &merged, &err);
	KC_CHECK_MESSAGE(status == expected, "%s: %d %s", row->name, status, err.text);
	if (status == 0) {
		describe(&merged, &text);
		KC_CHECK_STRING(kc_buffer_string(&text), row->expected);
		KC_CHECK_STRING(kc_buffer_string(&merged.missing), row->missing ? row->missing : "");
	} else {
		KC_CHECK_CONTAINS(err.text, row->expected);
		KC_CHECK_MESSAGE(err.hint[0] || !count, "%s: no hint", row->name);
	}
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < made[i].report.plan.run.case_count; j++)
			kc_result_release(&made[i].results[j]);
}

static void parts_make_a_whole(void)
{
	static const struct row rows[] = {
		{ "one alone", { { "a+ b-" } }, "h @0 centos7[k] a=pass b=fail", NULL },
		{ "three shards, in any order",
		  { { "c+", "3/3", .started_ms = 9 },
		    { "a+ d?", "1/3", .started_ms = 7 },
		    { "b!", "2/3", .started_ms = 8 } },
		  "h @7 centos7[k] a=pass b=broken c=pass d=skip",
		  NULL },
		{ "an empty shard counts",
		  { { "a+", "1/2" }, { "", "2/2" } },
		  "h @0 centos7[k] a=pass",
		  NULL },
		{ "images of their own",
		  { { "a+" }, { "a+", .suite = "debian12", .digest = "ee", .host = "m" } },
		  "h; m @0 centos7[k] a=pass debian12[m] a=pass",
		  NULL },
		{ "machines differ, each value once",
		  { { "a+", "1/3", .host = "m" },
		    { "b+", "2/3", .host = "n" },
		    { "c+", "3/3", .host = "m" } },
		  "m; n @0 centos7[m; n] a=pass b=pass c=pass",
		  NULL },
		{ "a host without a name", { { "a+", .host = "" } }, " @0 centos7[] a=pass", NULL },
		{ "the same case with the same verdict",
		  { { "a+ b-" }, { "b- c+" } },
		  "h @0 centos7[k] a=pass b=fail c=pass",
		  NULL },
		{ "a flaky pass is not made clean",
		  { { "a+ b~" }, { "a~ b+" } },
		  "h @0 centos7[k] a=pass(flaky) b=pass(flaky)",
		  NULL },
		{ "one was cut short",
		  { { "a+", "1/2" }, { "b!", "2/2", .is_cut_short = true } },
		  "h @0 cut short centos7[k] a=pass b=broken",
		  NULL },
		{ "parts are missing",
		  { { "a+", "1/4" }, { "b+", "3/4" } },
		  "h @0 cut short centos7[k|1/4; 3/4] a=pass b=pass",
		  "centos7: parts 2, 4 of 4\n" },
		{ "a part of one image is missing",
		  { { "a+", "1/2" }, { "b+", "2/2" }, { "a+", "2/2", "debian12" } },
		  "h @0 cut short centos7[k] a=pass b=pass debian12[k|2/2] a=pass",
		  "debian12: parts 1 of 2\n" },
		{ "a part beside the whole",
		  { { "a+ b+" }, { "b+", "2/3" } },
		  "h @0 centos7[k] a=pass b=pass",
		  NULL },
		{ "parts that were put together before",
		  { { "a+ c+", "1/3; 3/3" }, { "b+", "2/3" } },
		  "h @0 centos7[k] a=pass b=pass c=pass",
		  NULL },
		{ "an image that could not be opened is not the whole of it",
		  { { "run.opening?", .digest = "" }, { "a+", "1/2" } },
		  "h @0 cut short centos7[k|1/2] a=pass run.opening=skip",
		  "centos7: parts 2 of 2\n" },
		{ "nor is nothing",
		  { { "", .digest = "" }, { "a+", "1/2" } },
		  "h @0 cut short centos7[k|1/2] a=pass",
		  "centos7: parts 2 of 2\n" },
		{ "it is no part where another could open it",
		  { { "run.opening?", "2/2", .digest = "" }, { "a+", "1/2" } },
		  "h @0 cut short centos7[k|1/2] a=pass run.opening=skip",
		  "centos7: parts 2 of 2\n" },
		{ "until somebody has opened it for that part",
		  { { "run.opening?", "2/2", .digest = "" }, { "a+", "1/2" }, { "b+", "2/2" } },
		  "h @0 centos7[k] a=pass b=pass run.opening=skip",
		  NULL },
		{ "an image that nobody could open",
		  { { "run.opening?", "2/2", .digest = "" }, { "run.opening?", "1/2", .digest = "" } },
		  "h @0 centos7[k] run.opening=skip",
		  NULL },
		{ "and whose parts are not all there",
		  { { "run.opening?", "2/3", .digest = "" }, { "run.opening?", "1/3", .digest = "" } },
		  "h @0 cut short centos7[k|1/3; 2/3] run.opening=skip",
		  "centos7: parts 3 of 3\n" },
		{ "an image that could not be opened somewhere",
		  { { "a+" }, { "run.opening!", .digest = "" } },
		  "h @0 centos7[k] a=pass run.opening=broken",
		  NULL },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++)
		try_row(&rows[i], 0);
}

static void what_does_not_belong_together_is_refused(void)
{
	static const struct row rows[] = {
		{ "no report", { { NULL } }, "0 reports are too few" },
		{ "another verdict",
		  { { "a+ b+" }, { "b-" } },
		  "case centos7.b: a.json says pass, b.json says fail" },
		{ "a rerun",
		  { { "a-" }, { "b+" }, { "a+" } },
		  "case centos7.a: a.json says fail, c.json says pass" },
		{ "a skip is no pass", { { "a+" }, { "a?" } }, "a.json says pass, b.json says skip" },
		{ "another archive",
		  { { "a+" }, { "b+", .sha256 = "bb" } },
		  "volume.sha256 of centos7 differs: a.json says `aa`, b.json says `bb`" },
		{ "another archive on another image",
		  { { "a+" }, { "a+", .suite = "debian12", .sha256 = "bb" } },
		  "volume.sha256 differs: a.json says `aa`, b.json says `bb`" },
		{ "another image of that name",
		  { { "a+" }, { "b+" }, { "c+", .digest = "ee" } },
		  "image.digest of centos7 differs: a.json says `dd`, c.json says `ee`" },
		{ "another program",
		  { { "a+" }, { "b+", .version = "2" } },
		  "krunner-compat's version differs: a.json says `1`, b.json says `2`" },
		{ "parts of two wholes",
		  { { "a+", "1/2" }, { "b+", "2/3" } },
		  "`1/2; 2/3` are not parts of one whole" },
		{ "no part at all", { { "a+", "4/3" } }, "`4/3` are not parts" },
		{ "part nothing", { { "a+", "0/3" } }, "`0/3` are not parts" },
		{ "a part that is no number", { { "a+", "1/3x" } }, "`1/3x` are not parts" },
		{ "a part of too many", { { "a+", "1/10001" } }, "`1/10001` are not parts" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++)
		try_row(&rows[i], -EINVAL);
}

KC_TEST_SUITE(merge, KC_LABEL_FAST, KC_TEST(parts_make_a_whole),
	      KC_TEST(what_does_not_belong_together_is_refused));
