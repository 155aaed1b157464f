/* Every case there is: one table per group, in the order that reports show. */
#ifndef KC_CASES_CASES_H
#define KC_CASES_CASES_H

#include "base/digest.h"
#include "base/error.h"
#include "run/case.h"

extern const struct kc_case_table *const kc_case_tables[]; /* NULL-terminated */
/* The one case of an image that cannot be had, in a run that has others. */
extern const struct kc_case_table *const kc_case_tables_opening[];

/* What this program checks, as one digest: its rows, and the data that is embedded in it (policies, images, the Python halves of
 * cases). Reports of two programs with the same one are about the same checks. */
int kc_cases_digest(char ret_hex[KC_SHA256_HEX_SIZE], struct kc_error *err)
	__attribute__((warn_unused_result));

/* One per file of this folder. */
extern const struct kc_case_table kc_cases_volume;
extern const struct kc_case_table kc_cases_image;
extern const struct kc_case_table kc_cases_python;
extern const struct kc_case_table kc_cases_imports;
extern const struct kc_case_table kc_cases_imports_production;
extern const struct kc_case_table kc_cases_runtime;
extern const struct kc_case_table kc_cases_cpu;
extern const struct kc_case_table kc_cases_ttyd;

#endif
