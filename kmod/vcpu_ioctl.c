// SPDX-License-Identifier: GPL-2.0-only
/*
 * The vCPU fd: its mapping and its table of ioctls. Every row holds vcpu->mutex, which makes the caller the
 * vCPU's owner for that long.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kvm.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "backend.h"
#include "clock.h"
#include "cpuid.h"
#include "event.h"
#include "fpu.h"
#include "ioctl.h"
#include "irqchip/irqchip.h"
#include "mmu/mmu.h"
#include "mce.h"
#include "msr.h"
#include "regs.h"
#include "run.h"
#include "stats_fd.h"
#include "trace.h"
#include "vcpu.h"
#include "../uapi/lodge.h"

static long vcpu_get_regs(struct lodge_vcpu *vcpu, struct lodge_ioctl_call *call)
{
	lodge_regs_get(vcpu, call->arg);
	return 0;
}

static long vcpu_set_regs(struct lodge_vcpu *vcpu, struct lodge_ioctl_call *call)
{
	lodge_regs_set(vcpu, call->arg);
	return 0;
}

static long vcpu_get_sregs(struct lodge_vcpu *vcpu, struct lodge_ioctl_call *call)
{
	lodge_sregs_get(vcpu, call->arg);
	return 0;
}

static long vcpu_set_sregs(struct lodge_vcpu *vcpu, struct lodge_ioctl_call *call)
{
	return lodge_sregs_set(vcpu, call->arg);
}

static long vcpu_get_sregs2(struct lodge_vcpu *vcpu, struct lodge_ioctl_call *call)
{
	lodge_sregs2_get(vcpu, call->arg);
	return 0;
}

static long vcpu_set_sregs2(struct lodge_vcpu *vcpu, struct lodge_ioctl_call *call)
{
	return lodge_sregs2_set(vcpu, call->arg);
}

static long vcpu_get_fpu(struct lodge_vcpu *vcpu, struct lodge_ioctl_call *call)
{
	lodge_fpu_get(vcpu, call->arg);
	return 0;
}

static long vcpu_set_fpu(struct lodge_vcpu *vcpu, struct lodge_ioctl_call *call)
{
	lodge_fpu_set(vcpu, call->arg);
	return 0;
}

static long vcpu_get_xsave(struct lodge_vcpu *vcpu, struct lodge_ioctl_call *call)
{
	lodge_fpu_get_xsave(vcpu, call->arg, sizeof(struct kvm_xsave));
	return 0;
}

static long vcpu_get_xsave2(struct lodge_vcpu *vcpu, struct lodge_ioctl_call *call)
{
	u32 size = lodge_fpu_xsave_size();
	void *image = kvzalloc(size, GFP_KERNEL_ACCOUNT);
	int ret = 0;

	if (!image)
		return -ENOMEM;
	lodge_fpu_get_xsave(vcpu, image, size);
	if (copy_to_user(call->user, image, size))
		ret = -EFAULT;
	kvfree(image);
	return ret;
}

static long vcpu_set_xsave(struct lodge_vcpu *vcpu, struct lodge_ioctl_call *call)
{
	u32 size = lodge_fpu_xsave_size();
	void *image = vmemdup_user(call->user, size);
	int ret;

	if (IS_ERR(image))
		return PTR_ERR(image);
	ret = lodge_fpu_set_xsave(vcpu, image, size);
	kvfree(image);
	return ret;
}

static long vcpu_get_xcrs(struct lodge_vcpu *vcpu, struct lodge_ioctl_call *call)
{
	struct kvm_xcrs *xcrs = call->arg;

	xcrs->nr_xcrs = 1;
	xcrs->xcrs[0].xcr = 0;
	xcrs->xcrs[0].value = vcpu->xcr0;
	return 0;
}

static long vcpu_set_xcrs(struct lodge_vcpu *vcpu, struct lodge_ioctl_call *call)
{
	const struct kvm_xcrs *xcrs = call->arg;
	u32 i;

	if (xcrs->nr_xcrs > KVM_MAX_XCRS || xcrs->flags)
		return -EINVAL;
	for (i = 0; i < xcrs->nr_xcrs; i++)
		if (xcrs->xcrs[i].xcr == 0)
			return lodge_fpu_set_xcr0(vcpu, xcrs->xcrs[i].value);
	return -EINVAL;
}

static long vcpu_set_cpuid(struct lodge_vcpu *vcpu, struct lodge_ioctl_call *call)
{
	const struct kvm_cpuid2 *args = call->arg;
	const struct kvm_cpuid2 __user *user = call->user;
	struct kvm_cpuid_entry2 *entries = NULL;
	int ret;

	if (args->nent > LODGE_MAX_CPUID_ENTRIES)
		return -E2BIG;
	if (args->nent) {
		entries = vmemdup_user(user->entries, array_size(sizeof(*entries), args->nent));
		if (IS_ERR(entries))
			return PTR_ERR(entries);
	}
	ret = lodge_cpuid_set(vcpu, entries, args->nent);
	kvfree(entries);
	if (!ret)
		lodge_op(cpuid_changed)(vcpu);
	return ret;
}

static long vcpu_get_cpuid(struct lodge_vcpu *vcpu, struct lodge_ioctl_call *call)
{
	struct kvm_cpuid2 *args = call->arg;
	struct kvm_cpuid2 __user *user = call->user;
	struct kvm_cpuid_entry2 *entries;
	u32 max = min_t(u32, args->nent, LODGE_MAX_CPUID_ENTRIES);
	int nent, ret = 0;

	entries = kvcalloc(max ?: 1, sizeof(*entries), GFP_KERNEL_ACCOUNT);
	if (!entries)
		return -ENOMEM;
	nent = lodge_cpuid_get(vcpu, entries, max);
	if (nent < 0)
		ret = nent;
	else if (copy_to_user(user->entries, entries, nent * sizeof(*entries)) || put_user(nent, &user->nent))
		ret = -EFAULT;
	kvfree(entries);
	return ret;
}

/* Entries are done in order and the number done comes back: the first refused one ends the call. */
static long vcpu_msrs(struct lodge_vcpu *vcpu, struct lodge_ioctl_call *call)
{
	const struct kvm_msrs *args = call->arg;
	struct kvm_msrs __user *user = call->user;
	bool get = call->cmd == KVM_GET_MSRS;
	struct kvm_msr_entry *entries;
	u32 i;
	long ret;

	if (args->nmsrs >= LODGE_MAX_MSRS)
		return -E2BIG;
	if (!args->nmsrs)
		return 0;
	entries = vmemdup_user(user->entries, array_size(sizeof(*entries), args->nmsrs));
	if (IS_ERR(entries))
		return PTR_ERR(entries);
	for (i = 0; i < args->nmsrs; i++)
		if (get ? lodge_msr_get(vcpu, entries[i].index, &entries[i].data, true) :
			  lodge_msr_set(vcpu, entries[i].index, entries[i].data, true))
			break;
	ret = i;
	if (get && copy_to_user(user->entries, entries, i * sizeof(*entries)))
		ret = -EFAULT;
	kvfree(entries);
	return ret;
}

