#include "reports/merge.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reports/ledger.h"

#define TEXT_LIMIT (1u << 20)
#define SEPARATOR "; "
#define MOST_SHARDS 10000u

/* What tells machines apart, and not what was tested or with what. "shard" is settled when all of them are known. */
static const char *const may_differ[] = { "volume",	    "kernel",	     "emulator", "user",
					  "sandbox.limits", "store.repairs", "shard" };

/* What is the same in all suites, too: one archive, one program, one set of cases. */
static const char *const same_everywhere[] = { "volume.sha256", "krunner-compat", "kit.sha256" };

/* A case of one of the reports. */
struct entry {
	size_t suite; /* of the merged run */
	const struct kc_report_case *testcase;
	const struct kc_result *result;
	const char *input;
	size_t group;	 /* number of the first case of its suite and class */
	size_t sequence; /* number among all */
};

struct merging {
	const struct kc_merge_input *inputs;
	size_t count;
	struct kc_merged *merged;
	const char **suite_inputs; /* where each suite was first seen */
	struct entry *entries;
	size_t entry_count;
};

static bool is_among(const char *const *names, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

static int differ(struct kc_error *err, const char *what, const char *one, const char *one_value,
		  const char *other, const char *other_value)
{
	int status = kc_error_set(err, EINVAL, "merge: %s differs: %s says `%s`, %s says `%s`", what, one,
				  one_value, other, other_value);

	kc_error_hint(err,
		      "merge reports of one archive on the same images, made with the same krunner-compat");
	return status;
}

/* --- Values that are joined --- */

/* Is `value` one of those in "a; b"? */
static bool has_value(const char *joined, const char *value)
{
	size_t length = strlen(value);

	for (const char *at = joined;;) {
		const char *end = strstr(at, SEPARATOR);
		size_t found = end ? (size_t)(end - at) : strlen(at);

		if (found == length && memcmp(at, value, length) == 0)
			return true;
		if (!end)
			return false;
		at = end + strlen(SEPARATOR);
	}
}

/* Of `values`, which may be several, those that are not yet in `text`. */
static int append_new(struct kc_buffer *text, const char *values)
{
	for (const char *at = values;;) {
		const char *end = strstr(at, SEPARATOR);
		KC_CLEANUP_FREE char *value = end ? strndup(at, (size_t)(end - at)) : strdup(at);
		int status = value ? 0 : -ENOMEM;

		if (value && !has_value(kc_buffer_string(text), value))
			status = kc_buffer_printf(text, "%s%s", text->length ? SEPARATOR : "", value);
		if (status < 0 || !end)
			return status;
		at = end + strlen(SEPARATOR);
	}
}

static int join(char **joined, const char *values)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(TEXT_LIMIT);
	int status = kc_buffer_append_string(&text, *joined);

	if (status == 0)
		status = append_new(&text, values);
	if (status < 0)
		return status;
	free(*joined);
	*joined = text.length ? kc_buffer_steal(&text) : strdup("");
	return *joined ? 0 : -ENOMEM;
}

/* --- Suites --- */

static struct kc_property *find_fact(struct kc_merged *merged, size_t suite, const char *name)
{
	for (size_t i = 0; i < merged->suites[suite].fact_count; i++)
		if (strcmp(merged->facts[suite][i].name, name) == 0)
			return &merged->facts[suite][i];
	return NULL;
}

static int add_fact(struct kc_merged *merged, size_t suite, const struct kc_property *from)
{
	size_t count = merged->suites[suite].fact_count;
	struct kc_property *facts = reallocarray(merged->facts[suite], count + 1, sizeof(*facts));

	if (!facts)
		return -ENOMEM;
	merged->facts[suite] = facts;
	merged->suites[suite].facts = facts;
	facts[count] = (struct kc_property){ .name = strdup(from->name), .value = strdup(from->value) };
	merged->suites[suite].fact_count++; /* half of it is released, too */
	return facts[count].name && facts[count].value ? 0 : -ENOMEM;
}

/* What an image that could not be opened does not say, it does not contradict. */
static int join_fact(struct merging *merging, size_t suite, const struct kc_property *fact, const char *input,
		     struct kc_error *err)
{
	struct kc_property *known = find_fact(merging->merged, suite, fact->name);
	char what[160];
	int status = 0;

	if (!known)
		status = add_fact(merging->merged, suite, fact);
	else if (is_among(may_differ, KC_ARRAY_LENGTH(may_differ), fact->name))
		status = join(&known->value, fact->value);
	else if (strcmp(known->value, fact->value) != 0) {
		(void)snprintf(what, sizeof(what), "%s of %s", fact->name,
			       merging->merged->suites[suite].name);
		return differ(err, what, merging->suite_inputs[suite], known->value, input, fact->value);
	}
	return status < 0 ? kc_error_errno(err, status, "merge: join the facts of %s",
					   merging->merged->suites[suite].name)
			  : 0;
}

