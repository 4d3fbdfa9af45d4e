// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exceptions, interrupts and NMIs on their way into the guest on VT-x: the entry's event field, what an exit says of an
 * event whose delivery it cut short, interrupt and NMI windows, the TPR threshold. SDM 3, 27.6, 28.2.4 and 30.
 * Called in the section with interrupts off, or by the vCPU's owner outside the guest.
 */
#include "vmx.h"

#include <asm/processor-flags.h>
#include <asm/trapnr.h>

#include "../backend.h"
#include "../event.h"
#include "../irqchip/irqchip.h"

/* Vectors that push an error code: SDM 3, table 6-1. */
#define VECTORS_WITH_ERROR	(BIT(X86_TRAP_DF) | BIT(X86_TRAP_TS) | BIT(X86_TRAP_NP) | BIT(X86_TRAP_SS) | \
				 BIT(X86_TRAP_GP) | BIT(X86_TRAP_PF) | BIT(X86_TRAP_AC))

static void vmx_set_shadow(struct vmx_vcpu *vmx, u32 clear, u32 set)
{
	u32 shadow = (vmx->shadow & ~clear) | set;
	unsigned long flags;

	if (likely(shadow == vmx->shadow))
		return;
	vmx->shadow = shadow;
	flags = vmx_hold(vmx);
	vmcs_write(VMCS_GUEST_SHADOW, shadow);
	vmx_release(vmx, flags);
}

/* An entry insists that exactly the vectors which push an error code outside real mode come with one, on most CPUs. */
static bool vmx_exception_has_error(const struct lodge_vcpu *vcpu)
{
	u8 vector = vcpu->events.exception.vector;

	if (!(vcpu->cr0 & X86_CR0_PE))
		return false;
	if (!vmx_caps.error_codes_checked)
		return vcpu->events.exception.has_error;
	return vector < 32 && (VECTORS_WITH_ERROR & BIT(vector));
}

void vmx_inject_exception(struct lodge_vcpu *vcpu)
{
	u32 event = vcpu->events.exception.vector | VMX_EVENT_VALID | VMX_EVENT_EXCEPTION;

	if (vmx_exception_has_error(vcpu)) {
		event |= VMX_EVENT_HAS_ERROR;
		vmcs_write(VMCS_ENTRY_EVENT_ERROR, vcpu->events.exception.error);
	}
	vmcs_write(VMCS_ENTRY_EVENT, event);
}

/* User space without a LAPIC here may hand over an interrupt that the guest cannot take now: an entry with it fails. */
void vmx_inject_interrupt(struct lodge_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	if (unlikely(!vmx_interrupt_allowed(vcpu))) {
		vmx->interrupt_held = true;
		vmx_request_interrupt_window(vcpu);
		return;
	}
	vmcs_write(VMCS_ENTRY_EVENT, vcpu->events.interrupt_vector | VMX_EVENT_VALID | VMX_EVENT_INTERRUPT);
}

/* The CPU masks NMIs itself when the entry delivers one; a shadow that would forbid the entry ends with it. */
void vmx_inject_nmi(struct lodge_vcpu *vcpu)
{
	vmx_set_shadow(to_vmx(vcpu), VMX_SHADOW_STI | VMX_SHADOW_MOV_SS | VMX_SHADOW_NMI, 0);
	vmcs_write(VMCS_ENTRY_EVENT, X86_TRAP_NMI | VMX_EVENT_VALID | VMX_EVENT_NMI);
}

static void vmx_requeue(struct vmx_vcpu *vmx, u32 event, unsigned long error_field)
{
	struct lodge_vcpu *vcpu = &vmx->vcpu;
	u8 vector = event & VMX_EVENT_VECTOR;
	bool has_error = event & VMX_EVENT_HAS_ERROR;

	if (likely(!(event & VMX_EVENT_VALID)))
		return;
	switch (event & VMX_EVENT_TYPE) {
	case VMX_EVENT_NMI:
		/* Its delivery did not finish: it does not mask NMIs yet. */
		vmx_set_shadow(vmx, VMX_SHADOW_NMI, 0);
		lodge_requeue_nmi(vcpu);
		break;
	case VMX_EVENT_EXCEPTION:
		lodge_requeue_exception(vcpu, vector, has_error, has_error ? vmcs_read(error_field) : 0);
		break;
	case VMX_EVENT_INTERRUPT:
		lodge_requeue_interrupt(vcpu, vector);
		break;
	default:
		/* INTn, INT1, INT3, INTO: RIP stands at the instruction, which executes again. */
		break;
	}
}

/* After an exit, which has emptied the entry's event field. */
void vmx_forget_injected(struct vmx_vcpu *vmx)
{
	struct lodge_vcpu *vcpu = &vmx->vcpu;
	u8 vector = vcpu->events.interrupt_vector;

	if (!vcpu->events_injected)
		return;
	vcpu->events_injected = false;
	lodge_events_delivered(vcpu);
	if (unlikely(vmx->interrupt_held)) {
		vmx->interrupt_held = false;
		lodge_requeue_interrupt(vcpu, vector);
	}
}

