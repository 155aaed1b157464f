/* The interpreter and its standard library. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/volume.h"
#include "base/embedded.h"
#include "cases/cases.h"
#include "compat/policy.h"
#include "run/program.h"
#include "sys/fd.h"

#define MAX_MODULES 1024
/* Modules that end so many interpreters have made their point. */
#define MAX_ROUNDS 20
/* Reasons in a report, which has room for 256 properties. */
#define MAX_LISTED 200

static void fail_without_version(struct kc_result *result)
{
	kc_result_fail(result, "python and a version", "another name",
		       "bin/python does not lead to a name that says which Python it is");
}

static void python_version(const struct kc_case *row, struct kc_case_context *context,
			   struct kc_result *result)
{
	static const char *const argv[] = { KC_PYTHON, "-V", NULL };
	KC_CLEANUP_PROGRAM struct kc_program program = { 0 };
	const struct kc_volume *volume = context->volume;
	struct kc_error err = { 0 };
	char expected[64], promised[16];
	const char *output;
	size_t length;

	kc_volume_python_version(volume, promised);
	if (*volume->wheel.python_version)
		(void)snprintf(promised, sizeof(promised), "%.15s", volume->wheel.python_version);
	if (!*promised) {
		fail_without_version(result);
		return;
	}
	if (kc_program_run(context, argv, kc_environment_plain, &program, &err) < 0) {
		kc_result_broken_by(result, &err);
		return;
	}
	if (!kc_program_succeeded(&program, context, "python -V", result))
		return;
	output = kc_buffer_string(&program.output);
	(void)snprintf(expected, sizeof(expected), "Python %s", promised);
	length = strlen(expected);
	kc_result_property(result, "python-version", "%.*s", (int)strcspn(output, "\n"), output);
	if (strncmp(output, expected, length) == 0 && strchr(".\n", output[length]))
		kc_result_pass(result);
	else
		kc_result_fail(result, expected, output, "python -V is not what krunner-python promises");
}

/* Names to import, and what became of each. */
struct modules {
	struct module {
		char name[96];
		char reason[512]; /* "" while importable */
		bool reported;
		bool must; /* the policy wants it, and a crash is nobody's wish */
	} list[MAX_MODULES];
	size_t count;
	bool extensions;   /* which kind to look for */
	bool has_built_in; /* the interpreter has said which it has */
};

static struct module *find(struct modules *modules, const char *name)
{
	for (size_t i = 0; i < modules->count; i++)
		if (strcmp(modules->list[i].name, name) == 0)
			return &modules->list[i];
	return NULL;
}

/* The module's place, a new one if need be; NULL when there is no room for it. */
static struct module *add(struct modules *modules, const char *name)
{
	struct module *module = find(modules, name);

	if (module)
		return module;
	module = &modules->list[modules->count];
	if (modules->count == MAX_MODULES || strlen(name) >= sizeof(module->name))
		return NULL;
	memcpy(module->name, name, strlen(name) + 1);
	modules->count++;
	return module;
}

static bool has_init(const struct kc_volume *volume, const char *directory, const char *name)
{
	char path[PATH_MAX];
	KC_CLEANUP_FD int fd = -1;

	(void)snprintf(path, sizeof(path), "%s/%s/__init__.py", directory, name);
	fd = kc_volume_open_file(volume, path, O_PATH, NULL);
	return fd >= 0;
}

/* The module that a directory entry stands for: "x.py", "x/__init__.py", "_x.cpython-313-x86_64-linux-gnu.so". 0: none. */
static size_t module_name_length(const struct kc_volume *volume, const char *directory, const char *entry,
				 bool extensions)
{
	size_t length = strcspn(entry, ".");
	const char *rest = entry + length;

	if (!isalpha((unsigned char)entry[0]) && entry[0] != '_')
		return 0;
	if (extensions) {
		size_t suffix = strlen(rest);

		return suffix >= 3 && strcmp(rest + suffix - 3, ".so") == 0 ? length : 0;
	}
	if (strcmp(rest, ".py") == 0)
		return length;
	return !*rest && has_init(volume, directory, entry) ? length : 0;
}

/* Those that the policy leaves out are properties of the result. */
static int list_modules(const struct kc_case_context *context, const char *directory, struct modules *modules,
			struct kc_result *result, struct kc_error *err)
{
	int fd = kc_volume_open_file(context->volume, directory, O_RDONLY | O_DIRECTORY, err);
	KC_CLEANUP_DIR DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (fd >= 0 && !dir)
		return kc_fd_close(&fd), kc_error_errno(err, ENOMEM, "list `%s`", directory);
	if (fd < 0)
		return fd;
	while ((entry = readdir(dir))) {
		size_t length =
			module_name_length(context->volume, directory, entry->d_name, modules->extensions);
		char name[NAME_MAX + 1];
		const char *why;

		(void)snprintf(name, sizeof(name), "%.*s", (int)length, entry->d_name);
		why = kc_policy_why_not_imported(context->policy, name);
		if (why)
			kc_result_property(result, name, "not imported: %s", why);
		else if (length && !add(modules, name))
			return kc_error_set(err, E2BIG, "list `%s`: more than %d modules", directory,
					    MAX_MODULES);
	}
	return 0;
}

