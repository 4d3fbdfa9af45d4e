// SPDX-License-Identifier: GPL-2.0-only
/*
 * What CPUID may say to a guest on this host: the feature words that are offered and the table of
 * KVM_GET_SUPPORTED_CPUID. A feature is offered when it is listed here, the CPU has it, and the host kernel
 * has not given it up. What the vendor's virtualization adds or forbids is the backend's cpuid_adjust().
 * The vCPU's own table is in cpuid.c. No locking: everything is computed from constant data, the words at load.
 */
#include "cpuid.h"

#include <linux/kvm_para.h>

#include <asm/cpufeature.h>
#include <asm/processor.h>

#include "backend.h"
#include "clock.h"
#include "fpu.h"

#define F(name)		BIT(X86_FEATURE_##name & 31)

#define CPUID_PSFD	BIT(28)		/* 0x80000008.EBX; older kernels have no name for it */

#define CPUID_MAX_BASIC		0x1f
#define CPUID_MAX_EXTENDED	0x80000021
#define CPUID_LEVEL_CACHE	0x8000001d

/* 0x80000021.EAX, for which older kernels have no names. APM 3, appendix E.4.17. */
#define CPUID_NO_NESTED_DATA_BP	BIT(0)
#define CPUID_LFENCE_SERIALIZES	BIT(2)
#define CPUID_VERW_CLEARS	BIT(5)
#define CPUID_NULL_SEL_CLEARS	BIT(6)
#define CPUID_NO_SMM_CTL	BIT(9)
#define CPUID_SBPB		BIT(27)
#define CPUID_IBPB_BRTYPE	BIT(28)
#define CPUID_SRSO_NO		BIT(29)

