// SPDX-License-Identifier: GPL-2.0-only
/*
 * Executing a decoded instruction: the entry points, the plain moves, and the
 * way on after an access that user space completed. Families of their own are
 * in modify.c, string.c, stack.c, vector.c; system.c serves what is executed
 * elsewhere. No locks.
 */
#include <linux/swab.h>

#include "emulate_internal.h"

void lodge_emulate_set_mode(struct lodge_emulate *em, u16 cs_attributes)
{
	em->width = cs_attributes & LODGE_SEG_DB ? 4 : 2;
	if (!(em->cr0 & CONTROL_CR0_PE)) {
		em->mode = LODGE_MODE_REAL;
	} else if (em->efer & CONTROL_EFER_LMA) {
		em->mode = LODGE_MODE_PROTECTED;
		if (cs_attributes & LODGE_SEG_L) {
			em->mode = LODGE_MODE_LONG;
			em->width = 8;
		}
	} else {
		em->mode = em->rflags & FLAG_VM ? LODGE_MODE_VM86 : LODGE_MODE_PROTECTED;
	}
}

void lodge_emulate_skip(struct lodge_emulate *em)
{
	em->single_step |= !!(em->rflags & FLAG_TF);
	em->committed = true;
	em->rflags &= ~FLAG_RF;
	em->rip = em->insn_rip + em->insn.length;
	if (em->width != 8)
		em->rip = (u32)em->rip;
}

static enum lodge_emulate_result execute_mov(struct lodge_emulate *em)
{
	struct lodge_insn *insn = &em->insn;
	enum lodge_emulate_result ret;
	u64 val;

	ret = lodge_operand_read(em, &insn->src, insn->size, &val);
	if (unlikely(ret))
		return ret;
	if (unlikely(insn->op == LODGE_OP_MOVBE))
		val = swab64(val) >> (64 - 8 * insn->size);
	ret = lodge_operand_write(em, &insn->dst, insn->size, val);
	if (likely(ret <= EMULATE_IO))
		lodge_emulate_skip(em);
	return ret;
}

/* MOVZX, MOVSX, MOVSXD: the source is narrower, by opcode. */
static enum lodge_emulate_result execute_extend(struct lodge_emulate *em)
{
	struct lodge_insn *insn = &em->insn;
	struct lodge_operand src = insn->src;
	unsigned int size = insn->opcode & 1 ? 2 : 1;
	enum lodge_emulate_result ret;
	u64 val;

	if (insn->opcode == 0x63)
		size = min_t(unsigned int, insn->size, 4);
	if (size == 1 && src.kind == LODGE_OPERAND_GPR && !insn->rex && src.reg >= 4) {
		src.kind = LODGE_OPERAND_GPR_HIGH;
		src.reg -= 4;
	}
	ret = lodge_operand_read(em, &src, size, &val);
	if (ret)
		return ret;
	if (insn->op == LODGE_OP_MOVSX)
		val = size_sign_extend(val, size);
	gpr_write(em, insn->dst.reg, val, insn->size);
	lodge_emulate_skip(em);
	return EMULATE_DONE;
}

static enum lodge_emulate_result execute_setcc(struct lodge_emulate *em)
{
	enum lodge_emulate_result ret;

	ret = lodge_operand_write(em, &em->insn.dst, 1, lodge_alu_condition(em->insn.opcode, em->rflags));
	if (ret <= EMULATE_IO)
		lodge_emulate_skip(em);
	return ret;
}

/* The source is read, and a 32-bit register's upper half cleared, whatever the condition. APM 3, CMOVcc. */
static enum lodge_emulate_result execute_cmovcc(struct lodge_emulate *em)
{
	struct lodge_insn *insn = &em->insn;
	enum lodge_emulate_result ret;
	u64 val;

	ret = lodge_operand_read(em, &insn->src, insn->size, &val);
	if (ret)
		return ret;
	if (!lodge_alu_condition(insn->opcode, em->rflags))
		val = em->gprs[insn->dst.reg];
	gpr_write(em, insn->dst.reg, val, insn->size);
	lodge_emulate_skip(em);
	return EMULATE_DONE;
}

static enum lodge_emulate_result execute_store_sreg(struct lodge_emulate *em)
{
	struct lodge_insn *insn = &em->insn;
	enum lodge_emulate_result ret;

	if (insn->src.reg > LODGE_GS)
		return emulate_fault(em, VECTOR_UD);
	ret = lodge_operand_write(em, &insn->dst, insn->size, segment_get(em, insn->src.reg)->selector);
	if (ret <= EMULATE_IO)
		lodge_emulate_skip(em);
	return ret;
}

/* Only where no descriptor is involved. MOV SS holds interrupts off for one instruction. APM 2, 8.1.4. */
static enum lodge_emulate_result execute_load_sreg(struct lodge_emulate *em)
{
	struct lodge_insn *insn = &em->insn;
	enum lodge_emulate_result ret;
	u64 val;

