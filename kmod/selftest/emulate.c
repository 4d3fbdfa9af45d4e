// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unit test of the emulator: decoding, modes, segments, exceptions, against
 * expectations written down from the manuals. What user space completes is in
 * emulate_access.c; the comparison with the CPU is in selftests/unit/. No locks.
 */
#include "emulate_check.h"

static struct emulate_machine machine;

/* Put the machine in a mode, with code reachable in it. */
static void machine_mode(enum lodge_emulate_mode mode, unsigned int width)
{
	emulate_machine_reset(&machine);
	emulate_machine_set_mode(&machine, mode, width);
	if (mode == LODGE_MODE_REAL || mode == LODGE_MODE_VM86) {
		machine.code_base = 0x400000;
		machine.segments[LODGE_CS].base = machine.code_base;
		machine.em.rip = 0;
		machine.segments[LODGE_DS].base = machine.base;
		machine.segments[LODGE_ES].base = machine.base;
		machine.segments[LODGE_SS].base = machine.base;
	}
}

static const struct {
	u8 bytes[4];
	u8 n;
	u8 op;
} system_insns[] = {
	{ { 0x0f, 0xa2 }, 2, LODGE_OP_CPUID },
	{ { 0xf4 }, 1, LODGE_OP_HLT },
	{ { 0x0f, 0x32 }, 2, LODGE_OP_RDMSR },
	{ { 0x0f, 0x30 }, 2, LODGE_OP_WRMSR },
	{ { 0x0f, 0x01, 0xd9 }, 3, LODGE_OP_VMMCALL },
	{ { 0x0f, 0x01, 0xc1 }, 3, LODGE_OP_VMCALL },
	{ { 0x0f, 0x08 }, 2, LODGE_OP_INVD },
	{ { 0x0f, 0x09 }, 2, LODGE_OP_WBINVD },
	{ { 0x0f, 0x31 }, 2, LODGE_OP_RDTSC },
	{ { 0x0f, 0x01, 0xf9 }, 3, LODGE_OP_RDTSCP },
	{ { 0x0f, 0x33 }, 2, LODGE_OP_RDPMC },
	{ { 0x0f, 0x01, 0xc8 }, 3, LODGE_OP_MONITOR },
	{ { 0x0f, 0x01, 0xc9 }, 3, LODGE_OP_MWAIT },
	{ { 0x0f, 0x01, 0xd1 }, 3, LODGE_OP_XSETBV },
	{ { 0x0f, 0x06 }, 2, LODGE_OP_CLTS },
	{ { 0x0f, 0xaa }, 2, LODGE_OP_RSM },
	{ { 0x0f, 0x22, 0xc0 }, 3, LODGE_OP_WRITE_CR },
	{ { 0x0f, 0x20, 0xd8 }, 3, LODGE_OP_READ_CR },
	{ { 0x0f, 0x23, 0xf8 }, 3, LODGE_OP_WRITE_DR },
	{ { 0x0f, 0x21, 0xf0 }, 3, LODGE_OP_READ_DR },
	{ { 0xcc }, 1, LODGE_OP_INT3 },
	{ { 0xf1 }, 1, LODGE_OP_INT1 },
	{ { 0xcd, 0x80 }, 2, LODGE_OP_INTN },
	{ { 0xcf }, 1, LODGE_OP_IRET },
	{ { 0xf3, 0x90 }, 2, LODGE_OP_PAUSE },
};

/* @count redundant prefixes before each, in every way of laying them over a page border. */
static unsigned int check_prefixes(enum lodge_emulate_mode mode, unsigned int width, unsigned int which,
				   unsigned int count)
{
	static const u8 prefixes[] = { 0x66, 0x2e, 0x67, 0x36, 0x3e, 0x64, 0x26, 0x65 };
	unsigned int i, n = count + system_insns[which].n, at, failed = 0;
	enum lodge_emulate_result ret;
	u8 bytes[20] = { };
	u64 first;

	for (i = 0; i < count; i++)
		bytes[i] = prefixes[(i + which) % sizeof(prefixes)];
	memcpy(bytes + count, system_insns[which].bytes, system_insns[which].n);
	/* The first six but HLT are known at a glance, when nothing is before them. */
	memcpy(&first, bytes, sizeof(first));
	EXPECT(failed, lodge_emulate_skip_glance(first) == (!count && which < 6 && n > 1 ? n : 0));
	for (at = 4096 - n; at <= 4096; at++) {
		machine_mode(mode, width);
		machine.em.rip += at;
		emulate_machine_code(&machine, bytes, n);
		machine.code_second_absent = at + n <= 4096;
		ret = lodge_emulate_decode(&machine.em);
		if (n > LODGE_INSN_MAX) {
			EXPECT(failed, emulate_machine_faulted(&machine, ret, 13, mode == LODGE_MODE_REAL ? -1 : 0));
			continue;
		}
		EXPECT(failed, ret == EMULATE_DONE && machine.em.insn.length == n &&
		       machine.em.insn.op == system_insns[which].op);
		EXPECT(failed, lodge_emulate_skip_length(bytes, n, width) == n);
		EXPECT(failed, lodge_emulate_skip_length(bytes, n - 1, width) == 0);
		if (at + n <= 4096 || at == 4096)
			continue;
		machine.code_second_absent = true;
		machine.em.nbytes = 0;
		ret = lodge_emulate_decode(&machine.em);
		EXPECT(failed, emulate_machine_faulted(&machine, ret, 14, BIT(4) | (mode == LODGE_MODE_VM86 ? 4 : 0)) &&
		       machine.em.fault.cr2 == machine.code_base + 4096);
	}
	return failed;
}

