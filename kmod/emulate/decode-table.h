/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The opcode maps, for decode.c alone: one row per opcode, groups
 * by ModRM.reg or by mandatory prefix behind it. An opcode without a row is not
 * emulated. APM 3, appendix A; SDM 2, appendix A.
 */
#ifndef LODGE_EMULATE_DECODE_TABLE_H
#define LODGE_EMULATE_DECODE_TABLE_H

#include "emulate_internal.h"

/* Where an operand comes from. */
enum operand_spec {
	SPEC_NONE,
	SPEC_RM,	/* ModRM.rm: memory or general register */
	SPEC_REG,	/* ModRM.reg, general */
	SPEC_OPREG,	/* low three bits of the opcode */
	SPEC_ACC,	/* rAX */
	SPEC_IMM,
	SPEC_ONE,	/* the constant 1 */
	SPEC_CL,
	SPEC_DX,
	SPEC_SREG,	/* ModRM.reg, segment */
	SPEC_CR,
	SPEC_DR,
	SPEC_VECTOR,	/* ModRM.reg, XMM or YMM */
	SPEC_MOFFS,	/* absolute offset behind the opcode */
};

struct opcode_row {
	u8 op;		/* enum lodge_insn_op; a group: its index */
	u8 specs;	/* dst in the low nibble, src in the high one */
	u32 flags;	/* INSN_* */
};

#define ROW(o, d, s, f)	{ .op = LODGE_OP_##o, .specs = SPEC_##d | SPEC_##s << 4, .flags = (f) }
#define GROUP(g, d, s, f) { .op = GROUP_##g, .specs = SPEC_##d | SPEC_##s << 4, \
			    .flags = ROW_GROUP | ROW_MODRM | (f) }
#define PREFIXED(g)	{ .op = PREFIXED_##g, .flags = ROW_PREFIXED }
#define PREFIX		{ .flags = ROW_PREFIX }

#define ALU_ROWS(base, o, lock)							\
	[(base)]     = ROW(o, RM, REG, ROW_MODRM | ROW_BYTE | (lock)),	\
	[(base) + 1] = ROW(o, RM, REG, ROW_MODRM | (lock)),			\
	[(base) + 2] = ROW(o, REG, RM, ROW_MODRM | ROW_BYTE),			\
	[(base) + 3] = ROW(o, REG, RM, ROW_MODRM)

#define STRING_ROWS(base, o, f)						\
	[(base)]     = ROW(o, NONE, NONE, ROW_STRING | ROW_BYTE | (f)),	\
	[(base) + 1] = ROW(o, NONE, NONE, ROW_STRING | (f))

/* Groups chosen by ModRM.reg. A row's own operands, where given, win over the opener's; flags add up. */
enum { GROUP_1, GROUP_1A, GROUP_2, GROUP_3, GROUP_4, GROUP_5, GROUP_8, GROUP_9, GROUP_11,
	GROUP_15, GROUP_15_OPSIZE, NR_GROUPS };

