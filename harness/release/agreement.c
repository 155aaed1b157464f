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

const char *kc_agreement_expected_version(const char *version, char ret_text[KC_VERSION_TEXT_SIZE])
{
	if (kc_version_canonical(version, ret_text) < 0)
		return "a version as PEP 440 has it";
	if (strchr(version, '+'))
		return "a version without a local part (PEP 440), which no index takes";
	return strcmp(version, ret_text) == 0 ? NULL : ret_text;
}

bool kc_agreement_is_volume_version(const char *text)
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
	if (!kc_agreement_is_volume_version(agreement->volume_version))
		find(findings, "volume-version", "--volume-version", "a whole number",
		     agreement->volume_version);
	if (*told && strcmp(told, agreement->volume_version) != 0)
		find(findings, "volume-version", "krunner-version", agreement->volume_version, told);
}

static void check_version(const struct kc_agreement *agreement, struct kc_findings *findings)
{
	char canonical[KC_VERSION_TEXT_SIZE];
	const char *expected = kc_agreement_expected_version(agreement->version, canonical);

	if (expected)
		find(findings, "version", "--version", expected, agreement->version);
}

static void check_growth(const struct kc_agreement *agreement, struct kc_findings *findings)
{
	const struct kc_contents *previous = agreement->previous;
	char expected[KC_WHEEL_WORD_SIZE + 32], canonical[KC_VERSION_TEXT_SIZE];
	/* How it is spelt has been said. */
	const char *version =
		kc_version_canonical(agreement->version, canonical) < 0 ? agreement->version : canonical;

	if (!previous)
		return;
	if (strcmp(previous->distro, agreement->contents->distro) != 0 ||
	    strcmp(previous->arch, agreement->contents->arch) != 0)
		find(findings, "previous", previous->name,
		     "a volume of the same distribution and architecture", previous->name);
	(void)snprintf(expected, sizeof(expected), "newer than %s", previous->package_version);
	if (!*previous->package_version)
		find(findings, "previous", previous->name, "a wheel, which has versions", "none");
	else if (kc_policy_compare_versions(version, previous->package_version) <= 0)
		find(findings, "version", "--version", expected, agreement->version);
	(void)snprintf(expected, sizeof(expected), "greater than %s", previous->volume_version);
	if (kc_agreement_is_volume_version(previous->volume_version) &&
	    kc_agreement_is_volume_version(agreement->volume_version) &&
	    kc_policy_compare_versions(agreement->volume_version, previous->volume_version) <= 0)
		find(findings, "volume-version", "--volume-version", expected, agreement->volume_version);
}

void kc_agreement_check(const struct kc_agreement *agreement, struct kc_findings *findings)
{
	check_python(agreement, findings);
	check_volume(agreement, findings);
	check_version(agreement, findings);
	check_growth(agreement, findings);
}
