// SPDX-License-Identifier: GPL-2.0-only
/*
 * MMIO through the guest's own page tables: the address that the exit names is
 * what the tables say, in legacy, PAE and long-mode paging, with small and
 * large pages, for code that itself lies at another virtual address.
 */
#include "modes.h"

#define MMIO	0xd0123000ul
#define VIRT	0x300000ul

GUEST_CODE(poke32, 32,
	"mov $0x300abc, %eax\n"
	"movl $0x55667788, (%eax)\n"
	"mov (%eax), %ebx\n"
	"hlt\n");

static void expect_poke(struct vcpu *vcpu, enum guest_mode mode, u64 gpa)
{
	static const u32 answer = 0x99aabbcc;
	struct guest_exc exc;

	CHECK_EQ(run_try(vcpu), 0);
	if (exception_read(vcpu, mode, &exc))
		FAIL("the guest took vector %llu, error 0x%llx, rip 0x%llx, cr2 0x%llx",
		     (unsigned long long)exc.vector, (unsigned long long)exc.error,
		     (unsigned long long)exc.rip, (unsigned long long)exc.cr2);
	CHECK_EQ(vcpu->run->exit_reason, KVM_EXIT_MMIO);
	CHECK_EQ(vcpu->run->mmio.phys_addr, gpa);
	CHECK_EQ(vcpu->run->mmio.is_write, 1);
	CHECK_EQ(*(u32 *)vcpu->run->mmio.data, 0x55667788);
	RUN_EXPECT(vcpu, KVM_EXIT_MMIO);
	CHECK_EQ(vcpu->run->mmio.phys_addr, gpa);
	CHECK_EQ(vcpu->run->mmio.is_write, 0);
	memcpy(vcpu->run->mmio.data, &answer, 4);
	RUN_EXPECT(vcpu, KVM_EXIT_HLT);
	CHECK_EQ((u32)regs_get(vcpu).rbx, answer);
}

static void legacy(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);

	code_load(vm, REAL_CODE, poke32);
	vcpu_mode(vcpu, MODE_PAGED32, REAL_CODE);
	*paged32_pte(vm, VIRT) = (u32)(MMIO | PTE_P | PTE_W);
	expect_poke(vcpu, MODE_PAGED32, MMIO + 0xabc);
	vm_free(vm);
}

/* PAE: four pointers, directories of 2 MiB pages, one table of small ones. */
static void pae_enable(struct vcpu *vcpu, u64 small)
{
	struct vm *vm = vcpu->vm;
	u64 pdpt = vm_alloc_pages(vm, 1), pd = vm_alloc_pages(vm, 4), pt = vm_alloc_pages(vm, 1);
	u64 *p = vm_hva(vm, pdpt), *d = vm_hva(vm, pd), *t = vm_hva(vm, pt), i;
	struct kvm_sregs s = sregs_get(vcpu);

	for (i = 0; i < 4; i++)
		p[i] = (pd + i * PAGE_SIZE) | PTE_P;
	for (i = 0; i < 2048; i++)
		d[i] = i * PAGE_2M | PTE_P | PTE_W | PTE_PS;
	for (i = 0; i < 512; i++)
		t[i] = (VIRT / PAGE_2M * PAGE_2M + i * PAGE_SIZE) | PTE_P | PTE_W;
	if (small) {
		d[VIRT / PAGE_2M] = pt | PTE_P | PTE_W;
		t[VIRT % PAGE_2M / PAGE_SIZE] = small | PTE_P | PTE_W;
	} else {
		d[VIRT / PAGE_2M] = (MMIO & ~(PAGE_2M - 1)) | PTE_P | PTE_W | PTE_PS;
	}
	s.cr3 = pdpt;
	s.cr4 |= X86_CR4_PAE;
	s.cr0 |= X86_CR0_PG;
	sregs_set(vcpu, &s);
}

static void pae(u64 small, u64 gpa)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);

	code_load(vm, REAL_CODE, poke32);
	vcpu_mode(vcpu, MODE_PROT32, REAL_CODE);
	pae_enable(vcpu, small);
	expect_poke(vcpu, MODE_PROT32, gpa);
	vm_free(vm);
}

static void pae_small(void)
{
	pae(MMIO, MMIO + 0xabc);
}

static void pae_large(void)
{
	pae(0, (MMIO & ~(PAGE_2M - 1)) + VIRT % PAGE_2M + 0xabc);
}

GUEST_CODE(poke64, 64,
	"movabs $0xffffffff80300abc, %rax\n"
	"movl $0x55667788, (%rax)\n"
	"mov (%rax), %ebx\n"
	"hlt\n");

/* Code and device in the upper half, as a kernel has them. */
static void long_upper_half(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);

	code_load(vm, REAL_CODE, poke64);
	vcpu_mode(vcpu, MODE_LONG64, 0xffffffff81000000);
	long_map(vm, 0xffffffff81000000, REAL_CODE, PTE_P);
	long_map(vm, 0xffffffff80300000, MMIO, PTE_P | PTE_W);
	expect_poke(vcpu, MODE_LONG64, MMIO + 0xabc);
	vm_free(vm);
}

/* The same in 5-level paging, where the CPU has it. */
static void long_five_levels(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	struct kvm_sregs s;
	u64 pml5, *top;

	if (!(cpuid(7, 0).ecx & BIT(16)))
		ktap_skip("no LA57");
	code_load(vm, REAL_CODE, poke64);
	vcpu_mode(vcpu, MODE_LONG64, REAL_CODE);
	long_map(vm, 0xffffffff80300000, MMIO, PTE_P | PTE_W);
	s = sregs_get(vcpu);
	pml5 = vm_alloc_pages(vm, 1);
	top = vm_hva(vm, pml5);
	top[0] = s.cr3 | PTE_P | PTE_W;
	top[511] = s.cr3 | PTE_P | PTE_W;
	s.cr3 = pml5;
	s.cr4 |= X86_CR4_LA57;
	sregs_set(vcpu, &s);
	expect_poke(vcpu, MODE_LONG64, MMIO + 0xabc);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(legacy),
	TEST(pae_small),
	TEST(pae_large),
	TEST(long_upper_half),
	TEST(long_five_levels),
};

KTAP_MAIN(tests)
