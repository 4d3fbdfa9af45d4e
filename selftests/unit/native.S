/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Load every register, run one instruction, save every register. Not reentrant:
 * the host's stack pointer and the state's address wait in static memory, since
 * the instruction under test owns all registers, the stack pointer too.
 */
	.data
	.balign 16
host_sp:	.quad 0
state_ptr:	.quad 0
saved_di:	.quad 0
far_entry:	.long 0
		.word 0
saved_ss:	.quad 0

	.text

	.macro vectors op
	.set i, 0
	.rept 16
	vectors_one \op, %i
	.set i, i + 1
	.endr
	.endm

	.altmacro
	.macro vectors_one op, n
	.ifc \op, load
	vmovdqu 160+32*\n(%rdi), %ymm\n
	.else
	vmovdqu %ymm\n, 160+32*\n(%rdi)
	.endif
	.endm

	.macro save_callee
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	mov	%rsp, host_sp(%rip)
	mov	%rdi, state_ptr(%rip)
	.endm

	.macro load_gprs
	pushq	128(%rdi)
	popfq
	mov	0(%rdi), %rax
	mov	8(%rdi), %rcx
	mov	16(%rdi), %rdx
	mov	24(%rdi), %rbx
	mov	40(%rdi), %rbp
	mov	48(%rdi), %rsi
	mov	64(%rdi), %r8
	mov	72(%rdi), %r9
	mov	80(%rdi), %r10
	mov	88(%rdi), %r11
	mov	96(%rdi), %r12
	mov	104(%rdi), %r13
	mov	112(%rdi), %r14
	mov	120(%rdi), %r15
	mov	32(%rdi), %rsp
	mov	56(%rdi), %rdi
	.endm

	.globl	native_run
native_run:
	save_callee
	vectors	load
	mov	136(%rdi), %rax
	mov	%rax, saved_di(%rip)
	load_gprs
	jmp	*saved_di(%rip)

	.globl	native_return
native_return:
	mov	%rdi, saved_di(%rip)
	mov	state_ptr(%rip), %rdi
	mov	%rax, 0(%rdi)
	mov	%rcx, 8(%rdi)
	mov	%rdx, 16(%rdi)
	mov	%rbx, 24(%rdi)
	mov	%rsp, 32(%rdi)
	mov	%rbp, 40(%rdi)
	mov	%rsi, 48(%rdi)
	mov	%r8, 64(%rdi)
	mov	%r9, 72(%rdi)
	mov	%r10, 80(%rdi)
	mov	%r11, 88(%rdi)
	mov	%r12, 96(%rdi)
	mov	%r13, 104(%rdi)
	mov	%r14, 112(%rdi)
	mov	%r15, 120(%rdi)
	mov	host_sp(%rip), %rsp
	pushfq
	popq	128(%rdi)
	cld
	mov	saved_di(%rip), %rax
	mov	%rax, 56(%rdi)
	vectors	save
	vzeroupper
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	ret

	.globl	native_run_compat
native_run_compat:
	save_callee
	vectors	load
	mov	%ss, %eax
	mov	%rax, saved_ss(%rip)
	mov	136(%rdi), %eax
	mov	%eax, far_entry(%rip)
	mov	152(%rdi), %eax
	mov	%ax, far_entry+4(%rip)
	mov	144(%rdi), %eax
	push	128(%rdi)
	popfq
	test	%eax, %eax
	jz	1f
	mov	%eax, %ss
1:	mov	32(%rdi), %rsp
	/* the flags again, by a way that needs no stack: SAHF and STD serve for all that matter */
	mov	128(%rdi), %rax
	test	$0x400, %eax
	jz	2f
	std
2:	test	$0x800, %eax
	mov	$0x40, %ecx
	jz	3f
	mov	$0x80, %ecx
3:	sub	$1, %cl		/* 80h - 1 overflows, 40h - 1 does not */
	xchg	%al, %ah
	mov	128(%rdi), %al
	mov	%al, %ah
	sahf
	mov	0(%rdi), %rax
	mov	8(%rdi), %rcx
	mov	16(%rdi), %rdx
	mov	24(%rdi), %rbx
	mov	40(%rdi), %rbp
	mov	48(%rdi), %rsi
	mov	56(%rdi), %rdi
	ljmp	*far_entry(%rip)

	/* Copied below 4 GiB: where compatibility code comes back. Flat 64-bit code again. */
	.data
	.globl	native_gate, native_gate_end
native_gate:
	jmp	*1f(%rip)
1:	.quad	native_gate_back
native_gate_end:

	.text
native_gate_back:
	/* the stack pointer first: the segment's B bit no longer matters here */
	mov	%rdi, saved_di(%rip)
	mov	state_ptr(%rip), %rdi
	mov	%rsp, 32(%rdi)
	mov	host_sp(%rip), %rsp
	pushfq
	popq	128(%rdi)
	cld
	mov	%rax, 0(%rdi)
	mov	saved_ss(%rip), %rax
	mov	%eax, %ss
	mov	%rcx, 8(%rdi)
	mov	%rdx, 16(%rdi)
	mov	%rbx, 24(%rdi)
	mov	%rbp, 40(%rdi)
	mov	%rsi, 48(%rdi)
	mov	saved_di(%rip), %rax
	mov	%rax, 56(%rdi)
	vectors	save
	vzeroupper
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	ret

	.section .note.GNU-stack, "", @progbits
