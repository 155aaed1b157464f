#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "release/difference.h"
#include "reports/sink.h"
#include "reports/text.h"

#define NAME_COLUMN 28

static const char signs[] = { [KC_CHANGE_ADDED] = '+', [KC_CHANGE_REMOVED] = '-', [KC_CHANGE_CHANGED] = '~' };

static void add_safe(struct kc_sink *out, const char *text)
{
	if (out->status == 0)
		out->status = kc_text_append(&out->text, text, strlen(text), KC_TEXT_LINE);
}

/* "before -> after", or the one there is. */
static void add_change(struct kc_sink *out, const char *before, const char *after)
{
	add_safe(out, *before ? before : *after ? "none" : "");
	if (strcmp(before, after) == 0)
		return;
	kc_sink_string(out, " -> ");
	add_safe(out, *after ? after : "none");
}

static void add_facts(struct kc_sink *out, const struct kc_difference *difference)
{
	for (size_t i = 0; i < difference->fact_count; i++) {
		kc_sink_printf(out, "%-*s  ", NAME_COLUMN, difference->facts[i].name);
		add_change(out, difference->facts[i].before, difference->facts[i].after);
		kc_sink_string(out, "\n");
	}
}

static void add_part(struct kc_sink *out, const struct kc_difference_part *part)
{
	kc_sink_printf(out, "  %c %-*s  ", signs[part->change], NAME_COLUMN - 4, part->name);
	if (part->change == KC_CHANGE_CHANGED)
		add_change(out, part->before, part->after);
	else
		add_safe(out, part->change == KC_CHANGE_ADDED ? part->after : part->before);
	if (part->change == KC_CHANGE_ADDED && *part->license_after) {
		kc_sink_string(out, "  (");
		add_safe(out, part->license_after);
		kc_sink_string(out, ")");
	} else if (part->change == KC_CHANGE_CHANGED &&
		   strcmp(part->license_before, part->license_after) != 0) {
		kc_sink_string(out, "  (licence: ");
		add_change(out, part->license_before, part->license_after);
		kc_sink_string(out, ")");
	}
	kc_sink_string(out, "\n");
}

static void add_parts(struct kc_sink *out, const char *title, const struct kc_difference_parts *parts)
{
	if (!parts->count)
		return;
	kc_sink_printf(out, "\n%s\n", title);
	for (size_t i = 0; i < parts->count; i++)
		add_part(out, &parts->items[i]);
}

static void add_row(struct kc_sink *out, const struct kc_difference *difference,
		    const struct kc_difference_row *row)
{
	bool is_one = row->last - row->first == 1;
	char sign = is_one ? signs[difference->files[row->first].change] : ' ';

	kc_sink_printf(out, "  %c ", sign);
	if (out->status == 0)
		out->status = kc_text_append(&out->text, row->path_length ? row->path : "all",
					     row->path_length ? row->path_length : 3, KC_TEXT_LINE);
	for (enum kc_change i = 0; !is_one && i < KC_CHANGE_COUNT; i++)
		if (row->changes[i])
			kc_sink_printf(out, "  %zu %s", row->changes[i], kc_change_name(i));
	if (row->bytes)
		kc_sink_printf(out, "  %+" PRId64 " bytes", row->bytes);
	kc_sink_string(out, "\n");
}

static void add_files(struct kc_sink *out, const struct kc_difference *difference, struct kc_error *err)
{
	KC_CLEANUP_FREE struct kc_difference_row *rows = NULL;
	size_t count = 0;

	if (!difference->file_count)
		return;
	kc_sink_check(out, kc_difference_rows(difference, KC_DIFFERENCE_LISTED, &rows, &count, err));
	kc_sink_printf(
		out, "\nfiles: %zu added, %zu removed, %zu changed; %" PRIu64 " bytes -> %" PRIu64 " bytes\n",
		difference->changes[KC_CHANGE_ADDED], difference->changes[KC_CHANGE_REMOVED],
		difference->changes[KC_CHANGE_CHANGED], difference->before->bytes, difference->after->bytes);
	for (size_t i = 0; i < count; i++)
		add_row(out, difference, &rows[i]);
}

int kc_difference_to_text(const struct kc_difference *difference, struct kc_buffer *text,
			  struct kc_error *err)
{
	KC_CLEANUP_SINK struct kc_sink out = KC_SINK_INIT(KC_DIFFERENCE_LIMIT);
	char before[KC_DIFFERENCE_TEXT_SIZE], after[KC_DIFFERENCE_TEXT_SIZE];

	kc_difference_title(difference->before, before, sizeof(before));
	kc_difference_title(difference->after, after, sizeof(after));
	add_change(&out, before, after);
	kc_sink_string(&out, "\n");
	if (!kc_difference_is_any(difference))
		kc_sink_printf(&out, "no difference%s\n",
			       strcmp(difference->before->sha256, difference->after->sha256) == 0
				       ? ""
				       : " of what is inside: the archives are not the same bytes");
	add_facts(&out, difference);
	add_parts(&out, "packages", &difference->packages);
	add_parts(&out, "components", &difference->components);
	add_files(&out, difference, err);
	kc_sink_check(&out, out.status < 0 ? 0 : kc_buffer_append(text, out.text.data, out.text.length));
	return out.status < 0 ? kc_error_errno(err, out.status, "print the difference") : 0;
}
