// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module stays as long as anything of it is open: taking it out is refused while there is a descriptor of the
 * device, of a VM, or of a vCPU alone, and the VM goes on.
 */
#include <unistd.h>

#include "host.h"
#include "modes.h"

static void guest_counts(void)
{
	u64 i;

	for (i = 0;; i++)
		guest_sync(i);
}

/* Without force the kernel says "try again" to a module that is in use. */
static void check_refused(void)
{
	CHECK_ERR(module_remove("lodge"), EWOULDBLOCK);
	CHECK(module_is_loaded("lodge"));
}

static void device_is_open(void)
{
	int fd;

	require_lodge();
	require_root();
	fd = device_open();
	check_refused();
	CHECK_EQ(xioctl(fd, KVM_GET_API_VERSION, 0), 12);
	close(fd);
}

static void vm_is_open(void)
{
	struct vm *vm;
	struct vcpu *vcpu;

	require_lodge();
	require_root();
	vm = vm_create();
	CHECK_OK(close(vm->sys));
	check_refused();
	vm->sys = device_open();
	vcpu = vcpu_add(vm, 0);
	vcpu_entry(vcpu, guest_counts);
	RUN_SYNC(vcpu, 0);
	check_refused();
	RUN_SYNC(vcpu, 1);
	vm_free(vm);
}

static void vcpu_alone_is_open(void)
{
	struct vm *vm;
	struct vcpu *vcpu;

	require_lodge();
	require_root();
	vm = vm_create();
	vcpu = vcpu_add(vm, 0);
	vcpu_entry(vcpu, guest_counts);
	RUN_SYNC(vcpu, 0);
	CHECK_OK(close(vm->fd));
	CHECK_OK(close(vm->sys));
	check_refused();
	RUN_SYNC(vcpu, 1);
	check_refused();
	RUN_SYNC(vcpu, 2);
	CHECK_OK(close(vcpu->fd));
}

static const struct test tests[] = {
	TEST(device_is_open),
	TEST(vm_is_open),
	TEST(vcpu_alone_is_open),
};

KTAP_MAIN(tests)
