/* What the tests of releases share: a small volume, an order for a wheel around it, and the wheel. */
#ifndef KC_RELEASE_TESTS_RELEASE_TEST_H
#define KC_RELEASE_TESTS_RELEASE_TEST_H

#include "base/buffer.h"
#include "compat/wheels.h"
#include "fixtures/small_volume.h"
#include "release/wheel_writer.h"

#define KC_TEST_WHEEL_BYTES (64u << 20)
/* What a test's wheel is called, and where its members are. */
#define KC_TEST_WHEEL_TAGS "macosx_11_0_x86_64.manylinux2014_x86_64.musllinux_1_1_x86_64"
#define KC_TEST_WHEEL_NAME "backend_ai_krunner_static_gnu-9.8.7-py3-none-" KC_TEST_WHEEL_TAGS ".whl"
#define KC_TEST_DIRECTORY "ai/backend/krunner/static_gnu/"
#define KC_TEST_DIST_INFO "backend_ai_krunner_static_gnu-9.8.7.dist-info/"

struct kc_test_order {
	struct kc_wheels *wheels;
	struct kc_wheel_order order; /* for x86_64; tests change it */
	struct kc_buffer volume;     /* the archive */
	char sha256[KC_SHA256_HEX_SIZE];
};

/* An order for a sound volume, whose descriptor is a memfd. 0 or -1, said on standard output: fit for a set-up. */
int kc_test_order_make(struct kc_test_order *test);
void kc_test_order_release(struct kc_test_order *test);

/* Puts another volume into the order, and its digest. 0 or -1. */
int kc_test_order_volume(struct kc_test_order *test, const struct kc_buffer *xz);

/* Appends the wheel to `wheel`. What kc_wheel_write returns. */
int kc_test_wheel(const struct kc_test_order *test, struct kc_buffer *wheel, struct kc_error *err);

/* Members of a ZIP, in order. */
struct kc_test_member {
	const char *name;
	const void *bytes;
	size_t length;
	unsigned int mode; /* with the kind of file; 0: a regular file, 0644 */
};

/* Appends a ZIP that is sound as such, whatever its members are. 0 or negative. */
int kc_test_zip(const struct kc_test_member *members, size_t count, struct kc_buffer *zip);

/* A memfd with these bytes, at its start; -1 on failure. */
int kc_test_file(const void *bytes, size_t length);

#endif