static const struct {
	enum lodge_emulate_mode mode;
	unsigned int width;
} modes[] = {
	{ LODGE_MODE_REAL, 2 }, { LODGE_MODE_VM86, 2 }, { LODGE_MODE_PROTECTED, 2 },
	{ LODGE_MODE_PROTECTED, 4 }, { LODGE_MODE_LONG, 8 },
};

static unsigned int test_system_lengths(void)
{
	unsigned int m, which, count, failed = 0;

	for (m = 0; m < ARRAY_SIZE(modes); m++)
		for (which = 0; which < ARRAY_SIZE(system_insns); which++)
			for (count = 0; count <= 14; count++)
				failed += check_prefixes(modes[m].mode, modes[m].width, which, count);
	return failed;
}

/* One instruction, decoded alone: what becomes of it. */
static const struct {
	u8 bytes[16];
	u8 width;
	u8 result;
	u8 op, length;		/* result DONE */
	u8 vector;		/* result FAULT */
} decodes[] = {
	/* LOCK */
	{ { 0xf0, 0x0f, 0xa2 }, 8, EMULATE_FAULT, .vector = 6 },
	{ { 0xf0, 0xf4 }, 4, EMULATE_FAULT, .vector = 6 },
	{ { 0xf0, 0x89, 0x00 }, 8, EMULATE_FAULT, .vector = 6 },
	{ { 0xf0, 0x01, 0xc0 }, 8, EMULATE_FAULT, .vector = 6 },	/* register destination */
	{ { 0xf0, 0x03, 0x00 }, 8, EMULATE_FAULT, .vector = 6 },	/* memory source */
	{ { 0xf0, 0x39, 0x00 }, 8, EMULATE_FAULT, .vector = 6 },	/* CMP */
	{ { 0xf0, 0x0f, 0xa3, 0x00 }, 8, EMULATE_FAULT, .vector = 6 },	/* BT */
	{ { 0xf0, 0x01, 0x00 }, 8, EMULATE_DONE, LODGE_OP_ADD, 3 },
	{ { 0xf0, 0x0f, 0x20, 0xc0 }, 4, EMULATE_DONE, LODGE_OP_READ_CR, 4 },	/* CR8 */
	/* REX counts only right before the opcode, and only in 64-bit code */
	{ { 0x48, 0x0f, 0xa2 }, 8, EMULATE_DONE, LODGE_OP_CPUID, 3 },
	{ { 0x48, 0x66, 0x0f, 0xa2 }, 8, EMULATE_DONE, LODGE_OP_CPUID, 4 },
	{ { 0x48, 0x0f, 0xa2 }, 4, EMULATE_UNHANDLED },			/* DEC EAX */
	{ { 0xf3, 0x48, 0x90 }, 8, EMULATE_DONE, LODGE_OP_PAUSE, 3 },
	{ { 0x90 }, 8, EMULATE_UNHANDLED },
	{ { 0xf2, 0xf3, 0x90 }, 8, EMULATE_DONE, LODGE_OP_PAUSE, 3 },
	{ { 0xf3, 0xf2, 0x90 }, 8, EMULATE_UNHANDLED },
	/* invalid in 64-bit code, or another instruction outside it */
	{ { 0x82, 0x00, 0x01 }, 8, EMULATE_FAULT, .vector = 6 },
	{ { 0xce }, 8, EMULATE_FAULT, .vector = 6 },
	{ { 0xce }, 4, EMULATE_DONE, LODGE_OP_INTO, 1 },
	{ { 0x63, 0x00 }, 8, EMULATE_DONE, LODGE_OP_MOVSX, 2 },
	{ { 0x63, 0x00 }, 4, EMULATE_UNHANDLED },			/* ARPL */
	/* VEX or LES and LDS */
	{ { 0xc5, 0xfa, 0x6f, 0x00 }, 8, EMULATE_DONE, LODGE_OP_VMOV, 4 },
	{ { 0xc5, 0xfa, 0x6f, 0x00 }, 4, EMULATE_DONE, LODGE_OP_VMOV, 4 },
	{ { 0xc5, 0x3a, 0x6f, 0x00 }, 4, EMULATE_UNHANDLED },		/* LDS */
	{ { 0x66, 0xc5, 0xfa, 0x6f, 0x00 }, 8, EMULATE_FAULT, .vector = 6 },
	{ { 0x48, 0xc5, 0xfa, 0x6f, 0x00 }, 8, EMULATE_FAULT, .vector = 6 },
	{ { 0xf0, 0xc5, 0xfa, 0x6f, 0x00 }, 8, EMULATE_FAULT, .vector = 6 },
	{ { 0xc5, 0xfa, 0x6f, 0xc0 }, 8, EMULATE_UNHANDLED },		/* no memory */
	{ { 0xc4, 0xe3, 0x79, 0x00, 0x00 }, 8, EMULATE_UNHANDLED },
	{ { 0xc5, 0xf8, 0x28, 0x00 }, 8, EMULATE_DONE, LODGE_OP_VMOV_ALIGNED, 4 },
	/* not emulated */
	{ { 0x0f, 0x0b }, 8, EMULATE_UNHANDLED },
	{ { 0xd8, 0x00 }, 8, EMULATE_UNHANDLED },
	{ { 0xf7, 0x30 }, 8, EMULATE_UNHANDLED },			/* DIV */
	{ { 0xff, 0x18 }, 8, EMULATE_UNHANDLED },			/* far CALL */
	{ { 0x0f, 0x6f, 0x00 }, 8, EMULATE_UNHANDLED },			/* MMX */
	{ { 0x0f, 0x3a, 0x0f, 0x00, 0x00 }, 8, EMULATE_UNHANDLED },
	{ { 0x66, 0x0f, 0xc3, 0x00 }, 8, EMULATE_UNHANDLED },
	{ { 0xf2, 0x0f, 0x38, 0xf0, 0x00 }, 8, EMULATE_UNHANDLED },	/* CRC32 */
	/* lengths */
	{ { 0x48, 0xc7, 0x84, 0x25, 1, 0, 0, 0, 2, 0, 0, 0 }, 8, EMULATE_DONE, LODGE_OP_MOV, 12 },
	{ { 0x66, 0xc7, 0x05, 1, 0, 0, 0, 2, 0 }, 4, EMULATE_DONE, LODGE_OP_MOV, 9 },
	{ { 0xc7, 0x06, 1, 0, 2, 0 }, 2, EMULATE_DONE, LODGE_OP_MOV, 6 },
	{ { 0x66, 0xc7, 0x06, 1, 0, 2, 0, 0, 0 }, 2, EMULATE_DONE, LODGE_OP_MOV, 9 },
	{ { 0x67, 0xc7, 0x04, 0x25, 1, 0, 0, 0, 2, 0 }, 2, EMULATE_DONE, LODGE_OP_MOV, 10 },
	{ { 0xa1, 1, 2, 3, 4, 5, 6, 7, 8 }, 8, EMULATE_DONE, LODGE_OP_MOV, 9 },
	{ { 0x67, 0xa1, 1, 2, 3, 4 }, 8, EMULATE_DONE, LODGE_OP_MOV, 6 },
	{ { 0xa1, 1, 2 }, 2, EMULATE_DONE, LODGE_OP_MOV, 3 },
	{ { 0x48, 0x69, 0x00, 1, 2, 3, 4 }, 8, EMULATE_DONE, LODGE_OP_IMUL, 7 },
	{ { 0xc2, 4, 0 }, 8, EMULATE_DONE, LODGE_OP_RET, 3 },
	{ { 0xe5, 0x60 }, 8, EMULATE_DONE, LODGE_OP_IN, 2 },
	{ { 0x0f, 0x01, 0x38 }, 8, EMULATE_DONE, LODGE_OP_INVLPG, 3 },
	{ { 0x66, 0x0f, 0x38, 0x82, 0x08 }, 8, EMULATE_DONE, LODGE_OP_INVPCID, 5 },
	{ { 0x0f, 0x01, 0xf0 }, 8, EMULATE_DONE, LODGE_OP_LMSW, 3 },
	{ { 0x0f, 0x01, 0xe0 }, 8, EMULATE_DONE, LODGE_OP_SMSW, 3 },
	{ { 0x0f, 0x01, 0xf8 }, 8, EMULATE_UNHANDLED },			/* SWAPGS */
	{ { 0x0f, 0x22, 0x00 }, 8, EMULATE_DONE, LODGE_OP_WRITE_CR, 3 },	/* mod is ignored */
};

