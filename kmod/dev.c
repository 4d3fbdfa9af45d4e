// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/lodge and, when asked for, /dev/kvm: the system-scope ioctls. They look at nothing that changes, so no
 * locks.
 */
#include "dev.h"

#include <linux/kvm.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "cap.h"
#include "cpuid.h"
#include "fpu.h"
#include "ioctl.h"
#include "mce.h"
#include "msr.h"
#include "trace.h"
#include "vcpu.h"
#include "vm.h"
#include "../uapi/lodge.h"

static bool kvm_node;
module_param(kvm_node, bool, 0444);
MODULE_PARM_DESC(kvm_node, "also serve as /dev/kvm (refused while KVM is loaded)");

static long dev_api_version(struct lodge_ioctl_call *call)
{
	return KVM_API_VERSION;
}

static long dev_create_vm(struct lodge_ioctl_call *call)
{
	struct lodge_vm *vm;

	if (call->value)
		return -EINVAL;
	vm = lodge_vm_create();
	return IS_ERR(vm) ? PTR_ERR(vm) : lodge_vm_fd_create(vm);
}

static long dev_check_extension(struct lodge_ioctl_call *call)
{
	return call->value > U32_MAX ? 0 : lodge_cap_check(NULL, call->value);
}

static long dev_mmap_size(struct lodge_ioctl_call *call)
{
	return LODGE_RUN_PAGES * PAGE_SIZE;
}

static long dev_supported_cpuid(struct lodge_ioctl_call *call)
{
	struct kvm_cpuid2 *table = call->arg;
	struct kvm_cpuid2 __user *user = call->user;
	u32 max = min_t(u32, table->nent, LODGE_MAX_CPUID_ENTRIES);
	struct kvm_cpuid_entry2 *entries;
	int nent, ret = 0;

	if (!max)
		return -E2BIG;
	entries = kvcalloc(max, sizeof(*entries), GFP_KERNEL);
	if (!entries)
		return -ENOMEM;
	nent = lodge_cpuid_supported(entries, max);
	if (nent < 0)
		ret = nent;
	else if (copy_to_user(user->entries, entries, nent * sizeof(*entries)) || put_user(nent, &user->nent))
		ret = -EFAULT;
	kvfree(entries);
	return ret;
}

/* KVM's protocol: the true count goes back in any case, the indices only when they fit. */
static long dev_msr_list(struct lodge_ioctl_call *call, u32 (*list)(u32 *indices, u32 max))
{
	struct kvm_msr_list *args = call->arg;
	struct kvm_msr_list __user *user = call->user;
	u32 count = list(NULL, 0);
	u32 *indices;
	int ret = 0;

	if (put_user(count, &user->nmsrs))
		return -EFAULT;
	if (args->nmsrs < count)
		return -E2BIG;
	indices = kcalloc(count, sizeof(*indices), GFP_KERNEL);
	if (!indices)
		return -ENOMEM;
	list(indices, count);
	if (copy_to_user(user->indices, indices, count * sizeof(*indices)))
		ret = -EFAULT;
	kfree(indices);
	return ret;
}

static long dev_msr_index_list(struct lodge_ioctl_call *call)
{
	return dev_msr_list(call, lodge_msr_index_list);
}

static long dev_msr_feature_list(struct lodge_ioctl_call *call)
{
	return dev_msr_list(call, lodge_msr_feature_list);
}

static long dev_get_msrs(struct lodge_ioctl_call *call)
{
	struct kvm_msrs *args = call->arg;
	struct kvm_msrs __user *user = call->user;
	struct kvm_msr_entry entry;
	u32 i;

	if (args->nmsrs >= LODGE_MAX_MSRS)
		return -E2BIG;
	for (i = 0; i < args->nmsrs; i++) {
		if (copy_from_user(&entry, &user->entries[i], sizeof(entry)))
			return -EFAULT;
		if (lodge_msr_feature_get(entry.index, &entry.data))
			break;
		if (copy_to_user(&user->entries[i], &entry, sizeof(entry)))
			return -EFAULT;
	}
	return i;
}

static long dev_mce_supported(struct lodge_ioctl_call *call)
{
	*(u64 *)call->arg = lodge_mce_supported();
	return 0;
}

