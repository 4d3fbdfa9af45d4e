/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * That a mitigation follows the host's setting: where the kernel has chosen it, the jump around it is patched away when
 * the module is loaded, and stays where it has not. Each vendor's test names its own, whichever the CPU is. Only in the
 * module: nothing is patched in user space.
 */
#ifndef LODGE_SELFTEST_CHOICE_H
#define LODGE_SELFTEST_CHOICE_H

#include <linux/errno.h>
#include <linux/printk.h>
#include <linux/types.h>
#include <asm/cpufeature.h>

/* @choice: the place that is a jump where the mitigation is off; 0 or -EINVAL */
static inline int choice_check(const char *name, const u8 *choice, bool wanted)
{
	bool done = *choice != 0xeb && *choice != 0xe9;	/* JMP, short and near */

	if (done == wanted)
		return 0;
	pr_err("mitigation %s: %s, and the host's setting is %s\n", name, done ? "on" : "off", wanted ? "on" : "off");
	return -EINVAL;
}

#endif
