/* SPDX-License-Identifier: GPL-2.0-only */
/* What a unit may do to the kernel that include/ plays for it. */
#ifndef UNIT_KERNEL_SIDE_H
#define UNIT_KERNEL_SIDE_H

#include <linux/types.h>

/* Let time pass; timers and delayed work that come due run, in order. */
void unit_clock_advance(u64 ns);
/* The @n-th allocation from now on fails, once; 0: none does. */
void unit_alloc_fail_at(unsigned int n);
/* Allocations that are alive. */
unsigned int unit_alloc_count(void);

#endif
