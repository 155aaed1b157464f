/*
 * The sandbox on the real kernel. The host's /usr serves as the image: where /bin and /lib are links into it, it is a root
 * file system of its own, and (unlike /) it has no mounts inside, which an overlay in a user namespace does not take.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "archive/layer.h"
#include "base/embedded.h"
#include "clock/clock.h"
#include "fixtures/sentinel.h"
#include "fixtures/temporary.h"
#include "sandbox/cgroup.h"
#include "sandbox/sandbox.h"
#include "sandbox/seccomp.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/janitor.h"
#include "sys/time.h"
#include "tests/kc_test.h"

#define INNER_ID 2147400000u
#define PATIENCE_MS 20000
#ifdef __x86_64__
#define PERL_BASE "-I/lib/x86_64-linux-gnu/perl-base"
#else
#define PERL_BASE "-I/lib/aarch64-linux-gnu/perl-base"
#endif

static struct kc_seccomp_filter filter;

static const char *const environment[] = { "PATH=/bin", "MARK=inside", NULL };

struct ran {
	struct kc_sandbox_outcome outcome;
	struct kc_buffer output;
	struct kc_error err;
	int status;
};

static void ran_release(struct ran *ran)
{
	kc_buffer_release(&ran->output);
}
#define CLEANUP_RAN KC_CLEANUP(ran_release)

static int setup(void)
{
	struct kc_error err = { 0 };
	const char *profile = NULL;
	size_t length = 0;

	if (!kc_embedded_find("compat/seccomp.json", &profile, &length))
		return -ENOENT;
	if (kc_seccomp_compile(profile, length, "compat/seccomp.json", &filter, &err) < 0) {
		printf("%s\n", err.text);
		return -EINVAL;
	}
	return 0;
}

static int teardown(void)
{
	kc_seccomp_release(&filter);
	return 0;
}

static struct kc_sandbox *make_on(const char *tree, const char *const argv[])
{
	struct kc_sandbox *sandbox = kc_sandbox_new();

	if (!sandbox)
		return NULL;
	kc_sandbox_set_inner_id(sandbox, INNER_ID);
	kc_sandbox_add_layer(sandbox, tree);
	kc_sandbox_set_filter(sandbox, &filter);
	kc_sandbox_set_command(sandbox, argv, environment);
	return sandbox;
}

static struct kc_sandbox *make(const char *const argv[])
{
	return make_on("/usr", argv);
}

/* Runs it to its end; stdout and stderr come together. */
static void run_argv(struct ran *ran, const char *const argv[], int64_t timeout_ms)
{
	KC_CLEANUP(kc_sandbox_release) struct kc_sandbox *sandbox = make(argv);
	KC_CLEANUP_FREE struct kc_excerpt *excerpt = calloc(1, sizeof(*excerpt));

	*ran = (struct ran){ .output = KC_BUFFER_INIT(1 << 20), .status = -ENOMEM };
	if (!sandbox || !excerpt)
		return;
	ran->status = kc_sandbox_start(sandbox, &ran->err);
	if (ran->status == 0)
		ran->status = kc_sandbox_wait(sandbox, kc_now_ms() + timeout_ms, excerpt, excerpt,
					      &ran->outcome, &ran->err);
	if (ran->status == 0)
		ran->status = kc_excerpt_append_to(excerpt, &ran->output);
}

static void run_shell(struct ran *ran, const char *script)
{
	const char *const argv[] = { "/bin/sh", "-c", script, NULL };

	run_argv(ran, argv, PATIENCE_MS);
}

