#include "release/gate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image/reference.h"
#include "reports/ledger.h"
#include "reports/result.h"

/* A report may be from a machine whose clock is ahead. */
#define CLOCK_SKEW_S 300

struct judging {
	const struct kc_gate_request *request;
	struct kc_findings *findings;
	struct kc_gate_outcome outcome;
	const struct kc_gate_report *report; /* what is being looked at */
	const struct kc_report_suite *suite;
	size_t suite_number;
	bool is_checked;	    /* the image that is judged: a report has cases of it */
	const char *waived_opening; /* of that image, which matters if it is not checked; NULL: none */
};

void kc_gate_outcome_release(struct kc_gate_outcome *outcome)
{
	free(outcome->passed);
	free(outcome->warned);
	*outcome = (struct kc_gate_outcome){ 0 };
}

static void find(struct judging *judging, const char *check, const char *object, const char *expected,
		 const char *found)
{
	judging->findings->check = check;
	kc_finding_add(judging->findings, object, expected, found);
}

static bool is_of_volume(const struct kc_gate_request *request, const struct kc_report_suite *suite)
{
	return strcmp(kc_report_fact(suite, "volume.sha256"), request->volume_sha256) == 0;
}

/* Among the cases of the suite; NULL if it is not there. */
static const struct kc_result *find_result(const struct judging *judging, const char *identity)
{
	const struct kc_report_run *run = &judging->report->report.plan.run;

	for (size_t i = 0; i < run->case_count; i++) {
		char name[KC_REPORT_IDENTITY_SIZE];

		kc_report_identity(&run->cases[i], name);
		if (run->cases[i].suite == judging->suite_number && strcmp(name, identity) == 0)
			return &judging->report->report.results[i];
	}
	return NULL;
}

/* --- What a report says of itself --- */

static bool is_unread(const struct kc_report_suite *suite)
{
	return !*kc_report_fact(suite, "volume.sha256");
}

/* A run that could not begin is told once, with the reason, and not as one that was cut short, too. */
static bool has_ended_unread(const struct kc_report_run *run)
{
	for (size_t i = 0; i < run->suite_count; i++)
		if (!is_unread(&run->suites[i]))
			return false;
	return run->suite_count > 0;
}

static void find_other_archive(struct judging *judging)
{
	const struct kc_result *opening;
	char identity[KC_REPORT_IDENTITY_SIZE], found[600];

	if (!is_unread(judging->suite)) {
		find(judging, "archive", judging->report->name, judging->request->volume_sha256,
		     kc_report_fact(judging->suite, "volume.sha256"));
		return;
	}
	(void)snprintf(identity, sizeof(identity), "%s" KC_REPORT_OPENING, judging->suite->name);
	opening = find_result(judging, identity);
	(void)snprintf(found, sizeof(found), "a run that ended before the archive was read%s%.500s",
		       opening ? ": " : "", opening ? kc_result_message(opening) : "");
	find(judging, "archive", judging->report->name, judging->request->volume_sha256, found);
}

static void check_archives(struct judging *judging, const struct kc_gate_report *report)
{
	const struct kc_report_run *run = &report->report.plan.run;

	judging->report = report;
	for (size_t i = 0; i < run->suite_count; i++) {
		judging->suite = &run->suites[i];
		judging->suite_number = i;
		if (!is_of_volume(judging->request, judging->suite))
			find_other_archive(judging);
	}
}

static void check_report(struct judging *judging, const struct kc_gate_report *report)
{
	const struct kc_gate_request *request = judging->request;
	const struct kc_report_run *run = &report->report.plan.run;
	int64_t age_s = request->now_s - run->started_ms / 1000;
	char found[64];

	if (!report->report.is_complete && !has_ended_unread(run))
		find(judging, "complete", report->name, "a run that came to its end",
		     "one that was cut short");
	if (strcmp(run->version, request->version) != 0)
		find(judging, "program", report->name, request->version, run->version);
	if (age_s > request->policy->report_age_s || age_s < -CLOCK_SKEW_S) {
		(void)snprintf(found, sizeof(found), "%lld days", (long long)(age_s / 86400));
		find(judging, "age", report->name, age_s < 0 ? "a run in the past" : "a newer run", found);
	}
	check_archives(judging, report);
}

