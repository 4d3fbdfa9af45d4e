// SPDX-License-Identifier: GPL-2.0-only
/*
 * Arithmetic and logic: results and status flags as the CPU gives them. The
 * instructions that use them are in modify.c, string.c and execute.c. Flags that
 * the manuals leave undefined get the value that AMD's CPUs give where that is
 * simple, else keep their old one. No locks.
 */
#include "emulate_internal.h"

static bool parity_is_even(u8 val)
{
	val ^= val >> 4;
	return !((0x6996 >> (val & 0xf)) & 1);
}

static u64 flags_of_result(u64 result, unsigned int size)
{
	u64 flags = 0;

	if (!(result & size_mask(size)))
		flags |= FLAG_ZF;
	if (result >> (8 * size - 1) & 1)
		flags |= FLAG_SF;
	if (parity_is_even(result))
		flags |= FLAG_PF;
	return flags;
}

static u64 alu_add(unsigned int size, u64 dst, u64 src, unsigned int carry, u64 *flags)
{
	u64 result = (dst + src + carry) & size_mask(size);

	*flags = flags_of_result(result, size);
	if (result < dst || (carry && result == dst))
		*flags |= FLAG_CF;
	if ((dst ^ src ^ result) & 0x10)
		*flags |= FLAG_AF;
	if (((dst ^ result) & (src ^ result)) >> (8 * size - 1) & 1)
		*flags |= FLAG_OF;
	return result;
}

static u64 alu_subtract(unsigned int size, u64 dst, u64 src, unsigned int borrow, u64 *flags)
{
	u64 result = (dst - src - borrow) & size_mask(size);

	*flags = flags_of_result(result, size);
	if (dst < src || (borrow && dst == src))
		*flags |= FLAG_CF;
	if ((dst ^ src ^ result) & 0x10)
		*flags |= FLAG_AF;
	if (((dst ^ src) & (dst ^ result)) >> (8 * size - 1) & 1)
		*flags |= FLAG_OF;
	return result;
}

/* The two-operand operations, and those of one operand with @src ignored. */
u64 lodge_alu_compute(unsigned int op, unsigned int size, u64 dst, u64 src, u64 *rflags)
{
	unsigned int carry = *rflags & FLAG_CF;
	u64 flags = 0, keep = 0, result;

	switch (op) {
	case LODGE_OP_ADD:
	case LODGE_OP_XADD:
		result = alu_add(size, dst, src, 0, &flags);
		break;
	case LODGE_OP_ADC:
		result = alu_add(size, dst, src, carry, &flags);
		break;
	case LODGE_OP_SBB:
		result = alu_subtract(size, dst, src, carry, &flags);
		break;
	case LODGE_OP_SUB:
	case LODGE_OP_CMP:
		result = alu_subtract(size, dst, src, 0, &flags);
		break;
	case LODGE_OP_INC:
		result = alu_add(size, dst, 1, 0, &flags);
		keep = FLAG_CF;
		break;
	case LODGE_OP_DEC:
		result = alu_subtract(size, dst, 1, 0, &flags);
		keep = FLAG_CF;
		break;
	case LODGE_OP_NEG:
		result = alu_subtract(size, 0, dst, 0, &flags);
		break;
	case LODGE_OP_NOT:
		return ~dst & size_mask(size);
	case LODGE_OP_OR:
		result = dst | src;
		flags = flags_of_result(result, size);
		break;
	case LODGE_OP_XOR:
		result = dst ^ src;
		flags = flags_of_result(result, size);
		break;
	default:	/* AND, TEST */
		result = dst & src;
		flags = flags_of_result(result, size);
	}
	*rflags = (*rflags & ~(FLAGS_STATUS & ~keep)) | (flags & ~keep);
	return result;
}

static void flags_set_cf_of(u64 *rflags, bool cf, bool of)
{
	*rflags &= ~(FLAG_CF | FLAG_OF);
	*rflags |= (cf ? FLAG_CF : 0) | (of ? FLAG_OF : 0);
}

/* ROL, ROR, RCL, RCR: CF and OF alone change. @count is 1 to 63, not reduced. */
static u64 alu_rotate(unsigned int op, unsigned int size, u64 dst, unsigned int count, u64 *rflags)
{
	unsigned int bits = 8 * size, n;
	bool carry = *rflags & FLAG_CF, out;
	u64 mask = size_mask(size), result = dst;

	switch (op) {
	case LODGE_OP_ROL:
		n = count % bits;
		if (n)
			result = (dst << n | dst >> (bits - n)) & mask;
		carry = result & 1;
		break;
	case LODGE_OP_ROR:
		n = count % bits;
		if (n)
			result = (dst >> n | dst << (bits - n)) & mask;
		carry = result >> (bits - 1) & 1;
		break;
	case LODGE_OP_RCL:
		for (n = count % (bits + 1); n; n--) {
			out = result >> (bits - 1) & 1;
			result = (result << 1 | carry) & mask;
			carry = out;
		}
		break;
	default:
		for (n = count % (bits + 1); n; n--) {
			out = result & 1;
			result = result >> 1 | (u64)carry << (bits - 1);
			carry = out;
		}
	}
	if (op == LODGE_OP_ROL || op == LODGE_OP_RCL)
		flags_set_cf_of(rflags, carry, (result >> (bits - 1) & 1) ^ carry);
	else
		flags_set_cf_of(rflags, carry, (result >> (bits - 1) ^ result >> (bits - 2)) & 1);
	return result;
}

