#include "sandbox/sandbox.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/cgroup.h"
#include "sandbox/emulator.h"
#include "sandbox/internal.h"
#include "sandbox/seccomp.h"
#include "sys/fd.h"
#include "sys/identity.h"
#include "sys/time.h"

/* What one program may use. A session's kernel runner needs a tenth of it. */
#define MEMORY_BYTES (2ull << 30)
#define UPPER_BYTES (512ull << 20)
#define PROCESSES 512
/* Without a memory cgroup: address space, of which threads reserve much more than they use. */
#define ADDRESS_SPACE_BYTES (8ull << 30)
/* A child that is killed is gone at once, unless it hangs in the kernel (HOSTILE E8). */
#define KILL_PATIENCE_MS 5000

struct kc_sandbox {
	struct kc_sandbox_setup setup;
	kc_sandbox_observer *observer;
	void *observer_context;
	kc_sandbox_attach *attach;
	void *attach_context;
	struct kc_cgroup cgroup;
	pid_t init_pid;	  /* 0 while there is none to reap */
	pid_t sender_pid; /* of the last message, in our numbers; only for a program that is traced */
	int init_pidfd;
	int control;
	int output;
	int errors;
	int sockets[KC_SANDBOX_SOCKETS];
	unsigned int next_socket;
	int64_t started_ms;
	unsigned int id; /* the sandbox's root outside */
	const struct kc_emulator *emulator;
	char **environment; /* the program's, where it has more than we were given; ours */
};

static const char *const step_names[KC_STEP_COUNT] = {
	[KC_STEP_CGROUP] = "enter a cgroup with limits",
	[KC_STEP_NAMESPACES] = "create user, mount, pid, net, ipc and uts namespaces",
	[KC_STEP_ID_MAP] = "map an unprivileged id to root inside",
	[KC_STEP_OPEN] = "open the image and the volume",
	[KC_STEP_IDENTITY] = "become that id",
	[KC_STEP_DIE_WITH_PARENT] = "tie its life to ours",
	[KC_STEP_CGROUP_NAMESPACE] = "create a cgroup namespace",
	[KC_STEP_PROPAGATION] = "make mounts private",
	[KC_STEP_STAGE] = "mount a tmpfs to work in",
	[KC_STEP_OVERLAY] = "mount the overlay",
	[KC_STEP_PROC] = "mount /proc",
	[KC_STEP_DEV] = "make a minimal /dev",
	[KC_STEP_DEVPTS] = "mount /dev/pts",
	[KC_STEP_TMP] = "mount /tmp",
	[KC_STEP_VOLUME] = "mount the volume read-only",
	[KC_STEP_PIVOT_ROOT] = "leave the host's root",
	[KC_STEP_HOSTNAME] = "set the host name",
	[KC_STEP_LOOPBACK] = "bring the loopback interface up",
	[KC_STEP_PROOF] = "prove that every namespace is its own",
	[KC_STEP_EMULATOR] = "register the emulator",
	[KC_STEP_LIMITS] = "limit resources",
	[KC_STEP_PRIVILEGES] = "give up capabilities and new privileges",
	[KC_STEP_SECCOMP] = "load the system-call filter",
	[KC_STEP_SOCKETS] = "create sockets in the network namespace",
	[KC_STEP_PROGRAM] = "start the program",
};

const char *kc_sandbox_step_name(enum kc_sandbox_step step)
{
	assert(step < KC_STEP_COUNT);
	return step_names[step];
}

struct kc_sandbox *kc_sandbox_new(void)
{
	struct kc_sandbox *sandbox = calloc(1, sizeof(*sandbox));

	if (!sandbox)
		return NULL;
	sandbox->init_pidfd = sandbox->control = sandbox->output = sandbox->errors = -1;
	sandbox->setup.control = sandbox->setup.output = sandbox->setup.errors = sandbox->setup.null =
		sandbox->setup.input = sandbox->setup.terminal = -1;
	sandbox->setup.upper_bytes = UPPER_BYTES;
	for (size_t i = 0; i < KC_SANDBOX_SOCKETS; i++)
		sandbox->sockets[i] = -1;
	return sandbox;
}

