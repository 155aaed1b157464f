/* The digests of RECORD: SHA-256 as urlsafe Base64 without padding (RFC 4648 section 5, PEP 427). */
#ifndef KC_RELEASE_RECORD_H
#define KC_RELEASE_RECORD_H

#include "base/digest.h"

#define KC_RECORD_DIGEST_SIZE 44 /* with the NUL */

/* `hex` is a valid digest (kc_sha256_is_valid). */
void kc_record_digest(const char *hex, char ret_digest[KC_RECORD_DIGEST_SIZE]);

#endif
