/* SPDX-License-Identifier: GPL-2.0-only */
/* Registers in kvm_run: KVM_CAP_SYNC_REGS. The vCPU's own thread, in KVM_RUN. */
#ifndef LODGE_SYNC_REGS_H
#define LODGE_SYNC_REGS_H

#include "lodge.h"

/* Whether kvm_valid_regs and kvm_dirty_regs name only sets that exist. */
static inline bool lodge_sync_regs_valid(const struct lodge_vcpu *vcpu)
{
	const struct kvm_run *run = vcpu->run;

	return !((READ_ONCE(run->kvm_valid_regs) | READ_ONCE(run->kvm_dirty_regs)) & ~(u64)KVM_SYNC_X86_VALID_FIELDS);
}

/**
 * lodge_sync_regs_load() - take the sets that user space marked in kvm_dirty_regs, and unmark each
 * Return: 0, or -EINVAL at the first that is refused; it and those behind it stay marked.
 */
int lodge_sync_regs_load(struct lodge_vcpu *vcpu);

/* Fill in the sets that kvm_valid_regs asks for. */
void lodge_sync_regs_store(struct lodge_vcpu *vcpu);

#endif
