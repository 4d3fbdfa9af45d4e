/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The pair around each section: the guest's extended state goes into the CPU, and comes back. Interrupts are off
 * between them, so nothing of the host can want the FPU meanwhile, and the host's registers are back, bit for bit,
 * before anything can: whose they are need not be known. Inline, for run.c alone; the rest is fpu.c's.
 */
#ifndef LODGE_FPU_SECTION_H
#define LODGE_FPU_SECTION_H

#include <linux/lockdep.h>
#include <linux/percpu.h>
#include <asm/asm.h>
#include <asm/cpufeature.h>
#include <asm/fpu/xcr.h>

#include "fpu.h"

/**
 * struct lodge_fpu_host - what is the same for all sections of this host
 * @mask: the components that XSAVE and XRSTOR move: all but PKRU
 * @has_rest: protection keys, or a host's IA32_XSS
 * @xcr0: the host's
 * @areas: where each CPU keeps what it held when the section began
 */
struct lodge_fpu_host {
	u32 mask;
	bool has_rest;
	u64 xcr0;
	u8 __percpu *areas;
};
extern struct lodge_fpu_host lodge_fpu_host;

/* fpu.c: what few CPUs have besides the registers, and an area that XRSTOR does not take. */
void lodge_fpu_enter_rest(struct lodge_vcpu *vcpu);
void lodge_fpu_leave_rest(struct lodge_vcpu *vcpu);
void lodge_fpu_repair(struct lodge_vcpu *vcpu);

static __always_inline bool fpu_xrstor(const void *area)
{
	asm goto("1: xrstor64 (%0)\n"
		 _ASM_EXTABLE(1b, %l[fault])
		 : : "r" (area), "a" (lodge_fpu_host.mask), "d" (0) : "memory" : fault);
	return true;
fault:
	return false;
}

static __always_inline void fpu_xsave(void *area)
{
	if (cpu_feature_enabled(X86_FEATURE_XSAVEOPT))
		asm volatile("xsaveopt64 (%0)" : : "r" (area), "a" (lodge_fpu_host.mask), "d" (0) : "memory");
	else
		asm volatile("xsave64 (%0)" : : "r" (area), "a" (lodge_fpu_host.mask), "d" (0) : "memory");
}

/*
 * CPUs without XSAVEERPTR neither save nor restore the last x87 pointers unless an exception is
 * pending: load an operand of ours, so that no other task's addresses reach the guest, nor the guest's the host.
 * APM 4, FXSAVE.
 */
static __always_inline void fpu_clear_pointers(void)
{
	if (static_cpu_has_bug(X86_BUG_FXSAVE_LEAK))
		asm volatile("fnclex\n\temms\n\tfildl %0" : : "m" (lodge_fpu_host.mask));
}

static __always_inline void lodge_fpu_enter(struct lodge_vcpu *vcpu)
{
	lockdep_assert_irqs_disabled();
	fpu_xsave(this_cpu_ptr(lodge_fpu_host.areas));
	fpu_clear_pointers();
	if (unlikely(!fpu_xrstor(vcpu->fpu->area)))
		lodge_fpu_repair(vcpu);
	if (vcpu->xcr0 != lodge_fpu_host.xcr0)
		xsetbv(XCR_XFEATURE_ENABLED_MASK, vcpu->xcr0);
	if (unlikely(lodge_fpu_host.has_rest))
		lodge_fpu_enter_rest(vcpu);
}

static __always_inline void lodge_fpu_leave(struct lodge_vcpu *vcpu)
{
	lockdep_assert_irqs_disabled();
	if (unlikely(lodge_fpu_host.has_rest))
		lodge_fpu_leave_rest(vcpu);
	/* Read, not remembered: some emulated CPUs let a guest's XSETBV through although it is intercepted. */
	vcpu->xcr0 = xgetbv(XCR_XFEATURE_ENABLED_MASK);
	if (vcpu->xcr0 != lodge_fpu_host.xcr0)
		xsetbv(XCR_XFEATURE_ENABLED_MASK, lodge_fpu_host.xcr0);
	fpu_xsave(vcpu->fpu->area);
	fpu_clear_pointers();
	WARN_ON_ONCE(!fpu_xrstor(this_cpu_ptr(lodge_fpu_host.areas)));
}

#endif
