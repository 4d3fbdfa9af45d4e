// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_CAP_SYNC_REGS: registers that travel in kvm_run instead of by ioctls of their own. What user space marked
 * as changed is taken before the guest runs, what it asked for is there after every return. The page is shared
 * with user space all the time: each part is read once, then judged. Locking: vcpu->mutex.
 */
#include "sync_regs.h"

#include "event.h"
#include "regs.h"

static int sync_sregs_load(struct lodge_vcpu *vcpu)
{
	struct kvm_sregs sregs = vcpu->run->s.regs.sregs;

	return lodge_sregs_set(vcpu, &sregs);
}

static int sync_events_load(struct lodge_vcpu *vcpu)
{
	struct kvm_vcpu_events events = vcpu->run->s.regs.events;

	return lodge_vcpu_events_set(vcpu, &events);
}

int lodge_sync_regs_load(struct lodge_vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	u64 dirty = READ_ONCE(run->kvm_dirty_regs);

	if (dirty & KVM_SYNC_X86_REGS) {
		lodge_regs_set(vcpu, &run->s.regs.regs);
		run->kvm_dirty_regs &= ~(u64)KVM_SYNC_X86_REGS;
	}
	if (dirty & KVM_SYNC_X86_SREGS) {
		if (sync_sregs_load(vcpu))
			return -EINVAL;
		run->kvm_dirty_regs &= ~(u64)KVM_SYNC_X86_SREGS;
	}
	if (dirty & KVM_SYNC_X86_EVENTS) {
		if (sync_events_load(vcpu))
			return -EINVAL;
		run->kvm_dirty_regs &= ~(u64)KVM_SYNC_X86_EVENTS;
	}
	return 0;
}

void lodge_sync_regs_store(struct lodge_vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	u64 valid = READ_ONCE(run->kvm_valid_regs);

	if (valid & KVM_SYNC_X86_REGS)
		lodge_regs_get(vcpu, &run->s.regs.regs);
	if (valid & KVM_SYNC_X86_SREGS)
		lodge_sregs_get(vcpu, &run->s.regs.sregs);
	if (valid & KVM_SYNC_X86_EVENTS)
		lodge_vcpu_events_get(vcpu, &run->s.regs.events);
}
