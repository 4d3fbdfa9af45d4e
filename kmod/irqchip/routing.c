// SPDX-License-Identifier: GPL-2.0-only
/*
 * From a GSI to the chips' pins and messages, and back from an acknowledged pin to whoever waits for its GSI. The
 * table is replaced whole under vm->lock and read under RCU; listeners are an RCU list under irqchip->ack_lock.
 */
#include "irqchip_internal.h"

#include <linux/rculist.h>
#include <linux/slab.h>
#include <asm/apicdef.h>

/*
 * What a VM has until user space says otherwise: GSI 0-15 to the pins of that number of both chips, 16-23 to the
 * IOAPIC. One for all VMs.
 */
#define ROUTE_IOAPIC(_gsi) \
	{ .gsi = (_gsi), .type = KVM_IRQ_ROUTING_IRQCHIP, .chip = { KVM_IRQCHIP_IOAPIC, (_gsi) } }
#define ROUTE_BOTH(_gsi) \
	ROUTE_IOAPIC(_gsi), \
	{ .gsi = (_gsi), .type = KVM_IRQ_ROUTING_IRQCHIP, .chip = { (_gsi) / 8, (_gsi) % 8 } }

static struct lodge_irq_route routes_at_first[] = {
	ROUTE_BOTH(0), ROUTE_BOTH(1), ROUTE_BOTH(2), ROUTE_BOTH(3), ROUTE_BOTH(4), ROUTE_BOTH(5),
	ROUTE_BOTH(6), ROUTE_BOTH(7), ROUTE_BOTH(8), ROUTE_BOTH(9), ROUTE_BOTH(10), ROUTE_BOTH(11),
	ROUTE_BOTH(12), ROUTE_BOTH(13), ROUTE_BOTH(14), ROUTE_BOTH(15),
	ROUTE_IOAPIC(16), ROUTE_IOAPIC(17), ROUTE_IOAPIC(18), ROUTE_IOAPIC(19),
	ROUTE_IOAPIC(20), ROUTE_IOAPIC(21), ROUTE_IOAPIC(22), ROUTE_IOAPIC(23),
};

static struct lodge_irq_routing routing_at_first = {
	.nr = PIC_PINS + IOAPIC_PINS,
	.nr_gsis = IOAPIC_PINS,
	.pin_gsi = {
		[KVM_IRQCHIP_PIC_MASTER] = { 0, 1, 2, 3, 4, 5, 6, 7, [8 ... IOAPIC_PINS - 1] = -1 },
		[KVM_IRQCHIP_PIC_SLAVE] = { 8, 9, 10, 11, 12, 13, 14, 15, [8 ... IOAPIC_PINS - 1] = -1 },
		[KVM_IRQCHIP_IOAPIC] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
					 22, 23 },
	},
	.entries = routes_at_first,
	.first = { 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 33, 34, 35, 36, 37, 38, 39, 40 },
};

static void routing_free_rcu(struct rcu_head *rcu)
{
	struct lodge_irq_routing *routing = container_of(rcu, struct lodge_irq_routing, rcu);

	kvfree(routing->entries);
	kvfree(routing);
}

/*
 * The upper half of a message's address holds the upper bits of a 32-bit destination if user space said so
 * (KVM_CAP_X2APIC_API), else nothing.
 */
static int msi_address(const struct lodge_vm *vm, u32 low, u32 high, u64 *address)
{
	*address = low;
	if (!READ_ONCE(vm->x2apic_ids32))
		return 0;
	if (high & 0xff)
		return -EINVAL;
	*address |= (u64)high << 32;
	return 0;
}

static int route_check(struct lodge_vm *vm, const struct kvm_irq_routing_entry *in, struct lodge_irq_route *out)
{
	bool split = vm->irqchip_mode == LODGE_IRQCHIP_SPLIT;

	if (in->gsi >= LODGE_MAX_IRQ_ROUTES)
		return -EINVAL;
	out->gsi = in->gsi;
	out->type = in->type;
	switch (in->type) {
	case KVM_IRQ_ROUTING_IRQCHIP:
		if (in->flags || split)
			return -EINVAL;
		out->chip.irqchip = in->u.irqchip.irqchip;
		out->chip.pin = in->u.irqchip.pin;
		switch (in->u.irqchip.irqchip) {
		case KVM_IRQCHIP_PIC_MASTER:
		case KVM_IRQCHIP_PIC_SLAVE:
			return in->u.irqchip.pin < PIC_PINS / 2 ? 0 : -EINVAL;
		case KVM_IRQCHIP_IOAPIC:
			return in->u.irqchip.pin < IOAPIC_PINS ? 0 : -EINVAL;
		default:
			return -EINVAL;
		}
	case KVM_IRQ_ROUTING_MSI:
		if (in->flags & ~KVM_MSI_VALID_DEVID)
			return -EINVAL;
		out->msi.data = in->u.msi.data;
		return msi_address(vm, in->u.msi.address_lo, in->u.msi.address_hi, &out->msi.address);
	default:
		return -EINVAL;
	}
}

