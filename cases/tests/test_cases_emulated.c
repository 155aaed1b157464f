/*
 * Volumes in an emulator. Negative controls of the CPU levels: code built for x86-64-v3 in a volume that is good otherwise.
 * And a volume of another architecture, end to end.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cases/tests/checked.h"
#include "fixtures/temporary.h"
#include "fixtures/volume_copy.h"
#include "options.h"
#include "sandbox/emulator.h"
#include "sys/file.h"
#include "sys/process.h"
#include "tests/kc_test.h"

#define SETPROCTITLE "lib/python3.13/site-packages/setproctitle/_setproctitle.cpython-313-x86_64-linux-gnu.so"
#define RELEASE "pypi:backend.ai-krunner-static-gnu==4.4.0"
#define COMPILE_TIMEOUT_MS 60000

static char tree[PATH_MAX];

static bool is_available(void)
{
	KC_CLEANUP_EMULATOR struct kc_emulator emulator = { 0 };
	struct kc_error err = { 0 };

	if (kc_emulator_open("aarch64", NULL, &emulator, &err) == 0 &&
	    (tree[0] || kc_released_tree(tree, &err) == 0))
		return true;
	if (err.code == -ENOENT || kc_is_offline(&err))
		kc_test_skip(__FILE__, __LINE__, err.text);
	else
		KC_CHECK_MESSAGE(false, "%s", err.text);
	return false;
}

/* Four numbers turned round by an instruction of AVX2, which the compiler cannot work out in advance. */
static const char avx2[] = "#include <immintrin.h>\n"
			   "volatile long long numbers[4];\n"
			   "static void use(void)\n"
			   "{\n"
			   "	long long copy[4];\n"
			   "	for (int i = 0; i < 4; i++)\n"
			   "		copy[i] = numbers[i] + i;\n"
			   "	__m256i all = _mm256_loadu_si256((const __m256i *)copy);\n"
			   "	_mm256_storeu_si256((__m256i *)copy, _mm256_permute4x64_epi64(all, 0x1b));\n"
			   "	for (int i = 0; i < 4; i++)\n"
			   "		numbers[i] = copy[i];\n"
			   "}\n";
static const char module[] = "__attribute__((constructor)) static void load(void) { use(); }\n"
			     "void *PyInit__setproctitle(void) { return 0; }\n";
static const char program[] = "int main(void) { use(); return 0; }\n";

/* Builds DIRECTORY/built for `march` from avx2 and `rest`. */
static bool build(const char *directory, const char *rest, const char *march, const char *kind)
{
	KC_CLEANUP_BUFFER struct kc_buffer said = KC_BUFFER_INIT(1u << 20);
	char source[PATH_MAX + 16], output[PATH_MAX + 16], text[4096];
	const char *const argv[] = { "gcc", "-O2", march, kind, "-fPIC", "-o", output, source, NULL };
	const struct kc_process process = { .argv = argv, .timeout_ms = COMPILE_TIMEOUT_MS, .errors = &said };
	struct kc_error err = { 0 };
	int exit_status = -1;

	(void)snprintf(source, sizeof(source), "%s/source.c", directory);
	(void)snprintf(output, sizeof(output), "%s/built", directory);
	(void)snprintf(text, sizeof(text), "%s%s", avx2, rest);
	return KC_CHECK_OK(kc_file_write_atomic(AT_FDCWD, source, text, strlen(text), 0600, &err), err) &&
	       KC_CHECK_OK(kc_process_run(&process, &exit_status, &err), err) &&
	       KC_CHECK_MESSAGE(exit_status == 0, "%s", kc_buffer_string(&said));
}

struct control {
	const char *name;
	const char *source, *march, *kind; /* NULL: nothing is built, the volume is unchanged */
	const char *path;		   /* of the volume, that it takes the place of */
	const char *v2, *v1;		   /* what the verdicts' texts have to contain */
	enum kc_verdict verdict;	   /* on v2 */
};

