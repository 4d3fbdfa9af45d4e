/* SPDX-License-Identifier: GPL-2.0-only */
/* Divisions of 64 bits. An overflow, which traps on x86, ends the unit. */
#ifndef UNIT_MATH64_H
#define UNIT_MATH64_H

#include <linux/bug.h>
#include <linux/types.h>

#define div_u64(a, b)		((u64)(a) / (u32)(b))

static inline u64 div_u64_rem(u64 a, u32 b, u32 *rest)
{
	*rest = a % b;
	return a / b;
}

#define div64_u64(a, b)		((u64)(a) / (u64)(b))
#define mul_u64_u64_shr(a, b, s)	((u64)(((unsigned __int128)(u64)(a) * (u64)(b)) >> (s)))

static inline u64 mul_u64_u64_div_u64(u64 a, u64 b, u64 c)
{
	unsigned __int128 quotient = (unsigned __int128)a * b / c;

	WARN_ON(quotient >> 64);
	return quotient;
}

#define mul_u64_u32_div(a, b, c)	((u64)((unsigned __int128)(a) * (u32)(b) / (u32)(c)))

#endif
