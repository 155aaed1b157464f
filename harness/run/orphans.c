#include "run/orphans.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buffer.h"
#include "sys/fd.h"
#include "sys/time.h"

/* Fills `pids` with up to `size` children that are not among `known`. None on a kernel without the list
 * (CONFIG_PROC_CHILDREN): then orphans are still ours, but only their own parent-death signals end them. */
static size_t list_children(pid_t *pids, size_t size, const pid_t *known, size_t known_count)
{
	KC_CLEANUP_FD int fd = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(1u << 20);
	const char *next;
	size_t count = 0;

	if (fd < 0 || kc_fd_read_all(fd, &text, "children", NULL) < 0)
		return 0;
	next = kc_buffer_string(&text);
	while (count < size) {
		char *end;
		pid_t pid = (pid_t)strtol(next, &end, 10);
		bool is_known = false;

		if (end == next)
			break;
		next = end;
		for (size_t i = 0; i < known_count; i++)
			is_known |= known[i] == pid;
		if (!is_known)
			pids[count++] = pid;
	}
	return count;
}

int kc_orphans_adopt(struct kc_orphans *orphans, struct kc_error *err)
{
	memset(orphans, 0, sizeof(*orphans));
	if (prctl(PR_GET_CHILD_SUBREAPER, &orphans->was_subreaper) < 0 ||
	    prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return kc_error_errno(err, errno, "become the reaper of orphans");
	orphans->before_count = list_children(orphans->before, KC_ORPHANS_MAX_BEFORE, NULL, 0);
	return 0;
}

/* It is our child and not yet waited for, so its number is its own. */
static bool end_child(pid_t pid, int64_t deadline_ms)
{
	KC_CLEANUP_FD int pidfd = pidfd_open(pid, 0);
	struct pollfd ended = { .fd = pidfd, .events = POLLIN };

	(void)kill(pid, SIGKILL);
	while (pidfd >= 0) {
		int64_t left_ms = deadline_ms - kc_now_ms();
		int ready = poll(&ended, 1, left_ms > 0 ? (int)left_ms : 0);

		if (ready > 0 || (ready < 0 && errno != EINTR))
			break;
		if (ready == 0)
			return false;
	}
	return waitpid(pid, NULL, WNOHANG) == pid;
}

void kc_orphans_end(struct kc_orphans *orphans)
{
	int64_t deadline_ms = kc_now_ms() + KC_ORPHANS_PATIENCE_MS;
	pid_t pid;

	/* One at a time: the death of each may bring us its children. */
	while (list_children(&pid, 1, orphans->before, orphans->before_count) == 1)
		if (!end_child(pid, deadline_ms))
			break;
	(void)prctl(PR_SET_CHILD_SUBREAPER, orphans->was_subreaper);
}
