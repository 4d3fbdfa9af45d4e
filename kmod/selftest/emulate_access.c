// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unit test of the emulator's way in and out of user space: which accesses it
 * sees, in which order, when registers commit, and how strings and string ports
 * stop and go on. Decoding and exceptions are in emulate.c. No locks.
 */
#include "emulate_check.h"

static struct emulate_machine machine;

static void machine_begin(void)
{
	emulate_machine_reset(&machine);
	machine.io = 0xff00;		/* the upper half is MMIO */
}

#define RAM(offset)	(machine.base + (offset))
#define MMIO(offset)	(machine.base + 0x8000 + (offset))
#define MMIO_GPA(offset) (MACHINE_GPA + 0x8000 + (offset))

static bool io_is(bool write, u64 gpa, unsigned int size)
{
	const struct lodge_emulate_io *io = &machine.em.io;

	return io->kind == LODGE_IO_MMIO && io->write == write && io->addr == gpa && io->size == size && io->count == 1;
}

static bool port_is(bool write, unsigned int size, unsigned int count)
{
	const struct lodge_emulate_io *io = &machine.em.io;

	return io->kind == LODGE_IO_PORT && io->write == write && io->size == size && io->count == count;
}

/* User space answers, the emulator goes on. */
static enum lodge_emulate_result machine_answer(void)
{
	emulate_machine_complete(&machine);
	machine.em.segments_valid = 0;
	return lodge_emulate_resume(&machine.em);
}

/* The same, and enter again while a REP has iterations left, as the guest would. */
static enum lodge_emulate_result machine_answer_rep(void)
{
	u64 start = machine.em.insn_rip;
	enum lodge_emulate_result ret = machine_answer();

	while (!ret && machine.em.rip == start)
		ret = emulate_machine_step(&machine);
	return ret;
}

static unsigned int test_commit(void)
{
	struct lodge_emulate *em = &machine.em;
	unsigned int failed = 0;

	/* A write counts as done when it is issued. */
	machine_begin();
	machine.gprs[LODGE_RAX] = MMIO(0x10);
	machine.gprs[LODGE_RBX] = 0x11223344;
	CODE(&machine, 0x89, 0x18);
	EXPECT(failed, emulate_machine_step(&machine) == EMULATE_IO && io_is(true, MMIO_GPA(0x10), 4));
	EXPECT(failed, em->rip == machine.code_base + 2 && em->committed && em->io.data[0] == 0x44);
	EXPECT(failed, machine_answer() == EMULATE_DONE && machine.memory[0x8013] == 0x11 && !em->committed);

	/* A read only when it is answered. */
	machine_begin();
	machine.gprs[LODGE_RAX] = MMIO(0x10);
	machine.memory[0x8010] = 0x77;
	CODE(&machine, 0x0f, 0xb6, 0x18);		/* MOVZX EBX, byte [RAX] */
	EXPECT(failed, emulate_machine_step(&machine) == EMULATE_IO && io_is(false, MMIO_GPA(0x10), 1));
	EXPECT(failed, em->rip == machine.code_base && !em->committed && !machine.gprs[LODGE_RBX]);
	EXPECT(failed, machine_answer() == EMULATE_DONE && machine.gprs[LODGE_RBX] == 0x77 && em->committed &&
	       em->rip == machine.code_base + 3);

	/* User space that moved RIP has dropped the instruction. */
	machine_begin();
	machine.gprs[LODGE_RAX] = MMIO(0);
	CODE(&machine, 0x8b, 0x18);
	EXPECT(failed, emulate_machine_step(&machine) == EMULATE_IO);
	em->rip += 0x100;
	machine.memory[0x8000] = 1;
	EXPECT(failed, machine_answer() == EMULATE_DONE && !machine.gprs[LODGE_RBX] && !em->committed &&
	       em->rip == machine.code_base + 0x100);

	/* Resuming when nothing waits does nothing. */
	EXPECT(failed, lodge_emulate_resume(em) == EMULATE_DONE && !em->committed);
	return failed;
}

