// SPDX-License-Identifier: GPL-2.0-only
/*
 * The 8254 and port 0x61: counters run down, latch and read-back commands,
 * channel 0's interrupt, channel 2's gate and output as Linux calibrates with
 * them. Time is real time: only order and lower bounds are checked.
 */
#include "irq.h"
#include "thread.h"

#define VECTOR	0x50

static struct vm *vm_with_pit(struct vcpu **vcpu, u32 flags, void (*fn)(void))
{
	struct kvm_pit_config config = { .flags = flags };
	struct vm *vm;

	irq_handle(VECTOR);
	vm = vm_create_irqchip();
	REQUIRE_CAP(vm->fd, KVM_CAP_PIT2);
	CHECK_EQ(xioctl(vm->fd, KVM_CREATE_PIT2, &config), 0);
	*vcpu = vcpu_add(vm, 0);
	vcpu_entry(*vcpu, fn);
	return vm;
}

static u16 guest_latched(u8 channel)
{
	u8 lo;

	outb(0x43, (u8)(channel << 6));
	lo = inb((u16)(0x40 + channel));
	return (u16)(lo | inb((u16)(0x40 + channel)) << 8);
}

static void guest_counter(void)
{
	u16 a, b;
	u8 status;

	/* Channel 1, mode 2, low then high byte. */
	outb(0x43, 0x74);
	outb(0x41, 0xff);
	outb(0x41, 0xff);
	a = guest_latched(1);
	while ((b = guest_latched(1)) == a)
		;
	/* It counts down; a wrap in between is possible but rare. */
	if (b > a) {
		a = b;
		while ((b = guest_latched(1)) == a)
			;
	}
	GUEST_CHECK(b < a);
	/* Read-back: status of channel 1. */
	outb(0x43, 0xe4);
	status = inb(0x41);
	GUEST_CHECK_EQ(status & 0x3f, 0x34);
	/* A latched count stays until read. */
	outb(0x43, 0x40);
	outb(0x43, 0x40);
	(void)inb(0x41);
	(void)inb(0x41);
	guest_done();
}

static void counter(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_with_pit(&vcpu, 0, guest_counter);

	RUN_DONE(vcpu);
	vm_free(vm);
}

static void guest_ticks(void)
{
	u64 i;

	guest_apic_enable();
	/* The IOAPIC takes GSI 0 at pin 0 in the default routing. */
	ioapic_redirect(0, VECTOR);
	outb(0x43, 0x34);
	outb(0x40, 1193182 / 500 & 0xff);
	outb(0x40, 1193182 / 500 >> 8);
	for (i = 1; i <= 20; i++)
		while (guest_irqs[VECTOR] < i)
			guest_hlt();
	guest_done();
}

static void channel_0_interrupts(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_with_pit(&vcpu, 0, guest_ticks);

	RUN_DONE(vcpu);
	vm_free(vm);
}

static void guest_with_hpet(void)
{
	guest_apic_enable();
	ioapic_redirect(0, VECTOR);
	guest_sync(0);
	outb(0x43, 0x34);
	outb(0x40, 1193182 / 500 & 0xff);
	outb(0x40, 1193182 / 500 >> 8);
	guest_sync(1);
	guest_sti();
	guest_cli();
	GUEST_CHECK_EQ(guest_irqs[VECTOR], 0);
	guest_sync(2);
	while (guest_irqs[VECTOR] < 3)
		guest_hlt();
	guest_sync(3);
	guest_irqs[VECTOR] = 0;
	guest_sync(4);
	guest_sti();
	guest_cli();
	/* One may have been on its way. */
	GUEST_CHECK(guest_irqs[VECTOR] <= 1);
	guest_done();
}

static void hpet_legacy(struct vm *vm, bool on)
{
	struct kvm_pit_state2 state;

	CHECK_EQ(xioctl(vm->fd, KVM_GET_PIT2, &state), 0);
	CHECK_EQ(!!(state.flags & KVM_PIT_FLAGS_HPET_LEGACY), !on);
	state.flags ^= KVM_PIT_FLAGS_HPET_LEGACY;
	CHECK_EQ(xioctl(vm->fd, KVM_SET_PIT2, &state), 0);
}

