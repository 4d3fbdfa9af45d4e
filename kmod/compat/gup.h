/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Flags of get_user_pages() that are younger than the oldest kernel. Where the flags are macros the missing ones are
 * told by #ifdef; where they are an enum all of them are there.
 */
#ifndef LODGE_COMPAT_GUP_H
#define LODGE_COMPAT_GUP_H

#include <linux/mm.h>

#ifdef FOLL_WRITE
/* Only a fatal signal ends the wait for a page. */
#ifndef FOLL_INTERRUPTIBLE
#define FOLL_INTERRUPTIBLE	0
#endif
/* NUMA hinting faults are always taken. */
#ifndef FOLL_HONOR_NUMA_FAULT
#define FOLL_HONOR_NUMA_FAULT	0
#endif
#endif

#endif
