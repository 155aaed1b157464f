#include "sys/janitor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sys/file.h"
#include "tests/kc_test.h"

static char base[PATH_MAX];

static int make_base(void)
{
	const char *parent = getenv("TMPDIR");

	(void)snprintf(base, sizeof(base), "%s/kc-janitor-XXXXXX", parent && *parent ? parent : "/tmp");
	return mkdtemp(base) ? 0 : -1;
}

static int remove_base(void)
{
	struct kc_error err = { 0 };

	return kc_tree_remove(AT_FDCWD, base, &err);
}

static const char *below(const char *name)
{
	static char paths[4][PATH_MAX + 64];
	static unsigned int next;
	char *path = paths[next++ % KC_ARRAY_LENGTH(paths)];

	(void)snprintf(path, sizeof(paths[0]), "%s/%s", base, name);
	return path;
}

static bool exists(const char *name)
{
	struct stat status;

	return lstat(below(name), &status) == 0;
}

static void make_file(const char *name)
{
	struct kc_error err = { 0 };

	KC_CHECK_OK(kc_file_write_atomic(AT_FDCWD, below(name), "x", 1, 0600, &err), err);
}

static void make_tree(const char *name)
{
	char file[64];

	(void)mkdir(below(name), 0700);
	(void)snprintf(file, sizeof(file), "%s/sub", name);
	(void)mkdir(below(file), 0500);
	(void)snprintf(file, sizeof(file), "%s/file", name);
	make_file(file);
}

/* Forks a program with a janitor that does `work` and ends as work leaves it. The janitor comes to us when
 * the program is gone, so that its end can be waited for. False if either could not be. */
static bool run_program(void (*work)(void), int *ret_status)
{
	struct kc_error err = { 0 };
	pid_t pid;
	bool finished;

	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return false;
	pid = fork();
	if (pid == 0) {
		if (kc_janitor_start(&err) < 0)
			_exit(99);
		work();
		_exit(0);
	}
	finished = pid > 0 && waitpid(pid, ret_status, 0) == pid;
	while (wait(NULL) > 0) /* the janitor, and whatever the program left */
		;
	(void)prctl(PR_SET_CHILD_SUBREAPER, 0);
	return finished;
}

static void must(int status)
{
	if (status < 0)
		_exit(98);
}

static void watch_trees_and_die(void)
{
	must(kc_janitor_watch(KC_JANITOR_TREE, below("watched"), NULL));
	must(kc_janitor_watch(KC_JANITOR_TREE, below("forgotten"), NULL));
	must(kc_janitor_watch(KC_JANITOR_TREE, below("never-made"), NULL));
	must(kc_janitor_watch(KC_JANITOR_TREE, below("link"), NULL));
	kc_janitor_forget(below("forgotten"));
	kc_janitor_forget(below("never-watched"));
	(void)kill(getpid(), SIGKILL);
}

static void removes_what_a_killed_program_watched_and_nothing_else(void)
{
	int status = 0;

	make_tree("watched");
	make_tree("forgotten");
	make_tree("never-watched");
	make_tree("target");
	KC_CHECK_INT(symlink(below("target"), below("watched/out")), 0);
	KC_CHECK_INT(symlink(below("target"), below("link")), 0);
	KC_REQUIRE(run_program(watch_trees_and_die, &status));
	KC_CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	KC_CHECK(!exists("watched"));
	KC_CHECK(!exists("link"));
	KC_CHECK(exists("forgotten/file"));
	KC_CHECK(exists("never-watched/file"));
	KC_CHECK(exists("target/file"));
}

static void stop_normally(void)
{
	must(kc_janitor_watch(KC_JANITOR_TREE, below("left"), NULL));
	kc_janitor_stop();
	/* It is gone when stop returns, and so is what it had to remove. */
	if (waitpid(-1, NULL, WNOHANG) != -1 || errno != ECHILD || exists("left"))
		_exit(1);
	kc_janitor_stop();
	must(kc_janitor_watch(KC_JANITOR_TREE, below("afterwards"), NULL));
}

static void a_normal_stop_waits_and_removes_what_is_left(void)
{
	int status = 0;

	make_tree("left");
	make_tree("afterwards");
	KC_REQUIRE(run_program(stop_normally, &status));
	KC_CHECK(WIFEXITED(status));
	KC_CHECK_INT(WEXITSTATUS(status), 0);
	KC_CHECK(!exists("left"));
	KC_CHECK(exists("afterwards"));
}

/* The program dies at once; its worker watches something after that, then ends as well. */
static void leave_a_worker(void)
{
	struct pollfd program = { .fd = pidfd_open(getpid(), 0), .events = POLLIN };
	pid_t pid = fork();

	if (program.fd < 0 || pid < 0)
		_exit(97);
	if (pid > 0)
		(void)kill(getpid(), SIGKILL);
	(void)poll(&program, 1, -1); /* readable when the program is dead, pidfd_open(2) */
	must(kc_janitor_watch(KC_JANITOR_TREE, below("workers"), NULL));
	kc_janitor_stop(); /* not its janitor: this only closes its end */
	_exit(0);
}

static void waits_for_forked_workers_too(void)
{
	int status = 0;

	make_tree("workers");
	KC_REQUIRE(run_program(leave_a_worker, &status));
	KC_CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	KC_CHECK(!exists("workers"));
}

static void watch_cgroup_and_die(void)
{
	must(kc_janitor_watch(KC_JANITOR_CGROUP, below("cgroup"), NULL));
	(void)kill(getpid(), SIGKILL);
}

/* A directory that looks like a cgroup: what is listed in it is killed. A real one needs a machine that hands
 * cgroups out. */
