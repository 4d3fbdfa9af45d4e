// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_SET_USER_MEMORY_REGION's rules: alignment, ranges, flags, overlap, what
 * of a live slot may change, deletion. Each case breaks one thing and then
 * proves that nothing changed.
 */
#include "vm.h"

#define GPA	0x10000000ul
#define SIZE	(16 * PAGE_SIZE)

static struct vm *vm_with_slot(void **hva)
{
	struct vm *vm = vm_create_bare();

	*hva = pages_map(2 * SIZE);
	slot_set(vm, 0, 0, GPA, SIZE, *hva);
	return vm;
}

static void alignment(void)
{
	struct vm *vm = vm_create_bare();
	u8 *hva = pages_map(2 * SIZE);

	CHECK_ERR(slot_try(vm, 0, 0, GPA + 1, SIZE, hva), EINVAL);
	CHECK_ERR(slot_try(vm, 0, 0, GPA + 0x800, SIZE, hva), EINVAL);
	CHECK_ERR(slot_try(vm, 0, 0, GPA, SIZE + 1, hva), EINVAL);
	CHECK_ERR(slot_try(vm, 0, 0, GPA, 0x800, hva), EINVAL);
	CHECK_ERR(slot_try(vm, 0, 0, GPA, SIZE, hva + 1), EINVAL);
	CHECK_ERR(slot_try(vm, 0, 0, GPA, SIZE, hva + 0x800), EINVAL);
	slot_set(vm, 0, 0, GPA, SIZE, hva);
	vm_free(vm);
}

static void host_range(void)
{
	struct vm *vm = vm_create_bare();

	/* Not user space, and around the end of the address space. */
	CHECK_ERR(slot_try(vm, 0, 0, GPA, SIZE, (void *)0xffff888000000000ul), EINVAL);
	CHECK_ERR(slot_try(vm, 0, 0, GPA, SIZE, (void *)0xfffffffffffff000ul), EINVAL);
	CHECK_ERR(slot_try(vm, 0, 0, GPA, SIZE, (void *)0x7ffffffff000ul), EINVAL);
	/* Nothing needs to be mapped there yet. */
	slot_set(vm, 0, 0, GPA, SIZE, (void *)0x600000000000ul);
	vm_free(vm);
}

static void guest_range(void)
{
	struct vm *vm = vm_create_bare();
	void *hva = pages_map(2 * SIZE);

	CHECK_ERR(slot_try(vm, 0, 0, 0xfffffffffffff000ul, 2 * PAGE_SIZE, hva), EINVAL);
	CHECK_ERR(slot_try(vm, 0, 0, 0xffffffffffff0000ul, 0x20000, hva), EINVAL);
	vm_free(vm);
}

static void too_many_pages(void)
{
	struct vm *vm = vm_create_bare();

	/* More than 2^31 - 1 pages: 8 TiB. */
	CHECK_ERR(slot_try(vm, 0, 0, 0, 1ul << 43, (void *)0x100000000000ul), EINVAL);
	vm_free(vm);
}

static void flags(void)
{
	struct vm *vm = vm_create_bare();
	void *hva = pages_map(SIZE);
	unsigned int bit;

	for (bit = 2; bit < 32; bit++)
		CHECK_ERR(slot_try(vm, 0, 1u << bit, GPA, SIZE, hva), EINVAL);
	slot_set(vm, 0, KVM_MEM_LOG_DIRTY_PAGES | KVM_MEM_READONLY, GPA, SIZE, hva);
	vm_free(vm);
}

static void slot_number(void)
{
	struct vm *vm = vm_create_bare();
	long max = cap(vm->fd, KVM_CAP_NR_MEMSLOTS);
	void *hva = pages_map(SIZE);

	CHECK_ERR(slot_try(vm, (u32)max, 0, GPA, SIZE, hva), EINVAL);
	CHECK_ERR(slot_try(vm, 0xffff, 0, GPA, SIZE, hva), EINVAL);
	/* The upper half names an address space; there is none like this. */
	CHECK_ERR(slot_try(vm, 0xffff0000, 0, GPA, SIZE, hva), EINVAL);
	slot_set(vm, (u32)max - 1, 0, GPA, SIZE, hva);
	vm_free(vm);
}

static void overlap(void)
{
	void *hva, *other = pages_map(4 * SIZE);
	struct vm *vm = vm_with_slot(&hva);

	CHECK_ERR(slot_try(vm, 1, 0, GPA, SIZE, other), EEXIST);
	CHECK_ERR(slot_try(vm, 1, 0, GPA + SIZE - PAGE_SIZE, SIZE, other), EEXIST);
	CHECK_ERR(slot_try(vm, 1, 0, GPA - SIZE + PAGE_SIZE, SIZE, other), EEXIST);
	CHECK_ERR(slot_try(vm, 1, 0, GPA - SIZE, 3 * SIZE, other), EEXIST);
	CHECK_ERR(slot_try(vm, 1, 0, GPA + PAGE_SIZE, PAGE_SIZE, other), EEXIST);
	/* Neighbours do not overlap; one host range may serve two slots. */
	slot_set(vm, 1, 0, GPA + SIZE, SIZE, other);
	slot_set(vm, 2, 0, GPA - SIZE, SIZE, hva);
	vm_free(vm);
}