const struct lodge_cpuid_word lodge_cpuid_words[LODGE_NR_CPUID_WORDS] = {
	{
		.word = CPUID_1_ECX, .function = 1, .reg = CPUID_ECX,
		.offered = F(XMM3) | F(PCLMULQDQ) | F(SSSE3) | F(FMA) | F(CX16) | F(PCID) | F(XMM4_1) |
			   F(XMM4_2) | F(X2APIC) | F(MOVBE) | F(POPCNT) | F(AES) | F(XSAVE) | F(AVX) |
			   F(F16C) | F(RDRAND),
		.software = F(X2APIC),
	}, {
		.word = CPUID_1_EDX, .function = 1, .reg = CPUID_EDX,
		.offered = F(FPU) | F(VME) | F(DE) | F(PSE) | F(TSC) | F(MSR) | F(PAE) | F(MCE) | F(CX8) |
			   F(APIC) | F(SEP) | F(MTRR) | F(PGE) | F(MCA) | F(CMOV) | F(PAT) | F(PSE36) |
			   F(CLFLUSH) | F(MMX) | F(FXSR) | F(XMM) | F(XMM2) | F(SELFSNOOP),
	}, {
		.word = CPUID_7_0_EBX, .function = 7, .reg = CPUID_EBX,
		.offered = F(FSGSBASE) | F(BMI1) | F(HLE) | F(AVX2) | F(FDP_EXCPTN_ONLY) | F(SMEP) |
			   F(BMI2) | F(ERMS) | F(INVPCID) | F(RTM) | F(ZERO_FCS_FDS) | F(AVX512F) |
			   F(AVX512DQ) | F(RDSEED) | F(ADX) | F(SMAP) | F(AVX512IFMA) | F(CLFLUSHOPT) |
			   F(CLWB) | F(AVX512CD) | F(SHA_NI) | F(AVX512BW) | F(AVX512VL),
		.software = F(TSC_ADJUST),
	}, {
		.word = CPUID_7_ECX, .function = 7, .reg = CPUID_ECX,
		.offered = F(AVX512VBMI) | F(LA57) | F(PKU) | F(RDPID) | F(AVX512_VPOPCNTDQ) | F(UMIP) |
			   F(AVX512_VBMI2) | F(GFNI) | F(VAES) | F(VPCLMULQDQ) | F(AVX512_VNNI) |
			   F(AVX512_BITALG) | F(CLDEMOTE) | F(MOVDIRI) | F(MOVDIR64B),
	}, {
		.word = CPUID_7_EDX, .function = 7, .reg = CPUID_EDX,
		.offered = F(AVX512_4VNNIW) | F(AVX512_4FMAPS) | F(SPEC_CTRL) | F(SPEC_CTRL_SSBD) |
			   F(INTEL_STIBP) | F(MD_CLEAR) | F(AVX512_VP2INTERSECT) | F(FSRM) |
			   F(SERIALIZE) | F(TSXLDTRK) | F(AVX512_FP16),
		.software = F(ARCH_CAPABILITIES),
	}, {
		.word = CPUID_7_1_EAX, .function = 7, .index = 1, .reg = CPUID_EAX,
		.offered = F(AVX_VNNI) | F(AVX512_BF16),
	}, {
		.word = CPUID_D_1_EAX, .function = 0xd, .index = 1, .reg = CPUID_EAX,
		.offered = F(XSAVEOPT) | F(XSAVEC) | F(XGETBV1) | F(XSAVES),
	}, {
		.word = CPUID_8000_0001_ECX, .function = 0x80000001, .reg = CPUID_ECX,
		.offered = F(LAHF_LM) | F(CMP_LEGACY) | F(CR8_LEGACY) | F(ABM) | F(SSE4A) | F(MISALIGNSSE) |
			   F(3DNOWPREFETCH) | F(OSVW) | F(XOP) | F(FMA4) | F(TBM) | F(TOPOEXT),
	}, {
		.word = CPUID_8000_0001_EDX, .function = 0x80000001, .reg = CPUID_EDX,
		.offered = F(FPU) | F(VME) | F(DE) | F(PSE) | F(TSC) | F(MSR) | F(PAE) | F(MCE) | F(CX8) |
			   F(APIC) | F(SYSCALL) | F(MTRR) | F(PGE) | F(MCA) | F(CMOV) | F(PAT) |
			   F(PSE36) | F(NX) | F(MMXEXT) | F(MMX) | F(FXSR) | F(FXSR_OPT) | F(GBPAGES) |
			   F(RDTSCP) | F(LM) | F(3DNOWEXT) | F(3DNOW),
	}, {
		.word = CPUID_8000_0008_EBX, .function = 0x80000008, .reg = CPUID_EBX,
		.offered = F(CLZERO) | F(XSAVEERPTR) | F(WBNOINVD) | F(AMD_IBPB) | F(AMD_IBRS) |
			   F(AMD_SSBD) | F(AMD_SSB_NO) | F(AMD_STIBP) |
			   F(AMD_STIBP_ALWAYS_ON) | CPUID_PSFD,
	}, {
		.word = CPUID_8000_0021_EAX, .function = 0x80000021, .reg = CPUID_EAX,
		.offered = CPUID_NO_NESTED_DATA_BP | CPUID_LFENCE_SERIALIZES | CPUID_VERW_CLEARS |
			   CPUID_NULL_SEL_CLEARS | CPUID_SBPB | CPUID_IBPB_BRTYPE | CPUID_SRSO_NO,
		.software = CPUID_NO_SMM_CTL,
	},
};

static bool cpuid_backend_has_msr(u32 msr)
{
	const u32 *p;

	for (p = lodge_backend->msr_list; *p; p++)
		if (*p == msr)
			return true;
	return false;
}

/*
 * The kernel has its own flags for the parts of SPEC_CTRL; the two vendors report them by different bits.
 * Both sets are offered, so that a guest of either make finds its own.
 */
static u32 cpuid_speculation_intel(u32 features)
{
	if (!cpuid_backend_has_msr(MSR_IA32_SPEC_CTRL))
		return features & ~(F(SPEC_CTRL) | F(INTEL_STIBP) | F(SPEC_CTRL_SSBD));
	if (boot_cpu_has(X86_FEATURE_IBPB) && boot_cpu_has(X86_FEATURE_IBRS))
		features |= F(SPEC_CTRL);
	if (boot_cpu_has(X86_FEATURE_STIBP))
		features |= F(INTEL_STIBP);
	if (boot_cpu_has(X86_FEATURE_AMD_SSBD))
		features |= F(SPEC_CTRL_SSBD);
	return features;
}

