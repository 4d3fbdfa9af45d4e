// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unit test of the quick moves: for every combination of prefix, REX, opcode and ModRM, and many SIBs, whatever
 * lodge_quick_decode() accepts must be what lodge_emulate_decode() finds, and the common forms must be accepted.
 * No locks.
 */
#include "emulate_check.h"
#include "../emulate/quick.h"

static struct emulate_machine machine;

static const u8 opcodes[][2] = {
	{ 0x88 }, { 0x89 }, { 0x8a }, { 0x8b }, { 0xc6 }, { 0xc7 }, { 0x0f, 0xb6 }, { 0x0f, 0xb7 }, { 0x0f, 0xb8 },
	{ 0x0f, 0xbe }, { 0x87 }, { 0x8c }, { 0x8d }, { 0xa0 }, { 0xa1 }, { 0xa2 }, { 0xa3 }, { 0x01 }, { 0x03 },
	{ 0xf3, 0x8b }, { 0x64, 0x8b },
};

static const u8 sibs[] = { 0x00, 0x24, 0x25, 0x65, 0x2c, 0x45, 0x9d, 0xe4, 0xfc, 0x0d };

static unsigned int code_build(u8 *bytes, bool opsize, u8 rex, const u8 *opcode, u8 modrm, u8 sib)
{
	unsigned int n = 0, i;

	if (opsize)
		bytes[n++] = 0x66;
	if (rex)
		bytes[n++] = rex;
	bytes[n++] = opcode[0];
	if (opcode[1])
		bytes[n++] = opcode[1];
	bytes[n++] = modrm;
	if ((modrm & 7) == 4 && modrm >> 6 != 3)
		bytes[n++] = sib;
	for (i = 0; n < LODGE_QUICK_BYTES; i++)
		bytes[n++] = 0x81 + 37 * i;
	return n;
}

static bool operand_agrees(const struct lodge_quick *quick, const struct lodge_insn *insn)
{
	const struct lodge_operand *memory = quick->write ? &insn->dst : &insn->src;
	const struct lodge_operand *other = quick->write ? &insn->src : &insn->dst;

	if (memory->kind != LODGE_OPERAND_MEMORY ||
	    insn->ea != lodge_quick_address(quick, machine.gprs, machine.code_base))
		return false;
	if (quick->has_imm) {
		u64 mask = quick->size == 8 ? ~0ull : (1ull << (8 * quick->size)) - 1;

		return other->kind == LODGE_OPERAND_IMM && !((insn->imm ^ quick->imm) & mask);
	}
	return other->kind == LODGE_OPERAND_GPR && other->reg == quick->reg;
}

static unsigned int check_one(unsigned int width, const u8 *bytes, unsigned int *accepted)
{
	const struct lodge_insn *insn = &machine.em.insn;
	struct lodge_quick quick;
	unsigned int failed = 0;
	bool zero_extends;

	machine.em.rip = machine.code_base;
	machine.em.nbytes = 0;
	emulate_machine_code(&machine, bytes, LODGE_QUICK_BYTES);
	if (!lodge_quick_decode(&quick, bytes, width))
		return 0;
	(*accepted)++;
	EXPECT(failed, lodge_emulate_decode(&machine.em) == EMULATE_DONE);
	if (failed)
		return failed;
	zero_extends = insn->op == LODGE_OP_MOVZX;
	EXPECT(failed, insn->op == LODGE_OP_MOV || zero_extends);
	EXPECT(failed, insn->length == quick.length);
	EXPECT(failed, insn->size == (quick.write ? quick.size : quick.reg_size));
	EXPECT(failed, zero_extends || quick.write || quick.size == quick.reg_size);
	EXPECT(failed, !zero_extends || quick.size == (insn->opcode & 1 ? 2 : 1));
	EXPECT(failed, operand_agrees(&quick, insn));
	EXPECT(failed, width == 8 || insn->segment == quick.segment);
	return failed;
}

static unsigned int check_all(unsigned int width)
{
	unsigned int rex, last = width == 8 ? 0x4f : 0, failed = 0, accepted = 0, op, modrm, sib, opsize;
	u8 bytes[LODGE_QUICK_BYTES];

	emulate_machine_reset(&machine);
	emulate_machine_set_mode(&machine, width == 8 ? LODGE_MODE_LONG : LODGE_MODE_PROTECTED, width);
	for (op = 0; op < LODGE_NR_GPRS; op++)
		machine.gprs[op] = 0x123456789abcull * (op + 3);
	for (rex = 0; rex <= last && failed < 10; rex = rex ? rex + 1 : 0x40) {
		for (op = 0; op < ARRAY_SIZE(opcodes); op++)
			for (modrm = 0; modrm < 256; modrm++)
				for (sib = 0; sib < ((modrm & 7) == 4 ? ARRAY_SIZE(sibs) : 1); sib++)
					for (opsize = 0; opsize < 2; opsize++) {
						code_build(bytes, opsize, rex, opcodes[op], modrm, sibs[sib]);
						failed += check_one(width, bytes, &accepted);
					}
		if (width != 8)
			break;
	}
	/* Eight opcodes, three of four modes, most registers: far more than half of those. */
	EXPECT(failed, accepted > (width == 8 ? 17u : 1u) * 8 * 192 * 2 / 2);
	return failed;
}

/* 16-bit code has other addresses: none of it is quick. */
static unsigned int check_sixteen(void)
{
	static const u8 bytes[LODGE_QUICK_BYTES] = { 0x8b, 0x03 };
	struct lodge_quick quick;
	unsigned int failed = 0;

	EXPECT(failed, !lodge_quick_decode(&quick, bytes, 2));
	return failed;
}

/* A load leaves the upper parts of a register as the CPU does: APM 1, 3.1.2. */
static unsigned int check_load(void)
{
	static const struct { u8 reg_size; u64 expected; } cases[] = {
		{ 1, 0xffffffffffffff77ull }, { 2, 0xffffffffffff6677ull }, { 4, 0x44556677 }, { 8, 0x44556677 },
	};
	struct lodge_quick quick = { .reg = LODGE_R9 };
	unsigned int i, failed = 0;
	u64 gprs[LODGE_NR_GPRS];

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		gprs[LODGE_R9] = ~0ull;
		quick.reg_size = cases[i].reg_size;
		lodge_quick_load(&quick, gprs, 0x44556677);
		EXPECT(failed, gprs[LODGE_R9] == cases[i].expected);
	}
	return failed;
}

int lodge_selftest_emulate_quick(void)
{
	return check_all(4) + check_all(8) + check_sixteen() + check_load();
}
