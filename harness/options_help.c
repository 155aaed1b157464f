/* The help texts, generated from the tables of options.h. */
#include "options.h"

#include <string.h>

#define WIDTH 80
#define COLUMN 28

/* Appends `text` broken at spaces, its lines starting at `column`; the first one is already there. */
static int wrap(struct kc_buffer *buffer, const char *text, int column)
{
	int used = column;

	for (;;) {
		size_t word = strcspn(text, " ");
		int status;

		if (used > column && used + 1 + (int)word > WIDTH) {
			status = kc_buffer_printf(buffer, "\n%*s%.*s", column, "", (int)word, text);
			used = column + (int)word;
		} else {
			status =
				kc_buffer_printf(buffer, "%s%.*s", used > column ? " " : "", (int)word, text);
			used += (used > column) + (int)word;
		}
		if (status < 0)
			return status;
		text += word;
		if (!*text)
			return kc_buffer_append_string(buffer, "\n");
		text++;
	}
}

/* "  TERM    sentence" */
static int entry(struct kc_buffer *buffer, const char *term, const char *sentence)
{
	int padding = COLUMN - 2 - (int)strlen(term);
	int status;

	if (padding >= 2)
		status = kc_buffer_printf(buffer, "  %s%*s", term, padding, "");
	else
		status = kc_buffer_printf(buffer, "  %s\n%*s", term, COLUMN, "");
	return status < 0 ? status : wrap(buffer, sentence, COLUMN);
}

static int option_entry(struct kc_buffer *buffer, const struct kc_option_row *row)
{
	KC_CLEANUP_BUFFER struct kc_buffer term = KC_BUFFER_INIT(256);
	int status = 0;

	if (row->letter)
		status = kc_buffer_printf(&term, "-%c%s", row->letter, row->name ? ", " : "");
	if (status == 0 && row->name)
		status = kc_buffer_printf(&term, "%s--%s", row->letter ? "" : "    ", row->name);
	if (status == 0 && row->argument)
		status = kc_buffer_printf(&term, " %s", row->argument);
	return status < 0 ? status : entry(buffer, kc_buffer_string(&term), row->help);
}

static int options_section(struct kc_buffer *buffer, enum kc_command command)
{
	int status = kc_buffer_append_string(buffer, "\nOptions:\n");

	for (size_t i = 0; status == 0 && i < kc_option_row_count; i++)
		if (kc_option_rows[i].commands & (1u << command))
			status = option_entry(buffer, &kc_option_rows[i]);
	return status;
}

static int commands_section(struct kc_buffer *buffer)
{
	int status = kc_buffer_append_string(buffer, "\nCommands:\n");

	for (int i = 0; status == 0 && i < KC_COMMAND_COUNT; i++) {
		KC_CLEANUP_BUFFER struct kc_buffer term = KC_BUFFER_INIT(256);
		const struct kc_command_row *row = &kc_command_rows[i];

		status = kc_buffer_printf(&term, "%s%s%s", row->name, row->operand ? " " : "",
					  row->operand ? row->operand : "");
		if (status == 0)
			status = entry(buffer, kc_buffer_string(&term), row->help);
	}
	return status;
}

static int exit_section(struct kc_buffer *buffer)
{
	int status = kc_buffer_append_string(buffer, "\nExit status:\n");

	for (size_t i = 0; status == 0 && i < kc_exit_row_count; i++)
		status = kc_buffer_printf(buffer, "  %3d  %s\n", (int)kc_exit_rows[i].status,
					  kc_exit_rows[i].help);
	return status;
}

static int command_heading(struct kc_buffer *buffer, const struct kc_command_row *row)
{
	int status = kc_buffer_printf(buffer, "Usage: krunner-compat %s%s%s [OPTION]...\n\n", row->name,
				      row->operand ? " " : "", row->operand ? row->operand : "");

	if (status == 0)
		status = kc_buffer_printf(buffer, "%s: ", row->name);
	if (status == 0)
		status = wrap(buffer, row->help, 0);
	if (status == 0 && row->details)
		status = wrap(buffer, row->details, 0);
	return status;
}

int kc_options_help(enum kc_command command, struct kc_buffer *buffer)
{
	int status;

	if (command == KC_COMMAND_COUNT) {
		status = kc_buffer_append_string(
			buffer, "Usage: krunner-compat COMMAND [OPTION]...\n\n"
				"Checks that a Backend.AI krunner volume runs on the systems "
				"it must run on.\n");
		if (status == 0)
			status = commands_section(buffer);
	} else {
		status = command_heading(buffer, &kc_command_rows[command]);
		if (status == 0)
			status = options_section(buffer, command);
	}
	return status < 0 ? status : exit_section(buffer);
}
