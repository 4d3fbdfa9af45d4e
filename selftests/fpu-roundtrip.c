// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_SET_FPU, KVM_SET_XSAVE and KVM_SET_XCRS and their GETs: what is set is
 * read back, through either interface, and is what the guest has. Refusals
 * leave the state alone.
 */
#include <stdlib.h>

#include "modes.h"

/* Places in the XSAVE image: APM 4, figure 11-x; SDM 1, 10.5.1. */
#define XS_MXCSR	24
#define XS_ST0		32
#define XS_XMM0		160
#define XS_XSTATE_BV	512
#define XS_XCOMP_BV	520
#define XFEATURE_FP	BIT(0)
#define XFEATURE_SSE	BIT(1)
#define XFEATURE_YMM	BIT(2)

static struct kvm_fpu fpu_pattern(void)
{
	struct kvm_fpu fpu = { .fcw = 0x37f, .mxcsr = 0x1f80 };
	unsigned int i, j;

	for (i = 0; i < 16; i++)
		for (j = 0; j < 16; j++)
			fpu.xmm[i][j] = (u8)(i * 16 + j + 1);
	for (i = 0; i < 8; i++)
		for (j = 0; j < 10; j++)
			fpu.fpr[i][j] = (u8)(0x80 + i * 10 + j);
	fpu.ftwx = 0xff;
	fpu.fsw = 0x3800;
	fpu.last_opcode = 0x123;
	fpu.last_ip = 0x1122334455;
	fpu.last_dp = 0x5544332211;
	return fpu;
}

static void fpu_set_then_get(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	struct kvm_fpu set = fpu_pattern(), got;

	memset(&got, 0, sizeof(got));
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_FPU, &set), 0);
	CHECK_EQ(xioctl(vcpu->fd, KVM_GET_FPU, &got), 0);
	CHECK_MEM(set.xmm, got.xmm, sizeof(set.xmm));
	CHECK_MEM(set.fpr, got.fpr, sizeof(set.fpr));
	CHECK_EQ(got.fcw, set.fcw);
	CHECK_EQ(got.fsw, set.fsw);
	CHECK_EQ(got.ftwx, set.ftwx);
	CHECK_EQ(got.last_opcode, set.last_opcode);
	CHECK_EQ(got.last_ip, set.last_ip);
	CHECK_EQ(got.last_dp, set.last_dp);
	vm_free(vm);
}

static u8 guest_xmm[16 * 16] __attribute__((aligned(16)));
static u32 guest_mxcsr;
static u16 guest_fcw;

/*
 * The first stop comes with every component in use: KVM_SET_FPU gives values,
 * and on KVM a component in its initial state stays there.
 */
static void guest_stores(void)
{
	asm volatile("fld1\n pcmpeqd %%xmm0, %%xmm0" :::);
	guest_sync(0);
	asm volatile("movdqa %%xmm0, 0(%0)\n movdqa %%xmm1, 16(%0)\n"
		     "movdqa %%xmm7, 112(%0)\n movdqa %%xmm8, 128(%0)\n"
		     "movdqa %%xmm15, 240(%0)\n"
		     :: "r" (guest_xmm) : "memory");
	asm volatile("stmxcsr %0" : "=m" (guest_mxcsr));
	asm volatile("fnstcw %0" : "=m" (guest_fcw));
	guest_sync(1);
	asm volatile("movdqa 16(%0), %%xmm0\n movdqa 240(%0), %%xmm9\n"
		     :: "r" (guest_xmm) : "memory");
	guest_sync(2);
	guest_done();
}

static void check_stored(struct vm *vm, u8 xmm[16][16])
{
	const u8 *seen = vm_hva(vm, (u64)(uintptr_t)guest_xmm);
	unsigned int i;

	for (i = 0; i < 16; i++)
		if (i < 2 || i == 7 || i == 8 || i == 15)
			CHECK_MEM(seen + 16 * i, xmm[i], 16);
}

