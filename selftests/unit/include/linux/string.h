/* SPDX-License-Identifier: GPL-2.0-only */
/* The C library's string functions stand in for the kernel's. */
#ifndef UNIT_STRING_H
#define UNIT_STRING_H

#include <string.h>

#include <linux/types.h>

#endif
