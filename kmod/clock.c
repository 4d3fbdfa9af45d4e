// SPDX-License-Identifier: GPL-2.0-only
/*
 * kvm-clock: the host's raw time since boot plus an offset; while the host keeps its own time by the TSC, a VM's
 * clock is one pair (TSC, nanoseconds) from which all its vCPUs count, else each vCPU's page is measured anew when it
 * moves and every few minutes. The pages are written by pv.c, the guest's TSC is tsc.c's. vm->clock->lock (raw: WRMSR
 * with interrupts off takes it) guards a VM's clock.
 */
#include "clock.h"

#include <linux/clocksource.h>
#include <linux/irq_work.h>
#include <linux/math64.h>
#include <linux/pvclock_gtod.h>
#include <linux/seqlock.h>
#include <linux/slab.h>
#include <linux/timekeeper_internal.h>

#include <asm/pvclock.h>
#include <asm/tsc.h>

#include "backend.h"
#include "clock_internal.h"
#include "tsc_rate.h"

#define CLOCK_REFRESH		(300 * HZ)
#define CLOCK_FLAGS_VALID	(KVM_CLOCK_TSC_STABLE | KVM_CLOCK_REALTIME | KVM_CLOCK_HOST_TSC)

/* How the host's timekeeper counts since its last update: ((cycles - last) * mult + fraction) >> shift. */
struct clock_line {
	u64 last, mask, fraction;
	u32 mult, shift;
};

/* A copy of what the timekeeper last said. Written under the timekeeper's lock, in its notifier. */
static struct {
	seqcount_t seq;
	bool by_tsc;
	struct clock_line raw, wall;
	u64 raw_ns;			/* CLOCK_MONOTONIC_RAW at the update, the fraction apart */
	u64 wall_seconds;		/* CLOCK_REALTIME likewise */
	u64 boot_offset;		/* CLOCK_BOOTTIME - CLOCK_MONOTONIC */
} clock_host = {
	.seq = SEQCNT_ZERO(clock_host.seq),
};

static u32 clock_mul __ro_after_init;	/* of the host's own ticks: lodge_tsc_factors() */
static s8 clock_shift __ro_after_init;

static void clock_line_take(struct clock_line *line, const struct tk_read_base *base)
{
	line->last = base->cycle_last;
	line->mask = base->mask;
	line->fraction = base->xtime_nsec;
	line->mult = base->mult;
	line->shift = base->shift;
}

static u64 clock_line_ns(const struct clock_line *line, u64 cycles)
{
	u64 delta = (cycles - line->last) & line->mask;

	/* A TSC read on another CPU may be a few ticks behind the timekeeper's last. */
	if (delta > line->mask >> 1)
		delta = 0;
	return (delta * line->mult + line->fraction) >> line->shift;
}

/* The host's moment by the timekeeper's own arithmetic; false when it does not count TSC ticks. */
static bool clock_read_tsc_moment(struct clock_moment *moment, u64 *wall_ns)
{
	unsigned int seq;
	bool by_tsc;

	do {
		seq = read_seqcount_begin(&clock_host.seq);
		by_tsc = clock_host.by_tsc;
		moment->tsc = rdtsc_ordered();
		moment->ns = clock_host.raw_ns + clock_host.boot_offset +
			     clock_line_ns(&clock_host.raw, moment->tsc);
		if (wall_ns)
			*wall_ns = clock_host.wall_seconds * NSEC_PER_SEC +
				   clock_line_ns(&clock_host.wall, moment->tsc);
	} while (read_seqcount_retry(&clock_host.seq, seq));
	return by_tsc && !check_tsc_unstable();
}

static u64 clock_boot_offset(void)
{
	unsigned int seq;
	u64 offset;

	do {
		seq = read_seqcount_begin(&clock_host.seq);
		offset = clock_host.boot_offset;
	} while (read_seqcount_retry(&clock_host.seq, seq));
	return offset;
}

static u64 clock_boot_ns(void)
{
	return ktime_get_raw_ns() + clock_boot_offset();
}

