#include "net/pip_config.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "sys/process.h"

enum { PIP_TIMEOUT_MS = 60000, PIP_OUTPUT_LIMIT = 1 << 20 };

#define INDEX_HINT                                                                                           \
	"name the package index in PIP_INDEX_URL (its simple API, ending in /simple), or install "           \
	"python3-pip"

/* `python3 -m pip config list` and `python3 -m pip download --help` in one process: importing pip is what
 * takes the time. The working directory is not searched for modules: it may be anybody's. */
static const char ask_pip[] = "import sys\n"
			      "sys.path[:] = [entry for entry in sys.path if entry]\n"
			      "import runpy\n"
			      "for arguments in ['config', 'list'], ['download', '--help']:\n"
			      "    sys.argv = ['pip', *arguments]\n"
			      "    try:\n"
			      "        runpy.run_module('pip', run_name='__main__', alter_sys=True)\n"
			      "    except SystemExit as ended:\n"
			      "        if ended.code:\n"
			      "            raise\n"
			      "    sys.stdout.flush()\n";

/* A Python string literal as repr() writes it, without escapes that no setting of ours needs. NULL if it is
 * anything else; the caller frees it. */
static char *read_literal(const char *text, size_t length)
{
	KC_CLEANUP_FREE char *value = malloc(length + 1);
	size_t used = 0;

	if (!value || length < 2 || (text[0] != '\'' && text[0] != '"') || text[length - 1] != text[0])
		return NULL;
	for (size_t i = 1; i < length - 1; i++) {
		if (text[i] == '\\' && (i + 2 > length - 1 || !strchr("\\'\"", text[++i])))
			return NULL;
		value[used++] = text[i];
	}
	value[used] = '\0';
	return used ? KC_STEAL(value) : NULL;
}

/* The value of KEY in lines of the form KEY='VALUE'. Newer pips print one such line per configuration file,
 * in the order in which they override each other: the last counts. NULL if there is none; the caller frees
 * it. */
static char *find_setting(const char *text, const char *key)
{
	size_t key_length = strlen(key), value_length = 0;
	const char *value = NULL;

	for (const char *line = text; *line;) {
		size_t length = strcspn(line, "\n");

		if (length > key_length && strncmp(line, key, key_length) == 0 && line[key_length] == '=') {
			value = line + key_length + 1;
			value_length = length - key_length - 1;
		}
		line += length + (line[length] == '\n');
	}
	while (value_length && isspace((unsigned char)value[value_length - 1]))
		value_length--;
	return value ? read_literal(value, value_length) : NULL;
}

/* As pip ranks them for its `download` command: variables, the command's own section, the common one. */
static char *find_ranked(const char *text, const char *name)
{
	static const char *const sections[] = { ":env:.", "download.", "global." };
	char *value = NULL;

	for (size_t i = 0; !value && i < KC_ARRAY_LENGTH(sections); i++) {
		char key[64];

		(void)snprintf(key, sizeof(key), "%s%s", sections[i], name);
		value = find_setting(text, key);
	}
	return value;
}

/* "--index-url <url>   Base URL ... (default URL). ..." The text may be wrapped wherever the terminal's width
 * was not taken from COLUMNS. NULL if it is not there; the caller frees it. */
static char *find_default_index(const char *text)
{
	static const char option[] = "--index-url <url>";
	const char *start = strstr(text, option), *end;
	const char *next_option;
	char *value;
	size_t used = 0;

	if (!start)
		return NULL;
	start += strlen(option);
	next_option = strstr(start, "\n  -");
	start = strstr(start, "(default");
	if (!start || (next_option && start > next_option))
		return NULL;
	start += strlen("(default");
	end = strstr(start, "). ");
	end = end && (!next_option || end < next_option) ? end : strchr(start, ')');
	value = end ? malloc((size_t)(end - start) + 1) : NULL;
	for (const char *next = start; value && next < end; next++)
		if (!isspace((unsigned char)*next))
			value[used++] = *next;
	if (value)
		value[used] = '\0';
	return value;
}

