// SPDX-License-Identifier: GPL-2.0-only
/*
 * The MSRs that VT-x keeps in the VMCS or that are switched by hand, the bitmap of those that do not exit, and what
 * VT-x's virtualization takes from the CPUID table. The caller owns the vCPU.
 */
#include "vmx.h"

#include <linux/kvm.h>
#include <asm/cpufeature.h>
#include <asm/msr-index.h>
#include <asm/processor-flags.h>

#include "../backend.h"
#include "../cpuid.h"

/* The bitmap's quarters: reads and writes of the low and of the high range. SDM 3, 25.6.9. */
#define VMX_BITMAP_READ		0
#define VMX_BITMAP_WRITE	2048
#define VMX_BITMAP_HIGH		1024

/* In the VMCS, or the CPU's own during a section: the guest reads and writes them without an exit. */
const u32 vmx_msr_passthrough[] = {
	MSR_FS_BASE, MSR_GS_BASE, MSR_KERNEL_GS_BASE,
	MSR_IA32_SYSENTER_CS, MSR_IA32_SYSENTER_ESP, MSR_IA32_SYSENTER_EIP, 0,
};

const u32 vmx_msr_list[] = {
	MSR_IA32_SYSENTER_CS, MSR_IA32_SYSENTER_ESP, MSR_IA32_SYSENTER_EIP,
	MSR_STAR, MSR_CSTAR, MSR_KERNEL_GS_BASE, MSR_SYSCALL_MASK, MSR_LSTAR,
	MSR_TSC_AUX, 0,
};

void vmx_msr_bitmap_init(u8 *map)
{
	const u32 *p;

	memset(map, 0xff, PAGE_SIZE);
	for (p = vmx_msr_passthrough; *p; p++) {
		u32 msr = *p, bit = msr & 0x1fff;
		u8 *half = map + (msr >= 0xc0000000 ? VMX_BITMAP_HIGH : 0);

		half[VMX_BITMAP_READ + bit / 8] &= ~BIT(bit % 8);
		half[VMX_BITMAP_WRITE + bit / 8] &= ~BIT(bit % 8);
	}
}

void vmx_intercept_msrs(struct lodge_vcpu *vcpu, bool all)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	unsigned long flags = vmx_hold(vmx);

	vmcs_write(VMCS_MSR_BITMAP, all ? vmx_msr_bitmap_closed_pa : vmx_msr_bitmap_pa);
	vmx_release(vmx, flags);
}

/* The VMCS field that is an MSR, 0 for others. */
static unsigned long vmx_msr_field(u32 msr)
{
	switch (msr) {
	case MSR_FS_BASE:		return VMCS_GUEST_BASE + 2 * VMX_SEG_FS;
	case MSR_GS_BASE:		return VMCS_GUEST_BASE + 2 * VMX_SEG_GS;
	case MSR_IA32_SYSENTER_CS:	return VMCS_GUEST_SYSENTER_CS;
	case MSR_IA32_SYSENTER_ESP:	return VMCS_GUEST_SYSENTER_ESP;
	case MSR_IA32_SYSENTER_EIP:	return VMCS_GUEST_SYSENTER_EIP;
	default:			return 0;
	}
}

static u64 *vmx_msr_slot(struct vmx_vcpu *vmx, u32 msr)
{
	switch (msr) {
	case MSR_STAR:			return &vmx->star;
	case MSR_LSTAR:			return &vmx->lstar;
	case MSR_CSTAR:			return &vmx->cstar;
	case MSR_SYSCALL_MASK:		return &vmx->syscall_mask;
	case MSR_KERNEL_GS_BASE:	return &vmx->kernel_gs_base;
	case MSR_TSC_AUX:		return &vmx->tsc_aux;
	default:			return NULL;
	}
}

static bool vmx_msr_valid(struct lodge_vcpu *vcpu, u32 msr, u64 value)
{
	switch (msr) {
	case MSR_LSTAR:
	case MSR_CSTAR:
	case MSR_KERNEL_GS_BASE:
	case MSR_FS_BASE:
	case MSR_GS_BASE:
		return lodge_address_canonical(vcpu, value);
	case MSR_SYSCALL_MASK:
	case MSR_TSC_AUX:
		return !(value >> 32);
	default:
		return true;
	}
}