/* The two clocks read one after the other, for hosts that keep time by something else. */
void lodge_clock_read_moment(struct clock_moment *moment)
{
	unsigned long flags;

	local_irq_save(flags);
	moment->tsc = rdtsc();
	moment->ns = clock_boot_ns();
	local_irq_restore(flags);
}

static u64 clock_ticks_to_ns(u64 ticks)
{
	return pvclock_scale_delta(ticks, clock_mul, clock_shift);
}

static void clock_request_all(struct lodge_vm *vm)
{
	struct lodge_vcpu *vcpu;
	unsigned long i;

	lodge_for_each_vcpu(i, vcpu, vm)
		lodge_vcpu_request(vcpu, LODGE_REQ_CLOCK);
}

/*
 * A guest that sees the stable flag reads one vCPU's page on every vCPU, so it is shown only while the same page
 * is right for all. Return: true when the answer changed.
 */
static bool clock_check_stable(struct lodge_vm *vm)
{
	struct lodge_vm_clock *clock = vm->clock;
	struct lodge_vcpu *vcpu, *first = NULL;
	bool stable = clock->has_base && !clock->old_guest;
	unsigned long i;

	lockdep_assert_held(&clock->lock);
	lodge_for_each_vcpu(i, vcpu, vm) {
		if (!first)
			first = vcpu;
		else if (READ_ONCE(vcpu->tsc_offset) != READ_ONCE(first->tsc_offset) ||
			 READ_ONCE(vcpu->tsc_ratio) != READ_ONCE(first->tsc_ratio))
			stable = false;
	}
	if (clock->stable == stable)
		return false;
	clock->stable = stable;
	return true;
}

/* Count from now on from this moment, or from none. */
static void clock_rebase(struct lodge_vm *vm)
{
	struct lodge_vm_clock *clock = vm->clock;

	lockdep_assert_held(&clock->lock);
	clock->has_base = clock_read_tsc_moment(&clock->base, NULL);
	clock_check_stable(vm);
}

static u64 clock_value_at(const struct lodge_vm_clock *clock, u64 tsc)
{
	s64 ticks = tsc - clock->base.tsc;

	return clock->base.ns + clock->offset + clock_ticks_to_ns(max(ticks, 0LL));
}

static u64 clock_now_locked(const struct lodge_vm_clock *clock)
{
	if (clock->has_base)
		return clock_value_at(clock, rdtsc_ordered());
	return clock_boot_ns() + clock->offset;
}

u64 lodge_clock_now(struct lodge_vm *vm)
{
	struct lodge_vm_clock *clock = vm->clock;
	unsigned long flags;
	u64 now;

	raw_spin_lock_irqsave(&clock->lock, flags);
	now = clock_now_locked(clock);
	raw_spin_unlock_irqrestore(&clock->lock, flags);
	return now;
}

void lodge_clock_set_old_guest(struct lodge_vm *vm, bool old)
{
	struct lodge_vm_clock *clock = vm->clock;
	unsigned long flags;
	bool changed;

	raw_spin_lock_irqsave(&clock->lock, flags);
	clock->old_guest = old;
	changed = clock_check_stable(vm);
	raw_spin_unlock_irqrestore(&clock->lock, flags);
	if (changed)
		clock_request_all(vm);
}

void lodge_clock_parameters(struct lodge_vcpu *vcpu, struct pvclock_vcpu_time_info *info)
{
	struct lodge_vm_clock *clock = vcpu->vm->clock;
	struct clock_moment moment;
	bool has_base, stable;
	unsigned long flags;
	s64 offset;

	raw_spin_lock_irqsave(&clock->lock, flags);
	moment = clock->base;
	has_base = clock->has_base;
	stable = clock->stable;
	offset = clock->offset;
	raw_spin_unlock_irqrestore(&clock->lock, flags);

	if (!has_base) {
		lodge_clock_read_moment(&moment);
		if (check_tsc_unstable())
			lodge_tsc_catch_up(vcpu, &moment);
	}
	*info = (struct pvclock_vcpu_time_info) {
		.tsc_timestamp = lodge_tsc_at(vcpu, moment.tsc),
		.system_time = moment.ns + offset,
		.tsc_to_system_mul = vcpu->pv->tsc_mul,
		.tsc_shift = vcpu->pv->tsc_shift,
		.flags = stable ? PVCLOCK_TSC_STABLE_BIT : 0,
	};
}

