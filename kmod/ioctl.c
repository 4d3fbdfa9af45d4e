// SPDX-License-Identifier: GPL-2.0-only
/*
 * What every ioctl row has in common: its argument's way in and out. The tables are in dev.c, vm_ioctl.c and
 * vcpu_ioctl.c. No locks of its own.
 */
#include "ioctl.h"

#include <linux/slab.h>
#include <linux/uaccess.h>

int lodge_ioctl_begin(struct lodge_ioctl_call *call, unsigned int flags)
{
	size_t size = _IOC_SIZE(call->cmd);

	call->user = (void __user *)call->value;
	call->arg = NULL;
	if ((flags & LODGE_IOCTL_NO_ARG) && call->value)
		return -EINVAL;
	if (flags & (LODGE_IOCTL_VALUE | LODGE_IOCTL_NO_ARG))
		return 0;
	if (WARN_ON_ONCE(!size || size > LODGE_IOCTL_MAX_ARG))
		return -EINVAL;
	call->arg = kzalloc(size, GFP_KERNEL_ACCOUNT);
	if (!call->arg)
		return -ENOMEM;
	if (((_IOC_DIR(call->cmd) & _IOC_WRITE) || (flags & LODGE_IOCTL_IN)) &&
	    copy_from_user(call->arg, call->user, size)) {
		kfree(call->arg);
		return -EFAULT;
	}
	return 0;
}

long lodge_ioctl_end(struct lodge_ioctl_call *call, unsigned int flags, long ret)
{
	if (call->arg && ret >= 0 && (_IOC_DIR(call->cmd) & _IOC_READ) && !(flags & LODGE_IOCTL_KEEP) &&
	    copy_to_user(call->user, call->arg, _IOC_SIZE(call->cmd)))
		ret = -EFAULT;
	kfree(call->arg);
	return ret;
}

int lodge_copy_struct(void *dst, size_t size, size_t min_size, const void __user *user)
{
	u32 user_size;

	if (get_user(user_size, (const u32 __user *)user))
		return -EFAULT;
	if (user_size < min_size)
		return -EINVAL;
	if (user_size > PAGE_SIZE)
		return -E2BIG;
	return copy_struct_from_user(dst, size, user, user_size);
}
