// SPDX-License-Identifier: GPL-2.0-only
/*
 * Instructions that read a register or memory operand, compute, and write it
 * back: what they compute is in alu.c. Memory is translated for writing before
 * it is read, so that nothing can fail after a device was read. No locks.
 */
#include "emulate_internal.h"

/* A destination that is read, computed on and written: what is known of it in between. */
struct alu_target {
	struct memory_span span;
	u64 old;
};

static enum lodge_emulate_result target_read(struct lodge_emulate *em, struct alu_target *target)
{
	struct lodge_insn *insn = &em->insn;
	enum lodge_emulate_result ret;

	if (insn->dst.kind != LODGE_OPERAND_MEMORY)
		return lodge_operand_read(em, &insn->dst, insn->size, &target->old);
	ret = lodge_span_prepare(em, insn->segment, insn->ea, insn->size, LODGE_ACCESS_WRITE, &target->span);
	if (ret)
		return ret;
	target->old = 0;
	return lodge_span_read(em, &target->span, value_bytes(&target->old));
}

static enum lodge_emulate_result target_write(struct lodge_emulate *em, struct alu_target *target, u64 new,
					      bool locked)
{
	struct lodge_insn *insn = &em->insn;

	if (insn->dst.kind != LODGE_OPERAND_MEMORY)
		return lodge_operand_write(em, &insn->dst, insn->size, new);
	if (!locked)
		return lodge_span_write(em, &target->span, value_bytes(&new));
	return lodge_span_exchange(em, &target->span, value_bytes(&target->old), value_bytes(&new));
}

/* dst = dst op src */
static enum lodge_emulate_result alu_modify(struct lodge_emulate *em)
{
	struct lodge_insn *insn = &em->insn;
	u64 rflags = em->rflags, src = 0, result;
	enum lodge_emulate_result ret;
	struct alu_target target;

	if (insn->src.kind != LODGE_OPERAND_NONE) {
		unsigned int size = insn->op >= LODGE_OP_ROL && insn->op <= LODGE_OP_SAR ? 1 : insn->size;

		ret = lodge_operand_read(em, &insn->src, size, &src);
		if (ret)
			return ret;
	}
	ret = target_read(em, &target);
	if (ret)
		return ret;
	if (insn->op >= LODGE_OP_ROL && insn->op <= LODGE_OP_SAR)
		result = lodge_alu_shift(insn->op, insn->size, target.old, src, &rflags);
	else
		result = lodge_alu_compute(insn->op, insn->size, target.old, src, &rflags);
	ret = target_write(em, &target, result, insn->prefixes & LODGE_PREFIX_LOCK);
	if (ret > EMULATE_IO)
		return ret;
	em->rflags = rflags;
	lodge_emulate_skip(em);
	return ret;
}

/* CMP and TEST: nothing is written. */
static enum lodge_emulate_result alu_compare(struct lodge_emulate *em)
{
	struct lodge_insn *insn = &em->insn;
	enum lodge_emulate_result ret;
	u64 dst, src;

	ret = lodge_operand_read(em, &insn->dst, insn->size, &dst);
	if (!ret)
		ret = lodge_operand_read(em, &insn->src, insn->size, &src);
	if (ret)
		return ret;
	lodge_alu_compute(insn->op, insn->size, dst, src, &em->rflags);
	lodge_emulate_skip(em);
	return EMULATE_DONE;
}

static enum lodge_emulate_result alu_shift_double(struct lodge_emulate *em)
{
	struct lodge_insn *insn = &em->insn;
	unsigned int count = insn->flags & ROW_IMM8 ? insn->imm : em->gprs[LODGE_RCX];
	enum lodge_emulate_result ret;
	struct alu_target target;
	u64 rflags = em->rflags, src, result;

	ret = lodge_operand_read(em, &insn->src, insn->size, &src);
	if (!ret)
		ret = target_read(em, &target);
	if (ret)
		return ret;
	result = lodge_alu_shift_double(insn->opcode >= 0xac, insn->size, target.old, src, count & 0xff, &rflags);
	ret = target_write(em, &target, result, false);
	if (ret > EMULATE_IO)
		return ret;
	em->rflags = rflags;
	lodge_emulate_skip(em);
	return ret;
}