static const struct opcode_row opcode_groups[NR_GROUPS][8] = {
	[GROUP_1] = {
		ROW(ADD, NONE, NONE, ROW_LOCK), ROW(OR, NONE, NONE, ROW_LOCK),
		ROW(ADC, NONE, NONE, ROW_LOCK), ROW(SBB, NONE, NONE, ROW_LOCK),
		ROW(AND, NONE, NONE, ROW_LOCK), ROW(SUB, NONE, NONE, ROW_LOCK),
		ROW(XOR, NONE, NONE, ROW_LOCK), ROW(CMP, NONE, NONE, 0),
	},
	[GROUP_1A] = { [0] = ROW(POP, NONE, NONE, 0) },
	[GROUP_2] = {
		ROW(ROL, NONE, NONE, 0), ROW(ROR, NONE, NONE, 0),
		ROW(RCL, NONE, NONE, 0), ROW(RCR, NONE, NONE, 0),
		ROW(SHL, NONE, NONE, 0), ROW(SHR, NONE, NONE, 0),
		ROW(SAL, NONE, NONE, 0), ROW(SAR, NONE, NONE, 0),
	},
	[GROUP_3] = {
		[0 ... 1] = ROW(TEST, NONE, IMM, ROW_IMM),
		[2] = ROW(NOT, NONE, NONE, ROW_LOCK),
		[3] = ROW(NEG, NONE, NONE, ROW_LOCK),
		[4] = ROW(MUL_WIDE, NONE, NONE, 0),
		[5] = ROW(IMUL_WIDE, NONE, NONE, 0),
	},
	[GROUP_4] = {
		[0] = ROW(INC, NONE, NONE, ROW_LOCK),
		[1] = ROW(DEC, NONE, NONE, ROW_LOCK),
	},
	[GROUP_5] = {
		[0] = ROW(INC, NONE, NONE, ROW_LOCK),
		[1] = ROW(DEC, NONE, NONE, ROW_LOCK),
		[2] = ROW(CALL, NONE, RM, ROW_D64 | ROW_BRANCH | ROW_TWO),
		[4] = ROW(JMP, NONE, RM, ROW_D64 | ROW_BRANCH),
		[6] = ROW(PUSH, NONE, RM, ROW_D64 | ROW_TWO),
	},
	[GROUP_8] = {
		[4] = ROW(BT, NONE, NONE, 0),
		[5] = ROW(BTS, NONE, NONE, ROW_LOCK),
		[6] = ROW(BTR, NONE, NONE, ROW_LOCK),
		[7] = ROW(BTC, NONE, NONE, ROW_LOCK),
	},
	[GROUP_9] = { [1] = ROW(CMPXCHG8B, NONE, NONE, ROW_MEMORY | ROW_LOCK) },
	[GROUP_11] = { [0] = ROW(MOV, NONE, NONE, 0) },
	[GROUP_15] = { [7] = ROW(CLFLUSH, NONE, NONE, ROW_MEMORY) },
	[GROUP_15_OPSIZE] = { [6 ... 7] = ROW(CLFLUSH, NONE, NONE, ROW_MEMORY) },
};

#define VLOAD	(ROW_MODRM | ROW_MEMORY | ROW_VEX)
#define VROW(o)		ROW(o, VECTOR, RM, VLOAD)
#define VROW_STORE(o)	ROW(o, RM, VECTOR, VLOAD)
/* Loads of half a register have a third operand in VEX: only the legacy form. */
#define VROW_HALF(o)	ROW(o, VECTOR, RM, ROW_MODRM | ROW_MEMORY)

/* Groups chosen by the mandatory prefix: none, 66, F3, F2. */
enum { PREFIXED_90, PREFIXED_10, PREFIXED_11, PREFIXED_12, PREFIXED_13, PREFIXED_16, PREFIXED_17,
	PREFIXED_28, PREFIXED_29, PREFIXED_2B, PREFIXED_6E, PREFIXED_6F, PREFIXED_7E, PREFIXED_7F,
	PREFIXED_AE, PREFIXED_C3, PREFIXED_D6, PREFIXED_E7, PREFIXED_F0, PREFIXED_382A, PREFIXED_3882,
	PREFIXED_38F0, PREFIXED_38F1, NR_PREFIXED };

