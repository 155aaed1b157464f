#include "sandbox/seccomp.h"

#include <errno.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "sys/fd.h"

#define MAX_ARGUMENTS 6
/* BPF_MAXINSNS of linux/bpf_common.h: what the kernel takes. */
#define MAX_INSTRUCTIONS 4096

static const struct {
	const char *name;
	enum scmp_compare operation;
} operations[] = {
	{ "SCMP_CMP_NE", SCMP_CMP_NE },
	{ "SCMP_CMP_LT", SCMP_CMP_LT },
	{ "SCMP_CMP_LE", SCMP_CMP_LE },
	{ "SCMP_CMP_EQ", SCMP_CMP_EQ },
	{ "SCMP_CMP_GE", SCMP_CMP_GE },
	{ "SCMP_CMP_GT", SCMP_CMP_GT },
	{ "SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ },
};

static const char *const profile_keys[] = {
	"$schema", "$comment", "defaultAction", "defaultErrnoRet", "archMap", "syscalls", NULL
};
static const char *const rule_keys[] = { "$comment", "comment",	 "names",    "action", "errnoRet",
					 "args",     "includes", "excludes", NULL };
static const char *const argument_keys[] = { "index", "value", "valueTwo", "op", NULL };

static inline void cleanup_context(scmp_filter_ctx *context)
{
	if (*context)
		seccomp_release(*context);
}

/* An optional errno beside an action; Docker's default is EPERM. */
static int get_errno(const cJSON *object, const char *key, const char *name, uint32_t *ret_errno,
		     struct kc_error *err)
{
	double number = EPERM;

	if (cJSON_HasObjectItem(object, key)) {
		int status = kc_json_get_number(object, key, name, &number, err);

		if (status < 0)
			return status;
	}
	if (number < 0 || number > 4095 || number != (double)(uint32_t)number)
		return kc_error_set(err, EBADMSG, "%s: \"%s\" must be an errno", name, key);
	*ret_errno = (uint32_t)number;
	return 0;
}

static int get_action(const cJSON *object, const char *action_key, const char *errno_key, const char *name,
		      uint32_t *ret_action, struct kc_error *err)
{
	const char *text = NULL;
	uint32_t errno_value = 0;
	int status = kc_json_get_string(object, action_key, name, &text, err);

	if (status == 0)
		status = get_errno(object, errno_key, name, &errno_value, err);
	if (status < 0)
		return status;
	if (strcmp(text, "SCMP_ACT_ALLOW") == 0)
		*ret_action = SCMP_ACT_ALLOW;
	else if (strcmp(text, "SCMP_ACT_ERRNO") == 0)
		*ret_action = SCMP_ACT_ERRNO(errno_value);
	else if (strcmp(text, "SCMP_ACT_KILL") == 0 || strcmp(text, "SCMP_ACT_KILL_PROCESS") == 0)
		*ret_action = SCMP_ACT_KILL_PROCESS;
	else
		return kc_error_set(err, EBADMSG, "%s: action \"%s\" is not known here", name, text);
	return 0;
}

static int get_argument(const cJSON *object, const char *name, struct scmp_arg_cmp *ret_argument,
			struct kc_error *err)
{
	double index = 0, value = 0, value_two = 0;
	const char *text = NULL;
	int status = kc_json_refuse_unknown(object, argument_keys, name, err);

	if (status == 0)
		status = kc_json_get_number(object, "index", name, &index, err);
	if (status == 0)
		status = kc_json_get_number(object, "value", name, &value, err);
	if (status == 0 && cJSON_HasObjectItem(object, "valueTwo"))
		status = kc_json_get_number(object, "valueTwo", name, &value_two, err);
	if (status == 0)
		status = kc_json_get_string(object, "op", name, &text, err);
	if (status < 0)
		return status;
	/* Doubles carry integers up to 2^53 exactly; a profile has no use for more. */
	if (index < 0 || index >= MAX_ARGUMENTS || value < 0 || value > 0x1p53 || value_two < 0 ||
	    value_two > 0x1p53)
		return kc_error_set(err, EBADMSG, "%s: argument out of range", name);
	for (size_t i = 0; i < KC_ARRAY_LENGTH(operations); i++)
		if (strcmp(operations[i].name, text) == 0) {
			*ret_argument = (struct scmp_arg_cmp){ .arg = (unsigned int)index,
							       .op = operations[i].operation,
							       .datum_a = (scmp_datum_t)value,
							       .datum_b = (scmp_datum_t)value_two };
			return 0;
		}
	return kc_error_set(err, EBADMSG, "%s: comparison \"%s\" is not known", name, text);
}

static int get_arguments(const cJSON *rule, const char *name, struct scmp_arg_cmp arguments[MAX_ARGUMENTS],
			 unsigned int *ret_count, struct kc_error *err)
{
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(rule, "args"), *argument;
	unsigned int count = 0;

	cJSON_ArrayForEach(argument, list)
	{
		int status;

		if (count == MAX_ARGUMENTS)
			return kc_error_set(err, EBADMSG, "%s: more than %d arguments", name, MAX_ARGUMENTS);
		status = get_argument(argument, name, &arguments[count++], err);
		if (status < 0)
			return status;
	}
	*ret_count = count;
	return 0;
}

static int add_rule(scmp_filter_ctx context, const cJSON *rule, uint32_t default_action, const char *name,
		    struct kc_error *err)
{
	struct scmp_arg_cmp arguments[MAX_ARGUMENTS];
	const cJSON *names = NULL, *call;
	unsigned int count = 0;
	uint32_t action = 0;
	int status = kc_json_refuse_unknown(rule, rule_keys, name, err);

	if (status == 0)
		status = kc_json_get_array(rule, "names", name, &names, err);
	if (status == 0)
		status = get_action(rule, "action", "errnoRet", name, &action, err);
	if (status == 0)
		status = get_arguments(rule, name, arguments, &count, err);
	if (status < 0)
		return status;
	if (cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(rule, "includes")) > 0 ||
	    cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(rule, "excludes")) > 0)
		return kc_error_set(err, EBADMSG, "%s: conditional rules are not supported", name);
	if (action == default_action)
		return 0; /* libseccomp refuses what changes nothing */
	cJSON_ArrayForEach(call, names)
	{
		int number;

		if (!cJSON_IsString(call))
			return kc_error_set(err, EBADMSG, "%s: \"names\" must hold strings", name);
		number = seccomp_syscall_resolve_name(call->valuestring);
		if (number == __NR_SCMP_ERROR)
			continue;
		status = seccomp_rule_add_array(context, action, number, count, arguments);
		if (status < 0)
			return kc_error_errno(err, status, "%s: add the rule for %s", name,
					      call->valuestring);
	}
	return 0;
}

