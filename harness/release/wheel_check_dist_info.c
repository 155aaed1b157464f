/* The texts of dist-info, and the check of RECORD. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "release/record.h"
#include "release/wheel_check_internal.h"

/* --- Texts --- */

bool kc_wheel_dist_info_name(const struct kc_wheel_case *wheel, const char *name,
			     char ret_path[KC_WHEEL_NAME_BYTES])
{
	int length =
		snprintf(ret_path, KC_WHEEL_NAME_BYTES, "%s%s", kc_buffer_string(&wheel->dist_info), name);

	return length > 0 && (size_t)length < KC_WHEEL_NAME_BYTES;
}

const char *kc_wheel_dist_info_text(struct kc_wheel_case *wheel, const char *name)
{
	char path[KC_WHEEL_NAME_BYTES];
	const struct kc_wheel_member *member = NULL;

	if (wheel->dist_info.length && kc_wheel_dist_info_name(wheel, name, path))
		member = kc_wheel_members_find(&wheel->members, path);
	if (!member)
		kc_finding_add(wheel->findings, name, "a member of dist-info", "no such member");
	else if (!member->has_text)
		kc_finding_add_number(wheel->findings, name, "at most 1 MiB", member->bytes);
	else if (strlen(kc_buffer_string(&member->text)) != member->text.length)
		kc_finding_add(wheel->findings, name, "a text", "a NUL in it");
	else
		return kc_buffer_string(&member->text);
	return NULL;
}

/* Readers of mail take any line break for one, and a NEL is one for some: what is hidden behind it is a header for them. */
static bool is_plain(const char *line, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (line[i] < ' ' || line[i] > '~')
			return false;
	return true;
}

/* False if it was cut. */
static bool copy(const char *text, size_t length, char *to, size_t size)
{
	bool fits = length < size;

	(void)snprintf(to, size, "%.*s", (int)(fits ? length : size - 1), text);
	return fits;
}

/* Where the name ends; 0 for the next line of a value, or no header: none that is asked for. */
static size_t name_length(const char *line)
{
	size_t length = strcspn(line, ":\n");

	return line[length] == ':' && line[0] != ' ' && line[0] != '\t' ? length : 0;
}

bool kc_wheel_next_header(struct kc_wheel_header *header)
{
	const char *line = header->next;
	size_t length = strcspn(line, "\n"), name = name_length(line);
	size_t value = name ? name + 1 : 0;
	bool fits;

	if (length == 0 || (length == 1 && line[0] == '\r'))
		return false;
	header->next = line + length + (line[length] == '\n');
	value += strspn(line + value, " \t");
	if (value > length)
		value = length;
	while (length > value && strchr(" \t\r", line[length - 1]))
		length--;
	fits = copy(line, name, header->name, sizeof(header->name));
	fits = copy(line + value, length - value, header->value, sizeof(header->value)) && fits;
	header->is_plain = fits && is_plain(line, length);
	return true;
}

/* --- RECORD --- */

/* A member, and whether RECORD has it. */
struct listed {
	const struct kc_wheel_member *member;
	bool is_listed;
};

struct row {
	char path[KC_WHEEL_NAME_BYTES], digest[128], size[32];
};

/* One field of CSV, perhaps in quotes (RFC 4180). False if it does not fit or is not whole. */
static bool take_cell(const char **at, char *cell, size_t size)
{
	bool is_quoted = **at == '"';
	size_t used = 0;

	*at += is_quoted;
	for (;; ++*at) {
		if (is_quoted && **at == '"') {
			++*at;
			is_quoted = **at == '"'; /* two are one */
			if (!is_quoted)
				break;
		} else if (**at == '\0' || (!is_quoted && strchr(",\r\n", **at))) {
			break;
		}
		if (used + 1 >= size)
			return false;
		cell[used++] = **at;
	}
	cell[used] = '\0';
	return !is_quoted;
}

