#include "run/plan.h"

#include <errno.h>
#include <string.h>

#include "tests/kc_test.h"

static void no_run(const struct kc_case *row, struct kc_case_context *context, struct kc_result *result)
{
	(void)row;
	(void)context;
	(void)result;
}

static const struct kc_case layout_rows[] = {
	{ KC_CASE("ttyd-is-static"), .what = "ttyd needs no library", .run = no_run, .timeout_ms = 5000 },
	{ KC_CASE("volume-unchanged"), .what = "nothing wrote to the volume", .run = no_run,
	  .timeout_ms = 90000, .phase = KC_PHASE_LAST },
	{ KC_CASE("keepalive"), .what = "pings come in time", .run = no_run, .timeout_ms = 60000 },
};
static const struct kc_case import_rows[] = {
	{ KC_CASE("promised"), .what = "`import {item}` works", .run = no_run, .timeout_ms = 10000,
	  .each = KC_EACH_PROMISED_IMPORT },
};
static const struct kc_case_table layout = { "layout", "cases/layout.c", layout_rows,
					     KC_ARRAY_LENGTH(layout_rows) };
static const struct kc_case_table imports = { "imports", "cases/imports.c", import_rows,
					      KC_ARRAY_LENGTH(import_rows) };
static const struct kc_case_table *const tables[] = { &layout, &imports, NULL };

static const char *const promised[] = { "zmq", "jupyter_client", "tls", "tls_more" };
static const struct kc_plan_list lists[] = { { KC_EACH_PROMISED_IMPORT, promised, 4 } };

static const struct kc_plan_request request = {
	.image = "centos7", .tables = tables, .lists = lists, .list_count = 1
};

static int make(struct kc_plan *plan, struct kc_error *err)
{
	memset(err, 0, sizeof(*err));
	return kc_plan_make(plan, &request, err);
}

static void leaves_out_what_this_run_cannot_or_need_not(void)
{
	static const struct kc_case rows[] = {
		{ KC_CASE("plain"), .what = "x", .run = no_run, .timeout_ms = 1000 },
		{ KC_CASE("of-hours"), .what = "x", .run = no_run, .timeout_ms = 1000,
		  .needs_virtual_time = true },
		{ KC_CASE("of-work"), .what = "x", .run = no_run, .timeout_ms = 1000, .is_long = true },
		{ KC_CASE("of-both"), .what = "x", .run = no_run, .timeout_ms = 1000, .is_long = true,
		  .needs_virtual_time = true },
	};
	static const struct kc_case_table table = { "some", "cases/some.c", rows, KC_ARRAY_LENGTH(rows) };
	static const struct kc_case_table *const some[] = { &table, NULL };
	static const struct {
		bool is_real_time, is_brief;
		size_t count, left_out_long, left_out_virtual;
	} runs[] = { { false, false, 4, 0, 0 },
		     { true, false, 2, 0, 2 },
		     { false, true, 2, 2, 0 },
		     { true, true, 1, 1, 2 } };

	for (size_t i = 0; i < KC_ARRAY_LENGTH(runs); i++) {
		const struct kc_plan_request asked = { .image = "centos7",
						       .tables = some,
						       .is_real_time = runs[i].is_real_time,
						       .is_brief = runs[i].is_brief };
		KC_CLEANUP_PLAN struct kc_plan plan = { 0 };
		struct kc_error err = { 0 };

		KC_REQUIRE_OK(kc_plan_make(&plan, &asked, &err), err);
		KC_CHECK_INT(plan.count, runs[i].count);
		KC_CHECK_INT(plan.left_out_long, runs[i].left_out_long);
		KC_CHECK_INT(plan.left_out_virtual, runs[i].left_out_virtual);
		KC_CHECK_STRING(plan.cases[0].name, "plain");
	}
}

