/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * VMX operation on this CPU. Older kernels leave it to whoever wants it; newer ones own it, count its users, and show
 * the calls to KVM alone: then lodge uses them only if an administrator says so (module parameter find_vmx_owner).
 */
#ifndef LODGE_COMPAT_VMXON_H
#define LODGE_COMPAT_VMXON_H

#include <linux/types.h>

int lodge_compat_vmxon_check(void);		/* at load: 0, or -ENODEV with a line logged */

/**
 * lodge_compat_vmxon() - enter VMX operation
 * @region: physical address of a page with the revision in it, unused where the kernel has its own
 * Return: 0, or -EBUSY: another hypervisor holds it, or the firmware's lock does not allow it.
 * Context: interrupts off.
 */
int lodge_compat_vmxon(u64 region);
void lodge_compat_vmxoff(void);

/* Whether another hypervisor may be in VMX operation beside lodge, with a current VMCS of its own. */
static inline bool lodge_compat_vmx_is_shared(void)
{
#ifdef LODGE_HAVE_X86_VIRT
	return true;
#else
	return false;
#endif
}

#endif
