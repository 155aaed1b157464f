#include "cases/cases.h"

const struct kc_case_table *const kc_case_tables[] = { NULL };
