// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_NMI: taken with interrupts off, one at a time until IRET, a second one
 * kept, further ones lost (APM 2, 8.1.3 and 15.21).
 */
#include "modes.h"

static u64 guest_nmis;

static void guest_on_nmi(struct guest_frame *frame)
{
	guest_nmis++;
	guest_sync(100 + guest_nmis);
	guest_sync(200 + guest_nmis);
}

static void guest_loops(void)
{
	u64 i;

	for (i = 1; i < 10; i++)
		guest_sync(i);
	guest_done();
}

static struct vm *vm_with_nmi(struct vcpu **vcpu, void (*fn)(void))
{
	struct vm *vm;

	guest_handlers[NMI_VECTOR] = guest_on_nmi;
	vm = vm_create();
	*vcpu = vcpu_add(vm, 0);
	vcpu_entry(*vcpu, fn);
	return vm;
}

static long nmi(struct vcpu *vcpu)
{
	return xioctl(vcpu->fd, KVM_NMI, 0);
}

static void with_interrupts_off(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_with_nmi(&vcpu, guest_loops);

	RUN_SYNC(vcpu, 1);
	CHECK_EQ(nmi(vcpu), 0);
	RUN_SYNC(vcpu, 101);
	RUN_SYNC(vcpu, 201);
	RUN_SYNC(vcpu, 2);
	RUN_SYNC(vcpu, 3);
	vm_free(vm);
}

static void second_waits_for_iret(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_with_nmi(&vcpu, guest_loops);

	RUN_SYNC(vcpu, 1);
	CHECK_EQ(nmi(vcpu), 0);
	RUN_SYNC(vcpu, 101);
	CHECK_EQ(nmi(vcpu), 0);
	RUN_SYNC(vcpu, 201);
	RUN_SYNC(vcpu, 102);
	RUN_SYNC(vcpu, 202);
	RUN_SYNC(vcpu, 2);
	vm_free(vm);
}

static void third_is_lost(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_with_nmi(&vcpu, guest_loops);

	RUN_SYNC(vcpu, 1);
	CHECK_EQ(nmi(vcpu), 0);
	RUN_SYNC(vcpu, 101);
	CHECK_EQ(nmi(vcpu), 0);
	CHECK_EQ(nmi(vcpu), 0);
	CHECK_EQ(nmi(vcpu), 0);
	RUN_SYNC(vcpu, 201);
	RUN_SYNC(vcpu, 102);
	RUN_SYNC(vcpu, 202);
	RUN_SYNC(vcpu, 2);
	RUN_SYNC(vcpu, 3);
	vm_free(vm);
}

static void guest_halts(void)
{
	guest_sync(1);
	asm volatile("cli\n hlt");
	guest_sync(2);
	guest_done();
}

/* Without an in-kernel LAPIC a halt comes to userspace, NMI or not. */
static void after_a_halt(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_with_nmi(&vcpu, guest_halts);

	RUN_SYNC(vcpu, 1);
	RUN_EXPECT(vcpu, KVM_EXIT_HLT);
	CHECK_EQ(nmi(vcpu), 0);
	RUN_SYNC(vcpu, 101);
	RUN_SYNC(vcpu, 201);
	RUN_SYNC(vcpu, 2);
	vm_free(vm);
}

/*
 * The IRET of the nested exception lifts it (APM 2, 8.9.3): the second NMI
 * arrives inside of the first one's handler.
 */
static void guest_on_nmi_nested(struct guest_frame *frame)
{
	guest_nmis++;
	guest_sync(100 + guest_nmis);
	if (guest_nmis == 1) {
		GUEST_TRY("ud2", , );
		GUEST_CHECK_EQ(guest_exc()->vector, UD_VECTOR);
		guest_sync(300);
	}
}

static void any_iret_unblocks(void)
{
	struct vcpu *vcpu;
	struct vm *vm;

	guest_handlers[NMI_VECTOR] = guest_on_nmi_nested;
	vm = vm_create();
	vcpu = vcpu_add(vm, 0);
	vcpu_entry(vcpu, guest_loops);
	RUN_SYNC(vcpu, 1);
	CHECK_EQ(nmi(vcpu), 0);
	RUN_SYNC(vcpu, 101);
	CHECK_EQ(nmi(vcpu), 0);
	RUN_SYNC(vcpu, 102);
	RUN_SYNC(vcpu, 300);
	RUN_SYNC(vcpu, 2);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(with_interrupts_off),
	TEST(second_waits_for_iret),
	TEST(third_is_lost),
	TEST(after_a_halt),
	TEST(any_iret_unblocks),
};

KTAP_MAIN(tests)
