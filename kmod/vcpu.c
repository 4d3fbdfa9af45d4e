// SPDX-License-Identifier: GPL-2.0-only
/*
 * A vCPU's life: creation, reset, kicks and requests from other threads, the pages that user space maps.
 * A vCPU is found through vm->vcpus from the moment it is complete until the VM ends; closing its fd does not
 * free it. Running it is run.c's, its ioctls are vcpu_ioctl.c's.
 */
#include "vcpu.h"

#include <linux/mm.h>
#include <linux/slab.h>
#include <asm/apicdef.h>
#include <asm/msr-index.h>
#include <asm/processor-flags.h>

#include "backend.h"
#include "clock.h"
#include "compat/compat.h"
#include "cpuid.h"
#include "event.h"
#include "fpu.h"
#include "irqchip/irqchip.h"
#include "mmu/mmu.h"
#include "msr.h"
#include "regs.h"

#define CR0_RESET	(X86_CR0_CD | X86_CR0_NW | X86_CR0_ET)

/*
 * Set the request, then look at the mode; the vCPU sets its mode, then looks at its requests. With both full
 * barriers one of the two sees the other: see section_may_start().
 */
void lodge_vcpu_kick(struct lodge_vcpu *vcpu)
{
	int cpu;

	smp_mb();	/* pairs with smp_store_mb() in section_may_start() */
	rcuwait_wake_up(&vcpu->wait);
	if (READ_ONCE(vcpu->mode) != LODGE_IN_GUEST)
		return;
	cpu = READ_ONCE(vcpu->cpu);
	if (cpu < 0 || cpu == raw_smp_processor_id())
		return;
	atomic64_inc(&vcpu->nr_kicks);
	lodge_compat_send_reschedule(cpu);
}

void lodge_vcpu_request(struct lodge_vcpu *vcpu, enum lodge_request request)
{
	set_bit(request, &vcpu->requests);
	lodge_vcpu_kick(vcpu);
}

static void flush_ack(void *unused)
{
}

/* A vCPU that is in the guest now has interrupts off until it leaves: once its CPU answers the call it has left. */
void lodge_vcpus_leave(struct lodge_vm *vm)
{
	struct lodge_vcpu *vcpu;
	cpumask_var_t mask;
	unsigned long i;
	bool all;

	smp_mb();	/* pairs with smp_store_mb() in section_may_start() */
	if (!READ_ONCE(vm->nr_vcpus))
		return;
	all = !zalloc_cpumask_var(&mask, GFP_NOWAIT | __GFP_NOWARN);
	lodge_for_each_vcpu(i, vcpu, vm) {
		int cpu = READ_ONCE(vcpu->cpu);

		if (READ_ONCE(vcpu->mode) == LODGE_IN_GUEST && cpu >= 0 && !all)
			cpumask_set_cpu(cpu, mask);
	}
	preempt_disable();
	if (all)
		smp_call_function(flush_ack, NULL, true);
	else if (!cpumask_empty(mask))
		smp_call_function_many(mask, flush_ack, NULL, true);
	preempt_enable();
	if (!all)
		free_cpumask_var(mask);
}

/* The generation makes every later entry flush. */
void lodge_flush_remote(struct lodge_vm *vm)
{
	atomic64_inc(&vm->tlb_generation);
	lodge_vcpus_leave(vm);
}

struct lodge_vcpu *lodge_vcpu_by_id(struct lodge_vm *vm, u32 id)
{
	struct lodge_vcpu *vcpu;
	unsigned long i;

	/* User space mostly numbers them in order. One past the count may still be taken back. */
	if (id < READ_ONCE(vm->nr_vcpus)) {
		vcpu = xa_load(&vm->vcpus, id);
		if (vcpu && vcpu->id == id)
			return vcpu;
	}
	lodge_for_each_vcpu(i, vcpu, vm)
		if (vcpu->id == id)
			return vcpu;
	return NULL;
}

void lodge_vcpu_reset(struct lodge_vcpu *vcpu, bool init)
{
	u64 old_cr0 = vcpu->cr0;

	memset(vcpu->gprs, 0, sizeof(vcpu->gprs));
	memset(&vcpu->events, 0, sizeof(vcpu->events));
	vcpu->events_injected = false;
	vcpu->triple_fault = false;
	vcpu->completion = LODGE_COMPLETE_NONE;
	/* RDX tells the model: APM 2, table 14-1. */
	vcpu->gprs[LODGE_RDX] = lodge_cpuid_signature(vcpu);
	vcpu->rip = 0xfff0;
	vcpu->rflags = X86_EFLAGS_FIXED;
	vcpu->cr2 = 0;
	vcpu->cr3 = 0;
	vcpu->cr8 = 0;
	memset(vcpu->db, 0, sizeof(vcpu->db));
	vcpu->dr6 = LODGE_DR6_ONES;
	vcpu->dr7 = LODGE_DR7_ONE;

	lodge_op(vcpu_reset)(vcpu, init);
	/* INIT leaves the cache bits as they were, power-up sets them. */
	vcpu->cr0 = init ? (old_cr0 & (X86_CR0_CD | X86_CR0_NW)) | X86_CR0_ET : CR0_RESET;
	vcpu->cr4 = 0;
	vcpu->efer = 0;
	lodge_op(set_efer)(vcpu, 0);
	lodge_op(set_cr0)(vcpu, vcpu->cr0);
	lodge_op(set_cr4)(vcpu, 0);
	lodge_op(set_cr3)(vcpu, 0);
	lodge_op(set_debugregs)(vcpu);
	if (!init) {
		vcpu->xcr0 = XFEATURE_MASK_FP;
		vcpu->xss = 0;
		vcpu->pkru = 0;
		lodge_fpu_reset(vcpu);
	}
	lodge_msr_reset(vcpu, init);
	if (vcpu->lapic)
		lodge_lapic_reset(vcpu, init);
	lodge_vcpu_request_self(vcpu, LODGE_REQ_TLB_FLUSH);
	lodge_vcpu_request_self(vcpu, LODGE_REQ_EVENT);
}