/* @count as the instruction gives it; APM 3 masks it to 5 bits, 6 with 64-bit operands. */
u64 lodge_alu_shift(unsigned int op, unsigned int size, u64 dst, unsigned int count, u64 *rflags)
{
	unsigned int bits = 8 * size;
	u64 mask = size_mask(size), result, wide;
	bool carry, overflow;

	count &= size == 8 ? 0x3f : 0x1f;
	if (!count)
		return dst;
	if (op < LODGE_OP_SHL)
		return alu_rotate(op, size, dst, count, rflags);

	switch (op) {
	case LODGE_OP_SHR:
		result = dst >> count;
		carry = dst >> (count - 1) & 1;
		overflow = dst >> (bits - 1) & 1;
		break;
	case LODGE_OP_SAR:
		wide = size_sign_extend(dst, size);
		result = (u64)((s64)wide >> count) & mask;
		carry = (u64)((s64)wide >> (count - 1)) & 1;
		overflow = false;
		break;
	default:
		result = dst << count & mask;
		carry = count <= bits && dst >> (bits - count) & 1;
		overflow = (result >> (bits - 1) & 1) ^ carry;
	}
	*rflags &= ~FLAGS_STATUS;
	*rflags |= flags_of_result(result, size);
	flags_set_cf_of(rflags, carry, overflow);
	return result;
}

/* SHLD and SHRD. With 16-bit operands and a count above 16 the result is undefined: @src wraps in. */
u64 lodge_alu_shift_double(bool right, unsigned int size, u64 dst, u64 src, unsigned int count, u64 *rflags)
{
	unsigned int bits = 8 * size;
	u64 result = dst, feed = src;
	bool carry = false, sign = dst >> (bits - 1) & 1;

	count &= size == 8 ? 0x3f : 0x1f;
	if (!count)
		return dst;
	while (count--) {
		if (right) {
			carry = result & 1;
			result = result >> 1 | (feed & 1) << (bits - 1);
			feed = feed >> 1 | (feed & 1) << (bits - 1);
		} else {
			carry = result >> (bits - 1) & 1;
			result = (result << 1 | (feed >> (bits - 1) & 1)) & size_mask(size);
			feed = (feed << 1 | (feed >> (bits - 1) & 1)) & size_mask(size);
		}
	}
	*rflags &= ~FLAGS_STATUS;
	*rflags |= flags_of_result(result, size);
	flags_set_cf_of(rflags, carry, (result >> (bits - 1) & 1) != sign);
	return result;
}

/* Low half of the product; CF and OF say whether the high half holds more than an extension of it. */
u64 lodge_alu_multiply(unsigned int size, u64 a, u64 b, bool is_signed, u64 *high, u64 *rflags)
{
	unsigned __int128 product;
	bool overflow;
	u64 low;

	if (is_signed)
		product = (unsigned __int128)((__int128)(s64)size_sign_extend(a, size) *
					      (s64)size_sign_extend(b, size));
	else
		product = (unsigned __int128)a * b;
	low = (u64)product & size_mask(size);
	*high = (u64)(product >> (8 * size)) & size_mask(size);
	if (is_signed)
		overflow = *high != (low >> (8 * size - 1) & 1 ? size_mask(size) : 0);
	else
		overflow = *high;
	flags_set_cf_of(rflags, overflow, overflow);
	return low;
}

/* The condition codes of SETcc and CMOVcc. APM 3, table 1-26. */
bool lodge_alu_condition(unsigned int condition, u64 rflags)
{
	bool met, less = !(rflags & FLAG_SF) != !(rflags & FLAG_OF);

	switch (condition >> 1 & 7) {
	case 0:
		met = rflags & FLAG_OF;
		break;
	case 1:
		met = rflags & FLAG_CF;
		break;
	case 2:
		met = rflags & FLAG_ZF;
		break;
	case 3:
		met = rflags & (FLAG_CF | FLAG_ZF);
		break;
	case 4:
		met = rflags & FLAG_SF;
		break;
	case 5:
		met = rflags & FLAG_PF;
		break;
	case 6:
		met = less;
		break;
	default:
		met = less || rflags & FLAG_ZF;
	}
	return met != (condition & 1);
}
