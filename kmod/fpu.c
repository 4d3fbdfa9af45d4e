// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's extended state: an XSAVE area in standard format per vCPU, XCR0, PKRU and IA32_XSS.
 * lodge_fpu_enter() and lodge_fpu_leave() bracket the section in which the guest's state is live in the
 * CPU: fpu_section.h. The area is
 * the vCPU's own (vcpu->mutex); in the section only the CPU reads and writes it. Vector registers and
 * images for user space are read and written here outside the section.
 */
#include "fpu.h"

#include "fpu_section.h"

#include <linux/slab.h>

#include <asm/cpufeature.h>
#include <asm/fpu/api.h>
#include <asm/fpu/xcr.h>
#include <asm/msr.h>
#include <asm/special_insns.h>

#define FPU_AVX512	(XFEATURE_MASK_OPMASK | XFEATURE_MASK_ZMM_Hi256 | XFEATURE_MASK_Hi16_ZMM)
#define FPU_OFFERED	(XFEATURE_MASK_FPSSE | XFEATURE_MASK_YMM | FPU_AVX512 | XFEATURE_MASK_PKRU)

#define FPU_FCW_INIT	0x37f	/* what FNINIT loads */
#define FPU_MXCSR_INIT	0x1f80
#define FPU_IMAGE_SIZE	4096	/* struct kvm_xsave */

/* The legacy region and the header: APM 4, 11.4; SDM 1, 13.4. */
struct fpu_legacy {
	u16 fcw, fsw;
	u8 ftw, reserved0;
	u16 fop;
	u64 rip, rdp;
	u32 mxcsr, mxcsr_mask;
	u8 st[8][16];
	u8 xmm[16][16];
	u8 reserved1[48];
	u64 features;		/* left to software: as the kernel's own images, the features of the image */
	u8 software[40];
};

struct fpu_header {
	u64 xstate_bv, xcomp_bv;
	u64 reserved[6];
};

struct fpu_area {
	struct fpu_legacy legacy;
	struct fpu_header header;
	u8 extended[];
};

static_assert(sizeof(struct fpu_legacy) == 512);
static_assert(offsetof(struct fpu_legacy, xmm) == 160);
static_assert(offsetof(struct fpu_area, extended) == 576);
static_assert(!((u64)FPU_OFFERED >> 32));	/* no component of EDX's half */

struct fpu_component {
	u32 offset, size;
	bool aligned;		/* to 64 bytes, in compacted images */
};

u64 lodge_fpu_features __ro_after_init;

struct lodge_fpu_host lodge_fpu_host __ro_after_init;
static u64 fpu_host_xss __ro_after_init;
static u32 fpu_mxcsr_mask __ro_after_init;
static u32 fpu_area_size __ro_after_init;
static bool fpu_has_pkru __ro_after_init;
static struct fpu_component fpu_components[XFEATURE_MAX] __ro_after_init;
static struct kmem_cache *fpu_cache;

static __always_inline struct fpu_area *fpu_area(struct lodge_vcpu *vcpu)
{
	return (struct fpu_area *)vcpu->fpu->area;
}

static void *fpu_component_at(struct fpu_area *area, unsigned int feature)
{
	return (u8 *)area + fpu_components[feature].offset;
}

/* Standard format: each component has its fixed offset. SDM 1, 13.4.3. */
static __init void fpu_measure(void)
{
	u32 size, offset, ecx, edx;
	unsigned int i;

	fpu_area_size = sizeof(struct fpu_area);
	for (i = XFEATURE_YMM; i < XFEATURE_MAX; i++) {
		if (!(lodge_fpu_features & BIT_ULL(i)))
			continue;
		cpuid_count(0xd, i, &size, &offset, &ecx, &edx);
		if (!size || offset + size > FPU_IMAGE_SIZE) {
			lodge_fpu_features &= ~BIT_ULL(i);
			continue;
		}
		fpu_components[i].offset = offset;
		fpu_components[i].size = size;
		fpu_components[i].aligned = ecx & BIT(1);
		fpu_area_size = max(fpu_area_size, offset + size);
	}
	if ((lodge_fpu_features & FPU_AVX512) != FPU_AVX512 || !(lodge_fpu_features & XFEATURE_MASK_YMM))
		lodge_fpu_features &= ~FPU_AVX512;
}

