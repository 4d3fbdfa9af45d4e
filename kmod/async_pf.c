// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asynchronous page faults by KVM's MSRs: a guest that enables them may be told that a page of its memory is away,
 * to run something else meanwhile. Lodge never tells it so and waits itself. But a guest that comes from another
 * host may have tasks that wait for such a page: enabling wakes them all, as with KVM, by the token that stands
 * for every page. Locking: vcpu->mutex.
 */
#include "async_pf.h"

#include <linux/kvm_para.h>

#include "clock_internal.h"
#include "cpuid.h"
#include "irqchip/irqchip.h"
#include "mmu/mmu.h"

#define ASYNC_PF_RESERVED	GENMASK_ULL(5, 4)
#define ASYNC_PF_FLAGS		GENMASK_ULL(5, 0)
#define ASYNC_PF_USABLE		(KVM_ASYNC_PF_ENABLED | KVM_ASYNC_PF_DELIVERY_AS_INT)
#define ASYNC_PF_ALL		(~0U)	/* the token that wakes every waiter */

int lodge_async_pf_enable(struct lodge_vcpu *vcpu, u64 value)
{
	bool usable = (value & ASYNC_PF_USABLE) == ASYNC_PF_USABLE;

	if (value & ASYNC_PF_RESERVED)
		return -EINVAL;
	if ((value & KVM_ASYNC_PF_DELIVERY_AS_PF_VMEXIT) && !lodge_guest_pv_has(vcpu, KVM_FEATURE_ASYNC_PF_VMEXIT))
		return -EINVAL;
	if ((value & KVM_ASYNC_PF_DELIVERY_AS_INT) && !lodge_guest_pv_has(vcpu, KVM_FEATURE_ASYNC_PF_INT))
		return -EINVAL;
	if (!vcpu->lapic && value)
		return -EINVAL;
	if (usable && !lodge_gpa_is_ram(vcpu->vm, value & ~ASYNC_PF_FLAGS, true))
		return -EINVAL;
	vcpu->pv->async_pf = value;
	vcpu->pv->async_pf_wakes = usable;
	if (usable)
		lodge_vcpu_request_self(vcpu, LODGE_REQ_ASYNC_PF);
	return 0;
}

int lodge_async_pf_set_vector(struct lodge_vcpu *vcpu, u64 value)
{
	if ((value >> 8) || !vcpu->lapic)
		return -EINVAL;
	vcpu->pv->async_pf_vector = value;
	return 0;
}

void lodge_async_pf_acked(struct lodge_vcpu *vcpu)
{
	if (vcpu->pv->async_pf_wakes)
		lodge_vcpu_request_self(vcpu, LODGE_REQ_ASYNC_PF);
}

/* One message at a time: while the guest has not taken the last, the next waits for its acknowledge. */
void lodge_async_pf_wake_all(struct lodge_vcpu *vcpu)
{
	struct lodge_vcpu_pv *pv = vcpu->pv;
	gpa_t gpa = (pv->async_pf & ~ASYNC_PF_FLAGS) + offsetof(struct kvm_vcpu_pv_apf_data, token);
	u32 token;

	if (!pv->async_pf_wakes)
		return;
	if (lodge_guest_read(vcpu->vm, gpa, &token, sizeof(token)) || token)
		return;
	token = ASYNC_PF_ALL;
	if (lodge_guest_write(vcpu, gpa, &token, sizeof(token)))
		return;
	pv->async_pf_wakes = false;
	lodge_lapic_raise(vcpu, pv->async_pf_vector);
}
