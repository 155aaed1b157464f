#include "run/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run/scheduler.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/janitor.h"
#include "tests/kc_test.h"

/* Each test has a $TMPDIR of its own. */
struct place {
	char path[64];
	char *before;
};

static void leave(struct place *place)
{
	struct kc_error err = { 0 };

	KC_CHECK_OK(kc_tree_remove(AT_FDCWD, place->path, &err), err);
	if (place->before)
		(void)setenv("TMPDIR", place->before, 1);
	else
		(void)unsetenv("TMPDIR");
	free(place->before);
}

static struct place enter(void)
{
	struct place place = { .path = "/tmp/kc-scratch-XXXXXX" };
	const char *before = getenv("TMPDIR");

	place.before = before ? strdup(before) : NULL;
	KC_CHECK(mkdtemp(place.path) != NULL);
	(void)setenv("TMPDIR", place.path, 1);
	return place;
}

#define PLACE KC_CLEANUP(leave) struct place place = enter()

static unsigned int count_entries(const char *path)
{
	KC_CLEANUP_DIR DIR *dir = opendir(path);
	struct dirent *entry;
	unsigned int count = 0;

	while (dir && (entry = readdir(dir)))
		count += entry->d_name[0] != '.';
	return count;
}

static const char *join(const struct place *place, const char *name)
{
	static char path[256];

	(void)snprintf(path, sizeof(path), "%s/%s", place->path, name);
	return path;
}

static bool exists(const char *path)
{
	struct stat status;

	return lstat(path, &status) == 0;
}

static void is_made_and_removed(void)
{
	PLACE;
	struct kc_scratch scratch = KC_SCRATCH_INIT;
	struct kc_error err = { 0 };
	struct stat status;
	char file[PATH_MAX + 8];

	KC_REQUIRE_OK(kc_scratch_make(&scratch, false, &err), err);
	KC_CHECK(strncmp(scratch.path, place.path, strlen(place.path)) == 0);
	KC_CHECK_INT(stat(scratch.path, &status), 0);
	KC_CHECK_INT(status.st_mode & 07777, 0700);
	(void)snprintf(file, sizeof(file), "%s/file", scratch.path);
	KC_CHECK_OK(kc_file_write_atomic(AT_FDCWD, file, "x", 1, 0600, &err), err);
	KC_CHECK_OK(kc_scratch_release(&scratch, &err), err);
	KC_CHECK_OK(kc_scratch_release(&scratch, &err), err);
	KC_CHECK_INT(count_entries(place.path), 0);
}

static void a_kept_one_outlives_its_run_and_the_next(void)
{
	PLACE;
	struct kc_scratch kept = KC_SCRATCH_INIT, next = KC_SCRATCH_INIT;
	struct kc_error err = { 0 };

	KC_CHECK_OK(kc_scratch_make(&kept, true, &err), err);
	KC_CHECK_OK(kc_scratch_release(&kept, &err), err);
	KC_CHECK_OK(kc_scratch_make(&next, false, &err), err);
	KC_CHECK_OK(kc_scratch_release(&next, &err), err);
	KC_CHECK_INT(count_entries(place.path), 1);
}

static void a_run_removes_what_a_killed_one_left_and_nothing_else(void)
{
	PLACE;
	struct kc_scratch scratch = KC_SCRATCH_INIT;
	struct kc_error err = { 0 };
	int live;

	KC_CHECK_INT(mkdir(join(&place, "krunner-compat-0123456789abcdef"), 0700), 0);
	KC_CHECK_INT(mkdir(join(&place, "krunner-compat-0123456789abcdef/x"), 0500), 0);
	KC_CHECK_INT(mkdir(join(&place, "krunner-compat-0123456789abcdeg"), 0700), 0);
	KC_CHECK_INT(symlink("/tmp", join(&place, "krunner-compat-00000000deadbeef")), 0);
	KC_CHECK_INT(mkdir(join(&place, "krunner-compat-11111111deadbeef"), 0700), 0);
	live = kc_dir_open(AT_FDCWD, join(&place, "krunner-compat-11111111deadbeef"), &err);
	KC_CHECK_INT(flock(live, LOCK_EX), 0);
	KC_CHECK_OK(kc_scratch_make(&scratch, false, &err), err);
	KC_CHECK_OK(kc_scratch_release(&scratch, &err), err);
	KC_CHECK(!exists(join(&place, "krunner-compat-0123456789abcdef")));
	KC_CHECK(exists(join(&place, "krunner-compat-0123456789abcdeg")));
	KC_CHECK(exists(join(&place, "krunner-compat-00000000deadbeef")));
	KC_CHECK(exists(join(&place, "krunner-compat-11111111deadbeef")));
	kc_fd_close(&live);
}

