// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_CAP_EXCEPTION_PAYLOAD: once enabled, an exception that is raised but not delivered is told as pending, with
 * what it brings beside its error code; given back, the payload is in CR2 or DR6 when the guest takes it, and
 * not before. Without it a pending one cannot be given.
 */
#include "modes.h"

#define DR6_CLEAR	0xffff0ff0ul
#define DR6_BS		BIT(14)
#define DR7_GD		BIT(13)
#define DR7_CLEAR	BIT(10)

static struct vm *vm_with_payload(struct vcpu **vcpu)
{
	struct vm *vm = vm_create();

	REQUIRE_CAP(vm->fd, KVM_CAP_EXCEPTION_PAYLOAD);
	CHECK_EQ(cap_enable(vm->fd, KVM_CAP_EXCEPTION_PAYLOAD, 1), 0);
	*vcpu = vcpu_add(vm, 0);
	return vm;
}

static struct kvm_vcpu_events events_get(struct vcpu *vcpu)
{
	struct kvm_vcpu_events ev;

	memset(&ev, 0xaa, sizeof(ev));
	CHECK_EQ(xioctl(vcpu->fd, KVM_GET_VCPU_EVENTS, &ev), 0);
	return ev;
}

static void events_set(struct vcpu *vcpu, const struct kvm_vcpu_events *ev)
{
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_VCPU_EVENTS, ev), 0);
}

static void exception_pend(struct vcpu *vcpu, u8 vector, bool has_payload, u64 payload)
{
	struct kvm_vcpu_events ev = events_get(vcpu);

	ev.exception.pending = 1;
	ev.exception.nr = vector;
	ev.exception.has_error_code = vector == PF_VECTOR;
	ev.exception.error_code = vector == PF_VECTOR ? PFERR_W : 0;
	ev.exception_has_payload = has_payload;
	ev.exception_payload = payload;
	ev.flags |= KVM_VCPUEVENT_VALID_PAYLOAD;
	events_set(vcpu, &ev);
}

static void not_enabled(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	struct kvm_vcpu_events ev = events_get(vcpu);

	REQUIRE_CAP(vm->fd, KVM_CAP_EXCEPTION_PAYLOAD);
	CHECK_EQ(ev.flags & KVM_VCPUEVENT_VALID_PAYLOAD, 0);
	ev.flags |= KVM_VCPUEVENT_VALID_PAYLOAD;
	CHECK_ERR(xioctl(vcpu->fd, KVM_SET_VCPU_EVENTS, &ev), EINVAL);
	/* Without the flag the field does not count. */
	ev.flags &= ~KVM_VCPUEVENT_VALID_PAYLOAD;
	ev.exception.pending = 1;
	ev.exception.nr = GP_VECTOR;
	events_set(vcpu, &ev);
	ev = events_get(vcpu);
	CHECK_EQ(ev.exception.pending, 0);
	CHECK_EQ(ev.exception.injected, 0);
	vm_free(vm);
}

static void read_back(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_with_payload(&vcpu);
	struct kvm_vcpu_events ev = events_get(vcpu);

	CHECK_NE(ev.flags & KVM_VCPUEVENT_VALID_PAYLOAD, 0);
	CHECK_EQ(ev.exception.pending, 0);
	exception_pend(vcpu, PF_VECTOR, true, 0x123456789000);
	ev = events_get(vcpu);
	CHECK_EQ(ev.exception.pending, 1);
	CHECK_EQ(ev.exception.injected, 0);
	CHECK_EQ(ev.exception.nr, PF_VECTOR);
	CHECK_EQ(ev.exception.has_error_code, 1);
	CHECK_EQ(ev.exception.error_code, PFERR_W);
	CHECK_EQ(ev.exception_has_payload, 1);
	CHECK_EQ(ev.exception_payload, 0x123456789000);
	CHECK_EQ(sregs_get(vcpu).cr2, 0);	/* not delivered: not there yet */
	/* An injected one beside a pending one does not count. */
	ev.exception.injected = 1;
	events_set(vcpu, &ev);
	ev = events_get(vcpu);
	CHECK_EQ(ev.exception.pending, 1);
	CHECK_EQ(ev.exception.injected, 0);
	vm_free(vm);
}

