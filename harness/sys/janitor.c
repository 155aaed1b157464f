#include "sys/janitor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buffer.h"
#include "sys/fd.h"
#include "sys/file.h"

#define PATH_LIMIT 4000
#define ATTEMPTS 100
#define RETRY_MS 50

enum operation { OPERATION_WATCH = 'w', OPERATION_FORGET = 'f', OPERATION_STOP = 's' };

struct message {
	unsigned char operation;
	unsigned char kind;
	char path[PATH_LIMIT + 1];
};

#define MESSAGE_HEAD offsetof(struct message, path)

struct watched {
	struct watched *older;
	enum kc_janitor_kind kind;
	char path[];
};

static struct {
	pid_t owner; /* who started it, and may wait for it; 0 when none runs */
	pid_t pid;
	int fd;
} janitor = { .fd = -1 };

/* The janitor's own side. Its failures have nobody left to be told to. */

static void remember(struct watched **newest, const struct message *message)
{
	size_t size = strlen(message->path) + 1;
	struct watched *watched = malloc(sizeof(*watched) + size);

	if (!watched)
		return;
	watched->older = *newest;
	watched->kind = (enum kc_janitor_kind)message->kind;
	memcpy(watched->path, message->path, size);
	*newest = watched;
}

static void forget(struct watched **newest, const char *path)
{
	for (struct watched **place = newest; *place; place = &(*place)->older) {
		struct watched *found = *place;

		if (strcmp(found->path, path) != 0)
			continue;
		*place = found->older;
		free(found);
		return;
	}
}

/* cgroup.kill came with Linux 5.14, cgroups(7); before it, and in version 1, whoever is listed is killed one
 * by one.
 */
static void kill_members(const char *path)
{
	KC_CLEANUP_FD int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	KC_CLEANUP_FD int killer = -1;
	KC_CLEANUP_BUFFER struct kc_buffer list = KC_BUFFER_INIT(1u << 20);
	const char *next;

	if (directory < 0)
		return;
	killer = openat(directory, "cgroup.kill", O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (killer >= 0 && kc_fd_write_all(killer, "1", 1) == 0)
		return;
	if (kc_file_read(directory, "cgroup.procs", &list, NULL) < 0)
		return;
	next = kc_buffer_string(&list);
	for (;;) {
		char *end;
		long pid = strtol(next, &end, 10);

		if (end == next)
			return;
		if (pid > 1)
			(void)kill((pid_t)pid, SIGKILL);
		next = end;
	}
}

static void remove_cgroup(const char *path)
{
	for (int i = 0; i < ATTEMPTS; i++) {
		kill_members(path);
		/* Busy while the killed are still dying. */
		if (rmdir(path) == 0 || errno != EBUSY)
			return;
		(void)poll(NULL, 0, RETRY_MS);
	}
}

/* What was killed with the program may still be dying, and writing while it does. */
static void remove_tree(const char *path)
{
	for (int i = 0; i < ATTEMPTS; i++) {
		int status = kc_tree_remove(AT_FDCWD, path, NULL);

		if (status != -ENOTEMPTY && status != -EBUSY)
			return;
		(void)poll(NULL, 0, RETRY_MS);
	}
}

static void clean_up(const struct watched *newest)
{
	for (const struct watched *watched = newest; watched; watched = watched->older) {
		if (watched->kind == KC_JANITOR_CGROUP)
			remove_cgroup(watched->path);
		else
			remove_tree(watched->path);
	}
}

static void serve(int fd)
{
	struct watched *newest = NULL;
	struct message message;

	for (;;) {
		ssize_t got = recv(fd, &message, sizeof(message) - 1, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < (ssize_t)MESSAGE_HEAD || message.operation == OPERATION_STOP)
			break;
		((char *)&message)[got] = '\0';
		if (message.operation == OPERATION_WATCH)
			remember(&newest, &message);
		else if (message.operation == OPERATION_FORGET)
			forget(&newest, message.path);
	}
	clean_up(newest);
}

/* A descriptor of ours that stayed open here would keep a pipe, a lock or a mount alive that is ours no more.
 */
static int keep_only(int *fd)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0)
		return -errno;
	if (*fd < 3) {
		int moved = fcntl(*fd, F_DUPFD_CLOEXEC, 3);

		if (moved < 0)
			return -errno;
		*fd = moved;
	}
	for (int i = 0; i < 3; i++)
		if (null != i && dup2(null, i) < 0)
			return -errno;
	if (*fd > 3 && close_range(3, (unsigned int)*fd - 1, 0) < 0)
		return -errno;
	if (close_range((unsigned int)*fd + 1, ~0U, 0) < 0)
		return -errno;
	return 0;
}

