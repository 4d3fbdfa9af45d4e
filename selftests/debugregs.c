// SPDX-License-Identifier: GPL-2.0-only
/*
 * Debug registers: KVM_SET_DEBUGREGS and the guest's own MOV DR share them;
 * a guest's breakpoint raises #DB in the guest; invalid sets are refused.
 */
#include "modes.h"

static void set_then_get(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	struct kvm_debugregs set = {
		.db = { 0x1000, 0x2000, 0x3000, 0x4000 },
		.dr6 = 0xffff0ff1, .dr7 = 0x400,
	}, got;

	REQUIRE_CAP(vm->fd, KVM_CAP_DEBUGREGS);
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_DEBUGREGS, &set), 0);
	CHECK_EQ(xioctl(vcpu->fd, KVM_GET_DEBUGREGS, &got), 0);
	CHECK_MEM(&set, &got, sizeof(set));
	vm_free(vm);
}

static void refusals(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	struct kvm_debugregs good = { .dr6 = 0xffff0ff0, .dr7 = 0x400 }, bad, got;

	REQUIRE_CAP(vm->fd, KVM_CAP_DEBUGREGS);
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_DEBUGREGS, &good), 0);
	bad = good;
	bad.db[0] = 0x1234;
	bad.flags = 1;
	CHECK_ERR(xioctl(vcpu->fd, KVM_SET_DEBUGREGS, &bad), EINVAL);
	bad.flags = 0;
	bad.dr6 |= BIT(32);
	CHECK_ERR(xioctl(vcpu->fd, KVM_SET_DEBUGREGS, &bad), EINVAL);
	bad.dr6 = good.dr6;
	bad.dr7 |= BIT(40);
	CHECK_ERR(xioctl(vcpu->fd, KVM_SET_DEBUGREGS, &bad), EINVAL);
	CHECK_EQ(xioctl(vcpu->fd, KVM_GET_DEBUGREGS, &got), 0);
	CHECK_MEM(&good, &got, sizeof(good));
	vm_free(vm);
}

static u64 guest_watched;
static u64 guest_db_count, guest_db_dr6, guest_db_rip;

static void guest_on_db(struct guest_frame *frame)
{
	guest_db_count++;
	asm volatile("mov %%dr6, %0" : "=r" (guest_db_dr6));
	guest_db_rip = frame->rip;
	asm volatile("mov %0, %%dr6" :: "r" (0xffff0ff0ul));
	frame->rflags &= ~X86_EFLAGS_TF;
}

static void guest_breaks(void)
{
	u64 v;

	guest_handlers[DB_VECTOR] = guest_on_db;
	asm volatile("mov %%dr0, %0" : "=r" (v));
	GUEST_CHECK_EQ(v, 0x1111);
	asm volatile("mov %%dr3, %0" : "=r" (v));
	GUEST_CHECK_EQ(v, 0x4444);

	/* A data breakpoint on a write of eight bytes. */
	asm volatile("mov %0, %%dr0" :: "r" (&guest_watched));
	asm volatile("mov %0, %%dr7" :: "r" (0x402ul | 0x9ul << 16));
	WRITE_ONCE(guest_watched, 5);
	barrier();
	GUEST_CHECK_EQ(READ_ONCE(guest_db_count), 1);
	GUEST_CHECK_EQ(READ_ONCE(guest_db_dr6) & 0xf, 1);
	asm volatile("mov %0, %%dr7" :: "r" (0x400ul));
	WRITE_ONCE(guest_watched, 6);
	GUEST_CHECK_EQ(READ_ONCE(guest_db_count), 1);

	/* A single step: the trap comes after the instruction behind POPF. */
	asm volatile("pushfq\n orq $0x100, (%%rsp)\n popfq\n nop\n"
		     ".globl debugregs_after\n debugregs_after: nop" ::: "memory", "cc");
	GUEST_CHECK_EQ(READ_ONCE(guest_db_count), 2);
	GUEST_CHECK_EQ(READ_ONCE(guest_db_dr6) & BIT(14), BIT(14));
	guest_sync(guest_db_rip);

	asm volatile("mov %0, %%dr1" :: "r" (0x77777ul));
	asm volatile("mov %0, %%dr6" :: "r" (0xffff0ff2ul));
	guest_done();
}

extern const char debugregs_after[];

static void guest_and_host(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	struct kvm_debugregs set = {
		.db = { 0x1111, 0x2222, 0x3333, 0x4444 },
		.dr6 = 0xffff0ff0, .dr7 = 0x400,
	}, got;

	REQUIRE_CAP(vm->fd, KVM_CAP_DEBUGREGS);
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_DEBUGREGS, &set), 0);
	vcpu_entry(vcpu, guest_breaks);
	RUN_SYNC(vcpu, (u64)(uintptr_t)debugregs_after);
	RUN_DONE(vcpu);
	CHECK_EQ(xioctl(vcpu->fd, KVM_GET_DEBUGREGS, &got), 0);
	CHECK_EQ(got.db[1], 0x77777);
	CHECK_EQ(got.db[2], 0x3333);
	CHECK_EQ(got.dr6, 0xffff0ff2);
	CHECK_EQ(got.dr7, 0x400);
	vm_free(vm);
}

/* DR4 and DR5 name DR6 and DR7 until CR4.DE makes them undefined. */
static void guest_aliases(void)
{
	u64 v;

	asm volatile("mov %0, %%dr6" :: "r" (0xffff0ff1ul));
	asm volatile(".byte 0x0f, 0x21, 0xe0" : "=a" (v));	/* mov %dr4, %rax */
	GUEST_CHECK_EQ(v, 0xffff0ff1);
	GUEST_WRITE_CR(4, GUEST_READ_CR(4) | X86_CR4_DE);
	GUEST_TRY(".byte 0x0f, 0x21, 0xe0", "=a" (v), );
	GUEST_CHECK_EQ(guest_exc()->vector, UD_VECTOR);
	/* The upper half of DR7 must be zero. */
	GUEST_TRY("mov %0, %%dr7", , "r" (BIT(35)));
	GUEST_CHECK_EQ(guest_exc()->vector, GP_VECTOR);
	guest_done();
}

static void aliases(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);

	vcpu_entry(vcpu, guest_aliases);
	RUN_DONE(vcpu);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(set_then_get),
	TEST(refusals),
	TEST(guest_and_host),
	TEST(aliases),
};

KTAP_MAIN(tests)
