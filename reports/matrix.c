#include "reports/matrix.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "reports/text.h"

enum { GAP = 2, LONGEST_LABEL = 6, LONGEST_KEY = 60 };

const struct kc_verdict_style kc_verdict_styles[KC_SKIP + 1] = { [KC_BROKEN] = { "BROKEN", "33" },
								 [KC_PASS] = { "PASS", "32" },
								 [KC_FAIL] = { "FAIL", "31" },
								 [KC_SKIP] = { "SKIP", "36" } };

/* A case, wherever it is planned. */
struct row {
	char *key;	  /* "imports.zmq" */
	const int *cells; /* by suite: the verdict, or NOT_PLANNED */
	bool passes_everywhere;
};

#define NOT_PLANNED (-1)

struct table {
	const struct kc_report_run *run;
	const struct kc_matrix_options *options;
	struct kc_buffer *text;
	struct row *rows;
	int *cells; /* of all rows */
	size_t row_count, passing;
	size_t key_width;
};

static void release_table(struct table *table)
{
	for (size_t i = 0; i < table->row_count; i++)
		free(table->rows[i].key);
	free(table->rows);
	free(table->cells);
}

/* "imports.zmq" of centos7.imports.zmq. */
static char *make_key(const struct kc_report_run *run, const struct kc_report_case *testcase)
{
	const char *group = testcase->classname, *suite = run->suites[testcase->suite].name;
	size_t length = strlen(suite);
	char *key = NULL;

	if (strncmp(group, suite, length) == 0 && group[length] == '.')
		group += length + 1;
	return asprintf(&key, "%s.%s", group, testcase->name) < 0 ? NULL : key;
}

static int *find_cells(struct table *table, const char *key)
{
	for (size_t i = 0; i < table->row_count; i++)
		if (strcmp(table->rows[i].key, key) == 0)
			return &table->cells[i * table->run->suite_count];
	return NULL;
}

static int add_case(struct table *table, const struct kc_report_case *testcase, enum kc_verdict verdict)
{
	KC_CLEANUP_FREE char *key = make_key(table->run, testcase);
	int *cells = key ? find_cells(table, key) : NULL;

	if (!key)
		return -ENOMEM;
	if (!cells) {
		cells = &table->cells[table->row_count * table->run->suite_count];
		for (size_t i = 0; i < table->run->suite_count; i++)
			cells[i] = NOT_PLANNED;
		if (strlen(key) > table->key_width)
			table->key_width = strlen(key);
		table->rows[table->row_count++] = (struct row){ .key = KC_STEAL(key), .cells = cells };
	}
	cells[testcase->suite] = (int)verdict;
	return 0;
}

static void count_passing(struct table *table)
{
	for (size_t i = 0; i < table->row_count; i++) {
		bool passes = true;

		for (size_t j = 0; j < table->run->suite_count; j++)
			passes &=
				table->rows[i].cells[j] == KC_PASS || table->rows[i].cells[j] == NOT_PLANNED;
		table->rows[i].passes_everywhere = passes;
		table->passing += passes;
	}
}

static int fill(struct table *table, const enum kc_verdict *verdicts)
{
	size_t cases = table->run->case_count;
	int status = 0;

	table->rows = calloc(cases + 1, sizeof(*table->rows));
	table->cells = calloc((cases + 1) * table->run->suite_count, sizeof(*table->cells));
	if (!table->rows || !table->cells)
		return -ENOMEM;
	for (size_t i = 0; status == 0 && i < cases; i++)
		status = add_case(table, &table->run->cases[i], verdicts[i]);
	count_passing(table);
	if (table->key_width > LONGEST_KEY)
		table->key_width = LONGEST_KEY;
	return status;
}

/* At least the longest verdict. */
static size_t column_width(const struct table *table, size_t suite)
{
	size_t length = strlen(table->run->suites[suite].name);

	return length < LONGEST_LABEL ? LONGEST_LABEL : length;
}

