#include "commands.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "archive/store.h"
#include "image/image.h"
#include "image/inventory.h"
#include "output.h"
#include "sys/signals.h"
#include "waiting.h"

#define TEXT_LIMIT (1u << 20)

static bool is_interrupted(void *context)
{
	return kc_signals_caught() != 0;
}

static void on_progress(void *context, int64_t bytes, int64_t total)
{
	kc_waiting_download(context, "a part of the image", bytes, total);
}

static int say(const char *name, const char *what, struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(TEXT_LIMIT);
	int status = kc_output_row(&text, name, what);

	return status < 0 ? kc_error_errno(err, status, "say what was done") : kc_output_write(&text, err);
}

static int pull(struct kc_store *store, const struct kc_options *options, const char *image,
		struct kc_error *err)
{
	struct kc_waiting waiting = { .is_tty = isatty(STDERR_FILENO) == 1, .quiet = options->quiet };
	const struct kc_image_request request = {
		.image = image,
		.architecture = options->arch ? kc_arch_choices[options->arch] : NULL,
		.require_real = options->require_real,
		.renew = true,
		.http = { .is_interrupted = is_interrupted, .progress = on_progress, .context = &waiting }
	};
	KC_CLEANUP_IMAGE struct kc_image pulled = { .digest = "" };
	char what[256];
	int status;

	store->listener = kc_waiting_work;
	store->listener_context = &waiting;
	status = kc_image_open(store, &request, &pulled, err);
	kc_waiting_end(&waiting);
	if (status < 0)
		return status;
	(void)snprintf(what, sizeof(what), "%s %s, %s, %s, %s", pulled.libc_family, pulled.libc_version,
		       pulled.architecture, pulled.fidelity, pulled.digest);
	return say(pulled.name, what, err);
}

static int remove_image(struct kc_store *store, const struct kc_options *options, const char *image,
			struct kc_error *err)
{
	size_t count;
	char what[64];
	int status = kc_inventory_remove(store, image, &count, err);

	(void)snprintf(what, sizeof(what), "%zu items removed", status < 0 ? 0 : count);
	return status < 0 ? status : say(image, what, err);
}

static int prune(struct kc_store *store, struct kc_error *err)
{
	size_t count;
	char what[64];
	int status = kc_inventory_prune(store, &count, err);

	(void)snprintf(what, sizeof(what), "%zu items removed", status < 0 ? 0 : count);
	return status < 0 ? status : say("prune", what, err);
}

static int usage(const char *operand, const char *what, struct kc_error *err)
{
	int status = kc_error_set(err, EINVAL, "images %s: %s", operand, what);

	kc_error_hint(err, "see `krunner-compat help images`");
	if (err)
		err->kind = KC_ERROR_USAGE;
	return status;
}

static int check_usage(const struct kc_options *options, struct kc_error *err)
{
	bool is_prune = strcmp(options->operand, "prune") == 0;

	if (is_prune && options->operand_count > 1)
		return usage(options->operand, "it takes no IMAGE", err);
	if (!is_prune && options->operand_count == 1)
		return usage(options->operand, "IMAGE is missing", err);
	return 0;
}

static int obey(struct kc_store *store, const struct kc_options *options, struct kc_error *err)
{
	bool is_pull = strcmp(options->operand, "pull") == 0;
	int status = 0;

	if (strcmp(options->operand, "prune") == 0)
		return prune(store, err);
	for (size_t i = 1; status == 0 && i < options->operand_count; i++)
		status = (is_pull ? pull : remove_image)(store, options, options->operands[i], err);
	return status;
}

int kc_command_images(const struct kc_options *options, enum kc_exit *ret_exit, struct kc_error *err)
{
	KC_CLEANUP(kc_store_close) struct kc_store store = { .fd = -1 };
	int status = check_usage(options, err);

	if (status == 0)
		status = kc_store_open(&store, err);
	if (status == 0)
		status = obey(&store, options, err);
	if (status == 0)
		*ret_exit = KC_EXIT_PASSED;
	return status;
}