void kc_sandbox_add_layer(struct kc_sandbox *sandbox, const char *tree)
{
	assert(sandbox->setup.layer_count < KC_SANDBOX_LAYERS);
	sandbox->setup.layers[sandbox->setup.layer_count++] = tree;
}

void kc_sandbox_set_volume(struct kc_sandbox *sandbox, const char *volume_tree, const char *mount_point)
{
	assert(mount_point[0] == '/');
	sandbox->setup.volume = volume_tree;
	sandbox->setup.volume_mount_point = mount_point;
}

void kc_sandbox_set_filter(struct kc_sandbox *sandbox, const struct kc_seccomp_filter *filter)
{
	sandbox->setup.filter = filter->instructions;
	sandbox->setup.filter_length = filter->length;
}

void kc_sandbox_set_command(struct kc_sandbox *sandbox, const char *const argv[],
			    const char *const environment[])
{
	free(sandbox->environment);
	sandbox->environment = NULL;
	sandbox->setup.argv = (char *const *)(uintptr_t)argv;
	sandbox->setup.environment = (char *const *)(uintptr_t)environment;
}

void kc_sandbox_set_input(struct kc_sandbox *sandbox, int fd)
{
	sandbox->setup.input = fd;
}

void kc_sandbox_set_terminal(struct kc_sandbox *sandbox, int fd)
{
	sandbox->setup.terminal = fd;
}

void kc_sandbox_set_emulator(struct kc_sandbox *sandbox, const struct kc_emulator *emulator)
{
	sandbox->emulator = emulator;
	sandbox->setup.emulator = emulator ? emulator->registration : NULL;
}

void kc_sandbox_set_sockets(struct kc_sandbox *sandbox, unsigned int count)
{
	assert(count < KC_SANDBOX_SOCKETS); /* and one for diagnosis */
	sandbox->setup.sockets = count;
}

void kc_sandbox_set_diagnosis(struct kc_sandbox *sandbox, bool wanted)
{
	sandbox->setup.wants_diagnosis = wanted;
}

void kc_sandbox_set_tracer(struct kc_sandbox *sandbox, const struct kc_seccomp_filter *calls,
			   kc_sandbox_attach *attach, void *context)
{
	sandbox->setup.is_traced = true;
	sandbox->setup.traced_calls = calls ? calls->instructions : NULL;
	sandbox->setup.traced_calls_length = calls ? calls->length : 0;
	sandbox->attach = attach;
	sandbox->attach_context = context;
}

void kc_sandbox_set_observer(struct kc_sandbox *sandbox, kc_sandbox_observer *observer, void *context)
{
	sandbox->observer = observer;
	sandbox->observer_context = context;
}

void kc_sandbox_set_inner_id(struct kc_sandbox *sandbox, unsigned int id)
{
	sandbox->id = id;
}

static void observe(struct kc_sandbox *sandbox, enum kc_sandbox_step step)
{
	if (sandbox->observer)
		sandbox->observer(sandbox->observer_context, step);
}

static int step_error(enum kc_sandbox_step step, int errno_value, const char *object, struct kc_error *err)
{
	if (step == KC_STEP_PROOF && errno_value == EEXIST)
		(void)kc_error_set(err, errno_value, "sandbox: %s: `%s` is the host's", step_names[step],
				   object);
	else if (object && *object)
		(void)kc_error_errno(err, errno_value, "sandbox: %s: `%s`", step_names[step], object);
	else
		(void)kc_error_errno(err, errno_value, "sandbox: %s", step_names[step]);
	kc_sandbox_explain(step, errno_value, err);
	return -errno_value;
}

