// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every VM shows over netlink, with what its VMM made of it: the dump of VMs,
 * one VM by its id, the vCPUs of all VMs and of one.
 */
#include <sys/syscall.h>
#include <unistd.h>

#include "lodge.h"
#include "modes.h"
#include "netlink.h"

#define VM_ALWAYS (BIT(LODGE_A_VM_ID) | BIT(LODGE_A_VM_PID) | BIT(LODGE_A_VM_STATE) | \
		   BIT(LODGE_A_VM_VCPUS) | BIT(LODGE_A_VM_MEMORY) | BIT(LODGE_A_VM_IRQCHIP_MODE))

static struct nl_vcpus vcpus;

static void new_vm_shows(void)
{
	struct nl *nl = nl_open();
	struct vm *vm = vm_create_bare();
	struct nl_vm told = nl_own_vm(nl);

	CHECK_EQ(told.has, VM_ALWAYS);
	CHECK_GE(told.id, 1);
	CHECK_EQ(told.state, LODGE_STATE_CREATED);
	CHECK_EQ(told.vcpus, 0);
	CHECK_EQ(told.memory, 0);
	CHECK_EQ(told.irqchip_mode, LODGE_IRQCHIP_PLACE_USER);
	vm_free(vm);
}

static void memory_is_the_sum_of_slots(void)
{
	struct nl *nl = nl_open();
	struct vm *vm = vm_create();
	void *more = pages_map(3 * PAGE_SIZE);

	CHECK_EQ(nl_own_vm(nl).memory, VM_MEM_SIZE);
	slot_set(vm, 1, 0, 1ull << 32, 3 * PAGE_SIZE, more);
	CHECK_EQ(nl_own_vm(nl).memory, VM_MEM_SIZE + 3 * PAGE_SIZE);
	slot_set(vm, 1, 0, 1ull << 32, 0, more);
	CHECK_EQ(nl_own_vm(nl).memory, VM_MEM_SIZE);
	vm_free(vm);
}

static void name_is_told(void)
{
	struct lodge_vm_name name = { .size = sizeof(name), .name = "a \"name\"" };
	struct nl *nl = nl_open();
	struct vm *vm = vm_create_bare();
	struct nl_vm told;

	CHECK_EQ(xioctl(vm->fd, LODGE_VM_SET_NAME, &name), 0);
	told = nl_own_vm(nl);
	CHECK_EQ(told.has, VM_ALWAYS | BIT(LODGE_A_VM_NAME));
	CHECK(!strcmp(told.name, name.name));
	memset(name.name, 'x', sizeof(name.name) - 1);
	name.name[sizeof(name.name) - 1] = 0;
	CHECK_EQ(xioctl(vm->fd, LODGE_VM_SET_NAME, &name), 0);
	CHECK(!strcmp(nl_own_vm(nl).name, name.name));
	vm_free(vm);
}

static void irqchip_mode_is_told(void)
{
	struct nl *nl = nl_open();
	struct vm *vm = vm_create_bare();
	struct kvm_enable_cap split = { .cap = KVM_CAP_SPLIT_IRQCHIP, .args = { 24 } };

	REQUIRE_CAP(vm->fd, KVM_CAP_IRQCHIP);
	CHECK_OK(xioctl(vm->fd, KVM_CREATE_IRQCHIP, 0));
	CHECK_EQ(nl_own_vm(nl).irqchip_mode, LODGE_IRQCHIP_PLACE_KERNEL);
	vm_free(vm);
	vm = vm_create_bare();
	REQUIRE_CAP(vm->fd, KVM_CAP_SPLIT_IRQCHIP);
	CHECK_OK(xioctl(vm->fd, KVM_ENABLE_CAP, &split));
	CHECK_EQ(nl_own_vm(nl).irqchip_mode, LODGE_IRQCHIP_PLACE_SPLIT);
	vm_free(vm);
}

static void get_by_id_is_what_the_dump_tells(void)
{
	struct nl *nl = nl_open();
	struct vm *vm = vm_create();
	struct nl_vm dumped, got;

	vcpu_add(vm, 0);
	dumped = nl_own_vm(nl);
	CHECK_EQ(nl_vm_get(nl, dumped.id, &got), 0);
	CHECK_MEM(&dumped, &got, sizeof(got));
	CHECK_EQ(got.vcpus, 1);
	vm_free(vm);
}

