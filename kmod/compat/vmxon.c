// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMXON and VMXOFF, on kernels that own VMX operation and on those that do not. Interrupts are off, but for the check
 * at load. SDM 3, 24.6 to 24.8.
 */
#include "vmxon.h"

#include <linux/errno.h>
#include <linux/kprobes.h>
#include <linux/moduleparam.h>
#include <linux/string.h>
#include <asm/asm.h>
#include <asm/cpufeature.h>
#include <asm/perf_event.h>
#include <asm/tlbflush.h>

#ifdef LODGE_HAVE_X86_VIRT

static bool find_vmx_owner;
module_param(find_vmx_owner, bool, 0444);
MODULE_PARM_DESC(find_vmx_owner, "use the kernel's own calls for VMX operation, which it shows to KVM alone, on VT-x (default: no)");

static int (*vmx_get_ref)(int feature);
static void (*vmx_put_ref)(int feature);

/* The address behind a symbol; a probe sits behind the ENDBR that an indirect call must land on. */
static void *vmxon_find(const char *name)
{
	static const u8 endbr[4] = { 0xf3, 0x0f, 0x1e, 0xfa };
	struct kprobe probe = { .symbol_name = name };
	u8 *address;

	if (register_kprobe(&probe))
		return NULL;
	address = (u8 *)probe.addr;
	unregister_kprobe(&probe);
	return memcmp(address - sizeof(endbr), endbr, sizeof(endbr)) ? address : address - sizeof(endbr);
}

int lodge_compat_vmxon_check(void)
{
	if (!find_vmx_owner) {
		pr_info("this kernel owns VT-x and shares it with KVM alone: load lodge with find_vmx_owner=1 to use it nevertheless\n");
		return -ENODEV;
	}
	vmx_get_ref = vmxon_find("x86_virt_get_ref");
	vmx_put_ref = vmxon_find("x86_virt_put_ref");
	if (!vmx_get_ref || !vmx_put_ref) {
		pr_info("this kernel's calls for VT-x were not found: find_vmx_owner needs kprobes\n");
		return -ENODEV;
	}
	return 0;
}

int lodge_compat_vmxon(u64 region)
{
	return vmx_get_ref(X86_FEATURE_VMX) ? -EBUSY : 0;
}

void lodge_compat_vmxoff(void)
{
	vmx_put_ref(X86_FEATURE_VMX);
}

#else

int lodge_compat_vmxon_check(void)
{
	return 0;
}

/* A processor trace that cannot go on in VMX operation is paused by the kernel. */
int lodge_compat_vmxon(u64 region)
{
	if (__read_cr4() & X86_CR4_VMXE)
		return -EBUSY;
	intel_pt_handle_vmx(1);
	cr4_set_bits_irqsoff(X86_CR4_VMXE);
	asm goto("1: vmxon %0\n\t"
		 "jbe %l[failed]\n"
		 _ASM_EXTABLE(1b, %l[failed])
		 : : "m" (region) : "cc", "memory" : failed);
	return 0;
failed:
	cr4_clear_bits_irqsoff(X86_CR4_VMXE);
	intel_pt_handle_vmx(0);
	return -EBUSY;
}

/* When VMX operation has ended already, the bit goes all the same. */
void lodge_compat_vmxoff(void)
{
	asm volatile("1: vmxoff\n"
		     "2:\n"
		     _ASM_EXTABLE(1b, 2b)
		     : : : "cc", "memory");
	cr4_clear_bits_irqsoff(X86_CR4_VMXE);
	intel_pt_handle_vmx(0);
}

#endif
