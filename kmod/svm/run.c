// SPDX-License-Identifier: GPL-2.0-only
/*
 * Into the guest and back on AMD-V, and what is done once for a whole section of entries: the host's VMSAVE,
 * the ASID, TSC_AUX, debug registers. Interrupts are off throughout.
 */
#include "svm.h"

#include <asm/asm.h>
#include <asm/debugreg.h>
#include <asm/msr.h>
#include <asm/nospec-branch.h>

#include "../clock.h"
#include "../cpuid.h"
#include "../event.h"
#include "../irqchip/irqchip.h"
#include "../regs.h"

static void svm_vmsave(hpa_t pa)
{
	asm volatile("1: vmsave %0\n2:\n" _ASM_EXTABLE(1b, 2b) : : "a" (pa) : "memory");
}

/*
 * The rate at which guests' TSCs run here, which the host's own does not follow (APM 2, 15.30.5). Another vCPU's
 * indirect branches must not steer this one's: follows the host's choice of IBPB.
 */
static void svm_replace_last(struct svm_vcpu *svm, struct svm_cpu *cpu)
{
	if (cpu->last == svm)
		return;
	cpu->last = svm;
	if (lodge_tsc_format.scales && cpu->tsc_ratio != svm->vcpu.tsc_ratio) {
		cpu->tsc_ratio = svm->vcpu.tsc_ratio;
		wrmsrq(MSR_AMD64_TSC_RATIO, cpu->tsc_ratio);
	}
	if (lodge_compat_uses_ibpb())
		wrmsrq(MSR_IA32_PRED_CMD, PRED_CMD_IBPB);
}

/*
 * The guest's debug registers go into the CPU when it first touches one in a section, or has a breakpoint armed;
 * then it has them to itself until the section ends.
 */
void svm_load_debugregs(struct svm_vcpu *svm)
{
	struct lodge_vcpu *vcpu = &svm->vcpu;

	lodge_debug_load(vcpu);
	svm->drs_loaded = true;
	vcpu->section_undo = true;
	if (vcpu->guest_debug & KVM_GUESTDBG_USE_HW_BP)
		return;		/* the debugger's breakpoints: the guest's own stay out */
	svm->vmcb->control.dr_read = 0;
	svm->vmcb->control.dr_write = 0;
	svm_dirty(svm, SVM_CLEAN_INTERCEPTS);
}

static void svm_unload_debugregs(struct svm_vcpu *svm)
{
	struct lodge_vcpu *vcpu = &svm->vcpu;

	svm->drs_loaded = false;
	if (!svm->vmcb->control.dr_read) {
		lodge_debug_store(vcpu);
		vcpu->dr6 = svm->vmcb->save.dr6;
		vcpu->dr7 = svm->vmcb->save.dr7;
		svm->vmcb->control.dr_read = 0xffff;
		svm->vmcb->control.dr_write = 0xffff;
		svm_dirty(svm, SVM_CLEAN_INTERCEPTS);
	}
}

void svm_section_enter(struct lodge_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	struct svm_cpu *cpu = this_cpu_ptr(&svm_cpu);

	svm_replace_last(svm, cpu);
	if (unlikely(!svm_asid_is_valid(svm, cpu)))
		svm_asid_assign(svm, cpu);
	svm_vmsave(cpu->host_pa);
	lodge_host_breakpoints_save(&cpu->breakpoints);
	if (svm->has_tsc_aux && svm->tsc_aux != cpu->host_tsc_aux) {
		wrmsrq(MSR_TSC_AUX, svm->tsc_aux);
		cpu->loaded_tsc_aux = true;
	}
	vcpu->section_undo = cpu->loaded_tsc_aux | cpu->breakpoints.active;
	if (unlikely(svm->vmcb->save.dr7 & LODGE_DR7_ENABLES))
		svm_load_debugregs(svm);
}

