#include "cases/sigill.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "run/program.h"
#include "sandbox/sandbox.h"
#include "sys/time.h"

/* An interpreter that imports everything makes some 5,000 system calls, a line each. */
#define TRACE_LIMIT (16u << 20)
#define MOST_MAPPINGS 4096
#define MOST_FILES 1024
#define MOST_ENVIRONMENT 16
#define MOST_SPEAKERS 64

bool kc_sigill_is_reported(const struct kc_buffer *errors)
{
	/* linux-user/signal.c of qemu */
	return strstr(kc_buffer_string(errors), "uncaught target signal 4 ") != NULL;
}

/* A line of the trace that matters; text is cut out of the line by its offsets. */
struct file {
	long pid;
	int fd;
	const char *path;
	size_t length;
};

struct mapping {
	long pid;
	uint64_t start, end;
	const char *path;
	size_t length;
};

struct trace {
	struct file
		files[MOST_FILES]; /* the newest last; when there is no more room, later ones are not known */
	size_t file_count;
	struct mapping mappings[MOST_MAPPINGS];
	size_t mapping_count;
	uint64_t address; /* of the signal */
	long pid;	  /* of the process that got it; 0 if that cannot be told */
};

/* The process of a line of the trace; 0 for any other line. */
static long speaker(const char *line)
{
	char *end;
	long pid = strtol(line, &end, 10);

	return *end == ' ' && pid > 0 ? pid : 0;
}

/* `PID execve("PATH",...) = 0`, which counts as a mapping of everything. The emulator writes the call and its result by themselves: another
 * process may have begun the line, and may go on in it before the result, so that only a failure that is told ends the call. */
static void take_execution(struct trace *trace, const char *line)
{
	const char *call = strstr(line, " execve(\""), *begin = call, *path, *end;

	if (!call)
		return;
	while (begin > line && isdigit((unsigned char)begin[-1]))
		begin--;
	path = call + strlen(" execve(\"");
	end = strchr(path, '"');
	if (end && !strstr(end, ") = -1") && speaker(begin) && trace->mapping_count < MOST_MAPPINGS)
		trace->mappings[trace->mapping_count++] = (struct mapping){
			.pid = speaker(begin), .end = UINT64_MAX, .path = path, .length = (size_t)(end - path)
		};
}

/* `PID openat(-100,"PATH",FLAGS) = FD` */
static void take_path(struct trace *trace, long pid, const char *line, const char *result)
{
	const char *path = strchr(line, '"'), *end = path ? strchr(path + 1, '"') : NULL;
	char *rest;
	long number = strtol(result, &rest, 10);

	if (!end || rest == result || number < 0)
		return;
	path++;
	if (trace->file_count < MOST_FILES)
		trace->files[trace->file_count++] = (struct file){
			.pid = pid, .fd = (int)number, .path = path, .length = (size_t)(end - path)
		};
}

/* `PID mmap(WHERE,LENGTH,PROTECTION,FLAGS,FD,OFFSET) = ADDRESS` */
static void take_mapping(struct trace *trace, long pid, const char *arguments, const char *result)
{
	struct mapping mapping = { .pid = pid, .start = strtoull(result, NULL, 16) };
	unsigned long long length;
	int fd;

	if (sscanf(arguments, "mmap(%*[^,],%llu,%*[^,],%*[^,],%d,", &length, &fd) != 2 || fd < 0 ||
	    trace->mapping_count == MOST_MAPPINGS)
		return;
	mapping.end = mapping.start + length;
	for (size_t i = trace->file_count; i-- > 0 && !mapping.path;)
		if (trace->files[i].fd == fd && trace->files[i].pid == pid) {
			mapping.path = trace->files[i].path;
			mapping.length = trace->files[i].length;
		}
	if (mapping.path)
		trace->mappings[trace->mapping_count++] = mapping;
}

static void take_line(struct trace *trace, const char *line)
{
	const char *result = strstr(line, ") = "), *call = strchr(line, ' ');
	long pid = speaker(line);

	take_execution(trace, line);
	if (!pid || !result)
		return;
	result += strlen(") = ");
	if (strncmp(call, " open", 5) == 0)
		take_path(trace, pid, line, result);
	else if (strncmp(call, " mmap(", 6) == 0)
		take_mapping(trace, pid, call + 1, result);
}

static bool speaks(const char *text, long pid)
{
	for (; *text; text = *text ? text + 1 : text) {
		if (speaker(text) == pid)
			return true;
		text += strcspn(text, "\n");
	}
	return false;
}

/* The line of the signal does not say whose it is: it follows the process's last line, but a parent may have said something
 * in between. Who speaks after it is not who died of it. `before` ends where the signal's line begins. */
