#include "base/embedded.h"

#include <string.h>

/* The assembler reads the files: C has no #embed before C23, and a literal of that size compiles slowly. */
#define KC_EMBEDDED(number, file)                                                                            \
	__asm__(".pushsection .rodata\n"                                                                     \
		"kc_embedded_" #number ":\n"                                                                 \
		".incbin \"" file "\"\n"                                                                     \
		"kc_embedded_" #number "_end:\n"                                                             \
		".byte 0\n"                                                                                  \
		".popsection\n");                                                                            \
	extern const char kc_embedded_##number[], kc_embedded_##number##_end[];
#include "embedded_list.h"
#undef KC_EMBEDDED

#define KC_EMBEDDED(number, file) { file, kc_embedded_##number, kc_embedded_##number##_end },
static const struct {
	const char *name, *start, *end;
} places[] = {
#include "embedded_list.h"
};

enum { PLACE_COUNT = sizeof(places) / sizeof(places[0]) };

bool kc_embedded_find(const char *name, const char **ret_bytes, size_t *ret_length)
{
	for (size_t i = 0; i < PLACE_COUNT; i++) {
		if (strcmp(places[i].name, name) != 0)
			continue;
		*ret_bytes = places[i].start;
		*ret_length = (size_t)(places[i].end - places[i].start);
		return true;
	}
	return false;
}

size_t kc_embedded_count(void)
{
	return PLACE_COUNT;
}

const char *kc_embedded_name(size_t index)
{
	return index < PLACE_COUNT ? places[index].name : NULL;
}