static long vcpu_get_lapic(struct lodge_vcpu *vcpu, struct lodge_ioctl_call *call)
{
	if (!vcpu->lapic)
		return -EINVAL;
	lodge_lapic_get_state(vcpu, call->arg);
	return 0;
}

static long vcpu_set_lapic(struct lodge_vcpu *vcpu, struct lodge_ioctl_call *call)
{
	if (!vcpu->lapic)
		return -EINVAL;
	return lodge_lapic_set_state(vcpu, call->arg);
}

/* KVM_CAP_VAPIC is not offered; clients that did not ask still switch it off at reset. */
static long vcpu_vapic_addr(struct lodge_vcpu *vcpu, struct lodge_ioctl_call *call)
{
	const struct kvm_vapic_addr *vapic = call->arg;

	return !vcpu->lapic || vapic->vapic_addr ? -EINVAL : 0;
}

static long vcpu_get_mp_state(struct lodge_vcpu *vcpu, struct lodge_ioctl_call *call)
{
	struct kvm_mp_state *state = call->arg;

	if (lodge_vcpu_take_request(vcpu, LODGE_REQ_APIC))
		lodge_lapic_accept_events(vcpu);
	state->mp_state = vcpu->mp_state;
	/* Kicked, but not run since. */
	if (vcpu->mp_state == KVM_MP_STATE_HALTED && READ_ONCE(vcpu->pv_unhalted))
		state->mp_state = KVM_MP_STATE_RUNNABLE;
	return 0;
}

static long vcpu_set_mp_state(struct lodge_vcpu *vcpu, struct lodge_ioctl_call *call)
{
	const struct kvm_mp_state *state = call->arg;

	switch (state->mp_state) {
	case KVM_MP_STATE_RUNNABLE:
		break;
	case KVM_MP_STATE_UNINITIALIZED:
	case KVM_MP_STATE_HALTED:
	case KVM_MP_STATE_INIT_RECEIVED:
		if (!vcpu->lapic)
			return -EINVAL;
		break;
	case KVM_MP_STATE_SIPI_RECEIVED:
		if (!vcpu->lapic)
			return -EINVAL;
		vcpu->mp_state = KVM_MP_STATE_INIT_RECEIVED;
		lodge_lapic_queue_sipi(vcpu);
		return 0;
	default:
		return -EINVAL;
	}
	vcpu->mp_state = state->mp_state;
	lodge_vcpu_request_self(vcpu, LODGE_REQ_EVENT);
	return 0;
}

