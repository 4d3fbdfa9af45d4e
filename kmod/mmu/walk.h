/* SPDX-License-Identifier: GPL-2.0-only */
/* The answer of a guest page walk, shared by the MMU's interface and the pure walker. */
#ifndef LODGE_MMU_WALK_H
#define LODGE_MMU_WALK_H

#include "../types.h"

/**
 * struct lodge_walk - where a linear address leads
 * @gpa: valid unless @fault
 * @fault: the access raises #PF
 * @error: its error code
 */
struct lodge_walk {
	gpa_t gpa;
	bool fault;
	u32 error;
};

#endif