static bool take_row(const char **at, struct row *row)
{
	if (!take_cell(at, row->path, sizeof(row->path)) || *(*at)++ != ',' ||
	    !take_cell(at, row->digest, sizeof(row->digest)) || *(*at)++ != ',' ||
	    !take_cell(at, row->size, sizeof(row->size)))
		return false;
	*at += **at == '\r';
	if (**at != '\n' && **at != '\0')
		return false;
	*at += **at == '\n';
	return true;
}

static int by_name(const void *left, const void *right)
{
	return strcmp(((const struct listed *)left)->member->name,
		      ((const struct listed *)right)->member->name);
}

static struct listed *find(struct listed *list, size_t count, const char *name)
{
	for (size_t low = 0, high = count; low < high;) {
		size_t middle = (low + high) / 2;
		int order = strcmp(name, list[middle].member->name);

		if (order == 0)
			return &list[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

/* RECORD and signatures of it cannot have a digest in it. */
static bool is_exempt(const struct kc_wheel_case *wheel, const char *path)
{
	static const char *const names[] = { "RECORD", "RECORD.jws", "RECORD.p7s" };
	size_t length = wheel->dist_info.length;

	if (strncmp(path, kc_buffer_string(&wheel->dist_info), length) != 0)
		return false;
	for (size_t i = 0; i < KC_ARRAY_LENGTH(names); i++)
		if (strcmp(path + length, names[i]) == 0)
			return true;
	return false;
}

static void compare_row(struct kc_wheel_case *wheel, const struct row *row,
			const struct kc_wheel_member *member)
{
	char digest[KC_RECORD_DIGEST_SIZE], expected[64], bytes[32];

	kc_record_digest(member->sha256, digest);
	(void)snprintf(expected, sizeof(expected), "sha256=%s", digest);
	(void)snprintf(bytes, sizeof(bytes), "%llu", (unsigned long long)member->bytes);
	if (is_exempt(wheel, row->path)) {
		if (row->digest[0] || row->size[0])
			kc_finding_add(wheel->findings, row->path, "no digest and no size in RECORD",
				       row->digest[0] ? row->digest : row->size);
		return;
	}
	if (strcmp(row->digest, expected) != 0)
		kc_finding_add(wheel->findings, row->path, expected,
			       row->digest[0] ? row->digest : "nothing");
	if (strcmp(row->size, bytes) != 0)
		kc_finding_add(wheel->findings, row->path, bytes, row->size[0] ? row->size : "no size");
}

static void check_rows(struct kc_wheel_case *wheel, const char *text, struct listed *list, size_t count)
{
	while (*text) {
		struct row row;
		struct listed *listed;

		if (!take_row(&text, &row)) {
			kc_finding_add(wheel->findings, "RECORD", "lines of PATH,sha256=DIGEST,SIZE",
				       text[0] ? text : "a line that is not whole");
			return;
		}
		listed = find(list, count, row.path);
		if (!listed)
			kc_finding_add(wheel->findings, row.path, "a member, as RECORD lists it",
				       "no such member");
		else if (listed->is_listed)
			kc_finding_add(wheel->findings, row.path, "one line in RECORD", "another");
		else
			compare_row(wheel, &row, listed->member);
		if (listed)
			listed->is_listed = true;
	}
}

int kc_wheel_check_record(struct kc_wheel_case *wheel, struct kc_error *err)
{
	const char *text = kc_wheel_dist_info_text(wheel, "RECORD");
	size_t count = wheel->members.count;
	KC_CLEANUP_FREE struct listed *list = calloc(count ? count : 1, sizeof(*list));

	if (!list)
		return kc_error_errno(err, ENOMEM, "check wheel `%s`", wheel->file_name);
	if (!text)
		return 0;
	for (size_t i = 0; i < count; i++)
		list[i].member = &wheel->members.items[i];
	if (count)
		qsort(list, count, sizeof(*list), by_name);
	check_rows(wheel, text, list, count);
	for (size_t i = 0; i < count; i++)
		if (!list[i].is_listed && (i == 0 || by_name(&list[i - 1], &list[i]) != 0))
			kc_finding_add(wheel->findings, list[i].member->name, "a line in RECORD", "none");
	return 0;
}