static unsigned int test_decode(void)
{
	enum lodge_emulate_result ret;
	unsigned int i, failed = 0;

	for (i = 0; i < ARRAY_SIZE(decodes); i++) {
		machine_mode(decodes[i].width == 8 ? LODGE_MODE_LONG : LODGE_MODE_PROTECTED, decodes[i].width);
		emulate_machine_code(&machine, decodes[i].bytes, sizeof(decodes[i].bytes));
		ret = lodge_emulate_decode(&machine.em);
		if (ret == decodes[i].result &&
		    (ret != EMULATE_DONE || (machine.em.insn.op == decodes[i].op &&
					     machine.em.insn.length == decodes[i].length)) &&
		    (ret != EMULATE_FAULT || machine.em.fault.vector == decodes[i].vector))
			continue;
		pr_err("decodes[%u]: result %d op %d length %d vector %d\n", i, ret, machine.em.insn.op,
		       machine.em.insn.length, machine.em.fault.vector);
		failed++;
	}
	/* The bytes of what is not emulated are kept for its report. */
	machine_mode(LODGE_MODE_LONG, 8);
	CODE(&machine, 0x0f, 0x0b, 0x11, 0x22);
	EXPECT(failed, emulate_machine_step(&machine) == EMULATE_UNHANDLED && machine.em.nbytes == 15 &&
	       machine.em.bytes[2] == 0x11 && machine.em.rip == machine.code_base);
	return failed;
}