static const struct opcode_row opcode_prefixed[NR_PREFIXED][4] = {
	[PREFIXED_90] = { [2] = ROW(PAUSE, NONE, NONE, 0) },
	[PREFIXED_10] = { VROW(VMOV), VROW(VMOV), VROW(VMOV4), VROW(VMOV8) },
	[PREFIXED_11] = { VROW_STORE(VMOV), VROW_STORE(VMOV), VROW_STORE(VMOV4), VROW_STORE(VMOV8) },
	[PREFIXED_12] = { VROW_HALF(VMOV_LOW), VROW_HALF(VMOV_LOW) },
	[PREFIXED_13] = { VROW_STORE(VMOV_LOW), VROW_STORE(VMOV_LOW) },
	[PREFIXED_16] = { VROW_HALF(VMOV_HIGH), VROW_HALF(VMOV_HIGH) },
	[PREFIXED_17] = { VROW_STORE(VMOV_HIGH), VROW_STORE(VMOV_HIGH) },
	[PREFIXED_28] = { VROW(VMOV_ALIGNED), VROW(VMOV_ALIGNED) },
	[PREFIXED_29] = { VROW_STORE(VMOV_ALIGNED), VROW_STORE(VMOV_ALIGNED) },
	[PREFIXED_2B] = { VROW_STORE(VMOV_ALIGNED), VROW_STORE(VMOV_ALIGNED) },
	[PREFIXED_6E] = { [1] = VROW(VMOV_GPR) },
	[PREFIXED_6F] = { [1] = VROW(VMOV_ALIGNED), [2] = VROW(VMOV) },
	[PREFIXED_7E] = { [1] = VROW_STORE(VMOV_GPR), [2] = VROW(VMOV8) },
	[PREFIXED_7F] = { [1] = VROW_STORE(VMOV_ALIGNED), [2] = VROW_STORE(VMOV) },
	[PREFIXED_AE] = { [0] = GROUP(15, RM, NONE, 0), [1] = GROUP(15_OPSIZE, RM, NONE, 0) },
	[PREFIXED_C3] = { [0] = ROW(MOV, RM, REG, ROW_MODRM | ROW_MEMORY | ROW_SIZES) },
	[PREFIXED_D6] = { [1] = VROW_STORE(VMOV8) },
	[PREFIXED_E7] = { [1] = VROW_STORE(VMOV_ALIGNED) },
	[PREFIXED_F0] = { [3] = VROW(VMOV) },
	[PREFIXED_382A] = { [1] = VROW(VMOV_ALIGNED) },
	[PREFIXED_3882] = { [1] = ROW(INVPCID, REG, RM, ROW_MODRM | ROW_MEMORY) },
	[PREFIXED_38F0] = { [0 ... 1] = ROW(MOVBE, REG, RM, ROW_MODRM | ROW_MEMORY) },
	[PREFIXED_38F1] = { [0 ... 1] = ROW(MOVBE, RM, REG, ROW_MODRM | ROW_MEMORY) },
};