/* Anybody can bring an image that is called as one of ours: "dir:/tmp/centos7". */
static bool is_as_defined(struct judging *judging, const struct kc_gate_image *image)
{
	const char *source = kc_report_fact(judging->suite, "image.source");
	const char *definition = kc_report_fact(judging->suite, "image.definition");
	char found[512];

	if (strcmp(source, KC_IMAGE_SOURCE_DEFINED) != 0)
		(void)snprintf(found, sizeof(found), "%.64s%s in %.256s",
			       *source ? source : "one that says not",
			       *source ? ": another image of that name," : " where it is from,",
			       judging->report->name);
	else if (strcmp(definition, image->definition) != 0)
		(void)snprintf(found, sizeof(found), "one of another definition, sha256 %.64s, in %.256s",
			       *definition ? definition : "unknown", judging->report->name);
	else
		return true;
	find(judging, "source", image->name, "the image that this program defines", found);
	return false;
}

static void check_suite(struct judging *judging)
{
	const struct kc_gate_request *request = judging->request;
	const struct kc_report_suite *suite = judging->suite;
	const char *fidelity = kc_report_fact(suite, "image.fidelity"), *time = kc_report_fact(suite, "time");
	const char *kit = kc_report_fact(suite, "kit.sha256"),
		   *arch = kc_report_fact(suite, "image.architecture");
	bool may_be_emulated =
		!request->require_real && kc_gate_policy_may_be_emulated(request->policy, suite->name);

	if (strcmp(fidelity, "real") != 0 && !(may_be_emulated && strcmp(fidelity, "emulated") == 0))
		find(judging, "fidelity", suite->name, may_be_emulated ? "real or emulated" : "real",
		     fidelity);
	if (strcmp(arch, request->arch) != 0) /* `run --force` takes any */
		find(judging, "architecture", suite->name, request->arch, arch);
	if (!kc_gate_policy_takes_time(request->policy, time))
		find(judging, "time", suite->name, "what compat/gate.json takes", time);
	if (strcmp(kit, request->kit) != 0)
		find(judging, "cases", suite->name, request->kit, kit);
}

/* --- Cases --- */

static bool is_in(const char *const *list, size_t count, const char *identity)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(list[i], identity) == 0)
			return true;
	return false;
}

/* Once, however many reports say so. */
static int note(const char ***list, size_t *count, const char *identity)
{
	const char **grown;

	if (is_in(*list, *count, identity))
		return 0;
	grown = realloc(*list, (*count + 1) * sizeof(**list));
	if (!grown)
		return -ENOMEM;
	*list = grown;
	grown[(*count)++] = identity;
	return 0;
}

static bool is_waived(struct judging *judging, const char *identity, const struct kc_result *result)
{
	const struct kc_waiver *waiver = kc_waivers_find(judging->request->waivers, identity);
	char found[320];

	if (waiver && judging->request->now_s < waiver->expires_s)
		return true;
	if (waiver)
		(void)snprintf(found, sizeof(found), "skipped, and its waiver was good until %.20s",
			       waiver->expires);
	else
		(void)snprintf(found, sizeof(found), "skipped without a waiver: %.256s",
			       kc_result_message(result));
	find(judging, "skipped", identity, "pass", found);
	return false;
}

static int judge_required(struct judging *judging, const char *identity)
{
	const struct kc_result *result = find_result(judging, identity);
	struct kc_gate_outcome *outcome = &judging->outcome;

	if (!result) {
		find(judging, "missing", identity, "a result in every report of the image", "none");
		return 0;
	}
	if (result->verdict == KC_PASS && !kc_result_is_flaky(result))
		return note(&outcome->passed, &outcome->passed_count, identity);
	if (result->verdict == KC_PASS ||
	    (result->verdict == KC_SKIP && is_waived(judging, identity, result)))
		return note(&outcome->warned, &outcome->warned_count, identity);
	return 0; /* what failed is told already, see tell_failures */
}

static void find_failure(struct judging *judging, const char *identity, const struct kc_result *result)
{
	const char *message = kc_result_message(result), *step = "";
	char found[600];

	if (strncmp(message, KC_RESULT_MUST_RUN, strlen(KC_RESULT_MUST_RUN)) == 0)
		step = "; run without --must-run to let a waiver decide";
	else if (kc_waivers_find(judging->request->waivers, identity))
		step = " (it has a waiver, which is for what was skipped only)";
	(void)snprintf(found, sizeof(found), "%.500s%s", message, step);
	find(judging, kc_verdict_name(result->verdict), identity, "pass", found);
}