static __init int fpu_read_mxcsr_mask(void)
{
	struct fpu_legacy *legacy = kzalloc(sizeof(*legacy), GFP_KERNEL);

	if (!legacy)
		return -ENOMEM;
	kernel_fpu_begin();
	asm volatile("fxsave64 %0" : "+m" (*legacy));
	kernel_fpu_end();
	/* A zero mask stands for the CPUs before DAZ. SDM 1, 11.6.6. */
	fpu_mxcsr_mask = legacy->mxcsr_mask ?: 0xffbf;
	kfree(legacy);
	return 0;
}

int __init lodge_fpu_init(void)
{
	int ret;

	if (!boot_cpu_has(X86_FEATURE_XSAVE)) {
		pr_info("this CPU has no XSAVE (or the host was booted with noxsave): not supported\n");
		return -ENODEV;
	}
	lodge_fpu_host.xcr0 = xgetbv(XCR_XFEATURE_ENABLED_MASK);
	if (boot_cpu_has(X86_FEATURE_XSAVES))
		rdmsrq(MSR_IA32_XSS, fpu_host_xss);
	lodge_fpu_features = lodge_fpu_host.xcr0 & FPU_OFFERED;
	if (!boot_cpu_has(X86_FEATURE_OSPKE))
		lodge_fpu_features &= ~XFEATURE_MASK_PKRU;
	fpu_measure();
	fpu_has_pkru = lodge_fpu_features & XFEATURE_MASK_PKRU;
	lodge_fpu_host.has_rest = fpu_has_pkru || fpu_host_xss;
	lodge_fpu_host.mask = lodge_fpu_features & ~XFEATURE_MASK_PKRU;

	ret = fpu_read_mxcsr_mask();
	if (ret)
		return ret;
	lodge_fpu_host.areas = __alloc_percpu(fpu_area_size, __alignof__(struct lodge_fpu));
	if (!lodge_fpu_host.areas)
		return -ENOMEM;
	fpu_cache = kmem_cache_create("lodge_fpu", offsetof(struct lodge_fpu, area) + fpu_area_size,
				      __alignof__(struct lodge_fpu), SLAB_ACCOUNT, NULL);
	if (!fpu_cache)
		free_percpu(lodge_fpu_host.areas);
	return fpu_cache ? 0 : -ENOMEM;
}

void lodge_fpu_exit(void)
{
	kmem_cache_destroy(fpu_cache);
	free_percpu(lodge_fpu_host.areas);
}

int lodge_fpu_create(struct lodge_vcpu *vcpu)
{
	vcpu->fpu = kmem_cache_zalloc(fpu_cache, GFP_KERNEL_ACCOUNT);
	if (!vcpu->fpu)
		return -ENOMEM;
	lodge_fpu_reset(vcpu);
	return 0;
}

void lodge_fpu_destroy(struct lodge_vcpu *vcpu)
{
	if (vcpu->fpu)
		kmem_cache_free(fpu_cache, vcpu->fpu);
	vcpu->fpu = NULL;
}

static void fpu_area_init(struct fpu_area *area)
{
	memset(area, 0, fpu_area_size);
	area->legacy.fcw = FPU_FCW_INIT;
	area->legacy.mxcsr = FPU_MXCSR_INIT;
	area->legacy.mxcsr_mask = fpu_mxcsr_mask;
}

void lodge_fpu_reset(struct lodge_vcpu *vcpu)
{
	fpu_area_init(fpu_area(vcpu));
	vcpu->xcr0 = XFEATURE_MASK_FP;
	vcpu->xss = 0;
	vcpu->pkru = 0;
}

/*
 * XSAVEOPT leaves the memory of components in their initial state as it was and clears their bit:
 * write what the bit means, before anybody looks at the bytes.
 */
static void fpu_area_fill(struct fpu_area *area)
{
	u64 absent = lodge_fpu_features & ~area->header.xstate_bv;
	unsigned int i;

	if (absent & XFEATURE_MASK_FP) {
		memset(&area->legacy, 0, offsetof(struct fpu_legacy, mxcsr));
		memset(area->legacy.st, 0, sizeof(area->legacy.st));
		area->legacy.fcw = FPU_FCW_INIT;
	}
	if (absent & XFEATURE_MASK_SSE)
		memset(area->legacy.xmm, 0, sizeof(area->legacy.xmm));
	for (i = XFEATURE_YMM; i < XFEATURE_MAX; i++)
		if (absent & BIT_ULL(i))
			memset(fpu_component_at(area, i), 0, fpu_components[i].size);
}