static size_t find_suite(const struct kc_merged *merged, const char *name)
{
	for (size_t i = 0; i < merged->run.suite_count; i++)
		if (strcmp(merged->suites[i].name, name) == 0)
			return i;
	return merged->run.suite_count;
}

static int join_suite(struct merging *merging, const struct kc_report_suite *suite, const char *input,
		      struct kc_error *err)
{
	struct kc_merged *merged = merging->merged;
	size_t number = find_suite(merged, suite->name);
	int status = 0;

	if (number == merged->run.suite_count) {
		merged->suites[number] =
			(struct kc_report_suite){ .name = suite->name, .reproduce = suite->reproduce };
		merging->suite_inputs[number] = input;
		merged->run.suite_count++;
	}
	for (size_t i = 0; status == 0 && i < suite->fact_count; i++)
		status = join_fact(merging, number, &suite->facts[i], input, err);
	return status;
}

static int check_everywhere(const struct merging *merging, const char *name, struct kc_error *err)
{
	const struct kc_merged *merged = merging->merged;
	const char *known = "";
	size_t first = 0;

	for (size_t i = 0; i < merged->run.suite_count; i++) {
		const char *value = kc_report_fact(&merged->suites[i], name);

		if (*value && *known && strcmp(value, known) != 0)
			return differ(err, name, merging->suite_inputs[first], known,
				      merging->suite_inputs[i], value);
		if (*known || !*value)
			continue;
		known = value;
		first = i;
	}
	return 0;
}

static int join_suites(struct merging *merging, struct kc_error *err)
{
	int status = 0;

	for (size_t i = 0; status == 0 && i < merging->count; i++) {
		const struct kc_report_run *run = &merging->inputs[i].report->plan.run;

		for (size_t j = 0; status == 0 && j < run->suite_count; j++)
			status = join_suite(merging, &run->suites[j], merging->inputs[i].name, err);
	}
	for (size_t i = 0; status == 0 && i < KC_ARRAY_LENGTH(same_everywhere); i++)
		status = check_everywhere(merging, same_everywhere[i], err);
	return status;
}

/* --- Parts --- */

/* Marks "2/3"; *count is 0 before the first one. */
static bool mark_part(const char *text, bool seen[MOST_SHARDS], unsigned int *count)
{
	unsigned int number = 0, total = 0;
	char end;

	if (sscanf(text, "%5u/%5u%c", &number, &total, &end) != 2 || number < 1 || number > total ||
	    total > MOST_SHARDS || (*count && *count != total))
		return false;
	*count = total;
	seen[number - 1] = true;
	return true;
}

/* Marks those of "1/3; 3/3". */
static bool mark_parts(const char *parts, bool seen[MOST_SHARDS], unsigned int *count)
{
	for (const char *at = parts;;) {
		const char *end = strstr(at, SEPARATOR);
		char part[24];
		size_t length = end ? (size_t)(end - at) : strlen(at);

		if (length >= sizeof(part))
			return false;
		(void)snprintf(part, sizeof(part), "%.*s", (int)length, at);
		if (!mark_part(part, seen, count))
			return false;
		if (!end)
			return true;
		at = end + strlen(SEPARATOR);
	}
}

/* What a report has of a suite. */
enum content {
	NOTHING, /* a part may be empty */
	UNOPENED, /* the case alone that says why the image could not be opened: it stands for cases that nobody knows */
	CASES
};

static enum content content_of(const struct kc_report_run *run, size_t suite)
{
	enum content content = NOTHING;
	char opening[KC_REPORT_IDENTITY_SIZE], identity[KC_REPORT_IDENTITY_SIZE];

	(void)snprintf(opening, sizeof(opening), "%s" KC_REPORT_OPENING, run->suites[suite].name);
	for (size_t i = 0; i < run->case_count; i++) {
		if (run->cases[i].suite != suite)
			continue;
		kc_report_identity(&run->cases[i], identity);
		if (strcmp(identity, opening) != 0)
			return CASES;
		content = UNOPENED;
	}
	return content;
}

/* Which parts of a suite there are. */
struct parts {
	bool *opened,
		*any; /* MOST_SHARDS of each; `any`: also those in which the image could not be opened */
	unsigned int count; /* that there should be */
	bool is_whole;	    /* a report has all of it */
	bool is_opened;	    /* some part is */
};

