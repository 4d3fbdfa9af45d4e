/* SPDX-License-Identifier: GPL-2.0-only */
/* The instruction forms that are compared with the CPU. */
#ifndef UNIT_EMULATE_FORMS_H
#define UNIT_EMULATE_FORMS_H

#include <linux/bits.h>
#include <linux/types.h>

#define FORM_BYTE	BIT(0)	/* byte operand: no size prefixes are tried */
#define FORM_FIXED	BIT(1)	/* its own prefixes decide: no size prefixes are tried */
#define FORM_NO16	BIT(2)	/* not with prefix 66 */
#define FORM_LOCK	BIT(3)	/* LOCK is tried too */
#define FORM_STRING	BIT(4)
#define FORM_REP	BIT(5)	/* REP and REPNE are tried too */
#define FORM_COMPARES	BIT(6)	/* REP ends by ZF */
#define FORM_MOFFS	BIT(7)
#define FORM_NOMODRM	BIT(8)
#define FORM_XLAT	BIT(9)
#define FORM_BITS	BIT(10)	/* register bit offset */
#define FORM_ACC_MATCH	BIT(11)	/* rAX often equals memory */
#define FORM_ACC2_MATCH	BIT(12)	/* rDX:rAX too */
#define FORM_ALIGNED	BIT(13)
#define FORM_TARGET	BIT(14)	/* memory holds the way back: CALL and JMP */
#define FORM_RETURNS	BIT(15)	/* the stack holds it */
#define FORM_VEX	BIT(16)	/* the bytes are a VEX prefix and opcode; R, X, B are filled in */
#define FORM_ONLY64	BIT(17)
#define FORM_NOT64	BIT(18)
#define FORM_SHIFT	BIT(19)	/* undefined flags by count */
#define FORM_ROTATE	BIT(20)
#define FORM_SHIFT2	BIT(21)
#define FORM_STACK	BIT(23)	/* operand size is 64 by default */

struct emulate_form {
	const char *name;
	u8 bytes[6];		/* mandatory prefix, escape, opcode */
	u8 nbytes;
	s8 digit;		/* ModRM.reg, or -1: a register */
	s8 imm;			/* bytes of immediate; 4: 2 with prefix 66 */
	u32 flags;
	u32 undefined;		/* status flags that are */
};

extern const struct emulate_form emulate_forms[];
extern const unsigned int emulate_nr_forms;

#endif
