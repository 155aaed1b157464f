/*
 * What a volume's archive says about itself, read out of its bytes: nothing is unpacked and nothing in it is run.
 *
 * The whole archive is read, under the limits of extraction, by libarchive and archive/tar_frame.h together, to its verified end.
 */
#ifndef KC_RELEASE_VOLUME_FACTS_H
#define KC_RELEASE_VOLUME_FACTS_H

#include <stdint.h>

#include "archive/source.h"
#include "base/buffer.h"
#include "base/digest.h"
#include "base/error.h"

#define KC_VOLUME_TTYD "bin/ttyd"
#define KC_VOLUME_TTYD_LIMIT_BYTES (64u << 20)

/* "" where the archive has no such member, or it says something that is not known here. */
struct kc_volume_facts {
	char sha256[KC_SHA256_HEX_SIZE]; /* of the archive */
	uint64_t bytes;
	char python[16];       /* what bin/python leads to: "3.13" of bin/python3.13 */
	char architecture[16]; /* of that file: "x86_64" or "aarch64" */
	char ttyd_sha256[KC_SHA256_HEX_SIZE];
	char ttyd_architecture[16];
};

/* Reads `source`, which the caller closes. `ttyd` gets the bytes of bin/ttyd; NULL: nobody asks. -EBADMSG for an archive that
 * extraction would refuse, and for one with two members of a name that is asked for. */
int kc_volume_facts_read(struct kc_source *source, struct kc_volume_facts *ret_facts, struct kc_buffer *ttyd,
			 struct kc_error *err) __attribute__((warn_unused_result));

#endif
