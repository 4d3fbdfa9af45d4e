// SPDX-License-Identifier: GPL-2.0-only
/*
 * A vCPU nobody touched is in the architecture's reset state (APM 2, 14.1.3;
 * SDM 3, table 10-1), and begins at F000:FFF0.
 */
#include "modes.h"

static void general_registers(void)
{
	struct vm *vm = vm_create_bare();
	struct vcpu *vcpu = vcpu_add_bare(vm, 0);
	struct kvm_regs r = regs_get(vcpu);

	CHECK_EQ(r.rax, 0);
	CHECK_EQ(r.rbx, 0);
	CHECK_EQ(r.rcx, 0);
	CHECK_EQ(r.rsi, 0);
	CHECK_EQ(r.rdi, 0);
	CHECK_EQ(r.rsp, 0);
	CHECK_EQ(r.rbp, 0);
	CHECK_EQ(r.r8, 0);
	CHECK_EQ(r.r15, 0);
	CHECK_EQ(r.rip, 0xfff0);
	CHECK_EQ(r.rflags, X86_EFLAGS_FIXED);
	/* The family, model and stepping. */
	CHECK_NE(r.rdx, 0);
	CHECK_EQ(r.rdx & ~0x0fff3fffull, 0);
	vm_free(vm);
}

static void data_segment(const struct kvm_segment *seg)
{
	CHECK_EQ(seg->base, 0);
	CHECK_EQ(seg->limit, 0xffff);
	CHECK_EQ(seg->selector, 0);
	/* Data, writable; the accessed bit is the vendor's choice. */
	CHECK_EQ(seg->type | 1, 3);
	CHECK_EQ(seg->present, 1);
	CHECK_EQ(seg->dpl, 0);
	CHECK_EQ(seg->db, 0);
	CHECK_EQ(seg->s, 1);
	CHECK_EQ(seg->l, 0);
	CHECK_EQ(seg->g, 0);
	CHECK_EQ(seg->unusable, 0);
}

static void segments(void)
{
	struct vm *vm = vm_create_bare();
	struct vcpu *vcpu = vcpu_add_bare(vm, 0);
	struct kvm_sregs s = sregs_get(vcpu);

	data_segment(&s.ds);
	data_segment(&s.es);
	data_segment(&s.fs);
	data_segment(&s.gs);
	data_segment(&s.ss);
	CHECK_EQ(s.cs.base, 0xffff0000);
	CHECK_EQ(s.cs.limit, 0xffff);
	CHECK_EQ(s.cs.selector, 0xf000);
	CHECK_EQ(s.cs.type | 1, 11);
	CHECK_EQ(s.cs.present, 1);
	CHECK_EQ(s.cs.s, 1);
	CHECK_EQ(s.cs.db, 0);
	CHECK_EQ(s.cs.l, 0);
	CHECK_EQ(s.tr.base, 0);
	CHECK_EQ(s.tr.limit, 0xffff);
	CHECK_EQ(s.tr.present, 1);
	CHECK_EQ(s.tr.s, 0);
	CHECK_EQ(s.ldt.base, 0);
	CHECK_EQ(s.ldt.limit, 0xffff);
	CHECK_EQ(s.ldt.type, 2);
	CHECK_EQ(s.ldt.present, 1);
	CHECK_EQ(s.gdt.base, 0);
	CHECK_EQ(s.gdt.limit, 0xffff);
	CHECK_EQ(s.idt.base, 0);
	CHECK_EQ(s.idt.limit, 0xffff);
	vm_free(vm);
}

static void control_registers(void)
{
	struct vm *vm = vm_create_bare();
	struct vcpu *vcpu = vcpu_add_bare(vm, 0), *second = vcpu_add_bare(vm, 1);
	struct kvm_sregs s = sregs_get(vcpu);

	CHECK_EQ(s.cr0, X86_CR0_ET | X86_CR0_CD | X86_CR0_NW);
	CHECK_EQ(s.cr2, 0);
	CHECK_EQ(s.cr3, 0);
	CHECK_EQ(s.cr4, 0);
	CHECK_EQ(s.cr8, 0);
	CHECK_EQ(s.efer, 0);
	CHECK_EQ(s.apic_base & ~APIC_BASE_BSP, sregs_get(second).apic_base);
	vm_free(vm);
}