/* Operands of what is decoded for others. */
static unsigned int test_system_operands(void)
{
	struct lodge_emulate *em = &machine.em;
	unsigned int failed = 0;
	u64 val;

	machine_mode(LODGE_MODE_LONG, 8);
	CODE(&machine, 0x44, 0x0f, 0x22, 0xc1);		/* MOV CR8, RCX */
	machine.gprs[LODGE_RCX] = 5;
	EXPECT(failed, !lodge_emulate_decode(em) && em->insn.dst.kind == LODGE_OPERAND_CR && em->insn.dst.reg == 8 &&
	       em->insn.size == 8 && !lodge_emulate_source(em, &val) && val == 5);

	machine_mode(LODGE_MODE_PROTECTED, 4);
	CODE(&machine, 0x0f, 0x20, 0xd8);		/* MOV EAX, CR3 */
	EXPECT(failed, !lodge_emulate_decode(em) && em->insn.src.reg == 3 && em->insn.size == 4 &&
	       !lodge_emulate_store(em, 0x12345678) && machine.gprs[LODGE_RAX] == 0x12345678 &&
	       em->rip == machine.code_base + 3 && em->committed);

	machine_mode(LODGE_MODE_PROTECTED, 4);
	CODE(&machine, 0x0f, 0x01, 0x30);		/* LMSW [EAX] */
	machine.gprs[LODGE_RAX] = machine.base + 0x10;
	machine.memory[0x10] = 0x0b;
	EXPECT(failed, !lodge_emulate_decode(em) && !lodge_emulate_source(em, &val) && val == 0x0b);
	machine.io = 1;
	EXPECT(failed, !lodge_emulate_decode(em) && lodge_emulate_source(em, &val) == EMULATE_UNHANDLED);

	machine_mode(LODGE_MODE_PROTECTED, 4);
	CODE(&machine, 0x0f, 0x01, 0x20);		/* SMSW [EAX]: 2 bytes whatever the operand size */
	machine.gprs[LODGE_RAX] = machine.base + 0x10;
	memset(machine.memory, 0xee, 0x20);
	EXPECT(failed, !lodge_emulate_decode(em) && !lodge_emulate_store(em, 0x80000011) &&
	       machine.memory[0x10] == 0x11 && machine.memory[0x11] == 0 && machine.memory[0x12] == 0xee);

	machine_mode(LODGE_MODE_LONG, 8);
	CODE(&machine, 0x65, 0x0f, 0x01, 0x78, 0x10);	/* INVLPG GS:[RAX + 10h] */
	machine.gprs[LODGE_RAX] = 0x1000;
	machine.segments[LODGE_GS].base = 0x70000;
	EXPECT(failed, !lodge_emulate_decode(em) && lodge_emulate_address(em) == 0x71010);

	machine_mode(LODGE_MODE_LONG, 8);
	CODE(&machine, 0xe7, 0xf0);			/* OUT F0h, EAX */
	EXPECT(failed, !lodge_emulate_decode(em) && em->insn.dst.kind == LODGE_OPERAND_IMM && em->insn.imm == 0xf0 &&
	       em->insn.size == 4);
	CODE(&machine, 0xcd, 0x80);
	em->nbytes = 0;
	EXPECT(failed, !lodge_emulate_decode(em) && em->insn.imm == 0x80);
	CODE(&machine, 0x66, 0xed);			/* IN AX, DX */
	em->nbytes = 0;
	EXPECT(failed, !lodge_emulate_decode(em) && em->insn.size == 2 && em->insn.src.reg == LODGE_RDX);
	return failed;
}

