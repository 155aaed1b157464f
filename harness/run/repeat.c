#include "run/repeat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of different verdicts, the one that is reported. */
static const enum kc_verdict worst_first[] = { KC_FAIL, KC_BROKEN, KC_SKIP, KC_PASS };

static bool read_number(const char *text, double *ret_value)
{
	char *end;

	*ret_value = strtod(text, &end);
	return end != text && *end == '\0';
}

static struct kc_repeat_property *find_property(struct kc_repeat *repeat, const struct kc_property *property)
{
	struct kc_repeat_property *table, *new;

	for (size_t i = 0; i < repeat->property_count; i++)
		if (strcmp(repeat->properties[i].name, property->name) == 0)
			return &repeat->properties[i];
	table = realloc(repeat->properties, (repeat->property_count + 1) * sizeof(*table));
	if (!table)
		return NULL;
	repeat->properties = table;
	new = &table[repeat->property_count];
	*new = (struct kc_repeat_property){ .name = strdup(property->name),
					    .text = strdup(property->value),
					    .is_number = true };
	if (!new->name || !new->text) {
		free(new->name);
		free(new->text);
		return NULL;
	}
	repeat->property_count++;
	return new;
}

static void add_property(struct kc_repeat *repeat, const struct kc_property *property)
{
	struct kc_repeat_property *known = find_property(repeat, property);
	double value, *values;

	if (!known) {
		repeat->is_incomplete = true;
		return;
	}
	known->differs |= strcmp(known->text, property->value) != 0;
	known->is_number &= read_number(property->value, &value);
	if (!known->is_number)
		return;
	values = realloc(known->values, (known->count + 1) * sizeof(*values));
	if (!values) {
		repeat->is_incomplete = true;
		return;
	}
	known->values = values;
	known->values[known->count++] = value;
}

static unsigned int not_passed(const struct kc_repeat *repeat)
{
	return repeat->count - repeat->counts[KC_PASS];
}

void kc_repeat_add(struct kc_repeat *repeat, const struct kc_result *result)
{
	repeat->count++;
	if (repeat->counts[result->verdict]++ == 0) {
		kc_result_init(&repeat->firsts[result->verdict]);
		kc_result_copy(&repeat->firsts[result->verdict], result);
	}
	if (result->verdict != KC_PASS && not_passed(repeat) <= KC_REPEAT_LISTED)
		repeat->listed[not_passed(repeat) - 1] = repeat->count;
	for (size_t i = 0; i < result->property_count; i++)
		add_property(repeat, &result->properties[i]);
	repeat->duration_ms += result->duration_ms;
}

static int compare(const void *a, const void *b)
{
	double one = *(const double *)a, other = *(const double *)b;

	return (one > other) - (one < other);
}

static void merge_property(struct kc_repeat_property *property, struct kc_result *result)
{
	size_t count = property->count;

	if (!property->differs) {
		kc_result_property(result, property->name, "%s", property->text);
	} else if (!property->is_number) {
		kc_result_property(result, property->name, "%s, and other things in other runs",
				   property->text);
	} else {
		qsort(property->values, count, sizeof(*property->values), compare);
		kc_result_property(result, property->name, "%.3f to %.3f, median %.3f", property->values[0],
				   property->values[count - 1], property->values[count / 2]);
	}
}

/* "97 of 100 passed, 3 failed". */
static void count_verdicts(const struct kc_repeat *repeat, char *ret_text, size_t size)
{
	static const char *const words[] = { [KC_BROKEN] = "could not be made",
					     [KC_PASS] = "passed",
					     [KC_FAIL] = "failed",
					     [KC_SKIP] = "skipped" };
	size_t used =
		(size_t)snprintf(ret_text, size, "%u of %u passed", repeat->counts[KC_PASS], repeat->count);

	for (size_t i = 0; i < KC_ARRAY_LENGTH(worst_first); i++)
		if (worst_first[i] != KC_PASS && repeat->counts[worst_first[i]] && used < size)
			used += (size_t)snprintf(ret_text + used, size - used, ", %u %s",
						 repeat->counts[worst_first[i]], words[worst_first[i]]);
}

static void list_runs(const struct kc_repeat *repeat, struct kc_result *result)
{
	unsigned int count = not_passed(repeat);
	char list[KC_REPEAT_LISTED * 12 + 16] = "";
	size_t used = 0;

	for (unsigned int i = 0; i < count && i < KC_REPEAT_LISTED; i++)
		used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%u", i ? ", " : "",
					 repeat->listed[i]);
	if (count > KC_REPEAT_LISTED)
		(void)snprintf(list + used, sizeof(list) - used, " ...");
	kc_result_property(result, "runs-not-passed", "%s", list);
}

static void call_flaky(const struct kc_repeat *repeat, enum kc_verdict worst, struct kc_result *result)
{
	const struct kc_result *first = &repeat->firsts[worst];
	char counts[160];

	count_verdicts(repeat, counts, sizeof(counts));
	if (worst == KC_FAIL)
		kc_result_fail(result, first->expected, first->got, "flaky: %s: %s", counts,
			       kc_result_message(first));
	else
		kc_result_broken(result, "flaky: %s: %s", counts, kc_result_message(first));
	list_runs(repeat, result);
}

void kc_repeat_merge(const struct kc_repeat *repeat, struct kc_result *result)
{
	enum kc_verdict worst = KC_PASS;

	for (size_t i = KC_ARRAY_LENGTH(worst_first); i-- > 0;)
		if (repeat->counts[worst_first[i]])
			worst = worst_first[i];
	if (!repeat->count)
		return; /* a fresh record says that nothing was reported */
	kc_result_copy(result, &repeat->firsts[worst]);
	if (repeat->count == 1)
		return;
	for (size_t i = 0; i < repeat->property_count; i++)
		merge_property(&repeat->properties[i], result);
	kc_result_property(result, "runs", "%u", repeat->count);
	if (repeat->counts[worst] != repeat->count)
		call_flaky(repeat, worst, result);
	if (repeat->is_incomplete)
		kc_result_broken(result, "out of memory while the runs were compared");
	result->duration_ms = repeat->duration_ms;
}

void kc_repeat_release(struct kc_repeat *repeat)
{
	for (size_t i = 0; i < KC_ARRAY_LENGTH(repeat->firsts); i++)
		kc_result_release(&repeat->firsts[i]);
	for (size_t i = 0; i < repeat->property_count; i++) {
		free(repeat->properties[i].name);
		free(repeat->properties[i].text);
		free(repeat->properties[i].values);
	}
	free(repeat->properties);
	*repeat = (struct kc_repeat){ 0 };
}
