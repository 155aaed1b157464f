#include "nearest.h"

#include <string.h>

#define LONGEST 64

static unsigned int lesser(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

/* The insertions, deletions, replacements and swaps of neighbours that make one word of the other. */
static unsigned int edit_distance(const char *from, const char *to)
{
	unsigned int cost[LONGEST + 1][LONGEST + 1];
	size_t height = strlen(from), width = strlen(to);

	for (size_t i = 0; i <= height; i++) {
		for (size_t j = 0; j <= width; j++) {
			if (i == 0 || j == 0) {
				cost[i][j] = (unsigned int)(i + j);
				continue;
			}
			cost[i][j] = lesser(cost[i - 1][j], cost[i][j - 1]) + 1;
			cost[i][j] = lesser(cost[i][j], cost[i - 1][j - 1] + (from[i - 1] != to[j - 1]));
			if (i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1])
				cost[i][j] = lesser(cost[i][j], cost[i - 2][j - 2] + 1);
		}
	}
	return cost[height][width];
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
