// SPDX-License-Identifier: GPL-2.0-only
/*
 * Operating modes: page tables, descriptor tables, segment state (APM 2,
 * chapters 4, 5 and 14). Tables are made once per VM and shared by its vCPUs.
 * Locking: none; one thread sets a VM up.
 */
#include "modes.h"

extern const char guest_host_stubs64[], guest_host_stubs32[];
extern const char guest_host_stubs16[], guest_host_stubs16_end[];

const char *const mode_names[NR_MODES] = {
	"real16", "prot32", "paged32", "long64",
};

#define TSS_OFFSET	2048	/* in the page of struct guest_cpu */
#define TSS_RSP0	4
#define TSS_LIMIT	0x67

/* Descriptor bytes: APM 2, 4.7 and 4.8. */
#define DESC_CODE32	0x00cf9b000000ffffull
#define DESC_DATA	0x00cf93000000ffffull
#define DESC_CODE64	0x00af9b000000ffffull
#define DESC_UCODE64	0x00affb000000ffffull
#define DESC_UDATA	0x00cff3000000ffffull

static void gdt_make(struct vm *vm)
{
	u64 *gdt;

	if (vm->gdt)
		return;
	vm->gdt = vm_alloc_pages(vm, 1);
	gdt = vm_hva(vm, vm->gdt);
	gdt[SEL_CODE32 / 8] = DESC_CODE32;
	gdt[SEL_DATA / 8] = DESC_DATA;
	gdt[SEL_CODE64 / 8] = DESC_CODE64;
	gdt[SEL_USER_CODE64 / 8] = DESC_UCODE64;
	gdt[SEL_USER_DATA / 8] = DESC_UDATA;
}

static void gate64_set(u64 *gate, u64 target)
{
	/* Present interrupt gate, DPL 0 (APM 2, 4.8.4). */
	gate[0] = (target & 0xffff) | (u64)SEL_CODE64 << 16 | 0x8e00ull << 32 |
		  (target & 0xffff0000) << 32;
	gate[1] = target >> 32;
}

static u64 idt64_make(struct vm *vm, const char *stubs)
{
	u64 gpa = vm_alloc_pages(vm, 1);
	u64 *idt = vm_hva(vm, gpa);
	unsigned int v;

	for (v = 0; v < 256; v++)
		gate64_set(&idt[2 * v], (u64)(uintptr_t)stubs + 16 * v);
	return gpa;
}

static u64 idt32_make(struct vm *vm)
{
	u64 gpa = vm_alloc_pages(vm, 1);
	u64 *idt = vm_hva(vm, gpa);
	unsigned int v;

	for (v = 0; v < 256; v++) {
		u64 target = (u64)(uintptr_t)guest_host_stubs32 + 16 * v;

		idt[v] = (target & 0xffff) | (u64)SEL_CODE32 << 16 |
			 0x8e00ull << 32 | (target & 0xffff0000) << 32;
	}
	return gpa;
}

static void ivt_make(struct vm *vm)
{
	u16 *ivt = vm_hva(vm, 0);
	unsigned int v;

	memcpy(vm_hva(vm, REAL_STUBS), guest_host_stubs16,
	       (size_t)(guest_host_stubs16_end - guest_host_stubs16));
	for (v = 0; v < 32; v++) {
		ivt[2 * v] = (u16)(REAL_STUBS + 16 * v);
		ivt[2 * v + 1] = 0;
	}
}

static void tables64_make(struct vm *vm)
{
	u64 *pml4, *pdpt, *pd;
	u64 pdpt_gpa, pd_gpa;
	unsigned int i;

	if (vm->pml4)
		return;
	vm->pml4 = vm_alloc_pages(vm, 1);
	pdpt_gpa = vm_alloc_pages(vm, 1);
	pd_gpa = vm_alloc_pages(vm, 4);
	pml4 = vm_hva(vm, vm->pml4);
	pdpt = vm_hva(vm, pdpt_gpa);
	pd = vm_hva(vm, pd_gpa);
	pml4[0] = pdpt_gpa | PTE_P | PTE_W | PTE_U;
	for (i = 0; i < 4; i++)
		pdpt[i] = (pd_gpa + i * PAGE_SIZE) | PTE_P | PTE_W | PTE_U;
	for (i = 0; i < 4 * 512; i++)
		pd[i] = i * PAGE_2M | PTE_P | PTE_W | PTE_PS;
}

