/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Rates of a guest's TSC: arithmetic alone, in any context. A ratio is the guest's ticks to one of the host's, as the
 * fixed-point number that the CPU takes where it scales.
 */
#ifndef LODGE_TSC_RATE_H
#define LODGE_TSC_RATE_H

#include <linux/math64.h>
#include <linux/types.h>

/**
 * struct lodge_tsc_format - what ratios look like on this CPU
 * @fraction_bits: of a ratio
 * @max_ratio: ratios are less
 * @scales: the CPU applies them; else RDTSC exits from guests whose rate is not the host's
 */
struct lodge_tsc_format {
	u8 fraction_bits;
	u64 max_ratio;
	bool scales;
};

extern const struct lodge_tsc_format lodge_tsc_software;	/* of CPUs that do not scale */
extern struct lodge_tsc_format lodge_tsc_format;		/* set by the backend before any VM exists */

static inline u64 lodge_tsc_ratio_one(const struct lodge_tsc_format *format)
{
	return 1ULL << format->fraction_bits;
}

/* Ticks of a host's TSC in those of a guest's. */
static inline u64 lodge_tsc_scale(const struct lodge_tsc_format *format, u64 ticks, u64 ratio)
{
	return ratio == lodge_tsc_ratio_one(format) ? ticks : mul_u64_u64_shr(ticks, ratio, format->fraction_bits);
}

u64 lodge_tsc_ratio(const struct lodge_tsc_format *format, u32 guest_khz, u32 host_khz);	/* 0: there is none */
bool lodge_tsc_rates_match(u32 guest_khz, u32 host_khz);	/* so near that one will do for the other, as in KVM */
u32 lodge_tsc_khz_end(const struct lodge_tsc_format *format, u32 host_khz);	/* rates are below; 0: any is taken */

/* kvm-clock's factors: nanoseconds = ((ticks << shift) * mul) >> 32, where a negative shift is one to the right. */
void lodge_tsc_factors(u64 hz, u32 *mul, s8 *shift);

#endif
