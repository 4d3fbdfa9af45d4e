// SPDX-License-Identifier: GPL-2.0-only
/*
 * Moves between memory and XMM or YMM registers, with legacy and VEX encodings.
 * Register-to-register forms touch no memory and are not emulated. No locks.
 */
#include "emulate_internal.h"

/* Whether the guest may use the register file at all. APM 4, tables of exceptions. */
static enum lodge_emulate_result vector_check(struct lodge_emulate *em)
{
	const struct lodge_insn *insn = &em->insn;

	if (insn->prefixes & LODGE_PREFIX_VEX) {
		if (!(em->cr4 & CONTROL_CR4_OSXSAVE) || ~em->xcr0 & CONTROL_XCR0_AVX || insn->vvvv)
			return emulate_fault(em, VECTOR_UD);
		if (insn->prefixes & LODGE_PREFIX_VEX_L && insn->op != LODGE_OP_VMOV &&
		    insn->op != LODGE_OP_VMOV_ALIGNED && insn->opcode != 0x10 && insn->opcode != 0x11)
			return emulate_fault(em, VECTOR_UD);
	} else if (em->cr0 & CONTROL_CR0_EM || !(em->cr4 & CONTROL_CR4_OSFXSR)) {
		return emulate_fault(em, VECTOR_UD);
	}
	if (em->cr0 & CONTROL_CR0_TS)
		return emulate_fault(em, VECTOR_NM);
	return EMULATE_DONE;
}

static unsigned int vector_size(const struct lodge_insn *insn)
{
	switch (insn->op) {
	case LODGE_OP_VMOV:
	case LODGE_OP_VMOV_ALIGNED:
		return insn->prefixes & LODGE_PREFIX_VEX_L ? 32 : 16;
	case LODGE_OP_VMOV4:
		return 4;
	case LODGE_OP_VMOV_GPR:
		return insn->rex & REX_W ? 8 : 4;
	default:
		return 8;
	}
}

static enum lodge_emulate_result vector_check_alignment(struct lodge_emulate *em, unsigned int size)
{
	enum lodge_emulate_result ret;
	gva_t linear;

	if (em->insn.op != LODGE_OP_VMOV_ALIGNED)
		return EMULATE_DONE;
	ret = lodge_span_linearize(em, em->insn.segment, em->insn.ea, size,
				   em->insn.dst.kind == LODGE_OPERAND_MEMORY, &linear);
	if (!ret && linear & (size - 1))
		ret = emulate_fault_zero(em, VECTOR_GP);
	return ret;
}

/* What is not loaded becomes 0, in VEX forms up to the top of YMM; the half moves keep the other half. */
static enum lodge_emulate_result vector_load(struct lodge_emulate *em, unsigned int size)
{
	struct lodge_insn *insn = &em->insn;
	u8 val[LODGE_EMULATE_VECTOR] = { 0 };
	enum lodge_emulate_result ret;
	unsigned int at = 0;

	if (insn->op == LODGE_OP_VMOV_LOW || insn->op == LODGE_OP_VMOV_HIGH) {
		at = insn->op == LODGE_OP_VMOV_HIGH ? 8 : 0;
		em->ops->fpu_read(em, insn->dst.reg, val, 16);
	}
	ret = lodge_memory_read(em, insn->segment, insn->ea, size, val + at);
	if (ret)
		return ret;
	em->ops->fpu_write(em, insn->dst.reg, val, insn->prefixes & LODGE_PREFIX_VEX ? 32 : 16);
	lodge_emulate_skip(em);
	return EMULATE_DONE;
}

static enum lodge_emulate_result vector_store(struct lodge_emulate *em, unsigned int size)
{
	struct lodge_insn *insn = &em->insn;
	enum lodge_emulate_result ret;
	u8 val[LODGE_EMULATE_VECTOR];

	em->ops->fpu_read(em, insn->src.reg, val, size == 32 ? 32 : 16);
	ret = lodge_memory_write(em, insn->segment, insn->ea, size,
				 val + (insn->op == LODGE_OP_VMOV_HIGH ? 8 : 0));
	if (ret <= EMULATE_IO)
		lodge_emulate_skip(em);
	return ret;
}

enum lodge_emulate_result lodge_vector_execute(struct lodge_emulate *em)
{
	unsigned int size = vector_size(&em->insn);
	enum lodge_emulate_result ret;

	ret = vector_check(em);
	if (!ret)
		ret = vector_check_alignment(em, size);
	if (ret)
		return ret;
	if (em->insn.dst.kind == LODGE_OPERAND_VECTOR)
		return vector_load(em, size);
	return vector_store(em, size);
}
