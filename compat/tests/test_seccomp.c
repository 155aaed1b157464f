/* The sandbox's system-call profile as data: every name is known to libseccomp, nothing dangerous is allowed,
 * and the rules of one call neither overlap nor leave a gap. Then the same through the kernel. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/json.h"
#include "sys/file.h"
#include "tests/kc_test.h"

static cJSON *profile;
static const cJSON *rules;

static int load_profile(void)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(1 << 20);
	struct kc_error err = { 0 };

	if (kc_file_read(AT_FDCWD, KC_TEST_SOURCE_DIR "/compat/seccomp.json", &text, &err) < 0 ||
	    kc_json_parse(text.data, text.length, "seccomp.json", &profile, &err) < 0 ||
	    kc_json_get_array(profile, "syscalls", "seccomp.json", &rules, &err) < 0) {
		printf("  %s\n", err.text);
		return -1;
	}
	return 0;
}

static int release_profile(void)
{
	cJSON_Delete(profile);
	profile = NULL;
	return 0;
}

static const char *text_of(const cJSON *object, const char *key)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);

	return cJSON_IsString(item) ? item->valuestring : "";
}

static uint64_t number_of(const cJSON *object, const char *key)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);

	return cJSON_IsNumber(item) ? (uint64_t)item->valuedouble : 0;
}

static bool allows(const cJSON *rule)
{
	return strcmp(text_of(rule, "action"), "SCMP_ACT_ALLOW") == 0;
}

static bool names(const cJSON *rule, const char *name)
{
	const cJSON *item;

	cJSON_ArrayForEach(
		item, cJSON_GetObjectItemCaseSensitive(rule, "names")) if (strcmp(item->valuestring, name) ==
									   0) return true;
	return false;
}

static bool applies(const cJSON *rule, const uint64_t arguments[6])
{
	const cJSON *comparison;

	cJSON_ArrayForEach(comparison, cJSON_GetObjectItemCaseSensitive(rule, "args"))
	{
		uint64_t argument = arguments[number_of(comparison, "index")];
		uint64_t value = number_of(comparison, "value");

		if (strcmp(text_of(comparison, "op"), "SCMP_CMP_MASKED_EQ") == 0
			    ? (argument & value) != number_of(comparison, "valueTwo")
			    : argument != value)
			return false;
	}
	return true;
}

/* 0: allowed, otherwise the errno. *ret_matches counts the rules that apply. */
static int verdict_of(const char *name, const uint64_t arguments[6], unsigned int *ret_matches)
{
	int verdict = (int)number_of(profile, "defaultErrnoRet");
	const cJSON *rule;

	*ret_matches = 0;
	cJSON_ArrayForEach(rule, rules)
	{
		if (!names(rule, name) || !applies(rule, arguments))
			continue;
		verdict = allows(rule) ? 0 : (int)number_of(rule, "errnoRet");
		++*ret_matches;
	}
	return verdict;
}

static void unknown_calls_look_like_an_older_kernel(void)
{
	const cJSON *entry;
	size_t architectures = 0;

	KC_CHECK_STRING(text_of(profile, "defaultAction"), "SCMP_ACT_ERRNO");
	KC_CHECK_INT(number_of(profile, "defaultErrnoRet"), ENOSYS);
	cJSON_ArrayForEach(entry, cJSON_GetObjectItemCaseSensitive(profile, "archMap"))
	{
		architectures++;
		KC_CHECK_INT(cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(entry, "subArchitectures")),
			     0);
	}
	KC_CHECK_INT(architectures, 2);
}

static void every_rule_is_well_formed(void)
{
	static const char *const known[] = { "comment", "names", "action", "errnoRet", "args", NULL };
	static const char *const known_args[] = { "index", "value", "valueTwo", "op", NULL };
	const cJSON *rule, *item;
	struct kc_error err = { 0 };

	cJSON_ArrayForEach(rule, rules)
	{
		KC_CHECK_OK(kc_json_refuse_unknown(rule, known, "rule", &err), err);
		/* As without privilege, or, for a kind of socket, as without that part of the kernel. */
		KC_CHECK(allows(rule) ||
			 (strcmp(text_of(rule, "action"), "SCMP_ACT_ERRNO") == 0 &&
			  number_of(rule, "errnoRet") == (names(rule, "socket") ? EAFNOSUPPORT : EPERM)));
		cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(rule, "names")) KC_CHECK_MESSAGE(
			cJSON_IsString(item) &&
				seccomp_syscall_resolve_name(item->valuestring) != __NR_SCMP_ERROR,
			"libseccomp does not know %s", item->valuestring);
		cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(rule, "args"))
		{
			KC_CHECK_OK(kc_json_refuse_unknown(item, known_args, "args", &err), err);
			KC_CHECK(number_of(item, "index") < 6);
			KC_CHECK(strcmp(text_of(item, "op"), "SCMP_CMP_MASKED_EQ") == 0 ||
				 strcmp(text_of(item, "op"), "SCMP_CMP_EQ") == 0);
		}
	}
	KC_CHECK_INT(seccomp_syscall_resolve_name("no_such_call"), __NR_SCMP_ERROR);
}

