#include "commands.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cases/cases.h"
#include "image/definition.h"
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

static int append_source(struct kc_buffer *what, const struct kc_image_source *source)
{
	int status = 0;

	for (size_t i = 0; status == 0 && i < source->architecture_count; i++)
		status = kc_buffer_printf(what, ", %s (%s)", source->architectures[i].path, source->fidelity);
	return status;
}

/* "glibc 2.17, x86_64, emulated: CentOS 7.9 ..." */
static int append_image(struct kc_buffer *text, const char *name, struct kc_error *err)
{
	KC_CLEANUP_DEFINITION struct kc_definition definition = { 0 };
	KC_CLEANUP_BUFFER struct kc_buffer what = KC_BUFFER_INIT(LIST_LIMIT);
	int status = kc_definition_load(name, &definition, err);

	if (status < 0)
		return status;
	status = kc_buffer_printf(&what, "%s %s", definition.libc_family, definition.libc_version);
	for (size_t i = 0; status == 0 && i < definition.source_count; i++)
		status = append_source(&what, &definition.sources[i]);
	if (status == 0)
		status = kc_buffer_printf(&what, ": %s", definition.what);
	if (status == 0)
		status = kc_output_row(text, name, kc_buffer_string(&what));
	return status < 0 ? kc_error_errno(err, status, "list the images") : 0;
}

static int list_images(struct kc_buffer *text, struct kc_error *err)
{
	char name[KC_IMAGE_NAME_SIZE];

	for (size_t i = 0; kc_definition_name(i, name); i++) {
		int status = append_image(text, name, err);

		if (status < 0)
			return status;
	}
	return 0;
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
