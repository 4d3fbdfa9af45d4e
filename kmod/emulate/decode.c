// SPDX-License-Identifier: GPL-2.0-only
/*
 * Decoding: from the bytes at RIP to a struct lodge_insn, in every mode. Fetching
 * the bytes is operand.c's. An opcode that decode-table.h does not know is not
 * emulated, whatever it does. No locks.
 */
#include "emulate_internal.h"
#include "decode-table.h"

static inline enum lodge_emulate_result decode_need(struct lodge_emulate *em, unsigned int n)
{
	if (likely(em->insn.length + n <= em->nbytes))
		return EMULATE_DONE;
	return lodge_insn_fetch(em, n);
}

static inline enum lodge_emulate_result decode_byte(struct lodge_emulate *em, u8 *byte)
{
	enum lodge_emulate_result ret = decode_need(em, 1);

	if (unlikely(ret))
		return ret;
	*byte = em->bytes[em->insn.length++];
	return EMULATE_DONE;
}

/* A value of @size bytes, sign-extended. */
static enum lodge_emulate_result decode_value(struct lodge_emulate *em, unsigned int size, u64 *val)
{
	enum lodge_emulate_result ret = decode_need(em, size);
	u64 raw;

	if (unlikely(ret))
		return ret;
	/* em->bytes has room behind the last instruction byte for this. */
	memcpy(&raw, em->bytes + em->insn.length, sizeof(raw));
	*val = size_sign_extend(raw, size);
	em->insn.length += size;
	return EMULATE_DONE;
}

/* One legacy or REX prefix. A legacy prefix behind REX makes REX void. APM 3, 1.2.7. */
static void decode_prefix(struct lodge_emulate *em, u8 byte)
{
	struct lodge_insn *insn = &em->insn;

	insn->rex = 0;
	switch (byte) {
	case 0x26:
	case 0x2e:
	case 0x36:
	case 0x3e:
		/* ES, CS, SS, DS: not in 64-bit code, where they leave an FS or GS before them in force */
		if (em->width != 8)
			insn->segment = (byte >> 3) & 3;
		break;
	case 0x64:
	case 0x65:
		insn->segment = byte - 0x64 + LODGE_FS;
		break;
	case 0x66:
		insn->prefixes |= LODGE_PREFIX_OPSIZE;
		break;
	case 0x67:
		insn->prefixes |= LODGE_PREFIX_ADSIZE;
		break;
	case 0xf0:
		insn->prefixes |= LODGE_PREFIX_LOCK;
		break;
	case 0xf2:
		insn->prefixes = (insn->prefixes & ~LODGE_PREFIX_REP) | LODGE_PREFIX_REPNE;
		break;
	case 0xf3:
		insn->prefixes = (insn->prefixes & ~LODGE_PREFIX_REPNE) | LODGE_PREFIX_REP;
		break;
	default:
		insn->rex = byte;
	}
}

/* Index into opcode_prefixed: F3 and F2 win over 66. */
static unsigned int decode_mandatory_prefix(const struct lodge_insn *insn)
{
	if (insn->prefixes & LODGE_PREFIX_REP)
		return 2;
	if (insn->prefixes & LODGE_PREFIX_REPNE)
		return 3;
	return insn->prefixes & LODGE_PREFIX_OPSIZE ? 1 : 0;
}

/* 0F 01: a group for memory operands, single instructions by the whole ModRM byte otherwise. */
static struct opcode_row decode_0f01(u8 modrm)
{
	static const struct opcode_row memory_forms[8] = {
		[4] = ROW(SMSW, RM, NONE, ROW_MODRM | ROW_SIZES),
		[6] = ROW(LMSW, NONE, RM, ROW_MODRM | ROW_SIZES),
		[7] = ROW(INVLPG, NONE, RM, ROW_MODRM),
	};
	static const struct {
		u8 modrm;
		u8 op;
	} register_forms[] = {
		{ 0xc1, LODGE_OP_VMCALL }, { 0xc8, LODGE_OP_MONITOR }, { 0xc9, LODGE_OP_MWAIT },
		{ 0xd1, LODGE_OP_XSETBV }, { 0xd9, LODGE_OP_VMMCALL }, { 0xf9, LODGE_OP_RDTSCP },
	};
	struct opcode_row row = { .op = LODGE_OP_NONE, .flags = ROW_MODRM };
	unsigned int i;

	if (modrm < 0xc0 || ((modrm >> 3) & 7) == 4 || ((modrm >> 3) & 7) == 6)
		return memory_forms[(modrm >> 3) & 7];
	for (i = 0; i < ARRAY_SIZE(register_forms); i++)
		if (register_forms[i].modrm == modrm)
			row.op = register_forms[i].op;
	return row;
}

