/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The one list of what a backend does. backend.h expands it to struct lodge_backend_ops and to the static calls.
 * Each row: return type, name, parameters. "Section" = inside lodge_section_enter()/leave(), interrupts off.
 */
#ifndef LODGE_OP
#error "define LODGE_OP before including backend-ops.h"
#endif

/* Hardware, per CPU: interrupts off. */
LODGE_OP(int, cpu_enable, (void))			/* 0, -EBUSY: another hypervisor holds the feature */
LODGE_OP(void, cpu_disable, (void))
LODGE_OP(void, cpu_emergency, (void))			/* a crash: off, in any context, and nothing else */
LODGE_OP(bool, cpu_is_enabled, (void))			/* still ours? */

/* vCPU lifetime; the backend's struct embeds struct lodge_vcpu. May sleep. */
LODGE_OP(struct lodge_vcpu *, vcpu_alloc, (void))
LODGE_OP(int, vcpu_init, (struct lodge_vcpu *vcpu))	/* vm, id are set */
LODGE_OP(void, vcpu_free, (struct lodge_vcpu *vcpu))
LODGE_OP(void, vcpu_reset, (struct lodge_vcpu *vcpu, bool init))
LODGE_OP(void, cpuid_changed, (struct lodge_vcpu *vcpu))	/* intercepts that follow the guest's features */

/* Preemption off, interrupts on: the vCPU is about to run on this CPU for the first time since it ran elsewhere. */
LODGE_OP(void, vcpu_leave_cpu, (struct lodge_vcpu *vcpu))	/* vcpu->cpu is the old one still, or -1 */

/* The CPU's own log of written pages, where lodge_nested.logs_writes; they go to lodge_dirty_logged(). */
LODGE_OP(int, log_writes, (struct lodge_vcpu *vcpu, bool on))	/* the vCPU's thread, not in the guest: 0 or -ENOMEM */
LODGE_OP(void, drain_log, (struct lodge_vcpu *vcpu))	/* any thread, the vCPU may run: what it wrote up to now */

/* The section. */
LODGE_OP(void, section_enter, (struct lodge_vcpu *vcpu))	/* this CPU's state: ASID, host block, lazy MSRs */
LODGE_OP(void, section_leave, (struct lodge_vcpu *vcpu))	/* if vcpu->section_undo was set since section_enter */
LODGE_OP(void, flush_tlb, (struct lodge_vcpu *vcpu))
LODGE_OP(void, run, (struct lodge_vcpu *vcpu))	/* one entry and exit; gprs, rip, rflags, cr2, cr8, shadow, next_rip */
LODGE_OP(int, handle_exit, (struct lodge_vcpu *vcpu))		/* enum lodge_exit_result or -errno; interrupts off */

/* Guest registers; not in the guest. */
LODGE_OP(void, get_segment, (struct lodge_vcpu *vcpu, enum lodge_segment seg, struct kvm_segment *out))
LODGE_OP(void, set_segment, (struct lodge_vcpu *vcpu, enum lodge_segment seg, const struct kvm_segment *in))
LODGE_OP(u64, get_segment_base, (struct lodge_vcpu *vcpu, enum lodge_segment seg))
LODGE_OP(u8, get_cpl, (struct lodge_vcpu *vcpu))
LODGE_OP(void, get_code, (struct lodge_vcpu *vcpu, struct lodge_code *out))	/* section; RSP and CR3 right too */
LODGE_OP(void, get_gdt, (struct lodge_vcpu *vcpu, struct kvm_dtable *out))
LODGE_OP(void, set_gdt, (struct lodge_vcpu *vcpu, const struct kvm_dtable *in))
LODGE_OP(void, get_idt, (struct lodge_vcpu *vcpu, struct kvm_dtable *out))
LODGE_OP(void, set_idt, (struct lodge_vcpu *vcpu, const struct kvm_dtable *in))
LODGE_OP(void, set_cr0, (struct lodge_vcpu *vcpu, u64 cr0))	/* values already checked */
LODGE_OP(void, set_cr3, (struct lodge_vcpu *vcpu, u64 cr3))
LODGE_OP(void, set_cr4, (struct lodge_vcpu *vcpu, u64 cr4))
LODGE_OP(void, set_efer, (struct lodge_vcpu *vcpu, u64 efer))
LODGE_OP(void, set_debugregs, (struct lodge_vcpu *vcpu))	/* vcpu->dr6, dr7 or guest_debug changed */
LODGE_OP(void, set_tsc_offset, (struct lodge_vcpu *vcpu))
LODGE_OP(void, set_tsc_ratio, (struct lodge_vcpu *vcpu))	/* or RDTSC exits: lodge_tsc_format; may sleep */
LODGE_OP(void, set_pat, (struct lodge_vcpu *vcpu))		/* vcpu->pat changed */
LODGE_OP(u32, get_interrupt_shadow, (struct lodge_vcpu *vcpu))	/* KVM_X86_SHADOW_INT_* */
LODGE_OP(void, set_interrupt_shadow, (struct lodge_vcpu *vcpu, u32 shadow))

/* The backend's own MSRs (SYSENTER, STAR, FS base, ...): 0; -ENOENT: it does not know it; -EINVAL: a bad value. */
LODGE_OP(int, get_msr, (struct lodge_vcpu *vcpu, u32 msr, u64 *value))
LODGE_OP(int, set_msr, (struct lodge_vcpu *vcpu, u32 msr, u64 value, bool host))
LODGE_OP(void, intercept_msrs, (struct lodge_vcpu *vcpu, bool all))	/* also those of msr_passthrough, or not */

/* Events; section or not in the guest. */
LODGE_OP(void, inject_exception, (struct lodge_vcpu *vcpu))	/* vcpu->events.exception */
LODGE_OP(void, inject_interrupt, (struct lodge_vcpu *vcpu))	/* vcpu->events.interrupt */
LODGE_OP(void, inject_nmi, (struct lodge_vcpu *vcpu))
LODGE_OP(void, cancel_injection, (struct lodge_vcpu *vcpu))	/* back to vcpu->events: no entry will follow */
LODGE_OP(bool, interrupt_allowed, (struct lodge_vcpu *vcpu))
LODGE_OP(bool, nmi_allowed, (struct lodge_vcpu *vcpu))
LODGE_OP(void, request_interrupt_window, (struct lodge_vcpu *vcpu))
LODGE_OP(void, request_nmi_window, (struct lodge_vcpu *vcpu))
LODGE_OP(void, set_nmi_mask, (struct lodge_vcpu *vcpu, bool masked))
LODGE_OP(void, update_tpr, (struct lodge_vcpu *vcpu))		/* cr8 or pending vector changed */

/* The instruction at the exit: its bytes when the hardware gave them. Number of bytes, 0 when none. */
LODGE_OP(unsigned int, get_insn_bytes, (struct lodge_vcpu *vcpu, const u8 **bytes))
LODGE_OP(u64, exit_reason, (struct lodge_vcpu *vcpu))	/* hardware's number, for KVM_EXIT_UNKNOWN and tracing */

#undef LODGE_OP