/* Each device register is read once and written once. */
static unsigned int test_modify(void)
{
	unsigned int failed = 0;

	machine_begin();
	machine.gprs[LODGE_RAX] = MMIO(0x20);
	machine.gprs[LODGE_RBX] = 1;
	machine.memory[0x8020] = 0xff;
	CODE(&machine, 0xf0, 0x01, 0x18);		/* LOCK ADD [RAX], EBX */
	EXPECT(failed, emulate_machine_step(&machine) == EMULATE_IO && io_is(false, MMIO_GPA(0x20), 4));
	EXPECT(failed, machine_answer() == EMULATE_IO && io_is(true, MMIO_GPA(0x20), 4) &&
	       machine.em.rip == machine.code_base + 3);
	EXPECT(failed, machine_answer() == EMULATE_DONE && machine.memory[0x8020] == 0 && machine.memory[0x8021] == 1 &&
	       machine.nr_io == 2);

	/* A register is exchanged only after memory took its value. */
	machine_begin();
	machine.gprs[LODGE_RAX] = MMIO(0);
	machine.gprs[LODGE_RBX] = 5;
	machine.memory[0x8000] = 9;
	CODE(&machine, 0x87, 0x18);
	EXPECT(failed, emulate_machine_step(&machine) == EMULATE_IO && machine.gprs[LODGE_RBX] == 5);
	EXPECT(failed, machine_answer() == EMULATE_IO && machine.gprs[LODGE_RBX] == 9);
	EXPECT(failed, machine_answer() == EMULATE_DONE && machine.memory[0x8000] == 5);

	/* Lost a locked access to another CPU: nothing happened, the guest tries again. */
	machine_begin();
	machine.contended = true;
	machine.gprs[LODGE_RAX] = RAM(0x100);
	machine.gprs[LODGE_RBX] = 5;
	CODE(&machine, 0x87, 0x18);
	EXPECT(failed, emulate_machine_step(&machine) == EMULATE_RETRY && machine.em.rip == machine.code_base &&
	       machine.gprs[LODGE_RBX] == 5 && !machine.em.committed);
	CODE(&machine, 0x01, 0x18);			/* without LOCK there is nothing to lose */
	EXPECT(failed, emulate_machine_step(&machine) == EMULATE_DONE && machine.memory[0x100] == 5);
	return failed;
}

/* Accesses are cut at pages and at 8 bytes. */
static unsigned int test_pieces(void)
{
	unsigned int failed = 0, i;

	machine_begin();
	machine.gprs[LODGE_RAX] = MMIO(0xffd);
	machine.gprs[LODGE_RBX] = 0x8877665544332211;
	CODE(&machine, 0x48, 0x89, 0x18);
	EXPECT(failed, emulate_machine_step(&machine) == EMULATE_IO && io_is(true, MMIO_GPA(0xffd), 3));
	EXPECT(failed, machine.em.rip == machine.code_base + 3);
	EXPECT(failed, machine_answer() == EMULATE_IO && io_is(true, MMIO_GPA(0x1000), 5) &&
	       machine.em.io.data[0] == 0x44);
	EXPECT(failed, machine_answer() == EMULATE_DONE && machine.memory[0x9004] == 0x88);

	/* RAM, then MMIO: only the second half leaves. */
	machine_begin();
	machine.gprs[LODGE_RAX] = RAM(0x7ffe);
	CODE(&machine, 0x8b, 0x18);
	memcpy(machine.memory + 0x7ffe, "\1\2\3\4", 4);
	EXPECT(failed, emulate_machine_step(&machine) == EMULATE_IO && io_is(false, MMIO_GPA(0), 2));
	EXPECT(failed, machine_answer() == EMULATE_DONE && machine.gprs[LODGE_RBX] == 0x04030201);

	/* 32 bytes over a border: 5 + 8 + 8 + 8 + 3. */
	machine_begin();
	machine.gprs[LODGE_RAX] = MMIO(0xffb);
	for (i = 0; i < 32; i++)
		machine.memory[0x8ffb + i] = i + 1;
	CODE(&machine, 0xc5, 0xfe, 0x6f, 0x10);		/* VMOVDQU YMM2, [RAX] */
	EXPECT(failed, emulate_machine_run(&machine) == EMULATE_DONE && machine.nr_io == 5 &&
	       !memcmp(machine.vectors[2], machine.memory + 0x8ffb, 32));
	return failed;
}

