// SPDX-License-Identifier: GPL-2.0-only
/*
 * AMD-V's exits decoded: a switch that calls. What an exit does is exit.c's of the common code. Called in the
 * section with interrupts off; a handler that must sleep defers itself.
 */
#include "svm.h"

#include <asm/processor-flags.h>
#include <asm/trapnr.h>

#include "../backend.h"
#include "../exit.h"
#include "../regs.h"

static int svm_exit_io(struct svm_vcpu *svm)
{
	struct lodge_exit_io *io = &svm->vcpu.io;
	u32 info = svm->vmcb->control.exit_info_1;

	if (unlikely(info & SVM_IOIO_STR))
		return lodge_exit_io_string(&svm->vcpu);
	io->port = info >> SVM_IOIO_PORT_SHIFT;
	io->size = (info >> SVM_IOIO_SIZE_SHIFT) & SVM_IOIO_SIZE_MASK;
	io->in = info & SVM_IOIO_IN;
	io->next_rip = svm->vmcb->control.exit_info_2;
	return lodge_exit_io(&svm->vcpu);
}

static int svm_exit_npf(struct svm_vcpu *svm)
{
	u64 info = svm->vmcb->control.exit_info_1;
	u32 access = info & SVM_NPF_FETCH ? LODGE_ACCESS_EXEC :
		     info & SVM_NPF_WRITE ? LODGE_ACCESS_WRITE : LODGE_ACCESS_READ;

	/* The access had passed the guest's own tables: its GPA is the operand's. */
	svm->vcpu.fault.gva_valid = info & SVM_NPF_FINAL;
	return lodge_exit_fault(&svm->vcpu, svm->vmcb->control.exit_info_2, access);
}

static int svm_exit_debug(struct svm_vcpu *svm)
{
	struct lodge_vcpu *vcpu = &svm->vcpu;
	u64 dr6 = svm->vmcb->save.dr6;

	/* The trap is the guest's own business while it has its debug registers, and not the debugger's. */
	if (!svm->vmcb->control.dr_read)
		vcpu->dr7 = svm->vmcb->save.dr7;

	if (svm->nmi_singlestep) {
		bool guests = svm->nmi_singlestep_flags & X86_EFLAGS_TF;

		svm_nmi_step_end(svm);
		lodge_vcpu_request_self(vcpu, LODGE_REQ_EVENT);
		if (!guests && !(vcpu->guest_debug & KVM_GUESTDBG_SINGLESTEP) &&
		    !(dr6 & LODGE_DR6_TRAPS))
			return LODGE_EXIT_RESUME;
	}
	return lodge_exit_debug(vcpu, dr6);
}

static int svm_exit_iret(struct svm_vcpu *svm)
{
	/* The IRET has not run yet: NMIs stay masked until RIP has moved on. */
	svm->vmcb->control.misc1 &= ~SVM_INTERCEPT_IRET;
	svm_dirty(svm, SVM_CLEAN_INTERCEPTS);
	svm->iret_pending = true;
	svm->watching = true;
	svm->iret_rip = svm->vcpu.rip;
	lodge_vcpu_request_self(&svm->vcpu, LODGE_REQ_EVENT);
	return LODGE_EXIT_RESUME;
}

static int svm_exit_dr(struct svm_vcpu *svm)
{
	if (svm->vcpu.guest_debug & KVM_GUESTDBG_USE_HW_BP)
		return lodge_exit_system(&svm->vcpu);
	svm_load_debugregs(svm);
	return LODGE_EXIT_RESUME;
}

static int svm_exit_window(struct svm_vcpu *svm)
{
	svm_clear_interrupt_window(svm);
	return lodge_exit_window(&svm->vcpu);
}

/* The host's own machine check, which ended the guest's run: take it as the host would have. */
static int svm_exit_machine_check(void)
{
	asm volatile("int $0x12");
	return LODGE_EXIT_RESUME;
}

static int svm_exit_alignment(struct svm_vcpu *svm)
{
	lodge_queue_exception(&svm->vcpu, X86_TRAP_AC, true, 0);
	return LODGE_EXIT_RESUME;
}

/* The VMCB is undefined after a shutdown: APM 2, 15.14.3. The vCPU stays where it was. */
static int svm_exit_shutdown(struct svm_vcpu *svm)
{
	svm->vmcb->control.exit_int_info = 0;
	return lodge_exit_shutdown(&svm->vcpu);
}

