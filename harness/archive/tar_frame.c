#include "archive/tar_frame.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* Where the fields of a header are, POSIX.1-2017 pax(1), table 4-14. */
enum { SIZE_AT = 124, SIZE_LENGTH = 12, CHECKSUM_AT = 148, CHECKSUM_LENGTH = 8, TYPE_AT = 156 };

/* Bits of `extensions`. */
enum {
	PAX_LOCAL = 1 << 0,
	PAX_GLOBAL = 1 << 1,
	GNU_NAME = 1 << 2,
	GNU_LINK = 1 << 3,
	PAX_KINDS = PAX_LOCAL | PAX_GLOBAL,
	GNU_KINDS = GNU_NAME | GNU_LINK
};

int kc_tar_frame_init(struct kc_tar_frame *frame, struct kc_error *err)
{
	int status;

	*frame = (struct kc_tar_frame){ .extension = KC_BUFFER_INIT(KC_TAR_EXTENSION_LIMIT_BYTES) };
	status = kc_sha256_start(&frame->ours, err);
	if (status == 0)
		status = kc_sha256_start(&frame->theirs, err);
	if (status < 0)
		kc_tar_frame_release(frame);
	return status;
}

void kc_tar_frame_release(struct kc_tar_frame *frame)
{
	kc_buffer_release(&frame->extension);
	kc_sha256_release(&frame->ours);
	kc_sha256_release(&frame->theirs);
}

/* The offset is where the header in question starts. */
static int refuse(const struct kc_tar_frame *frame, const char *rule, struct kc_error *err)
{
	return kc_error_set(err, EBADMSG, "tar entry at byte %" PRIu64 ": %s", frame->entry_offset, rule);
}

static bool is_zero(const unsigned char *block)
{
	return block[0] == 0 && memcmp(block, block + 1, KC_TAR_BLOCK_BYTES - 1) == 0;
}

/* Octal digits between optional spaces, ended by a space, a NUL or the end of the field. The binary form,
 * which can be negative and starts with a byte over 127, is for sizes from 8 GiB up: none of ours. */
static bool parse_octal(const unsigned char *field, size_t length, uint64_t *ret_value)
{
	uint64_t value = 0;
	size_t i = 0;

	while (i < length && field[i] == ' ')
		i++;
	for (; i < length && field[i] >= '0' && field[i] <= '7'; i++)
		value = value * 8 + (uint64_t)(field[i] - '0');
	if (i < length && field[i] != ' ' && field[i] != '\0')
		return false;
	*ret_value = value;
	return true;
}

static bool checksum_holds(const unsigned char *block)
{
	uint64_t stored, sum = 0;

	if (!parse_octal(block + CHECKSUM_AT, CHECKSUM_LENGTH, &stored))
		return false;
	for (size_t i = 0; i < KC_TAR_BLOCK_BYTES; i++)
		sum += i >= CHECKSUM_AT && i < CHECKSUM_AT + CHECKSUM_LENGTH ? ' ' : block[i];
	return sum == stored;
}

static void note_entry(struct kc_sha256 *list, uint64_t offset, uint64_t size)
{
	uint64_t numbers[2] = { offset, size };

	kc_sha256_update(list, numbers, sizeof(numbers));
}

void kc_tar_frame_agree(struct kc_tar_frame *frame, uint64_t offset, uint64_t size)
{
	note_entry(&frame->theirs, offset, size);
}

static unsigned int extension_kind(char type)
{
	return type == 'x' ? PAX_LOCAL : type == 'g' ? PAX_GLOBAL : type == 'L' ? GNU_NAME : GNU_LINK;
}

static int begin_extension(struct kc_tar_frame *frame, char type, uint64_t size, struct kc_error *err)
{
	unsigned int kind = extension_kind(type);

	if (size == 0 || size > KC_TAR_EXTENSION_LIMIT_BYTES)
		return refuse(frame, "its extended header is empty or too large", err);
	if (frame->extensions & kind)
		return refuse(frame, "an extended header is repeated", err);
	frame->extensions |= kind;
	if ((frame->extensions & PAX_KINDS) && (frame->extensions & GNU_KINDS))
		return refuse(frame, "pax and GNU extended headers are mixed", err);
	frame->extension_type = type;
	frame->extension_left = size;
	kc_buffer_clear(&frame->extension);
	return 0;
}

