// SPDX-License-Identifier: GPL-2.0-only
/*
 * In-kernel devices by port or GPA. The table of a bus is sorted and never changed in place: writers, under
 * vm->slots_lock, publish a new one; readers are under RCU or have interrupts off. An unregistered device is
 * released by a worker once no reader can hold it.
 */
#include "io_bus.h"

#include <linux/irqflags.h>
#include <linux/lockdep.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "mmu/mmu.h"

static struct workqueue_struct *io_release_wq;

struct io_range {
	u64 first;
	u64 len;	/* 0: an access of any length that begins at @first */
	struct lodge_io_device *dev;
};

/* Devices that user space can make at will; ioeventfds, which have no limit with KVM either, not counted. */
#define IO_BUS_MAX	1000

struct lodge_io_bus {
	struct rcu_head rcu;
	unsigned int nr;
	unsigned int nr_counted;
	u64 widest;	/* the longest range: how far left of an address one that covers it may begin */
	struct io_range ranges[];
};

static struct lodge_io_bus *io_bus_locked(struct lodge_vm *vm, enum lodge_bus bus)
{
	return rcu_dereference_protected(vm->buses[bus], lockdep_is_held(&vm->slots_lock) ||
					 !refcount_read(&vm->users));
}

void lodge_io_hints_drop(struct lodge_vm *vm)
{
	lockdep_assert_held(&vm->slots_lock);
	/* Pairs with io_hint_generation(): who sees the new generation sees what was published before. */
	smp_store_release(&vm->io_generation, vm->io_generation + 1);
}

/* Taken before the search: a hint from older tables than its generation says cannot be. */
static u64 io_hint_generation(const struct lodge_vm *vm)
{
	return smp_load_acquire(&vm->io_generation);
}

static void io_bus_publish(struct lodge_vm *vm, enum lodge_bus bus, struct lodge_io_bus *table)
{
	struct lodge_io_bus *old = io_bus_locked(vm, bus);
	unsigned int i;

	for (i = 0; table && i < table->nr; i++) {
		table->widest = max(table->widest, table->ranges[i].len);
		table->nr_counted += !table->ranges[i].dev->uncounted;
	}
	rcu_assign_pointer(vm->buses[bus], table);
	lodge_io_hints_drop(vm);
	kvfree_rcu(old, rcu);
}

int lodge_io_bus_register(struct lodge_vm *vm, enum lodge_bus bus, u64 addr, unsigned int len,
			  struct lodge_io_device *dev)
{
	struct lodge_io_bus *old, *table;
	unsigned int nr, at = 0;

	lockdep_assert_held(&vm->slots_lock);
	old = io_bus_locked(vm, bus);
	nr = old ? old->nr : 0;
	if (old && old->nr_counted >= IO_BUS_MAX && !dev->uncounted)
		return -ENOSPC;
	table = kvzalloc(struct_size(table, ranges, nr + 1), GFP_KERNEL_ACCOUNT);
	if (!table)
		return -ENOMEM;
	while (at < nr && old->ranges[at].first <= addr)
		at++;
	if (nr) {
		memcpy(table->ranges, old->ranges, at * sizeof(table->ranges[0]));
		memcpy(table->ranges + at + 1, old->ranges + at, (nr - at) * sizeof(table->ranges[0]));
	}
	table->ranges[at] = (struct io_range) { .first = addr, .len = len, .dev = dev };
	table->nr = nr + 1;
	dev->nr_ranges++;
	io_bus_publish(vm, bus, table);
	return 0;
}

static void io_device_release_work(struct work_struct *work)
{
	struct lodge_io_device *dev = container_of(to_rcu_work(work), struct lodge_io_device, release_work);

	dev->ops->release(dev);
}

void lodge_io_bus_unregister(struct lodge_vm *vm, enum lodge_bus bus, struct lodge_io_device *dev)
{
	struct lodge_io_bus *old, *table = NULL;
	unsigned int i, n = 0;

	lockdep_assert_held(&vm->slots_lock);
	old = io_bus_locked(vm, bus);
	if (WARN_ON_ONCE(!old))
		return;
	if (old->nr > dev->nr_ranges) {
		/* Must not fail, and is small. */
		table = kvzalloc(struct_size(table, ranges, old->nr - dev->nr_ranges),
				 GFP_KERNEL_ACCOUNT | __GFP_NOFAIL);
		for (i = 0; i < old->nr; i++)
			if (old->ranges[i].dev != dev)
				table->ranges[n++] = old->ranges[i];
		table->nr = n;
	}
	io_bus_publish(vm, bus, table);
	INIT_RCU_WORK(&dev->release_work, io_device_release_work);
	queue_rcu_work(io_release_wq, &dev->release_work);
}

