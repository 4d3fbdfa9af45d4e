// SPDX-License-Identifier: GPL-2.0-only
/*
 * The vCPU's CPUID table: setting it, answering the guest's CPUID from it, and what other parts ask about the
 * guest's features. What a host can offer is in cpuid_supported.c. The table is replaced whole, by the holder of
 * vcpu->mutex, who is the only one to read it. Bits that follow the vCPU's state (OSXSAVE, OSPKE, APIC,
 * MWAIT, the size of the XSAVE image) are put in when somebody looks.
 */
#include "cpuid.h"

#include <linux/kvm_para.h>
#include <linux/slab.h>

#include <asm/cpufeature.h>
#include <asm/msr-index.h>
#include <asm/processor-flags.h>

#include "backend.h"
#include "fpu.h"

#define F(name)		BIT(X86_FEATURE_##name & 31)

#define CPUID_BUCKETS	128	/* basic and hypervisor leaves share with each other, extended ones have their half */
#define CPUID_EXTENDED	0x80000000

#define CPUID_SIGNATURE_P6	0x600	/* for a vCPU that was given no CPUID */

/* CR4 bits that follow no feature, and those that do. APM 2, 3.1.3. */
#define CR4_PLAIN	(X86_CR4_VME | X86_CR4_PVI | X86_CR4_TSD | X86_CR4_DE | X86_CR4_PSE | X86_CR4_PAE | \
			 X86_CR4_MCE | X86_CR4_PGE | X86_CR4_PCE | X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT)

/* What in a leaf follows the vCPU's state. */
enum cpuid_dynamic {
	CPUID_STATIC,
	CPUID_FEATURES,		/* 1 */
	CPUID_FEATURES7,	/* 7.0 */
	CPUID_XSAVE,		/* 0xD.0 */
	CPUID_XSAVE_COMPACT,	/* 0xD.1 */
};

struct cpuid_row {
	u32 function, index, flags;
	u16 next;		/* in the bucket: its place + 1, 0 ends */
	u8 dynamic;		/* enum cpuid_dynamic */
	u32 eax, ebx, ecx, edx;
};

struct lodge_cpuid {
	u16 buckets[CPUID_BUCKETS];
	u32 words[NCAPINTS];	/* of those in lodge_cpuid_words */
	u64 cr4_reserved, efer_reserved;
	u64 xcr0_mask;
	u32 pv_features;
	u8 maxphyaddr;
	bool redirects;		/* unknown leaves read as the highest basic one: CPUs not of AMD's kind */
	u32 n;
	struct cpuid_row rows[];
};

static __always_inline unsigned int cpuid_bucket(u32 function)
{
	return (function >> 31) << 6 | (function & 63);
}

/* The first match in the order in which user space gave them, as KVM. */
static __always_inline struct cpuid_row *cpuid_find(struct lodge_cpuid *cpuid, u32 function, u32 index)
{
	unsigned int next = cpuid->buckets[cpuid_bucket(function)];

	while (next) {
		struct cpuid_row *leaf = &cpuid->rows[next - 1];

		if (leaf->function == function &&
		    (leaf->index == index || !(leaf->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX)))
			return leaf;
		next = leaf->next;
	}
	return NULL;
}

static u32 cpuid_bit(u32 word, u32 bit, bool set)
{
	return set ? word | bit : word & ~bit;
}

