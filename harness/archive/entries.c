#include "archive/entries.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "archive/manifest.h"
#include "base/digest.h"

enum { MOST_WORDS = 5 };

/* Cuts a line at its blanks; 0 if there are too many. */
static size_t cut(char *line, char *words[MOST_WORDS])
{
	size_t count = 0;
	char *rest = line;

	while (rest) {
		char *word = strsep(&rest, " ");

		if (count == MOST_WORDS || !*word)
			return 0;
		words[count++] = word;
	}
	return count;
}

static bool read_mode(const char *word, mode_t *ret_mode)
{
	char *end;
	unsigned long mode = strtoul(word, &end, 8);

	*ret_mode = (mode_t)mode;
	return end != word && !*end && mode <= 07777;
}

static bool read_file(char *words[MOST_WORDS], size_t count, struct kc_entry *entry)
{
	char *end;

	if (count != 5 || !read_mode(words[2], &entry->mode) || !isdigit((unsigned char)*words[3]) ||
	    !kc_sha256_is_valid(words[4]))
		return false;
	errno = 0;
	entry->bytes = strtoumax(words[3], &end, 10);
	entry->sha256 = words[4];
	return !*end && errno == 0;
}

static bool read_line(char *line, struct kc_entry *entry)
{
	char *words[MOST_WORDS] = { 0 };
	size_t count = cut(line, words);

	if (count < 2 || strlen(words[1]) != 1)
		return false;
	*entry = (struct kc_entry){ .name = words[0], .type = *words[1] };
	switch (entry->type) {
	case 'f':
		return read_file(words, count, entry);
	case 'd':
	case 'o':
		return count == 3 && read_mode(words[2], &entry->mode);
	case 'l':
		entry->target = words[2];
		return count == 3;
	case 'w':
	case 'q':
		return count == 2;
	default:
		return false;
	}
}

static int compare_entries(const void *a, const void *b)
{
	return strcmp(((const struct kc_entry *)a)->name, ((const struct kc_entry *)b)->name);
}

static size_t count_lines(const char *text)
{
	size_t count = 0;

	for (; (text = strchr(text, '\n')); text++)
		count++;
	return count;
}

static int read_lines(struct kc_entries *entries, struct kc_error *err)
{
	char *rest = entries->text.data, *line;
	size_t number = 0;

	while (rest && (line = strsep(&rest, "\n")) && rest) {
		number++;
		if (!*rest) /* the seal */
			break;
		if (!read_line(line, &entries->items[entries->count]))
			return kc_error_set(err, EBADMSG, "manifest: line %zu is none of a manifest", number);
		entries->count++;
	}
	return 0;
}

int kc_entries_read(const struct kc_buffer *manifest, struct kc_entries *ret_entries, struct kc_error *err)
{
	int status;

	*ret_entries = (struct kc_entries){ .text = KC_BUFFER_INIT(KC_MANIFEST_LIMIT_BYTES) };
	status = kc_buffer_append(&ret_entries->text, manifest->data, manifest->length);
	if (status == 0)
		ret_entries->items = calloc(count_lines(kc_buffer_string(&ret_entries->text)) + 1,
					    sizeof(*ret_entries->items));
	if (status < 0 || !ret_entries->items)
		status = kc_error_errno(err, status < 0 ? status : ENOMEM, "read the manifest");
	else
		status = read_lines(ret_entries, err);
	if (status < 0)
		kc_entries_release(ret_entries);
	else
		qsort(ret_entries->items, ret_entries->count, sizeof(*ret_entries->items), compare_entries);
	return status;
}

void kc_entries_release(struct kc_entries *entries)
{
	free(entries->items);
	kc_buffer_release(&entries->text);
	*entries = (struct kc_entries){ 0 };
}

const struct kc_entry *kc_entries_find(const struct kc_entries *entries, const char *name)
{
	const struct kc_entry wanted = { .name = name };

	return entries->count
		       ? bsearch(&wanted, entries->items, entries->count, sizeof(wanted), compare_entries)
		       : NULL;
}

static int hex_value(char digit)
{
	static const char digits[] = "0123456789abcdef";
	const char *found = digit ? strchr(digits, tolower((unsigned char)digit)) : NULL;

	return found ? (int)(found - digits) : -1;
}

int kc_entry_path(const char *name, char ret_path[PATH_MAX], struct kc_error *err)
{
	size_t length = 0;

	while (*name) {
		bool is_escape = name[0] == '\\' && name[1] == 'x' && hex_value(name[2]) >= 0 &&
				 hex_value(name[3]) >= 0;

		if (length + 1 >= PATH_MAX)
			return kc_error_errno(err, ENAMETOOLONG, "open `%.100s...`", name);
		ret_path[length++] = is_escape ? (char)(hex_value(name[2]) * 16 + hex_value(name[3])) : *name;
		name += is_escape ? 4 : 1;
	}
	ret_path[length] = '\0';
	return 0;
}
