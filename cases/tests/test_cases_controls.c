/*
 * Negative controls: a good volume, broken in one way, and the cases that have to notice; those beside them have to pass.
 * The volume is static-gnu 4.4.0, from the package index or the store.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "archive/volume.h"
#include "base/digest.h"
#include "cases/cases.h"
#include "cases/tests/checked.h"
#include "fixtures/volume_copy.h"
#include "fixtures/volume_wheel.h"
#include "options.h"
#include "run/context.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "tests/kc_test.h"

#define LIB "lib/python3.13/"
#define SITE LIB "site-packages/"
#define UVLOOP SITE "uvloop/loop.cpython-313-x86_64-linux-gnu.so"
#define SETPROCTITLE SITE "setproctitle/_setproctitle.cpython-313-x86_64-linux-gnu.so"

#define REMOVE(file)                                                                                         \
	{                                                                                                    \
		.kind = KC_VOLUME_REMOVE, .path = (file)                                                     \
	}
#define WRITE(file, text)                                                                                    \
	{                                                                                                    \
		.kind = KC_VOLUME_WRITE, .path = (file), .bytes = (text)                                     \
	}
#define PROGRAM(file, text)                                                                                  \
	{                                                                                                    \
		.kind = KC_VOLUME_WRITE, .path = (file), .bytes = (text), .mode = 0755                       \
	}
#define PATCH(file, at, text)                                                                                \
	{                                                                                                    \
		.kind = KC_VOLUME_PATCH, .path = (file), .offset = (at), .bytes = (text),                    \
		.length = sizeof(text) - 1                                                                   \
	}
#define CUT(file, at)                                                                                        \
	{                                                                                                    \
		.kind = KC_VOLUME_TRUNCATE, .path = (file), .offset = (at)                                   \
	}
#define DUPLICATE(file, from)                                                                                \
	{                                                                                                    \
		.kind = KC_VOLUME_DUPLICATE, .path = (file), .bytes = (from)                                 \
	}
#define HOST_FILE(file, from)                                                                                \
	{                                                                                                    \
		.kind = KC_VOLUME_HOST_FILE, .path = (file), .bytes = (from)                                 \
	}
/* Runs before whatever an interpreter is asked to do. */
#define SABOTAGE(text) WRITE(SITE "sitecustomize.py", text)

#define MACHINE_OFFSET 18 /* e_machine, elf(5) */
#define AARCH64 "\xb7\0"

struct finding {
	const char *identity; /* behind "centos7." */
	const char *text;     /* what the message or the text of the report has to contain */
	enum kc_verdict verdict;
};

struct control {
	const char *name;
	struct kc_volume_change changes[3];
	const char *patterns[5];
	struct finding findings[5]; /* every other case that is selected has to pass */
	const char *timeout;	    /* seconds; NULL: each case's own */
};

static char tree[PATH_MAX];

/* False if there is nothing to work on: then the test has been skipped, or has failed. */
static bool have_volume(void)
{
	struct kc_error err = { 0 };

	if (tree[0] || kc_released_tree(tree, &err) == 0)
		return true;
	if (kc_is_offline(&err))
		kc_test_skip(__FILE__, __LINE__, err.text);
	else
		KC_CHECK_MESSAGE(false, "%s", err.text);
	return false;
}

/* The cases that have noticed something, for the last test. Identities are literals. */
static const char *noticed[256];
static size_t noticed_count;

static void note(const char *identity)
{
	if (noticed_count < KC_ARRAY_LENGTH(noticed))
		noticed[noticed_count++] = identity;
}

static const struct finding *find_finding(const struct control *control, const char *identity)
{
	for (size_t i = 0; i < KC_ARRAY_LENGTH(control->findings) && control->findings[i].identity; i++)
		if (strcmp(control->findings[i].identity, identity) == 0)
			return &control->findings[i];
	return NULL;
}

static void check_finding(const struct control *control, const struct kc_checked *checked,
			  const struct finding *finding)
{
	char identity[256], said[8192];
	xmlNode *testcase;

	(void)snprintf(identity, sizeof(identity), "centos7.%s", finding->identity);
	testcase = kc_checked_find(checked, identity);
	kc_checked_say(testcase, said, sizeof(said));
	if (KC_CHECK_MESSAGE(testcase && kc_checked_verdict(testcase) == finding->verdict,
			     "%s: %s: want %s, got %s: %s", control->name, identity,
			     kc_verdict_name(finding->verdict), kc_verdict_name(kc_checked_verdict(testcase)),
			     testcase ? said : kc_buffer_string(&checked->errors)))
		note(finding->identity);
	KC_CHECK_MESSAGE(strstr(said, finding->text), "%s: %s: no \"%s\" in: %s", control->name, identity,
			 finding->text, said);
}

static void check_others(const struct control *control, const struct kc_checked *checked)
{
	for (xmlNode *testcase = NULL; (testcase = kc_checked_next(checked, testcase));) {
		char identity[256], said[8192];

		kc_checked_identity(testcase, identity, sizeof(identity));
		kc_checked_say(testcase, said, sizeof(said));
		if (!find_finding(control, identity + strlen("centos7.")))
			KC_CHECK_MESSAGE(kc_checked_verdict(testcase) == KC_PASS, "%s: %s should pass: %s",
					 control->name, identity, said);
	}
}

static void start_on(const struct control *control, const char *volume, struct kc_checked *checked)
{
	const char *words[KC_CHECKED_WORDS] = { NULL };
	struct kc_error err = { 0 };
	size_t count = 0;

	for (size_t i = 0; i < KC_ARRAY_LENGTH(control->patterns) && control->patterns[i]; i++) {
		words[count++] = "-k";
		words[count++] = control->patterns[i];
	}
	if (control->timeout) {
		words[count++] = "--timeout";
		words[count++] = control->timeout;
	}
	KC_REQUIRE_OK(kc_checked_start(volume, words, checked, &err), err);
	KC_REQUIRE_OK(kc_checked_finish(checked, &err), err);
}

