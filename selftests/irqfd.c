// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_IRQFD: a write to the eventfd is an interrupt, from the first moment,
 * through whatever the routing says at that time; resample; refusals.
 */
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "irq.h"
#include "thread.h"

#define VECTOR	0x50
#define GSI	20

static void guest_counts(void)
{
	guest_apic_enable();
	ioapic_redirect(GSI, VECTOR);
	for (;;) {
		guest_sync(guest_irqs[VECTOR]);
		guest_sti();
		guest_cli();
	}
}

static struct vm *vm_counting(struct vcpu **vcpu)
{
	struct vm *vm;

	irq_handle(VECTOR);
	vm = vm_create_irqchip();
	REQUIRE_CAP(vm->fd, KVM_CAP_IRQFD);
	*vcpu = vcpu_add(vm, 0);
	vcpu_entry(*vcpu, guest_counts);
	RUN_SYNC(*vcpu, 0);
	return vm;
}

static long irqfd(struct vm *vm, int fd, u32 gsi, u32 flags, int resample)
{
	struct kvm_irqfd arg = {
		.fd = (u32)fd, .gsi = gsi, .flags = flags, .resamplefd = (u32)resample,
	};

	return xioctl(vm->fd, KVM_IRQFD, &arg);
}

static int eventfd_make(u64 initial)
{
	int fd = eventfd((unsigned int)initial, EFD_NONBLOCK);

	CHECK_GE(fd, 0);
	return fd;
}

static void fire(int fd)
{
	u64 one = 1;

	CHECK_EQ(write(fd, &one, sizeof(one)), sizeof(one));
}

static bool is_readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

/* Injection may be left to a worker: run until the count shows. */
static void expect_irqs(struct vcpu *vcpu, u64 count)
{
	u64 end = now_ns() + 5000000000ull;

	do {
		CHECK_EQ(run_ucall(vcpu, __FILE__, __LINE__), UCALL_SYNC);
		if (vcpu->cpu->uc.args[0] == count)
			return;
		sleep_ms(1);
	} while (now_ns() < end);
	FAIL("the guest counted %llu interrupts, expected %llu",
	     (unsigned long long)vcpu->cpu->uc.args[0], (unsigned long long)count);
}

static void expect_no_more(struct vcpu *vcpu, u64 count)
{
	unsigned int i;

	for (i = 0; i < 20; i++) {
		RUN_SYNC(vcpu, count);
		sleep_ms(1);
	}
}

static void fires(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_counting(&vcpu);
	int fd = eventfd_make(0);
	u64 i;

	CHECK_EQ(irqfd(vm, fd, GSI, 0, 0), 0);
	for (i = 1; i <= 5; i++) {
		fire(fd);
		expect_irqs(vcpu, i);
	}
	expect_no_more(vcpu, 5);
	vm_free(vm);
}

static void signalled_before(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_counting(&vcpu);
	int fd = eventfd_make(3);

	CHECK_EQ(irqfd(vm, fd, GSI, 0, 0), 0);
	expect_irqs(vcpu, 1);
	expect_no_more(vcpu, 1);
	vm_free(vm);
}

static void refusals(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_counting(&vcpu), *none;
	int fd = eventfd_make(0), other = eventfd_make(0), pipes[2];

	CHECK_EQ(irqfd(vm, fd, GSI, 0, 0), 0);
	CHECK_ERR(irqfd(vm, fd, GSI, 0, 0), EBUSY);
	CHECK_ERR(irqfd(vm, fd, GSI + 1, 0, 0), EBUSY);
	CHECK_ERR(irqfd(vm, other, GSI, BIT(5), 0), EINVAL);
	CHECK_ERR(irqfd(vm, -1, GSI, 0, 0), EBADF);
	CHECK_EQ(pipe(pipes), 0);
	CHECK_ERR(irqfd(vm, pipes[0], GSI, 0, 0), EINVAL);
	CHECK_ERR(irqfd(vm, other, GSI, KVM_IRQFD_FLAG_RESAMPLE, pipes[0]), EINVAL);
	CHECK_EQ(irqfd(vm, other, GSI, 0, 0), 0);
	vm_free(vm);

	none = vm_create_bare();
	CHECK_ERR(irqfd(none, fd, GSI, 0, 0), EINVAL);
	vm_free(none);
}

static void deassign(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_counting(&vcpu);
	int fd = eventfd_make(0);

	/* What is not there goes too. */
	CHECK_EQ(irqfd(vm, fd, GSI, KVM_IRQFD_FLAG_DEASSIGN, 0), 0);
	CHECK_EQ(irqfd(vm, fd, GSI, 0, 0), 0);
	fire(fd);
	expect_irqs(vcpu, 1);
	/* Another GSI is another binding. */
	CHECK_EQ(irqfd(vm, fd, GSI + 1, KVM_IRQFD_FLAG_DEASSIGN, 0), 0);
	fire(fd);
	expect_irqs(vcpu, 2);
	CHECK_EQ(irqfd(vm, fd, GSI, KVM_IRQFD_FLAG_DEASSIGN, 0), 0);
	fire(fd);
	expect_no_more(vcpu, 2);
	/* The event is still in the descriptor: assigning again delivers it. */
	CHECK(is_readable(fd));
	CHECK_EQ(irqfd(vm, fd, GSI, 0, 0), 0);
	expect_irqs(vcpu, 3);
	vm_free(vm);
}