static void apic_base_with_irqchip(void)
{
	struct vm *vm = vm_create_bare();
	struct vcpu *first, *second;

	REQUIRE_CAP(vm->fd, KVM_CAP_IRQCHIP);
	CHECK_OK(xioctl(vm->fd, KVM_CREATE_IRQCHIP, 0));
	first = vcpu_add_bare(vm, 0);
	second = vcpu_add_bare(vm, 1);
	CHECK_EQ(sregs_get(first).apic_base,
		 APIC_DEFAULT_BASE | APIC_BASE_ENABLE | APIC_BASE_BSP);
	CHECK_EQ(sregs_get(second).apic_base, APIC_DEFAULT_BASE | APIC_BASE_ENABLE);
	vm_free(vm);
}

static void msrs(void)
{
	struct vm *vm = vm_create_bare();
	struct vcpu *vcpu = vcpu_add_bare(vm, 0);

	CHECK_EQ(msr_get(vcpu, MSR_IA32_CR_PAT), 0x0007040600070406);
	CHECK_EQ(msr_get(vcpu, MSR_STAR), 0);
	CHECK_EQ(msr_get(vcpu, MSR_LSTAR), 0);
	CHECK_EQ(msr_get(vcpu, MSR_CSTAR), 0);
	CHECK_EQ(msr_get(vcpu, MSR_SYSCALL_MASK), 0);
	CHECK_EQ(msr_get(vcpu, MSR_KERNEL_GS_BASE), 0);
	CHECK_EQ(msr_get(vcpu, MSR_IA32_SYSENTER_CS), 0);
	CHECK_EQ(msr_get(vcpu, MSR_IA32_SYSENTER_ESP), 0);
	CHECK_EQ(msr_get(vcpu, MSR_IA32_SYSENTER_EIP), 0);
	vm_free(vm);
}

static void debug_registers(void)
{
	struct vm *vm = vm_create_bare();
	struct vcpu *vcpu = vcpu_add_bare(vm, 0);
	struct kvm_debugregs d;

	REQUIRE_CAP(vm->fd, KVM_CAP_DEBUGREGS);
	memset(&d, 0xaa, sizeof(d));
	CHECK_EQ(xioctl(vcpu->fd, KVM_GET_DEBUGREGS, &d), 0);
	CHECK_EQ(d.db[0] | d.db[1] | d.db[2] | d.db[3], 0);
	CHECK_EQ(d.dr6, 0xffff0ff0);
	CHECK_EQ(d.dr7, 0x400);
	CHECK_EQ(d.flags, 0);
	CHECK_EQ(d.reserved[0] | d.reserved[8], 0);
	vm_free(vm);
}

static void floating_point(void)
{
	struct vm *vm = vm_create_bare();
	struct vcpu *vcpu = vcpu_add_bare(vm, 0);
	struct kvm_fpu fpu;

	memset(&fpu, 0xaa, sizeof(fpu));
	CHECK_EQ(xioctl(vcpu->fd, KVM_GET_FPU, &fpu), 0);
	CHECK_EQ(fpu.fcw, 0x37f);
	CHECK_EQ(fpu.fsw, 0);
	CHECK_EQ(fpu.ftwx, 0);
	vm_free(vm);
}

GUEST_CODE(reset_code, 16,
	/* At F000:FFF0: store CS, leave. */
	"mov %cs, %ax\n"
	"out %ax, $0x80\n"
	"hlt");

static void starts_at_the_reset_vector(void)
{
	struct vm *vm = vm_create_bare();
	struct vcpu *vcpu = vcpu_add_bare(vm, 0);
	u8 *rom = pages_map(0x10000);

	slot_set(vm, 0, 0, 0xffff0000, 0x10000, rom);
	memcpy(rom + 0xfff0, reset_code_start,
	       (size_t)(reset_code_end - reset_code_start));
	RUN_EXPECT(vcpu, KVM_EXIT_IO);
	CHECK_EQ(vcpu->run->io.port, 0x80);
	CHECK_EQ(*(u16 *)((u8 *)vcpu->run + vcpu->run->io.data_offset), 0xf000);
	RUN_EXPECT(vcpu, KVM_EXIT_HLT);
	CHECK_EQ(regs_get(vcpu).rip, 0xfff5);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(general_registers),
	TEST(segments),
	TEST(control_registers),
	TEST(apic_base_with_irqchip),
	TEST(msrs),
	TEST(debug_registers),
	TEST(floating_point),
	TEST(starts_at_the_reset_vector),
};

KTAP_MAIN(tests)