/* A GSI goes to one message, or to pins of different chips. */
static int route_conflicts(const struct lodge_irq_route *entries, u32 n, const struct lodge_irq_route *new)
{
	u32 i;

	for (i = 0; i < n; i++) {
		if (entries[i].gsi != new->gsi)
			continue;
		if (entries[i].type != KVM_IRQ_ROUTING_IRQCHIP || new->type != KVM_IRQ_ROUTING_IRQCHIP ||
		    entries[i].chip.irqchip == new->chip.irqchip)
			return -EINVAL;
	}
	return 0;
}

/* Counting sort by GSI; the order inside a GSI is the caller's. */
static void routing_index(struct lodge_irq_routing *routing, const struct lodge_irq_route *unsorted)
{
	u32 i, gsi, at = 0;

	memset(routing->pin_gsi, -1, sizeof(routing->pin_gsi));
	for (i = 0; i < routing->nr; i++)
		routing->first[unsorted[i].gsi + 1]++;
	for (gsi = 0; gsi < routing->nr_gsis; gsi++) {
		at += routing->first[gsi + 1];
		routing->first[gsi + 1] = at;
	}
	for (i = routing->nr; i-- > 0;) {
		const struct lodge_irq_route *route = &unsorted[i];
		u32 place = routing->first[route->gsi + 1] - 1;

		/* Entries of one GSI are few: find the free place from its end. */
		while (routing->entries[place].type)
			place--;
		routing->entries[place] = *route;
		/* Of several GSIs of a pin the last one is told of its acknowledges. */
		if (route->type == KVM_IRQ_ROUTING_IRQCHIP &&
		    routing->pin_gsi[route->chip.irqchip][route->chip.pin] < 0)
			routing->pin_gsi[route->chip.irqchip][route->chip.pin] = route->gsi;
	}
}

static struct lodge_irq_routing *routing_build(struct lodge_vm *vm, const struct kvm_irq_routing_entry *entries, u32 nr)
{
	struct lodge_irq_route *unsorted = kvcalloc(nr ?: 1, sizeof(*unsorted), GFP_KERNEL_ACCOUNT);
	struct lodge_irq_routing *routing = NULL;
	unsigned long *msi_or_chip = NULL;
	u32 i, nr_gsis = 0;
	int ret = -ENOMEM;

	if (!unsorted)
		return ERR_PTR(-ENOMEM);
	msi_or_chip = bitmap_zalloc(LODGE_MAX_IRQ_ROUTES, GFP_KERNEL_ACCOUNT);
	if (!msi_or_chip)
		goto fail;
	for (i = 0; i < nr; i++) {
		ret = route_check(vm, &entries[i], &unsorted[i]);
		/* Only a GSI seen before can conflict. */
		if (!ret && __test_and_set_bit(unsorted[i].gsi, msi_or_chip))
			ret = route_conflicts(unsorted, i, &unsorted[i]);
		if (ret)
			goto fail;
		nr_gsis = max(nr_gsis, unsorted[i].gsi + 1);
	}
	ret = -ENOMEM;
	routing = kvzalloc(struct_size(routing, first, nr_gsis + 1), GFP_KERNEL_ACCOUNT);
	if (!routing)
		goto fail;
	routing->entries = kvcalloc(nr ?: 1, sizeof(*routing->entries), GFP_KERNEL_ACCOUNT);
	if (!routing->entries)
		goto fail;
	routing->nr = nr;
	routing->nr_gsis = nr_gsis;
	routing_index(routing, unsorted);
	bitmap_free(msi_or_chip);
	kvfree(unsorted);
	return routing;

fail:
	kvfree(routing);
	bitmap_free(msi_or_chip);
	kvfree(unsorted);
	return ERR_PTR(ret);
}

int lodge_routing_set(struct lodge_vm *vm, const struct kvm_irq_routing_entry *entries, u32 nr, u32 flags)
{
	struct lodge_irq_routing *routing, *old;
	struct lodge_vcpu *vcpu;
	unsigned long i;

	lockdep_assert_held(&vm->lock);
	if (flags)
		return -EINVAL;
	routing = routing_build(vm, entries, nr);
	if (IS_ERR(routing))
		return PTR_ERR(routing);
	old = rcu_dereference_protected(vm->irqchip->routing, lockdep_is_held(&vm->lock));
	rcu_assign_pointer(vm->irqchip->routing, routing);
	if (old && old != &routing_at_first)
		call_rcu(&old->rcu, routing_free_rcu);
	if (vm->irqchip_mode == LODGE_IRQCHIP_SPLIT)
		lodge_for_each_vcpu(i, vcpu, vm)
			lodge_vcpu_request(vcpu, LODGE_REQ_EOI_SCAN);
	return 0;
}

void lodge_routing_set_default(struct lodge_vm *vm)
{
	BUILD_BUG_ON(ARRAY_SIZE(routes_at_first) != PIC_PINS + IOAPIC_PINS);
	lockdep_assert_held(&vm->lock);
	RCU_INIT_POINTER(vm->irqchip->routing, &routing_at_first);
}

