/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of `lodge bench` share: a machine just large enough to measure with, and the measured rows.
 * One thread, no lock.
 */
#ifndef LODGE_BENCH_H
#define LODGE_BENCH_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BENCH_PORT_END		0x43	/* where a guest's loop ends */
#define BENCH_COUNTER		0x5000	/* guest address: how many interrupts the guest has handled */
#define BENCH_PORT_EVENT	0x45	/* an eventfd takes it */
#define BENCH_REGION		0x40000000	/* guest address: memory of a row's own begins here */
#define BENCH_GROUP_MAX		11	/* rows that are measured together */

/**
 * struct bench_machine - a VM of one vCPU, or two, with in-kernel interrupt chips and a little memory
 * @path: the device node
 * @device: descriptor of the device node
 * @vm: of the VM
 * @vcpu: of the vCPU
 * @event: of the eventfd behind BENCH_PORT_EVENT
 * @irq: of the eventfd that raises an interrupt
 * @peer: of a second vCPU, for the rows that want one
 * @run, @peer_run: the vCPUs' shared areas
 * @run_size: of each
 * @memory: the guest's memory, from guest address 0
 * @step: what a loop that walks BENCH_REGION adds to its address each time
 */
struct bench_machine {
	const char *path;
	int device, vm, vcpu, peer, event, irq;
	struct kvm_run *run, *peer_run;
	size_t run_size;
	void *memory;
	uint32_t step;
};

/**
 * struct bench_row - one thing that is measured
 * @name: the row, ABI of the JSON
 * @measure: what this row and those behind it without a function of their own cost each, in ticks or @unit; what
 *	it leaves alone is not measured
 * @code, @end: the guest's loop, for those that have one
 * @count: how many VMs or how much memory, for those that want it
 * @bare: @measure makes its VMs itself; of @machine there is only the path
 * @slow: measured once, and not by a quick run
 * @unit: of what is no time; NULL: instructions or ticks
 * @in_kernel: one exit that the kernel handles, which a bare entry and exit is the floor of
 * @limit: what it may cost in instructions; 0: nothing is promised
 * @limit_next_rip: the same where the CPU tells the next instruction's address; 0: no other
 * @limit_unmitigated: the same where it does and the host mitigates nothing; 0: no other
 * @limit_logged: the same where the CPU logs first writes itself; 0: no other
 */
struct bench_row {
	const char *name;
	void (*measure)(struct bench_machine *machine, const struct bench_row *row, uint64_t *costs);
	const uint8_t *code, *end;
	unsigned int count;
	const char *unit;
	bool bare, slow, in_kernel;
	unsigned int limit, limit_next_rip, limit_unmitigated, limit_logged;
};

/** lodge_bench_exit_rows() - the rows of exits; @nr: their number */
const struct bench_row *lodge_bench_exit_rows(unsigned int *nr);

/** lodge_bench_vm_rows() - the rows of VMs and their memory; @nr: their number */
const struct bench_row *lodge_bench_vm_rows(unsigned int *nr);

/** lodge_bench_boot_rows() - the rows of a guest's boot; @nr: their number */
const struct bench_row *lodge_bench_boot_rows(unsigned int *nr);

/** lodge_bench_ticks() - the time stamp counter, after all before it was executed */
uint64_t lodge_bench_ticks(void);

/**
 * lodge_bench_machine_create() - make a machine
 * @machine: filled in
 * @path: device node; one that was just given back by another hypervisor is waited for
 *
 * Return: whether it could be made; errno says why not.
 */
bool lodge_bench_machine_create(struct bench_machine *machine, const char *path);
void lodge_bench_machine_destroy(struct bench_machine *machine);

/** lodge_bench_machine_close_vcpu() - end the vCPU alone: then the VM is only its descriptor's */
void lodge_bench_machine_close_vcpu(struct bench_machine *machine);

/**
 * lodge_bench_machine_run() - run a loop of the guest's to its end
 * @machine: the machine
 * @count: repetitions
 *
 * Return: ticks from the first KVM_RUN to the last one's return. Ends the tool when the guest stops otherwise.
 */
uint64_t lodge_bench_machine_run(struct bench_machine *machine, unsigned int count);

/** lodge_bench_machine_run_irq() - the same, raising the machine's interrupt at each exit to user space */
uint64_t lodge_bench_machine_run_irq(struct bench_machine *machine, unsigned int count);

/** lodge_bench_machine_add_peer() - a second vCPU, at the loop that lodge_bench_machine_run_peer() lets it run */
bool lodge_bench_machine_add_peer(struct bench_machine *machine);

/** lodge_bench_machine_run_peer() - lodge_bench_machine_run(), running the other vCPU at each exit to user space */
uint64_t lodge_bench_machine_run_peer(struct bench_machine *machine, unsigned int count);

/** lodge_bench_machine_load() - put a loop where the vCPU begins */
void lodge_bench_machine_load(struct bench_machine *machine, const struct bench_row *row);

#endif