/* Runs the selected cases on `volume` and holds their verdicts against the control's. */
static void check_on(const struct control *control, const char *volume)
{
	KC_CLEANUP_CHECKED struct kc_checked checked = { 0 };

	start_on(control, volume, &checked);
	KC_CHECK_MESSAGE(checked.status == (control->findings[0].identity ? KC_EXIT_FAILED : KC_EXIT_PASSED),
			 "%s: exit status %d: %s", control->name, checked.status,
			 kc_buffer_string(&checked.errors));
	for (size_t i = 0; i < KC_ARRAY_LENGTH(control->findings) && control->findings[i].identity; i++)
		check_finding(control, &checked, &control->findings[i]);
	check_others(control, &checked);
}

static void check_control(const struct control *control)
{
	KC_CLEANUP_VOLUME_COPY struct kc_volume_copy copy = { 0 };
	struct kc_error err = { 0 };

	KC_REQUIRE_OK(kc_volume_copy_make(tree, &copy, &err), err);
	for (size_t i = 0; i < KC_ARRAY_LENGTH(control->changes) && control->changes[i].kind; i++)
		KC_REQUIRE_OK(kc_volume_change(&copy, &control->changes[i], &err), err);
	check_on(control, copy.path);
}

static void check_controls(const struct control *controls, size_t count)
{
	if (!have_volume())
		return;
	for (size_t i = 0; i < count; i++)
		check_control(&controls[i]);
}

/* The control of the controls: unchanged, the copy passes what the others are caught by. */
static void an_unchanged_copy_passes(void)
{
	static const struct control controls[] = {
		{ .name = "no change",
		  .patterns = { "python", "runtime", "image", "ttyd.version", "imports" } },
		{ .name = "no change",
		  .patterns = { "layout", "architecture", "mount-points", "ttyd-static", "unchanged" } },
	};

	check_controls(controls, KC_ARRAY_LENGTH(controls));
}

static const struct control interpreters[] = {
	{ .name = "missing interpreter",
	  .changes = { REMOVE("bin/python3.13") },
	  .patterns = { "volume.layout", "python.version", "imports.ssl" },
	  .findings = { { "volume.layout", "bin/python in the volume: expected an executable file", KC_FAIL },
			{ "python.version", "bin/python cannot be started: No such file or directory\n",
			  KC_FAIL },
			{ "imports.ssl", "bin/python cannot be started: No such file or directory\n",
			  KC_FAIL } } },
	{ .name = "an interpreter whose loader is not there",
	  .changes = { PROGRAM("bin/python3.13", "#!/opt/backend.ai/lib/ld-nowhere.so\n") },
	  .patterns = { "python.standard-library", "imports.ssl" },
	  .findings = { { "python.standard-library",
			  "bin/python cannot be started: No such file or directory\n", KC_FAIL },
			{ "imports.ssl", "the loader that it names", KC_FAIL } } },
	{ .name = "interpreter without its ELF magic",
	  .changes = { PATCH("bin/python3.13", 0, "\0\0\0\0") },
	  .patterns = { "python.version", "imports.ssl" },
	  .findings = { { "python.version", "bin/python cannot be started: Exec format error\n", KC_FAIL },
			{ "imports.ssl", "bin/python cannot be started: Exec format error\n", KC_FAIL } } },
	{ .name = "interpreter with a damaged ELF header",
	  .changes = { PATCH("bin/python3.13", 32, "\xff\xff\xff\xff\xff\xff\xff\x7f") },
	  .patterns = { "volume.architecture", "python.version", "imports.ssl" },
	  .findings = { { "volume.architecture", "bin/python3.13", KC_FAIL },
			{ "python.version", "exit status 0", KC_FAIL },
			{ "imports.ssl", "exit status 0", KC_FAIL } } },
	{ .name = "truncated interpreter",
	  .changes = { CUT("bin/python3.13", 4096) },
	  .patterns = { "volume.architecture", "python.version", "python.standard-library" },
	  .findings = { { "volume.architecture", "bin/python3.13", KC_FAIL },
			{ "python.version", "exit status 0", KC_FAIL },
			{ "python.standard-library", "exit status 0", KC_FAIL } } },
	{ .name = "interpreter of another architecture",
	  .changes = { PATCH("bin/python3.13", MACHINE_OFFSET, AARCH64) },
	  .patterns = { "volume.architecture", "python.version" },
	  .findings = { { "volume.architecture", "bin/python3.13 is built for aarch64", KC_FAIL },
			{ "python.version", "Exec format error", KC_FAIL } } },
	{ .name = "a library of another architecture",
	  .changes = { PATCH(UVLOOP, MACHINE_OFFSET, AARCH64) },
	  .patterns = { "volume.architecture", "imports." },
	  .findings = { { "volume.architecture", "is built for aarch64", KC_FAIL },
			{ "imports.uvloop", "exit status 1", KC_FAIL } } },
	{ .name = "a version that is not promised",
	  .changes = { PROGRAM("bin/python3.13", "#!/bin/sh\necho Python 3.12.1\n") },
	  .patterns = { "python.version" },
	  .findings = { { "python.version", "Python 3.12.1", KC_FAIL } } },
	{ .name = "a version that begins like the promised one",
	  .changes = { PROGRAM("bin/python3.13", "#!/bin/sh\necho Python 3.131.0\n") },
	  .patterns = { "python.version" },
	  .findings = { { "python.version", "Python 3.131.0", KC_FAIL } } },
	{ .name = "no version at all",
	  .changes = { PROGRAM("bin/python3.13", "#!/bin/sh\n") },
	  .patterns = { "python.version" },
	  .findings = { { "python.version", "not what krunner-python promises", KC_FAIL } } },
};

static void an_interpreter_that_does_not_run_is_noticed(void)
{
	check_controls(interpreters, KC_ARRAY_LENGTH(interpreters));
}

