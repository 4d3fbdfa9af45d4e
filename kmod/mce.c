// SPDX-License-Identifier: GPL-2.0-only
/*
 * Machine checks of a guest: its banks and their MSRs, and errors that user space raises in it (KVM_X86_SETUP_MCE,
 * KVM_X86_SET_MCE). The host's own machine checks are no business of this file. Locking: vcpu->mutex.
 */
#include "mce.h"

#include <linux/nospec.h>
#include <asm/mce.h>
#include <asm/msr.h>
#include <asm/processor-flags.h>
#include <asm/trapnr.h>

#include "backend.h"
#include "msr_internal.h"

#define MCE_CAP_SUPPORTED	(MCG_CTL_P | MCG_SER_P)
#define MCE_CAP_EXT_COUNT	GENMASK_ULL(23, 16)	/* how many registers more; SDM 3, 16.3.1.1 */

#define HWCR_MC_STATUS_WRITE	BIT(18)

/* A bank: CTL, STATUS, ADDR, MISC. */
enum { BANK_CTL, BANK_STATUS, BANK_ADDR, BANK_MISC, BANK_REGS };

static unsigned int mce_nr_banks(const struct lodge_vcpu *vcpu)
{
	return vcpu->msrs->mcg_cap & MCG_BANKCNT_MASK;
}

void lodge_mce_init(struct lodge_vcpu *vcpu)
{
	vcpu->msrs->mcg_cap = LODGE_MAX_MCE_BANKS;
}

u64 lodge_mce_supported(void)
{
	return MCE_CAP_SUPPORTED;
}

int lodge_mce_setup(struct lodge_vcpu *vcpu, u64 mcg_cap)
{
	unsigned int i, nr = mcg_cap & MCG_BANKCNT_MASK;

	if (!nr || nr > LODGE_MAX_MCE_BANKS ||
	    (mcg_cap & ~(u64)(MCE_CAP_SUPPORTED | MCG_BANKCNT_MASK | MCE_CAP_EXT_COUNT)))
		return -EINVAL;
	vcpu->msrs->mcg_cap = mcg_cap & ~lodge_backend->mcg_cap_reserved;
	if (mcg_cap & MCG_CTL_P)
		vcpu->msrs->mcg_ctl = ~0ULL;
	for (i = 0; i < nr; i++)
		vcpu->msrs->mc_banks[i * BANK_REGS + BANK_CTL] = ~0ULL;
	return 0;
}

static void mce_bank_fill(struct lodge_vcpu *vcpu, u64 *bank, const struct kvm_x86_mce *mce)
{
	u64 over = bank[BANK_STATUS] & MCI_STATUS_VAL ? MCI_STATUS_OVER : 0;

	bank[BANK_ADDR] = mce->addr;
	bank[BANK_MISC] = mce->misc;
	bank[BANK_STATUS] = mce->status | over;
}

/* Uncorrected, and nobody need act: it is logged. SDM 3, 16.6.3. */
static bool mce_needs_no_action(const struct kvm_x86_mce *mce)
{
	return !mce->mcg_status && (mce->status & MCI_STATUS_UC) &&
	       !(mce->status & (MCI_STATUS_PCC | MCI_STATUS_S | MCI_STATUS_AR));
}

static void mce_raise(struct lodge_vcpu *vcpu, u64 *bank, const struct kvm_x86_mce *mce)
{
	/* An error while another is handled, or with nobody to handle it, shuts the CPU down: APM 2, 8.2.19. */
	if ((vcpu->msrs->mcg_status & MCG_STATUS_MCIP) || !(vcpu->cr4 & X86_CR4_MCE)) {
		vcpu->triple_fault = true;
		return;
	}
	mce_bank_fill(vcpu, bank, mce);
	vcpu->msrs->mcg_status = mce->mcg_status;
	lodge_queue_exception(vcpu, X86_TRAP_MC, false, 0);
}

