/* SPDX-License-Identifier: GPL-2.0-only */
/* Nobody waits. */
#ifndef UNIT_RCUWAIT_H
#define UNIT_RCUWAIT_H

struct rcuwait {
	int unused;
};

#define rcuwait_init(wait)	((wait)->unused = 0)

#endif
