/* One request with its retries: what http.c does for kc_http_get and http_download.c. */
#ifndef KC_NET_HTTP_INTERNAL_H
#define KC_NET_HTTP_INTERNAL_H

#include <curl/curl.h>

#include "net/http.h"

struct kc_transfer;

/* Where bodies go. Both set `transfer->err` when they fail, and a failure of theirs is final. */
struct kc_sink {
	/* Before the first byte of each 2xx body, also an empty one. */
	int (*begin)(struct kc_transfer *transfer);
	int (*take)(struct kc_transfer *transfer, const void *bytes, size_t length);
};

struct kc_transfer {
	struct kc_http *http;
	const struct kc_http_request *request;
	const struct kc_sink *sink;
	void *context; /* the sink's */
	struct kc_error *err;
	const char *content_encoding; /* what to accept; NULL for none */
	int64_t limit;		      /* most bytes a server may announce */
	int64_t deadline_ms;
	int64_t offset; /* bytes there already: the next attempt asks for what follows */
	int64_t size;	/* of the whole, as far as known; -1 if not */
	int64_t shown_ms;
	long status; /* of the last answer, 0 if none came */
	int failed;  /* what the sink returned */
	bool has_begun;
	bool may_retry; /* after a failed attempt: another one may do better */
	char shown_url[512];
	char detail[CURL_ERROR_SIZE];
};

/* Fills in what every transfer starts from. */
void kc_transfer_init(struct kc_transfer *transfer, struct kc_http *http,
		      const struct kc_http_request *request, struct kc_error *err);

/* Attempts until one succeeds, or a failure is final. */
int kc_transfer_run(struct kc_transfer *transfer) __attribute__((warn_unused_result));

#endif
