/* SPDX-License-Identifier: GPL-2.0-only */
/* Checks at build time. */
#ifndef UNIT_BUILD_BUG_H
#define UNIT_BUILD_BUG_H

#include <assert.h>

#define BUILD_BUG_ON(cond)	_Static_assert(!(cond), #cond)

#endif
