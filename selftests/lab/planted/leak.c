// SPDX-License-Identifier: GPL-2.0-only
/*
 * A planted bug: memory is allocated and forgotten.
 * Does it once, when it is inserted. See run.
 */
#include <linux/module.h>
#include <linux/slab.h>

/* More than one: a stray word that looks like the address of one of them hides that one. */
static int __init planted_init(void)
{
	int i;

	for (i = 0; i < 16; i++) {
		void *lost = kmalloc(1000, GFP_KERNEL);

		OPTIMIZER_HIDE_VAR(lost);
	}
	return 0;
}

static void __exit planted_exit(void)
{
}

module_init(planted_init);
module_exit(planted_exit);
MODULE_DESCRIPTION("a planted bug");
MODULE_LICENSE("GPL");