/* Kills pid 1, which takes everything inside with it, and reaps it. */
static void end(struct kc_sandbox *sandbox)
{
	if (sandbox->init_pid > 0) {
		struct pollfd gone = { .fd = sandbox->init_pidfd, .events = POLLIN };

		(void)kill(sandbox->init_pid, SIGKILL); /* gone already is as good: it is not reaped */
		if (poll(&gone, 1, KILL_PATIENCE_MS) != 0)
			(void)waitpid(sandbox->init_pid, NULL, 0);
		sandbox->init_pid = 0;
	}
	kc_fd_close(&sandbox->init_pidfd);
	kc_fd_close(&sandbox->control);
	kc_fd_close(&sandbox->output);
	kc_fd_close(&sandbox->errors);
	kc_fd_close(&sandbox->setup.control);
	kc_fd_close(&sandbox->setup.output);
	kc_fd_close(&sandbox->setup.errors);
	kc_fd_close(&sandbox->setup.null);
	for (size_t i = 0; i < KC_SANDBOX_SOCKETS; i++)
		kc_fd_close(&sandbox->sockets[i]);
	sandbox->next_socket = 0;
	kc_cgroup_remove(&sandbox->cgroup);
}

void kc_sandbox_release(struct kc_sandbox **sandbox)
{
	if (*sandbox) {
		end(*sandbox);
		free((*sandbox)->environment);
	}
	free(*sandbox);
	*sandbox = NULL;
}

static int note_host_namespaces(struct kc_sandbox *sandbox)
{
	for (size_t i = 0; i < KC_SANDBOX_NAMESPACES; i++) {
		char path[64];
		struct stat status;

		(void)snprintf(path, sizeof(path), "/proc/self/ns/%s", kc_sandbox_namespaces[i].name);
		if (stat(path, &status) < 0)
			return -errno;
		sandbox->setup.host_namespaces[i] = status.st_ino;
	}
	return 0;
}

static int open_null(int *ret_fd)
{
	struct stat status;

	*ret_fd = open("/dev/null", O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (*ret_fd < 0 || fstat(*ret_fd, &status) < 0)
		return -errno;
	return S_ISCHR(status.st_mode) && status.st_rdev == makedev(1, 3) ? 0 : -ENODEV;
}

static int open_channels(struct kc_sandbox *sandbox)
{
	struct kc_sandbox_setup *setup = &sandbox->setup;
	int control[2], output[2], errors[2], status, yes = 1;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) < 0)
		return -errno;
	sandbox->control = control[0];
	setup->control = control[1];
	/* Who sends, in our numbers, unix(7). */
	if (sandbox->attach && setsockopt(control[0], SOL_SOCKET, SO_PASSCRED, &yes, sizeof(yes)) < 0)
		return -errno;
	if (pipe2(output, O_CLOEXEC) < 0)
		return -errno;
	sandbox->output = output[0];
	setup->output = output[1];
	if (pipe2(errors, O_CLOEXEC) < 0)
		return -errno;
	sandbox->errors = errors[0];
	setup->errors = errors[1];
	status = open_null(&setup->null);
	return status < 0 ? status : note_host_namespaces(sandbox);
}

static int clone_child(struct kc_sandbox *sandbox)
{
	unsigned long flags = SIGCHLD | CLONE_PIDFD;
	long pid;

	for (size_t i = 0; i < KC_SANDBOX_NAMESPACES; i++)
		if (kc_sandbox_namespaces[i].flag !=
		    CLONE_NEWCGROUP) /* the child's, once it is in its cgroup */
			flags |= (unsigned long)kc_sandbox_namespaces[i].flag;
	/* The parent's copy of this descriptor table must not hold the child's end, or its end would go unnoticed. */
	pid = syscall(SYS_clone, flags, NULL, &sandbox->init_pidfd, NULL, 0);
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		(void)close(sandbox->control);
		kc_sandbox_child(&sandbox->setup);
	}
	sandbox->init_pid = (pid_t)pid;
	return 0;
}