static const struct control layouts[] = {
	{ .name = "missing ttyd",
	  .changes = { REMOVE("bin/ttyd") },
	  .patterns = { "volume.layout", "volume.ttyd-static", "ttyd.version" },
	  .findings = { { "volume.layout", "bin/ttyd", KC_FAIL },
			{ "volume.ttyd-static", "bin/ttyd", KC_FAIL },
			{ "ttyd.version", "No such file or directory", KC_FAIL } } },
	{ .name = "a dynamic program in ttyd's place",
	  .changes = { HOST_FILE("bin/ttyd", "/bin/true") },
	  .patterns = { "volume.layout", "volume.ttyd-static", "ttyd.version" },
	  .findings = { { "volume.ttyd-static", "bin/ttyd is not static", KC_FAIL },
			{ "ttyd.version", "", KC_FAIL } } },
	{ .name = "a script in ttyd's place",
	  .changes = { PROGRAM("bin/ttyd", "#!/bin/sh\necho 1.7.7\n") },
	  .patterns = { "volume.ttyd-static", "ttyd.version" },
	  .findings = { { "volume.ttyd-static", "bin/ttyd", KC_FAIL },
			{ "ttyd.version", "says something else", KC_FAIL } } },
	{ .name = "ttyd without execute permission",
	  .changes = { REMOVE("bin/ttyd"), WRITE("bin/ttyd", "#!/bin/sh\n") },
	  .patterns = { "volume.layout" },
	  .findings = { { "volume.layout", "without execute permission", KC_FAIL } } },
	{ .name = "no site-packages",
	  .changes = { REMOVE(LIB "site-packages") },
	  .patterns = { "volume.layout", "volume.mount-points" },
	  .findings = { { "volume.layout", "site-packages", KC_FAIL },
			{ "volume.mount-points", "nothing there", KC_FAIL } } },
	{ .name = "missing mount point",
	  .changes = { REMOVE(SITE "ai/backend/kernel") },
	  .patterns = { "volume.layout", "volume.mount-points" },
	  .findings = { { "volume.mount-points", "kernel in the volume: expected an empty directory",
			  KC_FAIL } } },
	{ .name = "a mount point that is a file",
	  .changes = { REMOVE(SITE "ai/backend/kernel"), WRITE(SITE "ai/backend/kernel", "") },
	  .patterns = { "volume.mount-points" },
	  .findings = { { "volume.mount-points", "not a directory", KC_FAIL } } },
	{ .name = "a mount point that is not empty",
	  .changes = { WRITE(SITE "ai/backend/helpers/left.py", "") },
	  .patterns = { "volume.mount-points" },
	  .findings = { { "volume.mount-points", "a directory that is not empty", KC_FAIL } } },
};

static void a_wrong_layout_is_noticed(void)
{
	check_controls(layouts, KC_ARRAY_LENGTH(layouts));
}

static const struct control modules[] = {
	{ .name = "a base module that raises",
	  .changes = { WRITE(LIB "uuid.py", "raise ImportError('broken on purpose')\n") },
	  .patterns = { "python" },
	  .findings = { { "python.standard-library", "import uuid: ImportError: broken on purpose",
			  KC_FAIL } } },
	{ .name = "a base module that exits",
	  .changes = { WRITE(LIB "uuid.py", "raise SystemExit(0)\n") },
	  .patterns = { "python.standard-library" },
	  .findings = { { "python.standard-library", "import uuid: SystemExit", KC_FAIL } } },
	{ .name = "a base module that is not there",
	  .changes = { REMOVE(LIB "uuid.py") },
	  .patterns = { "python.standard-library" },
	  .findings = { { "python.standard-library", "import uuid: ModuleNotFoundError", KC_FAIL } } },
	{ .name = "a module that aborts",
	  .changes = { WRITE(LIB "aborts.py", "import os\nos.abort()\n") },
	  .patterns = { "python" },
	  .findings = { { "python.standard-library",
			  "import aborts: the interpreter died: killed by signal 6", KC_FAIL } } },
	{ .name = "a module that leaves with status 0",
	  .changes = { WRITE(LIB "leaves.py", "import os\nos._exit(0)\n") },
	  .patterns = { "python.standard-library" },
	  .findings = { { "python.standard-library", "import leaves: the interpreter died: exit status 0",
			  KC_FAIL } } },
	{ .name = "a built-in extension that aborts",
	  .changes = { SABOTAGE("import os, sys\n"
				"class Finder:\n"
				"    def find_spec(name, path=None, target=None):\n"
				"        if name == '_sha3':\n"
				"            os.abort()\n"
				"sys.meta_path.insert(0, Finder)\n") },
	  .patterns = { "python" },
	  .findings = { { "python.extension-modules",
			  "import _sha3: the interpreter died: killed by signal 6", KC_FAIL } } },
	{ .name = "an extension that is cut short",
	  .changes = { DUPLICATE(LIB "lib-dynload/torn.so", "lib/libpython3.so"),
		       CUT(LIB "lib-dynload/torn.so", 4096) },
	  .patterns = { "python" },
	  .findings = { { "python.extension-modules", "import torn: the interpreter died: killed by signal 7",
			  KC_FAIL } } },
	/* Every other module is there at once, so that the time is this one's. */
	{ .name = "a module that hangs",
	  .changes = { SABOTAGE("import importlib.machinery, linecache, sys, time, tokenize\n"
				"class Finder:\n"
				"    def find_spec(name, path=None, target=None):\n"
				"        if name == 'uuid':\n"
				"            time.sleep(1000)\n"
				"        return importlib.machinery.ModuleSpec(name, None, "
				"is_package=True)\n"
				"sys.meta_path.insert(0, Finder)\n") },
	  .patterns = { "python.standard-library" },
	  .findings = { { "python.standard-library", "import uuid: not done within 6.0 s", KC_BROKEN } },
	  .timeout = "6" },
	{ .name = "no module imports, with more words than are kept",
	  .changes = { SABOTAGE("import importlib, linecache, sys, tokenize\n"
				"class Finder:\n"
				"    def find_spec(name, path=None, target=None):\n"
				"        raise ImportError('broken ' * 1000, name=name)\n"
				"sys.meta_path.insert(0, Finder)\n") },
	  .patterns = { "python" },
	  .findings = { { "python.standard-library", "ImportError: broken broken", KC_FAIL } } },
	{ .name = "a module that breaks most others, with many words",
	  .changes = { WRITE(LIB "re/__init__.py", "raise ImportError('broken ' * 40)\n") },
	  .patterns = { "python.standard-library", "imports.zlib" },
	  .findings = { { "python.standard-library", "ImportError: broken broken", KC_FAIL } } },
};

