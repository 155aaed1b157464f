/* What is inside the files of a release: the wheel, the reports and the bill of materials say the same as what is beside them. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "archive/names.h"
#include "base/json.h"
#include "compat/wheels.h"
#include "release/verify_internal.h"
#include "release/wheel_check.h"
#include "sys/fd.h"

#define BILL_LIMIT (64u << 20)
#define TEXT_LIMIT 4096u

#define OK(contents, ...)                                                                                    \
	kc_verification_add((contents)->verification, (contents)->status, KC_VERIFIED_OK, __VA_ARGS__)
#define UNKNOWN(contents, ...)                                                                               \
	kc_verification_add((contents)->verification, (contents)->status, KC_VERIFIED_UNKNOWN, __VA_ARGS__)
#define FAILED(contents, ...)                                                                                \
	kc_verification_add((contents)->verification, (contents)->status, KC_VERIFIED_FAILED, __VA_ARGS__)

int kc_release_contents_open(const struct kc_release_contents *contents, const struct kc_release_file *file)
{
	KC_CLEANUP_FD int fd = openat(contents->directory, file->name,
				      O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	struct stat kind;

	if (fd < 0 || fstat(fd, &kind) < 0)
		return -errno;
	return S_ISREG(kind.st_mode) ? KC_STEAL_FD(fd) : -EINVAL;
}

void kc_release_contents_cannot(const struct kc_release_contents *contents,
				const struct kc_release_file *file, int status, const char *why)
{
	if (status == -EINTR || status == -ENOMEM)
		*contents->status = *contents->status < 0 ? *contents->status : status;
	else
		UNKNOWN(contents, file->name, "what is in it cannot be checked: %s", why);
}

int kc_release_contents_read(const struct kc_release_contents *contents, const struct kc_release_file *file,
			     struct kc_buffer *text)
{
	KC_CLEANUP_FD int fd = kc_release_contents_open(contents, file);
	char sha256[KC_SHA256_HEX_SIZE] = "";
	struct kc_error cause = { 0 };
	int status = fd < 0 ? kc_error_errno(&cause, -fd, "open") : 0;

	if (status == 0)
		status = kc_fd_read_all(fd, text, file->name, &cause);
	if (status == 0)
		status = kc_sha256_of(kc_buffer_string(text), text->length, sha256, &cause);
	if (status == 0 && strcmp(sha256, file->sha256) != 0)
		status = kc_error_set(&cause, EAGAIN, "it changes while it is read");
	if (status < 0)
		kc_release_contents_cannot(contents, file, status, cause.text);
	return status;
}

bool kc_release_is_archive(const struct kc_release_file *file)
{
	return strncmp(file->name, "krunner-env.", strlen("krunner-env.")) == 0 &&
	       kc_name_ends(file->name, ".tar.xz") && file->sha256[0];
}

/* --- The wheel --- */

/* The archive beside the wheel that is called as the one in it; what it says of itself goes there. */
static int find_archive(const struct kc_release_contents *contents, const struct kc_wheels *wheels,
			const struct kc_wheel_identity *identity, struct kc_buffer *name,
			struct kc_release_file **ret_archive)
{
	struct kc_wheel_choice choice = { .architecture = identity->architecture };
	const struct kc_wheel_values values = { .choice = &choice };
	int status;

	*ret_archive = NULL;
	if (!kc_wheels_find_distribution(wheels, identity->distribution, &choice.distribution))
		return 0;
	status = kc_wheels_append_part(wheels, KC_WHEEL_ARCHIVE, 0, &values, name, NULL);
	if (status > 0)
		*ret_archive = kc_release_files_find(contents->files, kc_buffer_string(name));
	return status < 0 ? status : 0;
}

static void compare_archive(const struct kc_release_contents *contents, const struct kc_release_file *wheel,
			    const struct kc_wheel_identity *identity, const char *name,
			    struct kc_release_file *archive)
{
	if (!identity->volume.sha256[0])
		FAILED(contents, wheel->name, "there is no volume in it");
	else if (!archive)
		FAILED(contents, wheel->name, "the archive in it, %s, is not here", name);
	else if (strcmp(archive->sha256, identity->volume.sha256) != 0)
		FAILED(contents, wheel->name, "the archive in it has the SHA-256 %s, %s here has %s",
		       identity->volume.sha256, name, archive->sha256[0] ? archive->sha256 : "none");
	else
		OK(contents, wheel->name, "the archive in it is the one here");
	if (!archive)
		return;
	(void)snprintf(archive->version, sizeof(archive->version), "%s", identity->version);
	(void)snprintf(archive->volume_version, sizeof(archive->volume_version), "%s",
		       identity->volume_version);
	archive->has_wheel = true;
}

static void tell_findings(const struct kc_release_contents *contents, const struct kc_release_file *wheel,
			  const struct kc_findings *findings)
{
	for (size_t i = 0; i < findings->count; i++) {
		const struct kc_finding *finding = &findings->items[i];

		FAILED(contents, wheel->name, "%s: %s%sexpected %s, found %s", finding->check,
		       finding->member, finding->member[0] ? ": " : "", finding->expected,
		       finding->found[0] ? finding->found : "nothing");
	}
	if (findings->dropped)
		FAILED(contents, wheel->name, "and %zu more deviations", findings->dropped);
	if (kc_findings_are_none(findings))
		OK(contents, wheel->name, "it is a krunner wheel without a deviation");
}