/* Of every suite of this archive, whether policy requires the image, or the case, or not: who gave the report to us holds it for evidence. */
static void tell_failures(struct judging *judging, const struct kc_gate_report *report)
{
	const struct kc_report_run *run = &report->report.plan.run;

	for (size_t i = 0; i < run->case_count; i++) {
		const struct kc_result *result = &report->report.results[i];
		char identity[KC_REPORT_IDENTITY_SIZE];

		if (result->verdict == KC_PASS || result->verdict == KC_SKIP ||
		    !is_of_volume(judging->request, &run->suites[run->cases[i].suite]))
			continue;
		kc_report_identity(&run->cases[i], identity);
		find_failure(judging, identity, result);
	}
}

static size_t count_cases(const struct judging *judging)
{
	const struct kc_report_run *run = &judging->report->report.plan.run;
	size_t count = 0;

	for (size_t i = 0; i < run->case_count; i++)
		count += run->cases[i].suite == judging->suite_number;
	return count;
}

/* An image that could not be opened has one case, which says why; if it could not be reached, a waiver is for that. True if this is
 * it: then there is nothing else to miss. With other cases beside it (reports were merged) it stands for none of them. */
static bool judge_opening(struct judging *judging)
{
	const struct kc_result *result;
	char identity[KC_REPORT_IDENTITY_SIZE];

	(void)snprintf(identity, sizeof(identity), "%s" KC_REPORT_OPENING, judging->suite->name);
	result = find_result(judging, identity);
	if (!result || result->verdict == KC_PASS || count_cases(judging) > 1)
		return false;
	if (result->verdict != KC_SKIP || !is_waived(judging, identity, result))
		return true; /* told */
	judging->waived_opening = kc_waivers_find(judging->request->waivers, identity)->identity;
	return true;
}

static int judge_suite(struct judging *judging, const struct kc_gate_image *image)
{
	int status = 0;

	if (!is_as_defined(judging, image))
		return 0;
	if (judge_opening(judging))
		return 0;
	judging->is_checked = true;
	check_suite(judging);
	for (size_t i = 0; status == 0 && i < image->count; i++)
		status = judge_required(judging, image->identities[i]);
	return status;
}

static int judge_image(struct judging *judging, const struct kc_gate_image *image)
{
	const struct kc_gate_request *request = judging->request;
	bool is_there = false;
	int status = 0;

	judging->is_checked = false;
	judging->waived_opening = NULL;
	for (size_t i = 0; i < request->report_count; i++) {
		const struct kc_report_run *run = &request->reports[i].report.plan.run;

		for (size_t j = 0; status == 0 && j < run->suite_count; j++) {
			if (strcmp(run->suites[j].name, image->name) != 0)
				continue;
			is_there |= is_unread(&run->suites[j]); /* told as such */
			if (!is_of_volume(request, &run->suites[j]))
				continue;
			is_there = true;
			judging->report = &request->reports[i];
			judging->suite = &run->suites[j];
			judging->suite_number = j;
			status = judge_suite(judging, image);
		}
	}
	/* Where one run could not open it, another may have checked it. */
	if (status == 0 && !judging->is_checked && judging->waived_opening)
		status = note(&judging->outcome.warned, &judging->outcome.warned_count,
			      judging->waived_opening);
	if (!is_there)
		find(judging, "image", image->name, "a report of this archive on it", "none");
	return status;
}

/* One report may say that it passed, another that it was waived. */
static void drop_warned(struct kc_gate_outcome *outcome)
{
	size_t kept = 0;

	for (size_t i = 0; i < outcome->passed_count; i++)
		if (!is_in(outcome->warned, outcome->warned_count, outcome->passed[i]))
			outcome->passed[kept++] = outcome->passed[i];
	outcome->passed_count = kept;
}

int kc_gate_judge(const struct kc_gate_request *request, struct kc_findings *findings,
		  struct kc_gate_outcome *ret_outcome, struct kc_error *err)
{
	struct judging judging = { .request = request, .findings = findings };
	int status = 0;

	*ret_outcome = (struct kc_gate_outcome){ 0 };
	for (size_t i = 0; i < request->report_count; i++) {
		check_report(&judging, &request->reports[i]);
		tell_failures(&judging, &request->reports[i]);
	}
	for (size_t i = 0; status == 0 && i < request->image_count; i++)
		status = judge_image(&judging, &request->images[i]);
	if (status == 0 && request->image_count == 0)
		find(&judging, "image", "", "images that policy requires", "none");
	if (status < 0) {
		kc_gate_outcome_release(&judging.outcome);
		return kc_error_errno(err, status, "judge a release");
	}
	drop_warned(&judging.outcome);
	if (kc_findings_are_none(findings) && judging.outcome.passed_count == 0) /* all of it waived */
		find(&judging, "image", "", "an image on which the volume was checked", "none");
	*ret_outcome = judging.outcome;
	return 0;
}
