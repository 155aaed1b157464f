#include <errno.h>
#include <stdio.h>

#include "commands.h"
#include "output.h"
#include "release/verify.h"

#define TEXT_LIMIT (32u << 20)

static const char *const words[] = {
	[KC_VERIFIED_OK] = "ok: ", [KC_VERIFIED_UNKNOWN] = "NOT CHECKED: ", [KC_VERIFIED_FAILED] = "FAILED: "
};

static int append_finding(struct kc_buffer *text, const struct kc_verified *finding)
{
	char line[sizeof(finding->text) + 16];

	(void)snprintf(line, sizeof(line), "%s%s", words[finding->verdict], finding->text); /* it fits */
	return kc_output_row(text, finding->object, line);
}

static int append_findings(struct kc_buffer *text, const struct kc_verification *verification, bool is_quiet)
{
	size_t counts[KC_VERIFIED_FAILED + 1] = { 0 };
	int status = 0;

	for (size_t i = 0; status == 0 && i < verification->count; i++) {
		const struct kc_verified *finding = &verification->items[i];

		counts[finding->verdict]++;
		if (finding->verdict != KC_VERIFIED_OK || !is_quiet)
			status = append_finding(text, finding);
	}
	if (status == 0)
		status = kc_buffer_printf(text, "%zu checks: %zu ok, %zu failed, %zu not checked\n",
					  verification->count, counts[KC_VERIFIED_OK],
					  counts[KC_VERIFIED_FAILED], counts[KC_VERIFIED_UNKNOWN]);
	return status;
}

static enum kc_exit judge(const struct kc_verification *verification)
{
	switch (kc_verification_verdict(verification)) {
	case KC_VERIFIED_OK:
		return KC_EXIT_PASSED;
	case KC_VERIFIED_FAILED:
		return KC_EXIT_FAILED;
	case KC_VERIFIED_UNKNOWN:
		break;
	}
	return KC_EXIT_NOT_RUN;
}

static int refuse_both(struct kc_error *err)
{
	(void)kc_error_set(err, EINVAL, "verify: --key and --unsigned exclude each other");
	kc_error_hint(err, "with a key every statement has to be signed");
	if (err)
		err->kind = KC_ERROR_USAGE;
	return -EINVAL;
}

int kc_command_verify(const struct kc_options *options, enum kc_exit *ret_exit, struct kc_error *err)
{
	KC_CLEANUP_VERIFICATION struct kc_verification verification = { 0 };
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(TEXT_LIMIT);
	KC_CLEANUP_KEY struct kc_key key = KC_KEY_INIT;
	int status = 0;

	if (options->key && options->is_unsigned)
		return refuse_both(err);
	if (options->key)
		status = kc_key_load(&key, options->key, KC_KEY_TO_VERIFY, err);
	if (status == 0)
		status = kc_release_verify(options->operand, options->key ? &key : NULL, options->is_unsigned,
					   &verification, err);
	if (status < 0)
		return status;
	status = append_findings(&text, &verification, options->quiet);
	if (status < 0)
		return kc_error_errno(err, status, "verify: write what was found");
	status = kc_output_write(&text, err);
	if (status == 0)
		*ret_exit = judge(&verification);
	return status;
}
