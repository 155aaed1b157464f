/*
 * Wheels from a Python package index (simple JSON API, PEP 691), for one machine, verified and cached.
 *
 * A wheel lands in CACHE/downloads/SHA256/FILENAME with a `record.json` beside it (name, version, machine,
 * sha256, filename, index without credentials, format version). A pinned version that is there is taken
 * without asking any index, or pip; its digest is verified each time, and a damaged file is downloaded again.
 * Two processes at once are safe: one downloads, the other waits on a lock (flock) in that directory.
 *
 * The index is trusted for the digest and nothing else: names that become paths are checked, sizes bounded, a
 * file without sha256 is refused.
 */
#ifndef KC_NET_INDEX_H
#define KC_NET_INDEX_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/error.h"
#include "net/http.h"
#include "net/pep440.h"

/* Larger than any krunner wheel by an order of magnitude (2.0 to 4.4: 21 to 50 MB). */
#define KC_INDEX_WHEEL_LIMIT (INT64_C(512) << 20)

struct kc_index_spec {
	char name[KC_NAME_SIZE];	    /* normalised, PEP 503 */
	char version[KC_VERSION_TEXT_SIZE]; /* as written; "" for the newest */
	char sha256
		[KC_SHA256_HEX_SIZE]; /* of the one wheel that will do, for whatever machine it is; "" for any */
};

/* Reads "NAME[==VERSION]", with or without "pypi:" before it. Errors are of kind KC_ERROR_USAGE. */
int kc_index_spec_parse(const char *text, struct kc_index_spec *ret_spec, struct kc_error *err)
	__attribute__((warn_unused_result));

/* A file that an index offers. */
struct kc_index_file {
	char filename[NAME_MAX - 8]; /* room for ".part"; a plain name, safe in a path */
	char version[KC_VERSION_TEXT_SIZE];
	char sha256[KC_SHA256_HEX_SIZE];
	char url[KC_URL_SIZE]; /* absolute; with the credentials of the index if it is the same server */
	int64_t size;	       /* -1 if the index does not say */
};

/* Chooses from the project page `text` (JSON, got from `page_url`): the newest version that has a wheel for
 * `machine` ("x86_64", "aarch64": what a platform tag ends in, or "any"), pre-releases and yanked ones left
 * out; or the pinned version, whatever it is. -ENOENT if there is none such: the message says which versions
 * or machines there are. -EBADMSG for a page that is none. Pure. */
int kc_index_select(const char *text, size_t length, const char *page_url, const struct kc_index_spec *spec,
		    const char *machine, struct kc_index_file *ret_file, struct kc_error *err)
	__attribute__((warn_unused_result));

struct kc_index_options {
	const char *index_url; /* NULL: pip's */
	bool is_offline; /* never use the network: only what is cached, the newest of it if not pinned */
	struct kc_http_options http; /* `ca_file` and `proxy`: pip's where NULL */
};

struct kc_index_wheel {
	char path[PATH_MAX]; /* below CACHE; do not change it */
	char version[KC_VERSION_TEXT_SIZE];
	char sha256[KC_SHA256_HEX_SIZE];
	bool is_cached; /* nothing was downloaded */
};

/* Gets the wheel that `spec` names, for `machine`, into `cache_dir` (absolute; made if missing). `options`
 * may be NULL. Errors as kc_http_download and kc_index_select give them, and -ENOENT for an unknown project
 * or, offline, for what is not cached. */
int kc_index_fetch(const struct kc_index_spec *spec, const char *machine, const char *cache_dir,
		   const struct kc_index_options *options, struct kc_index_wheel *ret_wheel,
		   struct kc_error *err) __attribute__((warn_unused_result));

#endif
