#include <errno.h>
#include <string.h>

#include "net/pep440.h"
#include "tests/kc_test.h"

/* Each is below the next, PEP 440's own examples among them. */
static const char *const ordered[] = {
	"0.9",		 "1.dev0",
	"1.0.dev456",	 "1.0a1.dev1",
	"1.0a1",	 "1.0a2.dev456",
	"1.0a2",	 "1.0a12.dev456",
	"1.0a12",	 "1.0b1.dev456",
	"1.0b2",	 "1.0b2.post345.dev456",
	"1.0b2.post345", "1.0rc1.dev456",
	"1.0rc1",	 "1.0",
	"1.0+abc",	 "1.0+abc.5",
	"1.0+abc.7",	 "1.0+5",
	"1.0+10",	 "1.0.post456.dev34",
	"1.0.post456",	 "1.0.15",
	"1.1.dev1",	 "1.2",
	"1.10",		 "2.0.0.dev0",
	"2.0.0",	 "4.4.0rc1",
	"4.4.0",	 "2013.10",
	"1!0.1",
};

static void orders_as_pep_440_says(void)
{
	for (size_t i = 0; i < KC_ARRAY_LENGTH(ordered); i++)
		for (size_t j = 0; j < KC_ARRAY_LENGTH(ordered); j++) {
			struct kc_version a, b;
			int want = (i > j) - (i < j), got;

			KC_REQUIRE(kc_version_parse(ordered[i], &a) == 0 &&
				   kc_version_parse(ordered[j], &b) == 0);
			got = kc_version_compare(&a, &b);
			KC_CHECK_MESSAGE((got > 0) - (got < 0) == want, "%s against %s: got %d, want %d",
					 ordered[i], ordered[j], got, want);
		}
}

static void spellings_of_one_version_are_equal(void)
{
	static const char *const rows[][2] = {
		{ "1.0", "1" },
		{ "4.4.0", "4.4" },
		{ "v1.0", "1.0" },
		{ "1.0ALPHA1", "1.0a1" },
		{ "1.0-b_2", "1.0b2" },
		{ "1.0c3", "1.0rc3" },
		{ "1.0.preview4", "1.0rc4" },
		{ "1.0pre", "1.0rc0" },
		{ "1.0-1", "1.0.post1" },
		{ "1.0.r5", "1.0.post5" },
		{ "1.0-rev5", "1.0.post5" },
		{ "1.0DEV3", "1.0.dev3" },
		{ "1.0+Ubuntu-1", "1.0+ubuntu.1" },
		{ "01.002", "1.2" },
		{ "0!1.0", "1.0" },
		{ "1.0+01", "1.0+1" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		struct kc_version a, b;

		KC_REQUIRE(kc_version_parse(rows[i][0], &a) == 0 && kc_version_parse(rows[i][1], &b) == 0);
		KC_CHECK_MESSAGE(kc_version_compare(&a, &b) == 0, "%s is not %s", rows[i][0], rows[i][1]);
	}
}

static void refuses_what_is_no_version(void)
{
	static const char *const rows[] = {
		"",
		"x",
		"1.",
		"1..0",
		"1.0x",
		"1.0+",
		"1.0+a..b",
		"1.0 ",
		" 1.0",
		"1.0.*",
		"1.0-",
		"1.0a1b2",
		"!1.0",
		"1!",
		"1.0+a/b",
		"../1.0",
		"99999999999999999999",
		"1.0\n",
		"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0",
		"1.00000000000000000000000000000000000000000000000000000000000000000000",
	};
	struct kc_version version;

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++)
		KC_CHECK_MESSAGE(kc_version_parse(rows[i], &version) == -EINVAL, "\"%s\" was taken", rows[i]);
	KC_CHECK_INT(kc_version_parse("1.0", &version), 0);
}

