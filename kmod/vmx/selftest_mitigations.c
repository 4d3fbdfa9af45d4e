// SPDX-License-Identifier: GPL-2.0-only
/* That each mitigation of enter.S follows the host's setting, see selftest/choice.h. No locks. */
#include "branch_history.h"

#include "../selftest/choice.h"
#include "../selftest/selftest.h"

extern const u8 vmx_choice_verw[], vmx_choice_fill[], vmx_choice_fill_one[], vmx_choice_ibrs[], vmx_choice_history[];

int lodge_selftest_vmx_mitigations(void)
{
	int ret = 0;

	ret |= choice_check("vmx CPU buffers", vmx_choice_verw, boot_cpu_has(X86_FEATURE_CLEAR_CPU_BUF) ||
			    boot_cpu_has(X86_FEATURE_CLEAR_CPU_BUF_VM));
	ret |= choice_check("vmx return buffer", vmx_choice_fill, boot_cpu_has(X86_FEATURE_RSB_VMEXIT));
	ret |= choice_check("vmx one return", vmx_choice_fill_one, boot_cpu_has(X86_FEATURE_RSB_VMEXIT_LITE));
	ret |= choice_check("vmx indirect branches", vmx_choice_ibrs, boot_cpu_has(X86_FEATURE_KERNEL_IBRS));
#ifdef VMX_CLEAR_BHB
	ret |= choice_check("vmx branch history", vmx_choice_history, boot_cpu_has(VMX_CLEAR_BHB));
#endif
	return ret;
}