static long vcpu_get_events(struct lodge_vcpu *vcpu, struct lodge_ioctl_call *call)
{
	lodge_vcpu_events_get(vcpu, call->arg);
	return 0;
}

static long vcpu_set_events(struct lodge_vcpu *vcpu, struct lodge_ioctl_call *call)
{
	return lodge_vcpu_events_set(vcpu, call->arg);
}

static long vcpu_get_debugregs(struct lodge_vcpu *vcpu, struct lodge_ioctl_call *call)
{
	lodge_debugregs_get(vcpu, call->arg);
	return 0;
}

static long vcpu_set_debugregs(struct lodge_vcpu *vcpu, struct lodge_ioctl_call *call)
{
	return lodge_debugregs_set(vcpu, call->arg);
}

static long vcpu_guest_debug(struct lodge_vcpu *vcpu, struct lodge_ioctl_call *call)
{
	return lodge_guest_debug_set(vcpu, call->arg);
}

static long vcpu_interrupt(struct lodge_vcpu *vcpu, struct lodge_ioctl_call *call)
{
	const struct kvm_interrupt *irq = call->arg;

	return lodge_user_interrupt(vcpu, irq->irq);
}

static long vcpu_nmi(struct lodge_vcpu *vcpu, struct lodge_ioctl_call *call)
{
	lodge_vcpu_nmi(vcpu);
	return 0;
}

static long vcpu_signal_mask(struct lodge_vcpu *vcpu, struct lodge_ioctl_call *call)
{
	struct kvm_signal_mask __user *user = call->user;
	u32 len;

	vcpu->run_wants &= ~LODGE_RUN_SIGSET;
	if (!user)
		return 0;
	if (get_user(len, &user->len))
		return -EFAULT;
	if (len != sizeof(sigset_t))
		return -EINVAL;
	if (copy_from_user(&vcpu->sigset, user->sigset, sizeof(sigset_t)))
		return -EFAULT;
	sigdelsetmask(&vcpu->sigset, sigmask(SIGKILL) | sigmask(SIGSTOP));
	vcpu->run_wants |= LODGE_RUN_SIGSET;
	return 0;
}

static long vcpu_get_tsc_khz(struct lodge_vcpu *vcpu, struct lodge_ioctl_call *call)
{
	return vcpu->tsc_khz;
}

static long vcpu_set_tsc_khz(struct lodge_vcpu *vcpu, struct lodge_ioctl_call *call)
{
	return lodge_tsc_khz_set(vcpu, call->value);
}

static long vcpu_kvmclock_ctrl(struct lodge_vcpu *vcpu, struct lodge_ioctl_call *call)
{
	return lodge_kvmclock_ctrl(vcpu);
}

static long vcpu_translate(struct lodge_vcpu *vcpu, struct lodge_ioctl_call *call)
{
	struct kvm_translation *tr = call->arg;
	struct lodge_walk walk = {};
	int ret = lodge_mmu_translate(vcpu, tr->linear_address, &walk);

	if (ret)
		walk.fault = true;
	tr->physical_address = walk.fault ? ~0ULL : walk.gpa;
	tr->valid = !walk.fault;
	tr->writeable = 1;
	tr->usermode = 0;
	return 0;
}

static long vcpu_setup_mce(struct lodge_vcpu *vcpu, struct lodge_ioctl_call *call)
{
	return lodge_mce_setup(vcpu, *(u64 *)call->arg);
}

static long vcpu_set_mce(struct lodge_vcpu *vcpu, struct lodge_ioctl_call *call)
{
	return lodge_mce_set(vcpu, call->arg);
}

static long vcpu_stats_fd(struct lodge_vcpu *vcpu, struct lodge_ioctl_call *call)
{
	return lodge_vcpu_stats_fd(vcpu);
}

static long vcpu_enable_cap(struct lodge_vcpu *vcpu, struct lodge_ioctl_call *call)
{
	const struct kvm_enable_cap *cap = call->arg;

	if (cap->flags || cap->cap != KVM_CAP_ENFORCE_PV_FEATURE_CPUID)
		return -EINVAL;
	vcpu->pv_enforced = cap->args[0];
	return 0;
}

