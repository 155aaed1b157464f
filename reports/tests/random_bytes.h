/* Deterministic pseudo-random bytes for property tests: the same seed gives the same bytes on any machine. */
#ifndef KC_REPORTS_TESTS_RANDOM_BYTES_H
#define KC_REPORTS_TESTS_RANDOM_BYTES_H

#include <stddef.h>
#include <stdint.h>

/* Half of what it draws are bytes that matter to XML, terminals and UTF-8; the rest is anything. */
static inline char random_byte(uint32_t *state)
{
	static const char telling[] =
		"<>&'\"]]>\x1b[;m\r\n\t\\\x7f#:\xc2\x9b\xe2\x80\xae\xef\xbf\xbf\xed\xa0\x80";

	/* xorshift32, Marsaglia 2003 */
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	if (*state & 1)
		return telling[(*state >> 8) % (sizeof(telling) - 1)];
	return (char)(*state >> 16);
}

/* Fills `bytes` with a string of random length without NULs. */
static inline void random_string(uint32_t seed, char *bytes, size_t size)
{
	uint32_t state = seed * 2654435761u + 1;
	size_t length = 0;

	(void)random_byte(&state);
	length = state % size;
	for (size_t i = 0; i < length; i++) {
		char byte = random_byte(&state);

		bytes[i] = byte ? byte : '.';
	}
	bytes[length] = '\0';
}

#endif
