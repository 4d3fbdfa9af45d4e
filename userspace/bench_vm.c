// SPDX-License-Identifier: GPL-2.0-only
/*
 * The rows of `lodge bench` that are about VMs and their memory: made and ended, nested faults, the dirty log, and
 * what an idle VM takes of the host's memory. One thread, no lock; the signal that ends an idle VM's sleep is the
 * only state.
 */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "tool.h"

#define KIB		1024ul
#define MIB		(1024 * KIB)
#define PAGE		(4 * KIB)
#define LARGE_PAGE	(2 * MIB)
#define REGION_SLOT	1
#define LIFETIMES	3
#define FAULTS		4096u
#define LARGE_FAULTS	24u
#define BARE_MEMORY	MIB
#define BARE_PORT	0x42

/* A VM as small as one can be: interrupt chips, one slot, one vCPU. */
struct bare_vm {
	int vm, vcpu;
	struct kvm_run *run;
};

/* Real mode, from address 0: OUT to BARE_PORT, HLT, and back to the HLT. */
static const uint8_t bare_code[] = { 0xe6, BARE_PORT, 0xf4, 0xeb, 0xfd };

/* What was ended before is given back by then, where that is not done by who ends it. */
static void settle(unsigned int ms)
{
	struct timespec time = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000l };

	while (nanosleep(&time, &time) && errno == EINTR)
		;
}

static void *map(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		lodge_fail(STATUS_MEMORY, "%zu bytes to measure with: %s", size, strerror(errno));
	return memory;
}

static int device_open(const char *path)
{
	int device = open(path, O_RDWR | O_CLOEXEC);

	if (device < 0)
		lodge_fail(STATUS_FILE, "%s: %s", path, strerror(errno));
	return device;
}

static bool bare_create(struct bare_vm *bare, int device, uint8_t *memory)
{
	struct kvm_userspace_memory_region region = {
		.memory_size = BARE_MEMORY, .userspace_addr = (uintptr_t)memory,
	};
	struct kvm_regs regs = { .rflags = 2 };
	struct kvm_sregs sregs;

	bare->vm = ioctl(device, KVM_CREATE_VM, 0);
	if (bare->vm < 0 || ioctl(bare->vm, KVM_CREATE_IRQCHIP, 0) ||
	    ioctl(bare->vm, KVM_SET_USER_MEMORY_REGION, &region))
		return false;
	bare->vcpu = ioctl(bare->vm, KVM_CREATE_VCPU, 0);
	bare->run = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, bare->vcpu, 0);
	if (bare->run == MAP_FAILED || ioctl(bare->vcpu, KVM_GET_SREGS, &sregs))
		return false;
	sregs.cs.base = sregs.cs.selector = 0;
	return !ioctl(bare->vcpu, KVM_SET_SREGS, &sregs) && !ioctl(bare->vcpu, KVM_SET_REGS, &regs) &&
	       !ioctl(bare->vcpu, KVM_RUN, 0);
}

/* To be called when no ticks are counted. */
static void bare_check(const struct bare_vm *bare, bool created, const char *path)
{
	if (!created)
		lodge_fail(STATUS_FAILED, "%s: a VM to measure: %s", path, strerror(errno));
	if (bare->run->exit_reason != KVM_EXIT_IO || bare->run->io.port != BARE_PORT)
		lodge_fail(STATUS_FAILED, "%s: the measured VM stopped, exit reason %u", path,
			   bare->run->exit_reason);
}

static void bare_destroy(struct bare_vm *bare)
{
	munmap(bare->run, PAGE);
	close(bare->vcpu);
	close(bare->vm);
}

