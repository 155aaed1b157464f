/* What people write for an image. */
#include "image/reference.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/kc_test.h"

static void references_are_taken_apart(void)
{
	static const struct {
		const char *text;
		enum kc_image_kind kind;
		const char *place, *wanted, *name;
	} rows[] = {
		{ "centos7", KC_IMAGE_DEFINED, "centos7", "", "centos7" },
		{ "alpine3.21", KC_IMAGE_DEFINED, "alpine3.21", "", "alpine3.21" },
		{ "musl", KC_IMAGE_DEFINED, "alpine3.21", "", "alpine3.21" },
		{ "plan9", KC_IMAGE_DEFINED, "plan9", "", "plan9" },
		{ "tar:a.tar.gz", KC_IMAGE_TAR, "a.tar.gz", "", "a" },
		{ "tar:/x/y:z/al pine-3.17.tar.zst", KC_IMAGE_TAR, "/x/y:z/al pine-3.17.tar.zst", "",
		  "al-pine-3.17" },
		{ "tar:x.tgz", KC_IMAGE_TAR, "x.tgz", "", "x" },
		{ "dir:/root/", KC_IMAGE_DIRECTORY, "/root/", "", "root" },
		{ "dir:/", KC_IMAGE_DIRECTORY, "/", "", "rootfs" },
		{ "dir:..", KC_IMAGE_DIRECTORY, "..", "", "rootfs" },
		{ "dir:x\ny", KC_IMAGE_DIRECTORY, "x\ny", "", "x-y" },
		{ "docker-archive:a.tar", KC_IMAGE_DOCKER_ARCHIVE, "a.tar", "", "a" },
		{ "docker-archive:a.tar:alpine:3.21", KC_IMAGE_DOCKER_ARCHIVE, "a.tar", "alpine:3.21",
		  "alpine-3.21" },
		{ "oci-layout:dir", KC_IMAGE_OCI_LAYOUT, "dir", "", "dir" },
		{ "oci:alpine:3.17", KC_IMAGE_REGISTRY, "alpine:3.17", "", "alpine-3.17" },
		{ "oci:quay.io:443/centos/centos:7", KC_IMAGE_REGISTRY, "quay.io:443/centos/centos:7", "",
		  "centos-7" },
		{ "oci-layout:dir:3.21", KC_IMAGE_OCI_LAYOUT, "dir", "3.21", "3.21" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		struct kc_image_reference reference;
		struct kc_error err = { 0 };

		KC_CHECK_OK(kc_image_reference_parse(rows[i].text, &reference, &err), err);
		KC_CHECK_INT(reference.kind, rows[i].kind);
		KC_CHECK_STRING(reference.place, rows[i].place);
		KC_CHECK_STRING(reference.wanted, rows[i].wanted);
		KC_CHECK_STRING(reference.name, rows[i].name);
	}
}

static void what_is_none_is_a_usage_error_with_a_hint(void)
{
	char long_name[100] = "", long_place[5000] = "tar:";
	const struct {
		const char *text, *error;
	} rows[] = {
		{ "tar:", "nothing after the colon" }, { "oci-layout::x", "nothing after the colon" },
		{ "ftp:x", "no such kind of image" },  { ":", "no such kind of image" },
		{ long_name, "it is too long" },       { long_place, "it is too long" },
	};

	memset(long_name, 'a', sizeof(long_name) - 1);
	memset(long_place + 4, 'a', sizeof(long_place) - 5);
	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		struct kc_image_reference reference;
		struct kc_error err = { 0 };

		KC_CHECK_INT(kc_image_reference_parse(rows[i].text, &reference, &err), -EINVAL);
		KC_CHECK_CONTAINS(err.text, rows[i].error);
		KC_CHECK_INT(err.kind, KC_ERROR_USAGE);
	}
}

KC_TEST_SUITE(image_reference, KC_LABEL_FAST, KC_TEST(references_are_taken_apart),
	      KC_TEST(what_is_none_is_a_usage_error_with_a_hint));
