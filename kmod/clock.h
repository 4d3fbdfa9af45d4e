/* SPDX-License-Identifier: GPL-2.0-only */
/* Guest time: the guest's TSC, kvm-clock per VM and per vCPU. */
#ifndef LODGE_CLOCK_H
#define LODGE_CLOCK_H

#include "lodge.h"
#include "tsc_rate.h"

int lodge_clock_init(void);		/* module load: pvclock_gtod notifier */
void lodge_clock_exit(void);
int lodge_clock_create(struct lodge_vm *vm);	/* vm->clock; 0 or -ENOMEM */
void lodge_clock_destroy(struct lodge_vm *vm);
int lodge_clock_get(struct lodge_vm *vm, struct kvm_clock_data *data);	/* KVM_GET_CLOCK */
int lodge_clock_set(struct lodge_vm *vm, const struct kvm_clock_data *data);	/* KVM_SET_CLOCK: -EINVAL */

/* tsc.c */
void lodge_tsc_create(struct lodge_vcpu *vcpu);		/* the rate of a new vCPU; may sleep */

/* Whether the guest's TSC runs at another rate than the host's: scaled by the CPU, or RDTSC exits. */
static inline bool lodge_tsc_is_scaled(const struct lodge_vcpu *vcpu)
{
	return vcpu->tsc_ratio != lodge_tsc_ratio_one(&lodge_tsc_format);
}

u64 lodge_tsc_read(struct lodge_vcpu *vcpu);		/* the guest's TSC now; any context */
/*
 * The guest's or user space's WRMSR; any context. User space that gives several vCPUs the same value within a second
 * makes them equal, as with KVM.
 */
void lodge_tsc_write(struct lodge_vcpu *vcpu, u64 value, bool host);
void lodge_tsc_offset_set(struct lodge_vcpu *vcpu, u64 offset);	/* KVM_VCPU_TSC_OFFSET; may sleep */
void lodge_tsc_adjust_write(struct lodge_vcpu *vcpu, u64 value, bool host);
u32 lodge_tsc_khz(struct lodge_vcpu *vcpu);		/* its rate in truth; vcpu->tsc_khz is what was asked for */
/* KVM_SET_TSC_KHZ: 0 or -EINVAL; may sleep. 0 kHz stands for the host's rate. */
int lodge_tsc_khz_set(struct lodge_vcpu *vcpu, u32 khz);
int lodge_tsc_vm_khz_set(struct lodge_vm *vm, u32 khz);	/* of vCPUs to come */
u32 lodge_tsc_vm_khz(struct lodge_vm *vm);

/* pv.c */
int lodge_pv_create(struct lodge_vcpu *vcpu);		/* vcpu->pv */
void lodge_pv_destroy(struct lodge_vcpu *vcpu);
void lodge_pv_reset(struct lodge_vcpu *vcpu);
/* MSR_KVM_SYSTEM_TIME and MSR_KVM_WALL_CLOCK, old and new numbers: as lodge_msr_get/set. */
int lodge_pv_msr_get(struct lodge_vcpu *vcpu, u32 msr, u64 *value);
int lodge_pv_msr_set(struct lodge_vcpu *vcpu, u32 msr, u64 value, bool host);	/* may sleep */
/* LODGE_REQ_CLOCK: write the page; may sleep; 0 or -EFAULT (ignored). */
int lodge_pv_update_clock(struct lodge_vcpu *vcpu);
int lodge_kvmclock_ctrl(struct lodge_vcpu *vcpu);	/* KVM_KVMCLOCK_CTRL: -EINVAL without kvm-clock */
u32 lodge_pv_features(void);				/* 0x40000001.EAX that is offered */

#endif