/* Destination before source: a device is not read when the write would fault. */
static unsigned int test_movs(void)
{
	unsigned int failed = 0;

	machine_begin();
	machine.absent = BIT(2);
	machine.gprs[LODGE_RSI] = MMIO(0);
	machine.gprs[LODGE_RDI] = RAM(0x2000);
	CODE(&machine, 0xa5);
	EXPECT(failed, emulate_machine_faulted(&machine, emulate_machine_step(&machine), 14, 2));

	/* From device to device: read, write, read, write; done iterations stay done. */
	machine_begin();
	machine.gprs[LODGE_RSI] = MMIO(0);
	machine.gprs[LODGE_RDI] = MMIO(0x1000);
	machine.gprs[LODGE_RCX] = 2;
	machine.memory[0x8004] = 0x42;
	CODE(&machine, 0xf3, 0xa5);
	EXPECT(failed, emulate_machine_step(&machine) == EMULATE_IO && io_is(false, MMIO_GPA(0), 4) &&
	       machine.gprs[LODGE_RCX] == 2);
	EXPECT(failed, machine_answer() == EMULATE_IO && io_is(true, MMIO_GPA(0x1000), 4) &&
	       machine.gprs[LODGE_RCX] == 1 && machine.em.rip == machine.code_base && machine.em.committed);
	EXPECT(failed, machine_answer() == EMULATE_IO && io_is(false, MMIO_GPA(4), 4));
	EXPECT(failed, machine_answer() == EMULATE_IO && io_is(true, MMIO_GPA(0x1004), 4) &&
	       machine.gprs[LODGE_RCX] == 0 && machine.em.rip == machine.code_base + 2);
	EXPECT(failed, machine_answer() == EMULATE_DONE && machine.memory[0x9004] == 0x42 && machine.nr_io == 4);

	/* A fault in the middle leaves what came before. */
	machine_begin();
	machine.absent = BIT(3);
	machine.gprs[LODGE_RSI] = RAM(0x100);
	machine.gprs[LODGE_RDI] = RAM(0x2ffc);
	machine.gprs[LODGE_RCX] = 8;
	CODE(&machine, 0xf3, 0xa4);
	EXPECT(failed, emulate_machine_faulted(&machine, emulate_machine_step(&machine), 14, 2) &&
	       machine.em.fault.cr2 == RAM(0x3000));
	EXPECT(failed, machine.gprs[LODGE_RCX] == 4 && machine.gprs[LODGE_RSI] == RAM(0x104) && machine.em.committed &&
	       machine.em.rip == machine.code_base);
	return failed;
}

static unsigned int test_batches(void)
{
	unsigned int failed = 0;

	/* A long REP comes back now and then, and goes on where it was. */
	machine_begin();
	machine.gprs[LODGE_RDI] = RAM(0);
	machine.gprs[LODGE_RCX] = LODGE_EMULATE_BATCH + 10;
	machine.gprs[LODGE_RAX] = 0x5a;
	CODE(&machine, 0xf3, 0xaa);
	EXPECT(failed, emulate_machine_step(&machine) == EMULATE_DONE && machine.gprs[LODGE_RCX] == 10 &&
	       machine.em.rip == machine.code_base && machine.em.committed);
	EXPECT(failed, emulate_machine_step(&machine) == EMULATE_DONE && machine.gprs[LODGE_RCX] == 0 &&
	       machine.em.rip == machine.code_base + 2 && machine.memory[LODGE_EMULATE_BATCH + 9] == 0x5a &&
	       !machine.memory[LODGE_EMULATE_BATCH + 10]);
	/* One page is translated once in a batch. */
	EXPECT(failed, machine.nr_translate == 2);

	/* TF traps after each iteration. */
	machine_begin();
	machine.em.rflags |= BIT(8);
	machine.gprs[LODGE_RDI] = RAM(0);
	machine.gprs[LODGE_RCX] = 3;
	CODE(&machine, 0xf3, 0xaa);
	EXPECT(failed, emulate_machine_step(&machine) == EMULATE_DONE && machine.gprs[LODGE_RCX] == 2 &&
	       machine.em.single_step && machine.em.rip == machine.code_base);

	/* Nothing to do is done at once, without touching memory. */
	machine_begin();
	machine.gprs[LODGE_RDI] = 0;
	CODE(&machine, 0xf3, 0xaa);
	EXPECT(failed, emulate_machine_step(&machine) == EMULATE_DONE && machine.em.rip == machine.code_base + 2 &&
	       !machine.nr_translate);
	return failed;
}