void svm_section_leave(struct lodge_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	struct svm_cpu *cpu = this_cpu_ptr(&svm_cpu);

	if (cpu->loaded_tsc_aux) {
		wrmsrq(MSR_TSC_AUX, cpu->host_tsc_aux);
		cpu->loaded_tsc_aux = false;
	}
	if (unlikely(svm->drs_loaded))
		svm_unload_debugregs(svm);
	lodge_host_breakpoints_restore(&cpu->breakpoints);
}

/* The task-priority register is the VMCB's while the guest runs, the LAPIC's outside. */
static void svm_sync_tpr(struct lodge_vcpu *vcpu, const struct vmcb_control *control)
{
	u64 cr8 = control->int_ctl & SVM_V_TPR;

	if (likely(cr8 == vcpu->cr8))
		return;
	vcpu->cr8 = cr8;
	if (vcpu->lapic)
		lodge_lapic_cr8_set(vcpu, cr8);
}

/* What was handed over is delivered, but for what the exit cut short. */
static void svm_complete_injection(struct svm_vcpu *svm, struct vmcb_control *control)
{
	if (unlikely(svm->vcpu.events_injected)) {
		control->event_inj = 0;
		svm->vcpu.events_injected = false;
		lodge_events_delivered(&svm->vcpu);
	}
	if (unlikely(control->exit_int_info & SVM_EVENT_VALID))
		svm_requeue(svm, control->exit_int_info, control->exit_int_error);
}

static void svm_watch_entry(struct svm_vcpu *svm)
{
	if (svm->nmi_singlestep || (svm->vcpu.guest_debug & KVM_GUESTDBG_SINGLESTEP))
		svm->vmcb->save.rflags |= X86_EFLAGS_TF | X86_EFLAGS_RF;
}

static void svm_watch_exit(struct svm_vcpu *svm)
{
	struct lodge_vcpu *vcpu = &svm->vcpu;

	if (svm->iret_pending && vcpu->rip != svm->iret_rip) {
		svm_set_nmi_mask(vcpu, false);
		lodge_vcpu_request_self(vcpu, LODGE_REQ_EVENT);
	}
	if (svm->nmi_singlestep)
		vcpu->rflags = (vcpu->rflags & ~(X86_EFLAGS_TF | X86_EFLAGS_RF)) | svm->nmi_singlestep_flags;
	else if (vcpu->guest_debug & KVM_GUESTDBG_SINGLESTEP)
		vcpu->rflags &= ~(X86_EFLAGS_TF | X86_EFLAGS_RF);
	svm->watching = svm_is_watching(svm);
}

void svm_run(struct lodge_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	struct vmcb_control *control = &svm->vmcb->control;
	struct vmcb_save *save = &svm->vmcb->save;

	save->rax = vcpu->gprs[LODGE_RAX];
	save->rsp = vcpu->gprs[LODGE_RSP];
	save->rip = vcpu->rip;
	save->rflags = vcpu->rflags;
	if (unlikely(svm->watching))
		svm_watch_entry(svm);
	save->cr2 = vcpu->cr2;

	if (unlikely(svm_enter(vcpu->gprs, svm->vmcb_pa, this_cpu_read(svm_cpu.host_pa)))) {
		lodge_vm_kill(vcpu->vm, LODGE_VM_KILLED_HARDWARE);
		control->exit_code = SVM_EXIT_INTR;
		control->exit_int_info = 0;
		return;
	}

	vcpu->gprs[LODGE_RAX] = save->rax;
	vcpu->gprs[LODGE_RSP] = save->rsp;
	vcpu->rip = save->rip;
	vcpu->rflags = save->rflags;
	vcpu->cr2 = save->cr2;
	vcpu->cr3 = save->cr3;
	vcpu->shadow = control->int_state & SVM_INT_SHADOW;
	vcpu->next_rip = control->next_rip & svm_features.next_rip;
	control->tlb_control = SVM_TLB_KEEP;
	control->clean = svm_features.clean;

	svm_sync_tpr(vcpu, control);
	if (unlikely(svm->watching))
		svm_watch_exit(svm);
	svm_complete_injection(svm, control);
}
