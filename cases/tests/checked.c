#include "cases/tests/checked.h"

#include <errno.h>
#include <fcntl.h>
#include <libxml/parser.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "archive/volume.h"
#include "image/image.h"
#include "net/index.h"
#include "sys/file.h"
#include "sys/process.h"

#define PATIENCE_MS 120000
#define OUTPUT_LIMIT (4u << 20)
#define COULD_NOT_RUN 99 /* no exit status of the program */

/* --- The run --- */

/* In a process of its own, so that several can run at once: kc_process_run waits. */
static int run_here(const char *volume, const char *const words[], const char *directory)
{
	KC_CLEANUP_BUFFER struct kc_buffer errors = KC_BUFFER_INIT(OUTPUT_LIMIT);
	char junit[PATH_MAX + 16], text[PATH_MAX + 16];
	const char *argv[8 + KC_CHECKED_WORDS] = { KC_TEST_PROGRAM, "run",     "centos7", "--volume",
						   volume,	    "--junit", junit };
	const struct kc_process process = {
		.argv = argv, .timeout_ms = PATIENCE_MS, .errors = &errors, .output = &errors
	};
	struct kc_error err = { 0 };
	int exit_status = COULD_NOT_RUN;

	(void)snprintf(junit, sizeof(junit), "%s/junit.xml", directory);
	(void)snprintf(text, sizeof(text), "%s/errors.txt", directory);
	for (size_t i = 0; words && words[i]; i++)
		argv[7 + i] = words[i];
	if (kc_process_run(&process, &exit_status, &err) < 0) {
		exit_status = COULD_NOT_RUN;
		if (kc_buffer_append_string(&errors, err.text) < 0)
			return exit_status;
	}
	if (kc_file_write_atomic(AT_FDCWD, text, kc_buffer_string(&errors), errors.length, 0600, NULL) < 0)
		return COULD_NOT_RUN;
	return exit_status;
}

int kc_checked_start(const char *volume, const char *const words[], struct kc_checked *ret_checked,
		     struct kc_error *err)
{
	pid_t starter = getpid();
	int status;

	*ret_checked = (struct kc_checked){ .errors = KC_BUFFER_INIT(OUTPUT_LIMIT) };
	status = kc_temporary_make(&ret_checked->directory, err);
	if (status < 0)
		return status;
	ret_checked->pid = fork();
	if (ret_checked->pid < 0) {
		ret_checked->pid = 0;
		return kc_error_errno(err, errno, "fork");
	}
	if (ret_checked->pid > 0)
		return 0;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != starter)
		_exit(COULD_NOT_RUN);
	_exit(run_here(volume, words, ret_checked->directory.path));
}

