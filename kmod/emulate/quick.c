// SPDX-License-Identifier: GPL-2.0-only
/*
 * Quick moves: see quick.h. The encodings are those of APM 3, 1.2 to 1.4 and its appendix A; the tests hold every
 * answer against lodge_emulate_decode().
 */
#include <linux/bits.h>
#include <linux/string.h>

#include "quick.h"

#define REX_W	BIT(3)

static u32 quick_dword(const u8 *bytes)
{
	u32 value;

	memcpy(&value, bytes, sizeof(value));
	return value;
}

/* The opcode at @op: 0, or 1 + the bytes of a second one. Sizes are filled but for what REX.W and 66 say. */
static unsigned int quick_opcode(struct lodge_quick *quick, const u8 *op, u8 wide)
{
	quick->size = wide;
	switch (*op) {
	case 0x8a:
		quick->size = 1;
		break;
	case 0x8b:
		break;
	case 0x88:
		quick->size = 1;
		quick->write = true;
		break;
	case 0x89:
		quick->write = true;
		break;
	case 0xc6:
		quick->size = 1;
		quick->write = true;
		quick->has_imm = true;
		break;
	case 0xc7:
		quick->write = true;
		quick->has_imm = true;
		break;
	case 0x0f:
		if ((op[1] & 0xfe) != 0xb6)
			return 0;
		quick->size = op[1] & 1 ? 2 : 1;
		quick->reg_size = wide;
		return 2;
	default:
		return 0;
	}
	quick->reg_size = quick->size;
	return 1;
}

/* The address that ModRM, SIB and displacement at @at give; the bytes they take, or 0 when there is none. */
static unsigned int quick_modrm(struct lodge_quick *quick, const u8 *at, u8 rex)
{
	unsigned int mod = at[0] >> 6, base = at[0] & 7, n = 1;

	if (mod == 3)
		return 0;
	if (base == 4) {
		quick->index = ((at[1] >> 3) & 7) | (rex & 2) << 2;
		quick->scale = at[1] >> 6;
		quick->has_index = quick->index != LODGE_RSP;
		base = at[1] & 7;
		n = 2;
	} else if (base == 5 && !mod) {
		quick->relative = true;		/* in 64-bit code; else an offset alone */
	}
	if (base == 5 && !mod) {
		mod = 2;
	} else {
		/* R12 and R13 are not RSP and RBP. */
		if ((base == LODGE_RSP || base == LODGE_RBP) && !(rex & 1))
			quick->segment = LODGE_SS;
		quick->has_base = true;
		quick->base = base | (rex & 1) << 3;
	}
	if (mod == 1) {
		quick->displacement = (s64)(s8)at[n];
		n += 1;
	} else if (mod == 2) {
		quick->displacement = (s64)(s32)quick_dword(at + n);
		n += 4;
	}
	return n;
}

/* MOV between AL, AX, EAX or RAX and an address of 4 or 8 bytes in the instruction. */
static unsigned int quick_absolute(struct lodge_quick *quick, const u8 *op, unsigned int width, u8 wide)
{
	quick->reg = LODGE_RAX;
	quick->write = *op & 2;
	quick->size = *op & 1 ? wide : 1;
	quick->reg_size = quick->size;
	if (width == 8)
		memcpy(&quick->displacement, op + 1, 8);
	else
		quick->displacement = quick_dword(op + 1);
	return 1 + width;
}

bool lodge_quick_decode(struct lodge_quick *quick, const u8 *bytes, unsigned int width)
{
	const u8 *at = bytes;
	unsigned int n;
	u8 rex = 0, wide = 4;

	*quick = (struct lodge_quick){ .segment = LODGE_DS, .width = width };
	if (*at == 0x66) {
		wide = 2;
		at++;
	}
	if (width == 8 && (*at & 0xf0) == 0x40) {
		rex = *at++;
		if (rex & REX_W)
			wide = 8;
	} else if (width == 2) {
		return false;
	}
	if ((*at & 0xfc) == 0xa0) {
		quick->length = at - bytes + quick_absolute(quick, at, width, wide);
		return true;
	}
	n = quick_opcode(quick, at, wide);
	if (!n)
		return false;
	at += n;

	quick->reg = ((at[0] >> 3) & 7) | (rex & 4) << 1;
	if (quick->has_imm && quick->reg)
		return false;		/* not /0; with REX.R rare enough */
	/* A loaded RSP would have to be told to the hardware. */
	if (quick->reg == LODGE_RSP && !quick->write)
		return false;
	/* AH, CH, DH and BH. */
	if (quick->reg_size == 1 || (quick->size == 1 && quick->write))
		if (!rex && quick->reg >= 4)
			return false;
	n = quick_modrm(quick, at, rex);
	if (!n)
		return false;
	at += n;

	if (quick->has_imm) {
		if (quick->size == 1) {
			quick->imm = *at++;
		} else if (quick->size == 2) {
			quick->imm = quick_dword(at) & 0xffff;
			at += 2;
		} else {
			quick->imm = (s64)(s32)quick_dword(at);
			at += 4;
		}
	}
	quick->length = at - bytes;	/* 13 at most: 66, REX, C7, ModRM, SIB, two times four */
	return true;
}
