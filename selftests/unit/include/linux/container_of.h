/* SPDX-License-Identifier: GPL-2.0-only */
/* container_of. */
#ifndef UNIT_CONTAINER_OF_H
#define UNIT_CONTAINER_OF_H

#include <stddef.h>

#define container_of(ptr, type, member) \
	((type *)((char *)(ptr) - offsetof(type, member)))

#endif
