// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ends VMX operation on the CPU that inserts this module, behind the back of whoever began it there, and refuses to be
 * kept: for the test lodge-vmx-lost.
 */
#include <linux/module.h>
#include <asm/asm.h>

static int __init vmxoff_init(void)
{
	int ret = -ECANCELED;

	asm volatile("1: vmxoff\n"
		     "jmp 3f\n"
		     "2: mov %1, %0\n"
		     "3:\n"
		     _ASM_EXTABLE(1b, 2b)
		     : "+r" (ret) : "i" (-ENODEV) : "cc", "memory");
	return ret;
}

module_init(vmxoff_init);
MODULE_DESCRIPTION("ends VMX operation on one CPU");
MODULE_LICENSE("GPL");
