/* Pid 1 of a sandbox: sets everything up, runs one program, reaps, reports, ends. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <net/if.h>
#include <poll.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sandbox/cgroup.h"
#include "sandbox/internal.h"
#include "sys/fd.h"

const struct kc_sandbox_namespace kc_sandbox_namespaces[KC_SANDBOX_NAMESPACES] = {
	{ "user", CLONE_NEWUSER },     { "mnt", CLONE_NEWNS },	{ "pid", CLONE_NEWPID },
	{ "net", CLONE_NEWNET },       { "ipc", CLONE_NEWIPC }, { "uts", CLONE_NEWUTS },
	{ "cgroup", CLONE_NEWCGROUP },
};

/* A parent that is gone takes us with it, so a message that cannot be sent needs no handling. */
static void tell(const struct kc_sandbox_setup *setup, const struct kc_message *message)
{
	(void)send(setup->control, message, sizeof(*message), MSG_NOSIGNAL);
}

static void done(const struct kc_sandbox_setup *setup, enum kc_sandbox_step step)
{
	const struct kc_message message = { .kind = KC_MESSAGE_STEP, .step = step };

	tell(setup, &message);
}

static _Noreturn void refuse(const struct kc_sandbox_setup *setup, enum kc_sandbox_step step, int status,
			     const char *object)
{
	struct kc_message message = { .kind = KC_MESSAGE_FAILED, .step = step, .errno_value = -status };

	(void)snprintf(message.object, sizeof(message.object), "%s", object);
	tell(setup, &message);
	_exit(1);
}