void lodge_clock_tsc_changed(struct lodge_vcpu *vcpu)
{
	struct lodge_vm_clock *clock = vcpu->vm->clock;
	unsigned long flags;
	bool changed;

	raw_spin_lock_irqsave(&clock->lock, flags);
	changed = clock_check_stable(vcpu->vm);
	raw_spin_unlock_irqrestore(&clock->lock, flags);
	lodge_vcpu_request_self(vcpu, LODGE_REQ_CLOCK);
	if (changed)
		clock_request_all(vcpu->vm);
}

int lodge_clock_get(struct lodge_vm *vm, struct kvm_clock_data *data)
{
	struct lodge_vm_clock *clock = vm->clock;
	struct clock_moment moment;
	unsigned long flags;
	u64 wall;

	memset(data, 0, sizeof(*data));
	raw_spin_lock_irqsave(&clock->lock, flags);
	if (clock->has_base && clock_read_tsc_moment(&moment, &wall)) {
		data->clock = clock_value_at(clock, moment.tsc);
		data->realtime = wall;
		data->host_tsc = moment.tsc;
		data->flags = KVM_CLOCK_REALTIME | KVM_CLOCK_HOST_TSC;
		if (clock->stable)
			data->flags |= KVM_CLOCK_TSC_STABLE;
	} else {
		data->clock = clock_now_locked(clock);
	}
	raw_spin_unlock_irqrestore(&clock->lock, flags);
	return 0;
}

int lodge_clock_set(struct lodge_vm *vm, const struct kvm_clock_data *data)
{
	struct lodge_vm_clock *clock = vm->clock;
	u64 value = data->clock;
	unsigned long flags;

	if (data->flags & ~(u32)CLOCK_FLAGS_VALID)
		return -EINVAL;
	raw_spin_lock_irqsave(&clock->lock, flags);
	clock_rebase(vm);
	if (data->flags & KVM_CLOCK_REALTIME) {
		s64 passed = ktime_get_real_ns() - data->realtime;

		value += max(passed, 0LL);
	}
	clock->offset = value - (clock->has_base ? clock->base.ns : clock_boot_ns());
	raw_spin_unlock_irqrestore(&clock->lock, flags);
	clock_request_all(vm);
	return 0;
}

void lodge_clock_start_refresh(struct lodge_vm *vm)
{
	if (!READ_ONCE(vm->clock->has_base))
		schedule_delayed_work(&vm->clock->refresh, CLOCK_REFRESH);
}

static void clock_refresh(struct work_struct *work)
{
	struct lodge_vm_clock *clock = container_of(work, struct lodge_vm_clock, refresh.work);

	clock_request_all(clock->vm);
	lodge_clock_start_refresh(clock->vm);
}

int lodge_clock_create(struct lodge_vm *vm)
{
	struct lodge_vm_clock *clock = kzalloc(sizeof(*clock), GFP_KERNEL_ACCOUNT);

	if (!clock)
		return -ENOMEM;
	raw_spin_lock_init(&clock->lock);
	INIT_DELAYED_WORK(&clock->refresh, clock_refresh);
	clock->vm = vm;
	clock->tsc_khz = tsc_khz;
	clock->has_base = clock_read_tsc_moment(&clock->base, NULL);
	clock->stable = clock->has_base;
	clock->offset = -(s64)(clock->has_base ? clock->base.ns : clock_boot_ns());
	vm->clock = clock;
	return 0;
}

void lodge_clock_destroy(struct lodge_vm *vm)
{
	if (!vm->clock)
		return;
	cancel_delayed_work_sync(&vm->clock->refresh);
	kfree(vm->clock);
	vm->clock = NULL;
}

