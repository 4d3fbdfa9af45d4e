// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's TSC: the host's, times a ratio where the rates differ, plus an offset; who writes it, and which vCPUs'
 * writes belong together. The arithmetic of rates is in tsc_rate.c, kvm-clock in clock.c. A vCPU's offset and ratio are
 * written by the holder of vcpu->mutex and read by anybody; vm->clock->lock guards what vCPUs share.
 */
#include "clock.h"

#include <linux/math64.h>

#include <asm/tsc.h>

#include "backend.h"
#include "clock_internal.h"
#include "irqchip/irqchip.h"
#include "tsc_rate.h"

struct lodge_tsc_format lodge_tsc_format __ro_after_init;

static u64 tsc_from_host(const struct lodge_vcpu *vcpu, u64 ticks)
{
	return lodge_tsc_scale(&lodge_tsc_format, ticks, READ_ONCE(vcpu->tsc_ratio));
}

u64 lodge_tsc_at(struct lodge_vcpu *vcpu, u64 host)
{
	return tsc_from_host(vcpu, host) + READ_ONCE(vcpu->tsc_offset);
}

u64 lodge_tsc_read(struct lodge_vcpu *vcpu)
{
	return lodge_tsc_at(vcpu, rdtsc());
}

u32 lodge_tsc_khz(struct lodge_vcpu *vcpu)
{
	return tsc_from_host(vcpu, tsc_khz);
}

static u64 tsc_ns_to_ticks(struct lodge_vcpu *vcpu, u64 ns)
{
	return tsc_from_host(vcpu, mul_u64_u32_div(ns, tsc_khz, USEC_PER_SEC));
}

void lodge_tsc_catch_up(struct lodge_vcpu *vcpu, const struct clock_moment *now)
{
	const struct lodge_vcpu_pv *pv = vcpu->pv;
	s64 elapsed = now->ns - pv->tsc_ns;
	u64 expected = pv->tsc_value + tsc_ns_to_ticks(vcpu, max(elapsed, 0LL));
	s64 behind = expected - lodge_tsc_at(vcpu, now->tsc);

	if (behind <= 0)
		return;
	WRITE_ONCE(vcpu->tsc_offset, vcpu->tsc_offset + behind);
	lodge_op(set_tsc_offset)(vcpu);
	if (vcpu->lapic)
		lodge_lapic_tsc_changed(vcpu);
}

void lodge_tsc_restarted(struct lodge_vcpu *vcpu, u64 lost)
{
	WRITE_ONCE(vcpu->tsc_offset, vcpu->tsc_offset + tsc_from_host(vcpu, lost));
	lodge_op(set_tsc_offset)(vcpu);
}

static void tsc_set_offset(struct lodge_vcpu *vcpu, u64 offset)
{
	struct clock_moment now;

	WRITE_ONCE(vcpu->tsc_offset, offset);
	lodge_op(set_tsc_offset)(vcpu);
	if (vcpu->lapic)
		lodge_lapic_tsc_changed(vcpu);
	lodge_clock_read_moment(&now);
	vcpu->pv->tsc_ns = now.ns;
	vcpu->pv->tsc_value = lodge_tsc_at(vcpu, now.tsc);
	lodge_clock_tsc_changed(vcpu);
}

/*
 * User space that writes one value to each vCPU in turn means them to be equal: a value within a second of where the
 * last write would have got by now joins that write's generation, and 0 always does; but only at the same rate.
 */
static u64 tsc_synchronized_offset(struct lodge_vcpu *vcpu, u64 value)
{
	struct lodge_vm_clock *clock = vcpu->vm->clock;
	const u64 second = (u64)lodge_tsc_khz(vcpu) * 1000;
	struct clock_moment now;
	unsigned long flags;
	bool joins = false;
	u64 offset;

	raw_spin_lock_irqsave(&clock->lock, flags);
	lodge_clock_read_moment(&now);
	if (clock->tsc_written && clock->tsc_ratio == vcpu->tsc_ratio) {
		u64 expected = clock->tsc_value + tsc_ns_to_ticks(vcpu, now.ns - clock->tsc_ns);

		joins = !value || (value < expected + second && value + second > expected);
	}
	clock->tsc_written = true;
	clock->tsc_ns = now.ns;
	clock->tsc_value = value;
	if (!joins) {
		clock->generation = (struct clock_moment){ .tsc = value, .ns = now.ns };
		clock->tsc_ratio = vcpu->tsc_ratio;
		clock->tsc_offset = value - tsc_from_host(vcpu, now.tsc);
	}
	offset = clock->tsc_offset;
	if (check_tsc_unstable())
		offset = clock->generation.tsc + tsc_ns_to_ticks(vcpu, now.ns - clock->generation.ns) -
			 tsc_from_host(vcpu, now.tsc);
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
	lodge_clock_read_moment(&now);
	clock->tsc_written = true;
	clock->tsc_ns = now.ns;
	clock->tsc_value = tsc_from_host(vcpu, now.tsc) + offset;
	if (clock->tsc_offset != offset || clock->tsc_ratio != vcpu->tsc_ratio) {
		clock->generation = (struct clock_moment){ .tsc = clock->tsc_value, .ns = now.ns };
		clock->tsc_ratio = vcpu->tsc_ratio;
		clock->tsc_offset = offset;
	}
	raw_spin_unlock_irqrestore(&clock->lock, flags);
	tsc_set_offset(vcpu, offset);
}

