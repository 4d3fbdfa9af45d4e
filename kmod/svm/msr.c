// SPDX-License-Identifier: GPL-2.0-only
/*
 * The MSRs that AMD-V keeps in the VMCB or that exist on AMD CPUs alone, the permission map, and what
 * AMD-V's virtualization takes from the CPUID table. The caller owns the vCPU.
 */
#include "svm.h"

#include <linux/kvm.h>
#include <asm/cpufeature.h>
#include <asm/msr-index.h>
#include <asm/processor-flags.h>

#include "../backend.h"
#include "../cpuid.h"
#include "../regs.h"

#define SVM_MSRPM_BLOCK	0x800	/* bytes a range of 0x2000 MSRs takes: APM 2, 15.11 */

/* MSRs that VMLOAD and VMSAVE switch: the guest reads and writes them without an exit. */
const u32 svm_msr_passthrough[] = {
	MSR_STAR, MSR_LSTAR, MSR_CSTAR, MSR_SYSCALL_MASK, MSR_KERNEL_GS_BASE,
	MSR_FS_BASE, MSR_GS_BASE,
	MSR_IA32_SYSENTER_CS, MSR_IA32_SYSENTER_ESP, MSR_IA32_SYSENTER_EIP, 0,
};

/* The last place is for SPEC_CTRL, where the hardware switches it with the guest. */
u32 svm_msr_list[] __ro_after_init = {
	MSR_IA32_SYSENTER_CS, MSR_IA32_SYSENTER_ESP, MSR_IA32_SYSENTER_EIP,
	MSR_STAR, MSR_CSTAR, MSR_KERNEL_GS_BASE, MSR_SYSCALL_MASK, MSR_LSTAR,
	MSR_TSC_AUX, 0, 0,
};

static void svm_msrpm_allow(u8 *map, u32 msr)
{
	u32 bit = (msr & 0x1fff) * 2;
	u8 *block = map;

	if (msr >= 0xc0010000)
		block += 2 * SVM_MSRPM_BLOCK;
	else if (msr >= 0xc0000000)
		block += SVM_MSRPM_BLOCK;
	block[bit / 8] &= ~(3 << (bit % 8));
}

void svm_msr_init(void)
{
	if (svm_features.v_spec_ctrl)
		svm_msr_list[ARRAY_SIZE(svm_msr_list) - 2] = MSR_IA32_SPEC_CTRL;
}

void svm_msrpm_init(u8 *map)
{
	const u32 *msr;

	for (msr = svm_msr_passthrough; *msr; msr++)
		svm_msrpm_allow(map, *msr);
}

void svm_intercept_msrs(struct lodge_vcpu *vcpu, bool all)
{
	struct svm_vcpu *svm = to_svm(vcpu);

	svm->vmcb->control.msrpm_base_pa = all ? svm_msrpm_closed_pa : svm_msrpm_pa;
	svm_dirty(svm, SVM_CLEAN_PERM_MAPS);
}

static u64 *svm_msr_slot(struct svm_vcpu *svm, u32 msr)
{
	struct vmcb_save *save = &svm->vmcb->save;

	switch (msr) {
	case MSR_STAR:			return &save->star;
	case MSR_LSTAR:			return &save->lstar;
	case MSR_CSTAR:			return &save->cstar;
	case MSR_SYSCALL_MASK:		return &save->sfmask;
	case MSR_KERNEL_GS_BASE:	return &save->kernel_gs_base;
	case MSR_FS_BASE:		return &save->fs.base;
	case MSR_GS_BASE:		return &save->gs.base;
	case MSR_IA32_SYSENTER_CS:	return &save->sysenter_cs;
	case MSR_IA32_SYSENTER_ESP:	return &save->sysenter_esp;
	case MSR_IA32_SYSENTER_EIP:	return &save->sysenter_eip;
	case MSR_IA32_DEBUGCTLMSR:	return &save->dbgctl;
	case MSR_TSC_AUX:		return &svm->tsc_aux;
	case MSR_IA32_SPEC_CTRL:	return svm_features.v_spec_ctrl ? &save->spec_ctrl : NULL;
	default:			return NULL;
	}
}

