/*
 * All that a release publishes, made of what passed the gate:
 *
 *	NAME.whl				the wheel around the archive
 *	krunner-env.DISTRO.ARCH.tar.xz		the archive itself
 *	krunner-env.DISTRO.ARCH.cdx.json	what is in it, as CycloneDX
 *	release-notes.md			what is new against the release before, and what was checked
 *	report-N.json				the reports that it was judged by
 *	krunner-env.DISTRO.ARCH.test-result.intoto.json	that it passed, and what
 *	krunner-env.DISTRO.ARCH.provenance.intoto.json	what all the others were made of
 *	SHA256SUMS
 *
 * The two statements are envelopes where there are keys to sign them. Same input, same bytes. Nothing of the volume is run.
 */
#ifndef KC_RELEASE_ARTIFACTS_H
#define KC_RELEASE_ARTIFACTS_H

#include "compat/wheels.h"
#include "release/contents.h"
#include "release/gate.h"
#include "release/key.h"
#include "release/staging.h"
#include "release/wheel_writer.h"

struct kc_artifacts {
	const struct kc_wheels *wheels;
	const struct kc_contents *contents;
	const struct kc_contents *previous; /* NULL: there is none */
	const struct kc_gate_request *request;
	const struct kc_gate_outcome *outcome;
	const struct kc_buffer *report_texts; /* of the request's reports, byte for byte */
	const char *archive_name;	      /* in the staging directory already, and listed */
	int archive_fd;
	const char *version, *volume_version;
	const struct kc_release_file *licences; /* of what is bundled */
	size_t licence_count;
	struct kc_release_file licence; /* the package's own */
	const char *description;	/* Markdown; NULL: the summary */
	const struct kc_key *keys;	/* that sign */
	size_t key_count;
	int64_t time_s; /* that goes into all of them */
};

/* Everything but SHA256SUMS, which kc_staging_commit writes. */
int kc_artifacts_write(const struct kc_artifacts *artifacts, struct kc_staging *staging, struct kc_error *err)
	__attribute__((warn_unused_result));

#endif
