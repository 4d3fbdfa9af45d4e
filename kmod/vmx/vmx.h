/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of vmx/ share. Nothing outside vmx/ includes this.
 *
 * A VMCS is reached only while it is current on this CPU. In the section it is. Elsewhere vmx_hold() makes it so for
 * a few instructions, and what was read or written goes by the VMCS itself, without a copy in memory.
 */
#ifndef LODGE_VMX_H
#define LODGE_VMX_H

#include <linux/percpu.h>

#include "insn.h"
#include "vmcs.h"
#include "../compat/vmxon.h"
#include "../regs.h"

struct vmx_vcpu {
	struct lodge_vcpu vcpu;
	void *vmcs;			/* (i) */
	hpa_t vmcs_pa;			/* (i) */
	u8 *apic_page;			/* (i) holds the TPR of the guest's MOV CR8 */
	u64 eptp;			/* (i) */

	/* Hot. What the VMCS holds now, so that only what differs is written; all (v). */
	u64 rip, rflags;
	u64 host_rsp;
	u32 reason;			/* of the last exit */
	u32 shadow;			/* VMX_SHADOW_* */
	bool launched;			/* VMRESUME, not VMLAUNCH */
	bool in_section;
	bool drs_loaded;		/* guest DR0-3, DR6 are in the CPU; MOV DR does not exit */
	bool interrupt_held;		/* what was handed over cannot go in yet: the window is open */
	u32 proc, proc2;		/* the controls of that name */
	u32 tpr_threshold;
	u8 tpr;				/* in apic_page, as last seen */
	u64 rsp, tsc_offset;

	/* Once a section: what VM exits load for the host. (v) */
	u64 host_cr3, host_cr4, host_fs_base;
	int host_cpu;			/* whose per-CPU fields they are, or -1 */

	/* pml.c; written by the vCPU's thread. */
	raw_spinlock_t pml_lock;
	u64 *pml;			/* under pml_lock: the log of writes, or NULL */
	int pml_next;			/* under pml_lock: the entry that is drained next; -1: none is left */

	int vmcs_cpu;			/* the CPU that may cache the VMCS, or -1; changed there, interrupts off */
	struct list_head link;		/* in that CPU's list */

	/* MSRs that no VM entry loads; (v). */
	u64 star, lstar, cstar, syscall_mask, kernel_gs_base, tsc_aux;
};

/* MSRs of the host that only user space and SYSCALL use: the guest's are in them during a section. */
struct vmx_host_msrs {
	u64 star, lstar, syscall_mask, tsc_aux;	/* the same from boot on */
	u64 kernel_gs_base, debugctl, pebs;	/* as the section found them */
	u16 ds, es, fs, gs;
	bool has_pebs;
};

/* Per CPU; interrupts off. */
struct vmx_cpu {
	void *vmxon;			/* region for VMXON */
	struct vmx_vcpu *current_vmcs;	/* whose VMCS is current, or NULL */
	u64 other_vmcs;			/* another hypervisor's, to be made current again */
	struct list_head vmcss;		/* that this CPU may cache */
	struct vmx_vcpu *last;		/* last vCPU here, for IBPB; only compared */
	bool enabled;
	bool loaded_syscall, loaded_tsc_aux;
	struct vmx_host_msrs host;
	struct lodge_host_breakpoints breakpoints;
	struct desc_ptr gdt;			/* the host's, the same while it is enabled */
};
DECLARE_PER_CPU(struct vmx_cpu, vmx_cpu);

/* What was negotiated at load; the controls are those every vCPU starts with. caps.c. */
struct vmx_caps {
	u32 revision;
	u32 pin, proc, proc2, exit, entry;
	u32 proc2_offered;		/* secondary controls that a vCPU may have */
	u64 ept;			/* IA32_VMX_EPT_VPID_CAP */
	bool error_codes_checked;	/* entries insist on the vectors that push one */
};
extern struct vmx_caps vmx_caps;

static inline struct vmx_vcpu *to_vmx(struct lodge_vcpu *vcpu)
{
	return container_of(vcpu, struct vmx_vcpu, vcpu);
}

