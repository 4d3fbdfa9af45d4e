// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_CAP_X86_TRIPLE_FAULT_EVENT: a triple fault travels in KVM_GET_VCPU_EVENTS and KVM_SET_VCPU_EVENTS; one that is
 * given ends the next KVM_RUN with a shutdown, one that is taken back does not. Refused while not enabled.
 */
#include "modes.h"

static struct kvm_vcpu_events events_get(struct vcpu *vcpu)
{
	struct kvm_vcpu_events ev;

	memset(&ev, 0xaa, sizeof(ev));
	CHECK_EQ(xioctl(vcpu->fd, KVM_GET_VCPU_EVENTS, &ev), 0);
	return ev;
}

static void guest_waits(void)
{
	guest_done();
}

static void not_enabled(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	struct kvm_vcpu_events ev = events_get(vcpu);

	REQUIRE_CAP(vm->fd, KVM_CAP_X86_TRIPLE_FAULT_EVENT);
	CHECK_EQ(ev.flags & KVM_VCPUEVENT_VALID_TRIPLE_FAULT, 0);
	ev.flags |= KVM_VCPUEVENT_VALID_TRIPLE_FAULT;
	CHECK_ERR(xioctl(vcpu->fd, KVM_SET_VCPU_EVENTS, &ev), EINVAL);
	vm_free(vm);
}

static void given_and_taken_back(void)
{
	struct vm *vm = vm_create();
	struct kvm_vcpu_events ev;
	struct vcpu *vcpu;

	REQUIRE_CAP(vm->fd, KVM_CAP_X86_TRIPLE_FAULT_EVENT);
	CHECK_EQ(cap_enable(vm->fd, KVM_CAP_X86_TRIPLE_FAULT_EVENT, 1), 0);
	vcpu = vcpu_add(vm, 0);
	vcpu_entry(vcpu, guest_waits);

	ev = events_get(vcpu);
	CHECK_NE(ev.flags & KVM_VCPUEVENT_VALID_TRIPLE_FAULT, 0);
	CHECK_EQ(ev.triple_fault.pending, 0);
	ev.triple_fault.pending = 1;
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_VCPU_EVENTS, &ev), 0);
	ev = events_get(vcpu);
	CHECK_EQ(ev.triple_fault.pending, 1);
	ev.triple_fault.pending = 0;
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_VCPU_EVENTS, &ev), 0);
	RUN_DONE(vcpu);

	ev = events_get(vcpu);
	ev.triple_fault.pending = 1;
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_VCPU_EVENTS, &ev), 0);
	/* Without its flag the field does not count. */
	ev.triple_fault.pending = 0;
	ev.flags &= ~KVM_VCPUEVENT_VALID_TRIPLE_FAULT;
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_VCPU_EVENTS, &ev), 0);
	CHECK_EQ(events_get(vcpu).triple_fault.pending, 1);
	RUN_EXPECT(vcpu, KVM_EXIT_SHUTDOWN);
	CHECK_EQ(events_get(vcpu).triple_fault.pending, 0);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(not_enabled),
	TEST(given_and_taken_back),
};

KTAP_MAIN(tests)
