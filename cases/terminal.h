/*
 * A ttyd and its clients: started as the agent starts it, watched in virtual or real time.
 *
 * A scenario is data: groups of clients that behave alike, connected in the order of the table. Put those that are hung up
 * first where their being hung up is not the point: see net/keepalive_run.h.
 */
#ifndef KC_CASES_TERMINAL_H
#define KC_CASES_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/keepalive.h"
#include "reports/result.h"
#include "run/context.h"

#define KC_TERMINAL KC_VOLUME_MOUNT_POINT "/bin/ttyd"

struct kc_terminal_group {
	const char *name; /* of the group, for messages and properties: "answering" */
	enum kc_keepalive_policy policy;
	unsigned int count;  /* 0: one */
	bool stops_somewhen; /* KC_KEEPALIVE_STOPPING: at a random moment of the first three pings */
	bool behind_proxy;   /* that cuts what is quiet, as the policy says */
};

struct kc_terminal_scenario {
	const struct kc_terminal_group *groups;
	size_t count;
	int64_t observe_ms; /* 0: the policy's */
};

/* In the context's time: virtual, real, or both, which have to agree. Reports everything into `result`. */
void kc_terminal_watch(const struct kc_terminal_scenario *scenario, struct kc_case_context *context,
		       struct kc_result *result);

#endif
