// SPDX-License-Identifier: GPL-2.0-only
/*
 * The rows of `lodge bench` that are exits: the difference between many and few of them, the guest's loop of two
 * instructions included. No state.
 */
#include "bench.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "host.h"
#include "stats.h"
#include "tool.h"

#define FEW	100u
#define MANY	600u
#define TRIES	4

#define LOOP(name) extern const uint8_t lodge_bench_##name[], lodge_bench_##name##_end[]
LOOP(cpuid);
LOOP(vmcall);
LOOP(vmmcall);
LOOP(rdmsr);
LOOP(wrmsr);
LOOP(port_in);
LOOP(port_out);
LOOP(ioeventfd);
LOOP(apic_read);
LOOP(self_ipi);
LOOP(port_user);
LOOP(mmio_user);
LOOP(irqfd);
LOOP(hlt_wake);
LOOP(ipi);

static uint64_t least(uint64_t (*run)(struct bench_machine *machine, unsigned int count),
		      struct bench_machine *machine, unsigned int count)
{
	uint64_t best = UINT64_MAX;

	for (unsigned int i = 0; i < TRIES; i++) {
		uint64_t ticks = run(machine, count);

		if (ticks < best)
			best = ticks;
	}
	return best;
}

static uint64_t each(uint64_t (*run)(struct bench_machine *machine, unsigned int count),
		     struct bench_machine *machine)
{
	uint64_t few, many;

	run(machine, FEW);
	few = least(run, machine, FEW);
	many = least(run, machine, MANY);
	return many > few ? (many - few) / (MANY - FEW) : 0;
}

static uint64_t version_run(struct bench_machine *machine, unsigned int count)
{
	uint64_t start = lodge_bench_ticks();

	while (count--)
		if (ioctl(machine->device, KVM_GET_API_VERSION, 0) != KVM_API_VERSION)
			lodge_fail(STATUS_FAILED, "KVM_GET_API_VERSION: %s", strerror(errno));
	return lodge_bench_ticks() - start;
}

static void ioctl_measure(struct bench_machine *machine, const struct bench_row *row, uint64_t *costs)
{
	(void)row;
	*costs = each(version_run, machine);
}

/* What lodge counts beside exits: TLB flushes asked for, flushes done, interrupts sent to the vCPU's CPU. */
struct side_effects {
	uint64_t requests, flushes, kicks;
};

static bool side_effects_read(const struct bench_machine *machine, struct side_effects *effects)
{
	return lodge_stats_read(machine->vm, "remote_tlb_flush", &effects->requests) &&
	       lodge_stats_read(machine->vcpu, "tlb_flush", &effects->flushes) &&
	       lodge_stats_read(machine->vcpu, "kicks", &effects->kicks);
}

/*
 * In steady state an exit that the kernel handles has none of them. A vCPU that the host moves to another CPU flushes
 * there: one run of several must be without. KVM does not count all of them, and is not judged.
 */
static void side_effects_check(struct bench_machine *machine, const struct bench_row *row)
{
	struct side_effects before, after;

	for (unsigned int i = 0; i < TRIES; i++) {
		if (!side_effects_read(machine, &before))
			return;
		lodge_bench_machine_run(machine, MANY);
		side_effects_read(machine, &after);
		if (!memcmp(&before, &after, sizeof(before)))
			return;
	}
	lodge_fail(STATUS_FAILED, "%s: %u exits asked for %llu TLB flushes, did %llu, and sent CPUs %llu interrupts",
		   row->name, MANY, (unsigned long long)(after.requests - before.requests),
		   (unsigned long long)(after.flushes - before.flushes),
		   (unsigned long long)(after.kicks - before.kicks));
}

static void loop_measure(struct bench_machine *machine, const struct bench_row *row, uint64_t *costs)
{
	lodge_bench_machine_load(machine, row);
	*costs = each(lodge_bench_machine_run, machine);
	if (row->in_kernel)
		side_effects_check(machine, row);
}

