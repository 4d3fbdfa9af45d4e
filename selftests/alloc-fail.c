// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that runs out: each allocation that an ioctl makes fails once in turn. The
 * ioctl then says ENOMEM or does without, changes nothing when it failed, and
 * works the next time. That nothing leaks is for the kernel's leak detector to say
 * when the module has gone, and that nothing is left in use for whoever counts
 * its users. Needs a kernel with fault injection: the lab's "debug".
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host.h"
#include "irq.h"

#define FAIL_NTH	"/proc/thread-self/fail-nth"
#define FAILSLAB	"/sys/kernel/debug/failslab/"
#define FAIL_PAGES	"/sys/kernel/debug/fail_page_alloc/"
#define FAIL_COPIES	"/sys/kernel/debug/fail_usercopy/"

#define GPA		0x40000000ul
#define PAGES		8ul
#define STRIDE		(64ul << 20)	/* a table of its own for each page that the guest touches */
#define MAX_FAILURES	400
#define ROUNDS		4

/* This task's nth chance of a failure from the next system call on. */
static int nth_fd = -1;
static bool copies_fail;

static void nth_open(void)
{
	nth_fd = open(FAIL_NTH, O_RDWR);
	CHECK_GE(nth_fd, 0);
	require_root();
	/* Those that may sleep as well, down to a single page, without a word. */
	text_write(FAILSLAB "ignore-gfp-wait", "N");
	text_write(FAILSLAB "verbose", "0");
	text_write(FAIL_PAGES "ignore-gfp-wait", "N");
	text_write(FAIL_PAGES "ignore-gfp-highmem", "N");
	text_write(FAIL_PAGES "min-order", "0");
	text_write(FAIL_PAGES "verbose", "0");
	copies_fail = !access(FAIL_COPIES, F_OK);
	if (copies_fail)
		text_write(FAIL_COPIES "verbose", "0");
}

static void nth_arm(unsigned int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", n);

	/* Copying the number in is a chance too: what was left from before may make it fail, but once. */
	if (pwrite(nth_fd, text, (size_t)len, 0) != len)
		CHECK_EQ(pwrite(nth_fd, text, (size_t)len, 0), len);
}

/* Return: true when something failed since nth_arm(). Copying the number out is a chance too, and not meant. */
static bool nth_disarm(void)
{
	char text[16] = "";
	ssize_t len = pread(nth_fd, text, sizeof(text) - 1, 0);
	bool hit = len > 0 && !strtoul(text, NULL, 10);

	nth_arm(0);
	return hit;
}

/**
 * struct step - a call that is made to fail
 * @run: makes it; >= 0 or -errno
 * @undo: takes a success back
 * @arg: for both
 * @fails: the least number of times that it must have failed, or 0 when it never may
 */
struct step {
	long (*run)(void *arg);
	void (*undo)(void *arg, long result);
	void *arg;
	unsigned int fails;
};

static void step_check_error(long err)
{
	if (err == -ENOMEM || (copies_fail && err == -EFAULT))
		return;
	FAIL("a failed allocation gave %s", errno_name(err));
}

/* Return: how often the call failed, each of its allocations in turn. */
static unsigned int step_fail_round(const char *name, const struct step *step)
{
	unsigned int n, failed = 0;
	long ret;

	for (n = 1; ; n++) {
		bool hit;

		CHECK_LE(n, MAX_FAILURES);
		nth_arm(n);
		ret = step->run(step->arg);
		hit = nth_disarm();
		if (!hit)
			break;
		if (ret < 0) {
			step_check_error(ret);
			failed++;
			ret = CHECK_OK(step->run(step->arg));
		}
		step->undo(step->arg, ret);
	}
	step->undo(step->arg, CHECK_OK(ret));
	ktap_diag("%s: %u chances, %u failures", name, n - 1, failed);
	return failed;
}

/*
 * The allocator's own bookkeeping is a chance too, now and then, that it does without: what was to be the next chance
 * is then passed over. Not in every round.
 */
