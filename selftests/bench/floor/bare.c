// SPDX-License-Identifier: GPL-2.0-only
/*
 * The floor under each exit of AMD-V: the module's own entry code, with the general registers saved and restored
 * and what the host's mitigations ask for, in a loop that does nothing but step over the guest's IN. Measured once
 * on the CPU that inserts this, with interrupts off; the result is the parameter "ticks", per exit. The guest runs
 * in real mode without nested paging, in one page of its own. The CPU feature is taken for that long only, and not
 * at all when somebody else has it. For measuring in the lab: never installed.
 */
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/preempt.h>
#include <asm/debugreg.h>
#include <asm/msr.h>
#include <asm/processor.h>
#include <asm/tsc.h>

#include "svm/vmcb.h"

#define FEW		100
#define MANY		600
#define TRIES		4
#define LODGE_RSI	6
#define VM_CR_SVMDIS	BIT(4)	/* APM 2, 15.30.1 */
#define IOPM_ORDER	2	/* 12 KiB: APM 2, 15.10.1 */

extern int svm_enter(u64 *gprs, phys_addr_t vmcb_pa, phys_addr_t host_pa);

/* IN AL, 0x21; DEC SI; JNZ to the first; HLT. */
static const u8 guest_code[] = { 0xe4, 0x21, 0x4e, 0x75, 0xfb, 0xf4 };

static unsigned int ticks;
module_param(ticks, uint, 0444);
MODULE_PARM_DESC(ticks, "what one exit cost, the guest's loop included");

struct floor {
	struct vmcb *vmcb;
	void *hsave, *host, *code, *iopm;
};

static void floor_free(struct floor *floor)
{
	free_page((unsigned long)floor->vmcb);
	free_page((unsigned long)floor->hsave);
	free_page((unsigned long)floor->host);
	free_page((unsigned long)floor->code);
	free_pages((unsigned long)floor->iopm, IOPM_ORDER);
}

static int floor_alloc(struct floor *floor)
{
	floor->vmcb = (void *)get_zeroed_page(GFP_KERNEL);
	floor->hsave = (void *)get_zeroed_page(GFP_KERNEL);
	floor->host = (void *)get_zeroed_page(GFP_KERNEL);
	/* CS has a base of 32 bits. */
	floor->code = (void *)get_zeroed_page(GFP_KERNEL | GFP_DMA32);
	floor->iopm = (void *)__get_free_pages(GFP_KERNEL, IOPM_ORDER);
	if (floor->vmcb && floor->hsave && floor->host && floor->code && floor->iopm)
		return 0;
	floor_free(floor);
	return -ENOMEM;
}

static void floor_fill(struct floor *floor)
{
	struct vmcb_control *control = &floor->vmcb->control;
	struct vmcb_save *save = &floor->vmcb->save;
	struct svm_segment data = { .attrib = 0x93, .limit = 0xffff };

	memcpy(floor->code, guest_code, sizeof(guest_code));
	memset(floor->iopm, 0xff, PAGE_SIZE << IOPM_ORDER);
	control->misc1 = SVM_INTERCEPT_INTR | SVM_INTERCEPT_NMI | SVM_INTERCEPT_SMI | SVM_INTERCEPT_INIT |
			 SVM_INTERCEPT_HLT | SVM_INTERCEPT_IOIO | SVM_INTERCEPT_SHUTDOWN;
	control->misc2 = SVM_INTERCEPT_VMRUN;
	control->iopm_base_pa = virt_to_phys(floor->iopm);
	control->asid = 1;
	control->tlb_control = SVM_TLB_FLUSH_ALL;
	control->int_ctl = SVM_V_INTR_MASKING;
	save->es = save->ss = save->ds = save->fs = save->gs = data;
	save->cs = (struct svm_segment){ .attrib = 0x9b, .limit = 0xffff, .base = virt_to_phys(floor->code) };
	save->gdtr = save->idtr = (struct svm_segment){ .limit = 0xffff };
	save->ldtr = (struct svm_segment){ .attrib = 0x82, .limit = 0xffff };
	save->tr = (struct svm_segment){ .attrib = 0x8b, .limit = 0xffff };
	save->efer = EFER_SVME;
	save->cr0 = X86_CR0_ET;
	save->dr6 = 0xffff0ff0;
	save->dr7 = 0x400;
}

