// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dirty ring: what a vCPU writes stands in its ring once until it is reset,
 * in order; a ring that is as good as full stops the vCPU until it is reset;
 * writes by the hypervisor count; the rules of its mapping; refusals.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "host.h"
#include "modes.h"

#ifndef KVM_DIRTY_LOG_PAGE_OFFSET
#define KVM_DIRTY_LOG_PAGE_OFFSET 64
#endif
#ifndef KVM_CAP_DIRTY_LOG_RING_ACQ_REL
#define KVM_CAP_DIRTY_LOG_RING_ACQ_REL 223
#endif

#define GPA	0x40000000ul
#define PAGES	1024ul
#define SLOT	3
#define BYTES	4096ul
#define ENTRIES	(BYTES / sizeof(struct kvm_dirty_gfn))
#define MAX	(65536 * sizeof(struct kvm_dirty_gfn))

static long ring_enable(struct vm *vm, u32 cap, u64 bytes, u32 flags)
{
	struct kvm_enable_cap enable = { .cap = cap, .flags = flags, .args = { bytes } };

	return xioctl(vm->fd, KVM_ENABLE_CAP, &enable);
}

static struct vm *ring_vm(u64 bytes)
{
	struct vm *vm = vm_create();

	REQUIRE_CAP(vm->fd, KVM_CAP_DIRTY_LOG_RING);
	if (!device_is_lodge() && host_has_vmx())
		ktap_skip("KVM on VT-x keeps room for the CPU's own log, for which these rings are too small");
	CHECK_EQ(ring_enable(vm, KVM_CAP_DIRTY_LOG_RING, bytes, 0), 0);
	return vm;
}

static struct kvm_dirty_gfn *ring_map(struct vcpu *vcpu, u64 bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd,
		       KVM_DIRTY_LOG_PAGE_OFFSET * PAGE_SIZE);

	CHECK(p != MAP_FAILED);
	return p;
}

static u8 *log_memory(struct vm *vm, bool huge)
{
	uintptr_t p = (uintptr_t)pages_map(PAGES * PAGE_SIZE + PAGE_2M);
	u8 *mem = (u8 *)((p + PAGE_2M - 1) & ~(PAGE_2M - 1));

	CHECK_EQ(madvise(mem, PAGES * PAGE_SIZE, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE), 0);
	memset(mem, 1, PAGES * PAGE_SIZE);
	slot_set(vm, SLOT, KVM_MEM_LOG_DIRTY_PAGES, GPA, PAGES * PAGE_SIZE, mem);
	return mem;
}

static void entry_expect(const struct kvm_dirty_gfn *entry, u64 offset, const char *file, int line)
{
	if (READ_ONCE(entry->flags) != KVM_DIRTY_GFN_F_DIRTY || entry->slot != SLOT || entry->offset != offset)
		ktap_fail(file, line, "flags %u, slot %u, page %llu; expected page %llu", entry->flags,
			  entry->slot, (unsigned long long)entry->offset, (unsigned long long)offset);
}

#define ENTRY_EXPECT(entry, offset)	entry_expect(entry, offset, __FILE__, __LINE__)

static void collect(struct kvm_dirty_gfn *entry)
{
	__atomic_store_n(&entry->flags, KVM_DIRTY_GFN_F_RESET, __ATOMIC_RELEASE);
}

static volatile u64 write_first, write_nr;

static void guest_writes(void)
{
	volatile u8 *p = (volatile u8 *)GPA;
	u64 i;

	for (;;) {
		for (i = 0; i < write_nr; i++)
			p[(write_first + i) * PAGE_SIZE]++;
		guest_sync(1);
	}
}

static void pages_set(struct vcpu *vcpu, u64 first, u64 nr)
{
	GVAR(vcpu->vm, write_first) = first;
	GVAR(vcpu->vm, write_nr) = nr;
}

static void write_pages(struct vcpu *vcpu, u64 first, u64 nr)
{
	pages_set(vcpu, first, nr);
	RUN_SYNC(vcpu, 1);
}

static void offered(void)
{
	struct vm *vm = vm_create();

	CHECK_EQ(cap(vm->sys, KVM_CAP_DIRTY_LOG_RING), (long)MAX);
	CHECK_EQ(cap(vm->fd, KVM_CAP_DIRTY_LOG_RING), (long)MAX);
	CHECK_EQ(cap(vm->fd, KVM_CAP_DIRTY_LOG_RING_ACQ_REL), (long)MAX);
	vm_free(vm);
}

