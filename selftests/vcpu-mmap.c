// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mapping a vCPU's run area: three pages, each at its offset; what lies behind
 * them is SIGBUS; all mappings, of duplicated descriptors too, are one memory;
 * a mapping outlives the descriptor.
 */
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "modes.h"

static sigjmp_buf bus_jump;

static void on_bus(int sig)
{
	siglongjmp(bus_jump, sig);
}

static bool read_faults(volatile u8 *p)
{
	signal(SIGBUS, on_bus);
	if (sigsetjmp(bus_jump, 1))
		return true;
	(void)*p;
	return false;
}

static u8 *map(int fd, size_t pages, size_t offset)
{
	void *p = mmap(NULL, pages * PAGE_SIZE, PROT_READ | PROT_WRITE,
		       MAP_SHARED, fd, (off_t)(offset * PAGE_SIZE));

	CHECK(p != MAP_FAILED);
	return p;
}

static void three_pages(void)
{
	struct vm *vm = vm_create_bare();
	struct vcpu *vcpu = vcpu_add_bare(vm, 0);
	u8 *p = map(vcpu->fd, 4, 0);

	CHECK(!read_faults(p));
	CHECK(!read_faults(p + PAGE_SIZE));
	CHECK(!read_faults(p + 2 * PAGE_SIZE));
	CHECK(read_faults(p + 3 * PAGE_SIZE));
	vm_free(vm);
}

static void each_page_at_its_offset(void)
{
	struct vm *vm = vm_create_bare();
	struct vcpu *vcpu = vcpu_add_bare(vm, 0);
	u8 *all = map(vcpu->fd, 3, 0);
	size_t i;

	for (i = 0; i < 3; i++) {
		u8 *one = map(vcpu->fd, 1, i);

		/* The last bytes of no page mean anything to a run. */
		all[i * PAGE_SIZE + PAGE_SIZE - 1] = (u8)(0x50 + i);
		CHECK_EQ(one[PAGE_SIZE - 1], 0x50 + i);
	}
	CHECK(read_faults(map(vcpu->fd, 1, 3)));
	CHECK(read_faults(map(vcpu->fd, 1, 1000)));
	vm_free(vm);
}

static void first_page_alone(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	struct kvm_run *run = (void *)map(vcpu->fd, 1, 0);

	memset(vm_hva(vm, REAL_CODE), 0xf4, 1);
	vcpu_mode(vcpu, MODE_REAL16, REAL_CODE);
	RUN_EXPECT(vcpu, KVM_EXIT_HLT);
	CHECK_EQ(run->exit_reason, KVM_EXIT_HLT);
	vm_free(vm);
}

static void mappings_alias(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	int fd = dup(vcpu->fd);
	struct kvm_run *second = (void *)map(fd, 3, 0);

	memset(vm_hva(vm, REAL_CODE), 0xf4, 1);
	vcpu_mode(vcpu, MODE_REAL16, REAL_CODE);
	second->immediate_exit = 1;
	CHECK_EQ(vcpu->run->immediate_exit, 1);
	CHECK_ERR(run_try(vcpu), EINTR);
	second->immediate_exit = 0;
	CHECK_EQ(xioctl(fd, KVM_RUN, 0), 0);
	CHECK_EQ(second->exit_reason, KVM_EXIT_HLT);
	CHECK_EQ(vcpu->run->exit_reason, KVM_EXIT_HLT);
	vm_free(vm);
}

static void mapping_outlives_descriptors(void)
{
	struct vm *vm = vm_create_bare();
	int fd = (int)CHECK_OK(xioctl(vm->fd, KVM_CREATE_VCPU, 0));
	u8 *p = map(fd, 3, 0);

	CHECK_EQ(close(fd), 0);
	CHECK_EQ(close(vm->fd), 0);
	p[PAGE_SIZE - 1] = 7;
	CHECK_EQ(p[PAGE_SIZE - 1], 7);
	CHECK_EQ(p[2 * PAGE_SIZE], 0);
	CHECK_EQ(munmap(p, 3 * PAGE_SIZE), 0);
}

static void fresh_area_is_zero(void)
{
	struct vm *vm = vm_create_bare();
	struct vcpu *vcpu = vcpu_add_bare(vm, 0);
	const u8 *p = (u8 *)vcpu->run;
	size_t i;

	for (i = 0; i < 3 * PAGE_SIZE; i++)
		if (p[i])
			FAIL("byte %zu is 0x%x", i, p[i]);
	vm_free(vm);
}

static void vm_and_device_do_not_map(void)
{
	struct vm *vm = vm_create_bare();

	CHECK(mmap(NULL, PAGE_SIZE, PROT_READ, MAP_SHARED, vm->fd, 0) == MAP_FAILED);
	CHECK_EQ(errno, ENODEV);
	CHECK(mmap(NULL, PAGE_SIZE, PROT_READ, MAP_SHARED, vm->sys, 0) == MAP_FAILED);
	CHECK_EQ(errno, ENODEV);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(three_pages),
	TEST(each_page_at_its_offset),
	TEST(first_page_alone),
	TEST(mappings_alias),
	TEST(mapping_outlives_descriptors),
	TEST(fresh_area_is_zero),
	TEST(vm_and_device_do_not_map),
};

KTAP_MAIN(tests)
