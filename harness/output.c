#include "output.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "reports/text.h"
#include "sys/fd.h"

#define NAME_COLUMN 56

int kc_output_write(const struct kc_buffer *text, struct kc_error *err)
{
	int status = kc_fd_write_all(STDOUT_FILENO, kc_buffer_string(text), text->length);

	if (status < 0 && status != -EPIPE)
		return kc_error_errno(err, status, "write to standard output");
	return 0;
}

int kc_output_row(struct kc_buffer *text, const char *name, const char *what)
{
	size_t start = text->length;
	int status = kc_text_append(text, name, strlen(name), KC_TEXT_LINE);
	size_t used = text->length - start;

	if (status == 0)
		status =
			kc_buffer_printf(text, "%*s", used < NAME_COLUMN ? (int)(NAME_COLUMN - used) : 1, "");
	if (status == 0)
		status = kc_text_append(text, what, strlen(what), KC_TEXT_LINE);
	return status < 0 ? status : kc_buffer_append_string(text, "\n");
}

static int append_line(struct kc_buffer *line, const char *title, const char *text)
{
	int status = kc_buffer_printf(line, "%s: ", title);

	if (status == 0)
		status = kc_text_append(line, text, strlen(text), KC_TEXT_LINE | KC_TEXT_LOG);
	return status < 0 ? status : kc_buffer_append_string(line, "\n");
}

void kc_output_note(const char *title, const char *text)
{
	KC_CLEANUP_BUFFER struct kc_buffer line = KC_BUFFER_INIT(16384);

	/* A note that cannot be made or written is lost: what it is about is there all the same. */
	if (append_line(&line, title, text) < 0 ||
	    kc_fd_write_all(STDERR_FILENO, kc_buffer_string(&line), line.length) < 0)
		return;
}

void kc_output_error(const struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer lines = KC_BUFFER_INIT(16384);
	int status = append_line(&lines, "krunner-compat", err->text);

	if (status == 0 && err->hint[0])
		status = append_line(&lines, "hint", err->hint);
	/* Out of memory, what there is has to do; and where standard error fails there is only the status. */
	if (kc_fd_write_all(STDERR_FILENO, kc_buffer_string(&lines), lines.length) < 0 || status < 0)
		return;
}
