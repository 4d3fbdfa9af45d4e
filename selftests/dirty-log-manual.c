// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2 and KVM_CLEAR_DIRTY_LOG: reading does not
 * clear, clearing takes what it is given and nothing else, what is written
 * again is set again, a log may begin with all bits set; refusals.
 */
#include <sys/mman.h>

#include "modes.h"

#define GPA	0x40000000ul
#define PAGES	1024ul		/* two large pages */
#define WORDS	(PAGES / 64)
#define LARGE	65536ul		/* a bitmap of two pages */

static long protect_set(struct vm *vm, u64 value)
{
	struct kvm_enable_cap enable = {
		.cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, .args = { value },
	};

	return xioctl(vm->fd, KVM_ENABLE_CAP, &enable);
}

static struct vm *protect_vm(u64 value)
{
	struct vm *vm = vm_create();

	REQUIRE_CAP(vm->fd, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2);
	CHECK_EQ(protect_set(vm, value), 0);
	return vm;
}

static long log_get(struct vm *vm, u64 *bitmap)
{
	struct kvm_dirty_log log = { .slot = 1, .dirty_bitmap = bitmap };

	return xioctl(vm->fd, KVM_GET_DIRTY_LOG, &log);
}

static long log_clear(struct vm *vm, u32 slot, u64 first, u32 nr, u64 *bitmap)
{
	struct kvm_clear_dirty_log log = {
		.slot = slot, .first_page = first, .num_pages = nr, .dirty_bitmap = bitmap,
	};

	return xioctl(vm->fd, KVM_CLEAR_DIRTY_LOG, &log);
}

static void log_expect(struct vm *vm, const u16 *pages, size_t nr, const char *file, int line)
{
	u64 got[WORDS], want[WORDS] = { 0 };
	size_t i;

	memset(got, 0xff, sizeof(got));
	for (i = 0; i < nr; i++)
		want[pages[i] / 64] |= BIT(pages[i] % 64);
	CHECK_EQ(log_get(vm, got), 0);
	for (i = 0; i < WORDS; i++)
		if (got[i] != want[i])
			ktap_fail(file, line, "word %zu is 0x%llx, expected 0x%llx", i,
				  (unsigned long long)got[i], (unsigned long long)want[i]);
}

#define LOG_EXPECT(vm, ...)						\
	do {								\
		static const u16 pages_[] = { __VA_ARGS__ };		\
		log_expect(vm, pages_, ARRAY_SIZE(pages_), __FILE__, __LINE__); \
	} while (0)

/* Written by the guest on request. */
static volatile u64 write_pages[8], write_nr;

static void guest_writes(void)
{
	volatile u8 *p = (volatile u8 *)GPA;
	u64 i;

	for (;;) {
		for (i = 0; i < write_nr; i++)
			p[write_pages[i] * PAGE_SIZE]++;
		guest_sync(1);
	}
}

static void write_these(struct vcpu *vcpu, const u16 *pages, size_t nr)
{
	size_t i;

	for (i = 0; i < nr; i++)
		GVAR(vcpu->vm, write_pages[i]) = pages[i];
	GVAR(vcpu->vm, write_nr) = nr;
	RUN_SYNC(vcpu, 1);
}

#define WRITE(vcpu, ...)						\
	do {								\
		static const u16 pages_[] = { __VA_ARGS__ };		\
		write_these(vcpu, pages_, ARRAY_SIZE(pages_));		\
	} while (0)

static u8 *log_memory(bool huge)
{
	uintptr_t p = (uintptr_t)pages_map(PAGES * PAGE_SIZE + PAGE_2M);
	u8 *mem = (u8 *)((p + PAGE_2M - 1) & ~(PAGE_2M - 1));

	CHECK_EQ(madvise(mem, PAGES * PAGE_SIZE, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE), 0);
	memset(mem, 1, PAGES * PAGE_SIZE);
	return mem;
}

static void offered(void)
{
	struct vm *vm = vm_create();

	CHECK_EQ(cap(vm->sys, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2), 3);
	CHECK_EQ(cap(vm->fd, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2), 3);
	vm_free(vm);
}

static void enable_refusals(void)
{
	struct kvm_enable_cap enable = { .cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, .flags = 1, .args = { 1 } };
	struct vm *vm = protect_vm(0);

	CHECK_ERR(protect_set(vm, KVM_DIRTY_LOG_INITIALLY_SET), EINVAL);
	CHECK_ERR(protect_set(vm, 4), EINVAL);
	CHECK_ERR(protect_set(vm, KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE | BIT(63)), EINVAL);
	CHECK_ERR(xioctl(vm->fd, KVM_ENABLE_CAP, &enable), EINVAL);
	CHECK_EQ(protect_set(vm, 3), 0);
	CHECK_EQ(protect_set(vm, 1), 0);
	CHECK_EQ(protect_set(vm, 0), 0);
	vm_free(vm);
}

