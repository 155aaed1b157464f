/* The virtual clock on real programs: fixtures/programs/clock_program.c, static and dynamic. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buffer.h"
#include "clock/clock.h"
#include "fixtures/no_ptrace.h"
#include "sandbox/seccomp.h"
#include "sys/fd.h"
#include "sys/time.h"
#include "tests/kc_test.h"

#define PATIENCE_MS 60000 /* real; hours of virtual time pass in none of it */
#define TURN_MS 1000	  /* virtual, of one poll */

static const char *const programs[] = { KC_TEST_CLOCK_STATIC, KC_TEST_CLOCK_DYNAMIC };

/* A program under the clock, and what it printed. */
struct scene {
	struct kc_clock *clock;
	struct kc_seccomp_filter calls;
	struct kc_buffer output;
	int output_fd;
	pid_t pid;
	struct kc_error err;
};

static void close_scene(struct scene *scene)
{
	kc_clock_release(&scene->clock);
	kc_seccomp_release(&scene->calls);
	kc_buffer_release(&scene->output);
	kc_fd_close(&scene->output_fd);
}

/* What a traced process does before its program: waits for its tracer, then loads the filter. */
static _Noreturn void become(const struct scene *scene, int gate, int output, const char *const argv[])
{
	sigset_t none;
	const struct sock_fprog calls = { .len = scene->calls.length, .filter = scene->calls.instructions };
	char go;

	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	if (read(gate, &go, 1) != 1 || dup2(output, 1) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &calls) < 0)
		_exit(126);
	(void)execv(argv[0], (char *const *)(uintptr_t)argv);
	_exit(127);
}

static int start(struct scene *scene, const char *const argv[])
{
	int gate[2], output[2], status;

	if (pipe2(gate, O_CLOEXEC) < 0 || pipe2(output, O_CLOEXEC) < 0)
		return -errno;
	scene->pid = fork();
	if (scene->pid < 0)
		return -errno;
	if (scene->pid == 0)
		become(scene, gate[0], output[1], argv);
	(void)close(gate[0]);
	(void)close(output[1]);
	scene->output_fd = output[0];
	status = kc_clock_attach(scene->clock, scene->pid, &scene->err);
	if (status == 0 && write(gate[1], "x", 1) != 1)
		status = -errno;
	(void)close(gate[1]);
	return status;
}

static int open_scene(struct scene *scene, const struct kc_clock_options *options, const char *const argv[])
{
	struct kc_clock_options patient = *options;
	int status;

	*scene = (struct scene){ .output_fd = -1, .output = KC_BUFFER_INIT(65536) };
	patient.deadline_ms = patient.deadline_ms ? patient.deadline_ms : kc_now_ms() + PATIENCE_MS;
	status = kc_seccomp_trace(kc_clock_call, &scene->calls, &scene->err);
	if (status == 0)
		status = kc_clock_new(&patient, &scene->clock, &scene->err);
	return status < 0 ? status : start(scene, argv);
}

/* Until the program is gone and has said everything. */
static int play(struct scene *scene)
{
	char bytes[4096];
	ssize_t got = 1;
	int status = 0;

	while (status >= 0 && (!kc_clock_has_ended(scene->clock) || got > 0)) {
		struct pollfd output = { .fd = got > 0 ? scene->output_fd : -1, .events = POLLIN };

		status = kc_clock_poll(scene->clock, &output, 1, TURN_MS, &scene->err);
		if (status <= 0 || !output.revents)
			continue;
		got = read(scene->output_fd, bytes, sizeof(bytes));
		if (got > 0 && kc_buffer_append(&scene->output, bytes, (size_t)got) < 0)
			return -ENOMEM;
	}
	return status < 0 ? status : 0;
}

