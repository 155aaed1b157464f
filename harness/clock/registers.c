#include "clock/registers.h"

#include <elf.h>
#include <errno.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

int kc_registers_read(pid_t tid, struct kc_registers *ret_registers)
{
	struct iovec part = { .iov_base = &ret_registers->user, .iov_len = sizeof(ret_registers->user) };

	return ptrace(PTRACE_GETREGSET, tid, (void *)NT_PRSTATUS, &part) < 0 ? -errno : 0;
}

int kc_registers_write(pid_t tid, const struct kc_registers *registers)
{
	struct iovec part = { .iov_base = (void *)(uintptr_t)&registers->user,
			      .iov_len = sizeof(registers->user) };

	return ptrace(PTRACE_SETREGSET, tid, (void *)NT_PRSTATUS, &part) < 0 ? -errno : 0;
}

int kc_registers_replace(pid_t tid, struct kc_registers *registers, long number)
{
#if defined(__aarch64__)
	int value = (int)number;
	struct iovec part = { .iov_base = &value, .iov_len = sizeof(value) };

	if (ptrace(PTRACE_SETREGSET, tid, (void *)NT_ARM_SYSTEM_CALL, &part) < 0)
		return -errno;
#endif
	kc_registers_set_number(registers, number);
	return kc_registers_write(tid, registers);
}

int kc_registers_skip(pid_t tid, struct kc_registers *registers, int64_t result)
{
	kc_registers_set_result(registers, result);
	return kc_registers_replace(tid, registers, -1);
}