void lodge_tsc_write(struct lodge_vcpu *vcpu, u64 value, bool host)
{
	u64 offset;

	if (host) {
		offset = tsc_synchronized_offset(vcpu, value);
	} else {
		offset = value - tsc_from_host(vcpu, rdtsc());
		vcpu->tsc_adjust += offset - vcpu->tsc_offset;
	}
	tsc_set_offset(vcpu, offset);
}

/* The guest moves its TSC by what it adds here; user space only puts back what it read. SDM 3, 18.17.3. */
void lodge_tsc_adjust_write(struct lodge_vcpu *vcpu, u64 value, bool host)
{
	u64 change = value - vcpu->tsc_adjust;

	vcpu->tsc_adjust = value;
	if (!host)
		tsc_set_offset(vcpu, vcpu->tsc_offset + change);
}

/* As in KVM the offset stays: the counter jumps to what it would be if it had always run at the new rate. */
static void tsc_set_ratio(struct lodge_vcpu *vcpu, u64 ratio)
{
	if (vcpu->tsc_ratio == ratio)
		return;
	WRITE_ONCE(vcpu->tsc_ratio, ratio);
	lodge_op(set_tsc_ratio)(vcpu);
	lodge_tsc_factors(tsc_from_host(vcpu, (u64)tsc_khz * 1000), &vcpu->pv->tsc_mul, &vcpu->pv->tsc_shift);
	tsc_set_offset(vcpu, vcpu->tsc_offset);
}

static bool tsc_khz_valid(u32 khz)
{
	u32 end = lodge_tsc_khz_end(&lodge_tsc_format, tsc_khz);

	return !end || khz < end;
}

/* A CPU that does not scale can seem faster to the guest, never slower: KVM's rule, which catches up. */
int lodge_tsc_khz_set(struct lodge_vcpu *vcpu, u32 khz)
{
	u64 ratio = lodge_tsc_ratio_one(&lodge_tsc_format);

	khz = khz ?: tsc_khz;
	if (!tsc_khz_valid(khz))
		return -EINVAL;
	if (!lodge_tsc_rates_match(khz, tsc_khz)) {
		if (!lodge_tsc_format.scales && khz < tsc_khz)
			return -EINVAL;
		ratio = lodge_tsc_ratio(&lodge_tsc_format, khz, tsc_khz);
		if (!ratio)
			return -EINVAL;
	}
	vcpu->tsc_khz = khz;
	tsc_set_ratio(vcpu, ratio);
	return 0;
}

int lodge_tsc_vm_khz_set(struct lodge_vm *vm, u32 khz)
{
	if (!tsc_khz_valid(khz))
		return -EINVAL;
	WRITE_ONCE(vm->clock->tsc_khz, khz ?: tsc_khz);
	return 0;
}

u32 lodge_tsc_vm_khz(struct lodge_vm *vm)
{
	return READ_ONCE(vm->clock->tsc_khz);
}

/* A rate that was set for the VM and cannot be had is left out, as in KVM. */
void lodge_tsc_create(struct lodge_vcpu *vcpu)
{
	vcpu->tsc_ratio = lodge_tsc_ratio_one(&lodge_tsc_format);
	vcpu->tsc_khz = tsc_khz;
	lodge_tsc_factors((u64)tsc_khz * 1000, &vcpu->pv->tsc_mul, &vcpu->pv->tsc_shift);
	lodge_tsc_khz_set(vcpu, lodge_tsc_vm_khz(vcpu->vm));
}
