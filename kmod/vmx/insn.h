/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The VMX instructions. Each has an exception-table entry: with VMX switched off behind lodge's back they raise #UD,
 * which must not end the host. A read then gives 0 and a write is lost; the next entry finds out and ends the VM.
 * Interrupts are off, so that no other VMCS becomes current in between. SDM 3, chapter 31.
 */
#ifndef LODGE_VMX_INSN_H
#define LODGE_VMX_INSN_H

#include <linux/types.h>
#include <asm/asm.h>

void vmx_write_refused(unsigned long field, u64 value);	/* vmcs.c: no such field here */

static __always_inline u64 vmcs_read(unsigned long field)
{
	u64 value;

	asm volatile("xor %k0, %k0\n"
		     "1: vmread %1, %0\n"
		     "2:\n"
		     _ASM_EXTABLE(1b, 2b)
		     : "=&r" (value) : "r" (field) : "cc", "memory");
	return value;
}

static __always_inline void vmcs_write(unsigned long field, u64 value)
{
	asm goto("1: vmwrite %1, %0\n\t"
		 "jbe %l[refused]\n"
		 _ASM_EXTABLE(1b, %l[lost])
		 : : "r" (field), "rm" (value) : "cc", "memory" : refused, lost);
	return;
refused:
	vmx_write_refused(field, value);
lost:
	return;
}

/* Each of the rest: whether it succeeded. */
static __always_inline bool vmx_vmptrld(u64 pa)
{
	asm goto("1: vmptrld %0\n\t"
		 "jbe %l[failed]\n"
		 _ASM_EXTABLE(1b, %l[failed])
		 : : "m" (pa) : "cc", "memory" : failed);
	return true;
failed:
	return false;
}

static __always_inline bool vmx_vmclear(u64 pa)
{
	asm goto("1: vmclear %0\n\t"
		 "jbe %l[failed]\n"
		 _ASM_EXTABLE(1b, %l[failed])
		 : : "m" (pa) : "cc", "memory" : failed);
	return true;
failed:
	return false;
}

/* The current VMCS's address, all ones when there is none. */
static __always_inline u64 vmx_vmptrst(void)
{
	u64 pa = ~0ULL;

	asm volatile("1: vmptrst %0\n"
		     "2:\n"
		     _ASM_EXTABLE(1b, 2b)
		     : "+m" (pa) : : "cc", "memory");
	return pa;
}

static __always_inline bool vmx_invept(unsigned long type, u64 eptp)
{
	struct { u64 eptp, zero; } operand = { eptp, 0 };

	asm goto("1: invept %1, %0\n\t"
		 "jbe %l[failed]\n"
		 _ASM_EXTABLE(1b, %l[failed])
		 : : "r" (type), "m" (operand) : "cc", "memory" : failed);
	return true;
failed:
	return false;
}

static __always_inline bool vmx_invvpid(unsigned long type, u16 vpid)
{
	struct { u64 vpid, address; } operand = { vpid, 0 };

	asm goto("1: invvpid %1, %0\n\t"
		 "jbe %l[failed]\n"
		 _ASM_EXTABLE(1b, %l[failed])
		 : : "r" (type), "m" (operand) : "cc", "memory" : failed);
	return true;
failed:
	return false;
}

#endif