/* pip shows "user:****@host", or "****@host" for a bare token. */
static bool is_redacted(const char *url)
{
	return strstr(url, "****@") != NULL;
}

int kc_pip_config_parse(const char *text, struct kc_pip_config *ret_config, struct kc_error *err)
{
	KC_CLEANUP_PIP_CONFIG struct kc_pip_config config = { 0 };

	config.index_url = find_default_index(text);
	if (!config.index_url || !*config.index_url || is_redacted(config.index_url)) {
		free(config.index_url);
		config.index_url = find_ranked(text, "index-url");
	}
	if (!config.index_url) {
		(void)kc_error_set(err, ENOENT,
				   "ask pip for its package index: no --index-url in what it says");
		kc_error_hint(err, INDEX_HINT);
		return -ENOENT;
	}
	config.cert = find_ranked(text, "cert");
	config.proxy = find_ranked(text, "proxy");
	*ret_config = config;
	config = (struct kc_pip_config){ 0 };
	return 0;
}

static char *copy_variable(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? strdup(value) : NULL;
}

/* The last line that a program printed, which is where Python says what went wrong. */
static void cut_to_last_line(const struct kc_buffer *output, char *ret_line, size_t size)
{
	const char *text = kc_buffer_string(output), *start;
	size_t length = strlen(text);

	while (length && isspace((unsigned char)text[length - 1]))
		length--;
	for (start = text + length; start > text && start[-1] != '\n'; start--)
		;
	(void)snprintf(ret_line, size, "%.*s", (int)(text + length - start), start);
	for (char *next = ret_line; *next; next++)
		if ((unsigned char)*next < ' ' || *next == 127)
			*next = '?';
}

static int run_pip(struct kc_buffer *output, struct kc_error *err)
{
	static const char *const argv[] = { "python3", "-c", ask_pip, NULL };
	/* Help is wrapped at the terminal's width; colour and complaints have no place in it. */
	static const char *const environment[] = {
		"COLUMNS=4000",		  "NO_COLOR=1", "PIP_NO_COLOR=1", "PIP_DISABLE_PIP_VERSION_CHECK=1",
		"PYTHONIOENCODING=utf-8", NULL
	};
	KC_CLEANUP_BUFFER struct kc_buffer errors = KC_BUFFER_INIT(PIP_OUTPUT_LIMIT);
	const struct kc_process process = { .argv = argv,
					    .environment = environment,
					    .timeout_ms = PIP_TIMEOUT_MS,
					    .output = output,
					    .errors = &errors };
	char line[256];
	int exit_status = 0;
	int status = kc_process_run(&process, &exit_status, err);

	if (status == 0 && exit_status != 0) {
		cut_to_last_line(&errors, line, sizeof(line));
		status = kc_error_set(err, ENOENT, "exit status %d: %s", exit_status, line);
	}
	if (status < 0) {
		(void)kc_error_prefix(err, "ask pip for its package index");
		kc_error_hint(err, INDEX_HINT);
	}
	return status;
}

int kc_pip_config_read(struct kc_pip_config *ret_config, struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer output = KC_BUFFER_INIT(PIP_OUTPUT_LIMIT);
	struct kc_pip_config config = { .index_url = copy_variable("PIP_INDEX_URL") };
	int status;

	if (config.index_url) {
		config.cert = copy_variable("PIP_CERT");
		config.proxy = copy_variable("PIP_PROXY");
		*ret_config = config;
		return 0;
	}
	*ret_config = config;
	status = run_pip(&output, err);
	return status < 0 ? status : kc_pip_config_parse(kc_buffer_string(&output), ret_config, err);
}

void kc_pip_config_release(struct kc_pip_config *config)
{
	free(config->index_url);
	free(config->cert);
	free(config->proxy);
	*config = (struct kc_pip_config){ 0 };
}
