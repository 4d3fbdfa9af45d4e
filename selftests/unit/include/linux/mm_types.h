/* SPDX-License-Identifier: GPL-2.0-only */
/* Types of which only pointers are used. */
#ifndef UNIT_MM_TYPES_H
#define UNIT_MM_TYPES_H

struct mm_struct;
struct page;

#endif