	if (insn->dst.reg > LODGE_GS || insn->dst.reg == LODGE_CS)
		return emulate_fault(em, VECTOR_UD);
	if (em->mode != LODGE_MODE_REAL && em->mode != LODGE_MODE_VM86)
		return EMULATE_UNHANDLED;
	ret = lodge_operand_read(em, &insn->src, 2, &val);
	if (ret)
		return ret;
	em->ops->store_segment(em, insn->dst.reg, val);
	em->segments_valid &= ~BIT(insn->dst.reg);
	lodge_emulate_skip(em);
	if (insn->dst.reg == LODGE_SS) {
		em->shadow = true;
		em->single_step = false;
	}
	return EMULATE_DONE;
}

static enum lodge_emulate_result execute_xlat(struct lodge_emulate *em)
{
	struct lodge_insn *insn = &em->insn;
	enum lodge_emulate_result ret;
	u64 ea = em->gprs[LODGE_RBX] + (u8)em->gprs[LODGE_RAX];
	u64 val;

	ret = lodge_memory_load(em, insn->segment, ea & size_mask(insn->address_size), 1, &val);
	if (ret)
		return ret;
	gpr_write(em, LODGE_RAX, val, 1);
	lodge_emulate_skip(em);
	return EMULATE_DONE;
}

/* Checked as a load of one byte; what it flushes is not ours. APM 3, CLFLUSH. */
static enum lodge_emulate_result execute_clflush(struct lodge_emulate *em)
{
	enum lodge_emulate_result ret;
	struct memory_span span;

	ret = lodge_span_prepare(em, em->insn.segment, em->insn.ea, 1, LODGE_ACCESS_READ, &span);
	if (!ret)
		lodge_emulate_skip(em);
	return ret;
}

enum lodge_emulate_result lodge_emulate_execute(struct lodge_emulate *em)
{
	/* What drivers do to devices: tested first, since the kernel builds switches without jump tables. */
	if (likely(em->insn.op == LODGE_OP_MOV))
		return execute_mov(em);

	switch (em->insn.op) {
	case LODGE_OP_MOVBE:
		return execute_mov(em);
	case LODGE_OP_MOVZX:
	case LODGE_OP_MOVSX:
		return execute_extend(em);
	case LODGE_OP_ADD ... LODGE_OP_CMPXCHG8B:
	case LODGE_OP_XCHG:
		return lodge_modify_execute(em);
	case LODGE_OP_SETCC:
		return execute_setcc(em);
	case LODGE_OP_CMOVCC:
		return execute_cmovcc(em);
	case LODGE_OP_STORE_SREG:
		return execute_store_sreg(em);
	case LODGE_OP_LOAD_SREG:
		return execute_load_sreg(em);
	case LODGE_OP_XLAT:
		return execute_xlat(em);
	case LODGE_OP_PUSH ... LODGE_OP_RET:
		return lodge_stack_execute(em);
	case LODGE_OP_MOVS ... LODGE_OP_OUTS:
		return lodge_string_execute(em);
	case LODGE_OP_VMOV ... LODGE_OP_VMOV_GPR:
		return lodge_vector_execute(em);
	case LODGE_OP_CLFLUSH:
		return execute_clflush(em);
	default:
		return EMULATE_UNHANDLED;
	}
}

/* Nothing of an instruction is under way any more. */
void lodge_emulate_drop(struct lodge_emulate *em)
{
	em->io.kind = LODGE_IO_NONE;
	em->reads_pos = 0;
	em->reads_end = 0;
	em->pieces_pos = 0;
	em->pieces_end = 0;
	em->port_pos = 0;
	em->port_end = 0;
}

void lodge_emulate_begin(struct lodge_emulate *em)
{
	em->committed = false;
	em->single_step = false;
	em->shadow = false;
	em->tlb[0].access = 0;
	em->tlb[1].access = 0;
}

enum lodge_emulate_result lodge_emulate_step(struct lodge_emulate *em)
{
	enum lodge_emulate_result ret;

	ret = lodge_emulate_decode(em);
	if (unlikely(ret))
		return ret;
	return lodge_emulate_execute(em);
}

/* A write is done; what may be left is the rest of its pieces, or of its REP. */
static enum lodge_emulate_result resume_write(struct lodge_emulate *em)
{
	enum lodge_emulate_result ret;

	em->io.kind = LODGE_IO_NONE;
	if (em->pieces_pos < em->pieces_end) {
		ret = lodge_span_continue(em);
		if (ret)
			return ret;
	}
	if (em->insn.flags & ROW_STRING && em->rip == em->insn_rip)
		return lodge_string_execute(em);
	return EMULATE_DONE;
}

enum lodge_emulate_result lodge_emulate_resume(struct lodge_emulate *em)
{
	struct lodge_emulate_io *io = &em->io;

	lodge_emulate_begin(em);
	em->hint_access = 0;
	if (io->kind == LODGE_IO_NONE)
		return EMULATE_DONE;
	if (io->write)
		return resume_write(em);

	if (io->kind == LODGE_IO_PORT) {
		em->port_pos = 0;
		em->port_end = io->count;
	} else if (em->reads_end + io->size <= LODGE_EMULATE_READS) {
		memcpy(em->reads + em->reads_end, io->data, io->size);
		em->reads_end += io->size;
	}
	io->kind = LODGE_IO_NONE;
	em->reads_pos = 0;
	if (em->rip != em->insn_rip) {
		lodge_emulate_drop(em);
		return EMULATE_DONE;
	}
	return lodge_emulate_execute(em);
}
