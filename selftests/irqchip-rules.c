// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which irqchip commands are refused when: order of creation, missing chips,
 * numbers out of range.
 */
#include "irq.h"

static struct vm *bare(void)
{
	struct vm *vm = vm_create_bare();

	REQUIRE_CAP(vm->fd, KVM_CAP_IRQCHIP);
	return vm;
}

static void twice(void)
{
	struct vm *vm = bare();

	CHECK_EQ(xioctl(vm->fd, KVM_CREATE_IRQCHIP, 0), 0);
	CHECK_ERR(xioctl(vm->fd, KVM_CREATE_IRQCHIP, 0), EEXIST);
	vm_free(vm);
}

static void after_a_vcpu(void)
{
	struct vm *vm = bare();

	vcpu_add_bare(vm, 0);
	CHECK_ERR(xioctl(vm->fd, KVM_CREATE_IRQCHIP, 0), EINVAL);
	vm_free(vm);
}

static void commands_without_irqchip(void)
{
	struct vm *vm = bare();
	struct vcpu *vcpu = vcpu_add_bare(vm, 0);
	struct kvm_irq_level irq = { .irq = 1, .level = 1 };
	struct kvm_irqchip chip = { .chip_id = 0 };
	struct kvm_lapic_state lapic;
	struct kvm_pit_state2 pit;
	struct kvm_msi msi = { .address_lo = 0xfee00000, .data = 0x40 };

	CHECK_ERR(xioctl(vm->fd, KVM_IRQ_LINE, &irq), ENXIO);
	CHECK_ERR(xioctl(vm->fd, KVM_IRQ_LINE_STATUS, &irq), ENXIO);
	CHECK_ERR(xioctl(vm->fd, KVM_GET_IRQCHIP, &chip), ENXIO);
	CHECK_ERR(xioctl(vm->fd, KVM_SET_IRQCHIP, &chip), ENXIO);
	CHECK_ERR(xioctl(vm->fd, KVM_GET_PIT2, &pit), ENXIO);
	CHECK_ERR(xioctl(vm->fd, KVM_SIGNAL_MSI, &msi), EINVAL);
	CHECK_ERR(xioctl(vcpu->fd, KVM_GET_LAPIC, &lapic), EINVAL);
	memset(&lapic, 0, sizeof(lapic));
	CHECK_ERR(xioctl(vcpu->fd, KVM_SET_LAPIC, &lapic), EINVAL);
	CHECK_ERR(routing_set(vm, NULL, 0), EINVAL);
	vm_free(vm);
}

/* The address of a page that few guests want; 0 takes it back. */
static void vapic_address(void)
{
	struct kvm_vapic_addr addr = { .vapic_addr = 0 };
	struct vm *vm = bare();

	CHECK_ERR(xioctl(vcpu_add_bare(vm, 0)->fd, KVM_SET_VAPIC_ADDR, &addr), EINVAL);
	vm_free(vm);
	vm = bare();
	CHECK_EQ(xioctl(vm->fd, KVM_CREATE_IRQCHIP, 0), 0);
	CHECK_EQ(xioctl(vcpu_add_bare(vm, 0)->fd, KVM_SET_VAPIC_ADDR, &addr), 0);
	vm_free(vm);
}

static void chip_numbers(void)
{
	struct vm *vm = bare();
	struct kvm_irqchip chip = { .chip_id = 3 };
	u32 i;

	CHECK_EQ(xioctl(vm->fd, KVM_CREATE_IRQCHIP, 0), 0);
	CHECK_ERR(xioctl(vm->fd, KVM_GET_IRQCHIP, &chip), EINVAL);
	CHECK_ERR(xioctl(vm->fd, KVM_SET_IRQCHIP, &chip), EINVAL);
	for (i = 0; i < 3; i++) {
		chip.chip_id = i;
		CHECK_EQ(xioctl(vm->fd, KVM_GET_IRQCHIP, &chip), 0);
		CHECK_EQ(xioctl(vm->fd, KVM_SET_IRQCHIP, &chip), 0);
	}
	vm_free(vm);
}

static void pit_twice(void)
{
	struct vm *vm = bare();
	struct kvm_pit_config config = { .flags = 0 };

	REQUIRE_CAP(vm->fd, KVM_CAP_PIT2);
	CHECK_EQ(xioctl(vm->fd, KVM_CREATE_IRQCHIP, 0), 0);
	CHECK_EQ(xioctl(vm->fd, KVM_CREATE_PIT2, &config), 0);
	CHECK_ERR(xioctl(vm->fd, KVM_CREATE_PIT2, &config), EEXIST);
	vm_free(vm);
}

