#include "run/plan.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/digest.h"

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"
#define IDENTITY_SIZE 1024
/* What an emulated or a traced program may take longer by; measured: imports take 6 to 10 times as long in an emulator. */
#define SLOWNESS_FACTOR 10

static bool is_kebab_case(const char *name)
{
	for (;;) {
		size_t word = strspn(name, LOWER DIGITS);

		if (word == 0)
			return false;
		name += word;
		if (!*name)
			return true;
		if (*name++ != '-')
			return false;
	}
}

static bool is_plain_name(const char *name)
{
	return name && *name && name[strspn(name, LOWER UPPER DIGITS "_-.")] == '\0';
}

static int check_row(const struct kc_case_table *table, const struct kc_case *row, struct kc_error *err)
{
	if (!row->name || !is_kebab_case(row->name))
		return kc_error_set(err, EINVAL, "%s:%u: case `%s`: its name is not kebab-case", table->file,
				    row->line, row->name ? row->name : "");
	if (!row->run || !row->what || row->timeout_ms <= 0)
		return kc_error_set(err, EINVAL, "%s:%u: case `%s` lacks run, what or timeout_ms",
				    table->file, row->line, row->name);
	return 0;
}

static const struct kc_plan_list *find_list(const struct kc_plan_request *request, enum kc_case_each each)
{
	for (size_t i = 0; i < request->list_count; i++)
		if (request->lists[i].each == each)
			return &request->lists[i];
	return NULL;
}

static int check_row_list(const struct kc_plan_request *request, const struct kc_case_table *table,
			  const struct kc_case *row, struct kc_error *err)
{
	const struct kc_plan_list *list = find_list(request, row->each);

	if (row->each == KC_EACH_NONE)
		return 0;
	if (!list)
		return kc_error_set(err, EINVAL, "%s:%u: case `%s`: there is no list to make its cases from",
				    table->file, row->line, row->name);
	for (size_t i = 0; i < list->count; i++)
		if (!is_plain_name(list->items[i]))
			return kc_error_set(err, EINVAL, "%s:%u: case `%s`: `%s` is no name for a case",
					    table->file, row->line, row->name,
					    list->items[i] ? list->items[i] : "");
	return 0;
}

/* Checks everything, and counts the cases. */
static int survey(const struct kc_plan_request *request, size_t *ret_count, struct kc_error *err)
{
	size_t count = 0;

	if (!is_plain_name(request->image))
		return kc_error_set(err, EINVAL, "plan: `%s` is no name of an image",
				    request->image ? request->image : "");
	for (size_t t = 0; request->tables[t]; t++) {
		const struct kc_case_table *table = request->tables[t];

		if (!table->group || !is_kebab_case(table->group))
			return kc_error_set(err, EINVAL, "%s: its group is not kebab-case", table->file);
		for (size_t i = 0; i < table->count; i++) {
			const struct kc_case *row = &table->rows[i];
			int status = check_row(table, row, err);

			if (status == 0)
				status = check_row_list(request, table, row, err);
			if (status < 0)
				return status;
			count += row->each == KC_EACH_NONE ? 1 : find_list(request, row->each)->count;
		}
	}
	*ret_count = count;
	return 0;
}

/* `what` with its "{item}" filled in; NULL: out of memory. */
static char *make_sentence(const char *what, const char *item)
{
	static const char placeholder[] = "{item}";
	const char *place = item ? strstr(what, placeholder) : NULL;
	char *sentence = NULL;

	if (!place)
		return strdup(what);
	if (asprintf(&sentence, "%.*s%s%s", (int)(place - what), what, item,
		     place + sizeof(placeholder) - 1) < 0)
		return NULL;
	return sentence;
}

static int add_case(struct kc_plan *plan, const struct kc_plan_request *request,
		    const struct kc_case_table *table, const struct kc_case *row, const char *item)
{
	struct kc_plan_entry *entry = &plan->entries[plan->count];
	int64_t own_timeout_ms = row->timeout_ms * (request->is_slow ? SLOWNESS_FACTOR : 1);

	entry->row = row;
	entry->item = item;
	entry->is_kept = request->is_unopened;
	if (asprintf(&entry->classname, "%s.%s", request->image, table->group) < 0)
		return -ENOMEM;
	entry->what = make_sentence(row->what, item);
	if (!entry->what) {
		free(entry->classname);
		return -ENOMEM;
	}
	plan->cases[plan->count++] = (struct kc_report_case){
		.suite = request->suite,
		.classname = entry->classname,
		.name = item ? item : row->name,
		.what = entry->what,
		.file = table->file,
		.line = row->line,
		.timeout_ms = request->timeout_ms ? request->timeout_ms : own_timeout_ms,
		.repeat = request->repeat,
	};
	return 0;
}