/* One loop of the guest's; 0 or a negative error. */
static s64 floor_loop(struct floor *floor, u64 count)
{
	struct vmcb_control *control = &floor->vmcb->control;
	phys_addr_t vmcb_pa = virt_to_phys(floor->vmcb), host_pa = virt_to_phys(floor->host);
	u64 gprs[16] = { [LODGE_RSI] = count }, start;

	floor->vmcb->save.rip = 0;
	floor->vmcb->save.rflags = X86_EFLAGS_FIXED;
	start = rdtsc_ordered();
	while (!svm_enter(gprs, vmcb_pa, host_pa)) {
		control->tlb_control = SVM_TLB_KEEP;
		if (likely(control->exit_code == SVM_EXIT_IOIO)) {
			floor->vmcb->save.rip = control->exit_info_2;
			continue;
		}
		if (control->exit_code == SVM_EXIT_HLT)
			return rdtsc_ordered() - start;
		if (control->exit_code < SVM_EXIT_INTR || control->exit_code > SVM_EXIT_INIT)
			break;
		/* The host's own interrupt: this try is longer than others. */
		local_irq_enable();
		local_irq_disable();
	}
	return -EIO;
}

static s64 floor_least(struct floor *floor, u64 count)
{
	s64 best = S64_MAX;
	int i;

	for (i = 0; i < TRIES; i++) {
		s64 cost = floor_loop(floor, count);

		if (cost < 0)
			return cost;
		best = min(best, cost);
	}
	return best;
}

static int floor_measure(struct floor *floor)
{
	s64 few, many;

	asm volatile("vmsave %0" : : "a" (virt_to_phys(floor->host)) : "memory");
	few = floor_least(floor, FEW);
	many = floor_least(floor, MANY);
	if (few < 0 || many < few)
		return -EIO;
	ticks = (unsigned int)(many - few) / (MANY - FEW);
	return 0;
}

/* With interrupts off on this CPU, which leaves as it came. */
static int floor_measure_here(struct floor *floor)
{
	u32 efer, efer_high, hsave, hsave_high, vm_cr, vm_cr_high;
	u64 dr7;
	int ret;

	if (!boot_cpu_has(X86_FEATURE_SVM) || rdmsr_safe(MSR_VM_CR, &vm_cr, &vm_cr_high))
		return -ENODEV;
	if (vm_cr & VM_CR_SVMDIS)
		return -EOPNOTSUPP;
	if (rdmsr_safe(MSR_EFER, &efer, &efer_high) || rdmsr_safe(MSR_VM_HSAVE_PA, &hsave, &hsave_high))
		return -ENODEV;
	/* VMRUN's way back switches the host's breakpoints off: APM 2, 15.6. */
	get_debugreg(dr7, 7);
	if ((efer & EFER_SVME) || (dr7 & 0xff))
		return -EBUSY;
	if (wrmsr_safe(MSR_EFER, efer | EFER_SVME, efer_high))
		return -ENODEV;
	ret = wrmsr_safe(MSR_VM_HSAVE_PA, lower_32_bits(virt_to_phys(floor->hsave)),
			 upper_32_bits(virt_to_phys(floor->hsave)));
	if (!ret)
		ret = floor_measure(floor);
	wrmsr_safe(MSR_VM_HSAVE_PA, hsave, hsave_high);
	wrmsr_safe(MSR_EFER, efer, efer_high);
	return ret;
}

static int __init floor_init(void)
{
	struct floor floor = {};
	int ret = floor_alloc(&floor);

	if (ret)
		return ret;
	floor_fill(&floor);
	preempt_disable();
	local_irq_disable();
	ret = floor_measure_here(&floor);
	local_irq_enable();
	preempt_enable();
	floor_free(&floor);
	return ret;
}

static void __exit floor_exit(void)
{
}

module_init(floor_init);
module_exit(floor_exit);
MODULE_DESCRIPTION("measures a bare loop of VM entries");
MODULE_LICENSE("GPL");