static void machine_begin_port(unsigned int count, u64 rdi)
{
	machine_begin();
	machine.gprs[LODGE_RDX] = 0x80;
	machine.gprs[LODGE_RCX] = count;
	machine.gprs[LODGE_RDI] = rdi;
	machine.gprs[LODGE_RSI] = rdi;
	machine.port_next = 1;
}

/* Input comes in batches that end with the destination's page. */
static unsigned int test_ins(void)
{
	unsigned int failed = 0;

	machine_begin_port(3000, RAM(0x1800));
	CODE(&machine, 0xf3, 0x6c);
	EXPECT(failed, emulate_machine_step(&machine) == EMULATE_IO && port_is(false, 1, 0x800) &&
	       machine.em.io.addr == 0x80 && machine.gprs[LODGE_RCX] == 3000);
	EXPECT(failed, machine_answer_rep() == EMULATE_IO && port_is(false, 1, 3000 - 0x800) &&
	       machine.gprs[LODGE_RCX] == 3000 - 0x800 && machine.memory[0x1800] == 1);
	EXPECT(failed, machine_answer_rep() == EMULATE_DONE && !machine.gprs[LODGE_RCX] &&
	       machine.gprs[LODGE_RDI] == RAM(0x1800 + 3000) && machine.memory[0x1800 + 2999] == (3000 & 0xff));

	/* User space lowers the count: only so much is stored. */
	machine_begin_port(2, RAM(0x1000));
	CODE(&machine, 0xf3, 0x6c);
	EXPECT(failed, emulate_machine_step(&machine) == EMULATE_IO && port_is(false, 1, 2));
	machine.gprs[LODGE_RCX] = 1;
	EXPECT(failed, machine_answer_rep() == EMULATE_DONE && machine.gprs[LODGE_RDI] == RAM(0x1001) &&
	       !machine.gprs[LODGE_RCX] && machine.em.rip == machine.code_base + 2 && !machine.memory[0x1001]);

	/* It raises the count: what came is stored, the rest asked for. */
	machine_begin_port(3, RAM(0x1000));
	CODE(&machine, 0xf3, 0x6c);
	EXPECT(failed, emulate_machine_step(&machine) == EMULATE_IO && port_is(false, 1, 3));
	machine.gprs[LODGE_RCX] = 8192;
	EXPECT(failed, machine_answer_rep() == EMULATE_IO && port_is(false, 1, 4093) &&
	       machine.gprs[LODGE_RCX] == 8189);
	EXPECT(failed, machine_answer_rep() == EMULATE_IO && port_is(false, 1, 4096));
	EXPECT(failed, machine_answer_rep() == EMULATE_DONE && machine.gprs[LODGE_RDI] == RAM(0x1000 + 8192));

	/* Words down, and over a page border. */
	machine_begin_port(4, RAM(0x2001));
	machine.em.rflags |= BIT(10);
	CODE(&machine, 0xf3, 0x66, 0x6d);
	EXPECT(failed, emulate_machine_run(&machine) == EMULATE_DONE && machine.gprs[LODGE_RDI] == RAM(0x1ff9) &&
	       machine.memory[0x2001] == 1 && machine.memory[0x2002] == 2 && machine.memory[0x1fff] == 3 &&
	       machine.memory[0x1ffb] == 7);

	/* TF: a unit at a time. */
	machine_begin_port(3, RAM(0x100));
	machine.em.rflags |= BIT(8);
	CODE(&machine, 0xf3, 0x6c);
	EXPECT(failed, emulate_machine_step(&machine) == EMULATE_IO && port_is(false, 1, 1));
	EXPECT(failed, machine_answer() == EMULATE_DONE && machine.em.single_step && machine.gprs[LODGE_RCX] == 2);

	/* Down inside a page. */
	machine_begin_port(3, RAM(0x2104));
	machine.em.rflags |= BIT(10);
	CODE(&machine, 0xf3, 0x66, 0x6d);
	EXPECT(failed, emulate_machine_run(&machine) == EMULATE_DONE && machine.nr_io == 1 &&
	       machine.gprs[LODGE_RDI] == RAM(0x20fe) && !memcmp(machine.memory + 0x2100, "\5\6\3\4\1\2\0", 7));

	/* A 16-bit offset that wraps inside a page ends the batch. */
	machine_begin_port(4, 0xfffe);
	emulate_machine_set_mode(&machine, LODGE_MODE_PROTECTED, 2);
	machine.io = 0;
	machine.segments[LODGE_ES].base = machine.base - 0x8000 + 8;
	CODE(&machine, 0xf3, 0x6c);
	EXPECT(failed, emulate_machine_step(&machine) == EMULATE_IO && port_is(false, 1, 1));

	/* The destination is checked before the port is read. */
	machine_begin_port(4, RAM(0x3000));
	machine.readonly = BIT(3);
	CODE(&machine, 0xf3, 0x6c);
	EXPECT(failed, emulate_machine_faulted(&machine, emulate_machine_step(&machine), 14, 3) && !machine.nr_io);

	/* From the port to a device: each unit leaves, none is lost. */
	machine_begin_port(3, MMIO(0));
	CODE(&machine, 0xf3, 0x6d);
	EXPECT(failed, emulate_machine_run(&machine) == EMULATE_DONE && machine.nr_io == 4 &&
	       machine.memory[0x8000] == 1 && machine.memory[0x800b] == 12);

	/* A device in the kernel answers without an exit. */
	machine_begin_port(5000, RAM(0x10));
	machine.port_in_kernel = true;
	CODE(&machine, 0xf3, 0x6c);
	EXPECT(failed, emulate_machine_run(&machine) == EMULATE_DONE && !machine.nr_io &&
	       machine.memory[0x10 + 4999] == (5000 & 0xff));
	return failed;
}

