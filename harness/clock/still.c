/* Whether anything runs. */
#include <errno.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <linux/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock/internal.h"
#include "sys/fd.h"

/* TCP_LISTEN of netinet/tcp.h, which does not go with linux/tcp.h and its longer struct tcp_info. */
#define STATE_LISTEN 10
/* Bytes that a peer does not read stay under way for good. On loopback all others move at once, or when a delayed
 * acknowledgement lets them, TCP_DELACK_MAX of the kernel's net/tcp.h: 0.2 s. */
#define STUCK_NS (KC_CLOCK_SECOND / 2)

static ssize_t read_file(const struct kc_clock_thread *thread, int *fd, const char *name, char *text,
			 size_t size)
{
	ssize_t got;

	if (*fd < 0) {
		char path[64];

		(void)snprintf(path, sizeof(path), "/proc/%ld/task/%ld/%s", (long)thread->process,
			       (long)thread->tid, name);
		*fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	got = *fd < 0 ? -1 : pread(*fd, text, size - 1, 0);
	text[got > 0 ? got : 0] = '\0';
	return got;
}

/* State and scheduling of a thread: proc_pid_status(5). False if it cannot be read: it may be about to end. */
static bool read_status(struct kc_clock_thread *thread, char *ret_state, unsigned long long *ret_switches)
{
	char text[16384]; /* masks of many CPUs are long */
	const char *state, *switches;

	if (read_file(thread, &thread->status_fd, "status", text, sizeof(text)) <= 0)
		return false;
	state = strstr(text, "\nState:\t");
	switches = strstr(text, "\nvoluntary_ctxt_switches:");
	if (!state || !switches)
		return false;
	*ret_state = state[strlen("\nState:\t")];
	*ret_switches = strtoull(strchr(switches + 1, ':') + 1, NULL, 10);
	return true;
}

/* Whether it is off its CPU, proc_pid_syscall(5). Its state alone does not say so: a thread in wait4(2) calls itself asleep
 * while it reaps a child. */
static bool is_off_cpu(struct kc_clock_thread *thread)
{
	char text[256];

	return read_file(thread, &thread->syscall_fd, "syscall", text, sizeof(text)) > 0 &&
	       strncmp(text, "running", strlen("running")) != 0;
}

int kc_clock_probe_thread(pid_t tid)
{
	struct kc_clock_thread thread = { .tid = tid, .process = tid, .status_fd = -1, .syscall_fd = -1 };
	unsigned long long switches;
	char state, text[256];
	bool is_told = read_status(&thread, &state, &switches) &&
		       read_file(&thread, &thread.syscall_fd, "syscall", text, sizeof(text)) > 0;

	kc_fd_close(&thread.status_fd);
	kc_fd_close(&thread.syscall_fd);
	return is_told ? 0 : -EOPNOTSUPP;
}

static bool has_other_threads(const struct kc_clock *clock, const struct kc_clock_thread *thread)
{
	for (size_t i = 0; i < clock->thread_count; i++)
		if (clock->threads[i].process == thread->process && &clock->threads[i] != thread)
			return true;
	return false;
}

/* A thread that has stopped for us, or died, has something to say that we have not heard yet. Except that a process' first
 * thread says nothing before all the others are dead, and that one whose stop signal we know of has said so. */
static bool sleeps(const struct kc_clock *clock, const struct kc_clock_thread *thread, char state)
{
	switch (state) {
	case 'S':
	case 'T':
		return true;
	case 't':
		return thread->is_stopped;
	case 'D':
		return thread->is_vforking;
	case 'Z':
		return thread->tid == thread->process && has_other_threads(clock, thread);
	default:
		return false;
	}
}

void kc_clock_note_stop(struct kc_clock_thread *thread)
{
	siginfo_t ignored;
	char state;

	/* Any request waits until the thread is off its CPU: only then has its parent been told, and is the count final. One
	 * that cannot be asked or read is gone. */
	(void)ptrace(PTRACE_GETSIGINFO, thread->tid, NULL, &ignored);
	thread->is_stopped = read_status(thread, &state, &thread->switches);
}

/* Whoever is off its CPU at both of two looks has not run between them if it has not gone to sleep again. */
static bool look(struct kc_clock *clock, bool is_second)
{
	for (size_t i = 0; i < clock->thread_count; i++) {
		struct kc_clock_thread *thread = &clock->threads[i];
		bool is_off = is_off_cpu(thread);
		unsigned long long switches;
		char state;

		if (!read_status(thread, &state, &switches) || !sleeps(clock, thread, state) ||
		    (!is_off && state != 'Z') ||
		    ((is_second || thread->is_stopped) && switches != thread->switches))
			return false;
		thread->switches = switches;
	}
	return true;
}

/* What one end of a connection has counted, in bytes. Acknowledgements take their time, so that what is not acknowledged may
 * have arrived all the same. */
struct counts {
	uint64_t written;  /* by its program */
	uint64_t unacked;  /* of these */
	uint64_t received; /* from the other end */
};

static void count(const struct tcp_info *info, uint64_t unacked, struct counts *ret_counts)
{
	*ret_counts = (struct counts){ .written = info->tcpi_bytes_acked + unacked,
				       .unacked = unacked,
				       .received = info->tcpi_bytes_received };
}

static int count_own(int fd, struct counts *ret_counts)
{
	struct tcp_info info = { 0 };
	socklen_t size = sizeof(info);
	int unacked = 0;

	if (ioctl(fd, SIOCOUTQ, &unacked) < 0 || getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
		return -errno;
	count(&info, (uint64_t)unacked, ret_counts);
	return 0;
}

/* The kernel's answer: a message, and attributes of which the one asked for is struct tcp_info. */
static int read_answer(char *answer, size_t size, struct counts *ret_counts)
{
	struct nlmsghdr *header = (struct nlmsghdr *)answer;
	struct inet_diag_msg *message = NLMSG_DATA(header);
	struct rtattr *attribute = (struct rtattr *)(message + 1);
	struct tcp_info info = { 0 };
	size_t left;

	if (size < NLMSG_LENGTH(sizeof(*message)) || header->nlmsg_len > size ||
	    header->nlmsg_type != SOCK_DIAG_BY_FAMILY)
		return -ENOENT;
	left = header->nlmsg_len - NLMSG_LENGTH(sizeof(*message));
	for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left))
		if (attribute->rta_type == INET_DIAG_INFO)
			memcpy(&info, RTA_DATA(attribute),
			       RTA_PAYLOAD(attribute) < sizeof(info) ? RTA_PAYLOAD(attribute) : sizeof(info));
	/* Of a listener this is the length of a queue. */
	count(&info, message->idiag_state == STATE_LISTEN ? 0 : message->idiag_wqueue, ret_counts);
	return 0;
}

