// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's MTRRs: kept, checked and shown, without effect. Guest memory is ordinary cached memory, and nested
 * paging takes the type from the nested tables and the guest's PAT. Locking: vcpu->mutex.
 */
#include <asm/msr-index.h>
#include <asm/mtrr.h>

#include "cpuid.h"
#include "msr_internal.h"

#define MTRR_HAS_WC	BIT(10)		/* MTRRcap: write-combining, the fixed ranges. APM 2, 7.7.1 */
#define MTRR_HAS_FIXED	BIT(8)

/* Uncacheable, write-combining, write-through, write-protected, write-back. APM 2, 7.7.1. */
static bool mtrr_type_is_valid(u8 type)
{
	return type < 8 && (BIT(type) & 0x73);
}

static u64 *mtrr_find(struct lodge_vcpu_msrs *msrs, u32 msr)
{
	switch (msr) {
	case MSR_MTRRdefType:
		return &msrs->mtrr_default;
	case MSR_MTRRfix64K_00000:
		return &msrs->mtrr_fixed[0];
	case MSR_MTRRfix16K_80000:
	case MSR_MTRRfix16K_A0000:
		return &msrs->mtrr_fixed[1 + msr - MSR_MTRRfix16K_80000];
	case MSR_MTRRfix4K_C0000 ... MSR_MTRRfix4K_F8000:
		return &msrs->mtrr_fixed[3 + msr - MSR_MTRRfix4K_C0000];
	case MTRRphysBase_MSR(0) ... MTRRphysMask_MSR(MSR_NR_MTRR_VARIABLE - 1):
		return &msrs->mtrr_variable[msr - MTRRphysBase_MSR(0)];
	default:
		return NULL;
	}
}

static bool mtrr_is_valid(const struct lodge_vcpu *vcpu, u32 msr, u64 value)
{
	u64 reserved = ~GENMASK_ULL(lodge_guest_maxphyaddr(vcpu) - 1, 0);
	unsigned int i;

	switch (msr) {
	case MSR_MTRRdefType:
		return !(value & ~0xcffULL) && mtrr_type_is_valid(value);
	case MTRRphysBase_MSR(0) ... MTRRphysMask_MSR(MSR_NR_MTRR_VARIABLE - 1):
		if (msr & 1)
			return !(value & (reserved | 0x7ff));
		return !(value & (reserved | 0xf00)) && mtrr_type_is_valid(value);
	default:
		for (i = 0; i < 64; i += 8)
			if (!mtrr_type_is_valid(value >> i))
				return false;
		return true;
	}
}

int lodge_mtrr_get(struct lodge_vcpu *vcpu, u32 msr, u64 *value, bool host)
{
	const u64 *mtrr = mtrr_find(vcpu->msrs, msr);

	if (!mtrr)
		return -EINVAL;
	*value = *mtrr;
	return 0;
}

int lodge_mtrr_set(struct lodge_vcpu *vcpu, u32 msr, u64 value, bool host)
{
	u64 *mtrr = mtrr_find(vcpu->msrs, msr);

	if (!mtrr || !mtrr_is_valid(vcpu, msr, value))
		return -EINVAL;
	*mtrr = value;
	return 0;
}

int lodge_mtrr_cap_get(struct lodge_vcpu *vcpu, u32 msr, u64 *value, bool host)
{
	*value = MTRR_HAS_WC | MTRR_HAS_FIXED | MSR_NR_MTRR_VARIABLE;
	return 0;
}