static void fpu_and_guest(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	struct kvm_fpu set = fpu_pattern(), got;

	vcpu_entry(vcpu, guest_stores);
	RUN_SYNC(vcpu, 0);
	set.fcw = 0x27f;
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_FPU, &set), 0);
	RUN_SYNC(vcpu, 1);
	check_stored(vm, set.xmm);
	CHECK_EQ(GVAR(vm, guest_fcw), 0x27f);
	RUN_SYNC(vcpu, 2);
	CHECK_EQ(xioctl(vcpu->fd, KVM_GET_FPU, &got), 0);
	CHECK_MEM(got.xmm[0], set.xmm[1], 16);
	CHECK_MEM(got.xmm[9], set.xmm[15], 16);
	CHECK_MEM(got.xmm[3], set.xmm[3], 16);
	vm_free(vm);
}

static u8 *xsave_get(struct vcpu *vcpu)
{
	struct kvm_xsave *x = calloc(1, sizeof(*x));

	memset(x, 0xee, sizeof(*x));
	CHECK_EQ(xioctl(vcpu->fd, KVM_GET_XSAVE, x), 0);
	return (u8 *)x;
}

static void xsave_set_then_get(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	struct kvm_fpu fpu;
	u8 *x, *y;
	u64 bv;

	REQUIRE_CAP(vm->fd, KVM_CAP_XSAVE);
	x = xsave_get(vcpu);
	memcpy(&bv, x + XS_XSTATE_BV, 8);
	bv |= XFEATURE_FP | XFEATURE_SSE;
	memcpy(x + XS_XSTATE_BV, &bv, 8);
	memset(x + XS_XMM0, 0x77, 256);
	memset(x + XS_ST0, 0x55, 10);
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_XSAVE, x), 0);
	y = xsave_get(vcpu);
	CHECK_MEM(x + XS_XMM0, y + XS_XMM0, 256);
	CHECK_MEM(x + XS_ST0, y + XS_ST0, 10);
	CHECK_MEM(x + XS_MXCSR, y + XS_MXCSR, 4);
	/* The other interface sees the same registers. */
	CHECK_EQ(xioctl(vcpu->fd, KVM_GET_FPU, &fpu), 0);
	CHECK_MEM(fpu.xmm, x + XS_XMM0, 256);
	CHECK_MEM(fpu.fpr[0], x + XS_ST0, 10);
	free(x);
	free(y);
	vm_free(vm);
}

/* The image without a fixed size begins as the other does, and is set by the same command. */
static void xsave2_agrees(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	int size = REQUIRE_CAP(vm->fd, KVM_CAP_XSAVE2);
	u8 *x, *y = calloc(1, size);
	u64 bv;

	CHECK_GE(size, (int)sizeof(struct kvm_xsave));
	CHECK_EQ(xioctl(vcpu->fd, KVM_GET_XSAVE2, y), 0);
	memcpy(&bv, y + XS_XSTATE_BV, 8);
	bv |= XFEATURE_FP | XFEATURE_SSE;
	memcpy(y + XS_XSTATE_BV, &bv, 8);
	memset(y + XS_XMM0, 0x66, 256);
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_XSAVE, y), 0);
	x = xsave_get(vcpu);
	CHECK_MEM(x + XS_XMM0, y + XS_XMM0, 256);
	CHECK_EQ(xioctl(vcpu->fd, KVM_GET_XSAVE2, y), 0);
	CHECK_MEM(y, x, sizeof(struct kvm_xsave));
	free(x);
	free(y);
	vm_free(vm);
}

static void xsave_and_guest(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	struct kvm_fpu pattern = fpu_pattern();
	u64 bv = XFEATURE_FP | XFEATURE_SSE;
	u32 mxcsr = 0x1fc0;	/* denormals are zero: to see it arrive */
	u8 *x;

	REQUIRE_CAP(vm->fd, KVM_CAP_XSAVE);
	vcpu_entry(vcpu, guest_stores);
	RUN_SYNC(vcpu, 0);
	x = xsave_get(vcpu);
	memcpy(x + XS_XSTATE_BV, &bv, 8);
	memcpy(x + XS_MXCSR, &mxcsr, 4);
	memcpy(x + XS_XMM0, pattern.xmm, sizeof(pattern.xmm));
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_XSAVE, x), 0);
	RUN_SYNC(vcpu, 1);
	check_stored(vm, pattern.xmm);
	CHECK_EQ(GVAR(vm, guest_mxcsr), mxcsr);
	RUN_SYNC(vcpu, 2);
	free(x);
	x = xsave_get(vcpu);
	CHECK_MEM(x + XS_XMM0, pattern.xmm[1], 16);
	CHECK_MEM(x + XS_XMM0 + 9 * 16, pattern.xmm[15], 16);
	CHECK_MEM(x + XS_MXCSR, &mxcsr, 4);
	free(x);
	vm_free(vm);
}