static void reinjection_needs_a_pit(void)
{
	struct vm *vm = bare();
	struct kvm_pit_config config = { .flags = 0 };
	struct kvm_reinject_control control = { .pit_reinject = 0 };

	REQUIRE_CAP(vm->fd, KVM_CAP_REINJECT_CONTROL);
	CHECK_EQ(xioctl(vm->fd, KVM_CREATE_IRQCHIP, 0), 0);
	CHECK_ERR(xioctl(vm->fd, KVM_REINJECT_CONTROL, &control), ENXIO);
	CHECK_EQ(xioctl(vm->fd, KVM_CREATE_PIT2, &config), 0);
	CHECK_EQ(xioctl(vm->fd, KVM_REINJECT_CONTROL, &control), 0);
	CHECK_ERR(xioctl(vm->fd, KVM_REINJECT_CONTROL, NULL), EFAULT);
	vm_free(vm);
}

static void unrouted_gsi_is_no_error(void)
{
	struct vm *vm = bare();

	CHECK_EQ(xioctl(vm->fd, KVM_CREATE_IRQCHIP, 0), 0);
	irq_line(vm, 24, 1);
	irq_line(vm, 4000, 1);
	irq_line(vm, 24, 0);
	vm_free(vm);
}

static void routing_rules(void)
{
	struct vm *vm = bare();
	struct kvm_irq_routing_entry e[2];

	CHECK_EQ(xioctl(vm->fd, KVM_CREATE_IRQCHIP, 0), 0);
	/* Chip and pin in range. */
	e[0] = route_chip(0, 3, 0);
	CHECK_ERR(routing_set(vm, e, 1), EINVAL);
	e[0] = route_chip(0, KVM_IRQCHIP_PIC_MASTER, 8);
	CHECK_ERR(routing_set(vm, e, 1), EINVAL);
	e[0] = route_chip(0, KVM_IRQCHIP_IOAPIC, 24);
	CHECK_ERR(routing_set(vm, e, 1), EINVAL);
	/* The GSI too. */
	e[0] = route_msi(4096, MSI_ADDRESS(0), 0x40);
	CHECK_ERR(routing_set(vm, e, 1), EINVAL);
	e[0] = route_msi(4095, MSI_ADDRESS(0), 0x40);
	CHECK_EQ(routing_set(vm, e, 1), 0);
	/* PIC and IOAPIC together, but no chip twice, and MSI alone. */
	e[0] = route_chip(4, KVM_IRQCHIP_PIC_MASTER, 4);
	e[1] = route_chip(4, KVM_IRQCHIP_IOAPIC, 4);
	CHECK_EQ(routing_set(vm, e, 2), 0);
	e[1] = route_chip(4, KVM_IRQCHIP_PIC_MASTER, 5);
	CHECK_ERR(routing_set(vm, e, 2), EINVAL);
	e[1] = route_msi(4, MSI_ADDRESS(0), 0x40);
	CHECK_ERR(routing_set(vm, e, 2), EINVAL);
	/* Flags and types nobody knows. */
	e[0] = route_msi(5, MSI_ADDRESS(0), 0x40);
	e[0].flags = 2;
	CHECK_ERR(routing_set(vm, e, 1), EINVAL);
	e[0].flags = 0;
	e[0].type = 77;
	CHECK_ERR(routing_set(vm, e, 1), EINVAL);
	/* Nothing at all, and all zero. */
	CHECK_EQ(routing_set(vm, NULL, 0), 0);
	e[0] = route_msi(5, 0, 0);
	CHECK_EQ(routing_set(vm, e, 1), 0);
	vm_free(vm);
}

static void routing_table_flags(void)
{
	struct vm *vm = bare();
	struct kvm_irq_routing table = { .nr = 0, .flags = 1 };

	CHECK_EQ(xioctl(vm->fd, KVM_CREATE_IRQCHIP, 0), 0);
	CHECK_ERR(xioctl(vm->fd, KVM_SET_GSI_ROUTING, &table), EINVAL);
	table.flags = 0;
	table.nr = 0x7fffffff;
	CHECK_ERR(xioctl(vm->fd, KVM_SET_GSI_ROUTING, &table), EINVAL);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(twice),
	TEST(after_a_vcpu),
	TEST(commands_without_irqchip),
	TEST(vapic_address),
	TEST(chip_numbers),
	TEST(pit_twice),
	TEST(reinjection_needs_a_pit),
	TEST(unrouted_gsi_is_no_error),
	TEST(routing_rules),
	TEST(routing_table_flags),
};

KTAP_MAIN(tests)
