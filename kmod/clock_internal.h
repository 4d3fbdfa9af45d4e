/* SPDX-License-Identifier: GPL-2.0-only */
/* What clock.c, tsc.c and pv.c share: the VM's clock, a vCPU's part of it. */
#ifndef LODGE_CLOCK_INTERNAL_H
#define LODGE_CLOCK_INTERNAL_H

#include "clock.h"

#include <asm/pvclock-abi.h>

/*
 * A moment in the host's time: its TSC and, at the same instant, the nanoseconds since boot by the raw clock, which
 * no time server bends.
 */
struct clock_moment {
	u64 tsc;
	u64 ns;
};

struct lodge_vm_clock {
	struct lodge_vm *vm;		/* (i) */
	raw_spinlock_t lock;
	struct clock_moment base;	/* under lock: with @has_base, all vCPUs count from here by the TSC */
	s64 offset;			/* under lock: kvm-clock = nanoseconds since boot + offset */
	bool has_base;			/* under lock: the host itself keeps time by its TSC */
	bool stable;			/* under lock: has_base, and all vCPUs' TSCs agree */
	bool old_guest;			/* under lock: the boot vCPU uses the old MSRs: no stable flag */
	u32 tsc_khz;			/* (a) of vCPUs to come */
	bool tsc_written;		/* under lock: the next four hold */
	u64 tsc_ns, tsc_value;		/* under lock: when user space last wrote a vCPU's TSC, and what */
	struct clock_moment generation;	/* under lock: the guest's TSC when the writes that belong together began */
	u64 tsc_offset;			/* under lock: what they made of a TSC that can be trusted */
	u64 tsc_ratio;			/* under lock: the rate at which they count */
	u64 wall_clock;			/* (a) MSR_KVM_WALL_CLOCK */
	struct delayed_work refresh;	/* without a base: vCPUs' parameters are measured anew now and then */
};

/* All (v). */
struct lodge_vcpu_pv {
	u64 system_time;		/* MSR_KVM_SYSTEM_TIME: address and enable bit */
	u64 tsc_ns, tsc_value;		/* the guest's TSC at a moment, for hosts whose TSC cannot be trusted */
	u32 tsc_mul;			/* from the guest's ticks to nanoseconds: lodge_tsc_factors() */
	s8 tsc_shift;			/* likewise */
	struct pvclock_vcpu_time_info info;	/* as last written */
	bool info_valid;
	bool guest_stopped;		/* KVM_KVMCLOCK_CTRL: tell the guest that it was stopped */
	bool async_pf_wakes;		/* waiters are to be woken, not done yet */
	u8 async_pf_vector;		/* MSR_KVM_ASYNC_PF_INT */
	u64 steal_time;			/* MSR_KVM_STEAL_TIME: address and enable bit */
	u64 run_delay;			/* of the thread, as far as the guest was told */
	u64 async_pf;			/* MSR_KVM_ASYNC_PF_EN */
	u64 pv_eoi;			/* MSR_KVM_PV_EOI_EN: lodge never offers to skip an EOI, which is allowed */
	u64 poll_control;		/* MSR_KVM_POLL_CONTROL: halted vCPUs are not polled anyway */
};

/**
 * lodge_clock_parameters() - what a vCPU's kvm-clock page shall say
 * @vcpu: the vCPU
 * @info: all but version is filled
 * Context: any. Where the host's TSC cannot be trusted it also moves the guest's TSC up to where time has got.
 */
void lodge_clock_parameters(struct lodge_vcpu *vcpu, struct pvclock_vcpu_time_info *info);

/* tsc.c: where the TSC is not to be trusted, time may not stand still or run back when a vCPU moves. */
void lodge_tsc_catch_up(struct lodge_vcpu *vcpu, const struct clock_moment *now);
void lodge_tsc_restarted(struct lodge_vcpu *vcpu, u64 lost);	/* the host's TSC began anew, behind; any context */
u64 lodge_tsc_at(struct lodge_vcpu *vcpu, u64 host);		/* the guest's TSC at the host's; any context */

/* clock.c: the two clocks read one after the other, for hosts that keep time by something else. */
void lodge_clock_read_moment(struct clock_moment *moment);
void lodge_clock_tsc_changed(struct lodge_vcpu *vcpu);		/* its offset or its rate; any context */

u64 lodge_clock_now(struct lodge_vm *vm);			/* kvm-clock in nanoseconds; any context */
void lodge_clock_set_old_guest(struct lodge_vm *vm, bool old);	/* any context */

/* A vCPU starts to use kvm-clock: keep its parameters fresh. Any context. */
void lodge_clock_start_refresh(struct lodge_vm *vm);

#endif