/* Asks the kernel about the TCP socket over IPv4 that has these two addresses. 0, or -ENOENT if there is none. It holds the
 * socket's lock when it reads: what has been counted has also woken whoever waits for it. sock_diag(7). */
static int count_other(int diagnosis, const struct sockaddr_in *near, const struct sockaddr_in *far,
		       struct counts *ret_counts)
{
	struct {
		struct nlmsghdr header;
		struct inet_diag_req_v2 request;
	} question = { .header = { .nlmsg_len = sizeof(question),
				   .nlmsg_type = SOCK_DIAG_BY_FAMILY,
				   .nlmsg_flags = NLM_F_REQUEST },
		       .request = { .sdiag_family = AF_INET,
				    .sdiag_protocol = IPPROTO_TCP,
				    .idiag_ext = 1u << (INET_DIAG_INFO - 1),
				    .idiag_states = ~0u,
				    .id = { .idiag_sport = near->sin_port,
					    .idiag_dport = far->sin_port,
					    .idiag_src = { near->sin_addr.s_addr },
					    .idiag_dst = { far->sin_addr.s_addr },
					    .idiag_cookie = { INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE } } } };
	_Alignas(struct nlmsghdr) char answer[2048];
	ssize_t got;

	/* The kernel answers within send(2). */
	if (send(diagnosis, &question, sizeof(question), MSG_DONTWAIT) < 0)
		return -errno;
	got = recv(diagnosis, answer, sizeof(answer), MSG_DONTWAIT);
	return got < 0 ? -errno : read_answer(answer, (size_t)got, ret_counts);
}

int kc_clock_probe_diagnosis(struct kc_error *err)
{
	KC_CLEANUP_FD int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	KC_CLEANUP_FD int diagnosis = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	struct sockaddr_in own = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(own);
	struct counts counts = { 0 };

	if (listener < 0 || diagnosis < 0 || bind(listener, (struct sockaddr *)&own, size) < 0 ||
	    listen(listener, 1) < 0 || getsockname(listener, (struct sockaddr *)&own, &size) < 0)
		return kc_error_errno(err, errno, "ask the kernel about a connection");
	if (count_other(diagnosis, &own, &own, &counts) == 0)
		return 0;
	(void)kc_error_set(err, EOPNOTSUPP, "ask the kernel about a connection: it does not answer");
	kc_error_hint(err, "load the kernel's module tcp_diag");
	return -EOPNOTSUPP;
}

static uint64_t one_way(struct kc_clock_connection *connection, int direction, const struct counts *sender,
			const struct counts *receiver)
{
	uint64_t ahead = sender->written - receiver->received;

	if (sender->unacked == 0) {
		connection->offset[direction].is_known = true;
		connection->offset[direction].bytes = ahead;
		return 0;
	}
	return connection->offset[direction].is_known ? ahead - connection->offset[direction].bytes
						      : sender->unacked;
}

/* A sum that differs when anything of it has moved; 0 when nothing is under way. */
static uint64_t count_under_way(struct kc_clock *clock)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < clock->watched_count; i++) {
		struct kc_clock_connection *connection = &clock->watched[i];
		struct sockaddr_in own, peer;
		socklen_t own_size = sizeof(own), peer_size = sizeof(peer);
		struct counts ours = { 0 }, theirs = { 0 };

		/* Of a connection that is not made, or whose other end is gone, nothing comes. */
		if (connection->fd < 0 ||
		    getsockname(connection->fd, (struct sockaddr *)&own, &own_size) < 0 ||
		    getpeername(connection->fd, (struct sockaddr *)&peer, &peer_size) < 0 ||
		    own.sin_family != AF_INET || count_own(connection->fd, &ours) < 0 ||
		    count_other(clock->diagnosis, &peer, &own, &theirs) < 0)
			continue;
		sum += one_way(connection, 0, &ours, &theirs);
		sum += one_way(connection, 1, &theirs, &ours) << 20;
	}
	return sum;
}

static bool is_under_way(struct kc_clock *clock)
{
	uint64_t sum = count_under_way(clock);
	int64_t now_ns = kc_clock_real_ns();

	if (sum != clock->under_way) {
		clock->under_way = sum;
		clock->under_way_since_ns = now_ns;
	}
	return sum && now_ns - clock->under_way_since_ns < STUCK_NS;
}

/* The order counts: what was under way had arrived before the second look, and has woken whoever waited for it. */
bool kc_clock_is_still(struct kc_clock *clock)
{
	return look(clock, false) && !is_under_way(clock) && look(clock, true);
}