/* @leaf is a copy. */
static noinline void cpuid_row_refresh(const struct lodge_vcpu *vcpu, struct cpuid_row *leaf)
{
	switch (leaf->dynamic) {
	case CPUID_FEATURES:
		leaf->ecx = cpuid_bit(leaf->ecx, F(OSXSAVE), vcpu->cr4 & X86_CR4_OSXSAVE);
		leaf->edx = cpuid_bit(leaf->edx, F(APIC), vcpu->apic_base & MSR_IA32_APICBASE_ENABLE);
		if (READ_ONCE(vcpu->vm->disabled_quirks) & KVM_X86_QUIRK_MISC_ENABLE_NO_MWAIT)
			leaf->ecx = cpuid_bit(leaf->ecx, F(MWAIT),
					      vcpu->misc_enable & MSR_IA32_MISC_ENABLE_MWAIT);
		break;
	case CPUID_FEATURES7:
		if (lodge_fpu_features & XFEATURE_MASK_PKRU)
			leaf->ecx = cpuid_bit(leaf->ecx, F(OSPKE), vcpu->cr4 & X86_CR4_PKE);
		break;
	case CPUID_XSAVE:
		leaf->ebx = lodge_fpu_image_size(lodge_fpu_xcr0(vcpu), false);
		break;
	case CPUID_XSAVE_COMPACT:
		if (leaf->eax & (F(XSAVES) | F(XSAVEC)))
			leaf->ebx = lodge_fpu_image_size(lodge_fpu_xcr0(vcpu) | vcpu->xss, true);
		break;
	}
}

/*
 * A leaf beyond the maximum of its class reads as the highest basic leaf, but for guests that think they
 * run on a CPU by AMD: APM 3, CPUID; SDM 2A, CPUID.
 */
static struct cpuid_row *cpuid_find_redirected(struct lodge_cpuid *cpuid, u32 function, u32 index)
{
	struct cpuid_row *class, *basic;
	u32 first;

	if (!cpuid->redirects)
		return NULL;
	if (function >= 0x40000000 && function <= 0x4fffffff)
		first = function & 0xffffff00;
	else if (function >= 0xc0000000)
		first = 0xc0000000;
	else
		first = function & CPUID_EXTENDED;
	class = cpuid_find(cpuid, first, 0);
	if (class && function <= class->eax)
		return NULL;
	basic = cpuid_find(cpuid, 0, 0);
	return basic ? cpuid_find(cpuid, basic->eax, index) : NULL;
}

/* The rare answers: leaves that change, leaves that are not there. */
static noinline void cpuid_answer_slow(struct lodge_vcpu *vcpu, u32 function, u32 index, struct cpuid_row *found)
{
	struct lodge_cpuid *cpuid = vcpu->cpuid;
	struct cpuid_row answer = {};

	if (!found && cpuid)
		found = cpuid_find_redirected(cpuid, function, index);
	if (found) {
		answer = *found;
		cpuid_row_refresh(vcpu, &answer);
	} else if (cpuid && (function == 0xb || function == 0x1f)) {
		/* Every subleaf tells its own number and the x2APIC ID. SDM 2A, CPUID. */
		found = cpuid_find(cpuid, function, 1);
		if (found) {
			answer.ecx = index & 0xff;
			answer.edx = found->edx;
		}
	}
	vcpu->gprs[LODGE_RAX] = answer.eax;
	vcpu->gprs[LODGE_RBX] = answer.ebx;
	vcpu->gprs[LODGE_RCX] = answer.ecx;
	vcpu->gprs[LODGE_RDX] = answer.edx;
}

void lodge_cpuid_answer(struct lodge_vcpu *vcpu)
{
	u32 function = vcpu->gprs[LODGE_RAX];
	u32 index = vcpu->gprs[LODGE_RCX];
	struct cpuid_row *leaf = NULL;

	if (likely(vcpu->cpuid))
		leaf = cpuid_find(vcpu->cpuid, function, index);
	if (unlikely(!leaf || leaf->dynamic)) {
		cpuid_answer_slow(vcpu, function, index, leaf);
		return;
	}
	vcpu->gprs[LODGE_RAX] = leaf->eax;
	vcpu->gprs[LODGE_RBX] = leaf->ebx;
	vcpu->gprs[LODGE_RCX] = leaf->ecx;
	vcpu->gprs[LODGE_RDX] = leaf->edx;
}