static void a_broken_module_is_noticed_and_named(void)
{
	check_controls(modules, KC_ARRAY_LENGTH(modules));
}

static void a_broken_import_is_noticed(void)
{
	static const struct control controls[] = {
		{ .name = "a promised package that is not there",
		  .changes = { REMOVE(SITE "janus") },
		  .patterns = { "imports" },
		  .findings = { { "imports.janus", "the volume has no Python module janus", KC_FAIL },
				{ "imports-production.janus", "the volume has no Python module janus",
				  KC_FAIL } } },
		{ .name = "a package that leaves with status 0",
		  .changes = { WRITE(SITE "janus/__init__.py", "import os\nos._exit(0)\n") },
		  .patterns = { "imports" },
		  .findings = { { "imports.janus", "import janus: the interpreter ended early", KC_FAIL },
				{ "imports-production.janus", "the interpreter ended early", KC_FAIL } } },
		{ .name = "a package whose extension is cut short",
		  .changes = { CUT(SETPROCTITLE, 4096) },
		  .patterns = { "imports.setproctitle", "imports.ssl" },
		  .findings = { { "imports.setproctitle", "SIGBUS", KC_FAIL } } },
		{ .name = "a library that only LD_LIBRARY_PATH leads to",
		  .changes = { WRITE("lib/libstdc++.so.6", "no library\n") },
		  .patterns = { "imports.zmq", "imports-production.zmq", "imports-production.ssl" },
		  .findings = { { "imports-production.zmq", "libstdc++.so.6", KC_FAIL } } },
	};

	check_controls(controls, KC_ARRAY_LENGTH(controls));
}

static const struct control runtimes[] = {
	{ .name = "a CA bundle that is not read",
	  .changes = { SABOTAGE("import ssl\n"
				"ssl.SSLContext.load_verify_locations = lambda *a, **k: None\n") },
	  .patterns = { "runtime" },
	  .findings = { { "runtime.tls-context", "only 0 CA certificates", KC_FAIL } } },
	{ .name = "a context that verifies nobody",
	  .changes = { SABOTAGE("import ssl\n"
				"make = ssl.create_default_context\n"
				"def create(**k):\n"
				"    context = make(**k)\n"
				"    context.check_hostname = False\n"
				"    context.verify_mode = ssl.CERT_NONE\n"
				"    return context\n"
				"ssl.create_default_context = create\n") },
	  .patterns = { "runtime.tls-context" },
	  .findings = { { "runtime.tls-context", "AssertionError", KC_FAIL } } },
	{ .name = "no time zones",
	  .changes = { SABOTAGE("import zoneinfo\nzoneinfo.reset_tzpath(to=())\n") },
	  .patterns = { "runtime" },
	  .findings = { { "runtime.zone-data", "No time zone found with key Asia/Seoul", KC_FAIL } } },
	{ .name = "a query with a wrong answer",
	  .changes = { SABOTAGE(
		  "import functools, sqlite3\n"
		  "class Connection(sqlite3.Connection):\n"
		  "    def execute(self, text, *a):\n"
		  "        return super().execute(text.replace('% 2 = 0', '% 2 = 1'), *a)\n"
		  "sqlite3.connect = functools.partial(sqlite3.connect, factory=Connection)\n") },
	  .patterns = { "runtime" },
	  .findings = { { "runtime.sqlite-query", "AssertionError: 2500", KC_FAIL } } },
	{ .name = "an exit status that is lost",
	  .changes = { SABOTAGE("import subprocess\n"
				"class Popen(subprocess.Popen):\n"
				"    def poll(self):\n"
				"        super().poll()\n"
				"        self.returncode = 0\n"
				"        return 0\n"
				"subprocess.Popen = Popen\n") },
	  .patterns = { "runtime" },
	  .findings = { { "runtime.subprocess-pipe", "returncode=0", KC_FAIL } } },
	{ .name = "no threads",
	  .changes = { SABOTAGE("import threading\n"
				"def start(self):\n"
				"    raise RuntimeError(\"can't start new thread\")\n"
				"threading.Thread.start = start\n") },
	  .patterns = { "runtime" },
	  .findings = { { "runtime.threads", "can't start new thread", KC_FAIL } } },
	{ .name = "asyncio's own loop for uvloop's",
	  .changes = { SABOTAGE("import asyncio, uvloop\n"
				"uvloop.new_event_loop = asyncio.new_event_loop\n") },
	  .patterns = { "runtime" },
	  .findings = { { "runtime.asyncio-uvloop", "AssertionError", KC_FAIL } } },
	{ .name = "a socket that gets no message",
	  .changes = { SABOTAGE("import zmq\nzmq.Socket.poll = lambda self, *a: 0\n") },
	  .patterns = { "runtime" },
	  .findings = { { "runtime.zmq-socket-pair", "no message within 10 s", KC_FAIL } } },
	{ .name = "another message",
	  .changes = { SABOTAGE("import zmq\n"
				"send = zmq.Socket.send_multipart\n"
				"zmq.Socket.send_multipart = lambda s, parts: send(s, parts[:1])\n") },
	  .patterns = { "runtime.zmq-socket-pair" },
	  .findings = { { "runtime.zmq-socket-pair", "AssertionError: [b'run']", KC_FAIL } } },
	/* With the time that the row gives it the check itself knows, as above; with less, nobody does. */
	{ .name = "a message that never comes",
	  .changes = { SABOTAGE("import zmq\nzmq.Socket.connect = lambda self, address: None\n") },
	  .patterns = { "runtime.zmq-socket-pair", "runtime.threads" },
	  .findings = { { "runtime.zmq-socket-pair", "not done within 2.0 s; this machine may be too busy",
			  KC_BROKEN } },
	  .timeout = "2" },
};

