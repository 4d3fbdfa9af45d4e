// SPDX-License-Identifier: GPL-2.0-only
/*
 * The LAPIC's timer: one-shot, periodic, TSC deadline, on an hrtimer. The callback only counts the expiry and asks
 * the vCPU to look; the interrupt is raised by lodge_lapic_sync_timers() in the vCPU's thread, to which all else
 * belongs too. APM 2, 16.4.1.
 */
#include "lapic_internal.h"

#include <linux/ktime.h>
#include <linux/math64.h>

#include "../clock.h"

#define APIC_BUS_CYCLE_NS	1		/* as KVM's: CPUID tells no other */
#define APIC_PERIOD_MIN_NS	200000		/* a guest cannot ask for an interrupt storm of the host's timer */
#define DEADLINE_MAX_MS_LOG2	40		/* 34 years */

static u32 timer_mode(const struct lodge_lapic *lapic)
{
	u32 lvtt = lapic_get(lapic, APIC_LVTT);

	return lvtt & APIC_LVT_TIMER_TSCDEADLINE ? APIC_LVT_TIMER_TSCDEADLINE : lvtt & APIC_LVT_TIMER_PERIODIC;
}

static enum hrtimer_restart lapic_timer_expired(struct hrtimer *timer)
{
	struct lodge_lapic *lapic = container_of(timer, struct lodge_lapic, timer);
	u64 period;

	atomic_inc(&lapic->timer_pending);
	lodge_vcpu_request(lapic->vcpu, LODGE_REQ_EVENT);
	period = READ_ONCE(lapic->timer_ns);
	if (timer_mode(lapic) != APIC_LVT_TIMER_PERIODIC || !period)
		return HRTIMER_NORESTART;
	hrtimer_forward_now(timer, ns_to_ktime(max_t(u64, period, APIC_PERIOD_MIN_NS)));
	return HRTIMER_RESTART;
}

void lapic_timer_init(struct lodge_lapic *lapic)
{
	hrtimer_setup(&lapic->timer, lapic_timer_expired, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_HARD);
	lapic->timer_divisor = 1;
}

/* Waits for a callback that runs on another CPU, which waits for nobody. */
void lapic_timer_stop(struct lodge_lapic *lapic)
{
	hrtimer_cancel(&lapic->timer);
	atomic_set(&lapic->timer_pending, 0);
}

/* APM 2, 16.4.1: bits 3, 1 and 0 select 2 to 128, then 1. */
void lapic_timer_set_divisor(struct lodge_lapic *lapic)
{
	u32 tdcr = lapic_get(lapic, APIC_TDCR);
	u32 bits = (tdcr & 3) | ((tdcr & 8) >> 1);

	lapic->timer_divisor = bits == 7 ? 1 : 2U << bits;
}

static void timer_arm(struct lodge_lapic *lapic, u64 ns)
{
	hrtimer_start(&lapic->timer, ktime_add_ns(ktime_get(), ns), HRTIMER_MODE_ABS_HARD);
}

static void timer_start_deadline(struct lodge_lapic *lapic)
{
	u64 now, ticks, khz = lodge_tsc_khz(lapic->vcpu);

	if (!lapic->deadline || !khz)
		return;
	now = lodge_tsc_read(lapic->vcpu);
	if (lapic->deadline <= now) {
		atomic_inc(&lapic->timer_pending);
		lodge_vcpu_request_self(lapic->vcpu, LODGE_REQ_EVENT);
		return;
	}
	/* The division must not overflow, whatever the guest asks for. */
	ticks = min(lapic->deadline - now, khz << DEADLINE_MAX_MS_LOG2);
	timer_arm(lapic, mul_u64_u64_div_u64(ticks, NSEC_PER_MSEC, khz));
}

/*
 * Start to count down from @count in the mode that LVTT says. A restored count of 0 is that of a shot whose
 * interrupt may not have been raised yet: better once too often.
 */
