#include "reports/bytes.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "reports/text.h"

enum { CARRIER_FIRST = 0xf780, CARRIER_LAST = 0xf7ff };

static bool is_carrier(uint32_t code_point)
{
	return code_point >= CARRIER_FIRST && code_point <= CARRIER_LAST;
}

static int encode(struct kc_buffer *buffer, const char *text)
{
	size_t length = strlen(text), taken;
	int status = kc_buffer_append(buffer, "", 0);

	for (size_t i = 0; i < length && status == 0; i += taken) {
		uint8_t byte = (uint8_t)text[i];
		const char carrier[] = { (char)0xef, (char)(0x9c | byte >> 6), (char)(0x80 | (byte & 0x3f)) };
		uint32_t code_point = 0;

		taken = kc_text_decode_utf8(text + i, length - i, &code_point);
		if (taken && !is_carrier(code_point)) {
			status = kc_buffer_append(buffer, text + i, taken);
			continue;
		}
		/* A byte of a carrier in the text: its lead byte alone, the rest follows as invalid UTF-8. */
		taken = 1;
		status = kc_buffer_append(buffer, carrier, sizeof(carrier));
	}
	return status;
}

static int decode(struct kc_buffer *buffer, const char *json)
{
	size_t length = strlen(json), taken;
	int status = 0;

	for (size_t i = 0; i < length && status == 0; i += taken) {
		uint32_t code_point = 0;
		char byte;

		taken = kc_text_decode_utf8(json + i, length - i, &code_point);
		if (!taken)
			return -EILSEQ; /* cJSON hands over what stood in the document */
		byte = (char)(code_point & 0xff);
		status = is_carrier(code_point) ? kc_buffer_append(buffer, &byte, 1)
						: kc_buffer_append(buffer, json + i, taken);
	}
	return status;
}

int kc_bytes_add(cJSON *parent, const char *key, const char *text)
{
	KC_CLEANUP_BUFFER struct kc_buffer encoded = KC_BUFFER_INIT(4 * strlen(text) + 1);
	cJSON *item;

	if (encode(&encoded, text) < 0)
		return -ENOMEM;
	item = cJSON_CreateString(encoded.data);
	if (item && (key ? cJSON_AddItemToObject(parent, key, item) : cJSON_AddItemToArray(parent, item)))
		return 0;
	cJSON_Delete(item);
	return -ENOMEM;
}

int kc_bytes_read(const cJSON *item, struct kc_buffer *text, struct kc_error *err)
{
	int status;

	if (!cJSON_IsString(item))
		return kc_error_set(err, EBADMSG, "result: a text is not a string");
	status = decode(text, item->valuestring);
	if (status == -ENOMEM)
		return kc_error_errno(err, ENOMEM, "read a result");
	if (status < 0)
		return kc_error_set(err, EBADMSG, "result: a text is too long or not UTF-8");
	return 0;
}
