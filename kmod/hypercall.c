// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hypercalls: KVM's numbers and results. Unknown ones answer -KVM_ENOSYS, those from CPL 3 -KVM_EPERM.
 * Runs with interrupts off.
 */
#include "hypercall.h"

#include <linux/kvm_para.h>

#include "backend.h"
#include "regs.h"

void lodge_hypercall(struct lodge_vcpu *vcpu)
{
	u64 nr = vcpu->gprs[LODGE_RAX];
	bool wide = lodge_vcpu_in_long_code(vcpu);
	long ret;

	if (!wide)
		nr = (u32)nr;
	if (lodge_op(get_cpl)(vcpu))
		ret = -KVM_EPERM;
	else if (nr == KVM_HC_VAPIC_POLL_IRQ)
		ret = 0;
	else
		ret = -KVM_ENOSYS;
	vcpu->gprs[LODGE_RAX] = wide ? ret : (u32)ret;
}