static void names_cases_by_image_group_and_row_or_item(void)
{
	static const char *const expected[][3] = {
		{ "centos7.layout", "ttyd-is-static", "ttyd needs no library" },
		{ "centos7.layout", "volume-unchanged", "nothing wrote to the volume" },
		{ "centos7.layout", "keepalive", "pings come in time" },
		{ "centos7.imports", "zmq", "`import zmq` works" },
		{ "centos7.imports", "jupyter_client", "`import jupyter_client` works" },
		{ "centos7.imports", "tls", "`import tls` works" },
		{ "centos7.imports", "tls_more", "`import tls_more` works" },
	};
	KC_CLEANUP_PLAN struct kc_plan plan = { 0 };
	struct kc_error err;

	KC_REQUIRE_OK(make(&plan, &err), err);
	KC_REQUIRE(plan.count == KC_ARRAY_LENGTH(expected));
	for (size_t i = 0; i < plan.count; i++) {
		KC_CHECK_STRING(plan.cases[i].classname, expected[i][0]);
		KC_CHECK_STRING(plan.cases[i].name, expected[i][1]);
		KC_CHECK_STRING(plan.cases[i].what, expected[i][2]);
	}
	KC_CHECK_STRING(plan.cases[4].file, "cases/imports.c");
	KC_CHECK_INT(plan.cases[4].line, import_rows[0].line);
	KC_CHECK_STRING(plan.entries[4].item, "jupyter_client");
	KC_CHECK(plan.entries[0].item == NULL);
}

static void starts_the_longest_first_and_the_last_phase_last(void)
{
	static const size_t expected[] = { 2, 3, 4, 5, 6, 0, 1 };
	KC_CLEANUP_PLAN struct kc_plan plan = { 0 };
	struct kc_error err;

	KC_REQUIRE_OK(make(&plan, &err), err);
	for (size_t i = 0; i < KC_ARRAY_LENGTH(expected); i++)
		KC_CHECK_INT(plan.order[i], expected[i]);
}

static void a_given_timeout_replaces_every_limit(void)
{
	struct kc_plan_request hurried = request;
	KC_CLEANUP_PLAN struct kc_plan plan = { 0 };
	struct kc_error err = { 0 };

	hurried.timeout_ms = 1500;
	KC_REQUIRE_OK(kc_plan_make(&plan, &hurried, &err), err);
	for (size_t i = 0; i < plan.count; i++)
		KC_CHECK_INT(plan.cases[i].timeout_ms, 1500);
	KC_CHECK_INT(plan.order[0], 2);
}

static void emulated_programs_have_more_time(void)
{
	struct kc_plan_request slow = request;
	KC_CLEANUP_PLAN struct kc_plan native = { 0 }, emulated = { 0 };
	struct kc_error err = { 0 };

	slow.is_slow = true;
	KC_REQUIRE_OK(kc_plan_make(&native, &request, &err), err);
	KC_REQUIRE_OK(kc_plan_make(&emulated, &slow, &err), err);
	for (size_t i = 0; i < native.count; i++)
		KC_CHECK_INT(emulated.cases[i].timeout_ms, 10 * native.cases[i].timeout_ms);
	kc_plan_release(&emulated);
	slow.timeout_ms = 1500;
	KC_REQUIRE_OK(kc_plan_make(&emulated, &slow, &err), err);
	KC_CHECK_INT(emulated.cases[0].timeout_ms, 1500);
}

static void selects_by_substring_or_glob(void)
{
	static const struct {
		const char *patterns[2];
		size_t count;
		size_t selected;
		const char *refused; /* part of the error */
	} rows[] = {
		{ { "zmq" }, 1, 1, NULL },
		{ { "centos7" }, 1, 7, NULL },
		{ { "imports." }, 1, 4, NULL },
		{ { "*.keep*" }, 1, 1, NULL },
		{ { "keep*" }, 1, 0, "no case matches `keep*`" }, /* a glob is about the whole identity */
		{ { "zmq", "keepalive" }, 2, 2, NULL },
		{ { "tls" }, 1, 2, NULL },
		{ { "centos7.imports.tls" }, 1, 1, NULL }, /* an identity is not a part of a longer one */
		{ { "zmq", "zmq" }, 2, 1, NULL },
		{ { "zmq", "zmpq" }, 2, 0, "no case matches `zmpq`" },
		{ { "ZMQ" }, 1, 0, "no case matches `ZMQ`" },
		{ { NULL }, 0, 7, NULL },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_PLAN struct kc_plan plan = { 0 };
		struct kc_error err;
		int status;

		KC_REQUIRE_OK(make(&plan, &err), err);
		status = kc_plan_select(&plan,
					&(struct kc_plan_selection){ .patterns = rows[i].patterns,
								     .pattern_count = rows[i].count },
					&err);
		if (rows[i].refused) {
			KC_CHECK_INT(status, -ENOENT);
			KC_CHECK_INT(err.kind, KC_ERROR_SELECTION);
			KC_CHECK_CONTAINS(err.text, rows[i].refused);
			KC_CHECK_INT(plan.count, 7);
			continue;
		}
		KC_CHECK_OK(status, err);
		KC_CHECK_MESSAGE(plan.count == rows[i].selected, "row %zu: %zu selected, want %zu", i,
				 plan.count, rows[i].selected);
	}
}

