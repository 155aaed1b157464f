#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "archive/manifest.h"
#include "archive/store.h"
#include "archive/tests/store_test.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "tests/kc_test.h"

#define KEY "volume-test"
#define ENTRY "trees/" KEY

/* --- A builder that counts, waits and fails as told --- */

struct plan {
	int calls_fd;	/* gets a byte per call, across processes */
	int started_fd; /* gets a byte when half of the tree is there; -1: nobody asks */
	int go_fd;	/* is read before going on; -1: do not wait */
	int fail_with;	/* errno; 0: succeed */
};

static int build(void *context, int tree_fd, struct kc_buffer *manifest, struct kc_buffer *info,
		 struct kc_error *err)
{
	const struct plan *plan = context;
	char byte = 'x';

	if (write(plan->calls_fd, &byte, 1) != 1 || mkdirat(tree_fd, "dir", 0755) < 0 ||
	    !kc_write_small(tree_fd, "dir/file", "content"))
		return kc_error_errno(err, EIO, "build");
	if (plan->started_fd >= 0 && write(plan->started_fd, &byte, 1) != 1)
		return kc_error_errno(err, EIO, "build");
	if (plan->go_fd >= 0 && read(plan->go_fd, &byte, 1) < 0)
		return kc_error_errno(err, EIO, "build");
	if (plan->fail_with)
		return kc_error_errno(err, plan->fail_with, "write `dir/other`");
	if (symlinkat("dir/file", tree_fd, "link") < 0 || kc_buffer_append_string(info, "{\"a\": 1}\n") < 0)
		return kc_error_errno(err, EIO, "build");
	return kc_manifest_of_tree(tree_fd, manifest, err);
}

static struct plan make_plan(void)
{
	return (struct plan){ .calls_fd = kc_memory_file("", 0), .started_fd = -1, .go_fd = -1 };
}

static long long calls(const struct plan *plan)
{
	struct stat status;

	return fstat(plan->calls_fd, &status) < 0 ? -1 : (long long)status.st_size;
}

static int get(struct kc_test_store *test, struct plan *plan, struct kc_error *err)
{
	char tree[PATH_MAX];

	return kc_store_get(&test->store, KEY, build, plan, tree, NULL, err);
}

/* --- Tests --- */

static void builds_once(void)
{
	KC_CLEANUP_TEST_STORE struct kc_test_store test;
	KC_CLEANUP_BUFFER struct kc_buffer info = KC_BUFFER_INIT(1000), manifest = KC_BUFFER_INIT(10000);
	struct plan plan = make_plan();
	struct kc_error err = { 0 };
	char tree[PATH_MAX] = "", wanted[PATH_MAX];

	KC_REQUIRE(kc_test_store_make(&test));
	KC_CHECK(!kc_store_has(&test.store, KEY));
	KC_CHECK_OK(kc_store_get(&test.store, KEY, build, &plan, tree, &info, &err), err);
	KC_CHECK(kc_store_has(&test.store, KEY));
	(void)snprintf(wanted, sizeof(wanted), "%s/dest/krunner-compat/trees/" KEY "/tree",
		       test.scratch.path);
	KC_CHECK_STRING(tree, wanted);
	KC_CHECK_STRING(kc_buffer_string(&info), "{\"a\": 1}\n");
	KC_CHECK_OK(kc_store_manifest(&test.store, KEY, &manifest, &err), err);
	KC_CHECK_CONTAINS(kc_buffer_string(&manifest), "dir/file f 0600 7 ed7002b4");
	kc_buffer_clear(&info);
	KC_CHECK_OK(kc_store_get(&test.store, KEY, build, &plan, tree, &info, &err), err);
	KC_CHECK_STRING(kc_buffer_string(&info), "{\"a\": 1}\n");
	KC_CHECK_INT(calls(&plan), 1);
	KC_CHECK_INT(kc_test_store_count(&test, "tmp"), 0);
	kc_fd_close(&plan.calls_fd);
}

