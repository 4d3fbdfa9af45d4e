/* SPDX-License-Identifier: GPL-2.0-only */
/* The PIT's clock. */
#ifndef UNIT_TIMEX_H
#define UNIT_TIMEX_H

#define PIT_TICK_RATE	1193182UL

#endif