static int end_entry(struct kc_tar_frame *frame, char type, uint64_t size, struct kc_error *err)
{
	bool regular = type == '0' || type == '\0' || type == '7';

	if (!regular && (type < '1' || type > '6'))
		return refuse(frame, type == 'S' ? "sparse files are refused" : "its type is unknown", err);
	if (!regular && size != 0)
		return refuse(frame, "only a file may have data", err);
	if (frame->has_pax_size && frame->pax_size != size)
		return refuse(frame, "its pax header and its header differ in the size", err);
	note_entry(&frame->ours, frame->entry_offset, size);
	frame->entries++;
	frame->extensions = 0;
	frame->has_pax_size = false;
	return 0;
}

static int take_header(struct kc_tar_frame *frame, struct kc_error *err)
{
	char type = (char)frame->block[TYPE_AT];
	uint64_t size;

	if (!frame->extensions)
		frame->entry_offset = frame->offset - KC_TAR_BLOCK_BYTES;
	if (!checksum_holds(frame->block) && frame->offset == KC_TAR_BLOCK_BYTES)
		return kc_error_set(err, EBADMSG, "what is compressed is not a tar archive");
	if (!checksum_holds(frame->block))
		return refuse(frame, "the checksum of its header is wrong", err);
	if (!parse_octal(frame->block + SIZE_AT, SIZE_LENGTH, &size))
		return refuse(frame, "its size is out of range", err);
	/* 12 octal digits: this cannot overflow. */
	frame->skip = (size + KC_TAR_BLOCK_BYTES - 1) / KC_TAR_BLOCK_BYTES * KC_TAR_BLOCK_BYTES;
	frame->padding = frame->skip - size;
	if (type != '\0' && strchr("xgLK", type))
		return begin_extension(frame, type, size, err);
	return end_entry(frame, type, size, err);
}

static int take_end_block(struct kc_tar_frame *frame, struct kc_error *err)
{
	frame->entry_offset = frame->offset - KC_TAR_BLOCK_BYTES;
	if (frame->extensions)
		return refuse(frame, "an extended header has no entry", err);
	if (!is_zero(frame->block))
		return refuse(frame, "there is data after the end of the archive", err);
	frame->tail += KC_TAR_BLOCK_BYTES;
	if (frame->tail > KC_TAR_TAIL_LIMIT_BYTES)
		return refuse(frame, "too many zeros after the end of the archive", err);
	return 0;
}

/* Extended attributes are bytes of any kind (file capabilities of distributions' images); they are not kept. */
static bool is_free_of_nul(const char *key, const char *value, const char *end)
{
	static const char attribute[] = "SCHILY.xattr.";
	size_t length = (size_t)(value - key);
	bool is_attribute = length > sizeof(attribute) && memcmp(key, attribute, sizeof(attribute) - 1) == 0;

	return !memchr(key, '\0', is_attribute ? length : (size_t)(end - key));
}

/* "LENGTH KEY=VALUE\n", LENGTH counting all of it. */
static bool parse_record(const char *bytes, size_t left, size_t *ret_length, const char **ret_key,
			 const char **ret_value)
{
	size_t length = 0, digits = 0;

	while (digits < left && digits < 6 && isdigit((unsigned char)bytes[digits]))
		length = length * 10 + (size_t)(bytes[digits++] - '0');
	if (digits == 0 || digits >= left || bytes[digits] != ' ' || length > left || length < digits + 4 ||
	    bytes[length - 1] != '\n')
		return false;
	*ret_length = length;
	*ret_key = bytes + digits + 1;
	*ret_value = memchr(*ret_key, '=', length - digits - 2);
	if (!*ret_value || *ret_value == *ret_key)
		return false;
	(*ret_value)++;
	return is_free_of_nul(*ret_key, *ret_value, bytes + length);
}

static bool key_is(const char *key, const char *value, const char *name)
{
	size_t length = (size_t)(value - key) - 1;

	return strlen(name) == length && memcmp(key, name, length) == 0;
}

static bool key_starts(const char *key, const char *value, const char *start)
{
	size_t length = strlen(start);

	return (size_t)(value - key) - 1 >= length && memcmp(key, start, length) == 0;
}

static bool parse_pax_size(const char *value, const char *end, uint64_t *ret_size)
{
	uint64_t size = 0;

	if (value == end || end - value > 18)
		return false;
	for (; value < end; value++) {
		if (!isdigit((unsigned char)*value))
			return false;
		size = size * 10 + (uint64_t)(*value - '0');
	}
	*ret_size = size;
	return true;
}

/* NULL or the rule that is broken. */
static const char *take_record(struct kc_tar_frame *frame, const char *key, const char *value,
			       const char *end)
{
	bool is_size = key_is(key, value, "size");

	if (key_starts(key, value, "GNU.sparse"))
		return "sparse files are refused";
	if (frame->extension_type == 'g')
		return is_size || key_is(key, value, "path") || key_is(key, value, "linkpath")
			       ? "a global header sets a name or a size"
			       : NULL;
	if (!is_size)
		return NULL;
	if (!parse_pax_size(value, end, &frame->pax_size))
		return "its size is out of range";
	frame->has_pax_size = true;
	return NULL;
}