static void what_is_excluded_is_left_out(void)
{
	static const struct {
		const char *patterns[2], *excluded[2];
		size_t pattern_count, excluded_count, selected, left_out;
		const char *refused; /* part of the error */
		const char *excludes_nothing;
	} rows[] = {
		{ { NULL }, { "zmq" }, 0, 1, 6, 1, NULL, "" },
		{ { "imports." }, { "zmq" }, 1, 1, 3, 1, NULL, "" },
		{ { "zmq" }, { "tls" }, 1, 1, 1, 0, NULL, "" }, /* what was not selected may be excluded */
		{ { NULL }, { "centos7.imports.tls" }, 0, 1, 6, 1, NULL, "" },
		{ { NULL }, { "zmpq", "zmq" }, 0, 2, 6, 1, NULL, "zmpq" },
		{ { "zmq" }, { "zmq" }, 1, 1, 0, 1, "there is no case to run", "" },
		{ { NULL }, { "centos7" }, 0, 1, 0, 7, "there is no case to run", "" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		const struct kc_plan_selection selection = { .patterns = rows[i].patterns,
							     .pattern_count = rows[i].pattern_count,
							     .excluded = rows[i].excluded,
							     .excluded_count = rows[i].excluded_count };
		KC_CLEANUP_PLAN struct kc_plan plan = { 0 };
		struct kc_error err = { 0 };
		int status;

		KC_REQUIRE_OK(make(&plan, &err), err);
		status = kc_plan_select(&plan, &selection, &err);
		KC_CHECK_INT(status, rows[i].refused ? -ENOENT : 0);
		KC_CHECK_CONTAINS(err.text, rows[i].refused ? rows[i].refused : "");
		KC_CHECK_MESSAGE(plan.count == (rows[i].refused ? 7 : rows[i].selected), "row %zu: %zu left",
				 i, plan.count);
		KC_CHECK_INT(plan.left_out_excluded, rows[i].left_out);
		KC_CHECK_STRING(plan.excludes_nothing ? plan.excludes_nothing : "", rows[i].excludes_nothing);
	}
}

static void of_the_last_run_only_what_did_not_pass(void)
{
	static const struct kc_report_case told[] = { { .classname = "centos7.imports", .name = "zmq" },
						      { .classname = "centos7.imports", .name = "tls" },
						      { .classname = "gone.imports", .name = "zmq" } };
	static struct kc_recorded records[] = {
		{ .kind = KC_RECORDED_STARTED, .number = 0 },
		{ .kind = KC_RECORDED_DONE, .number = 0, .result = { .verdict = KC_FAIL } },
		{ .kind = KC_RECORDED_DONE, .number = 1, .result = { .verdict = KC_PASS } },
		{ .kind = KC_RECORDED_DONE, .number = 2, .result = { .verdict = KC_FAIL } },
	};
	static const struct {
		const char *name;
		size_t records; /* of these, from the first on */
		size_t told;
		size_t selected;
	} rows[] = {
		{ "one failed", 4, 3, 1 },
		{ "one never reported", 2, 2, 2 },
		{ "nothing of this plan", 0, 0, 0 },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		struct kc_recording last = { .plan.run = { .cases = told, .case_count = rows[i].told },
					     .records = records,
					     .count = rows[i].records };
		const struct kc_plan_selection selection = { .failed = &last };
		KC_CLEANUP_PLAN struct kc_plan plan = { 0 };
		struct kc_error err = { 0 };

		KC_REQUIRE_OK(make(&plan, &err), err);
		KC_CHECK_INT(kc_plan_select(&plan, &selection, &err), rows[i].selected ? 0 : -ENOENT);
		KC_CHECK_MESSAGE(plan.count == (rows[i].selected ? rows[i].selected : 7), "%s: %zu",
				 rows[i].name, plan.count);
	}
}

static void a_seed_gives_an_order_and_always_the_same(void)
{
	KC_CLEANUP_PLAN struct kc_plan plan = { 0 }, again = { 0 }, other = { 0 };
	struct kc_error err = { 0 };
	bool differs = false;
	size_t sum = 0;

	KC_REQUIRE_OK(make(&plan, &err), err);
	KC_REQUIRE_OK(make(&again, &err), err);
	KC_REQUIRE_OK(make(&other, &err), err);
	kc_plan_shuffle(&plan, 1);
	kc_plan_shuffle(&again, 1);
	KC_CHECK(memcmp(plan.order, again.order, plan.count * sizeof(*plan.order)) == 0);
	for (uint64_t seed = 2; seed < 12; seed++) {
		kc_plan_shuffle(&other, seed);
		differs |= memcmp(plan.order, other.order, plan.count * sizeof(*plan.order)) != 0;
	}
	KC_CHECK(differs);
	/* Each case once, and no phase before the one before it. */
	for (size_t i = 0; i < plan.count; i++) {
		sum += other.order[i];
		KC_CHECK(i == 0 || other.entries[other.order[i]].row->phase >=
					   other.entries[other.order[i - 1]].row->phase);
	}
	KC_CHECK_INT(sum, plan.count * (plan.count - 1) / 2);
}

static void a_selection_keeps_both_orders(void)
{
	static const char *const patterns[] = { "layout" };
	KC_CLEANUP_PLAN struct kc_plan plan = { 0 };
	struct kc_error err;

	KC_REQUIRE_OK(make(&plan, &err), err);
	KC_REQUIRE_OK(kc_plan_select(&plan,
				     &(struct kc_plan_selection){ .patterns = patterns, .pattern_count = 1 },
				     &err),
		      err);
	KC_REQUIRE(plan.count == 3);
	KC_CHECK_STRING(plan.cases[0].name, "ttyd-is-static");
	KC_CHECK_STRING(plan.cases[plan.order[0]].name, "keepalive");
	KC_CHECK_STRING(plan.cases[plan.order[2]].name, "volume-unchanged");
	KC_CHECK(plan.entries[plan.order[0]].row == &layout_rows[2]);
}

static void a_plan_without_cases_is_a_selection_of_nothing(void)
{
	static const struct kc_case_table *const none[] = { NULL };
	struct kc_plan_request empty = { .image = "centos7", .tables = none };
	KC_CLEANUP_PLAN struct kc_plan plan = { 0 };
	struct kc_error err = { 0 };

	KC_REQUIRE_OK(kc_plan_make(&plan, &empty, &err), err);
	KC_CHECK_INT(kc_plan_select(&plan, &(struct kc_plan_selection){ 0 }, &err), -ENOENT);
	KC_CHECK_INT(err.kind, KC_ERROR_SELECTION);
}

#define ROW(row_name, row_run, row_timeout_ms, row_each)                                                     \
	{                                                                                                    \
		KC_CASE(row_name), .what = "x", .run = (row_run), .timeout_ms = (row_timeout_ms),            \
				   .each = (row_each)                                                        \
	}
#define GOOD ROW("good", no_run, 1, KC_EACH_NONE)
#define EACH ROW("a", no_run, 1, KC_EACH_PROMISED_IMPORT)

/* The numbers are pinned: machines that run different versions must agree on who takes what. */
static void each_case_is_in_one_shard_whatever_else_there_is(void)
{
	static const struct {
		const char *name;
		unsigned int of_three;
	} rows[] = { { "ttyd-is-static", 1 }, { "volume-unchanged", 2 },
		     { "keepalive", 1 },      { "zmq", 3 },
		     { "jupyter_client", 1 }, { "tls", 1 },
		     { "tls_more", 2 } };
	unsigned int seen[KC_ARRAY_LENGTH(rows)] = { 0 };

	for (unsigned int shard = 1; shard <= 3; shard++) {
		KC_CLEANUP_PLAN struct kc_plan plan = { 0 };
		struct kc_error err;

		KC_REQUIRE_OK(make(&plan, &err), err);
		KC_REQUIRE_OK(kc_plan_take_shard(&plan, shard, 3, &err), err);
		KC_CHECK_INT(plan.count + plan.left_out_shards, KC_ARRAY_LENGTH(rows));
		for (size_t i = 0; i < plan.count; i++)
			for (size_t j = 0; j < KC_ARRAY_LENGTH(rows); j++)
				if (strcmp(rows[j].name, plan.cases[i].name) == 0) {
					KC_CHECK_MESSAGE(rows[j].of_three == shard, "%s: %u", rows[j].name,
							 shard);
					KC_CHECK(plan.order[i] < plan.count);
					seen[j]++;
				}
	}
	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++)
		KC_CHECK_INT(seen[i], 1);
}