/* How many suites from `first` on fit beside the keys; at least one. */
static size_t count_fitting(const struct table *table, size_t first)
{
	size_t used = table->key_width, suite = first;

	while (suite < table->run->suite_count &&
	       (suite == first || used + GAP + column_width(table, suite) <= table->options->width))
		used += GAP + column_width(table, suite++);
	return suite - first;
}

static int append_spaces(struct table *table, size_t count)
{
	return kc_buffer_printf(table->text, "%*s", (int)count, "");
}

/* `length` is what is taken of the screen by what was printed last, in a column of `width`. */
static int pad(struct table *table, size_t width, size_t length)
{
	return append_spaces(table, (width > length ? width - length : 0) + GAP);
}

static int append_name(struct table *table, const char *name, size_t most)
{
	size_t length = strlen(name);

	return kc_text_append(table->text, name, length < most ? length : most,
			      table->options->text_flags | KC_TEXT_LINE);
}

static int append_cell(struct table *table, int cell)
{
	if (cell == NOT_PLANNED)
		return kc_buffer_append_string(table->text, "-");
	if (table->options->colour)
		return kc_buffer_printf(table->text, "\033[%sm%s\033[0m", kc_verdict_styles[cell].colour,
					kc_verdict_styles[cell].label);
	return kc_buffer_append_string(table->text, kc_verdict_styles[cell].label);
}

static int append_row(struct table *table, const struct row *row, size_t first, size_t count)
{
	size_t before = strlen(row->key);
	int status = append_name(table, row->key, table->key_width);

	for (size_t i = first; status == 0 && i < first + count; i++) {
		size_t width = i == first ? table->key_width : column_width(table, i - 1);

		status = pad(table, width, before);
		if (status == 0)
			status = append_cell(table, row->cells[i]);
		before = row->cells[i] == NOT_PLANNED ? 1 : strlen(kc_verdict_styles[row->cells[i]].label);
	}
	return status < 0 ? status : kc_buffer_append_string(table->text, "\n");
}

static int append_head(struct table *table, size_t first, size_t count)
{
	int status = append_spaces(table, table->key_width);

	for (size_t i = first; status == 0 && i < first + count; i++) {
		const char *name = table->run->suites[i].name;

		status = append_spaces(table, GAP);
		if (status == 0)
			status = append_name(table, name, strlen(name));
		if (status == 0 && i + 1 < first + count)
			status = append_spaces(table, column_width(table, i) - strlen(name));
	}
	return status < 0 ? status : kc_buffer_append_string(table->text, "\n");
}

static int append_piece(struct table *table, size_t first, size_t count)
{
	int status = kc_buffer_append_string(table->text, "\n");

	if (status == 0)
		status = append_head(table, first, count);
	for (size_t i = 0; status == 0 && i < table->row_count; i++)
		if (table->options->verbose || !table->rows[i].passes_everywhere)
			status = append_row(table, &table->rows[i], first, count);
	return status;
}

static int append_all(struct table *table)
{
	bool has_rows = table->options->verbose || table->passing < table->row_count;
	int status = 0;

	for (size_t first = 0; status == 0 && has_rows && first < table->run->suite_count;) {
		size_t count = count_fitting(table, first);

		status = append_piece(table, first, count);
		first += count;
	}
	if (status == 0 && table->passing)
		status = kc_buffer_printf(table->text, "%s%zu %s wherever planned\n", has_rows ? "" : "\n",
					  table->passing, table->passing == 1 ? "case passes" : "cases pass");
	return status;
}

int kc_matrix_append(struct kc_buffer *text, const struct kc_report_run *run, const enum kc_verdict *verdicts,
		     const struct kc_matrix_options *options)
{
	KC_CLEANUP(release_table)
	struct table table = { .run = run, .options = options, .text = text };
	int status = fill(&table, verdicts);

	return status < 0 ? status : append_all(&table);
}
