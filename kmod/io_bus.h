/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * In-kernel devices that answer by port or by GPA.
 *
 * The table of a bus is replaced whole and read under RCU, so an access takes no lock. A device's read and
 * write may be called with interrupts off: only raw spinlocks inside, no allocation, no user memory.
 */
#ifndef LODGE_IO_BUS_H
#define LODGE_IO_BUS_H

#include <linux/lockdep.h>
#include <linux/workqueue.h>

#include "lodge.h"

struct lodge_io_device;

/**
 * struct lodge_io_ops - what a device does
 * @read: fill @val; 0, or -EOPNOTSUPP to let the next device that covers the address, then user space, answer
 * @write: take @val; same results
 * @release: free the device; called after every reader of the bus is gone, from a context that may sleep
 */
struct lodge_io_ops {
	int (*read)(struct lodge_vcpu *vcpu, struct lodge_io_device *dev, u64 addr, unsigned int len, void *val);
	int (*write)(struct lodge_vcpu *vcpu, struct lodge_io_device *dev, u64 addr, unsigned int len, const void *val);
	void (*release)(struct lodge_io_device *dev);
};

struct lodge_io_device {
	const struct lodge_io_ops *ops;	/* (i) */
	bool uncounted;			/* (i) the bus's limit does not apply */
	unsigned int nr_ranges;		/* (s) on its bus */
	struct rcu_work release_work;	/* for lodge_io_bus_unregister() */
};

/**
 * lodge_io_bus_register() - let a device answer to a range
 * @vm: the VM; the caller holds slots_lock
 * @bus: ports or memory
 * @addr: first address
 * @len: bytes; 0 means one address whatever the length of the access (ioeventfd)
 * @dev: the device, owned by the bus from here on
 * Return: 0, -ENOSPC when the bus is full, -ENOMEM.
 */
int lodge_io_bus_register(struct lodge_vm *vm, enum lodge_bus bus, u64 addr, unsigned int len,
			  struct lodge_io_device *dev);

/**
 * lodge_io_bus_unregister() - take a device off and release it once nobody uses it
 * Context: caller holds slots_lock; does not wait for readers.
 */
void lodge_io_bus_unregister(struct lodge_vm *vm, enum lodge_bus bus, struct lodge_io_device *dev);

/**
 * lodge_io_hints_drop() - what the vCPUs remember of buses and holes may be wrong: after each change was published
 * Context: slots_lock held.
 */
void lodge_io_hints_drop(struct lodge_vm *vm);

/* The slow halves of lodge_port_device() and lodge_mmio_device(): remember what they find. */
struct lodge_io_device *lodge_port_find(struct lodge_vcpu *vcpu, u16 port, unsigned int len);
struct lodge_io_device *lodge_mmio_find(struct lodge_vcpu *vcpu, gpa_t gpa, unsigned int len);

static inline u32 lodge_port_key(u16 port, unsigned int len)
{
	return port | len << 16;
}

/**
 * lodge_port_device() - the first device that covers a port, by the vCPU's hints where they hold
 * Return: the device, which lives as long as the section; NULL when there is none. Another may lie behind it.
 * Context: in the section.
 */
static __always_inline struct lodge_io_device *lodge_port_device(struct lodge_vcpu *vcpu, u16 port, unsigned int len)
{
	const struct lodge_io_hint *hint = &vcpu->io_hints[port % LODGE_NR_IO_HINTS];

	lockdep_assert_irqs_disabled();
	if (likely(hint->key == lodge_port_key(port, len) && hint->generation == READ_ONCE(vcpu->vm->io_generation)))
		return hint->dev;
	return lodge_port_find(vcpu, port, len);
}

static __always_inline struct lodge_mmio_hint *lodge_mmio_hint(struct lodge_vcpu *vcpu, gpa_t gpa)
{
	return &vcpu->mmio_hints[(gpa / 4) % LODGE_NR_MMIO_HINTS];
}

/**
 * lodge_mmio_is_known() - whether a GPA is known to be in no memslot, from an access to it before
 * Context: in the section.
 */
static __always_inline bool lodge_mmio_is_known(struct lodge_vcpu *vcpu, gpa_t gpa)
{
	const struct lodge_mmio_hint *hint = lodge_mmio_hint(vcpu, gpa);

	return hint->gpa == gpa && hint->generation == READ_ONCE(vcpu->vm->io_generation);
}

/**
 * lodge_mmio_device() - lodge_port_device() for a GPA
 */
static __always_inline struct lodge_io_device *lodge_mmio_device(struct lodge_vcpu *vcpu, gpa_t gpa, unsigned int len)
{
	const struct lodge_mmio_hint *hint = lodge_mmio_hint(vcpu, gpa);

	lockdep_assert_irqs_disabled();
	if (likely(hint->gpa == gpa && hint->len == len && hint->generation == READ_ONCE(vcpu->vm->io_generation)))
		return hint->dev;
	return lodge_mmio_find(vcpu, gpa, len);
}

/**
 * lodge_io_bus_read() - let the in-kernel devices answer a read
 * Return: 0 when one did, -EOPNOTSUPP when user space must.
 * Context: any, interrupts off included.
 */
int lodge_io_bus_read(struct lodge_vcpu *vcpu, enum lodge_bus bus, u64 addr, unsigned int len, void *val);
int lodge_io_bus_write(struct lodge_vcpu *vcpu, enum lodge_bus bus, u64 addr, unsigned int len, const void *val);

/* Free the buses and release every device; the VM has no user left. */
void lodge_io_bus_destroy(struct lodge_vm *vm);

int lodge_io_bus_init(void);	/* module load: the workqueue that releases devices; 0 or -ENOMEM */
void lodge_io_bus_exit(void);	/* module unload: waits for releases and for RCU callbacks of the module */

#endif