void lodge_fpu_enter_rest(struct lodge_vcpu *vcpu)
{
	if (fpu_host_xss)
		wrmsrq(MSR_IA32_XSS, 0);
	if (fpu_has_pkru) {
		vcpu->fpu->host_pkru = rdpkru();
		if (vcpu->pkru != vcpu->fpu->host_pkru)
			wrpkru(vcpu->pkru);
	}
}

void lodge_fpu_leave_rest(struct lodge_vcpu *vcpu)
{
	if (fpu_has_pkru) {
		vcpu->pkru = rdpkru();
		if (vcpu->pkru != vcpu->fpu->host_pkru)
			wrpkru(vcpu->fpu->host_pkru);
	}
	if (fpu_host_xss)
		wrmsrq(MSR_IA32_XSS, fpu_host_xss);
}

/* Every way into the area checks what XRSTOR checks. */
void lodge_fpu_repair(struct lodge_vcpu *vcpu)
{
	WARN_ON_ONCE(1);
	fpu_area_init(fpu_area(vcpu));
	fpu_xrstor(fpu_area(vcpu));
}

/* Which sets of features may be enabled together: SDM 1, 13.3; APM 2, 11.5.2. */
static bool fpu_xcr0_is_valid(const struct lodge_vcpu *vcpu, u64 xcr0)
{
	if (!(xcr0 & XFEATURE_MASK_FP))
		return false;
	if (xcr0 & ~(vcpu->guest_xcr0_mask | XFEATURE_MASK_FP))
		return false;
	if ((xcr0 & XFEATURE_MASK_YMM) && !(xcr0 & XFEATURE_MASK_SSE))
		return false;
	if ((xcr0 & FPU_AVX512) &&
	    (xcr0 & (FPU_AVX512 | XFEATURE_MASK_YMM)) != (FPU_AVX512 | XFEATURE_MASK_YMM))
		return false;
	return true;
}

u64 lodge_fpu_xcr0(const struct lodge_vcpu *vcpu)
{
	/* As in lodge_fpu_leave(): vcpu->xcr0 may be older than what the guest has set since it entered. */
	return vcpu->mode == LODGE_IN_GUEST ? xgetbv(XCR_XFEATURE_ENABLED_MASK) : vcpu->xcr0;
}

int lodge_fpu_set_xcr0(struct lodge_vcpu *vcpu, u64 xcr0)
{
	if (!fpu_xcr0_is_valid(vcpu, xcr0))
		return -EINVAL;
	if (vcpu->mode == LODGE_IN_GUEST && xcr0 != lodge_fpu_xcr0(vcpu))
		xsetbv(XCR_XFEATURE_ENABLED_MASK, xcr0);
	vcpu->xcr0 = xcr0;
	return 0;
}

/* KVM leaves MXCSR out of this pair of calls, in both directions. */
void lodge_fpu_get(struct lodge_vcpu *vcpu, struct kvm_fpu *fpu)
{
	struct fpu_area *area = fpu_area(vcpu);
	const struct fpu_legacy *legacy = &area->legacy;

	fpu_area_fill(area);
	memset(fpu, 0, sizeof(*fpu));
	memcpy(fpu->fpr, legacy->st, sizeof(fpu->fpr));
	fpu->fcw = legacy->fcw;
	fpu->fsw = legacy->fsw;
	fpu->ftwx = legacy->ftw;
	fpu->last_opcode = legacy->fop;
	fpu->last_ip = legacy->rip;
	fpu->last_dp = legacy->rdp;
	memcpy(fpu->xmm, legacy->xmm, sizeof(fpu->xmm));
}

void lodge_fpu_set(struct lodge_vcpu *vcpu, const struct kvm_fpu *fpu)
{
	struct fpu_area *area = fpu_area(vcpu);
	struct fpu_legacy *legacy = &area->legacy;

	memcpy(legacy->st, fpu->fpr, sizeof(fpu->fpr));
	legacy->fcw = fpu->fcw;
	legacy->fsw = fpu->fsw;
	legacy->ftw = fpu->ftwx;
	legacy->fop = fpu->last_opcode;
	legacy->rip = fpu->last_ip;
	legacy->rdp = fpu->last_dp;
	memcpy(legacy->xmm, fpu->xmm, sizeof(fpu->xmm));
	area->header.xstate_bv |= XFEATURE_MASK_FPSSE;
}

