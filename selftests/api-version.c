// SPDX-License-Identifier: GPL-2.0-only
/*
 * The system descriptor's introduction: API version, capabilities, and the
 * size of the run area, with the arguments that are refused.
 */
#include <fcntl.h>
#include <unistd.h>

#include "vm.h"

static void version_is_12(void)
{
	int sys = device_open();

	CHECK_EQ(xioctl(sys, KVM_GET_API_VERSION, 0), 12);
}

static void version_takes_no_argument(void)
{
	int sys = device_open();

	CHECK_ERR(xioctl(sys, KVM_GET_API_VERSION, 1), EINVAL);
	CHECK_ERR(xioctl(sys, KVM_GET_API_VERSION, ~0ul), EINVAL);
}

static void known_capabilities(void)
{
	static const struct {
		long nr, value;
		const char *name;
	} caps[] = {
#define CAP(n, v) { KVM_CAP_##n, v, #n }
		CAP(HLT, 1), CAP(USER_MEMORY, 1), CAP(SET_TSS_ADDR, 1),
		CAP(EXT_CPUID, 1), CAP(MP_STATE, 1), CAP(SYNC_MMU, 1),
		CAP(DESTROY_MEMORY_REGION_WORKS, 1),
		CAP(JOIN_MEMORY_REGIONS_WORKS, 1), CAP(USER_NMI, 1),
		CAP(READONLY_MEM, 1), CAP(IMMEDIATE_EXIT, 1),
		CAP(CHECK_EXTENSION_VM, 1), CAP(IRQ_ROUTING, 4096),
		CAP(MSI_DEVID, 0), CAP(PCI_2_3, 0),
#undef CAP
	};
	struct vm *vm = vm_create_bare();
	size_t i;

	for (i = 0; i < ARRAY_SIZE(caps); i++) {
		if (cap(vm->sys, caps[i].nr) != caps[i].value ||
		    cap(vm->fd, caps[i].nr) != caps[i].value)
			FAIL("%s is %ld on the device, %ld on the VM, expected %ld",
			     caps[i].name, cap(vm->sys, caps[i].nr),
			     cap(vm->fd, caps[i].nr), caps[i].value);
	}
	vm_free(vm);
}

static void capability_bounds(void)
{
	struct vm *vm = vm_create_bare();

	CHECK_GE(cap(vm->sys, KVM_CAP_NR_MEMSLOTS), 64);
	CHECK_GE(cap(vm->sys, KVM_CAP_NR_VCPUS), 1);
	CHECK_GE(cap(vm->sys, KVM_CAP_MAX_VCPUS), cap(vm->sys, KVM_CAP_NR_VCPUS));
	CHECK_GE(cap(vm->sys, KVM_CAP_MAX_VCPU_ID), cap(vm->sys, KVM_CAP_MAX_VCPUS));
	vm_free(vm);
}

static void unknown_capabilities(void)
{
	static const long unknown[] = { 5000, 0x7fffffff, -1, 1l << 40 };
	struct vm *vm = vm_create_bare();
	size_t i;

	for (i = 0; i < ARRAY_SIZE(unknown); i++) {
		CHECK_EQ(cap(vm->sys, unknown[i]), 0);
		CHECK_EQ(cap(vm->fd, unknown[i]), 0);
	}
	vm_free(vm);
}

static void mmap_size_is_three_pages(void)
{
	int sys = device_open();

	CHECK_EQ(xioctl(sys, KVM_GET_VCPU_MMAP_SIZE, 0), 3 * PAGE_SIZE);
	CHECK_ERR(xioctl(sys, KVM_GET_VCPU_MMAP_SIZE, 1), EINVAL);
}

static void read_only_open_answers(void)
{
	int fd;

	close(device_open());
	fd = open(device_path(), O_RDONLY);
	CHECK_GE(fd, 0);
	CHECK_EQ(xioctl(fd, KVM_GET_API_VERSION, 0), 12);
	CHECK_EQ(cap(fd, KVM_CAP_USER_MEMORY), 1);
	CHECK_EQ(xioctl(fd, KVM_GET_VCPU_MMAP_SIZE, 0), 3 * PAGE_SIZE);
}

static const struct test tests[] = {
	TEST(version_is_12),
	TEST(version_takes_no_argument),
	TEST(known_capabilities),
	TEST(capability_bounds),
	TEST(unknown_capabilities),
	TEST(mmap_size_is_three_pages),
	TEST(read_only_open_answers),
};

KTAP_MAIN(tests)
