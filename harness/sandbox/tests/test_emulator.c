/*
 * The emulator in a sandbox, with this machine's own architecture: its programs can then be run either way. The host's /usr
 * serves as the image, as in test_sandbox.c.
 */
#include "sandbox/emulator.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/embedded.h"
#include "fixtures/temporary.h"
#include "sandbox/sandbox.h"
#include "sandbox/seccomp.h"
#include "sys/fd.h"
#include "sys/time.h"
#include "tests/kc_test.h"

#define INNER_ID 2147400000u
#define PATIENCE_MS 60000

static struct kc_seccomp_filter filter;
static struct utsname machine;

static int setup(void)
{
	struct kc_error err = { 0 };
	const char *profile = NULL;
	size_t length = 0;

	if (uname(&machine) < 0 || !kc_embedded_find("compat/seccomp.json", &profile, &length))
		return -ENOENT;
	return kc_seccomp_compile(profile, length, "compat/seccomp.json", &filter, &err);
}

static int teardown(void)
{
	kc_seccomp_release(&filter);
	return 0;
}

/* False if there is no emulator here: the test has been skipped, or has failed. */
static bool have_emulator(const char *cpu, struct kc_emulator *emulator)
{
	struct kc_error err = { 0 };
	int status = kc_emulator_open(machine.machine, cpu, emulator, &err);

	if (status == -ENOENT)
		kc_test_skip(__FILE__, __LINE__, err.text);
	else
		KC_CHECK_OK(status, err);
	return status == 0;
}

/* What /bin/sh says to `script`, without its last newline. */
static void run_shell(const struct kc_emulator *emulator, const char *script, char *ret_text, size_t size)
{
	static const char *const environment[] = { "PATH=/bin", NULL };
	const char *const argv[] = { "/bin/sh", "-c", script, NULL };
	KC_CLEANUP(kc_sandbox_release) struct kc_sandbox *sandbox = kc_sandbox_new();
	KC_CLEANUP_FREE struct kc_excerpt *excerpt = calloc(1, sizeof(*excerpt));
	KC_CLEANUP_BUFFER struct kc_buffer output = KC_BUFFER_INIT(1 << 20);
	struct kc_sandbox_outcome outcome = { .end = KC_END_NONE };
	struct kc_error err = { 0 };

	*ret_text = '\0';
	KC_REQUIRE(sandbox && excerpt);
	kc_sandbox_set_inner_id(sandbox, INNER_ID);
	kc_sandbox_add_layer(sandbox, "/usr");
	kc_sandbox_set_filter(sandbox, &filter);
	kc_sandbox_set_emulator(sandbox, emulator);
	kc_sandbox_set_command(sandbox, argv, environment);
	KC_REQUIRE_OK(kc_sandbox_start(sandbox, &err), err);
	KC_CHECK_OK(kc_sandbox_wait(sandbox, kc_now_ms() + PATIENCE_MS, excerpt, excerpt, &outcome, &err),
		    err);
	KC_CHECK_INT(outcome.end, KC_END_EXITED);
	KC_CHECK_INT(kc_excerpt_append_to(excerpt, &output), 0);
	(void)snprintf(ret_text, size, "%.*s", (int)strcspn(kc_buffer_string(&output), "\n"),
		       kc_buffer_string(&output));
}

/* A child asks the kernel what its parent really executes: about itself the emulator would lie. */
#define PARENT_IS "readlink /proc/$PPID/exe"
#define PARENT_ESCAPED "readlink /proc/\\$PPID/exe" /* within double quotes */

static void programs_are_emulated_and_what_they_start_as_well(void)
{
	static const struct {
		const char *name, *script;
	} rows[] = {
		{ "the program", "sh -c '" PARENT_IS "'; :" },
		{ "what it starts", "sh -c \"sh -c '" PARENT_ESCAPED "'; :\"" },
		{ "with an empty environment", "env -i /bin/sh -c \"/bin/sh -c '" PARENT_ESCAPED "'; :\"" },
	};
	KC_CLEANUP_EMULATOR struct kc_emulator emulator = { 0 };
	char said[PATH_MAX];

	if (!have_emulator(NULL, &emulator))
		return;
	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		run_shell(&emulator, rows[i].script, said, sizeof(said));
		KC_CHECK_MESSAGE(strcmp(said, "/memfd:emulator (deleted)") == 0, "%s: %s", rows[i].name,
				 said);
		/* The control: without it nothing is. */
		run_shell(NULL, rows[i].script, said, sizeof(said));
		KC_CHECK_MESSAGE(strncmp(said, "/bin/", 5) == 0, "%s: %s", rows[i].name, said);
	}
}