int kc_checked_finish(struct kc_checked *checked, struct kc_error *err)
{
	char path[PATH_MAX + 16];
	pid_t ended;
	int status;

	do
		ended = waitpid(checked->pid, &status, 0);
	while (ended < 0 && errno == EINTR);
	if (ended < 0)
		return kc_error_errno(err, errno, "wait for a run");
	checked->pid = 0;
	checked->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	(void)snprintf(path, sizeof(path), "%s/errors.txt", checked->directory.path);
	if (kc_file_read(AT_FDCWD, path, &checked->errors, err) < 0)
		return err->code;
	(void)snprintf(path, sizeof(path), "%s/junit.xml", checked->directory.path);
	checked->report = xmlReadFile(path, NULL, XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
	return 0;
}

void kc_checked_release(struct kc_checked *checked)
{
	if (checked->pid > 0 && kill(checked->pid, SIGKILL) == 0)
		(void)waitpid(checked->pid, NULL, 0); /* our own child: it can be waited for */
	kc_temporary_remove(&checked->directory);
	kc_buffer_release(&checked->errors);
	xmlFreeDoc(checked->report);
	*checked = (struct kc_checked){ 0 };
}

/* --- Its report --- */

/* libxml2's own BAD_CAST drops the const. */
static const xmlChar *xml(const char *text)
{
	return (const xmlChar *)text;
}

static bool is_element(const xmlNode *node, const char *name)
{
	return node->type == XML_ELEMENT_NODE && xmlStrEqual(node->name, xml(name));
}

static xmlNode *first_child(const xmlNode *node, const char *name)
{
	xmlNode *child = node ? node->children : NULL;

	while (child && !is_element(child, name))
		child = child->next;
	return child;
}

/* The programs that are tested here write one suite. */
xmlNode *kc_checked_next(const struct kc_checked *checked, xmlNode *previous)
{
	xmlNode *root = checked->report ? xmlDocGetRootElement(checked->report) : NULL;
	xmlNode *next = previous ? previous->next : first_child(first_child(root, "testsuite"), "testcase");

	while (next && !is_element(next, "testcase"))
		next = next->next;
	return next;
}

static bool attribute_is(xmlNode *node, const char *name, const char *wanted, size_t length)
{
	xmlChar *value = xmlGetProp(node, xml(name));
	bool is = value && strlen((const char *)value) == length && memcmp(value, wanted, length) == 0;

	xmlFree(value);
	return is;
}

/* Names have no dot; class names have one. */
xmlNode *kc_checked_find(const struct kc_checked *checked, const char *identity)
{
	const char *dot = strrchr(identity, '.');
	xmlNode *node = kc_checked_next(checked, NULL);

	while (node && !(attribute_is(node, "classname", identity, (size_t)(dot - identity)) &&
			 attribute_is(node, "name", dot + 1, strlen(dot + 1))))
		node = kc_checked_next(checked, node);
	return node;
}

static const struct {
	const char *element;
	enum kc_verdict verdict;
} verdicts[] = {
	{ "failure", KC_FAIL },
	{ "error", KC_BROKEN },
	{ "skipped", KC_SKIP },
};

enum kc_verdict kc_checked_verdict(xmlNode *testcase)
{
	for (size_t i = 0; testcase && i < KC_ARRAY_LENGTH(verdicts); i++)
		if (first_child(testcase, verdicts[i].element))
			return verdicts[i].verdict;
	return testcase ? KC_PASS : KC_BROKEN;
}

unsigned int kc_checked_count(const struct kc_checked *checked, enum kc_verdict verdict)
{
	unsigned int count = 0;

	for (xmlNode *node = NULL; (node = kc_checked_next(checked, node));)
		count += kc_checked_verdict(node) == verdict;
	return count;
}

void kc_checked_say(xmlNode *testcase, char *ret_text, size_t size)
{
	xmlNode *element = NULL;
	xmlChar *message, *text;

	*ret_text = '\0';
	for (size_t i = 0; !element && i < KC_ARRAY_LENGTH(verdicts); i++)
		element = first_child(testcase, verdicts[i].element);
	if (!element)
		return;
	message = xmlGetProp(element, xml("message"));
	text = xmlNodeGetContent(element);
	(void)snprintf(ret_text, size, "%s\n%s", message ? (const char *)message : "",
		       text ? (const char *)text : "");
	xmlFree(message);
	xmlFree(text);
}

void kc_checked_identity(xmlNode *testcase, char *ret_identity, size_t size)
{
	xmlChar *classname = xmlGetProp(testcase, xml("classname"));
	xmlChar *name = xmlGetProp(testcase, xml("name"));

	(void)snprintf(ret_identity, size, "%s.%s", classname ? (const char *)classname : "",
		       name ? (const char *)name : "");
	xmlFree(classname);
	xmlFree(name);
}

void kc_checked_property(xmlNode *testcase, const char *name, char *ret_value, size_t size)
{
	xmlNode *node = first_child(first_child(testcase, "properties"), "property");
	xmlChar *value;

	while (node && !(is_element(node, "property") && attribute_is(node, "name", name, strlen(name))))
		node = node->next;
	value = node ? xmlGetProp(node, xml("value")) : NULL;
	(void)snprintf(ret_value, size, "%s", value ? (const char *)value : "");
	xmlFree(value);
}

double kc_checked_number(xmlNode *testcase, const char *name)
{
	char value[64], *end;
	double number;

	kc_checked_property(testcase, name, value, sizeof(value));
	number = strtod(value, &end);
	return end > value && (!*end || *end == ' ') ? number : -1; /* "20.001 s (promised: ...)" */
}

/* --- What it runs on --- */

static void close_store(struct kc_store *store)
{
	kc_store_close(store);
}

int kc_released_wheel(const char *version, char ret_path[PATH_MAX], struct kc_error *err)
{
	KC_CLEANUP(close_store) struct kc_store store = { .fd = -1 };
	struct kc_index_wheel wheel;
	struct kc_index_spec spec;
	struct utsname machine;
	char text[128];
	int status = kc_store_open(&store, err);

	(void)snprintf(text, sizeof(text), "backend.ai-krunner-static-gnu==%s", version);
	if (status == 0)
		status = kc_index_spec_parse(text, &spec, err);
	if (status < 0)
		return status;
	if (uname(&machine) < 0)
		return kc_error_errno(err, errno, "ask for this machine's architecture");
	status = kc_index_fetch(&spec, machine.machine, store.path, NULL, &wheel, err);
	if (status == 0)
		(void)snprintf(ret_path, PATH_MAX, "%s", wheel.path);
	return status;
}

int kc_released_tree(char ret_tree[PATH_MAX], struct kc_error *err)
{
	KC_CLEANUP(close_store) struct kc_store store = { .fd = -1 };
	KC_CLEANUP(kc_volume_release) struct kc_volume volume = { 0 };
	KC_CLEANUP_IMAGE struct kc_image image = { 0 };
	char path[PATH_MAX];
	int status = kc_released_wheel("4.4.0", path, err);

	if (status == 0)
		status = kc_store_open(&store, err);
	if (status == 0)
		status = kc_image_open(&store, &(struct kc_image_request){ .image = "centos7" }, &image, err);
	if (status == 0)
		status = kc_volume_open(&store, path, &volume, err);
	if (status == 0)
		memcpy(ret_tree, volume.tree, sizeof(volume.tree));
	return status;
}

bool kc_is_offline(const struct kc_error *err)
{
	static const int codes[] = { ENETUNREACH, EHOSTUNREACH, ECONNREFUSED, ETIMEDOUT };

	for (size_t i = 0; i < KC_ARRAY_LENGTH(codes); i++)
		if (err->code == -codes[i])
			return true;
	return false;
}
