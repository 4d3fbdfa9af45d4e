/* SPDX-License-Identifier: GPL-2.0-only */
/* The allocator. A unit can make it fail: unit_alloc_fail_at() in kernel.h beside this folder. */
#ifndef UNIT_SLAB_H
#define UNIT_SLAB_H

#include <linux/gfp.h>
#include <linux/types.h>

void *unit_alloc(size_t size, gfp_t gfp);
void unit_free(const void *p);

#define kzalloc(size, gfp)		unit_alloc(size, gfp)
#define kvzalloc(size, gfp)		unit_alloc(size, gfp)
#define kcalloc(n, size, gfp)		unit_alloc((size_t)(n) * (size), gfp)
#define kvcalloc(n, size, gfp)		unit_alloc((size_t)(n) * (size), gfp)
#define kfree(p)			unit_free(p)
#define kvfree(p)			unit_free(p)

#define struct_size(p, member, n)	(sizeof(*(p)) + (size_t)(n) * sizeof((p)->member[0]))
#define sizeof_field(type, member)	sizeof(((type *)0)->member)

#endif