/* Of one report. False if it says what is no part of one whole. */
static bool note_parts(struct parts *parts, const struct kc_report_run *run, size_t suite)
{
	const char *shard = kc_report_fact(&run->suites[suite], "shard");
	enum content content = content_of(run, suite);

	if (!*shard) {
		parts->is_whole |= content == CASES;
		return true;
	}
	if (!mark_parts(shard, parts->any, &parts->count))
		return false;
	if (content == UNOPENED)
		return true;
	parts->is_opened = true;
	return mark_parts(shard, parts->opened, &parts->count);
}

static bool find_parts(const struct merging *merging, const char *name, struct parts *parts)
{
	for (size_t i = 0; i < merging->count; i++) {
		const struct kc_report_run *run = &merging->inputs[i].report->plan.run;

		for (size_t j = 0; j < run->suite_count; j++)
			if (strcmp(run->suites[j].name, name) == 0 && !note_parts(parts, run, j))
				return false;
	}
	return true;
}

static void drop_fact(struct kc_merged *merged, size_t suite, const char *name)
{
	struct kc_property *fact = find_fact(merged, suite, name);
	struct kc_property *last = &merged->facts[suite][merged->suites[suite].fact_count - 1];

	free(fact->name);
	free(fact->value);
	memmove(fact, fact + 1, (size_t)(last - fact) * sizeof(*fact));
	merged->suites[suite].fact_count--;
}

/* "centos7: parts 2, 4 of 5", a line. */
static int note_missing(struct kc_buffer *text, const char *name, const bool *seen, unsigned int count)
{
	const char *before = ": parts ";
	size_t length = text->length;
	int status = 0;

	for (unsigned int i = 0; status == 0 && i < count; i++) {
		if (seen[i])
			continue;
		status = kc_buffer_printf(text, "%s%s%u", text->length == length ? name : "", before, i + 1);
		before = ", ";
	}
	if (status == 0 && text->length > length)
		status = kc_buffer_printf(text, " of %u\n", count);
	return status;
}

/* "1/4; 3/4" */
static int list_parts(char **joined, const bool *seen, unsigned int count)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(TEXT_LIMIT);
	int status = 0;

	for (unsigned int i = 0; status == 0 && i < count; i++)
		if (seen[i])
			status = kc_buffer_printf(&text, "%s%u/%u", text.length ? SEPARATOR : "", i + 1,
						  count);
	if (status < 0 || !text.length)
		return status;
	free(*joined);
	*joined = kc_buffer_steal(&text);
	return 0;
}

/* A suite all parts of which are there is no part any more. A part in which the image could not be opened is there only if no part
 * could open it: then its one case says all that there is to say. */
static int settle_found(struct merging *merging, size_t suite, const struct parts *parts,
			struct kc_error *err)
{
	struct kc_merged *merged = merging->merged;
	const char *name = merged->suites[suite].name;
	const bool *seen = parts->is_opened ? parts->opened : parts->any;
	size_t missing = merged->missing.length;
	int status = 0;

	if (!parts->is_whole)
		status = note_missing(&merged->missing, name, seen, parts->count);
	if (status == 0 && merged->missing.length == missing)
		drop_fact(merged, suite, "shard");
	else if (status == 0)
		status = list_parts(&find_fact(merged, suite, "shard")->value, seen, parts->count);
	return status < 0 ? kc_error_errno(err, status, "merge: %s", name) : 0;
}

static int settle_parts(struct merging *merging, size_t suite, struct kc_error *err)
{
	const char *name = merging->merged->suites[suite].name,
		   *shards = kc_report_fact(&merging->merged->suites[suite], "shard");
	KC_CLEANUP_FREE bool *opened = calloc(MOST_SHARDS, sizeof(*opened));
	KC_CLEANUP_FREE bool *any = calloc(MOST_SHARDS, sizeof(*any));
	struct parts parts = { .opened = opened, .any = any };
	int status;

	if (!*shards)
		return 0;
	if (!opened || !any)
		return kc_error_errno(err, ENOMEM, "merge: %s", name);
	if (find_parts(merging, name, &parts))
		return settle_found(merging, suite, &parts, err);
	status = kc_error_set(err, EINVAL, "merge: %s: `%s` are not parts of one whole", name, shards);
	kc_error_hint(err, "merge the reports of one run, whose parts are numbered K/N, all with one N");
	return status;
}

/* --- Cases --- */