static unsigned int test_outs(void)
{
	unsigned int failed = 0, i;
	u32 sum = 0;

	machine_begin_port(3, RAM(0xffe));
	for (i = 0; i < 12; i++) {
		machine.memory[0xffe + i] = i + 7;
		sum += (i + 7) * (i + 1);
	}
	CODE(&machine, 0xf3, 0x6f);
	EXPECT(failed, emulate_machine_step(&machine) == EMULATE_IO && port_is(true, 4, 1) &&
	       machine.gprs[LODGE_RCX] == 2 && machine.gprs[LODGE_RSI] == RAM(0x1002) && machine.em.committed);
	EXPECT(failed, machine_answer() == EMULATE_IO && machine_answer() == EMULATE_IO &&
	       machine.em.rip == machine.code_base + 2);
	EXPECT(failed, machine_answer() == EMULATE_DONE && machine.port_sum == sum && machine.nr_io == 3);

	/* The source may be MMIO itself: read, out. */
	machine_begin_port(1, MMIO(0));
	CODE(&machine, 0x6e);
	EXPECT(failed, emulate_machine_step(&machine) == EMULATE_IO && io_is(false, MMIO_GPA(0), 1));
	EXPECT(failed, machine_answer() == EMULATE_IO && port_is(true, 1, 1));
	EXPECT(failed, machine_answer() == EMULATE_DONE && machine.em.rip == machine.code_base + 1);
	return failed;
}

