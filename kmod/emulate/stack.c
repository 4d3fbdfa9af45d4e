// SPDX-License-Identifier: GPL-2.0-only
/*
 * PUSH and POP, and near CALL, JMP and RET, whose operand or stack may be memory
 * that has to be emulated. Far branches are not. No locks.
 */
#include "emulate_internal.h"

static unsigned int stack_address_size(struct lodge_emulate *em)
{
	if (em->mode == LODGE_MODE_LONG)
		return 8;
	return segment_get(em, LODGE_SS)->attributes & LODGE_SEG_DB ? 4 : 2;
}

/* Store below the stack pointer, then move it. */
static enum lodge_emulate_result stack_push(struct lodge_emulate *em, u64 val)
{
	unsigned int width = stack_address_size(em), size = em->insn.size;
	u64 pointer = (em->gprs[LODGE_RSP] - size) & size_mask(width);
	enum lodge_emulate_result ret;

	ret = lodge_memory_write(em, LODGE_SS, pointer, size, value_bytes(&val));
	if (ret <= EMULATE_IO)
		gpr_write(em, LODGE_RSP, pointer, width);
	return ret;
}

static enum lodge_emulate_result stack_peek(struct lodge_emulate *em, u64 *val)
{
	unsigned int width = stack_address_size(em);

	return lodge_memory_load(em, LODGE_SS, em->gprs[LODGE_RSP] & size_mask(width), em->insn.size, val);
}

static enum lodge_emulate_result stack_exec_push(struct lodge_emulate *em)
{
	enum lodge_emulate_result ret;
	u64 val;

	ret = lodge_operand_read(em, &em->insn.src, em->insn.size, &val);
	if (ret)
		return ret;
	ret = stack_push(em, val);
	if (ret <= EMULATE_IO)
		lodge_emulate_skip(em);
	return ret;
}

static enum lodge_emulate_result stack_exec_pop(struct lodge_emulate *em)
{
	unsigned int width = stack_address_size(em), size = em->insn.size;
	u64 pointer = em->gprs[LODGE_RSP];
	enum lodge_emulate_result ret;
	u64 val;

	ret = stack_peek(em, &val);
	if (ret)
		return ret;
	/* POP rSP: the value wins over the increment. */
	gpr_add(em, LODGE_RSP, size, width);
	ret = lodge_operand_write(em, &em->insn.dst, size, val);
	if (ret > EMULATE_IO) {
		em->gprs[LODGE_RSP] = pointer;
		return ret;
	}
	lodge_emulate_skip(em);
	return ret;
}

/* AMD cuts a 64-bit near branch to 16 bits with prefix 66, Intel ignores the prefix. */
static bool branch_is_ambiguous(const struct lodge_emulate *em)
{
	return em->mode == LODGE_MODE_LONG && em->insn.size != 8;
}

/* The limit and canonical checks on a branch target. APM 2, 4.7.2. */
static enum lodge_emulate_result branch_check(struct lodge_emulate *em, u64 *target)
{
	*target &= size_mask(em->insn.size);
	if (em->mode == LODGE_MODE_LONG) {
		if (!address_is_canonical(em, *target))
			return emulate_fault_zero(em, VECTOR_GP);
	} else if (*target > segment_get(em, LODGE_CS)->limit) {
		return emulate_fault_zero(em, VECTOR_GP);
	}
	return EMULATE_DONE;
}

static void branch_take(struct lodge_emulate *em, u64 target)
{
	lodge_emulate_skip(em);
	em->rip = target;
}

static enum lodge_emulate_result branch_exec(struct lodge_emulate *em)
{
	struct lodge_insn *insn = &em->insn;
	enum lodge_emulate_result ret;
	u64 next = em->rip + insn->length, target;

	if (branch_is_ambiguous(em))
		return EMULATE_UNHANDLED;
	ret = lodge_operand_read(em, &insn->src, insn->size, &target);
	if (ret)
		return ret;
	if (insn->src.kind == LODGE_OPERAND_IMM)
		target += next;
	ret = branch_check(em, &target);
	if (!ret && insn->op == LODGE_OP_CALL)
		ret = stack_push(em, next);
	if (ret <= EMULATE_IO)
		branch_take(em, target);
	return ret;
}

static enum lodge_emulate_result branch_exec_ret(struct lodge_emulate *em)
{
	struct lodge_insn *insn = &em->insn;
	enum lodge_emulate_result ret;
	u64 target;

	if (branch_is_ambiguous(em))
		return EMULATE_UNHANDLED;
	ret = stack_peek(em, &target);
	if (!ret)
		ret = branch_check(em, &target);
	if (ret)
		return ret;
	gpr_add(em, LODGE_RSP, insn->size + insn->imm, stack_address_size(em));
	branch_take(em, target);
	return EMULATE_DONE;
}

enum lodge_emulate_result lodge_stack_execute(struct lodge_emulate *em)
{
	switch (em->insn.op) {
	case LODGE_OP_PUSH:
		return stack_exec_push(em);
	case LODGE_OP_POP:
		return stack_exec_pop(em);
	case LODGE_OP_CALL:
	case LODGE_OP_JMP:
		return branch_exec(em);
	default:
		return branch_exec_ret(em);
	}
}
