// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_SET_GUEST_DEBUG: single steps, software and hardware breakpoints come to
 * userspace; switched off, the guest's own #DB and #BP are its own again.
 */
#include "modes.h"

GUEST_CODE(steps, 64,
	"nop\n"			/* 0 */
	"mov $1, %eax\n"	/* 1 */
	"inc %eax\n"		/* 6 */
	"cpuid\n"		/* 8: an intercepted one */
	"int3\n"		/* 10 */
	"nop\n"			/* 11 */
	"mov %eax, 0x9000\n"	/* 12 */
	"hlt\n");

static struct vm *start(struct vcpu **vcpu)
{
	struct vm *vm = vm_create();

	REQUIRE_CAP(vm->fd, KVM_CAP_SET_GUEST_DEBUG);
	*vcpu = vcpu_add(vm, 0);
	code_load(vm, REAL_CODE, steps);
	vcpu_mode(*vcpu, MODE_LONG64, REAL_CODE);
	vcpu_exceptions_to_host(*vcpu);
	return vm;
}

static void debug_set(struct vcpu *vcpu, u32 control, u64 dr0, u64 dr7)
{
	struct kvm_guest_debug dbg = { .control = control };

	dbg.arch.debugreg[0] = dr0;
	dbg.arch.debugreg[7] = dr7;
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_GUEST_DEBUG, &dbg), 0);
}

static void expect_debug(struct vcpu *vcpu, u8 vector, u64 offset)
{
	RUN_EXPECT(vcpu, KVM_EXIT_DEBUG);
	CHECK_EQ(vcpu->run->debug.arch.exception, vector);
	CHECK_EQ(vcpu->run->debug.arch.pc, REAL_CODE + offset);
	CHECK_EQ(regs_get(vcpu).rip, REAL_CODE + offset);
}

static void single_steps(void)
{
	struct vcpu *vcpu;
	struct vm *vm = start(&vcpu);

	debug_set(vcpu, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP, 0, 0);
	expect_debug(vcpu, DB_VECTOR, 1);
	CHECK_EQ(vcpu->run->debug.arch.dr6 & BIT(14), BIT(14));
	expect_debug(vcpu, DB_VECTOR, 6);
	expect_debug(vcpu, DB_VECTOR, 8);
	CHECK_EQ((u32)regs_get(vcpu).rax, 2);
	expect_debug(vcpu, DB_VECTOR, 10);
	/* The trap flag is the debugger's, not the guest's. */
	CHECK_EQ(regs_get(vcpu).rflags & X86_EFLAGS_TF, 0);
	debug_set(vcpu, 0, 0, 0);
	RUN_EXPECT(vcpu, KVM_EXIT_IO);
	CHECK_EQ(vcpu->run->io.port, EXC_PORT);
	vm_free(vm);
}

/* An interrupt that waits does not lead the steps away. */
static void steps_past_interrupts(void)
{
	struct vcpu *vcpu;
	struct kvm_vcpu_events ev;
	struct guest_exc exc;
	struct vm *vm = start(&vcpu);
	long known = REQUIRE_CAP(vm->fd, KVM_CAP_SET_GUEST_DEBUG2);

	CHECK_NE(known & KVM_GUESTDBG_BLOCKIRQ, 0);
	CHECK_EQ(xioctl(vcpu->fd, KVM_NMI, 0), 0);
	debug_set(vcpu, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP | KVM_GUESTDBG_BLOCKIRQ, 0, 0);
	expect_debug(vcpu, DB_VECTOR, 1);
	expect_debug(vcpu, DB_VECTOR, 6);
	CHECK_EQ(xioctl(vcpu->fd, KVM_GET_VCPU_EVENTS, &ev), 0);
	CHECK_EQ(ev.nmi.pending, 1);
	debug_set(vcpu, 0, 0, 0);
	RUN_EXPECT(vcpu, KVM_EXIT_IO);
	CHECK(exception_read(vcpu, MODE_LONG64, &exc));
	CHECK_EQ(exc.vector, NMI_VECTOR);
	CHECK_EQ(exc.rip, REAL_CODE + 6);
	vm_free(vm);
}

static void require_breakpoints(void)
{
	if (host_is_tcg())
		ktap_skip("QEMU's emulation does not intercept INT3, nor load breakpoints at VMRUN");
}

static void software_breakpoint(void)
{
	struct vcpu *vcpu;
	struct guest_exc exc;
	struct vm *vm;

	require_breakpoints();
	vm = start(&vcpu);
	debug_set(vcpu, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_SW_BP, 0, 0);
	expect_debug(vcpu, BP_VECTOR, 10);
	/* Not consumed: again, and to the guest when it is switched off. */
	expect_debug(vcpu, BP_VECTOR, 10);
	debug_set(vcpu, 0, 0, 0);
	RUN_EXPECT(vcpu, KVM_EXIT_IO);
	CHECK(exception_read(vcpu, MODE_LONG64, &exc));
	CHECK_EQ(exc.vector, BP_VECTOR);
	CHECK_EQ(exc.rip, REAL_CODE + 11);
	vm_free(vm);
}

static void hardware_breakpoint(void)
{
	struct vcpu *vcpu;
	struct vm *vm;

	require_breakpoints();
	vm = start(&vcpu);
	debug_set(vcpu, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP, REAL_CODE + 6, 0x402);
	expect_debug(vcpu, DB_VECTOR, 6);
	CHECK_EQ(vcpu->run->debug.arch.dr6 & 1, 1);
	debug_set(vcpu, 0, 0, 0);
	RUN_EXPECT(vcpu, KVM_EXIT_IO);
	vm_free(vm);
}

/* The guest never sees the debugger's registers. */
static void own_registers_stay(void)
{
	struct vcpu *vcpu;
	struct kvm_debugregs d;
	struct vm *vm;

	require_breakpoints();
	vm = start(&vcpu);
	debug_set(vcpu, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP, REAL_CODE + 1, 0x402);
	expect_debug(vcpu, DB_VECTOR, 1);
	CHECK_EQ(xioctl(vcpu->fd, KVM_GET_DEBUGREGS, &d), 0);
	CHECK_EQ(d.db[0], 0);
	CHECK_EQ(d.dr7, 0x400);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(single_steps),
	TEST(steps_past_interrupts),
	TEST(software_breakpoint),
	TEST(hardware_breakpoint),
	TEST(own_registers_stay),
};

KTAP_MAIN(tests)
