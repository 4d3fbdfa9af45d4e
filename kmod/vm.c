// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VM's life: creation for the calling process, the list of all VMs, death by kill, destruction with the
 * last of its fds. Its ioctls are vm_ioctl.c's. Destruction unlinks first and frees last, in a worker: the thread that
 * closes waits for nobody and pays nothing for the guest's memory.
 */
#include "vm.h"

#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

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

/*
 * VMs that wait for the worker, at most before whoever makes new ones waits for it: a process that makes and closes
 * VMs faster than they are freed must not fill the host.
 */
#define VM_DYING_MAX	64

static struct workqueue_struct *vm_free_wq;
static atomic_t vm_nr_dying;
static DECLARE_WAIT_QUEUE_HEAD(vm_freed);

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

/*
 * Each part's destroy tolerates that its create never ran. The irqfds are released: a signal finds the chips no more.
 * The MMU goes before the vCPUs, since the notifier, which is heard until then, looks for those that are in the guest.
 */
static void vm_free(struct lodge_vm *vm)
{
	struct lodge_vcpu *vcpu;
	unsigned long i;

	lodge_irqfds_drain(vm);
	/* The chips' timers look for vCPUs: they stop first. */
	lodge_irqchip_destroy(vm);
	lodge_mmu_destroy(vm);
	xa_for_each(&vm->vcpus, i, vcpu)
		lodge_vcpu_free(vcpu);
	xa_destroy(&vm->vcpus);
	lodge_io_bus_destroy(vm);
	lodge_irqfds_destroy(vm);
	lodge_clock_destroy(vm);
	lodge_msr_filter_destroy(vm);
	if (vm->coalesced_ring)
		__free_page(vm->coalesced_ring);
	lodge_hardware_put();
	mmdrop(vm->mm);
	kfree(vm);
}

static void vm_free_work(struct work_struct *work)
{
	vm_free(container_of(to_delayed_work(work), struct lodge_vm, free_work));
	atomic_dec(&vm_nr_dying);
	wake_up_all(&vm_freed);
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
	int ret;

	/* After a loss of the CPU feature the dead go first: with the last of them it is given back and taken anew. */
	if (wait_event_killable(vm_freed, atomic_read(&vm_nr_dying) <= (lodge_hardware_is_lost() ? 0 : VM_DYING_MAX)))
		return ERR_PTR(-EINTR);
	ret = lodge_hardware_get();
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
	INIT_DELAYED_WORK(&vm->free_work, vm_free_work);
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
	atomic_inc(&vm_nr_dying);
	/* After the next tick: started at once the worker would run in the place of the thread that closes. */
	queue_delayed_work(vm_free_wq, &vm->free_work, 1);
}

void lodge_vm_kill(struct lodge_vm *vm, enum lodge_vm_death why)
{
	struct lodge_vcpu *vcpu;
	unsigned long i;

	if (cmpxchg(&vm->death, LODGE_VM_ALIVE, why) != LODGE_VM_ALIVE)
		return;
	if (why == LODGE_VM_KILLED_HARDWARE)
		lodge_hardware_lost();
	lodge_for_each_vcpu(i, vcpu, vm)
		lodge_vcpu_request(vcpu, LODGE_REQ_DEAD);
}

const char *lodge_vm_death_name(enum lodge_vm_death why)
{
	switch (why) {
	case LODGE_VM_KILLED_HARDWARE:
		return "virtualization feature lost";
	case LODGE_VM_KILLED_RING:
		return "dirty ring overrun";
	case LODGE_VM_KILLED_BUG:
		return "internal inconsistency";
	default:
		return "alive";
	}
}

int lodge_vm_init(void)
{
	/* What it does frees memory: it must go on when there is none for a new thread. */
	vm_free_wq = alloc_workqueue("lodge-vm", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	return vm_free_wq ? 0 : -ENOMEM;
}

void lodge_vm_exit(void)
{
	/* Those whose tick is still to come are not in the queue yet. */
	wait_event(vm_freed, !atomic_read(&vm_nr_dying));
	destroy_workqueue(vm_free_wq);
}