/* What a program sees inside. */
static void a_program_sees_only_its_own_world(void)
{
	static const struct {
		const char *name, *script, *expected;
	} rows[] = {
		{ "environment is built from nothing",
		  "env | grep -v -e ^PWD= -e ^_= -e ^SHLVL= -e ^OLDPWD= | sort", "MARK=inside\nPATH=/bin\n" },
		{ "root inside", "id -u; id -g", "0\n0\n" },
		{ "pid 1 is ours, its child is the program", "echo $$ $PPID", "2 1\n" },
		{ "host name", "cat /proc/sys/kernel/hostname", "krunner\n" },
		{ "only loopback", "tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '", "lo\n" },
		{ "loopback is up", "cat /proc/net/fib_trie | grep -c 127.0.0.1 | grep -qv '^0$' && echo up",
		  "up\n" },
		{ "no capabilities", "grep -h ^Cap /proc/self/status | cut -f2 | sort -u",
		  "0000000000000000\n" },
		{ "no new privileges, and a filter",
		  "grep -h -e ^NoNewPrivs -e ^Seccomp: /proc/self/status | cut -f2", "1\n2\n" },
		{ "standard input is empty", "cat; echo end", "end\n" },
		{ "no descriptor of ours", "ls /proc/self/fd | sort -n | tr '\\n' ' '", "0 1 2 3 " },
		{ "devices", "ls /dev | tr '\\n' ' '",
		  "fd full null ptmx pts random shm stderr stdin stdout tty urandom zero " },
		{ "the root can be written to", "echo x > /new-file && cat /new-file", "x\n" },
		{ "and so can /tmp, which is empty", "ls -A /tmp; echo y > /tmp/f && cat /tmp/f", "y\n" },
		{ "no cgroup file system", "grep -c ' - cgroup' /proc/self/mountinfo; true", "0\n" },
		{ "the host's mounts are gone", "grep -c -e ' /sys ' -e ' /home ' /proc/self/mountinfo; true",
		  "0\n" },
		{ "cgroup namespace is rooted here", "cut -d: -f3 /proc/self/cgroup | sort -u", "/\n" },
		{ "no terminal", "(: < /dev/tty) 2>/dev/null || echo none", "none\n" },
		{ "limits", "ulimit -c; ulimit -n", "0\n1024\n" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		CLEANUP_RAN struct ran ran;

		run_shell(&ran, rows[i].script);
		KC_CHECK_MESSAGE(ran.status == 0, "%s: %s", rows[i].name, ran.err.text);
		KC_CHECK_MESSAGE(strcmp(kc_buffer_string(&ran.output), rows[i].expected) == 0,
				 "%s: got \"%s\", want \"%s\"", rows[i].name, kc_buffer_string(&ran.output),
				 rows[i].expected);
	}
	KC_CHECK(access("/usr/new-file", F_OK) < 0);
}

static void ends_are_told_apart(void)
{
	static const struct {
		const char *name, *argv[4];
		int64_t timeout_ms;
		enum kc_sandbox_end end;
		int status;
	} rows[] = {
		{ "success", { "/bin/true" }, PATIENCE_MS, KC_END_EXITED, 0 },
		{ "exit status", { "/bin/sh", "-c", "exit 7" }, PATIENCE_MS, KC_END_EXITED, 7 },
		{ "signal", { "/bin/sh", "-c", "kill -SEGV $$" }, PATIENCE_MS, KC_END_KILLED, SIGSEGV },
		{ "no such program", { "/no/such" }, PATIENCE_MS, KC_END_NOT_STARTED, ENOENT },
		{ "not a program", { "/lib" }, PATIENCE_MS, KC_END_NOT_STARTED, EACCES },
		{ "time limit", { "/bin/sh", "-c", "sleep 600" }, 200, KC_END_TIMEOUT, SIGKILL },
		{ "time limit, signals ignored",
		  { "/bin/sh", "-c", "trap '' TERM INT HUP; while :; do sleep 1; done" },
		  200,
		  KC_END_TIMEOUT,
		  SIGKILL },
		{ "a daemon that holds stdout",
		  { "/bin/sh", "-c", "setsid sleep 600 & exit 0" },
		  PATIENCE_MS,
		  KC_END_EXITED,
		  0 },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		CLEANUP_RAN struct ran ran;

		run_argv(&ran, rows[i].argv, rows[i].timeout_ms);
		KC_CHECK_MESSAGE(ran.status == 0, "%s: %s", rows[i].name, ran.err.text);
		KC_CHECK_MESSAGE(ran.outcome.end == rows[i].end && ran.outcome.status == rows[i].status,
				 "%s: got end %d status %d", rows[i].name, (int)ran.outcome.end,
				 ran.outcome.status);
	}
}

static void leftovers_are_counted_and_killed(void)
{
	CLEANUP_RAN struct ran ran;

	run_shell(&ran, "setsid sleep 600 & setsid sleep 600 & echo started");
	KC_CHECK_OK(ran.status, ran.err);
	KC_CHECK_INT(ran.outcome.leftovers, 2);
	KC_CHECK_STRING(kc_buffer_string(&ran.output), "started\n");
}

static void output_without_end_is_cut_in_the_middle(void)
{
	CLEANUP_RAN struct ran ran;

	run_shell(&ran, "yes 0123456789 | head -c 3000000; echo last");
	KC_CHECK_OK(ran.status, ran.err);
	KC_CHECK_CONTAINS(kc_buffer_string(&ran.output), "bytes left out");
	KC_CHECK(ran.output.length < 70000);
	KC_CHECK_STRING(ran.output.data + ran.output.length - 5, "last\n");
}

/* The system calls that the profile refuses, as programs see it. Perl is part of every Debian. */
static void refused_system_calls_look_as_on_an_old_kernel(void)
{
	static const struct {
		const char *name, *call, *errno_name;
	} rows[] = {
		{ "unshare a user namespace", "syscall(272, 0x10000000)", "EPERM" },
		{ "mount", "syscall(165, 0, 0, 0, 0, 0)", "EPERM" },
		{ "clone3", "syscall(435, 0, 0)", "ENOSYS" },
		{ "clone a user namespace", "syscall(56, 0x10000011, 0, 0, 0, 0)", "EPERM" },
		{ "io_uring_setup", "syscall(425, 1, 0)", "ENOSYS" },
		{ "open_tree", "syscall(428, -100, 0, 0)", "ENOSYS" },
		{ "a call of the future", "syscall(999)", "ENOSYS" },
		{ "push a character into the terminal", "syscall(16, 0, 0x5412, 0)", "EPERM" },
		{ "the same with high bits set", "syscall(16, 0, 0x100005412, 0)", "EPERM" },
		{ "a socket to the hypervisor", "syscall(41, 40, 1, 0)", "EAFNOSUPPORT" },
		{ "a packet socket", "syscall(41, 17, 3, 0)", "ENOSYS" },
		{ "bpf", "syscall(321, 0, 0, 0)", NULL },
		{ "keyctl", "syscall(250, 0, 0)", NULL },
	};

#ifndef __x86_64__
	KC_SKIP("the numbers are those of x86_64");
#endif
	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		char script[256];
		const char *const argv[] = { "/bin/perl", PERL_BASE, "-MErrno", "-e", script, NULL };
		CLEANUP_RAN struct ran ran;

		(void)snprintf(script, sizeof(script),
			       "print %s < 0 ? join(' ', sort grep { $!{$_} } keys %%!) : 'worked'",
			       rows[i].call);
		run_argv(&ran, argv, PATIENCE_MS);
		KC_CHECK_MESSAGE(ran.status == 0, "%s: %s", rows[i].name, ran.err.text);
		KC_CHECK_MESSAGE(rows[i].errno_name
					 ? strstr(kc_buffer_string(&ran.output), rows[i].errno_name) != NULL
					 : strstr(kc_buffer_string(&ran.output), "EPERM") ||
						   strstr(kc_buffer_string(&ran.output), "ENOSYS"),
				 "%s: got %s", rows[i].name, kc_buffer_string(&ran.output));
	}
}