static const struct opcode_row opcode_map[256] = {
	ALU_ROWS(0x00, ADD, ROW_LOCK),
	ALU_ROWS(0x08, OR, ROW_LOCK),
	ALU_ROWS(0x10, ADC, ROW_LOCK),
	ALU_ROWS(0x18, SBB, ROW_LOCK),
	ALU_ROWS(0x20, AND, ROW_LOCK),
	ALU_ROWS(0x28, SUB, ROW_LOCK),
	ALU_ROWS(0x30, XOR, ROW_LOCK),
	ALU_ROWS(0x38, CMP, 0),
	[0x26] = PREFIX, [0x2e] = PREFIX, [0x36] = PREFIX, [0x3e] = PREFIX,
	[0x40 ... 0x4f] = PREFIX,	/* REX; INC and DEC of registers outside 64-bit code */
	[0x50 ... 0x57] = ROW(PUSH, NONE, OPREG, ROW_D64),
	[0x58 ... 0x5f] = ROW(POP, OPREG, NONE, ROW_D64),
	[0x63] = ROW(MOVSX, REG, RM, ROW_MODRM | ROW_O64),
	[0x64 ... 0x67] = PREFIX,
	[0x68] = ROW(PUSH, NONE, IMM, ROW_D64 | ROW_IMM),
	[0x69] = ROW(IMUL, REG, RM, ROW_MODRM | ROW_IMM),
	[0x6a] = ROW(PUSH, NONE, IMM, ROW_D64 | ROW_IMM8),
	[0x6b] = ROW(IMUL, REG, RM, ROW_MODRM | ROW_IMM8),
	STRING_ROWS(0x6c, INS, ROW_SIZES),
	STRING_ROWS(0x6e, OUTS, ROW_SIZES),
	[0x80] = GROUP(1, RM, IMM, ROW_BYTE | ROW_IMM8),
	[0x81] = GROUP(1, RM, IMM, ROW_IMM),
	[0x82] = GROUP(1, RM, IMM, ROW_BYTE | ROW_IMM8 | ROW_I64),
	[0x83] = GROUP(1, RM, IMM, ROW_IMM8),
	[0x84] = ROW(TEST, RM, REG, ROW_MODRM | ROW_BYTE),
	[0x85] = ROW(TEST, RM, REG, ROW_MODRM),
	[0x86] = ROW(XCHG, RM, REG, ROW_MODRM | ROW_BYTE | ROW_LOCK),
	[0x87] = ROW(XCHG, RM, REG, ROW_MODRM | ROW_LOCK),
	[0x88] = ROW(MOV, RM, REG, ROW_MODRM | ROW_BYTE),
	[0x89] = ROW(MOV, RM, REG, ROW_MODRM),
	[0x8a] = ROW(MOV, REG, RM, ROW_MODRM | ROW_BYTE),
	[0x8b] = ROW(MOV, REG, RM, ROW_MODRM),
	[0x8c] = ROW(STORE_SREG, RM, SREG, ROW_MODRM | ROW_SIZES),
	[0x8e] = ROW(LOAD_SREG, SREG, RM, ROW_MODRM | ROW_SIZES),
	[0x8f] = GROUP(1A, RM, NONE, ROW_D64 | ROW_TWO),
	[0x90] = PREFIXED(90),
	[0xa0] = ROW(MOV, ACC, MOFFS, ROW_BYTE),
	[0xa1] = ROW(MOV, ACC, MOFFS, 0),
	[0xa2] = ROW(MOV, MOFFS, ACC, ROW_BYTE),
	[0xa3] = ROW(MOV, MOFFS, ACC, 0),
	STRING_ROWS(0xa4, MOVS, ROW_TWO),
	STRING_ROWS(0xa6, CMPS, ROW_TWO),
	STRING_ROWS(0xaa, STOS, 0),
	STRING_ROWS(0xac, LODS, 0),
	STRING_ROWS(0xae, SCAS, 0),
	[0xc0] = GROUP(2, RM, IMM, ROW_BYTE | ROW_IMM8),
	[0xc1] = GROUP(2, RM, IMM, ROW_IMM8),
	[0xc2] = ROW(RET, NONE, IMM, ROW_D64 | ROW_BRANCH | ROW_IMM | ROW_IMM8),
	[0xc3] = ROW(RET, NONE, NONE, ROW_D64 | ROW_BRANCH),
	[0xc6] = GROUP(11, RM, IMM, ROW_BYTE | ROW_IMM8),
	[0xc7] = GROUP(11, RM, IMM, ROW_IMM),
	[0xcc] = ROW(INT3, NONE, NONE, 0),
	[0xcd] = ROW(INTN, NONE, IMM, ROW_BYTE | ROW_IMM8),
	[0xce] = ROW(INTO, NONE, NONE, ROW_I64),
	[0xcf] = ROW(IRET, NONE, NONE, 0),
	[0xd0] = GROUP(2, RM, ONE, ROW_BYTE),
	[0xd1] = GROUP(2, RM, ONE, 0),
	[0xd2] = GROUP(2, RM, CL, ROW_BYTE),
	[0xd3] = GROUP(2, RM, CL, 0),
	[0xd7] = ROW(XLAT, NONE, NONE, ROW_BYTE),
	[0xe4] = ROW(IN, ACC, IMM, ROW_BYTE | ROW_IMM8),
	[0xe5] = ROW(IN, ACC, IMM, ROW_IMM8 | ROW_SIZES),
	[0xe6] = ROW(OUT, IMM, ACC, ROW_BYTE | ROW_IMM8),
	[0xe7] = ROW(OUT, IMM, ACC, ROW_IMM8 | ROW_SIZES),
	[0xe8] = ROW(CALL, NONE, IMM, ROW_D64 | ROW_BRANCH | ROW_IMM),
	[0xec] = ROW(IN, ACC, DX, ROW_BYTE),
	[0xed] = ROW(IN, ACC, DX, ROW_SIZES),
	[0xee] = ROW(OUT, DX, ACC, ROW_BYTE),
	[0xef] = ROW(OUT, DX, ACC, ROW_SIZES),
	[0xf0] = PREFIX, [0xf2] = PREFIX, [0xf3] = PREFIX,
	[0xf1] = ROW(INT1, NONE, NONE, 0),
	[0xf4] = ROW(HLT, NONE, NONE, 0),
	[0xf6] = GROUP(3, RM, NONE, ROW_BYTE),
	[0xf7] = GROUP(3, RM, NONE, 0),
	[0xfe] = GROUP(4, RM, NONE, ROW_BYTE),
	[0xff] = GROUP(5, RM, NONE, 0),
};

