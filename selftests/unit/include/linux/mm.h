/* SPDX-License-Identifier: GPL-2.0-only */
/* Pages. */
#ifndef UNIT_MM_H
#define UNIT_MM_H

#include <linux/gfp.h>
#include <linux/mm_types.h>
#include <linux/slab.h>

#endif