static int add_row(struct kc_plan *plan, const struct kc_plan_request *request,
		   const struct kc_case_table *table, const struct kc_case *row)
{
	const struct kc_plan_list *list = find_list(request, row->each);
	int status = 0;

	if (row->of_wheel && !request->has_wheel)
		return 0;
	if (row->needs_virtual_time && request->is_real_time) {
		plan->left_out_virtual++;
		return 0;
	}
	if (row->is_long && request->is_brief) {
		plan->left_out_long++;
		return 0;
	}
	if (row->each == KC_EACH_NONE)
		return add_case(plan, request, table, row, NULL);
	for (size_t i = 0; status == 0 && i < list->count; i++)
		status = add_case(plan, request, table, row, list->items[i]);
	return status;
}

static int refuse_duplicates(const struct kc_plan *plan, struct kc_error *err)
{
	for (size_t i = 0; i < plan->count; i++) {
		for (size_t j = 0; j < i; j++) {
			const struct kc_report_case *one = &plan->cases[i], *other = &plan->cases[j];

			if (strcmp(one->name, other->name) == 0 &&
			    strcmp(one->classname, other->classname) == 0)
				return kc_error_set(err, EINVAL, "%s:%u: case %s.%s stands at %s:%u already",
						    one->file, one->line, one->classname, one->name,
						    other->file, other->line);
		}
	}
	return 0;
}

static int compare_order(const void *left, const void *right, void *context)
{
	const struct kc_plan *plan = context;
	size_t a = *(const size_t *)left, b = *(const size_t *)right;
	const struct kc_case *row_a = plan->entries[a].row, *row_b = plan->entries[b].row;

	if (row_a->phase != row_b->phase)
		return row_a->phase < row_b->phase ? -1 : 1;
	if (row_a->waits != row_b->waits)
		return row_a->waits ? -1 : 1;
	/* The row's own limit, not that of --timeout: it says what takes long. */
	if (row_a->timeout_ms != row_b->timeout_ms)
		return row_a->timeout_ms > row_b->timeout_ms ? -1 : 1;
	return a < b ? -1 : a > b;
}

static void sort(struct kc_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		plan->order[i] = i;
	qsort_r(plan->order, plan->count, sizeof(*plan->order), compare_order, plan);
}

static int grow(struct kc_plan *plan, size_t count)
{
	struct kc_report_case *cases = reallocarray(plan->cases, count + 1, sizeof(*cases));
	struct kc_plan_entry *entries;
	size_t *order;

	/* One more than needed: an allocation of nothing may be NULL. */
	plan->cases = cases ? cases : plan->cases;
	entries = reallocarray(plan->entries, count + 1, sizeof(*entries));
	plan->entries = entries ? entries : plan->entries;
	order = reallocarray(plan->order, count + 1, sizeof(*order));
	plan->order = order ? order : plan->order;
	return cases && entries && order ? 0 : -ENOMEM;
}

static int fill(struct kc_plan *plan, const struct kc_plan_request *request, size_t count,
		struct kc_error *err)
{
	int status = grow(plan, plan->count + count);

	for (size_t t = 0; request->tables[t]; t++)
		for (size_t i = 0; status == 0 && i < request->tables[t]->count; i++)
			status = add_row(plan, request, request->tables[t], &request->tables[t]->rows[i]);
	if (status < 0)
		return kc_error_errno(err, status, "plan the cases");
	sort(plan);
	return refuse_duplicates(plan, err);
}

int kc_plan_make(struct kc_plan *plan, const struct kc_plan_request *request, struct kc_error *err)
{
	memset(plan, 0, sizeof(*plan));
	return kc_plan_add(plan, request, err);
}