static u8 cpuid_row_dynamic(u32 function, u32 index)
{
	switch (function) {
	case 1:
		return CPUID_FEATURES;
	case 7:
		return index ? CPUID_STATIC : CPUID_FEATURES7;
	case 0xd:
		if (index < 2)
			return index ? CPUID_XSAVE_COMPACT : CPUID_XSAVE;
		return CPUID_STATIC;
	default:
		return CPUID_STATIC;
	}
}

static struct lodge_cpuid *cpuid_build(const struct kvm_cpuid_entry2 *entries, u32 n)
{
	struct lodge_cpuid *cpuid = kvzalloc(struct_size(cpuid, rows, n), GFP_KERNEL_ACCOUNT);
	u32 i;

	if (!cpuid)
		return NULL;
	cpuid->n = n;
	/* From the last to the first: a bucket's chain begins with its first. */
	for (i = n; i-- > 0;) {
		const struct kvm_cpuid_entry2 *entry = &entries[i];
		struct cpuid_row *leaf = &cpuid->rows[i];
		u16 *bucket = &cpuid->buckets[cpuid_bucket(entry->function)];

		leaf->function = entry->function;
		leaf->index = entry->index;
		leaf->flags = entry->flags;
		leaf->eax = entry->eax;
		leaf->ebx = entry->ebx;
		leaf->ecx = entry->ecx;
		leaf->edx = entry->edx;
		leaf->dynamic = cpuid_row_dynamic(entry->function, entry->index);
		leaf->next = *bucket;
		*bucket = i + 1;
	}
	return cpuid;
}

static u32 cpuid_row_reg(const struct cpuid_row *leaf, u8 reg)
{
	switch (reg) {
	case CPUID_EAX:
		return leaf->eax;
	case CPUID_EBX:
		return leaf->ebx;
	case CPUID_ECX:
		return leaf->ecx;
	default:
		return leaf->edx;
	}
}

static u64 cpuid_cr4_reserved(u32 features, u32 features7_ebx, u32 features7_ecx)
{
	u64 known = CR4_PLAIN;

	if (features & F(XSAVE))
		known |= X86_CR4_OSXSAVE;
	if (features & F(PCID))
		known |= X86_CR4_PCIDE;
	if (features7_ebx & F(SMEP))
		known |= X86_CR4_SMEP;
	if (features7_ebx & F(SMAP))
		known |= X86_CR4_SMAP;
	if (features7_ebx & F(FSGSBASE))
		known |= X86_CR4_FSGSBASE;
	if (features7_ecx & F(PKU))
		known |= X86_CR4_PKE;
	if (features7_ecx & F(LA57))
		known |= X86_CR4_LA57;
	if (features7_ecx & F(UMIP))
		known |= X86_CR4_UMIP;
	return ~known;
}

static u64 cpuid_host_cr4_reserved(void)
{
	return cpuid_cr4_reserved(lodge_cpuid_host_word(CPUID_1_ECX), lodge_cpuid_host_word(CPUID_7_0_EBX),
				  lodge_cpuid_host_word(CPUID_7_ECX));
}

static u64 cpuid_efer_reserved(u32 extended_edx)
{
	u64 known = EFER_SCE;

	if (extended_edx & F(LM))
		known |= EFER_LME | EFER_LMA;
	if (extended_edx & F(NX))
		known |= EFER_NX;
	if (extended_edx & F(FXSR_OPT))
		known |= EFER_FFXSR;
	return ~known;
}

u64 lodge_host_efer_reserved(void)
{
	return cpuid_efer_reserved(lodge_cpuid_host_word(CPUID_8000_0001_EDX));
}

static bool cpuid_is_amd(const struct cpuid_row *basic)
{
	static const char vendors[][13] = { "AuthenticAMD", "AMDisbetter!", "HygonGenuine" };
	const u32 words[3] = { basic->ebx, basic->edx, basic->ecx };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(vendors); i++)
		if (!memcmp(words, vendors[i], sizeof(words)))
			return true;
	return false;
}

