/* SPDX-License-Identifier: GPL-2.0-only */
/* errno values. */
#ifndef UNIT_ERRNO_H
#define UNIT_ERRNO_H

#include_next <linux/errno.h>

#endif