static int compare_identities(const void *left, const void *right)
{
	const struct entry *a = left, *b = right;
	int order;

	if (a->suite != b->suite)
		return a->suite < b->suite ? -1 : 1;
	order = strcmp(a->testcase->classname, b->testcase->classname);
	if (order == 0)
		order = strcmp(a->testcase->name, b->testcase->name);
	if (order == 0)
		order = a->sequence < b->sequence ? -1 : a->sequence > b->sequence;
	return order;
}

/* As the tables have them: by image, group and line. */
static int compare_places(const void *left, const void *right)
{
	const struct entry *a = left, *b = right;

	if (a->suite != b->suite)
		return a->suite < b->suite ? -1 : 1;
	if (a->group != b->group)
		return a->group < b->group ? -1 : 1;
	if (a->testcase->line != b->testcase->line)
		return a->testcase->line < b->testcase->line ? -1 : 1;
	return a->sequence < b->sequence ? -1 : a->sequence > b->sequence;
}

static int collect_cases(struct merging *merging, struct kc_error *err)
{
	size_t count = 0;

	for (size_t i = 0; i < merging->count; i++)
		count += merging->inputs[i].report->plan.run.case_count;
	merging->entries = calloc(count + 1, sizeof(*merging->entries));
	merging->merged->cases = calloc(count + 1, sizeof(*merging->merged->cases));
	merging->merged->results = calloc(count + 1, sizeof(struct kc_result *));
	if (!merging->entries || !merging->merged->cases || !merging->merged->results)
		return kc_error_errno(err, ENOMEM, "merge: take the cases");
	for (size_t i = 0; i < merging->count; i++) {
		const struct kc_report_run *run = &merging->inputs[i].report->plan.run;

		for (size_t j = 0; j < run->case_count; j++) {
			const char *suite = run->suites[run->cases[j].suite].name;

			merging->entries[merging->entry_count] =
				(struct entry){ .suite = find_suite(merging->merged, suite),
						.testcase = &run->cases[j],
						.result = &merging->inputs[i].report->results[j],
						.input = merging->inputs[i].name,
						.sequence = merging->entry_count };
			merging->entry_count++;
		}
	}
	return 0;
}

static bool is_same_case(const struct entry *one, const struct entry *other)
{
	return one->suite == other->suite &&
	       strcmp(one->testcase->classname, other->testcase->classname) == 0 &&
	       strcmp(one->testcase->name, other->testcase->name) == 0;
}

static int contradict(const struct entry *one, const struct entry *other, struct kc_error *err)
{
	int status = kc_error_set(err, EINVAL, "merge: case %s.%s: %s says %s, %s says %s",
				  one->testcase->classname, one->testcase->name, one->input,
				  kc_verdict_name(one->result->verdict), other->input,
				  kc_verdict_name(other->result->verdict));

	kc_error_hint(err, "leave out the report that does not count");
	return status;
}

/* Sorted by identity, each case is kept once. */
static int unite_cases(struct merging *merging, struct kc_error *err)
{
	size_t kept = 0;

	qsort(merging->entries, merging->entry_count, sizeof(*merging->entries), compare_identities);
	for (size_t i = 0; i < merging->entry_count; i++) {
		struct entry *entry = &merging->entries[i], *last = kept ? &merging->entries[kept - 1] : NULL;

		if (!last || !is_same_case(last, entry)) {
			merging->entries[kept++] = *entry;
			continue;
		}
		if (last->result->verdict != entry->result->verdict)
			return contradict(last, entry, err);
		if (kc_result_is_flaky(entry->result))
			last->result = entry->result;
	}
	merging->entry_count = kept;
	return 0;
}

/* Sorted by identity, those of one class stand together. */
static void group_cases(struct merging *merging)
{
	size_t first = 0;

	for (size_t i = 0; i <= merging->entry_count; i++) {
		const struct entry *entry = &merging->entries[i], *head = &merging->entries[first];
		size_t group = SIZE_MAX;

		if (i < merging->entry_count && entry->suite == head->suite &&
		    strcmp(entry->testcase->classname, head->testcase->classname) == 0)
			continue;
		for (size_t j = first; j < i; j++)
			if (merging->entries[j].sequence < group)
				group = merging->entries[j].sequence;
		for (size_t j = first; j < i; j++)
			merging->entries[j].group = group;
		first = i;
	}
}

static int join_cases(struct merging *merging, struct kc_error *err)
{
	struct kc_merged *merged = merging->merged;
	int status = collect_cases(merging, err);

	if (status == 0)
		status = unite_cases(merging, err);
	if (status < 0)
		return status;
	group_cases(merging);
	qsort(merging->entries, merging->entry_count, sizeof(*merging->entries), compare_places);
	for (size_t i = 0; i < merging->entry_count; i++) {
		merged->cases[i] = *merging->entries[i].testcase;
		merged->cases[i].suite = merging->entries[i].suite;
		merged->results[i] = merging->entries[i].result;
	}
	merged->run.case_count = merging->entry_count;
	return 0;
}

