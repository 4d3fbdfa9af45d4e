// SPDX-License-Identifier: GPL-2.0-only
/*
 * That each mitigation on the ways into and out of a guest follows the host's setting: where the kernel has chosen one,
 * the jump around it is patched away when the module is loaded, and stays where it has not. Of both vendors, whichever
 * the CPU is. Only in the module: nothing is patched in user space.
 */
#include "selftest.h"

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/printk.h>
#include <asm/cpufeature.h>

#include "../vmx/branch_history.h"

#define JMP_SHORT	0xeb
#define JMP_NEAR	0xe9

extern const u8 svm_choice_fill[], svm_choice_barrier[];
extern const u8 vmx_choice_verw[], vmx_choice_fill[], vmx_choice_fill_one[], vmx_choice_ibrs[], vmx_choice_history[];

static int choice_check(const char *name, const u8 *choice, bool wanted)
{
	bool done = *choice != JMP_SHORT && *choice != JMP_NEAR;

	if (done == wanted)
		return 0;
	pr_err("mitigation %s: %s, and the host's setting is %s\n", name, done ? "on" : "off", wanted ? "on" : "off");
	return -EINVAL;
}

int lodge_selftest_mitigations(void)
{
	int ret = 0;

	ret |= choice_check("svm return buffer", svm_choice_fill, boot_cpu_has(X86_FEATURE_RSB_VMEXIT));
	ret |= choice_check("svm branch barrier", svm_choice_barrier, boot_cpu_has(X86_FEATURE_ENTRY_IBPB) ||
			    boot_cpu_has(X86_FEATURE_IBPB_ON_VMEXIT));
	ret |= choice_check("vmx CPU buffers", vmx_choice_verw, boot_cpu_has(X86_FEATURE_CLEAR_CPU_BUF) ||
			    boot_cpu_has(X86_FEATURE_CLEAR_CPU_BUF_VM));
	ret |= choice_check("vmx return buffer", vmx_choice_fill, boot_cpu_has(X86_FEATURE_RSB_VMEXIT));
	ret |= choice_check("vmx one return", vmx_choice_fill_one, boot_cpu_has(X86_FEATURE_RSB_VMEXIT_LITE));
	ret |= choice_check("vmx indirect branches", vmx_choice_ibrs, boot_cpu_has(X86_FEATURE_KERNEL_IBRS));
#ifdef VMX_CLEAR_BHB
	ret |= choice_check("vmx branch history", vmx_choice_history, boot_cpu_has(VMX_CLEAR_BHB));
#endif
	return ret ? -EINVAL : 0;
}