static bool cpuid_is_pv_base(const struct cpuid_row *leaf)
{
	return leaf && !memcmp(&leaf->ebx, KVM_SIGNATURE, 4) && !memcmp(&leaf->ecx, KVM_SIGNATURE + 4, 4) &&
	       !memcmp(&leaf->edx, KVM_SIGNATURE + 8, 4);
}

/* A VMM that also speaks for another hypervisor moves the signature up by steps of 0x100: the lowest counts. */
static u32 cpuid_find_pv_features(struct lodge_cpuid *cpuid)
{
	const struct cpuid_row *leaf;
	u32 i, function, base = 0;

	for (i = 0; i < cpuid->n; i++) {
		function = cpuid->rows[i].function;
		if (function - KVM_CPUID_SIGNATURE >= 0x10000 || function & 0xff || (base && function >= base))
			continue;
		if (cpuid_is_pv_base(cpuid_find(cpuid, function, 0)))
			base = function;
	}
	leaf = base ? cpuid_find(cpuid, base | (KVM_CPUID_FEATURES & 0xff), 0) : NULL;
	return leaf ? leaf->eax : 0;
}

static void cpuid_derive(struct lodge_cpuid *cpuid)
{
	const struct cpuid_row *leaf;
	unsigned int i;

	for (i = 0; i < LODGE_NR_CPUID_WORDS; i++) {
		const struct lodge_cpuid_word *word = &lodge_cpuid_words[i];

		leaf = cpuid_find(cpuid, word->function, word->index);
		cpuid->words[word->word] = leaf ? cpuid_row_reg(leaf, word->reg) : 0;
	}

	leaf = cpuid_find(cpuid, 0, 0);
	cpuid->redirects = leaf && !cpuid_is_amd(leaf);
	leaf = cpuid_find(cpuid, 0xd, 0);
	if (leaf)
		cpuid->xcr0_mask = (leaf->eax | (u64)leaf->edx << 32) & lodge_fpu_features;

	cpuid->maxphyaddr = 36;
	leaf = cpuid_find(cpuid, CPUID_EXTENDED, 0);
	if (leaf && leaf->eax >= 0x80000008) {
		leaf = cpuid_find(cpuid, 0x80000008, 0);
		if (leaf)
			cpuid->maxphyaddr = leaf->eax & 0xff;
	}

	/* An empty table is that of a vCPU which was not given one yet: it may use all that the host has. */
	cpuid->cr4_reserved = cpuid_host_cr4_reserved();
	cpuid->efer_reserved = lodge_host_efer_reserved();
	if (cpuid->n) {
		cpuid->cr4_reserved |= cpuid_cr4_reserved(cpuid->words[CPUID_1_ECX], cpuid->words[CPUID_7_0_EBX],
							  cpuid->words[CPUID_7_ECX]);
		cpuid->efer_reserved |= cpuid_efer_reserved(cpuid->words[CPUID_8000_0001_EDX]);
	}
	cpuid->pv_features = cpuid_find_pv_features(cpuid);
}

static bool cpuid_is_valid(struct lodge_cpuid *cpuid)
{
	const struct cpuid_row *leaf = cpuid_find(cpuid, 0x80000008, 0);
	u8 linear = leaf ? leaf->eax >> 8 : 0;

	return linear == 0 || linear == 48 || linear == 57;
}

/* Equal as a guest sees them: user space may hand back what KVM_GET_CPUID2 gave. */
static bool cpuid_is_same(const struct lodge_vcpu *vcpu, const struct lodge_cpuid *new)
{
	const struct lodge_cpuid *old = vcpu->cpuid;
	u32 i;

	if ((old ? old->n : 0) != new->n)
		return false;
	for (i = 0; i < new->n; i++) {
		struct cpuid_row a = old->rows[i], b = new->rows[i];

		cpuid_row_refresh(vcpu, &a);
		cpuid_row_refresh(vcpu, &b);
		if (a.function != b.function || a.index != b.index || a.flags != b.flags ||
		    a.eax != b.eax || a.ebx != b.ebx || a.ecx != b.ecx || a.edx != b.edx)
			return false;
	}
	return true;
}

