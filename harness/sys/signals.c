#include "sys/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sys/fd.h"
#include "sys/time.h"

#define PATIENCE_MS 1000

static const int taken[] = { SIGINT, SIGTERM, SIGHUP };

static volatile sig_atomic_t caught;
static int64_t caught_ms; /* written before `caught` is set, by the handler alone */
static int event_fd = -1;

/* Async-signal-safe calls only, signal-safety(7). */
static void on_signal(int signal_number)
{
	static const uint64_t one = 1;
	int saved = errno;

	if (caught) {
		if (kc_now_ms() - caught_ms > PATIENCE_MS)
			_exit(KC_SIGNALS_EXIT);
	} else {
		caught_ms = kc_now_ms();
		caught = signal_number;
		if (kc_fd_write_all(event_fd, &one, sizeof(one)) < 0)
			_exit(KC_SIGNALS_EXIT); /* nobody would wake up */
	}
	errno = saved;
}

static void set_defaults(void)
{
	sigset_t none;

	for (int signal_number = 1; signal_number < NSIG; signal_number++)
		(void)signal(signal_number, SIG_DFL); /* fails for KILL, STOP and libc's own: as it must */
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static int open_standard_descriptors(struct kc_error *err)
{
	for (int fd = 0; fd < 3; fd++)
		/* The lowest free number is given out, so this lands on `fd`. Not close-on-exec: these three
		 * are for children, too. */
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
			return kc_error_errno(err, errno, "open `/dev/null` as descriptor %d", fd);
	return 0;
}

int kc_signals_start(struct kc_error *err)
{
	struct sigaction action = { .sa_handler = on_signal };
	int status = open_standard_descriptors(err);

	if (status < 0)
		return status;
	set_defaults();
	(void)signal(SIGPIPE, SIG_IGN);
	caught = 0;
	kc_fd_close(&event_fd);
	event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (event_fd < 0)
		return kc_error_errno(err, errno, "watch for signals: eventfd");
	for (size_t i = 0; i < KC_ARRAY_LENGTH(taken); i++)
		(void)sigaddset(&action.sa_mask, taken[i]);
	for (size_t i = 0; i < KC_ARRAY_LENGTH(taken); i++)
		if (sigaction(taken[i], &action, NULL) < 0)
			return kc_error_errno(err, errno, "watch for signals: sigaction");
	return 0;
}

int kc_signals_fd(void)
{
	return event_fd;
}

int kc_signals_caught(void)
{
	return caught;
}

int kc_signals_check(struct kc_error *err)
{
	int signal_number = caught;

	if (!signal_number)
		return 0;
	return kc_error_set(err, EINTR, "interrupted by SIG%s", sigabbrev_np(signal_number));
}

void kc_signals_reset(void)
{
	set_defaults();
	caught = 0;
	kc_fd_close(&event_fd);
}
