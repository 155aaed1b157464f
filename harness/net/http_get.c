#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "net/http.h"
#include "net/http_internal.h"

static int begin_buffer(struct kc_transfer *transfer)
{
	kc_buffer_clear(transfer->context);
	return 0;
}

static int take_into_buffer(struct kc_transfer *transfer, const void *bytes, size_t length)
{
	struct kc_buffer *body = transfer->context;
	int status = kc_buffer_append(body, bytes, length);

	if (status == -E2BIG)
		return kc_error_set(transfer->err, E2BIG, "get `%s`: larger than the limit of %zu bytes",
				    transfer->shown_url, body->limit);
	return status < 0 ? kc_error_errno(transfer->err, status, "get `%s`", transfer->shown_url) : 0;
}

static void describe_answer(const struct kc_transfer *transfer, struct kc_http_answer *answer)
{
	char *type = NULL;
	size_t length;

	answer->status = transfer->status;
	(void)curl_easy_getinfo(transfer->http->easy, CURLINFO_CONTENT_TYPE, &type);
	length = type ? strcspn(type, "; \t") : 0;
	if (length >= sizeof(answer->content_type))
		length = 0; /* no type that anybody knows */
	for (size_t i = 0; i < length; i++)
		answer->content_type[i] = (char)tolower((unsigned char)type[i]);
	answer->content_type[length] = '\0';
	/* A longer one cannot be resolved against, which kc_url_resolve says. */
	(void)snprintf(answer->url, sizeof(answer->url), "%s", kc_http_effective_url(transfer->http));
}

int kc_http_get(struct kc_http *http, const struct kc_http_request *request, struct kc_buffer *body,
		struct kc_http_answer *ret_answer, struct kc_error *err)
{
	static const struct kc_sink sink = { begin_buffer, take_into_buffer };
	struct kc_transfer transfer;
	int status;

	kc_transfer_init(&transfer, http, request, err);
	transfer.sink = &sink;
	transfer.context = body;
	transfer.limit = (int64_t)body->limit;
	transfer.content_encoding = "gzip";
	kc_buffer_clear(body);
	status = kc_transfer_run(&transfer);
	describe_answer(&transfer, ret_answer);
	return status;
}

bool kc_http_header(const struct kc_http *http, const char *name, size_t index, const char **ret_value)
{
	struct curl_header *header = NULL;

	if (curl_easy_header(http->easy, name, index, CURLH_HEADER, -1, &header) != CURLHE_OK)
		return false;
	*ret_value = header->value;
	return true;
}

const char *kc_http_effective_url(const struct kc_http *http)
{
	char *url = NULL;

	(void)curl_easy_getinfo(http->easy, CURLINFO_EFFECTIVE_URL, &url); /* stays NULL */
	return url ? url : "";
}
