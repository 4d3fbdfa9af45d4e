// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_GET_MP_STATE and KVM_SET_MP_STATE without and with an in-kernel LAPIC:
 * initial values, what may be set, and what the states do to KVM_RUN.
 */
#include <signal.h>

#include "modes.h"
#include "thread.h"

static u32 mp_get(struct vcpu *vcpu)
{
	struct kvm_mp_state mp = { .mp_state = 0xaa };

	CHECK_EQ(xioctl(vcpu->fd, KVM_GET_MP_STATE, &mp), 0);
	return mp.mp_state;
}

static long mp_set(struct vcpu *vcpu, u32 state)
{
	struct kvm_mp_state mp = { .mp_state = state };

	return xioctl(vcpu->fd, KVM_SET_MP_STATE, &mp);
}

static void without_irqchip(void)
{
	struct vm *vm = vm_create();
	struct vcpu *first = vcpu_add(vm, 0), *second = vcpu_add(vm, 1);

	CHECK_EQ(mp_get(first), KVM_MP_STATE_RUNNABLE);
	CHECK_EQ(mp_get(second), KVM_MP_STATE_RUNNABLE);
	CHECK_EQ(mp_set(first, KVM_MP_STATE_RUNNABLE), 0);
	CHECK_ERR(mp_set(first, KVM_MP_STATE_HALTED), EINVAL);
	CHECK_ERR(mp_set(first, KVM_MP_STATE_INIT_RECEIVED), EINVAL);
	CHECK_ERR(mp_set(first, KVM_MP_STATE_SIPI_RECEIVED), EINVAL);
	CHECK_ERR(mp_set(first, KVM_MP_STATE_UNINITIALIZED), EINVAL);
	CHECK_EQ(mp_get(first), KVM_MP_STATE_RUNNABLE);
	vm_free(vm);
}

static struct vm *vm_with_irqchip(struct vcpu **first, struct vcpu **second)
{
	struct vm *vm = vm_create();

	REQUIRE_CAP(vm->fd, KVM_CAP_IRQCHIP);
	CHECK_OK(xioctl(vm->fd, KVM_CREATE_IRQCHIP, 0));
	*first = vcpu_add(vm, 0);
	*second = vcpu_add(vm, 1);
	return vm;
}

static void with_irqchip(void)
{
	struct vcpu *first, *second;
	struct vm *vm = vm_with_irqchip(&first, &second);
	static const u32 states[] = {
		KVM_MP_STATE_UNINITIALIZED, KVM_MP_STATE_INIT_RECEIVED,
		KVM_MP_STATE_HALTED, KVM_MP_STATE_RUNNABLE,
	};
	size_t i;

	CHECK_EQ(mp_get(first), KVM_MP_STATE_RUNNABLE);
	CHECK_EQ(mp_get(second), KVM_MP_STATE_UNINITIALIZED);
	for (i = 0; i < ARRAY_SIZE(states); i++) {
		CHECK_EQ(mp_set(second, states[i]), 0);
		CHECK_EQ(mp_get(second), states[i]);
	}
	vm_free(vm);
}

struct waiter {
	struct vcpu *vcpu;
	long ret;
};

static void *run_once(void *arg)
{
	struct waiter *w = arg;

	w->ret = run_try(w->vcpu);
	return NULL;
}

/* A vCPU that waits for INIT sleeps in KVM_RUN until a signal. */
static void uninitialized_blocks(void)
{
	struct vcpu *first, *second;
	struct vm *vm = vm_with_irqchip(&first, &second);
	struct waiter w = { .vcpu = second, .ret = 1 };
	pthread_t thread;

	signal_catch(SIGUSR1);
	vcpu_mode(second, MODE_REAL16, REAL_CODE);
	memset(vm_hva(vm, REAL_CODE), 0xf4, 1);
	thread = thread_start(run_once, &w);
	sleep_ms(100);
	CHECK_EQ(w.ret, 1);
	CHECK_EQ(pthread_kill(thread, SIGUSR1), 0);
	thread_join(thread);
	CHECK_ERR(w.ret, EINTR);
	CHECK_EQ(second->run->exit_reason, KVM_EXIT_INTR);
	vm_free(vm);
}

/* A halted vCPU with a LAPIC sleeps in the kernel, and wakes when told so. */
static void hlt_blocks(void)
{
	struct vcpu *first, *second;
	struct vm *vm = vm_with_irqchip(&first, &second);
	struct waiter w = { .vcpu = first, .ret = 1 };
	pthread_t thread;

	signal_catch(SIGUSR1);
	memcpy(vm_hva(vm, REAL_CODE), "\xf4\xe6\x42", 3);	/* hlt; out */
	vcpu_mode(first, MODE_REAL16, REAL_CODE);
	thread = thread_start(run_once, &w);
	sleep_ms(100);
	CHECK_EQ(w.ret, 1);
	CHECK_EQ(pthread_kill(thread, SIGUSR1), 0);
	thread_join(thread);
	CHECK_ERR(w.ret, EINTR);
	CHECK_EQ(mp_get(first), KVM_MP_STATE_HALTED);
	CHECK_EQ(mp_set(first, KVM_MP_STATE_RUNNABLE), 0);
	RUN_EXPECT(first, KVM_EXIT_IO);
	CHECK_EQ(first->run->io.port, 0x42);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(without_irqchip),
	TEST(with_irqchip),
	TEST(uninitialized_blocks),
	TEST(hlt_blocks),
};

KTAP_MAIN(tests)
