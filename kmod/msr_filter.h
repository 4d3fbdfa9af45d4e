/* SPDX-License-Identifier: GPL-2.0-only */
/* Which MSRs a guest may touch, as user space says. */
#ifndef LODGE_MSR_FILTER_H
#define LODGE_MSR_FILTER_H

#include "lodge.h"

/**
 * lodge_msr_filter_set() - KVM_X86_SET_MSR_FILTER
 * @user: copied in; its bitmaps are read from user space here
 * Return: 0, -EINVAL, -ENOMEM, -EFAULT; after an error the old filter holds.
 * Context: vm->lock is held; may sleep.
 */
int lodge_msr_filter_set(struct lodge_vm *vm, const struct kvm_msr_filter *user);
void lodge_msr_filter_destroy(struct lodge_vm *vm);	/* no vCPU runs any more */

/**
 * lodge_msr_allowed() - may the guest do this
 * @access: KVM_MSR_FILTER_READ or KVM_MSR_FILTER_WRITE
 * Context: any.
 */
bool lodge_msr_allowed(struct lodge_vcpu *vcpu, u32 msr, u32 access);

void lodge_msr_filter_apply(struct lodge_vcpu *vcpu);	/* LODGE_REQ_MSR_FILTER; the vCPU's own thread */

#endif
