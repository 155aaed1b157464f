#include "image/apt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sys/file.h"
#include "sys/process.h"

enum { UPDATE_TIMEOUT_MS = 5 * 60 * 1000 };

static const char no_apt_hint[] =
	"the embedded image is made of Debian packages: it needs a Debian or Ubuntu "
	"host with apt-get";

/* apt.conf(5). Read after the host's files, so that it has the last word over everything but hooks, which are
 * lists and have to be cleared. */
static const char common_configuration[] =
	"#clear APT::Update::Pre-Invoke;\n"
	"#clear APT::Update::Post-Invoke;\n"
	"#clear APT::Update::Post-Invoke-Success;\n"
	"#clear APT::Architectures;\n"
	"Acquire::Languages \"none\";\n"
	/* Lists of one architecture stay when those of another are fetched. */
	"APT::Get::List-Cleanup \"false\";\n"
	"Acquire::Retries \"2\";\n"
	/* Our directories are closed to apt's own download user. */
	"APT::Sandbox::User \"root\";\n";

void kc_apt_release(struct kc_apt *apt)
{
	kc_buffer_release(&apt->output);
	kc_buffer_release(&apt->messages);
}

/* apt's directories below ours; apt-get makes none of them itself when unprivileged. */
int kc_apt_make_directories(const char *directory, struct kc_error *err)
{
	static const char *const below[] = { "apt/state/lists/partial", "apt/cache/archives/partial" };
	int status = 0;

	if (directory[strcspn(directory, "\"\\\n")] != '\0')
		return kc_error_set(err, EINVAL, "`%s`: apt cannot work in a path with quotes", directory);
	for (size_t i = 0; status == 0 && i < KC_ARRAY_LENGTH(below); i++) {
		KC_CLEANUP_BUFFER struct kc_buffer path = KC_BUFFER_INIT(PATH_MAX);

		if (kc_buffer_printf(&path, "%s/%s", directory, below[i]) < 0)
			return kc_error_errno(err, ENAMETOOLONG, "create directory `%s`", directory);
		status = kc_dir_make(kc_buffer_string(&path), err);
	}
	return status;
}

/* With the host's lists, or with our own. The host's dpkg status plays no part: it would hold versions back.
 */
int kc_apt_configure(struct kc_apt *apt, bool own_lists, struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(4 * PATH_MAX);
	int written = snprintf(apt->configuration, sizeof(apt->configuration), "%s/apt/%s.conf",
			       apt->directory, own_lists ? "own" : "host");
	int status = kc_buffer_printf(&text,
				      "%sAPT::Architecture \"%s\";\nAPT::Architectures { \"%s\"; };\n"
				      "Dir::Cache \"%s/apt/cache\";\nDir::State::status \"%s/apt/status\";\n",
				      common_configuration, apt->architecture, apt->architecture,
				      apt->directory, apt->directory);

	if (own_lists && status == 0)
		status = kc_buffer_printf(&text,
					  "Dir::State \"%s/apt/state\";\nDir::State::Lists \"lists/\";\n",
					  apt->directory);
	if (status < 0 || written < 0 || (size_t)written >= sizeof(apt->configuration))
		return kc_error_errno(err, ENAMETOOLONG, "configure apt in `%s`", apt->directory);
	return kc_file_write_atomic(AT_FDCWD, apt->configuration, text.data, text.length, 0600, err);
}

/* The last line of what apt-get complained about, without its colon-separated severity. */
static const char *last_complaint(struct kc_apt *apt)
{
	char *text = apt->messages.data, *line;

	while (apt->messages.length > 0 && text[apt->messages.length - 1] == '\n')
		text[--apt->messages.length] = '\0';
	if (apt->messages.length == 0)
		return "it says nothing";
	line = strrchr(text, '\n');
	line = line ? line + 1 : text;
	return strncmp(line, "E: ", 3) == 0 ? line + 3 : line;
}

static int explain(struct kc_apt *apt, const char *command, struct kc_error *err)
{
	/* Asked for in English: LC_ALL below. The store has the hint for it. */
	bool is_full = apt->messages.length > 0 && strstr(kc_buffer_string(&apt->messages), "No space left");
	int status =
		kc_error_set(err, is_full ? ENOSPC : EIO, "apt-get %s: %.600s", command, last_complaint(apt));

	if (!is_full)
		kc_error_hint(err, "check the network, the proxy, and that `apt-get update` works");
	return status;
}

/* apt-get's own arguments first, then `names` of which each may bear a version. */
int kc_apt_run(struct kc_apt *apt, const char *const first[], const char *const *names, size_t count,
	       const char *directory, int64_t timeout_ms, struct kc_error *err)
{
	static const char *const environment[] = { "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive", NULL };
	KC_CLEANUP_FREE const char **arguments = calloc(count + 16, sizeof(*arguments));
	struct kc_process process = { .environment = environment,
				      .directory = directory,
				      .timeout_ms = timeout_ms,
				      .output = &apt->output,
				      .errors = &apt->messages };
	size_t used = 0;
	int exit_status = 0, status;

	if (!arguments)
		return kc_error_errno(err, ENOMEM, "run apt-get");
	arguments[used++] = "apt-get";
	arguments[used++] = "-qq";
	arguments[used++] = "-c";
	arguments[used++] = apt->configuration;
	for (size_t i = 0; first[i]; i++)
		arguments[used++] = first[i];
	for (size_t i = 0; i < count; i++)
		arguments[used++] = names[i];
	kc_buffer_clear(&apt->output);
	kc_buffer_clear(&apt->messages);
	process.argv = arguments;
	status = kc_process_run(&process, &exit_status, err);
	if (status == -ENOENT)
		kc_error_hint(err, "%s", no_apt_hint);
	if (status < 0)
		return status;
	return exit_status != 0 ? explain(apt, first[0], err) : 0;
}

/* apt-get update succeeds or not as the host's sources, all of them, do; what counts is whether the packages
 * are known after it. */
int kc_apt_update(struct kc_apt *apt, struct kc_error *err)
{
	static const char *const arguments[] = { "update", NULL };
	struct kc_error ignored = { 0 };
	int status = kc_apt_configure(apt, true, err);

	if (status == 0 &&
	    kc_apt_run(apt, arguments, NULL, 0, NULL, UPDATE_TIMEOUT_MS, &ignored) == -ENOENT) {
		*err = ignored;
		status = ignored.code;
	}
	return status;
}