/* Behind 0F, or the map that VEX names. */
static enum lodge_emulate_result decode_escape(struct lodge_emulate *em, unsigned int map,
					       struct opcode_row *row)
{
	struct lodge_insn *insn = &em->insn;
	enum lodge_emulate_result ret;
	unsigned int i;

	ret = decode_byte(em, &insn->opcode);
	if (ret)
		return ret;
	if (map == 1 && insn->opcode == 0x38 && !(insn->prefixes & LODGE_PREFIX_VEX)) {
		map = 2;
		ret = decode_byte(em, &insn->opcode);
		if (ret)
			return ret;
	}
	row->op = LODGE_OP_NONE;
	row->flags = 0;
	if (map == 2) {
		for (i = 0; i < ARRAY_SIZE(opcode_map_0f38); i++)
			if (opcode_map_0f38[i].opcode == insn->opcode)
				*row = opcode_map_0f38[i].row;
		return EMULATE_DONE;
	}
	if (insn->opcode == 0x01 && !(insn->prefixes & LODGE_PREFIX_VEX)) {
		ret = decode_need(em, 1);
		if (!ret)
			*row = decode_0f01(em->bytes[insn->length]);
		return ret;
	}
	*row = opcode_map_0f[insn->opcode];
	return EMULATE_DONE;
}

/* C4 and C5. Outside 64-bit code a ModRM byte with a memory operand means LES or LDS. APM 3, 1.8. */
static enum lodge_emulate_result decode_vex(struct lodge_emulate *em, struct opcode_row *row)
{
	static const u8 vex_prefixes[4] = { 0, LODGE_PREFIX_OPSIZE, LODGE_PREFIX_REP, LODGE_PREFIX_REPNE };
	struct lodge_insn *insn = &em->insn;
	enum lodge_emulate_result ret;
	unsigned int map = 1;
	u8 first, last;

	row->op = LODGE_OP_NONE;
	row->flags = 0;
	ret = decode_need(em, 1);
	if (ret)
		return ret;
	if (em->width != 8 && em->bytes[insn->length] < 0xc0)
		return EMULATE_UNHANDLED;
	if (em->mode == LODGE_MODE_REAL || em->mode == LODGE_MODE_VM86 || insn->rex ||
	    insn->prefixes & ~LODGE_PREFIX_ADSIZE)
		return emulate_fault(em, VECTOR_UD);

	insn->rex = 0;
	ret = decode_byte(em, &first);
	if (ret)
		return ret;
	last = first;
	if (insn->opcode == 0xc4) {
		map = first & 0x1f;
		insn->rex |= (~first >> 5) & (REX_X | REX_B);
		ret = decode_byte(em, &last);
		if (ret)
			return ret;
		insn->rex |= last & 0x80 ? REX_W : 0;
	}
	insn->rex |= first & 0x80 ? 0 : REX_R;
	insn->vvvv = (~last >> 3) & 0xf;
	insn->prefixes |= LODGE_PREFIX_VEX | vex_prefixes[last & 3] |
			  (last & 4 ? LODGE_PREFIX_VEX_L : 0);
	if (em->width != 8) {
		insn->rex = 0;
		insn->vvvv &= 7;
	}
	if (map != 1 && map != 2)
		return EMULATE_UNHANDLED;
	ret = decode_escape(em, map, row);
	if (ret)
		return ret;
	if (row->flags & ROW_PREFIXED)
		*row = opcode_prefixed[row->op][decode_mandatory_prefix(insn)];
	else
		row->flags = 0;
	return row->flags & ROW_VEX ? EMULATE_DONE : EMULATE_UNHANDLED;
}

/* Prefixes and opcode, up to the row that describes the instruction. */
static enum lodge_emulate_result decode_opcode(struct lodge_emulate *em, struct opcode_row *row)
{
	struct lodge_insn *insn = &em->insn;
	enum lodge_emulate_result ret;
	u8 byte;