/* Damage is done in the entry's own directory. */
static bool change_content(int entry)
{
	return kc_write_small(entry, "tree/dir/file", "CONTENT");
}

static bool remove_file(int entry)
{
	return unlinkat(entry, "tree/dir/file", 0) == 0;
}

static bool add_file(int entry)
{
	return kc_write_small(entry, "tree/dir/new", "");
}

static bool change_mode(int entry)
{
	return fchmodat(entry, "tree/dir/file", 0755, 0) == 0;
}

static bool retarget_link(int entry)
{
	return unlinkat(entry, "tree/link", 0) == 0 && symlinkat("dir", entry, "tree/link") == 0;
}

static bool turn_file_into_fifo(int entry)
{
	return remove_file(entry) && mkfifoat(entry, "tree/dir/file", 0600) == 0;
}

static bool turn_tree_into_link(int entry)
{
	return renameat(entry, "tree", entry, "elsewhere") == 0 && symlinkat("elsewhere", entry, "tree") == 0;
}

static bool cut_manifest(int entry)
{
	KC_CLEANUP_FD int fd = openat(entry, "manifest", O_WRONLY | O_CLOEXEC);

	return fd >= 0 && ftruncate(fd, 20) == 0;
}

static bool empty_manifest(int entry)
{
	return kc_write_small(entry, "manifest", "");
}

static bool remove_manifest(int entry)
{
	return unlinkat(entry, "manifest", 0) == 0;
}

static bool change_info(int entry)
{
	return kc_write_small(entry, "info.json", "{\"a\": 2}\n");
}

static bool change_nothing(int entry)
{
	return entry >= 0;
}

static bool touch_only(int entry)
{
	return utimensat(entry, "tree/dir/file", NULL, 0) == 0;
}

static const struct {
	const char *name;
	bool (*damage)(int entry);
	bool rebuilt;
} damages[] = {
	{ "control", change_nothing, false },
	{ "touched", touch_only, false },
	{ "content", change_content, true },
	{ "missing file", remove_file, true },
	{ "new file", add_file, true },
	{ "mode", change_mode, true },
	{ "link target", retarget_link, true },
	{ "FIFO", turn_file_into_fifo, true },
	{ "tree is a link", turn_tree_into_link, true },
	{ "manifest cut", cut_manifest, true },
	{ "manifest empty", empty_manifest, true },
	{ "manifest missing", remove_manifest, true },
	{ "info", change_info, true },
};

static void rebuilds_damaged_entries(void)
{
	for (size_t i = 0; i < KC_ARRAY_LENGTH(damages); i++) {
		KC_CLEANUP_TEST_STORE struct kc_test_store test;
		struct plan plan = make_plan();
		struct kc_error err = { 0 };
		char text[16];
		int entry;

		KC_REQUIRE(kc_test_store_make(&test));
		KC_CHECK_OK(get(&test, &plan, &err), err);
		entry = kc_dir_open(test.store.fd, ENTRY, &err);
		KC_CHECK_MESSAGE(damages[i].damage(entry), "%s: could not be done", damages[i].name);
		kc_fd_close(&entry);
		KC_CHECK_MESSAGE(get(&test, &plan, &err) == 0, "%s: %s", damages[i].name, err.text);
		KC_CHECK_MESSAGE(calls(&plan) == (damages[i].rebuilt ? 2 : 1), "%s: built %lld times",
				 damages[i].name, calls(&plan));
		KC_CHECK_STRING(kc_read_small(test.store.fd, ENTRY "/tree/dir/file", text, sizeof(text)),
				"content");
		KC_CHECK_INT(kc_test_store_count(&test, "tmp"), 0);
		KC_CHECK_INT(kc_test_store_count(&test, "trees"), 1);
		kc_fd_close(&plan.calls_fd);
	}
}