static int write_proc(pid_t pid, const char *file, const char *text)
{
	char path[64];
	KC_CLEANUP_FD int fd = -1;

	(void)snprintf(path, sizeof(path), "/proc/%ld/%s", (long)pid, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	/* One write: the kernel takes a map whole or not at all, user_namespaces(7). */
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		return -errno;
	return 0;
}

/* Root inside is an unprivileged id outside: the caller's own, or as root the one that owns the store's trees. */
static int map_ids(const struct kc_sandbox *sandbox)
{
	bool privileged = kc_identity_commands(sandbox->id);
	char users[64], groups[64];
	int status = 0;

	(void)snprintf(users, sizeof(users), "0 %u 1\n", privileged ? sandbox->id : geteuid());
	(void)snprintf(groups, sizeof(groups), "0 %u 1\n", privileged ? sandbox->id : getegid());
	if (!privileged)
		status = write_proc(sandbox->init_pid, "setgroups", "deny");
	if (status == 0)
		status = write_proc(sandbox->init_pid, "uid_map", users);
	return status == 0 ? write_proc(sandbox->init_pid, "gid_map", groups) : status;
}

static void take_parts(struct kc_sandbox *sandbox, struct msghdr *header)
{
	for (struct cmsghdr *part = CMSG_FIRSTHDR(header); part; part = CMSG_NXTHDR(header, part)) {
		struct ucred sender;

		if (part->cmsg_level != SOL_SOCKET)
			continue;
		if (part->cmsg_type == SCM_RIGHTS)
			memcpy(sandbox->sockets, CMSG_DATA(part), part->cmsg_len - CMSG_LEN(0));
		if (part->cmsg_type != SCM_CREDENTIALS)
			continue;
		memcpy(&sender, CMSG_DATA(part), sizeof(sender));
		sandbox->sender_pid = sender.pid;
	}
}

/* The next message of the child. 1, 0 when it is gone, or a negative errno. */
static int receive(struct kc_sandbox *sandbox, struct kc_message *ret_message, int flags)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int) * KC_SANDBOX_SOCKETS) + CMSG_SPACE(sizeof(struct ucred))];
		struct cmsghdr align;
	} control;
	struct iovec part = { .iov_base = ret_message, .iov_len = sizeof(*ret_message) };
	struct msghdr header = { .msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = control.bytes,
				 .msg_controllen = sizeof(control.bytes) };
	ssize_t got;

	do {
		got = recvmsg(sandbox->control, &header, MSG_CMSG_CLOEXEC | flags);
	} while (got < 0 && errno == EINTR);
	/* A reset: it was killed before it read what we had sent, unix(7). */
	if (got <= 0)
		return got < 0 && errno != ECONNRESET ? -errno : 0;
	if (got != (ssize_t)sizeof(*ret_message))
		return -EPROTO;
	take_parts(sandbox, &header);
	return 1;
}

/* The program's process waits; whoever wants to traces it, and it goes on. */
static int let_attach(struct kc_sandbox *sandbox, struct kc_error *err)
{
	const struct kc_message go = { .kind = KC_MESSAGE_GO };
	int status;

	if (!sandbox->attach || sandbox->sender_pid <= 0)
		return kc_error_set(err, EPROTO, "sandbox: unexpected message of the program's process");
	status = sandbox->attach(sandbox->attach_context, sandbox->sender_pid, err);
	if (status < 0)
		return kc_error_prefix(err, "sandbox");
	if (send(sandbox->control, &go, sizeof(go), MSG_NOSIGNAL) < 0 && errno != EPIPE)
		return kc_error_errno(err, errno, "sandbox: wake the program's process");
	return 0;
}

/* What a message means that is neither a step nor the last one: an error. */
static int refused(enum kc_sandbox_step last, struct kc_message *message, struct kc_error *err)
{
	if (message->kind != KC_MESSAGE_FAILED || message->step >= KC_STEP_COUNT)
		return kc_error_set(err, EPROTO, "sandbox: unexpected message of pid 1 after the step \"%s\"",
				    step_names[last]);
	message->object[sizeof(message->object) - 1] = '\0';
	return step_error(message->step, message->errno_value, message->object, err);
}