int svm_handle_exit(struct lodge_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	u64 code = svm->vmcb->control.exit_code;

	/* Without jump tables a switch is a search: the commonest first. */
	if (likely(code == SVM_EXIT_IOIO))
		return svm_exit_io(svm);
	if (code == SVM_EXIT_NPF)
		return svm_exit_npf(svm);
	if (code == SVM_EXIT_MSR)
		return svm->vmcb->control.exit_info_1 ? lodge_exit_wrmsr(vcpu) : lodge_exit_rdmsr(vcpu);

	switch (code) {
	case SVM_EXIT_INTR:
	case SVM_EXIT_NMI:
	case SVM_EXIT_SMI:
	case SVM_EXIT_INIT:
		return lodge_exit_host_event(vcpu);
	case SVM_EXIT_CPUID:
		return lodge_exit_cpuid(vcpu);
	case SVM_EXIT_HLT:
		return lodge_exit_hlt(vcpu);
	case SVM_EXIT_VMMCALL:
		return lodge_exit_hypercall(vcpu);
	case SVM_EXIT_VINTR:
		return svm_exit_window(svm);
	case SVM_EXIT_PAUSE:
		return lodge_exit_pause(vcpu);
	case SVM_EXIT_IRET:
		return svm_exit_iret(svm);
	case SVM_EXIT_READ_CR0 ... SVM_EXIT_WRITE_CR15:
	case SVM_EXIT_CR0_SEL_WRITE:
	case SVM_EXIT_RDTSC:
	case SVM_EXIT_RDTSCP:
		return lodge_exit_system(vcpu);
	case SVM_EXIT_READ_DR0 ... SVM_EXIT_WRITE_DR15:
		return svm_exit_dr(svm);
	case SVM_EXIT_INVD:
	case SVM_EXIT_WBINVD:
		return lodge_exit_nop(vcpu);
	case SVM_EXIT_MONITOR:
	case SVM_EXIT_MWAIT:
		return lodge_exit_monitor(vcpu);
	case SVM_EXIT_XSETBV:
		return lodge_exit_xsetbv(vcpu);
	case SVM_EXIT_RDPMC:
		return lodge_exit_general_protection(vcpu);
	case SVM_EXIT_INVLPGA:
	case SVM_EXIT_VMRUN:
	case SVM_EXIT_VMLOAD:
	case SVM_EXIT_VMSAVE:
	case SVM_EXIT_STGI:
	case SVM_EXIT_CLGI:
	case SVM_EXIT_SKINIT:
	case SVM_EXIT_RDPRU:
		return lodge_exit_undefined(vcpu);
	case SVM_EXIT_EXCP_BASE + X86_TRAP_DB:
		return svm_exit_debug(svm);
	case SVM_EXIT_EXCP_BASE + X86_TRAP_BP:
		return lodge_exit_breakpoint(vcpu);
	case SVM_EXIT_EXCP_BASE + X86_TRAP_UD:
		return lodge_exit_invalid_opcode(vcpu);
	case SVM_EXIT_EXCP_BASE + X86_TRAP_AC:
		return svm_exit_alignment(svm);
	case SVM_EXIT_EXCP_BASE + X86_TRAP_MC:
		return svm_exit_machine_check();
	case SVM_EXIT_SHUTDOWN:
		return svm_exit_shutdown(svm);
	case SVM_EXIT_INVALID:
	case (u32)SVM_EXIT_INVALID:	/* QEMU's emulation */
		return lodge_exit_entry_failed(vcpu, code);
	default:
		return lodge_exit_unknown(vcpu);
	}
}

unsigned int svm_get_insn_bytes(struct lodge_vcpu *vcpu, const u8 **bytes)
{
	const struct vmcb_control *control = &to_svm(vcpu)->vmcb->control;

	/* Valid for nested faults on data only: APM 2, 15.8.4. */
	if (!svm_features.decode_assists || control->exit_code != SVM_EXIT_NPF ||
	    (control->exit_info_1 & SVM_NPF_FETCH))
		return 0;
	*bytes = control->insn_bytes;
	return min_t(unsigned int, control->insn_len, sizeof(control->insn_bytes));
}

u64 svm_exit_reason(struct lodge_vcpu *vcpu)
{
	return to_svm(vcpu)->vmcb->control.exit_code;
}
