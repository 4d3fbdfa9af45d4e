// SPDX-License-Identifier: GPL-2.0-only
/*
 * A planted bug: an object is freed while its timer runs.
 * Does it once, when it is inserted. See run.
 */
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/timer.h>

static void planted_expired(struct timer_list *timer)
{
}

static int __init planted_init(void)
{
	struct timer_list *timer = kzalloc(sizeof(*timer), GFP_KERNEL);

	if (!timer)
		return -ENOMEM;
	timer_setup(timer, planted_expired, 0);
	mod_timer(timer, jiffies + 600 * HZ);
	kfree(timer);
	return 0;
}

static void __exit planted_exit(void)
{
}

module_init(planted_init);
module_exit(planted_exit);
MODULE_DESCRIPTION("a planted bug");
MODULE_LICENSE("GPL");
