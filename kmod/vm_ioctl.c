// SPDX-License-Identifier: GPL-2.0-only
/*
 * The VM fd: its table of ioctls. Most rows only pass on to the part that owns the thing; those that change
 * the VM as a whole hold vm->lock (LODGE_IOCTL_LOCK).
 */
#include <linux/anon_inodes.h>
#include <linux/ctype.h>
#include <linux/file.h>
#include <linux/kvm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "cap.h"
#include "clock.h"
#include "coalesced.h"
#include "eventfd.h"
#include "ioctl.h"
#include "irqchip/irqchip.h"
#include "mmu/mmu.h"
#include "msr_filter.h"
#include "stats_fd.h"
#include "trace.h"
#include "vcpu.h"
#include "vm.h"
#include "../uapi/lodge.h"

#define TSS_PAGES		3
#define MMU_PAGES_MIN		64	/* KVM's least for KVM_SET_NR_MMU_PAGES */

static long vm_check_extension(struct lodge_vm *vm, struct lodge_ioctl_call *call)
{
	return call->value > U32_MAX ? 0 : lodge_cap_check(vm, call->value);
}

static int vcpu_id_check(struct lodge_vm *vm, u32 id)
{
	struct lodge_vcpu *vcpu;
	unsigned long i;

	if (id >= (vm->max_vcpu_id ?: LODGE_MAX_VCPU_ID) || vm->nr_vcpus >= LODGE_MAX_VCPUS)
		return -EINVAL;
	lodge_for_each_vcpu(i, vcpu, vm)
		if (vcpu->id == id)
			return -EEXIST;
	return 0;
}

static long vm_create_vcpu(struct lodge_vm *vm, struct lodge_ioctl_call *call)
{
	struct lodge_vcpu *vcpu;
	int fd, ret;

	if (call->value > U32_MAX)
		return -EINVAL;
	ret = vcpu_id_check(vm, call->value);
	if (ret)
		return ret;
	vcpu = lodge_vcpu_create(vm, call->value);
	if (IS_ERR(vcpu))
		return PTR_ERR(vcpu);
	vcpu->index = vm->nr_vcpus;
	ret = xa_err(xa_store(&vm->vcpus, vcpu->index, vcpu, GFP_KERNEL_ACCOUNT));
	if (ret)
		goto free_vcpu;
	fd = lodge_vcpu_fd_create(vcpu);
	if (fd < 0) {
		ret = fd;
		goto erase;
	}
	return fd;

erase:
	xa_erase(&vm->vcpus, vcpu->index);
free_vcpu:
	lodge_vcpu_free(vcpu);
	return ret;
}

/* The wider struct begins like the older one; what it has more means something with a flag that is not offered. */
static long vm_set_memory(struct lodge_vm *vm, struct lodge_ioctl_call *call)
{
	BUILD_BUG_ON(offsetofend(struct kvm_userspace_memory_region2, userspace_addr) !=
		     sizeof(struct kvm_userspace_memory_region));
	return lodge_memslot_set(vm, call->arg);
}

static long vm_get_dirty_log(struct lodge_vm *vm, struct lodge_ioctl_call *call)
{
	return lodge_dirty_log_get(vm, call->arg);
}

static long vm_clear_dirty_log(struct lodge_vm *vm, struct lodge_ioctl_call *call)
{
	return lodge_dirty_log_clear(vm, call->arg);
}

static long vm_reset_dirty_rings(struct lodge_vm *vm, struct lodge_ioctl_call *call)
{
	return lodge_dirty_rings_reset(vm);
}

static long vm_set_tss_addr(struct lodge_vm *vm, struct lodge_ioctl_call *call)
{
	if (call->value > U32_MAX - TSS_PAGES * PAGE_SIZE + 1)
		return -EINVAL;
	vm->tss_addr = call->value;
	return 0;
}

static long vm_set_identity_map(struct lodge_vm *vm, struct lodge_ioctl_call *call)
{
	if (vm->nr_vcpus)
		return -EINVAL;
	vm->identity_map_addr = *(u64 *)call->arg;
	return 0;
}

static long vm_set_mmu_pages(struct lodge_vm *vm, struct lodge_ioctl_call *call)
{
	return call->value < MMU_PAGES_MIN ? -EINVAL : 0;
}

static long vm_set_boot_cpu(struct lodge_vm *vm, struct lodge_ioctl_call *call)
{
	if (vm->nr_vcpus)
		return -EBUSY;
	vm->boot_vcpu_id = call->value;
	return 0;
}

