// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rates of a guest's TSC: ratios to the host's, what is near enough, kvm-clock's factors. Arithmetic alone: no locks,
 * and the unit tests run it in user space too.
 */
#include "tsc_rate.h"

#include <linux/bits.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/ktime.h>

#define TOLERANCE_PPM	250		/* KVM's default, and QEMU's */
#define PPM		1000000
#define KHZ_END_MAX	0x7fffffffULL	/* an ioctl returns them */

/* Wide enough for any two rates in kHz. */
const struct lodge_tsc_format lodge_tsc_software = {
	.fraction_bits = 32,
	.max_ratio = U64_MAX,
};

u64 lodge_tsc_ratio(const struct lodge_tsc_format *format, u32 guest_khz, u32 host_khz)
{
	u64 ratio;

	/* The division traps where its result has more than 64 bits. */
	if (guest_khz >= (u64)host_khz << (64 - format->fraction_bits))
		return 0;
	ratio = mul_u64_u32_div(lodge_tsc_ratio_one(format), guest_khz, host_khz);
	return ratio < format->max_ratio ? ratio : 0;
}

bool lodge_tsc_rates_match(u32 guest_khz, u32 host_khz)
{
	return guest_khz >= mul_u64_u32_div(host_khz, PPM - TOLERANCE_PPM, PPM) &&
	       guest_khz <= mul_u64_u32_div(host_khz, PPM + TOLERANCE_PPM, PPM);
}

u32 lodge_tsc_khz_end(const struct lodge_tsc_format *format, u32 host_khz)
{
	return format->scales ? min(KHZ_END_MAX, lodge_tsc_scale(format, host_khz, format->max_ratio)) : 0;
}

/* The largest multiplier that fits: ticks lose the fewest bits. */
void lodge_tsc_factors(u64 hz, u32 *mul, s8 *shift)
{
	u64 scaled = (u64)NSEC_PER_SEC << 32;

	*shift = 0;
	while (div64_u64(scaled, hz) > U32_MAX) {
		scaled >>= 1;
		(*shift)++;
	}
	while (div64_u64(scaled, hz) <= U32_MAX / 2) {
		if (scaled & BIT_ULL(63))
			hz >>= 1;
		else
			scaled <<= 1;
		(*shift)--;
	}
	*mul = div64_u64(scaled, hz);
}