static int take_pax_extension(struct kc_tar_frame *frame, struct kc_error *err)
{
	const char *next = kc_buffer_string(&frame->extension);
	size_t left = frame->extension.length;

	while (left) {
		const char *key, *value, *rule;
		size_t length;

		if (!parse_record(next, left, &length, &key, &value))
			return refuse(frame, "its pax header is malformed", err);
		rule = take_record(frame, key, value, next + length - 1);
		if (rule)
			return refuse(frame, rule, err);
		next += length;
		left -= length;
	}
	return 0;
}

/* GNU "L" and "K": a name and its NUL. */
static int take_gnu_extension(struct kc_tar_frame *frame, struct kc_error *err)
{
	const char *name = kc_buffer_string(&frame->extension);
	size_t length = strlen(name);

	if (length == 0 || length + 1 < frame->extension.length)
		return refuse(frame, "its GNU long name is malformed", err);
	return 0;
}

static int collect_extension(struct kc_tar_frame *frame, const unsigned char *bytes, size_t length,
			     struct kc_error *err)
{
	size_t wanted = length < frame->extension_left ? length : frame->extension_left;
	int status = kc_buffer_append(&frame->extension, bytes, wanted);
	char type = frame->extension_type;

	if (status < 0)
		return kc_error_errno(err, status, "read an extended tar header");
	frame->extension_left -= wanted;
	if (frame->extension_left)
		return 0;
	status = type == 'L' || type == 'K' ? take_gnu_extension(frame, err) : take_pax_extension(frame, err);
	frame->extension_type = '\0';
	return status;
}

#define END_BYTES (UINT64_C(2) * KC_TAR_BLOCK_BYTES)

static size_t smaller(size_t a, uint64_t b)
{
	return a < b ? a : (size_t)b;
}

/* Takes bytes of data or of a header; how many. */
static size_t step(struct kc_tar_frame *frame, const unsigned char *bytes, size_t length, int *ret_status,
		   struct kc_error *err)
{
	size_t taken = smaller(length, frame->skip ? frame->skip : KC_TAR_BLOCK_BYTES - frame->have);

	frame->offset += taken;
	*ret_status = 0;
	if (frame->skip) {
		frame->skip -= taken;
		if (frame->extension_type)
			*ret_status = collect_extension(frame, bytes, taken, err);
		return taken;
	}
	memcpy(frame->block + frame->have, bytes, taken);
	frame->have += taken;
	if (frame->have < KC_TAR_BLOCK_BYTES)
		return taken;
	frame->have = 0;
	*ret_status =
		frame->tail || is_zero(frame->block) ? take_end_block(frame, err) : take_header(frame, err);
	return taken;
}

int kc_tar_frame_feed(struct kc_tar_frame *frame, const void *bytes, size_t length, struct kc_error *err)
{
	const unsigned char *next = bytes;

	while (length) {
		int status;
		size_t taken = step(frame, next, length, &status, err);

		if (status < 0)
			return status;
		next += taken;
		length -= taken;
	}
	return 0;
}

/* The last entry's data is all there, if not its padding. */
static bool is_between_entries(const struct kc_tar_frame *frame)
{
	return !frame->have && !frame->extensions && frame->skip <= (frame->may_stop ? frame->padding : 0);
}

uint64_t kc_tar_frame_missing(const struct kc_tar_frame *frame)
{
	return frame->may_stop && is_between_entries(frame) && frame->tail < END_BYTES
		       ? frame->skip + END_BYTES
		       : 0;
}

int kc_tar_frame_finish(struct kc_tar_frame *frame, struct kc_error *err)
{
	char ours[KC_SHA256_HEX_SIZE], theirs[KC_SHA256_HEX_SIZE];
	int status;

	if (!is_between_entries(frame))
		return kc_error_set(err, EBADMSG, "the tar ends within an entry");
	if (frame->tail < END_BYTES && !frame->may_stop)
		return kc_error_set(err, EBADMSG, "the tar has no end-of-archive blocks");
	if (frame->entries == 0 && !frame->may_stop)
		return kc_error_set(err, EBADMSG, "the archive is empty (a tar without entries)");
	status = kc_sha256_finish(&frame->ours, ours, err);
	if (status == 0)
		status = kc_sha256_finish(&frame->theirs, theirs, err);
	if (status == 0 && strcmp(ours, theirs) != 0)
		return kc_error_set(err, EBADMSG, "the tar reads differently for two readers");
	return status;
}