static bool vmx_msr_guest_has(struct lodge_vcpu *vcpu, u32 msr)
{
	if (msr == MSR_TSC_AUX)
		return lodge_guest_has(vcpu, X86_FEATURE_RDTSCP) || lodge_guest_has(vcpu, X86_FEATURE_RDPID);
	return true;
}

/*
 * What does not fit the address width is dropped, so that an entry accepts it. SYSENTER_CS has 32 bits. User space may
 * restore a SYSCALL mask with more bits than a CPU would take, as on KVM.
 */
static u64 vmx_msr_cut(struct lodge_vcpu *vcpu, u32 msr, u64 value, bool host)
{
	unsigned int shift = vcpu->cr4 & X86_CR4_LA57 ? 7 : 16;

	switch (msr) {
	case MSR_IA32_SYSENTER_ESP:
	case MSR_IA32_SYSENTER_EIP:
		return (s64)(value << shift) >> shift;
	case MSR_IA32_SYSENTER_CS:
		return (u32)value;
	case MSR_SYSCALL_MASK:
		return host ? (u32)value : value;
	default:
		return value;
	}
}

int vmx_get_msr(struct lodge_vcpu *vcpu, u32 msr, u64 *value)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	const u64 *slot = vmx_msr_slot(vmx, msr);
	unsigned long field = vmx_msr_field(msr), flags;

	if (slot) {
		*value = *slot;
		return 0;
	}
	if (msr == MSR_IA32_DEBUGCTLMSR) {
		*value = 0;
		return 0;
	}
	if (!field)
		return -ENOENT;
	flags = vmx_hold(vmx);
	*value = vmcs_read(field);
	vmx_release(vmx, flags);
	return 0;
}

static void vmx_msr_changed(struct vmx_vcpu *vmx, u32 msr)
{
	if (!vmx->in_section)
		return;
	switch (msr) {
	case MSR_STAR:
	case MSR_LSTAR:
	case MSR_SYSCALL_MASK:
		vmx_host_switch_syscall(vmx);
		break;
	case MSR_TSC_AUX:
		wrmsrq(MSR_TSC_AUX, vmx->tsc_aux);
		this_cpu_write(vmx_cpu.loaded_tsc_aux, true);
		break;
	}
}

int vmx_set_msr(struct lodge_vcpu *vcpu, u32 msr, u64 value, bool host)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	u64 *slot = vmx_msr_slot(vmx, msr);
	unsigned long field = vmx_msr_field(msr), flags;

	/* No branch records are offered: what would start them is forgotten. */
	if (msr == MSR_IA32_DEBUGCTLMSR)
		return 0;
	if (!slot && !field)
		return -ENOENT;
	if (!host && !vmx_msr_guest_has(vcpu, msr))
		return -EINVAL;
	value = vmx_msr_cut(vcpu, msr, value, host);
	if (!vmx_msr_valid(vcpu, msr, value))
		return -EINVAL;
	if (slot) {
		*slot = value;
		vmx_msr_changed(vmx, msr);
		return 0;
	}
	flags = vmx_hold(vmx);
	vmcs_write(field, value);
	vmx_release(vmx, flags);
	return 0;
}

/* Instructions that a control must allow are offered only with the control. */
void vmx_cpuid_adjust(struct kvm_cpuid_entry2 *entry)
{
	switch (entry->function) {
	case 7:
		if (entry->index)
			break;
		if (!(vmx_caps.proc2_offered & VMX_PROC2_INVPCID))
			entry->ebx &= ~BIT(X86_FEATURE_INVPCID & 31);
		if (!(vmx_caps.proc2_offered & VMX_PROC2_RDTSCP))
			entry->ecx &= ~BIT(X86_FEATURE_RDPID & 31);
		break;
	case 0xd:
		if (entry->index == 1 && !(vmx_caps.proc2_offered & VMX_PROC2_XSAVES))
			entry->eax &= ~BIT(X86_FEATURE_XSAVES & 31);
		break;
	case 0x80000001:
		if (!(vmx_caps.proc2_offered & VMX_PROC2_RDTSCP))
			entry->edx &= ~BIT(X86_FEATURE_RDTSCP & 31);
		break;
	case 0x8000000a:
		entry->eax = entry->ebx = entry->ecx = entry->edx = 0;
		break;
	}
}