static void refusals(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_with_payload(&vcpu);
	struct kvm_vcpu_events good = events_get(vcpu), bad = good;

	bad.exception.pending = 1;
	bad.exception.nr = 32;
	CHECK_ERR(xioctl(vcpu->fd, KVM_SET_VCPU_EVENTS, &bad), EINVAL);
	bad.exception.nr = NMI_VECTOR;
	CHECK_ERR(xioctl(vcpu->fd, KVM_SET_VCPU_EVENTS, &bad), EINVAL);
	bad = events_get(vcpu);
	CHECK_MEM(&good, &bad, sizeof(good));
	vm_free(vm);
}

static u64 guest_seen;

static void guest_on_pf(struct guest_frame *frame)
{
	guest_seen = GUEST_READ_CR(2);
	guest_sync(frame->error);
}

static void guest_on_db(struct guest_frame *frame)
{
	asm volatile("mov %%dr6, %0" : "=r" (guest_seen));
	guest_sync(frame->vector);
}

static void guest_waits(void)
{
	guest_done();
}

static void page_fault_fills_cr2(void)
{
	struct vcpu *vcpu;
	struct vm *vm;

	guest_handlers[PF_VECTOR] = guest_on_pf;
	vm = vm_with_payload(&vcpu);
	vcpu_entry(vcpu, guest_waits);
	exception_pend(vcpu, PF_VECTOR, true, 0x5678);
	RUN_SYNC(vcpu, PFERR_W);
	CHECK_EQ(GVAR(vm, guest_seen), 0x5678);
	CHECK_EQ(events_get(vcpu).exception.pending, 0);
	RUN_DONE(vcpu);
	vm_free(vm);
}

static void no_payload_leaves_cr2(void)
{
	struct kvm_sregs sregs;
	struct vcpu *vcpu;
	struct vm *vm;

	guest_handlers[PF_VECTOR] = guest_on_pf;
	vm = vm_with_payload(&vcpu);
	vcpu_entry(vcpu, guest_waits);
	sregs = sregs_get(vcpu);
	sregs.cr2 = 0x9abc;
	sregs_set(vcpu, &sregs);
	exception_pend(vcpu, PF_VECTOR, false, 0x5678);
	RUN_SYNC(vcpu, PFERR_W);
	CHECK_EQ(GVAR(vm, guest_seen), 0x9abc);
	vm_free(vm);
}

static void debug_fills_dr6(void)
{
	struct kvm_debugregs dregs = { .dr6 = DR6_CLEAR | 2, .dr7 = DR7_CLEAR | DR7_GD };
	struct vcpu *vcpu;
	struct vm *vm;

	guest_handlers[DB_VECTOR] = guest_on_db;
	vm = vm_with_payload(&vcpu);
	vcpu_entry(vcpu, guest_waits);
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_DEBUGREGS, &dregs), 0);
	exception_pend(vcpu, DB_VECTOR, true, DR6_BS | 1);
	RUN_SYNC(vcpu, DB_VECTOR);
	CHECK_EQ(GVAR(vm, guest_seen), DR6_CLEAR | DR6_BS | 1);
	/* The handler may touch the registers that were guarded. */
	CHECK_EQ(xioctl(vcpu->fd, KVM_GET_DEBUGREGS, &dregs), 0);
	CHECK_EQ(dregs.dr7, DR7_CLEAR);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(not_enabled),
	TEST(read_back),
	TEST(refusals),
	TEST(page_fault_fills_cr2),
	TEST(no_payload_leaves_cr2),
	TEST(debug_fills_dr6),
};

KTAP_MAIN(tests)