static void a_call_without_conditions_stands_once(void)
{
	static const char *const conditional[] = { "clone", "ioctl", "personality", "socket" };
	const cJSON *rule, *item;

	cJSON_ArrayForEach(rule, rules)
	{
		bool has_args = cJSON_GetObjectItemCaseSensitive(rule, "args") != NULL;

		cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(rule, "names"))
		{
			const cJSON *other;
			unsigned int stands = 0, listed = 0;

			for (size_t i = 0; i < KC_ARRAY_LENGTH(conditional); i++)
				listed += strcmp(conditional[i], item->valuestring) == 0;
			KC_CHECK_MESSAGE(has_args == (listed == 1), "%s", item->valuestring);
			if (has_args)
				continue;
			cJSON_ArrayForEach(other, rules) stands += names(other, item->valuestring);
			KC_CHECK_MESSAGE(stands == 1, "%s stands in %u rules", item->valuestring, stands);
		}
	}
}

static void nothing_dangerous_is_allowed(void)
{
	static const struct {
		const char *name;
		int expected;
	} rows[] = {
		{ "read", 0 },
		{ "execve", 0 },
		{ "seccomp", 0 },
		{ "io_uring_setup", ENOSYS },
		{ "io_uring_enter", ENOSYS },
		{ "io_uring_register", ENOSYS },
		{ "bpf", ENOSYS },
		{ "perf_event_open", ENOSYS },
		{ "userfaultfd", ENOSYS },
		{ "keyctl", ENOSYS },
		{ "add_key", ENOSYS },
		{ "request_key", ENOSYS },
		{ "open_by_handle_at", ENOSYS },
		{ "kexec_load", ENOSYS },
		{ "kexec_file_load", ENOSYS },
		{ "init_module", ENOSYS },
		{ "finit_module", ENOSYS },
		{ "delete_module", ENOSYS },
		{ "ptrace", ENOSYS },
		{ "process_vm_readv", ENOSYS },
		{ "process_vm_writev", ENOSYS },
		{ "pidfd_getfd", ENOSYS },
		{ "clone3", ENOSYS },
		{ "open_tree", ENOSYS },
		{ "move_mount", ENOSYS },
		{ "fsopen", ENOSYS },
		{ "fsmount", ENOSYS },
		{ "fsconfig", ENOSYS },
		{ "fspick", ENOSYS },
		{ "mount_setattr", ENOSYS },
		{ "modify_ldt", ENOSYS },
		{ "mount", EPERM },
		{ "umount2", EPERM },
		{ "pivot_root", EPERM },
		{ "chroot", EPERM },
		{ "unshare", EPERM },
		{ "setns", EPERM },
		{ "swapon", EPERM },
		{ "swapoff", EPERM },
		{ "reboot", EPERM },
		{ "settimeofday", EPERM },
		{ "clock_settime", EPERM },
		{ "sethostname", EPERM },
		{ "syslog", EPERM },
		{ "acct", EPERM },
	};
	static const uint64_t nothing[6];

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		unsigned int matches;
		int got = verdict_of(rows[i].name, nothing, &matches);

		KC_CHECK_MESSAGE(got == rows[i].expected, "%s: got %d, want %d", rows[i].name, got,
				 rows[i].expected);
		KC_CHECK(seccomp_syscall_resolve_name(rows[i].name) != __NR_SCMP_ERROR);
	}
}

static void clone_makes_processes_but_no_namespaces(void)
{
	static const uint64_t namespaces[] = { CLONE_NEWNS,   CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC,
					       CLONE_NEWUSER, CLONE_NEWPID,    CLONE_NEWNET };
	uint64_t arguments[6] = { CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
				  CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID };
	unsigned int matches;

	KC_CHECK_INT(verdict_of("clone", arguments, &matches), 0);
	arguments[0] = 17; /* SIGCHLD: fork */
	KC_CHECK_INT(verdict_of("clone", arguments, &matches), 0);
	for (size_t i = 0; i < KC_ARRAY_LENGTH(namespaces); i++) {
		arguments[0] = namespaces[i] | 17;
		KC_CHECK_INT(verdict_of("clone", arguments, &matches), EPERM);
		arguments[0] |= UINT64_C(1) << 32;
		KC_CHECK_INT(verdict_of("clone", arguments, &matches), EPERM);
	}
}

static bool check_request(uint32_t request)
{
	bool refused = request == TIOCSTI || request == 0x541c; /* TIOCLINUX */
	uint64_t arguments[6] = { 0, request };
	unsigned int matches, high_matches;
	int low = verdict_of("ioctl", arguments, &matches);

	arguments[1] |= UINT64_C(0xdead) << 32;
	return low == (refused ? EPERM : 0) && verdict_of("ioctl", arguments, &high_matches) == low &&
	       matches == 1 && high_matches == 1;
}