static void move_onto_another(void)
{
	void *hva;
	struct vm *vm = vm_with_slot(&hva);
	void *other = pages_map(SIZE);

	slot_set(vm, 1, 0, GPA + SIZE, SIZE, other);
	CHECK_ERR(slot_try(vm, 1, 0, GPA, SIZE, other), EEXIST);
	CHECK_ERR(slot_try(vm, 1, 0, GPA + PAGE_SIZE, SIZE, other), EEXIST);
	/* A move may overlap the slot's own old place. */
	slot_set(vm, 1, 0, GPA + SIZE + PAGE_SIZE, SIZE, other);
	CHECK_ERR(slot_try(vm, 2, 0, GPA + 2 * SIZE, PAGE_SIZE, other), EEXIST);
	slot_set(vm, 2, 0, GPA + SIZE, PAGE_SIZE, other);
	vm_free(vm);
}

static void delete_empty(void)
{
	void *hva;
	struct vm *vm = vm_with_slot(&hva);

	CHECK_ERR(slot_try(vm, 1, 0, 0, 0, NULL), EINVAL);
	slot_set(vm, 0, 0, 0, 0, NULL);
	CHECK_ERR(slot_try(vm, 0, 0, 0, 0, NULL), EINVAL);
	slot_set(vm, 0, 0, GPA, 2 * SIZE, hva);
	vm_free(vm);
}

static void live_slot_changes(void)
{
	void *hva;
	struct vm *vm = vm_with_slot(&hva);

	CHECK_ERR(slot_try(vm, 0, 0, GPA, 2 * SIZE, hva), EINVAL);
	CHECK_ERR(slot_try(vm, 0, 0, GPA, PAGE_SIZE, hva), EINVAL);
	CHECK_ERR(slot_try(vm, 0, 0, GPA, SIZE, hva + PAGE_SIZE), EINVAL);
	CHECK_ERR(slot_try(vm, 0, KVM_MEM_READONLY, GPA, SIZE, hva), EINVAL);
	/* The same again, dirty logging on and off. */
	slot_set(vm, 0, 0, GPA, SIZE, hva);
	slot_set(vm, 0, KVM_MEM_LOG_DIRTY_PAGES, GPA, SIZE, hva);
	slot_set(vm, 0, KVM_MEM_LOG_DIRTY_PAGES, GPA, SIZE, hva);
	slot_set(vm, 0, 0, GPA, SIZE, hva);
	vm_free(vm);
}

static void all_slots(void)
{
	struct vm *vm = vm_create_bare();
	long i, max = cap(vm->fd, KVM_CAP_NR_MEMSLOTS);
	u8 *hva = pages_map(SIZE);

	/* All of KVM's 32764 would take minutes here; every number is legal. */
	if (max > 1024)
		max = 1024;
	for (i = 0; i < max; i++)
		slot_set(vm, (u32)i, 0, (u64)i * PAGE_SIZE, PAGE_SIZE, hva);
	CHECK_ERR(slot_try(vm, (u32)max, 0, 5 * PAGE_SIZE, PAGE_SIZE, hva),
		  max == cap(vm->fd, KVM_CAP_NR_MEMSLOTS) ? EINVAL : EEXIST);
	for (i = 0; i < max; i += 2)
		slot_set(vm, (u32)i, 0, 0, 0, NULL);
	slot_set(vm, 0, 0, 0, PAGE_SIZE, hva);
	CHECK_ERR(slot_try(vm, 2, 0, PAGE_SIZE, PAGE_SIZE, hva), EEXIST);
	vm_free(vm);
}

static void huge_slot(void)
{
	struct vm *vm = vm_create_bare();
	void *hva = pages_map(64ul << 30);

	/* Reserved, never touched: costs no memory in proportion. */
	slot_set(vm, 0, 0, 0, 64ul << 30, hva);
	slot_set(vm, 0, 0, 0, 0, NULL);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(alignment),
	TEST(host_range),
	TEST(guest_range),
	TEST(too_many_pages),
	TEST(flags),
	TEST(slot_number),
	TEST(overlap),
	TEST(move_onto_another),
	TEST(delete_empty),
	TEST(live_slot_changes),
	TEST(all_slots),
	TEST(huge_slot),
};

KTAP_MAIN(tests)
