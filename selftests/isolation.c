// SPDX-License-Identifier: GPL-2.0-only
/*
 * Three guests at once: one writes to every address it can name, 4 KiB steps in
 * its RAM and around each power of two up to the physical address width, in
 * long mode and through ports; the other two verify their own pattern all the
 * while, and so does the host with a page of its own.
 */
#include <stdlib.h>

#include "modes.h"
#include "thread.h"

#define PATTERN_GPA	0x40000000ul
#define PATTERN_PAGES	256ul

/* The verifying guests: a pattern of their own in every page. */
static void guest_verifies(void)
{
	volatile u64 *p = (u64 *)PATTERN_GPA;
	u64 seed = guest_this()->index * 0x9e3779b97f4a7c15 + 7, i, round;

	for (i = 0; i < PATTERN_PAGES; i++)
		p[i * 512] = p[i * 512 + 511] = seed + i;
	for (round = 1;; round++) {
		for (i = 0; i < PATTERN_PAGES; i++) {
			GUEST_CHECK_EQ(p[i * 512], seed + i);
			GUEST_CHECK_EQ(p[i * 512 + 511], seed + i);
		}
		guest_sync(round);
	}
}

/*
 * The sweeping guest has a window page whose PTE it rewrites for each address;
 * tables and window are in RAM, the addresses of all of them come from the host.
 */
static u64 *guest_window_pte;
static u64 guest_ram_end, guest_max_bits;

#define WINDOW	0x300000ul

static void guest_poke(u64 gpa)
{
	*(volatile u64 *)guest_window_pte = (gpa & PTE_ADDR) | PTE_P | PTE_W;
	asm volatile("invlpg (%0)" :: "r" (WINDOW) : "memory");
	*(volatile u64 *)(WINDOW + (gpa & 0xff8)) = 0xdeadbeefdeadbeef;
}

static void guest_sweeps(void)
{
	u64 gpa, bit;
	s64 delta;

	/* RAM, above what this very guest is made of. */
	for (gpa = 0x800000; gpa < guest_ram_end; gpa += PAGE_SIZE)
		guest_poke(gpa);
	guest_sync(1);
	for (bit = 24; bit < guest_max_bits; bit++)
		for (delta = -4; delta < 4; delta++)
			guest_poke(BIT(bit) + (u64)(delta * (s64)PAGE_SIZE));
	/* The last page there is. */
	guest_poke(BIT(guest_max_bits) - PAGE_SIZE);
	guest_sync(2);
	for (gpa = 0; gpa < 0x10000; gpa += 257)
		outl((u16)gpa, 0xdeadbeef);
	guest_done();
}

struct verifier {
	struct vcpu *vcpu;
	u64 rounds;
	bool stop;
};

static void *verify(void *arg)
{
	struct verifier *v = arg;

	while (!READ_ONCE(v->stop)) {
		RUN_SYNC(v->vcpu, v->rounds + 1);
		WRITE_ONCE(v->rounds, v->rounds + 1);
	}
	return NULL;
}

/* Run the sweeper; MMIO and ports go nowhere. Return: exits taken. */
static u64 sweep(struct vcpu *vcpu)
{
	u64 exits = 0;

	for (;;) {
		struct kvm_run *run = vcpu->run;

		CHECK_EQ(run_try(vcpu), 0);
		if (run->exit_reason == KVM_EXIT_IO && run->io.port == UCALL_PORT &&
		    run->io.size == 4 && vcpu->cpu->uc.cmd == UCALL_DONE)
			return exits;
		if (run->exit_reason != KVM_EXIT_MMIO && run->exit_reason != KVM_EXIT_IO) {
			exit_diag(vcpu);
			FAIL("the sweeping guest stopped");
		}
		if (run->exit_reason == KVM_EXIT_MMIO)
			CHECK_EQ(run->mmio.is_write, 1);
		exits++;
	}
}

static void three_guests(void)
{
	struct verifier v[2];
	pthread_t threads[2];
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	struct kvm_cpuid2 *t = supported_cpuid(vm->sys);
	u64 *canary = pages_map(PAGE_2M), i, exits;

	for (i = 0; i < PAGE_2M / 8; i++)
		canary[i] = i * 3;
	for (i = 0; i < 2; i++) {
		struct vm *own = vm_create();

		v[i] = (struct verifier){ .vcpu = vcpu_add(own, (unsigned int)i + 1) };
		slot_set(own, 1, 0, PATTERN_GPA, PATTERN_PAGES * PAGE_SIZE,
			 pages_map(PATTERN_PAGES * PAGE_SIZE));
		vcpu_entry(v[i].vcpu, guest_verifies);
		threads[i] = thread_start(verify, &v[i]);
	}
	vcpu_entry(vcpu, guest_sweeps);
	/* The tables lie in RAM, mapped one to one: the guest edits its own. */
	GVAR(vm, guest_window_pte) = (u64 *)((u8 *)long_pte(vm, WINDOW) - vm->mem);
	GVAR(vm, guest_ram_end) = VM_MEM_SIZE;
	GVAR(vm, guest_max_bits) = cpuid_entry(t, 0x80000008, 0)->eax & 0xff;
	wait_until(READ_ONCE(v[0].rounds) && READ_ONCE(v[1].rounds));
	exits = sweep(vcpu);
	CHECK_GE(exits, 100);
	for (i = 0; i < 2; i++) {
		u64 from = READ_ONCE(v[i].rounds);

		wait_until(READ_ONCE(v[i].rounds) > from + 1);
		WRITE_ONCE(v[i].stop, true);
		thread_join(threads[i]);
	}
	for (i = 0; i < PAGE_2M / 8; i++)
		CHECK_EQ(canary[i], i * 3);
	ktap_diag("%llu exits of the sweep, %llu and %llu rounds of verification",
		  (unsigned long long)exits, (unsigned long long)v[0].rounds,
		  (unsigned long long)v[1].rounds);
}

static const struct test tests[] = {
	TEST_SECONDS(three_guests, 60),
};

KTAP_MAIN(tests)
