// SPDX-License-Identifier: GPL-2.0-only
/*
 * How an application processor comes up: KVM_RUN blocks until INIT and SIPI, gives EAGAIN once, without an exit of old
 * left in the run area; then the vCPU begins in real mode, whatever registers the VMM had loaded it with, as some load
 * them into every vCPU. What INIT leaves alone stays.
 */
#include "irq.h"

#define AP_PAGE		0x3000
#define AP_PORT		0x99

/* MOV AL, 0x5a; OUT AP_PORT, AL; HLT */
static const u8 ap_code[] = { 0xb0, 0x5a, 0xe6, AP_PORT, 0xf4 };

static void guest_starts_ap(void)
{
	guest_apic_enable();
	apic_write(APIC_ICR2, 1u << 24);
	apic_write(APIC_ICR, APIC_MODE_INIT | APIC_LEVEL_ASSERT);
	apic_write(APIC_ICR2, 1u << 24);
	apic_write(APIC_ICR, APIC_MODE_STARTUP | APIC_LEVEL_ASSERT | AP_PAGE >> 12);
	guest_sync(1);
	guest_done();
}

static void guest_speaks(void)
{
	guest_sync(7);
}

static u32 mp_state(struct vcpu *vcpu)
{
	struct kvm_mp_state mp;

	CHECK_EQ(xioctl(vcpu->fd, KVM_GET_MP_STATE, &mp), 0);
	return mp.mp_state;
}

static void mp_state_set(struct vcpu *vcpu, u32 state)
{
	struct kvm_mp_state mp = { .mp_state = state };

	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_MP_STATE, &mp), 0);
}

static struct vm *vm_with_ap(struct vcpu **boot, struct vcpu **ap)
{
	struct vm *vm = vm_create_irqchip();

	*boot = vcpu_add(vm, 0);
	*ap = vcpu_add(vm, 1);
	vcpu_entry(*boot, guest_starts_ap);
	memcpy(vm_hva(vm, AP_PAGE), ap_code, sizeof(ap_code));
	return vm;
}

static void expect_start(struct vcpu *ap)
{
	struct kvm_sregs s;
	struct kvm_regs r;

	RUN_EXPECT(ap, KVM_EXIT_IO);
	CHECK_EQ(ap->run->io.port, AP_PORT);
	run_finish_io(ap);
	s = sregs_get(ap);
	r = regs_get(ap);
	CHECK_EQ(s.cs.selector, AP_PAGE >> 4);
	CHECK_EQ(s.cs.base, AP_PAGE);
	CHECK_EQ(s.ds.base, 0);
	CHECK_EQ(s.ds.limit, 0xffff);
	CHECK_EQ(s.cr0 & (BIT(0) | BIT(31)), 0);
	CHECK_EQ(s.cr3, 0);
	CHECK_EQ(s.cr4, 0);
	CHECK_EQ(s.efer, 0);
	CHECK_EQ(s.idt.base, 0);
	CHECK_EQ(s.gdt.base, 0);
	CHECK_EQ(r.rip, sizeof(ap_code) - 1);
	CHECK_EQ(r.rflags, 2);
	CHECK_EQ(r.rax, 0x5a);
	CHECK_EQ(r.rbx | r.rcx | r.rsi | r.rdi | r.rbp | r.rsp | r.r8 | r.r15, 0);
	CHECK_EQ(mp_state(ap), KVM_MP_STATE_RUNNABLE);
}

static void whatever_was_loaded(void)
{
	struct kvm_regs r;
	struct vcpu *boot, *ap;
	struct vm *vm = vm_with_ap(&boot, &ap);

	vcpu_entry(ap, guest_speaks);
	r = regs_get(ap);
	r.rax = r.rbx = r.rcx = r.rsi = r.rdi = r.rbp = r.r8 = r.r15 = 0x1234567890;
	regs_set(ap, &r);
	msr_set(ap, MSR_LSTAR, 0x123000);
	CHECK_EQ(mp_state(ap), KVM_MP_STATE_UNINITIALIZED);
	RUN_SYNC(boot, 1);
	CHECK_ERR(run_try(ap), EAGAIN);
	CHECK_NE(ap->run->exit_reason, KVM_EXIT_MMIO);
	CHECK_NE(ap->run->exit_reason, KVM_EXIT_IO);
	expect_start(ap);
	/* INIT leaves MSRs alone: APM 2, table 14-1. */
	CHECK_EQ(msr_get(ap, MSR_LSTAR), 0x123000);
	RUN_DONE(boot);
	vm_free(vm);
}

/* One that runs already is brought back to its beginning, and its LAPIC with it. */
static void while_it_runs(void)
{
	struct vcpu *boot, *ap;
	struct vm *vm = vm_with_ap(&boot, &ap);
	struct kvm_lapic_state lapic;

	vcpu_entry(ap, guest_speaks);
	mp_state_set(ap, KVM_MP_STATE_RUNNABLE);
	RUN_SYNC(ap, 7);
	CHECK_EQ(xioctl(ap->fd, KVM_GET_LAPIC, &lapic), 0);
	memcpy(&lapic.regs[APIC_LVT1], &(u32){ APIC_MODE_NMI }, 4);
	memcpy(&lapic.regs[APIC_TPR], &(u32){ 0x30 }, 4);
	CHECK_EQ(xioctl(ap->fd, KVM_SET_LAPIC, &lapic), 0);
	RUN_SYNC(boot, 1);
	expect_start(ap);
	CHECK_EQ(lapic_get(ap, APIC_TPR), 0);
	CHECK_EQ(lapic_get(ap, APIC_LVT1) & APIC_LVT_MASKED, APIC_LVT_MASKED);
	CHECK_EQ(lapic_get(ap, APIC_ID), 1u << 24);
	vm_free(vm);
}

/* As VMMs reset a guest: the AP waits for SIPI alone, and comes up by it. */
static void init_by_user_space(void)
{
	struct vcpu *boot, *ap;
	struct vm *vm = vm_with_ap(&boot, &ap);

	mp_state_set(ap, KVM_MP_STATE_UNINITIALIZED);
	mp_state_set(ap, KVM_MP_STATE_INIT_RECEIVED);
	CHECK_EQ(mp_state(ap), KVM_MP_STATE_INIT_RECEIVED);
	ap->run->immediate_exit = 1;
	CHECK_ERR(run_try(ap), EINTR);
	ap->run->immediate_exit = 0;
	RUN_SYNC(boot, 1);
	while (run_try(ap) == -EAGAIN)
		;
	CHECK_EQ(ap->run->exit_reason, KVM_EXIT_IO);
	CHECK_EQ(ap->run->io.port, AP_PORT);
	CHECK_EQ(sregs_get(ap).cs.base, AP_PAGE);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(whatever_was_loaded),
	TEST(while_it_runs),
	TEST(init_by_user_space),
};

KTAP_MAIN(tests)
