/* Many changes of files in few rows. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "release/difference.h"

static const struct kc_entry *entry_of(const struct kc_difference_file *file)
{
	return file->after ? file->after : file->before;
}

static uint64_t bytes_of(const struct kc_entry *entry)
{
	return entry && entry->type == 'f' ? entry->bytes : 0;
}

/* Where the component that follows `length` bytes of a path ends, its slash included. */
static size_t next_component(const char *path, size_t length)
{
	const char *slash = strchr(path + length, '/');

	return slash ? (size_t)(slash - path) + 1 : strlen(path);
}

/* The end of the part of `row` that begins at `first`: what goes on with the same component. */
static size_t end_of_part(const struct kc_difference *difference, const struct kc_difference_row *row,
			  size_t first)
{
	const char *path = entry_of(&difference->files[first])->name;
	size_t length = next_component(path, row->path_length), i = first + 1;

	/* A file has its row for itself. */
	while (path[length - 1] == '/' && i < row->last &&
	       strncmp(entry_of(&difference->files[i])->name, path, length) == 0)
		i++;
	return i;
}

static struct kc_difference_row make_row(const struct kc_difference *difference, size_t first, size_t last,
					 size_t path_length)
{
	struct kc_difference_row row = { .path = path_length ? entry_of(&difference->files[first])->name : "",
					 .path_length = path_length,
					 .first = first,
					 .last = last };

	for (size_t i = first; i < last; i++) {
		const struct kc_difference_file *file = &difference->files[i];

		row.changes[file->change]++;
		row.bytes += (int64_t)bytes_of(file->after) - (int64_t)bytes_of(file->before);
	}
	for (size_t i = first; last - first > 1 && i < last; row.parts++)
		i = end_of_part(difference, &row, i);
	return row;
}

/* One change alone is shown as what it is, not as its directory. */
static size_t row_length(const struct kc_difference *difference, const struct kc_difference_row *row,
			 size_t first, size_t last)
{
	const char *path = entry_of(&difference->files[first])->name;

	return last - first == 1 ? strlen(path) : next_component(path, row->path_length);
}

static void take_apart(const struct kc_difference *difference, struct kc_difference_row *rows, size_t *count,
		       size_t which)
{
	const struct kc_difference_row row = rows[which];
	size_t at = which;

	memmove(&rows[which + row.parts], &rows[which + 1], (*count - which - 1) * sizeof(*rows));
	*count += row.parts - 1;
	for (size_t first = row.first; first < row.last; at++) {
		size_t last = end_of_part(difference, &row, first);

		rows[at] = make_row(difference, first, last, row_length(difference, &row, first, last));
		first = last;
	}
}

/* The fullest row whose parts there is room for; `count` for none. */
static size_t choose(const struct kc_difference_row *rows, size_t count, size_t most)
{
	size_t best = count;

	for (size_t i = 0; i < count; i++) {
		if (!rows[i].parts || count - 1 + rows[i].parts > most)
			continue;
		if (best == count || rows[i].last - rows[i].first > rows[best].last - rows[best].first)
			best = i;
	}
	return best;
}

int kc_difference_rows(const struct kc_difference *difference, size_t most,
		       struct kc_difference_row **ret_rows, size_t *ret_count, struct kc_error *err)
{
	struct kc_difference_row *rows = calloc(most + 1, sizeof(*rows));
	size_t count = difference->file_count ? 1 : 0;

	if (!rows)
		return kc_error_errno(err, ENOMEM, "list the changes of files");
	if (count)
		rows[0] =
			make_row(difference, 0, difference->file_count,
				 difference->file_count == 1 ? strlen(entry_of(difference->files)->name) : 0);
	for (size_t which; (which = choose(rows, count, most)) < count;)
		take_apart(difference, rows, &count, which);
	*ret_rows = rows;
	*ret_count = count;
	return 0;
}
