#include "cases/cases.h"

#include <string.h>

#include "base/embedded.h"

const struct kc_case_table *const kc_case_tables[] = {
	&kc_cases_volume,
	&kc_cases_image,
	&kc_cases_python,
	&kc_cases_imports,
	&kc_cases_imports_production,
	&kc_cases_runtime,
	&kc_cases_cpu,
	&kc_cases_ttyd,
	NULL,
};

/* With its NUL, so that no two lists of words read the same. */
static void add_word(struct kc_sha256 *sha, const char *word)
{
	kc_sha256_update(sha, word ? word : "", strlen(word ? word : "") + 1);
}

static void add_words(struct kc_sha256 *sha, const char *const *words)
{
	for (; words && *words; words++)
		add_word(sha, *words);
	add_word(sha, NULL);
}

static void add_row(struct kc_sha256 *sha, const char *group, const struct kc_case *row)
{
	add_word(sha, group);
	add_word(sha, row->name);
	add_word(sha, row->what);
	add_word(sha, row->expect);
	add_words(sha, row->argv);
	add_words(sha, row->environment);
}

int kc_cases_digest(char ret_hex[KC_SHA256_HEX_SIZE], struct kc_error *err)
{
	KC_CLEANUP_SHA256 struct kc_sha256 sha = { 0 };
	int status = kc_sha256_start(&sha, err);

	if (status < 0)
		return status;
	for (size_t i = 0; i < kc_embedded_count(); i++) {
		const char *bytes;
		size_t length;

		if (!kc_embedded_find(kc_embedded_name(i), &bytes, &length))
			continue; /* it names itself */
		add_word(&sha, kc_embedded_name(i));
		kc_sha256_update(&sha, bytes, length + 1);
	}
	for (const struct kc_case_table *const *table = kc_case_tables; *table; table++)
		for (size_t i = 0; i < (*table)->count; i++)
			add_row(&sha, (*table)->group, &(*table)->rows[i]);
	return kc_sha256_finish(&sha, ret_hex, err);
}
