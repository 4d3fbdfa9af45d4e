/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What an exit does, whichever vendor's. Handlers run in the section with interrupts off and return an
 * enum lodge_exit_result or -errno; one that must sleep defers itself with lodge_defer().
 */
#ifndef LODGE_EXIT_H
#define LODGE_EXIT_H

#include <asm/processor-flags.h>

#include "backend.h"
#include "lodge.h"
#include "regs.h"

/**
 * lodge_defer() - run a handler's second half outside the section
 * @handler: may sleep; returns LODGE_EXIT_RESUME, LODGE_EXIT_USER or -errno
 */
static inline int lodge_defer(struct lodge_vcpu *vcpu, int (*handler)(struct lodge_vcpu *vcpu))
{
	vcpu->deferred = handler;
	return LODGE_EXIT_DEFER;
}

/* Pass the instruction that exited: RIP, and what every completed instruction does to RF, shadow and TF. */
static inline void lodge_exit_skip_to(struct lodge_vcpu *vcpu, u64 next_rip)
{
	vcpu->rip = next_rip;
	vcpu->rflags &= ~(u64)X86_EFLAGS_RF;
	if (unlikely(vcpu->shadow))
		lodge_op(set_interrupt_shadow)(vcpu, 0);
	if (unlikely(vcpu->rflags & X86_EFLAGS_TF))
		lodge_queue_debug(vcpu, LODGE_DR6_BS);
	else if (unlikely(vcpu->guest_debug & KVM_GUESTDBG_SINGLESTEP))
		vcpu->debug_step_done = true;
}

int lodge_exit_host_event(struct lodge_vcpu *vcpu);
int lodge_exit_io(struct lodge_vcpu *vcpu);		/* vcpu->io */
int lodge_exit_io_string(struct lodge_vcpu *vcpu);	/* INS, OUTS */
int lodge_exit_fault(struct lodge_vcpu *vcpu, gpa_t gpa, u32 access);
int lodge_exit_cpuid(struct lodge_vcpu *vcpu);
int lodge_exit_rdmsr(struct lodge_vcpu *vcpu);
int lodge_exit_wrmsr(struct lodge_vcpu *vcpu);
int lodge_exit_hypercall(struct lodge_vcpu *vcpu);
int lodge_exit_hlt(struct lodge_vcpu *vcpu);
int lodge_exit_pause(struct lodge_vcpu *vcpu);
int lodge_exit_nop(struct lodge_vcpu *vcpu);		/* INVD, WBINVD */
int lodge_exit_monitor(struct lodge_vcpu *vcpu);	/* MONITOR, MWAIT */
int lodge_exit_xsetbv(struct lodge_vcpu *vcpu);
int lodge_exit_system(struct lodge_vcpu *vcpu);		/* control and debug registers, the TSC: decoded here */
int lodge_exit_window(struct lodge_vcpu *vcpu);		/* the guest can take an interrupt */
int lodge_exit_debug(struct lodge_vcpu *vcpu, u64 dr6);	/* #DB */
int lodge_exit_breakpoint(struct lodge_vcpu *vcpu);	/* INT3 under a debugger */
int lodge_exit_undefined(struct lodge_vcpu *vcpu);	/* #UD */
int lodge_exit_invalid_opcode(struct lodge_vcpu *vcpu);	/* the CPU's own #UD */
int lodge_exit_general_protection(struct lodge_vcpu *vcpu);
int lodge_exit_shutdown(struct lodge_vcpu *vcpu);	/* triple fault */
int lodge_exit_entry_failed(struct lodge_vcpu *vcpu, u64 reason);
int lodge_exit_unknown(struct lodge_vcpu *vcpu);

/* system.c: the decoded control- and debug-register instructions */
int lodge_system_execute(struct lodge_vcpu *vcpu);

/* Finish the RDMSR or WRMSR that user space answered. */
int lodge_msr_complete(struct lodge_vcpu *vcpu);

/* exit.c: what user space answered a port read goes to RAX. */
void lodge_port_take_answer(struct lodge_vcpu *vcpu);

/* Finish the port access that user space saw. User space that moved RIP has dropped the instruction. */
static inline void lodge_port_complete(struct lodge_vcpu *vcpu)
{
	if (vcpu->rip != vcpu->io.rip)
		return;
	if (vcpu->io.in)
		lodge_port_take_answer(vcpu);
	lodge_exit_skip_to(vcpu, vcpu->io.next_rip);
}

#endif