static void each_runtime_check_notices_what_it_is_for(void)
{
	check_controls(runtimes, KC_ARRAY_LENGTH(runtimes));
}

static void an_image_that_is_not_what_it_says_is_no_fault_of_the_volume(void)
{
	static const struct control controls[] = {
		{ .name = "another libc",
		  .changes = { SABOTAGE("import platform\n"
					"platform.libc_ver = lambda *a, **k: ('glibc', '2.36')\n") },
		  .patterns = { "image" },
		  .findings = { { "image.libc-version", "\"glibc 2.36\", and \"glibc 2.17\" is declared",
				  KC_BROKEN } } },
		{ .name = "newer wheels",
		  .changes = { SABOTAGE("import os\nos.confstr = lambda name: 'glibc 2.36'\n") },
		  .patterns = { "image.pip-tags" },
		  .findings = { { "image.pip-tags", "manylinux_2_36_x86_64", KC_BROKEN } } },
	};

	check_controls(controls, KC_ARRAY_LENGTH(controls));
}

static void a_ttyd_that_ends_is_noticed_at_once(void)
{
	static const struct control controls[] = {
		{ .name = "ttyd that exits",
		  .changes = { PROGRAM("bin/ttyd", "#!/bin/sh\nexit 0\n") },
		  .patterns = { "ttyd.keepalive" },
		  .findings = { { "ttyd.keepalive", "ended by itself", KC_FAIL } } },
		/* It would wait for a reader of its log instead, and seem to run. */
		{ .name = "ttyd that says much and exits",
		  .changes = { PROGRAM("bin/ttyd",
				       "#!/bin/sh\nfor i in 1 2 3 4 5 6 7 8 9; do head -c 40000 /dev/zero | "
				       "tr '\\0' x >&2; done\nexit 0\n") },
		  .patterns = { "ttyd.keepalive" },
		  .findings = { { "ttyd.keepalive", "ended by itself", KC_FAIL } } },
		{ .name = "ttyd that crashes",
		  .changes = { PROGRAM("bin/ttyd", "#!/bin/sh\nkill -SEGV $$\n") },
		  .patterns = { "ttyd.keepalive", "ttyd.version" },
		  .findings = { { "ttyd.keepalive", "killed by signal 11", KC_FAIL },
				{ "ttyd.version", "killed by signal 11", KC_FAIL } } },
		{ .name = "ttyd that cannot be started",
		  .changes = { WRITE("bin/ttyd", "no program\n") },
		  .patterns = { "ttyd-static", "ttyd.keepalive", "ttyd.version" },
		  .findings = { { "volume.ttyd-static", "bin/ttyd", KC_FAIL },
				{ "ttyd.keepalive", "Exec format error", KC_FAIL },
				{ "ttyd.version", "Exec format error", KC_FAIL } } },
	};

	check_controls(controls, KC_ARRAY_LENGTH(controls));
}

#define REAL_TTYD                                                                                            \
	{                                                                                                    \
		.kind = KC_VOLUME_DUPLICATE, .path = "bin/ttyd.real", .bytes = "bin/ttyd", .mode = 0755      \
	}
#define OTHER_TTYD(script) REAL_TTYD, PROGRAM("bin/ttyd", script)

/* Each of them works, and breaks one promise. */
static void a_ttyd_that_treats_its_clients_badly_is_noticed(void)
{
	static const struct control controls[] = {
		{ .name = "ttyd that pings every two minutes",
		  .changes = { OTHER_TTYD("#!/bin/sh\nexec /opt/backend.ai/bin/ttyd.real -P 120 \"$@\"\n") },
		  .patterns = { "ttyd.day-idle", "ttyd.behind-proxy", "ttyd.stops-answering",
				"ttyd.keepalive" },
		  .findings = { { "ttyd.day-idle", "no ping in the 21.", KC_FAIL },
				{ "ttyd.behind-proxy", "the proxy cut: nothing came from the server for 60 s",
				  KC_FAIL },
				{ "ttyd.stops-answering", "after the last sign of life", KC_FAIL },
				{ "ttyd.keepalive", "no hangup in the 31.", KC_FAIL } } },
		{ .name = "ttyd that takes ten clients",
		  .changes = { OTHER_TTYD("#!/bin/sh\nexec /opt/backend.ai/bin/ttyd.real -m 10 \"$@\"\n") },
		  .patterns = { "ttyd.fifty-clients", "ttyd.others-stay" },
		  .findings = { { "ttyd.fifty-clients", "hung up during the handshake", KC_FAIL } } },
		{ .name = "ttyd that goes with the first client that is hung up",
		  .changes = { OTHER_TTYD(
			  "#!/bin/sh\n/opt/backend.ai/bin/ttyd.real \"$@\" 2>&1 | while read -r line; do\n"
			  "case $line in *'WS closed'*) kill -9 $$ ;; esac\ndone\n") },
		  .patterns = { "ttyd.others-stay", "ttyd.behind-proxy" },
		  .findings = { { "ttyd.others-stay", "killed by signal 9", KC_FAIL } } },
		{ .name = "ttyd behind a server that never hangs up",
		  .changes = { OTHER_TTYD(
			  "#!/opt/backend.ai/bin/python\n"
			  "import socket, subprocess, threading, time\n"
			  "subprocess.Popen(['/opt/backend.ai/bin/ttyd.real', '-p', '7682', '/bin/sh'])\n"
			  "server = socket.create_server(('127.0.0.1', 7681))\n"
			  "def connect():\n"
			  "    try:\n"
			  "        return socket.create_connection(('127.0.0.1', 7682))\n"
			  "    except ConnectionRefusedError:\n"
			  "        return None\n"
			  "def copy(one, other):\n"
			  "    while data := one.recv(65536):\n"
			  "        other.sendall(data)\n"
			  "while True:\n"
			  "    client, _ = server.accept()\n"
			  "    while (ttyd := connect()) is None:\n"
			  "        time.sleep(0.1)\n"
			  "    for pair in (client, ttyd), (ttyd, client):\n"
			  "        threading.Thread(target=copy, args=pair).start()\n") },
		  .patterns = { "ttyd.half-open", "ttyd.behind-proxy" },
		  .findings = { { "ttyd.half-open", "no hangup in the 60.", KC_FAIL } } },
	};

	check_controls(controls, KC_ARRAY_LENGTH(controls));
}

