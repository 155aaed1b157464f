#include "base/buffer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void kc_buffer_init(struct kc_buffer *buffer, size_t limit)
{
	*buffer = (struct kc_buffer)KC_BUFFER_INIT(limit);
}

void kc_buffer_release(struct kc_buffer *buffer)
{
	free(buffer->data);
	kc_buffer_init(buffer, buffer->limit);
}

void kc_buffer_clear(struct kc_buffer *buffer)
{
	buffer->length = 0;
	if (buffer->data)
		buffer->data[0] = '\0';
}

/* Makes room for `extra` more bytes and the NUL. */
static int reserve(struct kc_buffer *buffer, size_t extra)
{
	size_t wanted, capacity;
	char *data;

	if (extra > buffer->limit || buffer->length > buffer->limit - extra)
		return -E2BIG;
	wanted = buffer->length + extra + 1;
	if (wanted <= buffer->capacity)
		return 0;
	capacity = buffer->capacity ? buffer->capacity : 64;
	while (capacity < wanted)
		capacity *= 2;
	data = realloc(buffer->data, capacity);
	if (!data)
		return -ENOMEM;
	buffer->data = data;
	buffer->capacity = capacity;
	return 0;
}

int kc_buffer_append(struct kc_buffer *buffer, const void *bytes, size_t length)
{
	int status = reserve(buffer, length);

	if (status < 0)
		return status;
	if (length)
		memcpy(buffer->data + buffer->length, bytes, length);
	buffer->length += length;
	buffer->data[buffer->length] = '\0';
	return 0;
}

int kc_buffer_append_string(struct kc_buffer *buffer, const char *string)
{
	return kc_buffer_append(buffer, string, strlen(string));
}

int kc_buffer_printf(struct kc_buffer *buffer, const char *format, ...)
{
	va_list arguments;
	int length, status;

	va_start(arguments, format);
	length = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	if (length < 0)
		return -EINVAL;
	status = reserve(buffer, (size_t)length);
	if (status < 0)
		return status;
	va_start(arguments, format);
	(void)vsnprintf(buffer->data + buffer->length, (size_t)length + 1, format, arguments);
	va_end(arguments);
	buffer->length += (size_t)length;
	return 0;
}

const char *kc_buffer_string(const struct kc_buffer *buffer)
{
	return buffer->data ? buffer->data : "";
}

char *kc_buffer_steal(struct kc_buffer *buffer)
{
	char *data = KC_STEAL(buffer->data);

	kc_buffer_init(buffer, buffer->limit);
	return data;
}

void kc_excerpt_add(struct kc_excerpt *excerpt, const void *bytes, size_t length)
{
	const char *next = bytes;
	size_t room = sizeof(excerpt->head) - excerpt->head_length;
	size_t taken = length < room ? length : room;

	memcpy(excerpt->head + excerpt->head_length, next, taken);
	excerpt->head_length += taken;
	next += taken;
	length -= taken;
	while (length) {
		size_t end = (excerpt->tail_start + excerpt->tail_length) % sizeof(excerpt->tail);
		size_t chunk = sizeof(excerpt->tail) - end;

		if (chunk > length)
			chunk = length;
		memcpy(excerpt->tail + end, next, chunk);
		excerpt->tail_length += chunk;
		if (excerpt->tail_length > sizeof(excerpt->tail)) {
			size_t over = excerpt->tail_length - sizeof(excerpt->tail);

			excerpt->dropped += over;
			excerpt->tail_start = (excerpt->tail_start + over) % sizeof(excerpt->tail);
			excerpt->tail_length = sizeof(excerpt->tail);
		}
		next += chunk;
		length -= chunk;
	}
}

int kc_excerpt_append_to(const struct kc_excerpt *excerpt, struct kc_buffer *buffer)
{
	size_t first = sizeof(excerpt->tail) - excerpt->tail_start;
	int status = kc_buffer_append(buffer, excerpt->head, excerpt->head_length);

	if (status == 0 && excerpt->dropped)
		status = kc_buffer_printf(buffer, "\n[... %llu bytes left out ...]\n", excerpt->dropped);
	if (first > excerpt->tail_length)
		first = excerpt->tail_length;
	if (status == 0)
		status = kc_buffer_append(buffer, excerpt->tail + excerpt->tail_start, first);
	if (status == 0)
		status = kc_buffer_append(buffer, excerpt->tail, excerpt->tail_length - first);
	return status;
}
