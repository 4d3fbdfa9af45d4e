/* SPDX-License-Identifier: GPL-2.0-only */
/* Allocation flags, and pages as plain memory. */
#ifndef UNIT_GFP_H
#define UNIT_GFP_H

#include <linux/types.h>

#define GFP_KERNEL		1U
#define GFP_KERNEL_ACCOUNT	1U
#define GFP_NOWAIT		2U
#define __GFP_NOFAIL		4U
#define __GFP_NOWARN		8U
#define __GFP_ZERO		16U

#define PAGE_SHIFT		12
#define PAGE_SIZE		(1UL << PAGE_SHIFT)
#define PAGE_MASK		(~(PAGE_SIZE - 1))

unsigned long get_zeroed_page(gfp_t gfp);
void free_page(unsigned long addr);

#endif
