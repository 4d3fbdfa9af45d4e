/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of svm/ share. Nothing outside svm/ includes this.
 */
#ifndef LODGE_SVM_H
#define LODGE_SVM_H

#include <linux/percpu.h>

#include "vmcb.h"
#include "../regs.h"

struct svm_vcpu {
	struct lodge_vcpu vcpu;
	struct vmcb *vmcb;		/* (i) */
	hpa_t vmcb_pa;			/* (i) encryption bit included */
	u64 asid_generation;		/* (v) */
	int asid_cpu;			/* (v) CPU whose ASID it is, or -1 */
	u64 tsc_aux;			/* (v) */
	bool has_tsc_aux;		/* (v) the guest was told of an instruction that reads it */
	bool nmi_masked;		/* (v) until IRET */
	bool iret_pending;		/* (v) the IRET was intercepted and has not run: unmask behind it */
	u64 iret_rip;			/* (v) */
	bool irq_window;		/* (v) V_IRQ is set only to catch the window */
	bool nmi_singlestep;		/* (v) TF is ours, to find the end of IRET's shadow */
	u64 nmi_singlestep_flags;	/* (v) the guest's own TF, RF */
	bool watching;			/* (v) one of the above, or a debugger's step: entries and exits look closer */
	bool drs_loaded;		/* (v) guest DR0-3 are in the CPU */
};

/* Per CPU; interrupts off. */
struct svm_cpu {
	struct vmcb *host;		/* host's VMLOAD/VMSAVE state */
	hpa_t host_pa;
	void *hsave;			/* for VM_HSAVE_PA */
	u64 asid_generation;
	u32 next_asid;
	u64 host_tsc_aux;
	struct svm_vcpu *last;		/* last vCPU here, for IBPB and tsc_ratio; only compared */
	u64 tsc_ratio;			/* what MSR_AMD64_TSC_RATIO holds, on CPUs that scale */
	bool enabled;
	bool loaded_tsc_aux;
	struct lodge_host_breakpoints breakpoints;
};
DECLARE_PER_CPU(struct svm_cpu, svm_cpu);

/* What the CPUs offer; set at load. APM 3, appendix E.4.9 (CPUID 8000_000A). */
struct svm_features {
	u32 nr_asids;
	u64 next_rip;		/* mask: all ones, or 0 where the CPU gives none */
	bool flush_by_asid;
	bool decode_assists;
	u32 clean;		/* all ones, or 0 where the CPU has no clean bits */
	bool v_spec_ctrl;
	bool pause_filter;
};
extern struct svm_features svm_features;

static inline struct svm_vcpu *to_svm(struct lodge_vcpu *vcpu)
{
	return container_of(vcpu, struct svm_vcpu, vcpu);
}

/* A step over one instruction is under way, the debugger's or lodge's own, or an IRET is awaited. */
static inline bool svm_is_watching(const struct svm_vcpu *svm)
{
	return svm->nmi_singlestep || svm->iret_pending || (svm->vcpu.guest_debug & KVM_GUESTDBG_SINGLESTEP);
}

/* A part of the VMCB changed: the CPU must read it again. */
static inline void svm_dirty(struct svm_vcpu *svm, u32 clean_bit)
{
	svm->vmcb->control.clean &= ~clean_bit;
}

/* hardware.c */
int svm_check(void);
int svm_setup(void);
void svm_teardown(void);
int svm_cpu_enable(void);
void svm_cpu_disable(void);
void svm_cpu_emergency(void);
bool svm_cpu_is_enabled(void);
extern hpa_t svm_iopm_pa, svm_msrpm_pa, svm_msrpm_closed_pa;

/* vmcb.c */
struct lodge_vcpu *svm_vcpu_alloc(void);
int svm_vcpu_init(struct lodge_vcpu *vcpu);
void svm_vcpu_free(struct lodge_vcpu *vcpu);
void svm_vcpu_reset(struct lodge_vcpu *vcpu, bool init);
void svm_cpuid_changed(struct lodge_vcpu *vcpu);
void svm_vcpu_leave_cpu(struct lodge_vcpu *vcpu);

/* asid.c, where the rules are */
static inline bool svm_asid_is_valid(const struct svm_vcpu *svm, const struct svm_cpu *cpu)
{
	return svm->asid_cpu == raw_smp_processor_id() && svm->asid_generation == cpu->asid_generation;
}