void lodge_routing_destroy(struct lodge_vm *vm)
{
	struct lodge_irq_routing *routing = rcu_dereference_protected(vm->irqchip->routing, true);

	if (routing && routing != &routing_at_first)
		routing_free_rcu(&routing->rcu);
	RCU_INIT_POINTER(vm->irqchip->routing, NULL);
}

/* APM 2, 16.5 and the MSI address format of SDM 3, 11.11. */
void lodge_msi_to_message(u64 address, u32 data, struct lodge_irq_message *message)
{
	*message = (struct lodge_irq_message) {
		.dest = ((address >> 12) & 0xff) | ((address >> 32) & 0xffffff00),
		.logical = address & BIT(2),
		.redirection_hint = address & BIT(3),
		.vector = data,
		.mode = (data >> 8) & 7,
		.level = data & BIT(15),
		.assert = true,
	};
}

static int route_set(struct lodge_vm *vm, const struct lodge_irq_route *route, u32 source, int level)
{
	struct lodge_irq_message message;

	if (route->type == KVM_IRQ_ROUTING_MSI) {
		if (!level)
			return -1;
		lodge_msi_to_message(route->msi.address, route->msi.data, &message);
		return lodge_irq_deliver(vm, NULL, &message);
	}
	if (route->chip.irqchip == KVM_IRQCHIP_IOAPIC)
		return lodge_ioapic_set(vm->irqchip->ioapic, route->chip.pin, source, level);
	return lodge_pic_set(vm->irqchip->pic, route->chip.irqchip * 8 + route->chip.pin, source, level);
}

int lodge_irq_set(struct lodge_vm *vm, u32 source, u32 gsi, int level)
{
	const struct lodge_irq_routing *routing;
	int ret = -1, one;
	u32 i;

	rcu_read_lock();
	routing = rcu_dereference(vm->irqchip->routing);
	if (routing && gsi < routing->nr_gsis) {
		for (i = routing->first[gsi]; i < routing->first[gsi + 1]; i++) {
			one = route_set(vm, &routing->entries[i], source, level);
			if (one >= 0)
				ret = one + max(ret, 0);
		}
	}
	rcu_read_unlock();
	return ret;
}

int lodge_msi_send(struct lodge_vm *vm, const struct kvm_msi *msi)
{
	struct lodge_irq_message message;
	u64 address;

	if (msi_address(vm, msi->address_lo, msi->address_hi, &address))
		return -EINVAL;
	lodge_msi_to_message(address, msi->data, &message);
	return lodge_irq_deliver(vm, NULL, &message);
}

void lodge_irq_ack_register(struct lodge_vm *vm, struct lodge_irq_ack *ack)
{
	spin_lock(&vm->irqchip->ack_lock);
	hlist_add_head_rcu(&ack->node, &vm->irqchip->acks);
	spin_unlock(&vm->irqchip->ack_lock);
}

void lodge_irq_ack_unregister(struct lodge_vm *vm, struct lodge_irq_ack *ack)
{
	spin_lock(&vm->irqchip->ack_lock);
	hlist_del_init_rcu(&ack->node);
	spin_unlock(&vm->irqchip->ack_lock);
	synchronize_rcu();
}

void lodge_irq_acked(struct lodge_vm *vm, u32 chip, u32 pin)
{
	const struct lodge_irq_routing *routing;
	struct lodge_irq_ack *ack;
	int gsi = -1;

	rcu_read_lock();
	routing = rcu_dereference(vm->irqchip->routing);
	if (routing)
		gsi = routing->pin_gsi[chip][pin];
	if (gsi >= 0)
		hlist_for_each_entry_rcu(ack, &vm->irqchip->acks, node)
			if (ack->gsi == gsi)
				ack->acked(ack);
	rcu_read_unlock();
}

/* Which vectors' EOIs user space's IOAPIC waits for: level-triggered messages on its reserved GSIs. */
void lodge_routing_user_eois(struct lodge_vcpu *vcpu, unsigned long *vectors)
{
	const struct lodge_irq_routing *routing;
	struct lodge_irq_message message;
	u32 i;

	bitmap_zero(vectors, 256);
	rcu_read_lock();
	routing = rcu_dereference(vcpu->vm->irqchip->routing);
	for (i = 0; routing && i < routing->nr; i++) {
		const struct lodge_irq_route *route = &routing->entries[i];

		if (route->gsi >= vcpu->vm->nr_reserved_pins || route->type != KVM_IRQ_ROUTING_MSI)
			continue;
		lodge_msi_to_message(route->msi.address, route->msi.data, &message);
		/* The route of an interrupt under way may have been turned to another vCPU. */
		if (message.level && (lodge_lapic_matches(vcpu, NULL, &message) ||
				      lodge_lapic_awaits_eoi(vcpu, message.vector)))
			__set_bit(message.vector, vectors);
	}
	rcu_read_unlock();
}
