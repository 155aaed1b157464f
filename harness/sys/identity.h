/* Which user ids this process may deal in. */
#ifndef KC_SYS_IDENTITY_H
#define KC_SYS_IDENTITY_H

#include <stdbool.h>

/* True for real root: we are root and `id` exists in our user namespace, so that files can be given to it and a user namespace
 * can map it. "Root" inside a rootless container mostly is not: user_namespaces(7), /proc/PID/uid_map. */
bool kc_identity_commands(unsigned int id);

#endif
