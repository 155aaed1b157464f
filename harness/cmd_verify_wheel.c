#include "commands.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/json.h"
#include "looking.h"
#include "output.h"
#include "release/wheel_check.h"
#include "reports/text.h"
#include "sys/fd.h"
#include "sys/file.h"

#define TEXT_LIMIT (4u << 20)
/* Of the JSON report: raised when something in it goes away or means something else. */
#define REPORT_VERSION 1

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static int append_safe(struct kc_buffer *text, const char *bytes)
{
	return kc_text_append(text, bytes, strlen(bytes), KC_TEXT_LINE);
}

/* "  record: ai/x.py: expected A, found B"; the texts of a finding are safe already. */
static int append_finding(struct kc_buffer *text, const struct kc_finding *finding)
{
	return kc_buffer_printf(text, "  %s: %s%sexpected %s, found %s\n", finding->check, finding->member,
				finding->member[0] ? ": " : "", finding->expected,
				finding->found[0] ? finding->found : "nothing");
}

static int append_identity(struct kc_buffer *text, const struct kc_wheel_identity *identity)
{
	return kc_buffer_printf(text, "ok: %s %s for %s, volume %s with Python %s, sha256 %s\n",
				identity->distribution, identity->version, identity->architecture,
				identity->volume_version, identity->volume.python, identity->sha256);
}

static int append_findings(struct kc_buffer *text, const struct kc_findings *findings)
{
	size_t count = findings->count + findings->dropped;
	int status = kc_buffer_printf(text, "%zu deviation%s\n", count, count == 1 ? "" : "s");

	for (size_t i = 0; status == 0 && i < findings->count; i++)
		status = append_finding(text, &findings->items[i]);
	if (status == 0 && findings->dropped)
		status = kc_buffer_printf(text, "  and %zu more\n", findings->dropped);
	return status;
}

static int tell(const char *path, const struct kc_findings *findings,
		const struct kc_wheel_identity *identity, struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(TEXT_LIMIT);
	int status = append_safe(&text, path);

	if (status == 0)
		status = kc_buffer_append_string(&text, ": ");
	if (status == 0)
		status = kc_findings_are_none(findings) ? append_identity(&text, identity)
							: append_findings(&text, findings);
	return status < 0 ? kc_error_errno(err, status, "tell what is wrong") : kc_output_write(&text, err);
}

/* --- The report in JSON; NULL or false is no memory --- */

static bool add_finding(cJSON *list, const struct kc_finding *finding)
{
	cJSON *item = cJSON_CreateObject();

	if (!cJSON_AddItemToArray(list, item)) {
		cJSON_Delete(item);
		return false;
	}
	return cJSON_AddStringToObject(item, "check", finding->check) &&
	       cJSON_AddStringToObject(item, "member", finding->member) &&
	       cJSON_AddStringToObject(item, "expected", finding->expected) &&
	       cJSON_AddStringToObject(item, "found", finding->found);
}

static bool add_wheel(cJSON *list, const char *name, const struct kc_findings *findings,
		      const struct kc_wheel_identity *identity)
{
	cJSON *wheel = cJSON_CreateObject(), *items;
	bool added;

	if (!cJSON_AddItemToArray(list, wheel)) {
		cJSON_Delete(wheel);
		return false;
	}
	items = cJSON_AddArrayToObject(wheel, "findings");
	added = items && cJSON_AddStringToObject(wheel, "file", name) &&
		cJSON_AddStringToObject(wheel, "sha256", identity->sha256) &&
		cJSON_AddNumberToObject(wheel, "dropped", (double)findings->dropped);
	for (size_t i = 0; added && i < findings->count; i++)
		added = add_finding(items, &findings->items[i]);
	return added;
}

static int report_wheel(cJSON *report, const char *path, const struct kc_findings *findings,
			const struct kc_wheel_identity *identity, struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer name = KC_BUFFER_INIT(TEXT_LIMIT);
	cJSON *list = cJSON_GetObjectItemCaseSensitive(report, "wheels");

	if (append_safe(&name, base_name(path)) < 0 ||
	    !add_wheel(list, kc_buffer_string(&name), findings, identity))
		return kc_error_errno(err, ENOMEM, "make the report");
	return 0;
}