static void clear_takes_what_it_is_given(bool huge)
{
	struct vm *vm = protect_vm(KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE);
	struct vcpu *vcpu = vcpu_add(vm, 0);
	u8 *mem = log_memory(huge);
	u64 mask[WORDS] = { 0 };

	slot_set(vm, 1, 0, GPA, PAGES * PAGE_SIZE, mem);
	vcpu_entry(vcpu, guest_writes);
	WRITE(vcpu, 0, 5, 600, 1023);
	slot_set(vm, 1, KVM_MEM_LOG_DIRTY_PAGES, GPA, PAGES * PAGE_SIZE, mem);
	LOG_EXPECT(vm);
	WRITE(vcpu, 0, 5, 600, 1023);
	LOG_EXPECT(vm, 0, 5, 600, 1023);
	LOG_EXPECT(vm, 0, 5, 600, 1023);
	/* 6 is not dirty; 1023 is outside of the range. */
	mask[0] = BIT(5) | BIT(6);
	mask[WORDS - 1] = BIT(63);
	CHECK_EQ(log_clear(vm, 1, 0, PAGES - 64, mask), 0);
	LOG_EXPECT(vm, 0, 600, 1023);
	WRITE(vcpu, 5, 6);
	LOG_EXPECT(vm, 0, 5, 6, 600, 1023);
	/* From the middle: the bitmap begins at first_page. */
	memset(mask, 0, sizeof(mask));
	mask[0] = BIT(600 - 576);
	CHECK_EQ(log_clear(vm, 1, 576, PAGES - 576, mask), 0);
	LOG_EXPECT(vm, 0, 5, 6, 1023);
	WRITE(vcpu, 600, 601);
	LOG_EXPECT(vm, 0, 5, 6, 600, 601, 1023);
	CHECK_EQ(mem[5 * PAGE_SIZE], 4);
	CHECK_EQ(mem[600 * PAGE_SIZE], 4);
	vm_free(vm);
}

static void small_pages(void)
{
	clear_takes_what_it_is_given(false);
}

static void large_pages(void)
{
	clear_takes_what_it_is_given(true);
}

/* Logging that begins over writable memory, small and large. */
static void all_set_at_first(bool huge)
{
	struct vm *vm = protect_vm(3);
	struct vcpu *vcpu = vcpu_add(vm, 0);
	u8 *mem = log_memory(huge);
	u64 bitmap[WORDS], i;

	slot_set(vm, 1, 0, GPA, PAGES * PAGE_SIZE, mem);
	vcpu_entry(vcpu, guest_writes);
	WRITE(vcpu, 1, 2, 3, 900);
	slot_set(vm, 1, KVM_MEM_LOG_DIRTY_PAGES, GPA, PAGES * PAGE_SIZE, mem);
	CHECK_EQ(log_get(vm, bitmap), 0);
	for (i = 0; i < WORDS; i++)
		CHECK_EQ(bitmap[i], ~0ull);
	WRITE(vcpu, 1, 512);
	/* The first half only. */
	CHECK_EQ(log_clear(vm, 1, 0, PAGES / 2, bitmap), 0);
	memset(bitmap, 0, sizeof(bitmap));
	CHECK_EQ(log_get(vm, bitmap), 0);
	for (i = 0; i < WORDS; i++)
		CHECK_EQ(bitmap[i], i < WORDS / 2 ? 0 : ~0ull);
	WRITE(vcpu, 2, 300, 900);
	CHECK_EQ(log_clear(vm, 1, PAGES / 2, PAGES / 2, bitmap + WORDS / 2), 0);
	LOG_EXPECT(vm, 2, 300);
	WRITE(vcpu, 2, 3, 900);
	LOG_EXPECT(vm, 2, 3, 300, 900);
	vm_free(vm);
}

static void all_set_small(void)
{
	all_set_at_first(false);
}

static void all_set_large(void)
{
	all_set_at_first(true);
}

static void all_set_stops_at_the_end(void)
{
	struct vm *vm = protect_vm(3);
	u64 bitmap[3] = { 0, 0, 7 };

	slot_set(vm, 1, KVM_MEM_LOG_DIRTY_PAGES, GPA, 65 * PAGE_SIZE, pages_map(65 * PAGE_SIZE));
	CHECK_EQ(log_get(vm, bitmap), 0);
	CHECK_EQ(bitmap[0], ~0ull);
	CHECK_EQ(bitmap[1], 1);
	CHECK_EQ(bitmap[2], 7);
	/* The last page alone: fewer than 64 are allowed up to the end. */
	bitmap[0] = ~0ull;
	CHECK_EQ(log_clear(vm, 1, 64, 1, bitmap), 0);
	CHECK_EQ(log_get(vm, bitmap), 0);
	CHECK_EQ(bitmap[0], ~0ull);
	CHECK_EQ(bitmap[1], 0);
	vm_free(vm);
}