/* The modules that the policy wants, on the disk or not. */
static int require_base_modules(const struct kc_case_context *context, struct modules *modules,
				struct kc_error *err)
{
	KC_CLEANUP_POLICY_NAMES struct kc_policy_names names = { 0 };
	int status = kc_policy_base_modules(context->policy, context->volume->distro, &names, err);

	for (size_t i = 0; status == 0 && i < names.count; i++) {
		struct module *module = add(modules, names.items[i]);

		if (!module)
			return kc_error_set(err, E2BIG, "base modules: more than %d", MAX_MODULES);
		module->must = true;
	}
	return status;
}

/* What stands between two marks in a line; NULL if that is not a whole line of ours. */
static char *between(char *line, const char *mark)
{
	size_t length = strlen(line), around = strlen(mark) + 1;

	if (length <= 2 * around || strncmp(line, mark, around - 1) != 0 || line[around - 1] != ' ' ||
	    line[length - around] != ' ' || strcmp(line + length - around + 1, mark) != 0)
		return NULL;
	line[length - around] = '\0';
	return line + around;
}

/* What modules.py says: "plan|try|ok|no NAME [REASON]" and "end COUNT". Returns true at the end line; *ret_trying is the
 * module that was being imported when the lines stopped. Modules that are built in appear here first. */
static bool take_report(char *text, const char *mark, struct modules *modules, struct module **ret_trying)
{
	bool ended = false;
	char *rest = text;

	*ret_trying = NULL;
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		char verb[8], name[96];
		const char *words = between(line, mark);
		int reason = 0;
		struct module *module;

		if (!words || sscanf(words, "%7s %95s %n", verb, name, &reason) != 2)
			continue;
		ended = strcmp(verb, "end") == 0;
		module = ended ? NULL : add(modules, name);
		if (!module)
			continue;
		modules->has_built_in |= strcmp(verb, "plan") == 0;
		*ret_trying = strcmp(verb, "try") == 0 ? module : NULL;
		module->reported = strcmp(verb, "ok") == 0 || strcmp(verb, "no") == 0;
		if (strcmp(verb, "no") == 0)
			(void)snprintf(module->reason, sizeof(module->reason), "%s", words + reason);
	}
	return ended;
}

static bool all_reported(const struct modules *modules)
{
	for (size_t i = 0; i < modules->count; i++)
		if (!modules->list[i].reported)
			return false;
	return true;
}

/* Why the lines stopped: at the import of `trying`, or before the first. 0 if the other modules can be tried without it;
 * negative: the verdict is in. */
static int judge_stop(const struct kc_program *program, struct kc_case_context *context,
		      struct module *trying, struct kc_result *result)
{
	struct kc_result scratch;
	char what[128];

	(void)snprintf(what, sizeof(what), "import %s", trying ? trying->name : "modules");
	/* Nothing can be tried after the case's time. */
	if (program->outcome.end == KC_END_TIMEOUT || !trying) {
		if (kc_program_succeeded(program, context, what, result))
			kc_result_fail(result, "every import is reported",
				       "the interpreter ended before the first",
				       "the interpreter ended early, with exit status 0");
		/* The other stream is lines for us. */
		kc_result_output(result, kc_buffer_string(&program->errors), program->errors.length);
		return -ECHILD;
	}
	kc_result_init(&scratch);
	(void)kc_program_succeeded(program, context, what, &scratch);
	(void)snprintf(trying->reason, sizeof(trying->reason), "the interpreter died: %s",
		       scratch.got ? scratch.got : "exit status 0");
	kc_result_release(&scratch);
	trying->reported = true;
	trying->must = true;
	return 0;
}

/* One interpreter, which imports what has not been reported yet. 1 when all were; 0 after a crash, or when lines were lost
 * because there were too many; negative: the verdict is in. */
static int import_round(struct kc_case_context *context, struct modules *modules, const char *script,
			struct kc_result *result)
{
	const char *argv[MAX_MODULES + 8] = { KC_PYTHON, "-c", script };
	KC_CLEANUP_PROGRAM struct kc_program program = { 0 };
	struct module *trying = NULL;
	struct kc_error err = { 0 };
	unsigned long long nonce = 0;
	size_t count = 3;
	char mark[32];