/* Behind the escape 0F. 0F 01 is sorted out by decode_0f01(). */
static const struct opcode_row opcode_map_0f[256] = {
	[0x06] = ROW(CLTS, NONE, NONE, 0),
	[0x08] = ROW(INVD, NONE, NONE, 0),
	[0x09] = ROW(WBINVD, NONE, NONE, 0),
	[0x10] = PREFIXED(10), [0x11] = PREFIXED(11), [0x12] = PREFIXED(12), [0x13] = PREFIXED(13),
	[0x16] = PREFIXED(16), [0x17] = PREFIXED(17),
	[0x20] = ROW(READ_CR, RM, CR, ROW_MODRM | ROW_REGISTER | ROW_SIZES),
	[0x21] = ROW(READ_DR, RM, DR, ROW_MODRM | ROW_REGISTER | ROW_SIZES),
	[0x22] = ROW(WRITE_CR, CR, RM, ROW_MODRM | ROW_REGISTER | ROW_SIZES),
	[0x23] = ROW(WRITE_DR, DR, RM, ROW_MODRM | ROW_REGISTER | ROW_SIZES),
	[0x28] = PREFIXED(28), [0x29] = PREFIXED(29), [0x2b] = PREFIXED(2B),
	[0x30] = ROW(WRMSR, NONE, NONE, 0),
	[0x31] = ROW(RDTSC, NONE, NONE, 0),
	[0x32] = ROW(RDMSR, NONE, NONE, 0),
	[0x33] = ROW(RDPMC, NONE, NONE, 0),
	[0x40 ... 0x4f] = ROW(CMOVCC, REG, RM, ROW_MODRM),
	[0x6e] = PREFIXED(6E), [0x6f] = PREFIXED(6F), [0x7e] = PREFIXED(7E), [0x7f] = PREFIXED(7F),
	[0x90 ... 0x9f] = ROW(SETCC, RM, NONE, ROW_MODRM | ROW_BYTE),
	[0xa2] = ROW(CPUID, NONE, NONE, 0),
	[0xa3] = ROW(BT, RM, REG, ROW_MODRM),
	[0xa4] = ROW(SHLD, RM, REG, ROW_MODRM | ROW_IMM8),
	[0xa5] = ROW(SHLD, RM, REG, ROW_MODRM),
	[0xaa] = ROW(RSM, NONE, NONE, 0),
	[0xab] = ROW(BTS, RM, REG, ROW_MODRM | ROW_LOCK),
	[0xac] = ROW(SHRD, RM, REG, ROW_MODRM | ROW_IMM8),
	[0xad] = ROW(SHRD, RM, REG, ROW_MODRM),
	[0xae] = PREFIXED(AE),
	[0xaf] = ROW(IMUL, REG, RM, ROW_MODRM),
	[0xb0] = ROW(CMPXCHG, RM, REG, ROW_MODRM | ROW_BYTE | ROW_LOCK),
	[0xb1] = ROW(CMPXCHG, RM, REG, ROW_MODRM | ROW_LOCK),
	[0xb3] = ROW(BTR, RM, REG, ROW_MODRM | ROW_LOCK),
	[0xb6 ... 0xb7] = ROW(MOVZX, REG, RM, ROW_MODRM),
	[0xba] = GROUP(8, RM, IMM, ROW_IMM8),
	[0xbb] = ROW(BTC, RM, REG, ROW_MODRM | ROW_LOCK),
	[0xbe ... 0xbf] = ROW(MOVSX, REG, RM, ROW_MODRM),
	[0xc0] = ROW(XADD, RM, REG, ROW_MODRM | ROW_BYTE | ROW_LOCK),
	[0xc1] = ROW(XADD, RM, REG, ROW_MODRM | ROW_LOCK),
	[0xc3] = PREFIXED(C3),
	[0xc7] = GROUP(9, RM, NONE, 0),
	[0xd6] = PREFIXED(D6), [0xe7] = PREFIXED(E7), [0xf0] = PREFIXED(F0),
};

/* Behind the escape 0F 38: too few for a map. */
static const struct {
	u8 opcode;
	struct opcode_row row;
} opcode_map_0f38[] = {
	{ 0x2a, PREFIXED(382A) }, { 0x82, PREFIXED(3882) },
	{ 0xf0, PREFIXED(38F0) }, { 0xf1, PREFIXED(38F1) },
};

#endif
