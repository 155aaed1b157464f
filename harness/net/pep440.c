#include "net/pep440.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/cleanup.h"

/* Moves past one of `separators`, if there is one. */
static const char *skip_separator(const char *text, const char *separators)
{
	return *text && strchr(separators, *text) ? text + 1 : text;
}

/* Reads a number, or 0 where there is none; NULL if it is too large. */
static const char *read_number(const char *text, uint64_t *ret_number)
{
	uint64_t number = 0;

	for (; isdigit((unsigned char)*text); text++) {
		if (number > (INT64_MAX - 9) / 10)
			return NULL;
		number = number * 10 + (uint64_t)(*text - '0');
	}
	*ret_number = number;
	return text;
}

static const char *read_release(const char *text, struct kc_version *version)
{
	size_t count = 0;

	for (;;) {
		if (count == KC_VERSION_MAX_RELEASE || !isdigit((unsigned char)*text))
			return NULL;
		text = read_number(text, &version->release[count++]);
		if (!text || *text != '.' || !isdigit((unsigned char)text[1]))
			return text;
		text++;
	}
}

/* Reads "[.-_]WORD[.-_][NUMBER]" if `text` starts with one of the words; NULL if the number is too large.
 * *ret_index is the word's, or stays. */
static const char *read_segment(const char *text, const char *const words[], int *ret_index,
				uint64_t *ret_number)
{
	const char *start = skip_separator(text, ".-_");

	for (int i = 0; words[i]; i++) {
		size_t length = strlen(words[i]);
		const char *number;

		if (strncmp(start, words[i], length) != 0)
			continue;
		*ret_index = i;
		number = skip_separator(start + length, ".-_");
		/* A separator without a number belongs to what follows ("1.0a.dev1"). */
		return read_number(isdigit((unsigned char)*number) ? number : start + length, ret_number);
	}
	return text;
}

static const char *read_pre(const char *text, struct kc_version *version)
{
	/* The longer spelling before its own beginning. */
	static const char *const words[] = { "alpha", "beta", "preview", "pre", "rc", "a", "b", "c", NULL };
	static const enum kc_version_pre meanings[] = {
		KC_VERSION_ALPHA,     KC_VERSION_BETA,	KC_VERSION_CANDIDATE, KC_VERSION_CANDIDATE,
		KC_VERSION_CANDIDATE, KC_VERSION_ALPHA, KC_VERSION_BETA,      KC_VERSION_CANDIDATE,
	};
	int found = -1;

	text = read_segment(text, words, &found, &version->pre_number);
	version->pre = found < 0 ? KC_VERSION_FINAL : meanings[found];
	return text;
}

static const char *read_post(const char *text, struct kc_version *version)
{
	static const char *const words[] = { "post", "rev", "r", NULL };
	int found = -1;

	if (text[0] == '-' && isdigit((unsigned char)text[1])) { /* the implicit form, "1.0-1" */
		version->has_post = true;
		return read_number(text + 1, &version->post);
	}
	text = read_segment(text, words, &found, &version->post);
	version->has_post = found >= 0;
	return text;
}

static const char *read_dev(const char *text, struct kc_version *version)
{
	static const char *const words[] = { "dev", NULL };
	int found = -1;

	text = read_segment(text, words, &found, &version->dev);
	version->has_dev = found >= 0;
	return text;
}

static const char *read_local(const char *text, struct kc_version *version)
{
	size_t length = 0;

	if (*text != '+')
		return text;
	for (text++; *text; text++) {
		bool is_separator = strchr("-_.", *text) != NULL;

		if (is_separator ? (length == 0 || version->local[length - 1] == '.')
				 : !isalnum((unsigned char)*text))
			return NULL;
		version->local[length++] = is_separator ? '.' : *text;
	}
	return length && version->local[length - 1] != '.' ? text : NULL;
}

int kc_version_parse(const char *text, struct kc_version *ret_version)
{
	static const char *(*const readers[])(const char *, struct kc_version *) = { read_release, read_pre,
										     read_post, read_dev,
										     read_local };
	struct kc_version version = { 0 };
	char lower[KC_VERSION_TEXT_SIZE];
	const char *next = lower;
	size_t length = strlen(text), digits;

	if (length >= sizeof(lower))
		return -EINVAL;
	for (size_t i = 0; i <= length; i++)
		lower[i] = (char)tolower((unsigned char)text[i]);
	next = skip_separator(next, "v");
	digits = strspn(next, "0123456789");
	if (digits && next[digits] == '!') {
		next = read_number(next, &version.epoch);
		next = next ? next + 1 : NULL;
	}
	for (size_t i = 0; next && i < KC_ARRAY_LENGTH(readers); i++)
		next = readers[i](next, &version);
	if (!next || *next)
		return -EINVAL;
	*ret_version = version;
	return 0;
}

