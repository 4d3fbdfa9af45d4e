// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest time. The guest's TSC is the host's plus an offset. kvm-clock is the host's raw time since boot plus an
 * offset; while the host keeps its own time by the TSC, a VM's clock is one pair (TSC, nanoseconds) from which all
 * its vCPUs count, else each vCPU's page is measured anew when it moves and every few minutes. The pages are written
 * by pv.c. vm->clock->lock (raw: WRMSR with interrupts off takes it) guards a VM's clock; vCPUs' offsets are written
 * by the holder of vcpu->mutex and read by anybody.
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
#include "irqchip/irqchip.h"

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

static u32 clock_mul __ro_after_init;	/* nanoseconds = ((ticks << shift) * mul) >> 32 */
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
static void clock_read_moment(struct clock_moment *moment)
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

static u64 clock_ns_to_ticks(u64 ns)
{
	return mul_u64_u32_div(ns, tsc_khz, USEC_PER_SEC);
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
		else if (READ_ONCE(vcpu->tsc_offset) != READ_ONCE(first->tsc_offset))
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

/* Where the TSC is not to be trusted, time may not stand still or run back when a vCPU moves. */
static void clock_catch_up(struct lodge_vcpu *vcpu, const struct clock_moment *now)
{
	const struct lodge_vcpu_pv *pv = vcpu->pv;
	s64 elapsed = now->ns - pv->tsc_ns;
	u64 expected = pv->tsc_value + clock_ns_to_ticks(max(elapsed, 0LL));
	s64 behind = expected - (now->tsc + vcpu->tsc_offset);

	if (behind <= 0)
		return;
	WRITE_ONCE(vcpu->tsc_offset, vcpu->tsc_offset + behind);
	lodge_op(set_tsc_offset)(vcpu);
	if (vcpu->lapic)
		lodge_lapic_tsc_changed(vcpu);
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
		clock_read_moment(&moment);
		if (check_tsc_unstable())
			clock_catch_up(vcpu, &moment);
	}
	*info = (struct pvclock_vcpu_time_info) {
		.tsc_timestamp = moment.tsc + vcpu->tsc_offset,
		.system_time = moment.ns + offset,
		.tsc_to_system_mul = clock_mul,
		.tsc_shift = clock_shift,
		.flags = stable ? PVCLOCK_TSC_STABLE_BIT : 0,
	};
}

u64 lodge_tsc_read(struct lodge_vcpu *vcpu)
{
	return rdtsc() + READ_ONCE(vcpu->tsc_offset);
}

u32 lodge_tsc_khz(struct lodge_vcpu *vcpu)
{
	return tsc_khz;
}

static void clock_set_tsc_offset(struct lodge_vcpu *vcpu, u64 offset)
{
	struct lodge_vm_clock *clock = vcpu->vm->clock;
	struct clock_moment now;
	unsigned long flags;
	bool changed;

	WRITE_ONCE(vcpu->tsc_offset, offset);
	lodge_op(set_tsc_offset)(vcpu);
	if (vcpu->lapic)
		lodge_lapic_tsc_changed(vcpu);
	clock_read_moment(&now);
	vcpu->pv->tsc_ns = now.ns;
	vcpu->pv->tsc_value = now.tsc + offset;

	raw_spin_lock_irqsave(&clock->lock, flags);
	changed = clock_check_stable(vcpu->vm);
	raw_spin_unlock_irqrestore(&clock->lock, flags);
	lodge_vcpu_request_self(vcpu, LODGE_REQ_CLOCK);
	if (changed)
		clock_request_all(vcpu->vm);
}

/*
 * User space that writes one value to each vCPU in turn means them to be equal: a value within a second of
 * where the last write would have got by now joins that write's generation, and 0 always does.
 */
