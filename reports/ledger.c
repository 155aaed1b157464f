#include "reports/ledger.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reports/sink.h"
#include "reports/text.h"

void kc_ledger_release(struct kc_ledger *ledger)
{
	for (size_t i = 0; ledger->results && i < ledger->case_count; i++)
		kc_result_release(&ledger->results[i]);
	free(ledger->results);
	free(ledger->is_done);
	free(ledger->causes);
	*ledger = (struct kc_ledger){ 0 };
}

int kc_ledger_begin(struct kc_ledger *ledger, const struct kc_report_run *run)
{
	size_t room = run->case_count + 1; /* calloc(0) may return NULL */

	kc_ledger_release(ledger);
	ledger->run = run;
	ledger->case_count = run->case_count;
	ledger->results = calloc(room, sizeof(*ledger->results));
	ledger->is_done = calloc(room, sizeof(*ledger->is_done));
	ledger->causes = calloc(room, sizeof(*ledger->causes));
	if (!ledger->results || !ledger->is_done || !ledger->causes) {
		free(ledger->results);
		ledger->results = NULL;
		kc_ledger_release(ledger);
		return -ENOMEM;
	}
	for (size_t i = 0; i < run->case_count; i++)
		kc_result_init(&ledger->results[i]);
	return 0;
}

void kc_ledger_take(struct kc_ledger *ledger, const struct kc_report_case *testcase,
		    const struct kc_result *result)
{
	size_t number = (size_t)(testcase - ledger->run->cases);

	if (ledger->is_done[number])
		return;
	ledger->is_done[number] = true;
	kc_result_release(&ledger->results[number]);
	kc_result_copy(&ledger->results[number], result);
}

struct told {
	const char *message, *image;
};

/* Skips the image's name where it stands, so that what is said of another image is the same. */
static bool skip_image(struct told *told)
{
	size_t length = strlen(told->image);

	if (!length || strncmp(told->message, told->image, length) != 0)
		return false;
	told->message += length;
	return true;
}

/* A cause that shows on several images is one. */
static bool is_same_message(struct told a, struct told b)
{
	while (*a.message && *b.message) {
		bool skipped = skip_image(&a);

		if (skip_image(&b) != skipped || (!skipped && *a.message++ != *b.message++))
			return false;
	}
	return *a.message == *b.message;
}

static bool is_same_cause(const struct kc_ledger *ledger, size_t number,
			  const struct kc_report_case *testcase, const struct kc_result *result)
{
	const struct kc_report_run *run = ledger->run;
	const struct kc_result *known = &ledger->results[number];
	const struct told one = { kc_result_message(known), run->suites[run->cases[number].suite].name };
	const struct told other = { kc_result_message(result), run->suites[testcase->suite].name };

	return known->verdict == result->verdict && is_same_message(one, other);
}

size_t kc_ledger_find(const struct kc_ledger *ledger, const struct kc_report_case *testcase,
		      const struct kc_result *result)
{
	size_t number = 0;

	if (result->verdict == KC_PASS)
		return ledger->run->case_count;
	while (number < ledger->run->case_count &&
	       !(ledger->is_done[number] && is_same_cause(ledger, number, testcase, result)))
		number++;
	return number;
}

static size_t find_cause(const struct kc_ledger *ledger, size_t number)
{
	for (size_t i = 0; i < number; i++)
		if (ledger->causes[i] == i &&
		    is_same_cause(ledger, i, &ledger->run->cases[number], &ledger->results[number]))
			return i;
	return number;
}

void kc_ledger_settle(struct kc_ledger *ledger)
{
	memset(ledger->counts, 0, sizeof(ledger->counts));
	ledger->flaky = 0;
	for (size_t i = 0; i < ledger->run->case_count; i++) {
		if (!ledger->is_done[i])
			kc_result_broken(&ledger->results[i],
					 "not run: the run ended before this case reported a result");
		ledger->counts[ledger->results[i].verdict]++;
		ledger->flaky += kc_result_is_flaky(&ledger->results[i]);
		ledger->causes[i] = find_cause(ledger, i);
	}
}

size_t kc_ledger_members(const struct kc_ledger *ledger, size_t first, enum kc_verdict verdict)
{
	size_t members = 0;

	if (ledger->causes[first] != first || ledger->results[first].verdict != verdict)
		return 0;
	for (size_t i = first; i < ledger->run->case_count; i++)
		members += ledger->causes[i] == first;
	return members;
}

const char *kc_report_fact(const struct kc_report_suite *suite, const char *name)
{
	for (size_t i = 0; i < suite->fact_count; i++)
		if (strcmp(suite->facts[i].name, name) == 0)
			return suite->facts[i].value;
	return "";
}

void kc_report_identity(const struct kc_report_case *testcase, char ret_identity[KC_REPORT_IDENTITY_SIZE])
{
	(void)snprintf(ret_identity, KC_REPORT_IDENTITY_SIZE, "%s.%s", testcase->classname, testcase->name);
}

int kc_report_reproduce(const struct kc_report_run *run, const struct kc_report_case *testcase,
			struct kc_buffer *text)
{
	KC_CLEANUP_SINK struct kc_sink identity = KC_SINK_INIT(text->limit);
	const char *reproduce = run->suites[testcase->suite].reproduce;
	int status;

	if (!reproduce || !*reproduce)
		return 0;
	kc_sink_printf(&identity, "%s.%s", testcase->classname, testcase->name);
	if (identity.status < 0)
		return identity.status;
	status = kc_buffer_printf(text, "%s -k ", reproduce);
	return status < 0 ? status : kc_text_append_word(text, kc_buffer_string(&identity.text));
}
