// SPDX-License-Identifier: GPL-2.0-only
/*
 * A planted bug: memory is asked for, with leave to sleep, while a spinlock is held.
 * Does it once, when it is inserted. See run.
 */
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

static DEFINE_SPINLOCK(planted_lock);

static int __init planted_init(void)
{
	spin_lock(&planted_lock);
	kfree(kmalloc(64, GFP_KERNEL));
	spin_unlock(&planted_lock);
	return 0;
}

static void __exit planted_exit(void)
{
}

module_init(planted_init);
module_exit(planted_exit);
MODULE_DESCRIPTION("a planted bug");
MODULE_LICENSE("GPL");
