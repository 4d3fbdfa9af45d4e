// SPDX-License-Identifier: GPL-2.0-only
/*
 * The statistic of interrupts that are sent to the CPU that has the vCPU in the guest: what another CPU asks of it
 * costs one, what it does by itself none.
 */
#include "irq.h"
#include "thread.h"

#define VECTOR		0x50
#define GPA		0x40000000ul
#define MESSAGES	10

/* Tells how many it has seen, and one more: zero is a guest that does not run yet. */
static void guest_waits(void)
{
	volatile u64 *seen = (u64 *)GPA;

	guest_apic_enable();
	guest_sync(1);
	guest_sti();
	while (guest_irqs[VECTOR] < MESSAGES)
		seen[0] = guest_irqs[VECTOR] + 1;
	guest_cli();
	guest_sync(2);
}

static void *run_on_another_cpu(void *arg)
{
	pin_cpu(1);
	RUN_SYNC((struct vcpu *)arg, 2);
	return NULL;
}

static void from_another_cpu(void)
{
	struct kvm_msi msi = { .address_lo = 0xfee00000, .data = VECTOR };
	u64 *seen = pages_map(PAGE_SIZE);
	struct vcpu *vcpu;
	pthread_t thread;
	struct vm *vm;
	u64 i, before;

	require_lodge();
	require_cpus(2);
	irq_handle(VECTOR);
	vm = vm_create_irqchip();
	vcpu = vcpu_add(vm, 0);
	slot_set(vm, 1, 0, GPA, PAGE_SIZE, seen);
	vcpu_entry(vcpu, guest_waits);
	pin_cpu(0);
	RUN_SYNC(vcpu, 1);
	before = stats_get(vcpu->fd, "kicks");
	thread = thread_start(run_on_another_cpu, vcpu);
	for (i = 0; i < MESSAGES; i++) {
		wait_until(READ_ONCE(seen[0]) == i + 1);
		CHECK_EQ(xioctl(vm->fd, KVM_SIGNAL_MSI, &msi), 1);
	}
	thread_join(thread);
	/* One that came while the vCPU was out of the guest for the host's sake needed none. */
	CHECK_GE(stats_get(vcpu->fd, "kicks"), before + MESSAGES / 2);
	vm_free(vm);
}

static void guest_exits(void)
{
	for (;;)
		guest_sync(0);
}

static void none_of_its_own(void)
{
	struct vm *vm;
	struct vcpu *vcpu;
	unsigned int i;
	u64 before;

	require_lodge();
	vm = vm_create_irqchip();
	vcpu = vcpu_add(vm, 0);
	vcpu_entry(vcpu, guest_exits);
	RUN_SYNC(vcpu, 0);
	before = stats_get(vcpu->fd, "kicks");
	for (i = 0; i < 200; i++)
		RUN_SYNC(vcpu, 0);
	CHECK_EQ(stats_get(vcpu->fd, "kicks"), before);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(from_another_cpu),
	TEST(none_of_its_own),
};

KTAP_MAIN(tests)
