#include "nearest.h"

#include <string.h>

#define LONGEST 64

static size_t least(size_t a, size_t b, size_t c)
{
	size_t lesser = a < b ? a : b;

	return lesser < c ? lesser : c;
}

/* Insertions, deletions and replacements that make one word of the other (Levenshtein), one row at a time. */
static size_t edit_distance(const char *from, const char *to)
{
	size_t row[LONGEST + 1];
	size_t width = strlen(to);

	for (size_t j = 0; j <= width; j++)
		row[j] = j;
	for (size_t i = 0; from[i]; i++) {
		size_t diagonal = row[0];

		row[0] = i + 1;
		for (size_t j = 0; j < width; j++) {
			size_t above = row[j + 1];

			row[j + 1] = least(above + 1, row[j] + 1, diagonal + (from[i] != to[j]));
			diagonal = above;
		}
	}
	return row[width];
}

bool kc_nearest_try(struct kc_nearest *nearest, const char *word)
{
	size_t length = strlen(nearest->typed), other = strlen(word), distance;

	if (length > LONGEST || other > LONGEST)
		return false;
	distance = edit_distance(nearest->typed, word);
	/* More than a third of the word wrong, or half of a short one, is another word. */
	if (distance > 1 + length / 3 || 2 * distance >= (length > other ? length : other))
		return false;
	if (nearest->word && distance >= nearest->distance)
		return false;
	nearest->word = word;
	nearest->distance = distance;
	return true;
}
