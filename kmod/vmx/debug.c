// SPDX-License-Identifier: GPL-2.0-only
/*
 * Debug registers on VT-x. DR7 travels in the VMCS; DR0-3 and DR6 are the CPU's, and are lent to the guest from its
 * first move to one of them, or its first armed breakpoint, until the section ends. SDM 3, 18.2 and 28.1.3.
 */
#include "vmx.h"

#include <asm/debugreg.h>
#include <asm/trapnr.h>

#include "../backend.h"
#include "../exit.h"

/* #AC and #DB can loop inside the CPU without an instruction boundary: CVE-2015-5307, CVE-2015-8104. */
u32 vmx_exceptions(const struct lodge_vcpu *vcpu)
{
	u32 exceptions = BIT(X86_TRAP_AC) | BIT(X86_TRAP_DB) | BIT(X86_TRAP_MC);

	/* Other vendors' hypercall instruction, to be put right. */
	if (!(READ_ONCE(vcpu->vm->disabled_quirks) & KVM_X86_QUIRK_FIX_HYPERCALL_INSN))
		exceptions |= BIT(X86_TRAP_UD);
	if (vcpu->guest_debug & KVM_GUESTDBG_USE_SW_BP)
		exceptions |= BIT(X86_TRAP_BP);
	return exceptions;
}

void vmx_set_debugregs(struct lodge_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	unsigned long flags = vmx_hold(vmx);

	vmcs_write(VMCS_EXCEPTIONS, vmx_exceptions(vcpu));
	vmcs_write(VMCS_GUEST_DR7, vcpu->guest_debug & KVM_GUESTDBG_USE_HW_BP ? vcpu->debug_dr7 : vcpu->dr7);
	if (vmx->drs_loaded)
		set_debugreg(vcpu->dr6, 6);
	vmx_release(vmx, flags);
}

void vmx_load_debugregs(struct vmx_vcpu *vmx)
{
	struct lodge_vcpu *vcpu = &vmx->vcpu;

	lodge_debug_load(vcpu);
	set_debugreg(vcpu->dr6, 6);
	vmx->drs_loaded = true;
	if (vcpu->guest_debug & KVM_GUESTDBG_USE_HW_BP)
		return;		/* the debugger's breakpoints: the guest's own stay out */
	vmx_set_proc(vmx, vmx->proc & ~(u32)VMX_PROC_MOV_DR);
}

/* Whether the guest reads and writes the CPU's own. */
static bool vmx_has_debugregs(const struct vmx_vcpu *vmx)
{
	return !(vmx->proc & VMX_PROC_MOV_DR);
}

/* After an exit: what the guest may have written itself. */
void vmx_read_debugregs(struct vmx_vcpu *vmx)
{
	struct lodge_vcpu *vcpu = &vmx->vcpu;
	unsigned long dr6;

	if (!vmx_has_debugregs(vmx))
		return;
	get_debugreg(dr6, 6);
	vcpu->dr6 = dr6;
	vcpu->dr7 = vmcs_read(VMCS_GUEST_DR7);
}

void vmx_unload_debugregs(struct vmx_vcpu *vmx)
{
	struct lodge_vcpu *vcpu = &vmx->vcpu;

	vmx->drs_loaded = false;
	if (vmx_has_debugregs(vmx)) {
		lodge_debug_store(vcpu);
		vmx_set_proc(vmx, vmx->proc | VMX_PROC_MOV_DR);
	}
	set_debugreg(DR6_RESERVED, 6);
}

/* The exit tells what DR6 would have got, and leaves DR6 alone. INT1 is passed like a trap: RIP stands at it. */
int vmx_exit_debug(struct vmx_vcpu *vmx, u32 event)
{
	u64 cause = vmcs_read(VMCS_QUALIFICATION) & (VMX_DEBUG_TRAPS | VMX_DEBUG_BD | VMX_DEBUG_BS);
	struct lodge_vcpu *vcpu = &vmx->vcpu;
	u64 dr6 = LODGE_DR6_ONES | cause;
	int ret;

	/* A debugger hears of this cause alone; for the guest the older ones stay. */
	if (!(vcpu->guest_debug & (KVM_GUESTDBG_SINGLESTEP | KVM_GUESTDBG_USE_HW_BP)))
		dr6 |= vcpu->dr6 & ~LODGE_DR6_TRAPS;
	if ((event & VMX_EVENT_TYPE) == VMX_EVENT_INT1)
		vcpu->rip += vmcs_read(VMCS_INSN_LENGTH);
	ret = lodge_exit_debug(vcpu, dr6);
	if (vmx->drs_loaded)
		set_debugreg(vcpu->dr6, 6);
	return ret;
}
