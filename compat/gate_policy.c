#include "compat/gate_policy.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"

#define MOST_DAYS 3650

static bool has(const struct kc_gate_policy *policy, const char *list, const char *word, size_t length)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(
					 policy->document, list)) if (strlen(item->valuestring) == length &&
								      strncmp(item->valuestring, word,
									      length) == 0) return true;
	return false;
}

bool kc_gate_policy_may_be_emulated(const struct kc_gate_policy *policy, const char *image)
{
	return has(policy, "may_be_emulated", image, strlen(image));
}

bool kc_gate_policy_takes_time(const struct kc_gate_policy *policy, const char *time)
{
	return has(policy, "times", time, strcspn(time, " "));
}

static int check_words(const cJSON *document, const char *key, struct kc_error *err)
{
	const cJSON *list = NULL, *item;
	int status = kc_json_get_array(document, key, "gate", &list, err);

	if (status < 0)
		return status;
	cJSON_ArrayForEach(item, list) if (!cJSON_IsString(item) || !*item->valuestring) return kc_error_set(
		err, EBADMSG, "gate: \"%s\" has what is no word", key);
	return 0;
}

static int check(const cJSON *document, struct kc_error *err)
{
	static const char *const known[] = { "$schema",		"version", "report_age_days",
					     "may_be_emulated", "times",   NULL };
	const cJSON *version = cJSON_GetObjectItemCaseSensitive(document, "version");
	const cJSON *days = cJSON_GetObjectItemCaseSensitive(document, "report_age_days");
	int status = kc_json_refuse_unknown(document, known, "gate", err);

	if (status == 0)
		status = check_words(document, "may_be_emulated", err);
	if (status == 0)
		status = check_words(document, "times", err);
	if (status < 0)
		return status;
	if (!cJSON_IsNumber(version) || version->valueint != 1)
		return kc_error_set(err, EBADMSG, "gate: \"version\" is not 1");
	if (!cJSON_IsNumber(days) || days->valuedouble != days->valueint || days->valueint < 1 ||
	    days->valueint > MOST_DAYS)
		return kc_error_set(err, EBADMSG, "gate: \"report_age_days\" is no whole number from 1 to %d",
				    MOST_DAYS);
	return 0;
}

int kc_gate_policy_load(const char *json, size_t length, const char *name, struct kc_gate_policy *policy,
			struct kc_error *err)
{
	int status;

	*policy = (struct kc_gate_policy){ 0 };
	status = kc_json_parse(json, length, name, &policy->document, err);
	if (status == 0)
		status = check(policy->document, err);
	if (status < 0) {
		kc_gate_policy_release(policy);
		return status;
	}
	policy->report_age_s =
		(int64_t)cJSON_GetObjectItemCaseSensitive(policy->document, "report_age_days")->valueint *
		86400;
	return 0;
}

void kc_gate_policy_release(struct kc_gate_policy *policy)
{
	cJSON_Delete(policy->document);
	*policy = (struct kc_gate_policy){ 0 };
}