static u32 cpuid_speculation_amd(u32 features)
{
	if (boot_cpu_has(X86_FEATURE_IBPB))
		features |= F(AMD_IBPB);
	if (!boot_cpu_has_bug(X86_BUG_SPEC_STORE_BYPASS))
		features |= F(AMD_SSB_NO);

	if (cpuid_backend_has_msr(MSR_IA32_SPEC_CTRL)) {
		if (boot_cpu_has(X86_FEATURE_IBRS))
			features |= F(AMD_IBRS);
		if (boot_cpu_has(X86_FEATURE_STIBP))
			features |= F(AMD_STIBP);
		if (boot_cpu_has(X86_FEATURE_SPEC_CTRL_SSBD))
			features |= F(AMD_SSBD);
	} else {
		features &= ~(F(AMD_IBRS) | F(AMD_STIBP) | F(AMD_STIBP_ALWAYS_ON) | F(AMD_SSBD) | CPUID_PSFD);
	}
	return features;
}

/* Facts that hold on CPUs which have no bit for them, or not the leaf. */
static u32 cpuid_extended2(u32 features)
{
	features |= boot_cpu_data.x86_capability[CPUID_8000_0021_EAX] & (CPUID_IBPB_BRTYPE | CPUID_SRSO_NO);
	if (boot_cpu_has(X86_FEATURE_LFENCE_RDTSC))
		features |= CPUID_LFENCE_SERIALIZES;
	if (!boot_cpu_has_bug(X86_BUG_NULL_SEG))
		features |= CPUID_NULL_SEL_CLEARS;
	return features;
}

/* The part of a word that this host can give, the backend's say apart. */
static u32 cpuid_word_offered(const struct lodge_cpuid_word *row, u32 raw)
{
	u32 features = boot_cpu_data.x86_capability[row->word] & row->offered & raw;

	features |= row->software;
	switch (row->word) {
	case CPUID_7_ECX:
		/* The host need not use five levels for its guests to do so. */
		features |= raw & F(LA57);
		if (!(lodge_fpu_features & XFEATURE_MASK_PKRU))
			features &= ~F(PKU);
		break;
	case CPUID_7_EDX:
		features = cpuid_speculation_intel(features);
		break;
	case CPUID_8000_0008_EBX:
		features = cpuid_speculation_amd(features);
		break;
	case CPUID_8000_0021_EAX:
		features = cpuid_extended2(features);
		break;
	}
	return features;
}

static u32 *cpuid_entry_reg(struct kvm_cpuid_entry2 *entry, u8 reg)
{
	switch (reg) {
	case CPUID_EAX:
		return &entry->eax;
	case CPUID_EBX:
		return &entry->ebx;
	case CPUID_ECX:
		return &entry->ecx;
	default:
		return &entry->edx;
	}
}

static void cpuid_entry_mask(struct kvm_cpuid_entry2 *entry)
{
	unsigned int i;

	for (i = 0; i < LODGE_NR_CPUID_WORDS; i++) {
		const struct lodge_cpuid_word *row = &lodge_cpuid_words[i];
		u32 *reg;

		if (row->function != entry->function || row->index != entry->index)
			continue;
		reg = cpuid_entry_reg(entry, row->reg);
		*reg = cpuid_word_offered(row, *reg);
	}
}

static bool cpuid_leaf_is_indexed(u32 function)
{
	switch (function) {
	case 4:
	case 7:
	case 0xb:
	case 0xd:
	case 0xf:
	case 0x10:
	case 0x12:
	case 0x14:
	case 0x17:
	case 0x18:
	case 0x1d:
	case 0x1e:
	case 0x1f:
	case CPUID_LEVEL_CACHE:
		return true;
	default:
		return false;
	}
}

/* The host's own answer, nothing for leaves that it does not have. */
static void cpuid_entry_read(struct kvm_cpuid_entry2 *entry, u32 function, u32 index)
{
	memset(entry, 0, sizeof(*entry));
	entry->function = function;
	entry->index = index;
	if (cpuid_leaf_is_indexed(function))
		entry->flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
	if (function - KVM_CPUID_SIGNATURE <= 0xff || function > cpuid_eax(function & BIT(31)))
		return;
	cpuid_count(function, index, &entry->eax, &entry->ebx, &entry->ecx, &entry->edx);
}

/* Each vCPU needs some of these, and where the host is itself a guest each CPUID is an exit. */
static u32 cpuid_host_words[NCAPINTS] __ro_after_init;

