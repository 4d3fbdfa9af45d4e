// SPDX-License-Identifier: GPL-2.0-only
/*
 * How large lodge maps, told by the exits that touching memory takes: 2 MiB and
 * 1 GiB host pages give as large entries, dirty logging splits them as far as
 * the guest writes, and when it ends they come together again. Code is in small
 * entries on CPUs that a change of its pages' size can stop.
 */
#include <linux/mman.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host.h"
#include "modes.h"
#include "netlink.h"

#define GPA		0x40000000ul
#define PAGE_1G		0x40000000ul
#define GIGA_PAGES	"/sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages"
#define ITLB_MULTIHIT	"/sys/devices/system/cpu/vulnerabilities/itlb_multihit"
#define LARGE		8u	/* pages of 2 MiB */

static volatile u64 touch_step, touch_count, touch_write, call_address;

static void guest_touch(void)
{
	for (;;) {
		volatile u64 *p = (volatile u64 *)GPA;
		u64 i, step = touch_step / 8, n = touch_count;

		if (call_address)
			((void (*)(void))call_address)();
		for (i = 0; i < n; i++, p += step) {
			GUEST_CHECK_EQ(p[1], (u64)p - GPA);
			if (touch_write)
				p[0]++;
		}
		guest_sync(1);
	}
}

static u64 exits_now(struct nl *nl)
{
	struct nl_vcpus vcpus = { 0 };
	struct nl_vm vm = nl_own_vm(nl);

	CHECK_EQ(nl_vcpus_get(nl, vm.id, &vcpus), 0);
	CHECK_EQ(vcpus.nr, 1);
	return vcpus.list[0].exits;
}

/* Exits that touching takes, without the one of the ucall and those of host interrupts, of which there are few. */
static u64 touch(struct nl *nl, struct vcpu *vcpu, u64 step, u64 count, bool write)
{
	u64 before = exits_now(nl);

	GVAR(vcpu->vm, touch_step) = step;
	GVAR(vcpu->vm, touch_count) = count;
	GVAR(vcpu->vm, touch_write) = write;
	RUN_SYNC(vcpu, 1);
	return exits_now(nl) - before - 1;
}

/* In the first words of every page: a counter, and where the page is. */
static void fill(u8 *mem, u64 size)
{
	u64 i;

	for (i = 0; i < size; i += PAGE_SIZE)
		*(u64 *)(mem + i + 8) = i;
}

static u8 *huge_map(u64 size)
{
	uintptr_t p = (uintptr_t)pages_map(size + PAGE_2M);
	u8 *mem = (u8 *)((p + PAGE_2M - 1) & ~(PAGE_2M - 1));

	if (madvise(mem, size, MADV_HUGEPAGE))
		ktap_skip("no transparent huge pages");
	fill(mem, size);
	return mem;
}

static u8 *giga_map(void)
{
	void *p;

	require_root();
	text_write(GIGA_PAGES, "1");
	p = mmap(NULL, PAGE_1G, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_HUGE_1GB, -1, 0);
	if (p == MAP_FAILED)
		ktap_skip("no page of 1 GiB: it takes 3 GiB of memory and a CPU that has them");
	fill(p, PAGE_1G);
	return p;
}

static struct vcpu *toucher(void)
{
	struct vcpu *vcpu;

	require_lodge();
	require_root();
	vcpu = vcpu_add(vm_create(), 0);
	vcpu_entry(vcpu, guest_touch);
	return vcpu;
}

/* The first run of the guest faults its own code in: done before anything is counted. */
static void warm_up(struct nl *nl, struct vcpu *vcpu)
{
	touch(nl, vcpu, PAGE_SIZE, 0, true);
}

static bool parameter_is(const char *path, char value)
{
	char text[4] = "";
	FILE *f = fopen(path, "r");

	if (f) {
		CHECK(fgets(text, sizeof(text), f));
		fclose(f);
	}
	return text[0] == value;
}

/*
 * How often the first writes of @pages under a log exit at least: each of them where writes are told by write
 * protection, only those that make one of @large entries small where a VT-x CPU may log the others itself.
 */
static u64 first_writes(u64 pages, u64 large)
{
	return (cpuid(1, 0).ecx & BIT(5)) && parameter_is("/sys/module/lodge/parameters/pml", 'Y') ? large : pages;
}

static void two_megabytes(void)
{
	u64 size = LARGE * PAGE_2M, pages = size / PAGE_SIZE, n;
	struct vcpu *vcpu = toucher();
	struct vm *vm = vcpu->vm;
	struct nl *nl = nl_open();
	u8 *mem = huge_map(size);

	warm_up(nl, vcpu);
	slot_set(vm, 1, 0, GPA, size, mem);
	n = touch(nl, vcpu, PAGE_SIZE, pages, true);
	CHECK_GE(n, LARGE);
	CHECK_LE(n, 4 * LARGE + 64);

	/* A log: reading leaves the large entries as they are, first writes make them small. */
	slot_set(vm, 1, KVM_MEM_LOG_DIRTY_PAGES, GPA, size, mem);
	CHECK_LE(touch(nl, vcpu, PAGE_SIZE, pages, false), 4 * LARGE + 64);
	CHECK_GE(touch(nl, vcpu, PAGE_SIZE, pages, true), first_writes(pages, LARGE));
	CHECK_LE(touch(nl, vcpu, PAGE_SIZE, pages, true), 64);

	/* The log ends: large again. */
	slot_set(vm, 1, 0, GPA, size, mem);
	n = touch(nl, vcpu, PAGE_SIZE, pages, true);
	CHECK_GE(n, LARGE);
	CHECK_LE(n, 4 * LARGE + 64);
	CHECK_EQ(*(u64 *)(mem + 5 * PAGE_SIZE), 4);
	vm_free(vm);
}