/* One attribute: what the guest's TSC is ahead of the host's. */
static long vcpu_device_attr(struct lodge_vcpu *vcpu, struct lodge_ioctl_call *call)
{
	const struct kvm_device_attr *attr = call->arg;
	u64 __user *user = u64_to_user_ptr(attr->addr);
	u64 offset;

	if (attr->group != KVM_VCPU_TSC_CTRL || attr->attr != KVM_VCPU_TSC_OFFSET)
		return -ENXIO;
	if (call->cmd == KVM_GET_DEVICE_ATTR)
		return put_user(vcpu->tsc_offset, user);
	if (call->cmd == KVM_SET_DEVICE_ATTR) {
		if (get_user(offset, user))
			return -EFAULT;
		lodge_tsc_offset_set(vcpu, offset);
	}
	return 0;
}

static const struct lodge_vcpu_ioctl vcpu_ioctls[] = {
	{ KVM_GET_REGS,			0,			vcpu_get_regs },
	{ KVM_SET_REGS,			0,			vcpu_set_regs },
	{ KVM_GET_SREGS,		0,			vcpu_get_sregs },
	{ KVM_SET_SREGS,		0,			vcpu_set_sregs },
	{ KVM_GET_SREGS2,		0,			vcpu_get_sregs2 },
	{ KVM_SET_SREGS2,		0,			vcpu_set_sregs2 },
	{ KVM_GET_FPU,			0,			vcpu_get_fpu },
	{ KVM_SET_FPU,			0,			vcpu_set_fpu },
	{ KVM_GET_XSAVE,		0,			vcpu_get_xsave },
	{ KVM_GET_XSAVE2,		LODGE_IOCTL_VALUE,	vcpu_get_xsave2 },
	{ KVM_SET_XSAVE,		LODGE_IOCTL_VALUE,	vcpu_set_xsave },
	{ KVM_GET_XCRS,			0,			vcpu_get_xcrs },
	{ KVM_SET_XCRS,			0,			vcpu_set_xcrs },
	{ KVM_SET_CPUID2,		0,			vcpu_set_cpuid },
	{ KVM_GET_CPUID2,		LODGE_IOCTL_KEEP,	vcpu_get_cpuid },
	{ KVM_GET_MSRS,			LODGE_IOCTL_KEEP,	vcpu_msrs },
	{ KVM_SET_MSRS,			LODGE_IOCTL_KEEP,	vcpu_msrs },
	{ KVM_GET_LAPIC,		0,			vcpu_get_lapic },
	{ KVM_SET_LAPIC,		0,			vcpu_set_lapic },
	{ KVM_SET_VAPIC_ADDR,		0,			vcpu_vapic_addr },
	{ KVM_GET_MP_STATE,		0,			vcpu_get_mp_state },
	{ KVM_SET_MP_STATE,		0,			vcpu_set_mp_state },
	{ KVM_GET_VCPU_EVENTS,		0,			vcpu_get_events },
	{ KVM_SET_VCPU_EVENTS,		0,			vcpu_set_events },
	{ KVM_GET_DEBUGREGS,		0,			vcpu_get_debugregs },
	{ KVM_SET_DEBUGREGS,		0,			vcpu_set_debugregs },
	{ KVM_SET_GUEST_DEBUG,		0,			vcpu_guest_debug },
	{ KVM_INTERRUPT,		0,			vcpu_interrupt },
	{ KVM_NMI,			LODGE_IOCTL_VALUE,	vcpu_nmi },
	{ KVM_SET_SIGNAL_MASK,		LODGE_IOCTL_VALUE,	vcpu_signal_mask },
	{ KVM_GET_TSC_KHZ,		LODGE_IOCTL_VALUE,	vcpu_get_tsc_khz },
	{ KVM_SET_TSC_KHZ,		LODGE_IOCTL_VALUE,	vcpu_set_tsc_khz },
	{ KVM_KVMCLOCK_CTRL,		LODGE_IOCTL_VALUE,	vcpu_kvmclock_ctrl },
	{ KVM_TRANSLATE,		0,			vcpu_translate },
	{ KVM_X86_SETUP_MCE,		0,			vcpu_setup_mce },
	{ KVM_X86_SET_MCE,		0,			vcpu_set_mce },
	{ KVM_GET_STATS_FD,		LODGE_IOCTL_VALUE,	vcpu_stats_fd },
	{ KVM_ENABLE_CAP,		0,			vcpu_enable_cap },
	{ KVM_HAS_DEVICE_ATTR,		0,			vcpu_device_attr },
	{ KVM_GET_DEVICE_ATTR,		0,			vcpu_device_attr },
	{ KVM_SET_DEVICE_ATTR,		0,			vcpu_device_attr },
};

