// SPDX-License-Identifier: GPL-2.0-only
/*
 * What lodge tells a guest that knows it is one, through MSRs by KVM's numbers: kvm-clock's pages, what they say being
 * clock.c's matter; steal time is in steal.c, asynchronous page faults in async_pf.c. Pages are written where sleeping
 * is allowed, in the VMM's mm. Locking: vcpu->mutex.
 */
#include "clock.h"

#include <linux/kvm_para.h>
#include <linux/slab.h>

#include "async_pf.h"
#include "clock_internal.h"
#include "cpuid.h"
#include "mmu/mmu.h"
#include "steal.h"

#define PV_FEATURES	(BIT(KVM_FEATURE_CLOCKSOURCE) | BIT(KVM_FEATURE_CLOCKSOURCE2) | \
			 BIT(KVM_FEATURE_CLOCKSOURCE_STABLE_BIT) | BIT(KVM_FEATURE_NOP_IO_DELAY) | \
			 BIT(KVM_FEATURE_ASYNC_PF) | BIT(KVM_FEATURE_ASYNC_PF_VMEXIT) | \
			 BIT(KVM_FEATURE_ASYNC_PF_INT) | BIT(KVM_FEATURE_PV_EOI) | BIT(KVM_FEATURE_PV_UNHALT) | \
			 BIT(KVM_FEATURE_PV_TLB_FLUSH) | BIT(KVM_FEATURE_PV_SEND_IPI) | \
			 BIT(KVM_FEATURE_POLL_CONTROL) | BIT(KVM_FEATURE_PV_SCHED_YIELD))

#define PV_EOI_MISALIGNED	2ULL	/* bit 0 enables, the word is of 4 bytes */
#define POLL_CONTROL_INIT	1	/* the host may poll */

u32 lodge_pv_features(void)
{
	return PV_FEATURES | (lodge_steal_time_offered() ? BIT(KVM_FEATURE_STEAL_TIME) : 0);
}

int lodge_pv_create(struct lodge_vcpu *vcpu)
{
	vcpu->pv = kzalloc(sizeof(*vcpu->pv), GFP_KERNEL_ACCOUNT);
	if (!vcpu->pv)
		return -ENOMEM;
	vcpu->pv->poll_control = POLL_CONTROL_INIT;
	return 0;
}

void lodge_pv_destroy(struct lodge_vcpu *vcpu)
{
	kfree(vcpu->pv);
	vcpu->pv = NULL;
}

void lodge_pv_reset(struct lodge_vcpu *vcpu)
{
	vcpu->pv->system_time = 0;
	vcpu->pv->guest_stopped = false;
	vcpu->pv->steal_time = 0;
	vcpu->run_wants &= ~LODGE_RUN_STEAL;
	vcpu->pv->async_pf = 0;
	vcpu->pv->async_pf_vector = 0;
	vcpu->pv->async_pf_wakes = false;
	vcpu->pv->pv_eoi = 0;
	WRITE_ONCE(vcpu->pv_unhalted, false);
}

/*
 * The guest reads the version before and after the rest: odd, or another, means that it must read again. Another
 * vCPU may be reading, so that the three writes stay in order.
 */
static int pv_page_write(struct lodge_vcpu *vcpu, gpa_t gpa, struct pvclock_vcpu_time_info *info)
{
	const gpa_t version = gpa + offsetof(struct pvclock_vcpu_time_info, version);
	const gpa_t rest = version + sizeof(info->version);
	int ret;

	info->version |= 1;
	ret = lodge_guest_write(vcpu, version, &info->version, sizeof(info->version));
	if (ret)
		return ret;
	smp_wmb();	/* pairs with the guest's barriers between its reads */
	ret = lodge_guest_write(vcpu, rest, (u8 *)info + sizeof(info->version), sizeof(*info) - sizeof(info->version));
	if (ret)
		return ret;
	smp_wmb();	/* as above */
	info->version++;
	return lodge_guest_write(vcpu, version, &info->version, sizeof(info->version));
}

