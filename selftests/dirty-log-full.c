// SPDX-License-Identifier: GPL-2.0-only
/*
 * A dirty log of more first writes than a CPU's own log of them holds (512), again and again: none is lost, none is
 * invented, and an event whose delivery finds that log full is delivered once. Logs that begin, move and outlive their
 * vCPU; page tables of the guest in a logged slot, and in a read-only one beside it.
 */
#include <sys/mman.h>

#include "irq.h"

#define GPA	0x40000000ul
#define PAGES	2048ul
#define WORDS	(PAGES / 64)
#define SIZE	(PAGES * PAGE_SIZE)
#define OTHER	0x50000000ul		/* where slot 1 moves to, or slot 2 */
#define VECTOR	0x60
#define ALIAS	0x60000000ul		/* mapped by tables of a case's own */

/* What the guest writes next: @write_nr pages from @write_first on, every @write_step-th of them. */
static volatile u64 write_base, write_first, write_step, write_nr;

static void guest_writes(void)
{
	u64 i;

	for (;;) {
		for (i = 0; i < write_nr; i++)
			++*(volatile u64 *)(write_base + (write_first + i * write_step) * PAGE_SIZE);
		guest_sync(1);
	}
}

static void write_pages(struct vcpu *vcpu, u64 base, u64 first, u64 step, u64 nr)
{
	GVAR(vcpu->vm, write_base) = base;
	GVAR(vcpu->vm, write_first) = first;
	GVAR(vcpu->vm, write_step) = step;
	GVAR(vcpu->vm, write_nr) = nr;
	RUN_SYNC(vcpu, 1);
}

static void log_get(struct vm *vm, u32 slot, u64 *bitmap)
{
	struct kvm_dirty_log log = { .slot = slot, .dirty_bitmap = bitmap };

	CHECK_EQ(xioctl(vm->fd, KVM_GET_DIRTY_LOG, &log), 0);
}

/* Exactly @nr pages from @first on, every @step-th. */
static void log_expect(struct vm *vm, u32 slot, u64 first, u64 step, u64 nr)
{
	u64 got[WORDS], want[WORDS] = { 0 }, i;

	for (i = first; nr; nr--, i += step)
		want[i / 64] |= BIT(i % 64);
	log_get(vm, slot, got);
	for (i = 0; i < WORDS; i++)
		if (got[i] != want[i])
			FAIL("word %llu is 0x%llx, expected 0x%llx", (unsigned long long)i,
			     (unsigned long long)got[i], (unsigned long long)want[i]);
}

static u8 *memory_map(int advice)
{
	uintptr_t p = (uintptr_t)pages_map(SIZE + PAGE_2M);
	u8 *mem = (u8 *)((p + PAGE_2M - 1) & ~(PAGE_2M - 1));

	if (madvise(mem, SIZE, advice))
		ktap_skip("no transparent huge pages");
	memset(mem, 0, SIZE);
	return mem;
}

static void names_all(int advice)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	u8 *mem = memory_map(advice);
	u64 round;

	slot_set(vm, 1, 0, GPA, SIZE, mem);
	vcpu_entry(vcpu, guest_writes);
	write_pages(vcpu, GPA, 0, 1, PAGES);
	slot_set(vm, 1, KVM_MEM_LOG_DIRTY_PAGES, GPA, SIZE, mem);
	log_expect(vm, 1, 0, 1, 0);
	for (round = 0; round < 3; round++) {
		write_pages(vcpu, GPA, 0, 1, PAGES);
		log_expect(vm, 1, 0, 1, PAGES);
		log_expect(vm, 1, 0, 1, 0);
		/* Twice, and read once. */
		write_pages(vcpu, GPA, round, 3, 650);
		write_pages(vcpu, GPA, round, 3, 650);
		log_expect(vm, 1, round, 3, 650);
		write_pages(vcpu, GPA, 0, 1, 0);
		log_expect(vm, 1, 0, 1, 0);
	}
	CHECK_EQ(*(u64 *)mem, 6);
	vm_free(vm);
}

