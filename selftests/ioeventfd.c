// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_IOEVENTFD on ports and MMIO: which writes signal and which still exit,
 * by length and data; collisions; removal.
 */
#include <sys/eventfd.h>
#include <unistd.h>

#include "host.h"
#include "modes.h"
#include "vm.h"

#define PORT	0x3c0
#define MMIO	VM_MMIO_BASE

static long bind(struct vm *vm, int fd, u64 addr, u32 len, u32 flags, u64 match)
{
	struct kvm_ioeventfd arg = {
		.datamatch = match, .addr = addr, .len = len, .fd = fd, .flags = flags,
	};

	return xioctl(vm->fd, KVM_IOEVENTFD, &arg);
}

#define F_PIO	KVM_IOEVENTFD_FLAG_PIO
#define F_MATCH	KVM_IOEVENTFD_FLAG_DATAMATCH
#define F_OFF	KVM_IOEVENTFD_FLAG_DEASSIGN

static int event(void)
{
	int fd = eventfd(0, EFD_NONBLOCK);

	CHECK_GE(fd, 0);
	return fd;
}

/* How often it was signalled since the last look. */
static u64 count(int fd)
{
	u64 val;

	return read(fd, &val, 8) == 8 ? val : 0;
}

static struct vm *vm_make(struct vcpu **vcpu, void (*fn)(void))
{
	struct vm *vm = vm_create();

	REQUIRE_CAP(vm->fd, KVM_CAP_IOEVENTFD);
	*vcpu = vcpu_add(vm, 0);
	vcpu_entry(*vcpu, fn);
	return vm;
}

static void guest_ports(void)
{
	outw(PORT, 5);
	guest_sync(1);
	outb(PORT, 5);
	guest_sync(2);
	outl(PORT, 5);
	guest_sync(3);
	outw(PORT + 2, 5);
	guest_sync(4);
	(void)inw(PORT);
	guest_done();
}

static void expect_io(struct vcpu *vcpu, u16 port, u8 size, u8 direction)
{
	RUN_EXPECT(vcpu, KVM_EXIT_IO);
	CHECK_EQ(vcpu->run->io.port, port);
	CHECK_EQ(vcpu->run->io.size, size);
	CHECK_EQ(vcpu->run->io.direction, direction);
}

static void port_of_one_width(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_make(&vcpu, guest_ports);
	int fd = event();

	CHECK_EQ(bind(vm, fd, PORT, 2, F_PIO, 0), 0);
	RUN_SYNC(vcpu, 1);
	CHECK_EQ(count(fd), 1);
	expect_io(vcpu, PORT, 1, KVM_EXIT_IO_OUT);
	RUN_SYNC(vcpu, 2);
	expect_io(vcpu, PORT, 4, KVM_EXIT_IO_OUT);
	RUN_SYNC(vcpu, 3);
	expect_io(vcpu, PORT + 2, 2, KVM_EXIT_IO_OUT);
	RUN_SYNC(vcpu, 4);
	/* Reads are the VMM's. */
	expect_io(vcpu, PORT, 2, KVM_EXIT_IO_IN);
	RUN_DONE(vcpu);
	CHECK_EQ(count(fd), 0);
	vm_free(vm);
}

static void port_of_any_width(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_make(&vcpu, guest_ports);
	int fd = event();

	REQUIRE_CAP(vm->fd, KVM_CAP_IOEVENTFD_ANY_LENGTH);
	CHECK_EQ(bind(vm, fd, PORT, 0, F_PIO, 0), 0);
	RUN_SYNC(vcpu, 1);
	RUN_SYNC(vcpu, 2);
	RUN_SYNC(vcpu, 3);
	CHECK_EQ(count(fd), 3);
	expect_io(vcpu, PORT + 2, 2, KVM_EXIT_IO_OUT);
	vm_free(vm);
}

static void guest_matches(void)
{
	u32 i;

	for (i = 0; i < 4; i++)
		outw(PORT, (u16)i);
	guest_sync(1);
	*(volatile u16 *)MMIO = 1;
	*(volatile u16 *)MMIO = 2;
	guest_done();
}

static void data_match(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_make(&vcpu, guest_matches);
	int one = event(), two = event(), mmio = event();

	CHECK_EQ(bind(vm, one, PORT, 2, F_PIO | F_MATCH, 1), 0);
	CHECK_EQ(bind(vm, two, PORT, 2, F_PIO | F_MATCH, 2), 0);
	CHECK_EQ(bind(vm, mmio, MMIO, 2, F_MATCH, 2), 0);
	expect_io(vcpu, PORT, 2, KVM_EXIT_IO_OUT);
	expect_io(vcpu, PORT, 2, KVM_EXIT_IO_OUT);
	CHECK_EQ(*(u16 *)((u8 *)vcpu->run + vcpu->run->io.data_offset), 3);
	RUN_SYNC(vcpu, 1);
	CHECK_EQ(count(one), 1);
	CHECK_EQ(count(two), 1);
	RUN_EXPECT(vcpu, KVM_EXIT_MMIO);
	CHECK_EQ(vcpu->run->mmio.data[0], 1);
	RUN_DONE(vcpu);
	CHECK_EQ(count(mmio), 1);
	vm_free(vm);
}

