#include "commands.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cases/cases.h"
#include "output.h"

#define LIST_LIMIT (4u << 20)

static int append_case(struct kc_buffer *text, const struct kc_case_table *table, const struct kc_case *row)
{
	char identity[256];

	/* A row with `each` stands for as many cases as its list has entries, which depends on the volume. */
	(void)snprintf(identity, sizeof(identity), "%s.%s", table->group,
		       row->each == KC_EACH_NONE ? row->name : "*");
	return kc_output_row(text, identity, row->what);
}

static int list_cases(struct kc_buffer *text, struct kc_error *err)
{
	for (size_t t = 0; kc_case_tables[t]; t++) {
		for (size_t i = 0; i < kc_case_tables[t]->count; i++) {
			int status = append_case(text, kc_case_tables[t], &kc_case_tables[t]->rows[i]);

			if (status < 0)
				return kc_error_errno(err, status, "list the cases");
		}
	}
	return 0;
}

static int list_images(struct kc_buffer *text, struct kc_error *err)
{
	(void)text;
	return kc_error_set(err, ENOSYS, "list the images: none is built in");
}

int kc_command_list(const struct kc_options *options, enum kc_exit *ret_exit, struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(LIST_LIMIT);
	int status =
		strcmp(options->operand, "images") == 0 ? list_images(&text, err) : list_cases(&text, err);

	if (status == 0)
		status = kc_output_write(&text, err);
	if (status == 0)
		*ret_exit = KC_EXIT_PASSED;
	return status;
}
