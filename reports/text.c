#include "reports/text.h"

#include <stdbool.h>
#include <string.h>

/* An operating system command (window titles, links) may be long; what is longer is not a sequence but an
 * attempt to swallow the text behind it. */
#define LONGEST_SEQUENCE 4096
#define SMALLEST_CAP 256

size_t kc_text_decode_utf8(const char *bytes, size_t length, uint32_t *ret_code_point)
{
	static const struct {
		uint8_t mask, lead;
		uint32_t smallest;
	} forms[] = {
		{ 0x80, 0x00, 0 }, { 0xe0, 0xc0, 0x80 }, { 0xf0, 0xe0, 0x800 }, { 0xf8, 0xf0, 0x10000 }
	};

	for (size_t form = 0; form < KC_ARRAY_LENGTH(forms) && form < length; form++) {
		uint8_t first = (uint8_t)bytes[0];
		uint32_t code_point = first & (uint8_t)~forms[form].mask;

		if ((first & forms[form].mask) != forms[form].lead)
			continue;
		for (size_t i = 1; i <= form; i++) {
			if (((uint8_t)bytes[i] & 0xc0) != 0x80)
				return 0;
			code_point = code_point << 6 | ((uint8_t)bytes[i] & 0x3f);
		}
		if (code_point < forms[form].smallest || code_point > 0x10ffff ||
		    (code_point >= 0xd800 && code_point <= 0xdfff))
			return 0;
		*ret_code_point = code_point;
		return form + 1;
	}
	return 0;
}

/* The length of a run of bytes within [low, high]. */
static size_t span(const char *bytes, size_t length, uint8_t low, uint8_t high)
{
	size_t i = 0;

	while (i < length && (uint8_t)bytes[i] >= low && (uint8_t)bytes[i] <= high)
		i++;
	return i;
}

/* The length of a control string up to its terminator (BEL or ESC \), 0 if it has none within reach. */
static size_t control_string_length(const char *bytes, size_t length)
{
	if (length > LONGEST_SEQUENCE)
		length = LONGEST_SEQUENCE;
	for (size_t i = 2; i < length; i++) {
		if (bytes[i] == '\a')
			return i + 1;
		if (bytes[i] == '\033' && i + 1 < length && bytes[i + 1] == '\\')
			return i + 2;
		if (bytes[i] == '\n')
			return 0;
	}
	return 0;
}

/* The length of the complete escape sequence that `bytes` starts with, 0 if it starts with none. */
static size_t sequence_length(const char *bytes, size_t length)
{
	size_t end = 2;

	if (length < 2 || bytes[0] != '\033')
		return 0;
	if (bytes[1] && strchr("]PX^_", bytes[1]))
		return control_string_length(bytes, length);
	if (bytes[1] == '[') {
		end += span(bytes + end, length - end, 0x30, 0x3f);
		end += span(bytes + end, length - end, 0x20, 0x2f);
		return end < length && span(bytes + end, 1, 0x40, 0x7e) ? end + 1 : 0;
	}
	end = 1 + span(bytes + 1, length - 1, 0x20, 0x2f);
	return end < length && span(bytes + end, 1, 0x30, 0x7e) ? end + 1 : 0;
}

/* Code points that no text needs: controls, noncharacters, and what reorders or hides its surroundings. */
static bool is_unfit(uint32_t code_point)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = { { 0x00, 0x1f },	   { 0x7f, 0x9f },     { 0xad, 0xad },	    { 0x61c, 0x61c },
		       { 0x200b, 0x200f }, { 0x2028, 0x202e }, { 0x2060, 0x206f },  { 0xfdd0, 0xfdef },
		       { 0xfeff, 0xfeff }, { 0xfff9, 0xfffb }, { 0xe0000, 0xe007f } };

	if ((code_point & 0xfffe) == 0xfffe)
		return true;
	for (size_t i = 0; i < KC_ARRAY_LENGTH(ranges); i++)
		if (code_point >= ranges[i].first && code_point <= ranges[i].last)
			return true;
	return false;
}

/* Whether a colon here would be the second of a line that begins with two. */
static bool begins_with_colons(const struct kc_buffer *buffer)
{
	size_t place = buffer->length;

	if (!place || buffer->data[--place] != ':')
		return false;
	while (place && (buffer->data[place - 1] == ' ' || buffer->data[place - 1] == '\t'))
		place--;
	return !place || buffer->data[place - 1] == '\n';
}

