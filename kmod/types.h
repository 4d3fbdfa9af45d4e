/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The address kinds. Each has a type of its own name, so that a prototype says
 * which space an address lives in.
 */
#ifndef LODGE_TYPES_H
#define LODGE_TYPES_H

#include <linux/types.h>

/* Some of the kernel's headers have the same names: the types must be the same as well. */
typedef u64 gpa_t;		/* guest physical address */
typedef unsigned long gva_t;	/* guest virtual (linear) address */
typedef u64 gfn_t;		/* guest frame number: gpa >> 12 */
typedef u64 hpa_t;		/* host physical address */
typedef u64 hfn_t;		/* host frame number: hpa >> 12 */
typedef unsigned long hva_t;	/* host virtual address in the VMM's mm */

struct lodge_vm;
struct lodge_vcpu;

/* The general-purpose registers in the order of their encoding. */
enum lodge_gpr {
	LODGE_RAX, LODGE_RCX, LODGE_RDX, LODGE_RBX,
	LODGE_RSP, LODGE_RBP, LODGE_RSI, LODGE_RDI,
	LODGE_R8, LODGE_R9, LODGE_R10, LODGE_R11,
	LODGE_R12, LODGE_R13, LODGE_R14, LODGE_R15,
	LODGE_NR_GPRS,
};

/* The segment registers in the order of their encoding, then the two system ones. */
enum lodge_segment {
	LODGE_ES, LODGE_CS, LODGE_SS, LODGE_DS, LODGE_FS, LODGE_GS,
	LODGE_TR, LODGE_LDTR,
	LODGE_NR_SEGMENTS,
};

/* How guest memory is touched: the bits of an access. */
#define LODGE_ACCESS_READ	BIT(0)
#define LODGE_ACCESS_WRITE	BIT(1)
#define LODGE_ACCESS_EXEC	BIT(2)
#define LODGE_ACCESS_USER	BIT(3)	/* by code at CPL 3, not an implicit supervisor access */

/* How the CPU fetches the guest's code: linear address = @base + RIP, cut to 32 bits unless @width is 8. */
struct lodge_code {
	u64 base;
	u8 width;	/* 2, 4 or 8: the code segment's default size */
	u8 cpl;
};

/* What an exit handler says: go on, return to user space, or a negative errno. */
enum lodge_exit_result {
	LODGE_EXIT_USER = 0,
	LODGE_EXIT_RESUME = 1,
	LODGE_EXIT_DEFER = 2,	/* vcpu->deferred must run where it may sleep */
	LODGE_EXIT_LEAVE = 3,	/* leave the section, see what the host wants, then go on */
};

#endif