static unsigned int test_segments(void)
{
	struct lodge_emulate_segment *ds = &machine.segments[LODGE_DS];
	enum lodge_emulate_result ret;
	unsigned int failed = 0;

	/* Limit: the last byte counts. */
	machine_mode(LODGE_MODE_PROTECTED, 4);
	ds->base = machine.base;
	ds->limit = 0xfff;
	CODE(&machine, 0x89, 0x18);			/* MOV [EAX], EBX */
	machine.gprs[LODGE_RAX] = 0xffc;
	EXPECT(failed, emulate_machine_step(&machine) == EMULATE_DONE);
	machine.em.rip = machine.code_base;
	machine.gprs[LODGE_RAX] = 0xffd;
	EXPECT(failed, emulate_machine_faulted(&machine, emulate_machine_step(&machine), 13, 0));

	/* Not writable; writable data through a code segment is not either. */
	ds->attributes &= ~LODGE_SEG_WRITABLE;
	machine.gprs[LODGE_RAX] = 0;
	EXPECT(failed, emulate_machine_faulted(&machine, emulate_machine_step(&machine), 13, 0));
	ds->attributes |= LODGE_SEG_WRITABLE | LODGE_SEG_CODE;
	EXPECT(failed, emulate_machine_faulted(&machine, emulate_machine_step(&machine), 13, 0));
	CODE(&machine, 0x8b, 0x18);			/* reading is fine */
	EXPECT(failed, emulate_machine_step(&machine) == EMULATE_DONE);
	machine.em.rip = machine.code_base;
	ds->attributes &= ~LODGE_SEG_WRITABLE;		/* execute-only */
	EXPECT(failed, emulate_machine_faulted(&machine, emulate_machine_step(&machine), 13, 0));
	ds->attributes = 0;				/* null */
	EXPECT(failed, emulate_machine_faulted(&machine, emulate_machine_step(&machine), 13, 0));

	/* Expand-down: above the limit only. */
	ds->attributes = LODGE_SEG_P | LODGE_SEG_S | LODGE_SEG_WRITABLE | LODGE_SEG_EXPAND_DOWN | LODGE_SEG_DB;
	machine.gprs[LODGE_RAX] = 0xfff;
	EXPECT(failed, emulate_machine_faulted(&machine, emulate_machine_step(&machine), 13, 0));
	machine.gprs[LODGE_RAX] = 0x1000;
	EXPECT(failed, emulate_machine_step(&machine) == EMULATE_DONE);
	machine.em.rip = machine.code_base;
	ds->attributes &= ~LODGE_SEG_DB;
	machine.gprs[LODGE_RAX] = 0xfffd;
	EXPECT(failed, emulate_machine_faulted(&machine, emulate_machine_step(&machine), 13, 0));

	/* The stack segment has its own vector. */
	machine.segments[LODGE_SS].limit = 0xff;
	CODE(&machine, 0x8b, 0x5d, 0x00);		/* MOV EBX, [EBP] */
	machine.gprs[LODGE_RBP] = 0xfe;
	EXPECT(failed, emulate_machine_faulted(&machine, emulate_machine_step(&machine), 12, 0));

	/* Real mode: limits hold, error codes do not exist, types do not matter. */
	machine_mode(LODGE_MODE_REAL, 2);
	CODE(&machine, 0x89, 0x07);			/* MOV [BX], AX */
	machine.gprs[LODGE_RBX] = 0xffff;
	ret = emulate_machine_step(&machine);
	EXPECT(failed, emulate_machine_faulted(&machine, ret, 13, -1));
	machine.gprs[LODGE_RBX] = 0xabcd0010;
	machine.gprs[LODGE_RAX] = 0x1234;
	ds->attributes = LODGE_SEG_P | LODGE_SEG_S | LODGE_SEG_CODE;
	EXPECT(failed, emulate_machine_step(&machine) == EMULATE_DONE && machine.memory[0x10] == 0x34);

	/* Linear addresses wrap at 4 GiB, in the middle of an operand too. */
	machine_mode(LODGE_MODE_PROTECTED, 4);
	machine.base = 0;
	machine.gprs[LODGE_RAX] = 0xfff;
	ds->base = 0xfffff000;
	machine.memory[0] = 0x21;
	CODE(&machine, 0x8b, 0x98, 0x01, 0, 0, 0);	/* MOV EBX, [EAX + 1] */
	EXPECT(failed, emulate_machine_step(&machine) == EMULATE_DONE && machine.gprs[LODGE_RBX] == 0x21);
	machine.em.rip = machine.code_base;
	machine.gprs[LODGE_RAX] = 0xffd;
	EXPECT(failed, emulate_machine_faulted(&machine, emulate_machine_step(&machine), 14, 0) &&
	       machine.em.fault.cr2 == 0xfffffffe);

	/* The code segment's limit ends fetching. */
	machine_mode(LODGE_MODE_PROTECTED, 4);
	machine.segments[LODGE_CS].limit = machine.code_base + 1;
	CODE(&machine, 0x0f, 0xa2);
	EXPECT(failed, lodge_emulate_decode(&machine.em) == EMULATE_DONE);
	machine.segments[LODGE_CS].limit = machine.code_base;
	machine.em.nbytes = 0;
	machine.em.segments_valid = 0;
	EXPECT(failed, emulate_machine_faulted(&machine, lodge_emulate_decode(&machine.em), 13, 0));
	return failed;
}