/* caps.c */
int vmx_check(void);

/* hardware.c */
int vmx_setup(void);
void vmx_teardown(void);
int vmx_cpu_enable(void);
void vmx_cpu_disable(void);
void vmx_cpu_emergency(void);
bool vmx_cpu_is_enabled(void);
extern hpa_t vmx_msr_bitmap_pa, vmx_msr_bitmap_closed_pa;

/* vmcs.c */
struct lodge_vcpu *vmx_vcpu_alloc(void);
int vmx_vcpu_init(struct lodge_vcpu *vcpu);
void vmx_vcpu_free(struct lodge_vcpu *vcpu);
void vmx_vcpu_reset(struct lodge_vcpu *vcpu, bool init);
void vmx_vcpu_leave_cpu(struct lodge_vcpu *vcpu);
void vmx_cpuid_changed(struct lodge_vcpu *vcpu);
void vmx_load_vmcs(struct vmx_vcpu *vmx);
/* Make its VMCS current, and give way to another hypervisor's again; interrupts off, it is on no other CPU. */
static __always_inline void vmx_make_current(struct vmx_vcpu *vmx)
{
	if (this_cpu_read(vmx_cpu.current_vmcs) != vmx)
		vmx_load_vmcs(vmx);
}

static __always_inline void vmx_yield_current(struct vmx_cpu *cpu)
{
	if (!lodge_compat_vmx_is_shared())
		return;
	cpu->current_vmcs = NULL;
	if (cpu->other_vmcs != ~0ULL)
		vmx_vmptrld(cpu->other_vmcs);
}

void vmx_clear_all(struct vmx_cpu *cpu);		/* no VMCS stays in this CPU */
unsigned long vmx_hold(struct vmx_vcpu *vmx);		/* reach the VMCS from anywhere: returns what release takes */
void vmx_release(struct vmx_vcpu *vmx, unsigned long flags);
void vmx_set_proc(struct vmx_vcpu *vmx, u32 proc);	/* under vmx_hold() */

/* host.c */
void vmx_host_enter(struct vmx_vcpu *vmx, struct vmx_cpu *cpu);
void vmx_host_leave(struct vmx_vcpu *vmx, struct vmx_cpu *cpu);
void vmx_host_switch_syscall(struct vmx_vcpu *vmx);	/* in the section: the guest's MSRs or EFER.SCE changed */
void vmx_host_init(void);				/* under vmx_hold(): what never changes */
void vmx_host_read_msrs(struct vmx_host_msrs *host);

/* run.c */
void vmx_section_enter(struct lodge_vcpu *vcpu);
void vmx_section_leave(struct lodge_vcpu *vcpu);
void vmx_run(struct lodge_vcpu *vcpu);
void vmx_flush_tlb(struct lodge_vcpu *vcpu);
/* enter.S: 0 after an exit, 1 when the entry was refused, -1 when VMX is off */
int vmx_enter(u64 *gprs, u64 *host_rsp, bool launched);
void vmx_exited(void);

/* exit.c */
int vmx_handle_exit(struct lodge_vcpu *vcpu);
unsigned int vmx_get_insn_bytes(struct lodge_vcpu *vcpu, const u8 **bytes);
u64 vmx_exit_reason(struct lodge_vcpu *vcpu);

/* event.c */
void vmx_inject_exception(struct lodge_vcpu *vcpu);
void vmx_inject_interrupt(struct lodge_vcpu *vcpu);
void vmx_inject_nmi(struct lodge_vcpu *vcpu);
void vmx_cancel_injection(struct lodge_vcpu *vcpu);
void vmx_forget_injected(struct vmx_vcpu *vmx);
void vmx_requeue_cut_short(struct vmx_vcpu *vmx);	/* by this exit, which is one that can come in the middle */
bool vmx_interrupt_allowed(struct lodge_vcpu *vcpu);
bool vmx_nmi_allowed(struct lodge_vcpu *vcpu);
void vmx_request_interrupt_window(struct lodge_vcpu *vcpu);
void vmx_request_nmi_window(struct lodge_vcpu *vcpu);
void vmx_clear_windows(struct vmx_vcpu *vmx, u32 windows);
void vmx_set_nmi_mask(struct lodge_vcpu *vcpu, bool masked);
void vmx_update_tpr(struct lodge_vcpu *vcpu);
void vmx_check_shadow(struct vmx_vcpu *vmx);
u32 vmx_get_interrupt_shadow(struct lodge_vcpu *vcpu);
void vmx_set_interrupt_shadow(struct lodge_vcpu *vcpu, u32 shadow);