static void check_levels(const struct control *control, const struct kc_checked *checked)
{
	xmlNode *v2 = kc_checked_find(checked, "centos7.cpu.x86-64-v2");
	xmlNode *v1 = kc_checked_find(checked, "centos7.cpu.x86-64-v1");
	char said[8192];

	kc_checked_say(v2, said, sizeof(said));
	KC_CHECK_MESSAGE(kc_checked_verdict(v2) == control->verdict, "%s: %s: %s", control->name,
			 kc_verdict_name(kc_checked_verdict(v2)), said);
	KC_CHECK_CONTAINS(said, control->v2);
	KC_CHECK_INT(kc_checked_verdict(v1), KC_PASS);
	kc_checked_property(v1, "illegal-instruction", said, sizeof(said));
	KC_CHECK_CONTAINS(said, control->v1);
	kc_checked_property(v2, "cpu", said, sizeof(said));
	KC_CHECK_STRING(said, "Nehalem");
}

static void check_control(const struct control *control)
{
	static const char *const words[] = { "-k", "centos7.cpu", "--must-run", NULL };
	KC_CLEANUP_TEMPORARY struct kc_temporary directory = { "" };
	KC_CLEANUP_VOLUME_COPY struct kc_volume_copy copy = { 0 };
	KC_CLEANUP_CHECKED struct kc_checked checked = { 0 };
	char built[PATH_MAX + 16];
	const struct kc_volume_change change = {
		.kind = KC_VOLUME_HOST_FILE, .path = control->path, .bytes = built, .mode = 0755
	};
	struct kc_error err = { 0 };

	KC_REQUIRE_OK(kc_temporary_make(&directory, &err), err);
	KC_REQUIRE_OK(kc_volume_copy_make(tree, &copy, &err), err);
	(void)snprintf(built, sizeof(built), "%s/built", directory.path);
	if (control->source) {
		KC_REQUIRE(build(directory.path, control->source, control->march, control->kind));
		KC_REQUIRE_OK(kc_volume_change(&copy, &change, &err), err);
	}
	KC_REQUIRE_OK(kc_checked_start(copy.path, words, &checked, &err), err);
	KC_REQUIRE_OK(kc_checked_finish(&checked, &err), err);
	KC_CHECK_INT(checked.status, control->verdict == KC_PASS ? KC_EXIT_PASSED : KC_EXIT_FAILED);
	check_levels(control, &checked);
}

#ifdef __x86_64__
static void code_for_a_newer_cpu_is_caught_and_its_file_named(void)
{
	/* Python itself needs v2: on v1 nothing of the volume runs. */
	static const struct control controls[] = {
		{ .name = "unchanged", .verdict = KC_PASS, .v2 = "", .v1 = "libpython3.13.so.1.0" },
		{ .name = "a module for v3",
		  .source = module,
		  .march = "-march=x86-64-v3",
		  .kind = "-shared",
		  .path = SETPROCTITLE,
		  .verdict = KC_FAIL,
		  .v2 = "_setproctitle.cpython-313-x86_64-linux-gnu.so has an instruction",
		  .v1 = "libpython3.13.so.1.0" },
		{ .name = "a library that Python needs, for v3",
		  .source = module,
		  .march = "-march=x86-64-v3",
		  .kind = "-shared",
		  .path = "lib/libpython3.13.so.1.0",
		  .verdict = KC_FAIL,
		  .v2 = "libpython3.13.so.1.0 has an instruction",
		  .v1 = "libpython3.13.so.1.0" },
		{ .name = "a program for v3",
		  .source = program,
		  .march = "-march=x86-64-v3",
		  .kind = "-static",
		  .path = "bin/ttyd",
		  .verdict = KC_FAIL,
		  .v2 = "/opt/backend.ai/bin/ttyd has an instruction",
		  .v1 = "libpython3.13.so.1.0" },
	};

	if (!is_available())
		return;
	for (size_t i = 0; i < KC_ARRAY_LENGTH(controls); i++)
		check_control(&controls[i]);
}
#else
static void code_for_a_newer_cpu_is_caught_and_its_file_named(void)
{
	KC_SKIP("the compiler here does not build for x86-64");
}
#endif