static int vcpu_create_parts(struct lodge_vcpu *vcpu)
{
	int ret = lodge_fpu_create(vcpu);

	if (ret)
		return ret;
	ret = lodge_dirty_ring_create(vcpu);
	if (ret)
		return ret;
	ret = lodge_msr_create(vcpu);
	if (ret)
		return ret;
	ret = lodge_pv_create(vcpu);
	if (ret)
		return ret;
	if (lodge_vm_has_lapics(vcpu->vm)) {
		ret = lodge_lapic_create(vcpu);
		if (ret)
			return ret;
	}
	ret = lodge_op(vcpu_init)(vcpu);
	if (ret)
		return ret;
	lodge_tsc_create(vcpu);
	return lodge_cpuid_set(vcpu, NULL, 0);
}

/* Each part's destroy tolerates that its create never ran. */
void lodge_vcpu_free(struct lodge_vcpu *vcpu)
{
	lodge_lapic_destroy(vcpu);
	lodge_pv_destroy(vcpu);
	lodge_msr_destroy(vcpu);
	lodge_fpu_destroy(vcpu);
	lodge_cpuid_destroy(vcpu);
	lodge_dirty_ring_destroy(vcpu);
	if (vcpu->pio_page)
		__free_page(vcpu->pio_page);
	free_page((unsigned long)vcpu->run);
	lodge_op(vcpu_free)(vcpu);
}

struct lodge_vcpu *lodge_vcpu_create(struct lodge_vm *vm, u32 id)
{
	struct lodge_vcpu *vcpu = lodge_op(vcpu_alloc)();
	int ret = -ENOMEM;

	if (!vcpu)
		return ERR_PTR(-ENOMEM);
	vcpu->vm = vm;
	vcpu->id = id;
	vcpu->cpu = -1;
	mutex_init(&vcpu->mutex);
	rcuwait_init(&vcpu->wait);
	vcpu->run = (struct kvm_run *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!vcpu->run)
		goto free_vcpu;
	/* Without LAPICs in the kernel user space starts each vCPU by running it. */
	vcpu->mp_state = !lodge_vm_has_lapics(vm) || id == vm->boot_vcpu_id ? KVM_MP_STATE_RUNNABLE :
									       KVM_MP_STATE_UNINITIALIZED;
	vcpu->apic_base = APIC_DEFAULT_PHYS_BASE | MSR_IA32_APICBASE_ENABLE |
			  (id == vm->boot_vcpu_id ? MSR_IA32_APICBASE_BSP : 0);
	vcpu->misc_enable = MSR_IA32_MISC_ENABLE_FAST_STRING;
	ret = vcpu_create_parts(vcpu);
	if (ret)
		goto free_vcpu;
	lodge_vcpu_reset(vcpu, false);
	lodge_vcpu_request_self(vcpu, LODGE_REQ_MSR_FILTER);
	if (lodge_nested.logs_writes)
		lodge_vcpu_request_self(vcpu, LODGE_REQ_LOG);
	return vcpu;

free_vcpu:
	lodge_vcpu_free(vcpu);
	return ERR_PTR(ret);
}

/* Two threads may make the page at once: the first one's stays. */
static struct page *vcpu_lazy_page(struct page **slot)
{
	struct page *page = READ_ONCE(*slot), *old;

	if (page)
		return page;
	page = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (!page)
		return ERR_PTR(-ENOMEM);
	old = cmpxchg(slot, NULL, page);
	if (old) {
		__free_page(page);
		return old;
	}
	return page;
}

void *lodge_vcpu_pio_data(struct lodge_vcpu *vcpu)
{
	struct page *page = vcpu_lazy_page(&vcpu->pio_page);

	vcpu->pio_data = IS_ERR(page) ? NULL : page_address(page);
	return vcpu->pio_data;
}

struct page *lodge_vcpu_mapped_page(struct lodge_vcpu *vcpu, unsigned long index)
{
	if (lodge_dirty_ring_maps(vcpu->vm, index))
		return lodge_dirty_ring_page(vcpu, index);
	switch (index) {
	case 0:
		return virt_to_page(vcpu->run);
	case LODGE_PIO_PAGE:
		return vcpu_lazy_page(&vcpu->pio_page);
	case LODGE_COALESCED_PAGE:
		return vcpu_lazy_page(&vcpu->vm->coalesced_ring);
	default:
		return NULL;
	}
}