	for (;;) {
		ret = decode_byte(em, &byte);
		if (unlikely(ret))
			return ret;
		*row = opcode_map[byte];
		if (likely(!(row->flags & ROW_PREFIX)))
			break;
		if (byte >> 4 == 4 && em->width != 8)
			return EMULATE_UNHANDLED;
		decode_prefix(em, byte);
	}
	insn->opcode = byte;
	if (byte == 0x0f) {
		ret = decode_escape(em, 1, row);
		if (ret)
			return ret;
	} else if (byte == 0xc4 || byte == 0xc5) {
		return decode_vex(em, row);
	}
	if (row->flags & ROW_PREFIXED)
		*row = opcode_prefixed[row->op][decode_mandatory_prefix(insn)];
	if (row->flags & ROW_GROUP) {
		struct opcode_row opener = *row;

		ret = decode_need(em, 1);
		if (ret)
			return ret;
		*row = opcode_groups[opener.op][(em->bytes[insn->length] >> 3) & 7];
		row->flags |= opener.flags;
		if (!(row->specs & 0x0f))
			row->specs |= opener.specs & 0x0f;
		if (!(row->specs & 0xf0))
			row->specs |= opener.specs & 0xf0;
	}
	return EMULATE_DONE;
}

static void decode_sizes(struct lodge_emulate *em, u32 flags)
{
	struct lodge_insn *insn = &em->insn;
	bool toggle = insn->prefixes & LODGE_PREFIX_OPSIZE;

	if (flags & ROW_BYTE)
		insn->size = 1;
	else if (em->width != 8)
		insn->size = (em->width == 2) == toggle ? 4 : 2;
	else if (insn->rex & REX_W)
		insn->size = 8;
	else if (toggle)
		insn->size = 2;
	else
		insn->size = flags & ROW_D64 ? 8 : 4;

	insn->address_size = em->width;
	if (insn->prefixes & LODGE_PREFIX_ADSIZE)
		insn->address_size = em->width == 4 ? 2 : 4;
}

/* 16-bit addressing. APM 3, 1.4.3, table 1-15. */
static enum lodge_emulate_result decode_memory16(struct lodge_emulate *em, u8 modrm, u8 *segment)
{
	static const struct {
		u8 base, index;
	} forms[8] = {
		{ LODGE_RBX, LODGE_RSI }, { LODGE_RBX, LODGE_RDI }, { LODGE_RBP, LODGE_RSI }, { LODGE_RBP, LODGE_RDI },
		{ LODGE_RSI, LODGE_NR_GPRS }, { LODGE_RDI, LODGE_NR_GPRS },
		{ LODGE_RBP, LODGE_NR_GPRS }, { LODGE_RBX, LODGE_NR_GPRS },
	};
	unsigned int mod = modrm >> 6, rm = modrm & 7;
	u64 ea = 0, disp = 0;
	enum lodge_emulate_result ret = EMULATE_DONE;

	if (mod == 0 && rm == 6) {
		mod = 2;
	} else {
		ea = em->gprs[forms[rm].base];
		if (forms[rm].index != LODGE_NR_GPRS)
			ea += em->gprs[forms[rm].index];
		if (forms[rm].base == LODGE_RBP)
			*segment = LODGE_SS;
	}
	if (mod)
		ret = decode_value(em, mod, &disp);
	em->insn.ea = (u16)(ea + disp);
	return ret;
}

/* 32- and 64-bit addressing; RIP-relative is completed when the length is known. */
static enum lodge_emulate_result decode_memory(struct lodge_emulate *em, u8 modrm, u8 *segment,
					       bool *rip_relative)
{
	struct lodge_insn *insn = &em->insn;
	unsigned int mod = modrm >> 6, base = modrm & 7, index;
	enum lodge_emulate_result ret;
	u64 ea = 0, disp;
	u8 sib;

	if (base == 4) {
		ret = decode_byte(em, &sib);
		if (unlikely(ret))
			return ret;
		base = sib & 7;
		index = ((sib >> 3) & 7) | (insn->rex & REX_X) << 2;
		if (index != LODGE_RSP)
			ea = em->gprs[index] << (sib >> 6);
	} else if (base == 5 && mod == 0) {
		*rip_relative = em->width == 8;
	}
	if (base == 5 && mod == 0) {
		mod = 2;
	} else {
		base |= (insn->rex & REX_B) << 3;
		ea += em->gprs[base];
		if (base == LODGE_RSP || base == LODGE_RBP)
			*segment = LODGE_SS;
		/* POP to memory computes its address with the new stack pointer. APM 3, POP. */
		if (base == LODGE_RSP && insn->op == LODGE_OP_POP)
			ea += insn->size;
	}
	if (mod) {
		ret = decode_value(em, mod == 1 ? 1 : 4, &disp);
		if (unlikely(ret))
			return ret;
		ea += disp;
	}
	insn->ea = ea;
	return EMULATE_DONE;
}