/* Rows of interrupts: each of them must have arrived. */
static uint64_t interrupt_measure(uint64_t (*run)(struct bench_machine *machine, unsigned int count),
				  struct bench_machine *machine, const struct bench_row *row)
{
	uint32_t *handled = (uint32_t *)((uint8_t *)machine->memory + BENCH_COUNTER);
	uint64_t cost;

	lodge_bench_machine_load(machine, row);
	cost = each(run, machine);
	*handled = 0;
	run(machine, FEW);
	if (*handled < FEW)
		lodge_fail(STATUS_FAILED, "%s: the guest saw %u interrupts of %u", row->name, *handled, FEW);
	return cost;
}

static void irqfd_measure(struct bench_machine *machine, const struct bench_row *row, uint64_t *costs)
{
	*costs = interrupt_measure(lodge_bench_machine_run_irq, machine, row);
}

static void hlt_measure(struct bench_machine *machine, const struct bench_row *row, uint64_t *costs)
{
	*costs = interrupt_measure(lodge_bench_machine_run, machine, row);
}

static void ipi_measure(struct bench_machine *machine, const struct bench_row *row, uint64_t *costs)
{
	if (!lodge_bench_machine_add_peer(machine))
		lodge_fail(STATUS_FAILED, "%s: no second vCPU: %s", row->name, strerror(errno));
	*costs = interrupt_measure(lodge_bench_machine_run_peer, machine, row);
}

/* Each vendor's own, so that neither hypervisor has to patch the other's. */
static void hypercall_measure(struct bench_machine *machine, const struct bench_row *row, uint64_t *costs)
{
	struct bench_row own = *row;

	if (lodge_host_vendor(NULL) == HOST_INTEL) {
		own.code = lodge_bench_vmcall;
		own.end = lodge_bench_vmcall_end;
	}
	loop_measure(machine, &own, costs);
}

#define ROW_LOOP(loop) .measure = loop_measure, .code = lodge_bench_##loop, .end = lodge_bench_##loop##_end

static const struct bench_row rows[] = {
	{ .name = "null-ioctl", .measure = ioctl_measure },
	{ .name = "cpuid", .in_kernel = true, ROW_LOOP(cpuid),
	  .limit = 600, .limit_next_rip = 350, .limit_unmitigated = 250 },
	{ .name = "hypercall", .in_kernel = true, .measure = hypercall_measure, .code = lodge_bench_vmmcall,
	  .end = lodge_bench_vmmcall_end, .limit = 600, .limit_next_rip = 350, .limit_unmitigated = 250 },
	{ .name = "rdmsr", .in_kernel = true, ROW_LOOP(rdmsr),
	  .limit = 600, .limit_next_rip = 350, .limit_unmitigated = 250 },
	{ .name = "wrmsr", .in_kernel = true, ROW_LOOP(wrmsr),
	  .limit = 600, .limit_next_rip = 350, .limit_unmitigated = 250 },
	{ .name = "port-in", .in_kernel = true, ROW_LOOP(port_in), .limit = 350 },
	{ .name = "port-out", .in_kernel = true, ROW_LOOP(port_out) },
	{ .name = "ioeventfd", .in_kernel = true, ROW_LOOP(ioeventfd), .limit = 450 },
	{ .name = "lapic-read", .in_kernel = true, ROW_LOOP(apic_read), .limit = 700 },
	{ .name = "self-ipi", .in_kernel = true, ROW_LOOP(self_ipi) },
	{ .name = "port-user", ROW_LOOP(port_user), .limit = 1200 },
	{ .name = "mmio-user", ROW_LOOP(mmio_user), .limit = 1500 },
	{ .name = "irqfd", .measure = irqfd_measure, .code = lodge_bench_irqfd, .end = lodge_bench_irqfd_end },
	{ .name = "hlt-wake", .measure = hlt_measure, .code = lodge_bench_hlt_wake,
	  .end = lodge_bench_hlt_wake_end },
	{ .name = "ipi", .measure = ipi_measure, .code = lodge_bench_ipi, .end = lodge_bench_ipi_end },
};

const struct bench_row *lodge_bench_exit_rows(unsigned int *nr)
{
	*nr = sizeof(rows) / sizeof(rows[0]);
	return rows;
}
