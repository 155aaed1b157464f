#include "cases/cases.h"

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