/* The other mode and the way back; a clear works without the capability's help too. */
static void without_and_back(void)
{
	struct vm *vm = protect_vm(0);
	struct vcpu *vcpu = vcpu_add(vm, 0);
	u64 mask[WORDS] = { BIT(7) };

	slot_set(vm, 1, KVM_MEM_LOG_DIRTY_PAGES, GPA, PAGES * PAGE_SIZE, log_memory(false));
	vcpu_entry(vcpu, guest_writes);
	WRITE(vcpu, 7, 8);
	CHECK_EQ(log_clear(vm, 1, 0, PAGES, mask), 0);
	LOG_EXPECT(vm, 8);
	LOG_EXPECT(vm);
	WRITE(vcpu, 7);
	CHECK_EQ(protect_set(vm, 1), 0);
	LOG_EXPECT(vm, 7);
	LOG_EXPECT(vm, 7);
	CHECK_EQ(protect_set(vm, 0), 0);
	LOG_EXPECT(vm, 7);
	LOG_EXPECT(vm);
	vm_free(vm);
}

static void clear_refusals(void)
{
	struct vm *vm = protect_vm(1);
	u32 nr_slots = (u32)cap(vm->fd, KVM_CAP_NR_MEMSLOTS);
	u64 bitmap[4] = { 0 };

	slot_set(vm, 1, KVM_MEM_LOG_DIRTY_PAGES, GPA, 100 * PAGE_SIZE, pages_map(100 * PAGE_SIZE));
	CHECK_ERR(log_clear(vm, 0, 0, 64, bitmap), ENOENT);
	CHECK_ERR(log_clear(vm, 5, 0, 64, bitmap), ENOENT);
	CHECK_ERR(log_clear(vm, nr_slots, 0, 64, bitmap), EINVAL);
	CHECK_ERR(log_clear(vm, 0xffff0001, 0, 64, bitmap), EINVAL);
	CHECK_ERR(log_clear(vm, 1, 1, 64, bitmap), EINVAL);
	CHECK_ERR(log_clear(vm, 5, 1, 64, bitmap), EINVAL);
	CHECK_ERR(log_clear(vm, 1, 0, 63, bitmap), EINVAL);
	CHECK_ERR(log_clear(vm, 1, 0, 101, bitmap), EINVAL);
	CHECK_ERR(log_clear(vm, 1, 0, 128, bitmap), EINVAL);
	CHECK_ERR(log_clear(vm, 1, 64, 37, bitmap), EINVAL);
	CHECK_ERR(log_clear(vm, 1, 128, 0, bitmap), EINVAL);
	CHECK_ERR(log_clear(vm, 1, BIT(63), 64, bitmap), EINVAL);
	CHECK_EQ(log_clear(vm, 1, 0, 100, bitmap), 0);
	CHECK_EQ(log_clear(vm, 1, 64, 36, bitmap), 0);
	CHECK_EQ(log_clear(vm, 1, 0, 0, bitmap), 0);
	CHECK_ERR(log_clear(vm, 1, 0, 64, (u64 *)8), EFAULT);
	vm_free(vm);
}

/* A bitmap that ends in the middle of nothing: no bit of the log is lost. */
static void bad_bitmap_changes_nothing(void)
{
	struct vm *vm = protect_vm(3);
	u8 *bitmap = pages_map(3 * PAGE_SIZE);
	u64 got[LARGE / 64], i;

	slot_set(vm, 1, KVM_MEM_LOG_DIRTY_PAGES, GPA, LARGE * PAGE_SIZE, pages_map(LARGE * PAGE_SIZE));
	memset(bitmap, 0xff, 2 * PAGE_SIZE);
	CHECK_EQ(mprotect(bitmap + PAGE_SIZE, 2 * PAGE_SIZE, PROT_NONE), 0);
	CHECK_ERR(log_clear(vm, 1, 0, LARGE, (u64 *)bitmap), EFAULT);
	CHECK_ERR(log_get(vm, (u64 *)bitmap), EFAULT);
	memset(got, 0, sizeof(got));
	CHECK_EQ(log_get(vm, got), 0);
	for (i = 0; i < ARRAY_SIZE(got); i++)
		CHECK_EQ(got[i], ~0ull);
	CHECK_EQ(log_clear(vm, 1, 0, LARGE / 2, (u64 *)bitmap), 0);
	CHECK_EQ(log_get(vm, got), 0);
	CHECK_EQ(got[LARGE / 128 - 1], 0);
	CHECK_EQ(got[LARGE / 128], ~0ull);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(offered),
	TEST(enable_refusals),
	TEST(small_pages),
	TEST(large_pages),
	TEST(all_set_small),
	TEST(all_set_large),
	TEST(all_set_stops_at_the_end),
	TEST(without_and_back),
	TEST(clear_refusals),
	TEST(bad_bitmap_changes_nothing),
};

KTAP_MAIN(tests)