/* ModRM.rm, to @operand. */
static enum lodge_emulate_result decode_modrm(struct lodge_emulate *em, u32 flags,
					      struct lodge_operand *operand, bool *rip_relative)
{
	struct lodge_insn *insn = &em->insn;
	enum lodge_emulate_result ret;
	u8 segment = LODGE_DS;

	ret = decode_byte(em, &insn->modrm);
	if (unlikely(ret))
		return ret;
	if (insn->modrm >= 0xc0 || flags & ROW_REGISTER) {
		operand->kind = LODGE_OPERAND_GPR;
		operand->reg = (insn->modrm & 7) | (insn->rex & REX_B) << 3;
		return EMULATE_DONE;
	}
	operand->kind = LODGE_OPERAND_MEMORY;
	if (insn->address_size == 2)
		ret = decode_memory16(em, insn->modrm, &segment);
	else
		ret = decode_memory(em, insn->modrm, &segment, rip_relative);
	if (insn->segment == LODGE_NR_SEGMENTS)
		insn->segment = segment;
	return ret;
}

/* Registers named without REX: 4 to 7 of a byte operand are AH to BH. */
static inline void operand_set_gpr(const struct lodge_insn *insn, struct lodge_operand *operand, unsigned int reg)
{
	operand->kind = LODGE_OPERAND_GPR;
	operand->reg = reg;
	if (insn->size == 1 && !insn->rex && reg >= 4) {
		operand->kind = LODGE_OPERAND_GPR_HIGH;
		operand->reg = reg - 4;
	}
}

static noinline void decode_other_operand(struct lodge_insn *insn, unsigned int spec, struct lodge_operand *operand)
{
	unsigned int reg = (insn->modrm >> 3) & 7;

	switch (spec) {
	case SPEC_OPREG:
		operand_set_gpr(insn, operand, (insn->opcode & 7) | (insn->rex & REX_B) << 3);
		break;
	case SPEC_ACC:
		operand->kind = LODGE_OPERAND_GPR;
		break;
	case SPEC_CL:
		operand->kind = LODGE_OPERAND_GPR;
		operand->reg = LODGE_RCX;
		break;
	case SPEC_DX:
		operand->kind = LODGE_OPERAND_GPR;
		operand->reg = LODGE_RDX;
		break;
	case SPEC_ONE:
		insn->imm = 1;
		fallthrough;
	case SPEC_IMM:
		operand->kind = LODGE_OPERAND_IMM;
		break;
	case SPEC_MOFFS:
		operand->kind = LODGE_OPERAND_MEMORY;
		break;
	case SPEC_SREG:
		operand->kind = LODGE_OPERAND_SREG;
		operand->reg = reg;
		break;
	case SPEC_CR:
	case SPEC_DR:
		operand->kind = spec == SPEC_CR ? LODGE_OPERAND_CR : LODGE_OPERAND_DR;
		operand->reg = reg | (insn->rex & REX_R) << 1;
		break;
	case SPEC_VECTOR:
		operand->kind = LODGE_OPERAND_VECTOR;
		operand->reg = reg | (insn->rex & REX_R) << 1;
		break;
	}
}

static inline void decode_operand(struct lodge_insn *insn, unsigned int spec, const struct lodge_operand *rm,
				  struct lodge_operand *operand)
{
	if (spec == SPEC_RM) {
		*operand = *rm;
		if (unlikely(rm->kind == LODGE_OPERAND_GPR))
			operand_set_gpr(insn, operand, rm->reg);
	} else if (spec == SPEC_REG) {
		operand_set_gpr(insn, operand, ((insn->modrm >> 3) & 7) | (insn->rex & REX_R) << 1);
	} else if (spec != SPEC_NONE) {
		decode_other_operand(insn, spec, operand);
	}
}

static enum lodge_emulate_result decode_immediate(struct lodge_emulate *em, u32 flags)
{
	struct lodge_insn *insn = &em->insn;
	enum lodge_emulate_result ret;
	unsigned int size = 1;

	if (flags & ROW_IMM)
		size = insn->size == 2 || flags & ROW_IMM8 ? 2 : min_t(unsigned int, insn->size, 4);
	ret = decode_value(em, size, &insn->imm);
	if ((flags & ROW_IMM && flags & ROW_IMM8) || insn->op >= LODGE_OP_SYSTEM)
		insn->imm &= size_mask(size);
	return ret;
}