static void kills_what_is_in_a_cgroup(void)
{
	struct kc_error err = { 0 };
	char list[64];
	int length, status = 0;
	pid_t control = fork(), member;

	if (control == 0)
		for (;;)
			(void)pause();
	member = fork();
	if (member == 0)
		for (;;)
			(void)pause();
	length = snprintf(list, sizeof(list), "%ld\n", (long)member);
	KC_CHECK_INT(mkdir(below("cgroup"), 0700), 0);
	KC_CHECK_OK(kc_file_write_atomic(AT_FDCWD, below("cgroup/cgroup.procs"), list, (size_t)length, 0600,
					 &err),
		    err);
	{
		pid_t program = fork();

		if (program == 0) {
			if (kc_janitor_start(&err) == 0)
				watch_cgroup_and_die();
			_exit(1);
		}
		KC_CHECK_INT(waitpid(program, &status, 0), program);
		KC_CHECK(WIFSIGNALED(status));
	}
	KC_CHECK_INT(waitpid(member, &status, 0), member);
	KC_CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	KC_CHECK_INT(waitpid(control, &status, WNOHANG), 0);
	(void)kill(control, SIGKILL);
	KC_CHECK_INT(waitpid(control, &status, 0), control);
}

static void look_at_the_janitor(void)
{
	FILE *list = fopen("/proc/thread-self/children", "re");
	char path[64], target[64];
	long pid = 0;
	unsigned int open_fds = 0;

	if (!list || fscanf(list, "%ld", &pid) != 1)
		_exit(1);
	(void)fclose(list);
	if (getsid((pid_t)pid) != pid)
		_exit(2);
	for (int fd = 0; fd < 1024; fd++) {
		ssize_t length;

		(void)snprintf(path, sizeof(path), "/proc/%ld/fd/%d", pid, fd);
		length = readlink(path, target, sizeof(target) - 1);
		if (length < 0)
			continue;
		target[length] = '\0';
		open_fds += strcmp(target, "/dev/null") != 0;
	}
	if (open_fds != 1)
		_exit(3);
	/* These it does not mind; what it does mind would show as a failed watch. */
	(void)kill((pid_t)pid, SIGINT);
	(void)kill((pid_t)pid, SIGTERM);
	(void)kill((pid_t)pid, SIGHUP);
	must(kc_janitor_watch(KC_JANITOR_TREE, below("despite-signals"), NULL));
	(void)kill(getpid(), SIGKILL);
}

static void is_on_its_own_and_deaf_to_signals(void)
{
	int status = 0;

	make_tree("despite-signals");
	KC_REQUIRE(run_program(look_at_the_janitor, &status));
	KC_CHECK_MESSAGE(WIFSIGNALED(status), "exit status %d", WEXITSTATUS(status));
	KC_CHECK(!exists("despite-signals"));
}

static void kill_the_janitor(void)
{
	FILE *list = fopen("/proc/thread-self/children", "re");
	struct kc_error err = { 0 };
	long pid = 0;

	if (!list || fscanf(list, "%ld", &pid) != 1)
		_exit(1);
	(void)kill((pid_t)pid, SIGKILL);
	(void)waitpid((pid_t)pid, NULL, 0);
	if (kc_janitor_watch(KC_JANITOR_TREE, below("unwatched"), &err) != -EPIPE)
		_exit(2);
	kc_janitor_stop();
	_exit(strstr(err.text, "clean-up process") ? 0 : 3);
}

static void a_dead_janitor_is_an_error(void)
{
	int status = 0;

	KC_REQUIRE(run_program(kill_the_janitor, &status));
	KC_CHECK(WIFEXITED(status));
	KC_CHECK_INT(WEXITSTATUS(status), 0);
}

static void watches_plain_absolute_paths_only(void)
{
	static char longest[4002];
	static const struct {
		const char *path;
		int status;
	} rows[] = {
		{ "/tmp/x", 0 },	 { "/var/tmp/a.b/c", 0 },    { "/tmp/..x", 0 },
		{ "", -EINVAL },	 { "/", -EINVAL },	     { "/tmp", -EINVAL },
		{ "tmp/x", -EINVAL },	 { "/tmp/", -EINVAL },	     { "/tmp/x/", -EINVAL },
		{ "/tmp//x", -EINVAL },	 { "/tmp/../x", -EINVAL },   { "/tmp/x/..", -EINVAL },
		{ "/tmp/./x", -EINVAL }, { longest, -ENAMETOOLONG },
	};

	memset(longest, 'x', sizeof(longest) - 1);
	memcpy(longest, "/x/", 3);
	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		struct kc_error err = { 0 };
		int status = kc_janitor_watch(KC_JANITOR_TREE, rows[i].path, &err);

		KC_CHECK_MESSAGE(status == rows[i].status, "`%.40s`: got %d, want %d", rows[i].path, status,
				 rows[i].status);
		KC_CHECK_INT(err.code, rows[i].status);
	}
}

static void without_a_janitor_nothing_happens(void)
{
	struct kc_error err = { 0 };

	make_tree("plain");
	KC_CHECK_OK(kc_janitor_watch(KC_JANITOR_TREE, below("plain"), &err), err);
	kc_janitor_stop();
	KC_CHECK(exists("plain/file"));
}

KC_TEST_SUITE_WITH(janitor, KC_LABEL_FAST, make_base, remove_base,
		   KC_TEST(removes_what_a_killed_program_watched_and_nothing_else),
		   KC_TEST(a_normal_stop_waits_and_removes_what_is_left),
		   KC_TEST(waits_for_forked_workers_too), KC_TEST(kills_what_is_in_a_cgroup),
		   KC_TEST(is_on_its_own_and_deaf_to_signals), KC_TEST(a_dead_janitor_is_an_error),
		   KC_TEST(watches_plain_absolute_paths_only), KC_TEST(without_a_janitor_nothing_happens));
