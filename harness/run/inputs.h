/*
 * What a run works on: the volume, the images, the policy, the sandbox's filter, and the facts about them that reports name.
 *
 * With one image, what is wrong with it is an error. With several, one that cannot be had does not stop the others: why is kept.
 *
 * Life cycle: 1. kc_inputs_open  2. read  3. kc_inputs_release (idempotent, fit for a zeroed object).
 */
#ifndef KC_RUN_INPUTS_H
#define KC_RUN_INPUTS_H

#include <stdbool.h>

#include "archive/store.h"
#include "archive/volume.h"
#include "base/error.h"
#include "compat/policy.h"
#include "image/image.h"
#include "image/reference.h"
#include "reports/result.h"
#include "run/context.h"
#include "sandbox/emulator.h"
#include "sandbox/seccomp.h"

#define KC_INPUTS_FACTS 32

#define KC_INPUTS_ALL "all" /* stands for the images that a volume of that kind must pass on */

struct kc_inputs_request {
	const char *const
		*images; /* as image/reference.h says it; or KC_INPUTS_ALL alone, which wants `volume` */
	size_t image_count;
	/* "pypi:NAME[==VERSION]", or the path of an archive, wheel or directory; NULL: the newest wheel whose volume is made for
	 * the images' C library */
	const char *volume;
	const char *architecture; /* of image and volume, as uname(2) says it; NULL: this machine's */
	bool force;		  /* a volume and an image that cannot work together are run all the same */
	bool is_offline;	  /* nothing is downloaded */
	const char *kit;	  /* digest of what is checked, a fact of the run */
	const char *shard;	  /* "2/5", a fact of the run; NULL or "": it is whole */
	bool require_real;	  /* an emulated image will not do */
	enum kc_time time;
	bool is_traced; /* strace traces every program: virtual time is not to be had */
	bool plan_only; /* nothing will run: no image of images/ is made, and without `volume` no wheel is fetched */
	/* Told what takes long before the cases can run; both may be NULL. Of a download: bytes so far, of total, -1 while
	 * that is not known. */
	void (*progress)(void *context, const char *what, int64_t bytes, int64_t total);
	kc_store_listener *listener;
	void *context; /* of both */
};

/* One image of a run. */
struct kc_inputs_image {
	char *text;		       /* as it was asked for */
	char name[KC_IMAGE_NAME_SIZE]; /* for reports and identities */
	const char *source; /* KC_IMAGE_SOURCE_DEFINED, or the scheme by which the user brings it */
	char definition[KC_SHA256_HEX_SIZE]; /* of the text of its definition; "" if the user brings it */
	char libc_family[8];		     /* "glibc" or "musl"; "" while nobody knows */
	struct kc_image image;
	struct kc_error failure; /* why it cannot be had; code 0: it can */
	bool is_unreachable;	 /* and that is the network's affair, not its own */
	struct kc_property facts[KC_INPUTS_FACTS];
	size_t fact_count;
};

struct kc_inputs {
	struct kc_store store;
	struct kc_policy *policy;
	struct kc_seccomp_filter filter;
	char architecture[72];	     /* of images and volume, as uname(2) says it */
	struct kc_emulator emulator; /* open if this machine does not run the architecture itself */
	enum kc_time time;	     /* that programs are watched in */
	struct kc_error
		untimed; /* why it is not virtual, though that was asked for; code 0: nothing is wrong */
	const char *kit, *shard; /* of the request, borrowed */
	struct kc_volume volume;
	struct kc_inputs_image *images;
	size_t image_count;
	bool has_wheel;
	struct kc_policy_names promised; /* modules */
	struct kc_policy_names cpu_levels;
};

/* The path of the wheel of "pypi:NAME[==VERSION]" for the request's architecture, in the store, downloaded if need be. */
int kc_inputs_fetch_wheel(const struct kc_store *store, const struct kc_inputs_request *request,
			  const char *spec_text, char ret_path[PATH_MAX], struct kc_error *err)
	__attribute__((warn_unused_result));

/* Opens `request->volume` alone, which must not be NULL, and neither must `request->architecture`; downloads it if need be. Of the rest
 * only is_offline and `progress` count. `store` stays the caller's. */
int kc_inputs_open_volume(struct kc_store *store, const struct kc_inputs_request *request,
			  struct kc_volume *ret_volume, struct kc_error *err)
	__attribute__((warn_unused_result));

/* What the sandboxes of these inputs are to be given; NULL: no emulator. */
const struct kc_emulator *kc_inputs_emulator(const struct kc_inputs *inputs);

/* -EXDEV: this volume cannot work on one of the images or this machine, in one sentence; not with `force`. Other errors are those of the
 * parts. */
int kc_inputs_open(struct kc_inputs *inputs, const struct kc_inputs_request *request, struct kc_error *err)
	__attribute__((warn_unused_result));
/* Tries a sandbox with everything but a program, and notes how it limits processes and memory: a machine that cannot make one is
 * told so once, before any case. With no image that can be had there is nothing to try. Not after plan_only. */
int kc_inputs_probe(struct kc_inputs *inputs, struct kc_error *err) __attribute__((warn_unused_result));

void kc_inputs_release(struct kc_inputs *inputs);

#endif
