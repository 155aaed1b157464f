#include "tests/kc_test.h"

#include <CUnit/CUnit.h>
#include <CUnit/TestRun.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fixtures/temporary.h"

static struct kc_test_suite *suites;

static struct {
	unsigned int passed, failed, skipped;
	unsigned int asserts_before;
	bool skipping;
	bool must_run;
} run;

void kc_test_register(struct kc_test_suite *suite)
{
	struct kc_test_suite **place = &suites;

	while (*place && strcmp((*place)->name, suite->name) < 0)
		place = &(*place)->next;
	suite->next = *place;
	*place = suite;
}

bool kc_test_check(bool passed, const char *file, unsigned int line, const char *format, ...)
{
	char text[2048];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	(void)CU_assertImplementation(passed, line, text, file, "", CU_FALSE);
	return passed;
}

bool kc_test_check_int(long long got, long long want, const char *file, unsigned int line, const char *what)
{
	return kc_test_check(got == want, file, line, "%s: got %lld, want %lld", what, got, want);
}

bool kc_test_check_string(const char *got, const char *want, const char *file, unsigned int line,
			  const char *what)
{
	return kc_test_check(got && strcmp(got, want) == 0, file, line, "%s: got \"%s\", want \"%s\"", what,
			     got ? got : "(null)", want);
}

bool kc_test_check_contains(const char *text, const char *part, const char *file, unsigned int line,
			    const char *what)
{
	return kc_test_check(text && strstr(text, part), file, line, "%s: \"%s\" does not contain \"%s\"",
			     what, text ? text : "(null)", part);
}

void kc_test_skip_unprovided(const char *file, unsigned int line, const char *reason)
{
	run.skipping = true;
	printf("  skip %s:%u: %s\n", file, line, reason);
	(void)kc_test_check(true, file, line, "skipped");
}

void kc_test_skip(const char *file, unsigned int line, const char *reason)
{
	run.skipping = true;
	printf("  skip %s:%u: %s\n", file, line, reason);
	(void)kc_test_check(!run.must_run, file, line, "skipped although KC_MUST_RUN is set: %s", reason);
}

static void on_start(const CU_pTest test, const CU_pSuite suite)
{
	run.asserts_before = CU_get_number_of_asserts();
	run.skipping = false;
	printf("%s.%s\n", suite->pName, test->pName);
	(void)fflush(stdout); /* a test may fork: what is buffered must not be printed twice */
}

static void on_complete(const CU_pTest test, const CU_pSuite suite, const CU_pFailureRecord failures)
{
	bool failed = failures != NULL;

	if (!failed && CU_get_number_of_asserts() == run.asserts_before) {
		printf("  FAILED %s.%s: asserts nothing\n", suite->pName, test->pName);
		failed = true;
	}
	for (const CU_FailureRecord *record = failures; record; record = record->pNext)
		printf("  FAILED %s:%u: %s\n", record->strFileName ? record->strFileName : "?",
		       record->uiLineNumber, record->strCondition ? record->strCondition : "?");
	run.failed += failed;
	run.skipped += !failed && run.skipping;
	run.passed += !failed && !run.skipping;
}

static void on_setup_failure(const CU_pSuite suite)
{
	printf("  FAILED %s: set-up of the suite\n", suite->pName);
	run.failed++;
}

static void on_teardown_failure(const CU_pSuite suite)
{
	printf("  FAILED %s: tear-down of the suite\n", suite->pName);
	run.failed++;
}

static const char *const label_names[] = {
	[KC_LABEL_FAST] = "fast", [KC_LABEL_SANDBOX] = "sandbox", [KC_LABEL_SLOW] = "slow"
};

/* A suite is wanted if its name or its label is among the arguments, or if there are none. */
static bool is_wanted(const struct kc_test_suite *suite, int count, char *const arguments[])
{
	for (int i = 0; i < count; i++)
		if (strcmp(arguments[i], suite->name) == 0 ||
		    strcmp(arguments[i], label_names[suite->label]) == 0)
			return true;
	return count == 0;
}

static int register_suite(const struct kc_test_suite *suite)
{
	CU_pSuite registered = CU_add_suite(suite->name, suite->setup, suite->teardown);

	/* A duplicate name is reported by the error code alone: CUnit runs both. */
	if (!registered || CU_get_error() != CUE_SUCCESS)
		return -EEXIST;
	for (size_t i = 0; i < suite->count; i++)
		if (!CU_add_test(registered, suite->tests[i].name, suite->tests[i].run) ||
		    CU_get_error() != CUE_SUCCESS)
			return -EEXIST;
	return 0;
}

static int list(void)
{
	for (const struct kc_test_suite *suite = suites; suite; suite = suite->next)
		printf("%s %s %zu\n", suite->name, label_names[suite->label], suite->count);
	return 0;
}

int main(int argc, char *argv[])
{
	const char *must_run = getenv("KC_MUST_RUN");
	KC_CLEANUP_TEMPORARY struct kc_temporary state = { "" };
	struct kc_error err = { 0 };

	if (argc == 2 && strcmp(argv[1], "--list") == 0)
		return list();
	run.must_run = must_run && *must_run;
	/* No test pulls from a public registry: what is tested must not depend on whether it can be reached. Nothing listens on
	 * the port of the discard service. */
	(void)setenv("KRUNNER_COMPAT_MIRRORS", "docker.io=http://127.0.0.1:9 quay.io=http://127.0.0.1:9", 0);
	/* Nor is it called as `bootstrap` was, which calls this. */
	(void)unsetenv("KC_CALLED_AS");
	/* What is run here is not what the user ran last, nor as the user wants it. */
	if (kc_temporary_make(&state, &err) < 0 || setenv("XDG_STATE_HOME", state.path, 1) < 0 ||
	    setenv("XDG_CONFIG_HOME", state.path, 1) < 0 || CU_initialize_registry() != CUE_SUCCESS)
		return 3;
	for (const struct kc_test_suite *suite = suites; suite; suite = suite->next) {
		if (!is_wanted(suite, argc - 1, argv + 1))
			continue;
		if (register_suite(suite) < 0) {
			printf("FAILED to register suite %s: a name stands twice\n", suite->name);
			return 3;
		}
	}
	CU_set_test_start_handler(on_start);
	CU_set_test_complete_handler(on_complete);
	CU_set_suite_init_failure_handler(on_setup_failure);
	CU_set_suite_cleanup_failure_handler(on_teardown_failure);
	(void)CU_run_all_tests(); /* the handlers above count; the code says the same, less exactly */
	CU_cleanup_registry();
	printf("%u passed, %u failed, %u skipped\n", run.passed, run.failed, run.skipped);
	if (run.passed + run.failed + run.skipped == 0)
		printf("no test was selected\n");
	return run.failed || run.passed + run.skipped == 0;
}
