/* SPDX-License-Identifier: GPL-2.0-only */
/* Bit operations on arrays of long; a unit runs in one thread. */
#ifndef UNIT_BITOPS_H
#define UNIT_BITOPS_H

#include <linux/bits.h>
#include <linux/types.h>

#define BIT_WORD(n)		((n) / BITS_PER_LONG)
#define BITS_TO_LONGS(n)	(((n) + BITS_PER_LONG - 1) / BITS_PER_LONG)

static inline bool test_bit(unsigned int n, const volatile unsigned long *map)
{
	return map[BIT_WORD(n)] >> (n % BITS_PER_LONG) & 1;
}

static inline void __set_bit(unsigned int n, volatile unsigned long *map)
{
	map[BIT_WORD(n)] |= BIT(n % BITS_PER_LONG);
}

static inline void __clear_bit(unsigned int n, volatile unsigned long *map)
{
	map[BIT_WORD(n)] &= ~BIT(n % BITS_PER_LONG);
}

static inline void __assign_bit(unsigned int n, volatile unsigned long *map, bool val)
{
	if (val)
		__set_bit(n, map);
	else
		__clear_bit(n, map);
}

static inline bool __test_and_set_bit(unsigned int n, volatile unsigned long *map)
{
	bool was = test_bit(n, map);

	__set_bit(n, map);
	return was;
}

static inline bool test_and_clear_bit(unsigned int n, volatile unsigned long *map)
{
	bool was = test_bit(n, map);

	__clear_bit(n, map);
	return was;
}

#define set_bit(n, map)		__set_bit(n, map)
#define clear_bit(n, map)	__clear_bit(n, map)

static inline unsigned int find_next_bit(const unsigned long *map, unsigned int size, unsigned int from)
{
	while (from < size && !test_bit(from, map))
		from++;
	return from;
}

#define for_each_set_bit(bit, map, size)				\
	for ((bit) = find_next_bit(map, size, 0); (bit) < (size);	\
	     (bit) = find_next_bit(map, size, (bit) + 1))

static inline unsigned int __fls(unsigned long word)
{
	return BITS_PER_LONG - 1 - __builtin_clzl(word);
}

#endif
