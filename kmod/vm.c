// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VM's life: creation for the calling process, the list of all VMs, death by kill, destruction with the
 * last of its fds. Its ioctls are vm_ioctl.c's. Destruction unlinks first, frees last, waits for nobody.
 */
#include "vm.h"

#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "clock.h"
#include "eventfd.h"
#include "hardware.h"
#include "io_bus.h"
#include "irqchip/irqchip.h"
#include "mmu/mmu.h"
#include "msr_filter.h"
#include "stats.h"
#include "vcpu.h"

LIST_HEAD(lodge_vm_list);
DEFINE_MUTEX(lodge_vm_list_lock);
unsigned int lodge_vm_list_generation;
static u64 lodge_next_vm_id = 1;	/* under lodge_vm_list_lock */

static void vm_list_add(struct lodge_vm *vm)
{
	mutex_lock(&lodge_vm_list_lock);
	vm->id = lodge_next_vm_id++;
	list_add_tail(&vm->link, &lodge_vm_list);
	lodge_vm_list_generation++;
	mutex_unlock(&lodge_vm_list_lock);
}

static void vm_list_del(struct lodge_vm *vm)
{
	mutex_lock(&lodge_vm_list_lock);
	list_del(&vm->link);
	lodge_vm_list_generation++;
	mutex_unlock(&lodge_vm_list_lock);
}

/* Each part's destroy tolerates that its create never ran. */
static void vm_free(struct lodge_vm *vm)
{
	struct lodge_vcpu *vcpu;
	unsigned long i;

	lodge_irqfds_release(vm);
	/* The chips' timers look for vCPUs: they stop first. */
	lodge_irqchip_destroy(vm);
	xa_for_each(&vm->vcpus, i, vcpu)
		lodge_vcpu_free(vcpu);
	xa_destroy(&vm->vcpus);
	lodge_io_bus_destroy(vm);
	lodge_irqfds_destroy(vm);
	lodge_clock_destroy(vm);
	lodge_msr_filter_destroy(vm);
	lodge_mmu_destroy(vm);
	if (vm->coalesced_ring)
		__free_page(vm->coalesced_ring);
	lodge_hardware_put();
	mmdrop(vm->mm);
	kfree(vm);
}

static int vm_create_parts(struct lodge_vm *vm)
{
	int ret = lodge_mmu_create(vm);

	if (ret)
		return ret;
	ret = lodge_clock_create(vm);
	if (ret)
		return ret;
	return lodge_irqfds_create(vm);
}

struct lodge_vm *lodge_vm_create(void)
{
	struct lodge_vm *vm;
	int ret = lodge_hardware_get();

	if (ret)
		return ERR_PTR(ret);
	vm = kzalloc(sizeof(*vm), GFP_KERNEL_ACCOUNT);
	if (!vm) {
		lodge_hardware_put();
		return ERR_PTR(-ENOMEM);
	}
	vm->mm = current->mm;
	mmgrab(vm->mm);
	vm->pid = task_tgid_nr(current);
	mutex_init(&vm->lock);
	mutex_init(&vm->slots_lock);
	INIT_LIST_HEAD(&vm->link);
	xa_init(&vm->vcpus);
	vm->state = LODGE_VM_CREATED;

	ret = vm_create_parts(vm);
	if (ret) {
		vm_free(vm);
		return ERR_PTR(ret);
	}
	/* From here on it is no longer ours alone, and its buses need their lock. */
	refcount_set(&vm->users, 1);
	vm_list_add(vm);
	lodge_notify_state(vm, LODGE_VM_CREATED, NULL);
	return vm;
}

void lodge_vm_get(struct lodge_vm *vm)
{
	refcount_inc(&vm->users);
}

void lodge_vm_put(struct lodge_vm *vm)
{
	if (!refcount_dec_and_test(&vm->users))
		return;
	vm_list_del(vm);
	lodge_notify_state(vm, LODGE_VM_DESTROYED, NULL);
	vm_free(vm);
}

void lodge_vm_kill(struct lodge_vm *vm, enum lodge_vm_death why)
{
	struct lodge_vcpu *vcpu;
	unsigned long i;

	if (cmpxchg(&vm->death, LODGE_VM_ALIVE, why) != LODGE_VM_ALIVE)
		return;
	lodge_for_each_vcpu(i, vcpu, vm)
		lodge_vcpu_request(vcpu, LODGE_REQ_DEAD);
}

const char *lodge_vm_death_name(enum lodge_vm_death why)
{
	switch (why) {
	case LODGE_VM_KILLED_HARDWARE:
		return "virtualization feature lost";
	case LODGE_VM_KILLED_BUG:
		return "internal inconsistency";
	default:
		return "alive";
	}
}