int lodge_mce_set(struct lodge_vcpu *vcpu, const struct kvm_x86_mce *mce)
{
	struct lodge_vcpu_msrs *msrs = vcpu->msrs;
	unsigned int nr = mce_nr_banks(vcpu);
	u64 *bank;

	if (mce->bank >= nr || !(mce->status & MCI_STATUS_VAL))
		return -EINVAL;
	bank = &msrs->mc_banks[array_index_nospec(mce->bank, nr) * BANK_REGS];
	if (mce_needs_no_action(mce)) {
		bank[BANK_STATUS] = 0;
		mce_bank_fill(vcpu, bank, mce);
		msrs->mcg_status = 0;
		return 0;
	}
	if (mce->status & MCI_STATUS_UC) {
		/* What the guest has switched off is not reported. */
		if (((msrs->mcg_cap & MCG_CTL_P) && ~msrs->mcg_ctl) || ~bank[BANK_CTL])
			return 0;
		mce_raise(vcpu, bank, mce);
	} else if ((bank[BANK_STATUS] & (MCI_STATUS_VAL | MCI_STATUS_UC)) == (MCI_STATUS_VAL | MCI_STATUS_UC)) {
		bank[BANK_STATUS] |= MCI_STATUS_OVER;	/* a worse one is there already */
	} else {
		mce_bank_fill(vcpu, bank, mce);
	}
	return 0;
}

int lodge_mcg_get(struct lodge_vcpu *vcpu, u32 msr, u64 *value, bool host)
{
	const struct lodge_vcpu_msrs *msrs = vcpu->msrs;

	switch (msr) {
	case MSR_IA32_MCG_CAP:
		*value = msrs->mcg_cap;
		return 0;
	case MSR_IA32_MCG_STATUS:
		*value = msrs->mcg_status;
		return 0;
	default:
		if (!(msrs->mcg_cap & MCG_CTL_P) && !host)
			return -EINVAL;
		*value = msrs->mcg_ctl;
		return 0;
	}
}

int lodge_mcg_set(struct lodge_vcpu *vcpu, u32 msr, u64 value, bool host)
{
	struct lodge_vcpu_msrs *msrs = vcpu->msrs;

	if (msr == MSR_IA32_MCG_STATUS) {
		msrs->mcg_status = value;
		return 0;
	}
	if (!(msrs->mcg_cap & MCG_CTL_P) && (value || !host))
		return -EINVAL;
	if (value && ~value)
		return -EINVAL;
	msrs->mcg_ctl = value;
	return 0;
}

int lodge_mce_bank_get(struct lodge_vcpu *vcpu, u32 msr, u64 *value, bool host)
{
	u32 offset = msr - MSR_IA32_MC0_CTL, nr = mce_nr_banks(vcpu) * BANK_REGS;

	if (offset >= nr)
		return -EINVAL;
	*value = vcpu->msrs->mc_banks[array_index_nospec(offset, nr)];
	return 0;
}

/*
 * MCi_CTL takes all zeros or all ones; of the ones Linux clears bit 10 or bit 0 for the sake of early
 * CPUs by AMD. MCi_STATUS takes zero, another value only with HWCR's consent. APM 2, 9.3.2.
 */
int lodge_mce_bank_set(struct lodge_vcpu *vcpu, u32 msr, u64 value, bool host)
{
	u32 offset = msr - MSR_IA32_MC0_CTL, nr = mce_nr_banks(vcpu) * BANK_REGS;

	if (offset >= nr)
		return -EINVAL;
	if (offset % BANK_REGS == BANK_CTL && value && ~(value | BIT(10) | BIT(0)))
		return -EINVAL;
	if (offset % BANK_REGS == BANK_STATUS && value && !host && !(vcpu->msrs->hwcr & HWCR_MC_STATUS_WRITE))
		return -EINVAL;
	vcpu->msrs->mc_banks[array_index_nospec(offset, nr)] = value;
	return 0;
}