static void two_at_once_leave_each_other_alone(void)
{
	PLACE;
	struct kc_scratch one = KC_SCRATCH_INIT, other = KC_SCRATCH_INIT;
	struct kc_error err = { 0 };

	KC_CHECK_OK(kc_scratch_make(&one, false, &err), err);
	KC_CHECK_OK(kc_scratch_make(&other, false, &err), err);
	KC_CHECK(exists(one.path));
	KC_CHECK(exists(other.path));
	KC_CHECK_OK(kc_scratch_release(&one, &err), err);
	KC_CHECK_OK(kc_scratch_release(&other, &err), err);
	KC_CHECK_INT(count_entries(place.path), 0);
}

static void a_missing_place_is_an_error_that_says_what_to_do(void)
{
	PLACE;
	struct kc_scratch scratch = KC_SCRATCH_INIT;
	struct kc_error err = { 0 };

	(void)setenv("TMPDIR", join(&place, "missing"), 1);
	KC_CHECK_INT(kc_scratch_make(&scratch, false, &err), -ENOENT);
	KC_CHECK_CONTAINS(err.hint, "TMPDIR");
	KC_CHECK_OK(kc_scratch_release(&scratch, &err), err);
}

static void kill_the_run(const struct kc_case *row, struct kc_case_context *context, struct kc_result *result)
{
	(void)row;
	(void)context;
	(void)result;
	(void)kill(getppid(), SIGKILL);
	for (;;)
		(void)pause();
}

/* A whole run, as cmd_run makes it, that a case of its own kills. */
static void run_and_be_killed(void)
{
	static const struct kc_case row = { KC_CASE("kill"), .what = "x", .run = kill_the_run,
					    .timeout_ms = 60000 };
	static const struct kc_case_table table = { "fakes", "fakes.c", &row, 1 };
	static const struct kc_case_table *const tables[] = { &table, NULL };
	static const struct kc_plan_request request = { .image = "none", .tables = tables };
	static const struct kc_case_context context;
	struct kc_scratch scratch = KC_SCRATCH_INIT;
	struct kc_scheduler scheduler = { .context = &context, .scratch = scratch.path };
	static const struct kc_report_suite suite = { .name = "none" };
	struct kc_report_run told = { .suites = &suite, .suite_count = 1 };
	struct kc_plan plan = { 0 };
	struct kc_tally tally;

	if (kc_janitor_start(NULL) < 0 || kc_scratch_make(&scratch, false, NULL) < 0 ||
	    kc_plan_make(&plan, &request, NULL) < 0)
		_exit(1);
	told.cases = plan.cases;
	told.case_count = plan.count;
	_exit(kc_scheduler_run(&scheduler, &plan, &told, &tally, NULL) < 0 ? 2 : 3);
}

static void a_killed_run_leaves_neither_files_nor_processes(void)
{
	PLACE;
	int status = 0;
	pid_t pid;

	/* Its descendants come to us, so that we can wait until all have ended by themselves. */
	KC_REQUIRE(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
	pid = fork();
	if (pid == 0)
		run_and_be_killed();
	KC_CHECK_INT(waitpid(pid, &status, 0), pid);
	KC_CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	while (wait(NULL) > 0)
		;
	KC_CHECK_INT(errno, ECHILD);
	(void)prctl(PR_SET_CHILD_SUBREAPER, 0);
	KC_CHECK_INT(count_entries(place.path), 0);
}

KC_TEST_SUITE(scratch, KC_LABEL_FAST, KC_TEST(is_made_and_removed),
	      KC_TEST(a_kept_one_outlives_its_run_and_the_next),
	      KC_TEST(a_run_removes_what_a_killed_one_left_and_nothing_else),
	      KC_TEST(two_at_once_leave_each_other_alone),
	      KC_TEST(a_missing_place_is_an_error_that_says_what_to_do),
	      KC_TEST(a_killed_run_leaves_neither_files_nor_processes));
