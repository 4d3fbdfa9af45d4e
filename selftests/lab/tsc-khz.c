// SPDX-License-Identifier: GPL-2.0-only
/*
 * Prints how many thousand times a second this machine's time stamp counter counts, which is what QEMU's emulated
 * CPUs count too. A kernel that measures it itself, on CPUs that wait for other work of the build machine, may be
 * wrong by ten times.
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

struct sample {
	uint64_t ticks, ns;
};

/* Of some pairs of readings the one that took the shortest: nothing came between. */
static struct sample sample(void)
{
	uint64_t shortest = UINT64_MAX;
	struct sample best = { 0 };

	for (int i = 0; i < 20; i++) {
		uint64_t before = __rdtsc(), after;
		struct timespec ts;

		clock_gettime(CLOCK_MONOTONIC_RAW, &ts);
		after = __rdtsc();
		if (after - before >= shortest)
			continue;
		shortest = after - before;
		best.ticks = before + shortest / 2;
		best.ns = (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
	}
	return best;
}

int main(void)
{
	struct timespec pause = { .tv_nsec = 50000000 };
	struct sample start = sample(), end;

	nanosleep(&pause, NULL);
	end = sample();
	printf("%llu\n", (unsigned long long)((end.ticks - start.ticks) * 1000000 / (end.ns - start.ns)));
	return 0;
}
