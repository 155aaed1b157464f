/* Finding the file of an illegal instruction in what the emulator tells about system calls. */
#include "cases/sigill.h"

#include <string.h>

#include "tests/kc_test.h"

#define SIGNAL(address) "--- SIGILL {si_signo=SIGILL, si_code=2, si_addr=0x" address "} ---\n"
#define LOADED                                                                                               \
	"7 openat(-100,\"/v/a.so\",O_RDONLY|O_CLOEXEC) = 3\n"                                                \
	"7 mmap(NULL,8192,PROT_READ,MAP_PRIVATE|MAP_DENYWRITE,3,0) = 0x0000004000010000\n"                   \
	"7 mmap(0x0000004000011000,4096,PROT_EXEC|PROT_READ,MAP_PRIVATE|MAP_FIXED,3,0x1000) = "              \
	"0x0000004000011000\n"                                                                               \
	"7 close(3) = 0\n"                                                                                   \
	"7 openat(-100,\"/v/b.so\",O_RDONLY|O_CLOEXEC) = 3\n"                                                \
	"7 mmap(NULL,8192,PROT_READ,MAP_PRIVATE|MAP_DENYWRITE,3,0) = 0x0000004000020000\n"                   \
	"7 mmap(NULL,4096,PROT_READ,MAP_PRIVATE|MAP_ANONYMOUS,-1,0) = 0x0000004000030000\n"

static void finds_the_newest_mapping_of_the_address(void)
{
	static const struct {
		const char *name, *trace, *expected;
	} rows[] = {
		{ "no signal", LOADED, "" },
		{ "nothing at all", "", "" },
		{ "a library", LOADED SIGNAL("0000004000011010"), "/v/a.so" },
		{ "another that had the same descriptor", LOADED SIGNAL("0000004000020000"), "/v/b.so" },
		{ "past its end", LOADED SIGNAL("0000004000022000"), "/v/program" },
		{ "mapped by nobody: the program", LOADED SIGNAL("0000004000000100"), "/v/program" },
		{ "the last signal counts", LOADED SIGNAL("0000004000011010") SIGNAL("0000004000020000"),
		  "/v/b.so" },
		{ "mapped over",
		  LOADED "7 mmap(0x4000011000,4096,PROT_EXEC,MAP_FIXED,3,0) = 0x0000004000011000\n" SIGNAL(
			  "0000004000011010"),
		  "/v/b.so" },
		{ "a child that executed a program",
		  LOADED "9 execve(\"/v/ttyd\",{\"/v/ttyd\",NULL}) = 0\n9 brk(NULL) = 0x1\n" SIGNAL(
			  "0000004000011010"),
		  "/v/ttyd" },
		{ "a child whose parent spoke in between",
		  LOADED
		  "9 execve(\"/v/ttyd\",{\"/v/ttyd\",NULL}) = 0\n9 brk(NULL) = 0x1\n7 close(3) = 0\n" SIGNAL(
			  "0000004000011010") "7 exit_group(0)\n",
		  "/v/ttyd" },
		{ "a child whose parent was about to wait",
		  LOADED "9 execve(\"/v/ttyd\",{\"/v/ttyd\",NULL}) = 0\n7 wait4(9,1,0,0)" SIGNAL(
			  "0000004000011010") " = 9\n7 exit_group(0)\n",
		  "/v/ttyd" },
		{ "a child whose parent spoke before the result",
		  LOADED
		  "9 execve(\"/v/ttyd\",{\"/v/ttyd\",NULL})7 wait4(9,1,0,0) = 0\n9 brk(NULL) = 0x1\n" SIGNAL(
			  "0000004000011010") "7 exit_group(0)\n",
		  "/v/ttyd" },
		{ "a child in a line of its parent's",
		  LOADED
		  "7 wait4(9,1,0,0)9 execve(\"/v/ttyd\",{\"/v/ttyd\",NULL}) = 0\n9 brk(NULL) = 0x1\n" SIGNAL(
			  "0000004000011010") "7 exit_group(0)\n",
		  "/v/ttyd" },
		{ "one that could not be executed",
		  LOADED "7 execve(\"/v/none\",{\"/v/none\",NULL}) = -1 errno=2 (No such file or "
			 "directory)\n" SIGNAL("0000004000011010"),
		  "/v/a.so" },
		{ "a thread", LOADED "8 futex(0x1,0,0) = 0\n" SIGNAL("0000004000011010"), "/v/a.so" },
		{ "a file that could not be opened",
		  "7 openat(-100,\"/v/a.so\",O_RDONLY) = -1 errno=2 (No such file or directory)\n" SIGNAL(
			  "0000004000011010"),
		  "/v/program" },
		{ "no lines of the emulator's",
		  "x\n7\n7 \n7 mmap(\n7 mmap(,,,,,) = \n-1 openat(\"\n--- SIGILL \n", "" },
		{ "an old call",
		  "7 open(\"/v/c.so\",O_RDONLY) = 4\n7 mmap(NULL,4096,PROT_EXEC,MAP_PRIVATE,4,0) = "
		  "0x0000004000011000\n" SIGNAL("0000004000011010"),
		  "/v/c.so" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		char path[PATH_MAX];

		kc_sigill_find(rows[i].trace, "/v/program", path);
		KC_CHECK_MESSAGE(strcmp(path, rows[i].expected) == 0, "%s: got `%s`, want `%s`", rows[i].name,
				 path, rows[i].expected);
	}
}

static void tells_the_emulators_words_from_others(void)
{
	static const struct {
		const char *text;
		bool is_reported;
	} rows[] = {
		{ "qemu: uncaught target signal 4 (Illegal instruction) - core dumped\n", true },
		{ "Traceback\nqemu: uncaught target signal 4 (Illegal instruction) - core dumped\n", true },
		{ "qemu: uncaught target signal 11 (Segmentation fault) - core dumped\n", false },
		{ "", false },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_BUFFER struct kc_buffer buffer = KC_BUFFER_INIT(4096);

		KC_CHECK_INT(kc_buffer_append_string(&buffer, rows[i].text), 0);
		KC_CHECK_MESSAGE(kc_sigill_is_reported(&buffer) == rows[i].is_reported, "%s", rows[i].text);
	}
}

KC_TEST_SUITE(sigill, KC_LABEL_FAST, KC_TEST(finds_the_newest_mapping_of_the_address),
	      KC_TEST(tells_the_emulators_words_from_others));
