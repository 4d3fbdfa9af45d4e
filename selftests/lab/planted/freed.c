// SPDX-License-Identifier: GPL-2.0-only
/*
 * A planted bug: memory is read after it was freed.
 * Does it once, when it is inserted. See run.
 */
#include <linux/module.h>
#include <linux/slab.h>

static int __init planted_init(void)
{
	int *value = kzalloc(sizeof(*value), GFP_KERNEL), *stale = value;

	if (!value)
		return -ENOMEM;
	/* Or the compiler would see through it. */
	OPTIMIZER_HIDE_VAR(stale);
	kfree(value);
	READ_ONCE(*stale);
	return 0;
}

static void __exit planted_exit(void)
{
}

module_init(planted_init);
module_exit(planted_exit);
MODULE_DESCRIPTION("a planted bug");
MODULE_LICENSE("GPL");
