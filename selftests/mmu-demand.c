// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest memory is the VMM's mapping, faulted in on demand: untouched pages cost
 * nothing and read as zero, host and guest see each other's writes at once,
 * files and shared memory serve as well as anonymous pages.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "modes.h"

#define GPA	0x40000000ul
#define SIZE	(256ul << 20)
#define STEP	(4ul << 20)

static void guest_touch(void)
{
	u64 off;

	for (off = 0; off < SIZE; off += STEP) {
		volatile u64 *p = (u64 *)(GPA + off + (off / STEP) * PAGE_SIZE);

		GUEST_CHECK_EQ(*p, 0);
		*p = off + 1;
	}
	guest_sync(1);
	for (off = 0; off < SIZE; off += STEP) {
		volatile u64 *p = (u64 *)(GPA + off + (off / STEP) * PAGE_SIZE);

		GUEST_CHECK_EQ(*p, off + 2);
	}
	guest_done();
}

static u64 *page_at(void *mem, u64 off)
{
	return (u64 *)((u8 *)mem + off + (off / STEP) * PAGE_SIZE);
}

static void check_backing(void *mem)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	u64 off;

	slot_set(vm, 1, 0, GPA, SIZE, mem);
	vcpu_entry(vcpu, guest_touch);
	RUN_SYNC(vcpu, 1);
	for (off = 0; off < SIZE; off += STEP) {
		CHECK_EQ(*page_at(mem, off), off + 1);
		*page_at(mem, off) = off + 2;
	}
	RUN_DONE(vcpu);
	vm_free(vm);
}

static size_t resident_pages(void *mem, size_t size)
{
	size_t pages = size / PAGE_SIZE, n = 0, i;
	u8 *vec = malloc(pages);

	CHECK_EQ(mincore(mem, size, vec), 0);
	for (i = 0; i < pages; i++)
		n += vec[i] & 1;
	free(vec);
	return n;
}

static void anonymous(void)
{
	void *mem = pages_map(SIZE);

	CHECK_EQ(madvise(mem, SIZE, MADV_NOHUGEPAGE), 0);
	check_backing(mem);
	/* What was touched, and hardly more. */
	CHECK_GE(resident_pages(mem, SIZE), SIZE / STEP);
	CHECK_LE(resident_pages(mem, SIZE), 2 * SIZE / STEP);
}

static void *memfd_map(int *fdp, int flags)
{
	int fd = memfd_create("guest", 0);
	void *mem;

	CHECK_GE(fd, 0);
	CHECK_EQ(ftruncate(fd, (off_t)SIZE), 0);
	mem = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, flags, fd, 0);
	CHECK(mem != MAP_FAILED);
	*fdp = fd;
	return mem;
}

static void shared_memfd(void)
{
	u64 val;
	void *mem;
	int fd;

	mem = memfd_map(&fd, MAP_SHARED);
	check_backing(mem);
	/* The guest's and the host's writes are in the file. */
	CHECK_EQ(pread(fd, &val, 8, STEP + PAGE_SIZE), 8);
	CHECK_EQ(val, STEP + 2);
}

static void private_file(void)
{
	u64 val = 1;
	void *mem;
	int fd;

	mem = memfd_map(&fd, MAP_PRIVATE);
	check_backing(mem);
	/* Copy on write: nothing reaches the file. */
	CHECK_EQ(pread(fd, &val, 8, STEP + PAGE_SIZE), 8);
	CHECK_EQ(val, 0);
}

/* The same host page under two guest addresses. */
static void guest_alias(void)
{
	volatile u64 *a = (u64 *)GPA, *b = (u64 *)(GPA + PAGE_2M);

	GUEST_CHECK_EQ(*a, 7);
	GUEST_CHECK_EQ(*b, 7);
	*a = 8;
	GUEST_CHECK_EQ(*b, 8);
	*b = 9;
	GUEST_CHECK_EQ(*a, 9);
	guest_done();
}

static void two_slots_one_page(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	u64 *mem = pages_map(PAGE_SIZE);

	mem[0] = 7;
	slot_set(vm, 1, 0, GPA, PAGE_SIZE, mem);
	slot_set(vm, 2, 0, GPA + PAGE_2M, PAGE_SIZE, mem);
	vcpu_entry(vcpu, guest_alias);
	RUN_DONE(vcpu);
	CHECK_EQ(mem[0], 9);
	vm_free(vm);
}

/* Two VMs on one memory see each other's writes. */
static void guest_counts(void)
{
	volatile u64 *p = (u64 *)GPA;

	for (;;) {
		*p += 1;
		guest_sync(*p);
	}
}

static void two_vms_one_memory(void)
{
	struct vm *vms[2] = { vm_create(), vm_create() };
	struct vcpu *vcpus[2];
	u64 *mem = pages_map(PAGE_SIZE);
	unsigned int i;

	for (i = 0; i < 2; i++) {
		slot_set(vms[i], 1, 0, GPA, PAGE_SIZE, mem);
		vcpus[i] = vcpu_add(vms[i], 0);
		vcpu_entry(vcpus[i], guest_counts);
	}
	for (i = 0; i < 20; i++)
		RUN_SYNC(vcpus[i % 2], i + 1);
	CHECK_EQ(mem[0], 20);
	vm_free(vms[0]);
	vm_free(vms[1]);
}

/* The zero page: read first, written later, by either side. */
static void guest_zero_page(void)
{
	volatile u64 *p = (u64 *)GPA;

	GUEST_CHECK_EQ(p[0], 0);
	GUEST_CHECK_EQ(p[512], 0);
	guest_sync(1);
	GUEST_CHECK_EQ(p[0], 5);
	p[512] = 6;
	GUEST_CHECK_EQ(p[1024], 0);
	guest_done();
}

static void zero_page(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	volatile u64 *mem = pages_map(3 * PAGE_SIZE);

	CHECK_EQ(mem[0] + mem[512] + mem[1024], 0);	/* maps the zero page */
	slot_set(vm, 1, 0, GPA, 3 * PAGE_SIZE, (void *)mem);
	vcpu_entry(vcpu, guest_zero_page);
	RUN_SYNC(vcpu, 1);
	mem[0] = 5;
	RUN_DONE(vcpu);
	CHECK_EQ(mem[512], 6);
	CHECK_EQ(mem[1024], 0);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(anonymous),
	TEST(shared_memfd),
	TEST(private_file),
	TEST(two_slots_one_page),
	TEST(two_vms_one_memory),
	TEST(zero_page),
};

KTAP_MAIN(tests)
