#include "commands.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cases/cases.h"
#include "archive/store.h"
#include "image/definition.h"
#include "image/inventory.h"
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

static int append_word(struct kc_buffer *text, const char *word)
{
	if (strstr(kc_buffer_string(text), word))
		return 0;
	return kc_buffer_printf(text, "%s%s", text->length ? ", " : "", word);
}

/* What the sources offer together: "x86_64, aarch64" and "real, emulated". */
static int gather(const struct kc_definition *definition, struct kc_buffer *architectures,
		  struct kc_buffer *fidelities)
{
	int status = 0;

	for (size_t i = 0; status == 0 && i < definition->source_count; i++) {
		const struct kc_image_source *source = &definition->sources[i];

		for (size_t j = 0; status == 0 && j < source->architecture_count; j++)
			status = append_word(architectures, source->architectures[j].path);
		if (status == 0)
			status = append_word(fidelities, source->fidelity);
	}
	return status;
}

#define IMAGE_ROW "%-12s  %-12s  %-15s  %-14s  %-6s  %s\n"

/* "centos7  glibc 2.17  x86_64, aarch64  real, emulated  yes  CentOS 7.9: ..."; all of it is our own text. */
static int append_image(struct kc_buffer *text, struct kc_store *store, const char *name,
			struct kc_error *err)
{
	KC_CLEANUP_DEFINITION struct kc_definition definition = { 0 };
	KC_CLEANUP_BUFFER struct kc_buffer architectures = KC_BUFFER_INIT(LIST_LIMIT);
	KC_CLEANUP_BUFFER struct kc_buffer fidelities = KC_BUFFER_INIT(LIST_LIMIT);
	int status = kc_definition_load(name, &definition, err);
	char libc[32];
	bool is_stored;

	if (status < 0)
		return status;
	is_stored = kc_inventory_of(store, name, NULL, NULL, NULL) == 0;
	status = gather(&definition, &architectures, &fidelities);
	(void)snprintf(libc, sizeof(libc), "%s %s", definition.libc_family, definition.libc_version);
	if (status == 0)
		status = kc_buffer_printf(text, IMAGE_ROW, name, libc, kc_buffer_string(&architectures),
					  kc_buffer_string(&fidelities), is_stored ? "yes" : "no",
					  definition.what);
	return status < 0 ? kc_error_errno(err, status, "list the images") : 0;
}

static int list_images(struct kc_buffer *text, struct kc_error *err)
{
	KC_CLEANUP(kc_store_close) struct kc_store store = { .fd = -1 };
	char name[KC_IMAGE_NAME_SIZE];
	int status = kc_store_open(&store, err);

	if (status == 0 && kc_buffer_printf(text, IMAGE_ROW, "IMAGE", "LIBC", "ARCHITECTURES", "FIDELITY",
					    "STORED", "WHAT") < 0)
		status = kc_error_errno(err, ENOMEM, "list the images");
	for (size_t i = 0; status == 0 && kc_definition_name(i, name); i++)
		status = append_image(text, &store, name, err);
	return status;
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