/* An all-zero header means the initial state of every component. */
static void xsave_zero_header(void)
{
	static const u8 zero[256];
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	struct kvm_fpu fpu = fpu_pattern();
	struct kvm_xsave x;
	u8 *got;

	REQUIRE_CAP(vm->fd, KVM_CAP_XSAVE);
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_FPU, &fpu), 0);
	memset(&x, 0, sizeof(x));
	((u32 *)&x)[XS_MXCSR / 4] = 0x1f80;
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_XSAVE, &x), 0);
	got = xsave_get(vcpu);
	CHECK_MEM(got + XS_XMM0, zero, 256);
	CHECK_MEM(got + XS_ST0, zero, 128);
	CHECK_EQ(*(u16 *)got, 0x37f);
	free(got);
	vm_free(vm);
}

static void xsave_refusals(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	struct kvm_fpu before = fpu_pattern(), after;
	u8 *x;
	u64 v;

	REQUIRE_CAP(vm->fd, KVM_CAP_XSAVE);
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_FPU, &before), 0);
	CHECK_EQ(xioctl(vcpu->fd, KVM_GET_FPU, &before), 0);
	x = xsave_get(vcpu);
	memset(x + XS_XMM0, 0x77, 256);
	v = BIT(62) | XFEATURE_SSE;
	memcpy(x + XS_XSTATE_BV, &v, 8);
	CHECK_ERR(xioctl(vcpu->fd, KVM_SET_XSAVE, x), EINVAL);
	v = XFEATURE_SSE;
	memcpy(x + XS_XSTATE_BV, &v, 8);
	v = 0xffffffff;
	memcpy(x + XS_MXCSR, &v, 4);
	CHECK_ERR(xioctl(vcpu->fd, KVM_SET_XSAVE, x), EINVAL);
	CHECK_EQ(xioctl(vcpu->fd, KVM_GET_FPU, &after), 0);
	CHECK_MEM(&before, &after, sizeof(before));
	free(x);
	vm_free(vm);
}

static void xcrs_set_then_get(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	struct kvm_xcrs x = { 0 }, got;

	REQUIRE_CAP(vm->fd, KVM_CAP_XCRS);
	CHECK_EQ(xioctl(vcpu->fd, KVM_GET_XCRS, &got), 0);
	CHECK_EQ(got.nr_xcrs, 1);
	CHECK_EQ(got.xcrs[0].xcr, 0);
	CHECK_EQ(got.xcrs[0].value, XFEATURE_FP);
	x.nr_xcrs = 1;
	x.xcrs[0].value = XFEATURE_FP | XFEATURE_SSE;
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_XCRS, &x), 0);
	CHECK_EQ(xioctl(vcpu->fd, KVM_GET_XCRS, &got), 0);
	CHECK_EQ(got.xcrs[0].value, XFEATURE_FP | XFEATURE_SSE);
	vm_free(vm);
}

