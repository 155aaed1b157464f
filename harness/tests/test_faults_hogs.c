/* Programs that want everything: what they get is limited, how they end is told apart, the host does not notice. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/embedded.h"
#include "fixtures/leftovers.h"
#include "sandbox/sandbox.h"
#include "sandbox/seccomp.h"
#include "sys/janitor.h"
#include "sys/time.h"
#include "tests/kc_test.h"

#define INNER_ID 2147400000u

static struct kc_seccomp_filter filter;

static int setup(void)
{
	struct kc_error err = { 0 };
	const char *profile = NULL;
	size_t length = 0;

	if (!kc_embedded_find("compat/seccomp.json", &profile, &length))
		return -1;
	return kc_seccomp_compile(profile, length, "compat/seccomp.json", &filter, &err);
}

static int teardown(void)
{
	kc_seccomp_release(&filter);
	return 0;
}

struct ran {
	struct kc_sandbox_outcome outcome;
	struct kc_buffer output;
	char limits[160];
	struct kc_error err;
	int status;
};

static void run_script(const char *script, int64_t timeout_ms, struct ran *ran)
{
	static const char *const environment[] = { "PATH=/bin", NULL };
	const char *const argv[] = { "/bin/sh", "-c", script, NULL };
	KC_CLEANUP(kc_sandbox_release) struct kc_sandbox *sandbox = kc_sandbox_new();
	KC_CLEANUP_FREE struct kc_excerpt *excerpt = calloc(1, sizeof(*excerpt));

	*ran = (struct ran){ .output = KC_BUFFER_INIT(1 << 20), .status = -ENOMEM };
	if (!sandbox || !excerpt)
		return;
	kc_sandbox_set_inner_id(sandbox, INNER_ID);
	kc_sandbox_add_layer(sandbox, "/usr");
	kc_sandbox_set_filter(sandbox, &filter);
	kc_sandbox_set_command(sandbox, argv, environment);
	ran->status = kc_sandbox_start(sandbox, &ran->err);
	if (ran->status == 0)
		ran->status = kc_sandbox_wait(sandbox, kc_now_ms() + timeout_ms, excerpt, excerpt,
					      &ran->outcome, &ran->err);
	if (ran->status == 0)
		ran->status = kc_excerpt_append_to(excerpt, &ran->output);
	(void)snprintf(ran->limits, sizeof(ran->limits), "%s", kc_sandbox_limits_text(sandbox));
}

struct hog {
	const char *name, *script;
	int64_t timeout_ms;
	enum kc_sandbox_end end, end_without_cgroup;
	int status, status_without_cgroup;
	const char *printed; /* NULL: whatever */
};

static const struct hog hogs[] = {
	/* None of them ends, whatever fails: only the time limit ends them. */
	{ "fork bomb", "exec perl -e 'for (;;) { fork // select(undef, undef, undef, 0.05) }'", 1500,
	  KC_END_TIMEOUT, KC_END_TIMEOUT, 9, 9, NULL },
	{ "more processes than there may be",
	  "i=0; while [ $i -lt 1500 ]; do sleep 600 & i=$((i + 1)); done; echo all of them", 20000,
	  KC_END_EXITED, KC_END_EXITED, 2, 2, "fork" },
	{ "memory hog", "exec perl -e '$x = \"x\" x shift; print \"got it\"' 9663676416", 60000,
	  KC_END_OUT_OF_MEMORY, KC_END_EXITED, 9, 1, NULL },
	{ "two gigabytes of output", "yes 0123456789abcdef | head -c 2147483648; echo last", 60000,
	  KC_END_EXITED, KC_END_EXITED, 0, 0, "bytes left out" },
	{ "a full /tmp",
	  "dd if=/dev/zero of=/tmp/fill bs=1M count=4096 2>&1 | grep -o 'No space left'; rm /tmp/fill; "
	  "echo x > /tmp/y && echo room again",
	  60000, KC_END_EXITED, KC_END_EXITED, 0, 0, "No space left\nroom again\n" },
	{ "a full root", "dd if=/dev/zero of=/fill bs=1M count=4096 2>&1 | grep -o 'No space left'", 60000,
	  KC_END_EXITED, KC_END_EXITED, 0, 0, "No space left\n" },
	{ "a full /dev/shm",
	  "dd if=/dev/zero of=/dev/shm/fill bs=1M count=4096 2>&1 | grep -o 'No space left'", 60000,
	  KC_END_EXITED, KC_END_EXITED, 0, 0, "No space left\n" },
};

