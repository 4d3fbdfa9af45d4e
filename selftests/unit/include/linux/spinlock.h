/* SPDX-License-Identifier: GPL-2.0-only */
/* Locks that notice when they are taken twice or not held. */
#ifndef UNIT_SPINLOCK_H
#define UNIT_SPINLOCK_H

#include <linux/bug.h>
#include <linux/types.h>

typedef struct { bool held; } raw_spinlock_t;
typedef struct { bool held; } spinlock_t;

#define __acquires(lock)
#define __releases(lock)

#define unit_lock(lock)		do { WARN_ON((lock)->held); (lock)->held = true; } while (0)
#define unit_unlock(lock)	do { WARN_ON(!(lock)->held); (lock)->held = false; } while (0)

#define raw_spin_lock_init(lock)			((lock)->held = false)
#define raw_spin_lock_irqsave(lock, flags)		do { (flags) = 0; unit_lock(lock); } while (0)
#define raw_spin_unlock_irqrestore(lock, flags)		do { (void)(flags); unit_unlock(lock); } while (0)
#define spin_lock_init(lock)				((lock)->held = false)
#define spin_lock(lock)					unit_lock(lock)
#define spin_unlock(lock)				unit_unlock(lock)

#define lockdep_assert_held(lock)	WARN_ON(!(lock)->held)
#define lockdep_is_held(lock)		((lock)->held)

#endif