static void xcrs_refusals(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	struct kvm_xcrs x = { .nr_xcrs = 1 }, got;

	REQUIRE_CAP(vm->fd, KVM_CAP_XCRS);
	x.xcrs[0].value = 0;
	CHECK_ERR(xioctl(vcpu->fd, KVM_SET_XCRS, &x), EINVAL);
	x.xcrs[0].value = XFEATURE_FP | XFEATURE_YMM;
	CHECK_ERR(xioctl(vcpu->fd, KVM_SET_XCRS, &x), EINVAL);
	x.xcrs[0].value = XFEATURE_FP | BIT(61);
	CHECK_ERR(xioctl(vcpu->fd, KVM_SET_XCRS, &x), EINVAL);
	x.xcrs[0].value = XFEATURE_FP | XFEATURE_SSE;
	x.flags = 1;
	CHECK_ERR(xioctl(vcpu->fd, KVM_SET_XCRS, &x), EINVAL);
	x.flags = 0;
	x.nr_xcrs = KVM_MAX_XCRS + 1;
	CHECK_ERR(xioctl(vcpu->fd, KVM_SET_XCRS, &x), EINVAL);
	CHECK_EQ(xioctl(vcpu->fd, KVM_GET_XCRS, &got), 0);
	CHECK_EQ(got.xcrs[0].value, XFEATURE_FP);
	vm_free(vm);
}

static void guest_xsetbv(void)
{
	u32 lo, hi;

	GUEST_TRY("xgetbv", "=a" (lo) COMMA "=d" (hi), "c" (0));
	GUEST_CHECK_EQ(guest_exc()->vector, UD_VECTOR);	/* OSXSAVE is off */
	GUEST_WRITE_CR(4, GUEST_READ_CR(4) | X86_CR4_OSXSAVE);
	asm volatile("xgetbv" : "=a" (lo), "=d" (hi) : "c" (0));
	GUEST_CHECK_EQ(lo, XFEATURE_FP | XFEATURE_SSE);
	/* FP may not be cleared, YMM needs SSE, XCR1 is not writable. */
	GUEST_TRY("xsetbv", , "a" (XFEATURE_SSE) COMMA "d" (0) COMMA "c" (0));
	GUEST_CHECK_EQ(guest_exc()->vector, GP_VECTOR);
	GUEST_TRY("xsetbv", , "a" (5) COMMA "d" (0) COMMA "c" (0));
	GUEST_CHECK_EQ(guest_exc()->vector, GP_VECTOR);
	GUEST_TRY("xsetbv", , "a" (3) COMMA "d" (0) COMMA "c" (1));
	GUEST_CHECK_EQ(guest_exc()->vector, GP_VECTOR);
	GUEST_TRY("xsetbv", , "a" (1) COMMA "d" (0) COMMA "c" (0));
	GUEST_CHECK_EQ(guest_exc()->vector, NO_EXCEPTION);
	asm volatile("xgetbv" : "=a" (lo), "=d" (hi) : "c" (0));
	GUEST_CHECK_EQ(lo, XFEATURE_FP);
	guest_done();
}

static void xcr0_and_guest(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	struct kvm_xcrs x = { .nr_xcrs = 1 };

	REQUIRE_CAP(vm->fd, KVM_CAP_XCRS);
	x.xcrs[0].value = XFEATURE_FP | XFEATURE_SSE;
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_XCRS, &x), 0);
	vcpu_entry(vcpu, guest_xsetbv);
	RUN_DONE(vcpu);
	vm_free(vm);
}

static void guest_xsetbv_once(void)
{
	GUEST_WRITE_CR(4, GUEST_READ_CR(4) | X86_CR4_OSXSAVE);
	asm volatile("xsetbv" :: "a" (3), "d" (0), "c" (0));
	guest_done();
}

static void host_sees_xsetbv(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	struct kvm_xcrs got;

	REQUIRE_CAP(vm->fd, KVM_CAP_XCRS);
	if (host_is_tcg())
		ktap_skip("QEMU's emulation does not intercept XSETBV");
	vcpu_entry(vcpu, guest_xsetbv_once);
	RUN_DONE(vcpu);
	CHECK_EQ(xioctl(vcpu->fd, KVM_GET_XCRS, &got), 0);
	CHECK_EQ(got.xcrs[0].value, XFEATURE_FP | XFEATURE_SSE);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(fpu_set_then_get),
	TEST(fpu_and_guest),
	TEST(xsave_set_then_get),
	TEST(xsave2_agrees),
	TEST(xsave_and_guest),
	TEST(xsave_zero_header),
	TEST(xsave_refusals),
	TEST(xcrs_set_then_get),
	TEST(xcrs_refusals),
	TEST(xcr0_and_guest),
	TEST(host_sees_xsetbv),
};

KTAP_MAIN(tests)
