// SPDX-License-Identifier: GPL-2.0-only
/*
 * A vCPU's VMCB: allocation, what is intercepted, and the register state after power-up or INIT.
 * The caller holds vcpu->mutex.
 */
#include "svm.h"

#include <linux/mem_encrypt.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <asm/io.h>
#include <asm/processor-flags.h>
#include <asm/trapnr.h>

#include "../backend.h"
#include "../clock.h"
#include "../cpuid.h"

/* Selectors' attributes after INIT: APM 2, table 14-1. */
#define SVM_ATTR_CODE	0x9b
#define SVM_ATTR_DATA	0x93
#define SVM_ATTR_LDT	0x82
#define SVM_ATTR_TSS	0x8b

struct lodge_vcpu *svm_vcpu_alloc(void)
{
	struct svm_vcpu *svm = kzalloc(sizeof(*svm), GFP_KERNEL_ACCOUNT);

	return svm ? &svm->vcpu : NULL;
}

static void svm_set_intercepts(struct svm_vcpu *svm)
{
	struct vmcb_control *control = &svm->vmcb->control;

	/* CR3 moves freely under nested paging; CR0 only needs to be seen when more than TS or MP changes. */
	control->cr_write = BIT(4);
	if (!lodge_vm_has_lapics(svm->vcpu.vm))
		control->cr_write |= BIT(8);	/* user space's LAPIC hears of a lowered TPR */
	control->dr_read = 0xffff;
	control->dr_write = 0xffff;
	/* #AC and #DB can loop inside the CPU without an instruction boundary: CVE-2015-5307, CVE-2015-8104. */
	control->exceptions = BIT(X86_TRAP_AC) | BIT(X86_TRAP_DB) | BIT(X86_TRAP_MC);
	/* Other vendors' hypercall instruction, to be put right. */
	if (!(READ_ONCE(svm->vcpu.vm->disabled_quirks) & KVM_X86_QUIRK_FIX_HYPERCALL_INSN))
		control->exceptions |= BIT(X86_TRAP_UD);
	control->misc1 = SVM_INTERCEPT_INTR | SVM_INTERCEPT_NMI | SVM_INTERCEPT_SMI | SVM_INTERCEPT_INIT |
			 SVM_INTERCEPT_CR0_SEL | SVM_INTERCEPT_RDPMC | SVM_INTERCEPT_CPUID |
			 SVM_INTERCEPT_INVD | SVM_INTERCEPT_HLT | SVM_INTERCEPT_INVLPGA |
			 SVM_INTERCEPT_IOIO | SVM_INTERCEPT_MSR | SVM_INTERCEPT_SHUTDOWN;
	control->misc2 = SVM_INTERCEPT_VMRUN | SVM_INTERCEPT_VMMCALL | SVM_INTERCEPT_VMLOAD |
			 SVM_INTERCEPT_VMSAVE | SVM_INTERCEPT_STGI | SVM_INTERCEPT_CLGI |
			 SVM_INTERCEPT_SKINIT | SVM_INTERCEPT_WBINVD | SVM_INTERCEPT_MONITOR |
			 SVM_INTERCEPT_MWAIT | SVM_INTERCEPT_XSETBV | SVM_INTERCEPT_RDPRU;
	if (svm->vcpu.vm->disabled_exits & KVM_X86_DISABLE_EXITS_HLT)
		control->misc1 &= ~SVM_INTERCEPT_HLT;
	if (svm->vcpu.vm->disabled_exits & KVM_X86_DISABLE_EXITS_MWAIT)
		control->misc2 &= ~(SVM_INTERCEPT_MONITOR | SVM_INTERCEPT_MWAIT);
	if (svm_features.pause_filter && !(svm->vcpu.vm->disabled_exits & KVM_X86_DISABLE_EXITS_PAUSE)) {
		control->misc1 |= SVM_INTERCEPT_PAUSE;
		control->pause_filter_count = 3000;
	}
	svm_dirty(svm, SVM_CLEAN_INTERCEPTS);
}