/* The host began or ceased to keep time by its TSC. */
static void clock_source_changed(struct work_struct *work)
{
	struct lodge_vm *vm;

	mutex_lock(&lodge_vm_list_lock);
	list_for_each_entry(vm, &lodge_vm_list, link) {
		raw_spin_lock_irq(&vm->clock->lock);
		clock_rebase(vm);
		raw_spin_unlock_irq(&vm->clock->lock);
		clock_request_all(vm);
		lodge_clock_start_refresh(vm);
	}
	mutex_unlock(&lodge_vm_list_lock);
}

static DECLARE_WORK(clock_source_work, clock_source_changed);

/* Two steps, because the notifier runs under the timekeeper's lock, where no work may be queued. */
static void clock_source_irq(struct irq_work *work)
{
	schedule_work(&clock_source_work);
}

static DEFINE_IRQ_WORK(clock_source_irq_work, clock_source_irq);

static int clock_timekeeper_changed(struct notifier_block *nb, unsigned long unused, void *data)
{
	const struct timekeeper *tk = data;
	bool by_tsc = tk->tkr_mono.clock->vdso_clock_mode == VDSO_CLOCKMODE_TSC;
	bool changed = by_tsc != clock_host.by_tsc;

	write_seqcount_begin(&clock_host.seq);
	clock_host.by_tsc = by_tsc;
	clock_line_take(&clock_host.raw, &tk->tkr_raw);
	clock_line_take(&clock_host.wall, &tk->tkr_mono);
	clock_host.raw_ns = tk->tkr_raw.base;
	clock_host.wall_seconds = tk->xtime_sec;
	clock_host.boot_offset = tk->offs_boot;
	write_seqcount_end(&clock_host.seq);

	if (changed)
		irq_work_queue(&clock_source_irq_work);
	return NOTIFY_OK;
}

static struct notifier_block clock_timekeeper_notifier = {
	.notifier_call = clock_timekeeper_changed,
};

static u64 clock_suspended_tsc;		/* only while one CPU runs with interrupts off */

static int clock_suspend(void)
{
	clock_suspended_tsc = rdtsc();
	return 0;
}

/*
 * Tasks are frozen, the timekeeper has resumed before. A TSC that began anew is made up for in the guests; time
 * that passed in suspend counts in kvm-clock.
 */
static void clock_resume(void)
{
	u64 tsc = rdtsc();
	u64 lost = tsc < clock_suspended_tsc ? clock_suspended_tsc - tsc : 0;
	struct lodge_vcpu *vcpu;
	struct lodge_vm *vm;
	unsigned long i;

	list_for_each_entry(vm, &lodge_vm_list, link) {
		raw_spin_lock(&vm->clock->lock);
		vm->clock->tsc_offset += lodge_tsc_scale(&lodge_tsc_format, lost, vm->clock->tsc_ratio);
		clock_rebase(vm);
		raw_spin_unlock(&vm->clock->lock);
		lodge_for_each_vcpu(i, vcpu, vm) {
			if (lost)
				lodge_tsc_restarted(vcpu, lost);
			lodge_vcpu_request_self(vcpu, LODGE_REQ_CLOCK);
		}
	}
}

LODGE_COMPAT_SYSCORE(clock_syscore, clock_suspend, clock_resume);

int __init lodge_clock_init(void)
{
	if (!tsc_khz) {
		pr_info("the frequency of this CPU's TSC is unknown: not supported\n");
		return -ENODEV;
	}
	lodge_tsc_factors((u64)tsc_khz * 1000, &clock_mul, &clock_shift);
	lodge_compat_register_syscore(&clock_syscore);
	return pvclock_gtod_register_notifier(&clock_timekeeper_notifier);
}

void lodge_clock_exit(void)
{
	pvclock_gtod_unregister_notifier(&clock_timekeeper_notifier);
	lodge_compat_unregister_syscore(&clock_syscore);
	irq_work_sync(&clock_source_irq_work);
	cancel_work_sync(&clock_source_work);
}
