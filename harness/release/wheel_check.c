#include "release/wheel_check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "archive/source.h"
#include "archive/wheel.h"
#include "release/agreement.h"
#include "release/wheel_check_internal.h"

#define TEXT_LIMIT_BYTES 4096u

const struct kc_wheel_check_row kc_wheel_checks[] = {
	{ "zip-structure", "the ZIP is one archive, said once, without a byte between its parts",
	  KC_NEEDS_NOTHING, kc_wheel_check_zip },
	{ "zip-members", "members are regular files with plain names of their own", KC_NEEDS_NOTHING,
	  kc_wheel_check_member_names },
	{ "zip-views", "libarchive sees the members that the directory lists", KC_NEEDS_NOTHING,
	  kc_wheel_check_views },
	{ "file-name", "the file is called as PEP 427 has it, after what is in it", KC_NEEDS_NOTHING,
	  kc_wheel_check_file_name },
	{ "tags", "the platform tags are those of the table, sorted", KC_NEEDS_ARCHITECTURE,
	  kc_wheel_check_tags },
	{ "wheel-file", "WHEEL has the tags of the file name, and is not purelib", KC_NEEDS_MEMBERS,
	  kc_wheel_check_wheel_file },
	{ "metadata", "METADATA is of version 2.4, with name, version and licences", KC_NEEDS_MEMBERS,
	  kc_wheel_check_metadata },
	{ "record", "RECORD lists each member with its digest and size, and no other", KC_NEEDS_MEMBERS,
	  kc_wheel_check_record },
	{ "volume", "the archive is a volume for its architecture, with the ttyd beside it",
	  KC_NEEDS_ARCHITECTURE, kc_wheel_check_volume },
	{ "contents", "the members are those of a krunner wheel, and say the same versions",
	  KC_NEEDS_DISTRIBUTION, kc_wheel_check_contents },
};
const size_t kc_wheel_check_count = KC_ARRAY_LENGTH(kc_wheel_checks);

static void release(struct kc_wheel_case *wheel)
{
	kc_zip_directory_release(&wheel->zip);
	kc_wheel_members_release(&wheel->members);
	kc_buffer_release(&wheel->directory);
	kc_buffer_release(&wheel->dist_info);
}

/* --- What the wheel is --- */

static bool copy_part(const char **at, char separator, char *to, size_t size)
{
	size_t length = strcspn(*at, (const char[]){ separator, '\0' });

	if (length == 0 || length >= size || (*at)[length] != separator)
		return false;
	memcpy(to, *at, length);
	to[length] = '\0';
	*at += length + (separator != '\0');
	return true;
}

/* PEP 427 allows a build tag, which upstream's table has not. */
static void parse_name(const char *file_name, struct kc_wheel_name *ret_name)
{
	static const char end[] = ".whl";
	struct kc_wheel_name name = { .package = "" };
	size_t length = strlen(file_name);
	const char *at = file_name;
	char *suffix;

	if (length <= strlen(end) || strcmp(file_name + length - strlen(end), end) != 0 ||
	    !copy_part(&at, '-', name.package, sizeof(name.package)) ||
	    !copy_part(&at, '-', name.version, sizeof(name.version)) ||
	    !copy_part(&at, '-', name.python, sizeof(name.python)) ||
	    !copy_part(&at, '-', name.abi, sizeof(name.abi)) ||
	    !copy_part(&at, '\0', name.platform, sizeof(name.platform)) || strchr(name.platform, '-'))
		return;
	suffix = name.platform + strlen(name.platform) - strlen(end);
	if (suffix <= name.platform)
		return;
	*suffix = '\0';
	*ret_name = name;
}

/* The first directory at the top that is called so. */
static int find_dist_info(struct kc_wheel_case *wheel)
{
	static const char end[] = ".dist-info/";

	for (size_t i = 0; i < wheel->members.count; i++) {
		const char *name = wheel->members.items[i].name, *slash = strchr(name, '/');
		size_t length = slash ? (size_t)(slash - name) + 1 : 0;

		if (length > strlen(end) && memcmp(name + length - strlen(end), end, strlen(end)) == 0)
			return kc_buffer_append(&wheel->dist_info, name, length);
	}
	return 0;
}

/* By the file's name, or else by that of dist-info: what a wheel is called is checked, too. */
static void find_distribution(struct kc_wheel_case *wheel)
{
	const char *dist_info = kc_buffer_string(&wheel->dist_info);
	char package[256];

	(void)snprintf(package, sizeof(package), "%.*s", (int)strcspn(dist_info, "-"), dist_info);
	wheel->has_distribution =
		kc_wheels_find_distribution(wheel->wheels, wheel->name.package,
					    &wheel->choice.distribution) ||
		kc_wheels_find_distribution(wheel->wheels, package, &wheel->choice.distribution);
	wheel->choice.architecture = wheel->architecture;
}

static void find_version(struct kc_wheel_case *wheel)
{
	const char *dist_info = kc_buffer_string(&wheel->dist_info), *dash = strchr(dist_info, '-');
	int length = dash ? (int)(strlen(dash + 1) - strlen(".dist-info/")) : 0;

	if (wheel->name.version[0])
		(void)snprintf(wheel->version, sizeof(wheel->version), "%s", wheel->name.version);
	else if (length > 0 && (size_t)length < sizeof(wheel->version))
		(void)snprintf(wheel->version, sizeof(wheel->version), "%.*s", length, dash + 1);
}

