// SPDX-License-Identifier: GPL-2.0-only
/*
 * Changes of a VM's state are told to the multicast group, each once, in their
 * order, and carry what a get returns.
 */
#include <signal.h>
#include <unistd.h>

#include "modes.h"
#include "netlink.h"
#include "thread.h"

#define QUIET_MS	200	/* long enough to see an event that should not come */

static struct nl *listen_open(void)
{
	struct nl *nl = nl_open();

	CHECK_EQ(nl_subscribe(nl, nl->group), 0);
	return nl;
}

static void quiet(struct nl *nl)
{
	struct nl_vm vm;

	if (nl_event(nl, &vm, QUIET_MS))
		FAIL("an event tells state %u, none was expected", vm.state);
}

static void real_code(struct vcpu *vcpu, const void *code, size_t len)
{
	memcpy(vm_hva(vcpu->vm, REAL_CODE), code, len);
	vcpu_mode(vcpu, MODE_REAL16, REAL_CODE);
}

static void birth_and_death(void)
{
	struct nl *nl = listen_open();
	struct vm *vm = vm_create_bare();
	struct nl_vm born = NL_EXPECT(nl, LODGE_STATE_CREATED);

	vm_free(vm);
	CHECK_EQ(NL_EXPECT(nl, LODGE_STATE_DESTROYED).id, born.id);
	quiet(nl);
}

static void last_descriptor_destroys(void)
{
	struct nl *nl = listen_open();
	struct vm *vm = vm_create_bare();
	struct vcpu *vcpu = vcpu_add_bare(vm, 0);

	NL_EXPECT(nl, LODGE_STATE_CREATED);
	close(vm->fd);
	quiet(nl);
	vcpu_close(vcpu);
	NL_EXPECT(nl, LODGE_STATE_DESTROYED);
}

static void running_is_told_once(void)
{
	struct nl *nl = listen_open();
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	unsigned int i;

	NL_EXPECT(nl, LODGE_STATE_CREATED);
	real_code(vcpu, "\xe6\x42\xeb\xfc", 4);	/* 1: out; jmp 1b */
	for (i = 0; i < 20; i++)
		RUN_EXPECT(vcpu, KVM_EXIT_IO);
	NL_EXPECT(nl, LODGE_STATE_RUNNING);
	quiet(nl);
	vm_free(vm);
	NL_EXPECT(nl, LODGE_STATE_DESTROYED);
}

static void event_carries_what_get_returns(void)
{
	struct nl *listener = listen_open(), *nl = nl_open();
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	struct nl_vm told, got;

	NL_EXPECT(listener, LODGE_STATE_CREATED);
	real_code(vcpu, "\xe6\x42", 2);
	RUN_EXPECT(vcpu, KVM_EXIT_IO);
	told = NL_EXPECT(listener, LODGE_STATE_RUNNING);
	CHECK_EQ(nl_vm_get(nl, told.id, &got), 0);
	CHECK_MEM(&told, &got, sizeof(got));
	CHECK_EQ(got.memory, VM_MEM_SIZE);
	CHECK_EQ(got.vcpus, 1);
	vm_free(vm);
}

static void crash_has_a_reason(void)
{
	struct nl *listener = listen_open(), *nl = nl_open();
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	struct kvm_sregs sregs;
	struct nl_vm told, got;

	NL_EXPECT(listener, LODGE_STATE_CREATED);
	real_code(vcpu, "\x0f\x0b", 2);	/* ud2 */
	sregs = sregs_get(vcpu);
	sregs.idt.limit = 0;		/* no vector can be read: a triple fault */
	sregs_set(vcpu, &sregs);
	RUN_EXPECT(vcpu, KVM_EXIT_SHUTDOWN);
	NL_EXPECT(listener, LODGE_STATE_RUNNING);
	told = NL_EXPECT(listener, LODGE_STATE_CRASHED);
	CHECK(told.has & BIT(LODGE_A_VM_REASON));
	if (strcmp(told.reason, "triple fault"))
		FAIL("the reason is \"%s\"", told.reason);
	CHECK_EQ(nl_vm_get(nl, told.id, &got), 0);
	CHECK_MEM(&told, &got, sizeof(got));
	quiet(listener);
	vm_free(vm);
	CHECK(!(NL_EXPECT(listener, LODGE_STATE_DESTROYED).has & BIT(LODGE_A_VM_REASON)));
}

struct runner {
	struct vcpu *vcpu;
	long ret;
};

