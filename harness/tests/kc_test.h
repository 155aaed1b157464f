/*
 * The project's tests, on CUnit. This header and kc_test.c are the only places that know CUnit.
 *
 * A test file holds functions and one suite:
 *
 *	static void refuses_empty_input(void) { KC_CHECK_INT(parse(""), -EINVAL); }
 *	KC_TEST_SUITE(parse, KC_LABEL_FAST, KC_TEST(refuses_empty_input));
 *
 * The runner adds what CUnit 2.1-3 lacks: a test that asserts nothing fails, as do a suite whose set-up
 *failed, a duplicate name and a run without tests; a skip has a reason and, with KC_MUST_RUN set (CI sets
 *it), is a failure. Checks do not jump: CU_*_FATAL is a longjmp past every clean-up. KC_REQUIRE returns from
 *the test instead. A forked child's checks are invisible: let it exit with a status and check that.
 */
#ifndef KC_TESTS_KC_TEST_H
#define KC_TESTS_KC_TEST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"

enum kc_test_label {
	KC_LABEL_FAST,	  /* no privilege, no network, no sandbox */
	KC_LABEL_SANDBOX, /* needs namespaces */
	KC_LABEL_SLOW	  /* real volumes from the package index, real time */
};

struct kc_test {
	const char *name;
	void (*run)(void);
};

struct kc_test_suite {
	const char *name;
	enum kc_test_label label;
	int (*setup)(void);    /* 0 on success; NULL for none */
	int (*teardown)(void); /* NULL for none */
	const struct kc_test *tests;
	size_t count;
	struct kc_test_suite *next;
};

void kc_test_register(struct kc_test_suite *suite);
bool kc_test_check(bool passed, const char *file, unsigned int line, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
bool kc_test_check_int(long long got, long long want, const char *file, unsigned int line, const char *what);
bool kc_test_check_string(const char *got, const char *want, const char *file, unsigned int line,
			  const char *what);
bool kc_test_check_contains(const char *text, const char *part, const char *file, unsigned int line,
			    const char *what);
void kc_test_skip(const char *file, unsigned int line, const char *reason);
void kc_test_skip_unprovided(const char *file, unsigned int line, const char *reason);

#define KC_TEST(function)                                                                                    \
	{                                                                                                    \
		.name = #function, .run = (function)                                                         \
	}

/* KC_TEST_SUITE_WITH adds a set-up and a tear-down of the whole suite. */
#define KC_TEST_SUITE_WITH(suite_name, suite_label, suite_setup, suite_teardown, ...)                        \
	static const struct kc_test suite_name##_tests[] = { __VA_ARGS__ };                                  \
	static struct kc_test_suite suite_name##_suite = { .name = #suite_name,                              \
							   .label = (suite_label),                           \
							   .setup = (suite_setup),                           \
							   .teardown = (suite_teardown),                     \
							   .tests = suite_name##_tests,                      \
							   .count = KC_ARRAY_LENGTH(suite_name##_tests) };   \
	__attribute__((constructor)) static void suite_name##_register(void)                                 \
	{                                                                                                    \
		kc_test_register(&suite_name##_suite);                                                       \
	}                                                                                                    \
	struct kc_test_suite
#define KC_TEST_SUITE(suite_name, suite_label, ...)                                                          \
	KC_TEST_SUITE_WITH(suite_name, suite_label, NULL, NULL, __VA_ARGS__)

/* All of these are expressions that are true when the check holds. */
#define KC_CHECK(condition) kc_test_check((condition), __FILE__, __LINE__, "%s", #condition)
#define KC_CHECK_MESSAGE(condition, ...) kc_test_check((condition), __FILE__, __LINE__, __VA_ARGS__)
#define KC_CHECK_INT(got, want) kc_test_check_int((got), (want), __FILE__, __LINE__, #got)
#define KC_CHECK_STRING(got, want) kc_test_check_string((got), (want), __FILE__, __LINE__, #got)
#define KC_CHECK_CONTAINS(text, part) kc_test_check_contains((text), (part), __FILE__, __LINE__, #text)
#define KC_REQUIRE(condition)                                                                                \
	do {                                                                                                 \
		if (!KC_CHECK(condition))                                                                    \
			return;                                                                              \
	} while (0)
/* 0 or more was returned and `error` (a struct kc_error) is untouched; prints its text otherwise. */
#define KC_CHECK_OK(status, error)                                                                           \
	kc_test_check((status) >= 0, __FILE__, __LINE__, "%s: %s", #status, (error).text)
#define KC_REQUIRE_OK(status, error)                                                                         \
	do {                                                                                                 \
		if (!KC_CHECK_OK(status, error))                                                             \
			return;                                                                              \
	} while (0)
#define KC_SKIP(reason)                                                                                      \
	do {                                                                                                 \
		kc_test_skip(__FILE__, __LINE__, (reason));                                                  \
		return;                                                                                      \
	} while (0)

/* For a file that is neither part of the tree nor to be had from any registry: its absence is counted as a skip, even in CI. */
#define KC_SKIP_UNPROVIDED(reason)                                                                           \
	do {                                                                                                 \
		kc_test_skip_unprovided(__FILE__, __LINE__, (reason));                                       \
		return;                                                                                      \
	} while (0)

#endif