/* 0, or a negative errno; a NULL name means that nothing is wanted. */
static int open_directory(const char *path, int *ret_fd)
{
	*ret_fd = path ? open(path, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	return path && *ret_fd < 0 ? -errno : 0;
}

static int take_identity(const struct kc_sandbox_setup *setup, char object[160])
{
	/* Where the map was written without privilege, setgroups(2) is denied and the groups stay, without any meaning
	 * inside: user_namespaces(7). */
	if (setgroups(0, NULL) < 0 && errno != EPERM)
		return -errno;
	if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return -errno;
	return 0;
}

/* After we have entered our cgroup: it becomes the root of this namespace, cgroup_namespaces(7). */
static int enter_cgroup_namespace(const struct kc_sandbox_setup *setup, char object[160])
{
	return unshare(CLONE_NEWCGROUP) < 0 ? -errno : 0;
}

/* Changing ids clears the signal, so this comes after; and the parent may have died before it was set. */
static int die_with_parent(const struct kc_sandbox_setup *setup, char object[160])
{
	struct pollfd control = { .fd = setup->control, .events = POLLIN };

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return -errno;
	if (poll(&control, 1, 0) > 0 && (control.revents & POLLHUP))
		return -ESRCH;
	return 0;
}

static int set_hostname(const struct kc_sandbox_setup *setup, char object[160])
{
	return sethostname(object, strlen(object)) < 0 ? -errno : 0;
}

static int bring_loopback_up(const struct kc_sandbox_setup *setup, char object[160])
{
	KC_CLEANUP_FD int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		return -errno;
	return 0;
}

/* Every namespace must differ from the host's: a flag that some layer ignored would otherwise go unnoticed. */
static int prove_namespaces(const struct kc_sandbox_setup *setup, char object[160])
{
	for (size_t i = 0; i < KC_SANDBOX_NAMESPACES; i++) {
		struct stat status;

		(void)snprintf(object, 160, "/proc/self/ns/%s", kc_sandbox_namespaces[i].name);
		if (stat(object, &status) < 0)
			return -errno;
		if (status.st_ino == setup->host_namespaces[i])
			return -EEXIST;
	}
	return 0;
}

/* In an instance of binfmt_misc that belongs to our user namespace and is mounted nowhere: no program ever sees it. It lives
 * as long as the descriptor of its mount, which stays open, in pid 1 alone. */
static int register_emulator(const struct kc_sandbox_setup *setup, char object[160])
{
	KC_CLEANUP_FD int context = -1, file = -1;
	int mount_fd;

	if (!setup->emulator)
		return 0;
	context = fsopen("binfmt_misc", FSOPEN_CLOEXEC);
	if (context < 0 || fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -errno;
	mount_fd = fsmount(context, FSMOUNT_CLOEXEC, 0);
	if (mount_fd < 0)
		return -errno;
	(void)snprintf(object, 160, "register");
	file = openat(mount_fd, "register", O_WRONLY | O_CLOEXEC);
	return file < 0 ? -errno : kc_fd_write_all(file, setup->emulator, strlen(setup->emulator));
}

static int limit_resources(const struct kc_sandbox_setup *setup, char object[160])
{
	const struct {
		int resource;
		rlim_t limit;
	} limits[] = {
		{ RLIMIT_CORE, 0 },
		{ RLIMIT_NOFILE, 1024 },
		{ RLIMIT_NPROC, 1024 },
		{ RLIMIT_FSIZE, 1u << 30 },
		{ RLIMIT_MEMLOCK, 64u << 10 },
		{ RLIMIT_AS, setup->address_space_bytes ? setup->address_space_bytes : RLIM_INFINITY },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(limits); i++) {
		struct rlimit limit;

		/* Never above what we have: raising needs a privilege that we do not want. */
		if (getrlimit((unsigned int)limits[i].resource, &limit) < 0)
			return -errno;
		if (limit.rlim_max == RLIM_INFINITY || limit.rlim_max > limits[i].limit)
			limit.rlim_max = limits[i].limit;
		limit.rlim_cur = limit.rlim_max;
		if (setrlimit((unsigned int)limits[i].resource, &limit) < 0)
			return -errno;
	}
	return 0;
}

/* No capability in any set, none to be had by executing as id 0, and proof of it. */
static int drop_privileges(const struct kc_sandbox_setup *setup, char object[160])
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };
	const unsigned long bits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
				   SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE |
				   SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;

	if (prctl(PR_SET_SECUREBITS, bits) < 0)
		return -errno;
	for (unsigned long capability = 0; prctl(PR_CAPBSET_READ, capability) >= 0; capability++)
		if (prctl(PR_CAPBSET_DROP, capability) < 0)
			return -errno;
	if (syscall(SYS_capset, &header, data) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	if (syscall(SYS_capget, &header, data) < 0)
		return -errno;
	for (size_t i = 0; i < KC_ARRAY_LENGTH(data); i++)
		if (data[i].effective || data[i].permitted || data[i].inheritable)
			return -EPERM;
	/* Nothing inside may trace or inspect pid 1 (HOSTILE D7). */
	return prctl(PR_SET_DUMPABLE, 0) < 0 ? -errno : 0;
}

static int load_filter(const struct kc_sandbox_setup *setup, char object[160])
{
	const struct sock_fprog program = { .len = setup->filter_length,
					    .filter = (struct sock_filter *)(uintptr_t)setup->filter };

	if (!setup->filter_length)
		return setup->argv ? -EINVAL : 0; /* only a probe goes without */
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0 ? -errno : 0;
}

static int make_sockets(const struct kc_sandbox_setup *setup, int sockets[KC_SANDBOX_SOCKETS])
{
	for (unsigned int i = 0; i < setup->sockets; i++) {
		sockets[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (sockets[i] < 0)
			return -errno;
	}
	if (setup->wants_diagnosis) {
		sockets[setup->sockets] = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
		if (sockets[setup->sockets] < 0)
			return -errno;
	}
	return 0;
}

static unsigned int socket_count(const struct kc_sandbox_setup *setup)
{
	return setup->sockets + setup->wants_diagnosis;
}

static void tell_ready(const struct kc_sandbox_setup *setup, const int sockets[KC_SANDBOX_SOCKETS])
{
	union {
		char bytes[CMSG_SPACE(sizeof(int) * KC_SANDBOX_SOCKETS)];
		struct cmsghdr align;
	} control = { 0 };
	struct kc_message message = { .kind = KC_MESSAGE_READY, .step = KC_STEP_PROGRAM };
	struct iovec part = { .iov_base = &message, .iov_len = sizeof(message) };
	struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1 };
	size_t size = sizeof(int) * socket_count(setup);

	if (size) {
		struct cmsghdr *rights;

		header.msg_control = control.bytes;
		header.msg_controllen = CMSG_SPACE(size);
		rights = CMSG_FIRSTHDR(&header);
		rights->cmsg_level = SOL_SOCKET;
		rights->cmsg_type = SCM_RIGHTS;
		rights->cmsg_len = CMSG_LEN(size);
		memcpy(CMSG_DATA(rights), sockets, size);
	}
	(void)sendmsg(setup->control, &header, MSG_NOSIGNAL); /* as tell() */
}

/* Until the parent traces us: from the next system call on, those of the filter need a tracer. */
static int wait_for_tracer(const struct kc_sandbox_setup *setup)
{
	const struct sock_fprog calls = { .len = setup->traced_calls_length,
					  .filter = (struct sock_filter *)(uintptr_t)setup->traced_calls };
	const struct kc_message here = { .kind = KC_MESSAGE_TRACE, .step = KC_STEP_PROGRAM };
	struct kc_message go;

	/* Pid 1 is not to be traced and we are, ptrace(2). Nothing of the volume runs yet. */
	if (prctl(PR_SET_DUMPABLE, 1) < 0)
		return -errno;
	if (send(setup->control, &here, sizeof(here), MSG_NOSIGNAL) != (ssize_t)sizeof(here) ||
	    recv(setup->control, &go, sizeof(go), 0) != (ssize_t)sizeof(go) || go.kind != KC_MESSAGE_GO)
		return -ECANCELED; /* the parent gave up, and knows why */
	if (!setup->traced_calls_length)
		return 0;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &calls) < 0 ? -errno : 0;
}

