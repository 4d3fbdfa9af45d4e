// SPDX-License-Identifier: GPL-2.0-only
/* That each mitigation of enter.S follows the host's setting, see selftest/choice.h. No locks. */
#include "../selftest/choice.h"
#include "../selftest/selftest.h"

extern const u8 svm_choice_fill[], svm_choice_barrier[];

int lodge_selftest_svm_mitigations(void)
{
	int ret = 0;

	ret |= choice_check("svm return buffer", svm_choice_fill, boot_cpu_has(X86_FEATURE_RSB_VMEXIT));
	ret |= choice_check("svm branch barrier", svm_choice_barrier, boot_cpu_has(X86_FEATURE_ENTRY_IBPB) ||
			    boot_cpu_has(X86_FEATURE_IBPB_ON_VMEXIT));
	return ret;
}