void lapic_timer_start(struct lodge_lapic *lapic, u32 count)
{
	u64 ns;

	lapic_timer_stop(lapic);
	if (timer_mode(lapic) == APIC_LVT_TIMER_TSCDEADLINE) {
		timer_start_deadline(lapic);
		return;
	}
	lapic->timer_ns = (u64)lapic_get(lapic, APIC_TMICT) * APIC_BUS_CYCLE_NS * lapic->timer_divisor;
	if (!lapic->timer_ns)
		return;
	ns = min((u64)count * APIC_BUS_CYCLE_NS * lapic->timer_divisor, lapic->timer_ns);
	if (!ns && timer_mode(lapic) == APIC_LVT_TIMER_PERIODIC)
		ns = lapic->timer_ns;
	timer_arm(lapic, ns);
}

/* What is left of the count keeps its number and is stretched or shortened in time. */
void lapic_timer_change_divisor(struct lodge_lapic *lapic)
{
	u32 count = lapic_timer_count(lapic);

	lapic_timer_set_divisor(lapic);
	if (count)
		lapic_timer_start(lapic, count);
}

u32 lapic_timer_count(struct lodge_lapic *lapic)
{
	u32 initial = lapic_get(lapic, APIC_TMICT);
	s64 left;

	if (timer_mode(lapic) == APIC_LVT_TIMER_TSCDEADLINE || !initial || !hrtimer_active(&lapic->timer))
		return 0;
	left = ktime_to_ns(hrtimer_get_remaining(&lapic->timer));
	if (left <= 0)
		return 0;
	/* A period that was lengthened for the host's sake starts with a longer first step. */
	return min_t(u64, div_u64(left, APIC_BUS_CYCLE_NS * lapic->timer_divisor), initial);
}

/* One-shot and periodic share the counter; to and from TSC deadline it is disarmed: SDM 3, 11.5.4.1. */
void lapic_timer_mode_changed(struct lodge_lapic *lapic, u32 old_lvtt)
{
	if (!((lapic_get(lapic, APIC_LVTT) ^ old_lvtt) & APIC_LVT_TIMER_TSCDEADLINE))
		return;
	lapic_timer_stop(lapic);
	lapic->deadline = 0;
	lapic->timer_ns = 0;
	lapic_set(lapic, APIC_TMICT, 0);
}

u64 lodge_lapic_deadline_get(struct lodge_vcpu *vcpu)
{
	struct lodge_lapic *lapic = vcpu->lapic;

	if (!lapic || timer_mode(lapic) != APIC_LVT_TIMER_TSCDEADLINE)
		return 0;
	return lapic->deadline;
}

void lodge_lapic_deadline_set(struct lodge_vcpu *vcpu, u64 guest_tsc)
{
	struct lodge_lapic *lapic = vcpu->lapic;

	if (!lapic || timer_mode(lapic) != APIC_LVT_TIMER_TSCDEADLINE)
		return;
	lapic_timer_stop(lapic);
	lapic->deadline = guest_tsc;
	timer_start_deadline(lapic);
}

void lodge_lapic_tsc_changed(struct lodge_vcpu *vcpu)
{
	struct lodge_lapic *lapic = vcpu->lapic;

	if (!lapic || timer_mode(lapic) != APIC_LVT_TIMER_TSCDEADLINE || !hrtimer_active(&lapic->timer))
		return;
	hrtimer_cancel(&lapic->timer);
	timer_start_deadline(lapic);
}

void lodge_lapic_sync_timers(struct lodge_vcpu *vcpu)
{
	struct lodge_lapic *lapic = vcpu->lapic;

	if (likely(!atomic_read(&lapic->timer_pending)))
		return;
	/* Several expiries are one interrupt, as in a register of one bit. */
	atomic_set(&lapic->timer_pending, 0);
	lapic_local_interrupt(lapic, APIC_LVTT);
	if (timer_mode(lapic) == APIC_LVT_TIMER_TSCDEADLINE)
		lapic->deadline = 0;
}
