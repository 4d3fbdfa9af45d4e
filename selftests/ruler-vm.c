// SPDX-License-Identifier: GPL-2.0-only
/*
 * The second ruler: what a VM costs, in instructions of the host where the
 * machine's time stamp counter counts them (the lab's --icount), else in TSC
 * ticks. Creation to the first exit, destruction as the closing thread feels
 * it, nested faults, and the dirty log, on $LODGE_DEVICE and on /dev/kvm in one
 * boot. In the counting machine it fails where lodge is dearer than its limits.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host.h"
#include "modes.h"
#include "thread.h"

#define ROUNDS		3
#define GPA		0x40000000ul
#define MIB		(1ul << 20)
#define FAULT_SIZE	(64 * MIB)
#define FAULTS		4096ul
#define LARGE_FAULTS	24ul

enum row {
	NULL_IOCTL, CREATE, DESTROY, DESTROY_FULL, FAULT_PRESENT, FAULT_ABSENT, FAULT_2M_PRESENT, FAULT_2M_ABSENT,
	LOG_ENABLE, LOG_FIRST_WRITE, LOG_HARVEST_1, LOG_HARVEST_10, LOG_HARVEST_100,
	LOG_1G_ENABLE, LOG_1G_FIRST_WRITE, LOG_1G_HARVEST_1, LOG_1G_HARVEST_10, LOG_1G_HARVEST_100, NR_ROWS,
};

/* @limit: what lodge may cost, 0 for rows that are only shown. */
static const struct {
	const char *name;
	u64 limit;
} rows[NR_ROWS] = {
	[NULL_IOCTL] = { "null ioctl", 0 },
	[CREATE] = { "create to first exit", 60000 },
	[DESTROY] = { "destroy", 100000 },
	[DESTROY_FULL] = { "destroy, all mapped", 100000 },
	[FAULT_PRESENT] = { "4 KiB fault, present", 900 },
	[FAULT_ABSENT] = { "4 KiB fault, absent", 0 },
	[FAULT_2M_PRESENT] = { "2 MiB fault, present", 900 },
	[FAULT_2M_ABSENT] = { "2 MiB fault, absent", 0 },
	[LOG_ENABLE] = { "log of 64 MiB", 20000 },
	[LOG_FIRST_WRITE] = { "dirty first write", 500 },
	[LOG_HARVEST_1] = { "harvest, page, 1 %", 100 },
	[LOG_HARVEST_10] = { "harvest, page, 10 %", 40 },
	[LOG_HARVEST_100] = { "harvest, page, 100 %", 40 },
	[LOG_1G_ENABLE] = { "log of 1 GiB", 20000 },
	[LOG_1G_FIRST_WRITE] = { "dirty first write", 500 },
	[LOG_1G_HARVEST_1] = { "harvest, page, 1 %", 100 },
	[LOG_1G_HARVEST_10] = { "harvest, page, 10 %", 40 },
	[LOG_1G_HARVEST_100] = { "harvest, page, 100 %", 40 },
};

struct figures {
	u64 best[NR_ROWS];
};

static void note(struct figures *f, enum row row, u64 ticks)
{
	if (ticks < f->best[row])
		f->best[row] = ticks;
}

/* The guest touches what the host tells it to, again and again. */
static volatile u64 touch_step, touch_count, touch_write;

static void guest_touch(void)
{
	for (;;) {
		volatile u8 *p = (volatile u8 *)GPA;
		u64 i, step = touch_step, n = touch_count;

		if (touch_write)
			for (i = 0; i < n; i++, p += step)
				*p = 1;
		else
			for (i = 0; i < n; i++, p += step)
				(void)*p;
		guest_sync(1);
	}
}

static u64 touch(struct vcpu *vcpu, u64 step, u64 count, bool write)
{
	struct vm *vm = vcpu->vm;
	u64 start;

	GVAR(vm, touch_step) = step;
	GVAR(vm, touch_count) = count;
	GVAR(vm, touch_write) = write;
	start = rdtsc();
	RUN_SYNC(vcpu, 1);
	return rdtsc() - start;
}

static void *aligned_map(size_t size)
{
	uintptr_t p = (uintptr_t)pages_map(size + PAGE_2M);

	return (void *)((p + PAGE_2M - 1) & ~(PAGE_2M - 1));
}

/* Real mode: one port write from the reset vector's segment, which user space moved to 0. */
static const u8 first_exit[] = { 0xe6, 0x42 };

