// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages that the VMM takes away while the guest has them mapped: discarded,
 * punched out of their file, replaced by another mapping, moved. From the
 * system call's return on the guest sees the new state, running or not.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "modes.h"
#include "thread.h"

#define GPA	0x40000000ul
#define SIZE	PAGE_2M

static void guest_reports(void)
{
	volatile u64 *p = (u64 *)GPA;

	for (;;) {
		guest_sync4(p[0], p[SIZE / 16], p[SIZE / 8 - 1], 0);
		p[1] = 1;
	}
}

static void expect(struct vcpu *vcpu, u64 a, u64 b, u64 c)
{
	CHECK_EQ(run_ucall(vcpu, __FILE__, __LINE__), UCALL_SYNC);
	CHECK_EQ(vcpu->cpu->uc.args[0], a);
	CHECK_EQ(vcpu->cpu->uc.args[1], b);
	CHECK_EQ(vcpu->cpu->uc.args[2], c);
}

static struct vm *start(struct vcpu **vcpu, u64 *mem)
{
	struct vm *vm = vm_create();

	*vcpu = vcpu_add(vm, 0);
	slot_set(vm, 1, 0, GPA, SIZE, mem);
	vcpu_entry(*vcpu, guest_reports);
	return vm;
}

static u64 *aligned(void)
{
	u8 *p = pages_map(2 * SIZE);

	return (u64 *)(((uintptr_t)p + SIZE - 1) & ~(SIZE - 1));
}

static void fill(u64 *mem, u64 val)
{
	mem[0] = val;
	mem[SIZE / 16] = val + 1;
	mem[SIZE / 8 - 1] = val + 2;
}

static void dontneed(void)
{
	u64 *mem = aligned();
	struct vcpu *vcpu;
	struct vm *vm = start(&vcpu, mem);
	unsigned int i;

	for (i = 1; i < 50; i++) {
		/* As large as the host likes, then in small pages, of which none may be forgotten. */
		if (i == 25)
			CHECK_EQ(madvise(mem, SIZE, MADV_NOHUGEPAGE), 0);
		fill(mem, i);
		expect(vcpu, i, i + 1, i + 2);
		CHECK_EQ(madvise(mem, SIZE, MADV_DONTNEED), 0);
		expect(vcpu, 0, 0, 0);
	}
	vm_free(vm);
}

static void dontneed_one_page(void)
{
	u64 *mem = aligned();
	struct vcpu *vcpu;
	struct vm *vm = start(&vcpu, mem);

	fill(mem, 5);
	expect(vcpu, 5, 6, 7);
	CHECK_EQ(madvise((u8 *)mem + SIZE / 2, PAGE_SIZE, MADV_DONTNEED), 0);
	expect(vcpu, 5, 0, 7);
	CHECK_EQ(madvise(mem, PAGE_SIZE, MADV_DONTNEED), 0);
	expect(vcpu, 0, 0, 7);
	vm_free(vm);
}

static void punched_hole(void)
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
	fill(mem, 5);
	expect(vcpu, 5, 6, 7);
	CHECK_EQ(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			   SIZE / 2, PAGE_SIZE), 0);
	expect(vcpu, 5, 0, 7);
	CHECK_EQ(madvise(mem, PAGE_SIZE, MADV_REMOVE), 0);
	expect(vcpu, 0, 0, 7);
	/* Written through the file. */
	CHECK_EQ(pwrite(fd, "\x44", 1, SIZE / 2), 1);
	expect(vcpu, 0, 0x44, 7);
	vm_free(vm);
}

static void replaced_mapping(void)
{
	u64 *mem = aligned(), i;
	struct vcpu *vcpu;
	struct vm *vm = start(&vcpu, mem);

	for (i = 1; i < 50; i++) {
		u64 *fresh = pages_map(SIZE);

		fill(fresh, i);
		CHECK(mremap(fresh, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, mem) == mem);
		expect(vcpu, i, i + 1, i + 2);
	}
	vm_free(vm);
}

/* The guest counts in a page that is discarded under it, again and again. */
static void guest_spins(void)
{
	volatile u64 *p = (u64 *)GPA;

	for (;;) {
		u64 stamp = p[0];

		/* Only what the host wrote, or zero after a discard. */
		GUEST_CHECK((stamp & 0xffff) == 0);
		p[512] = stamp;
		if (stamp == 0xffff0000)
			break;
	}
	guest_done();
}

struct discarder {
	u64 *mem;
	u64 rounds;
};

static void *discard(void *arg)
{
	struct discarder *d = arg;
	u64 i;

	for (i = 1; i <= d->rounds; i++) {
		WRITE_ONCE(d->mem[0], i << 16);
		CHECK_EQ(madvise(d->mem, SIZE, MADV_DONTNEED), 0);
	}
	WRITE_ONCE(d->mem[0], 0xffff0000);
	return NULL;
}

static void while_running(void)
{
	struct discarder d = { .mem = aligned(), .rounds = 2000 };
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	pthread_t thread;

	slot_set(vm, 1, 0, GPA, SIZE, d.mem);
	vcpu_entry(vcpu, guest_spins);
	thread = thread_start(discard, &d);
	RUN_DONE(vcpu);
	thread_join(thread);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(dontneed),
	TEST(dontneed_one_page),
	TEST(punched_hole),
	TEST(replaced_mapping),
	TEST_SECONDS(while_running, 60),
};

KTAP_MAIN(tests)
