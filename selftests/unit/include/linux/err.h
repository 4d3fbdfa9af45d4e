/* SPDX-License-Identifier: GPL-2.0-only */
/* Errors in pointers. */
#ifndef UNIT_ERR_H
#define UNIT_ERR_H

#include <linux/errno.h>
#include <linux/types.h>

#define MAX_ERRNO	4095
#define ERR_PTR(err)	((void *)(long)(err))
#define PTR_ERR(p)	((long)(p))
#define ERR_CAST(p)	((void *)(p))
#define IS_ERR(p)	((unsigned long)(p) >= (unsigned long)-MAX_ERRNO)

#endif
