// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the hypervisor itself writes to the guest's memory is in the dirty log like the guest's own writes: kvm-clock's
 * pages, the steal time, data of string ports and of MMIO on its way to memory. Migration would lose it otherwise.
 */
#include "device.h"
#include "modes.h"

#define GPA			0x10000000ul
#define PAGES			64ul
#define PAGE(n)			(GPA + (n) * PAGE_SIZE)
#define MSR_KVM_STEAL_TIME	0x4b564d03
#define PORT			0x5678

static u64 log_read(struct vm *vm)
{
	u64 bitmap = 0;
	struct kvm_dirty_log log = { .slot = 1, .dirty_bitmap = &bitmap };

	CHECK_EQ(xioctl(vm->fd, KVM_GET_DIRTY_LOG, &log), 0);
	return bitmap;
}

static struct vcpu *logged_vcpu(struct vm **vm, void (*fn)(void))
{
	struct vcpu *vcpu;

	*vm = vm_create();
	slot_set(*vm, 1, KVM_MEM_LOG_DIRTY_PAGES, GPA, PAGES * PAGE_SIZE, pages_map(PAGES * PAGE_SIZE));
	vcpu = vcpu_add(*vm, 0);
	vcpu_entry(vcpu, fn);
	return vcpu;
}

static void guest_wants_clock(void)
{
	guest_sync(0);
	wrmsr(MSR_KVM_SYSTEM_TIME, PAGE(3) | 1);
	guest_sync(1);
	guest_sync(2);
	wrmsr(MSR_KVM_WALL_CLOCK, PAGE(5));
	guest_sync(3);
	guest_sync(4);
}

static void clock_pages(void)
{
	struct kvm_clock_data clock = { .clock = 1000000000 };
	struct vm *vm;
	struct vcpu *vcpu = logged_vcpu(&vm, guest_wants_clock);

	RUN_SYNC(vcpu, 0);
	log_read(vm);
	/* The page is written before the guest goes on. */
	RUN_SYNC(vcpu, 1);
	RUN_SYNC(vcpu, 2);
	CHECK_EQ(log_read(vm), BIT(3));
	CHECK_EQ(xioctl(vm->fd, KVM_SET_CLOCK, &clock), 0);
	RUN_SYNC(vcpu, 3);
	CHECK_EQ(log_read(vm), BIT(3) | BIT(5));
	vm_free(vm);
}

static void guest_wants_steal_time(void)
{
	guest_sync(0);
	wrmsr(MSR_KVM_STEAL_TIME, PAGE(9) | 1);
	guest_sync(1);
	guest_sync(2);
}

static void steal_time(void)
{
	struct vm *vm;
	struct vcpu *vcpu = logged_vcpu(&vm, guest_wants_steal_time);

	REQUIRE_CAP(vm->fd, KVM_CAP_STEAL_TIME);
	RUN_SYNC(vcpu, 0);
	log_read(vm);
	RUN_SYNC(vcpu, 1);
	RUN_SYNC(vcpu, 2);
	CHECK_EQ(log_read(vm), BIT(9));
	vm_free(vm);
}

static void guest_inputs(void)
{
	u64 to = PAGE(20) - 2, count = 2;

	guest_sync(0);
	asm volatile("rep insw" : "+D" (to), "+c" (count) : "d" (PORT) : "memory");
	guest_sync(1);
}

static void string_port(void)
{
	struct vm *vm;
	struct vcpu *vcpu = logged_vcpu(&vm, guest_inputs);

	RUN_SYNC(vcpu, 0);
	log_read(vm);
	for (;;) {
		CHECK_EQ(run_try(vcpu), 0);
		CHECK_EQ(vcpu->run->exit_reason, KVM_EXIT_IO);
		if (vcpu->run->io.port != PORT)
			break;
		memset((u8 *)vcpu->run + vcpu->run->io.data_offset, 0x77, vcpu->run->io.count * vcpu->run->io.size);
	}
	CHECK_EQ(ucall_check(vcpu, __FILE__, __LINE__), UCALL_SYNC);
	CHECK_EQ(log_read(vm), BIT(19) | BIT(20));
	vm_free(vm);
}

static void guest_copies_from_device(void)
{
	u64 from = DEVICE_BASE, to = PAGE(31) - 8, count = 2;

	guest_sync(0);
	asm volatile("rep movsq" : "+S" (from), "+D" (to), "+c" (count) :: "memory");
	guest_sync(1);
	asm volatile("push (%0)\n pop %%rax" :: "r" (DEVICE_BASE) : "rax", "memory");
	asm volatile("xchg %%rsp, %0\n push (%1)\n xchg %%rsp, %0" :: "r" (PAGE(40) + 8), "r" (DEVICE_BASE) : "memory");
	guest_sync(2);
}

static void device_to_memory(void)
{
	static struct device dev;
	struct vm *vm;
	struct vcpu *vcpu = logged_vcpu(&vm, guest_copies_from_device);

	DEVICE_SYNC(vcpu, &dev, 0);
	log_read(vm);
	DEVICE_SYNC(vcpu, &dev, 1);
	CHECK_EQ(log_read(vm), BIT(30) | BIT(31));
	DEVICE_SYNC(vcpu, &dev, 2);
	CHECK_EQ(log_read(vm), BIT(40));
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(clock_pages),
	TEST(steal_time),
	TEST(string_port),
	TEST(device_to_memory),
};

KTAP_MAIN(tests)
