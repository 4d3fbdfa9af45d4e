// SPDX-License-Identifier: GPL-2.0-only
/*
 * Several vCPUs on one memory while the host discards, forks and changes slots:
 * every vCPU's own pattern stays, atomics add up, nobody sees a stale page.
 */
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "modes.h"
#include "thread.h"

#define GPA	0x40000000ul
#define SIZE	(4ul << 20)
#define SHARED	0x50000000ul
#define VCPUS	3

/* shared[0] and shared[512] count, shared[1024] says when to stop. */
static void guest_hammer(void)
{
	u64 me = guest_this()->index, round, i;
	volatile u64 *shared = (u64 *)SHARED;

	for (round = 0; !shared[1024]; round++) {
		for (i = me; i < SIZE / PAGE_SIZE; i += VCPUS) {
			volatile u64 *p = (u64 *)(GPA + i * PAGE_SIZE);
			u64 val = p[me];

			/* Own last value, or zero after a discard. */
			GUEST_CHECK(!val || val == (round << 8 | me));
			p[me] = (round + 1) << 8 | me;
			if (i % 64 == me)
				asm volatile("lock incq %0" : "+m" (shared[0]));
		}
		asm volatile("lock incq %0" : "+m" (shared[512]));
	}
	guest_sync(round);
}

struct machine {
	struct vm *vm;
	u8 *mem;
	u64 *shared;
	bool done;
};

static void *run_to_the_end(void *arg)
{
	struct vcpu *vcpu = arg;

	CHECK_EQ(run_ucall(vcpu, __FILE__, __LINE__), UCALL_SYNC);
	return NULL;
}

static void *discard(void *arg)
{
	struct machine *m = arg;
	unsigned int i = 0;

	while (!READ_ONCE(m->done)) {
		CHECK_EQ(madvise(m->mem + (i % 2) * PAGE_2M, PAGE_2M, MADV_DONTNEED), 0);
		i++;
		usleep(2000);
	}
	return NULL;
}

static void *change_slots(void *arg)
{
	struct machine *m = arg;
	void *other = pages_map(PAGE_2M);

	while (!READ_ONCE(m->done)) {
		slot_set(m->vm, 5, 0, 0x60000000, PAGE_2M, other);
		slot_set(m->vm, 1, KVM_MEM_LOG_DIRTY_PAGES, GPA, SIZE, m->mem);
		slot_set(m->vm, 1, 0, GPA, SIZE, m->mem);
		slot_set(m->vm, 5, 0, 0, 0, NULL);
		usleep(1000);
	}
	return NULL;
}

static void *fork_often(void *arg)
{
	struct machine *m = arg;
	int status;

	while (!READ_ONCE(m->done)) {
		pid_t pid = fork();

		CHECK_GE(pid, 0);
		if (!pid) {
			memset(m->mem, 0xff, SIZE / 4);
			m->shared[0] = 0;
			_exit(0);
		}
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		usleep(5000);
	}
	return NULL;
}

static void hammer(void *(*disturb)(void *))
{
	struct machine m = { .vm = vm_create(), .mem = pages_map(SIZE) };
	u64 per_round[VCPUS] = { 0 }, rounds = 0, marks = 0, i;
	pthread_t threads[VCPUS], other;

	m.shared = pages_map(3 * PAGE_SIZE);
	slot_set(m.vm, 1, 0, GPA, SIZE, m.mem);
	slot_set(m.vm, 2, 0, SHARED, 3 * PAGE_SIZE, m.shared);
	for (i = 0; i < VCPUS; i++)
		vcpu_entry(vcpu_add(m.vm, (unsigned int)i), guest_hammer);
	other = thread_start(disturb, &m);
	for (i = 0; i < VCPUS; i++)
		threads[i] = thread_start(run_to_the_end, m.vm->vcpus[i]);
	sleep_ms(2000);
	WRITE_ONCE(m.done, true);
	thread_join(other);
	WRITE_ONCE(m.shared[1024], 1);
	for (i = 0; i < VCPUS; i++)
		thread_join(threads[i]);
	for (i = 0; i < SIZE / PAGE_SIZE; i++)
		per_round[i % VCPUS] += i % 64 == i % VCPUS;
	for (i = 0; i < VCPUS; i++) {
		u64 did = m.vm->vcpus[i]->cpu->uc.args[0];

		CHECK_GE(did, 1);
		rounds += did;
		marks += did * per_round[i];
	}
	CHECK_EQ(m.shared[0], marks);
	CHECK_EQ(m.shared[512], rounds);
	vm_free(m.vm);
}

static void with_discards(void)
{
	hammer(discard);
}

static void with_slot_changes(void)
{
	hammer(change_slots);
}

static void with_forks(void)
{
	hammer(fork_often);
}

static const struct test tests[] = {
	TEST(with_discards),
	TEST(with_slot_changes),
	TEST(with_forks),
};

KTAP_MAIN(tests)
