// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_CAP_DISABLE_QUIRKS2: what KVM does beside the architecture and user space can end. Another vendor's hypercall
 * instruction is put right unless disabled; MONITOR and MWAIT do nothing, or #UD for guests that do not have them.
 * The quirks at ports and LAPIC are in the tests of those.
 */
#include "modes.h"

#define ALL_6_1	(KVM_X86_QUIRK_LINT0_REENABLED | KVM_X86_QUIRK_CD_NW_CLEARED | KVM_X86_QUIRK_LAPIC_MMIO_HOLE | \
		 KVM_X86_QUIRK_OUT_7E_INC_RIP | KVM_X86_QUIRK_MISC_ENABLE_NO_MWAIT | \
		 KVM_X86_QUIRK_FIX_HYPERCALL_INSN | KVM_X86_QUIRK_MWAIT_NEVER_UD_FAULTS)

static void mask(void)
{
	struct vm *vm = vm_create_bare();
	long quirks = REQUIRE_CAP(vm->fd, KVM_CAP_DISABLE_QUIRKS2);

	CHECK_EQ(quirks & ALL_6_1, ALL_6_1);
	CHECK_ERR(cap_enable(vm->fd, KVM_CAP_DISABLE_QUIRKS2, BIT(40)), EINVAL);
	CHECK_ERR(cap_enable(vm->fd, KVM_CAP_DISABLE_QUIRKS2, BIT(20) | 1), EINVAL);
	CHECK_EQ(cap_enable(vm->fd, KVM_CAP_DISABLE_QUIRKS2, ALL_6_1), 0);
	CHECK_EQ(cap_enable(vm->fd, KVM_CAP_DISABLE_QUIRKS2, 0), 0);
	vm_free(vm);
}

/* MOV EAX, an unknown number; the other vendor's instruction; an exit that shows EAX. */
GUEST_CODE(foreign_call, 64,
	"mov $0x7777, %eax\n"
	".byte 0x0f, 0x01, 0xd9\n"
	"out %eax, $0x42\n");
#define CALL_AT	5

static struct vm *vm_with_call(struct vcpu **vcpu, u64 disabled)
{
	struct vm *vm = vm_create();
	u8 *code = vm_hva(vm, REAL_CODE);

	REQUIRE_CAP(vm->fd, KVM_CAP_DISABLE_QUIRKS2);
	CHECK_EQ(cap_enable(vm->fd, KVM_CAP_DISABLE_QUIRKS2, disabled), 0);
	*vcpu = vcpu_add(vm, 0);
	code_load(vm, REAL_CODE, foreign_call);
	if (cpuid(0, 0).ebx != 0x756e6547)
		code[CALL_AT + 2] = 0xc1;
	vcpu_mode(*vcpu, MODE_LONG64, REAL_CODE);
	vcpu_exceptions_to_host(*vcpu);
	return vm;
}

static void foreign_hypercall(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_with_call(&vcpu, 0);
	u8 *code = vm_hva(vm, REAL_CODE), before = code[CALL_AT + 2];

	RUN_EXPECT(vcpu, KVM_EXIT_IO);
	CHECK_EQ(vcpu->run->io.port, 0x42);
	CHECK_EQ(regs_get(vcpu).rax, (u64)-1000);	/* KVM_ENOSYS */
	CHECK_EQ(code[CALL_AT], 0x0f);
	CHECK_EQ(code[CALL_AT + 1], 0x01);
	CHECK_EQ(code[CALL_AT + 2], before ^ 0xc1 ^ 0xd9);
	vm_free(vm);
}

static void foreign_hypercall_disabled(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_with_call(&vcpu, KVM_X86_QUIRK_FIX_HYPERCALL_INSN);
	u8 *code = vm_hva(vm, REAL_CODE), before = code[CALL_AT + 2];
	struct guest_exc exc;

	RUN_EXPECT(vcpu, KVM_EXIT_IO);
	CHECK(exception_read(vcpu, MODE_LONG64, &exc));
	CHECK_EQ(exc.vector, UD_VECTOR);
	CHECK_EQ(exc.rip, REAL_CODE + CALL_AT);
	CHECK_EQ(code[CALL_AT + 2], before);
	vm_free(vm);
}