static int start_filter(uint32_t default_action, const char *name, scmp_filter_ctx *ret_context,
			struct kc_error *err)
{
	int status;

	*ret_context = seccomp_init(default_action);
	if (!*ret_context)
		return kc_error_errno(err, ENOMEM, "%s: start a filter", name);
	status = seccomp_attr_set(*ret_context, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (status < 0)
		return kc_error_errno(err, status, "%s: set the action for other architectures", name);
	/* A binary tree instead of a list of some 350 comparisons for each system call; libseccomp 2.5. */
	status = seccomp_attr_set(*ret_context, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	return status < 0 ? kc_error_errno(err, status, "%s: choose the filter's shape", name) : 0;
}

static int export_filter(scmp_filter_ctx context, const char *name, struct kc_seccomp_filter *ret_filter,
			 struct kc_error *err)
{
	KC_CLEANUP_FD int fd = memfd_create("seccomp", MFD_CLOEXEC);
	KC_CLEANUP_FREE struct sock_filter *instructions = NULL;
	struct stat status;
	int exported;

	if (fd < 0)
		return kc_error_errno(err, errno, "%s: memfd_create", name);
	exported = seccomp_export_bpf(context, fd);
	if (exported < 0)
		return kc_error_errno(err, exported, "%s: compile", name);
	if (fstat(fd, &status) < 0)
		return kc_error_errno(err, errno, "%s: compile", name);
	if (status.st_size <= 0 || (size_t)status.st_size > MAX_INSTRUCTIONS * sizeof(*instructions))
		return kc_error_set(err, E2BIG, "%s: compiles to more than %d instructions", name,
				    MAX_INSTRUCTIONS);
	instructions = malloc((size_t)status.st_size);
	if (!instructions)
		return kc_error_errno(err, ENOMEM, "%s: compile", name);
	if (pread(fd, instructions, (size_t)status.st_size, 0) != status.st_size)
		return kc_error_set(err, EIO, "%s: compile: short read", name);
	ret_filter->length = (unsigned short)((size_t)status.st_size / sizeof(*instructions));
	ret_filter->instructions = KC_STEAL(instructions);
	return 0;
}

int kc_seccomp_compile(const char *profile, size_t length, const char *name,
		       struct kc_seccomp_filter *ret_filter, struct kc_error *err)
{
	KC_CLEANUP(cleanup_context) scmp_filter_ctx context = NULL;
	KC_CLEANUP_JSON cJSON *json = NULL;
	const cJSON *rules = NULL, *rule;
	uint32_t default_action = 0;
	int status = kc_json_parse(profile, length, name, &json, err);

	if (status == 0)
		status = kc_json_refuse_unknown(json, profile_keys, name, err);
	if (status == 0)
		status = get_action(json, "defaultAction", "defaultErrnoRet", name, &default_action, err);
	if (status == 0)
		status = kc_json_get_array(json, "syscalls", name, &rules, err);
	if (status < 0)
		return status;
	status = start_filter(default_action, name, &context, err);
	if (status < 0)
		return status;
	cJSON_ArrayForEach(rule, rules)
	{
		status = add_rule(context, rule, default_action, name, err);
		if (status < 0)
			return status;
	}
	return export_filter(context, name, ret_filter, err);
}

int kc_seccomp_trace(const char *(*call)(size_t index), struct kc_seccomp_filter *ret_filter,
		     struct kc_error *err)
{
	static const char name[] = "traced calls";
	KC_CLEANUP(cleanup_context) scmp_filter_ctx context = NULL;
	int status = start_filter(SCMP_ACT_ALLOW, name, &context, err);

	for (size_t i = 0; status == 0 && call(i); i++) {
		int number = seccomp_syscall_resolve_name(call(i));

		if (number == __NR_SCMP_ERROR || number < 0)
			continue;
		status = seccomp_rule_add_array(context, SCMP_ACT_TRACE(0), number, 0, NULL);
		if (status < 0)
			return kc_error_errno(err, status, "%s: add the rule for %s", name, call(i));
	}
	return status < 0 ? status : export_filter(context, name, ret_filter, err);
}

void kc_seccomp_release(struct kc_seccomp_filter *filter)
{
	free(filter->instructions);
	*filter = (struct kc_seccomp_filter){ 0 };
}
