// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unit test of the rates of a guest's TSC (tsc_rate.c), in the form of each vendor's CPUs: ratios to either side, what
 * is too much, what is near enough, and that kvm-clock's factors turn a second's ticks into a second. No locks.
 */
#include <linux/kernel.h>
#include <linux/printk.h>
#include <linux/ktime.h>

#include "../tsc_rate.h"
#include "selftest.h"

#define HOST_KHZ	2000000

static const struct lodge_tsc_format formats[] = {
	{ .fraction_bits = 32, .max_ratio = 0xffffffffffULL, .scales = true },		/* AMD: APM 2, 15.30.5 */
	{ .fraction_bits = 48, .max_ratio = ~0ULL, .scales = true },			/* Intel: SDM 3, 25.6.5 */
	{ .fraction_bits = 32, .max_ratio = ~0ULL },
};

static const struct {
	u32 guest_khz;
	u64 host_ticks, guest_ticks;
} scaled[] = {
	{ HOST_KHZ, 0x123456789abcdef0ULL, 0x123456789abcdef0ULL },
	{ HOST_KHZ / 2, 1000000, 500000 },
	{ HOST_KHZ * 4, 1000000, 4000000 },
	{ HOST_KHZ / 2, 1ULL << 62, 1ULL << 61 },	/* the product has more than 64 bits */
	{ HOST_KHZ + HOST_KHZ / 2, 1ULL << 61, 3ULL << 60 },
};

static const struct {
	u32 guest_khz;
	bool match;
} near[] = {
	{ HOST_KHZ, true },
	{ HOST_KHZ - 500, true }, { HOST_KHZ - 501, false },
	{ HOST_KHZ + 500, true }, { HOST_KHZ + 501, false },
	{ 0, false }, { ~0U, false },
};

static int check_ratios(const struct lodge_tsc_format *format)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(scaled); i++) {
		u64 ratio = lodge_tsc_ratio(format, scaled[i].guest_khz, HOST_KHZ);
		u64 ticks = lodge_tsc_scale(format, scaled[i].host_ticks, ratio);

		if (ticks != scaled[i].guest_ticks) {
			pr_err("%u bits, scaled[%u]: %llu\n", format->fraction_bits, i, ticks);
			return -1;
		}
	}
	if (lodge_tsc_ratio(format, HOST_KHZ, HOST_KHZ) != lodge_tsc_ratio_one(format)) {
		pr_err("%u bits: the ratio of a rate to itself is not one\n", format->fraction_bits);
		return -1;
	}
	return 0;
}

/* The end of the rates: the ratio below it fits, the next does not. */
static int check_end(const struct lodge_tsc_format *format, u32 host_khz)
{
	u32 end = lodge_tsc_khz_end(format, host_khz);

	if (!format->scales)
		return end ? -1 : 0;
	if (!lodge_tsc_ratio(format, end - 1, host_khz) || end > 0x7fffffff ||
	    (end < 0x7fffffff && lodge_tsc_ratio(format, end + 1, host_khz))) {
		pr_err("%u bits, host at %u kHz: rates end at %u\n", format->fraction_bits, host_khz, end);
		return -1;
	}
	return 0;
}

static int check_factors(u64 hz)
{
	u64 shifted, ns;
	u32 mul;
	s8 shift;

	lodge_tsc_factors(hz, &mul, &shift);
	shifted = shift < 0 ? hz >> -shift : hz << shift;
	ns = mul_u64_u64_shr(shifted, mul, 32);
	/* A microsecond in a second, or the ticks that the shift drops. */
	if (mul < 1U << 31 || ns > NSEC_PER_SEC + 1000 || ns < NSEC_PER_SEC - 1000) {
		pr_err("%llu Hz: mul %#x shift %d, %llu ns\n", hz, mul, shift, ns);
		return -1;
	}
	return 0;
}

int lodge_selftest_tsc_rate(void)
{
	static const u64 rates[] = {
		1000, 999999, 1000000000, 1000000001, 2595000000ULL, 4294967295ULL, 2147483647000ULL,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(formats); i++)
		if (check_ratios(&formats[i]) || check_end(&formats[i], HOST_KHZ) || check_end(&formats[i], 1000))
			return -1;
	if (lodge_tsc_ratio(&formats[0], 300 * 1000, 1000)) {
		pr_err("a ratio of 300 fits in 8 bits\n");
		return -1;
	}
	for (i = 0; i < ARRAY_SIZE(near); i++) {
		if (lodge_tsc_rates_match(near[i].guest_khz, HOST_KHZ) != near[i].match) {
			pr_err("near[%u]\n", i);
			return -1;
		}
	}
	for (i = 0; i < ARRAY_SIZE(rates); i++)
		if (check_factors(rates[i]))
			return -1;
	return 0;
}