/* What a CI system would take the log for, with this character. */
static bool is_command(const struct kc_buffer *buffer, uint32_t code_point, unsigned int flags)
{
	if (code_point == '#')
		return buffer->length && buffer->data[buffer->length - 1] == '#';
	return code_point == ':' && flags & KC_TEXT_LINE && begins_with_colons(buffer);
}

static int append_character(struct kc_buffer *buffer, const char *bytes, size_t length, uint32_t code_point,
			    unsigned int flags)
{
	if (code_point == '\n' || code_point == '\t')
		return kc_buffer_append(buffer, flags & KC_TEXT_LINE ? " " : bytes, 1);
	if (code_point < 0x80 && is_unfit(code_point))
		return kc_buffer_printf(buffer, "\\x%02x", (unsigned int)code_point);
	if (is_unfit(code_point) || (code_point >= 0x80 && flags & KC_TEXT_ASCII))
		return kc_buffer_printf(buffer, "\\u{%04x}", (unsigned int)code_point);
	if (flags & KC_TEXT_LOG && is_command(buffer, code_point, flags))
		return kc_buffer_printf(buffer, "\\x%02x", (unsigned int)code_point);
	return kc_buffer_append(buffer, bytes, length);
}

/* Appends what stands at the start of `bytes` and says how much that was. */
static int append_next(struct kc_buffer *buffer, const char *bytes, size_t length, unsigned int flags,
		       size_t *ret_taken)
{
	uint32_t code_point;
	size_t taken = sequence_length(bytes, length);

	*ret_taken = taken;
	if (taken)
		return 0;
	*ret_taken = 1;
	if (bytes[0] == '\r') {
		*ret_taken += length > 1 && bytes[1] == '\n';
		return append_character(buffer, "\n", 1, '\n', flags);
	}
	taken = kc_text_decode_utf8(bytes, length, &code_point);
	if (!taken)
		return kc_buffer_printf(buffer, "\\x%02x", (unsigned int)(uint8_t)bytes[0]);
	*ret_taken = taken;
	return append_character(buffer, bytes, taken, code_point, flags);
}

int kc_text_append(struct kc_buffer *buffer, const char *bytes, size_t length, unsigned int flags)
{
	size_t taken;

	while (length && flags & KC_TEXT_LINE && strchr("\r\n\t ", bytes[length - 1]) && bytes[length - 1])
		length--;
	for (size_t i = 0; i < length; i += taken) {
		int status = append_next(buffer, bytes + i, length - i, flags, &taken);

		if (status < 0)
			return status;
	}
	return 0;
}

/* The first place at or after `at` where a character starts. */
static size_t next_character(const struct kc_buffer *text, size_t at)
{
	while (at < text->length && ((uint8_t)text->data[at] & 0xc0) == 0x80)
		at++;
	return at;
}

int kc_text_append_capped(struct kc_buffer *buffer, const char *bytes, size_t length, unsigned int flags,
			  size_t cap)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(SIZE_MAX / 2);
	size_t head, tail;
	int status = kc_text_append(&text, bytes, length, flags);

	if (status < 0)
		return status;
	if (cap < SMALLEST_CAP)
		cap = SMALLEST_CAP;
	if (text.length <= cap)
		return kc_buffer_append(buffer, text.data, text.length);
	/* The end of an output says why it ended: it gets the larger share. 64 bytes are for the line
	 * between. */
	cap -= 64;
	head = next_character(&text, cap / 4);
	tail = next_character(&text, text.length - (cap - head));
	status = kc_buffer_append(buffer, text.data, head);
	if (status == 0)
		status = kc_buffer_printf(buffer, "%s[... %zu bytes left out ...]%s",
					  flags & KC_TEXT_LINE ? " " : "\n", tail - head,
					  flags & KC_TEXT_LINE ? " " : "\n");
	return status < 0 ? status : kc_buffer_append(buffer, text.data + tail, text.length - tail);
}

int kc_text_append_word(struct kc_buffer *buffer, const char *word)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-+:/=@%,";
	int status;

	if (*word && word[strspn(word, plain)] == '\0')
		return kc_buffer_append_string(buffer, word);
	status = kc_buffer_append_string(buffer, "'");
	for (; *word && status == 0; word++)
		status = *word == '\'' ? kc_buffer_append_string(buffer, "'\\''")
				       : kc_buffer_append(buffer, word, 1);
	return status < 0 ? status : kc_buffer_append_string(buffer, "'");
}