static unsigned int test_long_addresses(void)
{
	unsigned int failed = 0;

	machine_mode(LODGE_MODE_LONG, 8);
	CODE(&machine, 0x89, 0x18);			/* MOV [RAX], EBX */
	machine.gprs[LODGE_RAX] = 0x800000000000;
	EXPECT(failed, emulate_machine_faulted(&machine, emulate_machine_step(&machine), 13, 0));
	machine.gprs[LODGE_RAX] = 0x7ffffffffffe;	/* its end is not canonical */
	EXPECT(failed, emulate_machine_faulted(&machine, emulate_machine_step(&machine), 13, 0));
	machine.em.cr4 |= BIT(12);			/* LA57: canonical, but not mapped */
	EXPECT(failed, emulate_machine_faulted(&machine, emulate_machine_step(&machine), 14, 2));
	machine.em.cr4 &= ~BIT_ULL(12);
	CODE(&machine, 0x89, 0x5d, 0x00);		/* MOV [RBP], EBX */
	machine.gprs[LODGE_RBP] = 0x800000000000;
	EXPECT(failed, emulate_machine_faulted(&machine, emulate_machine_step(&machine), 12, 0));
	machine.em.rip = 0x800000000000;
	EXPECT(failed, emulate_machine_faulted(&machine, emulate_machine_step(&machine), 13, 0));
	return failed;
}

/* Paging: both pages of an operand are known before anything is written. */
static unsigned int test_paging(void)
{
	unsigned int failed = 0;

	machine_mode(LODGE_MODE_LONG, 8);
	machine.em.cpl = 3;
	machine.absent = BIT(3);
	machine.gprs[LODGE_RAX] = machine.base + 0x2ffe;
	machine.gprs[LODGE_RBX] = 0x11223344;
	CODE(&machine, 0x89, 0x18);
	EXPECT(failed, emulate_machine_faulted(&machine, emulate_machine_step(&machine), 14, 6) &&
	       machine.em.fault.cr2 == machine.base + 0x3000 && !machine.memory[0x2ffe]);
	EXPECT(failed, machine.em.rip == machine.code_base && !machine.em.committed);
	CODE(&machine, 0x8b, 0x18);
	EXPECT(failed, emulate_machine_faulted(&machine, emulate_machine_step(&machine), 14, 4));
	/* Read-modify-write faults as a write. */
	machine.absent = 0;
	machine.readonly = BIT(2);
	machine.em.cpl = 0;
	machine.gprs[LODGE_RAX] = machine.base + 0x2100;
	CODE(&machine, 0x01, 0x18);
	EXPECT(failed, emulate_machine_faulted(&machine, emulate_machine_step(&machine), 14, 3) &&
	       machine.em.fault.cr2 == machine.base + 0x2100);
	CODE(&machine, 0x39, 0x18);			/* CMP only reads */
	EXPECT(failed, emulate_machine_step(&machine) == EMULATE_DONE);
	return failed;
}

