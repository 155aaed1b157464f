/*
 * A bill of materials of a volume, as CycloneDX 1.6 in JSON (https://cyclonedx.org/docs/1.6/json/): the volume with its digest, the
 * Python packages in it, what is linked into its programs and libraries, and its shared libraries with their digests.
 *
 * It depends on the contents and the time alone: the same input gives the same bytes. Its serial number is a UUID of version 8
 * (RFC 9562) made of the volume's digest, so that another run names the same bill.
 */
#ifndef KC_RELEASE_SBOM_H
#define KC_RELEASE_SBOM_H

#include <stdint.h>

#include "base/json.h"
#include "release/contents.h"

/* `seconds` since 1970 become its time stamp. The caller deletes *ret_json. -ENOMEM alone. */
int kc_sbom_make(const struct kc_contents *contents, int64_t seconds, cJSON **ret_json, struct kc_error *err)
	__attribute__((warn_unused_result));

#endif
