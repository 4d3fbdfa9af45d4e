/* SPDX-License-Identifier: GPL-2.0-only */
/* Jiffies of the units' own clock. */
#ifndef UNIT_JIFFIES_H
#define UNIT_JIFFIES_H

#include <linux/ktime.h>

#define HZ		1000
#define jiffies		((unsigned long)(ktime_get() / (NSEC_PER_SEC / HZ)))

#define time_before(a, b)	((long)((a) - (b)) < 0)

#endif
