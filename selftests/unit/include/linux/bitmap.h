/* SPDX-License-Identifier: GPL-2.0-only */
/* Bitmaps. */
#ifndef UNIT_BITMAP_H
#define UNIT_BITMAP_H

#include <linux/bitops.h>
#include <linux/slab.h>
#include <linux/string.h>

#define DECLARE_BITMAP(name, bits)	unsigned long name[BITS_TO_LONGS(bits)]

#define bitmap_zero(map, bits)		memset(map, 0, BITS_TO_LONGS(bits) * sizeof(long))
#define bitmap_zalloc(bits, gfp)	((unsigned long *)kcalloc(BITS_TO_LONGS(bits), sizeof(long), gfp))
#define bitmap_free(map)		kfree(map)
#define bitmap_empty(map, bits)		(find_next_bit(map, bits, 0) >= (bits))

#endif
