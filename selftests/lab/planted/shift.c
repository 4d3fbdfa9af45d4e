// SPDX-License-Identifier: GPL-2.0-only
/*
 * A planted bug: a word is shifted by more than its width.
 * Does it once, when it is inserted. See run.
 */
#include <linux/module.h>

static int planted_count = 33;

static int __init planted_init(void)
{
	return (1 << READ_ONCE(planted_count)) < 0 ? -EINVAL : 0;
}

static void __exit planted_exit(void)
{
}

module_init(planted_init);
module_exit(planted_exit);
MODULE_DESCRIPTION("a planted bug");
MODULE_LICENSE("GPL");