static long vm_create_irqchip(struct lodge_vm *vm, struct lodge_ioctl_call *call)
{
	return lodge_irqchip_create(vm);
}

static long vm_get_irqchip(struct lodge_vm *vm, struct lodge_ioctl_call *call)
{
	return lodge_irqchip_get(vm, call->arg);
}

static long vm_set_irqchip(struct lodge_vm *vm, struct lodge_ioctl_call *call)
{
	return lodge_irqchip_set(vm, call->arg);
}

static long vm_create_pit(struct lodge_vm *vm, struct lodge_ioctl_call *call)
{
	return lodge_pit_create(vm, call->arg);
}

static long vm_get_pit(struct lodge_vm *vm, struct lodge_ioctl_call *call)
{
	return lodge_pit_get(vm, call->arg);
}

static long vm_set_pit(struct lodge_vm *vm, struct lodge_ioctl_call *call)
{
	return lodge_pit_set(vm, call->arg);
}

static long vm_reinject(struct lodge_vm *vm, struct lodge_ioctl_call *call)
{
	struct kvm_reinject_control control;

	/* Its number carries no size. */
	if (copy_from_user(&control, call->user, sizeof(control)))
		return -EFAULT;
	return lodge_pit_reinject(vm, &control);
}

static long vm_irq_line(struct lodge_vm *vm, struct lodge_ioctl_call *call)
{
	struct kvm_irq_level *level = call->arg;
	int status;

	if (!lodge_vm_has_lapics(vm))
		return -ENXIO;
	status = lodge_irq_set(vm, LODGE_IRQ_SOURCE_USER, level->irq, level->level);
	if (call->cmd == KVM_IRQ_LINE_STATUS)
		level->status = status;
	return 0;
}

static long vm_signal_msi(struct lodge_vm *vm, struct lodge_ioctl_call *call)
{
	const struct kvm_msi *msi = call->arg;

	if (!lodge_vm_has_lapics(vm) || msi->flags)
		return -EINVAL;
	return lodge_msi_send(vm, msi);
}

static long vm_set_routing(struct lodge_vm *vm, struct lodge_ioctl_call *call)
{
	const struct kvm_irq_routing *args = call->arg;
	const struct kvm_irq_routing __user *user = call->user;
	struct kvm_irq_routing_entry *entries = NULL;
	int ret;

	if (!lodge_vm_has_lapics(vm) || args->nr > LODGE_MAX_IRQ_ROUTES || args->flags)
		return -EINVAL;
	if (args->nr) {
		entries = vmemdup_user(user->entries, array_size(sizeof(*entries), args->nr));
		if (IS_ERR(entries))
			return PTR_ERR(entries);
	}
	ret = lodge_routing_set(vm, entries, args->nr, args->flags);
	kvfree(entries);
	return ret;
}

static long vm_irqfd(struct lodge_vm *vm, struct lodge_ioctl_call *call)
{
	return lodge_irqfd_set(vm, call->arg);
}

static long vm_ioeventfd(struct lodge_vm *vm, struct lodge_ioctl_call *call)
{
	return lodge_ioeventfd_set(vm, call->arg);
}

static long vm_register_coalesced(struct lodge_vm *vm, struct lodge_ioctl_call *call)
{
	return lodge_coalesced_register(vm, call->arg);
}

static long vm_unregister_coalesced(struct lodge_vm *vm, struct lodge_ioctl_call *call)
{
	return lodge_coalesced_unregister(vm, call->arg);
}

static long vm_get_clock(struct lodge_vm *vm, struct lodge_ioctl_call *call)
{
	return lodge_clock_get(vm, call->arg);
}

static long vm_set_clock(struct lodge_vm *vm, struct lodge_ioctl_call *call)
{
	return lodge_clock_set(vm, call->arg);
}

static long vm_get_tsc_khz(struct lodge_vm *vm, struct lodge_ioctl_call *call)
{
	return lodge_tsc_vm_khz(vm);
}

static long vm_set_tsc_khz(struct lodge_vm *vm, struct lodge_ioctl_call *call)
{
	return lodge_tsc_vm_khz_set(vm, call->value);
}

static long vm_set_msr_filter(struct lodge_vm *vm, struct lodge_ioctl_call *call)
{
	return lodge_msr_filter_set(vm, call->arg);
}