static void routed_later(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_counting(&vcpu);
	struct kvm_irq_routing_entry e = route_msi(100, MSI_ADDRESS(0), VECTOR);
	int fd = eventfd_make(0);

	CHECK_EQ(irqfd(vm, fd, 100, 0, 0), 0);
	fire(fd);
	expect_no_more(vcpu, 0);
	CHECK_EQ(routing_set(vm, &e, 1), 0);
	fire(fd);
	expect_irqs(vcpu, 1);
	/* To another vector that nobody counts, and back. */
	e.u.msi.data = VECTOR + 1;
	CHECK_EQ(routing_set(vm, NULL, 0), 0);
	fire(fd);
	expect_no_more(vcpu, 1);
	e.u.msi.data = VECTOR;
	CHECK_EQ(routing_set(vm, &e, 1), 0);
	fire(fd);
	expect_irqs(vcpu, 2);
	vm_free(vm);
}

static void closed_descriptor(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_counting(&vcpu);
	int fd = eventfd_make(0), copy = dup(fd);

	CHECK_EQ(irqfd(vm, fd, GSI, 0, 0), 0);
	CHECK_EQ(close(fd), 0);
	fire(copy);
	expect_irqs(vcpu, 1);
	/* The last copy: the binding goes by itself. */
	CHECK_EQ(close(copy), 0);
	expect_no_more(vcpu, 1);
	vm_free(vm);
}

/* A VM that goes with bindings in place, and an eventfd that outlives it. */
static void vm_goes_first(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_counting(&vcpu);
	int fd = eventfd_make(0);

	CHECK_EQ(irqfd(vm, fd, GSI, 0, 0), 0);
	vm_free(vm);
	fire(fd);
	CHECK(is_readable(fd));
}

/* Level by eventfd: asserted until EOI, of which the VMM is told. */
static volatile u64 guest_levels;

static void guest_on_level(struct guest_frame *frame)
{
	guest_levels++;
	guest_sync(1000 + guest_levels);
	apic_write(APIC_EOI, 0);
	guest_sync(2000 + guest_levels);
}

static void guest_level(void)
{
	guest_apic_enable();
	ioapic_redirect(GSI, IOAPIC_LEVEL | VECTOR);
	guest_sync(1);
	guest_sti();
	for (;;)
		guest_sync(2);
}

static void expect_level(struct vcpu *vcpu, u64 number, int back)
{
	u64 val, end = now_ns() + 5000000000ull;

	/* Until the worker has raised the line the main loop goes round. */
	do {
		CHECK_EQ(run_ucall(vcpu, __FILE__, __LINE__), UCALL_SYNC);
		CHECK(now_ns() < end);
	} while (vcpu->cpu->uc.args[0] == 2);
	CHECK_EQ(vcpu->cpu->uc.args[0], 1000 + number);
	CHECK(!is_readable(back));
	RUN_SYNC(vcpu, 2000 + number);
	wait_until(is_readable(back));
	CHECK_EQ(read(back, &val, 8), 8);
	CHECK_EQ(val, 1);
}

static void resample(void)
{
	struct vcpu *vcpu;
	struct vm *vm;
	int fd = eventfd_make(0), back = eventfd_make(0);
	unsigned int i;

	guest_handlers[VECTOR] = guest_on_level;
	vm = vm_create_irqchip();
	REQUIRE_CAP(vm->fd, KVM_CAP_IRQFD_RESAMPLE);
	vcpu = vcpu_add(vm, 0);
	vcpu_entry(vcpu, guest_level);
	CHECK_EQ(irqfd(vm, fd, GSI, KVM_IRQFD_FLAG_RESAMPLE, back), 0);
	RUN_SYNC(vcpu, 1);
	for (i = 1; i <= 3; i++) {
		fire(fd);
		expect_level(vcpu, i, back);
	}
	/* De-asserted by the EOI: it does not repeat by itself. */
	for (i = 0; i < 20; i++)
		RUN_SYNC(vcpu, 2);
	vm_free(vm);
}

/* Two level sources on one line: both are told of the EOI. */
static void resample_shared(void)
{
	struct vcpu *vcpu;
	struct vm *vm;
	int fd[2] = { eventfd_make(0), eventfd_make(0) };
	int back[2] = { eventfd_make(0), eventfd_make(0) };

	guest_handlers[VECTOR] = guest_on_level;
	vm = vm_create_irqchip();
	REQUIRE_CAP(vm->fd, KVM_CAP_IRQFD_RESAMPLE);
	vcpu = vcpu_add(vm, 0);
	vcpu_entry(vcpu, guest_level);
	CHECK_EQ(irqfd(vm, fd[0], GSI, KVM_IRQFD_FLAG_RESAMPLE, back[0]), 0);
	CHECK_EQ(irqfd(vm, fd[1], GSI, KVM_IRQFD_FLAG_RESAMPLE, back[1]), 0);
	RUN_SYNC(vcpu, 1);
	fire(fd[0]);
	expect_level(vcpu, 1, back[0]);
	wait_until(is_readable(back[1]));
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(fires),
	TEST(signalled_before),
	TEST(refusals),
	TEST(deassign),
	TEST(routed_later),
	TEST(closed_descriptor),
	TEST(vm_goes_first),
	TEST(resample),
	TEST(resample_shared),
};

KTAP_MAIN(tests)
