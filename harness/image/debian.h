/*
 * Debian packages: which versions the host's apt offers, fetched and verified, unpacked.
 *
 * apt-get does the work, with the host's sources, keyrings, proxies and lists; nothing of the host is
 * written: caches, and lists where the host's do not do, live in our directory, and the hooks of the host's
 * configuration are cleared. Works as root and unprivileged. Packages are kept in
 * DIRECTORY/NAME_VERSION_ARCHITECTURE.deb and checked against their SHA-256 each time they are read. What apt-get
 * downloads goes to DIRECTORY/partial-PID first, which the janitor or the next run removes after a kill; users of one directory wait for each other on
 * a lock.
 *
 * Life cycle: 1. kc_debian_resolve, or kc_debian_read_json of what an earlier one found  2. kc_debian_fetch
 * 3. kc_debian_unpack, per package  4. kc_debian_release (idempotent, fit for a zeroed object).
 */
#ifndef KC_IMAGE_DEBIAN_H
#define KC_IMAGE_DEBIAN_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#include "archive/extract.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/error.h"

struct kc_debian_package {
	char *name;
	char *version;
	char *file; /* in the directory */
	char sha256[KC_SHA256_HEX_SIZE];
};

struct kc_debian_packages {
	struct kc_debian_package *rows; /* sorted by name */
	size_t count;
};

#define KC_CLEANUP_DEBIAN KC_CLEANUP(kc_debian_release)

/* Asks apt for the newest versions of `names` and their digests; refreshes lists of our own if the host's do
 * not know them all. `directory` is absolute and is made if need be. -ENOENT: no apt-get here, or no such
 * package. */
int kc_debian_resolve(const char *directory, const char *architecture, const char *const *names, size_t count,
		      struct kc_debian_packages *ret_packages, struct kc_error *err)
	__attribute__((warn_unused_result));

/* Makes sure that all are in the directory and intact. -ENOENT: offline, and some are not. */
int kc_debian_fetch(const char *directory, const char *architecture,
		    const struct kc_debian_packages *packages, bool is_offline, struct kc_error *err)
	__attribute__((warn_unused_result));

/* Unpacks the content of one into `tree_fd`. -EBADMSG for a package that is refused. */
int kc_debian_unpack(const char *directory, const struct kc_debian_package *package, int tree_fd,
		     const struct kc_extract_options *options, struct kc_error *err)
	__attribute__((warn_unused_result));

/* What apt-get prints for `download --print-uris`, turned into packages. The text is hostile. */
int kc_debian_parse_uris(const char *text, struct kc_debian_packages *ret_packages, struct kc_error *err)
	__attribute__((warn_unused_result));

/* [{"name", "version", "file", "sha256"}, ...]; NULL when out of memory. The caller deletes it. */
cJSON *kc_debian_write_json(const struct kc_debian_packages *packages);
int kc_debian_read_json(const cJSON *array, struct kc_debian_packages *ret_packages, struct kc_error *err)
	__attribute__((warn_unused_result));

void kc_debian_release(struct kc_debian_packages *packages);

#endif
