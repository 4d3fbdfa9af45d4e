// SPDX-License-Identifier: GPL-2.0-only
/*
 * A planted bug: a pointer that RCU guards is read by who is no reader.
 * Does it once, when it is inserted. See run.
 */
#include <linux/module.h>
#include <linux/rcupdate.h>

static int planted_value;
static int __rcu *planted_pointer = RCU_INITIALIZER(&planted_value);

static int __init planted_init(void)
{
	return *rcu_dereference(planted_pointer);
}

static void __exit planted_exit(void)
{
}

module_init(planted_init);
module_exit(planted_exit);
MODULE_DESCRIPTION("a planted bug");
MODULE_LICENSE("GPL");