/* Each number is taken by exactly one rule, whatever its high 32 bits. */
static void ioctl_refuses_two_requests_and_no_other(void)
{
	uint32_t state = 1;

	for (uint32_t request = 0x5000; request < 0x6000; request++)
		KC_CHECK_MESSAGE(check_request(request), "request %#x", request);
	for (uint32_t bit = 0; bit < 32; bit++)
		KC_CHECK_MESSAGE(check_request(TIOCSTI ^ (UINT32_C(1) << bit)), "bit %u", bit);
	for (int i = 0; i < 2000; i++) {
		state ^= state << 13;
		state ^= state >> 17;
		state ^= state << 5;
		KC_CHECK_MESSAGE(check_request(state), "request %#x", state);
	}
	KC_CHECK(check_request(0) && check_request(UINT32_MAX));
}

KC_TEST_SUITE_WITH(seccomp_profile, KC_LABEL_FAST, load_profile, release_profile,
		   KC_TEST(unknown_calls_look_like_an_older_kernel), KC_TEST(every_rule_is_well_formed),
		   KC_TEST(a_call_without_conditions_stands_once), KC_TEST(nothing_dangerous_is_allowed),
		   KC_TEST(clone_makes_processes_but_no_namespaces),
		   KC_TEST(ioctl_refuses_two_requests_and_no_other));

/* As a loader would: Docker's `value` is the mask of a masked comparison, `valueTwo` what remains. */
static int add_rule(scmp_filter_ctx filter, const cJSON *rule)
{
	uint32_t action = allows(rule) ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(number_of(rule, "errnoRet"));
	const cJSON *args = cJSON_GetObjectItemCaseSensitive(rule, "args"), *name;
	struct scmp_arg_cmp comparisons[6] = { 0 };
	unsigned int count = 0;

	for (const cJSON *arg = args ? args->child : NULL; arg && count < 6; arg = arg->next)
		comparisons[count++] = (struct scmp_arg_cmp){
			.arg = (unsigned int)number_of(arg, "index"),
			.op = strcmp(text_of(arg, "op"), "SCMP_CMP_EQ") == 0 ? SCMP_CMP_EQ
									     : SCMP_CMP_MASKED_EQ,
			.datum_a = number_of(arg, "value"),
			.datum_b = number_of(arg, "valueTwo"),
		};
	cJSON_ArrayForEach(name, cJSON_GetObjectItemCaseSensitive(rule, "names"))
	{
		int status = seccomp_rule_add_array(
			filter, action, seccomp_syscall_resolve_name(name->valuestring), count, comparisons);

		if (status < 0)
			return status;
	}
	return 0;
}

static int add_rules(scmp_filter_ctx filter)
{
	const cJSON *rule;

	cJSON_ArrayForEach(rule, rules)
	{
		int status = add_rule(filter, rule);

		if (status < 0)
			return status;
	}
	return 0;
}

/* In a child below the filter: 0, or the number of the first expectation that does not hold. */
static int probe(void)
{
	int status;
	pid_t child;

	errno = 0;
	if (syscall(SYS_ioctl, 0, TIOCSTI, "x") != -1 || errno != EPERM)
		return 1;
	if (syscall(SYS_ioctl, 0, (unsigned long)TIOCSTI + 0x100000000UL, "x") != -1 || errno != EPERM)
		return 2;
	if (syscall(SYS_ioctl, -1, TCGETS, NULL) != -1 || errno != EBADF)
		return 3;
	if (syscall(SYS_unshare, CLONE_NEWUSER) != -1 || errno != EPERM)
		return 4;
	if (syscall(SYS_clone, CLONE_NEWUSER | 17, NULL, NULL, NULL, NULL) != -1 || errno != EPERM)
		return 5;
	if (syscall(SYS_clone3, NULL, 0) != -1 || errno != ENOSYS)
		return 6;
	if (syscall(SYS_bpf, 0, NULL, 0) != -1 || errno != ENOSYS)
		return 7;
	if (syscall(9999) != -1 || errno != ENOSYS)
		return 8;
	child = (pid_t)syscall(SYS_clone, 17, NULL, NULL, NULL, NULL);
	if (child == 0)
		_exit(0);
	if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
		return 9;
	return 0;
}

static void the_kernel_applies_it(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	int status = 0;
	pid_t child;

	KC_REQUIRE(filter != NULL);
	KC_CHECK_INT(add_rules(filter), 0);
	child = fork();
	if (child == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || seccomp_load(filter) < 0)
			_exit(100);
		_exit(probe());
	}
	seccomp_release(filter);
	KC_REQUIRE(child > 0);
	KC_CHECK_INT(waitpid(child, &status, 0), child);
	KC_CHECK(WIFEXITED(status));
	KC_CHECK_INT(WEXITSTATUS(status), 0);
}

KC_TEST_SUITE_WITH(seccomp_filter, KC_LABEL_SANDBOX, load_profile, release_profile,
		   KC_TEST(the_kernel_applies_it));