int svm_vcpu_init(struct lodge_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	struct page *page = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);

	if (!page)
		return -ENOMEM;
	svm->vmcb = page_address(page);
	svm->vmcb_pa = __sme_set(page_to_phys(page));
	svm->asid_cpu = -1;

	svm->vmcb->control.iopm_base_pa = svm_iopm_pa;
	svm->vmcb->control.msrpm_base_pa = svm_msrpm_pa;
	svm->vmcb->control.int_ctl = SVM_V_INTR_MASKING;
	svm->vmcb->control.nested_ctl = SVM_NESTED_PAGING;
	svm->vmcb->control.nested_cr3 = lodge_mmu_root(vcpu->vm);
	svm_set_intercepts(svm);
	return 0;
}

/* This CPU shall look closely when the vCPU, or another at its address, comes next: svm_replace_last(). */
static void svm_forget_last(void *svm)
{
	if (this_cpu_read(svm_cpu.last) == svm)
		this_cpu_write(svm_cpu.last, NULL);
}

void svm_vcpu_free(struct lodge_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);

	if (lodge_tsc_format.scales && lodge_tsc_is_scaled(vcpu))
		on_each_cpu(svm_forget_last, svm, 1);
	free_page((unsigned long)svm->vmcb);
	kfree(svm);
}

static struct svm_segment svm_reset_segment(u16 attrib)
{
	return (struct svm_segment) { .attrib = attrib, .limit = 0xffff };
}

void svm_vcpu_reset(struct lodge_vcpu *vcpu, bool init)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	struct vmcb_save *save = &svm->vmcb->save;

	save->es = save->ss = save->ds = save->fs = save->gs = svm_reset_segment(SVM_ATTR_DATA);
	save->cs = svm_reset_segment(SVM_ATTR_CODE);
	save->cs.selector = 0xf000;
	save->cs.base = 0xffff0000;
	save->gdtr = save->idtr = svm_reset_segment(0);
	save->ldtr = svm_reset_segment(SVM_ATTR_LDT);
	save->tr = svm_reset_segment(SVM_ATTR_TSS);
	save->cpl = 0;
	save->cr2 = 0;
	svm->vmcb->control.int_state = 0;
	svm->vmcb->control.event_inj = 0;
	svm->vmcb->control.exit_int_info = 0;
	svm->vmcb->control.clean = 0;
	svm_clear_interrupt_window(svm);
	svm_set_nmi_mask(vcpu, false);
	if (init)
		return;

	save->star = save->lstar = save->cstar = save->sfmask = 0;
	save->kernel_gs_base = 0;
	save->sysenter_cs = save->sysenter_esp = save->sysenter_eip = 0;
	save->dbgctl = 0;
	save->spec_ctrl = 0;
	svm->tsc_aux = 0;
}

/* A VMCB is plain memory: nothing of it stays behind. */
void svm_vcpu_leave_cpu(struct lodge_vcpu *vcpu)
{
}

/* A guest that was not told of RDTSCP takes #UD, although the CPU could. */
static void svm_intercept_tsc(struct svm_vcpu *svm)
{
	bool emulated = lodge_tsc_is_scaled(&svm->vcpu) && !lodge_tsc_format.scales;
	struct vmcb_control *control = &svm->vmcb->control;

	control->misc1 &= ~SVM_INTERCEPT_RDTSC;
	control->misc2 &= ~SVM_INTERCEPT_RDTSCP;
	if (emulated)
		control->misc1 |= SVM_INTERCEPT_RDTSC;
	if (emulated || !lodge_guest_has(&svm->vcpu, X86_FEATURE_RDTSCP))
		control->misc2 |= SVM_INTERCEPT_RDTSCP;
	svm_dirty(svm, SVM_CLEAN_INTERCEPTS);
}

void svm_set_tsc_ratio(struct lodge_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);

	if (lodge_tsc_format.scales)
		on_each_cpu(svm_forget_last, svm, 1);
	else
		svm_intercept_tsc(svm);
}

void svm_cpuid_changed(struct lodge_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);

	svm->has_tsc_aux = lodge_guest_has(vcpu, X86_FEATURE_RDTSCP) || lodge_guest_has(vcpu, X86_FEATURE_RDPID);
	svm_intercept_tsc(svm);
}