void __init lodge_cpuid_init(void)
{
	const struct lodge_cpuid_word *row;
	struct kvm_cpuid_entry2 entry;

	for (row = lodge_cpuid_words; row < lodge_cpuid_words + LODGE_NR_CPUID_WORDS; row++) {
		cpuid_entry_read(&entry, row->function, row->index);
		cpuid_entry_mask(&entry);
		lodge_backend->cpuid_adjust(&entry);
		cpuid_host_words[row->word] = *cpuid_entry_reg(&entry, row->reg);
	}
}

u32 lodge_cpuid_host_word(unsigned int word)
{
	return cpuid_host_words[word];
}

/* The table under construction; @full says that an entry found no room. */
struct cpuid_list {
	struct kvm_cpuid_entry2 *entries;
	u32 max, n;
	bool full;
};

static void cpuid_list_add(struct cpuid_list *table, const struct kvm_cpuid_entry2 *entry)
{
	if (table->n == table->max) {
		table->full = true;
		return;
	}
	table->entries[table->n] = *entry;
	lodge_backend->cpuid_adjust(&table->entries[table->n++]);
}

static void cpuid_keep(struct kvm_cpuid_entry2 *entry, u32 eax, u32 ebx, u32 ecx, u32 edx)
{
	entry->eax &= eax;
	entry->ebx &= ebx;
	entry->ecx &= ecx;
	entry->edx &= edx;
}

static void cpuid_add_features7(struct cpuid_list *table, struct kvm_cpuid_entry2 *entry)
{
	u32 last = min(entry->eax, 1U);

	entry->eax = last;
	cpuid_entry_mask(entry);
	cpuid_list_add(table, entry);
	if (!last)
		return;
	cpuid_entry_read(entry, 7, 1);
	cpuid_keep(entry, ~0, 0, 0, 0);
	cpuid_entry_mask(entry);
	cpuid_list_add(table, entry);
}

static void cpuid_add_caches(struct cpuid_list *table, struct kvm_cpuid_entry2 *entry)
{
	u32 i;

	cpuid_list_add(table, entry);
	for (i = 1; entry->eax & 0x1f; i++) {	/* the cache's type: 0 ends the list */
		cpuid_entry_read(entry, entry->function, i);
		cpuid_list_add(table, entry);
	}
}

static void cpuid_add_xsave(struct cpuid_list *table, struct kvm_cpuid_entry2 *entry)
{
	const u64 features = lodge_fpu_features;
	u32 i;

	entry->eax = (u32)features;
	entry->ebx = lodge_fpu_image_size(features, false);
	entry->ecx = entry->ebx;
	entry->edx = features >> 32;
	cpuid_list_add(table, entry);

	cpuid_entry_read(entry, 0xd, 1);
	cpuid_keep(entry, ~0, 0, 0, 0);
	cpuid_entry_mask(entry);
	if (entry->eax & (F(XSAVES) | F(XSAVEC)))
		entry->ebx = lodge_fpu_image_size(features, true);
	cpuid_list_add(table, entry);

	for (i = XFEATURE_YMM; i < 64; i++) {
		if (!(features & BIT_ULL(i)))
			continue;
		cpuid_entry_read(entry, 0xd, i);
		cpuid_keep(entry, ~0, ~0, BIT(0) | BIT(1), 0);	/* no XFD */
		cpuid_list_add(table, entry);
	}
}

static void cpuid_fill_basic(struct kvm_cpuid_entry2 *entry)
{
	switch (entry->function) {
	case 0:
		entry->eax = min(entry->eax, (u32)CPUID_MAX_BASIC);
		break;
	case 1:
		cpuid_entry_mask(entry);
		break;
	case 2:
		break;
	case 6:
		cpuid_keep(entry, 0, 0, 0, 0);
		entry->eax = BIT(2);	/* the LAPIC timer never stops */
		break;
	case 0xb:
	case 0x1f:
		cpuid_keep(entry, 0, 0, 0, ~0);	/* the x2APIC ID, but no topology */
		break;
	default:
		cpuid_keep(entry, 0, 0, 0, 0);
		break;
	}
}