static unsigned int test_vector_checks(void)
{
	struct lodge_emulate *em = &machine.em;
	unsigned int failed = 0;

	machine_mode(LODGE_MODE_LONG, 8);
	machine.gprs[LODGE_RAX] = machine.base + 8;
	CODE(&machine, 0x0f, 0x28, 0x00);		/* MOVAPS */
	EXPECT(failed, emulate_machine_faulted(&machine, emulate_machine_step(&machine), 13, 0));
	CODE(&machine, 0x0f, 0x10, 0x00);		/* MOVUPS */
	em->cr0 |= BIT(3);
	EXPECT(failed, emulate_machine_faulted(&machine, emulate_machine_step(&machine), 7, -1));
	em->cr0 |= BIT(2);
	EXPECT(failed, emulate_machine_faulted(&machine, emulate_machine_step(&machine), 6, -1));
	em->cr0 &= ~0xcull;
	em->cr4 &= ~BIT_ULL(9);
	EXPECT(failed, emulate_machine_faulted(&machine, emulate_machine_step(&machine), 6, -1));
	CODE(&machine, 0xc5, 0xf8, 0x10, 0x00);		/* VMOVUPS asks for XCR0 instead */
	EXPECT(failed, emulate_machine_step(&machine) == EMULATE_DONE);
	em->rip = machine.code_base;
	em->xcr0 = 3;
	EXPECT(failed, emulate_machine_faulted(&machine, emulate_machine_step(&machine), 6, -1));
	em->xcr0 = 7;
	CODE(&machine, 0xc5, 0xf0, 0x10, 0x00);		/* vvvv is not 1111 */
	EXPECT(failed, emulate_machine_faulted(&machine, emulate_machine_step(&machine), 6, -1));
	CODE(&machine, 0xc5, 0xfd, 0x6e, 0x00);		/* VMOVD has no 256-bit form */
	EXPECT(failed, emulate_machine_faulted(&machine, emulate_machine_step(&machine), 6, -1));

	CODE(&machine, 0x48, 0x0f, 0xc7, 0x08);		/* CMPXCHG16B wants 16, CMPXCHG8B nothing */
	EXPECT(failed, emulate_machine_faulted(&machine, emulate_machine_step(&machine), 13, 0));
	CODE(&machine, 0x0f, 0xc7, 0x08);
	EXPECT(failed, emulate_machine_step(&machine) == EMULATE_DONE && !(em->rflags & BIT(6)));
	em->rip = machine.code_base;

	/* #AC: user code, AM and AC. */
	CODE(&machine, 0x89, 0x18);
	machine.gprs[LODGE_RAX] = machine.base + 2;
	em->rflags |= BIT(18);
	em->cr0 |= BIT(18);
	EXPECT(failed, emulate_machine_step(&machine) == EMULATE_DONE);
	em->rip = machine.code_base;
	em->cpl = 3;
	EXPECT(failed, emulate_machine_faulted(&machine, emulate_machine_step(&machine), 17, 0));
	return failed;
}

/* The stack in its three widths, and branches in code that is not 64-bit. */
static unsigned int test_stack(void)
{
	unsigned int failed = 0;

	/* SP wraps inside 64 KiB, the rest of ESP stays. */
	machine_mode(LODGE_MODE_REAL, 2);
	CODE(&machine, 0xff, 0x36, 0x00, 0x20);		/* PUSH [2000h] */
	machine.memory[0x2000] = 0x5a;
	machine.gprs[LODGE_RSP] = 0x12340000;
	EXPECT(failed, emulate_machine_step(&machine) == EMULATE_DONE && machine.memory[0xfffe] == 0x5a &&
	       machine.gprs[LODGE_RSP] == 0x1234fffe);
	CODE(&machine, 0x8f, 0x06, 0x04, 0x20);		/* POP [2004h] */
	EXPECT(failed, emulate_machine_step(&machine) == EMULATE_DONE && machine.memory[0x2004] == 0x5a &&
	       machine.gprs[LODGE_RSP] == 0x12340000);

	CODE(&machine, 0xff, 0x16, 0x06, 0x20);		/* CALL [2006h] */
	machine.memory[0x2006] = 0x34;
	machine.memory[0x2007] = 0x12;
	EXPECT(failed, emulate_machine_step(&machine) == EMULATE_DONE && machine.em.rip == 0x1234 &&
	       machine.memory[0xfffe] == 12);
	CODE(&machine, 0xc2, 0x04, 0x00);		/* RET 4 */
	EXPECT(failed, emulate_machine_step(&machine) == EMULATE_DONE && machine.em.rip == 12 &&
	       machine.gprs[LODGE_RSP] == 0x12340004);

	/* A target beyond the limit faults before anything is pushed. */
	machine_mode(LODGE_MODE_PROTECTED, 4);
	machine.segments[LODGE_CS].limit = machine.code_base + 0x1fff;
	machine.gprs[LODGE_RAX] = machine.base;
	machine.gprs[LODGE_RSP] = machine.base + 0x1000;
	memset(machine.memory, 0xff, 4);
	CODE(&machine, 0xff, 0x10);			/* CALL [EAX] */
	EXPECT(failed, emulate_machine_faulted(&machine, emulate_machine_step(&machine), 13, 0) &&
	       machine.gprs[LODGE_RSP] == machine.base + 0x1000);
	CODE(&machine, 0xe8, 0xfb, 0xff, 0xff, 0xff);	/* CALL to itself */
	EXPECT(failed, emulate_machine_step(&machine) == EMULATE_DONE && machine.em.rip == machine.code_base &&
	       machine.gprs[LODGE_RSP] == machine.base + 0xffc && machine.memory[0xffc] == 5);

	/* Prefix 66 on a 64-bit near branch: the vendors differ. */
	machine_mode(LODGE_MODE_LONG, 8);
	machine.gprs[LODGE_RAX] = machine.base;
	CODE(&machine, 0x66, 0xff, 0x20);
	EXPECT(failed, emulate_machine_step(&machine) == EMULATE_UNHANDLED);
	return failed;
}

