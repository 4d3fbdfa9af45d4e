/* SPDX-License-Identifier: GPL-2.0-only */
/* What struct lodge_vcpu needs of a task. */
#ifndef UNIT_SCHED_H
#define UNIT_SCHED_H

#include <signal.h>

/* As the kernel's, it brings the everyday headers along. */
#include <linux/bitops.h>
#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/string.h>

#define cond_resched()	((void)0)

#endif
