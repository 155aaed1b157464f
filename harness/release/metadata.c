#include "release/metadata.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/buffer.h"
#include "reports/text.h"

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
#define LICENSE_CLASSIFIER "License ::"

/* One field as it stands in the file: of several lines those after the first are `more`. */
struct field {
	const char *name, *value, *more, *end;
	size_t name_length, value_length;
};

static size_t line_length(const char *bytes, const char *end)
{
	const char *feed = memchr(bytes, '\n', (size_t)(end - bytes));

	return (size_t)((feed ? feed : end) - bytes);
}

static void trim(const char **text, size_t *length)
{
	while (*length && strchr(" \t\r", **text)) {
		(*text)++;
		(*length)--;
	}
	while (*length && strchr(" \t\r", (*text)[*length - 1]))
		(*length)--;
}

/* False at the end of the head: an empty line, or one that is no field. */
static bool next_field(const char **at, const char *end, struct field *ret_field)
{
	size_t length = line_length(*at, end);
	const char *colon = memchr(*at, ':', length);

	if (!colon || colon == *at || strchr(" \t\r", **at))
		return false;
	*ret_field = (struct field){ .name = *at,
				     .name_length = (size_t)(colon - *at),
				     .value = colon + 1,
				     .value_length = length - (size_t)(colon + 1 - *at) };
	trim(&ret_field->value, &ret_field->value_length);
	*at += length;
	*at += *at < end;
	ret_field->more = *at;
	while (*at < end && (**at == ' ' || **at == '\t')) {
		*at += line_length(*at, end);
		*at += *at < end;
	}
	ret_field->end = *at;
	return true;
}

static bool is_field(const struct field *field, const char *name)
{
	return field->name_length == strlen(name) && strncasecmp(field->name, name, field->name_length) == 0;
}

/* Appends text made safe to a string of `size` bytes; what does not fit ends in "...". */
static int keep(char *kept, size_t size, const char *text, size_t length)
{
	KC_CLEANUP_BUFFER struct kc_buffer safe = KC_BUFFER_INIT(64 * KC_METADATA_TEXT_SIZE);
	size_t used = strlen(kept), room = size - 1 - used, cut;
	int status = kc_text_append(&safe, text, length < 4 * size ? length : 4 * size, KC_TEXT_LINE);

	if (status < 0 || room < 4)
		return status;
	cut = safe.length <= room ? safe.length : room - 3;
	while (cut < safe.length && cut && ((unsigned char)safe.data[cut] & 0xc0) == 0x80)
		cut--; /* between characters */
	(void)snprintf(kept + used, size - used, "%.*s%s", (int)cut, kc_buffer_string(&safe),
		       cut < safe.length ? "..." : "");
	return 0;
}

/* Some packages put the whole text of the licence there: its first line names it, as a rule. */
static int keep_license(const struct field *field, char *kept, size_t size)
{
	const char *line = field->value, *at = field->more;
	size_t length = field->value_length;

	if (*kept)
		return 0;
	while (!length && at < field->end) {
		line = at;
		length = line_length(at, field->end);
		at += length;
		at += at < field->end;
		trim(&line, &length);
	}
	return keep(kept, size, line, length);
}

static int keep_classifier(const struct field *field, char *kept, size_t size)
{
	const char *last = field->value, *end = field->value + field->value_length;
	size_t length;

	if (field->value_length < strlen(LICENSE_CLASSIFIER) ||
	    strncmp(field->value, LICENSE_CLASSIFIER, strlen(LICENSE_CLASSIFIER)) != 0)
		return 0;
	for (const char *at = last; (at = memmem(at, (size_t)(end - at), "::", 2)); at += 2)
		last = at + 2;
	length = (size_t)(end - last);
	trim(&last, &length);
	/* "OSI Approved" alone names none. */
	if (!length || (length == strlen("OSI Approved") && strncmp(last, "OSI Approved", length) == 0))
		return 0;
	if (*kept && strlen(kept) + 2 < size)
		memcpy(kept + strlen(kept), "; ", 3);
	return keep(kept, size, last, length);
}