static void step_fail_each(const char *name, const struct step *step)
{
	unsigned int failed = 0, round;

	if (nth_fd < 0)
		nth_open();
	/* What only the first call ever allocates is not in question. */
	step->undo(step->arg, CHECK_OK(step->run(step->arg)));
	for (round = 0; !round || (round < ROUNDS && failed < step->fails); round++)
		failed = step_fail_round(name, step);
	CHECK_GE(failed, step->fails);
	if (!step->fails)
		CHECK_EQ(failed, 0);
}

static void undo_nothing(void *arg, long result)
{
	(void)arg;
	(void)result;
}

static void undo_close(void *arg, long result)
{
	(void)arg;
	CHECK_EQ(close((int)result), 0);
}

static long run_create_vm(void *arg)
{
	return xioctl(*(int *)arg, KVM_CREATE_VM, 0);
}

static void vm(void)
{
	int sys = device_open();

	step_fail_each("KVM_CREATE_VM", &(struct step){ run_create_vm, undo_close, &sys, 5 });
	close(sys);
}

struct numbered {
	int fd;
	long id;
};

static long run_create_vcpu(void *arg)
{
	struct numbered *n = arg;

	return xioctl(n->fd, KVM_CREATE_VCPU, n->id);
}

static void undo_create_vcpu(void *arg, long result)
{
	struct numbered *n = arg;

	n->id++;
	CHECK_EQ(close((int)result), 0);
}

static void vcpu(void)
{
	struct vm *plain = vm_create_bare(), *chips = vm_create_irqchip();
	struct numbered n = { .fd = plain->fd };

	step_fail_each("KVM_CREATE_VCPU", &(struct step){ run_create_vcpu, undo_create_vcpu, &n, 6 });
	n = (struct numbered){ .fd = chips->fd };
	step_fail_each("KVM_CREATE_VCPU with a LAPIC",
		       &(struct step){ run_create_vcpu, undo_create_vcpu, &n, 8 });
	vm_free(plain);
	vm_free(chips);
}

/* Chips cannot be taken back: each success gets another VM. */
static void fresh_vm(struct numbered *n)
{
	if (n->fd >= 0)
		CHECK_EQ(close(n->fd), 0);
	n->fd = (int)CHECK_OK(xioctl((int)n->id, KVM_CREATE_VM, 0));
}

static long run_create_irqchip(void *arg)
{
	struct numbered *n = arg;

	return xioctl(n->fd, KVM_CREATE_IRQCHIP, 0);
}

static void undo_create_irqchip(void *arg, long result)
{
	(void)result;
	fresh_vm(arg);
}

static long run_create_pit(void *arg)
{
	struct kvm_pit_config config = { 0 };
	struct numbered *n = arg;

	return xioctl(n->fd, KVM_CREATE_PIT2, &config);
}

static void undo_create_pit(void *arg, long result)
{
	(void)result;
	fresh_vm(arg);
	CHECK_EQ(run_create_irqchip(arg), 0);
}

static long run_split_irqchip(void *arg)
{
	struct kvm_enable_cap enable = { .cap = KVM_CAP_SPLIT_IRQCHIP, .args = { 24 } };
	struct numbered *n = arg;

	return xioctl(n->fd, KVM_ENABLE_CAP, &enable);
}

static void chips(void)
{
	struct numbered n = { .fd = -1, .id = device_open() };

	fresh_vm(&n);
	step_fail_each("KVM_CREATE_IRQCHIP",
		       &(struct step){ run_create_irqchip, undo_create_irqchip, &n, 6 });
	CHECK_EQ(run_create_irqchip(&n), 0);
	step_fail_each("KVM_CREATE_PIT2", &(struct step){ run_create_pit, undo_create_pit, &n, 3 });
	fresh_vm(&n);
	step_fail_each("KVM_CAP_SPLIT_IRQCHIP",
		       &(struct step){ run_split_irqchip, undo_create_irqchip, &n, 1 });
	close(n.fd);
	close((int)n.id);
}

struct slot {
	struct vm *vm;
	void *mem;
	u32 flags;
};

static long run_slot_add(void *arg)
{
	struct slot *s = arg;

	return slot_try(s->vm, 1, s->flags, GPA, PAGES * PAGE_SIZE, s->mem);
}

