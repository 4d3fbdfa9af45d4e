// SPDX-License-Identifier: GPL-2.0-only
/*
 * AMD-V per CPU: what it offers, EFER.SVME, VM_HSAVE_PA, and the permission maps that every VM shares.
 * Who switches it on and off, and when, is hardware.c of the common code.
 */
#include "svm.h"

#include <linux/mem_encrypt.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <asm/cpufeature.h>
#include <asm/io.h>
#include <asm/msr.h>
#include <asm/processor.h>

#include "../mmu/mmu.h"
#include "../tsc_rate.h"

#define SVM_IOPM_ORDER	2	/* 12 KiB + 1 byte, APM 2, 15.10.1: allocated as 16 KiB */
#define SVM_MSRPM_ORDER	1	/* 8 KiB, APM 2, 15.11 */

#define SVM_CPUID_LEAF	0x8000000a

DEFINE_PER_CPU(struct svm_cpu, svm_cpu);
struct svm_features svm_features;
hpa_t svm_iopm_pa, svm_msrpm_pa, svm_msrpm_closed_pa;
static struct page *svm_iopm, *svm_msrpm;
static struct page *svm_msrpm_closed;	/* every access exits */

/* MSR_AMD64_TSC_RATIO: 8 bits and 32 behind the point, APM 2, 15.30.5. */
static const struct lodge_tsc_format svm_tsc_format = {
	.fraction_bits = 32,
	.max_ratio = GENMASK_ULL(39, 0),
	.scales = true,
};

static hpa_t svm_page_pa(struct page *page)
{
	return __sme_set(page_to_phys(page));
}

int svm_check(void)
{
	u32 eax, ebx, ecx, edx;
	u64 vm_cr;

	if (!boot_cpu_has(X86_FEATURE_SVM))
		return -ENXIO;
	if (rdmsrq_safe(MSR_VM_CR, &vm_cr) == 0 && (vm_cr & BIT(4) /* SVMDIS */)) {
		pr_info("AMD-V is disabled by the firmware: enable SVM in the firmware's setup\n");
		return -ENODEV;
	}
	cpuid(SVM_CPUID_LEAF, &eax, &ebx, &ecx, &edx);
	if (!(edx & BIT(0))) {
		pr_info("this CPU's AMD-V has no nested paging, which lodge needs\n");
		return -ENODEV;
	}
	if (ebx < 2) {
		pr_info("this CPU offers no ASID to guests\n");
		return -ENODEV;
	}
	svm_features.nr_asids = ebx;
	svm_features.next_rip = edx & BIT(3) ? ~0ULL : 0;
	svm_features.clean = edx & BIT(5) ? ~0U : 0;
	svm_features.flush_by_asid = edx & BIT(6);
	lodge_tsc_format = edx & BIT(4) ? svm_tsc_format : lodge_tsc_software;
	svm_features.decode_assists = edx & BIT(7);
	svm_features.pause_filter = edx & BIT(10);
	svm_features.v_spec_ctrl = edx & BIT(20);
	return 0;
}

static void svm_cpu_free(struct svm_cpu *cpu)
{
	free_page((unsigned long)cpu->hsave);
	free_page((unsigned long)cpu->host);
	cpu->hsave = NULL;
	cpu->host = NULL;
}