/* What every published ttyd does wrong, and no policy promises yet. */
static void a_ttyd_that_dies_with_its_newest_client_is_told(void)
{
	static const char *const words[] = { "-k", "ttyd.newest-hung-up", NULL };
	KC_CLEANUP_VOLUME_COPY struct kc_volume_copy copy = { 0 };
	KC_CLEANUP_CHECKED struct kc_checked checked = { 0 };
	struct kc_error err = { 0 };
	char told[512];
	xmlNode *testcase;

	if (!have_volume())
		return;
	KC_REQUIRE_OK(kc_volume_copy_make(tree, &copy, &err), err);
	KC_REQUIRE_OK(kc_checked_start(copy.path, words, &checked, &err), err);
	KC_REQUIRE_OK(kc_checked_finish(&checked, &err), err);
	KC_CHECK_INT(checked.status, KC_EXIT_PASSED);
	testcase = kc_checked_find(&checked, "centos7.ttyd.newest-hung-up");
	kc_checked_property(testcase, "others-stay", told, sizeof(told));
	KC_CHECK_STRING(told, "no");
	kc_checked_property(testcase, "not-promised", told, sizeof(told));
	KC_CHECK_CONTAINS(told, "SIGSEGV");
	note("ttyd.newest-hung-up");
}

/* Status 0 and not a word: nothing that such an interpreter is asked may pass. */
static void an_interpreter_that_leaves_early_passes_nothing(void)
{
	static const char *const words[] = { "-k", "imports", "-k", "runtime",	 "-k", "image",
					     "-k", "library", "-k", "extension", NULL };
	static const struct kc_volume_change leave = SABOTAGE("import os\nos._exit(0)\n");
	KC_CLEANUP_VOLUME_COPY struct kc_volume_copy copy = { 0 };
	KC_CLEANUP_CHECKED struct kc_checked checked = { 0 };
	struct kc_error err = { 0 };

	if (!have_volume())
		return;
	KC_REQUIRE_OK(kc_volume_copy_make(tree, &copy, &err), err);
	KC_REQUIRE_OK(kc_volume_change(&copy, &leave, &err), err);
	KC_REQUIRE_OK(kc_checked_start(copy.path, words, &checked, &err), err);
	KC_REQUIRE_OK(kc_checked_finish(&checked, &err), err);
	KC_CHECK_INT(checked.status, KC_EXIT_FAILED);
	KC_CHECK_INT(kc_checked_count(&checked, KC_PASS), 0);
	KC_CHECK_INT(kc_checked_count(&checked, KC_SKIP), 0);
	KC_CHECK(kc_checked_count(&checked, KC_FAIL) > 25);
}

/* Modules that nobody needs inform: the case passes and lists them. */
static void a_broken_module_that_nobody_needs_is_listed(void)
{
	static const char *const words[] = { "-k", "python", NULL };
	static const struct kc_volume_change changes[] = {
		WRITE(LIB "colorsys.py", "raise ValueError('broken on purpose')\n"),
		WRITE(LIB "lib-dynload/torn.so", "no library\n"),
	};
	KC_CLEANUP_VOLUME_COPY struct kc_volume_copy copy = { 0 };
	KC_CLEANUP_CHECKED struct kc_checked checked = { 0 };
	struct kc_error err = { 0 };
	char listed[512];

	if (!have_volume())
		return;
	KC_REQUIRE_OK(kc_volume_copy_make(tree, &copy, &err), err);
	for (size_t i = 0; i < KC_ARRAY_LENGTH(changes); i++)
		KC_REQUIRE_OK(kc_volume_change(&copy, &changes[i], &err), err);
	KC_REQUIRE_OK(kc_checked_start(copy.path, words, &checked, &err), err);
	KC_REQUIRE_OK(kc_checked_finish(&checked, &err), err);
	KC_CHECK_INT(checked.status, KC_EXIT_PASSED);
	kc_checked_property(kc_checked_find(&checked, "centos7.python.standard-library"), "colorsys", listed,
			    sizeof(listed));
	KC_CHECK_CONTAINS(listed, "not importable: ValueError: broken on purpose");
	kc_checked_property(kc_checked_find(&checked, "centos7.python.standard-library"), "this", listed,
			    sizeof(listed));
	KC_CHECK_STRING(listed, "not imported: importing it prints a poem");
	kc_checked_property(kc_checked_find(&checked, "centos7.python.extension-modules"), "torn", listed,
			    sizeof(listed));
	KC_CHECK_CONTAINS(listed, "not importable: ImportError");
}

