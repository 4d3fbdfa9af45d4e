/* SPDX-License-Identifier: GPL-2.0-only */
/* A small array in place of the kernel's. */
#ifndef UNIT_XARRAY_H
#define UNIT_XARRAY_H

#include <linux/bug.h>
#include <linux/kernel.h>

#define UNIT_XARRAY_SIZE	64

struct xarray {
	void *entries[UNIT_XARRAY_SIZE];
};

#define xa_init(xa)	memset(xa, 0, sizeof(*(xa)))
#define xa_destroy(xa)	memset(xa, 0, sizeof(*(xa)))
#define xa_err(p)	((p) == (void *)-1 ? -ENOMEM : 0)

static inline void *xa_load(struct xarray *xa, unsigned long index)
{
	return index < UNIT_XARRAY_SIZE ? xa->entries[index] : NULL;
}

static inline void *xa_store(struct xarray *xa, unsigned long index, void *entry, gfp_t gfp)
{
	WARN_ON(index >= UNIT_XARRAY_SIZE);
	xa->entries[index] = entry;
	return NULL;
}

static inline unsigned long unit_xa_next(struct xarray *xa, unsigned long index)
{
	while (index < UNIT_XARRAY_SIZE && !xa->entries[index])
		index++;
	return index;
}

#define xa_for_each_range(xa, i, entry, first, last)						\
	for ((i) = unit_xa_next(xa, first); (i) <= (last) && ((entry) = xa_load(xa, i));	\
	     (i) = unit_xa_next(xa, (i) + 1))
#define xa_for_each(xa, i, entry)	xa_for_each_range(xa, i, entry, 0, UNIT_XARRAY_SIZE - 1)

#endif
