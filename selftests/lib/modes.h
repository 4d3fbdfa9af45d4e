/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Putting a vCPU into an operating mode: page tables, descriptor tables and
 * segment registers for real mode, 32-bit protected mode without and with
 * paging, and 64-bit long mode; and pieces of 16/32-bit guest code.
 */
#ifndef LODGE_SELFTEST_MODES_H
#define LODGE_SELFTEST_MODES_H

#include "vm.h"

enum guest_mode {
	MODE_REAL16,
	MODE_PROT32,	/* flat, paging off */
	MODE_PAGED32,	/* flat, 4 MiB pages, one to one */
	MODE_LONG64,	/* 2 MiB pages, the low 4 GiB one to one */
	NR_MODES,
};

extern const char *const mode_names[NR_MODES];

#define SEL_CODE32	0x08
#define SEL_DATA	0x10
#define SEL_CODE64	0x18
#define SEL_TSS		0x20
#define SEL_USER_CODE64	0x33
#define SEL_USER_DATA	0x3b

/* Where 16-bit pieces live: below 1 MiB, above the vector table. */
#define REAL_CODE	0x1000
#define REAL_STUBS	0x600
#define REAL_STACK	0x8000
#define REAL_DATA	0x9000

/**
 * vcpu_mode - enter @mode at @rip with a stack, interrupts off
 *
 * Exceptions go to the host through EXC_PORT in all modes but MODE_LONG64,
 * where they go to the C handlers; see vcpu_exceptions_to_host().
 */
void vcpu_mode(struct vcpu *vcpu, enum guest_mode mode, u64 rip);
/** vcpu_entry - long mode at a C function of the test */
void vcpu_entry(struct vcpu *vcpu, void (*fn)(void));
/** vcpu_exceptions_to_host - long mode: use the stubs that leave to the host */
void vcpu_exceptions_to_host(struct vcpu *vcpu);

/**
 * exception_read - the exception of an exit at EXC_PORT
 *
 * Return: false if the last exit was no such exit.
 */
bool exception_read(struct vcpu *vcpu, enum guest_mode mode, struct guest_exc *exc);

/** long_map - map one 4 KiB page in the long-mode tables, splitting as needed */
void long_map(struct vm *vm, u64 gva, u64 gpa, u64 flags);
/** long_pte - the 4 KiB entry of @gva, made by splitting if needed */
u64 *long_pte(struct vm *vm, u64 gva);
/** paged32_pte - the same for MODE_PAGED32 */
u32 *paged32_pte(struct vm *vm, u32 gva);

/* A named piece of guest code in assembly. */
#define GUEST_CODE(name, bits, text)					\
	asm(".pushsection .rodata.guest, \"a\"\n"			\
	    ".balign 16\n"						\
	    ".globl " #name "_start, " #name "_end\n"			\
	    ".code" #bits "\n"						\
	    #name "_start:\n" text "\n" #name "_end:\n"			\
	    ".code64\n.popsection");					\
	extern const char name##_start[], name##_end[]

#define code_load(vm, gpa, name)					\
	memcpy(vm_hva(vm, gpa), name##_start, (size_t)(name##_end - name##_start))

#endif
