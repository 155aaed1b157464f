/* For release notes. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "release/difference.h"
#include "reports/markdown_code.h"
#include "reports/sink.h"

/* As code; an empty one as nothing. */
static void add_cell(struct kc_sink *out, const char *text)
{
	kc_sink_string(out, " ");
	if (*text)
		kc_markdown_span(out, text, true);
	kc_sink_string(out, " |");
}

static void add_facts(struct kc_sink *out, const struct kc_difference *difference)
{
	const struct kc_contents *before = difference->before, *after = difference->after;

	kc_sink_string(out, "| | before | after |\n|---|---|---|\n");
	for (size_t i = 0; i < difference->fact_count; i++) {
		kc_sink_printf(out, "| %s |", difference->facts[i].name);
		add_cell(out, difference->facts[i].before);
		add_cell(out, difference->facts[i].after);
		kc_sink_string(out, "\n");
	}
	kc_sink_printf(out, "| files | %zu | %zu |\n", before->file_count, after->file_count);
	kc_sink_printf(out, "| bytes | %" PRIu64 " | %" PRIu64 " |\n", before->bytes, after->bytes);
	kc_sink_string(out, "| sha256 |");
	add_cell(out, before->sha256);
	add_cell(out, after->sha256);
	kc_sink_string(out, "\n\n");
}

static void add_license(struct kc_sink *out, const struct kc_difference_part *part)
{
	const char *before = part->license_before, *after = part->license_after;

	if (part->change != KC_CHANGE_CHANGED || strcmp(before, after) == 0) {
		add_cell(out, *after ? after : before);
		return;
	}
	kc_sink_string(out, " ");
	kc_markdown_span(out, *before ? before : "none", true);
	kc_sink_string(out, " →");
	add_cell(out, *after ? after : "none");
}

static void add_parts(struct kc_sink *out, const char *title, const struct kc_difference_parts *parts)
{
	if (!parts->count)
		return;
	kc_sink_printf(out, "### %s\n\n| name | change | before | after | licence |\n|---|---|---|---|---|\n",
		       title);
	for (size_t i = 0; i < parts->count; i++) {
		const struct kc_difference_part *part = &parts->items[i];

		kc_sink_string(out, "|");
		add_cell(out, part->name);
		kc_sink_printf(out, " %s |",
			       part->is_version_same ? "licence" : kc_change_name(part->change));
		add_cell(out, part->before);
		add_cell(out, part->after);
		add_license(out, part);
		kc_sink_string(out, "\n");
	}
	kc_sink_string(out, "\n");
}

static void add_row(struct kc_sink *out, const struct kc_difference_row *row)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%.*s",
		       (int)(row->path_length < PATH_MAX ? row->path_length : PATH_MAX), row->path);
	kc_sink_string(out, "|");
	if (row->path_length)
		add_cell(out, path);
	else
		kc_sink_string(out, " everything |");
	for (enum kc_change i = 0; i < KC_CHANGE_COUNT; i++)
		kc_sink_printf(out, " %zu |", row->changes[i]);
	kc_sink_printf(out, " %+" PRId64 " |\n", row->bytes);
}

static void add_files(struct kc_sink *out, const struct kc_difference *difference, struct kc_error *err)
{
	KC_CLEANUP_FREE struct kc_difference_row *rows = NULL;
	size_t count = 0;

	if (!difference->file_count)
		return;
	kc_sink_check(out, kc_difference_rows(difference, KC_DIFFERENCE_LISTED, &rows, &count, err));
	kc_sink_printf(out, "### Files\n\n%zu added, %zu removed, %zu changed\n\n",
		       difference->changes[KC_CHANGE_ADDED], difference->changes[KC_CHANGE_REMOVED],
		       difference->changes[KC_CHANGE_CHANGED]);
	kc_sink_string(out, "| where | added | removed | changed | bytes |\n|---|---:|---:|---:|---:|\n");
	for (size_t i = 0; i < count; i++)
		add_row(out, &rows[i]);
	kc_sink_string(out, "\n");
}

int kc_difference_to_markdown(const struct kc_difference *difference, struct kc_buffer *text,
			      struct kc_error *err)
{
	KC_CLEANUP_SINK struct kc_sink out = KC_SINK_INIT(KC_DIFFERENCE_LIMIT);
	char title[KC_DIFFERENCE_TEXT_SIZE];

	kc_sink_string(&out, "## Changes from ");
	kc_difference_title(difference->before, title, sizeof(title));
	kc_markdown_span(&out, title, false);
	kc_sink_string(&out, " to ");
	kc_difference_title(difference->after, title, sizeof(title));
	kc_markdown_span(&out, title, false);
	kc_sink_string(&out, "\n\n");
	if (!kc_difference_is_any(difference))
		kc_sink_string(&out, "No difference of what is inside.\n\n");
	add_facts(&out, difference);
	add_parts(&out, "Packages", &difference->packages);
	add_parts(&out, "Components", &difference->components);
	add_files(&out, difference, err);
	kc_sink_check(&out, out.status < 0 ? 0 : kc_buffer_append(text, out.text.data, out.text.length));
	return out.status < 0 ? kc_error_errno(err, out.status, "write the difference in Markdown") : 0;
}
