/*
 * What bench.sh times: `kc-bench-unpack VOLUME` makes sure that VOLUME is in the store, as a run does, and
 * prints where. A program of its own, so that nothing but the unpacking is measured.
 */
#include <stdio.h>

#include "archive/volume.h"

int main(int argc, char **argv)
{
	static struct kc_volume volume;
	struct kc_store store = { .fd = -1 };
	struct kc_error err = { 0 };
	int status;

	if (argc != 2) {
		(void)fprintf(stderr, "usage: %s VOLUME\n", argv[0]);
		return 2;
	}
	status = kc_store_open(&store, &err);
	if (status == 0)
		status = kc_volume_open(&store, argv[1], &volume, &err);
	if (status < 0)
		(void)fprintf(stderr, "%s\n", err.text);
	else
		(void)printf("%s\n", volume.tree);
	kc_volume_release(&volume);
	kc_store_close(&store);
	return status < 0 ? 3 : 0;
}
