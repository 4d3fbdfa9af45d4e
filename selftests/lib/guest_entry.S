/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Exception and interrupt entry inside the guest. Two sets of stubs: those of
 * long mode save a frame and call C; those for the host (16, 32 and 64 bit)
 * clobber nothing, push the vector and leave through a port, so that the host
 * reads the frame from the stack. Stub v of every set is at base + 16 v.
 */
#include "guest_asm.h"

	.text

/* Vectors with an error code: 8, 10-14, 17, 21, 29, 30 (APM 2, 8.2). */
#define ERRCODE_MASK	0x60227d00

	.balign	16
	.globl	guest_entry_stubs
guest_entry_stubs:
	.set	vec, 0
	.rept	256
	.balign	16
	.if	vec >= 32 || ((ERRCODE_MASK >> vec) & 1) == 0
	push	$0
	.endif
	push	$vec
	jmp	guest_entry_common
	.set	vec, vec + 1
	.endr

	.balign	16
guest_entry_common:
	cld
	push	%rax
	push	%rbx
	push	%rcx
	push	%rdx
	push	%rbp
	push	%rsi
	push	%rdi
	push	%r8
	push	%r9
	push	%r10
	push	%r11
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	mov	%rsp, %rdi
	mov	%rsp, %rbx
	and	$-16, %rsp
	call	guest_exception
	mov	%rbx, %rsp
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%r11
	pop	%r10
	pop	%r9
	pop	%r8
	pop	%rdi
	pop	%rsi
	pop	%rbp
	pop	%rdx
	pop	%rcx
	pop	%rbx
	pop	%rax
	add	$16, %rsp
	iretq

/*
 * Stubs for the host. The pushed vector is word, dword or qword by mode; OUT
 * with an immediate port needs no register.
 */
	.balign	16
	.globl	guest_host_stubs64
guest_host_stubs64:
	.set	vec, 0
	.rept	256
	.balign	16
	push	$vec
	out	%al, $EXC_PORT
1:	hlt
	jmp	1b
	.set	vec, vec + 1
	.endr

	.code32
	.balign	16
	.globl	guest_host_stubs32
guest_host_stubs32:
	.set	vec, 0
	.rept	256
	.balign	16
	push	$vec
	out	%al, $EXC_PORT
1:	hlt
	jmp	1b
	.set	vec, vec + 1
	.endr

	.code16
	.balign	16
	.globl	guest_host_stubs16
	.globl	guest_host_stubs16_end
guest_host_stubs16:
	.set	vec, 0
	.rept	32
	.balign	16
	pushw	$vec
	out	%al, $EXC_PORT
1:	hlt
	jmp	1b
	.set	vec, vec + 1
	.endr
guest_host_stubs16_end:
	.code64

	.section .note.GNU-stack, "", @progbits
