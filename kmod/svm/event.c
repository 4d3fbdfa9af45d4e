// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exceptions, interrupts and NMIs on their way into the guest on AMD-V: EVENTINJ, EXITINTINFO, the interrupt
 * window by V_IRQ, the NMI window by IRET and single step. APM 2, 15.20 and 15.21.
 * Called in the section with interrupts off, or by the vCPU's owner outside the guest.
 */
#include "svm.h"

#include <asm/processor-flags.h>
#include <asm/trapnr.h>

#include "../backend.h"
#include "../event.h"

void svm_inject_exception(struct lodge_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	struct vmcb_control *control = &svm->vmcb->control;
	u32 event = vcpu->events.exception.vector | SVM_EVENT_VALID | SVM_EVENT_TYPE_EXCEPT;

	if (vcpu->events.exception.has_error) {
		event |= SVM_EVENT_HAS_ERROR;
		control->event_inj_error = vcpu->events.exception.error;
	}
	control->event_inj = event;
}

void svm_inject_interrupt(struct lodge_vcpu *vcpu)
{
	to_svm(vcpu)->vmcb->control.event_inj = vcpu->events.interrupt_vector | SVM_EVENT_VALID |
						SVM_EVENT_TYPE_INTR;
}

void svm_inject_nmi(struct lodge_vcpu *vcpu)
{
	to_svm(vcpu)->vmcb->control.event_inj = SVM_EVENT_VALID | SVM_EVENT_TYPE_NMI;
	svm_set_nmi_mask(vcpu, true);
}

void svm_requeue(struct svm_vcpu *svm, u32 info, u32 error)
{
	struct lodge_vcpu *vcpu = &svm->vcpu;
	u8 vector = info & SVM_EVENT_VECTOR;

	if (!(info & SVM_EVENT_VALID))
		return;
	switch (info & SVM_EVENT_TYPE) {
	case SVM_EVENT_TYPE_NMI:
		/* Its delivery did not finish: it does not mask NMIs yet. */
		svm_set_nmi_mask(vcpu, false);
		lodge_requeue_nmi(vcpu);
		break;
	case SVM_EVENT_TYPE_EXCEPT:
		/* #BP and #OF come from INT3 and INTO, with RIP still at the instruction: it will raise them again. */
		if (vector == X86_TRAP_BP || vector == X86_TRAP_OF)
			break;
		lodge_requeue_exception(vcpu, vector, info & SVM_EVENT_HAS_ERROR, error);
		break;
	case SVM_EVENT_TYPE_INTR:
		lodge_requeue_interrupt(vcpu, vector);
		break;
	case SVM_EVENT_TYPE_SOFT:
		/* RIP stands at INTn, which executes again. */
		break;
	}
}

void svm_cancel_injection(struct lodge_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	struct vmcb_control *control = &svm->vmcb->control;
	u32 info = control->event_inj;

	control->event_inj = 0;
	if (vcpu->events_injected) {
		vcpu->events_injected = false;
		lodge_events_delivered(vcpu);
	}
	svm_requeue(svm, info, control->event_inj_error);
}

bool svm_interrupt_allowed(struct lodge_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);

	return (vcpu->rflags & X86_EFLAGS_IF) && !(svm->vmcb->control.int_state & SVM_INT_SHADOW);
}

bool svm_nmi_allowed(struct lodge_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);

	return !svm->nmi_masked && !(svm->vmcb->control.int_state & SVM_INT_SHADOW);
}

/* A virtual interrupt of the highest priority exits, by VINTR, at the moment the guest could take it. */
void svm_request_interrupt_window(struct lodge_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	struct vmcb_control *control = &svm->vmcb->control;

	if (svm->irq_window)
		return;
	svm->irq_window = true;
	control->int_vector = 0;
	control->int_ctl |= SVM_V_IRQ | SVM_V_IGN_TPR | (0xf << SVM_V_INTR_PRIO_SHIFT);
	control->misc1 |= SVM_INTERCEPT_VINTR;
	svm_dirty(svm, SVM_CLEAN_INTR | SVM_CLEAN_INTERCEPTS);
}

void svm_clear_interrupt_window(struct svm_vcpu *svm)
{
	struct vmcb_control *control = &svm->vmcb->control;

	if (!svm->irq_window)
		return;
	svm->irq_window = false;
	control->int_ctl &= ~(SVM_V_IRQ | SVM_V_IGN_TPR | (0xf << SVM_V_INTR_PRIO_SHIFT));
	control->misc1 &= ~SVM_INTERCEPT_VINTR;
	svm_dirty(svm, SVM_CLEAN_INTR | SVM_CLEAN_INTERCEPTS);
}

/*
 * An NMI waits for IRET, which is intercepted before it executes, or for the end of an interrupt shadow:
 * step over that one instruction with TF, which the guest does not see.
 */
void svm_request_nmi_window(struct lodge_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);

	if (svm->nmi_masked && !svm->iret_pending)
		return;		/* the IRET intercept is set */
	if (svm->nmi_singlestep)
		return;
	svm->nmi_singlestep_flags = vcpu->rflags & (X86_EFLAGS_TF | X86_EFLAGS_RF);
	svm->nmi_singlestep = true;
	svm->watching = true;
}

void svm_nmi_step_end(struct svm_vcpu *svm)
{
	svm->nmi_singlestep = false;
}

void svm_set_nmi_mask(struct lodge_vcpu *vcpu, bool masked)
{
	struct svm_vcpu *svm = to_svm(vcpu);

	svm->nmi_masked = masked;
	svm->iret_pending = false;
	vcpu->events.nmi.masked = masked;
	if (masked)
		svm->vmcb->control.misc1 |= SVM_INTERCEPT_IRET;
	else
		svm->vmcb->control.misc1 &= ~SVM_INTERCEPT_IRET;
	svm_dirty(svm, SVM_CLEAN_INTERCEPTS);
}

/* Hear of a CR8 write only while an interrupt waits behind the TPR. */
void svm_update_tpr(struct lodge_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	struct vmcb_control *control = &svm->vmcb->control;
	u16 cr_write = control->cr_write & ~BIT(8);

	if (!vcpu->lapic || vcpu->tpr_blocks)
		cr_write |= BIT(8);
	if (cr_write != control->cr_write) {
		control->cr_write = cr_write;
		svm_dirty(svm, SVM_CLEAN_INTERCEPTS);
	}
	if ((control->int_ctl & SVM_V_TPR) != (vcpu->cr8 & SVM_V_TPR)) {
		control->int_ctl = (control->int_ctl & ~SVM_V_TPR) | (vcpu->cr8 & SVM_V_TPR);
		svm_dirty(svm, SVM_CLEAN_INTR);
	}
}

u32 svm_get_interrupt_shadow(struct lodge_vcpu *vcpu)
{
	if (!(to_svm(vcpu)->vmcb->control.int_state & SVM_INT_SHADOW))
		return 0;
	return KVM_X86_SHADOW_INT_STI | KVM_X86_SHADOW_INT_MOV_SS;
}

void svm_set_interrupt_shadow(struct lodge_vcpu *vcpu, u32 shadow)
{
	struct svm_vcpu *svm = to_svm(vcpu);

	if (shadow)
		svm->vmcb->control.int_state |= SVM_INT_SHADOW;
	else
		svm->vmcb->control.int_state &= ~SVM_INT_SHADOW;
	vcpu->shadow = shadow;
	svm_dirty(svm, SVM_CLEAN_INTR);
}
