// SPDX-License-Identifier: GPL-2.0-only
/*
 * Slots change while two vCPUs use them: one moves away and comes back, one is
 * deleted and made again over other memory, one has its log switched on and
 * off. What the guest reads is at each moment the memory of some slot that was
 * set there, or the answer of user space to an access to none; what it writes
 * to a slot that stays is never lost.
 */
#include <stdlib.h>

#include "modes.h"
#include "thread.h"

#define GPA_MOVES	0x40000000ul
#define GPA_AWAY	0x60000000ul
#define GPA_RENEWED	0x80000000ul
#define GPA_LOGGED	0xa0000000ul
#define SIZE		(64 * PAGE_SIZE)
#define WORDS		(SIZE / 8)
#define HOLE		0x5a5a5a5a5a5a5a5aull	/* user space's answer */
#define A		0x1111111111111111ull
#define B		0x2222222222222222ull
#define M		0x3333333333333333ull
#define ROUNDS		300

static volatile u64 stop;

static void guest_uses(void)
{
	volatile u64 *moves = (u64 *)GPA_MOVES, *renewed = (u64 *)GPA_RENEWED, *logged = (u64 *)GPA_LOGGED, val;
	u64 i, me = guest_this()->index;

	for (i = 0; !stop; i++) {
		u64 at = i * 509 % WORDS;

		val = moves[at];
		GUEST_CHECK(val == M || val == HOLE);
		val = renewed[at];
		GUEST_CHECK(val == A || val == B || val == HOLE);
		/* Each vCPU counts in its own word of each page. */
		logged[i % 64 * 512 + me]++;
	}
	guest_sync(i);
	guest_done();
}

struct runner {
	struct vcpu *vcpu;
	u64 rounds;
	u64 holes;
};

static void *run_guest(void *arg)
{
	struct runner *r = arg;
	struct kvm_run *run = r->vcpu->run;
	u64 hole = HOLE;

	for (;;) {
		CHECK_EQ(run_try(r->vcpu), 0);
		if (run->exit_reason != KVM_EXIT_MMIO)
			break;
		/* The slot that stays has no hole. */
		CHECK(run->mmio.phys_addr < GPA_LOGGED);
		CHECK(!run->mmio.is_write);
		memcpy(run->mmio.data, &hole, run->mmio.len);
		r->holes++;
	}
	CHECK_EQ(ucall_check(r->vcpu, __FILE__, __LINE__), UCALL_SYNC);
	r->rounds = r->vcpu->cpu->uc.args[0];
	return NULL;
}

static u64 *pattern(u64 val)
{
	u64 *mem = pages_map(SIZE), i;

	for (i = 0; i < WORDS; i++)
		mem[i] = val;
	return mem;
}

static void dirty_or(struct vm *vm, u64 *all)
{
	u64 bitmap = 0;
	struct kvm_dirty_log log = { .slot = 3, .dirty_bitmap = &bitmap };

	CHECK_EQ(xioctl(vm->fd, KVM_GET_DIRTY_LOG, &log), 0);
	*all |= bitmap;
}