static int keep_word(const struct field *field, const char *allowed, char *kept, size_t size,
		     const char *path, struct kc_error *err)
{
	size_t length = field->value_length;

	if (*kept)
		return kc_error_set(err, EBADMSG, "`%s`: %.*s stands twice", path, (int)field->name_length,
				    field->name);
	if (!length || length >= size || field->more != field->end)
		return kc_error_set(err, EBADMSG, "`%s`: %.*s: one word of 1 to %zu letters is expected",
				    path, (int)field->name_length, field->name, size - 1);
	memcpy(kept, field->value, length);
	kept[length] = '\0';
	if (strspn(kept, allowed) == length)
		return 0;
	kept[0] = '\0';
	return kc_error_set(err, EBADMSG,
			    "`%s`: %.*s holds what it must not: only letters, digits and \"%s\"", path,
			    (int)field->name_length, field->name, allowed + strlen(LETTERS));
}

static int take(const struct field *field, const char *path, struct kc_metadata *metadata,
		struct kc_error *err)
{
	int status = 0;

	if (memchr(field->name, '\0', (size_t)(field->end - field->name)))
		return kc_error_set(err, EBADMSG, "`%s`: a NUL stands in its head", path);
	if (is_field(field, "Name"))
		return keep_word(field, LETTERS "-_.", metadata->name, sizeof(metadata->name), path, err);
	if (is_field(field, "Version"))
		return keep_word(field, LETTERS "-_.+!", metadata->version, sizeof(metadata->version), path,
				 err);
	if (is_field(field, "License-Expression"))
		status = keep_license(field, metadata->expression, sizeof(metadata->expression));
	else if (is_field(field, "License")) {
		metadata->is_license_text = field->more != field->end;
		status = keep_license(field, metadata->license, sizeof(metadata->license));
	} else if (is_field(field, "Classifier"))
		status = keep_classifier(field, metadata->classifier, sizeof(metadata->classifier));
	return status < 0 ? kc_error_errno(err, status, "read `%s`", path) : 0;
}

int kc_metadata_parse(const char *bytes, size_t length, bool is_whole, const char *path,
		      struct kc_metadata *ret_metadata, struct kc_error *err)
{
	struct kc_metadata metadata = { 0 };
	const char *at = bytes, *end = bytes + length;
	struct field field;
	int status = 0;

	while (status == 0 && at < end && next_field(&at, end, &field))
		status = take(&field, path, &metadata, err);
	if (status < 0)
		return status;
	if (at == end && !is_whole)
		return kc_error_set(err, EBADMSG, "`%s`: its head does not end within %u bytes", path,
				    KC_METADATA_HEAD_BYTES);
	if (!*metadata.name || !*metadata.version)
		return kc_error_set(err, EBADMSG, "`%s`: there is no %s", path,
				    *metadata.name ? "Version" : "Name");
	*ret_metadata = metadata;
	return 0;
}

static bool is_operator(const char *word, size_t length)
{
	static const char *const operators[] = { "AND", "OR", "WITH" };

	for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++)
		if (strlen(operators[i]) == length && strncasecmp(word, operators[i], length) == 0)
			return true;
	return false;
}

/* The length of the token at `text` if it may stand there, else 0. */
static size_t expression_token(const char *text, bool *wants_word, unsigned int *depth)
{
	size_t length = strspn(text, LETTERS "-.+:");

	if (*text == '(' && *wants_word) {
		(*depth)++;
		return 1;
	}
	if (*text == ')' && !*wants_word && *depth) {
		(*depth)--;
		return 1;
	}
	if (length && is_operator(text, length) == *wants_word)
		return 0;
	*wants_word = !*wants_word;
	return length;
}

bool kc_metadata_is_expression(const char *text)
{
	bool wants_word = true;
	unsigned int depth = 0;

	for (text += strspn(text, " "); *text; text += strspn(text, " ")) {
		size_t length = expression_token(text, &wants_word, &depth);

		if (!length)
			return false;
		text += length;
	}
	return !wants_word && !depth;
}