/* IOPL, then the bitmap; virtual-8086 mode asks the bitmap always, real mode never. */
static unsigned int test_permission(void)
{
	unsigned int failed = 0;

	machine_begin_port(1, RAM(0));
	machine.io_denied = true;
	CODE(&machine, 0x6c);
	EXPECT(failed, emulate_machine_step(&machine) == EMULATE_IO);
	machine_begin_port(1, RAM(0));
	machine.io_denied = true;
	machine.em.cpl = 3;
	CODE(&machine, 0x6c);
	EXPECT(failed, emulate_machine_faulted(&machine, emulate_machine_step(&machine), 13, 0));
	machine.em.rflags |= 3 << 12;
	EXPECT(failed, emulate_machine_step(&machine) == EMULATE_IO);
	machine.em.mode = LODGE_MODE_VM86;
	machine.em.width = 2;
	machine.em.rip = 0;
	machine.code_base = machine.segments[LODGE_CS].base = 0;
	machine.gprs[LODGE_RDI] = 0x100;
	CODE(&machine, 0x6c);
	EXPECT(failed, emulate_machine_faulted(&machine, emulate_machine_step(&machine), 13, 0));
	return failed;
}

/* What the CPU told about a nested fault saves the walk, but only for no more than the same access. */
static unsigned int test_hint(void)
{
	struct lodge_emulate *em = &machine.em;
	unsigned int failed = 0;

	machine_begin();
	machine.gprs[LODGE_RAX] = MMIO(0x30);
	em->hint_gpa = MMIO_GPA(0x30);
	em->hint_access = LODGE_ACCESS_WRITE;
	CODE(&machine, 0x89, 0x18);
	EXPECT(failed, emulate_machine_step(&machine) == EMULATE_IO && io_is(true, MMIO_GPA(0x30), 4) &&
	       !machine.nr_translate && !em->hint_access);
	em->rip = machine.code_base;
	em->hint_access = LODGE_ACCESS_READ;		/* a read has not proved a write */
	EXPECT(failed, emulate_machine_step(&machine) == EMULATE_IO && machine.nr_translate == 1);
	em->rip = machine.code_base;
	em->hint_access = LODGE_ACCESS_WRITE;
	em->hint_gpa = MMIO_GPA(0x34);			/* another place */
	EXPECT(failed, emulate_machine_step(&machine) == EMULATE_IO && machine.nr_translate == 2);

	/* Told for the first iteration, not for one that comes to the same place of another page. */
	machine_begin();
	machine.gprs[LODGE_RDI] = RAM(0x2ff0);
	machine.gprs[LODGE_RCX] = 0x100;
	em->hint_gpa = MMIO_GPA(0x0);
	em->hint_access = LODGE_ACCESS_WRITE;
	CODE(&machine, 0xf3, 0xaa);
	EXPECT(failed, emulate_machine_step(&machine) == EMULATE_DONE && machine.nr_translate == 2);

	/* Two operands: it could be either's. */
	machine_begin();
	machine.gprs[LODGE_RSI] = RAM(0x30);
	machine.gprs[LODGE_RDI] = MMIO(0x30);
	em->hint_gpa = MMIO_GPA(0x30);
	em->hint_access = LODGE_ACCESS_WRITE;
	machine.memory[0x30] = 0x99;
	CODE(&machine, 0xa4);
	EXPECT(failed, emulate_machine_step(&machine) == EMULATE_IO && io_is(true, MMIO_GPA(0x30), 1) &&
	       em->io.data[0] == 0x99 && machine.nr_translate == 2);
	return failed;
}

int lodge_selftest_emulate_access(void)
{
	unsigned int failed = 0;

	failed += test_commit();
	failed += test_modify();
	failed += test_pieces();
	failed += test_movs();
	failed += test_batches();
	failed += test_ins();
	failed += test_outs();
	failed += test_permission();
	failed += test_hint();
	return failed;
}