static void changes_under_vcpus(void)
{
	u64 *moves, *a, *b, *logged, dirty, all = 0, i, sum, holes = 0;
	struct runner runners[2] = { 0 };
	pthread_t threads[2];
	struct vm *vm;

	require_cpus(2);
	vm = vm_create();
	moves = pattern(M);
	a = pattern(A);
	b = pattern(B);
	logged = pattern(0);
	slot_set(vm, 1, 0, GPA_MOVES, SIZE, moves);
	slot_set(vm, 2, 0, GPA_RENEWED, SIZE, a);
	slot_set(vm, 3, 0, GPA_LOGGED, SIZE, logged);
	for (i = 0; i < 2; i++) {
		runners[i].vcpu = vcpu_add(vm, (unsigned int)i);
		vcpu_entry(runners[i].vcpu, guest_uses);
	}
	for (i = 0; i < 2; i++)
		threads[i] = thread_start(run_guest, &runners[i]);

	for (i = 0; i < ROUNDS; i++) {
		slot_set(vm, 1, 0, GPA_AWAY, SIZE, moves);
		slot_set(vm, 2, 0, GPA_RENEWED, 0, NULL);
		slot_set(vm, 3, KVM_MEM_LOG_DIRTY_PAGES, GPA_LOGGED, SIZE, logged);
		slot_set(vm, 1, 0, GPA_MOVES, SIZE, moves);
		slot_set(vm, 2, i & 1 ? KVM_MEM_READONLY : 0, GPA_RENEWED, SIZE, i & 2 ? a : b);
		if (i % 8 == 0)
			sleep_ms(1);
		dirty = 0;
		dirty_or(vm, &dirty);
		dirty_or(vm, &dirty);
		all |= dirty;
		slot_set(vm, 3, 0, GPA_LOGGED, SIZE, logged);
	}
	/* A last log that nothing interrupts: the counters stand still where no bit is set. */
	slot_set(vm, 3, KVM_MEM_LOG_DIRTY_PAGES, GPA_LOGGED, SIZE, logged);
	GVAR(vm, stop) = 1;
	for (i = 0; i < 2; i++) {
		thread_join(threads[i]);
		holes += runners[i].holes;
	}
	dirty_or(vm, &all);
	for (sum = 0, i = 0; i < 64; i++)
		sum += logged[i * 512] + logged[i * 512 + 1];
	ktap_diag("%llu rounds, %llu reads of nothing, pages seen dirty 0x%llx", (unsigned long long)sum,
		  (unsigned long long)holes, (unsigned long long)all);
	CHECK_EQ(sum, runners[0].rounds + runners[1].rounds);
	CHECK_GE(sum, ROUNDS);
	CHECK_NE(all, 0);
	for (i = 0; i < WORDS; i++) {
		CHECK_EQ(moves[i], M);
		CHECK_EQ(a[i], A);
		CHECK_EQ(b[i], B);
	}
	vm_free(vm);
}

/* Every write between two reads of the log is in the second. */
static void guest_counts(void)
{
	volatile u64 *logged = (u64 *)GPA_LOGGED;
	u64 i;

	for (i = 0; !stop; i++)
		logged[i * 37 % 64 * 512]++;
	guest_sync(i);
	guest_done();
}

static void log_misses_nothing(void)
{
	static u64 before[64], after[64];
	struct runner runner = { 0 };
	u64 i, round, bitmap, changed;
	pthread_t thread;
	struct vm *vm;
	volatile u64 *logged;
	struct kvm_dirty_log log = { .slot = 3, .dirty_bitmap = &bitmap };

	require_cpus(2);
	vm = vm_create();
	logged = pattern(0);
	slot_set(vm, 3, KVM_MEM_LOG_DIRTY_PAGES, GPA_LOGGED, SIZE, (void *)logged);
	runner.vcpu = vcpu_add(vm, 0);
	vcpu_entry(runner.vcpu, guest_counts);
	thread = thread_start(run_guest, &runner);
	for (round = 0; round < ROUNDS; round++) {
		/* What changes after this reading of the log... */
		CHECK_EQ(xioctl(vm->fd, KVM_GET_DIRTY_LOG, &log), 0);
		for (i = 0; i < 64; i++)
			before[i] = logged[i * 512];
		if (round % 4 == 0)
			sleep_ms(1);
		for (i = 0; i < 64; i++)
			after[i] = logged[i * 512];
		/* ... is in the next. */
		for (changed = 0, i = 0; i < 64; i++)
			if (before[i] != after[i])
				changed |= BIT(i);
		CHECK_EQ(xioctl(vm->fd, KVM_GET_DIRTY_LOG, &log), 0);
		CHECK_EQ(changed & ~bitmap, 0);
	}
	GVAR(vm, stop) = 1;
	thread_join(thread);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST_SECONDS(changes_under_vcpus, 60),
	TEST_SECONDS(log_misses_nothing, 60),
};

KTAP_MAIN(tests)