static unsigned long long free_bytes(const char *path)
{
	struct statvfs about = { 0 };

	KC_CHECK_INT(statvfs(path, &about), 0);
	return (unsigned long long)about.f_bavail * about.f_frsize;
}

static void check_hog(const struct hog *hog)
{
	unsigned long long disk_before = free_bytes("/tmp");
	KC_CLEANUP_BUFFER struct kc_buffer left = KC_BUFFER_INIT(1 << 20);
	struct kc_leftovers leftovers;
	bool has_cgroup;
	struct ran ran;

	KC_REQUIRE(kc_leftovers_before(&leftovers, NULL, NULL) == 0);
	run_script(hog->script, hog->timeout_ms, &ran);
	has_cgroup = strstr(ran.limits, "cgroup v") != NULL;
	KC_CHECK_MESSAGE(ran.status == 0, "%s: %s", hog->name, ran.err.text);
	KC_CHECK_MESSAGE(ran.outcome.end == (has_cgroup ? hog->end : hog->end_without_cgroup),
			 "%s (%s): end %d, status %d: %s", hog->name, ran.limits, (int)ran.outcome.end,
			 ran.outcome.status, kc_buffer_string(&ran.output));
	KC_CHECK_MESSAGE(ran.outcome.end == KC_END_OUT_OF_MEMORY ||
				 ran.outcome.status ==
					 (has_cgroup ? hog->status : hog->status_without_cgroup),
			 "%s (%s): status %d: %s", hog->name, ran.limits, ran.outcome.status,
			 kc_buffer_string(&ran.output));
	KC_CHECK_MESSAGE(!hog->printed || strstr(kc_buffer_string(&ran.output), hog->printed), "%s: %s",
			 hog->name, kc_buffer_string(&ran.output));
	KC_CHECK_MESSAGE(!strstr(kc_buffer_string(&ran.output), "got it"), "%s", hog->name);
	KC_CHECK_MESSAGE(kc_leftovers_after(&leftovers, &left) == 0, "%s: left: %s", hog->name,
			 kc_buffer_string(&left));
	/* Others use the disk, too: a gigabyte is what none of them takes in a second. */
	KC_CHECK_MESSAGE(free_bytes("/tmp") + (1ull << 30) > disk_before, "%s: the host's disk", hog->name);
	kc_buffer_release(&ran.output);
}

static void hogs_are_contained_and_told_apart(void)
{
	for (size_t i = 0; i < KC_ARRAY_LENGTH(hogs); i++)
		check_hog(&hogs[i]);
}

/* What was printed is not kept: gigabytes of it cost the harness nothing. */
static void output_does_not_grow_the_harness(void)
{
	struct rusage before = { 0 }, after = { 0 };
	struct ran ran;

	KC_CHECK_INT(getrusage(RUSAGE_SELF, &before), 0);
	run_script("yes 0123456789abcdef | head -c 536870912", 60000, &ran);
	KC_CHECK_OK(ran.status, ran.err);
	KC_CHECK_INT(getrusage(RUSAGE_SELF, &after), 0);
	KC_CHECK_MESSAGE(after.ru_maxrss - before.ru_maxrss < 8192, "%ld KiB more",
			 after.ru_maxrss - before.ru_maxrss);
	kc_buffer_release(&ran.output);
}

KC_TEST_SUITE_WITH(faults_hogs, KC_LABEL_SANDBOX, setup, teardown, KC_TEST(hogs_are_contained_and_told_apart),
		   KC_TEST(output_does_not_grow_the_harness));