/* Sizes that the operand-size rules do not give. */
static noinline void decode_special_sizes(struct lodge_emulate *em)
{
	struct lodge_insn *insn = &em->insn;

	switch (insn->op) {
	case LODGE_OP_MOV:
		/* MOVNTI has no 16-bit form, in 16-bit code neither. */
		if (insn->flags & ROW_MEMORY && insn->size == 2)
			insn->size = 4;
		break;
	case LODGE_OP_READ_CR:
	case LODGE_OP_WRITE_CR:
	case LODGE_OP_READ_DR:
	case LODGE_OP_WRITE_DR:
		insn->size = em->width == 8 ? 8 : 4;
		break;
	case LODGE_OP_LMSW:
		insn->size = 2;
		break;
	case LODGE_OP_SMSW:
	case LODGE_OP_STORE_SREG:
		if (insn->dst.kind == LODGE_OPERAND_MEMORY)
			insn->size = 2;
		break;
	case LODGE_OP_LOAD_SREG:
		insn->size = 2;
		break;
	case LODGE_OP_IN:
	case LODGE_OP_OUT:
	case LODGE_OP_INS:
	case LODGE_OP_OUTS:
		if (insn->size == 8)
			insn->size = 4;
		break;
	}
}

/* LOCK: only on a read-modify-write of memory; before MOV CR0 AMD makes it CR8. APM 3, 1.2.5 and MOV CRn. */
static enum lodge_emulate_result decode_lock(struct lodge_emulate *em)
{
	struct lodge_insn *insn = &em->insn;

	if (insn->op == LODGE_OP_READ_CR && insn->src.reg == 0) {
		insn->src.reg = 8;
		return EMULATE_DONE;
	}
	if (insn->op == LODGE_OP_WRITE_CR && insn->dst.reg == 0) {
		insn->dst.reg = 8;
		return EMULATE_DONE;
	}
	if (insn->flags & ROW_LOCK && insn->dst.kind == LODGE_OPERAND_MEMORY)
		return EMULATE_DONE;
	return emulate_fault(em, VECTOR_UD);
}

/* What follows the opcode. */
static enum lodge_emulate_result decode_operands(struct lodge_emulate *em, const struct opcode_row *row)
{
	struct lodge_operand rm = { .kind = LODGE_OPERAND_NONE };
	struct lodge_insn *insn = &em->insn;
	enum lodge_emulate_result ret;
	bool rip_relative = false;

	if (row->flags & ROW_MODRM) {
		ret = decode_modrm(em, row->flags, &rm, &rip_relative);
		if (unlikely(ret))
			return ret;
		if (row->flags & ROW_MEMORY && rm.kind != LODGE_OPERAND_MEMORY)
			return EMULATE_UNHANDLED;
	}
	decode_operand(insn, row->specs & 0xf, &rm, &insn->dst);
	decode_operand(insn, row->specs >> 4, &rm, &insn->src);
	if (unlikely(insn->segment == LODGE_NR_SEGMENTS))
		insn->segment = LODGE_DS;
	if (unlikely((row->specs & 0xf) == SPEC_MOFFS || row->specs >> 4 == SPEC_MOFFS)) {
		ret = decode_value(em, insn->address_size, &insn->ea);
		if (ret)
			return ret;
	}
	if (row->flags & (ROW_IMM | ROW_IMM8)) {
		ret = decode_immediate(em, row->flags);
		if (ret)
			return ret;
	}
	if (rip_relative)
		insn->ea += em->rip + insn->length;
	insn->ea &= size_mask(insn->address_size);
	return EMULATE_DONE;
}

enum lodge_emulate_result lodge_emulate_decode(struct lodge_emulate *em)
{
	struct lodge_insn *insn = &em->insn;
	enum lodge_emulate_result ret;
	struct opcode_row row;

	lodge_emulate_drop(em);
	lodge_emulate_begin(em);
	*insn = (struct lodge_insn) { .segment = LODGE_NR_SEGMENTS };
	em->insn_rip = em->rip;

	ret = decode_opcode(em, &row);
	if (unlikely(ret))
		return ret;
	if (row.op == LODGE_OP_NONE || (row.flags & ROW_O64 && em->width != 8))
		return EMULATE_UNHANDLED;
	if (row.flags & ROW_I64 && em->width == 8)
		return emulate_fault(em, VECTOR_UD);
	insn->op = row.op;
	insn->flags = row.flags;
	decode_sizes(em, row.flags);
	ret = decode_operands(em, &row);
	if (unlikely(ret)) {
		insn->op = LODGE_OP_NONE;
		return ret;
	}
	if (unlikely(row.flags & ROW_SIZES))
		decode_special_sizes(em);
	if (unlikely(insn->prefixes & LODGE_PREFIX_LOCK))
		return decode_lock(em);
	return EMULATE_DONE;
}