static void ignore_signals(void)
{
	static const int ignored[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGTSTP, SIGTTOU, SIGTTIN };
	sigset_t none;

	/* One call per signal: there is no moment at which one of the ignored would kill. */
	for (int signal_number = 1; signal_number < NSIG; signal_number++) {
		void (*disposition)(int) = SIG_DFL;

		for (size_t i = 0; i < KC_ARRAY_LENGTH(ignored); i++)
			if (ignored[i] == signal_number)
				disposition = SIG_IGN;
		(void)signal(signal_number,
			     disposition); /* fails for KILL, STOP and libc's own: as it must */
	}
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static void janitor_main(int fd)
{
	/* Signals first: from here on the terminal's do not reach it. The start waits for the byte below. */
	ignore_signals();
	if (setsid() < 0 || chdir("/") < 0 || keep_only(&fd) < 0)
		_exit(1);
	(void)prctl(PR_SET_NAME, "kc-janitor"); /* for whoever looks at ps(1) */
	if (send(fd, "", 1, MSG_NOSIGNAL) != 1)
		_exit(1);
	serve(fd);
	_exit(0);
}

/* The program's side. */

int kc_janitor_start(struct kc_error *err)
{
	KC_CLEANUP_FD int ours = -1;
	KC_CLEANUP_FD int theirs = -1;
	int pair[2];
	char ready;
	pid_t pid;

	if (janitor.owner)
		return kc_error_set(err, EALREADY, "start the clean-up process: one runs already");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return kc_error_errno(err, errno, "start the clean-up process: socketpair");
	ours = pair[0];
	theirs = pair[1];
	pid = fork();
	if (pid < 0)
		return kc_error_errno(err, errno, "start the clean-up process: fork");
	if (pid == 0) {
		kc_fd_close(&ours);
		janitor_main(theirs);
	}
	kc_fd_close(&theirs);
	while (recv(ours, &ready, 1, 0) != 1) {
		if (errno == EINTR)
			continue;
		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, NULL, 0);
		return kc_error_set(err, EIO, "start the clean-up process: it ended at once");
	}
	janitor.owner = getpid();
	janitor.pid = pid;
	janitor.fd = KC_STEAL_FD(ours);
	return 0;
}

/* Only what nobody could have meant otherwise is ever removed. */
static int check_path(const char *path, struct kc_error *err)
{
	const char *component = path;
	unsigned int depth = 0;

	if (strlen(path) > PATH_LIMIT)
		return kc_error_errno(err, ENAMETOOLONG, "watch `%s`", path);
	while (*component == '/') {
		size_t length = strcspn(++component, "/");

		if (length == 0 || (length == 1 && component[0] == '.') ||
		    (length == 2 && component[0] == '.' && component[1] == '.'))
			break;
		component += length;
		depth++;
	}
	if (*component || path[0] != '/' || component[-1] == '/' || depth < 2)
		return kc_error_set(err, EINVAL, "watch `%s`: not a plain absolute path", path);
	return 0;
}

static int tell(enum operation operation, unsigned int kind, const char *path)
{
	struct message message;
	size_t length = strlen(path);

	message.operation = (unsigned char)operation;
	message.kind = (unsigned char)kind;
	memcpy(message.path, path, length);
	while (send(janitor.fd, &message, MESSAGE_HEAD + length, MSG_NOSIGNAL) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

int kc_janitor_watch(enum kc_janitor_kind kind, const char *path, struct kc_error *err)
{
	int status = check_path(path, err);

	if (status < 0 || janitor.fd < 0)
		return status;
	status = tell(OPERATION_WATCH, kind, path);
	return status < 0 ? kc_error_errno(err, status, "watch `%s`: tell the clean-up process", path) : 0;
}

void kc_janitor_forget(const char *path)
{
	/* Untold, the janitor would look for a thing that is gone: no harm. */
	if (janitor.fd >= 0 && check_path(path, NULL) == 0)
		(void)tell(OPERATION_FORGET, 0, path);
}

void kc_janitor_stop(void)
{
	if (janitor.fd < 0)
		return;
	if (janitor.owner == getpid()) {
		(void)tell(OPERATION_STOP, 0, ""); /* dead already is as good */
		kc_fd_close(&janitor.fd);
		while (waitpid(janitor.pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	kc_fd_close(&janitor.fd);
	janitor.owner = 0;
}
