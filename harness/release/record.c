#include "release/record.h"

#include <string.h>

static unsigned int nibble(char digit)
{
	return (unsigned int)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
}

void kc_record_digest(const char *hex, char ret_digest[KC_RECORD_DIGEST_SIZE])
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	unsigned int held = 0, bits = 0;
	size_t made = 0;

	for (size_t i = 0; i < KC_SHA256_HEX_SIZE - 1; i++) {
		held = (held << 4 | nibble(hex[i])) & 0xfff;
		bits += 4;
		if (bits >= 6) {
			bits -= 6;
			ret_digest[made++] = alphabet[held >> bits & 63];
		}
	}
	/* 256 bits are 42 digits and 4 bits. */
	ret_digest[made++] = alphabet[held << (6 - bits) & 63];
	ret_digest[made] = '\0';
}
