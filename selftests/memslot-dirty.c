// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_GET_DIRTY_LOG: the bitmap names exactly the pages written since the last
 * call, by the guest or by the hypervisor for it; reading clears; refusals.
 */
#include "modes.h"

#define GPA	0x10000000ul
#define PAGES	512ul

static void guest_dirty(void)
{
	volatile u8 *p = (u8 *)GPA;
	u64 i;

	for (i = 0; i < PAGES; i++)	/* reads do not count */
		(void)p[i * PAGE_SIZE];
	p[0] = 1;
	p[7 * PAGE_SIZE + 5] = 1;
	p[511 * PAGE_SIZE] = 1;
	guest_sync(1);
	guest_sync(2);
	p[7 * PAGE_SIZE + 6] = 1;
	p[64 * PAGE_SIZE - 1] = 1;
	guest_sync(3);
	/* A string instruction across a page boundary. */
	asm volatile("rep stosb" :: "D" (p + 100 * PAGE_SIZE - 8), "c" (16ul), "a" (1)
		     : "memory");
	guest_sync(4);
	guest_done();
}

static long log_read(struct vm *vm, u32 slot, u64 *bitmap)
{
	struct kvm_dirty_log log = { .slot = slot, .dirty_bitmap = bitmap };

	return xioctl(vm->fd, KVM_GET_DIRTY_LOG, &log);
}

static void log_expect(struct vm *vm, const u16 *pages, size_t nr)
{
	u64 got[PAGES / 64], want[PAGES / 64] = { 0 };
	size_t i;

	memset(got, 0xff, sizeof(got));
	for (i = 0; i < nr; i++)
		want[pages[i] / 64] |= BIT(pages[i] % 64);
	CHECK_EQ(log_read(vm, 1, got), 0);
	for (i = 0; i < ARRAY_SIZE(want); i++)
		CHECK_EQ(got[i], want[i]);
}

#define LOG_EXPECT(vm, ...)						\
	do {								\
		static const u16 pages_[] = { __VA_ARGS__ };		\
		log_expect(vm, pages_, ARRAY_SIZE(pages_));		\
	} while (0)

static void names_written_pages(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);

	slot_set(vm, 1, KVM_MEM_LOG_DIRTY_PAGES, GPA, PAGES * PAGE_SIZE,
		 pages_map(PAGES * PAGE_SIZE));
	vcpu_entry(vcpu, guest_dirty);
	RUN_SYNC(vcpu, 1);
	LOG_EXPECT(vm, 0, 7, 511);
	RUN_SYNC(vcpu, 2);
	log_expect(vm, NULL, 0);
	RUN_SYNC(vcpu, 3);
	LOG_EXPECT(vm, 7, 63);
	RUN_SYNC(vcpu, 4);
	LOG_EXPECT(vm, 99, 100);
	vm_free(vm);
}

/* Logging switched on over pages that are writable already. */
static void guest_write_all(void)
{
	volatile u8 *p = (u8 *)GPA;
	u64 i;

	for (i = 0; i < PAGES; i++)
		p[i * PAGE_SIZE] = 1;
	guest_sync(1);
	p[3 * PAGE_SIZE] = 2;
	guest_sync(2);
	p[4 * PAGE_SIZE] = 2;
	guest_sync(3);
	guest_done();
}

static void switched_on_later(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	u8 *mem = pages_map(2 * PAGES * PAGE_SIZE);
	u64 bitmap[PAGES / 64];

	/* Aligned, so that a large mapping is possible and must be split. */
	mem = (u8 *)(((uintptr_t)mem + PAGE_2M - 1) & ~(PAGE_2M - 1));
	slot_set(vm, 1, 0, GPA, PAGES * PAGE_SIZE, mem);
	vcpu_entry(vcpu, guest_write_all);
	RUN_SYNC(vcpu, 1);
	CHECK_ERR(log_read(vm, 1, bitmap), ENOENT);
	slot_set(vm, 1, KVM_MEM_LOG_DIRTY_PAGES, GPA, PAGES * PAGE_SIZE, mem);
	CHECK_EQ(log_read(vm, 1, bitmap), 0);
	RUN_SYNC(vcpu, 2);
	LOG_EXPECT(vm, 3);
	slot_set(vm, 1, 0, GPA, PAGES * PAGE_SIZE, mem);
	RUN_SYNC(vcpu, 3);
	CHECK_ERR(log_read(vm, 1, bitmap), ENOENT);
	CHECK_EQ(mem[3 * PAGE_SIZE], 2);
	CHECK_EQ(mem[4 * PAGE_SIZE], 2);
	vm_free(vm);
}

static void refusals(void)
{
	struct vm *vm = vm_create();
	u64 bitmap[PAGES / 64];

	CHECK_ERR(log_read(vm, 0, bitmap), ENOENT);
	CHECK_ERR(log_read(vm, 5, bitmap), ENOENT);
	CHECK_ERR(log_read(vm, (u32)cap(vm->fd, KVM_CAP_NR_MEMSLOTS), bitmap), EINVAL);
	CHECK_ERR(log_read(vm, 0xffff0000, bitmap), EINVAL);
	slot_set(vm, 1, KVM_MEM_LOG_DIRTY_PAGES, GPA, PAGE_SIZE, pages_map(PAGE_SIZE));
	CHECK_ERR(log_read(vm, 1, (u64 *)8), EFAULT);
	vm_free(vm);
}

/* The bitmap is written up to 64 pages, not beyond. */
static void bitmap_length(void)
{
	struct vm *vm = vm_create();
	u64 bitmap[3] = { ~0ull, ~0ull, ~0ull };

	slot_set(vm, 1, KVM_MEM_LOG_DIRTY_PAGES, GPA, 65 * PAGE_SIZE,
		 pages_map(65 * PAGE_SIZE));
	CHECK_EQ(log_read(vm, 1, bitmap), 0);
	CHECK_EQ(bitmap[0], 0);
	CHECK_EQ(bitmap[1], 0);
	CHECK_EQ(bitmap[2], ~0ull);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(names_written_pages),
	TEST(switched_on_later),
	TEST(refusals),
	TEST(bitmap_length),
};

KTAP_MAIN(tests)