/* The correction is a write of the guest's: a page that it may not write is its #PF. */
static void foreign_hypercall_unwritable(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_with_call(&vcpu, 0);
	struct kvm_sregs sregs = sregs_get(vcpu);
	struct guest_exc exc;

	*long_pte(vm, REAL_CODE) &= ~PTE_W;
	sregs.cr0 |= X86_CR0_WP;
	sregs_set(vcpu, &sregs);
	RUN_EXPECT(vcpu, KVM_EXIT_IO);
	CHECK(exception_read(vcpu, MODE_LONG64, &exc));
	CHECK_EQ(exc.vector, PF_VECTOR);
	CHECK_EQ(exc.error, PFERR_P | PFERR_W);
	CHECK_EQ(exc.cr2, REAL_CODE + CALL_AT);
	vm_free(vm);
}

static void guest_ud2(void)
{
	GUEST_TRY("ud2", , );
	GUEST_CHECK_EQ(guest_exc()->vector, UD_VECTOR);
	guest_done();
}

static void other_invalid_opcodes(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);

	vcpu_entry(vcpu, guest_ud2);
	RUN_DONE(vcpu);
	vm_free(vm);
}

static u64 guest_vector;

static void guest_monitors(void)
{
	static u64 line;

	GUEST_TRY("monitor", , "a" (&line) COMMA "c" (0) COMMA "d" (0));
	GUEST_CHECK_EQ(guest_exc()->vector, guest_vector);
	GUEST_TRY("mwait", , "a" (0) COMMA "c" (0));
	GUEST_CHECK_EQ(guest_exc()->vector, guest_vector);
	guest_done();
}

static void monitor_run(u64 disabled, u64 vector, bool enabled)
{
	struct vm *vm = vm_create();
	struct kvm_cpuid2 *table = supported_cpuid(vm->sys);
	struct vcpu *vcpu;

	REQUIRE_CAP(vm->fd, KVM_CAP_DISABLE_QUIRKS2);
	CHECK_EQ(cap_enable(vm->fd, KVM_CAP_DISABLE_QUIRKS2, disabled), 0);
	vcpu = vcpu_add(vm, 0);
	cpuid_entry(table, 1, 0)->ecx &= ~BIT(3);
	cpuid_set(vcpu, table);
	if (enabled)
		msr_set(vcpu, MSR_IA32_MISC_ENABLE, msr_get(vcpu, MSR_IA32_MISC_ENABLE) | BIT(18));
	GVAR(vm, guest_vector) = vector;
	vcpu_entry(vcpu, guest_monitors);
	RUN_DONE(vcpu);
	vm_free(vm);
}

static void monitor_does_nothing(void)
{
	monitor_run(0, NO_EXCEPTION, false);
}

static void monitor_undefined(void)
{
	monitor_run(KVM_X86_QUIRK_MWAIT_NEVER_UD_FAULTS, UD_VECTOR, false);
	/* MISC_ENABLE speaks for CPUID when that quirk is off too. */
	monitor_run(KVM_X86_QUIRK_MWAIT_NEVER_UD_FAULTS | KVM_X86_QUIRK_MISC_ENABLE_NO_MWAIT, UD_VECTOR, false);
	monitor_run(KVM_X86_QUIRK_MWAIT_NEVER_UD_FAULTS | KVM_X86_QUIRK_MISC_ENABLE_NO_MWAIT, NO_EXCEPTION, true);
}

static const struct test tests[] = {
	TEST(mask),
	TEST(foreign_hypercall),
	TEST(foreign_hypercall_disabled),
	TEST(foreign_hypercall_unwritable),
	TEST(other_invalid_opcodes),
	TEST(monitor_does_nothing),
	TEST(monitor_undefined),
};

KTAP_MAIN(tests)
