/* The policy that ships, question by question; what a wrong one is refused for; and the failures that were
 * seen with real volumes, in plain words. */
#include "compat/policy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "sys/file.h"
#include "tests/kc_test.h"

static struct kc_policy *policy;
static struct kc_buffer text = KC_BUFFER_INIT(1 << 20);

static int load_policy(void)
{
	struct kc_error err = { 0 };

	if (kc_file_read(AT_FDCWD, KC_TEST_SOURCE_DIR "/compat/policy.json", &text, &err) < 0 ||
	    kc_policy_load(text.data, text.length, "policy.json", &policy, &err) < 0) {
		printf("  %s\n", err.text);
		return -1;
	}
	return 0;
}

static int release_policy(void)
{
	kc_policy_release(&policy);
	kc_policy_release(&policy);
	kc_buffer_release(&text);
	return 0;
}

/* The names as one text, for comparison. */
static const char *join(const struct kc_policy_names *names, char *joined, size_t size)
{
	size_t used = 0;

	joined[0] = '\0';
	for (size_t i = 0; i < names->count && used < size; i++)
		used += (size_t)snprintf(joined + used, size - used, "%s%s", i ? " " : "", names->items[i]);
	return joined;
}

static void imports_are_promised_since_the_version_that_brought_them(void)
{
	static const struct {
		const char *distro, *version, *expected;
	} rows[] = {
		{ "static-gnu", "1.0.0", "ssl zlib sqlite3 zmq uvloop msgpack jupyter_client janus" },
		{ "static-gnu", "2.0.1", "ssl zlib sqlite3 zmq uvloop msgpack jupyter_client janus" },
		{ "static-gnu", "4.0.2", "ssl zlib sqlite3 zmq uvloop attrs msgpack jupyter_client janus" },
		{ "static-gnu", "4.1",
		  "ssl zlib sqlite3 zmq uvloop attrs msgpack jupyter_client janus setproctitle" },
		{ "static-gnu", "4.4.0",
		  "ssl zlib sqlite3 zmq uvloop attrs msgpack jupyter_client janus setproctitle" },
		{ "static-gnu", NULL,
		  "ssl zlib sqlite3 zmq uvloop attrs msgpack jupyter_client janus setproctitle" },
		{ "alpine", "3.3.1", "ssl zlib sqlite3 zmq uvloop msgpack jupyter_client janus" },
		{ "alpine", "5.0.2", "ssl zlib sqlite3 zmq uvloop attrs msgpack jupyter_client janus" },
		{ "alpine", "5.1.0",
		  "ssl zlib sqlite3 zmq uvloop attrs msgpack jupyter_client janus setproctitle" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_POLICY_NAMES struct kc_policy_names names = { 0 };
		struct kc_error err = { 0 };
		char joined[1000];

		KC_CHECK_OK(kc_policy_promised_imports(policy, rows[i].distro, rows[i].version, &names, &err),
			    err);
		KC_CHECK_STRING(join(&names, joined, sizeof(joined)), rows[i].expected);
	}
}

static void an_unknown_distro_is_an_error_that_names_the_known(void)
{
	struct kc_policy_names names = { 0 };
	struct kc_error err = { 0 };

	KC_CHECK_INT(kc_policy_promised_imports(policy, "plan9", NULL, &names, &err), -ENOENT);
	KC_CHECK_STRING(err.text, "the policy does not know volumes of kind `plan9`");
	KC_CHECK_STRING(err.hint, "it knows: static-gnu alpine");
	KC_CHECK(!kc_policy_libc(policy, "plan9"));
}

static void the_other_questions_have_answers(void)
{
	KC_CLEANUP_POLICY_NAMES struct kc_policy_names images = { 0 };
	KC_CLEANUP_POLICY_NAMES struct kc_policy_names modules = { 0 };
	const struct kc_policy_keepalive *keepalive = kc_policy_keepalive(policy);
	struct kc_error err = { 0 };
	char joined[1000];

	KC_CHECK_OK(kc_policy_images(policy, "static-gnu", &images, &err), err);
	KC_CHECK_STRING(join(&images, joined, sizeof(joined)),
			"centos7 debian12 ubuntu22.04 ubuntu24.04 almalinux8 almalinux9");
	KC_CHECK_OK(kc_policy_base_modules(policy, "static-gnu", &modules, &err), err);
	KC_CHECK_CONTAINS(join(&modules, joined, sizeof(joined)), " asyncio bz2 concurrent.futures ");
	kc_policy_names_release(&modules);
	KC_CHECK_OK(kc_policy_base_modules(policy, "musllinux_1_2", &modules, &err), err);
	KC_CHECK_CONTAINS(join(&modules, joined, sizeof(joined)), " asyncio concurrent.futures ");
	kc_policy_names_release(&modules);
	KC_CHECK_INT(kc_policy_base_modules(policy, "plan9", &modules, &err), -ENOENT);
	KC_CHECK_STRING(kc_policy_libc(policy, "static-gnu"), "glibc");
	KC_CHECK_STRING(kc_policy_libc(policy, "alpine"), "musl");
	KC_CHECK_STRING(kc_policy_libc(policy, "musllinux_1_2"), "musl");
	KC_CHECK_STRING(kc_policy_why_not_imported(policy, "_ios_support"), "belongs to iOS");
	KC_CHECK(!kc_policy_why_not_imported(policy, "ssl"));
	KC_CHECK_INT(keepalive->ping_interval_ms, 20000);
	KC_CHECK_INT(keepalive->hangup_ms, 30000);
}

static void levels_belong_to_an_architecture(void)
{
	static const struct {
		const char *architecture, *levels;
	} rows[] = { { "x86_64", "x86-64-v2 x86-64-v1" }, { "aarch64", "" }, { "plan9", "" } };
	struct kc_policy_cpu_level level;
	struct kc_error err = { 0 };

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_POLICY_NAMES struct kc_policy_names names = { 0 };
		char joined[200];

		KC_CHECK_OK(kc_policy_cpu_levels(policy, rows[i].architecture, &names, &err), err);
		KC_CHECK_STRING(join(&names, joined, sizeof(joined)), rows[i].levels);
	}
	KC_REQUIRE(kc_policy_cpu_level(policy, "x86-64-v2", &level));
	KC_CHECK_STRING(level.cpu, "Nehalem");
	KC_CHECK_STRING(level.architecture, "x86_64");
	KC_CHECK(level.is_promised);
	KC_REQUIRE(kc_policy_cpu_level(policy, "x86-64-v1", &level));
	KC_CHECK(!level.is_promised);
	KC_CHECK(!kc_policy_cpu_level(policy, "x86-64-v9", &level));
}