/* Follows the child through its steps until the program runs. */
static int follow(struct kc_sandbox *sandbox, struct kc_error *err)
{
	enum kc_sandbox_step last = KC_STEP_ID_MAP;

	for (;;) {
		struct kc_message message;
		int got = receive(sandbox, &message, 0);

		if (got < 0)
			return step_error(last, -got, "message of pid 1", err);
		if (got == 0)
			return kc_error_set(err, ECHILD, "sandbox: pid 1 died after the step \"%s\"",
					    step_names[last]);
		if (message.kind == KC_MESSAGE_TRACE) {
			got = let_attach(sandbox, err);
			if (got < 0)
				return got;
			continue;
		}
		if (message.kind != KC_MESSAGE_STEP && message.kind != KC_MESSAGE_READY)
			return refused(last, &message, err);
		last = message.step < KC_STEP_COUNT ? message.step : last;
		observe(sandbox, last);
		if (message.kind == KC_MESSAGE_READY)
			return 0;
	}
}

/* The emulator takes its CPU model from the environment, and so do those of the programs that are started later. */
static int choose_cpu(struct kc_sandbox *sandbox)
{
	const struct kc_emulator *emulator = sandbox->emulator;
	char *const *given = sandbox->setup.environment;
	size_t count = 0;

	if (!emulator || !*emulator->cpu || !given || sandbox->environment)
		return 0;
	while (given[count])
		count++;
	sandbox->environment = calloc(count + 2, sizeof(*sandbox->environment));
	if (!sandbox->environment)
		return -ENOMEM;
	memcpy(sandbox->environment, given, count * sizeof(*given));
	sandbox->environment[count] = (char *)(uintptr_t)emulator->cpu;
	sandbox->setup.environment = sandbox->environment;
	return 0;
}

static int start(struct kc_sandbox *sandbox, struct kc_error *err)
{
	const struct kc_message go = { .kind = KC_MESSAGE_GO };
	int status = open_channels(sandbox);

	if (status == 0)
		status = choose_cpu(sandbox);
	if (status < 0)
		return kc_error_errno(err, status, "sandbox: prepare");
	kc_cgroup_create(&sandbox->cgroup, MEMORY_BYTES, PROCESSES);
	sandbox->setup.cgroup = &sandbox->cgroup;
	sandbox->setup.address_space_bytes = sandbox->cgroup.count ? 0 : ADDRESS_SPACE_BYTES;
	status = clone_child(sandbox);
	if (status < 0)
		return step_error(KC_STEP_NAMESPACES, -status, NULL, err);
	kc_fd_close(&sandbox->setup.control);
	kc_fd_close(&sandbox->setup.output);
	kc_fd_close(&sandbox->setup.errors);
	observe(sandbox, KC_STEP_NAMESPACES);
	status = map_ids(sandbox);
	if (status < 0)
		return step_error(KC_STEP_ID_MAP, -status, NULL, err);
	observe(sandbox, KC_STEP_ID_MAP);
	if (send(sandbox->control, &go, sizeof(go), MSG_NOSIGNAL) < 0 &&
	    errno != EPIPE) /* EPIPE: follow() says it */
		return kc_error_errno(err, errno, "sandbox: wake pid 1");
	return follow(sandbox, err);
}

int kc_sandbox_start(struct kc_sandbox *sandbox, struct kc_error *err)
{
	int status;

	assert(sandbox->init_pid == 0);
	sandbox->started_ms = kc_now_ms();
	status = start(sandbox, err);
	if (status < 0)
		end(sandbox);
	return status;
}

bool kc_sandbox_is_running(const struct kc_sandbox *sandbox)
{
	/* After READY the child says one thing more: that the program is gone. Its own end closes the socket. */
	struct pollfd control = { .fd = sandbox->control, .events = POLLIN };

	return sandbox->init_pid > 0 && poll(&control, 1, 0) == 0;
}

int kc_sandbox_output_fd(const struct kc_sandbox *sandbox)
{
	return sandbox->output;
}

int kc_sandbox_error_fd(const struct kc_sandbox *sandbox)
{
	return sandbox->errors;
}

