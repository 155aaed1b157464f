#include "commands.h"

#include "output.h"
#include "run/scratch.h"

static int temporary_directory(struct kc_error *err)
{
	struct kc_scratch scratch = KC_SCRATCH_INIT;
	int status = kc_scratch_make(&scratch, false, err);

	return status < 0 ? status : kc_scratch_release(&scratch, err);
}

/* What a run needs, in the order in which it needs it. */
static const struct {
	const char *what;
	int (*probe)(struct kc_error *err);
} probes[] = {
	{ "make a temporary directory", temporary_directory },
};

static int append_probe(struct kc_buffer *text, const char *what, const struct kc_error *err)
{
	int status = kc_output_row(text, what, err->code ? err->text : "ok");

	return status < 0 || !err->hint[0] ? status : kc_output_row(text, "", err->hint);
}

int kc_command_doctor(const struct kc_options *options, enum kc_exit *ret_exit, struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(1u << 20);
	enum kc_exit exit_status = KC_EXIT_PASSED;
	int status = 0;

	(void)options;
	for (size_t i = 0; status == 0 && i < KC_ARRAY_LENGTH(probes); i++) {
		struct kc_error found = { 0 };

		if (probes[i].probe(&found) < 0)
			exit_status = KC_EXIT_NOT_RUN;
		status = append_probe(&text, probes[i].what, &found);
	}
	if (status < 0)
		return kc_error_errno(err, status, "examine this machine");
	status = kc_output_write(&text, err);
	if (status == 0)
		*ret_exit = exit_status;
	return status;
}
