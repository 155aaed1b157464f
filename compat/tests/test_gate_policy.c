/* What the gate asks of reports, read from data; the data that is shipped is sound. */
#include "compat/gate_policy.h"

#include <string.h>

#include "base/embedded.h"
#include "tests/kc_test.h"

static void what_is_shipped_is_taken(void)
{
	KC_CLEANUP_GATE_POLICY struct kc_gate_policy policy = { 0 };
	struct kc_error err = { 0 };
	const char *text;
	size_t length;

	KC_REQUIRE(kc_embedded_find("compat/gate.json", &text, &length));
	KC_REQUIRE_OK(kc_gate_policy_load(text, length, "gate.json", &policy, &err), err);
	KC_CHECK_INT(policy.report_age_s, 14 * 86400);
	KC_CHECK(kc_gate_policy_may_be_emulated(&policy, "centos7"));
	KC_CHECK(!kc_gate_policy_may_be_emulated(&policy, "centos"));
	KC_CHECK(!kc_gate_policy_may_be_emulated(&policy, "debian12"));
	KC_CHECK(kc_gate_policy_takes_time(&policy, "virtual"));
	KC_CHECK(kc_gate_policy_takes_time(&policy, "real (virtual time is not to be had: x)"));
	KC_CHECK(!kc_gate_policy_takes_time(&policy, "virtually"));
	KC_CHECK(!kc_gate_policy_takes_time(&policy, ""));
}

static void what_is_wrong_is_refused(void)
{
#define REST "\"may_be_emulated\":[],\"times\":[\"real\"]"
	static const struct {
		const char *text, *message; /* NULL: it is right */
	} rows[] = {
		{ "{\"version\":1,\"report_age_days\":1," REST "}", NULL },
		{ "{\"version\":2,\"report_age_days\":1," REST "}", "\"version\" is not 1" },
		{ "{\"version\":1,\"report_age_days\":0," REST "}", "whole number from 1" },
		{ "{\"version\":1,\"report_age_days\":1.5," REST "}", "whole number from 1" },
		{ "{\"version\":1,\"report_age_days\":1e9," REST "}", "whole number from 1" },
		{ "{\"version\":1," REST "}", "whole number from 1" },
		{ "{\"version\":1,\"report_age_days\":1,\"x\":1," REST "}", "\"x\"" },
		{ "{\"version\":1,\"report_age_days\":1,\"may_be_emulated\":[1],\"times\":[]}", "no word" },
		{ "{\"version\":1,\"report_age_days\":1,\"times\":[]}", "may_be_emulated" },
		{ "[]", "" },
		{ "", "" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_GATE_POLICY struct kc_gate_policy policy = { 0 };
		struct kc_error err = { 0 };
		int status =
			kc_gate_policy_load(rows[i].text, strlen(rows[i].text), "gate.json", &policy, &err);

		KC_CHECK_MESSAGE((status == 0) == !rows[i].message, "%s: %d %s", rows[i].text, status,
				 err.text);
		KC_CHECK_CONTAINS(err.text, rows[i].message ? rows[i].message : "");
	}
}

KC_TEST_SUITE(gate_policy, KC_LABEL_FAST, KC_TEST(what_is_shipped_is_taken),
	      KC_TEST(what_is_wrong_is_refused));