static void undo_slot_add(void *arg, long result)
{
	struct slot *s = arg;

	(void)result;
	slot_set(s->vm, 1, 0, GPA, 0, NULL);
}

/* Deleting never fails. */
static long run_slot_delete(void *arg)
{
	struct slot *s = arg;

	return slot_try(s->vm, 1, 0, GPA, 0, NULL);
}

static void undo_slot_delete(void *arg, long result)
{
	(void)result;
	CHECK_EQ(run_slot_add(arg), 0);
}

static long run_slot_log(void *arg)
{
	struct slot *s = arg;

	return slot_try(s->vm, 1, KVM_MEM_LOG_DIRTY_PAGES, GPA, PAGES * PAGE_SIZE, s->mem);
}

static void undo_slot_log(void *arg, long result)
{
	(void)result;
	CHECK_EQ(run_slot_add(arg), 0);
}

static long run_slot_move(void *arg)
{
	struct slot *s = arg;

	return slot_try(s->vm, 1, s->flags, 2 * GPA, PAGES * PAGE_SIZE, s->mem);
}

static void memslots(void)
{
	struct slot s = { .vm = vm_create(), .mem = pages_map(PAGES * PAGE_SIZE) };
	u32 i;

	/* More slots than the array begins with, so that it grows again and again. */
	for (i = 2; i < 20; i++)
		slot_set(s.vm, i, 0, GPA + (i << 20), PAGE_SIZE, s.mem);
	step_fail_each("a slot", &(struct step){ run_slot_add, undo_slot_add, &s, 2 });
	s.flags = KVM_MEM_LOG_DIRTY_PAGES;
	step_fail_each("a slot with a log", &(struct step){ run_slot_add, undo_slot_add, &s, 3 });
	s.flags = 0;
	CHECK_EQ(run_slot_add(&s), 0);
	step_fail_each("a log for a slot", &(struct step){ run_slot_log, undo_slot_log, &s, 2 });
	step_fail_each("another place for a slot", &(struct step){ run_slot_move, undo_slot_log, &s, 1 });
	step_fail_each("no slot", &(struct step){ run_slot_delete, undo_slot_delete, &s, copies_fail });
	vm_free(s.vm);
}

struct event {
	struct vm *vm;
	int fd;
	int resample;
	u32 flags;
	u64 addr;
};

static long event_irqfd(struct event *e, u32 flags)
{
	struct kvm_irqfd arg = {
		.fd = (u32)e->fd, .gsi = 20, .flags = flags, .resamplefd = (u32)e->resample,
	};

	return xioctl(e->vm->fd, KVM_IRQFD, &arg);
}

static long run_irqfd(void *arg)
{
	struct event *e = arg;

	return event_irqfd(e, e->flags);
}

static void undo_irqfd(void *arg, long result)
{
	(void)result;
	CHECK_EQ(event_irqfd(arg, KVM_IRQFD_FLAG_DEASSIGN), 0);
}

static long event_ioeventfd(struct event *e, u32 flags)
{
	struct kvm_ioeventfd arg = { .fd = e->fd, .addr = e->addr, .len = 4, .flags = flags };

	return xioctl(e->vm->fd, KVM_IOEVENTFD, &arg);
}

static long run_ioeventfd(void *arg)
{
	struct event *e = arg;

	return event_ioeventfd(e, e->flags);
}

static void undo_ioeventfd(void *arg, long result)
{
	struct event *e = arg;

	(void)result;
	CHECK_EQ(event_ioeventfd(e, e->flags | KVM_IOEVENTFD_FLAG_DEASSIGN), 0);
}

static long run_ioeventfd_off(void *arg)
{
	struct event *e = arg;

	return event_ioeventfd(e, e->flags | KVM_IOEVENTFD_FLAG_DEASSIGN);
}

static void undo_ioeventfd_off(void *arg, long result)
{
	(void)result;
	CHECK_EQ(run_ioeventfd(arg), 0);
}