int kc_plan_add(struct kc_plan *plan, const struct kc_plan_request *request, struct kc_error *err)
{
	size_t count = 0;
	int status = survey(request, &count, err);

	if (status == 0)
		status = fill(plan, request, count, err);
	if (status < 0)
		kc_plan_release(plan);
	return status;
}

static void identify(const struct kc_report_case *testcase, char ret_identity[IDENTITY_SIZE])
{
	(void)snprintf(ret_identity, IDENTITY_SIZE, "%s.%s", testcase->classname, testcase->name);
}

static bool is_identity(const struct kc_plan *plan, const char *pattern)
{
	char identity[IDENTITY_SIZE];

	for (size_t i = 0; i < plan->count; i++) {
		identify(&plan->cases[i], identity);
		if (strcmp(identity, pattern) == 0)
			return true;
	}
	return false;
}

/* Marks what one pattern selects. False if that is nothing. */
static bool mark_selected(const struct kc_plan *plan, const char *pattern, bool *wanted)
{
	bool is_exact = is_identity(plan, pattern), is_glob = strpbrk(pattern, "*?[") != NULL, found = false;
	char identity[IDENTITY_SIZE];

	for (size_t i = 0; i < plan->count; i++) {
		bool matches;

		identify(&plan->cases[i], identity);
		if (is_exact)
			matches = strcmp(identity, pattern) == 0;
		else if (is_glob)
			matches = fnmatch(pattern, identity, 0) == 0;
		else
			matches = strstr(identity, pattern) != NULL;
		wanted[i] |= matches;
		found |= matches;
	}
	return found;
}

static int nothing_selected(struct kc_error *err, const char *pattern)
{
	int status = pattern ? kc_error_set(err, ENOENT, "no case matches `%s`", pattern)
			     : kc_error_set(err, ENOENT, "there is no case to run");

	kc_error_hint(err, "`--list` shows the cases");
	if (err)
		err->kind = KC_ERROR_SELECTION;
	return status;
}

static void release_entry(struct kc_plan_entry *entry)
{
	free(entry->classname);
	free(entry->what);
}

static void drop_unwanted(struct kc_plan *plan, const bool *wanted)
{
	size_t kept = 0;

	for (size_t i = 0; i < plan->count; i++) {
		if (!wanted[i]) {
			release_entry(&plan->entries[i]);
			continue;
		}
		plan->cases[kept] = plan->cases[i];
		plan->entries[kept++] = plan->entries[i];
	}
	plan->count = kept;
}

static int nothing_left(const struct kc_plan_selection *selection, struct kc_error *err)
{
	int status = nothing_selected(err, NULL);

	if (selection->failed)
		kc_error_hint(err, "in the last run none of these cases failed or was broken");
	return status;
}

static bool has_unopened(const struct kc_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->entries[i].is_kept)
			return true;
	return false;
}

static int mark_all(const struct kc_plan *plan, const char *const *patterns, size_t count, bool *marks,
		    struct kc_error *err)
{
	for (size_t i = 0; i < count; i++)
		/* It may be for the image that could not be opened, which will say so. */
		if (!mark_selected(plan, patterns[i], marks) && !has_unopened(plan))
			return nothing_selected(err, patterns[i]);
	return 0;
}

static void mark_excluded(struct kc_plan *plan, const struct kc_plan_selection *selection, bool *marks)
{
	for (size_t i = 0; i < selection->excluded_count; i++)
		if (!mark_selected(plan, selection->excluded[i], marks) && !plan->excludes_nothing)
			plan->excludes_nothing = selection->excluded[i];
}

/* Whether it is known to have passed, or to have been skipped; what never reported is not. */
static bool is_fine(const struct kc_recording *recording, const struct kc_report_case *testcase)
{
	const struct kc_report_run *run = &recording->plan.run;

	for (size_t i = 0; i < recording->count; i++) {
		const struct kc_recorded *record = &recording->records[i];
		const struct kc_report_case *told = &run->cases[record->number];

		if (record->kind == KC_RECORDED_DONE && strcmp(told->name, testcase->name) == 0 &&
		    strcmp(told->classname, testcase->classname) == 0)
			return record->result.verdict == KC_PASS || record->result.verdict == KC_SKIP;
	}
	return false;
}

