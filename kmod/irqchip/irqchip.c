// SPDX-License-Identifier: GPL-2.0-only
/*
 * The set of chips of a VM: creation in kernel or split mode, KVM_GET_IRQCHIP and KVM_SET_IRQCHIP, destruction.
 * The caller holds vm->lock for creation.
 */
#include "irqchip_internal.h"

#include <linux/slab.h>

static int irqchip_create_chips(struct lodge_vm *vm)
{
	int ret = lodge_pic_create(vm);

	if (ret)
		return ret;
	ret = lodge_ioapic_create(vm);
	if (ret)
		return ret;
	lodge_routing_set_default(vm);
	return 0;
}

/* No vCPU exists that could be reading the buses. */
static void irqchip_undo(struct lodge_vm *vm)
{
	mutex_lock(&vm->slots_lock);
	if (vm->irqchip->ioapic)
		lodge_ioapic_unregister(vm);
	if (vm->irqchip->pic)
		lodge_pic_unregister(vm);
	mutex_unlock(&vm->slots_lock);
	lodge_irqchip_destroy(vm);
}

static int irqchip_create(struct lodge_vm *vm, enum lodge_irqchip_mode mode)
{
	int ret;

	lockdep_assert_held(&vm->lock);
	if (vm->irqchip_mode != LODGE_IRQCHIP_NONE)
		return -EEXIST;
	if (vm->nr_vcpus)
		return -EINVAL;
	vm->irqchip = kzalloc(sizeof(*vm->irqchip), GFP_KERNEL_ACCOUNT);
	if (!vm->irqchip)
		return -ENOMEM;
	spin_lock_init(&vm->irqchip->ack_lock);
	INIT_HLIST_HEAD(&vm->irqchip->acks);
	ret = mode == LODGE_IRQCHIP_SPLIT ? lodge_routing_set(vm, NULL, 0, 0) : irqchip_create_chips(vm);
	if (ret) {
		irqchip_undo(vm);
		return ret;
	}
	/* Pairs with the acquire in lodge_vm_has_lapics(): the chips are complete before they are used. */
	smp_store_release(&vm->irqchip_mode, mode);
	return 0;
}

int lodge_irqchip_create(struct lodge_vm *vm)
{
	return irqchip_create(vm, LODGE_IRQCHIP_KERNEL);
}

int lodge_irqchip_create_split(struct lodge_vm *vm, u64 nr_pins)
{
	int ret;

	if (nr_pins > LODGE_MAX_IRQ_ROUTES)
		return -EINVAL;
	if (vm->irqchip_mode != LODGE_IRQCHIP_NONE || vm->nr_vcpus)
		return -EEXIST;
	/* Before the mode is published, and not for good if that does not come about. */
	vm->nr_reserved_pins = nr_pins;
	ret = irqchip_create(vm, LODGE_IRQCHIP_SPLIT);
	if (ret)
		vm->nr_reserved_pins = 0;
	return ret;
}

void lodge_irqchip_destroy(struct lodge_vm *vm)
{
	if (!vm->irqchip)
		return;
	if (vm->irqchip->pit)
		lodge_pit_destroy(vm);
	if (vm->irqchip->ioapic)
		lodge_ioapic_destroy(vm);
	if (vm->irqchip->pic)
		lodge_pic_destroy(vm);
	lodge_routing_destroy(vm);
	kvfree(rcu_dereference_protected(vm->irqchip->ids, true));
	kfree(vm->irqchip);
	vm->irqchip = NULL;
}

int lodge_irqchip_get(struct lodge_vm *vm, struct kvm_irqchip *chip)
{
	if (vm->irqchip_mode != LODGE_IRQCHIP_KERNEL)
		return -ENXIO;
	switch (chip->chip_id) {
	case KVM_IRQCHIP_PIC_MASTER:
	case KVM_IRQCHIP_PIC_SLAVE:
		lodge_pic_get_state(vm->irqchip->pic, chip->chip_id, &chip->chip.pic);
		return 0;
	case KVM_IRQCHIP_IOAPIC:
		lodge_ioapic_get_state(vm->irqchip->ioapic, &chip->chip.ioapic);
		return 0;
	default:
		return -EINVAL;
	}
}

int lodge_irqchip_set(struct lodge_vm *vm, const struct kvm_irqchip *chip)
{
	if (vm->irqchip_mode != LODGE_IRQCHIP_KERNEL)
		return -ENXIO;
	switch (chip->chip_id) {
	case KVM_IRQCHIP_PIC_MASTER:
	case KVM_IRQCHIP_PIC_SLAVE:
		lodge_pic_set_state(vm->irqchip->pic, chip->chip_id, &chip->chip.pic);
		return 0;
	case KVM_IRQCHIP_IOAPIC:
		lodge_ioapic_set_state(vm->irqchip->ioapic, &chip->chip.ioapic);
		return 0;
	default:
		return -EINVAL;
	}
}