static int take_streams(const struct kc_sandbox_setup *setup)
{
	int input = setup->input < 0 ? setup->null : setup->input;

	return dup2(input, 0) < 0 || dup2(setup->output, 1) < 0 || dup2(setup->errors, 2) < 0 ? -1 : 0;
}

/* For the leader of a session that has none yet, ioctl_tty(2). */
static int take_terminal(const struct kc_sandbox_setup *setup)
{
	if (ioctl(setup->terminal, TIOCSCTTY, 0) < 0)
		return -1;
	return dup2(setup->terminal, 0) < 0 || dup2(setup->terminal, 1) < 0 || dup2(setup->terminal, 2) < 0
		       ? -1
		       : 0;
}

static _Noreturn void run_program(const struct kc_sandbox_setup *setup, int report)
{
	int saved;

	if (setsid() < 0 || (setup->terminal < 0 ? take_streams(setup) : take_terminal(setup)) < 0)
		goto failed;
	/* Whatever the harness had open stays outside (HOSTILE D5). */
	if (syscall(SYS_close_range, 3u, ~0u, CLOSE_RANGE_CLOEXEC) < 0)
		goto failed;
	(void)umask(022); /* cannot fail */
	if (setup->is_traced) {
		int status = wait_for_tracer(setup);

		errno = -status;
		if (status < 0)
			goto failed;
	}
	(void)execve(setup->argv[0], setup->argv, setup->environment);
failed:
	saved = errno;
	_exit(kc_fd_write_all(report, &saved, sizeof(saved)) < 0 ? 126 : 127);
}