static void enable_refusals(void)
{
	struct vm *vm = vm_create();
	u64 bitmap[PAGES / 64];
	struct kvm_dirty_log log = { .slot = SLOT, .dirty_bitmap = bitmap };
	struct kvm_clear_dirty_log clear = { .slot = SLOT, .num_pages = PAGES, .dirty_bitmap = bitmap };

	REQUIRE_CAP(vm->fd, KVM_CAP_DIRTY_LOG_RING);
	log_memory(vm, false);
	CHECK_ERR(xioctl(vm->fd, KVM_RESET_DIRTY_RINGS, 0), EINVAL);
	CHECK_ERR(ring_enable(vm, KVM_CAP_DIRTY_LOG_RING, 0, 0), EINVAL);
	CHECK_ERR(ring_enable(vm, KVM_CAP_DIRTY_LOG_RING, 2048, 0), EINVAL);
	CHECK_ERR(ring_enable(vm, KVM_CAP_DIRTY_LOG_RING, 3 * BYTES, 0), EINVAL);
	CHECK_ERR(ring_enable(vm, KVM_CAP_DIRTY_LOG_RING, 2 * MAX, 0), E2BIG);
	CHECK_EQ(xioctl(vm->fd, KVM_GET_DIRTY_LOG, &log), 0);
	CHECK_EQ(ring_enable(vm, KVM_CAP_DIRTY_LOG_RING_ACQ_REL, MAX, 0), 0);
	CHECK_ERR(ring_enable(vm, KVM_CAP_DIRTY_LOG_RING, MAX, 0), EINVAL);
	CHECK_ERR(ring_enable(vm, KVM_CAP_DIRTY_LOG_RING_ACQ_REL, BYTES, 0), EINVAL);
	CHECK_EQ(xioctl(vm->fd, KVM_RESET_DIRTY_RINGS, 0), 0);
	/* One or the other. */
	CHECK_ERR(xioctl(vm->fd, KVM_GET_DIRTY_LOG, &log), ENXIO);
	CHECK_ERR(xioctl(vm->fd, KVM_CLEAR_DIRTY_LOG, &clear), ENXIO);
	log.slot = 77;
	CHECK_ERR(xioctl(vm->fd, KVM_GET_DIRTY_LOG, &log), ENXIO);
	vm_free(vm);

	vm = vm_create();
	vcpu_add_bare(vm, 0);
	CHECK_ERR(ring_enable(vm, KVM_CAP_DIRTY_LOG_RING, BYTES, 0), EINVAL);
	vm_free(vm);
}

static void mapping_rules(void)
{
	struct vm *vm = ring_vm(2 * BYTES);
	struct vcpu *vcpu = vcpu_add(vm, 0);
	off_t offset = KVM_DIRTY_LOG_PAGE_OFFSET * PAGE_SIZE;

	CHECK(mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE, vcpu->fd, offset) == MAP_FAILED);
	CHECK_EQ(errno, EINVAL);
	CHECK(mmap(NULL, BYTES, PROT_READ | PROT_EXEC, MAP_SHARED, vcpu->fd, offset) == MAP_FAILED);
	/* Newer kernels let nobody execute what such a file maps. */
	CHECK(errno == EINVAL || errno == EPERM);
	/* Its end alone counts too. */
	CHECK(mmap(NULL, 2 * BYTES, PROT_READ, MAP_PRIVATE, vcpu->fd, offset - (off_t)PAGE_SIZE) == MAP_FAILED);
	CHECK_EQ(errno, EINVAL);
	CHECK(mmap(NULL, BYTES, PROT_READ, MAP_SHARED, vcpu->fd, offset + (off_t)BYTES) != MAP_FAILED);
	CHECK_EQ(ring_map(vcpu, 2 * BYTES)[2 * ENTRIES - 1].flags, 0);
	vm_free(vm);
}

static void in_order_and_once(bool huge)
{
	struct vm *vm = ring_vm(BYTES);
	struct vcpu *vcpu = vcpu_add(vm, 0);
	struct kvm_dirty_gfn *ring = ring_map(vcpu, BYTES);
	u8 *mem = log_memory(vm, huge);
	u64 i;

	vcpu_entry(vcpu, guest_writes);
	write_pages(vcpu, 600, 3);
	write_pages(vcpu, 5, 1);
	write_pages(vcpu, 601, 1);
	ENTRY_EXPECT(&ring[0], 600);
	ENTRY_EXPECT(&ring[1], 601);
	ENTRY_EXPECT(&ring[2], 602);
	ENTRY_EXPECT(&ring[3], 5);
	CHECK_EQ(ring[4].flags, 0);

	/* From the first on, as far as they are collected without a gap. */
	collect(&ring[1]);
	CHECK_EQ(xioctl(vm->fd, KVM_RESET_DIRTY_RINGS, 0), 0);
	collect(&ring[0]);
	CHECK_EQ(xioctl(vm->fd, KVM_RESET_DIRTY_RINGS, 0), 2);
	CHECK_EQ(ring[0].flags, 0);
	CHECK_EQ(ring[1].flags, 0);
	ENTRY_EXPECT(&ring[2], 602);
	write_pages(vcpu, 599, 4);
	ENTRY_EXPECT(&ring[4], 599);
	ENTRY_EXPECT(&ring[5], 600);
	ENTRY_EXPECT(&ring[6], 601);
	CHECK_EQ(ring[7].flags, 0);
	for (i = 2; i < 7; i++)
		collect(&ring[i]);
	CHECK_EQ(xioctl(vm->fd, KVM_RESET_DIRTY_RINGS, 0), 5);
	write_pages(vcpu, 602, 1);
	ENTRY_EXPECT(&ring[7], 602);
	CHECK_EQ(mem[602 * PAGE_SIZE], 4);
	vm_free(vm);
}

