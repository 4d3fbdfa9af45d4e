/* SPDX-License-Identifier: GPL-2.0-only */
/* The assertions about locks live with the locks. */
#include <linux/irqflags.h>
#include <linux/spinlock.h>