/* The same call through another architecture's entry must not slip past the filter (HOSTILE D10). */
static void other_architectures_are_killed(void)
{
	const char *const x32[] = { "/bin/perl", "-e", "syscall(0x40000000 + 39); print 'survived'", NULL };
	CLEANUP_RAN struct ran ran;

#ifndef __x86_64__
	KC_SKIP("x32 is an entry of x86_64");
#endif
	run_argv(&ran, x32, PATIENCE_MS);
	KC_CHECK_OK(ran.status, ran.err);
	KC_CHECK_INT(ran.outcome.end, KC_END_KILLED);
	KC_CHECK_INT(ran.outcome.status, SIGSYS);
}

static void the_volume_is_read_only_at_its_place(void)
{
	char directory[] = "/tmp/krunner-compat-test-XXXXXX";
	const char *const argv[] = {
		"/bin/sh", "-c",
		"cat /opt/backend.ai/file; echo > /opt/backend.ai/file; echo > /opt/backend.ai/new", NULL
	};
	KC_CLEANUP(kc_sandbox_release) struct kc_sandbox *sandbox = make(argv);
	KC_CLEANUP_FREE struct kc_excerpt *excerpt = calloc(1, sizeof(*excerpt));
	struct kc_sandbox_outcome outcome;
	struct kc_buffer output = KC_BUFFER_INIT(1 << 16);
	struct kc_error err = { 0 };
	char path[64];

	KC_REQUIRE(sandbox && excerpt && mkdtemp(directory));
	(void)chmod(directory, 0755);
	(void)snprintf(path, sizeof(path), "%s/file", directory);
	KC_CHECK_OK(kc_file_write_atomic(AT_FDCWD, path, "kept\n", 5, 0666, &err), err);
	(void)chmod(path, 0666);
	kc_sandbox_set_volume(sandbox, directory, "/opt/backend.ai");
	KC_CHECK_OK(kc_sandbox_start(sandbox, &err), err);
	KC_CHECK_OK(kc_sandbox_wait(sandbox, kc_now_ms() + PATIENCE_MS, excerpt, excerpt, &outcome, &err),
		    err);
	KC_CHECK_INT(kc_excerpt_append_to(excerpt, &output), 0);
	KC_CHECK_CONTAINS(kc_buffer_string(&output), "kept\n");
	KC_CHECK_CONTAINS(kc_buffer_string(&output), "Read-only file system");
	kc_buffer_clear(&output);
	KC_CHECK_OK(kc_file_read(AT_FDCWD, path, &output, &err), err);
	KC_CHECK_STRING(kc_buffer_string(&output), "kept\n");
	kc_buffer_release(&output);
	KC_CHECK_OK(kc_tree_remove(AT_FDCWD, directory, &err), err);
}