/* The first archive in the package's directory. */
static void find_archive(struct kc_wheel_case *wheel)
{
	size_t length = wheel->directory.length;
	char volume[KC_WHEEL_WORD_SIZE], architecture[KC_WHEEL_WORD_SIZE];
	struct kc_wheel_tags tags;

	for (size_t i = 0; i < wheel->members.count; i++) {
		const char *name = wheel->members.items[i].name;

		if (strncmp(name, kc_buffer_string(&wheel->directory), length) != 0 ||
		    !kc_volume_name_parse(name + length, volume, architecture) ||
		    !kc_wheels_find_tags(wheel->wheels, architecture, KC_WHEEL_SORTED, &tags) ||
		    strlen(name) >= sizeof(wheel->archive))
			continue;
		(void)snprintf(wheel->architecture, sizeof(wheel->architecture), "%s", architecture);
		memcpy(wheel->archive, name, strlen(name) + 1);
		return;
	}
}

static void find_volume_version(struct kc_wheel_case *wheel)
{
	char name[KC_WHEEL_NAME_BYTES];
	const struct kc_wheel_member *member;
	const char *text;

	(void)snprintf(name, sizeof(name), "%skrunner-version.%s.txt", kc_buffer_string(&wheel->directory),
		       wheel->choice.distribution.volume);
	member = kc_wheel_members_find(&wheel->members, name);
	text = member ? kc_buffer_string(&member->text) : "";
	if (kc_agreement_is_volume_version(text))
		memcpy(wheel->volume_version, text, strlen(text) + 1);
}

static int identify(struct kc_wheel_case *wheel, struct kc_error *err)
{
	const struct kc_wheel_values values = { .choice = &wheel->choice };
	int status = find_dist_info(wheel);

	parse_name(wheel->file_name, &wheel->name);
	find_distribution(wheel);
	find_version(wheel);
	if (status == 0 && wheel->has_distribution)
		status = kc_wheels_append_part(wheel->wheels, KC_WHEEL_DIRECTORY, 0, &values,
					       &wheel->directory, NULL);
	if (status < 0)
		return kc_error_errno(err, status, "check wheel `%s`", wheel->file_name);
	if (wheel->has_distribution) {
		find_archive(wheel);
		find_volume_version(wheel);
	}
	return 0;
}

static enum kc_wheel_needs what_there_is(const struct kc_wheel_case *wheel)
{
	if (!wheel->is_readable)
		return KC_NEEDS_NOTHING;
	if (!wheel->has_distribution)
		return KC_NEEDS_MEMBERS;
	return wheel->architecture[0] ? KC_NEEDS_ARCHITECTURE : KC_NEEDS_DISTRIBUTION;
}

static void tell_identity(const struct kc_wheel_case *wheel, struct kc_wheel_identity *identity)
{
	if (wheel->has_distribution)
		(void)snprintf(identity->distribution, sizeof(identity->distribution), "%s",
			       wheel->choice.distribution.name);
	(void)snprintf(identity->architecture, sizeof(identity->architecture), "%s", wheel->architecture);
	(void)snprintf(identity->version, sizeof(identity->version), "%s", wheel->version);
	(void)snprintf(identity->volume_version, sizeof(identity->volume_version), "%s",
		       wheel->volume_version);
	if (wheel->has_facts)
		identity->volume = wheel->facts;
}

static int hash(int fd, const char *name, char ret_sha256[KC_SHA256_HEX_SIZE], struct kc_error *err)
{
	KC_CLEANUP_SOURCE struct kc_source source = { 0 };
	int status = lseek(fd, 0, SEEK_SET) < 0 ? kc_error_errno(err, errno, "read wheel `%s`", name) : 0;

	if (status == 0)
		status = kc_source_open_fd(&source, fd, name, err);
	return status < 0 ? status : kc_source_drain(&source, ret_sha256, err);
}

/* What libarchive refuses is a finding of the check that compares the views. */
static int read_members(struct kc_wheel_case *wheel, struct kc_error *err)
{
	struct kc_error cause = { 0 };
	int status = kc_wheel_members_read(wheel->fd, wheel->file_name, &wheel->members, &cause);

	wheel->is_readable = status == 0;
	if (status == 0)
		return 0;
	if (status != -EBADMSG) {
		if (err)
			*err = cause;
		return status;
	}
	wheel->findings->check = "zip-views";
	kc_finding_add(wheel->findings, "", "what libarchive can read", cause.text);
	return 0;
}

int kc_wheel_check(const struct kc_wheels *wheels, int fd, const char *file_name,
		   struct kc_findings *findings, struct kc_wheel_identity *ret_identity, struct kc_error *err)
{
	KC_CLEANUP(release)
	struct kc_wheel_case wheel = { .wheels = wheels,
				       .findings = findings,
				       .fd = fd,
				       .file_name = file_name,
				       .directory = KC_BUFFER_INIT(TEXT_LIMIT_BYTES),
				       .dist_info = KC_BUFFER_INIT(TEXT_LIMIT_BYTES) };
	struct kc_wheel_identity identity = { .sha256 = "" };
	int status = hash(fd, file_name, identity.sha256, err);

	if (status == 0)
		status = read_members(&wheel, err);
	if (status == 0)
		status = identify(&wheel, err);
	for (size_t i = 0; status == 0 && i < kc_wheel_check_count; i++) {
		findings->check = kc_wheel_checks[i].name;
		if (kc_wheel_checks[i].needs <= (int)what_there_is(&wheel))
			status = kc_wheel_checks[i].run(&wheel, err);
	}
	if (status < 0)
		return status;
	tell_identity(&wheel, &identity);
	*ret_identity = identity;
	return 0;
}
