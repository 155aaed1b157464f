/* All cases there are, by subject: one table per file of this folder. */
#ifndef KC_CASES_CASES_H
#define KC_CASES_CASES_H

#include "run/case.h"

extern const struct kc_case_table *const kc_case_tables[]; /* NULL-terminated */

#endif