/* Index of the first range that begins at or after @addr. */
static unsigned int io_bus_search(const struct lodge_io_bus *table, u64 addr)
{
	unsigned int low = 0, high = table->nr;

	while (low < high) {
		unsigned int mid = (low + high) / 2;

		if (table->ranges[mid].first < addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool io_range_covers(const struct io_range *range, u64 addr, unsigned int len)
{
	if (!range->len)
		return addr == range->first;
	return addr >= range->first && addr - range->first < range->len &&
	       range->len - (addr - range->first) >= len;
}

/* The next range that covers the access, from index *@at on; ranges are sorted by where they begin. */
static const struct io_range *io_bus_next(const struct lodge_io_bus *table, unsigned int *at, u64 addr,
					  unsigned int len)
{
	while (*at < table->nr && table->ranges[*at].first <= addr) {
		const struct io_range *range = &table->ranges[(*at)++];

		if (io_range_covers(range, addr, len))
			return range;
	}
	return NULL;
}

int lodge_io_bus_read(struct lodge_vcpu *vcpu, enum lodge_bus bus, u64 addr, unsigned int len, void *val)
{
	const struct lodge_io_bus *table;
	const struct io_range *range;
	unsigned int at;
	int ret = -EOPNOTSUPP;

	rcu_read_lock();
	table = rcu_dereference(vcpu->vm->buses[bus]);
	if (table) {
		at = io_bus_search(table, addr - min(addr, table->widest));
		while (ret && (range = io_bus_next(table, &at, addr, len)))
			ret = range->dev->ops->read ? range->dev->ops->read(vcpu, range->dev, addr, len, val) :
						      -EOPNOTSUPP;
	}
	rcu_read_unlock();
	return ret;
}

int lodge_io_bus_write(struct lodge_vcpu *vcpu, enum lodge_bus bus, u64 addr, unsigned int len, const void *val)
{
	const struct lodge_io_bus *table;
	const struct io_range *range;
	unsigned int at;
	int ret = -EOPNOTSUPP;

	rcu_read_lock();
	table = rcu_dereference(vcpu->vm->buses[bus]);
	if (table) {
		at = io_bus_search(table, addr - min(addr, table->widest));
		while (ret && (range = io_bus_next(table, &at, addr, len)))
			ret = range->dev->ops->write ? range->dev->ops->write(vcpu, range->dev, addr, len, val) :
						       -EOPNOTSUPP;
	}
	rcu_read_unlock();
	return ret;
}

static struct lodge_io_device *io_bus_first(const struct lodge_vm *vm, enum lodge_bus bus, u64 addr, unsigned int len)
{
	const struct lodge_io_bus *table = rcu_dereference_check(vm->buses[bus], irqs_disabled());
	const struct io_range *range = NULL;
	unsigned int at;

	if (table) {
		at = io_bus_search(table, addr - min(addr, table->widest));
		range = io_bus_next(table, &at, addr, len);
	}
	return range ? range->dev : NULL;
}

/* So that the next access need not search. */
struct lodge_io_device *lodge_port_find(struct lodge_vcpu *vcpu, u16 port, unsigned int len)
{
	struct lodge_io_hint *hint = &vcpu->io_hints[port % LODGE_NR_IO_HINTS];
	u64 generation = io_hint_generation(vcpu->vm);

	*hint = (struct lodge_io_hint){
		.generation = generation,
		.key = lodge_port_key(port, len),
		.dev = io_bus_first(vcpu->vm, LODGE_BUS_PIO, port, len),
	};
	return hint->dev;
}

/* Where there is memory, too (under a LAPIC, or read-only), nothing is remembered. */
struct lodge_io_device *lodge_mmio_find(struct lodge_vcpu *vcpu, gpa_t gpa, unsigned int len)
{
	u64 generation = io_hint_generation(vcpu->vm);
	struct lodge_io_device *dev = io_bus_first(vcpu->vm, LODGE_BUS_MMIO, gpa, len);

	if (!lodge_gpa_is_ram(vcpu->vm, gpa, false))
		*lodge_mmio_hint(vcpu, gpa) = (struct lodge_mmio_hint){
			.generation = generation, .gpa = gpa, .len = len, .dev = dev,
		};
	return dev;
}

void lodge_io_bus_destroy(struct lodge_vm *vm)
{
	enum lodge_bus bus;
	unsigned int i;

	for (bus = 0; bus < LODGE_NR_BUSES; bus++) {
		struct lodge_io_bus *table = io_bus_locked(vm, bus);

		if (!table)
			continue;
		RCU_INIT_POINTER(vm->buses[bus], NULL);
		for (i = 0; i < table->nr; i++) {
			struct lodge_io_device *dev = table->ranges[i].dev;

			/* With the last of its ranges. */
			if (!--dev->nr_ranges)
				dev->ops->release(dev);
			cond_resched();
		}
		kvfree(table);
	}
}

int lodge_io_bus_init(void)
{
	io_release_wq = alloc_workqueue("lodge-io", WQ_UNBOUND, 0);
	return io_release_wq ? 0 : -ENOMEM;
}

void lodge_io_bus_exit(void)
{
	rcu_barrier();		/* what was unregistered is queued now */
	destroy_workqueue(io_release_wq);
}
