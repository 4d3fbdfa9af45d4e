// SPDX-License-Identifier: GPL-2.0-only
/*
 * The rows of `lodge bench` about a guest's boot: `lodge run --report` of the host's own kernel, from the first entry
 * to the power-off that its first process asks for. One boot is measured; in a second one the hypervisor's tracepoint
 * counts exits by reason, in the kernel, where neither pays for a counter that is off. Each guest has a process of its
 * own. No lock.
 */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host.h"
#include "run.h"
#include "stats.h"
#include "tool.h"
#include "uapi/lodge.h"
#include "vcpu.h"
#include "vm.h"

#define TRACING		"/sys/kernel/tracing"
#define GUEST_MEMORY	(512ull << 20)

/* The rows in their order; those from ROW_PORT on are kinds of exits. */
enum {
	ROW_TICKS, ROW_EXITS, ROW_PORT, ROW_FAULT, ROW_MSR, ROW_CPUID, ROW_CONTROL, ROW_HLT, ROW_WINDOW, ROW_HOST,
	ROW_OTHER, ROWS
};
_Static_assert(ROWS <= BENCH_GROUP_MAX, "one group");

/* The CPU's numbers of the exits that have a row: APM 2, appendix C; SDM 3, appendix C. */
static const struct exits {
	unsigned int first, last, row;
} exits_amd[] = {
	{ 0x00, 0x3f, ROW_CONTROL },	/* control and debug registers */
	{ 0x60, 0x63, ROW_HOST },	/* INTR, NMI, SMI, INIT */
	{ 0x64, 0x64, ROW_WINDOW },
	{ 0x65, 0x65, ROW_CONTROL },
	{ 0x72, 0x72, ROW_CPUID },
	{ 0x78, 0x78, ROW_HLT },
	{ 0x7b, 0x7b, ROW_PORT },
	{ 0x7c, 0x7c, ROW_MSR },
	{ 0x400, 0x403, ROW_FAULT },
	{ .row = ROW_OTHER },
}, exits_intel[] = {
	{ 1, 1, ROW_HOST },
	{ 7, 8, ROW_WINDOW },		/* of an interrupt, of an NMI */
	{ 10, 10, ROW_CPUID },
	{ 12, 12, ROW_HLT },
	{ 28, 29, ROW_CONTROL },
	{ 30, 30, ROW_PORT },
	{ 31, 32, ROW_MSR },
	{ 48, 49, ROW_FAULT },		/* EPT violation, misconfiguration */
	{ .row = ROW_OTHER },
};

/* What the child that runs the guest leaves to its parent, in memory that they share. */
struct boot {
	struct lodge_run_watch watch;
	bool counted;			/* it is between two marks */
	bool over;			/* the rest is there */
	uint64_t ticks, exits;
};

/*
 * A NOP of a length and an operand that nothing else has. A plugin of the emulator, selftests/bench/host-plugin.c,
 * counts what the host executes from one to the other.
 */
static inline void mark_begin(void)
{
	asm volatile("nopl 0x3c47444c(%%rax)" : : : "memory");
}

static inline void mark_end(void)
{
	asm volatile("nopl 0x3e47444c(%%rax)" : : : "memory");
}

static void boot_begin(const struct lodge_run_watch *watch, const struct lodge_vm *vm)
{
	struct boot *boot = (struct boot *)watch;

	(void)vm;
	boot->ticks = lodge_bench_ticks();
	if (boot->counted)
		mark_begin();
}

static void boot_end(const struct lodge_run_watch *watch, const struct lodge_vm *vm)
{
	struct boot *boot = (struct boot *)watch;

	if (boot->counted && vm->status == STATUS_OK)
		mark_end();
	boot->ticks = lodge_bench_ticks() - boot->ticks;
	if (!lodge_stats_read(vm->vcpus[0].fd, "exits", &boot->exits))
		lodge_fail(STATUS_UNSUPPORTED, "%s does not count exits", vm->path);
	boot->over = true;
}