void svm_asid_assign(struct svm_vcpu *svm, struct svm_cpu *cpu);
void svm_flush_tlb(struct lodge_vcpu *vcpu);

/* run.c */
void svm_section_enter(struct lodge_vcpu *vcpu);
void svm_section_leave(struct lodge_vcpu *vcpu);
void svm_run(struct lodge_vcpu *vcpu);
void svm_load_debugregs(struct svm_vcpu *svm);
/* enter.S: 0, or -1 when an SVM instruction faulted because SVME is off */
int svm_enter(u64 *gprs, hpa_t vmcb_pa, hpa_t host_pa);

/* exit.c */
int svm_handle_exit(struct lodge_vcpu *vcpu);
unsigned int svm_get_insn_bytes(struct lodge_vcpu *vcpu, const u8 **bytes);
u64 svm_exit_reason(struct lodge_vcpu *vcpu);

/* event.c */
void svm_inject_exception(struct lodge_vcpu *vcpu);
void svm_inject_interrupt(struct lodge_vcpu *vcpu);
void svm_inject_nmi(struct lodge_vcpu *vcpu);
void svm_cancel_injection(struct lodge_vcpu *vcpu);
void svm_requeue(struct svm_vcpu *svm, u32 info, u32 error);	/* EVENTINJ or EXITINTINFO back to vcpu->events */
bool svm_interrupt_allowed(struct lodge_vcpu *vcpu);
bool svm_nmi_allowed(struct lodge_vcpu *vcpu);
void svm_request_interrupt_window(struct lodge_vcpu *vcpu);
void svm_clear_interrupt_window(struct svm_vcpu *svm);
void svm_request_nmi_window(struct lodge_vcpu *vcpu);
void svm_nmi_step_end(struct svm_vcpu *svm);
void svm_set_nmi_mask(struct lodge_vcpu *vcpu, bool masked);
void svm_update_tpr(struct lodge_vcpu *vcpu);
u32 svm_get_interrupt_shadow(struct lodge_vcpu *vcpu);
void svm_set_interrupt_shadow(struct lodge_vcpu *vcpu, u32 shadow);

/* regs.c */
void svm_get_segment(struct lodge_vcpu *vcpu, enum lodge_segment seg, struct kvm_segment *out);
void svm_set_segment(struct lodge_vcpu *vcpu, enum lodge_segment seg, const struct kvm_segment *in);
u64 svm_get_segment_base(struct lodge_vcpu *vcpu, enum lodge_segment seg);
u8 svm_get_cpl(struct lodge_vcpu *vcpu);
void svm_get_code(struct lodge_vcpu *vcpu, struct lodge_code *out);
void svm_get_gdt(struct lodge_vcpu *vcpu, struct kvm_dtable *out);
void svm_set_gdt(struct lodge_vcpu *vcpu, const struct kvm_dtable *in);
void svm_get_idt(struct lodge_vcpu *vcpu, struct kvm_dtable *out);
void svm_set_idt(struct lodge_vcpu *vcpu, const struct kvm_dtable *in);
void svm_set_cr0(struct lodge_vcpu *vcpu, u64 cr0);
void svm_set_cr3(struct lodge_vcpu *vcpu, u64 cr3);
void svm_set_cr4(struct lodge_vcpu *vcpu, u64 cr4);
void svm_set_efer(struct lodge_vcpu *vcpu, u64 efer);
void svm_set_debugregs(struct lodge_vcpu *vcpu);
void svm_set_tsc_offset(struct lodge_vcpu *vcpu);
void svm_set_tsc_ratio(struct lodge_vcpu *vcpu);
void svm_set_pat(struct lodge_vcpu *vcpu);

/* msr.c */
int svm_get_msr(struct lodge_vcpu *vcpu, u32 msr, u64 *value);
int svm_set_msr(struct lodge_vcpu *vcpu, u32 msr, u64 value, bool host);
void svm_intercept_msrs(struct lodge_vcpu *vcpu, bool all);
void svm_msrpm_init(u8 *map);
extern const u32 svm_msr_passthrough[];
void svm_msr_init(void);			/* once svm_features is known */
extern u32 svm_msr_list[];
void svm_cpuid_adjust(struct kvm_cpuid_entry2 *entry);

#endif