static void check_output(const char *program, const char *way, const char *expected)
{
	const char *const argv[] = { program, way, NULL };
	KC_CLEANUP(close_scene) struct scene scene;
	int status = open_scene(&scene, &(struct kc_clock_options){ 0 }, argv);

	if (status == 0)
		status = play(&scene);
	kc_test_check(status == 0, __FILE__, __LINE__, "%s %s: %s", program, way, scene.err.text);
	kc_test_check(strstr(kc_buffer_string(&scene.output), expected) != NULL, __FILE__, __LINE__,
		      "%s %s: expected \"%s\", got \"%s\"", program, way, expected,
		      kc_buffer_string(&scene.output));
	kc_test_check(kc_clock_leak(scene.clock) == NULL, __FILE__, __LINE__, "%s %s: leak", program, way);
}

/* A hundred seconds each, exactly, in whatever time this machine needs. */
static void every_wait_lasts_as_long_as_it_should(void)
{
	static const char *const ways[] = {
		"nanosleep",
		"clock_nanosleep",
		"moment",
		"epoll",
		"epoll_pwait2",
		"poll",
		"ppoll",
		"select",
		"pselect",
		"condition",
		"futex",
		"sigtimedwait",
		"timerfd",
		"itimer",
		"alarm",
		"threads",
		"timerfd-interval",
		"interruption",
		"child",
		"program",
		"pipe",
		"stopped-child",
		"errors",
		"vfork",
	};

	for (size_t p = 0; p < KC_ARRAY_LENGTH(programs); p++)
		for (size_t i = 0; i < KC_ARRAY_LENGTH(ways); i++) {
			char expected[64];

			(void)snprintf(expected, sizeof(expected), "%s=100.0", ways[i]);
			check_output(programs[p], ways[i], expected);
		}
}

static void all_clocks_agree(void)
{
	static const char *const lines[] = {
		"clock 0 advanced 100.00\n",	"clock 1 advanced 100.00\n",
		"clock 4 advanced 100.00\n",	"clock 5 advanced 100.00\n",
		"clock 6 advanced 100.00\n",	"clock 7 advanced 100.00\n",
		"clock 11 advanced 100.00\n",	"gettimeofday advanced 100.00\n",
		"time advanced 100\n",		"coarse and fine differ by -0.00\n",
		"time and clock differ by 0\n",
	};

	for (size_t p = 0; p < KC_ARRAY_LENGTH(programs); p++)
		for (size_t i = 0; i < KC_ARRAY_LENGTH(lines); i++)
			check_output(programs[p], "clocks", lines[i]);
}

static void a_thread_may_execute_a_program(void)
{
	for (size_t p = 0; p < KC_ARRAY_LENGTH(programs); p++)
		check_output(programs[p], "executing-thread", "poll=100.0");
}

