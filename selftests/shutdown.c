// SPDX-License-Identifier: GPL-2.0-only
/*
 * Double and triple faults: the first is an exception with error code 0, the
 * second a SHUTDOWN exit, in every mode, as often as the guest repeats it; a
 * vCPU whose state the VMM resets runs again.
 */
#include "modes.h"

GUEST_CODE(trap, 16, "nop\n int3\n hlt");

static void empty_idt(struct vcpu *vcpu)
{
	struct kvm_sregs s = sregs_get(vcpu);

	s.idt.limit = 0;
	sregs_set(vcpu, &s);
}

static void triple_fault(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	enum guest_mode mode;

	code_load(vm, REAL_CODE, trap);
	for (mode = 0; mode < NR_MODES; mode++) {
		vcpu_mode(vcpu, mode, REAL_CODE);
		empty_idt(vcpu);
		RUN_EXPECT(vcpu, KVM_EXIT_SHUTDOWN);
	}
	vm_free(vm);
}

static void runs_again_after_reset(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	unsigned int i;

	code_load(vm, REAL_CODE, trap);
	for (i = 0; i < 20; i++) {
		vcpu_mode(vcpu, MODE_LONG64, REAL_CODE);
		empty_idt(vcpu);
		RUN_EXPECT(vcpu, KVM_EXIT_SHUTDOWN);
		/* The same trap with a handler. */
		vcpu_mode(vcpu, MODE_REAL16, REAL_CODE);
		RUN_EXPECT(vcpu, KVM_EXIT_IO);
		CHECK_EQ(vcpu->run->io.port, EXC_PORT);
	}
	vm_free(vm);
}

static u64 guest_df_error = ~0ull;

static void guest_on_df(struct guest_frame *frame)
{
	guest_df_error = frame->error;
	guest_sync(frame->vector);
}

/*
 * The harmless exception comes first so that IDT, GDT and stack have their
 * nested mappings: an exit in the middle of the delivery would leave it to the
 * emulator's event injection, which forgets the first exception in QEMU 7.2.
 */
static void guest_faults(void)
{
	GUEST_TRY("ud2", , );
	asm volatile("mov (%0), %%al" :: "r" (0x300000ul) : "rax");
}

/* A page fault whose gate is not present: #NP on #PF makes #DF. */
static void double_fault(void)
{
	struct vcpu *vcpu;
	struct vm *vm;
	u64 *idt;

	guest_handlers[DF_VECTOR] = guest_on_df;
	vm = vm_create();
	vcpu = vcpu_add(vm, 0);
	vcpu_entry(vcpu, guest_faults);
	long_map(vm, 0x300000, 0, 0);
	idt = vm_hva(vm, vm->idt64);
	idt[2 * PF_VECTOR] &= ~BIT(47);
	RUN_SYNC(vcpu, DF_VECTOR);
	CHECK_EQ(GVAR(vm, guest_df_error), 0);
	vm_free(vm);
}

/* The same without a gate for #DF either. */
static void double_fault_without_gate(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	u64 *idt;

	vcpu_entry(vcpu, guest_faults);
	long_map(vm, 0x300000, 0, 0);
	idt = vm_hva(vm, vm->idt64);
	idt[2 * PF_VECTOR] &= ~BIT(47);
	idt[2 * DF_VECTOR] &= ~BIT(47);
	RUN_EXPECT(vcpu, KVM_EXIT_SHUTDOWN);
	vm_free(vm);
}

/* A bad stack under an exception in long mode. */
static void bad_stack(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	struct kvm_regs regs;

	vcpu_entry(vcpu, guest_faults);
	long_map(vm, 0x300000, 0, 0);
	regs = regs_get(vcpu);
	regs.rsp = 0x300f00;
	regs_set(vcpu, &regs);
	RUN_EXPECT(vcpu, KVM_EXIT_SHUTDOWN);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(triple_fault),
	TEST(runs_again_after_reset),
	TEST(double_fault),
	TEST(double_fault_without_gate),
	TEST(bad_stack),
};

KTAP_MAIN(tests)
