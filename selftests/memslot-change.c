// SPDX-License-Identifier: GPL-2.0-only
/*
 * Slots that come, go and move between two runs and under a running vCPU: the
 * guest sees the new map from the ioctl's return on; a hole is an MMIO exit.
 */
#include <signal.h>

#include "modes.h"
#include "thread.h"

#define GPA	0x10000000ul
#define SIZE	PAGE_2M

static void guest_read_loop(void)
{
	volatile u64 *p = (u64 *)GPA;

	for (;;)
		guest_sync(*p);
}

static void answer_hole(struct vcpu *vcpu, u64 val)
{
	RUN_EXPECT(vcpu, KVM_EXIT_MMIO);
	CHECK_EQ(vcpu->run->mmio.phys_addr, GPA);
	CHECK_EQ(vcpu->run->mmio.is_write, 0);
	CHECK_EQ(vcpu->run->mmio.len, 8);
	memcpy(vcpu->run->mmio.data, &val, 8);
}

static void deleted_slot_is_mmio(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	u64 *mem = pages_map(SIZE);

	slot_set(vm, 1, 0, GPA, SIZE, mem);
	mem[0] = 0x1111;
	vcpu_entry(vcpu, guest_read_loop);
	RUN_SYNC(vcpu, 0x1111);
	slot_set(vm, 1, 0, 0, 0, NULL);
	answer_hole(vcpu, 0x2222);
	RUN_SYNC(vcpu, 0x2222);
	answer_hole(vcpu, 0x3333);
	RUN_SYNC(vcpu, 0x3333);
	slot_set(vm, 1, 0, GPA, SIZE, mem);
	RUN_SYNC(vcpu, 0x1111);
	vm_free(vm);
}

static void other_backing(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	u64 *a = pages_map(SIZE), *b = pages_map(SIZE);

	a[0] = 0xaaaa;
	b[0] = 0xbbbb;
	vcpu_entry(vcpu, guest_read_loop);
	slot_set(vm, 1, 0, GPA, SIZE, a);
	RUN_SYNC(vcpu, 0xaaaa);
	slot_set(vm, 1, 0, 0, 0, NULL);
	slot_set(vm, 1, 0, GPA, SIZE, b);
	RUN_SYNC(vcpu, 0xbbbb);
	slot_set(vm, 1, 0, 0, 0, NULL);
	/* Through another slot number, and from the middle of the range. */
	slot_set(vm, 7, 0, GPA - PAGE_SIZE, SIZE, a);
	RUN_SYNC(vcpu, a[PAGE_SIZE / 8]);
	vm_free(vm);
}

static void moved_slot(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	u64 *mem = pages_map(SIZE);

	mem[0] = 0x1111;
	mem[SIZE / 8 / 2] = 0x2222;
	vcpu_entry(vcpu, guest_read_loop);
	slot_set(vm, 1, 0, GPA, SIZE, mem);
	RUN_SYNC(vcpu, 0x1111);
	slot_set(vm, 1, 0, GPA - SIZE / 2, SIZE, mem);
	RUN_SYNC(vcpu, 0x2222);
	slot_set(vm, 1, 0, GPA + SIZE, SIZE, mem);
	answer_hole(vcpu, 5);
	RUN_SYNC(vcpu, 5);
	slot_set(vm, 1, 0, GPA, SIZE, mem);
	RUN_SYNC(vcpu, 0x1111);
	vm_free(vm);
}

/* The guest spins on memory that vanishes; its next read must leave. */
static void guest_spin(void)
{
	volatile u64 *p = (u64 *)GPA;

	while (*p == 0x1111)
		cpu_relax();
	guest_sync(*p);
	guest_done();
}

static void *delete_later(void *arg)
{
	struct vm *vm = arg;

	sleep_ms(100);
	slot_set(vm, 1, 0, 0, 0, NULL);
	return NULL;
}

static void deleted_while_running(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	u64 *mem = pages_map(SIZE);
	pthread_t thread;

	mem[0] = 0x1111;
	slot_set(vm, 1, 0, GPA, SIZE, mem);
	vcpu_entry(vcpu, guest_spin);
	thread = thread_start(delete_later, vm);
	answer_hole(vcpu, 9);
	answer_hole(vcpu, 10);
	RUN_SYNC(vcpu, 10);
	thread_join(thread);
	RUN_DONE(vcpu);
	vm_free(vm);
}

/* A slot's flags change under a running guest, which must not notice. */
static void guest_count(void)
{
	volatile u64 *p = (u64 *)GPA;
	u64 i;

	for (i = 0; !p[512]; i++) {
		p[0] = i;
		GUEST_CHECK_EQ(p[0], i);
		p[1024 + i % 1024] = i;
	}
	guest_done();
}

static volatile int stop_toggling;

static void *toggle_logging(void *arg)
{
	struct vm *vm = arg;
	void *mem = *(void **)(vm->mem + PAGE_SIZE);
	unsigned int i;

	for (i = 0; i < 200; i++) {
		slot_set(vm, 1, KVM_MEM_LOG_DIRTY_PAGES, GPA, SIZE, mem);
		slot_set(vm, 1, 0, GPA, SIZE, mem);
	}
	((volatile u64 *)mem)[512] = 1;
	stop_toggling = 1;
	return NULL;
}

static void flags_while_running(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	void *mem = pages_map(SIZE);
	pthread_t thread;

	memcpy(vm->mem + PAGE_SIZE, &mem, sizeof(mem));
	slot_set(vm, 1, 0, GPA, SIZE, mem);
	vcpu_entry(vcpu, guest_count);
	thread = thread_start(toggle_logging, vm);
	RUN_DONE(vcpu);
	thread_join(thread);
	CHECK(stop_toggling);
	vm_free(vm);
}

/* Low memory replaced while the guest's code and stack live beside it. */
static void unrelated_slot_stays(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	u64 *mem = pages_map(SIZE);
	unsigned int i;

	mem[0] = 0x1234;
	slot_set(vm, 1, 0, GPA, SIZE, mem);
	vcpu_entry(vcpu, guest_read_loop);
	for (i = 0; i < 100; i++) {
		slot_set(vm, 2, 0, 0x20000000, SIZE, mem);
		RUN_SYNC(vcpu, 0x1234);
		slot_set(vm, 2, 0, 0, 0, NULL);
		RUN_SYNC(vcpu, 0x1234);
	}
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(deleted_slot_is_mmio),
	TEST(other_backing),
	TEST(moved_slot),
	TEST(deleted_while_running),
	TEST(flags_while_running),
	TEST(unrelated_slot_stays),
};

KTAP_MAIN(tests)
