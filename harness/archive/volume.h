/*
 * A volume: what is tested. An archive (`krunner-env.*.tar.xz`), a wheel that holds one, or an unpacked
 * directory; told apart by content, not by name.
 *
 * An archive is unpacked into the store once, under its SHA-256, and verified there each time; a directory is
 * used where it is. Either way the volume has a manifest, so that a run can prove that it left it alone.
 *
 * Life cycle: 1. kc_volume_open  2. read the fields  3. kc_volume_verify, repeatable  4. kc_volume_release
 * (idempotent, fit for a zeroed object). What is in the tree is hostile, and absolute links in it are meant for the
 * container: open nothing in it but with kc_volume_open_file.
 */
#ifndef KC_ARCHIVE_VOLUME_H
#define KC_ARCHIVE_VOLUME_H

#include <limits.h>

#include "archive/store.h"
#include "archive/wheel.h"
#include "base/buffer.h"
#include "base/digest.h"
#include "base/error.h"

/* Where containers see the volume; links inside may point there (static-gnu 1.0.0 and 4.1.0 do). */
#define KC_VOLUME_MOUNT_POINT "/opt/backend.ai"

enum kc_volume_kind { KC_VOLUME_ARCHIVE, KC_VOLUME_WHEEL, KC_VOLUME_DIRECTORY };

struct kc_volume {
	enum kc_volume_kind kind;
	char path[PATH_MAX];		 /* as given */
	char tree[PATH_MAX];		 /* absolute: the unpacked volume */
	char sha256[KC_SHA256_HEX_SIZE]; /* of the tar.xz; of a directory, of its manifest */
	char name[NAME_MAX + 1];	 /* of the tar.xz; of a directory, its own */
	char distro[KC_WHEEL_WORD_SIZE]; /* from the archive's name; "" if that does not say */
	char arch[KC_WHEEL_WORD_SIZE];	 /* likewise, else from the interpreter's ELF header; or "" */
	char key[sizeof("volume-") + KC_SHA256_HEX_SIZE]; /* in the store; "" for a directory */
	struct kc_wheel wheel;				  /* all empty when there is no wheel */
	struct kc_buffer manifest;			  /* sealed */
};

/* Errors are one line and say what to do where there is something to do: no such file, not readable, empty,
 * not an archive, a wheel without a volume, truncated or corrupt, no space. On failure *ret_volume is
 * untouched. */
int kc_volume_open(struct kc_store *store, const char *path, struct kc_volume *ret_volume,
		   struct kc_error *err) __attribute__((warn_unused_result));

/* 0 if the tree is still what it was at open; -EUCLEAN naming the differences. */
int kc_volume_verify(const struct kc_volume *volume, struct kc_error *err)
	__attribute__((warn_unused_result));

/* Where `path` of the volume leads, seen from the container: relative to the tree, without links. Absolute links lead into the
 * volume if they go through its mount point; -EXDEV if the way ends elsewhere. What it ends at need not exist. */
int kc_volume_resolve(const struct kc_volume *volume, const char *path, char ret_path[PATH_MAX],
		      struct kc_error *err) __attribute__((warn_unused_result));

/* Opens what `path` leads to, as open(2) with `flags`, O_CLOEXEC and O_NONBLOCK; never anything outside the tree. Returns the
 * descriptor. */
int kc_volume_open_file(const struct kc_volume *volume, const char *path, int flags, struct kc_error *err)
	__attribute__((warn_unused_result));

/* The Python that the volume has, by the name that bin/python leads to: "3.13". "" if that is no such name. */
void kc_volume_python_version(const struct kc_volume *volume, char ret_version[16]);

void kc_volume_release(struct kc_volume *volume);

#endif