static void eventfds(void)
{
	struct event e = { .vm = vm_create_irqchip(), .fd = eventfd(0, 0), .resample = eventfd(0, 0) };

	CHECK(e.fd >= 0 && e.resample >= 0);
	step_fail_each("KVM_IRQFD", &(struct step){ run_irqfd, undo_irqfd, &e, 1 });
	e.flags = KVM_IRQFD_FLAG_RESAMPLE;
	step_fail_each("KVM_IRQFD with a resampler", &(struct step){ run_irqfd, undo_irqfd, &e, 2 });
	e.flags = 0;
	e.addr = VM_MMIO_BASE;
	step_fail_each("KVM_IOEVENTFD", &(struct step){ run_ioeventfd, undo_ioeventfd, &e, 2 });
	e.flags = KVM_IOEVENTFD_FLAG_PIO;
	e.addr = 0x3c0;
	step_fail_each("KVM_IOEVENTFD on a port", &(struct step){ run_ioeventfd, undo_ioeventfd, &e, 2 });
	CHECK_EQ(run_ioeventfd(&e), 0);
	step_fail_each("no KVM_IOEVENTFD",
		       &(struct step){ run_ioeventfd_off, undo_ioeventfd_off, &e, copies_fail });
	vm_free(e.vm);
	close(e.fd);
	close(e.resample);
}

static long run_routing(void *arg)
{
	const struct kvm_irq_routing_entry entries[] = {
		route_chip(4, KVM_IRQCHIP_IOAPIC, 4), route_msi(100, MSI_ADDRESS(0), 0x50),
	};

	return routing_set(arg, entries, ARRAY_SIZE(entries));
}

static long run_zone(void *arg)
{
	struct kvm_coalesced_mmio_zone zone = { .addr = VM_MMIO_BASE, .size = 0x1000 };

	return xioctl(((struct vm *)arg)->fd, KVM_REGISTER_COALESCED_MMIO, &zone);
}

static void undo_zone(void *arg, long result)
{
	struct kvm_coalesced_mmio_zone zone = { .addr = VM_MMIO_BASE, .size = 0x1000 };

	(void)result;
	CHECK_EQ(xioctl(((struct vm *)arg)->fd, KVM_UNREGISTER_COALESCED_MMIO, &zone), 0);
}

static void tables_of_the_vm(void)
{
	struct vm *vm = vm_create_irqchip();

	step_fail_each("KVM_SET_GSI_ROUTING", &(struct step){ run_routing, undo_nothing, vm, 4 });
	step_fail_each("KVM_REGISTER_COALESCED_MMIO", &(struct step){ run_zone, undo_zone, vm, 2 });
	vm_free(vm);
}

struct described {
	struct vcpu *vcpu;
	struct kvm_cpuid2 *table;
	struct kvm_xsave xsave;
};

static long run_set_cpuid(void *arg)
{
	struct described *d = arg;

	return xioctl(d->vcpu->fd, KVM_SET_CPUID2, d->table);
}

static long run_supported_cpuid(void *arg)
{
	struct described *d = arg;

	d->table->nent = CPUID_ENTRIES;
	return xioctl(d->vcpu->vm->sys, KVM_GET_SUPPORTED_CPUID, d->table);
}

static long run_get_xsave(void *arg)
{
	struct described *d = arg;

	return xioctl(d->vcpu->fd, KVM_GET_XSAVE, &d->xsave);
}

static long run_set_xsave(void *arg)
{
	struct described *d = arg;

	return xioctl(d->vcpu->fd, KVM_SET_XSAVE, &d->xsave);
}

static void state_of_the_vcpu(void)
{
	struct vm *vm = vm_create();
	struct described d = { .vcpu = vcpu_add(vm, 0), .table = supported_cpuid(vm->sys) };

	step_fail_each("KVM_SET_CPUID2", &(struct step){ run_set_cpuid, undo_nothing, &d, 2 });
	step_fail_each("KVM_GET_SUPPORTED_CPUID", &(struct step){ run_supported_cpuid, undo_nothing, &d, 1 });
	step_fail_each("KVM_GET_XSAVE", &(struct step){ run_get_xsave, undo_nothing, &d, 1 });
	step_fail_each("KVM_SET_XSAVE", &(struct step){ run_set_xsave, undo_nothing, &d, 1 });
	vm_free(vm);
	free(d.table);
}