static int make_share(const char *layer)
{
	KC_CLEANUP_FD int top = -1;
	int share;

	KC_CHECK_INT(mkdir(layer, 0755), 0);
	top = open(layer, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	KC_CHECK_INT(mkdirat(top, "share", 0755), 0);
	share = openat(top, "share", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	KC_CHECK_INT(mkdirat(share, "opaque", 0755), 0);
	return share;
}

static void make_upper(const char *layer)
{
	KC_CLEANUP_FD int share = make_share(layer);
	KC_CLEANUP_FD int opaque = openat(share, "opaque", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	KC_CHECK(kc_write_small(share, "a", "top\n") && kc_write_small(opaque, "top", ""));
	KC_CHECK_INT(fchmodat(share, "a", 0644, 0), 0);
	KC_CHECK_INT(kc_layer_make_whiteout(share, "hidden"), 0);
	KC_CHECK_INT(kc_layer_make_opaque(opaque), 0);
}

static void make_middle(const char *layer)
{
	KC_CLEANUP_FD int share = make_share(layer);

	KC_CHECK(kc_write_small(share, "a", "middle\n") && kc_write_small(share, "b", "middle\n") &&
		 kc_write_small(share, "hidden", "") && kc_write_small(share, "opaque/middle", ""));
	KC_CHECK_INT(fchmodat(share, "a", 0644, 0) | fchmodat(share, "b", 0644, 0), 0);
}

/* What image/tests/test_layers.c looks into without a mount, as a program sees it. */
static void a_root_of_several_layers_shows_the_uppermost(void)
{
	static const char *const environment_inside[] = { "PATH=/bin", NULL };
	static const char script[] =
		"cat /share/a /share/b; ls /share/opaque; test -e /share/hidden || exit 7";
	const char *const argv[] = { "/bin/sh", "-c", script, NULL };
	KC_CLEANUP(kc_sandbox_release) struct kc_sandbox *sandbox = kc_sandbox_new();
	KC_CLEANUP_FREE struct kc_excerpt *excerpt = calloc(1, sizeof(*excerpt));
	KC_CLEANUP_TEMPORARY struct kc_temporary base = { 0 };
	KC_CLEANUP_BUFFER struct kc_buffer output = KC_BUFFER_INIT(1 << 16);
	struct kc_sandbox_outcome outcome;
	struct kc_error err = { 0 };
	char layers[2][PATH_MAX + 2];

	KC_REQUIRE_OK(kc_temporary_make(&base, &err), err);
	for (int i = 0; i < 2; i++)
		(void)snprintf(layers[i], sizeof(layers[i]), "%s/%d", base.path, i);
	make_upper(layers[0]);
	make_middle(layers[1]);
	KC_REQUIRE(sandbox && excerpt);
	kc_sandbox_set_inner_id(sandbox, INNER_ID);
	for (int i = 0; i < 2; i++)
		kc_sandbox_add_layer(sandbox, layers[i]);
	kc_sandbox_add_layer(sandbox, "/usr");
	kc_sandbox_set_filter(sandbox, &filter);
	kc_sandbox_set_command(sandbox, argv, environment_inside);
	KC_REQUIRE_OK(kc_sandbox_start(sandbox, &err), err);
	KC_CHECK_OK(kc_sandbox_wait(sandbox, kc_now_ms() + PATIENCE_MS, excerpt, excerpt, &outcome, &err),
		    err);
	KC_CHECK_INT(kc_excerpt_append_to(excerpt, &output), 0);
	KC_CHECK_STRING(kc_buffer_string(&output), "top\nmiddle\ntop\n");
	KC_CHECK_INT(outcome.status, 7);
}

/* An image is not trusted: a link where a mount point must be would lead a mount astray (HOSTILE D1, D3, D4). */
static void an_image_with_links_for_mount_points_is_refused(void)
{
	static const char *const names[] = { "dev", "proc", "tmp", "opt" };

	for (size_t i = 0; i < KC_ARRAY_LENGTH(names); i++) {
		char directory[] = "/tmp/krunner-compat-test-XXXXXX", path[64];
		static const char *const argv[] = { "/bin/true", NULL };
		KC_CLEANUP(kc_sandbox_release) struct kc_sandbox *sandbox = make_on(directory, argv);
		struct kc_error err = { 0 };

		KC_REQUIRE(sandbox && mkdtemp(directory));
		(void)chmod(directory, 0755);
		(void)snprintf(path, sizeof(path), "%s/%s", directory, names[i]);
		KC_CHECK_INT(symlink("/etc", path), 0);
		kc_sandbox_set_volume(sandbox, directory, "/opt/backend.ai");
		KC_CHECK_MESSAGE(kc_sandbox_start(sandbox, &err) == -ELOOP, "%s: %s", names[i], err.text);
		KC_CHECK_CONTAINS(err.hint, "unsafe");
		KC_CHECK_OK(kc_tree_remove(AT_FDCWD, directory, &err), err);
	}
}

/* Sockets made inside keep their network namespace: what listens inside answers them, and nothing outside does. */
static void sockets_belong_to_the_network_inside(void)
{
	const char *const argv[] = { "/bin/perl",
				     PERL_BASE,
				     "-MIO::Socket::INET",
				     "-e",
				     "$s = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1:7681') "
				     "or die; $| = 1; print "
				     "'listening'; $c = $s->accept; print $c 'hello'; close $c",
				     NULL };
	KC_CLEANUP(kc_sandbox_release) struct kc_sandbox *sandbox = make(argv);
	KC_CLEANUP_FD int fd = -1;
	struct kc_error err = { 0 };
	char text[16] = "";
	/* 127.0.0.1:7681 in network order */
	const struct sockaddr address = { .sa_family = AF_INET, .sa_data = "\x1e\x01\x7f\0\0\1" };

	KC_REQUIRE(sandbox != NULL);
	kc_sandbox_set_sockets(sandbox, 1);
	KC_REQUIRE_OK(kc_sandbox_start(sandbox, &err), err);
	KC_CHECK_INT(read(kc_sandbox_output_fd(sandbox), text, sizeof(text) - 1),
		     (long long)strlen("listening"));
	fd = kc_sandbox_take_socket(sandbox);
	KC_REQUIRE(fd >= 0);
	KC_CHECK_INT(kc_sandbox_take_socket(sandbox), -1);
	KC_CHECK_INT(fcntl(fd, F_SETFL, 0), 0);
	KC_CHECK_INT(connect(fd, &address, 16), 0);
	memset(text, 0, sizeof(text));
	KC_CHECK_INT(recv(fd, text, sizeof(text) - 1, MSG_WAITALL), 5);
	KC_CHECK_STRING(text, "hello");
}

static void count_step(void *context, enum kc_sandbox_step step)
{
	unsigned int *seen = context;

	*seen |= 1u << step;
}

static void a_probe_walks_every_step(void)
{
	KC_CLEANUP(kc_sandbox_release) struct kc_sandbox *sandbox = kc_sandbox_new();
	struct kc_sandbox_outcome outcome = { 0 };
	struct kc_error err = { 0 };
	unsigned int seen = 0;

	KC_REQUIRE(sandbox != NULL);
	kc_sandbox_set_inner_id(sandbox, INNER_ID);
	kc_sandbox_set_filter(sandbox, &filter);
	kc_sandbox_set_observer(sandbox, count_step, &seen);
	KC_REQUIRE_OK(kc_sandbox_start(sandbox, &err), err);
	KC_CHECK_OK(kc_sandbox_wait(sandbox, kc_now_ms() + PATIENCE_MS, NULL, NULL, &outcome, &err), err);
	for (enum kc_sandbox_step step = 0; step < KC_STEP_COUNT; step++)
		KC_CHECK_MESSAGE(seen & (1u << step), "step \"%s\" was not done", kc_sandbox_step_name(step));
}

static char cgroup_prefix[64];

static int is_our_cgroup(const char *path, const struct stat *status, int type, struct FTW *place)
{
	(void)status;
	(void)type;
	return strncmp(path + place->base, cgroup_prefix, strlen(cgroup_prefix)) == 0;
}

/* SIGKILL leaves the harness no time to clean up: the kernel ends what is inside, and the janitor removes the cgroup. As their
 * subreaper, prctl(2), this process gets to see the end of all of them. */
static void nothing_survives_the_death_of_the_harness(void)
{
	char limits[160] = "";
	int ready[2], orphans = 0;
	pid_t pid;

	KC_REQUIRE(pipe2(ready, O_CLOEXEC) == 0 && prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
	pid = fork();
	KC_REQUIRE(pid >= 0);
	if (pid == 0) {
		static const char *const argv[] = { "/bin/sh", "-c", "setsid sleep 600 & exec sleep 600",
						    NULL };
		struct kc_sandbox *sandbox = make(argv);

		(void)close(ready[0]);
		if (!sandbox || kc_janitor_start(NULL) < 0 || kc_sandbox_start(sandbox, NULL) < 0 ||
		    write(ready[1], kc_sandbox_limits_text(sandbox), 159) != 159)
			_exit(1);
		(void)pause();
		_exit(0);
	}
	(void)close(ready[1]);
	KC_CHECK_INT(read(ready[0], limits, sizeof(limits)), 159);
	(void)close(ready[0]);
	KC_CHECK_INT(kill(pid, SIGKILL), 0);
	(void)alarm(PATIENCE_MS / 1000); /* a survivor ends the test program loudly */
	while (waitpid(-1, NULL, 0) > 0)
		orphans++;
	(void)alarm(0);
	KC_CHECK_INT(prctl(PR_SET_CHILD_SUBREAPER, 0), 0);
	KC_CHECK_INT(orphans, 3); /* the harness, its sandbox, its janitor */
	(void)snprintf(cgroup_prefix, sizeof(cgroup_prefix), "krunner-compat-%ld-", (long)pid);
	KC_CHECK_INT(nftw("/sys/fs/cgroup", is_our_cgroup, 16, FTW_PHYS), 0);
}

/* The maker of a cgroup and its janitor can be killed together: whoever makes the next one finds what they left. */
static void cgroups_of_the_dead_are_removed(void)
{
	struct kc_cgroup group = { 0 };
	char path[PATH_MAX] = "";
	int told[2];
	pid_t pid;

	KC_REQUIRE(pipe2(told, O_CLOEXEC) == 0);
	pid = fork();
	KC_REQUIRE(pid >= 0);
	if (pid == 0) {
		kc_cgroup_create(&group, 1u << 20, 16);
		_exit(write(told[1], group.directories[0], PATH_MAX) != PATH_MAX);
	}
	(void)close(told[1]);
	KC_CHECK_INT(read(told[0], path, sizeof(path)), PATH_MAX);
	(void)close(told[0]);
	KC_CHECK_INT(waitpid(pid, NULL, 0), pid);
	kc_cgroup_create(&group, 1u << 20, 16);
	/* Where none can be made, that is said, and none was left. */
	if (group.count == 0)
		KC_CHECK_CONTAINS(group.text, "resource limits only");
	KC_CHECK_MESSAGE(access(path, F_OK) < 0, "%s is still there", path);
	kc_cgroup_remove(&group);
}

static void a_bad_profile_is_refused(void)
{
	static const struct {
		const char *name, *profile, *message;
	} rows[] = {
		{ "not JSON", "{", "not valid JSON" },
		{ "no default", "{\"syscalls\": []}", "defaultAction" },
		{ "unknown action", "{\"defaultAction\": \"SCMP_ACT_MAYBE\", \"syscalls\": []}",
		  "SCMP_ACT_MAYBE" },
		{ "unknown key", "{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscals\": []}", "syscals" },
		{ "errno out of range",
		  "{\"defaultAction\": \"SCMP_ACT_ERRNO\", \"defaultErrnoRet\": 5000, \"syscalls\": []}",
		  "errno" },
		{ "condition",
		  "{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": [{\"names\": [\"mount\"], "
		  "\"action\": "
		  "\"SCMP_ACT_ERRNO\", \"includes\": {\"caps\": [\"CAP_SYS_ADMIN\"]}}]}",
		  "conditional" },
		{ "unknown comparison",
		  "{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": [{\"names\": [\"mount\"], "
		  "\"action\": "
		  "\"SCMP_ACT_ERRNO\", \"args\": [{\"index\": 0, \"value\": 1, \"op\": \"SCMP_CMP_ISH\"}]}]}",
		  "SCMP_CMP_ISH" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		struct kc_seccomp_filter compiled = { 0 };
		struct kc_error err = { 0 };

		KC_CHECK_MESSAGE(kc_seccomp_compile(rows[i].profile, strlen(rows[i].profile), "profile",
						    &compiled, &err) < 0,
				 "%s: accepted", rows[i].name);
		KC_CHECK_CONTAINS(err.text, rows[i].message);
		kc_seccomp_release(&compiled);
	}
}

/* --- A program that is traced --- */

static int attach_clock(void *context, pid_t pid, struct kc_error *err)
{
	return kc_clock_attach(context, pid, err);
}

/* Starts `script` under a virtual clock, in which it then runs until it ends. *ret_elapsed_ms: how long that took by its clock. */
static int run_in_virtual_time(const char *script, struct ran *ran, int64_t *ret_elapsed_ms)
{
	const char *const argv[] = { "/bin/sh", "-c", script, NULL };
	const struct kc_clock_options options = { .deadline_ms = kc_now_ms() + PATIENCE_MS };
	KC_CLEANUP(kc_sandbox_release) struct kc_sandbox *sandbox = make(argv);
	KC_CLEANUP(kc_seccomp_release) struct kc_seccomp_filter calls = { 0 };
	KC_CLEANUP(kc_clock_release) struct kc_clock *clock = NULL;
	KC_CLEANUP_FREE struct kc_excerpt *excerpt = calloc(1, sizeof(*excerpt));
	int64_t begin_ms;
	int status;

	*ran = (struct ran){ .output = KC_BUFFER_INIT(1 << 20), .status = -ENOMEM };
	if (!sandbox || !excerpt)
		return -ENOMEM;
	status = kc_seccomp_trace(kc_clock_call, &calls, &ran->err);
	if (status == 0)
		status = kc_clock_new(&options, &clock, &ran->err);
	if (status < 0)
		return status;
	kc_sandbox_set_tracer(sandbox, &calls, attach_clock, clock);
	kc_sandbox_set_sockets(sandbox, 1);
	kc_sandbox_set_diagnosis(sandbox, true);
	begin_ms = kc_clock_now_ms(clock);
	status = kc_sandbox_start(sandbox, &ran->err);
	while (status == 0 && !kc_clock_has_ended(clock))
		status = kc_clock_poll(clock, NULL, 0, 1000, &ran->err);
	*ret_elapsed_ms = kc_clock_now_ms(clock) - begin_ms;
	kc_clock_release(&clock);
	if (status == 0)
		status = kc_sandbox_wait(sandbox, kc_now_ms() + PATIENCE_MS, excerpt, excerpt, &ran->outcome,
					 &ran->err);
	return status < 0 ? status : kc_excerpt_append_to(excerpt, &ran->output);
}

static void a_program_can_live_in_virtual_time(void)
{
	static const struct {
		const char *name, *script, *output;
		enum kc_sandbox_end end;
		int status;
		int64_t at_least_ms;
	} rows[] = {
		{ "an hour", "sleep 3600; echo slept", "slept\n", KC_END_EXITED, 0, 3600000 },
		{ "children", "sleep 50 & sleep 100 & wait; echo waited", "waited\n", KC_END_EXITED, 0,
		  100000 },
		{ "exit status", "sleep 1; exit 7", "", KC_END_EXITED, 7, 1000 },
		{ "signal", "sleep 1; kill -SEGV $$", "", KC_END_KILLED, SIGSEGV, 1000 },
		{ "both filters", "grep -h -e ^Seccomp_filters /proc/self/status | cut -f2", "2\n",
		  KC_END_EXITED, 0, 0 },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		CLEANUP_RAN struct ran ran;
		int64_t elapsed_ms = 0;

		KC_CHECK_OK(run_in_virtual_time(rows[i].script, &ran, &elapsed_ms), ran.err);
		KC_CHECK_MESSAGE(strcmp(kc_buffer_string(&ran.output), rows[i].output) == 0, "%s: got \"%s\"",
				 rows[i].name, kc_buffer_string(&ran.output));
		KC_CHECK_MESSAGE(ran.outcome.end == rows[i].end && ran.outcome.status == rows[i].status,
				 "%s: end %d, status %d", rows[i].name, (int)ran.outcome.end,
				 ran.outcome.status);
		KC_CHECK_MESSAGE(elapsed_ms >= rows[i].at_least_ms && elapsed_ms < rows[i].at_least_ms + 2000,
				 "%s: %lld ms", rows[i].name, (long long)elapsed_ms);
	}
}

static int refuse_to_attach(void *context, pid_t pid, struct kc_error *err)
{
	return kc_error_set(err, EPERM, "trace process %s", pid > 0 ? (const char *)context : "?");
}

static void a_tracer_that_refuses_ends_the_start(void)
{
	static const char *const argv[] = { "/bin/true", NULL };
	KC_CLEANUP(kc_sandbox_release) struct kc_sandbox *sandbox = make(argv);
	KC_CLEANUP(kc_seccomp_release) struct kc_seccomp_filter calls = { 0 };
	struct kc_error err = { 0 };
	char of[] = "of the sandbox";

	KC_REQUIRE(sandbox);
	KC_REQUIRE_OK(kc_seccomp_trace(kc_clock_call, &calls, &err), err);
	kc_sandbox_set_tracer(sandbox, &calls, refuse_to_attach, of);
	KC_CHECK_INT(kc_sandbox_start(sandbox, &err), -EPERM);
	KC_CHECK_STRING(err.text, "sandbox: trace process of the sandbox");
	KC_CHECK(!kc_sandbox_is_running(sandbox));
}

KC_TEST_SUITE_WITH(sandbox, KC_LABEL_SANDBOX, setup, teardown, KC_TEST(a_program_sees_only_its_own_world),
		   KC_TEST(ends_are_told_apart), KC_TEST(leftovers_are_counted_and_killed),
		   KC_TEST(output_without_end_is_cut_in_the_middle),
		   KC_TEST(refused_system_calls_look_as_on_an_old_kernel),
		   KC_TEST(other_architectures_are_killed), KC_TEST(the_volume_is_read_only_at_its_place),
		   KC_TEST(a_root_of_several_layers_shows_the_uppermost),
		   KC_TEST(an_image_with_links_for_mount_points_is_refused),
		   KC_TEST(sockets_belong_to_the_network_inside), KC_TEST(a_probe_walks_every_step),
		   KC_TEST(nothing_survives_the_death_of_the_harness),
		   KC_TEST(cgroups_of_the_dead_are_removed), KC_TEST(a_bad_profile_is_refused),
		   KC_TEST(a_program_can_live_in_virtual_time),
		   KC_TEST(a_tracer_that_refuses_ends_the_start));
