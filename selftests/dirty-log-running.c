// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dirty log read while a vCPU writes without ever leaving the guest by itself: whatever it had written before the
 * ioctl began is in the log that the ioctl gives, and in the end a copy made of what the logs named is complete.
 */
#include "modes.h"
#include "thread.h"

#define GPA	0x40000000ul
#define PAGES	128ul
#define WORDS	(PAGES / 64)
#define SIZE	(PAGES * PAGE_SIZE)
#define STEP	5ul		/* odd: all pages come in turn */
#define STEP_INVERSE	77ul	/* 5 * 77 = 385 = 3 * 128 + 1 */
#define HARVESTS	150

/* The number of the last write that is done, and whether to go on. */
static volatile u64 written, enough;

static void guest_spins(void)
{
	u64 n;

	for (n = 1; !enough; n++) {
		*(volatile u64 *)(GPA + n * STEP % PAGES * PAGE_SIZE) = n;
		written = n;
	}
	guest_sync(1);
}

static void *thread_runs(void *arg)
{
	struct vcpu *vcpu = arg;

	pin_cpu(1);
	RUN_SYNC(vcpu, 1);
	return NULL;
}

static void harvest(struct vm *vm, bool by_hand, const u8 *mem, u8 *shadow)
{
	u64 bitmap[WORDS], i;
	struct kvm_dirty_log log = { .slot = 1, .dirty_bitmap = bitmap };
	struct kvm_clear_dirty_log clear = { .slot = 1, .num_pages = PAGES, .dirty_bitmap = bitmap };

	CHECK_EQ(xioctl(vm->fd, KVM_GET_DIRTY_LOG, &log), 0);
	if (by_hand)
		CHECK_EQ(xioctl(vm->fd, KVM_CLEAR_DIRTY_LOG, &clear), 0);
	for (i = 0; i < PAGES; i++)
		if (bitmap[i / 64] & BIT(i % 64))
			*(u64 *)(shadow + i * PAGE_SIZE) = *(volatile u64 *)(mem + i * PAGE_SIZE);
}

/* The copy has at least what had been written to each page when write number @done was. */
static void check_copy(const u8 *shadow, u64 done)
{
	u64 i, last;

	for (i = 0; i < PAGES; i++) {
		last = done - (done - i * STEP_INVERSE) % PAGES;
		if ((s64)last > 0 && *(const u64 *)(shadow + i * PAGE_SIZE) < last)
			FAIL("page %llu: write %llu of %llu is not in the log", (unsigned long long)i,
			     (unsigned long long)last, (unsigned long long)done);
	}
}

static void spins(bool by_hand)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	u8 *mem = pages_map(SIZE), *shadow = pages_map(SIZE);
	u64 i, done;
	pthread_t thread;

	require_cpus(2);
	if (by_hand)
		CHECK_EQ(cap_enable(vm->fd, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE), 0);
	memset(mem, 0, SIZE);
	slot_set(vm, 1, KVM_MEM_LOG_DIRTY_PAGES, GPA, SIZE, mem);
	vcpu_entry(vcpu, guest_spins);
	pin_cpu(0);
	thread = thread_start(thread_runs, vcpu);
	wait_until(GVAR(vm, written) > PAGES);
	for (i = 0; i < HARVESTS; i++) {
		done = GVAR(vm, written);
		harvest(vm, by_hand, mem, shadow);
		/* KVM asks its vCPUs to hand over what their CPUs logged, but does not wait. */
		if (device_is_lodge())
			check_copy(shadow, done);
	}
	ktap_diag("%llu writes, %d harvests", (unsigned long long)GVAR(vm, written), HARVESTS);
	GVAR(vm, enough) = 1;
	thread_join(thread);
	harvest(vm, by_hand, mem, shadow);
	check_copy(shadow, GVAR(vm, written));
	CHECK(!memcmp(mem, shadow, SIZE));
	vm_free(vm);
}

static void read_and_clear(void)
{
	spins(false);
}

static void clear_by_hand(void)
{
	spins(true);
}

/* Logging that begins and ends over a vCPU that writes all the time. */
static void begins_and_ends(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	u8 *mem = pages_map(SIZE), *shadow = pages_map(SIZE);
	u64 i, j, done;
	pthread_t thread;

	require_cpus(2);
	memset(mem, 0, SIZE);
	slot_set(vm, 1, 0, GPA, SIZE, mem);
	vcpu_entry(vcpu, guest_spins);
	pin_cpu(0);
	thread = thread_start(thread_runs, vcpu);
	wait_until(GVAR(vm, written) > PAGES);
	for (i = 0; i < HARVESTS / 5; i++) {
		slot_set(vm, 1, KVM_MEM_LOG_DIRTY_PAGES, GPA, SIZE, mem);
		/* What comes now the log names. */
		for (j = 0; j < SIZE; j += PAGE_SIZE)
			*(u64 *)(shadow + j) = *(volatile u64 *)(mem + j);
		for (j = 0; j < 3; j++) {
			done = GVAR(vm, written);
			harvest(vm, false, mem, shadow);
			if (device_is_lodge())
				check_copy(shadow, done);
		}
		slot_set(vm, 1, 0, GPA, SIZE, mem);
	}
	GVAR(vm, enough) = 1;
	thread_join(thread);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(read_and_clear),
	TEST(clear_by_hand),
	TEST(begins_and_ends),
};

KTAP_MAIN(tests)
