/* Sources of kind "registry". */
#include <string.h>

#include "image/pull.h"
#include "image/source.h"

int kc_source_open_registry(const struct kc_source_request *request, struct kc_source_result *result,
			    struct kc_error *err)
{
	struct kc_image_request options = *request->options;
	struct kc_container container;
	bool is_last =
		request->source + 1 == request->definition->sources + request->definition->source_count;
	int status;

	/* Where there is another source, nobody waits long for one that may not be reachable at all. */
	if (!is_last) {
		options.http.attempts = 1;
		options.http.connect_timeout_ms = 5000;
	}
	status = kc_pull(request->store, &options, request->source->image,
			 request->source->architectures[request->architecture].path, &container, err);
	result->layers = container.layers;
	memcpy(result->digest, container.digest, sizeof(result->digest));
	return status;
}
