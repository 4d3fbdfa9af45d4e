/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The few moves with which drivers touch device registers, decoded in a few dozen instructions: MOV and MOVZX
 * between a register (or an immediate) and memory, in 32- and 64-bit code. Whatever else there is, is left to the
 * emulator proper, and so is every doubt. Pure, no locks.
 */
#ifndef LODGE_EMULATE_QUICK_H
#define LODGE_EMULATE_QUICK_H

#include "../types.h"

/**
 * struct lodge_quick - such a move
 * @length: bytes of the instruction
 * @size: bytes in memory: 1, 2, 4 or 8
 * @reg_size: bytes of the register that a load writes: as @size, or more for MOVZX; 4 clears the upper half
 * @reg: enum lodge_gpr
 * @write: to memory
 * @has_imm: what is written is @imm, not the register
 * @segment: that the address is relative to, outside 64-bit code
 * @width: of the code
 * @has_base, @base, @has_index, @index, @scale, @relative, @displacement: what the address is made of
 * @value: for whoever executes it
 */
struct lodge_quick {
	u8 length;
	u8 size;
	u8 reg_size;
	u8 reg;
	bool write;
	bool has_imm;
	u8 segment;
	u8 width;
	bool has_base, has_index, relative;
	u8 base, index, scale;
	u64 displacement;
	u64 imm;
	u64 value;
};

/* Bytes that lodge_quick_decode() may look at. */
#define LODGE_QUICK_BYTES	16

/**
 * lodge_quick_decode() - decode the instruction if it is one of these
 * @bytes: LODGE_QUICK_BYTES bytes of code
 * @width: 4 or 8, the code segment's; other code has no quick moves
 * Return: false: ask lodge_emulate_decode(). @bytes and @width alone decide.
 */
bool lodge_quick_decode(struct lodge_quick *quick, const u8 *bytes, unsigned int width);

/**
 * lodge_quick_address() - where in its segment a move's memory is
 * @gprs, @rip: of the guest
 */
static inline u64 lodge_quick_address(const struct lodge_quick *quick, const u64 *gprs, u64 rip)
{
	u64 ea = quick->displacement;

	if (quick->has_base)
		ea += gprs[quick->base];
	if (quick->has_index)
		ea += gprs[quick->index] << quick->scale;
	if (quick->width != 8)
		return (u32)ea;
	return quick->relative ? ea + rip + quick->length : ea;
}

/* What a load leaves in its register. */
static inline void lodge_quick_load(const struct lodge_quick *quick, u64 *gprs, u64 value)
{
	u64 *reg = &gprs[quick->reg];

	if (quick->reg_size >= 4)
		*reg = value;
	else if (quick->reg_size == 2)
		*reg = (*reg & ~0xffffULL) | (u16)value;
	else
		*reg = (*reg & ~0xffULL) | (u8)value;
}

#endif
