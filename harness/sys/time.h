/* Monotonic time in milliseconds; the wall clock is never used to measure. */
#ifndef KC_SYS_TIME_H
#define KC_SYS_TIME_H

#include <stdint.h>
#include <time.h>

static inline int64_t kc_now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock, clock_gettime(2) */
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

#endif