static void what_a_program_was_and_said_is_kept_on_request(void)
{
	static const char *const words[] = { "-k", "imports.janus", "--keep", NULL };
	static const struct kc_volume_change change =
		WRITE(SITE "janus/__init__.py", "print('said')\nraise SystemExit('broken')\n");
	static const struct {
		const char *name, *content;
	} files[] = {
		{ "argv", "/opt/backend.ai/bin/python\n-c\nimport janus; " },
		{ "environment", "PATH=/opt/backend.ai/bin:" },
		{ "stdout", "said\n" },
		{ "stderr", "broken\n" },
	};
	KC_CLEANUP_VOLUME_COPY struct kc_volume_copy copy = { 0 };
	KC_CLEANUP_CHECKED struct kc_checked checked = { 0 };
	struct kc_error err = { 0 };
	char kept[PATH_MAX], path[PATH_MAX + 64];

	if (!have_volume())
		return;
	KC_REQUIRE_OK(kc_volume_copy_make(tree, &copy, &err), err);
	KC_REQUIRE_OK(kc_volume_change(&copy, &change, &err), err);
	KC_REQUIRE_OK(kc_checked_start(copy.path, words, &checked, &err), err);
	KC_REQUIRE_OK(kc_checked_finish(&checked, &err), err);
	kc_checked_property(kc_checked_find(&checked, "centos7.imports.janus"), "kept", kept, sizeof(kept));
	KC_REQUIRE(kept[0] == '/');
	for (size_t i = 0; i < KC_ARRAY_LENGTH(files); i++) {
		KC_CLEANUP_BUFFER struct kc_buffer content = KC_BUFFER_INIT(1u << 20);

		(void)snprintf(path, sizeof(path), "%s/program-1/%s", kept, files[i].name);
		KC_CHECK_OK(kc_file_read(AT_FDCWD, path, &content, &err), err);
		KC_CHECK_CONTAINS(kc_buffer_string(&content), files[i].content);
	}
	*strrchr(kept, '/') = '\0'; /* the run's: nothing is left by a test */
	KC_CHECK_CONTAINS(strrchr(kept, '/'), "kept-");
	KC_CHECK_OK(kc_tree_remove(AT_FDCWD, kept, &err), err);
}

/*
 * Of a change during the run only the case's own function can be convinced here: in the sandbox the volume is read-only, and
 * somebody on this machine who writes into it at the right moment would be a race in this test.
 */
static void a_volume_that_changed_during_the_run_is_noticed(void)
{
	static const struct {
		struct kc_volume_change change;
		const char *text;
	} rows[] = {
		{ PATCH("bin/ttyd", 4000, "\x01"), "bin/ttyd" },
		{ REMOVE(LIB "uuid.py"), "uuid.py" },
		{ WRITE(LIB "__pycache__/new.cpython-313.pyc", ""), "new.cpython-313.pyc" },
	};
	const struct kc_case *row = kc_cases_volume.rows;

	if (!have_volume())
		return;
	while (strcmp(row->name, "unchanged") != 0)
		row++;
	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_VOLUME_COPY struct kc_volume_copy copy = { 0 };
		KC_CLEANUP(kc_volume_release) struct kc_volume volume = { 0 };
		KC_CLEANUP(kc_result_release) struct kc_result result;
		struct kc_case_context context = { .volume = &volume };
		struct kc_store no_store = { .fd = -1 }; /* directories are used where they are */
		struct kc_error err = { 0 };

		kc_result_init(&result);
		KC_REQUIRE_OK(kc_volume_copy_make(tree, &copy, &err), err);
		KC_REQUIRE_OK(kc_volume_open(&no_store, copy.path, &volume, &err), err);
		KC_REQUIRE_OK(kc_volume_change(&copy, &rows[i].change, &err), err);
		row->run(row, &context, &result);
		KC_CHECK_INT(result.verdict, KC_FAIL);
		KC_CHECK_CONTAINS(kc_result_message(&result), rows[i].text);
		note("volume.unchanged");
	}
}

/* --- Wheels and archives --- */

struct files {
	struct kc_temporary directory;
	char wheel[PATH_MAX];	   /* of 4.4.0, in the store */
	char path[PATH_MAX + 128]; /* what a test makes of it */
};

static void release_files(struct files *files)
{
	kc_temporary_remove(&files->directory);
}

#define CLEANUP_FILES KC_CLEANUP(release_files)

static bool make_files(struct files *files, const char *name)
{
	struct kc_error err = { 0 };

	if (!have_volume() || !KC_CHECK_OK(kc_released_wheel("4.4.0", files->wheel, &err), err) ||
	    !KC_CHECK_OK(kc_temporary_make(&files->directory, &err), err))
		return false;
	(void)snprintf(files->path, sizeof(files->path), "%s/%s", files->directory.path, name);
	return true;
}

static void labels_that_disagree_with_the_volume_are_noticed(void)
{
	static const struct {
		struct kc_wheel_change change; /* without a member: none */
		struct control control;
	} rows[] = {
		{ { NULL, NULL }, { .name = "no change", .patterns = { "volume" } } },
		{ { "krunner-version.static-gnu.txt", "x\n" },
		  { .name = "volume version",
		    .patterns = { "volume.labels" },
		    .findings = { { "volume.labels", "\"x\" is not a volume version", KC_FAIL } } } },
		{ { "krunner-version.static-gnu.txt", NULL },
		  { .name = "no volume version",
		    .patterns = { "volume.labels" },
		    .findings = { { "volume.labels", "\"\" is not a volume version", KC_FAIL } } } },
		{ { "krunner-python.static-gnu.txt", "3.12\n" },
		  { .name = "Python version",
		    .patterns = { "volume.labels", "python.version" },
		    .findings = { { "volume.labels", "krunner-python: the wheel says \"3.12\"", KC_FAIL },
				  { "python.version", "Python 3.12", KC_FAIL } } } },
		{ { "versions.txt", "alpine\n" },
		  { .name = "distribution",
		    .patterns = { "volume" },
		    .findings = { { "volume.labels", "versions.txt: the wheel says \"alpine\"",
				    KC_FAIL } } } },
		{ { "ttyd_linux.x86_64.bin", "another\n" },
		  { .name = "another ttyd",
		    .patterns = { "volume" },
		    .findings = { { "volume.ttyd-static", "not the ttyd beside it in the wheel",
				    KC_FAIL } } } },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		const struct kc_wheel_change *change = rows[i].change.member ? &rows[i].change : NULL;
		CLEANUP_FILES struct files files = { 0 };
		struct kc_error err = { 0 };

		if (!make_files(&files, "backend.ai_krunner_static_gnu-4.4.0-py3-none-any.whl"))
			return;
		KC_REQUIRE_OK(kc_volume_wheel_rebuild(files.wheel, files.path, change, &err), err);
		check_on(&rows[i].control, files.path);
	}
}

/* What else is printed is progress, and a hint. */
static size_t count_errors(const char *text)
{
	static const char start[] = "krunner-compat: ";
	size_t errors = 0;

	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		errors += strncmp(line, start, sizeof(start) - 1) == 0;
	}
	return errors;
}

