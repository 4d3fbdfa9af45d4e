// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who has the CPU's virtualization feature: on while a VM exists and off when
 * the last is gone; refused with EBUSY while another hypervisor has it, and the
 * other way round; the module cannot be removed from under a VM.
 */
#include <fcntl.h>
#include <unistd.h>

#include "host.h"
#include "modes.h"
#include "thread.h"

static bool feature_is_on(int cpu)
{
	return host_msr_get(cpu, MSR_EFER) & EFER_SVME;
}

static void require_amd_lodge(void)
{
	require_lodge();
	require_root();
	if (!(cpuid(0x80000001, 0).ecx & BIT(2)))
		ktap_skip("not an AMD-V host");
}

static void on_while_a_vm_exists(void)
{
	struct vm *a, *b;

	require_amd_lodge();
	CHECK(!feature_is_on(0));
	a = vm_create_bare();
	CHECK(feature_is_on(0));
	b = vm_create_bare();
	vcpu_add_bare(b, 0);
	vm_free(a);
	CHECK(feature_is_on(0));
	vm_free(b);
	wait_until(!feature_is_on(0));
}

static long other_vm(int *fd)
{
	int sys = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	long r;

	if (sys < 0)
		ktap_skip("no /dev/kvm beside lodge");
	r = xioctl(sys, KVM_CREATE_VM, 0);
	close(sys);
	*fd = (int)r;
	return r;
}

static long lodge_vm(void)
{
	int sys = device_open();
	long r = xioctl(sys, KVM_CREATE_VM, 0);

	close(sys);
	return r;
}

static void kvm_has_it(void)
{
	int fd, vcpu;

	require_amd_lodge();
	module_load("kvm_amd");
	CHECK_OK(other_vm(&fd));
	CHECK_ERR(lodge_vm(), EBUSY);
	CHECK_ERR(lodge_vm(), EBUSY);
	/* The refusal took nothing away from the owner. */
	CHECK(feature_is_on(0));
	vcpu = (int)CHECK_OK(xioctl(fd, KVM_CREATE_VCPU, 0));
	close(vcpu);
	close(fd);
	wait_until(lodge_vm() >= 0);
}

static void lodge_has_it(void)
{
	struct vm *vm;
	struct vcpu *vcpu;
	long refused;
	int fd;

	require_amd_lodge();
	module_load("kvm_amd");
	vm = vm_create();
	vcpu = vcpu_add(vm, 0);
	/* Newer ones say EIO. */
	refused = other_vm(&fd);
	CHECK(refused == -EBUSY || refused == -EIO);
	CHECK(feature_is_on(0));
	memset(vm_hva(vm, REAL_CODE), 0xf4, 1);
	vcpu_mode(vcpu, MODE_REAL16, REAL_CODE);
	RUN_EXPECT(vcpu, KVM_EXIT_HLT);
	vm_free(vm);
	wait_until(other_vm(&fd) >= 0);
}

static void module_stays_with_a_vm(void)
{
	struct vm *vm;
	int sys;
	long r;

	require_lodge();
	require_root();
	if (!module_is_loaded("lodge"))
		ktap_skip("lodge is built in");
	sys = device_open();
	r = module_remove("lodge");
	CHECK(r == -EWOULDBLOCK || r == -EBUSY);
	close(sys);
	vm = vm_create();
	close(vm->sys);
	vm->sys = dup(0);
	r = module_remove("lodge");
	CHECK(r == -EWOULDBLOCK || r == -EBUSY);
	/* A vCPU alone holds it too. */
	{
		struct vcpu *vcpu = vcpu_add_bare(vm, 0);

		close(vm->fd);
		vm->fd = dup(0);
		r = module_remove("lodge");
		CHECK(r == -EWOULDBLOCK || r == -EBUSY);
		CHECK_EQ(regs_get(vcpu).rip, 0xfff0);
	}
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(on_while_a_vm_exists),
	TEST(kvm_has_it),
	TEST(lodge_has_it),
	TEST(module_stays_with_a_vm),
};

KTAP_MAIN(tests)
