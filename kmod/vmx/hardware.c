// SPDX-License-Identifier: GPL-2.0-only
/*
 * VT-x per CPU: VMX operation on and off, and what all VMs share. Who switches it on and off, and when, is hardware.c
 * of the common code; what of it the kernel does itself, compat/vmxon.c. Interrupts are off in what is per CPU.
 */
#include "vmx.h"

#include <linux/cpu.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/slab.h>
#include <asm/cpufeature.h>
#include <asm/desc.h>
#include <asm/io.h>

#include "../compat/vmxon.h"
#include "../mmu/mmu.h"

DEFINE_PER_CPU(struct vmx_cpu, vmx_cpu);
hpa_t vmx_msr_bitmap_pa, vmx_msr_bitmap_closed_pa;
static void *vmx_msr_bitmap;
static void *vmx_msr_bitmap_closed;	/* every access exits */

static bool large_pages;
module_param(large_pages, bool, 0444);
MODULE_PARM_DESC(large_pages, "code in large pages on VT-x also where a guest can stop the host through it (iTLB multihit; default: no)");

static bool pml = true;
module_param(pml, bool, 0444);
MODULE_PARM_DESC(pml, "the CPU logs a guest's writes while there is a dirty log, where VT-x can (default: yes)");

/*
 * Some CPUs take a machine check when a guest executes from a page whose size just changed: its kernel can bring
 * that about at will. Where the host's kernel says so, large pages are for data alone.
 */
static int vmx_exec_level(void)
{
	return boot_cpu_has_bug(X86_BUG_ITLB_MULTIHIT) && !large_pages && !cpu_mitigations_off() ? 1 : 3;
}

int vmx_setup(void)
{
	int i;

	for_each_possible_cpu(i)
		INIT_LIST_HEAD(&per_cpu(vmx_cpu, i).vmcss);
	vmx_msr_bitmap = (void *)get_zeroed_page(GFP_KERNEL);
	vmx_msr_bitmap_closed = (void *)get_zeroed_page(GFP_KERNEL);
	if (!vmx_msr_bitmap || !vmx_msr_bitmap_closed)
		return -ENOMEM;
	vmx_msr_bitmap_init(vmx_msr_bitmap);
	vmx_msr_bitmap_pa = virt_to_phys(vmx_msr_bitmap);
	memset(vmx_msr_bitmap_closed, 0xff, PAGE_SIZE);
	vmx_msr_bitmap_closed_pa = virt_to_phys(vmx_msr_bitmap_closed);

	for_each_possible_cpu(i) {
		struct vmx_cpu *cpu = per_cpu_ptr(&vmx_cpu, i);

		cpu->vmxon = (void *)get_zeroed_page(GFP_KERNEL);
		if (!cpu->vmxon)
			goto free_all;
		*(u32 *)cpu->vmxon = vmx_caps.revision;
	}

	lodge_nested = (struct lodge_nested_config) {
		.format = LODGE_NESTED_EPT,
		.levels = 4,
		.max_level = vmx_caps.ept & VMX_CAP_EPT_1G ? 3 : 2,
		.exec_level = vmx_exec_level(),
		.has_ad = vmx_caps.ept & VMX_CAP_EPT_ACCESSED_DIRTY,
	};
	/* What is logged is that a dirty flag was set: SDM 3, 29.3.6. */
	lodge_nested.logs_writes = pml && lodge_nested.has_ad && (vmx_caps.proc2_offered & VMX_PROC2_PML);
	return 0;

free_all:
	vmx_teardown();
	return -ENOMEM;
}

void vmx_teardown(void)
{
	int i;

	for_each_possible_cpu(i) {
		struct vmx_cpu *cpu = per_cpu_ptr(&vmx_cpu, i);

		free_page((unsigned long)cpu->vmxon);
		cpu->vmxon = NULL;
	}
	free_page((unsigned long)vmx_msr_bitmap);
	free_page((unsigned long)vmx_msr_bitmap_closed);
	vmx_msr_bitmap = vmx_msr_bitmap_closed = NULL;
}

/* What another hypervisor left in the TLB may bear the marks that this one will use. */
static void vmx_flush_everything(void)
{
	if (vmx_caps.ept & VMX_CAP_INVEPT_ALL)
		vmx_invept(VMX_INVEPT_ALL, 0);
	if (vmx_caps.proc2 & VMX_PROC2_VPID)
		vmx_invvpid(VMX_INVVPID_ALL, 0);
}

int vmx_cpu_enable(void)
{
	struct vmx_cpu *cpu = this_cpu_ptr(&vmx_cpu);
	int ret = lodge_compat_vmxon(virt_to_phys(cpu->vmxon));

	if (ret)
		return ret;
	vmx_flush_everything();
	cpu->last = NULL;
	cpu->current_vmcs = NULL;
	vmx_host_read_msrs(&cpu->host);
	native_store_gdt(&cpu->gdt);
	cpu->enabled = true;
	return 0;
}

void vmx_cpu_disable(void)
{
	struct vmx_cpu *cpu = this_cpu_ptr(&vmx_cpu);

	if (!cpu->enabled)
		return;
	cpu->enabled = false;
	vmx_clear_all(cpu);
	lodge_compat_vmxoff();
}

/* Whatever was interrupted may have the list of VMCSs in its hands: their contents are lost. */
void vmx_cpu_emergency(void)
{
	if (this_cpu_read(vmx_cpu.enabled))
		lodge_compat_vmxoff();
}

bool vmx_cpu_is_enabled(void)
{
	return this_cpu_read(vmx_cpu.enabled);
}