static u64 *table_next(struct vm *vm, u64 *entry, u64 span)
{
	u64 old = *entry, gpa, *table;
	unsigned int i;

	if ((old & PTE_P) && !(old & PTE_PS))
		return vm_hva(vm, old & PTE_ADDR);
	gpa = vm_alloc_pages(vm, 1);
	table = vm_hva(vm, gpa);
	if (old & PTE_P)
		for (i = 0; i < 512; i++)
			table[i] = ((old & ~PTE_PS) + i * span) |
				   (span == PAGE_SIZE ? 0 : PTE_PS);
	*entry = gpa | PTE_P | PTE_W | PTE_U;
	return table;
}

u64 *long_pte(struct vm *vm, u64 gva)
{
	u64 *table;

	tables64_make(vm);
	table = vm_hva(vm, vm->pml4);
	table = table_next(vm, &table[gva >> 39 & 511], 0);
	table = table_next(vm, &table[gva >> 30 & 511], PAGE_2M);
	table = table_next(vm, &table[gva >> 21 & 511], PAGE_SIZE);
	return &table[gva >> 12 & 511];
}

void long_map(struct vm *vm, u64 gva, u64 gpa, u64 flags)
{
	*long_pte(vm, gva) = gpa | flags;
}

static void tables32_make(struct vm *vm)
{
	unsigned int i;
	u32 *pd;

	if (vm->pd32)
		return;
	vm->pd32 = vm_alloc_pages(vm, 1);
	pd = vm_hva(vm, vm->pd32);
	for (i = 0; i < 1024; i++)
		pd[i] = i << 22 | (u32)(PTE_P | PTE_W | PTE_U | PTE_PS);
}

u32 *paged32_pte(struct vm *vm, u32 gva)
{
	u32 *pd, *pt, gpa, i;

	tables32_make(vm);
	pd = (u32 *)vm_hva(vm, vm->pd32) + (gva >> 22);
	if (*pd & PTE_PS) {
		gpa = (u32)vm_alloc_pages(vm, 1);
		pt = vm_hva(vm, gpa);
		for (i = 0; i < 1024; i++)
			pt[i] = (*pd & 0xffc00000) | i << 12 | (u32)(PTE_P | PTE_W | PTE_U);
		*pd = gpa | (u32)(PTE_P | PTE_W | PTE_U);
	}
	pt = vm_hva(vm, *pd & 0xfffff000);
	return &pt[gva >> 12 & 1023];
}

static struct kvm_segment segment_flat(u16 selector, u8 type, bool code64)
{
	struct kvm_segment seg = {
		.limit = 0xffffffff,
		.selector = selector,
		.type = type,
		.present = 1,
		.s = 1,
		.g = 1,
		.l = code64,
		.db = !code64,
	};

	return seg;
}

static void segments_flat(struct kvm_sregs *s, bool code64)
{
	s->cs = segment_flat(code64 ? SEL_CODE64 : SEL_CODE32, 11, code64);
	s->ds = segment_flat(SEL_DATA, 3, false);
	s->es = s->ds;
	s->ss = s->ds;
	s->fs = s->ds;
	s->gs = s->ds;
}

static void segments_real(struct kvm_sregs *s)
{
	struct kvm_segment *seg[] = { &s->cs, &s->ds, &s->es, &s->ss, &s->fs, &s->gs };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(seg); i++) {
		*seg[i] = (struct kvm_segment){
			.limit = 0xffff, .type = seg[i] == &s->cs ? 11 : 3,
			.present = 1, .s = 1,
		};
	}
}

static void tss_load(struct vcpu *vcpu, struct kvm_sregs *s)
{
	u8 *tss = (u8 *)vcpu->cpu + TSS_OFFSET;
	u64 rsp0 = vcpu->stack;

	memcpy(tss + TSS_RSP0, &rsp0, sizeof(rsp0));
	s->tr = (struct kvm_segment){
		.base = vcpu->cpu_gpa + TSS_OFFSET, .limit = TSS_LIMIT,
		.selector = SEL_TSS, .type = 11, .present = 1,
	};
}

static void sregs_real(struct vcpu *vcpu, struct kvm_sregs *s)
{
	ivt_make(vcpu->vm);
	segments_real(s);
	s->idt.base = 0;
	s->idt.limit = 0x3ff;
	s->cr0 = X86_CR0_ET;
	s->cr4 = 0;
	s->efer = 0;
}

