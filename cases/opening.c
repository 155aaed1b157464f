/* The one case of an image that cannot be had, in a run that has others: one that cannot be reached is skipped, with the reason. */
#include "base/error.h"
#include "base/cleanup.h"
#include "cases/cases.h"
#include "reports/result.h"
#include "run/context.h"

static void opening(const struct kc_case *row, struct kc_case_context *context, struct kc_result *result)
{
	if (!context->opening)
		kc_result_pass(result);
	else if (context->is_unreachable)
		kc_result_skip(result, "%s", context->opening->text);
	else
		kc_result_broken_by(result, context->opening);
	if (context->opening && context->opening->hint[0])
		kc_result_hint(result, "%s", context->opening->hint);
}

static const struct kc_case cases[] = {
	{ KC_CASE("opening"), .what = "volume and image can be had", .run = opening, .timeout_ms = 10000 },
};

static const struct kc_case_table table = {
	.group = "run", .file = __FILE__, .rows = cases, .count = KC_ARRAY_LENGTH(cases)
};

const struct kc_case_table *const kc_case_tables_opening[] = { &table, NULL };