int lodge_pv_update_clock(struct lodge_vcpu *vcpu)
{
	struct lodge_vcpu_pv *pv = vcpu->pv;
	struct pvclock_vcpu_time_info info, there;
	gpa_t gpa = pv->system_time & ~(u64)KVM_MSR_ENABLED;
	int ret;

	lodge_clock_parameters(vcpu, &info);
	if (!(pv->system_time & KVM_MSR_ENABLED))
		return 0;
	/* Most requests come because the vCPU moved, which changes nothing while the TSC is good. */
	if (pv->info_valid && !pv->guest_stopped && pv->info.tsc_timestamp == info.tsc_timestamp &&
	    pv->info.system_time == info.system_time && pv->info.flags == info.flags &&
	    pv->info.tsc_to_system_mul == info.tsc_to_system_mul && pv->info.tsc_shift == info.tsc_shift)
		return 0;

	ret = lodge_guest_read(vcpu->vm, gpa, &there, sizeof(there));
	if (ret)
		return ret;
	pv->info = info;
	/* The guest clears the mark when it has seen it. */
	info.flags |= there.flags & PVCLOCK_GUEST_STOPPED;
	if (pv->guest_stopped)
		info.flags |= PVCLOCK_GUEST_STOPPED;
	info.version = there.version + 1;
	ret = pv_page_write(vcpu, gpa, &info);
	pv->info_valid = !ret;
	if (!ret)
		pv->guest_stopped = false;
	return ret;
}

/* When kvm-clock was zero, in the host's wall-clock time: same protocol, but a page per VM. */
static void pv_wall_clock_write(struct lodge_vcpu *vcpu, gpa_t gpa)
{
	struct lodge_vm *vm = vcpu->vm;
	struct pvclock_wall_clock wall;
	u64 ns;

	if (!gpa || lodge_guest_read(vm, gpa, &wall.version, sizeof(wall.version)))
		return;
	wall.version = (wall.version + 1) | 1;
	if (lodge_guest_write(vcpu, gpa, &wall.version, sizeof(wall.version)))
		return;
	smp_wmb();	/* pairs with the guest's barriers between its reads */
	ns = ktime_get_real_ns() - lodge_clock_now(vm);
	wall.sec = div_u64_rem(ns, NSEC_PER_SEC, &wall.nsec);
	lodge_guest_write(vcpu, gpa + offsetof(struct pvclock_wall_clock, sec), &wall.sec, 2 * sizeof(u32));
	smp_wmb();	/* as above */
	wall.version++;
	lodge_guest_write(vcpu, gpa, &wall.version, sizeof(wall.version));
}

static void pv_system_time_set(struct lodge_vcpu *vcpu, u64 value, bool old, bool host)
{
	if (vcpu->id == vcpu->vm->boot_vcpu_id && !host)
		lodge_clock_set_old_guest(vcpu->vm, old);
	vcpu->pv->system_time = value;
	vcpu->pv->info_valid = false;
	if (value & KVM_MSR_ENABLED)
		lodge_clock_start_refresh(vcpu->vm);
	lodge_vcpu_request_self(vcpu, LODGE_REQ_CLOCK);
}

/* Each MSR belongs to a feature, which the guest may have been denied. */
static bool pv_msr_allowed(const struct lodge_vcpu *vcpu, u32 msr)
{
	switch (msr) {
	case MSR_KVM_SYSTEM_TIME:
	case MSR_KVM_WALL_CLOCK:
		return lodge_guest_pv_has(vcpu, KVM_FEATURE_CLOCKSOURCE);
	case MSR_KVM_SYSTEM_TIME_NEW:
	case MSR_KVM_WALL_CLOCK_NEW:
		return lodge_guest_pv_has(vcpu, KVM_FEATURE_CLOCKSOURCE2);
	case MSR_KVM_ASYNC_PF_EN:
		return lodge_guest_pv_has(vcpu, KVM_FEATURE_ASYNC_PF);
	case MSR_KVM_ASYNC_PF_INT:
	case MSR_KVM_ASYNC_PF_ACK:
		return lodge_guest_pv_has(vcpu, KVM_FEATURE_ASYNC_PF_INT);
	case MSR_KVM_STEAL_TIME:
		return lodge_guest_pv_has(vcpu, KVM_FEATURE_STEAL_TIME);
	case MSR_KVM_PV_EOI_EN:
		return lodge_guest_pv_has(vcpu, KVM_FEATURE_PV_EOI);
	case MSR_KVM_POLL_CONTROL:
		return lodge_guest_pv_has(vcpu, KVM_FEATURE_POLL_CONTROL);
	default:
		return true;
	}
}