static int compare_numbers(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

/* Local segments: a number is above letters, a longer one above its own beginning, none below all. */
static int compare_local(const char *a, const char *b)
{
	while (*a && *b) {
		size_t length_a = strcspn(a, "."), length_b = strcspn(b, ".");
		bool is_number_a = strspn(a, "0123456789") == length_a;
		bool is_number_b = strspn(b, "0123456789") == length_b;
		int order;

		if (is_number_a != is_number_b)
			return is_number_a ? 1 : -1;
		if (is_number_a) { /* without leading zeros the longer number is the larger */
			for (; length_a > 1 && *a == '0'; length_a--)
				a++;
			for (; length_b > 1 && *b == '0'; length_b--)
				b++;
		}
		order = is_number_a ? compare_numbers(length_a, length_b) : 0;
		if (order == 0)
			order = strncmp(a, b, length_a < length_b ? length_a : length_b);
		if (order == 0)
			order = compare_numbers(length_a, length_b);
		if (order)
			return order;
		a = skip_separator(a + length_a, ".");
		b = skip_separator(b + length_b, ".");
	}
	return (*a != '\0') - (*b != '\0');
}

/* A development release of the final one comes before its first alpha, of an alpha before that alpha. */
static int pre_rank(const struct kc_version *version)
{
	bool is_dev_of_final = version->pre == KC_VERSION_FINAL && !version->has_post && version->has_dev;

	return is_dev_of_final ? -1 : (int)version->pre;
}

static int compare_public(const struct kc_version *a, const struct kc_version *b)
{
	int order = compare_numbers(a->epoch, b->epoch);

	for (size_t i = 0; order == 0 && i < KC_VERSION_MAX_RELEASE; i++)
		order = compare_numbers(a->release[i], b->release[i]);
	if (order == 0)
		order = pre_rank(a) - pre_rank(b);
	if (order == 0)
		order = compare_numbers(a->pre_number, b->pre_number);
	if (order == 0)
		order = a->has_post - b->has_post;
	if (order == 0)
		order = compare_numbers(a->post, b->post);
	if (order == 0)
		order = b->has_dev - a->has_dev; /* the development release comes first */
	if (order == 0)
		order = compare_numbers(a->dev, b->dev);
	return order;
}

int kc_version_compare(const struct kc_version *a, const struct kc_version *b)
{
	int order = compare_public(a, b);

	return order ? order : compare_local(a->local, b->local);
}

/* How many numbers of the release part are written, without a zero behind the third. */
static size_t count_release(const char *text, const struct kc_version *version)
{
	const char *epoch = strchr(text, '!'), *next = epoch ? epoch + 1 : skip_separator(text, "vV");
	size_t count = 0;

	while (isdigit((unsigned char)*next)) {
		count++;
		next += strspn(next, "0123456789");
		next = skip_separator(next, ".");
	}
	while (count > 3 && version->release[count - 1] == 0)
		count--;
	return count;
}

static int append_numbers(const char *text, const struct kc_version *version, struct kc_buffer *canonical)
{
	size_t count = count_release(text, version);
	int status = version->epoch ? kc_buffer_printf(canonical, "%" PRIu64 "!", version->epoch) : 0;

	for (size_t i = 0; status == 0 && i < count; i++)
		status = kc_buffer_printf(canonical, "%s%" PRIu64, i ? "." : "", version->release[i]);
	return status;
}

static int append_suffixes(const struct kc_version *version, struct kc_buffer *canonical)
{
	static const char *const words[] = {
		[KC_VERSION_ALPHA] = "a", [KC_VERSION_BETA] = "b", [KC_VERSION_CANDIDATE] = "rc"
	};
	int status = 0;

	if (version->pre != KC_VERSION_FINAL)
		status = kc_buffer_printf(canonical, "%s%" PRIu64, words[version->pre], version->pre_number);
	if (status == 0 && version->has_post)
		status = kc_buffer_printf(canonical, ".post%" PRIu64, version->post);
	if (status == 0 && version->has_dev)
		status = kc_buffer_printf(canonical, ".dev%" PRIu64, version->dev);
	if (status == 0 && version->local[0])
		status = kc_buffer_printf(canonical, "+%s", version->local);
	return status;
}

int kc_version_canonical(const char *text, char ret_text[KC_VERSION_TEXT_SIZE])
{
	KC_CLEANUP_BUFFER struct kc_buffer canonical = KC_BUFFER_INIT(4 * KC_VERSION_TEXT_SIZE);
	struct kc_version version;
	int status = kc_version_parse(text, &version);

	if (status == 0)
		status = append_numbers(text, &version, &canonical);
	if (status == 0)
		status = append_suffixes(&version, &canonical);
	if (status < 0)
		return status;
	if (canonical.length >= KC_VERSION_TEXT_SIZE)
		return -EINVAL;
	memcpy(ret_text, kc_buffer_string(&canonical), canonical.length + 1);
	return 0;
}

bool kc_version_is_prerelease(const struct kc_version *version)
{
	return version->pre != KC_VERSION_FINAL || version->has_dev;
}

bool kc_version_matches(const struct kc_version *candidate, const struct kc_version *wanted)
{
	return compare_public(candidate, wanted) == 0 &&
	       (!wanted->local[0] || compare_local(candidate->local, wanted->local) == 0);
}

int kc_name_normalize(const char *name, size_t length, char ret_name[KC_NAME_SIZE])
{
	char normal[KC_NAME_SIZE];
	size_t used = 0;

	if (length == 0 || length >= sizeof(normal) || !isalnum((unsigned char)name[0]) ||
	    !isalnum((unsigned char)name[length - 1]))
		return -EINVAL;
	for (size_t i = 0; i < length; i++) {
		if (isalnum((unsigned char)name[i]))
			normal[used++] = (char)tolower((unsigned char)name[i]);
		else if (name[i] != '-' && name[i] != '_' && name[i] != '.')
			return -EINVAL;
		else if (normal[used - 1] != '-')
			normal[used++] = '-';
	}
	normal[used] = '\0';
	(void)snprintf(ret_name, KC_NAME_SIZE, "%s", normal);
	return 0;
}