static void small_pages(void)
{
	names_all(MADV_NOHUGEPAGE);
}

static void large_pages(void)
{
	names_all(MADV_HUGEPAGE);
}

/* What was written before a log began is not in it, whatever other log there was. */
static void begins_beside_another(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	u8 *mem = memory_map(MADV_NOHUGEPAGE), *other = memory_map(MADV_NOHUGEPAGE);
	u64 i;

	slot_set(vm, 1, KVM_MEM_LOG_DIRTY_PAGES, GPA, SIZE, mem);
	slot_set(vm, 2, 0, OTHER, SIZE, other);
	vcpu_entry(vcpu, guest_writes);
	for (i = 0; i < 2; i++) {
		write_pages(vcpu, GPA, 0, 1, 300);
		write_pages(vcpu, OTHER, 0, 1, 700);
		slot_set(vm, 2, KVM_MEM_LOG_DIRTY_PAGES, OTHER, SIZE, other);
		log_expect(vm, 2, 0, 1, 0);
		log_expect(vm, 1, 0, 1, 300);
		write_pages(vcpu, OTHER, 5, 2, 3);
		log_expect(vm, 2, 5, 2, 3);
		/* The last log ends, another begins: the same again. */
		slot_set(vm, 2, 0, OTHER, SIZE, other);
		slot_set(vm, 1, 0, GPA, SIZE, mem);
		write_pages(vcpu, GPA, 0, 1, 300);
		slot_set(vm, 1, KVM_MEM_LOG_DIRTY_PAGES, GPA, SIZE, mem);
		log_expect(vm, 1, 0, 1, 0);
	}
	vm_free(vm);
}

/* A vCPU whose log was full, and was read: each next write is a first one. */
static struct vcpu *vcpu_with_log(struct vm *vm, u8 *mem)
{
	struct vcpu *vcpu = vcpu_add(vm, 0);

	slot_set(vm, 1, KVM_MEM_LOG_DIRTY_PAGES, GPA, SIZE, mem);
	vcpu_entry(vcpu, guest_writes);
	write_pages(vcpu, GPA, 0, 1, PAGES);
	log_expect(vm, 1, 0, 1, PAGES);
	return vcpu;
}

static void moves_along(void)
{
	struct vm *vm = vm_create();
	u8 *mem = memory_map(MADV_NOHUGEPAGE);
	struct vcpu *vcpu = vcpu_with_log(vm, mem);

	write_pages(vcpu, GPA, 7, 4, 100);
	slot_set(vm, 1, KVM_MEM_LOG_DIRTY_PAGES, OTHER, SIZE, mem);
	log_expect(vm, 1, 7, 4, 100);
	write_pages(vcpu, OTHER, 8, 4, 100);
	log_expect(vm, 1, 8, 4, 100);
	CHECK_EQ(*(u64 *)(mem + 8 * PAGE_SIZE), 2);
	vm_free(vm);
}

static void outlives_its_vcpu(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_with_log(vm, memory_map(MADV_NOHUGEPAGE));

	write_pages(vcpu, GPA, 3, 5, 90);
	vcpu_close(vcpu);
	log_expect(vm, 1, 3, 5, 90);
	vm_free(vm);
}