/* More shards than cases: some are empty, and say so by what they left out. What stands for cases that nobody knows is in all. */
static void a_shard_may_be_empty_and_what_could_not_be_opened_is_in_each(void)
{
	size_t empty = 0;

	for (unsigned int shard = 1; shard <= 100; shard++) {
		struct kc_plan_request unopened = request;
		KC_CLEANUP_PLAN struct kc_plan plan = { 0 }, other = { 0 };
		struct kc_error err;

		unopened.is_unopened = true;
		KC_REQUIRE_OK(make(&plan, &err), err);
		KC_REQUIRE_OK(kc_plan_take_shard(&plan, shard, 100, &err), err);
		empty += plan.count == 0 && plan.left_out_shards == 7;
		KC_REQUIRE_OK(kc_plan_make(&other, &unopened, &err), err);
		KC_REQUIRE_OK(kc_plan_take_shard(&other, shard, 100, &err), err);
		KC_CHECK_INT(other.count, 7);
		KC_CHECK_INT(other.left_out_shards, 0);
	}
	KC_CHECK_MESSAGE(empty >= 93, "%zu", empty);
}

static void refuses_rows_that_could_be_lost(void)
{
	static const char *const twice[] = { "zmq", "zmq" }, *const odd[] = { "os.path", "../x" };
	static const struct kc_plan_list twice_list = { KC_EACH_PROMISED_IMPORT, twice, 2 };
	static const struct kc_plan_list odd_list = { KC_EACH_PROMISED_IMPORT, odd, 2 };
	static const struct {
		const char *what;
		const char *group;
		struct kc_case rows[2];
		const struct kc_plan_list *list;
		const char *refused; /* NULL: it is fine */
	} rows[] = {
		{ "two rows", "group", { GOOD, ROW("other-2", no_run, 1, 0) }, NULL, NULL },
		{ "one name twice", "group", { GOOD, GOOD }, NULL, "t.group.good stands" },
		{ "capitals", "group", { GOOD, ROW("Good", no_run, 1, 0) }, NULL, "not kebab-case" },
		{ "a dash at the end", "group", { GOOD, ROW("a-", no_run, 1, 0) }, NULL, "not kebab-case" },
		{ "no name", "group", { GOOD, ROW("", no_run, 1, 0) }, NULL, "not kebab-case" },
		{ "no function", "group", { GOOD, ROW("a", NULL, 1, 0) }, NULL, "lacks" },
		{ "no limit", "group", { GOOD, ROW("a", no_run, 0, 0) }, NULL, "lacks" },
		{ "a bad group", "Group", { GOOD, ROW("a", no_run, 1, 0) }, NULL, "group" },
		{ "no list", "group", { GOOD, EACH }, NULL, "no list" },
		{ "an item twice", "group", { GOOD, EACH }, &twice_list, "zmq stands" },
		{ "an item that is a path", "group", { GOOD, EACH }, &odd_list, "`../x` is no name" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		struct kc_case_table table = { rows[i].group, "t.c", rows[i].rows, 2 };
		const struct kc_case_table *const all[] = { &table, NULL };
		struct kc_plan_request asked = {
			.image = "t", .tables = all, .lists = rows[i].list, .list_count = rows[i].list != NULL
		};
		KC_CLEANUP_PLAN struct kc_plan plan = { 0 };
		struct kc_error err = { 0 };
		int status = kc_plan_make(&plan, &asked, &err);

		KC_CHECK_MESSAGE(status == (rows[i].refused ? -EINVAL : 0), "%s: %d", rows[i].what, status);
		if (rows[i].refused)
			KC_CHECK_CONTAINS(err.text, rows[i].refused);
	}
}

KC_TEST_SUITE(plan, KC_LABEL_FAST, KC_TEST(names_cases_by_image_group_and_row_or_item),
	      KC_TEST(leaves_out_what_this_run_cannot_or_need_not),
	      KC_TEST(starts_the_longest_first_and_the_last_phase_last),
	      KC_TEST(a_given_timeout_replaces_every_limit), KC_TEST(emulated_programs_have_more_time),
	      KC_TEST(selects_by_substring_or_glob), KC_TEST(what_is_excluded_is_left_out),
	      KC_TEST(of_the_last_run_only_what_did_not_pass),
	      KC_TEST(a_seed_gives_an_order_and_always_the_same), KC_TEST(a_selection_keeps_both_orders),
	      KC_TEST(a_plan_without_cases_is_a_selection_of_nothing),
	      KC_TEST(each_case_is_in_one_shard_whatever_else_there_is),
	      KC_TEST(a_shard_may_be_empty_and_what_could_not_be_opened_is_in_each),
	      KC_TEST(refuses_rows_that_could_be_lost));