int svm_setup(void)
{
	int i;

	svm_iopm = alloc_pages(GFP_KERNEL, SVM_IOPM_ORDER);
	svm_msrpm = alloc_pages(GFP_KERNEL, SVM_MSRPM_ORDER);
	svm_msrpm_closed = alloc_pages(GFP_KERNEL, SVM_MSRPM_ORDER);
	if (!svm_iopm || !svm_msrpm || !svm_msrpm_closed)
		goto free_all;
	memset(page_address(svm_iopm), 0xff, PAGE_SIZE << SVM_IOPM_ORDER);
	memset(page_address(svm_msrpm), 0xff, PAGE_SIZE << SVM_MSRPM_ORDER);
	memset(page_address(svm_msrpm_closed), 0xff, PAGE_SIZE << SVM_MSRPM_ORDER);
	svm_msr_init();
	svm_msrpm_init(page_address(svm_msrpm));
	svm_iopm_pa = svm_page_pa(svm_iopm);
	svm_msrpm_pa = svm_page_pa(svm_msrpm);
	svm_msrpm_closed_pa = svm_page_pa(svm_msrpm_closed);

	for_each_possible_cpu(i) {
		struct svm_cpu *cpu = per_cpu_ptr(&svm_cpu, i);

		cpu->host = (void *)get_zeroed_page(GFP_KERNEL);
		cpu->hsave = (void *)get_zeroed_page(GFP_KERNEL);
		if (!cpu->host || !cpu->hsave)
			goto free_all;
		cpu->host_pa = __sme_set(virt_to_phys(cpu->host));
	}

	/* The nested tables of an AMD CPU have the depth of the host's own: APM 2, 15.25.3. */
	lodge_nested = (struct lodge_nested_config) {
		.format = LODGE_NESTED_NPT,
		.levels = pgtable_l5_enabled() ? 5 : 4,
		.max_level = boot_cpu_has(X86_FEATURE_GBPAGES) ? 3 : 2,
		.exec_level = 3,
		.has_ad = true,
		.encryption_mask = __sme_set(0),
	};
	return 0;

free_all:
	svm_teardown();
	return -ENOMEM;
}

void svm_teardown(void)
{
	int i;

	for_each_possible_cpu(i)
		svm_cpu_free(per_cpu_ptr(&svm_cpu, i));
	if (svm_msrpm)
		__free_pages(svm_msrpm, SVM_MSRPM_ORDER);
	if (svm_msrpm_closed)
		__free_pages(svm_msrpm_closed, SVM_MSRPM_ORDER);
	if (svm_iopm)
		__free_pages(svm_iopm, SVM_IOPM_ORDER);
	svm_msrpm = svm_msrpm_closed = svm_iopm = NULL;
}

static void svm_reset_tsc_ratio(struct svm_cpu *cpu)
{
	if (!lodge_tsc_format.scales)
		return;
	cpu->tsc_ratio = lodge_tsc_ratio_one(&lodge_tsc_format);
	wrmsrq(MSR_AMD64_TSC_RATIO, cpu->tsc_ratio);
}

int svm_cpu_enable(void)
{
	struct svm_cpu *cpu = this_cpu_ptr(&svm_cpu);
	u64 efer;

	rdmsrq(MSR_EFER, efer);
	if (efer & EFER_SVME)
		return -EBUSY;
	wrmsrq(MSR_EFER, efer | EFER_SVME);
	wrmsrq(MSR_VM_HSAVE_PA, __sme_set(virt_to_phys(cpu->hsave)));

	/* Whatever another hypervisor left in the TLB under our ASIDs: start a generation and flush at first use. */
	cpu->asid_generation++;
	cpu->next_asid = svm_features.nr_asids;
	cpu->last = NULL;
	svm_reset_tsc_ratio(cpu);
	if (boot_cpu_has(X86_FEATURE_RDTSCP) || boot_cpu_has(X86_FEATURE_RDPID))
		rdmsrq(MSR_TSC_AUX, cpu->host_tsc_aux);
	cpu->enabled = true;
	return 0;
}

void svm_cpu_disable(void)
{
	struct svm_cpu *cpu = this_cpu_ptr(&svm_cpu);
	u64 efer;

	if (!cpu->enabled)
		return;
	cpu->enabled = false;
	rdmsrq(MSR_EFER, efer);
	if (!(efer & EFER_SVME))
		return;		/* taken from us: nothing to give back */
	svm_reset_tsc_ratio(cpu);
	wrmsrq(MSR_VM_HSAVE_PA, 0);
	wrmsrq(MSR_EFER, efer & ~EFER_SVME);
}

void svm_cpu_emergency(void)
{
	svm_cpu_disable();
}

bool svm_cpu_is_enabled(void)
{
	u64 efer;

	if (!this_cpu_read(svm_cpu.enabled))
		return false;
	rdmsrq(MSR_EFER, efer);
	return efer & EFER_SVME;
}
