// SPDX-License-Identifier: GPL-2.0-only
/*
 * 2 MiB host pages under the guest: content is right whether GPA and HVA are
 * congruent or not, when the page is split under the guest, when it is
 * collapsed again, and when a slot covers it only in part.
 */
#include <sys/mman.h>

#include "modes.h"

#define GPA	0x40000000ul
#define SIZE	(4 * PAGE_2M)

static u8 *huge_map(void)
{
	u8 *p = pages_map(SIZE + PAGE_2M);
	u64 i;

	p = (u8 *)(((uintptr_t)p + PAGE_2M - 1) & ~(PAGE_2M - 1));
	if (madvise(p, SIZE, MADV_HUGEPAGE))
		ktap_skip("no transparent huge pages");
	for (i = 0; i < SIZE / 8; i += 64)
		((u64 *)p)[i] = i;
	return p;
}

static void guest_checks(void)
{
	volatile u64 *p = (u64 *)GPA;
	u64 i;

	for (i = 0; i < SIZE / 8; i += 64)
		GUEST_CHECK_EQ(p[i], i);
	guest_sync(1);
	for (i = 0; i < SIZE / 8; i += 64) {
		GUEST_CHECK_EQ(p[i], i);
		p[i] = i + 1;
	}
	guest_sync(2);
	for (i = 0; i < SIZE / 8; i += 64)
		GUEST_CHECK_EQ(p[i], i + 1);
	guest_done();
}

static void check(struct vcpu *vcpu, const u64 *mem, void (*between)(u64 *mem))
{
	u64 i;

	vcpu_entry(vcpu, guest_checks);
	RUN_SYNC(vcpu, 1);
	if (between)
		between((u64 *)mem);
	RUN_SYNC(vcpu, 2);
	for (i = 0; i < SIZE / 8; i += 64)
		CHECK_EQ(mem[i], i + 1);
	if (between)
		between((u64 *)mem);
	RUN_DONE(vcpu);
}

static void congruent(void)
{
	struct vm *vm = vm_create();
	u8 *mem = huge_map();

	slot_set(vm, 1, 0, GPA, SIZE, mem);
	check(vcpu_add(vm, 0), (u64 *)mem, NULL);
	vm_free(vm);
}

/* The offsets within 2 MiB differ: no large guest mapping is possible. */
static void guest_checks_shifted(void)
{
	volatile u64 *p = (u64 *)(GPA + PAGE_SIZE);
	u64 i;

	for (i = 0; i < SIZE / 8; i += 64) {
		GUEST_CHECK_EQ(p[i], i);
		p[i] = i + 1;
	}
	guest_done();
}

static void not_congruent(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	u64 *mem = (u64 *)huge_map(), i;

	slot_set(vm, 1, 0, GPA + PAGE_SIZE, SIZE, mem);
	vcpu_entry(vcpu, guest_checks_shifted);
	RUN_DONE(vcpu);
	for (i = 0; i < SIZE / 8; i += 64)
		CHECK_EQ(mem[i], i + 1);
	vm_free(vm);
}

/* Neighbouring slots share a host page: neither may reach into the other. */
static void several_slots(void)
{
	struct vm *vm = vm_create();
	u8 *mem = huge_map();
	u64 off, n = 1;

	for (off = 0; off < SIZE; off += PAGE_2M / 2)
		slot_set(vm, (u32)n++, 0, GPA + off, PAGE_2M / 2, mem + off);
	check(vcpu_add(vm, 0), (u64 *)mem, NULL);
	vm_free(vm);
}

/* mprotect() of one page splits the huge one; the guest has it mapped. */
static void split(u64 *mem)
{
	u8 *page = (u8 *)mem + PAGE_2M + 5 * PAGE_SIZE;

	CHECK_EQ(mprotect(page, PAGE_SIZE, PROT_READ), 0);
	CHECK_EQ(mprotect(page, PAGE_SIZE, PROT_READ | PROT_WRITE), 0);
}

static void split_under_the_guest(void)
{
	struct vm *vm = vm_create();
	u8 *mem = huge_map();

	slot_set(vm, 1, 0, GPA, SIZE, mem);
	check(vcpu_add(vm, 0), (u64 *)mem, split);
	vm_free(vm);
}

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

static void collapse(u64 *mem)
{
	if (madvise(mem, SIZE, MADV_COLLAPSE))
		ktap_skip("MADV_COLLAPSE: %s", errno_name(errno));
}

static void collapsed_under_the_guest(void)
{
	struct vm *vm = vm_create();
	u8 *mem = huge_map();
	u64 i;

	/* Small pages first. */
	CHECK_EQ(madvise(mem, SIZE, MADV_DONTNEED), 0);
	CHECK_EQ(madvise(mem, SIZE, MADV_NOHUGEPAGE), 0);
	for (i = 0; i < SIZE / 8; i += 64)
		((u64 *)mem)[i] = i;
	CHECK_EQ(madvise(mem, SIZE, MADV_HUGEPAGE), 0);
	slot_set(vm, 1, 0, GPA, SIZE, mem);
	check(vcpu_add(vm, 0), (u64 *)mem, collapse);
	vm_free(vm);
}

/* A discard in the middle of a large page. */
static void guest_hole(void)
{
	volatile u64 *p = (u64 *)GPA;

	GUEST_CHECK_EQ(p[0], 0);
	GUEST_CHECK_EQ(p[512], 512);
	GUEST_CHECK_EQ(p[1024], 1024);
	guest_sync(1);
	GUEST_CHECK_EQ(p[0], 0);
	GUEST_CHECK_EQ(p[512], 0);
	GUEST_CHECK_EQ(p[1024], 1024);
	p[512] = 9;
	guest_done();
}

static void discard_in_the_middle(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	u8 *mem = huge_map();

	slot_set(vm, 1, 0, GPA, SIZE, mem);
	vcpu_entry(vcpu, guest_hole);
	RUN_SYNC(vcpu, 1);
	CHECK_EQ(madvise(mem + PAGE_SIZE, PAGE_SIZE, MADV_DONTNEED), 0);
	RUN_DONE(vcpu);
	CHECK_EQ(((u64 *)mem)[512], 9);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(congruent),
	TEST(not_congruent),
	TEST(several_slots),
	TEST(split_under_the_guest),
	TEST(collapsed_under_the_guest),
	TEST(discard_in_the_middle),
};

KTAP_MAIN(tests)