static void without_an_emulator_the_levels_are_skipped_with_a_remedy(void)
{
	static const struct {
		const char *words[4];
		enum kc_verdict verdict;
	} rows[] = {
		{ { "-k", "centos7.cpu", NULL }, KC_SKIP },
		{ { "-k", "centos7.cpu", "--must-run", NULL }, KC_BROKEN },
	};
	KC_CLEANUP_FREE char *path = strdup(getenv("PATH"));
	struct kc_error err = { 0 };

	if (!is_available())
		return;
	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_VOLUME_COPY struct kc_volume_copy copy = { 0 };
		KC_CLEANUP_CHECKED struct kc_checked checked = { 0 };
		char said[8192];
		xmlNode *testcase;

		KC_REQUIRE_OK(kc_volume_copy_make(tree, &copy, &err), err);
		KC_REQUIRE(path && setenv("PATH", "/nowhere", 1) == 0);
		KC_CHECK_OK(kc_checked_start(copy.path, rows[i].words, &checked, &err), err);
		KC_REQUIRE(setenv("PATH", path, 1) == 0);
		KC_REQUIRE_OK(kc_checked_finish(&checked, &err), err);
		testcase = kc_checked_find(&checked, "centos7.cpu.x86-64-v2");
		kc_checked_say(testcase, said, sizeof(said));
		KC_CHECK_INT(kc_checked_verdict(testcase), rows[i].verdict);
		KC_CHECK_CONTAINS(said, "no static qemu-x86_64 is installed");
		KC_CHECK_CONTAINS(said, "qemu-user-static");
	}
}

static void a_volume_for_aarch64_passes(void)
{
	static const char *const words[] = { "--arch", "aarch64", "--must-run", NULL };
	KC_CLEANUP_CHECKED struct kc_checked checked = { 0 };
	struct kc_error err = { 0 };

	if (!is_available())
		return;
	KC_REQUIRE_OK(kc_checked_start(RELEASE, words, &checked, &err), err);
	KC_REQUIRE_OK(kc_checked_finish(&checked, &err), err);
	KC_CHECK_MESSAGE(checked.status == KC_EXIT_PASSED, "%s", kc_buffer_string(&checked.errors));
	KC_CHECK(kc_checked_count(&checked, KC_PASS) >= 35);
	KC_CHECK_INT(kc_checked_count(&checked, KC_SKIP), 0);
	KC_CHECK_INT(kc_checked_verdict(kc_checked_find(&checked, "centos7.ttyd.keepalive")), KC_PASS);
	KC_CHECK_CONTAINS(kc_buffer_string(&checked.errors), "  image   emulated, aarch64, glibc");
#ifdef __x86_64__
	KC_CHECK_CONTAINS(kc_buffer_string(&checked.errors), "qemu-aarch64 version");
#endif
}

static void a_volume_of_another_architecture_than_asked_for_is_refused(void)
{
	static const char *const words[] = { "--arch", "aarch64", NULL };
	KC_CLEANUP_VOLUME_COPY struct kc_volume_copy copy = { 0 };
	KC_CLEANUP_CHECKED struct kc_checked checked = { 0 };
	struct kc_error err = { 0 };

	if (!is_available())
		return;
	KC_REQUIRE_OK(kc_volume_copy_make(tree, &copy, &err), err);
	KC_REQUIRE_OK(kc_checked_start(copy.path, words, &checked, &err), err);
	KC_REQUIRE_OK(kc_checked_finish(&checked, &err), err);
	KC_CHECK_INT(checked.status, KC_EXIT_NOT_RUN);
	KC_CHECK_CONTAINS(kc_buffer_string(&checked.errors),
			  "it is built for x86_64, and what was asked for is aarch64");
	KC_CHECK_CONTAINS(kc_buffer_string(&checked.errors), "--arch x86_64");
}

KC_TEST_SUITE(cases_emulated, KC_LABEL_SLOW, KC_TEST(code_for_a_newer_cpu_is_caught_and_its_file_named),
	      KC_TEST(without_an_emulator_the_levels_are_skipped_with_a_remedy),
	      KC_TEST(a_volume_for_aarch64_passes),
	      KC_TEST(a_volume_of_another_architecture_than_asked_for_is_refused));
