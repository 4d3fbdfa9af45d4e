// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page-modification logging: the CPU writes the address of each page whose dirty flag it sets into the vCPU's log, and
 * exits when that is full. SDM 3, 29.3.6. The vCPU's thread starts and stops the log; whoever reads the dirty log
 * drains it meanwhile, by memory alone: the CPU fills entries from the last one to the first, and a drained one
 * becomes empty again, so that only the vCPU itself, at a full log, needs the index in its VMCS.
 */
#include "vmx.h"

#include <linux/mm.h>
#include <linux/string.h>
#include <asm/io.h>

#include "../backend.h"

#define PML_ENTRIES	512
#define PML_LAST	(PML_ENTRIES - 1)
#define PML_EMPTY	1ULL	/* no page's address */

static void pml_write_controls(struct vmx_vcpu *vmx, u32 proc2)
{
	unsigned long flags = vmx_hold(vmx);

	if (proc2 & VMX_PROC2_PML) {
		vmcs_write(VMCS_PML_ADDRESS, virt_to_phys(vmx->pml));
		vmcs_write(VMCS_PML_INDEX, PML_LAST);
	}
	vmx->proc2 = proc2;
	vmcs_write(VMCS_PROC2_CONTROLS, proc2);
	vmx_release(vmx, flags);
}

static int pml_start(struct vmx_vcpu *vmx)
{
	u64 *log;
	int i;

	if (vmx->pml)
		return 0;
	log = (u64 *)__get_free_page(GFP_KERNEL_ACCOUNT);
	if (!log)
		return -ENOMEM;
	for (i = 0; i < PML_ENTRIES; i++)
		log[i] = PML_EMPTY;
	vmx->pml_next = PML_LAST;
	/* Under the lock, for those who drain. */
	raw_spin_lock_irq(&vmx->pml_lock);
	vmx->pml = log;
	raw_spin_unlock_irq(&vmx->pml_lock);
	pml_write_controls(vmx, vmx->proc2 | VMX_PROC2_PML);
	return 0;
}

/* What it still holds nobody wants: no slot has a dirty log. */
static void pml_stop(struct vmx_vcpu *vmx)
{
	u64 *log = vmx->pml;

	if (!log)
		return;
	pml_write_controls(vmx, vmx->proc2 & ~VMX_PROC2_PML);
	raw_spin_lock_irq(&vmx->pml_lock);
	vmx->pml = NULL;
	raw_spin_unlock_irq(&vmx->pml_lock);
	free_page((unsigned long)log);
}

int vmx_log_writes(struct lodge_vcpu *vcpu, bool on)
{
	if (on)
		return pml_start(to_vmx(vcpu));
	pml_stop(to_vmx(vcpu));
	return 0;
}

static void pml_drain(struct vmx_vcpu *vmx)
{
	int last = vmx->pml_next, i = last;
	u64 *first;

	while (i >= 0 && READ_ONCE(vmx->pml[i]) != PML_EMPTY)
		i--;
	first = vmx->pml + i + 1;
	lodge_dirty_logged(&vmx->vcpu, first, last - i);
	memset64(first, PML_EMPTY, last - i);
	vmx->pml_next = i;
}

void vmx_drain_log(struct lodge_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	unsigned long flags;

	raw_spin_lock_irqsave(&vmx->pml_lock, flags);
	if (vmx->pml)
		pml_drain(vmx);
	raw_spin_unlock_irqrestore(&vmx->pml_lock, flags);
}

/* The access that found the log full did not happen. In the section. */
void vmx_pml_restart(struct vmx_vcpu *vmx)
{
	raw_spin_lock(&vmx->pml_lock);
	pml_drain(vmx);
	vmx->pml_next = PML_LAST;
	raw_spin_unlock(&vmx->pml_lock);
	vmcs_write(VMCS_PML_INDEX, PML_LAST);
}

void vmx_pml_free(struct vmx_vcpu *vmx)
{
	free_page((unsigned long)vmx->pml);
}
