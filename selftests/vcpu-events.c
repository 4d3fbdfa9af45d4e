// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_GET_VCPU_EVENTS and KVM_SET_VCPU_EVENTS: an idle vCPU has none; a set
 * exception, NMI or interrupt shadow is read back and reaches the guest; what
 * is malformed is refused.
 */
#include "modes.h"

static struct vm *vm_with_events(struct vcpu **vcpu)
{
	struct vm *vm = vm_create();

	REQUIRE_CAP(vm->fd, KVM_CAP_VCPU_EVENTS);
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

static void idle(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_with_events(&vcpu);
	struct kvm_vcpu_events ev = events_get(vcpu);

	CHECK_EQ(ev.exception.injected, 0);
	CHECK_EQ(ev.exception.pending, 0);
	CHECK_EQ(ev.interrupt.injected, 0);
	CHECK_EQ(ev.interrupt.shadow, 0);
	CHECK_EQ(ev.nmi.injected, 0);
	CHECK_EQ(ev.nmi.pending, 0);
	CHECK_EQ(ev.nmi.masked, 0);
	CHECK_EQ(ev.reserved[0], 0);
	CHECK_EQ(ev.reserved[sizeof(ev.reserved) - 1], 0);
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_VCPU_EVENTS, &ev), 0);
	vm_free(vm);
}

static void refusals(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_with_events(&vcpu);
	struct kvm_vcpu_events good = events_get(vcpu), bad;

	bad = good;
	bad.flags |= BIT(30);
	CHECK_ERR(xioctl(vcpu->fd, KVM_SET_VCPU_EVENTS, &bad), EINVAL);
	bad = good;
	bad.exception.injected = 1;
	bad.exception.nr = 32;
	CHECK_ERR(xioctl(vcpu->fd, KVM_SET_VCPU_EVENTS, &bad), EINVAL);
	bad.exception.nr = NMI_VECTOR;
	CHECK_ERR(xioctl(vcpu->fd, KVM_SET_VCPU_EVENTS, &bad), EINVAL);
	bad = events_get(vcpu);
	CHECK_MEM(&good, &bad, sizeof(good));
	vm_free(vm);
}

static u64 guest_seen_error, guest_seen_rip;

static void guest_on_gp(struct guest_frame *frame)
{
	guest_seen_error = frame->error;
	guest_seen_rip = frame->rip;
	guest_sync(frame->vector);
}

static void guest_waits(void)
{
	guest_done();
}

static void exception_reaches_the_guest(void)
{
	struct vcpu *vcpu;
	struct vm *vm;
	struct kvm_vcpu_events ev;

	guest_handlers[GP_VECTOR] = guest_on_gp;
	vm = vm_with_events(&vcpu);
	vcpu_entry(vcpu, guest_waits);
	ev = events_get(vcpu);
	ev.exception.injected = 1;
	ev.exception.nr = GP_VECTOR;
	ev.exception.has_error_code = 1;
	ev.exception.error_code = 0x1234;
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_VCPU_EVENTS, &ev), 0);
	ev = events_get(vcpu);
	CHECK_EQ(ev.exception.injected, 1);
	CHECK_EQ(ev.exception.nr, GP_VECTOR);
	CHECK_EQ(ev.exception.error_code, 0x1234);
	RUN_SYNC(vcpu, GP_VECTOR);
	CHECK_EQ(GVAR(vm, guest_seen_error), 0x1234);
	CHECK_EQ(GVAR(vm, guest_seen_rip), (u64)(uintptr_t)guest_waits);
	ev = events_get(vcpu);
	CHECK_EQ(ev.exception.injected, 0);
	RUN_DONE(vcpu);
	vm_free(vm);
}

static void guest_on_nmi(struct guest_frame *frame)
{
	guest_sync(frame->vector);
}

static void nmi_pending_and_masked(void)
{
	struct vcpu *vcpu;
	struct vm *vm;
	struct kvm_vcpu_events ev;

	guest_handlers[NMI_VECTOR] = guest_on_nmi;
	vm = vm_with_events(&vcpu);
	vcpu_entry(vcpu, guest_waits);
	ev = events_get(vcpu);
	ev.flags |= KVM_VCPUEVENT_VALID_NMI_PENDING;
	ev.nmi.pending = 1;
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_VCPU_EVENTS, &ev), 0);
	CHECK_EQ(events_get(vcpu).nmi.pending, 1);
	RUN_SYNC(vcpu, NMI_VECTOR);
	ev = events_get(vcpu);
	CHECK_EQ(ev.nmi.pending, 0);
	CHECK_EQ(ev.nmi.masked, 1);
	/* A second one waits for the IRET. */
	CHECK_EQ(xioctl(vcpu->fd, KVM_NMI, 0), 0);
	RUN_SYNC(vcpu, NMI_VECTOR);
	RUN_DONE(vcpu);
	CHECK_EQ(events_get(vcpu).nmi.masked, 0);
	vm_free(vm);
}

GUEST_CODE(sti_out, 64,
	"sti\n"
	"out %al, $0x42\n"
	"out %al, $0x43\n");

/* STI holds interrupts back for one instruction; an exit there shows it. */
static void shadow_of_sti(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_with_events(&vcpu);
	struct kvm_vcpu_events ev;

	code_load(vm, REAL_CODE, sti_out);
	vcpu_mode(vcpu, MODE_LONG64, REAL_CODE);
	RUN_EXPECT(vcpu, KVM_EXIT_IO);
	CHECK_EQ(vcpu->run->io.port, 0x42);
	RUN_EXPECT(vcpu, KVM_EXIT_IO);
	CHECK_EQ(vcpu->run->io.port, 0x43);
	CHECK_EQ(events_get(vcpu).interrupt.shadow, 0);
	ev = events_get(vcpu);
	ev.interrupt.shadow = KVM_X86_SHADOW_INT_STI;
	ev.flags |= KVM_VCPUEVENT_VALID_SHADOW;
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_VCPU_EVENTS, &ev), 0);
	CHECK_NE(events_get(vcpu).interrupt.shadow, 0);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(idle),
	TEST(refusals),
	TEST(exception_reaches_the_guest),
	TEST(nmi_pending_and_masked),
	TEST(shadow_of_sti),
};

KTAP_MAIN(tests)