static long vcpu_call(struct lodge_vcpu *vcpu, const struct lodge_vcpu_ioctl *row, struct lodge_ioctl_call *call)
{
	long ret = lodge_ioctl_begin(call, row->flags);

	if (ret)
		return ret;
	if (mutex_lock_killable(&vcpu->mutex)) {
		kfree(call->arg);
		return -EINTR;
	}
	ret = row->handler(vcpu, call);
	/* Whatever it changed may let an event in or keep it out. */
	lodge_vcpu_request_self(vcpu, LODGE_REQ_EVENT);
	mutex_unlock(&vcpu->mutex);
	return lodge_ioctl_end(call, row->flags, ret);
}

static long vcpu_search(struct lodge_vcpu *vcpu, struct lodge_ioctl_call *call)
{
	unsigned int i;

	if (vcpu->vm->mm != current->mm || READ_ONCE(vcpu->vm->death))
		return -EIO;
	for (i = 0; i < ARRAY_SIZE(vcpu_ioctls); i++)
		if (vcpu_ioctls[i].cmd == call->cmd)
			return vcpu_call(vcpu, &vcpu_ioctls[i], call);
	return _IOC_TYPE(call->cmd) == LODGE_IOC_TYPE ? -ENOTTY : -EINVAL;
}

/* Not inlined: its struct would put a stack canary in KVM_RUN's path. */
static noinline long vcpu_other_ioctl(struct lodge_vcpu *vcpu, unsigned int cmd, unsigned long value)
{
	struct lodge_ioctl_call call = { .cmd = cmd, .value = value };
	long ret = vcpu_search(vcpu, &call);

	if (ret < 0 && ret != -EINTR && ret != -EAGAIN)
		trace_lodge_ioctl_refused(cmd, ret);
	return ret;
}

static long vcpu_ioctl(struct file *file, unsigned int cmd, unsigned long value)
{
	struct lodge_vcpu *vcpu = file->private_data;

	return likely(cmd == KVM_RUN) ? lodge_vcpu_run(vcpu, value) : vcpu_other_ioctl(vcpu, cmd, value);
}

static vm_fault_t vcpu_mmap_fault(struct vm_fault *vmf)
{
	struct lodge_vcpu *vcpu = vmf->vma->vm_file->private_data;
	struct page *page = lodge_vcpu_mapped_page(vcpu, vmf->pgoff);

	if (!page)
		return VM_FAULT_SIGBUS;
	/* The kernel makes room, at whoever's cost, and tries again. */
	if (IS_ERR(page))
		return VM_FAULT_OOM;
	get_page(page);
	vmf->page = page;
	return 0;
}

static const struct vm_operations_struct vcpu_vm_ops = {
	.fault = vcpu_mmap_fault,
};

static int vcpu_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct lodge_vcpu *vcpu = file->private_data;

	/* What user space says of an entry must be seen by others, and is no code. */
	if ((lodge_dirty_ring_maps(vcpu->vm, vma->vm_pgoff) ||
	     lodge_dirty_ring_maps(vcpu->vm, vma->vm_pgoff + vma_pages(vma) - 1)) &&
	    ((vma->vm_flags & VM_EXEC) || !(vma->vm_flags & VM_SHARED)))
		return -EINVAL;
	vma->vm_ops = &vcpu_vm_ops;
	return 0;
}

static int vcpu_release(struct inode *inode, struct file *file)
{
	struct lodge_vcpu *vcpu = file->private_data;

	lodge_vm_put(vcpu->vm);
	return 0;
}

static const struct file_operations vcpu_fops = {
	.owner = THIS_MODULE,
	.release = vcpu_release,
	.unlocked_ioctl = vcpu_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = vcpu_mmap,
	.llseek = noop_llseek,
};

int lodge_vcpu_fd_create(struct lodge_vcpu *vcpu)
{
	struct lodge_vm *vm = vcpu->vm;
	struct file *file;
	char name[32];
	int fd = get_unused_fd_flags(O_CLOEXEC);

	if (fd < 0)
		return fd;
	snprintf(name, sizeof(name), "lodge-vcpu:%u", vcpu->id);
	file = anon_inode_getfile(name, &vcpu_fops, vcpu, O_RDWR);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		return PTR_ERR(file);
	}
	lodge_vm_get(vm);
	/* Pairs with the acquire in lodge_for_each_vcpu(): the vCPU is complete before it can be found. */
	smp_store_release(&vm->nr_vcpus, vm->nr_vcpus + 1);
	fd_install(fd, file);
	return fd;
}