struct faulting {
	struct vcpu *vcpu;
	u8 *mem;
	u64 round;
};

static void guest_touches(void)
{
	u64 round, i;

	for (round = 1;; round++) {
		for (i = 0; i < PAGES; i++)
			*(volatile u64 *)(GPA + i * STRIDE) = round << 8 | i;
		guest_sync(round);
	}
}

/* Runs until the guest has touched all. An error leaves the guest where it was, to be run again. */
static long run_guest(void *arg)
{
	struct faulting *f = arg;
	long ret = run_try(f->vcpu);

	if (ret < 0)
		return ret;
	CHECK_EQ(ucall_check(f->vcpu, __FILE__, __LINE__), UCALL_SYNC);
	CHECK_EQ(f->vcpu->cpu->uc.args[0], ++f->round);
	return 0;
}

/* All that was mapped is gone, on the host and in the nested tables. */
static void undo_guest(void *arg, long result)
{
	struct faulting *f = arg;
	u64 i;

	(void)result;
	for (i = 0; i < PAGES; i++)
		CHECK_EQ(*(u64 *)(f->mem + i * STRIDE), f->round << 8 | i);
	slot_set(f->vcpu->vm, 1, 0, GPA, 0, NULL);
	CHECK_EQ(madvise(f->mem, PAGES * STRIDE, MADV_DONTNEED), 0);
	slot_set(f->vcpu->vm, 1, 0, GPA, PAGES * STRIDE, f->mem);
}

static void guest_faults(void)
{
	struct faulting f = { .mem = pages_map(PAGES * STRIDE) };
	struct vm *vm = vm_create();

	CHECK_EQ(madvise(f.mem, PAGES * STRIDE, MADV_NOHUGEPAGE), 0);
	slot_set(vm, 1, 0, GPA, PAGES * STRIDE, f.mem);
	f.vcpu = vcpu_add(vm, 0);
	vcpu_entry(f.vcpu, guest_touches);
	step_fail_each("a guest's page faults", &(struct step){ run_guest, undo_guest, &f, PAGES });
	vm_free(vm);
}

/* A page of the run area that cannot be had now is no SIGBUS: the kernel tries again. */
static void run_area(void)
{
	struct vm *vm = vm_create_bare();
	long size = CHECK_OK(xioctl(vm->sys, KVM_GET_VCPU_MMAP_SIZE, 0));
	unsigned int n, hits = 0;
	bool hit;

	if (nth_fd < 0)
		nth_open();
	for (n = 1, hit = true; hit; n++) {
		int fd = (int)CHECK_OK(xioctl(vm->fd, KVM_CREATE_VCPU, n - 1));
		volatile u8 *p = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

		CHECK(p != MAP_FAILED);
		CHECK_LE(n, MAX_FAILURES);
		CHECK_EQ(p[0], 0);
		nth_arm(n);
		p[PAGE_SIZE] = 1;
		hit = nth_disarm();
		hits += hit;
		CHECK_EQ(p[PAGE_SIZE], 1);
		CHECK_EQ(munmap((void *)p, (size_t)size), 0);
		CHECK_EQ(close(fd), 0);
	}
	CHECK_GE(hits, 1);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(vm),
	TEST_SECONDS(vcpu, 60),
	TEST_SECONDS(chips, 60),
	TEST(memslots),
	TEST(eventfds),
	TEST(tables_of_the_vm),
	TEST(state_of_the_vcpu),
	TEST(run_area),
	TEST_SECONDS(guest_faults, 60),
};

int main(int argc, char **argv)
{
	if (access(FAIL_NTH, F_OK)) {
		puts("KTAP version 1\n1..0 # SKIP this kernel has no fail-nth; the lab's kernel debug has");
		return KTAP_SKIP;
	}
	return ktap_run(argc, argv, tests, ARRAY_SIZE(tests));
}
