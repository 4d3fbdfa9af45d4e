// SPDX-License-Identifier: GPL-2.0-only
/*
 * Into the guest and back on VT-x, and what is done once for a whole section of entries. Interrupts are off throughout.
 * RIP, RFLAGS and the interrupt shadow are read at each exit; RSP, CR3 and CR0.TS, which nothing in a section asks for,
 * when it ends.
 */
#include "vmx.h"

#include <linux/cpu.h>
#include <asm/cpufeature.h>
#include <asm/msr.h>
#include <asm/processor-flags.h>
#include <asm/special_insns.h>

#include "../backend.h"
#include "../irqchip/irqchip.h"

/* Another vCPU's indirect branches must not steer this one's: follows the host's choice of IBPB. */
static void vmx_branch_barrier(struct vmx_vcpu *vmx, struct vmx_cpu *cpu)
{
	if (cpu->last == vmx)
		return;
	cpu->last = vmx;
	if (lodge_compat_uses_ibpb())
		wrmsrq(MSR_IA32_PRED_CMD, PRED_CMD_IBPB);
}

/* A guest's faulting loads must not find the host's data in the first-level cache: SDM 4, IA32_FLUSH_CMD. */
static void vmx_flush_l1d(void)
{
	if (boot_cpu_has_bug(X86_BUG_L1TF) && boot_cpu_has(X86_FEATURE_FLUSH_L1D) && !cpu_mitigations_off())
		wrmsrq(MSR_IA32_FLUSH_CMD, L1D_FLUSH);
}

void vmx_section_enter(struct lodge_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	struct vmx_cpu *cpu = this_cpu_ptr(&vmx_cpu);

	vmx_branch_barrier(vmx, cpu);
	vmx_make_current(vmx);
	vmx->in_section = true;
	vcpu->section_undo = true;
	vmx_host_enter(vmx, cpu);
	vmx_check_shadow(vmx);
	vmx_write_tsc_offset(vmx);
	if (vmx->rsp != vcpu->gprs[LODGE_RSP]) {
		vmx->rsp = vcpu->gprs[LODGE_RSP];
		vmcs_write(VMCS_GUEST_RSP, vmx->rsp);
	}
	if (unlikely((vcpu->guest_debug & KVM_GUESTDBG_USE_HW_BP ? vcpu->debug_dr7 : vcpu->dr7) & LODGE_DR7_ENABLES))
		vmx_load_debugregs(vmx);
	vmx_flush_l1d();
}

void vmx_section_leave(struct lodge_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	struct vmx_cpu *cpu = this_cpu_ptr(&vmx_cpu);

	vmx->rsp = vmcs_read(VMCS_GUEST_RSP);
	vcpu->gprs[LODGE_RSP] = vmx->rsp;
	vcpu->cr3 = vmcs_read(VMCS_GUEST_CR3);
	vcpu->cr0 = (vcpu->cr0 & ~(u64)X86_CR0_TS) | (vmcs_read(VMCS_GUEST_CR0) & X86_CR0_TS);
	vcpu->events.nmi.masked = vmx->shadow & VMX_SHADOW_NMI;
	if (unlikely(vmx->drs_loaded))
		vmx_unload_debugregs(vmx);
	vmx_host_leave(vmx, cpu);
	vmx->in_section = false;
	vmx_yield_current(cpu);
}

/* Everything that these tables translate; what the guest's own tables do is tagged with them too. SDM 3, 29.4.3. */
void vmx_flush_tlb(struct lodge_vcpu *vcpu)
{
	if (vmx_caps.ept & VMX_CAP_INVEPT_CONTEXT)
		vmx_invept(VMX_INVEPT_CONTEXT, to_vmx(vcpu)->eptp);
	else
		vmx_invept(VMX_INVEPT_ALL, 0);
}

/* The task-priority register is the virtual-APIC page's while the guest runs, the LAPIC's outside. */
static void vmx_sync_tpr(struct vmx_vcpu *vmx)
{
	struct lodge_vcpu *vcpu = &vmx->vcpu;
	u8 tpr = READ_ONCE(vmx->apic_page[VMX_APIC_TPR]);

	if (likely(tpr == vmx->tpr))
		return;
	vmx->tpr = tpr;
	vcpu->cr8 = tpr >> 4;
	if (vcpu->lapic)
		lodge_lapic_cr8_set(vcpu, vcpu->cr8);
}

/* The guest did not run: either VMX operation is gone and the VM with it, or the CPU does not like the VMCS. */
static noinline void vmx_not_entered(struct vmx_vcpu *vmx, int why)
{
	if (why < 0) {
		lodge_vm_kill(vmx->vcpu.vm, LODGE_VM_KILLED_HARDWARE);
		vmx->reason = VMX_REASON_INTERRUPT;
		return;
	}
	vmx->reason = VMX_REASON_ENTRY_FAILED | VMX_REASON_ENTRY_REFUSED | vmx_report_refused_entry(vmx);
	vmx_cancel_injection(&vmx->vcpu);
}

/* A debugger steps through the guest: its trap flag is not the guest's. Calls, so that nobody else pays for it. */
static noinline void vmx_step_entry(struct vmx_vcpu *vmx)
{
	vmx->rflags = vmx->vcpu.rflags | X86_EFLAGS_TF | X86_EFLAGS_RF;
	vmcs_write(VMCS_GUEST_RFLAGS, vmx->rflags);
}

static noinline void vmx_step_exit(struct lodge_vcpu *vcpu)
{
	vcpu->rflags &= ~(u64)(X86_EFLAGS_TF | X86_EFLAGS_RF);
}

void vmx_run(struct lodge_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	int ret;

	if (vmx->rip != vcpu->rip)
		vmcs_write(VMCS_GUEST_RIP, vcpu->rip);
	if (unlikely(vcpu->guest_debug & KVM_GUESTDBG_SINGLESTEP)) {
		vmx_step_entry(vmx);
	} else if (vmx->rflags != vcpu->rflags) {
		vmx->rflags = vcpu->rflags;
		vmcs_write(VMCS_GUEST_RFLAGS, vcpu->rflags);
	}
	if (unlikely(native_read_cr2() != vcpu->cr2))
		native_write_cr2(vcpu->cr2);

	ret = vmx_enter(vcpu->gprs, &vmx->host_rsp, vmx->launched);
	vcpu->cr2 = native_read_cr2();
	if (unlikely(ret)) {
		vmx_not_entered(vmx, ret);
		return;
	}

	vmx->launched = true;
	vmx->reason = vmcs_read(VMCS_EXIT_REASON);
	vcpu->rip = vmx->rip = vmcs_read(VMCS_GUEST_RIP);
	vcpu->rflags = vmx->rflags = vmcs_read(VMCS_GUEST_RFLAGS);
	vmx->shadow = vmcs_read(VMCS_GUEST_SHADOW);
	vcpu->shadow = vmx->shadow & (VMX_SHADOW_STI | VMX_SHADOW_MOV_SS);
	if (unlikely(vcpu->guest_debug & KVM_GUESTDBG_SINGLESTEP))
		vmx_step_exit(vcpu);
	if (unlikely(vmx->drs_loaded))
		vmx_read_debugregs(vmx);
	vmx_sync_tpr(vmx);
	if (unlikely(vcpu->events_injected))
		vmx_forget_injected(vmx);
}
