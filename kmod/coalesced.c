// SPDX-License-Identifier: GPL-2.0-only
/*
 * Zones whose writes are appended to the VM's ring instead of leaving to user space. A zone is a device on the
 * VM's bus, which owns it; the list of all zones, under coalesced_mutex (inside slots_lock), is only there to
 * find one again. The ring is shared with user space, which may write anything to it at any moment: what is read
 * from it is read once and checked. vCPUs that append hold one of coalesced_locks.
 */
#include "coalesced.h"

#include <linux/gfp.h>
#include <linux/hash.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "io_bus.h"

#define RING_ENTRIES	((u32)KVM_COALESCED_MMIO_MAX)
#define LOCK_BITS	6

struct coalesced_zone {
	struct lodge_io_device dev;
	struct list_head link;		/* in coalesced_zones */
	struct lodge_vm *vm;		/* (i) */
	struct kvm_coalesced_mmio_ring *ring;	/* (i) of the VM */
	raw_spinlock_t *lock;		/* (i) the same for all zones of a VM */
	u64 addr;			/* (i) */
	u32 size;			/* (i) */
	u32 pio;			/* (i) */
};

static LIST_HEAD(coalesced_zones);
static DEFINE_MUTEX(coalesced_mutex);
static raw_spinlock_t coalesced_locks[BIT(LOCK_BITS)] = {
	[0 ... BIT(LOCK_BITS) - 1] = __RAW_SPIN_LOCK_UNLOCKED(coalesced_locks),
};

static bool coalesced_contains(const struct coalesced_zone *zone, u64 addr, u64 len)
{
	return addr >= zone->addr && addr - zone->addr <= zone->size && zone->size - (addr - zone->addr) >= len;
}

/* One entry stays free, so that full and empty differ. */
static int coalesced_append(struct coalesced_zone *zone, u64 addr, unsigned int len, const void *val)
{
	struct kvm_coalesced_mmio_ring *ring = zone->ring;
	u32 first = READ_ONCE(ring->first), last = READ_ONCE(ring->last), next;
	struct kvm_coalesced_mmio *entry;

	lockdep_assert_held(zone->lock);
	if (first >= RING_ENTRIES || last >= RING_ENTRIES)
		return -EOPNOTSUPP;
	next = last + 1 == RING_ENTRIES ? 0 : last + 1;
	if (next == first)
		return -EOPNOTSUPP;
	entry = &ring->coalesced_mmio[last];
	entry->phys_addr = addr;
	entry->len = len;
	entry->pio = zone->pio;
	memcpy(entry->data, val, len);
	/* Pairs with user space's read of last before it reads the entries. */
	smp_store_release(&ring->last, next);
	return 0;
}

static int coalesced_write(struct lodge_vcpu *vcpu, struct lodge_io_device *dev, u64 addr, unsigned int len,
			   const void *val)
{
	struct coalesced_zone *zone = container_of(dev, struct coalesced_zone, dev);
	unsigned long flags;
	int ret;

	/* The bus takes a range of no bytes for one of any length. */
	if (len > sizeof_field(struct kvm_coalesced_mmio, data) || !coalesced_contains(zone, addr, len))
		return -EOPNOTSUPP;
	raw_spin_lock_irqsave(zone->lock, flags);
	ret = coalesced_append(zone, addr, len, val);
	raw_spin_unlock_irqrestore(zone->lock, flags);
	return ret;
}

/* By unregistration, then it is off the list, or by the VM's end. */
static void coalesced_release(struct lodge_io_device *dev)
{
	struct coalesced_zone *zone = container_of(dev, struct coalesced_zone, dev);

	mutex_lock(&coalesced_mutex);
	list_del_init(&zone->link);
	mutex_unlock(&coalesced_mutex);
	kfree(zone);
}

static const struct lodge_io_ops coalesced_ops = {
	.write = coalesced_write,
	.release = coalesced_release,
};

static enum lodge_bus coalesced_bus(u32 pio)
{
	return pio ? LODGE_BUS_PIO : LODGE_BUS_MMIO;
}

/* The VM's ring, which a mapping of it may make at the same time. */
static struct kvm_coalesced_mmio_ring *coalesced_ring(struct lodge_vm *vm)
{
	struct page *page = READ_ONCE(vm->coalesced_ring), *other;

	if (!page) {
		page = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
		if (!page)
			return NULL;
		other = cmpxchg(&vm->coalesced_ring, NULL, page);
		if (other) {
			__free_page(page);
			page = other;
		}
	}
	return page_address(page);
}

int lodge_coalesced_register(struct lodge_vm *vm, const struct kvm_coalesced_mmio_zone *args)
{
	struct coalesced_zone *zone;
	int ret;

	if (args->pio > 1)
		return -EINVAL;
	zone = kzalloc(sizeof(*zone), GFP_KERNEL_ACCOUNT);
	if (!zone)
		return -ENOMEM;
	zone->ring = coalesced_ring(vm);
	if (!zone->ring) {
		kfree(zone);
		return -ENOMEM;
	}
	zone->dev.ops = &coalesced_ops;
	zone->vm = vm;
	zone->lock = &coalesced_locks[hash_ptr(vm, LOCK_BITS)];
	zone->addr = args->addr;
	zone->size = args->size;
	zone->pio = args->pio;

	mutex_lock(&vm->slots_lock);
	ret = lodge_io_bus_register(vm, coalesced_bus(zone->pio), zone->addr, zone->size, &zone->dev);
	if (!ret) {
		mutex_lock(&coalesced_mutex);
		list_add_tail(&zone->link, &coalesced_zones);
		mutex_unlock(&coalesced_mutex);
	} else {
		kfree(zone);
	}
	mutex_unlock(&vm->slots_lock);
	return ret;
}

int lodge_coalesced_unregister(struct lodge_vm *vm, const struct kvm_coalesced_mmio_zone *args)
{
	struct coalesced_zone *zone, *next;
	LIST_HEAD(found);

	if (args->pio > 1)
		return -EINVAL;
	mutex_lock(&vm->slots_lock);
	mutex_lock(&coalesced_mutex);
	list_for_each_entry_safe(zone, next, &coalesced_zones, link)
		if (zone->vm == vm && zone->pio == args->pio && coalesced_contains(zone, args->addr, args->size))
			list_move_tail(&zone->link, &found);
	mutex_unlock(&coalesced_mutex);
	list_for_each_entry_safe(zone, next, &found, link) {
		/* The release, at any time from here on, finds it on no list. */
		list_del_init(&zone->link);
		lodge_io_bus_unregister(vm, coalesced_bus(zone->pio), &zone->dev);
	}
	mutex_unlock(&vm->slots_lock);
	return 0;
}