/* Starts the program; *ret_errno is what execve(2) said, 0 once it runs. */
static pid_t start_program(const struct kc_sandbox_setup *setup, int *ret_errno)
{
	int report[2];
	pid_t pid;

	if (pipe2(report, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		run_program(setup, report[1]);
	kc_fd_close(&report[1]);
	*ret_errno = 0;
	while (read(report[0], ret_errno, sizeof(*ret_errno)) < 0 && errno == EINTR)
		;
	kc_fd_close(&report[0]);
	return pid;
}

static void reap(pid_t program, int exec_errno, struct kc_message *ret_message)
{
	int status = 0;
	pid_t pid;

	do {
		pid = waitpid(-1, &status, 0);
	} while (pid != program && (pid > 0 || errno == EINTR));
	if (exec_errno) {
		ret_message->end = KC_END_NOT_STARTED;
		ret_message->status = exec_errno;
	} else if (WIFSIGNALED(status)) {
		ret_message->end = KC_END_KILLED;
		ret_message->status = WTERMSIG(status);
	} else {
		ret_message->end = KC_END_EXITED;
		ret_message->status = WEXITSTATUS(status);
	}
	/* What the program left behind ends with it, and is counted. */
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		;
	if (pid == 0 && kill(-1, SIGKILL) == 0)
		while (waitpid(-1, NULL, 0) > 0)
			ret_message->leftovers++;
}

static void supervise(const struct kc_sandbox_setup *setup, int sockets[KC_SANDBOX_SOCKETS])
{
	struct kc_message ended = { .kind = KC_MESSAGE_ENDED, .end = KC_END_EXITED };
	int exec_errno = 0;
	pid_t program = 0;

	if (setup->argv) {
		program = start_program(setup, &exec_errno);
		if (program < 0)
			refuse(setup, KC_STEP_PROGRAM, program, "fork");
	}
	tell_ready(setup, sockets);
	/* Only the program holds its streams and sockets from here on: their end is its end. */
	for (unsigned int i = 0; i < socket_count(setup); i++)
		kc_fd_close(&sockets[i]);
	(void)close(setup->output);
	(void)close(setup->errors);
	if (setup->argv)
		reap(program, exec_errno, &ended);
	tell(setup, &ended);
}

/* The steps around the mounts. A step writes what it is about into `object` where that is not its fixed name. */
struct step {
	enum kc_sandbox_step step;
	const char *object;
	int (*apply)(const struct kc_sandbox_setup *setup, char object[160]);
};

static void apply_steps(const struct kc_sandbox_setup *setup, const struct step *steps, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char object[160];
		int status;

		(void)snprintf(object, sizeof(object), "%s", steps[i].object);
		status = steps[i].apply(setup, object);
		if (status < 0)
			refuse(setup, steps[i].step, status, object);
		done(setup, steps[i].step);
	}
}

static const struct step steps_before_mounts[] = {
	{ KC_STEP_IDENTITY, "uid 0", take_identity },
	{ KC_STEP_DIE_WITH_PARENT, "parent", die_with_parent },
	{ KC_STEP_CGROUP_NAMESPACE, "cgroup", enter_cgroup_namespace },
};

static const struct step steps_after_mounts[] = {
	{ KC_STEP_HOSTNAME, "krunner", set_hostname },
	{ KC_STEP_LOOPBACK, "lo", bring_loopback_up },
	{ KC_STEP_PROOF, "/proc/self/ns", prove_namespaces },
	{ KC_STEP_EMULATOR, "binfmt_misc", register_emulator },
	{ KC_STEP_LIMITS, "setrlimit", limit_resources },
	{ KC_STEP_PRIVILEGES, "capabilities", drop_privileges },
};

/* Profiles refuse kinds of sockets that we need and programs do not. */
static const struct step steps_after_sockets[] = {
	{ KC_STEP_SECCOMP, "system-call filter", load_filter },
};

static void reset_signals(void)
{
	sigset_t none;

	for (int number = 1; number < NSIG; number++)
		(void)signal(number, SIG_DFL); /* refused for KILL and STOP only */
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

_Noreturn void kc_sandbox_child(const struct kc_sandbox_setup *setup)
{
	enum kc_sandbox_step step = KC_STEP_OPEN;
	int layer_fds[KC_SANDBOX_LAYERS], sockets[KC_SANDBOX_SOCKETS], volume_fd = -1, status;
	struct kc_message go;
	char object[160];

	reset_signals();
	if (recv(setup->control, &go, sizeof(go), 0) != (ssize_t)sizeof(go) || go.kind != KC_MESSAGE_GO)
		_exit(1); /* the parent gave up, and knows why */
	status = kc_cgroup_enter(setup->cgroup);
	if (status < 0)
		refuse(setup, KC_STEP_CGROUP, status, setup->cgroup->directories[0]);
	done(setup, KC_STEP_CGROUP);
	for (size_t i = 0; i < setup->layer_count; i++) {
		status = open_directory(setup->layers[i], &layer_fds[i]);
		if (status < 0)
			refuse(setup, KC_STEP_OPEN, status, setup->layers[i]);
	}
	status = open_directory(setup->volume, &volume_fd);
	if (status < 0)
		refuse(setup, KC_STEP_OPEN, status, setup->volume);
	done(setup, KC_STEP_OPEN);
	apply_steps(setup, steps_before_mounts, KC_ARRAY_LENGTH(steps_before_mounts));
	status = kc_sandbox_mount_all(setup, layer_fds, volume_fd, done, &step, object);
	if (status < 0)
		refuse(setup, step, status, object);
	for (size_t i = 0; i < setup->layer_count; i++)
		kc_fd_close(&layer_fds[i]);
	kc_fd_close(&volume_fd);
	apply_steps(setup, steps_after_mounts, KC_ARRAY_LENGTH(steps_after_mounts));
	status = make_sockets(setup, sockets);
	if (status < 0)
		refuse(setup, KC_STEP_SOCKETS, status, "sockets");
	done(setup, KC_STEP_SOCKETS);
	apply_steps(setup, steps_after_sockets, KC_ARRAY_LENGTH(steps_after_sockets));
	supervise(setup, sockets);
	_exit(0);
}