/* A VMM's HPET takes channel 0's interrupt over, and gives it back. */
static void hpet_silences_channel_0(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_with_pit(&vcpu, 0, guest_with_hpet);

	REQUIRE_CAP(vm->fd, KVM_CAP_PIT_STATE2);
	RUN_SYNC(vcpu, 0);
	hpet_legacy(vm, true);
	RUN_SYNC(vcpu, 1);
	sleep_ms(50);
	RUN_SYNC(vcpu, 2);
	hpet_legacy(vm, false);
	RUN_SYNC(vcpu, 3);
	hpet_legacy(vm, true);
	RUN_SYNC(vcpu, 4);
	sleep_ms(50);
	RUN_DONE(vcpu);
	vm_free(vm);
}

static void guest_single(void)
{
	u64 i;

	guest_apic_enable();
	ioapic_redirect(0, VECTOR);
	/* Mode 0: one interrupt at the terminal count. */
	outb(0x43, 0x30);
	outb(0x40, 0x00);
	outb(0x40, 0x08);
	while (!guest_irqs[VECTOR])
		guest_hlt();
	guest_sti();
	for (i = 0; i < 200000; i++)
		barrier();
	guest_cli();
	GUEST_CHECK_EQ(guest_irqs[VECTOR], 1);
	guest_done();
}

static void channel_0_once(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_with_pit(&vcpu, 0, guest_single);

	RUN_DONE(vcpu);
	vm_free(vm);
}

/* How Linux's quick calibration and others measure with channel 2. */
static void guest_channel_2(void)
{
	u64 start;

	outb(0x61, (u8)((inb(0x61) & ~2) | 1));
	GUEST_CHECK_EQ(inb(0x61) & 3, 1);
	outb(0x43, 0xb0);
	outb(0x42, 0xff);
	outb(0x42, 0x7f);
	GUEST_CHECK_EQ(inb(0x61) & 0x20, 0);
	start = rdtsc();
	while (!(inb(0x61) & 0x20))
		;
	GUEST_CHECK(rdtsc() - start > 1000);
	/* The speaker bit is kept. */
	outb(0x61, 3);
	GUEST_CHECK_EQ(inb(0x61) & 3, 3);
	outb(0x61, 0);
	GUEST_CHECK_EQ(inb(0x61) & 3, 0);
	guest_done();
}

static void channel_2_and_port_61(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_with_pit(&vcpu, KVM_PIT_SPEAKER_DUMMY, guest_channel_2);

	RUN_DONE(vcpu);
	vm_free(vm);
}

static void guest_port_61(void)
{
	guest_sync(inb(0x61));
	guest_done();
}

/* Without the flag the port is the VMM's. */
static void port_61_in_userspace(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_with_pit(&vcpu, 0, guest_port_61);

	RUN_EXPECT(vcpu, KVM_EXIT_IO);
	CHECK_EQ(vcpu->run->io.port, 0x61);
	CHECK_EQ(vcpu->run->io.direction, KVM_EXIT_IO_IN);
	*((u8 *)vcpu->run + vcpu->run->io.data_offset) = 0x20;
	RUN_SYNC(vcpu, 0x20);
	vm_free(vm);
}

static void state_needs_a_pit(void)
{
	struct kvm_pit_config config = { .flags = KVM_PIT_SPEAKER_DUMMY };
	struct vm *vm = vm_create_irqchip();
	struct kvm_pit_state2 state;

	REQUIRE_CAP(vm->fd, KVM_CAP_PIT2);
	CHECK_ERR(xioctl(vm->fd, KVM_GET_PIT2, &state), ENXIO);
	CHECK_EQ(xioctl(vm->fd, KVM_CREATE_PIT2, &config), 0);
	CHECK_EQ(xioctl(vm->fd, KVM_GET_PIT2, &state), 0);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(counter),
	TEST(channel_0_interrupts),
	TEST(hpet_silences_channel_0),
	TEST(channel_0_once),
	TEST(channel_2_and_port_61),
	TEST(port_61_in_userspace),
	TEST(state_needs_a_pit),
};

KTAP_MAIN(tests)
