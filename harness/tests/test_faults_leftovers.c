/* The negative control of everything that says "nothing was left": what is left is seen, and told by name. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixtures/leftovers.h"
#include "fixtures/stage.h"
#include "sys/file.h"
#include "tests/kc_test.h"

static struct kc_stage stage;
static int shared = -1;

static void leave_nothing(void)
{
}

/* Its parent is gone, so it comes to us. */
static void leave_process(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		if (fork() == 0)
			for (;;)
				(void)pause();
		_exit(0);
	}
	(void)waitpid(pid, NULL, 0);
}

static void leave_process_that_ends(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(fork() < 0);
	(void)waitpid(pid, NULL, 0);
}

static void make_in(const char *directory, const char *name)
{
	char path[2 * KC_STAGE_PATH];

	(void)snprintf(path, sizeof(path), "%s/%s", directory, name);
	(void)mkdir(path, 0700);
}

static void leave_temporary(void)
{
	make_in(stage.temporary, "krunner-compat-0123");
}

static void leave_in_store(void)
{
	make_in(stage.store, "tmp");
	make_in(stage.store, "tmp/volume-x~1");
}

static void leave_partial(void)
{
	make_in(stage.store, "packages");
	make_in(stage.store, "packages/partial-7");
}

static void leave_entry(void)
{
	make_in(stage.store, "trees");
	make_in(stage.store, "trees/volume-x");
}

static void leave_shared_memory(void)
{
	int fd = shm_open("/krunner-compat-test-leftover", O_CREAT | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0)
		(void)close(fd);
}

static void leave_system_v_memory(void)
{
	shared = shmget(IPC_PRIVATE, 4096, 0600);
}

static void take_away(void)
{
	char *const kept[] = { stage.temporary, stage.store };

	for (size_t i = 0; i < KC_ARRAY_LENGTH(kept); i++)
		if (kc_tree_remove(AT_FDCWD, kept[i], NULL) < 0 || mkdir(kept[i], 0700) < 0)
			KC_CHECK(false);
	(void)shm_unlink("/krunner-compat-test-leftover");
	if (shared >= 0)
		(void)shmctl(shared, IPC_RMID, NULL);
	shared = -1;
}

static void what_is_left_is_told_by_name(void)
{
	static const struct {
		const char *name;
		void (*leave)(void);
		const char *told; /* NULL: nothing is */
	} rows[] = {
		{ "nothing", leave_nothing, NULL },
		{ "a process that ends by itself", leave_process_that_ends, NULL },
		{ "a temporary directory", leave_temporary, "temporary " },
		{ "half an entry of the store", leave_in_store, "in the store " },
		{ "half a download of apt's", leave_partial, "in the store " },
		{ "an entry of the store", leave_entry, NULL },
		{ "shared memory", leave_shared_memory, "shared memory " },
		{ "System V shared memory", leave_system_v_memory, "/proc/sysvipc/shm " },
	};

	KC_REQUIRE(kc_stage_make(&stage) == 0);
	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(1 << 16);
		struct kc_leftovers leftovers;
		int count;

		KC_REQUIRE(kc_leftovers_before(&leftovers, stage.temporary, stage.store) == 0);
		rows[i].leave();
		count = kc_leftovers_after(&leftovers, &text);
		KC_CHECK_MESSAGE(rows[i].told ? count >= 1 && strstr(kc_buffer_string(&text), rows[i].told)
					      : count == 0,
				 "%s: %d told: %s", rows[i].name, count, kc_buffer_string(&text));
		take_away();
	}
	kc_stage_remove(&stage);
}

static void a_process_that_stays_is_told_and_ended(void)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(1 << 16);
	struct kc_leftovers leftovers;

	KC_REQUIRE(kc_leftovers_before(&leftovers, NULL, NULL) == 0);
	leftovers.patience_ms = 50; /* it has no end to wait for */
	leave_process();
	KC_CHECK(kc_leftovers_after(&leftovers, &text) >= 1);
	KC_CHECK_CONTAINS(kc_buffer_string(&text), "process ");
	KC_CHECK_INT(waitpid(-1, NULL, WNOHANG), -1);
}

KC_TEST_SUITE(faults_leftovers, KC_LABEL_FAST, KC_TEST(what_is_left_is_told_by_name),
	      KC_TEST(a_process_that_stays_is_told_and_ended));
