// SPDX-License-Identifier: GPL-2.0-only
/*
 * A planted bug: two mutexes are taken in one order and then in the other.
 * Does it once, when it is inserted. See run.
 */
#include <linux/module.h>
#include <linux/mutex.h>

static DEFINE_MUTEX(planted_first);
static DEFINE_MUTEX(planted_second);

static int __init planted_init(void)
{
	mutex_lock(&planted_first);
	mutex_lock(&planted_second);
	mutex_unlock(&planted_second);
	mutex_unlock(&planted_first);

	mutex_lock(&planted_second);
	mutex_lock(&planted_first);
	mutex_unlock(&planted_first);
	mutex_unlock(&planted_second);
	return 0;
}

static void __exit planted_exit(void)
{
}

module_init(planted_init);
module_exit(planted_exit);
MODULE_DESCRIPTION("a planted bug");
MODULE_LICENSE("GPL");
