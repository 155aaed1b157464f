/*
 * File descriptors that close themselves, and reads and writes that finish.
 *
 * All descriptors of the program are close-on-exec. Closing sets the variable to -1 and keeps errno.
 */
#ifndef KC_SYS_FD_H
#define KC_SYS_FD_H

#include <dirent.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/error.h"

void kc_fd_close(int *fd);
static inline void kc_cleanup_file(FILE **file)
{
	if (*file)
		(void)fclose(*file); /* readers only: a writer checks fclose itself */
}
static inline void kc_cleanup_dir(DIR **dir)
{
	if (*dir)
		(void)closedir(*dir); /* fails only for a bad stream */
}
#define KC_CLEANUP_FD KC_CLEANUP(kc_fd_close)
#define KC_CLEANUP_FILE KC_CLEANUP(kc_cleanup_file)
#define KC_CLEANUP_DIR KC_CLEANUP(kc_cleanup_dir)

#define KC_STEAL_FD(fd)                                                                                      \
	({                                                                                                   \
		int *kc_from_fd = &(fd);                                                                     \
		int kc_stolen_fd = *kc_from_fd;                                                              \
		*kc_from_fd = -1;                                                                            \
		kc_stolen_fd;                                                                                \
	})

/* Writes everything, through EINTR and short writes. 0 or a negative errno; async-signal-safe. */
int kc_fd_write_all(int fd, const void *bytes, size_t length) __attribute__((warn_unused_result));

/* A file in memory with these bytes, at its beginning; `name` is what /proc calls it. The descriptor, or a negative errno. While it is
 * open, programs that we run as ourselves can open it by the path that kc_fd_path makes. */
int kc_fd_of_bytes(const char *name, const void *bytes, size_t length) __attribute__((warn_unused_result));

#define KC_FD_PATH_SIZE 48
void kc_fd_path(int fd, char ret_path[KC_FD_PATH_SIZE]);

/* Appends what is left in `fd` to `buffer`. -E2BIG past the buffer's limit; `name` is what the error calls
 * it. */
int kc_fd_read_all(int fd, struct kc_buffer *buffer, const char *name, struct kc_error *err)
	__attribute__((warn_unused_result));

/* flock(2), exclusively, waiting for whoever holds it; -EINTR if the program is interrupted meanwhile. `name` is
 * what the error calls it. */
int kc_fd_lock(int fd, const char *name, struct kc_error *err) __attribute__((warn_unused_result));

/* Makes `fd` non-blocking. */
int kc_fd_set_nonblocking(int fd, struct kc_error *err) __attribute__((warn_unused_result));

#endif
