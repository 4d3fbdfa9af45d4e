// SPDX-License-Identifier: GPL-2.0-only
/*
 * Host protections bind the guest: KVM_RUN returns EFAULT where the VMM itself
 * would be killed, and goes on when the VMM has repaired its mapping.
 */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <unistd.h>

#include "modes.h"

#define GPA	0x40000000ul
#define SIZE	(16 * PAGE_SIZE)

static void guest_works(void)
{
	volatile u64 *p = (u64 *)GPA;
	u64 i;

	for (i = 1;; i++) {
		guest_sync(p[0]);
		p[0] = i;
	}
}

static struct vm *start(struct vcpu **vcpu, u64 *mem)
{
	struct vm *vm = vm_create();

	*vcpu = vcpu_add(vm, 0);
	slot_set(vm, 1, 0, GPA, SIZE, mem);
	vcpu_entry(*vcpu, guest_works);
	return vm;
}

static void read_only_mapping(void)
{
	u64 *mem = pages_map(SIZE);
	struct vcpu *vcpu;
	struct vm *vm = start(&vcpu, mem);

	mem[0] = 77;
	RUN_SYNC(vcpu, 77);
	RUN_SYNC(vcpu, 1);
	CHECK_EQ(mprotect(mem, SIZE, PROT_READ), 0);
	CHECK_ERR(run_try(vcpu), EFAULT);
	CHECK_ERR(run_try(vcpu), EFAULT);
	CHECK_EQ(mem[0], 1);
	CHECK_EQ(mprotect(mem, SIZE, PROT_READ | PROT_WRITE), 0);
	RUN_SYNC(vcpu, 2);
	CHECK_EQ(mem[0], 2);
	vm_free(vm);
}

/* Read-only from the start, never faulted in: reads work. */
static void read_only_from_the_start(void)
{
	u64 *mem = mmap(NULL, SIZE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct vcpu *vcpu;
	struct vm *vm = start(&vcpu, mem);

	RUN_SYNC(vcpu, 0);
	CHECK_ERR(run_try(vcpu), EFAULT);
	vm_free(vm);
}

static void no_access(void)
{
	u64 *mem = pages_map(SIZE);
	struct vcpu *vcpu;
	struct vm *vm = start(&vcpu, mem);

	mem[0] = 5;
	RUN_SYNC(vcpu, 5);
	RUN_SYNC(vcpu, 1);
	CHECK_EQ(mprotect(mem, SIZE, PROT_NONE), 0);
	CHECK_ERR(run_try(vcpu), EFAULT);
	CHECK_EQ(mprotect(mem, SIZE, PROT_READ | PROT_WRITE), 0);
	RUN_SYNC(vcpu, 2);
	vm_free(vm);
}

static void unmapped(void)
{
	u64 *mem = pages_map(SIZE);
	struct vcpu *vcpu;
	struct vm *vm = start(&vcpu, mem);

	mem[0] = 5;
	RUN_SYNC(vcpu, 5);
	RUN_SYNC(vcpu, 1);
	CHECK_EQ(munmap(mem, SIZE), 0);
	CHECK_ERR(run_try(vcpu), EFAULT);
	CHECK_ERR(run_try(vcpu), EFAULT);
	/* Something else at the same address is the guest's memory now. */
	CHECK(mmap(mem, SIZE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == mem);
	RUN_SYNC(vcpu, 2);
	CHECK_EQ(mem[0], 2);
	vm_free(vm);
}

/* Never mapped at all. */
static void address_without_mapping(void)
{
	struct vcpu *vcpu;
	struct vm *vm = start(&vcpu, (void *)0x600000000000ul);

	CHECK_ERR(run_try(vcpu), EFAULT);
	vm_free(vm);
}

/* Behind the end of a file: the VMM itself would get SIGBUS. */
static void behind_the_end_of_a_file(void)
{
	int fd = memfd_create("guest", 0);
	struct vcpu *vcpu;
	struct vm *vm;
	u64 *mem;

	CHECK_GE(fd, 0);
	CHECK_EQ(ftruncate(fd, SIZE), 0);
	mem = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(mem != MAP_FAILED);
	vm = start(&vcpu, mem);
	RUN_SYNC(vcpu, 0);
	CHECK_EQ(ftruncate(fd, 0), 0);
	CHECK_ERR(run_try(vcpu), EFAULT);
	CHECK_EQ(ftruncate(fd, SIZE), 0);
	RUN_SYNC(vcpu, 1);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(read_only_mapping),
	TEST(read_only_from_the_start),
	TEST(no_access),
	TEST(unmapped),
	TEST(address_without_mapping),
	TEST(behind_the_end_of_a_file),
};

KTAP_MAIN(tests)
