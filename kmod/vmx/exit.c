// SPDX-License-Identifier: GPL-2.0-only
/*
 * VT-x's exits decoded: a switch that calls. What an exit does is exit.c's of the common code. Called in the
 * section with interrupts off; a handler that must sleep defers itself.
 */
#include "vmx.h"

#include <asm/processor-flags.h>
#include <asm/trapnr.h>

#include "../backend.h"
#include "../exit.h"

/* Exits that stand for an instruction which common code executes once it knows where the next one begins. */
#define VMX_INSTRUCTIONS	(BIT_ULL(VMX_REASON_CPUID) | BIT_ULL(VMX_REASON_RDMSR) | BIT_ULL(VMX_REASON_WRMSR) | \
				 BIT_ULL(VMX_REASON_HLT) | BIT_ULL(VMX_REASON_VMCALL) | BIT_ULL(VMX_REASON_PAUSE) | \
				 BIT_ULL(VMX_REASON_XSETBV) | BIT_ULL(VMX_REASON_INVD) | \
				 BIT_ULL(VMX_REASON_WBINVD) | BIT_ULL(VMX_REASON_MONITOR) | \
				 BIT_ULL(VMX_REASON_MWAIT))

/*
 * Behind the instruction that exited, into *@next. False: that is beyond 4 GiB and this was not, which compatibility mode
 * and older ones do not do. Whoever handles that does so in a function of its own, so that others need no stack.
 */
static __always_inline bool vmx_next_rip(const struct lodge_vcpu *vcpu, u64 *next)
{
	*next = vcpu->rip + vmcs_read(VMCS_INSN_LENGTH);
	return likely(!((*next ^ vcpu->rip) >> 32));
}

static void vmx_wrap_rip(struct lodge_vcpu *vcpu, u64 *next)
{
	if (!lodge_vcpu_in_long_code(vcpu))
		*next = (u32)*next;
}

static noinline int vmx_exit_port_wrapped(struct lodge_vcpu *vcpu)
{
	vmx_wrap_rip(vcpu, &vcpu->io.next_rip);
	return lodge_exit_io(vcpu);
}

static __always_inline int vmx_exit_port(struct vmx_vcpu *vmx)
{
	struct lodge_vcpu *vcpu = &vmx->vcpu;
	struct lodge_exit_io *io = &vcpu->io;
	u32 info = vmcs_read(VMCS_QUALIFICATION);

	if (unlikely(info & VMX_PORT_STRING))
		return lodge_exit_io_string(vcpu);
	io->port = info >> VMX_PORT_NUMBER_SHIFT;
	io->size = (info & VMX_PORT_SIZE) + 1;
	io->in = info & VMX_PORT_IN;
	return vmx_next_rip(vcpu, &io->next_rip) ? lodge_exit_io(vcpu) : vmx_exit_port_wrapped(vcpu);
}

/* An IRET that faulted after it unmasked NMIs will execute again: SDM 3, 28.2.3. */
static void vmx_remask_nmis(struct vmx_vcpu *vmx)
{
	if (!(vmcs_read(VMCS_DELIVERY_EVENT) & VMX_EVENT_VALID))
		vmx_set_nmi_mask(&vmx->vcpu, true);
}

static noinline int vmx_exit_ept_violation(struct vmx_vcpu *vmx)
{
	u64 info = vmcs_read(VMCS_QUALIFICATION);
	u32 access = info & VMX_EPT_FETCH ? LODGE_ACCESS_EXEC :
		     info & VMX_EPT_WRITE ? LODGE_ACCESS_WRITE : LODGE_ACCESS_READ;

	vmx_requeue_cut_short(vmx);
	if (unlikely(info & VMX_EPT_NMI_UNBLOCKED))
		vmx_remask_nmis(vmx);
	/* The access had passed the guest's own tables: its GPA is the operand's. */
	vmx->vcpu.fault.gva_valid = (info & VMX_EPT_LINEAR_VALID) && (info & VMX_EPT_FINAL);
	return lodge_exit_fault(&vmx->vcpu, vmcs_read(VMCS_GPA), access);
}