int kc_sandbox_take_socket(struct kc_sandbox *sandbox)
{
	if (sandbox->next_socket >= sandbox->setup.sockets)
		return -1;
	return KC_STEAL_FD(sandbox->sockets[sandbox->next_socket++]);
}

int kc_sandbox_take_diagnosis(struct kc_sandbox *sandbox)
{
	return KC_STEAL_FD(sandbox->sockets[sandbox->setup.sockets]);
}

const char *kc_sandbox_limits_text(const struct kc_sandbox *sandbox)
{
	return sandbox->cgroup.text;
}

/* Reads once from a stream that has something. False at its end. */
static bool drain(int *fd, struct kc_excerpt *excerpt)
{
	char chunk[65536];
	ssize_t got = read(*fd, chunk, sizeof(chunk));

	if (got < 0 && (errno == EINTR || errno == EAGAIN))
		return true;
	if (got <= 0) {
		kc_fd_close(fd);
		return false;
	}
	if (excerpt)
		kc_excerpt_add(excerpt, chunk, (size_t)got);
	return true;
}

/* Until pid 1 is gone: nothing inside outlives it, so the streams end with it, whatever a daemon held open. */
static int collect(struct kc_sandbox *sandbox, int64_t deadline_ms, struct kc_excerpt *output,
		   struct kc_excerpt *errors, struct kc_message *ended)
{
	while (sandbox->control >= 0 || sandbox->output >= 0 || sandbox->errors >= 0) {
		struct pollfd polled[] = { { .fd = sandbox->output, .events = POLLIN },
					   { .fd = sandbox->errors, .events = POLLIN },
					   { .fd = sandbox->control, .events = POLLIN } };
		int64_t left_ms = deadline_ms - kc_now_ms();
		int ready;

		if (left_ms <= 0)
			return -ETIMEDOUT;
		ready = poll(polled, KC_ARRAY_LENGTH(polled), (int)(left_ms > 60000 ? 60000 : left_ms));
		if (ready < 0 && errno != EINTR)
			return -errno;
		if (ready <= 0)
			continue;
		if (polled[0].revents)
			(void)drain(&sandbox->output, output);
		if (polled[1].revents)
			(void)drain(&sandbox->errors, errors);
		if (polled[2].revents) {
			struct kc_message message;

			if (receive(sandbox, &message, MSG_DONTWAIT) <= 0)
				kc_fd_close(&sandbox->control);
			else if (message.kind == KC_MESSAGE_ENDED)
				*ended = message;
		}
	}
	return 0;
}

int kc_sandbox_wait(struct kc_sandbox *sandbox, int64_t deadline_ms, struct kc_excerpt *output,
		    struct kc_excerpt *errors, struct kc_sandbox_outcome *ret_outcome, struct kc_error *err)
{
	struct kc_message ended = { .end = KC_END_NONE };
	int status = collect(sandbox, deadline_ms, output, errors, &ended);

	if (status == -ETIMEDOUT) {
		ended = (struct kc_message){ .end = KC_END_TIMEOUT, .status = SIGKILL };
		(void)kill(sandbox->init_pid, SIGKILL); /* the rest of what it printed follows */
		status = collect(sandbox, kc_now_ms() + KILL_PATIENCE_MS, output, errors, &ended);
		if (ended.end != KC_END_TIMEOUT)
			ended.end = KC_END_TIMEOUT; /* it ended in the very last moment: late all the same */
	}
	if (status < 0)
		return kc_error_errno(err, status, "sandbox: follow the program");
	if (kc_cgroup_ran_out_of_memory(&sandbox->cgroup))
		ended.end = KC_END_OUT_OF_MEMORY;
	if (ended.end == KC_END_NONE)
		return kc_error_set(err, ECHILD, "sandbox: pid 1 was killed from outside");
	*ret_outcome = (struct kc_sandbox_outcome){ .end = ended.end,
						    .status = ended.status,
						    .duration_ms = kc_now_ms() - sandbox->started_ms,
						    .leftovers = ended.leftovers };
	return 0;
}