/* True if the store's directory has an entry whose name begins with `key`: what is built there is named so. */
static bool is_in(const struct kc_store *store, const char *directory, const char *key)
{
	KC_CLEANUP_DIR DIR *entries =
		fdopendir(openat(store->fd, directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	struct dirent *entry;

	if (!KC_CHECK(entries != NULL))
		return true;
	while ((entry = readdir(entries)))
		if (strncmp(entry->d_name, key, strlen(key)) == 0)
			return true;
	return false;
}

static bool store_has(const struct kc_buffer *archive)
{
	struct kc_store store = { .fd = -1 };
	char digest[KC_SHA256_HEX_SIZE], key[sizeof("volume-") + KC_SHA256_HEX_SIZE];
	struct kc_error err = { 0 };
	bool has;

	if (!KC_CHECK_OK(kc_store_open(&store, &err), err) ||
	    !KC_CHECK_OK(kc_sha256_of(archive->data, archive->length, digest, &err), err))
		return true;
	(void)snprintf(key, sizeof(key), "volume-%s", digest);
	has = kc_store_has(&store, key) || is_in(&store, "tmp", key);
	kc_store_close(&store);
	return has;
}

static void check_damaged(const char *path, const struct kc_buffer *archive, const char *name)
{
	KC_CLEANUP_CHECKED struct kc_checked checked = { 0 };
	struct kc_error err = { 0 };

	KC_REQUIRE_OK(kc_file_write_atomic(AT_FDCWD, path, archive->data, archive->length, 0600, &err), err);
	KC_REQUIRE_OK(kc_checked_start(path, NULL, &checked, &err), err);
	KC_REQUIRE_OK(kc_checked_finish(&checked, &err), err);
	KC_CHECK_MESSAGE(checked.status == KC_EXIT_NOT_RUN, "%s: exit status %d", name, checked.status);
	KC_CHECK_MESSAGE(count_errors(kc_buffer_string(&checked.errors)) == 1,
			 "%s: not one line that says what is wrong: %s", name,
			 kc_buffer_string(&checked.errors));
	KC_CHECK_CONTAINS(kc_buffer_string(&checked.errors), path);
	KC_CHECK_INT(kc_checked_count(&checked, KC_PASS), 0);
	KC_CHECK_INT(kc_checked_count(&checked, KC_BROKEN), 1);
	KC_CHECK_MESSAGE(!store_has(archive), "%s: something of it is in the store", name);
}

static void a_damaged_archive_is_refused_and_leaves_nothing(void)
{
	static const struct {
		const char *name;
		unsigned int cut_percent, flip_percent;
	} rows[] = {
		{ .name = "cut short", .cut_percent = 60 },
		{ .name = "a bit flipped", .flip_percent = 40 },
	};
	KC_CLEANUP_BUFFER struct kc_buffer archive = KC_BUFFER_INIT(128u << 20);
	CLEANUP_FILES struct files files = { 0 };
	struct kc_error err = { 0 };

	if (!make_files(&files, "krunner-env.static-gnu.x86_64.tar.xz"))
		return;
	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		kc_buffer_clear(&archive);
		KC_REQUIRE_OK(kc_volume_wheel_archive(files.wheel, &archive, &err), err);
		if (rows[i].cut_percent)
			archive.length = archive.length / 100 * rows[i].cut_percent;
		if (rows[i].flip_percent)
			archive.data[archive.length / 100 * rows[i].flip_percent] ^= 1;
		check_damaged(files.path, &archive, rows[i].name);
	}
}

static bool is_noticed(const struct kc_case_table *table, const struct kc_case *row)
{
	char identity[256];
	size_t length;

	(void)snprintf(identity, sizeof(identity), "%s.%s", table->group, row->each ? "" : row->name);
	length = strlen(identity) + !row->each;
	for (size_t i = 0; i < noticed_count; i++)
		if (strncmp(noticed[i], identity, length) == 0)
			return true;
	return false;
}

/* A check that was never seen to fail is not known to work. */
static void every_case_has_noticed_something(void)
{
	if (!have_volume())
		return;
	for (size_t i = 0; kc_case_tables[i]; i++)
		for (size_t j = 0; j < kc_case_tables[i]->count; j++) {
			const struct kc_case *row = &kc_case_tables[i]->rows[j];

			/* The CPU levels have theirs in test_cases_emulated.c. */
			KC_CHECK_MESSAGE(
				kc_case_tables[i] == &kc_cases_cpu || is_noticed(kc_case_tables[i], row),
				"%s.%s has no negative control", kc_case_tables[i]->group, row->name);
		}
}

KC_TEST_SUITE(cases_controls, KC_LABEL_SLOW, KC_TEST(an_unchanged_copy_passes),
	      KC_TEST(an_interpreter_that_does_not_run_is_noticed), KC_TEST(a_wrong_layout_is_noticed),
	      KC_TEST(a_broken_module_is_noticed_and_named), KC_TEST(a_broken_import_is_noticed),
	      KC_TEST(each_runtime_check_notices_what_it_is_for),
	      KC_TEST(an_image_that_is_not_what_it_says_is_no_fault_of_the_volume),
	      KC_TEST(a_ttyd_that_ends_is_noticed_at_once),
	      KC_TEST(a_ttyd_that_treats_its_clients_badly_is_noticed),
	      KC_TEST(a_ttyd_that_dies_with_its_newest_client_is_told),
	      KC_TEST(an_interpreter_that_leaves_early_passes_nothing),
	      KC_TEST(a_broken_module_that_nobody_needs_is_listed),
	      KC_TEST(what_a_program_was_and_said_is_kept_on_request),
	      KC_TEST(labels_that_disagree_with_the_volume_are_noticed),
	      KC_TEST(a_volume_that_changed_during_the_run_is_noticed),
	      KC_TEST(a_damaged_archive_is_refused_and_leaves_nothing),
	      KC_TEST(every_case_has_noticed_something));