static void sregs_prot32(struct vcpu *vcpu, struct kvm_sregs *s, bool paged)
{
	struct vm *vm = vcpu->vm;

	gdt_make(vm);
	if (!vm->idt32_host)
		vm->idt32_host = idt32_make(vm);
	segments_flat(s, false);
	tss_load(vcpu, s);
	s->gdt.base = vm->gdt;
	s->gdt.limit = 0x3f;
	s->idt.base = vm->idt32_host;
	s->idt.limit = 0x7ff;
	s->cr0 = X86_CR0_PE | X86_CR0_ET | X86_CR0_NE;
	s->cr4 = 0;
	s->efer = 0;
	if (paged) {
		tables32_make(vm);
		s->cr3 = vm->pd32;
		s->cr4 = X86_CR4_PSE;
		s->cr0 |= X86_CR0_PG | X86_CR0_WP;
	}
}

static void sregs_long(struct vcpu *vcpu, struct kvm_sregs *s)
{
	struct vm *vm = vcpu->vm;

	gdt_make(vm);
	tables64_make(vm);
	if (!vm->idt64)
		vm->idt64 = idt64_make(vm, guest_entry_stubs);
	segments_flat(s, true);
	s->gs.base = vcpu->cpu_gpa;
	tss_load(vcpu, s);
	s->gdt.base = vm->gdt;
	s->gdt.limit = 0x3f;
	s->idt.base = vm->idt64;
	s->idt.limit = 0xfff;
	s->cr3 = vm->pml4;
	s->cr0 = X86_CR0_PE | X86_CR0_MP | X86_CR0_ET | X86_CR0_NE |
		 X86_CR0_WP | X86_CR0_PG;
	s->cr4 = X86_CR4_PAE | X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT;
	s->efer = EFER_LME | EFER_LMA | EFER_NX;
}

void vcpu_mode(struct vcpu *vcpu, enum guest_mode mode, u64 rip)
{
	struct kvm_regs regs = {
		.rip = rip,
		.rflags = X86_EFLAGS_FIXED,
		.rsp = mode == MODE_REAL16 ? REAL_STACK : vcpu->stack - 8,
	};
	struct kvm_sregs s = sregs_get(vcpu);

	switch (mode) {
	case MODE_REAL16:
		sregs_real(vcpu, &s);
		break;
	case MODE_PROT32:
	case MODE_PAGED32:
		sregs_prot32(vcpu, &s, mode == MODE_PAGED32);
		break;
	default:
		sregs_long(vcpu, &s);
		break;
	}
	sregs_set(vcpu, &s);
	regs_set(vcpu, &regs);
}

void vcpu_entry(struct vcpu *vcpu, void (*fn)(void))
{
	vcpu_mode(vcpu, MODE_LONG64, (u64)(uintptr_t)fn);
}

void vcpu_exceptions_to_host(struct vcpu *vcpu)
{
	struct kvm_sregs s = sregs_get(vcpu);

	if (!vcpu->vm->idt64_host)
		vcpu->vm->idt64_host = idt64_make(vcpu->vm, guest_host_stubs64);
	s.idt.base = vcpu->vm->idt64_host;
	sregs_set(vcpu, &s);
}

static bool vector_has_error(u64 vector)
{
	return vector < 32 && (0x60227d00u >> vector & 1);
}

bool exception_read(struct vcpu *vcpu, enum guest_mode mode, struct guest_exc *exc)
{
	u64 sp = regs_get(vcpu).rsp, words[3] = { 0 };
	struct kvm_sregs s = sregs_get(vcpu);
	size_t width = mode == MODE_REAL16 ? 2 : mode == MODE_LONG64 ? 8 : 4;
	struct kvm_run *run = vcpu->run;
	unsigned int i;
	bool error;

	if (run->exit_reason != KVM_EXIT_IO || run->io.port != EXC_PORT ||
	    run->io.direction != KVM_EXIT_IO_OUT)
		return false;
	for (i = 0; i < 3; i++)
		memcpy(&words[i], vm_hva(vcpu->vm, s.ss.base + sp + i * width), width);
	/* Real mode pushes no error code (APM 2, 8.2). */
	error = mode != MODE_REAL16 && vector_has_error(words[0]);
	exc->vector = words[0];
	exc->error = error ? words[1] : 0;
	exc->rip = error ? words[2] : words[1];
	exc->cr2 = s.cr2;
	return true;
}