static void programs_see_the_machine_and_not_the_emulator(void)
{
	static const struct {
		const char *name, *script;
	} rows[] = {
		{ "machine", "uname -m" },
		{ "its own file", "readlink /proc/self/exe" },
		{ "arguments", "tr '\\0' ' ' </proc/self/cmdline" },
		{ "no place to register", "ls -A /proc/sys/fs/binfmt_misc 2>/dev/null; echo none" },
		{ "no descriptor of ours",
		  "for fd in /proc/self/fd/[3-9]; do readlink $fd; done | grep memfd; echo none" },
		{ "mounts", "grep binfmt /proc/self/mountinfo || echo none" },
	};
	KC_CLEANUP_EMULATOR struct kc_emulator emulator = { 0 };
	char emulated[PATH_MAX], native[PATH_MAX];

	if (!have_emulator(NULL, &emulator))
		return;
	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		run_shell(&emulator, rows[i].script, emulated, sizeof(emulated));
		run_shell(NULL, rows[i].script, native, sizeof(native));
		KC_CHECK_MESSAGE(*emulated && strcmp(emulated, native) == 0, "%s: %s, natively %s",
				 rows[i].name, emulated, native);
	}
}

static int count_registrations(void)
{
	KC_CLEANUP_DIR DIR *dir = opendir("/proc/sys/fs/binfmt_misc");
	int count = 0;

	while (dir && readdir(dir))
		count++;
	return count;
}

static void the_hosts_registrations_stay_as_they_are(void)
{
	KC_CLEANUP_EMULATOR struct kc_emulator emulator = { 0 };
	int before = count_registrations();
	char said[PATH_MAX];

	if (!have_emulator(NULL, &emulator))
		return;
	run_shell(&emulator, "echo ran", said, sizeof(said));
	KC_CHECK_STRING(said, "ran");
	KC_CHECK_INT(count_registrations(), before);
}

static void one_emulator_serves_many_sandboxes_and_says_its_version(void)
{
	KC_CLEANUP_EMULATOR struct kc_emulator emulator = { 0 };
	char said[PATH_MAX];

	if (!have_emulator(NULL, &emulator))
		return;
	KC_CHECK_CONTAINS(emulator.version, "qemu-");
	KC_CHECK_CONTAINS(emulator.version, " version ");
	for (int i = 0; i < 3; i++) {
		run_shell(&emulator, "echo ran", said, sizeof(said));
		KC_CHECK_STRING(said, "ran");
	}
	kc_emulator_release(&emulator);
	KC_CHECK(!emulator.is_open);
}

#ifdef __x86_64__
/* The model gets there. */
static void an_unknown_cpu_is_refused_by_the_emulator(void)
{
	KC_CLEANUP_EMULATOR struct kc_emulator emulator = { 0 };
	char said[PATH_MAX];

	if (!have_emulator("NoSuchCpu", &emulator))
		return;
	run_shell(&emulator, "echo ran", said, sizeof(said));
	KC_CHECK_CONTAINS(said, "NoSuchCpu");
}
#else
static void an_unknown_cpu_is_refused_by_the_emulator(void)
{
	KC_SKIP("the models are those of x86-64");
}
#endif

static void what_cannot_be_is_said_with_a_remedy(void)
{
	KC_CLEANUP_TEMPORARY struct kc_temporary directory = { "" };
	KC_CLEANUP_FREE char *path = strdup(getenv("PATH"));
	char program[PATH_MAX + 64];
	struct kc_emulator emulator = { 0 };
	struct kc_error err = { 0 };

	KC_CHECK_INT(kc_emulator_open("vax", NULL, &emulator, &err), -ENOTSUP);
	KC_CHECK_CONTAINS(err.text, "vax");
	KC_REQUIRE_OK(kc_temporary_make(&directory, &err), err);
	KC_REQUIRE(path && setenv("PATH", directory.path, 1) == 0);
	KC_CHECK_INT(kc_emulator_open("aarch64", NULL, &emulator, &err), -ENOENT);
	KC_CHECK_CONTAINS(err.text, "no static qemu-aarch64 is installed");
	KC_CHECK_CONTAINS(err.hint, "qemu-user-static");
	/* A program that needs the host's libraries is none. */
	(void)snprintf(program, sizeof(program), "%s/qemu-aarch64-static", directory.path);
	KC_CHECK_INT(symlink("/bin/true", program), 0);
	kc_error_clear(&err);
	KC_CHECK_INT(kc_emulator_open("aarch64", NULL, &emulator, &err), -ENOENT);
	KC_CHECK_INT(setenv("PATH", path, 1), 0);
	KC_CHECK(!emulator.is_open);
	kc_emulator_release(&emulator);
}

KC_TEST_SUITE_WITH(emulator, KC_LABEL_SANDBOX, setup, teardown,
		   KC_TEST(programs_are_emulated_and_what_they_start_as_well),
		   KC_TEST(programs_see_the_machine_and_not_the_emulator),
		   KC_TEST(the_hosts_registrations_stay_as_they_are),
		   KC_TEST(one_emulator_serves_many_sandboxes_and_says_its_version),
		   KC_TEST(an_unknown_cpu_is_refused_by_the_emulator),
		   KC_TEST(what_cannot_be_is_said_with_a_remedy));
