// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_CAP_X2APIC_API: 32-bit APIC IDs in KVM_GET_LAPIC, KVM_SET_LAPIC and in the upper half of a message's address;
 * an 8-bit broadcast no longer reaches a LAPIC in x2APIC mode when that quirk is disabled.
 */
#include "irq.h"

#define VECTOR	0x41

static void lapic_state_get(struct vcpu *vcpu, struct kvm_lapic_state *state)
{
	CHECK_EQ(xioctl(vcpu->fd, KVM_GET_LAPIC, state), 0);
}

static u32 *lapic_word(struct kvm_lapic_state *state, u32 reg)
{
	return (u32 *)(state->regs + reg);
}

/* A vCPU in x2APIC mode whose LAPIC is on. */
static struct vm *vm_x2apic(struct vcpu **vcpu, u32 id, u64 flags)
{
	struct vm *vm = vm_create_irqchip();
	struct kvm_lapic_state state;
	struct kvm_sregs sregs;

	CHECK_EQ(REQUIRE_CAP(vm->fd, KVM_CAP_X2APIC_API), 3);
	if (flags)
		CHECK_EQ(cap_enable(vm->fd, KVM_CAP_X2APIC_API, flags), 0);
	CHECK_EQ(xioctl(vm->fd, KVM_SET_BOOT_CPU_ID, (unsigned long)id), 0);
	*vcpu = vcpu_add_bare(vm, id);
	cpuid_set(*vcpu, supported_cpuid(vm->sys));
	sregs = sregs_get(*vcpu);
	sregs.apic_base |= APIC_BASE_X2APIC;
	sregs_set(*vcpu, &sregs);
	lapic_state_get(*vcpu, &state);
	*lapic_word(&state, APIC_SVR) = APIC_SVR_ENABLE | 0xff;
	CHECK_EQ(xioctl((*vcpu)->fd, KVM_SET_LAPIC, &state), 0);
	return vm;
}

static long msi_send(struct vm *vm, u32 high, u32 id)
{
	struct kvm_msi msi = { .address_lo = MSI_ADDRESS(id), .address_hi = high, .data = VECTOR };

	return xioctl(vm->fd, KVM_SIGNAL_MSI, &msi);
}

static bool vector_waits(struct vcpu *vcpu)
{
	struct kvm_lapic_state state;

	lapic_state_get(vcpu, &state);
	return *lapic_word(&state, APIC_IRR + VECTOR / 32 * 16) & BIT(VECTOR % 32);
}

static void flags(void)
{
	struct vm *vm = vm_create_irqchip();

	REQUIRE_CAP(vm->fd, KVM_CAP_X2APIC_API);
	CHECK_ERR(cap_enable(vm->fd, KVM_CAP_X2APIC_API, 4), EINVAL);
	CHECK_ERR(cap_enable(vm->fd, KVM_CAP_X2APIC_API, BIT(32) | 1), EINVAL);
	CHECK_EQ(cap_enable(vm->fd, KVM_CAP_X2APIC_API, 0), 0);
	CHECK_EQ(cap_enable(vm->fd, KVM_CAP_X2APIC_API, 3), 0);
	vm_free(vm);
}

static void id_by_default(void)
{
	struct kvm_lapic_state state;
	struct vcpu *vcpu;
	struct vm *vm = vm_x2apic(&vcpu, 5, 0);

	lapic_state_get(vcpu, &state);
	CHECK_EQ(*lapic_word(&state, APIC_ID), 5 << 24);
	/* The upper half of the address means nothing. */
	CHECK_EQ(msi_send(vm, 0x12345678, 5), 1);
	CHECK(vector_waits(vcpu));
	vm_free(vm);
}

static void id_of_32_bits(void)
{
	struct kvm_irq_routing_entry route = route_msi(30, MSI_ADDRESS(5), VECTOR);
	struct kvm_lapic_state state;
	struct vcpu *vcpu;
	struct vm *vm = vm_x2apic(&vcpu, 0x105, KVM_X2APIC_API_USE_32BIT_IDS);

	lapic_state_get(vcpu, &state);
	CHECK_EQ(*lapic_word(&state, APIC_ID), 0x105);
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_LAPIC, &state), 0);
	*lapic_word(&state, APIC_ID) = 0x106;
	CHECK_ERR(xioctl(vcpu->fd, KVM_SET_LAPIC, &state), EINVAL);

	CHECK_ERR(msi_send(vm, 0x101, 5), EINVAL);
	msi_send(vm, 0, 5);
	CHECK(!vector_waits(vcpu));
	CHECK_EQ(msi_send(vm, 0x100, 5), 1);
	CHECK(vector_waits(vcpu));

	route.u.msi.address_hi = 0x101;
	CHECK_ERR(routing_set(vm, &route, 1), EINVAL);
	route.u.msi.address_hi = 0x100;
	CHECK_EQ(routing_set(vm, &route, 1), 0);
	vm_free(vm);
}

static void routed_to_32_bits(void)
{
	struct kvm_irq_routing_entry route = route_msi(30, MSI_ADDRESS(5), VECTOR);
	struct vcpu *vcpu;
	struct vm *vm = vm_x2apic(&vcpu, 0x105, KVM_X2APIC_API_USE_32BIT_IDS);

	route.u.msi.address_hi = 0x100;
	CHECK_EQ(routing_set(vm, &route, 1), 0);
	irq_pulse(vm, 30);
	CHECK(vector_waits(vcpu));
	vm_free(vm);
}

static void broadcast_by_default(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_x2apic(&vcpu, 0, 0);

	CHECK_EQ(msi_send(vm, 0, 0xff), 1);
	CHECK(vector_waits(vcpu));
	vm_free(vm);
}

static void broadcast_is_exact(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_x2apic(&vcpu, 0, 3);

	msi_send(vm, 0, 0xff);
	CHECK(!vector_waits(vcpu));
	CHECK_EQ(msi_send(vm, 0xffffff00, 0xff), 1);
	CHECK(vector_waits(vcpu));
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(flags),
	TEST(id_by_default),
	TEST(id_of_32_bits),
	TEST(routed_to_32_bits),
	TEST(broadcast_by_default),
	TEST(broadcast_is_exact),
};

KTAP_MAIN(tests)