int lodge_cpuid_set(struct lodge_vcpu *vcpu, const struct kvm_cpuid_entry2 *entries, u32 nent)
{
	struct lodge_cpuid *cpuid;
	int ret = 0;

	if (nent > LODGE_MAX_CPUID_ENTRIES)
		return -E2BIG;
	cpuid = cpuid_build(entries, nent);
	if (!cpuid)
		return -ENOMEM;
	if (vcpu->ran) {
		if (!cpuid_is_same(vcpu, cpuid))
			ret = -EINVAL;
		goto free_cpuid;
	}
	if (!cpuid_is_valid(cpuid)) {
		ret = -EINVAL;
		goto free_cpuid;
	}
	cpuid_derive(cpuid);
	swap(vcpu->cpuid, cpuid);
	vcpu->guest_xcr0_mask = vcpu->cpuid->xcr0_mask;
	lodge_op(cpuid_changed)(vcpu);
free_cpuid:
	kvfree(cpuid);
	return ret;
}

int lodge_cpuid_get(struct lodge_vcpu *vcpu, struct kvm_cpuid_entry2 *entries, u32 max)
{
	const struct lodge_cpuid *cpuid = vcpu->cpuid;
	u32 i;

	if (!cpuid)
		return 0;
	if (max < cpuid->n)
		return -E2BIG;
	for (i = 0; i < cpuid->n; i++) {
		struct cpuid_row leaf = cpuid->rows[i];

		cpuid_row_refresh(vcpu, &leaf);
		entries[i] = (struct kvm_cpuid_entry2) {
			.function = leaf.function,
			.index = leaf.index,
			.flags = leaf.flags,
			.eax = leaf.eax,
			.ebx = leaf.ebx,
			.ecx = leaf.ecx,
			.edx = leaf.edx,
		};
	}
	return cpuid->n;
}

void lodge_cpuid_destroy(struct lodge_vcpu *vcpu)
{
	kvfree(vcpu->cpuid);
	vcpu->cpuid = NULL;
}

bool lodge_guest_has(const struct lodge_vcpu *vcpu, unsigned int x86_feature)
{
	unsigned int word = x86_feature >> 5;

	if (!vcpu->cpuid || WARN_ON_ONCE(word >= NCAPINTS))
		return false;
	return vcpu->cpuid->words[word] & BIT(x86_feature & 31);
}

u8 lodge_guest_maxphyaddr(const struct lodge_vcpu *vcpu)
{
	return vcpu->cpuid ? vcpu->cpuid->maxphyaddr : 36;
}

u64 lodge_guest_cr4_reserved(const struct lodge_vcpu *vcpu)
{
	return vcpu->cpuid ? vcpu->cpuid->cr4_reserved : cpuid_host_cr4_reserved();
}

u64 lodge_guest_efer_reserved(const struct lodge_vcpu *vcpu)
{
	return vcpu->cpuid ? vcpu->cpuid->efer_reserved : lodge_host_efer_reserved();
}

u32 lodge_cpuid_signature(const struct lodge_vcpu *vcpu)
{
	const struct cpuid_row *leaf = vcpu->cpuid ? cpuid_find(vcpu->cpuid, 1, 0) : NULL;

	return leaf ? leaf->eax : CPUID_SIGNATURE_P6;
}

u32 lodge_guest_pv_features(const struct lodge_vcpu *vcpu)
{
	return vcpu->cpuid ? vcpu->cpuid->pv_features : 0;
}

bool lodge_guest_pv_has(const struct lodge_vcpu *vcpu, unsigned int feature)
{
	return !vcpu->pv_enforced || (lodge_guest_pv_features(vcpu) & BIT(feature));
}