/* One attribute: the parts of the FPU's state that a guest can be given. */
static long dev_device_attr(struct lodge_ioctl_call *call)
{
	const struct kvm_device_attr *attr = call->arg;

	if (attr->group || attr->attr != KVM_X86_XCOMP_GUEST_SUPP)
		return -ENXIO;
	if (call->cmd == KVM_HAS_DEVICE_ATTR)
		return 0;
	return put_user(lodge_fpu_features, (u64 __user *)u64_to_user_ptr(attr->addr));
}

long lodge_query(struct lodge_ioctl_call *call)
{
	struct lodge_query query;
	u32 user_size;
	int ret = lodge_copy_struct(&query, sizeof(query), sizeof(query), call->user);

	if (ret)
		return ret;
	if (query.flags || query.abi_version || query.pad || query.features)
		return -EINVAL;
	user_size = query.size;
	query = (struct lodge_query) {
		.size = sizeof(query),
		.abi_version = LODGE_ABI_VERSION,
		.features = LODGE_FEATURE_ALL,
	};
	return copy_to_user(call->user, &query, min_t(size_t, user_size, sizeof(query))) ? -EFAULT : 0;
}

static const struct lodge_dev_ioctl dev_ioctls[] = {
	{ KVM_GET_API_VERSION,		LODGE_IOCTL_NO_ARG,	dev_api_version },
	{ KVM_CREATE_VM,		LODGE_IOCTL_VALUE,	dev_create_vm },
	{ KVM_CHECK_EXTENSION,		LODGE_IOCTL_VALUE,	dev_check_extension },
	{ KVM_GET_VCPU_MMAP_SIZE,	LODGE_IOCTL_NO_ARG,	dev_mmap_size },
	{ KVM_GET_SUPPORTED_CPUID,	LODGE_IOCTL_KEEP,	dev_supported_cpuid },
	{ KVM_GET_MSR_INDEX_LIST,	LODGE_IOCTL_KEEP,	dev_msr_index_list },
	{ KVM_GET_MSR_FEATURE_INDEX_LIST, LODGE_IOCTL_KEEP,	dev_msr_feature_list },
	{ KVM_GET_MSRS,			LODGE_IOCTL_KEEP,	dev_get_msrs },
	{ KVM_X86_GET_MCE_CAP_SUPPORTED, 0,			dev_mce_supported },
	{ KVM_HAS_DEVICE_ATTR,		0,			dev_device_attr },
	{ KVM_GET_DEVICE_ATTR,		0,			dev_device_attr },
	{ LODGE_QUERY,			LODGE_IOCTL_VALUE,	lodge_query },
};

static long dev_ioctl(struct file *file, unsigned int cmd, unsigned long value)
{
	struct lodge_ioctl_call call = { .cmd = cmd, .value = value };
	unsigned int i;
	long ret;

	for (i = 0; i < ARRAY_SIZE(dev_ioctls); i++) {
		const struct lodge_dev_ioctl *row = &dev_ioctls[i];

		if (row->cmd != cmd)
			continue;
		ret = lodge_ioctl_begin(&call, row->flags);
		if (!ret)
			ret = lodge_ioctl_end(&call, row->flags, row->handler(&call));
		if (ret < 0)
			trace_lodge_ioctl_refused(cmd, ret);
		return ret;
	}
	/* KVM's answer, outside our own range of numbers. */
	return _IOC_TYPE(cmd) == LODGE_IOC_TYPE ? -ENOTTY : -EINVAL;
}

static const struct file_operations dev_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = dev_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};

static struct miscdevice dev_lodge = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "lodge",
	.fops = &dev_fops,
};

static struct miscdevice dev_kvm = {
	.minor = KVM_MINOR,
	.name = "kvm",
	.fops = &dev_fops,
};

int lodge_dev_init(void)
{
	int ret = misc_register(&dev_lodge);

	if (ret || !kvm_node)
		return ret;
	ret = misc_register(&dev_kvm);
	if (ret) {
		pr_err("kvm_node=1: /dev/kvm is taken, most likely by KVM: unload it first\n");
		misc_deregister(&dev_lodge);
	}
	return ret;
}

void lodge_dev_exit(void)
{
	if (kvm_node)
		misc_deregister(&dev_kvm);
	misc_deregister(&dev_lodge);
}
