// SPDX-License-Identifier: GPL-2.0-only
/*
 * fork() of the VMM makes all its pages copy-on-write. The guest belongs to the
 * parent: its writes stay visible to the parent and to nobody else, the child's
 * writes never reach the guest, whichever side writes first.
 */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "modes.h"
#include "thread.h"

#define GPA	0x40000000ul
#define PAGES	64ul

static void guest_writes(void)
{
	volatile u64 *p = (u64 *)GPA;
	u64 round, i;

	for (round = 1;; round++) {
		for (i = 0; i < PAGES; i++) {
			GUEST_CHECK_EQ(p[i * 512], (round - 1) * 1000 + (round > 1 ? i : 0));
			p[i * 512] = round * 1000 + i;
		}
		guest_sync(round);
	}
}

static void check_pages(const u64 *mem, u64 round)
{
	u64 i;

	for (i = 0; i < PAGES; i++)
		CHECK_EQ(mem[i * 512], round * 1000 + i);
}

/* A child that checks its snapshot, then spoils it, then waits. */
static pid_t spoiling_child(u64 *mem, u64 round, int go)
{
	pid_t pid = fork();
	u64 i;
	char c;

	CHECK_GE(pid, 0);
	if (pid)
		return pid;
	if (round)
		check_pages(mem, round);
	for (i = 0; i < PAGES; i += 2)
		mem[i * 512] = 0xbad;
	CHECK_EQ(read(go, &c, 1), 1);
	for (i = 0; i < PAGES; i++)
		CHECK_EQ(mem[i * 512], i % 2 ? round * 1000 + (round ? i : 0) : 0xbad);
	_exit(0);
}

static void between_runs(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	u64 *mem = pages_map(PAGES * PAGE_SIZE), round;
	int go[2], status;

	CHECK_EQ(pipe(go), 0);
	slot_set(vm, 1, 0, GPA, PAGES * PAGE_SIZE, mem);
	vcpu_entry(vcpu, guest_writes);
	for (round = 1; round < 10; round++) {
		pid_t pid;

		RUN_SYNC(vcpu, round);
		check_pages(mem, round);
		pid = spoiling_child(mem, round, go[0]);
		RUN_SYNC(vcpu, ++round);
		check_pages(mem, round);
		CHECK_EQ(write(go[1], "x", 1), 1);
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		CHECK_EQ(status, 0);
	}
	vm_free(vm);
}

/* The guest never stops: it counts in every page while the VMM forks. */
static void guest_counts(void)
{
	volatile u64 *p = (u64 *)GPA;
	u64 count, i;

	for (count = 1; !p[PAGES * 512]; count++)
		for (i = 0; i < PAGES; i++) {
			GUEST_CHECK_EQ(p[i * 512], count - 1);
			p[i * 512] = count;
		}
	guest_sync(count - 1);
	guest_done();
}

static void *fork_often(void *arg)
{
	u64 *mem = arg;
	unsigned int round, i;
	int status;

	for (round = 0; round < 20; round++) {
		u64 before = READ_ONCE(mem[0]), end;
		pid_t pid = fork();

		CHECK_GE(pid, 0);
		if (!pid) {
			/* A snapshot: frozen, though taken in the middle. */
			u64 a = READ_ONCE(mem[0]), b = READ_ONCE(mem[(PAGES - 1) * 512]);

			for (i = 0; i < PAGES; i++)
				mem[i * 512] = 0xbad00000bad;
			_exit(a - b > 1);
		}
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		CHECK_EQ(status, 0);
		/* The parent goes on seeing what the guest writes. */
		end = now_ns() + ktap_scale(10) * 1000000000ull;
		while (READ_ONCE(mem[0]) <= before + 2)
			CHECK(now_ns() < end);
	}
	WRITE_ONCE(mem[PAGES * 512], 1);
	return NULL;
}

static void while_running(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	u64 *mem = pages_map((PAGES + 1) * PAGE_SIZE), i, count;
	pthread_t thread;

	slot_set(vm, 1, 0, GPA, (PAGES + 1) * PAGE_SIZE, mem);
	vcpu_entry(vcpu, guest_counts);
	thread = thread_start(fork_often, mem);
	CHECK_EQ(run_ucall(vcpu, __FILE__, __LINE__), UCALL_SYNC);
	count = vcpu->cpu->uc.args[0];
	thread_join(thread);
	for (i = 0; i < PAGES; i++)
		CHECK_EQ(mem[i * 512], count);
	RUN_DONE(vcpu);
	vm_free(vm);
}

/* A child that lives on after the parent's VM is gone holds no part of it. */
static void child_outlives_the_vm(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	u64 *mem = pages_map(PAGES * PAGE_SIZE);
	int go[2], status;
	pid_t pid;

	CHECK_EQ(pipe(go), 0);
	slot_set(vm, 1, 0, GPA, PAGES * PAGE_SIZE, mem);
	vcpu_entry(vcpu, guest_writes);
	RUN_SYNC(vcpu, 1);
	pid = spoiling_child(mem, 1, go[0]);
	vm_free(vm);
	CHECK_EQ(write(go[1], "x", 1), 1);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	check_pages(mem, 1);
}

static const struct test tests[] = {
	TEST(between_runs),
	TEST_SECONDS(while_running, 60),
	TEST(child_outlives_the_vm),
};

KTAP_MAIN(tests)
