// SPDX-License-Identifier: GPL-2.0-only
/*
 * Translation of linear addresses through the guest's tables: the glue between walk_core.h, which knows how a walk
 * goes, and the vCPU's registers and memory. Runs on the thread that holds the vCPU; guest memory is read through
 * access.c.
 */
#include "../backend.h"
#include "../cpuid.h"
#include "mmu.h"
#include "walk_core.h"

static int walk_read(void *context, gpa_t gpa, void *entry, unsigned int len)
{
	return lodge_guest_read(((struct lodge_vcpu *)context)->vm, gpa, entry, len);
}

static int walk_exchange(void *context, gpa_t gpa, u64 old, u64 new, unsigned int len)
{
	return lodge_guest_cmpxchg(context, gpa, &old, &new, len);
}

static const struct lodge_walk_ops walk_ops = {
	.read = walk_read,
	.exchange = walk_exchange,
};

static struct lodge_walk_config walk_config(struct lodge_vcpu *vcpu, u32 access)
{
	struct lodge_walk_config config = {
		.cr0 = vcpu->cr0,
		.cr3 = vcpu->cr3,
		.cr4 = vcpu->cr4,
		.pkru = vcpu->pkru,
		.maxphyaddr = lodge_guest_maxphyaddr(vcpu),
		.long_mode = vcpu->efer & EFER_LMA,
		.nxe = vcpu->efer & EFER_NX,
		/* The hardware walks the guest's tables too, and with the host's features. */
		.has_1g = boot_cpu_has(X86_FEATURE_GBPAGES),
		.bit8_reserved = lodge_nested.format == LODGE_NESTED_NPT,
	};

	/* At CPL 3 an access without the user bit is an implicit one, which AC does not let through. */
	if ((vcpu->cr4 & X86_CR4_SMAP) && (vcpu->rflags & X86_EFLAGS_AC) && !(access & LODGE_ACCESS_USER))
		config.ac = lodge_op(get_cpl)(vcpu) < 3;
	return config;
}

int lodge_mmu_walk(struct lodge_vcpu *vcpu, gva_t gva, u32 access, struct lodge_walk *walk)
{
	struct lodge_walk_config config = walk_config(vcpu, access);

	return lodge_walk_core(&config, &walk_ops, vcpu, gva, access, walk);
}

static int walk_peek(void *context, gpa_t gpa, void *entry, unsigned int len)
{
	return lodge_guest_peek(context, gpa, entry, len) ? 0 : -EFAULT;
}

/* As for a table that cannot be written. */
static int walk_keep(void *context, gpa_t gpa, u64 old, u64 new, unsigned int len)
{
	return -EFAULT;
}

int lodge_mmu_walk_section(struct lodge_vcpu *vcpu, gva_t gva, u32 access, struct lodge_walk *walk)
{
	static const struct lodge_walk_ops ops = { .read = walk_peek, .exchange = walk_keep };
	struct lodge_walk_config config = walk_config(vcpu, access);

	return lodge_walk_core(&config, &ops, vcpu->vm, gva, access, walk);
}

int lodge_mmu_translate(struct lodge_vcpu *vcpu, gva_t gva, struct lodge_walk *walk)
{
	struct lodge_walk_config config = walk_config(vcpu, LODGE_ACCESS_USER);

	config.probe = true;
	return lodge_walk_core(&config, &walk_ops, vcpu, gva, LODGE_ACCESS_READ, walk);
}