static void small_pages(void)
{
	in_order_and_once(false);
}

static void large_pages(void)
{
	in_order_and_once(true);
}

/* A thousand pages through a ring of 256. */
static void full(void)
{
	struct vm *vm = ring_vm(BYTES);
	struct vcpu *vcpu = vcpu_add(vm, 0);
	struct kvm_dirty_gfn *ring = ring_map(vcpu, BYTES);
	u8 *mem = log_memory(vm, false), seen[PAGES] = { 0 };
	u64 at = 0, n, i, exits = 0, total = 0;

	vcpu_entry(vcpu, guest_writes);
	pages_set(vcpu, 0, PAGES);
	for (;;) {
		CHECK_EQ(run_try(vcpu), 0);
		if (vcpu->run->exit_reason != KVM_EXIT_DIRTY_RING_FULL)
			break;
		/* It goes on for nothing but room. */
		RUN_EXPECT(vcpu, KVM_EXIT_DIRTY_RING_FULL);
		exits++;
		for (n = 0; READ_ONCE(ring[at % ENTRIES].flags) == KVM_DIRTY_GFN_F_DIRTY; n++, at++) {
			CHECK_EQ(ring[at % ENTRIES].slot, SLOT);
			seen[ring[at % ENTRIES].offset]++;
			collect(&ring[at % ENTRIES]);
		}
		CHECK_GE(n, ENTRIES / 2);
		/* There is room for what the exit that filled it had still to write. */
		CHECK_LE(n, ENTRIES - 32);
		total += n;
		CHECK_EQ(xioctl(vm->fd, KVM_RESET_DIRTY_RINGS, 0), (long)n);
	}
	CHECK_EQ(ucall_check(vcpu, __FILE__, __LINE__), UCALL_SYNC);
	for (; READ_ONCE(ring[at % ENTRIES].flags) == KVM_DIRTY_GFN_F_DIRTY; at++, total++) {
		seen[ring[at % ENTRIES].offset]++;
		collect(&ring[at % ENTRIES]);
	}
	CHECK_GE(exits, PAGES / ENTRIES - 1);
	/* The page at which it stops may be reset before the guest's write is done: then it comes again. */
	CHECK_GE(total, PAGES);
	CHECK_LE(total, PAGES + exits);
	for (i = 0; i < PAGES; i++) {
		CHECK_GE(seen[i], 1);
		CHECK_EQ(mem[i * PAGE_SIZE], 2);
	}
	vm_free(vm);
}

static void two_vcpus(void)
{
	struct vm *vm = ring_vm(BYTES);
	struct vcpu *a = vcpu_add(vm, 0), *b = vcpu_add(vm, 1);
	struct kvm_dirty_gfn *of_a = ring_map(a, BYTES), *of_b = ring_map(b, BYTES);

	log_memory(vm, false);
	vcpu_entry(a, guest_writes);
	vcpu_entry(b, guest_writes);
	write_pages(a, 0, 2);
	write_pages(b, 1, 2);
	ENTRY_EXPECT(&of_a[0], 0);
	ENTRY_EXPECT(&of_a[1], 1);
	CHECK_EQ(of_a[2].flags, 0);
	ENTRY_EXPECT(&of_b[0], 2);
	CHECK_EQ(of_b[1].flags, 0);
	collect(&of_a[0]);
	collect(&of_b[0]);
	CHECK_EQ(xioctl(vm->fd, KVM_RESET_DIRTY_RINGS, 0), 2);
	write_pages(b, 0, 1);
	ENTRY_EXPECT(&of_b[1], 0);
	vm_free(vm);
}