static uint64_t least_of(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Creation up to the first exit, and the end: the least so far. */
static void lifetime(const char *path, uint64_t *costs)
{
	uint8_t *memory = map(BARE_MEMORY);
	int device = device_open(path);
	struct bare_vm bare;
	uint64_t start;
	bool created;

	memcpy(memory, bare_code, sizeof(bare_code));
	start = lodge_bench_ticks();
	created = bare_create(&bare, device, memory);
	costs[0] = least_of(costs[0], lodge_bench_ticks() - start);
	bare_check(&bare, created, path);

	start = lodge_bench_ticks();
	bare_destroy(&bare);
	costs[1] = least_of(costs[1], lodge_bench_ticks() - start);
	munmap(memory, BARE_MEMORY);
	close(device);
}

/*
 * Beside @machine's VM, or as the first of its process: then the CPU feature is switched on with it, and the host's
 * registration of who must hear of changes to the process's memory takes the lock of each of its mappings.
 */
static void lifetime_measure(struct bench_machine *machine, const struct bench_row *row, uint64_t *costs)
{
	(void)row;
	for (unsigned int i = 0; i < LIFETIMES; i++) {
		settle(50);
		lifetime(machine->path, costs);
	}
}

/* At a large page's boundary; what lies before and behind is given back. */
static uint8_t *map_aligned(size_t size)
{
	uint8_t *memory = map(size + LARGE_PAGE);
	size_t before = -(uintptr_t)memory & (LARGE_PAGE - 1);

	if (before)
		munmap(memory, before);
	munmap(memory + before + size, LARGE_PAGE - before);
	return memory + before;
}

static void region_set(struct bench_machine *machine, size_t size, void *memory, uint32_t flags)
{
	struct kvm_userspace_memory_region region = {
		.slot = REGION_SLOT, .flags = flags, .guest_phys_addr = BENCH_REGION,
		.memory_size = size, .userspace_addr = (uintptr_t)memory,
	};

	if (ioctl(machine->vm, KVM_SET_USER_MEMORY_REGION, &region))
		lodge_fail(STATUS_FAILED, "%s: the measured region: %s", machine->path, strerror(errno));
}

/* A slot anew has nothing mapped in the nested tables. */
static void region_renew(struct bench_machine *machine, size_t size, void *memory)
{
	region_set(machine, 0, memory, 0);
	region_set(machine, size, memory, 0);
}

/* The guest writes to @count places, @step apart. */
static uint64_t touch(struct bench_machine *machine, size_t step, unsigned int count)
{
	machine->step = (uint32_t)step;
	return lodge_bench_machine_run(machine, count);
}

static void fault_measure(struct bench_machine *machine, const struct bench_row *row, uint64_t *costs)
{
	const size_t size = FAULTS * PAGE;
	uint8_t *memory = map_aligned(size);

	lodge_bench_machine_load(machine, row);
	madvise(memory, size, MADV_NOHUGEPAGE);
	region_set(machine, size, memory, 0);
	touch(machine, PAGE, 1);
	madvise(memory, size, MADV_DONTNEED);
	region_renew(machine, size, memory);
	costs[1] = touch(machine, PAGE, FAULTS) / FAULTS;
	region_renew(machine, size, memory);
	costs[0] = touch(machine, PAGE, FAULTS) / FAULTS;
	region_set(machine, 0, memory, 0);
	munmap(memory, size);
}

/* They are few: what one run costs without them is taken off. */
static void large_fault_measure(struct bench_machine *machine, const struct bench_row *row, uint64_t *costs)
{
	const size_t size = LARGE_FAULTS * LARGE_PAGE;
	uint8_t *memory = map_aligned(size);
	uint64_t few;

	lodge_bench_machine_load(machine, row);
	if (!madvise(memory, size, MADV_HUGEPAGE)) {
		region_set(machine, size, memory, 0);
		touch(machine, LARGE_PAGE, 1);
		few = touch(machine, LARGE_PAGE, 1);
		costs[1] = (touch(machine, LARGE_PAGE, LARGE_FAULTS) - few) / (LARGE_FAULTS - 1);
		region_renew(machine, size, memory);
		touch(machine, LARGE_PAGE, 1);
		few = touch(machine, LARGE_PAGE, 1);
		costs[0] = (touch(machine, LARGE_PAGE, LARGE_FAULTS) - few) / (LARGE_FAULTS - 1);
		region_set(machine, 0, memory, 0);
	}
	munmap(memory, size);
}

static uint64_t harvest(const struct bench_machine *machine, void *bitmap)
{
	struct kvm_dirty_log log = { .slot = REGION_SLOT, .dirty_bitmap = bitmap };
	uint64_t start = lodge_bench_ticks();

	if (ioctl(machine->vm, KVM_GET_DIRTY_LOG, &log))
		lodge_fail(STATUS_FAILED, "%s: KVM_GET_DIRTY_LOG: %s", machine->path, strerror(errno));
	return lodge_bench_ticks() - start;
}

/* Per dirty page, where one in @every is. */
static uint64_t harvest_of(struct bench_machine *machine, unsigned int pages, unsigned int every, void *bitmap)
{
	touch(machine, every * PAGE, pages / every);
	return harvest(machine, bitmap) / (pages / every);
}

enum { LOG_ENABLE, LOG_WRITE, LOG_HARVEST_1, LOG_HARVEST_10, LOG_HARVEST_100, LOG_DESTROY };

/* Of @row->count MiB, all mapped. */
static void log_measure(struct bench_machine *machine, const struct bench_row *row, uint64_t *costs)
{
	const size_t size = row->count * MIB;
	const unsigned int pages = (unsigned int)(size / PAGE);
	uint8_t *memory = map_aligned(size);
	void *bitmap = map(pages / 8);
	uint64_t start;

	lodge_bench_machine_load(machine, row);
	memset(bitmap, 1, pages / 8);
	madvise(memory, size, MADV_NOHUGEPAGE);
	region_set(machine, size, memory, 0);
	touch(machine, PAGE, pages);
	start = lodge_bench_ticks();
	region_set(machine, size, memory, KVM_MEM_LOG_DIRTY_PAGES);
	costs[LOG_ENABLE] = lodge_bench_ticks() - start;
	costs[LOG_HARVEST_100] = harvest_of(machine, pages, 1, bitmap);
	costs[LOG_WRITE] = touch(machine, PAGE, pages) / pages;
	harvest(machine, bitmap);
	costs[LOG_HARVEST_10] = harvest_of(machine, pages, 10, bitmap);
	costs[LOG_HARVEST_1] = harvest_of(machine, pages, 100, bitmap);

	/* All of it is mapped still, and should cost no more to end than little would. */
	lodge_bench_machine_close_vcpu(machine);
	start = lodge_bench_ticks();
	close(machine->vm);
	costs[LOG_DESTROY] = lodge_bench_ticks() - start;
	machine->vm = -1;
	munmap(memory, size);
	munmap(bitmap, pages / 8);
}

static void alarm_taken(int signal)
{
	(void)signal;
}

/* Its HLT sleeps until a signal comes, which is sent again when it came too early. */
static bool bare_halt(const struct bare_vm *bare)
{
	static const struct itimerval soon = { .it_value.tv_usec = 1000, .it_interval.tv_usec = 1000 }, never;
	bool slept;

	setitimer(ITIMER_REAL, &soon, NULL);
	slept = ioctl(bare->vcpu, KVM_RUN, 0) && errno == EINTR;
	setitimer(ITIMER_REAL, &never, NULL);
	return slept;
}

static void bare_create_all(struct bare_vm *bare, unsigned int nr, int device, uint8_t *memory, const char *path)
{
	for (unsigned int i = 0; i < nr; i++) {
		bare_check(&bare[i], bare_create(&bare[i], device, memory), path);
		if (!bare_halt(&bare[i]))
			lodge_fail(STATUS_FAILED, "%s: a VM that should sleep does not", path);
	}
}

static void bare_destroy_all(struct bare_vm *bare, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		bare_destroy(&bare[i]);
}

/* The sum of the numbers that follow one of the words at the beginning of the file's lines. */
static uint64_t numbers_of(const char *path, const char *const *words)
{
	FILE *file = fopen(path, "re");
	uint64_t sum = 0;
	char line[256];

	if (!file)
		lodge_fail(STATUS_FILE, "%s: %s", path, strerror(errno));
	while (fgets(line, sizeof(line), file)) {
		const char *text = line + strspn(line, " ");

		for (unsigned int i = 0; words[i]; i++)
			if (!strncmp(text, words[i], strlen(words[i])))
				sum += strtoull(text + strlen(words[i]), NULL, 10);
	}
	fclose(file);
	return sum;
}

/* Pages that wait on a CPU's own lists are free as well. */
static uint64_t free_kib(void)
{
	static const char *const words[] = { "nr_free_pages ", "count: ", NULL };

	return numbers_of("/proc/zoneinfo", words) * (PAGE / KIB);
}

static uint64_t nested_tables_kib(void)
{
	static const char *const words[] = { "SecPageTables:", NULL };
	FILE *refresh = fopen("/proc/sys/vm/stat_refresh", "we");

	/* Each CPU counts for itself, and tells in batches but for this. */
	if (refresh) {
		fputs("1", refresh);
		fclose(refresh);
	}
	return numbers_of("/proc/meminfo", words);
}

/* What each of @row->count idle VMs takes of the host's free memory, the nested tables apart. */
static void memory_measure(struct bench_machine *machine, const struct bench_row *row, uint64_t *costs)
{
	const struct rlimit files = { 2 * row->count + 64, 2 * row->count + 64 };
	struct bare_vm *bare = calloc(row->count, sizeof(*bare));
	int device = device_open(machine->path);
	uint8_t *memory = map(BARE_MEMORY);
	uint64_t before, after;

	if (!bare)
		lodge_fail(STATUS_MEMORY, "%u VMs to measure: %s", row->count, strerror(errno));
	sigaction(SIGALRM, &(struct sigaction){ .sa_handler = alarm_taken }, NULL);
	memcpy(memory, bare_code, sizeof(bare_code));
	if (!setrlimit(RLIMIT_NOFILE, &files)) {
		/* Caches that grow with the first use are not the VMs'. */
		bare_create_all(bare, row->count / 4, device, memory, machine->path);
		bare_destroy_all(bare, row->count / 4);
		settle(500);
		before = free_kib() + nested_tables_kib();
		bare_create_all(bare, row->count, device, memory, machine->path);
		after = free_kib() + nested_tables_kib();
		costs[0] = before > after ? (before - after + row->count - 1) / row->count : 0;
		bare_destroy_all(bare, row->count);
		settle(500);
	} else {
		lodge_warn("%s is left out, it wants %lu open files: %s", row->name, (unsigned long)files.rlim_cur,
			   strerror(errno));
	}
	munmap(memory, BARE_MEMORY);
	close(device);
	free(bare);
}

extern const uint8_t lodge_bench_touch[], lodge_bench_touch_end[];

#define ROW_TOUCH(function) .measure = function, .code = lodge_bench_touch, .end = lodge_bench_touch_end

static const struct bench_row rows[] = {
	{ .name = "create", .measure = lifetime_measure, .limit = 60000 },
	{ .name = "destroy", .limit = 100000 },
	{ .name = "create-first", .measure = lifetime_measure, .bare = true },
	{ .name = "destroy-last", .limit = 100000 },
	{ .name = "fault", ROW_TOUCH(fault_measure), .limit = 900 },
	{ .name = "fault-absent" },
	{ .name = "fault-2m", ROW_TOUCH(large_fault_measure), .limit = 900 },
	{ .name = "fault-2m-absent" },
	{ .name = "log-enable", ROW_TOUCH(log_measure), .count = 64, .limit = 20000 },
	{ .name = "log-write", .limit = 500, .limit_logged = 100 },
	{ .name = "log-harvest-1", .limit = 100 },
	{ .name = "log-harvest-10", .limit = 40 },
	{ .name = "log-harvest-100", .limit = 40 },
	{ .name = "log-destroy", .limit = 100000 },
	{ .name = "log-1g-enable", ROW_TOUCH(log_measure), .count = 1024, .slow = true, .limit = 20000 },
	{ .name = "log-1g-write", .limit = 500, .limit_logged = 100 },
	{ .name = "log-1g-harvest-1", .limit = 100 },
	{ .name = "log-1g-harvest-10", .limit = 40 },
	{ .name = "log-1g-harvest-100", .limit = 40 },
	{ .name = "log-1g-destroy", .limit = 100000 },
	{ .name = "memory-64", .measure = memory_measure, .bare = true, .count = 64, .unit = "KiB" },
	{ .name = "memory-256", .measure = memory_measure, .bare = true, .count = 256, .unit = "KiB", .limit = 32 },
	{ .name = "memory-1024", .measure = memory_measure, .bare = true, .count = 1024, .unit = "KiB", .slow = true },
};

const struct bench_row *lodge_bench_vm_rows(unsigned int *nr)
{
	*nr = sizeof(rows) / sizeof(rows[0]);
	return rows;
}
