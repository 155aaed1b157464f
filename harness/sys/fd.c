#include "sys/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sys/signals.h"

#define LOCK_STEP_MS 50

void kc_fd_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		(void)close(
			*fd); /* written data is checked where it is written; nothing is left to learn here */
	*fd = -1;
	errno = saved;
}

int kc_fd_write_all(int fd, const void *bytes, size_t length)
{
	const char *next = bytes;

	while (length) {
		ssize_t written = write(fd, next, length);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -errno;
		if (written == 0)
			return -EIO;
		next += written;
		length -= (size_t)written;
	}
	return 0;
}

int kc_fd_of_bytes(const char *name, const void *bytes, size_t length)
{
	KC_CLEANUP_FD int fd = memfd_create(name, MFD_CLOEXEC);
	int status;

	if (fd < 0)
		return -errno;
	status = kc_fd_write_all(fd, bytes, length);
	if (status == 0 && lseek(fd, 0, SEEK_SET) < 0)
		status = -errno;
	return status < 0 ? status : KC_STEAL_FD(fd);
}

/* By our number: /proc/self would be the program's that opens it, and it has no such descriptor. */
void kc_fd_path(int fd, char ret_path[KC_FD_PATH_SIZE])
{
	(void)snprintf(ret_path, KC_FD_PATH_SIZE, "/proc/%d/fd/%d", (int)getpid(), fd); /* it fits */
}

int kc_fd_read_all(int fd, struct kc_buffer *buffer, const char *name, struct kc_error *err)
{
	char chunk[65536];

	for (;;) {
		ssize_t got = read(fd, chunk, sizeof(chunk));
		int status;

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return kc_error_errno(err, errno, "read `%s`", name);
		if (got == 0)
			return 0;
		status = kc_buffer_append(buffer, chunk, (size_t)got);
		if (status == -E2BIG)
			return kc_error_set(err, E2BIG, "read `%s`: larger than the limit of %zu bytes", name,
					    buffer->limit);
		if (status < 0)
			return kc_error_errno(err, status, "read `%s`", name);
	}
}

/* In steps: a signal that comes between the question and a wait without end would wait as long. */
int kc_fd_lock(int fd, const char *name, struct kc_error *err)
{
	struct pollfd signalled = { .fd = kc_signals_fd(), .events = POLLIN };

	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		int status;

		if (errno != EWOULDBLOCK && errno != EINTR)
			return kc_error_errno(err, errno, "lock `%s`", name);
		status = kc_signals_check(err);
		if (status < 0)
			return kc_error_prefix(err, "wait for another run (`%s`)", name), status;
		(void)poll(&signalled, 1, LOCK_STEP_MS); /* cut short is as good */
	}
	return 0;
}

int kc_fd_set_nonblocking(int fd, struct kc_error *err)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return kc_error_errno(err, errno, "make descriptor %d non-blocking", fd);
	return 0;
}
