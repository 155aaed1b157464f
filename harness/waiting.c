#include "waiting.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "reports/text.h"
#include "sys/fd.h"

#define LINE_LIMIT 8192

/* A line that cannot be written is lost, as the console's are. */
static void write_out(const struct kc_buffer *line)
{
	if (kc_fd_write_all(STDERR_FILENO, kc_buffer_string(line), line->length) < 0)
		return;
}

static void erase(struct kc_waiting *waiting)
{
	static const char line[] = "\r\033[K";

	if (waiting->is_drawn && kc_fd_write_all(STDERR_FILENO, line, strlen(line)) < 0)
		return;
	waiting->is_drawn = false;
}

void kc_waiting_work(void *context, const char *text)
{
	KC_CLEANUP_BUFFER struct kc_buffer line = KC_BUFFER_INIT(LINE_LIMIT);
	struct kc_waiting *waiting = context;

	erase(waiting);
	waiting->is_told = false;
	if (!waiting->quiet && kc_text_append(&line, text, strlen(text), KC_TEXT_LINE) == 0 &&
	    kc_buffer_append_string(&line, " ...\n") == 0)
		write_out(&line);
}

void kc_waiting_download(void *context, const char *what, int64_t bytes, int64_t total)
{
	KC_CLEANUP_BUFFER struct kc_buffer line = KC_BUFFER_INIT(LINE_LIMIT);
	struct kc_waiting *waiting = context;
	int status;

	if (waiting->quiet || (waiting->is_told && !waiting->is_tty))
		return;
	status = kc_buffer_append_string(&line, waiting->is_tty ? "\r\033[Kdownloading " : "downloading ");
	if (status == 0)
		status = kc_text_append(&line, what, strlen(what), KC_TEXT_LINE);
	if (status == 0 && waiting->is_tty)
		status = kc_buffer_printf(&line, ", %.1f", (double)bytes / 1e6);
	if (status == 0 && total >= 0)
		status = kc_buffer_printf(&line, "%s%.1f MB", waiting->is_tty ? " of " : ", ",
					  (double)total / 1e6);
	if (status == 0 && !waiting->is_tty)
		status = kc_buffer_append_string(&line, " ...\n");
	if (status == 0)
		write_out(&line);
	waiting->is_drawn = waiting->is_tty;
	waiting->is_told = true;
}

void kc_waiting_end(struct kc_waiting *waiting)
{
	erase(waiting);
}
