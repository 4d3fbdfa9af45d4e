/* SPDX-License-Identifier: GPL-2.0-only */
/* Mutexes that notice when they are taken twice or not held. */
#ifndef UNIT_MUTEX_H
#define UNIT_MUTEX_H

#include <linux/spinlock.h>

struct mutex {
	bool held;
};

#define mutex_init(lock)	((lock)->held = false)
#define mutex_lock(lock)	unit_lock(lock)
#define mutex_unlock(lock)	unit_unlock(lock)

#endif