/* Measured: 20.02 s and 30.02 s with a right ttyd, 5 s and 25 s with the stock one of static-gnu 1.0.0. */
static void the_keepalive_windows_tell_right_from_wrong(void)
{
	const struct kc_policy_keepalive *keepalive = kc_policy_keepalive(policy);

	KC_CHECK(keepalive->ping_interval_ms - keepalive->ping_tolerance_ms > 5000);
	KC_CHECK(keepalive->hangup_ms - keepalive->hangup_tolerance_ms > 25000);
	KC_CHECK(keepalive->ping_tolerance_ms >= 1000 && keepalive->hangup_tolerance_ms >= 1000);
	KC_CHECK(keepalive->observe_ms >= 2 * keepalive->ping_interval_ms + keepalive->ping_tolerance_ms);
	KC_CHECK(keepalive->observe_ms >= keepalive->hangup_ms + keepalive->hangup_tolerance_ms);
}

static void versions_compare_as_people_read_them(void)
{
	static const char *const ordered[] = { "0.9",	 "1.0.dev1",	 "1.0a1",  "1.0b1",
					       "1.0rc1", "1.0rc2",	 "1.0",	   "1.0.1",
					       "1.0.10", "1.0.10.post1", "1.2",	   "1.10",
					       "4",	 "4.1.1",	 "4.10.0", "10.0" };
	static const char *const equal[][2] = { { "4.1", "4.1.0" }, { "4", "4.0.0" }, { "04.1", "4.1" } };

	for (size_t i = 0; i < KC_ARRAY_LENGTH(ordered); i++)
		for (size_t j = 0; j < KC_ARRAY_LENGTH(ordered); j++) {
			int order = kc_policy_compare_versions(ordered[i], ordered[j]);

			KC_CHECK_MESSAGE((order < 0) == (i < j) && (order > 0) == (i > j), "%s and %s: %d",
					 ordered[i], ordered[j], order);
		}
	for (size_t i = 0; i < KC_ARRAY_LENGTH(equal); i++)
		KC_CHECK_INT(kc_policy_compare_versions(equal[i][0], equal[i][1]), 0);
}