/* regs.c */
void vmx_get_segment(struct lodge_vcpu *vcpu, enum lodge_segment seg, struct kvm_segment *out);
void vmx_set_segment(struct lodge_vcpu *vcpu, enum lodge_segment seg, const struct kvm_segment *in);
u64 vmx_get_segment_base(struct lodge_vcpu *vcpu, enum lodge_segment seg);
u8 vmx_get_cpl(struct lodge_vcpu *vcpu);
void vmx_get_code(struct lodge_vcpu *vcpu, struct lodge_code *out);
void vmx_get_gdt(struct lodge_vcpu *vcpu, struct kvm_dtable *out);
void vmx_set_gdt(struct lodge_vcpu *vcpu, const struct kvm_dtable *in);
void vmx_get_idt(struct lodge_vcpu *vcpu, struct kvm_dtable *out);
void vmx_set_idt(struct lodge_vcpu *vcpu, const struct kvm_dtable *in);
void vmx_set_cr0(struct lodge_vcpu *vcpu, u64 cr0);
void vmx_set_cr3(struct lodge_vcpu *vcpu, u64 cr3);
void vmx_set_cr4(struct lodge_vcpu *vcpu, u64 cr4);
void vmx_set_efer(struct lodge_vcpu *vcpu, u64 efer);
void vmx_set_tsc_offset(struct lodge_vcpu *vcpu);
void vmx_set_tsc_ratio(struct lodge_vcpu *vcpu);

static inline void vmx_write_tsc_offset(struct vmx_vcpu *vmx)
{
	if (vmx->tsc_offset == vmx->vcpu.tsc_offset)
		return;
	vmx->tsc_offset = vmx->vcpu.tsc_offset;
	vmcs_write(VMCS_TSC_OFFSET, vmx->tsc_offset);
}
void vmx_set_pat(struct lodge_vcpu *vcpu);

/* pml.c */
int vmx_log_writes(struct lodge_vcpu *vcpu, bool on);
void vmx_drain_log(struct lodge_vcpu *vcpu);
void vmx_pml_restart(struct vmx_vcpu *vmx);
void vmx_pml_free(struct vmx_vcpu *vmx);

/* debug.c */
u32 vmx_exceptions(const struct lodge_vcpu *vcpu);	/* the vectors that exit */
void vmx_set_debugregs(struct lodge_vcpu *vcpu);
void vmx_load_debugregs(struct vmx_vcpu *vmx);
void vmx_read_debugregs(struct vmx_vcpu *vmx);
void vmx_unload_debugregs(struct vmx_vcpu *vmx);
int vmx_exit_debug(struct vmx_vcpu *vmx, u32 event);

/* msr.c */
int vmx_get_msr(struct lodge_vcpu *vcpu, u32 msr, u64 *value);
int vmx_set_msr(struct lodge_vcpu *vcpu, u32 msr, u64 value, bool host);
void vmx_intercept_msrs(struct lodge_vcpu *vcpu, bool all);
void vmx_msr_bitmap_init(u8 *map);
extern const u32 vmx_msr_list[], vmx_msr_passthrough[];
void vmx_cpuid_adjust(struct kvm_cpuid_entry2 *entry);

/* failure.c */
u32 vmx_report_refused_entry(struct vmx_vcpu *vmx);	/* VMfail: controls or host state; the CPU's error number */
void vmx_report_misconfig(struct vmx_vcpu *vmx, gpa_t gpa);	/* the EPT entries on the way to a GPA */
void vmx_report_failed_entry(struct vmx_vcpu *vmx);	/* guest state: the rule it breaks */

#endif