/* Whether the guest, as opposed to user space, may touch it. */
static bool svm_msr_guest_has(struct lodge_vcpu *vcpu, u32 msr)
{
	switch (msr) {
	case MSR_TSC_AUX:
		return lodge_guest_has(vcpu, X86_FEATURE_RDTSCP) || lodge_guest_has(vcpu, X86_FEATURE_RDPID);
	case MSR_IA32_SPEC_CTRL:
		return lodge_guest_has(vcpu, X86_FEATURE_AMD_STIBP) || lodge_guest_has(vcpu, X86_FEATURE_AMD_IBRS) ||
		       lodge_guest_has(vcpu, X86_FEATURE_AMD_SSBD);
	default:
		return true;
	}
}

static bool svm_msr_valid(struct lodge_vcpu *vcpu, u32 msr, u64 value)
{
	switch (msr) {
	case MSR_LSTAR:
	case MSR_CSTAR:
	case MSR_KERNEL_GS_BASE:
	case MSR_FS_BASE:
	case MSR_GS_BASE:
		return lodge_address_canonical(vcpu, value);
	case MSR_SYSCALL_MASK:
		return !(value >> 32);
	case MSR_IA32_SPEC_CTRL:
		return !(value & ~(SPEC_CTRL_IBRS | SPEC_CTRL_STIBP | SPEC_CTRL_SSBD));
	default:
		return true;
	}
}

/* AMD CPUs drop what does not fit these registers; none has the branch records that DEBUGCTL would start. */
static u64 svm_msr_cut(struct lodge_vcpu *vcpu, u32 msr, u64 value, bool host)
{
	unsigned int shift = vcpu->cr4 & X86_CR4_LA57 ? 7 : 16;

	switch (msr) {
	case MSR_IA32_SYSENTER_ESP:
	case MSR_IA32_SYSENTER_EIP:
		return (s64)(value << shift) >> shift;
	case MSR_TSC_AUX:
		return (u32)value;
	case MSR_SYSCALL_MASK:
		return host ? (u32)value : value;
	case MSR_IA32_DEBUGCTLMSR:
		return 0;
	default:
		return value;
	}
}

int svm_get_msr(struct lodge_vcpu *vcpu, u32 msr, u64 *value)
{
	const u64 *slot = svm_msr_slot(to_svm(vcpu), msr);

	/* Guests look there for what to switch off; it is AMD's alone. */
	if (msr == MSR_F15H_IC_CFG) {
		*value = 0;
		return 0;
	}
	if (!slot)
		return -ENOENT;
	*value = *slot;
	return 0;
}

int svm_set_msr(struct lodge_vcpu *vcpu, u32 msr, u64 value, bool host)
{
	u64 *slot = svm_msr_slot(to_svm(vcpu), msr);

	if (!slot)
		return -ENOENT;
	if (!host && !svm_msr_guest_has(vcpu, msr))
		return -EINVAL;
	value = svm_msr_cut(vcpu, msr, value, host);
	if (!svm_msr_valid(vcpu, msr, value))
		return -EINVAL;
	*slot = value;
	/* The guest may go on in the same section, which loaded the CPU's own when it began. */
	if (msr == MSR_TSC_AUX && READ_ONCE(vcpu->mode) == LODGE_IN_GUEST) {
		wrmsrq(MSR_TSC_AUX, value);
		this_cpu_write(svm_cpu.loaded_tsc_aux, true);
		vcpu->section_undo = true;
	}
	return 0;
}

/* SPEC_CTRL is offered only where the hardware switches it with the guest: no WRMSR on the way in or out. */
void svm_cpuid_adjust(struct kvm_cpuid_entry2 *entry)
{
	switch (entry->function) {
	case 1:
		break;
	case 7:
		if (entry->index == 0 && !svm_features.v_spec_ctrl)
			entry->edx &= ~(BIT(26) | BIT(27) | BIT(31));	/* SPEC_CTRL, STIBP, SSBD */
		break;
	case 0x80000001:
		entry->ecx &= ~BIT(2);	/* SVM: no nested guests */
		break;
	case 0x80000008:
		if (!svm_features.v_spec_ctrl)
			entry->ebx &= ~(BIT(14) | BIT(15) | BIT(24));	/* IBRS, STIBP, SSBD */
		break;
	case 0x8000000a:
		entry->eax = entry->ebx = entry->ecx = entry->edx = 0;
		break;
	}
}