/* --- The run --- */

static int join_runs(struct merging *merging, struct kc_error *err)
{
	struct kc_merged *merged = merging->merged;
	int status = 0;

	merged->run = (struct kc_report_run){ .version = merging->inputs[0].report->plan.run.version,
					      .started_ms = merging->inputs[0].report->plan.run.started_ms };
	merged->hostname = strdup(merging->inputs[0].report->plan.run.hostname);
	merged->is_complete = true;
	for (size_t i = 0; merged->hostname && status == 0 && i < merging->count; i++) {
		const struct kc_report_run *run = &merging->inputs[i].report->plan.run;

		if (strcmp(run->version, merged->run.version) != 0)
			return differ(err, "krunner-compat's version", merging->inputs[0].name,
				      merged->run.version, merging->inputs[i].name, run->version);
		if (run->started_ms < merged->run.started_ms)
			merged->run.started_ms = run->started_ms;
		merged->is_complete &= merging->inputs[i].report->is_complete;
		status = join(&merged->hostname, run->hostname);
	}
	if (status < 0 || !merged->hostname)
		return kc_error_errno(err, status ? status : ENOMEM, "merge: join the machines' names");
	return 0;
}

static int make_room(struct merging *merging, struct kc_error *err)
{
	size_t count = 0;

	for (size_t i = 0; i < merging->count; i++)
		count += merging->inputs[i].report->plan.run.suite_count;
	merging->merged->suites = calloc(count + 1, sizeof(*merging->merged->suites));
	merging->merged->facts = calloc(count + 1, sizeof(struct kc_property *));
	merging->suite_inputs = calloc(count + 1, sizeof(*merging->suite_inputs));
	if (!merging->merged->suites || !merging->merged->facts || !merging->suite_inputs)
		return kc_error_errno(err, ENOMEM, "merge: take the suites");
	return 0;
}

static int settle(struct merging *merging, struct kc_error *err)
{
	struct kc_merged *merged = merging->merged;
	int status = 0;

	for (size_t i = 0; status == 0 && i < merged->run.suite_count; i++)
		status = settle_parts(merging, i, err);
	merged->is_complete &= merged->missing.length == 0;
	merged->run.suites = merged->suites;
	merged->run.cases = merged->cases;
	merged->run.hostname = merged->hostname;
	return status;
}

int kc_merge(const struct kc_merge_input *inputs, size_t count, struct kc_merged *merged,
	     struct kc_error *err)
{
	struct merging merging = { .inputs = inputs, .count = count, .merged = merged };
	int status;

	*merged = (struct kc_merged){ .missing = KC_BUFFER_INIT(TEXT_LIMIT) };
	if (count < 1 || count > KC_MERGE_REPORTS_MAX)
		return kc_error_set(err, EINVAL, "merge: %zu reports are too few or too many", count);
	status = join_runs(&merging, err);
	if (status == 0)
		status = make_room(&merging, err);
	if (status == 0)
		status = join_suites(&merging, err);
	if (status == 0)
		status = join_cases(&merging, err);
	if (status == 0)
		status = settle(&merging, err);
	free(merging.suite_inputs);
	free(merging.entries);
	if (status < 0)
		kc_merged_release(merged);
	return status;
}

static int64_t told_ms;

int64_t kc_merged_now_ms(void)
{
	return told_ms;
}

int kc_merged_tell(const struct kc_merged *merged, struct kc_report *report, struct kc_error *err)
{
	int status;

	told_ms = 0;
	status = kc_report_begin(report, &merged->run, err);
	if (status < 0)
		return status;
	for (size_t i = 0; i < merged->run.case_count; i++) {
		told_ms += merged->results[i]->duration_ms;
		kc_report_case_done(report, &merged->run.cases[i], merged->results[i]);
	}
	return kc_report_end(report, merged->is_complete, err);
}

void kc_merged_release(struct kc_merged *merged)
{
	for (size_t i = 0; merged->suites && i < merged->run.suite_count; i++) {
		for (size_t j = 0; j < merged->suites[i].fact_count; j++) {
			free(merged->facts[i][j].name);
			free(merged->facts[i][j].value);
		}
		free(merged->facts[i]);
	}
	free(merged->facts);
	free(merged->suites);
	free(merged->cases);
	free(merged->results);
	free(merged->hostname);
	kc_buffer_release(&merged->missing);
	*merged = (struct kc_merged){ 0 };
}