/* It has bit 12 in common with an EPT violation: SDM 3, 28.2.1. */
static int vmx_exit_log_full(struct vmx_vcpu *vmx)
{
	vmx_requeue_cut_short(vmx);
	if (unlikely(vmcs_read(VMCS_QUALIFICATION) & VMX_EPT_NMI_UNBLOCKED))
		vmx_remask_nmis(vmx);
	vmx_pml_restart(vmx);
	return LODGE_EXIT_RESUME;
}

static int vmx_exit_ept_misconfig(struct vmx_vcpu *vmx)
{
	vmx_requeue_cut_short(vmx);
	vmx_report_misconfig(vmx, vmcs_read(VMCS_GPA));
	return lodge_exit_unknown(&vmx->vcpu);
}

/* The host's own, which ended the guest's run: taken as the host would have. NMIs are blocked until its IRET. */
static int vmx_exit_nmi(void)
{
	asm volatile("int $2");
	return LODGE_EXIT_LEAVE;
}

static int vmx_exit_machine_check(void)
{
	asm volatile("int $0x12");
	return LODGE_EXIT_RESUME;
}

static int vmx_exit_exception(struct vmx_vcpu *vmx)
{
	u32 event = vmcs_read(VMCS_EXIT_EVENT);

	vmx_requeue_cut_short(vmx);
	if ((event & VMX_EVENT_TYPE) == VMX_EVENT_NMI)
		return vmx_exit_nmi();
	if (unlikely(event & VMX_EVENT_NMI_UNBLOCKED))
		vmx_remask_nmis(vmx);
	switch (event & VMX_EVENT_VECTOR) {
	case X86_TRAP_DB:
		return vmx_exit_debug(vmx, event);
	case X86_TRAP_BP:
		return lodge_exit_breakpoint(&vmx->vcpu);
	case X86_TRAP_UD:
		return lodge_exit_invalid_opcode(&vmx->vcpu);
	case X86_TRAP_AC:
		lodge_queue_exception(&vmx->vcpu, X86_TRAP_AC, true, 0);
		return LODGE_EXIT_RESUME;
	case X86_TRAP_MC:
		return vmx_exit_machine_check();
	default:
		return lodge_exit_unknown(&vmx->vcpu);
	}
}

static int vmx_exit_dr(struct vmx_vcpu *vmx)
{
	struct lodge_vcpu *vcpu = &vmx->vcpu;

	/* General detect comes as #DB once the moves do not exit. */
	if ((vcpu->guest_debug & KVM_GUESTDBG_USE_HW_BP) || (vcpu->dr7 & LODGE_DR7_GD))
		return lodge_exit_system(vcpu);
	vmx_load_debugregs(vmx);
	return LODGE_EXIT_RESUME;
}

static int vmx_exit_window(struct vmx_vcpu *vmx)
{
	vmx_clear_windows(vmx, VMX_PROC_INTERRUPT_WINDOW);
	return lodge_exit_window(&vmx->vcpu);
}

static int vmx_exit_look_at_events(struct vmx_vcpu *vmx)
{
	lodge_vcpu_request_self(&vmx->vcpu, LODGE_REQ_EVENT);
	return LODGE_EXIT_RESUME;
}

static int vmx_exit_nmi_window(struct vmx_vcpu *vmx)
{
	vmx_clear_windows(vmx, VMX_PROC_NMI_WINDOW);
	return vmx_exit_look_at_events(vmx);
}

static noinline int vmx_exit_entry_failed(struct vmx_vcpu *vmx)
{
	if (!(vmx->reason & VMX_REASON_ENTRY_REFUSED)) {
		vmx_report_failed_entry(vmx);
		vmx_cancel_injection(&vmx->vcpu);
	}
	return lodge_exit_entry_failed(&vmx->vcpu, vmx_exit_reason(&vmx->vcpu));
}