static long find_victim(const char *text, const char *before, const char *after)
{
	long living = 0;

	for (int tried = 0; before > text && tried < MOST_SPEAKERS;) {
		long pid;

		for (before--; before > text && before[-1] != '\n'; before--)
			;
		pid = speaker(before);
		if (pid == 0 || pid == living)
			continue;
		if (!speaks(after, pid))
			return pid;
		living = pid;
		tried++;
	}
	return 0;
}

/* The newest mapping there, of the process itself or else (a thread, a child that never executed anything) of any other.
 * What nobody mapped is where the emulator put the program itself. */
static const struct mapping *look_up(const struct trace *trace)
{
	for (int any = 0; any < 2; any++)
		for (size_t i = trace->mapping_count; i-- > 0;) {
			const struct mapping *mapping = &trace->mappings[i];

			if ((any || mapping->pid == trace->pid) && mapping->start <= trace->address &&
			    trace->address < mapping->end && (!any || mapping->start))
				return mapping;
		}
	return NULL;
}

/* The last one, for a program may have asked for earlier ones to see what the CPU can do. Where a line of another process was
 * not finished, it is in the middle of that line. */
static char *find_signal(char *text)
{
	static const char mark[] = "--- SIGILL {";
	char *found = NULL;

	for (char *at = strstr(text, mark); at; at = strstr(at + 1, mark))
		if (strstr(at, "si_addr="))
			found = at;
	return found;
}

void kc_sigill_find(const char *text, const char *program, char ret_path[PATH_MAX])
{
	KC_CLEANUP_FREE struct trace *trace = calloc(1, sizeof(*trace));
	KC_CLEANUP_FREE char *lines = strdup(text);
	char *signal = lines ? find_signal(lines) : NULL, *rest = NULL;
	const struct mapping *mapping;

	*ret_path = '\0';
	if (!trace || !signal)
		return;
	trace->address = strtoull(strstr(signal, "si_addr=") + strlen("si_addr="), NULL, 16);
	trace->pid = find_victim(lines, signal, signal + strcspn(signal, "\n"));
	*signal = '\0';
	for (char *line = strtok_r(lines, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		take_line(trace, line);
	mapping = look_up(trace);
	(void)snprintf(ret_path, PATH_MAX, "%.*s", mapping ? (int)mapping->length : (int)strlen(program),
		       mapping ? mapping->path : program);
}

static int read_some(int fd, struct kc_buffer *buffer)
{
	char chunk[65536];
	ssize_t got = read(fd, chunk, sizeof(chunk));

	if (got < 0 && (errno == EINTR || errno == EAGAIN))
		return 1;
	if (got <= 0)
		return (int)got;
	/* What does not fit is the end of a trace that is too long: the rest is thrown away. */
	return !buffer || kc_buffer_append(buffer, chunk, (size_t)got) <= 0;
}

/* Both streams to their ends. */
static int read_trace(struct kc_sandbox *sandbox, int64_t deadline_ms, struct kc_buffer *trace)
{
	struct pollfd polled[] = { { .fd = kc_sandbox_output_fd(sandbox), .events = POLLIN },
				   { .fd = kc_sandbox_error_fd(sandbox), .events = POLLIN } };

	while (polled[0].fd >= 0 || polled[1].fd >= 0) {
		int64_t left_ms = deadline_ms - kc_now_ms();
		int ready = left_ms > 0 ? poll(polled, 2, (int)(left_ms < 60000 ? left_ms : 60000)) : -1;

		if (left_ms <= 0)
			return -ETIMEDOUT;
		if (ready < 0 && errno != EINTR)
			return -errno;
		for (int i = 0; ready > 0 && i < 2; i++)
			if (polled[i].revents && read_some(polled[i].fd, i == 1 ? trace : NULL) <= 0)
				polled[i].fd = -1;
	}
	return 0;
}

int kc_sigill_locate(const struct kc_case_context *context, const char *const argv[],
		     const char *const environment[], char ret_path[PATH_MAX], struct kc_error *err)
{
	KC_CLEANUP_PROGRAM struct kc_program program = { 0 };
	KC_CLEANUP_BUFFER struct kc_buffer trace = KC_BUFFER_INIT(TRACE_LIMIT);
	const char *traced[MOST_ENVIRONMENT + 2] = { NULL };
	size_t count = 0;
	int status;

	for (; environment[count] && count < MOST_ENVIRONMENT; count++)
		traced[count] = environment[count];
	traced[count] = "QEMU_STRACE=1";
	status = kc_program_prepare(context, argv, traced, &program, err);
	if (status == 0)
		status = kc_program_start(&program, err);
	if (status < 0)
		return status;
	status = read_trace(program.sandbox, context->deadline_ms, &trace);
	if (status < 0)
		return kc_error_errno(err, status, "find the illegal instruction");
	kc_sigill_find(kc_buffer_string(&trace), argv[0], ret_path);
	return 0;
}