/* kvm-clock's page is written by the hypervisor. */
static void its_own_writes(void)
{
	struct vm *vm = ring_vm(BYTES);
	struct vcpu *vcpu = vcpu_add(vm, 0);
	struct kvm_dirty_gfn *ring = ring_map(vcpu, BYTES);

	log_memory(vm, false);
	vcpu_entry(vcpu, guest_writes);
	if (msr_set_try(vcpu, MSR_KVM_SYSTEM_TIME, (GPA + 9 * PAGE_SIZE) | 1) != 1)
		ktap_skip("no kvm-clock");
	write_pages(vcpu, 1, 1);
	ENTRY_EXPECT(&ring[0], 9);
	CHECK(ring[1].flags == KVM_DIRTY_GFN_F_DIRTY);
	vm_free(vm);
}

/* What user space writes into entries harms nobody else. */
static void nonsense(void)
{
	struct vm *vm = ring_vm(BYTES);
	struct vcpu *vcpu = vcpu_add(vm, 0);
	struct kvm_dirty_gfn *ring = ring_map(vcpu, BYTES);
	u64 i;

	log_memory(vm, false);
	vcpu_entry(vcpu, guest_writes);
	write_pages(vcpu, 0, 8);
	ring[0].slot = 1;
	ring[1].slot = 0x10003;
	ring[2].slot = ~0u;
	ring[3].offset = PAGES;
	ring[4].offset = ~0ull;
	ring[5].offset = BIT(63) | 64;
	ring[6].slot = 0;	/* without a log */
	for (i = 0; i < 8; i++)
		collect(&ring[i]);
	/* Entries that were never pushed. */
	for (i = 8; i < 16; i++) {
		ring[i].slot = SLOT;
		ring[i].offset = i;
	}
	CHECK_EQ(xioctl(vm->fd, KVM_RESET_DIRTY_RINGS, 0), 8);
	write_pages(vcpu, 7, 1);
	ENTRY_EXPECT(&ring[8], 7);
	/* A slot that went away with entries in the ring. */
	slot_set(vm, SLOT, 0, GPA, 0, NULL);
	collect(&ring[8]);
	CHECK_EQ(xioctl(vm->fd, KVM_RESET_DIRTY_RINGS, 0), 1);
	log_memory(vm, false);
	write_pages(vcpu, 7, 1);
	ENTRY_EXPECT(&ring[9], 7);
	vm_free(vm);
}

/* Entries that were never pushed are not reset, whatever user space says of them. (KVM would count them.) */
static void never_pushed(void)
{
	struct vm *vm = ring_vm(BYTES);
	struct vcpu *vcpu = vcpu_add(vm, 0);
	struct kvm_dirty_gfn *ring = ring_map(vcpu, BYTES);
	u64 i;

	if (!device_is_lodge())
		ktap_skip("the kernel would warn");
	log_memory(vm, false);
	vcpu_entry(vcpu, guest_writes);
	for (i = 0; i < ENTRIES; i++)
		collect(&ring[i]);
	CHECK_EQ(xioctl(vm->fd, KVM_RESET_DIRTY_RINGS, 0), 0);
	write_pages(vcpu, 4, 2);
	ENTRY_EXPECT(&ring[0], 4);
	ENTRY_EXPECT(&ring[1], 5);
	collect(&ring[0]);
	CHECK_EQ(xioctl(vm->fd, KVM_RESET_DIRTY_RINGS, 0), 1);
	write_pages(vcpu, 4, 1);
	ENTRY_EXPECT(&ring[2], 4);
	vm_free(vm);
}

/* User space that has the hypervisor write without end loses its VM, not a page of the log. */
static void overrun(void)
{
	struct vm *vm = ring_vm(BYTES);
	struct vcpu *vcpu = vcpu_add(vm, 0);
	struct kvm_dirty_gfn *ring = ring_map(vcpu, BYTES);
	u64 i;

	if (!device_is_lodge())
		ktap_skip("the kernel would warn");
	log_memory(vm, false);
	for (i = 0; i < ENTRIES; i++)
		CHECK_EQ(msr_set_try(vcpu, MSR_KVM_WALL_CLOCK, GPA + i * PAGE_SIZE), 1);
	ENTRY_EXPECT(&ring[ENTRIES - 1], ENTRIES - 1);
	RUN_EXPECT(vcpu, KVM_EXIT_DIRTY_RING_FULL);
	msr_set_try(vcpu, MSR_KVM_WALL_CLOCK, GPA + i * PAGE_SIZE);
	CHECK_ERR(run_try(vcpu), EIO);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(offered),
	TEST(enable_refusals),
	TEST(mapping_rules),
	TEST(small_pages),
	TEST(large_pages),
	TEST(full),
	TEST(two_vcpus),
	TEST(its_own_writes),
	TEST(nonsense),
	TEST(never_pushed),
	TEST(overrun),
};

KTAP_MAIN(tests)