static void __attribute__((noreturn)) boot_child(struct boot *boot, const char *path)
{
	struct lodge_run_options options = {
		.device = path, .serial = "/dev/null", .memory = GUEST_MEMORY, .cpus = 1, .report = true,
	};
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	/* The report itself is not for this verb's output; whether there was one is in the status. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || null < 0 || dup2(null, STDOUT_FILENO) < 0)
		lodge_fail(STATUS_FAILED, "a guest to measure: %s", strerror(errno));
	_exit((int)lodge_run_guest(&options, &boot->watch));
}

/* Return: the exit status of the run, or that of a shell for one that died. */
static int boot_run(struct boot *boot, const char *path)
{
	pid_t child = fork();
	int status;

	if (child < 0)
		lodge_fail(STATUS_FAILED, "a guest to measure: %s", strerror(errno));
	if (!child)
		boot_child(boot, path);
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			lodge_fail(STATUS_FAILED, "a guest to measure: %s", strerror(errno));
	return WIFEXITED(status) ? WEXITSTATUS(status) : STATUS_SIGNAL + WTERMSIG(status);
}

static struct boot *boot_create(bool counted)
{
	struct boot *boot = mmap(NULL, sizeof(*boot), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (boot == MAP_FAILED)
		lodge_fail(STATUS_MEMORY, "a guest to measure: %s", strerror(errno));
	boot->watch = (struct lodge_run_watch){ .begin = boot_begin, .end = boot_end };
	boot->counted = counted;
	return boot;
}

static void boot_check(const struct boot *boot, int status, const char *path)
{
	if (status || !boot->over)
		lodge_fail(STATUS_FAILED, "%s: the guest that was to be measured ended with status %d", path, status);
}

/**
 * struct trace - the tracepoint of a hypervisor's exits
 * @event: its directory
 * @key: of its fields, the CPU's reason
 */
struct trace {
	const char *event, *key;
};

/* Only lodge knows its own ioctls, whatever the node's name. */
static bool device_is_lodge(const char *path)
{
	struct lodge_query query = { .size = sizeof(query) };
	int device = open(path, O_RDWR | O_CLOEXEC);
	bool is_lodge = device >= 0 && !ioctl(device, LODGE_QUERY, &query);

	if (device >= 0)
		close(device);
	return is_lodge;
}

/* Count by reason, in the kernel, or no longer: the kernel's Documentation/trace/histogram.rst. */
static bool trace_set(const struct trace *trace, bool on)
{
	char path[128], text[64];
	int fd, length;
	bool done;

	snprintf(path, sizeof(path), "%s/trigger", trace->event);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	length = snprintf(text, sizeof(text), "%shist:keys=%s", on ? "" : "!", trace->key);
	done = write(fd, text, (size_t)length) == length;
	close(fd);
	return done;
}

static unsigned int row_of_reason(unsigned int reason)
{
	const struct exits *exits = lodge_host_vendor(NULL) == HOST_INTEL ? exits_intel : exits_amd;

	while (exits->row != ROW_OTHER && (reason < exits->first || reason > exits->last))
		exits++;
	return exits->row;
}

/* Lines of "{ KEY: REASON } hitcount: COUNT". Return: the sum. */
static uint64_t trace_read(const struct trace *trace, uint64_t *costs)
{
	unsigned long long reason, count;
	char path[128], line[256];
	uint64_t sum = 0;
	FILE *file;

	snprintf(path, sizeof(path), "%s/hist", trace->event);
	file = fopen(path, "re");
	for (unsigned int i = ROW_PORT; i < ROWS; i++)
		costs[i] = 0;
	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "{ %*[^:]: %llu } hitcount: %llu", &reason, &count) != 2)
			continue;
		/* VT-x has flags above its reason: SDM 3, 25.9.1. */
		costs[row_of_reason(reason & 0xffff)] += count;
		sum += count;
	}
	if (file)
		fclose(file);
	return sum;
}

/* The trigger must go whatever happens: a signal's turn is when the guest, which it ends too, is gone. */
static void reasons_measure(const char *path, uint64_t *costs)
{
	static const struct trace lodge = { TRACING "/events/lodge/lodge_exit", "reason" };
	static const struct trace kvm = { TRACING "/events/kvm/kvm_exit", "exit_reason" };
	const struct trace *trace = device_is_lodge(path) ? &lodge : &kvm;
	uint64_t kinds[ROWS], traced = 0;
	struct boot *boot;
	sigset_t signals, before;
	int status;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	boot = boot_create(false);
	sigprocmask(SIG_BLOCK, &signals, &before);
	if (!trace_set(trace, true)) {
		lodge_warn("exits by reason are left out: %s: %s", trace->event, strerror(errno));
	} else {
		status = boot_run(boot, path);
		traced = trace_read(trace, kinds);
		trace_set(trace, false);
		sigprocmask(SIG_SETMASK, &before, NULL);
		boot_check(boot, status, path);
		if (traced == boot->exits)
			memcpy(&costs[ROW_PORT], &kinds[ROW_PORT], (ROWS - ROW_PORT) * sizeof(*costs));
		else
			lodge_warn("%s: exits by reason are left out: %llu were traced, and the guest had %llu", path,
				   (unsigned long long)traced, (unsigned long long)boot->exits);
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	munmap(boot, sizeof(*boot));
}

static void boot_measure(struct bench_machine *machine, const struct bench_row *row, uint64_t *costs)
{
	struct boot *boot = boot_create(true);
	int status;

	(void)row;
	status = boot_run(boot, machine->path);
	/* Not every kernel boots on every KVM in the lab. */
	if (status == STATUS_REBOOT && !device_is_lodge(machine->path)) {
		lodge_warn("%s: boot is left out: the guest asked for a reboot", machine->path);
		munmap(boot, sizeof(*boot));
		return;
	}
	boot_check(boot, status, machine->path);
	costs[ROW_TICKS] = boot->ticks;
	costs[ROW_EXITS] = boot->exits;
	munmap(boot, sizeof(*boot));
	reasons_measure(machine->path, costs);
}

#define ROW_KIND(number, name_) [number] = { .name = name_, .unit = "exits" }

static const struct bench_row rows[] = {
	[ROW_TICKS] = { .name = "boot", .unit = "ticks", .measure = boot_measure, .bare = true, .slow = true },
	ROW_KIND(ROW_EXITS, "boot-exits"),
	ROW_KIND(ROW_PORT, "boot-port"),
	ROW_KIND(ROW_FAULT, "boot-fault"),
	ROW_KIND(ROW_MSR, "boot-msr"),
	ROW_KIND(ROW_CPUID, "boot-cpuid"),
	ROW_KIND(ROW_CONTROL, "boot-control"),
	ROW_KIND(ROW_HLT, "boot-hlt"),
	ROW_KIND(ROW_WINDOW, "boot-window"),
	ROW_KIND(ROW_HOST, "boot-host"),
	ROW_KIND(ROW_OTHER, "boot-other"),
};

const struct bench_row *lodge_bench_boot_rows(unsigned int *nr)
{
	*nr = sizeof(rows) / sizeof(rows[0]);
	return rows;
}