static long vm_stats_fd(struct lodge_vm *vm, struct lodge_ioctl_call *call)
{
	return lodge_vm_stats_fd(vm);
}

/* Once: by this call, or by the first vCPU, which fixes the most there can be. */
static int vm_limit_vcpu_ids(struct lodge_vm *vm, u64 max)
{
	u32 now = vm->max_vcpu_id ?: vm->nr_vcpus ? LODGE_MAX_VCPU_ID : 0;

	if (max > LODGE_MAX_VCPU_ID || (now && now != max))
		return -EINVAL;
	vm->max_vcpu_id = max;
	return 0;
}

/* Initially-all-set means something only where the VMM clears by hand. */
static int vm_protect_dirty_log(struct lodge_vm *vm, u64 flags)
{
	if (flags & ~(u64)(KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE | KVM_DIRTY_LOG_INITIALLY_SET) ||
	    flags == KVM_DIRTY_LOG_INITIALLY_SET)
		return -EINVAL;
	lodge_dirty_log_configure(vm, flags);
	return 0;
}

static long vm_enable_cap(struct lodge_vm *vm, struct lodge_ioctl_call *call)
{
	const struct kvm_enable_cap *cap = call->arg;

	switch (cap->cap) {
	/* As KVM, whatever the flags. */
	case KVM_CAP_DIRTY_LOG_RING:
	case KVM_CAP_DIRTY_LOG_RING_ACQ_REL:
		return lodge_dirty_ring_enable(vm, cap->args[0]);
	}
	if (cap->flags)
		return -EINVAL;
	switch (cap->cap) {
	case KVM_CAP_SPLIT_IRQCHIP:
		return lodge_irqchip_create_split(vm, cap->args[0]);
	case KVM_CAP_MAX_VCPU_ID:
		return vm_limit_vcpu_ids(vm, cap->args[0]);
	case KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2:
		return vm_protect_dirty_log(vm, cap->args[0]);
	default:
		return lodge_cap_enable(vm, cap);
	}
}

static long vm_query(struct lodge_vm *vm, struct lodge_ioctl_call *call)
{
	return lodge_query(call);
}

static bool vm_name_valid(const char *name)
{
	size_t len = strnlen(name, LODGE_NAME_MAX), i;

	if (!len || len == LODGE_NAME_MAX)
		return false;
	for (i = 0; i < len; i++)
		if (!isascii(name[i]) || !isprint(name[i]))
			return false;
	return true;
}

static long vm_set_name(struct lodge_vm *vm, struct lodge_ioctl_call *call)
{
	struct lodge_vm_name args;
	int ret = lodge_copy_struct(&args, sizeof(args), sizeof(args), call->user);

	if (ret)
		return ret;
	if (args.flags || !vm_name_valid(args.name))
		return -EINVAL;
	/* Read by netlink under the list's lock. */
	mutex_lock(&lodge_vm_list_lock);
	strscpy(vm->name, args.name, sizeof(vm->name));
	mutex_unlock(&lodge_vm_list_lock);
	return 0;
}