/* The control of the tests above: without the clock the same program waits in real time. */
static void a_program_outside_lives_in_real_time(void)
{
	const char *const argv[] = { KC_TEST_CLOCK_STATIC, "poll", "0.2", NULL };
	int64_t begin_ms = kc_now_ms();
	int status;
	pid_t pid = fork();

	KC_REQUIRE(pid >= 0);
	if (pid == 0) {
		if (freopen("/dev/null", "w", stdout))
			(void)execv(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	KC_CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	KC_CHECK(kc_now_ms() - begin_ms >= 200);
}

static void who_asks_again_and_again_sees_time_pass(void)
{
	const char *const argv[] = { KC_TEST_CLOCK_STATIC, "asking", "0.01", NULL };
	KC_CLEANUP(close_scene) struct scene scene;

	KC_REQUIRE_OK(open_scene(&scene, &(struct kc_clock_options){ 0 }, argv), scene.err);
	KC_REQUIRE_OK(play(&scene), scene.err);
	KC_CHECK_STRING(kc_buffer_string(&scene.output), "asking=0.01\n");
}

/* A thousand times as fast: the program's time is at least what it waited for, and ours less. */
static void a_rate_makes_time_pass_faster(void)
{
	const char *const argv[] = { KC_TEST_CLOCK_DYNAMIC, "poll", "1000", NULL };
	KC_CLEANUP(close_scene) struct scene scene;
	int64_t begin_ms = kc_now_ms();
	double elapsed;

	KC_REQUIRE_OK(open_scene(&scene, &(struct kc_clock_options){ 0 }, argv), scene.err);
	kc_clock_set_rate(scene.clock, 1000);
	KC_REQUIRE_OK(play(&scene), scene.err);
	KC_REQUIRE(strncmp(kc_buffer_string(&scene.output), "poll=", 5) == 0);
	elapsed = strtod(kc_buffer_string(&scene.output) + 5, NULL);
	KC_CHECK(elapsed >= 1000);
	KC_CHECK((double)(kc_now_ms() - begin_ms) / 1000 < elapsed);
}

static void children_can_be_left_in_real_time(void)
{
	const char *const argv[] = { KC_TEST_CLOCK_STATIC, "program", "0.3", NULL };
	KC_CLEANUP(close_scene) struct scene scene;
	int64_t begin_ms = kc_now_ms();

	KC_REQUIRE_OK(open_scene(&scene, &(struct kc_clock_options){ .children_are_real = true }, argv),
		      scene.err);
	/* Or the clock would jump past the child. */
	kc_clock_set_rate(scene.clock, 1);
	KC_REQUIRE_OK(play(&scene), scene.err);
	KC_CHECK_CONTAINS(kc_buffer_string(&scene.output), "poll=0.3");
	KC_CHECK(kc_now_ms() - begin_ms >= 300);
}

static void a_call_that_keeps_real_time_is_told(void)
{
	const char *const argv[] = { KC_TEST_CLOCK_STATIC, "semaphore", "0.01", NULL };
	KC_CLEANUP(close_scene) struct scene scene;

	KC_REQUIRE_OK(open_scene(&scene, &(struct kc_clock_options){ 0 }, argv), scene.err);
	KC_REQUIRE_OK(play(&scene), scene.err);
	KC_REQUIRE(kc_clock_leak(scene.clock));
	KC_CHECK_STRING(kc_clock_leak(scene.clock), "semtimedop");
}

static void a_program_that_never_sleeps_ends_at_the_deadline(void)
{
	const char *const argv[] = { "/bin/sh", "-c", "while :; do :; done", NULL };
	KC_CLEANUP(close_scene) struct scene scene;
	const struct kc_clock_options options = { .deadline_ms = kc_now_ms() + 300 };

	KC_REQUIRE_OK(open_scene(&scene, &options, argv), scene.err);
	KC_CHECK_INT(kc_clock_poll(scene.clock, NULL, 0, TURN_MS, &scene.err), -ETIMEDOUT);
	KC_CHECK_CONTAINS(scene.err.text, "time limit");
}

/* Whatever state they are in: children, threads, a sleep, a loop. */
static void release_leaves_nothing_behind(void)
{
	static const char *const scripts[] = {
		"sleep 1000 & sleep 2000 & wait",
		"while :; do :; done & wait",
		"while :; do /bin/true; done",
		"kill -STOP $$",
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(scripts); i++) {
		const char *const argv[] = { "/bin/sh", "-c", scripts[i], NULL };
		KC_CLEANUP(close_scene) struct scene scene;

		KC_REQUIRE_OK(open_scene(&scene, &(struct kc_clock_options){ 0 }, argv), scene.err);
		kc_clock_set_rate(scene.clock, 1); /* a loop has no standstill */
		KC_CHECK_INT(kc_clock_poll(scene.clock, NULL, 0, 20, &scene.err), 0);
		kc_clock_release(&scene.clock);
		KC_CHECK_INT(waitpid(-1, NULL, WNOHANG | __WALL), -1); /* no child of ours, traced or not */
		KC_CHECK_INT(errno, ECHILD);
	}
}

/* Our end waits for a second of the program's silence, and everything sent before has arrived. */
static void what_is_under_way_is_no_standstill(void)
{
	static const char script[] = "import socket, sys\n"
				     "s = socket.socket(fileno=int(sys.argv[1]))\n"
				     "c, _ = s.accept()\n"
				     "for i in range(300):\n"
				     "    c.sendall(c.recv(100))\n";
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0); /* inherited */
	KC_CLEANUP_FD int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	KC_CLEANUP_FD int diagnosis = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	char number[16];
	const char *const argv[] = { "/usr/bin/python3", "-c", script, number, NULL };
	KC_CLEANUP(close_scene) struct scene scene;
	int answers = 0;

	KC_REQUIRE(listener >= 0 && fd >= 0 && diagnosis >= 0);
	KC_REQUIRE(bind(listener, (struct sockaddr *)&address, size) == 0 && listen(listener, 1) == 0 &&
		   getsockname(listener, (struct sockaddr *)&address, &size) == 0);
	(void)snprintf(number, sizeof(number), "%d", listener);
	KC_REQUIRE_OK(open_scene(&scene, &(struct kc_clock_options){ 0 }, argv), scene.err);
	(void)close(listener);
	KC_REQUIRE(connect(fd, (struct sockaddr *)&address, size) == 0);
	KC_REQUIRE_OK(kc_clock_watch(scene.clock, diagnosis, &fd, 1, &scene.err), scene.err);
	for (int i = 0; i < 300; i++) {
		struct pollfd answer = { .fd = fd, .events = POLLIN };
		char bytes[100];

		KC_REQUIRE(send(fd, "ping", 4, MSG_NOSIGNAL) == 4);
		if (kc_clock_poll(scene.clock, &answer, 1, 1000, &scene.err) == 1)
			answers += recv(fd, bytes, sizeof(bytes), 0) == 4;
	}
	KC_CHECK_INT(answers, 300);
}

static int status_of(pid_t pid)
{
	int status = -1;

	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void the_probe_tells_why_not(void)
{
	struct kc_error err = { 0 };
	pid_t pid;

	KC_REQUIRE_OK(kc_clock_probe(&err), err);
	pid = fork();
	KC_REQUIRE(pid >= 0);
	if (pid == 0) {
		bool is_told = kc_refuse_ptrace() == 0 && kc_clock_probe(&err) == -EPERM &&
			       strstr(err.text, "ptrace") && strstr(err.hint, "SYS_PTRACE");

		_exit(is_told ? 0 : 1);
	}
	KC_CHECK_INT(status_of(pid), 0);
}

static void an_unprivileged_user_may(void)
{
	pid_t pid;

	if (geteuid() != 0) {
		KC_CHECK(true); /* everything above has shown it */
		return;
	}
	pid = fork();
	KC_REQUIRE(pid >= 0);
	if (pid == 0) {
		const char *const argv[] = { KC_TEST_CLOCK_DYNAMIC, "threads", NULL };
		struct scene scene;
		int status = setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0 ||
			     prctl(PR_SET_DUMPABLE, 1) < 0;

		if (status == 0)
			status = open_scene(&scene, &(struct kc_clock_options){ 0 }, argv);
		if (status == 0)
			status = play(&scene);
		_exit(status == 0 && strcmp(kc_buffer_string(&scene.output), "threads=100.00\n") == 0 ? 0
												      : 1);
	}
	KC_CHECK_INT(status_of(pid), 0);
}

KC_TEST_SUITE(clock, KC_LABEL_FAST, KC_TEST(every_wait_lasts_as_long_as_it_should), KC_TEST(all_clocks_agree),
	      KC_TEST(a_thread_may_execute_a_program), KC_TEST(a_program_outside_lives_in_real_time),
	      KC_TEST(who_asks_again_and_again_sees_time_pass), KC_TEST(a_rate_makes_time_pass_faster),
	      KC_TEST(children_can_be_left_in_real_time), KC_TEST(a_call_that_keeps_real_time_is_told),
	      KC_TEST(a_program_that_never_sleeps_ends_at_the_deadline),
	      KC_TEST(release_leaves_nothing_behind), KC_TEST(what_is_under_way_is_no_standstill),
	      KC_TEST(the_probe_tells_why_not), KC_TEST(an_unprivileged_user_may));