/* RF, TF and the shadow of MOV SS. */
static unsigned int test_traps(void)
{
	unsigned int failed = 0;

	machine_mode(LODGE_MODE_REAL, 2);
	machine.em.rflags |= BIT(16) | BIT(8);
	CODE(&machine, 0x89, 0x07);
	EXPECT(failed, emulate_machine_step(&machine) == EMULATE_DONE && !(machine.em.rflags & BIT(16)) &&
	       machine.em.single_step && machine.em.committed && !machine.em.shadow);
	CODE(&machine, 0x8e, 0x17);			/* MOV SS, [BX] */
	machine.memory[1] = 0x20;
	EXPECT(failed, emulate_machine_step(&machine) == EMULATE_DONE && machine.em.shadow && !machine.em.single_step &&
	       machine.segments[LODGE_SS].base == 0x20000);
	CODE(&machine, 0x8c, 0x57, 0x04);		/* MOV [BX + 4], SS */
	EXPECT(failed, emulate_machine_step(&machine) == EMULATE_DONE && machine.memory[5] == 0x20 &&
	       !machine.em.shadow && machine.em.single_step);
	CODE(&machine, 0x8e, 0x0f);			/* MOV CS */
	EXPECT(failed, emulate_machine_faulted(&machine, emulate_machine_step(&machine), 6, -1));
	CODE(&machine, 0x8c, 0x37);			/* no segment 6 */
	EXPECT(failed, emulate_machine_faulted(&machine, emulate_machine_step(&machine), 6, -1));
	machine_mode(LODGE_MODE_PROTECTED, 4);
	CODE(&machine, 0x8e, 0x10);			/* would need a descriptor */
	EXPECT(failed, emulate_machine_step(&machine) == EMULATE_UNHANDLED);
	return failed;
}

static unsigned int test_modes(void)
{
	struct lodge_emulate *em = &machine.em;
	unsigned int failed = 0;

	em->cr0 = 0;
	em->efer = 0;
	em->rflags = 2;
	lodge_emulate_set_mode(em, 0);
	EXPECT(failed, em->mode == LODGE_MODE_REAL && em->width == 2);
	em->cr0 = 1;
	lodge_emulate_set_mode(em, LODGE_SEG_DB);
	EXPECT(failed, em->mode == LODGE_MODE_PROTECTED && em->width == 4);
	em->rflags |= BIT(17);
	lodge_emulate_set_mode(em, 0);
	EXPECT(failed, em->mode == LODGE_MODE_VM86 && em->width == 2);
	em->rflags = 2;
	em->efer = 0x500;
	lodge_emulate_set_mode(em, LODGE_SEG_L);
	EXPECT(failed, em->mode == LODGE_MODE_LONG && em->width == 8);
	lodge_emulate_set_mode(em, 0);
	EXPECT(failed, em->mode == LODGE_MODE_PROTECTED && em->width == 2);
	return failed;
}

int lodge_selftest_emulate(void)
{
	unsigned int failed = 0;

	failed += test_modes();
	failed += test_system_lengths();
	failed += test_decode();
	failed += test_system_operands();
	failed += test_segments();
	failed += test_long_addresses();
	failed += test_paging();
	failed += test_vector_checks();
	failed += test_stack();
	failed += test_traps();
	return failed;
}