/* Without jump tables a switch is a search: the commonest first. */
static __always_inline int vmx_execute(struct vmx_vcpu *vmx)
{
	struct lodge_vcpu *vcpu = &vmx->vcpu;
	u32 reason = vmx->reason;

	if (reason == VMX_REASON_WRMSR)
		return lodge_exit_wrmsr(vcpu);
	if (reason == VMX_REASON_CPUID)
		return lodge_exit_cpuid(vcpu);
	if (reason == VMX_REASON_RDMSR)
		return lodge_exit_rdmsr(vcpu);
	if (reason == VMX_REASON_VMCALL)
		return lodge_exit_hypercall(vcpu);
	switch (reason) {
	case VMX_REASON_HLT:
		return lodge_exit_hlt(vcpu);
	case VMX_REASON_PAUSE:
		return lodge_exit_pause(vcpu);
	case VMX_REASON_XSETBV:
		return lodge_exit_xsetbv(vcpu);
	case VMX_REASON_MONITOR:
	case VMX_REASON_MWAIT:
		return lodge_exit_monitor(vcpu);
	default:
		return lodge_exit_nop(vcpu);
	}
}

static noinline int vmx_execute_wrapped(struct vmx_vcpu *vmx)
{
	vmx_wrap_rip(&vmx->vcpu, &vmx->vcpu.next_rip);
	return vmx_execute(vmx);
}

static __always_inline int vmx_exit_instruction(struct vmx_vcpu *vmx)
{
	return vmx_next_rip(&vmx->vcpu, &vmx->vcpu.next_rip) ? vmx_execute(vmx) : vmx_execute_wrapped(vmx);
}

static noinline int vmx_handle_other(struct vmx_vcpu *vmx)
{
	struct lodge_vcpu *vcpu = &vmx->vcpu;

	switch (vmx->reason) {
	case VMX_REASON_INTERRUPT:
	case VMX_REASON_INIT:
		return lodge_exit_host_event(vcpu);
	case VMX_REASON_PML_FULL:
		return vmx_exit_log_full(vmx);
	case VMX_REASON_INTERRUPT_WINDOW:
		return vmx_exit_window(vmx);
	case VMX_REASON_NMI_WINDOW:
		return vmx_exit_nmi_window(vmx);
	case VMX_REASON_TPR:
		return vmx_exit_look_at_events(vmx);
	case VMX_REASON_EXCEPTION:
		return vmx_exit_exception(vmx);
	case VMX_REASON_CR:
	case VMX_REASON_RDTSC:
	case VMX_REASON_RDTSCP:
		return lodge_exit_system(vcpu);
	case VMX_REASON_DR:
		return vmx_exit_dr(vmx);
	case VMX_REASON_TRIPLE_FAULT:
		return lodge_exit_shutdown(vcpu);
	case VMX_REASON_RDPMC:
		return lodge_exit_general_protection(vcpu);
	case VMX_REASON_GETSEC:
	case VMX_REASON_VMCLEAR ... VMX_REASON_VMXON:
	case VMX_REASON_INVEPT:
	case VMX_REASON_INVVPID:
	case VMX_REASON_VMFUNC:
		return lodge_exit_undefined(vcpu);
	case VMX_REASON_ENTRY_MACHINE_CHECK:
		return vmx_exit_machine_check();
	case VMX_REASON_EPT_MISCONFIG:
		return vmx_exit_ept_misconfig(vmx);
	case VMX_REASON_TASK_SWITCH:
		vmx_requeue_cut_short(vmx);
		return lodge_exit_unknown(vcpu);
	default:
		return vmx->reason & VMX_REASON_ENTRY_FAILED ? vmx_exit_entry_failed(vmx) : lodge_exit_unknown(vcpu);
	}
}

/* The frequent ones, in a function that needs no stack. */
int vmx_handle_exit(struct lodge_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	if (likely(vmx->reason == VMX_REASON_PORT))
		return vmx_exit_port(vmx);
	if (vmx->reason < 64 && (VMX_INSTRUCTIONS & BIT_ULL(vmx->reason)))
		return vmx_exit_instruction(vmx);
	if (vmx->reason == VMX_REASON_EPT_VIOLATION)
		return vmx_exit_ept_violation(vmx);
	return vmx_handle_other(vmx);
}

unsigned int vmx_get_insn_bytes(struct lodge_vcpu *vcpu, const u8 **bytes)
{
	return 0;
}

/* A refused entry is told by the CPU's error number alone, as KVM does. */
u64 vmx_exit_reason(struct lodge_vcpu *vcpu)
{
	u32 reason = to_vmx(vcpu)->reason;

	return reason & VMX_REASON_ENTRY_REFUSED ? (u16)reason : reason;
}