static void lifetime(struct figures *f)
{
	struct kvm_userspace_memory_region region = { .memory_size = MIB };
	int sys = device_open(), vm, vcpu;
	u8 *mem = pages_map(MIB);
	struct kvm_sregs sregs;
	struct kvm_regs regs = { .rflags = X86_EFLAGS_FIXED };
	struct kvm_run *run;
	u64 start;

	memcpy(mem, first_exit, sizeof(first_exit));
	region.userspace_addr = (u64)(uintptr_t)mem;
	start = rdtsc();
	vm = ioctl(sys, KVM_CREATE_VM, 0);
	ioctl(vm, KVM_CREATE_IRQCHIP, 0);
	ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region);
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	run = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	ioctl(vcpu, KVM_GET_SREGS, &sregs);
	sregs.cs.base = sregs.cs.selector = 0;
	ioctl(vcpu, KVM_SET_SREGS, &sregs);
	ioctl(vcpu, KVM_SET_REGS, &regs);
	ioctl(vcpu, KVM_RUN, 0);
	note(f, CREATE, rdtsc() - start);
	CHECK_EQ(run->exit_reason, KVM_EXIT_IO);
	CHECK_EQ(run->io.port, 0x42);

	start = rdtsc();
	ioctl(vm, KVM_CHECK_EXTENSION, KVM_CAP_USER_MEMORY);
	note(f, NULL_IOCTL, rdtsc() - start);

	start = rdtsc();
	munmap(run, PAGE_SIZE);
	close(vcpu);
	close(vm);
	note(f, DESTROY, rdtsc() - start);
	CHECK_EQ(munmap(mem, MIB), 0);
	close(sys);
}

/* A slot anew has nothing mapped in the nested tables. */
static void slot_renew(struct vm *vm, u32 flags, u64 size, void *mem)
{
	slot_try(vm, 1, 0, GPA, 0, mem);
	slot_set(vm, 1, flags, GPA, size, mem);
}

static void faults(struct figures *f)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	size_t large = LARGE_FAULTS * PAGE_2M;
	u8 *mem = aligned_map(FAULT_SIZE), *thp = aligned_map(large);
	u64 few;

	vcpu_entry(vcpu, guest_touch);
	CHECK_EQ(madvise(mem, FAULT_SIZE, MADV_NOHUGEPAGE), 0);
	slot_renew(vm, 0, FAULT_SIZE, mem);
	touch(vcpu, PAGE_SIZE, 1, true);
	note(f, FAULT_ABSENT, touch(vcpu, PAGE_SIZE, FAULTS, true) / FAULTS);
	slot_renew(vm, 0, FAULT_SIZE, mem);
	note(f, FAULT_PRESENT, touch(vcpu, PAGE_SIZE, FAULTS, true) / FAULTS);
	if (!madvise(thp, large, MADV_HUGEPAGE)) {
		slot_renew(vm, 0, large, thp);
		note(f, FAULT_2M_ABSENT, touch(vcpu, PAGE_2M, LARGE_FAULTS, true) / LARGE_FAULTS);
		slot_renew(vm, 0, large, thp);
		/* They are few: what one run costs without them is taken off. */
		touch(vcpu, PAGE_2M, 1, true);
		few = touch(vcpu, PAGE_2M, 1, true);
		note(f, FAULT_2M_PRESENT, (touch(vcpu, PAGE_2M, LARGE_FAULTS, true) - few) / (LARGE_FAULTS - 1));
	}
	vm_free(vm);
	CHECK_EQ(munmap(mem, FAULT_SIZE), 0);
	CHECK_EQ(munmap(thp, large), 0);
}

static u64 harvest(struct vm *vm, u64 *bitmap)
{
	struct kvm_dirty_log log = { .slot = 1, .dirty_bitmap = bitmap };
	u64 start = rdtsc();

	CHECK_EQ(xioctl(vm->fd, KVM_GET_DIRTY_LOG, &log), 0);
	return rdtsc() - start;
}

/* One in @every of a slot's @pages is dirty. */
static u64 harvest_of(struct vcpu *vcpu, u64 pages, u64 every, u64 *bitmap)
{
	u64 n = pages / every;

	touch(vcpu, every * PAGE_SIZE, n, true);
	return harvest(vcpu->vm, bitmap) / n;
}

