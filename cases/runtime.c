/* What a session does with its Python. Each row names a function of runtime.py. */
#include <stdio.h>
#include <string.h>

#include "base/embedded.h"
#include "cases/cases.h"
#include "cases/script.h"
#include "image/image.h"
#include "run/program.h"

static void run_check(const struct kc_case *row, struct kc_case_context *context, struct kc_result *result)
{
	KC_CLEANUP_PROGRAM struct kc_program program = { 0 };

	if (kc_script_run(row, context, context->image->ca_bundle, &program, result))
		kc_result_pass(result);
}

/* Without any, it is the image that has nothing to be read. */
static void tls_context(const struct kc_case *row, struct kc_case_context *context, struct kc_result *result)
{
	if (*context->image->ca_bundle)
		run_check(row, context, result);
	else
		kc_result_skip(result,
			       "image %s has no bundle of CA certificates: its package ca-certificates is "
			       "not installed",
			       context->image->name);
}

#define ROW(case_name, sentence)                                                                             \
	{                                                                                                    \
		KC_CASE(case_name), .what = (sentence), .run = run_check, .timeout_ms = 30000                \
	}

static const struct kc_case cases[] = {
	{ KC_CASE("tls-context"), .what = "OpenSSL reads the image's CA certificates", .run = tls_context,
	  .timeout_ms = 30000 },
	ROW("zone-data", "time zones come from the image"),
	ROW("sqlite-query", "an in-memory database answers a query"),
	ROW("subprocess-pipe", "a shell of the image runs as a subprocess"),
	ROW("threads", "four threads meet at a barrier"),
	ROW("asyncio-uvloop", "asyncio on uvloop: TCP echo, subprocess, timer"),
	ROW("zmq-socket-pair", "a message passes from PUSH to PULL over TCP"),
};

const struct kc_case_table kc_cases_runtime = {
	.group = "runtime", .file = __FILE__, .rows = cases, .count = KC_ARRAY_LENGTH(cases)
};