static void guest_mmio(void)
{
	*(volatile u8 *)MMIO = 1;
	*(volatile u16 *)MMIO = 1;
	*(volatile u32 *)MMIO = 1;
	*(volatile u64 *)MMIO = 1;
	guest_sync(1);
	*(volatile u32 *)(MMIO + 4) = 1;
	guest_sync(2);
	(void)*(volatile u32 *)MMIO;
	guest_done();
}

static void mmio_widths(void)
{
	static const u32 lens[] = { 1, 2, 4, 8, 0 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		struct vcpu *vcpu;
		struct vm *vm = vm_make(&vcpu, guest_mmio);
		u32 len = lens[i], width;
		int fd = event();

		CHECK_EQ(bind(vm, fd, MMIO, len, 0, 0), 0);
		for (width = 1; width <= 8; width *= 2) {
			if (width == len || !len)
				continue;
			RUN_EXPECT(vcpu, KVM_EXIT_MMIO);
			CHECK_EQ(vcpu->run->mmio.len, width);
		}
		RUN_SYNC(vcpu, 1);
		CHECK_EQ(count(fd), len ? 1 : 4);
		RUN_EXPECT(vcpu, KVM_EXIT_MMIO);
		CHECK_EQ(vcpu->run->mmio.phys_addr, MMIO + 4);
		RUN_SYNC(vcpu, 2);
		/* Without a length, KVM on VT-x signals before it knows that this is a read. */
		if (len || device_is_lodge() || !host_has_vmx()) {
			RUN_EXPECT(vcpu, KVM_EXIT_MMIO);
			CHECK_EQ(vcpu->run->mmio.is_write, 0);
		}
		vm_free(vm);
	}
}

static void refusals(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_make(&vcpu, guest_mmio);
	int fd = event(), other = event();

	CHECK_ERR(bind(vm, fd, MMIO, 3, 0, 0), EINVAL);
	CHECK_ERR(bind(vm, fd, MMIO, 16, 0, 0), EINVAL);
	CHECK_ERR(bind(vm, fd, ~0ull, 4, 0, 0), EINVAL);
	CHECK_ERR(bind(vm, fd, MMIO, 4, BIT(9), 0), EINVAL);
	CHECK_ERR(bind(vm, fd, MMIO, 0, F_MATCH, 0), EINVAL);
	CHECK_ERR(bind(vm, -1, MMIO, 4, 0, 0), EBADF);
	CHECK_ERR(bind(vm, vm->sys, MMIO, 4, 0, 0), EINVAL);
	/* Collisions: the same, and a wildcard against a value. */
	CHECK_EQ(bind(vm, fd, MMIO, 4, F_MATCH, 1), 0);
	CHECK_ERR(bind(vm, other, MMIO, 4, F_MATCH, 1), EEXIST);
	CHECK_ERR(bind(vm, other, MMIO, 4, 0, 0), EEXIST);
	CHECK_EQ(bind(vm, other, MMIO, 4, F_MATCH, 2), 0);
	CHECK_EQ(bind(vm, other, MMIO, 4, F_PIO, 0), 0);
	/* Removal names the binding exactly. */
	CHECK_ERR(bind(vm, fd, MMIO, 4, F_OFF, 0), ENOENT);
	CHECK_ERR(bind(vm, fd, MMIO, 2, F_OFF | F_MATCH, 1), ENOENT);
	CHECK_ERR(bind(vm, other, MMIO, 4, F_OFF | F_MATCH, 1), ENOENT);
	CHECK_EQ(bind(vm, fd, MMIO, 4, F_OFF | F_MATCH, 1), 0);
	CHECK_ERR(bind(vm, fd, MMIO, 4, F_OFF | F_MATCH, 1), ENOENT);
	vm_free(vm);
}

static void removed(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_make(&vcpu, guest_ports);
	int fd = event();

	CHECK_EQ(bind(vm, fd, PORT, 2, F_PIO, 0), 0);
	CHECK_EQ(bind(vm, fd, PORT, 2, F_PIO | F_OFF, 0), 0);
	expect_io(vcpu, PORT, 2, KVM_EXIT_IO_OUT);
	CHECK_EQ(count(fd), 0);
	vm_free(vm);
}

/* Clients register hundreds; the bus has no small limit. */
static void many(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_make(&vcpu, guest_matches);
	int fds[300], hit = event();
	u32 i;

	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = event();
		CHECK_EQ(bind(vm, fds[i], MMIO + 0x1000 + 4 * i, 0, 0, 0), 0);
	}
	CHECK_EQ(bind(vm, hit, PORT, 0, F_PIO, 0), 0);
	RUN_SYNC(vcpu, 1);
	CHECK_EQ(count(hit), 4);
	for (i = 0; i < ARRAY_SIZE(fds); i++)
		CHECK_EQ(bind(vm, fds[i], MMIO + 0x1000 + 4 * i, 0, F_OFF, 0), 0);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(port_of_one_width),
	TEST(port_of_any_width),
	TEST(data_match),
	TEST(mmio_widths),
	TEST(refusals),
	TEST(removed),
	TEST(many),
};

KTAP_MAIN(tests)