/* Fixed facts about the CPU that a guest may use even where the CPU has no leaf for them. */
static u32 cpuid_extended_max(u32 host)
{
	u32 last = min_t(u32, host, CPUID_MAX_EXTENDED);

	if (last >= CPUID_LEVEL_CACHE &&
	    (boot_cpu_has(X86_FEATURE_LFENCE_RDTSC) || !boot_cpu_has_bug(X86_BUG_NULL_SEG)))
		last = CPUID_MAX_EXTENDED;
	return last;
}

static void cpuid_fill_address_sizes(struct kvm_cpuid_entry2 *entry)
{
	u32 physical = entry->eax & 0xff;
	u32 linear = max((entry->eax >> 8) & 0xff, 48U);
	u32 guest_physical = (entry->eax >> 16) & 0xff;

	entry->eax = (guest_physical ?: physical) | linear << 8;
	entry->ecx &= ~(GENMASK(31, 16) | GENMASK(11, 8));
	entry->edx = 0;
	cpuid_entry_mask(entry);
}

static void cpuid_fill_extended(struct kvm_cpuid_entry2 *entry)
{
	switch (entry->function) {
	case 0x80000000:
		entry->eax = cpuid_extended_max(entry->eax);
		break;
	case 0x80000001:
		entry->ebx &= ~GENMASK(27, 16);
		cpuid_entry_mask(entry);
		break;
	case 0x80000005:
		break;
	case 0x80000006:
		entry->edx &= ~GENMASK(17, 16);
		break;
	case 0x80000007:
		cpuid_keep(entry, 0, 0, 0, BIT(8) & boot_cpu_data.x86_power);	/* invariant TSC */
		break;
	case 0x80000008:
		cpuid_fill_address_sizes(entry);
		break;
	case 0x80000019:
		cpuid_keep(entry, ~0, ~0, 0, 0);
		break;
	case 0x8000001a:
		cpuid_keep(entry, GENMASK(2, 0), 0, 0, 0);
		break;
	case 0x80000021:
		cpuid_keep(entry, ~0, 0, BIT(1) | BIT(2), 0);
		/* Older CPUs, which are not open to these attacks either, do not say so. */
		entry->ecx |= lodge_compat_tsa_no();
		cpuid_entry_mask(entry);
		break;
	default:
		cpuid_keep(entry, 0, 0, 0, 0);
		break;
	}
}

static void cpuid_fill_hypervisor(struct kvm_cpuid_entry2 *entry)
{
	if (entry->function == KVM_CPUID_SIGNATURE) {
		entry->eax = KVM_CPUID_FEATURES;
		memcpy(&entry->ebx, KVM_SIGNATURE, 4);
		memcpy(&entry->ecx, KVM_SIGNATURE + 4, 4);
		memcpy(&entry->edx, KVM_SIGNATURE + 8, 4);
	} else {
		entry->eax = lodge_pv_features();
	}
}

static void cpuid_add_leaf(struct cpuid_list *table, u32 function)
{
	struct kvm_cpuid_entry2 entry;

	cpuid_entry_read(&entry, function, 0);
	switch (function) {
	case 4:
	case CPUID_LEVEL_CACHE:
		cpuid_add_caches(table, &entry);
		return;
	case 7:
		cpuid_add_features7(table, &entry);
		return;
	case 0xd:
		cpuid_add_xsave(table, &entry);
		return;
	}
	if (function & BIT(31))
		cpuid_fill_extended(&entry);
	else if (function & BIT(30))
		cpuid_fill_hypervisor(&entry);
	else
		cpuid_fill_basic(&entry);
	cpuid_list_add(table, &entry);
}

static void cpuid_add_range(struct cpuid_list *table, u32 first)
{
	u32 function, last;

	cpuid_add_leaf(table, first);
	if (table->full)
		return;
	last = table->entries[table->n - 1].eax;
	for (function = first + 1; function <= last; function++)
		cpuid_add_leaf(table, function);
}

int lodge_cpuid_supported(struct kvm_cpuid_entry2 *entries, u32 max)
{
	struct cpuid_list table = { .entries = entries, .max = max };

	cpuid_add_range(&table, 0);
	cpuid_add_range(&table, 0x80000000);
	cpuid_add_range(&table, KVM_CPUID_SIGNATURE);
	return table.full ? -E2BIG : table.n;
}
