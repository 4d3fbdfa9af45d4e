// SPDX-License-Identifier: GPL-2.0-only
/*
 * What lodge tells a guest that knows it is one, through MSRs by KVM's numbers: kvm-clock's pages. What they say is
 * clock.c's matter. Pages are written where sleeping is allowed, in the VMM's mm. Locking: vcpu->mutex.
 */
#include "clock.h"

#include <linux/kvm_para.h>
#include <linux/slab.h>

#include "clock_internal.h"
#include "cpuid.h"
#include "mmu/mmu.h"

#define PV_FEATURES	(BIT(KVM_FEATURE_CLOCKSOURCE) | BIT(KVM_FEATURE_CLOCKSOURCE2) | \
			 BIT(KVM_FEATURE_CLOCKSOURCE_STABLE_BIT) | BIT(KVM_FEATURE_NOP_IO_DELAY))

u32 lodge_pv_features(void)
{
	return PV_FEATURES;
}

int lodge_pv_create(struct lodge_vcpu *vcpu)
{
	vcpu->pv = kzalloc(sizeof(*vcpu->pv), GFP_KERNEL_ACCOUNT);
	return vcpu->pv ? 0 : -ENOMEM;
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
}

/*
 * The guest reads the version before and after the rest: odd, or another, means that it must read again. Another
 * vCPU may be reading, so that the three writes stay in order.
 */
static int pv_page_write(struct lodge_vm *vm, gpa_t gpa, struct pvclock_vcpu_time_info *info)
{
	const gpa_t version = gpa + offsetof(struct pvclock_vcpu_time_info, version);
	const gpa_t rest = version + sizeof(info->version);
	int ret;

	info->version |= 1;
	ret = lodge_guest_write(vm, version, &info->version, sizeof(info->version));
	if (ret)
		return ret;
	smp_wmb();	/* pairs with the guest's barriers between its reads */
	ret = lodge_guest_write(vm, rest, (u8 *)info + sizeof(info->version), sizeof(*info) - sizeof(info->version));
	if (ret)
		return ret;
	smp_wmb();	/* as above */
	info->version++;
	return lodge_guest_write(vm, version, &info->version, sizeof(info->version));
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
	    pv->info.system_time == info.system_time && pv->info.flags == info.flags)
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
	ret = pv_page_write(vcpu->vm, gpa, &info);
	pv->info_valid = !ret;
	if (!ret)
		pv->guest_stopped = false;
	return ret;
}

/* When kvm-clock was zero, in the host's wall-clock time: same protocol, but a page per VM. */
static void pv_wall_clock_write(struct lodge_vm *vm, gpa_t gpa)
{
	struct pvclock_wall_clock wall;
	u64 ns;

	if (!gpa || lodge_guest_read(vm, gpa, &wall.version, sizeof(wall.version)))
		return;
	wall.version = (wall.version + 1) | 1;
	if (lodge_guest_write(vm, gpa, &wall.version, sizeof(wall.version)))
		return;
	smp_wmb();	/* pairs with the guest's barriers between its reads */
	ns = ktime_get_real_ns() - lodge_clock_now(vm);
	wall.sec = div_u64_rem(ns, NSEC_PER_SEC, &wall.nsec);
	lodge_guest_write(vm, gpa + offsetof(struct pvclock_wall_clock, sec), &wall.sec, 2 * sizeof(u32));
	smp_wmb();	/* as above */
	wall.version++;
	lodge_guest_write(vm, gpa, &wall.version, sizeof(wall.version));
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
		pv_wall_clock_write(vcpu->vm, value);
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