static void ids_are_never_used_twice(void)
{
	struct nl *nl = nl_open();
	struct nl_vm told;
	u64 last = 0;
	int i;

	for (i = 0; i < 5; i++) {
		struct vm *vm = vm_create_bare();

		told = nl_own_vm(nl);
		CHECK(told.id > last);
		last = told.id;
		vm_free(vm);
		CHECK_ERR(nl_vm_get(nl, last, &told), ENOENT);
	}
}

static void vcpus_are_told(void)
{
	struct nl *nl = nl_open();
	struct vm *vm = vm_create();
	u64 id = nl_own_vm(nl).id;
	unsigned int i;

	for (i = 0; i < 3; i++)
		vcpu_add(vm, 3 * i);
	CHECK_EQ(nl_own_vm(nl).vcpus, 3);
	CHECK_EQ(nl_vcpus_get(nl, id, &vcpus), 0);
	CHECK_EQ(vcpus.nr, 3);
	for (i = 0; i < 3; i++) {
		CHECK_EQ(vcpus.list[i].vm_id, id);
		CHECK_EQ(vcpus.list[i].index, i);
		CHECK_EQ(vcpus.list[i].apic_id, 3 * i);
		CHECK_EQ(vcpus.list[i].mp_state, KVM_MP_STATE_RUNNABLE);
		CHECK_EQ(vcpus.list[i].exits, 0);
		CHECK_EQ(vcpus.list[i].has & (BIT(LODGE_A_VCPU_PID) | BIT(LODGE_A_VCPU_CPU)), 0);
	}
	vm_free(vm);
}

static void running_leaves_its_marks(void)
{
	struct nl *nl = nl_open();
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	u64 id = nl_own_vm(nl).id;
	unsigned int i;

	vcpu_mode(vcpu, MODE_REAL16, REAL_CODE);
	memcpy(vm_hva(vm, REAL_CODE), "\xe6\x42\xeb\xfc", 4);	/* 1: out; jmp 1b */
	for (i = 0; i < 10; i++)
		RUN_EXPECT(vcpu, KVM_EXIT_IO);
	CHECK_EQ(nl_own_vm(nl).state, LODGE_STATE_RUNNING);
	CHECK_EQ(nl_vcpus_get(nl, id, &vcpus), 0);
	CHECK_EQ(vcpus.nr, 1);
	CHECK_GE(vcpus.list[0].exits, 10);
	CHECK_EQ(vcpus.list[0].pid, syscall(SYS_gettid));
	CHECK(vcpus.list[0].has & BIT(LODGE_A_VCPU_CPU));
	vm_free(vm);
}

static void filter_keeps_one_vm(void)
{
	struct nl *nl = nl_open();
	struct vm *vms[3];
	static struct nl_vms told;
	size_t i, own = 0;

	for (i = 0; i < 3; i++) {
		vms[i] = vm_create_bare();
		vcpu_add_bare(vms[i], 0);
		vcpu_add_bare(vms[i], 1);
	}
	nl_vms_get(nl, &told);
	for (i = 0; i < told.nr; i++) {
		if (told.list[i].pid != (u32)getpid())
			continue;
		own++;
		CHECK_EQ(nl_vcpus_get(nl, told.list[i].id, &vcpus), 0);
		CHECK_EQ(vcpus.nr, 2);
		CHECK_EQ(vcpus.list[0].vm_id, told.list[i].id);
		CHECK_EQ(vcpus.list[1].vm_id, told.list[i].id);
	}
	CHECK_EQ(own, 3);
	CHECK_EQ(nl_vcpus_get(nl, 0, &vcpus), 0);
	CHECK_GE(vcpus.nr, 6);
	for (i = 1; i < vcpus.nr; i++)
		CHECK(vcpus.list[i].vm_id > vcpus.list[i - 1].vm_id ||
		      (vcpus.list[i].vm_id == vcpus.list[i - 1].vm_id &&
		       vcpus.list[i].index == vcpus.list[i - 1].index + 1));
	for (i = 0; i < 3; i++)
		vm_free(vms[i]);
}

static const struct test tests[] = {
	TEST(new_vm_shows),
	TEST(memory_is_the_sum_of_slots),
	TEST(name_is_told),
	TEST(irqchip_mode_is_told),
	TEST(get_by_id_is_what_the_dump_tells),
	TEST(ids_are_never_used_twice),
	TEST(vcpus_are_told),
	TEST(running_leaves_its_marks),
	TEST(filter_keeps_one_vm),
};

KTAP_MAIN(tests)