/* Messages as the loaders, Python and the shell print them. */
static void failures_are_explained_in_plain_words(void)
{
	static const struct kc_policy_ceiling ceilings[] = { { "GLIBC", "2.17" }, { "CXXABI", "1.3.7" } };
	static const struct {
		const char *output;
		int signal;
		const char *name, *cause;
	} rows[] = {
		{ "Traceback (most recent call last):\n  File \"<string>\", line 1, in <module>\n"
		  "ImportError: /lib64/libstdc++.so.6: version `CXXABI_1.3.9' not found (required by "
		  "/opt/backend.ai/lib/python3.11/site-packages/zmq/backend/cython/../../../../../"
		  "libzmq-21058edd.so.5.2.4)\n",
		  0, "libstdcxx-too-new",
		  "libzmq-21058edd.so.5.2.4 needs CXXABI_1.3.9: it was built against a newer libstdc++ than "
		  "centos7 has (its newest is CXXABI_1.3.7)" },
		{ "x: /lib64/libstdc++.so.6: version `GLIBCXX_3.4.20' not found (required by x)\n", 0,
		  "libstdcxx-too-new",
		  "x needs GLIBCXX_3.4.20: it was built against a newer libstdc++ than centos7 has" },
		{ "/opt/backend.ai/bin/python: /lib64/libc.so.6: version `GLIBC_2.34' not found (required by "
		  "/opt/backend.ai/bin/../lib/libpython3.13.so.1.0)\n",
		  0, "glibc-too-new",
		  "libpython3.13.so.1.0 needs GLIBC_2.34: it was built against a newer glibc than centos7 "
		  "has "
		  "(its newest is GLIBC_2.17)" },
		{ "ImportError: /lib64/libcrypto.so.10: version `OPENSSL_1.1.0' not found (required by "
		  "/a/_ssl.so)",
		  0, "library-too-new",
		  "_ssl.so needs OPENSSL_1.1.0, and the library of centos7 does not define that version" },
		{ "symbol lookup error: /a/b.so: symbol memfd_create version GLIBC_2.27 not defined in file "
		  "libc.so.6 with link time reference\n",
		  0, "symbol-version-missing",
		  "libc.so.6 of centos7 has no memfd_create of version GLIBC_2.27" },
		{ "FATAL: kernel too old\n", 6, "kernel-too-old",
		  "a program was built for a newer kernel than this one pretends to be" },
		{ "python: CPU ISA level is lower than required\n", 0, "cpu-level-library",
		  "a library was built for a newer CPU than this one" },
		{ "Error relocating /opt/backend.ai/bin/../lib/libpython3.13.so.1.0: pwritev2: symbol not "
		  "found\nError relocating /opt/backend.ai/bin/../lib/libpython3.13.so.1.0: preadv2: symbol "
		  "not found\nError relocating /opt/backend.ai/bin/../lib/libpython3.13.so.1.0: preadv2: "
		  "symbol not found\nError relocating /opt/other.so: statx: symbol not found\n",
		  0, "musl-symbol-missing",
		  "musl 1.2.3 of centos7 lacks pwritev2 and preadv2, which libpython3.13.so.1.0 needs" },
		{ "Error relocating /a.so: b: symbol not found\nError relocating /a.so: c: symbol not found\n"
		  "Error relocating /a.so: d: symbol not found\n",
		  0, "musl-symbol-missing", "musl 1.2.3 of centos7 lacks b, c and d, which a.so needs" },
		{ "Error relocating a: b: symbol not found\nError relocating a: c: symbol not found\n"
		  "Error relocating a: d: symbol not found\nError relocating a: e: symbol not found\n"
		  "Error relocating a: f: symbol not found\nError relocating a: g: symbol not found\n"
		  "Error relocating a: h: symbol not found\nError relocating a: i: symbol not found\n"
		  "Error relocating a: j: symbol not found\nError relocating a: k: symbol not found\n",
		  0, "musl-symbol-missing",
		  "musl 1.2.3 of centos7 lacks b, c, d, e, f, g, h, i and more, which a needs" },
		{ "  File \"<string>\", line 27\nModuleNotFoundError: No module named 'tzdata'\n"
		  "zoneinfo._common.ZoneInfoNotFoundError: 'No time zone found with key Asia/Seoul'\n",
		  0, "time-zones-missing",
		  "centos7 has no time zone Asia/Seoul, and the volume does not bring the module tzdata" },
		{ "ImportError: Error loading shared library libffi.so.8: No such file or directory (needed "
		  "by "
		  "/opt/backend.ai/lib/python3.13/lib-dynload/_ctypes.so)\n",
		  0, "musl-library-missing", "centos7 has no libffi.so.8, which _ctypes.so needs" },
		{ "/opt/backend.ai/bin/python: error while loading shared libraries: libpython3.13.so.1.0: "
		  "cannot open shared object file: No such file or directory\n",
		  0, "library-missing",
		  "centos7 has no libpython3.13.so.1.0, and the volume does not bring it" },
		{ "ImportError: /a/loop.so: undefined symbol: uv_random\n", 0, "symbol-missing",
		  "loop.so needs the symbol uv_random, which no loaded library defines" },
		{ "ImportError: libx.so: cannot enable executable stack as shared object requires: Invalid "
		  "argument\n",
		  0, "executable-stack", "libx.so asks for an executable stack, which is refused" },
		{ "ImportError: /a/libjemalloc.so: cannot allocate memory in static TLS block\n", 0,
		  "static-tls",
		  "libjemalloc.so needs more static thread-local storage than the loader has left" },
		{ "ImportError: /a/_ssl.so: file too short\n", 0, "damaged-library", "_ssl.so is damaged" },
		{ "libz.so.1: wrong ELF class: ELFCLASS32\n", 0, "wrong-class",
		  "libz.so.1 is of another architecture (ELFCLASS32)" },
		{ "bash: /opt/backend.ai/bin/python: cannot execute binary file: Exec format error\n", 0,
		  "wrong-architecture",
		  "a program of the volume is not for this architecture, or is damaged" },
		{ "bin/python cannot be started: No such file or directory", 0, "program-missing",
		  "bin/python cannot be started: No such file or directory" },
		{ "bin/ttyd cannot be started: Exec format error", 0, "program-not-executable",
		  "bin/ttyd cannot be started: Exec format error" },
		{ "bin/ttyd cannot be started: Permission denied", 0, "program-not-permitted",
		  "bin/ttyd cannot be started: Permission denied" },
		{ "ModuleNotFoundError: No module named 'setproctitle'\n", 0, "module-missing",
		  "the volume has no Python module setproctitle" },
		{ "", 4, "cpu-level", "a program used an instruction that this CPU does not have (SIGILL)" },
		{ "bash: line 1: 7 Illegal instruction     (core dumped) python\n", 0, "cpu-level-reported",
		  "a program used an instruction that this CPU does not have (SIGILL)" },
		{ "", 31, "system-call-killed",
		  "a program was killed for a system call of another architecture (SIGSYS)" },
		{ NULL, 11, "crash", "a program crashed (SIGSEGV)" },
		{ "something else went wrong\n", 0, NULL, NULL },
		{ NULL, 0, NULL, NULL },
		{ "version `GLIBC_2.34' was found\n", 9, NULL, NULL },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		const struct kc_policy_evidence evidence = { .output = rows[i].output,
							     .length = rows[i].output ? strlen(rows[i].output)
										      : 0,
							     .signal = rows[i].signal,
							     .image = "centos7",
							     .libc = "musl 1.2.3",
							     .ceilings = ceilings,
							     .ceiling_count = KC_ARRAY_LENGTH(ceilings) };
		struct kc_policy_explanation explanation = { 0 };
		int found = kc_policy_explain(policy, &evidence, &explanation);

		KC_CHECK_MESSAGE(found == (rows[i].name != NULL), "%s: found %d",
				 rows[i].output ? rows[i].output : "(no output)", found);
		if (!found || !rows[i].name)
			continue;
		KC_CHECK_STRING(explanation.name, rows[i].name);
		KC_CHECK_STRING(explanation.cause, rows[i].cause);
		KC_CHECK(explanation.hint[0] && !strpbrk(explanation.hint, "{}"));
	}
}

