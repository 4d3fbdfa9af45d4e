/* SPDX-License-Identifier: GPL-2.0-only */
/* Reference counts that notice their misuse. */
#ifndef UNIT_REFCOUNT_H
#define UNIT_REFCOUNT_H

#include <linux/bug.h>
#include <linux/types.h>

typedef struct { int refs; } refcount_t;

#define refcount_set(r, n)	((r)->refs = (n))
#define refcount_read(r)	((r)->refs)
#define refcount_inc(r)		do { WARN_ON((r)->refs <= 0); (r)->refs++; } while (0)

static inline bool refcount_dec_and_test(refcount_t *r)
{
	WARN_ON(r->refs <= 0);
	return !--r->refs;
}

#endif