u32 lodge_fpu_xsave_size(void)
{
	return FPU_IMAGE_SIZE;
}

u32 lodge_fpu_image_size(u64 features, bool compacted)
{
	u32 end = sizeof(struct fpu_area);
	unsigned int i;

	for (i = XFEATURE_YMM; i < XFEATURE_MAX; i++) {
		const struct fpu_component *component = &fpu_components[i];

		if (!(features & BIT_ULL(i)))
			continue;
		if (!compacted)
			end = max(end, component->offset + component->size);
		else
			end = (component->aligned ? ALIGN(end, 64) : end) + component->size;
	}
	return end;
}

void lodge_fpu_get_xsave(struct lodge_vcpu *vcpu, void *image, u32 size)
{
	struct fpu_area *out = image;

	fpu_area_fill(fpu_area(vcpu));
	memset(image, 0, size);
	memcpy(image, fpu_area(vcpu), fpu_area_size);
	out->legacy.features = lodge_fpu_features;
	if (lodge_fpu_features & XFEATURE_MASK_PKRU) {
		memcpy(fpu_component_at(out, XFEATURE_PKRU), &vcpu->pkru, sizeof(vcpu->pkru));
		if (vcpu->pkru || (vcpu->guest_xcr0_mask & XFEATURE_MASK_PKRU))
			out->header.xstate_bv |= XFEATURE_MASK_PKRU;
	}
}

static bool fpu_image_is_valid(const struct fpu_area *in)
{
	const struct fpu_header *header = &in->header;

	if ((header->xstate_bv & ~lodge_fpu_features) || header->xcomp_bv ||
	    memchr_inv(header->reserved, 0, sizeof(header->reserved)))
		return false;
	if ((header->xstate_bv & (XFEATURE_MASK_FPSSE | XFEATURE_MASK_YMM)) &&
	    (in->legacy.mxcsr & ~fpu_mxcsr_mask))
		return false;
	return true;
}

int lodge_fpu_set_xsave(struct lodge_vcpu *vcpu, const void *image, u32 size)
{
	struct fpu_area *area = fpu_area(vcpu);
	const struct fpu_area *in = image;
	u64 present = in->header.xstate_bv;
	u32 mxcsr = area->legacy.mxcsr;

	if (size < fpu_area_size || !fpu_image_is_valid(in))
		return -EINVAL;
	/* MXCSR and PKRU keep their values when the image names none of their components. */
	if (present & (XFEATURE_MASK_FPSSE | XFEATURE_MASK_YMM))
		mxcsr = in->legacy.mxcsr;
	if (present & XFEATURE_MASK_PKRU)
		memcpy(&vcpu->pkru, (u8 *)in + fpu_components[XFEATURE_PKRU].offset, sizeof(vcpu->pkru));

	memcpy(area, in, fpu_area_size);
	area->legacy.mxcsr = mxcsr;
	area->legacy.mxcsr_mask = fpu_mxcsr_mask;
	area->header.xstate_bv = present & lodge_fpu_host.mask;
	return 0;
}

void lodge_fpu_read_vector(struct lodge_vcpu *vcpu, unsigned int reg, void *buf, unsigned int len)
{
	struct fpu_area *area = fpu_area(vcpu);

	fpu_area_fill(area);
	memcpy(buf, area->legacy.xmm[reg], 16);
	if (len > 16)
		memcpy(buf + 16, fpu_component_at(area, XFEATURE_YMM) + 16 * reg, 16);
}

void lodge_fpu_write_vector(struct lodge_vcpu *vcpu, unsigned int reg, const void *buf, unsigned int len)
{
	struct fpu_area *area = fpu_area(vcpu);

	fpu_area_fill(area);
	memcpy(area->legacy.xmm[reg], buf, 16);
	area->header.xstate_bv |= XFEATURE_MASK_SSE;
	if (len > 16) {
		memcpy(fpu_component_at(area, XFEATURE_YMM) + 16 * reg, buf + 16, 16);
		area->header.xstate_bv |= XFEATURE_MASK_YMM;
	}
}
