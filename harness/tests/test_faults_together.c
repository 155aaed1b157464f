/* Runs that share a store: at the same time, after one was killed, after something spoilt it. And what they weigh. */
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixtures/leftovers.h"
#include "fixtures/seed.h"
#include "fixtures/stage.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "tests/kc_test.h"

#define PATIENCE_MS (120 * 1000)
#define PEAK_KIB (64 << 10)

static struct kc_stage stage, other; /* two runs, one store: the other's TMPDIR and output are its own */
static char volume[PATH_MAX];

static int setup(void)
{
	if (kc_stage_make(&stage) < 0 || kc_stage_make(&other) < 0 || kc_seed_store(&stage, volume) < 0)
		return -1;
	(void)snprintf(other.cache, sizeof(other.cache), "%s", stage.cache);
	(void)snprintf(other.store, sizeof(other.store), "%s", stage.store);
	return 0;
}

static int teardown(void)
{
	kc_stage_remove(&other);
	kc_stage_remove(&stage);
	return 0;
}

static const char *const words[] = { "run", "centos7", "-k", "*.layout", "--volume", volume, NULL };
static const struct kc_stage_start plain = { .words = words };

static size_t count_in_store(const char *pattern)
{
	char path[PATH_MAX];
	glob_t found = { 0 };
	size_t count = 0;

	(void)snprintf(path, sizeof(path), "%s/%s", stage.store, pattern);
	if (glob(path, GLOB_NOSORT, NULL, &found) == 0)
		count = found.gl_pathc;
	globfree(&found);
	return count;
}

static void passed(const struct kc_stage *place, const char *name, int status, const char *told)
{
	struct kc_buffer output, errors;

	kc_stage_read(place, &output, &errors);
	KC_CHECK_MESSAGE(status == 0 && strstr(kc_buffer_string(&errors), "1 passed, 0 failed, 0 broken"),
			 "%s: exit status %d: %s", name, status, kc_buffer_string(&errors));
	KC_CHECK_MESSAGE(!told || strstr(kc_buffer_string(&errors), told), "%s: \"%s\" is not in %s", name,
			 told ? told : "", kc_buffer_string(&errors));
	KC_CHECK_MESSAGE(told || !strstr(kc_buffer_string(&errors), "  repairs "), "%s: repaired: %s", name,
			 kc_buffer_string(&errors));
	kc_buffer_release(&output);
	kc_buffer_release(&errors);
}

static void nothing_is_left(const char *name, struct kc_leftovers *leftovers)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(1 << 20);

	KC_CHECK_MESSAGE(kc_leftovers_after(leftovers, &text) == 0, "%s: left: %s", name,
			 kc_buffer_string(&text));
}

static void two_at_once_make_one_entry(void)
{
	struct kc_leftovers leftovers;
	struct kc_staged first, second;

	KC_CHECK_INT(kc_seed_forget(&stage, "trees/*"), 0);
	KC_REQUIRE(kc_leftovers_before(&leftovers, stage.temporary, stage.store) == 0);
	KC_REQUIRE(kc_stage_start(&stage, &plain, &first) == 0 &&
		   kc_stage_start(&other, &plain, &second) == 0);
	passed(&stage, "first", kc_stage_finish(&first, PATIENCE_MS), NULL);
	passed(&other, "second", kc_stage_finish(&second, PATIENCE_MS), NULL);
	nothing_is_left("two at once", &leftovers);
	KC_CHECK_INT((long long)count_in_store("trees/volume-*"), 1);
	KC_CHECK_INT((long long)count_in_store("trees/image-*"), 1);
}

/* The second waits for the first, which dies; the janitor of the first cleans up while the second builds. */
static void who_waits_for_a_killed_run_takes_over(void)
{
	struct kc_leftovers leftovers;
	struct kc_staged first, second;

	KC_CHECK_INT(kc_seed_forget(&stage, "trees/volume-*"), 0);
	KC_REQUIRE(kc_leftovers_before(&leftovers, stage.temporary, stage.store) == 0);
	KC_REQUIRE(kc_stage_start(&stage, &plain, &first) == 0);
	KC_CHECK(kc_stage_await(&first, stage.store, "tmp/volume-*/tree/bin"));
	KC_REQUIRE(kc_stage_start(&other, &plain, &second) == 0);
	KC_CHECK(kc_stage_await(&second, other.base, "stderr"));
	(void)kill(first.pid, SIGKILL);
	KC_CHECK_INT(kc_stage_finish(&first, PATIENCE_MS), 128 + SIGKILL);
	passed(&other, "the one that waited", kc_stage_finish(&second, PATIENCE_MS), NULL);
	nothing_is_left("taken over", &leftovers);
	KC_CHECK_INT((long long)count_in_store("trees/volume-*"), 1);
}

