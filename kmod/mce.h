/* SPDX-License-Identifier: GPL-2.0-only */
/* A guest's machine checks. The vCPU's owner. */
#ifndef LODGE_MCE_H
#define LODGE_MCE_H

#include "lodge.h"

#define LODGE_MAX_MCE_BANKS	32	/* KVM_CAP_MCE */

void lodge_mce_init(struct lodge_vcpu *vcpu);		/* at vCPU creation, vcpu->msrs is there */
u64 lodge_mce_supported(void);				/* KVM_X86_GET_MCE_CAP_SUPPORTED */

/* KVM_X86_SETUP_MCE: what MCG_CAP says, all error reporting on. 0 or -EINVAL. */
int lodge_mce_setup(struct lodge_vcpu *vcpu, u64 mcg_cap);

/**
 * lodge_mce_set() - KVM_X86_SET_MCE: an error in one of the banks
 * Return: 0, -EINVAL: no such bank, or the status is not valid. An error that the guest does not want to hear of is
 * dropped, one that it cannot take is a triple fault.
 */
int lodge_mce_set(struct lodge_vcpu *vcpu, const struct kvm_x86_mce *mce);

#endif