void vmx_requeue_cut_short(struct vmx_vcpu *vmx)
{
	vmx_requeue(vmx, vmcs_read(VMCS_DELIVERY_EVENT), VMCS_DELIVERY_ERROR);
}

void vmx_cancel_injection(struct lodge_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	unsigned long flags = vmx_hold(vmx);
	u32 event = vmcs_read(VMCS_ENTRY_EVENT);

	vmcs_write(VMCS_ENTRY_EVENT, 0);
	vmx_forget_injected(vmx);
	vmx_requeue(vmx, event, VMCS_ENTRY_EVENT_ERROR);
	vmx_release(vmx, flags);
}

bool vmx_interrupt_allowed(struct lodge_vcpu *vcpu)
{
	return (vcpu->rflags & X86_EFLAGS_IF) && !(to_vmx(vcpu)->shadow & (VMX_SHADOW_STI | VMX_SHADOW_MOV_SS));
}

bool vmx_nmi_allowed(struct lodge_vcpu *vcpu)
{
	return !(to_vmx(vcpu)->shadow & (VMX_SHADOW_STI | VMX_SHADOW_MOV_SS | VMX_SHADOW_NMI));
}

void vmx_request_interrupt_window(struct lodge_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	vmx_set_proc(vmx, vmx->proc | VMX_PROC_INTERRUPT_WINDOW);
}

/* An NMI window need not wait for the end of STI's shadow, where no NMI can be injected; an interrupt window does. */
void vmx_request_nmi_window(struct lodge_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	if (vmx->shadow & VMX_SHADOW_STI)
		vmx_request_interrupt_window(vcpu);
	else
		vmx_set_proc(vmx, vmx->proc | VMX_PROC_NMI_WINDOW);
}

void vmx_clear_windows(struct vmx_vcpu *vmx, u32 windows)
{
	vmx_set_proc(vmx, vmx->proc & ~windows);
}

void vmx_set_nmi_mask(struct lodge_vcpu *vcpu, bool masked)
{
	vmx_set_shadow(to_vmx(vcpu), VMX_SHADOW_NMI, masked ? VMX_SHADOW_NMI : 0);
	vcpu->events.nmi.masked = masked;
}

/* Hear of a lowered TPR only while an interrupt waits behind it. Threshold <= TPR is demanded: SDM 3, 27.2.1.1. */
void vmx_update_tpr(struct lodge_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	u32 threshold = 0;

	if (vcpu->tpr_blocks)
		threshold = min_t(u64, lodge_lapic_highest_irr(vcpu) >> 4, vcpu->cr8);
	if (threshold != vmx->tpr_threshold) {
		vmx->tpr_threshold = threshold;
		vmcs_write(VMCS_TPR_THRESHOLD, threshold);
	}
	vmx->tpr = vcpu->cr8 << 4;
	vmx->apic_page[VMX_APIC_TPR] = vmx->tpr;
}

u32 vmx_get_interrupt_shadow(struct lodge_vcpu *vcpu)
{
	u32 shadow = to_vmx(vcpu)->shadow;

	return (shadow & VMX_SHADOW_STI ? KVM_X86_SHADOW_INT_STI : 0) |
	       (shadow & VMX_SHADOW_MOV_SS ? KVM_X86_SHADOW_INT_MOV_SS : 0);
}

/* An entry accepts one of the two only: SDM 3, 27.3.1.5. */
void vmx_set_interrupt_shadow(struct lodge_vcpu *vcpu, u32 shadow)
{
	u32 set = 0;

	if (shadow & KVM_X86_SHADOW_INT_MOV_SS)
		set = VMX_SHADOW_MOV_SS;
	else if (shadow & KVM_X86_SHADOW_INT_STI)
		set = VMX_SHADOW_STI;
	vmx_set_shadow(to_vmx(vcpu), VMX_SHADOW_STI | VMX_SHADOW_MOV_SS, set);
	vcpu->shadow = set;
}

/*
 * A shadow that the CPU did not make itself: STI's exists with interrupts on only, and a trap flag in a shadow
 * means that a single step is due behind it. SDM 3, 27.3.1.5.
 */
void vmx_check_shadow(struct vmx_vcpu *vmx)
{
	struct lodge_vcpu *vcpu = &vmx->vcpu;

	if (likely(!(vmx->shadow & (VMX_SHADOW_STI | VMX_SHADOW_MOV_SS))))
		return;
	if (!(vcpu->rflags & X86_EFLAGS_IF))
		vmx_set_shadow(vmx, VMX_SHADOW_STI, 0);
	if (vcpu->guest_debug & KVM_GUESTDBG_SINGLESTEP)
		vmx_set_shadow(vmx, VMX_SHADOW_STI | VMX_SHADOW_MOV_SS, 0);
	else if (vcpu->rflags & X86_EFLAGS_TF)
		vmcs_write(VMCS_GUEST_PENDING_DEBUG, vmcs_read(VMCS_GUEST_PENDING_DEBUG) | VMX_PENDING_BS);
}
