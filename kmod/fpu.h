/* SPDX-License-Identifier: GPL-2.0-only */
/* The guest's x87, SSE and AVX state, XCR0 and PKRU: an XSAVE area per vCPU. */
#ifndef LODGE_FPU_H
#define LODGE_FPU_H

#include "lodge.h"

struct lodge_fpu {
	u32 host_pkru;			/* (v) in the section */
	u8 area[] __aligned(64);	/* (v) as XSAVE leaves it, in standard format */
};

extern u64 lodge_fpu_features;		/* XCR0 bits that a guest may be given */

int lodge_fpu_init(void);		/* module load: sizes, supported features */
void lodge_fpu_exit(void);
int lodge_fpu_create(struct lodge_vcpu *vcpu);
void lodge_fpu_destroy(struct lodge_vcpu *vcpu);
void lodge_fpu_reset(struct lodge_vcpu *vcpu);	/* power-up values */

/* XSETBV by the guest or KVM_SET_XCRS: 0 or -EINVAL (guest: #GP). Takes effect at the next enter. */
int lodge_fpu_set_xcr0(struct lodge_vcpu *vcpu, u64 xcr0);
u64 lodge_fpu_xcr0(const struct lodge_vcpu *vcpu);	/* in force now, in the section too; by who holds the vCPU */

void lodge_fpu_get(struct lodge_vcpu *vcpu, struct kvm_fpu *fpu);
void lodge_fpu_set(struct lodge_vcpu *vcpu, const struct kvm_fpu *fpu);
/* KVM's standard-format image; @size >= 4096. */
void lodge_fpu_get_xsave(struct lodge_vcpu *vcpu, void *image, u32 size);
int lodge_fpu_set_xsave(struct lodge_vcpu *vcpu, const void *image, u32 size);	/* -EINVAL */
u32 lodge_fpu_xsave_size(void);		/* KVM_CAP_XSAVE2 */
/* Bytes that XSAVE (or, compacted, XSAVEC) writes with these features: what CPUID leaf 0xD tells. Any context. */
u32 lodge_fpu_image_size(u64 features, bool compacted);

/* One vector register for the emulator, outside the section: @len 16 or 32 bytes. */
void lodge_fpu_read_vector(struct lodge_vcpu *vcpu, unsigned int reg, void *buf, unsigned int len);
void lodge_fpu_write_vector(struct lodge_vcpu *vcpu, unsigned int reg, const void *buf, unsigned int len);

#endif