int lodge_pv_msr_get(struct lodge_vcpu *vcpu, u32 msr, u64 *value)
{
	if (!pv_msr_allowed(vcpu, msr))
		return -EINVAL;
	switch (msr) {
	case MSR_KVM_SYSTEM_TIME:
	case MSR_KVM_SYSTEM_TIME_NEW:
		*value = vcpu->pv->system_time;
		return 0;
	case MSR_KVM_WALL_CLOCK:
	case MSR_KVM_WALL_CLOCK_NEW:
		*value = READ_ONCE(vcpu->vm->clock->wall_clock);
		return 0;
	case MSR_KVM_ASYNC_PF_EN:
		*value = vcpu->pv->async_pf;
		return 0;
	case MSR_KVM_ASYNC_PF_INT:
		*value = vcpu->pv->async_pf_vector;
		return 0;
	case MSR_KVM_ASYNC_PF_ACK:
		*value = 0;
		return 0;
	case MSR_KVM_STEAL_TIME:
		*value = vcpu->pv->steal_time;
		return 0;
	case MSR_KVM_PV_EOI_EN:
		*value = vcpu->pv->pv_eoi;
		return 0;
	case MSR_KVM_POLL_CONTROL:
		*value = vcpu->pv->poll_control;
		return 0;
	default:
		return -ENOENT;
	}
}

int lodge_pv_msr_set(struct lodge_vcpu *vcpu, u32 msr, u64 value, bool host)
{
	if (!pv_msr_allowed(vcpu, msr))
		return -EINVAL;
	switch (msr) {
	case MSR_KVM_SYSTEM_TIME:
	case MSR_KVM_SYSTEM_TIME_NEW:
		pv_system_time_set(vcpu, value, msr == MSR_KVM_SYSTEM_TIME, host);
		return 0;
	case MSR_KVM_WALL_CLOCK:
	case MSR_KVM_WALL_CLOCK_NEW:
		WRITE_ONCE(vcpu->vm->clock->wall_clock, value);
		pv_wall_clock_write(vcpu, value);
		return 0;
	case MSR_KVM_ASYNC_PF_EN:
		return lodge_async_pf_enable(vcpu, value);
	case MSR_KVM_ASYNC_PF_INT:
		return lodge_async_pf_set_vector(vcpu, value);
	case MSR_KVM_ASYNC_PF_ACK:
		if (value & 1)
			lodge_async_pf_acked(vcpu);
		return 0;
	case MSR_KVM_STEAL_TIME:
		return lodge_steal_time_set(vcpu, value);
	case MSR_KVM_PV_EOI_EN:
		if ((value & PV_EOI_MISALIGNED) ||
		    ((value & KVM_MSR_ENABLED) && !lodge_gpa_is_ram(vcpu->vm, value & ~(u64)KVM_MSR_ENABLED, true)))
			return -EINVAL;
		vcpu->pv->pv_eoi = value;
		return 0;
	case MSR_KVM_POLL_CONTROL:
		if (value & ~1ULL)
			return -EINVAL;
		vcpu->pv->poll_control = value;
		return 0;
	default:
		return -ENOENT;
	}
}

int lodge_kvmclock_ctrl(struct lodge_vcpu *vcpu)
{
	if (!(vcpu->pv->system_time & KVM_MSR_ENABLED))
		return -EINVAL;
	vcpu->pv->guest_stopped = true;
	lodge_vcpu_request_self(vcpu, LODGE_REQ_CLOCK);
	return 0;
}