/* One exception with its frame at the top of @page; what comes back must be the stack as it was. */
#define GUEST_TAKE(insn, page, ...)						\
	do {									\
		u64 top_ = (page) + PAGE_SIZE, after_, saved_;			\
		guest_this()->exc.vector = NO_EXCEPTION;			\
		asm volatile("mov %%rsp, %1\n\t"				\
			     "mov %2, %%rsp\n\t"				\
			     "lea 1f(%%rip), %%r11\n\t"				\
			     "mov %%r11, %%gs:8\n\t"				\
			     insn "\n"						\
			     "1: movq $0, %%gs:8\n\t"				\
			     "mov %%rsp, %0\n\t"				\
			     "mov %1, %%rsp"					\
			     : "=&r" (after_), "=&r" (saved_)			\
			     : "r" (top_), ##__VA_ARGS__ : "r11", "memory", "cc");	\
		GUEST_CHECK_EQ(after_, top_);					\
	} while (0)

/*
 * Each on a stack of its own that was not written since the log was read: with or without an error code, software's,
 * and interrupts, which do not come again if they are lost.
 */
static void guest_takes(void)
{
	u64 i, nr_irqs = 0;

	guest_apic_enable();
	for (;;) {
		for (i = 0; i < PAGES; i++) {
			u64 page = GPA + i * PAGE_SIZE;

			/* 5: the kind that meets the full log, each 512 pages, is another one each time. */
			switch (i % 5) {
			case 0:
				GUEST_TAKE("ud2", page);
				GUEST_CHECK_EQ(guest_exc()->vector, UD_VECTOR);
				break;
			case 1:
				GUEST_TAKE("movl $0, (%3)", page, "r" (ALIAS + i));
				GUEST_CHECK_EQ(guest_exc()->vector, PF_VECTOR);
				GUEST_CHECK_EQ(guest_exc()->error, PFERR_W);
				GUEST_CHECK_EQ(guest_exc()->cr2, ALIAS + i);
				break;
			case 2:
				GUEST_TAKE("int3", page);
				GUEST_CHECK_EQ(guest_exc()->vector, BP_VECTOR);
				break;
			case 3:
				apic_write(APIC_ICR, APIC_SHORT_SELF | VECTOR);
				GUEST_TAKE("sti\n\tnop\n\tcli", page);
				GUEST_CHECK_EQ(guest_irqs[VECTOR], ++nr_irqs);
				break;
			default:
				/* The write in STI's shadow fills the log, the delivery finds it so. */
				apic_write(APIC_ICR, APIC_SHORT_SELF | VECTOR);
				GUEST_TAKE("sti\n\tmovl $0, -8(%%rsp)\n\tcli", page);
				GUEST_CHECK_EQ(guest_irqs[VECTOR], ++nr_irqs);
				break;
			}
		}
		guest_sync(1);
	}
}

static void events_on_fresh_stacks(void)
{
	struct vcpu *vcpu;
	struct vm *vm;
	u64 round;

	irq_handle(VECTOR);
	vm = vm_create_irqchip();
	vcpu = vcpu_add(vm, 0);
	slot_set(vm, 1, KVM_MEM_LOG_DIRTY_PAGES, GPA, SIZE, memory_map(MADV_NOHUGEPAGE));
	long_map(vm, ALIAS, 0, 0);
	vcpu_entry(vcpu, guest_takes);
	for (round = 0; round < 4; round++) {
		RUN_SYNC(vcpu, 1);
		log_expect(vm, 1, 0, 1, PAGES);
	}
	vm_free(vm);
}

/* The entry that maps the 2 MiB at ALIAS. */
static u64 *alias_pde(struct vm *vm)
{
	u64 *table;

	long_pte(vm, ALIAS);
	table = vm_hva(vm, vm->pml4);
	table = vm_hva(vm, table[ALIAS >> 39 & 511] & PTE_ADDR);
	table = vm_hva(vm, table[ALIAS >> 30 & 511] & PTE_ADDR);
	return &table[ALIAS >> 21 & 511];
}

/*
 * Where in each page: at no multiple of an entry's size, since KVM takes the address of a table's entry that it cannot
 * write for the operand's where their offsets in the page are the same.
 */
#define ALIAS_OFFSET	4

/* Through ALIAS: reads every third page, writes every fourth. */
static void guest_uses_alias(void)
{
	volatile u64 *p;
	u64 i;

	for (;;) {
		GUEST_WRITE_CR(3, GUEST_READ_CR(3));
		for (i = 0; i < 512; i++) {
			p = (volatile u64 *)(ALIAS + i * PAGE_SIZE + ALIAS_OFFSET);
			if (i % 3 == 0)
				(void)*p;
			if (i % 4 == 0)
				++*p;
		}
		guest_sync(1);
	}
}

/* As a migration does: what the log names is copied. Everything else must be as it was. */
static void copy_dirty(struct vm *vm, const u8 *mem, u8 *shadow)
{
	u64 bitmap[WORDS], i;

	log_get(vm, 1, bitmap);
	for (i = 0; i < PAGES; i++) {
		if (bitmap[i / 64] & BIT(i % 64))
			memcpy(shadow + i * PAGE_SIZE, mem + i * PAGE_SIZE, PAGE_SIZE);
		else if (memcmp(shadow + i * PAGE_SIZE, mem + i * PAGE_SIZE, PAGE_SIZE))
			FAIL("page %llu changed and is not in the log", (unsigned long long)i);
	}
}

/* The table is the slot's first page, what it maps the last 512. */
static void tables_fill(u64 *table, u64 flags)
{
	u64 i;

	for (i = 0; i < 512; i++)
		table[i] = (GPA + (PAGES - 512 + i) * PAGE_SIZE) | PTE_P | PTE_W | flags;
}

static void tables_in_the_log(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	u8 *mem = memory_map(MADV_NOHUGEPAGE), *shadow = pages_map(SIZE);
	u64 round;

	slot_set(vm, 1, KVM_MEM_LOG_DIRTY_PAGES, GPA, SIZE, mem);
	vcpu_entry(vcpu, guest_uses_alias);
	*alias_pde(vm) = GPA | PTE_P | PTE_W;
	for (round = 0; round < 4; round++) {
		/* The host's own writes are in no log. All that changes the table now is the CPU's walk. */
		tables_fill((u64 *)mem, 0);
		tables_fill((u64 *)shadow, 0);
		RUN_SYNC(vcpu, 1);
		CHECK_EQ(*(u64 *)mem & (PTE_A | PTE_D), PTE_A | PTE_D);
		CHECK_EQ(*((u64 *)mem + 3) & (PTE_A | PTE_D), PTE_A);
		copy_dirty(vm, mem, shadow);
		copy_dirty(vm, mem, shadow);
	}
	CHECK_EQ(*(u64 *)(mem + (PAGES - 512 + 4) * PAGE_SIZE + ALIAS_OFFSET), 4);
	vm_free(vm);
}

static void tables_read_only(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	u8 *mem = memory_map(MADV_NOHUGEPAGE), *shadow = pages_map(SIZE);
	u64 *table = pages_map(PAGE_SIZE), round, i;

	tables_fill(table, PTE_A | PTE_D);
	slot_set(vm, 1, KVM_MEM_LOG_DIRTY_PAGES, GPA, SIZE, mem);
	slot_set(vm, 2, KVM_MEM_READONLY, OTHER, PAGE_SIZE, table);
	vcpu_entry(vcpu, guest_uses_alias);
	*alias_pde(vm) = OTHER | PTE_P | PTE_W | PTE_A;
	for (round = 0; round < 2; round++) {
		RUN_SYNC(vcpu, 1);
		copy_dirty(vm, mem, shadow);
	}
	for (i = 0; i < 512; i++)
		CHECK_EQ(*(u64 *)(mem + (PAGES - 512 + i) * PAGE_SIZE + ALIAS_OFFSET), i % 4 ? 0 : 2);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(small_pages),
	TEST(large_pages),
	TEST(begins_beside_another),
	TEST(moves_along),
	TEST(outlives_its_vcpu),
	TEST(events_on_fresh_stacks),
	TEST(tables_in_the_log),
	TEST(tables_read_only),
};

KTAP_MAIN(tests)
