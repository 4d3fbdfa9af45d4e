/* SPDX-License-Identifier: GPL-2.0-only */
/* Interrupts of a program in user space: never off, so what needs them off complains. */
#ifndef UNIT_IRQFLAGS_H
#define UNIT_IRQFLAGS_H

#include <linux/bug.h>

#define irqs_disabled()			0
#define lockdep_assert_irqs_disabled()	WARN_ON(!irqs_disabled())

#endif
