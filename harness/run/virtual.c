#include "run/virtual.h"

#include <string.h>

#include "sys/fd.h"

static int attach(void *context, pid_t pid, struct kc_error *err)
{
	struct kc_virtual *virtual = context;

	return kc_clock_attach(virtual->clock, pid, err);
}

int kc_virtual_open(struct kc_virtual *virtual, const struct kc_case_context *context,
		    struct kc_program *program, struct kc_error *err)
{
	const struct kc_clock_options options = { .deadline_ms = context->deadline_ms };
	int status = kc_seccomp_trace(kc_clock_call, &virtual->calls, err);

	if (status == 0)
		status = kc_clock_new(&options, &virtual->clock, err);
	if (status < 0)
		return status;
	kc_sandbox_set_diagnosis(program->sandbox, true);
	kc_sandbox_set_tracer(program->sandbox, &virtual->calls, attach, virtual);
	return 0;
}

int kc_virtual_watch(struct kc_virtual *virtual, struct kc_program *program, const int *fds, size_t count,
		     struct kc_error *err)
{
	kc_fd_close(&virtual->diagnosis);
	virtual->diagnosis = kc_sandbox_take_diagnosis(program->sandbox);
	return kc_clock_watch(virtual->clock, virtual->diagnosis, fds, count, err);
}

static int64_t now_ms(void *context)
{
	const struct kc_virtual *virtual = context;

	return kc_clock_now_ms(virtual->clock);
}

static int poll_ms(void *context, struct pollfd *fds, size_t count, int64_t timeout_ms, struct kc_error *err)
{
	struct kc_virtual *virtual = context;

	return kc_clock_poll(virtual->clock, fds, count, timeout_ms, err);
}

static void hold(void *context, bool is_held)
{
	struct kc_virtual *virtual = context;

	kc_clock_set_rate(virtual->clock, is_held ? 1 : 0);
}

struct kc_keepalive_clock kc_virtual_clock(struct kc_virtual *virtual)
{
	return (struct kc_keepalive_clock){
		.now_ms = now_ms, .poll_ms = poll_ms, .hold = hold, .context = virtual
	};
}

void kc_virtual_release(struct kc_virtual *virtual)
{
	kc_clock_release(&virtual->clock);
	kc_seccomp_release(&virtual->calls);
	kc_fd_close(&virtual->diagnosis);
}
