/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest small enough to reason about, for the tests of the emulator: some
 * pages of data, two of code, a port, registers. Pages can be absent, read-only
 * or MMIO that "user space" completes.
 */
#ifndef LODGE_SELFTEST_EMULATE_MACHINE_H
#define LODGE_SELFTEST_EMULATE_MACHINE_H

#include "../emulate/emulate.h"

#define MACHINE_PAGES		16
#define MACHINE_MEMORY		(MACHINE_PAGES * 4096)
#define MACHINE_CODE		8192
#define MACHINE_GPA		0x7700000000ull	/* where linear @base lies: never the linear address itself */

struct emulate_machine {
	struct lodge_emulate em;
	u64 gprs[LODGE_NR_GPRS];
	struct lodge_emulate_segment segments[LODGE_TR];
	u8 vectors[16][32];
	u64 base;		/* linear address of memory[0] */
	u64 code_base;		/* linear address of code[0], page-aligned */
	u32 absent;		/* bit per data page: not mapped by the guest */
	u32 readonly;		/* bit per data page */
	u32 io;			/* bit per data page: user space's */
	bool code_second_absent;
	bool port_in_kernel;	/* the device at the port answers without user space */
	bool io_denied;		/* the TSS's bitmap forbids every port */
	bool contended;		/* another CPU is always first with its locked access */
	u8 port_next;		/* next byte the port gives */
	unsigned int nr_io;	/* exits to user space */
	unsigned int nr_translate, nr_fetch;
	unsigned int port_written;	/* bytes */
	u32 port_sum;		/* of what was written, position included */
	u8 port_data[LODGE_PORT_DATA];
	u8 memory[MACHINE_MEMORY];
	u8 code[MACHINE_CODE];
};

/* All registers 0, flat segments, data at 0x10000, code at 0x400000. */
void emulate_machine_reset(struct emulate_machine *machine);

/* Protection and size: real mode gives segments of 64 KiB based at 0. */
void emulate_machine_set_mode(struct emulate_machine *machine, enum lodge_emulate_mode mode, unsigned int width);

/* User space's part of an exit. */
void emulate_machine_complete(struct emulate_machine *machine);

/* Step, completing exits, until the instruction is through (REP to its end) or fails. */
enum lodge_emulate_result emulate_machine_run(struct emulate_machine *machine);

#endif
