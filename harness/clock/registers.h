/*
 * The registers of a stopped system call, for both architectures. Internal to harness/clock.
 *
 * Calling conventions: syscall(2). On aarch64 the number is a register set of its own, and the first argument shares its
 * register with the result; the kernel keeps the original one for a restart.
 */
#ifndef KC_CLOCK_REGISTERS_H
#define KC_CLOCK_REGISTERS_H

#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

#define KC_REGISTERS_ARGUMENTS 6

struct kc_registers {
	struct user_regs_struct user;
};

/* All return 0 or a negative errno; -ESRCH when the thread was killed meanwhile. */
int kc_registers_read(pid_t tid, struct kc_registers *ret_registers);
int kc_registers_write(pid_t tid, const struct kc_registers *registers);
/* At the entry: the call is not made, `result` is what it returns. Writes the registers. */
int kc_registers_skip(pid_t tid, struct kc_registers *registers, int64_t result);
/* At the entry: another call is made in its place. Writes the registers. */
int kc_registers_replace(pid_t tid, struct kc_registers *registers, long number);

#if defined(__x86_64__)

static inline long kc_registers_number(const struct kc_registers *registers)
{
	return (long)registers->user.orig_rax;
}

static inline void kc_registers_set_number(struct kc_registers *registers, long number)
{
	registers->user.orig_rax = (unsigned long)number;
}

static inline int64_t kc_registers_result(const struct kc_registers *registers)
{
	return (int64_t)registers->user.rax;
}

static inline void kc_registers_set_result(struct kc_registers *registers, int64_t result)
{
	registers->user.rax = (unsigned long)result;
}

static inline unsigned long long *kc_registers_argument(struct kc_registers *registers, unsigned int index)
{
	unsigned long long *const arguments[KC_REGISTERS_ARGUMENTS] = {
		&registers->user.rdi, &registers->user.rsi, &registers->user.rdx,
		&registers->user.r10, &registers->user.r8,  &registers->user.r9,
	};

	return arguments[index];
}

static inline uint64_t kc_registers_stack(const struct kc_registers *registers)
{
	return registers->user.rsp;
}

#elif defined(__aarch64__)

static inline long kc_registers_number(const struct kc_registers *registers)
{
	return (long)registers->user.regs[8];
}

static inline void kc_registers_set_number(struct kc_registers *registers, long number)
{
	/* Only kc_registers_replace changes it, and in a place that is the kernel's for this one call. */
	(void)registers;
	(void)number;
}

static inline int64_t kc_registers_result(const struct kc_registers *registers)
{
	return (int64_t)registers->user.regs[0];
}

static inline void kc_registers_set_result(struct kc_registers *registers, int64_t result)
{
	registers->user.regs[0] = (unsigned long)result;
}

static inline unsigned long long *kc_registers_argument(struct kc_registers *registers, unsigned int index)
{
	return &registers->user.regs[index];
}

static inline uint64_t kc_registers_stack(const struct kc_registers *registers)
{
	return registers->user.sp;
}

#else
#error "the virtual clock knows the registers of x86_64 and aarch64"
#endif

#endif