/* With a register the bit offset is signed and reaches beyond the operand in memory. APM 3, BT. */
static enum lodge_emulate_result alu_bit_test(struct lodge_emulate *em)
{
	struct lodge_insn *insn = &em->insn;
	unsigned int bits = 8 * insn->size;
	enum lodge_emulate_result ret;
	struct alu_target target;
	u64 offset, new, ea = insn->ea;

	ret = lodge_operand_read(em, &insn->src, insn->size, &offset);
	if (ret)
		return ret;
	if (insn->dst.kind == LODGE_OPERAND_MEMORY && insn->src.kind == LODGE_OPERAND_GPR) {
		unsigned int shift = insn->size == 8 ? 6 : insn->size == 4 ? 5 : 4;
		s64 element = (s64)size_sign_extend(offset, insn->size) >> shift;

		insn->ea = (ea + (u64)element * insn->size) & size_mask(insn->address_size);
	}
	if (insn->op == LODGE_OP_BT)
		ret = lodge_operand_read(em, &insn->dst, insn->size, &target.old);
	else
		ret = target_read(em, &target);
	insn->ea = ea;
	if (ret)
		return ret;

	offset &= bits - 1;
	new = target.old;
	if (insn->op == LODGE_OP_BTS)
		new |= 1ull << offset;
	else if (insn->op == LODGE_OP_BTR)
		new &= ~(1ull << offset);
	else if (insn->op == LODGE_OP_BTC)
		new ^= 1ull << offset;
	if (insn->op != LODGE_OP_BT) {
		ret = target_write(em, &target, new, insn->prefixes & LODGE_PREFIX_LOCK);
		if (ret > EMULATE_IO)
			return ret;
	}
	em->rflags = (em->rflags & ~FLAG_CF) | (target.old >> offset & 1 ? FLAG_CF : 0);
	lodge_emulate_skip(em);
	return ret;
}

/* IMUL with two or three operands. */
static enum lodge_emulate_result alu_multiply(struct lodge_emulate *em)
{
	struct lodge_insn *insn = &em->insn;
	enum lodge_emulate_result ret;
	u64 a, b, high;

	ret = lodge_operand_read(em, &insn->src, insn->size, &a);
	if (ret)
		return ret;
	b = insn->imm;
	if (!(insn->flags & (ROW_IMM | ROW_IMM8)))
		b = em->gprs[insn->dst.reg];
	gpr_write(em, insn->dst.reg, lodge_alu_multiply(insn->size, a, b, true, &high, &em->rflags), insn->size);
	lodge_emulate_skip(em);
	return EMULATE_DONE;
}

/* MUL and IMUL of rAX, the product in rDX:rAX, or AX for bytes. */
static enum lodge_emulate_result alu_multiply_wide(struct lodge_emulate *em)
{
	struct lodge_insn *insn = &em->insn;
	enum lodge_emulate_result ret;
	u64 src, low, high;

	ret = lodge_operand_read(em, &insn->dst, insn->size, &src);
	if (ret)
		return ret;
	low = lodge_alu_multiply(insn->size, em->gprs[LODGE_RAX] & size_mask(insn->size), src,
				 insn->op == LODGE_OP_IMUL_WIDE, &high, &em->rflags);
	if (insn->size == 1) {
		gpr_write(em, LODGE_RAX, low | high << 8, 2);
	} else {
		gpr_write(em, LODGE_RAX, low, insn->size);
		gpr_write(em, LODGE_RDX, high, insn->size);
	}
	lodge_emulate_skip(em);
	return EMULATE_DONE;
}

/* XCHG is always locked. The register is written last: it may not change if memory cannot. */
static enum lodge_emulate_result alu_exchange(struct lodge_emulate *em)
{
	struct lodge_insn *insn = &em->insn;
	bool locked = insn->op == LODGE_OP_XCHG || insn->prefixes & LODGE_PREFIX_LOCK;
	u64 rflags = em->rflags, src, new;
	enum lodge_emulate_result ret;
	struct alu_target target;

	ret = lodge_operand_read(em, &insn->src, insn->size, &src);
	if (!ret)
		ret = target_read(em, &target);
	if (ret)
		return ret;
	new = src;
	if (insn->op == LODGE_OP_XADD)
		new = lodge_alu_compute(insn->op, insn->size, target.old, src, &rflags);
	if (insn->dst.kind != LODGE_OPERAND_MEMORY) {
		/* XADD of a register with itself leaves the sum. */
		lodge_operand_write(em, &insn->src, insn->size, target.old);
		ret = target_write(em, &target, new, false);
	} else {
		ret = target_write(em, &target, new, locked);
		if (ret > EMULATE_IO)
			return ret;
		lodge_operand_write(em, &insn->src, insn->size, target.old);
	}
	em->rflags = rflags;
	lodge_emulate_skip(em);
	return ret;
}