static void tells_prereleases(void)
{
	static const struct {
		const char *version;
		bool expected;
	} rows[] = { { "1.0", false },	   { "1.0.post1", false }, { "1.0+local", false },
		     { "4.4.0rc1", true }, { "2.0.0.dev0", true }, { "1.0.post1.dev1", true } };
	struct kc_version version;

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_REQUIRE(kc_version_parse(rows[i].version, &version) == 0);
		KC_CHECK_MESSAGE(kc_version_is_prerelease(&version) == rows[i].expected, "%s",
				 rows[i].version);
	}
}

static void a_local_part_matters_only_when_asked_for(void)
{
	static const struct {
		const char *candidate, *wanted;
		bool expected;
	} rows[] = { { "1.0+a", "1.0", true },	{ "1.0+a", "1.0+a", true }, { "1.0+b", "1.0+a", false },
		     { "1.0", "1.0+a", false }, { "1.0", "1", true },	    { "1.0.post1", "1.0", false } };

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		struct kc_version candidate, wanted;

		KC_REQUIRE(kc_version_parse(rows[i].candidate, &candidate) == 0 &&
			   kc_version_parse(rows[i].wanted, &wanted) == 0);
		KC_CHECK_MESSAGE(kc_version_matches(&candidate, &wanted) == rows[i].expected, "%s for %s",
				 rows[i].candidate, rows[i].wanted);
	}
}

static void normalises_names(void)
{
	static const struct {
		const char *name, *expected;
	} rows[] = {
		{ "backend.ai_krunner_static_gnu", "backend-ai-krunner-static-gnu" },
		{ "Backend.AI-Krunner", "backend-ai-krunner" },
		{ "a-_.b", "a-b" },
		{ "x", "x" },
		{ "", NULL },
		{ "-a", NULL },
		{ "a.", NULL },
		{ "a/b", NULL },
		{ "..", NULL },
		{ "a b", NULL },
		{ "\xc3\xa4", NULL },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		char name[KC_NAME_SIZE] = "";
		int status = kc_name_normalize(rows[i].name, strlen(rows[i].name), name);

		if (rows[i].expected)
			KC_CHECK_STRING(name, rows[i].expected);
		else
			KC_CHECK_MESSAGE(status == -EINVAL, "\"%s\" was taken", rows[i].name);
	}
}

static void each_version_has_one_canonical_spelling(void)
{
	static const struct {
		const char *text, *expected; /* NULL: there is none */
	} rows[] = {
		{ "4.4.0", "4.4.0" },
		{ "4.4", "4.4" },
		{ "0", "0" },
		{ "04.4.00", "4.4.0" },
		{ "v4.4.0", "4.4.0" },
		{ "4.4.0.0", "4.4.0" },
		{ "4.4.0.0.1", "4.4.0.0.1" },
		{ "4.4.0-1", "4.4.0.post1" },
		{ "4.4.0.rev3", "4.4.0.post3" },
		{ "4.4.0RC1", "4.4.0rc1" },
		{ "4.4.0-alpha_2", "4.4.0a2" },
		{ "4.4.0c", "4.4.0rc0" },
		{ "4.4.0dev", "4.4.0.dev0" },
		{ "1.0.0b2.post345.dev456", "1.0.0b2.post345.dev456" },
		{ "4.4.0+Ubuntu-1", "4.4.0+ubuntu.1" },
		{ "0!4.4.0", "4.4.0" },
		{ "01!1.2.3.0", "1!1.2.3" },
		{ "4..4", NULL },
		{ "", NULL },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		char canonical[KC_VERSION_TEXT_SIZE] = "";

		KC_CHECK_INT(kc_version_canonical(rows[i].text, canonical), rows[i].expected ? 0 : -EINVAL);
		KC_CHECK_STRING(canonical, rows[i].expected ? rows[i].expected : "");
	}
}

KC_TEST_SUITE(pep440, KC_LABEL_FAST, KC_TEST(orders_as_pep_440_says),
	      KC_TEST(spellings_of_one_version_are_equal), KC_TEST(refuses_what_is_no_version),
	      KC_TEST(tells_prereleases), KC_TEST(a_local_part_matters_only_when_asked_for),
	      KC_TEST(normalises_names), KC_TEST(each_version_has_one_canonical_spelling));