static const struct lodge_vm_ioctl vm_ioctls[] = {
	{ KVM_CHECK_EXTENSION,		LODGE_IOCTL_VALUE,	vm_check_extension },
	{ KVM_CREATE_VCPU,		LODGE_IOCTL_VALUE | LODGE_IOCTL_LOCK, vm_create_vcpu },
	{ KVM_SET_USER_MEMORY_REGION,	0,			vm_set_memory },
	{ KVM_SET_USER_MEMORY_REGION2,	0,			vm_set_memory },
	{ KVM_GET_DIRTY_LOG,		0,			vm_get_dirty_log },
	{ KVM_CLEAR_DIRTY_LOG,		LODGE_IOCTL_KEEP,	vm_clear_dirty_log },
	{ KVM_RESET_DIRTY_RINGS,	LODGE_IOCTL_VALUE,	vm_reset_dirty_rings },
	{ KVM_SET_TSS_ADDR,		LODGE_IOCTL_VALUE | LODGE_IOCTL_LOCK, vm_set_tss_addr },
	{ KVM_SET_IDENTITY_MAP_ADDR,	LODGE_IOCTL_LOCK,	vm_set_identity_map },
	{ KVM_SET_NR_MMU_PAGES,		LODGE_IOCTL_VALUE,	vm_set_mmu_pages },
	{ KVM_SET_BOOT_CPU_ID,		LODGE_IOCTL_VALUE | LODGE_IOCTL_LOCK, vm_set_boot_cpu },
	{ KVM_CREATE_IRQCHIP,		LODGE_IOCTL_VALUE | LODGE_IOCTL_LOCK, vm_create_irqchip },
	{ KVM_GET_IRQCHIP,		0,			vm_get_irqchip },
	{ KVM_SET_IRQCHIP,		LODGE_IOCTL_KEEP | LODGE_IOCTL_IN,	vm_set_irqchip },
	{ KVM_CREATE_PIT2,		LODGE_IOCTL_LOCK,	vm_create_pit },
	{ KVM_GET_PIT2,			LODGE_IOCTL_LOCK,	vm_get_pit },
	{ KVM_SET_PIT2,			LODGE_IOCTL_LOCK,	vm_set_pit },
	{ KVM_REINJECT_CONTROL,		LODGE_IOCTL_VALUE | LODGE_IOCTL_LOCK,	vm_reinject },
	{ KVM_IRQ_LINE,			0,			vm_irq_line },
	{ KVM_IRQ_LINE_STATUS,		0,			vm_irq_line },
	{ KVM_SIGNAL_MSI,		0,			vm_signal_msi },
	{ KVM_SET_GSI_ROUTING,		LODGE_IOCTL_LOCK,	vm_set_routing },
	{ KVM_IRQFD,			0,			vm_irqfd },
	{ KVM_IOEVENTFD,		0,			vm_ioeventfd },
	{ KVM_REGISTER_COALESCED_MMIO,	0,			vm_register_coalesced },
	{ KVM_UNREGISTER_COALESCED_MMIO, 0,			vm_unregister_coalesced },
	{ KVM_GET_CLOCK,		0,			vm_get_clock },
	{ KVM_SET_CLOCK,		0,			vm_set_clock },
	{ KVM_GET_TSC_KHZ,		LODGE_IOCTL_VALUE,	vm_get_tsc_khz },
	{ KVM_SET_TSC_KHZ,		LODGE_IOCTL_VALUE,	vm_set_tsc_khz },
	{ KVM_GET_STATS_FD,		LODGE_IOCTL_VALUE,	vm_stats_fd },
	{ KVM_X86_SET_MSR_FILTER,	LODGE_IOCTL_LOCK,	vm_set_msr_filter },
	{ KVM_ENABLE_CAP,		LODGE_IOCTL_LOCK,	vm_enable_cap },
	{ LODGE_QUERY,			LODGE_IOCTL_VALUE,	vm_query },
	{ LODGE_VM_SET_NAME,		LODGE_IOCTL_VALUE,	vm_set_name },
};

static long vm_call(struct lodge_vm *vm, const struct lodge_vm_ioctl *row, struct lodge_ioctl_call *call)
{
	long ret = lodge_ioctl_begin(call, row->flags);

	if (ret)
		return ret;
	if (row->flags & LODGE_IOCTL_LOCK)
		mutex_lock(&vm->lock);
	ret = row->handler(vm, call);
	if (row->flags & LODGE_IOCTL_LOCK)
		mutex_unlock(&vm->lock);
	return lodge_ioctl_end(call, row->flags, ret);
}

static long vm_ioctl(struct file *file, unsigned int cmd, unsigned long value)
{
	struct lodge_vm *vm = file->private_data;
	struct lodge_ioctl_call call = { .cmd = cmd, .value = value };
	unsigned int i;
	long ret = -ENOTTY;

	/* Guest memory is the creator's address space: nobody else's can stand in for it. */
	if (vm->mm != current->mm || READ_ONCE(vm->death))
		return -EIO;
	for (i = 0; i < ARRAY_SIZE(vm_ioctls); i++) {
		if (vm_ioctls[i].cmd != cmd)
			continue;
		ret = vm_call(vm, &vm_ioctls[i], &call);
		break;
	}
	if (ret < 0)
		trace_lodge_ioctl_refused(cmd, ret);
	return ret;
}

static int vm_release(struct inode *inode, struct file *file)
{
	struct lodge_vm *vm = file->private_data;

	lodge_irqfds_release(vm);
	lodge_vm_put(vm);
	return 0;
}

static const struct file_operations vm_fops = {
	.owner = THIS_MODULE,
	.release = vm_release,
	.unlocked_ioctl = vm_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};

int lodge_vm_fd_create(struct lodge_vm *vm)
{
	int fd = anon_inode_getfd("lodge-vm", &vm_fops, vm, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		lodge_vm_put(vm);
	return fd;
}
