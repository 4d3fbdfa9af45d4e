/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of emulate/ share among themselves: the flags of a decoded
 * instruction, exceptions, general registers, and access to memory operands.
 */
#ifndef LODGE_EMULATE_INTERNAL_H
#define LODGE_EMULATE_INTERNAL_H

#include <linux/bug.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "emulate.h"

/* Flags of a table row, kept in insn->flags. */
#define ROW_MODRM	BIT(0)
#define ROW_BYTE	BIT(1)	/* operands of one byte */
#define ROW_LOCK	BIT(2)	/* LOCK is valid with a memory destination */
#define ROW_IMM8	BIT(3)	/* sign-extended byte; with ROW_IMM: a zero-extended word */
#define ROW_IMM	BIT(4)	/* word or doubleword by operand size */
#define ROW_D64	BIT(5)	/* 64-bit operands by default in 64-bit code */
#define ROW_I64	BIT(6)	/* invalid in 64-bit code */
#define ROW_O64	BIT(7)	/* another instruction outside 64-bit code */
#define ROW_STRING	BIT(8)
#define ROW_TWO	BIT(9)	/* touches memory in two places: em->hint_gpa could be either */
#define ROW_MEMORY	BIT(10)	/* the register form is another instruction or none */
#define ROW_REGISTER	BIT(11)	/* ModRM.mod is ignored */
#define ROW_BRANCH	BIT(12)	/* near branch */
#define ROW_VEX	BIT(13)	/* has a VEX form */
#define ROW_GROUP	BIT(14)
#define ROW_PREFIXED	BIT(15)
#define ROW_PREFIX	BIT(16)
#define ROW_SIZES	BIT(17)	/* operand sizes that the usual rules do not give */

#define REX_B		BIT(0)
#define REX_X		BIT(1)
#define REX_R		BIT(2)
#define REX_W		BIT(3)

#define FLAG_CF		BIT(0)
#define FLAG_PF		BIT(2)
#define FLAG_AF		BIT(4)
#define FLAG_ZF		BIT(6)
#define FLAG_SF		BIT(7)
#define FLAG_TF		BIT(8)
#define FLAG_DF		BIT(10)
#define FLAG_OF		BIT(11)
#define FLAG_IOPL_SHIFT	12
#define FLAG_RF		BIT(16)
#define FLAG_VM		BIT(17)
#define FLAG_AC		BIT(18)
#define FLAGS_STATUS	(FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF)

#define CONTROL_CR0_PE		BIT(0)
#define CONTROL_CR0_EM		BIT(2)
#define CONTROL_CR0_TS		BIT(3)
#define CONTROL_CR0_AM		BIT(18)
#define CONTROL_CR4_OSFXSR	BIT(9)
#define CONTROL_CR4_LA57	BIT(12)
#define CONTROL_CR4_OSXSAVE	BIT(18)
#define CONTROL_EFER_LMA	BIT(10)
#define CONTROL_XCR0_AVX	(BIT(1) | BIT(2))

#define VECTOR_UD	6
#define VECTOR_NM	7
#define VECTOR_SS	12
#define VECTOR_GP	13
#define VECTOR_AC	17

#define GUEST_PAGE	4096ul

/* A memory operand, checked and translated. */
struct memory_span {
	gpa_t gpa[2];
	unsigned int len[2];	/* len[1] is 0 unless it crosses a page */
};

static inline enum lodge_emulate_result emulate_fault(struct lodge_emulate *em, u8 vector)
{
	em->fault.vector = vector;
	em->fault.has_error = false;
	em->fault.error = 0;
	return EMULATE_FAULT;
}

/* Faults with an error code of 0; real mode pushes none. APM 2, 8.2. */
static inline enum lodge_emulate_result emulate_fault_zero(struct lodge_emulate *em, u8 vector)
{
	emulate_fault(em, vector);
	em->fault.has_error = em->mode != LODGE_MODE_REAL;
	return EMULATE_FAULT;
}

static inline u64 size_mask(unsigned int size)
{
	return ~0ull >> (64 - 8 * size);
}

static inline u64 size_sign_extend(u64 val, unsigned int size)
{
	unsigned int shift = 64 - 8 * size;

	return (u64)((s64)(val << shift) >> shift);
}

/*
 * Values of up to 8 bytes are u64s, zero above their size: host and guest are both
 * little-endian, so that the first bytes of a u64 are the operand as it is in memory.
 */
