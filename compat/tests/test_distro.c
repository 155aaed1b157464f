#include <string.h>

#include "base/cleanup.h"
#include "compat/distro.h"
#include "tests/kc_test.h"

static void names_are_a_prefix_and_a_version(void)
{
	static const struct {
		const char *name, *prefix;
		size_t part_count;
		unsigned int parts[3];
	} rows[] = {
		{ "centos7.9", "centos", 2, { 7, 9 } },
		{ "alpine3.8", "alpine", 2, { 3, 8 } },
		{ "ubuntu22.04", "ubuntu", 2, { 22, 4 } },
		{ "ubuntu", "ubuntu", 0, { 0 } },
		{ "static-gnu", "static-gnu", 0, { 0 } },
		{ "musllinux_1_2", "musllinux_1_", 1, { 2 } },
		{ "python-alpine3.10.1", "python-alpine", 3, { 3, 10, 1 } },
		{ "x1..2", "x1..", 1, { 2 } },
		{ "centos7.", "centos7.", 0, { 0 } },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		struct kc_distro distro = { 0 };

		KC_CHECK(kc_distro_parse(rows[i].name, &distro));
		KC_CHECK_STRING(distro.prefix, rows[i].prefix);
		KC_CHECK_INT(distro.part_count, rows[i].part_count);
		for (size_t p = 0; p < distro.part_count && p < 3; p++)
			KC_CHECK_INT(distro.parts[p], rows[i].parts[p]);
	}
}

static void names_that_are_none_are_refused(void)
{
	char name[128];
	struct kc_distro distro;

	KC_CHECK(!kc_distro_parse("", &distro));
	memset(name, 'a', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	KC_CHECK(!kc_distro_parse(name, &distro));
	KC_CHECK(!kc_distro_parse("x1.2.3.4.5.6.7.8.9", &distro));
}

static void the_agents_choice_is_ours(void)
{
	static const char *const real[] = { "alpine3.8", "alpine3.11", "centos7.6", "ubuntu16.04",
					    "ubuntu20.04" };
	static const char *const with_static[] = { "static-gnu", "alpine3.8", "centos7.6" };
	static const char *const with_musl[] = { "alpine3.8", "static-musl" };
	static const struct {
		const char *name;
		const char *const *keys;
		size_t count;
		const char *distro, *expected; /* NULL: refused */
	} rows[] = {
		{ "exact", real, 5, "ubuntu16.04", "ubuntu16.04" },
		{ "newest that is not newer", real, 5, "ubuntu18.04", "ubuntu16.04" },
		{ "numbers, not text", real, 5, "alpine3.9", "alpine3.8" },
		{ "newer than all", real, 5, "alpine3.21", "alpine3.11" },
		{ "older than all: the oldest", real, 5, "ubuntu14.04", "ubuntu16.04" },
		{ "more numbers are newer", real, 5, "centos7.6.1810", "centos7.6" },
		{ "no version: the newest", real, 5, "ubuntu", "ubuntu20.04" },
		{ "nothing of its kind", real, 5, "debian12", NULL },
		{ "static wins for glibc", with_static, 3, "centos7.9", "static-gnu" },
		{ "static glibc is nothing to alpine", with_static, 3, "alpine3.21", "alpine3.8" },
		{ "static musl wins for alpine", with_musl, 2, "alpine3.21", "static-musl" },
		{ "empty name", real, 5, "", NULL },
		{ "no volumes", real, 0, "centos7", NULL },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		size_t index = 0;
		bool found = kc_distro_match(rows[i].keys, rows[i].count, rows[i].distro, &index);
		const char *got = found ? rows[i].keys[index] : NULL;

		KC_CHECK_MESSAGE(found == (rows[i].expected != NULL) &&
					 (!found || strcmp(got, rows[i].expected) == 0),
				 "%s: %s gets %s, want %s", rows[i].name, rows[i].distro,
				 got ? got : "(none)", rows[i].expected ? rows[i].expected : "(none)");
	}
}

KC_TEST_SUITE(distro, KC_LABEL_FAST, KC_TEST(names_are_a_prefix_and_a_version),
	      KC_TEST(names_that_are_none_are_refused), KC_TEST(the_agents_choice_is_ours));