static void a_missing_library_names_its_package(void)
{
	static const struct {
		const char *library, *hint;
	} rows[] = {
		{ "libffi.so.8", "install libffi into the image (apk add), or ship libffi.so.8 with" },
		{ "libsqlite3.so.0", "install sqlite-libs into the image" },
		{ "liblzma.so.5", "install xz-libs into the image" },
		{ "libunheard.so.1", "install the package that brings it into the image" },
		{ "so", "install the package that brings it into the image" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		struct kc_policy_explanation explanation = { 0 };
		struct kc_policy_evidence evidence = { 0 };
		char output[200];

		(void)snprintf(output, sizeof(output),
			       "Error loading shared library %s: No such file or directory (needed by x.so)",
			       rows[i].library);
		evidence.output = output;
		evidence.length = strlen(output);
		KC_REQUIRE(kc_policy_explain(policy, &evidence, &explanation) == 1);
		KC_CHECK_CONTAINS(explanation.hint, rows[i].hint);
	}
}

static void hostile_output_is_cut_not_trusted(void)
{
	KC_CLEANUP_BUFFER struct kc_buffer output = KC_BUFFER_INIT(1 << 20);
	struct kc_policy_explanation explanation = { 0 };
	struct kc_policy_evidence evidence = { 0 };

	KC_CHECK_INT(kc_buffer_append(&output, "a\0b\n", 4), 0);
	KC_CHECK_INT(kc_buffer_append_string(&output, "No module named {9}\nModuleNotFoundError: No module "
						      "named '"),
		     0);
	for (int i = 0; i < 1000; i++)
		KC_CHECK_INT(kc_buffer_append_string(&output, "{1}"), 0);
	KC_CHECK_INT(kc_buffer_append_string(&output, "'\n"), 0);
	evidence.output = output.data;
	evidence.length = output.length;
	KC_CHECK_INT(kc_policy_explain(policy, &evidence, &explanation), 1);
	KC_CHECK_INT(strlen(explanation.cause), sizeof(explanation.cause) - 1);
	KC_CHECK_CONTAINS(explanation.cause, "the volume has no Python module {1}{1}");
	/* Only what a line says itself counts: a match does not reach over its end. */
	evidence.output = "ModuleNotFoundError: No module\n named 'x'";
	evidence.length = strlen(evidence.output);
	KC_CHECK_INT(kc_policy_explain(policy, &evidence, &explanation), 0);
}

/* Each row changes the shipped policy in one place: `old` becomes `new`. */
static void a_wrong_policy_is_refused_with_the_place(void)
{
	static const struct {
		const char *old, *new, *message;
	} rows[] = {
		{ "\"version\": 1", "\"version\": 2", "version 2 is not known" },
		{ "\"version\": 1", "\"version\": 1, \"pings\": 3", "unknown key \"pings\"" },
		{ "\"libc\": \"glibc\"", "\"libc\": \"bionic\"", "distro \"static-gnu\": \"libc\" must be" },
		{ "\"libc\": \"glibc\"", "\"libd\": \"glibc\"", "unknown key \"libd\"" },
		{ "\"name\": \"alpine\"", "\"name\": \"static-gnu\"", "\"static-gnu\" stands twice" },
		{ "\"promised\": true", "\"promised\": 1", "cpu_levels: \"promised\" must be" },
		{ "\"musllinux_1_1\"", "\"static-gnu\"", "\"static-gnu\" stands twice" },
		{ "\"musllinux_1_1\"", "\"alpine\"", "\"alpine\" stands twice" },
		{ "\"musllinux_1_1\"", "\"musllinux_1_2\"", "\"musllinux_1_2\" stands twice" },
		{ "\"musllinux_1_1\"", "1", "must be a text" },
		{ "\"level\": \"x86-64-v1\"", "\"level\": \"x86-64-v2\"", "\"x86-64-v2\" stands twice" },
		{ "\"cpu\": \"Nehalem\"", "\"cpu\": \"\"", "cpu_levels: must be a text" },
		{ "[\"alpine3.21\"]", "[]", "\"must_pass_on\" names none" },
		{ "{ \"module\": \"zlib\" }", "{ \"module\": \"ssl\" }", "\"ssl\" stands twice" },
		{ "{ \"module\": \"zlib\" }", "{ \"module\": \"os;x\" }", "\"os;x\" is not a module name" },
		{ "{ \"module\": \"zlib\" }", "{ \"package\": \"zlib\" }", "unknown key \"package\"" },
		{ "\"since\": \"3.0.0\"", "\"since\": \"3.x\"", "\"3.x\" is not a version" },
		{ "\"since\": \"3.0.0\"", "\"since\": 3", "\"since\" must be a string" },
		{ "\"argparse\"", "\"arg parse\"", "\"arg parse\" is not a module name" },
		{ "\"argparse\"", "\"asyncio\"", "\"asyncio\" stands twice" },
		{ "\"ping_interval_ms\": 20000", "\"ping_interval_ms\": 0", "must be a whole number" },
		{ "\"ping_interval_ms\": 20000", "\"ping_interval_ms\": 0.5", "must be a whole number" },
		{ "\"ping_interval_ms\"", "\"ping_interval\"", "unknown key \"ping_interval\"" },
		{ "\"pattern\": \"FATAL", "\"pattern\": \"(FATAL", "explanation \"kernel-too-old\"" },
		{ "\"signal\": 31", "\"signal\": 65", "must be from 1 to 64" },
		{ "\"signal\": 31", "\"signal\": 31, \"pattern\": \"x\"",
		  "either \"pattern\" or \"signal\"" },
		{ "module {1}", "module {2}", "unknown placeholder at \"{2}\"" },
		{ "\"a program crashed (SIGSEGV)\"", "\"{0} crashed\"", "unknown placeholder at \"{0}" },
		{ "\"library\": \"libffi\"", "\"library\": \"libz\"", "\"libz\" stands twice" },
		{ "\"package\": \"libffi\"", "\"package\": \"\"", "library_packages: must be a text" },
		{ "lacks {3*}", "lacks {4*}", "unknown placeholder at \"{4*}" },
		{ "lacks {3*}", "lacks {3+}", "unknown placeholder at \"{3+}" },
		{ "a program crashed (SIGSEGV)", "{package} crashed", "unknown placeholder at \"{package}" },
		{ "a program crashed (SIGSEGV)", "{imag} crashed", "unknown placeholder at \"{imag}" },
		{ "\"hint\": \"its last words are in its output\"", "\"hint\": null", "\"hint\" must be" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		const char *place = strstr(text.data, rows[i].old);
		KC_CLEANUP_BUFFER struct kc_buffer changed = KC_BUFFER_INIT(1 << 20);
		KC_CLEANUP_POLICY struct kc_policy *refused = NULL;
		struct kc_error err = { 0 };

		KC_REQUIRE(KC_CHECK_MESSAGE(place != NULL, "no %s in the policy", rows[i].old));
		KC_CHECK_INT(kc_buffer_append(&changed, text.data, (size_t)(place - text.data)), 0);
		KC_CHECK_INT(kc_buffer_append_string(&changed, rows[i].new), 0);
		KC_CHECK_INT(kc_buffer_append_string(&changed, place + strlen(rows[i].old)), 0);
		KC_CHECK_INT(kc_policy_load(changed.data, changed.length, "p.json", &refused, &err),
			     -EBADMSG);
		KC_CHECK_CONTAINS(err.text, rows[i].message);
		KC_CHECK_CONTAINS(err.text, "read `p.json`: ");
		KC_CHECK(!refused);
	}
}

KC_TEST_SUITE_WITH(policy, KC_LABEL_FAST, load_policy, release_policy,
		   KC_TEST(imports_are_promised_since_the_version_that_brought_them),
		   KC_TEST(an_unknown_distro_is_an_error_that_names_the_known),
		   KC_TEST(the_other_questions_have_answers), KC_TEST(levels_belong_to_an_architecture),
		   KC_TEST(the_keepalive_windows_tell_right_from_wrong),
		   KC_TEST(versions_compare_as_people_read_them),
		   KC_TEST(failures_are_explained_in_plain_words),
		   KC_TEST(a_missing_library_names_its_package), KC_TEST(hostile_output_is_cut_not_trusted),
		   KC_TEST(a_wrong_policy_is_refused_with_the_place));
