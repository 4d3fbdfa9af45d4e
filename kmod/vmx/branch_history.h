/* SPDX-License-Identifier: GPL-2.0-only */
/* The host's choice of clearing the branch history after an exit, where the kernel has it. For assembly and C. */
#ifndef LODGE_VMX_BRANCH_HISTORY_H
#define LODGE_VMX_BRANCH_HISTORY_H

#include <asm/cpufeatures.h>

#ifdef X86_FEATURE_CLEAR_BHB_LOOP_ON_VMEXIT
#define VMX_CLEAR_BHB	X86_FEATURE_CLEAR_BHB_LOOP_ON_VMEXIT
#elif defined(X86_FEATURE_CLEAR_BHB_VMEXIT)
#define VMX_CLEAR_BHB	X86_FEATURE_CLEAR_BHB_VMEXIT
#endif

#endif
