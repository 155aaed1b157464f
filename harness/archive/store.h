/*
 * The store: trees by key, made once, used by many runs.
 *
 * It lives in $XDG_CACHE_HOME/krunner-compat (default ~/.cache/krunner-compat), mode 0700. An entry is
 * `trees/KEY/{tree/,manifest,info.json}`, KEY being "volume-DIGEST" or "image-NAME-DIGEST". It is built in
 * `tmp/` and renamed into place, so that a half-built one is never seen; builders of one key wait for each
 * other on a lock (flock), which the kernel drops if one dies. What a killed run left in `tmp/` is removed by
 * the janitor, or where that was killed too by the next run, under that lock. An entry is verified against its manifest before use: the cache is not
 * trusted. A damaged one is rebuilt.
 *
 * When we are real root, the trees are given to an unprivileged id (KC_STORE_SANDBOX_ID) that the sandbox
 * maps to its root: nothing that runs in a sandbox ever has the host's root id.
 *
 * Life cycle: 1. kc_store_open  2. kc_store_get, repeatable  3. kc_store_close (idempotent, fit for a zeroed
 * object).
 */
#ifndef KC_ARCHIVE_STORE_H
#define KC_ARCHIVE_STORE_H

#include <limits.h>
#include <stdbool.h>

#include "base/buffer.h"
#include "base/error.h"

/* Outside what distributions hand to users and to useradd's subordinate ranges, shadow's login.defs(5). */
#define KC_STORE_SANDBOX_ID 2147400000u

/* Told of work that takes long, in one line without its end: "unpacking `x`". */
typedef void kc_store_listener(void *context, const char *text);

/* Told what something in the store is made of, as a path below the store: "trees/KEY", "images/NAME.json", ... */
typedef void kc_store_user(void *context, const char *item);

struct kc_store {
	char path[PATH_MAX];	     /* absolute */
	int fd;			     /* the directory */
	kc_store_listener *listener; /* may be set after kc_store_open; NULL: nobody wants to know */
	void *listener_context;
	kc_store_user *user; /* likewise */
	void *user_context;
	bool is_look_only;  /* kc_store_get neither verifies nor builds: -ENOENT for what is not there */
	char repairs[1024]; /* which damaged entries had to be made anew, and what was wrong; "" for none */
};

/* Fills the empty directory `tree_fd` and appends the sealed manifest of what it wrote, and what is worth
 * keeping about it as a JSON text. Owner ids: as kc_store_owner_uid says. */
typedef int kc_store_builder(void *context, int tree_fd, struct kc_buffer *manifest, struct kc_buffer *info,
			     struct kc_error *err);

int kc_store_open(struct kc_store *store, struct kc_error *err) __attribute__((warn_unused_result));
void kc_store_close(struct kc_store *store);

/* Tells the listener, if there is one. */
void kc_store_tell(const struct kc_store *store, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Tells the user, if there is one: what was opened depends on that item. */
void kc_store_uses(const struct kc_store *store, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Removes an item, an entry under its lock; one that is not there is fine. Runs that are under way must not use it. */
int kc_store_remove(struct kc_store *store, const char *item, struct kc_error *err)
	__attribute__((warn_unused_result));

/* The id to give files to: KC_STORE_SANDBOX_ID as root, (uid_t)-1 otherwise. */
unsigned int kc_store_owner_id(void);

/* True if `key` is there (not yet verified). */
bool kc_store_has(const struct kc_store *store, const char *key);

/* Makes sure `key` is there and intact, building it if not. ret_tree gets the absolute path of its tree;
 * `info` (may be NULL) gets the info text. */
int kc_store_get(struct kc_store *store, const char *key, kc_store_builder *build, void *context,
		 char ret_tree[PATH_MAX], struct kc_buffer *info, struct kc_error *err)
	__attribute__((warn_unused_result));

/* Appends the manifest of an entry that kc_store_get has returned. */
int kc_store_manifest(struct kc_store *store, const char *key, struct kc_buffer *manifest,
		      struct kc_error *err) __attribute__((warn_unused_result));

#endif
