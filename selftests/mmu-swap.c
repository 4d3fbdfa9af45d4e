// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest memory is swappable: pages that the host swaps out come back with their
 * content when the guest touches them, and swapped they are out of the guest's
 * tables. The test makes its own swap from a compressed RAM disk.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/swap.h>
#include <unistd.h>

#include "host.h"
#include "modes.h"

#define GPA	0x40000000ul
#define PAGES	1024ul
#define SWAP	"/dev/zram0"

static void swap_make(void)
{
	require_root();
	module_load("zram");
	text_write("/sys/block/zram0/reset", "1");
	text_write("/sys/block/zram0/disksize", "64M");
	if (system("mkswap " SWAP " >/dev/null 2>&1"))
		ktap_skip("mkswap failed");
	if (swapon(SWAP, 0))
		ktap_skip("swapon: %s", strerror(errno));
}

static size_t swapped_pages(void *mem)
{
	size_t n = 0, i;
	int fd = open("/proc/self/pagemap", O_RDONLY);
	u64 *e = malloc(PAGES * 8);

	CHECK_GE(fd, 0);
	CHECK_EQ(pread(fd, e, PAGES * 8, (off_t)((uintptr_t)mem / PAGE_SIZE * 8)), PAGES * 8);
	for (i = 0; i < PAGES; i++)
		n += e[i] >> 62 & 1;
	close(fd);
	free(e);
	return n;
}

static void guest_works(void)
{
	volatile u64 *p = (u64 *)GPA;
	u64 i, round;

	for (round = 1;; round++) {
		for (i = 0; i < PAGES; i++) {
			GUEST_CHECK_EQ(p[i * 512 + 3], round == 1 ? 0 : (round - 1) << 32 | i);
			p[i * 512 + 3] = round << 32 | i;
		}
		guest_sync(round);
	}
}

/*
 * The first attempts may find the pages referenced through the guest's nested
 * tables, and only age them.
 */
static void swap_out(void *mem)
{
	unsigned int i;

	for (i = 0; i < 4; i++)
		CHECK_EQ(madvise(mem, PAGES * PAGE_SIZE, MADV_PAGEOUT), 0);
}

static void comes_back(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	void *mem = pages_map(PAGES * PAGE_SIZE);
	u64 round;

	CHECK_EQ(madvise(mem, PAGES * PAGE_SIZE, MADV_NOHUGEPAGE), 0);
	swap_make();
	slot_set(vm, 1, 0, GPA, PAGES * PAGE_SIZE, mem);
	vcpu_entry(vcpu, guest_works);
	for (round = 1; round < 6; round++) {
		RUN_SYNC(vcpu, round);
		swap_out(mem);
		/* Most of them: nothing pins guest memory. */
		CHECK_GE(swapped_pages(mem), PAGES * 3 / 4);
	}
	vm_free(vm);
	swapoff(SWAP);
}

static const struct test tests[] = {
	TEST(comes_back),
};

KTAP_MAIN(tests)
