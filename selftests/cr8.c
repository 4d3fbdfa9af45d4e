// SPDX-License-Identifier: GPL-2.0-only
/*
 * CR8 without an in-kernel LAPIC: the run area's cr8 goes in and comes out
 * with every run, the guest's MOV CR8 shows, bad values are #GP.
 */
#include <stdlib.h>
#include <string.h>

#include "modes.h"

static void guest_moves(void)
{
	guest_sync(GUEST_READ_CR(8));
	GUEST_WRITE_CR(8, 7);
	guest_sync(GUEST_READ_CR(8));
	GUEST_WRITE_CR(8, 0);
	guest_sync(GUEST_READ_CR(8));
	guest_sync(GUEST_READ_CR(8));
	guest_done();
}

static void guest_breaks_rules(void)
{
	GUEST_TRY("mov %0, %%cr8", , "r" (16ul));
	GUEST_CHECK_EQ(guest_exc()->vector, GP_VECTOR);
	GUEST_TRY("mov %0, %%cr8", , "r" (BIT(63)));
	GUEST_CHECK_EQ(guest_exc()->vector, GP_VECTOR);
	guest_sync(GUEST_READ_CR(8));
	guest_done();
}

/* A guest that raises its task priority may exit with SET_TPR; go on then. */
static void run_sync_past_tpr(struct vcpu *vcpu, u64 val)
{
	CHECK_EQ(run_try(vcpu), 0);
	while (vcpu->run->exit_reason == KVM_EXIT_SET_TPR)
		CHECK_EQ(run_try(vcpu), 0);
	CHECK_EQ(ucall_check(vcpu, __FILE__, __LINE__), UCALL_SYNC);
	CHECK_EQ(vcpu->cpu->uc.args[0], val);
}

static void in_and_out(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);

	vcpu_entry(vcpu, guest_moves);
	vcpu->run->cr8 = 5;
	run_sync_past_tpr(vcpu, 5);
	CHECK_EQ(vcpu->run->cr8, 5);
	run_sync_past_tpr(vcpu, 7);
	CHECK_EQ(vcpu->run->cr8, 7);
	CHECK_EQ(sregs_get(vcpu).cr8, 7);
	run_sync_past_tpr(vcpu, 0);
	CHECK_EQ(vcpu->run->cr8, 0);
	vcpu->run->cr8 = 3;
	run_sync_past_tpr(vcpu, 3);
	vm_free(vm);
}

static void bad_value_from_the_guest(void)
{
	const char *lab = getenv("LODGE_LAB");
	struct vcpu *vcpu;
	struct vm *vm;

	if (!device_is_lodge() && lab && !strcmp(lab, "bochs-vmx"))
		ktap_skip("Bochs does not look at a guest's CR8 where it has a shadow of the TPR");
	vm = vm_create();
	vcpu = vcpu_add(vm, 0);
	vcpu_entry(vcpu, guest_breaks_rules);
	vcpu->run->cr8 = 3;
	run_sync_past_tpr(vcpu, 3);
	CHECK_EQ(vcpu->run->cr8, 3);
	vm_free(vm);
}

static void bad_value_from_userspace(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);

	vcpu_entry(vcpu, guest_moves);
	vcpu->run->cr8 = 16;
	CHECK_ERR(run_try(vcpu), EINVAL);
	vcpu->run->cr8 = 2;
	run_sync_past_tpr(vcpu, 2);
	vm_free(vm);
}

static void apic_base_out(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);

	vcpu_entry(vcpu, guest_moves);
	run_sync_past_tpr(vcpu, 0);
	CHECK_EQ(vcpu->run->apic_base, sregs_get(vcpu).apic_base);
	/* After a KVM_RUN that does not enter the guest, too. */
	vcpu->run->apic_base = ~0ull;
	vcpu->run->if_flag = vcpu->run->ready_for_interrupt_injection = 0xff;
	vcpu->run->immediate_exit = 1;
	CHECK_ERR(run_try(vcpu), EINTR);
	CHECK_EQ(vcpu->run->apic_base, sregs_get(vcpu).apic_base);
	CHECK_EQ(vcpu->run->if_flag, 0);
	CHECK_EQ(vcpu->run->ready_for_interrupt_injection, 0);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(in_and_out),
	TEST(bad_value_from_the_guest),
	TEST(bad_value_from_userspace),
	TEST(apic_base_out),
};

KTAP_MAIN(tests)
