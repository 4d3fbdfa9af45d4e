/* SPDX-License-Identifier: GPL-2.0-only */
/* Unit tests at load: 0, or -EINVAL when one failed, which refuses the load. */
#ifndef LODGE_SELFTEST_RUN_H
#define LODGE_SELFTEST_RUN_H

#ifdef LODGE_SELFTEST
int lodge_selftest_run(void);
#else
static inline int lodge_selftest_run(void) { return 0; }
#endif

#endif
