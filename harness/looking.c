#include "looking.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "reporting.h"
#include "run/inputs.h"
#include "sys/file.h"
#include "waiting.h"

#define JSON_LIMIT (256u << 20)

/* What a command line asks for: of this machine's architecture or of `--arch`, and who waits is told. */
struct looking {
	struct kc_waiting waiting;
	struct utsname machine;
	struct kc_inputs_request request;
};

static int begin(struct looking *looking, struct kc_store *store, const struct kc_options *options,
		 const char *name, struct kc_error *err)
{
	looking->waiting = (struct kc_waiting){ .is_tty = kc_reporting_is_terminal(STDERR_FILENO),
						.quiet = options->quiet };
	if (uname(&looking->machine) < 0)
		return kc_error_errno(err, errno, "ask for this machine's architecture");
	looking->request = (struct kc_inputs_request){ .volume = name,
						       .is_offline = options->offline,
						       .progress = kc_waiting_download,
						       .context = &looking->waiting };
	looking->request.architecture =
		options->arch ? kc_arch_choices[options->arch] : looking->machine.machine;
	store->listener = kc_waiting_work;
	store->listener_context = &looking->waiting;
	return 0;
}

static void end(struct looking *looking, struct kc_store *store)
{
	store->listener = NULL;
	kc_waiting_end(&looking->waiting);
}

int kc_look_open(struct kc_store *store, const struct kc_options *options, const char *name,
		 struct kc_volume *volume, struct kc_error *err)
{
	struct looking looking;
	int status = begin(&looking, store, options, name, err);

	if (status < 0)
		return status;
	status = kc_inputs_open_volume(store, &looking.request, volume, err);
	end(&looking, store);
	return status;
}

int kc_look_fetch(const struct kc_options *options, const char *name, char ret_path[PATH_MAX],
		  struct kc_error *err)
{
	KC_CLEANUP(kc_store_close) struct kc_store store = { .fd = -1 };
	struct looking looking;
	int status = kc_store_open(&store, err);

	if (status == 0)
		status = begin(&looking, &store, options, name, err);
	if (status < 0)
		return status;
	status = kc_inputs_fetch_wheel(&store, &looking.request, name, ret_path, err);
	end(&looking, &store);
	return status;
}

int kc_look(const struct kc_options *options, const char *volume, struct kc_contents *ret_contents,
	    struct kc_error *err)
{
	KC_CLEANUP(kc_store_close) struct kc_store store = { .fd = -1 };
	KC_CLEANUP(kc_volume_release) struct kc_volume opened = { 0 };
	int status = kc_store_open(&store, err);

	if (status == 0)
		status = kc_look_open(&store, options, volume, &opened, err);
	return status < 0 ? status : kc_contents_take(&opened, ret_contents, err);
}

int kc_look_write_json(const cJSON *json, const char *path, struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(JSON_LIMIT);
	KC_CLEANUP_FREE char *printed = cJSON_Print(json);
	int status = printed ? kc_buffer_printf(&text, "%s\n", printed) : -ENOMEM;

	if (status < 0)
		return kc_error_errno(err, status, "write `%s`", path);
	status = kc_file_check_replaceable(path, err);
	return status < 0 ? status : kc_file_write_atomic(AT_FDCWD, path, text.data, text.length, 0644, err);
}
