/* SPDX-License-Identifier: GPL-2.0-only */
/* Time, which only a unit moves: unit_clock_advance() in kernel.h beside this folder. */
#ifndef UNIT_KTIME_H
#define UNIT_KTIME_H

#include <linux/types.h>

typedef s64 ktime_t;

#define NSEC_PER_USEC	1000L
#define NSEC_PER_MSEC	1000000L
#define NSEC_PER_SEC	1000000000L

ktime_t ktime_get(void);

#define ktime_get_ns()		((u64)ktime_get())
#define ktime_add_ns(t, ns)	((t) + (s64)(ns))
#define ktime_to_ns(t)		(t)
#define ns_to_ktime(ns)		((ktime_t)(ns))

#endif