static void leaves_nothing_of_a_failed_build(void)
{
	static const struct {
		int fail_with;
		const char *hint;
	} rows[] = { { EBADMSG, "" }, { ENOSPC, "free some space where `" }, { EDQUOT, "XDG_CACHE_HOME" } };

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_TEST_STORE struct kc_test_store test;
		struct plan plan = make_plan();
		struct kc_error err = { 0 };

		KC_REQUIRE(kc_test_store_make(&test));
		plan.fail_with = rows[i].fail_with;
		KC_CHECK_INT(get(&test, &plan, &err), -rows[i].fail_with);
		KC_CHECK_CONTAINS(err.text, "write `dir/other`: ");
		KC_CHECK_CONTAINS(err.hint, rows[i].hint);
		KC_CHECK_INT(kc_test_store_count(&test, "tmp"), 0);
		KC_CHECK_INT(kc_test_store_count(&test, "trees"), 0);
		plan.fail_with = 0;
		KC_CHECK_OK(get(&test, &plan, &err), err);
		kc_fd_close(&plan.calls_fd);
	}
}

/* A child that gets the entry and exits with 0 if it did. */
static pid_t start_getter(struct plan *plan)
{
	pid_t child = fork();
	struct kc_store store;
	char tree[PATH_MAX];

	if (child != 0)
		return child;
	if (kc_store_open(&store, NULL) < 0)
		_exit(10);
	_exit(kc_store_get(&store, KEY, build, plan, tree, NULL, NULL) == 0 ? 0 : 11);
}