static int write_report(const cJSON *report, const char *path, struct kc_error *err)
{
	KC_CLEANUP_FREE char *text = cJSON_Print(report);

	if (!text)
		return kc_error_errno(err, ENOMEM, "make the report");
	return kc_file_write_atomic(AT_FDCWD, path, text, strlen(text), 0666, err);
}

static cJSON *start_report(void)
{
	cJSON *report = cJSON_CreateObject();

	if (cJSON_AddNumberToObject(report, "version", REPORT_VERSION) &&
	    cJSON_AddStringToObject(report, "program", "krunner-compat " KC_VERSION) &&
	    cJSON_AddArrayToObject(report, "wheels"))
		return report;
	cJSON_Delete(report);
	return NULL;
}

static int cannot_open(const char *path, int code, struct kc_error *err)
{
	(void)kc_error_errno(err, code, "open `%s`", path);
	if (code == ENOENT && strstr(path, "=="))
		kc_error_hint(err, "a published wheel is called pypi:NAME==VERSION");
	return -code;
}

/* 1 if there is something wrong with it. */
static int verify(const struct kc_wheels *wheels, const char *path, cJSON *report, struct kc_error *err)
{
	/* Not blocking: a FIFO would wait for somebody to write. */
	KC_CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	KC_CLEANUP_FINDINGS struct kc_findings findings = { .check = "" };
	struct kc_wheel_identity identity;
	struct stat status_of;
	int status;

	if (fd < 0 || fstat(fd, &status_of) < 0)
		return cannot_open(path, errno, err);
	if (!S_ISREG(status_of.st_mode))
		return kc_error_set(err, EINVAL, "open `%s`: it is not a file", path);
	status = kc_wheel_check(wheels, fd, base_name(path), &findings, &identity, err);
	if (status == 0)
		status = tell(path, &findings, &identity, err);
	if (status == 0)
		status = report_wheel(report, path, &findings, &identity, err);
	return status < 0 ? status : !kc_findings_are_none(&findings);
}

/* What is published is fetched first, and goes by its own name. */
static int verify_operand(const struct kc_wheels *wheels, const struct kc_options *options,
			  const char *operand, cJSON *report, struct kc_error *err)
{
	char path[PATH_MAX];
	int status;

	if (strncmp(operand, "pypi:", strlen("pypi:")) != 0)
		return verify(wheels, operand, report, err);
	status = kc_look_fetch(options, operand, path, err);
	return status < 0 ? status : verify(wheels, path, report, err);
}

static int verify_all(const struct kc_options *options, cJSON *report, enum kc_exit *ret_exit,
		      struct kc_error *err)
{
	KC_CLEANUP_WHEELS struct kc_wheels *wheels = NULL;
	enum kc_exit verdict = KC_EXIT_PASSED;
	int status = kc_wheels_load_embedded(&wheels, err);

	for (size_t i = 0; status >= 0 && i < options->operand_count; i++) {
		status = verify_operand(wheels, options, options->operands[i], report, err);
		if (status > 0)
			verdict = KC_EXIT_FAILED;
	}
	if (status < 0)
		return status;
	*ret_exit = verdict;
	return 0;
}

int kc_command_verify_wheel(const struct kc_options *options, enum kc_exit *ret_exit, struct kc_error *err)
{
	KC_CLEANUP_JSON cJSON *report = start_report();
	enum kc_exit verdict;
	int status = report ? 0 : kc_error_errno(err, ENOMEM, "make the report");

	if (status == 0 && options->json)
		status = kc_file_check_replaceable(options->json, err);
	if (status == 0)
		status = verify_all(options, report, &verdict, err);
	if (status == 0 && options->json)
		status = write_report(report, options->json, err);
	if (status == 0)
		*ret_exit = verdict;
	return status;
}