static void check_wheel(const struct kc_release_contents *contents, const struct kc_wheels *wheels,
			const struct kc_release_file *wheel)
{
	KC_CLEANUP_FD int fd = kc_release_contents_open(contents, wheel);
	KC_CLEANUP_FINDINGS struct kc_findings findings = { .check = "" };
	KC_CLEANUP_BUFFER struct kc_buffer name = KC_BUFFER_INIT(TEXT_LIMIT);
	struct kc_wheel_identity identity = { .sha256 = "" };
	struct kc_release_file *archive = NULL;
	struct kc_error cause = { 0 };
	int status = fd < 0 ? kc_error_errno(&cause, -fd, "open") : 0;

	if (status == 0)
		status = kc_wheel_check(wheels, fd, wheel->name, &findings, &identity, &cause);
	if (status == 0 && strcmp(identity.sha256, wheel->sha256) != 0)
		status = kc_error_set(&cause, EAGAIN, "it changes while it is read");
	if (status == 0)
		status = find_archive(contents, wheels, &identity, &name, &archive);
	if (status < 0) {
		kc_release_contents_cannot(contents, wheel, status, cause.text);
		return;
	}
	tell_findings(contents, wheel, &findings);
	compare_archive(contents, wheel, &identity, kc_buffer_string(&name), archive);
}

static void check_wheels(const struct kc_release_contents *contents)
{
	KC_CLEANUP_WHEELS struct kc_wheels *wheels = NULL;
	bool is_any_unread = false;
	int status = kc_wheels_load_embedded(&wheels, NULL);

	if (status < 0) {
		*contents->status = status;
		return;
	}
	for (size_t i = 0; i < contents->files->count && *contents->status == 0; i++) {
		const struct kc_release_file *file = &contents->files->items[i];

		if (!kc_name_ends(file->name, ".whl"))
			continue;
		if (file->sha256[0])
			check_wheel(contents, wheels, file);
		else
			is_any_unread = true;
	}
	for (size_t i = 0; i < contents->files->count; i++) {
		const struct kc_release_file *file = &contents->files->items[i];

		if (kc_release_is_archive(file) && !file->has_wheel)
			kc_verification_add(contents->verification, contents->status,
					    is_any_unread ? KC_VERIFIED_UNKNOWN : KC_VERIFIED_FAILED,
					    file->name, "no wheel here holds it");
	}
}

/* --- The bill of materials --- */

static const char *text_of(const cJSON *object, const char *key)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));

	return text ? text : "";
}

/* The `value` of the item of a list whose `key` is `name`; "" if there is none. */
static const char *item_of(const cJSON *component, const char *list, const char *key, const char *name,
			   const char *value)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(component, list))
	{
		if (strcmp(text_of(item, key), name) == 0)
			return text_of(item, value);
	}
	return "";
}

static void compare_bill(const struct kc_release_contents *contents, const struct kc_release_file *bill,
			 const struct kc_release_file *archive, const cJSON *document)
{
	const cJSON *component = cJSON_GetObjectItemCaseSensitive(
		cJSON_GetObjectItemCaseSensitive(document, "metadata"), "component");
	const struct {
		const char *what, *said, *expected;
	} rows[] = {
		{ "name", text_of(component, "name"), archive->name },
		{ "SHA-256", item_of(component, "hashes", "alg", "SHA-256", "content"), archive->sha256 },
		{ "version", text_of(component, "version"), archive->version },
		{ "volume version",
		  item_of(component, "properties", "name", "krunner-compat:volume-version", "value"),
		  archive->volume_version },
	};
	bool is_same = true;

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		if (strcmp(rows[i].said, rows[i].expected) == 0)
			continue;
		is_same = false;
		FAILED(contents, bill->name, "the %s of its volume is `%.200s`, and here it is `%.200s`",
		       rows[i].what, rows[i].said, rows[i].expected);
	}
	if (is_same)
		OK(contents, bill->name, "it is about %s", archive->name);
}

static void check_bill(const struct kc_release_contents *contents, const struct kc_release_file *archive)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(BILL_LIMIT);
	KC_CLEANUP_JSON cJSON *document = NULL;
	char name[2 * KC_CHECKSUMS_NAME_SIZE];
	const struct kc_release_file *bill;
	struct kc_error found = { 0 };

	(void)snprintf(name, sizeof(name), "%.*s.cdx.json", (int)(strlen(archive->name) - strlen(".tar.xz")),
		       archive->name);
	bill = kc_release_files_find(contents->files, name);
	if (!bill) {
		FAILED(contents, archive->name, "its bill of materials %s is missing", name);
		return;
	}
	/* Without a wheel nobody says its versions, which has been said. */
	if (!bill->sha256[0] || !archive->has_wheel || kc_release_contents_read(contents, bill, &text) < 0)
		return;
	if (kc_json_parse(kc_buffer_string(&text), text.length, name, &document, &found) < 0)
		FAILED(contents, name, "%s", found.text);
	else
		compare_bill(contents, bill, archive, document);
}

void kc_release_check_contents(const struct kc_release_contents *contents)
{
	check_wheels(contents);
	for (size_t i = 0; i < contents->files->count && *contents->status == 0; i++)
		if (kc_release_is_archive(&contents->files->items[i]))
			check_bill(contents, &contents->files->items[i]);
	kc_release_check_reports(contents);
}