static void one_gigabyte(void)
{
	struct vcpu *vcpu = toucher();
	struct vm *vm = vcpu->vm;
	struct nl *nl = nl_open();
	u8 *mem = giga_map();
	u64 n;

	if (!(cpuid(0x80000001, 0).edx & BIT(26)))
		ktap_skip("this CPU has no pages of 1 GiB");
	warm_up(nl, vcpu);
	slot_set(vm, 1, 0, GPA, PAGE_1G, mem);
	n = touch(nl, vcpu, PAGE_2M, 512, true);
	CHECK_GE(n, 1);
	CHECK_LE(n, 64);

	/* One write splits 1 GiB into 2 MiB, and one of those into 4 KiB; the rest stays large for reading. */
	slot_set(vm, 1, KVM_MEM_LOG_DIRTY_PAGES, GPA, PAGE_1G, mem);
	n = touch(nl, vcpu, PAGE_SIZE, 8, true);
	CHECK_GE(n, first_writes(8, 1));
	CHECK_LE(n, 64);
	CHECK_LE(touch(nl, vcpu, PAGE_2M, 512, false), 64);
	n = touch(nl, vcpu, PAGE_2M, 512, true);
	CHECK_GE(n, 511);
	CHECK_LE(touch(nl, vcpu, PAGE_2M, 512, true), 64);

	slot_set(vm, 1, 0, GPA, PAGE_1G, mem);
	n = touch(nl, vcpu, PAGE_2M, 512, true);
	CHECK_GE(n, 1);
	CHECK_LE(n, 64);
	CHECK_EQ(*(u64 *)(mem + 3 * PAGE_2M), 4);
	vm_free(vm);
	CHECK_EQ(munmap(mem, PAGE_1G), 0);
	text_write(GIGA_PAGES, "0");
}

/* Whether large entries are for data alone here: the host says so, and no parameter overrules it. */
static bool code_is_small(void)
{
	char bug[64] = "Not affected";
	FILE *f = fopen(ITLB_MULTIHIT, "r");

	if (f) {
		CHECK(fgets(bug, sizeof(bug), f));
		fclose(f);
	}
	return strncmp(bug, "Not affected", 12) && parameter_is("/sys/module/lodge/parameters/large_pages", 'N');
}

static u64 call(struct nl *nl, struct vcpu *vcpu, u64 address)
{
	u64 n;

	GVAR(vcpu->vm, call_address) = address;
	n = touch(nl, vcpu, PAGE_SIZE, 0, false);
	GVAR(vcpu->vm, call_address) = 0;
	return n;
}

/* Of a page that data alone had before: by a large entry, where code may be in one. */
static void call_among_data(struct nl *nl, struct vcpu *vcpu, u64 address)
{
	u64 n = call(nl, vcpu, address);

	CHECK_LE(n, 64);
	if (code_is_small())
		CHECK_GE(n, 1);
}

/* A page of code among data: what it is mapped by changes, what is read, written and executed does not. */
static void code(void)
{
	u64 size = LARGE * PAGE_2M, pages = size / PAGE_SIZE, at = 3 * PAGE_2M + 5 * PAGE_SIZE;
	struct vcpu *vcpu = toucher();
	struct vm *vm = vcpu->vm;
	struct nl *nl = nl_open();
	u8 *mem = huge_map(size);

	mem[at + 64] = 0xc3;	/* RET */
	warm_up(nl, vcpu);
	slot_set(vm, 1, 0, GPA, size, mem);
	CHECK_LE(touch(nl, vcpu, PAGE_SIZE, pages, true), 4 * LARGE + 64);
	call_among_data(nl, vcpu, GPA + at + 64);
	/* All that was mapped still is, with its rights. */
	CHECK_LE(touch(nl, vcpu, PAGE_SIZE, pages, true), 64);

	/* The code first, then the data around it. */
	slot_set(vm, 1, 0, GPA, 0, mem);
	slot_set(vm, 1, 0, GPA, size, mem);
	CHECK_GE(call(nl, vcpu, GPA + at + 64), 1);
	CHECK_LE(touch(nl, vcpu, PAGE_SIZE, pages, true), 512 + 4 * LARGE + 64);

	/* Logged, and no longer: it can be called and written throughout. */
	slot_set(vm, 1, KVM_MEM_LOG_DIRTY_PAGES, GPA, size, mem);
	CHECK_LE(call(nl, vcpu, GPA + at + 64), 64);
	CHECK_GE(touch(nl, vcpu, PAGE_SIZE, pages, true), first_writes(pages, LARGE));
	slot_set(vm, 1, 0, GPA, size, mem);
	CHECK_LE(touch(nl, vcpu, PAGE_SIZE, pages, true), 4 * LARGE + 64);
	call_among_data(nl, vcpu, GPA + at + 64);
	CHECK_EQ(*(u64 *)(mem + at), 5);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(two_megabytes),
	TEST(code),
	TEST_SECONDS(one_gigabyte, 60),
};

KTAP_MAIN(tests)
