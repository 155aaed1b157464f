#include "run/repeat.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of different verdicts, the one that is reported. */
static const enum kc_verdict worst_first[] = { KC_FAIL, KC_BROKEN, KC_SKIP, KC_PASS };

/* `table` with one more item, zeroed; NULL when there is no room, and the table stays as it was. */
static void *grow(void *table, size_t *count, size_t size)
{
	char *items = realloc(table, (*count + 1) * size);

	if (items)
		memset(items + (*count)++ * size, 0, size);
	return items;
}

static int add_property(struct kc_repeat *repeat, const struct kc_property *property)
{
	struct kc_repeat_property *known, *table;

	for (size_t i = 0; i < repeat->property_count; i++) {
		known = &repeat->properties[i];
		if (known->name && strcmp(known->name, property->name) == 0) {
			known->differs |= !known->text || strcmp(known->text, property->value) != 0;
			return 0;
		}
	}
	table = grow(repeat->properties, &repeat->property_count, sizeof(*table));
	if (!table)
		return -ENOMEM;
	repeat->properties = table;
	known = &table[repeat->property_count - 1];
	known->name = strdup(property->name);
	known->text = strdup(property->value);
	return known->name && known->text ? 0 : -ENOMEM;
}

static struct kc_repeat_measurement *find_measurement(struct kc_repeat *repeat,
						      const struct kc_measurement *measurement)
{
	struct kc_repeat_measurement *new, *table;

	for (size_t i = 0; i < repeat->measurement_count; i++)
		if (strcmp(repeat->measurements[i].first.name, measurement->name) == 0)
			return &repeat->measurements[i];
	table = grow(repeat->measurements, &repeat->measurement_count, sizeof(*table));
	if (!table)
		return NULL;
	repeat->measurements = table;
	new = &table[repeat->measurement_count - 1];
	new->first = *measurement;
	new->first.name = strdup(measurement->name);
	new->first.unit = strdup(measurement->unit);
	if (new->first.name &&new->first.unit)
		return new;
	free(new->first.name);
	free(new->first.unit);
	repeat->measurement_count--;
	return NULL;
}

static int add_measurement(struct kc_repeat *repeat, const struct kc_measurement *measurement)
{
	struct kc_repeat_measurement *known = find_measurement(repeat, measurement);
	double *values = known ? grow(known->values, &known->count, sizeof(*values)) : NULL;

	if (!values)
		return -ENOMEM;
	known->values = values;
	values[known->count - 1] = measurement->value;
	return 0;
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
		repeat->is_incomplete |= add_property(repeat, &result->properties[i]) < 0;
	for (size_t i = 0; i < result->measurement_count; i++)
		repeat->is_incomplete |= add_measurement(repeat, &result->measurements[i]) < 0;
	repeat->duration_ms += result->duration_ms;
}

static int compare(const void *a, const void *b)
{
	double one = *(const double *)a, other = *(const double *)b;

	return (one > other) - (one < other);
}

static void merge_property(const struct kc_repeat_property *property, struct kc_result *result)
{
	if (!property->name || !property->text)
		return; /* there was no memory for it, which is_incomplete says */
	kc_result_property(result, property->name,
			   property->differs ? "%s, and other things in other runs" : "%s", property->text);
}

static void merge_measurement(struct kc_repeat_measurement *known, struct kc_result *result)
{
	struct kc_measurement merged = known->first;

	if (!known->count)
		return;
	qsort(known->values, known->count, sizeof(*known->values), compare);
	merged.value = known->values[known->count / 2];
	merged.lowest = known->values[0];
	merged.highest = known->values[known->count - 1];
	kc_result_add_measurement(result, merged.name, merged.unit, &merged);
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
	for (size_t i = 0; i < repeat->measurement_count; i++)
		merge_measurement(&repeat->measurements[i], result);
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
	}
	free(repeat->properties);
	for (size_t i = 0; i < repeat->measurement_count; i++) {
		free(repeat->measurements[i].first.name);
		free(repeat->measurements[i].first.unit);
		free(repeat->measurements[i].values);
	}
	free(repeat->measurements);
	*repeat = (struct kc_repeat){ 0 };
}
