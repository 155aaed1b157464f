#include "state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "sys/file.h"

static int find(const char *file, char ret_path[PATH_MAX], struct kc_error *err)
{
	static const struct {
		const char *variable, *below;
	} places[] = { { "XDG_STATE_HOME", "/krunner-compat" }, { "HOME", "/.local/state/krunner-compat" } };

	for (size_t i = 0; i < KC_ARRAY_LENGTH(places); i++) {
		const char *base = getenv(places[i].variable);
		int length;

		if (!base || base[0] != '/')
			continue; /* relative ones are to be ignored, says the specification */
		length = snprintf(ret_path, PATH_MAX, "%s%s%s", base, places[i].below, file);
		if (length > 0 && length < PATH_MAX)
			return 0;
	}
	return kc_error_set(err, ENOENT, "neither XDG_STATE_HOME nor HOME names a directory");
}

int kc_state_path(char ret_path[PATH_MAX], struct kc_error *err)
{
	return find("/last-run.jsonl", ret_path, err);
}

int kc_state_prepare(char ret_path[PATH_MAX], struct kc_error *err)
{
	int status = find("", ret_path, err);

	if (status == 0)
		status = kc_dir_make(ret_path, err);
	return status < 0 ? status : kc_state_path(ret_path, err);
}