static bool has_case(const struct kc_recording *recording, const struct kc_report_case *testcase)
{
	for (size_t i = 0; i < recording->plan.run.case_count; i++)
		if (strcmp(recording->plan.run.cases[i].name, testcase->name) == 0 &&
		    strcmp(recording->plan.run.cases[i].classname, testcase->classname) == 0)
			return true;
	return false;
}

/* Takes from `wanted` what did not fail in the recording, and counts the rest. */
static size_t count_wanted(const struct kc_plan *plan, const struct kc_recording *failed, bool *wanted)
{
	size_t count = 0;

	for (size_t i = 0; i < plan->count; i++) {
		if (failed && (!has_case(failed, &plan->cases[i]) || is_fine(failed, &plan->cases[i])))
			wanted[i] = false;
		wanted[i] |= plan->entries[i].is_kept;
		count += wanted[i];
	}
	return count;
}

int kc_plan_select(struct kc_plan *plan, const struct kc_plan_selection *selection, struct kc_error *err)
{
	KC_CLEANUP_FREE bool *wanted = calloc(plan->count + 1, sizeof(*wanted));
	KC_CLEANUP_FREE bool *excluded = calloc(plan->count + 1, sizeof(*excluded));
	size_t left;
	int status;

	if (!wanted || !excluded)
		return kc_error_errno(err, ENOMEM, "select cases");
	status = mark_all(plan, selection->patterns, selection->pattern_count, wanted, err);
	if (status == 0)
		mark_excluded(plan, selection, excluded);
	if (status < 0)
		return status;
	for (size_t i = 0; i < plan->count; i++) {
		wanted[i] |= !selection->pattern_count;
		plan->left_out_excluded += wanted[i] && excluded[i];
		wanted[i] &= !excluded[i];
	}
	left = count_wanted(plan, selection->failed, wanted);
	if (left == 0)
		return nothing_left(selection, err);
	if (left < plan->count) {
		drop_unwanted(plan, wanted);
		sort(plan);
	}
	return 0;
}

/* 60 bits of the digest are as good as all of them, and a number. */
static int find_shard(const struct kc_report_case *testcase, unsigned int count, unsigned int *ret_number,
		      struct kc_error *err)
{
	char identity[IDENTITY_SIZE], hex[KC_SHA256_HEX_SIZE];
	int status;

	identify(testcase, identity);
	status = kc_sha256_of(identity, strlen(identity), hex, err);
	if (status < 0)
		return status;
	hex[15] = '\0';
	*ret_number = (unsigned int)(strtoull(hex, NULL, 16) % count) + 1;
	return 0;
}

int kc_plan_take_shard(struct kc_plan *plan, unsigned int number, unsigned int count, struct kc_error *err)
{
	KC_CLEANUP_FREE bool *wanted = calloc(plan->count + 1, sizeof(*wanted));
	size_t left_out = 0;

	if (!wanted)
		return kc_error_errno(err, ENOMEM, "select cases");
	for (size_t i = 0; i < plan->count; i++) {
		unsigned int of_case = 0;
		int status = find_shard(&plan->cases[i], count, &of_case, err);

		if (status < 0)
			return status;
		wanted[i] = of_case == number || plan->entries[i].is_kept;
		left_out += !wanted[i];
	}
	plan->left_out_shards = left_out;
	drop_unwanted(plan, wanted);
	sort(plan);
	return 0;
}

/* SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014): the same on every machine. */
static uint64_t next_random(uint64_t *state)
{
	uint64_t mixed = *state += 0x9e3779b97f4a7c15;

	mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9;
	mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111eb;
	return mixed ^ mixed >> 31;
}

void kc_plan_shuffle(struct kc_plan *plan, uint64_t seed)
{
	size_t first = 0; /* of the phase */

	for (size_t i = 0; i < plan->count; i++) {
		size_t other, kept = plan->order[i];

		if (plan->entries[kept].row->phase != plan->entries[plan->order[first]].row->phase)
			first = i;
		other = first + (size_t)(next_random(&seed) % (i - first + 1));
		plan->order[i] = plan->order[other];
		plan->order[other] = kept;
	}
}

void kc_plan_release(struct kc_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		release_entry(&plan->entries[i]);
	free(plan->cases);
	free(plan->entries);
	free(plan->order);
	memset(plan, 0, sizeof(*plan));
}