static void *run_once(void *arg)
{
	struct runner *runner = arg;

	runner->ret = run_try(runner->vcpu);
	return NULL;
}

static struct vm *vm_with_irqchip(void)
{
	struct vm *vm = vm_create();

	REQUIRE_CAP(vm->fd, KVM_CAP_IRQCHIP);
	CHECK_OK(xioctl(vm->fd, KVM_CREATE_IRQCHIP, 0));
	return vm;
}

static void halt_for_ever_is_told_once(void)
{
	struct nl *nl = listen_open();
	struct vm *vm = vm_with_irqchip();
	struct runner runner = { .vcpu = vcpu_add(vm, 0) };
	pthread_t thread;

	signal_catch(SIGUSR1);
	NL_EXPECT(nl, LODGE_STATE_CREATED);
	real_code(runner.vcpu, "\xfa\xf4", 2);	/* cli; hlt */
	thread = thread_start(run_once, &runner);
	NL_EXPECT(nl, LODGE_STATE_RUNNING);
	NL_EXPECT(nl, LODGE_STATE_HALTED);
	quiet(nl);
	/* A signal takes the thread out of the kernel, not the guest out of its halt. */
	CHECK_EQ(pthread_kill(thread, SIGUSR1), 0);
	thread_join(thread);
	CHECK_ERR(runner.ret, EINTR);
	thread = thread_start(run_once, &runner);
	quiet(nl);
	CHECK_EQ(pthread_kill(thread, SIGUSR1), 0);
	thread_join(thread);
	vm_free(vm);
	NL_EXPECT(nl, LODGE_STATE_DESTROYED);
}

/* A guest that waits for its next interrupt is idle, not halted. */
static void idle_is_not_halted(void)
{
	struct nl *nl = listen_open();
	struct vm *vm = vm_with_irqchip();
	struct runner runner = { .vcpu = vcpu_add(vm, 0) };
	pthread_t thread;

	signal_catch(SIGUSR1);
	NL_EXPECT(nl, LODGE_STATE_CREATED);
	real_code(runner.vcpu, "\xfb\xf4", 2);	/* sti; hlt */
	thread = thread_start(run_once, &runner);
	NL_EXPECT(nl, LODGE_STATE_RUNNING);
	quiet(nl);
	CHECK_EQ(pthread_kill(thread, SIGUSR1), 0);
	thread_join(thread);
	vm_free(vm);
}

static void nmi_ends_the_halt(void)
{
	struct nl *nl = listen_open();
	struct vm *vm = vm_with_irqchip();
	struct runner runner = { .vcpu = vcpu_add(vm, 0) };
	struct kvm_msi nmi = { .address_lo = 0xfee00000, .data = 4 << 8 };
	pthread_t thread;

	NL_EXPECT(nl, LODGE_STATE_CREATED);
	real_code(runner.vcpu, "\xfa\xf4\xe6\x42", 4);	/* cli; hlt; out */
	/* vector 2: iret */
	memcpy(vm_hva(vm, 2 * 4), "\x00\x20\x00\x00", 4);
	memcpy(vm_hva(vm, 0x2000), "\xcf", 1);
	thread = thread_start(run_once, &runner);
	NL_EXPECT(nl, LODGE_STATE_RUNNING);
	NL_EXPECT(nl, LODGE_STATE_HALTED);
	/* As a message: KVM_NMI would wait for the thread in KVM_RUN. */
	CHECK_EQ(xioctl(vm->fd, KVM_SIGNAL_MSI, &nmi), 1);
	NL_EXPECT(nl, LODGE_STATE_RUNNING);
	thread_join(thread);
	CHECK_EQ(runner.ret, 0);
	CHECK_EQ(runner.vcpu->run->exit_reason, KVM_EXIT_IO);
	vm_free(vm);
}

static void without_listeners_nothing_is_kept(void)
{
	struct nl *nl = nl_open();
	struct vm *vm = vm_create_bare();

	CHECK_EQ(nl_subscribe(nl, nl->group), 0);
	quiet(nl);
	vm_free(vm);
	NL_EXPECT(nl, LODGE_STATE_DESTROYED);
}

static const struct test tests[] = {
	TEST(birth_and_death),
	TEST(last_descriptor_destroys),
	TEST(running_is_told_once),
	TEST(event_carries_what_get_returns),
	TEST(crash_has_a_reason),
	TEST(halt_for_ever_is_told_once),
	TEST(idle_is_not_halted),
	TEST(nmi_ends_the_halt),
	TEST(without_listeners_nothing_is_kept),
};

KTAP_MAIN(tests)
