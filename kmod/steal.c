// SPDX-License-Identifier: GPL-2.0-only
/*
 * Steal time: a page of the guest's in which a vCPU reads how long its thread waited for a CPU, and others whether it
 * was preempted (MSR_KVM_STEAL_TIME). They may leave a TLB flush there for it (KVM_FEATURE_PV_TLB_FLUSH). Times are
 * written where sleeping is allowed, before the vCPU enters after it was away; that it must go is told as soon as the
 * section has ended. A preemption in the middle of KVM_RUN's own work is told at the next of these.
 * Locking: vcpu->mutex.
 */
#include "steal.h"

#include <linux/kvm_para.h>
#include <linux/sched.h>
#include <linux/sched/stat.h>

#include "clock_internal.h"
#include "cpuid.h"
#include "mmu/mmu.h"

#define STEAL_RESERVED	GENMASK_ULL(KVM_STEAL_ALIGNMENT_BITS, 1)

bool lodge_steal_time_offered(void)
{
	return sched_info_on();
}

/* How long this thread has waited so far. The scheduler counts it where statistics, or KVM, make it. */
static u64 steal_run_delay(void)
{
#ifdef CONFIG_SCHED_INFO
	return current->sched_info.run_delay;
#else
	return 0;
#endif
}

int lodge_steal_time_set(struct lodge_vcpu *vcpu, u64 value)
{
	if (!lodge_steal_time_offered() || (value & STEAL_RESERVED))
		return -EINVAL;
	vcpu->pv->steal_time = value;
	vcpu->run_wants &= ~LODGE_RUN_STEAL;
	if (value & KVM_MSR_ENABLED) {
		vcpu->run_wants |= LODGE_RUN_STEAL;
		lodge_vcpu_request_self(vcpu, LODGE_REQ_STEAL);
	}
	return 0;
}

static gpa_t steal_page(const struct lodge_vcpu *vcpu)
{
	return vcpu->pv->steal_time & ~(STEAL_RESERVED | KVM_MSR_ENABLED);
}

/* The vCPU is here again. Another may put a request into the byte while it is taken away. */
static int steal_clear_preempted(struct lodge_vcpu *vcpu)
{
	gpa_t gpa = steal_page(vcpu) + offsetof(struct kvm_steal_time, preempted);
	const u8 none = 0;
	u8 was;
	int ret = lodge_guest_read(vcpu->vm, gpa, &was, sizeof(was));

	while (!ret && was)
		ret = lodge_guest_cmpxchg(vcpu, gpa, &was, &none, sizeof(was));
	if (ret < 0)
		return ret;
	if ((was & KVM_VCPU_FLUSH_TLB) && lodge_guest_pv_has(vcpu, KVM_FEATURE_PV_TLB_FLUSH))
		lodge_vcpu_request_self(vcpu, LODGE_REQ_TLB_FLUSH);
	return 0;
}

static int steal_write_version(struct lodge_vcpu *vcpu, u32 version)
{
	return lodge_guest_write(vcpu, steal_page(vcpu) + offsetof(struct kvm_steal_time, version), &version,
				 sizeof(version));
}

void lodge_steal_time_update(struct lodge_vcpu *vcpu)
{
	struct lodge_vcpu_pv *pv = vcpu->pv;
	struct kvm_steal_time there;
	u64 run_delay = steal_run_delay();
	s64 waited = run_delay - pv->run_delay;

	if (!(pv->steal_time & KVM_MSR_ENABLED) || steal_clear_preempted(vcpu) ||
	    lodge_guest_read(vcpu->vm, steal_page(vcpu), &there, sizeof(there)))
		return;
	/* User space may run a vCPU on another thread, which has waited less. */
	there.steal += max(waited, 0LL);
	pv->run_delay = run_delay;
	/* Odd while it changes: the guest reads the version before and after. */
	there.version |= 1;
	if (steal_write_version(vcpu, there.version))
		return;
	smp_wmb();	/* pairs with the guest's barriers between its reads */
	if (lodge_guest_write(vcpu, steal_page(vcpu) + offsetof(struct kvm_steal_time, steal), &there.steal,
			      sizeof(there.steal)))
		return;
	smp_wmb();	/* as above */
	steal_write_version(vcpu, there.version + 1);
}

void lodge_steal_time_stop(struct lodge_vcpu *vcpu)
{
	const u8 preempted = KVM_VCPU_PREEMPTED;

	/* Before the CPU is gone, or not at all. */
	lodge_guest_try_write(vcpu, steal_page(vcpu) + offsetof(struct kvm_steal_time, preempted), &preempted,
			      sizeof(preempted));
	lodge_vcpu_request_self(vcpu, LODGE_REQ_STEAL);
}
