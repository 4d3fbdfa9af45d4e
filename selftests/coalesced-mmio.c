// SPDX-License-Identifier: GPL-2.0-only
/*
 * Coalesced MMIO and ports: writes to a registered zone go to the ring of the
 * run area without an exit; a full ring, reads and other addresses exit.
 */
#include "modes.h"

#define MMIO	VM_MMIO_BASE

static long zone(struct vm *vm, unsigned long cmd, u64 addr, u32 size, u32 pio)
{
	struct kvm_coalesced_mmio_zone arg = { .addr = addr, .size = size, .pio = pio };

	return xioctl(vm->fd, cmd, &arg);
}

static struct kvm_coalesced_mmio_ring *ring_of(struct vcpu *vcpu)
{
	long page = cap(vcpu->vm->fd, KVM_CAP_COALESCED_MMIO);

	return (void *)((u8 *)vcpu->run + page * PAGE_SIZE);
}

static struct vm *vm_make(struct vcpu **vcpu, void (*fn)(void))
{
	struct vm *vm = vm_create();

	REQUIRE_CAP(vm->fd, KVM_CAP_COALESCED_MMIO);
	*vcpu = vcpu_add(vm, 0);
	vcpu_entry(*vcpu, fn);
	return vm;
}

static void guest_writes(void)
{
	*(volatile u32 *)MMIO = 0x11;
	*(volatile u8 *)(MMIO + 8) = 0x22;
	*(volatile u64 *)(MMIO + 16) = 0x33;
	guest_sync(1);
	(void)*(volatile u32 *)MMIO;
	*(volatile u32 *)(MMIO + 0x1000) = 0x44;
	guest_done();
}

static void ring_holds_writes(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_make(&vcpu, guest_writes);
	struct kvm_coalesced_mmio_ring *ring = ring_of(vcpu);

	CHECK_EQ(cap(vm->fd, KVM_CAP_COALESCED_MMIO), 2);
	CHECK_EQ(ring->first, 0);
	CHECK_EQ(ring->last, 0);
	CHECK_EQ(zone(vm, KVM_REGISTER_COALESCED_MMIO, MMIO, 0x1000, 0), 0);
	RUN_SYNC(vcpu, 1);
	CHECK_EQ(ring->first, 0);
	CHECK_EQ(ring->last, 3);
	CHECK_EQ(ring->coalesced_mmio[0].phys_addr, MMIO);
	CHECK_EQ(ring->coalesced_mmio[0].len, 4);
	CHECK_EQ(ring->coalesced_mmio[0].data[0], 0x11);
	CHECK_EQ(ring->coalesced_mmio[1].phys_addr, MMIO + 8);
	CHECK_EQ(ring->coalesced_mmio[1].len, 1);
	CHECK_EQ(ring->coalesced_mmio[2].len, 8);
	CHECK_EQ(ring->coalesced_mmio[2].data[0], 0x33);
	ring->first = ring->last;
	/* A read, and a write elsewhere. */
	RUN_EXPECT(vcpu, KVM_EXIT_MMIO);
	CHECK_EQ(vcpu->run->mmio.is_write, 0);
	RUN_EXPECT(vcpu, KVM_EXIT_MMIO);
	CHECK_EQ(vcpu->run->mmio.phys_addr, MMIO + 0x1000);
	RUN_DONE(vcpu);
	vm_free(vm);
}

static void guest_floods(void)
{
	u32 i;

	for (i = 0; i < 1000; i++)
		*(volatile u32 *)MMIO = i;
	guest_done();
}

static void full_ring_exits(void)
{
	u32 max = (PAGE_SIZE - sizeof(struct kvm_coalesced_mmio_ring)) /
		  sizeof(struct kvm_coalesced_mmio);
	struct vcpu *vcpu;
	struct vm *vm = vm_make(&vcpu, guest_floods);
	struct kvm_coalesced_mmio_ring *ring = ring_of(vcpu);
	u32 next = 0;

	CHECK_EQ(zone(vm, KVM_REGISTER_COALESCED_MMIO, MMIO, 0x1000, 0), 0);
	while (next < 1000) {
		u32 val;

		CHECK_EQ(run_try(vcpu), 0);
		while (ring->first != ring->last) {
			memcpy(&val, ring->coalesced_mmio[ring->first].data, 4);
			CHECK_EQ(val, next++);
			ring->first = (ring->first + 1) % max;
		}
		if (vcpu->run->exit_reason != KVM_EXIT_MMIO)
			break;
		memcpy(&val, vcpu->run->mmio.data, 4);
		CHECK_EQ(val, next++);
	}
	CHECK_EQ(next, 1000);
	vm_free(vm);
}

static void unregistered(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_make(&vcpu, guest_writes);

	CHECK_EQ(zone(vm, KVM_REGISTER_COALESCED_MMIO, MMIO, 0x1000, 0), 0);
	CHECK_EQ(zone(vm, KVM_UNREGISTER_COALESCED_MMIO, MMIO, 0x1000, 0), 0);
	/* Once more is no error. */
	CHECK_EQ(zone(vm, KVM_UNREGISTER_COALESCED_MMIO, MMIO, 0x1000, 0), 0);
	RUN_EXPECT(vcpu, KVM_EXIT_MMIO);
	CHECK_EQ(ring_of(vcpu)->last, 0);
	vm_free(vm);
}

static void guest_port(void)
{
	outb(0x70, 0x5a);
	guest_sync(1);
	outb(0x71, 0x5b);
	guest_done();
}

static void ports(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_make(&vcpu, guest_port);
	struct kvm_coalesced_mmio_ring *ring = ring_of(vcpu);

	REQUIRE_CAP(vm->fd, KVM_CAP_COALESCED_PIO);
	CHECK_ERR(zone(vm, KVM_REGISTER_COALESCED_MMIO, 0x70, 1, 2), EINVAL);
	CHECK_EQ(zone(vm, KVM_REGISTER_COALESCED_MMIO, 0x70, 1, 1), 0);
	RUN_SYNC(vcpu, 1);
	CHECK_EQ(ring->last, 1);
	CHECK_EQ(ring->coalesced_mmio[0].pio, 1);
	CHECK_EQ(ring->coalesced_mmio[0].phys_addr, 0x70);
	CHECK_EQ(ring->coalesced_mmio[0].data[0], 0x5a);
	RUN_EXPECT(vcpu, KVM_EXIT_IO);
	CHECK_EQ(vcpu->run->io.port, 0x71);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(ring_holds_writes),
	TEST(full_ring_exits),
	TEST(unregistered),
	TEST(ports),
};

KTAP_MAIN(tests)