/* The destination is written in both cases. APM 3, CMPXCHG. */
static enum lodge_emulate_result alu_compare_exchange(struct lodge_emulate *em)
{
	struct lodge_insn *insn = &em->insn;
	u64 rflags = em->rflags, acc = em->gprs[LODGE_RAX] & size_mask(insn->size), src;
	enum lodge_emulate_result ret;
	struct alu_target target;

	ret = lodge_operand_read(em, &insn->src, insn->size, &src);
	if (!ret)
		ret = target_read(em, &target);
	if (ret)
		return ret;
	lodge_alu_compute(LODGE_OP_CMP, insn->size, acc, target.old, &rflags);
	ret = target_write(em, &target, rflags & FLAG_ZF ? src : target.old, insn->prefixes & LODGE_PREFIX_LOCK);
	if (ret > EMULATE_IO)
		return ret;
	if (!(rflags & FLAG_ZF))
		gpr_write(em, LODGE_RAX, target.old, insn->size);
	em->rflags = rflags;
	lodge_emulate_skip(em);
	return ret;
}

/* CMPXCHG8B and CMPXCHG16B; the latter wants alignment. Only ZF changes. */
static enum lodge_emulate_result alu_compare_exchange_double(struct lodge_emulate *em)
{
	struct lodge_insn *insn = &em->insn;
	unsigned int half = insn->size == 8 ? 8 : 4;
	enum lodge_emulate_result ret;
	u8 old[16], new[16], expected[16];
	u64 low = 0, high = 0;
	struct memory_span span;
	bool equal;

	ret = lodge_span_prepare(em, insn->segment, insn->ea, 2 * half, LODGE_ACCESS_WRITE, &span);
	if (ret)
		return ret;
	if (half == 8 && span.gpa[0] & 15)
		return emulate_fault_zero(em, VECTOR_GP);
	ret = lodge_span_read(em, &span, old);
	if (ret)
		return ret;
	memcpy(expected, &em->gprs[LODGE_RAX], half);
	memcpy(expected + half, &em->gprs[LODGE_RDX], half);
	equal = !memcmp(old, expected, 2 * half);
	memcpy(new, old, 2 * half);
	if (equal) {
		memcpy(new, &em->gprs[LODGE_RBX], half);
		memcpy(new + half, &em->gprs[LODGE_RCX], half);
	}
	if (insn->prefixes & LODGE_PREFIX_LOCK)
		ret = lodge_span_exchange(em, &span, old, new);
	else
		ret = lodge_span_write(em, &span, new);
	if (ret > EMULATE_IO)
		return ret;
	if (!equal) {
		memcpy(&low, old, half);
		memcpy(&high, old + half, half);
		gpr_write(em, LODGE_RAX, low, half);
		gpr_write(em, LODGE_RDX, high, half);
	}
	em->rflags = (em->rflags & ~FLAG_ZF) | (equal ? FLAG_ZF : 0);
	lodge_emulate_skip(em);
	return ret;
}

enum lodge_emulate_result lodge_modify_execute(struct lodge_emulate *em)
{
	switch (em->insn.op) {
	case LODGE_OP_CMP:
	case LODGE_OP_TEST:
		return alu_compare(em);
	case LODGE_OP_SHLD:
	case LODGE_OP_SHRD:
		return alu_shift_double(em);
	case LODGE_OP_BT:
	case LODGE_OP_BTS:
	case LODGE_OP_BTR:
	case LODGE_OP_BTC:
		return alu_bit_test(em);
	case LODGE_OP_IMUL:
		return alu_multiply(em);
	case LODGE_OP_MUL_WIDE:
	case LODGE_OP_IMUL_WIDE:
		return alu_multiply_wide(em);
	case LODGE_OP_XADD:
	case LODGE_OP_XCHG:
		return alu_exchange(em);
	case LODGE_OP_CMPXCHG:
		return alu_compare_exchange(em);
	case LODGE_OP_CMPXCHG8B:
		return alu_compare_exchange_double(em);
	default:
		return alu_modify(em);
	}
}