/* For a slot of @size bytes the rows from @first on, in the order of enum row. */
static void dirty_log(struct figures *f, size_t size, enum row first)
{
	const u64 pages = size / PAGE_SIZE;
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	u8 *mem = aligned_map(size);
	u64 *bitmap = calloc(pages / 64, 8), start;
	int fd = vm->fd;

	CHECK(bitmap);
	memset(bitmap, 1, pages / 8);
	vcpu_entry(vcpu, guest_touch);
	CHECK_EQ(madvise(mem, size, MADV_NOHUGEPAGE), 0);
	slot_set(vm, 1, 0, GPA, size, mem);
	touch(vcpu, PAGE_SIZE, pages, true);
	start = rdtsc();
	slot_set(vm, 1, KVM_MEM_LOG_DIRTY_PAGES, GPA, size, mem);
	note(f, first, rdtsc() - start);
	note(f, first + 4, harvest_of(vcpu, pages, 1, bitmap));
	note(f, first + 1, touch(vcpu, PAGE_SIZE, pages, true) / pages);
	harvest(vm, bitmap);
	note(f, first + 3, harvest_of(vcpu, pages, 10, bitmap));
	note(f, first + 2, harvest_of(vcpu, pages, 100, bitmap));

	/* All of it is mapped still, and costs no more to end than little would. */
	vcpu_close(vcpu);
	start = rdtsc();
	close(fd);
	note(f, DESTROY_FULL, rdtsc() - start);
	vm->fd = dup(0);
	vm_free(vm);
	CHECK_EQ(munmap(mem, size), 0);
	free(bitmap);
}

static void measure_vms(struct figures *f)
{
	unsigned int i;

	for (i = 0; i < ROUNDS; i++) {
		lifetime(f);
		faults(f);
		dirty_log(f, 64 * MIB, LOG_ENABLE);
		sleep_ms(50);
	}
}

static void measure_large_logs(struct figures *f)
{
	dirty_log(f, 1024 * MIB, LOG_1G_ENABLE);
}

typedef void measure_fn(struct figures *f);

static void measure_on(const char *device, measure_fn *measure, struct figures *f)
{
	setenv("LODGE_DEVICE", device, 1);
	wait_until(device_is_free(device));
	memset(f, 0xff, sizeof(*f));
	measure(f);
}

/* KVM comes second and goes again: on later kernels it keeps the CPU's feature for as long as it is loaded. */
static bool measure_on_kvm(measure_fn *measure, struct figures *f)
{
	bool loaded = access("/dev/kvm", F_OK);

	if (loaded && (geteuid() || system("modprobe kvm_amd 2>/dev/null || modprobe kvm_intel 2>/dev/null")))
		return false;
	measure_on("/dev/kvm", measure, f);
	if (loaded && system("modprobe -q -r kvm_amd kvm_intel; modprobe -q -r kvm"))
		ktap_diag("KVM could not be unloaded");
	return true;
}

/* The rows from @i to @end. */
static void compare(measure_fn *measure, unsigned int i, unsigned int end)
{
	const char *device = strdup(device_path());
	struct figures own, kvm;
	unsigned int over = 0;
	bool two, judge;

	measure_on(device, measure, &own);
	two = strcmp(device, "/dev/kvm") && measure_on_kvm(measure, &kvm);
	setenv("LODGE_DEVICE", device, 1);
	/* Time is no judge: an emulator weighs instructions otherwise than a CPU. */
	judge = getenv("LODGE_LAB_ICOUNT") && device_is_lodge();
	ktap_diag("%-24s %12s %12s %8s", "ticks", device, two ? "/dev/kvm" : "", "limit");
	for (; i < end; i++) {
		ktap_diag("%-24s %12lld %12lld %8llu", rows[i].name, (long long)own.best[i],
			  two ? (long long)kvm.best[i] : 0, (unsigned long long)rows[i].limit);
		if (rows[i].limit && (s64)own.best[i] >= 0)
			over += own.best[i] > rows[i].limit;
	}
	if (judge && over)
		FAIL("%u figures are over their limits", over);
}

static void cost_of_vms(void)
{
	compare(measure_vms, 0, LOG_1G_ENABLE);
}

static void cost_of_large_logs(void)
{
	compare(measure_large_logs, LOG_1G_ENABLE, NR_ROWS);
}

static const struct test tests[] = {
	TEST_SECONDS(cost_of_vms, 300),
	TEST_SECONDS(cost_of_large_logs, 300),
};

KTAP_MAIN(tests)