/* Who is interrupted while he waits does not wait. */
static void waiting_ends_with_an_interruption(void)
{
	struct kc_leftovers leftovers;
	struct kc_staged first, second;

	KC_CHECK_INT(kc_seed_forget(&stage, "trees/volume-*"), 0);
	KC_REQUIRE(kc_leftovers_before(&leftovers, stage.temporary, stage.store) == 0);
	KC_REQUIRE(kc_stage_start(&stage, &plain, &first) == 0);
	KC_CHECK(kc_stage_await(&first, stage.store, "tmp/volume-*/tree/bin"));
	(void)kill(first.pid, SIGSTOP); /* it holds the lock for as long as we like */
	KC_REQUIRE(kc_stage_start(&other, &plain, &second) == 0);
	KC_CHECK(kc_stage_await(&second, other.base, "stderr"));
	(void)poll(NULL, 0, 300); /* by then it most likely waits; before, the answer is the same */
	(void)kill(second.pid, SIGTERM);
	KC_CHECK_INT(kc_stage_finish(&second, 20000), 130);
	(void)kill(first.pid, SIGCONT);
	passed(&stage, "the one that was stopped", kc_stage_finish(&first, PATIENCE_MS), NULL);
	nothing_is_left("interrupted while waiting", &leftovers);
}

/* --- Damage --- */

static void find_one(const char *pattern, char ret_path[PATH_MAX])
{
	char path[PATH_MAX];
	glob_t found = { 0 };

	(void)snprintf(path, sizeof(path), "%s/%s", stage.store, pattern);
	ret_path[0] = '\0';
	if (KC_CHECK_MESSAGE(glob(path, GLOB_NOSORT, NULL, &found) == 0, "nothing is %s", path))
		(void)snprintf(ret_path, PATH_MAX, "%s", found.gl_pathv[0]);
	globfree(&found);
}

/* Replaced, not written into: entries may be links to the user's own. */
static void change_content(const char *path)
{
	struct stat status = { 0 };

	KC_CHECK_INT(stat(path, &status), 0);
	(void)unlink(path);
	KC_CHECK_INT(kc_file_write_atomic(AT_FDCWD, path, "changed", 7, status.st_mode & 07777, NULL), 0);
	KC_CHECK(geteuid() != 0 || chown(path, status.st_uid, status.st_gid) == 0);
}

static void remove_path(const char *path)
{
	KC_CHECK_INT(kc_tree_remove(AT_FDCWD, path, NULL), 0);
}

static void what_was_damaged_is_made_anew_and_said(void)
{
	static const struct {
		const char *name, *path;
		void (*damage)(const char *path);
		const char *told;
	} rows[] = {
		{ "a changed file of the volume", "trees/volume-*/tree/bin/ttyd", change_content,
		  "  repairs volume-" },
		{ "a volume without its manifest", "trees/volume-*/manifest", remove_path, NULL },
		{ "a file missing in the image", "trees/image-*/tree/etc/os-release", remove_path,
		  "  repairs image-" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		struct kc_leftovers leftovers;
		char path[PATH_MAX];

		passed(&stage, "before", kc_stage_run(&stage, &plain), NULL);
		find_one(rows[i].path, path);
		KC_REQUIRE(path[0] != '\0');
		rows[i].damage(path);
		KC_REQUIRE(kc_leftovers_before(&leftovers, stage.temporary, stage.store) == 0);
		passed(&stage, rows[i].name, kc_stage_run(&stage, &plain), rows[i].told);
		nothing_is_left(rows[i].name, &leftovers);
		passed(&stage, "and after that", kc_stage_run(&stage, &plain), NULL);
	}
}

/* --- Weight --- */

/* The case that is selected runs no program: what was waited for is all our own. getrusage(2), ru_maxrss. */
static void the_harness_stays_small(void)
{
	static const struct {
		const char *name, *forget;
	} rows[] = { { "cold", "trees/*" }, { "warm", "nothing" } };

#ifdef __SANITIZE_ADDRESS__
	KC_SKIP("the sanitizer's own memory would be measured");
#endif
	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		struct kc_staged staged;

		KC_CHECK_INT(kc_seed_forget(&stage, rows[i].forget), 0);
		KC_REQUIRE(kc_stage_start(&stage, &plain, &staged) == 0);
		passed(&stage, rows[i].name, kc_stage_finish(&staged, PATIENCE_MS), NULL);
		KC_CHECK_MESSAGE(staged.peak_kib > 1024 && staged.peak_kib < PEAK_KIB, "%s: %ld KiB",
				 rows[i].name, staged.peak_kib);
		printf("  %s: %ld KiB\n", rows[i].name, staged.peak_kib);
	}
}

KC_TEST_SUITE_WITH(faults_together, KC_LABEL_SLOW, setup, teardown, KC_TEST(two_at_once_make_one_entry),
		   KC_TEST(who_waits_for_a_killed_run_takes_over), KC_TEST(waiting_ends_with_an_interruption),
		   KC_TEST(what_was_damaged_is_made_anew_and_said), KC_TEST(the_harness_stays_small));
