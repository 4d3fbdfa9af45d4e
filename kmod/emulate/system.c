// SPDX-License-Identifier: GPL-2.0-only
/*
 * For instructions that exit and are executed elsewhere: how long they are, where
 * their operands lie, and how to read and write those. No locks.
 */
#include "emulate_internal.h"

enum lodge_emulate_result lodge_emulate_source(struct lodge_emulate *em, u64 *val)
{
	enum lodge_emulate_result ret;

	ret = lodge_operand_read(em, &em->insn.src, em->insn.size, val);
	if (ret != EMULATE_IO)
		return ret;
	lodge_emulate_drop(em);
	return EMULATE_UNHANDLED;
}

enum lodge_emulate_result lodge_emulate_store(struct lodge_emulate *em, u64 val)
{
	enum lodge_emulate_result ret;

	ret = lodge_operand_write(em, &em->insn.dst, em->insn.size, val);
	if (ret <= EMULATE_IO)
		lodge_emulate_skip(em);
	return ret;
}

gva_t lodge_emulate_address(struct lodge_emulate *em)
{
	gva_t linear = em->insn.ea;

	if (em->mode != LODGE_MODE_LONG)
		return (u32)(linear + segment_get(em, em->insn.segment)->base);
	if (em->insn.segment >= LODGE_FS)
		linear += segment_get(em, em->insn.segment)->base;
	return linear;
}

/* Prefixes that such an instruction may carry without another meaning; LOCK is not among them. */
static bool prefix_is_redundant(u8 byte)
{
	switch (byte) {
	case 0x26:
	case 0x2e:
	case 0x36:
	case 0x3e:
	case 0x64 ... 0x67:
	case 0xf2:
	case 0xf3:
		return true;
	default:
		return false;
	}
}

/* Bytes from the opcode on that are known to be a whole instruction without operands in ModRM. */
static unsigned int opcode_length(const u8 *bytes, unsigned int n, bool rep)
{
	switch (bytes[0]) {
	case 0xf4:		/* HLT */
	case 0xcc:		/* INT3 */
	case 0xcf:		/* IRET */
	case 0xf1:		/* INT1 */
		return 1;
	case 0x90:		/* PAUSE is F3 90 */
		return rep ? 1 : 0;
	case 0xcd:		/* INTn */
		return n >= 2 ? 2 : 0;
	case 0x0f:
		break;
	default:
		return 0;
	}
	if (n < 2)
		return 0;
	switch (bytes[1]) {
	case 0x06:		/* CLTS */
	case 0x08:		/* INVD */
	case 0x09:		/* WBINVD */
	case 0x30 ... 0x33:	/* WRMSR, RDTSC, RDMSR, RDPMC */
	case 0xa2:		/* CPUID */
	case 0xaa:		/* RSM */
		return 2;
	case 0x20 ... 0x23:	/* MOV to and from CR and DR: ModRM.mod is ignored */
		return n >= 3 ? 3 : 0;
	case 0x01:
		break;
	default:
		return 0;
	}
	if (n < 3)
		return 0;
	switch (bytes[2]) {
	case 0xc1:		/* VMCALL */
	case 0xc8:		/* MONITOR */
	case 0xc9:		/* MWAIT */
	case 0xd1:		/* XSETBV */
	case 0xd9:		/* VMMCALL */
	case 0xf9:		/* RDTSCP */
		return 3;
	default:
		return 0;
	}
}

unsigned int lodge_emulate_skip_length(const u8 *bytes, unsigned int n, unsigned int width)
{
	unsigned int i, length;
	bool rep = false;

	n = min_t(unsigned int, n, LODGE_INSN_MAX);
	for (i = 0; i < n && prefix_is_redundant(bytes[i]); i++)
		rep = bytes[i] == 0xf3 || (rep && bytes[i] != 0xf2);
	/* A REX before another prefix is void but legal; only 64-bit code has it. */
	while (width == 8 && i < n && bytes[i] >> 4 == 4) {
		for (i++; i < n && prefix_is_redundant(bytes[i]); i++)
			rep = bytes[i] == 0xf3 || (rep && bytes[i] != 0xf2);
	}
	if (i == n)
		return 0;
	length = opcode_length(bytes + i, n - i, rep);
	return length ? i + length : 0;
}