static u64 clock_synchronized_offset(struct lodge_vm_clock *clock, u64 value)
{
	const u64 second = (u64)tsc_khz * 1000;
	struct clock_moment now;
	unsigned long flags;
	bool joins = false;
	u64 offset;

	raw_spin_lock_irqsave(&clock->lock, flags);
	clock_read_moment(&now);
	if (clock->tsc_written) {
		u64 expected = clock->tsc_value + clock_ns_to_ticks(now.ns - clock->tsc_ns);

		joins = !value || (value < expected + second && value + second > expected);
	}
	clock->tsc_written = true;
	clock->tsc_ns = now.ns;
	clock->tsc_value = value;
	if (!joins) {
		clock->generation = (struct clock_moment){ .tsc = value, .ns = now.ns };
		clock->tsc_offset = value - now.tsc;
	}
	offset = clock->tsc_offset;
	if (check_tsc_unstable())
		offset = clock->generation.tsc + clock_ns_to_ticks(now.ns - clock->generation.ns) - now.tsc;
	raw_spin_unlock_irqrestore(&clock->lock, flags);
	return offset;
}

/* A write by its result: writes of the TSC that come within a second join it, as with lodge_tsc_write(). */
void lodge_tsc_offset_set(struct lodge_vcpu *vcpu, u64 offset)
{
	struct lodge_vm_clock *clock = vcpu->vm->clock;
	struct clock_moment now;
	unsigned long flags;

	raw_spin_lock_irqsave(&clock->lock, flags);
	clock_read_moment(&now);
	clock->tsc_written = true;
	clock->tsc_ns = now.ns;
	clock->tsc_value = now.tsc + offset;
	if (clock->tsc_offset != offset) {
		clock->generation = (struct clock_moment){ .tsc = clock->tsc_value, .ns = now.ns };
		clock->tsc_offset = offset;
	}
	raw_spin_unlock_irqrestore(&clock->lock, flags);
	clock_set_tsc_offset(vcpu, offset);
}

void lodge_tsc_write(struct lodge_vcpu *vcpu, u64 value, bool host)
{
	u64 offset;

	if (host) {
		offset = clock_synchronized_offset(vcpu->vm->clock, value);
	} else {
		offset = value - rdtsc();
		vcpu->tsc_adjust += offset - vcpu->tsc_offset;
	}
	clock_set_tsc_offset(vcpu, offset);
}

/* The guest moves its TSC by what it adds here; user space only puts back what it read. SDM 3, 18.17.3. */
void lodge_tsc_adjust_write(struct lodge_vcpu *vcpu, u64 value, bool host)
{
	u64 change = value - vcpu->tsc_adjust;

	vcpu->tsc_adjust = value;
	if (!host)
		clock_set_tsc_offset(vcpu, vcpu->tsc_offset + change);
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
		vm->clock->tsc_offset += lost;
		clock_rebase(vm);
		raw_spin_unlock(&vm->clock->lock);
		lodge_for_each_vcpu(i, vcpu, vm) {
			if (lost) {
				WRITE_ONCE(vcpu->tsc_offset, vcpu->tsc_offset + lost);
				lodge_op(set_tsc_offset)(vcpu);
			}
			lodge_vcpu_request_self(vcpu, LODGE_REQ_CLOCK);
		}
	}
}

LODGE_COMPAT_SYSCORE(clock_syscore, clock_suspend, clock_resume);

/* The largest multiplier that fits: ticks lose the fewest bits. */
static __init void clock_measure(void)
{
	const u64 hz = (u64)tsc_khz * 1000;
	u64 scaled = (u64)NSEC_PER_SEC << 32;

	while (div64_u64(scaled, hz) > U32_MAX) {
		scaled >>= 1;
		clock_shift++;
	}
	while (div64_u64(scaled, hz) <= U32_MAX / 2 && !(scaled & BIT_ULL(63))) {
		scaled <<= 1;
		clock_shift--;
	}
	clock_mul = div64_u64(scaled, hz);
}

int __init lodge_clock_init(void)
{
	if (!tsc_khz) {
		pr_info("the frequency of this CPU's TSC is unknown: not supported\n");
		return -ENODEV;
	}
	clock_measure();
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