	/* Unpredictable, so that no module can speak in our name. */
	if (getrandom(&nonce, sizeof(nonce), 0) != (ssize_t)sizeof(nonce))
		return kc_error_errno(NULL, errno, "getrandom");
	(void)snprintf(mark, sizeof(mark), "%016llx", nonce);
	argv[count++] = mark;
	for (size_t i = 0; i < modules->count; i++)
		if (!modules->list[i].reported)
			argv[count++] = modules->list[i].name;
	/* Once: a built-in module that ends the interpreter must not be asked for again. */
	if (modules->extensions && !modules->has_built_in)
		argv[count++] = "--builtin";
	argv[count] = NULL;
	if (kc_program_run(context, argv, kc_environment_plain, &program, &err) < 0) {
		kc_result_broken_by(result, &err);
		return err.code;
	}
	if (program.output.data && take_report(program.output.data, mark, modules, &trying))
		return all_reported(modules);
	return judge_stop(&program, context, trying, result);
}

/* Modules that do not import inform: as many as a report has room for. */
static void list_reasons(const struct modules *modules, struct kc_result *result)
{
	size_t importable = 0, listed = 0, reported = 0;

	for (size_t i = 0; i < modules->count; i++) {
		const struct module *module = &modules->list[i];

		reported += module->reported;
		importable += module->reported && !module->reason[0];
		if (module->reason[0] && listed++ < MAX_LISTED)
			kc_result_property(result, module->name, "not importable: %s", module->reason);
	}
	if (listed > MAX_LISTED)
		kc_result_property(result, "not-listed", "%zu more that are not importable",
				   listed - MAX_LISTED);
	kc_result_property(result, "importable", "%zu of %zu", importable, modules->count);
	if (reported < modules->count)
		kc_result_property(result, "not-tried", "%zu", modules->count - reported);
}

/* Those that must import fail the case. */
static bool judge_required(const struct kc_case_context *context, const struct modules *modules,
			   struct kc_result *result)
{
	for (size_t i = 0; i < modules->count; i++) {
		const struct module *module = &modules->list[i];
		char what[sizeof("import ") + sizeof(module->name)];

		if (!module->reason[0] || !module->must)
			continue;
		(void)snprintf(what, sizeof(what), "import %s", module->name);
		/* No requirement of the volume brings a module of the standard library. */
		if (strncmp(module->reason, "ModuleNotFoundError", strlen("ModuleNotFoundError")) == 0)
			kc_result_fail(result, "importable", module->reason, "%s: %s", what, module->reason);
		else
			kc_program_fail_with(context, what, "importable", module->reason, result);
		return false;
	}
	return true;
}

static void import_all(struct kc_case_context *context, const char *subdirectory, bool extensions,
		       struct kc_result *result)
{
	KC_CLEANUP_FREE struct modules *modules = calloc(1, sizeof(*modules));
	const char *script = NULL;
	struct kc_error err = { 0 };
	size_t script_length;
	char directory[64], version[16];
	int status = 0;

	if (!modules || !kc_embedded_find("cases/modules.py", &script, &script_length)) {
		kc_result_broken(result, "import modules: %s", modules ? "no script" : strerror(ENOMEM));
		return;
	}
	modules->extensions = extensions;
	kc_volume_python_version(context->volume, version);
	if (!*version) {
		fail_without_version(result);
		return;
	}
	(void)snprintf(directory, sizeof(directory), "lib/python%s%s", version, subdirectory);
	/* Volumes whose extensions are all built in have no such directory, or an empty one. */
	if (list_modules(context, directory, modules, result, &err) < 0 &&
	    !(extensions && err.code == -ENOENT)) {
		kc_result_fail(result, "a directory of modules", strerror(-err.code), "%s", err.text);
		return;
	}
	if (!extensions && require_base_modules(context, modules, &err) < 0) {
		kc_result_broken_by(result, &err);
		return;
	}
	for (int rounds = 0; status == 0 && rounds < MAX_ROUNDS; rounds++)
		status = import_round(context, modules, script, result);
	if (status == 0)
		kc_result_fail(result, "modules import", "the interpreter keeps dying",
			       "%d interpreters, and still not every module was imported", MAX_ROUNDS);
	list_reasons(modules, result);
	if (judge_required(context, modules, result) && status > 0)
		kc_result_pass(result);
}

static void standard_library(const struct kc_case *row, struct kc_case_context *context,
			     struct kc_result *result)
{
	import_all(context, "", false, result);
}

static void extension_modules(const struct kc_case *row, struct kc_case_context *context,
			      struct kc_result *result)
{
	import_all(context, "/lib-dynload", true, result);
}

static const struct kc_case cases[] = {
	{ KC_CASE("version"), .what = "`python -V` is the version that the volume promises",
	  .run = python_version, .timeout_ms = 20000 },
	{ KC_CASE("standard-library"),
	  .what = "every module of the standard library imports, or is listed with the reason",
	  .run = standard_library, .timeout_ms = 60000 },
	{ KC_CASE("extension-modules"),
	  .what = "every extension in lib-dynload or built in imports, or is listed with the reason",
	  .run = extension_modules, .timeout_ms = 60000 },
};

const struct kc_case_table kc_cases_python = {
	.group = "python", .file = __FILE__, .rows = cases, .count = KC_ARRAY_LENGTH(cases)
};
