#include "release/agreement.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "compat/policy.h"

static void find(struct kc_findings *findings, const char *check, const char *object, const char *expected,
		 const char *found)
{
	findings->check = check;
	kc_finding_add(findings, object, expected, found);
}

static bool is_whole_number(const char *text)
{
	return *text && strspn(text, "0123456789") == strlen(text) && strlen(text) < 10 && text[0] != '0';
}

/* "3.13" of "3.13.1" */
static bool is_start_of(const char *start, const char *version)
{
	size_t length = strlen(start);

	return strncmp(start, version, length) == 0 && !isdigit((unsigned char)version[length]);
}

static void check_python(const struct kc_agreement *agreement, struct kc_findings *findings)
{
	const struct kc_contents *contents = agreement->contents;
	const char *promised = agreement->wheel->python_version;

	for (size_t i = 0; i < contents->told_count && !contents->is_python_consistent; i++)
		find(findings, "python", contents->told[i].where, "one version of Python in all places",
		     contents->told[i].version);
	if (!contents->told_count)
		find(findings, "python", "", "a version of Python", "none");
	if (*promised && !is_start_of(promised, contents->python))
		find(findings, "python", "krunner-python", contents->python, promised);
}

static void check_volume(const struct kc_agreement *agreement, struct kc_findings *findings)
{
	const struct kc_contents *contents = agreement->contents;
	const char *told = agreement->wheel->volume_version;

	if (!contents->is_archive)
		find(findings, "volume", contents->name, "an archive",
		     "a directory, which cannot be released");
	if (!*contents->distro || !*contents->arch)
		find(findings, "volume", contents->name, "krunner-env.DISTRO.ARCH.tar.xz", contents->name);
	if (!is_whole_number(agreement->volume_version))
		find(findings, "volume-version", "--volume-version", "a whole number",
		     agreement->volume_version);
	if (*told && strcmp(told, agreement->volume_version) != 0)
		find(findings, "volume-version", "krunner-version", agreement->volume_version, told);
}

static void check_growth(const struct kc_agreement *agreement, struct kc_findings *findings)
{
	const struct kc_contents *previous = agreement->previous;
	char expected[KC_WHEEL_WORD_SIZE + 32];

	if (!previous)
		return;
	if (strcmp(previous->distro, agreement->contents->distro) != 0 ||
	    strcmp(previous->arch, agreement->contents->arch) != 0)
		find(findings, "previous", previous->name,
		     "a volume of the same distribution and architecture", previous->name);
	(void)snprintf(expected, sizeof(expected), "newer than %s", previous->package_version);
	if (!*previous->package_version)
		find(findings, "previous", previous->name, "a wheel, which has versions", "none");
	else if (kc_policy_compare_versions(agreement->version, previous->package_version) <= 0)
		find(findings, "version", "--version", expected, agreement->version);
	(void)snprintf(expected, sizeof(expected), "greater than %s", previous->volume_version);
	if (is_whole_number(previous->volume_version) && is_whole_number(agreement->volume_version) &&
	    kc_policy_compare_versions(agreement->volume_version, previous->volume_version) <= 0)
		find(findings, "volume-version", "--volume-version", expected, agreement->volume_version);
}

void kc_agreement_check(const struct kc_agreement *agreement, struct kc_findings *findings)
{
	check_python(agreement, findings);
	check_volume(agreement, findings);
	check_growth(agreement, findings);
}
