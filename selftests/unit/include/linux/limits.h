/* SPDX-License-Identifier: GPL-2.0-only */
/* Limits of the fixed-width types. */
#ifndef UNIT_LIMITS_H
#define UNIT_LIMITS_H

#include_next <linux/limits.h>

#define U32_MAX		((u32)~0U)
#define U64_MAX		((u64)~0ULL)

#endif