static int exit_status(pid_t child)
{
	int status = -1;

	return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void lets_two_builders_take_turns(void)
{
	KC_CLEANUP_TEST_STORE struct kc_test_store test;
	int started[2], go[2];
	struct plan plan = make_plan();
	pid_t first, second;
	char byte;

	KC_REQUIRE(kc_test_store_make(&test) && pipe2(started, O_CLOEXEC) == 0 && pipe2(go, O_CLOEXEC) == 0);
	plan.started_fd = started[1];
	plan.go_fd = go[0];
	first = start_getter(&plan);
	KC_CHECK_INT(read(started[0], &byte, 1), 1); /* it holds the lock, half of the tree is there */
	second = start_getter(&plan);
	KC_CHECK(!kc_store_has(&test.store, KEY));
	KC_CHECK_INT(write(go[1], "gg", 2), 2); /* one byte each, should both come to build */
	KC_CHECK_INT(exit_status(first), 0);
	KC_CHECK_INT(exit_status(second), 0);
	KC_CHECK_INT(calls(&plan), 1);
	KC_CHECK_INT(kc_test_store_count(&test, "trees"), 1);
	KC_CHECK_INT(kc_test_store_count(&test, "tmp"), 0);
	for (size_t i = 0; i < 2; i++) {
		kc_fd_close(&started[i]);
		kc_fd_close(&go[i]);
	}
	kc_fd_close(&plan.calls_fd);
}

static void cleans_up_after_a_killed_builder_only(void)
{
	KC_CLEANUP_TEST_STORE struct kc_test_store test;
	struct kc_store other;
	int started[2], go[2], status;
	struct plan plan = make_plan();
	struct kc_error err = { 0 };
	pid_t child;
	char byte;

	KC_REQUIRE(kc_test_store_make(&test) && pipe2(started, O_CLOEXEC) == 0 && pipe2(go, O_CLOEXEC) == 0);
	plan.started_fd = started[1];
	plan.go_fd = go[0];
	child = start_getter(&plan);
	KC_CHECK_INT(read(started[0], &byte, 1), 1);
	KC_CHECK_OK(kc_store_open(&other, &err), err); /* somebody is at work on it */
	kc_store_close(&other);
	KC_CHECK_INT(kc_test_store_count(&test, "tmp"), 1);
	KC_CHECK_INT(kill(child, SIGKILL), 0);
	KC_CHECK_INT(waitpid(child, &status, 0), child);
	KC_CHECK_INT(kc_test_store_count(&test, "tmp"), 1);
	KC_CHECK(!kc_store_has(&test.store, KEY));
	KC_CHECK_OK(kc_store_open(&other, &err), err); /* nobody is */
	kc_store_close(&other);
	KC_CHECK_INT(kc_test_store_count(&test, "tmp"), 0);
	plan.started_fd = plan.go_fd = -1;
	KC_CHECK_OK(get(&test, &plan, &err), err);
	for (size_t i = 0; i < 2; i++) {
		kc_fd_close(&started[i]);
		kc_fd_close(&go[i]);
	}
	kc_fd_close(&plan.calls_fd);
}

static void refuses_keys_that_are_paths(void)
{
	static const char *const keys[] = { "", ".", "..", "../x", "a/b", "/a", "a~b", ".a", "a b", "a\n" };
	KC_CLEANUP_TEST_STORE struct kc_test_store test;
	struct plan plan = make_plan();
	char tree[PATH_MAX];

	KC_REQUIRE(kc_test_store_make(&test));
	for (size_t i = 0; i < KC_ARRAY_LENGTH(keys); i++) {
		struct kc_error err = { 0 };

		KC_CHECK_INT(kc_store_get(&test.store, keys[i], build, &plan, tree, NULL, &err), -EINVAL);
		KC_CHECK(!kc_store_has(&test.store, keys[i]));
	}
	KC_CHECK_INT(calls(&plan), 0);
	kc_fd_close(&plan.calls_fd);
}

static void refuses_a_store_that_others_may_write(void)
{
	KC_CLEANUP_TEST_STORE struct kc_test_store test;
	struct kc_store store;
	struct kc_error err = { 0 };

	KC_REQUIRE(kc_test_store_make(&test));
	KC_CHECK_INT(fchmod(test.store.fd, 0777), 0);
	KC_CHECK_INT(kc_store_open(&store, &err), -EPERM);
	KC_CHECK_CONTAINS(err.text, "others may write to it");
	KC_CHECK_CONTAINS(err.hint, "XDG_CACHE_HOME");
	KC_CHECK_INT(fchmod(test.store.fd, 0700), 0);
	KC_CHECK_OK(kc_store_open(&store, &err), err);
	kc_store_close(&store);
	kc_store_close(&store);
}

static void ignores_a_relative_cache_directory(void)
{
	KC_CLEANUP_TEST_STORE struct kc_test_store test;
	struct kc_store store;
	struct kc_error err = { 0 };
	char *home = getenv("HOME") ? strdup(getenv("HOME")) : NULL;
	char wanted[PATH_MAX];

	KC_REQUIRE(kc_test_store_make(&test));
	(void)setenv("XDG_CACHE_HOME", "relative", 1);
	(void)setenv("HOME", test.scratch.path, 1);
	KC_CHECK_OK(kc_store_open(&store, &err), err);
	(void)snprintf(wanted, sizeof(wanted), "%s/.cache/krunner-compat", test.scratch.path);
	KC_CHECK_STRING(store.path, wanted);
	kc_store_close(&store);
	(void)unsetenv("HOME");
	KC_CHECK_INT(kc_store_open(&store, &err), -ENOENT);
	KC_CHECK_CONTAINS(err.hint, "set HOME");
	if (home)
		(void)setenv("HOME", home, 1);
	free(home);
}

KC_TEST_SUITE(store, KC_LABEL_FAST, KC_TEST(builds_once), KC_TEST(rebuilds_damaged_entries),
	      KC_TEST(leaves_nothing_of_a_failed_build), KC_TEST(lets_two_builders_take_turns),
	      KC_TEST(cleans_up_after_a_killed_builder_only), KC_TEST(refuses_keys_that_are_paths),
	      KC_TEST(refuses_a_store_that_others_may_write), KC_TEST(ignores_a_relative_cache_directory));