static inline u8 *value_bytes(u64 *val)
{
	return (u8 *)val;
}

static inline bool address_is_canonical(const struct lodge_emulate *em, u64 addr)
{
	unsigned int shift = em->cr4 & CONTROL_CR4_LA57 ? 64 - 57 : 64 - 48;

	return (u64)((s64)(addr << shift) >> shift) == addr;
}

/* Write part of a register as the CPU does: 4 bytes clear the upper half, 1 and 2 leave the rest. */
static inline void gpr_write(struct lodge_emulate *em, unsigned int reg, u64 val, unsigned int size)
{
	u64 *gpr = &em->gprs[reg];

	if (size == 8)
		*gpr = val;
	else if (size == 4)
		*gpr = (u32)val;
	else
		*gpr = (*gpr & ~size_mask(size)) | (val & size_mask(size));
}

/* Address registers: as gpr_write(), cut to the address or stack size. */
static inline void gpr_add(struct lodge_emulate *em, unsigned int reg, u64 delta, unsigned int size)
{
	gpr_write(em, reg, em->gprs[reg] + delta, size);
}

static inline struct lodge_emulate_segment *segment_get(struct lodge_emulate *em, unsigned int segment)
{
	if (!(em->segments_valid & BIT(segment))) {
		em->ops->load_segment(em, segment);
		em->segments_valid |= BIT(segment);
	}
	return &em->segments[segment];
}

/* execute.c: before each attempt; and when no earlier one is to be gone on with */
void lodge_emulate_begin(struct lodge_emulate *em);
void lodge_emulate_drop(struct lodge_emulate *em);

/* operand.c */
enum lodge_emulate_result lodge_insn_fetch(struct lodge_emulate *em, unsigned int need);
enum lodge_emulate_result lodge_span_linearize(struct lodge_emulate *em, unsigned int segment, u64 ea,
					       unsigned int len, bool write, gva_t *linear);
enum lodge_emulate_result lodge_span_prepare(struct lodge_emulate *em, unsigned int segment, u64 ea,
					     unsigned int len, u32 access, struct memory_span *span);
enum lodge_emulate_result lodge_span_read(struct lodge_emulate *em, const struct memory_span *span, u8 *buf);
enum lodge_emulate_result lodge_span_write(struct lodge_emulate *em, const struct memory_span *span,
					   const u8 *buf);
enum lodge_emulate_result lodge_span_exchange(struct lodge_emulate *em, const struct memory_span *span,
					      const u8 *old, const u8 *new);
enum lodge_emulate_result lodge_span_continue(struct lodge_emulate *em);
enum lodge_emulate_result lodge_memory_read(struct lodge_emulate *em, unsigned int segment, u64 ea,
					    unsigned int len, u8 *buf);
enum lodge_emulate_result lodge_memory_write(struct lodge_emulate *em, unsigned int segment, u64 ea,
					     unsigned int len, const u8 *buf);
enum lodge_emulate_result lodge_memory_load(struct lodge_emulate *em, unsigned int segment, u64 ea,
					    unsigned int len, u64 *val);
enum lodge_emulate_result lodge_operand_read(struct lodge_emulate *em, const struct lodge_operand *operand,
					     unsigned int size, u64 *val);
enum lodge_emulate_result lodge_operand_write(struct lodge_emulate *em, const struct lodge_operand *operand,
					      unsigned int size, u64 val);

/* alu.c */
u64 lodge_alu_compute(unsigned int op, unsigned int size, u64 dst, u64 src, u64 *rflags);
u64 lodge_alu_shift(unsigned int op, unsigned int size, u64 dst, unsigned int count, u64 *rflags);
u64 lodge_alu_shift_double(bool right, unsigned int size, u64 dst, u64 src, unsigned int count, u64 *rflags);
u64 lodge_alu_multiply(unsigned int size, u64 a, u64 b, bool is_signed, u64 *high, u64 *rflags);
bool lodge_alu_condition(unsigned int condition, u64 rflags);

/* modify.c, string.c, vector.c, stack.c */
enum lodge_emulate_result lodge_modify_execute(struct lodge_emulate *em);
enum lodge_emulate_result lodge_string_execute(struct lodge_emulate *em);
enum lodge_emulate_result lodge_vector_execute(struct lodge_emulate *em);
enum lodge_emulate_result lodge_stack_execute(struct lodge_emulate *em);

#endif
