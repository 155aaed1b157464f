#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "clock/internal.h"
#include "sys/fd.h"

/* ARG_MAX at its largest, execve(2): three quarters of _STK_LIM. */
#define MOST_STACK_BYTES (6u << 20)

struct kc_clock_thread *kc_clock_find_thread(struct kc_clock *clock, pid_t tid)
{
	for (size_t i = 0; i < clock->thread_count; i++)
		if (clock->threads[i].tid == tid)
			return &clock->threads[i];
	return NULL;
}

static int process_of(pid_t tid, pid_t *ret_process)
{
	char path[64], text[512];
	KC_CLEANUP_FD int fd = -1;
	const char *line;
	ssize_t got;

	(void)snprintf(path, sizeof(path), "/proc/%ld/status", (long)tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	got = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (got < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	text[got] = '\0';
	line = strstr(text, "\nTgid:");
	if (!line)
		return -ESRCH;
	*ret_process = (pid_t)strtol(line + strlen("\nTgid:"), NULL, 10);
	return 0;
}

static int make_room(struct kc_clock *clock)
{
	size_t capacity = clock->thread_capacity ? clock->thread_capacity * 2 : 16;
	struct kc_clock_thread *threads;

	if (clock->thread_count < clock->thread_capacity)
		return 0;
	threads = realloc(clock->threads, capacity * sizeof(*threads));
	if (!threads)
		return -ENOMEM;
	clock->threads = threads;
	clock->thread_capacity = capacity;
	return 0;
}

int kc_clock_add_thread(struct kc_clock *clock, pid_t tid, const struct kc_clock_thread *parent)
{
	struct kc_clock_thread thread = { .tid = tid, .status_fd = -1, .syscall_fd = -1 };
	int status = process_of(tid, &thread.process);

	if (status < 0)
		return status;
	if (parent)
		thread.is_real = parent->is_real ||
				 (clock->options.children_are_real && thread.process != parent->process);
	status = make_room(clock); /* `parent` points into the table: not used from here on */
	if (status == 0)
		clock->threads[clock->thread_count++] = thread;
	return status;
}

void kc_clock_drop_thread(struct kc_clock *clock, struct kc_clock_thread *thread)
{
	kc_fd_close(&thread->status_fd);
	kc_fd_close(&thread->syscall_fd);
	*thread = clock->threads[--clock->thread_count];
}

int kc_clock_read_memory(pid_t tid, uint64_t address, void *bytes, size_t size)
{
	struct iovec ours = { .iov_base = bytes, .iov_len = size };
	struct iovec theirs = { .iov_base = (void *)(uintptr_t)address, .iov_len = size };
	ssize_t got = process_vm_readv(tid, &ours, 1, &theirs, 1, 0);

	if (got < 0)
		return -errno;
	return (size_t)got == size ? 0 : -EFAULT;
}

int kc_clock_write_memory(pid_t tid, uint64_t address, const void *bytes, size_t size)
{
	struct iovec ours = { .iov_base = (void *)(uintptr_t)bytes, .iov_len = size };
	struct iovec theirs = { .iov_base = (void *)(uintptr_t)address, .iov_len = size };
	ssize_t put = process_vm_writev(tid, &ours, 1, &theirs, 1, 0);

	if (put < 0)
		return -errno;
	return (size_t)put == size ? 0 : -EFAULT;
}

/* The address behind the next word of 0. */
static int skip_words(pid_t tid, uint64_t *address, uint64_t end)
{
	uint64_t word;

	do {
		int status =
			*address < end ? kc_clock_read_memory(tid, *address, &word, sizeof(word)) : -E2BIG;

		if (status < 0)
			return status;
		*address += sizeof(word);
	} while (word);
	return 0;
}

int kc_clock_hide_vdso(pid_t tid)
{
	struct kc_registers registers;
	uint64_t address, end;
	Elf64_auxv_t entry;
	int status = kc_registers_read(tid, &registers);

	if (status < 0)
		return status;
	address = kc_registers_stack(&registers);
	end = address + MOST_STACK_BYTES;
	address += sizeof(uint64_t); /* argc; then argv and the environment */
	status = skip_words(tid, &address, end);
	if (status == 0)
		status = skip_words(tid, &address, end);
	while (status == 0 && address < end) {
		status = kc_clock_read_memory(tid, address, &entry, sizeof(entry));
		if (status < 0 || entry.a_type == AT_NULL)
			return status;
		if (entry.a_type == AT_SYSINFO_EHDR) {
			entry.a_type = AT_IGNORE;
			return kc_clock_write_memory(tid, address, &entry, sizeof(entry));
		}
		address += sizeof(entry);
	}
	return status;
}
