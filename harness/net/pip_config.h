/*
 * What pip is configured to use: the index, the CA bundle, the proxy. No index URL stands in our own code.
 *
 * PIP_INDEX_URL alone settles the index without starting anything. Otherwise pip is asked, once (0.4 s): it
 * knows its configuration files, variables (PIP_CONFIG_FILE, PIP_CERT, ...) and its own default. The index is
 * the default that `pip download --help` shows for --index-url; where that hides a password, and for the
 * other settings, what `pip config list` prints counts. Measured with pip 23.0, 23.2 and 26.
 *
 * Life cycle: 1. kc_pip_config_read  2. kc_pip_config_release (idempotent, fit for a zeroed object).
 */
#ifndef KC_NET_PIP_CONFIG_H
#define KC_NET_PIP_CONFIG_H

#include "base/cleanup.h"
#include "base/error.h"

struct kc_pip_config {
	char *index_url; /* may hold credentials: show it through kc_url_redact only */
	char *cert;	 /* NULL if pip has none */
	char *proxy;	 /* NULL if pip has none; may hold credentials */
};

/* On failure (-ENOENT: no pip, or no index) `ret_config` is empty, and the hint says how to name an index. */
int kc_pip_config_read(struct kc_pip_config *ret_config, struct kc_error *err)
	__attribute__((warn_unused_result));

/* The same from what pip printed, `config list` and `download --help` one after the other. */
int kc_pip_config_parse(const char *text, struct kc_pip_config *ret_config, struct kc_error *err)
	__attribute__((warn_unused_result));

void kc_pip_config_release(struct kc_pip_config *config);
#define KC_CLEANUP_PIP_CONFIG KC_CLEANUP(kc_pip_config_release)

#endif
